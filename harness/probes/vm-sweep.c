/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler VM's workload at growing sizes: the first step that fails is the result. A step runs in every mode and
 * placement that is asked for, side by side, because what takes a device's time is the one thread of a single instance.
 * At each the tables are probed, one activation a launch brings every process to its first wait, and with param whole
 * (yes) the program runs to its end, where every signal of every instance must be what arithmetic says. No reference
 * runs beside it.
 *
 * Params: steps: done1, ex, and N or NxC for N processes in C instances, blank-separated; modes and placements:
 * likewise, those that setup.c knows, or mode and placement for one. Both placements of one instance are the same bytes
 * and run once.
 */
#include "../vm/vm.h"
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

enum { SLOT_BYTES = 2496, STEPS = 1024, MOST_STEPS = 32, MOST_LANES = 6 };
enum { SLOWER = 4, JUDGED_NS = 50000000 /* shorter runs say nothing of speed */ };

static const char *const modes[] = {"direct", "table", "packed"}, *const placements[] = {"own", "shared"};

struct size {
    const char *name;
    unsigned n_proc; /* of pico; 0: another program */
    uint32_t count;
    uint64_t bytes; /* of bytecode, with a copy for each instance if any way has that */
    struct lad_vm_program *program;
    uint64_t ns, run_ns;  /* of the step, and of its launches to the end */
    double activation_ns; /* of the latter; 0: not known */
};
struct lane { /* a step in one way */
    enum lad_vm_binding mode;
    bool shared, failed;
    struct lad_vm_image *image;
    struct lad_vm_host *host;
    struct lad_vm_device *device;
};
struct sweep {
    struct lad_gpu *gpu;
    struct lad_vm_setup s;
    bool whole, wanted[LAD_N(modes)][LAD_N(placements)], ran[LAD_N(modes)];
    struct size size[MOST_STEPS];
    size_t n;
    const char *unfit; /* why the device cannot run a mode */
    struct size *at;   /* the step in hand */
    struct lad_arena *arena;
    struct lane lane[MOST_LANES];
    size_t n_lanes;
};

static const char *name_lane(const struct sweep *w, const struct lane *l)
{
    return lad_printf(w->s.arena, "mode %s, %s", modes[l->mode],
                      l->shared ? "one copy for all instances" : "a copy for each instance");
}

static uint64_t code_bytes(const struct size *z, bool shared)
{
    return (uint64_t)z->program->n_code * 4 * (shared ? 1 : z->count);
}

/* The first failure is the sweep's result; what fails beside it in other ways is told. */
static bool fail(const struct sweep *w, struct lane *l, const char *type, const char *what)
{
    struct lad_record *r = w->s.r;
    const char *text = lad_printf(w->s.arena, "step %s (%llu bytes of bytecode) fails in %s: %s", w->at->name,
                                  (unsigned long long)code_bytes(w->at, l->shared), name_lane(w, l), what);
    l->failed = true;
    if (r->status == LAD_STATUS_MISSING)
        lad_record_set(w->s.arena, r, LAD_STATUS_FAIL, type, "%s", text);
    else
        lad_record_fact(w->s.arena, r, '!', "%s", text);
    return false;
}

static bool differ(const struct sweep *w, struct lane *l, const char *what, uint32_t gid, uint64_t got, uint64_t want)
{
    return fail(w, l, "ladder.vm.sweep",
                lad_printf(w->s.arena, "instance %u: %s is %llu (0x%llx), expected %llu (0x%llx)", gid, what,
                           (unsigned long long)got, (unsigned long long)got, (unsigned long long)want,
                           (unsigned long long)want));
}

/* ---- what the case asks for ---- */

static bool bad_word(const struct sweep *w, const char *what, const char *word)
{
    lad_record_set(w->s.arena, w->s.r, LAD_STATUS_ERROR, "ladder.case", "%s: no %s \"%s\"", w->s.c->file, what, word);
    return false;
}

static bool parse_steps(struct sweep *w)
{
    char *text = lad_strdup(w->s.arena, lad_vm_param(&w->s, "steps")), *save = NULL;
    for (char *word = text ? strtok_r(text, " ", &save) : NULL; word; word = strtok_r(NULL, " ", &save)) {
        unsigned n_proc = 0, count = 1;
        char rest;
        int n = sscanf(word, "%ux%u%c", &n_proc, &count, &rest);
        bool named = !strcmp(word, "done1") || !strcmp(word, "ex");
        if (w->n == MOST_STEPS || (!named && (n < 1 || n > 2 || n_proc < 4 || !count)))
            return bad_word(w, "step", word);
        w->size[w->n++] = (struct size){.name = word, .n_proc = named ? 0 : n_proc, .count = count};
    }
    return w->n > 0 || bad_word(w, "step", "");
}

/* Which of the words the param lists; `usual` where it is not given. */
static bool parse_words(const struct sweep *w, const char *param, const char *const *words, size_t n, size_t usual,
                        bool *wanted)
{
    char *text = lad_strdup(w->s.arena, lad_vm_param(&w->s, param)), *save = NULL;
    if (!text)
        return wanted[usual] = true;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        size_t i = 0;
        while (i < n && strcmp(word, words[i]))
            i++;
        if (i == n)
            return bad_word(w, param, word);
        wanted[i] = true;
    }
    return true;
}

static bool parse_ways(struct sweep *w)
{
    bool mode[LAD_N(modes)] = {false}, placement[LAD_N(placements)] = {false};
    if (!parse_words(w, "modes", modes, LAD_N(modes), w->s.shape.binding, mode) ||
        !parse_words(w, "placements", placements, LAD_N(placements), w->s.shape.shared, placement))
        return false;
    for (size_t m = 0; m < LAD_N(modes); m++)
        for (size_t k = 0; k < LAD_N(placements); k++)
            w->wanted[m][k] = mode[m] && placement[k];
    return true;
}

/* The step's program; those of another number of instances have it, too. */
static bool load(struct sweep *w)
{
    static const char done1[] = ".svm 1.0\n.state 4\n.proc p\ndone\n";
    struct size *z = w->at;
    struct lad_vm_why why;
    for (struct size *other = w->size; other < z && z->n_proc && !z->program; other++)
        if (other->n_proc == z->n_proc)
            z->program = other->program;
    if (z->program)
        return true;
    z->program = lad_alloc(w->arena, sizeof *z->program);
    const char *name = z->n_proc ? lad_printf(w->arena, "pico:%u", z->n_proc) : "example";
    if (!strcmp(z->name, "done1") ? lad_vm_assemble(w->arena, done1, "done1", z->program, &why)
                                  : lad_vm_load(w->arena, name, false, z->program, &why) == LAD_VM_GOOD)
        return true;
    lad_record_set(w->s.arena, w->s.r, LAD_STATUS_ERROR, "ladder.case", "step %s: %s", z->name, why.text);
    return false;
}

/* ---- checks of a lane ---- */

static uint64_t wanted_activations(const struct size *z)
{
    return z->n_proc ? z->n_proc + 200 + 100ull * (z->n_proc - 4) + 1 : !strcmp(z->name, "ex") ? 16 : 1;
}

/* Phase NONE: it may be any. */
static bool check_counts(const struct sweep *w, struct lane *l, const uint32_t (*want)[2], size_t n, uint32_t phase,
                         uint64_t time)
{
    for (uint32_t g = 0; g < w->at->count; g++) {
        uint32_t state[VM_STATE_COUNT] = {0}, wait[VM_WAIT_COUNT] = {0};
        for (uint32_t p = 0; p < w->at->program->n_proc; p++) {
            state[LAD_VM_U32(l->image, state, g)[p] % VM_STATE_COUNT]++;
            wait[LAD_VM_U32(l->image, wait_kind, g)[p] % VM_WAIT_COUNT]++;
        }
        const uint32_t got[] = {state[VM_READY],    state[VM_BLOCKED],  state[VM_DONE],
                                wait[VM_WAIT_NONE], wait[VM_WAIT_TIME], wait[VM_WAIT_EDGE]};
        static const char *const what[] = {"number of ready processes", "of blocked ones",     "of done ones",
                                           "of those without a wait",   "of waits for a time", "of waits for an edge"};
        for (size_t i = 0; i < n; i++)
            if (got[want[i][0]] != want[i][1])
                return differ(w, l, what[want[i][0]], g, got[want[i][0]], want[i][1]);
        if (phase != VM_NONE && *LAD_VM_U32(l->image, phase, g) != phase)
            return differ(w, l, "the phase", g, *LAD_VM_U32(l->image, phase, g), phase);
        if (*LAD_VM_U64(l->image, time, g) != time)
            return differ(w, l, "the time", g, *LAD_VM_U64(l->image, time, g), time);
    }
    return true;
}

static bool check_signals(const struct sweep *w, struct lane *l)
{
    const struct lad_vm_program *p = w->at->program;
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        const char *name = lad_vm_name(p, p->sigs[i].name);
        unsigned pid;
        bool known = sscanf(name, "acc%u", &pid) == 1 || sscanf(name, "c%u", &pid) == 1;
        if (!known && strcmp(name, "m"))
            continue;
        uint32_t want = known ? lad_vm_pico_want(pid) : lad_vm_pico_want_m();
        for (uint32_t g = 0; g < w->at->count; g++) {
            uint64_t val, xz;
            lad_vm_signal_get(l->image, g, i, 0, &val, &xz);
            if (val != want || xz)
                return differ(w, l, lad_printf(w->s.arena, "signal %s", lad_vm_name(p, p->sigs[i].name)), g, val, want);
        }
    }
    return true;
}

static bool check_log(const struct sweep *w, struct lane *l)
{
    static const char ex[] = "cnt=3 a=22 b=11 t=27\n$finish (pid=3)\n", done1[] = "",
                      pico45[] = "pico45 m=ce880937 acc4=d33ed018 acc27=5b293218 c44=8d6fec8e\n$finish (pid=3)\n",
                      pico[] = "pico m=ce880937\n$finish (pid=3)\n";
    const char *want = w->at->n_proc == 45 ? pico45 : w->at->n_proc ? pico : !strcmp(w->at->name, "ex") ? ex : done1;
    for (uint32_t g = 0; g < w->at->count; g++) {
        const struct lad_vm_text *log = &l->host->log[g];
        if (log->n != strlen(want) || (log->n && memcmp(log->text, want, log->n)))
            return fail(w, l, "ladder.vm.log",
                        lad_printf(w->s.arena, "instance %u prints \"%.*s\"", g, (int)(log->n < 100 ? log->n : 100),
                                   log->n ? log->text : ""));
    }
    return true;
}

/* The end of a whole run, which has been read back. */
static bool check_end(struct sweep *w, struct lane *l, const struct lad_vm_device_figures *f)
{
    const struct size *z = w->at;
    bool ex = !strcmp(z->name, "ex");
    const uint32_t want[][2] = {{0, 0}, {2, z->n_proc ? 3 : 1}, {1, z->n_proc ? z->program->n_proc - 3 : ex ? 3 : 0}};
    struct lad_vm_why why;
    for (uint32_t g = 0; g < z->count; g++)
        if (*LAD_VM_U32(l->image, status, g) != VM_FINISHED)
            return differ(w, l, "the status", g, *LAD_VM_U32(l->image, status, g), VM_FINISHED);
    if (f->activations != wanted_activations(z) * z->count)
        return differ(w, l, "the number of activations of all instances", 0, f->activations,
                      wanted_activations(z) * z->count);
    return check_counts(w, l, want, LAD_N(want), VM_NONE,
                        z->n_proc ? 1003
                        : ex      ? 27
                                  : 0) &&
           check_log(w, l) && (!z->n_proc || check_signals(w, l)) &&
           (lad_vm_device_kept(l->device, &why) || fail(w, l, "ladder.vm.guard", why.text));
}

/* ---- the lanes of a step, side by side; false: the API failed ---- */

static bool api_failed(struct sweep *w, const char *doing)
{
    const struct lad_fail *f = &w->gpu->fail;
    if (w->s.r->status == LAD_STATUS_FAIL) { /* which stays the result */
        lad_record_fact(w->s.arena, w->s.r, '!', "%s: %s says %s", doing, f->call, f->code);
        return false;
    }
    return lad_vm_api_failed(&w->s, w->gpu, lad_printf(w->s.arena, "step %s: %s", w->at->name, doing));
}

/* The probe; a step that fails here fails for a reason that can be told, once. */
static bool look(struct sweep *w, struct lane *l)
{
    struct lad_vm_sight sight;
    struct lad_vm_why why;
    bool first = w->s.r->status == LAD_STATUS_MISSING;
    if (!lad_vm_device_look(l->device, l->mode, &sight))
        return api_failed(w, "probing the tables");
    bool ops = lad_vm_first_ops_agree(&w->s, w->at->program, w->at->count, l->device);
    if (!sight.n_wrong && ops)
        return true;
    fail(w, l, sight.n_wrong ? "ladder.vm.tables" : "ladder.vm.first-ops",
         "the device reads other words in the tables than were uploaded");
    if (!first || w->gpu->drop)
        return true;
    struct lad_vm_image *both[2] = {lad_vm_image_create(w->at->program, &l->image->shape, &why), l->image};
    w->s.shape = l->image->shape;
    if (both[0])
        lad_vm_diagnose(&w->s, w->gpu, both, l->device, &sight);
    lad_vm_image_destroy(&both[0]);
    return true;
}

/* One launch of all lanes that have not failed; *n: how many those are, of which some may be over already. */
static bool launch(struct sweep *w, uint32_t steps, uint32_t proc_steps, size_t *n)
{
    struct lad_vm_device *devices[MOST_LANES];
    *n = 0;
    for (struct lane *l = w->lane; l < w->lane + w->n_lanes; l++) {
        if (l->failed || lad_vm_over(l->image))
            continue;
        l->image->params[VM_P_MAX_STEPS] = steps;
        l->image->params[VM_P_MAX_PROC_STEPS] = proc_steps;
        devices[(*n)++] = l->device;
    }
    if (*n && !lad_vm_device_step(devices, *n))
        return api_failed(w, "launching");
    for (struct lane *l = w->lane; l < w->lane + w->n_lanes; l++)
        if (!l->failed)
            lad_vm_drain(l->host);
    return true;
}

/* Launch n runs process n - 1 up to where it waits. */
static bool run_start(struct sweep *w)
{
    uint32_t n = w->at->program->n_proc;
    const uint32_t want[][2] = {{0, 0}, {1, n - 2}, {2, 2}, {3, 2}, {4, 2}, {5, n - 4}};
    size_t going = 1;
    for (uint32_t i = 0; i < n && going; i++)
        if (!launch(w, 1, w->at->program->parm[VM_PARM_W], &going))
            return false;
    for (struct lane *l = w->lane; l < w->lane + w->n_lanes; l++) {
        if (l->failed)
            continue;
        if (!lad_vm_device_pull(l->device))
            return api_failed(w, "reading the state");
        check_counts(w, l, want, LAD_N(want), 1, 0);
    }
    return true;
}

static bool run_whole(struct sweep *w)
{
    uint64_t most = wanted_activations(w->at) / STEPS + 2, activations = 0, start = lad_now_ns();
    size_t going = 1;
    for (uint64_t i = 0; i < most && going; i++)
        if (!launch(w, STEPS, 0, &going))
            return false;
    w->at->run_ns += lad_now_ns() - start;
    for (struct lane *l = w->lane; l < w->lane + w->n_lanes; l++) {
        struct lad_vm_device_figures f;
        if (l->failed)
            continue;
        if (!lad_vm_device_pull(l->device) || !lad_vm_device_figures(l->device, &f))
            return api_failed(w, "reading the state");
        activations += f.activations;
        check_end(w, l, &f);
    }
    if (activations)
        w->at->activation_ns = (double)w->at->run_ns / (double)activations;
    return true;
}

static void close_lanes(struct sweep *w)
{
    for (struct lane *l = w->lane; l < w->lane + w->n_lanes; l++) {
        lad_vm_device_close(&l->device);
        lad_vm_host_destroy(&l->host);
        lad_vm_image_destroy(&l->image);
    }
    w->n_lanes = 0;
}

/* ---- one step ---- */

static bool not_reached(const struct sweep *w, const char *how, const char *why)
{
    lad_record_fact(w->s.arena, w->s.r, '-', "step %s%s%s is not reached: %s", w->at->name, *how ? ", " : "", how, why);
    return true;
}

/* A mode that does not even take the first step is given up. */
static bool is_unfit(struct sweep *w, const struct lane *l, const char *why)
{
    if (w->ran[l->mode])
        return not_reached(w, name_lane(w, l), why);
    w->wanted[l->mode][0] = w->wanted[l->mode][1] = false;
    w->unfit = lad_strdup(w->s.arena, why);
    lad_record_fact(w->s.arena, w->s.r, '-', "mode %s is not run: %s", modes[l->mode], why);
    return true;
}

/* False: the API failed. */
static bool open_lane(struct sweep *w, enum lad_vm_binding mode, bool shared)
{
    struct lane *l = &w->lane[w->n_lanes];
    struct lad_vm_shape shape = w->s.shape;
    struct lad_vm_why why;
    enum lad_vm_fate fate = LAD_VM_UNFIT;
    *l = (struct lane){.mode = mode, .shared = shared};
    shape.count = w->at->count;
    shape.binding = mode;
    shape.shared = shared;
    if ((l->image = lad_vm_image_create(w->at->program, &shape, &why))) {
        uint64_t start = lad_now_ns();
        l->host = lad_vm_host_create(l->image);
        l->host->quiet = true;
        l->device = lad_vm_device_open(w->gpu, l->image, NULL, &fate, &why);
        w->s.r->build_ns += lad_now_ns() - start;
    }
    if (l->device) {
        w->n_lanes++;
        return w->ran[mode] = true;
    }
    lad_vm_host_destroy(&l->host);
    lad_vm_image_destroy(&l->image);
    return fate == LAD_VM_UNFIT ? is_unfit(w, l, why.text) : api_failed(w, "preparing");
}

static bool run_lanes(struct sweep *w)
{
    bool ok = true;
    for (size_t i = 0; i < w->n_lanes && ok; i++)
        ok = look(w, &w->lane[i]);
    return ok && (!w->at->n_proc || run_start(w)) && (!w->whole || run_whole(w));
}

static size_t count_ways(const struct sweep *w, uint32_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < LAD_N(modes); i++)
        n += (w->wanted[i][0] || w->wanted[i][1]) + (count > 1 && w->wanted[i][0] && w->wanted[i][1]);
    return n;
}

static uint64_t free_bytes(void)
{
    struct sysinfo host;
    return sysinfo(&host) ? UINT64_MAX : (uint64_t)(host.freeram + host.bufferram) * host.mem_unit;
}

/* All ways of the step, as many side by side as a quarter of the host's memory takes. *ran: any of them. */
static bool run_step(struct sweep *w, bool *ran)
{
    uint64_t room = free_bytes() / 4, taken = 0;
    struct size *z = w->at;
    bool ok = true;
    *ran = false;
    for (size_t i = 0; i < LAD_N(modes) * 2 && ok; i++) {
        size_t mode = i / 2;
        bool shared = i % 2;
        uint64_t bytes = code_bytes(z, shared);
        if (!w->wanted[mode][shared] || (shared && z->count == 1 && w->wanted[mode][0]))
            continue;
        if (bytes > room) {
            not_reached(w, placements[shared],
                        lad_printf(w->s.arena, "its %llu bytes would take too much of the host's memory",
                                   (unsigned long long)bytes));
            continue;
        }
        if (taken + bytes > room) {
            ok = run_lanes(w);
            close_lanes(w);
            taken = 0;
        }
        taken += bytes;
        ok = ok && open_lane(w, (enum lad_vm_binding)mode, shared);
        *ran |= w->n_lanes;
        z->bytes = bytes > z->bytes && w->n_lanes ? bytes : z->bytes;
    }
    ok = ok && run_lanes(w);
    for (struct lane *l = w->lane; l < w->lane + w->n_lanes && w->s.r->status == LAD_STATUS_FAIL; l++)
        if (ok && !l->failed)
            lad_record_fact(w->s.arena, w->s.r, '+', "step %s passes in %s", z->name, name_lane(w, l));
    close_lanes(w);
    return ok;
}

/* ---- the sweep ---- */

/* Would the step outlast the case? By what an activation took with no more instances side by side. */
static bool is_too_long(const struct sweep *w)
{
    const struct size *z = w->at, *by = NULL;
    uint64_t now = lad_now_ns();
    for (const struct size *other = w->size; other < z; other++)
        if (other->activation_ns > 0 && other->count <= z->count && (!by || other->count >= by->count))
            by = other;
    if (!by || !w->gpu->deadline_ns)
        return false;
    double ns = by->activation_ns * (double)(wanted_activations(z) * z->count * count_ways(w, z->count)) * 1.5;
    if (now < w->gpu->deadline_ns && ns < (double)(w->gpu->deadline_ns - now))
        return false;
    return not_reached(w, "", lad_printf(w->s.arena, "it would take some %.0f s on this device", ns / 1.5e9));
}

/* The nearest step of as many instances before (-1) or behind (1), where it took long enough to be judged. */
static const struct size *neighbour(const struct sweep *w, const struct size *z, int way)
{
    for (const struct size *other = z + way; other >= w->size && other < w->size + w->n; other += way)
        if (other->count == z->count && other->n_proc)
            return other->run_ns >= JUDGED_NS ? other : NULL;
    return NULL;
}

/* Information, no failure. */
static void tell_times(struct sweep *w)
{
    char *text = "";
    for (const struct size *z = w->size; z < w->size + w->n; z++)
        if (z->ns)
            text = lad_printf(w->s.arena, "%s%s%s %.2f (%.0f)", text, *text ? ", " : "", z->name, (double)z->ns / 1e9,
                              z->activation_ns);
    if (*text && w->whole)
        lad_record_fact(w->s.arena, w->s.r, '+', "seconds of each step (nanoseconds of an activation): %s", text);
    for (const struct size *z = w->size; z < w->size + w->n; z++) {
        const struct size *before = neighbour(w, z, -1), *after = neighbour(w, z, 1);
        if (z->run_ns >= JUDGED_NS && before && after && z->activation_ns > SLOWER * before->activation_ns &&
            z->activation_ns > SLOWER * after->activation_ns)
            lad_record_fact(w->s.arena, w->s.r, '-',
                            "step %s takes more than %d times as long an activation as its neighbours", z->name,
                            SLOWER);
    }
}

static void run_steps(struct sweep *w)
{
    struct lad_record *r = w->s.r;
    bool any = false;
    r->sweep = "bytes";
    for (size_t i = 0; i < w->n && r->status == LAD_STATUS_MISSING; i++) {
        bool ran = false;
        w->at = &w->size[i];
        uint64_t start = lad_now_ns();
        if (is_too_long(w) || !load(w) || !run_step(w, &ran) || !ran)
            continue;
        w->at->ns = lad_now_ns() - start;
        any = true;
        if (r->status == LAD_STATUS_MISSING)
            r->sweep_passed = (int64_t)w->at->bytes;
    }
    r->sweep_reached = any || r->status != LAD_STATUS_MISSING ? (int64_t)w->at->bytes : 0;
    if (r->status == LAD_STATUS_FAIL)
        r->sweep_failed = r->sweep_reached;
    else if (r->status == LAD_STATUS_MISSING && any)
        r->status = LAD_STATUS_PASS;
    else if (r->status == LAD_STATUS_MISSING)
        lad_record_set(w->s.arena, r, LAD_STATUS_SKIP, NULL, "%s", w->unfit ? w->unfit : "no step fits");
    tell_times(w);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct sweep *w = lad_alloc(arena, sizeof *w);
    w->gpu = gpu;
    if (!lad_vm_setup(&w->s, c, arena, r) || !parse_steps(w) || !parse_ways(w))
        return;
    const char *whole = lad_vm_param(&w->s, "whole");
    w->whole = whole && !strcmp(whole, "yes");
    w->arena = lad_arena_create();
    run_steps(w);
    lad_arena_destroy(&w->arena);
}

const struct lad_probe lad_probe_vm_sweep = {
    .name = "vm-sweep",
    .summary = "the scheduler VM's workload at growing sizes: the first that fails",
    .run = run,
};
