/* SPDX-License-Identifier: Apache-2.0 */
/* The host device by its public contract alone: order, barriers, grids, deadlines, and what it refuses. */
#include "../harness/harness.h"
#include "../harness/test.h"
#include "../kernels/host.h"
#include "../kernels/witness.h"
#include <string.h>

static const struct lad_backend *host;
static struct lad_dev *dev;
static struct lad_buf *witness, *data;
static struct lad_fail fail;

static void start(void)
{
    struct lad_buf_desc desc = {.bytes = 65536};
    memset(&fail, 0, sizeof fail);
    host = lad_backend_find("host");
    dev = host->open(0, &fail);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dev);
    witness = host->buf_create(dev, &desc, &fail);
    data = host->buf_create(dev, &desc, &fail);
    CU_ASSERT_PTR_NOT_NULL_FATAL(witness);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
}

static void stop(void)
{
    host->buf_destroy(dev, witness);
    host->buf_destroy(dev, data);
    host->buf_destroy(dev, NULL);
    host->close(dev);
    host->close(NULL);
}

/* A kernel of the test's own: one buffer, no scalars but the harness's. */
static struct lad_kernel *make(void (*body)(void *const *, const void *), bool barriers, uint32_t x, uint32_t y)
{
    static struct lad_kernel_source source;
    static const struct lad_buffer_decl buf = {"data", "uint"};
    source = (struct lad_kernel_source){.name = "test",
                                        .needs = "",
                                        .host = body,
                                        .host_barriers = barriers,
                                        .bufs = &buf,
                                        .n_bufs = 1,
                                        .scalar_bytes = 8};
    struct lad_kernel_desc desc = {.source = &source, .local = {x, y, 1}};
    return host->kernel_create(dev, &desc, &fail);
}

static bool launch(struct lad_kernel *kernel, uint32_t x, uint32_t y, uint32_t base)
{
    struct lad_bind bind = {.buf = data};
    uint32_t scalars[2] = {0, 1};
    struct lad_dispatch d = {.kernel = kernel,
                             .groups = {x, y, 1},
                             .base = {base, 0, 0},
                             .binds = &bind,
                             .witness = witness,
                             .scalars = scalars};
    return host->dispatch(dev, &d, &fail);
}

static void read_words(uint32_t *words, size_t n)
{
    CU_ASSERT(host->buf_read(dev, data, 0, words, n * 4, &fail));
}

static void store_ids(void *const *bufs, const void *scalars)
{
    uint32_t *out = bufs[0], i = lad_item.gid[1] * lad_item.lsz[0] * lad_item.ngrp[0] + lad_item.gid[0];
    (void)scalars;
    out[i] = lad_item.grp[0] * 1000 + lad_item.lid[1] * 100 + lad_item.lid[0];
}

static void test_ids(void)
{
    uint32_t words[64];
    start();
    struct lad_kernel *kernel = make(store_ids, false, 4, 2);
    CU_ASSERT(launch(kernel, 3, 2, 0) && host->wait(dev, UINT64_MAX, &fail));
    read_words(words, 48);
    for (uint32_t i = 0; i < 48; i++)
        CU_ASSERT_EQUAL(words[i], i % 12 / 4 * 1000 + i / 12 % 2 * 100 + i % 12 % 4);
    memset(words, 0, sizeof words);
    host->buf_write(dev, data, 0, words, sizeof words, &fail);
    CU_ASSERT(launch(kernel, 1, 1, 2) && host->wait(dev, UINT64_MAX, &fail));
    read_words(words, 16);
    CU_ASSERT_EQUAL(words[7], 0);
    CU_ASSERT_EQUAL(words[8], 2000);
    host->kernel_destroy(dev, kernel);
    stop();
}

/* Each lane hands a word on, 50 times; wrong at once when a barrier lets anybody through early. */
static void pass_on(void *const *bufs, const void *scalars)
{
    static uint32_t ring[1024];
    uint32_t *out = bufs[0], l = lad_item.lid[0], n = lad_item.lsz[0], v = l;
    (void)scalars;
    for (int r = 0; r < 50; r++) {
        ring[l] = v;
        lad_host_barrier();
        v = ring[(l + 1) % n] + 1;
        lad_host_barrier();
    }
    out[lad_item.gid[0]] = v;
}

static void test_barriers(void)
{
    static const uint32_t sizes[] = {1, 2, 64, 1024};
    static uint32_t words[2048];
    start();
    for (size_t k = 0; k < LAD_N(sizes); k++) {
        uint32_t n = sizes[k];
        struct lad_kernel *kernel = make(pass_on, true, n, 1);
        CU_ASSERT(launch(kernel, 2, 1, 0) && host->wait(dev, UINT64_MAX, &fail));
        read_words(words, 2 * n);
        for (uint32_t i = 0; i < 2 * n; i++)
            CU_ASSERT_EQUAL_FATAL(words[i], (i + 50) % n + 50);
        host->kernel_destroy(dev, kernel);
    }
    stop();
}

static void leave_early(void *const *bufs, const void *scalars)
{
    (void)bufs, (void)scalars;
    if (lad_item.lid[0] < 3)
        lad_host_barrier();
}

static void test_divergence(void)
{
    start();
    struct lad_kernel *kernel = make(leave_early, true, 8, 1);
    CU_ASSERT(launch(kernel, 1, 1, 0));
    CU_ASSERT(!host->wait(dev, UINT64_MAX, &fail));
    CU_ASSERT_STRING_EQUAL(fail.code, "EDEADLK");
    CU_ASSERT(launch(kernel, 0, 1, 0) && host->wait(dev, UINT64_MAX, &fail)); /* it goes on afterwards */
    host->kernel_destroy(dev, kernel);
    stop();
}

static void waste_time(void *const *bufs, const void *scalars)
{
    volatile uint32_t *out = bufs[0];
    (void)scalars;
    for (int i = 0; i < 1000; i++)
        out[0] += 1;
}

static void test_deadline(void)
{
    start();
    struct lad_kernel *kernel = make(waste_time, false, 64, 1);
    uint64_t began = lad_now_ns();
    CU_ASSERT(launch(kernel, 1u << 30, 1, 0));
    CU_ASSERT(!host->wait(dev, 20000000, &fail));
    CU_ASSERT(fail.timeout);
    CU_ASSERT(lad_now_ns() - began < 5000000000u);
    host->kernel_destroy(dev, kernel);
    stop();
}

static void add_one(void *const *bufs, const void *scalars)
{
    (void)scalars;
    ((uint32_t *)bufs[0])[lad_item.gid[0]] += 1;
}

static void test_order(void)
{
    uint32_t words[8];
    bool complete = true;
    start();
    struct lad_kernel *kernel = make(add_one, false, 4, 1);
    CU_ASSERT(host->fill(dev, data, 0, 16, 5, &fail));
    CU_ASSERT(launch(kernel, 1, 1, 0));
    CU_ASSERT(host->copy(dev, data, 0, data, 16, 16, &fail));
    CU_ASSERT(host->barrier(dev, &fail));
    CU_ASSERT(launch(kernel, 1, 1, 0));
    CU_ASSERT(host->submit(dev, &fail));
    CU_ASSERT(host->done(dev, &complete, &fail) && !complete); /* one of four commands */
    CU_ASSERT(host->finish(dev, &fail));
    CU_ASSERT(host->done(dev, &complete, &fail) && complete);
    read_words(words, 8);
    CU_ASSERT_EQUAL(words[3], 7);
    CU_ASSERT_EQUAL(words[4], 6);
    host->kernel_destroy(dev, kernel);
    stop();
}

static void test_indirect(void)
{
    uint32_t words[64], grid[4] = {99, 2, 1, 1}, scalars[2] = {0, 1};
    start();
    struct lad_kernel *kernel = make(add_one, false, 4, 1);
    struct lad_bind bind = {.buf = data};
    struct lad_dispatch d = {.kernel = kernel,
                             .binds = &bind,
                             .witness = witness,
                             .scalars = scalars,
                             .indirect = data,
                             .indirect_offset = 1028};
    CU_ASSERT(host->fill(dev, data, 0, 1024, 0, &fail) && host->wait(dev, UINT64_MAX, &fail));
    CU_ASSERT(host->buf_write(dev, data, 1024, grid, sizeof grid, &fail));
    CU_ASSERT(host->dispatch(dev, &d, &fail) && host->wait(dev, UINT64_MAX, &fail));
    read_words(words, 64);
    CU_ASSERT_EQUAL(words[7], 1);
    CU_ASSERT_EQUAL(words[8], 0);
    host->kernel_destroy(dev, kernel);
    stop();
}

static void test_memory(void)
{
    static _Alignas(4096) char mine[4096];
    start();
    for (int mem = 0; mem < LAD_MEM_COUNT; mem++) {
        struct lad_buf_desc desc = {.bytes = 100, .mem = (enum lad_mem)mem, .host = mine};
        bool refused = mem == LAD_MEM_NONCOHERENT || mem == LAD_MEM_SVM_COARSE || mem == LAD_MEM_SVM_FINE;
        memset(&fail, 0, sizeof fail);
        struct lad_buf *buf = host->buf_create(dev, &desc, &fail);
        CU_ASSERT_EQUAL(buf == NULL, refused);
        CU_ASSERT_EQUAL(fail.unsupported, refused);
        if (!buf)
            continue;
        char *at = host->map(dev, buf, true, &fail), byte = 1;
        CU_ASSERT_EQUAL(host->buf_address(dev, buf), (uint64_t)(uintptr_t)at);
        CU_ASSERT_EQUAL(at == mine, mem == LAD_MEM_HOST_POINTER);
        CU_ASSERT(mem == LAD_MEM_HOST_POINTER || at[99] != 0); /* new memory is never zero */
        at[99] = 77;
        CU_ASSERT(host->unmap(dev, buf, &fail));
        CU_ASSERT(host->buf_read(dev, buf, 99, &byte, 1, &fail) && byte == 77);
        host->buf_destroy(dev, buf);
    }
    CU_ASSERT_EQUAL(mine[99], 77);
    stop();
}

static void test_refused(void)
{
    start();
    CU_ASSERT_PTR_NULL(make(NULL, false, 1, 1));
    CU_ASSERT(fail.unsupported);
    CU_ASSERT_PTR_NULL(make(add_one, false, 2048, 1));
    CU_ASSERT_STRING_EQUAL(fail.code, "E2BIG");
    CU_ASSERT_PTR_NULL(host->open(1, &fail));
    stop();
}

/* A kernel of the program: its results, its witness, its dynamic local array. */
static void test_real_kernel(void)
{
    static uint32_t src[1000], sums[8], w[LAD_W_WORDS];
    uint32_t scalars[3] = {1000, 0, 4711};
    start();
    for (uint32_t i = 0; i < 1000; i++)
        src[i] = i;
    struct lad_kernel_desc desc = {
        .source = lad_kernel_find("reduction-dynamic"), .local = {128, 1, 1}, .witness = 1, .dynamic_items = 128};
    CU_ASSERT_PTR_NOT_NULL_FATAL(desc.source);
    CU_ASSERT_EQUAL(desc.source->scalar_bytes, sizeof scalars);
    struct lad_kernel *kernel = host->kernel_create(dev, &desc, &fail);
    struct lad_bind binds[2] = {{data, 0, 4000}, {data, 8192, 32}};
    struct lad_dispatch d = {
        .kernel = kernel, .groups = {8, 1, 1}, .binds = binds, .witness = witness, .scalars = scalars};
    host->buf_write(dev, data, 0, src, sizeof src, &fail);
    host->buf_write(dev, witness, 0, w, sizeof w, &fail);
    CU_ASSERT(host->dispatch(dev, &d, &fail) && host->wait(dev, UINT64_MAX, &fail));
    host->buf_read(dev, data, 8192, sums, sizeof sums, &fail);
    host->buf_read(dev, witness, 0, w, sizeof w, &fail);
    CU_ASSERT_EQUAL(sums[0], 127 * 128 / 2);
    CU_ASSERT_EQUAL(sums[7], (896 + 999) * 104 / 2);
    CU_ASSERT_EQUAL(w[LAD_W_MAGIC], LAD_W_MAGIC_VALUE);
    CU_ASSERT_EQUAL(w[LAD_W_BUILD], desc.source->nonce);
    CU_ASSERT_EQUAL(w[LAD_W_DISPATCH], 4711);
    CU_ASSERT_EQUAL(w[LAD_W_COUNT], 1024);
    CU_ASSERT_EQUAL(w[LAD_W_GROUPS], 8);
    CU_ASSERT_EQUAL(w[LAD_W_BITMAP], 0xFF);
    CU_ASSERT_EQUAL(w[LAD_W_DYNAMIC], 128);
    CU_ASSERT_EQUAL(w[LAD_W_SCALARS], 1000);
    host->kernel_destroy(dev, kernel);
    desc.dynamic_items = LAD_HOST_DYNAMIC_BYTES;
    CU_ASSERT_PTR_NULL(host->kernel_create(dev, &desc, &fail));
    stop();
}

static void test_devices(void)
{
    struct lad_dev_info info;
    size_t n = 0;
    start();
    CU_ASSERT(host->enumerate(NULL, 0, &n, &fail) && n == 1);
    CU_ASSERT(host->enumerate(&info, 1, &n, &fail) && n == 1);
    CU_ASSERT_STRING_EQUAL(info.model, "host");
    CU_ASSERT_EQUAL(info.type, LAD_DEV_CPU);
    for (int c = 0; c < LAD_CAP_COUNT; c++)
        CU_ASSERT(info.cap[c] || info.why[c]); /* no capability is missing without a reason */
    stop();
}

int main(void)
{
    static const struct lad_test tests[] = {{"devices", test_devices},
                                            {"ids", test_ids},
                                            {"barriers", test_barriers},
                                            {"divergence", test_divergence},
                                            {"deadline", test_deadline},
                                            {"order", test_order},
                                            {"indirect", test_indirect},
                                            {"memory", test_memory},
                                            {"refused", test_refused},
                                            {"real kernel", test_real_kernel},
                                            {NULL}};
    return lad_test_main("host", tests);
}
