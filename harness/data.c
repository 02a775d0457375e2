/* SPDX-License-Identifier: Apache-2.0 */
/* What is put into buffers: canaries that are never zero and depend on the place, and inputs drawn from the seed. */
#include "harness.h"
#include <math.h>
#include <string.h>

uint32_t lad_canary_word(enum lad_canary kind, uint64_t word)
{
    static const uint32_t base[] = {0xCA000000u, 0x5EED0000u, 0x1B000000u};
    static const uint32_t mask[] = {0x00FFFFFFu, 0x0000FFFFu, 0x00FFFFFFu};
    return base[kind] | ((uint32_t)word & mask[kind]);
}

void lad_canary_fill(enum lad_canary kind, void *data, size_t bytes, uint64_t first_word)
{
    char *p = data;
    for (size_t done = 0; done < bytes; done += 4) {
        uint32_t word = lad_canary_word(kind, first_word++);
        memcpy(p + done, &word, bytes - done < 4 ? bytes - done : 4);
    }
}

uint64_t lad_bits(const void *data, enum lad_type type, uint64_t i)
{
    uint64_t bits = 0;
    uint32_t bytes = lad_type_bytes(type);
    memcpy(&bits, (const char *)data + i * bytes, bytes);
    return bits;
}

static void put(void *data, enum lad_type type, uint64_t i, uint64_t bits)
{
    uint32_t bytes = lad_type_bytes(type);
    memcpy((char *)data + i * bytes, &bits, bytes);
}

static uint64_t from_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

static uint64_t from_double(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

static uint64_t from_int(enum lad_type type, int64_t v)
{
    return type == LAD_F32 ? from_float((float)v) : type == LAD_F64 ? from_double((double)v) : (uint64_t)v;
}

/* Finite and spread over magnitudes: 2^-10 to 2^10, either sign, all mantissa bits alive. */
static uint64_t random_bits(enum lad_type type, uint64_t *state)
{
    uint64_t r = lad_random(state);
    if (type == LAD_F32)
        return (r & 0x807FFFFFu) | (uint64_t)(117 + (r >> 40) % 21) << 23;
    if (type == LAD_F64)
        return (r & 0x800FFFFFFFFFFFFFu) | (uint64_t)(1013 + (r >> 53) % 21) << 52;
    return r ? r : 1;
}

static const uint32_t special_floats[] = {0x00000000, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000,
                                          0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0xFF7FFFFF, 0x00800000,
                                          0x80800000, 0x00000001, 0x007FFFFF, 0x3F7FFFFF, 0x3F800001,
                                          0x4B800000, 0x4B7FFFFF, 0x40490FDB, 0x3EAAAAAB, 0xC2F6E979};
static const uint64_t special_ints[] = {0,
                                        1,
                                        UINT64_MAX,
                                        0x7FFFFFFFFFFFFFFF,
                                        0x8000000000000000,
                                        0x7FFFFFFF,
                                        0x80000000,
                                        0xFFFFFFFF,
                                        0x100000000,
                                        0x7FFF,
                                        0x8000,
                                        0xFFFF,
                                        0x7F,
                                        0x80,
                                        0xFF,
                                        0x55AA55AA55AA55AA};

static uint64_t special(enum lad_type type, uint64_t i)
{
    if (type == LAD_F32)
        return special_floats[i % LAD_N(special_floats)];
    if (type == LAD_F64) {
        float f;
        memcpy(&f, &special_floats[i % LAD_N(special_floats)], 4);
        return from_double((double)f);
    }
    return special_ints[i % LAD_N(special_ints)];
}

bool lad_fill_data(void *data, uint64_t n, const struct lad_case_buf *b, const char *fill, size_t buf_index,
                   uint64_t seed, const struct lad_scope *scope)
{
    uint64_t state = seed ^ lad_hash(b->name, strlen(b->name), 0), bytes = n * lad_type_bytes(b->type);
    bool is_unsigned = b->type == LAD_U32 || b->type == LAD_U64 || b->type == LAD_U16 || b->type == LAD_U8;
    struct lad_scope with_i = *scope;
    char why[200];
    if (!strcmp(fill, "ramp")) {
        for (uint64_t i = 0; i < bytes; i++)
            ((uint8_t *)data)[i] = (uint8_t)(i + 1);
        return true;
    }
    if (*fill == '=')
        with_i.name[with_i.n++] = "i";
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bits;
        int64_t v;
        switch (*fill) {
        case '=':
            with_i.value[with_i.n - 1] = (int64_t)i;
            if (!lad_eval(fill + 1, &with_i, &v, why, sizeof why))
                return false;
            bits = from_int(b->type, v);
            break;
        case 'i':
            bits = from_int(b->type, (int64_t)i + 1);
            break;
        case 't':
            bits = from_int(b->type, 0x7A600000 + (int64_t)buf_index);
            break;
        case 's':
            if (fill[1] == 'p')
                bits = special(b->type, i);
            else
                bits = from_int(b->type, is_unsigned ? (int64_t)(lad_random(&state) % 9)
                                                     : (int64_t)(lad_random(&state) % 17) - 8);
            break;
        default:
            bits = random_bits(b->type, &state);
        }
        put(data, b->type, i, bits);
    }
    return true;
}
