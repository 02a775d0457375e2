/* SPDX-License-Identifier: Apache-2.0 */
/* The decorator's dispatches, fills and copies: faults of grid, bindings and scalars. */
#include "deco.h"
#include <stdlib.h>
#include <string.h>

static struct lad_buf *make_scratch(uint64_t bytes, struct lad_fail *fail)
{
    struct lad_buf_desc desc = {.bytes = bytes};
    if (deco.n_scratch == sizeof deco.scratch / sizeof *deco.scratch || !deco.inner->fill || !deco.inner->copy)
        return NULL;
    struct lad_buf *b = deco.inner->buf_create(deco.dev, &desc, fail);
    if (b)
        deco.scratch[deco.n_scratch++] = b;
    return b;
}

static bool emit_barrier(struct lad_fail *fail)
{
    return !deco.inner->barrier || deco_emit(&(struct deco_cmd){.kind = DECO_BARRIER}, fail);
}

static bool emit_fill(struct lad_buf *to, uint64_t offset, uint64_t bytes, uint32_t word, struct lad_fail *fail)
{
    bytes &= ~3ull;
    struct deco_cmd c = {.kind = DECO_FILL, .to = to, .to_offset = offset, .bytes = bytes, .word = word};
    return !bytes || (deco_emit(&c, fail) && emit_barrier(fail));
}

static bool emit_copy(struct lad_buf *from, uint64_t at, struct lad_buf *to, uint64_t to_at, uint64_t bytes,
                      struct lad_fail *fail)
{
    bytes &= ~3ull;
    struct deco_cmd c = {
        .kind = DECO_COPY, .from = from, .from_offset = at, .to = to, .to_offset = to_at, .bytes = bytes};
    return !bytes || (emit_barrier(fail) && deco_emit(&c, fail) && emit_barrier(fail));
}

/* What a binding reaches. */
static uint64_t range_of(const struct deco_cmd *c, const struct lad_dispatch *d, uint32_t i)
{
    const struct deco_buf *b = (const struct deco_buf *)d->binds[i].buf;
    return c->bind[i].bytes ? c->bind[i].bytes : b->base + b->desc.bytes - c->bind[i].offset;
}

/* Which binding a fault means: from 1, 0 is the last; false when there is none. */
static bool pick(const struct lad_inject *f, uint32_t n, uint32_t *i)
{
    uint64_t bind = lad_inject_get(f, "bind");
    *i = bind ? (uint32_t)bind - 1 : n - 1;
    return n && *i < n;
}

/* The first `keep` bytes of the binding are its own, the rest is zero; `back`: what is written there comes back. */
static bool bind_part(struct deco_cmd *c, const struct lad_dispatch *d, uint32_t i, uint64_t keep, uint64_t clear_from,
                      struct lad_fail *fail)
{
    uint64_t bytes = range_of(c, d, i);
    struct lad_buf *scratch = make_scratch(bytes + 4, fail);
    keep = keep < bytes ? keep & ~3ull : bytes;
    clear_from = clear_from < bytes ? clear_from & ~3ull : bytes;
    if (!scratch)
        return true;
    if (!emit_copy(c->bind[i].buf, c->bind[i].offset, scratch, 0, keep, fail) ||
        !emit_fill(scratch, clear_from, bytes - clear_from, 0, fail))
        return false;
    c->bind[i].buf = scratch;
    c->bind[i].offset = 0;
    c->bind[i].bytes = bytes;
    return true;
}

/* ---- scalars ---- */

static uint32_t own_scalars(const struct lad_kernel_source *s)
{
    return s->n_scalars - 2; /* the last two are the harness's own */
}

static bool is_meant(const struct lad_inject *f, uint32_t i)
{
    uint64_t arg = lad_inject_get(f, "arg");
    return !arg || arg == i + 1;
}

static void change_scalars(struct deco_cmd *c, struct deco_kernel *k, struct lad_at at)
{
    const struct lad_kernel_source *s = c->source;
    struct lad_inject *f;
    uint32_t n = own_scalars(s), end = s->scalars[n].offset;
    unsigned char asked[256];
    memcpy(asked, c->scalars, sizeof asked);
    if (n && (f = DECO_HIT(B4_zero, at)))
        for (uint32_t i = 0; i < n; i++)
            if (is_meant(f, i))
                memset(c->scalars + s->scalars[i].offset, 0, s->scalars[i].bytes);
    if (n && (f = DECO_HIT(B4_low_half, at)))
        for (uint32_t i = 0; i < n; i++)
            if (is_meant(f, i))
                memset(c->scalars + s->scalars[i].offset + s->scalars[i].bytes / 2, 0, s->scalars[i].bytes / 2);
    if (n && (f = DECO_HIT(B4_byte_order, at)))
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k2 = 0; is_meant(f, i) && k2 < s->scalars[i].bytes; k2++)
                c->scalars[s->scalars[i].offset + k2] = asked[s->scalars[i].offset + s->scalars[i].bytes - 1 - k2];
    if (n && DECO_HIT(B4_shift, at)) {
        memmove(c->scalars + 4, asked, end - 4);
        memset(c->scalars, 0, 4);
    }
    if (n && k->has_last && (f = DECO_HIT(B4_last_dispatch, at)))
        for (uint32_t i = 0; i < n; i++)
            if (is_meant(f, i))
                memcpy(c->scalars + s->scalars[i].offset, k->last + s->scalars[i].offset, s->scalars[i].bytes);
    if (DECO_HIT(B4_none, at))
        memset(c->scalars, 0, sizeof c->scalars);
    memcpy(k->last, asked, sizeof k->last);
    k->has_last = true;
}

/* ---- bindings ---- */

static void swap_binds(struct deco_cmd *c, uint32_t a, uint32_t b)
{
    struct lad_bind t = c->bind[a];
    c->bind[a] = c->bind[b];
    c->bind[b] = t;
}

static bool change_contents(struct deco_cmd *c, const struct lad_dispatch *d, struct lad_at at, struct lad_fail *fail)
{
    const struct lad_kernel_source *s = c->source;
    struct lad_inject *f;
    uint32_t i;
    uint64_t n;
    if ((f = DECO_HIT(L1_freed_early, at)) && pick(f, s->n_bufs, &i) &&
        !emit_fill(c->bind[i].buf, c->bind[i].offset, range_of(c, d, i), 0xDDDDDDDDu, fail))
        return false;
    if ((f = DECO_HIT(L1_reused, at)) && pick(f, s->n_bufs, &i) && i + 1 < s->n_bufs) {
        n = range_of(c, d, i) < range_of(c, d, i + 1) ? range_of(c, d, i) : range_of(c, d, i + 1);
        if (c->bind[i].buf != c->bind[i + 1].buf &&
            !emit_copy(c->bind[i + 1].buf, c->bind[i + 1].offset, c->bind[i].buf, c->bind[i].offset, n, fail))
            return false;
    }
    if ((f = DECO_HIT(C4_lost_store, at)) && pick(f, s->n_bufs, &i) &&
        !bind_part(c, d, i, UINT64_MAX, UINT64_MAX, fail))
        return false;
    if (((f = DECO_HIT(B2_null_binding, at)) || (f = DECO_HIT(B2_null_last, at))) && pick(f, s->n_bufs, &i) &&
        !bind_part(c, d, i, 0, 0, fail))
        return false;
    return true;
}

/* The part of a binding behind `keep` is not there; what is written before it has to come back. */
static bool cut_binding(struct deco_cmd *c, const struct lad_dispatch *d, const struct lad_inject *f, uint64_t keep,
                        struct deco_cmd *back, struct lad_fail *fail)
{
    uint32_t i;
    if (!pick(f, c->source->n_bufs, &i) || keep >= range_of(c, d, i))
        return true;
    *back = (struct deco_cmd){
        .kind = DECO_COPY, .to = c->bind[i].buf, .to_offset = c->bind[i].offset, .bytes = keep & ~3ull};
    if (!bind_part(c, d, i, keep, keep, fail))
        return false;
    back->from = c->bind[i].buf;
    return true;
}

static bool change_binds(struct deco_cmd *c, const struct lad_dispatch *d, struct lad_at at, struct deco_cmd *back,
                         struct lad_fail *fail)
{
    uint32_t n = c->source->n_bufs, i;
    struct lad_inject *f;
    if (n > 1 && DECO_HIT(B1_swap_first, at))
        swap_binds(c, 0, 1);
    if (n > 1 && DECO_HIT(B1_swap_last, at))
        swap_binds(c, n - 2, n - 1);
    if (n > 1 && DECO_HIT(B1_shift, at))
        for (i = n - 1; i > 0; i--)
            swap_binds(c, i, i - 1);
    if ((f = DECO_HIT(B3_offset, at)) && pick(f, n, &i)) {
        uint64_t bytes = lad_inject_get(f, "bytes"), room = range_of(c, d, i);
        if (room > bytes) {
            c->bind[i].offset += bytes;
            c->bind[i].bytes = c->bind[i].bytes ? c->bind[i].bytes - bytes : 0;
        }
    }
    if ((f = DECO_HIT(B3_no_offset, at)) && pick(f, n, &i))
        c->bind[i].offset = ((const struct deco_buf *)d->binds[i].buf)->base;
    if ((f = DECO_HIT(B3_range, at)) && pick(f, n, &i)) {
        uint64_t cut = lad_inject_get(f, "cut"), room = range_of(c, d, i);
        if (!cut_binding(c, d, f, room > cut ? room - cut : 0, back, fail))
            return false;
    }
    if ((f = DECO_HIT(Z2_clamp_range, at)) && !cut_binding(c, d, f, lad_inject_get(f, "limit"), back, fail))
        return false;
    return change_contents(c, d, at, fail);
}

/* ---- grid ---- */

static void swap_axes(uint32_t *groups, int a, int b)
{
    uint32_t t = groups[a];
    groups[a] = groups[b];
    groups[b] = t;
}

static void change_grid(struct deco_cmd *c, const struct deco_kernel *k, struct lad_at at)
{
    uint32_t *g = c->d.groups, local = k->desc.local[0], items = 0;
    struct lad_inject *f;
    if (own_scalars(c->source) && c->source->scalars[0].bytes == 4)
        memcpy(&items, c->scalars, 4);
    if (DECO_HIT(D1_zero_grid, at))
        g[0] = 0;
    if (DECO_HIT(D2_threads_as_groups, at))
        g[0] = (uint32_t)(((uint64_t)g[0] + local - 1) / local);
    if (DECO_HIT(D2_one_group, at))
        g[0] = g[1] = g[2] = 1;
    if (g[0] && items % local && g[0] == items / local + 1 && DECO_HIT(D3_floor, at))
        g[0]--;
    if (g[0] && DECO_HIT(D3_last_group, at))
        g[0]--;
    if ((f = DECO_HIT(D4_extra_group, at)))
        g[0] += (uint32_t)lad_inject_get(f, "more");
    if (g[0] != g[1] && DECO_HIT(D5_swap_xy, at))
        swap_axes(g, 0, 1);
    if (g[0] != g[2] && DECO_HIT(D5_swap_xz, at))
        swap_axes(g, 0, 2);
    if (g[1] * g[2] != 1 && DECO_HIT(D5_flat, at)) {
        g[0] *= g[1] * g[2];
        g[1] = g[2] = 1;
    }
    if ((c->d.base[0] || c->d.base[1] || c->d.base[2]) && DECO_HIT(D5_no_base, at))
        memset(c->d.base, 0, sizeof c->d.base);
    if ((f = DECO_HIT(Z2_clamp_groups, at)) && g[0] > lad_inject_get(f, "limit"))
        g[0] = (uint32_t)lad_inject_get(f, "limit");
    if ((f = DECO_HIT(Z2_wrap_groups, at)) && lad_inject_get(f, "limit"))
        g[0] %= (uint32_t)lad_inject_get(f, "limit");
    if (!c->d.indirect)
        return;
    struct lad_at indirect = {.size = c->d.indirect_offset, .after = at.after};
    if ((f = DECO_HIT(I1_shifted, indirect)))
        c->d.indirect_offset += lad_inject_get(f, "bytes");
    bool stale = DECO_HIT(I1_stale, at), one = DECO_HIT(I1_one_group, at);
    if (stale || one) {
        c->d.indirect = NULL;
        g[0] = stale ? 0 : 1;
        g[1] = g[2] = 1;
    }
}

/* Its words without a type are then the bits of floats. */
static bool takes_float(const struct lad_kernel_source *s)
{
    for (uint32_t i = 0; i < s->n_scalars; i++)
        if (!strcmp(s->scalars[i].type, "float"))
            return true;
    return false;
}

static struct deco_cmd translate(const struct lad_dispatch *d, const struct deco_kernel *k)
{
    struct deco_cmd c = {.kind = DECO_DISPATCH, .d = *d, .source = k->desc.source};
    const struct deco_buf *witness = (const struct deco_buf *)d->witness, *grid = (const struct deco_buf *)d->indirect;
    c.d.kernel = k->inner;
    c.d.witness = witness ? witness->mem->inner : NULL;
    c.d.indirect = grid ? grid->mem->inner : NULL;
    c.d.indirect_offset += grid ? grid->base : 0;
    memcpy(c.scalars, d->scalars, k->desc.source->scalar_bytes);
    for (uint32_t i = 0; i < k->desc.source->n_bufs; i++) {
        struct deco_buf *b = (struct deco_buf *)d->binds[i].buf;
        uint64_t end = b->shared ? b->desc.bytes - d->binds[i].offset : 0;
        c.bind[i] =
            (struct lad_bind){b->mem->inner, b->base + d->binds[i].offset, d->binds[i].bytes ? d->binds[i].bytes : end};
        b->from = d->binds[i].offset;
        b->bound = true;
        b->floats = !strcmp(k->desc.source->bufs[i].type, "float") || takes_float(k->desc.source);
    }
    c.reach = d->n_reach ? calloc(d->n_reach, sizeof *c.reach) : NULL;
    for (uint32_t i = 0; c.reach && i < d->n_reach; i++)
        c.reach[i] = ((struct deco_buf *)d->reach[i])->mem->inner;
    return c;
}

/* From a dispatch that hangs on, the device does nothing any more. */
static bool dies(struct lad_at at)
{
    deco.dead |= DECO_HIT(T1_silent, at) || DECO_HIT(T1_reported, at) || DECO_HIT(T1_reported_late, at);
    return deco.dead;
}

/* A binding as it was before this batch; what the dispatch writes there is lost. */
static bool read_before(struct deco_cmd *c, const struct lad_dispatch *d, struct lad_at at, struct lad_fail *fail)
{
    struct lad_inject *f = DECO_HIT(S3_stale_reads, at);
    uint32_t i;
    const struct deco_buf *b;
    if (!f || !pick(f, c->source->n_bufs, &i) || !(b = (const struct deco_buf *)d->binds[i].buf)->view)
        return true;
    uint64_t bytes = range_of(c, d, i), from = d->binds[i].offset;
    struct lad_buf *scratch = make_scratch(bytes, fail);
    if (!scratch)
        return true;
    for (uint64_t k = 0; k + 4 <= bytes; k += 4) {
        uint32_t word;
        memcpy(&word, b->view + from + k, 4);
        struct deco_cmd fill = {.kind = DECO_FILL, .to = scratch, .to_offset = k, .bytes = 4, .word = word};
        if (!deco_emit(&fill, fail))
            return false;
    }
    c->bind[i] = (struct lad_bind){scratch, 0, bytes};
    return emit_barrier(fail);
}

bool deco_dispatch(struct lad_dev *dev, const struct lad_dispatch *d, struct lad_fail *fail)
{
    (void)dev;
    struct deco_kernel *k = (struct deco_kernel *)d->kernel;
    struct lad_at at = {.size = d->groups[0], .after = deco.n_dispatches++};
    struct deco_cmd back = {.kind = DECO_COPY};
    struct lad_inject *f;
    if (!deco_unstage(fail) || !deco_settle(fail))
        return false;
    if ((f = DECO_HIT(E2_dispatch_refused, at))) {
        deco_say(f, "dispatch: INVALID_ARGUMENT, going on");
        return true;
    }
    if (dies(at) || k->empty || DECO_HIT(D1_dropped, at))
        return true;
    struct deco_cmd c = translate(d, k);
    change_grid(&c, k, at);
    change_scalars(&c, k, at);
    if (!change_binds(&c, d, at, &back, fail) || !read_before(&c, d, at, fail)) {
        free(c.reach);
        return false;
    }
    if (DECO_HIT(D4_twice, at)) {
        struct deco_cmd again = c;
        again.reach = d->n_reach ? calloc(d->n_reach, sizeof *again.reach) : NULL;
        if (again.reach)
            memcpy(again.reach, c.reach, d->n_reach * sizeof *again.reach);
        if (!deco_emit(&again, fail) || !emit_barrier(fail))
            return false;
    }
    return deco_emit(&c, fail) && (!back.from || emit_copy(back.from, 0, back.to, back.to_offset, back.bytes, fail));
}

bool deco_fill(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, uint64_t bytes, uint32_t word,
               struct lad_fail *fail)
{
    (void)dev;
    struct deco_buf *b = (struct deco_buf *)buf;
    struct lad_at at = {.size = bytes, .buffer = b->number, .after = deco.n_dispatches, .part = bytes < b->desc.bytes};
    struct lad_inject *f;
    if (!deco_unstage(fail) || !deco_settle(fail))
        return false;
    if (deco.dead || DECO_HIT(A4_no_fill, at))
        return true;
    if (DECO_HIT(A4_half_fill, at))
        bytes = bytes / 2 & ~3ull;
    if (DECO_HIT(A4_fill_zero, at))
        word = 0;
    if ((f = DECO_HIT(Z1_fill_size, at)) && lad_inject_get(f, "bits") < 64)
        bytes &= (1ull << lad_inject_get(f, "bits")) - 1;
    if ((f = DECO_HIT(Z3_fill_over, at))) {
        uint64_t more = lad_inject_get(f, "bytes") & ~3ull, room = b->desc.bytes - offset - bytes;
        bytes += more < room ? more : room & ~3ull;
    }
    struct deco_cmd c = {
        .kind = DECO_FILL, .to = b->mem->inner, .to_offset = b->base + offset, .bytes = bytes, .word = word};
    return !bytes || deco_emit(&c, fail);
}

bool deco_copy(struct lad_dev *dev, struct lad_buf *src, uint64_t src_offset, struct lad_buf *dst, uint64_t dst_offset,
               uint64_t bytes, struct lad_fail *fail)
{
    (void)dev;
    struct deco_buf *from = (struct deco_buf *)src, *to = (struct deco_buf *)dst;
    struct lad_at at = {
        .size = bytes, .buffer = to->number, .after = deco.n_dispatches, .part = bytes < to->desc.bytes};
    struct lad_inject *f;
    if (!deco_unstage(fail) || !deco_settle(fail))
        return false;
    if (deco.dead || DECO_HIT(U1_no_copy, at))
        return true;
    if ((f = DECO_HIT(U4_copy_cap, at)) && bytes > lad_inject_get(f, "cap"))
        bytes = lad_inject_get(f, "cap") & ~3ull;
    if (src_offset && DECO_HIT(U4_copy_offset, at))
        src_offset = 0;
    struct deco_cmd c = {.kind = DECO_COPY,
                         .from = from->mem->inner,
                         .from_offset = from->base + src_offset,
                         .to = to->mem->inner,
                         .to_offset = to->base + dst_offset,
                         .bytes = bytes};
    return !bytes || deco_emit(&c, fail);
}

bool deco_barrier(struct lad_dev *dev, struct lad_fail *fail)
{
    (void)dev;
    if (!deco_settle(fail))
        return false;
    return deco.dead || deco_emit(&(struct deco_cmd){.kind = DECO_BARRIER}, fail);
}
