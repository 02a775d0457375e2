/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder exam: every fault made on purpose in a case that shows it, by the machinery of a run; then clean cases that
 * only look like faults, and the clean ladder; then how often the diagnosis was right. */
#include "../backends/layers/inject.h"
#include "../reports/report.h"
#include "exam.h"
#include "registry.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXAM_OUTPUT "test-results/exam"

struct screen {
    struct lad_arena *arena;
    FILE *text;
    bool colour, line, all;
    size_t n_ended, n_faults;
    const struct exam *exam;
};

static void clear_line(const struct screen *s)
{
    if (s->line)
        fputs("\r\x1b[K", stderr);
}

static struct exam_mark *find_mark(const struct exam *exam, const struct lad_record *r)
{
    for (size_t i = 0; i < exam->n_marks + exam->n_pair_marks; i++)
        if (exam->mark[i].record == r)
            return &exam->mark[i];
    return NULL;
}

static void show_began(void *arg, const struct lad_run *run, const struct lad_record *r)
{
    const struct screen *s = arg;
    if (!s->line)
        return;
    clear_line(s);
    fprintf(stderr, "%zu/%zu  %s  %s", s->n_ended, run->n_records, r->device, r->inject ? r->inject : r->id);
    fflush(stderr);
}

static void show_ended(void *arg, const struct lad_run *run, const struct lad_record *r)
{
    struct screen *s = arg;
    struct exam_mark *m = find_mark(s->exam, r);
    s->n_ended++;
    if (m)
        exam_mark(s->arena, m);
    if (m && m->with) /* judged together with its other case, at the end */
        return;
    if (m) {
        bool fine = m->verdict == EXAM_CLEAN || m->verdict == EXAM_IDLE || m->verdict == EXAM_UNMADE ||
                    (m->verdict <= EXAM_OPEN && m->place);
        if (!fine || s->all) {
            clear_line(s);
            exam_show_mark(s->text, s->arena, m, s->colour);
            fflush(s->text);
        }
    } else if (lad_record_bad(r)) {
        clear_line(s);
        lad_text_record(s->text, run, r, s->colour, true);
        fflush(s->text);
    }
    if (!s->line && lad_verbosity >= 0 && s->n_ended % 25 == 0)
        fprintf(stderr, "%zu of %zu\n", s->n_ended, run->n_records);
}

static bool is_asked_for(const struct lad_options *o, const struct exam_row *row)
{
    const char **want = o->classes;
    while (*want && strcmp(*want, row->cause) && !lad_glob(*want, row->fault))
        want++;
    return *want || !*o->classes;
}

static const struct lad_case *find_case(const struct lad_cases *cases, const char *id)
{
    for (size_t i = 0; i < cases->n; i++)
        if (!strcmp(cases->item[i].id, id))
            return &cases->item[i];
    return NULL;
}

static size_t api_length(const char *spec)
{
    return strcspn(spec, ":-");
}

static bool is_of_api(const struct lad_device *d, const char *slug)
{
    size_t n = api_length(slug);
    return n == api_length(d->spec) && !strncmp(d->spec, slug, n);
}

static const char *layer_of(struct lad_arena *arena, const char *fault)
{
    struct lad_injection set = {0};
    char why[400];
    if (!lad_inject_add(&set, fault, why, sizeof why))
        lad_error("%s: %s", lad_exam_expected.name, why);
    (void)arena;
    enum lad_depth depth = set.n ? lad_faults[set.item[0].id].depth : LAD_DEPTH_DECORATOR;
    return depth == LAD_DEPTH_VULKAN ? "vk" : depth == LAD_DEPTH_OPENCL ? "cl" : NULL;
}

static void add_record(struct lad_arena *arena, struct lad_run *run, const struct lad_case *c,
                       const struct lad_device *d, const char *inject, const char *layer)
{
    struct lad_record *r = lad_plan_add(arena, run, c, d);
    r->inject = inject;
    r->layer = layer;
}

/* The rows that a device is asked, in the order of the file; with --quick the first of each class, on the first device
 * of its API. */
static bool plan_faults(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                        struct exam *exam, struct lad_run *run, const struct exam_row ***rows)
{
    size_t n_rows = 0;
    const char *seen = "";
    bool *taken = lad_alloc(arena, exam->n_rows + 1);
    for (size_t i = 0; i < exam->n_rows; i++) {
        const struct exam_row *row = &exam->row[i];
        size_t k = 0;
        while (row->case_id && k < run->n_devices && !is_of_api(&run->device[k], row->device))
            k++;
        taken[i] = row->case_id && k < run->n_devices && is_asked_for(o, row) &&
                   (!o->quick || !lad_has_word(seen, row->cause));
        if (taken[i])
            seen = lad_printf(arena, "%s %s", seen, row->cause);
    }
    for (size_t k = 0; k < run->n_devices; k++)
        for (size_t i = 0; i < exam->n_rows; i++) {
            const struct exam_row *row = &exam->row[i];
            if (!taken[i] || !is_of_api(&run->device[k], row->device))
                continue;
            if (o->quick) {
                size_t first = 0;
                while (!is_of_api(&run->device[first], row->device))
                    first++;
                if (first != k)
                    continue;
            }
            const struct lad_case *c = find_case(cases, row->case_id);
            if (!c) {
                lad_error("%s: %s: there is no case %s", lad_exam_expected.name, row->fault, row->case_id);
                return false;
            }
            add_record(arena, run, c, &run->device[k], row->fault, layer_of(arena, row->fault));
            *LAD_PUSH(arena, *rows, n_rows) = row;
        }
    return true;
}

/* Clean cases that look like faults; some of them with a layer in between that does nothing. */
static void plan_lookalikes(struct lad_arena *arena, const struct lad_cases *cases, const struct lad_cases *alike,
                            struct lad_run *run)
{
    static const char *const through[] = {"nonce-echo", "memory-upload-device", "vector-add", "two-dispatches"};
    for (const struct lad_device *d = run->device; d < run->device + run->n_devices; d++) {
        const char *layer = strncmp(d->spec, "vk", 2) ? strncmp(d->spec, "cl", 2) ? NULL : "cl" : "vk";
        for (size_t i = 0; i < alike->n; i++)
            add_record(arena, run, &alike->item[i], d, NULL, NULL);
        for (size_t i = 0; layer && i < LAD_N(through); i++)
            if (find_case(cases, through[i]))
                add_record(arena, run, find_case(cases, through[i]), d, NULL, layer);
    }
}

/* Two faults at once, in the case of each: so many pairs of the rows that each device was asked. */
static void plan_pairs(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                       const struct exam_row *const *rows, size_t n_rows, struct exam *exam, struct lad_run *run)
{
    for (size_t k = 0, from = 0, to; k < run->n_devices; k++, from = to) {
        const struct exam_row *a, *b;
        for (to = from; to < n_rows && run->record[to].device == run->device[k].slug;)
            to++;
        for (size_t i = 0; i < o->pairs && exam_pair_pick(rows + from, to - from, i, &a, &b); i++) {
            const char *both = lad_printf(arena, "%s;%s", a->fault, b->fault);
            size_t n = strcmp(a->case_id, b->case_id) ? 2 : 1;
            *LAD_PUSH(arena, exam->pair, exam->n_pairs) = (struct exam_pair){.n = n};
            for (size_t j = 0; j < n; j++) {
                add_record(arena, run, find_case(cases, j ? b->case_id : a->case_id), &run->device[k], both,
                           layer_of(arena, a->fault));
                *LAD_PUSH(arena, exam->mark, exam->n_pair_marks) =
                    (struct exam_mark){.row = a, .with = b, .verdict = EXAM_ABSENT};
            }
        }
    }
}

/* Records of one device are shared out among several copies of it, which then run at the same time. */
static void share_out(struct lad_arena *arena, uint32_t jobs, struct exam *exam, struct lad_run *run)
{
    size_t n = run->n_devices, copies = n && jobs > n ? (jobs + n - 1) / n : 1, n_records = 0;
    struct lad_device *device = lad_alloc(arena, (n * copies + 1) * sizeof *device);
    struct lad_record *record = lad_alloc(arena, (run->n_records + 1) * sizeof *record);
    for (size_t k = 0; k < n * copies; k++) {
        size_t of = 0;
        device[k] = run->device[k / copies];
        for (size_t i = 0; i < run->n_records; i++) {
            if (run->record[i].device != run->device[k / copies].slug || of++ % copies != k % copies)
                continue;
            exam->mark[i].record = &record[n_records];
            record[n_records] = run->record[i];
            record[n_records++].device = device[k].slug;
        }
    }
    run->device = device;
    run->n_devices = n * copies;
    run->record = record;
}

static bool hold(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                 const struct lad_cases *alike, struct exam *exam, struct lad_run *run, struct screen *s)
{
    struct lad_cases all = {0};
    const struct exam_row **rows = NULL;
    for (size_t i = 0; i < cases->n; i++)
        *LAD_PUSH(arena, all.item, all.n) = cases->item[i];
    for (size_t i = 0; i < alike->n; i++)
        *LAD_PUSH(arena, all.item, all.n) = alike->item[i];
    if (!plan_faults(arena, o, cases, exam, run, &rows))
        return false;
    size_t n_faults = run->n_records;
    if (!*o->classes)
        plan_lookalikes(arena, cases, alike, run);
    exam->n_marks = run->n_records;
    plan_pairs(arena, o, cases, rows, n_faults, exam, run);
    struct exam_mark *of_pairs = exam->mark;
    exam->mark = lad_alloc(arena, (run->n_records + 1) * sizeof *exam->mark);
    for (size_t i = 0; i < exam->n_marks; i++)
        exam->mark[i] = (struct exam_mark){.row = i < n_faults ? rows[i] : NULL, .verdict = EXAM_ABSENT};
    for (size_t i = 0, at = exam->n_marks; i < exam->n_pairs; at += exam->pair[i++].n)
        exam->pair[i].mark = &exam->mark[at];
    if (exam->n_pair_marks)
        memcpy(exam->mark + exam->n_marks, of_pairs, exam->n_pair_marks * sizeof *of_pairs);
    share_out(arena, o->jobs, exam, run);
    exam->run = run;
    const struct lad_watch watch = {show_began, show_ended, NULL, s};
    if (lad_verbosity >= 0)
        fprintf(stderr, "%zu faults, %zu clean look-alikes, %zu pairs of faults\n", n_faults, exam->n_marks - n_faults,
                exam->n_pairs);
    bool ok = lad_run_all(arena, o, &all, run, &watch);
    exam_pairs_judge(arena, exam);
    return ok;
}

/* The clean ladder, again and again: nothing may fail that was not known to. */
static bool climb(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                  const struct lad_run *devices, struct exam *exam, struct screen *s)
{
    for (uint32_t i = 0; i < o->clean && !lad_caught_signal(); i++) {
        struct lad_run run = *devices;
        run.record = NULL;
        run.n_records = 0;
        if (!lad_plan(arena, o, cases, &run))
            return false;
        const struct lad_watch watch = {show_began, show_ended, NULL, s};
        s->n_ended = 0;
        if (lad_verbosity >= 0)
            fprintf(stderr, "clean ladder %u of %u, %zu cases\n", i + 1, o->clean, run.n_records);
        if (!lad_run_all(arena, o, cases, &run, &watch))
            return false;
        for (size_t k = 0; k < run.n_records; k++) {
            exam->n_clean += run.record[k].status != LAD_STATUS_SKIP;
            const struct lad_record *r = &run.record[k]; /* a known defect that is gone is none */
            exam->n_alarms += lad_record_bad(r) && r->status >= LAD_STATUS_FAIL && r->status != LAD_STATUS_MISSING;
        }
        exam->repeats++;
    }
    return true;
}

static bool write_junit(FILE *out, const void *arg)
{
    struct lad_arena *arena = lad_arena_create();
    struct lad_options options = {.flavor = "default"};
    const struct lad_report *const *report = lad_reports;
    while (*report && strcmp((*report)->name, "junit"))
        report++;
    bool ok = *report && (*report)->write(out, exam_as_run(arena, arg), &options);
    lad_arena_destroy(&arena);
    return ok;
}

static bool publish(struct lad_arena *arena, const struct lad_options *o, const struct exam *exam)
{
    bool ok = lad_write_file(o->json ? o->json : lad_printf(arena, "%s/exam.json", o->output), exam_write_json, exam);
    if (o->junit)
        ok = lad_write_file(o->junit, write_junit, exam) && ok;
    if (o->markdown)
        ok = lad_write_file(o->markdown, exam_write_markdown, exam) && ok;
    return ok;
}

static int hold_and_show(struct lad_arena *arena, struct lad_options *o, struct exam *exam,
                         const struct lad_cases *cases, const struct lad_cases *alike, struct lad_run *run)
{
    const char *term = getenv("TERM");
    struct screen s = {.arena = arena, .text = lad_text_stream(o), .exam = exam, .all = lad_verbosity > 0};
    struct lad_run devices = *run;
    uint64_t start = lad_now_ns();
    s.colour = lad_colour(o, s.text);
    s.line = lad_verbosity >= 0 && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") && !getenv("CI");
    if (!lad_make_dir(o->output))
        return LAD_EXIT_HARNESS;
    lad_catch_signals();
    bool ok = hold(arena, o, cases, alike, exam, run, &s);
    if (ok)
        ok = climb(arena, o, cases, &devices, exam, &s);
    clear_line(&s);
    exam->time_ns = lad_now_ns() - start;
    lad_inventory_hang_up();
    ok = publish(arena, o, exam) && ok;
    exam_show(s.text, arena, exam);
    fflush(s.text);
    if (!ok)
        return LAD_EXIT_HARNESS;
    return !exam_score(exam, NULL).judged ? LAD_EXIT_NOTHING : exam_passed(exam) ? LAD_EXIT_OK : LAD_EXIT_FAILED;
}

static bool check_classes(const struct lad_options *o, const struct exam *exam)
{
    for (const char **want = o->classes; *want; want++) {
        const char *near = NULL;
        size_t i = 0;
        for (; i < exam->n_rows; i++) {
            near = lad_nearest(*want, near, exam->row[i].cause);
            if (!strcmp(*want, exam->row[i].cause) || lad_glob(*want, exam->row[i].fault))
                break;
        }
        if (i < exam->n_rows)
            continue;
        lad_error("--class %s: neither a class of the catalogue nor a fault%s%s%s; 'gpuladder list faults' names them",
                  *want, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        return false;
    }
    return true;
}

static int run(struct lad_arena *arena, const struct lad_options *given)
{
    struct lad_options o = *given;
    struct lad_cases cases = {0}, alike = {0};
    struct lad_inventory inv;
    struct lad_run run = {0};
    struct exam exam = {0};
    const char *const *want = *o.device ? o.device : NULL;
    if (!strcmp(o.output, LAD_DEFAULT_OUTPUT))
        o.output = EXAM_OUTPUT;
    o.keep_going = true;
    if (!o.seed_given)
        o.seed = 1; /* an exam is to be held again */
    if (!exam_read(arena, &exam) || !check_classes(&o, &exam))
        return LAD_EXIT_USAGE;
    if (!lad_inventory_start(arena, want, lad_start_ms(&o)))
        return LAD_EXIT_HARNESS;
    if (!lad_cases_load(arena, &o, &cases) ||
        !lad_case_parse(arena, (const char *)lad_exam_cases.start, (size_t)(lad_exam_cases.end - lad_exam_cases.start),
                        lad_exam_cases.name, false, &alike))
        return LAD_EXIT_USAGE;
    if (!lad_inventory_take(arena, want, lad_start_ms(&o), &inv))
        return LAD_EXIT_HARNESS;
    lad_run_describe(arena, &o, &inv, &run);
    int status = run.n_devices ? hold_and_show(arena, &o, &exam, &cases, &alike, &run) : LAD_EXIT_NOTHING;
    lad_inventory_release();
    return status;
}

const struct lad_command lad_command_exam = {
    .name = "exam",
    .summary = "make every fault on purpose, and score what the diagnosis says of it",
    .usage = "",
    .run = run,
    .more = "Faults of a wrapper are made on host, those of the layers on every Vulkan and OpenCL device. Exit status "
            "1 when a "
            "fault is missed, its cause or its place is wrong, or a clean case raises an alarm.",
};
