/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of the VM once more, digit by digit on '0', '1', 'x' and 'z', from the tables of the specification: slow,
 * plain, and with nothing in common with the evaluators that it judges. */
#include "vector.h"
#include <string.h>

struct lad_vm_bits lad_vm_bits(uint64_t val, uint64_t xz, uint32_t width)
{
    struct lad_vm_bits b = {.width = width};
    for (uint32_t i = 0; i < width; i++)
        b.bit[i] = "01zx"[(val >> i & 1) + 2 * (xz >> i & 1)];
    return b;
}

void lad_vm_bits_planes(const struct lad_vm_bits *b, uint64_t *val, uint64_t *xz)
{
    *val = *xz = 0;
    for (uint32_t i = 0; i < b->width; i++) {
        *val |= (uint64_t)(b->bit[i] == '1' || b->bit[i] == 'x') << i;
        *xz |= (uint64_t)(b->bit[i] == 'x' || b->bit[i] == 'z') << i;
    }
}

static struct lad_vm_bits fill(char digit, uint32_t width)
{
    struct lad_vm_bits b = {.width = width};
    memset(b.bit, digit, width);
    return b;
}

static struct lad_vm_bits one_bit(char digit, uint32_t width)
{
    struct lad_vm_bits b = fill('0', width);
    b.bit[0] = digit;
    return b;
}

static struct lad_vm_bits extend(struct lad_vm_bits a, uint32_t width, bool is_signed)
{
    struct lad_vm_bits b = fill(is_signed ? a.bit[a.width - 1] : '0', width);
    memcpy(b.bit, a.bit, a.width < width ? a.width : width);
    return b;
}

static bool is_known(struct lad_vm_bits a)
{
    for (uint32_t i = 0; i < a.width; i++)
        if (a.bit[i] != '0' && a.bit[i] != '1')
            return false;
    return true;
}

static char truth(struct lad_vm_bits a)
{
    return memchr(a.bit, '1', a.width) ? '1' : is_known(a) ? '0' : 'x';
}

static char invert(char digit)
{
    return digit == '0' ? '1' : digit == '1' ? '0' : 'x';
}

/* Rows and columns in the order 0 1 x z. */
static char look_up(const char *table, char row, char column)
{
    static const char order[] = "01xz";
    return table[(strchr(order, row) - order) * 4 + (strchr(order, column) - order)];
}

static const char and_table[] = "0000"
                                "01xx"
                                "0xxx"
                                "0xxx";
static const char or_table[] = "01xx"
                               "1111"
                               "x1xx"
                               "x1xx";
static const char xor_table[] = "01xx"
                                "10xx"
                                "xxxx"
                                "xxxx";

static struct lad_vm_bits map_bits(const char *table, struct lad_vm_bits a, struct lad_vm_bits b)
{
    for (uint32_t i = 0; i < a.width; i++)
        a.bit[i] = look_up(table, a.bit[i], b.bit[i]);
    return a;
}

static struct lad_vm_bits invert_all(struct lad_vm_bits a)
{
    for (uint32_t i = 0; i < a.width; i++)
        a.bit[i] = invert(a.bit[i]);
    return a;
}

static struct lad_vm_bits add(struct lad_vm_bits a, struct lad_vm_bits b, bool carry)
{
    for (uint32_t i = 0; i < a.width; i++) {
        int sum = (a.bit[i] == '1') + (b.bit[i] == '1') + carry;
        a.bit[i] = sum & 1 ? '1' : '0';
        carry = sum > 1;
    }
    return a;
}

static struct lad_vm_bits negate(struct lad_vm_bits a)
{
    return add(invert_all(a), fill('0', a.width), true);
}

static struct lad_vm_bits move_up(struct lad_vm_bits a, uint32_t by)
{
    struct lad_vm_bits b = fill('0', a.width);
    for (uint32_t i = by; i < a.width; i++)
        b.bit[i] = a.bit[i - by];
    return b;
}

static struct lad_vm_bits multiply(struct lad_vm_bits a, struct lad_vm_bits b)
{
    struct lad_vm_bits sum = fill('0', a.width);
    for (uint32_t i = 0; i < b.width && i < a.width; i++)
        if (b.bit[i] == '1')
            sum = add(sum, move_up(a, i), false);
    return sum;
}

/* -1, 0, 1 */
static int order(struct lad_vm_bits a, struct lad_vm_bits b)
{
    for (uint32_t i = a.width; i--;)
        if (a.bit[i] != b.bit[i])
            return a.bit[i] == '1' ? 1 : -1;
    return 0;
}

static struct lad_vm_bits divide(struct lad_vm_bits a, struct lad_vm_bits b, struct lad_vm_bits *rest)
{
    struct lad_vm_bits quotient = fill('0', a.width);
    *rest = fill('0', a.width);
    for (uint32_t i = a.width; i--;) {
        bool carry = rest->bit[rest->width - 1] == '1'; /* the remainder may need a digit more for a moment */
        *rest = move_up(*rest, 1);
        rest->bit[0] = a.bit[i];
        if (carry || order(*rest, b) >= 0) {
            *rest = add(*rest, invert_all(b), true);
            quotient.bit[i] = '1';
        }
    }
    return quotient;
}

static struct lad_vm_bits divide_signed(struct lad_vm_bits a, struct lad_vm_bits b, bool want_rest)
{
    bool a_minus = a.bit[a.width - 1] == '1', b_minus = b.bit[b.width - 1] == '1';
    struct lad_vm_bits rest, quotient = divide(a_minus ? negate(a) : a, b_minus ? negate(b) : b, &rest);
    if (want_rest)
        return a_minus ? negate(rest) : rest;
    return a_minus != b_minus ? negate(quotient) : quotient;
}

static struct lad_vm_bits power(struct lad_vm_bits base, struct lad_vm_bits e, bool is_signed, bool e_signed)
{
    uint32_t w = base.width;
    struct lad_vm_bits one = one_bit('1', w), zero = fill('0', w), minus_one = fill('1', w), result = one;
    bool odd = e.bit[0] == '1', negative = e_signed && e.bit[e.width - 1] == '1';
    if (negative) {
        if (!order(base, zero))
            return fill('x', w);
        if (is_signed && !order(base, minus_one))
            return odd ? minus_one : one;
        return order(base, one) ? zero : one;
    }
    for (uint32_t i = e.width; i--;) {
        result = multiply(result, result);
        if (e.bit[i] == '1')
            result = multiply(result, base);
    }
    return result;
}

static struct lad_vm_bits move(struct lad_vm_bits a, struct lad_vm_bits count, uint32_t sub, bool is_signed)
{
    uint32_t w = a.width, by = 0;
    char fill_with = sub == VM_BINARY_ASHR && is_signed ? a.bit[w - 1] : '0';
    if (!is_known(count))
        return fill('x', w);
    for (uint32_t i = count.width; i--;)
        by = by > w ? by : by * 2 + (count.bit[i] == '1'); /* once beyond w it stays beyond */
    struct lad_vm_bits b = fill(sub == VM_BINARY_SHL ? '0' : fill_with, w);
    for (uint32_t i = 0; i < w; i++) {
        if (sub == VM_BINARY_SHL && i >= by)
            b.bit[i] = a.bit[i - by];
        else if (sub != VM_BINARY_SHL && i + (uint64_t)by < w)
            b.bit[i] = a.bit[i + by];
    }
    return b;
}

struct lad_vm_bits lad_vm_bits_unary(uint32_t sub, bool is_signed, struct lad_vm_bits a, uint32_t w)
{
    char digit;
    struct lad_vm_bits wide = extend(a, w, is_signed);
    switch (sub) {
    case VM_UNARY_PLUS:
        return wide;
    case VM_UNARY_MINUS:
        return is_known(wide) ? negate(wide) : fill('x', w);
    case VM_UNARY_BIT_NOT:
        return invert_all(wide);
    case VM_UNARY_LOG_NOT:
        return one_bit(invert(truth(a)), w);
    case VM_UNARY_RED_AND:
    case VM_UNARY_RED_NAND:
        digit = memchr(a.bit, '0', a.width) ? '0' : is_known(a) ? '1' : 'x';
        break;
    case VM_UNARY_RED_OR:
    case VM_UNARY_RED_NOR:
        digit = memchr(a.bit, '1', a.width) ? '1' : is_known(a) ? '0' : 'x';
        break;
    default:
        digit = '0';
        for (uint32_t i = 0; i < a.width; i++)
            digit = look_up(xor_table, digit, a.bit[i]);
    }
    bool inverse = sub == VM_UNARY_RED_NAND || sub == VM_UNARY_RED_NOR || sub == VM_UNARY_RED_XNOR;
    return one_bit(inverse ? invert(digit) : digit, w);
}

static char compare(uint32_t sub, bool is_signed, struct lad_vm_bits a, struct lad_vm_bits b)
{
    bool differ = false, same = true;
    for (uint32_t i = 0; i < a.width; i++) {
        bool known = strchr("01", a.bit[i]) && strchr("01", b.bit[i]);
        differ |= known && a.bit[i] != b.bit[i];
        same &= a.bit[i] == b.bit[i];
    }
    bool known = is_known(a) && is_known(b);
    char equal = differ ? '0' : known ? '1' : 'x';
    if (sub == VM_BINARY_EQ || sub == VM_BINARY_NEQ)
        return sub == VM_BINARY_EQ ? equal : invert(equal);
    if (sub == VM_BINARY_CASE_EQ || sub == VM_BINARY_CASE_NEQ)
        return same == (sub == VM_BINARY_CASE_EQ) ? '1' : '0';
    if (!known)
        return 'x';
    bool a_minus = is_signed && a.bit[a.width - 1] == '1', b_minus = is_signed && b.bit[b.width - 1] == '1';
    int c = a_minus != b_minus ? (a_minus ? -1 : 1) : order(a, b);
    bool holds = sub == VM_BINARY_LT ? c < 0 : sub == VM_BINARY_LE ? c <= 0 : sub == VM_BINARY_GT ? c > 0 : c >= 0;
    return holds ? '1' : '0';
}

struct lad_vm_bits lad_vm_bits_binary(uint32_t sub, bool s, bool rhs_signed, struct lad_vm_bits l, struct lad_vm_bits r,
                                      uint32_t w)
{
    struct lad_vm_bits a = extend(l, w, s), b = extend(r, w, s), rest;
    uint32_t ew = l.width > r.width ? l.width : r.width;
    switch (sub) {
    case VM_BINARY_ADD:
    case VM_BINARY_SUB:
    case VM_BINARY_MUL:
    case VM_BINARY_DIV:
    case VM_BINARY_MOD:
        if (!is_known(a) || !is_known(b))
            return fill('x', w);
        if (sub == VM_BINARY_ADD || sub == VM_BINARY_SUB)
            return add(a, sub == VM_BINARY_ADD ? b : invert_all(b), sub == VM_BINARY_SUB);
        if (sub == VM_BINARY_MUL)
            return multiply(a, b);
        if (!memchr(b.bit, '1', w))
            return fill('x', w);
        if (s)
            return divide_signed(a, b, sub == VM_BINARY_MOD);
        a = divide(a, b, &rest);
        return sub == VM_BINARY_MOD ? rest : a;
    case VM_BINARY_POW:
        return is_known(a) && is_known(r) ? power(a, r, s, rhs_signed) : fill('x', w);
    case VM_BINARY_SHL:
    case VM_BINARY_SHR:
    case VM_BINARY_ASHR:
        return move(a, r, sub, s);
    case VM_BINARY_AND:
        return map_bits(and_table, a, b);
    case VM_BINARY_OR:
        return map_bits(or_table, a, b);
    case VM_BINARY_XOR:
        return map_bits(xor_table, a, b);
    case VM_BINARY_XNOR:
        return invert_all(map_bits(xor_table, a, b));
    case VM_BINARY_LOG_AND:
        return one_bit(look_up(and_table, truth(l), truth(r)), w);
    case VM_BINARY_LOG_OR:
        return one_bit(look_up(or_table, truth(l), truth(r)), w);
    default:
        return one_bit(compare(sub, s, extend(l, ew, s), extend(r, ew, s)), w);
    }
}
