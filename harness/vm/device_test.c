/* SPDX-License-Identifier: Apache-2.0 */
/* Programs on a device (beside.h) in all bindings and slices, and random ones that use every instruction. */
#include "../test.h"
#include "beside.h"
#include "random.h"

static struct lad_arena *arena;
static struct lad_gpu gpu;

static bool make(const char *text, struct lad_vm_program *p)
{
    struct lad_vm_why why = {""};
    bool ok = text && lad_vm_assemble(arena, text, "test", p, &why);
    if (!ok)
        printf("    %s\n", why.text);
    return ok;
}

static bool run(const struct lad_vm_program *p, const struct lad_vm_shape *shape, uint32_t fuel, uint64_t most,
                struct beside *ran)
{
    bool good = beside_run(&gpu, p, shape, fuel, most, ran);
    free(ran->log.text);
    return good;
}

static bool run_all_ways(const struct lad_vm_program *p)
{
    static const uint32_t slices[][3] = {{1024, 64, 32}, {1, 1, 1}, {7, 3, 2}};
    static const uint32_t fuels[] = {0, 1000};
    bool good = true;
    struct beside ran;
    for (int binding = 0; binding < 3; binding++)
        for (size_t s = 0; s < LAD_N(slices); s++)
            for (size_t f = 0; f < LAD_N(fuels); f++) {
                struct lad_vm_shape shape = LAD_VM_SHAPE;
                shape.binding = (enum lad_vm_binding)binding;
                shape.max_steps = slices[s][0];
                shape.max_proc_steps = slices[s][1];
                shape.capacity = slices[s][2];
                shape.shared = f;
                shape.count = f ? 33 : 1;
                good &= run(p, &shape, fuels[f], 3000, &ran);
            }
    return good;
}

static void example(void)
{
    struct lad_vm_program p;
    size_t bytes;
    CU_ASSERT_FATAL(make(lad_read_file(arena, "cases/vm/example.sva", 1 << 20, &bytes), &p));
    CU_ASSERT(run_all_ways(&p));
}

static void workload(void)
{
    struct lad_vm_program p;
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct beside ran;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    for (int binding = 0; binding < 3; binding++) {
        shape.binding = (enum lad_vm_binding)binding;
        CU_ASSERT(run(&p, &shape, 0, 10000, &ran));
        CU_ASSERT(ran.skipped || ran.launches == 8);
    }
}

/* Programs that use everything; a failure prints the seed. */
static void anything(void)
{
    uint64_t seed = test_number("LAD_VM_SEED", 1), end = seed + test_number("LAD_VM_PROGRAMS", 60);
    struct beside ran;
    unsigned status[VM_STATUS_COUNT] = {0}, error[VM_ERROR_COUNT] = {0}, wrong = 0, made = 0;
    for (; seed < end; seed++) {
        struct lad_arena *old = arena;
        struct lad_vm_program p;
        struct lad_vm_shape shape = LAD_VM_SHAPE;
        uint64_t dice = seed;
        arena = lad_arena_create();
        char *text = lad_vm_random_code(arena, seed);
        if (make(text, &p)) {
            struct lad_vm_why why;
            if (lad_vm_check(&p, true, &why) == LAD_VM_REJECTED)
                printf("    seed %llu: %s\n", (unsigned long long)seed, why.text);
            shape.binding = (enum lad_vm_binding)(lad_random(&dice) % 3);
            shape.count = lad_random(&dice) % 8 ? 2 : 33;
            shape.max_steps = 1 + (uint32_t)(lad_random(&dice) % 40);
            shape.max_proc_steps = (uint32_t)(lad_random(&dice) % 12);
            shape.capacity = 1 + (uint32_t)(lad_random(&dice) % 9);
            shape.shared = lad_random(&dice) % 2;
            made++;
            if (!run(&p, &shape, lad_random(&dice) % 2 ? 0 : 50 + (uint32_t)(lad_random(&dice) % 1000), 300, &ran)) {
                printf("    seed %llu\n", (unsigned long long)seed);
                wrong++;
            }
            status[ran.status % VM_STATUS_COUNT]++;
            error[ran.error % VM_ERROR_COUNT]++;
        }
        lad_arena_destroy(&arena);
        arena = old;
    }
    printf("    %u programs: idle %u, finished %u, stopped %u, errors", made, status[VM_IDLE], status[VM_FINISHED],
           status[VM_STOPPED]);
    for (uint32_t i = 1; i < VM_ERROR_COUNT; i++)
        if (error[i])
            printf(" %s %u", lad_vm_error_name(i), error[i]);
    printf("\n");
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(made > 0);
}

/* ---- what a launch costs ---- */

static const struct lad_backend *real;
static unsigned n_made; /* buffers and kernels */

static struct lad_buf *count_buf(struct lad_dev *dev, const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    n_made++;
    return real->buf_create(dev, desc, fail);
}

static struct lad_kernel *count_kernel(struct lad_dev *dev, const struct lad_kernel_desc *desc, struct lad_fail *fail)
{
    n_made++;
    return real->kernel_create(dev, desc, fail);
}

/* Between launches nothing is made, whether everything is read back or not. */
static void nothing_new(void)
{
    struct lad_vm_program p;
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct lad_vm_why why;
    struct lad_backend counting = *gpu.backend;
    real = gpu.backend;
    counting.buf_create = count_buf;
    counting.kernel_create = count_kernel;
    shape.count = 33;
    shape.binding = LAD_VM_PACKED;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    struct lad_vm_image *image = lad_vm_image_create(&p, &shape, &why);
    struct lad_vm_host *host = lad_vm_host_create(image);
    gpu.backend = &counting;
    n_made = 0;
    struct lad_vm_device *d = lad_vm_device_open(&gpu, image, NULL, NULL, &why);
    CU_ASSERT_FATAL(d != NULL);
    CU_ASSERT(n_made >= 9); /* the counter counts */
    n_made = 0;
    for (int i = 0; i < 20 && !lad_vm_over(image); i++) {
        CU_ASSERT(i % 2 ? lad_vm_device_step(&d, 1) : lad_vm_device_launch(d));
        lad_vm_drain(host);
    }
    CU_ASSERT(lad_vm_over(image));
    CU_ASSERT_EQUAL(n_made, 0);
    lad_vm_device_close(&d);
    gpu.backend = real;
    lad_vm_host_destroy(&host);
    lad_vm_image_destroy(&image);
}

/* The fastest of many launches of an instance that is over, which was told to finish at its first. */
static uint64_t idle_ns(unsigned n_proc)
{
    struct lad_vm_program p;
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct lad_vm_why why;
    uint64_t best = UINT64_MAX;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, n_proc), &p));
    struct lad_vm_image *image = lad_vm_image_create(&p, &shape, &why);
    *LAD_VM_U32(image, halt_mode, 0) = VM_HALT_FINISH;
    struct lad_vm_device *d = lad_vm_device_open(&gpu, image, NULL, NULL, &why);
    CU_ASSERT_FATAL(d != NULL);
    CU_ASSERT(lad_vm_device_step(&d, 1));
    CU_ASSERT(lad_vm_over(image));
    for (int i = 0; i < 200; i++) {
        uint64_t start = lad_now_ns();
        CU_ASSERT(lad_vm_device_step(&d, 1));
        uint64_t took = lad_now_ns() - start;
        best = took < best ? took : best;
    }
    lad_vm_device_close(&d);
    lad_vm_image_destroy(&image);
    return best;
}

static void idle(void)
{
    uint64_t small = idle_ns(4), large = idle_ns(4 + 41 * 128);
    printf("    an idle launch: %llu ns with 4 processes, %llu ns with 5,252\n", (unsigned long long)small,
           (unsigned long long)large);
    CU_ASSERT(large < 3 * small);
}

int main(void)
{
    static const struct lad_test tests[] = {{"example", example},   {"workload", workload},
                                            {"anything", anything}, {"nothing new", nothing_new},
                                            {"idle", idle},         {NULL, NULL}};
    int status = beside_open(&gpu);
    if (status)
        return status;
    arena = lad_arena_create();
    status = lad_test_main("vm device", tests);
    lad_gpu_close(&gpu);
    lad_arena_destroy(&arena);
    return status;
}
