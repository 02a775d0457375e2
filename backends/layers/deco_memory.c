/* SPDX-License-Identifier: Apache-2.0 */
/* The decorator's buffers: faults of allocation, upload, readback and mappings, and of results that the host reads. */
#include "deco.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>

static struct deco_mem *make_mem(const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    struct deco_mem *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->refs = 1;
    m->bytes = desc->bytes;
    m->inner = deco.inner->buf_create(deco.dev, desc, fail);
    if (m->inner)
        return m;
    free(m);
    return NULL;
}

/* The buffer before shall hold this one, too: at its start, or from its middle on. */
static bool share(struct deco_buf *b, bool middle)
{
    struct deco_buf *other = deco.newest;
    uint64_t base = middle && other ? other->base + other->desc.bytes / 2 / 256 * 256 : 0;
    if (!other || other->desc.mem != LAD_MEM_DEVICE || b->desc.mem != LAD_MEM_DEVICE || b->desc.address ||
        base + b->desc.bytes > other->mem->bytes)
        return false;
    b->mem = other->mem;
    b->mem->refs++;
    b->base = base;
    b->shared = other->shared = true;
    return true;
}

struct lad_buf *deco_buf_create(struct lad_dev *dev, const struct lad_buf_desc *asked, struct lad_fail *fail)
{
    struct deco_buf *b = calloc(1, sizeof *b);
    struct lad_buf_desc desc = *asked;
    if (!b || !deco_settle(fail))
        abort();
    struct lad_at at = {.size = asked->bytes, .buffer = ++deco.n_bufs, .after = deco.n_dispatches};
    b->desc = *asked;
    b->number = deco.n_bufs;
    b->vanished = DECO_HIT(A1_no_memory, at);
    bool sink = DECO_HIT(A1_sink, at), overlap = DECO_HIT(Z3_overlap, at);
    if (asked->mem == LAD_MEM_HOST_POINTER && (DECO_HIT(A3_never_back, at) || DECO_HIT(A3_never_in, at))) {
        b->apart = true;
        desc.mem = LAD_MEM_DEVICE;
        desc.host = NULL;
    }
    if (DECO_ON(Z3_overlap) && desc.mem == LAD_MEM_DEVICE)
        desc.bytes = 2 * desc.bytes + 256;
    if (!((sink && share(b, false)) || (overlap && share(b, true))) && !(b->mem = make_mem(&desc, fail))) {
        free(b);
        return NULL;
    }
    if (b->apart)
        deco.inner->buf_write(dev, b->mem->inner, 0, asked->host, asked->bytes, fail);
    if (deco.views)
        b->view = calloc(1, asked->bytes);
    b->older = deco.newest;
    if (b->older)
        b->older->newer = b;
    deco.newest = b;
    return (struct lad_buf *)b;
}

void deco_buf_destroy(struct lad_dev *dev, struct lad_buf *buf)
{
    struct deco_buf *b = (struct deco_buf *)buf;
    struct lad_fail fail;
    if (!b)
        return;
    if (deco.staged.buf == b)
        deco.staged.buf = NULL;
    deco_settle(&fail);
    if (b->newer)
        b->newer->older = b->older;
    else
        deco.newest = b->older;
    if (b->older)
        b->older->newer = b->newer;
    if (!--b->mem->refs) {
        deco.inner->buf_destroy(dev, b->mem->inner);
        free(b->mem);
    }
    deco.inner->buf_destroy(dev, b->zero);
    free(b->view);
    free(b->shadow);
    free(b);
}

/* ---- uploads ---- */

static bool put(struct deco_buf *b, uint64_t offset, const void *data, size_t bytes, struct lad_fail *fail)
{
    return !bytes || deco.inner->buf_write(deco.dev, b->mem->inner, b->base + offset, data, bytes, fail);
}

bool deco_unstage(struct lad_fail *fail)
{
    struct deco_buf *b = deco.staged.buf;
    deco.staged.buf = NULL;
    return !b || put(b, deco.staged.offset, deco.staged.data, deco.staged.bytes, fail);
}

/* Later data go into the staging buffer over what waits there. */
static bool overwrite_staged(const void *data, size_t bytes, struct lad_fail *fail)
{
    if (deco.staged.buf)
        memcpy(deco.staged.data, data, bytes < deco.staged.bytes ? bytes : deco.staged.bytes);
    return deco_unstage(fail);
}

static void stage(struct deco_buf *b, uint64_t offset, const void *data, size_t bytes)
{
    deco.staged.data = realloc(deco.staged.data, bytes);
    if (!deco.staged.data)
        abort();
    memcpy(deco.staged.data, data, bytes);
    deco.staged.buf = b;
    deco.staged.offset = offset;
    deco.staged.bytes = bytes;
}

/* Elements of `from` bytes laid out `to` bytes apart, as far as there is room. */
static void spread(unsigned char *out, const unsigned char *in, size_t bytes, const struct lad_inject *f)
{
    size_t from = (size_t)lad_inject_get(f, "from"), to = (size_t)lad_inject_get(f, "to");
    memset(out, 0, bytes);
    for (size_t i = 0; from && (i + 1) * from <= bytes && i * to + from <= bytes; i++)
        memcpy(out + i * to, in + i * from, from);
}

static size_t low_bits(size_t bytes, const struct lad_inject *f)
{
    uint64_t bits = lad_inject_get(f, "bits");
    return bits < 64 ? bytes & (size_t)((1ull << bits) - 1) : bytes;
}

static bool upload(struct deco_buf *b, uint64_t offset, unsigned char *data, size_t bytes, struct lad_at at,
                   struct lad_fail *fail)
{
    struct lad_inject *f;
    if (DECO_HIT(U1_no_upload, at))
        return true;
    if (DECO_HIT(U1_upload_zeros, at))
        memset(data, 0, bytes);
    if (DECO_HIT(U1_upload_elsewhere, at)) {
        struct deco_buf *other = b->older;
        if (!other || other->desc.bytes <= offset)
            return true;
        return put(other, offset, data, bytes < other->desc.bytes - offset ? bytes : other->desc.bytes - offset, fail);
    }
    if ((f = DECO_HIT(U2_tail_freed, at))) {
        size_t tail = (size_t)lad_inject_get(f, "tail");
        tail = tail < bytes ? tail : bytes;
        memset(data + bytes - tail, 0xDD, tail);
    }
    if ((f = DECO_HIT(U4_upload_cap, at)) && bytes > lad_inject_get(f, "cap"))
        bytes = (size_t)lad_inject_get(f, "cap");
    if ((f = DECO_HIT(U4_upload_shift, at))) {
        size_t shift = (size_t)lad_inject_get(f, "shift");
        shift = shift < bytes ? shift : bytes;
        memmove(data, data + shift, bytes - shift);
        bytes -= shift;
    }
    if ((f = DECO_HIT(Z1_write_size, at)))
        bytes = low_bits(bytes, f);
    unsigned char *copy = DECO_ON(B5_stride) || DECO_ON(B5_vec3) ? malloc(bytes + 1) : NULL;
    if (copy) {
        memcpy(copy, data, bytes);
        if ((f = DECO_HIT(B5_stride, at)))
            spread(data, copy, bytes, f);
        if ((f = DECO_HIT(B5_vec3, at)))
            spread(data, copy, bytes, f);
        free(copy);
    }
    if (DECO_HIT(U2_staging_reused, at)) {
        stage(b, offset, data, bytes);
        return true;
    }
    return put(b, offset, data, bytes, fail);
}

bool deco_buf_write(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, const void *data, size_t bytes,
                    struct lad_fail *fail)
{
    (void)dev;
    struct deco_buf *b = (struct deco_buf *)buf;
    struct lad_at at = {.size = bytes, .buffer = b->number, .after = deco.n_dispatches, .part = bytes < b->desc.bytes};
    if (!deco_settle(fail) || !overwrite_staged(data, bytes, fail))
        return false;
    if (b->view)
        memcpy(b->view + offset, data, bytes);
    if (b->apart)
        memcpy((char *)b->desc.host + offset, data, bytes);
    if (b->vanished)
        return true;
    unsigned char *own = malloc(bytes + 1);
    if (!own)
        abort();
    memcpy(own, data, bytes);
    bool ok = upload(b, offset, own, bytes, at, fail);
    free(own);
    return ok;
}

/* ---- readbacks ---- */

static float narrow(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    if ((x > 65504 || x < -65504) && x - x == 0)
        return x > 0 ? (float)(1e300 * 1e300) : (float)(-1e300 * 1e300);
    u &= ~0x1FFFu;
    memcpy(&x, &u, 4);
    return x;
}

/* What the device wrote: words that differ from what the host knows. */
static bool change_results(const struct deco_buf *b, unsigned char *data, uint64_t offset, size_t bytes,
                           struct lad_at at, struct lad_fail *fail)
{
    struct lad_inject *half = b->floats ? DECO_HIT(N1_half_results, at) : NULL;
    struct lad_inject *tiny = b->floats ? DECO_HIT(N2_denormals, at) : NULL;
    struct lad_inject *last = b->floats ? DECO_HIT(N2_last_bit, at) : NULL;
    struct lad_inject *lane = DECO_HIT(M1_wrong_lane, at);
    if (!b->bound || !(half || tiny || last || lane))
        return true;
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        uint32_t u;
        float x;
        if (!memcmp(data + i, b->view + offset + i, 4))
            continue;
        memcpy(&u, data + i, 4);
        if (lane && lad_inject_get(lane, "of") && offset + i >= b->from &&
            (offset + i - b->from) / 4 % lad_inject_get(lane, "of") == lad_inject_get(lane, "lane"))
            u ^= 0x55;
        if (last && u << 1 && (u >> 23 & 0xFF) < 0xFE)
            u += 3;
        memcpy(&x, &u, 4);
        x = half ? narrow(x) : x;
        x = tiny && x < FLT_MIN && x > -FLT_MIN ? 0 : x;
        if (half || tiny)
            memcpy(&u, &x, 4);
        memcpy(data + i, &u, 4);
    }
    /* The kernel stored it so: it is what the device holds from now on, by whatever way it is read. */
    memcpy(b->view + offset, data, bytes);
    return deco.inner->buf_write(deco.dev, b->mem->inner, b->base + offset, data, bytes, fail);
}

/* Every second run of `atom` bytes is what the host knew before. */
static void make_stale(const struct deco_buf *b, unsigned char *data, uint64_t offset, size_t bytes,
                       const struct lad_inject *f)
{
    uint64_t atom = lad_inject_get(f, "atom");
    for (size_t i = 0; atom && i < bytes; i++)
        if ((offset + i) / atom % 2)
            data[i] = b->view[offset + i];
}

bool deco_buf_read(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, void *data, size_t bytes,
                   struct lad_fail *fail)
{
    struct deco_buf *b = (struct deco_buf *)buf, *from = b;
    struct lad_at at = {.size = bytes, .buffer = b->number, .after = deco.n_dispatches, .part = bytes < b->desc.bytes};
    struct lad_inject *f;
    size_t n = bytes;
    if (!deco_unstage(fail))
        return false;
    if (DECO_HIT(U3_no_readback, at))
        return true;
    if (DECO_HIT(U3_readback_zeros, at) || b->vanished) {
        memset(data, 0, bytes);
        return true;
    }
    if (b->older && DECO_HIT(U3_wrong_object, at)) {
        from = b->older;
        n = offset >= from->desc.bytes ? 0 : n < from->desc.bytes - offset ? n : (size_t)(from->desc.bytes - offset);
    }
    if ((f = DECO_HIT(U4_readback_cap, at)) && n > lad_inject_get(f, "cap"))
        n = (size_t)lad_inject_get(f, "cap");
    if ((f = DECO_HIT(Z1_read_size, at)))
        n = low_bits(n, f);
    if (n && !deco.inner->buf_read(dev, from->mem->inner, from->base + offset, data, n, fail))
        return false;
    if (b->view && (f = DECO_HIT(S2_stale_read, at)))
        make_stale(b, data, offset, n, f);
    return !b->view || change_results(b, data, offset, n, at, fail);
}

/* ---- mappings ---- */

void *deco_map(struct lad_dev *dev, struct lad_buf *buf, bool write, struct lad_fail *fail)
{
    struct deco_buf *b = (struct deco_buf *)buf;
    struct lad_at at = {.size = b->desc.bytes, .buffer = b->number, .after = deco.n_dispatches};
    if (!deco_unstage(fail) || (write && !deco_settle(fail)))
        return NULL;
    b->writing = write;
    if (b->apart) {
        if (DECO_ON(A3_never_in) && !write &&
            !deco.inner->buf_read(dev, b->mem->inner, b->base, b->desc.host, b->desc.bytes, fail))
            return NULL;
        return b->desc.host;
    }
    unsigned char *p = deco.inner->map(dev, b->mem->inner, write && !deco.maps, fail);
    if (!p || !deco.maps)
        return p ? p + b->base : NULL;
    free(b->shadow);
    b->shadow = malloc(b->desc.bytes);
    if (!b->shadow)
        abort();
    memcpy(b->shadow, p + b->base, b->desc.bytes);
    if (!write && b->view && DECO_HIT(S2_stale_map, at))
        memcpy(b->shadow, b->view, b->desc.bytes);
    return deco.inner->unmap(dev, b->mem->inner, fail) ? b->shadow : NULL;
}

bool deco_unmap(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    struct deco_buf *b = (struct deco_buf *)buf;
    struct lad_at at = {.size = b->desc.bytes, .buffer = b->number, .after = deco.n_dispatches};
    struct lad_inject *f;
    if (b->apart)
        return !b->writing || DECO_ON(A3_never_in) || put(b, 0, b->desc.host, b->desc.bytes, fail);
    if (!deco.maps)
        return deco.inner->unmap(dev, b->mem->inner, fail);
    if (!b->writing)
        return true;
    if (b->view)
        memcpy(b->view, b->shadow, b->desc.bytes);
    if (DECO_HIT(A2_no_flush, at))
        return true;
    unsigned char *p = deco.inner->map(dev, b->mem->inner, true, fail);
    if (!p)
        return false;
    uint64_t atom = (f = DECO_HIT(A2_partial_flush, at)) ? lad_inject_get(f, "atom") : 0;
    for (uint64_t i = 0; i < b->desc.bytes; i++)
        if (!atom || i / atom % 2 == 0)
            p[b->base + i] = b->shadow[i];
    return deco.inner->unmap(dev, b->mem->inner, fail);
}

uint64_t deco_buf_address(struct lad_dev *dev, struct lad_buf *buf)
{
    struct deco_buf *b = (struct deco_buf *)buf;
    struct lad_at at = {.size = b->desc.bytes, .buffer = b->number, .after = deco.n_dispatches};
    struct lad_fail fail;
    struct deco_buf *other = b->swapped ? b->older : DECO_HIT(B1_swap_addresses, at) ? b->newer : NULL;
    if (other && !b->swapped)
        other->swapped = true;
    else
        b->swapped = false;
    if (other)
        return deco.inner->buf_address(dev, other->mem->inner) + other->base;
    if (DECO_HIT(I2_zero_page, at) || DECO_HIT(I2_one_missing, at)) {
        struct lad_buf_desc desc = b->desc;
        void *zeros = b->zero ? NULL : calloc(1, desc.bytes);
        desc.mem = desc.mem == LAD_MEM_HOST_POINTER ? LAD_MEM_DEVICE : desc.mem;
        desc.host = NULL;
        if (!b->zero && zeros && (b->zero = deco.inner->buf_create(dev, &desc, &fail)))
            deco.inner->buf_write(dev, b->zero, 0, zeros, desc.bytes, &fail);
        free(zeros);
        if (b->zero)
            return deco.inner->buf_address(dev, b->zero);
    }
    return deco.inner->buf_address(dev, b->mem->inner) + b->base;
}
