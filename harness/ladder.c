/* SPDX-License-Identifier: Apache-2.0 */
/* The rungs and the root causes, from their tables. */
#include "harness.h"

#define RUNG(number, name, proves, on) {number, name, proves, on},
const struct lad_rung lad_rungs[] = {
#include "rungs.def"
};
const int lad_n_rungs = LAD_N(lad_rungs);

#define CLASS(id, name, looks, apart) {id, name, looks, apart},
const struct lad_class lad_classes[] = {
#include "classes.def"
};
const int lad_n_classes = LAD_N(lad_classes);

_Static_assert(LAD_N(lad_rungs) <= 32, "lad_rung.on is a set of 32 bits");
_Static_assert(LAD_N(lad_classes) == 46, "45 root causes, and O1 for a test that cannot fail");
