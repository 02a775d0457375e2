/* SPDX-License-Identifier: Apache-2.0 */
/* Faults asked for by name, and the one step that decides when they strike. */
#include "inject.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECORATOR LAD_DEPTH_DECORATOR
#define VULKAN LAD_DEPTH_VULKAN
#define OPENCL LAD_DEPTH_OPENCL
#define FAULT(depth, id, name, call, effect, params, what) {depth, #id, #name, call, effect, params, what},
const struct lad_fault lad_faults[LAD_FAULT_COUNT] = {
#include "faults.def"
};
#undef FAULT

const char lad_fault_params[] = "at=1 every=1 times=0 min=0 max=0 odd=0 buffer=0 after=0 part=0";

const char *lad_fault_name(enum lad_fault_id id, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s.%s", lad_faults[id].id, lad_faults[id].name);
    for (char *p = text; *p; p++)
        *p = *p == '_' ? '-' : *p;
    return text;
}

const char *lad_depth_name(enum lad_depth depth)
{
    static const char *const names[] = {"decorator", "vulkan", "opencl"};
    return names[depth];
}

static struct lad_param *find_param(struct lad_inject *f, const char *name, size_t n)
{
    for (size_t i = 0; i < f->n_params; i++)
        if (strlen(f->param[i].name) == n && !memcmp(f->param[i].name, name, n))
            return &f->param[i];
    return NULL;
}

/* Reads "key=value" pairs parted by `between`; `known`: only keys that are there already. Returns where it stopped
 * for a mistake, or NULL. */
static const char *read_params(struct lad_inject *f, const char *text, char between, bool known)
{
    while (*text) {
        size_t n = strcspn(text, "=");
        const char *digits = text + n + 1;
        char *end;
        if (!text[n] || !isdigit((unsigned char)*digits))
            return text;
        struct lad_param *p = find_param(f, text, n);
        if (!p && (known || n >= sizeof p->name || f->n_params == sizeof f->param / sizeof *f->param))
            return text;
        if (!p) {
            p = &f->param[f->n_params++];
            memcpy(p->name, text, n);
            p->name[n] = 0;
        }
        errno = 0;
        p->value = strtoull(digits, &end, 0);
        if (errno || (*end && *end != between) || (*end && !end[1]))
            return text;
        text = *end ? end + 1 : end;
    }
    return NULL;
}

bool lad_inject_add(struct lad_injection *set, const char *spec, char *why, size_t why_bytes)
{
    size_t n = strcspn(spec, ":"), id = 0;
    char name[64];
    for (; id < LAD_FAULT_COUNT; id++) {
        lad_fault_name((enum lad_fault_id)id, name, sizeof name);
        if (strlen(name) == n && !memcmp(name, spec, n))
            break;
    }
    if (id == LAD_FAULT_COUNT) {
        snprintf(why, why_bytes, "there is no fault '%.*s'; 'gpuladder list faults' names them", (int)n, spec);
        return false;
    }
    if (set->n == LAD_MOST_FAULTS) {
        snprintf(why, why_bytes, "more than %d faults at once", LAD_MOST_FAULTS);
        return false;
    }
    struct lad_inject f = {.id = (enum lad_fault_id)id};
    read_params(&f, lad_fault_params, ' ', false);
    read_params(&f, lad_faults[id].params, ' ', false);
    const char *bad = spec[n] ? read_params(&f, spec + n + 1, ',', true) : NULL;
    if (bad || (spec[n] && !spec[n + 1])) {
        snprintf(why, why_bytes, "%s: expected key=number,... of: %s%s%s", bad && *bad ? bad : spec, lad_fault_params,
                 *lad_faults[id].params ? " " : "", lad_faults[id].params);
        return false;
    }
    if (!lad_inject_get(&f, "every") || !lad_inject_get(&f, "at")) {
        snprintf(why, why_bytes, "%s: at and every count from 1", spec);
        return false;
    }
    set->item[set->n++] = f;
    return true;
}

bool lad_inject_add_all(struct lad_injection *set, const char *specs, char *why, size_t why_bytes)
{
    char spec[512];
    while (*specs) {
        size_t n = strcspn(specs, ";");
        if (n >= sizeof spec) {
            snprintf(why, why_bytes, "a fault of more than %zu characters", sizeof spec - 1);
            return false;
        }
        memcpy(spec, specs, n);
        spec[n] = 0;
        if (n && !lad_inject_add(set, spec, why, why_bytes))
            return false;
        specs += n + (specs[n] == ';');
    }
    return true;
}

void lad_inject_reset(struct lad_injection *set)
{
    for (size_t i = 0; i < set->n; i++)
        set->item[i].calls = set->item[i].hits = 0;
}

uint64_t lad_inject_get(const struct lad_inject *f, const char *param)
{
    for (size_t i = 0; i < f->n_params; i++)
        if (!strcmp(f->param[i].name, param))
            return f->param[i].value;
    return 0;
}

bool lad_inject_on(const struct lad_injection *set, enum lad_fault_id id)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->item[i].id == id)
            return true;
    return false;
}

static uint64_t struck;

uint64_t lad_inject_struck(void)
{
    return struck;
}

/* A place for a breakpoint: the fault strikes now. */
__attribute__((noinline)) static struct lad_inject *strike(struct lad_inject *f)
{
    struck++;
    f->hits++;
    return f;
}

static bool may_strike(const struct lad_inject *f, const struct lad_at *at)
{
    uint64_t max = lad_inject_get(f, "max"), buffer = lad_inject_get(f, "buffer");
    return at->size >= lad_inject_get(f, "min") && (!max || at->size <= max) &&
           (!lad_inject_get(f, "odd") || at->size & 1) && (!buffer || at->buffer == buffer) &&
           at->after >= lad_inject_get(f, "after") && (!lad_inject_get(f, "part") || at->part);
}

struct lad_inject *lad_inject_step(struct lad_injection *set, enum lad_fault_id id, struct lad_at at)
{
    struct lad_inject *hit = NULL;
    for (size_t i = 0; i < set->n; i++) {
        struct lad_inject *f = &set->item[i];
        if (f->id != id || !may_strike(f, &at))
            continue;
        uint64_t first = lad_inject_get(f, "at"), times = lad_inject_get(f, "times");
        f->calls++;
        if (!hit && f->calls >= first && (f->calls - first) % lad_inject_get(f, "every") == 0 &&
            (!times || f->hits < times))
            hit = strike(f);
    }
    return hit;
}

uint64_t lad_inject_hits(const struct lad_injection *set)
{
    uint64_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        n += set->item[i].hits;
    return n;
}
