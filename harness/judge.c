/* SPDX-License-Identifier: Apache-2.0 */
/* Reads everything back into planted memory and judges: oracles first, then witnesses, surroundings and markers. */
#include "../kernels/witness.h"
#include "point.h"
#include <stdlib.h>
#include <string.h>

static bool read_back(struct lad_point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct lad_obj *o = &p->obj[i];
        void *after = p->data[i].after;
        lad_canary_fill(LAD_CANARY_HOST, after, o->total, 0);
        if (o->buf->mem == LAD_MEM_DEVICE) {
            if (!lad_gpu_read(p->gpu, o->gpu, 0, after, o->total))
                return lad_point_api_failed(p, lad_printf(p->arena, "reading buffer %s back", o->buf->name));
            continue;
        }
        const void *from = lad_gpu_map(p->gpu, o->gpu, false);
        if (!from)
            return lad_point_api_failed(p, lad_printf(p->arena, "mapping buffer %s to read it", o->buf->name));
        memcpy(after, from, o->total);
        if (!lad_gpu_unmap(p->gpu, o->gpu))
            return lad_point_api_failed(p, "unmapping");
    }
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    return !p->witness || lad_gpu_read(p->gpu, p->witness, 0, p->words, bytes) || lad_point_api_failed(p, "reading the witness");
}

static void check_markers(struct lad_point *p)
{
    uint32_t words[4] = {0};
    if (!p->marker)
        return;
    if (!lad_gpu_read(p->gpu, p->marker, 0, words, sizeof words)) {
        lad_point_api_failed(p, "reading the markers");
        return;
    }
    for (uint32_t i = 0; i < 2; i++)
        if (words[i] != 0x3A4B0000u + i) {
            lad_record_fact(p->arena, p->r, '!', "the fill command %s the steps, in the same batch, did not land",
                            i ? "after" : "before");
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.marker", "a fill command %s the steps did not land",
                           i ? "after" : "before");
        }
    if (p->r->status != LAD_STATUS_MISSING && words[0] == 0x3A4B0000u && words[1] == 0x3A4B0001u)
        lad_record_fact(p->arena, p->r, '+', "fill commands before and after the steps, in the same batch, landed");
}

static void check_surroundings(struct lad_point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct lad_obj *o = &p->obj[i];
        const char *before = p->data[i].before, *after = p->data[i].after;
        uint64_t end = (o->bytes + 3) & ~3ull;
        if (memcmp(before + end, after + end, o->total - end)) {
            lad_record_fact(p->arena, p->r, '!', "the %u bytes behind buffer %s were overwritten", LAD_REDZONE, o->buf->name);
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.redzone", "memory behind buffer %s was overwritten",
                           o->buf->name);
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
    case LAD_F32: return lad_printf(arena, "%.9g", (double)f);
    case LAD_F64: return lad_printf(arena, "%.17g", d);
    case LAD_I32: return lad_printf(arena, "%d", (int32_t)bits);
    case LAD_I64: return lad_printf(arena, "%lld", (long long)bits);
    default: return lad_printf(arena, "%llu", (unsigned long long)bits);
    }
}

static const char *token_of(const struct lad_seen *s)
{
    if (!strncmp(s->signature, "all ", 4)) {
        const char *word = strstr(s->signature, "zero") ? "all-zero" : strstr(s->signature, "as before") ? "all-canary"
                           : strstr(s->signature, "host canary") ? "all-host-canary" : "all-wrong";
        return word;
    }
    return !strncmp(s->signature, "right up to", 11) ? "prefix" : strstr(s->signature, "of every") ? "periodic" : "partial";
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
            lad_record_fact(p->arena, p->r, '-', "%llu of %llu elements of %s were compared, the others only for having been written",
                            (unsigned long long)s->n_checked, (unsigned long long)s->n, e->buf);
    }
}

/* A buffer that is wrong through its mapping is read once more by explicit copy: it parts the work from the view of it. */
static void look_again(struct lad_point *p)
{
    for (size_t i = 0; i < p->r->n_seen; i++) {
        struct lad_obj *o = lad_point_obj(p, p->r->seen[i].name);
        if (!p->r->seen[i].n_wrong)
            continue;
        void *again = lad_point_memory(o->total);
        bool ok = lad_gpu_read(p->gpu, o->gpu, 0, again, o->bytes);
        if (ok && memcmp(again, p->data[o - p->obj].after, o->bytes))
            lad_record_fact(p->arena, p->r, '!', "buffer %s reads differently by a second, explicit copy: the host's first view"
                            " of it was wrong", o->buf->name);
        else if (ok)
            lad_record_fact(p->arena, p->r, '+', "buffer %s reads the same by a second, explicit copy", o->buf->name);
        free(again);
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
            memcpy(ran.groups, (const char *)p->data[lad_point_obj(p, step->indirect) - p->obj].after + offset, sizeof ran.groups);
        lad_witness_check(p->arena, p->words, i, &ran, p->r);
    }
    check_surroundings(p);
    check_markers(p);
    if (p->r->status == LAD_STATUS_FAIL)
        look_again(p);
    if (p->r->status == LAD_STATUS_MISSING)
        p->r->status = LAD_STATUS_PASS;
}
