/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder devices: what is there, and what was refused and why. */
#include "harness.h"
#include <string.h>

static const char *const types[] = {[LAD_DEV_OTHER] = "other",
                                    [LAD_DEV_CPU] = "CPU",
                                    [LAD_DEV_INTEGRATED] = "integrated GPU",
                                    [LAD_DEV_DISCRETE] = "discrete GPU",
                                    [LAD_DEV_SIMULATOR] = "simulator"};

static const char *show_number(struct lad_arena *arena, uint64_t value, const char *unit)
{
    static const char *const powers[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t p = 0;
    if (strcmp(unit, "bytes"))
        return lad_printf(arena, "%llu%s%s", (unsigned long long)value, *unit ? " " : "", unit);
    if (value >= UINT64_MAX / 2)
        return "no limit";
    double scaled = (double)value;
    for (; p + 1 < LAD_N(powers) && scaled >= 1024; p++)
        scaled /= 1024;
    return lad_printf(arena, scaled == (double)(uint64_t)scaled ? "%.0f %s" : "%.1f %s", scaled, powers[p]);
}

/* The limits that decide what a kernel can be given; the rest is for -v. */
static void print_limits(struct lad_arena *arena, const struct lad_dev_info *info)
{
    static const struct {
        enum lad_cap cap;
        const char *label;
    } rows[] = {{LAD_CAP_MEMORY_BYTES, "memory"},
                {LAD_CAP_BUFFER_BYTES, "a buffer"},
                {LAD_CAP_LOCAL_BYTES, "local memory"},
                {LAD_CAP_WORKGROUP_SIZE, "workgroup"},
                {LAD_CAP_STORAGE_BUFFERS, "buffers a kernel"},
                {LAD_CAP_SUBGROUP, "subgroup"}};
    const char *text = "";
    for (size_t i = 0; i < LAD_N(rows); i++)
        if (info->cap[rows[i].cap])
            text = lad_printf(arena, "%s%s%s %s", text, *text ? ", " : "", rows[i].label,
                              show_number(arena, info->cap[rows[i].cap], lad_cap_unit(rows[i].cap)));
    fputs("        limits  ", stdout);
    lad_wrap(stdout, text, 16, 16);
}

/* Features, which are there or not; a capability with a unit or a large value is a limit. */
static void print_features(struct lad_arena *arena, const char *label, const struct lad_dev_info *info, bool offered)
{
    enum { LARGEST_FEATURE = 16 };
    const char *text = "";
    for (int c = 0; c < LAD_CAP_COUNT; c++)
        if (!*lad_cap_unit((enum lad_cap)c) &&
            (offered ? info->cap[c] && info->cap[c] <= LARGEST_FEATURE : !info->cap[c]))
            text = lad_printf(arena, "%s%s%s", text, *text ? " " : "", lad_cap_name((enum lad_cap)c));
    if (!*text)
        return;
    printf("        %-7s ", label);
    lad_wrap(stdout, text, 16, 16);
}

static void print_capabilities(struct lad_arena *arena, const struct lad_dev_info *info)
{
    for (int c = 0; c < LAD_CAP_COUNT; c++) {
        enum lad_cap cap = (enum lad_cap)c;
        if (info->cap[c])
            printf("        %-18s %-14s %s\n", lad_cap_name(cap), show_number(arena, info->cap[c], lad_cap_unit(cap)),
                   lad_cap_text(cap));
        else
            printf("        %-18s %-14s %s: %s\n", lad_cap_name(cap), "-", lad_cap_text(cap), lad_cap_why(info, cap));
    }
}

static void print_device(struct lad_arena *arena, const struct lad_device *d)
{
    const struct lad_dev_info *info = &d->info;
    printf("%-7s %s\n", d->spec, d->slug);
    if (lad_verbosity < 0)
        return;
    printf("        device  %s (%s)%s%s\n", info->name, types[info->type <= LAD_DEV_SIMULATOR ? info->type : 0],
           *info->vendor ? ", " : "", info->vendor);
    printf("        driver  %s%s%s\n", info->driver, *info->api ? ", " : "", info->api);
    if (*d->icd->file)
        printf("        from    %s -> %s\n", d->icd->file, d->icd->library);
    if (lad_verbosity > 0) {
        if (*info->bus)
            printf("        bus     %s\n", info->bus);
        if (*info->uuid)
            printf("        uuid    %s\n", info->uuid);
        print_capabilities(arena, info);
    } else {
        print_limits(arena, info);
        print_features(arena, "has", info, true);
        print_features(arena, "has not", info, false);
    }
    printf("\n");
}

static void print_refused(const struct lad_inventory *inv)
{
    bool first = true;
    for (const struct lad_icd *icd = inv->icd; icd < inv->icd + inv->n_icds; icd++) {
        if (!icd->refused)
            continue;
        if (first)
            printf("Refused:\n");
        first = false;
        printf("%-7s %s%s%s\n        %s\n", icd->api, *icd->file ? icd->file : "-",
               icd->library && *icd->library ? " -> " : "",
               icd->library && strcmp(icd->library, icd->file) ? icd->library : "", icd->refused);
    }
}

static bool is_asked(const struct lad_device *d, const char *const *want)
{
    bool any = !*want;
    for (; *want && !any; want++)
        any = lad_device_matches(d, *want);
    return any;
}

static bool write_json(FILE *out, const void *arg)
{
    const struct lad_run *run = arg;
    json_t *json = lad_run_json(run);
    json_object_del(json, "planned");
    int failed = json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(json);
    return !failed && fputc('\n', out) != EOF;
}

static bool report_json(struct lad_arena *arena, const struct lad_options *options, const struct lad_inventory *inv)
{
    const char **env = lad_environment(arena);
    struct lad_run run = {.version = LAD_VERSION,
                          .command = options->command_line,
                          .env = env,
                          .icd = inv->icd,
                          .n_icds = inv->n_icds,
                          .device = inv->device,
                          .n_devices = inv->n_devices};
    while (env[run.n_env])
        run.n_env++;
    return lad_write_file(options->json, write_json, &run);
}

static int run(struct lad_arena *arena, const struct lad_options *options)
{
    struct lad_inventory inv = {0};
    size_t n = 0, n_drivers = 0;
    if (!lad_inventory_take(arena, options->device, lad_start_ms(options), &inv))
        return LAD_EXIT_HARNESS;
    lad_inventory_release();
    for (size_t i = 0; i < inv.n_devices; i++) /* what --device leaves, in place */
        if (is_asked(&inv.device[i], options->device))
            inv.device[n++] = inv.device[i];
    inv.n_devices = n;
    for (size_t i = 0; i < n; i++)
        n_drivers += *options->device || *inv.device[i].icd->file;
    if (options->json) {
        if (!report_json(arena, options, &inv))
            return LAD_EXIT_HARNESS;
    }
    if (!options->json || strcmp(options->json, "-")) {
        for (size_t i = 0; i < n; i++)
            print_device(arena, &inv.device[i]);
        if (lad_verbosity >= 0)
            print_refused(&inv);
    }
    if (n_drivers)
        return LAD_EXIT_OK;
    lad_error(*options->device ? "no device matches; 'gpuladder devices' lists them"
                               : "no Vulkan or OpenCL device; 'gpuladder doctor' says why and what to do");
    return LAD_EXIT_NOTHING;
}

const struct lad_command lad_command_devices = {
    "devices", "list the devices there are, and the drivers that were refused and why", "", run,
    "Every driver is loaded and asked in a process of its own: one that crashes, hangs or answers nonsense is named, "
    "the "
    "others still appear. Exit status 77 means that no driver offers a device."};
