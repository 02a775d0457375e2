/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Vulkan layer of faults, inside: what it knows of instances, devices and command buffers, and what its files call
 * of each other. Every hook of a device runs under one lock: layer_enter ... LEAVE or layer_leave.
 */
#ifndef LAD_VK_LAYER_H
#define LAD_VK_LAYER_H

#include "inject.h"
#include "vk_new.h"
#include <vulkan/vk_layer.h>

enum { MOST = 64 };

struct mapping {
    VkDeviceMemory memory;
    unsigned char *real, *shadow, *base; /* base: the shadow as it was when it last agreed with the device */
    VkDeviceSize offset, bytes;
    bool scratch;
    bool imported, never_in, never_back; /* shadow is the program's own memory, which the device does not see */
};
struct memory {
    VkDeviceMemory handle;
    VkDeviceSize bytes;
    bool visible, coherent; /* the host can map it; what it maps is shared with the device */
};
struct buffer {
    VkBuffer handle;
    VkDeviceSize bytes;
    VkBufferUsageFlags usage;
    bool visible; /* its memory is */
};
struct transfer { /* an upload, as long as its destination lives */
    VkBuffer to;
    VkBufferCopy region;
};
struct bound { /* what a descriptor was last written with */
    VkDescriptorSet set;
    uint32_t binding;
    VkDescriptorBufferInfo info;
};
struct template
{ /* of descriptor updates */
    VkDescriptorUpdateTemplate handle;
    VkDescriptorUpdateTemplateEntry *entry;
    uint32_t n;
    VkPipelineBindPoint point; /* of one that is pushed */
    bool plain;                /* buffers only */
};
struct stale { /* a module that a cache keeps */
    uint64_t key;
    uint32_t *word;
    size_t n;
};
enum kind { DISPATCH, INDIRECT, FILL, COPY, UPDATE, BARRIER };
enum rank { EARLY, IN_TURN, LATE, RANKS };
struct held { /* a command that waits for the next barrier, and what was bound */
    enum kind kind;
    enum rank rank; /* where commands are not issued in turn */
    VkPipeline pipeline;
    VkPipelineLayout layout, push_layout;
    VkDescriptorSet set[8];
    uint32_t n_sets, dynamic[16], n_dynamic, push_bytes, grid[6], word;
    VkShaderStageFlags stages;
    unsigned char push[256];
    VkBuffer from, to;
    VkDeviceSize offset, bytes;
    VkBufferCopy region;
    const void *data; /* of an UPDATE; while it is held, memory of its own */
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
    struct memory *memory;
    size_t n_memory, memory_room;
    struct buffer *buffer; /* in the order in which they were made */
    size_t n_buffers, buffer_room;
    struct bound *bound;
    size_t n_bound, bound_room;
    struct template *template;
    size_t n_templates, template_room;
    struct {
        VkBuffer buffer;
        VkDeviceMemory memory;
    } own[MOST]; /* made here, until the device's end */
    size_t n_own;
    struct transfer upload;
    VkPhysicalDeviceMemoryProperties types, real_types; /* as the program sees them, and as they are */
    uint32_t real_type[VK_MAX_MEMORY_TYPES];            /* of each that the program sees */
    uint32_t n_queues[MOST];                            /* of each family, where the layer adds one; 0 where not */
    struct cmd **cmd;
    size_t n_cmds, cmd_room;
    uint64_t n_dispatches, n_binds;
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
    struct stale stale[MOST];
    size_t n_stale;
    struct {
        VkQueue queue;
        VkCommandBuffer cmd[16];
        uint32_t n;
    } late; /* work of which the fence has signalled already */
    struct {
        VkQueue queue;
        VkFence fence;
        VkCommandBuffer cmd[16];
        VkSemaphore wait[16], signal[16];
        VkPipelineStageFlags stage[16];
        uint64_t wait_value[16], signal_value[16];
        VkTimelineSemaphoreSubmitInfo values;
        VkSubmitInfo info;
        bool is;
    } ahead; /* a submission that another may wait for: it goes on with the next call that could notice */
    VkDescriptorPool pools[MOST]; /* to be reset when the late work is done */
    size_t n_pools;
    bool dead, swallowed;
};
struct instance {
    void *key;
    PFN_vkGetInstanceProcAddr get;
#define INSTANCE(name) PFN_vk##name name;
#define INSTANCE_ALIAS(name, of)
#include "vk_calls.def"
};

extern struct layer { /* what the environment asks for */
    struct lad_injection wanted;
    bool shadow, reorder, discrete, keep, queues;
    bool never_coherent; /* not even one type of memory */
    bool alone;          /* layers are disabled */
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
void layer_share_in(struct device *);      /* the program's own memory: what the host wrote, ahead of work */
void layer_share_back(const void *handle); /* the same behind a wait: what the device wrote */
void layer_see_types(struct device *, struct instance *, VkPhysicalDevice);

/* vk_buffer.c */
struct buffer *layer_buffer(struct device *, VkBuffer); /* NULL: unknown */
void layer_free_own(struct device *);

/* vk_descriptor.c */
/* What a binding of set 0 of the command buffer holds; false where that is not known, or commands cannot move it. */
bool layer_find_bound(struct device *, const struct cmd *, uint32_t binding, VkDescriptorBufferInfo *);

/* vk_reorder.c */
void layer_order(struct device *, VkCommandBuffer);      /* a barrier between all commands, and the host */
struct cmd *layer_cmd(struct device *, VkCommandBuffer); /* made where there is none */
void layer_put(struct device *, VkCommandBuffer, const struct held *); /* issues it, now or in reverse later */
void layer_flush(struct device *, struct cmd *);                       /* issues what waits */
void layer_estrange(struct device *, struct cmd *);                    /* from here on it is left as it is */
void layer_forget(struct cmd *);                                       /* what waits, unissued */

/* vk_queue.c */
void layer_settle(struct device *); /* submits what is kept or late, and waits for what is late */
/* Asks for no more queues than there are; queue is room for the infos. */
void layer_real_queues(struct instance *, VkPhysicalDevice, VkDeviceCreateInfo *, VkDeviceQueueCreateInfo *queue,
                       uint32_t *n_queues);

/* The hooks, each like the entry point of its name. */
#define INSTANCE(name) __typeof__(vk##name) layer_##name;
#define INSTANCE_ALIAS(name, of)
#define HOOK(name) __typeof__(vk##name) layer_##name;
#define ALIAS(name, of)
#include "vk_calls.def"

#endif
