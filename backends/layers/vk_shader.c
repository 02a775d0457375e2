/* SPDX-License-Identifier: Apache-2.0 */
/* Shaders and pipelines: what is built is not what was asked for. */
#include "vk_layer.h"
#include "vk_spirv.h"
#include <stdlib.h>
#include <string.h>

/* A cache knows a module by what it holds: handles come again. */
static void note_module(struct device *d, VkShaderModule module, const struct lad_spirv *m)
{
    uint64_t key = 14695981039346656037u;
    for (size_t i = 0; i < m->n; i++)
        key = (key ^ m->word[i]) * 1099511628211u;
    size_t at = 0;
    while (at < d->n_modules && d->module[at].handle != module)
        at++;
    if (at == MOST)
        return;
    d->n_modules += at == d->n_modules;
    d->module[at].handle = module;
    d->module[at].key = key;
    d->module[at].widths = lad_spirv_widths(m);
}

static uint64_t key_of_module(const struct device *d, VkShaderModule module)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (d->module[i].handle == module)
            return d->module[i].key;
    return 0;
}

static unsigned widths_of_module(const struct device *d, VkShaderModule module)
{
    for (size_t i = 0; i < d->n_modules; i++)
        if (d->module[i].handle == module)
            return d->module[i].widths;
    return 0;
}

static void edit_shared(struct device *d, struct lad_spirv *m, struct lad_at at)
{
    struct lad_inject *f;
    if ((f = HIT_AT(d, W1_vk_no_barrier, at)))
        lad_edit_lose_barriers(m, (uint32_t)PARAM(f, "which"));
    if ((f = HIT_AT(d, W2_vk_early_return, at)))
        lad_edit_return(m, (uint32_t)PARAM(f, "lanes"), (uint32_t)PARAM(f, "barrier"));
    if ((f = HIT_AT(d, W3_vk_width, at)) && PARAM(f, "width"))
        lad_edit_lanes(m, (uint32_t)PARAM(f, "width"));
    if (HIT_AT(d, W3_vk_one_lane, at))
        lad_edit_one_lane(m);
    if ((f = HIT_AT(d, W4_vk_short, at)) && PARAM(f, "items"))
        lad_edit_wrap_shared(m, (uint32_t)PARAM(f, "items"));
    if (HIT_AT(d, W4_vk_overlap, at))
        lad_edit_overlap_shared(m);
    if ((f = HIT_AT(d, W5_vk_torn, at)))
        lad_edit_torn(m, (uint32_t)PARAM(f, "set"));
    if (HIT_AT(d, W5_vk_torn_shared, at))
        lad_edit_torn(m, SPIRV_SHARED);
    if ((f = HIT_AT(d, W5_vk_lost, at)))
        lad_edit_no_atomics(m, (uint32_t)PARAM(f, "set"));
}

static void edit_arithmetic(struct device *d, struct lad_spirv *m, struct lad_at at)
{
    enum { FADD = 129, FSUB = 131, FMUL = 133 };
    struct lad_inject *f;
    if (HIT_AT(d, M1_vk_fadd, at))
        lad_edit_replace(m, FADD, FSUB);
    if (HIT_AT(d, M1_vk_fmul, at))
        lad_edit_replace(m, FMUL, FADD);
    if (HIT_AT(d, N1_vk_half_sums, at))
        lad_edit_half(m, FADD);
    if (HIT_AT(d, N1_vk_half_products, at))
        lad_edit_half(m, FMUL);
    if ((f = HIT_AT(d, N2_vk_loose_products, at)))
        lad_edit_loose(m, FMUL, (uint32_t)PARAM(f, "units"));
    if (HIT_AT(d, N2_vk_no_nan, at))
        lad_edit_no_nan(m);
}

/* A cache that takes modules of one interface for each other: the first of them serves all. */
static void serve_stale(struct device *d, struct lad_spirv *m)
{
    uint64_t key = lad_spirv_interface(m);
    size_t i = 0;
    if (!lad_inject_on(&d->set, LAD_FAULT_C1_vk_stale_module))
        return;
    while (i < d->n_stale && d->stale[i].key != key)
        i++;
    bool known = i < d->n_stale;
    if (!known && i == MOST)
        return;
    struct stale *s = &d->stale[i];
    if (!known) {
        d->n_stale++;
        *s = (struct stale){key, malloc(m->n * 4), m->n};
        memcpy(s->word, m->word, m->n * 4);
    } else if ((s->n != m->n || memcmp(s->word, m->word, m->n * 4)) && HIT(d, C1_vk_stale_module, .size = m->n * 4)) {
        m->word = realloc(m->word, s->n * 4);
        memcpy(m->word, s->word, s->n * 4);
        m->n = s->n;
    }
}

VKAPI_ATTR VkResult VKAPI_CALL layer_CreateShaderModule(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                        const VkAllocationCallbacks *cb, VkShaderModule *module)
{
    struct device *d = layer_enter(device);
    VkShaderModuleCreateInfo own = *info;
    struct lad_spirv m = {malloc(info->codeSize), info->codeSize / 4};
    struct lad_at at = {.size = info->codeSize};
    struct lad_inject *f;
    if (!m.word)
        abort();
    memcpy(m.word, info->pCode, m.n * 4);
    serve_stale(d, &m);
    if ((f = HIT_AT(d, C4_vk_lost_store, at)))
        lad_edit_lose_store(&m, (uint32_t)PARAM(f, "set"));
    if ((f = HIT_AT(d, B5_vk_array_stride, at)))
        lad_edit_stride(&m, (uint32_t)PARAM(f, "from"), (uint32_t)PARAM(f, "to"));
    edit_shared(d, &m, at);
    edit_arithmetic(d, &m, at);
    own.pCode = m.word;
    own.codeSize = m.n * 4;
    VkResult result = d->CreateShaderModule(device, &own, cb, module);
    if (result == VK_SUCCESS)
        note_module(d, *module, &m);
    free(m.word);
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
        if (one.flags & VK_PIPELINE_CREATE_DERIVATIVE_BIT && one.basePipelineIndex >= 0) {
            one.basePipelineHandle = pipeline[one.basePipelineIndex]; /* each is made by a call of its own */
            one.basePipelineIndex = -1;
        }
        unsigned widths = widths_of_module(d, one.stage.module);
        if (HIT(d, E2_vk_empty_pipeline) || (widths & SPIRV_WIDE && HIT(d, C3_vk_no_wide_types)) ||
            (widths & SPIRV_SMALL && HIT(d, C3_vk_no_small_types))) {
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
