/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the scheduler VM on the device and in the reference, compared after every launch.
 *
 * Params: program (name of a built-in one, pico:N, or a file), mode (direct, table, packed), and optionally count,
 * slice (STEPS,PROC,SERVICES), placement (shared), fuel (rounds of a dispatch), launches (how many it must take), log
 * (what instance 0 must print, \n between lines), anchors (yes: pico45 in launches of 1,624,32 is as the specification
 * prints it), unchecked (yes) and plusarg (several).
 *
 * harm (zeros, swapped, shifted) spoils table number `table` on purpose: then the case passes when the detectors report
 * it, and only it. harm unreached leaves the table out of what is declared as reached, and records what comes of it.
 */
#include "../vm/vm.h"
#include <stdlib.h>
#include <string.h>

struct bench { /* both sides of the comparison */
    struct lad_gpu *gpu;
    struct lad_arena *arena;
    struct lad_record *r;
    struct lad_vm_setup setup;
    struct lad_vm_image *image[2]; /* reference, device */
    struct lad_vm_host *host[2];
    struct lad_vm_device *device;
    struct lad_vm_sight sight; /* before the first launch */
    uint64_t launches, launch_ns;
};

static bool open_sides(struct bench *b)
{
    struct lad_vm_why why;
    enum lad_vm_fate fate;
    for (int i = 0; i < 2; i++) {
        if (!(b->image[i] = lad_vm_image_create(&b->setup.program, &b->setup.shape, &why))) {
            lad_record_set(b->arena, b->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
            return false;
        }
        b->host[i] = lad_vm_host_create(b->image[i]);
        lad_vm_equip(&b->setup, b->host[i]);
    }
    uint64_t start = lad_now_ns();
    b->device = lad_vm_device_open(b->gpu, b->image[1], &b->setup.want, &fate, &why);
    b->r->build_ns += lad_now_ns() - start;
    if (b->device)
        return true;
    if (fate == LAD_VM_UNFIT)
        lad_record_set(b->arena, b->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
    else
        lad_vm_api_failed(&b->setup, b->gpu, "preparing");
    return false;
}

/* *clean: everything that the device reads is what was uploaded. */
static bool look_first(struct bench *b, bool *clean)
{
    struct lad_vm_text text = {0};
    enum lad_vm_binding mode = b->setup.shape.binding;
    *clean = false;
    if (!lad_vm_device_look(b->device, mode, &b->sight))
        return lad_vm_api_failed(&b->setup, b->gpu, "probing the tables");
    bool ops = lad_vm_first_ops_agree(&b->setup, &b->setup.program, b->setup.shape.count, b->device);
    *clean = !b->sight.n_wrong && ops;
    lad_vm_sight_print(&b->sight, mode, &text);
    for (char *line = text.text ? strtok(text.text, "\n") : NULL; line; line = strtok(NULL, "\n"))
        lad_record_fact(b->arena, b->r, '!', "%s", line);
    free(text.text);
    if (*clean)
        lad_record_fact(b->arena, b->r, '+',
                        "the device reads all 22 tables as they were uploaded, and counts the same first opcodes");
    if (*clean || b->setup.want.harm)
        return true;
    lad_record_set(b->arena, b->r, LAD_STATUS_FAIL, b->sight.n_wrong ? "ladder.vm.tables" : "ladder.vm.first-ops",
                   "the device reads other words in the tables than were uploaded");
    if (!b->gpu->drop) /* the mutation check asks for red, not for the cause */
        lad_vm_diagnose(&b->setup, b->gpu, b->image, b->device, &b->sight);
    return true;
}

static void tell_lines(struct bench *b, int side)
{
    char *text = NULL, *save;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return;
    lad_vm_print_status(out, b->image[side], (uint32_t)b->launches);
    lad_vm_print_debug(out, b->image[side], 0);
    fclose(out);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        lad_record_fact(b->arena, b->r, '-', "%s: %s", side ? "device" : "reference", line);
    free(text);
}

static bool fail(struct bench *b, const char *type, const struct lad_vm_why *why)
{
    lad_record_set(b->arena, b->r, LAD_STATUS_FAIL, type, "launch %llu: %s", (unsigned long long)b->launches,
                   why->text);
    tell_lines(b, 0);
    tell_lines(b, 1);
    return false;
}

static bool look_after(struct bench *b)
{
    struct lad_vm_why why;
    struct lad_vm_diff diff;
    for (uint32_t g = 0; g < b->setup.shape.count; g++)
        if (!lad_vm_fetch_matches(b->image[1], g, &why))
            return fail(b, "ladder.vm.bytecode-mismatch", &why);
    if (!lad_vm_compare(b->image[0], b->image[1], &diff)) {
        struct lad_vm_why text;
        lad_vm_diff_text(&diff, &text);
        lad_vm_because(&why, "reference and device differ: %.220s", text.text);
        return fail(b, "ladder.vm.differs", &why);
    }
    if (lad_vm_param(&b->setup, "anchors") && !lad_vm_anchor_holds(b->image[1], (uint32_t)b->launches, &why))
        return fail(b, "ladder.vm.anchor", &why);
    return lad_vm_guards_hold(b->image[1], &why) || fail(b, "ladder.vm.guard", &why);
}

static bool run_beside(struct bench *b)
{
    bool moved = true;
    while (!lad_vm_over(b->image[0])) {
        uint64_t mark = lad_vm_mark(b->image[0]), start = lad_now_ns();
        if (b->gpu->deadline_ns && start > b->gpu->deadline_ns) {
            lad_record_set(b->arena, b->r, LAD_STATUS_TIMEOUT, "ladder.timeout.case",
                           "not over after %llu launches, time %llu", (unsigned long long)b->launches,
                           (unsigned long long)*LAD_VM_U64(b->image[0], time, 0));
            return false;
        }
        lad_vm_launch_reference(b->image[0]);
        start = lad_now_ns();
        if (!lad_vm_device_launch(b->device))
            return lad_vm_api_failed(&b->setup, b->gpu, "launching");
        b->launch_ns += lad_now_ns() - start;
        if (!b->launches++)
            b->r->first_ns = b->launch_ns;
        if (!look_after(b))
            return false;
        bool stuck = !moved;
        moved = lad_vm_drain(b->host[0]);
        moved |= lad_vm_drain(b->host[1]);
        if (stuck && !moved && mark == lad_vm_mark(b->image[0]) && !lad_vm_over(b->image[0])) {
            lad_record_set(b->arena, b->r, LAD_STATUS_ERROR, "ladder.case", "the program is stuck after launch %llu",
                           (unsigned long long)b->launches);
            return false;
        }
    }
    return true;
}

/* The text of param log with its \n made line ends. */
static char *wanted_log(const struct bench *b)
{
    char *log = lad_strdup(b->arena, lad_vm_param(&b->setup, "log")), *to = log;
    for (const char *p = log; p && *p; p++)
        *to++ = *p == '\\' && p[1] == 'n' ? (p++, '\n') : *p;
    if (log)
        *to = 0;
    return log;
}

static void tell_figures(struct bench *b, const struct lad_vm_device_figures *f)
{
    const struct {
        enum lad_obs_name name;
        uint64_t value;
    } figure[] = {{LAD_OBS_VM_LAUNCHES, f->launches},         {LAD_OBS_VM_DISPATCHES, f->dispatches},
                  {LAD_OBS_VM_INSTRUCTIONS, f->instructions}, {LAD_OBS_VM_ACTIVATIONS, f->activations},
                  {LAD_OBS_VM_LAUNCH_NS, b->launch_ns},       {LAD_OBS_VM_DISPATCH_NS, f->dispatch_ns}};
    for (size_t i = 0; i < LAD_N(figure); i++)
        lad_observe(b->arena, b->r, figure[i].name, NULL, (int64_t)figure[i].value);
}

static bool look_at_end(struct bench *b)
{
    struct lad_vm_why why;
    struct lad_vm_device_figures f;
    uint64_t want = 0;
    const char *log = wanted_log(b);
    if (!lad_vm_device_kept(b->device, &why))
        return fail(b, "ladder.vm.guard", &why);
    for (uint32_t g = 0; g < b->setup.shape.count; g++) {
        const struct lad_vm_text *x = &b->host[0]->log[g], *y = &b->host[1]->log[g];
        if (x->n != y->n || (x->n && memcmp(x->text, y->text, x->n)))
            lad_vm_because(&why, "the logs of instance %u differ", g);
        else if (log && (y->n != strlen(log) || (y->n && memcmp(log, y->text, y->n))))
            lad_vm_because(&why, "instance %u prints something else than the case says", g);
        else
            continue;
        return fail(b, "ladder.vm.log", &why);
    }
    if (!lad_vm_param_number(&b->setup, "launches", UINT64_MAX, &want))
        return false;
    if (want && want != b->launches) {
        lad_vm_because(&why, "it took %llu launches, expected %llu", (unsigned long long)b->launches,
                       (unsigned long long)want);
        return fail(b, "ladder.vm.launches", &why);
    }
    if (!lad_vm_device_figures(b->device, &f))
        return lad_vm_api_failed(&b->setup, b->gpu, "reading the counters");
    tell_figures(b, &f);
    lad_record_fact(b->arena, b->r, '+',
                    "%llu launches in %llu dispatches, %llu instructions, %llu activations; equal after each launch",
                    (unsigned long long)f.launches, (unsigned long long)f.dispatches,
                    (unsigned long long)f.instructions, (unsigned long long)f.activations);
    return true;
}

/* What was spoilt on purpose, and nothing else, must be what the probe reports. */
static void judge_harm(struct bench *b)
{
    const struct lad_vm_device_want *want = &b->setup.want;
    bool found = b->sight.ran;
    if (want->harm == LAD_VM_UNREACHED) { /* undefined: whatever came out is the result */
        lad_record_fact(b->arena, b->r, '-', "table %u, not declared as reached, reads %s", want->table,
                        b->sight.right[want->table] ? "right" : "wrong");
        lad_record_set(b->arena, b->r, found ? LAD_STATUS_PASS : LAD_STATUS_FAIL, found ? NULL : "ladder.vm.undetected",
                       found ? NULL : "the probe's kernel did not run");
        return;
    }
    for (uint32_t i = 0; i < VM_TABLES; i++) {
        bool other = want->harm == LAD_VM_SWAPPED && i == (want->table + 1) % VM_TABLES;
        bool spoilt = i == want->table || other;
        const uint32_t *got = b->sight.got + i;
        if (b->sight.right[i] == spoilt)
            found = false;
        else if (spoilt && want->harm == LAD_VM_ZEROS && !want->from)
            found = found && !got[0] && !got[22] && !got[44];
        else if (spoilt && want->harm == LAD_VM_SWAPPED)
            found = found && got[22] == 0x5AFE0000 + (other ? want->table : (want->table + 1) % VM_TABLES);
    }
    if (found)
        lad_record_set(b->arena, b->r, LAD_STATUS_PASS, NULL, NULL);
    else
        lad_record_set(b->arena, b->r, LAD_STATUS_FAIL, "ladder.vm.undetected",
                       "table %u was spoilt, and the probe reports something else", want->table);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct bench b = {.gpu = gpu, .arena = arena, .r = r};
    bool clean = false;
    if (lad_vm_setup(&b.setup, c, arena, r) && open_sides(&b) && look_first(&b, &clean)) {
        if (b.setup.want.harm)
            judge_harm(&b);
        else if (clean && run_beside(&b) && look_at_end(&b))
            r->status = LAD_STATUS_PASS;
    }
    lad_vm_device_close(&b.device);
    for (int i = 0; i < 2; i++) {
        lad_vm_host_destroy(&b.host[i]);
        lad_vm_image_destroy(&b.image[i]);
    }
}

const struct lad_probe lad_probe_vm = {
    .name = "vm",
    .summary = "a program of the scheduler VM does the same on the device as in the reference, launch by launch",
    .run = run,
};
