/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's checks of table entries: ids, expressions, and what an entry says of its signal. */
#include "vm.h"
#include <stdlib.h>

struct state {
    const struct lad_vm_program *p;
    struct lad_vm_why *why;
    unsigned char *walked; /* a bit for each expression offset that was found sound */
};

static bool check_expr(struct state *s, const char *what, uint32_t i, const char *field, uint32_t at)
{
    struct lad_vm_walk walk;
    if (at < s->p->n_expr && s->walked[at / 8] >> at % 8 & 1)
        return true;
    lad_vm_walk(s->p, at, &walk);
    if (walk.error)
        return lad_vm_because(s->why, "%s %u: its %s expression at %u: %s", what, i, field, at, walk.flaw);
    s->walked[at / 8] |= (unsigned char)(1 << at % 8);
    return true;
}

static bool check_signal(struct state *s, const char *what, uint32_t i, uint32_t id)
{
    return id < s->p->n_sigs || lad_vm_because(s->why, "%s %u: signal %u of %u", what, i, id, s->p->n_sigs);
}

static bool check_text(struct state *s, const char *what, uint32_t i, uint32_t id)
{
    return id < s->p->n_stro - 1 || lad_vm_because(s->why, "%s %u: string %u of %u", what, i, id, s->p->n_stro - 1);
}

static bool check_fallback(struct state *s, const char *what, uint32_t i, uint32_t flag)
{
    return !flag || lad_vm_because(s->why, "%s %u: flagged FALLBACK", what, i);
}

/* Width, base width and array size of an assign or delay assign. */
static bool check_shape(struct state *s, const char *what, uint32_t i, const struct lad_vm_asgn *a)
{
    const struct lad_vm_sigs *sig = &s->p->sigs[a->signal];
    uint32_t want = a->flags & VM_ASGN_BIT ? 1 : sig->width;
    if (a->base_width != sig->width || a->array_size != sig->array_size)
        return lad_vm_because(s->why, "%s %u: base width %u, array size %u, its signal has %u and %u", what, i,
                              a->base_width, a->array_size, sig->width, sig->array_size);
    if (a->flags & VM_ASGN_RANGE ? !a->width || a->width > 64 : a->width != want)
        return lad_vm_because(s->why, "%s %u: width %u, expected %u", what, i, a->width, want);
    return true;
}

static bool check_conds(struct state *s)
{
    for (uint32_t i = 0; i < s->p->n_cond; i++) {
        const struct lad_vm_cond *c = &s->p->cond[i];
        if (c->kind != VM_COND_CONST && c->kind != VM_COND_EXPR)
            return lad_vm_because(s->why, "condition %u: kind %u", i, c->kind);
        if (c->kind == VM_COND_EXPR && !check_expr(s, "condition", i, "only", c->expr))
            return false;
    }
    return true;
}

static bool check_assigns(struct state *s)
{
    for (uint32_t i = 0; i < s->p->n_asgn; i++) {
        const struct lad_vm_asgn *a = &s->p->asgn[i];
        bool index = a->flags & (VM_ASGN_ARRAY | VM_ASGN_BIT | VM_ASGN_INDEXED);
        if (!check_fallback(s, "assign", i, a->flags & VM_ASGN_FALLBACK) || !check_signal(s, "assign", i, a->signal) ||
            !check_shape(s, "assign", i, a) || !check_expr(s, "assign", i, "right-hand", a->rhs) ||
            (index && !check_expr(s, "assign", i, "index", a->idx)))
            return false;
    }
    return true;
}

static bool check_delay_assigns(struct state *s)
{
    for (uint32_t i = 0; i < s->p->n_dasn; i++) {
        const struct lad_vm_dasn *d = &s->p->dasn[i];
        struct lad_vm_asgn a = {0, d->signal, d->rhs, d->idx, d->width, d->base_width, d->range_lsb, d->array_size};
        bool index = d->flags & (VM_DASN_ARRAY | VM_DASN_BIT | VM_DASN_INDEXED);
        a.flags = (d->flags & VM_DASN_BIT ? VM_ASGN_BIT : 0) | (d->flags & VM_DASN_RANGE ? VM_ASGN_RANGE : 0);
        if (!check_fallback(s, "delay assign", i, d->flags & VM_DASN_FALLBACK) ||
            !check_signal(s, "delay assign", i, d->signal) || !check_shape(s, "delay assign", i, &a) ||
            !check_expr(s, "delay assign", i, "right-hand", d->rhs) ||
            !check_expr(s, "delay assign", i, "delay", d->delay) ||
            (index && !check_expr(s, "delay assign", i, "index", d->idx)))
            return false;
        if (d->flags & VM_DASN_PULSE &&
            ((d->reject != VM_NONE && !check_expr(s, "delay assign", i, "reject", d->reject)) ||
             (d->flags & VM_DASN_PULSE_ERROR && d->error != VM_NONE &&
              !check_expr(s, "delay assign", i, "error", d->error))))
            return false;
    }
    return true;
}

/* What the entries before said of the same signal. */
struct claim {
    uint32_t force_slot, passign_slot, variable;
    bool made;
};

static bool check_claim(struct state *s, struct claim *claims, const char *what, uint32_t i, uint32_t signal,
                        struct claim c)
{
    struct claim *first = &claims[signal];
    c.made = true;
    if (first->made &&
        (first->force_slot != c.force_slot || first->passign_slot != c.passign_slot || first->variable != c.variable))
        return lad_vm_because(s->why, "%s %u: slots or kind differ from what an earlier entry says of signal %s", what,
                              i, lad_vm_name(s->p, s->p->sigs[signal].name));
    *first = c;
    return true;
}

static bool check_forces(struct state *s, struct claim *claims)
{
    for (uint32_t i = 0; i < s->p->n_force; i++) {
        const struct lad_vm_force *f = &s->p->force[i];
        struct claim c = {f->force_slot, f->passign_slot, f->flags & VM_FORCE_REG, true};
        if (!check_fallback(s, "force", i, f->flags & VM_FORCE_FALLBACK) || !check_signal(s, "force", i, f->signal) ||
            !check_expr(s, "force", i, "right-hand", f->rhs) || !check_claim(s, claims, "force", i, f->signal, c))
            return false;
    }
    for (uint32_t i = 0; i < s->p->n_release; i++) {
        const struct lad_vm_release *r = &s->p->release[i];
        if (!check_fallback(s, "release", i, r->flags & VM_FORCE_FALLBACK) || !check_signal(s, "release", i, r->signal))
            return false;
        struct claim c = {r->force_slot, r->passign_slot, r->flags & VM_FORCE_REG, true};
        if (!check_claim(s, claims, "release", i, r->signal, c))
            return false;
    }
    return true;
}

static bool check_service(struct state *s, uint32_t i, unsigned char *monitor, unsigned char *strobe)
{
    const struct lad_vm_svce *e = &s->p->svce[i];
    bool m = e->flags & VM_SVCE_MONITOR;
    if (!check_fallback(s, "service", i, e->flags & VM_SVCE_FALLBACK))
        return false;
    if (e->format != VM_NONE && !check_text(s, "service", i, e->format))
        return false;
    if (e->arg_offset > s->p->n_svca || e->arg_count > s->p->n_svca - e->arg_offset)
        return lad_vm_because(s->why, "service %u: %u arguments at %u of %u", i, e->arg_count, e->arg_offset,
                              s->p->n_svca);
    if (!m && !(e->flags & VM_SVCE_STROBE))
        return true;
    if (e->aux >= s->p->parm[m ? VM_PARM_MONITORS : VM_PARM_STROBES] || (m ? monitor : strobe)[e->aux]++)
        return lad_vm_because(s->why, "service %u: %s %u is not there or another call's", i, m ? "monitor" : "strobe",
                              e->aux);
    return true;
}

static bool check_services(struct state *s, unsigned char *monitor, unsigned char *strobe)
{
    for (uint32_t i = 0; i < s->p->n_svce; i++)
        if (!check_service(s, i, monitor, strobe))
            return false;
    for (uint32_t i = 0; i < s->p->n_svca; i++) {
        const struct lad_vm_svca *a = &s->p->svca[i];
        bool text = a->kind == VM_ARG_IDENT || (a->kind == VM_ARG_STRING && !(a->flags & VM_SVCA_EXPR));
        if (a->kind > VM_ARG_WIDE)
            return lad_vm_because(s->why, "service argument %u: kind %u", i, a->kind);
        if (text && !check_text(s, "service argument", i, a->payload))
            return false;
        if (!text && (a->flags & (VM_SVCA_EXPR | VM_SVCA_TIME | VM_SVCA_STIME)) == VM_SVCA_EXPR &&
            !check_expr(s, "service argument", i, "only", a->payload))
            return false;
    }
    for (uint32_t i = 0; i < s->p->n_svcr; i++)
        if (!check_fallback(s, "return assign", i, s->p->svcr[i].flags & VM_SVCR_FALLBACK) ||
            !check_signal(s, "return assign", i, s->p->svcr[i].signal))
            return false;
    return true;
}

static bool check_waits(struct state *s)
{
    const struct lad_vm_program *p = s->p;
    for (uint32_t i = 0; i < p->n_cash; i++)
        if (p->cash[i].entry_count && !check_expr(s, "case", i, "only", p->cash[i].expr))
            return false;
    for (uint32_t i = 0; i < p->n_dly; i++)
        if (p->dly[i].kind && !check_expr(s, "delay", i, "only", p->dly[i].expr))
            return false;
    for (uint32_t i = 0; i < p->n_rpt; i++)
        if (!check_expr(s, "repeat", i, "count", p->rpt[i].expr))
            return false;
    for (uint32_t i = 0; i < p->n_eitm; i++)
        if (!check_expr(s, "edge item", i, "only", p->eitm[i].expr))
            return false;
    for (uint32_t i = 0; i < p->n_estr; i++)
        if (!check_expr(s, "star entry", i, "only", p->estr[i].expr))
            return false;
    return true;
}

static bool check_procs(struct state *s)
{
    const struct lad_vm_program *p = s->p;
    for (uint32_t i = 0; i < p->n_proc; i++) {
        const struct lad_vm_proc *q = &p->proc[i];
        if (!q->length)
            return lad_vm_because(s->why, "process %u: length 0", i);
        if ((q->parent == VM_NONE) != (i < p->parm[VM_PARM_ROOTS]))
            return lad_vm_because(s->why, "process %u: %s a parent, but the roots are the first %u", i,
                                  q->parent == VM_NONE ? "without" : "with", p->parm[VM_PARM_ROOTS]);
        if (q->parent != VM_NONE && q->tag >> 24)
            return lad_vm_because(s->why, "process %u: join tag %u, expected less than 2^24", i, q->tag);
        if (!check_text(s, "process", i, q->name))
            return false;
    }
    for (uint32_t i = 0; i < p->n_sigs; i++)
        if (!check_text(s, "signal", i, p->sigs[i].name))
            return false;
    return true;
}

static int compare_blocks(const void *a, const void *b)
{
    const struct lad_vm_blk *x = a, *y = b;
    return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) : (x->end > y->end) - (x->end < y->end);
}

static bool check_blocks(struct state *s, struct lad_vm_blk *sorted)
{
    uint32_t n = s->p->n_blk;
    for (uint32_t i = 0; i < n; i++) {
        sorted[i] = s->p->blk[i];
        if (sorted[i].pid >= s->p->n_proc)
            return lad_vm_because(s->why, "block %u: process %u of %u", i, sorted[i].pid, s->p->n_proc);
    }
    qsort(sorted, n, sizeof *sorted, compare_blocks);
    for (uint32_t i = 1; i < n; i++)
        if (!compare_blocks(&sorted[i - 1], &sorted[i]))
            return lad_vm_because(s->why, "two blocks of process %u end at %u", sorted[i].pid, sorted[i].end);
    return true;
}

bool lad_vm_check_entries(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    struct lad_arena *arena = lad_arena_create();
    struct state s = {p, why, lad_alloc(arena, p->n_expr / 8 + 1)};
    bool ok = check_procs(&s) && check_conds(&s) && check_assigns(&s) && check_delay_assigns(&s) &&
              check_forces(&s, lad_alloc(arena, (size_t)p->n_sigs * sizeof(struct claim) + 1)) &&
              check_services(&s, lad_alloc(arena, p->parm[VM_PARM_MONITORS] + 1),
                             lad_alloc(arena, p->parm[VM_PARM_STROBES] + 1)) &&
              check_waits(&s) && check_blocks(&s, lad_alloc(arena, (size_t)p->n_blk * sizeof(struct lad_vm_blk) + 1));
    lad_arena_destroy(&arena);
    return ok;
}
