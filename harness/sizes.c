/* SPDX-License-Identifier: Apache-2.0 */
/* Other sizes of a failed case: which they are (the expressions of experiments.def), and what several of them say
 * together of where the work ends. */
#include "point.h"
#include <string.h>

#define MOST_ITEMS (INT64_C(1) << 20) /* no more to look for a limit where nothing points to one */
#define MOST_LANES 256                /* as many workgroups as a workgroup has lanes are still few items */

/* The variable that is the number of items in x of the first dispatch, where all buffers go with it. */
static const char *find_variable(const struct lad_point *p, const struct lad_step **step)
{
    const struct lad_case *c = p->c;
    const struct lad_step *s = c->steps;
    while (s < c->steps + c->n_steps && s->kind != LAD_STEP_DISPATCH)
        s++;
    const char *name = s < c->steps + c->n_steps ? s->items[0].text : NULL;
    if (!name)
        return NULL;
    *step = s;
    if (c->sweep && !strcmp(c->sweep, name))
        return name;
    for (size_t i = 0; i < c->n_bufs; i++)
        if (!c->bufs[i].count.text || !strstr(c->bufs[i].count.text, name))
            return NULL;
    for (size_t i = 0; i < c->n_vars; i++)
        if (!strcmp(c->vars[i].name, name))
            return name;
    return NULL;
}

/* In items: a limit that the size reaches, of those that the device names and of what 16 bits count; else where the
 * work ended, which is one that it does not name; else the smallest. 0: all are far away. */
static int64_t find_limit(const struct lad_point *p, const struct lad_extent *extent, int64_t n, int64_t lanes)
{
    uint64_t limits[] = {p->gpu->info.cap[LAD_CAP_GROUPS_X], UINT16_MAX};
    int64_t reached = 0, least = MOST_ITEMS + 1;
    for (size_t i = 0; i < LAD_N(limits); i++) {
        if (!limits[i] || limits[i] > UINT32_MAX)
            continue;
        int64_t items = (int64_t)limits[i] * lanes;
        reached = items <= n && items > reached ? items : reached;
        least = items < least ? items : least;
    }
    if (reached)
        return reached;
    if (extent->has_groups && extent->ran && extent->ran < extent->groups)
        return (int64_t)extent->ran * lanes;
    return least <= MOST_ITEMS ? least : 0;
}

const char *lad_sizes_find(struct lad_point *p, const struct lad_experiment *e, int64_t sweep,
                           const struct lad_extent *extent, struct lad_sizes *sizes)
{
    const struct lad_step *step;
    struct lad_scope scope = {{"n", "L", "k", "limit"}, {0}, 4};
    int64_t n = 0, lanes;
    *sizes = (struct lad_sizes){0};
    if (!*e->sizes)
        return NULL;
    if (!(sizes->name = find_variable(p, &step)))
        return "the case has no size that its buffers and its grid go with";
    sizes->swept = p->c->sweep && !strcmp(p->c->sweep, sizes->name);
    for (size_t i = 0; i < p->scope.n; i++)
        if (!strcmp(p->scope.name[i], sizes->name))
            n = sizes->swept ? sweep : p->scope.value[i];
    if (n <= 0 || !lad_point_value(p, step->local[0], 1, &lanes) || lanes < 2)
        return "a workgroup of one item has no remainder";
    sizes->lanes = lanes;
    int64_t groups = n / lanes, k = (groups > lanes || lanes > MOST_LANES ? groups : lanes) + 2;
    int64_t values[] = {n, lanes, k, find_limit(p, extent, n, lanes)};
    memcpy(scope.value, values, sizeof values);
    if (strstr(e->sizes, "limit") && !values[3])
        return lad_printf(p->arena, "no edge was seen, and the device's limit of %llu workgroups is too far to try",
                          (unsigned long long)p->gpu->info.cap[LAD_CAP_GROUPS_X]);
    char *words = lad_strdup(p->arena, e->sizes), *save = NULL, why[100];
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        if (sizes->n == LAD_N(sizes->value) || !lad_eval(word, &scope, &sizes->value[sizes->n++], why, sizeof why))
            return word;
    return sizes->n == 1 && *sizes->value == n ? "it is the size that failed" : NULL;
}

/* ---- what they say together; pure ------------------------------------------------------------------------------- */

static bool is(const struct lad_size *s, const char *result)
{
    return !strcmp(s->result, result);
}

/* How many workgroups are missing; -1: that is not known. */
static int64_t missing(const struct lad_size *s, int64_t lanes)
{
    return s->groups < 0 ? -1 : (s->n + lanes - 1) / lanes - s->groups;
}

static bool is_divided(const struct lad_size *s, int64_t lanes)
{
    int64_t asked = (s->n + lanes - 1) / lanes;
    return is(s, "wrong") && s->groups > 1 && (s->groups == asked / lanes || s->groups == (asked + lanes - 1) / lanes);
}

/* One less than whole workgroups, whole, one more. */
static void judge_whole(struct lad_arena *arena, struct lad_record *r, const struct lad_size *s, int64_t lanes,
                        int64_t was)
{
    bool one = missing(&s[0], lanes) == 1 && missing(&s[2], lanes) == 1;
    if (one && is(&s[1], "right"))
        lad_observe(arena, r, LAD_OBS_WHOLE_REST, NULL, s[1].n);
    else if (one && missing(&s[1], lanes) == 1)
        lad_observe(arena, r, LAD_OBS_WHOLE_LAST, NULL, s[1].n);
    else if (is_divided(&s[0], lanes) && is_divided(&s[1], lanes) && is_divided(&s[2], lanes))
        lad_observe(arena, r, LAD_OBS_WHOLE_RATIO, NULL, s[1].n);
    else if (was > 0 && s[0].groups == was && s[1].groups == was && s[2].groups == was)
        lad_observe(arena, r, LAD_OBS_WHOLE_FIXED, NULL, was);
}

/* Did more run at another size? */
static bool is_passed(const struct lad_record *r, int64_t limit, int64_t lanes)
{
    for (size_t i = 0; i < r->n_trials; i++)
        for (size_t k = 0; k < r->trial[i].n_sizes; k++)
            if (r->trial[i].sizes[k].groups * lanes > limit + lanes)
                return true;
    return false;
}

/* One less than a limit, the limit, one more. */
static void judge_limit(struct lad_arena *arena, struct lad_record *r, const struct lad_size *s, int64_t lanes)
{
    bool edge = is(&s[0], "right") && is(&s[1], "right") && is(&s[2], "wrong");
    if (edge && !is_passed(r, s[1].n, lanes))
        lad_observe(arena, r, LAD_OBS_LIMIT_EDGE, NULL, s[1].n);
    else if (edge || is(&s[1], "wrong"))
        lad_observe(arena, r, LAD_OBS_LIMIT_MOVES, NULL, s[1].n);
}

void lad_experiment_sizes(struct lad_arena *arena, struct lad_record *r, const struct lad_experiment *e,
                          const struct lad_size *sizes, size_t n, int64_t lanes, int64_t was, uint64_t time_ns)
{
    struct lad_trial *t = LAD_PUSH(arena, r->trial, r->n_trials);
    size_t right = 0, wrong = 0, before = r->n_obs;
    const char *list = "";
    *t = (struct lad_trial){.name = e->name, .time_ns = time_ns};
    for (size_t i = 0; i < n; i++) {
        *LAD_PUSH(arena, t->sizes, t->n_sizes) = sizes[i];
        right += is(&sizes[i], "right");
        wrong += is(&sizes[i], "wrong");
        list = lad_printf(arena, "%s%s%lld %s", list, i ? ", " : "", (long long)sizes[i].n,
                          is(&sizes[i], "no") ? "cannot be made" : sizes[i].result);
        if (is(&sizes[i], "wrong") && sizes[i].groups >= 0)
            list = lad_printf(arena, "%s (%lld of %lld workgroups ran)", list, (long long)sizes[i].groups,
                              (long long)((sizes[i].n + lanes - 1) / lanes));
    }
    if (e->cured == LAD_OBS_WHOLE_CURED && n == 3 && right + wrong == n)
        judge_whole(arena, r, sizes, lanes, was);
    if (e->cured == LAD_OBS_LIMIT_CURED && n == 3)
        judge_limit(arena, r, sizes, lanes);
    if (right + wrong)
        lad_observe(arena, r, (enum lad_obs_name)(e->cured + (!wrong ? 0 : !right ? 1 : 2)), NULL, 0);
    t->result = !(right + wrong) ? "no" : !wrong ? "cured" : !right ? "same" : "changed";
    t->text = lad_printf(arena, "%s: %s", e->words, list);
    for (size_t i = before; i + 1 < r->n_obs; i++)
        t->text = lad_printf(arena, "%s; %s", t->text, lad_obs_text(arena, &r->obs[i]));
}
