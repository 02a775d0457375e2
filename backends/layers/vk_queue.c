/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions and waits. Work may come later than its fence says: before anything that would notice. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

/* The work of which the fence has signalled already. */
static void run_late(struct device *d)
{
    if (!d->late.n)
        return;
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = d->late.n, .pCommandBuffers = d->late.cmd};
    d->late.n = 0;
    d->QueueSubmit(d->late.queue, 1, &info, VK_NULL_HANDLE);
    d->QueueWaitIdle(d->late.queue);
    while (d->n_pools)
        d->ResetDescriptorPool(d->handle, d->pools[--d->n_pools], 0);
}

static void go_on(struct device *d)
{
    if (d->ahead.is)
        d->QueueSubmit(d->ahead.queue, 1, &d->ahead.info, d->ahead.fence);
    d->ahead.is = false;
}

void layer_settle(struct device *d)
{
    go_on(d);
    run_late(d);
}

/* ---- queues that are not there -------------------------------------------------------------------------------- */

static void add_queue(VkQueueFamilyProperties *family)
{
    family->queueCount += layer.queues && family->queueCount == 1;
}

VKAPI_ATTR void VKAPI_CALL layer_GetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice p, uint32_t *n,
                                                                        VkQueueFamilyProperties *family)
{
    layer_instance(p)->GetPhysicalDeviceQueueFamilyProperties(p, n, family);
    for (uint32_t i = 0; family && i < *n; i++)
        add_queue(&family[i]);
}

VKAPI_ATTR void VKAPI_CALL layer_GetPhysicalDeviceQueueFamilyProperties2(VkPhysicalDevice p, uint32_t *n,
                                                                         VkQueueFamilyProperties2 *family)
{
    layer_instance(p)->GetPhysicalDeviceQueueFamilyProperties2(p, n, family);
    for (uint32_t i = 0; family && i < *n; i++)
        add_queue(&family[i].queueFamilyProperties);
}

void layer_real_queues(struct instance *in, VkPhysicalDevice p, VkDeviceCreateInfo *info,
                       VkDeviceQueueCreateInfo *queue, uint32_t *n_queues)
{
    VkQueueFamilyProperties family[MOST];
    uint32_t n = MOST;
    if (!layer.queues || info->queueCreateInfoCount > MOST)
        return;
    in->GetPhysicalDeviceQueueFamilyProperties(p, &n, family);
    for (uint32_t i = 0; i < info->queueCreateInfoCount; i++) {
        queue[i] = info->pQueueCreateInfos[i];
        if (queue[i].queueFamilyIndex >= n || queue[i].queueCount <= family[queue[i].queueFamilyIndex].queueCount)
            continue;
        queue[i].queueCount = n_queues[queue[i].queueFamilyIndex] = family[queue[i].queueFamilyIndex].queueCount;
    }
    info->pQueueCreateInfos = queue;
}

/* Two names of one queue: what is submitted to either comes in turn. */
static uint32_t real_queue(const struct device *d, uint32_t family, uint32_t index)
{
    return family < MOST && d->n_queues[family] ? index % d->n_queues[family] : index;
}

VKAPI_ATTR void VKAPI_CALL layer_GetDeviceQueue(VkDevice device, uint32_t family, uint32_t index, VkQueue *queue)
{
    struct device *d = layer_enter(device);
    d->GetDeviceQueue(device, family, real_queue(d, family, index), queue);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_GetDeviceQueue2(VkDevice device, const VkDeviceQueueInfo2 *info, VkQueue *queue)
{
    struct device *d = layer_enter(device);
    VkDeviceQueueInfo2 real = *info;
    real.queueIndex = real_queue(d, info->queueFamilyIndex, info->queueIndex);
    d->GetDeviceQueue2(device, &real, queue);
    layer_leave();
}

/* ---- submissions ------------------------------------------------------------------------------------------------ */

/* The values of timeline semaphores that come with one: none where it has other structures as well. */
static const VkTimelineSemaphoreSubmitInfo *find_values(const VkSubmitInfo *info)
{
    const VkTimelineSemaphoreSubmitInfo *v = info->pNext;
    return v && v->sType == VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO && !v->pNext ? v : NULL;
}

/* Keeps one that signals, until it is known whether the next one waits for it. */
static bool keep_ahead(struct device *d, VkQueue queue, const VkSubmitInfo *info, VkFence fence)
{
    const VkTimelineSemaphoreSubmitInfo *v = find_values(info);
    if (!lad_inject_on(&d->set, LAD_FAULT_S4_vk_no_wait) || (info->pNext && !v) || !info->signalSemaphoreCount ||
        info->signalSemaphoreCount > 16 || info->waitSemaphoreCount > 16 || info->commandBufferCount > 16)
        return false;
    d->ahead.queue = queue;
    d->ahead.fence = fence;
    d->ahead.info = *info;
    memcpy(d->ahead.cmd, info->pCommandBuffers, info->commandBufferCount * sizeof *d->ahead.cmd);
    memcpy(d->ahead.wait, info->pWaitSemaphores, info->waitSemaphoreCount * sizeof *d->ahead.wait);
    memcpy(d->ahead.stage, info->pWaitDstStageMask, info->waitSemaphoreCount * sizeof *d->ahead.stage);
    memcpy(d->ahead.signal, info->pSignalSemaphores, info->signalSemaphoreCount * sizeof *d->ahead.signal);
    d->ahead.info.pCommandBuffers = d->ahead.cmd;
    d->ahead.info.pWaitSemaphores = d->ahead.wait;
    d->ahead.info.pWaitDstStageMask = d->ahead.stage;
    d->ahead.info.pSignalSemaphores = d->ahead.signal;
    if (v) {
        d->ahead.values = *v;
        if (v->waitSemaphoreValueCount == info->waitSemaphoreCount)
            memcpy(d->ahead.wait_value, v->pWaitSemaphoreValues, info->waitSemaphoreCount * sizeof(uint64_t));
        if (v->signalSemaphoreValueCount == info->signalSemaphoreCount)
            memcpy(d->ahead.signal_value, v->pSignalSemaphoreValues, info->signalSemaphoreCount * sizeof(uint64_t));
        d->ahead.values.pWaitSemaphoreValues = d->ahead.wait_value;
        d->ahead.values.pSignalSemaphoreValues = d->ahead.signal_value;
        d->ahead.info.pNext = &d->ahead.values;
    }
    return d->ahead.is = true;
}

static bool waits_for_ahead(const struct device *d, const VkSubmitInfo *info)
{
    for (uint32_t i = 0; d->ahead.is && i < info->waitSemaphoreCount; i++)
        for (uint32_t k = 0; k < d->ahead.info.signalSemaphoreCount; k++)
            if (info->pWaitSemaphores[i] == d->ahead.signal[k])
                return true;
    return false;
}

/* The work of the submission that waits is done, and only then that of the one that it should have waited for. Its own
 * semaphores and its fence come last, without work, so that all are as the program believes them to be. */
static void overtake(struct device *d, VkQueue queue, VkSubmitInfo *info)
{
    VkSubmitInfo early = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                          .commandBufferCount = info->commandBufferCount,
                          .pCommandBuffers = info->pCommandBuffers};
    d->QueueSubmit(queue, 1, &early, VK_NULL_HANDLE);
    d->QueueWaitIdle(queue);
    go_on(d);
    info->commandBufferCount = 0;
}

/* One at a time where one may overtake another. */
static VkResult submit_each(struct device *d, VkQueue queue, uint32_t n, VkSubmitInfo *info, VkFence fence)
{
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < n && result == VK_SUCCESS; i++) {
        VkFence last = i + 1 == n ? fence : VK_NULL_HANDLE;
        if (waits_for_ahead(d, &info[i]) && HIT(d, S4_vk_no_wait, .after = d->n_dispatches))
            overtake(d, queue, &info[i]);
        go_on(d);
        if (!keep_ahead(d, queue, &info[i], last))
            result = d->QueueSubmit(queue, 1, &info[i], last);
    }
    return result;
}

static bool put_off(struct device *d, VkQueue queue, uint32_t n, const VkSubmitInfo *info)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += info[i].commandBufferCount;
        if (info[i].waitSemaphoreCount)
            return false;
    }
    if (!total || total > 16)
        return false;
    d->late.queue = queue;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < info[i].commandBufferCount; k++)
            d->late.cmd[d->late.n++] = info[i].pCommandBuffers[k];
    return true;
}

/* Every submission, in whatever form it came; info is changed. */
static VkResult submit(struct device *d, VkQueue queue, uint32_t n, VkSubmitInfo *info, VkFence fence)
{
    struct lad_at at = {.size = n, .after = d->n_dispatches};
    run_late(d);
    layer_share_in(d);
    d->swallowed |= !!HIT_AT(d, E2_vk_submit_swallowed, at);
    d->dead |= HIT_AT(d, T1_vk_silent, at) || HIT_AT(d, T1_vk_lost, at);
    bool empty = d->swallowed || d->dead || HIT_AT(d, D1_vk_not_submitted, at);
    if (!empty && HIT_AT(d, S1_vk_early_fence, at))
        empty = put_off(d, queue, n, info);
    for (uint32_t i = 0; empty && i < n; i++)
        info[i].commandBufferCount = 0; /* semaphores and the fence still signal */
    if (n && lad_inject_on(&d->set, LAD_FAULT_S4_vk_no_wait))
        return submit_each(d, queue, n, info, fence);
    return d->QueueSubmit(queue, n, info, fence);
}

VKAPI_ATTR VkResult VKAPI_CALL layer_QueueSubmit(VkQueue queue, uint32_t n, const VkSubmitInfo *info, VkFence fence)
{
    struct device *d = layer_enter(queue);
    VkSubmitInfo *own = malloc((n + 1) * sizeof *own);
    if (!own)
        abort();
    if (n)
        memcpy(own, info, n * sizeof *own);
    VkResult result = submit(d, queue, n, own, fence);
    free(own);
    LEAVE(result);
}

struct room { /* for one submission in its plain form */
    VkTimelineSemaphoreSubmitInfo values;
    VkSemaphore *semaphore;
    uint64_t *value;
    VkPipelineStageFlags *stage;
    VkCommandBuffer *cmd;
};

static void *get_room(size_t n, size_t bytes)
{
    void *p = calloc(n + 1, bytes);
    if (!p)
        abort();
    return p;
}

/* The stages that the old form has no bit for are all of them. Protected work and sets of devices are not told apart.
 */
static void make_plain(const VkSubmitInfo2 *s, VkSubmitInfo *own, struct room *r)
{
    uint32_t n = s->waitSemaphoreInfoCount, m = s->signalSemaphoreInfoCount;
    bool timeline = false;
    r->semaphore = get_room(n + m, sizeof *r->semaphore);
    r->value = get_room(n + m, sizeof *r->value);
    r->stage = get_room(n, sizeof *r->stage);
    r->cmd = get_room(s->commandBufferInfoCount, sizeof *r->cmd);
    for (uint32_t i = 0; i < n + m; i++) {
        const VkSemaphoreSubmitInfo *one = i < n ? &s->pWaitSemaphoreInfos[i] : &s->pSignalSemaphoreInfos[i - n];
        r->semaphore[i] = one->semaphore;
        r->value[i] = one->value;
        timeline |= one->value != 0;
        if (i < n)
            r->stage[i] = !one->stageMask || one->stageMask >> 32 ? VK_PIPELINE_STAGE_ALL_COMMANDS_BIT
                                                                  : (VkPipelineStageFlags)one->stageMask;
    }
    for (uint32_t i = 0; i < s->commandBufferInfoCount; i++)
        r->cmd[i] = s->pCommandBufferInfos[i].commandBuffer;
    r->values = (VkTimelineSemaphoreSubmitInfo){.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                                .pNext = s->pNext,
                                                .waitSemaphoreValueCount = n,
                                                .pWaitSemaphoreValues = r->value,
                                                .signalSemaphoreValueCount = m,
                                                .pSignalSemaphoreValues = r->value + n};
    *own = (VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                          .pNext = timeline ? &r->values : s->pNext,
                          .waitSemaphoreCount = n,
                          .pWaitSemaphores = r->semaphore,
                          .pWaitDstStageMask = r->stage,
                          .commandBufferCount = s->commandBufferInfoCount,
                          .pCommandBuffers = r->cmd,
                          .signalSemaphoreCount = m,
                          .pSignalSemaphores = r->semaphore + n};
}

VKAPI_ATTR VkResult VKAPI_CALL layer_QueueSubmit2(VkQueue queue, uint32_t n, const VkSubmitInfo2 *info, VkFence fence)
{
    struct device *d = layer_enter(queue);
    VkSubmitInfo *own = get_room(n, sizeof *own);
    struct room *room = get_room(n, sizeof *room);
    for (uint32_t i = 0; i < n; i++)
        make_plain(&info[i], &own[i], &room[i]);
    VkResult result = submit(d, queue, n, own, fence);
    for (uint32_t i = 0; i < n; i++) {
        free(room[i].semaphore);
        free(room[i].value);
        free(room[i].stage);
        free(room[i].cmd);
    }
    free(room);
    free(own);
    LEAVE(result);
}

/* ---- waits ------------------------------------------------------------------------------------------------------ */

static bool tells_lost(const struct device *d)
{
    return d->dead && lad_inject_on(&d->set, LAD_FAULT_T1_vk_lost);
}

VKAPI_ATTR VkResult VKAPI_CALL layer_WaitForFences(VkDevice device, uint32_t n, const VkFence *fences, VkBool32 all,
                                                   uint64_t timeout)
{
    struct device *d = layer_enter(device);
    bool lost = tells_lost(d);
    PFN_vkWaitForFences wait = d->WaitForFences;
    go_on(d);
    layer_leave(); /* others go on meanwhile */
    VkResult result = wait(device, n, fences, all, timeout);
    layer_share_back(device);
    return lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST : result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_WaitSemaphores(VkDevice device, const VkSemaphoreWaitInfo *info, uint64_t timeout)
{
    struct device *d = layer_enter(device);
    bool lost = tells_lost(d);
    PFN_vkWaitSemaphores wait = d->WaitSemaphores;
    go_on(d);
    layer_leave();
    VkResult result = wait(device, info, timeout);
    layer_share_back(device);
    return lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST : result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_GetSemaphoreCounterValue(VkDevice device, VkSemaphore semaphore, uint64_t *value)
{
    struct device *d = layer_enter(device);
    go_on(d);
    VkResult result = d->GetSemaphoreCounterValue(device, semaphore, value);
    layer_share_back(device);
    LEAVE(tells_lost(d) ? VK_ERROR_DEVICE_LOST : result);
}

VKAPI_ATTR VkResult VKAPI_CALL layer_GetFenceStatus(VkDevice device, VkFence fence)
{
    struct device *d = layer_enter(device);
    go_on(d);
    VkResult result = d->GetFenceStatus(device, fence);
    layer_share_back(device);
    LEAVE(d->swallowed ? VK_ERROR_OUT_OF_DEVICE_MEMORY : tells_lost(d) ? VK_ERROR_DEVICE_LOST : result);
}

VKAPI_ATTR VkResult VKAPI_CALL layer_DeviceWaitIdle(VkDevice device)
{
    struct device *d = layer_enter(device);
    layer_settle(d);
    bool lost = tells_lost(d);
    PFN_vkDeviceWaitIdle wait = d->DeviceWaitIdle;
    layer_leave();
    VkResult result = wait(device);
    layer_share_back(device);
    return d->swallowed ? VK_ERROR_OUT_OF_DEVICE_MEMORY : lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST : result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_QueueWaitIdle(VkQueue queue)
{
    struct device *d = layer_enter(queue);
    layer_settle(d);
    PFN_vkQueueWaitIdle wait = d->QueueWaitIdle;
    layer_leave();
    VkResult result = wait(queue);
    layer_share_back(queue);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_ResetDescriptorPool(VkDevice device, VkDescriptorPool pool,
                                                         VkDescriptorPoolResetFlags flags)
{
    struct device *d = layer_enter(device);
    if (d->late.n && d->n_pools < MOST) {
        d->pools[d->n_pools++] = pool;
        LEAVE(VK_SUCCESS);
    }
    layer_settle(d);
    LEAVE(d->ResetDescriptorPool(device, pool, flags));
}
