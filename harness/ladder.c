/* SPDX-License-Identifier: Apache-2.0 */
/* The rungs and the root causes, from their tables. */
#include "harness.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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

#define REMEDY(id, what, vulkan, opencl, reports) {id, what, vulkan, opencl, reports},
const struct lad_remedy lad_remedies[] = {
#include "remedies.def"
};
_Static_assert(LAD_N(lad_remedies) == LAD_N(lad_classes), "one for each class");

_Static_assert(LAD_N(lad_rungs) <= 32, "lad_rung.on is a set of 32 bits");
_Static_assert(LAD_N(lad_classes) == 46, "45 root causes, and O1 for a test that cannot fail");

const struct lad_rung *lad_rung_find(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    for (int i = 0; i < lad_n_rungs; i++)
        if (isdigit((unsigned char)*text) && !*end ? number == lad_rungs[i].number : !strcmp(text, lad_rungs[i].name))
            return &lad_rungs[i];
    return NULL;
}

bool lad_cases_load(struct lad_arena *arena, const struct lad_options *options, struct lad_cases *cases)
{
    *cases = (struct lad_cases){0};
    if (!options->no_builtin && !lad_case_builtin(arena, cases))
        return false;
    for (const char **path = options->cases; *path; path++)
        if (!lad_case_load(arena, *path, cases))
            return false;
    return true;
}
