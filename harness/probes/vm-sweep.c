/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler VM's workload at growing sizes: the first step that fails is the result. At each the tables are probed,
 * one activation a launch brings every process to its first wait, and with param whole (yes) the program runs to its
 * end, where every signal of every instance must be what arithmetic says. No reference runs beside it.
 *
 * Params: mode, placement (setup.c); steps: done1, ex, and N or NxC for N processes in C instances, blank-separated.
 */
#include "../vm/vm.h"
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

enum { SLOT_BYTES = 2496, MOST_STEPS = 32, SLOWER = 4, JUDGED_NS = 50000000 /* shorter runs say nothing of speed */ };

struct size {
    const char *name;
    unsigned n_proc; /* of pico; 0: another program */
    uint32_t count;
    uint64_t bytes; /* of bytecode */
    double each_ns; /* of an activation of the whole run; 0: not known */
};
struct sweep {
    struct lad_gpu *gpu;
    struct lad_vm_setup s;
    bool whole;
    struct size size[MOST_STEPS];
    size_t n;
    /* the step in hand */
    struct size *at;
    struct lad_arena *arena;
    struct lad_vm_program program;
    struct lad_vm_image *image;
    struct lad_vm_host *host;
    struct lad_vm_device *device;
};

static bool fail(const struct sweep *w, const char *type, const char *what)
{
    lad_record_set(w->s.arena, w->s.r, LAD_STATUS_FAIL, type,
                   "step %s (%llu bytes of bytecode) fails in mode %s, %s: %s", w->at->name,
                   (unsigned long long)w->at->bytes, lad_vm_param(&w->s, "mode"),
                   w->s.shape.shared ? "one copy for all instances" : "a copy for each instance", what);
    return false;
}

static bool differ(const struct sweep *w, const char *what, uint32_t gid, uint64_t got, uint64_t want)
{
    return fail(w, "ladder.vm.sweep",
                lad_printf(w->s.arena, "instance %u: %s is %llu (0x%llx), expected %llu (0x%llx)", gid, what,
                           (unsigned long long)got, (unsigned long long)got, (unsigned long long)want,
                           (unsigned long long)want));
}

static bool parse_steps(struct sweep *w)
{
    char *text = lad_strdup(w->s.arena, lad_vm_param(&w->s, "steps")), *save = NULL;
    for (char *word = text ? strtok_r(text, " ", &save) : NULL; word; word = strtok_r(NULL, " ", &save)) {
        struct size *z = &w->size[w->n];
        char rest;
        int n = sscanf(word, "%ux%u%c", &z->n_proc, &z->count, &rest);
        bool named = !strcmp(word, "done1") || !strcmp(word, "ex");
        *z = (struct size){word, named ? 0 : z->n_proc, n == 2 ? z->count : 1, 0, 0};
        if (w->n + 1 == MOST_STEPS || (!named && (n < 1 || n > 2 || z->n_proc < 4 || !z->count))) {
            lad_record_set(w->s.arena, w->s.r, LAD_STATUS_ERROR, "ladder.case", "%s: no step \"%s\"", w->s.c->file,
                           word);
            return false;
        }
        w->n++;
    }
    return w->n > 0;
}

static bool load(struct sweep *w)
{
    static const char done1[] = ".svm 1.0\n.state 4\n.proc p\ndone\n";
    struct lad_vm_why why;
    const char *name = w->at->n_proc ? lad_printf(w->arena, "pico:%u", w->at->n_proc) : "example";
    bool ok = !strcmp(w->at->name, "done1") ? lad_vm_assemble(w->arena, done1, "done1", &w->program, &why)
                                            : lad_vm_load(w->arena, name, false, &w->program, &why) == LAD_VM_GOOD;
    if (!ok)
        lad_record_set(w->s.arena, w->s.r, LAD_STATUS_ERROR, "ladder.case", "step %s: %s", w->at->name, why.text);
    w->at->bytes = (uint64_t)w->program.n_code * 4 * (w->s.shape.shared ? 1 : w->at->count);
    return ok;
}

/* ---- checks ---- */

static uint64_t wanted_activations(const struct size *z)
{
    return z->n_proc ? z->n_proc + 200 + 100ull * (z->n_proc - 4) + 1 : !strcmp(z->name, "ex") ? 16 : 1;
}

/* Phase NONE: it may be any. */
static bool check_counts(const struct sweep *w, const uint32_t (*want)[2], size_t n, uint32_t phase, uint64_t time)
{
    uint32_t n_proc = w->program.n_proc;
    for (uint32_t g = 0; g < w->at->count; g++) {
        uint32_t state[VM_STATE_COUNT] = {0}, wait[VM_WAIT_COUNT] = {0};
        for (uint32_t p = 0; p < n_proc; p++) {
            state[LAD_VM_U32(w->image, state, g)[p] % VM_STATE_COUNT]++;
            wait[LAD_VM_U32(w->image, wait_kind, g)[p] % VM_WAIT_COUNT]++;
        }
        const uint32_t got[] = {state[VM_READY],    state[VM_BLOCKED],  state[VM_DONE],
                                wait[VM_WAIT_NONE], wait[VM_WAIT_TIME], wait[VM_WAIT_EDGE]};
        static const char *const what[] = {"number of ready processes", "of blocked ones",     "of done ones",
                                           "of those without a wait",   "of waits for a time", "of waits for an edge"};
        for (size_t i = 0; i < n; i++)
            if (got[want[i][0]] != want[i][1])
                return differ(w, what[want[i][0]], g, got[want[i][0]], want[i][1]);
        if (phase != VM_NONE && *LAD_VM_U32(w->image, phase, g) != phase)
            return differ(w, "the phase", g, *LAD_VM_U32(w->image, phase, g), phase);
        if (*LAD_VM_U64(w->image, time, g) != time)
            return differ(w, "the time", g, *LAD_VM_U64(w->image, time, g), time);
    }
    return true;
}

static bool check_signals(const struct sweep *w)
{
    uint32_t *want = lad_alloc(w->arena, w->program.n_sigs * sizeof *want);
    bool *known = lad_alloc(w->arena, w->program.n_sigs);
    for (uint32_t i = 0; i < w->program.n_sigs; i++) {
        const char *name = lad_vm_name(&w->program, w->program.sigs[i].name);
        unsigned pid;
        known[i] = sscanf(name, "acc%u", &pid) == 1 || sscanf(name, "c%u", &pid) == 1;
        want[i] = known[i] ? lad_vm_pico_want(pid) : lad_vm_pico_want_m();
        known[i] = known[i] || !strcmp(name, "m");
    }
    for (uint32_t g = 0; g < w->at->count; g++) {
        for (uint32_t i = 0; i < w->program.n_sigs; i++) {
            uint64_t val, xz;
            lad_vm_signal_get(w->image, g, i, 0, &val, &xz);
            if (known[i] && (val != want[i] || xz))
                return differ(w, lad_printf(w->s.arena, "signal %s", lad_vm_name(&w->program, w->program.sigs[i].name)),
                              g, val, want[i]);
        }
    }
    return true;
}

static bool check_log(const struct sweep *w)
{
    static const char ex[] = "cnt=3 a=22 b=11 t=27\n$finish (pid=3)\n", done1[] = "",
                      pico45[] = "pico45 m=ce880937 acc4=d33ed018 acc27=5b293218 c44=8d6fec8e\n$finish (pid=3)\n",
                      pico[] = "pico m=ce880937\n$finish (pid=3)\n";
    const char *want = w->at->n_proc == 45 ? pico45 : w->at->n_proc ? pico : !strcmp(w->at->name, "ex") ? ex : done1;
    for (uint32_t g = 0; g < w->at->count; g++) {
        const struct lad_vm_text *log = &w->host->log[g];
        if (log->n != strlen(want) || (log->n && memcmp(log->text, want, log->n)))
            return fail(w, "ladder.vm.log",
                        lad_printf(w->s.arena, "instance %u prints \"%.*s\"", g, (int)(log->n < 100 ? log->n : 100),
                                   log->n ? log->text : ""));
    }
    return true;
}

/* ---- one step ---- */

/* The probe; a step that fails here fails for a reason that can be told. */
static bool look(struct sweep *w)
{
    struct lad_vm_sight sight;
    struct lad_vm_why why;
    if (!lad_vm_device_look(w->device, w->s.shape.binding, &sight))
        return lad_vm_api_failed(&w->s, w->gpu, "probing the tables");
    bool ops = lad_vm_first_ops_agree(&w->s, &w->program, w->at->count, w->device);
    if (!sight.n_wrong && ops)
        return true;
    fail(w, sight.n_wrong ? "ladder.vm.tables" : "ladder.vm.first-ops",
         "the device reads other words in the tables than were uploaded");
    struct lad_vm_image *both[2] = {w->gpu->drop ? NULL : lad_vm_image_create(&w->program, &w->image->shape, &why),
                                    w->image};
    if (both[0])
        lad_vm_diagnose(&w->s, w->gpu, both, w->device, &sight);
    lad_vm_image_destroy(&both[0]);
    return false;
}

static bool launch(struct sweep *w)
{
    if (!lad_vm_device_step(w->device))
        return lad_vm_api_failed(&w->s, w->gpu, "launching");
    lad_vm_drain(w->host);
    return true;
}

static void set_budget(struct sweep *w, uint32_t steps, uint32_t proc_steps)
{
    w->image->params[VM_P_MAX_STEPS] = steps;
    w->image->params[VM_P_MAX_PROC_STEPS] = proc_steps;
}

/* Launch n runs process n - 1 up to where it waits. */
static bool run_start(struct sweep *w)
{
    uint32_t n = w->program.n_proc;
    const uint32_t want[][2] = {{0, 0}, {1, n - 2}, {2, 2}, {3, 2}, {4, 2}, {5, n - 4}};
    set_budget(w, 1, w->program.parm[VM_PARM_W]);
    for (uint32_t i = 0; i < n; i++)
        if (!launch(w))
            return false;
    if (!lad_vm_device_pull(w->device))
        return lad_vm_api_failed(&w->s, w->gpu, "reading the state");
    return check_counts(w, want, LAD_N(want), 1, 0);
}

static bool run_whole(struct sweep *w)
{
    struct lad_vm_device_figures f;
    struct lad_vm_why why;
    uint32_t n = w->program.n_proc;
    bool ex = !strcmp(w->at->name, "ex");
    const uint32_t want[][2] = {{0, 0}, {2, w->at->n_proc ? 3 : 1}, {1, w->at->n_proc ? n - 3 : ex ? 3 : 0}};
    set_budget(w, 1024, 0);
    while (!lad_vm_over(w->image))
        if (!launch(w))
            return false;
    if (!lad_vm_device_pull(w->device) || !lad_vm_device_figures(w->device, &f))
        return lad_vm_api_failed(&w->s, w->gpu, "reading the state");
    uint64_t activations = wanted_activations(w->at) * w->at->count;
    if (f.dispatch_ns >= JUDGED_NS)
        w->at->each_ns = (double)f.dispatch_ns / (double)f.activations;
    for (uint32_t g = 0; g < w->at->count; g++)
        if (*LAD_VM_U32(w->image, status, g) != VM_FINISHED)
            return differ(w, "the status", g, *LAD_VM_U32(w->image, status, g), VM_FINISHED);
    if (f.activations != activations)
        return differ(w, "the number of activations of all instances", 0, f.activations, activations);
    if (!check_counts(w, want, LAD_N(want), VM_NONE,
                      w->at->n_proc ? 1003
                      : ex          ? 27
                                    : 0) ||
        !check_log(w) || (w->at->n_proc && !check_signals(w)))
        return false;
    return lad_vm_device_kept(w->device, &why) || fail(w, "ladder.vm.guard", why.text);
}

static void close_step(struct sweep *w)
{
    lad_vm_device_close(&w->device);
    lad_vm_host_destroy(&w->host);
    lad_vm_image_destroy(&w->image);
    lad_arena_destroy(&w->arena);
}

/* False: the sweep ends here; *why says the reason where it is none of the device's doing. */
static bool run_step(struct sweep *w, struct lad_vm_why *why)
{
    struct lad_vm_shape shape = w->s.shape;
    enum lad_vm_fate fate;
    shape.count = w->at->count;
    if (!load(w))
        return false;
    if (!(w->image = lad_vm_image_create(&w->program, &shape, why)))
        return false;
    w->host = lad_vm_host_create(w->image);
    w->host->quiet = true;
    uint64_t start = lad_now_ns();
    w->device = lad_vm_device_open(w->gpu, w->image, NULL, &fate, why);
    w->s.r->build_ns += lad_now_ns() - start;
    if (!w->device && fate != LAD_VM_UNFIT) {
        why->text[0] = 0;
        return lad_vm_api_failed(&w->s, w->gpu, "preparing");
    }
    return w->device && look(w) && (!w->at->n_proc || run_start(w)) && (!w->whole || run_whole(w));
}

/* ---- the sweep ---- */

/* Would the next step outlast the case, or the host's memory? */
static bool is_too_much(const struct sweep *w, const struct size *z, uint64_t last_ns, const struct size *last,
                        struct lad_vm_why *why)
{
    struct sysinfo host;
    uint64_t bytes = (uint64_t)SLOT_BYTES * z->n_proc * (w->s.shape.shared ? 1 : z->count), now = lad_now_ns();
    double growth =
        last ? (double)(wanted_activations(z) * z->count) / (double)(wanted_activations(last) * last->count) : 1;
    if (!sysinfo(&host) && bytes > (uint64_t)(host.freeram + host.bufferram) * host.mem_unit / 4)
        return !lad_vm_because(why, "%s of %llu bytes would take too much of the host's memory", z->name,
                               (unsigned long long)bytes);
    if (w->gpu->deadline_ns && (double)last_ns * growth * 1.5 > (double)(w->gpu->deadline_ns - now))
        return !lad_vm_because(why, "%s would take too long on this device", z->name);
    return false;
}

/* Information, no failure. */
static void tell_times(struct sweep *w, size_t n)
{
    char *text = "";
    for (size_t i = 0; i < n; i++)
        if (w->size[i].each_ns > 0)
            text = lad_printf(w->s.arena, "%s%s%s %.0f", text, *text ? ", " : "", w->size[i].name, w->size[i].each_ns);
    if (*text)
        lad_record_fact(w->s.arena, w->s.r, '+', "nanoseconds of an activation: %s", text);
    for (size_t i = 1; i + 1 < n; i++) {
        double before = w->size[i - 1].each_ns, here = w->size[i].each_ns, after = w->size[i + 1].each_ns;
        if (w->size[i - 1].n_proc && before > 0 && after > 0 && here > SLOWER * before && here > SLOWER * after)
            lad_record_fact(w->s.arena, w->s.r, '-',
                            "step %s takes more than %d times as long an activation as its neighbours", w->size[i].name,
                            SLOWER);
    }
}

static void run_steps(struct sweep *w)
{
    struct lad_record *r = w->s.r;
    struct lad_vm_why why = {""};
    const struct size *last = NULL;
    uint64_t last_ns = 0;
    size_t i;
    r->sweep = "bytes";
    for (i = 0; i < w->n; i++) {
        struct size *z = w->at = &w->size[i];
        if (last && is_too_much(w, z, last_ns, last, &why))
            break;
        uint64_t start = lad_now_ns();
        w->arena = lad_arena_create();
        bool ok = run_step(w, &why);
        r->sweep_reached = (int64_t)z->bytes;
        close_step(w);
        if (!ok)
            break;
        last_ns = lad_now_ns() - start;
        last = z->n_proc ? z : NULL;
        r->sweep_passed = (int64_t)z->bytes;
    }
    if (r->status == LAD_STATUS_FAIL) {
        r->sweep_failed = r->sweep_reached;
    } else if (i < w->n && r->status == LAD_STATUS_MISSING && !i) {
        lad_record_set(w->s.arena, r, LAD_STATUS_SKIP, NULL, "%s", why.text);
    } else if (r->status == LAD_STATUS_MISSING) {
        r->status = LAD_STATUS_PASS;
        r->sweep_reached = r->sweep_passed;
        if (i < w->n)
            lad_record_fact(w->s.arena, r, '-', "the sweep stopped after %s: %s", w->size[i - 1].name, why.text);
    }
    tell_times(w, i);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct sweep *w = lad_alloc(arena, sizeof *w);
    w->gpu = gpu;
    if (!lad_vm_setup(&w->s, c, arena, r) || !parse_steps(w))
        return;
    const char *whole = lad_vm_param(&w->s, "whole");
    w->whole = whole && !strcmp(whole, "yes");
    run_steps(w);
}

const struct lad_probe lad_probe_vm_sweep = {
    .name = "vm-sweep",
    .summary = "the scheduler VM's workload at growing sizes: the first that fails",
    .run = run,
};
