/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: arguments, dispatch, fill, copy, order between queues, waiting with a deadline, times. Commands are handed
 * to the driver at once; a wait polls an event, because clFinish takes no deadline and does not always wait.
 */
#include "cl.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTLAST_NS 10000000000ull /* how long a read that has returned may go on */
enum { SPIN_NS = 200000, MOST_SLEEP_NS = 1000000, ALIVE_NS = 500000000 };

/* ---- events of a queue --------------------------------------------------------------------------------------- */

static cl_int get_status(cl_event event)
{
    cl_int status = CL_QUEUED;
    cl_int rc = lad_cl.GetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    return rc == CL_SUCCESS ? status : rc;
}

/* Long batches: what is complete need not be kept, except the first and the last, which give the times. */
static void drop_complete(struct lad_dev *dev, struct lad_cl_queue *q)
{
    size_t kept = 1;
    for (size_t i = 1; i < q->n; i++) {
        cl_int status = i + 1 < q->n ? get_status(q->event[i]) : CL_QUEUED;
        if (status > CL_COMPLETE) {
            q->event[kept++] = q->event[i];
            continue;
        }
        if (status < 0 && !dev->broken)
            dev->broken = status;
        lad_cl.ReleaseEvent(q->event[i]);
    }
    q->n = kept;
}

static void add_event(struct lad_dev *dev, struct lad_cl_queue *q, cl_event event)
{
    if (q->n == q->room && q->n >= 256)
        drop_complete(dev, q);
    if (q->n == q->room || (q->n >= 256 && q->n * 2 > q->room)) {
        q->room = q->room ? q->room * 2 : 16;
        q->event = realloc(q->event, q->room * sizeof *q->event);
        if (!q->event)
            abort();
    }
    q->event[q->n++] = event;
    q->open = true;
}

static void forget_events(struct lad_dev *dev)
{
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        struct lad_cl_queue *q = &dev->queue[i];
        for (size_t k = 0; k < q->n; k++)
            lad_cl.ReleaseEvent(q->event[k]);
        if (q->fence)
            lad_cl.ReleaseEvent(q->fence);
        if (q->mark)
            lad_cl.ReleaseEvent(q->mark);
        q->fence = q->mark = NULL;
        q->open = false;
        q->n = 0;
        q->seen = dev->barrier;
    }
    if (dev->last_dispatch)
        lad_cl.ReleaseEvent(dev->last_dispatch);
    dev->last_dispatch = NULL;
    dev->start_ns = 0;
    dev->broken = 0;
}

/* ---- recording ----------------------------------------------------------------------------------------------- */

struct command { /* one about to be enqueued */
    struct lad_cl_queue *q;
    cl_command_queue queue;
    cl_event after[LAD_CL_QUEUES];
    cl_uint n_after;
};

/* A queue is in order by itself; a barrier orders it after what the others held when the barrier was recorded. */
static bool begin_command(struct lad_dev *dev, uint32_t index, struct command *c, struct lad_fail *fail)
{
    memset(c, 0, sizeof *c);
    c->queue = lad_cl_queue(dev, index, fail);
    if (!c->queue)
        return false;
    c->q = &dev->queue[index];
    for (size_t i = 0; i < LAD_CL_QUEUES && c->q->seen != dev->barrier; i++)
        if (i != index && dev->queue[i].fence) {
            /* Else nothing obliges it to start, and this queue would wait for ever. */
            lad_cl.Flush(dev->queue[i].queue);
            c->after[c->n_after++] = dev->queue[i].fence;
        }
    if (!dev->start_ns)
        dev->start_ns = lad_now_ns();
    return true;
}

#define AFTER(c) (c).n_after, (c).n_after ? (c).after : NULL

static bool end_command(struct lad_dev *dev, struct command *c, const char *call, cl_int rc, cl_event event,
                        struct lad_fail *fail)
{
    if (rc != CL_SUCCESS)
        return lad_cl_fail(fail, call, rc, NULL);
    c->q->seen = dev->barrier;
    add_event(dev, c->q, event);
    return true;
}

/* 1: set now, 0: was so already, negative: the result of the call, which failed. */
static int set_buffer(struct lad_dev *dev, struct lad_kernel *k, uint32_t slot, cl_uint index,
                      const struct lad_bind *bind, struct lad_fail *fail)
{
    struct lad_cl_arg *arg = &k->arg[slot],
                      want = {bind->buf->serial, bind->offset, bind->bytes, bind->buf->svm != NULL};
    if (!memcmp(arg, &want, sizeof want))
        return 0;
    arg->serial = 0;
    cl_int rc;
    if (bind->buf->svm) {
        rc = lad_cl.SetKernelArgSVMPointer(k->kernel, index, bind->buf->svm + bind->offset);
    } else {
        cl_mem object = lad_cl_range(dev, bind->buf, bind->offset, bind->bytes, fail);
        if (!object)
            return -1;
        rc = lad_cl.SetKernelArg(k->kernel, index, sizeof object, &object);
    }
    if (rc != CL_SUCCESS) {
        lad_cl_fail(fail, bind->buf->svm ? "clSetKernelArgSVMPointer" : "clSetKernelArg", rc, "argument %u, a buffer",
                    index);
        return -1;
    }
    *arg = want;
    return 1;
}

static bool set_scalars(struct lad_kernel *k, const char *scalars, struct lad_fail *fail)
{
    const struct lad_kernel_source *s = k->source;
    for (uint32_t i = 0; i < s->n_scalars; i++) {
        const struct lad_scalar_decl *d = &s->scalars[i];
        if (k->scalars_set && !memcmp((char *)k->scalars + d->offset, scalars + d->offset, d->bytes))
            continue;
        cl_int rc = lad_cl.SetKernelArg(k->kernel, s->n_bufs + i, d->bytes, scalars + d->offset);
        if (rc != CL_SUCCESS) {
            k->scalars_set = false;
            return lad_cl_fail(fail, "clSetKernelArg", rc, "argument %u, %s, %u bytes", s->n_bufs + i, d->name,
                               d->bytes);
        }
    }
    memcpy(k->scalars, scalars, s->scalar_bytes);
    k->scalars_set = true;
    return true;
}

static bool set_witness(struct lad_dev *dev, struct lad_kernel *k, struct lad_buf *witness, struct lad_fail *fail)
{
    const struct lad_kernel_source *s = k->source;
    cl_uint index = s->n_bufs + s->n_scalars;
    cl_int rc;
    if (witness)
        return set_buffer(dev, k, s->n_bufs, index, &(struct lad_bind){witness, 0, 0}, fail) >= 0;
    if (k->arg[s->n_bufs].serial == UINT64_MAX)
        return true;
    if (!dev->nowhere)
        dev->nowhere = lad_cl.CreateBuffer(dev->context, CL_MEM_READ_WRITE, 4096, NULL, &rc);
    if (!dev->nowhere)
        return lad_cl_fail(fail, "clCreateBuffer", rc, "in place of the witness");
    rc = lad_cl.SetKernelArg(k->kernel, index, sizeof dev->nowhere, &dev->nowhere);
    k->arg[s->n_bufs] = (struct lad_cl_arg){rc == CL_SUCCESS ? UINT64_MAX : 0, 0, 0, 0};
    return rc == CL_SUCCESS || lad_cl_fail(fail, "clSetKernelArg", rc, "argument %u, the witness", index);
}

/* NVIDIA's driver (580) refuses a launch with CL_INVALID_KERNEL_ARGS when an argument that was once a pointer to shared
 * virtual memory is a memory object now: such a dispatch gets a new kernel object. */
static bool forget_pointers(struct lad_kernel *k, const struct lad_dispatch *d, struct lad_fail *fail)
{
    for (uint32_t i = 0; i < k->source->n_bufs; i++)
        if (k->arg[i].pointer && !d->binds[i].buf->svm)
            return lad_cl_kernel_renew(k, fail);
    return true;
}

/* A kernel object cannot be told to forget pointers: a dispatch that announces none gets a new object, so that leaving
 * the announcement out is really left out, and no freed block stays announced. */
static bool announce(struct lad_kernel *k, const struct lad_dispatch *d, struct lad_fail *fail)
{
    void **list = d->n_reach ? calloc(d->n_reach, sizeof *list) : NULL;
    size_t n = 0;
    for (uint32_t i = 0; list && i < d->n_reach; i++)
        if (d->reach[i]->svm)
            list[n++] = d->reach[i]->svm;
    bool ok = n || !k->reaches || lad_cl_kernel_renew(k, fail);
    if (n) {
        cl_int rc = lad_cl.SetKernelExecInfo(k->kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS, n * sizeof *list, list);
        ok = rc == CL_SUCCESS || lad_cl_fail(fail, "clSetKernelExecInfo", rc, "%zu pointers", n);
        k->reaches = true;
    }
    free(list);
    return ok;
}

static bool record_dispatch(struct lad_dev *dev, const struct lad_dispatch *d, struct lad_fail *fail)
{
    struct lad_kernel *k = d->kernel;
    struct command c;
    size_t offset[3], global[3], local[3];
    bool based = false, empty = false;
    if (d->indirect)
        return lad_cl_refuse(fail, "clEnqueueNDRangeKernel", dev->device->info.why[LAD_CAP_INDIRECT]);
    if (!forget_pointers(k, d, fail) || !announce(k, d, fail))
        return false;
    for (uint32_t i = 0; i < k->source->n_bufs; i++)
        if (set_buffer(dev, k, i, i, &d->binds[i], fail) < 0)
            return false;
    if (!set_scalars(k, d->scalars, fail) || !set_witness(dev, k, d->witness, fail))
        return false;
    for (int i = 0; i < 3; i++) {
        local[i] = k->desc.local[i];
        global[i] = d->groups[i] * local[i];
        offset[i] = d->base[i] * local[i];
        based = based || offset[i];
        empty = empty || !global[i];
    }
    if (empty && dev->device->version < 21) {
        lad_cl_say(dev, "a dispatch of no workgroups was left out: there is no empty NDRange before OpenCL 2.1");
        return true;
    }
    cl_event event;
    if (!begin_command(dev, d->queue, &c, fail))
        return false;
    cl_int rc =
        lad_cl.EnqueueNDRangeKernel(c.queue, k->kernel, 3, based ? offset : NULL, global, local, AFTER(c), &event);
    if (!end_command(dev, &c, "clEnqueueNDRangeKernel", rc, event, fail))
        return false;
    if (dev->last_dispatch)
        lad_cl.ReleaseEvent(dev->last_dispatch);
    lad_cl.RetainEvent(event);
    dev->last_dispatch = event;
    dev->n_unsaved += k->unsaved && !k->dispatched;
    k->dispatched = true;
    return true;
}

static bool record_fill(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, uint64_t bytes, uint32_t word,
                        struct lad_fail *fail)
{
    struct command c;
    cl_event event;
    cl_int rc;
    if (!begin_command(dev, 0, &c, fail))
        return false;
    if (buf->svm) {
        rc = lad_cl.EnqueueSVMMemFill(c.queue, buf->svm + offset, &word, sizeof word, bytes, AFTER(c), &event);
        return end_command(dev, &c, "clEnqueueSVMMemFill", rc, event, fail);
    }
    rc = lad_cl.EnqueueFillBuffer(c.queue, buf->object, &word, sizeof word, offset, bytes, AFTER(c), &event);
    return end_command(dev, &c, "clEnqueueFillBuffer", rc, event, fail);
}

static bool record_copy(struct lad_dev *dev, struct lad_buf *src, uint64_t src_offset, struct lad_buf *dst,
                        uint64_t dst_offset, uint64_t bytes, struct lad_fail *fail)
{
    struct command c;
    cl_event event;
    cl_int rc;
    if (!begin_command(dev, 0, &c, fail))
        return false;
    if (src->svm && dst->svm) {
        rc = lad_cl.EnqueueSVMMemcpy(c.queue, CL_FALSE, dst->svm + dst_offset, src->svm + src_offset, bytes, AFTER(c),
                                     &event);
        return end_command(dev, &c, "clEnqueueSVMMemcpy", rc, event, fail);
    }
    cl_mem from = lad_cl_object(dev, src, fail), to = from ? lad_cl_object(dev, dst, fail) : NULL;
    if (!to)
        return false;
    rc = lad_cl.EnqueueCopyBuffer(c.queue, from, to, src_offset, dst_offset, bytes, AFTER(c), &event);
    return end_command(dev, &c, "clEnqueueCopyBuffer", rc, event, fail);
}

static bool record_barrier(struct lad_dev *dev, struct lad_fail *fail)
{
    (void)fail;
    dev->barrier++;
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        struct lad_cl_queue *q = &dev->queue[i];
        if (!q->n)
            continue;
        if (q->fence)
            lad_cl.ReleaseEvent(q->fence);
        q->fence = q->event[q->n - 1];
        lad_cl.RetainEvent(q->fence);
    }
    return true;
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

/* False when the time is over; *status is 0 or negative otherwise. Sleeps are a small part of what has passed already,
 * so that they add little to a measured time. */
static bool poll_event(cl_event event, uint64_t timeout_ns, cl_int *status)
{
    uint64_t start = lad_now_ns(), passed;
    while ((*status = get_status(event)) > CL_COMPLETE) {
        passed = lad_now_ns() - start;
        if (passed >= timeout_ns)
            return false;
        if (passed < SPIN_NS) {
            sched_yield();
            continue;
        }
        uint64_t sleep_ns = passed / 16 < MOST_SLEEP_NS ? passed / 16 : MOST_SLEEP_NS;
        if (sleep_ns > timeout_ns - passed)
            sleep_ns = timeout_ns - passed;
        nanosleep(&(struct timespec){0, (long)sleep_ns}, NULL);
    }
    return true;
}

/* A blocking read has returned. Where its event says that it is not complete, what comes after the return tells. */
bool lad_cl_read_is_over(struct lad_dev *dev, cl_event event, const char *call, const void *data, size_t bytes,
                         struct lad_fail *fail)
{
    cl_int status = get_status(event);
    void *seen = status > CL_COMPLETE ? malloc(bytes) : NULL;
    if (seen) {
        memcpy(seen, data, bytes);
        lad_cl.Flush(dev->queue[0].queue);
    }
    bool over = status <= CL_COMPLETE || poll_event(event, OUTLAST_NS, &status);
    bool same = !seen || !memcmp(seen, data, bytes);
    free(seen);
    lad_cl.ReleaseEvent(event);
    if (over && same && status == CL_COMPLETE)
        return true;
    lad_cl_fail(fail, call, status < 0 ? status : CL_SUCCESS, "%s",
                !over  ? "it returned, and its event never completes"
                : same ? "it succeeded, and its event ended with this status"
                       : "it returned before its event was complete, and the data came later");
    fail->early = over && !same;
    fail->timeout = !over;
    return false;
}

/* OpenCL has no word for a lost device short of CL_DEVICE_NOT_AVAILABLE: after a command that failed, see whether the
 * device still carries out a small one. */
static void check_alive(struct lad_dev *dev, struct lad_fail *fail)
{
    const uint32_t word = 0;
    cl_event event;
    cl_int status = CL_SUCCESS, rc;
    if (!dev->nowhere)
        dev->nowhere = lad_cl.CreateBuffer(dev->context, CL_MEM_READ_WRITE, 4096, NULL, &rc);
    if (!dev->nowhere ||
        lad_cl.EnqueueFillBuffer(dev->queue[0].queue, dev->nowhere, &word, 4, 0, 4096, 0, NULL, &event)) {
        fail->lost = true;
        return;
    }
    lad_cl.Flush(dev->queue[0].queue);
    if (!poll_event(event, ALIVE_NS, &status))
        dev->abandoned = fail->lost = true;
    else
        lad_cl.ReleaseEvent(event);
    fail->lost = fail->lost || status < 0;
}

static bool fail_command(struct lad_dev *dev, const char *call, cl_int code, const char *text, struct lad_fail *fail)
{
    lad_cl_fail(fail, call, code, "%s", text);
    forget_events(dev);
    check_alive(dev, fail);
    return false;
}

/* What is asked later is the state of a marker behind the commands: a driver may hold a command's event locked while
 * that command runs, and then a query of it does not return. */
static bool submit(struct lad_dev *dev, struct lad_fail *fail)
{
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        struct lad_cl_queue *q = &dev->queue[i];
        if (!q->open)
            continue;
        if (q->mark)
            lad_cl.ReleaseEvent(q->mark);
        q->mark = NULL;
        cl_int rc = lad_cl.EnqueueMarkerWithWaitList(q->queue, 0, NULL, &q->mark);
        if (rc != CL_SUCCESS)
            return lad_cl_fail(fail, "clEnqueueMarkerWithWaitList", rc, NULL);
        q->open = false;
        rc = lad_cl.Flush(q->queue);
        if (rc != CL_SUCCESS)
            return lad_cl_fail(fail, "clFlush", rc, NULL);
    }
    return true;
}

static uint64_t get_stamp(cl_event event, cl_profiling_info what)
{
    cl_ulong value = 0;
    cl_int rc = lad_cl.GetEventProfilingInfo(event, what, sizeof value, &value, NULL);
    return rc == CL_SUCCESS ? value : 0;
}

static void take_times(struct lad_dev *dev)
{
    static const cl_profiling_info stamps[] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
                                               CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};
    uint64_t first = UINT64_MAX, last = 0;
    if (!dev->device->info.cap[LAD_CAP_TIMESTAMPS])
        return;
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        const struct lad_cl_queue *q = &dev->queue[i];
        if (!q->n)
            continue;
        uint64_t start = get_stamp(q->event[0], CL_PROFILING_COMMAND_START);
        uint64_t end = get_stamp(q->event[q->n - 1], CL_PROFILING_COMMAND_END);
        first = start < first ? start : first;
        last = end > last ? end : last;
    }
    dev->times.device_ns = last > first ? last - first : 0;
    dev->times.n_raw = dev->last_dispatch ? LAD_N(stamps) : 0;
    for (size_t i = 0; i < dev->times.n_raw; i++)
        dev->times.raw[i] = get_stamp(dev->last_dispatch, stamps[i]);
}

/* An experiment: is it only that waits return too early? */
void lad_cl_be_patient(struct lad_dev *dev)
{
    static int n_pauses;
    const char *patience = getenv("GPULADDER_PATIENCE");
    if (!patience || !*patience)
        return;
    for (size_t i = 0; i < LAD_CL_QUEUES; i++)
        if (dev->queue[i].queue)
            lad_cl.Finish(dev->queue[i].queue);
    long pause_ms = n_pauses++ < 16 ? strtol(patience, NULL, 10) : 0;
    nanosleep(&(struct timespec){pause_ms / 1000, pause_ms % 1000 * 1000000}, NULL);
}

static bool wait(struct lad_dev *dev, uint64_t timeout_ns, struct lad_fail *fail)
{
    uint64_t start = lad_now_ns();
    cl_int broken = dev->broken, status;
    memset(&dev->times, 0, sizeof dev->times);
    if (!submit(dev, fail)) {
        forget_events(dev);
        check_alive(dev, fail);
        return false;
    }
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        const struct lad_cl_queue *q = &dev->queue[i];
        uint64_t passed = lad_now_ns() - start;
        if (q->mark && !poll_event(q->mark, timeout_ns > passed ? timeout_ns - passed : 0, &status)) {
            lad_cl_fail(fail, "clGetEventInfo", 0,
                        "after %.3f s the marker behind %zu commands in queue %zu is still %s",
                        (double)(lad_now_ns() - start) / 1e9, q->n, i,
                        status == CL_RUNNING     ? "CL_RUNNING"
                        : status == CL_SUBMITTED ? "CL_SUBMITTED"
                                                 : "CL_QUEUED");
            fail->timeout = dev->abandoned = true;
            return false;
        }
        for (size_t k = 0; k < q->n && !broken; k++) {
            cl_int ended = get_status(q->event[k]);
            broken = ended < 0 ? ended : 0;
        }
        if (q->mark && status < 0 && !broken)
            broken = status;
    }
    lad_cl_be_patient(dev);
    dev->times.host_ns = dev->start_ns ? lad_now_ns() - dev->start_ns : 0;
    if (broken)
        return fail_command(dev, "clGetEventInfo", broken, "a command ended with this status", fail);
    take_times(dev);
    forget_events(dev);
    if (dev->n_unsaved)
        lad_cl_save_programs(dev);
    return true;
}

static bool finish(struct lad_dev *dev, struct lad_fail *fail)
{
    if (!submit(dev, fail))
        return false;
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        cl_int rc = dev->queue[i].n ? lad_cl.Finish(dev->queue[i].queue) : CL_SUCCESS;
        if (rc != CL_SUCCESS)
            return lad_cl_fail(fail, "clFinish", rc, NULL);
    }
    return true;
}

static bool ask_done(struct lad_dev *dev, bool *complete, struct lad_fail *fail)
{
    *complete = true;
    for (size_t i = 0; i < LAD_CL_QUEUES; i++) {
        const struct lad_cl_queue *q = &dev->queue[i];
        cl_int status = q->mark ? get_status(q->mark) : CL_COMPLETE;
        if (status < 0)
            return lad_cl_fail(fail, "clGetEventInfo", status, "the marker behind the last command of queue %zu", i);
        *complete = *complete && status == CL_COMPLETE;
    }
    return true;
}

static bool get_times(struct lad_dev *dev, struct lad_times *times)
{
    *times = dev->times;
    return true;
}

const struct lad_backend lad_backend_opencl = {
    .abi = LAD_BACKEND_ABI,
    .name = "opencl",
    .prefix = "cl",
    .enumerate = lad_cl_enumerate,
    .open = lad_cl_open,
    .close = lad_cl_close,
    .buf_create = lad_cl_buf_create,
    .buf_destroy = lad_cl_buf_destroy,
    .buf_write = lad_cl_buf_write,
    .buf_read = lad_cl_buf_read,
    .kernel_create = lad_cl_kernel_create,
    .kernel_destroy = lad_cl_kernel_destroy,
    .dispatch = record_dispatch,
    .wait = wait,
    .fill = record_fill,
    .copy = record_copy,
    .barrier = record_barrier,
    .map = lad_cl_map,
    .unmap = lad_cl_unmap,
    .buf_address = lad_cl_buf_address,
    .times = get_times,
    .submit = submit,
    .finish = finish,
    .done = ask_done,
    .message = lad_cl_message,
    .build_log = lad_cl_build_log,
    .kernel_bytes = lad_cl_kernel_bytes,
};
