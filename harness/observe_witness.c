/* SPDX-License-Identifier: Apache-2.0 */
/* What the witnesses of dispatches say. */
#include "../kernels/witness.h"
#include "observe.h"
#include <string.h>

static void observe_scalars(struct lad_point *p, size_t i, const uint32_t *w)
{
    const struct lad_kernel_source *k = p->ran[i].desc->source;
    uint32_t at = LAD_W_SCALARS, n_wrong = 0;
    for (uint32_t s = 0; s + 2 < k->n_scalars && at < LAD_W_BITMAP; s++) {
        uint64_t wanted = 0, got = 0, next = 0;
        uint32_t bytes = k->scalars[s].bytes;
        memcpy(&wanted, (const char *)p->ran[i].scalars + k->scalars[s].offset, bytes);
        memcpy(&next, (const char *)p->ran[i].scalars + k->scalars[s + 1].offset, k->scalars[s + 1].bytes);
        memcpy(&got, w + at, bytes);
        at += bytes / 4;
        if (got == wanted || n_wrong++ > 2)
            continue;
        const char *on = lad_printf(p->arena, "scalar %s of dispatch %zu", k->scalars[s].name, i + 1);
        lad_see(p, LAD_OBS_W_S_WRONG, lad_printf(p->arena, "dispatch %zu (%s)", i + 1, k->name), (int64_t)s);
        bool other = false;
        for (size_t j = 0; j < p->n_ran; j++) {
            uint64_t theirs = 0;
            if (j == i || p->ran[j].desc->source != k)
                continue;
            memcpy(&theirs, (const char *)p->ran[j].scalars + k->scalars[s].offset, bytes);
            other = other || theirs == got;
        }
        bool earlier = false;
        for (size_t j = 0; j < p->n_earlier && j < LAD_N(p->earlier); j++) {
            uint64_t theirs = 0;
            if (p->earlier[j].desc->source != k)
                continue;
            memcpy(&theirs, (const char *)p->earlier[j].scalars + k->scalars[s].offset, bytes);
            earlier = earlier || theirs == got;
        }
        uint64_t previous = 0;
        if (s)
            memcpy(&previous, (const char *)p->ran[i].scalars + k->scalars[s - 1].offset, k->scalars[s - 1].bytes);
        lad_see(p,
                other                                      ? LAD_OBS_W_S_PREVIOUS
                : !got                                     ? LAD_OBS_W_S_ZERO
                : earlier && got != (wanted & 0xFFFFFFFFu) ? LAD_OBS_W_S_EARLIER
                : got == (wanted & 0xFFFFFFFFu) || got == (wanted & 0xFFFFu) || got == (wanted & 0xFFu)
                    ? LAD_OBS_W_S_LOW
                : got == lad_turn_bytes(wanted, bytes) || (bytes == 8 && got == (wanted << 32 | wanted >> 32))
                    ? LAD_OBS_W_S_SWAPPED
                : got == next || (s && got == previous) ? LAD_OBS_W_S_SHIFTED
                                                        : LAD_OBS_W_S_OTHER,
                on, (int64_t)got);
    }
}

static void note_groups(struct lad_point *p, const struct lad_ran *ran, uint64_t n)
{
    uint64_t all = (uint64_t)ran->groups[0] * ran->groups[1] * ran->groups[2];
    if (p->extent.has_groups || (all != ran->groups[0] && all != ran->groups[1] && all != ran->groups[2]))
        return; /* of a grid with one axis only */
    p->extent.has_groups = true;
    p->extent.groups = all;
    p->extent.ran = n;
}

/* The length of the local array as an earlier dispatch of the same kernel was built with, in this run or one before. */
static bool saw_earlier_length(const struct lad_point *p, size_t i, uint32_t items)
{
    const struct lad_kernel_source *k = p->ran[i].desc->source;
    for (size_t j = 0; j < i; j++)
        if (p->ran[j].desc->source == k && p->ran[j].desc->dynamic_items == items)
            return true;
    for (size_t j = 0; j < p->n_earlier && j < LAD_N(p->earlier); j++)
        if (p->earlier[j].desc->source == k && p->earlier[j].desc->dynamic_items == items)
            return true;
    return false;
}

/* Constants and workgroup as another dispatch of the same kernel, before this one, was built with. */
static bool saw_earlier_build(const struct lad_point *p, size_t i, const uint32_t *w)
{
    for (size_t j = 0; j < i; j++) {
        const struct lad_kernel_desc *e = p->ran[j].desc;
        if (e->source == p->ran[i].desc->source && !memcmp(w + LAD_W_LOCAL, e->local, sizeof e->local) &&
            !memcmp(w + LAD_W_CONST, e->constant, sizeof e->constant))
            return true;
    }
    return false;
}

/* Neither a witness nor what was planted: what else was read there? */
/* The words of the witness are that many places apart, instead of one: how many, or 0. */
static int64_t find_spread(const uint32_t *w, uint32_t nonce)
{
    for (int64_t k = 2; k <= 8 && k * LAD_W_BUILD < LAD_W_WORDS && w[LAD_W_BUILD] != nonce; k++)
        if (w[k * LAD_W_BUILD] == nonce)
            return k;
    return 0;
}

static void observe_foreign(struct lad_point *p, size_t i, const char *on)
{
    const uint32_t *w = p->words + i * LAD_W_WORDS;
    lad_see(p, LAD_OBS_W_FOREIGN, on, w[LAD_W_MAGIC]);
    for (size_t k = 0; k < p->n; k++)
        for (int after = 0; after < 2; after++) {
            const void *held = after ? p->data[k].after : p->data[k].before;
            if (held && p->obj[k].bytes >= 4 && !memcmp(w, held, p->obj[k].bytes < 64 ? p->obj[k].bytes : 64))
                lad_see(p, LAD_OBS_W_IS_OTHER, p->obj[k].buf->name, 0);
        }
}

/* Whole runs of 64 bytes as planted, in the midst of others that were written: the words of the grid's bitmap and of
 * the scalars must have changed. */
static bool is_stale(const uint32_t *w, size_t slot)
{
    uint64_t at = slot * LAD_W_WORDS;
    return w[LAD_W_SCALARS] == lad_canary_word(LAD_CANARY_DEVICE, at + LAD_W_SCALARS) &&
           w[LAD_W_BUILD] != lad_canary_word(LAD_CANARY_DEVICE, at + LAD_W_BUILD);
}

void lad_observe_witness(struct lad_point *p, size_t i, const struct lad_ran *ran)
{
    const uint32_t *w = p->words + i * LAD_W_WORDS;
    const struct lad_kernel_desc *d = ran->desc;
    uint64_t groups = (uint64_t)ran->groups[0] * ran->groups[1] * ran->groups[2];
    uint64_t lanes = (uint64_t)d->local[0] * d->local[1] * d->local[2];
    uint32_t wanted = (uint32_t)(groups * lanes * ran->times), count = w[LAD_W_COUNT] - LAD_W_START;
    bool counts = lad_witness_counts(count, wanted) && lad_witness_counts(w[LAD_W_GROUPS] - LAD_W_START, wanted);
    const char *on = lad_printf(p->arena, "dispatch %zu (%s)", i + 1, d->source->name);
    if (w[LAD_W_MAGIC] == lad_canary_word(LAD_CANARY_HOST, i * LAD_W_WORDS + LAD_W_MAGIC)) {
        lad_see(p, LAD_OBS_W_UNREAD, on, 0);
        return;
    }
    if (!groups || !ran->times)
        return;
    if (!w[LAD_W_MAGIC] && !w[LAD_W_COUNT]) {
        lad_see(p, LAD_OBS_W_ZERO, on, 0);
        return;
    }
    if (w[LAD_W_MAGIC] == lad_canary_word(LAD_CANARY_DEVICE, i * LAD_W_WORDS + LAD_W_MAGIC) && !count) {
        lad_observe_missing(p, i, on);
        note_groups(p, ran, 0);
        return;
    }
    if (lad_witness_guest(p, i) >= 0)
        return;
    size_t before = p->r->n_obs;
    if (w[LAD_W_MAGIC] != LAD_W_MAGIC_VALUE) {
        observe_foreign(p, i, on);
        return;
    }
    int64_t spread = find_spread(w, d->source->nonce);
    if (spread) {
        lad_see(p, LAD_OBS_W_SPREAD, on, spread);
        return;
    }
    if (is_stale(w, i)) {
        lad_see(p, LAD_OBS_W_STALE, on, 0);
        return;
    }
    if (w[LAD_W_BUILD] != d->source->nonce) {
        bool other = false;
        for (const struct lad_kernel_source *const *k = lad_kernels; *k; k++)
            other = other || (*k)->nonce == w[LAD_W_BUILD];
        lad_see(p, other ? LAD_OBS_W_BUILD_OTHER : LAD_OBS_W_BUILD_OLD, on, w[LAD_W_BUILD]);
    }
    if (w[LAD_W_DISPATCH] == lad_canary_word(LAD_CANARY_DEVICE, i * LAD_W_WORDS + LAD_W_DISPATCH)) {
        lad_see(p, LAD_OBS_W_KEPT, on, LAD_W_DISPATCH);
    } else if (w[LAD_W_DISPATCH] != ran->nonce) {
        bool other = false;
        for (size_t j = 0; j < p->n_ran; j++)
            other = other || p->ran[j].nonce == w[LAD_W_DISPATCH];
        lad_see(p, other ? LAD_OBS_W_NONCE_OTHER : LAD_OBS_W_NONCE, on, w[LAD_W_DISPATCH]);
        bool low = w[LAD_W_DISPATCH] == (ran->nonce & 0xFFFFu) || w[LAD_W_DISPATCH] == (ran->nonce & 0xFFu);
        if (!w[LAD_W_DISPATCH] || low) { /* it is a scalar as well */
            lad_see(p, LAD_OBS_W_S_WRONG, on, 0);
            lad_see(p, low ? LAD_OBS_W_S_LOW : LAD_OBS_W_S_ZERO, lad_printf(p->arena, "the number of %s", on), 0);
        }
    }
    uint64_t seen_lanes = (uint64_t)w[LAD_W_LOCAL] * w[LAD_W_LOCAL + 1] * w[LAD_W_LOCAL + 2];
    if (memcmp(w + LAD_W_LOCAL, d->local, sizeof d->local))
        lad_see(p, saw_earlier_build(p, i, w) ? LAD_OBS_W_CONSTANT_EARLIER : LAD_OBS_W_LOCAL, on, (int64_t)seen_lanes);
    if (memcmp(w + LAD_W_GRID, ran->groups, sizeof ran->groups)) {
        uint32_t a = w[LAD_W_GRID], b = w[LAD_W_GRID + 1], c = w[LAD_W_GRID + 2];
        const uint32_t *g = ran->groups;
        bool turned = a + b + c == g[0] + g[1] + g[2] && (uint64_t)a * b * c == groups;
        lad_see(p,
                turned                          ? LAD_OBS_W_GRID_TURNED
                : (uint64_t)a * b * c == groups ? LAD_OBS_W_GRID_FLAT
                                                : LAD_OBS_W_GRID,
                on, (int64_t)a * b * c);
    }
    for (int k = 0; k < 2; k++)
        if (w[LAD_W_CONST + k] != d->constant[k])
            lad_see(p, saw_earlier_build(p, i, w) ? LAD_OBS_W_CONSTANT_EARLIER : LAD_OBS_W_CONSTANT, on,
                    w[LAD_W_CONST + k]);
    if (d->source->n_dynamic && w[LAD_W_DYNAMIC] != d->dynamic_items)
        lad_see(p, saw_earlier_length(p, i, w[LAD_W_DYNAMIC]) ? LAD_OBS_W_DYNAMIC_EARLIER : LAD_OBS_W_DYNAMIC, on,
                w[LAD_W_DYNAMIC]);
    if (!counts) {
        lad_see(p, LAD_OBS_W_BASE, on, 0);
    } else if (count < wanted && lad_count_lies(p, i, ran)) {
        lad_see(p, LAD_OBS_W_LIES, on, count);
    } else if (count < wanted) {
        uint64_t hole = lad_find_hole(p, i, ran), n = w[LAD_W_GROUPS] - LAD_W_START;
        lad_see(p, LAD_OBS_W_LOW, on, count);
        if (ran->times > 1 && count % (groups * lanes) == 0)
            lad_see(p, LAD_OBS_W_LOW_TIMES, on, (int64_t)(count / (groups * lanes)));
        else
            note_groups(p, ran, count / (lanes && ran->times ? lanes * ran->times : 1));
        if (hole)
            lad_see(p, LAD_OBS_W_HOLE, on, (int64_t)hole - 1);
        if (n == groups * ran->times && count % n == 0 && !memcmp(w + LAD_W_LOCAL, d->local, sizeof d->local))
            lad_see(p, LAD_OBS_W_LANES, on, (int64_t)(count / n));
        if (count == lanes * ran->times && groups > 1)
            lad_see(p, LAD_OBS_W_LOW_ONE, on, count);
        uint64_t divided = groups / lanes + (groups % lanes != 0);
        if (lanes > 1 && groups > 1 && count % lanes == 0 &&
            (count == divided * lanes || count == groups / lanes * lanes))
            lad_see(p, LAD_OBS_W_LOW_LOCAL, on, (int64_t)lanes);
        if (lanes > 1 && count + (uint64_t)ran->times * lanes * (groups / ran->groups[0]) == wanted)
            lad_see(p, LAD_OBS_W_LOW_GROUP, on, (int64_t)(count / lanes));
    }
    uint64_t missing = lad_count_missing(p, i, ran);
    bool all = counts && count == wanted && w[LAD_W_GROUPS] - LAD_W_START == groups * ran->times;
    if (all && missing && missing < groups)
        lad_see(p, LAD_OBS_W_STAND_IN, on, (int64_t)missing);
    if (counts && count > wanted)
        lad_see(p, count % wanted ? LAD_OBS_W_HIGH : LAD_OBS_W_TWICE, on,
                count % wanted ? count : count / wanted * ran->times);
    observe_scalars(p, i, w);
    if (p->r->n_obs == before)
        lad_see(p, LAD_OBS_W_ALL, on, count);
}

/* A slot that nothing ran in beside one that ran twice: the arguments of one dispatch were used for both. */
void lad_observe_exchange(struct lad_point *p)
{
    for (size_t i = 0; i < p->n_ran; i++) {
        const uint32_t *w = p->words + i * LAD_W_WORDS;
        const char *on = lad_printf(p->arena, "dispatch %zu (%s)", i + 1, p->ran[i].desc->source->name);
        if (w[LAD_W_MAGIC] != lad_canary_word(LAD_CANARY_DEVICE, i * LAD_W_WORDS + LAD_W_MAGIC) ||
            !p->ran[i].groups[0] || !p->ran[i].groups[1] || !p->ran[i].groups[2] || !p->ran[i].times)
            continue; /* it left a trace, or was not to run */
        for (size_t j = 0; j < p->n_ran; j++) {
            const struct lad_ran *r = &p->ran[j];
            uint32_t wanted = r->groups[0] * r->groups[1] * r->groups[2] * r->desc->local[0] * r->desc->local[1] *
                              r->desc->local[2] * r->times;
            uint32_t count = p->words[j * LAD_W_WORDS + LAD_W_COUNT] - LAD_W_START;
            if (j == i || r->desc->source != p->ran[i].desc->source || count > 1u << 30)
                continue;
            if (count)
                lad_see(p, LAD_OBS_W_SAME_RAN, on, 0);
            if (wanted && count > wanted)
                lad_see(p, j > i ? LAD_OBS_W_BY_LATER : LAD_OBS_W_BY_EARLIER, on, (int64_t)j + 1);
        }
    }
}
