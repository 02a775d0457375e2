/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs in assembly text that use every instruction, sensible or not: what two implementations of the VM are
 * compared on. They need not end well, only alike. */
#include "random.h"
#include <stdlib.h>

enum { ROOTS = 4, CHILDREN = 5, SIGNALS = 10, ARRAYS = 2, EVENTS = 2, OVERRIDDEN = 4 };

struct code {
    struct lad_arena *arena;
    FILE *out;
    uint64_t seed;
    uint32_t width[SIGNALS], size[SIGNALS];
    bool net[SIGNALS];
    unsigned proc, n, at; /* the process being written, its statements, the current one */
};

static uint32_t draw(struct code *c, uint32_t below)
{
    return (uint32_t)(lad_random(&c->seed) >> 33) % below;
}

static bool maybe(struct code *c, uint32_t of)
{
    return !draw(c, of);
}

static uint32_t draw_width(struct code *c)
{
    static const uint32_t usual[] = {1, 1, 1, 2, 4, 8, 16, 31, 32, 33, 63, 64};
    return maybe(c, 4) ? 1 + draw(c, 64) : usual[draw(c, LAD_N(usual))];
}

static void put_literal(struct code *c, uint32_t width)
{
    static const char digits[] = "0101010101xz";
    if (maybe(c, 3)) {
        fprintf(c->out, "%u'd%u", width, draw(c, width < 8 ? 1u << width : 256));
        return;
    }
    fprintf(c->out, "%u'b", width);
    for (uint32_t i = 0; i < width; i++)
        fputc(digits[draw(c, maybe(c, 3) ? 12 : 10)], c->out);
}

static uint32_t put_expr(struct code *c, unsigned depth);

static uint32_t put_leaf(struct code *c)
{
    uint32_t s = draw(c, SIGNALS), w = draw_width(c);
    switch (draw(c, 8)) {
    case 0:
        fprintf(c->out, "#%u:%u ", draw(c, 100), w);
        return w;
    case 1:
        fprintf(c->out, "time ");
        return 64;
    case 2:
    case 3:
        put_literal(c, w);
        fputc(' ', c->out);
        return w;
    default:
        if (c->size[s] > 1) {
            put_expr(c, 0);
            fprintf(c->out, "s%u[]:%u ", s, w);
            return w;
        }
        if (maybe(c, 5)) {
            fprintf(c->out, "%%s%u:%u ", s, w);
            return w;
        }
        fprintf(c->out, "%%s%u ", s);
        return c->width[s];
    }
}

static const char *draw_suffix(struct code *c)
{
    return maybe(c, 3) ? ".s" : "";
}

static uint32_t put_expr(struct code *c, unsigned depth)
{
    static const char *const unary[] = {"plus", "neg", "not", "lnot", "rand", "rnand", "ror", "rnor", "rxor", "rxnor"};
    static const char *const binary[] = {"add",  "sub", "mul",  "div", "mod",  "pow",  "shl", "shr",
                                         "ashr", "and", "or",   "xor", "xnor", "land", "lor", "eq",
                                         "neq",  "ceq", "cneq", "lt",  "le",   "gt",   "ge"};
    static const char *const signs[] = {"", ".s", ".rs", ".ss"};
    uint32_t w = draw_width(c), sum = 0, n;
    if (!depth || maybe(c, 4))
        return put_leaf(c);
    switch (draw(c, 8)) {
    case 0:
    case 1:
        put_expr(c, depth - 1);
        fprintf(c->out, "%s%s:%u ", unary[draw(c, LAD_N(unary))], draw_suffix(c), w);
        return w;
    case 2:
        put_expr(c, depth - 1);
        put_expr(c, depth - 1);
        put_expr(c, depth - 1);
        fprintf(c->out, "tern%s:%u ", draw_suffix(c), w);
        return w;
    case 3:
        put_expr(c, depth - 1);
        put_expr(c, depth - 1);
        fprintf(c->out, "sel:%u ", w);
        return w;
    case 4:
        n = 1 + draw(c, 3);
        for (uint32_t i = 0; i < n; i++) {
            fprintf(c->out, "%%s%u:%u ", ARRAYS + draw(c, SIGNALS - ARRAYS), 1 + draw(c, 20));
            put_literal(c, 1);
            w = 1 + draw(c, 20);
            fprintf(c->out, " xor:%u ", w);
            sum += w;
        }
        fprintf(c->out, "cat%u:%u ", n, sum);
        return sum;
    default:
        put_expr(c, depth - 1);
        put_expr(c, depth - 1);
        n = draw(c, LAD_N(binary));
        fprintf(c->out, "%s%s:%u ", binary[n], n == 5 ? signs[draw(c, 4)] : draw_suffix(c), w);
        return w;
    }
}

static void put_braced(struct code *c, unsigned depth)
{
    fputs("{ ", c->out);
    put_expr(c, depth);
    fputs("}", c->out);
}

/* Small: an index, a delay, a count. */
static void put_small(struct code *c, uint32_t below)
{
    if (maybe(c, 8))
        put_braced(c, 1);
    else if (maybe(c, 3))
        fprintf(c->out, "{ %%s%u:2 }", ARRAYS + draw(c, SIGNALS - ARRAYS));
    else
        fprintf(c->out, "{ #%u:8 }", draw(c, below));
}

static void put_target(struct code *c)
{
    uint32_t s = draw(c, SIGNALS), low = draw(c, c->width[s]), high = low + draw(c, c->width[s] - low);
    fprintf(c->out, "s%u", s);
    if (c->size[s] > 1) {
        fputc('[', c->out);
        put_small(c, c->size[s] + 1);
        fputc(']', c->out);
        if (maybe(c, 3))
            fprintf(c->out, "[%u:%u]", high, low);
        return;
    }
    switch (draw(c, 6)) {
    case 0:
        fputc('[', c->out);
        put_small(c, c->width[s] + 2);
        fputc(']', c->out);
        break;
    case 1:
        fprintf(c->out, "[%u:%u]", high, low);
        break;
    case 2:
        fputc('[', c->out);
        put_small(c, c->width[s] + 2);
        fprintf(c->out, " +: %u]", 1 + draw(c, c->width[s]));
        break;
    default:
        break;
    }
}

static unsigned draw_label(struct code *c)
{
    return c->at + 1 < c->n && draw(c, 5) ? c->at + 1 + draw(c, c->n - c->at - 1) : draw(c, c->n); /* mostly forward */
}

static void put_case(struct code *c)
{
    static const char *const kinds[] = {"", "x", "z"}, *const ways[] = {"", ".lin", ".bkt", ".lut"};
    uint32_t way = draw(c, 4), w = 1 + draw(c, way == 3 ? 5 : 10), n = draw(c, 6);
    fprintf(c->out, "case%s%s { ", kinds[draw(c, 3)], ways[way]);
    put_expr(c, 2);
    fprintf(c->out, "plus:%u }: ", w);
    for (uint32_t i = 0; i < n; i++) {
        put_literal(c, w);
        if (maybe(c, 3)) {
            fputs("|", c->out);
            put_literal(c, w);
        }
        fprintf(c->out, " -> L%u, ", draw_label(c));
    }
    fprintf(c->out, "default L%u", draw_label(c));
}

static void put_edges(struct code *c)
{
    static const char *const kinds[] = {"pos", "neg", "any"};
    if (maybe(c, 3)) {
        fputs("wait.edge star", c->out);
        for (unsigned n = 1 + draw(c, 3); n; n--)
            fprintf(c->out, " s%u", ARRAYS + draw(c, SIGNALS - ARRAYS));
        return;
    }
    fputs("wait.edge ", c->out);
    for (unsigned n = 1 + draw(c, 3); n; n--) {
        fprintf(c->out, "%s ", kinds[draw(c, 3)]);
        put_braced(c, 1);
        if (n > 1)
            fputs(", ", c->out);
    }
}

static void put_service(struct code *c)
{
    static const char *const kinds[] = {"display", "write", "monitor", "strobe", "testplusargs", "fopen"};
    fprintf(c->out, "svc%s %s \"a=%%b %%d %%h\"",
            maybe(c, 4)   ? ".global"
            : maybe(c, 4) ? ".guard"
                          : "",
            kinds[draw(c, LAD_N(kinds))]);
    for (unsigned n = draw(c, 4); n; n--) {
        fputs(", ", c->out);
        switch (draw(c, 5)) {
        case 0:
            fputs(maybe(c, 2) ? "time" : "stime", c->out);
            break;
        case 1:
            fprintf(c->out, "%u", draw(c, 1000));
            break;
        case 2:
            fputs("&s1", c->out);
            break;
        default:
            put_braced(c, 2);
            fputs(maybe(c, 3) ? ".s" : "", c->out);
            break;
        }
    }
}

static unsigned draw_scalar(struct code *c)
{
    return ARRAYS + draw(c, SIGNALS - ARRAYS);
}

/* Children 0 to 2 are those of process 0, 3 and 4 those of process 1; c<n> of the same parent may be forked together.
 */
static void put_fork(struct code *c)
{
    static const char *const kinds[] = {"all", "any", "none"};
    unsigned first = c->proc == 0 ? 0 : 3, n = c->proc == 0 ? 1 + draw(c, 3) : 1 + draw(c, 2);
    fprintf(c->out, "fork.%s ", kinds[draw(c, 3)]);
    for (unsigned i = 0; i < n; i++)
        fprintf(c->out, "%sc%u", i ? ", " : "", first + i);
}

static void put_assign(struct code *c)
{
    fputs(maybe(c, 2) ? "set " : "nba ", c->out);
    put_target(c);
    fputs(" = ", c->out);
    put_braced(c, 3);
}

static void put_delayed(struct code *c)
{
    bool later = draw(c, 3);
    fputs(later ? maybe(c, 2) ? maybe(c, 2) ? "dnba.i.show " : "dnba.i " : "dnba " : "dset ", c->out);
    put_target(c);
    fputs(" = ", c->out);
    put_braced(c, 2);
    fputs(", ", c->out);
    put_small(c, 6);
    for (unsigned n = later ? draw(c, 3) : 0; n; n--) {
        fputs(", ", c->out);
        put_small(c, 6);
    }
}

static void put_override(struct code *c)
{
    unsigned s = ARRAYS + draw(c, OVERRIDDEN), what = draw(c, 4);
    if (c->net[s])
        what &= 1;
    fprintf(c->out, "%s s%u", what == 0 ? "force" : what == 1 ? "release" : what == 2 ? "assign" : "deassign", s);
    if (what == 0 || what == 2) {
        fputs(" = ", c->out);
        put_braced(c, 2);
    }
}

static void put_statement(struct code *c)
{
    switch (draw(c, 24)) {
    case 0:
    case 1:
        fputs("wait.time ", c->out);
        if (maybe(c, 2))
            fprintf(c->out, "%u", draw(c, 7));
        else
            put_small(c, 7);
        break;
    case 2:
        put_edges(c);
        break;
    case 3:
        fprintf(c->out, maybe(c, 2) ? "wait.event e%u" : "trigger e%u", draw(c, EVENTS));
        break;
    case 4:
        fputs("wait.cond ", c->out);
        put_braced(c, 2);
        break;
    case 5:
        if (c->proc < 2)
            put_fork(c);
        else
            fputs("wait.delta", c->out);
        break;
    case 6:
        fprintf(c->out, "wait.join %u", 7 + draw(c, 2));
        break;
    case 7:
        if (maybe(c, 2))
            fprintf(c->out, "disable.block L%u", draw_label(c));
        else if (maybe(c, 2))
            fprintf(c->out, "disable.child c%u", draw(c, CHILDREN));
        else
            fprintf(c->out, "disable.proc %c%u, L%u", maybe(c, 2) ? 'c' : 'r', draw(c, ROOTS), draw(c, 4));
        break;
    case 8:
    case 9:
        put_service(c);
        break;
    case 10:
        fprintf(c->out, "wait.service");
        break;
    case 11:
        if (maybe(c, 2))
            fprintf(c->out, "svc.ret s%u", draw_scalar(c));
        else
            fprintf(c->out, "svc.br L%u, L0", draw_label(c));
        break;
    case 12:
        fputs("jif ", c->out);
        if (maybe(c, 5))
            fputs("const x", c->out);
        else
            put_braced(c, 2);
        fprintf(c->out, ", L%u", draw_label(c));
        break;
    case 13:
        put_case(c);
        break;
    case 14:
        if (maybe(c, 8))
            fprintf(c->out, "call L%u", draw_label(c));
        else
            fputs(maybe(c, 12) ? "ret" : "noop", c->out);
        break;
    case 15:
    case 16:
        put_delayed(c);
        break;
    case 17:
    case 18:
        put_override(c);
        break;
    case 19:
        fputs(maybe(c, 5) ? "svc monitoroff" : maybe(c, 4) ? "svc monitoron" : "wait.delta", c->out);
        break;
    default:
        put_assign(c);
        break;
    }
    fputc('\n', c->out);
}

static void put_process(struct code *c)
{
    c->n = 4 + draw(c, 12);
    for (unsigned i = 0; i < c->n; i++) {
        c->at = i;
        fprintf(c->out, "L%u: ", i);
        if (maybe(c, 14) && i + 2 < c->n)
            fprintf(c->out, "repeat%s { #%u:4 }, L%u, L%u\n", draw_suffix(c), draw(c, 4), i + 1, i + 2);
        else
            put_statement(c);
    }
    c->at = c->n;
    if (draw(c, 3) || c->proc == ROOTS - 1)
        fprintf(c->out, "    wait.time %u\n    jmp L%u\n", 1 + draw(c, 5), draw_label(c));
    for (unsigned i = ARRAYS; c->proc == ROOTS - 1 && i < ARRAYS + OVERRIDDEN;
         i++) /* never reached: gives them their slots */
        fprintf(c->out, "    force s%u = { %%s%u }\n%s", i, i,
                c->net[i] ? "" : lad_printf(c->arena, "    assign s%u = { time }\n", i));
    if (maybe(c, 2))
        fprintf(c->out, ".block L%u L%u\n", draw(c, c->n / 2), c->n / 2 + draw(c, c->n - c->n / 2));
}

static void put_signals(struct code *c)
{
    for (unsigned i = 0; i < SIGNALS; i++) {
        c->width[i] = draw_width(c);
        c->size[i] = i < ARRAYS ? 2 + draw(c, 6) : 1;
        c->net[i] = maybe(c, 4);
        fprintf(c->out, ".signal s%u %u%s", i, c->width[i], c->net[i] ? " net" : "");
        if (c->size[i] > 1)
            fprintf(c->out, " array(%u)", c->size[i]);
        if (draw(c, 4)) {
            fputs(" = ", c->out);
            put_literal(c, c->width[i]);
        }
        fputc('\n', c->out);
    }
}

char *lad_vm_random_code(struct lad_arena *arena, uint64_t seed)
{
    char *text = NULL;
    size_t bytes;
    struct code c = {.arena = arena, .out = open_memstream(&text, &bytes), .seed = seed};
    if (!c.out)
        abort();
    fprintf(c.out, ".svm 1.0\n.state %u\n.limits nba=%u dnba=%u depth=%u args=%u runaway=%u\n", maybe(&c, 4) ? 2 : 4,
            maybe(&c, 20) ? 2 : 40, maybe(&c, 20) ? 1 : 20, 1 + draw(&c, 3), 4 + draw(&c, 2), 200 + draw(&c, 800));
    put_signals(&c);
    for (unsigned i = 0; i < EVENTS; i++)
        fprintf(c.out, ".event e%u\n", i);
    for (c.proc = 0; c.proc < ROOTS; c.proc++) {
        fprintf(c.out, ".proc r%u\n", c.proc);
        put_process(&c);
    }
    for (unsigned i = 0; i < CHILDREN; i++, c.proc++) {
        fprintf(c.out, ".proc c%u parent=r%u tag=%u\n", i, i < 3 ? 0 : 1, 7 + (i >= 3));
        put_process(&c);
    }
    fclose(c.out);
    char *copy = lad_strdup(arena, text);
    free(text);
    return copy;
}
