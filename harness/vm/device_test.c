/* SPDX-License-Identifier: Apache-2.0 */
/* Programs on a device beside the reference, launch by launch: the kernel as plain C by default, or on the device that
 * LAD_TEST_DEVICE names by its prefix and number, as in "vk 0". */
#include "../test.h"
#include "random.h"
#include <stdlib.h>
#include <string.h>

static struct lad_arena *arena;
static struct lad_gpu gpu;
static uint32_t last_status, last_error; /* of run_beside, instance 0 */

static bool open_device(void)
{
    const char *name = getenv("LAD_TEST_DEVICE");
    static struct lad_dev_info info[16];
    char prefix[16] = "host";
    unsigned index = 0;
    size_t n;
    struct lad_fail fail;
    if (name)
        sscanf(name, "%15s %u", prefix, &index);
    const struct lad_backend *b = lad_backend_find(prefix);
    if (!b || !b->enumerate(info, LAD_N(info), &n, &fail) || index >= n)
        return false;
    if (name)
        printf("on %s\n", info[index].name);
    return lad_gpu_open(&gpu, b, index, &info[index]);
}

static bool make(const char *text, struct lad_vm_program *p)
{
    struct lad_vm_why why = {""};
    bool ok = text && lad_vm_assemble(arena, text, "test", p, &why);
    if (!ok)
        printf("    %s\n", why.text);
    return ok;
}

/* Both sides in step until they are over; the device may have its tables placed otherwise. */
static bool run_beside(const struct lad_vm_program *p, const struct lad_vm_shape *shape, uint32_t fuel, uint64_t most,
                       uint64_t *launches)
{
    struct lad_vm_why why = {""};
    struct lad_vm_diff diff;
    struct lad_vm_image *a = lad_vm_image_create(p, shape, &why), *b = lad_vm_image_create(p, shape, &why);
    struct lad_vm_host *ha = lad_vm_host_create(a), *hb = lad_vm_host_create(b);
    struct lad_vm_device_want want = {.fuel = fuel};
    struct lad_vm_text text = {0};
    enum lad_vm_fate fate = LAD_VM_DONE;
    struct lad_vm_device *d = lad_vm_device_open(&gpu, b, &want, &fate, &why);
    bool good = d && lad_vm_device_probe(d, &text, &fate);
    ha->quiet = hb->quiet = true;
    for (*launches = 0; good && !lad_vm_over(a) && *launches < most; ++*launches) {
        lad_vm_launch_reference(a);
        good = lad_vm_device_launch(d);
        if (!good)
            lad_vm_because(&why, "%s says %s: %s", gpu.fail.call, gpu.fail.code, gpu.fail.text);
        if (good && !lad_vm_compare(a, b, &diff)) {
            lad_vm_diff_text(&diff, &why);
            good = false;
        }
        if (good)
            good = lad_vm_guards_hold(b, &why) && lad_vm_fetch_matches(b, 0, &why);
        lad_vm_drain(ha);
        lad_vm_drain(hb);
    }
    good = good && lad_vm_device_kept(d, &why);
    for (uint32_t g = 0; good && g < shape->count; g++)
        if (ha->log[g].n != hb->log[g].n || (ha->log[g].n && memcmp(ha->log[g].text, hb->log[g].text, ha->log[g].n)))
            good = lad_vm_because(&why, "logs of instance %u differ", g);
    if (!good && fate == LAD_VM_UNFIT) {
        printf("    skipped: %s\n", why.text);
        good = true;
    }
    if (!good)
        printf("    binding %d, count %u, slice %u,%u,%u, fuel %u, launch %llu: %s%s\n", shape->binding, shape->count,
               shape->max_steps, shape->max_proc_steps, shape->capacity, fuel, (unsigned long long)*launches + 1,
               why.text, text.text ? text.text : "");
    last_status = *LAD_VM_U32(a, status, 0) % VM_STATUS_COUNT;
    last_error = *LAD_VM_U32(a, error, 0) % VM_ERROR_COUNT;
    free(text.text);
    lad_vm_device_close(&d);
    lad_vm_host_destroy(&ha);
    lad_vm_host_destroy(&hb);
    lad_vm_image_destroy(&a);
    lad_vm_image_destroy(&b);
    return good;
}

static bool run_all_ways(const struct lad_vm_program *p)
{
    static const uint32_t slices[][3] = {{1024, 64, 32}, {1, 1, 1}, {7, 3, 2}};
    static const uint32_t fuels[] = {0, 1000};
    bool good = true;
    uint64_t launches;
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
                good &= run_beside(p, &shape, fuels[f], 3000, &launches);
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
    uint64_t launches;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    for (int binding = 0; binding < 3; binding++) {
        shape.binding = (enum lad_vm_binding)binding;
        CU_ASSERT(run_beside(&p, &shape, 0, 10000, &launches));
        CU_ASSERT(launches == 8 || !gpu.info.cap[LAD_CAP_ADDRESS]);
    }
}

/* Programs that use everything; a failure prints the seed. */
static void anything(void)
{
    const char *rounds = getenv("LAD_VM_ROUNDS"), *first = getenv("LAD_VM_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 0) : 1, end = seed + (rounds ? strtoull(rounds, NULL, 0) : 60),
             launches;
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
            if (!run_beside(&p, &shape, lad_random(&dice) % 2 ? 0 : 50 + (uint32_t)(lad_random(&dice) % 1000), 300,
                            &launches)) {
                printf("    seed %llu\n", (unsigned long long)seed);
                wrong++;
            }
            status[last_status]++;
            error[last_error]++;
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

int main(void)
{
    static const struct lad_test tests[] = {
        {"example", example}, {"workload", workload}, {"anything", anything}, {NULL, NULL}};
    arena = lad_arena_create();
    if (!open_device()) {
        printf("the device does not open\n0 passed, 1 failed\n");
        return 1;
    }
    int status = lad_test_main("vm device", tests);
    lad_gpu_close(&gpu);
    lad_arena_destroy(&arena);
    return status;
}
