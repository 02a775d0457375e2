/* SPDX-License-Identifier: Apache-2.0 */
/* The index blocks of CASE: which labels a value can match, by its low bits or by its whole. */
#include "vm.h"

/* Bits of the label that match whatever a known value has there; *never: a bit that no known value matches. */
static uint64_t find_open(const struct lad_vm_label *label, const uint64_t *casw, uint32_t kind, uint64_t mask,
                          bool *never)
{
    uint64_t want = casw[label->want] & mask, aux = casw[label->care] & mask;
    uint64_t open = kind == VM_CASE_X ? aux : kind == VM_CASE_Z ? aux & ~want : 0;
    *never = (aux & ~open) != 0;
    return open;
}

static bool can_match(const struct lad_vm_label *label, const uint64_t *casw, uint32_t kind, uint64_t value,
                      uint64_t mask)
{
    bool never;
    uint64_t open = find_open(label, casw, kind, mask, &never);
    return !never && !((value ^ casw[label->want]) & mask & ~open);
}

static void fill_buckets(const struct lad_vm_label *label, uint32_t n, const uint64_t *casw, uint32_t kind,
                         uint32_t bits, struct lad_arena *arena, struct lad_vm_words *out)
{
    uint64_t buckets = 1ull << bits, mask = buckets - 1, at = 0;
    for (uint64_t k = 0; k <= buckets; k++)
        *LAD_PUSH(arena, out->word, out->n) = 0;
    for (uint64_t k = 0; k < buckets; k++) {
        out->word[k] = at;
        for (uint32_t i = 0; i < n; i++) {
            if (can_match(&label[i], casw, kind, k, mask)) {
                *LAD_PUSH(arena, out->word, out->n) = i;
                at++;
            }
        }
    }
    out->word[buckets] = at;
}

void lad_vm_case_index(struct lad_arena *arena, const struct lad_vm_label *label, uint32_t n, const uint64_t *casw,
                       uint32_t kind, uint32_t width, uint32_t bits, struct lad_vm_words *out)
{
    *out = (struct lad_vm_words){0};
    if (bits) {
        fill_buckets(label, n, casw, kind, bits, arena, out);
        return;
    }
    for (uint64_t value = 0; value < 1ull << width; value++) {
        uint64_t *item = LAD_PUSH(arena, out->word, out->n);
        *item = UINT64_MAX;
        for (uint32_t i = 0; i < n && *item == UINT64_MAX; i++)
            if (can_match(&label[i], casw, kind, value, (1ull << width) - 1))
                *item = label[i].target;
    }
}
