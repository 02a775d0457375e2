/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the scheduler VM on the device and in the reference, compared after every launch.
 *
 * Params: program (name of a built-in one, pico:N, or a file), mode (direct, table, packed), and optionally count,
 * slice (STEPS,PROC,SERVICES), placement (shared), fuel (rounds of a dispatch), launches (how many it must take) and
 * log (what instance 0 must print, \n between lines). harm (zeros, swapped, shifted) spoils table number `table` on
 * purpose: then the case passes when the detectors report it, and only it.
 */
#include "../vm/vm.h"
#include "../registry.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct bench { /* both sides of the comparison */
    struct lad_gpu *gpu;
    const struct lad_case *c;
    struct lad_arena *arena;
    struct lad_record *r;
    struct lad_vm_program program;
    struct lad_vm_shape shape;
    struct lad_vm_device_want want;
    struct lad_vm_image *image[2]; /* reference, device */
    struct lad_vm_host *host[2];
    struct lad_vm_device *device;
    uint64_t launches;
};

static const char *param(const struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->c->n_params; i++)
        if (!strcmp(b->c->params[i].name, name))
            return b->c->params[i].value.text;
    return NULL;
}

static bool number(const struct bench *b, const char *name, uint64_t most, uint64_t *out)
{
    const char *text = param(b, name);
    char *end;
    if (!text)
        return true;
    *out = strtoull(text, &end, 0);
    if (isdigit((unsigned char)*text) && !*end && *out <= most)
        return true;
    lad_record_set(b->arena, b->r, LAD_STATUS_ERROR, "ladder.case",
                   "%s: param %s is \"%s\", expected a number up to %llu", b->c->file, name, text,
                   (unsigned long long)most);
    return false;
}

/* The place of a param's word in a list, 0 where it is not given. */
static bool choose(const struct bench *b, const char *name, const char *const *words, int *out)
{
    const char *text = param(b, name);
    for (*out = 0; text && words[*out] && strcmp(text, words[*out]); ++*out)
        ;
    if (!text || words[*out])
        return true;
    lad_record_set(b->arena, b->r, LAD_STATUS_ERROR, "ladder.case", "%s: param %s is \"%s\"", b->c->file, name, text);
    return false;
}

static bool read_params(struct bench *b)
{
    static const char *const modes[] = {"direct", "table", "packed", NULL}, *const placements[] = {"own", "shared",
                                                                                                   NULL};
    static const char *const harms[] = {"none", "zeros", "swapped", "shifted", NULL};
    const char *slice = param(b, "slice");
    uint64_t count = 1, fuel = 0, table = 0;
    int mode, placement, harm;
    b->shape = (struct lad_vm_shape)LAD_VM_SHAPE;
    if (!choose(b, "mode", modes, &mode) || !choose(b, "placement", placements, &placement) ||
        !choose(b, "harm", harms, &harm) || !number(b, "count", 1 << 20, &count) ||
        !number(b, "fuel", UINT32_MAX, &fuel) || !number(b, "table", VM_TABLES - 1, &table) ||
        !number(b, "from", UINT32_MAX, &b->want.from))
        return false;
    b->shape.binding = (enum lad_vm_binding)mode;
    b->shape.shared = placement;
    b->shape.count = (uint32_t)count;
    b->want.harm = (enum lad_vm_harm)harm;
    b->want.table = (uint32_t)table;
    b->want.fuel = (uint32_t)fuel;
    if (slice &&
        sscanf(slice, "%u%*1[.,]%u%*1[.,]%u", &b->shape.max_steps, &b->shape.max_proc_steps, &b->shape.capacity) != 3) {
        lad_record_set(b->arena, b->r, LAD_STATUS_ERROR, "ladder.case",
                       "%s: param slice is \"%s\", expected three numbers", b->c->file, slice);
        return false;
    }
    return true;
}

static bool load(struct bench *b)
{
    const char *name = param(b, "program");
    const struct lad_embedded *e = lad_vm_programs;
    struct lad_vm_why why = {""};
    enum lad_vm_verdict verdict;
    while (name && e->name && strcmp(e->name, name))
        e++;
    if (name && e->name)
        verdict = lad_vm_assemble(b->arena, (const char *)e->start, name, &b->program, &why)
                      ? lad_vm_check(&b->program, false, &why)
                      : LAD_VM_REJECTED;
    else
        verdict = name ? lad_vm_load(b->arena, name, false, &b->program, &why) : LAD_VM_REJECTED;
    if (verdict == LAD_VM_SKIPPED)
        lad_record_set(b->arena, b->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
    else if (verdict == LAD_VM_REJECTED)
        lad_record_set(b->arena, b->r, LAD_STATUS_ERROR, "ladder.case", "%s: program %s: %s", b->c->file,
                       name ? name : "(none)", why.text);
    return verdict == LAD_VM_GOOD;
}

static bool api_failed(struct bench *b, const char *doing)
{
    const struct lad_fail *f = &b->gpu->fail;
    bool late = !strcmp(f->code, "LATE");
    lad_record_set(b->arena, b->r,
                   f->lost              ? LAD_STATUS_LOST
                   : f->timeout || late ? LAD_STATUS_TIMEOUT
                                        : LAD_STATUS_ERROR,
                   f->lost              ? "ladder.lost"
                   : f->timeout || late ? "ladder.timeout.device"
                                        : "ladder.api",
                   "%s: %s says %s", doing, f->call, f->code);
    if (*f->text)
        *LAD_PUSH(b->arena, b->r->messages, b->r->n_messages) = lad_strdup(b->arena, f->text);
    return false;
}

static bool open_sides(struct bench *b)
{
    struct lad_vm_why why;
    enum lad_vm_fate fate;
    for (int i = 0; i < 2; i++) {
        if (!(b->image[i] = lad_vm_image_create(&b->program, &b->shape, &why))) {
            lad_record_set(b->arena, b->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
            return false;
        }
        b->host[i] = lad_vm_host_create(b->image[i]);
        b->host[i]->quiet = true;
    }
    uint64_t start = lad_now_ns();
    b->device = lad_vm_device_open(b->gpu, b->image[1], &b->want, &fate, &why);
    b->r->build_ns += lad_now_ns() - start;
    if (b->device)
        return true;
    if (fate == LAD_VM_UNFIT)
        lad_record_set(b->arena, b->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
    else
        api_failed(b, "preparing");
    return false;
}

/* Processes by first opcode, as the device counts them and as the host does. */
static bool compare_first_ops(struct bench *b)
{
    const uint32_t *got = lad_vm_device_first_ops(b->device);
    uint32_t want[256] = {0}, bad = 0;
    for (uint32_t i = 0; i < b->program.n_proc; i++)
        want[b->program.code[(size_t)i * b->program.parm[VM_PARM_W]] & 0xFF] +=
            b->program.proc[i].length ? b->shape.count : 0;
    for (uint32_t op = 0; op < 256; op++) {
        if (got[op] == want[op])
            continue;
        if (bad++ < 4)
            lad_record_fact(b->arena, b->r, '!',
                            "processes of all instances that begin with opcode %u: the device counts %u, the host %u",
                            op, got[op], want[op]);
    }
    return !bad;
}

/* *clean: everything that the device reads is what was uploaded. */
static bool look_first(struct bench *b, bool *clean)
{
    struct lad_vm_text text = {0};
    enum lad_vm_fate fate;
    bool tables = lad_vm_device_probe(b->device, &text, &fate);
    bool ops = fate == LAD_VM_DONE && compare_first_ops(b);
    *clean = tables && ops;
    for (char *line = text.text ? strtok(text.text, "\n") : NULL; line; line = strtok(NULL, "\n"))
        lad_record_fact(b->arena, b->r, '!', "%s", line);
    free(text.text);
    if (fate != LAD_VM_DONE)
        return api_failed(b, "probing the tables");
    if (*clean)
        lad_record_fact(b->arena, b->r, '+',
                        "the device reads all 22 tables as they were uploaded, and counts the same first opcodes");
    else if (!b->want.harm)
        lad_record_set(b->arena, b->r, LAD_STATUS_FAIL, tables ? "ladder.vm.first-ops" : "ladder.vm.tables",
                       "the device reads other words in the tables than were uploaded");
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
    for (uint32_t g = 0; g < b->shape.count; g++)
        if (!lad_vm_fetch_matches(b->image[1], g, &why))
            return fail(b, "ladder.vm.bytecode-mismatch", &why);
    if (!lad_vm_compare(b->image[0], b->image[1], &diff)) {
        lad_vm_diff_text(&diff, &why);
        return fail(b, "ladder.vm.differs", &why);
    }
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
            return api_failed(b, "launching");
        if (!b->launches++)
            b->r->first_ns = lad_now_ns() - start;
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
    char *log = lad_strdup(b->arena, param(b, "log")), *to = log;
    for (const char *p = log; p && *p; p++)
        *to++ = *p == '\\' && p[1] == 'n' ? (p++, '\n') : *p;
    if (log)
        *to = 0;
    return log;
}

static bool look_at_end(struct bench *b)
{
    struct lad_vm_why why;
    struct lad_vm_device_figures f;
    uint64_t want = 0;
    const char *log = wanted_log(b);
    if (!lad_vm_device_kept(b->device, &why))
        return fail(b, "ladder.vm.guard", &why);
    for (uint32_t g = 0; g < b->shape.count; g++) {
        const struct lad_vm_text *x = &b->host[0]->log[g], *y = &b->host[1]->log[g];
        if (x->n != y->n || (x->n && memcmp(x->text, y->text, x->n)))
            lad_vm_because(&why, "the logs of instance %u differ", g);
        else if (log && (y->n != strlen(log) || (y->n && memcmp(log, y->text, y->n))))
            lad_vm_because(&why, "instance %u prints something else than the case says", g);
        else
            continue;
        return fail(b, "ladder.vm.log", &why);
    }
    if (!number(b, "launches", UINT64_MAX, &want))
        return false;
    if (want && want != b->launches) {
        lad_vm_because(&why, "it took %llu launches, expected %llu", (unsigned long long)b->launches,
                       (unsigned long long)want);
        return fail(b, "ladder.vm.launches", &why);
    }
    if (!lad_vm_device_figures(b->device, &f))
        return api_failed(b, "reading the counters");
    lad_record_fact(b->arena, b->r, '+',
                    "%llu launches in %llu dispatches, %llu instructions, %llu activations; equal after each launch",
                    (unsigned long long)f.launches, (unsigned long long)f.dispatches,
                    (unsigned long long)f.instructions, (unsigned long long)f.activations);
    return true;
}

/* What was spoilt on purpose must be reported by the probe, by name and for no other table than the two of a swap. */
static void judge_harm(struct bench *b, bool clean)
{
    char name[24];
    bool seen = false;
    snprintf(name, sizeof name, " buffer=%u ", b->want.table);
    for (size_t i = 0; i < b->r->n_facts; i++)
        seen |= strstr(b->r->facts[i].text, name) != NULL;
    if (clean || !seen)
        lad_record_set(b->arena, b->r, LAD_STATUS_FAIL, "ladder.vm.undetected",
                       "table %u was spoilt and the probe did not report it", b->want.table);
    else
        lad_record_set(b->arena, b->r, LAD_STATUS_PASS, NULL, NULL);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct bench b = {.gpu = gpu, .c = c, .arena = arena, .r = r};
    bool clean = false;
    if (read_params(&b) && load(&b) && open_sides(&b) && look_first(&b, &clean)) {
        if (b.want.harm)
            judge_harm(&b, clean);
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
