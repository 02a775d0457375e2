/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a device, and the backend's literal. */
#include "vk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enabled is what kernels may use; everything else stays off, robust access above all. */
static void choose_features(struct lad_vk_features *f, const struct lad_vk_phys *p)
{
    const struct lad_vk_features *has = &p->has;
    memset(f, 0, sizeof *f);
    lad_vk_chain(f, p);
    f->core.features.shaderInt64 = has->core.features.shaderInt64;
    f->core.features.shaderFloat64 = has->core.features.shaderFloat64;
    f->core.features.shaderInt16 = has->core.features.shaderInt16;
    f->storage16.storageBuffer16BitAccess = has->storage16.storageBuffer16BitAccess;
    f->storage8.storageBuffer8BitAccess = has->storage8.storageBuffer8BitAccess;
    f->narrow.shaderFloat16 = has->narrow.shaderFloat16;
    f->narrow.shaderInt8 = has->narrow.shaderInt8;
    f->atomic64.shaderBufferInt64Atomics = has->atomic64.shaderBufferInt64Atomics;
    f->address.bufferDeviceAddress = has->address.bufferDeviceAddress;
    f->model.vulkanMemoryModel = has->model.vulkanMemoryModel;
    f->model.vulkanMemoryModelDeviceScope = has->model.vulkanMemoryModelDeviceScope;
    f->widths.subgroupSizeControl = has->widths.subgroupSizeControl && p->width;
}

static bool create_device(struct lad_dev *dev, struct lad_fail *fail)
{
    const struct lad_vk_phys *p = dev->phys;
    const char *names[LAD_VK_EXT_COUNT];
    const float priority[LAD_VK_QUEUES] = {1, 1};
    struct lad_vk_features features;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = p->family,
                                     .queueCount = p->n_queues,
                                     .pQueuePriorities = priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .ppEnabledExtensionNames = names};
    choose_features(&features, p);
    info.pNext = &features.core;
    for (int e = 0; e < LAD_VK_EXT_COUNT; e++)
        if (p->ext[e] && (!lad_vk_extension_core[e] || p->version < lad_vk_extension_core[e]))
            names[info.enabledExtensionCount++] = lad_vk_extension_name(e);
    VkResult result = lad_vk.fn.vkCreateDevice(p->handle, &info, NULL, &dev->handle);
    if (result != VK_SUCCESS) {
        dev->handle = VK_NULL_HANDLE;
        return lad_vk_fail(fail, "vkCreateDevice", result);
    }
    if (lad_vk_device_fns(&dev->fn, dev->handle, fail))
        return true;
    dev->fn.vkDestroyDevice = NULL; /* the rest may be missing: close must call nothing */
    return false;
}

static bool create_objects(struct lad_dev *dev, struct lad_fail *fail)
{
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = dev->phys->family};
    VkPipelineCacheCreateInfo cache = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    VkDescriptorSetLayoutBinding binding = {.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .descriptorCount = 1,
                                            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkDescriptorSetLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = 1, .pBindings = &binding};
    VkResult result;
    for (uint32_t q = 0; q < LAD_VK_QUEUES; q++)
        dev->fn.vkGetDeviceQueue(dev->handle, dev->phys->family, q < dev->phys->n_queues ? q : 0, &dev->queue[q]);
    if ((result = dev->fn.vkCreateCommandPool(dev->handle, &pool, NULL, &dev->pool)) != VK_SUCCESS)
        return lad_vk_fail(fail, "vkCreateCommandPool", result);
    if ((result = dev->fn.vkCreatePipelineCache(dev->handle, &cache, NULL, &dev->cache)) != VK_SUCCESS)
        return lad_vk_fail(fail, "vkCreatePipelineCache", result);
    if ((result = dev->fn.vkCreateDescriptorSetLayout(dev->handle, &layout, NULL, &dev->witness_layout)) != VK_SUCCESS)
        return lad_vk_fail(fail, "vkCreateDescriptorSetLayout", result);
    return true;
}

struct lad_dev *lad_vk_open(size_t index, struct lad_fail *fail)
{
    if (index >= lad_vk.n_phys) {
        lad_vk_refuse(fail, "vkEnumeratePhysicalDevices", "there is no device %zu", index);
        return NULL;
    }
    const struct lad_vk_phys *phys = &lad_vk.phys[index];
    if (phys->version < LAD_VK_NEED || !phys->n_queues) {
        lad_vk_refuse(fail, "vkCreateDevice", "%s",
                      phys->n_queues ? "the device offers Vulkan 1.0, 1.1 is needed"
                                     : "the device has no compute queue");
        return NULL;
    }
    struct lad_dev *dev = calloc(1, sizeof *dev);
    if (!dev) {
        lad_vk_fail(fail, "calloc", VK_ERROR_OUT_OF_HOST_MEMORY);
        return NULL;
    }
    dev->phys = phys;
    dev->epoch = 1;
    dev->closed_end = &dev->closed;
    if (create_device(dev, fail) && create_objects(dev, fail))
        return dev;
    lad_vk_close(dev);
    return NULL;
}

void lad_vk_close(struct lad_dev *dev)
{
    if (!dev || dev->dead) /* destroying would wait for what may never end */
        return;
    if (dev->handle && dev->fn.vkDestroyDevice) {
        if (!lad_vk_quiet(dev, 2000000000u))
            return;
        lad_vk_queues_destroy(dev);
        lad_vk_sets_destroy(dev);
        lad_vk_buf_destroy(dev, dev->staging);
        lad_vk_buf_destroy(dev, dev->no_witness);
        dev->fn.vkDestroyDescriptorSetLayout(dev->handle, dev->witness_layout, NULL);
        dev->fn.vkDestroyPipelineCache(dev->handle, dev->cache, NULL);
        dev->fn.vkDestroyDevice(dev->handle, NULL);
    }
    free(dev);
}

const struct lad_backend lad_backend_vulkan = {
    .abi = LAD_BACKEND_ABI,
    .name = "vulkan",
    .prefix = "vk",
    .enumerate = lad_vk_enumerate,
    .open = lad_vk_open,
    .close = lad_vk_close,
    .buf_create = lad_vk_buf_create,
    .buf_destroy = lad_vk_buf_destroy,
    .buf_write = lad_vk_buf_write,
    .buf_read = lad_vk_buf_read,
    .kernel_create = lad_vk_kernel_create,
    .kernel_destroy = lad_vk_kernel_destroy,
    .kernel_bytes = lad_vk_kernel_bytes,
    .dispatch = lad_vk_dispatch,
    .wait = lad_vk_wait,
    .fill = lad_vk_fill,
    .copy = lad_vk_copy,
    .barrier = lad_vk_barrier,
    .map = lad_vk_map,
    .unmap = lad_vk_unmap,
    .buf_address = lad_vk_buf_address,
    .times = lad_vk_times,
    .submit = lad_vk_submit,
    .finish = lad_vk_finish,
    .done = lad_vk_done,
    .message = lad_vk_message,
};
