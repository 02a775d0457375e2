/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device reads other words in the tables than were uploaded: what else reads wrong, and how. Each experiment leaves
 * a fact for the reader and observations for diagnose.c. Launches come last: what is read then may be anything.
 */
#include "vm.h"
#include <stdlib.h>
#include <string.h>

#define EXPERIMENTS_NS 20000000000ull
#define LAUNCHES_NS 5000000000ull

enum { MOST_LAUNCHES = 400 };

struct ward {
    const struct lad_vm_setup *s;
    struct lad_gpu *gpu;
    struct lad_vm_image *const *image; /* reference, device */
    struct lad_vm_device *device;
    const struct lad_vm_sight *first;
    uint64_t until_ns;
};

static const char *const modes[] = {"direct", "table", "packed"};

#define FACT(w, sign, ...) lad_record_fact((w)->s->arena, (w)->s->r, sign, __VA_ARGS__)

static void see(const struct ward *w, enum lad_obs_name name, int table, int64_t value)
{
    const char *on = table < 0 ? NULL : lad_printf(w->s->arena, "sched_vm_%s", lad_vm_tables[table].name);
    lad_observe(w->s->arena, w->s->r, name, on, value);
}

/* "0 bytecode, 13 expr" of those for which right[i] is `which`; all 22 is "all 22". */
static const char *list(const struct ward *w, const bool *right, bool which)
{
    char *text = "";
    int n = 0;
    for (int i = 0; i < VM_TABLES; i++)
        if (right[i] == which)
            text = lad_printf(w->s->arena, "%s%s%d %s", text, n++ ? ", " : "", i, lad_vm_tables[i].name);
    return n == VM_TABLES ? "all 22" : n ? text : "none";
}

/* ---- what the wrong tables read as ---- */

/* Elements of table i from its start that sum up right on the device; -1: not to be told. */
static int64_t count_right(const struct ward *w, int i)
{
    struct lad_vm_image *image = w->image[1];
    uint32_t *count = &image->params[VM_P_TABLE_COUNT + i], low = 0, high = *count, all = *count;
    uint32_t each = lad_vm_tables[i].bytes / 4;
    const uint32_t *word = image->tables.table[i];
    struct lad_vm_sight sight;
    bool ok = high > 0;
    while (ok && high - low > 1) {
        uint32_t want = 0;
        *count = low + (high - low) / 2;
        for (size_t k = 0; k < (size_t)*count * each; k++)
            want += word[k];
        ok = lad_now_ns() < w->until_ns && lad_vm_device_look(w->device, image->shape.binding, &sight);
        if (ok && sight.got[44 + i] == want)
            low = *count;
        else
            high = *count;
    }
    *count = all;
    return ok ? (int64_t)low : -1;
}

static bool is_mark(uint32_t word)
{
    return word == LAD_VM_MARK;
}

/* The table j whose words stand where those of i should, or -1. */
static int find_other(const struct ward *w, int i)
{
    const uint32_t *got = w->first->got + i, *want = w->first->want;
    for (int j = 0; j < VM_TABLES; j++)
        if (j != i && got[0] == want[j] && got[22] == want[22 + j])
            return j;
    return -1;
}

static void look_at_table(const struct ward *w, int i)
{
    const uint32_t *got = w->first->got + i;
    int other = find_other(w, i);
    if (!got[0] && !got[22] && !got[44]) {
        see(w, LAD_OBS_ON_ZERO, i, 0);
    } else if (other >= 0) {
        see(w, LAD_OBS_ON_OTHER, i, other);
        FACT(w, '!', "buffer %d (%s) reads as buffer %d (%s)", i, lad_vm_tables[i].name, other,
             lad_vm_tables[other].name);
    } else if (is_mark(got[0])) {
        see(w, LAD_OBS_ON_CANARY, i, 0);
        FACT(w, '!', "buffer %d (%s) reads as the marks that stood there before the upload", i, lad_vm_tables[i].name);
    } else {
        int64_t n = count_right(w, i), bytes = n * lad_vm_tables[i].bytes;
        if (n < 0)
            return;
        see(w, LAD_OBS_VM_EDGE, i, bytes);
        FACT(w, '!', "buffer %d (%s) reads right up to byte %lld of %llu", i, lad_vm_tables[i].name, (long long)bytes,
             (unsigned long long)w->image[1]->table_bytes[i]);
    }
}

/* ---- the same buffers in other ways ---- */

static void read_back(const struct ward *w)
{
    const struct lad_vm_image *image = w->image[1];
    bool right[VM_TABLES], all = true;
    for (int i = 0; i < VM_TABLES; i++) {
        uint64_t bytes = image->table_room[i], n = 0;
        char *got = malloc(bytes);
        if (!got || !lad_vm_device_table(w->device, i, got)) {
            free(got);
            FACT(w, '-', "reading buffer %d back failed: %s says %s", i, w->gpu->fail.call, w->gpu->fail.code);
            return;
        }
        const char *want = image->tables.table[i];
        while (n < bytes && got[n] == want[n])
            n++;
        right[i] = n == bytes;
        all = all && right[i];
        if (!right[i]) {
            uint32_t word;
            memcpy(&word, got + n / 4 * 4, 4);
            if (is_mark(word))
                see(w, n < 4 ? LAD_OBS_IN_CANARY : LAD_OBS_IN_CANARY_TAIL, i, (int64_t)n);
            else
                see(w, word || n >= 4 ? LAD_OBS_IN_CHANGED : LAD_OBS_IN_ZERO, i, (int64_t)n);
        }
        free(got);
    }
    if (all)
        see(w, LAD_OBS_IN_RIGHT, -1, 0);
    FACT(w, all ? '+' : '!', "read back by the host: %s%s",
         all ? "all 22 buffers are as they were uploaded" : "wrong: ", all ? "" : list(w, right, false));
}

static void bind_directly(const struct ward *w)
{
    struct lad_vm_sight sight;
    uint64_t has = w->gpu->info.cap[LAD_CAP_STORAGE_BUFFERS];
    uint32_t n = lad_kernel_find("vm-probe-direct")->n_bufs + 1;
    if (w->image[1]->shape.binding != LAD_VM_TABLE)
        return;
    if (has < n) {
        FACT(w, '-',
             "whether the same buffers read right when bound directly cannot be tried: it takes %u storage "
             "buffers, the device has %llu",
             n, (unsigned long long)has);
        return;
    }
    if (!lad_vm_device_look(w->device, LAD_VM_DIRECT, &sight)) {
        FACT(w, '-', "binding the same buffers directly failed: %s says %s", w->gpu->fail.call, w->gpu->fail.code);
        return;
    }
    FACT(w, sight.n_wrong ? '!' : '+', "the same buffers, bound directly: %s%s",
         sight.n_wrong ? "wrong: " : "all 22 read right", sight.n_wrong ? list(w, sight.right, false) : "");
    for (int i = 0; i < VM_TABLES; i++)
        if (!w->first->right[i])
            see(w, sight.right[i] ? LAD_OBS_BOUND_RIGHT : LAD_OBS_BOUND_WRONG, i, 0);
}

/* A program's tables in new buffers. False: nothing is known. */
static bool look_anew(const struct ward *w, const struct lad_vm_program *program, struct lad_vm_shape shape,
                      struct lad_vm_sight *sight, struct lad_vm_why *why)
{
    struct lad_vm_image *image = lad_vm_image_create(program, &shape, why);
    const struct lad_vm_device_want want = {.look_only = true};
    struct lad_vm_device *d = image ? lad_vm_device_open(w->gpu, image, &want, NULL, why) : NULL;
    bool ok = d && lad_vm_device_look(d, shape.binding, sight);
    if (d && !ok)
        lad_vm_because(why, "%s says %s", w->gpu->fail.call, w->gpu->fail.code);
    lad_vm_device_close(&d);
    lad_vm_image_destroy(&image);
    return ok;
}

static void try_other_modes(const struct ward *w)
{
    for (int mode = 0; mode < 3; mode++) {
        struct lad_vm_shape shape = w->image[1]->shape;
        struct lad_vm_sight sight;
        struct lad_vm_why why;
        if (shape.binding == (enum lad_vm_binding)mode || lad_now_ns() > w->until_ns)
            continue;
        shape.binding = (enum lad_vm_binding)mode;
        if (!look_anew(w, w->image[1]->program, shape, &sight, &why)) {
            FACT(w, '-', "mode %s cannot be tried: %s", modes[mode], why.text);
            continue;
        }
        FACT(w, sight.n_wrong ? '!' : '+', "mode %s, in buffers of its own: %s%s", modes[mode],
             sight.n_wrong ? "wrong: " : "all 22 read right", sight.n_wrong ? list(w, sight.right, false) : "");
        lad_observe(w->s->arena, w->s->r, sight.n_wrong ? LAD_OBS_VM_MODE_WRONG : LAD_OBS_VM_MODE_RIGHT, modes[mode],
                    0);
    }
}

/* ---- the smallest size that fails ---- */

/* The bytecode, or where that is right any table: 1 reads wrong, 0 right, -1 not known. */
static int try_size(const struct ward *w, unsigned n_proc, uint64_t *bytes)
{
    struct lad_arena *arena = lad_arena_create();
    struct lad_vm_program p;
    struct lad_vm_sight sight;
    struct lad_vm_why why;
    struct lad_vm_shape shape = w->image[1]->shape;
    int wrong = -1;
    shape.count = 1;
    if (lad_now_ns() < w->until_ns &&
        lad_vm_load(arena, lad_printf(arena, "pico:%u", n_proc), false, &p, &why) == LAD_VM_GOOD) {
        *bytes = (uint64_t)p.n_code * 4;
        if (look_anew(w, &p, shape, &sight, &why))
            wrong = w->first->right[0] ? sight.n_wrong > 0 : !sight.right[0];
    }
    lad_arena_destroy(&arena);
    return wrong;
}

static void find_size(const struct ward *w)
{
    static const unsigned steps[] = {4, 5, 7, 26, 27, 28, 44, 45, 86, 332};
    uint64_t own = w->image[1]->table_bytes[0], right_bytes = 0, wrong_bytes = 0, bytes = 0;
    unsigned right = 0, wrong = 0;
    for (size_t i = 0; i < LAD_N(steps) && !wrong && bytes < own; i++) {
        int is_wrong = try_size(w, steps[i], &bytes);
        if (is_wrong < 0)
            break;
        *(is_wrong ? &wrong : &right) = steps[i];
        *(is_wrong ? &wrong_bytes : &right_bytes) = bytes;
    }
    while (wrong && right && wrong - right > 1) {
        unsigned middle = right + (wrong - right) / 2;
        int is_wrong = try_size(w, middle, &bytes);
        if (is_wrong < 0)
            break;
        *(is_wrong ? &wrong : &right) = middle;
        *(is_wrong ? &wrong_bytes : &right_bytes) = bytes;
    }
    if (!wrong && !right)
        FACT(w, '-', "the smallest failing size was not looked for: the time for experiments is over");
    else if (!wrong)
        FACT(w, '-',
             "the smallest failing size: none of the workloads of 4 to %u processes reads wrong, only this program",
             right);
    else if (right)
        FACT(w, '!',
             "the smallest failing size: %llu bytes of bytecode (pico:%u) read wrong, %llu (pico:%u) read right",
             (unsigned long long)wrong_bytes, wrong, (unsigned long long)right_bytes, right);
    else
        FACT(w, '!',
             "the smallest failing size: %llu bytes of bytecode (pico:%u), the smallest tried, read wrong already",
             (unsigned long long)wrong_bytes, wrong);
}

/* ---- launches ---- */

static void count_states(const struct lad_vm_image *image, uint32_t n[VM_STATE_COUNT])
{
    const uint32_t *state = LAD_VM_U32(image, state, 0);
    memset(n, 0, VM_STATE_COUNT * sizeof *n);
    for (uint32_t p = 0; p < image->program->n_proc; p++)
        n[state[p] % VM_STATE_COUNT]++;
}

/* Bytecode of any content is safe to run; other tables are where they are right, or zero. */
static bool is_safe(const struct ward *w)
{
    for (int i = 1; i < VM_TABLES; i++)
        if (!w->first->right[i] && (w->first->got[i] || w->first->got[22 + i] || w->first->got[44 + i]))
            return false;
    return true;
}

static void launch_by_one(const struct ward *w)
{
    struct lad_vm_image *reference = w->image[0], *device = w->image[1];
    uint64_t until = lad_now_ns() + LAUNCHES_NS;
    uint32_t n[2][VM_STATE_COUNT], launches = 0;
    bool mismatch = false;
    struct lad_vm_host *host[2] = {lad_vm_host_create(reference), lad_vm_host_create(device)};
    for (int i = 0; i < 2; i++) {
        w->image[i]->params[VM_P_MAX_STEPS] = 1;
        w->image[i]->params[VM_P_MAX_PROC_STEPS] = reference->program->parm[VM_PARM_W];
        host[i]->quiet = true;
    }
    while (launches < MOST_LAUNCHES && lad_now_ns() < until && !lad_vm_over(reference)) {
        struct lad_vm_why why;
        lad_vm_launch_reference(reference);
        if (!lad_vm_device_launch(w->device)) {
            FACT(w, '-', "one activation a launch: launch %u failed: %s says %s", launches + 1, w->gpu->fail.call,
                 w->gpu->fail.code);
            break;
        }
        launches++;
        if (!mismatch && !lad_vm_fetch_matches(device, 0, &why)) {
            mismatch = true;
            see(w, LAD_OBS_VM_MISMATCH, 0, launches);
            FACT(w, '!', "%s", why.text);
        }
        count_states(reference, n[0]);
        count_states(device, n[1]);
        if (memcmp(n[0], n[1], sizeof n[0])) {
            FACT(w, '!',
                 "one activation a launch: launch %u is the first to differ: ready/blocked/done %u/%u/%u instead of "
                 "%u/%u/%u",
                 launches, n[1][VM_READY], n[1][VM_BLOCKED], n[1][VM_DONE], n[0][VM_READY], n[0][VM_BLOCKED],
                 n[0][VM_DONE]);
            break;
        }
        lad_vm_drain(host[0]);
        lad_vm_drain(host[1]);
    }
    if (launches && !memcmp(n[0], n[1], sizeof n[0]))
        FACT(w, '-', "one activation a launch: the state counts of %u launches are the reference's", launches);
    lad_vm_host_destroy(&host[0]);
    lad_vm_host_destroy(&host[1]);
}

void lad_vm_diagnose(const struct lad_vm_setup *s, struct lad_gpu *gpu, struct lad_vm_image *const image[2],
                     struct lad_vm_device *device, const struct lad_vm_sight *first)
{
    struct ward w = {s, gpu, image, device, first, lad_now_ns() + EXPERIMENTS_NS};
    uint64_t was = gpu->deadline_ns;
    if (was && w.until_ns > was)
        w.until_ns = was;
    if (image[1]->shape.binding == LAD_VM_TABLE)
        see(&w, LAD_OBS_HAS_TABLE, -1, 0);
    lad_observe(s->arena, s->r, first->ran ? LAD_OBS_W_ALL : LAD_OBS_W_NEVER, "the probe", 0);
    if (!first->ran) {
        FACT(&w, '!', "the probe's kernel did not run: its marks are where they were");
        return;
    }
    FACT(&w, '-', "mode %s reads right: %s", modes[image[1]->shape.binding], list(&w, first->right, true));
    for (int i = 0, n = 0; i < VM_TABLES && n < 4; i++) {
        if (first->right[i])
            continue;
        look_at_table(&w, i);
        n++;
    }
    read_back(&w);
    bind_directly(&w);
    try_other_modes(&w);
    find_size(&w);
    if (gpu->fail.lost || gpu->fail.timeout)
        return;
    if (is_safe(&w))
        launch_by_one(&w);
    else
        FACT(&w, '-', "no program was launched: tables that the loader has checked read as something else");
}
