/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions and waits. Work may come later than its fence says: before anything that would notice. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

/* The work of which the fence has signalled already. */
void layer_settle(struct device *d)
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

static bool put_off(struct device *d, VkQueue queue, uint32_t n, const VkSubmitInfo *info)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += info[i].commandBufferCount;
        if (info[i].waitSemaphoreCount || info[i].signalSemaphoreCount)
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

VKAPI_ATTR VkResult VKAPI_CALL layer_QueueSubmit(VkQueue queue, uint32_t n, const VkSubmitInfo *info, VkFence fence)
{
    struct device *d = layer_enter(queue);
    VkSubmitInfo *own = malloc((n + 1) * sizeof *own);
    struct lad_at at = {.size = n, .after = d->n_dispatches};
    if (!own)
        abort();
    layer_settle(d);
    memcpy(own, info, n * sizeof *own);
    d->swallowed |= !!HIT_AT(d, E2_vk_submit_swallowed, at);
    d->dead |= HIT_AT(d, T1_vk_silent, at) || HIT_AT(d, T1_vk_lost, at);
    bool empty = d->swallowed || d->dead || HIT_AT(d, D1_vk_not_submitted, at);
    if (!empty && HIT_AT(d, S1_vk_early_fence, at))
        empty = put_off(d, queue, n, info);
    for (uint32_t i = 0; empty && i < n; i++)
        own[i].commandBufferCount = 0; /* semaphores and the fence still signal */
    VkResult result = d->QueueSubmit(queue, n, own, fence);
    free(own);
    LEAVE(result);
}

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
    layer_leave(); /* others go on meanwhile */
    VkResult result = wait(device, n, fences, all, timeout);
    return lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST : result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_GetFenceStatus(VkDevice device, VkFence fence)
{
    struct device *d = layer_enter(device);
    VkResult result = d->GetFenceStatus(device, fence);
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
    return d->swallowed ? VK_ERROR_OUT_OF_DEVICE_MEMORY : lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST : result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_QueueWaitIdle(VkQueue queue)
{
    struct device *d = layer_enter(queue);
    layer_settle(d);
    PFN_vkQueueWaitIdle wait = d->QueueWaitIdle;
    layer_leave();
    return wait(queue);
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

VKAPI_ATTR void VKAPI_CALL layer_DestroyDescriptorPool(VkDevice device, VkDescriptorPool pool,
                                                       const VkAllocationCallbacks *cb)
{
    struct device *d = layer_enter(device);
    layer_settle(d);
    d->DestroyDescriptorPool(device, pool, cb);
    layer_leave();
}
