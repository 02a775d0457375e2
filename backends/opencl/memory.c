/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: ordinary memory objects, and blocks of shared virtual memory. Host access is by commands of queue 0 that
 * block, except where the memory is mapped. */
#include "cl.h"
#include <stdlib.h>
#include <string.h>

static bool create_svm(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    cl_svm_mem_flags how = CL_MEM_READ_WRITE;
    buf->fine = buf->mem == LAD_MEM_SVM_FINE;
    if (!(dev->device->svm & (buf->fine ? CL_DEVICE_SVM_FINE_GRAIN_BUFFER : CL_DEVICE_SVM_COARSE_GRAIN_BUFFER)))
        return lad_cl_refuse(fail, "clSVMAlloc",
                             dev->device->info.why[buf->fine ? LAD_CAP_MEM_SVM_FINE : LAD_CAP_MEM_SVM_COARSE]);
    if (buf->fine)
        how |= CL_MEM_SVM_FINE_GRAIN_BUFFER;
    buf->svm = lad_cl.SVMAlloc(dev->context, how, buf->bytes, 0);
    return buf->svm || lad_cl_fail(fail, "clSVMAlloc", 0, "NULL for %llu bytes", (unsigned long long)buf->bytes);
}

static bool create_object(struct lad_dev *dev, struct lad_buf *buf, void *host, struct lad_fail *fail)
{
    cl_mem_flags how = CL_MEM_READ_WRITE;
    cl_int rc;
    if (buf->mem == LAD_MEM_MAPPED)
        how |= CL_MEM_ALLOC_HOST_PTR;
    else if (buf->mem == LAD_MEM_HOST_POINTER)
        how |= CL_MEM_USE_HOST_PTR;
    buf->object = lad_cl.CreateBuffer(dev->context, how, buf->bytes, host, &rc);
    return buf->object || lad_cl_fail(fail, "clCreateBuffer", rc, "%llu bytes", (unsigned long long)buf->bytes);
}

struct lad_buf *lad_cl_buf_create(struct lad_dev *dev, const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    static uint64_t serial;
    bool svm = desc->mem == LAD_MEM_SVM_COARSE || desc->mem == LAD_MEM_SVM_FINE;
    if (desc->mem == LAD_MEM_COHERENT || desc->mem == LAD_MEM_NONCOHERENT) {
        lad_cl_refuse(fail, "clCreateBuffer", dev->device->info.why[LAD_CAP_MEM_COHERENT]);
        return NULL;
    }
    if (desc->address && desc->mem == LAD_MEM_HOST_POINTER) {
        lad_cl_refuse(fail, "clCreateBuffer", "OpenCL gives no address to memory of the host program");
        return NULL;
    }
    struct lad_buf *buf = calloc(1, sizeof *buf);
    if (!buf)
        abort();
    buf->serial = ++serial;
    buf->bytes = desc->bytes;
    buf->mem = desc->mem;
    /* Only shared virtual memory has an address that the host may know. */
    if (svm || desc->address ? create_svm(dev, buf, fail)
                             : create_object(dev, buf, desc->mem == LAD_MEM_HOST_POINTER ? desc->host : NULL, fail))
        return buf;
    free(buf);
    return NULL;
}

void lad_cl_buf_destroy(struct lad_dev *dev, struct lad_buf *buf)
{
    if (!buf || dev->abandoned)
        return;
    for (size_t i = 0; i < buf->n_parts; i++)
        lad_cl.ReleaseMemObject(buf->part[i].object);
    if (buf->object)
        lad_cl.ReleaseMemObject(buf->object);
    if (buf->svm)
        lad_cl.SVMFree(dev->context, buf->svm);
    free(buf->part);
    free(buf);
}

cl_mem lad_cl_object(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    cl_int rc;
    if (!buf->object) {
        buf->object =
            lad_cl.CreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, buf->bytes, buf->svm, &rc);
        if (!buf->object)
            lad_cl_fail(fail, "clCreateBuffer", rc, "over a block of shared virtual memory");
    }
    return buf->object;
}

cl_mem lad_cl_range(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, uint64_t bytes, struct lad_fail *fail)
{
    if (!bytes)
        bytes = buf->bytes - offset;
    if (!offset && bytes == buf->bytes)
        return lad_cl_object(dev, buf, fail);
    for (size_t i = 0; i < buf->n_parts; i++)
        if (buf->part[i].offset == offset && buf->part[i].bytes == bytes)
            return buf->part[i].object;
    cl_buffer_region region = {offset, bytes};
    cl_int rc;
    cl_mem whole = lad_cl_object(dev, buf, fail), part;
    if (!whole)
        return NULL;
    part = lad_cl.CreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &rc);
    if (!part) {
        lad_cl_fail(fail, "clCreateSubBuffer", rc, "%llu bytes at %llu of %llu", (unsigned long long)bytes,
                    (unsigned long long)offset, (unsigned long long)buf->bytes);
        return NULL;
    }
    buf->part = realloc(buf->part, (buf->n_parts + 1) * sizeof *buf->part);
    if (!buf->part)
        abort();
    buf->part[buf->n_parts++] = (struct lad_cl_part){offset, bytes, part};
    return part;
}

bool lad_cl_buf_write(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, const void *data, size_t bytes,
                      struct lad_fail *fail)
{
    cl_command_queue q = dev->queue[0].queue;
    if (!bytes)
        return true;
    cl_int rc = buf->svm ? lad_cl.EnqueueSVMMemcpy(q, CL_TRUE, buf->svm + offset, data, bytes, 0, NULL, NULL)
                         : lad_cl.EnqueueWriteBuffer(q, buf->object, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    lad_cl_be_patient(dev);
    return rc == CL_SUCCESS || lad_cl_fail(fail, buf->svm ? "clEnqueueSVMMemcpy" : "clEnqueueWriteBuffer", rc, NULL);
}

bool lad_cl_buf_read(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, void *data, size_t bytes,
                     struct lad_fail *fail)
{
    cl_command_queue q = dev->queue[0].queue;
    if (!bytes)
        return true;
    const char *call = buf->svm ? "clEnqueueSVMMemcpy" : "clEnqueueReadBuffer";
    cl_event event;
    cl_int rc = buf->svm ? lad_cl.EnqueueSVMMemcpy(q, CL_TRUE, data, buf->svm + offset, bytes, 0, NULL, &event)
                         : lad_cl.EnqueueReadBuffer(q, buf->object, CL_TRUE, offset, bytes, data, 0, NULL, &event);
    if (rc != CL_SUCCESS)
        return lad_cl_fail(fail, call, rc, NULL);
    lad_cl_be_patient(dev);
    return lad_cl_read_is_over(dev, event, call, data, bytes, fail);
}

void *lad_cl_map(struct lad_dev *dev, struct lad_buf *buf, bool write, struct lad_fail *fail)
{
    cl_command_queue q = dev->queue[0].queue;
    cl_map_flags how = write ? CL_MAP_READ | CL_MAP_WRITE : CL_MAP_READ;
    cl_int rc = CL_SUCCESS;
    if (buf->svm && buf->fine)
        return buf->mapped = buf->svm;
    if (buf->svm) {
        rc = lad_cl.EnqueueSVMMap(q, CL_TRUE, how, buf->svm, buf->bytes, 0, NULL, NULL);
        buf->mapped = rc == CL_SUCCESS ? buf->svm : NULL;
    } else {
        buf->mapped = lad_cl.EnqueueMapBuffer(q, buf->object, CL_TRUE, how, 0, buf->bytes, 0, NULL, NULL, &rc);
    }
    if (!buf->mapped)
        lad_cl_fail(fail, buf->svm ? "clEnqueueSVMMap" : "clEnqueueMapBuffer", rc, NULL);
    return buf->mapped;
}

bool lad_cl_unmap(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    cl_command_queue q = dev->queue[0].queue;
    cl_event done;
    void *mapped = buf->mapped;
    buf->mapped = NULL;
    if (buf->svm && buf->fine)
        return true;
    cl_int rc = buf->svm ? lad_cl.EnqueueSVMUnmap(q, mapped, 0, NULL, &done)
                         : lad_cl.EnqueueUnmapMemObject(q, buf->object, mapped, 0, NULL, &done);
    if (rc != CL_SUCCESS)
        return lad_cl_fail(fail, buf->svm ? "clEnqueueSVMUnmap" : "clEnqueueUnmapMemObject", rc, NULL);
    rc = lad_cl.WaitForEvents(1, &done); /* the next command may go to another queue */
    lad_cl.ReleaseEvent(done);
    return rc == CL_SUCCESS || lad_cl_fail(fail, "clWaitForEvents", rc, "for the unmapping");
}

uint64_t lad_cl_buf_address(struct lad_dev *dev, struct lad_buf *buf)
{
    (void)dev;
    return (uintptr_t)buf->svm;
}
