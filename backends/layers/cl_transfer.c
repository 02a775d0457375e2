/* SPDX-License-Identifier: Apache-2.0 */
/* What moves between host and device: reads, writes, fills, copies and mappings. */
#include "cl_fault.h"
#include <stdlib.h>
#include <string.h>

struct map {
    cl_mem memory;
    void *at;
    size_t offset, bytes;
    bool writing, own; /* own: memory of ours */
};

static struct map maps[MOST];
static size_t n_maps;

static size_t keep_bits(size_t bytes, const struct lad_inject *f)
{
    return PARAM(f, "bits") < 64 ? bytes & (size_t)((1ull << PARAM(f, "bits")) - 1) : bytes;
}

/* What a transfer touches: rows of a box. Of a linear one there is one row. */
struct box {
    cl_mem buffer;
    unsigned char *svm; /* shared virtual memory, where there is no buffer */
    size_t offset, size[3], pitch[2];
    unsigned char *host;
    size_t host_pitch[2];
};

static struct box linear(cl_mem b, size_t offset, size_t bytes, const void *host)
{
    return (struct box){.buffer = b, .offset = offset, .size = {bytes, 1, 1}, .host = (unsigned char *)(uintptr_t)host};
}

static struct box rectangle(cl_mem b, const size_t *origin, const size_t *host_origin, const size_t *size, size_t row,
                            size_t slice, size_t host_row, size_t host_slice, const void *host)
{
    struct box x = {.buffer = b, .size = {size[0], size[1], size[2]}};
    x.pitch[0] = row ? row : size[0];
    x.pitch[1] = slice ? slice : x.pitch[0] * size[1];
    x.host_pitch[0] = host_row ? host_row : size[0];
    x.host_pitch[1] = host_slice ? host_slice : x.host_pitch[0] * size[1];
    x.offset = origin[0] + origin[1] * x.pitch[0] + origin[2] * x.pitch[1];
    x.host = (unsigned char *)(uintptr_t)host + host_origin[0] + host_origin[1] * x.host_pitch[0] +
             host_origin[2] * x.host_pitch[1];
    return x;
}

static size_t bytes_of(const struct box *x)
{
    return x->size[0] * x->size[1] * x->size[2];
}

static struct lad_at at_box(const struct box *x)
{
    size_t bytes = bytes_of(x), whole = x->svm ? svm_bytes(x->svm) : 0;
    if (x->buffer)
        return at_mem(x->buffer, bytes);
    return (struct lad_at){.size = bytes, .after = layer.n_launches, .part = bytes < whole};
}

/* Calls what: with each row of the box that begins below `limit` bytes, and how much of it lies there. */
static void each_row(cl_command_queue q, const struct box *x, size_t limit,
                     void (*what)(cl_command_queue, const struct box *, size_t at, size_t host, size_t packed, size_t n,
                                  void *arg),
                     void *arg)
{
    for (size_t r = 0; r < x->size[1] * x->size[2]; r++) {
        size_t y = r % x->size[1], z = r / x->size[1], packed = r * x->size[0];
        if (packed < limit)
            what(q, x, x->offset + y * x->pitch[0] + z * x->pitch[1], y * x->host_pitch[0] + z * x->host_pitch[1],
                 packed, x->size[0] < limit - packed ? x->size[0] : limit - packed, arg);
    }
}

static void put_row(cl_command_queue q, const struct box *x, size_t at, size_t host, size_t packed, size_t n, void *arg)
{
    (void)host;
    if (x->buffer)
        to->clEnqueueWriteBuffer(q, x->buffer, CL_TRUE, at, n, (unsigned char *)arg + packed, 0, NULL, NULL);
    else
        to->clEnqueueSVMMemcpy(q, CL_TRUE, x->svm + at, (unsigned char *)arg + packed, n, 0, NULL, NULL);
}

static void get_row(cl_command_queue q, const struct box *x, size_t at, size_t host, size_t packed, size_t n, void *arg)
{
    (void)packed;
    (void)arg;
    if (x->buffer)
        to->clEnqueueReadBuffer(q, x->buffer, CL_TRUE, at, n, x->host + host, 0, NULL, NULL);
    else
        to->clEnqueueSVMMemcpy(q, CL_TRUE, x->host + host, x->svm + at, n, 0, NULL, NULL);
}

static void pack_row(cl_command_queue q, const struct box *x, size_t at, size_t host, size_t packed, size_t n,
                     void *arg)
{
    (void)q;
    (void)at;
    memcpy((unsigned char *)arg + packed, x->host + host, n);
}

static void clear_row(cl_command_queue q, const struct box *x, size_t at, size_t host, size_t packed, size_t n,
                      void *arg)
{
    (void)q;
    (void)at;
    (void)packed;
    (void)arg;
    memset(x->host + host, 0, n);
}

/* An upload that was said to be done, and waits in the one staging buffer that all uploads share. */
static struct {
    cl_command_queue queue;
    struct box box;
    unsigned char *data;
} staged;

void end_uploads(void)
{
    cl_command_queue q = staged.queue;
    staged.queue = NULL;
    if (q)
        each_row(q, &staged.box, (size_t)-1, put_row, staged.data);
}

/* ---- uploads ---------------------------------------------------------------------------------------------------- */

/* Elements laid out apart, and a tail that is gone: the data as the device shall see them. */
static bool change_data(unsigned char *data, size_t bytes, struct lad_at at)
{
    struct lad_inject *spread = step(LAD_FAULT_B5_cl_stride, at), *freed = step(LAD_FAULT_U2_cl_tail_freed, at);
    size_t from = spread ? (size_t)PARAM(spread, "from") : 0, apart = spread ? (size_t)PARAM(spread, "to") : 0;
    unsigned char *was = from ? malloc(bytes + 1) : NULL;
    if (was) {
        memcpy(was, data, bytes);
        memset(data, 0, bytes);
    }
    for (size_t i = 0; was && (i + 1) * from <= bytes && i * apart + from <= bytes; i++)
        memcpy(data + i * apart, was + i * from, from);
    free(was);
    size_t tail = freed ? (size_t)PARAM(freed, "tail") : 0;
    tail = tail < bytes ? tail : bytes;
    memset(data + bytes - tail, 0xDD, tail);
    return spread || freed;
}

/* What every upload goes through. True where it is done with, as faults have it: the caller does not make it any more.
 */
static bool change_upload(cl_command_queue q, struct box x, cl_uint n, const cl_event *list, cl_event *event,
                          cl_int *rc)
{
    struct lad_at at = at_box(&x);
    struct lad_inject *f;
    size_t bytes = bytes_of(&x), limit = bytes;
    unsigned char *data = layer.set.n ? malloc(bytes + 1) : NULL;
    bool shifted = false, zeros, other;
    if (!data) { /* no fault is on */
        go();
        return false;
    }
    if (staged.queue) { /* later data go into the staging buffer over what waits there */
        size_t room = bytes_of(&staged.box);
        each_row(q, &x, room, pack_row, staged.data);
    }
    go();
    if (step(LAD_FAULT_U1_cl_no_write, at))
        limit = 0;
    each_row(q, &x, limit, pack_row, data);
    if (limit && step(LAD_FAULT_U2_cl_staging_reused, at)) {
        free(staged.data);
        staged.queue = q;
        staged.box = x;
        staged.data = data;
        *rc = mark(q, n, list, event);
        return true;
    }
    if (limit && (f = step(LAD_FAULT_U4_cl_write_cap, at)) && limit > PARAM(f, "cap"))
        limit = (size_t)PARAM(f, "cap");
    if (limit && (f = step(LAD_FAULT_Z1_cl_write_size, at)))
        limit = keep_bits(limit, f);
    if (limit && (f = step(LAD_FAULT_U4_cl_write_offset, at)) && x.offset >= PARAM(f, "bytes")) {
        x.offset -= (size_t)PARAM(f, "bytes");
        shifted = PARAM(f, "bytes");
    }
    if ((zeros = limit && step(LAD_FAULT_U1_cl_zeros, at)))
        memset(data, 0, bytes);
    other = limit && change_data(data, limit, at);
    if (limit == bytes && !shifted && !zeros && !other) {
        free(data);
        return false;
    }
    if (n)
        to->clWaitForEvents(n, list);
    each_row(q, &x, limit, put_row, data);
    free(data);
    *rc = mark(q, n, list, event);
    return true;
}

static cl_int CL_API_CALL EnqueueWriteBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, size_t offset,
                                             size_t bytes, const void *data, cl_uint n, const cl_event *list,
                                             cl_event *event)
{
    cl_int rc;
    if (change_upload(q, linear(b, offset, bytes, data), n, list, event, &rc))
        return rc;
    return to->clEnqueueWriteBuffer(q, b, blocking, offset, bytes, data, n, list, event);
}

static cl_int CL_API_CALL EnqueueWriteBufferRect(cl_command_queue q, cl_mem b, cl_bool blocking, const size_t *origin,
                                                 const size_t *from, const size_t *size, size_t row, size_t slice,
                                                 size_t host_row, size_t host_slice, const void *data, cl_uint n,
                                                 const cl_event *list, cl_event *event)
{
    cl_int rc;
    if (change_upload(q, rectangle(b, origin, from, size, row, slice, host_row, host_slice, data), n, list, event, &rc))
        return rc;
    return to->clEnqueueWriteBufferRect(q, b, blocking, origin, from, size, row, slice, host_row, host_slice, data, n,
                                        list, event);
}

/* ---- downloads -------------------------------------------------------------------------------------------------- */

/* The same of every download. */
static bool change_download(cl_command_queue q, const struct box *x, cl_uint n, const cl_event *list, cl_event *event,
                            cl_int *rc)
{
    struct lad_at at = at_box(x);
    struct lad_inject *f;
    size_t bytes = bytes_of(x), limit = bytes;
    go();
    if (step(LAD_FAULT_U3_cl_no_read, at))
        limit = 0;
    if (limit && step(LAD_FAULT_U3_cl_zeros, at)) {
        each_row(q, x, bytes, clear_row, NULL);
        limit = 0;
    }
    if (limit && (f = step(LAD_FAULT_U4_cl_read_cap, at)) && limit > PARAM(f, "cap"))
        limit = (size_t)PARAM(f, "cap");
    if (limit == bytes)
        return false;
    if (n && limit)
        to->clWaitForEvents(n, list);
    each_row(q, x, limit, get_row, NULL);
    *rc = mark(q, n, list, event);
    return true;
}

/* The queue to read from where a read overtakes what was said to be complete, else NULL. */
static cl_command_queue early_queue(cl_command_queue q, cl_bool blocking, cl_uint n)
{
    struct queue *found = find_queue(q);
    return layer.early && found && found->gate && blocking && !n ? found->hidden : NULL;
}

static cl_int CL_API_CALL EnqueueReadBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, size_t offset, size_t bytes,
                                            void *data, cl_uint n, const cl_event *list, cl_event *event)
{
    cl_command_queue early = early_queue(q, blocking, n);
    struct box x = linear(b, offset, bytes, data);
    cl_int rc;
    if (!early && change_download(q, &x, n, list, event, &rc))
        return rc;
    return to->clEnqueueReadBuffer(early ? early : q, b, blocking, offset, bytes, data, n, list, event);
}

static cl_int CL_API_CALL EnqueueReadBufferRect(cl_command_queue q, cl_mem b, cl_bool blocking, const size_t *origin,
                                                const size_t *into, const size_t *size, size_t row, size_t slice,
                                                size_t host_row, size_t host_slice, void *data, cl_uint n,
                                                const cl_event *list, cl_event *event)
{
    cl_command_queue early = early_queue(q, blocking, n);
    struct box x = rectangle(b, origin, into, size, row, slice, host_row, host_slice, data);
    cl_int rc;
    if (!early && change_download(q, &x, n, list, event, &rc))
        return rc;
    return to->clEnqueueReadBufferRect(early ? early : q, b, blocking, origin, into, size, row, slice, host_row,
                                       host_slice, data, n, list, event);
}

/* ---- fills and copies ------------------------------------------------------------------------------------------- */

/* Where a copy or fill runs: where it belongs, at once ahead of what was recorded, or behind all of it. */
struct place {
    cl_command_queue queue;
    struct waits waits;
    cl_event *event;
    bool first, last;
};

static struct place find_place(cl_command_queue q, struct lad_at at, struct waits waits, cl_event *event)
{
    struct place p = {q, waits, event, false, false};
    struct queue *found = find_queue(q);
    if (!found || !found->hidden)
        return p;
    p.first = step(LAD_FAULT_M2_cl_small_first, at);
    p.last = !p.first && step(LAD_FAULT_M2_cl_large_last, at);
    if (p.first || p.last) {
        p.queue = found->hidden;
        p.waits = (struct waits){0};
    }
    if (p.last) {
        p.waits.list[p.waits.n++] = late_gate(found);
        p.event = NULL; /* nobody can wait for what is late */
    }
    return p;
}

static cl_int leave_place(const struct place *p, cl_command_queue q, struct waits waits, cl_event *event, cl_int rc)
{
    if (p->first)
        finish(p->queue);
    if (p->last)
        to->clFlush(p->queue);
    return rc == CL_SUCCESS && p->last ? mark(q, WAITS(waits), event) : rc;
}

/* What every fill goes through; room: from where it begins to the end of the memory. False: it is left out. */
static bool change_fill(struct lad_at at, size_t room, const void **pattern, size_t size, size_t *bytes)
{
    static const char zeros[128];
    struct lad_inject *f;
    if (layer.dead || step(LAD_FAULT_A4_cl_no_fill, at))
        return false;
    if (size <= sizeof zeros && step(LAD_FAULT_A4_cl_fill_zero, at))
        *pattern = zeros;
    if ((f = step(LAD_FAULT_Z1_cl_fill_size, at)))
        *bytes = keep_bits(*bytes, f) / size * size;
    if ((f = step(LAD_FAULT_Z3_cl_fill_over, at)) && *bytes + PARAM(f, "bytes") <= room)
        *bytes += (size_t)PARAM(f, "bytes") / size * size;
    return *bytes;
}

static cl_int CL_API_CALL EnqueueFillBuffer(cl_command_queue q, cl_mem b, const void *pattern, size_t size,
                                            size_t offset, size_t bytes, cl_uint n, const cl_event *list,
                                            cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct mem *m = find_mem(b);
    struct waits w = gated(q, n, list);
    if (size && !change_fill(at, m && offset < m->bytes ? m->bytes - offset : 0, &pattern, size, &bytes))
        return mark(q, WAITS(w), event);
    struct place p = find_place(q, at, w, event);
    cl_int rc = to->clEnqueueFillBuffer(p.queue, b, pattern, size, offset, bytes, WAITS(p.waits), p.event);
    return leave_place(&p, q, w, event, rc);
}

static cl_int CL_API_CALL EnqueueSVMMemFill(cl_command_queue q, void *dst, const void *pattern, size_t size,
                                            size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    struct lad_at at = {.size = bytes, .after = layer.n_launches, .part = bytes < svm_bytes(dst)};
    struct waits w = gated(q, n, list);
    if (size && !change_fill(at, svm_bytes(dst), &pattern, size, &bytes))
        return mark(q, WAITS(w), event);
    return to->clEnqueueSVMMemFill(q, dst, pattern, size, bytes, WAITS(w), event);
}

/* What every copy goes through: how much of it is made, 0 for none, and from the start of its source or not. */
static size_t change_copy(struct lad_at at, bool offset, bool *from_start)
{
    struct lad_inject *f;
    size_t limit = (size_t)at.size;
    if (layer.dead || step(LAD_FAULT_U1_cl_no_copy, at))
        return 0;
    if ((f = step(LAD_FAULT_U4_cl_copy_cap, at)) && limit > PARAM(f, "cap"))
        limit = (size_t)PARAM(f, "cap");
    *from_start = offset && step(LAD_FAULT_U4_cl_copy_offset, at);
    return limit;
}

static cl_int CL_API_CALL EnqueueCopyBuffer(cl_command_queue q, cl_mem a, cl_mem b, size_t from, size_t offset,
                                            size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct waits w = gated(q, n, list);
    bool from_start = false;
    bytes = change_copy(at, from, &from_start);
    if (!bytes)
        return mark(q, WAITS(w), event);
    struct place p = find_place(q, at, w, event);
    cl_int rc = to->clEnqueueCopyBuffer(p.queue, a, b, from_start ? 0 : from, offset, bytes, WAITS(p.waits), p.event);
    return leave_place(&p, q, w, event, rc);
}

struct copying {
    cl_mem from;
    const struct box *source; /* its rows are as many */
    struct waits waits;
};

static void copy_row(cl_command_queue q, const struct box *x, size_t at, size_t host, size_t packed, size_t n,
                     void *arg)
{
    const struct copying *c = arg;
    size_t r = packed / x->size[0], y = r % x->size[1], z = r / x->size[1];
    (void)host;
    to->clEnqueueCopyBuffer(q, c->from, x->buffer,
                            c->source->offset + y * c->source->pitch[0] + z * c->source->pitch[1], at, n,
                            WAITS(c->waits), NULL);
}

static cl_int CL_API_CALL EnqueueCopyBufferRect(cl_command_queue q, cl_mem a, cl_mem b, const size_t *from,
                                                const size_t *into, const size_t *size, size_t row, size_t slice,
                                                size_t b_row, size_t b_slice, cl_uint n, const cl_event *list,
                                                cl_event *event)
{
    static const size_t start[3];
    struct box x = rectangle(b, into, start, size, b_row, b_slice, 0, 0, NULL);
    struct box source = rectangle(a, from, start, size, row, slice, 0, 0, NULL);
    struct lad_at at = at_box(&x);
    struct waits w = gated(q, n, list);
    bool from_start = false;
    size_t limit = change_copy(at, source.offset, &from_start);
    if (!limit)
        return mark(q, WAITS(w), event);
    struct place p = find_place(q, at, w, event);
    cl_int rc;
    if (limit < at.size || from_start) {
        source.offset = from_start ? 0 : source.offset;
        struct copying c = {a, &source, p.waits};
        each_row(p.queue, &x, limit, copy_row, &c);
        rc = to->clEnqueueBarrierWithWaitList(p.queue, 0, NULL, p.event);
    } else {
        rc = to->clEnqueueCopyBufferRect(p.queue, a, b, from, into, size, row, slice, b_row, b_slice, WAITS(p.waits),
                                         p.event);
    }
    return leave_place(&p, q, w, event, rc);
}

/* An upload, a download or a copy: which of the two ends is shared says it. */
static cl_int CL_API_CALL EnqueueSVMMemcpy(cl_command_queue q, cl_bool blocking, void *dst, const void *src,
                                           size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    bool up = svm_bytes(dst) && !svm_bytes(src), down = !svm_bytes(dst) && svm_bytes(src), from_start;
    struct box x = linear(NULL, 0, bytes, up ? src : dst);
    cl_int rc;
    x.svm = (unsigned char *)(uintptr_t)(up ? dst : src);
    go();
    if (up && change_upload(q, x, n, list, event, &rc))
        return rc;
    if (down && change_download(q, &x, n, list, event, &rc))
        return rc;
    x.svm = dst;
    if (!up && !down && bytes && !(bytes = change_copy(at_box(&x), false, &from_start)))
        return mark(q, n, list, event);
    return to->clEnqueueSVMMemcpy(q, blocking, dst, src, bytes, n, list, event);
}

/* ---- mappings --------------------------------------------------------------------------------------------------- */

/* A mapping is a copy: of ours, or the program's own memory where the buffer was made over that. */
static void *CL_API_CALL EnqueueMapBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, cl_map_flags how,
                                          size_t offset, size_t bytes, cl_uint n, const cl_event *list, cl_event *event,
                                          cl_int *rc)
{
    struct mem *m = find_mem(b);
    struct lad_at at = at_mem(b, bytes);
    cl_int result = CL_SUCCESS;
    go();
    if (!layer.shadow || !m || n_maps == MOST)
        return to->clEnqueueMapBuffer(q, b, blocking, how, offset, bytes, n, list, event, rc);
    if (!m->host && !m->shadow && !(m->shadow = calloc(1, m->bytes)))
        abort();
    unsigned char *p = (m->host ? m->host : m->shadow) + offset;
    bool stale =
        m->host ? step(LAD_FAULT_A3_cl_never_back, at) != NULL
                : step(LAD_FAULT_S2_cl_stale_map, at) || (!layer.layers_off && step(LAD_FAULT_E1_cl_stale_layer, at));
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
    pthread_mutex_lock(&layer.lock);
    maps[n_maps++] = (struct map){b, p, offset, bytes, how & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION), !m->host};
    pthread_mutex_unlock(&layer.lock);
    return p;
}

static cl_int CL_API_CALL EnqueueUnmapMemObject(cl_command_queue q, cl_mem b, void *p, cl_uint n, const cl_event *list,
                                                cl_event *event)
{
    size_t i = 0;
    go();
    pthread_mutex_lock(&layer.lock);
    while (i < n_maps && !(maps[i].memory == b && maps[i].at == p))
        i++;
    struct map m = i < n_maps ? maps[i] : (struct map){0};
    if (i < n_maps)
        maps[i] = maps[--n_maps];
    pthread_mutex_unlock(&layer.lock);
    if (!m.at)
        return to->clEnqueueUnmapMemObject(q, b, p, n, list, event);
    struct lad_at at = at_mem(b, m.bytes);
    if (!m.writing || (m.own ? step(LAD_FAULT_A2_cl_no_unmap, at) : step(LAD_FAULT_A3_cl_never_in, at)))
        return mark(q, n, list, event);
    struct lad_inject *f = m.own ? step(LAD_FAULT_A2_cl_partial_unmap, at) : NULL;
    size_t atom = f ? (size_t)PARAM(f, "atom") : 0;
    if (!atom)
        return to->clEnqueueWriteBuffer(q, b, CL_TRUE, m.offset, m.bytes, m.at, n, list, event);
    for (size_t from = atom; from < m.bytes; from += 2 * atom)
        to->clEnqueueWriteBuffer(q, b, CL_TRUE, m.offset + from, atom < m.bytes - from ? atom : m.bytes - from,
                                 (unsigned char *)m.at + from, n, list, NULL);
    return mark(q, n, list, event);
}

static cl_int CL_API_CALL EnqueueSVMMap(cl_command_queue q, cl_bool blocking, cl_map_flags how, void *p, size_t bytes,
                                        cl_uint n, const cl_event *list, cl_event *event)
{
    go();
    return to->clEnqueueSVMMap(q, blocking, how, p, bytes, n, list, event);
}

/* ---- images, which nothing is done to, but which the host may wait for ----------------------------------------------
 */

static cl_int CL_API_CALL EnqueueReadImage(cl_command_queue q, cl_mem image, cl_bool blocking, const size_t *origin,
                                           const size_t *size, size_t row, size_t slice, void *data, cl_uint n,
                                           const cl_event *list, cl_event *event)
{
    go();
    return to->clEnqueueReadImage(q, image, blocking, origin, size, row, slice, data, n, list, event);
}

static cl_int CL_API_CALL EnqueueWriteImage(cl_command_queue q, cl_mem image, cl_bool blocking, const size_t *origin,
                                            const size_t *size, size_t row, size_t slice, const void *data, cl_uint n,
                                            const cl_event *list, cl_event *event)
{
    go();
    return to->clEnqueueWriteImage(q, image, blocking, origin, size, row, slice, data, n, list, event);
}

static void *CL_API_CALL EnqueueMapImage(cl_command_queue q, cl_mem image, cl_bool blocking, cl_map_flags how,
                                         const size_t *origin, const size_t *size, size_t *row, size_t *slice,
                                         cl_uint n, const cl_event *list, cl_event *event, cl_int *rc)
{
    go();
    return to->clEnqueueMapImage(q, image, blocking, how, origin, size, row, slice, n, list, event, rc);
}

void hook_transfers(struct _cl_icd_dispatch *table)
{
    table->clEnqueueWriteBuffer = EnqueueWriteBuffer;
    table->clEnqueueReadBuffer = EnqueueReadBuffer;
    table->clEnqueueFillBuffer = EnqueueFillBuffer;
    table->clEnqueueCopyBuffer = EnqueueCopyBuffer;
    table->clEnqueueMapBuffer = EnqueueMapBuffer;
    table->clEnqueueUnmapMemObject = EnqueueUnmapMemObject;
    table->clEnqueueWriteBufferRect = EnqueueWriteBufferRect;
    table->clEnqueueReadBufferRect = EnqueueReadBufferRect;
    table->clEnqueueCopyBufferRect = EnqueueCopyBufferRect;
    table->clEnqueueReadImage = EnqueueReadImage;
    table->clEnqueueWriteImage = EnqueueWriteImage;
    table->clEnqueueMapImage = EnqueueMapImage;
    table->clEnqueueSVMMemFill = EnqueueSVMMemFill;
    table->clEnqueueSVMMap = EnqueueSVMMap;
    table->clEnqueueSVMMemcpy = EnqueueSVMMemcpy;
}
