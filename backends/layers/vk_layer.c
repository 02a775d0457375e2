/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VK_LAYER_GPULADDER_fault: a Vulkan layer with the faults of faults.def that reach a driver, for any program.
 * GPULADDER_FAULT=CAUSE.name[:key=number,...][;...] switches faults on, GPULADDER_MODE=shadow,reorder makes it a driver
 * that is hostile within the specification: mappings are private copies that only flush and invalidate move, and
 * commands without a barrier between them run in reverse. GPULADDER_MODE=discrete hides the device's own memory from
 * the host, as on a card of its own, GPULADDER_MODE=keep frees no buffer and no memory. Fences and semaphores always
 * signal. Counts start anew at each device.
 */
#include "inject.h"
#include "spirv.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>

#define EXPORT __attribute__((visibility("default")))
enum { MOST = 64 };

/* Entry points of a device that are called from here. */
#define DEVICE_CALLS(X)                                                                                                \
    X(DestroyDevice)                                                                                                   \
    X(QueueSubmit)                                                                                                     \
    X(QueueWaitIdle)                                                                                                   \
    X(DeviceWaitIdle)                                                                                                  \
    X(GetFenceStatus)                                                                                                  \
    X(WaitForFences) X(AllocateMemory) X(FreeMemory) X(BindBufferMemory) X(MapMemory) X(UnmapMemory)                   \
        X(FlushMappedMemoryRanges) X(InvalidateMappedMemoryRanges) X(GetBufferMemoryRequirements)                      \
            X(GetBufferMemoryRequirements2) X(GetMemoryHostPointerPropertiesEXT) X(CreateBuffer) X(DestroyBuffer)      \
                X(CreateShaderModule) X(CreateComputePipelines) X(UpdateDescriptorSets) X(ResetDescriptorPool)         \
                    X(DestroyDescriptorPool) X(GetBufferDeviceAddress) X(BeginCommandBuffer) X(EndCommandBuffer)       \
                        X(FreeCommandBuffers) X(CmdPipelineBarrier) X(CmdBindPipeline) X(CmdBindDescriptorSets)        \
                            X(CmdPushConstants) X(CmdDispatch) X(CmdDispatchBase) X(CmdDispatchIndirect)               \
                                X(CmdFillBuffer) X(CmdCopyBuffer) X(CmdWriteTimestamp) X(CmdPipelineBarrier2)          \
                                    X(CmdPipelineBarrier2KHR) X(CmdWaitEvents) X(CmdExecuteCommands)                   \
                                        X(CmdPushDescriptorSetKHR)

struct mapping {
    VkDeviceMemory memory;
    unsigned char *real, *shadow, *base; /* base: the shadow as it was when it last agreed with the device */
    VkDeviceSize offset, bytes;
    bool scratch;
};
enum kind { DISPATCH, INDIRECT, FILL, COPY };
struct held {
    enum kind kind;
    VkPipeline pipeline;
    VkPipelineLayout layout, push_layout;
    VkDescriptorSet set[8];
    uint32_t n_sets, dynamic[16], n_dynamic, push_bytes, grid[6], word;
    VkShaderStageFlags stages;
    unsigned char push[256];
    VkBuffer from, to;
    VkDeviceSize offset, bytes;
    VkBufferCopy region;
};
struct cmd { /* a command buffer: what is bound, and what waits for the next barrier */
    VkCommandBuffer handle;
    struct held now, *held;
    size_t n, room;
    bool bound_once, pushed_once, strange; /* strange: uses commands that cannot be held */
    VkDescriptorSet first_set[8];
    VkPipelineLayout first_layout;
    unsigned char first_push[256];
};
struct device {
    void *key;
    VkDevice handle;
    VkPhysicalDevice physical;
    PFN_vkGetDeviceProcAddr get;
#define MEMBER(name) PFN_vk##name name;
    DEVICE_CALLS(MEMBER)
#undef MEMBER
    struct lad_injection set;
    struct mapping *map;
    size_t n_maps, map_room;
    struct cmd **cmd;
    size_t n_cmds, cmd_room;
    uint64_t n_dispatches, n_buffers;
    uint32_t n_types; /* of memory, where the layer doubles them; 0 where not */
    struct {
        VkDeviceMemory memory;
        VkDeviceSize offset, bytes;
    } last_bound;
    struct {
        uint64_t module; /* what it holds, not its handle */
        VkSpecializationInfo info;
    } spec[MOST];
    size_t n_specs;
    struct {
        VkShaderModule handle;
        uint64_t key;
    } module[MOST];
    size_t n_modules;
    struct {
        VkQueue queue;
        VkCommandBuffer cmd[16];
        uint32_t n;
    } late;
    VkDescriptorPool pools[MOST]; /* to be reset when the late work is done */
    size_t n_pools;
    bool dead, swallowed;
};
struct instance {
    void *key;
    PFN_vkGetInstanceProcAddr get;
    PFN_vkDestroyInstance DestroyInstance;
    PFN_vkEnumeratePhysicalDevices EnumeratePhysicalDevices;
    PFN_vkGetPhysicalDeviceMemoryProperties GetPhysicalDeviceMemoryProperties;
    PFN_vkGetPhysicalDeviceMemoryProperties2 GetPhysicalDeviceMemoryProperties2, GetPhysicalDeviceMemoryProperties2KHR;
    PFN_vkCreateDevice CreateDevice;
};

static struct instance instances[MOST];
static struct device *devices[MOST];
static size_t n_instances, n_devices;
static struct lad_injection wanted;
static bool shadow_mode, reorder_mode, discrete_mode, keep_mode, layers_off;
static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define HIT(d, name, ...) lad_inject_step(&(d)->set, LAD_FAULT_##name, (struct lad_at){__VA_ARGS__})
#define PARAM(f, name) lad_inject_get(f, name)

static void read_environment(void)
{
    const char *faults = getenv("GPULADDER_FAULT"), *mode = getenv("GPULADDER_MODE");
    char why[400];
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &how);
    if (faults && !lad_inject_add_all(&wanted, faults, why, sizeof why))
        fprintf(stderr, "gpuladder fault layer: %s\n", why);
    for (size_t i = 0; i < wanted.n; i++) {
        const struct lad_fault *f = &lad_faults[wanted.item[i].id];
        if (f->depth != LAD_DEPTH_VULKAN)
            continue;
        shadow_mode |= !strcmp(f->id, "A2") || !strcmp(f->id, "S2") || !strcmp(f->name, "vk_stale_layer");
        reorder_mode |= !strcmp(f->id, "S3");
    }
    shadow_mode |= mode && strstr(mode, "shadow");
    reorder_mode |= mode && strstr(mode, "reorder");
    layers_off = getenv("VK_LOADER_LAYERS_DISABLE");
    discrete_mode = mode && strstr(mode, "discrete");
    keep_mode = mode && strstr(mode, "keep");
}

static void *key_of(const void *handle)
{
    return *(void *const *)handle;
}

static struct instance *find_instance(const void *handle)
{
    for (size_t i = 0; i < n_instances; i++)
        if (instances[i].key == key_of(handle))
            return &instances[i];
    return NULL;
}

/* Enters: every hook of a device runs under the lock, and leaves by LEAVE. */
static struct device *enter(const void *handle)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_devices; i++)
        if (devices[i]->key == key_of(handle))
            return devices[i];
    fprintf(stderr, "gpuladder fault layer: a call for a device that it does not know\n");
    abort();
}
#define LEAVE(value)                                                                                                   \
    do {                                                                                                               \
        __typeof__(value) lad_value = (value);                                                                         \
        pthread_mutex_unlock(&lock);                                                                                   \
        return lad_value;                                                                                              \
    } while (0)
static void leave(void)
{
    pthread_mutex_unlock(&lock);
}

static void *grow(void *array, size_t n, size_t *room, size_t bytes)
{
    if (n < *room)
        return array;
    *room = *room ? 2 * *room : 16;
    array = realloc(array, *room * bytes);
    if (!array)
        abort();
    return array;
}

/* ---- memory: shadows -------------------------------------------------------------------------------------------- */

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
    free(m->shadow);
    free(m->base);
    *m = d->map[--d->n_maps];
}

static VKAPI_ATTR VkResult VKAPI_CALL AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                     const VkAllocationCallbacks *cb, VkDeviceMemory *memory)
{
    struct device *d = enter(device);
    VkMemoryAllocateInfo real = *info;
    if (d->n_types)
        real.memoryTypeIndex %= d->n_types;
    LEAVE(d->AllocateMemory(device, &real, cb, memory));
}

static VKAPI_ATTR void VKAPI_CALL FreeMemory(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *cb)
{
    struct device *d = enter(device);
    drop_map(d, memory);
    if (d->last_bound.memory == memory)
        d->last_bound.memory = VK_NULL_HANDLE;
    if (!keep_mode)
        d->FreeMemory(device, memory, cb);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL GetBufferMemoryRequirements(VkDevice device, VkBuffer buffer,
                                                              VkMemoryRequirements *need)
{
    struct device *d = enter(device);
    d->GetBufferMemoryRequirements(device, buffer, need);
    if (d->n_types)
        need->memoryTypeBits |= need->memoryTypeBits << d->n_types;
    leave();
}

static VKAPI_ATTR void VKAPI_CALL GetBufferMemoryRequirements2(VkDevice device,
                                                               const VkBufferMemoryRequirementsInfo2 *info,
                                                               VkMemoryRequirements2 *need)
{
    struct device *d = enter(device);
    d->GetBufferMemoryRequirements2(device, info, need);
    if (d->n_types)
        need->memoryRequirements.memoryTypeBits |= need->memoryRequirements.memoryTypeBits << d->n_types;
    leave();
}

static VKAPI_ATTR VkResult VKAPI_CALL GetMemoryHostPointerPropertiesEXT(VkDevice device,
                                                                        VkExternalMemoryHandleTypeFlagBits type,
                                                                        const void *pointer,
                                                                        VkMemoryHostPointerPropertiesEXT *can)
{
    struct device *d = enter(device);
    VkResult result = d->GetMemoryHostPointerPropertiesEXT(device, type, pointer, can);
    can->memoryTypeBits <<= result == VK_SUCCESS ? d->n_types : 0; /* the host's own memory is none of the card's */
    LEAVE(result);
}

static VKAPI_ATTR VkResult VKAPI_CALL BindBufferMemory(VkDevice device, VkBuffer buffer, VkDeviceMemory memory,
                                                       VkDeviceSize offset)
{
    struct device *d = enter(device);
    VkMemoryRequirements need;
    d->GetBufferMemoryRequirements(device, buffer, &need);
    d->n_buffers++;
    bool fits = d->last_bound.memory && need.size <= d->last_bound.bytes;
    if (HIT(d, A1_vk_sink, .size = need.size, .buffer = d->n_buffers) && fits) {
        memory = d->last_bound.memory;
        offset = d->last_bound.offset;
    } else {
        d->last_bound.memory = memory;
        d->last_bound.offset = offset;
        d->last_bound.bytes = need.size;
    }
    LEAVE(d->BindBufferMemory(device, buffer, memory, offset));
}

static VkDeviceSize real_size(struct device *d, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size);

/* A private copy that holds nothing yet: what the device has comes with an invalidate, as the specification has it for
 * memory that is not coherent. */
static VKAPI_ATTR VkResult VKAPI_CALL MapMemory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                                VkDeviceSize size, VkMemoryMapFlags flags, void **at)
{
    struct device *d = enter(device);
    VkResult result = d->MapMemory(device, memory, offset, size, flags, at);
    bool scratch = result == VK_SUCCESS && HIT(d, U1_vk_map_scratch, .size = size == VK_WHOLE_SIZE ? 0 : size);
    if (result != VK_SUCCESS || !(shadow_mode || scratch))
        LEAVE(result);
    size = real_size(d, memory, offset, size);
    d->map = grow(d->map, d->n_maps, &d->map_room, sizeof *d->map);
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

static VKAPI_ATTR void VKAPI_CALL UnmapMemory(VkDevice device, VkDeviceMemory memory)
{
    struct device *d = enter(device);
    drop_map(d, memory);
    d->UnmapMemory(device, memory);
    leave();
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

static VKAPI_ATTR VkResult VKAPI_CALL FlushMappedMemoryRanges(VkDevice device, uint32_t n, const VkMappedMemoryRange *r)
{
    struct device *d = enter(device);
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

static VKAPI_ATTR VkResult VKAPI_CALL InvalidateMappedMemoryRanges(VkDevice device, uint32_t n,
                                                                   const VkMappedMemoryRange *r)
{
    struct device *d = enter(device);
    VkResult result = d->InvalidateMappedMemoryRanges(device, n, r);
    for (uint32_t i = 0; i < n && result == VK_SUCCESS; i++) {
        struct mapping *m;
        VkDeviceSize from, bytes;
        if (!range_of(d, &r[i], &m, &from, &bytes) ||
            HIT(d, S2_vk_no_invalidate, .size = bytes, .after = d->n_dispatches) ||
            (!layers_off && HIT(d, E1_vk_stale_layer, .size = bytes, .after = d->n_dispatches)))
            continue;
        struct lad_inject *f = HIT(d, S2_vk_partial_invalidate, .size = bytes, .after = d->n_dispatches);
        refresh_map(m, from, bytes, f ? PARAM(f, "atom") : 0);
    }
    LEAVE(result);
}

static VKAPI_ATTR VkDeviceAddress VKAPI_CALL GetBufferDeviceAddress(VkDevice device,
                                                                    const VkBufferDeviceAddressInfo *info)
{
    struct device *d = enter(device);
    LEAVE(HIT(d, B2_vk_null_address, .size = 0) ? 0 : d->GetBufferDeviceAddress(device, info));
}

/* ---- shaders and pipelines -------------------------------------------------------------------------------------- */

/* A cache knows a module by what it holds: handles come again. */
static void note_module(struct device *d, VkShaderModule module, const uint32_t *code, size_t n)
{
    uint64_t key = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        key = (key ^ code[i]) * 1099511628211u;
    size_t at = 0;
    while (at < d->n_modules && d->module[at].handle != module)
        at++;
    if (at == MOST)
        return;
    d->n_modules += at == d->n_modules;
    d->module[at].handle = module;
    d->module[at].key = key;
}

static uint64_t key_of_module(const struct device *d, VkShaderModule module)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (d->module[i].handle == module)
            return d->module[i].key;
    return 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL CreateShaderModule(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                         const VkAllocationCallbacks *cb, VkShaderModule *module)
{
    struct device *d = enter(device);
    VkShaderModuleCreateInfo own = *info;
    size_t n = info->codeSize / 4;
    uint32_t *code = malloc(info->codeSize);
    struct lad_inject *f;
    if (!code)
        abort();
    memcpy(code, info->pCode, n * 4);
    own.pCode = code;
    if ((f = HIT(d, C4_vk_lost_store, .size = info->codeSize)))
        lad_spirv_lose_store(code, n, (uint32_t)PARAM(f, "set"));
    if (HIT(d, W1_vk_no_barrier, .size = info->codeSize))
        lad_spirv_lose_barriers(code, n);
    if ((f = HIT(d, B5_vk_array_stride, .size = info->codeSize)))
        lad_spirv_stride(code, n, (uint32_t)PARAM(f, "from"), (uint32_t)PARAM(f, "to"));
    if (HIT(d, M1_vk_fadd, .size = info->codeSize))
        lad_spirv_replace(code, n, 129, 131); /* OpFAdd, OpFSub */
    if (HIT(d, M1_vk_fmul, .size = info->codeSize))
        lad_spirv_replace(code, n, 133, 129); /* OpFMul, OpFAdd */
    VkResult result = d->CreateShaderModule(device, &own, cb, module);
    if (result == VK_SUCCESS)
        note_module(d, *module, code, n);
    free(code);
    LEAVE(result);
}

/* The first constants that a module was built with. */
static const VkSpecializationInfo *first_constants(struct device *d, VkShaderModule module,
                                                   const VkSpecializationInfo *info)
{
    for (size_t i = 0; i < d->n_specs; i++)
        if (d->spec[i].module == key_of_module(d, module))
            return &d->spec[i].info;
    if (d->n_specs == MOST || !info)
        return info;
    VkSpecializationInfo *own = &d->spec[d->n_specs].info;
    VkSpecializationMapEntry *map = malloc(info->mapEntryCount * sizeof *map);
    void *data = malloc(info->dataSize);
    memcpy(map, info->pMapEntries, info->mapEntryCount * sizeof *map);
    memcpy(data, info->pData, info->dataSize);
    *own = (VkSpecializationInfo){info->mapEntryCount, map, info->dataSize, data};
    d->spec[d->n_specs++].module = key_of_module(d, module);
    return info;
}

/* One pipeline's constants, changed: *own, *map and *data are the caller's room. */
static void change_constants(struct device *d, VkComputePipelineCreateInfo *p, VkSpecializationInfo *own,
                             VkSpecializationMapEntry *map, unsigned char *data)
{
    const VkSpecializationInfo *info = p->stage.pSpecializationInfo;
    struct lad_inject *f;
    if (!info || info->mapEntryCount > MOST || info->dataSize > 4 * MOST)
        return;
    *own = *info;
    memcpy(map, info->pMapEntries, info->mapEntryCount * sizeof *map);
    memcpy(data, info->pData, info->dataSize);
    if ((f = HIT(d, C2_vk_constant_lost)))
        for (uint32_t i = 0; i < own->mapEntryCount; i++)
            if (map[i].constantID == PARAM(f, "id"))
                map[i] = map[--own->mapEntryCount];
    if ((f = HIT(d, C2_vk_local_size)))
        for (uint32_t i = 0; i < own->mapEntryCount; i++) {
            uint32_t value;
            if (map[i].constantID != PARAM(f, "id") || map[i].size != 4 || !PARAM(f, "divide"))
                continue;
            memcpy(&value, data + map[i].offset, 4);
            value = value / PARAM(f, "divide") ? value / (uint32_t)PARAM(f, "divide") : 1;
            memcpy(data + map[i].offset, &value, 4);
        }
    own->pMapEntries = map;
    own->pData = data;
    p->stage.pSpecializationInfo = own;
}

static VKAPI_ATTR VkResult VKAPI_CALL CreateComputePipelines(VkDevice device, VkPipelineCache cache, uint32_t n,
                                                             const VkComputePipelineCreateInfo *info,
                                                             const VkAllocationCallbacks *cb, VkPipeline *pipeline)
{
    struct device *d = enter(device);
    VkResult worst = VK_SUCCESS;
    for (uint32_t i = 0; i < n; i++) {
        VkComputePipelineCreateInfo one = info[i];
        VkSpecializationInfo own;
        VkSpecializationMapEntry map[MOST];
        unsigned char data[4 * MOST];
        VkShaderModule empty = VK_NULL_HANDLE;
        if (lad_inject_on(&d->set, LAD_FAULT_C1_vk_key_without_constants) && HIT(d, C1_vk_key_without_constants))
            one.stage.pSpecializationInfo = first_constants(d, one.stage.module, one.stage.pSpecializationInfo);
        change_constants(d, &one, &own, map, data);
        if (HIT(d, E2_vk_empty_pipeline)) {
            VkShaderModuleCreateInfo nothing = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                .codeSize = lad_spirv_nothing_bytes,
                                                .pCode = lad_spirv_nothing};
            if (d->CreateShaderModule(device, &nothing, NULL, &empty) == VK_SUCCESS) {
                one.stage.module = empty;
                one.stage.pName = "main";
                one.stage.pSpecializationInfo = NULL;
            }
        }
        VkResult result = d->CreateComputePipelines(device, cache, 1, &one, cb, &pipeline[i]);
        worst = result != VK_SUCCESS ? result : worst; /* the empty module is left to the device's end */
    }
    LEAVE(worst);
}

/* ---- descriptors ------------------------------------------------------------------------------------------------ */

static VKAPI_ATTR void VKAPI_CALL UpdateDescriptorSets(VkDevice device, uint32_t n, const VkWriteDescriptorSet *writes,
                                                       uint32_t n_copies, const VkCopyDescriptorSet *copies)
{
    struct device *d = enter(device);
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
    leave();
}

/* ---- command buffers -------------------------------------------------------------------------------------------- */

static struct cmd *get_cmd(struct device *d, VkCommandBuffer handle)
{
    for (size_t i = 0; i < d->n_cmds; i++)
        if (d->cmd[i]->handle == handle)
            return d->cmd[i];
    d->cmd = grow(d->cmd, d->n_cmds, &d->cmd_room, sizeof *d->cmd);
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
    }
}

/* What waits, last first; then everything is bound as the program believes it is. */
static void flush_cmd(struct device *d, struct cmd *c)
{
    if (!c->n)
        return;
    while (c->n) {
        const struct held *h = &c->held[--c->n];
        if (h->kind == DISPATCH || h->kind == INDIRECT)
            bind_state(d, c->handle, h);
        issue(d, c->handle, h);
    }
    bind_state(d, c->handle, &c->now);
}

static void put(struct device *d, VkCommandBuffer handle, const struct held *what)
{
    struct cmd *c = get_cmd(d, handle);
    struct held h = *what;
    if (!reorder_mode || c->strange) {
        issue(d, handle, &h);
        return;
    }
    struct held with = c->now;
    with.kind = h.kind;
    memcpy(with.grid, h.grid, sizeof h.grid);
    with.from = h.from;
    with.to = h.to;
    with.offset = h.offset;
    with.bytes = h.bytes;
    with.word = h.word;
    with.region = h.region;
    c->held = grow(c->held, c->n, &c->room, sizeof *c->held);
    c->held[c->n++] = with;
}

static void settle(struct device *d);

static VKAPI_ATTR VkResult VKAPI_CALL BeginCommandBuffer(VkCommandBuffer handle, const VkCommandBufferBeginInfo *info)
{
    struct device *d = enter(handle);
    struct cmd *c = get_cmd(d, handle);
    struct held *held = c->held;
    size_t room = c->room;
    settle(d);
    *c = (struct cmd){.handle = handle, .held = held, .room = room};
    LEAVE(d->BeginCommandBuffer(handle, info));
}

static VKAPI_ATTR VkResult VKAPI_CALL EndCommandBuffer(VkCommandBuffer handle)
{
    struct device *d = enter(handle);
    flush_cmd(d, get_cmd(d, handle));
    LEAVE(d->EndCommandBuffer(handle));
}

static VKAPI_ATTR void VKAPI_CALL FreeCommandBuffers(VkDevice device, VkCommandPool pool, uint32_t n,
                                                     const VkCommandBuffer *handles)
{
    struct device *d = enter(device);
    settle(d);
    for (uint32_t i = 0; i < n; i++)
        for (size_t k = 0; k < d->n_cmds; k++)
            if (d->cmd[k]->handle == handles[i]) {
                free(d->cmd[k]->held);
                free(d->cmd[k]);
                d->cmd[k] = d->cmd[--d->n_cmds];
                break;
            }
    d->FreeCommandBuffers(device, pool, n, handles);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdPipelineBarrier(VkCommandBuffer handle, VkPipelineStageFlags from,
                                                     VkPipelineStageFlags to, VkDependencyFlags flags, uint32_t n,
                                                     const VkMemoryBarrier *memory, uint32_t n_buffers,
                                                     const VkBufferMemoryBarrier *buffers, uint32_t n_images,
                                                     const VkImageMemoryBarrier *images)
{
    struct device *d = enter(handle);
    if (!HIT(d, S3_vk_no_barrier)) {
        flush_cmd(d, get_cmd(d, handle));
        d->CmdPipelineBarrier(handle, from, to, flags, n, memory, n_buffers, buffers, n_images, images);
    }
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdPipelineBarrier2(VkCommandBuffer handle, const VkDependencyInfo *info)
{
    struct device *d = enter(handle);
    if (!HIT(d, S3_vk_no_barrier)) {
        flush_cmd(d, get_cmd(d, handle));
        (d->CmdPipelineBarrier2 ? d->CmdPipelineBarrier2 : d->CmdPipelineBarrier2KHR)(handle, info);
    }
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdWaitEvents(VkCommandBuffer handle, uint32_t n, const VkEvent *events,
                                                VkPipelineStageFlags from, VkPipelineStageFlags to, uint32_t n_memory,
                                                const VkMemoryBarrier *memory, uint32_t n_buffers,
                                                const VkBufferMemoryBarrier *buffers, uint32_t n_images,
                                                const VkImageMemoryBarrier *images)
{
    struct device *d = enter(handle);
    flush_cmd(d, get_cmd(d, handle));
    d->CmdWaitEvents(handle, n, events, from, to, n_memory, memory, n_buffers, buffers, n_images, images);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdExecuteCommands(VkCommandBuffer handle, uint32_t n, const VkCommandBuffer *inner)
{
    struct device *d = enter(handle);
    flush_cmd(d, get_cmd(d, handle));
    d->CmdExecuteCommands(handle, n, inner);
    leave();
}

/* What it binds cannot be bound again later: from here on this command buffer is left as it is. */
static VKAPI_ATTR void VKAPI_CALL CmdPushDescriptorSetKHR(VkCommandBuffer handle, VkPipelineBindPoint point,
                                                          VkPipelineLayout layout, uint32_t set, uint32_t n,
                                                          const VkWriteDescriptorSet *writes)
{
    struct device *d = enter(handle);
    struct cmd *c = get_cmd(d, handle);
    flush_cmd(d, c);
    c->strange = true;
    d->CmdPushDescriptorSetKHR(handle, point, layout, set, n, writes);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdWriteTimestamp(VkCommandBuffer handle, VkPipelineStageFlagBits stage,
                                                    VkQueryPool pool, uint32_t query)
{
    struct device *d = enter(handle);
    flush_cmd(d, get_cmd(d, handle));
    d->CmdWriteTimestamp(handle, stage, pool, query);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdBindPipeline(VkCommandBuffer handle, VkPipelineBindPoint point, VkPipeline p)
{
    struct device *d = enter(handle);
    if (point == VK_PIPELINE_BIND_POINT_COMPUTE)
        get_cmd(d, handle)->now.pipeline = p;
    d->CmdBindPipeline(handle, point, p);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdBindDescriptorSets(VkCommandBuffer handle, VkPipelineBindPoint point,
                                                        VkPipelineLayout layout, uint32_t first, uint32_t n,
                                                        const VkDescriptorSet *sets, uint32_t n_dynamic,
                                                        const uint32_t *dynamic)
{
    struct device *d = enter(handle);
    struct cmd *c = get_cmd(d, handle);
    VkDescriptorSet own[8];
    if (point != VK_PIPELINE_BIND_POINT_COMPUTE || first + n > 8 || n_dynamic > 16) {
        c->strange |= point == VK_PIPELINE_BIND_POINT_COMPUTE;
        d->CmdBindDescriptorSets(handle, point, layout, first, n, sets, n_dynamic, dynamic);
        leave();
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
        flush_cmd(d, c);
    d->CmdBindDescriptorSets(handle, point, layout, first, n, own, n_dynamic, dynamic);
    leave();
}

static void turn_words(unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        unsigned char t[4] = {p[i + 3], p[i + 2], p[i + 1], p[i]};
        memcpy(p + i, t, 4);
    }
}

static VKAPI_ATTR void VKAPI_CALL CmdPushConstants(VkCommandBuffer handle, VkPipelineLayout layout,
                                                   VkShaderStageFlags stages, uint32_t offset, uint32_t bytes,
                                                   const void *values)
{
    struct device *d = enter(handle);
    struct cmd *c = get_cmd(d, handle);
    unsigned char own[256];
    struct lad_inject *f;
    if (bytes > sizeof own || offset + bytes > sizeof own || HIT(d, B4_vk_dropped, .size = bytes)) {
        if (bytes > sizeof own || offset + bytes > sizeof own)
            d->CmdPushConstants(handle, layout, stages, offset, bytes, values);
        leave();
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
    leave();
}

static void dispatch(struct device *d, VkCommandBuffer handle, struct held h)
{
    uint32_t *g = h.grid + 3;
    struct lad_at at = {.size = g[0], .after = d->n_dispatches++};
    struct lad_inject *f;
#define AT_HIT(name) lad_inject_step(&d->set, LAD_FAULT_##name, at)
    if (AT_HIT(D1_vk_dropped))
        return;
    if (AT_HIT(D1_vk_zero_x))
        g[0] = 0;
    if ((f = AT_HIT(D2_vk_divided)) && PARAM(f, "by"))
        g[0] = (uint32_t)((g[0] + PARAM(f, "by") - 1) / PARAM(f, "by"));
    if (AT_HIT(D2_vk_one_group))
        g[0] = g[1] = g[2] = 1;
    if (g[0] && AT_HIT(D3_vk_last_group))
        g[0]--;
    if ((f = AT_HIT(D4_vk_extra_group)))
        g[0] += (uint32_t)PARAM(f, "more");
    if (g[0] != g[1] && AT_HIT(D5_vk_swap_xy)) {
        uint32_t t = g[0];
        g[0] = g[1];
        g[1] = t;
    }
    if ((h.grid[0] || h.grid[1] || h.grid[2]) && AT_HIT(D5_vk_no_base))
        memset(h.grid, 0, 3 * sizeof *h.grid);
    if ((f = AT_HIT(Z2_vk_clamp_groups)) && g[0] > PARAM(f, "limit"))
        g[0] = (uint32_t)PARAM(f, "limit");
    if ((f = AT_HIT(Z2_vk_wrap_groups)) && PARAM(f, "limit"))
        g[0] %= (uint32_t)PARAM(f, "limit");
    if (AT_HIT(D4_vk_twice)) {
        VkMemoryBarrier all = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                               .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
        put(d, handle, &h);
        flush_cmd(d, get_cmd(d, handle));
        d->CmdPipelineBarrier(handle, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                              &all, 0, NULL, 0, NULL);
    }
    put(d, handle, &h);
#undef AT_HIT
}

static VKAPI_ATTR void VKAPI_CALL CmdDispatch(VkCommandBuffer handle, uint32_t x, uint32_t y, uint32_t z)
{
    struct device *d = enter(handle);
    dispatch(d, handle, (struct held){.kind = DISPATCH, .grid = {0, 0, 0, x, y, z}});
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdDispatchBase(VkCommandBuffer handle, uint32_t bx, uint32_t by, uint32_t bz,
                                                  uint32_t x, uint32_t y, uint32_t z)
{
    struct device *d = enter(handle);
    dispatch(d, handle, (struct held){.kind = DISPATCH, .grid = {bx, by, bz, x, y, z}});
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdDispatchIndirect(VkCommandBuffer handle, VkBuffer buffer, VkDeviceSize offset)
{
    struct device *d = enter(handle);
    struct held h = {.kind = INDIRECT, .from = buffer, .offset = offset};
    struct lad_inject *f = HIT(d, I1_vk_offset, .size = offset, .after = d->n_dispatches);
    h.offset += f ? PARAM(f, "bytes") : 0;
    if (HIT(d, I1_vk_zero, .size = offset, .after = d->n_dispatches))
        h = (struct held){.kind = DISPATCH, .grid = {0, 0, 0, 0, 1, 1}};
    d->n_dispatches++;
    put(d, handle, &h);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdFillBuffer(VkCommandBuffer handle, VkBuffer buffer, VkDeviceSize offset,
                                                VkDeviceSize bytes, uint32_t word)
{
    struct device *d = enter(handle);
    struct lad_at at = {.size = bytes, .after = d->n_dispatches};
    struct lad_inject *f;
    if (!lad_inject_step(&d->set, LAD_FAULT_A4_vk_no_fill, at)) {
        if (lad_inject_step(&d->set, LAD_FAULT_A4_vk_fill_zero, at))
            word = 0;
        if ((f = lad_inject_step(&d->set, LAD_FAULT_Z1_vk_fill_size, at)) && PARAM(f, "bits") < 64)
            bytes &= (1ull << PARAM(f, "bits")) - 1;
        if ((f = lad_inject_step(&d->set, LAD_FAULT_Z3_vk_fill_over, at)) && bytes != VK_WHOLE_SIZE)
            bytes += PARAM(f, "bytes") & ~3ull;
        if (bytes)
            put(d, handle, &(struct held){.kind = FILL, .to = buffer, .offset = offset, .bytes = bytes, .word = word});
    }
    leave();
}

static VKAPI_ATTR void VKAPI_CALL CmdCopyBuffer(VkCommandBuffer handle, VkBuffer from, VkBuffer to, uint32_t n,
                                                const VkBufferCopy *regions)
{
    struct device *d = enter(handle);
    for (uint32_t i = 0; i < n; i++) {
        struct held h = {.kind = COPY, .from = from, .to = to, .region = regions[i]};
        struct lad_at at = {.size = h.region.size, .after = d->n_dispatches};
        struct lad_inject *f;
        if (lad_inject_step(&d->set, LAD_FAULT_U1_vk_no_copy, at))
            continue;
        if ((f = lad_inject_step(&d->set, LAD_FAULT_U4_vk_copy_cap, at)) && h.region.size > PARAM(f, "cap"))
            h.region.size = PARAM(f, "cap");
        if (h.region.srcOffset && lad_inject_step(&d->set, LAD_FAULT_U4_vk_copy_offset, at))
            h.region.srcOffset = 0;
        if ((f = lad_inject_step(&d->set, LAD_FAULT_Z1_vk_copy_size, at)) && PARAM(f, "bits") < 64)
            h.region.size &= (1ull << PARAM(f, "bits")) - 1;
        if (h.region.size)
            put(d, handle, &h);
    }
    leave();
}

/* ---- submissions ------------------------------------------------------------------------------------------------ */

/* The work of which the fence has signalled already. */
static void settle(struct device *d)
{
    if (!d->late.n)
        return;
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = d->late.n, .pCommandBuffers = d->late.cmd};
    d->late.n = 0;
    d->QueueSubmit(d->late.queue, 1, &info, VK_NULL_HANDLE);
    d->QueueWaitIdle(d->late.queue);
    while (d->n_pools)
        d->ResetDescriptorPool(d->handle, d->pools[--d->n_pools], 0);
}

static bool put_off(struct device *d, VkQueue queue, uint32_t n, const VkSubmitInfo *info)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += info[i].commandBufferCount;
        if (info[i].waitSemaphoreCount || info[i].signalSemaphoreCount)
            return false;
    }
    if (!total || total > 16)
        return false;
    d->late.queue = queue;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < info[i].commandBufferCount; k++)
            d->late.cmd[d->late.n++] = info[i].pCommandBuffers[k];
    return true;
}

static VKAPI_ATTR VkResult VKAPI_CALL QueueSubmit(VkQueue queue, uint32_t n, const VkSubmitInfo *info, VkFence fence)
{
    struct device *d = enter(queue);
    VkSubmitInfo *own = malloc((n + 1) * sizeof *own);
    struct lad_at at = {.size = n, .after = d->n_dispatches};
    if (!own)
        abort();
    settle(d);
    memcpy(own, info, n * sizeof *own);
    d->swallowed |= !!lad_inject_step(&d->set, LAD_FAULT_E2_vk_submit_swallowed, at);
    d->dead |=
        lad_inject_step(&d->set, LAD_FAULT_T1_vk_silent, at) || lad_inject_step(&d->set, LAD_FAULT_T1_vk_lost, at);
    bool empty = d->swallowed || d->dead || lad_inject_step(&d->set, LAD_FAULT_D1_vk_not_submitted, at);
    if (!empty && lad_inject_step(&d->set, LAD_FAULT_S1_vk_early_fence, at))
        empty = put_off(d, queue, n, info);
    for (uint32_t i = 0; empty && i < n; i++)
        own[i].commandBufferCount = 0; /* semaphores and the fence still signal */
    VkResult result = d->QueueSubmit(queue, n, own, fence);
    free(own);
    LEAVE(result);
}

static bool tells_lost(const struct device *d)
{
    return d->dead && lad_inject_on(&d->set, LAD_FAULT_T1_vk_lost);
}

static VKAPI_ATTR VkResult VKAPI_CALL WaitForFences(VkDevice device, uint32_t n, const VkFence *fences, VkBool32 all,
                                                    uint64_t timeout)
{
    struct device *d = enter(device);
    bool lost = tells_lost(d);
    PFN_vkWaitForFences wait = d->WaitForFences;
    leave(); /* others go on meanwhile */
    VkResult result = wait(device, n, fences, all, timeout);
    return lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL GetFenceStatus(VkDevice device, VkFence fence)
{
    struct device *d = enter(device);
    VkResult result = d->GetFenceStatus(device, fence);
    LEAVE(d->swallowed      ? VK_ERROR_OUT_OF_DEVICE_MEMORY
          : tells_lost(d) ? VK_ERROR_DEVICE_LOST
                          : result);
}

static VKAPI_ATTR VkResult VKAPI_CALL DeviceWaitIdle(VkDevice device)
{
    struct device *d = enter(device);
    settle(d);
    bool lost = tells_lost(d);
    PFN_vkDeviceWaitIdle wait = d->DeviceWaitIdle;
    leave();
    VkResult result = wait(device);
    return d->swallowed          ? VK_ERROR_OUT_OF_DEVICE_MEMORY
           : lost && result == VK_SUCCESS ? VK_ERROR_DEVICE_LOST
                                          : result;
}

static VKAPI_ATTR VkResult VKAPI_CALL QueueWaitIdle(VkQueue queue)
{
    struct device *d = enter(queue);
    settle(d);
    PFN_vkQueueWaitIdle wait = d->QueueWaitIdle;
    leave();
    return wait(queue);
}

static VKAPI_ATTR VkResult VKAPI_CALL ResetDescriptorPool(VkDevice device, VkDescriptorPool pool,
                                                          VkDescriptorPoolResetFlags flags)
{
    struct device *d = enter(device);
    if (d->late.n && d->n_pools < MOST) {
        d->pools[d->n_pools++] = pool;
        LEAVE(VK_SUCCESS);
    }
    settle(d);
    LEAVE(d->ResetDescriptorPool(device, pool, flags));
}

static VKAPI_ATTR void VKAPI_CALL DestroyDescriptorPool(VkDevice device, VkDescriptorPool pool,
                                                        const VkAllocationCallbacks *cb)
{
    struct device *d = enter(device);
    settle(d);
    d->DestroyDescriptorPool(device, pool, cb);
    leave();
}

static VKAPI_ATTR void VKAPI_CALL DestroyBuffer(VkDevice device, VkBuffer buffer, const VkAllocationCallbacks *cb)
{
    struct device *d = enter(device);
    settle(d);
    if (!keep_mode)
        d->DestroyBuffer(device, buffer, cb);
    leave();
}

/* To the end of the allocation: a mapping may ask for less than the memory holds, and WHOLE_SIZE says nothing. */
struct sized {
    VkDeviceMemory memory;
    VkDeviceSize bytes;
};
static struct sized *sizes;
static size_t n_sizes, size_room;

static VKAPI_ATTR VkResult VKAPI_CALL AllocateSized(VkDevice device, const VkMemoryAllocateInfo *info,
                                                    const VkAllocationCallbacks *cb, VkDeviceMemory *memory)
{
    VkResult result = AllocateMemory(device, info, cb, memory);
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (result == VK_SUCCESS && i < n_sizes && sizes[i].memory != *memory)
        i++;
    if (result == VK_SUCCESS) {
        sizes = grow(sizes, n_sizes, &size_room, sizeof *sizes);
        n_sizes += i == n_sizes;
        sizes[i] = (struct sized){*memory, info->allocationSize};
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static VkDeviceSize real_size(struct device *d, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size)
{
    (void)d;
    for (size_t i = n_sizes; i-- > 0;)
        if (sizes[i].memory == memory)
            return size == VK_WHOLE_SIZE ? sizes[i].bytes - offset : size;
    return size;
}

/* ---- instance and device ---------------------------------------------------------------------------------------- */

static VKAPI_ATTR VkResult VKAPI_CALL EnumeratePhysicalDevices(VkInstance instance, uint32_t *n, VkPhysicalDevice *list)
{
    struct instance *in = find_instance(instance);
    uint32_t room = *n;
    if (!lad_inject_on(&wanted, LAD_FAULT_E1_vk_hidden_device))
        return in->EnumeratePhysicalDevices(instance, n, list);
    VkPhysicalDevice all[MOST];
    uint32_t have = MOST;
    VkResult result = in->EnumeratePhysicalDevices(instance, &have, all);
    have -= have > 0;
    *n = list && room < have ? room : have;
    if (list)
        memcpy(list, all, *n * sizeof *list);
    return result == VK_SUCCESS && list && room < have ? VK_INCOMPLETE : result;
}

static void hide_coherent(VkPhysicalDeviceMemoryProperties *p)
{
    for (uint32_t i = 0; shadow_mode && i < p->memoryTypeCount; i++)
        p->memoryTypes[i].propertyFlags &= ~(VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

/* Every type twice: first as the device's own, which the host does not see, then as memory of the host. */
static void part_memory(VkPhysicalDeviceMemoryProperties *p)
{
    const VkMemoryPropertyFlags seen =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    uint32_t n = p->memoryTypeCount;
    if (!discrete_mode || 2 * n > VK_MAX_MEMORY_TYPES || p->memoryHeapCount == VK_MAX_MEMORY_HEAPS)
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

static VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceMemoryProperties(VkPhysicalDevice p,
                                                                    VkPhysicalDeviceMemoryProperties *out)
{
    find_instance(p)->GetPhysicalDeviceMemoryProperties(p, out);
    hide_coherent(out);
    part_memory(out);
}

static VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice p,
                                                                     VkPhysicalDeviceMemoryProperties2 *out)
{
    struct instance *in = find_instance(p);
    (in->GetPhysicalDeviceMemoryProperties2 ? in->GetPhysicalDeviceMemoryProperties2
                                            : in->GetPhysicalDeviceMemoryProperties2KHR)(p, out);
    hide_coherent(&out->memoryProperties);
    part_memory(&out->memoryProperties);
}

static PFN_vkVoidFunction find_hook(const char *name);

/* The loader's chain of layers: this layer's link, of the type asked for. */
#define LINK(info, type)                                                                                               \
    __extension__({                                                                                                    \
        type *lad_link = (type *)(uintptr_t)(info)->pNext;                                                             \
        while (lad_link && !((int)lad_link->sType == link_type && lad_link->function == VK_LAYER_LINK_INFO))           \
            lad_link = (type *)(uintptr_t)lad_link->pNext;                                                             \
        lad_link;                                                                                                      \
    })

static VKAPI_ATTR VkResult VKAPI_CALL CreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *cb,
                                                     VkInstance *instance)
{
    const int link_type = VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO;
    VkLayerInstanceCreateInfo *link = LINK(info, VkLayerInstanceCreateInfo);
    pthread_once(&once, read_environment);
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(VK_NULL_HANDLE, "vkCreateInstance");
    VkResult result = create ? create(info, cb, instance) : VK_ERROR_INITIALIZATION_FAILED;
    if (result != VK_SUCCESS)
        return result;
    pthread_mutex_lock(&lock);
    if (n_instances == MOST)
        abort();
    struct instance *in = &instances[n_instances++];
    *in = (struct instance){.key = key_of(*instance), .get = get};
#define FIND(name) in->name = (PFN_vk##name)get(*instance, "vk" #name)
    FIND(DestroyInstance);
    FIND(EnumeratePhysicalDevices);
    FIND(GetPhysicalDeviceMemoryProperties);
    FIND(GetPhysicalDeviceMemoryProperties2);
    FIND(GetPhysicalDeviceMemoryProperties2KHR);
    FIND(CreateDevice);
#undef FIND
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL DestroyInstance(VkInstance instance, const VkAllocationCallbacks *cb)
{
    if (!instance)
        return;
    pthread_mutex_lock(&lock);
    struct instance *in = find_instance(instance);
    PFN_vkDestroyInstance destroy = in->DestroyInstance;
    *in = instances[--n_instances];
    pthread_mutex_unlock(&lock);
    destroy(instance, cb);
}

static VKAPI_ATTR VkResult VKAPI_CALL CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                   const VkAllocationCallbacks *cb, VkDevice *device)
{
    const int link_type = VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO;
    VkLayerDeviceCreateInfo *link = LINK(info, VkLayerDeviceCreateInfo);
    struct instance *in = find_instance(physical);
    if (!link || !in)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetDeviceProcAddr get = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    VkResult result = in->CreateDevice(physical, info, cb, device);
    if (result != VK_SUCCESS)
        return result;
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    *d = (struct device){.key = key_of(*device), .handle = *device, .physical = physical, .get = get, .set = wanted};
    lad_inject_reset(&d->set);
#define FIND(name) d->name = (PFN_vk##name)get(*device, "vk" #name);
    DEVICE_CALLS(FIND)
#undef FIND
    VkPhysicalDeviceMemoryProperties memory;
    in->GetPhysicalDeviceMemoryProperties(physical, &memory);
    uint32_t n_types = memory.memoryTypeCount;
    part_memory(&memory);
    d->n_types = memory.memoryTypeCount > n_types ? n_types : 0;
    if (!d->GetBufferMemoryRequirements2)
        d->GetBufferMemoryRequirements2 =
            (PFN_vkGetBufferMemoryRequirements2)get(*device, "vkGetBufferMemoryRequirements2KHR");
    if (!d->GetBufferDeviceAddress)
        d->GetBufferDeviceAddress = (PFN_vkGetBufferDeviceAddress)get(*device, "vkGetBufferDeviceAddressKHR");
    pthread_mutex_lock(&lock);
    if (n_devices == MOST)
        abort();
    devices[n_devices++] = d;
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL DestroyDevice(VkDevice device, const VkAllocationCallbacks *cb)
{
    if (!device)
        return;
    struct device *d = enter(device);
    settle(d);
    for (size_t i = 0; i < n_devices; i++)
        if (devices[i] == d)
            devices[i] = devices[--n_devices];
    while (d->n_maps)
        drop_map(d, d->map[0].memory);
    for (size_t i = 0; i < d->n_cmds; i++) {
        free(d->cmd[i]->held);
        free(d->cmd[i]);
    }
    for (size_t i = 0; i < d->n_specs; i++) {
        free((void *)(uintptr_t)d->spec[i].info.pMapEntries);
        free((void *)(uintptr_t)d->spec[i].info.pData);
    }
    leave();
    d->DestroyDevice(device, cb);
    free(d->map);
    free(d->cmd);
    free(d);
}

/* ---- the loader's way in ---------------------------------------------------------------------------------------- */

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetDeviceProcAddr(VkDevice device, const char *name)
{
    pthread_mutex_lock(&lock);
    struct device *d = NULL;
    for (size_t i = 0; i < n_devices; i++)
        if (devices[i]->key == key_of(device))
            d = devices[i];
    pthread_mutex_unlock(&lock);
    PFN_vkVoidFunction below = d ? d->get(device, name) : NULL, own = find_hook(name);
    return own && below ? own : below; /* what the driver lacks stays absent */
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetInstanceProcAddr(VkInstance instance, const char *name)
{
    PFN_vkVoidFunction own = find_hook(name);
    if (own)
        return own;
    struct instance *in = instance ? find_instance(instance) : NULL;
    return in ? in->get(instance, name) : NULL;
}

static PFN_vkVoidFunction find_hook(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction hook;
    } hooks[] = {
#define HOOK(name) {"vk" #name, (PFN_vkVoidFunction)name}
        HOOK(GetInstanceProcAddr),
        HOOK(GetDeviceProcAddr),
        HOOK(CreateInstance),
        HOOK(DestroyInstance),
        HOOK(CreateDevice),
        HOOK(DestroyDevice),
        HOOK(EnumeratePhysicalDevices),
        HOOK(GetPhysicalDeviceMemoryProperties),
        HOOK(GetPhysicalDeviceMemoryProperties2),
        {"vkGetPhysicalDeviceMemoryProperties2KHR", (PFN_vkVoidFunction)GetPhysicalDeviceMemoryProperties2},
        {"vkAllocateMemory", (PFN_vkVoidFunction)AllocateSized},
        HOOK(FreeMemory),
        HOOK(GetBufferMemoryRequirements),
        HOOK(GetBufferMemoryRequirements2),
        {"vkGetBufferMemoryRequirements2KHR", (PFN_vkVoidFunction)GetBufferMemoryRequirements2},
        HOOK(GetMemoryHostPointerPropertiesEXT),
        HOOK(BindBufferMemory),
        HOOK(MapMemory),
        HOOK(UnmapMemory),
        HOOK(FlushMappedMemoryRanges),
        HOOK(InvalidateMappedMemoryRanges),
        HOOK(GetBufferDeviceAddress),
        {"vkGetBufferDeviceAddressKHR", (PFN_vkVoidFunction)GetBufferDeviceAddress},
        HOOK(CreateShaderModule),
        HOOK(CreateComputePipelines),
        HOOK(UpdateDescriptorSets),
        HOOK(ResetDescriptorPool),
        HOOK(DestroyDescriptorPool),
        HOOK(DestroyBuffer),
        HOOK(BeginCommandBuffer),
        HOOK(EndCommandBuffer),
        HOOK(FreeCommandBuffers),
        HOOK(CmdPipelineBarrier),
        HOOK(CmdWriteTimestamp),
        HOOK(CmdBindPipeline),
        HOOK(CmdBindDescriptorSets),
        HOOK(CmdPushConstants),
        HOOK(CmdDispatch),
        HOOK(CmdDispatchBase),
        HOOK(CmdDispatchIndirect),
        HOOK(CmdFillBuffer),
        HOOK(CmdCopyBuffer),
        HOOK(CmdPipelineBarrier2),
        {"vkCmdPipelineBarrier2KHR", (PFN_vkVoidFunction)CmdPipelineBarrier2},
        HOOK(CmdWaitEvents),
        HOOK(CmdExecuteCommands),
        HOOK(CmdPushDescriptorSetKHR),
        HOOK(QueueSubmit),
        HOOK(WaitForFences),
        HOOK(GetFenceStatus),
        HOOK(DeviceWaitIdle),
        HOOK(QueueWaitIdle),
#undef HOOK
    };
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
        if (!strcmp(hooks[i].name, name))
            return hooks[i].hook;
    return NULL;
}

EXPORT uint64_t gpuladder_faults_struck(void);
EXPORT uint64_t gpuladder_faults_struck(void)
{
    return lad_inject_struck();
}

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *v);
EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *v)
{
    pthread_once(&once, read_environment);
    if (v->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    v->loaderLayerInterfaceVersion = 2;
    v->pfnGetInstanceProcAddr = GetInstanceProcAddr;
    v->pfnGetDeviceProcAddr = GetDeviceProcAddr;
    v->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
