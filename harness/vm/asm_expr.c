/* SPDX-License-Identifier: Apache-2.0 */
/* Postfix expressions of the assembly text: each token is an operation and its width. */
#include "asm.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct token_row {
    const char *token;
    uint32_t op, sub, width;
    bool real;
};
static const struct token_row rows[] = {
#define VM_UNARY(number, symbol, token, width) {token, VM_EXPR_UNARY, number, width, false},
#include "../../kernels/vm_ops.def"
#define VM_BINARY(number, symbol, token, width) {token, VM_EXPR_BINARY, number, width, false},
#include "../../kernels/vm_ops.def"
#define VM_CALL(number, symbol, token, args, width, real, needs) {token, VM_EXPR_CALL, number, width, needs},
#include "../../kernels/vm_ops.def"
    {"tern", VM_EXPR_TERNARY, 0, 0, false},
    {"sel", VM_EXPR_SELECT, 0, 0, false},
};

static void emit(struct assembler *a, uint32_t op, uint32_t arg, uint32_t width)
{
    *ADD(a, expr) = op | arg << 8;
    *ADD(a, expr) = width;
}

static bool read_number(struct assembler *a, const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 0);
    if (!isdigit((unsigned char)*text) || *end || *value > most)
        return lad_vm_asm_fail(a, "'%s': expected a number up to %llu", text, (unsigned long long)most);
    return true;
}

static bool put_literal(struct assembler *a, const char *text, uint32_t *width)
{
    struct lad_vm_literal l;
    const char *end, *flaw = lad_vm_literal(text, &end, &l);
    bool unknown = false;
    if (flaw || *end)
        return lad_vm_asm_fail(a, "'%s': %s", text, flaw ? flaw : "something follows the number");
    for (uint32_t i = 0; i < LAD_N(l.val); i++) {
        if (i && (l.val[i] | l.xz[i]))
            return lad_vm_asm_fail(a, "'%s': a constant has at most 64 bits; build wider ones with cat", text);
        unknown |= l.xz[i] != 0;
    }
    uint32_t at = (uint32_t)a->n_imm;
    uint64_t planes[] = {l.val[0], l.xz[0]};
    for (int k = 0; k < (unknown ? 2 : 1); k++) {
        *ADD(a, imm) = (uint32_t)planes[k];
        *ADD(a, imm) = (uint32_t)(planes[k] >> 32);
    }
    emit(a, unknown ? VM_EXPR_PUSH_CONST_XZ : VM_EXPR_PUSH_CONST, at, l.width);
    *width = l.width;
    return true;
}

static bool put_signal(struct assembler *a, char *name, char *width_text, bool index, uint32_t *width)
{
    uint32_t id;
    uint64_t w;
    if (!lad_vm_asm_get(a, 's', name, &id))
        return lad_vm_asm_fail(a, "no signal '%s'", name);
    *width = a->sigs[id].width;
    if (width_text) {
        if (!read_number(a, width_text, 1024, &w))
            return false;
        *width = (uint32_t)w;
    }
    emit(a, index ? VM_EXPR_INDEX : VM_EXPR_PUSH_SIGNAL, id, *width);
    return true;
}

static bool put_row(struct assembler *a, const struct token_row *row, const char *suffix, const char *width_text,
                    uint32_t *width)
{
    uint32_t arg = row->sub;
    uint64_t w = row->width;
    if (!strcmp(suffix, "s") || !strcmp(suffix, "ss"))
        arg |= VM_SIGNED;
    if (!strcmp(suffix, "rs") || !strcmp(suffix, "ss"))
        arg |= VM_RHS_SIGNED;
    else if (*suffix && strcmp(suffix, "s"))
        return lad_vm_asm_fail(a, "'.%s': expected .s, .rs or .ss", suffix);
    if (width_text && !read_number(a, width_text, 1024, &w))
        return false;
    if (!w && !a->loose)
        return lad_vm_asm_fail(a, "'%s' needs a width, for example %s:8", row->token, row->token);
    if (row->real) {
        a->features |= VM_NEEDS_REAL;
        a->parms[VM_PARM_NEEDS] |= VM_NEEDS_REAL;
    }
    emit(a, row->op, arg, (uint32_t)w);
    *width = (uint32_t)w;
    return true;
}

static bool put_cat(struct assembler *a, const char *count, const char *width_text, uint32_t *width)
{
    uint64_t n, w;
    if (!read_number(a, count, 0xFFFFFF, &n) || !read_number(a, width_text ? width_text : "", 1024, &w))
        return false;
    emit(a, VM_EXPR_CONCAT, (uint32_t)n, (uint32_t)w);
    *width = (uint32_t)w;
    return true;
}

static bool put_immediate(struct assembler *a, const char *value, const char *width_text, uint32_t *width)
{
    uint64_t n, w;
    if (!read_number(a, value, 0xFFFFFF, &n) || !read_number(a, width_text ? width_text : "", 1024, &w))
        return false;
    emit(a, VM_EXPR_PUSH_IMM, (uint32_t)n, (uint32_t)w);
    *width = (uint32_t)w;
    return true;
}

static bool put_token(struct assembler *a, char *token, uint32_t *width)
{
    size_t n = strlen(token);
    uint64_t raw;
    if (isdigit((unsigned char)*token))
        return put_literal(a, token, width);
    if (*token == '!') { /* a word as it is, for what text cannot say */
        if (!read_number(a, token + 1, UINT32_MAX, &raw))
            return false;
        *ADD(a, expr) = (uint32_t)raw;
        return true;
    }
    char *width_text = strchr(token, ':');
    if (width_text) {
        *width_text++ = 0;
        n = strlen(token);
    }
    if (*token == '%')
        return put_signal(a, token + 1, width_text, false, width);
    if (*token == '#')
        return put_immediate(a, token + 1, width_text, width);
    if (n > 2 && !strcmp(token + n - 2, "[]")) {
        token[n - 2] = 0;
        return put_signal(a, token, width_text, true, width);
    }
    char *suffix = strchr(token, '.');
    if (suffix)
        *suffix++ = 0;
    for (size_t i = 0; i < LAD_N(rows); i++)
        if (!strcmp(rows[i].token, token))
            return put_row(a, &rows[i], suffix ? suffix : "", width_text, width);
    if (!strncmp(token, "cat", 3))
        return put_cat(a, token + 3, width_text, width);
    return lad_vm_asm_fail(a, "no such token '%s' in an expression", token);
}

static bool check(struct assembler *a, uint32_t at)
{
    struct lad_vm_program p = {.sigs = a->sigs, .expr = a->expr, .imm = a->imm};
    struct lad_vm_walk walk;
    p.n_sigs = (uint32_t)a->n_sigs;
    p.n_expr = (uint32_t)a->n_expr;
    p.n_imm = (uint32_t)a->n_imm;
    lad_vm_walk(&p, at, &walk);
    if (walk.error == VM_ERROR_EXPR)
        return lad_vm_asm_fail(a, "expression: %s", walk.flaw);
    return true;
}

bool lad_vm_asm_skip_expr(struct assembler *a)
{
    if (!lad_vm_asm_expect(a, '{'))
        return false;
    a->p += strcspn(a->p, "}");
    return lad_vm_asm_expect(a, '}');
}

bool lad_vm_asm_expr(struct assembler *a, uint32_t *at, uint32_t *width)
{
    char token[300];
    uint32_t ignored;
    if (!width)
        width = &ignored;
    *at = (uint32_t)a->n_expr;
    *width = 0;
    if (!lad_vm_asm_expect(a, '{'))
        return false;
    while (!lad_vm_asm_take(a, '}')) {
        size_t n = strcspn(a->p, " \t\r}");
        if (!n || n >= sizeof token)
            return lad_vm_asm_fail(a, n ? "a token of more than 299 characters" : "'}' is missing");
        memcpy(token, a->p, n);
        token[n] = 0;
        a->p += n;
        if (!put_token(a, token, width))
            return false;
    }
    *ADD(a, expr) = VM_EXPR_DONE;
    return a->loose || check(a, *at);
}
