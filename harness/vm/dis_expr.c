/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions, literals and strings as assembly text. */
#include "dis.h"
#include <ctype.h>

static const struct {
    const char *token;
    uint32_t width; /* the one that need not be written */
} unary[] =
    {
#define VM_UNARY(number, symbol, token, width) [number] = {token, width},
#include "../../kernels/vm_ops.def"
},
  binary[] =
      {
#define VM_BINARY(number, symbol, token, width) [number] = {token, width},
#include "../../kernels/vm_ops.def"
},
  calls[] = {
#define VM_CALL(number, symbol, token, args, width, real, needs) [number] = {token, width},
#include "../../kernels/vm_ops.def"
};

void lad_vm_dis_literal(FILE *out, const uint64_t *val, const uint64_t *xz, uint32_t width)
{
    uint32_t words = (width + 63) / 64;
    bool unknown = false;
    for (uint32_t i = 0; i < words; i++)
        unknown |= xz[i] != 0;
    if (width <= 64 && !unknown) {
        fprintf(out, "%u'h%llx", width, (unsigned long long)(width < 64 ? val[0] & ((1ull << width) - 1) : val[0]));
        return;
    }
    fprintf(out, "%u'b", width);
    for (uint32_t i = width; i--;) {
        unsigned v = val[i / 64] >> i % 64 & 1, x = xz[i / 64] >> i % 64 & 1;
        fputc(x ? "zx"[v] : "01"[v], out);
    }
}

void lad_vm_dis_string(const struct dis *d, uint32_t id)
{
    uint32_t n;
    const char *text = lad_vm_string(d->p, id, &n);
    fputc('"', d->out);
    for (uint32_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n' || c == '\t')
            fprintf(d->out, "\\%c", c == '\n' ? 'n' : 't');
        else if (c == '"' || c == '\\')
            fprintf(d->out, "\\%c", c);
        else if (c < 32 || c >= 127)
            fprintf(d->out, "\\%03o", c);
        else
            fputc(c, d->out);
    }
    fputc('"', d->out);
}

static const char *suffix_of(uint32_t arg)
{
    return arg & VM_SIGNED ? (arg & VM_RHS_SIGNED ? ".ss" : ".s") : arg & VM_RHS_SIGNED ? ".rs" : "";
}

static void put_constant(const struct dis *d, uint32_t at, uint32_t width, bool planes)
{
    const uint32_t *imm = d->p->imm + at;
    uint64_t val = imm[0] | (uint64_t)imm[1] << 32, xz = planes ? imm[2] | (uint64_t)imm[3] << 32 : 0;
    lad_vm_dis_literal(d->out, &val, &xz, width);
}

static void put_sub(const struct dis *d, const char *token, uint32_t usual, uint32_t arg, uint32_t width)
{
    fprintf(d->out, "%s%s", token, suffix_of(arg));
    if (width != usual)
        fprintf(d->out, ":%u", width);
}

static void put_token(const struct dis *d, uint32_t word, uint32_t width)
{
    uint32_t arg = word >> 8, sub = arg & 0xFF;
    FILE *out = d->out;
    switch (word & 0xFF) {
    case VM_EXPR_PUSH_CONST:
    case VM_EXPR_PUSH_CONST_XZ:
        put_constant(d, arg, width, (word & 0xFF) == VM_EXPR_PUSH_CONST_XZ);
        return;
    case VM_EXPR_PUSH_SIGNAL:
    case VM_EXPR_INDEX:
        fprintf(out, (word & 0xFF) == VM_EXPR_INDEX ? "%s[]" : "%%%s", d->signal[arg]);
        if (width != d->p->sigs[arg].width)
            fprintf(out, ":%u", width);
        return;
    case VM_EXPR_PUSH_IMM:
        fprintf(out, "#%u:%u", arg, width);
        return;
    case VM_EXPR_UNARY:
        put_sub(d, unary[sub].token, unary[sub].width, arg, width);
        return;
    case VM_EXPR_BINARY:
        put_sub(d, binary[sub].token, binary[sub].width, arg, width);
        return;
    case VM_EXPR_CALL:
        put_sub(d, calls[sub].token, calls[sub].width, arg, width);
        return;
    case VM_EXPR_TERNARY:
        put_sub(d, "tern", 0, arg, width);
        return;
    case VM_EXPR_SELECT:
        put_sub(d, "sel", 0, arg, width);
        return;
    default:
        fprintf(out, "cat%u:%u", arg, width);
    }
}

void lad_vm_dis_expr(const struct dis *d, uint32_t at)
{
    struct lad_vm_walk walk;
    const uint32_t *word = d->p->expr + at;
    lad_vm_walk(d->p, at, &walk);
    fputc('{', d->out);
    for (uint32_t i = 0; i + 1 < walk.words; i += walk.error ? 1 : 2) {
        fputc(' ', d->out);
        if (walk.error) /* as it is */
            fprintf(d->out, "!0x%x", word[i]);
        else
            put_token(d, word[i], word[i + 1]);
    }
    fputs(" }", d->out);
}
