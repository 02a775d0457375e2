/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel costs a compiler that waits for edges by a switch with a case for each wait, or by a table.
 *
 * Params: form (switch, table), from and to (numbers of waits), tries (builds of which the fastest counts; default 1).
 * Every build has a constant of its own, so that no cache has it. A table must not take more than twice as long for
 * `to` waits as for `from`; what a switch takes, and whether it is right, is for information.
 */
#include "../vm/vm.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { SIGNALS = 64, LOCAL = 16, MOST = 1024, SURE = 64, BUFS = 5, NOTHING_NS = 200000, ROUNDS = 4 };

struct trial {
    uint64_t build_ns, first_ns, cpu_ns /* of both, all threads: what a busy machine does not change */, bytes;
    uint32_t wrong;
};

struct shop {
    struct lad_gpu *gpu;
    struct lad_arena *arena;
    struct lad_record *r;
    struct lad_buf *buf[BUFS];
    uint32_t select[MOST], now[SIGNALS], seen[2 * MOST], waits[4 * MOST];
};

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t kind_of(uint32_t wait, uint32_t entry)
{
    return (wait + entry) % 3;
}

static uint32_t signal_of(uint32_t wait, uint32_t entry)
{
    return (wait * (7 - 2 * entry) + 3) % SIGNALS;
}

static bool is_over(const struct shop *s, uint32_t i)
{
    bool over = false;
    for (uint32_t j = 0; j < 2; j++) {
        uint32_t was = s->seen[2 * i + j], is = s->now[signal_of(s->select[i], j)], up = ~was & is & 1,
                 down = was & ~is & 1;
        const uint32_t hit[] = {was ^ is, up, down};
        over |= hit[kind_of(s->select[i], j)] != 0;
    }
    return over;
}

static bool make_data(struct shop *s, uint32_t n)
{
    uint64_t dice = s->r->seed;
    const uint64_t bytes[BUFS] = {n * 4, sizeof s->now, n * 8, n * 4, n * 16};
    for (uint32_t i = 0; i < SIGNALS; i++)
        s->now[i] = (uint32_t)lad_random(&dice) % 4;
    for (uint32_t i = 0; i < n; i++) {
        s->select[i] = i * 37 % n;
        for (uint32_t j = 0; j < 2; j++) {
            s->seen[2 * i + j] = (uint32_t)lad_random(&dice) % 4;
            s->waits[4 * i + 2 * j] = kind_of(i, j);
            s->waits[4 * i + 2 * j + 1] = signal_of(i, j);
        }
    }
    for (int i = 0; i < BUFS; i++)
        if (!(s->buf[i] = lad_gpu_buf(s->gpu, &(struct lad_buf_desc){.bytes = bytes[i]})))
            return false;
    return lad_gpu_upload(s->gpu, s->buf[0], 0, s->select, bytes[0]) &&
           lad_gpu_upload(s->gpu, s->buf[1], 0, s->now, bytes[1]) &&
           lad_gpu_upload(s->gpu, s->buf[4], 0, s->waits, bytes[4]);
}

static void free_data(struct shop *s)
{
    for (int i = 0; i < BUFS && !s->gpu->fail.timeout && !s->gpu->fail.lost; i++) {
        if (s->buf[i])
            lad_gpu_free(s->gpu, s->buf[i]);
        s->buf[i] = NULL;
    }
}

/* Builds, dispatches for the first time, and looks at what came out. */
static bool build_once(struct shop *s, const struct lad_kernel_source *source, uint32_t n, bool weigh, struct trial *t)
{
    struct lad_kernel_desc desc;
    struct lad_bind binds[BUFS];
    uint32_t got[MOST], scalars[3] = {n, 0, 1};
    uint64_t start;
    memset(&desc, 0, sizeof desc);
    memset(binds, 0, sizeof binds);
    desc.source = source;
    desc.local[0] = LOCAL;
    desc.local[1] = desc.local[2] = 1;
    for (int i = 0; i < BUFS; i++)
        binds[i].buf = s->buf[i];
    if (getrandom(desc.constant, 4, 0) != 4)
        desc.constant[0] = (uint32_t)lad_now_ns();
    memset(got, 0xAB, sizeof got);
    if (!lad_gpu_upload(s->gpu, s->buf[2], 0, s->seen, n * 8) || !lad_gpu_plant(s->gpu, s->buf[3], 0, got, n * 4))
        return false;
    uint64_t cpu = cpu_ns();
    start = lad_now_ns();
    struct lad_kernel *kernel = lad_gpu_kernel(s->gpu, &desc);
    t->build_ns = lad_now_ns() - start;
    struct lad_dispatch d = {.kernel = kernel, .groups = {n / LOCAL, 1, 1}, .binds = binds, .scalars = scalars};
    start = lad_now_ns();
    if (!kernel || !lad_gpu_dispatch(s->gpu, &d) || !lad_gpu_barrier(s->gpu) || !lad_gpu_wait(s->gpu))
        return false;
    t->first_ns = lad_now_ns() - start;
    t->cpu_ns = cpu_ns() - cpu;
    if (!lad_gpu_read(s->gpu, s->buf[3], 0, got, n * 4))
        return false;
    t->wrong = 0;
    for (uint32_t i = 0; i < n; i++)
        t->wrong += got[i] != desc.constant[0] + is_over(s, i);
    weigh = weigh && s->gpu->backend->kernel_bytes;
    t->bytes = weigh ? s->gpu->backend->kernel_bytes(s->gpu->dev, kernel) : 0;
    return true;
}

static void add_measure(struct shop *s, const char *name, const char *unit, double value, uint32_t n)
{
    *LAD_PUSH(s->arena, s->r->measures, s->r->n_measures) =
        (struct lad_measure){.name = name, .unit = unit, .clock = "host", .value = value, .size = n};
}

/* The first build in a process pays for more than itself. */
static bool warm_up(struct shop *s)
{
    struct trial unused;
    bool ok = make_data(s, LOCAL) && build_once(s, lad_kernel_find("vm-edges-table"), LOCAL, false, &unused);
    free_data(s);
    return ok;
}

/* The fastest of some builds, and of what *best holds already. */
static bool build(struct shop *s, const char *form, uint32_t n, uint64_t tries, struct trial *best)
{
    char name[32];
    if (!strcmp(form, "table"))
        snprintf(name, sizeof name, "vm-edges-table");
    else
        snprintf(name, sizeof name, "vm-edges-switch-%u", n);
    const struct lad_kernel_source *source = lad_kernel_find(name);
    bool ok = make_data(s, n);
    for (uint64_t i = 0; ok && i < tries; i++) {
        struct trial t;
        ok = build_once(s, source, n, i + 1 == tries, &t);
        uint64_t bytes = t.bytes;
        uint32_t wrong = t.wrong > best->wrong ? t.wrong : best->wrong;
        if (ok && best->cpu_ns && t.cpu_ns > best->cpu_ns)
            t = *best;
        t.bytes = bytes;
        t.wrong = wrong;
        *best = t;
        lad_gpu_trim(s->gpu);
    }
    free_data(s);
    return ok;
}

static void note(struct shop *s, const char *form, uint32_t n, const struct trial *best)
{
    add_measure(s, "build", "ms", (double)best->build_ns / 1e6, n);
    add_measure(s, "first-dispatch", "ms", (double)best->first_ns / 1e6, n);
    add_measure(s, "cpu", "ms", (double)best->cpu_ns / 1e6, n);
    if (best->bytes)
        add_measure(s, "binary", "KB", (double)best->bytes / 1e3, n);
    lad_record_fact(s->arena, s->r, best->wrong ? '!' : '+',
                    "%s of %u waits: built in %.1f ms, first dispatch %.1f ms%s", form, n, (double)best->build_ns / 1e6,
                    (double)best->first_ns / 1e6,
                    best->wrong ? lad_printf(s->arena, ", %u of %u results wrong", best->wrong, n) : ", results right");
    if (best->wrong && (n <= SURE || !strcmp(form, "table")))
        lad_record_set(s->arena, s->r, LAD_STATUS_FAIL, "ladder.mismatch", "%s of %u waits: %u results are wrong", form,
                       n, best->wrong);
}

static bool takes_longer(const struct trial *many, const struct trial *few)
{
    return many->cpu_ns >= NOTHING_NS && many->cpu_ns > 2 * few->cpu_ns;
}

static void judge_table(struct shop *s, const struct trial *few, const struct trial *many, uint64_t from, uint64_t to,
                        size_t rounds)
{
    if (many->cpu_ns < NOTHING_NS)
        lad_record_set(s->arena, s->r, LAD_STATUS_SKIP, NULL,
                       "the device compiles nothing: built and dispatched in %.3f ms of CPU",
                       (double)many->cpu_ns / 1e6);
    else if (takes_longer(many, few))
        lad_record_set(s->arena, s->r, LAD_STATUS_FAIL, "ladder.compile-time",
                       "the kernel takes %.1f ms of CPU for %u waits and %.1f ms for %u, although it is the same "
                       "text; the fastest builds of %zu rounds",
                       (double)few->cpu_ns / 1e6, (unsigned)from, (double)many->cpu_ns / 1e6, (unsigned)to, rounds);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct lad_vm_setup params = {.c = c, .arena = arena, .r = r};
    struct shop s = {.gpu = gpu, .arena = arena, .r = r};
    struct trial some[8] = {0}; /* of from, 4 from, 16 from ... waits */
    size_t n = 0, rounds = 1;
    uint64_t from = 16, to = 256, tries = 1;
    const char *form = lad_vm_param(&params, "form"), *cache = getenv("GPULADDER_CACHE");
    if (!lad_vm_param_number(&params, "from", MOST, &from) || !lad_vm_param_number(&params, "to", MOST, &to) ||
        !lad_vm_param_number(&params, "tries", 100, &tries))
        return;
    for (uint64_t waits = from; waits && waits <= to; waits *= 4)
        n++;
    if (!n || n > LAD_N(some)) {
        lad_record_set(arena, r, LAD_STATUS_FAIL, "ladder.case", "from %u to %u waits: expected 1 <= from <= to",
                       (unsigned)from, (unsigned)to);
        return;
    }
    bool table = !strcmp(form, "table");
    char *before = cache ? strdup(cache) : NULL;
    setenv("GPULADDER_CACHE", "", 1); /* nobody asks for these again, and saving them would be in the figures */
    bool ok = warm_up(&s);
    for (size_t i = 0; ok && i < n; i++)
        ok = build(&s, form, (uint32_t)from << 2 * i, tries, &some[i]);
    /* A busy machine now and then looks like that, a compiler always. */
    for (; ok && table && takes_longer(&some[n - 1], &some[0]) && rounds < ROUNDS; rounds++)
        for (size_t i = 0; ok && i < n; i += n - 1)
            ok = build(&s, form, (uint32_t)from << 2 * i, tries, &some[i]);
    if (before)
        setenv("GPULADDER_CACHE", before, 1);
    else
        unsetenv("GPULADDER_CACHE");
    free(before);
    for (size_t i = 0; ok && i < n; i++)
        note(&s, form, (uint32_t)from << 2 * i, &some[i]);
    if (!ok)
        lad_vm_api_failed(&params, gpu, "building");
    else if (table)
        judge_table(&s, &some[0], &some[n - 1], from, to, rounds);
    if (ok && r->status == LAD_STATUS_MISSING)
        r->status = LAD_STATUS_PASS;
}

const struct lad_probe lad_probe_compile = {
    .name = "compile",
    .summary = "how long a kernel takes to build that waits for edges by a switch, or by a table",
    .run = run,
};
