/* SPDX-License-Identifier: Apache-2.0 */
/* Small, wrong changes to a SPIR-V module: what is taken away becomes no-operations, so that nothing moves. */
#include "vk_spirv.h"
#include <stdlib.h>

enum { HEADER = 5, NOP = 1 << 16 };
enum { OP_STORE = 62, OP_ACCESS_CHAIN = 65, OP_IN_BOUNDS = 66, OP_DECORATE = 71, OP_CONTROL_BARRIER = 224 };
enum { ARRAY_STRIDE = 6, DESCRIPTOR_SET = 34 };

/* Opcode at *at, its length in *length; 0 at the end or where the module is broken. */
static uint32_t next_op(const uint32_t *words, size_t n, size_t *at, uint32_t *length)
{
    *at = *at ? *at + *length : HEADER;
    if (*at >= n)
        return 0;
    *length = words[*at] >> 16;
    return *length && *length <= n - *at ? words[*at] & 0xFFFF : 0;
}

static void erase(uint32_t *words, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        words[i] = NOP;
}

bool lad_spirv_lose_store(uint32_t *words, size_t n, uint32_t set)
{
    uint32_t bound = n > HEADER ? words[3] : 0, length = 0, op;
    unsigned char *in_set = bound && bound < 1u << 22 ? calloc(bound, 1) : NULL;
    size_t last = 0;
    for (size_t at = 0; in_set && (op = next_op(words, n, &at, &length));) {
        if (op == OP_DECORATE && length == 4 && words[at + 2] == DESCRIPTOR_SET && words[at + 3] == set)
            in_set[words[at + 1] % bound] = 1;
        else if ((op == OP_ACCESS_CHAIN || op == OP_IN_BOUNDS) && length > 3 && in_set[words[at + 3] % bound])
            in_set[words[at + 2] % bound] = 1;
        else if (op == OP_STORE && in_set[words[at + 1] % bound])
            last = at;
    }
    free(in_set);
    if (last)
        erase(words + last, words[last] >> 16);
    return last;
}

bool lad_spirv_lose_barriers(uint32_t *words, size_t n)
{
    uint32_t length = 0, op;
    bool some = false;
    for (size_t at = 0; (op = next_op(words, n, &at, &length));)
        if (op == OP_CONTROL_BARRIER) {
            erase(words + at, length);
            length = 1; /* no-operations from here on */
            some = true;
        }
    return some;
}

bool lad_spirv_stride(uint32_t *words, size_t n, uint32_t from, uint32_t to)
{
    uint32_t length = 0, op;
    bool some = false;
    for (size_t at = 0; (op = next_op(words, n, &at, &length));)
        if (op == OP_DECORATE && length == 4 && words[at + 2] == ARRAY_STRIDE && words[at + 3] == from) {
            words[at + 3] = to;
            some = true;
        }
    return some;
}

bool lad_spirv_replace(uint32_t *words, size_t n, uint32_t from, uint32_t to)
{
    uint32_t length = 0, op;
    for (size_t at = 0; (op = next_op(words, n, &at, &length));)
        if (op == from) {
            words[at] = (words[at] & 0xFFFF0000u) | to;
            return true;
        }
    return false;
}

/* OpCapability Shader, memory model, entry point "main", LocalSize 1 1 1, void main() {} */
const uint32_t lad_spirv_nothing[] = {
    0x07230203, 0x00010000, 0,          5,          0, 0x00020011, 1, 0x0003000E, 0, 1,          0x0005000F, 5,
    1,          0x6E69616D, 0,          0x00060010, 1, 17,         1, 1,          1, 0x00020013, 2,          0x00030021,
    3,          2,          0x00050036, 2,          1, 0,          3, 0x000200F8, 4, 0x000100FD, 0x00010038};
const size_t lad_spirv_nothing_bytes = sizeof lad_spirv_nothing;
