/* SPDX-License-Identifier: Apache-2.0 */
/* After a failure, when everything else is written down: is the memory behind the buffers what it should be, and is the
 * witness what the host believes it is? The buffers' contents are lost. */
#include "../kernels/witness.h"
#include "point.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 4 << 20, MARKER = 0xFE, FRESH = 0xFF };

bool lad_point_copy(struct lad_point *p, struct lad_buf *from, uint64_t offset, uint64_t bytes, enum lad_mem by,
                    void *to)
{
    struct lad_buf_desc desc = {.bytes = (bytes + 3) & ~3ull, .mem = by};
    struct lad_buf *copy = lad_gpu_buf(p->gpu, &desc);
    void *fresh = copy && by != LAD_MEM_DEVICE ? lad_gpu_map(p->gpu, copy, true) : NULL;
    if (fresh) { /* it may be memory of an earlier copy, with the right values in it */
        lad_canary_fill(LAD_CANARY_HOST, fresh, desc.bytes, 0);
        lad_gpu_unmap(p->gpu, copy);
    }
    bool ok = copy && lad_gpu_copy(p->gpu, from, offset, copy, 0, desc.bytes) && lad_gpu_wait(p->gpu);
    if (ok && by == LAD_MEM_DEVICE) {
        ok = lad_gpu_read(p->gpu, copy, 0, to, bytes);
    } else if (ok) {
        const void *seen = lad_gpu_map(p->gpu, copy, false);
        if (seen)
            memcpy(to, seen, bytes);
        ok = seen && lad_gpu_unmap(p->gpu, copy);
    }
    lad_gpu_free(p->gpu, copy);
    return ok;
}

/* The same witness by a way that does not depend on the host's view of its buffer. */
static void recheck_witness(struct lad_point *p)
{
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    uint32_t *first = p->words, *second = lad_point_memory(bytes);
    struct lad_record right = {0}, *record = p->r;
    lad_canary_fill(LAD_CANARY_HOST, second, bytes, 0);
    if (lad_point_copy(p, p->witness, 0, bytes, LAD_MEM_DEVICE, second) && memcmp(first, second, bytes)) {
        p->r = &right;
        p->words = second;
        for (size_t i = 0; i < p->n_ran; i++)
            lad_observe_witness(p, i, &p->ran[i]);
        p->words = first;
        p->r = record;
        size_t n = 0;
        while (n < right.n_obs && !strcmp(right.obs[n].name, lad_obs_name(LAD_OBS_W_ALL)))
            n++;
        if (n && n == right.n_obs)
            lad_observe(p->arena, record, LAD_OBS_W_COPIED_RIGHT, NULL, 0);
    }
    free(second);
}

static bool is_planted(const uint32_t *words, size_t slot)
{
    return words[slot * LAD_W_WORDS] == lad_canary_word(LAD_CANARY_DEVICE, slot * LAD_W_WORDS);
}

void lad_point_look_late(struct lad_point *p)
{
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    uint32_t marks[2] = {0}, *words = lad_point_memory(bytes + 4);
    bool lost = lad_observed(p->r, LAD_OBS_M_LOST) || lad_observed(p->r, LAD_OBS_M_AFTER_LOST);
    if (lost && lad_gpu_read(p->gpu, p->marker, 0, marks, sizeof marks))
        lad_observe(p->arena, p->r,
                    marks[0] == LAD_MARKER && marks[1] == LAD_MARKER + 1 ? LAD_OBS_M_LATE : LAD_OBS_M_NEVER, NULL, 0);
    bool read = p->witness && lad_gpu_read(p->gpu, p->witness, 0, words, bytes);
    for (size_t i = 0; read && i < p->n_ran; i++)
        if (is_planted(p->words, i) && words[i * LAD_W_WORDS] == LAD_W_MAGIC_VALUE)
            lad_observe(p->arena, p->r, LAD_OBS_W_LATE,
                        lad_printf(p->arena, "dispatch %zu (%s)", i + 1, p->ran[i].desc->source->name), 0);
    free(words);
}

static uint32_t stamp(size_t buffer, uint64_t word)
{
    return 0xB0000000u | (uint32_t)buffer << 20 | ((uint32_t)word & 0xFFFFFu);
}

/* Is something good behind something bad? */
static bool is_mixed(size_t k, const uint32_t *words, uint64_t n)
{
    uint64_t bad = 0;
    while (bad < n && words[bad] == stamp(k, bad))
        bad++;
    for (uint64_t i = bad; i < n; i++)
        if (words[i] == stamp(k, i))
            return true;
    return false;
}

static struct lad_buf *find_buf(const struct lad_point *p, size_t k, struct lad_buf *fresh)
{
    return k == FRESH ? fresh : k == MARKER ? p->marker : k < p->n ? p->obj[k].gpu : NULL;
}

static const char *name_buf(const struct lad_point *p, size_t k)
{
    return k == FRESH ? "a new one" : k == MARKER ? "that of the markers" : p->obj[k].buf->name;
}

/* Do word i of buffer k and word j of another buffer share their memory? Writes and reads may go through memory of the
 * driver that still holds what was moved last; a word that only a command of the device has written is not there. */
static bool is_shared(struct lad_point *p, size_t k, uint64_t i, struct lad_buf *other, uint64_t j)
{
    uint32_t word = 0x5EEDA110u + (uint32_t)k, got = 0;
    return lad_gpu_fill(p->gpu, find_buf(p, k, NULL), 4 * i, 4, word) && lad_gpu_wait(p->gpu) &&
           lad_gpu_read(p->gpu, other, 4 * j, &got, sizeof got) && got == word;
}

/* What buffer k holds after all were stamped, the last one last. */
static void judge_stamps(struct lad_point *p, size_t k, struct lad_buf *fresh, const uint32_t *words, uint64_t n)
{
    const char *name = p->obj[k].buf->name;
    uint64_t own = 0, zero = 0, host = 0, other = 0, at = 0, shift = 0, from = 0, blocks = 0, bad_blocks = 0;
    for (uint64_t i = 0; i < n; i++) {
        own += words[i] == stamp(k, i);
        zero += !words[i];
        host += words[i] == lad_canary_word(LAD_CANARY_HOST, i);
        size_t by = words[i] >> 20 & 0xFF;
        if (words[i] >> 28 == 0xB && by != k && (by < p->n || by == FRESH || (by == MARKER && p->marker)) && !other++) {
            from = by;
            at = i;
            shift = i - (words[i] & 0xFFFFFu);
        }
    }
    if (own == n)
        return;
    for (uint64_t i = 0; i + 16 <= n; i += 16) {
        uint64_t good = 0;
        for (uint64_t j = i; j < i + 16; j++)
            good += words[j] == stamp(k, j);
        blocks += good == 16;
        bad_blocks += good == 0;
    }
    if (other && !is_shared(p, k, at, find_buf(p, from, fresh), at - shift))
        lad_observe(p->arena, p->r, LAD_OBS_PLANT_STALE, name, 0);
    else if (other)
        lad_observe(p->arena, p->r, shift ? LAD_OBS_ALIAS_PART : LAD_OBS_ALIAS_WHOLE,
                    lad_printf(p->arena, "buffers %s and %s", name, name_buf(p, from)), (int64_t)shift);
    else if (zero == n)
        lad_observe(p->arena, p->r, LAD_OBS_PLANT_ZERO, name, 0);
    else if (host == n)
        lad_observe(p->arena, p->r, LAD_OBS_PLANT_UNREAD, name, 0);
    else if (blocks && bad_blocks && blocks + bad_blocks == n / 16 && is_mixed(k, words, n))
        lad_observe(p->arena, p->r, LAD_OBS_PLANT_BLOCKS, name, 64);
    else if (!own)
        lad_observe(p->arena, p->r, LAD_OBS_PLANT_LOST, name, 0);
}

/* The host may map other memory than the buffer is bound to, and then reads its own writes there. What the device holds
 * comes by a copy command: the stamp of another buffer, where both share their memory. */
static void judge_bound(struct lad_point *p, size_t k)
{
    enum { WORDS = 4 };
    uint32_t words[WORDS], i = 0;
    struct lad_buf_desc desc = {.bytes = sizeof words};
    struct lad_buf *probe = lad_gpu_buf(p->gpu, &desc);
    lad_canary_fill(LAD_CANARY_DEVICE, words, sizeof words, 0);
    bool ok = probe && lad_gpu_plant(p->gpu, probe, 0, words, sizeof words) &&
              lad_gpu_copy(p->gpu, find_buf(p, k, NULL), 0, probe, 0, sizeof words) && lad_gpu_wait(p->gpu) &&
              lad_gpu_read(p->gpu, probe, 0, words, sizeof words);
    size_t by = words[0] >> 20 & 0xFF;
    while (ok && i < WORDS && words[i] == stamp(by, i))
        i++;
    if (i == WORDS && by != k && by < p->n && is_shared(p, k, 0, p->obj[by].gpu, 0))
        lad_observe(p->arena, p->r, LAD_OBS_ALIAS_WHOLE,
                    lad_printf(p->arena, "buffers %s and %s", p->obj[by].buf->name, name_buf(p, k)), 0);
    lad_gpu_free(p->gpu, probe);
}

static bool stamp_buffer(struct lad_point *p, size_t k, uint32_t *words)
{
    const struct lad_obj *o = &p->obj[k];
    uint64_t bytes = o->front + o->total;
    for (uint64_t i = 0; i < bytes / 4; i++)
        words[i] = stamp(k, i);
    return lad_gpu_plant(p->gpu, o->gpu, 0, words, bytes);
}

/* A buffer of the kind of the first one, made now: does it keep what is written to it? It stays for who looks whether
 * it shares memory with another. */
static struct lad_buf *make_fresh(struct lad_point *p, bool *keeps)
{
    const struct lad_case_buf *like = p->obj[0].buf;
    struct lad_buf_desc desc = {.bytes = 256, .mem = like->mem == LAD_MEM_HOST_POINTER ? LAD_MEM_DEVICE : like->mem};
    uint32_t words[64], back[64];
    struct lad_buf *fresh = lad_gpu_buf(p->gpu, &desc);
    lad_canary_fill(LAD_CANARY_HOST, back, sizeof back, 0);
    for (size_t i = 0; i < LAD_N(words); i++)
        words[i] = stamp(FRESH, i);
    *keeps = fresh && lad_gpu_plant(p->gpu, fresh, 0, words, sizeof words) &&
             lad_gpu_read(p->gpu, fresh, 0, back, sizeof back) && !memcmp(words, back, sizeof words);
    return fresh;
}

/* Each buffer gets a text of its own; then each must hold its own, and no other's. */
static void recheck_memory(struct lad_point *p)
{
    uint64_t most = 0, sum = 0;
    bool ok = true, all = true, keeps = true;
    for (size_t i = 0; i < p->n; i++) {
        uint64_t bytes = p->obj[i].front + p->obj[i].total;
        most = bytes > most ? bytes : most;
        sum += bytes;
    }
    if (!most || sum > MOST_BYTES)
        return;
    size_t before = p->r->n_obs;
    uint32_t *words = lad_point_memory(most);
    for (size_t i = 0; ok && i < p->n; i++)
        ok = stamp_buffer(p, i, words);
    for (uint32_t i = 0; i < 4; i++)
        words[i] = stamp(MARKER, i);
    ok = ok && (!p->marker || lad_gpu_plant(p->gpu, p->marker, 0, words, 16));
    struct lad_buf *fresh = ok ? make_fresh(p, &keeps) : NULL;
    for (size_t i = 0; ok && i < p->n; i++) {
        uint64_t bytes = p->obj[i].front + p->obj[i].total;
        lad_canary_fill(LAD_CANARY_HOST, words, bytes, 0);
        ok = lad_gpu_read(p->gpu, p->obj[i].gpu, 0, words, bytes);
        if (ok)
            judge_stamps(p, i, fresh, words, bytes / 4);
    }
    for (size_t i = 0; ok && i < p->n && p->r->n_obs == before; i++)
        judge_bound(p, i);
    if (ok && p->marker && p->r->n_obs == before)
        judge_bound(p, MARKER);
    /* What the host's writes do not reach, does a command of the device? */
    for (size_t i = 0; ok && i < p->n && p->r->n_obs > before; i++) {
        uint32_t got = 0, word = 0x5EEDF111u;
        ok = lad_gpu_fill(p->gpu, p->obj[i].gpu, 0, 4, word) && lad_gpu_wait(p->gpu) &&
             lad_gpu_read(p->gpu, p->obj[i].gpu, 0, &got, sizeof got);
        if (ok)
            lad_observe(p->arena, p->r, got == word ? LAD_OBS_PLANT_FILLED : LAD_OBS_PLANT_UNFILLED,
                        p->obj[i].buf->name, 0);
    }
    if (ok && p->r->n_obs > before)
        lad_observe(p->arena, p->r, keeps ? LAD_OBS_FRESH_KEEPS : LAD_OBS_FRESH_LOST, NULL, 0);
    lad_gpu_free(p->gpu, fresh);
    all = ok && p->r->n_obs == before;
    if (all)
        lad_observe(p->arena, p->r, LAD_OBS_KEEPS, NULL, 0);
    free(words);
}

void lad_point_recheck(struct lad_point *p)
{
    if (p->witness && !lad_observed(p->r, LAD_OBS_W_ALL))
        recheck_witness(p);
    recheck_memory(p);
}
