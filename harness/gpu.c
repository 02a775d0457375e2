/* SPDX-License-Identifier: Apache-2.0 */
/* Front of a backend: checks arguments once, supplies the optional members that a backend leaves out, turns deadlines
 * into waits, and, for the mutation check, drops calls of one kind below everything that a case can see. */
#include "harness.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *unit, *text;
} caps[] = {
#define CAP(sym, name, unit, text) {name, unit, text},
    LAD_CAPS(CAP)
#undef CAP
};

enum lad_cap lad_cap_find(const char *name)
{
    for (size_t i = 0; i < LAD_N(caps); i++)
        if (!strcmp(caps[i].name, name))
            return (enum lad_cap)i;
    return LAD_CAP_COUNT;
}

const char *lad_cap_name(enum lad_cap cap)
{
    return caps[cap].name;
}

const char *lad_cap_unit(enum lad_cap cap)
{
    return caps[cap].unit;
}

const char *lad_cap_text(enum lad_cap cap)
{
    return caps[cap].text;
}

const char *lad_cap_why(const struct lad_dev_info *info, enum lad_cap cap)
{
    return info->why[cap] ? info->why[cap] : "not offered by the device";
}

/* Every call into the backend starts from a clean lad_fail. */
static struct lad_fail *begin(struct lad_gpu *gpu)
{
    memset(&gpu->fail, 0, sizeof gpu->fail);
    return &gpu->fail;
}

/* A wrong argument is a mistake of the harness or of a case; it is reported like a failed call, with the place. */
static bool refuse(struct lad_gpu *gpu, const char *call, const char *format, uint64_t a, uint64_t b)
{
    snprintf(gpu->fail.call, sizeof gpu->fail.call, "%s", call);
    snprintf(gpu->fail.code, sizeof gpu->fail.code, "INVALID_ARGUMENT");
    snprintf(gpu->fail.text, sizeof gpu->fail.text, format, (unsigned long long)a, (unsigned long long)b);
    return false;
}

static bool dropped(struct lad_gpu *gpu, enum lad_drop kind)
{
    if (gpu->drop != kind)
        return false;
    gpu->n_dropped++;
    return true;
}

bool lad_gpu_open(struct lad_gpu *gpu, const struct lad_backend *backend, size_t index, const struct lad_dev_info *info)
{
    uint64_t start = lad_now_ns();
    enum lad_drop drop = gpu->drop;
    *gpu = (struct lad_gpu){.backend = backend, .drop = drop, .info = *info};
    if (backend->abi != LAD_BACKEND_ABI)
        return refuse(gpu, "open", "backend has ABI %llu, this program was built for %llu", backend->abi,
                      LAD_BACKEND_ABI);
    lad_flight_enter(LAD_CALL_OPEN, NULL);
    gpu->dev = backend->open(index, begin(gpu));
    lad_flight_leave(gpu->dev);
    gpu->open_ns = lad_now_ns() - start;
    lad_flight_opened();
    return gpu->dev;
}

enum { /* bytes behind the last member of struct lad_kernel_desc */
       desc_padding = sizeof(struct lad_kernel_desc) - offsetof(struct lad_kernel_desc, constant) - 2 * sizeof(uint32_t)
};
enum { MOST_KEPT = 12 }; /* kernels kept from one case to the next */
struct lad_kept {
    struct lad_kept *next;
    struct lad_kernel_desc desc;
    struct lad_kernel *kernel;
};

void lad_gpu_close(struct lad_gpu *gpu)
{
    lad_flight_enter(LAD_CALL_CLOSE, NULL);
    for (struct lad_kept *k = gpu->kept, *next; k; k = next) {
        next = k->next;
        gpu->backend->kernel_destroy(gpu->dev, k->kernel);
        free(k);
    }
    if (gpu->dev)
        gpu->backend->close(gpu->dev);
    gpu->kept = NULL;
    gpu->dev = NULL;
    lad_flight_leave(true);
}

/* Memory that drivers hold for kernels that nobody asks for any more makes every later one slower to build. */
void lad_gpu_trim(struct lad_gpu *gpu)
{
    struct lad_kept **at = &gpu->kept, *k;
    for (int n = 0; *at && n < MOST_KEPT; n++)
        at = &(*at)->next;
    lad_flight_enter(LAD_CALL_FREE, NULL);
    while (!gpu->n_recorded && (k = *at)) {
        *at = k->next;
        gpu->backend->kernel_destroy(gpu->dev, k->kernel);
        free(k);
    }
    lad_flight_leave(true);
}

struct lad_kernel *lad_gpu_kernel(struct lad_gpu *gpu, const struct lad_kernel_desc *desc)
{
    for (struct lad_kept **at = &gpu->kept, *k; (k = *at); at = &k->next)
        if (k->desc.source == desc->source &&
            !memcmp(k->desc.local, desc->local,
                    sizeof *desc - offsetof(struct lad_kernel_desc, local) - desc_padding)) {
            *at = k->next; /* last used, first kept */
            k->next = gpu->kept;
            gpu->kept = k;
            return k->kernel;
        }
    begin(gpu);
    if (desc->source->scalar_bytes > gpu->info.cap[LAD_CAP_SCALAR_BYTES]) {
        refuse(gpu, "kernel_create", "%llu bytes of scalars, the device takes %llu", desc->source->scalar_bytes,
               gpu->info.cap[LAD_CAP_SCALAR_BYTES]);
        gpu->fail.unsupported = true;
        return NULL;
    }
    lad_flight_enter(LAD_CALL_BUILD, desc->source->name);
    struct lad_kernel *kernel = gpu->backend->kernel_create(gpu->dev, desc, begin(gpu));
    lad_flight_leave(kernel);
    struct lad_kept *k = kernel ? malloc(sizeof *k) : NULL;
    if (!k)
        return NULL;
    *k = (struct lad_kept){gpu->kept, *desc, kernel};
    gpu->kept = k;
    return kernel;
}

struct lad_buf *lad_gpu_buf(struct lad_gpu *gpu, const struct lad_buf_desc *desc)
{
    begin(gpu);
    if (desc->bytes == 0 || desc->mem >= LAD_MEM_COUNT)
        return refuse(gpu, "buf_create", "%llu bytes of memory kind %llu", desc->bytes, desc->mem), NULL;
    lad_flight_enter(LAD_CALL_CREATE, NULL);
    struct lad_buf *buf = gpu->backend->buf_create(gpu->dev, desc, &gpu->fail);
    lad_flight_leave(buf);
    return buf;
}

void lad_gpu_free(struct lad_gpu *gpu, struct lad_buf *buf)
{
    if (!gpu->dev)
        return;
    lad_flight_enter(LAD_CALL_FREE, NULL);
    gpu->backend->buf_destroy(gpu->dev, buf);
    lad_flight_leave(true);
}

static bool idle(struct lad_gpu *gpu)
{
    return !gpu->n_recorded || lad_gpu_wait(gpu);
}

bool lad_gpu_plant(struct lad_gpu *gpu, struct lad_buf *buf, uint64_t offset, const void *data, size_t bytes)
{
    if (!idle(gpu))
        return false;
    lad_flight_enter(LAD_CALL_WRITE, NULL);
    return lad_flight_leave(!bytes || gpu->backend->buf_write(gpu->dev, buf, offset, data, bytes, begin(gpu)));
}

bool lad_gpu_upload(struct lad_gpu *gpu, struct lad_buf *buf, uint64_t offset, const void *data, size_t bytes)
{
    return dropped(gpu, LAD_DROP_UPLOAD) || lad_gpu_plant(gpu, buf, offset, data, bytes);
}

bool lad_gpu_read(struct lad_gpu *gpu, struct lad_buf *buf, uint64_t offset, void *data, size_t bytes)
{
    if (!idle(gpu))
        return false;
    lad_flight_enter(LAD_CALL_READ, NULL);
    return lad_flight_leave(!bytes || gpu->backend->buf_read(gpu->dev, buf, offset, data, bytes, begin(gpu)));
}

static const char *name_of(const struct lad_gpu *gpu, const struct lad_kernel *kernel)
{
    const struct lad_kept *k = gpu->kept;
    while (k && k->kernel != kernel)
        k = k->next;
    return k ? k->desc.source->name : NULL;
}

bool lad_gpu_dispatch(struct lad_gpu *gpu, const struct lad_dispatch *d)
{
    begin(gpu);
    for (int i = 0; i < 3; i++)
        if (d->base[i] && !gpu->info.cap[LAD_CAP_BASE_OFFSET])
            return refuse(gpu, "dispatch", "base %llu in dimension %llu, the device has no base offset", d->base[i],
                          (unsigned)i);
    if (d->indirect && !gpu->info.cap[LAD_CAP_INDIRECT])
        return refuse(gpu, "dispatch", "indirect at %llu, the device has no indirect dispatch%.0llu",
                      d->indirect_offset, 0);
    if (dropped(gpu, LAD_DROP_DISPATCH))
        return true;
    gpu->n_recorded++;
    lad_flight_enter(LAD_CALL_DISPATCH, name_of(gpu, d->kernel));
    return lad_flight_leave(gpu->backend->dispatch(gpu->dev, d, &gpu->fail));
}

bool lad_gpu_fill(struct lad_gpu *gpu, struct lad_buf *buf, uint64_t offset, uint64_t bytes, uint32_t word)
{
    begin(gpu);
    if (offset % 4 || bytes % 4)
        return refuse(gpu, "fill", "offset %llu, %llu bytes: expected multiples of 4", offset, bytes);
    if (!bytes)
        return true;
    if (gpu->backend->fill) {
        gpu->n_recorded++;
        lad_flight_enter(LAD_CALL_FILL, NULL);
        return lad_flight_leave(gpu->backend->fill(gpu->dev, buf, offset, bytes, word, &gpu->fail));
    }
    uint32_t block[1024];
    for (size_t i = 0; i < LAD_N(block); i++)
        block[i] = word;
    for (uint64_t done = 0; done < bytes; done += sizeof block)
        if (!lad_gpu_plant(gpu, buf, offset + done, block, bytes - done < sizeof block ? bytes - done : sizeof block))
            return false;
    return true;
}

bool lad_gpu_copy(struct lad_gpu *gpu, struct lad_buf *src, uint64_t src_offset, struct lad_buf *dst,
                  uint64_t dst_offset, uint64_t bytes)
{
    begin(gpu);
    if (src_offset % 4 || dst_offset % 4 || bytes % 4)
        return refuse(gpu, "copy", "offsets or size are no multiples of 4: %llu, %llu", src_offset, dst_offset);
    if (!bytes)
        return true;
    if (gpu->backend->copy) {
        gpu->n_recorded++;
        lad_flight_enter(LAD_CALL_COPY, NULL);
        return lad_flight_leave(gpu->backend->copy(gpu->dev, src, src_offset, dst, dst_offset, bytes, &gpu->fail));
    }
    char block[65536];
    for (uint64_t done = 0, n; done < bytes; done += n) {
        n = bytes - done < sizeof block ? bytes - done : sizeof block;
        if (!lad_gpu_read(gpu, src, src_offset + done, block, n) ||
            !lad_gpu_plant(gpu, dst, dst_offset + done, block, n))
            return false;
    }
    return true;
}

/* For a case's own transfers: fill and copy that the mutation check can take away. */
bool lad_gpu_case_fill(struct lad_gpu *gpu, struct lad_buf *buf, uint64_t offset, uint64_t bytes, uint32_t word)
{
    return dropped(gpu, LAD_DROP_TRANSFER) || lad_gpu_fill(gpu, buf, offset, bytes, word);
}

bool lad_gpu_case_copy(struct lad_gpu *gpu, struct lad_buf *src, uint64_t src_offset, struct lad_buf *dst,
                       uint64_t dst_offset, uint64_t bytes)
{
    return dropped(gpu, LAD_DROP_TRANSFER) || lad_gpu_copy(gpu, src, src_offset, dst, dst_offset, bytes);
}

bool lad_gpu_barrier(struct lad_gpu *gpu)
{
    if (!gpu->n_recorded || !gpu->backend->barrier)
        return true;
    lad_flight_enter(LAD_CALL_BARRIER, NULL);
    return lad_flight_leave(gpu->backend->barrier(gpu->dev, begin(gpu)));
}

static uint64_t time_left(const struct lad_gpu *gpu)
{
    uint64_t now = lad_now_ns();
    return !gpu->deadline_ns ? UINT64_MAX : gpu->deadline_ns > now ? gpu->deadline_ns - now : 1;
}

bool lad_gpu_wait(struct lad_gpu *gpu)
{
    gpu->n_recorded = 0;
    memset(&gpu->times, 0, sizeof gpu->times);
    lad_flight_enter(LAD_CALL_WAIT, NULL);
    if (!lad_flight_leave(gpu->backend->wait(gpu->dev, time_left(gpu), begin(gpu))))
        return false;
    return !gpu->timed || !gpu->backend->times || gpu->backend->times(gpu->dev, &gpu->times);
}

bool lad_gpu_submit(struct lad_gpu *gpu)
{
    if (!gpu->backend->submit)
        return true;
    lad_flight_enter(LAD_CALL_SUBMIT, NULL);
    return lad_flight_leave(gpu->backend->submit(gpu->dev, begin(gpu)));
}

bool lad_gpu_finish(struct lad_gpu *gpu)
{
    if (!gpu->backend->finish)
        return lad_gpu_wait(gpu);
    lad_flight_enter(LAD_CALL_FINISH, NULL);
    return lad_flight_leave(gpu->backend->finish(gpu->dev, begin(gpu)));
}

void *lad_gpu_map(struct lad_gpu *gpu, struct lad_buf *buf, bool write)
{
    if (!idle(gpu))
        return NULL;
    begin(gpu);
    if (!gpu->backend->map) {
        refuse(gpu, "map", "this backend does not map memory%.0llu%.0llu", 0, 0);
        gpu->fail.unsupported = true;
        return NULL;
    }
    lad_flight_enter(LAD_CALL_MAP, NULL);
    void *map = gpu->backend->map(gpu->dev, buf, write, &gpu->fail);
    lad_flight_leave(map);
    return map;
}

bool lad_gpu_unmap(struct lad_gpu *gpu, struct lad_buf *buf)
{
    lad_flight_enter(LAD_CALL_UNMAP, NULL);
    return lad_flight_leave(gpu->backend->unmap(gpu->dev, buf, begin(gpu)));
}
