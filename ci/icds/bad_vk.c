/* SPDX-License-Identifier: Apache-2.0 */
/* Vulkan drivers that no one should have to use, for ci/tests/icds.sh. Compiled once per -DMODE: CRASH and HANG when
 * they are loaded, COUNT and LIE when they are asked for devices. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <vulkan/vk_icd.h>
#include <vulkan/vulkan_core.h>

enum mode { CRASH, HANG, COUNT, LIE };

__attribute__((constructor)) static void load(void)
{
    int *volatile nowhere = (int *)16;
    if (MODE == CRASH)
        *nowhere = 1;
    while (MODE == HANG)
        pause();
}

static struct {
    void *loader; /* the loader's place in every handle */
} instance = {(void *)ICD_LOADER_MAGIC};

static VkResult create_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *memory, VkInstance *out)
{
    (void)info;
    (void)memory;
    *out = (VkInstance)(void *)&instance;
    return VK_SUCCESS;
}

static void destroy_instance(VkInstance i, const VkAllocationCallbacks *memory)
{
    (void)i;
    (void)memory;
}

static VkResult list_extensions(const char *layer, uint32_t *n, VkExtensionProperties *out)
{
    (void)layer;
    (void)out;
    *n = 0;
    return VK_SUCCESS;
}

/* COUNT claims four billion devices; LIE claims three and hands out none. */
static VkResult list_devices(VkInstance i, uint32_t *n, VkPhysicalDevice *out)
{
    (void)i;
    if (!out)
        *n = MODE == COUNT ? 0xfffffff0u : 3;
    return VK_SUCCESS;
}

static void do_nothing(void)
{
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance i, const char *name)
{
    (void)i;
    if (!strcmp(name, "vkCreateInstance"))
        return (PFN_vkVoidFunction)create_instance;
    if (!strcmp(name, "vkDestroyInstance"))
        return (PFN_vkVoidFunction)destroy_instance;
    if (!strcmp(name, "vkEnumerateInstanceExtensionProperties"))
        return (PFN_vkVoidFunction)list_extensions;
    if (!strcmp(name, "vkEnumeratePhysicalDevices"))
        return (PFN_vkVoidFunction)list_devices;
    return strstr(name, "KHR") || strstr(name, "EXT") || strstr(name, "NV") ? NULL : do_nothing;
}

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version)
{
    *version = *version < 5 ? *version : 5;
    return VK_SUCCESS;
}
