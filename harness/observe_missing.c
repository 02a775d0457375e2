/* SPDX-License-Identifier: Apache-2.0 */
/* The witness is an instrument like any other: where it says less than the results do, it is the one that was lost. */
#include "../kernels/witness.h"
#include "observe.h"
#include <string.h>

static bool is_untouched(const struct lad_point *p, size_t slot)
{
    return p->words[slot * LAD_W_WORDS] == lad_canary_word(LAD_CANARY_DEVICE, slot * LAD_W_WORDS);
}

static uint32_t asked_for(const struct lad_ran *r)
{
    return r->groups[0] * r->groups[1] * r->groups[2] * r->desc->local[0] * r->desc->local[1] * r->desc->local[2] *
           r->times;
}

int lad_witness_guest(const struct lad_point *p, size_t slot)
{
    const uint32_t *w = p->words + slot * LAD_W_WORDS;
    for (size_t k = 0; k < p->n_ran; k++)
        if (k != slot && p->ran[k].nonce == w[LAD_W_DISPATCH] && p->ran[k].desc->source->nonce == w[LAD_W_BUILD] &&
            is_untouched(p, k) &&
            (p->ran[k].desc->source != p->ran[slot].desc->source ||
             w[LAD_W_COUNT] - LAD_W_START > asked_for(&p->ran[slot])))
            return (int)k;
    return -1;
}

/* At which word it stands where it should not, the number of its place having arrived wrong; 0: nowhere. */
static size_t find_displaced(struct lad_point *p, size_t i)
{
    size_t from = p->n_dispatches * LAD_W_WORDS * 4;
    uint32_t slack[LAD_W_SLACK / 4];
    for (size_t j = 0; j < p->n_ran; j++)
        if (lad_witness_guest(p, j) == (int)i)
            return j * LAD_W_WORDS + 1;
    lad_canary_fill(LAD_CANARY_HOST, slack, sizeof slack, from / 4);
    if (!lad_gpu_read(p->gpu, p->witness, from, slack, sizeof slack))
        return 0;
    for (size_t j = 0; j < LAD_N(slack); j++)
        if (slack[j] == LAD_W_MAGIC_VALUE)
            return from / 4 + j + 1;
    return 0;
}

/* The witness of the dispatch, in a buffer of the case. */
static const char *find_elsewhere(const struct lad_point *p, size_t i)
{
    for (size_t k = 0; k < p->n; k++) {
        const struct lad_obj *o = &p->obj[k];
        const char *from = (const char *)p->data[k].after - o->front;
        for (uint64_t at = 0; at + 8 <= o->front + o->total; at += 4) {
            uint32_t words[2];
            memcpy(words, from + at, sizeof words);
            if (words[0] == LAD_W_MAGIC_VALUE && words[1] == p->ran[i].desc->source->nonce)
                return o->buf->name;
        }
    }
    return NULL;
}

/* How many steps may have written the buffer; *by: the last dispatch among them. */
static size_t count_writers(const struct lad_point *p, const char *buf, size_t *by)
{
    size_t n = 0, dispatch = 0;
    for (size_t i = 0; i < p->c->n_steps; i++) {
        const struct lad_step *s = &p->c->steps[i];
        bool writes = s->kind != LAD_STEP_DISPATCH && s->buf && !strcmp(s->buf, buf);
        for (size_t k = 0; k < s->n_args; k++)
            writes = writes || (s->args[k].buf && !strcmp(s->args[k].buf, buf));
        if (writes && s->kind == LAD_STEP_DISPATCH)
            *by = dispatch;
        n += writes;
        dispatch += s->kind == LAD_STEP_DISPATCH;
    }
    return n;
}

bool lad_made_results(const struct lad_point *p, size_t i)
{
    for (size_t k = 0; k < p->c->n_expects; k++) {
        const struct lad_expect *e = &p->c->expects[k];
        const struct lad_data *d = NULL;
        size_t by = p->n_ran, made = 0;
        for (size_t b = 0; b < p->n; b++)
            if (!strcmp(p->obj[b].buf->name, e->buf))
                d = &p->data[b];
        if (!d || !d->after || lad_type_bytes(d->buf->type) < 4 || count_writers(p, e->buf, &by) != 1 || by != i)
            continue;
        struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
        for (uint64_t j = 0; j < d->n && j < 4096; j++) {
            uint64_t bits = lad_oracle_find(e->oracle)->at(&in, d, j), got = lad_bits(d->after, d->buf->type, j);
            made += got && got == bits && got != lad_bits(d->before, d->buf->type, j);
        }
        if (made >= 3)
            return true;
    }
    return false;
}

void lad_observe_missing(struct lad_point *p, size_t i, const char *on)
{
    const char *where = find_elsewhere(p, i);
    size_t word = find_displaced(p, i);
    if (word) {
        lad_see(p, LAD_OBS_W_DISPLACED, on, (int64_t)word - 1);
    } else if (where) {
        lad_see(p, LAD_OBS_W_ELSEWHERE, where, (int64_t)i + 1);
    } else if (lad_made_results(p, i)) {
        lad_see(p, LAD_OBS_W_MISSED, on, 0);
    } else {
        lad_see(p, LAD_OBS_W_NEVER, on, 0);
    }
}

uint64_t lad_find_hole(const struct lad_point *p, size_t i, const struct lad_ran *ran)
{
    const uint32_t *map = p->words + i * LAD_W_WORDS + LAD_W_BITMAP;
    uint64_t groups = (uint64_t)ran->groups[0] * ran->groups[1] * ran->groups[2];
    if (groups > LAD_W_BITMAP_WORDS * 32 || ran->base[0] || ran->base[1] || ran->base[2])
        return 0;
    for (uint64_t g = 1; g + 1 < groups; g++) /* ran, did not, ran */
        if (g % ran->groups[0] && (g + 1) % ran->groups[0] && (map[(g - 1) / 32] >> (g - 1) % 32 & 1) &&
            !(map[g / 32] >> g % 32 & 1) && (map[(g + 1) / 32] >> (g + 1) % 32 & 1))
            return g + 1;
    return 0;
}

uint64_t lad_count_missing(const struct lad_point *p, size_t i, const struct lad_ran *ran)
{
    const uint32_t *w = p->words + i * LAD_W_WORDS;
    uint64_t groups = (uint64_t)ran->groups[0] * ran->groups[1] * ran->groups[2], bits = 0;
    if (groups > LAD_W_BITMAP_WORDS * 32 || ran->base[0] || ran->base[1] || ran->base[2])
        return 0;
    for (uint64_t g = 0; g < groups; g++)
        bits += w[LAD_W_BITMAP + g / 32] >> g % 32 & 1;
    return groups - bits;
}

/* Counted by another atomic operation than the bitmap of the workgroups: they must agree. */
bool lad_count_lies(const struct lad_point *p, size_t i, const struct lad_ran *ran)
{
    const uint32_t *w = p->words + i * LAD_W_WORDS;
    uint64_t groups = (uint64_t)ran->groups[0] * ran->groups[1] * ran->groups[2], bits = 0;
    if (groups > LAD_W_BITMAP_WORDS * 32 || memcmp(w + LAD_W_GRID, ran->groups, sizeof ran->groups) ||
        memcmp(w + LAD_W_LOCAL, ran->desc->local, sizeof ran->desc->local))
        return false;
    for (size_t k = 0; k < LAD_W_BITMAP_WORDS; k++)
        bits += (uint64_t)__builtin_popcount(w[LAD_W_BITMAP + k]);
    uint32_t count = w[LAD_W_COUNT] - LAD_W_START, n = w[LAD_W_GROUPS] - LAD_W_START;
    bool right = p->r->n_seen > 0;
    for (size_t k = 0; k < p->r->n_seen; k++)
        right = right && !p->r->seen[k].n_wrong;
    return bits > n || (bits == groups && right && (uint64_t)count * 4 < asked_for(ran));
}
