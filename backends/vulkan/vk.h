/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the Vulkan backend: its objects, and what its files offer each other, by file. */
#ifndef LAD_VK_H
#define LAD_VK_H

#define VK_NO_PROTOTYPES
#include "../backend.h"
#include <vulkan/vulkan.h>

#define LAD_VK_QUEUES 2u /* of one family; more are never opened */
#define LAD_VK_NEED VK_API_VERSION_1_1
#define LAD_VK_BUFFERS 64u /* most of one kernel */

struct lad_vk_fns {
    PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr;
#define LAD_VK_FN(level, name, need) PFN_##name name;
#include "fns.def"
};

/* The features that are asked about and enabled; chained in this order where the device knows the structure. */
struct lad_vk_features {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDevice8BitStorageFeatures storage8;
    VkPhysicalDeviceShaderFloat16Int8Features narrow;
    VkPhysicalDeviceShaderAtomicInt64Features atomic64;
    VkPhysicalDeviceBufferDeviceAddressFeatures address;
    VkPhysicalDeviceVulkanMemoryModelFeatures model;
    VkPhysicalDeviceSubgroupSizeControlFeatures widths;
};

/* Device extensions that matter: symbol, name without "VK_", version in which it became core (0: never). */
#define LAD_VK_EXTENSIONS(X)                                                                                           \
    X(STORAGE8, "KHR_8bit_storage", VK_API_VERSION_1_2)                                                                \
    X(NARROW, "KHR_shader_float16_int8", VK_API_VERSION_1_2)                                                           \
    X(ATOMIC64, "KHR_shader_atomic_int64", VK_API_VERSION_1_2)                                                         \
    X(ADDRESS, "KHR_buffer_device_address", VK_API_VERSION_1_2)                                                        \
    X(MODEL, "KHR_vulkan_memory_model", VK_API_VERSION_1_2)                                                            \
    X(WIDTHS, "EXT_subgroup_size_control", VK_API_VERSION_1_3)                                                         \
    X(DRIVER, "KHR_driver_properties", VK_API_VERSION_1_2)                                                             \
    X(MAINTENANCE4, "KHR_maintenance4", VK_API_VERSION_1_3)                                                            \
    X(HOST_POINTER, "EXT_external_memory_host", 0)                                                                     \
    X(PCI, "EXT_pci_bus_info", 0)                                                                                      \
    X(SUBSET, "KHR_portability_subset", 0)
#define LAD_VK_EXTENSION_ENUM(sym, name, core) LAD_VK_EXT_##sym,
enum { LAD_VK_EXTENSIONS(LAD_VK_EXTENSION_ENUM) LAD_VK_EXT_COUNT };
#undef LAD_VK_EXTENSION_ENUM

/* A physical device; made by enumerate, const afterwards. */
struct lad_vk_phys {
    VkPhysicalDevice handle;
    uint32_t version;             /* what instance and device both offer */
    bool ext[LAD_VK_EXT_COUNT];   /* listed as an extension */
    bool knows[LAD_VK_EXT_COUNT]; /* listed, or core in `version` */
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    VkPhysicalDeviceType type;
    VkPhysicalDeviceLimits limits;
    VkPhysicalDeviceMemoryProperties memory;
    struct lad_vk_features has;
    uint32_t family, n_queues, stamp_bits; /* n_queues 0: nothing computes here */
    uint64_t max_allocation, max_buffer;
    bool host_pointer;
    uint32_t width, most_subgroups; /* of kernels to be made, and in a workgroup; 0: the device's own choice */
};

/* Of the process: the loader is opened once and one instance serves every open(). */
extern struct lad_vk {
    void *library;
    struct lad_vk_fns fn;
    VkInstance instance;
    uint32_t version;
    bool debug; /* VK_EXT_debug_utils is enabled */
    struct lad_vk_phys *phys;
    uint32_t n_phys;
} lad_vk;

struct lad_buf {
    VkBuffer handle;
    VkDeviceMemory memory;
    uint64_t bytes, address;
    enum lad_mem mem;
    VkMemoryPropertyFlags flags;
    unsigned char *map; /* NULL while not mapped */
    bool write;         /* mapped for writing */
};

struct lad_kernel {
    const struct lad_kernel_source *source;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    struct lad_kernel_desc desc;
};

struct lad_vk_cmd { /* a command buffer with the two stamps at its ends, its fence and what it waits for; reused */
    struct lad_vk_cmd *next;
    VkCommandBuffer handle;
    VkQueryPool stamps; /* null where the queue has no clock */
    bool stamped;       /* what is recorded in it has them */
    VkFence fence;
    uint32_t queue;
    VkSemaphore wait[LAD_VK_QUEUES], signal[LAD_VK_QUEUES];
    uint32_t n_wait, n_signal;
};

struct lad_vk_sets { /* a descriptor pool */
    struct lad_vk_sets *next;
    VkDescriptorPool pool;
    uint32_t sets_left, buffers_left;
};

struct lad_dev {
    struct lad_vk_fns fn;
    const struct lad_vk_phys *phys;
    VkDevice handle;
    VkQueue queue[LAD_VK_QUEUES]; /* the first again where the family has only one */
    bool dead;                    /* lost, or something may still be running: free nothing, wait for nothing */
    struct lad_times times;
    bool stamping; /* somebody asks for times: stamps split the work of some drivers, which costs time */

    VkPipelineCache cache; /* pipeline.c */
    VkDescriptorSetLayout witness_layout;
    struct lad_buf *staging, *no_witness; /* memory.c, dispatch.c; made when first needed */
    uint32_t n_named;

    struct lad_vk_sets *sets; /* dispatch.c: the first is the one in use */

    VkCommandPool pool;                      /* queue.c */
    struct lad_vk_cmd *idle;                 /* to be used again */
    struct lad_vk_cmd *closed, **closed_end; /* recorded, in the order in which they have to be submitted */
    struct lad_vk_cmd *flying;               /* submitted, newest first */
    struct lad_vk_cmd *open[LAD_VK_QUEUES];
    VkSemaphore *semaphore; /* the first n_signals are in use */
    size_t n_semaphores, n_signals, semaphore_room;
    uint32_t epoch;                              /* barriers since everything was last complete */
    uint32_t used[LAD_VK_QUEUES];                /* epoch + 1 of the queue's last command, 0: none */
    uint32_t before[LAD_VK_QUEUES];              /* used[] as it was at the last barrier */
    uint32_t seen[LAD_VK_QUEUES][LAD_VK_QUEUES]; /* [b][a]: b waits for what a did up to this value of used[a] */
    uint32_t synced[LAD_VK_QUEUES];              /* epoch of the last pipeline barrier in the queue */
    uint64_t start_ns;
};

/* messages.c: failures by name, and what layers say */
bool lad_vk_fail(struct lad_fail *, const char *call, VkResult); /* false, always */
bool lad_vk_refuse(struct lad_fail *, const char *call, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool lad_vk_gone(const struct lad_dev *, struct lad_fail *); /* true, having filled fail, when the device is dead */
const char *lad_vk_message(struct lad_dev *);
extern const VkDebugUtilsMessengerCreateInfoEXT lad_vk_messenger;
void lad_vk_name(struct lad_dev *, VkObjectType, uint64_t handle, const char *name);
void *lad_vk_room(void *array, size_t n, size_t *room,
                  size_t element_bytes); /* room for one more; aborts without memory */

/* instance.c: loader, instance, physical devices */
bool lad_vk_enumerate(struct lad_dev_info *, size_t room, size_t *n, struct lad_fail *);
bool lad_vk_device_fns(struct lad_vk_fns *, VkDevice, struct lad_fail *);
const char *lad_vk_extension_name(int extension); /* LAD_VK_EXT_..., in full */
extern const uint32_t lad_vk_extension_core[];    /* version in which it became core, 0: never */
void lad_vk_chain(struct lad_vk_features *, const struct lad_vk_phys *);

/* caps.c: what a physical device can do */
void lad_vk_describe(struct lad_vk_phys *, const VkPhysicalDeviceProperties *, struct lad_dev_info *);

/* device.c */
struct lad_dev *lad_vk_open(size_t index, struct lad_fail *);
void lad_vk_close(struct lad_dev *);

/* memory.c */
struct lad_buf *lad_vk_buf_create(struct lad_dev *, const struct lad_buf_desc *, struct lad_fail *);
void lad_vk_buf_destroy(struct lad_dev *, struct lad_buf *);
bool lad_vk_buf_write(struct lad_dev *, struct lad_buf *, uint64_t offset, const void *, size_t, struct lad_fail *);
bool lad_vk_buf_read(struct lad_dev *, struct lad_buf *, uint64_t offset, void *, size_t, struct lad_fail *);
void *lad_vk_map(struct lad_dev *, struct lad_buf *, bool write, struct lad_fail *);
bool lad_vk_unmap(struct lad_dev *, struct lad_buf *, struct lad_fail *);
uint64_t lad_vk_buf_address(struct lad_dev *, struct lad_buf *);

/* pipeline.c */
struct lad_kernel *lad_vk_kernel_create(struct lad_dev *, const struct lad_kernel_desc *, struct lad_fail *);
void lad_vk_kernel_destroy(struct lad_dev *, struct lad_kernel *);
uint64_t lad_vk_kernel_bytes(struct lad_dev *, struct lad_kernel *);

/* dispatch.c: commands */
bool lad_vk_dispatch(struct lad_dev *, const struct lad_dispatch *, struct lad_fail *);
bool lad_vk_fill(struct lad_dev *, struct lad_buf *, uint64_t offset, uint64_t bytes, uint32_t word, struct lad_fail *);
bool lad_vk_copy(struct lad_dev *, struct lad_buf *, uint64_t, struct lad_buf *, uint64_t, uint64_t, struct lad_fail *);
void lad_vk_sets_reset(struct lad_dev *);
void lad_vk_sets_destroy(struct lad_dev *);

/* queue.c: command buffers on their way */
VkCommandBuffer lad_vk_record(struct lad_dev *, uint32_t queue,
                              struct lad_fail *); /* the one open for this queue, or NULL */
bool lad_vk_barrier(struct lad_dev *, struct lad_fail *);
bool lad_vk_submit(struct lad_dev *, struct lad_fail *);
bool lad_vk_wait(struct lad_dev *, uint64_t timeout_ns, struct lad_fail *);
bool lad_vk_finish(struct lad_dev *, struct lad_fail *);
bool lad_vk_done(struct lad_dev *, bool *complete, struct lad_fail *);
bool lad_vk_times(struct lad_dev *, struct lad_times *);
bool lad_vk_quiet(struct lad_dev *, uint64_t patience_ns); /* is, or becomes soon, everything submitted complete? */
void lad_vk_queues_destroy(struct lad_dev *);
#endif
