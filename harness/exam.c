/* SPDX-License-Identifier: Apache-2.0 */
/* What each fault must be diagnosed as, and whether it was. */
#include "exam.h"
#include "registry.h"
#include <ctype.h>
#include <string.h>

#define EXAM_VERDICT(sym, name, words) name,
static const char *const names[] = {EXAM_VERDICTS(EXAM_VERDICT)};
#undef EXAM_VERDICT
#define EXAM_VERDICT(sym, name, words) words,
static const char *const texts[] = {EXAM_VERDICTS(EXAM_VERDICT)};
#undef EXAM_VERDICT

const char *exam_verdict_name(enum exam_verdict v)
{
    return names[v];
}

const char *exam_verdict_text(enum exam_verdict v)
{
    return texts[v];
}

/* The next of the fields that are parted by '|', without the blanks around it. */
static char *cut_field(char **at)
{
    char *field = *at, *end = strchr(field, '|');
    *at = end ? end + 1 : field + strlen(field);
    if (end)
        *end = 0;
    while (isspace((unsigned char)*field))
        field++;
    for (size_t n = strlen(field); n && isspace((unsigned char)field[n - 1]);)
        field[--n] = 0;
    return field;
}

bool exam_read(struct lad_arena *arena, struct exam *exam)
{
    char *text = lad_strdup(arena, (const char *)lad_exam_expected.start), *end;
    for (int line = 1; text; text = end, line++) {
        if ((end = strchr(text, '\n')))
            *end++ = 0;
        if (!*text || *text == '#')
            continue;
        char *fault = cut_field(&text), *cause = cut_field(&text), *call = cut_field(&text), *where = cut_field(&text);
        char *open = cut_field(&text), *place = cut_field(&text), *device = strchr(where, '@');
        if (device)
            *device++ = 0;
        else if (strcmp(where, "-") || !*call) {
            lad_error("%s:%d: expected fault | cause | call | case@device or - | causes | place",
                      lad_exam_expected.name, line);
            return false;
        }
        *LAD_PUSH(arena, exam->row, exam->n_rows) =
            (struct exam_row){fault, cause, call, device ? where : NULL, device, place, open};
    }
    return true;
}

static bool may_be_open_with(const struct exam_row *row, const struct lad_class *other)
{
    return !other || !strcmp(other->id, row->cause) || lad_has_word(row->open, other->id);
}

static bool names_call(const char *named, const char *wanted)
{
    char word[64];
    for (; *wanted; wanted += strspn(wanted, " ")) {
        size_t n = strcspn(wanted, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, wanted);
        if (lad_has_word(named, word))
            return true;
        wanted += n;
    }
    return false;
}

static bool names_place(const char *named, const char *wanted)
{
    char word[64];
    for (; *wanted; wanted += strspn(wanted, " ")) {
        size_t n = strcspn(wanted, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, wanted);
        if (!named || !lad_has_word(named, word))
            return false;
        wanted += n;
    }
    return true;
}

static bool names_one(const struct exam_mark *m, const struct lad_class *c)
{
    return c && (!strcmp(c->id, m->row->cause) || !strcmp(c->id, m->with->cause));
}

static enum exam_verdict judge(const struct exam_mark *m)
{
    const struct lad_record *r = m->record;
    const struct lad_why *why = &m->why;
    if (r->status == LAD_STATUS_MISSING || (r->type && !strcmp(r->type, "ladder.lost.device")))
        return EXAM_ABSENT; /* not even its process came up */
    if (r->type && !strcmp(r->type, LAD_TYPE_NO_LAYER))
        return EXAM_UNMADE;
    if (!m->row)
        return r->status < LAD_STATUS_FAIL ? EXAM_CLEAN : EXAM_ALARM;
    if (r->status < LAD_STATUS_FAIL)
        return r->status == LAD_STATUS_PASS && r->n_hits ? EXAM_MISSED : EXAM_IDLE;
    if (m->with) {
        bool of_two = names_one(m, why->cause) || (why->sure == LAD_SURE_OPEN && names_one(m, why->other));
        bool sure = why->cause && why->sure != LAD_SURE_OPEN;
        return !of_two ? (sure ? EXAM_WRONG : EXAM_UNNAMED) : sure ? EXAM_RIGHT : EXAM_OPEN;
    }
    bool first = why->cause && !strcmp(why->cause->id, m->row->cause);
    bool second = why->other && !strcmp(why->other->id, m->row->cause);
    if (why->cause && why->sure != LAD_SURE_OPEN)
        return first ? EXAM_RIGHT : EXAM_WRONG;
    return (first && may_be_open_with(m->row, why->other)) || (second && may_be_open_with(m->row, why->cause))
               ? EXAM_OPEN
               : EXAM_UNNAMED;
}

void exam_mark(struct lad_arena *arena, struct exam_mark *m)
{
    m->why = (struct lad_why){0};
    lad_diagnose(arena, m->record, &m->why);
    m->verdict = judge(m);
    m->place =
        m->with ||
        (m->row && m->why.calls && names_call(m->why.calls, m->row->call) && names_place(m->why.at, m->row->place));
}

struct exam_score exam_score(const struct exam *exam, const char *device)
{
    struct exam_score s = {0};
    for (const struct exam_mark *m = exam->mark; m < exam->mark + exam->n_marks; m++) {
        if (device && strcmp(device, m->record->device))
            continue;
        s.of[m->verdict]++;
        s.trials += m->record->n_trials;
        s.judged += m->verdict <= EXAM_MISSED;
        s.named += m->verdict <= EXAM_OPEN;
        s.places += m->verdict <= EXAM_OPEN && m->place;
        s.wrong_places += m->verdict <= EXAM_OPEN && !m->place;
    }
    return s;
}

bool exam_passed(const struct exam *exam)
{
    struct exam_score s = exam_score(exam, NULL);
    return !s.of[EXAM_UNNAMED] && !s.of[EXAM_WRONG] && !s.of[EXAM_MISSED] && !s.of[EXAM_ALARM] && !s.of[EXAM_ABSENT] &&
           !s.of[EXAM_UNMADE] && s.judged && !s.wrong_places && !exam->n_alarms &&
           exam_pairs_passed(exam);
}
