/* SPDX-License-Identifier: Apache-2.0 */
/* Memory as the program sees it: types, allocations, what buffers are bound to, and mappings, which are private copies
 * in shadow mode. */
#include "vk_layer.h"
#include <stdlib.h>
#include <string.h>

static void add_type(VkPhysicalDeviceMemoryProperties *p, uint32_t *real, uint32_t like, VkMemoryPropertyFlags never,
                     uint32_t heap)
{
    p->memoryTypes[p->memoryTypeCount].propertyFlags = p->memoryTypes[like].propertyFlags & ~never;
    p->memoryTypes[p->memoryTypeCount].heapIndex = heap;
    real[p->memoryTypeCount++] = real[like];
}

/* Discrete: every type twice, first as the device's own, which the host does not see, then as memory of the host. */
static void part_memory(VkPhysicalDeviceMemoryProperties *p, uint32_t *real)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                                visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    const VkMemoryPropertyFlags seen =
        visible | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    uint32_t n = p->memoryTypeCount, heap = p->memoryHeapCount;
    if (!layer.discrete || 2 * n > VK_MAX_MEMORY_TYPES || heap == VK_MAX_MEMORY_HEAPS)
        return;
    for (uint32_t i = 0; i < n; i++) {
        bool both = p->memoryTypes[i].propertyFlags & visible && p->memoryTypes[i].propertyFlags & local;
        add_type(p, real, i, both ? local : 0, both ? heap : p->memoryTypes[i].heapIndex);
        p->memoryTypes[i].propertyFlags &= ~(both ? seen : 0);
    }
    p->memoryHeaps[p->memoryHeapCount++] = (VkMemoryHeap){p->memoryHeaps[0].size, 0};
}

/* Shadow: no type is coherent, but one of the host's at the end, as there has to be one; unless a fault needs that
 * nothing is. */
static void hide_coherent(VkPhysicalDeviceMemoryProperties *p, uint32_t *real)
{
    const VkMemoryPropertyFlags coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t n = p->memoryTypeCount, like = n;
    if (!layer.shadow)
        return;
    for (uint32_t i = 0; i < n; i++)
        if (p->memoryTypes[i].propertyFlags & coherent && like == n)
            like = i;
    if (like < n && n < VK_MAX_MEMORY_TYPES && !layer.never_coherent)
        add_type(p, real, like, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, p->memoryTypes[like].heapIndex);
    for (uint32_t i = 0; i < n; i++)
        p->memoryTypes[i].propertyFlags &= ~coherent;
}

/* The types as the program sees them, and which of the device's own each is. */
static void change_types(VkPhysicalDeviceMemoryProperties *p, uint32_t real[VK_MAX_MEMORY_TYPES])
{
    for (uint32_t i = 0; i < VK_MAX_MEMORY_TYPES; i++)
        real[i] = i;
    part_memory(p, real);
    hide_coherent(p, real);
}

VKAPI_ATTR void VKAPI_CALL layer_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice p,
                                                                   VkPhysicalDeviceMemoryProperties *out)
{
    uint32_t real[VK_MAX_MEMORY_TYPES];
    layer_instance(p)->GetPhysicalDeviceMemoryProperties(p, out);
    change_types(out, real);
}

VKAPI_ATTR void VKAPI_CALL layer_GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice p,
                                                                    VkPhysicalDeviceMemoryProperties2 *out)
{
    uint32_t real[VK_MAX_MEMORY_TYPES];
    layer_instance(p)->GetPhysicalDeviceMemoryProperties2(p, out);
    uint32_t n = out->memoryProperties.memoryHeapCount;
    change_types(&out->memoryProperties, real);
    for (VkBaseOutStructure *s = out->pNext; s; s = s->pNext) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)s;
        if (s->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT)
            continue;
        for (uint32_t i = n; i < out->memoryProperties.memoryHeapCount; i++) {
            budget->heapBudget[i] = budget->heapBudget[0];
            budget->heapUsage[i] = budget->heapUsage[0];
        }
    }
}

/* The types that memory may be of, as the program counts them. */
static void show_types(const struct device *d, uint32_t *bits)
{
    uint32_t own = 0;
    for (uint32_t i = 0; i < d->types.memoryTypeCount; i++)
        own |= (*bits >> d->real_type[i] & 1) << i;
    *bits = own;
}

#define REQUIREMENTS(name, params, args, bits)                                                                         \
    VKAPI_ATTR void VKAPI_CALL layer_##name params                                                                     \
    {                                                                                                                  \
        struct device *d = layer_enter(device);                                                                        \
        d->name args;                                                                                                  \
        show_types(d, &need->bits);                                                                                    \
        layer_leave();                                                                                                 \
    }
REQUIREMENTS(GetBufferMemoryRequirements, (VkDevice device, VkBuffer b, VkMemoryRequirements *need), (device, b, need),
             memoryTypeBits)
REQUIREMENTS(GetImageMemoryRequirements, (VkDevice device, VkImage i, VkMemoryRequirements *need), (device, i, need),
             memoryTypeBits)
#define REQUIREMENTS_2(name, info_type)                                                                                \
    REQUIREMENTS(name, (VkDevice device, const info_type *info, VkMemoryRequirements2 *need), (device, info, need),    \
                 memoryRequirements.memoryTypeBits)
REQUIREMENTS_2(GetBufferMemoryRequirements2, VkBufferMemoryRequirementsInfo2)
REQUIREMENTS_2(GetImageMemoryRequirements2, VkImageMemoryRequirementsInfo2)
REQUIREMENTS_2(GetDeviceBufferMemoryRequirements, VkDeviceBufferMemoryRequirements)
REQUIREMENTS_2(GetDeviceImageMemoryRequirements, VkDeviceImageMemoryRequirements)

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
    change_types(&d->types, d->real_type);
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
    real.memoryTypeIndex = d->real_type[info->memoryTypeIndex % VK_MAX_MEMORY_TYPES];
    if (find_import(info)) {
        m.never_in = HIT(d, A3_vk_never_in, .size = info->allocationSize);
        m.never_back = HIT(d, A3_vk_never_back, .size = info->allocationSize);
    }
    VkResult result = m.never_in || m.never_back ? part_from_host(d, &real, cb, memory, &m)
                                                 : d->AllocateMemory(device, &real, cb, memory);
    if (result == VK_SUCCESS) {
        d->memory = layer_grow(d->memory, d->n_memory, &d->memory_room, sizeof *d->memory);
        VkMemoryPropertyFlags flags = d->types.memoryTypes[info->memoryTypeIndex].propertyFlags;
        d->memory[d->n_memory++] =
            (struct memory){*memory, info->allocationSize, flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                            flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT};
    }
    LEAVE(result);
}

VKAPI_ATTR void VKAPI_CALL layer_FreeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *cb)
{
    struct device *d = layer_enter(device);
    layer_settle(d);
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
    if (result == VK_SUCCESS) {
        show_types(d, &can->memoryTypeBits);
        /* The host's own memory is none of the card's. */
        for (uint32_t i = 0; layer.discrete && i < d->real_types.memoryTypeCount; i++)
            can->memoryTypeBits &= ~(1u << i);
    }
    LEAVE(result);
}

static bool is_coherent(const struct device *d, VkDeviceMemory memory)
{
    for (size_t i = 0; i < d->n_memory; i++)
        if (d->memory[i].handle == memory)
            return d->memory[i].coherent;
    return false;
}

/* A private copy that holds nothing yet: what the device has comes with an invalidate, as the specification has it for
 * memory that is not coherent. *at is the driver's mapping. */
static void shadow_map(struct device *d, const VkMemoryMapInfoKHR *info, void **at)
{
    bool scratch = HIT(d, U1_vk_map_scratch, .size = info->size == VK_WHOLE_SIZE ? 0 : info->size);
    if (!scratch && (!layer.shadow || is_coherent(d, info->memory)))
        return;
    VkDeviceSize size = real_size(d, info->memory, info->offset, info->size);
    d->map = layer_grow(d->map, d->n_maps, &d->map_room, sizeof *d->map);
    struct mapping *m = &d->map[d->n_maps++];
    *m = (struct mapping){.memory = info->memory,
                          .real = *at,
                          .shadow = aligned_alloc(4096, (size + 4095) & ~4095ull),
                          .base = malloc(size),
                          .offset = info->offset,
                          .bytes = size,
                          .scratch = scratch};
    if (!m->shadow || !m->base)
        abort();
    memset(m->shadow, 0xA5, size);
    memset(m->base, 0xA5, size);
    *at = m->shadow;
}

static VkResult map_memory(struct device *d, const VkMemoryMapInfoKHR *info, void **at, bool plain)
{
    struct mapping *mine = find_map(d, info->memory);
    if (mine && mine->imported) {
        *at = mine->shadow + info->offset;
        return VK_SUCCESS;
    }
    VkResult result = plain ? d->MapMemory(d->handle, info->memory, info->offset, info->size, info->flags, at)
                            : d->MapMemory2KHR(d->handle, info, at);
    if (result == VK_SUCCESS)
        shadow_map(d, info, at);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_MapMemory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                               VkDeviceSize size, VkMemoryMapFlags flags, void **at)
{
    struct device *d = layer_enter(device);
    VkMemoryMapInfoKHR info = {.flags = flags, .memory = memory, .offset = offset, .size = size};
    LEAVE(map_memory(d, &info, at, true));
}

VKAPI_ATTR VkResult VKAPI_CALL layer_MapMemory2KHR(VkDevice device, const VkMemoryMapInfoKHR *info, void **at)
{
    struct device *d = layer_enter(device);
    LEAVE(map_memory(d, info, at, false));
}

/* False where the driver has nothing to unmap. */
static bool leave_map(struct device *d, VkDeviceMemory memory)
{
    struct mapping *m = find_map(d, memory);
    if (m && m->imported)
        return false;
    drop_map(d, memory);
    return true;
}

VKAPI_ATTR void VKAPI_CALL layer_UnmapMemory(VkDevice device, VkDeviceMemory memory)
{
    struct device *d = layer_enter(device);
    if (leave_map(d, memory))
        d->UnmapMemory(device, memory);
    layer_leave();
}

VKAPI_ATTR VkResult VKAPI_CALL layer_UnmapMemory2KHR(VkDevice device, const VkMemoryUnmapInfoKHR *info)
{
    struct device *d = layer_enter(device);
    LEAVE(leave_map(d, info->memory) ? d->UnmapMemory2KHR(device, info) : VK_SUCCESS);
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
