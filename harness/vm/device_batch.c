/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launches of several images side by side. What an exchange with a driver costs is mostly paid per exchange, whatever
 * is in it: so all dispatches are handed over together, what the kernels wrote is copied into one buffer on the device,
 * and that one is read.
 */
#include "device.h"
#include <stdlib.h>
#include <string.h>

static uint64_t unfinished_bytes(const struct lad_vm_device *d)
{
    return (uint64_t)d->image->shape.count * 4;
}

/* How much of part i comes back: the shadow only where it is one. */
static uint64_t part_bytes(const struct lad_vm_device *d, int i)
{
    const struct lad_vm_part *p = &d->part[i];
    return p->buf == d->companion[C_SHADOW] && !d->image->program->n_force ? 0 : p->bytes;
}

static uint64_t all_bytes(const struct lad_vm_device *d)
{
    uint64_t bytes = unfinished_bytes(d);
    for (int i = 0; i < d->n_parts; i++)
        bytes += part_bytes(d, i);
    return bytes;
}

void lad_vm_inbox_close(struct lad_gpu *gpu, struct lad_vm_inbox *in)
{
    if (in->buf && !gpu->fail.timeout && !gpu->fail.lost)
        lad_gpu_free(gpu, in->buf);
    free(in->host);
    *in = (struct lad_vm_inbox){NULL, NULL, 0};
}

static bool make_room(struct lad_gpu *gpu, struct lad_vm_inbox *in, uint64_t bytes)
{
    if (in->bytes >= bytes)
        return true;
    lad_vm_inbox_close(gpu, in);
    bytes = (bytes + bytes / 2 + 4095) / 4096 * 4096;
    in->buf = lad_gpu_buf(gpu, &(struct lad_buf_desc){.bytes = bytes, .mem = LAD_MEM_DEVICE});
    in->host = malloc(bytes);
    in->bytes = in->buf && in->host ? bytes : 0;
    if (!in->bytes)
        lad_vm_inbox_close(gpu, in);
    return in->bytes;
}

/* Copies on the device, one behind the other from *at on. */
static bool collect(struct lad_vm_device *d, struct lad_vm_inbox *in, uint64_t *at)
{
    if (!lad_gpu_copy(d->gpu, d->companion[C_ARENA], d->work_at, in->buf, *at, unfinished_bytes(d)))
        return false;
    *at += unfinished_bytes(d);
    for (int i = 0; i < d->n_parts; i++) {
        uint64_t bytes = part_bytes(d, i);
        if (!lad_gpu_copy(d->gpu, d->part[i].buf, d->part[i].at, in->buf, *at, bytes))
            return false;
        *at += bytes;
    }
    return true;
}

/* False: not through with its launch. */
static bool take(struct lad_vm_device *d, const char *from)
{
    uint32_t left = 0;
    memcpy(d->unfinished, from, unfinished_bytes(d));
    for (uint32_t g = 0; g < d->image->shape.count; g++)
        left |= d->unfinished[g];
    if (left)
        return false;
    from += unfinished_bytes(d);
    for (int i = 0; i < d->n_parts; i++) {
        memcpy(d->part[i].host, from, part_bytes(d, i));
        memcpy(d->part[i].mirror, from, part_bytes(d, i));
        from += part_bytes(d, i);
    }
    d->quiet = false;
    d->figures.launches++;
    return true;
}

bool lad_vm_device_launch_all(struct lad_vm_device *const *all, size_t n, struct lad_vm_inbox *in)
{
    struct lad_vm_device **todo = malloc(n * sizeof *todo);
    struct lad_gpu *gpu = n ? all[0]->gpu : NULL;
    uint64_t bytes = 0;
    bool ok = todo;
    for (size_t i = 0; i < n && ok; i++) {
        todo[i] = all[i];
        bytes += all_bytes(all[i]);
        ok = lad_vm_device_push(all[i]);
    }
    ok = ok && (!n || make_room(gpu, in, bytes));
    for (bool resume = false; ok && n; resume = true) {
        uint64_t at = 0;
        size_t left = 0;
        ok = !lad_vm_device_late(gpu);
        for (size_t i = 0; i < n && ok; i++)
            ok = lad_vm_device_record(todo[i], resume, i);
        ok = ok && lad_gpu_barrier(gpu);
        for (size_t i = 0; i < n && ok; i++)
            ok = collect(todo[i], in, &at);
        ok = ok && lad_gpu_barrier(gpu) && lad_gpu_wait(gpu) && lad_gpu_read(gpu, in->buf, 0, in->host, at);
        at = 0;
        for (size_t i = 0; i < n && ok; i++) {
            struct lad_vm_device *d = todo[i];
            if (!take(d, in->host + at))
                todo[left++] = d;
            at += all_bytes(d);
        }
        n = left;
    }
    free(todo);
    return ok;
}
