/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and commands, as the program gives them. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

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

VKAPI_ATTR void VKAPI_CALL layer_CmdBindPipeline(VkCommandBuffer handle, VkPipelineBindPoint point, VkPipeline p)
{
    struct device *d = layer_enter(handle);
    if (point == VK_PIPELINE_BIND_POINT_COMPUTE)
        layer_cmd(d, handle)->now.pipeline = p;
    d->CmdBindPipeline(handle, point, p);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdBindDescriptorSets(VkCommandBuffer handle, VkPipelineBindPoint point,
                                                       VkPipelineLayout layout, uint32_t first, uint32_t n,
                                                       const VkDescriptorSet *sets, uint32_t n_dynamic,
                                                       const uint32_t *dynamic)
{
    struct device *d = layer_enter(handle);
    struct cmd *c = layer_cmd(d, handle);
    VkDescriptorSet own[8];
    if (point != VK_PIPELINE_BIND_POINT_COMPUTE || first + n > 8 || n_dynamic > 16) {
        c->strange |= point == VK_PIPELINE_BIND_POINT_COMPUTE;
        d->CmdBindDescriptorSets(handle, point, layout, first, n, sets, n_dynamic, dynamic);
        layer_leave();
        return;
    }
    memcpy(own, sets, n * sizeof *own);
    if (c->bound_once && c->first_layout == layout && HIT(d, B6_vk_shared_set))
        memcpy(own, c->first_set, n * sizeof *own);
    if (!c->bound_once) {
        memcpy(c->first_set, own, n * sizeof *own);
        c->first_layout = layout;
        c->bound_once = true;
    }
    c->now.layout = layout;
    memcpy(c->now.set + first, own, n * sizeof *own);
    c->now.n_sets = first + n > c->now.n_sets || !first ? first + n : c->now.n_sets;
    c->strange |= first || (n_dynamic && first); /* sets bound apart may have layouts of their own */
    memcpy(c->now.dynamic, dynamic, n_dynamic * sizeof *dynamic);
    c->now.n_dynamic = n_dynamic;
    if (c->strange)
        layer_flush(d, c);
    d->CmdBindDescriptorSets(handle, point, layout, first, n, own, n_dynamic, dynamic);
    layer_leave();
}

static void turn_words(unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        unsigned char t[4] = {p[i + 3], p[i + 2], p[i + 1], p[i]};
        memcpy(p + i, t, 4);
    }
}

VKAPI_ATTR void VKAPI_CALL layer_CmdPushConstants(VkCommandBuffer handle, VkPipelineLayout layout,
                                                  VkShaderStageFlags stages, uint32_t offset, uint32_t bytes,
                                                  const void *values)
{
    struct device *d = layer_enter(handle);
    struct cmd *c = layer_cmd(d, handle);
    unsigned char own[256];
    struct lad_inject *f;
    if (bytes > sizeof own || offset + bytes > sizeof own || HIT(d, B4_vk_dropped, .size = bytes)) {
        if (bytes > sizeof own || offset + bytes > sizeof own)
            d->CmdPushConstants(handle, layout, stages, offset, bytes, values);
        layer_leave();
        return;
    }
    memcpy(own, values, bytes);
#define SOME(f) (PARAM(f, "bytes") < bytes ? (size_t)PARAM(f, "bytes") : bytes)
    if ((f = HIT(d, B4_vk_zero, .size = bytes)))
        memset(own, 0, SOME(f));
    if ((f = HIT(d, B4_vk_byte_order, .size = bytes)))
        turn_words(own, SOME(f));
    if ((f = HIT(d, B4_vk_shift, .size = bytes))) {
        memmove(own + SOME(f), own, bytes - SOME(f));
        memset(own, 0, SOME(f));
    }
    if (c->pushed_once && (f = HIT(d, B6_vk_shared_constants, .size = bytes)))
        memcpy(own, c->first_push, SOME(f));
    if (!c->pushed_once)
        memcpy(c->first_push, own, bytes);
#undef SOME
    c->pushed_once = true;
    memcpy(c->now.push + offset, own, bytes);
    c->now.push_layout = layout;
    c->now.stages = stages;
    c->now.push_bytes = offset + bytes > c->now.push_bytes ? offset + bytes : c->now.push_bytes;
    d->CmdPushConstants(handle, layout, stages, offset, bytes, own);
    layer_leave();
}

static void dispatch(struct device *d, VkCommandBuffer handle, struct held h)
{
    uint32_t *g = h.grid + 3;
    struct lad_at at = {.size = g[0], .after = d->n_dispatches++};
    struct lad_inject *f;
    if (HIT_AT(d, D1_vk_dropped, at))
        return;
    if (HIT_AT(d, D1_vk_zero_x, at))
        g[0] = 0;
    if ((f = HIT_AT(d, D2_vk_divided, at)) && PARAM(f, "by"))
        g[0] = (uint32_t)((g[0] + PARAM(f, "by") - 1) / PARAM(f, "by"));
    if (HIT_AT(d, D2_vk_one_group, at))
        g[0] = g[1] = g[2] = 1;
    if (g[0] && HIT_AT(d, D3_vk_last_group, at))
        g[0]--;
    if ((f = HIT_AT(d, D4_vk_extra_group, at)))
        g[0] += (uint32_t)PARAM(f, "more");
    if (g[0] != g[1] && HIT_AT(d, D5_vk_swap_xy, at)) {
        uint32_t t = g[0];
        g[0] = g[1];
        g[1] = t;
    }
    if ((h.grid[0] || h.grid[1] || h.grid[2]) && HIT_AT(d, D5_vk_no_base, at))
        memset(h.grid, 0, 3 * sizeof *h.grid);
    if ((f = HIT_AT(d, Z2_vk_clamp_groups, at)) && g[0] > PARAM(f, "limit"))
        g[0] = (uint32_t)PARAM(f, "limit");
    if ((f = HIT_AT(d, Z2_vk_wrap_groups, at)) && PARAM(f, "limit"))
        g[0] %= (uint32_t)PARAM(f, "limit");
    if (HIT_AT(d, D4_vk_twice, at)) {
        VkMemoryBarrier all = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
        layer_put(d, handle, &h);
        layer_flush(d, layer_cmd(d, handle));
        d->CmdPipelineBarrier(handle, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                              &all, 0, NULL, 0, NULL);
    }
    layer_put(d, handle, &h);
}

VKAPI_ATTR void VKAPI_CALL layer_CmdDispatch(VkCommandBuffer handle, uint32_t x, uint32_t y, uint32_t z)
{
    struct device *d = layer_enter(handle);
    dispatch(d, handle, (struct held){.kind = DISPATCH, .grid = {0, 0, 0, x, y, z}});
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdDispatchBase(VkCommandBuffer handle, uint32_t bx, uint32_t by, uint32_t bz,
                                                 uint32_t x, uint32_t y, uint32_t z)
{
    struct device *d = layer_enter(handle);
    dispatch(d, handle, (struct held){.kind = DISPATCH, .grid = {bx, by, bz, x, y, z}});
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdDispatchIndirect(VkCommandBuffer handle, VkBuffer buffer, VkDeviceSize offset)
{
    struct device *d = layer_enter(handle);
    struct held h = {.kind = INDIRECT, .from = buffer, .offset = offset};
    struct lad_inject *f = HIT(d, I1_vk_offset, .size = offset, .after = d->n_dispatches);
    h.offset += f ? PARAM(f, "bytes") : 0;
    if (HIT(d, I1_vk_zero, .size = offset, .after = d->n_dispatches))
        h = (struct held){.kind = DISPATCH, .grid = {0, 0, 0, 0, 1, 1}};
    d->n_dispatches++;
    layer_put(d, handle, &h);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdFillBuffer(VkCommandBuffer handle, VkBuffer buffer, VkDeviceSize offset,
                                               VkDeviceSize bytes, uint32_t word)
{
    struct device *d = layer_enter(handle);
    struct lad_at at = {.size = bytes, .after = d->n_dispatches};
    struct lad_inject *f;
    if (!HIT_AT(d, A4_vk_no_fill, at)) {
        if (HIT_AT(d, A4_vk_fill_zero, at))
            word = 0;
        if ((f = HIT_AT(d, Z1_vk_fill_size, at)) && PARAM(f, "bits") < 64)
            bytes &= (1ull << PARAM(f, "bits")) - 1;
        if ((f = HIT_AT(d, Z3_vk_fill_over, at)) && bytes != VK_WHOLE_SIZE)
            bytes += PARAM(f, "bytes") & ~3ull;
        if (bytes)
            layer_put(d, handle,
                      &(struct held){.kind = FILL, .to = buffer, .offset = offset, .bytes = bytes, .word = word});
    }
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdCopyBuffer(VkCommandBuffer handle, VkBuffer from, VkBuffer to, uint32_t n,
                                               const VkBufferCopy *regions)
{
    struct device *d = layer_enter(handle);
    for (uint32_t i = 0; i < n; i++) {
        struct held h = {.kind = COPY, .from = from, .to = to, .region = regions[i]};
        struct lad_at at = {.size = h.region.size, .after = d->n_dispatches};
        struct lad_inject *f;
        if (HIT_AT(d, U1_vk_no_copy, at))
            continue;
        if ((f = HIT_AT(d, U4_vk_copy_cap, at)) && h.region.size > PARAM(f, "cap"))
            h.region.size = PARAM(f, "cap");
        if (h.region.srcOffset && HIT_AT(d, U4_vk_copy_offset, at))
            h.region.srcOffset = 0;
        if ((f = HIT_AT(d, Z1_vk_copy_size, at)) && PARAM(f, "bits") < 64)
            h.region.size &= (1ull << PARAM(f, "bits")) - 1;
        if (h.region.size)
            layer_put(d, handle, &h);
    }
    layer_leave();
}
