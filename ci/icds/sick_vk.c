/* SPDX-License-Identifier: Apache-2.0 */
/* A driver with a defect, for ci/faults/drivers.sh: lavapipe behind an ICD of its own, some of whose entry points are
 * replaced by those of the defects that GPULADDER_SICK names (blank-separated). None of them is one of the faults of
 * the layers. One device a process. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vulkan/vulkan.h>
#include "sick.h"

static PFN_vkGetInstanceProcAddr from_instance;
static PFN_vkGetDeviceProcAddr from_device;
static VkInstance the_instance;
static VkDevice the_device;
#define NEXT(name) ((PFN_##name)from_device(the_device, #name))

static VkResult VKAPI_CALL sick_vkCreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *a,
                                                 VkInstance *instance)
{
    VkResult r = ((PFN_vkCreateInstance)from_instance(NULL, "vkCreateInstance"))(info, a, instance);
    if (!r)
        the_instance = *instance;
    return r;
}

static VkResult VKAPI_CALL sick_vkCreateDevice(VkPhysicalDevice p, const VkDeviceCreateInfo *info,
                                               const VkAllocationCallbacks *a, VkDevice *device)
{
    VkResult r = ((PFN_vkCreateDevice)from_instance(the_instance, "vkCreateDevice"))(p, info, a, device);
    from_device = (PFN_vkGetDeviceProcAddr)from_instance(the_instance, "vkGetDeviceProcAddr");
    if (!r)
        the_device = *device;
    return r;
}

static void VKAPI_CALL sick_vkCmdCopyBuffer(VkCommandBuffer c, VkBuffer from, VkBuffer to, uint32_t n,
                                            const VkBufferCopy *regions)
{
    for (uint32_t i = 0; i < n; i++) {
        VkBufferCopy r = regions[i];
        if (sick("copy-page") && r.size > 256)
            r.size -= r.size % 256;
        if (sick("copy-half") && r.size > 4096)
            r.size = 4096 + (r.size - 4096) / 2 / 4 * 4;
        NEXT(vkCmdCopyBuffer)(c, from, to, 1, &r);
    }
}

static void VKAPI_CALL sick_vkCmdFillBuffer(VkCommandBuffer c, VkBuffer b, VkDeviceSize at, VkDeviceSize bytes,
                                            uint32_t word)
{
    if (sick("fill-page") && bytes > 4096)
        bytes = 4096;
    if (sick("fill-tiny") && bytes > 16)
        return;
    NEXT(vkCmdFillBuffer)(c, b, at, bytes, sick("fill-turned") ? __builtin_bswap32(word) : word);
}

static void VKAPI_CALL sick_vkCmdPushConstants(VkCommandBuffer c, VkPipelineLayout l, VkShaderStageFlags stages,
                                               uint32_t at, uint32_t bytes, const void *values)
{
    static unsigned n;
    unsigned char copy[512];
    memcpy(copy, values, bytes < sizeof copy ? bytes : sizeof copy);
    if (sick("push-short") && bytes > 16)
        bytes = 16;
    if (sick("push-word") && bytes >= 16)
        memset(copy + 12, 0, 4);
    for (uint32_t i = 0; sick("push-half") && i + 4 <= bytes; i += 4)
        copy[i + 2] = copy[i + 3] = 0;
    if (!sick("push-second") || ++n % 2)
        NEXT(vkCmdPushConstants)(c, l, stages, at, bytes, copy);
}

/* Each instruction `from` of the module becomes `to`; 0: goes. */
static size_t edit(uint32_t *words, size_t n, uint32_t from, uint32_t to)
{
    size_t out = 5;
    for (size_t i = 5, length; i < n; i += length) {
        length = words[i] >> 16;
        if ((words[i] & 0xFFFFu) == from && !to)
            continue;
        memmove(words + out, words + i, length * 4);
        if ((words[out] & 0xFFFFu) == from)
            words[out] = (uint32_t)length << 16 | to;
        out += length;
    }
    return out;
}

static VkResult VKAPI_CALL sick_vkCreateShaderModule(VkDevice d, const VkShaderModuleCreateInfo *info,
                                                     const VkAllocationCallbacks *a, VkShaderModule *m)
{
    static const struct {
        const char *name;
        uint32_t from, to;
    } rows[] = {{"code-multiply", 132, 198}, /* integers: IMul is BitwiseXor */
                {"code-float", 133, 129},    /* FMul is FAdd */
                {"code-less", 176, 178},     /* ULessThan is ULessThanEqual */
                {"code-shift", 194, 195},    /* ShiftRightLogical is ShiftRightArithmetic */
                {"code-barrier", 224, 0},    /* no ControlBarrier */
                {"code-atomic", 234, 241}};  /* AtomicIAdd is AtomicOr */
    VkShaderModuleCreateInfo changed = *info;
    uint32_t *words = malloc(info->codeSize);
    memcpy(words, info->pCode, info->codeSize);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (sick(rows[i].name))
            changed.codeSize = edit(words, changed.codeSize / 4, rows[i].from, rows[i].to) * 4;
    changed.pCode = words;
    VkResult r = NEXT(vkCreateShaderModule)(d, &changed, a, m);
    free(words);
    return r;
}

static VkResult VKAPI_CALL sick_vkCreateComputePipelines(VkDevice d, VkPipelineCache cache, uint32_t n,
                                                         const VkComputePipelineCreateInfo *info,
                                                         const VkAllocationCallbacks *a, VkPipeline *p)
{
    VkResult r = VK_SUCCESS;
    for (uint32_t i = 0; i < n && !r; i++) {
        VkComputePipelineCreateInfo one = info[i];
        VkSpecializationInfo special = {0};
        if (one.stage.pSpecializationInfo) {
            special = *one.stage.pSpecializationInfo;
            one.stage.pSpecializationInfo = &special;
        }
        if (sick("constants-three") && special.mapEntryCount > 3)
            special.mapEntryCount = 3;
        r = NEXT(vkCreateComputePipelines)(d, cache, 1, &one, a, p + i);
    }
    return r;
}

static void VKAPI_CALL sick_vkUpdateDescriptorSets(VkDevice d, uint32_t n, const VkWriteDescriptorSet *writes,
                                                   uint32_t n_copies, const VkCopyDescriptorSet *copies)
{
    VkWriteDescriptorSet w[64];
    VkDescriptorBufferInfo info[64];
    for (uint32_t i = 0; i < n && i < 64; i++) {
        w[i] = writes[i];
        if (!w[i].pBufferInfo || w[i].descriptorCount != 1)
            continue;
        info[i] = *w[i].pBufferInfo;
        if (sick("bind-page"))
            info[i].offset = info[i].offset / 4096 * 4096;
        if (sick("bind-range") && info[i].range > 1024)
            info[i].range = 1024;
        if (sick("bind-twice") && i && w[i].dstBinding == 2)
            info[i] = info[i - 1];
        w[i].pBufferInfo = &info[i];
    }
    if (sick("bind-turned") && n > 2) {
        VkDescriptorBufferInfo first = info[0];
        info[0] = info[n - 1];
        info[n - 1] = first;
    }
    NEXT(vkUpdateDescriptorSets)(d, sick("bind-last") && n > 1 ? n - 1 : n, w, n_copies, copies);
}

static void VKAPI_CALL sick_vkCmdDispatch(VkCommandBuffer c, uint32_t x, uint32_t y, uint32_t z)
{
    static unsigned n;
    if (sick("drop-third") && ++n % 3 == 0)
        return;
    if (sick("grid-turned") && y > 1) {
        uint32_t old = x;
        x = y;
        y = old;
    }
    if (sick("grid-cap") && x > 1000)
        x = 1000;
    if (sick("grid-wrap") && x > 256)
        x %= 256;
    if (sick("grid-even") && x > 1)
        x -= x % 2;
    if (sick("grid-more") && x > 1)
        x++;
    if (sick("again") && x > 1)
        NEXT(vkCmdDispatch)(c, x, y, z);
    NEXT(vkCmdDispatch)(c, x, y, z);
}

static void VKAPI_CALL sick_vkCmdDispatchIndirect(VkCommandBuffer c, VkBuffer b, VkDeviceSize at)
{
    if (sick("indirect-one"))
        NEXT(vkCmdDispatch)(c, 1, 1, 1);
    else if (!sick("indirect-none"))
        NEXT(vkCmdDispatchIndirect)(c, b, at);
}

/* early, early-all: work takes 300 ms, and fences do not wait for it; early-all: nor do idle waits. Whoever would touch
 * what it uses waits, as where a driver knows what is in use. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t done;
    VkQueue queue;
    VkCommandBuffer commands[16];
    uint32_t n;
    int busy;
} slow = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static void *work_slowly(void *unused)
{
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = slow.n, .pCommandBuffers = slow.commands};
    usleep(300000);
    pthread_mutex_lock(&slow.lock);
    NEXT(vkQueueSubmit)(slow.queue, 1, &info, VK_NULL_HANDLE);
    NEXT(vkQueueWaitIdle)(slow.queue);
    slow.busy = 0;
    pthread_cond_broadcast(&slow.done);
    pthread_mutex_unlock(&slow.lock);
    return unused;
}

static void settle(void)
{
    pthread_mutex_lock(&slow.lock);
    while (slow.busy)
        pthread_cond_wait(&slow.done, &slow.lock);
    pthread_mutex_unlock(&slow.lock);
}

static int start_slowly(VkQueue q, uint32_t n, const VkSubmitInfo *info)
{
    pthread_t thread;
    if (!(sick("early") || sick("early-all")) || n != 1 || info->commandBufferCount > 16)
        return 0;
    settle();
    slow.queue = q;
    slow.n = info->commandBufferCount;
    memcpy(slow.commands, info->pCommandBuffers, slow.n * sizeof *slow.commands);
    slow.busy = 1;
    return !pthread_create(&thread, NULL, work_slowly, NULL) && !pthread_detach(thread);
}

static VkResult VKAPI_CALL sick_vkDeviceWaitIdle(VkDevice d)
{
    if (!sick("early-all"))
        settle();
    return NEXT(vkDeviceWaitIdle)(d);
}

static VkResult VKAPI_CALL sick_vkBeginCommandBuffer(VkCommandBuffer c, const VkCommandBufferBeginInfo *info)
{
    settle();
    return NEXT(vkBeginCommandBuffer)(c, info);
}

static void VKAPI_CALL sick_vkFreeMemory(VkDevice d, VkDeviceMemory m, const VkAllocationCallbacks *a)
{
    settle();
    NEXT(vkFreeMemory)(d, m, a);
}

static void VKAPI_CALL sick_vkDestroyBuffer(VkDevice d, VkBuffer b, const VkAllocationCallbacks *a)
{
    settle();
    NEXT(vkDestroyBuffer)(d, b, a);
}

static VkResult VKAPI_CALL sick_vkResetDescriptorPool(VkDevice d, VkDescriptorPool p, VkDescriptorPoolResetFlags flags)
{
    settle();
    return NEXT(vkResetDescriptorPool)(d, p, flags);
}

static void VKAPI_CALL sick_vkDestroyPipeline(VkDevice d, VkPipeline p, const VkAllocationCallbacks *a)
{
    settle();
    NEXT(vkDestroyPipeline)(d, p, a);
}

static void VKAPI_CALL sick_vkDestroyDevice(VkDevice d, const VkAllocationCallbacks *a)
{
    settle();
    NEXT(vkDestroyDevice)(d, a);
}

/* lost: from the 13th submission on nothing runs, and all is well; lost-second: from the second. idle-fifth: every
 * fifth carries nothing. */
static VkResult VKAPI_CALL sick_vkQueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *info, VkFence fence)
{
    static unsigned submits;
    VkSubmitInfo empty[16];
    submits++;
    if (n > 16 || !((sick("lost") && submits > 12) || (sick("lost-second") && submits > 1) ||
                    (sick("idle-fifth") && submits % 5 == 0) || start_slowly(q, n, info)))
        return NEXT(vkQueueSubmit)(q, n, info, fence);
    for (uint32_t i = 0; i < n; i++) {
        empty[i] = info[i];
        empty[i].commandBufferCount = 0;
    }
    pthread_mutex_lock(&slow.lock);
    VkResult r = NEXT(vkQueueSubmit)(q, n, empty, fence);
    pthread_mutex_unlock(&slow.lock);
    return r;
}

static VkResult VKAPI_CALL sick_vkWaitForFences(VkDevice d, uint32_t n, const VkFence *fences, VkBool32 all,
                                                uint64_t ns)
{
    return sick("wait-early") ? VK_SUCCESS : NEXT(vkWaitForFences)(d, n, fences, all, ns);
}

static PFN_vkVoidFunction VKAPI_CALL sick_vkGetDeviceProcAddr(VkDevice d, const char *name);

static PFN_vkVoidFunction find(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } rows[] = {
#define ROW(name) {#name, (PFN_vkVoidFunction)sick_##name}
        ROW(vkCreateInstance),      ROW(vkCreateDevice),         ROW(vkCmdCopyBuffer),
        ROW(vkCmdFillBuffer),       ROW(vkCmdPushConstants),     ROW(vkCreateShaderModule),
        ROW(vkCreateComputePipelines), ROW(vkUpdateDescriptorSets), ROW(vkCmdDispatch),
        ROW(vkCmdDispatchIndirect), ROW(vkQueueSubmit),          ROW(vkWaitForFences),
        ROW(vkDeviceWaitIdle),      ROW(vkBeginCommandBuffer),   ROW(vkFreeMemory),
        ROW(vkDestroyBuffer),       ROW(vkResetDescriptorPool),  ROW(vkDestroyPipeline),
        ROW(vkDestroyDevice),       ROW(vkGetDeviceProcAddr)};
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name))
            return rows[i].function;
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL sick_vkGetDeviceProcAddr(VkDevice d, const char *name)
{
    PFN_vkVoidFunction real = from_device(d, name), ours = find(name);
    return real && ours ? ours : real;
}

static void *driver(void)
{
    static void *handle;
    return handle ? handle : (handle = real_driver("GPULADDER_REAL_VK", "libvulkan_lvp.so"));
}

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    VkResult (*next)(uint32_t *) = NULL;
    if (driver())
        *(void **)&next = dlsym(driver(), "vk_icdNegotiateLoaderICDInterfaceVersion");
    return next ? next(version) : VK_ERROR_INCOMPATIBLE_DRIVER;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetPhysicalDeviceProcAddr(VkInstance i, const char *name)
{
    PFN_vkGetInstanceProcAddr next = NULL;
    *(void **)&next = dlsym(driver(), "vk_icdGetPhysicalDeviceProcAddr");
    return next ? next(i, name) : NULL;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance i, const char *name)
{
    if (!from_instance)
        *(void **)&from_instance = dlsym(driver(), "vk_icdGetInstanceProcAddr");
    PFN_vkVoidFunction real = from_instance(i, name), ours = find(name);
    return real && ours ? ours : real;
}
