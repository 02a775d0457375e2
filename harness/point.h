/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a case at one value of its sweep, shared by the files that prepare it (point.c), run its steps (step.c)
 * and judge what came out (judge.c). Functions return false after having set the record's status. */
#ifndef LAD_POINT_H
#define LAD_POINT_H

#include "harness.h"

/* Bytes behind every buffer, canary like the rest. Ahead of it is a zone as long as an offset has to be, which begins
 * with the buffer's tag; only above the rung that proves offsets. */
#define LAD_REDZONE 256u
#define LAD_W_SLACK 16384u /* bytes behind the witnesses */
#define LAD_MARKER 0x3A4B0000u /* plus its number: what the fills around the work write */
#define LAD_TAG 0x7A600000u /* plus the buffer's number */
#define LAD_OFFSET_RUNG 4
#define LAD_MAX_BUFS 72u

struct lad_obj {
    const struct lad_case_buf *buf;
    struct lad_buf *gpu;
    uint64_t bytes, total; /* the payload; with what lies behind it */
    uint64_t front;        /* bytes ahead of the payload: its offset in the buffer */
    void *host;
};
struct lad_extent { /* how far a failed run came: what edges are made of */
    uint64_t bytes, whole, good;  /* of the first wrong buffer: payload, with surroundings, right from its start */
    uint64_t groups, ran;         /* of the first dispatch that ran in part: workgroups in x */
    bool has_bytes, has_groups;
};
struct lad_point {
    struct lad_gpu *gpu;
    const struct lad_case *c;
    struct lad_arena *arena;
    struct lad_record *r;
    struct lad_scope scope;
    struct lad_obj obj[LAD_MAX_BUFS];
    struct lad_data data[LAD_MAX_BUFS];
    size_t n;
    struct lad_buf *witness, *marker;
    uint32_t *words;
    struct lad_ran *ran;
    size_t n_ran, n_dispatches;
    struct lad_ran earlier[8]; /* dispatches of runs before */
    size_t n_earlier;
    struct lad_extent extent;
    struct lad_change change; /* what an experiment does otherwise than the case says */
    const char *resized;      /* the variable that an experiment gives another value, or NULL */
    int64_t size;
    bool timed;          /* witness off, nothing checked */
    bool trial;          /* an experiment: judged, not looked into */
    double longest_ns;   /* of the measured dispatches */
    uint64_t measure_ns; /* spent on figures */
};

/* point.c */
bool lad_point_scope(struct lad_point *, int64_t sweep);   /* the values of the case's variables */
bool lad_point_prepare(struct lad_point *, int64_t sweep); /* scope, needs, buffers planted and uploaded */
void lad_point_free(struct lad_point *);
bool lad_point_skip(struct lad_point *, const char *why);
bool lad_point_need(struct lad_point *, enum lad_cap, uint64_t min);
bool lad_point_api_failed(struct lad_point *, const char *doing);
bool lad_point_value(struct lad_point *, struct lad_expr, int64_t absent, int64_t *value);
bool lad_point_u32(struct lad_point *, struct lad_expr, int64_t absent, uint32_t *value);
uint64_t lad_point_front(const struct lad_point *); /* bytes ahead of the payload of each buffer */
bool lad_point_upload(struct lad_point *, struct lad_obj *, const void *data);
struct lad_obj *lad_point_obj(struct lad_point *, const char *name);
/* Buffers with an address whose names begin with prefix: their addresses and themselves, each where asked for. */
uint32_t lad_point_table(struct lad_point *, const char *prefix, uint64_t *table, struct lad_buf **reach);
void lad_point_scale(struct lad_point *, enum lad_type, void *data, uint64_t n);
void *lad_point_memory(size_t bytes); /* page-aligned; the caller frees */

/* step.c */
bool lad_point_steps(struct lad_point *); /* all steps between markers, then waits */
/* Only the dispatches, each `repeat` times and without witness, then waits; for lad_measure. */
bool lad_point_timed(void *point, uint32_t repeat);

/* observe.c, observe_*.c: what diagnose.c needs to know of a failure */
void lad_observe_case(struct lad_point *);    /* what kind of case it is */
void lad_observe_results(struct lad_point *); /* outputs and inputs, after they were read back */
void lad_observe_witness(struct lad_point *, size_t slot, const struct lad_ran *);
void lad_observe_api(struct lad_point *, const char *doing);

/* edge.c: of a sweep that failed, where it was searched to the end */
void lad_observe_edge(struct lad_point *, struct lad_record *);
/* Of a transfer of which only the beginning came: may its size have been taken modulo a power of two? */
void lad_observe_remainder(struct lad_point *, uint64_t came, uint64_t of);
/* What the extents at a failing size and at a larger one say together. */
void lad_observe_extents(struct lad_point *, const struct lad_extent *small, const struct lad_extent *wide);

/* recheck.c: a failed run's buffers and witness tried once more in other ways; what they held is lost */
void lad_point_recheck(struct lad_point *);
/* Markers and witnesses that were missing, once more: call it after an idle wait, before anything else runs. */
void lad_point_look_late(struct lad_point *);
bool lad_point_copy(struct lad_point *, struct lad_buf *, uint64_t offset, uint64_t bytes, enum lad_mem by, void *to);

/* clock.c: where nothing that the device writes is seen */
bool lad_point_hear_clock(struct lad_point *); /* does its own clock run during a batch? */
void lad_point_write_grid(struct lad_point *); /* does what the host writes arrive? */

/* arguments.c: instead of the case, two kernels that show whether buffers and scalars arrive */
bool lad_point_arguments(struct lad_point *);
void lad_point_first_fill(struct lad_point *); /* ahead of the case: does the first command of a process land? */

/* experiment.c: runs a failed case again, each time with one thing changed, and writes down what came out. `run` runs
 * it at one value into p->r; false: the device takes no more work. */
void lad_experiments(struct lad_point *, struct lad_record *, bool (*run)(struct lad_point *, int64_t));

/* sizes.c: other sizes of a case, for experiments. Fills what there is, or says why there are none; NULL. */
struct lad_sizes {
    const char *name; /* of the variable that is the size; `swept`: the sweep's */
    bool swept;
    int64_t lanes, value[3];
    size_t n;
};
const char *lad_sizes_find(struct lad_point *, const struct lad_experiment *, int64_t sweep, const struct lad_extent *,
                           struct lad_sizes *);

/* judge.c */
void lad_point_judge(struct lad_point *); /* reads everything back and sets the verdict */
/* The device's own sum of n words of a buffer, bound directly, and the same of memory of the host. */
bool lad_point_sum(struct lad_point *, struct lad_buf *, uint64_t offset, uint32_t n, uint32_t *sum);
uint32_t lad_point_sum_words(const void *, uint32_t n);

#endif
