/* SPDX-License-Identifier: Apache-2.0 */
/* Expected against actual: counts, the first differences, a map by kind, and the signature of the whole in words. */
#include "../kernels/witness.h"
#include "harness.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CELLS 4096u
#define ORACLE_NS                                                                                                      \
    400000000u /* of an oracle for one buffer; where it would take longer, elements are checked by sample */

static bool is_nan(enum lad_type type, uint64_t bits)
{
    return type == LAD_F32 ? (bits & 0x7FFFFFFFu) > 0x7F800000u
                           : type == LAD_F64 && (bits & INT64_MAX) > 0x7FF0000000000000u;
}

double lad_ulps(enum lad_type type, uint64_t a, uint64_t b)
{
    if (a == b)
        return 0;
    if (type != LAD_F32 && type != LAD_F64)
        return INFINITY;
    if (is_nan(type, a) || is_nan(type, b))
        return is_nan(type, a) && is_nan(type, b) ? 0 : INFINITY;
    uint64_t sign = type == LAD_F32 ? 0x80000000u : 0x8000000000000000u;
    double x = (double)(a & ~sign), y = (double)(b & ~sign);
    return fabs((a & sign ? -x : x) - (b & sign ? -y : y));
}

static bool is_denormal(enum lad_type type, uint64_t bits)
{
    return type == LAD_F32 && (bits & 0x7F800000u) == 0 && (bits & 0x7FFFFFu) != 0;
}

bool lad_same(const struct lad_oracle_in *in, enum lad_type type, uint64_t expected, uint64_t actual, double ulp)
{
    if (expected == actual)
        return true;
    if (in->gpu && !in->gpu->info.cap[LAD_CAP_DENORMALS] && is_denormal(type, expected) && (actual & 0x7FFFFFFFu) == 0)
        return true; /* the device says that it flushes them */
    if (type != LAD_F32 && type != LAD_F64)
        return false;
    return is_nan(type, expected) ? is_nan(type, actual)
                                  : !is_nan(type, actual) && lad_ulps(type, expected, actual) <= ulp;
}

uint64_t lad_host_bits(enum lad_type type, uint64_t i)
{
    uint32_t bytes = lad_type_bytes(type), words[3];
    uint64_t host = 0, first = i * bytes / 4;
    for (uint32_t k = 0; k < 3; k++)
        words[k] = lad_canary_word(LAD_CANARY_HOST, first + k);
    memcpy(&host, (char *)words + i * bytes % 4, bytes);
    return host;
}

/* '.' right, '0' zero, 'P' canary kept, 'H' host canary, 'N' NaN or infinity, 'x' other; 'e' is found later. */
char lad_kind_of(const struct lad_data *out, uint64_t i, uint64_t actual)
{
    enum lad_type type = out->buf->type;
    if (actual == lad_host_bits(type, i))
        return 'H';
    if (actual == 0)
        return '0';
    if (actual == lad_bits(out->before, type, i))
        return 'P';
    if (is_nan(type, actual) || (type == LAD_F32 && (actual & 0x7FFFFFFFu) == 0x7F800000u))
        return 'N';
    return 'x';
}

static int badness(char kind)
{
    return (int)(strchr(".ePH0Nx", kind) - ".ePH0Nx");
}

/* Values that stand k places from where they belong, the same k for at least 3 of 4 wrong elements looked at. */
static int64_t find_shift(const struct lad_oracle_in *in, const struct lad_oracle *oracle, const struct lad_data *out,
                          const uint64_t *wrong, size_t n_wrong)
{
    for (int64_t k = 1; k <= 64; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            size_t hits = 0, tried = 0;
            for (size_t w = 0; w < n_wrong; w++) {
                int64_t from = (int64_t)wrong[w] + sign * k;
                uint64_t actual = lad_bits(out->after, out->buf->type, wrong[w]);
                if (from < 0 || (uint64_t)from >= out->n)
                    continue;
                tried++;
                hits += actual != 0 && actual == oracle->at(in, out, (uint64_t)from);
            }
            if (tried >= 3 && hits * 4 >= tried * 3)
                return sign * k;
        }
    return 0;
}

static const char *kind_words(char kind)
{
    switch (kind) {
    case '0':
        return "zero";
    case 'P':
        return "as before the run (canary or input kept)";
    case 'H':
        return "host canary (the readback wrote nothing there)";
    case 'N':
        return "NaN or infinity";
    default:
        return "other values";
    }
}

struct tally {
    uint64_t n[128];    /* by kind */
    uint64_t period;    /* of the wrong elements' places, 0: none found */
    uint64_t run_start; /* wrong elements are exactly run_start .. run_end - 1 when contiguous */
    uint64_t run_end;
    bool contiguous;
};

static const char *describe(struct lad_arena *arena, const struct lad_seen *s, const struct tally *t, int64_t shift)
{
    char top = 'x';
    uint64_t wrong = s->n_wrong;
    for (const char *k = "P0HNx"; *k; k++)
        if (t->n[(int)*k] > t->n[(int)top])
            top = *k;
    const char *what = t->n[(int)top] == wrong
                           ? kind_words(top)
                           : lad_printf(arena, "%llu %s, %llu others", (unsigned long long)t->n[(int)top],
                                        kind_words(top), (unsigned long long)(wrong - t->n[(int)top]));
    if (!wrong)
        return "right";
    if (shift)
        what = lad_printf(arena, "values that belong %lld place%s %s", llabs(shift), llabs(shift) == 1 ? "" : "s",
                          shift < 0 ? "earlier" : "later");
    if (wrong == s->n_checked)
        return lad_printf(arena, "all %llu elements are %s", (unsigned long long)wrong, what);
    if (t->contiguous && t->run_end == s->n)
        return lad_printf(arena, "right up to element %llu, then %s", (unsigned long long)t->run_start, what);
    if (t->contiguous && t->run_start == 0)
        return lad_printf(arena, "the first %llu elements are %s, the rest right", (unsigned long long)wrong, what);
    if (t->contiguous)
        return lad_printf(arena, "elements %llu to %llu are %s, the rest right", (unsigned long long)t->run_start,
                          (unsigned long long)t->run_end - 1, what);
    if (t->period)
        return lad_printf(arena, "%llu of every %llu elements are %s", (unsigned long long)(wrong * t->period / s->n),
                          (unsigned long long)t->period, what);
    return lad_printf(arena, "%llu of %llu elements are %s", (unsigned long long)wrong,
                      (unsigned long long)s->n_checked, what);
}

/* Smallest period up to 1024 of the mask of wrong elements over the first 4096. */
static uint64_t find_period(const char *cell, uint64_t n)
{
    for (uint64_t p = 2; p <= 1024 && p * 2 <= n; p++) {
        uint64_t i = p;
        while (i < n && (cell[i] == '.') == (cell[i - p] == '.'))
            i++;
        if (i == n)
            return p;
    }
    return 0;
}

static const char *encode(struct lad_arena *arena, const char *cell, uint64_t n)
{
    char *text = lad_alloc(arena, n * 7 + 8), *at = text;
    for (uint64_t i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && cell[i + run] == cell[i]; run++)
            ;
        at += sprintf(at, "%s%llu%c", i ? " " : "", (unsigned long long)run, cell[i]); /* the letter may be a digit */
    }
    return text;
}

static void keep_diff(struct lad_arena *arena, struct lad_seen *s, uint64_t i, uint64_t expected, uint64_t actual,
                      double ulps)
{
    *LAD_PUSH(arena, s->diff, s->n_diffs) = (struct lad_diff){i, expected, actual, ulps};
}

/* How far apart elements can be checked within the time, by timing a few; odd, so that it walks through every lane. */
static uint64_t choose_stride(const struct lad_oracle *oracle, const struct lad_oracle_in *in,
                              const struct lad_data *out)
{
    uint64_t start = lad_now_ns(), tried = 64;
    for (uint64_t k = 0; k < tried; k++)
        oracle->at(in, out, out->n / tried * k);
    uint64_t stride = (lad_now_ns() - start) / tried * out->n / ORACLE_NS;
    return stride < 1 ? 1 : stride | 1;
}

uint64_t lad_compare(struct lad_arena *arena, const struct lad_oracle *oracle, const struct lad_oracle_in *in,
                     const struct lad_data *out, double ulp, struct lad_seen *s)
{
    enum lad_type type = out->buf->type;
    uint64_t stride = 1, wrong[64], last_diff = 0;
    size_t n_listed = 0;
    char last_kind = '.', *cell = lad_alloc(arena, CELLS);
    struct tally t = {.contiguous = true};
    struct lad_diff last = {0};
    *s = (struct lad_seen){.name = out->buf->name,
                           .type = lad_type_name(type),
                           .mem = lad_mem_name(out->buf->mem),
                           .bytes = out->n * lad_type_bytes(type),
                           .n = out->n,
                           .bin = (out->n + CELLS - 1) / CELLS};
    if (!s->bin)
        s->bin = 1;
    memset(cell, '.', CELLS);
    if (out->n > CELLS)
        stride = choose_stride(oracle, in, out);
    for (uint64_t i = 0; i < out->n; i++) {
        uint64_t actual = lad_bits(out->after, type, i), expected;
        bool sampled = i % stride == 0 || i + 1 == out->n;
        /* What is not sampled must at least have been written. */
        if (!sampled && lad_kind_of(out, i, actual) != 'P' && lad_kind_of(out, i, actual) != 'H')
            continue;
        s->n_checked += sampled;
        expected = oracle->at(in, out, i);
        if (lad_same(in, type, expected, actual, ulp))
            continue;
        char kind = lad_kind_of(out, i, actual);
        if (s->n_wrong == 0)
            s->first = t.run_start = i;
        else if (i != t.run_end)
            t.contiguous = false;
        t.run_end = i + 1;
        s->last = i;
        s->n_wrong++;
        s->n_checked += !sampled;
        t.n[(int)kind]++;
        if (badness(kind) > badness(cell[i / s->bin]))
            cell[i / s->bin] = kind;
        last = (struct lad_diff){i, expected, actual, lad_ulps(type, expected, actual)};
        if (s->n_diffs < 3 || (kind != last_kind && s->n_diffs < 8)) {
            keep_diff(arena, s, i, expected, actual, last.ulps);
            last_diff = i;
        }
        last_kind = kind;
        if (n_listed < LAD_N(wrong))
            wrong[n_listed++] = i;
    }
    if (s->n_wrong && last.index != last_diff)
        keep_diff(arena, s, last.index, last.expected, last.actual, last.ulps);
    uint64_t n_cells = (out->n + s->bin - 1) / s->bin;
    int64_t shift = t.n['x'] * 4 >= s->n_wrong * 3 && s->n_wrong ? find_shift(in, oracle, out, wrong, n_listed) : 0;
    for (uint64_t i = 0; shift && i < n_cells; i++)
        if (cell[i] == 'x')
            cell[i] = 'e';
    if (s->bin == 1 && !t.contiguous)
        t.period = find_period(cell, n_cells);
    s->map = encode(arena, cell, n_cells);
    s->signature = describe(arena, s, &t, shift);
    return s->n_wrong;
}
