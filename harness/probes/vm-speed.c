/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the device runs a program of the scheduler VM: instructions of all instances together in a second, beside
 * one core that runs the reference. Between launches nothing is read back but the status words and the records; at the
 * end every instance must be what the reference's is after as many launches.
 *
 * Params: those of setup.c, and ms: how long to go on (the launch that passes it is the last; default 1000).
 */
#include "../vm/vm.h"
#include <stdlib.h>
#include <time.h>

enum { BATCHES = 5, BATCH_NS = 60000000 };

struct race {
    struct lad_gpu *gpu;
    struct lad_vm_setup setup;
    struct lad_vm_image *image, *judge; /* judge: what the reference makes of the first two instances */
    struct lad_vm_host *host, *judge_host;
    struct lad_vm_device *device;
    uint64_t instructions;                  /* of one instance from begin to end */
    double alone;                           /* instructions per second of one core */
    uint64_t launches, ns, cpu_ns, counted; /* cpu_ns: of all threads; counted: instructions in those ns */
};

/* ---- one core ---- */

static uint64_t cpu_ns(clockid_t whose)
{
    struct timespec t;
    clock_gettime(whose, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct tally {
    struct lad_vm_watch watch;
    const struct lad_vm_image *image;
    uint64_t instructions, time;
};

static void count_step(void *arg, uint32_t gid, uint64_t time)
{
    struct tally *t = arg;
    t->instructions += *LAD_VM_U64(t->image, instr_count, gid);
    t->time = time;
}

/* From begin to end; how much CPU time that took. */
static uint64_t run_alone(struct lad_vm_image *image, const struct lad_vm_watch *watch)
{
    lad_vm_image_reset(image);
    struct lad_vm_host *host = lad_vm_host_create(image);
    host->quiet = true;
    image->companions.watch = watch;
    uint64_t start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    lad_vm_run(host, 0, lad_now_ns() + 10000000000u, NULL);
    uint64_t took = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    lad_vm_host_destroy(&host);
    return took;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool measure_alone(struct race *x)
{
    struct lad_vm_shape shape = x->setup.shape;
    struct lad_vm_why why;
    double rate[BATCHES];
    shape.count = 1;
    shape.binding = LAD_VM_TABLE;
    struct lad_vm_image *image = lad_vm_image_create(&x->setup.program, &shape, &why);
    if (!image) {
        lad_record_set(x->setup.arena, x->setup.r, LAD_STATUS_SKIP, NULL, "%s", why.text);
        return false;
    }
    struct tally t = {{.step_end = count_step, .arg = &t}, image, 0, UINT64_MAX};
    run_alone(image, &t.watch);
    if (*LAD_VM_U64(image, time, 0) != t.time) /* in the step that was not over */
        t.instructions += *LAD_VM_U64(image, instr_count, 0);
    x->instructions = t.instructions;
    for (int i = 0; i < BATCHES; i++) {
        uint64_t ns = 0, runs = 0;
        for (; ns < BATCH_NS; runs++)
            ns += run_alone(image, NULL);
        rate[i] = (double)(runs * t.instructions) * 1e9 / (double)ns;
    }
    lad_vm_image_destroy(&image);
    qsort(rate, BATCHES, sizeof *rate, by_value);
    x->alone = rate[BATCHES / 2];
    lad_record_fact(x->setup.arena, x->setup.r, '+',
                    "reference, one core: %.1f million instructions per second (%.1f to %.1f), %llu from begin to end",
                    x->alone / 1e6, rate[0] / 1e6, rate[BATCHES - 1] / 1e6, (unsigned long long)t.instructions);
    return true;
}

/* ---- the device ---- */

static bool open_sides(struct race *x)
{
    struct lad_vm_setup *s = &x->setup;
    struct lad_vm_shape shape = s->shape;
    struct lad_vm_why why;
    enum lad_vm_fate fate;
    shape.count = shape.count < 2 ? shape.count : 2;
    if (!(x->image = lad_vm_image_create(&s->program, &s->shape, &why)) ||
        !(x->judge = lad_vm_image_create(&s->program, &shape, &why))) {
        lad_record_set(s->arena, s->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
        return false;
    }
    x->host = lad_vm_host_create(x->image);
    x->judge_host = lad_vm_host_create(x->judge);
    x->host->quiet = x->judge_host->quiet = true;
    uint64_t start = lad_now_ns();
    x->device = lad_vm_device_open(x->gpu, x->image, &s->want, &fate, &why);
    s->r->build_ns += lad_now_ns() - start;
    if (x->device)
        return true;
    if (fate == LAD_VM_UNFIT)
        lad_record_set(s->arena, s->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
    else
        lad_vm_api_failed(s, x->gpu, "preparing");
    return false;
}

/* A launch and what the host has to do after it. */
static bool launch(struct race *x, bool asks)
{
    if (!(asks ? lad_vm_device_launch(x->device) : lad_vm_device_step(&x->device, 1)))
        return lad_vm_api_failed(&x->setup, x->gpu, "launching");
    x->launches++;
    lad_vm_drain(x->host);
    return true;
}

/* The first launch compiles on some drivers: it is not in the figures unless it is the only one. */
static bool run_device(struct race *x, uint64_t ms)
{
    bool asks = lad_vm_asks(&x->setup.program);
    struct lad_vm_device_figures before = {0}, after;
    uint64_t start = lad_now_ns(), cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), end;
    if (!launch(x, asks))
        return false;
    end = lad_now_ns();
    x->setup.r->first_ns = end - start;
    if (!lad_vm_over(x->image)) {
        if (!lad_vm_device_figures(x->device, &before))
            return lad_vm_api_failed(&x->setup, x->gpu, "reading the counters");
        start = lad_now_ns();
        cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
        while (!lad_vm_over(x->image) && lad_now_ns() - start < ms * 1000000u)
            if (!launch(x, asks))
                return false;
        end = lad_now_ns();
    }
    x->ns = end - start;
    x->cpu_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (!lad_vm_device_figures(x->device, &after) || !lad_vm_device_pull(x->device))
        return lad_vm_api_failed(&x->setup, x->gpu, "reading the end");
    x->counted = after.instructions - before.instructions;
    lad_record_fact(x->setup.arena, x->setup.r, '+',
                    "%u instances: %llu launches in %llu dispatches, %llu instructions; %llu in %.3f s are counted%s",
                    x->setup.shape.count, (unsigned long long)after.launches, (unsigned long long)after.dispatches,
                    (unsigned long long)after.instructions, (unsigned long long)x->counted, (double)x->ns / 1e9,
                    lad_vm_over(x->image) ? ", to the end" : "");
    if (lad_vm_over(x->image) && after.instructions != x->instructions * x->setup.shape.count) {
        lad_record_set(x->setup.arena, x->setup.r, LAD_STATUS_FAIL, "ladder.vm.counters",
                       "the device counts %llu instructions, expected %llu", (unsigned long long)after.instructions,
                       (unsigned long long)x->instructions * x->setup.shape.count);
        return false;
    }
    return true;
}

/* Instances do the same, but the first may print what the others do not. */
static bool compare_end(struct race *x)
{
    struct lad_vm_diff diff;
    struct lad_vm_why why;
    for (uint64_t i = 0; i < x->launches; i++) {
        lad_vm_launch_reference(x->judge);
        lad_vm_drain(x->judge_host);
    }
    for (uint32_t g = 0; g < x->setup.shape.count; g++) {
        if (lad_vm_compare_instance(x->judge, g ? 1 : 0, x->image, g, &diff))
            continue;
        lad_vm_diff_text(&diff, &why);
        lad_record_set(x->setup.arena, x->setup.r, LAD_STATUS_FAIL, "ladder.vm.differs",
                       "after %llu launches instance %u differs from the reference's: %s",
                       (unsigned long long)x->launches, g, why.text);
        return false;
    }
    return true;
}

static void add_measure(const struct race *x, const char *name, const char *unit, double value)
{
    struct lad_record *r = x->setup.r;
    *LAD_PUSH(x->setup.arena, r->measures, r->n_measures) =
        (struct lad_measure){.name = name, .unit = unit, .clock = "host", .value = value, .size = x->setup.shape.count};
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct race x = {.gpu = gpu};
    uint64_t ms = 1000;
    if (lad_vm_setup(&x.setup, c, arena, r) && lad_vm_param_number(&x.setup, "ms", 3600000, &ms) && measure_alone(&x) &&
        open_sides(&x) && run_device(&x, ms) && compare_end(&x)) {
        double rate = (double)x.counted * 1e9 / (double)x.ns;
        add_measure(&x, "instructions", "M/s", rate / 1e6);
        add_measure(&x, "reference", "M/s", x.alone / 1e6);
        add_measure(&x, "ratio", "x", rate / x.alone);
        if (gpu->info.type == LAD_DEV_CPU) /* holds on a busy machine, too */
            add_measure(&x, "per-core", "M/s", (double)x.counted * 1e3 / (double)x.cpu_ns);
        r->status = LAD_STATUS_PASS;
    }
    lad_vm_device_close(&x.device);
    lad_vm_host_destroy(&x.host);
    lad_vm_host_destroy(&x.judge_host);
    lad_vm_image_destroy(&x.image);
    lad_vm_image_destroy(&x.judge);
}

const struct lad_probe lad_probe_vm_speed = {
    .name = "vm-speed",
    .summary = "how many instructions of the scheduler VM all instances together do in a second",
    .run = run,
};
