/* SPDX-License-Identifier: Apache-2.0 */
/* Faults by name: what is understood, what is refused, and that they strike by counting alone. */
#include "../backends/layers/inject.h"
#include "harness.h"
#include "test.h"
#include <string.h>

static char why[400];

static struct lad_injection ask(const char *specs)
{
    struct lad_injection set = {0};
    CU_ASSERT_TRUE(lad_inject_add_all(&set, specs, why, sizeof why));
    return set;
}

/* 'X' for each of n calls that is struck. */
static const char *strikes(struct lad_injection *set, enum lad_fault_id id, struct lad_at at, int n)
{
    static char text[64];
    for (int i = 0; i < n; i++)
        text[i] = lad_inject_step(set, id, at) ? 'X' : '.';
    text[n] = 0;
    return text;
}

static void test_names(void)
{
    char name[64];
    for (int i = 0; i < LAD_FAULT_COUNT; i++) {
        struct lad_injection set = {0};
        CU_ASSERT_TRUE(lad_inject_add(&set, lad_fault_name((enum lad_fault_id)i, name, sizeof name), why, sizeof why));
        CU_ASSERT_EQUAL(set.item[0].id, i);
        CU_ASSERT_TRUE(lad_inject_get(&set.item[0], "every") > 0);
        CU_ASSERT_NOT_EQUAL(strlen(lad_faults[i].what), 0);
        CU_ASSERT_TRUE(!strcmp(lad_faults[i].effect, "real") || !strcmp(lad_faults[i].effect, "emulated"));
        CU_ASSERT_EQUAL(lad_faults[i].depth == LAD_DEPTH_VULKAN, !strncmp(lad_faults[i].name, "vk_", 3));
        CU_ASSERT_EQUAL(lad_faults[i].depth == LAD_DEPTH_OPENCL, !strncmp(lad_faults[i].name, "cl_", 3));
    }
}

static void test_refused(void)
{
    static const char *const wrong[] = {"",
                                        "D1",
                                        "D1.",
                                        "D1.nothing",
                                        "d1.dropped",
                                        "D1.dropped ",
                                        "D1.dropped:",
                                        "D1.dropped:at",
                                        "D1.dropped:at=",
                                        "D1.dropped:at=-1",
                                        "D1.dropped:at=1,",
                                        "D1.dropped:at=1;",
                                        "D1.dropped:cap=4",
                                        "D1.dropped:at=0",
                                        "D1.dropped:every=0",
                                        "D1.dropped:at=99999999999999999999",
                                        "D1.dropped:=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct lad_injection set = {0};
        *why = 0;
        CU_ASSERT_FALSE(lad_inject_add(&set, wrong[i], why, sizeof why));
        CU_ASSERT_NOT_EQUAL(*why, 0);
        CU_ASSERT_EQUAL(set.n, 0);
    }
    struct lad_injection full = {0};
    for (int i = 0; i < LAD_MOST_FAULTS; i++)
        CU_ASSERT_TRUE(lad_inject_add(&full, "D1.dropped", why, sizeof why));
    CU_ASSERT_FALSE(lad_inject_add(&full, "D1.dropped", why, sizeof why));
}

static void test_counting(void)
{
    struct lad_at any = {0};
    struct lad_injection set = ask("D1.dropped");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_dropped, any, 4), "XXXX");
    set = ask("D1.dropped:at=3");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_dropped, any, 6), "..XXXX");
    set = ask("D1.dropped:at=2,every=3");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_dropped, any, 9), ".X..X..X.");
    set = ask("D1.dropped:at=2,every=2,times=2");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_dropped, any, 9), ".X.X.....");
    CU_ASSERT_EQUAL(set.item[0].calls, 9);
    CU_ASSERT_EQUAL(lad_inject_hits(&set), 2);
    lad_inject_reset(&set);
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_dropped, any, 9), ".X.X.....");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_zero_grid, any, 3), "...");
}

static void test_choice(void)
{
    struct lad_injection set = ask("U1.no-upload:min=64,max=128,at=2");
    struct lad_at small = {.size = 63, .part = true}, right = {.size = 64, .part = true}, whole = {.size = 64};
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_U1_no_upload, small, 3), "...");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_U1_no_upload, whole, 3), "...");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_U1_no_upload, right, 3), ".XX"); /* the others were not counted */
    set = ask("U3.no-readback:buffer=2,odd=1");
    CU_ASSERT_STRING_EQUAL(
        strikes(&set, LAD_FAULT_U3_no_readback, (struct lad_at){.size = 7, .buffer = 2, .after = 1}, 2), "XX");
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_U3_no_readback, (struct lad_at){.size = 7, .buffer = 2}, 2), "..");
    CU_ASSERT_STRING_EQUAL(
        strikes(&set, LAD_FAULT_U3_no_readback, (struct lad_at){.size = 7, .buffer = 3, .after = 1}, 2), "..");
    CU_ASSERT_STRING_EQUAL(
        strikes(&set, LAD_FAULT_U3_no_readback, (struct lad_at){.size = 8, .buffer = 2, .after = 1}, 2), "..");
}

static void test_several(void)
{
    struct lad_injection set = ask("D1.dropped:at=1,times=1;B4.zero:arg=2;;D1.dropped:at=3,times=1");
    CU_ASSERT_EQUAL(set.n, 3);
    CU_ASSERT_EQUAL(lad_inject_get(&set.item[1], "arg"), 2);
    CU_ASSERT_EQUAL(lad_inject_get(&set.item[1], "none"), 0);
    CU_ASSERT_STRING_EQUAL(strikes(&set, LAD_FAULT_D1_dropped, (struct lad_at){0}, 5), "X.X..");
    CU_ASSERT_TRUE(lad_inject_on(&set, LAD_FAULT_B4_zero));
    CU_ASSERT_FALSE(lad_inject_on(&set, LAD_FAULT_B4_none));
}

/* How many different faults or parameters of that class and depth are asked for in the exam. */
static int count_variants(const char *id, enum lad_depth depth)
{
    char line[400], fault[100], seen[32][100];
    int n = 0;
    FILE *f = fopen("cases/faults/expected.txt", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (fgets(line, sizeof line, f)) {
        struct lad_injection set = {0};
        int k = 0;
        if (sscanf(line, "%99[^ |]", fault) != 1 || *fault == '#')
            continue;
        if (!lad_inject_add(&set, fault, why, sizeof why)) {
            CU_ASSERT_STRING_EQUAL(fault, "");
            continue;
        }
        const struct lad_fault *row = &lad_faults[set.item[0].id];
        while (k < n && strcmp(seen[k], fault) != 0)
            k++;
        if (row->depth == depth && !strcmp(row->id, id) && k == n && n < 32)
            snprintf(seen[n++], sizeof *seen, "%s", fault);
    }
    fclose(f);
    return n;
}

/* What can be made at an API is made there, in at least two ways. */
static void test_variants(void)
{
    static const struct {
        const char *id;
        enum lad_depth depth;
        const char *why;
    } cannot[] = {{"O1", LAD_DEPTH_VULKAN, "a test that cannot fail is no call's doing"},
                  {"O1", LAD_DEPTH_OPENCL, "the same"},
                  {"O1", LAD_DEPTH_DECORATOR, "the same; ci/tests/mutation.sh removes every dispatch"},
                  {"I1", LAD_DEPTH_OPENCL, "OpenCL has no indirect dispatch"},
                  {"E1", LAD_DEPTH_DECORATOR, "a wrapper finds no devices, and has no layers below"},
                  {"W1", LAD_DEPTH_DECORATOR, "a wrapper does not change kernels"},
                  {"W2", LAD_DEPTH_DECORATOR, "the same"},
                  {"W3", LAD_DEPTH_DECORATOR, "the same"},
                  {"W4", LAD_DEPTH_DECORATOR, "the same"},
                  {"W5", LAD_DEPTH_DECORATOR, "the same"}};
    for (int i = 0; i < lad_n_classes; i++)
        for (int depth = LAD_DEPTH_DECORATOR; depth <= LAD_DEPTH_OPENCL; depth++) {
            size_t k = 0;
            while (k < LAD_N(cannot) &&
                   (strcmp(cannot[k].id, lad_classes[i].id) != 0 || (int)cannot[k].depth != depth))
                k++;
            int n = count_variants(lad_classes[i].id, (enum lad_depth)depth);
            if (k < LAD_N(cannot) ? n != 0 : n < 2) /* an exception that is none any more fails, too */
                printf("%s, %s: %d in cases/faults/expected.txt\n", lad_classes[i].id,
                       lad_depth_name((enum lad_depth)depth), n);
            CU_ASSERT_TRUE(k < LAD_N(cannot) ? n == 0 : n >= 2);
        }
}

int main(void)
{
    static const struct lad_test tests[] = {{"every fault is found by its name", test_names},
                                            {"what is no fault is refused", test_refused},
                                            {"at, every and times count", test_counting},
                                            {"size, part, buffer, after and odd choose", test_choice},
                                            {"several at once", test_several},
                                            {"every class at every depth, in two ways", test_variants},
                                            {0}};
    return lad_test_main("faults", tests);
}
