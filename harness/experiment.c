/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments: the failed case once more with one thing changed (experiments.def). The next is the cheapest whose
 * outcomes would lead to different answers, which the diagnosis itself says: it is asked what it would make of each.
 * What comes out is an observation like any other. */
#include "point.h"
#include <string.h>

static const struct lad_experiment kinds[] = {
#define EXPERIMENT(SYM, name, where, only, member, sizes, environment, words)                                          \
    {name, words, LAD_WHERE_##where, only, sizes, environment, LAD_OBS_##SYM##_CURED, {.member = true}},
#include "experiments.def"
#undef EXPERIMENT
};

const struct lad_experiment *lad_experiment_find(const char *name)
{
    for (size_t i = 0; i < LAD_N(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}

static bool was_made(const struct lad_record *r, const struct lad_experiment *e)
{
    for (size_t i = 0; i < r->n_trials; i++)
        if (!strcmp(r->trial[i].name, e->name))
            return true;
    return false;
}

static bool makes_sense(struct lad_arena *arena, const struct lad_record *r, const struct lad_experiment *e)
{
    char *words = lad_strdup(arena, e->only), *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        if (lad_observed(r, lad_obs_find(word)))
            return true;
    return !*e->only;
}

/* Would its outcomes, the observations that bear its name, lead to different answers? Where one is decided already,
 * only another cause counts; or that it was the repetition that cured, not what was changed. */
static bool splits(struct lad_arena *arena, const struct lad_record *record, const struct lad_experiment *e)
{
    struct lad_why now, why;
    struct lad_record r = *record;
    size_t n = strlen(e->name);
    if (!lad_diagnose(arena, record, &now))
        return false;
    r.obs = lad_alloc(arena, (record->n_obs + 1) * sizeof *r.obs);
    if (record->n_obs)
        memcpy(r.obs, record->obs, record->n_obs * sizeof *r.obs);
    r.n_obs++;
    for (int i = 0; i < LAD_OBS_COUNT; i++) {
        const char *name = lad_obs_name((enum lad_obs_name)i);
        if (strncmp(name, e->name, n) || name[n] != '.')
            continue;
        r.obs[record->n_obs] = (struct lad_obs){name, NULL, 0};
        if (!lad_diagnose(arena, &r, &why) || why.cause != now.cause ||
            (why.sure != now.sure && (now.sure != LAD_SURE_DECIDED || e->cured == LAD_OBS_REPEAT_CURED)))
            return true;
    }
    return false;
}

const struct lad_experiment *lad_experiment_next(const struct lad_record *r,
                                                 bool (*possible)(void *, const struct lad_experiment *), void *arg)
{
    const struct lad_experiment *next = NULL;
    struct lad_arena *arena = lad_arena_create();
    bool stop = lad_observed(r, LAD_OBS_HOST_SAME); /* the test itself is at fault */
    for (size_t i = 0; !stop && !next && i < LAD_N(kinds); i++)
        if (!was_made(r, &kinds[i]) && makes_sense(arena, r, &kinds[i]) && splits(arena, r, &kinds[i]) &&
            possible(arg, &kinds[i]))
            next = &kinds[i];
    lad_arena_destroy(&arena);
    return next;
}

static const struct lad_seen *first_wrong(const struct lad_record *r)
{
    for (size_t i = 0; i < r->n_seen; i++)
        if (r->seen[i].n_wrong)
            return &r->seen[i];
    return NULL;
}

static const char *first_signature(const struct lad_record *r)
{
    const struct lad_seen *s = first_wrong(r);
    return s ? s->signature : "";
}

/* Where the edge of what is right went at the larger size. */
static void compare_edges(struct lad_arena *arena, struct lad_record *record, const struct lad_record *r)
{
    const struct lad_seen *a = first_wrong(record), *b = first_wrong(r);
    if (!a || !b || strcmp(a->name, b->name) || b->n <= a->n)
        return;
    uint64_t right = a->n - a->n_wrong, more = b->n - b->n_wrong, times = b->n / a->n;
    if (!right && more)
        lad_observe(arena, record, LAD_OBS_EDGE_FIRST, a->name, (int64_t)times);
    else if (right && right == more)
        lad_observe(arena, record, LAD_OBS_EDGE_STAYS, a->name, (int64_t)times);
    else if (right && b->n_wrong <= 2 * a->n_wrong + 256 && b->n_wrong * 4 < b->n)
        lad_observe(arena, record, LAD_OBS_EDGE_REST, a->name, (int64_t)times);
    else if (right && more >= right * times && more <= right * (times + 1))
        lad_observe(arena, record, LAD_OBS_EDGE_GROWS, a->name, (int64_t)times);
}

/* The two kernels that stand in for the case: what is kept is all that they say. */
static void end_arguments(struct lad_arena *arena, struct lad_record *record, const struct lad_record *r,
                          struct lad_trial *t)
{
    size_t before = record->n_obs;
    bool plain = false;
    for (size_t i = 0; i < r->n_obs; i++) {
        if (!strncmp(r->obs[i].name, "arguments.", 10))
            lad_observe(arena, record, lad_obs_find(r->obs[i].name), r->obs[i].on, r->obs[i].value);
        plain = plain || (!strcmp(r->obs[i].name, lad_obs_name(LAD_OBS_CRASH_KERNEL)) && r->obs[i].value == 1);
    }
    if (lad_observed(r, LAD_OBS_CRASH_KERNEL))
        lad_observe(arena, record, plain ? LAD_OBS_ARGS_BUFFERS_DIE : LAD_OBS_ARGS_SCALARS_DIE, NULL, 0);
    t->text = record->n_obs > before ? "" : "in a new process two small kernels came to no end";
    t->result = record->n_obs > before ? "changed" : "no";
    for (size_t i = before; i < record->n_obs; i++)
        t->text = lad_printf(arena, "%s%s%s", t->text, *t->text ? "; " : "", lad_obs_text(arena, &record->obs[i]));
}

static void keep_findings(struct lad_arena *arena, struct lad_record *record, const struct lad_experiment *e,
                          const struct lad_record *r)
{
    static const enum lad_obs_name kept[] = {LAD_OBS_BOUND_RIGHT, LAD_OBS_BOUND_WRONG, LAD_OBS_FIRST_LANDED,
                                            LAD_OBS_FIRST_LOST};
    for (size_t i = 0; i < r->n_obs; i++)
        for (size_t k = 0; k < LAD_N(kept); k++)
            if (!strcmp(r->obs[i].name, lad_obs_name(kept[k])))
                lad_observe(arena, record, kept[k], r->obs[i].on, r->obs[i].value);
    if (e->cured == LAD_OBS_LARGER_CURED)
        compare_edges(arena, record, r);
    if (e->cured == LAD_OBS_SCALED_CURED && lad_observed(record, LAD_OBS_OUT_NAN) && !lad_observed(r, LAD_OBS_OUT_NAN))
        lad_observe(arena, record, LAD_OBS_SCALED_FINITE, first_wrong(record) ? first_wrong(record)->name : NULL, 0);
}

/* All that was wrong should be zero. */
static bool wants_zeros(const struct lad_record *r)
{
    const struct lad_seen *s = first_wrong(r);
    bool zeros = s && s->n_diffs;
    for (size_t i = 0; zeros && i < s->n_diffs; i++)
        zeros = !s->diff[i].expected;
    return zeros;
}

static const char *const results[] = {"cured", "same", "changed"};

static unsigned compare(const struct lad_record *record, const struct lad_record *r)
{
    return r->status == LAD_STATUS_PASS ? 0
           : r->status == record->status && !strcmp(r->type ? r->type : "", record->type ? record->type : "") &&
                   !strcmp(first_signature(r), first_signature(record))
               ? 1
               : 2;
}

static bool is_unsteady(const struct lad_record *r)
{
    return lad_observed(r, LAD_OBS_REPEAT_CURED) || lad_observed(r, LAD_OBS_REPEAT_CHANGED);
}

void lad_experiment_end(struct lad_arena *arena, struct lad_record *record, const struct lad_experiment *e,
                        const struct lad_record *r, uint64_t time_ns)
{
    struct lad_trial *t = LAD_PUSH(arena, record->trial, record->n_trials);
    *t = (struct lad_trial){.name = e->name, .result = "no", .time_ns = time_ns};
    if (r->status == LAD_STATUS_SKIP || r->status == LAD_STATUS_MISSING) {
        t->text = lad_printf(arena, "%s: cannot be made, %s", e->words, r->message ? r->message : "it came to no end");
        return;
    }
    if (e->change.arguments) {
        end_arguments(arena, record, r, t);
        return;
    }
    if (r->status == LAD_STATUS_PASS && e->cured == LAD_OBS_FILL_CURED && wants_zeros(record)) {
        t->text = lad_printf(arena, "%s: says nothing, zeros are what is expected", e->words);
        return;
    }
    if (r->status == LAD_STATUS_PASS && r->sweep && r->sweep_reached < record->sweep_failed) {
        t->text = lad_printf(arena, "%s: cannot be made, it got no further than %s = %lld", e->words, r->sweep,
                             (long long)r->sweep_reached);
        return;
    }
    unsigned result = compare(record, r);
    if (!result && e->where == LAD_WHERE_FRESH && lad_observed(record, LAD_OBS_REPEAT_CURED)) {
        t->text = lad_printf(arena, "%s: right, which says nothing: so is the same again at times", e->words);
        return;
    }
    enum lad_obs_name name = (enum lad_obs_name)(e->cured + result);
    size_t before = record->n_obs;
    if (!is_unsteady(record))
        keep_findings(arena, record, e, r);
    lad_observe(arena, record, name, NULL, 0);
    t->result = results[result];
    t->text = lad_obs_text(arena, &record->obs[record->n_obs - 1]);
    for (size_t i = before; i + 1 < record->n_obs; i++)
        t->text = lad_printf(arena, "%s; %s", t->text, lad_obs_text(arena, &record->obs[i]));
}

/* ---- in the worker that found the failure -------------------------------------------------------------------- */

enum { CONTROLS = 3, MOST_TURNS = 16 };

struct here {
    struct lad_point *p;
    struct lad_record *record;
    bool (*run)(struct lad_point *, int64_t);
    struct lad_sizes sizes; /* that the experiment runs at */
    uint64_t until_ns, random;
    unsigned failed, n;       /* unchanged runs: how many failed, of how many */
    struct lad_extent extent; /* of the last of them */
    bool alive;
};

/* A grid that a kernel makes is not known ahead. */
static bool has_known_grids(const struct lad_point *p)
{
    for (size_t i = 0; i < p->c->n_steps; i++)
        for (size_t b = 0; p->c->steps[i].indirect && b < p->c->n_bufs; b++)
            if (!strcmp(p->c->bufs[b].name, p->c->steps[i].indirect) && p->c->bufs[b].role != LAD_INPUT)
                return false;
    return true;
}

static void leave_out(struct here *h, const struct lad_experiment *e, const char *why, uint64_t since_ns)
{
    *LAD_PUSH(h->p->arena, h->record->trial, h->record->n_trials) =
        (struct lad_trial){.name = e->name,
                           .result = "no",
                           .text = lad_printf(h->p->arena, "%s: %s", e->words, why),
                           .time_ns = since_ns ? lad_now_ns() - since_ns : 0};
}

/* Asked only of what would tell something: that it cannot be made is worth a word. */
static bool is_possible_here(void *arg, const struct lad_experiment *e)
{
    struct here *h = arg;
    if (e->where != LAD_WHERE_HERE || (e->change.direct && !has_known_grids(h->p)))
        return false;
    const char *why = lad_sizes_find(h->p, e, h->record->sweep_failed, &h->extent, &h->sizes);
    if (why)
        leave_out(h, e, lad_printf(h->p->arena, "cannot be made, %s", why), 0);
    return !why;
}

/* What a driver counts must not come round in step with our runs: a few more calls of each kind between them. */
static void disturb(struct lad_point *p, uint64_t times)
{
    struct lad_buf_desc desc = {.bytes = 256};
    uint32_t words[64] = {0}, sum;
    for (; times; times--) {
        struct lad_buf *buf = lad_gpu_buf(p->gpu, &desc);
        if (buf && lad_gpu_plant(p->gpu, buf, 0, words, sizeof words))
            lad_point_sum(p, buf, 0, LAD_N(words), &sum);
        lad_gpu_free(p->gpu, buf);
    }
}

/* At the size of that number, where the experiment has sizes of its own. */
static struct lad_record run_at(struct here *h, const struct lad_experiment *e, size_t i)
{
    struct lad_point *p = h->p;
    struct lad_record *record = h->record,
                      r = {.id = record->id, .device = record->device, .seed = record->seed, .exit_code = -1};
    disturb(p, lad_random(&h->random) % 5);
    int64_t sweep = record->sweep_failed;
    if (*e->sizes) {
        p->resized = h->sizes.swept ? NULL : h->sizes.name;
        p->size = h->sizes.value[i];
        sweep = h->sizes.swept ? p->size : sweep;
    }
    p->r = &r;
    p->change = e->change;
    p->trial = true;
    h->alive = h->run(p, sweep);
    if (e == lad_experiment_find("repeat"))
        h->extent = p->extent;
    p->trial = false;
    memset(&p->change, 0, sizeof p->change);
    p->resized = NULL;
    p->r = record;
    return r;
}

static struct lad_record run_once(struct here *h, const struct lad_experiment *e)
{
    return run_at(h, e, 0);
}

/* The control of every experiment is the unchanged case, several times: where that passes or fails in another way by
 * itself, one run with a change says nothing. */
static void make_control(struct here *h)
{
    const struct lad_experiment *repeat = lad_experiment_find("repeat");
    struct lad_record r;
    uint64_t start = lad_now_ns();
    do {
        r = run_once(h, repeat);
        h->failed += r.status != LAD_STATUS_PASS;
    } while (h->alive && ++h->n < CONTROLS && compare(h->record, &r) == 1 && lad_now_ns() < h->until_ns);
    lad_experiment_end(h->p->arena, h->record, repeat, &r, lad_now_ns() - start);
}

/* In turns with unchanged runs: does the change hold until chance would have spoiled it, 99 times in 100? NULL: yes, or
 * *r is the run that failed with the change, too; else why nothing follows. */
static const char *take_turns(struct here *h, const struct lad_experiment *e, struct lad_record *r)
{
    const struct lad_experiment *repeat = lad_experiment_find("repeat");
    for (unsigned good = 1; h->alive && r->status == LAD_STATUS_PASS; good++) {
        double luck = 1;
        for (unsigned i = 0; i < good; i++)
            luck *= 1 - (double)h->failed / (h->n + 1);
        if (luck < 0.01 || (h->failed == h->n && lad_now_ns() >= h->until_ns))
            return NULL;
        if (good > MOST_TURNS || lad_now_ns() >= h->until_ns)
            return lad_printf(h->p->arena,
                              "right %u times, which says nothing: the same unchanged failed %u of %u times", good,
                              h->failed, h->n);
        struct lad_record control = run_once(h, repeat);
        h->n++;
        h->failed += control.status != LAD_STATUS_PASS;
        if (h->alive)
            *r = run_once(h, e);
    }
    return NULL;
}

static struct lad_size describe_size(const struct here *h, const struct lad_record *r, size_t i)
{
    bool right = r->status == LAD_STATUS_PASS, no = r->status == LAD_STATUS_SKIP;
    int64_t n = h->sizes.value[i], lanes = h->sizes.lanes ? h->sizes.lanes : 1;
    return (struct lad_size){n,
                             right ? "right"
                             : no  ? "no"
                                   : "wrong",
                             no                        ? -1
                             : right                   ? (n + lanes - 1) / lanes
                             : h->p->extent.has_groups ? (int64_t)h->p->extent.ran
                                                       : -1};
}

static void make_experiment(struct here *h, const struct lad_experiment *e)
{
    struct lad_record *record = h->record;
    uint64_t start = lad_now_ns();
    struct lad_record r = run_once(h, e);
    struct lad_extent wide = h->p->extent;
    struct lad_size size = describe_size(h, &r, 0);
    const char *nothing = NULL;
    if (h->alive && !was_made(record, lad_experiment_find("repeat")) &&
        (compare(record, &r) != 1 || e->cured == LAD_OBS_LARGER_CURED))
        make_control(h);
    if (h->alive && e->cured == LAD_OBS_LARGER_CURED && !is_unsteady(record))
        lad_observe_extents(h->p, &h->extent, &wide);
    if (h->alive && r.status == LAD_STATUS_PASS)
        nothing = take_turns(h, e, &r);
    if (nothing)
        leave_out(h, e, nothing, start);
    else
        lad_experiment_end(h->p->arena, record, e, &r, lad_now_ns() - start);
    struct lad_trial *t = &record->trial[record->n_trials - 1];
    if (*e->sizes)
        *LAD_PUSH(h->p->arena, t->sizes, t->n_sizes) = size;
}

/* At several sizes, one after the other, twice: what comes and goes by itself says nothing about sizes. */
static void make_sizes(struct here *h, const struct lad_experiment *e)
{
    struct lad_size sizes[2][LAD_N(h->sizes.value)];
    size_t n = h->sizes.n;
    uint64_t start = lad_now_ns();
    bool steady = true;
    struct lad_extent edge = h->extent;
    if (!was_made(h->record, lad_experiment_find("repeat")))
        make_control(h);
    for (size_t i = 0; h->alive && i < 2 * n; i++) {
        struct lad_record r = run_at(h, e, i % n);
        if (h->p->extent.has_groups && h->p->extent.ran)
            edge = h->p->extent;
        sizes[i / n][i % n] = describe_size(h, &r, i % n);
        steady = steady && (i < n || !strcmp(sizes[0][i % n].result, sizes[1][i % n].result));
    }
    if (!h->alive)
        leave_out(h, e, "the device took no more work", start);
    else if (!steady || is_unsteady(h->record))
        leave_out(h, e, "says nothing, the failure comes and goes by itself", start);
    else
        lad_experiment_sizes(h->p->arena, h->record, e, *sizes, n, h->sizes.lanes,
                             h->extent.has_groups ? (int64_t)h->extent.ran : -1, lad_now_ns() - start);
    if (!h->extent.ran)
        h->extent = edge; /* an edge where there was none yet */
}

void lad_experiments(struct lad_point *p, struct lad_record *record, bool (*run)(struct lad_point *, int64_t))
{
    uint64_t was = p->gpu->deadline_ns, until = lad_now_ns() + p->gpu->experiments_ns;
    const struct lad_experiment *e, *repeat = lad_experiment_find("repeat");
    if (p->gpu->drop || p->gpu->trial) /* the mutation check asks for red, not for the cause; no experiment on one */
        return;
    if (was && until > was)
        until = was;
    p->gpu->deadline_ns = until;
    struct here h = {.p = p,
                     .record = record,
                     .run = run,
                     .until_ns = until,
                     .random = record->seed,
                     .extent = p->extent,
                     .alive = true};
    while (h.alive && lad_now_ns() < until && (e = lad_experiment_next(record, is_possible_here, &h)))
        if (e == repeat)
            make_control(&h);
        else if (h.sizes.n > 1)
            make_sizes(&h, e);
        else
            make_experiment(&h, e);
    p->gpu->deadline_ns = was;
}
