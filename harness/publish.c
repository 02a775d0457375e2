/* SPDX-License-Identifier: Apache-2.0 */
/* What remains of a run: its reports, each written whole or not at all, and the exit status. Shared by run and report.
 */
#include "../reports/report.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUMMARY_BYTES = 900 << 10 }; /* GitHub drops a step's summary above 1024 KiB whole */

struct job {
    const struct lad_report *report;
    const struct lad_run *run;
    const struct lad_options *options;
};

static bool write_report(FILE *out, const void *arg)
{
    const struct job *job = arg;
    return job->report->write(out, job->run, job->options);
}

static bool write_to(const struct job *job, const char *path)
{
    return lad_write_file(path, write_report, job);
}

/* One file a device, its slug in the place of the word DEVICE. */
static bool write_each(struct lad_arena *arena, struct job job, const char *path)
{
    const struct lad_run *run = job.run;
    const char *place = strstr(path, "DEVICE");
    bool ok = true;
    if (!run->n_devices) /* readers take a missing file for a success */
        return write_to(&job, lad_printf(arena, "%.*snone%s", (int)(place - path), path, place + 6));
    for (size_t i = 0; i < run->n_devices; i++) {
        struct lad_run one = *run;
        one.device = &run->device[i];
        one.n_devices = 1;
        one.record = NULL;
        one.n_records = 0;
        for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++)
            if (!strcmp(r->device, one.device->slug))
                *LAD_PUSH(arena, one.record, one.n_records) = *r;
        job.run = &one;
        ok =
            write_to(&job, lad_printf(arena, "%.*s%s%s", (int)(place - path), path, one.device->slug, place + 6)) && ok;
    }
    return ok;
}

static const struct lad_report *find_report(const char *name)
{
    for (const struct lad_report *const *r = lad_reports; *r; r++)
        if (!strcmp((*r)->name, name))
            return *r;
    return NULL;
}

static bool write_named(struct job job, const char *name, const char *path)
{
    job.report = find_report(name);
    if (job.report)
        return write_to(&job, path);
    lad_error("%s: this build has no report %s", path, name);
    return false;
}

/* GitHub shows what is appended to this file; other steps of the job write there, too. */
static bool append_summary(struct job job, const char *path)
{
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n), *out = NULL;
    job.report = find_report("markdown");
    bool ok = memory && job.report && job.report->write(memory, job.run, job.options);
    if (memory)
        ok = !fclose(memory) && ok;
    errno = 0;
    if (ok)
        out = fopen(path, "ab");
    if (n > SUMMARY_BYTES) {
        for (n = SUMMARY_BYTES; n && text[n - 1] != '\n'; n--)
            ;
    }
    ok = out && fwrite(text, 1, n, out) == n;
    if (out)
        ok = !fclose(out) && ok;
    if (!ok)
        lad_error("%s: cannot append the summary: %s", path, errno ? strerror(errno) : "it could not be made");
    free(text);
    return ok;
}

bool lad_publish(struct lad_arena *arena, const struct lad_options *o, const struct lad_run *run)
{
    struct job job = {NULL, run, o};
    bool ok = lad_make_dir(run->output);
    for (const struct lad_report *const *r = lad_reports; ok && *r; r++) {
        job.report = *r;
        if (!(*r)->file)
            continue;
        const char *path = lad_printf(arena, "%s/%s", run->output, (*r)->file);
        ok = (strstr((*r)->file, "DEVICE") ? write_each(arena, job, path) : write_to(&job, path)) && ok;
    }
    if (o->junit)
        ok = write_named(job, "junit", o->junit) && ok;
    if (o->json)
        ok = write_named(job, "json", o->json) && ok;
    if (o->markdown)
        ok = write_named(job, "markdown", o->markdown) && ok;
    if (o->github_summary)
        ok = append_summary(job, o->github_summary) && ok;
    return ok;
}

/* Drivers were looked for: then the harness's own device alone is no evidence of anything. */
static bool wanted_drivers(const struct lad_run *run)
{
    for (const struct lad_icd *icd = run->icd; icd < run->icd + run->n_icds; icd++)
        if (strcmp(icd->api, "host"))
            return true;
    return false;
}

static bool was_tested(const struct lad_run *run, const struct lad_device *device)
{
    bool host_counts = device || !wanted_drivers(run);
    for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++)
        if ((device ? !strcmp(r->device, device->slug) : host_counts || strcmp(r->device, "host")) &&
            (r->status == LAD_STATUS_PASS || (r->status >= LAD_STATUS_FAIL && r->status < LAD_STATUS_MISSING)))
            return true;
    return false;
}

static bool check_required(const struct lad_options *o, const struct lad_run *run)
{
    bool ok = true;
    for (const char **spec = o->require; *spec; spec++) {
        bool there = false, tested = false;
        for (const struct lad_device *d = run->device; d < run->device + run->n_devices; d++) {
            bool fits = lad_device_matches(d, *spec);
            there |= fits;
            tested |= fits && was_tested(run, d);
        }
        if (!tested)
            lad_error("--require %s: %s", *spec,
                      there ? "nothing was tested on this device" : "no such device in this run");
        ok = ok && tested;
    }
    return ok;
}

int lad_exit_status(const struct lad_options *o, const struct lad_run *run, int caught)
{
    bool bad = !check_required(o, run);
    if (caught)
        return 128 + caught;
    for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++)
        bad = bad || lad_record_bad(r);
    if (bad)
        return LAD_EXIT_FAILED;
    return was_tested(run, NULL) ? LAD_EXIT_OK : LAD_EXIT_NOTHING;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

bool lad_colour(const struct lad_options *o, FILE *stream)
{
    const char *term = getenv("TERM"), *force = getenv("CLICOLOR_FORCE");
    if (strcmp(o->color, "auto"))
        return !strcmp(o->color, "always");
    if (is_set("NO_COLOR"))
        return false;
    if (is_set("FORCE_COLOR") || (force && *force && strcmp(force, "0")))
        return true;
    return isatty(fileno(stream)) && term && strcmp(term, "dumb");
}

FILE *lad_text_stream(const struct lad_options *o)
{
    const char *paths[] = {o->junit, o->json, o->markdown};
    for (size_t i = 0; i < LAD_N(paths); i++)
        if (paths[i] && !strcmp(paths[i], "-"))
            return stderr;
    return stdout;
}
