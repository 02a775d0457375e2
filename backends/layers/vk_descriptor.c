/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: what is written is not what was asked for, and what a binding holds. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

/* Only where a fault is on that asks. */
static void note_bound(struct device *d, uint32_t n, const VkWriteDescriptorSet *writes)
{
    if (!lad_inject_on(&d->set, LAD_FAULT_L1_vk_freed_early) && !lad_inject_on(&d->set, LAD_FAULT_L1_vk_reused))
        return;
    for (uint32_t i = 0; i < n; i++) {
        size_t at = 0;
        if (!writes[i].pBufferInfo || writes[i].descriptorCount != 1)
            continue;
        while (at < d->n_bound &&
               !(d->bound[at].set == writes[i].dstSet && d->bound[at].binding == writes[i].dstBinding))
            at++;
        if (at == d->n_bound) {
            d->bound = layer_grow(d->bound, d->n_bound, &d->bound_room, sizeof *d->bound);
            d->n_bound++;
        }
        d->bound[at] = (struct bound){writes[i].dstSet, writes[i].dstBinding, *writes[i].pBufferInfo};
    }
}

bool layer_find_bound(struct device *d, const struct cmd *c, uint32_t binding, VkDescriptorBufferInfo *info)
{
    const VkBufferUsageFlags moves = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    for (size_t i = 0; i < d->n_bound && c->now.n_sets; i++) {
        const struct bound *b = &d->bound[i];
        const struct buffer *buffer = layer_buffer(d, b->info.buffer);
        if (b->set != c->now.set[0] || b->binding != binding || !buffer || (buffer->usage & moves) != moves)
            continue;
        *info = b->info;
        if (info->range == VK_WHOLE_SIZE)
            info->range = buffer->bytes - info->offset;
        return true;
    }
    return false;
}

VKAPI_ATTR void VKAPI_CALL layer_UpdateDescriptorSets(VkDevice device, uint32_t n, const VkWriteDescriptorSet *writes,
                                                      uint32_t n_copies, const VkCopyDescriptorSet *copies)
{
    struct device *d = layer_enter(device);
    VkWriteDescriptorSet *w = malloc((n + 1) * sizeof *w);
    VkDescriptorBufferInfo *info = malloc((n + 1) * sizeof *info);
    uint32_t n_own = 0, kept = 0;
    struct lad_inject *f;
    if (!w || !info)
        abort();
    note_bound(d, n, writes);
    for (uint32_t i = 0; i < n; i++) {
        w[i] = writes[i];
        if (!w[i].pBufferInfo || w[i].descriptorCount != 1)
            continue;
        info[i] = *w[i].pBufferInfo;
        w[i].pBufferInfo = &info[i];
        n_own += i == n_own && w[i].dstSet == w[0].dstSet; /* buffers of the first set, at the front */
    }
    if (n_own > 1 && HIT(d, B1_vk_swap, .size = n_own)) {
        VkDescriptorBufferInfo t = info[0];
        info[0] = info[1];
        info[1] = t;
    }
    if (n_own > 1 && HIT(d, B1_vk_shift, .size = n_own)) {
        VkDescriptorBufferInfo t = info[0];
        memmove(info, info + 1, (n_own - 1) * sizeof *info);
        info[n_own - 1] = t;
    }
    struct lad_inject *offset = n_own ? HIT(d, B3_vk_offset, .size = n_own) : NULL;
    struct lad_inject *range = n_own ? HIT(d, B3_vk_range, .size = n_own) : NULL;
    struct lad_inject *clamp = n_own ? HIT(d, Z2_vk_clamp_range, .size = n_own) : NULL;
    struct lad_inject *none = n_own ? HIT(d, B2_vk_unwritten, .size = n_own) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        bool own = i < n_own;
        if (own && offset && PARAM(offset, "binding") == w[i].dstBinding) {
            info[i].offset += PARAM(offset, "bytes");
            info[i].range -= info[i].range == VK_WHOLE_SIZE ? 0 : PARAM(offset, "bytes");
        }
        f = range && PARAM(range, "binding") == w[i].dstBinding ? range : NULL;
        f = f ? f : clamp && PARAM(clamp, "binding") == w[i].dstBinding ? clamp : NULL;
        if (own && f &&
            info[i].range > PARAM(f, "limit")) /* may be more than there is behind the offset: then no effect */
            info[i].range = PARAM(f, "limit");
        if (own && none && PARAM(none, "binding") == w[i].dstBinding)
            continue;
        VkWriteDescriptorSet t = w[i];
        w[kept++] = t;
    }
    d->UpdateDescriptorSets(device, kept, w, n_copies, copies);
    free(w);
    free(info);
    layer_leave();
}
