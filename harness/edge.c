/* SPDX-License-Identifier: Apache-2.0 */
/* The edge between the largest size that works and the smallest that does not: is it a limit that the device names, or
 * one of 16 or 32 bits? */
#include "observe.h"
#include <string.h>

struct sizes {
    uint64_t elements, bytes, groups[3];
};

static bool measure(struct lad_point *p, int64_t sweep, struct sizes *s)
{
    struct lad_scope was = p->scope;
    memset(s, 0, sizeof *s);
    bool ok = lad_point_scope(p, sweep);
    for (size_t i = 0; ok && i < p->c->n_bufs; i++) {
        int64_t count;
        ok = lad_point_value(p, p->c->bufs[i].count, 0, &count) && count >= 0;
        uint64_t bytes = ok ? (uint64_t)count * lad_type_bytes(p->c->bufs[i].type) : 0;
        s->elements = ok && (uint64_t)count > s->elements ? (uint64_t)count : s->elements;
        s->bytes = bytes > s->bytes ? bytes : s->bytes;
    }
    for (size_t i = 0; ok && i < p->c->n_steps; i++)
        for (int k = 0; k < 3; k++) {
            const struct lad_step *step = &p->c->steps[i];
            int64_t items, groups, local;
            ok = ok && lad_point_value(p, step->items[k], 0, &items) &&
                 lad_point_value(p, step->groups[k], 0, &groups) && lad_point_value(p, step->local[k], 1, &local);
            if (ok && items > 0 && local > 0)
                groups = (items + local - 1) / local;
            if (ok && groups > 0 && (uint64_t)groups > s->groups[k])
                s->groups[k] = (uint64_t)groups;
        }
    p->scope = was;
    return ok;
}

static void compare(struct lad_point *p, struct lad_record *r, const char *what, uint64_t passed, uint64_t failed,
                    uint64_t limit)
{
    static const int bits[] = {31, 32};
    if (limit && passed <= limit && failed > limit - (passed != limit))
        lad_observe(p->arena, r, LAD_OBS_SIZE_LIMIT, what, (int64_t)limit);
    for (size_t i = 0; i < LAD_N(bits); i++)
        if (passed < 1ull << bits[i] && failed >= (1ull << bits[i]) - 1)
            lad_observe(p->arena, r, LAD_OBS_SIZE_4G, what, bits[i]);
}

/* A size that is taken modulo a power of two fails first where nothing is left of it. */
static void compare_turn(struct lad_point *p, struct lad_record *r, uint64_t passed, uint64_t failed)
{
    for (int whole = 0; whole < 2; whole++) {
        uint64_t around = whole ? lad_point_front(p) + LAD_REDZONE : 0, bytes = failed + around;
        if (bytes >= 256 && !(bytes & (bytes - 1)) && passed < failed)
            lad_observe(p->arena, r, LAD_OBS_SIZE_TURN, "transfers", (int64_t)bytes);
    }
}

void lad_observe_edge(struct lad_point *p, struct lad_record *r)
{
    static const enum lad_cap axes[] = {LAD_CAP_GROUPS_X, LAD_CAP_GROUPS_Y, LAD_CAP_GROUPS_Z};
    struct sizes a, b;
    if (r->sweep_passed <= 0 || r->sweep_failed != r->sweep_passed + 1 || !measure(p, r->sweep_passed, &a) ||
        !measure(p, r->sweep_failed, &b))
        return;
    lad_observe(p->arena, r, LAD_OBS_SIZE_EDGE, r->sweep, r->sweep_passed);
    for (int k = 0; k < 3; k++) {
        const char *what = lad_cap_name(axes[k]);
        compare(p, r, what, a.groups[k], b.groups[k], p->gpu->info.cap[axes[k]]);
        compare(p, r, what, a.groups[k], b.groups[k], UINT16_MAX);
    }
    compare(p, r, lad_cap_name(LAD_CAP_BUFFER_BYTES), a.bytes, b.bytes, p->gpu->info.cap[LAD_CAP_BUFFER_BYTES]);
    compare(p, r, "elements", a.elements, b.elements, 0);
    compare_turn(p, r, a.bytes, b.bytes);
}

/* Taken modulo a power of two: what is missing is whole turns at both sizes. */
static uint64_t find_turn(const struct lad_extent *small, const struct lad_extent *wide)
{
    uint64_t a = small->groups - small->ran, b = wide->groups - wide->ran;
    if (!small->ran || small->groups < small->ran || wide->groups < wide->ran || !a || !b)
        return 0;
    uint64_t turn = (a | b) & -(a | b);
    return turn >= 16 && small->ran < turn && wide->ran < turn ? turn : 0;
}

void lad_observe_remainder(struct lad_point *p, uint64_t came, uint64_t of)
{
    uint64_t missing = of - came, turn = missing & -missing;
    if (came && came < of && turn >= 16 && turn > came)
        lad_observe(p->arena, p->r, LAD_OBS_EDGE_MAY_WRAP, "bytes", (int64_t)turn);
}

void lad_observe_extents(struct lad_point *p, const struct lad_extent *small, const struct lad_extent *wide)
{
    if (small->has_groups && wide->has_groups && wide->groups > small->groups) {
        uint64_t turn = find_turn(small, wide);
        if (turn)
            lad_see(p, LAD_OBS_EDGE_GROUPS_WRAP, "workgroups", (int64_t)turn);
        else if (!small->ran && wide->ran && small->groups > 1 && wide->ran == wide->groups % small->groups)
            lad_see(p, LAD_OBS_EDGE_GROUPS_WRAP, "workgroups", (int64_t)small->groups);
        else if (wide->ran == small->ran && wide->ran > 1)
            lad_see(p, LAD_OBS_EDGE_GROUPS, "workgroups", (int64_t)wide->ran);
        return;
    }
    if (!small->has_bytes || !wide->has_bytes || wide->bytes <= small->bytes)
        return;
    for (int whole = 0; whole < 2; whole++) {
        uint64_t from = whole ? small->whole : small->bytes, to = whole ? wide->whole : wide->bytes;
        if (!small->good && wide->good && from % 64 == 0 && /* a power of two is lost */ wide->good == to % from)
            lad_see(p, LAD_OBS_EDGE_WRAPS, "bytes", (int64_t)from);
    }
    if (wide->good && wide->good == small->good)
        lad_see(p, LAD_OBS_EDGE_CONSTANT, "bytes", (int64_t)wide->good);
    else if (wide->good && small->bytes >= 8 && wide->good * 2 / 4 == wide->bytes / 4)
        lad_see(p, LAD_OBS_EDGE_SHARE, "bytes", (int64_t)wide->good);
}
