/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of an output: where its wrong elements lie, and what their values have in common. */
#include "observe.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool lad_is_wrong(const struct lad_scan *s, uint64_t i)
{
    return s->kind[i] != '.' && s->kind[i] != ',';
}

double lad_number(enum lad_type type, uint64_t bits)
{
    float f;
    double d;
    memcpy(&f, &bits, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return type == LAD_F32   ? (double)f
           : type == LAD_F64 ? d
           : type == LAD_I32 ? (double)(int32_t)bits
           : type == LAD_I64 ? (double)(int64_t)bits
                             : (double)bits;
}

uint64_t lad_turn_bytes(uint64_t bits, uint32_t bytes)
{
    return __builtin_bswap64(bits) >> (64 - 8 * bytes);
}

double lad_scan_number(const struct lad_scan *s, uint64_t bits)
{
    return lad_number(s->as, bits);
}

static uint64_t find_period(const struct lad_scan *s)
{
    uint64_t n = s->n < 4096 ? s->n : 4096;
    for (uint64_t p = 2; p * 2 <= n && p <= 1024; p++) {
        uint64_t i = p;
        while (i < n && lad_is_wrong(s, i) == lad_is_wrong(s, i - p))
            i++;
        if (i == n)
            return p;
    }
    return 0;
}

/* Is the same true of every wrong element (of the first 64)? */
static bool holds(const struct lad_scan *s, bool (*test)(const struct lad_scan *, uint64_t))
{
    size_t n = 0;
    for (uint64_t i = s->first; i <= s->last && n < 64; i++)
        if (lad_is_wrong(s, i) && (n++, !test(s, i)))
            return false;
    return n > 0;
}

uint64_t lad_scan_actual(const struct lad_scan *s, uint64_t i)
{
    return lad_bits(s->d->after, s->type, i);
}

static bool is_swapped(const struct lad_scan *s, uint64_t i)
{
    uint32_t bytes = lad_type_bytes(s->type);
    uint64_t a = lad_scan_actual(s, i), e = s->expected[i];
    return bytes > 1 && (a == lad_turn_bytes(e, bytes) || (bytes == 8 && a == (e << 32 | e >> 32)));
}

static bool is_doubled(const struct lad_scan *s, uint64_t i)
{
    uint64_t mask = ~0ull >> (64 - 8 * lad_type_bytes(s->type)), before = lad_bits(s->d->before, s->type, i);
    return s->d->buf->role == LAD_INOUT && s->type != LAD_F32 && s->type != LAD_F64 && s->expected[i] != before &&
           ((lad_scan_actual(s, i) - before) & mask) == (2 * (s->expected[i] - before) & mask);
}

static bool is_half(const struct lad_scan *s, uint64_t i)
{
    double a = lad_number(s->as, lad_scan_actual(s, i)), e = lad_number(s->as, s->expected[i]);
    return s->as == LAD_F32 && !(lad_scan_actual(s, i) & 0x1FFF) && s->expected[i] & 0x1FFF &&
           fabs(a - e) <= 1e-3 * fabs(e);
}

static bool is_near(const struct lad_scan *s, uint64_t i)
{
    double a = lad_number(s->as, lad_scan_actual(s, i)), e = lad_number(s->as, s->expected[i]);
    return (s->as == LAD_F32 || s->as == LAD_F64) && fabs(a - e) <= 1e-4 * fabs(e);
}

/* Below the smallest normal number, and gone. */
static bool is_flushed(const struct lad_scan *s, uint64_t i)
{
    double e = lad_number(s->as, s->expected[i]);
    bool tiny = s->as == LAD_F32   ? fabs(e) < 1.17549436e-38
                : s->as == LAD_F64 ? fabs(e) < 2.2250738585072014e-308
                                   : false;
    return tiny && e != 0 && lad_number(s->as, lad_scan_actual(s, i)) == 0;
}

static bool has_factor(const struct lad_scan *s)
{
    double factor = 0;
    uint64_t n = 0, different = 0;
    for (uint64_t i = 0; i < s->n && n < 64; i++) {
        double a = lad_number(s->type, lad_scan_actual(s, i)), e = lad_number(s->type, s->expected[i]);
        if (e == 0 || a == 0 || !lad_is_wrong(s, i))
            continue;
        if (n++ == 0)
            factor = a / e;
        else if (fabs(a / e - factor) > 1e-5 * fabs(factor))
            return false;
        different += s->expected[i] != s->expected[s->first];
    }
    return n >= 4 && different >= 3 && s->right <= 8 && factor != 1 && s->of['x'] == s->wrong;
}

static int64_t find_shift(const struct lad_scan *s)
{
    for (int64_t k = 1; k <= 4096 && (uint64_t)k < s->wrong; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            uint64_t hits = 0, tried = 0, changes = 0, was = 0; /* equal values say nothing of places */
            for (uint64_t i = s->first; i <= s->last && tried < 32; i++) {
                int64_t from = (int64_t)i + sign * k;
                if (s->kind[i] != 'x' || from < 0 || (uint64_t)from >= s->n)
                    continue;
                tried++;
                if (lad_scan_actual(s, i) == s->expected[from] && lad_scan_actual(s, i) != 0) {
                    hits++;
                    changes += lad_scan_actual(s, i) != was;
                    was = lad_scan_actual(s, i);
                }
                if (hits * 4 + 4 < tried * 3)
                    break;
            }
            if (tried >= 3 && hits * 4 >= tried * 3 && changes >= 3)
                return sign * k;
        }
    return 0;
}

/* Elements of structures laid out with `to` places each, where `from` of them are used; the other way round they are
 * read so. Returns `to`, or 0. */
static int64_t find_layout(const struct lad_scan *s, bool squeezed)
{
    for (uint64_t to = 2; to <= 16; to++)
        for (uint64_t from = 1; from < to; from++) {
            uint64_t tried = 0, hits = 0;
            for (uint64_t i = from; tried < 24; i++) {
                uint64_t wide = i / from * to + i % from;
                if (wide >= s->n)
                    break;
                uint64_t a = squeezed ? lad_scan_actual(s, i) : lad_scan_actual(s, wide),
                         e = s->expected[squeezed ? wide : i];
                tried++;
                hits += a == e && e != s->expected[squeezed ? i : wide];
            }
            if (tried >= 8 && hits * 10 >= tried * 9)
                return (int64_t)to;
        }
    return 0;
}

static int order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The same values, elsewhere: sorted they are equal. */
static bool is_permuted(const struct lad_scan *s)
{
    if (s->n < 4 || s->n > 1 << 16 || s->of['P'] || s->of['0'] > 2)
        return false;
    uint64_t *a = malloc(2 * s->n * sizeof *a), *b = a + s->n;
    if (!a)
        abort();
    for (uint64_t i = 0; i < s->n; i++) {
        a[i] = lad_scan_actual(s, i);
        b[i] = s->expected[i];
    }
    qsort(a, s->n, sizeof *a, order);
    qsort(b, s->n, sizeof *b, order);
    bool same = !memcmp(a, b, s->n * sizeof *a) && a[0] != a[s->n - 1];
    free(a);
    return same;
}

/* Old contents in runs that begin and end on 64 bytes, but no mere prefix or suffix. */
static bool in_blocks(const struct lad_scan *s)
{
    uint32_t bytes = lad_type_bytes(s->type);
    uint64_t runs = 0;
    for (uint64_t i = 0; i < s->n;) {
        uint64_t start = i;
        while (i < s->n && lad_is_wrong(s, i) == lad_is_wrong(s, start))
            i++;
        if (!lad_is_wrong(s, start))
            continue;
        runs++;
        if (start * bytes % 64 || (i < s->n && i * bytes % 64))
            return false;
    }
    return runs > 1 || (runs == 1 && s->first && s->last + 1 < s->n);
}

static bool holds_marker(const struct lad_scan *s)
{
    for (uint64_t i = s->first; i <= s->last && s->type == LAD_U32; i++)
        if (lad_is_wrong(s, i) && (lad_scan_actual(s, i) | 3) == (LAD_MARKER | 3))
            return true;
    return false;
}

/* Marks that were planted before the run at other places than theirs: the kernel read them, and passed them on. */
static bool holds_moved_marks(const struct lad_scan *s)
{
    uint64_t moved = 0;
    for (uint64_t i = s->first; i <= s->last && lad_type_bytes(s->type) == 4; i++) {
        uint64_t a = lad_scan_actual(s, i);
        moved += s->kind[i] == 'x' && a != lad_canary_word(LAD_CANARY_DEVICE, i) &&
                 a == lad_canary_word(LAD_CANARY_DEVICE, a) && (a & 0x00FFFFFF) < 1u << 20;
    }
    return moved >= 8 && moved + 1 >= s->of['x'];
}

void lad_observe_place(struct lad_point *p, const struct lad_scan *s)
{
    bool kept = s->of['P'] == s->wrong, zero = s->of['0'] == s->wrong;
    uint64_t period, right = 0, more = 0;
    if (s->n * lad_type_bytes(s->type) < 4 && s->of['H'])
        return; /* a part of a mark is no mark */
    if (s->of['H'] == s->wrong && !s->right && !s->first) /* what is rightly as before was read, too */
        lad_see(p, LAD_OBS_OUT_HOST, s->name, (int64_t)s->of['H']);
    else if (s->of['H'] == s->wrong && s->contiguous && !s->right_after)
        lad_see(p, LAD_OBS_OUT_HOST_TAIL, s->name, (int64_t)s->first);
    if (s->of['I'] && s->of['I'] == s->wrong && (s->right || s->n * lad_type_bytes(s->type) >= 64)) {
        lad_see(p,
                !s->right && !s->first             ? LAD_OBS_IN_CANARY
                : s->contiguous && !s->right_after ? LAD_OBS_IN_CANARY_TAIL
                : in_blocks(s)                     ? LAD_OBS_IN_CANARY_BLOCKS
                                                   : LAD_OBS_OUT_KEPT_SOME,
                s->name, (int64_t)(s->first * lad_type_bytes(s->type)));
        return;
    }
    if (s->stray)
        lad_see(p, LAD_OBS_OUT_STRAY, s->name, (int64_t)s->stray);
    bool over = s->stray == s->wrong && s->contiguous && s->first && !lad_is_wrong(s, s->first - 1) &&
                s->expected[s->first - 1] != lad_bits(s->d->before, s->type, s->first - 1);
    if (over)
        lad_see(p, LAD_OBS_OUT_OVER, s->name, (int64_t)s->wrong);
    if (holds_moved_marks(s))
        lad_see(p, LAD_OBS_OUT_MOVED_MARKS, s->name, (int64_t)s->of['x']);
    if (holds_marker(s))
        lad_see(p, LAD_OBS_OUT_MARK, s->name, 0);
    if (s->contiguous && !s->right_after && s->right && s->of['x'] == s->wrong && !over)
        lad_see(p, LAD_OBS_OUT_OTHER_TAIL, s->name, (int64_t)s->wrong);
    if (!s->right && (kept || zero)) {
        lad_see(p, kept ? LAD_OBS_OUT_KEPT : LAD_OBS_OUT_ZERO, s->name, (int64_t)s->n);
        return;
    }
    if (!s->right && s->of['x'] == s->wrong)
        lad_see(p, LAD_OBS_OUT_OTHER, s->name, (int64_t)s->n);
    if (s->contiguous && !s->right_after && (kept || zero)) {
        bool tail = kept && s->lanes > 1 && s->wrong < s->lanes && s->first % s->lanes == 0;
        lad_see(p,
                tail   ? LAD_OBS_OUT_TAIL
                : kept ? LAD_OBS_OUT_PREFIX
                       : LAD_OBS_OUT_PREFIX_ZERO,
                s->name, (int64_t)(tail ? s->wrong : s->first));
        return;
    }
    if (s->contiguous && !s->right_before && kept) {
        lad_see(p, LAD_OBS_OUT_HEAD, s->name, (int64_t)s->wrong);
        return;
    }
    bool blocks = (kept || zero) && in_blocks(s);
    period = s->contiguous ? 0 : find_period(s);
    while (right < period && !lad_is_wrong(s, right))
        right++;
    for (uint64_t i = right; i < period; i++)
        more += !lad_is_wrong(s, i);
    bool by_group = kept && !more && right && s->lanes > 1 && period == s->lanes;
    if (by_group)
        lad_see(p, right == 1 ? LAD_OBS_OUT_ONE_PER_GROUP : LAD_OBS_OUT_GROUP_PREFIX, s->name, (int64_t)right);
    else if (period && !blocks)
        lad_see(p, LAD_OBS_OUT_EVERY, s->name, (int64_t)period);
    if (blocks) {
        lad_see(p, LAD_OBS_OUT_BLOCKS, s->name, 64);
    } else if (period) {
        return;
    } else if (kept) {
        lad_see(p, LAD_OBS_OUT_KEPT_SOME, s->name, (int64_t)s->wrong);
    } else if (s->wrong * 4 < s->n) {
        lad_see(p, LAD_OBS_OUT_SCATTERED, s->name, (int64_t)s->wrong);
    }
}

void lad_observe_values(struct lad_point *p, const struct lad_scan *s)
{
    int64_t shift = find_shift(s), spread = find_layout(s, false), squeezed = find_layout(s, true);
    if (spread || squeezed)
        lad_see(p, spread ? LAD_OBS_OUT_SPREAD : LAD_OBS_OUT_SQUEEZED, s->name, spread ? spread : squeezed);
    if (s->of['N'])
        lad_see(p, LAD_OBS_OUT_NAN, s->name, (int64_t)s->of['N']);
    if (holds(s, is_half))
        lad_see(p, LAD_OBS_OUT_HALF, s->name, 0);
    if (holds(s, is_near))
        lad_see(p, LAD_OBS_OUT_NEAR, s->name, 0);
    if (holds(s, is_flushed))
        lad_see(p, LAD_OBS_OUT_TINY, s->name, 0);
    if (holds(s, is_swapped))
        lad_see(p, LAD_OBS_OUT_SWAPPED, s->name, 0);
    if (holds(s, is_doubled))
        lad_see(p, LAD_OBS_OUT_DOUBLED, s->name, 0);
    if (shift)
        lad_see(p, p->n_ran && s->right * 8 > s->n ? LAD_OBS_OUT_PART_SHIFT : LAD_OBS_OUT_SHIFT, s->name, shift);
    else if (is_permuted(s))
        lad_see(p, LAD_OBS_OUT_TRANSPOSED, s->name, 0);
    if (has_factor(s))
        lad_see(p, LAD_OBS_OUT_FACTOR, s->name, 0);
    /* Results in the wrong buffer, or the wrong buffer's contents in the result. */
    for (size_t k = 0; k < p->n; k++) {
        const struct lad_data *other = &p->data[k];
        uint64_t bytes = s->n * lad_type_bytes(s->type), hits = 0, tried = 0;
        if (other == s->d || p->obj[k].bytes < bytes || !bytes)
            continue;
        for (uint64_t i = s->first; i <= s->last; i++)
            if (lad_is_wrong(s, i) && s->expected[i]) {
                tried++;
                hits += lad_bits(other->after, s->type, i) == s->expected[i] &&
                        lad_bits(other->before, s->type, i) != s->expected[i];
            }
        if (tried >= 3 && hits == tried)
            lad_see(p, LAD_OBS_ELSEWHERE, other->buf->name, (int64_t)hits);
        if (s->n >= 4 && !memcmp(other->before, s->d->after, bytes) && memcmp(other->before, s->d->before, bytes))
            lad_see(p, LAD_OBS_OUT_IS_OTHER, other->buf->name, 0);
    }
}
