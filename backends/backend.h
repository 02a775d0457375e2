/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the harness and a compute runtime, and the only header a plugin needs.
 *
 * A backend is one `struct lad_backend` literal. The harness opens one device at a time and calls every
 * member from one thread. Commands (dispatch, fill, copy, barrier) are recorded in order; wait() submits what
 * was recorded and returns when it is complete. Plain C types only; sizes and offsets are bytes, times are
 * nanoseconds.
 *
 * Errors: a member returns false (or NULL) after filling `struct lad_fail`; it never prints and never exits.
 * Argument checking is done once by the caller (harness/gpu.c), so a member may rely on it.
 */
#ifndef LAD_BACKEND_H
#define LAD_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LAD_BACKEND_ABI 1u

/* What went wrong in the runtime under test: an observation about the device, not an error of the harness. */
struct lad_fail {
    char call[64];   /* the API call, e.g. "vkQueueSubmit"; empty when nothing failed */
    char code[64];   /* its result by name, e.g. "VK_ERROR_DEVICE_LOST" */
    int64_t native;  /* the same as the API's number */
    char text[1024]; /* more: build log, loader message, the argument that was refused; may be empty */
    bool lost;       /* the device is gone: close it and give the worker up */
    bool timeout;    /* a wait ran into its deadline; work may still be in flight, nothing may be freed */
    bool early;      /* a wait said that work is complete, and the work itself that it is not; by now it is */
    bool unsupported;/* the device says that it cannot do this: a reason to skip, not a failure */
};

/*
 * Capabilities and limits, all plain numbers: 0 means unsupported. X(symbol, name, unit, meaning); cases name
 * them in <needs cap="name">, `gpuladder devices -v` prints them.
 */
#define LAD_CAPS(X)                                                                                         \
    X(STORAGE_BUFFERS, "storage-buffers", "", "buffers one kernel can be given, the witness included")      \
    X(BUFFER_BYTES, "buffer-bytes", "bytes", "largest buffer a kernel can be given")                        \
    X(MEMORY_BYTES, "memory-bytes", "bytes", "memory of the device")                                        \
    X(LOCAL_BYTES, "local-bytes", "bytes", "workgroup-local memory")                                        \
    X(WORKGROUP_SIZE, "workgroup-size", "", "invocations in a workgroup")                                   \
    X(WORKGROUP_X, "workgroup-x", "", "workgroup extent in x")                                              \
    X(WORKGROUP_Y, "workgroup-y", "", "workgroup extent in y")                                              \
    X(WORKGROUP_Z, "workgroup-z", "", "workgroup extent in z")                                              \
    X(GROUPS_X, "groups-x", "", "workgroups in x")                                                          \
    X(GROUPS_Y, "groups-y", "", "workgroups in y")                                                          \
    X(GROUPS_Z, "groups-z", "", "workgroups in z")                                                          \
    X(SCALAR_BYTES, "scalar-bytes", "bytes", "scalar arguments of a kernel (push constants)")               \
    X(OFFSET_ALIGN, "offset-align", "bytes", "alignment of a buffer range's offset")                        \
    X(ATOM_BYTES, "atom-bytes", "bytes", "granularity of flush and invalidate; 1 when coherent")            \
    X(INT64, "int64", "", "64-bit integers in kernels")                                                     \
    X(FP64, "fp64", "", "double precision in kernels")                                                      \
    X(FP16, "fp16", "", "half precision in kernels and buffers")                                            \
    X(INT16, "int16", "", "16-bit integers in kernels and buffers")                                         \
    X(INT8, "int8", "", "8-bit integers in kernels and buffers")                                            \
    X(ATOMIC64, "atomic64", "", "64-bit atomics on buffers")                                                \
    X(SUBGROUP, "subgroup", "lanes", "subgroup size")                                                       \
    X(INDIRECT, "indirect-dispatch", "", "grid read from a buffer")                                         \
    X(BASE_OFFSET, "base-offset", "", "grid that does not start at zero")                                   \
    X(FILL, "fill", "", "fill command")                                                                     \
    X(COPY, "copy", "", "copy command")                                                                     \
    X(MEM_COHERENT, "mem-coherent", "", "mapped memory, coherent")                                          \
    X(MEM_NONCOHERENT, "mem-noncoherent", "", "mapped memory that needs flush and invalidate")              \
    X(MEM_MAPPED, "mem-mapped", "", "device memory that can be mapped and unmapped around a dispatch")      \
    X(MEM_HOST_POINTER, "mem-host-pointer", "", "buffers over memory of the host program")                  \
    X(MEM_SVM_COARSE, "mem-svm-coarse", "", "coarse-grained shared virtual memory")                         \
    X(MEM_SVM_FINE, "mem-svm-fine", "", "fine-grained shared virtual memory")                               \
    X(ADDRESS, "buffer-address", "", "kernels can follow device addresses stored in a buffer")              \
    X(TIMESTAMPS, "timestamps", "", "device timestamps around the recorded commands")                       \
    X(QUEUES, "queues", "", "independent queues")                                                           \
    X(EVENTS, "events", "", "dependencies between commands of different queues")                            \
    X(FLUSH, "flush", "", "submit without waiting, then wait for the whole queue")                          \
    X(DENORMALS, "denormals", "", "fp32 denormals are kept")                                             \
    X(DEVICE_SCOPE, "device-scope", "", "device-scope memory model or atomics")

#define LAD_CAP_ENUM(sym, name, unit, text) LAD_CAP_##sym,
enum lad_cap { LAD_CAPS(LAD_CAP_ENUM) LAD_CAP_COUNT };
#undef LAD_CAP_ENUM

enum lad_dev_type { LAD_DEV_OTHER, LAD_DEV_CPU, LAD_DEV_INTEGRATED, LAD_DEV_DISCRETE, LAD_DEV_SIMULATOR };

struct lad_dev_info {
    char name[256];          /* as the driver says it */
    char vendor[128];
    char driver[256];        /* driver name and version */
    char api[64];            /* e.g. "Vulkan 1.3.230" */
    char model[64];          /* short and stable over driver updates, e.g. "llvmpipe": becomes the slug */
    char uuid[40];           /* hex; empty when the API has none */
    char bus[32];            /* PCI address; empty when unknown */
    enum lad_dev_type type;
    uint32_t platform;       /* index of the platform within this loader entry (OpenCL), else 0 */
    uint64_t cap[LAD_CAP_COUNT];
    const char *why[LAD_CAP_COUNT]; /* static text: why a capability is 0; NULL: "not offered by the device" */
};

enum lad_mem {
    LAD_MEM_DEVICE,       /* the device's own; reached by explicit copy */
    LAD_MEM_COHERENT,     /* mapped once, coherent */
    LAD_MEM_NONCOHERENT,  /* mapped once, needs flush and invalidate (map/unmap do them) */
    LAD_MEM_MAPPED,       /* mapped and unmapped around every host access */
    LAD_MEM_HOST_POINTER, /* the host program's own memory */
    LAD_MEM_SVM_COARSE,
    LAD_MEM_SVM_FINE,
    LAD_MEM_COUNT
};

struct lad_buf_desc {
    uint64_t bytes;    /* > 0 */
    enum lad_mem mem;
    bool address;      /* its address will be stored in another buffer */
    void *host;        /* LAD_MEM_HOST_POINTER: page-aligned memory of `bytes` rounded up to 4096, owned by the caller */
};

struct lad_scalar_decl {
    const char *name;
    const char *type;  /* "uint", "int", "float", "ulong", "double" */
    uint32_t offset;   /* bytes from the start of the argument block, naturally aligned */
    uint32_t bytes;
};

struct lad_buffer_decl {
    const char *name;
    const char *type;  /* element type as the kernel's text spells it */
};

/* A kernel as it is embedded in the program. Immutable. */
struct lad_kernel_source {
    const char *name;
    const char *needs;            /* blank-separated capability names, may be empty */
    uint32_t nonce;               /* CRC-32 of the kernel's text; the kernel echoes it in the witness */
    const unsigned char *spirv;   /* entry point "main"; storage buffers at set 0, witness at set 1 binding 0 */
    size_t spirv_bytes;
    const char *opencl;           /* NUL-terminated; entry point "lad_main" */
    void (*host)(void *const *bufs, const void *scalars); /* one invocation, kernels/host.h; the witness is bufs[n_bufs]; NULL: not on the host */
    bool host_barriers;           /* the body has workgroup barriers */
    const struct lad_buffer_decl *bufs;
    uint32_t n_bufs;
    const struct lad_scalar_decl *scalars; /* the last two are always lad_slot and lad_nonce (kernels/witness.h) */
    uint32_t n_scalars;
    uint32_t scalar_bytes;
    uint32_t n_dynamic;           /* 0 or 1 workgroup-local arrays whose length is given at dispatch */
    uint32_t dynamic_bytes;       /* bytes of one element of it */
};

struct lad_kernel_desc {
    const struct lad_kernel_source *source;
    uint32_t local[3];        /* workgroup size, each > 0 */
    uint32_t witness;         /* 0: the witness code is compiled out (for timing) */
    uint32_t dynamic_items;   /* length of the dynamic local array, 0 when there is none */
    uint32_t constant[2];     /* LAD_CONST0, LAD_CONST1: specialisation constants or -D */
};

/*
 * How a description reaches the kernel. SPIR-V: specialisation constants, ids 0 to 2 local size, 3 witness, 4 dynamic
 * items, 5 and 6 constants; scalars are push constants. OpenCL: -DLAD_LX= -DLAD_LY= -DLAD_LZ= -DLAD_WITNESS=
 * -DLAD_CONST0= -DLAD_CONST1= -DLAD_DYNAMIC_ITEMS=, each as a plain unsigned number; arguments in the order buffers, scalars, witness,
 * then the dynamic local array where there is one.
 */

struct lad_bind {
    struct lad_buf *buf;
    uint64_t offset;          /* multiple of offset-align */
    uint64_t bytes;           /* 0: to the end */
};

struct lad_dispatch {
    struct lad_kernel *kernel;
    uint32_t groups[3];       /* workgroups; may be 0 */
    uint32_t base[3];         /* first workgroup (not invocation); all 0 unless base-offset is supported */
    const struct lad_bind *binds;  /* one per buffer of the kernel, in its order */
    struct lad_buf *witness;  /* NULL: the kernel was made without one */
    const void *scalars;      /* source->scalar_bytes bytes */
    struct lad_buf *indirect; /* NULL, or three uint32 group counts at indirect_offset */
    uint64_t indirect_offset;
    struct lad_buf *const *reach; /* buffers that the kernel reaches through addresses */
    uint32_t n_reach;
    uint32_t queue;           /* 0 .. queues - 1 */
};

/* Of what the last wait() completed. Zero where unknown: a backend may record device timestamps only in what follows a
 * wait whose times were asked for. */
struct lad_times {
    uint64_t device_ns;       /* first to last recorded command by the device's clock */
    uint64_t host_ns;         /* submit to completion by the host's monotonic clock */
    uint64_t raw[4];          /* the API's own stamps: OpenCL queued, submit, start, end; Vulkan first, last */
    uint32_t n_raw;
};

struct lad_dev;
struct lad_buf;
struct lad_kernel;

struct lad_backend {
    uint32_t abi;             /* LAD_BACKEND_ABI */
    const char *name;         /* "vulkan" */
    const char *prefix;       /* of device specs, "vk" */

    /* Lists the devices; *n is set even when it exceeds room. No device is not a failure. Called once, before open. */
    bool (*enumerate)(struct lad_dev_info *info, size_t room, size_t *n, struct lad_fail *);
    struct lad_dev *(*open)(size_t index, struct lad_fail *);
    void (*close)(struct lad_dev *);                                   /* takes NULL */

    struct lad_buf *(*buf_create)(struct lad_dev *, const struct lad_buf_desc *, struct lad_fail *);
    void (*buf_destroy)(struct lad_dev *, struct lad_buf *);           /* takes NULL */
    /* Complete at return. Nothing may be recorded and not waited for. The host's copy is by explicit command where
     * the memory is the device's own. */
    bool (*buf_write)(struct lad_dev *, struct lad_buf *, uint64_t offset, const void *data, size_t bytes, struct lad_fail *);
    bool (*buf_read)(struct lad_dev *, struct lad_buf *, uint64_t offset, void *data, size_t bytes, struct lad_fail *);

    struct lad_kernel *(*kernel_create)(struct lad_dev *, const struct lad_kernel_desc *, struct lad_fail *);
    void (*kernel_destroy)(struct lad_dev *, struct lad_kernel *);     /* takes NULL */

    bool (*dispatch)(struct lad_dev *, const struct lad_dispatch *, struct lad_fail *); /* records */
    /* Submits what is recorded and waits; on a deadline fail->timeout is set and the device may only be abandoned. */
    bool (*wait)(struct lad_dev *, uint64_t timeout_ns, struct lad_fail *);

    /* Optional, NULL when absent; what gpu.c does then stands behind each. */
    bool (*fill)(struct lad_dev *, struct lad_buf *, uint64_t offset, uint64_t bytes, uint32_t word, struct lad_fail *); /* records; waits and writes */
    bool (*copy)(struct lad_dev *, struct lad_buf *src, uint64_t src_offset, struct lad_buf *dst, uint64_t dst_offset,
                 uint64_t bytes, struct lad_fail *);                   /* records; waits, reads and writes */
    bool (*barrier)(struct lad_dev *, struct lad_fail *);              /* records: all before, then all after; nothing (in order) */
    /* Pointer to the whole buffer, valid until unmap; `write`: the host will write. map makes the device's writes
     * visible, unmap makes the host's. Nothing may be in flight. Absent: mapped kinds of memory are unsupported. */
    void *(*map)(struct lad_dev *, struct lad_buf *, bool write, struct lad_fail *);
    bool (*unmap)(struct lad_dev *, struct lad_buf *, struct lad_fail *);
    uint64_t (*buf_address)(struct lad_dev *, struct lad_buf *);       /* unsupported */
    bool (*times)(struct lad_dev *, struct lad_times *);               /* host clock only */
    bool (*submit)(struct lad_dev *, struct lad_fail *);               /* starts what is recorded; deferred to wait */
    bool (*finish)(struct lad_dev *, struct lad_fail *);               /* the API's wait-for-everything; wait */
    bool (*done)(struct lad_dev *, bool *complete, struct lad_fail *); /* asks without waiting whether the last submission is complete; unsupported */
    /* Next message of a validation layer or driver since the last call, or NULL; valid until the next call. */
    const char *(*message)(struct lad_dev *);                          /* none */
    /* Build log of a kernel; valid until it is destroyed; "" when empty. */
    const char *(*build_log)(struct lad_kernel *);                     /* none */
    /* Size of what the driver made of a kernel that has been dispatched; 0: it does not say. */
    uint64_t (*kernel_bytes)(struct lad_dev *, struct lad_kernel *);   /* unknown */
};

#ifdef __cplusplus
}
#endif
#endif
