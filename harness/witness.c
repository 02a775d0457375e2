/* SPDX-License-Identifier: Apache-2.0 */
/* What every dispatch says about itself, read against what was asked for: a fact for each, and the worst as the
 * verdict. */
#include "../kernels/witness.h"
#include "harness.h"
#include <string.h>

void lad_witness_plant(uint32_t *words, size_t n_slots)
{
    for (size_t slot = 0; slot < n_slots; slot++, words += LAD_W_WORDS) {
        lad_canary_fill(LAD_CANARY_DEVICE, words, LAD_W_BITMAP * 4, slot * LAD_W_WORDS);
        memset(words + LAD_W_BITMAP, 0, LAD_W_BITMAP_WORDS * 4);
        words[LAD_W_COUNT] = words[LAD_W_GROUPS] = LAD_W_START;
    }
}

struct check {
    struct lad_arena *arena;
    struct lad_record *record;
    const char *kernel;
    size_t slot;
    bool ok;
};

static void expect(struct check *c, const char *what, const char *type, uint64_t got, uint64_t wanted)
{
    if (got == wanted)
        return;
    c->ok = false;
    lad_record_fact(c->arena, c->record, '!', "dispatch %zu (%s): %s %llu, expected %llu", c->slot + 1, c->kernel, what,
                    (unsigned long long)got, (unsigned long long)wanted);
    lad_record_set(c->arena, c->record, LAD_STATUS_FAIL, type, "dispatch %zu (%s): %s %llu, expected %llu", c->slot + 1,
                   c->kernel, what, (unsigned long long)got, (unsigned long long)wanted);
}

bool lad_witness_counts(uint32_t count, uint32_t wanted)
{
    return count <= (1u << 20) + 1024ull * wanted;
}

static void expect_count(struct check *c, const char *what, const char *type, uint32_t word, uint32_t wanted)
{
    uint32_t count = word - LAD_W_START;
    char whole[96];
    snprintf(whole, sizeof whole, "%s that ran", what);
    if (lad_witness_counts(count, wanted)) {
        expect(c, whole, type, count, wanted);
        return;
    }
    snprintf(whole, sizeof whole, "the counter of %s did not begin as planted: it holds", what);
    expect(c, whole, type, word, LAD_W_START + wanted);
}

static void check_scalars(struct check *c, const uint32_t *w, const struct lad_ran *ran)
{
    const struct lad_kernel_source *k = ran->desc->source;
    uint32_t at = LAD_W_SCALARS;
    for (uint32_t i = 0; i < k->n_scalars; i++) {
        const char *value = (const char *)ran->scalars + k->scalars[i].offset;
        uint32_t n = k->scalars[i].bytes / 4;
        for (uint32_t word = 0; word < n && at < LAD_W_BITMAP; word++, at++) {
            uint32_t wanted;
            char what[96];
            memcpy(&wanted, value + word * 4, 4);
            snprintf(what, sizeof what, "scalar %s arrived as", k->scalars[i].name);
            expect(c, what, "ladder.witness.scalar", w[at], wanted);
        }
    }
}

static void check_bitmap(struct check *c, const uint32_t *bitmap, uint64_t groups)
{
    uint64_t missing = 0, first = 0;
    for (uint64_t g = groups; g-- > 0;)
        if (!(bitmap[g / 32] >> g % 32 & 1)) {
            missing++;
            first = g;
        }
    if (!missing)
        return;
    c->ok = false;
    lad_record_fact(c->arena, c->record, '!', "dispatch %zu (%s): %llu of %llu workgroups never ran, the first is %llu",
                    c->slot + 1, c->kernel, (unsigned long long)missing, (unsigned long long)groups,
                    (unsigned long long)first);
}

bool lad_witness_check(struct lad_arena *arena, const uint32_t *words, size_t slot, const struct lad_ran *ran,
                       struct lad_record *record)
{
    const struct lad_kernel_desc *d = ran->desc;
    const uint32_t *w = words + slot * LAD_W_WORDS;
    uint64_t groups = (uint64_t)ran->groups[0] * ran->groups[1] * ran->groups[2];
    uint64_t lanes = (uint64_t)d->local[0] * d->local[1] * d->local[2];
    bool untouched = w[LAD_W_MAGIC] == lad_canary_word(LAD_CANARY_DEVICE, slot * LAD_W_WORDS + LAD_W_MAGIC);
    struct check c = {arena, record, d->source->name, slot, true};

    if (w[LAD_W_MAGIC] == lad_canary_word(LAD_CANARY_HOST, slot * LAD_W_WORDS + LAD_W_MAGIC)) {
        lad_record_fact(arena, record, '!',
                        "dispatch %zu (%s): reading its witness wrote nothing into the host's memory", slot + 1,
                        c.kernel);
        lad_record_set(arena, record, LAD_STATUS_FAIL, "ladder.witness.unread",
                       "dispatch %zu (%s): its witness could not be read back", slot + 1, c.kernel);
        return false;
    }
    if (untouched && w[LAD_W_COUNT] == LAD_W_START) {
        if (!groups || !ran->times)
            return true;
        lad_record_fact(arena, record, '!', "dispatch %zu (%s) never ran: its witness is as it was planted", slot + 1,
                        c.kernel);
        lad_record_set(arena, record, LAD_STATUS_FAIL, "ladder.witness.never-ran",
                       "dispatch %zu (%s) never ran: no invocation"
                       " reached its witness",
                       slot + 1, c.kernel);
        return false;
    }
    if (!w[LAD_W_MAGIC] && !w[LAD_W_COUNT]) {
        lad_record_fact(arena, record, '!', "dispatch %zu (%s): its witness reads as zeros, what was planted there too",
                        slot + 1, c.kernel);
        lad_record_set(arena, record, LAD_STATUS_FAIL, "ladder.witness.zero",
                       "dispatch %zu (%s): its witness reads as zeros", slot + 1, c.kernel);
        return false;
    }
    expect(&c, "witness magic", "ladder.witness.magic", w[LAD_W_MAGIC], LAD_W_MAGIC_VALUE);
    expect(&c, "kernel text's nonce", "ladder.witness.stale-kernel", w[LAD_W_BUILD], d->source->nonce);
    expect(&c, "nonce of the dispatch", "ladder.witness.stale-dispatch", w[LAD_W_DISPATCH], ran->nonce);
    for (uint32_t i = 0; i < 3; i++) {
        static const char *const local[] = {"workgroup size x", "workgroup size y", "workgroup size z"};
        static const char *const grid[] = {"workgroups in x", "workgroups in y", "workgroups in z"};
        expect(&c, local[i], "ladder.witness.local-size", w[LAD_W_LOCAL + i], d->local[i]);
        expect(&c, grid[i], "ladder.witness.grid", w[LAD_W_GRID + i], ran->groups[i]);
    }
    expect(&c, "constant 0", "ladder.witness.constant", w[LAD_W_CONST], d->constant[0]);
    expect(&c, "constant 1", "ladder.witness.constant", w[LAD_W_CONST + 1], d->constant[1]);
    if (d->source->n_dynamic)
        expect(&c, "dynamic local items", "ladder.witness.dynamic", w[LAD_W_DYNAMIC], d->dynamic_items);
    expect_count(&c, "invocations", "ladder.witness.count", w[LAD_W_COUNT], (uint32_t)(groups * lanes * ran->times));
    expect_count(&c, "workgroups", "ladder.witness.groups", w[LAD_W_GROUPS], (uint32_t)(groups * ran->times));
    check_scalars(&c, w, ran);
    if (groups <= LAD_W_BITMAP_WORDS * 32 && !ran->base[0] && !ran->base[1] && !ran->base[2])
        check_bitmap(&c, w + LAD_W_BITMAP, groups);
    if (c.ok)
        lad_record_fact(arena, record, '+',
                        "dispatch %zu (%s) ran: all %llu invocations of %llu workgroups, scalars whole", slot + 1,
                        c.kernel, (unsigned long long)(groups * lanes * ran->times),
                        (unsigned long long)(groups * ran->times));
    return c.ok;
}
