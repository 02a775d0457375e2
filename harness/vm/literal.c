/* SPDX-License-Identifier: Apache-2.0 */
/* Verilog's sized numbers, of up to 1,024 bits: 8'hff, 4'bx01z, 32'd10, 8'dx. */
#include "vm.h"
#include <ctype.h>
#include <string.h>

enum { WORDS = 16, BITS = 64 * WORDS };

static void set_bit(struct lad_vm_literal *l, uint32_t i, unsigned val, unsigned xz)
{
    l->val[i / 64] |= (uint64_t)val << i % 64;
    l->xz[i / 64] |= (uint64_t)xz << i % 64;
}

static const char *read_decimal(const char *digits, size_t n, struct lad_vm_literal *l)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t carry;
        if (digits[i] == '_')
            continue;
        if (!isdigit((unsigned char)digits[i]))
            return "a decimal number has only digits, or is x or z alone";
        carry = (uint32_t)(digits[i] - '0');
        for (int w = 0; w < WORDS; w++) {
            unsigned __int128 t = (unsigned __int128)l->val[w] * 10 + carry;
            l->val[w] = (uint64_t)t;
            carry = (uint32_t)(t >> 64);
        }
        if (carry)
            return "the number does not fit into 1024 bits";
    }
    for (uint32_t i = l->width; i < BITS; i++)
        if (l->val[i / 64] >> i % 64 & 1)
            return "the number does not fit into its width";
    return NULL;
}

/* Digits of `bits` bits each, from the last one on; a leading x or z fills up. */
static const char *read_binary(const char *digits, size_t n, uint32_t bits, struct lad_vm_literal *l)
{
    uint32_t at = 0;
    char first = '0';
    for (size_t i = n; i--;) {
        char c = (char)tolower((unsigned char)digits[i]);
        unsigned value, unknown = c == 'x' || c == 'z' || c == '?';
        if (c == '_')
            continue;
        value = isdigit((unsigned char)c) ? (unsigned)(c - '0')
                : c == 'x'                ? 15
                : unknown                 ? 0
                                          : (unsigned)(c - 'a') + 10;
        if (!unknown && (!isxdigit((unsigned char)c) || value >> bits))
            return "a digit that does not belong to the base";
        for (uint32_t k = 0; k < bits; k++, at++) {
            if (at < l->width)
                set_bit(l, at, value >> k & 1, unknown);
            else if (value >> k & 1 && !unknown)
                return "the number does not fit into its width";
        }
        first = c;
    }
    for (bool fill = first == 'x' || first == 'z' || first == '?'; fill && at < l->width; at++)
        set_bit(l, at, first == 'x', 1);
    return NULL;
}

const char *lad_vm_literal(const char *text, const char **end, struct lad_vm_literal *l)
{
    uint32_t width = 0;
    const char *p = text;
    *l = (struct lad_vm_literal){0};
    for (; isdigit((unsigned char)*p) && width <= BITS; p++)
        width = width * 10 + (uint32_t)(*p - '0');
    if (p == text || *p != '\'')
        return "expected a sized number such as 8'hff";
    if (!width || width > BITS)
        return "its width is not 1 to 1024";
    char base = (char)tolower((unsigned char)p[1]);
    if (!base || !strchr("bodh", base))
        return "its base is not b, o, d or h";
    const char *digits = p + 2;
    size_t n = 0;
    while (isalnum((unsigned char)digits[n]) || digits[n] == '_' || digits[n] == '?')
        n++;
    *end = digits + n;
    l->width = width;
    if (!n || digits[0] == '_')
        return "it has no digits";
    bool fill = n == 1 && strchr("xXzZ?", *digits);
    return base == 'd' && !fill ? read_decimal(digits, n, l)
                                : read_binary(digits, n,
                                              base == 'h'   ? 4
                                              : base == 'o' ? 3
                                                            : 1,
                                              l);
}
