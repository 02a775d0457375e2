/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host side of the scheduler VM, grouped by the file that defines it. A program goes from text (asm.c) or a file
 * (container.c) through the loader's checks (check.c) into an image, which is what a device is given (image.c); a
 * session (session.c) launches it, answers its services and keeps its logs.
 */
#ifndef LAD_VM_H
#define LAD_VM_H

#include "../../kernels/vm_data.h"
#include "../harness.h"

/* ---- container.c: program files ------------------------------------------------------------------------------- */

struct lad_vm_program { /* the sections, each an array with its count: parm and n_parm, proc and n_proc ... */
    uint32_t features;
#define VM_SECTION(tag, field, type)                                                                                   \
    type *field;                                                                                                       \
    uint32_t n_##field;
#include "../../kernels/vm_layout.def"
};
struct lad_vm_section { /* the same seen from outside */
    char tag[5];
    uint32_t bytes;       /* of an element */
    size_t data_at, n_at; /* in struct lad_vm_program */
};
extern const struct lad_vm_section lad_vm_sections[VM_SECTIONS];
void *lad_vm_section_data(const struct lad_vm_program *, int section);
uint32_t lad_vm_section_count(const struct lad_vm_program *, int section);
void lad_vm_section_set(struct lad_vm_program *, int section, void *data, uint32_t n);

struct lad_vm_why { /* one line of plain words */
    char text[256];
};
bool lad_vm_because(struct lad_vm_why *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* false */

/* The file's form (magic, sizes, CRCs, sections); what it says is lad_vm_check's. The program is in the arena. */
bool lad_vm_read(struct lad_arena *, const void *file, size_t bytes, struct lad_vm_program *, struct lad_vm_why *);
void *lad_vm_write(struct lad_arena *, const struct lad_vm_program *, size_t *bytes);
/* Sets the CRCs of a file of the right form anew, for tests that bend one. */
void lad_vm_mend(void *file, size_t bytes);

/* ---- check.c, check_entries.c, check_code.c: may this program run? ---------------------------------------------- */

enum lad_vm_verdict { LAD_VM_GOOD, LAD_VM_REJECTED, LAD_VM_SKIPPED /* needs what this implementation has not */ };
/* `unchecked` leaves out what the VM finds by itself while it runs, and keeps what its memory accesses stand on. */
enum lad_vm_verdict lad_vm_check(const struct lad_vm_program *, bool unchecked, struct lad_vm_why *);
bool lad_vm_check_entries(const struct lad_vm_program *, struct lad_vm_why *); /* parts of it */
bool lad_vm_check_code(const struct lad_vm_program *, struct lad_vm_why *);
/* Operand words of the instruction at `word`, of which `left` words are there; NONE: unknown, or cut off. */
uint32_t lad_vm_operands(const uint32_t *word, uint32_t left);
const char *lad_vm_string(const struct lad_vm_program *, uint32_t id, uint32_t *length); /* "" where there is none */
const char *lad_vm_name(const struct lad_vm_program *, uint32_t id); /* the same for messages, in a passing buffer */

/* ---- case_index.c: the accelerators of CASE ---------------------------------------------------------------------- */

struct lad_vm_words {
    uint64_t *word;
    size_t n;
};
/* The index block that a case with these labels has; bits is the number of bucket bits, 0 for a LUT. */
void lad_vm_case_index(struct lad_arena *, const struct lad_vm_label *, uint32_t n, const uint64_t *casw, uint32_t kind,
                       uint32_t width, uint32_t bits, struct lad_vm_words *);

/* ---- walk.c: an expression, looked at without running it --------------------------------------------------------- */

struct lad_vm_walk {
    uint32_t words, width, depth; /* DONE included; of the result; deepest stack */
    int error;                    /* VM_ERROR_EXPR or VM_ERROR_CAPABILITY, 0 when it is sound */
    const char *flaw;
};
void lad_vm_walk(const struct lad_vm_program *, uint32_t at, struct lad_vm_walk *);

/* ---- image.c: a program as a device gets it ------------------------------------------------------------------- */

enum lad_vm_binding { LAD_VM_DIRECT, LAD_VM_TABLE, LAD_VM_PACKED };
struct lad_vm_shape {
    uint32_t count; /* instances */
    uint32_t max_steps, max_proc_steps, capacity;
    bool shared;                 /* one copy of the bytecode for all instances */
    enum lad_vm_binding binding; /* how the tables are reached; packed: all 22 in one allocation */
    bool debug;                  /* VM_DEBUG from the start */
    uint64_t most_bytes;         /* of all buffers together; 0: as many as the format allows */
};
#define LAD_VM_SHAPE                                                                                                   \
    {                                                                                                                  \
        .count = 1, .max_steps = 1024, .max_proc_steps = 64, .capacity = 32, .debug = true                             \
    }

/* Host copies of all buffers. The reference runs on them as they are; a device gets them uploaded, and what it may
 * write is read back into them. Every table ends in its guard; `room` counts payload, padding and guard. */
struct lad_vm_image {
    const struct lad_vm_program *program; /* must stay alive */
    struct lad_vm_shape shape;
    struct lad_vm_tables tables;
    struct lad_vm_companions companions;
    uint32_t params[VM_P_WORDS];
    uint64_t table_bytes[VM_TABLES], table_room[VM_TABLES];
    uint32_t packed_offset[VM_TABLES]; /* packed only */
    void *packed;                      /* NULL in the other modes */
    uint64_t packed_bytes, static_bytes, arena_bytes, state_bytes, shadow_bytes, ring_bytes, debug_bytes;
    uint32_t array_n[VM_ARRAYS]; /* elements per instance */
    uint32_t record_bytes;
};
/* NULL when it does not fit, with the reason. */
struct lad_vm_image *lad_vm_image_create(const struct lad_vm_program *, const struct lad_vm_shape *,
                                         struct lad_vm_why *);
void lad_vm_image_destroy(struct lad_vm_image **);
void lad_vm_image_reset(struct lad_vm_image *); /* as before the first launch */
extern const struct lad_vm_table {
    const char *name;
    uint32_t bytes;
} lad_vm_tables[VM_TABLES];
extern const struct lad_vm_table lad_vm_arrays[VM_ARRAYS];
bool lad_vm_table_written(int table); /* by the kernel */
/* Array `array` of instance `gid`; the caller knows its type. */
void *lad_vm_array(const struct lad_vm_image *, int array, uint32_t gid);
#define LAD_VM_U32(image, name, gid) ((uint32_t *)lad_vm_array(image, LAD_VM_ARRAY_##name, gid))
#define LAD_VM_U64(image, name, gid) ((uint64_t *)lad_vm_array(image, LAD_VM_ARRAY_##name, gid))
#define VM_ARRAY(number, name, type, elements) LAD_VM_ARRAY_##name = number,
enum {
#include "../../kernels/vm_layout.def"
};
void lad_vm_signal_get(const struct lad_vm_image *, uint32_t gid, uint32_t signal, uint32_t element, uint64_t *val,
                       uint64_t *xz);
void lad_vm_signal_set(struct lad_vm_image *, uint32_t gid, uint32_t signal, uint32_t element, uint64_t val,
                       uint64_t xz);
uint32_t *lad_vm_ring_tail(const struct lad_vm_image *, uint32_t gid);
uint32_t *lad_vm_ring_head(const struct lad_vm_image *, uint32_t gid);
const void *lad_vm_record(const struct lad_vm_image *, uint32_t gid, uint32_t n); /* slot of record n */

/* What the probe launch must find: 22 first words, 22 last guard words, 22 sums. */
void lad_vm_probe_expect(const struct lad_vm_image *, uint32_t words[3 * VM_TABLES]);
/* Are the guards intact? Says which is not. */
bool lad_vm_guards_hold(const struct lad_vm_image *, struct lad_vm_why *);

/* ---- asm.c, asm_statement.c, asm_expr.c: text to program -----------------------------------------------------------
 */

/* `name` is what messages call the text. False with "name:line: what" in why. */
bool lad_vm_assemble(struct lad_arena *, const char *text, const char *name, struct lad_vm_program *,
                     struct lad_vm_why *);

/* ---- literal.c: Verilog's numbers ------------------------------------------------------------------------------- */

struct lad_vm_literal {
    uint32_t width;
    uint64_t val[16], xz[16]; /* up to 1,024 bits, lowest word first */
};
/* Reads 8'hff and the like; *end is where it ends. NULL, or what is wrong with it. */
const char *lad_vm_literal(const char *text, const char **end, struct lad_vm_literal *);

/* ---- dis.c, dis_expr.c: program to text ---------------------------------------------------------------------------
 */

/* Text that assembles to the same file where an assembler made it; otherwise with the same meaning, or with `word` and
 * `.patch` where text cannot say it. `bare`: without the comments that tell where things are. */
void lad_vm_disassemble(FILE *, const struct lad_vm_program *, bool bare);

/* ---- pico.c: the picorv32-shaped workload -------------------------------------------------------------------------
 */

/* Text of the program with 4 to any number of processes: 45 is pico45, 4 + 41 k has k blocks. */
char *lad_vm_pico(struct lad_arena *, unsigned n_proc);
uint32_t lad_vm_pico_want(unsigned pid); /* acc of an edge process, c of the others, at the end; by arithmetic alone */
uint32_t lad_vm_pico_want_m(void);

/* ---- anchor.c: pico45 launch by launch, as the specification prints it (12.2) --------------------------------------
 */

extern const struct lad_vm_anchor { /* with launches of 1 activation of 624 instructions; launch 0 ends the list */
    uint32_t launch, ready, blocked, done, none, time, edge, phase, cursor;
    uint32_t debug[6]; /* bc_base, len, ip, instr, instr0, instr1 */
} lad_vm_anchors[];
/* Is instance 0 as printed? True for launches of which nothing is printed. */
bool lad_vm_anchor_holds(const struct lad_vm_image *, uint32_t launch, struct lad_vm_why *);

/* ---- format.c: the text of a service record -----------------------------------------------------------------------
 */

struct lad_vm_text { /* grows; the owner frees it */
    char *text;
    size_t n, room;
};
void lad_vm_text_add(struct lad_vm_text *, const char *bytes, size_t n);
void lad_vm_text_print(struct lad_vm_text *, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct lad_vm_arg {
    uint32_t kind, width;
    uint64_t val, xz;
};
struct lad_vm_call { /* a record, unpacked */
    uint32_t kind, pid, format, n;
    struct lad_vm_arg arg[256];
};
void lad_vm_unpack(const struct lad_vm_image *, uint32_t gid, uint32_t n, struct lad_vm_call *);
/* What $display and its kin print, without the end of the line. */
void lad_vm_format(const struct lad_vm_image *, uint32_t gid, const struct lad_vm_call *, struct lad_vm_text *);
/* A value in the digits of b, o or h. */
void lad_vm_digits(struct lad_vm_text *, uint64_t val, uint64_t xz, uint32_t width, uint32_t bits, bool short_form);

/* ---- service.c, readmem.c: the host's answers ----------------------------------------------------------------------
 */

struct lad_vm_host {
    struct lad_vm_image *image;
    const char *const *plusargs;      /* "name" and "name=value", NULL at the end; or NULL */
    const char *folder;               /* where data files of the program are, besides the current one; or NULL */
    const struct lad_embedded *files; /* those that are looked at first; or NULL */
    struct lad_vm_text *log;          /* one per instance */
    uint64_t unsupported;             /* bit set of the kinds that were asked for and are not there */
    bool quiet;                       /* do not say so */
    struct lad_vm_answer {
        uint64_t value;
        bool there;
    } * answer; /* one per process of each instance: what it gets when it waits */
};
struct lad_vm_host *lad_vm_host_create(struct lad_vm_image *);
void lad_vm_host_destroy(struct lad_vm_host **);
/* After a launch: acts on all records in order and answers the processes that wait. True if there was anything to do.
 */
bool lad_vm_drain(struct lad_vm_host *);
void lad_vm_readmem(struct lad_vm_host *, uint32_t gid, const struct lad_vm_call *);
void lad_vm_log_write(FILE *, const struct lad_vm_host *); /* with "[gid] " before each line where there are several */

/* ---- session.c: launches until it is over
 * ---------------------------------------------------------------------------- */

void lad_vm_launch_reference(struct lad_vm_image *); /* one launch, in the binding mode of the image's shape */
bool lad_vm_over(const struct lad_vm_image *);       /* every instance is FINISHED, ERROR or STOPPED */
bool lad_vm_asks(const struct lad_vm_program *);     /* waits for an answer of the host somewhere */
uint64_t lad_vm_mark(const struct lad_vm_image *);   /* differs from the last one when any instance has moved */
enum lad_vm_end { LAD_VM_OVER, LAD_VM_STUCK /* a launch changed nothing */, LAD_VM_LIMIT, LAD_VM_LATE };
/* With the reference; most_launches 0 and deadline_ns 0 are no limits. */
enum lad_vm_end lad_vm_run(struct lad_vm_host *, uint64_t most_launches, uint64_t deadline_ns, uint64_t *launches);

/* ---- status.c: what the host prints about a run ---------------------------------------------------------------------
 */

void lad_vm_print_stats(FILE *, const struct lad_vm_program *);
void lad_vm_print_status(FILE *, const struct lad_vm_image *, uint32_t launches);
void lad_vm_print_debug(FILE *, const struct lad_vm_image *, uint32_t gid);
/* Is the instruction in the debug record the one that was uploaded? */
bool lad_vm_fetch_matches(const struct lad_vm_image *, uint32_t gid, struct lad_vm_why *);
void lad_vm_print_state(FILE *, const struct lad_vm_image *); /* signals, time, status, error, processes, as text */
const char *lad_vm_status_name(uint32_t);
const char *lad_vm_error_name(uint32_t);
const char *lad_vm_wait_name(uint32_t);

/* ---- compare.c: two sets of buffers after as many launches ----------------------------------------------------------
 */

struct lad_vm_diff {
    uint32_t gid, pid, ip; /* pid and ip: where it shows, else where the instance last was; NONE: nowhere */
    uint64_t time;
    char what[160]; /* "signal acc4", "sched_wait_kind" ... */
    uint64_t a, b;  /* both values; of a signal the val planes, with xz_a and xz_b */
    uint64_t xz_a, xz_b;
};
/* Everything that the specification compares (1.8), instance by instance; false: the first difference. Both images are
 * of one program and count; placement and binding may differ. */
bool lad_vm_compare(const struct lad_vm_image *a, const struct lad_vm_image *b, struct lad_vm_diff *);
/* The same of one instance each, but for the debug record; counts may differ. */
bool lad_vm_compare_instance(const struct lad_vm_image *a, uint32_t gid_a, const struct lad_vm_image *b, uint32_t gid_b,
                             struct lad_vm_diff *);
void lad_vm_diff_text(const struct lad_vm_diff *, struct lad_vm_why *);

/* ---- vcd.c: value-change dumps
 * ----------------------------------------------------------------------------------------- */

struct lad_vm_vcd;
/* Dumps instance gid at the end of each of its time steps; open before the first launch. NULL after lad_error. */
struct lad_vm_vcd *lad_vm_vcd_open(const char *path, struct lad_vm_image *, uint32_t gid);
bool lad_vm_vcd_close(struct lad_vm_vcd **); /* writes the last values; false after lad_error */

/* ---- device.c: an image on a device
 * ------------------------------------------------------------------------------------ */

enum lad_vm_harm {
    LAD_VM_UNHARMED,
    LAD_VM_ZEROS /* reads as zero */,
    LAD_VM_SWAPPED /* with the next one */,
    LAD_VM_SHIFTED, /* 256 bytes too far */
    LAD_VM_UNREACHED /* left out of what is declared to be reached through the table of addresses */
};
struct lad_vm_device_want {
    uint32_t fuel;         /* rounds of the kernel's loops in one dispatch; 0: as many as usual */
    enum lad_vm_harm harm; /* made on purpose, to see that it is found */
    uint32_t table;        /* which of the 22 it befalls */
    uint64_t from;         /* zeros from this byte on */
    bool look_only;        /* nothing will be launched, so that its kernel need not be built */
};
struct lad_vm_device;
enum lad_vm_fate {
    LAD_VM_DONE,
    LAD_VM_UNFIT /* the device cannot: a reason to skip */,
    LAD_VM_FAILED /* gpu->fail says more */
};
/* Makes buffers for the image in its binding mode. NULL with the reason in why; *fate (may be NULL) says of which kind
 * it is. The image and its program must stay alive. */
struct lad_vm_device *lad_vm_device_open(struct lad_gpu *, struct lad_vm_image *, const struct lad_vm_device_want *,
                                         enum lad_vm_fate *fate, struct lad_vm_why *);
void lad_vm_device_close(struct lad_vm_device **);
/* The probe launch: true where the device reads the 22 tables as they were uploaded, else their lines in text. */
bool lad_vm_device_probe(struct lad_vm_device *, struct lad_vm_text *, enum lad_vm_fate *);
#define LAD_VM_MARK 0xC4A9B7D5u /* fills the tables ahead of their uploads */
struct lad_vm_sight { /* what the probe's kernel saw of the tables: first words, last words, sums */
    bool ran, right[VM_TABLES];
    uint32_t n_wrong, got[3 * VM_TABLES], want[3 * VM_TABLES];
};
/* The same as data. `how` is the image's own binding, or direct for the buffers of the table of addresses. */
bool lad_vm_device_look(struct lad_vm_device *, enum lad_vm_binding how, struct lad_vm_sight *);
void lad_vm_sight_print(const struct lad_vm_sight *, enum lad_vm_binding how, struct lad_vm_text *);
/* Table i as the host reads it back, table_room[i] bytes. */
bool lad_vm_device_table(struct lad_vm_device *, int i, void *);
/* How many processes of all instances the device sees begin with each opcode; after the probe. */
const uint32_t *lad_vm_device_first_ops(const struct lad_vm_device *);
/* One launch, of as many dispatches as it takes: what the host changed in the image goes up, what the kernel wrote
 * comes back into it. False: gpu->fail says why. */
bool lad_vm_device_launch(struct lad_vm_device *);
/* One launch of each, side by side, of which only the status words and the records come back. The host may then drain
 * these and change nothing else, so not with programs that wait for an answer (lad_vm_asks), until it pulls the rest.
 * All are of one lad_gpu. */
bool lad_vm_device_step(struct lad_vm_device *const *, size_t n);
bool lad_vm_device_pull(struct lad_vm_device *);
/* device_batch.c: one launch of each, side by side, and all that they wrote read back in one go. `in` is where it
 * arrives, made on first use and given back by lad_vm_inbox_close. All are of one lad_gpu. */
struct lad_vm_inbox {
    struct lad_buf *buf;
    char *host;
    uint64_t bytes;
};
bool lad_vm_device_launch_all(struct lad_vm_device *const *, size_t n, struct lad_vm_inbox *in);
void lad_vm_inbox_close(struct lad_gpu *, struct lad_vm_inbox *);
/* Are the tables that the kernel only reads still what was uploaded? */
bool lad_vm_device_kept(struct lad_vm_device *, struct lad_vm_why *);
struct lad_vm_device_figures {
    uint64_t launches, dispatches, instructions, activations;
    uint64_t dispatch_ns; /* from a dispatch to the end of the wait for it, on the host's clock */
};
/* Instructions and activations are counted by the kernel. */
bool lad_vm_device_figures(struct lad_vm_device *, struct lad_vm_device_figures *);

/* ---- setup.c: a program as a case wants it
 * ------------------------------------------------------------------------------ */

struct lad_vm_setup {
    const struct lad_case *c;
    struct lad_arena *arena;
    struct lad_record *r;
    struct lad_vm_program program;
    struct lad_vm_shape shape;
    struct lad_vm_device_want want;
};
/* From the params program, unchecked, mode, count, slice, placement, fuel, harm, table and from. False: the record says
 * why. */
bool lad_vm_setup(struct lad_vm_setup *, const struct lad_case *, struct lad_arena *, struct lad_record *);
const char *lad_vm_param(const struct lad_vm_setup *, const char *name); /* NULL: not given */
bool lad_vm_param_number(const struct lad_vm_setup *, const char *name, uint64_t most, uint64_t *); /* untouched then */
/* What the program's services find: data files beside it, and the params named plusarg; and they say nothing. */
void lad_vm_equip(const struct lad_vm_setup *, struct lad_vm_host *);
/* Processes of all instances by first opcode, as the device counted them in its probe and as the host does; facts. */
bool lad_vm_first_ops_agree(const struct lad_vm_setup *, const struct lad_vm_program *, uint32_t count,
                            const struct lad_vm_device *);
/* Puts gpu->fail into the record; false. */
bool lad_vm_api_failed(const struct lad_vm_setup *, const struct lad_gpu *, const char *doing);

/* ---- diagnosis.c: why the tables read wrong
 * ------------------------------------------------------------------------------ */

/* Experiments on a device whose probe saw wrong tables; what they show goes into the record. The images and the device
 * are fit for nothing else afterwards. */
void lad_vm_diagnose(const struct lad_vm_setup *, struct lad_gpu *, struct lad_vm_image *const image[2],
                     struct lad_vm_device *, const struct lad_vm_sight *);

/* ---- load.c: a program by name; cli.c: gpuladder vm run
 * ----------------------------------------------------------------- */

/* A program file, assembly text, pico:N, or the name of a built-in one. LAD_VM_REJECTED after lad_error where it cannot
 * be read; otherwise the checks' verdict with the reason in why, nothing printed. */
enum lad_vm_verdict lad_vm_load(struct lad_arena *, const char *name, bool unchecked, struct lad_vm_program *,
                                struct lad_vm_why *);
/* beside.c: the same on the devices of --device, each mode in a case of its own; exit status. */
struct lad_vm_plea {
    const struct lad_options *options;
    const char *program, *const *plusargs;
    uint64_t reference_ns; /* what the reference took for its launches */
};
int lad_vm_beside(struct lad_arena *, const struct lad_vm_plea *);
int lad_vm_command_run(struct lad_arena *, const struct lad_options *, const char *program, const char **plusargs);

#endif
