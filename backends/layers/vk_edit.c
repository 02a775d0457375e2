/* SPDX-License-Identifier: Apache-2.0 */
/* Small, wrong changes to a SPIR-V module. What is only taken away becomes no-operations. */
#include "vk_spirv.h"
#include <stdlib.h>

enum { NOP = 1 << 16 };
enum {
    OP_TYPE_VOID = 19,
    OP_BIT_ADD = 128,
    OP_F_MUL = 133,
    OP_U_MOD = 137,
    OP_HALF = 116,
    OP_IS_NAN = 156,
    OP_U_NOT_LESS = 174,
    OP_F_ORD_NOT_EQUAL = 182,
    OP_CONTROL_BARRIER = 224,
    OP_ATOMIC_ADD = 234,
    OP_PHI = 245,
    OP_SELECTION = 247,
    OP_LABEL = 248,
    OP_BRANCH_IF = 250,
    OP_RETURN = 253,
    OP_SUBGROUP_ADD = 349,
    OP_SUBGROUP_FADD = 350
};
enum { ARRAY_STRIDE = 6, LOCAL_ID = 27, SUBGROUP_LANE = 41, INCLUSIVE_SCAN = 1, ONE_FLOAT = 0x3F800000 };
#define WORDS(...) ((const uint32_t[]){__VA_ARGS__}), sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

static void erase(struct lad_spirv *m, const struct lad_op *op)
{
    for (uint32_t i = 0; i < op->length; i++)
        m->word[op->at + i] = NOP;
}

bool lad_edit_lose_store(struct lad_spirv *m, uint32_t set)
{
    unsigned char *reached = lad_spirv_reach(m, set);
    struct lad_op op = {0}, last = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == OP_STORE && reached[m->word[op.at + 1]])
            last = op;
    free(reached);
    if (last.at)
        erase(m, &last);
    return last.at;
}

bool lad_edit_lose_barriers(struct lad_spirv *m, uint32_t which)
{
    struct lad_op op = {0};
    uint32_t seen = 0;
    while (lad_spirv_next(m, &op))
        if (op.code == OP_CONTROL_BARRIER && (++seen == which || !which)) {
            erase(m, &op);
            op.length = 1; /* no-operations from here on */
        }
    return seen >= which && seen;
}

bool lad_edit_stride(struct lad_spirv *m, uint32_t from, uint32_t to)
{
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op))
        if (op.code == OP_DECORATE && op.length == 4 && m->word[op.at + 2] == ARRAY_STRIDE &&
            m->word[op.at + 3] == from) {
            m->word[op.at + 3] = to;
            some = true;
        }
    return some;
}

bool lad_edit_replace(struct lad_spirv *m, uint32_t from, uint32_t to)
{
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == from) {
            m->word[op.at] = OP(to, op.length);
            return true;
        }
    return false;
}

/* The lane's number in x, as words at the front of what is to be put in; 0 where the module does not ask for it. */
enum { LANE_WORDS = 9 };
static uint32_t put_lane(struct lad_spirv *m, uint32_t *with)
{
    uint32_t variable = lad_spirv_builtin(m, LOCAL_ID), vector = lad_spirv_pointee(m, variable);
    if (!vector)
        return 0;
    uint32_t loaded = lad_spirv_id(m), lane = lad_spirv_id(m);
    const uint32_t words[] = {
        OP(OP_LOAD, 4), vector, loaded, variable, OP(OP_EXTRACT, 5), lad_spirv_type(m, OP_TYPE_INT, 32),
        lane,           loaded, 0};
    for (int i = 0; i < LANE_WORDS; i++)
        with[i] = words[i];
    return lane;
}

/* A label has become another one's second half. */
static void rename_parent(struct lad_spirv *m, uint32_t from, uint32_t to)
{
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        for (uint32_t i = 4; op.code == OP_PHI && i < op.length; i += 2)
            if (m->word[op.at + i] == from)
                m->word[op.at + i] = to;
}

bool lad_edit_return(struct lad_spirv *m, uint32_t lanes, uint32_t barrier)
{
    uint32_t with[LANE_WORDS + 19 + 4], lane = put_lane(m, with), seen = 0, label = 0, result = 0, nothing = 0;
    uint32_t type = lad_spirv_type(m, OP_TYPE_INT, 32), from = lad_spirv_constant(m, type, lanes);
    uint32_t truth = lad_spirv_type(m, OP_TYPE_BOOL, 0);
    struct lad_op op = {0};
    while (lane && lad_spirv_next(m, &op)) {
        nothing = op.code == OP_TYPE_VOID ? m->word[op.at + 1] : nothing;
        result = op.code == OP_FUNCTION ? m->word[op.at + 1] : result;
        label = op.code == OP_LABEL ? m->word[op.at + 1] : label;
        if (op.code != OP_CONTROL_BARRIER || ++seen != barrier || result != nothing)
            continue;
        uint32_t late = lad_spirv_id(m), leave = lad_spirv_id(m), stay = lad_spirv_id(m), *to = with + LANE_WORDS;
        const uint32_t words[] = {OP(OP_U_NOT_LESS, 5),
                                  truth,
                                  late,
                                  lane,
                                  from,
                                  OP(OP_SELECTION, 3),
                                  stay,
                                  0,
                                  OP(OP_BRANCH_IF, 4),
                                  late,
                                  leave,
                                  stay,
                                  OP(OP_LABEL, 2),
                                  leave,
                                  OP(OP_RETURN, 1),
                                  OP(OP_LABEL, 2),
                                  stay};
        size_t n = sizeof words / sizeof *words;
        for (size_t i = 0; i < n; i++)
            to[i] = words[i];
        for (uint32_t i = 0; i < op.length; i++)
            to[n + i] = m->word[op.at + i];
        rename_parent(m, label, stay);
        lad_spirv_splice(m, &op, with, LANE_WORDS + n + op.length);
        return true;
    }
    return false;
}

/* Is it the type of 32-bit floats, or of a vector of them? */
static bool is_float(const struct lad_spirv *m, uint32_t type, uint32_t scalar)
{
    struct lad_op op = {0};
    while (type != scalar && lad_spirv_next(m, &op))
        if (op.code == OP_TYPE_VECTOR && m->word[op.at + 1] == type)
            return m->word[op.at + 2] == scalar;
    return type == scalar;
}

bool lad_edit_half(struct lad_spirv *m, uint32_t opcode)
{
    uint32_t scalar = lad_spirv_type(m, OP_TYPE_FLOAT, 32);
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op)) {
        if (op.code != opcode || op.length != 5 || !is_float(m, m->word[op.at + 1], scalar))
            continue;
        const uint32_t *w = m->word + op.at, id = lad_spirv_id(m);
        lad_spirv_splice(m, &op, WORDS(w[0], w[1], id, w[3], w[4], OP(OP_HALF, 4), w[1], w[2], id));
        some = true;
    }
    return some;
}

bool lad_edit_loose(struct lad_spirv *m, uint32_t opcode, uint32_t units)
{
    uint32_t scalar = lad_spirv_type(m, OP_TYPE_FLOAT, 32), factor = lad_spirv_constant(m, scalar, ONE_FLOAT + units);
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op)) {
        if (op.code != opcode || op.length != 5 || m->word[op.at + 1] != scalar)
            continue;
        const uint32_t *w = m->word + op.at, id = lad_spirv_id(m);
        lad_spirv_splice(m, &op, WORDS(w[0], w[1], id, w[3], w[4], OP(OP_F_MUL, 5), w[1], w[2], id, factor));
        some = true;
    }
    return some;
}

bool lad_edit_no_nan(struct lad_spirv *m)
{
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op)) {
        if (op.code != OP_IS_NAN)
            continue;
        const uint32_t *w = m->word + op.at;
        lad_spirv_splice(m, &op, WORDS(OP(OP_F_ORD_NOT_EQUAL, 5), w[1], w[2], w[3], w[3]));
        some = true;
    }
    return some;
}

/* Atomic additions to memory of the set become loads, with or without an addition and a store behind them. */
static bool edit_additions(struct lad_spirv *m, uint32_t set, bool adds)
{
    unsigned char *reached = lad_spirv_reach(m, set);
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op)) {
        const uint32_t *w = m->word + op.at;
        if (op.code != OP_ATOMIC_ADD || !reached[w[3]])
            continue;
        uint32_t sum = adds ? lad_spirv_id(m) : 0;
        if (adds)
            lad_spirv_splice(m, &op,
                             WORDS(OP(OP_LOAD, 4), w[1], w[2], w[3], OP(OP_BIT_ADD, 5), w[1], sum, w[2], w[6],
                                   OP(OP_STORE, 3), w[3], sum));
        else
            lad_spirv_splice(m, &op, WORDS(OP(OP_LOAD, 4), w[1], w[2], w[3]));
        some = true;
    }
    free(reached);
    return some;
}

bool lad_edit_torn(struct lad_spirv *m, uint32_t set)
{
    return edit_additions(m, set, true);
}

bool lad_edit_no_atomics(struct lad_spirv *m, uint32_t set)
{
    return edit_additions(m, set, false);
}

bool lad_edit_lanes(struct lad_spirv *m, uint32_t width)
{
    uint32_t type = lad_spirv_type(m, OP_TYPE_INT, 32), by = lad_spirv_constant(m, type, width);
    uint32_t variable = lad_spirv_builtin(m, SUBGROUP_LANE);
    struct lad_op op = {0};
    bool some = false;
    while (variable && lad_spirv_next(m, &op)) {
        uint32_t with[LANE_WORDS + 5], lane;
        if (op.code != OP_LOAD || m->word[op.at + 3] != variable || !(lane = put_lane(m, with)))
            continue;
        const uint32_t words[] = {OP(OP_U_MOD, 5), type, m->word[op.at + 2], lane, by};
        for (int i = 0; i < 5; i++)
            with[LANE_WORDS + i] = words[i];
        lad_spirv_splice(m, &op, with, LANE_WORDS + 5);
        some = true;
    }
    return some;
}

bool lad_edit_one_lane(struct lad_spirv *m)
{
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op))
        if ((op.code == OP_SUBGROUP_ADD || op.code == OP_SUBGROUP_FADD) && op.length == 6) {
            m->word[op.at + 4] = INCLUSIVE_SCAN;
            some = true;
        }
    return some;
}

bool lad_edit_wrap_shared(struct lad_spirv *m, uint32_t items)
{
    uint32_t type = lad_spirv_type(m, OP_TYPE_INT, 32), by = lad_spirv_constant(m, type, items);
    unsigned char *reached = lad_spirv_reach(m, SPIRV_SHARED);
    struct lad_op op = {0};
    bool some = false;
    while (lad_spirv_next(m, &op)) {
        const uint32_t *w = m->word + op.at;
        if (op.code != OP_ACCESS_CHAIN || op.length != 5 || !reached[w[3]] || lad_spirv_type_of(m, w[4]) != type)
            continue;
        uint32_t index = lad_spirv_id(m);
        lad_spirv_splice(
            m, &op, WORDS(OP(OP_U_MOD, 5), type, index, w[4], by, OP(OP_ACCESS_CHAIN, 5), w[1], w[2], w[3], index));
        some = true;
    }
    free(reached);
    return some;
}

bool lad_edit_overlap_shared(struct lad_spirv *m)
{
    unsigned char *reached = lad_spirv_reach(m, SPIRV_SHARED);
    struct lad_op op = {0};
    uint32_t first = 0, type = 0;
    bool some = false;
    while (lad_spirv_next(m, &op)) {
        uint32_t *w = m->word + op.at;
        if (op.code == OP_VARIABLE && reached[w[2]] && !first) {
            type = w[1];
            first = w[2];
        } else if (op.code == OP_VARIABLE && reached[w[2]] && w[1] == type)
            reached[w[2]] = 2; /* as long as the first */
        else if (op.code == OP_ACCESS_CHAIN && reached[w[3]] == 2) {
            w[3] = first;
            some = true;
        }
    }
    free(reached);
    return some;
}
