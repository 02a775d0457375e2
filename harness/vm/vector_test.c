/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance vectors on the reference, each in every way that its level asks for. LAD_VM_ONLY: those whose name
 * begins so. */
#include "../test.h"
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
        good = lad_vm_vector_run(v, &p, &way[k], NULL, &why) == LAD_VM_DONE;
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

static void operators(void)
{
    struct lad_vm_vectors all = {0};
    lad_vm_vectors_operators(arena, &all);
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
    static const struct lad_test tests[] = {{"operators", operators}, {"written vectors", written}, {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("vm vectors", tests);
    lad_arena_destroy(&arena);
    return status;
}
