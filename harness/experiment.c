/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments: the failed case once more with one thing changed, cheapest first, as long as they can tell something and
 * for a bounded time. What comes out is an observation like any other. */
#include "point.h"
#include <string.h>

#define EXPERIMENTS_NS 20000000000ull

static const struct kind {
    const char *name;
    enum lad_obs_name cured; /* then: the same, changed */
    struct lad_change change;
    enum lad_obs_name only; /* makes sense only where this was observed; LAD_OBS_COUNT: always */
} kinds[] = {
    {"repeat", LAD_OBS_REPEAT_CURED, {0}, LAD_OBS_COUNT},
    {"wait-each", LAD_OBS_WAIT_CURED, {.wait_each = true}, LAD_OBS_HAS_STAGES},
    {"one-queue", LAD_OBS_ONE_QUEUE_CURED, {.one_queue = true}, LAD_OBS_HAS_QUEUES},
    {"direct", LAD_OBS_DIRECT_CURED, {.direct = true}, LAD_OBS_HAS_INDIRECT},
    {"whole-groups", LAD_OBS_WHOLE_CURED, {0}, LAD_OBS_HAS_DISPATCHES},
    {"device-memory", LAD_OBS_COHERENT_CURED, {.device_memory = true}, LAD_OBS_HAS_MAPPED},
    {"other-fill", LAD_OBS_FILL_CURED, {.zeros = true}, LAD_OBS_COUNT},
};

/* The next size that fills its workgroups; false where the case has none, or has it already. */
static bool find_whole(struct lad_point *p, int64_t *value)
{
    int64_t local;
    const struct lad_step *s = p->c->steps;
    while (s < p->c->steps + p->c->n_steps && s->kind != LAD_STEP_DISPATCH)
        s++;
    if (!p->c->sweep || s == p->c->steps + p->c->n_steps || !s->items[0].text ||
        strcmp(s->items[0].text, p->c->sweep) || !lad_point_value(p, s->local[0], 1, &local) || local < 2 ||
        *value % local == 0)
        return false;
    *value += local - *value % local;
    return true;
}

/* A grid that a kernel makes is not known ahead. */
static bool has_known_grids(const struct lad_point *p)
{
    for (size_t i = 0; i < p->c->n_steps; i++)
        for (size_t b = 0; p->c->steps[i].indirect && b < p->c->n_bufs; b++)
            if (!strcmp(p->c->bufs[b].name, p->c->steps[i].indirect) && p->c->bufs[b].role != LAD_INPUT)
                return false;
    return true;
}

static const char *first_signature(const struct lad_record *r)
{
    for (size_t i = 0; i < r->n_seen; i++)
        if (r->seen[i].n_wrong)
            return r->seen[i].signature;
    return "";
}

static bool make(struct lad_point *p, struct lad_record *record, const struct kind *k, int64_t value,
                 bool (*run)(struct lad_point *, int64_t))
{
    struct lad_record r = {.id = record->id, .device = record->device, .seed = record->seed, .exit_code = -1};
    uint64_t start = lad_now_ns();
    p->r = &r;
    p->change = k->change;
    bool alive = run(p, value);
    memset(&p->change, 0, sizeof p->change);
    p->r = record;
    if (r.status == LAD_STATUS_SKIP)
        return alive;
    int result = r.status == LAD_STATUS_PASS ? 0
                 : r.status == record->status && !strcmp(r.type ? r.type : "", record->type) &&
                         !strcmp(first_signature(&r), first_signature(record))
                     ? 1
                     : 2;
    static const char *const results[] = {"cured", "same", "changed"};
    enum lad_obs_name name = (enum lad_obs_name)(k->cured + (unsigned)result);
    lad_observe(p->arena, record, name, p->c->sweep, value);
    *LAD_PUSH(p->arena, record->trial, record->n_trials) = (struct lad_trial){
        k->name, results[result], lad_obs_text(p->arena, &record->obs[record->n_obs - 1]), lad_now_ns() - start};
    return alive;
}

void lad_experiments(struct lad_point *p, struct lad_record *record, bool (*run)(struct lad_point *, int64_t))
{
    uint64_t was = p->gpu->deadline_ns, until = lad_now_ns() + EXPERIMENTS_NS;
    bool alive = true;
    if (p->gpu->drop) /* the mutation check asks for red, not for the cause */
        return;
    if (was && until > was)
        until = was;
    p->gpu->deadline_ns = until;
    for (size_t i = 0; alive && i < LAD_N(kinds) && lad_now_ns() + record->time_ns < until; i++) {
        const struct kind *k = &kinds[i];
        int64_t value = record->sweep_failed;
        if ((k->only != LAD_OBS_COUNT && !lad_observed(record, k->only)) || (k->change.direct && !has_known_grids(p)) ||
            (k->cured == LAD_OBS_WHOLE_CURED && !find_whole(p, &value)))
            continue;
        alive = make(p, record, k, value, run);
    }
    p->gpu->deadline_ns = was;
}
