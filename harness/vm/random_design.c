/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twins of small designs. They are free of races, so that every simulator that is right prints the same: each variable
 * is written by one process; registers are written by nonblocking assigns; outputs of combinational processes clock
 * nothing; processes begin to wait at time 1, when initial values are surely there. The clock changes at times 0 and 5
 * modulo 10, what it sets off up to 2 later; the test interferes at 3, the view looks at 4 and 9, held variables are
 * written at 8.
 */
#include "random.h"
#include <stdlib.h>
#include <string.h>

enum { REGS = 5, NETS = 2, COMBS = 3, HELD = 2, SHOWN = 14 };

struct design {
    struct lad_vm_pool pool;
    FILE *a, *v, *children;         /* assembly; Verilog; fork children, which come behind all roots */
    struct lad_vm_var var[16], own; /* what may be read; what the process at hand writes */
    unsigned label, n_children, tag;
};

static uint32_t draw(struct design *d, uint32_t below)
{
    return lad_vm_draw(&d->pool, below);
}

static void declare(struct design *d, const char *name, uint32_t width, bool net, uint32_t array, bool readable)
{
    const char *verilog = "", *initial = lad_vm_random_literal(&d->pool, width, false, &verilog);
    fprintf(d->a, ".signal %s %u%s", name, width, net ? " net" : "");
    fprintf(d->v, "%s [%u:0] %s", net ? "wire" : "reg", width - 1, name);
    if (array) {
        fprintf(d->a, " array(%u)", array);
        fprintf(d->v, "[0:%u]", array - 1);
    }
    if (!net && !array) {
        fprintf(d->a, " = %s", initial);
        fprintf(d->v, " = %s", verilog);
    }
    fputs("\n", d->a);
    fputs(";\n", d->v);
    if (readable) {
        struct lad_vm_var v = {lad_printf(d->pool.arena, "%s", name), width, array, false};
        d->var[d->pool.n++] = v;
    }
}

static const char *name(struct design *d, char letter, unsigned i)
{
    return lad_printf(d->pool.arena, "%c%u", letter, i);
}

static void put_value(struct design *d, struct lad_vm_tree *t, uint32_t width)
{
    lad_vm_tree_verilog(d->v, t);
    fputs("{", d->a);
    lad_vm_tree_assembly(d->a, t, width);
    fputs(" }", d->a);
}

static void put_index(struct design *d)
{
    const char *verilog, *literal;
    uint32_t i = draw(d, (uint32_t)d->pool.n);
    if (!d->var[i].array && d->var[i].width <= 6) {
        fprintf(d->v, "%s", d->var[i].name);
        fprintf(d->a, "{ %%%s }", d->var[i].name);
        return;
    }
    literal = lad_vm_random_literal(&d->pool, 3, false, &verilog);
    fputs(verilog, d->v);
    fprintf(d->a, "{ %s }", literal);
}

/* The process's own variable or a part of it. */
static uint32_t put_place(struct design *d)
{
    const struct lad_vm_var *o = &d->own;
    uint32_t width = o->width, low, kind = draw(d, 4);
    fprintf(d->a, "%s", o->name);
    fprintf(d->v, "%s", o->name);
    if (o->array || (kind == 1 && width > 1)) {
        fputs("[", d->a);
        fputs("[", d->v);
        put_index(d);
        fputs("]", d->a);
        fputs("]", d->v);
        return o->array ? width : 1;
    }
    if (kind == 2 && width > 2) {
        low = draw(d, width - 1);
        width = 1 + draw(d, width - low);
        fprintf(d->a, "[%u:%u]", low + width - 1, low);
        fprintf(d->v, "[%u:%u]", low + width - 1, low);
        return width;
    }
    return width;
}

static void put_assign(struct design *d, bool nonblocking)
{
    bool later = nonblocking && !draw(d, 6);
    uint32_t delay = 1 + draw(d, 2), width;
    fputs(later ? " dnba " : nonblocking ? " nba " : " set ", d->a);
    width = put_place(d);
    fputs(" = ", d->a);
    fputs(nonblocking ? " <= " : " = ", d->v);
    if (later)
        fprintf(d->v, "#%u ", delay);
    put_value(d, lad_vm_tree_grow(&d->pool, 1 + draw(d, 3)), width);
    if (later)
        fprintf(d->a, ", { 32'd%u }", delay);
    fputs("\n", d->a);
    fputs(";\n", d->v);
}

static void put_block(struct design *d, unsigned depth, bool nonblocking);

static void put_if(struct design *d, unsigned depth, bool nonblocking)
{
    unsigned here = d->label++;
    struct lad_vm_tree *t = lad_vm_tree_grow(&d->pool, 2);
    fputs("if (", d->v);
    lad_vm_tree_verilog(d->v, t);
    fputs(") ", d->v);
    fputs(" jif {", d->a);
    lad_vm_tree_alone(d->a, t);
    fprintf(d->a, " }, T%u\n jmp F%u\nT%u:\n", here, here, here);
    put_block(d, depth - 1, nonblocking);
    fprintf(d->a, " jmp E%u\nF%u:\n", here, here);
    fputs("else ", d->v);
    put_block(d, depth - 1, nonblocking);
    fprintf(d->a, "E%u:\n", here);
}

static void put_case(struct design *d, unsigned depth, bool nonblocking)
{
    static const char *const kinds[] = {"", "x", "z"}, *const strategies[] = {"", ".bkt", ".lut"};
    struct lad_vm_tree *t = lad_vm_tree_grow(&d->pool, 2);
    uint32_t width = lad_vm_tree_width(t), kind = draw(d, 3), items = 1 + draw(d, 4);
    unsigned here = d->label++;
    const char *strategy = strategies[draw(d, width <= 8 ? 3 : 2)];
    fprintf(d->a, " case%s%s {", kinds[kind], strategy);
    lad_vm_tree_unsigned(d->a, t);
    fputs(" }:", d->a);
    fprintf(d->v, "case%s (", kinds[kind]);
    lad_vm_tree_verilog(d->v, t);
    fputs(")\n", d->v);
    char *labels = NULL;
    size_t bytes;
    for (uint32_t i = 0; i < items; i++) {
        const char *verilog;
        fprintf(d->a, " %s -> C%u_%u,", lad_vm_random_literal(&d->pool, width, false, &verilog), here, i);
        labels = lad_printf(d->pool.arena, "%s%s\n", labels ? labels : "", verilog);
    }
    fprintf(d->a, " default D%u\n", here);
    for (uint32_t i = 0; i < items; i++) {
        bytes = strcspn(labels, "\n");
        fprintf(d->v, "%.*s: ", (int)bytes, labels);
        labels += bytes + 1;
        fprintf(d->a, "C%u_%u:\n", here, i);
        put_block(d, depth - 1, nonblocking);
        fprintf(d->a, " jmp E%u\n", here);
    }
    fputs("default: ", d->v);
    fprintf(d->a, "D%u:\n", here);
    put_block(d, depth - 1, nonblocking);
    fputs("endcase\n", d->v);
    fprintf(d->a, "E%u:\n", here);
}

static void put_statement(struct design *d, unsigned depth, bool nonblocking)
{
    uint32_t kind = depth ? draw(d, 6) : 0;
    if (kind == 4)
        put_if(d, depth, nonblocking);
    else if (kind == 5)
        put_case(d, depth, nonblocking);
    else
        put_assign(d, nonblocking);
}

static void put_block(struct design *d, unsigned depth, bool nonblocking)
{
    fputs("begin\n", d->v);
    for (uint32_t n = 1 + draw(d, 2); n; n--)
        put_statement(d, depth, nonblocking);
    fputs("end\n", d->v);
}

static void put_clock(struct design *d)
{
    fputs(".proc clock\ntop: wait.time 5\n set clk = { %clk not:1 }\n jmp top\n", d->a);
    fputs("always #5 clk = ~clk;\n", d->v);
}

/* A register: at an edge of the clock, or of one of its own bits through a divided clock. */
static void put_register(struct design *d, unsigned i)
{
    static const char *const edges[][2] = {{"pos", "posedge clk"}, {"neg", "negedge clk"}, {"any", "clk"}};
    uint32_t edge = draw(d, 3);
    bool reset = draw(d, 2);
    d->own = d->var[i];
    fprintf(d->a, ".proc reg%u\n wait.time 1\ntop: wait.edge %s { %%clk }%s\n", i, edges[edge][0],
            reset ? ", pos { %rst }" : "");
    fprintf(d->v, "initial begin #1; forever begin @(%s%s) ", edges[edge][1], reset ? " or posedge rst" : "");
    if (draw(d, 3) == 0) {
        fprintf(d->a, " trigger ev%u\n", i % 2);
        fprintf(d->v, "begin\n-> ev%u;\n", i % 2);
        put_block(d, 2, true);
        fputs("end\n", d->v);
    } else {
        put_block(d, 2, true);
    }
    fputs(" jmp top\n", d->a);
    fputs("end end\n", d->v);
}

static void put_sensitive(struct design *d, FILE *out, const char *between)
{
    bool first = true;
    for (size_t i = 0; i < d->pool.n; i++) {
        if (!d->var[i].array) {
            fprintf(out, "%s%s", first ? "" : between, d->var[i].name);
            first = false;
        }
    }
}

/* Follows what may be read so far, and may be read by those behind it. Memories are left out: @ sees no elements. */
static void put_follower(struct design *d, char letter, unsigned i, uint32_t width)
{
    bool net = letter == 'n';
    struct lad_vm_tree *t = lad_vm_tree_grow_computed(&d->pool, 3); /* Icarus makes nets that are equal one net */
    fprintf(d->a, ".proc %s%u\ntop: set %c%u = ", net ? "drive" : "comb", i, letter, i);
    if (net)
        fprintf(d->v, "assign n%u = ", i);
    else
        fprintf(d->v, "initial forever begin c%u = ", i);
    put_value(d, t, width);
    fputs("\n wait.edge star ", d->a);
    put_sensitive(d, d->a, " ");
    fputs("\n jmp top\n", d->a);
    fputs(";", d->v);
    if (!net) {
        fputs(" @(", d->v);
        put_sensitive(d, d->v, " or ");
        fputs("); end", d->v);
    }
    fputs("\n", d->v);
}

/* Written again and again away from the edges, so that a released variable shows when it is next assigned. A process
 * that follows changes would not do: the VM looks for them when all is quiet, a simulator sees those that come and go.
 */
static void put_held(struct design *d, unsigned i)
{
    fprintf(d->a, ".proc held%u\n wait.time 8\ntop: set g%u = ", i, i);
    fprintf(d->v, "initial begin #8; forever begin g%u = ", i);
    put_value(d, lad_vm_tree_grow(&d->pool, 2), 9);
    fputs("\n wait.time 10\n jmp top\n", d->a);
    fputs("; #10; end end\n", d->v);
}

static void put_waiters(struct design *d)
{
    for (unsigned i = 0; i < 2; i++) {
        fprintf(d->a, ".proc count%u\ntop: wait.event ev%u\n set k%u = { %%k%u 8'd1 add:8 }\n jmp top\n", i, i, i, i);
        fprintf(d->v, "always @(ev%u) k%u = k%u + 8'd1;\n", i, i, i);
    }
    fputs(".proc level\n wait.time 1\n set w0 = { 8'd0 }\ntop: wait.cond { %q0 rxor 1'b1 eq }\n set w0 = { %w0 8'd1 "
          "add:8 }\n"
          " wait.edge neg { %clk }\n jmp top\n",
          d->a);
    fputs("initial begin #1 w0 = 0; forever begin wait ((^q0) == 1'b1) w0 = w0 + 8'd1; @(negedge clk); end end\n",
          d->v);
}

/* Children of a fork wait, then write what only they write. */
static void put_fork(struct design *d)
{
    unsigned n = 2 + draw(d, 2), first = d->n_children;
    fputs("fork\n", d->v);
    fputs(" fork.all ", d->a);
    for (unsigned i = 0; i < n; i++)
        fprintf(d->a, "%schild%u", i ? ", " : "", d->n_children + i);
    fputs("\n", d->a);
    FILE *roots = d->a;
    d->a = d->children;
    d->tag++;
    for (unsigned i = 0; i < n; i++, d->n_children++) {
        unsigned delay = 10 * draw(d, 3);
        fprintf(d->a, ".proc child%u parent=test tag=%u\n wait.time %u\n set f%u = ", first + i, d->tag, delay, i);
        fprintf(d->v, "begin #%u f%u = ", delay, i);
        put_value(d, lad_vm_tree_grow(&d->pool, 2), 8);
        fputs("\n", d->a);
        fputs("; end\n", d->v);
    }
    d->a = roots;
    fputs("join\n", d->v);
    fputs(" wait.time 10\n", d->a);
    fputs("#10;\n", d->v);
}

static void put_force(struct design *d)
{
    const char *verilog, *literal;
    bool net = draw(d, 2);
    unsigned i = draw(d, net ? NETS : HELD), width = net ? 6 : 9, hold = 10 * (1 + draw(d, 3));
    literal = lad_vm_random_literal(&d->pool, width, false, &verilog);
    fprintf(d->a, " force %c%u = { %s }\n wait.time %u\n release %c%u\n", net ? 'n' : 'g', i, literal, hold,
            net ? 'n' : 'g', i);
    fprintf(d->v, "force %c%u = %s;\n#%u release %c%u;\n", net ? 'n' : 'g', i, verilog, hold, net ? 'n' : 'g', i);
}

static void put_test(struct design *d)
{
    fputs(".proc test\n wait.time 11\n set rst = { 1'b1 }\n wait.time 12\n set rst = { 1'b0 }\n", d->a);
    fputs("initial begin #11 rst = 1; #12 rst = 0;\n", d->v);
    for (uint32_t n = 3 + draw(d, 5); n; n--) {
        if (draw(d, 2))
            put_fork(d);
        else
            put_force(d);
        fputs(" wait.time 10\n", d->a);
        fputs("#10;\n", d->v);
    }
    fputs(" svc display \"end %0t\", time\n halt finish\n", d->a);
    fputs("$display(\"end %0t\", $time); $finish(0); end\n", d->v);
}

static void put_view(struct design *d)
{
    static const char *const forms[] = {"%b", "%h", "%o", "%d", "%0d", "%0h"};
    char *a = "", *v = "", *format = "";
    bool strobe = draw(d, 2);
    unsigned n = 0;
    for (size_t i = 0; i < d->pool.n && n < SHOWN; i++) {
        if (d->var[i].array)
            continue;
        format = lad_printf(d->pool.arena, "%s %s", format, forms[draw(d, LAD_N(forms))]);
        a = lad_printf(d->pool.arena, "%s, { %%%s }", a, d->var[i].name);
        v = lad_printf(d->pool.arena, "%s, %s", v, d->var[i].name);
        n++;
    }
    format = lad_printf(d->pool.arena, "%%0t:%s %%h %%h %%h %%h %%h %%h %%h", format);
    fprintf(d->a,
            ".proc view\n wait.time 4\ntop: svc %s \"%s\", time%s, { %%k0 }, { %%k1 }, { %%w0 }, { %%f0 }, { %%f1 }, { "
            "%%g0 }, { %%g1 }\n"
            " wait.time 5\n jmp top\n",
            strobe ? "strobe" : "display", format, a);
    fprintf(d->v, "initial begin #4; forever begin $%s(\"%s\", $time%s, k0, k1, w0, f0, f1, g0, g1); #5; end end\n",
            strobe ? "strobe" : "display", format, v);
}

void lad_vm_random_design(struct lad_arena *arena, uint64_t seed, struct lad_vm_twin *twin)
{
    char *text[3] = {NULL, NULL, NULL};
    size_t bytes[3];
    struct design d = {.pool = {.arena = arena, .seed = &seed}};
    d.a = open_memstream(&text[0], &bytes[0]);
    d.v = open_memstream(&text[1], &bytes[1]);
    d.children = open_memstream(&text[2], &bytes[2]);
    if (!d.a || !d.v || !d.children)
        abort();
    d.pool.var = d.var;
    fputs(".svm 1.0\n.state 4\n.limits nba=256 dnba=256\n.signal clk 1 = 1'b0\n.signal rst 1 = 1'b0\n.event "
          "ev0\n.event ev1\n",
          d.a);
    fputs("`timescale 1ns/1ns\nmodule top;\nreg clk = 0, rst = 0;\nevent ev0, ev1;\n", d.v);
    for (unsigned i = 0; i < REGS; i++)
        declare(&d, name(&d, 'q', i), i ? 1 + draw(&d, 40) : 5, false, 0, true);
    declare(&d, "m", 7, false, 4, true);
    for (unsigned i = 0; i < 3; i++)
        declare(&d, name(&d, 'f', i), 8, false, 0, false);
    for (unsigned i = 0; i < 2; i++)
        declare(&d, name(&d, 'k', i), 8, false, 0, false);
    declare(&d, "w0", 8, false, 0, false);
    for (unsigned i = 0; i < COMBS; i++)
        declare(&d, name(&d, 'c', i), 9, false, 0, false);
    for (unsigned i = 0; i < NETS; i++)
        declare(&d, name(&d, 'n', i), 6, true, 0, false);
    for (unsigned i = 0; i < HELD; i++)
        declare(&d, name(&d, 'g', i), 9, false, 0, false);
    put_clock(&d);
    d.pool.n--; /* the memory, which no sensitivity list knows */
    for (unsigned i = 0; i < COMBS + NETS; i++) {
        bool net = i >= COMBS;
        unsigned k = net ? i - COMBS : i;
        put_follower(&d, net ? 'n' : 'c', k, net ? 6 : 9);
        d.var[d.pool.n++] = (struct lad_vm_var){name(&d, net ? 'n' : 'c', k), net ? 6 : 9, 0, false};
    }
    d.var[d.pool.n++] = (struct lad_vm_var){"m", 7, 4, false};
    for (unsigned i = 0; i < REGS; i++)
        put_register(&d, i);
    d.own = d.var[d.pool.n - 1];
    fputs(".proc memory\n wait.time 1\ntop: wait.edge pos { %clk }\n", d.a);
    fputs("initial begin #1; forever begin @(posedge clk) ", d.v);
    put_block(&d, 1, true);
    fputs("end end\n", d.v);
    fputs(" jmp top\n", d.a);
    for (unsigned i = 0; i < HELD; i++)
        put_held(&d, i);
    put_waiters(&d);
    put_view(&d);
    put_test(&d);
    fputs("endmodule\n", d.v);
    fclose(d.a);
    fclose(d.v);
    fclose(d.children);
    *twin = (struct lad_vm_twin){.assembly = lad_printf(arena, "%s%s", text[0], text[2]),
                                 .verilog = lad_strdup(arena, text[1])};
    for (int i = 0; i < 3; i++)
        free(text[i]);
}
