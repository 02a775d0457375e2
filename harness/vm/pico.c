/* SPDX-License-Identifier: Apache-2.0 */
/* The picorv32-shaped workload: programs of any number of processes whose result depends on every bytecode word. */
#include "vm.h"
#include <stdlib.h>

/* Lengths of processes 4 to 44: 24 that wait for an edge, 17 that follow one of those. */
static const unsigned lengths[] = {15, 30, 9,  12, 18,  21,  24,  27,  33,  36,  42, 48, 54, 60,
                                   66, 72, 84, 96, 120, 150, 204, 312, 480, 624, 6,  8,  10, 12,
                                   14, 16, 20, 22, 26,  28,  34,  40,  46,  52,  64, 88, 128};
enum { FIXED = 4, EDGES = 24, BLOCK = LAD_N(lengths), WORDS = 624, MAIN = 98 };

static bool is_edge(unsigned i)
{
    return i % BLOCK < EDGES;
}

static void write_head(FILE *out, unsigned n, bool plain)
{
    unsigned blocks = (n + BLOCK - 1) / BLOCK;
    fprintf(out, ".svm 1.0\n.state 4\n.limits nba=%u args=4%s\n", blocks > 2 ? 24 * blocks + 8 : 64,
            plain ? "" : " words=624");
    fputs(".signal clk 1 = 1'b0\n.signal k0 32 = 32'd0\n.signal k1 32 = 32'd0\n.signal m 32 = 32'd0\n", out);
    for (unsigned i = 0; i < n; i++) {
        unsigned pid = i + FIXED;
        if (is_edge(i))
            fprintf(out, ".signal t%u 32 = 32'd0\n.signal acc%u 32 = 32'd0\n", pid, pid);
        else
            fprintf(out, ".signal c%u 32 = 32'd0\n", pid);
    }
}

static void write_fixed(FILE *out, bool plain)
{
    fputs(".proc p0\n set k0 = { 32'h00010001 }\n.proc p1\n set k1 = { 32'h00020002 }\n"
          ".proc p2\ntop: wait.time 5\n set clk = { %clk not:1 }\n jmp top\n.proc p3\n wait.time 1003\n",
          out);
    for (unsigned j = 1; j <= MAIN; j++)
        fprintf(out, " set m = { %%m 32'd5 mul:32 32'd%u add:32 }\n", j);
    fputs(plain ? " svc display \"pico45 m=%h acc4=%h acc27=%h c44=%h\", { %m }, { %acc4 }, { %acc27 }, { %c44 }\n"
                : " svc display \"pico m=%h\", { %m }\n",
          out);
    fputs(" svc finish\n", out);
}

static void write_proc(FILE *out, unsigned i)
{
    unsigned pid = i + FIXED, n = lengths[i % BLOCK] - 4;
    const char *name = is_edge(i) ? "t" : "c", *by = is_edge(i) ? "5" : "7";
    fprintf(out, ".proc p%u\ntop: ", pid);
    if (is_edge(i))
        fputs("wait.edge pos { %clk }\n", out);
    else
        fprintf(out, "set c%u = { %%acc%u }\n", pid, pid - EDGES);
    for (unsigned j = 1; j <= n; j++)
        fprintf(out, " set %s%u = { %%%s%u 32'd%s mul:32 32'd%u add:32 }\n", name, pid, name, pid, by, j);
    if (is_edge(i))
        fprintf(out, " nba acc%u = { %%t%u }\n jmp top\n", pid, pid);
    else
        fprintf(out, " wait.edge star acc%u\n jmp top\n", pid - EDGES);
}

char *lad_vm_pico(struct lad_arena *arena, unsigned n_proc)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    unsigned n = n_proc - FIXED;
    bool plain = n == BLOCK;
    if (!out)
        abort();
    write_head(out, n, plain);
    write_fixed(out, plain);
    for (unsigned i = 0; i < n; i++)
        write_proc(out, i);
    fclose(out);
    char *copy = lad_strdup(arena, text);
    free(text);
    return copy;
}

uint32_t lad_vm_pico_want(unsigned pid)
{
    unsigned i = pid - FIXED, n = lengths[i % BLOCK] - 4;
    uint32_t v = is_edge(i) ? 0 : lad_vm_pico_want(pid - EDGES);
    for (int round = 0; round < (is_edge(i) ? 100 : 1); round++)
        for (unsigned j = 1; j <= n; j++)
            v = v * (is_edge(i) ? 5 : 7) + j;
    return v;
}

uint32_t lad_vm_pico_want_m(void)
{
    uint32_t m = 0;
    for (unsigned j = 1; j <= MAIN; j++)
        m = 5 * m + j;
    return m;
}
