/* SPDX-License-Identifier: Apache-2.0 */
/* What the failures of a run come to together: what one case leaves open another may decide, and what passes says what
 * the others have in common. Pure: a function of the run's records, which get their answer in lad_record.why. */
#include "diagnose.h"
#include <stdlib.h>
#include <string.h>

static const struct domain {
    const char *id, *against, *uses;
} domains[] = {
#define CALL(name, wrapper, vulkan, opencl)
#define CAUSE(id, family, place, calls, rules, next)
#define PAIR(a, b, trial, how)
#define DOMAIN(id, against, uses) {id, against, uses},
#include "diagnose.def"
#undef CALL
#undef CAUSE
#undef PAIR
#undef DOMAIN
};

struct item { /* a failure that there is something to say of */
    struct lad_record *r;
    struct lad_why *why;
    struct lad_standing *standing;
};
struct group { /* those of one device */
    struct lad_arena *arena;
    struct lad_record *record;
    size_t n_records;
    const char *device;
    struct item *item;
    size_t n;
};

static bool is_one_of_two(const struct lad_why *why, const struct lad_class *c)
{
    return why->cause == c || why->other == c;
}

static bool is_open(const struct item *i)
{
    return i->why->sure == LAD_SURE_OPEN;
}

/* The failures of this cause alone, decided by themselves; *first: the first of them. */
static size_t count_decided(const struct group *g, const struct lad_class *c, const struct lad_record **first)
{
    size_t n = 0;
    for (const struct item *i = g->item; i < g->item + g->n; i++)
        if (i->why->sure == LAD_SURE_DECIDED && i->why->cause == c && !i->r->why) {
            *first = n++ ? *first : i->r;
        }
    return n;
}

static void close_item(const struct group *g, struct item *i, const struct lad_class *c, enum lad_sure sure,
                       const char *because)
{
    const struct lad_class *other = i->why->cause == c ? i->why->other : i->why->cause;
    struct lad_why *why = lad_alloc(g->arena, sizeof *why);
    if (!lad_diagnose_as(g->arena, i->r, c, other, why))
        return;
    why->sure = sure;
    why->verdict = sure == LAD_SURE_DECIDED ? "decided" : "likely";
    *LAD_PUSH(g->arena, why->pro, why->n_pro) = because;
    i->r->why = i->why = why;
}

static bool is_candidate(const struct item *i, const struct lad_class *c)
{
    return !i->standing[c - lad_classes].out;
}

/* Open between the same two as another one is. */
static void leave_open(const struct group *g, struct item *i, const struct lad_why *as)
{
    struct lad_why *why = lad_alloc(g->arena, sizeof *why);
    if ((i->why->cause == as->cause && i->why->other == as->other) ||
        !lad_diagnose_as(g->arena, i->r, as->cause, as->other, why))
        return;
    why->sure = LAD_SURE_OPEN;
    why->verdict = as->verdict;
    why->sentence = as->sentence;
    i->r->why = i->why = why;
}

/* What is open between two, of which another failure of the run is one for certain, is that one: of two that each have
 * one it may be both. What fits more than two joins the cause with most failures of its own. */
static void close_by_decided(const struct group *g)
{
    for (struct item *i = g->item; i < g->item + g->n; i++) {
        const struct lad_class *best = NULL;
        const struct lad_record *first = i->r, *of = NULL;
        size_t most = 0, n, n_of_two = 0;
        for (int k = 0; i->why->sure != LAD_SURE_DECIDED && k < lad_n_classes; k++) {
            const struct lad_class *c = &lad_classes[k];
            bool of_two = is_one_of_two(i->why, c);
            if (i->standing[k].out || (n_of_two && !of_two) || !(n = count_decided(g, c, &of)))
                continue;
            if (n > most || (of_two && !n_of_two)) {
                best = c;
                most = n;
                first = of;
            }
            n_of_two += of_two;
        }
        if (best && n_of_two < 2 && (best != i->why->cause || is_open(i)))
            close_item(g, i, best, n_of_two ? LAD_SURE_DECIDED : LAD_SURE_LIKELY,
                       lad_printf(g->arena, "in the same run %s%s show%s it for certain", first->id,
                                  most > 1 ? lad_printf(g->arena, " and %zu other cases", most - 1) : "",
                                  most > 1 ? "" : "s"));
    }
}

/* The pair between which most failures are open; returns how many. */
static size_t find_pair(const struct group *g, const struct item **most)
{
    size_t best = 0;
    for (const struct item *i = g->item; i < g->item + g->n; i++) {
        size_t n = 0;
        for (const struct item *o = g->item; is_open(i) && i->why->other && o < g->item + g->n; o++)
            n += is_open(o) && is_one_of_two(o->why, i->why->cause) && is_one_of_two(o->why, i->why->other);
        if (n > best) {
            best = n;
            *most = i;
        }
    }
    return best;
}

/* Another class than these two that fits every open failure, the one with most that speaks for it; NULL: none. */
static const struct lad_class *find_third(const struct group *g, const struct lad_class *const pair[2])
{
    const struct lad_class *third = NULL;
    unsigned most = 0;
    for (int k = 0; k < lad_n_classes; k++) {
        unsigned pro = 0;
        bool all = &lad_classes[k] != pair[0] && &lad_classes[k] != pair[1];
        for (const struct item *i = g->item; all && i < g->item + g->n; i++) {
            all = !is_open(i) || is_candidate(i, &lad_classes[k]);
            pro += is_open(i) ? i->standing[k].pro : 0;
        }
        if (all && pro > most) {
            third = &lad_classes[k];
            most = pro;
        }
    }
    return third;
}

/* What is open between two that differ from case to case is most likely one cause: that of the pair that most are open
 * between which no case rules out, if no third fits all of them as well; where none is, all that fit stay open between
 * the two. */
static void close_by_common(const struct group *g)
{
    const struct item *most = NULL;
    size_t n = 0, barred[2] = {0};
    if (find_pair(g, &most) < 2)
        return;
    const struct lad_class *pair[2] = {most->why->cause, most->why->other}, *third = find_third(g, pair);
    const struct lad_why open = *most->why;
    for (int k = 0; k < 2; k++)
        for (const struct item *i = g->item; i < g->item + g->n; i++)
            barred[k] += is_open(i) && is_candidate(i, pair[!k]) && i->standing[pair[k] - lad_classes].barred;
    bool one = !barred[0] != !barred[1];
    const struct lad_class *c = pair[one && barred[0]];
    for (struct item *i = g->item; i < g->item + g->n; i++)
        n += is_open(i) && (is_candidate(i, pair[0]) || is_candidate(i, pair[1]));
    const struct lad_why rivals = {
        .cause = c,
        .other = third,
        .verdict = !third ? NULL
                          : lad_printf(g->arena, "not decided between %s and %s: each alone fits all %zu failures",
                                       c->id, third->id, n),
        .sentence = open.sentence};
    for (struct item *i = g->item; i < g->item + g->n; i++) {
        if (!is_open(i) || !(is_candidate(i, pair[0]) || is_candidate(i, pair[1])))
            continue;
        if (one && third)
            leave_open(g, i, &rivals);
        else if (one)
            close_item(
                g, i, c, LAD_SURE_LIKELY,
                lad_printf(g->arena, "of the two it is the only cause that fits all %zu failures of this run", n));
        else if (!i->standing[pair[0] - lad_classes].barred && !i->standing[pair[1] - lad_classes].barred)
            leave_open(g, i, &open);
    }
}

static bool uses(const struct lad_record *r, const char *word)
{
    return r->uses && lad_has_word(r->uses, word);
}

/* Cases of the device that passed, with and without what the word says. */
static void count_passes(const struct group *g, const char *word, size_t *with, size_t *without)
{
    *with = *without = 0;
    for (const struct lad_record *r = g->record; r < g->record + g->n_records; r++)
        if (r->status == LAD_STATUS_PASS && r->uses && !strcmp(r->device, g->device))
            ++*(uses(r, word) ? with : without);
}

static const char *say_use(struct lad_arena *arena, const char *word)
{
    if (!strncmp(word, "kernel:", 7))
        return lad_printf(arena, "kernel %s runs", word + 7);
    if (!strncmp(word, "mode:", 5))
        return lad_printf(arena, "the binding mode is %s", word + 5);
    return lad_obs_text(arena, &(struct lad_obs){lad_printf(arena, "case.%s", word), "a buffer", 2});
}

static bool same_finding(const struct lad_why *a, const struct lad_why *b)
{
    return a->cause == b->cause && a->sure == b->sure && (a->sure != LAD_SURE_OPEN || a->other == b->other);
}

/* A cause that can only strike where something is used, against one that can strike anywhere: nothing passes where that
 * is used, and all the rest does. */
static void close_by_passes(const struct group *g)
{
    for (struct item *i = g->item; i < g->item + g->n; i++)
        for (size_t d = 0; is_open(i) && i->why->cause && i->why->other && d < LAD_N(domains); d++) {
            bool first = !strcmp(i->why->cause->id, domains[d].id), all = true;
            const struct lad_class *c = first ? i->why->cause : i->why->other,
                                   *other = first ? i->why->other : i->why->cause;
            size_t with, without;
            if (strcmp(c->id, domains[d].id) || !lad_has_word(domains[d].against, other->id))
                continue;
            count_passes(g, domains[d].uses, &with, &without);
            for (const struct item *o = g->item; o < g->item + g->n; o++)
                all = all && (!same_finding(o->why, i->why) || uses(o->r, domains[d].uses));
            if (all && !with && without >= 3)
                close_item(g, i, c, LAD_SURE_LIKELY,
                           lad_printf(g->arena, "in the same run no case passes where this is so: %s; %zu others pass",
                                      say_use(g->arena, domains[d].uses), without));
        }
}

/* What the failures of one finding share and what passes has not, in words; NULL: nothing. */
static const char *find_scope(const struct group *g, const struct lad_why *of)
{
    const struct lad_record *first = NULL;
    const char *best = NULL;
    size_t n = 0, best_without = 0, n_sized = 0;
    for (const struct item *i = g->item; i < g->item + g->n; i++)
        if (same_finding(i->why, of)) {
            first = n++ ? first : i->r;
            n_sized += i->r->sweep && i->r->sweep_passed;
        }
    char *words = first && first->uses ? lad_strdup(g->arena, first->uses) : NULL, *save = NULL;
    for (char *word = words && n > 1 ? strtok_r(words, " ", &save) : NULL; word; word = strtok_r(NULL, " ", &save)) {
        size_t with, without;
        bool all = true;
        for (const struct item *i = g->item; i < g->item + g->n && all; i++)
            all = !same_finding(i->why, of) || uses(i->r, word);
        count_passes(g, word, &with, &without);
        if (all && !with && without > 1 && !best) {
            best = word;
            best_without = without;
        }
    }
    if (best)
        return lad_printf(g->arena, "only where this is so, and never right there: %s; %zu other cases pass",
                          say_use(g->arena, best), best_without);
    if (n > 1 && n_sized == n)
        return lad_printf(g->arena, "only above a size: each of the %zu passes at its smaller sizes", n);
    return NULL;
}

static void add_item(struct group *g, struct lad_record *r)
{
    struct lad_why *why = lad_alloc(g->arena, sizeof *why);
    if (!lad_record_bad(r) || lad_is_casualty(r) || !lad_diagnose(g->arena, r, why))
        return;
    struct item *i = LAD_PUSH(g->arena, g->item, g->n);
    *i = (struct item){r, why, lad_alloc(g->arena, (size_t)lad_n_classes * sizeof *i->standing)};
    lad_standings(g->arena, r, i->standing);
}

bool lad_is_casualty(const struct lad_record *r)
{
    const char *type = r->type ? r->type : "";
    return r->blocker && (!strcmp(type, "ladder.blocked.device") || !strcmp(type, "ladder.lost.device"));
}

void lad_findings(struct lad_arena *arena, struct lad_record *record, size_t n)
{
    for (size_t at = 0; at < n; at++) {
        size_t before = 0;
        while (before < at && strcmp(record[before].device, record[at].device))
            before++;
        if (before < at)
            continue;
        struct group g = {.arena = arena, .record = record, .n_records = n, .device = record[at].device};
        for (size_t i = at; i < n; i++) {
            if (strcmp(record[i].device, g.device))
                continue;
            record[i].why = NULL;
            add_item(&g, &record[i]);
        }
        close_by_decided(&g);
        close_by_common(&g);
        close_by_passes(&g);
        for (struct item *i = g.item; i < g.item + g.n; i++) {
            size_t k = 0;
            while (!same_finding(g.item[k].why, i->why))
                k++;
            i->why->scope = &g.item[k] == i ? find_scope(&g, i->why) : g.item[k].why->scope;
            i->r->why = i->why;
        }
    }
}

bool lad_answer(struct lad_arena *arena, const struct lad_record *r, struct lad_why *why)
{
    if (!r->why)
        return lad_diagnose(arena, r, why);
    *why = *r->why;
    return true;
}
