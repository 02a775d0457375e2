/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Vulkan backend does when a call fails: every entry point that can, at every step of a scenario that uses
 * them all. A failure must be reported as what it is, and leave a device on which the same scenario then succeeds,
 * unless the device was lost. Exit status 77 without a Vulkan device.
 */
#include "../../harness/harness.h"
#include "../../harness/test.h"
#include "vk.h"
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS 60000000000u
extern const struct lad_backend lad_backend_vulkan;
static const struct lad_backend *const vk = &lad_backend_vulkan;
static struct lad_dev_info infos[8];
static struct lad_dev *dev;
static struct lad_fail fail;

static const struct {
    const char *name;
    size_t offset;
    bool always; /* the scenario calls it on every device */
} calls[] = {
#define CALL(name, always)                                                                                             \
    {                                                                                                                  \
#name, offsetof(struct lad_vk_fns, name), always                                                               \
    }
    CALL(vkCreateBuffer, true),
    CALL(vkAllocateMemory, true),
    CALL(vkBindBufferMemory, true),
    CALL(vkMapMemory, true),
    CALL(vkFlushMappedMemoryRanges, true),
    CALL(vkInvalidateMappedMemoryRanges, true),
    CALL(vkGetMemoryHostPointerPropertiesEXT, false),
    CALL(vkCreateShaderModule, true),
    CALL(vkCreateDescriptorSetLayout, true),
    CALL(vkCreatePipelineLayout, true),
    CALL(vkCreateComputePipelines, true),
    CALL(vkCreateDescriptorPool, true),
    CALL(vkAllocateDescriptorSets, true),
    CALL(vkAllocateCommandBuffers, true),
    CALL(vkBeginCommandBuffer, true),
    CALL(vkEndCommandBuffer, true),
    CALL(vkCreateFence, true),
    CALL(vkCreateQueryPool, false),
    CALL(vkCreateSemaphore, true),
    CALL(vkQueueSubmit, true),
    CALL(vkWaitForFences, true),
    CALL(vkResetFences, true),
    CALL(vkGetFenceStatus, true),
    CALL(vkDeviceWaitIdle, true),
};

/* ---- the fault: from one step of the scenario on, one entry point only fails ----------------------------------- */

static VkResult result;
static unsigned n_hits;
static PFN_vkVoidFunction before_late;

static VkResult refuse(void)
{
    n_hits++;
    return result;
}

/* Puts f into the table and gives what was there. Without arguments of its own the stub serves every signature. */
static PFN_vkVoidFunction exchange(size_t offset, PFN_vkVoidFunction f)
{
    PFN_vkVoidFunction before;
    memcpy(&before, (char *)&dev->fn + offset, sizeof before);
    memcpy((char *)&dev->fn + offset, &f, sizeof f);
    return before;
}

/* ---- the scenario ---------------------------------------------------------------------------------------------- */

enum { STEPS = 9 };
static struct {
    struct lad_buf *buf, *far, *host;
    struct lad_kernel *kernel;
    void *pages;
} have;

static bool run(uint32_t queue)
{
    static const uint32_t scalars[] = {64, 0, 77};
    struct lad_bind bind = {.buf = have.buf};
    struct lad_dispatch d = {
        .kernel = have.kernel, .groups = {1, 1, 1}, .binds = &bind, .scalars = scalars, .queue = queue};
    return vk->dispatch(dev, &d, &fail);
}

static bool create_buffers(void)
{
    struct lad_buf_desc desc = {.bytes = 4096, .mem = LAD_MEM_HOST_POINTER, .host = have.pages};
    have.buf = vk->buf_create(dev, &(struct lad_buf_desc){.bytes = 256, .mem = LAD_MEM_COHERENT}, &fail);
    have.far = have.buf ? vk->buf_create(dev, &(struct lad_buf_desc){.bytes = 256}, &fail) : NULL;
    if (!have.far)
        return false;
    /* As if one needed flushing and the other were out of the host's reach, whatever this device has. */
    have.buf->flags &= ~(VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    have.far->flags = 0;
    return !infos[0].cap[LAD_CAP_MEM_HOST_POINTER] || (have.host = vk->buf_create(dev, &desc, &fail));
}

static bool step(int i)
{
    static const struct lad_kernel_desc desc = {.local = {64, 1, 1}};
    struct lad_kernel_desc k = desc;
    uint32_t words[64] = {0};
    struct lad_times t;
    bool complete;
    switch (i) {
    case 0:
        return create_buffers();
    case 1:
        k.source = lad_kernel_find("increment");
        return (have.kernel = vk->kernel_create(dev, &k, &fail));
    case 2:
        return vk->buf_write(dev, have.buf, 0, words, sizeof words, &fail) &&
               vk->buf_write(dev, have.far, 0, words, sizeof words, &fail);
    case 3:
        return vk->times(dev, &t) && run(0) && vk->barrier(dev, &fail) && run(0) && vk->wait(dev, PATIENCE_NS, &fail);
    case 4:
        return run(0) && vk->finish(dev, &fail);
    case 5:
        return run(0) && vk->submit(dev, &fail) && vk->done(dev, &complete, &fail) && vk->wait(dev, PATIENCE_NS, &fail);
    case 6:
        return run(0) && vk->barrier(dev, &fail) && run(1) && vk->wait(dev, PATIENCE_NS, &fail);
    case 7:
        return vk->buf_read(dev, have.far, 0, words, sizeof words, &fail) && words[0] == 0;
    default:
        return vk->buf_read(dev, have.buf, 0, words, sizeof words, &fail) && words[0] == 6 && words[63] == 6;
    }
}

static void destroy_all(void)
{
    struct lad_fail ignored;
    vk->wait(dev, PATIENCE_NS, &ignored); /* for what was recorded before the failure */
    vk->kernel_destroy(dev, have.kernel);
    vk->buf_destroy(dev, have.buf);
    vk->buf_destroy(dev, have.far);
    vk->buf_destroy(dev, have.host);
    have.kernel = NULL;
    have.buf = have.far = have.host = NULL;
}

/* True when every step succeeded; the entry point at `offset` fails in step `bad`, -1: in none. */
static bool play(size_t offset, int bad)
{
    bool ok = true;
    n_hits = 0;
    for (int i = 0; ok && i < STEPS; i++) {
        PFN_vkVoidFunction before = NULL;
        if (i == bad)
            before = exchange(offset, (PFN_vkVoidFunction)refuse);
        ok = step(i);
        if (i == bad)
            exchange(offset, before);
    }
    return ok;
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */

/* Work in flight of which nothing can be learnt any more, or semaphores that nobody will wait for. */
static bool may_die(const char *call, int bad)
{
    static const char *const asks[] = {"vkWaitForFences", "vkResetFences", "vkGetFenceStatus", "vkDeviceWaitIdle"};
    for (size_t i = 0; i < LAD_N(asks); i++)
        if (!strcmp(call, asks[i]))
            return true;
    return bad == 6;
}

/* Returns in how many steps the call was met. */
static int try_call(size_t c, bool lost)
{
    int n = 0;
    for (int bad = 0; bad < STEPS; bad++) {
        memset(&fail, 0, sizeof fail);
        dev = vk->open(0, &fail);
        CU_ASSERT_PTR_NOT_NULL_FATAL(dev);
        bool ok = play(calls[c].offset, bad);
        bool fine =
            n_hits ? !ok && !strcmp(fail.call, calls[c].name) && fail.native == result && fail.lost == lost : ok;
        n += n_hits > 0;
        CU_ASSERT(fine);
        if (!fine)
            printf("\n    %s in step %d, met %u times: %s, %s %s %s\n", calls[c].name, bad, n_hits,
                   ok ? "ok" : "failed", fail.call, fail.code, fail.text);
        if (n_hits && !lost) {
            bool gone = dev->dead;
            CU_ASSERT(!gone || may_die(calls[c].name, bad));
            destroy_all();
            CU_ASSERT(gone || play(0, -1));
            if (!gone && !fine)
                printf("    and then: %s %s %s\n", fail.call, fail.code, fail.text);
        }
        destroy_all();
        vk->close(dev);
    }
    return n;
}

static void test_none(void)
{
    dev = vk->open(0, &fail);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dev);
    CU_ASSERT(play(0, -1));
    destroy_all();
    CU_ASSERT(play(0, -1));
    destroy_all();
    vk->close(dev);
}

static void test_memory_runs_out(void)
{
    result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    for (size_t c = 0; c < LAD_N(calls); c++) {
        int n = try_call(c, false);
        CU_ASSERT(n > 0 || !calls[c].always);
    }
}

static void test_device_is_lost(void)
{
    static const char *const can[] = {"vkQueueSubmit", "vkWaitForFences", "vkGetFenceStatus", "vkDeviceWaitIdle"};
    result = VK_ERROR_DEVICE_LOST;
    for (size_t c = 0; c < LAD_N(calls); c++)
        for (size_t i = 0; i < LAD_N(can); i++)
            if (!strcmp(calls[c].name, can[i]))
                CU_ASSERT(try_call(c, true) > 0);
}

/* The wait says that work is complete, and its fence that it is not, the first time it is asked. */
static VkResult not_yet(VkDevice device, VkFence fence)
{
    (void)fence;
    exchange(offsetof(struct lad_vk_fns, vkGetFenceStatus), before_late);
    return device ? VK_NOT_READY : VK_ERROR_UNKNOWN;
}

static void test_wait_lies(void)
{
    static const char *const waits[] = {"vkWaitForFences", "vkDeviceWaitIdle"};
    for (int i = 0; i < 2; i++) {
        dev = vk->open(0, &fail);
        CU_ASSERT_PTR_NOT_NULL_FATAL(dev);
        CU_ASSERT(step(0) && step(1) && step(2));
        before_late = exchange(offsetof(struct lad_vk_fns, vkGetFenceStatus), (PFN_vkVoidFunction)not_yet);
        CU_ASSERT(!step(3 + i) && fail.early && !fail.timeout && !fail.lost);
        CU_ASSERT_STRING_EQUAL(fail.call, waits[i]);
        destroy_all();
        CU_ASSERT(play(0, -1)); /* and nothing was used before it was free */
        destroy_all();
        vk->close(dev);
    }
}

int main(void)
{
    static const struct lad_test tests[] = {{"no failure", test_none},
                                            {"memory runs out", test_memory_runs_out},
                                            {"device is lost", test_device_is_lost},
                                            {"a wait lies", test_wait_lies},
                                            {NULL, NULL}};
    size_t n;
    if (!vk->enumerate(infos, LAD_N(infos), &n, &fail) || !n) {
        printf("skipped: no Vulkan device: %s %s %s\n0 passed, 0 failed\n", fail.call, fail.code, fail.text);
        return 77;
    }
    have.pages = aligned_alloc(4096, 4096);
    int status = lad_test_main("vulkan failures", tests);
    free(have.pages);
    return status;
}
