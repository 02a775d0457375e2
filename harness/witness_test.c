/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a witness that no kernel wrote as it should: cleared, never reached, or counted from elsewhere. */
#include "../kernels/witness.h"
#include "harness.h"
#include "test.h"
#include <string.h>

static uint32_t w[2 * LAD_W_WORDS];

/* The second of two dispatches, of 4 workgroups of 64. */
static struct lad_record check(bool ok)
{
    struct lad_kernel_desc desc = {.source = lad_kernel_find("increment"), .local = {64, 1, 1}};
    uint32_t scalars[4] = {5, 77};
    struct lad_ran ran = {.desc = &desc, .groups = {4, 1, 1}, .nonce = 77, .times = 1, .scalars = scalars};
    static struct lad_arena *arena;
    lad_arena_destroy(&arena);
    arena = lad_arena_create();
    struct lad_record r = {0};
    CU_ASSERT_EQUAL(lad_witness_check(arena, w, 1, &ran, &r), ok);
    return r;
}

/* As the kernel leaves it, its counters begun at `start`. */
static void write_witness(uint32_t start)
{
    const uint32_t said[] = {
        LAD_W_MAGIC_VALUE, lad_kernel_find("increment")->nonce, 77, start + 256, start + 4, 64, 1, 1, 4, 1, 1};
    uint32_t *slot = w + LAD_W_WORDS;
    memset(slot, 0, LAD_W_WORDS * 4);
    memcpy(slot, said, sizeof said);
    slot[LAD_W_SCALARS] = 5;
    slot[LAD_W_SCALARS + 1] = 77;
    slot[LAD_W_BITMAP] = 0xF;
}

static void test_right(void)
{
    write_witness(LAD_W_START);
    struct lad_record r = check(true);
    CU_ASSERT_EQUAL(r.n_facts, 1);
    w[LAD_W_WORDS + LAD_W_COUNT]--;
    CU_ASSERT_STRING_EQUAL(check(false).message, "dispatch 2 (increment): invocations that ran 255, expected 256");
}

static void test_planted(void)
{
    lad_witness_plant(w, 2);
    CU_ASSERT_STRING_EQUAL(check(false).type, "ladder.witness.never-ran");
}

static void test_cleared(void)
{
    memset(w, 0, sizeof w);
    struct lad_record r = check(false);
    CU_ASSERT_STRING_EQUAL(r.type, "ladder.witness.zero");
    CU_ASSERT_EQUAL(r.n_facts, 1); /* and nothing about numbers that are not there */
}

static void test_counted_from_elsewhere(void)
{
    write_witness(0);
    CU_ASSERT_STRING_EQUAL(check(false).message,
                           "dispatch 2 (increment): the counter of invocations did not begin as planted: "
                           "it holds 256, expected 1459618048");
}

int main(void)
{
    return lad_test_main("witness", (const struct lad_test[]){{"all right, and one short", test_right},
                                                              {"as planted", test_planted},
                                                              {"cleared", test_cleared},
                                                              {"counted from elsewhere", test_counted_from_elsewhere},
                                                              {NULL, NULL}});
}
