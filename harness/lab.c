/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about one failure beyond the worker that found it: experiments that take a process of their own (without
 * caches, layers or optimisation, or another device), and with --validate a run under the validation layer or oclgrind.
 * One process at a time, each with a deadline, all of them within the time that one failure may cost. Parent's side.
 */
#include "lab.h"
#include <stdlib.h>
#include <string.h>

#define START_NS UINT64_C(10000000000)

struct lad_lab {
    struct lad_arena *arena;
    const struct lad_options *options;
    const struct lad_run *run;
    const struct lad_device *device, *target; /* where it failed; where the experiment runs */
    const struct lad_case *c;
    struct lad_record *record;
    struct lad_child *child;
    const struct lad_experiment *now; /* NULL: validation */
    struct lad_device host;
    uint64_t until_ns, start_ns;
    bool sent, validated, ending; /* ending: it has answered, and is to end */
    struct lad_record got;
    const char *log; /* of oclgrind */
};

static const struct lad_icd host_icd = {.api = "host", .file = "", .library = ""};

static const struct lad_device *find_other(const struct lad_lab *lab)
{
    const struct lad_device *best = NULL;
    for (size_t i = 0; i < lab->run->n_devices; i++) {
        const struct lad_device *d = &lab->run->device[i];
        bool same_api = !strncmp(d->spec, lab->device->spec, 2);
        if (d == lab->device || !strcmp(d->spec, "host"))
            continue;
        if (!best || (same_api && strncmp(best->spec, lab->device->spec, 2)))
            best = d;
    }
    return best;
}

static bool is_api(const struct lad_lab *lab, const char *api)
{
    return !strcmp(lab->device->icd->api, api);
}

/* In the worker nothing more may be done once the device is gone: then the parent makes those experiments, too. */
static bool is_possible(void *arg, const struct lad_experiment *e)
{
    struct lad_lab *lab = arg;
    bool api = is_api(lab, "vk") || is_api(lab, "cl"), gone = lab->record->status > LAD_STATUS_FAIL;
    switch (e->where) {
    case LAD_WHERE_HERE:
        return gone && e->change.half;
    case LAD_WHERE_HOST:
        return !is_api(lab, "host") && !strcmp(lab->c->probe, "steps");
    case LAD_WHERE_OTHER:
        return find_other(lab);
    case LAD_WHERE_FRESH:
        break;
    }
    if (e->cured == LAD_OBS_KEEP_CURED)
        return api && lad_layers_find(lab->arena);
    if (e->cured == LAD_OBS_NO_LAYERS_CURED)
        return is_api(lab, "vk") || (is_api(lab, "cl") && (lab->record->layer || getenv("OPENCL_LAYERS")));
    return api;
}

/* The last value that a variable is given counts. */
static void push(struct lad_lab *lab, const char ***list, size_t *n, const char *text)
{
    size_t name = text ? strcspn(text, "=") + 1 : 0;
    for (size_t i = 0; name && i < *n; i++)
        if (!strncmp((*list)[i], text, name)) {
            (*list)[i] = text;
            return;
        }
    *LAD_PUSH(lab->arena, *list, *n) = text;
}

static bool start(struct lad_lab *lab, const struct lad_icd *icd, const char **env, size_t n)
{
    push(lab, &env, &n, NULL);
    lab->start_ns = lad_now_ns();
    lab->sent = lab->ending = false;
    lab->child = lad_worker_start(lab->arena, icd, env);
    uint64_t limit = lab->start_ns + START_NS;
    if (lab->child)
        lad_child_deadline(lab->child, limit < lab->until_ns ? limit : lab->until_ns);
    return lab->child;
}

/* Our own layer, where it is there: it plays the driver, and stays where other layers go. */
static const char **keep_layer(struct lad_lab *lab, size_t *n)
{
    const struct lad_record *r = lab->record;
    const char **env = NULL,
               **layer = r->layer ? lad_layer_env(lab->arena, r->layer, r->inject ? r->inject : "") : NULL;
    for (; layer && *layer; layer++)
        push(lab, &env, n, *layer);
    return env;
}

static bool has_layer(const struct lad_lab *lab)
{
    const char *faults = getenv("GPULADDER_FAULT"), *mode = getenv("GPULADDER_MODE");
    return lab->record->layer || (faults && *faults) || (mode && *mode);
}

static bool start_experiment(struct lad_lab *lab, const struct lad_experiment *e)
{
    size_t n = 0, n_words = 0;
    bool here = e->where == LAD_WHERE_FRESH || e->where == LAD_WHERE_HERE;
    const char **env = here ? keep_layer(lab, &n) : NULL, **words = lad_split(lab->arena, e->environment, &n_words),
               **layer;
    lab->now = e;
    lab->target = e->where == LAD_WHERE_OTHER ? find_other(lab) : lab->device;
    if (e->where == LAD_WHERE_HOST) {
        lab->host = (struct lad_device){.spec = "host", .slug = "host", .icd = &host_icd};
        lab->target = &lab->host;
    }
    for (size_t i = 0; i < n_words; i++)
        push(lab, &env, &n, words[i]);
    if (!here)
        push(lab, &env, &n, "GPULADDER_FAULT=");
    if (e->cured == LAD_OBS_NO_LAYERS_CURED && has_layer(lab)) {
        push(lab, &env, &n, "VK_LOADER_LAYERS_DISABLE=~implicit~");
        push(lab, &env, &n, "VK_INSTANCE_LAYERS=" LAD_VK_LAYER);
        push(lab, &env, &n, lad_printf(lab->arena, "OPENCL_LAYERS=%s/" LAD_CL_LAYER, lad_layers_find(lab->arena)));
    }
    if (e->cured == LAD_OBS_KEEP_CURED && !has_layer(lab))
        for (layer = lad_layer_env(lab->arena, lab->device->icd->api, ""); layer && *layer; layer++)
            push(lab, &env, &n, *layer);
    return start(lab, lab->target->icd, env, n);
}

static bool start_validation(struct lad_lab *lab)
{
    size_t n = 0;
    const char **env = keep_layer(lab, &n);
    const struct lad_icd *icd = lad_validate_prepare(lab->arena, lab->device, &env, &n, &lab->log);
    lab->validated = true;
    lab->now = NULL;
    if (!icd)
        return false;
    lab->host = *lab->device;
    if (icd != lab->device->icd)
        lab->host = (struct lad_device){.spec = "cl:0:0", .slug = "cl-oclgrind-simulator", .icd = icd};
    lab->target = &lab->host;
    return start(lab, icd, env, n);
}

/* The next thing to do; false: there is none. */
static bool start_next(struct lad_lab *lab)
{
    const struct lad_experiment *e;
    if (lab->options->validate && !lab->validated) {
        lab->until_ns += START_NS; /* it was asked for */
        if (start_validation(lab))
            return true;
    }
    while (lad_now_ns() < lab->until_ns && (e = lad_experiment_next(lab->record, is_possible, lab)))
        if (start_experiment(lab, e))
            return true;
    return false;
}

struct lad_lab *lad_lab_open(struct lad_arena *arena, const struct lad_options *o, const struct lad_run *run,
                             const struct lad_device *device, const struct lad_case *c, struct lad_record *r)
{
    uint64_t spent = 0, most = (uint64_t)o->experiments_s * 1000000000u;
    if (r->status < LAD_STATUS_FAIL || r->status >= LAD_STATUS_MISSING || !lad_record_bad(r) || o->drop || !c ||
        lad_caught_signal())
        return NULL;
    for (size_t i = 0; i < r->n_trials; i++)
        spent += r->trial[i].time_ns;
    struct lad_lab *lab = lad_alloc(arena, sizeof *lab);
    *lab = (struct lad_lab){.arena = arena, .options = o, .run = run, .device = device, .c = c, .record = r};
    lab->until_ns = lad_now_ns() + (most > spent ? most - spent : 0);
    return start_next(lab) ? lab : NULL;
}

static void send(struct lad_lab *lab)
{
    bool faulty = lab->target->icd == lab->device->icd || !lab->now;
    uint64_t now = lad_now_ns(), left = lab->until_ns > now ? lab->until_ns - now : 1;
    uint64_t limit_s = lab->c->timeout_s ? lab->c->timeout_s : lab->options->timeout_s;
    if (limit_s > left / 1000000000u + 1)
        limit_s = left / 1000000000u + 1;
    char seed[24];
    snprintf(seed, sizeof seed, "0x%llx", (unsigned long long)lab->run->seed);
    lab->sent = true;
    lad_child_output(NULL, lab->child, &(uint64_t){0});
    lad_child_deadline(lab->child, now + limit_s * 1000000000u);
    lad_child_send(lab->child, json_pack("{s:{s:s, s:s, s:s, s:s, s:I, s:i, s:s?, s:I, s:s}}", "run", "file",
                                         lab->c->file, "case", lab->c->id, "device", lab->target->slug, "seed", seed,
                                         "index", (json_int_t)lab->target->index, "drop", (int)LAD_DROP_NONE, "inject",
                                         faulty ? lab->record->inject : NULL, "timeout_s", (json_int_t)limit_s, "trial",
                                         lab->now ? lab->now->name : "validation"));
}

static void take(struct lad_lab *lab, const struct lad_record *r)
{
    uint64_t time_ns = lad_now_ns() - lab->start_ns;
    if (lab->now)
        lad_experiment_end(lab->arena, lab->record, lab->now, r, time_ns);
    else
        lad_validate_end(lab->arena, lab->record, r, lab->device->icd->api, lab->log, time_ns);
    lad_child_destroy(&lab->child);
}

/* Another width of subgroups was asked for: is it another? */
static const char *find_width_flaw(const struct lad_lab *lab, json_t *device)
{
    bool asks = lab->now && strstr(lab->now->environment, "GPULADDER_SUBGROUP=");
    struct lad_dev_info *info = lad_alloc(lab->arena, sizeof *info);
    uint64_t width = lab->device->info.cap[LAD_CAP_SUBGROUP];
    if (!asks || !lad_dev_info_parse(lab->arena, device, info) || info->cap[LAD_CAP_SUBGROUP] != width)
        return NULL;
    return width ? lad_printf(lab->arena, "the device offers no other subgroups for this than those of %llu lanes",
                              (unsigned long long)width)
                 : "the device does not say how wide its subgroups are";
}

static void attend(struct lad_lab *lab, const char *line)
{
    struct lad_record none = {.status = LAD_STATUS_SKIP};
    json_t *json = line ? json_loads(line, 0, NULL) : NULL, *record = json_object_get(json, "record");
    json_t *devices = json_object_get(json, "devices");
    if (!line && !lab->ending) {
        const struct lad_child_end *end = lad_child_end(lab->child);
        lab->got = lad_record_end(lab->arena, end, lad_now_ns() - lab->start_ns, NULL);
        lad_flight_tell(lab->arena, lad_child_flight(lab->child), lab->target->slug, &lab->got);
        none.message = lad_printf(lab->arena, "a new process did not get as far as its devices: %s", lab->got.message);
        take(lab, lab->sent ? &lab->got : &none);
    } else if (!line) {
        take(lab, &lab->got);
    } else if (!lab->sent && devices && json_array_size(devices) > lab->target->index) {
        none.message = find_width_flaw(lab, json_array_get(devices, lab->target->index));
        if (none.message)
            take(lab, &none);
        else
            send(lab);
    } else if (!lab->sent) {
        none.message = "a new process does not list the device";
        take(lab, &none);
    } else if (record && lad_record_parse(lab->arena, record, &lab->got)) {
        lab->ending = lab->log && !lab->now; /* its log is complete when it has ended */
        lad_child_hang_up(lab->child);
        lad_child_deadline(lab->child, lad_now_ns() + 2000000000u);
        if (!lab->ending)
            take(lab, &lab->got);
    }
    json_decref(json);
}

bool lad_lab_attend(struct lad_lab *lab)
{
    const char *line;
    enum lad_child_event event;
    while (lab->child && (event = lad_child_next(lab->child, &line)) != LAD_CHILD_QUIET)
        attend(lab, event == LAD_CHILD_LINE ? line : NULL);
    return !lab->child && !start_next(lab);
}

void lad_lab_close(struct lad_lab **lab)
{
    if (*lab)
        lad_child_destroy(&(*lab)->child);
    *lab = NULL;
}
