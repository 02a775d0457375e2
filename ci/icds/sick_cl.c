/* SPDX-License-Identifier: Apache-2.0 */
/* A driver with a defect, for ci/faults/drivers.sh: PoCL behind an ICD of its own, whose table of entry points is
 * changed for each defect that GPULADDER_SICK names (blank-separated). None of them is a fault of the layers. */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "sick.h"

static cl_icd_dispatch next, *table;
static unsigned n_dispatches, n_reads, n_writes;

static cl_int write_buffer(cl_command_queue q, cl_mem b, cl_bool wait, size_t at, size_t bytes, const void *from,
                           cl_uint n, const cl_event *list, cl_event *event)
{
    if (sick("write-page") && bytes > 4096)
        bytes -= bytes % 4096;
    if (sick("write-third") && bytes > 64 && ++n_writes % 3 == 0)
        return event ? next.clEnqueueMarkerWithWaitList(q, n, list, event) : CL_SUCCESS;
    return next.clEnqueueWriteBuffer(q, b, wait, at, bytes, from, n, list, event);
}

static cl_int read_buffer(cl_command_queue q, cl_mem b, cl_bool wait, size_t at, size_t bytes, void *to, cl_uint n,
                          const cl_event *list, cl_event *event)
{
    if (sick("read-fifth") && ++n_reads % 5 == 0)
        return event ? next.clEnqueueMarkerWithWaitList(q, n, list, event) : CL_SUCCESS;
    return next.clEnqueueReadBuffer(q, b, sick("read-early") ? CL_FALSE : wait, at, bytes, to, n, list, event);
}

static cl_int copy_buffer(cl_command_queue q, cl_mem from, cl_mem to, size_t at, size_t there, size_t bytes, cl_uint n,
                          const cl_event *list, cl_event *event)
{
    if (sick("copy-half") && bytes > 1024)
        bytes = bytes / 2 / 4 * 4;
    return next.clEnqueueCopyBuffer(q, from, to, at, there, bytes, n, list, event);
}

static cl_int fill_buffer(cl_command_queue q, cl_mem b, const void *pattern, size_t of, size_t at, size_t bytes,
                          cl_uint n, const cl_event *list, cl_event *event)
{
    uint32_t word;
    if (sick("fill-short") && bytes > 64)
        bytes -= 64;
    if (sick("fill-turned") && of == 4) {
        memcpy(&word, pattern, 4);
        word = __builtin_bswap32(word);
        return next.clEnqueueFillBuffer(q, b, &word, of, at, bytes, n, list, event);
    }
    return next.clEnqueueFillBuffer(q, b, pattern, of, at, bytes, n, list, event);
}

/* Buffers are told from scalars of eight bytes by having been made here. */
static cl_mem made[4096];
static unsigned n_made;

static cl_mem note(cl_mem b)
{
    made[n_made++ % 4096] = b;
    return b;
}

static int is_memory(const void *value, size_t bytes)
{
    cl_mem b;
    if (!value || bytes != sizeof b)
        return 0;
    memcpy(&b, value, sizeof b);
    for (unsigned i = 0; i < 4096; i++)
        if (b && made[i] == b)
            return 1;
    return 0;
}

static cl_mem buffer(cl_context c, cl_mem_flags flags, size_t bytes, void *host, cl_int *error)
{
    return note(next.clCreateBuffer(c, flags, bytes, host, error));
}

static cl_int set_arg(cl_kernel k, cl_uint i, size_t bytes, const void *value)
{
    static cl_mem first;
    uint64_t low = 0;
    int memory = is_memory(value, bytes);
    if (memory && i == 0)
        memcpy(&first, value, sizeof first);
    if (sick("arg-first") && memory && i == 1)
        value = &first;
    if (sick("arg-wide") && !memory && value && bytes == 8) {
        memcpy(&low, value, 4);
        value = &low;
    }
    if (sick("arg-half") && !memory && value && bytes == 4)
        value = memcpy(&low, value, 2);
    return next.clSetKernelArg(k, i, bytes, value);
}

static cl_int dispatch(cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *base, const size_t *size,
                       const size_t *local, cl_uint n, const cl_event *list, cl_event *event)
{
    size_t items[3] = {1, 1, 1};
    memcpy(items, size, dims * sizeof *items);
    n_dispatches++;
    if (sick("drop-third") && n_dispatches % 3 == 0)
        return next.clEnqueueMarkerWithWaitList(q, n, list, event);
    if (sick("grid-even") && local && items[0] > local[0])
        items[0] -= items[0] / local[0] % 2 * local[0];
    if (sick("grid-flat") && local && dims > 1)
        items[1] = local[1];
    if (sick("grid-wrap") && local && items[0] > 512 * local[0])
        items[0] = items[0] % (512 * local[0]) ? items[0] % (512 * local[0]) : local[0];
    if (sick("again-second") && n_dispatches % 2 == 0)
        next.clEnqueueNDRangeKernel(q, k, dims, base, items, local, n, list, NULL);
    return next.clEnqueueNDRangeKernel(q, k, dims, sick("no-base") ? NULL : base, items, local, n, list, event);
}

static cl_mem sub_buffer(cl_mem b, cl_mem_flags flags, cl_buffer_create_type type, const void *info, cl_int *error)
{
    cl_buffer_region r;
    memcpy(&r, info, sizeof r);
    if (sick("range-page"))
        r.origin = r.origin / 4096 * 4096;
    return note(next.clCreateSubBuffer(b, flags, type, &r, error));
}

/* Text of the source, each `from` become `to`, which is no longer. */
static void change(char *text, const char *from, const char *to)
{
    for (char *p = strstr(text, from); p; p = strstr(p + strlen(from), from)) {
        memset(p, ' ', strlen(from));
        memcpy(p, to, strlen(to));
    }
}

static cl_program source(cl_context c, cl_uint n, const char **texts, const size_t *lengths, cl_int *error)
{
    size_t length = 0;
    for (cl_uint i = 0; i < n; i++)
        length += lengths && lengths[i] ? lengths[i] : strlen(texts[i]);
    char *text = calloc(1, length + 1);
    for (cl_uint i = 0; i < n; i++)
        strncat(text, texts[i], lengths && lengths[i] ? lengths[i] : strlen(texts[i]));
    if (sick("code-barrier"))
        change(text, "barrier(CLK_LOCAL_MEM_FENCE)", "(void)0");
    if (sick("code-guard"))
        change(text, "if (i < n)", "if(i<=n)");
    if (sick("code-atomic"))
        change(text, "atomic_add(", "atomic_or(");
    const char *one = text;
    cl_program p = next.clCreateProgramWithSource(c, 1, &one, NULL, error);
    free(text);
    return p;
}

static void *find(const char *name)
{
    static void *(*get)(const char *);
    void *driver = get ? NULL : real_driver("GPULADDER_REAL_CL", "libpocl.so.2");
    if (driver)
        *(void **)&get = dlsym(driver, "clGetExtensionFunctionAddress");
    return get ? get(name) : NULL;
}

/* A driver's table may be shorter than ours, and lie in pages that can only be read. */
static int swap(void *slot, void *kept, const void *ours)
{
    uintptr_t page = (uintptr_t)slot & ~(uintptr_t)4095;
    memcpy(kept, slot, sizeof ours);
    if (mprotect((void *)page, 4096, PROT_READ | PROT_WRITE))
        return 0;
    memcpy(slot, &ours, sizeof ours);
    return 1;
}

static cl_int infect(cl_platform_id platform)
{
    table = *(cl_icd_dispatch **)platform;
    next.clEnqueueMarkerWithWaitList = table->clEnqueueMarkerWithWaitList;
#define SWAP(call, ours) swap(&table->call, &next.call, (const void *)(uintptr_t)(ours))
    return SWAP(clEnqueueWriteBuffer, write_buffer) && SWAP(clEnqueueReadBuffer, read_buffer) &&
                   SWAP(clEnqueueCopyBuffer, copy_buffer) && SWAP(clEnqueueFillBuffer, fill_buffer) &&
                   SWAP(clCreateBuffer, buffer) && SWAP(clSetKernelArg, set_arg) &&
                   SWAP(clEnqueueNDRangeKernel, dispatch) && SWAP(clCreateSubBuffer, sub_buffer) &&
                   SWAP(clCreateProgramWithSource, source)
               ? CL_SUCCESS
               : CL_PLATFORM_NOT_FOUND_KHR;
#undef SWAP
}

CL_API_ENTRY cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *out, cl_uint *n)
{
    cl_int (*get)(cl_uint, cl_platform_id *, cl_uint *) = NULL;
    *(void **)&get = find("clIcdGetPlatformIDsKHR");
    cl_int result = get ? get(room, out, n) : CL_PLATFORM_NOT_FOUND_KHR;
    return result || !out || !room || table ? result : infect(out[0]);
}

CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    return !strcmp(name, "clIcdGetPlatformIDsKHR") ? (void *)(uintptr_t)clIcdGetPlatformIDsKHR : find(name);
}

/* Some loaders look for it by name, and not every driver gives it out as an extension. */
CL_API_ENTRY cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t room,
                                                  void *out, size_t *bytes)
{
    return table ? table->clGetPlatformInfo(platform, what, room, out, bytes) : CL_INVALID_PLATFORM;
}
