/* SPDX-License-Identifier: Apache-2.0 */
/* Oracles for what oracle_expr.c cannot say or would say too slowly, and the table of all. None shares a line with the
 * kernels; floats are computed in double and rounded once. */
#include "harness.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t lad_keep(const struct lad_data *d, uint64_t i)
{
    return lad_bits(d->before, d->buf->type, i);
}

static const struct lad_data *find_data(const struct lad_oracle_in *in, const char *name)
{
    for (size_t k = 0; k < in->n_data; k++)
        if (!strcmp(in->data[k].buf->name, name))
            return &in->data[k];
    lad_error("oracle: the case has no buffer \"%s\"", name);
    abort();
}

static int64_t find_value(const struct lad_oracle_in *in, const char *name, const char *otherwise)
{
    for (size_t k = 0; k < in->scope->n; k++)
        if (!strcmp(in->scope->name[k], name))
            return in->scope->value[k];
    if (otherwise)
        return find_value(in, otherwise, NULL);
    lad_error("oracle: the case has no variable \"%s\"", name);
    abort();
}

static bool is_float(enum lad_type type)
{
    return type == LAD_F32 || type == LAD_F64;
}

static double get_float(const struct lad_data *d, uint64_t i)
{
    return d->buf->type == LAD_F64 ? ((const double *)d->before)[i] : (double)((const float *)d->before)[i];
}

static uint64_t get_int(const struct lad_data *d, uint64_t i)
{
    uint64_t bits = lad_bits(d->before, d->buf->type, i);
    return d->buf->type == LAD_I32 ? (uint64_t)(int64_t)(int32_t)bits : bits;
}

static uint64_t round_float(enum lad_type type, double x)
{
    uint64_t bits = 0;
    float f = (float)x;
    if (type == LAD_F64)
        memcpy(&bits, &x, 8);
    else
        memcpy(&bits, &f, 4);
    return bits;
}

static uint64_t cut_int(enum lad_type type, uint64_t v)
{
    uint32_t bytes = lad_type_bytes(type);
    return bytes == 8 ? v : v & ((UINT64_C(1) << 8 * bytes) - 1);
}

/* Row-major product of a (m x k) and b (k x n); variables m and k default to n. */
static uint64_t matmul_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    const struct lad_data *a = find_data(in, "a"), *b = find_data(in, "b");
    uint64_t n = (uint64_t)find_value(in, "n", NULL), k = (uint64_t)find_value(in, "k", "n");
    uint64_t m = (uint64_t)find_value(in, "m", "n"), row = i / n, col = i % n;
    if (row >= m)
        return lad_keep(out, i);
    if (is_float(out->buf->type)) {
        double sum = 0;
        for (uint64_t j = 0; j < k; j++)
            sum += get_float(a, row * k + j) * get_float(b, j * n + col);
        return round_float(out->buf->type, sum);
    }
    uint64_t sum = 0;
    for (uint64_t j = 0; j < k; j++)
        sum += get_int(a, row * k + j) * get_int(b, j * n + col);
    return cut_int(out->buf->type, sum);
}

/* Element i is the sum of src's block i of `block` (a variable) elements, of the first n. */
static uint64_t block_sum_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    const struct lad_data *src = find_data(in, "src");
    uint64_t n = (uint64_t)find_value(in, "n", NULL), block = (uint64_t)find_value(in, "block", NULL);
    uint64_t from = i * block, to = from + block < n ? from + block : n, whole = 0;
    double sum = 0;
    if (from >= n)
        return lad_keep(out, i);
    for (uint64_t j = from; j < to; j++)
        if (is_float(src->buf->type))
            sum += get_float(src, j);
        else
            whole += get_int(src, j);
    return is_float(out->buf->type) ? round_float(out->buf->type, sum) : cut_int(out->buf->type, whole);
}

/* Element i is the sum of src from the start of its block of `block` elements up to i, i included. */
static uint64_t scan_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    const struct lad_data *src = find_data(in, "src");
    uint64_t n = (uint64_t)find_value(in, "n", NULL), block = (uint64_t)find_value(in, "block", NULL), sum = 0;
    if (i >= n)
        return lad_keep(out, i);
    for (uint64_t j = i / block * block; j <= i; j++)
        sum += get_int(src, j);
    return cut_int(out->buf->type, sum);
}

/* All of src combined by the operation named in with=, from what the element held before; i is the cell: cell i takes
 * the elements i, i + cells, i + 2 cells ... */
static uint64_t fold_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    const struct lad_data *src = find_data(in, "src");
    uint64_t n = (uint64_t)find_value(in, "n", NULL), cells = (uint64_t)find_value(in, "cells", NULL);
    uint64_t total = get_int(out, i);
    bool is_signed = out->buf->type == LAD_I32 || out->buf->type == LAD_I64;
    if (i >= cells)
        return lad_keep(out, i);
    for (uint64_t j = i; j < n; j += cells) {
        uint64_t v = get_int(src, j);
        bool less = is_signed ? (int64_t)v < (int64_t)total : v < total;
        if (!strcmp(in->with, "add"))
            total += v;
        else if (!strcmp(in->with, "sub"))
            total -= v;
        else if (!strcmp(in->with, "and"))
            total &= v;
        else if (!strcmp(in->with, "or"))
            total |= v;
        else if (!strcmp(in->with, "xor"))
            total ^= v;
        else if (!strcmp(in->with, "min") ? less : !strcmp(in->with, "max") && !less)
            total = v;
    }
    return cut_int(out->buf->type, total);
}

/* x op y over the special values of fp32, as bits with one NaN for all. */
static uint64_t special_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    const float specials[12] = {0.0f, -0.0f,          INFINITY,        -INFINITY,       NAN,        1.0f, -1.0f,
                                1.5f, 3.40282347e38f, -3.40282347e38f, 1.17549435e-38f, 16777216.0f};
    uint64_t n = (uint64_t)find_value(in, "n", NULL), op = i / n;
    float x = specials[get_int(find_data(in, "a"), i % n) % 12], y = specials[get_int(find_data(in, "b"), i % n) % 12];
    float r;
    if (op >= 3)
        return op == 3 ? x < y : op == 4 ? x == y : op == 5 ? isnan(x) : op == 6 ? isinf(x) != 0 : lad_keep(out, i);
    r = op == 0 ? x + y : op == 1 ? x - y : x * y;
    return isnan(r) ? 0x7FC00000u : round_float(LAD_F32, (double)r);
}

/* Element i after a linear congruential generator, started with it, ran for `rounds` (a variable) steps: x*1664525 +
 * 1013904223. Computed by squaring the step, so that no loop here can end where a device's does. */
static uint64_t rounds_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    uint32_t x = (uint32_t)get_int(find_data(in, "src"), i), mul = 1664525u, add = 1013904223u;
    for (uint64_t left = (uint64_t)find_value(in, "rounds", NULL); left; left >>= 1) {
        if (left & 1)
            x = x * mul + add;
        add = mul * add + add;
        mul *= mul;
    }
    (void)out;
    return x;
}

/* The buffers whose names begin with with=, added up: the first counts once, the second twice ... */
static uint64_t weighted_at(const struct lad_oracle_in *in, const struct lad_data *out, uint64_t i)
{
    uint64_t sum = 0, weight = 0;
    size_t prefix = strlen(in->with);
    for (size_t k = 0; k < in->n_data; k++)
        if (!strncmp(in->data[k].buf->name, in->with, prefix))
            sum += get_int(&in->data[k], i) * ++weight;
    return cut_int(out->buf->type, sum);
}

extern const struct lad_oracle lad_oracle_expr;
static const struct lad_oracle others[] = {
    {"matmul", "row-major product of a (m x k) and b (k x n); m and k default to n", matmul_at},
    {"block-sum", "sum of each block of `block` elements of src", block_sum_at},
    {"scan", "running sum of src within each block of `block` elements", scan_at},
    {"fold", "src combined by with= (add sub min max and or xor) into `cells` cells", fold_at},
    {"weighted", "sum of the buffers whose names begin with with=, each times its number from 1", weighted_at},
    {"special", "sum, difference, product and comparisons of special fp32 values", special_at},
    {"rounds", "src after `rounds` steps of x*1664525 + 1013904223", rounds_at},
};

const struct lad_oracle *lad_oracle_find(const char *name)
{
    if (!strcmp(name, lad_oracle_expr.name))
        return &lad_oracle_expr;
    for (size_t k = 0; k < LAD_N(others); k++)
        if (!strcmp(name, others[k].name))
            return &others[k];
    return NULL;
}
