/* SPDX-License-Identifier: Apache-2.0 */
/* When something runs: gates in front of queues, and what waits for them. */
#include "cl_fault.h"
#include <string.h>
#include <time.h>

enum { AHEAD_MS = 50, BUILD_MS = 10000 };

static struct queue queues[MOST];
static size_t n_queues;

struct queue *find_queue(cl_command_queue handle)
{
    for (size_t i = 0; i < n_queues; i++)
        if (queues[i].handle == handle)
            return &queues[i];
    return NULL;
}

cl_context context_of(cl_command_queue q)
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
    int most_ms = lad_inject_on(&layer.set, LAD_FAULT_S4_cl_no_wait_list) ? BUILD_MS : AHEAD_MS;
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

/* clFinish behind a clFlush returns too early on rusticl. */
void finish(cl_command_queue q)
{
    cl_event end;
    if (to->clEnqueueMarkerWithWaitList(q, 0, NULL, &end) != CL_SUCCESS)
        return;
    to->clFlush(q);
    to->clWaitForEvents(1, &end);
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
void go(void)
{
    pthread_mutex_lock(&layer.lock);
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
            finish(queues[i].handle);
            to->clSetUserEventStatus(queues[i].late, CL_COMPLETE);
            to->clReleaseEvent(queues[i].late);
            queues[i].late = NULL;
            finish(queues[i].hidden);
        }
    end_batch();
    pthread_mutex_unlock(&layer.lock);
    end_uploads();
}

/* What a command waits for that shall run behind the rest. */
cl_event late_gate(struct queue *q)
{
    pthread_mutex_lock(&layer.lock);
    if (!q->late)
        q->late = to->clCreateUserEvent(context_of(q->handle), NULL);
    cl_event gate = q->late;
    pthread_mutex_unlock(&layer.lock);
    return gate;
}

/* What a command on q waits for: what it was asked to, and the queue's gate. */
struct waits gated(cl_command_queue q, cl_uint n, const cl_event *list)
{
    struct waits w = {0};
    struct queue *found = find_queue(q);
    end_uploads();
    for (cl_uint i = 0; i < n && w.n < 63; i++)
        w.list[w.n++] = list[i];
    if (!layer.reorder || !found)
        return w;
    pthread_mutex_lock(&layer.lock);
    if (!found->gate)
        found->gate = to->clCreateUserEvent(context_of(q), NULL);
    if (found->gate)
        w.list[w.n++] = found->gate;
    pthread_mutex_unlock(&layer.lock);
    return w;
}

cl_int mark(cl_command_queue q, cl_uint n, const cl_event *list, cl_event *event)
{
    return to->clEnqueueMarkerWithWaitList(q, n, list, event);
}

static void note_queue(cl_command_queue q, cl_command_queue hidden)
{
    pthread_mutex_lock(&layer.lock);
    struct queue *stale = find_queue(q); /* events may have kept it alive beyond its release */
    if (stale)
        memmove(stale, stale + 1, (size_t)(queues + --n_queues - stale) * sizeof *stale);
    if (n_queues < MOST)
        queues[n_queues++] = (struct queue){.handle = q, .hidden = hidden};
    pthread_mutex_unlock(&layer.lock);
}

static cl_command_queue CL_API_CALL CreateCommandQueue(cl_context c, cl_device_id d, cl_command_queue_properties how,
                                                       cl_int *rc)
{
    cl_command_queue q = to->clCreateCommandQueue(c, d, how, rc);
    if (q)
        note_queue(q, to->clCreateCommandQueue(c, d, how, NULL));
    return q;
}

static cl_command_queue CL_API_CALL CreateCommandQueueWithProperties(cl_context c, cl_device_id d,
                                                                     const cl_queue_properties *p, cl_int *rc)
{
    cl_command_queue q = to->clCreateCommandQueueWithProperties(c, d, p, rc);
    cl_command_queue_properties how = 0;
    if (q)
        to->clGetCommandQueueInfo(q, CL_QUEUE_PROPERTIES, sizeof how, &how, NULL);
    if (q && !(how & CL_QUEUE_ON_DEVICE))
        note_queue(q, to->clCreateCommandQueueWithProperties(c, d, p, NULL));
    return q;
}

static cl_int CL_API_CALL ReleaseCommandQueue(cl_command_queue q)
{
    go();
    pthread_mutex_lock(&layer.lock);
    struct queue *found = find_queue(q);
    cl_uint refs = 0;
    to->clGetCommandQueueInfo(q, CL_QUEUE_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    if (found && refs == 1) {
        if (found->hidden)
            to->clReleaseCommandQueue(found->hidden);
        memmove(found, found + 1, (size_t)(queues + --n_queues - found) * sizeof *found);
    }
    pthread_mutex_unlock(&layer.lock);
    return to->clReleaseCommandQueue(q);
}

/* S1: what waits behind a gate is said to be complete, and stays there until the next transfer in. */
static bool lies(void)
{
    return layer.early && HIT(S1_cl_early);
}

static cl_int CL_API_CALL Flush(cl_command_queue q)
{
    /* A flush ahead of every use of an event in another queue would give the first queue its head start. */
    if (layer.early || lad_inject_on(&layer.set, LAD_FAULT_S4_cl_no_wait_list))
        return CL_SUCCESS;
    go();
    return to->clFlush(q);
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

static cl_int CL_API_CALL SetEventCallback(cl_event event, cl_int status,
                                           void(CL_CALLBACK *call)(cl_event, cl_int, void *), void *arg)
{
    if (call && lies()) {
        call(event, status, arg);
        return CL_SUCCESS;
    }
    cl_int rc = to->clSetEventCallback(event, status, call, arg);
    go();
    return rc;
}

void hook_queues(struct _cl_icd_dispatch *table)
{
    table->clCreateCommandQueue = CreateCommandQueue;
    table->clCreateCommandQueueWithProperties = CreateCommandQueueWithProperties;
    table->clSetEventCallback = SetEventCallback;
    table->clReleaseCommandQueue = ReleaseCommandQueue;
    table->clFlush = Flush;
    table->clFinish = Finish;
    table->clWaitForEvents = WaitForEvents;
    table->clGetEventInfo = GetEventInfo;
}
