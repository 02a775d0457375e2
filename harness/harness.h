/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All internal types and prototypes, grouped by the file that defines them: the table of contents.
 *
 * Data flows one way: case files (case.c) x devices (devices.c) -> plan (plan.c) -> workers (run.c, child.c, worker.c)
 * -> probe (probes/) on a device (gpu.c) -> record (record.c), a JSON line, journalled -> reports (reports/).
 * Strings and arrays inside a structure live in the arena that it was made in, unless it says otherwise.
 */
#ifndef LAD_HARNESS_H
#define LAD_HARNESS_H

#include "../backends/backend.h"
#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#define LAD_VERSION "0.1.0"
#define LAD_N(array) (sizeof(array) / sizeof *(array))

/* ---- util.c: memory, text, clock, messages ------------------------------------------------------------------ */

struct lad_arena; /* everything allocated in it dies with it; running out of host memory aborts */
struct lad_arena *lad_arena_create(void);
void lad_arena_destroy(struct lad_arena **); /* takes a pointer to NULL */
void *lad_alloc(struct lad_arena *, size_t bytes); /* zeroed, aligned for any type */
char *lad_strdup(struct lad_arena *, const char *); /* NULL gives NULL */
char *lad_printf(struct lad_arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for one more element behind *n; doubles the array in the arena and returns the new element, zeroed. */
void *lad_push(struct lad_arena *, void *array, size_t *n, size_t element_bytes);
#define LAD_PUSH(arena, array, n) ((__typeof__(array))lad_push(arena, &(array), &(n), sizeof *(array)))

const char **lad_split(struct lad_arena *, const char *text, size_t *n); /* its blank-separated words */

uint64_t lad_now_ns(void);      /* CLOCK_MONOTONIC */
uint64_t lad_random(uint64_t *state); /* splitmix64 */
uint64_t lad_hash(const void *, size_t, uint64_t start); /* FNV-1a, to derive seeds and keys */
bool lad_glob(const char *pattern, const char *text); /* fnmatch */
uint32_t lad_crc(const void *, size_t);
/* One message to the user on stderr: "gpuladder: ...". Where the fault was found, once. */
void lad_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void lad_note(const char *format, ...) __attribute__((format(printf, 1, 2))); /* unless -q */
/* Whole file, NUL-terminated, at most `most` bytes; NULL after lad_error. */
char *lad_read_file(struct lad_arena *, const char *path, size_t most, size_t *bytes);
/* Calls write(), then renames over path; false after lad_error (disk full included). "-" is stdout. */
bool lad_write_file(const char *path, bool (*write)(FILE *, const void *), const void *arg);
bool lad_make_dir(const char *path); /* with parents; false after lad_error */
extern int lad_verbosity; /* -1 with -q, 0, 1 with -v, 2 ... */

/* ---- rungs.def, classes.def, remedies.def (tables), ladder.c ---------------------------------------------------------------- */

struct lad_rung {
    int number;
    const char *name;   /* "memory": the group in class names */
    const char *proves;
    uint32_t on;        /* bit set of the rungs that it stands on */
};
extern const struct lad_rung lad_rungs[];
extern const int lad_n_rungs;

const struct lad_rung *lad_rung_find(const char *name_or_number);

struct lad_class { /* a root cause of the fault catalogue */
    const char *id, *name, *looks, *apart;
};
extern const struct lad_class lad_classes[];
extern const int lad_n_classes;
struct lad_remedy { /* the longer text on a class, in the same order */
    const char *id, *what, *vulkan, *opencl, *reports; /* reports: a line each */
};
extern const struct lad_remedy lad_remedies[];

/* ---- case.c: case text -> struct lad_case; nobody else reads case text -------------------------------------- */

enum lad_type { LAD_U32, LAD_I32, LAD_F32, LAD_U64, LAD_I64, LAD_F64, LAD_U16, LAD_U8 };
uint32_t lad_type_bytes(enum lad_type);
const char *lad_type_name(enum lad_type);
const char *lad_mem_name(enum lad_mem);

struct lad_expr { /* integer expression over the case's variables, kept as text; "" is absent */
    const char *text;
    int line;
};
struct lad_var {
    const char *name;
    struct lad_expr value; /* may use the variables before it and the sweep */
};
struct lad_need {
    enum lad_cap cap;
    struct lad_expr min; /* absent: 1 */
};
enum lad_role { LAD_INPUT, LAD_OUTPUT, LAD_INOUT };
struct lad_case_buf {
    const char *name;
    enum lad_type type;
    struct lad_expr count;  /* elements */
    enum lad_mem mem;
    enum lad_role role;
    const char *fill;       /* "random", "small", "index", "ramp", "special", "tags" or "=EXPR"; NULL: canary */
    bool address;
    const char *table;      /* holds the addresses of the buffers whose names begin with this, else NULL */
    int line;
};
struct lad_arg {
    const char *name;  /* the kernel's buffer or scalar */
    const char *buf;   /* a buffer of the case, for buffers */
    const char *text;  /* raw value for scalars that are no integers ("1.5", "0x0102030405060708") */
    struct lad_expr value, offset, bytes;
};
enum lad_step_kind {
    LAD_STEP_DISPATCH, LAD_STEP_FILL, LAD_STEP_COPY, LAD_STEP_WRITE, LAD_STEP_BARRIER, LAD_STEP_WAIT, LAD_STEP_SUBMIT,
    LAD_STEP_FINISH, LAD_STEP_READ
};
struct lad_step {
    enum lad_step_kind kind;
    int line;
    const struct lad_kernel_source *kernel;
    struct lad_expr items[3], groups[3], local[3], base[3]; /* items: rounded up to whole workgroups */
    struct lad_expr dynamic, constant[2], queue, repeat;
    const char *indirect; /* buffer with the group counts */
    struct lad_expr indirect_offset;
    struct lad_arg *args;
    size_t n_args;
    const char *buf, *from; /* fill, copy, write, read */
    struct lad_expr offset, from_offset, bytes, word;
    const char *fill;
};
struct lad_expect {
    const char *buf, *oracle; /* an oracle of oracle.c */
    const char *with;         /* the oracle's parameter text, or NULL */
    double ulp;               /* largest distance, 0 exact */
    int line;
};
struct lad_measure_want {
    const char *name, *unit;  /* "GB/s", "GFLOP/s", "us" */
    struct lad_expr work;     /* bytes or operations of one dispatch */
    struct lad_expr floor_discrete, floor_any; /* in the unit; absent: none */
    int line;
};
struct lad_case {
    const char *id, *file, *proves, *probe; /* probe: "steps" unless the case names another */
    int rung, line;
    bool gates;          /* its failure blocks the rungs above; false for known edges of drivers */
    bool ordered;        /* barriers between steps are supplied; false: only where the case says so */
    bool small;          /* small enough for simulators and validation in a run with --include-small only */
    uint32_t timeout_s;  /* 0: the run's */
    struct lad_need *needs;
    size_t n_needs;
    const char *sweep;   /* variable that is swept, or NULL */
    int64_t *sweep_values;
    size_t n_sweep;
    struct lad_var *vars;
    size_t n_vars;
    struct lad_case_buf *bufs;
    size_t n_bufs;
    struct lad_step *steps;
    size_t n_steps;
    struct lad_expect *expects;
    size_t n_expects;
    struct lad_measure_want *measures;
    size_t n_measures;
    struct lad_var *params; /* for probes other than "steps": name and text */
    size_t n_params;
};
struct lad_cases {
    struct lad_case *item;
    size_t n;
};
/* Appends the cases of a file; name is what messages call it. False after lad_error with name:line. `schema`: check
 * against the RELAX NG schema first (embedded files are checked when the program is built). */
bool lad_case_parse(struct lad_arena *, const char *text, size_t bytes, const char *name, bool schema, struct lad_cases *);
bool lad_case_load(struct lad_arena *, const char *path, struct lad_cases *);  /* a file, or a folder of .xml */
bool lad_case_builtin(struct lad_arena *, struct lad_cases *);
const char *lad_case_group(const struct lad_case *); /* its rung's name */
const char *lad_step_name(enum lad_step_kind);
struct lad_scope {   /* values of variables while a case runs */
    const char *name[32];
    int64_t value[32];
    size_t n;
};
bool lad_eval(const char *text, const struct lad_scope *, int64_t *value, char *why, size_t why_bytes);

/* ---- kernels (registry made by the Makefile) ---------------------------------------------------------------- */

extern const struct lad_kernel_source *const lad_kernels[]; /* ends in NULL */
const struct lad_kernel_source *lad_kernel_find(const char *name);

/* ---- elf.c: shared objects looked at without loading them ----------------------------------------------------- */

/* Where the dynamic linker would find it, or NULL; *sure (may be NULL): nothing else could be found at run time. */
const char *lad_library_find(struct lad_arena *, const char *name, bool *sure);
const char *lad_library_flaw(struct lad_arena *, const char *path); /* why it cannot be loaded, or NULL */
/* Names that the library asks for, NULL at the end; *folders: those that it wants searched first, or NULL. */
const char **lad_library_needs(struct lad_arena *, const char *path, const char **folders);
/* Names that it or what it needs asks for and that are nowhere, NULL at the end. */
const char **lad_library_missing(struct lad_arena *, const char *path);

/* ---- discover.c: driver files on this machine; loads nothing ------------------------------------------------ */

struct lad_icd {
    const char *api;      /* "vk", "cl", "host", or "plugin" */
    const char *file;     /* manifest, .icd file or plugin; "" for host */
    const char *library;  /* what it names */
    const char *refused;  /* why it cannot be used, or NULL */
};
/* Every driver file that the loaders would consider, in the loaders' order, host first. Obeys the loaders' own
 * environment variables. A loader that cannot be opened is an entry with file "" and the reason. */
size_t lad_discover(struct lad_arena *, struct lad_icd **);
bool lad_is_khronos_loader(struct lad_arena *); /* libOpenCL.so.1: the Khronos loader, or ocl-icd? */
void lad_discover_plugin(const char *file); /* from now on lad_discover lists it, too; options.c calls it for --plugin */
/* The environment that narrows a worker to one driver file: "NAME=value" ..., NULL at the end. */
const char *const *lad_icd_narrow(struct lad_arena *, const struct lad_icd *);
/* Folders in which, under vulkan/icd.d, the Vulkan loader looks for manifests, parted by ':'. */
const char *lad_manifest_folders(struct lad_arena *);
/* Variables of the environment that can change results: "NAME=value" ..., NULL at the end. */
const char **lad_environment(struct lad_arena *);

/* ---- devices.c: drivers asked in processes of their own ------------------------------------------------------ */

struct lad_device {
    char spec[32];        /* "vk:0", "cl:0:1", "host" */
    char slug[80];        /* "vk-llvmpipe": stable over driver updates, unique in a run */
    const struct lad_icd *icd;
    size_t index;         /* within the worker of that ICD */
    struct lad_dev_info info;
};
struct lad_inventory {
    struct lad_icd *icd;
    size_t n_icds;
    struct lad_device *device;
    size_t n_devices;
};
/* Starts one worker per ICD (child.c), gathers what each reports within timeout_ms, and fills refused reasons for those
 * that crash, hang, fail or have no device. `want`: specs, slugs or name parts, NULL-terminated, to start only what is
 * needed; NULL asks all. Workers stay alive for run.c. */
bool lad_inventory_take(struct lad_arena *, const char *const *want, uint32_t timeout_ms, struct lad_inventory *);
/* The first half of that, for who has something else to do while drivers start; the second half is then called with the
 * same arguments. */
bool lad_inventory_start(struct lad_arena *, const char *const *want, uint32_t timeout_ms);
/* A worker that serves the devices of an ICD: the one that listed them where it is still free, else a new one, which first
 * sends a {"devices": ...} line of its own (*fresh). The caller destroys it or gives it back. NULL after lad_error. */
struct lad_child *lad_worker_take(struct lad_arena *, const struct lad_icd *, bool *fresh);
/* A new one, with more environment ("NAME=value" ..., NULL at the end). */
/* The environment in which neither loader takes a layer, blank-separated. */
#define LAD_NO_LAYERS "VK_LOADER_LAYERS_DISABLE=~all~ VK_INSTANCE_LAYERS= OPENCL_LAYERS="
struct lad_child *lad_worker_start(struct lad_arena *, const struct lad_icd *, const char *const *env);
void lad_worker_give(const struct lad_icd *, struct lad_child *);
void lad_inventory_hang_up(void); /* tells the free workers to end; they do that while we go on */
void lad_inventory_release(void); /* ends all free workers, and says which of them ended badly */
bool lad_device_matches(const struct lad_device *, const char *spec);
json_t *lad_dev_info_json(const struct lad_dev_info *);
bool lad_dev_info_parse(struct lad_arena *, json_t *, struct lad_dev_info *);

/* ---- backends (registry made by the Makefile) --------------------------------------------------------------- */

extern const struct lad_backend *const lad_backends[]; /* ends in NULL */
const struct lad_backend *lad_backend_find(const char *prefix); /* "vk", "cl", "host" */

/* ---- gpu.c: front of a backend: checks arguments, supplies optional members, counts, drops on request -------- */

enum lad_cap lad_cap_find(const char *name); /* LAD_CAP_COUNT: no such capability */
const char *lad_cap_name(enum lad_cap);
const char *lad_cap_unit(enum lad_cap);
const char *lad_cap_text(enum lad_cap);
const char *lad_cap_why(const struct lad_dev_info *, enum lad_cap); /* why it is 0, in words */

enum lad_drop { LAD_DROP_NONE, LAD_DROP_DISPATCH, LAD_DROP_UPLOAD, LAD_DROP_TRANSFER, LAD_DROP_INFO };
struct lad_gpu {
    const struct lad_backend *backend;
    struct lad_dev *dev;
    struct lad_dev_info info;
    enum lad_drop drop;      /* --drop: the mutation check; calls of that kind do nothing and succeed */
    uint64_t n_dropped;
    uint64_t open_ns;
    struct lad_times times;  /* of the last wait, where `timed` */
    bool timed;              /* waits ask for times; what is recorded after the first of them has device time */
    struct lad_fail fail;    /* of the last call that returned false */
    uint32_t n_recorded;     /* commands since the last wait */
    bool landed;             /* what a command did was seen since it was opened */
    uint64_t deadline_ns;    /* lad_now_ns() at which waits give up; 0: none */
    struct lad_kept *kept;   /* kernels made so far */
    const struct lad_experiment *trial; /* what runs is this experiment, or NULL */
    uint64_t experiments_ns;            /* what may be spent on those of a failure, 0: none */
};
bool lad_gpu_open(struct lad_gpu *, const struct lad_backend *, size_t index, const struct lad_dev_info *);
void lad_gpu_close(struct lad_gpu *);
struct lad_buf *lad_gpu_buf(struct lad_gpu *, const struct lad_buf_desc *);
void lad_gpu_free(struct lad_gpu *, struct lad_buf *);
bool lad_gpu_plant(struct lad_gpu *, struct lad_buf *, uint64_t offset, const void *, size_t); /* instruments; never dropped */
bool lad_gpu_upload(struct lad_gpu *, struct lad_buf *, uint64_t offset, const void *, size_t); /* the case's data */
bool lad_gpu_read(struct lad_gpu *, struct lad_buf *, uint64_t offset, void *, size_t);
struct lad_kernel *lad_gpu_kernel(struct lad_gpu *, const struct lad_kernel_desc *); /* kept by the gpu */
void lad_gpu_trim(struct lad_gpu *); /* between two cases, nothing in flight: gives back the kernels not used for long */
bool lad_gpu_dispatch(struct lad_gpu *, const struct lad_dispatch *);
bool lad_gpu_fill(struct lad_gpu *, struct lad_buf *, uint64_t offset, uint64_t bytes, uint32_t word);
bool lad_gpu_copy(struct lad_gpu *, struct lad_buf *, uint64_t, struct lad_buf *, uint64_t, uint64_t bytes);
/* The same as steps of a case: --drop transfer takes these away. */
bool lad_gpu_case_fill(struct lad_gpu *, struct lad_buf *, uint64_t offset, uint64_t bytes, uint32_t word);
bool lad_gpu_case_copy(struct lad_gpu *, struct lad_buf *, uint64_t, struct lad_buf *, uint64_t, uint64_t bytes);
bool lad_gpu_barrier(struct lad_gpu *);
bool lad_gpu_wait(struct lad_gpu *);
bool lad_gpu_submit(struct lad_gpu *);
bool lad_gpu_finish(struct lad_gpu *);
void *lad_gpu_map(struct lad_gpu *, struct lad_buf *, bool write);
bool lad_gpu_unmap(struct lad_gpu *, struct lad_buf *);

/* ---- record.c: everything known about one case on one device; the only serialiser --------------------------- */

/* In the order in which they win when merged; names as printed in lower case. */
#define LAD_STATUSES(X)                                                                                                 \
    X(PASS, "pass") X(SKIP, "skip") X(BLOCKED, "blocked") X(FAIL, "fail") X(TIMEOUT, "timeout") X(CRASH, "crash")       \
    X(LOST, "lost") X(ERROR, "error") X(MISSING, "missing")
#define LAD_STATUS_ENUM(sym, name) LAD_STATUS_##sym,
enum lad_status { LAD_STATUSES(LAD_STATUS_ENUM) LAD_STATUS_COUNT };
#undef LAD_STATUS_ENUM
const char *lad_status_name(enum lad_status);
bool lad_status_parse(const char *, enum lad_status *);

struct lad_fact {        /* one thing that is known: '+' shown to work, '-' not known or not there, '!' shown broken */
    char sign;
    const char *text;
};
struct lad_measure {
    const char *name, *unit, *clock; /* clock: "device" or "host" */
    const char *doubt;   /* why the figure is not to be believed, or NULL; a doubted figure is no result */
    double value, floor; /* floor 0: none was stated */
    uint64_t size;       /* value of the sweep variable it was taken at */
};
struct lad_diff {
    uint64_t index;          /* element */
    uint64_t expected, actual; /* raw bits */
    double ulps;             /* distance for floats, else 0 */
};
struct lad_seen {        /* what one buffer looked like afterwards */
    const char *name, *type; /* element type, "uint" ... */
    const char *mem;         /* "device", "coherent" ... */
    const char *signature;   /* in words, e.g. "all canary" */
    /* Letters by run, e.g. "960. 64P": '.' ok, '0' zero, 'P' canary kept, 'H' host canary, 'e' value of another place,
     * 'N' NaN or infinity, 'x' other. One letter a cell; cells are elements up to 4096, else bins of `bin` elements. */
    const char *map;
    uint64_t bin, bytes, n, n_checked, n_wrong, first, last;
    struct lad_diff *diff;   /* the first 3, each change of kind up to 8, the last */
    size_t n_diffs;
};
struct lad_obs {         /* one observation, for diagnose.c */
    const char *name;    /* a row of observe.def: "output.all-canary" */
    const char *on;      /* the buffer, dispatch or call that it is about, or NULL */
    int64_t value;
};
struct lad_size {        /* a case at another size */
    int64_t n;
    const char *result;  /* "right", "wrong"; "no": could not be made */
    int64_t groups;      /* workgroups that ran; -1: not known */
};
struct lad_trial {       /* an experiment made after the failure: the case again with one thing changed */
    const char *name;    /* "wait-each" */
    const char *result;  /* "cured", "same" or "changed"; "no": could not be made, text says why */
    const char *text;    /* what came out, in words */
    uint64_t time_ns;
    struct lad_size *sizes; /* that it was made at, where other than the case's */
    size_t n_sizes;
};
struct lad_try {         /* a run of a case that failed and was repeated (--retries) */
    enum lad_status status;
    const char *type, *message;
    uint64_t time_ns;
};
struct lad_record {
    /* want: case.c, plan.c */
    const char *id, *file, *group, *proves, *device /* slug */, *spec;
    const char *uses; /* what the case uses: names of observe.def without "case.", and kernel:NAME, mode:NAME */
    int rung, line;
    uint64_t seed;
    /* got: the probe */
    enum lad_status status;
    const char *type;     /* dotted token, "ladder.mismatch.all-zero"; NULL for pass */
    const char *message;  /* one line of plain words; for skip and blocked the reason */
    const char *sweep;    /* name of the swept variable, or NULL */
    int64_t sweep_failed, sweep_passed, sweep_reached; /* smallest failing (found by bisection), largest passing below it, largest tried */
    struct lad_fact *facts;
    size_t n_facts;
    struct lad_measure *measures;
    size_t n_measures;
    struct lad_seen *seen;
    size_t n_seen;
    struct lad_obs *obs;
    size_t n_obs;
    struct lad_trial *trial;
    size_t n_trials;
    const char **messages; /* of the validation layer, driver or build log */
    size_t n_messages;
    uint64_t time_ns, open_ns, build_ns, first_ns; /* whole case; opening the device, building, first dispatch where they fell in it */
    uint64_t n_dropped;   /* calls that --drop removed */
    const char *inject;   /* faults that were made on purpose, parted by ';', or NULL; set by who plans, it holds for this record */
    const char *layer;    /* want: "vk" or "cl": runs in a process of its own with the layer of faults; not journalled */
    uint64_t n_hits;      /* calls that they struck */
    /* ended: child.c */
    int exit_code, signal; /* -1 and 0 unless the worker ended in this case */
    const char *output;    /* tail of what driver and worker printed, or NULL */
    uint64_t output_bytes;
    uint32_t tries;        /* runs it took: 1, more with --retries */
    bool flaky;            /* passed on a retry */
    struct lad_try *retry; /* failed tries that this record does not describe: it describes the pass, else the first failure */
    size_t n_retries;
    const char *blocker;   /* run.c: id of the case that blocks this one, or cost it the device, or NULL */
    /* known results: plan.c */
    const char *known;     /* reason of an expected failure, or NULL */
    bool unexpected;       /* an expected failure that passed */
    enum lad_status known_status; /* where known is set: what was expected; not journalled */
    const struct lad_why *why; /* findings.c: what the run as a whole says of it; NULL: it speaks for itself; not journalled */
    const char *flake;     /* why it is known to fail now and then, or NULL; not journalled */
};
json_t *lad_record_json(const struct lad_record *);
bool lad_record_parse(struct lad_arena *, json_t *, struct lad_record *); /* false: not a record; says nothing */
void lad_record_fact(struct lad_arena *, struct lad_record *, char sign, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Sets status, type and message (none where format is NULL) unless one as bad is there; MISSING counts as nothing there. */
void lad_record_set(struct lad_arena *, struct lad_record *, enum lad_status, const char *type, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Does it count as unexpected, and hence for the exit status? */
bool lad_record_bad(const struct lad_record *);
struct lad_run;
/* The run without its records, but with what is planned of each: the value of "run" in a journal's first line. */
json_t *lad_run_json(const struct lad_run *);
/* Reads that, with all records as LAD_STATUS_MISSING; false: not a run. */
bool lad_run_parse(struct lad_arena *, json_t *, struct lad_run *);

/* ---- diagnose.c: observations -> cause; pure ----------------------------------------------------------------- */

enum lad_obs_name {
#define OBS(sym, name, words) LAD_OBS_##sym,
#include "observe.def"
#undef OBS
    LAD_OBS_COUNT
};
const char *lad_obs_name(enum lad_obs_name);
enum lad_obs_name lad_obs_find(const char *name); /* LAD_OBS_COUNT: no such observation */
char *lad_obs_text(struct lad_arena *, const struct lad_obs *); /* in words */
/* Adds an observation unless the same is there. */
void lad_observe(struct lad_arena *, struct lad_record *, enum lad_obs_name, const char *on, int64_t value);
bool lad_observed(const struct lad_record *, enum lad_obs_name);
const char *lad_case_uses(struct lad_arena *, const struct lad_case *); /* for lad_record.uses; observe.c */
void lad_observe_kind(struct lad_arena *, const struct lad_case *, struct lad_record *); /* what kind of case it is */

enum lad_sure { LAD_SURE_OPEN, LAD_SURE_LIKELY, LAD_SURE_DECIDED };
struct lad_why {
    const struct lad_class *cause; /* NULL: nothing that was seen points to a class */
    const struct lad_class *other; /* the runner-up, or NULL */
    enum lad_sure sure;
    const char *sentence;  /* what kind of failure it is */
    const char *verdict;   /* "decided", "likely", "not decided between X and Y, because ..." */
    const char *place;
    const char *at;        /* the same in words NAME=VALUE: buffer, binding, argument, dispatch, byte; NULL: not known */
    const char *calls;     /* entry points of the device's API to look at, blank-separated, or NULL */
    const char **pro, **contra; /* evidence in words */
    size_t n_pro, n_contra;
    const char *decides;   /* what would part cause and runner-up, or NULL */
    const char *trial;     /* the experiment that does so, when there is one that was not made yet; NULL otherwise */
    const char *next;      /* what to do */
    const char *scope;     /* of a run: what its failures of this cause share and what passes has not, or NULL */
};
/* False for records that there is nothing to say about (passed, skipped, blocked ...). */
bool lad_diagnose(struct lad_arena *, const struct lad_record *, struct lad_why *);
const char *lad_call_names(const char *call, const char *device); /* entry points of the device's API, or NULL */
/* A line of diagnose.def that means nothing, in words, or NULL: for the tests. */
const char *lad_diagnose_flaw(struct lad_arena *);

/* ---- findings.c: the failures of a run together; pure ------------------------------------------------------- */

/* Of all records of a run that is over: sets their `why`. What one leaves open is closed by what others show or by what
 * passes; failures with the same cause are one finding, of different ones stay apart. */
void lad_findings(struct lad_arena *, struct lad_record *, size_t n);
/* As lad_diagnose, or what the run says. */
bool lad_answer(struct lad_arena *, const struct lad_record *, struct lad_why *);
bool lad_is_casualty(const struct lad_record *); /* went with the device that another case lost: not diagnosed */

/* ---- experiment.c: a failed case once more with one thing changed (experiments.def) -------------------------- */

enum lad_where { LAD_WHERE_HERE, LAD_WHERE_FRESH, LAD_WHERE_HOST, LAD_WHERE_OTHER };
struct lad_change {
    bool none, wait_each, zeros, direct, one_queue, device_memory, coherent, bound_too, scaled, half, copied_end, arguments,
        first_fill;
};
struct lad_experiment {
    const char *name, *words;
    enum lad_where where;
    const char *only, *sizes, *environment;
    enum lad_obs_name cured; /* then: the same, changed */
    struct lad_change change;
};
const struct lad_experiment *lad_experiment_find(const char *name); /* or NULL */
/* The cheapest that was not made, makes sense, is possible, and whose outcomes would lead to different answers, or NULL. */
const struct lad_experiment *lad_experiment_next(const struct lad_record *,
                                                 bool (*possible)(void *, const struct lad_experiment *), void *);
/* Writes down in `record` what the experiment came to: r. */
void lad_experiment_end(struct lad_arena *, struct lad_record *record, const struct lad_experiment *,
                        const struct lad_record *r, uint64_t time_ns);
/* The same of one at several sizes, in the order of its row, of workgroups of `lanes`; `was`: workgroups that ran at the
 * size that failed, -1 where that is not known. sizes.c */
void lad_experiment_sizes(struct lad_arena *, struct lad_record *, const struct lad_experiment *, const struct lad_size *,
                          size_t n, int64_t lanes, int64_t was, uint64_t time_ns);

/* ---- plan.c: cases x devices x filters; known results are joined here ---------------------------------------- */

struct lad_run {          /* all that a report needs; rebuilt from a journal by run_read.c */
    const char *version, *command /* as typed */, *host, *started /* UTC, 2026-11-21T01:14:07 */, *os;
    uint64_t seed, time_ns;
    const char **env;     /* "NAME=value" */
    size_t n_env;
    struct lad_icd *icd;  /* refused ones with their reason */
    size_t n_icds;
    struct lad_device *device;
    size_t n_devices;
    struct lad_record *record; /* device by device in ladder order; planned cases that did not run are LAD_STATUS_MISSING */
    size_t n_records;
    bool complete;        /* the run came to its end */
    const char *cut;      /* why not, or NULL: "interrupted", "killed" ... */
    const char *output;   /* folder of journal and reports, or NULL; not journalled */
};
struct lad_options;
/* Fills everything but the records: machine, drivers, and of the devices those that the options ask for. describe.c */
void lad_run_describe(struct lad_arena *, const struct lad_options *, const struct lad_inventory *, struct lad_run *);
/* Fills run->record with what shall run, in ladder order, status MISSING; skips that are known already (filters of
 * --skips) are set. False after lad_error: unknown names in baseline, caselist, --only ... */
struct lad_record *lad_plan_add(struct lad_arena *, struct lad_run *, const struct lad_case *, const struct lad_device *); /* one that has not run */
bool lad_plan(struct lad_arena *, const struct lad_options *, const struct lad_cases *, struct lad_run *);
/* Sets wanted[i] for the cases that --only, --include, --exclude and --caselist leave (the latter: on any device). False
 * after lad_error: a name or glob that matches no case. */
bool lad_plan_cases(struct lad_arena *, const struct lad_options *, const struct lad_cases *, bool *wanted);

/* ---- child.c: the only fork, exec, kill and wait -------------------------------------------------------------- */

/* A worker process seen from its parent: requests on its stdin, answers (one JSON line each) on its fd 3, what it prints
 * drained beside. Nothing here blocks but lad_child_wait. */
struct lad_child;
enum lad_child_event { LAD_CHILD_QUIET, LAD_CHILD_LINE, LAD_CHILD_ENDED };
struct lad_child_end {
    int exit_code, signal; /* -1 and 0 where they say nothing */
    bool late;             /* its deadline passed, hence TERM and KILL */
    bool abandoned;        /* it did not even die of KILL: nobody waits for it any more */
    bool closed;           /* it closed its record pipe and lived on */
    bool overflowed;       /* it wrote a line without end into its record pipe */
};
/* Runs this executable again as `gpuladder args...`; `env` is "NAME=value" or NULL. NULL after lad_error. */
struct lad_child *lad_child_start(const char *const *args, const char *const *env);
void lad_child_destroy(struct lad_child **); /* kills it where it still runs; takes NULL */
bool lad_child_send(struct lad_child *, json_t *line); /* takes the reference; false: it does not listen any more */
void lad_child_hang_up(struct lad_child *);  /* closes its stdin: it ends by itself */
void lad_child_deadline(struct lad_child *, uint64_t at_ns); /* then TERM, KILL a second later, given up 2 s after; 0: none */
/* Sleeps until a child may have news, a signal came, or until_ns (0: no limit). */
void lad_child_wait(uint64_t until_ns);
/* The next piece of news, without waiting. The line is valid until the next call; an end comes once and last. */
enum lad_child_event lad_child_next(struct lad_child *, const char **line);
const struct lad_child_end *lad_child_end(const struct lad_child *);
const struct lad_flight *lad_child_flight(const struct lad_child *); /* NULL: it has none */
/* What it printed since the last call, the middle left out where it is long; NULL for nothing. Arena NULL: forgets it. */
const char *lad_child_output(struct lad_arena *, struct lad_child *, uint64_t *bytes);
const char *lad_signal_name(int number); /* "SIGSEGV" */
/* From here on SIGINT, SIGTERM and SIGHUP only end lad_child_wait (the second one kills); which came, else 0. */
void lad_catch_signals(void);
int lad_caught_signal(void);

/* ---- flight.c: what a worker was at when it died or hung; flight.h has the memory that it shares with its parent ---- */

struct lad_flight;
/* Calls into a backend, by the names of diagnose.def. */
#define LAD_FLIGHT_CALLS(X)                                                                                             \
    X(NONE, "") X(OPEN, "open") X(CLOSE, "close") X(CREATE, "create") X(FREE, "free") X(WRITE, "write") X(READ, "read")   \
    X(MAP, "map") X(UNMAP, "flush") X(BUILD, "build") X(DISPATCH, "dispatch") X(FILL, "fill") X(COPY, "copy")            \
    X(BARRIER, "barrier") X(SUBMIT, "submit") X(WAIT, "wait") X(FINISH, "finish")
#define LAD_CALL(sym, name) LAD_CALL_##sym,
enum lad_flight_call { LAD_FLIGHT_CALLS(LAD_CALL) LAD_CALL_COUNT };
#undef LAD_CALL
/* In the worker. Without lad_flight_record they write where nobody looks. */
void lad_flight_record(int fd); /* takes the descriptor; from now on fatal signals are written down, too */
void lad_flight_case(void);     /* a case begins */
void lad_flight_opened(void);   /* a device was opened: code that comes later is a kernel's */
void lad_flight_enter(enum lad_flight_call, const char *kernel); /* kernel: NULL where there is none */
bool lad_flight_leave(bool ok); /* returns ok */
void lad_flight_buffer(const char *name); /* which the calls from here on are about; NULL: none */
/* In the parent. */
struct lad_flight *lad_flight_create(int *fd); /* the caller closes fd; NULL, perhaps with an fd, where it cannot be made */
void lad_flight_destroy(struct lad_flight *);
/* Adds to the record of a case that did not come to its end what its worker was at; NULL: not known. */
void lad_flight_tell(struct lad_arena *, const struct lad_flight *, const char *device, struct lad_record *);

/* ---- outcome.c: what a case came to, seen from the parent ----------------------------------------------------- */

/* Takes over what was planned; what a worker says of that is not believed. */
void lad_record_plan(struct lad_record *, const struct lad_record *plan);
/* Compares with what was known before the run: another failure than the known one is not known. */
void lad_record_known(struct lad_arena *, struct lad_record *);
/* The record of a case whose worker ended in it, or wrote `garbage` (else NULL) where a record was expected. */
struct lad_record lad_record_end(struct lad_arena *, const struct lad_child_end *, uint64_t limit_ns, const char *garbage);

/* ---- run.c: the loop over records; worker.c: the other end of the pipes --------------------------------------- */

struct lad_watch {        /* told what happens while it happens; members may be NULL */
    void (*began)(void *arg, const struct lad_run *, const struct lad_record *);
    void (*ended)(void *arg, const struct lad_run *, const struct lad_record *);
    void (*waiting)(void *arg, const struct lad_run *, const struct lad_record *, uint64_t for_ns); /* every 30 s */
    void *arg;
};
/* Runs what is planned, journalling each record to options->output/journal.jsonl. False after lad_error when the
 * harness itself failed (exit 99). */
bool lad_run_all(struct lad_arena *, const struct lad_options *, const struct lad_cases *, struct lad_run *,
                 const struct lad_watch *);
/* journal.c: DIR/journal.jsonl, one write(2) a line: {"run": ...}, {"record": ...} for each that ended, {"end": ...}.
 * Appending takes the reference to the line and returns false with errno set, having said nothing. */
bool lad_journal_append(int fd, json_t *line);
bool lad_journal_start(int fd, const struct lad_run *);               /* after lad_plan */
bool lad_journal_record(int fd, const struct lad_record *);
bool lad_journal_end(int fd, const struct lad_run *);                 /* its time_ns, complete and cut */
/* Rebuilds a run, whatever end its journal came to: records in plan order, those without a line as MISSING. False after
 * lad_error when there is no journal or its first line is no run. */
bool lad_journal_read(struct lad_arena *, const char *dir, struct lad_run *);
int lad_worker_main(int argc, char **argv); /* `gpuladder __worker ...`, never typed by a user */

/* ---- publish.c: a finished run to files and an exit status ---------------------------------------------------- */

/* Every default report into run->output, and those that the options name. False after lad_error; tries them all. */
bool lad_publish(struct lad_arena *, const struct lad_options *, const struct lad_run *);
/* What a run came to as an exit status; says which --require is not met. `caught`: the signal that cut it, or 0. */
int lad_exit_status(const struct lad_options *, const struct lad_run *, int caught);
bool lad_colour(const struct lad_options *, FILE *); /* --color, NO_COLOR, FORCE_COLOR, terminal, in this order */
/* Where text for people goes: stderr when a report goes to stdout. */
FILE *lad_text_stream(const struct lad_options *);

/* ---- probes/ (registry made by the Makefile) ---------------------------------------------------------------- */

struct lad_probe {
    const char *name, *summary;
    /* Runs the case on the open device and fills the record's "got" part; objects may be left to lad_gpu_close only
     * after a timeout or loss. */
    void (*run)(struct lad_gpu *, const struct lad_case *, struct lad_arena *, struct lad_record *);
};
extern const struct lad_probe *const lad_probes[]; /* ends in NULL */
const struct lad_probe *lad_probe_find(const char *name);

/* ---- data.c: what is put into buffers ------------------------------------------------------------------------ */

enum lad_canary { LAD_CANARY_DEVICE, LAD_CANARY_HOST, LAD_CANARY_INPUT };
uint32_t lad_canary_word(enum lad_canary, uint64_t word); /* never zero, differs by kind and by place */
void lad_canary_fill(enum lad_canary, void *, size_t bytes, uint64_t first_word); /* first_word: place of the first byte */
/* Elements of a buffer by a case's fill; the seed is the record's, and each buffer draws its own numbers. */
bool lad_fill_data(void *, uint64_t n, const struct lad_case_buf *, const char *fill, size_t buf_index, uint64_t seed,
                   const struct lad_scope *);
uint64_t lad_bits(const void *data, enum lad_type, uint64_t i); /* raw bits of element i */

/* ---- compare.c: expected against actual, in words ------------------------------------------------------------ */

struct lad_oracle;
struct lad_oracle_in;
struct lad_data;
/* Distance in units in the last place; infinity when only one is a NaN. */
double lad_ulps(enum lad_type, uint64_t a, uint64_t b);
/* Fills seen; with->data[k].after is what was read. Returns the number of wrong elements. */
uint64_t lad_compare(struct lad_arena *, const struct lad_oracle *, const struct lad_oracle_in *, const struct lad_data *out,
                     double ulp, struct lad_seen *);

bool lad_same(const struct lad_oracle_in *, enum lad_type, uint64_t expected, uint64_t actual, double ulp);
/* '.' never; '0' zero, 'P' canary kept, 'H' host canary, 'N' NaN or infinity, 'x' other. */
uint64_t lad_host_bits(enum lad_type, uint64_t i); /* element i of the host's own mark */
char lad_kind_of(const struct lad_data *out, uint64_t i, uint64_t actual);

/* ---- witness.c: what every dispatch says about itself -------------------------------------------------------- */

struct lad_ran {          /* one dispatch as it was asked for */
    const struct lad_kernel_desc *desc;
    uint32_t groups[3], base[3], nonce, times; /* times: how often it was repeated */
    const void *scalars;
};
/* Words of slot k as planted. */
#define LAD_W_START 0x57000000u /* counters do not start at zero, so that a cleared witness is seen */
void lad_witness_plant(uint32_t *words, size_t n_slots);
/* No fault runs a dispatch a million times over: then the counter began elsewhere. */
bool lad_witness_counts(uint32_t count, uint32_t wanted);
/* Adds facts; true when the witness says what was asked for. */
bool lad_witness_check(struct lad_arena *, const uint32_t *words, size_t slot, const struct lad_ran *, struct lad_record *);

/* ---- measure.c: figures, and whether they can be true --------------------------------------------------------- */

/* Median time of one of `repeat` equal commands that `run` records, waits for and leaves in gpu->times, over five runs. */
bool lad_measure(struct lad_gpu *, struct lad_arena *, const struct lad_measure_want *, double work, double floor,
                 bool (*run)(void *, uint32_t repeat), void *, struct lad_measure *);

/* ---- oracle.c: what must come out, computed apart from the kernels ------------------------------------------- */

struct lad_data {         /* host copy of a buffer */
    const struct lad_case_buf *buf;
    uint64_t n;
    void *before;         /* as planted or uploaded */
    void *written;        /* by the last <write> step, or NULL */
    void *after;          /* as read back; NULL before that */
};
struct lad_oracle_in {
    const struct lad_data *data;
    size_t n_data;
    const struct lad_scope *scope;
    const char *with;
    const struct lad_gpu *gpu;
};
struct lad_oracle {
    const char *name, *summary;
    /* Raw bits of element i of buffer `out`. May be called for any subset of i in ascending order. */
    uint64_t (*at)(const struct lad_oracle_in *, const struct lad_data *out, uint64_t i);
};
const struct lad_oracle *lad_oracle_find(const char *name);
uint64_t lad_keep(const struct lad_data *, uint64_t i); /* element i as it was before the run: what is not to be written */
/* Is text good for the oracle "expr" in this case? Says what and where when not. */
bool lad_oracle_expr_check(const char *text, const struct lad_case *, char *why, size_t why_bytes);

/* ---- options.c: one table for parser, help, manual page and completion --------------------------------------- */

#define LAD_DEFAULT_OUTPUT "test-results" /* default of --output */
struct lad_options {
    const char *verb;
    const char **args;            /* what is not an option, NULL at the end */
    const char **device, **only, **include, **exclude, **cases, **baseline, **skips, **flakes, **require, **inject, **classes; /* NULL-terminated, never NULL */
    const char *caselist, *output, *junit, *json, *flavor, *color, *plugin, *github_summary, *markdown;
    int shard, shards;            /* 1-based; 0: all */
    uint32_t timeout_s, jobs, retries, experiments_s;
    bool seed_given, keep_going, fail_fast, dry_run, no_fork, no_builtin, man, completion, validate;
    uint64_t seed;
    enum lad_drop drop;
    const char *command_line;     /* as typed, for reports */
    const char *binding, *slice, *vcd, *log, *state; /* vm */
    uint32_t count, clean, pairs; /* clean, pairs: exam */
    bool trace, unchecked, quick;
};
/* The --inject options in one text, parted by ';', or NULL. faults.c */
const char *lad_faults_text(struct lad_arena *, const struct lad_options *);
/* Checks them, and puts the layers that they live in into the environment of the workers. False after lad_error. */
bool lad_faults_prepare(struct lad_arena *, const struct lad_options *);
/* The environment that puts the layer of "vk" or "cl" into a worker: "NAME=value" ..., NULL at the end; faults as in
 * GPULADDER_FAULT. NULL after lad_error where the layers are not there. */
#define LAD_TYPE_NO_LAYER "ladder.skip.layer" /* the loader took none: the fault was not made */
const char **lad_layer_env(struct lad_arena *, const char *api, const char *faults);
void lad_faults_list(void); /* every fault there is */
uint32_t lad_start_ms(const struct lad_options *); /* how long a driver may take to load and list its devices */
/* The cases that the options ask for, the built-in ones first (ladder.c). False after lad_error. */
bool lad_cases_load(struct lad_arena *, const struct lad_options *, struct lad_cases *);
/* Parses; on bad usage says so and returns false with *status 2; for help and version prints and returns false with 0. */
bool lad_options_parse(struct lad_arena *, int argc, char **argv, struct lad_options *, int *status);
struct lad_option {      /* a row of options.def as help, manual page and completion see it */
    char letter;         /* 0: none */
    const char *name, *arg /* or NULL */, *verbs /* blank-separated, "": all */, *help;
};
extern const struct lad_option lad_option_rows[]; /* ends in a NULL name */
bool lad_option_of(const struct lad_option *, const char *verb, const char *part /* of the verb; NULL: any */);
bool lad_has_word(const char *words, const char *word); /* words are parted by ' ' or '|' */
/* The nearer of best (or NULL) and candidate where the latter is near enough for "did you mean". */
const char *lad_nearest(const char *word, const char *best, const char *candidate);

/* ---- cmd_*.c (registry made by the Makefile): one file per verb ---------------------------------------------- */

struct lad_command {
    const char *name, *summary, *usage; /* summary NULL: hidden; usage: arguments, e.g. "[RUNG|CASE...]", "" for none */
    int (*run)(struct lad_arena *, const struct lad_options *); /* exit status */
    const char *more; /* paragraphs for help and manual page, or NULL */
};
extern const struct lad_command *const lad_commands[];
const struct lad_command *lad_command_find(const char *name); /* options.c */

/* manual.c, completion.c: texts made from the option table; verb NULL is the overview */
void lad_help(FILE *, const char *verb);
void lad_manual(FILE *);
void lad_wrap(FILE *, const char *text, int from, int indent); /* words from column `from`, later lines indented, below 80 columns */
void lad_completion(FILE *);

enum lad_exit { LAD_EXIT_OK = 0, LAD_EXIT_FAILED = 1, LAD_EXIT_USAGE = 2, LAD_EXIT_NOTHING = 77, LAD_EXIT_HARNESS = 99 };

#endif
