/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of operators: every row of the specification's tables, many of them to a program. What must come out is typed
 * from those tables where they are tables, and computed digit by digit (bits.c) where they are rules. */
#include "vector.h"
#include <stdlib.h>
#include <string.h>

enum {
    ROOM = 128, /* words of results of one program */
    CELLS = 28, /* results of one word at most: they and the operands of the last one are on the stack together */
};

struct batch {
    struct lad_arena *arena;
    struct lad_vm_vectors *all;
    const char *name;
    bool two_state;
    FILE *out;
    char *text;
    size_t bytes;
    uint32_t part, n, rows; /* n: vectors, rows: words of results */
    const char **check;
    size_t n_checks;
    const char *cells; /* expressions of the word to come, and what they give */
    uint32_t n_cells;
    struct lad_vm_bits want;
};

static void begin(struct batch *b)
{
    b->out = open_memstream(&b->text, &b->bytes);
    if (!b->out)
        abort();
    b->n = b->rows = 0;
    b->check = NULL;
    b->n_checks = 0;
    fprintf(b->out,
            ".svm 1.0\n.state %d\n.signal r 64 array(%d)\n.signal s 8 array(3) = 8'h5a, 8'bx01z10zx, 8'hff\n"
            ".signal v 8 = 8'bx01z10zx\n.proc main\n",
            b->two_state ? 2 : 4, ROOM);
}

static struct batch start(struct lad_arena *arena, struct lad_vm_vectors *all, const char *name, bool two_state)
{
    struct batch b = {.arena = arena, .all = all, .name = name, .two_state = two_state};
    return b;
}

static const char *literal(struct lad_arena *arena, const struct lad_vm_bits *v)
{
    char digits[65];
    for (uint32_t i = 0; i < v->width; i++)
        digits[i] = v->bit[v->width - 1 - i];
    return lad_printf(arena, "%u'b%.*s", v->width, (int)v->width, digits);
}

/* What the next word must be; fewer digits than 64 are filled up with zeros. */
static void expect(struct batch *b, struct lad_vm_bits want)
{
    uint64_t val, xz;
    lad_vm_bits_planes(&want, &val, &xz);
    if (b->two_state) {
        val &= ~xz;
        xz = 0;
    }
    struct lad_vm_bits wide = lad_vm_bits(val, xz, 64);
    *LAD_PUSH(b->arena, b->check, b->n_checks) = lad_printf(b->arena, "r[%u] = %s", b->rows, literal(b->arena, &wide));
    b->rows++;
}

/* The word to come, of all its cells. */
static void flush_cells(struct batch *b)
{
    if (!b->n_cells)
        return;
    fprintf(b->out, " set r[{ #%u:16 }] = {%s", b->rows, b->cells);
    if (b->n_cells > 1)
        fprintf(b->out, " cat%u:%u", b->n_cells, b->want.width);
    fputs(" }\n", b->out);
    expect(b, b->want);
    b->n_cells = 0;
}

static void end(struct batch *b)
{
    if (!b->out)
        return;
    flush_cells(b);
    fputs("done\n", b->out);
    fclose(b->out);
    b->out = NULL;
    if (b->n)
        *LAD_PUSH(b->arena, b->all->item, b->all->n) =
            (struct lad_vm_vector){.name = lad_printf(b->arena, "%s.%u", b->name, b->part++),
                                   .file = "vector_expr.c",
                                   .text = lad_strdup(b->arena, b->text),
                                   .check = b->check,
                                   .n_checks = b->n_checks,
                                   .n = b->n};
    free(b->text);
}

/* One expression in postfix, and what it must give. As many as fit share a word, so that they share an instruction. */
static void add(struct batch *b, struct lad_vm_bits want, const char *expression)
{
    if (b->n_cells == CELLS || (b->n_cells && b->want.width + want.width > 64))
        flush_cells(b);
    if (b->rows == ROOM)
        end(b);
    if (!b->out)
        begin(b);
    if (!b->n_cells++) {
        b->cells = "";
        b->want.width = 0;
    }
    b->cells = lad_printf(b->arena, "%s %s", b->cells, expression);
    memmove(b->want.bit + want.width, b->want.bit, b->want.width); /* the first one is uppermost */
    memcpy(b->want.bit, want.bit, want.width);
    b->want.width += want.width;
    b->n++;
}

static struct lad_vm_bits digits(const char *text)
{
    struct lad_vm_bits v = {.width = (uint32_t)strlen(text)};
    for (uint32_t i = 0; i < v.width; i++)
        v.bit[i] = text[v.width - 1 - i];
    return v;
}

static const char *const unary_tokens[] = {
#define VM_UNARY(number, symbol, token, width) token,
#include "../../kernels/vm_ops.def"
};
static const char *const binary_tokens[] = {
#define VM_BINARY(number, symbol, token, width) token,
#include "../../kernels/vm_ops.def"
};
static const uint32_t widths[] = {1, 2, 7, 8, 31, 32, 33, 63, 64};

static uint64_t mask(uint32_t width)
{
    return UINT64_MAX >> (64 - width);
}

static void add_unary(struct batch *b, uint32_t sub, bool s, struct lad_vm_bits a, uint32_t w)
{
    add(b, lad_vm_bits_unary(sub, s, a, w),
        lad_printf(b->arena, "%s %s%s:%u", literal(b->arena, &a), unary_tokens[sub], s ? ".s" : "", w));
}

static void add_binary(struct batch *b, uint32_t sub, bool s, bool rs, struct lad_vm_bits l, struct lad_vm_bits r,
                       uint32_t w)
{
    const char *suffix = s ? (rs ? ".ss" : ".s") : rs ? ".rs" : "";
    add(b, lad_vm_bits_binary(sub, s, rs, l, r, w),
        lad_printf(b->arena, "%s %s %s%s:%u", literal(b->arena, &l), literal(b->arena, &r), binary_tokens[sub], suffix,
                   w));
}

static bool is_one_bit(uint32_t sub)
{
    return sub >= VM_BINARY_LOG_AND;
}

static uint64_t corner(uint32_t i, uint32_t w, uint64_t *seed)
{
    const uint64_t values[] = {0, 1, mask(w), 1ull << (w - 1), mask(w) >> 1};
    return i < LAD_N(values) ? values[i] : lad_random(seed) & mask(w);
}

static void add_two_state(struct lad_arena *arena, struct lad_vm_vectors *all, uint64_t *seed)
{
    struct batch b = start(arena, all, "L1.un2", true);
    for (uint32_t sub = 0; sub < VM_UNARY_COUNT; sub++)
        for (size_t i = 0; i < LAD_N(widths); i++)
            for (uint32_t k = 0; k < 5; k++) {
                uint64_t value = k == 4 ? lad_random(seed) & mask(widths[i]) : corner(k, widths[i], seed);
                add_unary(&b, sub, false, lad_vm_bits(value, 0, widths[i]), sub > VM_UNARY_BIT_NOT ? 1 : widths[i]);
            }
    end(&b);
    b = start(arena, all, "L1.bin2", true);
    for (uint32_t sub = 0; sub < VM_BINARY_COUNT; sub++) {
        for (uint32_t k = 0; k < 2 * LAD_N(widths); k++) {
            uint32_t w = widths[k / 2], n = 5 * 5 + 4;
            for (uint32_t i = 0; i < n; i++) {
                uint64_t l = i < 25 ? corner(i / 5, w, seed) : lad_random(seed),
                         r = i < 25 ? corner(i % 5, w, seed) : lad_random(seed);
                add_binary(&b, sub, k & 1, false, lad_vm_bits(l, 0, w), lad_vm_bits(r, 0, w), is_one_bit(sub) ? 1 : w);
            }
        }
    }
    end(&b);
}

static void add_shifts(struct lad_arena *arena, struct lad_vm_vectors *all, uint64_t *seed)
{
    struct batch b = start(arena, all, "L1.shift", true);
    for (size_t i = 0; i < LAD_N(widths); i++) {
        uint32_t w = widths[i];
        const uint64_t counts[] = {0, 1, w - 1, w, w + 1, 31, 32, 33, 63, 64, 1ull << 32, UINT64_MAX};
        for (uint32_t sub = VM_BINARY_SHL; sub <= VM_BINARY_ASHR; sub++)
            for (uint32_t s = 0; s < 2; s++)
                for (size_t k = 0; k < LAD_N(counts); k++)
                    add_binary(&b, sub, s, false, lad_vm_bits(lad_random(seed) | 1ull << (w - 1), 0, w),
                               lad_vm_bits(counts[k], 0, 64), w);
    }
    end(&b);
}

static void add_division(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const int64_t pairs[][2] = {{7, 0},  {-7, 0},  {0, 0}, {7, 2},  {7, -2},
                                       {-7, 2}, {-7, -2}, {6, 3}, {-6, 3}, {2, 7}};
    struct batch b = start(arena, all, "L1.div", true);
    for (size_t i = 0; i < LAD_N(pairs); i++)
        for (uint32_t k = 0; k < 4; k++)
            add_binary(&b, k & 1 ? VM_BINARY_MOD : VM_BINARY_DIV, k & 2, false,
                       lad_vm_bits((uint64_t)pairs[i][0], 0, 32), lad_vm_bits((uint64_t)pairs[i][1], 0, 32), 32);
    for (size_t i = 0; i < LAD_N(widths); i++)
        for (uint32_t k = 0; k < 2; k++) /* the most negative number by -1 */
            add_binary(&b, k ? VM_BINARY_MOD : VM_BINARY_DIV, true, false,
                       lad_vm_bits(1ull << (widths[i] - 1), 0, widths[i]), lad_vm_bits(UINT64_MAX, 0, widths[i]),
                       widths[i]);
    end(&b);
}

/* The rows are e positive, zero, negative; the columns b = 0, 1, -1, another. */
static void add_powers(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const struct {
        int64_t b, e;
        const char *want; /* of 8 bits; 2-state, so X is 0 */
    } cells[] = {{0, 3, "00000000"},   {1, 3, "00000001"},  {-1, 3, "11111111"}, {-1, 4, "00000001"},
                 {3, 3, "00011011"},   {0, 0, "00000001"},  {1, 0, "00000001"},  {-1, 0, "00000001"},
                 {3, 0, "00000001"},   {0, -2, "00000000"}, {1, -2, "00000001"}, {-1, -2, "00000001"},
                 {-1, -3, "11111111"}, {3, -2, "00000000"}, {-3, 3, "11100101"}, {3, 5, "11110011"},
                 {2, 7, "10000000"},   {2, 8, "00000000"}};
    static const uint64_t wide[][2] = {
        {3, 40},  {3, 41},         {7, UINT64_MAX}, {2, 63},         {2, 64},  {UINT64_MAX, UINT64_MAX},
        {10, 19}, {5, 1ull << 63}, {0, 1ull << 63}, {1, UINT64_MAX}, {6, 100}, {9, 27}};
    struct batch b = start(arena, all, "L1.pow", true);
    for (size_t i = 0; i < LAD_N(cells); i++) {
        struct lad_vm_bits l = lad_vm_bits((uint64_t)cells[i].b, 0, 8), r = lad_vm_bits((uint64_t)cells[i].e, 0, 8);
        add(&b, digits(cells[i].want), lad_printf(arena, "%s %s pow.ss:8", literal(arena, &l), literal(arena, &r)));
    }
    for (size_t i = 0; i < LAD_N(wide); i++)
        add_binary(&b, VM_BINARY_POW, false, false, lad_vm_bits(wide[i][0], 0, 64), lad_vm_bits(wide[i][1], 0, 64), 64);
    end(&b);
}

static void add_extensions(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    struct batch b = start(arena, all, "L1.ext", true);
    for (uint32_t sub = 0; sub < VM_BINARY_COUNT; sub++)
        for (uint32_t k = 0; k < 4; k++) { /* the narrower one has its sign bit set */
            uint32_t l = k & 1 ? 5 : 40, r = k & 1 ? 40 : 5, w = is_one_bit(sub) ? 1 : 48;
            add_binary(
                &b, sub, k & 2, false, lad_vm_bits(0x8A53B7F316u >> (k & 1 ? 35 : 0), 0, l),
                lad_vm_bits(sub >= VM_BINARY_POW && sub <= VM_BINARY_ASHR ? 19 : 0x9234567893u >> (k & 1 ? 0 : 35), 0,
                            r),
                w);
        }
    end(&b);
}

/* 1 to 32 cells, the first one pushed uppermost. */
static void add_concats(struct lad_arena *arena, struct lad_vm_vectors *all, uint64_t *seed)
{
    struct batch b = start(arena, all, "L1.misc.concat", true);
    for (uint32_t n = 1; n <= 32; n++) {
        const char *cells = "", *want = "";
        for (uint32_t i = 0; i < n; i++) {
            uint32_t w = 1 + (n + i) % 2;
            struct lad_vm_bits cell = lad_vm_bits(lad_random(seed) >> 7, 0, w);
            cells = lad_printf(arena, "%s %s", cells, literal(arena, &cell));
            want = lad_printf(arena, "%s%s", want, strchr(literal(arena, &cell), 'b') + 1);
        }
        add(&b, digits(want), lad_printf(arena, "%s cat%u:%zu", cells, n, strlen(want)));
    }
    end(&b);
}

static const char states[] = "01xz";

/* A table of 16 cells, rows and columns in the order 0 1 x z. */
static void add_table(struct batch *b, const char *token, const char *table)
{
    for (int i = 0; i < 16; i++) {
        char want[2] = {table[i], 0};
        add(b, digits(want), lad_printf(b->arena, "1'b%c 1'b%c %s:1", states[i / 4], states[i % 4], token));
    }
}

static void add_tables(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const char *const not_table = "10xx";
    struct batch b = start(arena, all, "L2.tt.bit", false);
    add_table(&b, "and",
              "0000"
              "01xx"
              "0xxx"
              "0xxx");
    add_table(&b, "or",
              "01xx"
              "1111"
              "x1xx"
              "x1xx");
    add_table(&b, "xor",
              "01xx"
              "10xx"
              "xxxx"
              "xxxx");
    add_table(&b, "xnor",
              "10xx"
              "01xx"
              "xxxx"
              "xxxx");
    for (int i = 0; i < 4; i++) {
        char want[2] = {not_table[i], 0};
        add(&b, digits(want), lad_printf(arena, "1'b%c not:1", states[i]));
    }
    end(&b);
    b = start(arena, all, "L2.tt.cmp", false);
    add_table(&b, "eq",
              "10xx"
              "01xx"
              "xxxx"
              "xxxx");
    add_table(&b, "neq",
              "01xx"
              "10xx"
              "xxxx"
              "xxxx");
    add_table(&b, "ceq",
              "1000"
              "0100"
              "0010"
              "0001");
    add_table(&b, "cneq",
              "0111"
              "1011"
              "1101"
              "1110");
    add_table(&b, "lt",
              "01xx"
              "00xx"
              "xxxx"
              "xxxx");
    add_table(&b, "le",
              "11xx"
              "01xx"
              "xxxx"
              "xxxx");
    add_table(&b, "gt",
              "00xx"
              "10xx"
              "xxxx"
              "xxxx");
    add_table(&b, "ge",
              "10xx"
              "11xx"
              "xxxx"
              "xxxx");
    end(&b);
}

static void add_logic(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const char *const truths[2][3] = {{"1'b0", "1'b1", "1'bx"}, {"4'b0000", "4'b1x00", "4'b0z00"}};
    static const char *const tables[2] = {"000"
                                          "01x"
                                          "0xx",
                                          "01x"
                                          "111"
                                          "x1x"};
    struct batch b = start(arena, all, "L2.tt.log", false);
    for (int k = 0; k < 36; k++) {
        int op = k / 18, wide = k / 9 % 2, i = k % 9;
        char want[2] = {tables[op][i], 0};
        add(&b, digits(want),
            lad_printf(arena, "%s %s %s:1", truths[wide][i / 3], truths[wide][i % 3], op ? "lor" : "land"));
    }
    for (int i = 0; i < 4; i++) {
        char want[2] = {"10xx"[i], 0};
        add(&b, digits(want), lad_printf(arena, "1'b%c lnot", states[i]));
    }
    end(&b);
    b = start(arena, all, "L2.tt.red", false);
    for (uint32_t sub = VM_UNARY_RED_AND; sub < VM_UNARY_COUNT; sub++)
        for (int i = 0; i < 16; i++) {
            char two[3] = {states[i / 4], states[i % 4], 0};
            add_unary(&b, sub, false, digits(two), 1);
        }
    end(&b);
}

static void add_unknowns(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    struct batch b = start(arena, all, "L2.tt.arith", false);
    for (uint32_t sub = VM_BINARY_ADD; sub <= VM_BINARY_POW; sub++)
        for (int i = 0; i < 8; i++) {
            struct lad_vm_bits l = digits("0101"), r = digits("0011");
            (i < 4 ? &l : &r)->bit[i % 4] = i & 1 ? 'z' : 'x';
            add_binary(&b, sub, false, false, l, r, 4);
        }
    for (int i = 0; i < 4; i++) {
        struct lad_vm_bits a = digits("0101");
        a.bit[i] = i & 1 ? 'z' : 'x';
        add_unary(&b, VM_UNARY_MINUS, false, a, 4);
    }
    end(&b);
    b = start(arena, all, "L2.tt.shift", false);
    static const char *const values[] = {"x1z0", "z10x", "1xz1", "01zx"}, *const counts[] = {"01", "x0", "01", "0z"};
    for (uint32_t sub = VM_BINARY_SHL; sub <= VM_BINARY_ASHR; sub++)
        for (int i = 0; i < 8; i++)
            add_binary(&b, sub, true, false, digits(values[i / 2]), digits(counts[i % 4]), 4);
    end(&b);
}

static void add_choices(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const char unknown[] = "0xxx"
                                  "x1xx"
                                  "xxxx"
                                  "xxxx";
    struct batch b = start(arena, all, "L2.tt.tern", false);
    for (int k = 0; k < 64; k++) {
        int cond = k / 16, i = k % 16; /* 0 takes the column, 1 the row */
        char want[2] = {cond == 0 ? states[i % 4] : cond == 1 ? states[i / 4] : unknown[i], 0};
        add(&b, digits(want),
            lad_printf(arena, "1'b%c 1'b%c 1'b%c tern:1", states[cond], states[i / 4], states[i % 4]));
    }
    end(&b);
    static const struct {
        const char *expression, *want;
    } selects[] = {{"%v #0:8 sel:4", "10zx"},
                   {"%v #4:8 sel:4", "x01z"},
                   {"%v #7:8 sel:1", "x"},
                   {"%v #6:8 sel:4", "xxx0"},
                   {"%v #8:8 sel:2", "xx"},
                   {"%v 4'b0x01 sel:1", "x"},
                   {"%v 4'b00z1 sel:3", "xxx"},
                   {"8'b10110011 32'hffffffff sel:4", "011x"},
                   {"8'b10110011 32'hfffffffd sel:4", "1xxx"},
                   {"8'b10110011 33'h100000000 sel:2", "xx"},
                   {"#0:2 s[]", "01011010"},
                   {"#1:2 s[]", "x01z10zx"},
                   {"#2:2 s[]:4", "1111"},
                   {"#3:2 s[]", "xxxxxxxx"},
                   {"2'b0x s[]", "xxxxxxxx"},
                   {"#1:2 s[]:10", "00x01z10zx"}};
    b = start(arena, all, "L2.tt.sel", false);
    for (size_t i = 0; i < LAD_N(selects); i++)
        add(&b, digits(selects[i].want), selects[i].expression);
    end(&b);
    static const struct {
        const char *expression, *want;
    } extensions[] = {{"3'b011 plus.s:6", "000011"},  {"3'b101 plus.s:6", "111101"}, {"3'bx01 plus.s:6", "xxxx01"},
                      {"3'bz01 plus.s:6", "zzzz01"},  {"3'bz01 plus:6", "000z01"},   {"6'bxz01z1 plus:3", "1z1"},
                      {"6'bxz01z1 plus.s:4", "01z1"}, {"4'bzx10 plus:4", "zx10"}};
    b = start(arena, all, "L2.tt.ext", false);
    for (size_t i = 0; i < LAD_N(extensions); i++)
        add(&b, digits(extensions[i].want), extensions[i].expression);
    end(&b);
}

/* Rows: expression; columns: label. */
static void add_cases(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const char *const kinds[] = {"case", "casex", "casez"}, *const strategies[] = {"", ".bkt", ".lut"};
    static const char *const tables[] = {"1000"
                                         "0100"
                                         "0010"
                                         "0001",
                                         "1011"
                                         "0111"
                                         "1111"
                                         "1111",
                                         "1001"
                                         "0101"
                                         "0011"
                                         "1111"};
    struct batch b = start(arena, all, "L2.case", false);
    for (int k = 0; k < 3 * 3 * 16; k++) {
        int kind = k / 16 % 3, i = k % 16;
        char want[2] = {tables[kind][i], 0};
        if (b.rows == ROOM)
            end(&b);
        if (!b.out)
            begin(&b);
        fprintf(b.out,
                " %s%s { 1'b%c }: 1'b%c -> Y%d, default N%d\nY%d: set r[{ #%u:16 }] = { 1'b1 }\n jmp E%d\n"
                "N%d: set r[{ #%u:16 }] = { 1'b0 }\nE%d:\n",
                kinds[kind], strategies[k / 48], states[i / 4], states[i % 4], k, k, k, b.rows, k, k, b.rows, k);
        expect(&b, digits(want));
        b.n++;
    }
    end(&b);
}

/* Rows: previous value; columns: current value. Each cell is a process of its own that waits for its own signal. */
static void add_edges(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    static const char *const kinds[] = {"pos", "neg", "any"};
    static const char *const tables[] = {"0111"
                                         "0000"
                                         "0100"
                                         "0100",
                                         "0000"
                                         "1011"
                                         "1000"
                                         "1000",
                                         "0111"
                                         "1011"
                                         "1101"
                                         "1110"};
    for (int k = 0; k < 4; k++) { /* the change is made by an assign, then by a nonblocking one */
        int later = k % 2, n_states = k / 2 ? 2 : 4;
        char *signals = "", *procs = "", *test = "";
        struct lad_vm_vector v = {.file = "vector_expr.c", .n = (uint32_t)(3 * n_states * n_states)};
        v.name = lad_printf(arena, "L3.edge.tt.%s-%d", later ? "nba" : "active", n_states);
        for (int i = 0; i < 48; i++) {
            int from = i / 4 % 4, to = i % 4;
            if (from >= n_states || to >= n_states)
                continue;
            signals = lad_printf(arena, "%s.signal s%d 1 = 1'b%c\n.signal h%d 1 = 1'b0\n", signals, i, states[from], i);
            procs = lad_printf(arena, "%s.proc w%d\n wait.edge %s { %%s%d }\n set h%d = { 1'b1 }\n", procs, i,
                               kinds[i / 16], i, i);
            test = lad_printf(arena, "%s %s s%d = { 1'b%c }\n", test, later ? "nba" : "set", i, states[to]);
            *LAD_PUSH(arena, v.check, v.n_checks) = lad_printf(arena, "h%d = 1'b%c", i, tables[i / 16][i % 16]);
        }
        v.text = lad_printf(arena, ".svm 1.0\n.state %d\n.limits nba=64\n%s%s.proc test\n wait.time 3\n%s", n_states,
                            signals, procs, test);
        *LAD_PUSH(arena, all->item, all->n) = v;
    }
}

void lad_vm_vectors_operators(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    uint64_t seed = 0x5EED;
    add_two_state(arena, all, &seed);
    add_shifts(arena, all, &seed);
    add_division(arena, all);
    add_powers(arena, all);
    add_extensions(arena, all);
    add_concats(arena, all, &seed);
    add_tables(arena, all);
    add_logic(arena, all);
    add_unknowns(arena, all);
    add_choices(arena, all);
    add_cases(arena, all);
    add_edges(arena, all);
}
