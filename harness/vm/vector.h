/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conformance vectors: a program, how it is run, and what must come out. Those of cases/vm are written by hand, those
 * of operators are made (vector_expr.c). Every implementation runs the same ones in every way it has.
 *
 * A file holds vectors one behind the other: a line "== NAME [KEY=VALUE ...]", assembly text, from "-- log" on what the
 * program must print (~ is an empty line, \\0 a NUL byte), from "-- others" what instances but the first print where
 * that is something else, and from "-- state" on lines that say what must hold at the end:
 * - status finished (assumed where nothing is said), time 27
 * - error IP_RANGE 0 3: process and ip, or none none
 * - a = 8'h1x, m[2] = 4'd3: signals
 * - p1 = blocked edge: state and wait of a process
 * - cond 0 1 = x: what process 0 last made of condition 1
 * - sp 0 = 1, frame 0 0 = 5, nba = 2, dnba = 1, launches = 3, tail = 5, instructions = 7 (of the last time step)
 */
#ifndef LAD_VM_VECTOR_H
#define LAD_VM_VECTOR_H

#include "vm.h"

struct lad_vm_vector {
    const char *name, *file, *text;
    const char *log, *others; /* what instance 0 prints, and the others; NULL: not looked at, the same as instance 0 */
    int line;
    const char **check;
    size_t n_checks;
    uint32_t n; /* vectors of the specification's count that it stands for */
    /* KEY=VALUE; 0 and NULL are what is usual */
    bool unchecked;                       /* loaded without the checks that foretell run-time errors */
    bool vary;                            /* initial values differ by instance; what is expected holds for the first */
    bool one_slice;                       /* slice=STEPS,PROC,SERVICES: only this one */
    uint32_t steps, proc_steps, capacity; /* capacity alone: at least so many records */
    uint32_t count;                       /* instances, where the vector is about so many */
    uint32_t most_launches;               /* then it need not be over */
    uint32_t resume;                      /* the host lets a stopped instance go on so many times */
    uint32_t halt_launch, halt_mode;      /* halt=LAUNCH:MODE, written before that launch; LAUNCH counts from 1 */
    uint32_t ring;                        /* both ring counters after an empty first launch */
    uint32_t after;                       /* launches when it is over; they must change nothing */
    uint32_t slices;                      /* how many of the slicings it runs in; 0: three */
    const char *answer;                   /* the number that each waiting process gets */
    bool hold;                            /* the host answers every other instance a launch late */
    const char *reject;                   /* the loader must refuse it, and say this */
    const char *plusarg;
};
struct lad_vm_vectors {
    struct lad_vm_vector *item;
    size_t n;
};
/* ---- vector.c: reading. False after lad_error with file:line ---- */

bool lad_vm_vectors_written(struct lad_arena *, struct lad_vm_vectors *); /* those of cases/vm, by file and name */
bool lad_vm_vectors_all(struct lad_arena *, struct lad_vm_vectors *);     /* they, and all that are made */

/* ---- vector_run.c: running ---- */

enum { LAD_VM_WAYS = 144 };
struct lad_vm_way { /* one of the ways to run a vector */
    enum lad_vm_binding binding;
    bool shared;
    uint32_t count, steps, proc_steps, capacity;
};
/* The ways that a level asks for: bindings x placements x counts 1 and 33 x slicings. Returns their number. */
size_t lad_vm_ways(const struct lad_vm_vector *, struct lad_vm_way way[LAD_VM_WAYS]);
void lad_vm_way_text(const struct lad_vm_way *, char *text, size_t bytes);

/* Assembles a vector's program, which is all there is to do for one that must be refused. False with the reason. */
bool lad_vm_vector_load(struct lad_arena *, const struct lad_vm_vector *, struct lad_vm_program *, struct lad_vm_why *);
struct lad_vm_job {
    const struct lad_vm_vector *vector;
    const struct lad_vm_program *program;
    struct lad_vm_way way;
    enum lad_vm_fate fate; /* FAILED: it did not come out as it must; UNFIT: the device cannot run it that way */
    uint64_t launches;
    struct lad_vm_why why; /* the first thing that is wrong */
};
/* All of them side by side: in the reference, and with a device (gpu and in may be NULL) beside it, compared after
 * every launch. */
void lad_vm_vectors_run(struct lad_vm_job *, size_t n, struct lad_gpu *, struct lad_vm_inbox *in);

/* ---- vector_check.c: what must hold at the end ---- */

bool lad_vm_vector_check(const struct lad_vm_vector *, const struct lad_vm_host *, uint64_t launches,
                         struct lad_vm_why *);

/* ---- vector_expr.c: vectors of operators, many to a program ---- */

void lad_vm_vectors_operators(struct lad_arena *, struct lad_vm_vectors *); /* un2, bin2, shift, div, pow, ext; tt.* */

/* ---- bits.c: operators once more, digit by digit, as an oracle ---- */

struct lad_vm_bits { /* '0', '1', 'x' or 'z', the lowest first */
    uint32_t width;
    char bit[64];
};
struct lad_vm_bits lad_vm_bits(uint64_t val, uint64_t xz, uint32_t width);
void lad_vm_bits_planes(const struct lad_vm_bits *, uint64_t *val, uint64_t *xz);
struct lad_vm_bits lad_vm_bits_unary(uint32_t sub, bool is_signed, struct lad_vm_bits, uint32_t width);
struct lad_vm_bits lad_vm_bits_binary(uint32_t sub, bool is_signed, bool rhs_signed, struct lad_vm_bits,
                                      struct lad_vm_bits, uint32_t width);

/* ---- vector_fuzz.c: random operations with a Verilog simulator's results ---- */

enum { LAD_VM_FUZZES = 4000, LAD_VM_FUZZ_SEED = 0x4ADF }; /* other ones need another cases/vm/data.fuzz */
struct lad_vm_fuzz {
    bool is_unary, is_signed;
    uint32_t sub, width;
    struct lad_vm_bits l, r;
};
void lad_vm_vectors_fuzz(struct lad_arena *, struct lad_vm_vectors *);
void lad_vm_fuzz_draw(uint64_t *seed, struct lad_vm_fuzz *);
void lad_vm_fuzz_verilog(FILE *, const struct lad_vm_fuzz *, unsigned n); /* prints its result at time n + 1 */
struct lad_vm_bits lad_vm_fuzz_result(const struct lad_vm_fuzz *);        /* by bits.c */
const char *lad_vm_fuzz_results(void);                                    /* the kept ones, a line each */

#endif
