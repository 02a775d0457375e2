/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: which there are, the memory that they are bound to, and their addresses. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

struct buffer *layer_buffer(struct device *d, VkBuffer handle)
{
    for (size_t i = d->n_buffers; i-- > 0;)
        if (d->buffer[i].handle == handle)
            return &d->buffer[i];
    return NULL;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_CreateBuffer(VkDevice device, const VkBufferCreateInfo *info,
                                                  const VkAllocationCallbacks *cb, VkBuffer *buffer)
{
    struct device *d = layer_enter(device);
    VkResult result = d->CreateBuffer(device, info, cb, buffer);
    if (result == VK_SUCCESS) {
        d->buffer = layer_grow(d->buffer, d->n_buffers, &d->buffer_room, sizeof *d->buffer);
        d->buffer[d->n_buffers++] = (struct buffer){*buffer, info->size, info->usage, false};
    }
    LEAVE(result);
}

VKAPI_ATTR void VKAPI_CALL layer_DestroyBuffer(VkDevice device, VkBuffer buffer, const VkAllocationCallbacks *cb)
{
    struct device *d = layer_enter(device);
    struct buffer *b = layer_buffer(d, buffer);
    layer_settle(d);
    if (b) /* the others keep their order */
        memmove(b, b + 1, (size_t)(d->buffer + --d->n_buffers - b) * sizeof *b);
    if (d->upload.to == buffer)
        d->upload.to = VK_NULL_HANDLE;
    if (!layer.keep)
        d->DestroyBuffer(device, buffer, cb);
    layer_leave();
}

/* Where a buffer's memory really is. */
static void edit_binding(struct device *d, VkBuffer buffer, VkDeviceMemory *memory, VkDeviceSize *offset)
{
    VkMemoryRequirements need;
    d->GetBufferMemoryRequirements(d->handle, buffer, &need);
    d->n_binds++;
    bool fits = d->last_bound.memory && need.size <= d->last_bound.bytes;
    if (HIT(d, A1_vk_sink, .size = need.size, .buffer = d->n_binds) && fits) {
        *memory = d->last_bound.memory;
        *offset = d->last_bound.offset;
    } else {
        d->last_bound.memory = *memory;
        d->last_bound.offset = *offset;
        d->last_bound.bytes = need.size;
    }
    struct buffer *b = layer_buffer(d, buffer);
    for (size_t i = 0; b && i < d->n_memory; i++)
        if (d->memory[i].handle == *memory)
            b->visible = d->memory[i].visible;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_BindBufferMemory(VkDevice device, VkBuffer buffer, VkDeviceMemory memory,
                                                      VkDeviceSize offset)
{
    struct device *d = layer_enter(device);
    edit_binding(d, buffer, &memory, &offset);
    LEAVE(d->BindBufferMemory(device, buffer, memory, offset));
}

VKAPI_ATTR VkResult VKAPI_CALL layer_BindBufferMemory2(VkDevice device, uint32_t n, const VkBindBufferMemoryInfo *infos)
{
    struct device *d = layer_enter(device);
    VkBindBufferMemoryInfo *own = malloc((n + 1) * sizeof *own);
    if (!own)
        abort();
    memcpy(own, infos, n * sizeof *own);
    for (uint32_t i = 0; i < n; i++)
        edit_binding(d, own[i].buffer, &own[i].memory, &own[i].memoryOffset);
    VkResult result = d->BindBufferMemory2(device, n, own);
    free(own);
    LEAVE(result);
}

/* A buffer of zeros, of the layer's own: what an address leads to where nothing is resident. */
static VkDeviceAddress make_zeros(struct device *d, VkDeviceSize bytes)
{
    const VkMemoryPropertyFlags with = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = bytes,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo room = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &flags};
    VkBufferDeviceAddressInfo which = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO};
    VkMemoryRequirements need;
    void *at;
    if (d->n_own == MOST || d->CreateBuffer(d->handle, &info, NULL, &d->own[d->n_own].buffer) != VK_SUCCESS)
        return 0;
    d->GetBufferMemoryRequirements(d->handle, d->own[d->n_own].buffer, &need);
    room.allocationSize = need.size;
    while (room.memoryTypeIndex < d->real_types.memoryTypeCount &&
           !(need.memoryTypeBits >> room.memoryTypeIndex & 1 &&
             (d->real_types.memoryTypes[room.memoryTypeIndex].propertyFlags & with) == with))
        room.memoryTypeIndex++;
    which.buffer = d->own[d->n_own].buffer;
    VkDeviceMemory *memory = &d->own[d->n_own++].memory;
    if (room.memoryTypeIndex == d->real_types.memoryTypeCount ||
        d->AllocateMemory(d->handle, &room, NULL, memory) != VK_SUCCESS ||
        d->MapMemory(d->handle, *memory, 0, VK_WHOLE_SIZE, 0, &at) != VK_SUCCESS)
        return 0;
    memset(at, 0, need.size);
    d->UnmapMemory(d->handle, *memory);
    d->BindBufferMemory(d->handle, which.buffer, *memory, 0);
    return d->GetBufferDeviceAddress(d->handle, &which);
}

void layer_free_own(struct device *d)
{
    while (d->n_own) {
        d->n_own--;
        d->DestroyBuffer(d->handle, d->own[d->n_own].buffer, NULL);
        d->FreeMemory(d->handle, d->own[d->n_own].memory, NULL);
    }
}

VKAPI_ATTR VkDeviceAddress VKAPI_CALL layer_GetBufferDeviceAddress(VkDevice device,
                                                                   const VkBufferDeviceAddressInfo *info)
{
    struct device *d = layer_enter(device);
    const struct buffer *b = layer_buffer(d, info->buffer);
    struct lad_at at = {.size = b ? b->bytes : 0};
    if (HIT_AT(d, B2_vk_null_address, at))
        LEAVE((VkDeviceAddress)0);
    bool away = HIT_AT(d, I2_vk_zero_page, at) || HIT_AT(d, I2_vk_one_missing, at);
    LEAVE(away && b ? make_zeros(d, b->bytes) : d->GetBufferDeviceAddress(device, info));
}
