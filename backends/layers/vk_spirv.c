/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a SPIR-V module, and putting words into it. */
#include "vk_spirv.h"
#include <stdlib.h>
#include <string.h>

enum { HEADER = 5, BOUND = 3, MOST_IDS = 1 << 22 };
enum { OP_CONSTANT = 43, OP_COPY = 83 };
enum { BUILT_IN = 11, DESCRIPTOR_SET = 34, WORKGROUP = 4 };

bool lad_spirv_next(const struct lad_spirv *m, struct lad_op *op)
{
    op->at = op->at ? op->at + op->length : HEADER;
    if (op->at >= m->n)
        return false;
    op->length = m->word[op->at] >> 16;
    op->code = m->word[op->at] & 0xFFFF;
    return op->length && op->length <= m->n - op->at;
}

void lad_spirv_splice(struct lad_spirv *m, struct lad_op *op, const uint32_t *with, size_t n)
{
    size_t rest = m->n - op->at - op->length;
    uint32_t *word = n > op->length ? realloc(m->word, (m->n + n - op->length) * sizeof *word) : m->word;
    if (!word)
        abort();
    memmove(word + op->at + n, word + op->at + op->length, rest * sizeof *word);
    memcpy(word + op->at, with, n * sizeof *word);
    m->word = word;
    m->n = op->at + n + rest;
    for (size_t end = op->at + n; n; op->at += op->length) {
        op->length = word[op->at] >> 16;
        op->code = word[op->at] & 0xFFFF;
        if (op->at + op->length >= end)
            break;
    }
}

uint32_t lad_spirv_id(struct lad_spirv *m)
{
    return m->n > BOUND ? m->word[BOUND]++ : 0;
}

/* What has to stand before the first function. */
static void declare(struct lad_spirv *m, const uint32_t *with, size_t n)
{
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == OP_FUNCTION) {
            op.length = 0;
            lad_spirv_splice(m, &op, with, n);
            return;
        }
}

uint32_t lad_spirv_type(struct lad_spirv *m, enum lad_opcode code, uint32_t bits)
{
    const uint32_t length = code == OP_TYPE_INT ? 4 : code == OP_TYPE_FLOAT ? 3 : 2;
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == (uint32_t)code && op.length == length && (length < 3 || m->word[op.at + 2] == bits) &&
            (length < 4 || !m->word[op.at + 3]))
            return m->word[op.at + 1];
    const uint32_t with[] = {OP(code, length), lad_spirv_id(m), bits, 0};
    declare(m, with, length);
    return with[1];
}

uint32_t lad_spirv_constant(struct lad_spirv *m, uint32_t type, uint32_t value)
{
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == OP_CONSTANT && op.length == 4 && m->word[op.at + 1] == type && m->word[op.at + 3] == value)
            return m->word[op.at + 2];
    const uint32_t with[] = {OP(OP_CONSTANT, 4), type, lad_spirv_id(m), value};
    declare(m, with, 4);
    return with[2];
}

uint32_t lad_spirv_builtin(const struct lad_spirv *m, uint32_t which)
{
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == OP_DECORATE && op.length == 4 && m->word[op.at + 2] == BUILT_IN && m->word[op.at + 3] == which)
            return m->word[op.at + 1];
    return 0;
}

/* Instructions of which the first two operands are a type and what has it. */
static bool makes_value(uint32_t code)
{
    return code == OP_LOAD || code == OP_EXTRACT || code == OP_COPY || code == 57 || (code >= 109 && code <= 205);
}

uint32_t lad_spirv_type_of(const struct lad_spirv *m, uint32_t id)
{
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (makes_value(op.code) && op.length > 2 && m->word[op.at + 2] == id)
            return m->word[op.at + 1];
    return 0;
}

uint32_t lad_spirv_pointee(const struct lad_spirv *m, uint32_t variable)
{
    struct lad_op op = {0}, pointer = {0};
    while (lad_spirv_next(m, &op)) {
        if (op.code != OP_VARIABLE || m->word[op.at + 2] != variable)
            continue;
        while (lad_spirv_next(m, &pointer))
            if (pointer.code == OP_TYPE_POINTER && m->word[pointer.at + 1] == m->word[op.at + 1])
                return m->word[pointer.at + 3];
    }
    return 0;
}

unsigned char *lad_spirv_reach(const struct lad_spirv *m, uint32_t set)
{
    uint32_t bound = m->n > HEADER && m->word[BOUND] < MOST_IDS ? m->word[BOUND] : 0;
    unsigned char *reached = calloc(bound + 1u, 1);
    struct lad_op op = {0};
    if (!reached)
        abort();
    while (bound && lad_spirv_next(m, &op)) {
        const uint32_t *w = m->word + op.at;
        if (op.code == OP_DECORATE && op.length == 4 && w[2] == DESCRIPTOR_SET && w[3] == set)
            reached[w[1] % bound] = 1;
        else if (op.code == OP_VARIABLE && op.length > 3 && set == SPIRV_SHARED && w[3] == WORKGROUP)
            reached[w[2] % bound] = 1;
        else if ((op.code == OP_ACCESS_CHAIN || op.code == OP_IN_BOUNDS) && op.length > 3 && reached[w[3] % bound])
            reached[w[2] % bound] = 1;
    }
    return reached;
}

uint64_t lad_spirv_interface(const struct lad_spirv *m)
{
    enum { MEMBER_DECORATE = 72, BINDING = 33, OFFSET = 35 };
    struct lad_op op = {0};
    uint64_t key = 0;
    while (lad_spirv_next(m, &op)) {
        const uint32_t *w = m->word + op.at;
        if (op.code == OP_DECORATE && op.length == 4 && (w[2] == DESCRIPTOR_SET || w[2] == BINDING))
            key += (w[2] * 64u + w[3] + 1u) * 0x9E3779B97F4A7C15u;
        if (op.code == MEMBER_DECORATE && op.length == 5 && w[3] == OFFSET)
            key += (w[2] * 4096u + w[4] + 7u) * 0xC2B2AE3D27D4EB4Fu;
    }
    return key;
}

unsigned lad_spirv_widths(const struct lad_spirv *m)
{
    unsigned widths = 0;
    struct lad_op op = {0};
    while (lad_spirv_next(m, &op))
        if (op.code == OP_TYPE_INT || op.code == OP_TYPE_FLOAT)
            widths |= m->word[op.at + 2] == 64 ? SPIRV_WIDE : m->word[op.at + 2] < 32 ? SPIRV_SMALL : 0u;
    return widths;
}

/* OpCapability Shader, memory model, entry point "main", LocalSize 1 1 1, void main() {} */
const uint32_t lad_spirv_nothing[] = {
    0x07230203, 0x00010000, 0,          5,          0, 0x00020011, 1, 0x0003000E, 0, 1,          0x0005000F, 5,
    1,          0x6E69616D, 0,          0x00060010, 1, 17,         1, 1,          1, 0x00020013, 2,          0x00030021,
    3,          2,          0x00050036, 2,          1, 0,          3, 0x000200F8, 4, 0x000100FD, 0x00010038};
const size_t lad_spirv_nothing_bytes = sizeof lad_spirv_nothing;
