/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle "expr": the expected element as an expression in the case file, in C's operators over i (the element), the
 * case's variables, name[index] (a buffer before the run) and keep (what was planted there). Integers are 64 bits wide
 * and cut to the element's type at the end, floats are computed in double and rounded once. docs/cases.md lists it all.
 */
#include "harness.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { INT, UINT, FLOAT, RAW }; /* RAW: bits of the output's type */
struct value {
    enum kind kind;
    union {
        int64_t i;
        uint64_t u;
        double f;
    };
};

enum node_kind { NUMBER, INDEX, SCOPE, LOCAL, KEEP, LOAD, UNARY, BINARY, CHOOSE, CALL, SUM };
struct node {
    enum node_kind kind;
    int op; /* operator, function, or number of a sum's variable */
    char name[40];
    int at; /* SCOPE, LOAD: place in scope or data, found by bind() */
    struct value value;
    const struct node *arg[3];
};

static const struct operator
{
    const char *text;
    int level;
}
operators[] = {{"||", 1}, {"&&", 2}, {"|", 3}, {"^", 4}, {"&", 5}, {"==", 6}, {"!=", 6}, {"<=", 7}, {">=", 7},
               {"<<", 8}, {">>", 8}, {"<", 7}, {">", 7}, {"+", 9}, {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10}};
enum { OR, AND, BIT_OR, BIT_XOR, BIT_AND, EQ, NE, LE, GE, SHL, SHR, LT, GT, ADD, SUB, MUL, DIV, MOD };

static const struct function {
    const char *name;
    int n_args;
} functions[] = {{"min", 2}, {"max", 2}, {"abs", 1}, {"sqrt", 1},  {"exp", 1},      {"log", 1},
                 {"sin", 1}, {"cos", 1}, {"pow", 2}, {"floor", 1}, {"fma", 3},      {"f32", 1},
                 {"f64", 1}, {"u8", 1},  {"u16", 1}, {"u32", 1},   {"u64", 1},      {"i8", 1},
                 {"i16", 1}, {"i32", 1}, {"i64", 1}, {"bits", 1},  {"frombits", 1}, {"trunc", 1}};
enum {
    F_MIN,
    F_MAX,
    F_ABS,
    F_SQRT,
    F_EXP,
    F_LOG,
    F_SIN,
    F_COS,
    F_POW,
    F_FLOOR,
    F_FMA,
    F_F32,
    F_F64,
    F_U8,
    F_U16,
    F_U32,
    F_U64,
    F_I8,
    F_I16,
    F_I32,
    F_I64,
    F_BITS,
    F_FROMBITS,
    F_TRUNC
};

struct reader {
    struct lad_arena *arena;
    const char *text, *at;
    char *why;
    size_t why_bytes;
    char local[4][40];
    int n_locals, depth;
    bool bad;
    struct node **named; /* those that bind() has to find */
    size_t n_named;
};

static const struct node *read_choice(struct reader *r);

static struct node *complain(struct reader *r, const char *what)
{
    if (!r->bad)
        snprintf(r->why, r->why_bytes, "\"%s\": %s at \"%s\"", r->text, what, r->at);
    r->bad = true;
    return lad_alloc(r->arena, sizeof(struct node));
}

static struct node *make_node(struct reader *r, enum node_kind kind, int op)
{
    struct node *n = lad_alloc(r->arena, sizeof *n);
    n->kind = kind;
    n->op = op;
    return n;
}

static bool take(struct reader *r, const char *word)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
    if (strncmp(r->at, word, strlen(word)))
        return false;
    r->at += strlen(word);
    return true;
}

static struct node *read_number(struct reader *r)
{
    struct node *n = make_node(r, NUMBER, 0);
    const char *p = r->at;
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    char *end;
    if (!hex && p[strspn(p, "0123456789")] == '.') {
        n->value = (struct value){FLOAT, .f = strtod(p, &end)};
    } else {
        uint64_t v = strtoull(p, &end, 0);
        int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        n->value = (struct value){v >> 63 ? UINT : INT, .u = v << shift};
        end += shift != 0;
    }
    r->at = end;
    return n;
}

static const struct node *read_sum(struct reader *r)
{
    struct node *n = make_node(r, SUM, r->n_locals);
    while (isspace((unsigned char)*r->at))
        r->at++;
    size_t len = strspn(r->at, "abcdefghijklmnopqrstuvwxyz_");
    if (!len || len >= sizeof r->local[0] || r->n_locals == 4)
        return complain(r, "expected the sum's variable");
    memcpy(r->local[r->n_locals], r->at, len);
    r->local[r->n_locals][len] = 0;
    r->at += len;
    for (int k = 0; k < 3; k++) {
        if (!take(r, ","))
            return complain(r, "expected ','");
        r->n_locals += k == 2;
        n->arg[k] = read_choice(r);
    }
    r->n_locals--;
    return take(r, ")") ? n : complain(r, "expected ')'");
}

static const struct node *read_call(struct reader *r, size_t f)
{
    struct node *n = make_node(r, CALL, (int)f);
    for (int k = 0; k < functions[f].n_args; k++) {
        if (k && !take(r, ","))
            return complain(r, "expected ','");
        n->arg[k] = read_choice(r);
    }
    return take(r, ")") ? n : complain(r, "expected ')'");
}

static const struct node *read_name(struct reader *r)
{
    size_t len = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    struct node *n = make_node(r, SCOPE, 0);
    if (!len || len >= sizeof n->name)
        return complain(r, "expected a value");
    memcpy(n->name, r->at, len);
    r->at += len;
    if (take(r, "(")) {
        if (!strcmp(n->name, "sum"))
            return read_sum(r);
        for (size_t f = 0; f < LAD_N(functions); f++)
            if (!strcmp(functions[f].name, n->name))
                return read_call(r, f);
        return complain(r, "unknown function");
    }
    if (take(r, "[")) {
        n->kind = LOAD;
        n->arg[0] = read_choice(r);
        *(struct node **)LAD_PUSH(r->arena, r->named, r->n_named) = n;
        return take(r, "]") ? n : complain(r, "expected ']'");
    }
    for (int k = 0; k < r->n_locals; k++)
        if (!strcmp(r->local[k], n->name)) {
            n->kind = LOCAL;
            n->op = k;
            return n;
        }
    if (!strcmp(n->name, "i"))
        n->kind = INDEX;
    else if (!strcmp(n->name, "keep"))
        n->kind = KEEP;
    else
        *(struct node **)LAD_PUSH(r->arena, r->named, r->n_named) = n;
    return n;
}

static const struct node *read_value(struct reader *r)
{
    const struct node *n;
    if (r->bad || ++r->depth > 100)
        return complain(r, "nested too deep");
    if (take(r, "(")) {
        n = read_choice(r);
        if (!take(r, ")"))
            complain(r, "expected ')'");
    } else if (take(r, "-") || take(r, "~") || take(r, "!")) {
        struct node *u = make_node(r, UNARY, r->at[-1]);
        u->arg[0] = read_value(r);
        n = u;
    } else {
        n = isdigit((unsigned char)*r->at) ? read_number(r) : read_name(r);
    }
    r->depth--;
    return n;
}

static const struct node *read_level(struct reader *r, int level)
{
    const struct node *left = read_value(r);
    while (!r->bad) {
        size_t op;
        const char *start = r->at;
        for (op = 0; op < LAD_N(operators); op++) /* "||" stands before "|", "<=" and "<<" before "<" */
            if (take(r, operators[op].text))
                break;
        if (op == LAD_N(operators) || operators[op].level < level) {
            r->at = start;
            return left;
        }
        struct node *n = make_node(r, BINARY, (int)op);
        n->arg[0] = left;
        n->arg[1] = read_level(r, operators[op].level + 1);
        left = n;
    }
    return left;
}

static const struct node *read_choice(struct reader *r)
{
    const struct node *condition = read_level(r, 1);
    if (!take(r, "?"))
        return condition;
    struct node *n = make_node(r, CHOOSE, 0);
    n->arg[0] = condition;
    n->arg[1] = read_choice(r);
    if (!take(r, ":"))
        return complain(r, "expected ':'");
    n->arg[2] = read_choice(r);
    return n;
}

static const struct node *read_all(struct reader *r)
{
    const struct node *root = read_choice(r);
    take(r, "");
    if (!r->bad && *r->at)
        complain(r, "unexpected text");
    return r->bad ? NULL : root;
}

bool lad_oracle_expr_check(const char *text, const struct lad_case *c, char *why, size_t why_bytes)
{
    struct reader r = {lad_arena_create(), text, text, why, why_bytes};
    read_all(&r);
    for (size_t k = 0; k < r.n_named && !r.bad; k++) {
        const struct node *n = r.named[k];
        bool found = n->kind == SCOPE && c->sweep && !strcmp(c->sweep, n->name);
        for (size_t v = 0; v < c->n_vars && n->kind == SCOPE; v++)
            found |= !strcmp(c->vars[v].name, n->name);
        for (size_t b = 0; b < c->n_bufs && n->kind == LOAD; b++)
            found |= !strcmp(c->bufs[b].name, n->name);
        if (!found) {
            snprintf(why, why_bytes, "\"%s\": there is no %s \"%s\"", text, n->kind == LOAD ? "buffer" : "variable",
                     n->name);
            r.bad = true;
        }
    }
    lad_arena_destroy(&r.arena);
    return !r.bad;
}

/* ---- evaluation ---- */

struct state {
    const struct lad_oracle_in *in;
    const struct lad_data *out;
    uint64_t i;
    int64_t local[4];
};

static struct value evaluate(struct state *s, const struct node *n);

static double to_float(struct value v)
{
    return v.kind == FLOAT ? v.f : v.kind == INT ? (double)v.i : (double)v.u;
}

static int64_t to_int(struct value v)
{
    return v.kind != FLOAT ? v.i : v.f >= 9.3e18 ? (int64_t)(uint64_t)v.f : (int64_t)v.f;
}

static bool is_true(struct value v)
{
    return v.kind == FLOAT ? v.f != 0 : v.u != 0;
}

static struct value load(const struct lad_data *d, uint64_t at)
{
    if (at >= d->n)
        return (struct value){INT, .i = 0}; /* reading past the end gives 0, as a bounds-checked device would */
    switch (d->buf->type) {
    case LAD_U32:
        return (struct value){INT, .i = ((const uint32_t *)d->before)[at]};
    case LAD_I32:
        return (struct value){INT, .i = ((const int32_t *)d->before)[at]};
    case LAD_F32:
        return (struct value){FLOAT, .f = (double)((const float *)d->before)[at]};
    case LAD_U64:
        return (struct value){UINT, .u = ((const uint64_t *)d->before)[at]};
    case LAD_I64:
        return (struct value){INT, .i = ((const int64_t *)d->before)[at]};
    case LAD_F64:
        return (struct value){FLOAT, .f = ((const double *)d->before)[at]};
    case LAD_U16:
        return (struct value){INT, .i = ((const uint16_t *)d->before)[at]};
    case LAD_U8:
        return (struct value){INT, .i = ((const uint8_t *)d->before)[at]};
    }
    abort();
}

static struct value compute_float(int op, double a, double b)
{
    switch (op) {
    case ADD:
        return (struct value){FLOAT, .f = a + b};
    case SUB:
        return (struct value){FLOAT, .f = a - b};
    case MUL:
        return (struct value){FLOAT, .f = a * b};
    case DIV:
        return (struct value){FLOAT, .f = a / b};
    case MOD:
        return (struct value){FLOAT, .f = fmod(a, b)};
    case EQ:
        return (struct value){INT, .i = a == b};
    case NE:
        return (struct value){INT, .i = a != b};
    case LT:
        return (struct value){INT, .i = a < b};
    case GT:
        return (struct value){INT, .i = a > b};
    case LE:
        return (struct value){INT, .i = a <= b};
    case GE:
        return (struct value){INT, .i = a >= b};
    default:
        return (struct value){FLOAT, .f = (double)NAN};
    }
}

static struct value compute_int(int op, struct value l, struct value r)
{
    bool wide = l.kind == UINT || r.kind == UINT;
    uint64_t a = l.u, b = r.u, v = 0;
    switch (op) {
    case ADD:
        v = a + b;
        break;
    case SUB:
        v = a - b;
        break;
    case MUL:
        v = a * b;
        break;
    case DIV:
        v = b == 0 ? 0 : wide ? a / b : r.i == -1 ? 0 - a : (uint64_t)(l.i / r.i);
        break;
    case MOD:
        v = b == 0 ? 0 : wide ? a % b : r.i == -1 ? 0 : (uint64_t)(l.i % r.i);
        break;
    case BIT_AND:
        v = a & b;
        break;
    case BIT_OR:
        v = a | b;
        break;
    case BIT_XOR:
        v = a ^ b;
        break;
    case SHL:
        return (struct value){l.kind, .u = a << (b & 63)};
    case SHR:
        return (struct value){l.kind, .u = l.kind == UINT ? a >> (b & 63) : (uint64_t)(l.i >> (b & 63))};
    case EQ:
        return (struct value){INT, .i = a == b};
    case NE:
        return (struct value){INT, .i = a != b};
    case LT:
        return (struct value){INT, .i = wide ? a < b : l.i < r.i};
    case GT:
        return (struct value){INT, .i = wide ? a > b : l.i > r.i};
    case LE:
        return (struct value){INT, .i = wide ? a <= b : l.i <= r.i};
    case GE:
        return (struct value){INT, .i = wide ? a >= b : l.i >= r.i};
    }
    return (struct value){wide ? UINT : INT, .u = v};
}

static struct value apply(int op, struct value a, struct value b)
{
    return a.kind == FLOAT || b.kind == FLOAT ? compute_float(op, to_float(a), to_float(b)) : compute_int(op, a, b);
}

static struct value compute(struct state *s, const struct node *n)
{
    struct value a = evaluate(s, n->arg[0]);
    if (n->op == AND || n->op == OR)
        return (struct value){INT, .i = is_true(a) == (n->op == AND) ? is_true(evaluate(s, n->arg[1])) : n->op == OR};
    return apply(n->op, a, evaluate(s, n->arg[1]));
}

static struct value negate(int op, struct value v)
{
    if (op == '!')
        return (struct value){INT, .i = !is_true(v)};
    if (op == '~')
        return (struct value){v.kind, .u = ~v.u};
    return v.kind == FLOAT ? (struct value){FLOAT, .f = -v.f} : (struct value){v.kind, .u = 0 - v.u};
}

static uint32_t float_bits(double f)
{
    float x = (float)f;
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return isnan(x) ? 0x7FC00000u : bits; /* one NaN stands for all: what remains of a payload is not promised */
}

static struct value call(struct state *s, const struct node *n)
{
    struct value v[3] = {{INT, {0}}, {INT, {0}}, {INT, {0}}};
    for (int k = 0; k < functions[n->op].n_args; k++)
        v[k] = evaluate(s, n->arg[k]);
    double x = to_float(v[0]);
    uint32_t bits = (uint32_t)v[0].u;
    float f;
    switch (n->op) {
    case F_MIN:
        return is_true(apply(LT, v[0], v[1])) ? v[0] : v[1];
    case F_MAX:
        return is_true(apply(GT, v[0], v[1])) ? v[0] : v[1];
    case F_ABS:
        return v[0].kind == FLOAT ? (struct value){FLOAT, .f = fabs(x)} : v[0].i < 0 ? negate('-', v[0]) : v[0];
    case F_SQRT:
        return (struct value){FLOAT, .f = sqrt(x)};
    case F_EXP:
        return (struct value){FLOAT, .f = exp(x)};
    case F_LOG:
        return (struct value){FLOAT, .f = log(x)};
    case F_SIN:
        return (struct value){FLOAT, .f = sin(x)};
    case F_COS:
        return (struct value){FLOAT, .f = cos(x)};
    case F_POW:
        return (struct value){FLOAT, .f = pow(x, to_float(v[1]))};
    case F_FLOOR:
        return (struct value){FLOAT, .f = floor(x)};
    case F_TRUNC:
        return (struct value){FLOAT, .f = trunc(x)};
    case F_FMA:
        return (struct value){FLOAT, .f = fma(x, to_float(v[1]), to_float(v[2]))};
    case F_F32:
        return (struct value){FLOAT, .f = (double)(float)x};
    case F_F64:
        return (struct value){FLOAT, .f = x};
    case F_U8:
        return (struct value){INT, .i = (uint8_t)to_int(v[0])};
    case F_U16:
        return (struct value){INT, .i = (uint16_t)to_int(v[0])};
    case F_U32:
        return (struct value){INT, .i = (uint32_t)to_int(v[0])};
    case F_U64:
        return (struct value){UINT, .i = to_int(v[0])};
    case F_I8:
        return (struct value){INT, .i = (int8_t)to_int(v[0])};
    case F_I16:
        return (struct value){INT, .i = (int16_t)to_int(v[0])};
    case F_I32:
        return (struct value){INT, .i = (int32_t)to_int(v[0])};
    case F_I64:
        return (struct value){INT, .i = to_int(v[0])};
    case F_BITS:
        return (struct value){INT, .i = float_bits(x)};
    case F_FROMBITS:
        memcpy(&f, &bits, 4);
        return (struct value){FLOAT, .f = (double)f};
    }
    abort();
}

static struct value add_up(struct state *s, const struct node *n)
{
    int64_t from = to_int(evaluate(s, n->arg[0])), to = to_int(evaluate(s, n->arg[1]));
    struct value total = {INT, .i = 0};
    for (int64_t k = from; k < to; k++) {
        s->local[n->op] = k;
        struct value v = evaluate(s, n->arg[2]);
        total = apply(ADD, total, v);
    }
    return total;
}

static struct value evaluate(struct state *s, const struct node *n)
{
    switch (n->kind) {
    case NUMBER:
        return n->value;
    case INDEX:
        return (struct value){INT, .u = s->i};
    case SCOPE:
        return (struct value){INT, .i = s->in->scope->value[n->at]};
    case LOCAL:
        return (struct value){INT, .i = s->local[n->op]};
    case KEEP:
        return (struct value){RAW, .u = lad_keep(s->out, s->i)};
    case LOAD:
        return load(&s->in->data[n->at], (uint64_t)to_int(evaluate(s, n->arg[0])));
    case UNARY:
        return negate(n->op, evaluate(s, n->arg[0]));
    case BINARY:
        return compute(s, n);
    case CHOOSE:
        return evaluate(s, n->arg[is_true(evaluate(s, n->arg[0])) ? 1 : 2]);
    case CALL:
        return call(s, n);
    case SUM:
        return add_up(s, n);
    }
    abort();
}

static uint64_t raw_bits(struct value v, enum lad_type type)
{
    if (v.kind == RAW)
        return v.u;
    if (type == LAD_F32) {
        float f = (float)to_float(v);
        uint32_t bits;
        memcpy(&bits, &f, 4);
        return bits;
    }
    if (type == LAD_F64) {
        double f = to_float(v);
        uint64_t bits;
        memcpy(&bits, &f, 8);
        return bits;
    }
    uint32_t bytes = lad_type_bytes(type);
    return (uint64_t)to_int(v) & (bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1);
}

/* Names are looked up once for a buffer, not for each of its elements. */
static struct {
    struct lad_arena *arena;
    char *text;
    const struct node *root;
    struct node **named;
    size_t n_named;
} made;

static void compile(const char *text)
{
    char why[300];
    lad_arena_destroy(&made.arena);
    struct reader r = {lad_arena_create(), text, text, why, sizeof why};
    made.arena = r.arena;
    made.text = lad_strdup(r.arena, text);
    made.root = read_all(&r);
    made.named = r.named;
    made.n_named = r.n_named;
    if (made.root)
        return;
    lad_error("expr oracle: %s", why); /* case.c has checked it: ours to repair */
    abort();
}

static void bind(const struct lad_oracle_in *in)
{
    for (size_t k = 0; k < made.n_named; k++) {
        struct node *n = made.named[k];
        size_t at = 0, end = n->kind == LOAD ? in->n_data : in->scope->n;
        while (at < end && strcmp(n->name, n->kind == LOAD ? in->data[at].buf->name : in->scope->name[at]))
            at++;
        if (at == end) {
            lad_error("expr oracle: \"%s\": unknown name \"%s\"", made.text, n->name);
            abort();
        }
        n->at = (int)at;
    }
}

static uint64_t at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    static struct lad_oracle_in last_in;
    static uint64_t last_i;
    if (!made.text || strcmp(made.text, in->with)) {
        compile(in->with);
        bind(in);
    } else if (i <= last_i || memcmp(&last_in, in, sizeof last_in)) {
        bind(in); /* a new pass; elements come in ascending order */
    }
    last_in = *in;
    last_i = i;
    struct state s = {in, out, i, {0}};
    return raw_bits(evaluate(&s, made.root), out->buf->type);
}

const struct lad_oracle lad_oracle_expr = {"expr", "the expression given as with=", at};
