/* SPDX-License-Identifier: Apache-2.0 */
/* Rung 0: what the device says about itself. The case names one check by <param name="check">. */
#include "../harness.h"
#include <stdlib.h>
#include <string.h>

struct check {
    const char *name;
    void (*run)(const struct lad_gpu *, struct lad_arena *, struct lad_record *);
};

static void want_text(struct lad_arena *arena, struct lad_record *r, const char *what, const char *text)
{
    if (*text)
        lad_record_fact(arena, r, '+', "%s: %s", what, text);
    else
        lad_record_set(arena, r, LAD_STATUS_FAIL, "ladder.environment.identity", "the device does not say its %s",
                       what);
}

static void check_identity(const struct lad_gpu *gpu, struct lad_arena *arena, struct lad_record *r)
{
    want_text(arena, r, "name", gpu->info.name);
    want_text(arena, r, "driver", gpu->info.driver);
    want_text(arena, r, "API version", gpu->info.api);
    want_text(arena, r, "short model name", gpu->info.model);
}

static void want(const struct lad_gpu *gpu, struct lad_arena *arena, struct lad_record *r, enum lad_cap cap,
                 uint64_t min, uint64_t max)
{
    uint64_t has = gpu->info.cap[cap];
    if (has >= min && has <= max) {
        lad_record_fact(arena, r, '+', "%s: %llu %s", lad_cap_name(cap), (unsigned long long)has, lad_cap_unit(cap));
        return;
    }
    lad_record_fact(arena, r, '!', "%s: %llu %s, expected %llu to %llu", lad_cap_name(cap), (unsigned long long)has,
                    lad_cap_unit(cap), (unsigned long long)min, (unsigned long long)max);
    lad_record_set(arena, r, LAD_STATUS_FAIL, "ladder.environment.limit", "limit %s is %llu, expected %llu to %llu",
                   lad_cap_name(cap), (unsigned long long)has, (unsigned long long)min, (unsigned long long)max);
}

/* The smaller of what Vulkan 1.1 and OpenCL 1.2 promise. */
static void check_limits(const struct lad_gpu *gpu, struct lad_arena *arena, struct lad_record *r)
{
    want(gpu, arena, r, LAD_CAP_STORAGE_BUFFERS, 4, UINT64_MAX);
    want(gpu, arena, r, LAD_CAP_BUFFER_BYTES, 1u << 27, UINT64_MAX);
    want(gpu, arena, r, LAD_CAP_LOCAL_BYTES, 16384, UINT64_MAX);
    want(gpu, arena, r, LAD_CAP_SCALAR_BYTES, 128, UINT64_MAX);
    want(gpu, arena, r, LAD_CAP_GROUPS_X, 65535, UINT64_MAX);
    want(gpu, arena, r, LAD_CAP_OFFSET_ALIGN, 1, 4096);
    want(gpu, arena, r, LAD_CAP_ATOM_BYTES, 1, 4096);
}

static void check_workgroup(const struct lad_gpu *gpu, struct lad_arena *arena, struct lad_record *r)
{
    uint64_t size = gpu->info.cap[LAD_CAP_WORKGROUP_SIZE];
    want(gpu, arena, r, LAD_CAP_WORKGROUP_SIZE, 1, 1u << 20);
    for (int i = 0; i < 3; i++)
        want(gpu, arena, r, (enum lad_cap)(LAD_CAP_WORKGROUP_X + i), 1, UINT64_MAX);
    if (size && gpu->info.cap[LAD_CAP_SUBGROUP])
        want(gpu, arena, r, LAD_CAP_SUBGROUP, 1, 128);
}

static void check_memory(const struct lad_gpu *gpu, struct lad_arena *arena, struct lad_record *r)
{
    want(gpu, arena, r, LAD_CAP_MEMORY_BYTES, 1u << 20, 1ull << 50);
    want(gpu, arena, r, LAD_CAP_BUFFER_BYTES, 1,
         gpu->info.cap[LAD_CAP_MEMORY_BYTES] * 2); /* swap and sharing: not exact */
}

static const struct check checks[] = {
    {"identity", check_identity}, {"limits", check_limits}, {"workgroup", check_workgroup}, {"memory", check_memory}};

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct lad_gpu seen = *gpu;
    if (gpu->drop == LAD_DROP_INFO) {
        memset(&seen.info, 0, sizeof seen.info);
        gpu->n_dropped++;
    }
    for (size_t i = 0; i < LAD_N(checks); i++)
        if (c->n_params && !strcmp(checks[i].name, c->params[0].value.text)) {
            checks[i].run(&seen, arena, r);
            if (r->status == LAD_STATUS_MISSING)
                r->status = LAD_STATUS_PASS;
            return;
        }
    lad_record_set(arena, r, LAD_STATUS_ERROR, "ladder.case",
                   "%s:%d: <param name=\"check\">: expected identity, limits, workgroup or memory", c->file, c->line);
}

const struct lad_probe lad_probe_environment = {
    .name = "environment",
    .summary = "what the device says about itself: identity and limits",
    .run = run,
};
