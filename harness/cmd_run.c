/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder run: find the devices, plan, run, report. */
#include "../reports/report.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is shown while it runs: failures on the text stream, progress on stderr. */
struct screen {
    const struct lad_options *options;
    FILE *text;
    bool colour, all, line, quiet; /* line: stderr is a terminal, progress is one line written over and over */
    size_t n_ended;
};

static void clear_line(const struct screen *s)
{
    if (s->line)
        fputs("\r\x1b[K", stderr);
}

static void show_began(void *arg, const struct lad_run *run, const struct lad_record *r)
{
    const struct screen *s = arg;
    if (!s->line)
        return;
    clear_line(s);
    fprintf(stderr, "%zu/%zu  %s  %s", s->n_ended, run->n_records, r->device, r->id);
    fflush(stderr);
}

/* What the records of this one's rung and device came to, once the last of them has ended. */
static void show_rung(const struct lad_run *run, const struct lad_record *r)
{
    const struct lad_record *first = r, *after = r + 1, *end = run->record + run->n_records;
    size_t n[LAD_STATUS_COUNT] = {0};
    while (first > run->record && first[-1].rung == r->rung && first[-1].device == r->device)
        first--;
    if (after < end && after->rung == r->rung && after->device == r->device)
        return;
    for (; first < after; first++)
        n[first->status]++;
    fprintf(stderr, "%s  rung %d %s:", r->device, r->rung, r->group);
    for (int i = 0, some = 0; i < LAD_STATUS_COUNT; i++)
        if (n[i])
            fprintf(stderr, "%s %zu %s", some++ ? "," : "", n[i], lad_status_name((enum lad_status)i));
    fputc('\n', stderr);
}

static void show_ended(void *arg, const struct lad_run *run, const struct lad_record *r)
{
    struct screen *s = arg;
    s->n_ended++;
    if (lad_record_bad(r) || lad_verbosity > 0) {
        clear_line(s);
        lad_text_record(s->text, run, r, s->colour, s->all);
        fflush(s->text);
    }
    if (!s->line && !s->quiet)
        show_rung(run, r);
}

static void show_waiting(void *arg, const struct lad_run *run, const struct lad_record *r, uint64_t for_ns)
{
    const struct screen *s = arg;
    (void)run;
    if (s->quiet)
        return;
    clear_line(s);
    fprintf(stderr, "%s  %s: under way for %.0f s%s", r->device, r->id, (double)for_ns / 1e9, s->line ? "" : "\n");
    fflush(stderr);
}

static int print_plan(const struct lad_run *run)
{
    for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++) {
        printf("%s/%s", r->device, r->id);
        if (r->status == LAD_STATUS_SKIP)
            printf("  # %s", r->message);
        else if (r->known)
            printf("  # known to end in %s: %s", lad_status_name(r->known_status), r->known);
        else if (r->flake)
            printf("  # fails now and then: %s", r->flake);
        printf("\n");
    }
    return run->n_records ? LAD_EXIT_OK : LAD_EXIT_NOTHING;
}

static int run_plan(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                    struct lad_run *run)
{
    const char *term = getenv("TERM");
    struct screen s = {.options = o, .text = lad_text_stream(o), .quiet = lad_verbosity < 0};
    s.colour = lad_colour(o, s.text);
    s.all = lad_verbosity > 0 || !isatty(fileno(s.text)) || getenv("CI");
    s.line = !s.quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") && !getenv("CI");
    const struct lad_watch watch = {show_began, show_ended, show_waiting, &s};
    if (!s.quiet)
        fprintf(stderr, "seed 0x%llx, %zu case%s on %zu device%s%s\n", (unsigned long long)run->seed, run->n_records,
                run->n_records == 1 ? "" : "s", run->n_devices, run->n_devices == 1 ? "" : "s",
                o->shards ? lad_printf(arena, ", shard %d of %d", o->shard, o->shards) : "");
    if (!lad_make_dir(o->output))
        return LAD_EXIT_HARNESS;
    lad_catch_signals();
    bool ok = lad_run_all(arena, o, cases, run, &watch);
    clear_line(&s);
    lad_inventory_hang_up(); /* drivers take their time to close */
    lad_findings(arena, run->record, run->n_records);
    ok = lad_publish(arena, o, run) && ok;
    lad_text_summary(s.text, run, s.colour);
    fflush(s.text);
    int status = lad_exit_status(o, run, lad_caught_signal());
    return ok ? status : LAD_EXIT_HARNESS;
}

static int run(struct lad_arena *arena, const struct lad_options *o)
{
    struct lad_cases cases = {0};
    struct lad_inventory inv;
    struct lad_run run = {0};
    int status = LAD_EXIT_USAGE;
    const char *const *want = *o->device ? o->device : NULL;
    if (!lad_faults_prepare(arena, o))
        return LAD_EXIT_USAGE;
    bool started = lad_inventory_start(arena, want, lad_start_ms(o)), loaded = lad_cases_load(arena, o, &cases);
    if (!started || !loaded)
        return started ? LAD_EXIT_USAGE : LAD_EXIT_HARNESS; /* the drivers that start die with us */
    if (!lad_inventory_take(arena, want, lad_start_ms(o), &inv))
        return LAD_EXIT_HARNESS;
    lad_run_describe(arena, o, &inv, &run);
    if (lad_plan(arena, o, &cases, &run))
        status = o->dry_run ? print_plan(&run) : run_plan(arena, o, &cases, &run);
    lad_inventory_release();
    return status;
}

const struct lad_command lad_command_run = {
    .name = "run",
    .summary = "climb the ladder on every device, or on those named, and leave reports",
    .usage = "",
    .run = run,
};
