/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel: module, layouts and a pipeline specialised as described. */
#include "vk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool create_layouts(struct lad_dev *dev, struct lad_kernel *k, struct lad_fail *fail)
{
    VkDescriptorSetLayoutBinding bindings[LAD_VK_BUFFERS];
    VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                           .bindingCount = k->source->n_bufs,
                                           .pBindings = bindings};
    for (uint32_t i = 0; i < k->source->n_bufs; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkResult result = dev->fn.vkCreateDescriptorSetLayout(dev->handle, &set, NULL, &k->set_layout);
    if (result != VK_SUCCESS)
        return lad_vk_fail(fail, "vkCreateDescriptorSetLayout", result);
    VkDescriptorSetLayout layouts[] = {k->set_layout, dev->witness_layout};
    VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, (k->source->scalar_bytes + 3) & ~3u};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 2,
                                         .pSetLayouts = layouts,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &push};
    result = dev->fn.vkCreatePipelineLayout(dev->handle, &layout, NULL, &k->layout);
    return result == VK_SUCCESS || lad_vk_fail(fail, "vkCreatePipelineLayout", result);
}

/* What the device says it cannot do must not reach the driver: what happens then is undefined. */
static bool check_limits(const struct lad_dev *dev, const struct lad_kernel_desc *desc, struct lad_fail *fail)
{
    const VkPhysicalDeviceLimits *l = &dev->phys->limits;
    const struct lad_kernel_source *s = desc->source;
    uint64_t all = (uint64_t)desc->local[0] * desc->local[1] * desc->local[2];
    uint64_t dynamic = (uint64_t)desc->dynamic_items * s->dynamic_bytes;
    if (s->n_bufs > LAD_VK_BUFFERS || s->n_bufs >= l->maxPerStageDescriptorStorageBuffers)
        return lad_vk_refuse(fail, "vkCreateDescriptorSetLayout", "kernel %s has %u buffers and a witness", s->name,
                             s->n_bufs);
    if (s->scalar_bytes > l->maxPushConstantsSize)
        return lad_vk_refuse(fail, "vkCreatePipelineLayout",
                             "kernel %s has %u bytes of scalars, maxPushConstantsSize is %u", s->name, s->scalar_bytes,
                             l->maxPushConstantsSize);
    for (int i = 0; i < 3; i++)
        if (desc->local[i] > l->maxComputeWorkGroupSize[i] || all > l->maxComputeWorkGroupInvocations)
            return lad_vk_refuse(
                fail, "vkCreateComputePipelines", "workgroup of %u x %u x %u, the device takes %u x %u x %u, %u in all",
                desc->local[0], desc->local[1], desc->local[2], l->maxComputeWorkGroupSize[0],
                l->maxComputeWorkGroupSize[1], l->maxComputeWorkGroupSize[2], l->maxComputeWorkGroupInvocations);
    if (dynamic > l->maxComputeSharedMemorySize)
        return lad_vk_refuse(fail, "vkCreateComputePipelines", "%llu bytes of local memory, the device has %u",
                             (unsigned long long)dynamic, l->maxComputeSharedMemorySize);
    return true;
}

static bool create_pipeline(struct lad_dev *dev, const struct lad_kernel *k, VkPipelineCache into, VkPipeline *pipeline,
                            struct lad_fail *fail)
{
    const struct lad_kernel_desc *desc = &k->desc;
    const uint32_t value[] = {desc->local[0],
                              desc->local[1],
                              desc->local[2],
                              desc->witness,
                              desc->dynamic_items ? desc->dynamic_items : 1,
                              desc->constant[0],
                              desc->constant[1]};
    VkSpecializationMapEntry entry[7];
    VkSpecializationInfo special = {7, entry, sizeof value, value};
    VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                            .codeSize = desc->source->spirv_bytes,
                                            .pCode = (const uint32_t *)(const void *)desc->source->spirv};
    VkShaderModule module;
    for (uint32_t i = 0; i < 7; i++)
        entry[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    VkResult result = dev->fn.vkCreateShaderModule(dev->handle, &module_info, NULL, &module);
    if (result != VK_SUCCESS)
        return lad_vk_fail(fail, "vkCreateShaderModule", result);
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                        .flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
                                        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                  .module = module,
                                                  .pName = "main",
                                                  .pSpecializationInfo = &special},
                                        .layout = k->layout};
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo width = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = dev->phys->width};
    uint64_t lanes = (uint64_t)value[0] * value[1] * value[2];
    if (dev->phys->width && lanes <= (uint64_t)dev->phys->width * dev->phys->most_subgroups)
        info.stage.pNext = &width;
    const char *optimise = getenv("GPULADDER_OPTIMISE");
    if (optimise && !strcmp(optimise, "0"))
        info.flags |= VK_PIPELINE_CREATE_DISABLE_OPTIMIZATION_BIT;
    result = dev->fn.vkCreateComputePipelines(dev->handle, into, 1, &info, NULL, pipeline);
    dev->fn.vkDestroyShaderModule(dev->handle, module, NULL);
    if (result != VK_SUCCESS)
        return lad_vk_fail(fail, "vkCreateComputePipelines", result);
    lad_vk_name(dev, VK_OBJECT_TYPE_PIPELINE, (uint64_t)*pipeline, desc->source->name);
    return true;
}

struct lad_kernel *lad_vk_kernel_create(struct lad_dev *dev, const struct lad_kernel_desc *desc, struct lad_fail *fail)
{
    if (lad_vk_gone(dev, fail) || !check_limits(dev, desc, fail))
        return NULL;
    struct lad_kernel *k = calloc(1, sizeof *k);
    if (!k) {
        lad_vk_fail(fail, "calloc", VK_ERROR_OUT_OF_HOST_MEMORY);
        return NULL;
    }
    k->source = desc->source;
    k->desc = *desc;
    if (create_layouts(dev, k, fail) && create_pipeline(dev, k, dev->cache, &k->pipeline, fail))
        return k;
    lad_vk_kernel_destroy(dev, k);
    return NULL;
}

static size_t cache_bytes(struct lad_dev *dev, VkPipelineCache cache)
{
    size_t bytes = 0;
    return dev->fn.vkGetPipelineCacheData(dev->handle, cache, &bytes, NULL) == VK_SUCCESS ? bytes : 0;
}

/* By how much the kernel, made once more, lets an empty cache grow. */
uint64_t lad_vk_kernel_bytes(struct lad_dev *dev, struct lad_kernel *k)
{
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    VkPipelineCache cache;
    VkPipeline again = VK_NULL_HANDLE;
    struct lad_fail fail;
    uint64_t bytes = 0;
    if (dev->dead || dev->fn.vkCreatePipelineCache(dev->handle, &info, NULL, &cache) != VK_SUCCESS)
        return 0;
    size_t empty = cache_bytes(dev, cache);
    if (create_pipeline(dev, k, cache, &again, &fail))
        bytes = cache_bytes(dev, cache) - empty;
    dev->fn.vkDestroyPipeline(dev->handle, again, NULL);
    dev->fn.vkDestroyPipelineCache(dev->handle, cache, NULL);
    return bytes;
}

void lad_vk_kernel_destroy(struct lad_dev *dev, struct lad_kernel *k)
{
    if (!k || dev->dead)
        return;
    dev->fn.vkDestroyPipeline(dev->handle, k->pipeline, NULL);
    dev->fn.vkDestroyPipelineLayout(dev->handle, k->layout, NULL);
    dev->fn.vkDestroyDescriptorSetLayout(dev->handle, k->set_layout, NULL);
    free(k);
}
