/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance vectors on the reference, each in every way that its level asks for. LAD_VM_ONLY: those whose name
 * begins so. */
#include "../test.h"
#include "icarus.h"
#include "vector.h"
#include <stdlib.h>
#include <string.h>

static struct lad_arena *arena;

static bool is_wanted(const struct lad_vm_vector *v)
{
    const char *only = getenv("LAD_VM_ONLY");
    return !only || !strncmp(v->name, only, strlen(only));
}

/* Returns how many runs there were; 0: one of them went wrong. */
static unsigned run_vector(const struct lad_vm_vector *v)
{
    struct lad_arena *own = lad_arena_create();
    struct lad_vm_way way[LAD_VM_WAYS];
    struct lad_vm_program p;
    struct lad_vm_why why;
    char text[80] = "loading";
    size_t n = v->reject ? 0 : lad_vm_ways(v, way), k = 0;
    bool good = lad_vm_vector_load(own, v, &p, &why);
    for (; good && k < n; k++) {
        lad_vm_way_text(&way[k], text, sizeof text);
        struct lad_vm_job job = {.vector = v, .program = &p, .way = way[k]};
        lad_vm_vectors_run(&job, 1, NULL, NULL);
        good = job.fate == LAD_VM_DONE;
        why = job.why;
    }
    if (!good)
        printf("    %s:%d: %s (%s): %s\n", v->file, v->line, v->name, text, why.text);
    lad_arena_destroy(&own);
    return !good ? 0 : k ? (unsigned)k : 1;
}

static void run_all(const struct lad_vm_vectors *all)
{
    unsigned wrong = 0, n = 0, runs = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct lad_vm_vector *v = &all->item[i];
        if (!is_wanted(v))
            continue;
        unsigned ways = run_vector(v);
        n += v->n;
        runs += ways;
        wrong += !ways;
    }
    printf("\n    %u vectors in %u runs, %u wrong\n", n, runs, wrong);
    CU_ASSERT_EQUAL(wrong, 0);
}

/* The groups of the specification: how many vectors it asks for, and how many there are. A vector belongs to the
 * longest name that it begins with. Two counts are not those of the specification's own lists: op.edge names 15 and
 * says 14, wait names 14 and says 15. */
static const struct {
    const char *name;
    uint32_t asked, there;
} groups[] = {
    {"L1.op", 10, 10},         {"L1.op.edge", 14, 16},  {"L1.err", 28, 48},       {"L1.un2", 450, 450},
    {"L1.bin2", 12006, 12006}, {"L1.shift", 648, 648},  {"L1.div", 40, 58},       {"L1.pow", 30, 30},
    {"L1.ext", 90, 92},        {"L1.misc", 40, 43},     {"L1.target", 24, 24},    {"L1.call", 6, 6},
    {"L1.budget", 6, 6},       {"L1.load", 45, 58},     {"L2.tt.bit", 68, 68},    {"L2.tt.cmp", 128, 128},
    {"L2.tt.log", 40, 40},     {"L2.tt.red", 96, 96},   {"L2.tt.arith", 52, 52},  {"L2.tt.shift", 24, 24},
    {"L2.tt.tern", 64, 64},    {"L2.tt.sel", 16, 16},   {"L2.tt.ext", 8, 8},      {"L2.case", 78, 153},
    {"L2.truth", 8, 8},        {"L2.init", 6, 6},       {"L2.fuzz", 4000, 4000},  {"L2.", 0, 3},
    {"L3.op", 7, 7},           {"L3.edge.tt", 60, 120}, {"L3.edge.rule", 20, 22}, {"L3.edge.samp", 2, 2},
    {"L3.wait", 15, 16},       {"L3.order", 8, 8},      {"L3.nba", 12, 12},       {"L3.time", 5, 5},
    {"L3.halt", 8, 12},        {"L3.slice", 1, 1},      {"L4.op", 6, 6},          {"L4.fork", 14, 14},
    {"L4.join", 5, 5},         {"L4.fork.err", 4, 5},   {"L4.dis.block", 4, 5},   {"L4.dis.child", 5, 5},
    {"L4.dis.cross", 16, 18},  {"L4.dis.nba", 2, 2},    {"L4.dis", 0, 4},         {"L4.force", 17, 22},
    {"L4.dly.b", 6, 7},        {"L4.dly.nb", 9, 10},    {"L4.dly.in", 8, 8},      {"L5.op", 4, 4},
    {"L5.kind", 6, 7},         {"L5.fmt", 63, 84},      {"L5.mon", 9, 11},        {"L5.str", 4, 4},
    {"L5.ring", 4, 4},         {"L5.flag", 4, 4},       {"L5.wait", 9, 12},       {"L5.end", 2, 2},
    {"L5.mem", 6, 7},          {"L5.load", 1, 1},       {"L5.err", 0, 7},
};

static size_t find_group(const char *vector)
{
    size_t best = LAD_N(groups);
    for (size_t i = 0; i < LAD_N(groups); i++)
        if (!strncmp(groups[i].name, vector, strlen(groups[i].name)) &&
            (best == LAD_N(groups) || strlen(groups[i].name) > strlen(groups[best].name)))
            best = i;
    return best;
}

/* None is lost, and there are as many as the specification asks for. */
static void counts(void)
{
    struct lad_vm_vectors all = {0};
    uint32_t n[LAD_N(groups) + 1] = {0};
    CU_ASSERT_FATAL(lad_vm_vectors_all(arena, &all));
    for (size_t i = 0; i < all.n; i++)
        n[find_group(all.item[i].name)] += all.item[i].n;
    CU_ASSERT_EQUAL(n[LAD_N(groups)], 0);
    for (size_t i = 0; i < LAD_N(groups); i++) {
        CU_ASSERT(groups[i].there >= groups[i].asked);
        CU_ASSERT_EQUAL(n[i], groups[i].there);
        if (n[i] != groups[i].there)
            printf("    %s: %u vectors, expected %u; the specification asks for %u\n", groups[i].name, n[i],
                   groups[i].there, groups[i].asked);
    }
}

/* What is kept of the simulator's is what the oracle computes, and what the simulator prints today. LAD_VM_FUZZ_WRITE
 * names the file for it. */
static void fuzz(void)
{
    char dir[] = "/tmp/lad-vm-XXXXXX", *text = NULL, *oracle = NULL;
    const char *kept = lad_vm_fuzz_results(), *file = getenv("LAD_VM_FUZZ_WRITE");
    size_t bytes, oracle_bytes;
    uint64_t seed = LAD_VM_FUZZ_SEED;
    FILE *out = open_memstream(&text, &bytes), *digits = open_memstream(&oracle, &oracle_bytes);
    CU_ASSERT_FATAL(out && digits);
    fputs("module top;\n", out);
    for (unsigned n = 0; n < LAD_VM_FUZZES; n++) {
        struct lad_vm_fuzz f;
        lad_vm_fuzz_draw(&seed, &f);
        lad_vm_fuzz_verilog(out, &f, n);
        struct lad_vm_bits want = lad_vm_fuzz_result(&f);
        for (uint32_t i = want.width; i-- > 0;)
            fputc(want.bit[i], digits);
        fputc('\n', digits);
    }
    fputs("endmodule\n", out);
    fclose(out);
    fclose(digits);
    if (!icarus_there()) {
        printf("(without Icarus Verilog) ");
    } else if (mkdtemp(dir)) {
        const char *now = icarus_run(arena, dir, text);
        CU_ASSERT_FATAL(now != NULL);
        if (file && (out = fopen(file, "w")) && (fputs(now, out) < 0 || fclose(out)))
            printf("    %s: cannot write\n", file);
        CU_ASSERT_STRING_EQUAL(now, kept);
        if (system(lad_printf(arena, "rm -rf '%s'", dir)))
            printf("    %s stays behind\n", dir);
    }
    CU_ASSERT_STRING_EQUAL(oracle, kept);
    free(text);
    free(oracle);
}

static void operators(void)
{
    struct lad_vm_vectors all = {0};
    lad_vm_vectors_operators(arena, &all);
    lad_vm_vectors_fuzz(arena, &all);
    run_all(&all);
}

static void written(void)
{
    struct lad_vm_vectors all = {0};
    CU_ASSERT_FATAL(lad_vm_vectors_written(arena, &all));
    run_all(&all);
}

int main(void)
{
    static const struct lad_test tests[] = {{"none is lost", counts},
                                            {"random operations and their simulator", fuzz},
                                            {"operators", operators},
                                            {"written vectors", written},
                                            {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("vm vectors", tests);
    lad_arena_destroy(&arena);
    return status;
}
