/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Vulkan layer of faults, inside: what it knows of instances, devices and command buffers, and what its files call
 * of each other. Every hook of a device runs under one lock: layer_enter ... LEAVE or layer_leave.
 */
#ifndef LAD_VK_LAYER_H
#define LAD_VK_LAYER_H

#include "inject.h"
#include <vulkan/vk_layer.h>

enum { MOST = 64 };

struct mapping {
    VkDeviceMemory memory;
    unsigned char *real, *shadow, *base; /* base: the shadow as it was when it last agreed with the device */
    VkDeviceSize offset, bytes;
    bool scratch;
};
enum kind { DISPATCH, INDIRECT, FILL, COPY };
struct held { /* a command that waits for the next barrier, and what was bound */
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
    PFN_vkGetDeviceProcAddr get;
#define HOOK(name) PFN_vk##name name;
#define ALIAS(name, of)
#include "vk_calls.def"
    struct lad_injection set;
    struct mapping *map;
    size_t n_maps, map_room;
    struct {
        VkDeviceMemory handle;
        VkDeviceSize bytes;
    } * memory;
    size_t n_memory, memory_room;
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
        unsigned widths; /* SPIRV_WIDE, SPIRV_SMALL */
    } module[MOST];
    size_t n_modules;
    struct {
        VkQueue queue;
        VkCommandBuffer cmd[16];
        uint32_t n;
    } late;                       /* work of which the fence has signalled already */
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

extern struct layer { /* what the environment asks for */
    struct lad_injection wanted;
    bool shadow, reorder, discrete, keep;
    bool alone; /* layers are disabled */
} layer;

/* Does the fault strike this call of the device? The fault, or NULL. */
#define HIT_AT(d, name, at) lad_inject_step(&(d)->set, LAD_FAULT_##name, at)
#define HIT(d, name, ...) HIT_AT(d, name, ((struct lad_at){__VA_ARGS__}))
#define PARAM(f, name) lad_inject_get(f, name)
#define LEAVE(value)                                                                                                   \
    do {                                                                                                               \
        __typeof__(value) lad_value = (value);                                                                         \
        layer_leave();                                                                                                 \
        return lad_value;                                                                                              \
    } while (0)

/* vk_layer.c */
struct instance *layer_instance(const void *handle); /* NULL: unknown */
struct device *layer_enter(const void *handle);      /* of a device, queue or command buffer */
void layer_leave(void);
void *layer_grow(void *array, size_t n, size_t *room, size_t bytes); /* room for one more than n */

/* vk_memory.c */
void layer_drop_maps(struct device *);
void layer_part_memory(VkPhysicalDeviceMemoryProperties *); /* in discrete mode: every type twice */

/* vk_reorder.c */
struct cmd *layer_cmd(struct device *, VkCommandBuffer);               /* made where there is none */
void layer_put(struct device *, VkCommandBuffer, const struct held *); /* issues it, now or in reverse later */
void layer_flush(struct device *, struct cmd *);                       /* issues what waits */

/* vk_queue.c */
void layer_settle(struct device *); /* submits late work and waits for it */

/* The hooks, each like the entry point of its name. */
#define HOOK(name) __typeof__(vk##name) layer_##name;
#define ALIAS(name, of)
#include "vk_calls.def"
__typeof__(vkGetPhysicalDeviceMemoryProperties) layer_GetPhysicalDeviceMemoryProperties;
__typeof__(vkGetPhysicalDeviceMemoryProperties2) layer_GetPhysicalDeviceMemoryProperties2;

#endif
