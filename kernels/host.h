/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel's body compiled as C sees of its invocation. One thread runs all invocations: backends/host.c sets
 * lad_item before each, and switches to the next invocation of the workgroup inside lad_host_barrier(). */
#ifndef LAD_KERNELS_HOST_H
#define LAD_KERNELS_HOST_H

#include <stdint.h>

#define LAD_HOST_DYNAMIC_BYTES 65536u /* room for the dynamic local array */

struct lad_item {
    uint32_t gid[3], lid[3], grp[3], lsz[3], ngrp[3];
    uint32_t constant[2], witness, dynamic_items;
};
extern struct lad_item lad_item;
void lad_host_barrier(void);

#endif
