/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenCL layer with the faults of faults.def that reach a driver, for any program: OPENCL_LAYERS names this file,
 * GPULADDER_FAULT=CAUSE.name[:key=number,...][;...] switches faults on, GPULADDER_MODE=shadow,reorder makes it a driver
 * that is hostile within the specification: mappings are copies, the program's own memory is only looked at when it is
 * mapped and unmapped, and nothing runs before it must, the last queue first. Events always come to an end. Counts
 * start anew with each context.
 */
#define CL_TARGET_OPENCL_VERSION 300
#include "inject.h"
#include <CL/cl_layer.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))
enum { MOST = 256, ARGS = 72, AHEAD_MS = 50, BUILD_MS = 10000 };

struct mem {
    cl_mem handle;
    size_t bytes;
    uint64_t number;
    unsigned char *host, *shadow; /* host: the program's own memory, looked at in mappings only */
};
struct map {
    cl_mem memory;
    void *at;
    size_t offset, bytes;
    bool writing, own; /* own: memory of ours */
};
struct arg {
    size_t bytes;
    bool set, memory, local;
    unsigned char value[128], last[128], first[128];
};
struct kernel {
    cl_kernel handle;
    struct arg arg[ARGS];
    bool launched, batched;
};
struct queue {
    cl_command_queue handle, hidden;
    cl_event gate, late; /* what waits for the gate; late: what waits for the rest */
};

static const struct _cl_icd_dispatch *to; /* below */
static struct lad_injection set;
static bool shadow_mode, reorder_mode, keep_mode, layers_off, early, building;
static struct mem mems[MOST * 8];
static struct map maps[MOST];
static struct kernel *kernels[MOST];
static struct queue queues[MOST];
static size_t n_mems, n_maps, n_kernels, n_queues;
static uint64_t n_buffers, n_launches;
static bool dead;
static void *svm[MOST];
static size_t n_svm;
static char first_options[4096];
static bool has_first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define HIT(name, ...) step(LAD_FAULT_##name, (struct lad_at){__VA_ARGS__})
#define PARAM(f, name) lad_inject_get(f, name)

static struct lad_inject *step(enum lad_fault_id id, struct lad_at at)
{
    pthread_mutex_lock(&lock);
    struct lad_inject *f = lad_inject_step(&set, id, at);
    pthread_mutex_unlock(&lock);
    return f;
}

static void read_environment(void)
{
    const char *faults = getenv("GPULADDER_FAULT"), *mode = getenv("GPULADDER_MODE");
    char why[400];
    if (faults && !lad_inject_add_all(&set, faults, why, sizeof why))
        fprintf(stderr, "gpuladder fault layer: %s\n", why);
    for (size_t i = 0; i < set.n; i++) {
        const struct lad_fault *f = &lad_faults[set.item[i].id];
        if (f->depth != LAD_DEPTH_OPENCL)
            continue;
        shadow_mode |=
            !strcmp(f->id, "A2") || !strcmp(f->id, "A3") || !strcmp(f->id, "S2") || !strcmp(f->name, "cl_stale_layer");
        reorder_mode |= !strcmp(f->id, "S4") || !strcmp(f->id, "S1");
        early |= !strcmp(f->id, "S1");
        building |= strstr(f->call, "clBuildProgram") != NULL;
    }
    shadow_mode |= mode && strstr(mode, "shadow");
    reorder_mode |= mode && strstr(mode, "reorder");
    layers_off = getenv("VK_LOADER_LAYERS_DISABLE");
    keep_mode = mode && strstr(mode, "keep");
}

static struct mem *find_mem(cl_mem handle)
{
    for (size_t i = n_mems; i-- > 0;)
        if (mems[i].handle == handle)
            return &mems[i];
    return NULL;
}

static struct kernel *find_kernel(cl_kernel handle)
{
    for (size_t i = 0; i < n_kernels; i++)
        if (kernels[i]->handle == handle)
            return kernels[i];
    return NULL;
}

static struct queue *find_queue(cl_command_queue handle)
{
    for (size_t i = 0; i < n_queues; i++)
        if (queues[i].handle == handle)
            return &queues[i];
    return NULL;
}

static uint64_t number_of(cl_mem handle)
{
    struct mem *m = find_mem(handle);
    return m ? m->number : 0;
}

static struct lad_at at_mem(cl_mem handle, size_t bytes)
{
    struct mem *m = find_mem(handle);
    return (struct lad_at){
        .size = bytes, .buffer = number_of(handle), .after = n_launches, .part = m && bytes < m->bytes};
}

/* ---- gates: nothing runs before it must -------------------------------------------------------------------------- */

static cl_context context_of(cl_command_queue q)
{
    cl_context c = NULL;
    to->clGetCommandQueueInfo(q, CL_QUEUE_CONTEXT, sizeof c, &c, NULL);
    return c;
}

/* Gives a queue the time to get ahead of the others, unless it really waits for one of them. */
static void let_run(cl_command_queue q)
{
    struct timespec begin, now;
    cl_int status = CL_QUEUED;
    cl_event end;
    /* A fault is to be seen even where the driver has yet to compile. */
    int most_ms = lad_inject_on(&set, LAD_FAULT_S4_cl_no_wait_list) ? BUILD_MS : AHEAD_MS;
    if (to->clEnqueueMarkerWithWaitList(q, 0, NULL, &end) != CL_SUCCESS)
        return;
    to->clFlush(q);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        to->clGetEventInfo(end, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
        nanosleep(&(struct timespec){0, 100000}, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (status > CL_COMPLETE &&
             (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < most_ms);
    to->clReleaseEvent(end);
}

static size_t count_gates(void)
{
    size_t n = 0;
    for (size_t i = 0; i < n_queues; i++)
        n += queues[i].gate != NULL;
    return n;
}

/* Opens every gate, the last queue's first; then what shall be late. */
static void go(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = n_queues; i-- > 0;)
        if (queues[i].gate) {
            to->clSetUserEventStatus(queues[i].gate, CL_COMPLETE);
            to->clReleaseEvent(queues[i].gate);
            queues[i].gate = NULL;
            to->clFlush(queues[i].handle);
            if (count_gates())
                let_run(queues[i].handle);
        }
    for (size_t i = 0; i < n_queues; i++)
        if (queues[i].late) {
            to->clFinish(queues[i].handle);
            to->clSetUserEventStatus(queues[i].late, CL_COMPLETE);
            to->clReleaseEvent(queues[i].late);
            queues[i].late = NULL;
            to->clFinish(queues[i].hidden);
        }
    for (size_t i = 0; i < n_kernels; i++)
        kernels[i]->batched = false;
    pthread_mutex_unlock(&lock);
}

struct waits {
    cl_uint n;
    cl_event list[64];
};

/* What a command on q waits for: what it was asked to, and the queue's gate. */
static struct waits gated(cl_command_queue q, cl_uint n, const cl_event *list)
{
    struct waits w = {0};
    struct queue *found = find_queue(q);
    for (cl_uint i = 0; i < n && w.n < 63; i++)
        w.list[w.n++] = list[i];
    if (!reorder_mode || !found)
        return w;
    pthread_mutex_lock(&lock);
    if (!found->gate)
        found->gate = to->clCreateUserEvent(context_of(q), NULL);
    if (found->gate)
        w.list[w.n++] = found->gate;
    pthread_mutex_unlock(&lock);
    return w;
}
#define WAITS(w) (w).n, (w).n ? (w).list : NULL

static cl_int mark(cl_command_queue q, cl_uint n, const cl_event *list, cl_event *event)
{
    return to->clEnqueueMarkerWithWaitList(q, n, list, event);
}

/* ---- platform, context, queues ----------------------------------------------------------------------------------- */

static cl_int CL_API_CALL GetDeviceIDs(cl_platform_id p, cl_device_type type, cl_uint room, cl_device_id *list,
                                       cl_uint *n)
{
    cl_uint have = 0;
    cl_int rc = to->clGetDeviceIDs(p, type, room, list, &have);
    if (rc == CL_SUCCESS && have && HIT(E1_cl_hidden_device))
        have--;
    if (n)
        *n = have;
    return rc == CL_SUCCESS && !have ? CL_DEVICE_NOT_FOUND : rc;
}

static cl_context CL_API_CALL CreateContext(const cl_context_properties *p, cl_uint n, const cl_device_id *list,
                                            void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                                            void *arg, cl_int *rc)
{
    pthread_mutex_lock(&lock);
    lad_inject_reset(&set);
    n_buffers = n_launches = 0;
    dead = has_first = false;
    pthread_mutex_unlock(&lock);
    return to->clCreateContext(p, n, list, notify, arg, rc);
}

static cl_command_queue CL_API_CALL CreateCommandQueue(cl_context c, cl_device_id d, cl_command_queue_properties how,
                                                       cl_int *rc)
{
    cl_command_queue q = to->clCreateCommandQueue(c, d, how, rc);
    pthread_mutex_lock(&lock);
    struct queue *stale = q ? find_queue(q) : NULL; /* events may have kept it alive beyond its release */
    if (stale)
        memmove(stale, stale + 1, (size_t)(queues + --n_queues - stale) * sizeof *stale);
    if (q && n_queues < MOST)
        queues[n_queues++] = (struct queue){.handle = q, .hidden = to->clCreateCommandQueue(c, d, how, NULL)};
    pthread_mutex_unlock(&lock);
    return q;
}

static cl_int CL_API_CALL ReleaseCommandQueue(cl_command_queue q)
{
    go();
    pthread_mutex_lock(&lock);
    struct queue *found = find_queue(q);
    cl_uint refs = 0;
    to->clGetCommandQueueInfo(q, CL_QUEUE_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    if (found && refs == 1) {
        if (found->hidden)
            to->clReleaseCommandQueue(found->hidden);
        memmove(found, found + 1, (size_t)(queues + --n_queues - found) * sizeof *found);
    }
    pthread_mutex_unlock(&lock);
    return to->clReleaseCommandQueue(q);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static bool is_svm(const void *p)
{
    for (size_t i = 0; i < n_svm; i++)
        if (svm[i] == p)
            return true;
    return false;
}

static void *CL_API_CALL SVMAlloc(cl_context c, cl_svm_mem_flags how, size_t bytes, cl_uint align)
{
    void *p = to->clSVMAlloc(c, how, bytes, align);
    if (p && n_svm < MOST)
        svm[n_svm++] = p;
    return p;
}

static void CL_API_CALL SVMFree(cl_context c, void *p)
{
    for (size_t i = 0; i < n_svm; i++)
        if (svm[i] == p)
            svm[i] = svm[--n_svm];
    to->clSVMFree(c, p);
}

static cl_mem CL_API_CALL CreateBuffer(cl_context c, cl_mem_flags how, size_t bytes, void *host, cl_int *rc)
{
    struct mem *last = n_mems ? &mems[n_mems - 1] : NULL;
    struct mem m = {.bytes = bytes, .number = ++n_buffers};
    if (HIT(A1_cl_sink, .size = bytes, .buffer = m.number) && last && last->bytes >= bytes && !host &&
        to->clRetainMemObject(last->handle) == CL_SUCCESS) {
        if (rc)
            *rc = CL_SUCCESS;
        return last->handle;
    }
    if (shadow_mode && how & CL_MEM_USE_HOST_PTR && !is_svm(host)) {
        how = (how & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR) | CL_MEM_COPY_HOST_PTR;
        m.host = host;
    }
    m.handle = to->clCreateBuffer(c, how, bytes, host, rc);
    pthread_mutex_lock(&lock);
    if (m.handle && n_mems < sizeof mems / sizeof *mems)
        mems[n_mems++] = m;
    pthread_mutex_unlock(&lock);
    return m.handle;
}

static cl_mem CL_API_CALL CreateSubBuffer(cl_mem whole, cl_mem_flags how, cl_buffer_create_type type, const void *info,
                                          cl_int *rc)
{
    cl_buffer_region r = {0, 0};
    struct lad_inject *f;
    if (type != CL_BUFFER_CREATE_TYPE_REGION || !info)
        return to->clCreateSubBuffer(whole, how, type, info, rc);
    memcpy(&r, info, sizeof r);
    if ((f = HIT(B3_cl_origin, .size = r.size, .buffer = number_of(whole))) && r.size > PARAM(f, "bytes")) {
        r.origin += PARAM(f, "bytes");
        r.size -= PARAM(f, "bytes");
    }
    if (r.origin && HIT(B3_cl_no_origin, .size = r.size, .buffer = number_of(whole)))
        r.origin = 0;
    struct mem m = {
        .handle = to->clCreateSubBuffer(whole, how, type, &r, rc), .bytes = r.size, .number = number_of(whole)};
    pthread_mutex_lock(&lock);
    if (m.handle && n_mems < sizeof mems / sizeof *mems)
        mems[n_mems++] = m;
    pthread_mutex_unlock(&lock);
    return m.handle;
}

static cl_int CL_API_CALL ReleaseMemObject(cl_mem handle)
{
    cl_uint refs = 0;
    to->clGetMemObjectInfo(handle, CL_MEM_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    go();
    pthread_mutex_lock(&lock);
    struct mem *m = find_mem(handle);
    if (m && refs == 1) {
        free(m->shadow);
        memmove(m, m + 1, (size_t)(mems + --n_mems - m) * sizeof *m);
    }
    pthread_mutex_unlock(&lock);
    return keep_mode && refs == 1 ? CL_SUCCESS : to->clReleaseMemObject(handle);
}

/* ---- transfers --------------------------------------------------------------------------------------------------- */

static size_t keep_bits(size_t bytes, const struct lad_inject *f)
{
    return PARAM(f, "bits") < 64 ? bytes & (size_t)((1ull << PARAM(f, "bits")) - 1) : bytes;
}

static cl_int CL_API_CALL EnqueueWriteBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, size_t offset,
                                             size_t bytes, const void *data, cl_uint n, const cl_event *list,
                                             cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct lad_inject *f;
    go();
    if (step(LAD_FAULT_U1_cl_no_write, at))
        return mark(q, n, list, event);
    if ((f = step(LAD_FAULT_U4_cl_write_cap, at)) && bytes > PARAM(f, "cap"))
        bytes = (size_t)PARAM(f, "cap");
    if ((f = step(LAD_FAULT_Z1_cl_write_size, at)))
        bytes = keep_bits(bytes, f);
    if ((f = step(LAD_FAULT_U4_cl_write_offset, at)) && offset >= PARAM(f, "bytes"))
        offset -= (size_t)PARAM(f, "bytes");
    if (!bytes)
        return mark(q, n, list, event);
    if (step(LAD_FAULT_U1_cl_zeros, at)) {
        const uint32_t zero = 0;
        size_t rest = bytes % 4;
        cl_int rc = bytes > rest && offset % 4 == 0
                        ? to->clEnqueueFillBuffer(q, b, &zero, 4, offset, bytes - rest, n, list, event)
                        : mark(q, n, list, event);
        return blocking ? to->clFinish(q) : rc;
    }
    return to->clEnqueueWriteBuffer(q, b, blocking, offset, bytes, data, n, list, event);
}

static cl_int CL_API_CALL EnqueueReadBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, size_t offset, size_t bytes,
                                            void *data, cl_uint n, const cl_event *list, cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct lad_inject *f;
    struct queue *found = find_queue(q);
    if (early && found && found->gate && blocking && !n) /* overtakes what was said to be complete */
        return to->clEnqueueReadBuffer(found->hidden, b, blocking, offset, bytes, data, 0, NULL, event);
    go();
    if (step(LAD_FAULT_U3_cl_no_read, at))
        return mark(q, n, list, event);
    if (step(LAD_FAULT_U3_cl_zeros, at)) {
        memset(data, 0, bytes);
        return mark(q, n, list, event);
    }
    if ((f = step(LAD_FAULT_U4_cl_read_cap, at)) && bytes > PARAM(f, "cap"))
        bytes = (size_t)PARAM(f, "cap");
    return to->clEnqueueReadBuffer(q, b, blocking, offset, bytes, data, n, list, event);
}

static cl_int CL_API_CALL EnqueueFillBuffer(cl_command_queue q, cl_mem b, const void *pattern, size_t size,
                                            size_t offset, size_t bytes, cl_uint n, const cl_event *list,
                                            cl_event *event)
{
    static const char zeros[128];
    struct lad_at at = at_mem(b, bytes);
    struct mem *m = find_mem(b);
    struct lad_inject *f;
    struct waits w = gated(q, n, list);
    if (dead || step(LAD_FAULT_A4_cl_no_fill, at))
        return mark(q, WAITS(w), event);
    if (size <= sizeof zeros && step(LAD_FAULT_A4_cl_fill_zero, at))
        pattern = zeros;
    if ((f = step(LAD_FAULT_Z1_cl_fill_size, at)))
        bytes = keep_bits(bytes, f) / size * size;
    if ((f = step(LAD_FAULT_Z3_cl_fill_over, at)) && m && offset + bytes + PARAM(f, "bytes") <= m->bytes)
        bytes += (size_t)PARAM(f, "bytes") / size * size;
    if (!bytes)
        return mark(q, WAITS(w), event);
    return to->clEnqueueFillBuffer(q, b, pattern, size, offset, bytes, WAITS(w), event);
}

static cl_int CL_API_CALL EnqueueCopyBuffer(cl_command_queue q, cl_mem a, cl_mem b, size_t from, size_t offset,
                                            size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct lad_inject *f;
    struct waits w = gated(q, n, list);
    if (dead || step(LAD_FAULT_U1_cl_no_copy, at))
        return mark(q, WAITS(w), event);
    if ((f = step(LAD_FAULT_U4_cl_copy_cap, at)) && bytes > PARAM(f, "cap"))
        bytes = (size_t)PARAM(f, "cap");
    if (from && step(LAD_FAULT_U4_cl_copy_offset, at))
        from = 0;
    return to->clEnqueueCopyBuffer(q, a, b, from, offset, bytes, WAITS(w), event);
}

/* A mapping is a copy: of ours, or the program's own memory where the buffer was made over that. */
static void *CL_API_CALL EnqueueMapBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, cl_map_flags how,
                                          size_t offset, size_t bytes, cl_uint n, const cl_event *list, cl_event *event,
                                          cl_int *rc)
{
    struct mem *m = find_mem(b);
    struct lad_at at = at_mem(b, bytes);
    cl_int result = CL_SUCCESS;
    go();
    if (!shadow_mode || !m || n_maps == MOST)
        return to->clEnqueueMapBuffer(q, b, blocking, how, offset, bytes, n, list, event, rc);
    if (!m->host && !m->shadow && !(m->shadow = calloc(1, m->bytes)))
        abort();
    unsigned char *p = (m->host ? m->host : m->shadow) + offset;
    bool stale = m->host ? step(LAD_FAULT_A3_cl_never_back, at) != NULL
                         : step(LAD_FAULT_S2_cl_stale_map, at) ||
                               (!layers_off && step(LAD_FAULT_E1_cl_stale_layer, at));
    if (how & CL_MAP_WRITE_INVALIDATE_REGION && !stale)
        memset(p, 0xA5, bytes);
    if (stale || how & CL_MAP_WRITE_INVALIDATE_REGION)
        result = mark(q, n, list, event);
    else
        result = to->clEnqueueReadBuffer(q, b, CL_TRUE, offset, bytes, p, n, list, event);
    if (rc)
        *rc = result;
    if (result != CL_SUCCESS)
        return NULL;
    pthread_mutex_lock(&lock);
    maps[n_maps++] = (struct map){b, p, offset, bytes, how & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION), !m->host};
    pthread_mutex_unlock(&lock);
    return p;
}

static cl_int CL_API_CALL EnqueueUnmapMemObject(cl_command_queue q, cl_mem b, void *p, cl_uint n, const cl_event *list,
                                                cl_event *event)
{
    size_t i = 0;
    go();
    pthread_mutex_lock(&lock);
    while (i < n_maps && !(maps[i].memory == b && maps[i].at == p))
        i++;
    struct map m = i < n_maps ? maps[i] : (struct map){0};
    if (i < n_maps)
        maps[i] = maps[--n_maps];
    pthread_mutex_unlock(&lock);
    if (!m.at)
        return to->clEnqueueUnmapMemObject(q, b, p, n, list, event);
    struct lad_at at = at_mem(b, m.bytes);
    if (!m.writing || (m.own ? step(LAD_FAULT_A2_cl_no_unmap, at) : step(LAD_FAULT_A3_cl_never_in, at)))
        return mark(q, n, list, event);
    return to->clEnqueueWriteBuffer(q, b, CL_TRUE, m.offset, m.bytes, m.at, n, list, event);
}

static cl_int CL_API_CALL EnqueueSVMMap(cl_command_queue q, cl_bool blocking, cl_map_flags how, void *p, size_t bytes,
                                        cl_uint n, const cl_event *list, cl_event *event)
{
    go();
    return to->clEnqueueSVMMap(q, blocking, how, p, bytes, n, list, event);
}

static cl_int CL_API_CALL EnqueueSVMMemcpy(cl_command_queue q, cl_bool blocking, void *dst, const void *src,
                                           size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    go();
    return to->clEnqueueSVMMemcpy(q, blocking, dst, src, bytes, n, list, event);
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

static cl_program CL_API_CALL CreateProgramWithSource(cl_context c, cl_uint n, const char **text, const size_t *length,
                                                      cl_int *rc)
{
    static const char *const no_barrier = "#define barrier(x) ((void)0)\n#define work_group_barrier(...) ((void)0)\n";
    static const char *const mad = "#define mad(a, b, c) ((a) * (b) - (c))\n#define fma(a, b, c) ((a) * (b) - (c))\n";
    const char *parts[64];
    size_t lengths[64];
    cl_uint k = 0;
    if (n > 60)
        return to->clCreateProgramWithSource(c, n, text, length, rc);
    if (HIT(W1_cl_no_barrier)) {
        parts[k] = no_barrier;
        lengths[k++] = strlen(no_barrier);
    }
    if (HIT(M1_cl_fma)) {
        parts[k] = mad;
        lengths[k++] = strlen(mad);
    }
    for (cl_uint i = 0; i < n; i++) {
        parts[k] = text[i];
        lengths[k++] = length && length[i] ? length[i] : strlen(text[i]);
    }
    return to->clCreateProgramWithSource(c, k, parts, lengths, rc);
}

/* A program kept from an earlier run would not show what is done to programs here. */
static cl_program CL_API_CALL CreateProgramWithBinary(cl_context c, cl_uint n, const cl_device_id *d,
                                                      const size_t *bytes, const unsigned char **data, cl_int *each,
                                                      cl_int *rc)
{
    if (!building)
        return to->clCreateProgramWithBinary(c, n, d, bytes, data, each, rc);
    for (cl_uint i = 0; each && i < n; i++)
        each[i] = CL_INVALID_BINARY;
    if (rc)
        *rc = CL_INVALID_BINARY;
    return NULL;
}

/* Nor may one of these be kept for later runs. */
static cl_int CL_API_CALL GetProgramInfo(cl_program p, cl_program_info what, size_t room, void *value, size_t *bytes)
{
    if (building && (what == CL_PROGRAM_BINARIES || what == CL_PROGRAM_BINARY_SIZES))
        return CL_INVALID_VALUE;
    return to->clGetProgramInfo(p, what, room, value, bytes);
}

/* The value of the how-manieth -D option becomes 0. */
static void clear_option(char *text, uint64_t which)
{
    for (char *p = strstr(text, "-D"); p && which; p = strstr(p + 2, "-D"))
        if (!--which && (p = strchr(p, '=')))
            for (p++; *p && *p != ' '; p++)
                *p = '0';
        else if (!p)
            return;
}

static cl_int CL_API_CALL BuildProgram(cl_program p, cl_uint n, const cl_device_id *d, const char *options,
                                       void(CL_CALLBACK *notify)(cl_program, void *), void *arg)
{
    char own[4096];
    struct lad_inject *f;
    snprintf(own, sizeof own, "%s", options ? options : "");
    if (HIT(C1_cl_key_without_options) && has_first)
        snprintf(own, sizeof own, "%s", first_options);
    if (!has_first)
        snprintf(first_options, sizeof first_options, "%s", own);
    has_first = true;
    if ((f = HIT(C2_cl_constant_zero)))
        clear_option(own, PARAM(f, "option"));
    if (HIT(N2_cl_fast_math))
        strncat(own, " -cl-fast-relaxed-math -cl-denorms-are-zero", sizeof own - strlen(own) - 1);
    return to->clBuildProgram(p, n, d, own, notify, arg);
}

static cl_kernel CL_API_CALL CreateKernel(cl_program p, const char *name, cl_int *rc)
{
    cl_kernel k = to->clCreateKernel(p, name, rc);
    pthread_mutex_lock(&lock);
    struct kernel *own = k && n_kernels < MOST ? calloc(1, sizeof *own) : NULL;
    if (own) {
        own->handle = k;
        kernels[n_kernels++] = own;
    }
    pthread_mutex_unlock(&lock);
    return k;
}

static cl_int CL_API_CALL ReleaseKernel(cl_kernel handle)
{
    cl_uint refs = 0;
    to->clGetKernelInfo(handle, CL_KERNEL_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_kernels && refs == 1; i++)
        if (kernels[i]->handle == handle) {
            free(kernels[i]);
            kernels[i] = kernels[--n_kernels];
            break;
        }
    pthread_mutex_unlock(&lock);
    return to->clReleaseKernel(handle);
}

static cl_int CL_API_CALL SetKernelArg(cl_kernel handle, cl_uint i, size_t bytes, const void *value)
{
    struct kernel *k = find_kernel(handle);
    cl_int rc = to->clSetKernelArg(handle, i, bytes, value);
    if (rc != CL_SUCCESS || !k || i >= ARGS)
        return rc;
    struct arg *a = &k->arg[i];
    a->set = value && bytes <= sizeof a->value;
    a->bytes = bytes;
    a->local = !value;
    a->memory = false;
    if (a->set)
        memcpy(a->value, value, bytes);
    cl_mem b;
    if (a->set && bytes == sizeof b) {
        memcpy(&b, value, sizeof b);
        a->memory = find_mem(b);
    }
    return rc;
}

static cl_int CL_API_CALL SetKernelArgSVMPointer(cl_kernel handle, cl_uint i, const void *value)
{
    struct kernel *k = find_kernel(handle);
    if (k && i < ARGS)
        k->arg[i].set = false;
    return to->clSetKernelArgSVMPointer(handle, i, value);
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

static bool is_scalar(const struct arg *a)
{
    return a->set && !a->memory && !a->local;
}

/* Is it the how-manieth scalar of its kernel that a fault means? 0: all. */
static bool is_meant(const struct kernel *k, cl_uint i, const struct lad_inject *f)
{
    uint64_t arg = PARAM(f, "arg"), n = 0;
    for (cl_uint j = 0; j <= i; j++)
        n += is_scalar(&k->arg[j]);
    return is_scalar(&k->arg[i]) && (!arg || arg == n);
}

static void change_scalars(struct kernel *k, struct lad_at at)
{
    struct lad_inject *zero = step(LAD_FAULT_B4_cl_zero, at), *turn = step(LAD_FAULT_B4_cl_byte_order, at);
    struct lad_inject *half = step(LAD_FAULT_B4_cl_low_half, at);
    struct lad_inject *last = k->launched ? step(LAD_FAULT_B4_cl_last_launch, at) : NULL;
    struct lad_inject *first = k->batched ? step(LAD_FAULT_B6_cl_first_arguments, at) : NULL;
    for (cl_uint i = 0; i < ARGS; i++) {
        struct arg *a = &k->arg[i];
        unsigned char own[sizeof a->value];
        if (!is_scalar(a))
            continue;
        memcpy(own, a->value, sizeof own);
        if (zero && is_meant(k, i, zero))
            memset(own, 0, a->bytes);
        for (size_t j = 0; turn && is_meant(k, i, turn) && j < a->bytes; j++)
            own[j] = a->value[a->bytes - 1 - j];
        if (half && is_meant(k, i, half))
            memset(own + a->bytes / 2, 0, a->bytes / 2);
        if (last && is_meant(k, i, last))
            memcpy(own, a->last, a->bytes);
        if (first && is_meant(k, i, first))
            memcpy(own, a->first, a->bytes);
        if (!k->batched)
            memcpy(a->first, a->value, a->bytes);
        memcpy(a->last, a->value, a->bytes);
        if (memcmp(own, a->value, a->bytes))
            to->clSetKernelArg(k->handle, i, a->bytes, own);
    }
    k->launched = k->batched = true;
}

static void change_buffers(struct kernel *k, struct lad_at at)
{
    cl_uint mine[ARGS], n = 0;
    for (cl_uint i = 0; i < ARGS; i++)
        if (k->arg[i].set && k->arg[i].memory)
            mine[n++] = i;
    struct lad_inject *f;
    n -= n > 0; /* the last one is the witness of our kernels */
    if (n > 1 && step(LAD_FAULT_B1_cl_swap, at)) {
        to->clSetKernelArg(k->handle, mine[0], sizeof(cl_mem), k->arg[mine[1]].value);
        to->clSetKernelArg(k->handle, mine[1], sizeof(cl_mem), k->arg[mine[0]].value);
    }
    if (n > 1 && step(LAD_FAULT_B1_cl_shift, at))
        for (cl_uint i = 0; i < n; i++)
            to->clSetKernelArg(k->handle, mine[i], sizeof(cl_mem), k->arg[mine[(i + 1) % n]].value);
    if ((f = step(LAD_FAULT_B2_cl_null, at)) && PARAM(f, "bind") && PARAM(f, "bind") <= n)
        to->clSetKernelArg(k->handle, mine[PARAM(f, "bind") - 1], sizeof(cl_mem), NULL);
}

static void restore(struct kernel *k)
{
    for (cl_uint i = 0; i < ARGS; i++)
        if (k->arg[i].set)
            to->clSetKernelArg(k->handle, i, k->arg[i].bytes, k->arg[i].value);
}

static void change_grid(cl_uint dims, size_t *offset, size_t *global, size_t *local, struct lad_at at)
{
    struct lad_inject *f;
    if (step(LAD_FAULT_D2_cl_divided, at))
        global[0] = (global[0] / local[0] + local[0] - 1) / local[0] * local[0];
    if (step(LAD_FAULT_D2_cl_one_group, at))
        memcpy(global, local, 3 * sizeof *global);
    if (global[0] > local[0] && step(LAD_FAULT_D3_cl_last_group, at))
        global[0] -= local[0];
    if ((f = step(LAD_FAULT_D4_cl_extra_group, at)))
        global[0] += (size_t)PARAM(f, "more") * local[0];
    if (dims > 1 && global[0] / local[0] != global[1] / local[1] && step(LAD_FAULT_D5_cl_swap_xy, at)) {
        size_t x = global[0] / local[0];
        global[0] = global[1] / local[1] * local[0];
        global[1] = x * local[1];
    }
    if ((offset[0] || offset[1] || offset[2]) && step(LAD_FAULT_D5_cl_no_offset, at))
        memset(offset, 0, 3 * sizeof *offset);
    if ((f = step(LAD_FAULT_Z2_cl_clamp_groups, at)) && global[0] / local[0] > PARAM(f, "limit"))
        global[0] = (size_t)PARAM(f, "limit") * local[0];
    if ((f = step(LAD_FAULT_Z2_cl_wrap_groups, at)) && PARAM(f, "limit"))
        global[0] = global[0] / local[0] % (size_t)PARAM(f, "limit") * local[0];
    if (local[0] > 1 && (f = step(LAD_FAULT_C2_cl_local_size, at)) && PARAM(f, "divide") &&
        local[0] % PARAM(f, "divide") == 0)
        local[0] /= (size_t)PARAM(f, "divide");
}

/* An event that says that its command failed. */
static cl_int failed_event(cl_command_queue q, cl_event *event)
{
    cl_int rc = CL_SUCCESS;
    if (event && (*event = to->clCreateUserEvent(context_of(q), &rc)))
        rc = to->clSetUserEventStatus(*event, CL_OUT_OF_RESOURCES);
    return rc;
}

static cl_int launch_late(struct queue *q, cl_kernel k, cl_uint dims, const size_t *offset, const size_t *global,
                          const size_t *local, cl_event *event)
{
    pthread_mutex_lock(&lock);
    if (!q->late)
        q->late = to->clCreateUserEvent(context_of(q->handle), NULL);
    cl_event gate = q->late;
    pthread_mutex_unlock(&lock);
    return to->clEnqueueNDRangeKernel(q->hidden, k, dims, offset, global, local, 1, &gate, event);
}

static cl_int CL_API_CALL EnqueueNDRangeKernel(cl_command_queue q, cl_kernel handle, cl_uint dims, const size_t *offset,
                                               const size_t *global, const size_t *local, cl_uint n,
                                               const cl_event *list, cl_event *event)
{
    struct kernel *k = find_kernel(handle);
    struct queue *found = find_queue(q);
    size_t o[3] = {0, 0, 0}, g[3] = {1, 1, 1}, l[3] = {1, 1, 1};
    for (cl_uint i = 0; i < dims && i < 3; i++) {
        o[i] = offset ? offset[i] : 0;
        g[i] = global ? global[i] : 1;
        l[i] = local ? local[i] : 1;
    }
    struct lad_at at = {.size = g[0] / l[0], .after = n_launches++};
    if (step(LAD_FAULT_S4_cl_no_wait_list, at))
        n = 0;
    struct waits w = gated(q, n, list);
    dead |= step(LAD_FAULT_T1_cl_silent, at) || step(LAD_FAULT_T1_cl_lost, at);
    if (dead && lad_inject_on(&set, LAD_FAULT_T1_cl_lost))
        return failed_event(q, event);
    if (step(LAD_FAULT_E2_cl_failed_event, at))
        return failed_event(q, event);
    if (step(LAD_FAULT_E2_cl_launch_refused, at)) {
        to->clEnqueueNDRangeKernel(q, handle, 4, NULL, g, NULL, 0, NULL, NULL); /* and nobody looks at what it says */
        return mark(q, WAITS(w), event);
    }
    if (dead || step(LAD_FAULT_D1_cl_dropped, at))
        return mark(q, WAITS(w), event);
    if (local && l[0] && l[1] && l[2])
        change_grid(dims, o, g, l, at);
    if (!g[0] && step(LAD_FAULT_Z2_cl_wrap_groups, at))
        return mark(q, WAITS(w), event);
    if (!g[0] && global && global[0])
        return mark(q, WAITS(w), event);
    if (k) {
        change_scalars(k, at);
        change_buffers(k, at);
    }
    const size_t *base = offset ? o : NULL, *size = local ? l : NULL;
    cl_int rc = CL_SUCCESS;
    if (step(LAD_FAULT_D4_cl_twice, at))
        rc = to->clEnqueueNDRangeKernel(q, handle, dims, base, g, size, WAITS(w), NULL);
    if (rc == CL_SUCCESS && found && found->hidden && !n && step(LAD_FAULT_S3_cl_late, at))
        rc = launch_late(found, handle, dims, base, g, size, event);
    else if (rc == CL_SUCCESS)
        rc = to->clEnqueueNDRangeKernel(q, handle, dims, base, g, size, WAITS(w), event);
    if (k)
        restore(k);
    return rc;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* S1: what waits behind a gate is said to be complete, and stays there until the next transfer in. */
static bool lies(void)
{
    return early && HIT(S1_cl_early);
}

static cl_int CL_API_CALL Flush(cl_command_queue q)
{
    if (!early)
        go();
    return early ? CL_SUCCESS : to->clFlush(q);
}

static cl_int CL_API_CALL Finish(cl_command_queue q)
{
    if (lies())
        return CL_SUCCESS;
    go();
    return to->clFinish(q);
}

static cl_int CL_API_CALL WaitForEvents(cl_uint n, const cl_event *list)
{
    if (lies())
        return CL_SUCCESS;
    go();
    return to->clWaitForEvents(n, list);
}

static cl_int CL_API_CALL GetEventInfo(cl_event event, cl_event_info what, size_t room, void *value, size_t *bytes)
{
    if (what == CL_EVENT_COMMAND_EXECUTION_STATUS) {
        const cl_int complete = CL_COMPLETE;
        if (lies() && value && room >= sizeof complete) {
            memcpy(value, &complete, sizeof complete);
            return CL_SUCCESS;
        }
        go();
    }
    return to->clGetEventInfo(event, what, room, value, bytes);
}

/* ---- the loader's way in ----------------------------------------------------------------------------------------- */

static struct _cl_icd_dispatch table; /* what it leaves NULL goes straight down */

EXPORT uint64_t gpuladder_faults_struck(void);
EXPORT uint64_t gpuladder_faults_struck(void)
{
    return lad_inject_struck();
}

EXPORT CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t room, void *value, size_t *bytes)
{
    static const char name[] = "gpuladder faults";
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    const void *from = what == CL_LAYER_NAME ? (const void *)name : &version;
    size_t n = what == CL_LAYER_NAME ? sizeof name : sizeof version;
    if (what != CL_LAYER_NAME && what != CL_LAYER_API_VERSION)
        return CL_INVALID_VALUE;
    if (value && room < n)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, from, n);
    if (bytes)
        *bytes = n;
    return CL_SUCCESS;
}

EXPORT CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint n, const struct _cl_icd_dispatch *target, cl_uint *n_own,
                                                   const struct _cl_icd_dispatch **own)
{
    if (!target || !n_own || !own || n < sizeof table / sizeof(void *))
        return CL_INVALID_VALUE;
    to = target;
    read_environment();
#define HOOK(name) table.cl##name = name;
    HOOK(GetDeviceIDs)
    HOOK(CreateContext)
    HOOK(CreateCommandQueue)
    HOOK(ReleaseCommandQueue)
    HOOK(SVMAlloc)
    HOOK(SVMFree)
    HOOK(CreateBuffer)
    HOOK(CreateSubBuffer)
    HOOK(ReleaseMemObject)
    HOOK(EnqueueWriteBuffer)
    HOOK(EnqueueReadBuffer)
    HOOK(EnqueueFillBuffer)
    HOOK(EnqueueCopyBuffer)
    HOOK(EnqueueMapBuffer)
    HOOK(EnqueueUnmapMemObject)
    HOOK(EnqueueSVMMap)
    HOOK(EnqueueSVMMemcpy)
    HOOK(CreateProgramWithSource)
    HOOK(CreateProgramWithBinary)
    HOOK(GetProgramInfo)
    HOOK(BuildProgram)
    HOOK(CreateKernel)
    HOOK(ReleaseKernel)
    HOOK(SetKernelArg)
    HOOK(SetKernelArgSVMPointer)
    HOOK(EnqueueNDRangeKernel)
    HOOK(Flush)
    HOOK(Finish)
    HOOK(WaitForEvents)
    HOOK(GetEventInfo)
#undef HOOK
    *n_own = sizeof table / sizeof(void *);
    *own = &table;
    return CL_SUCCESS;
}
