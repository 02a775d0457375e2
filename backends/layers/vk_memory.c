/* SPDX-License-Identifier: Apache-2.0 */
/* Memory as the program sees it: types, allocations, what buffers are bound to, and mappings, which are private copies
 * in shadow mode. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

static void hide_coherent(VkPhysicalDeviceMemoryProperties *p)
{
    for (uint32_t i = 0; layer.shadow && i < p->memoryTypeCount; i++)
        p->memoryTypes[i].propertyFlags &= ~(VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

/* Every type twice: first as the device's own, which the host does not see, then as memory of the host. */
void layer_part_memory(VkPhysicalDeviceMemoryProperties *p)
{
    const VkMemoryPropertyFlags seen =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    uint32_t n = p->memoryTypeCount;
    if (!layer.discrete || 2 * n > VK_MAX_MEMORY_TYPES || p->memoryHeapCount == VK_MAX_MEMORY_HEAPS)
        return;
    p->memoryHeaps[p->memoryHeapCount].size = p->memoryHeaps[0].size;
    p->memoryHeaps[p->memoryHeapCount].flags = 0;
    for (uint32_t i = 0; i < n; i++) {
        VkMemoryPropertyFlags flags = p->memoryTypes[i].propertyFlags;
        bool both = flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT && flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
        p->memoryTypes[n + i] = p->memoryTypes[i];
        if (!both)
            continue;
        p->memoryTypes[i].propertyFlags &= ~seen;
        p->memoryTypes[n + i].propertyFlags &= ~(VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
        p->memoryTypes[n + i].heapIndex = p->memoryHeapCount;
    }
    p->memoryHeapCount++;
    p->memoryTypeCount = 2 * n;
}

VKAPI_ATTR void VKAPI_CALL layer_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice p,
                                                                   VkPhysicalDeviceMemoryProperties *out)
{
    layer_instance(p)->GetPhysicalDeviceMemoryProperties(p, out);
    hide_coherent(out);
    layer_part_memory(out);
}

VKAPI_ATTR void VKAPI_CALL layer_GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice p,
                                                                    VkPhysicalDeviceMemoryProperties2 *out)
{
    layer_instance(p)->GetPhysicalDeviceMemoryProperties2(p, out);
    hide_coherent(&out->memoryProperties);
    layer_part_memory(&out->memoryProperties);
}

/* To the end of the allocation: a mapping may ask for less than the memory holds, and WHOLE_SIZE says nothing. */
static VkDeviceSize real_size(const struct device *d, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size)
{
    for (size_t i = 0; i < d->n_memory; i++)
        if (d->memory[i].handle == memory)
            return size == VK_WHOLE_SIZE ? d->memory[i].bytes - offset : size;
    return size;
}

static struct mapping *find_map(struct device *d, VkDeviceMemory memory)
{
    for (size_t i = 0; i < d->n_maps; i++)
        if (d->map[i].memory == memory)
            return &d->map[i];
    return NULL;
}

static void drop_map(struct device *d, VkDeviceMemory memory)
{
    struct mapping *m = find_map(d, memory);
    if (!m)
        return;
    if (!m->imported)
        free(m->shadow);
    free(m->base);
    *m = d->map[--d->n_maps];
}

void layer_drop_maps(struct device *d)
{
    while (d->n_maps)
        drop_map(d, d->map[0].memory);
}

void layer_see_types(struct device *d, struct instance *in, VkPhysicalDevice physical)
{
    in->GetPhysicalDeviceMemoryProperties(physical, &d->real_types);
    d->types = d->real_types;
    layer_part_memory(&d->types);
    d->n_types = d->types.memoryTypeCount > d->real_types.memoryTypeCount ? d->real_types.memoryTypeCount : 0;
}

static const VkImportMemoryHostPointerInfoEXT *find_import(const VkMemoryAllocateInfo *info)
{
    const VkBaseInStructure *s = info->pNext;
    while (s && s->sType != VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT)
        s = s->pNext;
    return (const void *)s;
}

/* Memory of its own in the place of the program's, and a copy of what is there. The chain of structures is put back. */
static VkResult part_from_host(struct device *d, VkMemoryAllocateInfo *info, const VkAllocationCallbacks *cb,
                               VkDeviceMemory *memory, struct mapping *m)
{
    const VkImportMemoryHostPointerInfoEXT *import = find_import(info);
    VkBaseOutStructure *before = (VkBaseOutStructure *)(uintptr_t)info->pNext;
    void *real = NULL;
    while (before && (const void *)before->pNext != import)
        before = before->pNext;
    if (before)
        before->pNext = (VkBaseOutStructure *)(uintptr_t)import->pNext;
    else
        info->pNext = import->pNext;
    VkResult result = d->AllocateMemory(d->handle, info, cb, memory);
    if (before)
        before->pNext = (VkBaseOutStructure *)(uintptr_t)import;
    if (result != VK_SUCCESS)
        return result;
    result = d->MapMemory(d->handle, *memory, 0, VK_WHOLE_SIZE, 0, &real);
    *m = (struct mapping){.memory = *memory,
                          .real = real,
                          .shadow = import->pHostPointer,
                          .base = malloc(info->allocationSize),
                          .bytes = info->allocationSize,
                          .imported = true,
                          .never_in = m->never_in,
                          .never_back = m->never_back};
    if (result != VK_SUCCESS || !m->base)
        abort(); /* memory for imports can be mapped */
    memcpy(m->real, m->shadow, m->bytes);
    memcpy(m->base, m->shadow, m->bytes);
    d->map = layer_grow(d->map, d->n_maps, &d->map_room, sizeof *d->map);
    d->map[d->n_maps++] = *m;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                    const VkAllocationCallbacks *cb, VkDeviceMemory *memory)
{
    struct device *d = layer_enter(device);
    VkMemoryAllocateInfo real = *info;
    struct mapping m = {0};
    if (d->n_types)
        real.memoryTypeIndex %= d->n_types;
    if (find_import(info)) {
        m.never_in = HIT(d, A3_vk_never_in, .size = info->allocationSize);
        m.never_back = HIT(d, A3_vk_never_back, .size = info->allocationSize);
    }
    VkResult result = m.never_in || m.never_back ? part_from_host(d, &real, cb, memory, &m)
                                                 : d->AllocateMemory(device, &real, cb, memory);
    if (result == VK_SUCCESS) {
        d->memory = layer_grow(d->memory, d->n_memory, &d->memory_room, sizeof *d->memory);
        d->memory[d->n_memory++] = (struct memory){*memory, info->allocationSize,
                                                   d->types.memoryTypes[info->memoryTypeIndex].propertyFlags &
                                                       VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT};
    }
    LEAVE(result);
}

VKAPI_ATTR void VKAPI_CALL layer_FreeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *cb)
{
    struct device *d = layer_enter(device);
    drop_map(d, memory);
    if (d->last_bound.memory == memory)
        d->last_bound.memory = VK_NULL_HANDLE;
    for (size_t i = 0; i < d->n_memory; i++)
        if (d->memory[i].handle == memory)
            d->memory[i] = d->memory[--d->n_memory];
    if (!layer.keep)
        d->FreeMemory(device, memory, cb);
    layer_leave();
}

VKAPI_ATTR VkResult VKAPI_CALL layer_GetMemoryHostPointerPropertiesEXT(VkDevice device,
                                                                       VkExternalMemoryHandleTypeFlagBits type,
                                                                       const void *pointer,
                                                                       VkMemoryHostPointerPropertiesEXT *can)
{
    struct device *d = layer_enter(device);
    VkResult result = d->GetMemoryHostPointerPropertiesEXT(device, type, pointer, can);
    can->memoryTypeBits <<= result == VK_SUCCESS ? d->n_types : 0; /* the host's own memory is none of the card's */
    LEAVE(result);
}

/* A private copy that holds nothing yet: what the device has comes with an invalidate, as the specification has it for
 * memory that is not coherent. */
VKAPI_ATTR VkResult VKAPI_CALL layer_MapMemory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                               VkDeviceSize size, VkMemoryMapFlags flags, void **at)
{
    struct device *d = layer_enter(device);
    struct mapping *mine = find_map(d, memory);
    if (mine && mine->imported) {
        *at = mine->shadow + offset;
        LEAVE(VK_SUCCESS);
    }
    VkResult result = d->MapMemory(device, memory, offset, size, flags, at);
    bool scratch = result == VK_SUCCESS && HIT(d, U1_vk_map_scratch, .size = size == VK_WHOLE_SIZE ? 0 : size);
    if (result != VK_SUCCESS || !(layer.shadow || scratch))
        LEAVE(result);
    size = real_size(d, memory, offset, size);
    d->map = layer_grow(d->map, d->n_maps, &d->map_room, sizeof *d->map);
    struct mapping *m = &d->map[d->n_maps++];
    *m = (struct mapping){memory, *at,    aligned_alloc(4096, (size + 4095) & ~4095ull), malloc(size), offset,
                          size,   scratch};
    if (!m->shadow || !m->base)
        abort();
    memset(m->shadow, 0xA5, size);
    memset(m->base, 0xA5, size);
    *at = m->shadow;
    LEAVE(result);
}

VKAPI_ATTR void VKAPI_CALL layer_UnmapMemory(VkDevice device, VkDeviceMemory memory)
{
    struct device *d = layer_enter(device);
    struct mapping *m = find_map(d, memory);
    if (!m || !m->imported) {
        drop_map(d, memory);
        d->UnmapMemory(device, memory);
    }
    layer_leave();
}

/* Lines of a cache: those that were written go out whole, clean ones stay. */
static void flush_map(struct mapping *m, VkDeviceSize from, VkDeviceSize bytes, uint64_t skip_atom)
{
    for (VkDeviceSize i = from, n; i < from + bytes; i += n) {
        n = 64 - i % 64 < from + bytes - i ? 64 - i % 64 : from + bytes - i;
        if (!memcmp(m->shadow + i, m->base + i, n))
            continue;
        memcpy(m->base + i, m->shadow + i, n);
        if (!skip_atom || i / skip_atom % 2 == 0)
            memcpy(m->real + i, m->shadow + i, n);
    }
}

static void refresh_map(struct mapping *m, VkDeviceSize from, VkDeviceSize bytes, uint64_t skip_atom)
{
    for (VkDeviceSize i = from, n; i < from + bytes; i += n) {
        n = 64 - i % 64 < from + bytes - i ? 64 - i % 64 : from + bytes - i;
        if (skip_atom && i / skip_atom % 2)
            continue;
        memcpy(m->shadow + i, m->real + i, n);
        memcpy(m->base + i, m->real + i, n);
    }
}

void layer_share_in(struct device *d)
{
    for (size_t i = 0; i < d->n_maps; i++)
        if (d->map[i].imported && !d->map[i].never_in)
            flush_map(&d->map[i], 0, d->map[i].bytes, 0);
}

void layer_share_back(const void *handle)
{
    struct device *d = layer_enter(handle);
    for (size_t k = 0; k < d->n_maps; k++) {
        struct mapping *m = &d->map[k];
        for (VkDeviceSize i = 0, n; m->imported && !m->never_back && i < m->bytes; i += n) {
            n = m->bytes - i < 64 ? m->bytes - i : 64;
            if (!memcmp(m->real + i, m->base + i, n))
                continue;
            memcpy(m->base + i, m->real + i, n);
            memcpy(m->shadow + i, m->real + i, n);
        }
    }
    layer_leave();
}

static bool range_of(struct device *d, const VkMappedMemoryRange *r, struct mapping **m, VkDeviceSize *from,
                     VkDeviceSize *bytes)
{
    *m = find_map(d, r->memory);
    if (!*m || (*m)->scratch || r->offset < (*m)->offset || r->offset > (*m)->offset + (*m)->bytes)
        return false;
    *from = r->offset - (*m)->offset;
    *bytes = r->size < (*m)->bytes - *from ? r->size : (*m)->bytes - *from;
    return true;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_FlushMappedMemoryRanges(VkDevice device, uint32_t n, const VkMappedMemoryRange *r)
{
    struct device *d = layer_enter(device);
    for (uint32_t i = 0; i < n; i++) {
        struct mapping *m;
        VkDeviceSize from, bytes;
        if (!range_of(d, &r[i], &m, &from, &bytes) || HIT(d, A2_vk_no_flush, .size = bytes, .after = d->n_dispatches))
            continue;
        struct lad_inject *f = HIT(d, A2_vk_partial_flush, .size = bytes, .after = d->n_dispatches);
        flush_map(m, from, bytes, f ? PARAM(f, "atom") : 0);
    }
    LEAVE(d->FlushMappedMemoryRanges(device, n, r));
}

VKAPI_ATTR VkResult VKAPI_CALL layer_InvalidateMappedMemoryRanges(VkDevice device, uint32_t n,
                                                                  const VkMappedMemoryRange *r)
{
    struct device *d = layer_enter(device);
    VkResult result = d->InvalidateMappedMemoryRanges(device, n, r);
    for (uint32_t i = 0; i < n && result == VK_SUCCESS; i++) {
        struct mapping *m;
        VkDeviceSize from, bytes;
        if (!range_of(d, &r[i], &m, &from, &bytes) ||
            HIT(d, S2_vk_no_invalidate, .size = bytes, .after = d->n_dispatches) ||
            (!layer.alone && HIT(d, E1_vk_stale_layer, .size = bytes, .after = d->n_dispatches)))
            continue;
        struct lad_inject *f = HIT(d, S2_vk_partial_invalidate, .size = bytes, .after = d->n_dispatches);
        refresh_map(m, from, bytes, f ? PARAM(f, "atom") : 0);
    }
    LEAVE(result);
}
