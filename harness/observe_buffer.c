/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers read back after a failure: outputs element by element, and whether they follow from other data; inputs. */
#include "observe.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_SCANNED = 1 << 20, MOST_TRIED = 48 };

/* Do the results follow from these data? At least one element must have changed for it, and none may be merely kept. */
static bool follows(struct lad_point *p, const struct lad_scan *s, struct lad_data *data, const struct lad_scope *scope)
{
    struct lad_oracle_in in = {data, p->n, scope, s->e->with, p->gpu};
    const struct lad_data *out = &data[s->d - p->data];
    uint64_t tried = 0, step = s->wrong > MOST_TRIED ? s->wrong / MOST_TRIED : 1, seen = 0, varied = 0;
    for (uint64_t i = s->first; i <= s->last; i++) {
        if (!lad_is_wrong(s, i) || seen++ % step)
            continue;
        uint64_t bits = s->oracle->at(&in, out, i);
        if (s->kind[i] == 'P' || s->kind[i] == 'H' || !lad_same(&in, s->type, bits, lad_scan_actual(s, i), s->e->ulp))
            return false;
        tried++;
        varied += lad_scan_actual(s, i) != lad_scan_actual(s, s->first);
    }
    return tried > (s->n >= 8 ? 2 : 0) && (varied || s->n < 4 || lad_scan_number(s, lad_scan_actual(s, s->first)) == 0);
}

/* Is an element right that would not be, if all of the work had run on these data? */
static bool contradicts(struct lad_point *p, const struct lad_scan *s, struct lad_data *data)
{
    struct lad_oracle_in in = {data, p->n, &p->scope, s->e->with, p->gpu};
    uint64_t step = s->right > MOST_TRIED ? s->right / MOST_TRIED : 1, seen = 0;
    for (uint64_t i = 0; i < s->n; i++)
        if (s->kind[i] == '.' && !(seen++ % step) &&
            !lad_same(&in, s->type, s->oracle->at(&in, &data[s->d - p->data], i), lad_scan_actual(s, i), s->e->ulp))
            return true;
    return false;
}

/* Only the end of it is wrong: what stands ahead was computed on the right data. */
static bool is_tail(const struct lad_scan *s)
{
    return s->right && s->contiguous && !s->right_after;
}

/* Of evenly spaced values the next one is also the same one plus something. */
static bool is_ramp(const struct lad_data *d)
{
    for (uint64_t i = 2; i < 8; i++)
        if (d->n < 8 || lad_number(d->buf->type, lad_bits(d->before, d->buf->type, i)) -
                                lad_number(d->buf->type, lad_bits(d->before, d->buf->type, i - 1)) !=
                            lad_number(d->buf->type, lad_bits(d->before, d->buf->type, 1)) -
                                lad_number(d->buf->type, lad_bits(d->before, d->buf->type, 0)))
            return false;
    return true;
}

/* Other elements, in their order, where those of the input belong; without others zeros. */
static bool is_echo_of(const struct lad_scan *s, const struct lad_data *wanted, const struct lad_data *got)
{
    uint64_t n = 0;
    while (n < wanted->n && (!got || n < got->n) && s->first + n <= s->last &&
           s->expected[s->first + n] == lad_bits(wanted->before, s->type, n) &&
           lad_scan_actual(s, s->first + n) == (got ? lad_bits(got->before, s->type, n) : 0) &&
           s->expected[s->first + n] != lad_scan_actual(s, s->first + n))
        n++;
    return n >= 4;
}

static void try_echo(struct lad_point *p, const struct lad_scan *s)
{
    for (size_t j = 0; j < p->n; j++)
        for (size_t k = 0; k < p->n; k++)
            if (p->obj[j].buf->role == LAD_INPUT && p->obj[k].buf->role == LAD_INPUT &&
                p->obj[j].buf->type == s->type && p->obj[k].buf->type == s->type && !p->obj[j].buf->table &&
                is_echo_of(s, &p->data[j], j == k ? NULL : &p->data[k])) {
                lad_see(p, j == k ? LAD_OBS_ON_ZERO : LAD_OBS_ON_OTHER, p->obj[j].buf->name, (int64_t)k);
                return;
            }
}

static void try_buffer(struct lad_point *p, const struct lad_scan *s, size_t k)
{
    struct lad_data *data = lad_alloc(p->arena, p->n * sizeof *data);
    struct lad_obj *o = &p->obj[k];
    void *other = lad_point_memory(o->total);
    memcpy(data, p->data, p->n * sizeof *data);
    data[k].before = other;
    data[k].written = NULL;
    memset(other, 0, o->total);
    bool zero = follows(p, s, data, &p->scope);
    if (zero && (is_tail(s) || !contradicts(p, s, data)))
        lad_see(p, is_tail(s) ? LAD_OBS_ON_ZERO_TAIL : LAD_OBS_ON_ZERO, o->buf->name, 0);
    lad_canary_fill(LAD_CANARY_INPUT, other, o->bytes & ~3ull, 0);
    if (!(zero && is_tail(s)) && follows(p, s, data, &p->scope)) /* as floats the marks are next to nothing */
        lad_see(p, LAD_OBS_ON_CANARY, o->buf->name, 0);
    if (p->data[k].written) {
        data[k].before = p->data[k].before;
        if (follows(p, s, data, &p->scope))
            lad_see(p, LAD_OBS_ON_OLD, o->buf->name, 0);
    }
    static const int shifts[] = {4, 8, 16, 32, 64, 128, 256};
    for (size_t i = 0; i < 2 * LAD_N(shifts); i++) {
        int by = shifts[i / 2] * (i % 2 ? -1 : 1);
        if (o->bytes < 512 || s->n < 8 || is_ramp(&p->data[k]))
            break;
        memset(other, 0, o->total);
        memcpy((char *)other + (by < 0 ? -by : 0), (const char *)p->data[k].before + (by > 0 ? by : 0),
               o->bytes - (uint64_t)abs(by));
        data[k].before = other;
        if (!zero && follows(p, s, data, &p->scope) && !contradicts(p, s, data))
            lad_see(p, LAD_OBS_ON_SHIFTED, o->buf->name, by);
    }
    for (size_t i = 0; i < p->n; i++)
        if (i != k && p->obj[i].bytes >= o->bytes && p->obj[i].buf->role != LAD_OUTPUT) {
            data[k].before = p->data[i].before;
            if (follows(p, s, data, &p->scope) && !contradicts(p, s, data)) {
                lad_see(p, LAD_OBS_ON_OTHER, o->buf->name, (int64_t)i);
                break;
            }
            if (i > k || p->obj[i].bytes != o->bytes)
                continue;
            data[i].before = p->data[k].before; /* both, each in the place of the other */
            bool exchanged = follows(p, s, data, &p->scope) && !contradicts(p, s, data);
            data[i].before = p->data[i].before;
            if (exchanged) {
                lad_see(p, LAD_OBS_ON_OTHER, o->buf->name, (int64_t)i);
                break;
            }
        }
    free(other);
}

/* All inputs at once: an upload that does nothing seldom spares one. */
static void try_all(struct lad_point *p, const struct lad_scan *s, bool zero)
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
        lad_see(p, zero ? LAD_OBS_ON_ZERO : LAD_OBS_ON_CANARY, "all inputs", 0);
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

static void try_scalars(struct lad_point *p, const struct lad_scan *s)
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
                    lad_see(p, LAD_OBS_ON_SCALAR_ZERO, scope.name[v], 0);
            }
}

/* An edge may lie inside an element: right in its first bytes, behind them what was there before. It counts as that. */
static void join_edge(struct lad_scan *s)
{
    uint32_t bytes = lad_type_bytes(s->type);
    uint64_t i = s->first, actual = lad_bits(s->d->after, s->type, i);
    if (!s->contiguous || s->right_after || s->kind[i] != 'x')
        return;
    for (uint32_t k = 1; k < bytes; k++) {
        uint64_t low = ~0ull >> (64 - 8 * k);
        const uint64_t held[] = {lad_host_bits(s->type, i), lad_bits(s->d->before, s->type, i),
                                 s->marks ? lad_bits(s->marks, s->type, i) : 0};
        for (int m = 0; m < 2 + !!s->marks; m++)
            if ((actual & low) == (s->expected[i] & low) && (actual & ~low) == (held[m] & ~low) &&
                (i == s->last ? !m : s->kind[i + 1] == "HPI"[m])) {
                s->of['x']--;
                s->kind[i] = "HPI"[m];
                s->of[(int)s->kind[i]]++;
                return;
            }
    }
}

void lad_observe_output(struct lad_point *p, const struct lad_expect *e, const struct lad_seen *seen)
{
    struct lad_obj *o = lad_point_obj(p, e->buf);
    struct lad_scan s = {.e = e,
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
            lad_see(p, LAD_OBS_OUT_KEPT, s.name, (int64_t)seen->n);
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
        s.stray += s.expected[i] == lad_bits(s.d->before, s.type, i);
        s.of[(int)s.kind[i]]++;
    }
    if (s.wrong) {
        join_edge(&s);
        if (s.contiguous && !s.right_after && p->extent.bytes < o->bytes) {
            p->extent.has_bytes = true;
            p->extent.bytes = o->bytes;
            p->extent.whole = o->front + o->total;
            p->extent.good = s.first * lad_type_bytes(s.type);
        }
        lad_observe_place(p, &s);
        lad_observe_values(p, &s);
        for (size_t k = 0; k < p->n; k++)
            if (p->obj[k].buf->role != LAD_OUTPUT && p->obj[k].bytes && !p->obj[k].buf->table)
                try_buffer(p, &s, k);
        try_all(p, &s, true);
        try_all(p, &s, false);
        try_scalars(p, &s);
        try_echo(p, &s);
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
        if (!memcmp(wanted, wanted + k, bytes - k))
            continue; /* a pattern of that length stands at its place as well */
        if (!memcmp(after, wanted + k, bytes - k))
            return -(int64_t)k;
        if (!memcmp(after + k, wanted, bytes - k))
            return (int64_t)k;
    }
    return 0;
}

/* What was sent to another buffer, from its beginning on: its data, or what was planted there before. */
static bool is_of_other(const struct lad_point *p, size_t i)
{
    uint64_t bytes = p->obj[i].bytes;
    bool found = false;
    for (size_t k = 0; !found && k < p->n; k++) {
        const struct lad_obj *o = &p->obj[k];
        uint64_t whole = o->front + o->total, n = bytes < whole ? bytes : whole;
        uint64_t head = bytes < o->bytes ? bytes : o->bytes;
        uint32_t tag = LAD_TAG + (uint32_t)k;
        if (k == i || n < 64)
            continue;
        unsigned char *sent = lad_point_memory(whole);
        lad_canary_fill(o->buf->role == LAD_OUTPUT ? LAD_CANARY_DEVICE : LAD_CANARY_INPUT, sent, whole,
                        0 - o->front / 4);
        if (o->front)
            memcpy(sent, &tag, sizeof tag);
        found = (o->front && !memcmp(p->data[i].after, sent, n)) ||
                (head >= 64 && o->buf->role != LAD_OUTPUT && !memcmp(p->data[i].after, p->data[k].before, head));
        free(sent);
    }
    return found;
}

bool lad_observe_input(struct lad_point *p, size_t i)
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
        lad_see(p, LAD_OBS_IN_HOST, o->buf->name, 0);
    else if (canary == bytes)
        lad_see(p, LAD_OBS_IN_CANARY, o->buf->name, 0);
    else if (zero)
        lad_see(p, LAD_OBS_IN_ZERO, o->buf->name, 0);
    else if (d->written && !memcmp(after, d->before, bytes))
        lad_see(p, LAD_OBS_IN_OLD, o->buf->name, 0);
    else if (!memcmp(after + bad_from, planted + bad_from, bytes - bad_from)) {
        lad_see(p, LAD_OBS_IN_CANARY_TAIL, o->buf->name, (int64_t)bad_from);
        lad_observe_remainder(p, bad_from, bytes);
    } else if (blocks && !odd)
        lad_see(p, LAD_OBS_IN_CANARY_BLOCKS, o->buf->name, 64);
    else if ((shift = find_input_shift(wanted, after, bytes)))
        lad_see(p, LAD_OBS_IN_SHIFTED, o->buf->name, shift);
    else
        lad_see(p, LAD_OBS_IN_CHANGED, o->buf->name, (int64_t)bad_from);
    if (is_of_other(p, i))
        lad_see(p, LAD_OBS_IN_OF_OTHER, o->buf->name, 0);
    free(planted);
    free(host);
    return false;
}
