/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, as the program gives them. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

#define POISON 0xDDDDDDDDu /* what somebody else left */

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
    if (c->now.push_bytes && (c->now.stages != stages || (c->now.push_layout != layout && offset)))
        layer_estrange(d, c); /* one call cannot set all of it again */
    if (c->now.push_layout != layout)
        c->now.push_bytes = 0;
    memcpy(c->now.push + offset, own, bytes);
    c->now.push_layout = layout;
    c->now.stages = stages;
    c->now.push_bytes = offset + bytes > c->now.push_bytes ? offset + bytes : c->now.push_bytes;
    d->CmdPushConstants(handle, layout, stages, offset, bytes, own);
    layer_leave();
}

/* The memory of a binding is somebody else's by now, who writes to it. */
static void lose_memory(struct device *d, VkCommandBuffer handle, struct lad_at at)
{
    struct cmd *c = layer_cmd(d, handle);
    VkDescriptorBufferInfo gone, next;
    struct lad_inject *f;
    if (layer.keep)
        return;
    if ((f = HIT_AT(d, L1_vk_freed_early, at)) && layer_find_bound(d, c, (uint32_t)PARAM(f, "binding"), &gone)) {
        layer_order(d, handle);
        d->CmdFillBuffer(handle, gone.buffer, gone.offset, gone.range & ~3ull, POISON);
        layer_order(d, handle);
    }
    if ((f = HIT_AT(d, L1_vk_reused, at)) && layer_find_bound(d, c, (uint32_t)PARAM(f, "binding"), &gone) &&
        layer_find_bound(d, c, (uint32_t)PARAM(f, "binding") + 1, &next) && gone.buffer != next.buffer) {
        VkBufferCopy region = {next.offset, gone.offset, next.range < gone.range ? next.range : gone.range};
        layer_order(d, handle);
        d->CmdCopyBuffer(handle, next.buffer, gone.buffer, 1, &region);
        layer_order(d, handle);
    }
}

static void change_grid(struct device *d, struct held *h, struct lad_at at)
{
    uint32_t *g = h->grid + 3;
    struct lad_inject *f;
    if (HIT_AT(d, D1_vk_zero_x, at))
        g[0] = 0;
    if ((f = HIT_AT(d, D2_vk_divided, at)) && PARAM(f, "by"))
        g[0] = (uint32_t)((g[0] + PARAM(f, "by") - 1) / PARAM(f, "by"));
    if (HIT_AT(d, D2_vk_one_group, at))
        g[0] = g[1] = g[2] = 1;
    if ((f = HIT_AT(d, D3_vk_last_group, at)) && PARAM(f, "axis") < 3 && g[PARAM(f, "axis")])
        g[PARAM(f, "axis")]--;
    if ((f = HIT_AT(d, D4_vk_extra_group, at)))
        g[0] += (uint32_t)PARAM(f, "more");
    if (g[0] != g[1] && HIT_AT(d, D5_vk_swap_xy, at)) {
        uint32_t t = g[0];
        g[0] = g[1];
        g[1] = t;
    }
    if ((h->grid[0] || h->grid[1] || h->grid[2]) && HIT_AT(d, D5_vk_no_base, at))
        memset(h->grid, 0, 3 * sizeof *h->grid);
    if ((f = HIT_AT(d, Z2_vk_clamp_groups, at)) && g[0] > PARAM(f, "limit"))
        g[0] = (uint32_t)PARAM(f, "limit");
    if ((f = HIT_AT(d, Z2_vk_wrap_groups, at)) && PARAM(f, "limit"))
        g[0] %= (uint32_t)PARAM(f, "limit");
}

/* A grid that the layer does not see, as it comes from a buffer, cannot be changed. */
static void dispatch(struct device *d, VkCommandBuffer handle, struct held h)
{
    struct lad_at at = {.size = h.grid[3], .after = d->n_dispatches++};
    if (HIT_AT(d, D1_vk_dropped, at))
        return;
    lose_memory(d, handle, at);
    if (h.kind == DISPATCH)
        change_grid(d, &h, at);
    if (HIT_AT(d, D4_vk_twice, at)) {
        layer_put(d, handle, &h);
        layer_order(d, handle);
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
    dispatch(d, handle, h);
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

/* An upload from memory of the host that the host has taken back too early. Returns the bytes that arrive. */
static void take_source(struct device *d, VkCommandBuffer handle, const struct held *h, struct lad_at at)
{
    struct lad_inject *f;
    VkBufferCopy r = h->region, *was = &d->upload.region;
    VkDeviceSize tail;
    if ((f = HIT_AT(d, U2_vk_tail_freed, at))) {
        tail = (PARAM(f, "tail") < r.size ? PARAM(f, "tail") : r.size) & ~3ull;
        layer_order(d, handle);
        if (tail && !((r.dstOffset + r.size) & 3))
            d->CmdFillBuffer(handle, h->to, r.dstOffset + r.size - tail, tail, POISON);
        layer_order(d, handle);
    }
    if (h->kind == COPY && HIT_AT(d, U2_vk_staging_reused, at)) {
        if (d->upload.to && d->upload.to != h->to) { /* an earlier one brings the start of this one's data */
            VkBufferCopy again = {r.srcOffset, was->dstOffset, r.size < was->size ? r.size : was->size};
            d->CmdCopyBuffer(handle, h->from, d->upload.to, 1, &again);
            layer_order(d, handle);
        }
        d->upload = (struct transfer){h->to, r};
    }
}

/* A download to memory of the host: false where it is not to be made. */
static bool bring_back(struct device *d, VkCommandBuffer handle, struct held *h, struct lad_at at)
{
    struct buffer *from = layer_buffer(d, h->from);
    if (HIT_AT(d, U3_vk_no_readback, at))
        return false;
    if (HIT_AT(d, U3_vk_zeros, at)) {
        layer_put(d, handle,
                  &(struct held){
                      .kind = FILL, .to = h->to, .offset = h->region.dstOffset, .bytes = (h->region.size + 3) & ~3ull});
        return false;
    }
    if (HIT_AT(d, U3_vk_wrong_object, at))
        while (from-- > d->buffer)
            if (!from->visible && from->bytes >= h->region.srcOffset + h->region.size) {
                h->from = from->handle;
                break;
            }
    return true;
}

/* A copy, or an update, which is a copy out of the command buffer. */
static void copy(struct device *d, VkCommandBuffer handle, struct held h)
{
    const struct buffer *source = h.from ? layer_buffer(d, h.from) : NULL, *target = layer_buffer(d, h.to);
    struct lad_at at = {.size = h.region.size, .after = d->n_dispatches};
    struct lad_inject *f;
    at.part = target && h.region.size < target->bytes;
    if (HIT_AT(d, U1_vk_no_copy, at))
        return;
    if ((f = HIT_AT(d, U4_vk_copy_cap, at)) && h.region.size > PARAM(f, "cap"))
        h.region.size = PARAM(f, "cap");
    if (h.region.srcOffset && HIT_AT(d, U4_vk_copy_offset, at))
        h.region.srcOffset = 0;
    if ((f = HIT_AT(d, Z1_vk_copy_size, at)) && PARAM(f, "bits") < 64)
        h.region.size &= (1ull << PARAM(f, "bits")) - 1;
    if (h.kind == UPDATE)
        h.region.size &= ~3ull;
    bool up = h.kind == UPDATE || (source && source->visible);
    bool down = source && target && !source->visible && target->visible;
    if (!h.region.size || (down && !bring_back(d, handle, &h, at)))
        return;
    layer_put(d, handle, &h);
    if (up)
        take_source(d, handle, &h, at);
}

VKAPI_ATTR void VKAPI_CALL layer_CmdCopyBuffer(VkCommandBuffer handle, VkBuffer from, VkBuffer to, uint32_t n,
                                               const VkBufferCopy *regions)
{
    struct device *d = layer_enter(handle);
    for (uint32_t i = 0; i < n; i++)
        copy(d, handle, (struct held){.kind = COPY, .from = from, .to = to, .region = regions[i]});
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdCopyBuffer2(VkCommandBuffer handle, const VkCopyBufferInfo2 *info)
{
    struct device *d = layer_enter(handle);
    for (uint32_t i = 0; i < info->regionCount; i++) {
        const VkBufferCopy2 *r = &info->pRegions[i];
        struct held h = {.kind = COPY,
                         .from = info->srcBuffer,
                         .to = info->dstBuffer,
                         .region = {r->srcOffset, r->dstOffset, r->size}};
        copy(d, handle, h);
    }
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdUpdateBuffer(VkCommandBuffer handle, VkBuffer to, VkDeviceSize offset,
                                                 VkDeviceSize bytes, const void *data)
{
    struct device *d = layer_enter(handle);
    copy(d, handle, (struct held){.kind = UPDATE, .to = to, .region = {0, offset, bytes}, .data = data});
    layer_leave();
}
