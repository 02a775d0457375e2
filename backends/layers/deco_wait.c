/* SPDX-License-Identifier: Apache-2.0 */
/* The decorator's list of commands, on its way to the backend: faults of order, of batches and of waiting. */
#include "deco.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool issue(struct deco_cmd *c, struct lad_fail *fail)
{
    switch (c->kind) {
    case DECO_DISPATCH:
        c->d.binds = c->bind;
        c->d.scalars = c->scalars;
        c->d.reach = c->reach;
        return deco.inner->dispatch(deco.dev, &c->d, fail);
    case DECO_FILL:
        return deco.inner->fill(deco.dev, c->to, c->to_offset, c->bytes, c->word, fail);
    case DECO_COPY:
        return deco.inner->copy(deco.dev, c->from, c->from_offset, c->to, c->to_offset, c->bytes, fail);
    case DECO_BARRIER:
        return deco.inner->barrier(deco.dev, fail);
    }
    return false;
}

bool deco_emit(const struct deco_cmd *c, struct lad_fail *fail)
{
    struct deco_cmd own = *c;
    if (!deco.defers) {
        bool ok = issue(&own, fail);
        free(own.reach);
        return ok;
    }
    if (deco.n_cmds == deco.room) {
        size_t room = deco.room ? 2 * deco.room : 16;
        struct deco_cmd *grown = realloc(deco.cmd, room * sizeof *grown);
        if (!grown)
            abort();
        deco.cmd = grown;
        deco.room = room;
    }
    deco.cmd[deco.n_cmds++] = own;
    return true;
}

void deco_forget(void)
{
    for (size_t i = 0; i < deco.n_cmds; i++)
        free(deco.cmd[i].reach);
    deco.n_cmds = 0;
    deco.late = false;
}

static size_t count_dispatches(void)
{
    size_t n = 0;
    for (size_t i = 0; i < deco.n_cmds; i++)
        n += deco.cmd[i].kind == DECO_DISPATCH;
    return n;
}

static void reverse(void)
{
    for (size_t i = 0, k = deco.n_cmds; i < k; i++) {
        if (deco.cmd[i].kind != DECO_DISPATCH)
            continue;
        do
            k--;
        while (k > i && deco.cmd[k].kind != DECO_DISPATCH);
        struct deco_cmd c = deco.cmd[i];
        deco.cmd[i] = deco.cmd[k];
        deco.cmd[k] = c;
    }
}

/* To the front, in their order, with a barrier behind them. */
static void move_first(bool (*wanted)(const struct deco_cmd *))
{
    struct deco_cmd *all = malloc((deco.n_cmds + 1) * sizeof *all);
    size_t n = 0;
    if (!all)
        abort();
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < deco.n_cmds; i++)
            if (wanted(&deco.cmd[i]) == !pass)
                all[n++] = deco.cmd[i];
    memcpy(deco.cmd, all, n * sizeof *all);
    free(all);
}

static bool is_transfer(const struct deco_cmd *c)
{
    return c->kind == DECO_FILL || c->kind == DECO_COPY;
}

static bool is_other_queue(const struct deco_cmd *c)
{
    return c->kind == DECO_DISPATCH && c->d.queue;
}

static bool is_small(const struct deco_cmd *c)
{
    return is_transfer(c) && DECO_HIT(M2_small_first, ((struct lad_at){.size = c->bytes}));
}

static void share_last(const struct lad_inject *scalars, const struct lad_inject *buffers)
{
    for (size_t i = 0; i < deco.n_cmds; i++)
        for (size_t k = deco.n_cmds - 1; k > i; k--) {
            struct deco_cmd *a = &deco.cmd[i], *z = &deco.cmd[k];
            if (a->kind != DECO_DISPATCH || z->kind != DECO_DISPATCH || a->d.kernel != z->d.kernel)
                continue;
            uint32_t bytes = a->source->scalar_bytes;
            if (scalars && !lad_inject_get(scalars, "all"))
                bytes = a->source->scalars[a->source->n_scalars - 2].offset;
            if (scalars)
                memcpy(a->scalars, z->scalars, bytes);
            if (buffers)
                memcpy(a->bind, z->bind, sizeof a->bind);
            break;
        }
}

static bool flush(struct lad_fail *fail)
{
    bool ok = true;
    size_t n = deco.n_cmds, n_dispatches = count_dispatches();
    struct lad_at batch = {.size = n}, many = {.size = n_dispatches};
    struct lad_inject *f;
    if (n_dispatches && (f = DECO_HIT(E2_half_batch, batch))) {
        uint64_t keep = lad_inject_get(f, "keep");
        n = keep ? keep < n ? keep : n : n / 2;
        deco_say(f, "submission failed half-way, going on");
    }
    if (DECO_ON(S3_reversed) && DECO_HIT(S3_reversed, many))
        reverse();
    if (n_dispatches && DECO_HIT(S3_copies_first, many))
        move_first(is_transfer);
    if (n_dispatches && DECO_HIT(S4_second_queue_first, many))
        move_first(is_other_queue);
    if (DECO_ON(M2_small_first))
        move_first(is_small);
    struct lad_inject *scalars = DECO_HIT(B6_last_scalars, many), *buffers = DECO_HIT(B6_last_buffers, many);
    if (n_dispatches > 1 && (scalars || buffers))
        share_last(scalars, buffers);
    for (size_t i = 0; ok && i < n; i++)
        ok = issue(&deco.cmd[i], fail);
    deco_forget();
    return ok;
}

static bool finish_wait(uint64_t timeout_ns, struct lad_fail *fail)
{
    if (!flush(fail) || !deco.inner->wait(deco.dev, timeout_ns, fail))
        return false;
    while (deco.n_scratch)
        deco.inner->buf_destroy(deco.dev, deco.scratch[--deco.n_scratch]);
    return true;
}

bool deco_settle(struct lad_fail *fail)
{
    return !deco.late || finish_wait(60000000000u, fail);
}

static bool tell_lost(const char *call, struct lad_fail *fail)
{
    deco.told = true;
    snprintf(fail->call, sizeof fail->call, "%s", call);
    snprintf(fail->code, sizeof fail->code, "DEVICE_LOST");
    fail->lost = true;
    return false;
}

/* What every buffer holds when the next batch begins. */
static bool keep_views(struct lad_fail *fail)
{
    for (struct deco_buf *b = DECO_ON(S3_stale_reads) ? deco.newest : NULL; b; b = b->older)
        if (b->view && !deco.inner->buf_read(deco.dev, b->mem->inner, b->base, b->view, b->desc.bytes, fail))
            return false;
    return true;
}

bool deco_wait(struct lad_dev *dev, uint64_t timeout_ns, struct lad_fail *fail)
{
    (void)dev;
    if (!deco_unstage(fail) || !deco_settle(fail))
        return false;
    if (deco.dead && DECO_ON(T1_reported))
        return tell_lost("wait", fail);
    if (count_dispatches() && DECO_HIT(S1_early_wait, (struct lad_at){.size = deco.n_cmds})) {
        deco.late = true;
        return true;
    }
    return finish_wait(timeout_ns, fail) && keep_views(fail);
}

bool deco_submit(struct lad_dev *dev, struct lad_fail *fail)
{
    (void)dev;
    if (!deco_unstage(fail) || !deco_settle(fail))
        return false;
    if (DECO_ON(S1_early_finish) || DECO_ON(S1_early_wait))
        return true;
    return flush(fail) && deco.inner->submit(deco.dev, fail);
}

bool deco_finish(struct lad_dev *dev, struct lad_fail *fail)
{
    (void)dev;
    if (!deco_unstage(fail) || !deco_settle(fail))
        return false;
    if (deco.dead && (DECO_ON(T1_reported) || DECO_ON(T1_reported_late)))
        return tell_lost("finish", fail);
    if (count_dispatches() && DECO_HIT(S1_early_finish, (struct lad_at){.size = deco.n_cmds})) {
        deco.late = true;
        return true;
    }
    return flush(fail) && deco.inner->finish(deco.dev, fail);
}

bool deco_done(struct lad_dev *dev, bool *complete, struct lad_fail *fail)
{
    (void)dev;
    if (!deco.n_cmds)
        return deco.inner->done(deco.dev, complete, fail);
    *complete = false;
    return deco_settle(fail);
}
