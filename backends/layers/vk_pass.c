/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that nothing is done to, but that other commands or submissions must not pass. */
#include "vk_layer.h"

/* Commands that order what stands around them: what waits is issued ahead of them. */
#define BEHIND_ALL(name, params, args)                                                                                 \
    VKAPI_ATTR void VKAPI_CALL layer_##name params                                                                     \
    {                                                                                                                  \
        struct device *d = layer_enter(handle);                                                                        \
        layer_flush(d, layer_cmd(d, handle));                                                                          \
        d->name args;                                                                                                  \
        layer_leave();                                                                                                 \
    }
BEHIND_ALL(CmdExecuteCommands, (VkCommandBuffer handle, uint32_t n, const VkCommandBuffer *inner), (handle, n, inner))
BEHIND_ALL(CmdWriteTimestamp, (VkCommandBuffer handle, VkPipelineStageFlagBits stage, VkQueryPool pool, uint32_t query),
           (handle, stage, pool, query))
BEHIND_ALL(CmdWriteTimestamp2, (VkCommandBuffer handle, VkPipelineStageFlags2 stage, VkQueryPool pool, uint32_t query),
           (handle, stage, pool, query))
BEHIND_ALL(CmdBeginQuery, (VkCommandBuffer handle, VkQueryPool pool, uint32_t query, VkQueryControlFlags flags),
           (handle, pool, query, flags))
BEHIND_ALL(CmdEndQuery, (VkCommandBuffer handle, VkQueryPool pool, uint32_t query), (handle, pool, query))
BEHIND_ALL(CmdBeginQueryIndexedEXT,
           (VkCommandBuffer handle, VkQueryPool pool, uint32_t query, VkQueryControlFlags flags, uint32_t index),
           (handle, pool, query, flags, index))
BEHIND_ALL(CmdEndQueryIndexedEXT, (VkCommandBuffer handle, VkQueryPool pool, uint32_t query, uint32_t index),
           (handle, pool, query, index))
BEHIND_ALL(CmdBeginConditionalRenderingEXT, (VkCommandBuffer handle, const VkConditionalRenderingBeginInfoEXT *info),
           (handle, info))
BEHIND_ALL(CmdEndConditionalRenderingEXT, (VkCommandBuffer handle), (handle))
BEHIND_ALL(CmdBeginRenderPass, (VkCommandBuffer handle, const VkRenderPassBeginInfo *info, VkSubpassContents contents),
           (handle, info, contents))
BEHIND_ALL(CmdBeginRenderPass2,
           (VkCommandBuffer handle, const VkRenderPassBeginInfo *info, const VkSubpassBeginInfo *subpass),
           (handle, info, subpass))
BEHIND_ALL(CmdBeginRendering, (VkCommandBuffer handle, const VkRenderingInfo *info), (handle, info))

/* What these bind cannot be bound again later: from here on the command buffer is left as it is. */
#define BINDS(name, params, args)                                                                                      \
    VKAPI_ATTR void VKAPI_CALL layer_##name params                                                                     \
    {                                                                                                                  \
        struct device *d = layer_enter(handle);                                                                        \
        layer_estrange(d, layer_cmd(d, handle));                                                                       \
        d->name args;                                                                                                  \
        layer_leave();                                                                                                 \
    }
BINDS(CmdBindDescriptorBuffersEXT, (VkCommandBuffer handle, uint32_t n, const VkDescriptorBufferBindingInfoEXT *infos),
      (handle, n, infos))
BINDS(CmdSetDescriptorBufferOffsetsEXT,
      (VkCommandBuffer handle, VkPipelineBindPoint point, VkPipelineLayout layout, uint32_t first, uint32_t n,
       const uint32_t *buffers, const VkDeviceSize *offsets),
      (handle, point, layout, first, n, buffers, offsets))
BINDS(CmdBindDescriptorBufferEmbeddedSamplersEXT,
      (VkCommandBuffer handle, VkPipelineBindPoint point, VkPipelineLayout layout, uint32_t set),
      (handle, point, layout, set))

/* Work that is to come late may need what these take away, or is what they look at. */
#define SETTLED(type, name, params, args)                                                                              \
    VKAPI_ATTR type VKAPI_CALL layer_##name params                                                                     \
    {                                                                                                                  \
        struct device *d = layer_enter(handle);                                                                        \
        PFN_vk##name next = d->name;                                                                                   \
        layer_settle(d);                                                                                               \
        layer_leave(); /* some wait */                                                                                 \
        return next args;                                                                                              \
    }
#define DESTROYS(name, type)                                                                                           \
    SETTLED(void, name, (VkDevice handle, type it, const VkAllocationCallbacks *cb), (handle, it, cb))
DESTROYS(DestroyDescriptorPool, VkDescriptorPool)
DESTROYS(DestroyDescriptorSetLayout, VkDescriptorSetLayout)
DESTROYS(DestroyPipeline, VkPipeline)
DESTROYS(DestroyPipelineLayout, VkPipelineLayout)
DESTROYS(DestroyBufferView, VkBufferView)
DESTROYS(DestroyImage, VkImage)
DESTROYS(DestroyImageView, VkImageView)
DESTROYS(DestroySampler, VkSampler)
DESTROYS(DestroyEvent, VkEvent)
DESTROYS(DestroyQueryPool, VkQueryPool)
DESTROYS(DestroyCommandPool, VkCommandPool)
SETTLED(VkResult, FreeDescriptorSets, (VkDevice handle, VkDescriptorPool pool, uint32_t n, const VkDescriptorSet *sets),
        (handle, pool, n, sets))
SETTLED(VkResult, ResetCommandPool, (VkDevice handle, VkCommandPool pool, VkCommandPoolResetFlags flags),
        (handle, pool, flags))
SETTLED(VkResult, ResetCommandBuffer, (VkCommandBuffer handle, VkCommandBufferResetFlags flags), (handle, flags))
SETTLED(VkResult, GetEventStatus, (VkDevice handle, VkEvent event), (handle, event))
SETTLED(VkResult, GetQueryPoolResults,
        (VkDevice handle, VkQueryPool pool, uint32_t first, uint32_t n, size_t bytes, void *data, VkDeviceSize stride,
         VkQueryResultFlags flags),
        (handle, pool, first, n, bytes, data, stride, flags))
SETTLED(VkResult, QueueBindSparse, (VkQueue handle, uint32_t n, const VkBindSparseInfo *infos, VkFence fence),
        (handle, n, infos, fence))
SETTLED(VkResult, QueuePresentKHR, (VkQueue handle, const VkPresentInfoKHR *info), (handle, info))
