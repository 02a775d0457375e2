/* SPDX-License-Identifier: Apache-2.0 */
/* What a run says of itself ahead of its records: machine, drivers, and the devices that it was asked for. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static bool is_asked_for(const struct lad_options *o, const struct lad_device *d)
{
    const char **spec = o->device;
    while (*spec && !lad_device_matches(d, *spec))
        spec++;
    return *spec || !*o->device;
}

static void choose_devices(struct lad_arena *arena, const struct lad_options *o, const struct lad_inventory *inv,
                           struct lad_run *run)
{
    for (size_t i = 0; i < inv->n_devices; i++)
        if (is_asked_for(o, &inv->device[i]))
            *LAD_PUSH(arena, run->device, run->n_devices) = inv->device[i];
    for (const char **spec = o->device; *spec; spec++) {
        size_t i = 0;
        while (i < run->n_devices && !lad_device_matches(&run->device[i], *spec))
            i++;
        if (i == run->n_devices)
            lad_error("--device %s: there is no such device; 'gpuladder devices' lists them", *spec);
    }
}

static const char *describe_system(struct lad_arena *arena)
{
    struct utsname u;
    char line[256], name[200] = "";
    FILE *f = fopen("/etc/os-release", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "PRETTY_NAME=\"%199[^\"]", name) == 1)
            break;
    if (f)
        fclose(f);
    if (uname(&u))
        return lad_strdup(arena, name);
    return lad_printf(arena, "%s%s%s %s %s", name, *name ? ", " : "", u.sysname, u.release, u.machine);
}

static void fill_header(struct lad_arena *arena, const struct lad_options *o, const struct lad_inventory *inv,
                        struct lad_run *run)
{
    char host[256] = "localhost", started[32];
    time_t now = time(NULL);
    struct tm utc;
    gethostname(host, sizeof host - 1);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &utc));
    run->version = LAD_VERSION;
    run->command = o->command_line;
    run->host = lad_strdup(arena, host);
    run->started = lad_strdup(arena, started);
    run->os = describe_system(arena);
    run->seed = o->seed;
    run->env = lad_environment(arena);
    while (run->env[run->n_env])
        run->n_env++;
    run->icd = inv->icd;
    run->n_icds = inv->n_icds;
    run->output = o->output;
}

/* A driver file that cannot be used is worth a line only where nothing else is there, or with -v. */
static void note_refused(const struct lad_run *run)
{
    for (const struct lad_icd *icd = run->icd; icd < run->icd + run->n_icds; icd++)
        if (icd->refused && (lad_verbosity > 0 || !run->n_devices))
            lad_note("%s %s: refused: %s", icd->api, *icd->file ? icd->file : "loader", icd->refused);
    if (!run->n_devices)
        lad_note("no device to test; 'gpuladder doctor' says more");
}

void lad_run_describe(struct lad_arena *arena, const struct lad_options *o, const struct lad_inventory *inv,
                      struct lad_run *run)
{
    choose_devices(arena, o, inv, run);
    fill_header(arena, o, inv, run);
    note_refused(run);
}
