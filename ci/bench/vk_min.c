/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick for Vulkan: what a program costs that opens the first device, builds N kernels that the driver must
 * take for different ones, runs and checks each, and closes. usage: vk_min constants.spv [N]
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { ITEMS = 16, WORDS = 8 * ITEMS, LOCAL = 16, PLUS = 7 };

static void need(VkResult result, const char *what)
{
    if (result == VK_SUCCESS)
        return;
    fprintf(stderr, "vk_min: %s: %d\n", what, result);
    exit(1);
}

static uint32_t *read_spirv(const char *path, size_t *bytes)
{
    static uint32_t words[16384];
    FILE *f = fopen(path, "rb");
    if (!f || !(*bytes = fread(words, 1, sizeof words, f))) {
        perror(path);
        exit(1);
    }
    fclose(f);
    return words;
}

static bool check(const uint32_t *dst, uint32_t k)
{
    for (uint32_t i = 0; i < ITEMS; i++) {
        const uint32_t *d = dst + 8 * i, want[7] = {k, PLUS, LOCAL, 1, 1, k * (i + 1) + PLUS, i};
        if (memcmp(d, want, sizeof want))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 2 ? (uint32_t)atoi(argv[2]) : 1, one = 1;
    size_t bytes;
    if (argc < 2 || !n)
        return fputs("usage: vk_min constants.spv [N]\n", stderr), 2;
    uint32_t *spirv = read_spirv(argv[1], &bytes);

    VkInstance instance;
    VkPhysicalDevice gpu;
    VkDevice dev;
    VkQueue queue;
    VkApplicationInfo app = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_1};
    need(vkCreateInstance(&(VkInstanceCreateInfo){VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app},
                          NULL, &instance),
         "vkCreateInstance");
    VkResult listed = vkEnumeratePhysicalDevices(instance, &one, &gpu);
    need(listed == VK_INCOMPLETE ? VK_SUCCESS
         : one                   ? listed
                                 : VK_ERROR_INITIALIZATION_FAILED,
         "vkEnumeratePhysicalDevices");
    VkQueueFamilyProperties family[16];
    uint32_t n_families = 16, f = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(gpu, &n_families, family);
    while (f + 1 < n_families && !(family[f].queueFlags & VK_QUEUE_COMPUTE_BIT))
        f++;
    VkDeviceQueueCreateInfo queues = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = f,
                                      .queueCount = 1, .pQueuePriorities = &(float){1}};
    need(vkCreateDevice(gpu,
                        &(VkDeviceCreateInfo){VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1,
                                              .pQueueCreateInfos = &queues},
                        NULL, &dev),
         "vkCreateDevice");
    vkGetDeviceQueue(dev, f, 0, &queue);

    /* The kernel's buffer, and one for the binding of its witness, which stays unused. */
    VkBuffer buf[2];
    VkDeviceMemory memory;
    VkMemoryRequirements req;
    for (int i = 0; i < 2; i++)
        need(vkCreateBuffer(dev,
                            &(VkBufferCreateInfo){VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 4 * WORDS,
                                                  .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT},
                            NULL, &buf[i]),
             "vkCreateBuffer");
    vkGetBufferMemoryRequirements(dev, buf[0], &req);
    VkDeviceSize second = (req.size + req.alignment - 1) / req.alignment * req.alignment;
    VkPhysicalDeviceMemoryProperties memories;
    vkGetPhysicalDeviceMemoryProperties(gpu, &memories);
    uint32_t type = 0, want = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    while (type < memories.memoryTypeCount &&
           (!(req.memoryTypeBits >> type & 1) || (memories.memoryTypes[type].propertyFlags & want) != want))
        type++;
    need(vkAllocateMemory(dev,
                          &(VkMemoryAllocateInfo){VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                                  .allocationSize = second + req.size, .memoryTypeIndex = type},
                          NULL, &memory),
         "vkAllocateMemory");
    need(vkBindBufferMemory(dev, buf[0], memory, 0), "vkBindBufferMemory");
    need(vkBindBufferMemory(dev, buf[1], memory, second), "vkBindBufferMemory");
    uint32_t *dst;
    need(vkMapMemory(dev, memory, 0, VK_WHOLE_SIZE, 0, (void **)&dst), "vkMapMemory");

    VkDescriptorSetLayout set_layout;
    VkDescriptorSetLayoutBinding binding = {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    need(vkCreateDescriptorSetLayout(
             dev,
             &(VkDescriptorSetLayoutCreateInfo){VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = 1,
                                                .pBindings = &binding},
             NULL, &set_layout),
         "vkCreateDescriptorSetLayout");
    VkDescriptorSetLayout layouts[2] = {set_layout, set_layout};
    VkPipelineLayout layout;
    VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 12};
    need(vkCreatePipelineLayout(dev,
                                &(VkPipelineLayoutCreateInfo){
                                    VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 2,
                                    .pSetLayouts = layouts, .pushConstantRangeCount = 1, .pPushConstantRanges = &range},
                                NULL, &layout),
         "vkCreatePipelineLayout");
    VkDescriptorPool pool;
    VkDescriptorPoolSize room = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
    need(vkCreateDescriptorPool(dev,
                                &(VkDescriptorPoolCreateInfo){VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                                              .maxSets = 2, .poolSizeCount = 1, .pPoolSizes = &room},
                                NULL, &pool),
         "vkCreateDescriptorPool");
    VkDescriptorSet set[2];
    need(vkAllocateDescriptorSets(dev,
                                  &(VkDescriptorSetAllocateInfo){VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                                                 .descriptorPool = pool, .descriptorSetCount = 2,
                                                                 .pSetLayouts = layouts},
                                  set),
         "vkAllocateDescriptorSets");
    for (int i = 0; i < 2; i++)
        vkUpdateDescriptorSets(
            dev, 1,
            &(VkWriteDescriptorSet){VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set[i], .descriptorCount = 1,
                                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                    .pBufferInfo = &(VkDescriptorBufferInfo){buf[i], 0, VK_WHOLE_SIZE}},
            0, NULL);

    VkCommandPool commands;
    VkCommandBuffer cmd;
    VkFence fence;
    need(vkCreateCommandPool(dev,
                             &(VkCommandPoolCreateInfo){VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                                        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                                        .queueFamilyIndex = f},
                             NULL, &commands),
         "vkCreateCommandPool");
    need(vkAllocateCommandBuffers(dev,
                                  &(VkCommandBufferAllocateInfo){VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                                 .commandPool = commands, .commandBufferCount = 1},
                                  &cmd),
         "vkAllocateCommandBuffers");
    need(vkCreateFence(dev, &(VkFenceCreateInfo){VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL, &fence), "vkCreateFence");
    VkShaderModule module;
    need(vkCreateShaderModule(dev,
                              &(VkShaderModuleCreateInfo){VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                          .codeSize = bytes, .pCode = spirv},
                              NULL, &module),
         "vkCreateShaderModule");

    for (uint32_t k = 1; k <= n; k++) {
        uint32_t id[6] = {0, 1, 2, 3, 5, 6}, constant[6] = {LOCAL, 1, 1, 0, k, PLUS}, scalars[3] = {ITEMS, 0, 0};
        VkSpecializationMapEntry entry[6];
        for (uint32_t i = 0; i < 6; i++)
            entry[i] = (VkSpecializationMapEntry){id[i], 4 * i, 4};
        VkSpecializationInfo special = {6, entry, sizeof constant, constant};
        VkPipeline pipeline;
        need(vkCreateComputePipelines(
                 dev, VK_NULL_HANDLE, 1,
                 &(VkComputePipelineCreateInfo){VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                                .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                          .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module,
                                                          .pName = "main", .pSpecializationInfo = &special},
                                                .layout = layout},
                 NULL, &pipeline),
             "vkCreateComputePipelines");
        memset(dst, 0, 4 * WORDS);
        need(vkBeginCommandBuffer(cmd, &(VkCommandBufferBeginInfo){VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}),
             "vkBeginCommandBuffer");
        vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        vkCmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 2, set, 0, NULL);
        vkCmdPushConstants(cmd, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof scalars, scalars);
        vkCmdDispatch(cmd, ITEMS / LOCAL, 1, 1);
        vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                             &(VkMemoryBarrier){VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_SHADER_WRITE_BIT,
                                                VK_ACCESS_HOST_READ_BIT},
                             0, NULL, 0, NULL);
        need(vkEndCommandBuffer(cmd), "vkEndCommandBuffer");
        need(vkQueueSubmit(
                 queue, 1,
                 &(VkSubmitInfo){VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &cmd},
                 fence),
             "vkQueueSubmit");
        need(vkWaitForFences(dev, 1, &fence, VK_TRUE, 10000000000u), "vkWaitForFences");
        need(vkResetFences(dev, 1, &fence), "vkResetFences");
        if (!check(dst, k))
            return fprintf(stderr, "vk_min: kernel %u: wrong result\n", k), 1;
        vkDestroyPipeline(dev, pipeline, NULL);
    }

    vkDestroyShaderModule(dev, module, NULL);
    vkDestroyFence(dev, fence, NULL);
    vkDestroyCommandPool(dev, commands, NULL);
    vkDestroyDescriptorPool(dev, pool, NULL);
    vkDestroyPipelineLayout(dev, layout, NULL);
    vkDestroyDescriptorSetLayout(dev, set_layout, NULL);
    vkDestroyBuffer(dev, buf[0], NULL);
    vkDestroyBuffer(dev, buf[1], NULL);
    vkFreeMemory(dev, memory, NULL);
    vkDestroyDevice(dev, NULL);
    vkDestroyInstance(instance, NULL);
    printf("%u right\n", n);
    return 0;
}
