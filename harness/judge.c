/* SPDX-License-Identifier: Apache-2.0 */
/* Reads everything back into planted memory and judges: oracles first, then witnesses, surroundings and markers. */
#include "../kernels/witness.h"
#include "point.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASKED_ELEMENTS (1u << 20) /* larger buffers are not summed up again */

static bool read_back(struct lad_point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct lad_obj *o = &p->obj[i];
        void *after = p->data[i].after;
        lad_flight_buffer(o->buf->name);
        lad_canary_fill(LAD_CANARY_HOST, (char *)after - o->front, o->front + o->total, 0 - o->front / 4);
        if (o->buf->mem == LAD_MEM_DEVICE) {
            if (!lad_gpu_read(p->gpu, o->gpu, 0, (char *)after - o->front, o->front + o->total))
                return lad_point_api_failed(p, lad_printf(p->arena, "reading buffer %s back", o->buf->name));
            continue;
        }
        const void *from = lad_gpu_map(p->gpu, o->gpu, false);
        if (!from)
            return lad_point_api_failed(p, lad_printf(p->arena, "mapping buffer %s to read it", o->buf->name));
        memcpy((char *)after - o->front, from, o->front + o->total);
        if (!lad_gpu_unmap(p->gpu, o->gpu))
            return lad_point_api_failed(p, "unmapping");
    }
    lad_flight_buffer(NULL);
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    if (p->witness)
        lad_canary_fill(LAD_CANARY_HOST, p->words, bytes, 0);
    return !p->witness || lad_gpu_read(p->gpu, p->witness, 0, p->words, bytes) ||
           lad_point_api_failed(p, "reading the witness");
}

/* In one batch a fill of one word and one of many: that only the small one is lost, or the large one ends early, is the
 * doing of the fill and not of the batch. */
static void try_filling_more(struct lad_point *p)
{
    enum { WORDS = 250 };
    const uint32_t word = 0x11223344u;
    uint32_t got[WORDS + 2] = {0}, n = 0;
    struct lad_buf_desc desc = {.bytes = sizeof got};
    struct lad_buf *buf = lad_gpu_buf(p->gpu, &desc);
    lad_canary_fill(LAD_CANARY_DEVICE, got, sizeof got, 0);
    if (buf && lad_gpu_plant(p->gpu, buf, 0, got, sizeof got) &&
        lad_gpu_fill(p->gpu, buf, (WORDS + 1) * 4, 4, word) && lad_gpu_fill(p->gpu, buf, 0, WORDS * 4, word) &&
        lad_gpu_wait(p->gpu) && lad_gpu_read(p->gpu, buf, 0, got, sizeof got)) {
        while (n < WORDS && got[n] == word)
            n++;
        if (n && (n < WORDS || got[WORDS + 1] != word))
            lad_observe(p->arena, p->r, LAD_OBS_M_SHORT, NULL, n * 4);
    }
    lad_gpu_free(p->gpu, buf);
}

/* A fill command that reaches its place and no other, but writes another word. */
static void try_filling(struct lad_point *p)
{
    const uint32_t word = 0x11223344u;
    uint32_t words[4], got[4] = {0};
    struct lad_buf_desc desc = {.bytes = sizeof words};
    struct lad_buf *buf = lad_gpu_buf(p->gpu, &desc);
    lad_canary_fill(LAD_CANARY_DEVICE, words, sizeof words, 0);
    if (buf && lad_gpu_plant(p->gpu, buf, 0, words, sizeof words) && lad_gpu_fill(p->gpu, buf, 4, 4, word) &&
        lad_gpu_wait(p->gpu) && lad_gpu_read(p->gpu, buf, 0, got, sizeof got) && got[0] == words[0] &&
        got[2] == words[2] && got[3] == words[3] && got[1] && got[1] != words[1] && got[1] != word)
        lad_observe(p->arena, p->r, LAD_OBS_M_WRONG, NULL, got[1]);
    lad_gpu_free(p->gpu, buf);
    try_filling_more(p);
}

static void check_markers(struct lad_point *p)
{
    uint32_t words[4];
    if (!p->marker)
        return;
    lad_canary_fill(LAD_CANARY_HOST, words, sizeof words, 0);
    if (!lad_gpu_read(p->gpu, p->marker, 0, words, sizeof words)) {
        lad_point_api_failed(p, "reading the markers");
        return;
    }
    bool unread = words[0] == lad_canary_word(LAD_CANARY_HOST, 0);
    if (unread)
        lad_observe(p->arena, p->r, LAD_OBS_M_UNREAD, NULL, 0);
    if (!unread && words[0] != LAD_MARKER)
        try_filling(p);
    bool wrong = lad_observed(p->r, LAD_OBS_M_WRONG);
    p->gpu->landed = p->gpu->landed || wrong;
    for (uint32_t i = 0; i < 2; i++)
        if (words[i] == LAD_MARKER + i) {
            p->gpu->landed = true;
        } else {
            if (!unread && !wrong)
                lad_observe(p->arena, p->r, i && words[0] == LAD_MARKER ? LAD_OBS_M_AFTER_LOST : LAD_OBS_M_LOST, NULL,
                            0);
            lad_record_fact(p->arena, p->r, '!', "the fill command %s the steps, in the same batch, did not land",
                            i ? "after" : "before");
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.marker", "a fill command %s the steps did not land",
                           i ? "after" : "before");
        }
    if (!p->gpu->landed)
        lad_observe(p->arena, p->r, LAD_OBS_NONE_LANDED, NULL, 0);
    if (p->r->status != LAD_STATUS_MISSING && words[0] == LAD_MARKER && words[1] == LAD_MARKER + 1) {
        lad_observe(p->arena, p->r, LAD_OBS_M_LANDED, NULL, 0);
        lad_record_fact(p->arena, p->r, '+', "fill commands before and after the steps, in the same batch, landed");
    }
}

/* Where the host's own mark begins that stands up to the end of what was read. */
static void observe_short_read(struct lad_point *p, const struct lad_obj *o)
{
    const char *after = (const char *)p->data[o - p->obj].after - o->front;
    uint64_t whole = o->front + o->total, came = whole;
    for (uint32_t word; came >= 4; came -= 4) {
        memcpy(&word, after + came - 4, sizeof word);
        if (word != lad_canary_word(LAD_CANARY_HOST, (came - 4) / 4 - o->front / 4))
            break;
    }
    lad_observe_remainder(p, came, whole);
}

static void observe_zone(struct lad_point *p, const struct lad_obj *o, bool behind, uint64_t end)
{
    const struct lad_data *d = &p->data[o - p->obj];
    uint32_t before[LAD_REDZONE / 4], after[LAD_REDZONE / 4];
    size_t unread = 0, kept = 0;
    memcpy(before, (const char *)d->before + end, sizeof before);
    memcpy(after, (const char *)d->after + end, sizeof after);
    for (size_t i = 0; behind && i < LAD_N(after); i++) {
        unread += after[i] == lad_canary_word(LAD_CANARY_HOST, end / 4 + i);
        kept += after[i] == before[i];
    }
    lad_observe(p->arena, p->r,
                unread && unread + kept == LAD_N(after) ? LAD_OBS_RED_UNREAD
                : behind                                ? LAD_OBS_RED_BEHIND
                                                        : LAD_OBS_RED_AHEAD,
                o->buf->name, 0);
    if (unread && unread + kept == LAD_N(after))
        observe_short_read(p, o);
    if (behind && !kept && !unread)
        lad_observe(p->arena, p->r, LAD_OBS_RED_WHOLE, o->buf->name, 0);
}

static void check_surroundings(struct lad_point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct lad_obj *o = &p->obj[i];
        const char *before = p->data[i].before, *after = p->data[i].after;
        uint64_t end = (o->bytes + 3) & ~3ull;
        bool behind = memcmp(before + end, after + end, o->total - end),
             ahead = memcmp(before - o->front, after - o->front, o->front);
        if (behind || ahead) {
            observe_zone(p, o, behind, end);
            const char *where = behind ? "behind" : "ahead of";
            lad_record_fact(p->arena, p->r, '!', "the canary %s buffer %s was overwritten", where, o->buf->name);
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.redzone", "memory %s buffer %s was overwritten",
                           where, o->buf->name);
        }
        if (o->buf->role == LAD_INPUT && memcmp(p->data[i].written ? p->data[i].written : before, after, o->bytes)) {
            lad_record_fact(p->arena, p->r, '!', "input buffer %s is not what was uploaded any more", o->buf->name);
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.input-changed",
                           "input buffer %s is not what was uploaded: lost on the way, or overwritten", o->buf->name);
        }
    }
}

static const char *show(struct lad_arena *arena, enum lad_type type, uint64_t bits)
{
    float f;
    double d;
    memcpy(&f, &bits, sizeof f);
    memcpy(&d, &bits, sizeof d);
    switch (type) {
    case LAD_F32:
        return lad_printf(arena, "%.9g", (double)f);
    case LAD_F64:
        return lad_printf(arena, "%.17g", d);
    case LAD_I32:
        return lad_printf(arena, "%d", (int32_t)bits);
    case LAD_I64:
        return lad_printf(arena, "%lld", (long long)bits);
    default:
        return lad_printf(arena, "%llu", (unsigned long long)bits);
    }
}

static const char *token_of(const struct lad_seen *s)
{
    if (!strncmp(s->signature, "all ", 4)) {
        const char *word = strstr(s->signature, "zero")          ? "all-zero"
                           : strstr(s->signature, "as before")   ? "all-canary"
                           : strstr(s->signature, "host canary") ? "all-host-canary"
                                                                 : "all-wrong";
        return word;
    }
    return !strncmp(s->signature, "right up to", 11) ? "prefix"
           : strstr(s->signature, "of every")        ? "periodic"
                                                     : "partial";
}

static void check_expects(struct lad_point *p)
{
    for (size_t i = 0; i < p->c->n_expects; i++) {
        const struct lad_expect *e = &p->c->expects[i];
        struct lad_obj *o = lad_point_obj(p, e->buf);
        const struct lad_data *out = &p->data[o - p->obj];
        struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
        struct lad_seen *s = LAD_PUSH(p->arena, p->r->seen, p->r->n_seen);
        if (!lad_compare(p->arena, lad_oracle_find(e->oracle), &in, out, e->ulp, s))
            continue;
        const struct lad_diff *d = s->diff;
        lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, lad_printf(p->arena, "ladder.mismatch.%s", token_of(s)),
                       "%s: %s; element %llu is %s, expected %s", e->buf, s->signature, (unsigned long long)d->index,
                       show(p->arena, o->buf->type, d->actual), show(p->arena, o->buf->type, d->expected));
        if (s->n_checked < s->n)
            lad_record_fact(p->arena, p->r, '-',
                            "%llu of %llu elements of %s were compared, the others only for having been written",
                            (unsigned long long)s->n_checked, (unsigned long long)s->n, e->buf);
    }
}

uint32_t lad_point_sum_words(const void *data, uint32_t n)
{
    const uint32_t *words = data;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += words[i] * (2 * i + 1);
    return sum;
}

static bool put_words(struct lad_point *p, struct lad_buf *buf, enum lad_mem mem, uint32_t *words, size_t bytes)
{
    void *to = mem == LAD_MEM_DEVICE ? NULL : lad_gpu_map(p->gpu, buf, true);
    if (mem == LAD_MEM_DEVICE)
        return lad_gpu_plant(p->gpu, buf, 0, words, bytes);
    if (to)
        memcpy(to, words, bytes);
    return to && lad_gpu_unmap(p->gpu, buf);
}

static bool get_words(struct lad_point *p, struct lad_buf *buf, enum lad_mem mem, uint32_t *words, size_t bytes)
{
    const void *from = mem == LAD_MEM_DEVICE ? NULL : lad_gpu_map(p->gpu, buf, false);
    if (mem == LAD_MEM_DEVICE)
        return lad_gpu_read(p->gpu, buf, 0, words, bytes);
    if (from)
        memcpy(words, from, bytes);
    return from && lad_gpu_unmap(p->gpu, buf);
}

/* The two words of the sum come back by way of this memory. */
static bool sum_into(struct lad_point *p, struct lad_buf *buf, uint64_t offset, uint32_t n, enum lad_mem mem,
                     uint32_t *sum)
{
    struct lad_kernel_desc desc;
    struct lad_buf_desc pair = {.bytes = 65536, .mem = mem}; /* a wrong kernel in its place must do no harm */
    uint32_t scalars[3] = {n, 0, 1}, words[2] = {0, 0};
    struct lad_buf *out = lad_gpu_buf(p->gpu, &pair);
    memset(&desc, 0, sizeof desc);
    desc.source = lad_kernel_find("checksum");
    desc.local[0] = 64;
    desc.local[1] = desc.local[2] = 1;
    struct lad_bind binds[] = {{buf, offset, 0}, {out, 0, 0}};
    struct lad_dispatch d = {.groups = {(n + 63) / 64, 1, 1}, .binds = binds, .scalars = scalars};
    enum lad_drop drop = p->gpu->drop;
    p->gpu->drop = LAD_DROP_NONE; /* an instrument, not the case */
    bool ok = out && put_words(p, out, mem, words, sizeof words) && (d.kernel = lad_gpu_kernel(p->gpu, &desc)) &&
              lad_gpu_dispatch(p->gpu, &d) && lad_gpu_wait(p->gpu) && get_words(p, out, mem, words, sizeof words) &&
              words[1] == n;
    p->gpu->drop = drop;
    lad_gpu_free(p->gpu, out);
    *sum = words[0];
    return ok;
}

/* What the device itself says that the buffer holds (kernels/checksum.k), so that four bytes have to come back whole:
 * by the read that all buffers take, or where that fails through a mapping, without any transfer. */
bool lad_point_sum(struct lad_point *p, struct lad_buf *buf, uint64_t offset, uint32_t n, uint32_t *sum)
{
    const uint64_t *cap = p->gpu->info.cap;
    return sum_into(p, buf, offset, n, LAD_MEM_DEVICE, sum) ||
           (cap[LAD_CAP_MEM_COHERENT] && sum_into(p, buf, offset, n, LAD_MEM_COHERENT, sum)) ||
           (!cap[LAD_CAP_MEM_COHERENT] && cap[LAD_CAP_MEM_MAPPED] && sum_into(p, buf, offset, n, LAD_MEM_MAPPED, sum));
}

/* An instrument that contradicts everything else is tried on what is known. */
static bool can_sum(struct lad_point *p)
{
    struct lad_buf_desc desc = {.bytes = 256};
    uint32_t words[64], sum = 0;
    struct lad_buf *buf = lad_gpu_buf(p->gpu, &desc);
    lad_canary_fill(LAD_CANARY_INPUT, words, sizeof words, 0);
    bool lies = buf && lad_gpu_plant(p->gpu, buf, 0, words, sizeof words) &&
                lad_point_sum(p, buf, 0, LAD_N(words), &sum) && sum != lad_point_sum_words(words, LAD_N(words));
    lad_gpu_free(p->gpu, buf);
    return !lies;
}

/* Parts "the work was wrong" from "the host never saw it": the device sums up its own memory. */
static void ask_device(struct lad_point *p, const struct lad_expect *e, struct lad_obj *o)
{
    const struct lad_data *d = &p->data[o - p->obj];
    uint32_t sum = 0, n = (uint32_t)(o->bytes / 4), bytes = lad_type_bytes(o->buf->type);
    struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
    if (!n || d->n > ASKED_ELEMENTS)
        return;
    char *right = lad_point_memory(o->bytes + 4);
    for (uint64_t i = 0; i < d->n; i++) {
        uint64_t bits = lad_oracle_find(e->oracle)->at(&in, d, i);
        memcpy(right + i * bytes, &bits, bytes);
    }
    /* Marks differ from results by one constant, which sums of some lengths do not show. */
    while (n > 1 && lad_point_sum_words(right, n) == lad_point_sum_words(d->after, n) && memcmp(right, d->after, n * 4))
        n--;
    bool summed = lad_point_sum(p, o->gpu, o->front, n, &sum);
    if (summed)
        lad_observe(p->arena, p->r, LAD_OBS_OTHER_KERNEL, NULL, 0);
    else {
        if (p->n_dispatches)
            lad_observe(p->arena, p->r, LAD_OBS_OTHER_KERNEL_NOT, NULL, 0);
        lad_record_fact(p->arena, p->r, '-', "the device could not sum up buffer %s itself", o->buf->name);
        free(right);
        return;
    }
    if (sum != lad_point_sum_words(right, n) && sum != lad_point_sum_words(d->after, n) && !can_sum(p)) {
        lad_observe(p->arena, p->r, LAD_OBS_SUM_LIES, NULL, 0);
        free(right);
        return;
    }
    lad_observe(p->arena, p->r,
                sum == lad_point_sum_words(right, n)      ? LAD_OBS_SUM_RIGHT
                : sum == lad_point_sum_words(d->after, n) ? LAD_OBS_SUM_READ
                                                          : LAD_OBS_SUM_NEITHER,
                o->buf->name, 0);
    if (sum == lad_point_sum_words(right, n))
        lad_record_fact(p->arena, p->r, '!',
                        "the device's own checksum of buffer %s is right: the work was done, the host does"
                        " not see it",
                        o->buf->name);
    else if (sum == lad_point_sum_words(d->after, n))
        lad_record_fact(p->arena, p->r, '+', "the device's own checksum of buffer %s agrees with what the host read",
                        o->buf->name);
    else
        lad_record_fact(p->arena, p->r, '!',
                        "the device's own checksum of buffer %s fits neither what was expected nor what"
                        " the host read",
                        o->buf->name);
    free(right);
}

/* Does the device still take work? */
static void submit_again(struct lad_point *p)
{
    const uint32_t mark = LAD_MARKER + 2;
    uint32_t word = 0;
    if (!p->marker)
        return;
    bool ok = false;
    for (int i = 0; !ok && i < 3; i++) /* one may be lost now and then */
        ok = lad_gpu_fill(p->gpu, p->marker, 8, 4, mark) && lad_gpu_wait(p->gpu) &&
             lad_gpu_read(p->gpu, p->marker, 8, &word, 4) && word == mark;
    if (!ok && word && lad_observed(p->r, LAD_OBS_M_WRONG))
        return;
    lad_observe(p->arena, p->r, ok ? LAD_OBS_LATER_LANDED : LAD_OBS_LATER_LOST, NULL, 0);
    if (!ok && lad_point_hear_clock(p)) {
        lad_observe(p->arena, p->r, LAD_OBS_CLOCK_RAN, NULL, 0);
        lad_point_write_grid(p);
    }
    lad_record_fact(p->arena, p->r, ok ? '+' : '!', "a fill command in a later batch %s",
                    ok ? "landed" : "did not land");
}

/* All of it, as it was read the first time: what depends on the size must show again. */
static bool read_as_before(struct lad_point *p, struct lad_obj *o, void *to)
{
    uint64_t whole = o->front + o->total;
    char *all = lad_point_memory(whole);
    lad_canary_fill(LAD_CANARY_HOST, all, whole, 0 - o->front / 4);
    bool ok;
    if (o->buf->mem == LAD_MEM_DEVICE) {
        ok = lad_gpu_read(p->gpu, o->gpu, 0, all, whole);
    } else {
        const char *from = lad_gpu_map(p->gpu, o->gpu, false);
        if (from)
            memcpy(all, from, whole);
        ok = from && lad_gpu_unmap(p->gpu, o->gpu);
    }
    memcpy(to, all + o->front, o->bytes);
    free(all);
    return ok;
}

static bool is_right(struct lad_point *p, const struct lad_expect *e, const struct lad_data *d, const void *now)
{
    struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
    for (uint64_t i = 0; i < d->n; i++)
        if (!lad_same(&in, d->buf->type, lad_oracle_find(e->oracle)->at(&in, d, i), lad_bits(now, d->buf->type, i),
                      e->ulp))
            return false;
    return true;
}

/* What the mapped view of a buffer says that reads as something else: a view that nothing came into says nothing of the
 * buffer; one with what was planted there, or made, says that its memory is sound. */
static enum lad_obs_name name_view(struct lad_point *p, const struct lad_expect *e, const struct lad_data *d,
                                   const void *now, uint64_t bytes, int64_t *n)
{
    struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
    void *host = lad_point_memory(bytes + 4);
    lad_canary_fill(LAD_CANARY_HOST, host, bytes & ~3ull, 0);
    bool nothing = bytes >= 4 && !memcmp(now, host, bytes & ~3ull);
    free(host);
    for (uint64_t i = 0; i < d->n; i++) {
        uint64_t bits = lad_bits(now, d->buf->type, i);
        *n += bits && bits != lad_bits(d->after, d->buf->type, i) &&
              (bits == lad_bits(d->before, d->buf->type, i) ||
               lad_same(&in, d->buf->type, lad_oracle_find(e->oracle)->at(&in, d, i), bits, e->ulp));
    }
    return nothing ? LAD_OBS_VIA_MAP_NOTHING : *n >= 4 ? LAD_OBS_VIA_MAP_SHOWS : LAD_OBS_VIA_MAP_DIFFERS;
}

/* Other ways than the first: an idle wait before it; a copy command to another buffer on the device, read from there;
 * the same to memory that is mapped, which needs no read at all. */
static void read_again(struct lad_point *p, const struct lad_expect *e, struct lad_obj *o)
{
    static const char *const how[] = {"the same way, after an idle wait", "a second, explicit copy",
                                      "an explicit copy into mapped memory"};
    static const enum lad_obs_name first[] = {LAD_OBS_AGAIN_RIGHT, LAD_OBS_COPIED_RIGHT, LAD_OBS_VIA_MAP_RIGHT};
    const struct lad_data *d = &p->data[o - p->obj];
    for (int i = 0; i < 3; i++) {
        enum lad_mem by = i == 1                                   ? LAD_MEM_DEVICE
                          : p->gpu->info.cap[LAD_CAP_MEM_COHERENT] ? LAD_MEM_COHERENT
                                                                   : LAD_MEM_MAPPED;
        if (i == 2 && !p->gpu->info.cap[LAD_CAP_MEM_COHERENT] && !p->gpu->info.cap[LAD_CAP_MEM_MAPPED])
            break;
        void *again = lad_point_memory(o->total);
        lad_canary_fill(LAD_CANARY_HOST, again, o->bytes & ~3ull, 0);
        if (i ? lad_point_copy(p, o->gpu, o->front, o->bytes, by, again) : read_as_before(p, o, again)) {
            bool same = !memcmp(again, d->after, o->bytes), right = !same && is_right(p, e, d, again);
            int64_t n = 0;
            enum lad_obs_name name = first[i] + (right ? 0 : same ? 1 : 2);
            if (name == LAD_OBS_VIA_MAP_DIFFERS)
                name = name_view(p, e, d, again, o->bytes, &n);
            lad_observe(p->arena, p->r, name, o->buf->name, n);
            lad_record_fact(p->arena, p->r, same ? '+' : '!', "buffer %s reads %s by %s", o->buf->name,
                            same    ? "the same"
                            : right ? "right"
                                    : "differently",
                            how[i]);
        }
        free(again);
    }
}

static void wait_idle(struct lad_point *p)
{
    struct timespec idle = {.tv_nsec = 30000000};
    nanosleep(&idle, NULL);
    if (!lad_gpu_finish(p->gpu))
        lad_observe_api(p, "waiting for everything");
}

/* A buffer that is wrong is read once more in other ways: it parts the work from the view of it. */
static void look_again(struct lad_point *p)
{
    wait_idle(p);
    lad_point_look_late(p);
    for (size_t i = 0; i < p->r->n_seen && i < p->c->n_expects; i++) {
        struct lad_obj *o = lad_point_obj(p, p->r->seen[i].name);
        if (!p->r->seen[i].n_wrong)
            continue;
        if (p->data[o - p->obj].n <= ASKED_ELEMENTS) {
            if (p->r->seen[i].n_checked == p->r->seen[i].n &&
                is_right(p, &p->c->expects[i], &p->data[o - p->obj], p->data[o - p->obj].after))
                lad_observe(p->arena, p->r, LAD_OBS_LATE, o->buf->name, 0);
            read_again(p, &p->c->expects[i], o);
        }
        ask_device(p, &p->c->expects[i], o);
    }
    submit_again(p);
}

/* A build that succeeds may have left a log all the same. */
static void hear_builds(struct lad_point *p)
{
    for (size_t i = 0; i < p->n_ran && p->gpu->backend->build_log; i++) {
        struct lad_kernel *kernel = lad_gpu_kernel(p->gpu, p->ran[i].desc);
        const char *log = kernel ? p->gpu->backend->build_log(kernel) : NULL, *name = p->ran[i].desc->source->name,
                   *on = lad_printf(p->arena, "the build of kernel %s", name);
        if (!log || !*log || lad_observed(p->r, LAD_OBS_BUILD_LOG))
            continue;
        lad_observe(p->arena, p->r, LAD_OBS_BUILD_LOG, on, 0);
        if (strcasestr(log, "error") || strcasestr(log, "failed"))
            lad_observe(p->arena, p->r, LAD_OBS_BUILD_ERROR, on, 0);
        *LAD_PUSH(p->arena, p->r->messages, p->r->n_messages) = lad_printf(p->arena, "build log: %s: %s", name, log);
    }
}

void lad_point_judge(struct lad_point *p)
{
    if (!read_back(p))
        return;
    check_expects(p);
    for (size_t i = 0; i < p->n_ran; i++) {
        struct lad_ran ran = p->ran[i];
        size_t k = 0;
        for (size_t s = 0, at = 0; s < p->c->n_steps; s++)
            if (p->c->steps[s].kind == LAD_STEP_DISPATCH && at++ == i)
                k = s;
        const struct lad_step *step = &p->c->steps[k];
        int64_t offset = 0;
        if (step->indirect && lad_point_value(p, step->indirect_offset, 0, &offset))
            memcpy(ran.groups, (const char *)p->data[lad_point_obj(p, step->indirect) - p->obj].after + offset,
                   sizeof ran.groups);
        if (p->change.half) /* each half has a grid of its own */
            continue;
        uint64_t place = i * LAD_W_WORDS + LAD_W_MAGIC;
        const uint32_t *magic = &p->words[place], mark = lad_canary_word(LAD_CANARY_HOST, place);
        bool unread = *magic == mark;
        lad_witness_check(p->arena, p->words, i, &ran, p->r);
        lad_observe_witness(p, i, &ran);
        if (unread && __atomic_load_n(magic, __ATOMIC_RELAXED) != mark)
            lad_observe(p->arena, p->r, LAD_OBS_LATE, "the witness", 0);
    }
    check_surroundings(p);
    check_markers(p);
    if (p->r->status == LAD_STATUS_FAIL) {
        lad_observe_results(p);
        if (!p->trial) {
            look_again(p);
            hear_builds(p);
        }
        if (!p->trial && !p->gpu->drop)
            lad_point_recheck(p);
    }
    if (p->r->status == LAD_STATUS_MISSING) {
        p->r->status = LAD_STATUS_PASS;
        p->r->n_obs = 0; /* nothing to explain */
    }
}
