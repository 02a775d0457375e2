/* SPDX-License-Identifier: Apache-2.0 */
/* Figures, and whether they can be true: device timestamps are used only where they agree with the host's clock, and
 * what a CPU device claims is held against what this host can do at all. */
#include "harness.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS 5
#define WARM_UP_NS 150000000u
#define CEILING_BYTES (128u << 10) /* stays in a core's second-level cache: an upper bound for any memory traffic */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void *copy_in_cache(void *rate)
{
    char *a = calloc(1, CEILING_BYTES), *b = malloc(CEILING_BYTES);
    uint64_t bytes = 0, start = lad_now_ns(), now = start;
    while (a && b && now - start < 4000000u) {
        for (int i = 0; i < 16; i++) {
            memcpy(b, a, CEILING_BYTES);
            __asm__ volatile("" : : "r"(a), "r"(b) : "memory");
        }
        bytes += 16ull * 2 * CEILING_BYTES;
        now = lad_now_ns();
    }
    *(double *)rate = now > start ? (double)bytes / (double)(now - start) : 0;
    free(a);
    free(b);
    return NULL;
}

/* GB/s that all cores together move within their caches: more than any memory traffic of a CPU device can be. */
static double memory_ceiling(void)
{
    static double total;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t thread[256];
    double rate[256];
    if (total > 0)
        return total;
    n = n < 1 ? 1 : n > 256 ? 256 : n;
    for (long i = 0; i < n; i++)
        if (pthread_create(&thread[i], NULL, copy_in_cache, &rate[i]))
            n = i;
    for (long i = 0; i < n; i++) {
        pthread_join(thread[i], NULL);
        total += rate[i];
    }
    return total;
}

/* GFLOP/s: two 512-bit FMA units a core at 6 GHz, more than any processor of today. */
static double arithmetic_ceiling(void)
{
    return (double)sysconf(_SC_NPROCESSORS_ONLN) * 6.0 * 64.0;
}

/* Device time of the last wait in ns where it can be believed, else 0 and why not. */
static double device_time(const struct lad_gpu *gpu, const char **why)
{
    const struct lad_times *t = &gpu->times;
    if (!gpu->info.cap[LAD_CAP_TIMESTAMPS] || !t->n_raw)
        *why = "the device has no timestamps";
    else if (t->device_ns == 0 || t->raw[t->n_raw - 1] < t->raw[0])
        *why = "device timestamps do not advance";
    else if (t->device_ns > t->host_ns + t->host_ns / 20 + 20000)
        *why = "device timestamps span more than the host's clock does";
    else if (t->host_ns > 1000000 && t->device_ns < t->host_ns / 100)
        *why = "device timestamps span less than a hundredth of what the host's clock does";
    else
        return (double)t->device_ns;
    return 0;
}

/* An idle card runs at a fraction of its clock and takes a while to climb: goes on until the last quarter of the time
 * brought no batch that is faster by more than a fiftieth. */
static bool warm_up(struct lad_gpu *gpu, bool (*run)(void *, uint32_t), void *arg, uint32_t repeat)
{
    uint64_t start = lad_now_ns(), best = UINT64_MAX, best_at = start, now = start;
    uint64_t least = gpu->info.type == LAD_DEV_CPU || gpu->info.type == LAD_DEV_SIMULATOR ? 0 : WARM_UP_NS;
    while (now - start < least || (now - best_at < (now - start) / 4 && now - start < 4 * least)) {
        if (!run(arg, repeat))
            return false;
        now = lad_now_ns();
        if (gpu->times.host_ns < best - best / 50) {
            best = gpu->times.host_ns;
            best_at = now;
        }
    }
    return true;
}

bool lad_measure(struct lad_gpu *gpu, struct lad_arena *arena, const struct lad_measure_want *want, double work,
                 double floor, bool (*run)(void *, uint32_t repeat), void *arg, struct lad_measure *m)
{
    double sample[RUNS];
    const char *why = NULL;
    uint32_t repeat = 1;
    *m = (struct lad_measure){.name = want->name, .unit = want->unit, .clock = "device", .floor = floor};
    if (!run(arg, 1) || !run(arg, 1)) /* the first compiles */
        return false;
    /* A batch of about 2 ms, so that one submission's cost does not count. */
    for (uint64_t one = gpu->times.host_ns; repeat < 64 && one * repeat < 2000000u;)
        repeat *= 2;
    if (!warm_up(gpu, run, arg, repeat))
        return false;
    for (int i = 0; i < RUNS; i++) {
        if (!run(arg, repeat))
            return false;
        double ns = device_time(gpu, &why);
        if (why) {
            m->clock = "host";
            ns = (double)gpu->times.host_ns;
        }
        sample[i] = ns / repeat;
    }
    qsort(sample, RUNS, sizeof *sample, by_value);
    double ns = sample[RUNS / 2] > 0 ? sample[RUNS / 2] : 1;
    m->value = strcmp(want->unit, "us") ? work / ns : ns / 1000; /* bytes/ns = GB/s, flop/ns = GFLOP/s */
    if (gpu->info.type == LAD_DEV_CPU && strcmp(want->unit, "us")) {
        double most = strcmp(want->unit, "GB/s") ? arithmetic_ceiling() : memory_ceiling();
        if (m->value > most)
            m->doubt = lad_printf(arena, "a CPU device on this host cannot exceed %.0f %s", most, want->unit);
    }
    return true;
}
