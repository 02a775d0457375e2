/* SPDX-License-Identifier: Apache-2.0 */
/* Oracles against values worked out by hand or by a loop written anew, and every expression of the built-in cases. */
#include "harness.h"
#include "test.h"
#include <math.h>
#include <string.h>

static struct lad_scope scope;
static struct lad_data data[8];
static struct lad_case_buf bufs[8];
static struct lad_oracle_in in = {.data = data, .scope = &scope};

static void start(void)
{
    scope.n = in.n_data = 0;
}

static void set(const char *name, int64_t value)
{
    scope.name[scope.n] = name;
    scope.value[scope.n++] = value;
}

static const struct lad_data *give(const char *name, enum lad_type type, void *values, uint64_t n)
{
    struct lad_case_buf *b = &bufs[in.n_data];
    struct lad_data *d = &data[in.n_data++];
    *b = (struct lad_case_buf){.name = name, .type = type};
    *d = (struct lad_data){.buf = b, .n = n, .before = values};
    return d;
}

static uint64_t ask(const char *oracle, const char *with, const struct lad_data *out, uint64_t i)
{
    in.with = with;
    return lad_oracle_find(oracle)->at(&in, out, i);
}

static uint32_t bits(float f)
{
    uint32_t b;
    memcpy(&b, &f, 4);
    return b;
}

static void test_integers(void)
{
    static uint32_t a[4] = {7, 0xFFFFFFFF, 100, 3}, out[4] = {11, 22, 33, 44};
    static int32_t s[4] = {-7, 2, -100, 5};
    static uint64_t w[4] = {UINT64_MAX, 1, 1ull << 40, 9};
    static const struct {
        const char *text;
        uint64_t i, expected;
    } row[] = {
        {"i * 3 + 1", 2, 7},
        {"a[i] + 1", 1, 0},             /* cut to 32 bits */
        {"a[i] >> 4", 1, 0x0FFFFFFF},   /* loaded without a sign */
        {"s[i] / 2", 0, (uint32_t)-3},  /* towards zero */
        {"s[i] % 4", 0, (uint32_t)-3},  /* the sign of the dividend */
        {"s[i] >> 1", 0, (uint32_t)-4}, /* arithmetic */
        {"(s[i] >> 1) < 0", 0, 1},
        {"s[i] < a[i]", 0, 1},
        {"w[0] > 5", 0, 1}, /* 64 bits unsigned */
        {"w[0] >> 60", 0, 15},
        {"w[0] / 2 == 0x7FFFFFFFFFFFFFFF", 0, 1},
        {"1 + 2 * 3 - 4 / 2", 0, 5},
        {"1 << 2 + 1", 0, 8},
        {"7 & 3 == 3", 0, 1}, /* as in C: 7 & (3 == 3) */
        {"1 | 2 ^ 6 & 4", 0, 7},
        {"!0 && ~0 == -1", 0, 1},
        {"i < 2 ? 10 : i == 2 ? 20 : keep", 1, 10},
        {"i < 2 ? 10 : i == 2 ? 20 : keep", 2, 20},
        {"i < 2 ? 10 : i == 2 ? 20 : keep", 3, 44},
        {"sum(k, 0, 4, a[k] * (k == i))", 2, 100},
        {"sum(k, 1, 4, sum(j, 0, k, j))", 0, 4},
        {"min(3, -2) + max(4, n)", 0, 7},
        {"u8(300) + i8(200)", 0, (uint32_t)(44 - 56)},
        {"abs(s[2])", 0, 100},
        {"bits(1.5)", 0, 0x3FC00000},
        {"bits(0.0 / 0.0)", 0, 0x7FC00000},
        {"2K + 1M", 0, 2048 + 1048576},
        {"a[4]", 0, 0}, /* past the end */
    };
    start();
    set("n", 9);
    const struct lad_data *d = give("out", LAD_U32, out, 4);
    give("a", LAD_U32, a, 4);
    give("s", LAD_I32, s, 4);
    give("w", LAD_U64, w, 4);
    for (size_t k = 0; k < LAD_N(row); k++) {
        uint64_t got = ask("expr", row[k].text, d, row[k].i);
        CU_ASSERT_EQUAL(got, row[k].expected);
        if (got != row[k].expected)
            printf("%s at %d gave %llx\n", row[k].text, (int)row[k].i, (unsigned long long)got);
    }
}

static void test_floats(void)
{
    static float a[2] = {1.0f / 3, 16777216.0f}, out[2];
    static double b[2] = {1e300, -0.5};
    start();
    const struct lad_data *d = give("out", LAD_F32, out, 2);
    give("a", LAD_F32, a, 2);
    give("b", LAD_F64, b, 2);
    CU_ASSERT_EQUAL(ask("expr", "a[0] * 3", d, 0), bits(1.0f));
    CU_ASSERT_EQUAL(ask("expr", "a[1] + 1 + 1", d, 0), bits(16777218.0f));      /* rounded once */
    CU_ASSERT_EQUAL(ask("expr", "f32(a[1] + 1) + 1", d, 0), bits(16777216.0f)); /* twice */
    CU_ASSERT_EQUAL(ask("expr", "b[0]", d, 0), bits(INFINITY));
    CU_ASSERT_EQUAL(ask("expr", "floor(b[1]) + trunc(b[1])", d, 0), bits(-1.0f));
    CU_ASSERT_EQUAL(ask("expr", "sqrt(a[1])", d, 0), bits(4096.0f));
    CU_ASSERT_EQUAL(ask("expr", "min(a[0], 0.25)", d, 0), bits(0.25f));
    CU_ASSERT_EQUAL(ask("expr", "7 / 2", d, 0), bits(3.0f)); /* integers stay integers */
    CU_ASSERT_EQUAL(ask("expr", "7 / 2.0", d, 0), bits(3.5f));
}

/* The same text over other data, and from the start again, must not see what was there before. */
static void test_passes(void)
{
    static uint32_t first[2] = {1, 2}, second[3] = {10, 20, 30}, out[3];
    start();
    set("n", 5);
    const struct lad_data *d = give("out", LAD_U32, out, 2);
    give("a", LAD_U32, first, 2);
    CU_ASSERT_EQUAL(ask("expr", "a[i] * n", d, 0), 5);
    CU_ASSERT_EQUAL(ask("expr", "a[i] * n", d, 1), 10);
    start();
    set("m", 1);
    set("n", 3);
    give("b", LAD_U32, first, 2);
    give("a", LAD_U32, second, 3);
    d = give("out", LAD_U32, out, 3);
    CU_ASSERT_EQUAL(ask("expr", "a[i] * n", d, 0), 30);
    CU_ASSERT_EQUAL(ask("expr", "a[i] * n", d, 2), 90);
}

static void test_check(void)
{
    struct lad_var var = {.name = "n"};
    struct lad_case_buf buf = {.name = "a"};
    struct lad_case c = {.vars = &var, .n_vars = 1, .bufs = &buf, .n_bufs = 1, .sweep = "size"};
    static const char *const bad[] = {"",      "1 +", "(1",     "a[1",           "a",
                                      "b[0]",  "m",   "foo(1)", "min(1)",        "sum(k, 0, 1, j)",
                                      "1 ? 2", "1 2", "k",      "sum(, 0, 1, 1)"};
    char why[200];
    CU_ASSERT(lad_oracle_expr_check("sum(k, 0, n, a[k + i]) + size", &c, why, sizeof why));
    for (size_t k = 0; k < LAD_N(bad); k++) {
        *why = 0;
        CU_ASSERT(!lad_oracle_expr_check(bad[k], &c, why, sizeof why));
        CU_ASSERT(strlen(why) > 10);
    }
}

static void test_matmul(void)
{
    static float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {7, 8, 9, 10, 11, 12}, c[6];
    static uint32_t x[4] = {0x80000000, 1, 2, 3}, y[4] = {2, 0, 5, 7}, z[4];
    start();
    set("m", 2);
    set("n", 2);
    set("k", 3);
    give("a", LAD_F32, a, 6);
    give("b", LAD_F32, b, 6);
    const struct lad_data *out = give("c", LAD_F32, c, 6);
    CU_ASSERT_EQUAL(ask("matmul", NULL, out, 0), bits(58));
    CU_ASSERT_EQUAL(ask("matmul", NULL, out, 3), bits(154));
    CU_ASSERT_EQUAL(ask("matmul", NULL, out, 4), bits(0)); /* beyond m rows: kept */
    start();
    set("n", 2);
    give("a", LAD_U32, x, 4);
    give("b", LAD_U32, y, 4);
    out = give("c", LAD_U32, z, 4);
    CU_ASSERT_EQUAL(ask("matmul", NULL, out, 0), 5); /* 2^32 drops out */
    CU_ASSERT_EQUAL(ask("matmul", NULL, out, 3), 21);
}

static void test_blocks(void)
{
    static uint32_t src[5] = {1, 2, 3, 4, 0xFFFFFFFF}, out[5] = {9, 9, 9, 8, 7};
    start();
    set("n", 5);
    set("block", 2);
    give("src", LAD_U32, src, 5);
    const struct lad_data *d = give("dst", LAD_U32, out, 5);
    CU_ASSERT_EQUAL(ask("block-sum", NULL, d, 1), 7);
    CU_ASSERT_EQUAL(ask("block-sum", NULL, d, 2), 0xFFFFFFFF);
    CU_ASSERT_EQUAL(ask("block-sum", NULL, d, 3), 8); /* no such block: kept */
    CU_ASSERT_EQUAL(ask("scan", NULL, d, 2), 3);
    CU_ASSERT_EQUAL(ask("scan", NULL, d, 3), 7);
    CU_ASSERT_EQUAL(ask("weighted", "s", d, 1), 2);
    give("s2", LAD_U32, src, 5);
    CU_ASSERT_EQUAL(ask("weighted", "s", d, 1), 2 + 2 * 2);
    CU_ASSERT_EQUAL(ask("weighted", "s", d, 4), (uint32_t)(0xFFFFFFFFull * 3));
}

static void test_fold(void)
{
    static uint32_t src[4] = {12, 5, 10, 0x80000000}, cell[2] = {3, 100};
    static int32_t isrc[4] = {-12, 5, 10, 7}, icell[1] = {3};
    static const struct {
        const char *op;
        uint32_t even, odd;
    } row[] = {{"add", 25, 0x80000069}, {"sub", (uint32_t)-19, 0x8000005F},
               {"min", 3, 5},           {"max", 12, 0x80000000},
               {"and", 0, 0},           {"or", 15, 0x80000065},
               {"xor", 5, 0x80000061}};
    start();
    set("n", 4);
    set("cells", 2);
    give("src", LAD_U32, src, 4);
    const struct lad_data *d = give("cell", LAD_U32, cell, 2);
    for (size_t k = 0; k < LAD_N(row); k++) {
        CU_ASSERT_EQUAL(ask("fold", row[k].op, d, 0), row[k].even);
        CU_ASSERT_EQUAL(ask("fold", row[k].op, d, 1), row[k].odd);
    }
    start();
    set("n", 4);
    set("cells", 1);
    give("src", LAD_I32, isrc, 4);
    d = give("cell", LAD_I32, icell, 1);
    CU_ASSERT_EQUAL(ask("fold", "min", d, 0), (uint32_t)-12);
    CU_ASSERT_EQUAL(ask("fold", "max", d, 0), 10);
}

static void test_special(void)
{
    static uint32_t a[3] = {2, 4, 1}, b[3] = {3, 5, 0}, out[21];
    start();
    set("n", 3);
    give("a", LAD_U32, a, 3);
    give("b", LAD_U32, b, 3);
    const struct lad_data *d = give("dst", LAD_U32, out, 21);
    CU_ASSERT_EQUAL(ask("special", NULL, d, 0), 0x7FC00000); /* inf + -inf */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 3), 0x7F800000); /* inf - -inf */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 5), 0x80000000); /* -0 - 0 */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 6), 0xFF800000); /* inf * -inf */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 10), 0);         /* NaN < 1 */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 14), 1);         /* -0 == 0 */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 16), 1);         /* isnan */
    CU_ASSERT_EQUAL(ask("special", NULL, d, 18), 1);         /* isinf */
}

static void test_rounds(void)
{
    static uint32_t src[1] = {12345};
    start();
    set("rounds", 0);
    const struct lad_data *d = give("src", LAD_U32, src, 1);
    uint32_t x = src[0];
    for (int64_t r = 0; r < 1000; r++, x = x * 1664525u + 1013904223u) {
        scope.value[0] = r;
        CU_ASSERT_EQUAL_FATAL(ask("rounds", NULL, d, 0), x);
    }
}

static void test_builtin(void)
{
    struct lad_arena *arena = lad_arena_create();
    struct lad_cases cases = {0};
    size_t n = 0;
    char why[300];
    CU_ASSERT_FATAL(lad_case_builtin(arena, &cases));
    for (size_t k = 0; k < cases.n; k++)
        for (size_t e = 0; e < cases.item[k].n_expects; e++) {
            const struct lad_expect *x = &cases.item[k].expects[e];
            if (strcmp(x->oracle, "expr"))
                continue;
            n++;
            bool ok = x->with && lad_oracle_expr_check(x->with, &cases.item[k], why, sizeof why);
            CU_ASSERT(ok);
            if (!ok)
                printf("%s:%d: %s\n", cases.item[k].file, x->line, x->with ? why : "no with=");
        }
    CU_ASSERT(n > 100);
    lad_arena_destroy(&arena);
}

int main(void)
{
    static const struct lad_test tests[] = {{"integers", test_integers},
                                            {"floats", test_floats},
                                            {"passes", test_passes},
                                            {"check", test_check},
                                            {"matmul", test_matmul},
                                            {"blocks", test_blocks},
                                            {"fold", test_fold},
                                            {"special", test_special},
                                            {"rounds", test_rounds},
                                            {"builtin", test_builtin},
                                            {NULL}};
    return lad_test_main("oracle", tests);
}
