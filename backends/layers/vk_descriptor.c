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

struct update { /* of descriptors, as faults leave it */
    VkWriteDescriptorSet *write;
    VkDescriptorBufferInfo *info;
    uint32_t n;
};

static struct update edit_writes(struct device *d, uint32_t n, const VkWriteDescriptorSet *writes)
{
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
    return (struct update){w, info, kept};
}

static void finish_update(struct update *u)
{
    free(u->write);
    free(u->info);
}

static void update_sets(struct device *d, uint32_t n, const VkWriteDescriptorSet *writes, uint32_t n_copies,
                        const VkCopyDescriptorSet *copies)
{
    note_bound(d, n, writes);
    struct update u = edit_writes(d, n, writes);
    d->UpdateDescriptorSets(d->handle, u.n, u.write, n_copies, copies);
    finish_update(&u);
}

VKAPI_ATTR void VKAPI_CALL layer_UpdateDescriptorSets(VkDevice device, uint32_t n, const VkWriteDescriptorSet *writes,
                                                      uint32_t n_copies, const VkCopyDescriptorSet *copies)
{
    struct device *d = layer_enter(device);
    layer_settle(d);
    update_sets(d, n, writes, n_copies, copies);
    layer_leave();
}

/* A set of descriptors that is pushed has no handle: it goes by its command buffer's. */
static void push_set(struct device *d, VkCommandBuffer handle, VkPipelineBindPoint point, VkPipelineLayout layout,
                     uint32_t set, uint32_t n, const VkWriteDescriptorSet *writes)
{
    struct cmd *c = layer_cmd(d, handle);
    layer_estrange(d, c); /* what it binds cannot be bound again later */
    if (point == VK_PIPELINE_BIND_POINT_COMPUTE && !set) {
        if (c->bound_once && c->first_layout == layout && HIT(d, B6_vk_shared_set))
            return;
        c->bound_once = true;
        c->first_layout = layout;
        c->now.set[0] = (VkDescriptorSet)(uintptr_t)handle;
        c->now.n_sets = c->now.n_sets ? c->now.n_sets : 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        VkWriteDescriptorSet one = writes[i];
        one.dstSet = (VkDescriptorSet)(uintptr_t)handle;
        note_bound(d, 1, &one);
    }
    struct update u = edit_writes(d, n, writes);
    d->CmdPushDescriptorSetKHR(handle, point, layout, set, u.n, u.write);
    finish_update(&u);
}

VKAPI_ATTR void VKAPI_CALL layer_CmdPushDescriptorSetKHR(VkCommandBuffer handle, VkPipelineBindPoint point,
                                                         VkPipelineLayout layout, uint32_t set, uint32_t n,
                                                         const VkWriteDescriptorSet *writes)
{
    struct device *d = layer_enter(handle);
    push_set(d, handle, point, layout, set, n, writes);
    layer_leave();
}

/* ---- templates ------------------------------------------------------------------------------------------------- */

static struct template *find_template(struct device *d, VkDescriptorUpdateTemplate handle)
{
    for (size_t i = 0; i < d->n_templates; i++)
        if (d->template[i].handle == handle)
            return &d->template[i];
    return NULL;
}

static bool holds_buffers(VkDescriptorType type)
{
    return type >= VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER && type <= VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_CreateDescriptorUpdateTemplate(VkDevice device,
                                                                    const VkDescriptorUpdateTemplateCreateInfo *info,
                                                                    const VkAllocationCallbacks *cb,
                                                                    VkDescriptorUpdateTemplate *handle)
{
    struct device *d = layer_enter(device);
    VkResult result = d->CreateDescriptorUpdateTemplate(device, info, cb, handle);
    if (result != VK_SUCCESS)
        LEAVE(result);
    struct template t = {
        .handle = *handle, .n = info->descriptorUpdateEntryCount, .point = info->pipelineBindPoint, .plain = true};
    t.entry = malloc((t.n + 1) * sizeof *t.entry);
    if (!t.entry)
        abort();
    memcpy(t.entry, info->pDescriptorUpdateEntries, t.n * sizeof *t.entry);
    for (uint32_t i = 0; i < t.n; i++)
        t.plain &= holds_buffers(t.entry[i].descriptorType);
    d->template = layer_grow(d->template, d->n_templates, &d->template_room, sizeof *d->template);
    d->template[d->n_templates++] = t;
    LEAVE(result);
}

VKAPI_ATTR void VKAPI_CALL layer_DestroyDescriptorUpdateTemplate(VkDevice device, VkDescriptorUpdateTemplate handle,
                                                                 const VkAllocationCallbacks *cb)
{
    struct device *d = layer_enter(device);
    struct template *t = find_template(d, handle);
    if (t) {
        free(t->entry);
        *t = d->template[--d->n_templates];
    }
    d->DestroyDescriptorUpdateTemplate(device, handle, cb);
    layer_leave();
}

/* The writes that a template of buffers stands for. */
static struct update write_out(const struct template *t, VkDescriptorSet set, const void *data)
{
    size_t n = 0;
    for (uint32_t i = 0; i < t->n; i++)
        n += t->entry[i].descriptorCount;
    struct update u = {malloc((t->n + 1) * sizeof *u.write), malloc((n + 1) * sizeof *u.info), t->n};
    VkDescriptorBufferInfo *info = u.info;
    if (!u.write || !u.info)
        abort();
    for (uint32_t i = 0; i < t->n; i++) {
        const VkDescriptorUpdateTemplateEntry *e = &t->entry[i];
        u.write[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = set,
                                            .dstBinding = e->dstBinding,
                                            .dstArrayElement = e->dstArrayElement,
                                            .descriptorCount = e->descriptorCount,
                                            .descriptorType = e->descriptorType,
                                            .pBufferInfo = info};
        for (uint32_t k = 0; k < e->descriptorCount; k++)
            memcpy(info++, (const unsigned char *)data + e->offset + k * e->stride, sizeof *info);
    }
    return u;
}

VKAPI_ATTR void VKAPI_CALL layer_UpdateDescriptorSetWithTemplate(VkDevice device, VkDescriptorSet set,
                                                                 VkDescriptorUpdateTemplate handle, const void *data)
{
    struct device *d = layer_enter(device);
    const struct template *t = find_template(d, handle);
    layer_settle(d);
    if (t && t->plain) {
        struct update u = write_out(t, set, data);
        update_sets(d, u.n, u.write, 0, NULL);
        finish_update(&u);
    } else {
        d->UpdateDescriptorSetWithTemplate(device, set, handle, data);
    }
    layer_leave();
}

VKAPI_ATTR void VKAPI_CALL layer_CmdPushDescriptorSetWithTemplateKHR(VkCommandBuffer handle,
                                                                     VkDescriptorUpdateTemplate template,
                                                                     VkPipelineLayout layout, uint32_t set,
                                                                     const void *data)
{
    struct device *d = layer_enter(handle);
    const struct template *t = find_template(d, template);
    if (t && t->plain && t->point == VK_PIPELINE_BIND_POINT_COMPUTE) {
        struct update u = write_out(t, VK_NULL_HANDLE, data);
        push_set(d, handle, t->point, layout, set, u.n, u.write);
        finish_update(&u);
    } else {
        layer_estrange(d, layer_cmd(d, handle));
        d->CmdPushDescriptorSetWithTemplateKHR(handle, template, layout, set, data);
    }
    layer_leave();
}
