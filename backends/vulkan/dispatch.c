/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: dispatch with its descriptor sets, fill and copy. */
#include "vk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS 128u /* of a pool: two a dispatch */
#define BUFFERS 1024u

static bool add_pool(struct lad_dev *dev, struct lad_fail *fail)
{
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, BUFFERS};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = SETS,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    struct lad_vk_sets *sets = calloc(1, sizeof *sets);
    VkResult result =
        sets ? dev->fn.vkCreateDescriptorPool(dev->handle, &info, NULL, &sets->pool) : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (result != VK_SUCCESS) {
        free(sets);
        return lad_vk_fail(fail, "vkCreateDescriptorPool", result);
    }
    *sets = (struct lad_vk_sets){dev->sets, sets->pool, SETS, BUFFERS};
    dev->sets = sets;
    return true;
}

/* Nothing is in flight: keeps one pool, empty. */
void lad_vk_sets_reset(struct lad_dev *dev)
{
    while (dev->sets && dev->sets->next) {
        struct lad_vk_sets *next = dev->sets->next;
        dev->fn.vkDestroyDescriptorPool(dev->handle, dev->sets->pool, NULL);
        free(dev->sets);
        dev->sets = next;
    }
    if (!dev->sets || dev->sets->sets_left == SETS)
        return;
    dev->fn.vkResetDescriptorPool(dev->handle, dev->sets->pool, 0);
    dev->sets->sets_left = SETS;
    dev->sets->buffers_left = BUFFERS;
}

void lad_vk_sets_destroy(struct lad_dev *dev)
{
    lad_vk_sets_reset(dev);
    if (dev->sets)
        dev->fn.vkDestroyDescriptorPool(dev->handle, dev->sets->pool, NULL);
    free(dev->sets);
    dev->sets = NULL;
}

static bool make_sets(struct lad_dev *dev, const struct lad_dispatch *d, VkDescriptorSet set[2], struct lad_fail *fail)
{
    const struct lad_kernel *k = d->kernel;
    uint32_t n = k->source->n_bufs;
    VkDescriptorBufferInfo buffers[LAD_VK_BUFFERS + 1];
    VkWriteDescriptorSet writes[LAD_VK_BUFFERS + 1];
    VkDescriptorSetLayout layouts[] = {k->set_layout, dev->witness_layout};
    struct lad_buf_desc tiny = {.bytes = 16};
    if (!d->witness && !dev->no_witness && !(dev->no_witness = lad_vk_buf_create(dev, &tiny, fail)))
        return false;
    if ((!dev->sets || dev->sets->sets_left < 2 || dev->sets->buffers_left < n + 1) && !add_pool(dev, fail))
        return false;
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = dev->sets->pool,
                                        .descriptorSetCount = 2,
                                        .pSetLayouts = layouts};
    VkResult result = dev->fn.vkAllocateDescriptorSets(dev->handle, &info, set);
    if (result != VK_SUCCESS)
        return lad_vk_fail(fail, "vkAllocateDescriptorSets", result);
    dev->sets->sets_left -= 2;
    dev->sets->buffers_left -= n + 1;
    for (uint32_t i = 0; i <= n; i++) {
        const struct lad_buf *witness = d->witness ? d->witness : dev->no_witness;
        buffers[i] =
            (VkDescriptorBufferInfo){i < n ? d->binds[i].buf->handle : witness->handle, i < n ? d->binds[i].offset : 0,
                                     i < n && d->binds[i].bytes ? d->binds[i].bytes : VK_WHOLE_SIZE};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set[i == n],
                                           .dstBinding = i < n ? i : 0,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    }
    dev->fn.vkUpdateDescriptorSets(dev->handle, n + 1, writes, 0, NULL);
    return true;
}

static bool check_limits(const struct lad_dev *dev, const struct lad_dispatch *d, struct lad_fail *fail)
{
    const VkPhysicalDeviceLimits *l = &dev->phys->limits;
    for (int i = 0; i < 3 && !d->indirect; i++)
        if ((uint64_t)d->base[i] + d->groups[i] > l->maxComputeWorkGroupCount[i])
            return lad_vk_refuse(fail, "vkCmdDispatch", "%u workgroups from %u on in dimension %d, the device takes %u",
                                 d->groups[i], d->base[i], i, l->maxComputeWorkGroupCount[i]);
    for (uint32_t i = 0; i < d->kernel->source->n_bufs; i++) {
        const struct lad_bind *b = &d->binds[i];
        uint64_t bytes = b->bytes ? b->bytes : b->buf->bytes - b->offset;
        if (bytes > l->maxStorageBufferRange)
            return lad_vk_refuse(fail, "vkUpdateDescriptorSets",
                                 "buffer %u is bound with %llu bytes, maxStorageBufferRange is %u", i,
                                 (unsigned long long)bytes, l->maxStorageBufferRange);
    }
    return true;
}

bool lad_vk_dispatch(struct lad_dev *dev, const struct lad_dispatch *d, struct lad_fail *fail)
{
    const struct lad_kernel *k = d->kernel;
    VkDescriptorSet set[2];
    if (lad_vk_gone(dev, fail) || !check_limits(dev, d, fail) || !make_sets(dev, d, set, fail))
        return false;
    VkCommandBuffer cmd = lad_vk_record(dev, d->queue, fail);
    if (!cmd)
        return false;
    dev->fn.vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, k->pipeline);
    dev->fn.vkCmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, k->layout, 0, 2, set, 0, NULL);
    dev->fn.vkCmdPushConstants(cmd, k->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, (k->source->scalar_bytes + 3) & ~3u,
                               d->scalars);
    if (d->indirect)
        dev->fn.vkCmdDispatchIndirect(cmd, d->indirect->handle, d->indirect_offset);
    else if (d->base[0] || d->base[1] || d->base[2])
        dev->fn.vkCmdDispatchBase(cmd, d->base[0], d->base[1], d->base[2], d->groups[0], d->groups[1], d->groups[2]);
    else
        dev->fn.vkCmdDispatch(cmd, d->groups[0], d->groups[1], d->groups[2]);
    return true;
}

bool lad_vk_fill(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, uint64_t bytes, uint32_t word,
                 struct lad_fail *fail)
{
    VkCommandBuffer cmd = lad_vk_gone(dev, fail) ? VK_NULL_HANDLE : lad_vk_record(dev, 0, fail);
    if (cmd)
        dev->fn.vkCmdFillBuffer(cmd, buf->handle, offset, bytes, word);
    return cmd;
}

bool lad_vk_copy(struct lad_dev *dev, struct lad_buf *src, uint64_t src_offset, struct lad_buf *dst,
                 uint64_t dst_offset, uint64_t bytes, struct lad_fail *fail)
{
    VkCommandBuffer cmd = lad_vk_gone(dev, fail) ? VK_NULL_HANDLE : lad_vk_record(dev, 0, fail);
    VkBufferCopy region = {src_offset, dst_offset, bytes};
    if (cmd)
        dev->fn.vkCmdCopyBuffer(cmd, src->handle, dst->handle, 1, &region);
    return cmd;
}
