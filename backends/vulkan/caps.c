/* SPDX-License-Identifier: Apache-2.0 */
/* What a physical device says it can do, as the harness's plain numbers, with the reason for each that is zero. */
#include "vk.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name without what changes between driver versions: up to the first parenthesis that is no ornament, words of
 * letters and digits. */
static void shorten(const char *name, char *model, size_t room)
{
    size_t n = 0;
    for (; *name && n + 1 < room; name++) {
        if (!strncmp(name, "(R)", 3) || !strncmp(name, "(TM)", 4))
            name = strchr(name, ')');
        else if (*name == '(')
            break;
        else if (isascii((unsigned char)*name) && isalnum((unsigned char)*name))
            model[n++] = (char)tolower((unsigned char)*name);
        else if (n && model[n - 1] != '-')
            model[n++] = '-';
    }
    while (n && model[n - 1] == '-')
        n--;
    model[n] = 0;
    if (!n)
        snprintf(model, room, "unnamed");
}

static void name_vendor(uint32_t id, char *text, size_t room)
{
    static const struct {
        uint32_t id;
        const char *name;
    } known[] = {{0x10DE, "NVIDIA"},   {0x1002, "AMD"},      {0x8086, "Intel"},       {0x10005, "Mesa"},
                 {0x13B5, "Arm"},      {0x5143, "Qualcomm"}, {0x1010, "Imagination"}, {0x106B, "Apple"},
                 {0x14E4, "Broadcom"}, {0x1414, "Microsoft"}};
    snprintf(text, room, "0x%04x", id);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id)
            snprintf(text, room, "%s", known[i].name);
}

static void zero(struct lad_dev_info *info, enum lad_cap cap, const char *why)
{
    info->cap[cap] = 0;
    info->why[cap] = why;
}

static void set(struct lad_dev_info *info, enum lad_cap cap, bool has, const char *why)
{
    info->cap[cap] = has;
    if (!has)
        info->why[cap] = why;
}

static bool has_memory(const struct lad_vk_phys *p, VkMemoryPropertyFlags with, VkMemoryPropertyFlags without)
{
    for (uint32_t i = 0; i < p->memory.memoryTypeCount; i++)
        if ((p->memory.memoryTypes[i].propertyFlags & with) == with &&
            !(p->memory.memoryTypes[i].propertyFlags & without))
            return true;
    return false;
}

static uint64_t largest_heap(const struct lad_vk_phys *p)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p->memory.memoryHeapCount; i++)
        if (p->memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && p->memory.memoryHeaps[i].size > bytes)
            bytes = p->memory.memoryHeaps[i].size;
    return bytes;
}

struct properties {
    VkPhysicalDeviceProperties2 core;
    VkPhysicalDeviceIDProperties id;
    VkPhysicalDeviceSubgroupProperties subgroup;
    VkPhysicalDeviceMaintenance3Properties maintenance3;
    VkPhysicalDeviceDriverProperties driver;
    VkPhysicalDeviceMaintenance4Properties maintenance4;
    VkPhysicalDeviceSubgroupSizeControlProperties widths;
    VkPhysicalDevicePCIBusInfoPropertiesEXT pci;
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host;
};

static void read_properties(struct lad_vk_phys *p, struct properties *q)
{
    void **next = &q->core.pNext;
    memset(q, 0, sizeof *q);
    q->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
#define LINK(member, type, known)                                                                                      \
    if (known) {                                                                                                       \
        q->member.sType = type;                                                                                        \
        *next = &q->member;                                                                                            \
        next = &q->member.pNext;                                                                                       \
    }
    LINK(id, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, true)
    LINK(subgroup, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, true)
    LINK(maintenance3, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, true)
    LINK(driver, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, p->knows[LAD_VK_EXT_DRIVER])
    LINK(maintenance4, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES, p->knows[LAD_VK_EXT_MAINTENANCE4])
    LINK(widths, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES, p->knows[LAD_VK_EXT_WIDTHS])
    LINK(pci, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT, p->ext[LAD_VK_EXT_PCI])
    LINK(host, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT, p->ext[LAD_VK_EXT_HOST_POINTER])
#undef LINK
    lad_vk.fn.vkGetPhysicalDeviceProperties2(p->handle, &q->core);
}

static bool can_import(const struct lad_vk_phys *p, const struct properties *q)
{
    VkPhysicalDeviceExternalBufferInfo info = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
                                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                                        VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                               .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT};
    VkExternalBufferProperties props = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    if (!p->ext[LAD_VK_EXT_HOST_POINTER] || q->host.minImportedHostPointerAlignment > 4096)
        return false;
    lad_vk.fn.vkGetPhysicalDeviceExternalBufferProperties(p->handle, &info, &props);
    return props.externalMemoryProperties.externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
}

static void describe_identity(const VkPhysicalDeviceProperties *props, const struct properties *q,
                              struct lad_dev_info *info)
{
    static const enum lad_dev_type types[] = {[VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = LAD_DEV_INTEGRATED,
                                              [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = LAD_DEV_DISCRETE,
                                              [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = LAD_DEV_OTHER,
                                              [VK_PHYSICAL_DEVICE_TYPE_CPU] = LAD_DEV_CPU};
    snprintf(info->name, sizeof info->name, "%s", props->deviceName);
    name_vendor(props->vendorID, info->vendor, sizeof info->vendor);
    snprintf(info->api, sizeof info->api, "Vulkan %u.%u.%u", VK_API_VERSION_MAJOR(props->apiVersion),
             VK_API_VERSION_MINOR(props->apiVersion), VK_API_VERSION_PATCH(props->apiVersion));
    if (*q->driver.driverName)
        snprintf(info->driver, sizeof info->driver, "%.120s %.120s", q->driver.driverName, q->driver.driverInfo);
    else
        snprintf(info->driver, sizeof info->driver, "version 0x%08x", props->driverVersion);
    shorten(props->deviceName, info->model, sizeof info->model);
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        snprintf(info->uuid + i * 2, 3, "%02x", q->id.deviceUUID[i]);
    if (q->pci.sType)
        snprintf(info->bus, sizeof info->bus, "%04x:%02x:%02x.%x", q->pci.pciDomain, q->pci.pciBus, q->pci.pciDevice,
                 q->pci.pciFunction);
    if ((size_t)props->deviceType < sizeof types / sizeof *types)
        info->type = types[props->deviceType];
}

static void describe_limits(struct lad_vk_phys *p, const struct properties *q, struct lad_dev_info *info)
{
    const VkSubgroupFeatureFlags used =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT;
    const VkPhysicalDeviceLimits *l = &p->limits;
    uint64_t heap = largest_heap(p);
    p->max_allocation = q->maintenance3.maxMemoryAllocationSize ? q->maintenance3.maxMemoryAllocationSize : heap;
    p->max_buffer = q->maintenance4.maxBufferSize ? q->maintenance4.maxBufferSize : p->max_allocation;
    uint64_t bytes = l->maxStorageBufferRange;
    bytes = p->max_allocation < bytes ? p->max_allocation : bytes;
    bytes = p->max_buffer < bytes ? p->max_buffer : bytes;
    info->cap[LAD_CAP_STORAGE_BUFFERS] = l->maxPerStageDescriptorStorageBuffers;
    if (l->maxDescriptorSetStorageBuffers < info->cap[LAD_CAP_STORAGE_BUFFERS])
        info->cap[LAD_CAP_STORAGE_BUFFERS] = l->maxDescriptorSetStorageBuffers;
    if (l->maxPerStageResources < info->cap[LAD_CAP_STORAGE_BUFFERS])
        info->cap[LAD_CAP_STORAGE_BUFFERS] = l->maxPerStageResources;
    info->cap[LAD_CAP_BUFFER_BYTES] = bytes;
    info->cap[LAD_CAP_MEMORY_BYTES] = heap;
    info->cap[LAD_CAP_LOCAL_BYTES] = l->maxComputeSharedMemorySize;
    info->cap[LAD_CAP_WORKGROUP_SIZE] = l->maxComputeWorkGroupInvocations;
    for (int i = 0; i < 3; i++) {
        info->cap[LAD_CAP_WORKGROUP_X + i] = l->maxComputeWorkGroupSize[i];
        info->cap[LAD_CAP_GROUPS_X + i] = l->maxComputeWorkGroupCount[i];
    }
    info->cap[LAD_CAP_SCALAR_BYTES] = l->maxPushConstantsSize;
    info->cap[LAD_CAP_OFFSET_ALIGN] = l->minStorageBufferOffsetAlignment;
    info->cap[LAD_CAP_SUBGROUP] = q->subgroup.subgroupSize;
    if (!(q->subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) ||
        (q->subgroup.supportedOperations & used) != used)
        zero(info, LAD_CAP_SUBGROUP, "no subgroup arithmetic or ballot in compute shaders");
}

/* GPULADDER_SUBGROUP asks for the narrowest or the widest subgroups that the device offers ("min", "max"). */
static void choose_width(struct lad_vk_phys *p, const struct properties *q, struct lad_dev_info *info)
{
    const char *wanted = getenv("GPULADDER_SUBGROUP");
    uint32_t narrow = q->widths.minSubgroupSize, wide = q->widths.maxSubgroupSize;
    if (!wanted || !*wanted || !p->has.widths.subgroupSizeControl || !narrow ||
        !(q->widths.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT))
        return;
    p->most_subgroups = q->widths.maxComputeWorkgroupSubgroups;
    p->width = strcmp(wanted, "min") ? wide : narrow;
    if (info->cap[LAD_CAP_SUBGROUP])
        info->cap[LAD_CAP_SUBGROUP] = p->width;
}

static void describe_features(const struct lad_vk_phys *p, struct lad_dev_info *info)
{
    const struct lad_vk_features *f = &p->has;
    bool store16 = f->storage16.storageBuffer16BitAccess;
    set(info, LAD_CAP_INT64, f->core.features.shaderInt64, "shaderInt64 is false");
    set(info, LAD_CAP_FP64, f->core.features.shaderFloat64, "shaderFloat64 is false");
    set(info, LAD_CAP_FP16, f->narrow.shaderFloat16 && store16, "shaderFloat16 or storageBuffer16BitAccess is false");
    set(info, LAD_CAP_INT16, f->core.features.shaderInt16 && store16,
        "shaderInt16 or storageBuffer16BitAccess is false");
    set(info, LAD_CAP_INT8, f->narrow.shaderInt8 && f->storage8.storageBuffer8BitAccess,
        "shaderInt8 or storageBuffer8BitAccess is false");
    set(info, LAD_CAP_ATOMIC64, f->atomic64.shaderBufferInt64Atomics, "shaderBufferInt64Atomics is false");
    set(info, LAD_CAP_ADDRESS, f->address.bufferDeviceAddress && f->core.features.shaderInt64,
        "bufferDeviceAddress or shaderInt64 is false");
    set(info, LAD_CAP_DEVICE_SCOPE, f->model.vulkanMemoryModelDeviceScope, "vulkanMemoryModelDeviceScope is false");
    zero(info, LAD_CAP_DENORMALS, "kept only for kernels that declare DenormPreserve, which these do not");
    info->cap[LAD_CAP_INDIRECT] = info->cap[LAD_CAP_BASE_OFFSET] = info->cap[LAD_CAP_FILL] = info->cap[LAD_CAP_COPY] =
        1;
    info->cap[LAD_CAP_FLUSH] = 1;
    info->cap[LAD_CAP_QUEUES] = p->n_queues;
    set(info, LAD_CAP_EVENTS, p->n_queues > 1, "the compute family has one queue");
    set(info, LAD_CAP_TIMESTAMPS, p->stamp_bits && p->limits.timestampPeriod > 0, "the queue has no timestamps");
}

static void describe_memory(struct lad_vk_phys *p, const struct properties *q, struct lad_dev_info *info)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    p->host_pointer = can_import(p, q);
    set(info, LAD_CAP_MEM_COHERENT, has_memory(p, visible | coherent, 0), "no memory type is coherent");
    set(info, LAD_CAP_MEM_NONCOHERENT, has_memory(p, visible, coherent), "every mappable memory type is coherent");
    info->cap[LAD_CAP_ATOM_BYTES] = info->cap[LAD_CAP_MEM_NONCOHERENT] ? p->limits.nonCoherentAtomSize : 1;
    set(info, LAD_CAP_MEM_MAPPED, has_memory(p, visible, 0), "no memory type can be mapped");
    set(info, LAD_CAP_MEM_HOST_POINTER, p->host_pointer, "VK_EXT_external_memory_host cannot import buffers here");
    zero(info, LAD_CAP_MEM_SVM_COARSE, "shared virtual memory belongs to OpenCL");
    zero(info, LAD_CAP_MEM_SVM_FINE, "shared virtual memory belongs to OpenCL");
}

void lad_vk_describe(struct lad_vk_phys *p, const VkPhysicalDeviceProperties *props, struct lad_dev_info *info)
{
    struct properties q;
    if (p->version < LAD_VK_NEED || !p->n_queues) { /* listed, so that one sees why it is not used */
        memset(&q, 0, sizeof q);
        describe_identity(props, &q, info);
        for (int i = 0; i < LAD_CAP_COUNT; i++)
            info->why[i] = p->n_queues ? "Vulkan 1.1 is needed" : "the device has no compute queue";
        return;
    }
    read_properties(p, &q);
    describe_identity(props, &q, info);
    describe_limits(p, &q, info);
    choose_width(p, &q, info);
    describe_features(p, info);
    describe_memory(p, &q, info);
}
