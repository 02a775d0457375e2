/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, each with an allocation of its own, and the host's ways to them: mapping, or staging and a copy command. */
#include "vk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGING_BYTES (16u << 20)
#define COPY_NS 60000000000u /* no copy of that many bytes takes longer on a device that works */
#define VISIBLE VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
#define COHERENT VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
#define CACHED VK_MEMORY_PROPERTY_HOST_CACHED_BIT
#define LOCAL VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT

/* First memory type among `bits` with all of `with`, none of `without`, and room; -1: none. A card may show the host
 * only a small window of its memory, which is a heap of its own. */
static int find_type(const struct lad_vk_phys *p, uint32_t bits, uint64_t bytes, VkMemoryPropertyFlags with,
                     VkMemoryPropertyFlags without)
{
    const VkMemoryPropertyFlags never = VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT | VK_MEMORY_PROPERTY_PROTECTED_BIT;
    for (uint32_t i = 0; i < p->memory.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = p->memory.memoryTypes[i].propertyFlags;
        if (bits >> i & 1 && (flags & with) == with && !(flags & (without | never)) &&
            p->memory.memoryHeaps[p->memory.memoryTypes[i].heapIndex].size >= bytes)
            return (int)i;
    }
    return -1;
}

/* Each kind's wishes, best first. A separate card's own memory is taken where the host cannot map it, so that every
 * access is an explicit copy. */
static int choose_type(const struct lad_vk_phys *p, uint32_t bits, uint64_t bytes, enum lad_mem mem)
{
    static const struct wish {
        enum lad_mem mem;
        VkMemoryPropertyFlags with, without;
    } wishes[] = {
        {LAD_MEM_DEVICE, LOCAL | VISIBLE | COHERENT, 0},
        {LAD_MEM_DEVICE, LOCAL, 0},
        {LAD_MEM_DEVICE, 0, 0},
        {LAD_MEM_COHERENT, VISIBLE | COHERENT | CACHED, 0},
        {LAD_MEM_COHERENT, VISIBLE | COHERENT, 0},
        {LAD_MEM_NONCOHERENT, VISIBLE | CACHED, COHERENT},
        {LAD_MEM_NONCOHERENT, VISIBLE, COHERENT},
        {LAD_MEM_MAPPED, LOCAL | VISIBLE, 0},
        {LAD_MEM_MAPPED, VISIBLE, 0},
        {LAD_MEM_HOST_POINTER, VISIBLE | COHERENT, 0},
    };
    int type = -1;
    if (mem == LAD_MEM_DEVICE && p->type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU)
        type = find_type(p, bits, bytes, LOCAL, VISIBLE);
    for (size_t i = 0; type < 0 && i < sizeof wishes / sizeof *wishes; i++)
        if (wishes[i].mem == mem)
            type = find_type(p, bits, bytes, wishes[i].with, wishes[i].without);
    return type;
}

static bool create_handle(struct lad_dev *dev, struct lad_buf *buf, bool address, struct lad_fail *fail)
{
    VkExternalMemoryBufferCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                                 .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT};
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = buf->bytes,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    if (address)
        info.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    if (buf->mem == LAD_MEM_HOST_POINTER) {
        info.pNext = &external;
        info.usage &= ~(VkBufferUsageFlags)VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT; /* as asked for in caps.c */
    }
    VkResult result = dev->fn.vkCreateBuffer(dev->handle, &info, NULL, &buf->handle);
    return result == VK_SUCCESS || lad_vk_fail(fail, "vkCreateBuffer", result);
}

static bool allocate(struct lad_dev *dev, struct lad_buf *buf, const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    VkMemoryRequirements need;
    VkImportMemoryHostPointerInfoEXT import = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
                                               .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
                                               .pHostPointer = desc->host};
    VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    VkResult result;
    dev->fn.vkGetBufferMemoryRequirements(dev->handle, buf->handle, &need);
    info.allocationSize = need.size;
    if (buf->mem == LAD_MEM_HOST_POINTER) {
        VkMemoryHostPointerPropertiesEXT can = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
        result = dev->fn.vkGetMemoryHostPointerPropertiesEXT(dev->handle, import.handleType, desc->host, &can);
        if (result != VK_SUCCESS)
            return lad_vk_fail(fail, "vkGetMemoryHostPointerPropertiesEXT", result);
        need.memoryTypeBits &= can.memoryTypeBits;
        info.allocationSize = (buf->bytes + 4095) & ~4095ull;
        info.pNext = &import;
        if (need.size > info.allocationSize)
            return lad_vk_refuse(fail, "vkGetBufferMemoryRequirements", "a buffer of %llu bytes needs %llu of memory",
                                 (unsigned long long)buf->bytes, (unsigned long long)need.size);
    }
    if (desc->address) {
        flags.pNext = info.pNext;
        info.pNext = &flags;
    }
    int type = choose_type(dev->phys, need.memoryTypeBits, info.allocationSize, buf->mem);
    if (type < 0)
        return lad_vk_refuse(fail, "vkAllocateMemory",
                             "no memory type of the kind asked for takes a buffer of %llu bytes",
                             (unsigned long long)buf->bytes);
    info.memoryTypeIndex = (uint32_t)type;
    buf->flags = dev->phys->memory.memoryTypes[type].propertyFlags;
    if ((result = dev->fn.vkAllocateMemory(dev->handle, &info, NULL, &buf->memory)) != VK_SUCCESS)
        return lad_vk_fail(fail, "vkAllocateMemory", result);
    if ((result = dev->fn.vkBindBufferMemory(dev->handle, buf->handle, buf->memory, 0)) != VK_SUCCESS)
        return lad_vk_fail(fail, "vkBindBufferMemory", result);
    return true;
}

/* Layers name the buffers that they speak of: by the order in which they were made. */
static void name_buffer(struct lad_dev *dev, const struct lad_buf *buf)
{
    char name[32];
    if (!lad_vk.debug)
        return;
    snprintf(name, sizeof name, "buffer %u", dev->n_named++);
    lad_vk_name(dev, VK_OBJECT_TYPE_BUFFER, (uint64_t)buf->handle, name);
}

static bool map_memory(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    void *at;
    VkResult result = dev->fn.vkMapMemory(dev->handle, buf->memory, 0, VK_WHOLE_SIZE, 0, &at);
    buf->map = result == VK_SUCCESS ? at : NULL;
    return result == VK_SUCCESS || lad_vk_fail(fail, "vkMapMemory", result);
}

static void read_address(struct lad_dev *dev, struct lad_buf *buf)
{
    VkBufferDeviceAddressInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = buf->handle};
    PFN_vkGetBufferDeviceAddress get = dev->phys->version >= VK_API_VERSION_1_2 ? dev->fn.vkGetBufferDeviceAddress
                                                                                : dev->fn.vkGetBufferDeviceAddressKHR;
    buf->address = get ? get(dev->handle, &info) : 0;
}

struct lad_buf *lad_vk_buf_create(struct lad_dev *dev, const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    if (lad_vk_gone(dev, fail))
        return NULL;
    if (desc->mem > LAD_MEM_HOST_POINTER || (desc->mem == LAD_MEM_HOST_POINTER && !dev->phys->host_pointer)) {
        lad_vk_refuse(fail, "vkCreateBuffer", "this device has no memory of the kind asked for");
        return NULL;
    }
    if (desc->address && !dev->phys->has.address.bufferDeviceAddress) {
        lad_vk_refuse(fail, "vkGetBufferDeviceAddress", "buffers have no addresses here: bufferDeviceAddress is false");
        return NULL;
    }
    if (desc->bytes > dev->phys->max_buffer || desc->bytes > dev->phys->max_allocation) {
        lad_vk_refuse(fail, "vkCreateBuffer", "%llu bytes are more than one allocation may have",
                      (unsigned long long)desc->bytes);
        return NULL;
    }
    struct lad_buf *buf = calloc(1, sizeof *buf);
    if (!buf) {
        lad_vk_fail(fail, "calloc", VK_ERROR_OUT_OF_HOST_MEMORY);
        return NULL;
    }
    buf->bytes = desc->bytes;
    buf->mem = desc->mem;
    bool ok = create_handle(dev, buf, desc->address, fail) && allocate(dev, buf, desc, fail);
    if (ok && desc->mem == LAD_MEM_HOST_POINTER)
        buf->map = desc->host;
    else if (ok && buf->flags & VISIBLE && desc->mem != LAD_MEM_MAPPED)
        ok = map_memory(dev, buf, fail);
    if (ok && desc->address)
        read_address(dev, buf);
    if (ok) {
        name_buffer(dev, buf);
        return buf;
    }
    lad_vk_buf_destroy(dev, buf);
    return NULL;
}

void lad_vk_buf_destroy(struct lad_dev *dev, struct lad_buf *buf)
{
    if (!buf || dev->dead)
        return;
    dev->fn.vkDestroyBuffer(dev->handle, buf->handle, NULL);
    dev->fn.vkFreeMemory(dev->handle, buf->memory, NULL); /* unmaps */
    free(buf);
}

uint64_t lad_vk_buf_address(struct lad_dev *dev, struct lad_buf *buf)
{
    (void)dev;
    return buf->address;
}

static bool sync_range(struct lad_dev *dev, struct lad_buf *buf, bool flush, struct lad_fail *fail)
{
    VkMappedMemoryRange range = {
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, .memory = buf->memory, .size = VK_WHOLE_SIZE};
    if (buf->flags & COHERENT)
        return true;
    VkResult result = flush ? dev->fn.vkFlushMappedMemoryRanges(dev->handle, 1, &range)
                            : dev->fn.vkInvalidateMappedMemoryRanges(dev->handle, 1, &range);
    return result == VK_SUCCESS ||
           lad_vk_fail(fail, flush ? "vkFlushMappedMemoryRanges" : "vkInvalidateMappedMemoryRanges", result);
}

void *lad_vk_map(struct lad_dev *dev, struct lad_buf *buf, bool write, struct lad_fail *fail)
{
    if (lad_vk_gone(dev, fail))
        return NULL;
    if (!(buf->flags & VISIBLE)) {
        lad_vk_refuse(fail, "vkMapMemory", "this memory cannot be mapped");
        return NULL;
    }
    if ((!buf->map && !map_memory(dev, buf, fail)) || !sync_range(dev, buf, false, fail))
        return NULL;
    buf->write = write;
    return buf->map;
}

bool lad_vk_unmap(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    if (buf->write && !sync_range(dev, buf, true, fail))
        return false;
    buf->write = false;
    if (buf->mem == LAD_MEM_MAPPED) {
        dev->fn.vkUnmapMemory(dev->handle, buf->memory);
        buf->map = NULL;
    }
    return true;
}

static struct lad_buf *get_staging(struct lad_dev *dev, struct lad_fail *fail)
{
    struct lad_buf_desc desc = {.bytes = STAGING_BYTES, .mem = LAD_MEM_COHERENT};
    if (!dev->staging)
        dev->staging = lad_vk_buf_create(dev, &desc, fail);
    return dev->staging;
}

/* The times of the caller's last wait stay what they are. */
static bool copy_and_wait(struct lad_dev *dev, struct lad_buf *src, uint64_t from, struct lad_buf *dst, uint64_t to,
                          uint64_t bytes, struct lad_fail *fail)
{
    struct lad_times times = dev->times;
    bool stamping = dev->stamping;
    bool ok = lad_vk_copy(dev, src, from, dst, to, bytes, fail) && lad_vk_wait(dev, COPY_NS, fail);
    dev->times = times;
    dev->stamping = stamping;
    return ok;
}

bool lad_vk_buf_write(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, const void *data, size_t bytes,
                      struct lad_fail *fail)
{
    if (buf->flags & VISIBLE) {
        unsigned char *to = lad_vk_map(dev, buf, true, fail);
        if (!to)
            return false;
        memcpy(to + offset, data, bytes);
        return lad_vk_unmap(dev, buf, fail);
    }
    struct lad_buf *staging = get_staging(dev, fail);
    for (size_t done = 0, n; staging && done < bytes; done += n) {
        n = bytes - done < STAGING_BYTES ? bytes - done : STAGING_BYTES;
        memcpy(staging->map, (const char *)data + done, n);
        if (!copy_and_wait(dev, staging, 0, buf, offset + done, n, fail))
            return false;
    }
    return staging;
}

bool lad_vk_buf_read(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, void *data, size_t bytes,
                     struct lad_fail *fail)
{
    /* Over a card's window a host reads some hundred times slower than it writes. */
    bool direct = buf->flags & VISIBLE && (buf->flags & CACHED || bytes <= 256);
    if (direct) {
        const unsigned char *from = lad_vk_map(dev, buf, false, fail);
        if (!from)
            return false;
        memcpy(data, from + offset, bytes);
        return lad_vk_unmap(dev, buf, fail);
    }
    struct lad_buf *staging = get_staging(dev, fail);
    for (size_t done = 0, n; staging && done < bytes; done += n) {
        n = bytes - done < STAGING_BYTES ? bytes - done : STAGING_BYTES;
        if (!copy_and_wait(dev, buf, offset + done, staging, 0, n, fail))
            return false;
        memcpy((char *)data + done, staging->map, n);
    }
    return staging;
}
