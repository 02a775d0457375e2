/* SPDX-License-Identifier: Apache-2.0 */
/* Files embedded in the executable, for case.c. */
#ifndef LAD_REGISTRY_H
#define LAD_REGISTRY_H

struct lad_embedded {
    const char *name; /* NULL ends a list */
    const unsigned char *start, *end;
};
extern const struct lad_embedded lad_case_files[], lad_case_schema;

#endif
