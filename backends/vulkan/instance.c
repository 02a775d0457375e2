/* SPDX-License-Identifier: Apache-2.0 */
/* The loader, the one instance of the process, and its physical devices. */
#include "vk.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lad_vk lad_vk;

static const char *const extension_names[] = {
#define LAD_VK_EXTENSION_NAME(sym, name, core) "VK_" name,
    LAD_VK_EXTENSIONS(LAD_VK_EXTENSION_NAME)};
const uint32_t lad_vk_extension_core[] = {
#define LAD_VK_EXTENSION_CORE(sym, name, core) core,
    LAD_VK_EXTENSIONS(LAD_VK_EXTENSION_CORE)};

#define GLOBAL 0
#define INSTANCE 1
#define DEVICE 2
#define MUST true
#define MAY false

/* Fills the entry points of one level; the first that is missing and needed is the failure. */
static bool fill_fns(struct lad_vk_fns *fn, int level, VkInstance instance, VkDevice device, struct lad_fail *fail)
{
    const char *missing = NULL;
#define LAD_VK_FN(of, name, need)                                                                                      \
    if (of == level) {                                                                                                 \
        fn->name = (PFN_##name)(of == DEVICE ? lad_vk.fn.vkGetDeviceProcAddr(device, #name)                            \
                                             : fn->vkGetInstanceProcAddr(instance, #name));                            \
        if (!fn->name && need && !missing)                                                                             \
            missing = #name;                                                                                           \
    }
#include "fns.def"
    if (!missing)
        return true;
    lad_vk_fail(fail, level == DEVICE ? "vkGetDeviceProcAddr" : "vkGetInstanceProcAddr", VK_ERROR_INCOMPATIBLE_DRIVER);
    snprintf(fail->text, sizeof fail->text, "entry point %s is missing", missing);
    return false;
}

bool lad_vk_device_fns(struct lad_vk_fns *fn, VkDevice device, struct lad_fail *fail)
{
    return fill_fns(fn, DEVICE, VK_NULL_HANDLE, device, fail);
}

static bool open_loader(struct lad_fail *fail)
{
    lad_vk.library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lad_vk.library)
        lad_vk.library = dlopen("libvulkan.so", RTLD_NOW | RTLD_LOCAL);
    if (!lad_vk.library) {
        lad_vk_fail(fail, "dlopen", VK_ERROR_INITIALIZATION_FAILED);
        snprintf(fail->text, sizeof fail->text, "the Vulkan loader cannot be opened: %s", dlerror());
        return false;
    }
    lad_vk.fn.vkGetInstanceProcAddr = (PFN_vkGetInstanceProcAddr)dlsym(lad_vk.library, "vkGetInstanceProcAddr");
    if (lad_vk.fn.vkGetInstanceProcAddr)
        return fill_fns(&lad_vk.fn, GLOBAL, VK_NULL_HANDLE, VK_NULL_HANDLE, fail);
    lad_vk_fail(fail, "dlsym", VK_ERROR_INITIALIZATION_FAILED);
    snprintf(fail->text, sizeof fail->text, "libvulkan.so.1 has no vkGetInstanceProcAddr");
    return false;
}

/* Asking which extensions there are would load every driver once more; trying does not. */
static VkResult try_instance(const VkApplicationInfo *app, const char *const *extensions, uint32_t n)
{
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pNext =
                                     n ? &lad_vk_messenger : NULL, /* hears what is said before there is an instance */
                                 .pApplicationInfo = app,
                                 .enabledExtensionCount = n,
                                 .ppEnabledExtensionNames = extensions};
    lad_vk.debug = n;
    return lad_vk.fn.vkCreateInstance(&info, NULL, &lad_vk.instance);
}

static bool make_instance(struct lad_fail *fail)
{
    static const char *const debug_utils = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "gpuladder"};
    lad_vk.version = VK_API_VERSION_1_0;
    if (lad_vk.fn.vkEnumerateInstanceVersion)
        lad_vk.fn.vkEnumerateInstanceVersion(&lad_vk.version);
    if (lad_vk.version > VK_API_VERSION_1_3)
        lad_vk.version = VK_API_VERSION_1_3;
    if (lad_vk.version < LAD_VK_NEED) {
        lad_vk_fail(fail, "vkEnumerateInstanceVersion", VK_ERROR_INCOMPATIBLE_DRIVER);
        snprintf(fail->text, sizeof fail->text, "the loader offers Vulkan 1.0, 1.1 is needed");
        return false;
    }
    app.apiVersion = lad_vk.version;
    VkResult result = try_instance(&app, &debug_utils, 1);
    if (result == VK_ERROR_EXTENSION_NOT_PRESENT)
        result = try_instance(&app, NULL, 0);
    if (result != VK_SUCCESS) {
        lad_vk_fail(fail, "vkCreateInstance", result);
        if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
            snprintf(fail->text, sizeof fail->text, "the loader found no driver that it could use");
        return false;
    }
    if (!fill_fns(&lad_vk.fn, INSTANCE, lad_vk.instance, VK_NULL_HANDLE, fail))
        return false;
    VkDebugUtilsMessengerEXT messenger; /* lives as long as the process */
    if (lad_vk.debug && lad_vk.fn.vkCreateDebugUtilsMessengerEXT)
        lad_vk.fn.vkCreateDebugUtilsMessengerEXT(lad_vk.instance, &lad_vk_messenger, NULL, &messenger);
    return true;
}

static void read_extensions(struct lad_vk_phys *p)
{
    uint32_t n = 0;
    VkExtensionProperties *list = NULL;
    if (lad_vk.fn.vkEnumerateDeviceExtensionProperties(p->handle, NULL, &n, NULL) == VK_SUCCESS && n)
        list = calloc(n, sizeof *list);
    if (list && lad_vk.fn.vkEnumerateDeviceExtensionProperties(p->handle, NULL, &n, list) >= VK_SUCCESS)
        for (uint32_t i = 0; i < n; i++)
            for (int e = 0; e < LAD_VK_EXT_COUNT; e++)
                p->ext[e] |= !strcmp(list[i].extensionName, extension_names[e]);
    free(list);
    for (int e = 0; e < LAD_VK_EXT_COUNT; e++)
        p->knows[e] = p->ext[e] || (lad_vk_extension_core[e] && p->version >= lad_vk_extension_core[e]);
}

const char *lad_vk_extension_name(int extension)
{
    return extension_names[extension];
}

/* Links the structures that the device knows, in the order of struct lad_vk_features. */
void lad_vk_chain(struct lad_vk_features *f, const struct lad_vk_phys *p)
{
    void **next = &f->core.pNext;
    f->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
#define LINK(member, type, known)                                                                                      \
    if (known) {                                                                                                       \
        f->member.sType = type;                                                                                        \
        f->member.pNext = NULL;                                                                                        \
        *next = &f->member;                                                                                            \
        next = &f->member.pNext;                                                                                       \
    }
    LINK(storage16, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, true)
    LINK(storage8, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, p->knows[LAD_VK_EXT_STORAGE8])
    LINK(narrow, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, p->knows[LAD_VK_EXT_NARROW])
    LINK(atomic64, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_ATOMIC_INT64_FEATURES, p->knows[LAD_VK_EXT_ATOMIC64])
    LINK(address, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES, p->knows[LAD_VK_EXT_ADDRESS])
    LINK(model, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, p->knows[LAD_VK_EXT_MODEL])
    LINK(widths, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, p->knows[LAD_VK_EXT_WIDTHS])
#undef LINK
}

/* The first family that computes, unless a later one has the second queue that it lacks. */
static void pick_family(struct lad_vk_phys *p)
{
    VkQueueFamilyProperties family[32];
    uint32_t n = 32;
    lad_vk.fn.vkGetPhysicalDeviceQueueFamilyProperties(p->handle, &n, family);
    for (uint32_t i = 0; i < n && i < 32; i++) {
        bool computes = family[i].queueFlags & VK_QUEUE_COMPUTE_BIT;
        bool better = !p->n_queues || (p->n_queues < 2 && family[i].queueCount > p->n_queues);
        if (!computes || !family[i].queueCount || !better)
            continue;
        p->family = i;
        p->n_queues = family[i].queueCount < LAD_VK_QUEUES ? family[i].queueCount : LAD_VK_QUEUES;
        p->stamp_bits = family[i].timestampValidBits;
    }
}

static void read_device(struct lad_vk_phys *p, struct lad_dev_info *info)
{
    VkPhysicalDeviceProperties props;
    lad_vk.fn.vkGetPhysicalDeviceProperties(p->handle, &props);
    p->version = props.apiVersion < lad_vk.version ? props.apiVersion : lad_vk.version;
    p->type = props.deviceType;
    p->limits = props.limits;
    snprintf(p->name, sizeof p->name, "%s", props.deviceName);
    lad_vk.fn.vkGetPhysicalDeviceMemoryProperties(p->handle, &p->memory);
    pick_family(p);
    read_extensions(p);
    if (p->version >= LAD_VK_NEED) {
        lad_vk_chain(&p->has, p);
        lad_vk.fn.vkGetPhysicalDeviceFeatures2(p->handle, &p->has.core);
    }
    lad_vk_describe(p, &props, info);
}

bool lad_vk_enumerate(struct lad_dev_info *info, size_t room, size_t *n, struct lad_fail *fail)
{
    VkPhysicalDevice handle[32];
    uint32_t count = 32;
    *n = 0;
    if (!open_loader(fail) || !make_instance(fail))
        return false;
    VkResult result = lad_vk.fn.vkEnumeratePhysicalDevices(lad_vk.instance, &count, handle);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        return result == VK_ERROR_INITIALIZATION_FAILED || lad_vk_fail(fail, "vkEnumeratePhysicalDevices", result);
    lad_vk.phys = calloc(count ? count : 1, sizeof *lad_vk.phys);
    if (!lad_vk.phys)
        return lad_vk_fail(fail, "calloc", VK_ERROR_OUT_OF_HOST_MEMORY);
    for (uint32_t i = 0; i < count; i++) {
        struct lad_dev_info scratch, *out = i < room ? &info[i] : &scratch;
        memset(out, 0, sizeof *out);
        lad_vk.phys[i].handle = handle[i];
        read_device(&lad_vk.phys[i], out);
    }
    *n = lad_vk.n_phys = count;
    return true;
}
