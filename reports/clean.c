/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes in, text that XML 1.0 and a terminal can carry out. XML libraries write what they are given, and one odd
 * byte of a device name makes readers drop a whole report. */
#include "report.h"
#include <string.h>

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none. */
static size_t decode_utf8(const unsigned char *p, size_t n, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (!length || length > n)
        return 0;
    *code = length == 1 ? p[0] : p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (p[i] & 0x3F);
    }
    if (*code < least[length] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
        return 0;
    return length;
}

/* Length of a whole terminal sequence at p: ESC [ ... final, or ESC ] ... BEL or ESC \; 0 when it has no end, so that
 * a lone ESC hides nothing. */
static size_t measure_ansi(const unsigned char *p, size_t n)
{
    size_t i = 2;
    if (n < 3 || p[0] != 0x1B)
        return 0;
    if (p[1] == '[') {
        while (i < n && p[i] >= 0x20 && p[i] < 0x40)
            i++;
        return i < n && p[i] >= 0x40 && p[i] < 0x7F ? i + 1 : 0;
    }
    if (p[1] != ']')
        return 0;
    for (; i < n && p[i] != '\n'; i++) {
        if (p[i] == 7)
            return i + 1;
        if (p[i] == 0x1B)
            return i + 1 < n && p[i + 1] == '\\' ? i + 2 : 0;
    }
    return 0;
}

/* What stands for one input sequence; shown as C spells it. Returns its length, at most 10. */
static size_t spell(char *out, const unsigned char *p, size_t length, uint32_t code)
{
    static const char hex[] = "0123456789abcdef";
    bool noncharacter = length && (code & 0xFFFE) == 0xFFFE;
    if (!length || (length == 1 && code < 0x20 && code != '\n' && code != '\t'))
        return (size_t)snprintf(out, 12, "\\x%c%c", hex[p[0] >> 4], hex[p[0] & 15]);
    if (length == 1 && code == 0x7F)
        return 0;
    if ((code >= 0x80 && code < 0xA0) || code == 0x2028 || code == 0x2029 || noncharacter ||
        (code >= 0xFDD0 && code < 0xFDF0) || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069))
        return (size_t)snprintf(out, 12, code > 0xFFFF ? "\\U%08x" : "\\u%04x", code); /* legal or not, they deceive */
    memcpy(out, p, length);
    return length;
}

char *lad_clean(struct lad_arena *arena, const char *bytes, size_t n, size_t most)
{
    const unsigned char *p = (const unsigned char *)bytes, *end = p + n;
    /* Each byte grows to at most 4 ("\xff"), or 2 become 6 ("\u0085"): work in a bounded part where a limit is given.
     */
    size_t room = most && most < 4 * n ? most : 4 * n, used = 0;
    char *text = lad_alloc(arena, room + 1), one[12];
    while (p < end) {
        size_t skip = measure_ansi(p, (size_t)(end - p));
        if (skip) {
            p += skip;
            continue;
        }
        if (*p == '\r') { /* readers turn it into a line feed anyway */
            p += p + 1 < end && p[1] == '\n';
            one[0] = '\n';
            skip = 1;
        }
        uint32_t code = 0;
        size_t length = skip ? 1 : decode_utf8(p, (size_t)(end - p), &code);
        size_t wide = skip ? 1 : spell(one, p, length, code);
        if (used + wide > room)
            break;
        memcpy(text + used, one, wide);
        used += wide;
        p += length ? length : 1;
    }
    text[used] = 0;
    return text;
}
