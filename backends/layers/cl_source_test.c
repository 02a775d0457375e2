/* SPDX-License-Identifier: Apache-2.0 */
/* What faults make of the source of programs: a small program each, before and after. The rest of the layer is not
 * here. */
#include "../../harness/test.h"
#include "cl_source.c"

#define LAD_N(array) (sizeof(array) / sizeof *(array))

struct layer layer;
const struct _cl_icd_dispatch *to;

struct lad_inject *step(enum lad_fault_id id, struct lad_at at)
{
    return lad_inject_step(&layer.set, id, at);
}

static char *run(const char *fault, const char *text)
{
    char why[400];
    layer.set = (struct lad_injection){0};
    CU_ASSERT_TRUE(lad_inject_add(&layer.set, fault, why, sizeof why));
    return edit_source(text);
}

/* The pointers of every program below; the last one is the witness's. */
#define HEAD "kernel void f(global const float *restrict a, __global uint *b, local float *s, global uint *w)\n{\n"
#define TAIL "    w[0] = b[0];\n}\n"

static const struct {
    const char *fault, *before, *after; /* after NULL: unchanged */
} rows[] = {
    {"W1.cl-no-barrier", "barrier(CLK_LOCAL_MEM_FENCE);", "((void)0);"},
    {"W1.cl-no-barrier:which=2", "barrier(1); work_group_barrier(f(2), 3);", "barrier(1); ((void)0);"},
    {"W1.cl-no-barrier", "my_barrier(1); barriers(2);", NULL},
    {"W1.cl-no-barrier:at=2", "barrier(1);", NULL},
    {"W1.cl-no-barrier:min=100000", "barrier(1);", NULL},
    {"W2.cl-early-return:lanes=7", "barrier(1);", "{ barrier(1); if (get_local_id(0) >= 7u) return; };"},
    {"W2.cl-early-return:ahead=1", "barrier(1);", "{ if (get_local_id(0) >= 16u) return; barrier(1); };"},
    {"W3.cl-width:width=8", "x = get_sub_group_size();", "x = (8u);"},
    {"W3.cl-width", "x = get_sub_group_local_id();", "x = ((uint)get_local_id(0) % 32u);"},
    {"W4.cl-short", "local uint t[64]; t[i + 1] += s[t[2]];",
     "local uint t[64]; t[(uint)(i + 1) % 16u] += s[(uint)(t[2]) % 16u];"},
    {"W4.cl-clamped:items=4", "x = s[i];", "x = s[min((uint)(i), 4u - 1u)];"},
    {"W5.cl-lost", "atomic_add(&b[0], 1u);", "(get_local_id(0) % 2u == 0u ? 0 : atomic_add(&b[0], 1u));"},
    {"W5.cl-lost", "atomic_add(&w[0], 1u);", NULL},
    {"C4.cl-lost-store", "b[i].x[2] = g(1, 2); b[1] += 3;", "(void)( g(1, 2)); b[1] += 3;"},
    {"C4.cl-lost-store:which=2", "b[0] = 1; b[1] <<= 3;", "b[0] = 1; (void)( 3);"},
    {"C4.cl-lost-store", "x = b[0]; if (b[1] == 2 || b[2] <= 3) w[1] = 4;", NULL},
    {"B5.cl-packed", "struct r { char c; int i; };", "struct __attribute__((packed)) r { char c; int i; };"},
    {"B5.cl-packed", "struct r x;", NULL},
    {"B5.cl-aligned:align=32", "typedef struct { int i; } r;",
     "typedef struct __attribute__((aligned(32))) { int i; } r;"},
    {"M1.cl-fma:which=1", "x = fma(1, 2, 3) + mad(4, 5, 6);", "x = lad_fma(1, 2, 3) + mad(4, 5, 6);"},
    {"N1.cl-half-sums", "float x = 0, y = 1; y += a[0] * 2; s[i] += x;",
     "float x = 0, y = 1; y = lad_narrow(y + ( a[0] * 2)); s[i] = lad_narrow(s[i] + ( x));"},
    {"N2.cl-denormals", "x = a[i] * a[2] + b[1];", "x = lad_flush(a[i]) * lad_flush(a[2]) + b[1];"},
    {"N2.cl-fast-math", "x = isnan(y) || isfinite(z);", "x = 0 & isnan(y) || 1 | isfinite(z);"},
    {"C3.cl-no-wide-types", "ulong x = 1;", ""},
    {"C3.cl-no-wide-types", "uint x = 1;", NULL},
    {"C3.cl-no-small-types", "uchar x = 1;", ""},
};

static void test_rows(void)
{
    for (size_t i = 0; i < LAD_N(rows); i++) {
        char before[600], after[600];
        snprintf(before, sizeof before, HEAD "    %s\n" TAIL, rows[i].before);
        snprintf(after, sizeof after, HEAD "    %s\n" TAIL, rows[i].after ? rows[i].after : rows[i].before);
        char *now = run(rows[i].fault, before);
        const char *from = strstr(now, "kernel void f(");
        bool empty = rows[i].after && !*rows[i].after;
        bool right = from && (empty ? strstr(from, "{ return;\n") != NULL : !strcmp(from, after));
        CU_ASSERT_TRUE(right);
        if (!right)
            printf("%s: %s\n", rows[i].fault, now);
        CU_ASSERT_EQUAL(layer.set.item[0].hits, rows[i].after != NULL);
        free(now);
    }
}

/* Whatever comes, it ends: cut off anywhere, without closing brackets, without anything. */
static void test_any_text(void)
{
    static const char text[] =
        "#define global barrier(\n" HEAD "local uint t[4]; t[0] = a[b[1]; float x, y += 1; barrier(; "
        "struct { atomic_add(b, isnan(fma(" TAIL;
    char cut[sizeof text], name[64], why[400];
    for (size_t n = 0; n < sizeof text; n++) {
        snprintf(cut, sizeof cut, "%.*s", (int)n, text);
        for (size_t i = 0; i < LAD_N(passes); i++) {
            layer.set = (struct lad_injection){0};
            CU_ASSERT_TRUE(
                lad_inject_add(&layer.set, lad_fault_name(passes[i].id, name, sizeof name), why, sizeof why));
            free(edit_source(cut));
        }
    }
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"each change", test_rows}, {"text that is no program", test_any_text}, {NULL, NULL}};
    return lad_test_main("changed sources", tests);
}
