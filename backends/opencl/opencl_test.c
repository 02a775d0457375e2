/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL backend on every OpenCL device that the loader shows; exit status 77 when it shows none. OCL_ICD_VENDORS
 * narrows it to one driver; GPULADDER_TEST_KERNELS=100 lengthens the timing of builds. */
#include "../../harness/test.h"
#include "../../kernels/witness.h"
#include "cl.h"
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct lad_backend *const cl = &lad_backend_opencl;
static struct lad_dev_info infos[16];
static size_t n_infos, current;
static struct lad_dev *dev;
static struct lad_fail fail;
static struct lad_buf *witness;
static uint32_t seen[LAD_W_WORDS];
static char scratch[64];
static const uint64_t deadline_ns = 60000000000u;

#define MUST(what)                                                                                                     \
    do {                                                                                                               \
        bool must_ok = (what);                                                                                         \
        CU_ASSERT(must_ok);                                                                                            \
        if (!must_ok) {                                                                                                \
            printf("\n    %s:%d %s: %s %s %s\n", __FILE__, __LINE__, #what, fail.call, fail.code, fail.text);          \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* ---- kernels of the test's own -------------------------------------------------------------------------------- */

static const struct lad_scalar_decl one_scalar[] = {
    {"n", "uint", 0, 4}, {"lad_slot", "uint", 4, 4}, {"lad_nonce", "uint", 8, 4}};
static const struct lad_buffer_decl one_buffer[] = {{"p", "uint"}};
#define OWN_KERNEL(symbol, type, body)                                                                                 \
    static const struct lad_kernel_source symbol = {                                                                   \
        .name = #symbol,                                                                                               \
        .needs = "",                                                                                                   \
        .opencl = "kernel void lad_main(global " type                                                                  \
                  " *p, uint n, uint lad_slot, uint lad_nonce, global uint *w) { " body " }\n",                        \
        .bufs = one_buffer,                                                                                            \
        .n_bufs = 1,                                                                                                   \
        .scalars = one_scalar,                                                                                         \
        .n_scalars = 3,                                                                                                \
        .scalar_bytes = 12,                                                                                            \
    };
OWN_KERNEL(follow, "ulong", "uint k; for (k = 0; k < n; k++) ((global uint *)p[k])[get_global_id(0)] += k + 1;")
OWN_KERNEL(
    spin, "uint",
    "uint k, x = get_global_id(0); for (k = 0; k < n; k++) x = x * 1664525u + 1013904223u; if (x == 7u) p[0] = x;")
OWN_KERNEL(broken, "uint", "p[0] = no_such_name;")

/* ---- helpers -------------------------------------------------------------------------------------------------- */

static struct lad_buf *make_buffer(uint64_t bytes, enum lad_mem mem)
{
    return cl->buf_create(dev, &(struct lad_buf_desc){.bytes = bytes, .mem = mem}, &fail);
}

static bool plant(struct lad_buf *buf, size_t words)
{
    uint32_t *data = malloc(words * 4);
    for (size_t i = 0; i < words; i++)
        data[i] = 0xC0DE0000u + (uint32_t)i;
    bool ok = cl->buf_write(dev, buf, 0, data, words * 4, &fail);
    free(data);
    return ok;
}

static struct lad_kernel *make_kernel(const char *name, uint32_t x, uint32_t y, uint32_t z, uint32_t constant)
{
    struct lad_kernel_desc desc = {lad_kernel_find(name), {x, y, z}, 1, 0, {constant, 0}};
    desc.dynamic_items = desc.source->n_dynamic ? x : 0;
    return cl->kernel_create(dev, &desc, &fail);
}

static struct lad_kernel *make_own(const struct lad_kernel_source *source)
{
    return cl->kernel_create(dev, &(struct lad_kernel_desc){.source = source, .local = {64, 1, 1}}, &fail);
}

/* Dispatches, with the witness cleared before, and waits; what the witness then holds is in `seen`. */
static bool run(struct lad_dispatch *d)
{
    memset(seen, 0, sizeof seen);
    d->witness = witness;
    return cl->buf_write(dev, witness, 0, seen, sizeof seen, &fail) && cl->dispatch(dev, d, &fail) &&
           cl->wait(dev, deadline_ns, &fail) && cl->buf_read(dev, witness, 0, seen, sizeof seen, &fail);
}

struct thread_scalars {
    uint32_t nx, ny, nz, slot, nonce;
};

/* Runs thread-id over nx places from word 0 of buf and checks them and the witness. */
static bool run_thread_id(struct lad_kernel *k, struct lad_buf *buf, uint32_t n, uint32_t constant)
{
    struct thread_scalars s = {n, 1, 1, 0, 0xAB00u + n};
    struct lad_dispatch d = {k, {(n + 63) / 64, 1, 1}, .binds = &(struct lad_bind){buf}, .scalars = &s};
    uint32_t *data = malloc(n * 4);
    bool ok = run(&d) && cl->buf_read(dev, buf, 0, data, n * 4, &fail);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = data[i] == i;
    ok = ok && seen[LAD_W_MAGIC] == LAD_W_MAGIC_VALUE && seen[LAD_W_DISPATCH] == s.nonce &&
         seen[LAD_W_CONST] == constant && seen[LAD_W_BUILD] == k->source->nonce &&
         seen[LAD_W_COUNT] == (n + 63) / 64 * 64;
    free(data);
    return ok;
}

/* ---- tests ---------------------------------------------------------------------------------------------------- */

static void open_device(void)
{
    const struct lad_dev_info *info = &infos[current];
    printf("\n    cl:%u:%zu %s, model %s, type %d, %s; %s; uuid %s bus %s\n   ", info->platform, current, info->name,
           info->model, info->type, info->api, info->driver, info->uuid, info->bus);
    CU_ASSERT_NOT_EQUAL(*info->model, 0);
    CU_ASSERT_EQUAL(info->model[strspn(info->model, "abcdefghijklmnopqrstuvwxyz0123456789-")], 0);
    CU_ASSERT(info->cap[LAD_CAP_STORAGE_BUFFERS] >= 23);
    CU_ASSERT(info->cap[LAD_CAP_BUFFER_BYTES] >= 1 << 20);
    CU_ASSERT_EQUAL(info->cap[LAD_CAP_MEM_COHERENT], 0);
    MUST((dev = cl->open(current, &fail)));
    MUST((witness = make_buffer(sizeof seen, LAD_MEM_DEVICE)));
    CU_ASSERT_PTR_NULL(cl->open(n_infos, &fail));
    CU_ASSERT_STRING_EQUAL(fail.code, "CL_DEVICE_NOT_FOUND");
}

static void close_device(void)
{
    cl->buf_destroy(dev, witness);
    cl->buf_destroy(dev, NULL);
    cl->kernel_destroy(dev, NULL);
    cl->close(dev);
    cl->close(NULL);
    dev = NULL;
    current++;
}

static void test_memory(void)
{
    static const enum lad_cap caps[] = {LAD_CAP_COUNT,       LAD_CAP_MEM_COHERENT,     LAD_CAP_MEM_NONCOHERENT,
                                        LAD_CAP_MEM_MAPPED,  LAD_CAP_MEM_HOST_POINTER, LAD_CAP_MEM_SVM_COARSE,
                                        LAD_CAP_MEM_SVM_FINE};
    struct lad_buf *copy = make_buffer(4096, LAD_MEM_DEVICE);
    uint32_t data[1024], *p;
    for (int mem = 0; mem < LAD_MEM_COUNT; mem++) {
        void *host = mem == LAD_MEM_HOST_POINTER ? aligned_alloc(4096, 4096) : NULL;
        bool there = caps[mem] == LAD_CAP_COUNT || infos[current].cap[caps[mem]];
        struct lad_buf *buf = cl->buf_create(dev, &(struct lad_buf_desc){4096, mem, false, host}, &fail);
        CU_ASSERT_EQUAL(buf != NULL, there);
        if (!there) {
            CU_ASSERT(fail.unsupported);
            CU_ASSERT_PTR_NOT_NULL(infos[current].why[caps[mem]]);
            continue;
        }
        MUST(plant(buf, 1024));
        MUST(cl->fill(dev, buf, 256, 128, 0xABCD1234u, &fail));
        MUST(cl->copy(dev, buf, 0, copy, 2048, 2048, &fail));
        MUST(cl->copy(dev, copy, 2048 + 256, buf, 4096 - 64, 64, &fail));
        MUST(cl->wait(dev, deadline_ns, &fail));
        MUST(cl->buf_read(dev, copy, 2048, data, 2048, &fail));
        for (uint32_t i = 0; i < 512; i++)
            CU_ASSERT_EQUAL(data[i], i >= 64 && i < 96 ? 0xABCD1234u : 0xC0DE0000u + i);
        MUST(cl->buf_read(dev, buf, 4092, data, 4, &fail));
        CU_ASSERT_EQUAL(data[0], 0xABCD1234u);
        MUST((p = cl->map(dev, buf, true, &fail)));
        CU_ASSERT_EQUAL(p[3], 0xC0DE0003u);
        p[3] = 77;
        MUST(cl->unmap(dev, buf, &fail));
        MUST(cl->buf_read(dev, buf, 12, data, 4, &fail));
        CU_ASSERT_EQUAL(data[0], 77);
        if (host)
            CU_ASSERT_PTR_EQUAL(p, host);
        CU_ASSERT_EQUAL(cl->buf_address(dev, buf) != 0, mem >= LAD_MEM_SVM_COARSE);
        struct lad_kernel *k = make_kernel("thread-id", 64, 1, 1, 9);
        MUST(k);
        CU_ASSERT(run_thread_id(k, buf, 1000, 9));
        cl->kernel_destroy(dev, k);
        cl->buf_destroy(dev, buf);
        free(host);
    }
    cl->buf_destroy(dev, copy);
}

static void test_three_dimensions(void)
{
    struct lad_kernel *k = make_kernel("thread-id", 4, 2, 2, 0);
    struct lad_buf *buf = make_buffer(4000, LAD_MEM_DEVICE);
    struct thread_scalars s = {10, 5, 3, 0, 0x51};
    struct lad_dispatch d = {k, {3, 3, 2}, .binds = &(struct lad_bind){buf}, .scalars = &s};
    uint32_t data[1000];
    MUST(k && buf && plant(buf, 1000));
    MUST(run(&d) && cl->buf_read(dev, buf, 0, data, 4000, &fail));
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(data[i], i < 150 ? i : 0xC0DE0000u + i);
    CU_ASSERT_EQUAL(seen[LAD_W_COUNT], 18 * 16);
    CU_ASSERT_EQUAL(seen[LAD_W_GROUPS], 18);
    CU_ASSERT_EQUAL(seen[LAD_W_BITMAP], (1u << 18) - 1);
    CU_ASSERT(!memcmp(seen + LAD_W_LOCAL, (uint32_t[]){4, 2, 2, 3, 3, 2}, 24));
    CU_ASSERT(!memcmp(seen + LAD_W_SCALARS, &s, sizeof s));
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
}

static void test_base_and_range(void)
{
    uint64_t align = infos[current].cap[LAD_CAP_OFFSET_ALIGN];
    struct lad_kernel *k = make_kernel("thread-id", 64, 1, 1, 0);
    struct lad_buf *buf = make_buffer(align + 4096, LAD_MEM_DEVICE);
    size_t n = align / 4 + 1024;
    uint32_t *data = malloc(n * 4);
    struct thread_scalars s = {512, 1, 1, 0, 1};
    struct lad_bind bind = {buf, align, 2048};
    struct lad_dispatch d = {k, {3, 1, 1}, {2, 0, 0}, &bind, .scalars = &s};
    MUST(k && buf);
    for (int round = 0; round < 2; round++) { /* the second finds its arguments set */
        MUST(plant(buf, n) && run(&d) && cl->buf_read(dev, buf, 0, data, n * 4, &fail));
        for (size_t i = 0; i < n; i++) {
            size_t at = i - align / 4;
            CU_ASSERT_EQUAL(data[i], at >= 128 && at < 320 ? at : 0xC0DE0000u + i);
        }
        CU_ASSERT_EQUAL(seen[LAD_W_BITMAP], 7u << 2);
        CU_ASSERT_EQUAL(seen[LAD_W_GRID], 3);
    }
    free(data);
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
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
    } s = {0x01020304u, 0x1122334455667788u, 1.5f, -2, -3, 0, 99};
    struct lad_kernel *k = make_kernel("scalars-echo", 32, 1, 1, 0);
    struct lad_buf *buf = make_buffer(64, LAD_MEM_DEVICE);
    struct lad_dispatch d = {k, {1, 1, 1}, .binds = &(struct lad_bind){buf}, .scalars = &s};
    uint32_t data[7];
    MUST(k && buf && run(&d) && cl->buf_read(dev, buf, 0, data, 28, &fail));
    CU_ASSERT(!memcmp(data, (uint32_t[]){0x01020304u, 0x55667788u, 0x11223344u, 0x3FC00000u, ~1u, ~0u, ~2u}, 28));
    s.b = 5; /* only what changed is set again */
    MUST(run(&d) && cl->buf_read(dev, buf, 0, data, 28, &fail));
    CU_ASSERT(!memcmp(data, (uint32_t[]){0x01020304u, 5, 0, 0x3FC00000u, ~1u, ~0u, ~2u}, 28));
    CU_ASSERT(!memcmp(seen + LAD_W_SCALARS, data, 28));
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
}

/* A slow kernel and thread-id in queue 0, then a sum of the latter in queue 1: right only if the barrier holds between
 * queues. The slow one keeps a single workgroup busy, so that queue 1 finds room to run ahead. */
static void test_queues(void)
{
    enum { N = 1 << 16, L = 64, ROUNDS = 5 };
    struct lad_kernel *fill = make_kernel("thread-id", L, 1, 1, 0), *sum = make_kernel("reduction-dynamic", L, 1, 1, 0);
    struct lad_buf *mid = make_buffer(N * 4, LAD_MEM_DEVICE), *out = make_buffer(N / L * 4, LAD_MEM_DEVICE);
    struct thread_scalars s = {N, 1, 1, 0, 1};
    uint32_t r[3] = {N, 0, 2}, data[N / L];
    struct lad_bind binds[] = {{mid}, {out}};
    struct lad_kernel *slow = make_own(&spin);
    struct lad_buf *side = make_buffer(256, LAD_MEM_DEVICE);
    uint32_t rounds[3] = {infos[current].type == LAD_DEV_SIMULATOR ? 10 : 60000};
    struct lad_dispatch before = {slow, {1, 1, 1}, .binds = &(struct lad_bind){side}, .scalars = rounds};
    struct lad_dispatch first = {fill, {N / L, 1, 1}, .binds = binds, .scalars = &s};
    struct lad_dispatch second = {sum, {N / L, 1, 1}, .binds = binds, .witness = witness, .scalars = r, .queue = 1};
    MUST(fill && sum && mid && out && slow && side);
    for (int round = 0; round < ROUNDS; round++) {
        bool complete = false;
        memset(seen, 0, sizeof seen);
        MUST(plant(mid, N) && plant(out, N / L) && cl->buf_write(dev, witness, 0, seen, sizeof seen, &fail));
        for (int i = 0; i < 20; i++)
            MUST(cl->dispatch(dev, &before, &fail));
        MUST(cl->dispatch(dev, &first, &fail) && cl->barrier(dev, &fail) && cl->dispatch(dev, &second, &fail));
        MUST(cl->submit(dev, &fail));
        for (uint64_t end = lad_now_ns() + deadline_ns; !complete && lad_now_ns() < end;)
            MUST(cl->done(dev, &complete, &fail));
        CU_ASSERT(complete);
        MUST(cl->wait(dev, deadline_ns, &fail) && cl->buf_read(dev, out, 0, data, sizeof data, &fail));
        for (uint32_t i = 0; i < N / L; i++)
            CU_ASSERT_EQUAL(data[i], i * L * L + L * (L - 1) / 2);
        MUST(cl->buf_read(dev, witness, 0, seen, sizeof seen, &fail));
        CU_ASSERT_EQUAL(seen[LAD_W_DYNAMIC], L);
        CU_ASSERT_EQUAL(seen[LAD_W_COUNT], N);
    }
    second.queue = LAD_CL_QUEUES;
    CU_ASSERT_FALSE(cl->dispatch(dev, &second, &fail));
    cl->kernel_destroy(dev, fill);
    cl->kernel_destroy(dev, sum);
    cl->kernel_destroy(dev, slow);
    cl->buf_destroy(dev, side);
    cl->buf_destroy(dev, mid);
    cl->buf_destroy(dev, out);
}

static void test_addresses(void)
{
    enum { N = 5 };
    struct lad_buf_desc desc = {.bytes = 4096, .mem = LAD_MEM_DEVICE, .address = true};
    struct lad_buf *buf[N], *table = make_buffer(N * 8, LAD_MEM_DEVICE);
    uint64_t address[N];
    uint32_t s[3] = {N}, data[64];
    if (!infos[current].cap[LAD_CAP_ADDRESS]) {
        CU_ASSERT_PTR_NULL(cl->buf_create(dev, &desc, &fail));
        CU_ASSERT(fail.unsupported);
        printf("(none: %s) ", fail.text);
        cl->buf_destroy(dev, table);
        return;
    }
    struct lad_kernel *k = make_own(&follow);
    MUST(k);
    for (int i = 0; i < N; i++) {
        MUST((buf[i] = cl->buf_create(dev, &desc, &fail)) && plant(buf[i], 1024));
        MUST((address[i] = cl->buf_address(dev, buf[i])));
    }
    MUST(cl->buf_write(dev, table, 0, address, sizeof address, &fail));
    struct lad_dispatch d = {k,           {1, 1, 1}, .binds = &(struct lad_bind){table}, .scalars = s, .reach = buf,
                             .n_reach = N};
    MUST(cl->dispatch(dev, &d, &fail) && cl->dispatch(dev, &d, &fail) && cl->wait(dev, deadline_ns, &fail));
    CU_ASSERT(k->reaches);
    for (int i = 0; i < N; i++) {
        MUST(cl->buf_read(dev, buf[i], 0, data, sizeof data, &fail));
        CU_ASSERT_EQUAL(data[63], 0xC0DE0000u + 63 + 2u * (uint32_t)(i + 1));
    }
    d.n_reach = 0; /* must not stay announced from before */
    s[0] = 0;
    MUST(cl->dispatch(dev, &d, &fail) && cl->wait(dev, deadline_ns, &fail));
    CU_ASSERT_FALSE(k->reaches);
    cl->kernel_destroy(dev, k);
    for (int i = 0; i < N; i++)
        cl->buf_destroy(dev, buf[i]);
    cl->buf_destroy(dev, table);
}

static void test_long_batch(void)
{
    enum { N = 700 };
    struct lad_kernel *k = make_kernel("thread-id", 64, 1, 1, 0);
    struct lad_buf *buf = make_buffer(256, LAD_MEM_DEVICE);
    struct thread_scalars s = {64, 1, 1, 0, 1};
    struct lad_dispatch d = {k, {1, 1, 1}, .binds = &(struct lad_bind){buf}, .witness = witness, .scalars = &s};
    struct lad_times t;
    MUST(k && buf);
    memset(seen, 0, sizeof seen);
    MUST(cl->buf_write(dev, witness, 0, seen, sizeof seen, &fail));
    for (uint32_t i = 0; i < N; i++) {
        s.nonce = i;
        MUST(cl->dispatch(dev, &d, &fail));
    }
    MUST(cl->wait(dev, deadline_ns, &fail) && cl->buf_read(dev, witness, 0, seen, sizeof seen, &fail));
    CU_ASSERT_EQUAL(seen[LAD_W_COUNT], N * 64);
    CU_ASSERT_EQUAL(seen[LAD_W_DISPATCH], N - 1);
    MUST(cl->times(dev, &t));
    CU_ASSERT_EQUAL(t.n_raw, 4);
    CU_ASSERT(t.host_ns > 0);
    CU_ASSERT(t.raw[3] >= t.raw[2]);
    CU_ASSERT(t.device_ns <= t.host_ns + 1000000);
    printf("(%d dispatches: host %.1f us, device %.1f us each) ", N, t.host_ns / 1e3 / N, t.device_ns / 1e3 / N);
    uint64_t start = lad_now_ns();
    for (int i = 0; i < 200; i++)
        MUST(cl->dispatch(dev, &d, &fail) && cl->wait(dev, deadline_ns, &fail));
    printf("(submit and wait: %.1f us) ", (double)(lad_now_ns() - start) / 200e3);
    MUST(cl->dispatch(dev, &d, &fail) && cl->finish(dev, &fail) && cl->wait(dev, deadline_ns, &fail));
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
}

static void test_empty(void)
{
    struct lad_kernel *k = make_kernel("thread-id", 64, 1, 1, 0);
    struct lad_buf *buf = make_buffer(256, LAD_MEM_DEVICE);
    struct thread_scalars s = {64, 1, 1, 0, 1};
    struct lad_dispatch d = {k, {1, 0, 1}, .binds = &(struct lad_bind){buf}, .scalars = &s};
    MUST(k && buf);
    bool ok = run(&d);
    if (!ok)
        printf("(%s: %s) ", fail.call, fail.code);
    CU_ASSERT(ok);
    CU_ASSERT_EQUAL(seen[LAD_W_COUNT], 0);
    if (((struct lad_cl_device *)dev->device)->version < 21)
        CU_ASSERT_PTR_NOT_NULL(cl->message(dev));
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
}

static void test_build_failure(void)
{
    CU_ASSERT_PTR_NULL(make_own(&broken));
    CU_ASSERT_STRING_EQUAL(fail.call, "clBuildProgram");
    CU_ASSERT_STRING_EQUAL(fail.code, "CL_BUILD_PROGRAM_FAILURE");
    CU_ASSERT_PTR_NOT_NULL(strstr(fail.text, "no_such_name"));
    CU_ASSERT_FALSE(fail.unsupported);
    CU_ASSERT_PTR_NULL(dev->kernels);
}

static void change_file(const char *path, long at, bool cut)
{
    FILE *f = fopen(path, "r+b");
    CU_ASSERT_FATAL(f != NULL);
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    int c = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    bool ok = cut ? !ftruncate(fileno(f), ftell(f)) : fputc(c ^ 0x20, f) != EOF;
    CU_ASSERT(!fclose(f) && ok);
}

/* A run that must come from source, because of what happened to the file, and must leave a whole file behind. */
static bool rebuilds(const char *path, const char *key, struct lad_buf *buf)
{
    unsigned char *binary;
    size_t bytes;
    char *log;
    if (lad_cl_cache_load(key, &binary, &bytes, &log))
        return false;
    struct lad_kernel *k = make_kernel("thread-id", 64, 1, 1, 4001);
    bool ok = k && k->unsaved && run_thread_id(k, buf, 64, 4001) && !k->unsaved && !access(path, R_OK);
    cl->kernel_destroy(dev, k);
    if (!ok || !lad_cl_cache_load(key, &binary, &bytes, &log))
        return false;
    free(binary);
    free(log);
    return true;
}

static void test_cache(void)
{
    struct lad_kernel *a = make_kernel("thread-id", 64, 1, 1, 4001), *b = make_kernel("thread-id", 64, 1, 1, 4002);
    struct lad_buf *buf = make_buffer(256, LAD_MEM_DEVICE);
    unsigned char *binary;
    size_t bytes;
    char *log, path[256], other[256], folder[128];
    MUST(a && b && buf);
    CU_ASSERT_EQUAL(a->key == NULL, infos[current].type == LAD_DEV_SIMULATOR);
    if (!a->key) {
        printf("(not used for simulators) ");
        goto out;
    }
    CU_ASSERT_STRING_NOT_EQUAL(a->key, b->key);
    CU_ASSERT_PTR_NOT_NULL(strstr(a->key, infos[current].name));
    CU_ASSERT(a->unsaved && b->unsaved); /* the folder is fresh */
    char *key = strdup(a->key), *key_b = strdup(b->key);
    snprintf(folder, sizeof folder, "%s", getenv("GPULADDER_CACHE"));
    snprintf(path, sizeof path, "%s/%016llx.clb", folder, (unsigned long long)lad_hash(key, strlen(key), 0));
    snprintf(other, sizeof other, "%s/%016llx.clb", folder, (unsigned long long)lad_hash(key_b, strlen(key_b), 0));
    CU_ASSERT(run_thread_id(a, buf, 64, 4001) && run_thread_id(b, buf, 64, 4002));
    CU_ASSERT_FALSE(a->unsaved);
    cl->kernel_destroy(dev, a);
    cl->kernel_destroy(dev, b);
    MUST((a = make_kernel("thread-id", 64, 1, 1, 4001)));
    CU_ASSERT_FALSE(a->unsaved); /* from the file */
    CU_ASSERT(run_thread_id(a, buf, 64, 4001));
    cl->kernel_destroy(dev, a);

    /* That the file is really what runs: the other constant's binary under this key. */
    MUST(lad_cl_cache_load(key_b, &binary, &bytes, &log));
    lad_cl_cache_save(key, binary, bytes, "a log");
    MUST((a = make_kernel("thread-id", 64, 1, 1, 4001)));
    CU_ASSERT(run_thread_id(a, buf, 64, 4002));
    CU_ASSERT_STRING_EQUAL(cl->build_log(a), "a log");
    cl->kernel_destroy(dev, a);
    a = b = NULL;

    static const struct {
        long at;
        bool cut;
    } harm[] = {{0, false}, {9, false}, {60, false}, {-5, false}, {-1, true}, {100, true}, {20, true}, {0, true}};
    for (size_t i = 0; i < LAD_N(harm); i++) {
        change_file(path, harm[i].at, harm[i].cut);
        bool ok = rebuilds(path, key, buf);
        CU_ASSERT(ok);
        if (!ok)
            printf("\n    byte %ld%s was not noticed\n", harm[i].at, harm[i].cut ? ", cut" : "");
    }
    CU_ASSERT_EQUAL(rename(other, path), 0); /* a whole file with another program's key */
    CU_ASSERT(rebuilds(path, key, buf));
    unlink(path);
    CU_ASSERT(rebuilds(path, key, buf));
    if (!strcmp(infos[current].model, "pocl")) { /* others may end the process over this */
        memset(binary, 'x', bytes);
        lad_cl_cache_save(key, binary, bytes, "");
        a = make_kernel("thread-id", 64, 1, 1, 4001);
        CU_ASSERT(a && a->unsaved && run_thread_id(a, buf, 64, 4001));
        cl->kernel_destroy(dev, a);
        a = make_kernel("thread-id", 64, 1, 1, 4001);
        CU_ASSERT(a && !a->unsaved);
    }
    setenv("GPULADDER_CACHE", "", 1);
    CU_ASSERT_PTR_NOT_NULL((b = make_kernel("thread-id", 64, 1, 1, 4001)));
    CU_ASSERT(b && !b->key && run_thread_id(b, buf, 64, 4001));
    setenv("GPULADDER_CACHE", folder, 1);
    free(key);
    free(key_b);
    free(binary);
    free(log);
out:
    cl->kernel_destroy(dev, a);
    cl->kernel_destroy(dev, b);
    cl->buf_destroy(dev, buf);
}

static void test_builds(void)
{
    const char *wanted = getenv("GPULADDER_TEST_KERNELS");
    uint32_t n = wanted ? (uint32_t)atoi(wanted) : 8;
    struct lad_buf *buf = make_buffer(256, LAD_MEM_DEVICE);
    for (int pass = 0; pass < 2; pass++) {
        uint64_t create_ns = 0, first_ns = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t start = lad_now_ns();
            struct lad_kernel *k = make_kernel("thread-id", 64, 1, 1, 100 + i);
            MUST(k);
            uint64_t made = lad_now_ns();
            CU_ASSERT(run_thread_id(k, buf, 64, 100 + i));
            first_ns += lad_now_ns() - made;
            create_ns += made - start;
            cl->kernel_destroy(dev, k);
        }
        printf("(%s: %u kernels, create %.2f ms, first run %.2f ms each) ", pass ? "again" : "first", n,
               create_ns / 1e6 / n, first_ns / 1e6 / n);
    }
    cl->buf_destroy(dev, buf);
}

static __typeof__(lad_cl.EnqueueReadBuffer) real_read;

static cl_int CL_API_CALL read_at_once(cl_command_queue q, cl_mem b, cl_bool wait, size_t at, size_t bytes, void *to,
                                       cl_uint n, const cl_event *list, cl_event *event)
{
    (void)wait;
    return real_read(q, b, CL_FALSE, at, bytes, to, n, list, event);
}

/* A blocking read that does not block, of what a kernel still computes. */
static void test_read_returns_early(void)
{
    struct lad_kernel *k = make_own(&spin);
    struct lad_buf *buf = make_buffer(256, LAD_MEM_DEVICE);
    uint32_t s[3] = {20000}, data[64] = {0};
    struct lad_dispatch d = {k, {16, 1, 1}, .binds = &(struct lad_bind){buf}, .scalars = s};
    MUST(k && buf && plant(buf, 64) && cl->dispatch(dev, &d, &fail));
    real_read = lad_cl.EnqueueReadBuffer;
    lad_cl.EnqueueReadBuffer = read_at_once;
    bool ok = cl->buf_read(dev, buf, 4, data + 1, 252, &fail);
    lad_cl.EnqueueReadBuffer = real_read;
    CU_ASSERT(ok || (fail.early && !fail.timeout && !fail.lost)); /* a device may compute inside the call */
    CU_ASSERT(data[1] == 0xC0DE0001u && data[63] == 0xC0DE003Fu); /* and by now it is here */
    printf("(%s) ", ok ? "it blocked" : fail.text);
    MUST(cl->wait(dev, deadline_ns, &fail));
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
}

/* Last of all, for it gives the device up with work in flight: some seconds of it, found by trying. */
static void test_deadline(void)
{
    current = current < n_infos ? current : 0;
    MUST((dev = cl->open(current++, &fail)));
    struct lad_kernel *k = make_own(&spin);
    struct lad_buf *buf = make_buffer(256, LAD_MEM_DEVICE);
    uint32_t s[3] = {0};
    struct lad_dispatch d = {k, {16, 1, 1}, .binds = &(struct lad_bind){buf}, .scalars = s};
    MUST(k && buf && cl->dispatch(dev, &d, &fail) && cl->wait(dev, deadline_ns, &fail));
    uint64_t start, called = 0, took = 0;
    for (s[0] = 64; took < 50000000 && d.groups[0] < 1u << 28; s[0] < 32768 ? (s[0] *= 2) : (d.groups[0] *= 2)) {
        start = lad_now_ns();
        MUST(cl->dispatch(dev, &d, &fail) && cl->submit(dev, &fail));
        called = lad_now_ns() - start;
        MUST(cl->wait(dev, deadline_ns, &fail));
        took = lad_now_ns() - start;
    }
    if (called > took / 2) {
        printf("(no deadline possible: the device computes inside the call that submits) ");
        cl->close(dev);
        return;
    }
    d.groups[0] *= 60;
    MUST(cl->dispatch(dev, &d, &fail));
    start = lad_now_ns();
    CU_ASSERT_FALSE(cl->wait(dev, 10000000, &fail));
    CU_ASSERT(fail.timeout);
    cl->kernel_destroy(dev, k);
    cl->buf_destroy(dev, buf);
    cl->close(dev);
    took = lad_now_ns() - start;
    CU_ASSERT(took > 9000000 && took < 1500000000);
    printf("(%s; %.0f ms) ", fail.text, took / 1e6);
}

/* ---- main ----------------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(path);
}

int main(void)
{
    static const struct lad_test each[] = {{"open", open_device},
                                           {"memory", test_memory},
                                           {"three dimensions", test_three_dimensions},
                                           {"base and range", test_base_and_range},
                                           {"scalars", test_scalars},
                                           {"queues", test_queues},
                                           {"addresses", test_addresses},
                                           {"long batch", test_long_batch},
                                           {"no workgroups", test_empty},
                                           {"a read returns early", test_read_returns_early},
                                           {"build failure", test_build_failure},
                                           {"program cache", test_cache},
                                           {"builds", test_builds},
                                           {"close", close_device}};
    static struct lad_test tests[16 * (LAD_N(each) + 1) + 1];
    size_t n = 0;
    snprintf(scratch, sizeof scratch, "/tmp/opencl_test.XXXXXX");
    if (!mkdtemp(scratch))
        return 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    setenv("GPULADDER_CACHE", scratch, 0);
    setenv("POCL_CACHE_DIR", scratch, 0);
    setenv("MESA_SHADER_CACHE_DIR", scratch, 0);
    if (!cl->enumerate(infos, LAD_N(infos), &n_infos, &fail))
        printf("skipped: %s: %s %s\n", fail.call, fail.code, fail.text);
    else if (!n_infos)
        printf("skipped: no OpenCL device\n");
    n_infos = n_infos < LAD_N(infos) ? n_infos : LAD_N(infos);
    for (size_t i = 0; i < n_infos; i++, n += LAD_N(each))
        memcpy(tests + n, each, sizeof each);
    for (size_t i = 0; i < n_infos; i++)
        tests[n++] = (struct lad_test){"deadline", test_deadline};
    int rc = n ? lad_test_main("opencl", tests) : 77;
    nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    fflush(NULL);
    _exit(rc); /* drivers still run what the last test gave up */
}
