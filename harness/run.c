/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop over what is planned. A lane is a device whose cases run one after the other in a worker; with --jobs there
 * are several at a time. Everything happens in the parent's one thread, between two calls of lad_child_wait.
 */
#include "lab.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_NS UINT64_C(10000000000)
#define BEAT_NS UINT64_C(30000000000)

enum lane_state { LANE_IDLE, LANE_STARTING, LANE_CASE, LANE_PROOF, LANE_LAB, LANE_DONE };

struct lane {
    const struct lad_device *device;
    enum lane_state state;
    struct lad_record *at, *end; /* the record in hand or next */
    struct lad_child *child;
    const struct lad_record *layered; /* the record that the child was started for, with its layer; or NULL */
    const struct lad_case *sent;      /* what the worker is at */
    uint64_t sent_ns, beat_ns;
    struct lad_lab *lab;                 /* looks into the failure of the record in hand */
    struct lad_record *last;             /* the last that the present worker completed */
    const struct lad_record *unwritten;  /* settled, but neither journalled nor shown */
    const struct lad_record *failed[32]; /* by rung: the first gating case that failed */
    /* After a worker was lost rung 0 is proven in the next one; why: the case that cost it. */
    const char *why, *note;
    size_t proof;            /* next case to prove with, an index of lad_cases */
    bool gone;               /* the device did not come back: nothing more runs on it */
    const char *stopped;     /* --fail-fast: the case that stopped it */
    struct lad_record first; /* the first failure of a case that is repeated, n_tries > 0 */
    struct lad_try *tries;
    size_t n_tries;
};
struct runner {
    struct lad_arena *arena;
    const struct lad_options *options;
    const struct lad_cases *cases;
    struct lad_run *run;
    const struct lad_watch *watch;
    struct lane *lane;
    int journal;
    bool failed;
};

static const struct lad_case *find_case(const struct runner *r, const char *id)
{
    for (size_t i = 0; i < r->cases->n; i++)
        if (!strcmp(r->cases->item[i].id, id))
            return &r->cases->item[i];
    return NULL;
}

/* The first failed case among the rungs that this one stands on, directly or not. */
static const struct lad_record *find_blocker(const struct lane *l, int rung)
{
    for (int i = 0; i < lad_n_rungs; i++) {
        if (lad_rungs[i].number != rung)
            continue;
        for (int below = 0; below < rung; below++) {
            if (!(lad_rungs[i].on & 1u << below))
                continue;
            const struct lad_record *b = l->failed[below] ? l->failed[below] : find_blocker(l, below);
            if (b)
                return b;
        }
    }
    return NULL;
}

static bool is_planned(const struct lad_record *rec)
{
    return rec->status == LAD_STATUS_MISSING;
}

/* While the worker is at the next case already. */
static void write_down(struct runner *r, struct lane *l)
{
    const struct lad_record *rec = l->unwritten;
    l->unwritten = NULL;
    if (!rec)
        return;
    if (!lad_journal_record(r->journal, rec) && !r->failed) {
        lad_error("%s/journal.jsonl: cannot write: %s", r->options->output, strerror(errno));
        r->failed = true;
    }
    if (r->watch && r->watch->ended)
        r->watch->ended(r->watch->arg, r->run, rec);
}

/* The record is complete: it has its consequences. */
static void settle(struct runner *r, struct lane *l, struct lad_record *rec)
{
    if (l->unwritten != rec)
        write_down(r, l);
    l->unwritten = rec;
    const struct lad_case *c = find_case(r, rec->id);
    if (rec->status >= LAD_STATUS_FAIL && lad_record_bad(rec)) {
        if (c && c->gates && rec->rung < (int)LAD_N(l->failed) && !l->failed[rec->rung])
            l->failed[rec->rung] = rec;
        if (r->options->fail_fast && !l->stopped)
            l->stopped = rec->id;
    } else if (lad_record_bad(rec) && r->options->fail_fast && !l->stopped) {
        l->stopped = rec->id;
    }
}

/* The record in hand is complete, and what there was to find out about it is found out. */
static void finish(struct runner *r, struct lane *l)
{
    lad_lab_close(&l->lab);
    l->state = LANE_IDLE;
    settle(r, l, l->at++);
}

/* Takes over what was planned; what the worker says of that is not believed. */
static void complete(struct runner *r, struct lane *l, struct lad_record got)
{
    struct lad_record *rec = l->at, plan = *rec;
    bool bad = got.status >= LAD_STATUS_FAIL;
    if (l->note) {
        lad_record_fact(r->arena, &got, '+', "%s", l->note);
        l->note = NULL;
    }
    uint32_t more = *r->options->flakes && !plan.flake ? 0 : r->options->retries;
    if (bad && !l->gone && !(plan.known && got.status == plan.known_status) && l->n_tries < more) {
        if (!l->n_tries)
            l->first = got;
        *LAD_PUSH(r->arena, l->tries, l->n_tries) =
            (struct lad_try){.status = got.status, .type = got.type, .message = got.message, .time_ns = got.time_ns};
        return; /* still the lane's next record */
    }
    uint32_t tries = (uint32_t)l->n_tries + 1;
    if (l->n_tries && bad) {
        struct lad_try last = {.status = got.status, .type = got.type, .message = got.message, .time_ns = got.time_ns};
        *LAD_PUSH(r->arena, l->tries, l->n_tries) = last;
        got = l->first;
        l->tries++; /* the record describes the first one itself */
        l->n_tries--;
    }
    *rec = got;
    lad_record_plan(rec, &plan);
    rec->tries = tries;
    rec->flaky = tries > 1 && !bad;
    rec->retry = l->tries;
    rec->n_retries = l->n_tries;
    l->tries = NULL;
    l->n_tries = 0;
    lad_record_known(r->arena, rec);
    l->last = rec;
    if (lad_record_bad(rec) && (rec->status > LAD_STATUS_FAIL || lad_observed(rec, LAD_OBS_LATER_LOST)))
        lad_kernel_log(r->arena, rec, l->sent_ns);
    if (!l->gone || lad_observed(rec, LAD_OBS_HIDDEN))
        l->lab = lad_lab_open(r->arena, r->options, r->run, l->device, find_case(r, rec->id), rec);
    if (l->lab)
        l->state = LANE_LAB;
    else
        finish(r, l);
}

static void block(struct runner *r, struct lane *l, enum lad_status status, const char *type, const char *by,
                  const char *format)
{
    struct lad_record *rec = l->at++;
    rec->status = status;
    rec->type = type;
    rec->message = lad_printf(r->arena, format, by);
    rec->blocker = by;
    settle(r, l, rec);
}

/* Settles records that need no worker, up to the first that does. */
static void skip_settled(struct runner *r, struct lane *l)
{
    while (l->at < l->end) {
        const struct lad_record *by = r->options->keep_going ? NULL : find_blocker(l, l->at->rung);
        if (!is_planned(l->at))
            settle(r, l, l->at++);
        else if (l->stopped)
            block(r, l, LAD_STATUS_BLOCKED, "ladder.blocked.fail-fast", l->stopped,
                  "blocked: --fail-fast, and %s failed");
        else if (l->gone)
            block(r, l, LAD_STATUS_BLOCKED, "ladder.blocked.device", l->why,
                  "blocked: needs the device, which was lost in %s");
        else if (by)
            block(r, l, LAD_STATUS_BLOCKED, "ladder.blocked", by->id, "blocked: needs %s, which failed");
        else
            return;
    }
}

/* The device cannot be used any more: the next record says so, the others are blocked by it. */
static void lose(struct runner *r, struct lane *l, const char *what)
{
    struct lad_record lost = {.status = LAD_STATUS_LOST, .type = "ladder.lost.device", .exit_code = -1};
    if (l->why)
        lost.message = lad_printf(r->arena, "the device did not come back after %s: %s", l->why, what);
    else
        lost.message = lad_strdup(r->arena, what);
    if (l->child)
        lost.output = lad_child_output(r->arena, l->child, &lost.output_bytes);
    lad_child_destroy(&l->child);
    l->state = LANE_IDLE;
    if (l->at->inject) { /* what the fault did to this process is no news of the device */
        complete(r, l, lost);
        return;
    }
    l->gone = true;
    lost.blocker = l->why; /* then it is a casualty of that case */
    if (!l->why)
        l->why = l->at->id;
    l->note = NULL;
    complete(r, l, lost);
}

/* Nothing happened to it, and yet one process lists it and the next does not: something between here and the driver
 * decides what is seen. */
static void lose_from_list(struct runner *r, struct lane *l, const char *what)
{
    struct lad_record hidden = {.status = LAD_STATUS_LOST, .exit_code = -1, .type = "ladder.lost.hidden"};
    if (l->why) {
        lose(r, l, what);
        return;
    }
    hidden.message = lad_printf(r->arena, "%s (%s); an earlier one listed it", what, l->device->info.name);
    hidden.output = lad_child_output(r->arena, l->child, &hidden.output_bytes);
    lad_observe(r->arena, &hidden, LAD_OBS_HIDDEN, l->device->info.name, 0);
    lad_child_destroy(&l->child);
    l->state = LANE_IDLE;
    if (!l->at->inject) { /* else only in the process with the fault */
        l->gone = true;
        l->why = l->at->id;
    }
    l->note = NULL;
    complete(r, l, hidden);
}

/* The worker is lost, or not to be trusted any more; the next one has to prove rung 0 first. */
static void drop_worker(struct lane *l, const char *why)
{
    lad_child_destroy(&l->child);
    l->state = LANE_IDLE;
    l->last = NULL;
    l->why = why;
    l->proof = 0;
}

static uint64_t get_limit_ns(const struct runner *r, const struct lad_case *c)
{
    return (c->timeout_s ? c->timeout_s : r->options->timeout_s) * UINT64_C(1000000000);
}

/* The worker ended, or has to: what that makes of the case it was at. */
static void end_worker(struct runner *r, struct lane *l, const char *garbage)
{
    const struct lad_child_end *end = lad_child_end(l->child);
    struct lad_record got = lad_record_end(r->arena, end, l->sent ? get_limit_ns(r, l->sent) : START_NS, garbage);
    got.output = lad_child_output(r->arena, l->child, &got.output_bytes);
    got.time_ns = lad_now_ns() - l->sent_ns;
    lad_flight_tell(r->arena, lad_child_flight(l->child), l->device->slug, &got);
    if (l->sent)
        lad_observe_kind(r->arena, l->sent, &got);
    switch (l->state) {
    case LANE_CASE: {
        const char *id = l->at->id;
        if (l->last)
            lad_record_fact(r->arena, &got, '-', "other cases ran in the same process before, the last was %s",
                            l->last->id);
        drop_worker(l, id);
        complete(r, l, got);
        break;
    }
    case LANE_IDLE: /* between two cases: the one before is what it died of */
        if (!l->last) {
            lose(r, l, got.message);
            break;
        }
        l->last->status = LAD_STATUS_CRASH;
        l->last->type = "ladder.crash.after";
        l->last->message = lad_printf(r->arena, "right after the case: %s", got.message);
        l->last->signal = got.signal;
        l->last->exit_code = got.exit_code;
        l->last->output = got.output;
        l->last->output_bytes = got.output_bytes;
        settle(r, l, l->last);
        drop_worker(l, l->last->id);
        break;
    case LANE_STARTING:
        lose_from_list(r, l,
                       lad_printf(r->arena, "a new worker did not get as far as its devices: %s", got.message));
        break;
    case LANE_PROOF:
        lose(r, l, lad_printf(r->arena, "%s in a new process: %s", l->sent->id, got.message));
        break;
    case LANE_LAB:
    case LANE_DONE:
        break;
    }
}

static void send_case(struct runner *r, struct lane *l, const struct lad_case *c, enum lane_state state)
{
    uint64_t limit_ns = get_limit_ns(r, c);
    char seed[24];
    snprintf(seed, sizeof seed, "0x%llx", (unsigned long long)r->run->seed);
    l->state = state;
    l->sent = c;
    l->sent_ns = l->beat_ns = lad_now_ns();
    lad_child_output(NULL, l->child, &(uint64_t){0});
    lad_child_deadline(l->child, l->sent_ns + limit_ns);
    lad_child_send(l->child,
                   json_pack("{s:{s:s, s:s, s:s, s:s, s:I, s:i, s:s?, s:I, s:I}}", "run", "file", c->file, "case",
                             c->id, "device", l->device->slug, "seed", seed, "index", (json_int_t)l->device->index,
                             "drop", state == LANE_CASE ? (int)r->options->drop : LAD_DROP_NONE, "inject",
                             state != LANE_CASE ? NULL
                             : l->at->inject    ? l->at->inject
                                                : lad_faults_text(r->arena, r->options),
                             "timeout_s", (json_int_t)(limit_ns / 1000000000u), "look_s",
                             (json_int_t)(state == LANE_CASE ? r->options->experiments_s : 0)));
    /* Where nobody listens any more the end of the worker is on its way. */
}

/* The next gating case of rung 0 that has not failed on this device in this run. */
static const struct lad_case *next_proof(const struct runner *r, struct lane *l)
{
    while (l->proof < r->cases->n) {
        const struct lad_case *c = &r->cases->item[l->proof++];
        bool usable = c->rung == 0 && c->gates;
        for (const struct lad_record *rec = r->run->record; usable && rec < r->run->record + r->run->n_records; rec++)
            if (rec->device == l->device->slug && !strcmp(rec->id, c->id))
                usable = rec->status == LAD_STATUS_PASS || rec->status == LAD_STATUS_MISSING;
        if (usable)
            return c;
    }
    return NULL;
}

/* A fault in a layer counts from the start of its process; a layer without one may serve several cases. */
static bool fits_layer(const struct lane *l)
{
    if (!l->layered || !l->at->layer)
        return !l->layered && !l->at->layer;
    return l->layered == l->at || (!l->layered->inject && !l->at->inject && !strcmp(l->layered->layer, l->at->layer));
}

static void send_next(struct runner *r, struct lane *l)
{
    while (l->state == LANE_IDLE) {
        skip_settled(r, l);
        if (l->at == l->end) {
            if (l->layered)
                lad_child_destroy(&l->child);
            else if (l->child)
                lad_worker_give(l->device->icd, l->child);
            l->child = NULL;
            l->state = LANE_DONE;
            return;
        }
        bool fresh = false;
        if (l->child && !fits_layer(l))
            lad_child_destroy(&l->child);
        if (!l->child) {
            const char **env =
                l->at->layer ? lad_layer_env(r->arena, l->at->layer, l->at->inject ? l->at->inject : "") : NULL;
            l->layered = l->at->layer ? l->at : NULL;
            fresh = l->layered;
            l->child = !l->layered ? lad_worker_take(r->arena, l->device->icd, &fresh)
                       : env       ? lad_worker_start(r->arena, l->device->icd, env)
                                   : NULL;
            l->last = NULL;
            if (!l->child) {
                r->failed = true;
                return;
            }
        }
        if (fresh) {
            l->state = LANE_STARTING;
            l->sent = NULL;
            l->sent_ns = l->beat_ns = lad_now_ns();
            lad_child_deadline(l->child, l->sent_ns + START_NS);
            return;
        }
        const struct lad_case *proof = l->why && !l->at->inject ? next_proof(r, l) : NULL;
        if (!proof && l->why && !l->at->inject) {
            l->note =
                lad_printf(r->arena, "a new process had to be started after %s; rung 0 passed in it first", l->why);
            l->why = NULL;
        }
        if (proof)
            send_case(r, l, proof, LANE_PROOF);
        else
            send_case(r, l, find_case(r, l->at->id), LANE_CASE);
    }
}

static void start_next(struct runner *r, struct lane *l)
{
    bool idle = l->state == LANE_IDLE;
    send_next(r, l);
    write_down(r, l);
    if (idle && l->state == LANE_CASE && r->watch && r->watch->began)
        r->watch->began(r->watch->arg, r->run, l->at);
}

/* The new worker's list must show the device where the old one's did. */
static bool is_same_device(struct lad_arena *arena, json_t *line, const struct lad_device *d)
{
    struct lad_dev_info info;
    json_t *json = json_array_get(json_object_get(line, "devices"), d->index);
    return json && lad_dev_info_parse(arena, json, &info) && !strcmp(info.name, d->info.name) &&
           !strcmp(info.uuid, d->info.uuid) && info.platform == d->info.platform;
}

static void take_record(struct runner *r, struct lane *l, json_t *json, bool over)
{
    struct lad_record got;
    if (!lad_record_parse(r->arena, json, &got) || strcmp(got.id, l->sent->id) || got.status == LAD_STATUS_MISSING) {
        end_worker(r, l, "a record that is none");
        return;
    }
    lad_child_deadline(l->child, 0);
    const char *id = l->sent->id;
    if (got.status >= LAD_STATUS_FAIL)
        got.output = lad_child_output(r->arena, l->child, &got.output_bytes);
    bool proof = l->state == LANE_PROOF;
    l->state = LANE_IDLE;
    if (proof && got.status >= LAD_STATUS_FAIL) {
        lose(r, l, lad_printf(r->arena, "%s in a new process: %s", id, got.message ? got.message : ""));
        return;
    }
    if (over)
        drop_worker(l, id);
    if (!proof)
        complete(r, l, got);
}

static void take_line(struct runner *r, struct lane *l, const char *line)
{
    json_t *json = json_loads(line, 0, NULL);
    json_t *record = json_object_get(json, "record");
    if (l->state == LANE_STARTING && json_object_get(json, "devices")) {
        lad_child_deadline(l->child, 0);
        l->state = LANE_IDLE;
        if (!is_same_device(r->arena, json, l->device))
            lose_from_list(r, l, "a new process does not list the device");
    } else if ((l->state == LANE_CASE || l->state == LANE_PROOF) && record) {
        take_record(r, l, record, json_is_true(json_object_get(json, "over")));
    } else {
        end_worker(r, l, *line ? line : "an empty line");
    }
    json_decref(json);
}

static void attend(struct runner *r, struct lane *l)
{
    const char *line;
    enum lad_child_event event;
    if (l->state == LANE_LAB) {
        if (lad_lab_attend(l->lab))
            finish(r, l);
        return;
    }
    while (l->child && l->state != LANE_LAB && (event = lad_child_next(l->child, &line)) != LAD_CHILD_QUIET) {
        if (event == LAD_CHILD_LINE)
            take_line(r, l, line);
        else
            end_worker(r, l, NULL);
    }
    if (r->watch && r->watch->waiting && l->state == LANE_CASE && lad_now_ns() - l->beat_ns >= BEAT_NS) {
        l->beat_ns = lad_now_ns();
        r->watch->waiting(r->watch->arg, r->run, l->at, l->beat_ns - l->sent_ns);
    }
}

static void split_lanes(struct runner *r)
{
    struct lad_record *at = r->run->record, *end = at + r->run->n_records;
    r->lane = lad_alloc(r->arena, (r->run->n_devices + 1) * sizeof *r->lane);
    for (size_t i = 0; i < r->run->n_devices; i++) {
        struct lane *l = &r->lane[i];
        l->device = &r->run->device[i];
        l->at = at;
        while (at < end && at->device == l->device->slug)
            at++;
        l->end = at;
    }
}

/* Runs lanes, in order, at most `jobs` at a time. */
static void run_lanes(struct runner *r)
{
    uint32_t jobs = r->options->jobs ? r->options->jobs : 1;
    while (!r->failed && !lad_caught_signal()) {
        uint32_t busy = 0;
        uint64_t beat = 0;
        for (size_t i = 0; i < r->run->n_devices && busy < jobs && !r->failed; i++) {
            struct lane *l = &r->lane[i];
            start_next(r, l);
            busy += l->state != LANE_DONE;
            if (l->state != LANE_DONE && (!beat || l->beat_ns + BEAT_NS < beat))
                beat = l->beat_ns + BEAT_NS;
        }
        if (!busy)
            return;
        if (r->failed)
            break;
        lad_child_wait(beat);
        for (size_t i = 0; i < r->run->n_devices; i++)
            if (r->lane[i].child || r->lane[i].lab)
                attend(r, &r->lane[i]);
    }
    for (size_t i = 0; i < r->run->n_devices; i++)
        write_down(r, &r->lane[i]);
}

/* Says of each planned case why nothing is known of it. */
static void name_missing(struct runner *r)
{
    for (struct lane *l = r->lane; l < r->lane + r->run->n_devices; l++) {
        bool running = l->state == LANE_CASE;
        for (struct lad_record *rec = l->at; rec < l->end; rec++)
            if (is_planned(rec))
                rec->message =
                    lad_printf(r->arena, "%s: %s", rec == l->at && running ? "did not come to its end" : "did not run",
                               r->run->cut);
        lad_child_destroy(&l->child);
        lad_lab_close(&l->lab);
    }
}

bool lad_run_all(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                 struct lad_run *run, const struct lad_watch *watch)
{
    struct runner r = {.arena = arena, .options = o, .cases = cases, .run = run, .watch = watch};
    const char *path = lad_printf(arena, "%s/journal.jsonl", o->output);
    uint64_t start = lad_now_ns();
    r.journal = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (r.journal < 0 || !lad_journal_start(r.journal, run)) {
        lad_error("%s: cannot write: %s", path, strerror(errno));
        if (r.journal >= 0)
            close(r.journal);
        return false;
    }
    split_lanes(&r);
    run_lanes(&r);
    run->complete = !r.failed && !lad_caught_signal();
    if (lad_caught_signal())
        run->cut = lad_printf(arena, "interrupted (%s)", lad_signal_name(lad_caught_signal()));
    else if (r.failed)
        run->cut = "the harness failed";
    name_missing(&r);
    run->time_ns = lad_now_ns() - start;
    if (!r.failed && !lad_journal_end(r.journal, run)) {
        lad_error("%s: cannot write: %s", path, strerror(errno));
        r.failed = true;
    }
    if (close(r.journal) && !r.failed) {
        lad_error("%s: cannot write: %s", path, strerror(errno));
        r.failed = true;
    }
    return !r.failed;
}
