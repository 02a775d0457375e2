/* SPDX-License-Identifier: Apache-2.0 */
/* Table entries as assembly text. */
#include "dis.h"

static bool is_signal(const struct dis *d, uint32_t id)
{
    return id < d->p->n_sigs;
}

/* The left side; false: no shape that text has. */
static bool can_place(const struct dis *d, const struct lad_vm_asgn *a)
{
    if (!is_signal(d, a->signal))
        return false;
    bool array = d->p->sigs[a->signal].array_size > 1, range = a->flags & VM_ASGN_RANGE;
    switch (a->flags & ~(uint32_t)VM_ASGN_NONBLOCKING) {
    case 0:
    case VM_ASGN_RANGE:
    case VM_ASGN_BIT:
    case VM_ASGN_RANGE | VM_ASGN_INDEXED:
        return !array && (!range || a->width);
    case VM_ASGN_ARRAY:
    case VM_ASGN_ARRAY | VM_ASGN_RANGE:
        return array && (!range || a->width);
    default:
        return false;
    }
}

static void put_place(const struct dis *d, const struct lad_vm_asgn *a)
{
    fputs(d->signal[a->signal], d->out);
    if (a->flags & (VM_ASGN_ARRAY | VM_ASGN_BIT | VM_ASGN_INDEXED)) {
        fputc('[', d->out);
        lad_vm_dis_expr(d, a->idx);
        if (a->flags & VM_ASGN_INDEXED)
            fprintf(d->out, " +: %u", a->width);
        fputc(']', d->out);
    }
    if (a->flags & VM_ASGN_RANGE && !(a->flags & VM_ASGN_INDEXED))
        fprintf(d->out, "[%llu:%u]", (unsigned long long)a->range_lsb + a->width - 1, a->range_lsb);
    fputs(" = ", d->out);
}

bool lad_vm_dis_assign(const struct dis *d, uint32_t id, bool nonblocking)
{
    if (id >= d->p->n_asgn || !can_place(d, &d->p->asgn[id]) ||
        !(d->p->asgn[id].flags & VM_ASGN_NONBLOCKING) == nonblocking)
        return false;
    fputs(nonblocking ? "nba " : "set ", d->out);
    put_place(d, &d->p->asgn[id]);
    lad_vm_dis_expr(d, d->p->asgn[id].rhs);
    return true;
}

bool lad_vm_dis_delay(const struct dis *d, uint32_t id)
{
    if (id >= d->p->n_dasn)
        return false;
    const struct lad_vm_dasn *e = &d->p->dasn[id];
    struct lad_vm_asgn a = {0, e->signal, e->rhs, e->idx, e->width, e->base_width, e->range_lsb, e->array_size};
    a.flags = (e->flags & VM_DASN_ARRAY ? VM_ASGN_ARRAY : 0) | (e->flags & VM_DASN_BIT ? VM_ASGN_BIT : 0) |
              (e->flags & VM_DASN_RANGE ? VM_ASGN_RANGE : 0) | (e->flags & VM_DASN_INDEXED ? VM_ASGN_INDEXED : 0);
    bool pulse = e->flags & VM_DASN_PULSE, error = e->flags & VM_DASN_PULSE_ERROR,
         later = e->flags & VM_DASN_NONBLOCKING;
    if (!can_place(d, &a) || e->flags & VM_DASN_FALLBACK || (error && !pulse) || (pulse && e->reject == VM_NONE) ||
        (error && e->error == VM_NONE))
        return false;
    fprintf(d->out, "%s%s%s ", later ? "dnba" : "dset", e->flags & VM_DASN_INERTIAL ? ".i" : "",
            e->flags & VM_DASN_SHOWCANCELLED ? ".show" : "");
    put_place(d, &a);
    lad_vm_dis_expr(d, e->rhs);
    fputs(", ", d->out);
    lad_vm_dis_expr(d, e->delay);
    if (pulse) {
        fputs(", ", d->out);
        lad_vm_dis_expr(d, e->reject);
    }
    if (error) {
        fputs(", ", d->out);
        lad_vm_dis_expr(d, e->error);
    }
    return true;
}

bool lad_vm_dis_force(const struct dis *d, uint32_t id)
{
    if (id >= d->p->n_force || !is_signal(d, d->p->force[id].signal))
        return false;
    const struct lad_vm_force *f = &d->p->force[id];
    fprintf(d->out, "%s %s = ", f->flags & VM_FORCE_PROCEDURAL ? "assign" : "force", d->signal[f->signal]);
    lad_vm_dis_expr(d, f->rhs);
    return true;
}

bool lad_vm_dis_release(const struct dis *d, uint32_t id)
{
    if (id >= d->p->n_release || !is_signal(d, d->p->release[id].signal))
        return false;
    const struct lad_vm_release *r = &d->p->release[id];
    fprintf(d->out, "%s %s", r->flags & VM_FORCE_PROCEDURAL ? "deassign" : "release", d->signal[r->signal]);
    return true;
}

static bool can_case(const struct dis *d, const struct lad_vm_cash *c, uint32_t items)
{
    const struct lad_vm_program *p = d->p;
    uint32_t last = 0;
    if (c->kind > VM_CASE_Z || c->strategy > VM_CASE_LUT || c->entry_offset > p->n_label ||
        c->entry_count > p->n_label - c->entry_offset || c->width - 1 > 63 || (items && !c->entry_count))
        return false;
    for (uint32_t i = 0; i < c->entry_count; i++) {
        const struct lad_vm_label *l = &p->label[c->entry_offset + i];
        if (l->want >= p->n_casw || l->care >= p->n_casw || l->target >= items || l->target < last ||
            l->target > last + 1 || (!i && l->target))
            return false;
        last = l->target;
    }
    return !items || last == items - 1;
}

bool lad_vm_dis_case(const struct dis *d, const uint32_t *word)
{
    static const char *const strategies[] = {"", ".bkt", ".lut"};
    uint32_t id = *word >> 8, items = word[1], item = VM_NONE;
    if (id >= d->p->n_cash || !can_case(d, &d->p->cash[id], items))
        return false;
    const struct lad_vm_cash *c = &d->p->cash[id];
    fprintf(d->out, "case%s%s ", c->kind == VM_CASE_X ? "x" : c->kind == VM_CASE_Z ? "z" : "", strategies[c->strategy]);
    lad_vm_dis_expr(d, c->expr);
    fputc(':', d->out);
    for (uint32_t i = 0; i < c->entry_count; i++) {
        const struct lad_vm_label *l = &d->p->label[c->entry_offset + i];
        if (item != VM_NONE && l->target != item)
            fprintf(d->out, " -> L%u,", word[2 + item]);
        fputs(l->target == item ? "|" : " ", d->out);
        lad_vm_dis_literal(d->out, &d->p->casw[l->want], &d->p->casw[l->care], c->width);
        item = l->target;
    }
    if (item != VM_NONE)
        fprintf(d->out, " -> L%u,", word[2 + item]);
    fprintf(d->out, " default L%u", word[2 + items]);
    return true;
}

static bool can_star(const struct dis *d, const struct lad_vm_ewat *w)
{
    const struct lad_vm_program *p = d->p;
    for (uint32_t i = 0; i < w->star_count; i++) {
        uint32_t at = p->estr[w->star_offset + i].expr;
        if (p->n_expr < 3 || at > p->n_expr - 3 || (p->expr[at] & 0xFF) != VM_EXPR_PUSH_SIGNAL ||
            !is_signal(d, p->expr[at] >> 8) || p->expr[at + 1] != p->sigs[p->expr[at] >> 8].width || p->expr[at + 2])
            return false;
    }
    return true;
}

bool lad_vm_dis_edge(const struct dis *d, uint32_t id)
{
    static const char *const kinds[] = {"any", "pos", "neg"};
    const struct lad_vm_program *p = d->p;
    if (id >= p->n_ewat || !p->ewat[id].item_count == !p->ewat[id].star_count || !can_star(d, &p->ewat[id]))
        return false;
    const struct lad_vm_ewat *w = &p->ewat[id];
    fputs(w->star_count ? "wait.edge star" : "wait.edge", d->out);
    for (uint32_t i = 0; i < w->star_count; i++)
        fprintf(d->out, " %s", d->signal[p->expr[p->estr[w->star_offset + i].expr] >> 8]);
    for (uint32_t i = 0; i < w->item_count; i++) {
        const struct lad_vm_eitm *e = &p->eitm[w->item_offset + i];
        fprintf(d->out, "%s %s ", i ? "," : "", kinds[w->kind == VM_EDGE_LIST ? e->kind : w->kind]);
        lad_vm_dis_expr(d, e->expr);
    }
    return true;
}

static const char *find_signal(const struct dis *d, uint32_t name)
{
    for (uint32_t i = 0; i < d->p->n_sigs; i++)
        if (d->p->sigs[i].name == name)
            return d->signal[i];
    return NULL;
}

static bool can_arg(const struct dis *d, const struct lad_vm_svca *a)
{
    struct lad_vm_walk walk;
    uint32_t how = a->flags & (VM_SVCA_EXPR | VM_SVCA_TIME | VM_SVCA_STIME);
    if (a->kind == VM_ARG_IDENT)
        return find_signal(d, a->payload) && a->width == 32;
    if (a->kind == VM_ARG_STRING)
        return !how && a->width == 32;
    if (how == VM_SVCA_EXPR) {
        lad_vm_walk(d->p, a->payload, &walk);
        return walk.error == VM_ERROR_CAPABILITY || (!walk.error && walk.width == a->width && a->kind == VM_ARG_VALUE);
    }
    return a->kind == VM_ARG_VALUE && a->width == (how == VM_SVCA_TIME ? 64 : 32);
}

static void put_arg(const struct dis *d, const struct lad_vm_svca *a)
{
    bool text = a->kind == VM_ARG_IDENT || a->kind == VM_ARG_STRING;
    if (a->kind == VM_ARG_IDENT)
        fprintf(d->out, "&%s", find_signal(d, a->payload));
    else if (a->kind == VM_ARG_STRING)
        lad_vm_dis_string(d, a->payload);
    else if (a->flags & VM_SVCA_TIME)
        fputs("time", d->out);
    else if (a->flags & VM_SVCA_STIME)
        fputs("stime", d->out);
    else if (a->flags & VM_SVCA_EXPR)
        lad_vm_dis_expr(d, a->payload);
    else
        fprintf(d->out, "%u", a->payload);
    if (!text && a->flags & (VM_SVCA_SIGNED | VM_SVCA_NOMON))
        fprintf(d->out, ".%s%s", a->flags & VM_SVCA_SIGNED ? "s" : "", a->flags & VM_SVCA_NOMON ? "n" : "");
}

bool lad_vm_dis_service(const struct dis *d, uint32_t id)
{
    static const char *const names[] = {
#define VM_SERVICE(number, symbol, name, flags) [number] = name,
#include "../../kernels/vm_ops.def"
    };
    const struct lad_vm_program *p = d->p;
    if (id >= p->n_svce)
        return false;
    const struct lad_vm_svce *e = &p->svce[id];
    if (e->kind >= LAD_N(names) || e->arg_offset > p->n_svca || e->arg_count > p->n_svca - e->arg_offset)
        return false;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!can_arg(d, &p->svca[e->arg_offset + i]))
            return false;
    fprintf(d->out, "svc%s%s %s", e->flags & VM_SVCE_GLOBAL_ONLY ? ".global" : "",
            e->flags & VM_SVCE_GUARD_FD ? ".guard" : "",
            e->flags & VM_SVCE_MONITOR_ON    ? "monitoron"
            : e->flags & VM_SVCE_MONITOR_OFF ? "monitoroff"
                                             : names[e->kind]);
    if (e->format != VM_NONE) {
        fputc(' ', d->out);
        lad_vm_dis_string(d, e->format);
    }
    for (uint32_t i = 0; i < e->arg_count; i++) {
        fputs(i || e->format != VM_NONE ? ", " : " ", d->out);
        put_arg(d, &p->svca[e->arg_offset + i]);
    }
    return true;
}
