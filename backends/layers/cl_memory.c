/* SPDX-License-Identifier: Apache-2.0 */
/* Memory objects, and what else a kernel gets as a handle. */
#include "cl_fault.h"
#include <stdlib.h>
#include <string.h>

static struct mem **mems; /* in the order in which they were made */
static size_t n_mems, mem_room;
static struct {
    unsigned char *at;
    size_t bytes;
} svm[16 * MOST];
static size_t n_svm;

void *grow(void *array, size_t n, size_t *room, size_t bytes)
{
    if (n < *room)
        return array;
    *room = *room ? 2 * *room : MOST;
    array = realloc(array, *room * bytes);
    if (!array)
        abort();
    return array;
}

struct mem *find_mem(cl_mem handle)
{
    struct mem *found = NULL;
    pthread_mutex_lock(&layer.lock);
    for (size_t i = n_mems; i-- > 0 && !found;)
        found = mems[i]->handle == handle ? mems[i] : NULL;
    pthread_mutex_unlock(&layer.lock);
    return found;
}

static void forget(cl_mem handle)
{
    for (size_t i = n_mems; i-- > 0;)
        if (mems[i]->handle == handle) {
            free(mems[i]->shadow);
            free(mems[i]);
            memmove(mems + i, mems + i + 1, (--n_mems - i) * sizeof *mems);
        }
}

/* A handle that comes again is of another object: what runs may keep one alive beyond its release. */
static void note(struct mem m)
{
    if (!m.handle)
        return;
    pthread_mutex_lock(&layer.lock);
    forget(m.handle);
    mems = grow(mems, n_mems, &mem_room, sizeof *mems);
    if (!(mems[n_mems] = malloc(sizeof m)))
        abort();
    *mems[n_mems++] = m;
    pthread_mutex_unlock(&layer.lock);
}

static uint64_t number_of(cl_mem handle)
{
    struct mem *m = find_mem(handle);
    return m ? m->number : 0;
}

struct lad_at at_mem(cl_mem handle, size_t bytes)
{
    struct mem *m = find_mem(handle);
    return (struct lad_at){
        .size = bytes, .buffer = number_of(handle), .after = layer.n_launches, .part = m && bytes < m->bytes};
}

/* ---- shared virtual memory -------------------------------------------------------------------------------------- */

size_t svm_bytes(const void *p)
{
    size_t left = 0;
    pthread_mutex_lock(&layer.lock);
    for (size_t i = 0; i < n_svm && p; i++)
        if ((const unsigned char *)p >= svm[i].at && (const unsigned char *)p < svm[i].at + svm[i].bytes)
            left = svm[i].bytes - (size_t)((const unsigned char *)p - svm[i].at);
    pthread_mutex_unlock(&layer.lock);
    return left;
}

static void *CL_API_CALL SVMAlloc(cl_context c, cl_svm_mem_flags how, size_t bytes, cl_uint align)
{
    void *p = to->clSVMAlloc(c, how, bytes, align);
    pthread_mutex_lock(&layer.lock);
    if (p && n_svm < sizeof svm / sizeof *svm) {
        svm[n_svm].at = p;
        svm[n_svm++].bytes = bytes;
    }
    pthread_mutex_unlock(&layer.lock);
    return p;
}

static void forget_svm(const void *p)
{
    pthread_mutex_lock(&layer.lock);
    for (size_t i = 0; i < n_svm; i++)
        if (svm[i].at == p)
            svm[i] = svm[--n_svm];
    pthread_mutex_unlock(&layer.lock);
}

static void CL_API_CALL SVMFree(cl_context c, void *p)
{
    forget_svm(p);
    to->clSVMFree(c, p);
}

static cl_int CL_API_CALL EnqueueSVMFree(cl_command_queue q, cl_uint count, void *list[],
                                         void(CL_CALLBACK *call)(cl_command_queue, cl_uint, void **, void *), void *arg,
                                         cl_uint n, const cl_event *waits, cl_event *event)
{
    for (cl_uint i = 0; list && i < count; i++)
        forget_svm(list[i]);
    return to->clEnqueueSVMFree(q, count, list, call, arg, n, waits, event);
}

/* ---- buffers ---------------------------------------------------------------------------------------------------- */

static cl_mem create_buffer(cl_context c, const cl_mem_properties *p, cl_mem_flags how, size_t bytes, void *host,
                            cl_int *rc)
{
    struct mem *last = n_mems ? mems[n_mems - 1] : NULL;
    struct mem m = {.bytes = bytes, .number = ++layer.n_buffers};
    if (HIT(A1_cl_sink, .size = bytes, .buffer = m.number) && last && last->bytes >= bytes && !host &&
        to->clRetainMemObject(last->handle) == CL_SUCCESS) {
        if (rc)
            *rc = CL_SUCCESS;
        return last->handle;
    }
    if (how & CL_MEM_COPY_HOST_PTR && HIT(U1_cl_no_write, .size = bytes, .buffer = m.number)) {
        how &= ~(cl_mem_flags)CL_MEM_COPY_HOST_PTR;
        host = NULL;
    }
    if (layer.shadow && how & CL_MEM_USE_HOST_PTR && !svm_bytes(host)) {
        how = (how & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR) | CL_MEM_COPY_HOST_PTR;
        m.host = host;
    }
    m.handle =
        p ? to->clCreateBufferWithProperties(c, p, how, bytes, host, rc) : to->clCreateBuffer(c, how, bytes, host, rc);
    note(m);
    return m.handle;
}

static cl_mem CL_API_CALL CreateBuffer(cl_context c, cl_mem_flags how, size_t bytes, void *host, cl_int *rc)
{
    return create_buffer(c, NULL, how, bytes, host, rc);
}

static cl_mem CL_API_CALL CreateBufferWithProperties(cl_context c, const cl_mem_properties *p, cl_mem_flags how,
                                                     size_t bytes, void *host, cl_int *rc)
{
    return create_buffer(c, p, how, bytes, host, rc);
}

static cl_mem CL_API_CALL CreateSubBuffer(cl_mem whole, cl_mem_flags how, cl_buffer_create_type type, const void *info,
                                          cl_int *rc)
{
    cl_buffer_region r = {0, 0};
    struct lad_inject *f;
    struct mem *parent = find_mem(whole);
    if (type != CL_BUFFER_CREATE_TYPE_REGION || !info)
        return to->clCreateSubBuffer(whole, how, type, info, rc);
    memcpy(&r, info, sizeof r);
    unsigned char *host = parent && parent->host ? parent->host + r.origin : NULL;
    if ((f = HIT(B3_cl_origin, .size = r.size, .buffer = number_of(whole))) && r.size > PARAM(f, "bytes")) {
        r.origin += PARAM(f, "bytes");
        r.size -= PARAM(f, "bytes");
    }
    if (r.origin && HIT(B3_cl_no_origin, .size = r.size, .buffer = number_of(whole)))
        r.origin = 0;
    cl_mem part = to->clCreateSubBuffer(whole, how, type, &r, rc);
    note((struct mem){.handle = part, .bytes = r.size, .number = number_of(whole), .host = host});
    return part;
}

/* What is a copy here is still the program's own memory to the program. */
static cl_int CL_API_CALL GetMemObjectInfo(cl_mem handle, cl_mem_info what, size_t room, void *value, size_t *bytes)
{
    struct mem *m = find_mem(handle);
    cl_int rc = to->clGetMemObjectInfo(handle, what, room, value, bytes);
    if (rc != CL_SUCCESS || !value || !m || !m->host)
        return rc;
    cl_mem_flags flags;
    if (what == CL_MEM_HOST_PTR)
        memcpy(value, &m->host, sizeof m->host);
    if (what == CL_MEM_FLAGS) {
        memcpy(&flags, value, sizeof flags);
        flags = (flags & ~(cl_mem_flags)CL_MEM_COPY_HOST_PTR) | CL_MEM_USE_HOST_PTR;
        memcpy(value, &flags, sizeof flags);
    }
    return rc;
}

static cl_int CL_API_CALL ReleaseMemObject(cl_mem handle)
{
    cl_uint refs = 0;
    to->clGetMemObjectInfo(handle, CL_MEM_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    go();
    pthread_mutex_lock(&layer.lock);
    if (refs == 1)
        forget(handle);
    pthread_mutex_unlock(&layer.lock);
    return layer.keep && refs == 1 ? CL_SUCCESS : to->clReleaseMemObject(handle);
}

/* ---- images, pipes and samplers, which nothing is done to: they are no values ------------------------------------ */

#define OPAQUE(name, type, params, args)                                                                               \
    static type CL_API_CALL name params                                                                                \
    {                                                                                                                  \
        type made = to->cl##name args;                                                                                 \
        note((struct mem){.handle = (cl_mem)(void *)made, .opaque = true});                                            \
        return made;                                                                                                   \
    }
OPAQUE(CreateImage, cl_mem,
       (cl_context c, cl_mem_flags how, const cl_image_format *f, const cl_image_desc *d, void *host, cl_int *rc),
       (c, how, f, d, host, rc))
OPAQUE(CreateImageWithProperties, cl_mem,
       (cl_context c, const cl_mem_properties *p, cl_mem_flags how, const cl_image_format *f, const cl_image_desc *d,
        void *host, cl_int *rc),
       (c, p, how, f, d, host, rc))
OPAQUE(CreateImage2D, cl_mem,
       (cl_context c, cl_mem_flags how, const cl_image_format *f, size_t w, size_t h, size_t pitch, void *host,
        cl_int *rc),
       (c, how, f, w, h, pitch, host, rc))
OPAQUE(CreateImage3D, cl_mem,
       (cl_context c, cl_mem_flags how, const cl_image_format *f, size_t w, size_t h, size_t d, size_t pitch,
        size_t slice, void *host, cl_int *rc),
       (c, how, f, w, h, d, pitch, slice, host, rc))
OPAQUE(CreatePipe, cl_mem,
       (cl_context c, cl_mem_flags how, cl_uint packet, cl_uint packets, const cl_pipe_properties *p, cl_int *rc),
       (c, how, packet, packets, p, rc))
OPAQUE(CreateSampler, cl_sampler, (cl_context c, cl_bool normal, cl_addressing_mode a, cl_filter_mode f, cl_int *rc),
       (c, normal, a, f, rc))
OPAQUE(CreateSamplerWithProperties, cl_sampler, (cl_context c, const cl_sampler_properties *p, cl_int *rc), (c, p, rc))

void hook_memory(struct _cl_icd_dispatch *table)
{
    table->clSVMAlloc = SVMAlloc;
    table->clSVMFree = SVMFree;
    table->clEnqueueSVMFree = EnqueueSVMFree;
    table->clCreateBuffer = CreateBuffer;
    table->clCreateBufferWithProperties = CreateBufferWithProperties;
    table->clCreateSubBuffer = CreateSubBuffer;
    table->clGetMemObjectInfo = GetMemObjectInfo;
    table->clReleaseMemObject = ReleaseMemObject;
    table->clCreateImage = CreateImage;
    table->clCreateImageWithProperties = CreateImageWithProperties;
    table->clCreateImage2D = CreateImage2D;
    table->clCreateImage3D = CreateImage3D;
    table->clCreatePipe = CreatePipe;
    table->clCreateSampler = CreateSampler;
    table->clCreateSamplerWithProperties = CreateSamplerWithProperties;
}
