/* SPDX-License-Identifier: Apache-2.0 */
/* Command buffers, and the commands in them that wait for the next barrier to be issued in reverse. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

static void full_barrier(struct device *d, VkCommandBuffer handle)
{
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT;
    VkMemoryBarrier all = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                           .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                           .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
    d->CmdPipelineBarrier(handle, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, stages, 0, 1, &all, 0, NULL, 0, NULL);
}

struct cmd *layer_cmd(struct device *d, VkCommandBuffer handle)
{
    for (size_t i = 0; i < d->n_cmds; i++)
        if (d->cmd[i]->handle == handle)
            return d->cmd[i];
    d->cmd = layer_grow(d->cmd, d->n_cmds, &d->cmd_room, sizeof *d->cmd);
    struct cmd *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->handle = handle;
    d->cmd[d->n_cmds++] = c;
    return c;
}

static void bind_state(struct device *d, VkCommandBuffer handle, const struct held *h)
{
    if (h->pipeline)
        d->CmdBindPipeline(handle, VK_PIPELINE_BIND_POINT_COMPUTE, h->pipeline);
    if (h->n_sets)
        d->CmdBindDescriptorSets(handle, VK_PIPELINE_BIND_POINT_COMPUTE, h->layout, 0, h->n_sets, h->set, h->n_dynamic,
                                 h->dynamic);
    if (h->push_bytes)
        d->CmdPushConstants(handle, h->push_layout, h->stages, 0, h->push_bytes, h->push);
}

static void issue(struct device *d, VkCommandBuffer handle, const struct held *h)
{
    static const uint32_t none[3];
    switch (h->kind) {
    case DISPATCH:
        if (memcmp(h->grid, none, sizeof none))
            d->CmdDispatchBase(handle, h->grid[0], h->grid[1], h->grid[2], h->grid[3], h->grid[4], h->grid[5]);
        else
            d->CmdDispatch(handle, h->grid[3], h->grid[4], h->grid[5]);
        break;
    case INDIRECT:
        d->CmdDispatchIndirect(handle, h->from, h->offset);
        break;
    case FILL:
        d->CmdFillBuffer(handle, h->to, h->offset, h->bytes, h->word);
        break;
    case COPY:
        d->CmdCopyBuffer(handle, h->from, h->to, 1, &h->region);
        break;
    case UPDATE:
        d->CmdUpdateBuffer(handle, h->to, h->region.dstOffset, h->region.size,
                           (const unsigned char *)h->data + h->region.srcOffset);
        break;
    case BARRIER:
        full_barrier(d, handle);
        break;
    }
}

static void hold(struct cmd *c, const struct held *h)
{
    struct held with = c->now;
    with.kind = h->kind;
    with.rank = h->rank;
    memcpy(with.grid, h->grid, sizeof h->grid);
    with.from = h->from;
    with.to = h->to;
    with.offset = h->offset;
    with.bytes = h->bytes;
    with.word = h->word;
    with.region = h->region;
    if (h->kind == UPDATE) {
        void *own = malloc(h->region.size);
        if (!own)
            abort();
        with.data = memcpy(own, (const unsigned char *)h->data + h->region.srcOffset, h->region.size);
        with.region.srcOffset = 0;
    }
    c->held = layer_grow(c->held, c->n, &c->room, sizeof *c->held);
    c->held[c->n++] = with;
}

static void issue_held(struct device *d, const struct cmd *c, const struct held *h)
{
    if (h->kind == DISPATCH || h->kind == INDIRECT)
        bind_state(d, c->handle, h);
    issue(d, c->handle, h);
    if (h->kind == UPDATE)
        free((void *)(uintptr_t)h->data);
}

void layer_forget(struct cmd *c)
{
    while (c->n)
        if (c->held[--c->n].kind == UPDATE)
            free((void *)(uintptr_t)c->held[c->n].data);
}

/* A driver that puts copies where it likes: everything waits for the end of the command buffer. */
static bool is_ranked(const struct device *d)
{
    return lad_inject_on(&d->set, LAD_FAULT_M2_vk_small_first) || lad_inject_on(&d->set, LAD_FAULT_M2_vk_large_late) ||
           lad_inject_on(&d->set, LAD_FAULT_S3_vk_copies_first);
}

static enum rank rank_of(struct device *d, const struct held *h)
{
    bool copy = h->kind == COPY || h->kind == UPDATE, moves = copy || h->kind == FILL;
    struct lad_at at = {.size = copy ? h->region.size : h->bytes, .after = d->n_dispatches};
    if (moves && (HIT_AT(d, M2_vk_small_first, at) || HIT_AT(d, S3_vk_copies_first, at)))
        return EARLY;
    return copy && HIT_AT(d, M2_vk_large_late, at) ? LATE : IN_TURN;
}

static void issue_ranked(struct device *d, struct cmd *c)
{
    for (enum rank rank = EARLY; rank < RANKS; rank++) {
        for (size_t i = 0; i < c->n; i++)
            if (c->held[i].rank == rank)
                issue_held(d, c, &c->held[i]);
        full_barrier(d, c->handle);
    }
    c->n = 0;
}

/* What waits, last first; then everything is bound as the program believes it is. */
void layer_flush(struct device *d, struct cmd *c)
{
    if (!c->n)
        return;
    if (is_ranked(d)) {
        hold(c, &(struct held){.kind = BARRIER, .rank = IN_TURN});
        return;
    }
    while (c->n)
        issue_held(d, c, &c->held[--c->n]);
    bind_state(d, c->handle, &c->now);
}

void layer_estrange(struct device *d, struct cmd *c)
{
    layer_flush(d, c);
    c->strange = true;
}

void layer_order(struct device *d, VkCommandBuffer handle)
{
    layer_flush(d, layer_cmd(d, handle));
    full_barrier(d, handle);
}

void layer_put(struct device *d, VkCommandBuffer handle, const struct held *what)
{
    struct cmd *c = layer_cmd(d, handle);
    struct held h = *what;
    bool ranked = is_ranked(d);
    if ((!layer.reorder && !ranked) || c->strange) {
        issue(d, handle, &h);
        return;
    }
    h.rank = ranked ? rank_of(d, &h) : IN_TURN;
    hold(c, &h);
}

VKAPI_ATTR VkResult VKAPI_CALL layer_BeginCommandBuffer(VkCommandBuffer handle, const VkCommandBufferBeginInfo *info)
{
    struct device *d = layer_enter(handle);
    struct cmd *c = layer_cmd(d, handle);
    struct held *held = c->held;
    size_t room = c->room;
    layer_settle(d);
    layer_forget(c);
    *c = (struct cmd){.handle = handle, .held = held, .room = room};
    LEAVE(d->BeginCommandBuffer(handle, info));
}

VKAPI_ATTR VkResult VKAPI_CALL layer_EndCommandBuffer(VkCommandBuffer handle)
{
    struct device *d = layer_enter(handle);
    struct cmd *c = layer_cmd(d, handle);
    if (is_ranked(d))
        issue_ranked(d, c);
    else
        layer_flush(d, c);
    LEAVE(d->EndCommandBuffer(handle));
}

VKAPI_ATTR void VKAPI_CALL layer_FreeCommandBuffers(VkDevice device, VkCommandPool pool, uint32_t n,
                                                    const VkCommandBuffer *handles)
{
    struct device *d = layer_enter(device);
    layer_settle(d);
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < d->n_cmds; k++)
            if (d->cmd[k]->handle == handles[i]) {
                layer_forget(d->cmd[k]);
                free(d->cmd[k]->held);
                free(d->cmd[k]);
                d->cmd[k] = d->cmd[--d->n_cmds];
                break;
            }
    d->FreeCommandBuffers(device, pool, n, handles);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdPipelineBarrier(VkCommandBuffer handle, VkPipelineStageFlags from,
                                                    VkPipelineStageFlags to, VkDependencyFlags flags, uint32_t n,
                                                    const VkMemoryBarrier *memory, uint32_t n_buffers,
                                                    const VkBufferMemoryBarrier *buffers, uint32_t n_images,
                                                    const VkImageMemoryBarrier *images)
{
    struct device *d = layer_enter(handle);
    if (!HIT(d, S3_vk_no_barrier)) {
        layer_flush(d, layer_cmd(d, handle));
        d->CmdPipelineBarrier(handle, from, to, flags, n, memory, n_buffers, buffers, n_images, images);
    }
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdPipelineBarrier2(VkCommandBuffer handle, const VkDependencyInfo *info)
{
    struct device *d = layer_enter(handle);
    if (!HIT(d, S3_vk_no_barrier)) {
        layer_flush(d, layer_cmd(d, handle));
        d->CmdPipelineBarrier2(handle, info);
    }
    layer_leave();
}

/* An event that is set and waited for is a barrier in two halves. Where barriers are to be left out its first half must
 * not order anything, and a second half that is not left out has to order all. */
static bool loses_barriers(const struct device *d)
{
    return lad_inject_on(&d->set, LAD_FAULT_S3_vk_no_barrier);
}

static void enter_first_half(struct device *d, VkCommandBuffer handle)
{
    if (!loses_barriers(d))
        layer_flush(d, layer_cmd(d, handle));
}

static bool enter_second_half(struct device *d, VkCommandBuffer handle)
{
    if (HIT(d, S3_vk_no_barrier))
        return false;
    layer_flush(d, layer_cmd(d, handle));
    if (loses_barriers(d))
        full_barrier(d, handle);
    return true;
}

VKAPI_ATTR void VKAPI_CALL layer_CmdSetEvent(VkCommandBuffer handle, VkEvent event, VkPipelineStageFlags stages)
{
    struct device *d = layer_enter(handle);
    enter_first_half(d, handle);
    d->CmdSetEvent(handle, event, stages);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdSetEvent2(VkCommandBuffer handle, VkEvent event, const VkDependencyInfo *info)
{
    struct device *d = layer_enter(handle);
    enter_first_half(d, handle);
    d->CmdSetEvent2(handle, event, info);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdResetEvent(VkCommandBuffer handle, VkEvent event, VkPipelineStageFlags stages)
{
    struct device *d = layer_enter(handle);
    enter_first_half(d, handle);
    d->CmdResetEvent(handle, event, stages);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdResetEvent2(VkCommandBuffer handle, VkEvent event, VkPipelineStageFlags2 stages)
{
    struct device *d = layer_enter(handle);
    enter_first_half(d, handle);
    d->CmdResetEvent2(handle, event, stages);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdWaitEvents(VkCommandBuffer handle, uint32_t n, const VkEvent *events,
                                               VkPipelineStageFlags from, VkPipelineStageFlags to, uint32_t n_memory,
                                               const VkMemoryBarrier *memory, uint32_t n_buffers,
                                               const VkBufferMemoryBarrier *buffers, uint32_t n_images,
                                               const VkImageMemoryBarrier *images)
{
    struct device *d = layer_enter(handle);
    if (enter_second_half(d, handle))
        d->CmdWaitEvents(handle, n, events, from, to, n_memory, memory, n_buffers, buffers, n_images, images);
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdWaitEvents2(VkCommandBuffer handle, uint32_t n, const VkEvent *events,
                                                const VkDependencyInfo *infos)
{
    struct device *d = layer_enter(handle);
    if (enter_second_half(d, handle))
        d->CmdWaitEvents2(handle, n, events, infos);
    layer_leave();
}
