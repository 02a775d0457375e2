/* SPDX-License-Identifier: Apache-2.0 */
/* What a run came to, device by device and rung by rung; every report tells the same story from these figures. */
#include "report.h"
#include <stdlib.h>
#include <string.h>

const char *const lad_mission[] = {"thread-id-1d", "vector-add",   "reduction-static-local", "reduction-dynamic-local",
                                   "matmul-naive", "matmul-tiled", "unified-in-place-*",     NULL};

static void add_reason(struct lad_arena *arena, struct lad_reason **list, size_t *n, const char *text,
                       const struct lad_record *r)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp((*list)[i].text, text)) {
            (*list)[i].n++;
            return;
        }
    struct lad_reason *reason = LAD_PUSH(arena, *list, *n);
    *reason = (struct lad_reason){text, 1, r};
}

static struct lad_tally_rung *find_rung(struct lad_arena *arena, struct lad_tally *t, const struct lad_record *r)
{
    for (size_t i = 0; i < t->n_rungs; i++)
        if (t->rung[i].number == r->rung)
            return &t->rung[i];
    struct lad_tally_rung *rung = LAD_PUSH(arena, t->rung, t->n_rungs);
    rung->number = r->rung;
    rung->name = r->group && *r->group ? lad_show_line(arena, r->group, 40) : "unnamed";
    rung->proves = "";
    for (int i = 0; i < lad_n_rungs; i++)
        if (lad_rungs[i].number == r->rung)
            rung->proves = lad_rungs[i].proves;
    return rung;
}

static int compare_rungs(const void *a, const void *b)
{
    const struct lad_tally_rung *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static enum lad_rung_state judge_rung(const struct lad_tally_rung *rung)
{
    if (rung->n_bad > rung->n[LAD_STATUS_MISSING])
        return LAD_RUNG_BROKEN;
    if (rung->n[LAD_STATUS_MISSING])
        return LAD_RUNG_MISSING;
    if (rung->n[LAD_STATUS_BLOCKED])
        return LAD_RUNG_BLOCKED;
    return rung->n[LAD_STATUS_PASS] || rung->n_known ? LAD_RUNG_WORKS : LAD_RUNG_UNTRIED;
}

static bool is_expected_failure(const struct lad_record *r)
{
    return r->known && r->status >= LAD_STATUS_FAIL && !lad_record_bad(r);
}

static void count_record(struct lad_arena *arena, struct lad_tally *t, const struct lad_record *r)
{
    struct lad_tally_rung *rung = find_rung(arena, t, r);
    bool bad = lad_record_bad(r), known = is_expected_failure(r);
    *LAD_PUSH(arena, t->record, t->n_records) = r;
    t->n[r->status]++;
    rung->n[r->status]++;
    rung->n_records++;
    t->n_bad += bad;
    rung->n_bad += bad;
    t->n_known += known;
    rung->n_known += known;
    t->n_flaky += r->flaky;
    if (bad && !t->first_bad)
        t->first_bad = r;
    if (r->status == LAD_STATUS_SKIP)
        add_reason(arena, &t->skips, &t->n_skips,
                   lad_show_line(arena, r->message ? r->message : "no reason given", 200), r);
}

/* Who blocks it: named by the runner, else (journals of other makers) the lowest failure below it. */
static const struct lad_record *find_blocker(const struct lad_tally *t, const struct lad_record *blocked)
{
    for (size_t i = 0; i < t->n_records; i++) {
        const struct lad_record *r = t->record[i];
        if (blocked->blocker ? !strcmp(r->id, blocked->blocker) : lad_record_bad(r) && r->rung < blocked->rung)
            return r;
    }
    return NULL;
}

static void count_blocked(struct lad_arena *arena, struct lad_tally *t)
{
    for (size_t i = 0; i < t->n_records; i++) {
        const struct lad_record *r = t->record[i], *by = NULL;
        if (r->status != LAD_STATUS_BLOCKED)
            continue;
        by = find_blocker(t, r);
        if (!t->blocker)
            t->blocker = by;
        add_reason(arena, &t->blocks, &t->n_blocks,
                   by ? lad_test_name(arena, by) : lad_show_line(arena, r->blocker ? r->blocker : r->message, 200), r);
    }
}

/* Failures with the same cause are one finding; what a lost device took with it is counted with the case that lost it.
 */
static void find_causes(struct lad_arena *arena, struct lad_tally *t)
{
    for (size_t i = 0; i < t->n_records; i++) {
        const struct lad_record *r = t->record[i];
        struct lad_why why = {0};
        struct lad_finding *f = t->finding;
        if (lad_is_casualty(r) || !lad_record_bad(r) || !lad_answer(arena, r, &why))
            continue;
        const struct lad_class *other = why.sure == LAD_SURE_OPEN ? why.other : NULL;
        while (f < t->finding + t->n_findings && (f->cause != why.cause || f->other != other))
            f++;
        if (f == t->finding + t->n_findings) {
            f = LAD_PUSH(arena, t->finding, t->n_findings);
            *f = (struct lad_finding){why.cause, other, r, why.verdict, why.sentence, why.scope, 0, 0};
        }
        f->n++;
        for (size_t k = i + 1; k < t->n_records; k++)
            f->n_casualties += lad_is_casualty(t->record[k]) && !strcmp(t->record[k]->blocker, r->id);
    }
}

static struct lad_tally *find_device(struct lad_arena *arena, struct lad_tally **list, size_t *n, const char *slug)
{
    for (size_t i = 0; i < *n; i++)
        if (!strcmp((*list)[i].slug, slug))
            return &(*list)[i];
    struct lad_tally *t = LAD_PUSH(arena, *list, *n);
    t->slug = slug;
    return t;
}

const struct lad_measure *lad_best_measure(const struct lad_record *r, size_t m)
{
    const struct lad_measure *best = &r->measures[m];
    for (size_t i = 0; i < r->n_measures; i++) {
        const struct lad_measure *other = &r->measures[i];
        bool same = best->name && other->name && !strcmp(best->name, other->name);
        bool less_is_more = other->unit && !strcmp(other->unit, "us");
        if (same && i < m)
            return NULL;
        if (same && !other->doubt &&
            (best->doubt || (less_is_more ? other->value < best->value : other->value > best->value)))
            best = other;
    }
    return best;
}

char *lad_show_finding(struct lad_arena *arena, const struct lad_finding *f)
{
    bool open = strncmp(f->verdict, "decided", 7) && strncmp(f->verdict, "likely", 6);
    char *text = f->cause ? lad_printf(arena, "%s %s", f->cause->id, f->cause->name) : "no cause could be named";
    if (f->other)
        text = lad_printf(arena, "%s, or %s %s: not decided", text, f->other->id, f->other->name);
    else if (f->cause)
        text = lad_printf(arena, "%s (%s)", text, open ? "not decided" : f->verdict);
    text = lad_printf(arena, "%s; %zu case%s%s", text, f->n, f->n == 1 ? ", " : "s, the first is ",
                      lad_test_name(arena, f->first));
    if (f->scope)
        text = lad_printf(arena, "%s; %s", text, f->scope);
    if (f->n_casualties)
        text =
            lad_printf(arena, "%s; %zu more cases went with the device and are not diagnosed", text, f->n_casualties);
    return text;
}

size_t lad_tally(struct lad_arena *arena, const struct lad_run *run, struct lad_tally **list)
{
    size_t n = 0;
    *list = NULL;
    for (const struct lad_device *d = run->device; d < run->device + run->n_devices; d++)
        find_device(arena, list, &n, d->slug)->device = d;
    for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++)
        count_record(arena, find_device(arena, list, &n, r->device), r);
    for (struct lad_tally *t = *list; t < *list + n; t++) {
        if (t->n_rungs)
            qsort(t->rung, t->n_rungs, sizeof *t->rung, compare_rungs);
        for (size_t i = 0; i < t->n_rungs; i++)
            t->rung[i].state = judge_rung(&t->rung[i]);
        count_blocked(arena, t);
        find_causes(arena, t);
    }
    return n;
}
