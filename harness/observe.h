/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that turn what was read back after a failure into observations. */
#ifndef LAD_OBSERVE_H
#define LAD_OBSERVE_H

#include "point.h"

struct lad_scan {
    const struct lad_expect *e;
    const struct lad_oracle *oracle;
    const struct lad_data *d;
    const char *name;
    enum lad_type type, as; /* as: what its words mean: kernels about floats may get them as uint */
    uint64_t *expected;     /* raw bits of every element */
    char *kind;             /* '.' right, ',' right as it was not to be written, else as lad_kind_of */
    void *marks;            /* what stood in the buffer before the upload; NULL for outputs */
    uint64_t n, wrong, of[128], first, last;
    uint64_t right, right_before, right_after; /* right elements: all, ahead of the first wrong one, behind the last */
    bool contiguous;                           /* no right one among the wrong ones */
    uint64_t stray;                            /* written though they were not to be */
    uint64_t lanes;                            /* of a workgroup of the case's first dispatch */
};

void lad_see(struct lad_point *, enum lad_obs_name, const char *on, int64_t value);

/* observe_pattern.c */
bool lad_is_wrong(const struct lad_scan *, uint64_t i);
uint64_t lad_scan_actual(const struct lad_scan *, uint64_t i); /* raw bits of element i as it was read */
double lad_scan_number(const struct lad_scan *, uint64_t bits);
double lad_number(enum lad_type, uint64_t bits);
uint64_t lad_turn_bytes(uint64_t bits, uint32_t bytes);
void lad_observe_place(struct lad_point *, const struct lad_scan *);  /* where the wrong elements lie */
void lad_observe_values(struct lad_point *, const struct lad_scan *); /* what is there instead */

/* observe_buffer.c */
void lad_observe_output(struct lad_point *, const struct lad_expect *, const struct lad_seen *);
bool lad_observe_input(struct lad_point *, size_t buffer); /* false: it is not what was uploaded */

/* observe_missing.c */
void lad_observe_missing(struct lad_point *, size_t dispatch, const char *on); /* its witness is as it was planted */
int lad_witness_guest(const struct lad_point *, size_t slot); /* the dispatch that stands in this one's slot, or -1 */
bool lad_made_results(const struct lad_point *, size_t dispatch); /* that nothing else can have made */
/* A workgroup that did not run between two in its row that did, + 1. */
uint64_t lad_find_hole(const struct lad_point *, size_t dispatch, const struct lad_ran *);
/* Workgroups that are not in its bitmap. */
uint64_t lad_count_missing(const struct lad_point *, size_t dispatch, const struct lad_ran *);
bool lad_count_lies(const struct lad_point *, size_t dispatch, const struct lad_ran *);

/* observe_witness.c: a slot that nothing ran in beside one that ran twice */
void lad_observe_exchange(struct lad_point *);

#endif
