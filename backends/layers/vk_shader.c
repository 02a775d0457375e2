/* SPDX-License-Identifier: Apache-2.0 */
/* Shaders and pipelines: what is built is not what was asked for. */
#include "vk_layer.h"
#include "vk_spirv.h"
#include <stdlib.h>
#include <string.h>

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

VKAPI_ATTR VkResult VKAPI_CALL layer_CreateShaderModule(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                        const VkAllocationCallbacks *cb, VkShaderModule *module)
{
    struct device *d = layer_enter(device);
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

VKAPI_ATTR VkResult VKAPI_CALL layer_CreateComputePipelines(VkDevice device, VkPipelineCache cache, uint32_t n,
                                                            const VkComputePipelineCreateInfo *info,
                                                            const VkAllocationCallbacks *cb, VkPipeline *pipeline)
{
    struct device *d = layer_enter(device);
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
