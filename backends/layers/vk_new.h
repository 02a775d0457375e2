/* SPDX-License-Identifier: Apache-2.0 */
/* What vulkan.h of Debian 12 does not have yet. */
#ifndef LAD_VK_NEW_H
#define LAD_VK_NEW_H
#include <vulkan/vulkan.h>

#ifndef VK_KHR_map_memory2
struct VkMemoryMapInfoKHR {
    VkStructureType sType;
    const void *pNext;
    VkMemoryMapFlags flags;
    VkDeviceMemory memory;
    VkDeviceSize offset, size;
};
struct VkMemoryUnmapInfoKHR {
    VkStructureType sType;
    const void *pNext;
    VkFlags flags;
    VkDeviceMemory memory;
};
#define VkMemoryMapInfoKHR struct VkMemoryMapInfoKHR
#define VkMemoryUnmapInfoKHR struct VkMemoryUnmapInfoKHR
VKAPI_ATTR VkResult VKAPI_CALL vkMapMemory2KHR(VkDevice, const VkMemoryMapInfoKHR *, void **);
VKAPI_ATTR VkResult VKAPI_CALL vkUnmapMemory2KHR(VkDevice, const VkMemoryUnmapInfoKHR *);
#define PFN_vkMapMemory2KHR __typeof__(&vkMapMemory2KHR)
#define PFN_vkUnmapMemory2KHR __typeof__(&vkUnmapMemory2KHR)
#endif

#endif
