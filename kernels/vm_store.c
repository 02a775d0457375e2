/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of the reference: loads, targets, stores, the nonblocking log, force and release. */
#include "vm_ref.h"

/* Bits of `plane` that an element keeps, and those that it gets. */
#define MERGE(type, offset, plane)                                                                                     \
    do {                                                                                                               \
        type *word = (type *)(base + (offset)) + at;                                                                   \
        type now = (type)((*word & ~put) | ((plane)&put));                                                             \
        *changed |= *word != now;                                                                                      \
        *word = now;                                                                                                   \
    } while (0)

void lad_vm_put(struct vm *m, unsigned char *base, const struct target *t, uint64_t v, uint64_t x, bool *changed)
{
    const struct lad_vm_signal *s = &m->signal[t->signal];
    size_t at = (size_t)m->gid * s->array_size + t->element;
    uint64_t put = lad_vm_mask(t->width);
    if (t->start) { /* positions wrap around at 2^32: a part that hangs below bit 0 */
        uint64_t below = (1ull << 32) - t->start;
        if (t->start < 64) {
            put <<= t->start;
            v <<= t->start;
            x <<= t->start;
        } else if (below < 64) {
            put >>= below;
            v >>= below;
            x >>= below;
        } else {
            put = 0;
        }
    }
    put &= lad_vm_mask(s->width);
    if (s->width <= 32) {
        MERGE(uint32_t, s->val_offset, v);
        if (!m->two_state)
            MERGE(uint32_t, s->xz_offset, x);
    } else {
        MERGE(uint64_t, s->val_offset, v);
        if (!m->two_state)
            MERGE(uint64_t, s->xz_offset, x);
    }
}

void lad_vm_store(struct vm *m, const struct target *t, uint64_t v, uint64_t x)
{
    bool changed = false;
    if (!lad_vm_is_overridden(m, t->signal))
        lad_vm_put(m, m->signals, t, v, x, &changed);
    else if (!m->ovrd[t->signal].is_variable)
        lad_vm_put(m, m->shadow, t, v, x, &changed);
}

int lad_vm_resolve(const struct vm *m, const struct lad_vm_asgn *a, const struct cell *idx, struct target *t)
{
    const struct lad_vm_signal *s = &m->signal[a->signal];
    uint32_t shape =
        a->flags & (VM_ASGN_ARRAY | VM_ASGN_BIT | VM_ASGN_RANGE | VM_ASGN_INDEXED | VM_ASGN_WIDE_CONST);
    struct cell own = {0, 0, 32};
    int error;
    switch (shape) {
    case 0:
    case VM_ASGN_ARRAY:
    case VM_ASGN_ARRAY | VM_ASGN_RANGE:
    case VM_ASGN_BIT:
    case VM_ASGN_RANGE:
    case VM_ASGN_RANGE | VM_ASGN_INDEXED:
        break;
    default:
        return VM_ERROR_ENTRY;
    }
    if ((s->array_size != 1) != ((shape & VM_ASGN_ARRAY) != 0))
        return VM_ERROR_ENTRY;
    if (!idx) {
        if (lad_vm_needs_index(shape) && (error = lad_vm_eval(m, a->idx, &own)))
            return error;
        idx = &own;
    }
    uint32_t i = (uint32_t)idx->v;
    *t = (struct target){a->signal, 0, 0, s->width, idx->x || idx->v >> 32};
    if (shape & VM_ASGN_ARRAY)
        t->element = i;
    if (shape & VM_ASGN_RANGE) {
        t->start = shape & VM_ASGN_INDEXED ? i : a->range_lsb;
        t->width = a->width;
    }
    if (shape & VM_ASGN_BIT) {
        t->start = i;
        t->width = 1;
    }
    t->ignored |= t->element >= s->array_size;
    return 0;
}

int lad_vm_log(struct vm *m, const struct target *t, uint64_t v, uint64_t x)
{
    if (t->ignored)
        return 0;
    uint32_t n = *m->nba_count, *log = m->nba_log + (size_t)n * VM_LOG_WORDS;
    if (n >= m->parm[VM_PARM_NBA])
        return VM_ERROR_NBA_FULL;
    log[0] = t->signal;
    log[1] = t->element;
    log[2] = t->start;
    log[3] = t->width;
    log[4] = (uint32_t)v;
    log[5] = (uint32_t)(v >> 32);
    log[6] = (uint32_t)x;
    log[7] = (uint32_t)(x >> 32);
    *m->nba_count = n + 1;
    return 0;
}

/* Evaluates an override's right-hand side and writes it to the state, whatever overrides the signal. */
static int drive(struct vm *m, uint32_t id, bool *changed)
{
    const struct lad_vm_force *f = &m->force[id];
    struct target t = {f->signal, 0, 0, m->signal[f->signal].width, false};
    struct cell value;
    int error = lad_vm_eval(m, f->rhs, &value);
    if (!error)
        lad_vm_put(m, m->signals, &t, value.v & lad_vm_mask(t.width), value.x & lad_vm_mask(t.width), changed);
    return error;
}

int lad_vm_refresh(struct vm *m)
{
    uint32_t n_force = m->parm[VM_PARM_FORCES], n_passign = m->parm[VM_PARM_PASSIGNS];
    bool changed = true;
    int error;
    for (uint32_t pass = 0; pass < n_force + n_passign && changed; pass++) {
        changed = false;
        for (uint32_t i = 0; i < n_passign; i++)
            if (m->passign_id[i] != VM_NONE &&
                !lad_vm_is_active(m->force_id, m->ovrd[m->force[m->passign_id[i]].signal].force_slot) &&
                (error = drive(m, m->passign_id[i], &changed)))
                return error;
        for (uint32_t i = 0; i < n_force; i++)
            if (m->force_id[i] != VM_NONE && (error = drive(m, m->force_id[i], &changed)))
                return error;
    }
    return 0;
}

enum go lad_vm_force(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    bool changed = false;
    if (id >= m->n_force)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    const struct lad_vm_force *f = &m->force[id];
    bool procedural = f->flags & VM_FORCE_PROCEDURAL, variable = f->flags & VM_FORCE_REG;
    if (f->flags & VM_FORCE_FALLBACK)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    if (f->signal >= m->n_signal)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    struct target t = {f->signal, 0, 0, m->signal[f->signal].width, false};
    if (m->signal[f->signal].array_size != 1)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    struct cell value;
    int error = lad_vm_eval(m, f->rhs, &value);
    if (!error && (procedural ? !variable || f->passign_slot == VM_NONE : f->force_slot == VM_NONE))
        error = VM_ERROR_ENTRY;
    if (error)
        return lad_vm_fail(m, p, ip, error);
    value.v &= lad_vm_mask(t.width);
    value.x &= lad_vm_mask(t.width);
    if (!variable && !lad_vm_is_overridden(m, f->signal)) {
        uint64_t v, x;
        lad_vm_load(m, m->signals, f->signal, 0, &v, &x);
        lad_vm_put(m, m->shadow, &t, v, x, &changed);
    }
    if (procedural)
        m->passign_id[f->passign_slot] = f->force_id;
    else
        m->force_id[f->force_slot] = f->force_id;
    if (!procedural || !lad_vm_is_active(m->force_id, m->ovrd[f->signal].force_slot))
        lad_vm_put(m, m->signals, &t, value.v, value.x, &changed);
    m->ip[p] = ip + 1;
    return GO_ON;
}

/* What the signal is when its force ends: the procedural assign's value, its own (a variable), its driver's (a net). */
static int let_go(struct vm *m, const struct lad_vm_release *r)
{
    bool changed = false;
    struct target t = {r->signal, 0, 0, m->signal[r->signal].width, false};
    uint64_t v, x;
    m->force_id[r->force_slot] = VM_NONE;
    if (lad_vm_is_active(m->passign_id, r->passign_slot))
        return drive(m, m->passign_id[r->passign_slot], &changed);
    if (!(r->flags & VM_FORCE_REG)) {
        lad_vm_load(m, m->shadow, r->signal, 0, &v, &x);
        lad_vm_put(m, m->signals, &t, v, x, &changed);
    }
    return 0;
}

enum go lad_vm_release(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    if (id >= m->n_release)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    const struct lad_vm_release *r = &m->release[id];
    bool procedural = r->flags & VM_FORCE_PROCEDURAL;
    if (r->flags & VM_FORCE_FALLBACK)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    if (r->signal >= m->n_signal)
        return lad_vm_fail(m, p, ip, VM_ERROR_TABLE_INDEX);
    if (m->signal[r->signal].array_size != 1 || (procedural ? r->passign_slot : r->force_slot) == VM_NONE)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    if (procedural) {
        m->passign_id[r->passign_slot] = VM_NONE;
    } else if (m->force_id[r->force_slot] != VM_NONE) {
        int error = let_go(m, r);
        if (error)
            return lad_vm_fail(m, p, ip, error);
    }
    m->ip[p] = ip + 1;
    return GO_ON;
}
