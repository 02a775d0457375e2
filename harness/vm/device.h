/* SPDX-License-Identifier: Apache-2.0 */
/* What device.c (one image) and device_batch.c (several in one go) share. */
#ifndef LAD_VM_DEVICE_H
#define LAD_VM_DEVICE_H

#include "vm.h"

enum {
    FUEL = 1 << 18,   /* rounds of a dispatch: long enough to be worth it, short enough for any watchdog */
    SAVED_WORDS = 52, /* as in kernels/vm.h */
    STACK_WORDS = 155,
    COUNTERS_AT = 48, /* instructions, then activations, two words each */
    PROBE_WORDS = 3 * VM_TABLES + 256,
    PROBE_ITEMS = 4096,
    PROBE_MARK = 0x6D610000,
    REDZONE = 64, /* behind every buffer: what goes up is never all of it */
    COMPANIONS = 7,
    PARTS = 10,
};
enum { C_PARAMS, C_STATICS, C_ARENA, C_STATE, C_SHADOW, C_RING, C_DEBUG };

struct lad_vm_part { /* memory that both sides write */
    struct lad_buf *buf;
    uint64_t at, bytes;
    void *host, *mirror; /* mirror: what the device holds when nothing runs */
};

struct lad_vm_device {
    struct lad_gpu *gpu;
    struct lad_vm_image *image;
    struct lad_vm_device_want want;
    struct lad_buf *table[VM_TABLES]; /* not when packed */
    struct lad_buf *first[2];         /* the table of addresses; or the arena and its offsets */
    struct lad_buf *companion[COMPANIONS], *seen;
    struct lad_vm_part part[PARTS];
    int n_parts;
    bool uploaded, quiet;        /* quiet: since the last launch the host has had nothing to change */
    bool through;                /* with the launch in hand */
    uint32_t params[VM_P_WORDS]; /* as the device has them */
    uint64_t work_at;            /* bytes into the arena's buffer */
    uint32_t *unfinished;        /* a word per instance */
    struct lad_kernel *kernel;
    uint32_t first_ops[256];
    struct lad_vm_device_figures figures;
};

/* What the host has changed goes up: parameters, and of each part the range that it has touched. */
bool lad_vm_device_push(struct lad_vm_device *);
/* Hands over a dispatch of the kernel, without a barrier behind it; resume: the launch goes on. Those of different
 * turns may run at the same time where the device can. */
bool lad_vm_device_record(struct lad_vm_device *, bool resume, size_t turn);
bool lad_vm_device_late(struct lad_gpu *); /* is the deadline over? Then gpu->fail says so */

#endif
