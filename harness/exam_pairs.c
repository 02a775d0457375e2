/* SPDX-License-Identifier: Apache-2.0 */
/* Two faults at once: which pairs, whether both causes are among the findings, and the answers written down. */
#include "../reports/report.h"
#include "exam.h"
#include <string.h>

#define EXAM_PAIR(sym, name, words) name,
static const char *const verdicts[] = {EXAM_PAIR_VERDICTS(EXAM_PAIR)};
#undef EXAM_PAIR
#define EXAM_PAIR(sym, name, words) words,
static const char *const texts[] = {EXAM_PAIR_VERDICTS(EXAM_PAIR)};
#undef EXAM_PAIR

/* Far from one another in the list, where neighbours are of one class; every pair comes once. */
bool exam_pair_pick(const struct exam_row *const *rows, size_t n, size_t which, const struct exam_row **a,
                    const struct exam_row **b)
{
    for (size_t far = n / 2; far >= 1; far--)
        for (size_t i = 0; i < (2 * far == n ? far : n); i++) {
            size_t at = n % 7 ? i * 7 % n : i;
            *a = rows[at];
            *b = rows[(at + far) % n];
            if (strcmp((*a)->cause, (*b)->cause) && !which--)
                return true;
        }
    return false;
}

static bool names(const struct lad_why *why, const struct exam_row *row)
{
    return (why->cause && !strcmp(why->cause->id, row->cause)) ||
           (why->sure == LAD_SURE_OPEN && why->other && !strcmp(why->other->id, row->cause));
}

static enum exam_pair_verdict judge(struct lad_arena *arena, const struct exam_pair *pair)
{
    struct lad_record *record = lad_alloc(arena, pair->n * sizeof *record);
    bool failed = false, struck = false, wrong = false, first = false, second = false;
    for (size_t i = 0; i < pair->n; i++)
        record[i] = *pair->mark[i].record;
    lad_findings(arena, record, pair->n);
    for (size_t i = 0; i < pair->n; i++) {
        const struct lad_why *why = record[i].why;
        if (why)
            pair->mark[i].why = *why; /* what the two cases say together */
        struck = struck || record[i].n_hits;
        failed = failed || record[i].status >= LAD_STATUS_FAIL;
        if (!why)
            continue;
        bool one = names(why, pair->mark->row), other = names(why, pair->mark->with);
        first = first || one;
        second = second || other;
        wrong = wrong || (why->cause && why->sure != LAD_SURE_OPEN && !one && !other);
    }
    return !failed           ? struck ? EXAM_PAIR_MISSED : EXAM_PAIR_IDLE
           : wrong           ? EXAM_PAIR_WRONG
           : first && second ? EXAM_PAIR_BOTH
           : first || second ? EXAM_PAIR_ONE
                             : EXAM_PAIR_UNNAMED;
}

void exam_pairs_judge(struct lad_arena *arena, struct exam *exam)
{
    for (struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++)
        p->verdict = judge(arena, p);
}

struct sum {
    size_t of[EXAM_PAIR_COUNT], judged;
};

static struct sum add_up(const struct exam *exam, const char *device)
{
    struct sum s = {0};
    for (const struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++)
        if (!device || !strcmp(device, p->mark->record->device)) {
            s.of[p->verdict]++;
            s.judged += p->verdict != EXAM_PAIR_IDLE;
        }
    return s;
}

bool exam_pairs_passed(const struct exam *exam)
{
    struct sum s = add_up(exam, NULL);
    return 100 * s.of[EXAM_PAIR_WRONG] <= s.judged;
}

static const char *name_pair(struct lad_arena *arena, const struct exam_pair *p)
{
    return lad_printf(arena, "%s + %s", p->mark->row->fault, p->mark->with->fault);
}

static const char *say_answers(struct lad_arena *arena, const struct exam_pair *p)
{
    const char *list = "";
    for (const struct exam_mark *m = p->mark; m < p->mark + p->n; m++) {
        const struct lad_why *why = &m->why;
        list = lad_printf(arena, "%s%s%s: %s%s%s", list, *list ? "; " : "", m->record->id,
                          m->record->status < LAD_STATUS_FAIL ? lad_status_name(m->record->status)
                          : why->cause                        ? why->cause->id
                                                              : "nothing",
                          why->cause && why->sure == LAD_SURE_OPEN && why->other ? " or " : "",
                          why->cause && why->sure == LAD_SURE_OPEN && why->other ? why->other->id : "");
    }
    return list;
}

static void put_totals(FILE *f, const struct sum *s)
{
    size_t n = s->judged ? s->judged : 1;
    fprintf(f, "%zu pairs: both named %zu, one %zu, neither %zu, missed %zu; ", s->judged, s->of[EXAM_PAIR_BOTH],
            s->of[EXAM_PAIR_ONE], s->of[EXAM_PAIR_UNNAMED], s->of[EXAM_PAIR_MISSED]);
    fprintf(f, "confidently wrong %zu (%.1f %%)", s->of[EXAM_PAIR_WRONG],
            100.0 * (double)s->of[EXAM_PAIR_WRONG] / (double)n);
    if (s->of[EXAM_PAIR_IDLE])
        fprintf(f, "; %zu did not strike", s->of[EXAM_PAIR_IDLE]);
    fputc('\n', f);
}

static bool is_bad(const struct exam_pair *p)
{
    return p->verdict == EXAM_PAIR_WRONG || p->verdict == EXAM_PAIR_UNNAMED || p->verdict == EXAM_PAIR_MISSED;
}

static bool is_first(const struct exam *exam, const struct exam_pair *p)
{
    const struct exam_pair *before = exam->pair;
    while (before < p && strcmp(before->mark->record->device, p->mark->record->device))
        before++;
    return before == p;
}

void exam_pairs_show(FILE *f, struct lad_arena *arena, const struct exam *exam)
{
    for (const struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++)
        if (is_bad(p))
            fprintf(f, "%-11s %s  %s: %s\n", verdicts[p->verdict], name_pair(arena, p), p->mark->record->device,
                    lad_show_line(arena, say_answers(arena, p), 200));
    for (const struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++)
        if (is_first(exam, p)) {
            struct sum s = add_up(exam, p->mark->record->device);
            fprintf(f, "EXAM %s, ", p->mark->record->device);
            put_totals(f, &s);
        }
}

json_t *exam_pairs_json(struct lad_arena *arena, const struct exam *exam)
{
    static const char *const sure[] = {"open", "likely", "decided"};
    json_t *list = json_array();
    for (const struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++) {
        json_t *cases = json_array();
        for (const struct exam_mark *m = p->mark; m < p->mark + p->n; m++)
            json_array_append_new(
                cases, json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:I}", "case", m->record->id, "status",
                                 lad_status_name(m->record->status), "named", m->why.cause ? m->why.cause->id : NULL,
                                 "runner_up", m->why.other ? m->why.other->id : NULL, "sure",
                                 m->why.cause ? sure[m->why.sure] : NULL, "hits", (json_int_t)m->record->n_hits));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", name_pair(arena, p), "device",
                                              p->mark->record->device, "verdict", verdicts[p->verdict], "meaning",
                                              texts[p->verdict], "cases", cases));
    }
    struct sum s = add_up(exam, NULL);
    json_t *totals = json_object();
    for (int i = 0; i < EXAM_PAIR_COUNT; i++)
        json_object_set_new(totals, verdicts[i], json_integer((json_int_t)s.of[i]));
    return json_pack("{s:o, s:o}", "totals", totals, "list", list);
}

void exam_pairs_write_markdown(FILE *f, struct lad_arena *arena, const struct exam *exam, const char *device)
{
    struct sum s = add_up(exam, device);
    if (!s.judged)
        return;
    fputs("Two faults at once, ", f);
    put_totals(f, &s);
    fputc('\n', f);
    for (const struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++)
        if (is_bad(p) && !strcmp(p->mark->record->device, device))
            fprintf(f, "- %s: %s; %s\n", name_pair(arena, p), texts[p->verdict],
                    lad_show_line(arena, say_answers(arena, p), 200));
    fputc('\n', f);
}

static const char *say_miss(struct lad_arena *arena, const struct exam_pair *p)
{
    return lad_printf(arena, "%s: %s", texts[p->verdict], say_answers(arena, p));
}

void exam_pairs_as_records(struct lad_arena *arena, const struct exam *exam, const struct lad_device *d,
                           struct lad_run *run)
{
    for (const struct exam_pair *p = exam->pair; p < exam->pair + exam->n_pairs; p++) {
        const struct lad_record *of = p->mark->record;
        bool good = p->verdict == EXAM_PAIR_BOTH || p->verdict == EXAM_PAIR_ONE;
        if (strcmp(of->device, d->slug))
            continue;
        *LAD_PUSH(arena, run->record, run->n_records) =
            (struct lad_record){.id = name_pair(arena, p),
                                .file = of->file,
                                .group = "exam",
                                .rung = of->rung,
                                .device = d->slug,
                                .proves = lad_printf(arena, "%s and %s", p->mark->row->cause, p->mark->with->cause),
                                .spec = d->spec,
                                .seed = run->seed,
                                .exit_code = -1,
                                .time_ns = of->time_ns,
                                .tries = 1,
                                .status = good                             ? LAD_STATUS_PASS
                                          : p->verdict == EXAM_PAIR_IDLE ? LAD_STATUS_SKIP
                                                                         : LAD_STATUS_FAIL,
                                .type = good || p->verdict == EXAM_PAIR_IDLE ? NULL : "ladder.exam",
                                .message = good ? NULL : say_miss(arena, p)};
    }
}
