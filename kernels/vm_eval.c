/* SPDX-License-Identifier: Apache-2.0 */
/* The expression evaluator of the reference: a stack of 32 cells, one loop. */
#include "vm_ref.h"

static inline int push_signal(const struct vm *m, uint32_t id, uint32_t w, struct cell *out)
{
    if (id >= m->n_signal)
        return VM_ERROR_EXPR;
    const struct lad_vm_signal *s = &m->signal[id];
    if (s->array_size != 1)
        return VM_ERROR_EXPR;
    lad_vm_load(m, m->signals, id, 0, &out->v, &out->x);
    out->v &= lad_vm_mask(w);
    out->x &= lad_vm_mask(w);
    out->w = w;
    return 0;
}

/* The commonest operations on known values of the result's own width; false: the long way is needed. */
static inline bool combine_fast(struct cell *l, const struct cell *r, uint32_t arg, uint32_t w)
{
    if ((l->x | r->x) || l->w != w || r->w != w)
        return false;
    switch (arg & 0xFF) {
    case VM_BINARY_ADD:
        l->v = (l->v + r->v) & lad_vm_mask(w);
        return true;
    case VM_BINARY_SUB:
        l->v = (l->v - r->v) & lad_vm_mask(w);
        return true;
    case VM_BINARY_MUL:
        l->v = l->v * r->v & lad_vm_mask(w);
        return true;
    case VM_BINARY_AND:
        l->v &= r->v;
        return true;
    case VM_BINARY_OR:
        l->v |= r->v;
        return true;
    case VM_BINARY_XOR:
        l->v ^= r->v;
        return true;
    default:
        return false;
    }
}

/* Position and element numbers must be fully known and below 2^32. */
static bool is_index(const struct cell *c)
{
    return !c->x && !(c->v >> 32);
}

static int index_array(const struct vm *m, uint32_t id, uint32_t w, struct cell *c)
{
    if (id >= m->n_signal)
        return VM_ERROR_EXPR;
    const struct lad_vm_signal *s = &m->signal[id];
    if (s->array_size == 1)
        return VM_ERROR_EXPR;
    if (is_index(c) && c->v < s->array_size)
        lad_vm_load(m, m->signals, id, (uint32_t)c->v, &c->v, &c->x);
    else
        c->v = c->x = UINT64_MAX;
    c->v &= lad_vm_mask(w);
    c->x &= lad_vm_mask(w);
    c->w = w;
    return 0;
}

static void select_bits(struct cell *base, const struct cell *index, uint32_t w)
{
    uint64_t v = 0, x = 0, have = 0, mask = lad_vm_mask(w), all = lad_vm_mask(base->w);
    if (is_index(index)) {
        uint64_t start = index->v, before = (1ull << 32) - start; /* bits up to the wrap-around to bit 0 */
        if (start < 64) {
            v = base->v >> start;
            x = base->x >> start;
            have = all >> start;
        } else if (before < 64) {
            v = base->v << before;
            x = base->x << before;
            have = all << before;
        }
    }
    base->v = (v | ~have) & mask;
    base->x = (x | ~have) & mask;
    base->w = w;
}

static int concat(struct cell *part, uint32_t n, uint32_t w)
{
    uint64_t v = 0, x = 0;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += part[i].w;
    if (sum != w)
        return VM_ERROR_EXPR;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t by = part[i].w;
        v = (by < 64 ? v << by : 0) | part[i].v;
        x = (by < 64 ? x << by : 0) | part[i].x;
    }
    *part = (struct cell){v, x, w};
    return 0;
}

static void choose(struct cell *cond, struct cell *a, struct cell *b, bool is_signed, uint32_t w)
{
    int t = lad_vm_truth(cond);
    lad_vm_extend(a, w, is_signed);
    lad_vm_extend(b, w, is_signed);
    if (t != TRUTH_X) {
        *cond = t ? *a : *b;
        return;
    }
    uint64_t same = ~(a->v ^ b->v) & ~a->x & ~b->x & lad_vm_mask(w);
    cond->x = ~same & lad_vm_mask(w);
    cond->v = (a->v & same) | cond->x;
    cond->w = w;
}

int lad_vm_eval(const struct vm *m, uint32_t at, struct cell *out)
{
    struct cell stack[VM_STACK], *top = stack; /* top: the first free one */
    const uint32_t *expr = m->expr;
    const uint32_t end = m->n_expr;
    int error;
    for (;;) {
        if (at >= end)
            return VM_ERROR_EXPR;
        uint32_t word = expr[at++], op = word & 0xFF, arg = word >> 8;
        if (op == VM_EXPR_DONE) {
            if (top != stack + 1)
                return VM_ERROR_EXPR;
            *out = *stack;
            return 0;
        }
        if (op >= VM_EXPR_COUNT || at >= end)
            return VM_ERROR_EXPR;
        uint32_t w = expr[at++];
        if (w - 1 > 63)
            return w ? VM_ERROR_CAPABILITY : VM_ERROR_EXPR;
        switch (op) {
        case VM_EXPR_PUSH_SIGNAL:
            if (top == stack + VM_STACK)
                return VM_ERROR_EXPR;
            if ((error = push_signal(m, arg, w, top++)))
                return error;
            continue;
        case VM_EXPR_PUSH_CONST:
        case VM_EXPR_PUSH_CONST_XZ: {
            uint32_t need = op == VM_EXPR_PUSH_CONST ? 2 : 4;
            if (m->n_imm < need || arg > m->n_imm - need || top == stack + VM_STACK)
                return VM_ERROR_EXPR;
            const uint32_t *imm = m->imm + arg;
            top->v = (imm[0] | (uint64_t)imm[1] << 32) & lad_vm_mask(w);
            top->x = need == 4 ? (imm[2] | (uint64_t)imm[3] << 32) & lad_vm_mask(w) : 0;
            top++->w = w;
            break;
        }
        case VM_EXPR_PUSH_IMM:
            if (top == stack + VM_STACK)
                return VM_ERROR_EXPR;
            *top++ = (struct cell){arg & lad_vm_mask(w), 0, w};
            continue;
        case VM_EXPR_UNARY:
            if ((arg & 0xFF) >= VM_UNARY_COUNT || top == stack)
                return VM_ERROR_EXPR;
            lad_vm_unary(top - 1, arg & 0xFF, arg & VM_SIGNED, w);
            break;
        case VM_EXPR_BINARY:
            if ((arg & 0xFF) >= VM_BINARY_COUNT || top - stack < 2)
                return VM_ERROR_EXPR;
            top--;
            if (combine_fast(top - 1, top, arg, w))
                continue;
            lad_vm_binary(top - 1, top, arg, w);
            break;
        case VM_EXPR_TERNARY:
            if (top - stack < 3)
                return VM_ERROR_EXPR;
            top -= 2;
            choose(top - 1, top, top + 1, arg & VM_SIGNED, w);
            break;
        case VM_EXPR_SELECT:
            if (top - stack < 2)
                return VM_ERROR_EXPR;
            top--;
            select_bits(top - 1, top, w);
            break;
        case VM_EXPR_INDEX:
            if (top == stack)
                return VM_ERROR_EXPR;
            if ((error = index_array(m, arg, w, top - 1)))
                return error;
            break;
        case VM_EXPR_CONCAT:
            if (!arg || arg > VM_STACK || top - stack < (ptrdiff_t)arg)
                return VM_ERROR_EXPR;
            top -= arg;
            if ((error = concat(top++, arg, w)))
                return error;
            break;
        case VM_EXPR_CALL:
            if ((arg & 0xFF) >= VM_CALL_COUNT)
                return VM_ERROR_EXPR;
            if ((arg & 0xFF) > VM_CALL_STIME)
                return VM_ERROR_CAPABILITY;
            if (top == stack + VM_STACK)
                return VM_ERROR_EXPR;
            *top++ =
                (struct cell){((arg & 0xFF) == VM_CALL_TIME ? *m->time : *m->time & UINT32_MAX) & lad_vm_mask(w), 0, w};
            continue;
        }
        top[-1].v &= ~(top[-1].x & m->known);
        top[-1].x &= ~m->known;
    }
}

int lad_vm_cond(const struct vm *m, uint32_t id, int *truth)
{
    const struct lad_vm_cond *c = &m->cond[id];
    struct cell value;
    if (c->kind == VM_COND_CONST) {
        *truth = c->xz ? (m->two_state ? TRUTH_0 : TRUTH_X) : c->val ? TRUTH_1 : TRUTH_0;
        return 0;
    }
    if (c->kind != VM_COND_EXPR)
        return VM_ERROR_ENTRY;
    int error = lad_vm_eval(m, c->expr, &value);
    *truth = error ? TRUTH_X : lad_vm_truth(&value);
    return error;
}
