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

static void run_all(const struct lad_vm_vectors *all)
{
    unsigned wrong = 0, n = 0, runs = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct lad_vm_vector *v = &all->item[i];
        struct lad_vm_way way[36];
        struct lad_vm_why why;
        size_t all_ways = lad_vm_ways(v, way), ways = v->reject ? 1 : all_ways;
        if (!is_wanted(v))
            continue;
        n += v->n;
        for (size_t k = 0; k < ways; k++, runs++) {
            if (lad_vm_vector_run(v, &way[k], NULL, &why))
                continue;
            char text[80];
            lad_vm_way_text(&way[k], text, sizeof text);
            printf("    %s:%d: %s (%s): %s\n", v->file, v->line, v->name, text, why.text);
            wrong++;
            break;
        }
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
    CU_ASSERT_FATAL(lad_vm_vectors_all(arena, "cases/vm", &all));
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
