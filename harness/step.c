/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the steps of a prepared case, and only its dispatches for figures. */
#include "../kernels/witness.h"
#include "point.h"
#include <stdlib.h>
#include <string.h>

static void put_scalar(char *block, const struct lad_scalar_decl *s, int64_t value, const char *text)
{
    double d = text ? strtod(text, NULL) : 0;
    float f = (float)d;
    const void *from = strcmp(s->type, "float") ? strcmp(s->type, "f64") ? (const void *)&value : &d : &f;
    memcpy(block + s->offset, from, s->bytes);
}

static const struct lad_arg *find_arg(const struct lad_step *s, const char *name)
{
    for (size_t i = 0; i < s->n_args; i++)
        if (!strcmp(s->args[i].name, name))
            return &s->args[i];
    return NULL;
}

static bool pack_scalars(struct lad_point *p, const struct lad_step *s, char *block, uint32_t slot, uint32_t nonce)
{
    const struct lad_kernel_source *k = s->kernel;
    for (uint32_t i = 0; i + 2 < k->n_scalars; i++) {
        const struct lad_arg *a = find_arg(s, k->scalars[i].name);
        int64_t value;
        if (!lad_point_value(p, a->value, 0, &value))
            return false;
        put_scalar(block, &k->scalars[i], value, a->text);
    }
    put_scalar(block, &k->scalars[k->n_scalars - 2], slot, NULL);
    put_scalar(block, &k->scalars[k->n_scalars - 1], nonce, NULL);
    return true;
}

static bool bind_buffers(struct lad_point *p, const struct lad_step *s, struct lad_bind *binds, struct lad_buf **reach,
                         uint32_t *n_reach)
{
    *n_reach = 0;
    for (uint32_t i = 0; i < s->kernel->n_bufs; i++) {
        const struct lad_arg *a = find_arg(s, s->kernel->bufs[i].name);
        struct lad_obj *o = lad_point_obj(p, a->buf);
        int64_t offset, bytes;
        if (!lad_point_value(p, a->offset, 0, &offset) || !lad_point_value(p, a->bytes, 0, &bytes))
            return false;
        uint64_t align = p->gpu->info.cap[LAD_CAP_OFFSET_ALIGN];
        if (offset < 0 || bytes < 0 || (uint64_t)(offset + bytes) > o->total)
            return lad_point_skip(p, lad_printf(p->arena, "range of buffer %s lies outside it", o->buf->name));
        if (align && (uint64_t)offset % align)
            return lad_point_skip(p,
                                  lad_printf(p->arena, "offset %lld of buffer %s: the device wants multiples of %llu",
                                             (long long)offset, o->buf->name, (unsigned long long)align));
        binds[i] = (struct lad_bind){o->gpu, o->front + (uint64_t)offset, (uint64_t)bytes};
        if (o->buf->table)
            *n_reach = lad_point_table(p, o->buf->table, NULL, reach);
    }
    return true;
}

static bool set_grid(struct lad_point *p, const struct lad_step *s, struct lad_kernel_desc *desc,
                     struct lad_dispatch *d)
{
    for (int i = 0; i < 3; i++) {
        uint32_t items;
        if (!lad_point_u32(p, s->local[i], 1, &desc->local[i]) || !lad_point_u32(p, s->groups[i], 1, &d->groups[i]) ||
            !lad_point_u32(p, s->base[i], 0, &d->base[i]) || !lad_point_u32(p, s->items[i], 1, &items))
            return false;
        if (desc->local[i] == 0)
            return lad_point_skip(p, "workgroup of no invocation");
        if (s->items[0].text)
            d->groups[i] = (uint32_t)(((uint64_t)items + desc->local[i] - 1) / desc->local[i]);
        if (d->base[i] && !lad_point_need(p, LAD_CAP_BASE_OFFSET, 1))
            return false;
        if (!lad_point_need(p, (enum lad_cap)(LAD_CAP_WORKGROUP_X + i), desc->local[i]) ||
            (!s->indirect &&
             !lad_point_need(p, (enum lad_cap)(LAD_CAP_GROUPS_X + i), (uint64_t)d->base[i] + d->groups[i])))
            return false;
    }
    return lad_point_need(p, LAD_CAP_WORKGROUP_SIZE, (uint64_t)desc->local[0] * desc->local[1] * desc->local[2]);
}

/* The dispatch, or for an experiment its two halves with a wait between. */
static bool launch(struct lad_point *p, struct lad_dispatch *d)
{
    int axis = d->groups[0] > 1 ? 0 : d->groups[1] > 1 ? 1 : 2;
    uint32_t groups = d->groups[axis], base = d->base[axis];
    if (!p->change.half || d->indirect)
        return lad_gpu_dispatch(p->gpu, d);
    bool ok = true;
    if (groups > 1 && p->gpu->info.cap[LAD_CAP_BASE_OFFSET]) {
        d->groups[axis] = groups / 2;
        ok = lad_gpu_dispatch(p->gpu, d) && lad_gpu_wait(p->gpu);
        d->groups[axis] = groups - groups / 2;
        d->base[axis] = base + groups / 2;
    }
    ok = ok && lad_gpu_dispatch(p->gpu, d) && lad_gpu_wait(p->gpu);
    d->groups[axis] = groups;
    d->base[axis] = base;
    return ok;
}

static bool do_dispatch(struct lad_point *p, const struct lad_step *s, uint32_t repeat)
{
    struct lad_kernel_desc *desc = lad_alloc(p->arena, sizeof *desc);
    struct lad_dispatch d = {0};
    struct lad_bind binds[64];
    struct lad_buf *reach[LAD_MAX_BUFS];
    char *scalars = lad_alloc(p->arena, s->kernel->scalar_bytes);
    uint32_t slot = p->timed ? 0 : (uint32_t)p->n_ran * LAD_W_WORDS, times;
    uint32_t nonce = (uint32_t)lad_hash(&slot, sizeof slot, p->r->seed) | 1u;
    int64_t offset;
    desc->source = s->kernel;
    desc->witness = !p->timed;
    if (!set_grid(p, s, desc, &d) || !lad_point_u32(p, s->dynamic, 0, &desc->dynamic_items) ||
        !lad_point_u32(p, s->constant[0], 0, &desc->constant[0]) ||
        !lad_point_u32(p, s->constant[1], 0, &desc->constant[1]) || !lad_point_u32(p, s->queue, 0, &d.queue) ||
        !lad_point_u32(p, s->repeat, 1, &times) || !lad_point_value(p, s->indirect_offset, 0, &offset) ||
        !pack_scalars(p, s, scalars, slot, nonce) || !bind_buffers(p, s, binds, reach, &d.n_reach))
        return false;
    if (!lad_point_need(p, LAD_CAP_LOCAL_BYTES, (uint64_t)desc->dynamic_items * s->kernel->dynamic_bytes))
        return false;
    uint64_t start = lad_now_ns();
    d.kernel = lad_gpu_kernel(p->gpu, desc);
    p->r->build_ns += lad_now_ns() - start;
    if (!d.kernel)
        return lad_point_api_failed(p, lad_printf(p->arena, "building kernel %s", s->kernel->name));
    d.binds = binds;
    d.witness = p->timed ? NULL : p->witness;
    d.scalars = scalars;
    d.reach = reach;
    if (p->change.one_queue)
        d.queue = 0;
    if (s->indirect && p->change.direct) {
        const struct lad_data *grid = &p->data[lad_point_obj(p, s->indirect) - p->obj];
        memcpy(d.groups, (const char *)grid->before + offset, sizeof d.groups);
    } else if (s->indirect) {
        d.indirect = lad_point_obj(p, s->indirect)->gpu;
        d.indirect_offset = lad_point_obj(p, s->indirect)->front + (uint64_t)offset;
    }
    for (uint32_t i = 0; i < times * repeat; i++)
        if ((i && !lad_gpu_barrier(p->gpu)) || !launch(p, &d))
            return lad_point_api_failed(p, lad_printf(p->arena, "dispatching kernel %s", s->kernel->name));
    if (!p->timed)
        p->ran[p->n_ran++] = (struct lad_ran){
            desc, {d.groups[0], d.groups[1], d.groups[2]}, {d.base[0], d.base[1], d.base[2]}, nonce, times, scalars};
    return true;
}

static bool do_transfer(struct lad_point *p, const struct lad_step *s)
{
    struct lad_obj *to = lad_point_obj(p, s->buf), *from = s->from ? lad_point_obj(p, s->from) : to;
    int64_t offset, from_offset, bytes;
    uint32_t word;
    if (!lad_point_value(p, s->offset, 0, &offset) || !lad_point_value(p, s->from_offset, 0, &from_offset) ||
        !lad_point_value(p, s->bytes, (int64_t)to->bytes - offset, &bytes) || !lad_point_u32(p, s->word, 0, &word))
        return false;
    if (offset < 0 || from_offset < 0 || bytes < 0 || (uint64_t)(offset + bytes) > to->bytes ||
        (uint64_t)(from_offset + bytes) > from->bytes) {
        lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: the range lies outside the buffer",
                       p->c->file, s->line);
        return false;
    }
    bool ok = s->kind == LAD_STEP_FILL
                  ? lad_gpu_case_fill(p->gpu, to->gpu, to->front + (uint64_t)offset, (uint64_t)bytes, word)
                  : lad_gpu_case_copy(p->gpu, from->gpu, from->front + (uint64_t)from_offset, to->gpu,
                                      to->front + (uint64_t)offset, (uint64_t)bytes);
    return ok || lad_point_api_failed(p, s->kind == LAD_STEP_FILL ? "filling" : "copying");
}

static bool do_write(struct lad_point *p, const struct lad_step *s)
{
    struct lad_obj *o = lad_point_obj(p, s->buf);
    struct lad_data *d = &p->data[o - p->obj];
    if (!d->written)
        d->written = lad_point_memory(o->total);
    lad_canary_fill(LAD_CANARY_INPUT, d->written, o->total, 0);
    if (!lad_fill_data(d->written, d->n, o->buf, s->fill, LAD_MAX_BUFS + (size_t)(o - p->obj), p->r->seed + 1,
                       &p->scope))
        return false;
    lad_point_scale(p, o->buf->type, d->written, d->n);
    return lad_point_upload(p, o, d->written);
}

/* The API's wait-for-everything must not return while work is still in flight. */
static bool do_finish(struct lad_point *p)
{
    bool complete = true;
    if (!lad_gpu_finish(p->gpu))
        return lad_point_api_failed(p, "waiting for everything");
    if (p->gpu->backend->done && !p->gpu->backend->done(p->gpu->dev, &complete, &p->gpu->fail))
        return lad_point_api_failed(p, "asking whether the work is complete");
    if (complete)
        return true;
    lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.finish.returned-early",
                   "the API's wait for everything returned while the work was still in flight");
    lad_observe(p->arena, p->r, LAD_OBS_EARLY, NULL, 0);
    lad_record_fact(p->arena, p->r, '!', "after submit and finish the last command still says that it is not complete");
    return lad_gpu_wait(p->gpu); /* what is read next must be settled */
}

static bool wait_here(struct lad_point *p)
{
    uint64_t start = lad_now_ns();
    if (!lad_gpu_wait(p->gpu))
        return lad_point_api_failed(p, "waiting for the device");
    if (!p->r->first_ns)
        p->r->first_ns = lad_now_ns() - start;
    return true;
}

static bool do_read(struct lad_point *p, const struct lad_step *s)
{
    struct lad_obj *o = lad_point_obj(p, s->buf);
    return lad_gpu_read(p->gpu, o->gpu, o->front, p->data[o - p->obj].after, o->bytes) ||
           lad_point_api_failed(p, "reading");
}

static bool do_step(struct lad_point *p, const struct lad_step *s, uint32_t repeat)
{
    switch (s->kind) {
    case LAD_STEP_DISPATCH:
        return do_dispatch(p, s, repeat);
    case LAD_STEP_FILL:
    case LAD_STEP_COPY:
        return do_transfer(p, s);
    case LAD_STEP_WRITE:
        return do_write(p, s);
    case LAD_STEP_BARRIER:
        return lad_gpu_barrier(p->gpu) || lad_point_api_failed(p, "recording a barrier");
    case LAD_STEP_WAIT:
        return wait_here(p);
    case LAD_STEP_SUBMIT:
        return lad_gpu_submit(p->gpu) || lad_point_api_failed(p, "submitting");
    case LAD_STEP_FINISH:
        return do_finish(p);
    case LAD_STEP_READ:
        return do_read(p, s);
    }
    return false;
}

static bool mark(struct lad_point *p, uint32_t i)
{
    if (!p->marker)
        return true;
    bool copied = i && p->change.copied_end;
    return (lad_gpu_barrier(p->gpu) &&
            (copied ? lad_gpu_copy(p->gpu, p->marker, 12, p->marker, i * 4, 4)
                    : lad_gpu_fill(p->gpu, p->marker, i * 4, 4, LAD_MARKER + i)) &&
            lad_gpu_barrier(p->gpu)) ||
           lad_point_api_failed(p, "recording a marker");
}

/* Every buffer that is reached through a table, bound directly to a kernel that sums it up. */
static void bind_directly(struct lad_point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct lad_obj *o = &p->obj[i];
        uint32_t sum, n = (uint32_t)(o->bytes / 4);
        if (!o->buf->address || !n || !lad_point_sum(p, o->gpu, o->front, n, &sum))
            continue;
        bool right = sum == lad_point_sum_words(p->data[i].before, n);
        lad_observe(p->arena, p->r, right ? LAD_OBS_BOUND_RIGHT : LAD_OBS_BOUND_WRONG, o->buf->name, 0);
    }
}

bool lad_point_steps(struct lad_point *p)
{
    if (p->change.bound_too)
        bind_directly(p);
    if (!mark(p, 0))
        return false;
    for (size_t i = 0; i < p->c->n_steps; i++)
        if (!do_step(p, &p->c->steps[i], 1) || (p->c->ordered && !lad_gpu_barrier(p->gpu)) ||
            (p->change.wait_each && p->gpu->n_recorded && !wait_here(p)))
            return false;
    return mark(p, 1) && wait_here(p);
}

bool lad_point_timed(void *arg, uint32_t repeat)
{
    struct lad_point *p = arg;
    for (size_t i = 0; i < p->c->n_steps; i++)
        if (p->c->steps[i].kind == LAD_STEP_DISPATCH && !do_dispatch(p, &p->c->steps[i], repeat))
            return false;
    p->gpu->timed = true;
    bool ok = lad_gpu_wait(p->gpu) || lad_point_api_failed(p, "waiting for the device");
    p->gpu->timed = false;
    return ok;
}
