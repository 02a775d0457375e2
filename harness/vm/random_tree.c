/* SPDX-License-Identifier: Apache-2.0 */
/* Random Verilog expressions: a tree knows its own width and sign, and is written down as Verilog or, with the widths
 * and signs that its place imposes (IEEE 1364 5.4 and 5.5), as postfix. */
#include "random.h"
#include <string.h>

enum shape {
    VAR,
    LITERAL,
    UNARY,
    BINARY,
    SHIFT,
    POWER,
    COMPARE,
    LOGIC,
    REDUCE,
    NOT,
    CHOOSE,
    CONCAT,
    REPEAT,
    BIT,
    PART,
    INDEXED,
    WORD,
    CAST
};

struct lad_vm_tree {
    enum shape shape;
    const char *verilog, *token; /* operator or literal, in both languages */
    const struct lad_vm_var *var;
    struct lad_vm_tree *kid[4];
    uint32_t n, width, low;
    bool is_signed;
};

uint32_t lad_vm_draw(struct lad_vm_pool *pool, uint32_t below)
{
    return (uint32_t)(lad_random(pool->seed) >> 16) % below;
}

static struct lad_vm_tree *grow_node(struct lad_vm_pool *pool, enum shape shape, uint32_t width, bool is_signed)
{
    struct lad_vm_tree *t = lad_alloc(pool->arena, sizeof *t);
    t->shape = shape;
    t->width = width;
    t->is_signed = is_signed;
    return t;
}

const char *lad_vm_random_literal(struct lad_vm_pool *pool, uint32_t width, bool is_signed, const char **verilog)
{
    static const char *const sets[] = {"01", "01", "01", "0", "1", "01xz", "0001x", "0111z"};
    const char *set = sets[lad_vm_draw(pool, LAD_N(sets))];
    char digits[65];
    for (uint32_t i = 0; i < width; i++)
        digits[i] = set[lad_vm_draw(pool, (uint32_t)strlen(set))];
    digits[width] = 0;
    if (verilog)
        *verilog = lad_printf(pool->arena, "%u'%sb%s", width, is_signed ? "s" : "", digits);
    return lad_printf(pool->arena, "%u'b%s", width, digits);
}

static struct lad_vm_tree *grow_leaf(struct lad_vm_pool *pool)
{
    const struct lad_vm_var *v = &pool->var[lad_vm_draw(pool, (uint32_t)pool->n)];
    if (v->array || !lad_vm_draw(pool, 5)) {
        bool is_signed = lad_vm_draw(pool, 2);
        struct lad_vm_tree *t =
            grow_node(pool, LITERAL, 1 + lad_vm_draw(pool, lad_vm_draw(pool, 4) ? 12 : 64), is_signed);
        t->token = lad_vm_random_literal(pool, t->width, is_signed, &t->verilog);
        return t;
    }
    struct lad_vm_tree *t = grow_node(pool, VAR, v->width, v->is_signed);
    t->var = v;
    return t;
}

/* Small and unsigned, so that no simulator's idea of large or negative positions matters. */
static struct lad_vm_tree *grow_index(struct lad_vm_pool *pool)
{
    for (int i = 0; i < 4; i++) {
        const struct lad_vm_var *v = &pool->var[lad_vm_draw(pool, (uint32_t)pool->n)];
        if (v->array || v->width > 8 || v->is_signed)
            continue;
        struct lad_vm_tree *t = grow_node(pool, VAR, v->width, false);
        t->var = v;
        return t;
    }
    struct lad_vm_tree *t = grow_node(pool, LITERAL, 6, false);
    t->token = lad_vm_random_literal(pool, 6, false, &t->verilog);
    return t;
}

static struct lad_vm_tree *grow_select(struct lad_vm_pool *pool)
{
    const struct lad_vm_var *v = &pool->var[lad_vm_draw(pool, (uint32_t)pool->n)];
    struct lad_vm_tree *t;
    if (v->array) {
        t = grow_node(pool, WORD, v->width, v->is_signed);
    } else if (v->width < 2) {
        return grow_leaf(pool);
    } else {
        static const enum shape shapes[] = {BIT, PART, INDEXED};
        enum shape shape = shapes[lad_vm_draw(pool, LAD_N(shapes))];
        /* Icarus 11 takes the whole of a signed variable as a part for the variable itself, sign and all. */
        t = grow_node(pool, shape, shape == BIT ? 1 : 1 + lad_vm_draw(pool, v->width - v->is_signed), false);
        t->low = shape == PART ? lad_vm_draw(pool, v->width - t->width + 1) : 0;
    }
    t->var = v;
    if (t->shape != PART)
        t->kid[t->n++] = grow_index(pool);
    return t;
}

struct op {
    const char *verilog, *token;
};

static struct lad_vm_tree *grow_two(struct lad_vm_pool *pool, unsigned depth)
{
    static const struct op maths[] = {{"+", "add"}, {"-", "sub"}, {"*", "mul"}, {"/", "div"},  {"%", "mod"},
                                      {"&", "and"}, {"|", "or"},  {"^", "xor"}, {"~^", "xnor"}};
    static const struct op shifts[] = {{"<<", "shl"}, {">>", "shr"}, {">>>", "ashr"}};
    static const struct op compares[] = {{"==", "eq"}, {"!=", "neq"}, {"===", "ceq"}, {"!==", "cneq"},
                                         {"<", "lt"},  {"<=", "le"},  {">", "gt"},    {">=", "ge"}};
    static const struct op logics[] = {{"&&", "land"}, {"||", "lor"}};
    static const struct {
        enum shape shape;
        const struct op *op;
        uint32_t n;
    } rows[] = {{BINARY, maths, LAD_N(maths)},
                {BINARY, maths, LAD_N(maths)},
                {SHIFT, shifts, LAD_N(shifts)},
                {COMPARE, compares, LAD_N(compares)},
                {LOGIC, logics, LAD_N(logics)}};
    uint32_t row = lad_vm_draw(pool, LAD_N(rows));
    const struct op *op = &rows[row].op[lad_vm_draw(pool, rows[row].n)];
    struct lad_vm_tree *l = lad_vm_tree_grow(pool, depth - 1), *r = lad_vm_tree_grow(pool, depth - 1);
    uint32_t width = l->width > r->width ? l->width : r->width;
    struct lad_vm_tree *t = grow_node(pool, rows[row].shape, width, l->is_signed && r->is_signed);
    if (t->shape == COMPARE || t->shape == LOGIC) {
        t->width = 1;
        t->is_signed = false;
    } else if (t->shape == SHIFT) {
        t->width = l->width;
        t->is_signed = l->is_signed;
    }
    t->verilog = op->verilog;
    t->token = op->token;
    t->kid[0] = l;
    t->kid[1] = r;
    t->n = 2;
    return t;
}

static struct lad_vm_tree *grow_one(struct lad_vm_pool *pool, unsigned depth)
{
    static const struct op same[] = {{"+", "plus"}, {"-", "neg"}, {"~", "not"}};
    static const struct op reduce[] = {{"&", "rand"},  {"~&", "rnand"}, {"|", "ror"},
                                       {"~|", "rnor"}, {"^", "rxor"},   {"~^", "rxnor"}};
    struct lad_vm_tree *kid = lad_vm_tree_grow(pool, depth - 1), *t;
    uint32_t kind = lad_vm_draw(pool, 4);
    if (kind < 2) {
        const struct op *op = &same[lad_vm_draw(pool, LAD_N(same))];
        t = grow_node(pool, UNARY, kid->width, kid->is_signed);
        t->verilog = op->verilog;
        t->token = op->token;
    } else if (kind == 2) {
        const struct op *op = &reduce[lad_vm_draw(pool, LAD_N(reduce))];
        t = grow_node(pool, REDUCE, 1, false);
        t->verilog = op->verilog;
        t->token = op->token;
    } else {
        t = grow_node(pool, lad_vm_draw(pool, 2) ? NOT : CAST, 1, false);
        t->verilog = "!";
        t->token = "lnot";
        if (t->shape == CAST) {
            t->width = kid->width;
            t->is_signed = !kid->is_signed;
            t->verilog = t->is_signed ? "$signed" : "$unsigned";
        }
    }
    t->kid[t->n++] = kid;
    return t;
}

/* An operation that computes, so that no Z comes out: how equal Zs merge under an unknown condition is where simulators
 * part from the standard. */
struct lad_vm_tree *lad_vm_tree_grow_computed(struct lad_vm_pool *pool, unsigned depth)
{
    struct lad_vm_tree *l = lad_vm_tree_grow(pool, depth ? depth - 1 : 0),
                       *r = lad_vm_tree_grow(pool, depth ? depth - 1 : 0);
    struct lad_vm_tree *t =
        grow_node(pool, BINARY, l->width > r->width ? l->width : r->width, l->is_signed && r->is_signed);
    bool plus = lad_vm_draw(pool, 2);
    t->verilog = plus ? "+" : "^";
    t->token = plus ? "add" : "xor";
    t->kid[0] = l;
    t->kid[1] = r;
    t->n = 2;
    return t;
}

static struct lad_vm_tree *grow_choice(struct lad_vm_pool *pool, unsigned depth)
{
    struct lad_vm_tree *a = lad_vm_tree_grow_computed(pool, depth - 1), *b = lad_vm_tree_grow_computed(pool, depth - 1);
    struct lad_vm_tree *t =
        grow_node(pool, CHOOSE, a->width > b->width ? a->width : b->width, a->is_signed && b->is_signed);
    t->kid[0] = lad_vm_tree_grow(pool, depth - 1);
    t->kid[1] = a;
    t->kid[2] = b;
    t->n = 3;
    return t;
}

static struct lad_vm_tree *grow_concat(struct lad_vm_pool *pool, unsigned depth)
{
    struct lad_vm_tree *t = grow_node(pool, CONCAT, 0, false);
    uint32_t n = 1 + lad_vm_draw(pool, 3);
    for (uint32_t i = 0; i < n; i++) {
        struct lad_vm_tree *kid = lad_vm_tree_grow(pool, depth - 1);
        if (t->width + kid->width > 64)
            break;
        t->kid[t->n++] = kid;
        t->width += kid->width;
    }
    if (t->n == 1 && t->width * 2 <= 64) {
        t->shape = REPEAT;
        t->low = 2 + lad_vm_draw(pool, 64 / t->width - 1);
        t->low = t->low > 9 ? 9 : t->low;
        t->width *= t->low;
    }
    return t->n ? t : grow_leaf(pool);
}

static struct lad_vm_tree *grow_power(struct lad_vm_pool *pool, unsigned depth)
{
    struct lad_vm_tree *l = lad_vm_tree_grow(pool, depth - 1), *r = grow_leaf(pool);
    struct lad_vm_tree *t = grow_node(pool, POWER, l->width, l->is_signed);
    if (r->is_signed) { /* Icarus 11 knows no negative exponents of 0, 1 and -1 */
        struct lad_vm_tree *cast = grow_node(pool, CAST, r->width, false);
        cast->verilog = "$unsigned";
        cast->kid[cast->n++] = r;
        r = cast;
    }
    t->verilog = "**";
    t->token = "pow";
    t->kid[0] = l;
    t->kid[1] = r;
    t->n = 2;
    return t;
}

struct lad_vm_tree *lad_vm_tree_grow(struct lad_vm_pool *pool, unsigned depth)
{
    uint32_t kind = lad_vm_draw(pool, 16);
    if (!depth || kind < 2)
        return grow_leaf(pool);
    if (kind < 7)
        return grow_two(pool, depth);
    if (kind < 10)
        return grow_one(pool, depth);
    if (kind < 12)
        return depth > 1 ? grow_choice(pool, depth) : grow_leaf(pool);
    if (kind < 14)
        return grow_select(pool);
    return kind == 14                           ? grow_concat(pool, depth)
           : depth > 1 && !lad_vm_draw(pool, 3) ? grow_power(pool, depth)
                                                : grow_two(pool, depth);
}

uint32_t lad_vm_tree_width(const struct lad_vm_tree *t)
{
    return t->width;
}

void lad_vm_tree_verilog(FILE *out, const struct lad_vm_tree *t)
{
    switch (t->shape) {
    case VAR:
        fputs(t->var->name, out);
        return;
    case LITERAL:
        fputs(t->verilog, out);
        return;
    case CHOOSE:
        fputc('(', out);
        lad_vm_tree_verilog(out, t->kid[0]);
        fputs(" ? ", out);
        lad_vm_tree_verilog(out, t->kid[1]);
        fputs(" : ", out);
        lad_vm_tree_verilog(out, t->kid[2]);
        fputc(')', out);
        return;
    case CONCAT:
    case REPEAT:
        fputc('{', out);
        if (t->shape == REPEAT)
            fprintf(out, "%u{", t->low);
        for (uint32_t i = 0; i < t->n; i++) {
            fputs(i ? ", " : "", out);
            lad_vm_tree_verilog(out, t->kid[i]);
        }
        fputs(t->shape == REPEAT ? "}}" : "}", out);
        return;
    case PART:
        fprintf(out, "%s[%u:%u]", t->var->name, t->low + t->width - 1, t->low);
        return;
    case BIT:
    case WORD:
    case INDEXED:
        fprintf(out, "%s[", t->var->name);
        lad_vm_tree_verilog(out, t->kid[0]);
        if (t->shape == INDEXED)
            fprintf(out, " +: %u", t->width);
        fputc(']', out);
        return;
    default:
        break;
    }
    fputc('(', out);
    if (t->n == 2)
        lad_vm_tree_verilog(out, t->kid[0]);
    fprintf(out, t->n == 2 ? " %s " : "%s(", t->verilog);
    lad_vm_tree_verilog(out, t->kid[t->n - 1]);
    fputs(t->n == 2 ? ")" : "))", out);
}

static void emit(FILE *out, const struct lad_vm_tree *t, uint32_t width, bool is_signed);

static void emit_alone(FILE *out, const struct lad_vm_tree *t)
{
    emit(out, t, t->width, t->is_signed);
}

/* Width and sign of the place go down to operands of arithmetic; all other operands stand for themselves. */
static void emit(FILE *out, const struct lad_vm_tree *t, uint32_t w, bool s)
{
    const char *sign = s ? ".s" : "";
    struct lad_vm_tree *const *kid = t->kid;
    switch (t->shape) {
    case VAR:
        fprintf(out, " %%%s", t->var->name);
        return;
    case LITERAL:
        fprintf(out, " %s", t->token);
        return;
    case UNARY:
        emit(out, kid[0], w, s);
        fprintf(out, " %s%s:%u", t->token, sign, w);
        return;
    case BINARY:
        emit(out, kid[0], w, s);
        emit(out, kid[1], w, s);
        fprintf(out, " %s%s:%u", t->token, sign, w);
        return;
    case SHIFT:
        emit(out, kid[0], w, s);
        emit_alone(out, kid[1]);
        fprintf(out, " %s%s:%u", t->token, sign, w);
        return;
    case POWER:
        emit(out, kid[0], w, s);
        emit_alone(out, kid[1]);
        fprintf(out, " pow%s:%u", s ? (kid[1]->is_signed ? ".ss" : ".s") : kid[1]->is_signed ? ".rs" : "", w);
        return;
    case COMPARE: {
        bool both = kid[0]->is_signed && kid[1]->is_signed;
        uint32_t wide = kid[0]->width > kid[1]->width ? kid[0]->width : kid[1]->width;
        emit(out, kid[0], wide, both);
        emit(out, kid[1], wide, both);
        fprintf(out, " %s%s", t->token, both ? ".s" : "");
        return;
    }
    case LOGIC:
        emit_alone(out, kid[0]);
        emit_alone(out, kid[1]);
        fprintf(out, " %s:1", t->token);
        return;
    case REDUCE:
    case NOT:
        emit_alone(out, kid[0]);
        fprintf(out, " %s", t->token);
        return;
    case CHOOSE:
        emit_alone(out, kid[0]);
        emit(out, kid[1], w, s);
        emit(out, kid[2], w, s);
        fprintf(out, " tern%s:%u", sign, w);
        return;
    case CONCAT:
        for (uint32_t i = 0; i < t->n; i++)
            emit_alone(out, kid[i]);
        fprintf(out, " cat%u:%u", t->n, t->width);
        return;
    case REPEAT:
        for (uint32_t i = 0; i < t->low; i++)
            emit_alone(out, kid[0]);
        fprintf(out, " cat%u:%u", t->low, t->width);
        return;
    case BIT:
    case INDEXED:
        fprintf(out, " %%%s", t->var->name);
        emit_alone(out, kid[0]);
        fprintf(out, " sel:%u", t->width);
        return;
    case PART:
        fprintf(out, " %%%s #%u:32 sel:%u", t->var->name, t->low, t->width);
        return;
    case WORD:
        emit_alone(out, kid[0]);
        fprintf(out, " %s[]", t->var->name);
        return;
    case CAST:
        emit_alone(out, kid[0]);
        return;
    }
}

void lad_vm_tree_alone(FILE *out, const struct lad_vm_tree *t)
{
    emit_alone(out, t);
}

void lad_vm_tree_unsigned(FILE *out, const struct lad_vm_tree *t)
{
    emit(out, t, t->width, false);
}

void lad_vm_tree_assembly(FILE *out, const struct lad_vm_tree *t, uint32_t width)
{
    uint32_t w = t->width > width ? t->width : width;
    emit(out, t, w, t->is_signed);
    if (w > t->width) /* what stands for itself is still as narrow as it was */
        fprintf(out, " plus%s:%u", t->is_signed ? ".s" : "", w);
}
