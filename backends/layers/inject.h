/* SPDX-License-Identifier: Apache-2.0 */
/* Faults made on purpose: which there are (faults.def), how one is asked for, and when it strikes. Shared by the
 * decorator, which is part of the program, and by the two layers, which are not: libc only. */
#ifndef LAD_INJECT_H
#define LAD_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lad_depth { LAD_DEPTH_DECORATOR, LAD_DEPTH_VULKAN, LAD_DEPTH_OPENCL };

#define FAULT(depth, id, name, call, effect, params, what) LAD_FAULT_##id##_##name,
enum lad_fault_id {
#include "faults.def"
    LAD_FAULT_COUNT
};
#undef FAULT

struct lad_fault { /* a row of faults.def */
    enum lad_depth depth;
    const char *id;     /* of the cause */
    const char *name;   /* "no_upload"; lad_fault_name gives the address, "U1.no-upload" */
    const char *call;   /* the entry point it cuts */
    const char *effect; /* "real", or "emulated" where a driver that works in order would not show it */
    const char *params; /* its own, with defaults: "keep=4096 part=1" */
    const char *what;
};
extern const struct lad_fault lad_faults[LAD_FAULT_COUNT];
const char *lad_fault_name(enum lad_fault_id, char *text, size_t bytes);
const char *lad_depth_name(enum lad_depth);
extern const char lad_fault_params[]; /* those that every fault takes, with defaults */

struct lad_param {
    char name[12];
    uint64_t value;
};
struct lad_inject { /* one fault as it was asked for, and what came of it so far */
    enum lad_fault_id id;
    struct lad_param param[24];
    size_t n_params;
    uint64_t calls, hits; /* calls that it could have struck, and those that it did strike */
};
enum { LAD_MOST_FAULTS = 16 };
struct lad_injection {
    struct lad_inject item[LAD_MOST_FAULTS];
    size_t n;
};

/* Adds what "CLASS.name[:key=value,...]" asks for. False with the reason in why. */
bool lad_inject_add(struct lad_injection *, const char *spec, char *why, size_t why_bytes);
/* The same for several, parted by ';'. */
bool lad_inject_add_all(struct lad_injection *, const char *specs, char *why, size_t why_bytes);
void lad_inject_reset(struct lad_injection *);                         /* counts from the start */
uint64_t lad_inject_get(const struct lad_inject *, const char *param); /* 0 for one that the fault does not have */
bool lad_inject_on(const struct lad_injection *, enum lad_fault_id);

struct lad_at {      /* a call, as far as a fault may care */
    uint64_t size;   /* bytes, or workgroups in x */
    uint64_t buffer; /* the how-manieth buffer of this device, from 1; 0: none, or several */
    uint64_t after;  /* dispatches before it */
    bool part;       /* covers a part of the buffer only */
};
/* The one decision: the fault of that name that strikes this call, or NULL. Counts calls, and nothing else. */
struct lad_inject *lad_inject_step(struct lad_injection *, enum lad_fault_id, struct lad_at);
uint64_t lad_inject_hits(const struct lad_injection *);
uint64_t lad_inject_struck(void); /* hits of all sets, since the process began */
#define LAD_LAYER_STRUCK "gpuladder_faults_struck" /* the same of a layer that is loaded: uint64_t (*)(void) */

#endif
