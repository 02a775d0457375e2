/* SPDX-License-Identifier: Apache-2.0 */
/* Device timestamps against the host's clock: they must advance, grow with the work, and fit between submit and wait.
 */
#include "../../kernels/witness.h"
#include "../harness.h"
#include <string.h>

#define ITEMS 4096u
#define REPEATS 64u

struct stamps {
    uint64_t span, host, raw[4];
    uint32_t n_raw;
};

static bool api_failed(struct lad_gpu *gpu, struct lad_arena *arena, struct lad_record *r)
{
    lad_record_set(arena, r,
                   gpu->fail.lost      ? LAD_STATUS_LOST
                   : gpu->fail.timeout ? LAD_STATUS_TIMEOUT
                                       : LAD_STATUS_ERROR,
                   "ladder.api", "%s says %s", gpu->fail.call, gpu->fail.code);
    return false;
}

static bool run_batch(struct lad_gpu *gpu, const struct lad_dispatch *d, uint32_t n, struct stamps *out)
{
    for (uint32_t i = 0; i < n; i++)
        if (!lad_gpu_dispatch(gpu, d) || !lad_gpu_barrier(gpu))
            return false;
    gpu->timed = true;
    bool ok = lad_gpu_wait(gpu);
    gpu->timed = false;
    if (!ok)
        return false;
    *out = (struct stamps){.span = gpu->times.device_ns, .host = gpu->times.host_ns, .n_raw = gpu->times.n_raw};
    memcpy(out->raw, gpu->times.raw, sizeof out->raw);
    return true;
}

static void judge(struct lad_arena *arena, struct lad_record *r, const struct stamps *one, const struct stamps *many)
{
    static const char type[] = "ladder.timestamps";
    const struct stamps *s[] = {one, many};
    for (int i = 0; i < 2; i++) {
        uint32_t last = s[i]->n_raw ? s[i]->n_raw - 1 : 0;
        lad_record_fact(arena, r, '+', "%s: stamps %llu to %llu, device time %llu ns, host's clock %llu ns",
                        i ? "64 dispatches" : "one dispatch", (unsigned long long)s[i]->raw[0],
                        (unsigned long long)s[i]->raw[last], (unsigned long long)s[i]->span,
                        (unsigned long long)s[i]->host);
        for (uint32_t k = 1; k < s[i]->n_raw; k++)
            if (s[i]->raw[k] < s[i]->raw[k - 1])
                lad_record_set(arena, r, LAD_STATUS_FAIL, type, "stamp %u lies before stamp %u of the same command", k,
                               k - 1);
        if (!s[i]->span)
            lad_record_set(arena, r, LAD_STATUS_FAIL, type, "device timestamps do not advance while work is done");
        if (s[i]->span > s[i]->host + s[i]->host / 10 + 50000)
            lad_record_set(arena, r, LAD_STATUS_FAIL, type, "device timestamps span %llu ns, the host saw only %llu ns",
                           (unsigned long long)s[i]->span, (unsigned long long)s[i]->host);
    }
    if (one->n_raw && !memcmp(one->raw, many->raw, sizeof one->raw))
        lad_record_set(arena, r, LAD_STATUS_FAIL, type, "two runs have the same stamps, %llu to %llu: they are made up",
                       (unsigned long long)one->raw[0], (unsigned long long)one->raw[one->n_raw - 1]);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    const struct lad_kernel_source *source = lad_kernel_find("vector-add");
    struct lad_kernel_desc desc;
    struct lad_buf *buf[3] = {NULL};
    struct lad_bind binds[3] = {{0}};
    struct lad_buf_desc bytes = {.bytes = ITEMS * 4};
    uint32_t scalars[3] = {ITEMS};
    struct stamps one, many;
    (void)c;
    memset(&desc, 0, sizeof desc);
    desc.source = source;
    desc.local[0] = 64;
    desc.local[1] = desc.local[2] = 1;
    struct lad_dispatch d = {.groups = {ITEMS / 64, 1, 1}, .binds = binds, .scalars = scalars};
    if (!gpu->info.cap[LAD_CAP_TIMESTAMPS]) {
        lad_record_set(arena, r, LAD_STATUS_SKIP, NULL, "needs timestamps: %s",
                       lad_cap_why(&gpu->info, LAD_CAP_TIMESTAMPS));
        return;
    }
    bool ok = (d.kernel = lad_gpu_kernel(gpu, &desc));
    for (int i = 0; ok && i < 3; i++)
        ok = (binds[i].buf = buf[i] = lad_gpu_buf(gpu, &bytes));
    ok = ok && run_batch(gpu, &d, 1, &one); /* compiles */
    if (ok && run_batch(gpu, &d, 1, &one) && run_batch(gpu, &d, REPEATS, &many))
        judge(arena, r, &one, &many);
    else
        api_failed(gpu, arena, r);
    if (r->status == LAD_STATUS_MISSING)
        r->status = LAD_STATUS_PASS;
    if (r->status != LAD_STATUS_TIMEOUT && r->status != LAD_STATUS_LOST)
        for (int i = 0; i < 3; i++)
            lad_gpu_free(gpu, buf[i]);
}

const struct lad_probe lad_probe_timestamps = {
    .name = "timestamps",
    .summary = "device timestamps advance, fit the host's clock and differ between runs",
    .run = run,
};
