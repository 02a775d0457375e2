/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vector addition like any program's, in each form that Vulkan has for its steps, to be run over the layer of faults:
 *   vk_forms FOLDER [STEP=FORM...]    FOLDER holds bound.spv and addresses.spv
 * Ends in 0 and "right", or in 1 and "wrong"; 2: no such form; 77: this device has no such form. The first form of each
 * step is what it does otherwise:
 *   bind=1|2   map=1|2  upload=copy|copy2|update   order=barrier|barrier2|event|event2   args=sets|template|push|
 *   push-template|addresses   run=dispatch|base|indirect   record=once|secondary|again|twice   submit=1|2
 *   queues=1|binary|timeline   wait=fence|fence-status|idle|queue-idle|semaphore|counter|event   names=core|khr
 */
#include "../../backends/layers/vk_new.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "forms.h"

enum { N = 1000, BYTES = 4 * N, PLUS = 7, A = 0, B, DST, UP, DOWN, GRID, BUFFERS };

static struct {
    VkInstance instance;
    VkPhysicalDevice gpu;
    VkDevice dev;
    VkQueue queue[2];
    uint32_t family;
    VkBuffer buf[BUFFERS];
    VkDeviceMemory memory[BUFFERS];
    VkDeviceAddress address[3];
    VkDescriptorSetLayout sets;
    VkDescriptorPool room;
    VkDescriptorSet set;
    VkDescriptorUpdateTemplate template;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    VkEvent event[2], done;
    VkCommandPool pool;
} vk;

static void need(VkResult result, const char *what)
{
    if (result == VK_SUCCESS)
        return;
    fprintf(stderr, "vk_forms: %s: %d\n", what, result);
    exit(1);
}
#define NEED(call) need(call, #call)

/* An entry point by its name, or by that which an extension gave it before it was core. */
static PFN_vkVoidFunction find(const char *name, bool extension)
{
    char text[80];
    snprintf(text, sizeof text, "%s%s", name, extension || form("names", "core|khr") ? "KHR" : "");
    PFN_vkVoidFunction f = vkGetDeviceProcAddr(vk.dev, text);
    if (!f) {
        printf("no %s\n", text);
        exit(77);
    }
    return f;
}
#define CALL(name) ((PFN_vk##name)find("vk" #name, false))
#define CALL_KHR(name) ((PFN_vk##name##KHR)find("vk" #name, true))

static void open_device(void)
{
    VkApplicationInfo app = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    uint32_t one = 1, n = 16, n_found = 0, n_names = 0;
    VkQueueFamilyProperties family[16];
    static VkExtensionProperties found[1000];
    static const char *const wanted[] = {"VK_KHR_push_descriptor",
                                         "VK_KHR_synchronization2",
                                         "VK_KHR_copy_commands2",
                                         "VK_KHR_timeline_semaphore",
                                         "VK_KHR_bind_memory2",
                                         "VK_KHR_device_group",
                                         "VK_KHR_descriptor_update_template",
                                         "VK_KHR_buffer_device_address",
                                         "VK_KHR_map_memory2"};
    const char *names[16];
    NEED(vkCreateInstance(&(VkInstanceCreateInfo){VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app},
                          NULL, &vk.instance));
    vkEnumeratePhysicalDevices(vk.instance, &one, &vk.gpu);
    vkGetPhysicalDeviceQueueFamilyProperties(vk.gpu, &n, family);
    while (vk.family + 1 < n && !(family[vk.family].queueFlags & VK_QUEUE_COMPUTE_BIT))
        vk.family++;
    if (form("queues", "1|binary|timeline") && family[vk.family].queueCount < 2) {
        puts("one queue only");
        exit(77);
    }
    vkEnumerateDeviceExtensionProperties(vk.gpu, NULL, &n_found, NULL);
    n_found = n_found < 1000 ? n_found : 1000;
    vkEnumerateDeviceExtensionProperties(vk.gpu, NULL, &n_found, found);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        for (uint32_t k = 0; k < n_found; k++)
            if (!strcmp(found[k].extensionName, wanted[i]))
                names[n_names++] = wanted[i];
    VkPhysicalDeviceVulkan13Features f13 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                            .synchronization2 = VK_TRUE};
    VkPhysicalDeviceVulkan12Features f12 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, &f13,
                                            .timelineSemaphore = VK_TRUE, .bufferDeviceAddress = VK_TRUE};
    VkDeviceQueueCreateInfo queues = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = vk.family,
                                      .queueCount = family[vk.family].queueCount > 1 ? 2 : 1,
                                      .pQueuePriorities = (float[]){1, 1}};
    VkDeviceCreateInfo info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               &f12,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queues,
                               .enabledExtensionCount = n_names,
                               .ppEnabledExtensionNames = names};
    NEED(vkCreateDevice(vk.gpu, &info, NULL, &vk.dev));
    vkGetDeviceQueue(vk.dev, vk.family, 0, &vk.queue[0]);
    VkDeviceQueueInfo2 second = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2, NULL, 0, vk.family, queues.queueCount - 1};
    vkGetDeviceQueue2(vk.dev, &second, &vk.queue[1]);
}

static uint32_t choose_type(uint32_t bits, bool host)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    VkPhysicalDeviceMemoryProperties have;
    vkGetPhysicalDeviceMemoryProperties(vk.gpu, &have);
    for (uint32_t i = 0; i < have.memoryTypeCount; i++)
        if (bits >> i & 1 && (!host || have.memoryTypes[i].propertyFlags & visible))
            return i;
    fputs("vk_forms: no type of memory\n", stderr);
    exit(1);
}

static void make_buffer(int k)
{
    VkBufferUsageFlags usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    usage |= k <= DST ? VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT : 0;
    usage |= k == GRID ? VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT : 0;
    VkBufferCreateInfo info = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = k == UP ? 2 * BYTES : BYTES,
                               .usage = usage};
    VkMemoryAllocateFlagsInfo flags = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                       .flags = k <= DST ? VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT : 0};
    VkMemoryRequirements req;
    NEED(vkCreateBuffer(vk.dev, &info, NULL, &vk.buf[k]));
    vkGetBufferMemoryRequirements(vk.dev, vk.buf[k], &req);
    VkMemoryAllocateInfo room = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, &flags, req.size,
                                 choose_type(req.memoryTypeBits, k == UP || k == DOWN)};
    NEED(vkAllocateMemory(vk.dev, &room, NULL, &vk.memory[k]));
    VkBindBufferMemoryInfo bind = {VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO, NULL, vk.buf[k], vk.memory[k], 0};
    if (form("bind", "1|2"))
        NEED(CALL(BindBufferMemory2)(vk.dev, 1, &bind));
    else
        NEED(vkBindBufferMemory(vk.dev, vk.buf[k], vk.memory[k], 0));
    VkBufferDeviceAddressInfo which = {VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, NULL, vk.buf[k]};
    if (k <= DST)
        vk.address[k] = CALL(GetBufferDeviceAddress)(vk.dev, &which);
}

static uint32_t *map(int k)
{
    void *p = NULL;
    VkMemoryMapInfoKHR info = {.sType = (VkStructureType)1000271000, .memory = vk.memory[k], .size = VK_WHOLE_SIZE};
    if (form("map", "1|2"))
        return NEED(((PFN_vkMapMemory2KHR)find("vkMapMemory2", true))(vk.dev, &info, &p)), p;
    NEED(vkMapMemory(vk.dev, vk.memory[k], 0, VK_WHOLE_SIZE, 0, &p));
    return p;
}

static VkMappedMemoryRange all_of(int k)
{
    return (VkMappedMemoryRange){VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE, NULL, vk.memory[k], 0, VK_WHOLE_SIZE};
}

static void fill_inputs(void)
{
    uint32_t *up = map(UP);
    for (uint32_t i = 0; i < N; i++) {
        up[i] = 1000 + i;
        up[N + i] = 5 * i + 1;
    }
    VkMappedMemoryRange range = all_of(UP);
    NEED(vkFlushMappedMemoryRanges(vk.dev, 1, &range));
    vkUnmapMemory(vk.dev, vk.memory[UP]);
}

static void make_pipeline(const char *folder, int how)
{
    static uint32_t words[4096];
    char path[400];
    snprintf(path, sizeof path, "%s/%s.spv", folder, how == 4 ? "addresses" : "bound");
    FILE *f = fopen(path, "rb");
    size_t bytes = f ? fread(words, 1, sizeof words, f) : 0;
    VkDescriptorSetLayoutBinding bindings[3];
    VkShaderModule module;
    if (!bytes)
        perror(path), exit(1);
    fclose(f);
    for (uint32_t i = 0; i < 3; i++)
        bindings[i] =
            (VkDescriptorSetLayoutBinding){i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    VkDescriptorSetLayoutCreateInfo sets = {
        VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL,
        how == 2 || how == 3 ? VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR : 0, 3, bindings};
    VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, how == 4 ? 32 : 8};
    NEED(vkCreateDescriptorSetLayout(vk.dev, &sets, NULL, &vk.sets));
    VkPipelineLayoutCreateInfo layout = {
        VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, how != 4, &vk.sets, 1, &range};
    NEED(vkCreatePipelineLayout(vk.dev, &layout, NULL, &vk.layout));
    VkShaderModuleCreateInfo code = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, NULL, 0, bytes, words};
    NEED(vkCreateShaderModule(vk.dev, &code, NULL, &module));
    VkComputePipelineCreateInfo info = {VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                        .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                  .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module,
                                                  .pName = "main"},
                                        .layout = vk.layout};
    NEED(vkCreateComputePipelines(vk.dev, VK_NULL_HANDLE, 1, &info, NULL, &vk.pipeline));
    vkDestroyShaderModule(vk.dev, module, NULL);
}

static void write_set(int how, VkWriteDescriptorSet *writes, VkDescriptorBufferInfo *infos)
{
    VkDescriptorUpdateTemplateEntry entries[3];
    for (uint32_t i = 0; i < 3; i++) {
        infos[i] = (VkDescriptorBufferInfo){vk.buf[i], 0, VK_WHOLE_SIZE};
        entries[i] = (VkDescriptorUpdateTemplateEntry){
            i, 0, 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, i * sizeof *infos, sizeof *infos};
        writes[i] =
            (VkWriteDescriptorSet){VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstBinding = i, .descriptorCount = 1,
                                   .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .pBufferInfo = &infos[i]};
    }
    if (how < 2) {
        VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 3};
        VkDescriptorPoolCreateInfo room = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, 1, 1, &size};
        NEED(vkCreateDescriptorPool(vk.dev, &room, NULL, &vk.room));
        VkDescriptorSetAllocateInfo one = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, vk.room, 1, &vk.sets};
        NEED(vkAllocateDescriptorSets(vk.dev, &one, &vk.set));
    }
    VkDescriptorUpdateTemplateCreateInfo info = {VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
                                                 NULL,
                                                 0,
                                                 3,
                                                 entries,
                                                 how == 3 ? VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_PUSH_DESCRIPTORS_KHR
                                                          : VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET,
                                                 vk.sets,
                                                 VK_PIPELINE_BIND_POINT_COMPUTE,
                                                 vk.layout,
                                                 0};
    if (how == 1 || how == 3)
        NEED(CALL(CreateDescriptorUpdateTemplate)(vk.dev, &info, NULL, &vk.template));
    for (uint32_t i = 0; i < 3; i++)
        writes[i].dstSet = vk.set;
    if (!how)
        vkUpdateDescriptorSets(vk.dev, 3, writes, 0, NULL);
    if (how == 1)
        CALL(UpdateDescriptorSetWithTemplate)(vk.dev, vk.set, vk.template, infos);
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static void order(VkCommandBuffer cmd, int which)
{
    const VkPipelineStageFlags all = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, host = all | VK_PIPELINE_STAGE_HOST_BIT;
    VkMemoryBarrier one = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, VK_ACCESS_MEMORY_WRITE_BIT,
                           VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
    VkMemoryBarrier2 two = {VK_STRUCTURE_TYPE_MEMORY_BARRIER_2, NULL, all, one.srcAccessMask, all, one.dstAccessMask};
    VkDependencyInfo info = {VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &two};
    int how = which == 2 ? 0 : form("order", "barrier|barrier2|event|event2"); /* the host's is a barrier */
    if (how == 0) {
        vkCmdPipelineBarrier(cmd, all, which == 2 ? host : all, 0, 1, &one, 0, NULL, 0, NULL);
    } else if (how == 1) {
        CALL(CmdPipelineBarrier2)(cmd, &info);
    } else if (how == 2) {
        vkCmdSetEvent(cmd, vk.event[which], all);
        vkCmdWaitEvents(cmd, 1, &vk.event[which], all, all, 1, &one, 0, NULL, 0, NULL);
    } else {
        CALL(CmdSetEvent2)(cmd, vk.event[which], &info);
        CALL(CmdWaitEvents2)(cmd, 1, &vk.event[which], &info);
    }
}

static void upload(VkCommandBuffer cmd, const uint32_t *values)
{
    const uint32_t grid[3] = {(N + 63) / 64, 1, 1};
    int how = form("upload", "copy|copy2|update");
    vkCmdFillBuffer(cmd, vk.buf[DST], 0, BYTES, 0xCA5CA5CA);
    vkCmdUpdateBuffer(cmd, vk.buf[GRID], 16, sizeof grid, grid);
    for (int k = A; k <= B; k++) {
        VkBufferCopy one = {(VkDeviceSize)k * BYTES, 0, BYTES};
        VkBufferCopy2 two = {VK_STRUCTURE_TYPE_BUFFER_COPY_2, NULL, one.srcOffset, 0, BYTES};
        VkCopyBufferInfo2 info = {VK_STRUCTURE_TYPE_COPY_BUFFER_INFO_2, NULL, vk.buf[UP], vk.buf[k], 1, &two};
        if (how == 0)
            vkCmdCopyBuffer(cmd, vk.buf[UP], vk.buf[k], 1, &one);
        else if (how == 1)
            CALL(CmdCopyBuffer2)(cmd, &info);
        else
            vkCmdUpdateBuffer(cmd, vk.buf[k], 0, BYTES, values + k * N);
    }
}

static void run(VkCommandBuffer cmd, int how, const VkWriteDescriptorSet *writes, const VkDescriptorBufferInfo *infos)
{
    struct {
        uint32_t n, plus;
        VkDeviceAddress address[3];
    } args = {N, PLUS, {vk.address[0], vk.address[1], vk.address[2]}};
    vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, vk.pipeline);
    vkCmdPushConstants(cmd, vk.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, how == 4 ? 32 : 8, &args);
    if (how < 2)
        vkCmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, vk.layout, 0, 1, &vk.set, 0, NULL);
    if (how == 2)
        CALL_KHR(CmdPushDescriptorSet)(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, vk.layout, 0, 3, writes);
    if (how == 3)
        CALL_KHR(CmdPushDescriptorSetWithTemplate)(cmd, vk.template, vk.layout, 0, infos);
    int grid = form("run", "dispatch|base|indirect");
    if (grid == 0)
        vkCmdDispatch(cmd, (N + 63) / 64, 1, 1);
    else if (grid == 1)
        CALL(CmdDispatchBase)(cmd, 0, 0, 0, (N + 63) / 64, 1, 1);
    else
        vkCmdDispatchIndirect(cmd, vk.buf[GRID], 16);
}

static void download(VkCommandBuffer cmd)
{
    VkBufferCopy one = {0, 0, BYTES};
    VkBufferCopy2 two = {VK_STRUCTURE_TYPE_BUFFER_COPY_2, NULL, 0, 0, BYTES};
    VkCopyBufferInfo2 info = {VK_STRUCTURE_TYPE_COPY_BUFFER_INFO_2, NULL, vk.buf[DST], vk.buf[DOWN], 1, &two};
    if (form("upload", "copy|copy2|update") == 1)
        CALL(CmdCopyBuffer2)(cmd, &info);
    else
        vkCmdCopyBuffer(cmd, vk.buf[DST], vk.buf[DOWN], 1, &one);
}

static VkCommandBuffer begin(VkCommandBufferLevel level)
{
    VkCommandBufferAllocateInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, vk.pool, level, 1};
    VkCommandBufferInheritanceInfo from = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO};
    VkCommandBufferBeginInfo how = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, NULL,
                                    VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT, &from};
    VkCommandBuffer cmd;
    NEED(vkAllocateCommandBuffers(vk.dev, &info, &cmd));
    NEED(vkBeginCommandBuffer(cmd, &how));
    return cmd;
}

/* What is recorded into cmd, or into one that cmd executes. */
static VkCommandBuffer inner(VkCommandBuffer cmd)
{
    return form("record", "once|secondary|again|twice") == 1 ? begin(VK_COMMAND_BUFFER_LEVEL_SECONDARY) : cmd;
}

static void leave(VkCommandBuffer in, VkCommandBuffer cmd)
{
    if (in != cmd) {
        NEED(vkEndCommandBuffer(in));
        vkCmdExecuteCommands(cmd, 1, &in);
    }
}

/* ---- submissions and waits --------------------------------------------------------------------------------------- */

struct signal {
    VkSemaphore semaphore;
    uint64_t value; /* of a timeline */
};

static void submit(VkQueue queue, VkCommandBuffer cmd, const struct signal *wait, const struct signal *then,
                   VkFence fence)
{
    const VkPipelineStageFlags all = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkTimelineSemaphoreSubmitInfo values = {VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                            NULL,
                                            wait != NULL,
                                            wait ? &wait->value : NULL,
                                            then != NULL,
                                            then ? &then->value : NULL};
    VkSubmitInfo one = {VK_STRUCTURE_TYPE_SUBMIT_INFO,
                        (wait && wait->value) || (then && then->value) ? &values : NULL,
                        wait != NULL,
                        wait ? &wait->semaphore : NULL,
                        &all,
                        1,
                        &cmd,
                        then != NULL,
                        then ? &then->semaphore : NULL};
    VkCommandBufferSubmitInfo what = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, NULL, cmd, 0};
    VkSemaphoreSubmitInfo w = {VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO, .stageMask = all}, t = w;
    VkSubmitInfo2 two = {VK_STRUCTURE_TYPE_SUBMIT_INFO_2, NULL, 0, wait != NULL, &w, 1, &what, then != NULL, &t};
    if (wait)
        w.semaphore = wait->semaphore, w.value = wait->value;
    if (then)
        t.semaphore = then->semaphore, t.value = then->value;
    if (form("submit", "1|2"))
        NEED(CALL(QueueSubmit2)(queue, 1, &two, fence));
    else
        NEED(vkQueueSubmit(queue, 1, &one, fence));
}

static VkSemaphore make_semaphore(bool timeline)
{
    VkSemaphoreTypeCreateInfo type = {VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO, NULL,
                                      timeline ? VK_SEMAPHORE_TYPE_TIMELINE : VK_SEMAPHORE_TYPE_BINARY, 0};
    VkSemaphoreCreateInfo info = {VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, &type, 0};
    VkSemaphore made;
    NEED(vkCreateSemaphore(vk.dev, &info, NULL, &made));
    return made;
}

static bool is_over(int how, VkFence fence, struct signal end)
{
    const uint64_t limit = 10000000000u;
    VkSemaphoreWaitInfo info = {VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, NULL, 0, 1, &end.semaphore, &end.value};
    uint64_t value = 0;
    switch (how) {
    case 0:
        NEED(vkWaitForFences(vk.dev, 1, &fence, VK_TRUE, limit));
        return true;
    case 1:
        return vkGetFenceStatus(vk.dev, fence) != VK_NOT_READY;
    case 2:
        NEED(vkDeviceWaitIdle(vk.dev));
        return true;
    case 3:
        NEED(vkQueueWaitIdle(vk.queue[0]));
        NEED(vkQueueWaitIdle(vk.queue[1]));
        return true;
    case 4:
        NEED(CALL(WaitSemaphores)(vk.dev, &info, limit));
        return true;
    case 5:
        NEED(CALL(GetSemaphoreCounterValue)(vk.dev, end.semaphore, &value));
        return value >= end.value;
    default:
        return vkGetEventStatus(vk.dev, vk.done) == VK_EVENT_SET;
    }
}

int main(int argc, char **argv)
{
    n_args = argc;
    args = argv;
    if (argc < 2)
        return fputs("usage: vk_forms FOLDER [STEP=FORM...]\n", stderr), 2;
    int how = form("args", "sets|template|push|push-template|addresses");
    int queues = form("queues", "1|binary|timeline"), record = form("record", "once|secondary|again|twice");
    int wait = form("wait", "fence|fence-status|idle|queue-idle|semaphore|counter|event");
    VkWriteDescriptorSet writes[3];
    VkDescriptorBufferInfo infos[3];
    static uint32_t values[2 * N];
    open_device();
    for (int k = 0; k < BUFFERS; k++)
        make_buffer(k);
    fill_inputs();
    for (uint32_t i = 0; i < N; i++)
        values[i] = 1000 + i, values[N + i] = 5 * i + 1;
    make_pipeline(argv[1], how);
    if (how < 4)
        write_set(how, writes, infos);
    VkEventCreateInfo plain = {VK_STRUCTURE_TYPE_EVENT_CREATE_INFO};
    NEED(vkCreateEvent(vk.dev, &plain, NULL, &vk.event[0]));
    NEED(vkCreateEvent(vk.dev, &plain, NULL, &vk.event[1]));
    NEED(vkCreateEvent(vk.dev, &plain, NULL, &vk.done));
    VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL, 0, vk.family};
    NEED(vkCreateCommandPool(vk.dev, &pool, NULL, &vk.pool));

    VkCommandBuffer first = begin(VK_COMMAND_BUFFER_LEVEL_PRIMARY), second = first, in;
    if (record == 2) { /* what was recorded before the pool was reset is gone */
        upload(first, values);
        NEED(vkEndCommandBuffer(first));
        NEED(vkResetCommandPool(vk.dev, vk.pool, 0));
        first = second = begin(VK_COMMAND_BUFFER_LEVEL_PRIMARY);
    }
    in = inner(first);
    upload(in, values);
    leave(in, first);
    if (queues) {
        order(first, 0);
        NEED(vkEndCommandBuffer(first));
        second = begin(VK_COMMAND_BUFFER_LEVEL_PRIMARY);
    }
    in = inner(second);
    if (!queues)
        order(in, 0);
    run(in, how, writes, infos);
    order(in, 1);
    download(in);
    leave(in, second);
    order(second, 2);
    if (wait == 6)
        vkCmdSetEvent(second, vk.done, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);
    NEED(vkEndCommandBuffer(second));

    VkFence fence;
    VkFenceCreateInfo unsignalled = {VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    NEED(vkCreateFence(vk.dev, &unsignalled, NULL, &fence));
    struct signal between = {queues ? make_semaphore(queues == 2) : VK_NULL_HANDLE, queues == 2 ? 3 : 0};
    struct signal end = {wait == 4 || wait == 5 ? make_semaphore(true) : VK_NULL_HANDLE, 5};
    if (queues)
        submit(vk.queue[0], first, NULL, &between, VK_NULL_HANDLE);
    if (record == 3)
        submit(vk.queue[1], second, NULL, NULL, VK_NULL_HANDLE);
    submit(vk.queue[1], second, queues ? &between : NULL, end.semaphore ? &end : NULL, fence);
    struct timespec nap = {0, 1000000};
    int naps = 0;
    while (!is_over(wait, fence, end)) {
        if (++naps == 10000)
            return fputs("vk_forms: does not end\n", stderr), 1;
        nanosleep(&nap, NULL);
    }

    uint32_t *down = map(DOWN);
    VkMappedMemoryRange range = all_of(DOWN);
    NEED(vkInvalidateMappedMemoryRanges(vk.dev, 1, &range));
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < N; i++)
        wrong += down[i] != 1000 + i + 3 * (5 * i + 1) + PLUS;
    vkUnmapMemory(vk.dev, vk.memory[DOWN]);
    if (wrong)
        printf("wrong: %u of %d\n", wrong, N);
    else
        puts("right");
    NEED(vkDeviceWaitIdle(vk.dev));
    vkDestroyFence(vk.dev, fence, NULL);
    vkDestroySemaphore(vk.dev, between.semaphore, NULL);
    vkDestroySemaphore(vk.dev, end.semaphore, NULL);
    vkDestroyCommandPool(vk.dev, vk.pool, NULL);
    vkDestroyPipeline(vk.dev, vk.pipeline, NULL);
    vkDestroyPipelineLayout(vk.dev, vk.layout, NULL);
    vkDestroyDescriptorPool(vk.dev, vk.room, NULL);
    vkDestroyDescriptorSetLayout(vk.dev, vk.sets, NULL);
    if (vk.template)
        CALL(DestroyDescriptorUpdateTemplate)(vk.dev, vk.template, NULL);
    vkDestroyEvent(vk.dev, vk.event[0], NULL);
    vkDestroyEvent(vk.dev, vk.event[1], NULL);
    vkDestroyEvent(vk.dev, vk.done, NULL);
    for (int k = 0; k < BUFFERS; k++) {
        vkDestroyBuffer(vk.dev, vk.buf[k], NULL);
        vkFreeMemory(vk.dev, vk.memory[k], NULL);
    }
    vkDestroyDevice(vk.dev, NULL);
    vkDestroyInstance(vk.instance, NULL);
    return wrong != 0;
}
