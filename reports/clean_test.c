/* SPDX-License-Identifier: Apache-2.0 */
/* The sanitiser: a table of what breaks readers, and random bytes. */
#include "../harness/test.h"
#include "report.h"
#include <libxml/chvalid.h>
#include <stdlib.h>
#include <string.h>

static struct lad_arena *arena;

static void test_table(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"plain ~ text\ttab\nline", "plain ~ text\ttab\nline"},
        {"a\r\nb\rc\r\r\nd", "a\nb\nc\n\nd"},
        {"\x1b[31mred\x1b[0m \x1b[1;38;5;7mx", "red x"},
        {"\x1b]0;title\x07t \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "t link"},
        {"cut \x1b", "cut \\x1b"},
        {"cut \x1b[31", "cut \\x1b[31"},
        {"cut \x1b]0;title\nnext", "cut \\x1b]0;title\nnext"},
        {"\x1bM \x01\x08\x0b\x1f", "\\x1bM \\x01\\x08\\x0b\\x1f"},
        {"del\x7f.", "del."},
        {"\xff\xfe\xc0\xaf", "\\xff\\xfe\\xc0\\xaf"}, /* never in UTF-8, overlong */
        {"\xe0\x80\x80 \xf0\x80\x80\x80", "\\xe0\\x80\\x80 \\xf0\\x80\\x80\\x80"},
        {"\xed\xa0\x80\xed\xbf\xbf", "\\xed\\xa0\\x80\\xed\\xbf\\xbf"}, /* surrogates */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},                   /* above U+10FFFF */
        {"\xc3", "\\xc3"},
        {"\xe2\x82 x", "\\xe2\\x82 x"},
        {"\xbf", "\\xbf"},
        {"\xef\xbf\xbe\xef\xbf\xbf", "\\ufffe\\uffff"},
        {"\xf0\x9f\xbf\xbe", "\\U0001fffe"},
        {"\xc2\x85\xe2\x80\xa8\xc2\x9b", "\\u0085\\u2028\\u009b"},
        {"\xe2\x80\xae"
         "evil",
         "\\u202e"
         "evil"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80"},
        {"]]> &#27; %n%s <x>", "]]> &#27; %n%s <x>"}, /* escaping is the writers' */
    };
    for (size_t i = 0; i < LAD_N(rows); i++)
        CU_ASSERT_STRING_EQUAL(lad_clean(arena, rows[i].in, strlen(rows[i].in), 0), rows[i].out);
    CU_ASSERT_STRING_EQUAL(lad_clean(arena, "a\0b", 3, 0), "a\\x00b");
}

/* Code point at p of text that lad_clean made; decoded apart from it. */
static uint32_t decode(const unsigned char **p)
{
    const unsigned char *c = *p;
    size_t n = c[0] < 0x80 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    uint32_t code = n == 1 ? c[0] : c[0] & (0xFFu >> (n + 1));
    CU_ASSERT_FATAL(c[0] < 0x80 || (c[0] >= 0xC2 && c[0] < 0xF5));
    for (size_t i = 1; i < n; i++) {
        CU_ASSERT_FATAL((c[i] & 0xC0) == 0x80);
        code = code << 6 | (c[i] & 0x3F);
    }
    *p += n;
    return code;
}

static void test_random(void)
{
    /* Bytes that make up sequences, more often than chance would. */
    static const unsigned char often[] = {0x1b, '[',  ']',  'm',  ';',  7,    '\\', '\r', '\n', 0x80,
                                          0xa0, 0xbf, 0xc2, 0xed, 0xef, 0xf0, 0xf4, 0xff, 'x'};
    uint64_t state = 1;
    for (int round = 0; round < 5000; round++) {
        char in[40];
        size_t n = lad_random(&state) % sizeof in, most = lad_random(&state) % 3 ? 0 : 1 + lad_random(&state) % 40;
        for (size_t i = 0; i < n; i++)
            in[i] = (char)(lad_random(&state) % 2 ? often[lad_random(&state) % sizeof often] : lad_random(&state));
        struct lad_arena *own = lad_arena_create();
        const char *text = lad_clean(own, in, n, most);
        CU_ASSERT(!most || strlen(text) <= most);
        for (const unsigned char *p = (const unsigned char *)text; *p;) {
            uint32_t code = decode(&p);
            CU_ASSERT(xmlIsCharQ(code) && code != '\r' && code != 0x1b && code != 0x7f &&
                      !(code >= 0x80 && code < 0xa0));
        }
        CU_ASSERT_STRING_EQUAL(lad_clean(own, text, strlen(text), 0), text);
        for (const char *p = lad_show_line(own, text, 0); *p; p++)
            CU_ASSERT(*p >= ' ' && *p <= '~');
        lad_arena_destroy(&own);
    }
}

/* Twelve megabytes of the worst kind take linear time and keep to the limit. */
static void test_long(void)
{
    static const char *const parts[] = {"\xff", "\x1b[1", "\x1b]1", "\xed\xa0\x80", "x"};
    size_t bytes = 12 << 20;
    char *text = malloc(bytes);
    CU_ASSERT_FATAL(text != NULL);
    for (size_t k = 0; k < LAD_N(parts); k++) {
        size_t n = strlen(parts[k]);
        for (size_t i = 0; i < bytes; i++)
            text[i] = parts[k][i % n];
        struct lad_arena *own = lad_arena_create();
        uint64_t start = lad_now_ns();
        CU_ASSERT(strlen(lad_clean(own, text, bytes, 0)) >= bytes);
        CU_ASSERT_EQUAL(strlen(lad_clean(own, text, bytes, 1000)) / 10, 100);
        CU_ASSERT(lad_now_ns() - start < 20000000000u); /* quadratic would be hours */
        lad_arena_destroy(&own);
    }
    free(text);
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"table", test_table}, {"random", test_random}, {"long", test_long}, {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("clean", tests);
    lad_arena_destroy(&arena);
    return status;
}
