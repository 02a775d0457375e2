/* SPDX-License-Identifier: Apache-2.0 */
/* From observations to a cause: applies the rows of diagnose.def to a record. Pure: no I/O, no clock, no state, and no
 * numbers but the count of rules that hold. What cannot be told apart stays open. */
#include "diagnose.h"
#include <stdlib.h>
#include <string.h>

enum family { UNSEEN, UNRUN, OTHERDATA, WRONG, TEST };
static const char *const sentences[] = {
    [UNSEEN] = "the work was right on the device, the host never saw it",
    [UNRUN] = "the work never ran, or only in part",
    [OTHERDATA] = "the work ran on other data",
    [WRONG] = "the work ran and computed something else",
    [TEST] = "the test itself is at fault, not the device",
};
static const struct row {
    const char *id;
    enum family family;
    const char *place, *calls, *rules, *next;
} rows[] = {
#define CALL(name, wrapper, vulkan, opencl)
#define CAUSE(id, family, place, calls, rules, next) {id, family, place, calls, rules, next},
#define PAIR(a, b, trial, how)
#define DOMAIN(id, against, uses)
#include "diagnose.def"
#undef CALL
#undef CAUSE
#undef PAIR
#undef DOMAIN
};
static const struct call {
    const char *name, *wrapper, *vulkan, *opencl;
} calls[] = {
#define CALL(name, wrapper, vulkan, opencl) {name, wrapper, vulkan, opencl},
#define CAUSE(id, family, place, calls, rules, next)
#define PAIR(a, b, trial, how)
#define DOMAIN(id, against, uses)
#include "diagnose.def"
#undef CALL
#undef CAUSE
#undef PAIR
#undef DOMAIN
};
static const struct pair {
    const char *a, *b, *trial, *how;
} pairs[] = {
#define CALL(name, wrapper, vulkan, opencl)
#define CAUSE(id, family, place, calls, rules, next)
#define PAIR(a, b, trial, how) {a, b, trial, how},
#define DOMAIN(id, against, uses)
#include "diagnose.def"
#undef CALL
#undef CAUSE
#undef PAIR
#undef DOMAIN
};

struct mark {
    const struct row *row;
    unsigned proofs, pro, contra, gates, open; /* gates: '?' rules there are; open: those that hold */
    bool out, barred;                          /* barred: by a '~' rule */
    const struct lad_obs *about;               /* the first observation of the strongest rule */
};

static const struct lad_obs *find(const struct lad_record *r, const char *name, size_t n)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (!strncmp(r->obs[i].name, name, n) && !r->obs[i].name[n])
            return &r->obs[i];
    return NULL;
}

static void keep(struct lad_arena *arena, const struct lad_obs *o, const char ***list, size_t *n)
{
    const char *text = lad_obs_text(arena, o);
    for (size_t i = 0; i < *n; i++)
        if (!strcmp((*list)[i], text))
            return;
    *LAD_PUSH(arena, *list, *n) = text;
}

/* Does the rule hold? Its observations are appended to the list, where there is one; *about is the first of them. */
static bool holds(struct lad_arena *arena, const struct lad_record *r, const char *rule, size_t n,
                  const struct lad_obs **about, const char ***list, size_t *n_list)
{
    const struct lad_obs *seen[8];
    size_t n_seen = 0;
    for (const char *p = rule, *end = rule + n; p < end;) {
        size_t length = strcspn(p, "& :");
        bool no = *p == '!';
        const struct lad_obs *o = find(r, p + no, length - no);
        if (!o == !no)
            return false;
        if (o && n_seen < LAD_N(seen))
            seen[n_seen++] = o;
        p += length + 1;
    }
    for (size_t i = n_seen; i-- > 0;) /* the first that is about something, else the first */
        if (seen[i]->on || !i)
            *about = !i && *about && !seen[i]->on ? *about : seen[i];
    for (size_t i = 0; list && i < n_seen; i++)
        if (strncmp(seen[i]->name, "case.", 5))
            keep(arena, seen[i], list, n_list);
    return true;
}

static struct mark weigh(struct lad_arena *arena, const struct lad_record *r, const struct row *row,
                         struct lad_why *why)
{
    struct mark m = {.row = row};
    const struct lad_obs *beside = NULL;
    bool proven = false;
    for (const char *p = row->rules; *p;) {
        size_t n = strcspn(p, " ");
        const struct lad_obs *about = NULL;
        bool contra = *p == '-' || *p == '~', gate = *p == '?';
        m.gates += gate;
        if (holds(arena, r, p + 1, n - 1, &about,
                  !why || gate ? NULL
                  : contra     ? &why->contra
                               : &why->pro,
                  !why     ? NULL
                  : contra ? &why->n_contra
                           : &why->n_pro)) {
            m.proofs += *p == '=';
            m.pro += *p == '+' || *p == '=';
            m.contra += *p == '-';
            m.open += gate;
            m.barred = m.barred || *p == '~';
            if (!contra && !gate && about && (!m.about || (*p == '=' && !proven && about->on) || !m.about->on))
                m.about = about;
            if (gate && about && about->on)
                beside = about;
            proven = proven || *p == '=';
        }
        p += n + strspn(p + n, " ");
    }
    if (beside && m.about && (!m.about->on || strstr(row->place, "{of}")))
        m.about = beside;
    m.out = m.barred || (m.gates && !m.open) || !m.pro;
    return m;
}

static bool better(const struct mark *a, const struct mark *b)
{
    if (a->out || b->out)
        return !a->out;
    if (!a->proofs != !b->proofs)
        return a->proofs;
    return (int)a->pro - (int)a->contra > (int)b->pro - (int)b->contra;
}

static const struct lad_class *find_class(const char *id)
{
    for (int i = 0; i < lad_n_classes; i++)
        if (!strcmp(lad_classes[i].id, id))
            return &lad_classes[i];
    return NULL;
}

static const struct pair *find_pair(const char *a, const char *b)
{
    for (size_t i = 0; i < LAD_N(pairs); i++)
        if ((!strcmp(pairs[i].a, a) && !strcmp(pairs[i].b, b)) || (!strcmp(pairs[i].a, b) && !strcmp(pairs[i].b, a)))
            return &pairs[i];
    return NULL;
}

static const struct lad_trial *find_trial(const struct lad_record *r, const char *name)
{
    for (size_t i = 0; i < r->n_trials; i++)
        if (!strcmp(r->trial[i].name, name))
            return &r->trial[i];
    return NULL;
}

/* The value of an observation about this buffer, or -1. */
static int64_t value_of(const struct lad_record *r, enum lad_obs_name name, const char *on)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (on && r->obs[i].on && !strcmp(r->obs[i].name, lad_obs_name(name)) && !strcmp(r->obs[i].on, on))
            return r->obs[i].value;
    return -1;
}

/* From which byte of its buffer on it is wrong, where the observation says so; else -1. */
static int64_t find_byte(const struct lad_record *r, const struct lad_obs *o)
{
    static const enum lad_obs_name in_bytes[] = {LAD_OBS_IN_CANARY_TAIL, LAD_OBS_EDGE_CONSTANT},
                                   in_elements[] = {LAD_OBS_OUT_PREFIX, LAD_OBS_OUT_PREFIX_ZERO, LAD_OBS_OUT_HOST_TAIL};
    for (size_t i = 0; o && i < LAD_N(in_bytes); i++)
        if (!strcmp(o->name, lad_obs_name(in_bytes[i])))
            return o->value;
    for (size_t i = 0; o && i < LAD_N(in_elements); i++)
        for (size_t k = 0; !strcmp(o->name, lad_obs_name(in_elements[i])) && k < r->n_seen; k++)
            if (o->on && !strcmp(r->seen[k].name, o->on) && r->seen[k].n)
                return o->value * (int64_t)(r->seen[k].bytes / r->seen[k].n);
    return -1;
}

static const char *join(struct lad_arena *arena, const char *list, const char *item)
{
    return list ? lad_printf(arena, "%s %s", list, item) : item;
}

/* What the strongest rule is about, in words for programs. */
static const char *name_place(struct lad_arena *arena, const struct lad_record *r, const struct lad_obs *about)
{
    const char *on = about && about->on ? about->on : "", *list = NULL, *number = strstr(on, "dispatch ");
    int64_t binding = value_of(r, LAD_OBS_AT_BINDING, on), dispatch = value_of(r, LAD_OBS_AT_DISPATCH, on),
            byte = find_byte(r, about);
    bool buffer = binding >= 0 || (*on && (!strncmp(about->name, "case.", 5) || !strncmp(about->name, "ran-on.", 7)));
    for (size_t i = 0; i < r->n_seen; i++)
        buffer = buffer || !strcmp(r->seen[i].name, on);
    if (buffer)
        list = lad_printf(arena, "buffer=%s", on);
    if (binding >= 0)
        list = join(arena, list, lad_printf(arena, "binding=%lld", (long long)binding));
    if (!strncmp(on, "scalar ", 7))
        list = join(arena, list, lad_printf(arena, "argument=%.*s", (int)strcspn(on + 7, " "), on + 7));
    if (!buffer && number)
        dispatch = strtoll(number + strlen("dispatch "), NULL, 10);
    if (dispatch > 0)
        list = join(arena, list, lad_printf(arena, "dispatch=%lld", (long long)dispatch));
    return byte >= 0 ? join(arena, list, lad_printf(arena, "byte=%lld", (long long)byte)) : list;
}

static const char *say_place(struct lad_arena *arena, const struct lad_record *r, const struct mark *m)
{
    const char *on = m->about && m->about->on ? m->about->on : NULL, *hole = strstr(m->row->place, "{o");
    int64_t binding = value_of(r, LAD_OBS_AT_BINDING, on), dispatch = value_of(r, LAD_OBS_AT_DISPATCH, on),
            byte = find_byte(r, m->about);
    if (!hole)
        return m->row->place;
    const char *place =
        lad_printf(arena, "%.*s%s", (int)(hole - m->row->place), m->row->place, on ? on : "the case's buffers");
    if (binding >= 0)
        place = lad_printf(arena, "%s (binding %lld of dispatch %lld)", place, (long long)binding, (long long)dispatch);
    place = lad_printf(arena, "%s%s", place, hole + 4);
    return byte > 0 ? lad_printf(arena, "%s, from byte %lld on", place, (long long)byte) : place;
}

static const struct call *find_call(const char *name, size_t n)
{
    for (size_t i = 0; i < LAD_N(calls); i++)
        if (!strncmp(calls[i].name, name, n) && !calls[i].name[n])
            return &calls[i];
    return NULL;
}

static const char *call_of(const struct call *c, const char *device)
{
    return !strncmp(device, "vk", 2) ? c->vulkan : !strncmp(device, "cl", 2) ? c->opencl : c->wrapper;
}

const char *lad_call_names(const char *call, const char *device)
{
    const struct call *c = find_call(call, strlen(call));
    return c ? call_of(c, device) : NULL;
}

/* The entry points to look at: of the words without condition, and of those whose condition holds, by the API. */
static const char *say_calls(struct lad_arena *arena, const struct lad_record *r, const struct row *row)
{
    const char *list = NULL, *device = r->device ? r->device : "";
    for (const char *p = row->calls; *p;) {
        size_t n = strcspn(p, " "), condition = 0;
        const struct lad_obs *about;
        for (size_t i = 0; i < n; i++)
            if (p[i] == ':')
                condition = i + 1;
        if (!condition || holds(arena, r, p, condition - 1, &about, NULL, NULL)) {
            const struct call *c = find_call(p + condition, n - condition);
            const char *more = call_of(c, device);
            if (*more && (!list || !lad_has_word(list, more)))
                list = list ? lad_printf(arena, "%s %s", list, more) : more;
        }
        p += n + strspn(p + n, " ");
    }
    return list;
}

/* Why it is open, and what would close it. */
static void leave_open(struct lad_arena *arena, const struct lad_record *r, const struct mark *best,
                       const struct mark *next, const struct pair *pair, struct lad_why *why)
{
    const struct lad_trial *t = pair && *pair->trial ? find_trial(r, pair->trial) : NULL;
    const char *because;
    const char *at = best->about ? best->about->on : NULL, *there = next->about ? next->about->on : NULL;
    if (best->proofs && next->proofs && at && there && strcmp(at, there)) {
        why->verdict = lad_printf(arena, "two findings: %s at %s, and %s at %s; or one of them follows from the other",
                                  best->row->id, at, next->row->id, there);
        return;
    }
    if (next->out) {
        why->verdict = lad_printf(arena, "not decided: %s is all that fits, but little speaks for it", best->row->id);
        return;
    }
    if (!pair)
        because = "what was seen fits both, and there is no experiment for the two yet";
    else if (!*pair->trial)
        because = lad_printf(arena, "it takes %s", pair->how);
    else if (!t)
        because = lad_printf(arena, "this was not tried: %s", pair->how);
    else if (!strcmp(t->result, "no"))
        because = lad_printf(arena, "this cannot be tried here (%s): %s", t->text, pair->how);
    else
        because = lad_printf(arena, "the experiment left it open (%s)", t->text);
    why->verdict =
        lad_printf(arena, "not decided between %s and %s, because %s", best->row->id, next->row->id, because);
}

static bool has_something_to_say(const struct lad_record *r)
{
    return r->status >= LAD_STATUS_FAIL && r->status != LAD_STATUS_MISSING && !r->blocker; /* else a casualty */
}

/* Said while the case ran by itself; what was asked for afterwards has observations of its own. */
static bool has_own_messages(const struct lad_record *r)
{
    size_t n = 0;
    while (n < r->n_messages &&
           (!strncmp(r->messages[n], "validation: ", 12) || !strncmp(r->messages[n], "kernel log: ", 12) ||
            !strncmp(r->messages[n], "build log: ", 11)))
        n++;
    return n < r->n_messages;
}

/* The record with what the end of its worker says, which the probe could not write down any more. False: there is
 * nothing to say of it, or nothing to say it from. */
static bool prepare(struct lad_arena *arena, const struct lad_record *record, struct lad_record *r)
{
    *r = *record;
    if (!has_something_to_say(record))
        return false;
    if (r->type && !strcmp(r->type, "ladder.lost.device"))
        return false; /* it never began: a casualty of what took the device away */
    r->obs = lad_alloc(arena, (record->n_obs + 2) * sizeof *r->obs);
    if (record->n_obs)
        memcpy(r->obs, record->obs, record->n_obs * sizeof *r->obs);
    if (r->status == LAD_STATUS_CRASH || r->status == LAD_STATUS_TIMEOUT || r->status == LAD_STATUS_LOST)
        r->obs[r->n_obs++] = (struct lad_obs){lad_obs_name(r->status == LAD_STATUS_CRASH     ? LAD_OBS_CRASHED
                                                           : r->status == LAD_STATUS_TIMEOUT ? LAD_OBS_HUNG
                                                                                             : LAD_OBS_LOST),
                                              r->id, 0};
    if (has_own_messages(r))
        r->obs[r->n_obs++] = (struct lad_obs){lad_obs_name(LAD_OBS_MESSAGES), r->id, 0};
    return r->n_obs; /* none: a journal without instruments */
}

/* All but how sure it is. */
static void tell(struct lad_arena *arena, const struct lad_record *r, const struct mark *best, const struct mark *next,
                 struct lad_why *why)
{
    const struct pair *pair = next->out ? NULL : find_pair(best->row->id, next->row->id);
    why->cause = find_class(best->row->id);
    why->other = next->out ? NULL : find_class(next->row->id);
    why->place = say_place(arena, r, best);
    why->at = name_place(arena, r, best->about);
    why->calls = say_calls(arena, r, best->row);
    why->next = best->row->next;
    weigh(arena, r, best->row, why);
    why->decides = pair ? pair->how : NULL;
    why->trial = pair && *pair->trial && !find_trial(r, pair->trial) ? pair->trial : NULL;
    why->sentence = sentences[best->row->family];
}

bool lad_diagnose(struct lad_arena *arena, const struct lad_record *record, struct lad_why *why)
{
    struct lad_record r;
    *why = (struct lad_why){0};
    if (!prepare(arena, record, &r))
        return false;
    struct mark best = {.out = true}, next = best;
    for (size_t i = 0; i < LAD_N(rows); i++) {
        struct mark m = weigh(arena, &r, &rows[i], NULL);
        if (better(&m, &best)) {
            next = best;
            best = m;
        } else if (better(&m, &next)) {
            next = m;
        }
    }
    if (best.out) {
        why->sentence = "what was seen points to no cause of the catalogue";
        why->verdict = "not decided: nothing that was seen points to a cause";
        why->next = "repeat it alone with -v, and on another device";
        return true;
    }
    tell(arena, &r, &best, &next, why);
    int lead = (int)best.pro - (int)best.contra;
    bool alone = best.proofs && (next.out || !next.proofs);
    /* Counting what speaks for two causes decides nothing: it is one trace, seen from several sides. */
    why->sure = alone && !best.contra             ? LAD_SURE_DECIDED
                : alone || (next.out && lead > 1) ? LAD_SURE_LIKELY
                                                  : LAD_SURE_OPEN;
    if (why->sure != LAD_SURE_OPEN) {
        why->verdict = why->sure == LAD_SURE_DECIDED ? "decided" : "likely";
        return true;
    }
    leave_open(arena, record, &best, &next, find_pair(best.row->id, next.out ? "" : next.row->id), why);
    const char *more = next.out || !why->calls ? NULL : say_calls(arena, &r, next.row);
    if (more && !lad_has_word(why->calls, more))
        why->calls = lad_printf(arena, "%s %s", why->calls, more);
    if (!next.out && next.row->family != best.row->family)
        why->sentence = lad_printf(arena, "either %s, or %s", sentences[best.row->family], sentences[next.row->family]);
    return true;
}

bool lad_standings(struct lad_arena *arena, const struct lad_record *record, struct lad_standing *list)
{
    struct lad_record r;
    bool any = prepare(arena, record, &r);
    for (size_t i = 0; any && i < LAD_N(rows); i++) {
        struct mark m = weigh(arena, &r, &rows[i], NULL);
        for (int k = 0; k < lad_n_classes; k++)
            if (!strcmp(lad_classes[k].id, rows[i].id))
                list[k] = (struct lad_standing){m.proofs, m.pro, m.out, m.barred};
    }
    return any;
}

static const struct row *find_row(const struct lad_class *c)
{
    size_t i = 0;
    while (c && i < LAD_N(rows) && strcmp(rows[i].id, c->id))
        i++;
    return c && i < LAD_N(rows) ? &rows[i] : NULL;
}

bool lad_diagnose_as(struct lad_arena *arena, const struct lad_record *record, const struct lad_class *cause,
                     const struct lad_class *other, struct lad_why *why)
{
    struct lad_record r;
    const struct row *row = find_row(cause), *beside = find_row(other);
    *why = (struct lad_why){0};
    if (!row || !prepare(arena, record, &r))
        return false;
    struct mark best = weigh(arena, &r, row, NULL),
                next = beside ? weigh(arena, &r, beside, NULL) : (struct mark){.out = true};
    if (best.barred)
        return false;
    next.out = next.out && !beside;
    tell(arena, &r, &best, &next, why);
    why->sure = LAD_SURE_LIKELY;
    why->verdict = "likely";
    return true;
}

const char *lad_diagnose_flaw(struct lad_arena *arena)
{
    for (const struct row *row = rows; row < rows + LAD_N(rows); row++) {
        if (!find_class(row->id))
            return lad_printf(arena, "no class %s", row->id);
        for (const char *p = row->rules; *p;) {
            size_t n = strcspn(p, " ");
            if (!strchr("?=+-~", *p))
                return lad_printf(arena, "%s: rule without sign: %.*s", row->id, (int)n, p);
            for (const char *t = p + 1; t < p + n; t += strcspn(t, "& ") + 1) {
                bool no = *t == '!';
                const char *name = lad_printf(arena, "%.*s", (int)(strcspn(t, "& ") - no), t + no);
                if (lad_obs_find(name) == LAD_OBS_COUNT)
                    return lad_printf(arena, "%s: no observation %s", row->id, name);
            }
            p += n + strspn(p + n, " ");
        }
        for (const char *p = row->calls; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
            const char *name = lad_printf(arena, "%.*s", (int)strcspn(p, " "), p), *colon = strrchr(name, ':');
            name = colon ? colon + 1 : name;
            if (!find_call(name, strlen(name)))
                return lad_printf(arena, "%s: no call %s", row->id, name);
        }
    }
    for (int i = 0; i < lad_n_classes; i++) {
        size_t k = 0;
        while (k < LAD_N(rows) && strcmp(rows[k].id, lad_classes[i].id))
            k++;
        if (k == LAD_N(rows))
            return lad_printf(arena, "class %s has no row", lad_classes[i].id);
    }
    for (const struct pair *p = pairs; p < pairs + LAD_N(pairs); p++)
        if (!find_class(p->a) || !find_class(p->b) ||
            (*p->trial && lad_obs_find(lad_printf(arena, "%s.cured", p->trial)) == LAD_OBS_COUNT))
            return lad_printf(arena, "pair %s %s means nothing", p->a, p->b);
    return NULL;
}
