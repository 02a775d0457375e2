/* SPDX-License-Identifier: Apache-2.0 */
/* Files embedded in the executable, each followed by a NUL: for case.c, exam.c, vm/load.c and vm/vector.c. */
#ifndef LAD_REGISTRY_H
#define LAD_REGISTRY_H

struct lad_embedded {
    const char *name; /* NULL ends a list */
    const unsigned char *start, *end;
};
extern const struct lad_embedded lad_case_files[], lad_case_schema, lad_vm_programs[];
extern const struct lad_embedded lad_vm_vector_files[], lad_vm_data_files[]; /* data: what vectors read */
extern const struct lad_embedded lad_exam_expected, lad_exam_cases; /* exam.c */

#endif
