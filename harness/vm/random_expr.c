/* SPDX-License-Identifier: Apache-2.0 */
/* Twins that assign random expressions and print what came out. */
#include "random.h"
#include <stdlib.h>

enum { VARS = 10, RESULTS = 6 };

static void declare(struct lad_vm_pool *pool, struct lad_vm_var *var, FILE *a, FILE *v)
{
    for (unsigned i = 0; i < VARS; i++) {
        uint32_t wide = lad_vm_draw(pool, 3);
        const char *verilog;
        var[i] = (struct lad_vm_var){lad_printf(pool->arena, "s%u", i), 0, 0, lad_vm_draw(pool, 2)};
        var[i].width = 1 + lad_vm_draw(pool, wide == 0 ? 4 : wide == 1 ? 16 : 64);
        if (i >= VARS - 2) /* two memories */
            var[i].array = 2 + lad_vm_draw(pool, 6);
        fprintf(a, ".signal %s %u", var[i].name, var[i].width);
        fprintf(v, "reg %s[%u:0] %s", var[i].is_signed ? "signed " : "", var[i].width - 1, var[i].name);
        if (var[i].array) {
            fprintf(a, " array(%u)", var[i].array);
            fprintf(v, "[0:%u]", var[i].array - 1);
        }
        fputs(";\ninitial begin\n", v);
        for (uint32_t e = 0; e < (var[i].array ? var[i].array : 1); e++) {
            fprintf(a, "%s %s", e ? "," : " =", lad_vm_random_literal(pool, var[i].width, false, &verilog));
            if (var[i].array)
                fprintf(v, "%s[%u] = %s;\n", var[i].name, e, verilog);
            else
                fprintf(v, "%s = %s;\n", var[i].name, verilog);
        }
        fputs("\n", a);
        fputs("end\n", v);
    }
}

void lad_vm_random_exprs(struct lad_arena *arena, uint64_t seed, unsigned n, struct lad_vm_twin *twin)
{
    struct lad_vm_var var[VARS];
    struct lad_vm_pool pool = {arena, &seed, var, VARS};
    char *text[2] = {NULL, NULL};
    size_t bytes[2];
    uint32_t width[RESULTS];
    FILE *a = open_memstream(&text[0], &bytes[0]), *v = open_memstream(&text[1], &bytes[1]);
    if (!a || !v)
        abort();
    *twin = (struct lad_vm_twin){0};
    fputs(".svm 1.0\n.state 4\n", a);
    fputs("module top;\n", v);
    declare(&pool, var, a, v);
    for (unsigned i = 0; i < RESULTS; i++) {
        width[i] = i ? 1 + lad_vm_draw(&pool, 64) : 64;
        fprintf(a, ".signal r%u %u\n", i, width[i]);
        fprintf(v, "reg [%u:0] r%u;\n", width[i] - 1, i);
    }
    fputs(".proc main\n", a);
    fputs("initial begin\n#1;\n", v);
    for (unsigned i = 0; i < n; i++) {
        unsigned r = lad_vm_draw(&pool, RESULTS);
        struct lad_vm_tree *t = lad_vm_tree_grow(&pool, 1 + lad_vm_draw(&pool, 4));
        char *source = NULL;
        size_t source_bytes;
        FILE *s = open_memstream(&source, &source_bytes);
        fprintf(s, "r%u = ", r);
        lad_vm_tree_verilog(s, t);
        fclose(s);
        *LAD_PUSH(arena, twin->source, twin->n_sources) = lad_strdup(arena, source);
        fprintf(v, "%s;\n$display(\"%%b\", r%u);\n", source, r);
        free(source);
        fprintf(a, " set r%u = {", r);
        lad_vm_tree_assembly(a, t, width[r]);
        fprintf(a, " }\n svc display \"%%b\", { %%r%u }\n", r);
    }
    fputs("end\nendmodule\n", v);
    fclose(a);
    fclose(v);
    twin->assembly = lad_strdup(arena, text[0]);
    twin->verilog = lad_strdup(arena, text[1]);
    free(text[0]);
    free(text[1]);
}
