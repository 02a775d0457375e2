/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder vm run: one program in one binding mode or in all of them, step by step beside each other; then on the
 * devices that are named (beside.c). */
#include "vm.h"
#include <ctype.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

static const char *const bindings[] = {"direct", "table", "packed"};

struct side { /* one run of the program */
    const char *name;
    struct lad_vm_image *image;
    struct lad_vm_host *host;
    uint64_t ns; /* of its launches */
};

struct watcher { /* --trace, in front of the dump */
    struct lad_vm_watch watch;
    const struct lad_vm_watch *next;
    const struct lad_vm_program *program;
};

static void print_activation(void *arg, uint32_t gid, uint32_t pid, uint32_t ip, uint64_t time)
{
    const struct watcher *w = arg;
    fprintf(stderr, "trace: gid=%u time=%llu pid=%u %s ip=%u\n", gid, (unsigned long long)time, pid,
            lad_vm_name(w->program, w->program->proc[pid].name), ip);
}

static void pass_on(void *arg, uint32_t gid, uint64_t time)
{
    const struct watcher *w = arg;
    if (w->next && w->next->step_end)
        w->next->step_end(w->next->arg, gid, time);
}

static bool read_slice(const char *text, struct lad_vm_shape *shape)
{
    uint32_t *field[] = {&shape->max_steps, &shape->max_proc_steps, &shape->capacity};
    const char *p = text;
    for (size_t i = 0; text && i < LAD_N(field); i++) {
        char *end;
        unsigned long long n = strtoull(p, &end, 10);
        if (!isdigit((unsigned char)*p) || n > UINT32_MAX || *end != (i < 2 ? ',' : 0) || (i != 1 && !n)) {
            lad_error(
                "--slice %s: expected three numbers such as 1024,64,32: activations of a launch, instructions of an "
                "activation (0: as many), records of the ring",
                text);
            return false;
        }
        *field[i] = (uint32_t)n;
        p = end + 1;
    }
    return true;
}

static bool open_sides(const struct lad_options *o, const struct lad_vm_program *p, struct lad_vm_shape shape,
                       struct side *side, size_t *n)
{
    struct lad_vm_why why;
    *n = 0;
    for (size_t i = 0; i < LAD_N(bindings); i++) {
        if (strcmp(o->binding, "all") && strcmp(o->binding, bindings[i]))
            continue;
        struct side *s = &side[(*n)++];
        *s = (struct side){.name = bindings[i]};
        shape.binding = (enum lad_vm_binding)i;
        s->image = lad_vm_image_create(p, &shape, &why);
        if (!s->image) {
            lad_error("vm run: %s", why.text);
            return false;
        }
        s->host = lad_vm_host_create(s->image);
        s->host->quiet = *n > 1;
    }
    return true;
}

static void close_sides(struct side *side, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lad_vm_host_destroy(&side[i].host);
        lad_vm_image_destroy(&side[i].image);
    }
}

static bool check_sides(struct side *side, size_t n, uint64_t launches)
{
    struct lad_vm_diff diff;
    struct lad_vm_why why;
    for (size_t i = 0; i < n; i++) {
        if (!lad_vm_guards_hold(side[i].image, &why)) {
            lad_error("vm run: %s, launch %llu: %s", side[i].name, (unsigned long long)launches, why.text);
            return false;
        }
        for (uint32_t g = 0; g < side[i].image->shape.count; g++) {
            if (!lad_vm_fetch_matches(side[i].image, g, &why)) {
                printf("%s\n", why.text);
                return false;
            }
        }
        if (i && !lad_vm_compare(side[0].image, side[i].image, &diff)) {
            lad_vm_diff_text(&diff, &why);
            lad_error("vm run: %s and %s differ first after launch %llu: %s", side[0].name, side[i].name,
                      (unsigned long long)launches, why.text);
            return false;
        }
    }
    return true;
}

static void print_lines(const struct side *s, uint64_t launches)
{
    static const uint32_t shown[] = {0, 1, 32}; /* 32 is the first of the second workgroup */
    lad_vm_print_status(stderr, s->image, (uint32_t)launches);
    for (size_t i = 0; i < LAD_N(shown); i++)
        if (shown[i] < s->image->shape.count)
            lad_vm_print_debug(stderr, s->image, shown[i]);
}

/* Launches all sides in step until they are over. */
static bool run_sides(struct side *side, size_t n, uint64_t deadline, uint64_t *launches)
{
    bool moved = true;
    for (*launches = 0; !lad_vm_over(side[0].image);) {
        if (lad_now_ns() > deadline) {
            lad_error("vm run: not over at its deadline, time %llu, after %llu launches (--timeout)",
                      (unsigned long long)*LAD_VM_U64(side[0].image, time, 0), (unsigned long long)*launches);
            return false;
        }
        uint64_t mark = lad_vm_mark(side[0].image);
        bool stuck = !moved;
        for (size_t i = 0; i < n; i++) {
            uint64_t start = lad_now_ns();
            lad_vm_launch_reference(side[i].image);
            side[i].ns += lad_now_ns() - start;
        }
        ++*launches;
        if (lad_verbosity > 0 && (*launches == 1 || lad_verbosity > 1))
            print_lines(&side[0], *launches);
        if (!check_sides(side, n, *launches))
            return false;
        moved = false;
        for (size_t i = 0; i < n; i++)
            moved |= lad_vm_drain(side[i].host);
        if (stuck && !moved && mark == lad_vm_mark(side[0].image) && !lad_vm_over(side[0].image)) {
            lad_error("vm run: stuck after %llu launches: the ring of %u records is too small for this program",
                      (unsigned long long)*launches, side[0].image->shape.capacity);
            return false;
        }
    }
    return true;
}

static bool write_log(FILE *out, const void *arg)
{
    lad_vm_log_write(out, arg);
    return true;
}

static bool write_state(FILE *out, const void *arg)
{
    lad_vm_print_state(out, arg);
    return true;
}

static void say_end(const struct lad_vm_image *image, uint64_t launches)
{
    uint32_t count[VM_STATE_COUNT] = {0}, pid = *LAD_VM_U32(image, error_pid, 0), ip = *LAD_VM_U32(image, error_ip, 0);
    uint32_t status = *LAD_VM_U32(image, status, 0);
    for (uint32_t p = 0; p < image->program->n_proc; p++)
        count[LAD_VM_U32(image, state, 0)[p] % VM_STATE_COUNT]++;
    lad_note("%s at time %llu after %llu launch%s; of %u processes %u are done, %u blocked, %u ready",
             lad_vm_status_name(status), (unsigned long long)*LAD_VM_U64(image, time, 0), (unsigned long long)launches,
             launches == 1 ? "" : "es", image->program->n_proc, count[VM_DONE], count[VM_BLOCKED], count[VM_READY]);
    if (status != VM_ERROR_STATUS)
        return;
    if (pid == VM_NONE)
        lad_error("vm run: error %s, in no process", lad_vm_error_name(*LAD_VM_U32(image, error, 0)));
    else
        lad_error("vm run: error %s in process %u (%s), ip %u", lad_vm_error_name(*LAD_VM_U32(image, error, 0)), pid,
                  lad_vm_name(image->program, image->program->proc[pid].name), ip);
}

static bool write_results(const struct lad_options *o, const struct side *s)
{
    bool ok = lad_write_file(o->log ? o->log : "-", write_log, s->host);
    return (!o->state || lad_write_file(o->state, write_state, s->image)) && ok;
}

static int finish(const struct lad_options *o, const struct side *s, bool held, uint64_t launches)
{
    const uint32_t *status = LAD_VM_U32(s->image, status, 0);
    bool good = held;
    if (!write_results(o, s))
        return LAD_EXIT_HARNESS;
    say_end(s->image, launches);
    for (uint32_t g = 0; g < s->image->shape.count; g++)
        good &= status[g] != VM_ERROR_STATUS;
    return good ? LAD_EXIT_OK : LAD_EXIT_FAILED;
}

static int run_program(struct lad_arena *arena, const struct lad_options *o, const char *name,
                       const struct lad_vm_program *p, const char **plusargs)
{
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct side side[LAD_N(bindings)];
    size_t n;
    uint64_t launches = 0;
    int status = LAD_EXIT_USAGE;
    shape.count = o->count;
    if (!read_slice(o->slice, &shape))
        return LAD_EXIT_USAGE;
    if (!open_sides(o, p, shape, side, &n))
        goto out;
    for (size_t i = 0; i < n; i++) {
        side[i].host->folder = dirname(lad_strdup(arena, name));
        side[i].host->plusargs = plusargs;
    }
    struct lad_vm_vcd *vcd = o->vcd ? lad_vm_vcd_open(o->vcd, side[0].image, 0) : NULL;
    if (o->vcd && !vcd)
        goto out;
    struct watcher watcher = {{print_activation, pass_on, &watcher}, side[0].image->companions.watch, p};
    if (o->trace)
        side[0].image->companions.watch = &watcher.watch;
    if (lad_verbosity > 0)
        lad_vm_print_stats(stderr, p);
    bool held = run_sides(side, n, lad_now_ns() + o->timeout_s * 1000000000ull, &launches);
    if (lad_verbosity > 0)
        print_lines(&side[0], launches);
    bool dumped = !vcd || lad_vm_vcd_close(&vcd);
    status = finish(o, &side[0], held, launches);
    if (!dumped)
        status = LAD_EXIT_HARNESS;
    if (*o->device && held && status <= LAD_EXIT_FAILED) {
        const struct lad_vm_plea plea = {o, name, plusargs, side[0].ns};
        close_sides(side, n);
        fflush(stdout);
        int devices = lad_vm_beside(arena, &plea);
        return devices ? devices : status;
    }
out:
    close_sides(side, n);
    return status;
}

/* What would mean nothing. */
static bool check_options(const struct lad_options *o)
{
    const char *idle = *o->device                              ? NULL
                       : o->json                               ? "--json"
                       : *o->inject                            ? "--inject"
                       : o->plugin                             ? "--plugin"
                       : strcmp(o->output, LAD_DEFAULT_OUTPUT) ? "--output"
                                                               : NULL;
    if (idle)
        lad_error("vm run: %s is about devices, and only the reference runs without --device", idle);
    return !idle;
}

int lad_vm_command_run(struct lad_arena *arena, const struct lad_options *o, const char *name, const char **args)
{
    struct lad_vm_program p;
    struct lad_vm_why why;
    size_t n = 0;
    while (args[n])
        n++;
    const char **plusargs = lad_alloc(arena, (n + 1) * sizeof *plusargs);
    for (size_t i = 0; i < n; i++) {
        if (*args[i] != '+') {
            lad_error("vm run: '%s': expected plusargs such as +name=value behind the program", args[i]);
            return LAD_EXIT_USAGE;
        }
        plusargs[i] = args[i] + 1;
    }
    if (!check_options(o) || !lad_faults_prepare(arena, o))
        return LAD_EXIT_USAGE;
    switch (lad_vm_load(arena, name, o->unchecked, &p, &why)) {
    case LAD_VM_REJECTED:
        if (*why.text)
            lad_error("%s", why.text);
        return LAD_EXIT_USAGE;
    case LAD_VM_SKIPPED:
        lad_error("%s, so it is skipped here", why.text);
        return LAD_EXIT_NOTHING;
    case LAD_VM_GOOD:
        break;
    }
    return run_program(arena, o, name, &p, plusargs);
}
