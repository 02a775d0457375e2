/* SPDX-License-Identifier: Apache-2.0 */
/* Devices over all platforms, and one of them opened: context, queues, the driver's messages. */
#include "cl.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* More than any machine has; a driver that announces billions is not believed. */
enum { MOST_PLATFORMS = 64, MOST_DEVICES = 64 };

static struct lad_cl_device *devices;
static size_t n_devices;
static _Atomic(struct lad_dev *) opened; /* there is one at a time */

/* False after filling *fail; a platform without devices is fine. */
static bool list_platform(cl_platform_id platform, uint32_t index, struct lad_fail *fail)
{
    cl_device_id ids[MOST_DEVICES];
    cl_uint n = 0;
    cl_int rc = lad_cl.GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST_DEVICES, ids, &n);
    if (rc == CL_DEVICE_NOT_FOUND)
        return true;
    if (rc != CL_SUCCESS)
        return lad_cl_fail(fail, "clGetDeviceIDs", rc, NULL);
    bool ok = n <= MOST_DEVICES ||
              lad_cl_fail(fail, "clGetDeviceIDs", 0, "%u devices announced; the first %d are used", n, MOST_DEVICES);
    for (cl_uint i = 0; i < n && i < MOST_DEVICES; i++) {
        devices = realloc(devices, (n_devices + 1) * sizeof *devices);
        if (!devices)
            abort();
        struct lad_cl_device *d = &devices[n_devices];
        memset(d, 0, sizeof *d);
        d->platform = platform;
        d->id = ids[i];
        if (lad_cl_describe(d, index, fail))
            n_devices++;
        else
            ok = false;
    }
    return ok;
}

bool lad_cl_enumerate(struct lad_dev_info *info, size_t room, size_t *n, struct lad_fail *fail)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint n_platforms = 0;
    bool ok = true;
    *n = 0;
    if (!lad_cl_load(fail))
        return false;
    if (!devices) {
        cl_int rc = lad_cl.GetPlatformIDs(MOST_PLATFORMS, platforms, &n_platforms);
        if (rc == CL_PLATFORM_NOT_FOUND_KHR)
            return true;
        if (rc != CL_SUCCESS)
            return lad_cl_fail(fail, "clGetPlatformIDs", rc, NULL);
    }
    for (cl_uint i = 0; i < n_platforms && i < MOST_PLATFORMS; i++)
        ok = list_platform(platforms[i], i, fail) && ok;
    *n = n_devices;
    for (size_t i = 0; i < n_devices && i < room; i++)
        info[i] = devices[i].info;
    return ok || n_devices; /* one bad platform does not hide the others' devices */
}

void lad_cl_say(struct lad_dev *dev, const char *text)
{
    pthread_mutex_lock(&dev->lock);
    if (dev->n_messages - dev->n_told < LAD_CL_MESSAGES) { /* a driver that floods loses the later ones */
        snprintf(dev->message[dev->n_messages % LAD_CL_MESSAGES], sizeof *dev->message, "%s", text);
        dev->n_messages++;
    }
    pthread_mutex_unlock(&dev->lock);
}

const char *lad_cl_message(struct lad_dev *dev)
{
    const char *text = NULL;
    pthread_mutex_lock(&dev->lock);
    if (dev->n_told < dev->n_messages) {
        memcpy(dev->told, dev->message[dev->n_told++ % LAD_CL_MESSAGES], sizeof dev->told);
        text = dev->told;
    }
    pthread_mutex_unlock(&dev->lock);
    return text;
}

/* The argument is not used: a driver was seen to pass NULL for it. */
static void CL_CALLBACK take_message(const char *text, const void *private_info, size_t bytes, void *arg)
{
    (void)private_info, (void)bytes, (void)arg;
    struct lad_dev *dev = atomic_load(&opened);
    if (dev && text && *text)
        lad_cl_say(dev, text + strspn(text, "\n"));
}

cl_command_queue lad_cl_queue(struct lad_dev *dev, uint32_t index, struct lad_fail *fail)
{
    cl_int rc = CL_INVALID_VALUE;
    if (index < LAD_CL_QUEUES && !dev->queue[index].queue) {
        cl_command_queue_properties how =
            dev->device->info.cap[LAD_CAP_TIMESTAMPS] ? (cl_command_queue_properties)CL_QUEUE_PROFILING_ENABLE : 0;
        dev->queue[index].queue = lad_cl.CreateCommandQueue(dev->context, dev->device->id, how, &rc);
    }
    if (index >= LAD_CL_QUEUES || !dev->queue[index].queue) {
        lad_cl_fail(fail, "clCreateCommandQueue", rc, "queue %u", index);
        return NULL;
    }
    return dev->queue[index].queue;
}

struct lad_dev *lad_cl_open(size_t index, struct lad_fail *fail)
{
    if (index >= n_devices) {
        lad_cl_fail(fail, "clGetDeviceIDs", CL_DEVICE_NOT_FOUND, "device %zu of %zu", index, n_devices);
        return NULL;
    }
    const struct lad_cl_device *d = &devices[index];
    if (d->version < 12) {
        lad_cl_refuse(fail, "clGetDeviceInfo", "the device is older than OpenCL 1.2");
        return NULL;
    }
    struct lad_dev *dev = calloc(1, sizeof *dev);
    if (!dev)
        abort();
    pthread_mutex_init(&dev->lock, NULL);
    dev->device = d;
    atomic_store(&opened, dev);
    cl_context_properties how[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)d->platform, 0};
    cl_int rc;
    dev->context = lad_cl.CreateContext(how, 1, &d->id, take_message, NULL, &rc);
    if (!dev->context) {
        lad_cl_fail(fail, "clCreateContext", rc, NULL);
        lad_cl_close(dev);
        return NULL;
    }
    if (!lad_cl_queue(dev, 0, fail)) {
        lad_cl_close(dev);
        return NULL;
    }
    return dev;
}

void lad_cl_close(struct lad_dev *dev)
{
    atomic_store(&opened, NULL);
    if (!dev || dev->abandoned) /* releasing busy objects can block for as long as the kernel runs */
        return;
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        struct lad_cl_queue *q = &dev->queue[i];
        for (size_t k = 0; k < q->n; k++)
            lad_cl.ReleaseEvent(q->event[k]);
        if (q->fence)
            lad_cl.ReleaseEvent(q->fence);
        if (q->mark)
            lad_cl.ReleaseEvent(q->mark);
        if (q->queue)
            lad_cl.ReleaseCommandQueue(q->queue);
        free(q->event);
    }
    if (dev->last_dispatch)
        lad_cl.ReleaseEvent(dev->last_dispatch);
    if (dev->nowhere)
        lad_cl.ReleaseMemObject(dev->nowhere);
    if (dev->context)
        lad_cl.ReleaseContext(dev->context);
    pthread_mutex_destroy(&dev->lock);
    free(dev);
}
