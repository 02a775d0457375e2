/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command buffers on their way: recording, barriers within a queue and semaphores between queues, submission, waiting,
 * and the timestamps at both ends. A barrier() starts a new epoch; a queue that then records for the first time brings
 * its own earlier work before that by a pipeline barrier, and other queues' earlier work by a semaphore. So does the
 * end of a wait: a fence makes nothing visible to later commands.
 */
#include "vk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTLAST_NS 10000000000ull /* how long work that was said to be complete may go on */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* With work in flight of which nothing can be learnt, the device is as good as lost. */
static bool lost(struct lad_dev *dev, struct lad_fail *fail, const char *call, VkResult result)
{
    dev->dead |= result == VK_ERROR_DEVICE_LOST || dev->flying;
    return lad_vk_fail(fail, call, result);
}

static void destroy_cmds(struct lad_dev *dev, struct lad_vk_cmd *c)
{
    for (struct lad_vk_cmd *next; c; c = next) {
        next = c->next;
        dev->fn.vkDestroyFence(dev->handle, c->fence, NULL);
        dev->fn.vkDestroyQueryPool(dev->handle, c->stamps, NULL);
        free(c); /* the command buffer goes with its pool */
    }
}

static struct lad_vk_cmd *create_cmd(struct lad_dev *dev, struct lad_fail *fail)
{
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = dev->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkQueryPoolCreateInfo stamps = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};
    struct lad_vk_cmd *c = calloc(1, sizeof *c);
    const char *call = "vkAllocateCommandBuffers";
    VkResult result =
        c ? dev->fn.vkAllocateCommandBuffers(dev->handle, &info, &c->handle) : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (result == VK_SUCCESS) {
        call = "vkCreateFence";
        result = dev->fn.vkCreateFence(dev->handle, &fence, NULL, &c->fence);
    }
    if (result == VK_SUCCESS && dev->phys->stamp_bits) {
        call = "vkCreateQueryPool";
        result = dev->fn.vkCreateQueryPool(dev->handle, &stamps, NULL, &c->stamps);
    }
    if (result == VK_SUCCESS)
        return c;
    lad_vk_fail(fail, call, result);
    if (c)
        destroy_cmds(dev, c);
    return NULL;
}

static VkSemaphore get_semaphore(struct lad_dev *dev, struct lad_fail *fail)
{
    VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    if (dev->n_signals == dev->n_semaphores) {
        dev->semaphore = lad_vk_room(dev->semaphore, dev->n_semaphores, &dev->semaphore_room, sizeof *dev->semaphore);
        VkResult result = dev->fn.vkCreateSemaphore(dev->handle, &info, NULL, &dev->semaphore[dev->n_semaphores]);
        if (result != VK_SUCCESS) {
            lad_vk_fail(fail, "vkCreateSemaphore", result);
            return VK_NULL_HANDLE;
        }
        dev->n_semaphores++;
    }
    return dev->semaphore[dev->n_signals++];
}

static void record_barrier(struct lad_dev *dev, VkCommandBuffer cmd, bool to_host)
{
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT | (to_host ? 0 : VK_ACCESS_MEMORY_READ_BIT),
                               .dstAccessMask = to_host ? VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT
                                                        : VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
    dev->fn.vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                                 to_host ? VK_PIPELINE_STAGE_HOST_BIT : VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 1,
                                 &barrier, 0, NULL, 0, NULL);
}

/* What was recorded cannot run any more; nor can anything else where semaphores tie it to that. */
static void forget(struct lad_dev *dev)
{
    dev->dead |= dev->n_signals > 0;
    for (uint32_t q = 0; q < LAD_VK_QUEUES; q++)
        if (dev->open[q]) {
            *dev->closed_end = dev->open[q];
            dev->closed_end = &dev->open[q]->next;
            dev->open[q] = NULL;
        }
    *dev->closed_end = dev->idle;
    dev->idle = dev->closed;
    dev->closed = NULL;
    dev->closed_end = &dev->closed;
}

static bool close_cmd(struct lad_dev *dev, uint32_t q, struct lad_fail *fail)
{
    struct lad_vk_cmd *c = dev->open[q];
    if (!c)
        return true;
    record_barrier(dev, c->handle, true);
    if (c->stamped)
        dev->fn.vkCmdWriteTimestamp(c->handle, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, c->stamps, 1);
    dev->open[q] = NULL;
    *dev->closed_end = c;
    dev->closed_end = &c->next;
    VkResult result = dev->fn.vkEndCommandBuffer(c->handle);
    if (result == VK_SUCCESS)
        return true;
    forget(dev);
    return lost(dev, fail, "vkEndCommandBuffer", result);
}

static bool open_cmd(struct lad_dev *dev, uint32_t q, struct lad_fail *fail)
{
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    struct lad_vk_cmd *c = dev->idle;
    if (c)
        dev->idle = c->next;
    else if (!(c = create_cmd(dev, fail)))
        return false;
    c->next = NULL;
    c->queue = q;
    c->n_wait = c->n_signal = 0;
    dev->open[q] = c;
    VkResult result = dev->fn.vkBeginCommandBuffer(c->handle, &info);
    if (result != VK_SUCCESS) {
        forget(dev);
        return lad_vk_fail(fail, "vkBeginCommandBuffer", result);
    }
    c->stamped = c->stamps && dev->stamping;
    if (c->stamped) {
        dev->fn.vkCmdResetQueryPool(c->handle, c->stamps, 0, 2);
        dev->fn.vkCmdWriteTimestamp(c->handle, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, c->stamps, 0);
    }
    return true;
}

/* Has queue a commands from before the last barrier that queue b does not wait for yet? */
static bool must_wait(const struct lad_dev *dev, uint32_t b, uint32_t a)
{
    return a != b && dev->seen[b][a] < dev->before[a];
}

/* Ends what is open on a with a signal, and begins anew on b with a wait for it. */
static bool wait_for(struct lad_dev *dev, uint32_t b, uint32_t a, struct lad_fail *fail)
{
    VkSemaphore semaphore = get_semaphore(dev, fail);
    if (!semaphore || (!dev->open[a] && !open_cmd(dev, a, fail)))
        return false;
    dev->open[a]->signal[dev->open[a]->n_signal++] = semaphore;
    if (!close_cmd(dev, a, fail) || !close_cmd(dev, b, fail) || !open_cmd(dev, b, fail))
        return false;
    dev->open[b]->wait[dev->open[b]->n_wait++] = semaphore;
    dev->seen[b][a] = dev->used[a];
    return true;
}

VkCommandBuffer lad_vk_record(struct lad_dev *dev, uint32_t q, struct lad_fail *fail)
{
    for (uint32_t a = 0; a < LAD_VK_QUEUES; a++)
        if (must_wait(dev, q, a) && !wait_for(dev, q, a, fail))
            return VK_NULL_HANDLE;
    if (!dev->open[q] && !open_cmd(dev, q, fail))
        return VK_NULL_HANDLE;
    if (dev->synced[q] < dev->epoch)
        record_barrier(dev, dev->open[q]->handle, false);
    dev->synced[q] = dev->epoch;
    dev->used[q] = dev->epoch + 1;
    return dev->open[q]->handle;
}

bool lad_vk_barrier(struct lad_dev *dev, struct lad_fail *fail)
{
    memcpy(dev->before, dev->used, sizeof dev->before);
    dev->epoch++;
    return !lad_vk_gone(dev, fail);
}

bool lad_vk_submit(struct lad_dev *dev, struct lad_fail *fail)
{
    static const VkPipelineStageFlags stages[LAD_VK_QUEUES] = {VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                                                               VK_PIPELINE_STAGE_ALL_COMMANDS_BIT};
    if (lad_vk_gone(dev, fail))
        return false;
    for (uint32_t q = 0; q < LAD_VK_QUEUES; q++)
        if (!close_cmd(dev, q, fail))
            return false;
    if (dev->closed && !dev->flying)
        dev->start_ns = now_ns();
    while (dev->closed) {
        struct lad_vk_cmd *c = dev->closed;
        VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                             .waitSemaphoreCount = c->n_wait,
                             .pWaitSemaphores = c->wait,
                             .pWaitDstStageMask = stages,
                             .commandBufferCount = 1,
                             .pCommandBuffers = &c->handle,
                             .signalSemaphoreCount = c->n_signal,
                             .pSignalSemaphores = c->signal};
        VkResult result = dev->fn.vkQueueSubmit(dev->queue[c->queue], 1, &info, c->fence);
        if (result != VK_SUCCESS) {
            forget(dev);
            return lost(dev, fail, "vkQueueSubmit", result);
        }
        dev->closed = c->next;
        c->next = dev->flying;
        dev->flying = c;
    }
    dev->closed_end = &dev->closed;
    return true;
}

/* The newest is given: its end is the last stamp, the oldest's start the first. Clocks of different queues need not
 * agree, so that work on more than one has no device time. */
static void read_stamps(struct lad_dev *dev, const struct lad_vk_cmd *newest)
{
    uint64_t start[2], end[2], mask = dev->phys->stamp_bits >= 64 ? UINT64_MAX : (1ull << dev->phys->stamp_bits) - 1;
    const struct lad_vk_cmd *oldest = newest;
    for (const struct lad_vk_cmd *c = newest; c; oldest = c, c = c->next)
        if (!c->stamped || c->queue != newest->queue)
            return;
    if (dev->fn.vkGetQueryPoolResults(dev->handle, newest->stamps, 0, 2, sizeof end, end, 8, VK_QUERY_RESULT_64_BIT) ||
        dev->fn.vkGetQueryPoolResults(dev->handle, oldest->stamps, 0, 2, sizeof start, start, 8,
                                      VK_QUERY_RESULT_64_BIT))
        return;
    dev->times.raw[0] = start[0] & mask;
    dev->times.raw[1] = end[1] & mask;
    dev->times.n_raw = 2;
    dev->times.device_ns = (uint64_t)((double)((end[1] - start[0]) & mask) * (double)dev->phys->limits.timestampPeriod);
}

/* Everything is complete: times are taken, objects can be used again. */
static bool retire(struct lad_dev *dev, struct lad_fail *fail)
{
    memset(&dev->times, 0, sizeof dev->times);
    dev->stamping = false;
    if (dev->flying) {
        dev->times.host_ns = now_ns() - dev->start_ns;
        read_stamps(dev, dev->flying);
    }
    while (dev->flying) {
        struct lad_vk_cmd *c = dev->flying;
        VkResult result = dev->fn.vkResetFences(dev->handle, 1, &c->fence);
        if (result != VK_SUCCESS)
            return lost(dev, fail, "vkResetFences", result);
        dev->flying = c->next;
        c->next = dev->idle;
        dev->idle = c;
    }
    dev->n_signals = 0;
    dev->epoch = 1;
    memset(dev->used, 0, sizeof dev->used);
    memset(dev->before, 0, sizeof dev->before);
    memset(dev->seen, 0, sizeof dev->seen);
    memset(dev->synced, 0, sizeof dev->synced);
    lad_vk_sets_reset(dev);
    return true;
}

/* `call` says that everything is complete; the fences know. Nothing is used again before they agree. */
static bool is_over(struct lad_dev *dev, const char *call, struct lad_fail *fail)
{
    bool early = false;
    uint64_t start = now_ns();
    for (struct lad_vk_cmd *c = dev->flying; c; c = c->next) {
        VkResult result;
        while ((result = dev->fn.vkGetFenceStatus(dev->handle, c->fence)) == VK_NOT_READY &&
               now_ns() - start < OUTLAST_NS) {
            early = true;
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
        if (result != VK_SUCCESS)
            return lost(dev, fail, "vkGetFenceStatus", result == VK_NOT_READY ? VK_TIMEOUT : result);
    }
    if (!retire(dev, fail))
        return false;
    if (!early)
        return true;
    lad_vk_fail(fail, call, VK_SUCCESS);
    snprintf(fail->text, sizeof fail->text, "%s returned before the fence of the work was signalled", call);
    fail->early = true;
    return false;
}

/* An experiment: is it only that waits return too early? */
static void be_patient(struct lad_dev *dev)
{
    static int n_pauses;
    const char *patience = getenv("GPULADDER_PATIENCE");
    if (!patience || !*patience)
        return;
    dev->fn.vkDeviceWaitIdle(dev->handle);
    long pause_ms = n_pauses++ < 16 ? strtol(patience, NULL, 10) : 0;
    nanosleep(&(struct timespec){pause_ms / 1000, pause_ms % 1000 * 1000000}, NULL);
}

bool lad_vk_wait(struct lad_dev *dev, uint64_t timeout_ns, struct lad_fail *fail)
{
    uint64_t start = now_ns();
    if (!lad_vk_submit(dev, fail))
        return false;
    for (struct lad_vk_cmd *c = dev->flying; c; c = c->next) {
        uint64_t spent = now_ns() - start;
        VkResult result =
            dev->fn.vkWaitForFences(dev->handle, 1, &c->fence, VK_TRUE, timeout_ns > spent ? timeout_ns - spent : 0);
        if (result != VK_SUCCESS)
            return lost(dev, fail, "vkWaitForFences", result);
    }
    be_patient(dev);
    return is_over(dev, "vkWaitForFences", fail);
}

bool lad_vk_finish(struct lad_dev *dev, struct lad_fail *fail)
{
    if (!lad_vk_submit(dev, fail))
        return false;
    VkResult result = dev->fn.vkDeviceWaitIdle(dev->handle);
    if (result != VK_SUCCESS)
        return lost(dev, fail, "vkDeviceWaitIdle", result);
    return is_over(dev, "vkDeviceWaitIdle", fail);
}

bool lad_vk_done(struct lad_dev *dev, bool *complete, struct lad_fail *fail)
{
    *complete = !dev->closed && !dev->open[0] && !dev->open[1];
    for (struct lad_vk_cmd *c = dev->flying; c; c = c->next) {
        VkResult result = dev->fn.vkGetFenceStatus(dev->handle, c->fence);
        if (result < 0)
            return lost(dev, fail, "vkGetFenceStatus", result);
        *complete &= result == VK_SUCCESS;
    }
    return true;
}

bool lad_vk_times(struct lad_dev *dev, struct lad_times *times)
{
    *times = dev->times;
    dev->stamping = true;
    return true;
}

bool lad_vk_quiet(struct lad_dev *dev, uint64_t patience_ns)
{
    for (struct lad_vk_cmd *c = dev->flying; c; c = c->next)
        if (dev->fn.vkWaitForFences(dev->handle, 1, &c->fence, VK_TRUE, patience_ns) != VK_SUCCESS)
            return false;
    return true;
}

void lad_vk_queues_destroy(struct lad_dev *dev)
{
    for (uint32_t q = 0; q < LAD_VK_QUEUES; q++)
        destroy_cmds(dev, dev->open[q]);
    destroy_cmds(dev, dev->closed);
    destroy_cmds(dev, dev->flying);
    destroy_cmds(dev, dev->idle);
    for (size_t i = 0; i < dev->n_semaphores; i++)
        dev->fn.vkDestroySemaphore(dev->handle, dev->semaphore[i], NULL);
    free(dev->semaphore);
    dev->fn.vkDestroyCommandPool(dev->handle, dev->pool, NULL);
}
