/* SPDX-License-Identifier: Apache-2.0 */
/* How devices are named by users. */
#include "harness.h"
#include "test.h"

static const struct lad_device llvmpipe = {
    .spec = "vk:0", .slug = "vk-llvmpipe", .info.name = "llvmpipe (LLVM 15.0.6)"};
static const struct lad_device second = {.spec = "vk:1", .slug = "vk-h200-2", .info.name = "NVIDIA H200"};
static const struct lad_device pocl = {.spec = "cl:0:1", .slug = "cl-pocl", .info.name = "pthread-skylake"};
static const struct lad_device host = {.spec = "host", .slug = "host", .info.name = "host processor"};
static const struct lad_device ghost = {.spec = "vk:10", .slug = "vk-ghost", .info.name = "Ghost vk:0"};

static void test_specs(void)
{
    CU_ASSERT(lad_device_matches(&llvmpipe, "vk:0"));
    CU_ASSERT(!lad_device_matches(&llvmpipe, "vk:1"));
    CU_ASSERT(!lad_device_matches(&ghost, "vk:1"));
    CU_ASSERT(!lad_device_matches(&ghost, "vk:0")); /* its name says so, but that is a spec */
    CU_ASSERT(lad_device_matches(&pocl, "cl:0:1"));
    CU_ASSERT(lad_device_matches(&pocl, "cl:0"));
    CU_ASSERT(!lad_device_matches(&pocl, "cl:1"));
    CU_ASSERT(lad_device_matches(&pocl, "cl"));
    CU_ASSERT(!lad_device_matches(&pocl, "vk"));
}

static void test_slugs(void)
{
    CU_ASSERT(lad_device_matches(&llvmpipe, "vk-llvmpipe"));
    CU_ASSERT(lad_device_matches(&llvmpipe, "vk-llvm")); /* a part of it */
    CU_ASSERT(lad_device_matches(&llvmpipe, "vk-*"));
    CU_ASSERT(!lad_device_matches(&llvmpipe, "cl-*"));
    CU_ASSERT(!lad_device_matches(&llvmpipe, "vk-h200"));
    CU_ASSERT(lad_device_matches(&second, "vk-h200-2"));
    CU_ASSERT(lad_device_matches(&second, "vk-h200")); /* each of them */
    CU_ASSERT(!lad_device_matches(&second, "vk-h200-1"));
}

static void test_names(void)
{
    CU_ASSERT(lad_device_matches(&llvmpipe, "LLVMpipe"));
    CU_ASSERT(lad_device_matches(&second, "h200"));
    CU_ASSERT(!lad_device_matches(&second, "h100"));
    CU_ASSERT(!lad_device_matches(&second, ""));
    CU_ASSERT(lad_device_matches(&host, "host"));
    CU_ASSERT(!lad_device_matches(&ghost, "host"));
    CU_ASSERT(lad_device_matches(&ghost, "ghost"));
}

static void test_info_survives_the_pipe(void)
{
    struct lad_arena *arena = lad_arena_create();
    struct lad_dev_info in = {.name = "x\xff", .type = LAD_DEV_DISCRETE, .platform = 2}, out;
    in.cap[LAD_CAP_BUFFER_BYTES] = UINT64_MAX;
    in.why[LAD_CAP_FP64] = "no such unit";
    json_t *json = lad_dev_info_json(&in);
    CU_ASSERT(lad_dev_info_parse(arena, json, &out));
    CU_ASSERT_STRING_EQUAL(out.name, in.name);
    CU_ASSERT_EQUAL(out.cap[LAD_CAP_BUFFER_BYTES], UINT64_MAX);
    CU_ASSERT_STRING_EQUAL(out.why[LAD_CAP_FP64], "no such unit");
    CU_ASSERT_EQUAL(out.type, LAD_DEV_DISCRETE);
    CU_ASSERT_EQUAL(out.platform, 2);
    json_decref(json);
    lad_arena_destroy(&arena);
}

int main(void)
{
    static const struct lad_test tests[] = {{"specs", test_specs},
                                            {"slugs", test_slugs},
                                            {"names", test_names},
                                            {"device infos survive the pipe", test_info_survives_the_pipe},
                                            {NULL, NULL}};
    return lad_test_main("devices", tests);
}
