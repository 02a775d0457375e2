/* SPDX-License-Identifier: Apache-2.0 */
/* Between the diagnosis of one record (diagnose.c) and that of a run (findings.c). */
#ifndef LAD_DIAGNOSE_H
#define LAD_DIAGNOSE_H

#include "harness.h"

struct lad_standing { /* of a class in one record */
    unsigned proofs, pro;
    bool out;    /* ruled out, or nothing speaks for it */
    bool barred; /* ruled out by what was seen */
};
/* One for each class, in the order of lad_classes. False: there is nothing to say of the record. */
bool lad_standings(struct lad_arena *, const struct lad_record *, struct lad_standing *list);
/* As lad_diagnose, but the cause is given, and the runner-up (NULL: none); likely. False: the record rules it out. */
bool lad_diagnose_as(struct lad_arena *, const struct lad_record *, const struct lad_class *cause,
                     const struct lad_class *other, struct lad_why *);

#endif
