/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of the scheduler VM on four-state values of up to 64 bits: two planes, X is (1,1) and Z is (val 0, xz 1).
 */
#include "vm_ref.h"

static int64_t as_signed(uint64_t v, uint32_t w)
{
    return (int64_t)(v << (64 - w)) >> (64 - w);
}

void lad_vm_extend(struct cell *c, uint32_t w, bool is_signed)
{
    if (c->w >= w) {
        c->v &= lad_vm_mask(w);
        c->x &= lad_vm_mask(w);
    } else if (is_signed) {
        c->v = (uint64_t)as_signed(c->v, c->w) & lad_vm_mask(w);
        c->x = (uint64_t)as_signed(c->x, c->w) & lad_vm_mask(w);
    }
    c->w = w;
}

static void set_known(struct cell *c, uint64_t v, uint32_t w)
{
    *c = (struct cell){v & lad_vm_mask(w), 0, w};
}

static void set_x(struct cell *c, uint32_t w)
{
    *c = (struct cell){lad_vm_mask(w), lad_vm_mask(w), w};
}

/* A one-bit result: 0, 1 or X in bit 0. */
static void set_truth(struct cell *c, int truth, uint32_t w)
{
    *c = (struct cell){truth != TRUTH_0, truth == TRUTH_X, w};
}

static int negate(int truth)
{
    return truth == TRUTH_X ? TRUTH_X : !truth;
}

void lad_vm_unary(struct cell *a, uint32_t sub, bool is_signed, uint32_t w)
{
    int t = TRUTH_X;
    switch (sub) {
    case VM_UNARY_PLUS:
        lad_vm_extend(a, w, is_signed);
        return;
    case VM_UNARY_MINUS:
        lad_vm_extend(a, w, is_signed);
        if (a->x)
            set_x(a, w);
        else
            set_known(a, -a->v, w);
        return;
    case VM_UNARY_BIT_NOT:
        lad_vm_extend(a, w, is_signed);
        a->v = (~a->v | a->x) & lad_vm_mask(w);
        return;
    case VM_UNARY_LOG_NOT:
        set_truth(a, negate(lad_vm_truth(a)), w);
        return;
    case VM_UNARY_RED_AND:
    case VM_UNARY_RED_NAND:
        t = ~(a->v | a->x) & lad_vm_mask(a->w) ? TRUTH_0 : a->x ? TRUTH_X : TRUTH_1;
        break;
    case VM_UNARY_RED_OR:
    case VM_UNARY_RED_NOR:
        t = a->v & ~a->x ? TRUTH_1 : a->x ? TRUTH_X : TRUTH_0;
        break;
    case VM_UNARY_RED_XOR:
    case VM_UNARY_RED_XNOR:
        t = a->x ? TRUTH_X : __builtin_parityll(a->v);
        break;
    }
    bool inverse = sub == VM_UNARY_RED_NAND || sub == VM_UNARY_RED_NOR || sub == VM_UNARY_RED_XNOR;
    set_truth(a, inverse ? negate(t) : t, w);
}

static void divide(struct cell *l, const struct cell *r, bool is_signed, bool want_rest, uint32_t w)
{
    if (!r->v) {
        set_x(l, w);
        return;
    }
    if (!is_signed) {
        set_known(l, want_rest ? l->v % r->v : l->v / r->v, w);
        return;
    }
    int64_t a = as_signed(l->v, w), b = as_signed(r->v, w);
    if (b == -1) /* the most negative number would trap */
        set_known(l, want_rest ? 0 : -(uint64_t)a, w);
    else
        set_known(l, (uint64_t)(want_rest ? a % b : a / b), w);
}

static void raise(struct cell *l, const struct cell *r, bool is_signed, bool rhs_signed, uint32_t w)
{
    uint64_t base = l->v, e = r->v, result = 1;
    bool minus_one = is_signed && base == lad_vm_mask(w);
    if (l->x || r->x) {
        set_x(l, w);
        return;
    }
    if (rhs_signed && e >> (r->w - 1) & 1) {
        if (!base)
            set_x(l, w);
        else if (minus_one)
            set_known(l, e & 1 ? UINT64_MAX : 1, w);
        else
            set_known(l, base == 1, w);
        return;
    }
    for (; e; e >>= 1, base *= base)
        if (e & 1)
            result *= base;
    set_known(l, result, w);
}

static void shift(struct cell *l, const struct cell *r, uint32_t sub, bool is_signed, uint32_t w)
{
    uint64_t n = r->v;
    if (r->x) {
        set_x(l, w);
        return;
    }
    if (sub == VM_BINARY_ASHR && is_signed) {
        uint32_t by = n < w ? (uint32_t)n : w - 1;
        l->v = (uint64_t)(as_signed(l->v, w) >> by) & lad_vm_mask(w);
        l->x = (uint64_t)(as_signed(l->x, w) >> by) & lad_vm_mask(w);
    } else if (n >= w) {
        l->v = l->x = 0;
    } else if (sub == VM_BINARY_SHL) {
        l->v = l->v << n & lad_vm_mask(w);
        l->x = l->x << n & lad_vm_mask(w);
    } else {
        l->v >>= n;
        l->x >>= n;
    }
}

static void compare(struct cell *l, const struct cell *r, uint32_t sub, bool is_signed, uint32_t ew, uint32_t w)
{
    uint64_t differ = (l->v ^ r->v) & ~(l->x | r->x), a = l->v, b = r->v;
    int t = TRUTH_X;
    if (sub == VM_BINARY_CASE_EQ || sub == VM_BINARY_CASE_NEQ) {
        t = l->v == r->v && l->x == r->x;
    } else if (sub == VM_BINARY_EQ || sub == VM_BINARY_NEQ) {
        t = differ ? TRUTH_0 : l->x | r->x ? TRUTH_X : TRUTH_1;
    } else if (!(l->x | r->x)) {
        uint64_t sign = is_signed ? 1ull << (ew - 1) : 0; /* flipped, signed numbers compare as unsigned ones */
        bool swap = sub == VM_BINARY_GT || sub == VM_BINARY_LE,
             less = swap ? (b ^ sign) < (a ^ sign) : (a ^ sign) < (b ^ sign);
        t = sub == VM_BINARY_LT || sub == VM_BINARY_GT ? less : !less;
    }
    set_truth(l, sub == VM_BINARY_NEQ || sub == VM_BINARY_CASE_NEQ ? negate(t) : t, w);
}

static void combine(struct cell *l, const struct cell *r, uint32_t sub, uint32_t w)
{
    uint64_t one_l = l->v & ~l->x, one_r = r->v & ~r->x, zero_l = ~(l->v | l->x), zero_r = ~(r->v | r->x), one, zero;
    switch (sub) {
    case VM_BINARY_AND:
        one = one_l & one_r;
        zero = zero_l | zero_r;
        break;
    case VM_BINARY_OR:
        one = one_l | one_r;
        zero = zero_l & zero_r;
        break;
    default:
        one = (one_l & zero_r) | (zero_l & one_r);
        zero = (one_l & one_r) | (zero_l & zero_r);
        if (sub == VM_BINARY_XNOR) {
            uint64_t t = one;
            one = zero;
            zero = t;
        }
    }
    l->x = ~(one | zero) & lad_vm_mask(w);
    l->v = (one | l->x) & lad_vm_mask(w);
}

static int join_truths(int a, int b, bool is_or)
{
    int decides = is_or ? TRUTH_1 : TRUTH_0;
    return a == decides || b == decides ? decides : a == TRUTH_X || b == TRUTH_X ? TRUTH_X : negate(decides);
}

void lad_vm_binary(struct cell *l, const struct cell *right, uint32_t arg, uint32_t w)
{
    uint32_t sub = arg & 0xFF, ew = w;
    bool is_signed = arg & VM_SIGNED;
    struct cell r = *right;
    if (sub >= VM_BINARY_EQ)
        ew = l->w > r.w ? l->w : r.w;
    if (sub != VM_BINARY_LOG_AND && sub != VM_BINARY_LOG_OR && l->w != ew)
        lad_vm_extend(l, ew, is_signed);
    if (r.w != ew && (sub < VM_BINARY_POW || sub >= VM_BINARY_AND) && sub != VM_BINARY_LOG_AND &&
        sub != VM_BINARY_LOG_OR)
        lad_vm_extend(&r, ew, is_signed);
    switch (sub) {
    case VM_BINARY_ADD:
    case VM_BINARY_SUB:
    case VM_BINARY_MUL:
    case VM_BINARY_DIV:
    case VM_BINARY_MOD:
        if (l->x | r.x)
            set_x(l, w);
        else if (sub == VM_BINARY_ADD)
            set_known(l, l->v + r.v, w);
        else if (sub == VM_BINARY_SUB)
            set_known(l, l->v - r.v, w);
        else if (sub == VM_BINARY_MUL)
            set_known(l, l->v * r.v, w);
        else
            divide(l, &r, is_signed, sub == VM_BINARY_MOD, w);
        return;
    case VM_BINARY_POW:
        raise(l, &r, is_signed, arg & VM_RHS_SIGNED, w);
        return;
    case VM_BINARY_SHL:
    case VM_BINARY_SHR:
    case VM_BINARY_ASHR:
        shift(l, &r, sub, is_signed, w);
        return;
    case VM_BINARY_AND:
    case VM_BINARY_OR:
    case VM_BINARY_XOR:
    case VM_BINARY_XNOR:
        combine(l, &r, sub, w);
        return;
    case VM_BINARY_LOG_AND:
    case VM_BINARY_LOG_OR:
        set_truth(l, join_truths(lad_vm_truth(l), lad_vm_truth(&r), sub == VM_BINARY_LOG_OR), w);
        return;
    default:
        compare(l, &r, sub, is_signed, ew, w);
    }
}
