/* SPDX-License-Identifier: Apache-2.0 */
/* Edge waits and the wake pass of the reference: loops over tables, the same in both phases. */
#include "vm_ref.h"

int lad_vm_sample(struct vm *m, uint32_t id)
{
    const struct lad_vm_ewat *w = &m->ewat[id];
    struct cell c;
    int error;
    for (uint32_t i = w->star_offset; i < w->star_offset + w->star_count; i++) {
        if ((error = lad_vm_eval(m, m->estr[i].expr, &c)))
            return error;
        m->edge_star_prev_val[m->estr[i].prev] = c.v;
        m->edge_star_prev_xz[m->estr[i].prev] = c.x;
    }
    for (uint32_t i = w->item_offset; i < w->item_offset + w->item_count; i++) {
        if ((error = lad_vm_eval(m, m->eitm[i].expr, &c)))
            return error;
        m->edge_prev_val[m->eitm[i].prev] = c.v;
        m->edge_prev_xz[m->eitm[i].prev] = c.x;
    }
    return 0;
}

/* An edge is a change of bit 0 from 0 (posedge) or 1 (negedge), or to 1 (posedge) or 0 (negedge) from an unknown. */
static bool is_hit(uint32_t kind, uint64_t was_v, uint64_t was_x, const struct cell *c)
{
    uint64_t to = kind == VM_EDGE_POS; /* the level that the edge leads to */
    if (kind == VM_EDGE_ANY)
        return was_v != c->v || was_x != c->x;
    bool was_known = !(was_x & 1), known = !(c->x & 1), was_there = was_known && (was_v & 1) == to;
    bool is_there = known && (c->v & 1) == to;
    return was_known ? !was_there && (is_there || !known) : is_there;
}

static int test_edges(struct vm *m, uint32_t id, bool *ready)
{
    const struct lad_vm_ewat *w = &m->ewat[id];
    struct cell c;
    int error;
    for (uint32_t i = w->star_offset; i < w->star_offset + w->star_count; i++) {
        uint64_t *v = &m->edge_star_prev_val[m->estr[i].prev], *x = &m->edge_star_prev_xz[m->estr[i].prev];
        if ((error = lad_vm_eval(m, m->estr[i].expr, &c)))
            return error;
        *ready |= is_hit(VM_EDGE_ANY, *v, *x, &c);
        *v = c.v;
        *x = c.x;
    }
    for (uint32_t i = w->item_offset; i < w->item_offset + w->item_count; i++) {
        uint64_t *v = &m->edge_prev_val[m->eitm[i].prev], *x = &m->edge_prev_xz[m->eitm[i].prev];
        if ((error = lad_vm_eval(m, m->eitm[i].expr, &c)))
            return error;
        *ready |= is_hit(w->kind == VM_EDGE_LIST ? m->eitm[i].kind : w->kind, *v, *x, &c);
        *v = c.v;
        *x = c.x;
    }
    return 0;
}

bool lad_vm_wake_pass(struct vm *m, bool *woke)
{
    *woke = false;
    for (uint32_t p = 0; p < m->n_proc; p++) {
        bool ready = false;
        int error = 0, truth = TRUTH_X;
        if (m->state[p] != VM_BLOCKED)
            continue;
        switch (m->wait_kind[p]) {
        case VM_WAIT_EVENT:
            ready = m->wait_id[p] == 1;
            break;
        case VM_WAIT_EDGE:
            error = test_edges(m, m->wait_id[p], &ready);
            break;
        case VM_WAIT_COND:
            error = lad_vm_cond(m, m->wcnd[m->wait_id[p]].cond, &truth);
            ready = truth == TRUTH_1;
            break;
        }
        if (error) {
            *m->error = (uint32_t)error;
            *m->error_pid = p;
            *m->error_ip = m->ip[p];
            *m->status = VM_ERROR_STATUS;
            return false;
        }
        if (ready) {
            lad_vm_wake(m, p);
            *woke = true;
        }
    }
    for (uint32_t i = 0; i < m->parm[VM_PARM_EVENTS]; i++)
        m->event_pending[i] = 0;
    return true;
}
