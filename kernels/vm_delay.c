/* SPDX-License-Identifier: Apache-2.0 */
/* Delayed assigns of the reference: a = #d b waits in its process, a <= #d b in the delayed queue. */
#include "vm_ref.h"

struct plan { /* what an ASSIGN_DELAY that is no resumption comes to, before any effect */
    struct cell value, idx;
    uint64_t delay, reject, error_limit, due;
    uint32_t index, index_xz;
};

static int eval_delay(const struct vm *m, uint32_t at, uint64_t *delay)
{
    struct cell c;
    int error = lad_vm_eval(m, at, &c);
    *delay = error || c.x ? 0 : c.v;
    return error;
}

static int eval_pulse(const struct vm *m, const struct lad_vm_dasn *d, struct plan *plan)
{
    int error = 0;
    plan->reject = plan->error_limit = 0;
    if (!(d->flags & VM_DASN_PULSE))
        return 0;
    if (d->reject != VM_NONE)
        error = eval_delay(m, d->reject, &plan->reject);
    plan->error_limit = plan->reject;
    if (!error && d->flags & VM_DASN_PULSE_ERROR && d->error != VM_NONE)
        error = eval_delay(m, d->error, &plan->error_limit);
    return error;
}

static int make_plan(const struct vm *m, const struct lad_vm_dasn *d, struct plan *plan)
{
    bool nonblocking = d->flags & VM_DASN_NONBLOCKING;
    bool indexed = nonblocking && d->flags & (VM_DASN_ARRAY | VM_DASN_BIT | VM_DASN_INDEXED);
    plan->idx = (struct cell){0, 0, 32};
    int error = lad_vm_eval(m, d->rhs, &plan->value);
    if (!error && indexed)
        error = lad_vm_eval(m, d->idx, &plan->idx);
    if (!error)
        error = eval_delay(m, d->delay, &plan->delay);
    if (!error && nonblocking)
        error = eval_pulse(m, d, plan);
    plan->index = (uint32_t)plan->idx.v;
    plan->index_xz = plan->idx.x || plan->idx.v >> 32;
    plan->due = *m->time + plan->delay;
    if (!error && plan->due < *m->time)
        error = VM_ERROR_TIME;
    return error;
}

static bool is_rival(const struct vm *m, uint32_t queued, uint32_t id, const struct plan *plan)
{
    return m->dnba_id[queued] == id && m->dnba_index_val[queued] == plan->index &&
           m->dnba_index_xz[queued] == plan->index_xz;
}

bool lad_vm_delay_stalls(const struct vm *m, uint32_t p, uint32_t id)
{
    const uint32_t want = VM_DASN_NONBLOCKING | VM_DASN_INERTIAL | VM_DASN_SHOWCANCELLED;
    struct plan plan;
    uint32_t cancelled = 0;
    if (id >= m->n_dasn || (m->dasn[id].flags & (want | VM_DASN_FALLBACK)) != want ||
        m->dasn[id].signal >= m->n_signal || m->wait_id[p] >> 31 || !*m->dnba_count ||
        make_plan(m, &m->dasn[id], &plan) || !plan.delay)
        return false;
    for (uint32_t i = 0; i < *m->dnba_count; i++)
        cancelled += is_rival(m, i, id, &plan);
    return cancelled > lad_vm_ring_free(m);
}

static void copy_queued(struct vm *m, uint32_t to, uint32_t from)
{
    m->dnba_time[to] = m->dnba_time[from];
    m->dnba_id[to] = m->dnba_id[from];
    m->dnba_val[to] = m->dnba_val[from];
    m->dnba_xz[to] = m->dnba_xz[from];
    m->dnba_index_val[to] = m->dnba_index_val[from];
    m->dnba_index_xz[to] = m->dnba_index_xz[from];
}

/* Takes the rivals out of the queue; *suppress and *blur by the widths of the pulses that they end. */
static void cancel(struct vm *m, uint32_t p, uint32_t id, const struct plan *plan, bool *suppress, bool *blur)
{
    const struct lad_vm_dasn *d = &m->dasn[id];
    uint32_t kept = 0;
    *suppress = *blur = false;
    for (uint32_t i = 0; i < *m->dnba_count; i++) {
        if (!is_rival(m, i, id, plan)) {
            copy_queued(m, kept++, i);
            continue;
        }
        uint64_t at = m->dnba_time[i], width = plan->due > at ? plan->due - at : at - plan->due;
        if (d->flags & VM_DASN_PULSE) {
            if (width < plan->reject)
                *suppress = true;
            else if (width < plan->error_limit)
                *blur = true;
        }
        if (d->flags & VM_DASN_SHOWCANCELLED)
            lad_vm_show_cancelled(m, p, id, i);
    }
    *m->dnba_count = kept;
}

static enum go assign_later(struct vm *m, uint32_t p, uint32_t ip, uint32_t id, struct plan *plan)
{
    const struct lad_vm_dasn *d = &m->dasn[id];
    bool suppress = false, blur = false;
    if (d->flags & VM_DASN_INERTIAL)
        cancel(m, p, id, plan, &suppress, &blur);
    m->ip[p] = ip + 1;
    if (suppress)
        return GO_ON;
    if (blur) {
        plan->value.x = lad_vm_mask(d->width) & ~m->known;
        plan->value.v = plan->value.x;
    }
    uint32_t n = *m->dnba_count;
    if (n >= m->parm[VM_PARM_DNBA])
        return lad_vm_fail(m, p, ip, VM_ERROR_DNBA_FULL);
    m->dnba_time[n] = plan->due;
    m->dnba_id[n] = id;
    m->dnba_val[n] = plan->value.v;
    m->dnba_xz[n] = plan->value.x;
    m->dnba_index_val[n] = plan->index;
    m->dnba_index_xz[n] = plan->index_xz;
    *m->dnba_count = n + 1;
    return GO_ON;
}

static enum go resume(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    struct lad_vm_asgn a = lad_vm_as_assign(&m->dasn[id]);
    struct target t;
    int error = lad_vm_resolve(m, &a, NULL, &t);
    if (error)
        return lad_vm_fail(m, p, ip, error);
    m->wait_id[p] = 0;
    if (!t.ignored)
        lad_vm_store(m, &t, m->delay_val[id] & lad_vm_mask(a.width), m->delay_xz[id] & lad_vm_mask(a.width));
    m->ip[p] = ip + 1;
    return GO_ON;
}

enum go lad_vm_assign_delay(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    struct plan plan;
    struct target t;
    if (id >= m->n_dasn)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    const struct lad_vm_dasn *d = &m->dasn[id];
    if (d->flags & VM_DASN_FALLBACK)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    if (d->signal >= m->n_signal)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    if (m->wait_id[p] >> 31)
        return resume(m, p, ip, id);
    int error = make_plan(m, d, &plan);
    if (error)
        return lad_vm_fail(m, p, ip, error);
    if (!(d->flags & VM_DASN_NONBLOCKING)) {
        m->delay_val[id] = plan.value.v;
        m->delay_xz[id] = plan.value.x;
        m->wait_time[p] = plan.due;
        m->wait_id[p] = 0x80000000u | id;
        lad_vm_block(m, p, plan.delay ? VM_WAIT_TIME : VM_WAIT_DELTA);
        return GO_END;
    }
    if (plan.delay)
        return assign_later(m, p, ip, id, &plan);
    struct lad_vm_asgn a = lad_vm_as_assign(d);
    if (!(error = lad_vm_resolve(m, &a, lad_vm_needs_index(a.flags) ? &plan.idx : NULL, &t)))
        error = lad_vm_log(m, &t, plan.value.v & lad_vm_mask(a.width), plan.value.x & lad_vm_mask(a.width));
    if (error)
        return lad_vm_fail(m, p, ip, error);
    m->ip[p] = ip + 1;
    return GO_ON;
}

int lad_vm_move_due(struct vm *m)
{
    uint32_t kept = 0, n = *m->dnba_count;
    for (uint32_t i = 0; i < n; i++) {
        if (m->dnba_time[i] > *m->time)
            continue;
        struct lad_vm_asgn a = lad_vm_as_assign(&m->dasn[m->dnba_id[i]]);
        struct cell idx = {m->dnba_index_val[i], m->dnba_index_xz[i], 32};
        struct target t;
        int error = lad_vm_resolve(m, &a, lad_vm_needs_index(a.flags) ? &idx : NULL, &t);
        if (!error)
            error = lad_vm_log(m, &t, m->dnba_val[i] & lad_vm_mask(a.width), m->dnba_xz[i] & lad_vm_mask(a.width));
        if (error)
            return error;
    }
    for (uint32_t i = 0; i < n; i++)
        if (m->dnba_time[i] > *m->time)
            copy_queued(m, kept++, i);
    *m->dnba_count = kept;
    return 0;
}
