/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of the assembly text that make table entries: assigns, overrides, cases, edge waits, services. Expressions
 * are emitted in the order of the entry's fields, which is not always the order in which they are written. */
#include "asm.h"
#include <stdlib.h>
#include <string.h>

struct place { /* what stands left of = */
    struct lad_vm_asgn a;
    const char *idx; /* its index expression, not compiled yet */
};

static bool read_range(struct assembler *a, struct place *l)
{
    uint64_t high, low;
    if (!lad_vm_asm_number(a, &high) || !lad_vm_asm_expect(a, ':') || !lad_vm_asm_number(a, &low) ||
        !lad_vm_asm_expect(a, ']'))
        return false;
    if (low > high || high > UINT32_MAX)
        return lad_vm_asm_fail(a, "[%llu:%llu]: expected the higher number first", (unsigned long long)high,
                               (unsigned long long)low);
    l->a.flags |= VM_ASGN_RANGE;
    l->a.range_lsb = (uint32_t)low;
    l->a.width = (uint32_t)(high - low + 1);
    return true;
}

static bool read_index(struct assembler *a, struct place *l)
{
    uint64_t width;
    l->idx = a->p;
    if (!lad_vm_asm_skip_expr(a))
        return false;
    if (lad_vm_asm_take(a, '+')) {
        l->a.flags = VM_ASGN_RANGE | VM_ASGN_INDEXED;
        if (!lad_vm_asm_expect(a, ':') || !lad_vm_asm_number(a, &width) || !lad_vm_asm_expect(a, ']'))
            return false;
        l->a.width = (uint32_t)width;
        return true;
    }
    bool array = l->a.array_size != 1;
    l->a.flags = array ? VM_ASGN_ARRAY : VM_ASGN_BIT;
    l->a.width = array ? l->a.base_width : 1;
    return lad_vm_asm_expect(a, ']') && (!array || !lad_vm_asm_take(a, '[') || read_range(a, l));
}

static bool read_place(struct assembler *a, struct place *l)
{
    uint32_t id;
    *l = (struct place){0};
    if (!lad_vm_asm_known(a, 's', "signal", &id))
        return false;
    l->a = (struct lad_vm_asgn){0, id, 0, VM_NONE, a->sigs[id].width, a->sigs[id].width, 0, a->sigs[id].array_size};
    if (!lad_vm_asm_take(a, '['))
        return lad_vm_asm_expect(a, '=');
    if (lad_vm_asm_take(a, '{')) {
        a->p--;
        if (!read_index(a, l))
            return false;
    } else if (!read_range(a, l)) {
        return false;
    }
    return lad_vm_asm_expect(a, '=');
}

/* Compiles the index where it is due, and goes on where the line was. */
static bool compile_index(struct assembler *a, struct place *l)
{
    const char *here = a->p;
    if (!l->idx)
        return true;
    a->p = l->idx;
    bool ok = lad_vm_asm_expr(a, &l->a.idx, NULL);
    a->p = here;
    return ok;
}

bool lad_vm_asm_assign(struct assembler *a, const char *word)
{
    struct place l;
    if (!read_place(a, &l) || !lad_vm_asm_expr(a, &l.a.rhs, NULL) || !compile_index(a, &l))
        return false;
    if (*word == 'n')
        l.a.flags |= VM_ASGN_NONBLOCKING;
    *ADD(a, asgn) = l.a;
    return true;
}

static uint32_t as_delay_flags(uint32_t flags)
{
    return (flags & VM_ASGN_ARRAY ? VM_DASN_ARRAY : 0) | (flags & VM_ASGN_BIT ? VM_DASN_BIT : 0) |
           (flags & VM_ASGN_RANGE ? VM_DASN_RANGE : 0) | (flags & VM_ASGN_INDEXED ? VM_DASN_INDEXED : 0);
}

bool lad_vm_asm_delay(struct assembler *a, const char *word)
{
    struct place l;
    struct lad_vm_dasn d = {.reject = VM_NONE, .error = VM_NONE};
    if (!read_place(a, &l) || !lad_vm_asm_expr(a, &d.rhs, NULL) || !lad_vm_asm_expect(a, ',') ||
        !lad_vm_asm_expr(a, &d.delay, NULL) || !compile_index(a, &l))
        return false;
    d.flags = as_delay_flags(l.a.flags) | (a->sigs[l.a.signal].flags & VM_SIGNAL_REAL ? VM_DASN_REAL : 0);
    if (!strncmp(word, "dnba", 4)) {
        d.flags |= VM_DASN_NONBLOCKING;
        for (const char *suffix = word + 4; *suffix; suffix += 1 + strcspn(suffix + 1, ".")) {
            if (!strncmp(suffix, ".i", 2) && strcspn(suffix + 1, ".") == 1)
                d.flags |= VM_DASN_INERTIAL;
            else if (!strncmp(suffix, ".show", 5) && strcspn(suffix + 1, ".") == 4)
                d.flags |= VM_DASN_SHOWCANCELLED;
            else
                return lad_vm_asm_fail(a, "no such statement '%s'", word);
        }
        if (lad_vm_asm_take(a, ',')) {
            d.flags |= VM_DASN_PULSE;
            if (!lad_vm_asm_expr(a, &d.reject, NULL))
                return false;
        }
        if (d.flags & VM_DASN_PULSE && lad_vm_asm_take(a, ',')) {
            d.flags |= VM_DASN_PULSE_ERROR;
            if (!lad_vm_asm_expr(a, &d.error, NULL))
                return false;
        }
        if (d.flags & VM_DASN_SHOWCANCELLED && a->max_args < 4)
            a->max_args = 4;
    }
    d.signal = l.a.signal;
    d.idx = l.a.idx;
    d.width = l.a.width;
    d.base_width = l.a.base_width;
    d.range_lsb = l.a.range_lsb;
    d.array_size = l.a.array_size;
    *ADD(a, dasn) = d;
    return true;
}

bool lad_vm_asm_force(struct assembler *a, const char *word)
{
    uint32_t id;
    if (!lad_vm_asm_known(a, 's', "signal", &id))
        return false;
    uint32_t flags = a->sigs[id].flags & VM_SIGNAL_NET ? 0 : VM_FORCE_REG;
    if (!strcmp(word, "assign") || !strcmp(word, "deassign"))
        flags |= VM_FORCE_PROCEDURAL;
    if (*word == 'r' || *word == 'd') {
        *ADD(a, release) = (struct lad_vm_release){flags, id, VM_NONE, VM_NONE};
        return true;
    }
    struct lad_vm_force f = {flags, id, 0, (uint32_t)a->n_force, VM_NONE, VM_NONE};
    if (!lad_vm_asm_expect(a, '=') || !lad_vm_asm_expr(a, &f.rhs, NULL))
        return false;
    uint32_t *slot = flags & VM_FORCE_PROCEDURAL ? &a->slots[id].passign : &a->slots[id].force;
    if (*slot == VM_NONE)
        *slot = a->parms[flags & VM_FORCE_PROCEDURAL ? VM_PARM_PASSIGNS : VM_PARM_FORCES]++;
    *ADD(a, force) = f;
    return true;
}

static bool read_kind(struct assembler *a, const char *word, struct lad_vm_cash *c)
{
    static const char *const strategies[] = {"lin", "bkt", "lut"};
    const char *dot = strchr(word, '.');
    size_t n = dot ? (size_t)(dot - word) : strlen(word);
    c->kind = n == 4 ? VM_CASE_PLAIN : word[4] == 'x' ? VM_CASE_X : VM_CASE_Z;
    if (n > 5 || (n == 5 && !strchr("xz", word[4])))
        return lad_vm_asm_fail(a, "no such statement '%s'", word);
    for (uint32_t i = 0; dot && i < LAD_N(strategies); i++) {
        if (!strcmp(dot + 1, strategies[i])) {
            c->strategy = i;
            return true;
        }
    }
    return !dot || lad_vm_asm_fail(a, "no such statement '%s'", word);
}

static bool read_labels(struct assembler *a, struct lad_vm_cash *c, uint32_t item)
{
    struct lad_vm_literal l;
    uint64_t mask = c->width >= 64 ? UINT64_MAX : (1ull << c->width) - 1;
    do {
        if (!lad_vm_asm_literal(a, &l))
            return false;
        struct lad_vm_label label = {(uint32_t)a->n_casw, (uint32_t)a->n_casw + 1, item};
        *ADD(a, casw) = l.val[0] & mask;
        *ADD(a, casw) = l.xz[0] & mask;
        *ADD(a, label) = label;
        c->entry_count++;
    } while (lad_vm_asm_take(a, '|'));
    return lad_vm_asm_expect(a, '-') && lad_vm_asm_expect(a, '>');
}

static bool add_index(struct assembler *a, struct lad_vm_cash *c)
{
    struct lad_vm_words words;
    uint32_t bits = c->strategy == VM_CASE_LUT ? 0 : c->width < 8 ? c->width : 8, at = (uint32_t)a->n_casw;
    if (c->strategy == VM_CASE_LINEAR)
        return true;
    if (c->strategy == VM_CASE_LUT && c->width > 12)
        return lad_vm_asm_fail(a, "case.lut: the expression has %u bits, at most 12 are allowed", c->width);
    lad_vm_case_index(a->arena, a->label + c->entry_offset, c->entry_count, a->casw, c->kind, c->width, bits, &words);
    for (size_t i = 0; i < words.n; i++)
        *ADD(a, casw) = words.word[i];
    *ADD(a, label) = (struct lad_vm_label){at, (uint32_t)words.n, bits};
    return true;
}

bool lad_vm_asm_case(struct assembler *a, const char *word)
{
    struct lad_vm_cash c = {.entry_offset = (uint32_t)a->n_label, .default_target = VM_NONE};
    uint32_t item = 0, at;
    if (!read_kind(a, word, &c) || !lad_vm_asm_expr(a, &c.expr, &c.width) || !lad_vm_asm_expect(a, ':'))
        return false;
    at = lad_vm_asm_word(a, VM_OP_CASE | (uint32_t)a->n_cash << 8);
    a->text[a->n_text - 1].open = true;
    lad_vm_asm_word(a, 0);
    for (;;) {
        bool last = lad_vm_asm_word_is(a, "default");
        if (!last && !read_labels(a, &c, item++))
            return false;
        if (!lad_vm_asm_label(a, FIX_WORD, lad_vm_asm_word(a, 0)))
            return false;
        if (last)
            break;
        if (!lad_vm_asm_expect(a, ','))
            return false;
    }
    a->text[a->n_text - 1].code[at + 1] = item;
    if (!add_index(a, &c))
        return false;
    *ADD(a, cash) = c;
    return true;
}

static bool read_star(struct assembler *a, struct lad_vm_ewat *w)
{
    uint32_t id;
    while (!lad_vm_asm_end(a)) {
        if (!lad_vm_asm_known(a, 's', "signal", &id))
            return false;
        *ADD(a, estr) =
            (struct lad_vm_estr){(uint32_t)a->n_expr, (uint32_t)a->n_estr, (a->sigs[id].width + 63) / 64, 0};
        a->estr[a->n_estr - 1].prev = (uint32_t)a->n_estr - 1;
        *ADD(a, expr) = VM_EXPR_PUSH_SIGNAL | id << 8;
        *ADD(a, expr) = a->sigs[id].width;
        *ADD(a, expr) = VM_EXPR_DONE;
        w->star_count++;
    }
    *ADD(a, ewat) = *w;
    return w->star_count || lad_vm_asm_fail(a, "wait.edge star: no signal is named");
}

bool lad_vm_asm_edge(struct assembler *a)
{
    struct lad_vm_ewat w = {(uint32_t)a->n_eitm, 0, 0, 0, VM_EDGE_ANY};
    uint32_t kind = VM_NONE, width;
    if (lad_vm_asm_word_is(a, "star")) {
        w = (struct lad_vm_ewat){0, 0, (uint32_t)a->n_estr, 0, VM_EDGE_ANY}; /* the part that is not there stays 0 */
        return read_star(a, &w);
    }
    do {
        struct lad_vm_eitm item = {0};
        if (lad_vm_asm_word_is(a, "pos"))
            kind = VM_EDGE_POS;
        else if (lad_vm_asm_word_is(a, "neg"))
            kind = VM_EDGE_NEG;
        else if (lad_vm_asm_word_is(a, "any"))
            kind = VM_EDGE_ANY;
        if (kind == VM_NONE) /* later items may leave theirs out: the one before holds on */
            return lad_vm_asm_fail(a, "wait.edge: expected pos, neg, any or star");
        if (!lad_vm_asm_expr(a, &item.expr, &width))
            return false;
        item.kind = kind;
        item.prev = (uint32_t)a->n_eitm;
        item.words = width ? (width + 63) / 64 : 1;
        *ADD(a, eitm) = item;
        w.item_count++;
    } while (lad_vm_asm_take(a, ','));
    if (w.item_count == 1) {
        w.kind = kind;
        a->eitm[a->n_eitm - 1].kind = 0;
    } else {
        w.kind = VM_EDGE_LIST;
    }
    *ADD(a, ewat) = w;
    return true;
}
