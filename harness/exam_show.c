/* SPDX-License-Identifier: Apache-2.0 */
/* The exam written down: lines and matrix for people, JSON and records for programs. */
#include "../reports/report.h"
#include "exam.h"
#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct exam_mark *m)
{
    return m->row ? m->row->fault : m->record->id;
}

/* "U1", "U1 or A2", "nothing" */
static const char *say_answer(struct lad_arena *arena, const struct exam_mark *m)
{
    static const char *const sure[] = {"open", "likely", "decided"};
    const struct lad_why *why = &m->why;
    if (!why->cause)
        return m->record->status < LAD_STATUS_FAIL ? "" : "nothing";
    if (why->sure == LAD_SURE_OPEN && why->other)
        return lad_printf(arena, "%s or %s", why->cause->id, why->other->id);
    return lad_printf(arena, "%s %s", why->cause->id, sure[why->sure]);
}

static const char *say_more(struct lad_arena *arena, const struct exam_mark *m)
{
    const struct lad_record *r = m->record;
    if (m->verdict == EXAM_IDLE || m->verdict == EXAM_UNMADE)
        return r->status == LAD_STATUS_PASS ? "did not strike" : r->message ? r->message : "";
    if (m->verdict <= EXAM_OPEN && !m->place)
        return lad_printf(arena, "place: %s %s, not %s %s", m->why.calls ? m->why.calls : "none",
                          m->why.at ? m->why.at : "", m->row->call, m->row->place);
    if (m->verdict == EXAM_MISSED)
        return lad_printf(arena, "%s passed", r->id);
    if (m->verdict == EXAM_UNNAMED || m->verdict == EXAM_WRONG)
        return lad_printf(arena, "expected %s; %s", m->row->cause, r->id);
    return r->status >= LAD_STATUS_FAIL && !m->row ? lad_headline(arena, r) : "";
}

void exam_show_mark(FILE *f, struct lad_arena *arena, const struct exam_mark *m, bool colour)
{
    bool good = m->verdict == EXAM_RIGHT || m->verdict == EXAM_OPEN || m->verdict == EXAM_CLEAN;
    bool place = m->verdict > EXAM_OPEN || m->place;
    const char *word = place ? exam_verdict_name(m->verdict) : "place";
    const char *paint = !colour                                                ? ""
                        : good && place                                        ? "\x1b[32m"
                        : m->verdict == EXAM_IDLE || m->verdict == EXAM_UNMADE ? "\x1b[33m"
                                                                               : "\x1b[31m";
    fprintf(f, "%s%-11s%s %-28s %-12s %-10s %4.1f s %2zu  %s\n", paint, word, *paint ? "\x1b[0m" : "", name_of(m),
            m->record->device, say_answer(arena, m), (double)m->record->time_ns / 1e9, m->record->n_trials,
            lad_show_line(arena, say_more(arena, m), 120));
}

/* What was named instead of one class, or beside it, and how often: "U1 5, U1 or A2 2". */
static const char *list_answers(struct lad_arena *arena, const struct exam *exam, const char *cause, const char *device)
{
    const char *list = "";
    bool *done = lad_alloc(arena, exam->n_marks + 1);
    for (size_t i = 0; i < exam->n_marks; i++) {
        const struct exam_mark *m = &exam->mark[i];
        size_t n = 0;
        if (done[i] || !m->row || strcmp(m->row->cause, cause) || (device && strcmp(m->record->device, device)) ||
            m->verdict == EXAM_IDLE || m->verdict == EXAM_UNMADE)
            continue;
        const char *answer = m->verdict == EXAM_MISSED ? "passed" : say_answer(arena, m);
        for (size_t k = i; k < exam->n_marks; k++) {
            const struct exam_mark *o = &exam->mark[k];
            if (!o->row || strcmp(o->row->cause, cause) || (device && strcmp(o->record->device, device)) ||
                o->verdict == EXAM_IDLE || o->verdict == EXAM_UNMADE ||
                strcmp(answer, o->verdict == EXAM_MISSED ? "passed" : say_answer(arena, o)))
                continue;
            done[k] = true;
            n++;
        }
        list = lad_printf(arena, "%s%s%s %zu", list, *list ? ", " : "", answer, n);
    }
    return list;
}

struct line { /* of the matrix: a class on one device */
    size_t n, of[EXAM_VERDICT_COUNT];
};

static struct line sum_class(const struct exam *exam, const char *cause, const char *device)
{
    struct line l = {0};
    for (const struct exam_mark *m = exam->mark; m < exam->mark + exam->n_marks; m++)
        if (m->row && !strcmp(m->row->cause, cause) && (!device || !strcmp(m->record->device, device))) {
            l.of[m->verdict]++;
            l.n++;
        }
    return l;
}

static void put_totals(FILE *f, const struct exam *exam, const char *device, const char *lead)
{
    struct exam_score s = exam_score(exam, device);
    size_t judged = s.judged ? s.judged : 1;
    fprintf(f, "%s%zu faults: detected %zu (%.0f %%); named, or honestly open, %zu (%.1f %%); place right %zu of %zu; ",
            lead, s.judged, s.judged - s.of[EXAM_MISSED],
            100.0 * (double)(s.judged - s.of[EXAM_MISSED]) / (double)judged, s.named,
            100.0 * (double)s.named / (double)judged, s.places, s.named);
    fprintf(f, "confidently wrong %zu (%.1f %%); false alarms %zu of %zu look-alikes\n", s.of[EXAM_WRONG],
            100.0 * (double)s.of[EXAM_WRONG] / (double)judged, s.of[EXAM_ALARM], s.of[EXAM_ALARM] + s.of[EXAM_CLEAN]);
}

/* Why faults could not be made on a device, once. */
static void put_unmade(FILE *f, struct lad_arena *arena, const struct exam *exam, const char *device)
{
    size_t n = exam_score(exam, device).of[EXAM_UNMADE];
    const struct exam_mark *m = exam->mark;
    while (n && (m->verdict != EXAM_UNMADE || strcmp(m->record->device, device)))
        m++;
    if (n)
        fprintf(f, "EXAM %s: for %zu faults: %s\n", device, n, lad_show_line(arena, say_more(arena, m), 0));
}

/* The first device of each slug; jobs make copies. */
static bool is_first(const struct lad_run *run, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (!strcmp(run->device[i].slug, run->device[k].slug))
            return false;
    return true;
}

void exam_show(FILE *f, struct lad_arena *arena, const struct exam *exam)
{
    fprintf(f, "\n%-6s %6s %5s %4s %7s %5s %6s %4s %8s  %s\n", "class", "faults", "right", "open", "unnamed", "wrong",
            "missed", "idle", "not made", "answers");
    for (int i = 0; i < lad_n_classes; i++) {
        const char *id = lad_classes[i].id;
        struct line l = sum_class(exam, id, NULL);
        if (l.n)
            fprintf(f, "%-6s %6zu %5zu %4zu %7zu %5zu %6zu %4zu %8zu  %s\n", id, l.n, l.of[EXAM_RIGHT], l.of[EXAM_OPEN],
                    l.of[EXAM_UNNAMED], l.of[EXAM_WRONG], l.of[EXAM_MISSED], l.of[EXAM_IDLE], l.of[EXAM_UNMADE],
                    list_answers(arena, exam, id, NULL));
    }
    fputc('\n', f);
    for (size_t k = 0; k < exam->run->n_devices; k++)
        if (is_first(exam->run, k)) {
            put_totals(f, exam, exam->run->device[k].slug, lad_printf(arena, "EXAM %s: ", exam->run->device[k].slug));
            put_unmade(f, arena, exam, exam->run->device[k].slug);
        }
    exam_pairs_show(f, arena, exam);
    if (exam->repeats)
        fprintf(f, "EXAM clean ladder, %u times: %zu alarms in %zu cases\n", exam->repeats, exam->n_alarms,
                exam->n_clean);
    put_totals(f, exam, NULL, "EXAM all: ");
    fprintf(f, "EXAM %s in %.0f s\n", exam_passed(exam) ? "passed" : "not passed", (double)exam->time_ns / 1e9);
}

static void set_text(json_t *json, struct lad_arena *arena, const char *name, const char *text)
{
    json_object_set_new(json, name, text ? json_string(lad_show_line(arena, text, 0)) : json_null());
}

static json_t *make_mark(struct lad_arena *arena, const struct exam_mark *m)
{
    static const char *const sure[] = {"open", "likely", "decided"};
    const struct lad_record *r = m->record;
    json_t *json = json_object(), *trials = json_array();
    set_text(json, arena, "name", name_of(m));
    set_text(json, arena, "device", r->device);
    set_text(json, arena, "case", r->id);
    set_text(json, arena, "status", lad_status_name(r->status));
    set_text(json, arena, "message", r->message);
    set_text(json, arena, "verdict", exam_verdict_name(m->verdict));
    if (m->row) {
        set_text(json, arena, "expected", m->row->cause);
        set_text(json, arena, "expected_call", m->row->call);
        set_text(json, arena, "expected_place", m->row->place);
        set_text(json, arena, "may_be_open_with", m->row->open);
        json_object_set_new(json, "hits", json_integer((json_int_t)r->n_hits));
    }
    set_text(json, arena, "named", m->why.cause ? m->why.cause->id : NULL);
    set_text(json, arena, "runner_up", m->why.other ? m->why.other->id : NULL);
    set_text(json, arena, "sure", m->why.cause ? sure[m->why.sure] : NULL);
    set_text(json, arena, "decision", m->why.verdict);
    set_text(json, arena, "place", m->why.place);
    set_text(json, arena, "calls", m->why.calls);
    set_text(json, arena, "at", m->why.at);
    json_object_set_new(json, "place_right", json_boolean(m->place));
    for (size_t i = 0; i < r->n_trials; i++)
        json_array_append_new(trials, json_pack("{s:s, s:s, s:f}", "name", r->trial[i].name, "result",
                                                r->trial[i].result, "seconds", (double)r->trial[i].time_ns / 1e9));
    json_object_set_new(json, "experiments", trials);
    json_object_set_new(json, "seconds", json_real((double)r->time_ns / 1e9));
    json_t *seen = json_array();
    for (size_t i = 0; i < r->n_obs; i++)
        json_array_append_new(seen, json_pack("{s:s, s:s?, s:I}", "name", r->obs[i].name, "on",
                                              r->obs[i].on ? lad_show_line(arena, r->obs[i].on, 200) : NULL, "value",
                                              (json_int_t)r->obs[i].value));
    json_object_set_new(json, "observations", seen);
    return json;
}

static json_t *make_totals(const struct exam *exam, const char *device)
{
    struct exam_score s = exam_score(exam, device);
    return json_pack("{s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "device", device, "faults",
                     (json_int_t)s.judged, "detected", (json_int_t)(s.judged - s.of[EXAM_MISSED]), "named",
                     (json_int_t)s.named, "open", (json_int_t)s.of[EXAM_OPEN], "confidently_wrong",
                     (json_int_t)s.of[EXAM_WRONG], "places_right", (json_int_t)s.places, "idle",
                     (json_int_t)s.of[EXAM_IDLE], "not_made", (json_int_t)s.of[EXAM_UNMADE], "experiments",
                     (json_int_t)s.trials, "false_alarms", (json_int_t)s.of[EXAM_ALARM]);
}

static json_t *make_matrix(const struct exam *exam)
{
    json_t *matrix = json_object();
    for (const struct exam_mark *m = exam->mark; m < exam->mark + exam->n_marks; m++) {
        if (!m->row || m->verdict >= EXAM_IDLE)
            continue;
        json_t *line = json_object_get(matrix, m->row->cause);
        if (!line)
            json_object_set_new(matrix, m->row->cause, line = json_object());
        const char *named = m->verdict == EXAM_MISSED ? "passed"
                            : m->verdict == EXAM_OPEN ? m->row->cause /* one of the two */
                            : m->why.cause            ? m->why.cause->id
                                                      : "nothing";
        json_object_set_new(line, named, json_integer(json_integer_value(json_object_get(line, named)) + 1));
    }
    return matrix;
}

bool exam_write_json(FILE *f, const void *arg)
{
    const struct exam *exam = arg;
    struct lad_arena *arena = lad_arena_create();
    json_t *marks = json_array(), *devices = json_array(), *unshown = json_array();
    for (const struct exam_mark *m = exam->mark; m < exam->mark + exam->n_marks; m++)
        json_array_append_new(marks, make_mark(arena, m));
    for (size_t k = 0; k < exam->run->n_devices; k++)
        if (is_first(exam->run, k))
            json_array_append_new(devices, make_totals(exam, exam->run->device[k].slug));
    for (const struct exam_row *row = exam->row; row < exam->row + exam->n_rows; row++)
        if (!row->case_id)
            json_array_append_new(unshown, json_pack("{s:s, s:s}", "name", row->fault, "why", row->open));
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:f, s:b, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}}", "format", "gpuladder-exam-1",
                  "version", exam->run->version, "host", exam->run->host, "seconds", (double)exam->time_ns / 1e9,
                  "passed", exam_passed(exam), "totals", make_totals(exam, NULL), "devices", devices, "matrix",
                  make_matrix(exam), "faults", marks, "without_a_case", unshown, "clean_ladder", "times",
                  (json_int_t)exam->repeats, "cases", (json_int_t)exam->n_clean, "alarms", (json_int_t)exam->n_alarms);
    if (exam->n_pairs)
        json_object_set_new(all, "pairs", exam_pairs_json(arena, exam));
    int failed = json_dumpf(all, f, JSON_INDENT(1));
    json_decref(all);
    lad_arena_destroy(&arena);
    return !failed && fputc('\n', f) != EOF;
}

bool exam_write_markdown(FILE *f, const void *arg)
{
    const struct exam *exam = arg;
    struct lad_arena *arena = lad_arena_create();
    for (size_t k = 0; k < exam->run->n_devices; k++) {
        const char *slug = exam->run->device[k].slug;
        if (!is_first(exam->run, k))
            continue;
        fprintf(f, "## %s\n\n", slug);
        put_totals(f, exam, slug, "");
        fputs("\n| class | faults | right | open | unnamed | wrong | missed | idle | not made | answers "
              "|\n|---|---|---|---|---|---|---|---|---|---|\n",
              f);
        for (int i = 0; i < lad_n_classes; i++) {
            struct line l = sum_class(exam, lad_classes[i].id, slug);
            if (l.n)
                fprintf(f, "| %s | %zu | %zu | %zu | %zu | %zu | %zu | %zu | %zu | %s |\n", lad_classes[i].id, l.n,
                        l.of[EXAM_RIGHT], l.of[EXAM_OPEN], l.of[EXAM_UNNAMED], l.of[EXAM_WRONG], l.of[EXAM_MISSED],
                        l.of[EXAM_IDLE], l.of[EXAM_UNMADE], list_answers(arena, exam, lad_classes[i].id, slug));
        }
        fputc('\n', f);
        put_unmade(f, arena, exam, slug);
        for (const struct exam_mark *m = exam->mark; m < exam->mark + exam->n_marks; m++)
            if (!strcmp(m->record->device, slug) && m->verdict != EXAM_CLEAN && m->verdict != EXAM_UNMADE &&
                !(m->verdict <= EXAM_OPEN && m->place))
                fprintf(f, "- %s: %s, %s%s%s\n", name_of(m), exam_verdict_name(m->verdict), say_answer(arena, m),
                        *say_answer(arena, m) ? " " : "", lad_show_line(arena, say_more(arena, m), 200));
        fputc('\n', f);
        exam_pairs_write_markdown(f, arena, exam, slug);
    }
    lad_arena_destroy(&arena);
    return !ferror(f);
}

struct lad_run *exam_as_run(struct lad_arena *arena, const struct exam *exam)
{
    struct lad_run *run = lad_alloc(arena, sizeof *run);
    *run = *exam->run;
    run->record = NULL;
    run->n_records = run->n_devices = 0;
    run->device = lad_alloc(arena, (exam->run->n_devices + 1) * sizeof *run->device);
    for (size_t k = 0; k < exam->run->n_devices; k++)
        if (is_first(exam->run, k))
            run->device[run->n_devices++] = exam->run->device[k];
    for (struct lad_device *d = run->device; d < run->device + run->n_devices; d++)
        for (const struct exam_mark *m = exam->mark; m < exam->mark + exam->n_marks; m++) {
            bool good = m->verdict == EXAM_CLEAN || (m->verdict <= EXAM_OPEN && m->place);
            if (strcmp(m->record->device, d->slug))
                continue;
            *LAD_PUSH(arena, run->record, run->n_records) =
                (struct lad_record){.id = name_of(m),
                                    .file = m->record->file,
                                    .group = "exam",
                                    .rung = m->record->rung,
                                    .device = d->slug,
                                    .proves = m->row ? m->row->cause : m->record->proves,
                                    .spec = d->spec,
                                    .seed = run->seed,
                                    .exit_code = -1,
                                    .time_ns = m->record->time_ns,
                                    .tries = 1,
                                    .status = good                        ? LAD_STATUS_PASS
                                              : m->verdict == EXAM_IDLE   ? LAD_STATUS_SKIP
                                              : m->verdict == EXAM_ABSENT ? LAD_STATUS_MISSING
                                                                          : LAD_STATUS_FAIL,
                                    .type = good || m->verdict == EXAM_IDLE ? NULL : "ladder.exam",
                                    .message = good ? NULL
                                                    : lad_printf(arena, "%s: %s %s", exam_verdict_text(m->verdict),
                                                                 say_answer(arena, m), say_more(arena, m))};
        }
    for (struct lad_device *d = run->device; d < run->device + run->n_devices; d++)
        exam_pairs_as_records(arena, exam, d, run);
    run->complete = true;
    return run;
}
