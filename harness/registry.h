/* SPDX-License-Identifier: Apache-2.0 */
/* Files embedded in the executable, each followed by a NUL: for case.c and probes/vm.c. */
#ifndef LAD_REGISTRY_H
#define LAD_REGISTRY_H

struct lad_embedded {
    const char *name; /* NULL ends a list */
    const unsigned char *start, *end;
};
extern const struct lad_embedded lad_case_files[], lad_case_schema, lad_vm_programs[];

#endif
