/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Vulkan backend on the first device that the loader shows (GPULADDER_TEST_DEVICE=n: another); exit status 77 when
 * it shows none. Where the Khronos validation layer is installed, everything runs once more in a process under it,
 * which must say nothing, except to mistakes that are made on purpose.
 */
#include "../../harness/harness.h"
#include "../../harness/test.h"
#include "../../kernels/witness.h"
#include "vk.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000u
#define MUST(what)                                                                                                     \
    do {                                                                                                               \
        bool must_ok = (what);                                                                                         \
        CU_ASSERT(must_ok);                                                                                            \
        if (!must_ok) {                                                                                                \
            printf("\n    %s:%d %s: %s %s %s\n", __FILE__, __LINE__, #what, fail.call, fail.code, fail.text);          \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* One failure, however many words are wrong. */
#define ALL(n, want)                                                                                                   \
    do {                                                                                                               \
        unsigned n_wrong = 0;                                                                                          \
        for (uint32_t i = 0; i < (n); i++)                                                                             \
            n_wrong += out[i] != (uint32_t)(want);                                                                     \
        CU_ASSERT_EQUAL(n_wrong, 0);                                                                                   \
    } while (0)

extern const struct lad_backend lad_backend_vulkan;
static const struct lad_backend *const vk = &lad_backend_vulkan;
static struct lad_dev_info infos[8];
static size_t n_infos, current;
static const struct lad_dev_info *info;
static struct lad_dev *dev;
static struct lad_fail fail;
static struct lad_buf *witness;
static uint32_t seen[LAD_W_WORDS];
static bool validated; /* this process runs under the layer */
static unsigned n_said;

/* ---- helpers -------------------------------------------------------------------------------------------------- */

static void hear_nothing(void)
{
    for (const char *text; (text = vk->message(dev)); n_said++)
        printf("\n    the layer says: %.600s\n", text);
}

static void close_device(void)
{
    vk->buf_destroy(dev, witness);
    vk->close(dev);
    hear_nothing();
    dev = NULL;
    witness = NULL;
}

static struct lad_buf *make(uint64_t bytes, enum lad_mem mem)
{
    return vk->buf_create(dev, &(struct lad_buf_desc){.bytes = bytes, .mem = mem}, &fail);
}

static bool open_device(void)
{
    static const uint32_t zeros[LAD_W_WORDS];
    dev = vk->open(current, &fail);
    witness = dev ? make(sizeof zeros, LAD_MEM_DEVICE) : NULL;
    return witness && vk->buf_write(dev, witness, 0, zeros, sizeof zeros, &fail);
}

static struct lad_kernel *build(const char *name, uint32_t x, uint32_t y, uint32_t z, uint32_t dynamic,
                                uint32_t constant)
{
    struct lad_kernel_desc desc = {.source = lad_kernel_find(name),
                                   .local = {x, y, z},
                                   .witness = 1,
                                   .dynamic_items = dynamic,
                                   .constant = {constant, 7}};
    return vk->kernel_create(dev, &desc, &fail);
}

/* One buffer, the usual witness, plain scalars of 32 bits ending in slot 0 and nonce 77. */
static bool run(struct lad_kernel *k, struct lad_buf *buf, uint32_t gx, uint32_t gy, uint32_t gz, const void *scalars,
                uint32_t queue)
{
    struct lad_bind bind = {.buf = buf};
    struct lad_dispatch d = {
        .kernel = k, .groups = {gx, gy, gz}, .binds = &bind, .witness = witness, .scalars = scalars, .queue = queue};
    return vk->dispatch(dev, &d, &fail);
}

static bool wait_and_read(struct lad_buf *buf, void *data, size_t bytes)
{
    return vk->wait(dev, 60ull * SECOND, &fail) && vk->buf_read(dev, buf, 0, data, bytes, &fail) &&
           vk->buf_read(dev, witness, 0, seen, sizeof seen, &fail);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- what is there -------------------------------------------------------------------------------------------- */

static void test_description(void)
{
    CU_ASSERT(*info->name && *info->driver && !strncmp(info->api, "Vulkan 1.", 9));
    CU_ASSERT_EQUAL(strlen(info->uuid), 32);
    CU_ASSERT(*info->model && strspn(info->model, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(info->model));
    CU_ASSERT(info->cap[LAD_CAP_STORAGE_BUFFERS] >= 4 && info->cap[LAD_CAP_SCALAR_BYTES] >= 128);
    CU_ASSERT(info->cap[LAD_CAP_LOCAL_BYTES] >= 16384 && info->cap[LAD_CAP_WORKGROUP_SIZE] >= 128);
    CU_ASSERT(info->cap[LAD_CAP_BUFFER_BYTES] >= 1u << 27 && info->cap[LAD_CAP_MEMORY_BYTES] > 0);
    CU_ASSERT(info->cap[LAD_CAP_MEM_COHERENT] && info->cap[LAD_CAP_QUEUES] >= 1);
    CU_ASSERT(!info->cap[LAD_CAP_MEM_SVM_FINE] && info->why[LAD_CAP_MEM_SVM_FINE]);
    CU_ASSERT_PTR_NULL(vk->open(n_infos, &fail));
    CU_ASSERT(fail.unsupported && *fail.text);
}

static void test_memory(void)
{
    enum { SMALL = 4096 + 20, LARGE = 40 << 20 }; /* not a multiple of anything; more than one staging copy */
    static const enum lad_cap caps[] = {
        [LAD_MEM_COHERENT] = LAD_CAP_MEM_COHERENT,     [LAD_MEM_NONCOHERENT] = LAD_CAP_MEM_NONCOHERENT,
        [LAD_MEM_MAPPED] = LAD_CAP_MEM_MAPPED,         [LAD_MEM_HOST_POINTER] = LAD_CAP_MEM_HOST_POINTER,
        [LAD_MEM_SVM_COARSE] = LAD_CAP_MEM_SVM_COARSE, [LAD_MEM_SVM_FINE] = LAD_CAP_MEM_SVM_FINE};
    unsigned char *in = malloc(LARGE), *out = malloc(LARGE), *host = aligned_alloc(4096, 8192), *map;
    MUST(open_device());
    for (int i = 0; i < LARGE; i++)
        in[i] = (unsigned char)(i * 7 + (i >> 8) + (i >> 16));
    for (int mem = 0; mem < LAD_MEM_COUNT; mem++) {
        struct lad_buf_desc desc = {.bytes = SMALL, .mem = (enum lad_mem)mem, .host = host};
        struct lad_buf *b = vk->buf_create(dev, &desc, &fail);
        if (mem != LAD_MEM_DEVICE && !info->cap[caps[mem]]) {
            CU_ASSERT(!b && fail.unsupported);
            continue;
        }
        MUST(b);
        MUST(vk->buf_write(dev, b, 0, in, SMALL, &fail) && vk->buf_write(dev, b, 33, in + 1, 4001, &fail));
        memset(out, 0, SMALL);
        MUST(vk->buf_read(dev, b, 3, out + 3, SMALL - 3, &fail));
        CU_ASSERT(!memcmp(out + 3, in + 3, 30) && !memcmp(out + 33, in + 1, 4001) &&
                  !memcmp(out + 4034, in + 4034, SMALL - 4034));
        if (mem == LAD_MEM_HOST_POINTER)
            CU_ASSERT(!memcmp(host + 33, in + 1, 4001));
        if (mem != LAD_MEM_DEVICE) {
            MUST((map = vk->map(dev, b, true, &fail)));
            CU_ASSERT(!memcmp(map + 33, in + 1, 4001));
            map[SMALL - 1] = 0xA5;
            MUST(vk->unmap(dev, b, &fail));
            MUST(vk->buf_read(dev, b, SMALL - 1, out, 1, &fail));
            CU_ASSERT_EQUAL(out[0], 0xA5);
        }
        vk->buf_destroy(dev, b);
    }
    struct lad_buf *large = make(LARGE, LAD_MEM_DEVICE);
    MUST(large && vk->buf_write(dev, large, 0, in, LARGE, &fail));
    MUST(vk->buf_read(dev, large, 0, out, LARGE, &fail));
    CU_ASSERT(!memcmp(in, out, LARGE));
    large->flags = 0; /* as if out of the host's reach: what a card's own memory is, and llvmpipe's never */
    MUST(vk->buf_write(dev, large, 5, in, LARGE - 5, &fail) && vk->buf_read(dev, large, 1, out, LARGE - 1, &fail));
    CU_ASSERT(!memcmp(out, in + 1, 4) && !memcmp(out + 4, in, LARGE - 5));
    vk->buf_destroy(dev, large);
    close_device();
    free(in);
    free(out);
    free(host);
}

static void test_fill_copy(void)
{
    uint32_t out[256], zeros[256] = {0};
    MUST(open_device());
    struct lad_buf *a = make(1024, LAD_MEM_DEVICE), *b = make(1024, LAD_MEM_COHERENT);
    MUST(a && b && vk->buf_write(dev, a, 0, zeros, 1024, &fail) && vk->buf_write(dev, b, 0, zeros, 1024, &fail));
    MUST(vk->fill(dev, a, 16, 64, 0xCAFEF00D, &fail) && vk->barrier(dev, &fail));
    MUST(vk->copy(dev, a, 12, b, 100, 72, &fail) && wait_and_read(b, out, 1024));
    ALL(256, i >= 26 && i < 42 ? 0xCAFEF00D : 0);
    vk->buf_destroy(dev, a);
    vk->buf_destroy(dev, b);
    close_device();
}

static void test_addresses(void)
{
    struct lad_buf *b[2];
    MUST(open_device());
    CU_ASSERT_EQUAL(vk->buf_address(dev, witness), 0); /* nobody asked for it */
    for (int i = 0; i < 2; i++) {
        b[i] = vk->buf_create(dev, &(struct lad_buf_desc){.bytes = 64, .address = true}, &fail);
        CU_ASSERT(info->cap[LAD_CAP_ADDRESS] ? b[i] != NULL : !b[i] && fail.unsupported);
    }
    if (b[0] && b[1])
        CU_ASSERT(vk->buf_address(dev, b[0]) && vk->buf_address(dev, b[1]) &&
                  vk->buf_address(dev, b[0]) != vk->buf_address(dev, b[1]));
    vk->buf_destroy(dev, b[0]);
    vk->buf_destroy(dev, b[1]);
    close_device();
}

/* ---- dispatch ------------------------------------------------------------------------------------------------- */

static void test_thread_id(void)
{
    static uint32_t out[1024];
    const uint32_t line[] = {1000, 1, 1, 0, 77}, block[] = {16, 7, 5, 0, 77};
    MUST(open_device());
    struct lad_kernel *k1 = build("thread-id", 64, 1, 1, 0, 3), *k3 = build("thread-id", 8, 2, 4, 0, 3);
    struct lad_buf *b = make(4096, LAD_MEM_DEVICE);
    MUST(k1 && k3 && b);
    MUST(vk->fill(dev, b, 0, 4096, ~0u, &fail) && vk->barrier(dev, &fail));
    MUST(run(k1, b, 16, 1, 1, line, 0) && wait_and_read(b, out, 4096));
    ALL(1024, i < 1000 ? i : ~0u);
    CU_ASSERT_EQUAL(seen[LAD_W_MAGIC], LAD_W_MAGIC_VALUE);
    CU_ASSERT_EQUAL(seen[LAD_W_BUILD], lad_kernel_find("thread-id")->nonce);
    CU_ASSERT_EQUAL(seen[LAD_W_DISPATCH], 77);
    CU_ASSERT(seen[LAD_W_COUNT] == 1024 && seen[LAD_W_GROUPS] == 16 && seen[LAD_W_BITMAP] == 0xFFFF);
    CU_ASSERT(seen[LAD_W_LOCAL] == 64 && seen[LAD_W_GRID] == 16 && seen[LAD_W_CONST] == 3 &&
              seen[LAD_W_CONST + 1] == 7);
    CU_ASSERT(!memcmp(&seen[LAD_W_SCALARS], line, sizeof line));
    MUST(vk->fill(dev, b, 0, 4096, ~0u, &fail) && vk->fill(dev, witness, 0, sizeof seen, 0, &fail) &&
         vk->barrier(dev, &fail));
    MUST(run(k3, b, 2, 4, 2, block, 0) && wait_and_read(b, out, 4096));
    ALL(1024, i < 16 * 7 * 5 ? i : ~0u);
    CU_ASSERT(seen[LAD_W_COUNT] == 1024 && seen[LAD_W_GROUPS] == 16 && seen[LAD_W_LOCAL + 2] == 4 &&
              seen[LAD_W_GRID + 1] == 4);
    vk->kernel_destroy(dev, k1);
    vk->kernel_destroy(dev, k3);
    vk->buf_destroy(dev, b);
    close_device();
}

static void test_base_indirect_empty(void)
{
    uint32_t out[512], counts[] = {0xFFFFFFFF, 2, 1, 1};
    const uint32_t scalars[] = {512, 1, 1, 0, 77};
    MUST(open_device());
    struct lad_kernel *k = build("thread-id", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(2048, LAD_MEM_DEVICE), *grid = make(16, LAD_MEM_DEVICE),
                   *from = make(16, LAD_MEM_COHERENT);
    MUST(k && b && grid && from && vk->buf_write(dev, from, 0, counts, 16, &fail));
    struct lad_bind bind = {.buf = b};
    struct lad_dispatch d = {
        .kernel = k, .groups = {3, 1, 1}, .base = {2, 0, 0}, .binds = &bind, .witness = witness, .scalars = scalars};
    MUST(vk->fill(dev, b, 0, 2048, ~0u, &fail) && vk->barrier(dev, &fail) && vk->dispatch(dev, &d, &fail));
    MUST(vk->barrier(dev, &fail) && run(k, b, 0, 1, 1, scalars, 0)); /* nothing to do, and no error */
    MUST(wait_and_read(b, out, 2048));
    ALL(512, i >= 128 && i < 320 ? i : ~0u);
    CU_ASSERT_EQUAL(seen[LAD_W_BITMAP], 0x1C);
    /* The counts are written by the batch itself: the barrier has to hold for them too. */
    d = (struct lad_dispatch){
        .kernel = k, .binds = &bind, .witness = NULL, .scalars = scalars, .indirect = grid, .indirect_offset = 4};
    MUST(vk->copy(dev, from, 0, grid, 0, 16, &fail) && vk->fill(dev, b, 0, 2048, ~0u, &fail) &&
         vk->barrier(dev, &fail));
    vk->kernel_destroy(dev, k);
    struct lad_kernel_desc desc = {.source = lad_kernel_find("thread-id"), .local = {64, 1, 1}}; /* without witness */
    MUST((d.kernel = k = vk->kernel_create(dev, &desc, &fail)) && vk->dispatch(dev, &d, &fail) &&
         wait_and_read(b, out, 2048));
    ALL(512, i < 128 ? i : ~0u);
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    vk->buf_destroy(dev, grid);
    vk->buf_destroy(dev, from);
    close_device();
}

static void test_scalars(void)
{
    struct {
        uint32_t a;
        uint64_t b;
        float c;
        int64_t d;
        int32_t e;
        uint32_t slot, nonce;
    } args = {0x01020304, 0x1122334455667788, 1.5f, -2, -3, 0, 77};
    const uint32_t want[] = {0x01020304, 0x55667788, 0x11223344, 0x3FC00000, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD};
    uint32_t out[7];
    if (!info->cap[LAD_CAP_INT64]) {
        printf("skipped: %s\n", info->why[LAD_CAP_INT64]);
        return;
    }
    MUST(open_device());
    struct lad_kernel *k = build("scalars-echo", 1, 1, 1, 0, 0);
    struct lad_buf *b = make(sizeof out, LAD_MEM_DEVICE);
    MUST(k && b && run(k, b, 1, 1, 1, &args, 0) && wait_and_read(b, out, sizeof out));
    CU_ASSERT(!memcmp(out, want, sizeof want));
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    close_device();
}

static void test_reduction(void)
{
    uint32_t in[1000], out[4], sum[4] = {0}, scalars[] = {1000, 0, 77};
    MUST(open_device());
    struct lad_kernel *k = build("reduction-dynamic", 256, 1, 1, 256, 0);
    struct lad_buf *a = make(sizeof in, LAD_MEM_DEVICE), *b = make(sizeof out, LAD_MEM_DEVICE);
    for (uint32_t i = 0; i < 1000; i++)
        sum[i / 256] += in[i] = i * 2654435761u >> 8;
    MUST(k && a && b && vk->buf_write(dev, a, 0, in, sizeof in, &fail));
    struct lad_bind binds[] = {{.buf = a}, {.buf = b}};
    struct lad_dispatch d = {.kernel = k, .groups = {4, 1, 1}, .binds = binds, .witness = witness, .scalars = scalars};
    MUST(vk->dispatch(dev, &d, &fail) && wait_and_read(b, out, sizeof out));
    CU_ASSERT(!memcmp(out, sum, sizeof sum));
    CU_ASSERT_EQUAL(seen[LAD_W_DYNAMIC], 256);
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, a);
    vk->buf_destroy(dev, b);
    close_device();
}

static void test_refusals(void)
{
    const uint32_t scalars[] = {64, 1, 1, 0, 77};
    MUST(open_device());
    struct lad_kernel *k = build("thread-id", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(256, LAD_MEM_DEVICE);
    MUST(k && b);
    if (info->cap[LAD_CAP_GROUPS_Y] < UINT32_MAX)
        CU_ASSERT(!run(k, b, 1, (uint32_t)info->cap[LAD_CAP_GROUPS_Y] + 1, 1, scalars, 0) && fail.unsupported);
    CU_ASSERT(!build("thread-id", (uint32_t)info->cap[LAD_CAP_WORKGROUP_X] + 1, 1, 1, 0, 0) && fail.unsupported);
    CU_ASSERT(!build("thread-id", (uint32_t)info->cap[LAD_CAP_WORKGROUP_SIZE], 2, 1, 0, 0) && fail.unsupported);
    CU_ASSERT(!build("reduction-dynamic", 64, 1, 1, (uint32_t)info->cap[LAD_CAP_LOCAL_BYTES] / 4 + 1, 0) &&
              fail.unsupported);
    CU_ASSERT(!make(dev->phys->max_allocation + 1, LAD_MEM_DEVICE) && fail.unsupported);
    if (dev->phys->limits.maxStorageBufferRange < dev->phys->max_allocation) {
        struct lad_buf *large = make((uint64_t)dev->phys->limits.maxStorageBufferRange + 4, LAD_MEM_DEVICE);
        MUST(large);
        CU_ASSERT(!run(k, large, 1, 1, 1, scalars, 0) && fail.unsupported);
        vk->buf_destroy(dev, large);
    }
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->wait(dev, 60ull * SECOND, &fail)); /* none of it did harm */
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    close_device();
}

/* ---- batches, queues, time ------------------------------------------------------------------------------------ */

/* More descriptor sets than a pool has, in one batch in which every step needs the one before. */
static void test_chain(void)
{
    enum { N = 1000 };
    uint32_t out[64], zeros[64] = {0}, scalars[] = {64, 0, 77};
    MUST(open_device());
    struct lad_kernel *k = build("increment", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(256, LAD_MEM_DEVICE);
    MUST(k && b && vk->buf_write(dev, b, 0, zeros, 256, &fail));
    for (int round = 0; round < 2; round++) {
        double start = now_us(), recorded;
        for (int i = 0; i < N; i++)
            MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->barrier(dev, &fail));
        recorded = now_us();
        MUST(wait_and_read(b, out, sizeof out));
        printf("%s%.1f us to record a dispatch, %.1f us in all", round ? "; then " : "", (recorded - start) / N,
               (now_us() - start) / N);
        ALL(64, N * (round + 1));
    }
    putchar(' ');
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    close_device();
}

/* Where the family has one queue, both names mean it: the semaphores are real all the same. */
static void test_queues(void)
{
    uint32_t out[64], zeros[64] = {0}, scalars[] = {64, 0, 77};
    MUST(open_device());
    struct lad_kernel *k = build("increment", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(256, LAD_MEM_DEVICE), *c = make(256, LAD_MEM_DEVICE);
    MUST(k && b && c && vk->buf_write(dev, b, 0, zeros, 256, &fail) && vk->buf_write(dev, c, 0, zeros, 256, &fail));
    for (uint32_t i = 0; i < 40; i++) {
        MUST(run(k, b, 1, 1, 1, scalars, i % 3 == 1) && vk->barrier(dev, &fail));
        if (i % 8 == 5)
            MUST(vk->submit(dev, &fail));
    }
    MUST(wait_and_read(b, out, sizeof out));
    ALL(64, 40);
    /* Queue 0 goes on after the barrier; queue 1 must wait for what came before it nevertheless. */
    struct lad_buf *first = witness,
                   *second = make(sizeof seen, LAD_MEM_DEVICE); /* one for each that may run beside the other */
    MUST(second && run(k, b, 1, 1, 1, scalars, 0) && vk->barrier(dev, &fail) && run(k, c, 1, 1, 1, scalars, 0));
    witness = second;
    MUST(run(k, b, 1, 1, 1, scalars, 1));
    CU_ASSERT(dev->open[1] && dev->open[1]->n_wait == 1 && dev->closed && dev->closed->n_signal == 1);
    MUST(vk->wait(dev, 60ull * SECOND, &fail) && vk->buf_read(dev, b, 0, out, sizeof out, &fail));
    CU_ASSERT_EQUAL(out[63], 42);
    /* Without a barrier nothing is waited for. */
    MUST(run(k, b, 1, 1, 1, scalars, 0));
    witness = first;
    MUST(run(k, c, 1, 1, 1, scalars, 1));
    CU_ASSERT(dev->open[1] && dev->open[1]->n_wait == 0 && dev->open[0] && dev->open[0]->n_signal == 0);
    MUST(vk->wait(dev, 60ull * SECOND, &fail));
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    vk->buf_destroy(dev, c);
    vk->buf_destroy(dev, second);
    close_device();
}

static void test_submit(void)
{
    uint32_t out[64], zeros[64] = {0}, scalars[] = {64, 0, 77};
    bool complete = true;
    MUST(open_device());
    struct lad_kernel *k = build("increment", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(256, LAD_MEM_DEVICE);
    MUST(k && b && vk->buf_write(dev, b, 0, zeros, 256, &fail));
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->done(dev, &complete, &fail));
    CU_ASSERT_FALSE(complete); /* recorded only */
    MUST(vk->submit(dev, &fail));
    for (double end = now_us() + 60e6; !complete && now_us() < end;)
        MUST(vk->done(dev, &complete, &fail));
    CU_ASSERT_TRUE(complete);
    MUST(vk->barrier(dev, &fail) && run(k, b, 1, 1, 1, scalars, 0) && vk->finish(dev, &fail));
    MUST(vk->done(dev, &complete, &fail));
    CU_ASSERT_TRUE(complete);
    MUST(wait_and_read(b, out, sizeof out));
    CU_ASSERT_EQUAL(out[63], 2);
    /* close copes with what is recorded and waits for what is in flight */
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->submit(dev, &fail) && run(k, b, 0, 1, 1, scalars, 0));
    CU_ASSERT(dev->flying && dev->open[0] && lad_vk_quiet(dev, 60ull * SECOND));
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    close_device();
}

static void test_times(void)
{
    enum { N = 1 << 20 };
    uint32_t scalars[] = {N, 1, 1, 0, 77}, word;
    struct lad_times t, again;
    MUST(open_device());
    struct lad_kernel *k = build("thread-id", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(N * 4ull, LAD_MEM_DEVICE);
    MUST(k && b && vk->wait(dev, SECOND, &fail) && vk->times(dev, &t));
    CU_ASSERT(!t.device_ns && !t.n_raw); /* nothing was recorded */
    for (int i = 0; i < 3; i++) {        /* the first may compile */
        MUST(run(k, b, N / 64, 1, 1, scalars, 0) && vk->wait(dev, 60ull * SECOND, &fail) && vk->times(dev, &t));
        CU_ASSERT(t.host_ns > 0 && t.host_ns < 60ull * SECOND);
        if (!info->cap[LAD_CAP_TIMESTAMPS])
            continue;
        CU_ASSERT(t.n_raw == 2 && t.raw[1] > t.raw[0]);
        CU_ASSERT(t.device_ns > 0 && t.device_ns <= t.host_ns + t.host_ns / 10 + 50000);
    }
    printf("%.1f us by the device, %.1f us by the host ", (double)t.device_ns / 1e3, (double)t.host_ns / 1e3);
    MUST(vk->buf_read(dev, b, 4 * (N - 1), &word, 4, &fail) && vk->times(dev, &again));
    CU_ASSERT(word == N - 1 && !memcmp(&t, &again, sizeof t));
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    close_device();
}

/* The device is abandoned with work in flight, which ends by itself at some time; kept for leak checkers to see. */
static void test_deadline(void)
{
    static struct lad_dev *abandoned;
    static struct lad_kernel *k;
    static struct lad_buf *b[2];
    uint32_t zeros[1024] = {0}, scalars[] = {60000, 0, 77}, word;
    MUST(open_device());
    MUST((k = build("spin", 64, 1, 1, 0, 0)) && (b[0] = make(4096, LAD_MEM_DEVICE)) &&
         (b[1] = make(4096, LAD_MEM_DEVICE)));
    MUST(vk->buf_write(dev, b[0], 0, zeros, sizeof zeros, &fail));
    struct lad_bind binds[] = {{.buf = b[0]}, {.buf = b[1]}};
    struct lad_dispatch d = {
        .kernel = k, .groups = {4000, 1, 1}, .binds = binds, .witness = witness, .scalars = scalars};
    MUST(vk->dispatch(dev, &d, &fail));
    double start = now_us();
    CU_ASSERT(!vk->wait(dev, 20000000, &fail) && fail.timeout && !fail.lost);
    CU_ASSERT_STRING_EQUAL(fail.code, "VK_TIMEOUT");
    CU_ASSERT(now_us() - start < 2e6);
    CU_ASSERT(!vk->buf_read(dev, b[1], 0, &word, 4, &fail) && !vk->dispatch(dev, &d, &fail) &&
              !vk->wait(dev, SECOND, &fail));
    start = now_us();
    abandoned = dev;
    vk->buf_destroy(dev, b[0]);
    vk->kernel_destroy(dev, k);
    close_device();
    CU_ASSERT(abandoned && now_us() - start < 1e6);
}

/* What one more kernel costs, from its SPIR-V to the result on the host. */
static void test_kernels(void)
{
    enum { N = 100, ITEMS = 64 };
    uint32_t out[8 * ITEMS], scalars[] = {ITEMS, 0, 77};
    double start = now_us();
    MUST(open_device());
    printf("%.1f ms to open; ", (now_us() - start) / 1e3);
    struct lad_buf *b = make(sizeof out, LAD_MEM_DEVICE);
    MUST(b);
    start = now_us();
    for (uint32_t i = 0; i < N; i++) {
        struct lad_kernel *k = build("constants", 64, 1, 1, 0, i + 1);
        MUST(k && run(k, b, 1, 1, 1, scalars, 0) && wait_and_read(b, out, sizeof out));
        CU_ASSERT(out[0] == i + 1 && out[1] == 7 && out[8 * 63 + 5] == (i + 1) * 64 + 7);
        vk->kernel_destroy(dev, k);
    }
    printf("%.2f ms a kernel ", (now_us() - start) / 1e3 / N);
    vk->buf_destroy(dev, b);
    close_device();
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

static void say(const char *id, const char *text)
{
    VkDebugUtilsMessengerCallbackDataEXT data = {.pMessageIdName = id, .pMessage = text};
    lad_vk_messenger.pfnUserCallback(VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT, 0, &data, NULL);
}

static void test_messages(void)
{
    const char *text;
    hear_nothing();
    say("ID", "handle = 0x55d0c8A, also 0xy and 12");
    say(NULL, "ends in 0x1f");
    CU_ASSERT((text = vk->message(NULL)) && !strcmp(text, "ID: handle = 0x, also 0xy and 12"));
    CU_ASSERT((text = vk->message(NULL)) && !strcmp(text, "ends in 0x"));
    CU_ASSERT_PTR_NULL(vk->message(NULL));
    for (int i = 0; i < 100; i++)
        say("ID", "ID again");
    for (int i = 0; i < 64; i++)
        CU_ASSERT((text = vk->message(NULL)) && !strcmp(text, "ID again"));
    CU_ASSERT((text = vk->message(NULL)) && !strcmp(text, "and 36 messages more"));
    CU_ASSERT_PTR_NULL(vk->message(NULL));
}

static bool hears(const char *part)
{
    bool found = false;
    for (const char *text; (text = vk->message(dev));)
        found |= strstr(text, part) != NULL;
    return found;
}

/* Only under the layer: without these two, its silence would mean nothing. */
static void test_layer(void)
{
    uint32_t scalars[] = {64, 0, 77};
    if (!validated)
        return;
    CU_ASSERT_EQUAL(n_said, 0);
    MUST(open_device());
    struct lad_kernel *k = build("increment", 64, 1, 1, 0, 0);
    struct lad_buf *b = make(256, LAD_MEM_DEVICE);
    /* From one dispatch to the next in a batch it takes writes for disjoint, so that a fill has to serve. */
    MUST(k && b && vk->fill(dev, b, 0, 256, 0, &fail) && run(k, b, 1, 1, 1, scalars, 0) &&
         vk->wait(dev, 60ull * SECOND, &fail));
    CU_ASSERT(hears("SYNC-HAZARD-"));
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->submit(dev, &fail));
    CU_ASSERT_FALSE(hears(""));
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->wait(dev, 60ull * SECOND, &fail));
    CU_ASSERT(hears("SYNC-HAZARD-"));
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->barrier(dev, &fail) && vk->submit(dev, &fail));
    MUST(run(k, b, 1, 1, 1, scalars, 0) && vk->wait(dev, 60ull * SECOND, &fail));
    CU_ASSERT_FALSE(hears(""));
    vk->kernel_destroy(dev, k);
    vk->buf_destroy(dev, b);
    close_device();
}

/* This program again, in an environment that loads the layer; its output only when something is wrong. */
static void test_validation(void)
{
    static const char layers[] = "VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation";
    static const char enables[] = "VK_LAYER_ENABLES=VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT:"
                                  "VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT";
    static const char *const added[] = {layers, enables, "GPULADDER_TEST_VALIDATED=1"};
    extern char **environ;
    char *envp[1024], *argv[] = {"vulkan_test", NULL}, line[4096];
    size_t n = 0;
    int status = -1, out = fileno(tmpfile());
    pid_t pid, ended = 0;
    if (validated || access("/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json", R_OK)) {
        fputs(validated ? "" : "skipped: the validation layer is not installed ", stdout);
        return;
    }
    for (char **e = environ; *e && n < 1000; e++)
        if (strncmp(*e, "VK_INSTANCE_LAYERS=", 19) && strncmp(*e, "VK_LAYER_ENABLES=", 17))
            envp[n++] = *e;
    for (size_t i = 0; i < LAD_N(added); i++)
        envp[n++] = (char *)(uintptr_t)added[i];
    envp[n] = NULL;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, out, 2);
    CU_ASSERT_EQUAL_FATAL(posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, envp), 0);
    posix_spawn_file_actions_destroy(&files);
    for (double end = now_us() + 60e6; !ended && now_us() < end; usleep(5000))
        ended = waitpid(pid, &status, WNOHANG);
    if (!ended)
        kill(pid, SIGKILL);
    CU_ASSERT(ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (ended && !status)
        return;
    lseek(out, 0, SEEK_SET);
    for (ssize_t got; (got = read(out, line, sizeof line)) > 0;)
        fwrite(line, 1, (size_t)got, stdout);
}

int main(void)
{
    static const struct lad_test tests[] = {{"description", test_description},
                                            {"every kind of memory", test_memory},
                                            {"fill and copy", test_fill_copy},
                                            {"addresses", test_addresses},
                                            {"thread ids", test_thread_id},
                                            {"base, indirect and empty grids", test_base_indirect_empty},
                                            {"scalars", test_scalars},
                                            {"reduction", test_reduction},
                                            {"refusals", test_refusals},
                                            {"chain", test_chain},
                                            {"queues", test_queues},
                                            {"submit, done, finish", test_submit},
                                            {"times", test_times},
                                            {"100 kernels", test_kernels},
                                            {"messages", test_messages},
                                            {"mistakes are heard", test_layer},
                                            {"validation is silent", test_validation},
                                            {"deadline", test_deadline}, /* last: its work goes on */
                                            {NULL, NULL}};
    const char *want = getenv("GPULADDER_TEST_DEVICE");
    double start = now_us();
    bool ok = vk->enumerate(infos, LAD_N(infos), &n_infos, &fail);
    printf("%.1f ms to enumerate\n", (now_us() - start) / 1e3);
    current = want ? (size_t)atoi(want) : 0;
    if (!ok || current >= n_infos) {
        printf("skipped: no Vulkan device: %s %s %s\n0 passed, 0 failed\n", fail.call, fail.code, fail.text);
        return 77;
    }
    info = &infos[current];
    validated = getenv("GPULADDER_TEST_VALIDATED") != NULL;
    printf("%s, %s, %s\n", info->name, info->driver, info->api);
    int status = lad_test_main("vulkan", tests) || n_said;
    fflush(stdout);
    _exit(status); /* no destructor may wait for the work that the last test left behind */
}
