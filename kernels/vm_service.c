/* SPDX-License-Identifier: Apache-2.0 */
/* Service calls of the reference: records into the ring, monitors and strobes at the end of a time step. */
#include "vm_ref.h"
#include <string.h>

struct arg {
    uint64_t v, x;
    uint32_t kind, width;
};

uint32_t lad_vm_ring_free(const struct vm *m)
{
    uint32_t used = *m->tail - *m->head;
    return used < m->capacity ? m->capacity - used : 0;
}

static int eval_expr(const struct vm *m, const struct lad_vm_svca *a, struct arg *out)
{
    struct cell c;
    int error = lad_vm_eval(m, a->payload, &c);
    if (error)
        return error;
    out->v = c.v;
    out->x = c.x;
    return 0;
}

static int eval_arg(const struct vm *m, const struct lad_vm_svca *a, struct arg *out)
{
    bool text = a->kind == VM_ARG_IDENT || (a->kind == VM_ARG_STRING && !(a->flags & VM_SVCA_EXPR));
    int error;
    *out = (struct arg){.v = a->payload, .kind = a->kind, .width = a->width};
    if (text) {
        /* a string's number, as it is */
    } else if (a->flags & VM_SVCA_TIME) {
        out->v = *m->time;
        out->width = 64;
    } else if (a->flags & VM_SVCA_STIME) {
        out->v = *m->time & UINT32_MAX;
        out->width = 32;
    } else if (a->flags & VM_SVCA_EXPR) {
        if ((error = eval_expr(m, a, out)))
            return error;
        if (a->kind == VM_ARG_STRING)
            out->width = 32;
    }
    if (a->kind == VM_ARG_REAL || a->kind > VM_ARG_WIDE || (a->kind == VM_ARG_WIDE && out->width <= 64))
        return VM_ERROR_SERVICE;
    if (out->width > 64)
        return VM_ERROR_CAPABILITY;
    if (!out->width)
        out->width = 1;
    out->v &= lad_vm_mask(out->width);
    out->x &= lad_vm_mask(out->width);
    out->kind |= a->flags & VM_SVCA_SIGNED ? VM_ARG_SIGNED : 0;
    return 0;
}

/* The record that is next, all zero but for its head. */
static unsigned char *begin_record(struct vm *m, uint32_t kind, uint32_t pid, uint32_t format, uint32_t n)
{
    unsigned char *record = m->records + (size_t)(*m->tail % m->capacity) * m->record_bytes;
    uint32_t head[] = {kind, pid, format, n};
    memset(record, 0, m->record_bytes);
    memcpy(record, head, sizeof head);
    return record;
}

static void put_arg(const struct vm *m, unsigned char *record, uint32_t i, const struct arg *a)
{
    size_t n = m->n_args;
    memcpy(record + 16 + 4 * (size_t)i, &a->kind, 4);
    memcpy(record + 16 + 4 * n + 4 * (size_t)i, &a->width, 4);
    memcpy(record + 16 + 8 * n + 8 * (size_t)i, &a->v, 8);
    memcpy(record + 16 + 16 * n + 8 * (size_t)i, &a->x, 8);
}

/* The counter moves when the record is complete. */
static void end_record(struct vm *m)
{
    ++*m->tail;
}

static bool has_args(const struct vm *m, const struct lad_vm_svce *e)
{
    return e->arg_offset <= m->n_svca && e->arg_count <= m->n_svca - e->arg_offset && e->arg_count <= m->n_args;
}

/* Evaluates the arguments into a record that is not counted yet. */
static int fill_record(struct vm *m, const struct lad_vm_svce *e, uint32_t pid, bool *guarded)
{
    unsigned char *record = begin_record(m, e->kind, pid, e->format, e->arg_count);
    struct arg arg;
    *guarded = false;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        int error = eval_arg(m, &m->svca[e->arg_offset + i], &arg);
        if (error)
            return error;
        if (!i && e->flags & VM_SVCE_GUARD_FD && (arg.x || !arg.v))
            *guarded = true;
        put_arg(m, record, i, &arg);
    }
    return 0;
}

void lad_vm_show_cancelled(struct vm *m, uint32_t p, uint32_t id, uint32_t i)
{
    struct arg args[] = {{.v = id, .width = 32},
                         {.v = m->dnba_index_val[i], .width = 32},
                         {.v = m->dnba_index_xz[i], .width = 32},
                         {.v = m->dnba_time[i], .width = 64}};
    unsigned char *record = begin_record(m, VM_SERVICE_SHOWCANCELLED, p, VM_NONE, 4);
    for (uint32_t k = 0; k < 4; k++)
        put_arg(m, record, k, &args[k]);
    end_record(m);
}

static enum go set_monitor(struct vm *m, uint32_t p, uint32_t ip, const struct lad_vm_svce *e)
{
    uint32_t n = m->parm[VM_PARM_MONITORS];
    if (e->flags & VM_SVCE_MONITOR_ON) {
        *m->monitor_enable = 1;
        for (uint32_t i = 0; i < n; i++)
            if (m->monitor_active[i])
                m->monitor_first[i] = 1;
    } else if (e->flags & VM_SVCE_MONITOR_OFF) {
        *m->monitor_enable = 0;
    } else {
        if (e->aux >= n)
            return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
        for (uint32_t i = 0; i < n; i++)
            m->monitor_active[i] = 0;
        m->monitor_active[e->aux] = m->monitor_first[e->aux] = 1;
        m->monitor_pid[e->aux] = p;
    }
    m->ip[p] = ip + 1;
    return GO_ON;
}

static enum go set_strobe(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    if (id >= m->parm[VM_PARM_STROBES])
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    m->strobe_pending[id]++;
    m->strobe_pid[id] = p;
    m->ip[p] = ip + 1;
    return GO_ON;
}

bool lad_vm_service_stalls(const struct vm *m, uint32_t id)
{
    if (id >= m->n_svce)
        return false;
    const struct lad_vm_svce *e = &m->svce[id];
    const uint32_t silent =
        VM_SVCE_FALLBACK | VM_SVCE_MONITOR | VM_SVCE_MONITOR_ON | VM_SVCE_MONITOR_OFF | VM_SVCE_STROBE;
    return !(e->flags & silent) && !(e->flags & VM_SVCE_GLOBAL_ONLY && m->gid) && has_args(m, e) &&
           !lad_vm_ring_free(m);
}

enum go lad_vm_call_service(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    bool guarded;
    if (id >= m->n_svce)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    const struct lad_vm_svce *e = &m->svce[id];
    if (e->flags & VM_SVCE_FALLBACK)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    if (e->flags & (VM_SVCE_MONITOR_ON | VM_SVCE_MONITOR_OFF))
        return set_monitor(m, p, ip, e);
    if (e->flags & VM_SVCE_STROBE)
        return set_strobe(m, p, ip, e->aux);
    if (e->flags & VM_SVCE_MONITOR)
        return set_monitor(m, p, ip, e);
    m->ip[p] = ip + 1;
    if (e->flags & VM_SVCE_GLOBAL_ONLY && m->gid)
        return GO_ON;
    if (!has_args(m, e))
        return lad_vm_fail(m, p, ip, VM_ERROR_SERVICE);
    int error = fill_record(m, e, p, &guarded);
    if (error)
        return lad_vm_fail(m, p, ip, error);
    if (guarded)
        return GO_ON;
    end_record(m);
    if (e->flags & VM_SVCE_FINISH) {
        m->state[p] = VM_DONE;
        m->ip[p] = 0;
        *m->status = VM_FINISHED;
        return GO_LAUNCH;
    }
    if (e->flags & VM_SVCE_STOP) {
        *m->status = VM_STOPPED;
        return GO_LAUNCH;
    }
    return GO_ON;
}

static bool is_watched(const struct lad_vm_svca *a)
{
    return !(a->flags & (VM_SVCA_TIME | VM_SVCA_STIME | VM_SVCA_NOMON)) && a->kind != VM_ARG_STRING &&
           a->kind != VM_ARG_IDENT;
}

/* A monitor's turn: a record when it is new or something that it watches changed. What it has seen is kept only when
 * all of it could be evaluated. */
static int run_monitor(struct vm *m, uint32_t id)
{
    const struct lad_vm_svce *e = m->msvc[id] < m->n_svce ? &m->svce[m->msvc[id]] : NULL;
    uint64_t *v = m->monitor_val + (size_t)id * m->n_args, *x = m->monitor_xz + (size_t)id * m->n_args;
    if (!e || !has_args(m, e))
        return VM_ERROR_SERVICE;
    bool changed = m->monitor_first[id] == 1;
    size_t n = m->n_args;
    unsigned char *record = begin_record(m, e->kind, m->monitor_pid[id], e->format, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++) {
        struct arg arg;
        int error = eval_arg(m, &m->svca[e->arg_offset + i], &arg);
        if (error)
            return error;
        put_arg(m, record, i, &arg);
        if (is_watched(&m->svca[e->arg_offset + i]))
            changed |= v[i] != arg.v || x[i] != arg.x;
    }
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (is_watched(&m->svca[e->arg_offset + i])) {
            memcpy(&v[i], record + 16 + 8 * n + 8 * (size_t)i, 8);
            memcpy(&x[i], record + 16 + 16 * n + 8 * (size_t)i, 8);
        }
    m->monitor_first[id] = 0;
    if (changed)
        end_record(m);
    return 0;
}

static int run_strobe(struct vm *m, uint32_t id)
{
    const struct lad_vm_svce *e = m->ssvc[id] < m->n_svce ? &m->svce[m->ssvc[id]] : NULL;
    bool guarded;
    for (; m->strobe_pending[id]; m->strobe_pending[id]--) {
        int error = !e || !has_args(m, e) ? VM_ERROR_SERVICE : fill_record(m, e, m->strobe_pid[id], &guarded);
        if (error)
            return error;
        end_record(m);
    }
    return 0;
}

bool lad_vm_postponed(struct vm *m)
{
    uint32_t monitors = m->parm[VM_PARM_MONITORS], strobes = m->parm[VM_PARM_STROBES];
    uint64_t need = 0;
    int error = 0;
    for (uint32_t i = 0; i < strobes; i++)
        need += m->strobe_pending[i];
    for (uint32_t i = 0; i < monitors && *m->monitor_enable; i++)
        need += m->monitor_active[i] == 1;
    if (!need)
        return true;
    if (need > lad_vm_ring_free(m)) {
        if (need > m->capacity)
            lad_vm_fail(m, VM_NONE, VM_NONE, VM_ERROR_SERVICE);
        return false;
    }
    for (uint32_t i = 0; i < monitors && !error; i++)
        if (m->monitor_active[i] && *m->monitor_enable)
            error = run_monitor(m, i);
    for (uint32_t i = 0; i < strobes && !error; i++)
        error = run_strobe(m, i);
    if (error)
        lad_vm_fail(m, VM_NONE, VM_NONE, error);
    return !error;
}
