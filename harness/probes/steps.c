/* SPDX-License-Identifier: Apache-2.0 */
/* The probe that runs a case's own steps: plant, check the plant, upload, run between markers, read back into planted
 * memory, then compare with the oracle and hear the witnesses. A sweep runs it at each value and bisects a failure. */
#include "../point.h"
#include <string.h>

#define SWEEP_NS 1500000000ull /* a sweep does not start a value that is expected to take longer */
#define BISECT_NS 5000000000ull
#define LONG_DISPATCH_NS 5000000.0 /* a timed sweep is large enough when one dispatch takes this long */

static bool take_measures(struct lad_point *p, int64_t sweep)
{
    uint64_t start = lad_now_ns();
    p->timed = true;
    p->r->n_measures = 0;
    for (size_t i = 0; i < p->c->n_measures; i++) {
        const struct lad_measure_want *want = &p->c->measures[i];
        int64_t work, any, discrete;
        if (!lad_point_value(p, want->work, 0, &work) || !lad_point_value(p, want->floor_any, 0, &any) ||
            !lad_point_value(p, want->floor_discrete, 0, &discrete))
            return false;
        double floor = (double)(p->gpu->info.type == LAD_DEV_DISCRETE && discrete ? discrete : any);
        struct lad_measure *m = LAD_PUSH(p->arena, p->r->measures, p->r->n_measures);
        if (!lad_measure(p->gpu, p->arena, want, (double)work, floor, lad_point_timed, p, m))
            return false;
        m->size = (uint64_t)sweep;
        p->longest_ns = strcmp(want->unit, "us") ? (double)work / m->value : m->value * 1000;
    }
    p->timed = false;
    p->measure_ns = lad_now_ns() - start;
    return true;
}

static void check_floors(struct lad_point *p)
{
    for (size_t i = 0; i < p->r->n_measures; i++) {
        const struct lad_measure *m = &p->r->measures[i];
        bool below = strcmp(m->unit, "us") ? m->value < m->floor : m->value > m->floor;
        if (m->floor > 0 && below && !m->doubt) {
            p->r->status = LAD_STATUS_MISSING; /* right, but too slow: replaces the pass */
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.floor", "%s is %.2f %s, the case's floor is %.2f",
                           m->name, m->value, m->unit, m->floor);
        }
    }
}

/* Runs at one value into p->r; true unless nothing more can be done on this device. */
static bool run_point(struct lad_point *p, int64_t sweep)
{
    if (p->change.arguments)
        return lad_point_arguments(p);
    if (lad_point_prepare(p, sweep) && lad_point_steps(p)) {
        lad_point_judge(p);
        if (p->r->status == LAD_STATUS_PASS && p->c->n_measures && !p->gpu->drop)
            take_measures(p, sweep);
    }
    if (p->r->status > LAD_STATUS_FAIL)
        lad_observe_case(p);
    if (p->r->status == LAD_STATUS_TIMEOUT || p->r->status == LAD_STATUS_LOST)
        return false; /* work may be in flight: nothing may be freed */
    if (p->gpu->n_recorded && !lad_gpu_wait(p->gpu))
        return false;
    lad_point_free(p);
    const char *message;
    while (p->gpu->backend->message && (message = p->gpu->backend->message(p->gpu->dev)))
        *LAD_PUSH(p->arena, p->r->messages, p->r->n_messages) = lad_strdup(p->arena, message);
    return true;
}

static bool failed(const struct lad_record *r)
{
    return r->status != LAD_STATUS_PASS && r->status != LAD_STATUS_SKIP;
}

/* Between the last value that passed and the first that did not. */
static bool bisect(struct lad_point *p, const struct lad_record *want, struct lad_record *best, int64_t low,
                   int64_t high, struct lad_extent *extent)
{
    uint64_t until = lad_now_ns() + BISECT_NS;
    bool alive = true;
    while (alive && high - low > 1 && lad_now_ns() < until) {
        struct lad_record r = *want;
        int64_t middle = low + (high - low) / 2;
        p->r = &r;
        alive = run_point(p, middle);
        if (failed(&r)) {
            *best = r;
            *extent = p->extent;
            high = middle;
        } else {
            low = middle;
        }
    }
    best->sweep_failed = high;
    best->sweep_passed = low;
    if (high - low > 1)
        lad_record_fact(p->arena, best, '-',
                        "the search for the smallest failing %s ended early: between %lld and %lld", p->c->sweep,
                        (long long)low, (long long)high);
    return alive;
}

/* Patterns and edges need room: where the smallest failing size leaves none, a larger one is looked at as well, and
 * what is seen there stands for what was seen at the small one. */
static bool look_wider(struct lad_point *p, const struct lad_record *want, struct lad_record *best, uint64_t once_ns,
                       const struct lad_extent *small)
{
    static const char *const kept[] = {"plant.", "api.", "finish.", "late.", "messages", "case.", "output.shift"};
    int64_t from = best->sweep_failed, last = p->c->sweep ? p->c->sweep_values[p->c->n_sweep - 1] : from;
    int64_t to = from < 667 ? 1000 : from + from / 2 + 3;
    struct lad_record r = *want;
    to = to < last || last >= 667 ? to : last; /* of small ranges nothing is known beyond their end */
    if (to <= from || once_ns > SWEEP_NS)
        return true;
    p->r = &r;
    bool alive = run_point(p, to);
    if (!alive || r.status == LAD_STATUS_SKIP || r.status > LAD_STATUS_FAIL)
        return alive;
    struct lad_obs *obs = best->obs;
    size_t n = best->n_obs;
    if (r.status == LAD_STATUS_FAIL) {
        best->obs = r.obs;
        best->n_obs = r.n_obs;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < LAD_N(kept); k++)
                if (!strncmp(obs[i].name, kept[k], strlen(kept[k])))
                    lad_observe(p->arena, best, lad_obs_find(obs[i].name), obs[i].on, obs[i].value);
        p->r = best;
        lad_observe_extents(p, small, &p->extent);
    }
    p->r = best;
    lad_observe(p->arena, best, r.status == LAD_STATUS_PASS ? LAD_OBS_WIDER_RIGHT : LAD_OBS_WIDER_WRONG, p->c->sweep,
                to);
    return true;
}

static void run_sweep(struct lad_point *p, struct lad_record *record)
{
    const struct lad_case *c = p->c;
    struct lad_record want = *record, best = *record;
    uint64_t last_ns = 0, least_ns = UINT64_MAX, build_ns = 0, first_ns = 0;
    bool alive = true;
    size_t i, n = c->sweep ? c->n_sweep : 1, again = 0;
    for (i = 0; i < n; i++) {
        int64_t value = c->sweep ? c->sweep_values[i] : 0;
        struct lad_record r = want;
        double growth = i && c->sweep_values[i - 1] > 0 ? (double)value / (double)c->sweep_values[i - 1] : 1;
        /* What the quickest took is there at every size. */
        bool too_long = i && (double)least_ns + (double)(last_ns - least_ns) * growth > (double)SWEEP_NS;
        if (too_long && again != i && last_ns < SWEEP_NS / 4) { /* it may have been held up: measured once more */
            again = i;
            value = c->sweep_values[--i];
        } else if (too_long) {
            lad_record_fact(p->arena, &best, '-', "%s stopped at %lld: %lld would take too long on this device",
                            c->sweep, (long long)c->sweep_values[i - 1], (long long)value);
            break;
        }
        uint64_t start = lad_now_ns();
        p->measure_ns = 0;
        p->r = &r;
        alive = run_point(p, value);
        last_ns = lad_now_ns() - start - p->measure_ns;
        uint64_t once = r.build_ns + (i ? 0 : r.first_ns); /* the first wait of all compiles */
        last_ns -= once < last_ns ? once : last_ns;
        least_ns = last_ns < least_ns ? last_ns : least_ns;
        build_ns += r.build_ns;
        first_ns = first_ns ? first_ns : r.first_ns;
        if (r.status == LAD_STATUS_SKIP && i) {
            lad_record_fact(p->arena, &best, '-', "%s stopped at %lld: %s", c->sweep, (long long)c->sweep_values[i - 1],
                            r.message);
            break;
        }
        best = r;
        best.sweep_reached = value;
        if (!alive)
            best.sweep_failed = value;
        if (!alive || r.status == LAD_STATUS_SKIP)
            break;
        if (failed(&r)) {
            struct lad_extent extent = p->extent;
            if (i)
                alive = bisect(p, &want, &best, c->sweep_values[i - 1], value, &extent);
            else
                best.sweep_failed = value;
            if (alive && best.status == LAD_STATUS_FAIL && !p->gpu->drop)
                alive = look_wider(p, &want, &best, last_ns, &extent);
            best.sweep_reached = value;
            break;
        }
        best.sweep_passed = value;
        if (p->longest_ns > LONG_DISPATCH_NS && i + 1 < n) {
            lad_record_fact(p->arena, &best, '-', "%s stopped at %lld: one dispatch takes long enough to be measured",
                            c->sweep, (long long)value);
            break;
        }
    }
    best.sweep = c->sweep;
    best.build_ns = build_ns;
    best.first_ns = first_ns;
    *record = best;
    p->r = record;
    if (record->status == LAD_STATUS_FAIL)
        lad_observe_edge(p, record);
    if (record->status == LAD_STATUS_PASS)
        check_floors(p);
    else if (record->status == LAD_STATUS_FAIL && alive)
        lad_experiments(p, record, run_point);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *record)
{
    struct lad_point *p = lad_alloc(arena, sizeof *p);
    p->gpu = gpu;
    p->c = c;
    p->arena = arena;
    if (gpu->trial)
        p->change = gpu->trial->change;
    p->r = record;
    if (p->change.first_fill)
        lad_point_first_fill(p);
    run_sweep(p, record);
}

const struct lad_probe lad_probe_steps = {
    .name = "steps",
    .summary = "runs the steps of a case and compares with its oracles",
    .run = run,
};
