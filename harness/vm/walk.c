/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions looked at without running them: stack depth and widths do not depend on values. The order of the tests is
 * the evaluator's, so that both name the same error. */
#include "vm.h"

struct state {
    const struct lad_vm_program *p;
    struct lad_vm_walk *walk;
    uint32_t width[VM_STACK], n;
};

static bool fail(struct state *s, int error, const char *flaw)
{
    s->walk->error = error;
    s->walk->flaw = flaw;
    return false;
}

static bool pop(struct state *s, uint32_t n)
{
    if (s->n < n)
        return fail(s, VM_ERROR_EXPR, "the stack is empty where a value is taken");
    s->n -= n;
    return true;
}

static bool push(struct state *s, uint32_t width)
{
    if (s->n == VM_STACK)
        return fail(s, VM_ERROR_EXPR, "more than 32 values on the stack");
    s->width[s->n++] = width;
    if (s->n > s->walk->depth)
        s->walk->depth = s->n;
    return true;
}

static bool push_signal(struct state *s, uint32_t id, uint32_t width, bool array)
{
    if (id >= s->p->n_sigs)
        return fail(s, VM_ERROR_EXPR, "no such signal");
    const struct lad_vm_sigs *sig = &s->p->sigs[id];
    if ((sig->array_size > 1) != array)
        return fail(s, VM_ERROR_EXPR, array ? "an element of a signal that is no array" : "an array without an index");
    if (sig->flags & VM_SIGNAL_REAL || sig->width > 64)
        return fail(s, VM_ERROR_CAPABILITY, "a wide or real signal");
    return (!array || pop(s, 1)) && push(s, width);
}

static bool concat(struct state *s, uint32_t n, uint32_t width)
{
    uint32_t sum = 0;
    if (!n || n > VM_STACK)
        return fail(s, VM_ERROR_EXPR, "a concatenation of no value or of more than 32");
    if (!pop(s, n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        sum += s->width[s->n + i];
    return sum == width ? push(s, width)
                        : fail(s, VM_ERROR_EXPR, "a concatenation's width is not the sum of its parts'");
}

static bool call(struct state *s, uint32_t sub, uint32_t width)
{
    if (sub >= VM_CALL_COUNT)
        return fail(s, VM_ERROR_EXPR, "no such call");
    return sub <= VM_CALL_STIME ? push(s, width) : fail(s, VM_ERROR_CAPABILITY, "a real call");
}

static bool step(struct state *s, uint32_t word, uint32_t width)
{
    uint32_t arg = word >> 8, sub = arg & 0xFF;
    switch (word & 0xFF) {
    case VM_EXPR_PUSH_CONST:
    case VM_EXPR_PUSH_CONST_XZ: {
        uint32_t need = (word & 0xFF) == VM_EXPR_PUSH_CONST ? 2 : 4;
        if (s->p->n_imm < need || arg > s->p->n_imm - need)
            return fail(s, VM_ERROR_EXPR, "a constant outside its table");
        return push(s, width);
    }
    case VM_EXPR_PUSH_SIGNAL:
        return push_signal(s, arg, width, false);
    case VM_EXPR_INDEX:
        return push_signal(s, arg, width, true);
    case VM_EXPR_PUSH_IMM:
        return push(s, width);
    case VM_EXPR_UNARY:
        return (sub < VM_UNARY_COUNT || fail(s, VM_ERROR_EXPR, "no such unary operation")) && pop(s, 1) &&
               push(s, width);
    case VM_EXPR_BINARY:
        return (sub < VM_BINARY_COUNT || fail(s, VM_ERROR_EXPR, "no such binary operation")) && pop(s, 2) &&
               push(s, width);
    case VM_EXPR_TERNARY:
        return pop(s, 3) && push(s, width);
    case VM_EXPR_SELECT:
        return pop(s, 2) && push(s, width);
    case VM_EXPR_CONCAT:
        return concat(s, arg, width);
    default:
        return call(s, sub, width);
    }
}

static bool walk_on(struct state *s, uint32_t at)
{
    const struct lad_vm_program *p = s->p;
    for (uint32_t start = at;;) {
        if (at >= p->n_expr)
            return fail(s, VM_ERROR_EXPR, "it runs past the end of the table");
        uint32_t word = p->expr[at++], op = word & 0xFF;
        s->walk->words = at - start;
        if (op == VM_EXPR_DONE) {
            s->walk->width = s->n ? s->width[0] : 0;
            return s->n == 1 || fail(s, VM_ERROR_EXPR,
                                     s->n ? "more than one value is left at its end" : "no value is left at its end");
        }
        if (op >= VM_EXPR_COUNT)
            return fail(s, VM_ERROR_EXPR, "an unknown operation");
        if (at >= p->n_expr)
            return fail(s, VM_ERROR_EXPR, "it runs past the end of the table");
        uint32_t width = p->expr[at++];
        s->walk->words = at - start;
        if (!width || width > 64)
            return fail(s, width ? VM_ERROR_CAPABILITY : VM_ERROR_EXPR, width ? "a width above 64" : "a width of 0");
        if (!step(s, word, width))
            return false;
    }
}

void lad_vm_walk(const struct lad_vm_program *p, uint32_t at, struct lad_vm_walk *walk)
{
    struct state s = {.p = p, .walk = walk};
    *walk = (struct lad_vm_walk){0};
    walk_on(&s, at);
}
