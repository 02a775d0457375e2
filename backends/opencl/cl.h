/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private header of the OpenCL backend. loader.c finds the library, caps.c describes a device, device.c opens it,
 * memory.c, program.c (with cache.c) and dispatch.c hold the objects; dispatch.c ends in the backend's literal.
 */
#ifndef LAD_CL_H
#define LAD_CL_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "../../harness/harness.h"
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <pthread.h>

/* ---- loader.c ------------------------------------------------------------------------------------------------ */

struct lad_cl_fns {
#define NEED(name) __typeof__(cl##name) *name;
#define MAY(name) __typeof__(cl##name) *name;
#include "fns.def"
#undef NEED
#undef MAY
};
extern struct lad_cl_fns lad_cl; /* filled by lad_cl_load */
bool lad_cl_load(struct lad_fail *);
const char *lad_cl_code(cl_int); /* "CL_OUT_OF_RESOURCES"; never NULL */
/* Fills the failure and returns false. `format`, which may be NULL, adds the text. */
bool lad_cl_fail(struct lad_fail *, const char *call, cl_int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for what the device does not offer. */
bool lad_cl_refuse(struct lad_fail *, const char *call, const char *text);

/* ---- caps.c -------------------------------------------------------------------------------------------------- */

struct lad_cl_device {
    cl_platform_id platform;
    cl_device_id id;
    uint32_t version;   /* 12, 30 ...: of the device */
    uint32_t c_version; /* the newest OpenCL C that it compiles */
    cl_device_svm_capabilities svm; /* 0 also where an entry point is missing */
    struct lad_dev_info info;
    char *identity;     /* platform, device and driver with their versions: what a program binary depends on */
};
/* Fills all but platform and id; false when the device does not even say its name. */
bool lad_cl_describe(struct lad_cl_device *, uint32_t platform_index, struct lad_fail *);

/* ---- device.c ------------------------------------------------------------------------------------------------ */

enum { LAD_CL_QUEUES = 8, LAD_CL_MESSAGES = 16 };

struct lad_cl_queue {
    cl_command_queue queue; /* in order, with profiling; created when first used */
    cl_event *event;        /* of each command since the last wait */
    size_t n, room;
    cl_event mark;          /* of a marker behind what was submitted, or NULL */
    bool open;              /* commands came after the marker */
    cl_event fence;         /* of the last command before the last barrier, or NULL */
    uint64_t seen;          /* last barrier that this queue's commands were ordered after */
};
struct lad_dev {
    const struct lad_cl_device *device;
    cl_context context;
    struct lad_cl_queue queue[LAD_CL_QUEUES];
    cl_mem nowhere;         /* stands in for an absent witness; created when first used */
    uint64_t barrier;       /* number of the last barrier */
    uint64_t start_ns;      /* host clock at the first command since the last wait */
    cl_event last_dispatch;
    cl_int broken;          /* negative status of a command that was dropped from a queue's list, or 0 */
    struct lad_times times;
    struct lad_kernel *kernels;
    size_t n_unsaved;       /* kernels dispatched that the program cache does not hold yet */
    bool abandoned;         /* a wait gave up: work may be in flight, nothing may be released */
    pthread_mutex_t lock;   /* of the messages: drivers call from any thread */
    char message[LAD_CL_MESSAGES][512];
    size_t n_messages, n_told;
    char told[512];
};
/* Lists the devices of all platforms; the list lives as long as the process. */
bool lad_cl_enumerate(struct lad_dev_info *, size_t room, size_t *n, struct lad_fail *);
struct lad_dev *lad_cl_open(size_t index, struct lad_fail *);
void lad_cl_close(struct lad_dev *);
cl_command_queue lad_cl_queue(struct lad_dev *, uint32_t index, struct lad_fail *); /* NULL on failure */
void lad_cl_say(struct lad_dev *, const char *text);
const char *lad_cl_message(struct lad_dev *);

/* ---- memory.c ------------------------------------------------------------------------------------------------ */

struct lad_cl_part { /* a range of a buffer as an object of its own; lives as long as the buffer */
    uint64_t offset, bytes;
    cl_mem object;
};
struct lad_buf {
    uint64_t serial; /* never used twice, unlike an address */
    uint64_t bytes;
    enum lad_mem mem;
    bool fine;
    char *svm;       /* NULL: an ordinary buffer */
    cl_mem object;   /* for SVM an alias, made when first needed */
    void *mapped;
    struct lad_cl_part *part;
    size_t n_parts;
};
struct lad_buf *lad_cl_buf_create(struct lad_dev *, const struct lad_buf_desc *, struct lad_fail *);
void lad_cl_buf_destroy(struct lad_dev *, struct lad_buf *);
bool lad_cl_buf_write(struct lad_dev *, struct lad_buf *, uint64_t offset, const void *, size_t, struct lad_fail *);
bool lad_cl_buf_read(struct lad_dev *, struct lad_buf *, uint64_t offset, void *, size_t, struct lad_fail *);
void *lad_cl_map(struct lad_dev *, struct lad_buf *, bool write, struct lad_fail *);
bool lad_cl_unmap(struct lad_dev *, struct lad_buf *, struct lad_fail *);
uint64_t lad_cl_buf_address(struct lad_dev *, struct lad_buf *);
/* The memory object of a buffer or of a range of it (bytes 0: to the end); NULL on failure. */
cl_mem lad_cl_object(struct lad_dev *, struct lad_buf *, struct lad_fail *);
cl_mem lad_cl_range(struct lad_dev *, struct lad_buf *, uint64_t offset, uint64_t bytes, struct lad_fail *);

/* ---- program.c, cache.c -------------------------------------------------------------------------------------- */

struct lad_cl_arg { /* what an argument was last set to; serial 0: not set */
    uint64_t serial, offset, bytes;
    uint64_t pointer; /* set as a pointer to shared virtual memory */
};
struct lad_kernel {
    struct lad_kernel *next;
    struct lad_kernel_desc desc;
    const struct lad_kernel_source *source;
    cl_program program;
    cl_kernel kernel;
    char *key;           /* of the program cache; NULL: not cached */
    char *log;           /* never NULL */
    bool unsaved;        /* built from source and not yet in the cache */
    bool dispatched;
    bool reaches;        /* the kernel object holds pointers announced for an earlier dispatch */
    struct lad_cl_arg *arg; /* buffers, then the witness */
    void *scalars;       /* as last set */
    bool scalars_set;
};
struct lad_kernel *lad_cl_kernel_create(struct lad_dev *, const struct lad_kernel_desc *, struct lad_fail *);
void lad_cl_kernel_destroy(struct lad_dev *, struct lad_kernel *);
bool lad_cl_kernel_renew(struct lad_kernel *, struct lad_fail *); /* a new kernel object, no argument set */
const char *lad_cl_build_log(struct lad_kernel *);
uint64_t lad_cl_kernel_bytes(struct lad_dev *, struct lad_kernel *);
/* After a successful wait: a driver may finish a binary only when the kernel first runs. */
void lad_cl_save_programs(struct lad_dev *);

/* Notes the environment; to be called before the first OpenCL call, for the loader cuts up the variables it reads. */
void lad_cl_cache_begin(void);
/* Key of a program in the cache, or NULL when there shall be none; the caller frees it. */
char *lad_cl_cache_key(const struct lad_cl_device *, const char *source, const char *options);
/* Binary and build log under that key; false: not there, or not whole. The caller frees *binary and *log. */
bool lad_cl_cache_load(const char *key, unsigned char **binary, size_t *bytes, char **log);
/* Failing to save costs time and nothing else, so it is not reported. */
void lad_cl_cache_save(const char *key, const unsigned char *binary, size_t bytes, const char *log);

/* ---- dispatch.c ---------------------------------------------------------------------------------------------- */

/* Releases the event. */
bool lad_cl_read_is_over(struct lad_dev *, cl_event, const char *call, const void *data, size_t bytes,
                         struct lad_fail *);
void lad_cl_be_patient(struct lad_dev *); /* behind every wait: where an experiment asks for it, once more and longer */

extern const struct lad_backend lad_backend_opencl;

#endif
