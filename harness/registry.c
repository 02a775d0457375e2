/* SPDX-License-Identifier: Apache-2.0 */
/* The lists that the Makefile writes from what is in the folders. */
#include "registry.h"
#include "../reports/report.h"
#include "embed.h"
#include <string.h>

#define KERNEL(id, name) extern const struct lad_kernel_source lad_kernel_##id;
#include "kernels.def"
#undef KERNEL
#define KERNEL(id, name) &lad_kernel_##id,
const struct lad_kernel_source *const lad_kernels[] = {
#include "kernels.def"
    NULL};

#define PROBE(id, name) extern const struct lad_probe lad_probe_##id;
#include "probes.def"
#undef PROBE
#define PROBE(id, name) &lad_probe_##id,
const struct lad_probe *const lad_probes[] = {
#include "probes.def"
    NULL};

#define BACKEND(id, name) extern const struct lad_backend lad_backend_##id;
#include "backends.def"
#undef BACKEND
#define BACKEND(id, name) &lad_backend_##id,
const struct lad_backend *const lad_backends[] = {
#include "backends.def"
    NULL};

#define REPORT(id, name) extern const struct lad_report lad_report_##id;
#include "reports.def"
#undef REPORT
#define REPORT(id, name) &lad_report_##id,
const struct lad_report *const lad_reports[] = {
#include "reports.def"
    NULL};

#define COMMAND(id, name) extern const struct lad_command lad_command_##id;
#include "commands.def"
#undef COMMAND
#define COMMAND(id, name) &lad_command_##id,
const struct lad_command *const lad_commands[] = {
#include "commands.def"
    NULL};

#define CASES(id, name) LAD_EMBED(cases_##id, "cases/ladder/" name ".xml")
#include "cases.def"
#undef CASES
#define CASES(id, name) {"builtin/" name ".xml", cases_##id, cases_##id##_end},
const struct lad_embedded lad_case_files[] = {
#include "cases.def"
    {NULL}};
#define PROGRAM(id, name) LAD_EMBED(program_##id, "cases/vm/" name ".sva")
#include "programs.def"
#undef PROGRAM
#define PROGRAM(id, name) {name, program_##id, program_##id##_end},
const struct lad_embedded lad_vm_programs[] = {
#include "programs.def"
    {NULL}};
#define VECTORS(id, name) LAD_EMBED(vectors_##id, "cases/vm/" name ".vec")
#include "vectors.def"
#undef VECTORS
#define VECTORS(id, name) {name ".vec", vectors_##id, vectors_##id##_end},
const struct lad_embedded lad_vm_vector_files[] = {
#include "vectors.def"
    {NULL}};
#define DATA(id, name) LAD_EMBED(vm_data_##id, "cases/vm/" name)
#include "vm_data.def"
#undef DATA
#define DATA(id, name) {name, vm_data_##id, vm_data_##id##_end},
const struct lad_embedded lad_vm_data_files[] = {
#include "vm_data.def"
    {NULL}};
LAD_EMBED(exam_expected, "cases/faults/expected.txt")
LAD_EMBED(exam_cases, "cases/faults/clean.xml")
const struct lad_embedded lad_exam_expected = {"cases/faults/expected.txt", exam_expected, exam_expected_end};
const struct lad_embedded lad_exam_cases = {"builtin/clean.xml", exam_cases, exam_cases_end};
LAD_EMBED(case_schema, "cases/case.rng")
const struct lad_embedded lad_case_schema = {"cases/case.rng", case_schema, case_schema_end};

const struct lad_kernel_source *lad_kernel_find(const char *name)
{
    for (const struct lad_kernel_source *const *k = lad_kernels; *k; k++)
        if (!strcmp((*k)->name, name))
            return *k;
    return NULL;
}

const struct lad_probe *lad_probe_find(const char *name)
{
    for (const struct lad_probe *const *p = lad_probes; *p; p++)
        if (!strcmp((*p)->name, name))
            return *p;
    return NULL;
}

const struct lad_backend *lad_backend_find(const char *prefix)
{
    for (const struct lad_backend *const *b = lad_backends; *b; b++)
        if (!strcmp((*b)->prefix, prefix))
            return *b;
    return NULL;
}
