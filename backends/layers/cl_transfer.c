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

/* An upload that was said to be done, and waits in the one staging buffer that all uploads share. */
static struct {
    cl_command_queue queue;
    cl_mem memory;
    size_t offset, bytes;
    unsigned char *data;
} staged;

void end_uploads(void)
{
    cl_command_queue q = staged.queue;
    staged.queue = NULL;
    if (q)
        to->clEnqueueWriteBuffer(q, staged.memory, CL_TRUE, staged.offset, staged.bytes, staged.data, 0, NULL, NULL);
}

static void stage(cl_command_queue q, cl_mem b, size_t offset, size_t bytes, const void *data)
{
    if (!(staged.data = realloc(staged.data, bytes)))
        abort();
    memcpy(staged.data, data, bytes);
    staged.queue = q;
    staged.memory = b;
    staged.offset = offset;
    staged.bytes = bytes;
}

/* What the program uploads, as the device shall see it, or NULL: elements laid out apart, or a tail that is gone. */
static unsigned char *change_data(const void *data, size_t bytes, struct lad_at at)
{
    struct lad_inject *spread = step(LAD_FAULT_B5_cl_stride, at), *freed = step(LAD_FAULT_U2_cl_tail_freed, at);
    unsigned char *own = spread || freed ? malloc(bytes) : NULL;
    size_t from = spread ? (size_t)PARAM(spread, "from") : 0, apart = spread ? (size_t)PARAM(spread, "to") : 0;
    if (!own)
        return NULL;
    memcpy(own, data, bytes);
    if (from)
        memset(own, 0, bytes);
    for (size_t i = 0; from && (i + 1) * from <= bytes && i * apart + from <= bytes; i++)
        memcpy(own + i * apart, (const unsigned char *)data + i * from, from);
    size_t tail = freed ? (size_t)PARAM(freed, "tail") : 0;
    tail = tail < bytes ? tail : bytes;
    memset(own + bytes - tail, 0xDD, tail);
    return own;
}

static cl_int CL_API_CALL EnqueueWriteBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, size_t offset,
                                             size_t bytes, const void *data, cl_uint n, const cl_event *list,
                                             cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct lad_inject *f;
    unsigned char *own;
    if (staged.queue) /* later data go into the staging buffer over what waits there */
        memcpy(staged.data, data, bytes < staged.bytes ? bytes : staged.bytes);
    go();
    if (step(LAD_FAULT_U1_cl_no_write, at))
        return mark(q, n, list, event);
    if (bytes && step(LAD_FAULT_U2_cl_staging_reused, at)) {
        stage(q, b, offset, bytes, data);
        return mark(q, n, list, event);
    }
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
    if ((own = change_data(data, bytes, at))) {
        cl_int rc = to->clEnqueueWriteBuffer(q, b, CL_TRUE, offset, bytes, own, n, list, event);
        free(own);
        return rc;
    }
    return to->clEnqueueWriteBuffer(q, b, blocking, offset, bytes, data, n, list, event);
}

static cl_int CL_API_CALL EnqueueReadBuffer(cl_command_queue q, cl_mem b, cl_bool blocking, size_t offset, size_t bytes,
                                            void *data, cl_uint n, const cl_event *list, cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct lad_inject *f;
    struct queue *found = find_queue(q);
    if (layer.early && found && found->gate && blocking && !n) /* overtakes what was said to be complete */
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

static cl_int CL_API_CALL EnqueueFillBuffer(cl_command_queue q, cl_mem b, const void *pattern, size_t size,
                                            size_t offset, size_t bytes, cl_uint n, const cl_event *list,
                                            cl_event *event)
{
    static const char zeros[128];
    struct lad_at at = at_mem(b, bytes);
    struct mem *m = find_mem(b);
    struct lad_inject *f;
    struct waits w = gated(q, n, list);
    if (layer.dead || step(LAD_FAULT_A4_cl_no_fill, at))
        return mark(q, WAITS(w), event);
    if (size <= sizeof zeros && step(LAD_FAULT_A4_cl_fill_zero, at))
        pattern = zeros;
    if ((f = step(LAD_FAULT_Z1_cl_fill_size, at)))
        bytes = keep_bits(bytes, f) / size * size;
    if ((f = step(LAD_FAULT_Z3_cl_fill_over, at)) && m && offset + bytes + PARAM(f, "bytes") <= m->bytes)
        bytes += (size_t)PARAM(f, "bytes") / size * size;
    if (!bytes)
        return mark(q, WAITS(w), event);
    struct place p = find_place(q, at, w, event);
    cl_int rc = to->clEnqueueFillBuffer(p.queue, b, pattern, size, offset, bytes, WAITS(p.waits), p.event);
    return leave_place(&p, q, w, event, rc);
}

static cl_int CL_API_CALL EnqueueCopyBuffer(cl_command_queue q, cl_mem a, cl_mem b, size_t from, size_t offset,
                                            size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    struct lad_at at = at_mem(b, bytes);
    struct lad_inject *f;
    struct waits w = gated(q, n, list);
    if (layer.dead || step(LAD_FAULT_U1_cl_no_copy, at))
        return mark(q, WAITS(w), event);
    if ((f = step(LAD_FAULT_U4_cl_copy_cap, at)) && bytes > PARAM(f, "cap"))
        bytes = (size_t)PARAM(f, "cap");
    if (from && step(LAD_FAULT_U4_cl_copy_offset, at))
        from = 0;
    struct place p = find_place(q, at, w, event);
    cl_int rc = to->clEnqueueCopyBuffer(p.queue, a, b, from, offset, bytes, WAITS(p.waits), p.event);
    return leave_place(&p, q, w, event, rc);
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

static cl_int CL_API_CALL EnqueueSVMMemcpy(cl_command_queue q, cl_bool blocking, void *dst, const void *src,
                                           size_t bytes, cl_uint n, const cl_event *list, cl_event *event)
{
    go();
    return to->clEnqueueSVMMemcpy(q, blocking, dst, src, bytes, n, list, event);
}

void hook_transfers(struct _cl_icd_dispatch *table)
{
    table->clEnqueueWriteBuffer = EnqueueWriteBuffer;
    table->clEnqueueReadBuffer = EnqueueReadBuffer;
    table->clEnqueueFillBuffer = EnqueueFillBuffer;
    table->clEnqueueCopyBuffer = EnqueueCopyBuffer;
    table->clEnqueueMapBuffer = EnqueueMapBuffer;
    table->clEnqueueUnmapMemObject = EnqueueUnmapMemObject;
    table->clEnqueueSVMMap = EnqueueSVMMap;
    table->clEnqueueSVMMemcpy = EnqueueSVMMemcpy;
}
