/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VK_LAYER_GPULADDER_fault: a Vulkan layer with the faults of faults.def that reach a driver, for any program.
 * GPULADDER_FAULT=CAUSE.name[:key=number,...][;...] switches faults on, GPULADDER_MODE=shadow,reorder makes it a driver
 * that is hostile within the specification: mappings are private copies that only flush and invalidate move (but for
 * one more type of memory, which is coherent), and commands without a barrier between them run in reverse. Other modes:
 * discrete hides the device's own memory from the host, as on a card of its own; queues shows a second queue where
 * there is one; keep frees no buffer and no memory. Fences and semaphores always signal. Counts start anew at each
 * device.
 */
#include "vk_layer.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct layer layer;
static struct instance instances[MOST];
static struct device *devices[MOST];
static size_t n_instances, n_devices;
static pthread_mutex_t lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
    const char *faults = getenv("GPULADDER_FAULT"), *mode = getenv("GPULADDER_MODE");
    char why[400];
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &how);
    if (faults && !lad_inject_add_all(&layer.wanted, faults, why, sizeof why))
        fprintf(stderr, "gpuladder fault layer: %s\n", why);
    for (size_t i = 0; i < layer.wanted.n; i++) {
        const struct lad_fault *f = &lad_faults[layer.wanted.item[i].id];
        if (f->depth != LAD_DEPTH_VULKAN)
            continue;
        layer.never_coherent |= !strcmp(f->id, "A2") || !strcmp(f->id, "S2") || !strcmp(f->name, "vk_stale_layer");
        layer.reorder |= !strcmp(f->id, "S3") && strcmp(f->name, "vk_copies_first");
        layer.queues |= !strcmp(f->id, "S4");
        layer.discrete |= !strcmp(f->id, "U3") || !strcmp(f->name, "vk_staging_reused");
    }
    layer.shadow = layer.never_coherent || (mode && strstr(mode, "shadow"));
    layer.reorder |= mode && strstr(mode, "reorder");
    layer.alone = getenv("VK_LOADER_LAYERS_DISABLE");
    layer.discrete |= mode && strstr(mode, "discrete");
    layer.queues |= mode && strstr(mode, "queues");
    layer.keep = mode && strstr(mode, "keep");
}

static void *key_of(const void *handle)
{
    return *(void *const *)handle;
}

struct instance *layer_instance(const void *handle)
{
    for (size_t i = 0; i < n_instances; i++)
        if (instances[i].key == key_of(handle))
            return &instances[i];
    return NULL;
}

struct device *layer_enter(const void *handle)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_devices; i++)
        if (devices[i]->key == key_of(handle))
            return devices[i];
    fprintf(stderr, "gpuladder fault layer: a call for a device that it does not know\n");
    abort();
}

void layer_leave(void)
{
    pthread_mutex_unlock(&lock);
}

void *layer_grow(void *array, size_t n, size_t *room, size_t bytes)
{
    if (n < *room)
        return array;
    *room = *room ? 2 * *room : 16;
    array = realloc(array, *room * bytes);
    if (!array)
        abort();
    return array;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_EnumeratePhysicalDevices(VkInstance instance, uint32_t *n, VkPhysicalDevice *list)
{
    struct instance *in = layer_instance(instance);
    uint32_t room = *n;
    if (layer.alone || !lad_inject_on(&layer.wanted, LAD_FAULT_E1_vk_hidden_device))
        return in->EnumeratePhysicalDevices(instance, n, list);
    VkPhysicalDevice all[MOST];
    uint32_t have = MOST;
    VkResult result = in->EnumeratePhysicalDevices(instance, &have, all);
    have -= have > 0;
    *n = list && room < have ? room : have;
    if (list)
        memcpy(list, all, *n * sizeof *list);
    return result == VK_SUCCESS && list && room < have ? VK_INCOMPLETE : result;
}

VKAPI_ATTR VkResult VKAPI_CALL layer_EnumeratePhysicalDeviceGroups(VkInstance instance, uint32_t *n,
                                                                   VkPhysicalDeviceGroupProperties *list)
{
    struct instance *in = layer_instance(instance);
    uint32_t room = *n, have = 0;
    if (layer.alone || !lad_inject_on(&layer.wanted, LAD_FAULT_E1_vk_hidden_device))
        return in->EnumeratePhysicalDeviceGroups(instance, n, list);
    VkResult result = in->EnumeratePhysicalDeviceGroups(instance, &have, NULL);
    have -= have > 0; /* the group of the last device */
    *n = list && room < have ? room : have;
    if (list && *n && result == VK_SUCCESS)
        result = in->EnumeratePhysicalDeviceGroups(instance, n, list);
    return result == VK_INCOMPLETE && room >= have ? VK_SUCCESS : result;
}

static PFN_vkVoidFunction find_hook(const char *name);

/* The loader's chain of layers: this layer's link, of the type asked for. */
#define LINK(info, type)                                                                                               \
    __extension__({                                                                                                    \
        type *lad_link = (type *)(uintptr_t)(info)->pNext;                                                             \
        while (lad_link && !((int)lad_link->sType == link_type && lad_link->function == VK_LAYER_LINK_INFO))           \
            lad_link = (type *)(uintptr_t)lad_link->pNext;                                                             \
        lad_link;                                                                                                      \
    })

static VKAPI_ATTR VkResult VKAPI_CALL layer_CreateInstance(const VkInstanceCreateInfo *info,
                                                           const VkAllocationCallbacks *cb, VkInstance *instance)
{
    const int link_type = VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO;
    VkLayerInstanceCreateInfo *link = LINK(info, VkLayerInstanceCreateInfo);
    pthread_once(&once, read_environment);
    if (!link)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr get = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(VK_NULL_HANDLE, "vkCreateInstance");
    VkResult result = create ? create(info, cb, instance) : VK_ERROR_INITIALIZATION_FAILED;
    if (result != VK_SUCCESS)
        return result;
    pthread_mutex_lock(&lock);
    if (n_instances == MOST)
        abort();
    struct instance *in = &instances[n_instances++];
    *in = (struct instance){.key = key_of(*instance), .get = get};
#define INSTANCE(name) in->name = (PFN_vk##name)get(*instance, "vk" #name);
#define INSTANCE_ALIAS(name, of) in->of = in->of ? in->of : (PFN_vk##of)get(*instance, "vk" #name);
#include "vk_calls.def"
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL layer_DestroyInstance(VkInstance instance, const VkAllocationCallbacks *cb)
{
    if (!instance)
        return;
    pthread_mutex_lock(&lock);
    struct instance *in = layer_instance(instance);
    PFN_vkDestroyInstance destroy = in->DestroyInstance;
    *in = instances[--n_instances];
    pthread_mutex_unlock(&lock);
    destroy(instance, cb);
}

VKAPI_ATTR VkResult VKAPI_CALL layer_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                  const VkAllocationCallbacks *cb, VkDevice *device)
{
    const int link_type = VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO;
    VkLayerDeviceCreateInfo *link = LINK(info, VkLayerDeviceCreateInfo);
    struct instance *in = layer_instance(physical);
    if (!link || !in)
        return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetDeviceProcAddr get = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    VkDeviceCreateInfo real = *info;
    VkDeviceQueueCreateInfo queue[MOST];
    uint32_t n_queues[MOST] = {0};
    layer_real_queues(in, physical, &real, queue, n_queues);
    VkResult result = in->CreateDevice(physical, &real, cb, device);
    if (result != VK_SUCCESS)
        return result;
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    *d = (struct device){.key = key_of(*device), .handle = *device, .get = get, .set = layer.wanted};
    lad_inject_reset(&d->set);
#define HOOK(name) d->name = (PFN_vk##name)get(*device, "vk" #name);
#define ALIAS(name, of) d->of = d->of ? d->of : (PFN_vk##of)get(*device, "vk" #name);
#include "vk_calls.def"
    memcpy(d->n_queues, n_queues, sizeof n_queues);
    layer_see_types(d, in, physical);
    pthread_mutex_lock(&lock);
    if (n_devices == MOST)
        abort();
    devices[n_devices++] = d;
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL layer_DestroyDevice(VkDevice device, const VkAllocationCallbacks *cb)
{
    if (!device)
        return;
    struct device *d = layer_enter(device);
    layer_settle(d);
    for (size_t i = 0; i < n_devices; i++)
        if (devices[i] == d)
            devices[i] = devices[--n_devices];
    layer_drop_maps(d);
    layer_free_own(d);
    for (size_t i = 0; i < d->n_cmds; i++) {
        layer_forget(d->cmd[i]);
        free(d->cmd[i]->held);
        free(d->cmd[i]);
    }
    for (size_t i = 0; i < d->n_templates; i++)
        free(d->template[i].entry);
    free(d->template);
    for (size_t i = 0; i < d->n_specs; i++) {
        free((void *)(uintptr_t)d->spec[i].info.pMapEntries);
        free((void *)(uintptr_t)d->spec[i].info.pData);
    }
    for (size_t i = 0; i < d->n_stale; i++)
        free(d->stale[i].word);
    layer_leave();
    d->DestroyDevice(device, cb);
    free(d->map);
    free(d->memory);
    free(d->buffer);
    free(d->bound);
    free(d->cmd);
    free(d);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL layer_GetDeviceProcAddr(VkDevice device, const char *name)
{
    pthread_mutex_lock(&lock);
    struct device *d = NULL;
    for (size_t i = 0; i < n_devices; i++)
        if (devices[i]->key == key_of(device))
            d = devices[i];
    pthread_mutex_unlock(&lock);
    PFN_vkVoidFunction below = d ? d->get(device, name) : NULL, own = find_hook(name);
    return own && below ? own : below; /* what the driver lacks stays absent */
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL layer_GetInstanceProcAddr(VkInstance instance, const char *name)
{
    PFN_vkVoidFunction own = find_hook(name);
    if (own)
        return own;
    struct instance *in = instance ? layer_instance(instance) : NULL;
    return in ? in->get(instance, name) : NULL;
}

static PFN_vkVoidFunction find_hook(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction hook;
    } hooks[] = {
#define HOOK(name) {"vk" #name, (PFN_vkVoidFunction)layer_##name},
#define ALIAS(name, of) {"vk" #name, (PFN_vkVoidFunction)layer_##of},
#define INSTANCE(name) HOOK(name)
#define INSTANCE_ALIAS(name, of) ALIAS(name, of)
        HOOK(GetInstanceProcAddr) HOOK(GetDeviceProcAddr) HOOK(CreateInstance)
#include "vk_calls.def"
    };
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
        if (!strcmp(hooks[i].name, name))
            return hooks[i].hook;
    return NULL;
}

EXPORT uint64_t gpuladder_faults_struck(void);
EXPORT uint64_t gpuladder_faults_struck(void)
{
    return lad_inject_struck();
}

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *v);
EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *v)
{
    pthread_once(&once, read_environment);
    if (v->loaderLayerInterfaceVersion < 2)
        return VK_ERROR_INITIALIZATION_FAILED;
    v->loaderLayerInterfaceVersion = 2;
    v->pfnGetInstanceProcAddr = layer_GetInstanceProcAddr;
    v->pfnGetDeviceProcAddr = layer_GetDeviceProcAddr;
    v->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
