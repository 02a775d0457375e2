/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong changes to shaders: each finds what it is for in a kernel of this program, leaves a module that spirv-val
 * accepts, and changes nothing where there is nothing to change. */
#include "../../harness/harness.h"
#include "../../harness/test.h"
#include "vk_edit.c"
#include "vk_spirv.c"

enum { F_ADD = 129, F_SUB = 131 };

static bool stores(struct lad_spirv *m)
{
    return lad_edit_lose_store(m, 0);
}
static bool barriers(struct lad_spirv *m)
{
    return lad_edit_lose_barriers(m, 0);
}
static bool barrier_2(struct lad_spirv *m)
{
    return lad_edit_lose_barriers(m, 2);
}
static bool strides(struct lad_spirv *m)
{
    return lad_edit_stride(m, 4, 8);
}
static bool subtract(struct lad_spirv *m)
{
    return lad_edit_replace(m, F_ADD, F_SUB);
}
static bool leave(struct lad_spirv *m)
{
    return lad_edit_return(m, 16, 1);
}
static bool leave_2(struct lad_spirv *m)
{
    return lad_edit_return(m, 16, 2);
}
static bool half(struct lad_spirv *m)
{
    return lad_edit_half(m, F_ADD);
}
static bool loose(struct lad_spirv *m)
{
    return lad_edit_loose(m, F_ADD, 2);
}
static bool torn(struct lad_spirv *m)
{
    return lad_edit_torn(m, 0);
}
static bool torn_shared(struct lad_spirv *m)
{
    return lad_edit_torn(m, SPIRV_SHARED);
}
static bool no_atomics(struct lad_spirv *m)
{
    return lad_edit_no_atomics(m, 0);
}
static bool lanes(struct lad_spirv *m)
{
    return lad_edit_lanes(m, 16);
}
static bool wrap(struct lad_spirv *m)
{
    return lad_edit_wrap_shared(m, 16);
}

static const struct {
    bool (*edit)(struct lad_spirv *);
    const char *kernel;
} edits[] = {{stores, "increment"},
             {barriers, "reduction-float"},
             {barrier_2, "reduction-float"},
             {strides, "increment"},
             {subtract, "vector-add"},
             {leave, "local-self"},
             {leave_2, "reduction-float"},
             {leave, "local-dynamic"},
             {half, "vector-add"},
             {half, "vector-add4"},
             {loose, "vector-add"},
             {lad_edit_no_nan, "float-special"},
             {torn, "count"},
             {torn_shared, "histogram"},
             {no_atomics, "count"},
             {lanes, "subgroup-sum"},
             {lad_edit_one_lane, "subgroup-sum"},
             {wrap, "local-self"},
             {lad_edit_overlap_shared, "local-two"}};

static struct lad_spirv copy(const uint32_t *words, size_t bytes)
{
    struct lad_spirv m = {malloc(bytes), bytes / 4};
    memcpy(m.word, words, bytes);
    return m;
}

static bool is_valid(const struct lad_spirv *m)
{
    FILE *to = popen("spirv-val --target-env vulkan1.1 - >&2", "w");
    bool written = to && fwrite(m->word, 4, m->n, to) == m->n;
    return to && pclose(to) == 0 && written;
}

static void test_edits(void)
{
    for (size_t i = 0; i < LAD_N(edits); i++) {
        const struct lad_kernel_source *k = lad_kernel_find(edits[i].kernel);
        CU_ASSERT_PTR_NOT_NULL_FATAL(k);
        struct lad_spirv m = copy((const uint32_t *)(const void *)k->spirv, k->spirv_bytes);
        bool done = edits[i].edit(&m), valid = is_valid(&m);
        if (!done || !valid)
            printf("%s, edit %zu: %s\n", edits[i].kernel, i, done ? "spirv-val refuses it" : "nothing to change");
        CU_ASSERT_TRUE(done && valid);
        CU_ASSERT_TRUE(m.n * 4 != k->spirv_bytes || memcmp(m.word, k->spirv, k->spirv_bytes));
        free(m.word);
    }
}

static void test_nothing(void)
{
    for (size_t i = 0; i < LAD_N(edits); i++) {
        struct lad_spirv m = copy(lad_spirv_nothing, lad_spirv_nothing_bytes);
        CU_ASSERT_FALSE(edits[i].edit(&m));
        CU_ASSERT_TRUE(is_valid(&m));
        for (size_t n = 0; n < 24; n++) { /* a module that is cut off */
            struct lad_spirv part = copy(lad_spirv_nothing, n * 4 + 4);
            edits[i].edit(&part);
            free(part.word);
        }
        free(m.word);
    }
}

static void test_widths(void)
{
    const struct lad_kernel_source *wide = lad_kernel_find("atomics-u64"), *small = lad_kernel_find("half-op");
    struct lad_spirv a = copy((const uint32_t *)(const void *)wide->spirv, wide->spirv_bytes);
    struct lad_spirv b = copy((const uint32_t *)(const void *)small->spirv, small->spirv_bytes);
    CU_ASSERT_EQUAL(lad_spirv_widths(&a), SPIRV_WIDE);
    CU_ASSERT_EQUAL(lad_spirv_widths(&b), SPIRV_SMALL);
    free(a.word);
    free(b.word);
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"edits", test_edits}, {"nothing to change", test_nothing}, {"widths", test_widths}, {NULL, NULL}};
    return lad_test_main("vk_edit", tests);
}
