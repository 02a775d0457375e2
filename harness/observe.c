/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what was read back after a failure into observations: patterns of the outputs, what the results would be on
 * other data, what became of the inputs, what the witnesses say. No judgement here: diagnose.c does that. */
#include "../kernels/witness.h"
#include "point.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SCANNED = 1 << 20, MOST_TRIED = 48 };

static const char *const names[] = {
#define OBS(sym, name, words) name,
#include "observe.def"
#undef OBS
};
static const char *const texts[] = {
#define OBS(sym, name, words) words,
#include "observe.def"
#undef OBS
};

const char *lad_obs_name(enum lad_obs_name name)
{
    return names[name];
}

enum lad_obs_name lad_obs_find(const char *name)
{
    for (int i = 0; i < LAD_OBS_COUNT; i++)
        if (!strcmp(names[i], name))
            return (enum lad_obs_name)i;
    return LAD_OBS_COUNT;
}

char *lad_obs_text(struct lad_arena *arena, const struct lad_obs *o)
{
    enum lad_obs_name name = lad_obs_find(o->name);
    char *out = "";
    if (name == LAD_OBS_COUNT)
        return lad_strdup(arena, o->name);
    for (const char *p = texts[name]; *p;) {
        size_t n = strcspn(p, "{");
        out = lad_printf(arena, "%s%.*s", out, (int)n, p);
        p += n;
        if (!strncmp(p, "{on}", 4))
            out = lad_printf(arena, "%s%s", out, o->on ? o->on : "it");
        else if (*p)
            out = lad_printf(arena, "%s%lld", out, (long long)o->value);
        p += *p ? strcspn(p, "}") + 1 : 0;
    }
    return out;
}

void lad_observe(struct lad_arena *arena, struct lad_record *r, enum lad_obs_name name, const char *on, int64_t value)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (!strcmp(r->obs[i].name, names[name]) && !strcmp(r->obs[i].on ? r->obs[i].on : "", on ? on : ""))
            return;
    *LAD_PUSH(arena, r->obs, r->n_obs) = (struct lad_obs){names[name], lad_strdup(arena, on), value};
}

bool lad_observed(const struct lad_record *r, enum lad_obs_name name)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (!strcmp(r->obs[i].name, names[name]))
            return true;
    return false;
}

static void see(struct lad_point *p, enum lad_obs_name name, const char *on, int64_t value)
{
    lad_observe(p->arena, p->r, name, on, value);
}

void lad_observe_api(struct lad_point *p, const char *doing)
{
    const struct lad_fail *f = &p->gpu->fail;
    const char *call = lad_printf(p->arena, "%s (%s)", f->call, f->code);
    see(p,
        f->lost                                                                ? LAD_OBS_API_LOST
        : f->timeout                                                           ? LAD_OBS_API_TIMEOUT
        : !strncmp(doing, "making buffer", 13)                                 ? LAD_OBS_API_ALLOC
        : strstr(f->code, "OUT_OF_RESOURCES") && !strncmp(doing, "waiting", 7) ? LAD_OBS_API_RESOURCES
        : strstr(f->code, "OVERLAP")                                           ? LAD_OBS_API_OVERLAP
        : strstr(f->code, "WORK_GROUP_SIZE")                                   ? LAD_OBS_API_GROUP
        : !strncmp(doing, "building", 8)                                       ? LAD_OBS_API_BUILD
                                                                               : LAD_OBS_API_ERROR,
        call, f->native);
}

/* ---- the case ----------------------------------------------------------------------------------------------- */

static void observe_kernel(struct lad_point *p, const struct lad_step *s, size_t n_before)
{
    const struct lad_kernel_source *k = s->kernel;
    static const char *const rare[] = {"int64", "fp64", "fp16", "int16", "int8", "atomic64"};
    for (size_t i = 0; i < LAD_N(rare); i++)
        if (lad_has_word(k->needs, rare[i]))
            see(p, LAD_OBS_HAS_RARE, rare[i], 0);
    if (strstr(k->name, "special"))
        see(p, LAD_OBS_HAS_SPECIAL, k->name, 0);
    if (lad_has_word(k->needs, "subgroup"))
        see(p, LAD_OBS_HAS_SUBGROUPS, NULL, 0);
    if (k->host_barriers || k->n_dynamic || strstr(k->name, "local"))
        see(p, LAD_OBS_HAS_LOCAL, NULL, 0);
    if (k->n_dynamic)
        see(p, LAD_OBS_HAS_DYNAMIC, NULL, 0);
    if (strstr(k->name, "atomic") || strstr(k->name, "histogram") || strstr(k->name, "count"))
        see(p, LAD_OBS_HAS_ATOMICS, NULL, 0);
    if (strstr(k->name, "struct"))
        see(p, LAD_OBS_HAS_STRUCT, NULL, 0);
    if (s->indirect)
        see(p, LAD_OBS_HAS_INDIRECT, s->indirect, 0);
    if (s->constant[0].text || s->constant[1].text)
        see(p, LAD_OBS_HAS_CONSTANT, NULL, 0);
    if (k->n_scalars > 2)
        see(p, LAD_OBS_HAS_SCALARS, NULL, 0);
    if (s->base[0].text || s->base[1].text || s->base[2].text)
        see(p, LAD_OBS_HAS_BASE, NULL, 0);
    if (s->items[1].text || s->groups[1].text)
        see(p, LAD_OBS_HAS_AXES, NULL, 0);
    if (s->queue.text && strcmp(s->queue.text, "0"))
        see(p, LAD_OBS_HAS_QUEUES, NULL, 0);
    for (size_t i = 0; i < s->n_args; i++)
        if (s->args[i].offset.text && strcmp(s->args[i].offset.text, "0"))
            see(p, LAD_OBS_HAS_OFFSET, s->args[i].buf, 0);
    if (n_before)
        see(p, LAD_OBS_HAS_STAGES, NULL, 0);
}

void lad_observe_case(struct lad_point *p)
{
    size_t dispatches = 0, before = 0;
    for (size_t i = 0; i < p->c->n_steps; i++) {
        const struct lad_step *s = &p->c->steps[i];
        if (s->kind == LAD_STEP_DISPATCH) {
            dispatches++;
            observe_kernel(p, s, before);
        }
        if (s->kind == LAD_STEP_FILL || s->kind == LAD_STEP_COPY || s->kind == LAD_STEP_WRITE)
            see(p, LAD_OBS_HAS_TRANSFER, NULL, 0);
        if (s->kind == LAD_STEP_FILL || s->kind == LAD_STEP_COPY || s->kind == LAD_STEP_WRITE)
            see(p,
                s->kind == LAD_STEP_FILL   ? LAD_OBS_HAS_FILL
                : s->kind == LAD_STEP_COPY ? LAD_OBS_HAS_COPY
                                           : LAD_OBS_HAS_WRITE,
                s->buf, 0);
        before += s->kind <= LAD_STEP_COPY;
    }
    see(p, dispatches ? LAD_OBS_HAS_DISPATCHES : LAD_OBS_HAS_NO_DISPATCH, NULL, (int64_t)dispatches);
    for (size_t i = 0; i < p->c->n_bufs; i++) {
        const struct lad_case_buf *b = &p->c->bufs[i];
        if (b->mem == LAD_MEM_NONCOHERENT)
            see(p, LAD_OBS_HAS_NONCOHERENT, b->name, 0);
        if (b->mem == LAD_MEM_HOST_POINTER || b->mem == LAD_MEM_SVM_COARSE || b->mem == LAD_MEM_SVM_FINE)
            see(p, LAD_OBS_HAS_HOST_POINTER, b->name, 0);
        if (b->mem != LAD_MEM_DEVICE)
            see(p, LAD_OBS_HAS_MAPPED, b->name, 0);
        if (b->table)
            see(p, LAD_OBS_HAS_TABLE, b->name, 0);
        if (b->type == LAD_F32 || b->type == LAD_F64)
            see(p, LAD_OBS_HAS_FLOATS, b->name, 0);
    }
}

/* ---- outputs ------------------------------------------------------------------------------------------------- */

struct scan {
    const struct lad_expect *e;
    const struct lad_oracle *oracle;
    const struct lad_data *d;
    const char *name;
    enum lad_type type, as; /* as: what its words mean: kernels about floats may get them as uint */
    uint64_t *expected;     /* raw bits of every element */
    char *kind;             /* '.' right, ',' right as it was not to be written, else as lad_kind_of */
    void *marks;            /* what stood in the buffer before the upload; NULL for outputs */
    uint64_t n, wrong, of[128], first, last;
    uint64_t right, right_before, right_after; /* right elements: all, ahead of the first wrong one, behind the last */
    bool contiguous;                           /* no right one among the wrong ones */
    uint64_t lanes;                            /* of a workgroup of the case's first dispatch */
};

static bool is_bad(const struct scan *s, uint64_t i)
{
    return s->kind[i] != '.' && s->kind[i] != ',';
}

static double number(enum lad_type type, uint64_t bits)
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

static uint64_t turn_bytes(uint64_t bits, uint32_t bytes)
{
    return __builtin_bswap64(bits) >> (64 - 8 * bytes);
}

static uint64_t find_period(const struct scan *s)
{
    uint64_t n = s->n < 4096 ? s->n : 4096;
    for (uint64_t p = 2; p * 2 <= n && p <= 1024; p++) {
        uint64_t i = p;
        while (i < n && is_bad(s, i) == is_bad(s, i - p))
            i++;
        if (i == n)
            return p;
    }
    return 0;
}

/* Is the same true of every wrong element (of the first 64)? */
static bool holds(const struct scan *s, bool (*test)(const struct scan *, uint64_t))
{
    size_t n = 0;
    for (uint64_t i = s->first; i <= s->last && n < 64; i++)
        if (is_bad(s, i) && (n++, !test(s, i)))
            return false;
    return n > 0;
}

static uint64_t actual(const struct scan *s, uint64_t i)
{
    return lad_bits(s->d->after, s->type, i);
}

static bool is_swapped(const struct scan *s, uint64_t i)
{
    uint32_t bytes = lad_type_bytes(s->type);
    uint64_t a = actual(s, i), e = s->expected[i];
    return bytes > 1 && (a == turn_bytes(e, bytes) || (bytes == 8 && a == (e << 32 | e >> 32)));
}

static bool is_doubled(const struct scan *s, uint64_t i)
{
    uint64_t mask = ~0ull >> (64 - 8 * lad_type_bytes(s->type)), before = lad_bits(s->d->before, s->type, i);
    return s->d->buf->role == LAD_INOUT && s->type != LAD_F32 && s->type != LAD_F64 && s->expected[i] != before &&
           ((actual(s, i) - before) & mask) == (2 * (s->expected[i] - before) & mask);
}

static bool is_half(const struct scan *s, uint64_t i)
{
    double a = number(s->as, actual(s, i)), e = number(s->as, s->expected[i]);
    return s->as == LAD_F32 && !(actual(s, i) & 0x1FFF) && s->expected[i] & 0x1FFF && fabs(a - e) <= 1e-3 * fabs(e);
}

static bool is_near(const struct scan *s, uint64_t i)
{
    double a = number(s->as, actual(s, i)), e = number(s->as, s->expected[i]);
    return (s->as == LAD_F32 || s->as == LAD_F64) && fabs(a - e) <= 1e-4 * fabs(e);
}

/* Below the smallest normal number, and gone. */
static bool is_flushed(const struct scan *s, uint64_t i)
{
    double e = number(s->as, s->expected[i]);
    bool tiny = s->as == LAD_F32   ? fabs(e) < 1.17549436e-38
                : s->as == LAD_F64 ? fabs(e) < 2.2250738585072014e-308
                                   : false;
    return tiny && e != 0 && number(s->as, actual(s, i)) == 0;
}

static bool has_factor(const struct scan *s)
{
    double factor = 0;
    uint64_t n = 0, different = 0;
    for (uint64_t i = 0; i < s->n && n < 64; i++) {
        double a = number(s->type, actual(s, i)), e = number(s->type, s->expected[i]);
        if (e == 0 || a == 0 || !is_bad(s, i))
            continue;
        if (n++ == 0)
            factor = a / e;
        else if (fabs(a / e - factor) > 1e-5 * fabs(factor))
            return false;
        different += s->expected[i] != s->expected[s->first];
    }
    return n >= 4 && different >= 3 && s->right <= 8 && factor != 1 && s->of['x'] == s->wrong;
}

static int64_t find_shift(const struct scan *s)
{
    for (int64_t k = 1; k <= 4096 && (uint64_t)k < s->wrong; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            uint64_t hits = 0, tried = 0, changes = 0, was = 0; /* equal values say nothing of places */
            for (uint64_t i = s->first; i <= s->last && tried < 32; i++) {
                int64_t from = (int64_t)i + sign * k;
                if (s->kind[i] != 'x' || from < 0 || (uint64_t)from >= s->n)
                    continue;
                tried++;
                if (actual(s, i) == s->expected[from] && actual(s, i) != 0) {
                    hits++;
                    changes += actual(s, i) != was;
                    was = actual(s, i);
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
static int64_t find_layout(const struct scan *s, bool squeezed)
{
    for (uint64_t to = 2; to <= 16; to++)
        for (uint64_t from = 1; from < to; from++) {
            uint64_t tried = 0, hits = 0;
            for (uint64_t i = from; tried < 24; i++) {
                uint64_t wide = i / from * to + i % from;
                if (wide >= s->n)
                    break;
                uint64_t a = squeezed ? actual(s, i) : actual(s, wide), e = s->expected[squeezed ? wide : i];
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
static bool is_permuted(const struct scan *s)
{
    if (s->n < 4 || s->n > 1 << 16 || s->of['P'] || s->of['0'] > 2)
        return false;
    uint64_t *a = malloc(2 * s->n * sizeof *a), *b = a + s->n;
    if (!a)
        abort();
    for (uint64_t i = 0; i < s->n; i++) {
        a[i] = actual(s, i);
        b[i] = s->expected[i];
    }
    qsort(a, s->n, sizeof *a, order);
    qsort(b, s->n, sizeof *b, order);
    bool same = !memcmp(a, b, s->n * sizeof *a) && a[0] != a[s->n - 1];
    free(a);
    return same;
}

/* Old contents in runs that begin and end on 64 bytes, but no mere prefix or suffix. */
static bool in_blocks(const struct scan *s)
{
    uint32_t bytes = lad_type_bytes(s->type);
    uint64_t runs = 0;
    for (uint64_t i = 0; i < s->n;) {
        uint64_t start = i;
        while (i < s->n && is_bad(s, i) == is_bad(s, start))
            i++;
        if (!is_bad(s, start))
            continue;
        runs++;
        if (start * bytes % 64 || (i < s->n && i * bytes % 64))
            return false;
    }
    return runs > 1 || (runs == 1 && s->first && s->last + 1 < s->n);
}

static void observe_place(struct lad_point *p, const struct scan *s)
{
    bool kept = s->of['P'] == s->wrong, zero = s->of['0'] == s->wrong;
    uint64_t period, right = 0, more = 0;
    if (s->n * lad_type_bytes(s->type) < 4 && s->of['H'])
        return; /* a part of a mark is no mark */
    if (s->of['H'] == s->wrong && !s->right)
        see(p, LAD_OBS_OUT_HOST, s->name, (int64_t)s->of['H']);
    else if (s->of['H'] == s->wrong && s->contiguous && !s->right_after)
        see(p, LAD_OBS_OUT_HOST_TAIL, s->name, (int64_t)s->first);
    if (s->of['I'] && s->of['I'] == s->wrong && (s->right || s->n * lad_type_bytes(s->type) >= 64)) {
        see(p,
            !s->right                          ? LAD_OBS_IN_CANARY
            : s->contiguous && !s->right_after ? LAD_OBS_IN_CANARY_TAIL
            : in_blocks(s)                     ? LAD_OBS_IN_CANARY_BLOCKS
                                               : LAD_OBS_OUT_KEPT_SOME,
            s->name, (int64_t)(s->first * lad_type_bytes(s->type)));
        return;
    }
    if (s->contiguous && !s->right_after && s->right && s->of['x'] == s->wrong)
        see(p, LAD_OBS_OUT_OTHER_TAIL, s->name, (int64_t)s->wrong);
    if (!s->right && (kept || zero)) {
        see(p, kept ? LAD_OBS_OUT_KEPT : LAD_OBS_OUT_ZERO, s->name, (int64_t)s->n);
        return;
    }
    if (!s->right && s->of['x'] == s->wrong)
        see(p, LAD_OBS_OUT_OTHER, s->name, (int64_t)s->n);
    if (s->contiguous && !s->right_after && (kept || zero)) {
        bool tail = kept && s->lanes > 1 && s->wrong < s->lanes && s->first % s->lanes == 0;
        see(p,
            tail   ? LAD_OBS_OUT_TAIL
            : kept ? LAD_OBS_OUT_PREFIX
                   : LAD_OBS_OUT_PREFIX_ZERO,
            s->name, (int64_t)(tail ? s->wrong : s->first));
        return;
    }
    if (s->contiguous && !s->right_before && kept) {
        see(p, LAD_OBS_OUT_HEAD, s->name, (int64_t)s->wrong);
        return;
    }
    bool blocks = (kept || zero) && in_blocks(s);
    period = s->contiguous ? 0 : find_period(s);
    while (right < period && !is_bad(s, right))
        right++;
    for (uint64_t i = right; i < period; i++)
        more += !is_bad(s, i);
    bool by_group = kept && !more && right && s->lanes > 1 && period == s->lanes;
    if (by_group)
        see(p, right == 1 ? LAD_OBS_OUT_ONE_PER_GROUP : LAD_OBS_OUT_GROUP_PREFIX, s->name, (int64_t)right);
    else if (period && !blocks)
        see(p, LAD_OBS_OUT_EVERY, s->name, (int64_t)period);
    if (blocks) {
        see(p, LAD_OBS_OUT_BLOCKS, s->name, 64);
    } else if (period) {
        return;
    } else if (kept) {
        see(p, LAD_OBS_OUT_KEPT_SOME, s->name, (int64_t)s->wrong);
    } else if (s->wrong * 4 < s->n) {
        see(p, LAD_OBS_OUT_SCATTERED, s->name, (int64_t)s->wrong);
    }
}

static void observe_values(struct lad_point *p, const struct scan *s)
{
    int64_t shift = find_shift(s), spread = find_layout(s, false), squeezed = find_layout(s, true);
    if (spread || squeezed)
        see(p, spread ? LAD_OBS_OUT_SPREAD : LAD_OBS_OUT_SQUEEZED, s->name, spread ? spread : squeezed);
    if (s->of['N'])
        see(p, LAD_OBS_OUT_NAN, s->name, (int64_t)s->of['N']);
    if (holds(s, is_half))
        see(p, LAD_OBS_OUT_HALF, s->name, 0);
    if (holds(s, is_near))
        see(p, LAD_OBS_OUT_NEAR, s->name, 0);
    if (holds(s, is_flushed))
        see(p, LAD_OBS_OUT_TINY, s->name, 0);
    if (holds(s, is_swapped))
        see(p, LAD_OBS_OUT_SWAPPED, s->name, 0);
    if (holds(s, is_doubled))
        see(p, LAD_OBS_OUT_DOUBLED, s->name, 0);
    if (shift)
        see(p, LAD_OBS_OUT_SHIFT, s->name, shift);
    else if (is_permuted(s))
        see(p, LAD_OBS_OUT_TRANSPOSED, s->name, 0);
    if (has_factor(s))
        see(p, LAD_OBS_OUT_FACTOR, s->name, 0);
    /* Results in the wrong buffer, or the wrong buffer's contents in the result. */
    for (size_t k = 0; k < p->n; k++) {
        const struct lad_data *other = &p->data[k];
        uint64_t bytes = s->n * lad_type_bytes(s->type), hits = 0, tried = 0;
        if (other == s->d || p->obj[k].bytes < bytes || !bytes)
            continue;
        for (uint64_t i = s->first; i <= s->last; i++)
            if (is_bad(s, i) && s->expected[i]) {
                tried++;
                hits += lad_bits(other->after, s->type, i) == s->expected[i] &&
                        lad_bits(other->before, s->type, i) != s->expected[i];
            }
        if (tried >= 3 && hits == tried)
            see(p, LAD_OBS_ELSEWHERE, other->buf->name, (int64_t)hits);
        if (s->n >= 4 && !memcmp(other->before, s->d->after, bytes) && memcmp(other->before, s->d->before, bytes))
            see(p, LAD_OBS_OUT_IS_OTHER, other->buf->name, 0);
    }
}

/* Do the results follow from these data? At least one element must have changed for it, and none may be merely kept. */
static bool follows(struct lad_point *p, const struct scan *s, struct lad_data *data, const struct lad_scope *scope)
{
    struct lad_oracle_in in = {data, p->n, scope, s->e->with, p->gpu};
    const struct lad_data *out = &data[s->d - p->data];
    uint64_t tried = 0, step = s->wrong > MOST_TRIED ? s->wrong / MOST_TRIED : 1, seen = 0, varied = 0;
    for (uint64_t i = s->first; i <= s->last; i++) {
        if (!is_bad(s, i) || seen++ % step)
            continue;
        uint64_t bits = s->oracle->at(&in, out, i);
        if (s->kind[i] == 'P' || s->kind[i] == 'H' || !lad_same(&in, s->type, bits, actual(s, i), s->e->ulp))
            return false;
        tried++;
        varied += actual(s, i) != actual(s, s->first);
    }
    return tried > (s->n >= 8 ? 2 : 0) && (varied || s->n < 4 || s->of['0'] == s->wrong);
}

static void try_buffer(struct lad_point *p, const struct scan *s, size_t k)
{
    struct lad_data *data = lad_alloc(p->arena, p->n * sizeof *data);
    struct lad_obj *o = &p->obj[k];
    void *other = lad_point_memory(o->total);
    memcpy(data, p->data, p->n * sizeof *data);
    data[k].before = other;
    data[k].written = NULL;
    memset(other, 0, o->total);
    if (follows(p, s, data, &p->scope))
        see(p, LAD_OBS_ON_ZERO, o->buf->name, 0);
    lad_canary_fill(LAD_CANARY_INPUT, other, o->bytes & ~3ull, 0);
    if (follows(p, s, data, &p->scope))
        see(p, LAD_OBS_ON_CANARY, o->buf->name, 0);
    if (p->data[k].written) {
        data[k].before = p->data[k].before;
        if (follows(p, s, data, &p->scope))
            see(p, LAD_OBS_ON_OLD, o->buf->name, 0);
    }
    static const int shifts[] = {4, 8, 16, 32, 64, 128, 256};
    for (size_t i = 0; i < 2 * LAD_N(shifts); i++) {
        int by = shifts[i / 2] * (i % 2 ? -1 : 1);
        if (o->bytes < 512 || s->n < 8)
            break;
        memset(other, 0, o->total);
        memcpy((char *)other + (by < 0 ? -by : 0), (const char *)p->data[k].before + (by > 0 ? by : 0),
               o->bytes - (uint64_t)abs(by));
        data[k].before = other;
        if (follows(p, s, data, &p->scope))
            see(p, LAD_OBS_ON_SHIFTED, o->buf->name, by);
    }
    for (size_t i = 0; i < p->n; i++)
        if (i != k && p->obj[i].bytes >= o->bytes && p->obj[i].buf->role != LAD_OUTPUT) {
            data[k].before = p->data[i].before;
            if (follows(p, s, data, &p->scope)) {
                see(p, LAD_OBS_ON_OTHER, o->buf->name, (int64_t)i);
                break;
            }
        }
    free(other);
}

/* All inputs at once: an upload that does nothing seldom spares one. */
static void try_all(struct lad_point *p, const struct scan *s, bool zero)
{
    struct lad_data *data = lad_alloc(p->arena, p->n * sizeof *data);
    size_t n = 0;
    memcpy(data, p->data, p->n * sizeof *data);
    for (size_t k = 0; k < p->n; k++) {
        struct lad_obj *o = &p->obj[k];
        if (o->buf->role == LAD_OUTPUT || !o->bytes || o->buf->table)
            continue;
        data[k].before = lad_point_memory(o->total);
        data[k].written = NULL;
        memset(data[k].before, 0, o->total);
        if (!zero)
            lad_canary_fill(LAD_CANARY_INPUT, data[k].before, o->bytes & ~3ull, 0);
        n++;
    }
    if (n > 1 && follows(p, s, data, &p->scope))
        see(p, zero ? LAD_OBS_ON_ZERO : LAD_OBS_ON_CANARY, "all inputs", 0);
    for (size_t k = 0; k < p->n; k++)
        if (data[k].before != p->data[k].before)
            free(data[k].before);
}

/* Sizes are no scalars to play with: an oracle may divide by them. */
static bool is_size(const struct lad_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_bufs; i++)
        if (c->bufs[i].count.text && strstr(c->bufs[i].count.text, name))
            return true;
    for (size_t i = 0; i < c->n_steps; i++)
        for (int k = 0; k < 3; k++)
            if ((c->steps[i].items[k].text && strstr(c->steps[i].items[k].text, name)) ||
                (c->steps[i].groups[k].text && strstr(c->steps[i].groups[k].text, name)))
                return true;
    return c->sweep && !strcmp(c->sweep, name);
}

static void try_scalars(struct lad_point *p, const struct scan *s)
{
    for (size_t i = 0; i < p->n_ran; i++)
        for (uint32_t k = 0; k + 2 < p->ran[i].desc->source->n_scalars; k++)
            for (size_t v = 0; v < p->scope.n; v++) {
                struct lad_scope scope = p->scope;
                if (strcmp(scope.name[v], p->ran[i].desc->source->scalars[k].name) || !scope.value[v] ||
                    is_size(p->c, scope.name[v]))
                    continue;
                scope.value[v] = 0;
                if (follows(p, s, p->data, &scope))
                    see(p, LAD_OBS_ON_SCALAR_ZERO, scope.name[v], 0);
            }
}

static void observe_output(struct lad_point *p, const struct lad_expect *e, const struct lad_seen *seen)
{
    struct lad_obj *o = lad_point_obj(p, e->buf);
    struct scan s = {.e = e,
                     .oracle = lad_oracle_find(e->oracle),
                     .d = &p->data[o - p->obj],
                     .name = e->buf,
                     .type = o->buf->type,
                     .as = o->buf->type,
                     .n = seen->n,
                     .contiguous = true};
    struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
    if (!seen->n_wrong || seen->n > MOST_SCANNED || seen->n_checked < seen->n) {
        if (seen->n_wrong &&
            !strcmp(seen->map,
                    lad_printf(p->arena, "%lluP", (unsigned long long)((seen->n + seen->bin - 1) / seen->bin))))
            see(p, LAD_OBS_OUT_KEPT, s.name, (int64_t)seen->n);
        return;
    }
    s.expected = malloc(s.n * sizeof *s.expected);
    s.kind = malloc(s.n);
    if (!s.expected || !s.kind)
        abort();
    for (size_t i = 0; i < p->n_ran && s.type == LAD_U32; i++)
        if (!strncmp(p->ran[i].desc->source->name, "float", 5))
            s.as = LAD_F32;
    if (o->buf->role != LAD_OUTPUT) {
        s.marks = lad_point_memory(o->total);
        lad_canary_fill(LAD_CANARY_INPUT, s.marks, o->bytes & ~3ull, 0);
    }
    s.lanes = p->n_ran ? (uint64_t)p->ran[0].desc->local[0] * p->ran[0].desc->local[1] * p->ran[0].desc->local[2] : 0;
    for (uint64_t i = 0; i < s.n; i++) {
        s.expected[i] = s.oracle->at(&in, s.d, i);
        uint64_t bits = lad_bits(s.d->after, s.type, i);
        s.kind[i] = lad_same(&in, s.type, s.expected[i], bits, e->ulp)        ? '.'
                    : s.marks && bits && bits == lad_bits(s.marks, s.type, i) ? 'I'
                                                                              : lad_kind_of(s.d, i, bits);
        if (s.kind[i] == '.') {
            if (s.expected[i] == lad_bits(s.d->before, s.type, i) && (p->n_ran || !s.marks)) {
                s.kind[i] = ',';
                continue;
            }
            s.right++;
            s.right_before += !s.wrong;
            s.right_after++;
            continue;
        }
        if (!s.wrong)
            s.first = i;
        else if (s.right_after)
            s.contiguous = false;
        s.right_after = 0;
        s.last = i;
        s.wrong++;
        s.of[(int)s.kind[i]]++;
    }
    if (s.wrong) {
        if (s.contiguous && !s.right_after && p->extent.bytes < o->bytes) {
            p->extent.has_bytes = true;
            p->extent.bytes = o->bytes;
            p->extent.whole = o->front + o->total;
            p->extent.good = s.first * lad_type_bytes(s.type);
        }
        observe_place(p, &s);
        observe_values(p, &s);
        for (size_t k = 0; k < p->n; k++)
            if (p->obj[k].buf->role != LAD_OUTPUT && p->obj[k].bytes && !p->obj[k].buf->table)
                try_buffer(p, &s, k);
        try_all(p, &s, true);
        try_all(p, &s, false);
        try_scalars(p, &s);
    }
    free(s.expected);
    free(s.kind);
    free(s.marks);
}

/* ---- inputs -------------------------------------------------------------------------------------------------- */

/* By how many bytes all of it stands beside its place; 0: by none. */
static int64_t find_input_shift(const unsigned char *wanted, const unsigned char *after, uint64_t bytes)
{
    for (uint64_t k = 4; k <= 4096 && 2 * k < bytes; k += 4) {
        if (!memcmp(after, wanted + k, bytes - k))
            return -(int64_t)k;
        if (!memcmp(after + k, wanted, bytes - k))
            return (int64_t)k;
    }
    return 0;
}

static bool observe_input(struct lad_point *p, size_t i)
{
    int64_t shift;
    struct lad_obj *o = &p->obj[i];
    const struct lad_data *d = &p->data[i];
    const unsigned char *wanted = d->written ? d->written : d->before, *after = d->after;
    uint64_t bytes = o->bytes, good = 0, canary = 0, bad_from = bytes, blocks = 0, odd = 0;
    if (o->buf->role != LAD_INPUT || !bytes)
        return true;
    if (!memcmp(wanted, after, bytes))
        return true;
    unsigned char *planted = lad_point_memory(bytes + 8), *host = lad_point_memory(bytes + 8);
    lad_canary_fill(LAD_CANARY_INPUT, planted, (bytes + 3) & ~3ull, 0);
    lad_canary_fill(LAD_CANARY_HOST, host, (bytes + 3) & ~3ull, 0);
    for (uint64_t b = 0; b < bytes; b++) {
        good += after[b] == wanted[b];
        canary += after[b] == planted[b];
        if (after[b] != wanted[b] && bad_from == bytes)
            bad_from = b;
    }
    for (uint64_t b = 0; b + 64 <= bytes; b += 64) {
        bool stale = !memcmp(after + b, planted + b, 64);
        blocks += stale;
        odd += !stale && memcmp(after + b, wanted + b, 64);
    }
    if (!p->extent.has_bytes) {
        p->extent.has_bytes = true;
        p->extent.bytes = bytes;
        p->extent.whole = o->front + o->total;
        p->extent.good = bad_from;
    }
    bool zero = true;
    for (uint64_t b = 0; b < bytes && zero; b++)
        zero = !after[b];
    if (!memcmp(after, host, bytes))
        see(p, LAD_OBS_IN_HOST, o->buf->name, 0);
    else if (canary == bytes)
        see(p, LAD_OBS_IN_CANARY, o->buf->name, 0);
    else if (zero)
        see(p, LAD_OBS_IN_ZERO, o->buf->name, 0);
    else if (d->written && !memcmp(after, d->before, bytes))
        see(p, LAD_OBS_IN_OLD, o->buf->name, 0);
    else if (!memcmp(after + bad_from, planted + bad_from, bytes - bad_from))
        see(p, LAD_OBS_IN_CANARY_TAIL, o->buf->name, (int64_t)bad_from);
    else if (blocks && !odd)
        see(p, LAD_OBS_IN_CANARY_BLOCKS, o->buf->name, 64);
    else if ((shift = find_input_shift(wanted, after, bytes)))
        see(p, LAD_OBS_IN_SHIFTED, o->buf->name, shift);
    else
        see(p, LAD_OBS_IN_CHANGED, o->buf->name, (int64_t)bad_from);
    free(planted);
    free(host);
    return false;
}

/* ---- witnesses ------------------------------------------------------------------------------------------------ */

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
        see(p, LAD_OBS_W_S_WRONG, lad_printf(p->arena, "dispatch %zu (%s)", i + 1, k->name), (int64_t)s);
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
        see(p,
            other                                      ? LAD_OBS_W_S_PREVIOUS
            : !got                                     ? LAD_OBS_W_S_ZERO
            : earlier && got != (wanted & 0xFFFFFFFFu) ? LAD_OBS_W_S_EARLIER
            : got == (wanted & 0xFFFFFFFFu) || got == (wanted & 0xFFFFu) || got == (wanted & 0xFFu) ? LAD_OBS_W_S_LOW
            : got == turn_bytes(wanted, bytes) || (bytes == 8 && got == (wanted << 32 | wanted >> 32))
                ? LAD_OBS_W_S_SWAPPED
            : got == next || (s && got == previous) ? LAD_OBS_W_S_SHIFTED
                                                    : LAD_OBS_W_S_OTHER,
            on, (int64_t)got);
    }
}

/* A witness that stands where none should: the number of its place arrived wrong. */
static void observe_displaced(struct lad_point *p, const char *on)
{
    size_t from = p->n_dispatches * LAD_W_WORDS * 4;
    uint32_t slack[LAD_W_SLACK / 4];
    lad_canary_fill(LAD_CANARY_HOST, slack, sizeof slack, from / 4);
    if (!lad_gpu_read(p->gpu, p->witness, from, slack, sizeof slack))
        return;
    for (size_t i = 0; i < LAD_N(slack); i++)
        if (slack[i] == LAD_W_MAGIC_VALUE) {
            see(p, LAD_OBS_W_DISPLACED, on, (int64_t)(from / 4 + i));
            return;
        }
}

static void note_groups(struct lad_point *p, const struct lad_ran *ran, uint64_t n)
{
    if (p->extent.has_groups || ran->groups[1] != 1 || ran->groups[2] != 1)
        return;
    p->extent.has_groups = true;
    p->extent.groups = ran->groups[0];
    p->extent.ran = n;
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
static void observe_foreign(struct lad_point *p, size_t i, const char *on)
{
    const uint32_t *w = p->words + i * LAD_W_WORDS;
    see(p, LAD_OBS_W_FOREIGN, on, w[LAD_W_MAGIC]);
    for (size_t k = 0; k < p->n; k++)
        for (int after = 0; after < 2; after++) {
            const void *held = after ? p->data[k].after : p->data[k].before;
            if (held && p->obj[k].bytes >= 4 && !memcmp(w, held, p->obj[k].bytes < 64 ? p->obj[k].bytes : 64))
                see(p, LAD_OBS_W_IS_OTHER, p->obj[k].buf->name, 0);
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
    uint32_t wanted = (uint32_t)(groups * lanes * ran->times), count = w[LAD_W_COUNT] - 0x57000000u;
    const char *on = lad_printf(p->arena, "dispatch %zu (%s)", i + 1, d->source->name);
    if (w[LAD_W_MAGIC] == lad_canary_word(LAD_CANARY_HOST, i * LAD_W_WORDS + LAD_W_MAGIC)) {
        see(p, LAD_OBS_W_UNREAD, on, 0);
        return;
    }
    if (!groups || !ran->times)
        return;
    if (!w[LAD_W_MAGIC] && !w[LAD_W_COUNT]) {
        see(p, LAD_OBS_W_ZERO, on, 0);
        return;
    }
    if (w[LAD_W_MAGIC] == lad_canary_word(LAD_CANARY_DEVICE, i * LAD_W_WORDS + LAD_W_MAGIC) && !count) {
        see(p, LAD_OBS_W_NEVER, on, 0);
        observe_displaced(p, on);
        note_groups(p, ran, 0);
        return;
    }
    size_t before = p->r->n_obs;
    if (w[LAD_W_MAGIC] != LAD_W_MAGIC_VALUE) {
        observe_foreign(p, i, on);
        return;
    }
    if (w[2 * LAD_W_BUILD] == d->source->nonce && w[LAD_W_BUILD] != d->source->nonce) {
        see(p, LAD_OBS_W_SPREAD, on, 2);
        return;
    }
    if (is_stale(w, i)) {
        see(p, LAD_OBS_W_STALE, on, 0);
        return;
    }
    if (w[LAD_W_BUILD] != d->source->nonce) {
        bool other = false;
        for (const struct lad_kernel_source *const *k = lad_kernels; *k; k++)
            other = other || (*k)->nonce == w[LAD_W_BUILD];
        see(p, other ? LAD_OBS_W_BUILD_OTHER : LAD_OBS_W_BUILD_OLD, on, w[LAD_W_BUILD]);
    }
    if (w[LAD_W_DISPATCH] != ran->nonce) {
        bool other = false;
        for (size_t j = 0; j < p->n_ran; j++)
            other = other || p->ran[j].nonce == w[LAD_W_DISPATCH];
        see(p, other ? LAD_OBS_W_NONCE_OTHER : LAD_OBS_W_NONCE, on, w[LAD_W_DISPATCH]);
    }
    uint64_t seen_lanes = (uint64_t)w[LAD_W_LOCAL] * w[LAD_W_LOCAL + 1] * w[LAD_W_LOCAL + 2];
    if (memcmp(w + LAD_W_LOCAL, d->local, sizeof d->local))
        see(p, saw_earlier_build(p, i, w) ? LAD_OBS_W_CONSTANT_EARLIER : LAD_OBS_W_LOCAL, on, (int64_t)seen_lanes);
    if (memcmp(w + LAD_W_GRID, ran->groups, sizeof ran->groups)) {
        uint32_t a = w[LAD_W_GRID], b = w[LAD_W_GRID + 1], c = w[LAD_W_GRID + 2];
        const uint32_t *g = ran->groups;
        bool turned = a + b + c == g[0] + g[1] + g[2] && (uint64_t)a * b * c == groups;
        see(p,
            turned                          ? LAD_OBS_W_GRID_TURNED
            : (uint64_t)a * b * c == groups ? LAD_OBS_W_GRID_FLAT
                                            : LAD_OBS_W_GRID,
            on, (int64_t)a * b * c);
    }
    for (int k = 0; k < 2; k++)
        if (w[LAD_W_CONST + k] != d->constant[k])
            see(p, saw_earlier_build(p, i, w) ? LAD_OBS_W_CONSTANT_EARLIER : LAD_OBS_W_CONSTANT, on,
                w[LAD_W_CONST + k]);
    if (d->source->n_dynamic && w[LAD_W_DYNAMIC] != d->dynamic_items)
        see(p, LAD_OBS_W_DYNAMIC, on, w[LAD_W_DYNAMIC]);
    if (count < wanted) {
        note_groups(p, ran, count / (lanes && ran->times ? lanes * ran->times : 1));
        see(p, LAD_OBS_W_LOW, on, count);
        if (count == lanes * ran->times && groups > 1)
            see(p, LAD_OBS_W_LOW_ONE, on, count);
        uint64_t divided = groups / lanes + (groups % lanes != 0);
        if (lanes > 1 && groups > 1 && count % lanes == 0 &&
            (count == divided * lanes || count == groups / lanes * lanes))
            see(p, LAD_OBS_W_LOW_LOCAL, on, (int64_t)lanes);
        if (lanes > 1 && count + (uint64_t)ran->times * lanes * (groups / ran->groups[0]) == wanted)
            see(p, LAD_OBS_W_LOW_GROUP, on, (int64_t)(count / lanes));
    }
    if (count > wanted)
        see(p, count % wanted ? LAD_OBS_W_HIGH : LAD_OBS_W_TWICE, on,
            count % wanted ? count : count / wanted * ran->times);
    observe_scalars(p, i, w);
    if (p->r->n_obs == before)
        see(p, LAD_OBS_W_ALL, on, count);
}

/* A slot that nothing ran in beside one that ran twice: the arguments of one dispatch were used for both. */
static void observe_exchange(struct lad_point *p)
{
    for (size_t i = 0; i < p->n_ran; i++) {
        const uint32_t *w = p->words + i * LAD_W_WORDS;
        const char *on = lad_printf(p->arena, "dispatch %zu (%s)", i + 1, p->ran[i].desc->source->name);
        if (w[LAD_W_MAGIC] != lad_canary_word(LAD_CANARY_DEVICE, i * LAD_W_WORDS + LAD_W_MAGIC))
            continue;
        for (size_t j = 0; j < p->n_ran; j++) {
            const struct lad_ran *r = &p->ran[j];
            uint32_t wanted = r->groups[0] * r->groups[1] * r->groups[2] * r->desc->local[0] * r->desc->local[1] *
                              r->desc->local[2] * r->times;
            uint32_t count = p->words[j * LAD_W_WORDS + LAD_W_COUNT] - 0x57000000u;
            if (j == i || r->desc->source != p->ran[i].desc->source || count > 1u << 30)
                continue;
            if (count)
                see(p, LAD_OBS_W_SAME_RAN, on, 0);
            if (wanted && count > wanted)
                see(p, j > i ? LAD_OBS_W_BY_LATER : LAD_OBS_W_BY_EARLIER, on, (int64_t)j + 1);
        }
    }
}

void lad_observe_extents(struct lad_point *p, const struct lad_extent *small, const struct lad_extent *wide)
{
    if (small->has_groups && wide->has_groups && wide->groups > small->groups) {
        if (!small->ran && wide->ran && small->groups > 1 && wide->ran == wide->groups % small->groups)
            see(p, LAD_OBS_EDGE_GROUPS_WRAP, "workgroups", (int64_t)small->groups);
        else if (wide->ran == small->ran && wide->ran > 1)
            see(p, LAD_OBS_EDGE_GROUPS, "workgroups", (int64_t)wide->ran);
        return;
    }
    if (!small->has_bytes || !wide->has_bytes || wide->bytes <= small->bytes)
        return;
    for (int whole = 0; whole < 2; whole++) {
        uint64_t from = whole ? small->whole : small->bytes, to = whole ? wide->whole : wide->bytes;
        if (!small->good && wide->good && from > 8 && wide->good == to % from)
            see(p, LAD_OBS_EDGE_WRAPS, "bytes", (int64_t)from);
    }
    if (wide->good && wide->good == small->good)
        see(p, LAD_OBS_EDGE_CONSTANT, "bytes", (int64_t)wide->good);
    else if (wide->good && small->bytes >= 8 && wide->good * 2 / 4 == wide->bytes / 4)
        see(p, LAD_OBS_EDGE_SHARE, "bytes", (int64_t)wide->good);
}

void lad_observe_results(struct lad_point *p)
{
    bool inputs = true, any = false, right = false, wrong = false;
    const char *last = NULL;
    lad_observe_case(p);
    for (size_t i = 0; i < p->r->n_seen && i < p->c->n_expects; i++) {
        right = right || !p->r->seen[i].n_wrong;
        if (p->r->seen[i].n_wrong) {
            wrong = !last || !strcmp(last, p->r->seen[i].name);
            last = p->r->seen[i].name;
        }
        observe_output(p, &p->c->expects[i], &p->r->seen[i]);
    }
    observe_exchange(p);
    if (p->r->n_seen && !last)
        see(p, LAD_OBS_OUT_RIGHT, NULL, 0);
    if (right && wrong)
        see(p, LAD_OBS_OUT_ONE_OF, last, 0);
    for (size_t i = 0; i < p->n; i++) {
        any = any || p->obj[i].buf->role == LAD_INPUT;
        inputs = observe_input(p, i) && inputs;
    }
    if (any && inputs)
        see(p, LAD_OBS_IN_RIGHT, NULL, 0);
}
