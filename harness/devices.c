/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices there are: each driver is asked in a worker of its own, all at once, so that one that crashes, hangs or
 * lies is named and costs the others nothing. The workers that answered go on to run the cases. */
#include "harness.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CLOSE_TIME_NS 2000000000u

/* Free workers, by ICD. */
struct idle {
    struct idle *next;
    const struct lad_icd *icd;
    struct lad_child *child;
};
static struct idle *idle_workers;

void lad_worker_give(const struct lad_icd *icd, struct lad_child *child)
{
    struct idle *w = malloc(sizeof *w);
    if (!w)
        abort();
    *w = (struct idle){idle_workers, icd, child};
    idle_workers = w;
}

struct lad_child *lad_worker_start(struct lad_arena *arena, const struct lad_icd *icd, const char *const *env)
{
    char parent[16];
    const char **all = NULL;
    size_t n = 0;
    for (const char *const *e = lad_icd_narrow(arena, icd); *e; e++)
        *LAD_PUSH(arena, all, n) = *e;
    for (; env && *env; env++)
        *LAD_PUSH(arena, all, n) = *env;
    *LAD_PUSH(arena, all, n) = NULL;
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    const char *args[] = {"__worker", icd->api, icd->file, parent, NULL};
    return lad_child_start(args, all);
}

struct lad_child *lad_worker_take(struct lad_arena *arena, const struct lad_icd *icd, bool *fresh)
{
    *fresh = false;
    for (struct idle **at = &idle_workers, *w; (w = *at);) {
        const char *line;
        if (w->icd != icd) {
            at = &w->next;
            continue;
        }
        struct lad_child *child = w->child;
        *at = w->next;
        free(w);
        if (lad_child_next(child, &line) == LAD_CHILD_QUIET)
            return child;
        lad_child_destroy(&child); /* it died, or talks without being asked */
    }
    *fresh = true;
    return lad_worker_start(arena, icd, NULL);
}

void lad_inventory_hang_up(void)
{
    for (struct idle *w = idle_workers; w; w = w->next) {
        lad_child_hang_up(w->child);
        lad_child_deadline(w->child, lad_now_ns() + CLOSE_TIME_NS);
    }
}

void lad_inventory_release(void)
{
    lad_inventory_hang_up();
    for (struct idle *w; (w = idle_workers); free(w)) {
        const char *line;
        enum lad_child_event event;
        while ((event = lad_child_next(w->child, &line)) != LAD_CHILD_ENDED)
            if (event == LAD_CHILD_QUIET)
                lad_child_wait(0);
        const struct lad_child_end *end = lad_child_end(w->child);
        if (end->late)
            lad_note("%s: the driver hangs when its device is closed", w->icd->file);
        else if (end->signal)
            lad_note("%s: the driver crashes when its device is closed (%s)", w->icd->file,
                     lad_signal_name(end->signal));
        lad_child_destroy(&w->child);
        idle_workers = w->next;
    }
}

/* "vk", "vk:..." and "vk-..." all speak of one API. */
static bool names_api(const char *want, const char *api)
{
    size_t n = strlen(api);
    return !strncmp(want, api, n) && (!want[n] || want[n] == ':' || want[n] == '-');
}

static bool is_wanted(const char *const *want, const char *api)
{
    static const char *const known[] = {"vk", "cl", "host"};
    bool any = !want || !*want;
    for (; want && *want && !any; want++) {
        size_t i = 0;
        while (i < LAD_N(known) && !names_api(*want, known[i]))
            i++;
        any = i == LAD_N(known) || !strcmp(known[i], api); /* else a part of a name, of whatever API */
    }
    return any;
}

bool lad_device_matches(const struct lad_device *d, const char *spec)
{
    size_t n = strlen(spec), colon = strcspn(d->spec, ":");
    if (lad_glob(spec, d->slug) || (n > 1 && n == colon + 1 && !strncmp(spec, d->spec, n))) /* "vk-*", "vk:" */
        return true;
    if (!strcmp(spec, d->spec) || !strcmp(spec, d->slug) || (n == colon && !strncmp(spec, d->spec, n)))
        return true;
    if (!strncmp(d->spec, spec, n) && d->spec[n] == ':') /* "cl:0": a platform */
        return true;
    if (!strncmp(d->slug, spec, n) && d->slug[n] == '-' && strchr(spec, '-'))
        return true; /* "vk-nvidia" for "vk-nvidia-h200", "vk-model" where two of it are "vk-model-1" and "vk-model-2"
                      */
    if ((n > colon && !strncmp(spec, d->spec, colon) && spec[colon] == ':') || !strcmp(spec, "host"))
        return false;
    return n && (strcasestr(d->info.name, spec) || strcasestr(d->slug, spec));
}

/* One ICD while it is asked. */
struct asked {
    struct lad_child *child;
    const char *prefix;
    struct lad_dev_info *info;
    size_t n;
    const char *refused; /* what came of it with the layers that there are: now it is asked without */
};

/* A driver that says nothing at all of its device never looked at the question. */
static bool is_hollow(const struct lad_dev_info *info)
{
    return !info->name[0] || (!info->cap[LAD_CAP_BUFFER_BYTES] && !info->cap[LAD_CAP_WORKGROUP_SIZE]);
}

static void read_answer(struct lad_arena *arena, const char *line, struct lad_icd *icd, struct asked *a)
{
    json_t *json = json_loads(line, 0, NULL), *devices = json_object_get(json, "devices");
    const char *fail = json_string_value(json_object_get(json, "fail"));
    a->prefix = lad_strdup(arena, json_string_value(json_object_get(json, "prefix")));
    a->n = json_array_size(devices);
    a->info = lad_alloc(arena, (a->n + 1) * sizeof *a->info);
    bool ok = json_is_array(devices), hollow = false;
    for (size_t i = 0; ok && i < a->n; i++) {
        ok = lad_dev_info_parse(arena, json_array_get(devices, i), &a->info[i]);
        hollow = hollow || (ok && is_hollow(&a->info[i]));
    }
    if (hollow && !fail)
        fail = lad_printf(arena, "lists %zu device%s, but one without a name or without any limit: garbage", a->n,
                          a->n == 1 ? "" : "s");
    if (hollow)
        a->n = 0;
    if (!ok) {
        a->n = 0;
        icd->refused = "something wrote garbage where the list of its devices was expected";
    } else if (fail) {
        icd->refused = lad_strdup(arena, fail);
    } else if (!a->n) {
        icd->refused = "offers no device on this machine";
    }
    json_decref(json);
}

/* The last line that it printed may say why. */
static const char *quote_output(struct lad_arena *arena, struct lad_child *child)
{
    uint64_t bytes;
    const char *text = lad_child_output(arena, child, &bytes);
    size_t end = text ? strlen(text) : 0, start;
    while (end && isspace((unsigned char)text[end - 1]))
        end--;
    for (start = end; start && text[start - 1] != '\n' && end - start < 200; start--)
        ;
    return end ? lad_printf(arena, "; it printed: %.*s", (int)(end - start), text + start) : "";
}

static const char *explain_end(struct lad_arena *arena, struct lad_child *child, uint32_t timeout_ms)
{
    const struct lad_child_end *end = lad_child_end(child);
    const char *printed = quote_output(arena, child);
    if (end->abandoned)
        return lad_printf(arena, "hangs while its devices are listed and cannot be killed%s", printed);
    if (end->late)
        return lad_printf(arena, "does not answer within %g s%s", timeout_ms / 1000.0, printed);
    if (end->closed || end->overflowed)
        return lad_printf(arena, "broke the pipe on which its devices are listed%s", printed);
    if (end->signal)
        return lad_printf(arena, "crashes while it is loaded and asked for devices (%s)%s",
                          lad_signal_name(end->signal), printed);
    return lad_printf(arena, "ends the process while it is loaded and asked for devices (exit status %d)%s",
                      end->exit_code, printed);
}

static bool ask(struct lad_arena *arena, const struct lad_icd *icd, struct asked *a, const char *const *env,
                uint32_t timeout_ms)
{
    a->child = lad_worker_start(arena, icd, env);
    if (a->child)
        lad_child_deadline(a->child, lad_now_ns() + timeout_ms * UINT64_C(1000000));
    return a->child;
}

static bool names_layers(void)
{
    static const char *const variables[] = {"VK_INSTANCE_LAYERS", "VK_LOADER_LAYERS_ENABLE", "OPENCL_LAYERS"};
    for (size_t i = 0; i < LAD_N(variables); i++)
        if (getenv(variables[i]) && *getenv(variables[i]))
            return true;
    return false;
}

/* A driver without a device is asked again without layers: one of them may hide it, or be what crashes. */
static void ask_without_layers(struct lad_arena *arena, struct lad_icd *icd, struct asked *a, bool crashed,
                               uint32_t timeout_ms)
{
    bool again = a->refused;
    size_t n;
    if (again && a->n)
        icd->refused = lad_printf(
            arena, "%s; without layers it offers %s: a layer between loader and driver is at fault", a->refused,
            a->info[0].name);
    else if (again)
        icd->refused = a->refused;
    if (again)
        a->n = 0;
    else if (!a->n && (crashed || names_layers()) && (!strcmp(icd->api, "vk") || !strcmp(icd->api, "cl"))) {
        const char **bare = lad_split(arena, LAD_NO_LAYERS, &n);
        *LAD_PUSH(arena, bare, n) = NULL;
        a->refused = icd->refused;
        ask(arena, icd, a, bare, timeout_ms);
    }
}

/* Takes note of what the ICD's worker said or came to. */
static void attend(struct lad_arena *arena, struct lad_icd *icd, struct asked *a, uint32_t timeout_ms)
{
    const char *line;
    bool crashed = false;
    switch (lad_child_next(a->child, &line)) {
    case LAD_CHILD_QUIET:
        return;
    case LAD_CHILD_LINE:
        read_answer(arena, line, icd, a);
        lad_child_deadline(a->child, 0);
        if (a->n && !a->refused)
            lad_worker_give(icd, a->child);
        else
            lad_child_destroy(&a->child);
        break;
    case LAD_CHILD_ENDED:
        crashed = !lad_child_end(a->child)->late;
        icd->refused = explain_end(arena, a->child, timeout_ms);
        lad_child_destroy(&a->child);
        break;
    }
    a->child = NULL;
    ask_without_layers(arena, icd, a, crashed, timeout_ms);
}

/* "llvmpipe (LLVM 15)" -> "llvmpipe-llvm-15" */
static void make_slug(char *slug, size_t room, const char *prefix, const char *model)
{
    size_t n = (size_t)snprintf(slug, room, "%s", prefix);
    bool gap = true;
    for (; *model && n + 6 < room; model++) {
        if (!isalnum((unsigned char)*model) || (*model & 0x80)) {
            gap = true;
            continue;
        }
        if (gap)
            slug[n++] = '-';
        gap = false;
        slug[n++] = (char)tolower((unsigned char)*model);
    }
    slug[n] = 0;
}

static bool is_same_device(const struct lad_dev_info *a, const struct lad_dev_info *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->driver, b->driver) && !strcmp(a->api, b->api) &&
           !strcmp(a->uuid, b->uuid) && !strcmp(a->bus, b->bus);
}

static bool comes_before(const struct lad_device *a, const struct lad_device *b)
{
    int order = strcmp(a->info.bus, b->info.bus);
    return order ? order < 0 : a < b;
}

/* Equal slugs of one driver get numbers by bus. Where a driver has the slugs of one before it the numbers go on, so
 * that a slug does not depend on what later drivers offer, which are not always asked. */
static void number_equal_slugs(struct lad_inventory *inv)
{
    size_t *number = calloc(inv->n_devices + 1, sizeof *number);
    if (!number)
        abort();
    for (size_t i = 0; i < inv->n_devices; i++) {
        const struct lad_device *d = &inv->device[i];
        size_t n_same = 0, n_earlier = 0, n_before = 0;
        for (const struct lad_device *o = inv->device; o < inv->device + inv->n_devices; o++) {
            bool equal = !strcmp(o->slug, d->slug), same = equal && o->icd == d->icd;
            n_same += same;
            n_before += same && comes_before(o, d);
            n_earlier += equal && o->icd < d->icd;
        }
        number[i] = n_same > 1 || n_earlier ? n_earlier + n_before + 1 : 0;
    }
    for (size_t i = 0; i < inv->n_devices; i++) {
        char *slug = inv->device[i].slug;
        if (number[i])
            snprintf(slug + strlen(slug), sizeof inv->device->slug - strlen(slug), "-%zu", number[i]);
    }
    free(number);
}

/* The same library can be listed twice, by different names: what it offers then is offered already. */
static const struct lad_icd *find_twin(const struct lad_inventory *inv, const struct asked *asked, size_t i)
{
    for (size_t o = 0; o < i; o++) {
        size_t k = 0;
        while (k < asked[i].n && asked[o].n == asked[i].n && !strcmp(inv->icd[o].api, inv->icd[i].api) &&
               is_same_device(&asked[o].info[k], &asked[i].info[k]))
            k++;
        if (k && k == asked[i].n)
            return &inv->icd[o];
    }
    return NULL;
}

/* Numbers count within an API, over its drivers in the loader's order; OpenCL's count platforms that have a device. */
static void add_devices(struct lad_arena *arena, struct lad_inventory *inv, const struct asked *asked)
{
    for (size_t i = 0; i < inv->n_icds; i++) {
        const char *prefix = asked[i].prefix;
        size_t first = inv->n_devices, n_before = 0, platform = 0;
        const struct lad_icd *twin = find_twin(inv, asked, i);
        if (twin) {
            inv->icd[i].refused = lad_printf(arena, "offers the same devices as %s", twin->file);
            continue;
        }
        for (size_t d = 0; d < first && prefix; d++) {
            size_t p = 0;
            if (!names_api(inv->device[d].spec, prefix))
                continue;
            n_before++;
            sscanf(inv->device[d].spec, "cl:%zu", &p);
            platform = p + 1;
        }
        for (size_t k = 0, of = 0; k < asked[i].n; k++, of++) {
            struct lad_device *d = LAD_PUSH(arena, inv->device, inv->n_devices);
            const struct lad_dev_info *info = &asked[i].info[k];
            d->icd = &inv->icd[i];
            d->index = k;
            d->info = *info;
            if (k && info->platform != info[-1].platform) {
                platform++;
                of = 0;
            }
            make_slug(d->slug, sizeof d->slug, prefix, info->model[0] ? info->model : info->name);
            if (!strcmp(prefix, "host"))
                snprintf(d->spec, sizeof d->spec, "host");
            else if (!strcmp(prefix, "cl"))
                snprintf(d->spec, sizeof d->spec, "cl:%zu:%zu", platform, of);
            else
                snprintf(d->spec, sizeof d->spec, "%.16s:%zu", prefix, n_before + k);
            if (!strcmp(prefix, "host"))
                snprintf(d->slug, sizeof d->slug, "host");
        }
    }
    number_equal_slugs(inv);
}

/* The inventory that is being taken. */
static struct {
    struct lad_inventory inv;
    struct asked *asked; /* by ICD; NULL: none is being taken */
    uint32_t timeout_ms;
} taking;

bool lad_inventory_start(struct lad_arena *arena, const char *const *want, uint32_t timeout_ms)
{
    struct lad_icd *all;
    size_t n_all = lad_discover(arena, &all);
    struct lad_inventory *inv = &taking.inv;
    *inv = (struct lad_inventory){.icd = lad_alloc(arena, (n_all + 1) * sizeof *inv->icd)};
    for (size_t i = 0; i < n_all; i++)
        if (is_wanted(want, all[i].api))
            inv->icd[inv->n_icds++] = all[i];

    taking.timeout_ms = timeout_ms;
    taking.asked = lad_alloc(arena, (inv->n_icds + 1) * sizeof *taking.asked);
    for (size_t i = 0; i < inv->n_icds; i++) {
        struct asked *a = &taking.asked[i];
        if (inv->icd[i].refused)
            continue;
        if (!ask(arena, &inv->icd[i], a, NULL, timeout_ms))
            return false;
    }
    return true;
}

/* Are all that is wanted specs of devices whose numbers are certain, because all drivers before theirs have answered?
 */
static bool is_settled(struct lad_arena *arena, const char *const *want)
{
    struct lad_inventory sure = taking.inv;
    sure.n_icds = 0;
    while (sure.n_icds < taking.inv.n_icds && !taking.asked[sure.n_icds].child)
        sure.n_icds++;
    if (!want || !*want || sure.n_icds == taking.inv.n_icds)
        return sure.n_icds == taking.inv.n_icds;
    add_devices(arena, &sure, taking.asked);
    for (; *want; want++) {
        size_t i = 0;
        while (i < sure.n_devices && strcmp(sure.device[i].spec, *want))
            i++;
        if (i == sure.n_devices)
            return false;
    }
    return true;
}

bool lad_inventory_take(struct lad_arena *arena, const char *const *want, uint32_t timeout_ms,
                        struct lad_inventory *inv)
{
    bool ok = taking.asked || lad_inventory_start(arena, want, timeout_ms);
    while (ok && !is_settled(arena, want)) {
        lad_child_wait(0);
        for (size_t i = 0; i < taking.inv.n_icds; i++)
            if (taking.asked[i].child)
                attend(arena, &taking.inv.icd[i], &taking.asked[i], taking.timeout_ms);
    }
    for (size_t i = 0; i < taking.inv.n_icds; i++) /* what nobody waits for any more */
        lad_child_destroy(&taking.asked[i].child);
    *inv = taking.inv;
    add_devices(arena, inv, taking.asked);
    taking.asked = NULL;
    return ok;
}
