/* SPDX-License-Identifier: Apache-2.0 */
/* 4,000 random operations. What must come out was printed by Icarus Verilog from their Verilog twins and is kept in
 * cases/vm/data.fuzz, a line each. */
#include "../registry.h"
#include "vector.h"
#include <stdlib.h>
#include <string.h>

static const char *const unary_tokens[] = {
#define VM_UNARY(number, symbol, token, width) token,
#include "../../kernels/vm_ops.def"
};
static const char *const binary_tokens[] = {
#define VM_BINARY(number, symbol, token, width) token,
#include "../../kernels/vm_ops.def"
};
static const char *const unary_signs[] = {"+", "-", "~", "!", "&", "~&", "|", "~|", "^", "~^"};
static const char *const binary_signs[] = {"+",  "-",  "*",  "/",  "%",  "**",  "<<",  ">>", ">>>", "&", "|", "^",
                                           "~^", "&&", "||", "==", "!=", "===", "!==", "<",  "<=",  ">", ">="};

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    return (uint32_t)(lad_random(seed) >> 20) % below;
}

static struct lad_vm_bits operand(uint64_t *seed, uint32_t width)
{
    uint64_t mask = UINT64_MAX >> (64 - width), val = lad_random(seed) & mask, xz = 0;
    uint32_t kind = draw(seed, 8);
    if (kind < 2) /* every bit may be unknown; a few of them; mostly none */
        xz = lad_random(seed) & mask;
    else if (kind == 2)
        xz = lad_random(seed) & lad_random(seed) & lad_random(seed) & mask;
    else if (kind == 3)
        val &= 7;
    return lad_vm_bits(val, xz, width);
}

static uint32_t draw_width(uint64_t *seed)
{
    return 1 + draw(seed, draw(seed, 3) ? 64 : 6);
}

void lad_vm_fuzz_draw(uint64_t *seed, struct lad_vm_fuzz *f)
{
    *f = (struct lad_vm_fuzz){.is_unary = draw(seed, 5) == 0, .is_signed = draw(seed, 2)};
    f->sub = draw(seed, f->is_unary ? VM_UNARY_COUNT : VM_BINARY_COUNT);
    uint32_t l = draw_width(seed), r = draw_width(seed);
    bool one_bit = f->is_unary ? f->sub > VM_UNARY_BIT_NOT : f->sub >= VM_BINARY_LOG_AND;
    bool own = f->is_unary || (f->sub >= VM_BINARY_POW && f->sub <= VM_BINARY_ASHR); /* r's width does not count */
    if (!f->is_unary && f->sub == VM_BINARY_POW)
        f->is_signed = false;
    if (!f->is_unary && f->sub > VM_BINARY_POW && f->sub <= VM_BINARY_ASHR && draw(seed, 4))
        r = 1 + draw(seed, 6); /* most shifts are by little */
    f->width = own || l > r ? l : r;
    if (one_bit)
        f->width = 1 + draw(seed, 4);
    else if (draw(seed, 2))
        f->width += draw(seed, 65 - f->width);
    f->l = operand(seed, l);
    f->r = operand(seed, r);
}

struct lad_vm_bits lad_vm_fuzz_result(const struct lad_vm_fuzz *f)
{
    return f->is_unary ? lad_vm_bits_unary(f->sub, f->is_signed, f->l, f->width)
                       : lad_vm_bits_binary(f->sub, f->is_signed, false, f->l, f->r, f->width);
}

static void print_bits(FILE *out, const struct lad_vm_bits *b)
{
    fprintf(out, "%u'b", b->width);
    for (uint32_t i = b->width; i-- > 0;)
        fputc(b->bit[i], out);
}

void lad_vm_fuzz_verilog(FILE *out, const struct lad_vm_fuzz *f, unsigned n)
{
    const char *s = f->is_signed ? "signed " : "";
    fprintf(out, "reg %s[%u:0] l%u; reg %s[%u:0] r%u; reg [%u:0] y%u;\ninitial begin\n#%u l%u = ", s, f->l.width - 1, n,
            f->sub >= VM_BINARY_SHL && f->sub <= VM_BINARY_ASHR && !f->is_unary ? "" : s, f->r.width - 1, n,
            f->width - 1, n, n + 1, n);
    print_bits(out, &f->l);
    fprintf(out, "; r%u = ", n);
    print_bits(out, &f->r);
    if (f->is_unary)
        fprintf(out, "; y%u = %sl%u;\n", n, unary_signs[f->sub], n);
    else
        fprintf(out, "; y%u = l%u %s r%u;\n", n, n, binary_signs[f->sub], n);
    fprintf(out, "$display(\"%%b\", y%u);\nend\n", n);
}

static void print_operation(FILE *out, const struct lad_vm_fuzz *f)
{
    print_bits(out, &f->l);
    if (!f->is_unary) {
        fputc(' ', out);
        print_bits(out, &f->r);
    }
    fprintf(out, " %s%s:%u", f->is_unary ? unary_tokens[f->sub] : binary_tokens[f->sub], f->is_signed ? ".s" : "",
            f->width);
}

const char *lad_vm_fuzz_results(void)
{
    const struct lad_embedded *e = lad_vm_data_files;
    while (e->name && strcmp(e->name, "data.fuzz"))
        e++;
    return e->name ? (const char *)e->start : "";
}

void lad_vm_vectors_fuzz(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    enum { EACH = 125 };
    const char *line = lad_vm_fuzz_results();
    uint64_t seed = LAD_VM_FUZZ_SEED;
    for (unsigned n = 0; n < LAD_VM_FUZZES;) {
        struct lad_vm_vector v = {.file = "vector_fuzz.c", .n = EACH};
        char *text = NULL;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        if (!out)
            abort();
        v.name = lad_printf(arena, "L2.fuzz.%u", n / EACH);
        fprintf(out, ".svm 1.0\n.signal y 64 array(%d)\n.proc main\n", EACH);
        for (unsigned i = 0; i < EACH; i++, n++) {
            struct lad_vm_fuzz f;
            int digits = (int)strcspn(line, "\n");
            lad_vm_fuzz_draw(&seed, &f);
            fprintf(out, " set y[{ #%u:16 }] = { ", i);
            print_operation(out, &f);
            fputs(" }\n", out);
            *LAD_PUSH(arena, v.check, v.n_checks) =
                lad_printf(arena, "y[%u] = 64'b%0*d%.*s", i, 64 - (int)f.width, 0, digits, line);
            line += digits + (line[digits] == '\n');
        }
        fclose(out);
        v.text = lad_strdup(arena, text);
        free(text);
        *LAD_PUSH(arena, all->item, all->n) = v;
    }
}
