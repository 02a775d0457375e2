/* SPDX-License-Identifier: Apache-2.0 */
/* Failures by their names, and the queue of what layers say. Layers may speak from any thread at any time; the harness
 * listens from one. */
#include "vk.h"
#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define LAD_VK_RESULTS(X)                                                                                              \
    X(SUCCESS) X(NOT_READY) X(TIMEOUT) X(INCOMPLETE) X(ERROR_OUT_OF_HOST_MEMORY) X(ERROR_OUT_OF_DEVICE_MEMORY)         \
    X(ERROR_INITIALIZATION_FAILED) X(ERROR_DEVICE_LOST) X(ERROR_MEMORY_MAP_FAILED) X(ERROR_LAYER_NOT_PRESENT)          \
    X(ERROR_EXTENSION_NOT_PRESENT) X(ERROR_FEATURE_NOT_PRESENT) X(ERROR_INCOMPATIBLE_DRIVER)                           \
    X(ERROR_TOO_MANY_OBJECTS) X(ERROR_FRAGMENTED_POOL) X(ERROR_UNKNOWN) X(ERROR_OUT_OF_POOL_MEMORY)                    \
    X(ERROR_INVALID_EXTERNAL_HANDLE) X(ERROR_FRAGMENTATION) X(ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS)                    \
    X(ERROR_VALIDATION_FAILED_EXT) X(ERROR_INVALID_SHADER_NV) X(PIPELINE_COMPILE_REQUIRED)
/* clang-format on */

static const char *name_result(VkResult result)
{
#define LAD_VK_CASE(name)                                                                                              \
    case VK_##name:                                                                                                    \
        return "VK_" #name;
    switch (result) {
        LAD_VK_RESULTS(LAD_VK_CASE)
    default:
        return NULL;
    }
}

bool lad_vk_fail(struct lad_fail *fail, const char *call, VkResult result)
{
    const char *name = name_result(result);
    *fail =
        (struct lad_fail){.native = result, .lost = result == VK_ERROR_DEVICE_LOST, .timeout = result == VK_TIMEOUT};
    snprintf(fail->call, sizeof fail->call, "%s", call);
    if (name)
        snprintf(fail->code, sizeof fail->code, "%s", name);
    else
        snprintf(fail->code, sizeof fail->code, "VkResult %d", (int)result);
    return false;
}

bool lad_vk_refuse(struct lad_fail *fail, const char *call, const char *format, ...)
{
    va_list ap;
    *fail = (struct lad_fail){.unsupported = true};
    snprintf(fail->call, sizeof fail->call, "%s", call);
    va_start(ap, format);
    vsnprintf(fail->text, sizeof fail->text, format, ap);
    va_end(ap);
    return false;
}

bool lad_vk_gone(const struct lad_dev *dev, struct lad_fail *fail)
{
    if (!dev->dead)
        return false;
    *fail = (struct lad_fail){.native = VK_ERROR_DEVICE_LOST, .lost = true};
    snprintf(fail->code, sizeof fail->code, "VK_ERROR_DEVICE_LOST");
    snprintf(fail->text, sizeof fail->text, "the device was lost, or did not finish in time, before this call");
    return true;
}

void *lad_vk_room(void *array, size_t n, size_t *room, size_t element_bytes)
{
    if (n < *room)
        return array;
    *room = *room ? *room * 2 : 8;
    array = realloc(array, *room * element_bytes);
    if (!array) {
        fputs("gpuladder: out of memory\n", stderr);
        abort();
    }
    return array;
}

/* A ring: a layer that never stops talking must not cost more memory than this. */
#define LAD_VK_HELD 64u
static struct {
    pthread_mutex_t lock;
    char *text[LAD_VK_HELD];
    size_t first, n, n_dropped;
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Handles differ from run to run; without them the same mistake always reads the same. */
static char *copy_without_handles(const char *id, const char *text)
{
    size_t room = strlen(id) + strlen(text) + 3;
    char *copy = malloc(room), *out = copy;
    if (!copy)
        return NULL;
    *copy = 0;
    if (*id && !strstr(text, id))
        out += snprintf(copy, room, "%s: ", id);
    while (*text) {
        if (text[0] == '0' && text[1] == 'x' && isxdigit((unsigned char)text[2])) {
            *out++ = '0';
            *out++ = 'x';
            for (text += 2; isxdigit((unsigned char)*text); text++)
                ;
        } else {
            *out++ = *text++;
        }
    }
    *out = 0;
    return copy;
}

static VKAPI_ATTR VkBool32 VKAPI_CALL hear(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                           VkDebugUtilsMessageTypeFlagsEXT types,
                                           const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    char *text = copy_without_handles(data->pMessageIdName ? data->pMessageIdName : "",
                                      data->pMessage ? data->pMessage : "(a message without text)");
    (void)severity;
    (void)types;
    (void)user;
    pthread_mutex_lock(&said.lock);
    if (text && said.n < LAD_VK_HELD) {
        said.text[(said.first + said.n++) % LAD_VK_HELD] = text;
    } else {
        free(text);
        said.n_dropped++;
    }
    pthread_mutex_unlock(&said.lock);
    return VK_FALSE;
}

/* Without GENERAL: that is where the loader chats. */
const VkDebugUtilsMessengerCreateInfoEXT lad_vk_messenger = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
    .pfnUserCallback = hear,
};

const char *lad_vk_message(struct lad_dev *dev)
{
    static char *given;
    static char dropped[64];
    const char *text = NULL;
    (void)dev;
    pthread_mutex_lock(&said.lock);
    free(given);
    given = NULL;
    if (said.n) {
        text = given = said.text[said.first];
        said.first = (said.first + 1) % LAD_VK_HELD;
        said.n--;
    } else if (said.n_dropped) {
        snprintf(dropped, sizeof dropped, "and %zu messages more", said.n_dropped);
        said.n_dropped = 0;
        text = dropped;
    }
    pthread_mutex_unlock(&said.lock);
    return text;
}

void lad_vk_name(struct lad_dev *dev, VkObjectType type, uint64_t handle, const char *name)
{
    VkDebugUtilsObjectNameInfoEXT info = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                          .objectType = type,
                                          .objectHandle = handle,
                                          .pObjectName = name};
    if (lad_vk.debug && lad_vk.fn.vkSetDebugUtilsObjectNameEXT)
        lad_vk.fn.vkSetDebugUtilsObjectNameEXT(dev->handle, &info);
}
