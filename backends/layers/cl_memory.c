/* SPDX-License-Identifier: Apache-2.0 */
/* Memory objects. */
#include "cl_fault.h"
#include <stdlib.h>
#include <string.h>

static struct mem mems[MOST * 8];
static size_t n_mems;
static struct {
    void *at;
    size_t bytes;
} svm[MOST];
static size_t n_svm;

struct mem *find_mem(cl_mem handle)
{
    for (size_t i = n_mems; i-- > 0;)
        if (mems[i].handle == handle)
            return &mems[i];
    return NULL;
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

size_t svm_bytes(const void *p)
{
    for (size_t i = 0; i < n_svm; i++)
        if (svm[i].at == p)
            return svm[i].bytes;
    return 0;
}

static void *CL_API_CALL SVMAlloc(cl_context c, cl_svm_mem_flags how, size_t bytes, cl_uint align)
{
    void *p = to->clSVMAlloc(c, how, bytes, align);
    if (p && n_svm < MOST) {
        svm[n_svm].at = p;
        svm[n_svm++].bytes = bytes;
    }
    return p;
}

static void CL_API_CALL SVMFree(cl_context c, void *p)
{
    for (size_t i = 0; i < n_svm; i++)
        if (svm[i].at == p)
            svm[i] = svm[--n_svm];
    to->clSVMFree(c, p);
}

static cl_mem CL_API_CALL CreateBuffer(cl_context c, cl_mem_flags how, size_t bytes, void *host, cl_int *rc)
{
    struct mem *last = n_mems ? &mems[n_mems - 1] : NULL;
    struct mem m = {.bytes = bytes, .number = ++layer.n_buffers};
    if (HIT(A1_cl_sink, .size = bytes, .buffer = m.number) && last && last->bytes >= bytes && !host &&
        to->clRetainMemObject(last->handle) == CL_SUCCESS) {
        if (rc)
            *rc = CL_SUCCESS;
        return last->handle;
    }
    if (layer.shadow && how & CL_MEM_USE_HOST_PTR && !svm_bytes(host)) {
        how = (how & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR) | CL_MEM_COPY_HOST_PTR;
        m.host = host;
    }
    m.handle = to->clCreateBuffer(c, how, bytes, host, rc);
    pthread_mutex_lock(&layer.lock);
    if (m.handle && n_mems < sizeof mems / sizeof *mems)
        mems[n_mems++] = m;
    pthread_mutex_unlock(&layer.lock);
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
    pthread_mutex_lock(&layer.lock);
    if (m.handle && n_mems < sizeof mems / sizeof *mems)
        mems[n_mems++] = m;
    pthread_mutex_unlock(&layer.lock);
    return m.handle;
}

static cl_int CL_API_CALL ReleaseMemObject(cl_mem handle)
{
    cl_uint refs = 0;
    to->clGetMemObjectInfo(handle, CL_MEM_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    go();
    pthread_mutex_lock(&layer.lock);
    struct mem *m = find_mem(handle);
    if (m && refs == 1) {
        free(m->shadow);
        memmove(m, m + 1, (size_t)(mems + --n_mems - m) * sizeof *m);
    }
    pthread_mutex_unlock(&layer.lock);
    return layer.keep && refs == 1 ? CL_SUCCESS : to->clReleaseMemObject(handle);
}

void hook_memory(struct _cl_icd_dispatch *table)
{
    table->clSVMAlloc = SVMAlloc;
    table->clSVMFree = SVMFree;
    table->clCreateBuffer = CreateBuffer;
    table->clCreateSubBuffer = CreateSubBuffer;
    table->clReleaseMemObject = ReleaseMemObject;
}
