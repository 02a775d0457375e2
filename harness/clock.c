/* SPDX-License-Identifier: Apache-2.0 */
/* What the device's own clock says where nothing that it writes is seen. */
#include "point.h"
#include <string.h>

/* A sign of life that does not come by way of memory: stamps of the device's clock around a batch, where the batch
 * itself writes them (an event has stamps without any work). Batches have them after the first wait that asks. */
bool lad_point_hear_clock(struct lad_point *p)
{
    bool ok = true;
    p->gpu->timed = true;
    for (int i = 0; ok && i < 2; i++)
        ok = lad_gpu_fill(p->gpu, p->marker, 12, 4, 0) && lad_gpu_wait(p->gpu);
    p->gpu->timed = false;
    return ok && p->gpu->times.device_ns && p->gpu->times.n_raw == 2;
}

/* The shortest of several times that a kernel without work takes the device with so many workgroups, by its own clock;
 * the grid is read from a buffer where there is one. 0: it does not say. */
static uint64_t time_grid(struct lad_point *p, uint32_t groups, struct lad_buf *grid)
{
    struct lad_kernel_desc desc;
    uint32_t scalars[3] = {0, 0, 1};
    uint64_t best = UINT64_MAX;
    memset(&desc, 0, sizeof desc);
    desc.source = lad_kernel_find("checksum");
    desc.local[0] = 64;
    desc.local[1] = desc.local[2] = 1;
    struct lad_bind binds[] = {{p->marker, 0, 0}, {p->marker, 0, 0}};
    struct lad_dispatch d = {
        .kernel = lad_gpu_kernel(p->gpu, &desc), .groups = {groups, 1, 1}, .binds = binds, .scalars = scalars};
    d.indirect = grid;
    bool ok = d.kernel;
    p->gpu->timed = true;
    for (int i = 0; ok && i < 6; i++) { /* the first may have no stamps */
        ok = lad_gpu_dispatch(p->gpu, &d) && lad_gpu_wait(p->gpu);
        best = i && ok && p->gpu->times.device_ns < best ? p->gpu->times.device_ns : best;
    }
    p->gpu->timed = false;
    return ok ? best : 0;
}

/* Where nothing comes back, does anything go there? The device fills a grid of one workgroup, the host writes one of
 * many over it: how long the device works then says which of them it sees. */
void lad_point_write_grid(struct lad_point *p)
{
    struct lad_buf_desc desc = {.bytes = 64};
    uint32_t many = 1024, words[3] = {0, 1, 1};
    if (p->gpu->drop || !p->gpu->info.cap[LAD_CAP_INDIRECT] || !p->gpu->backend->fill)
        return;
    uint64_t one = time_grid(p, 1, NULL), most = one ? time_grid(p, many, NULL) : 0;
    while (most && most < 16 * one && many < 32768)
        most = time_grid(p, many *= 2, NULL);
    if (!most || most < 16 * one)
        return;
    struct lad_buf *grid = lad_gpu_buf(p->gpu, &desc);
    words[0] = many;
    bool ok = grid && lad_gpu_fill(p->gpu, grid, 0, 64, 1) && lad_gpu_wait(p->gpu);
    double middle = (double)one * (double)most, few = ok ? (double)time_grid(p, 1, grid) : 0;
    ok = ok && few && few * few < middle && lad_gpu_plant(p->gpu, grid, 0, words, sizeof words);
    double took = ok ? (double)time_grid(p, 1, grid) : 0;
    if (took)
        lad_observe(p->arena, p->r, took * took < middle ? LAD_OBS_GRID_LOST : LAD_OBS_GRID_ARRIVED, NULL, 0);
    lad_gpu_free(p->gpu, grid);
}
