/* SPDX-License-Identifier: Apache-2.0 */
/* Between run.c and those who look into one failure: lab.c, validate.c, faults.c (where our layers are). */
#ifndef LAD_LAB_H
#define LAD_LAB_H

#include "harness.h"

#define LAD_VK_LAYER "VK_LAYER_GPULADDER_fault"
#define LAD_CL_LAYER "libgpuladder_fault_cl.so"
const char *lad_layers_find(struct lad_arena *); /* the folder of our layers, or NULL; faults.c */

/* Looks into the failure that the record describes, and adds to it what comes out. NULL: there is nothing to do. */
struct lad_lab *lad_lab_open(struct lad_arena *, const struct lad_options *, const struct lad_run *,
                             const struct lad_device *, const struct lad_case *, struct lad_record *);
bool lad_lab_attend(struct lad_lab *); /* after lad_child_wait; true: all is done */
void lad_lab_close(struct lad_lab **);

/* kernel_log.c: lines of the kernel's log since then (lad_now_ns) that name a graphics driver become messages and an
 * observation of the record. Silent where the log cannot be read. */
void lad_kernel_log(struct lad_arena *, struct lad_record *, uint64_t since_ns);

/* validate.c: --validate. What a worker needs to run a case of this device under validation: the driver (the device's
 * own, or oclgrind) and variables appended to *env; *log: the file that oclgrind writes. NULL: there is no validation
 * for it. */
const struct lad_icd *lad_validate_prepare(struct lad_arena *, const struct lad_device *, const char ***env, size_t *n,
                                           const char **log);
/* Adds what validation said: to the messages, as an observation and as a trial. r: what the case came to under it. */
void lad_validate_end(struct lad_arena *, struct lad_record *, const struct lad_record *r, const char *api,
                      const char *log, uint64_t time_ns);

#endif
