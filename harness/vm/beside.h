/* SPDX-License-Identifier: Apache-2.0 */
/* A program on a device beside the reference, launch by launch, for tests only: the kernel as plain C by default, or on
 * the device that LAD_TEST_DEVICE names by its prefix and number, as in "vk 0". It holds code because each test is a
 * program of its own. */
#ifndef LAD_VM_BESIDE_H
#define LAD_VM_BESIDE_H

#include "vm.h"
#include <stdlib.h>
#include <string.h>

struct beside { /* what became of a run */
    uint64_t launches;
    uint32_t status, error; /* of instance 0 */
    struct lad_vm_text log; /* of instance 0; the caller frees its text */
    bool skipped;           /* the device cannot, and why has been said */
};

/* A number from the environment, for what is drawn and how often. */
static inline uint64_t test_number(const char *name, uint64_t usual)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : usual;
}

/* 0, or what main returns after the message: 77 where there is no device of this number. */
static inline int beside_open(struct lad_gpu *gpu)
{
    const char *name = getenv("LAD_TEST_DEVICE");
    static struct lad_dev_info info[16];
    char prefix[16] = "host";
    unsigned index = 0;
    size_t n = 0;
    struct lad_fail fail;
    if (name)
        sscanf(name, "%15s %u", prefix, &index);
    const struct lad_backend *b = lad_backend_find(prefix);
    if (!b || !b->enumerate(info, LAD_N(info), &n, &fail) || index >= n) {
        printf("no device %s %u\n0 passed, 0 failed\n", prefix, index);
        return 77;
    }
    if (name)
        printf("on %s\n", info[index].name);
    if (lad_gpu_open(gpu, b, index, &info[index]))
        return 0;
    printf("%s does not open\n0 passed, 1 failed\n", info[index].name);
    return 1;
}

static inline bool beside_step(struct lad_gpu *gpu, struct lad_vm_device *d, struct lad_vm_image *a,
                               struct lad_vm_image *b, struct lad_vm_why *why)
{
    struct lad_vm_diff diff;
    lad_vm_launch_reference(a);
    if (!lad_vm_device_launch(d))
        return lad_vm_because(why, "%s says %s: %s", gpu->fail.call, gpu->fail.code, gpu->fail.text);
    if (!lad_vm_compare(a, b, &diff)) {
        lad_vm_diff_text(&diff, why);
        return false;
    }
    for (uint32_t g = 0; g < a->shape.count; g++) {
        uint32_t status = *LAD_VM_U32(b, status, g), error = *LAD_VM_U32(b, error, g);
        if (status == VM_RUNNING || status >= VM_STATUS_COUNT || error >= VM_ERROR_COUNT ||
            (status == VM_ERROR_STATUS) != (error != 0))
            return lad_vm_because(why, "instance %u ends in status %u, error %u, which the specification does not know",
                                  g, status, error);
    }
    return lad_vm_guards_hold(a, why) && lad_vm_guards_hold(b, why) && lad_vm_fetch_matches(b, 0, why);
}

/* What a validation layer has to say. */
static inline bool beside_silent(struct lad_gpu *gpu, struct lad_vm_why *why)
{
    const char *text = gpu->backend->message ? gpu->backend->message(gpu->dev) : NULL;
    return !text || lad_vm_because(why, "%.240s", text);
}

/* Both sides in step until they are over, or `most` launches. False after a message where they differ. */
static inline bool beside_run(struct lad_gpu *gpu, const struct lad_vm_program *p, const struct lad_vm_shape *shape,
                              uint32_t fuel, uint64_t most, struct beside *out)
{
    struct lad_vm_why why = {""};
    struct lad_vm_device_want want = {.fuel = fuel};
    struct lad_vm_text text = {0};
    enum lad_vm_fate fate = LAD_VM_DONE;
    *out = (struct beside){0};
    struct lad_vm_image *a = lad_vm_image_create(p, shape, &why), *b = a ? lad_vm_image_create(p, shape, &why) : NULL;
    if (!b) { /* it does not fit into memory: nothing to compare */
        lad_vm_image_destroy(&a);
        out->skipped = true;
        return true;
    }
    struct lad_vm_host *ha = lad_vm_host_create(a), *hb = lad_vm_host_create(b);
    struct lad_vm_device *d = lad_vm_device_open(gpu, b, &want, &fate, &why);
    bool good = d && lad_vm_device_probe(d, &text, &fate);
    ha->quiet = hb->quiet = true;
    for (; good && !lad_vm_over(a) && out->launches < most; ++out->launches) {
        good = beside_step(gpu, d, a, b, &why);
        lad_vm_drain(ha);
        lad_vm_drain(hb);
    }
    good = good && lad_vm_device_kept(d, &why) && beside_silent(gpu, &why);
    for (uint32_t g = 0; good && g < shape->count; g++)
        if (ha->log[g].n != hb->log[g].n || (ha->log[g].n && memcmp(ha->log[g].text, hb->log[g].text, ha->log[g].n)))
            good = lad_vm_because(&why, "logs of instance %u differ", g);
    if (!good && fate == LAD_VM_UNFIT) {
        printf("    skipped: %s\n", why.text);
        good = out->skipped = true;
    }
    if (!good)
        printf("    binding %d, count %u, slice %u,%u,%u, fuel %u, launch %llu: %s%s\n", shape->binding, shape->count,
               shape->max_steps, shape->max_proc_steps, shape->capacity, fuel, (unsigned long long)out->launches,
               why.text, text.text ? text.text : "");
    out->status = *LAD_VM_U32(a, status, 0);
    out->error = *LAD_VM_U32(a, error, 0);
    out->log = ha->log[0];
    ha->log[0] = (struct lad_vm_text){0};
    free(text.text);
    lad_vm_device_close(&d);
    lad_vm_host_destroy(&ha);
    lad_vm_host_destroy(&hb);
    lad_vm_image_destroy(&a);
    lad_vm_image_destroy(&b);
    return good;
}

#endif
