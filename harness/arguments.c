/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The experiment for processes that died in a kernel: two small ones, in a new process, that stay within their memory
 * whatever they are given. The first has buffers only, the second takes scalars. Which of them dies as well says which
 * arguments are at fault; of the scalars also what came of them.
 */
#include "point.h"
#include <string.h>

static bool run_one(struct lad_point *p, const char *name, struct lad_bind *binds, const void *scalars)
{
    struct lad_kernel_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.source = lad_kernel_find(name);
    desc.local[0] = desc.local[1] = desc.local[2] = 1;
    struct lad_dispatch d = {.groups = {1, 1, 1}, .binds = binds, .scalars = scalars};
    d.kernel = lad_gpu_kernel(p->gpu, &desc);
    return d.kernel && lad_gpu_dispatch(p->gpu, &d) && lad_gpu_wait(p->gpu);
}

bool lad_point_arguments(struct lad_point *p)
{
    struct lad_buf_desc desc = {.bytes = 65536};
    struct lad_buf *a = lad_gpu_buf(p->gpu, &desc), *b = a ? lad_gpu_buf(p->gpu, &desc) : NULL;
    struct {
        float f;
        uint32_t u;
        int32_t s;
        float g;
        uint32_t n, slot, nonce;
    } scalars = {1.5f, 0x12345678u, -7, -0.25f, 1, 0, 1};
    uint32_t words[4], got[4] = {0}, none[2] = {0};
    struct lad_bind both[] = {{a, 0, 0}, {b, 0, 0}}, second[] = {{b, 0, 0}};
    lad_canary_fill(LAD_CANARY_INPUT, words, sizeof words, 0);
    bool ok = b && lad_gpu_plant(p->gpu, a, 0, words, sizeof words) &&
              lad_gpu_plant(p->gpu, b, 0, words, sizeof words) && run_one(p, "plain", both, none) &&
              lad_gpu_read(p->gpu, b, 0, got, sizeof got);
    if (ok)
        lad_observe(p->arena, p->r, got[0] == words[0] + 1 ? LAD_OBS_ARGS_BUFFERS : LAD_OBS_ARGS_BUFFERS_WRONG, NULL,
                    0);
    ok = ok && lad_gpu_plant(p->gpu, b, 0, words, sizeof words) && run_one(p, "scalars-mixed", second, &scalars) &&
         lad_gpu_read(p->gpu, b, 0, got, sizeof got);
    if (ok)
        lad_observe(p->arena, p->r,
                    memcmp(got, &scalars, sizeof got) ? LAD_OBS_ARGS_SCALARS_WRONG : LAD_OBS_ARGS_SCALARS, NULL, 0);
    lad_gpu_free(p->gpu, a);
    lad_gpu_free(p->gpu, b);
    if (!ok)
        return lad_point_api_failed(p, "trying arguments");
    lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.arguments", "the arguments were looked at");
    return true;
}

/* Seen through a mapping, it takes no second command to look at it. */
void lad_point_first_fill(struct lad_point *p)
{
    const uint32_t word = 0x11223344u;
    bool coherent = p->gpu->info.cap[LAD_CAP_MEM_COHERENT];
    struct lad_buf_desc desc = {.bytes = 4096, .mem = coherent ? LAD_MEM_COHERENT : LAD_MEM_MAPPED};
    struct lad_buf *buf = coherent || p->gpu->info.cap[LAD_CAP_MEM_MAPPED] ? lad_gpu_buf(p->gpu, &desc) : NULL;
    uint32_t *map = buf ? lad_gpu_map(p->gpu, buf, true) : NULL;
    if (map) {
        map[0] = ~word;
        map = lad_gpu_unmap(p->gpu, buf) && lad_gpu_fill(p->gpu, buf, 0, 4, word) && lad_gpu_wait(p->gpu)
                  ? lad_gpu_map(p->gpu, buf, false)
                  : NULL;
    }
    if (map)
        lad_observe(p->arena, p->r, map[0] == word ? LAD_OBS_FIRST_LANDED : LAD_OBS_FIRST_LOST, NULL, 0);
    if (map)
        lad_gpu_unmap(p->gpu, buf);
    lad_gpu_free(p->gpu, buf);
}
