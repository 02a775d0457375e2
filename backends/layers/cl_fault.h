/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL layer of faults, inside: what its files know of the program above it. cl_layer.c is the loader's way in,
 * cl_queue.c decides when something runs, and the others cut the calls that their names say. */
#ifndef LAD_CL_FAULT_H
#define LAD_CL_FAULT_H
#define CL_TARGET_OPENCL_VERSION 300
#include "inject.h"
#include <CL/cl_layer.h>
#include <pthread.h>

enum { MOST = 256, ARGS = 72 };

struct layer {
    struct lad_injection set;
    bool shadow, reorder, keep, layers_off, early, building;
    bool dead;                      /* nothing runs any more */
    uint64_t n_buffers, n_launches; /* of this context */
    pthread_mutex_t lock;
};
extern struct layer layer;
extern const struct _cl_icd_dispatch *to; /* what lies below */

struct lad_inject *step(enum lad_fault_id, struct lad_at); /* the fault of that name that strikes this call, or NULL */
#define HIT(name, ...) step(LAD_FAULT_##name, (struct lad_at){__VA_ARGS__})
#define PARAM(f, name) lad_inject_get(f, name)

/* cl_queue.c */
struct queue {
    cl_command_queue handle, hidden;
    cl_event gate, late; /* what waits for the gate; late: what waits for the rest */
};
struct waits {
    cl_uint n;
    cl_event list[64];
};
#define WAITS(w) (w).n, (w).n ? (w).list : NULL
struct queue *find_queue(cl_command_queue);
cl_context context_of(cl_command_queue);
cl_event late_gate(struct queue *);
void finish(cl_command_queue);
void go(void);                                                         /* opens every gate */
struct waits gated(cl_command_queue, cl_uint n, const cl_event *list); /* what it was asked to wait for, and the gate */
cl_int mark(cl_command_queue, cl_uint n, const cl_event *list, cl_event *);

/* cl_memory.c */
struct mem {
    cl_mem handle;
    size_t bytes;
    uint64_t number;
    unsigned char *host, *shadow; /* host: the program's own memory, looked at in mappings only */
    bool opaque;                  /* an image, a pipe, a sampler */
};
struct mem *find_mem(cl_mem);
struct lad_at at_mem(cl_mem, size_t bytes);
size_t svm_bytes(const void *); /* of shared virtual memory, from there to its end; 0: it is none */
void *grow(void *array, size_t n, size_t *room, size_t bytes); /* room for one more than n */

/* cl_transfer.c */
void end_uploads(void); /* carries out what was put off */

#define FAST_MATH "#define lad_fast_math\n" /* in front of a source that is to be built so */
char *edit_source(const char *text);        /* cl_source.c: a program's text as faults leave it; for free() */

/* cl_program.c, cl_launch.c */
void forget_programs(void); /* a context begins */
void end_batch(void);       /* what was launched was waited for */

/* Each file's calls, into the table that the loader gets. */
void hook_queues(struct _cl_icd_dispatch *);
void hook_memory(struct _cl_icd_dispatch *);
void hook_transfers(struct _cl_icd_dispatch *);
void hook_programs(struct _cl_icd_dispatch *);
void hook_launches(struct _cl_icd_dispatch *);

#endif
