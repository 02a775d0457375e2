/* SPDX-License-Identifier: Apache-2.0 */
/* Integer expressions of case files: + - * / % << >> & and parentheses, min(a,b), max(a,b), up(a,b) (a rounded up to a
 * multiple of b), decimal and 0x numbers with the suffixes K, M and G (powers of 1024), variables of the scope. */
#include "harness.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *text, *at;
    const struct lad_scope *scope;
    char *why;
    size_t why_bytes;
    int depth;
    bool bad;
};

static int64_t read_sum(struct reader *r);

static int64_t complain(struct reader *r, const char *what)
{
    if (!r->bad)
        snprintf(r->why, r->why_bytes, "\"%s\": %s at \"%s\"", r->text, what, r->at);
    r->bad = true;
    return 0;
}

static bool take(struct reader *r, const char *word)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
    if (strncmp(r->at, word, strlen(word)))
        return false;
    r->at += strlen(word);
    return true;
}

static int64_t read_number(struct reader *r)
{
    char *end;
    uint64_t v = strtoull(r->at, &end, 0);
    r->at = end;
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift)
        r->at++;
    return (int64_t)(v << shift);
}

static int64_t read_call(struct reader *r, char name)
{
    int64_t a = read_sum(r), b;
    if (!take(r, ","))
        return complain(r, "expected ','");
    b = read_sum(r);
    if (!take(r, ")"))
        return complain(r, "expected ')'");
    if (name == 'u')
        return b > 0 ? (a + b - 1) / b * b : complain(r, "up() to a multiple of nothing");
    return (a < b) == (name == 'm') ? a : b;
}

static int64_t read_value(struct reader *r)
{
    if (r->bad || ++r->depth > 100)
        return complain(r, "nested too deep");
    int64_t v = 0;
    if (take(r, "(")) {
        v = read_sum(r);
        if (!take(r, ")"))
            complain(r, "expected ')'");
    } else if (take(r, "-")) {
        v = -read_value(r);
    } else if (take(r, "min(")) {
        v = read_call(r, 'm');
    } else if (take(r, "max(")) {
        v = read_call(r, 'x');
    } else if (take(r, "up(")) {
        v = read_call(r, 'u');
    } else if (isdigit((unsigned char)*r->at)) {
        v = read_number(r);
    } else {
        size_t n = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"), i;
        for (i = 0; i < r->scope->n; i++)
            if (n && strlen(r->scope->name[i]) == n && !memcmp(r->scope->name[i], r->at, n))
                break;
        if (i == r->scope->n)
            return complain(r, n ? "unknown variable" : "expected a number or a variable");
        v = r->scope->value[i];
        r->at += n;
    }
    r->depth--;
    return v;
}

static int64_t read_product(struct reader *r)
{
    int64_t v = read_value(r);
    while (!r->bad) {
        if (take(r, "*")) {
            v *= read_value(r);
        } else if (take(r, "/") || take(r, "%")) {
            char op = r->at[-1];
            int64_t d = read_value(r);
            if (d == 0)
                return complain(r, "division by zero");
            v = op == '/' ? v / d : v % d;
        } else {
            return v;
        }
    }
    return 0;
}

static int64_t read_shift(struct reader *r)
{
    int64_t v = read_product(r);
    while (!r->bad) {
        if (take(r, "+"))
            v += read_product(r);
        else if (take(r, "-"))
            v -= read_product(r);
        else
            return v;
    }
    return 0;
}

static int64_t read_sum(struct reader *r)
{
    int64_t v = read_shift(r);
    while (!r->bad) {
        if (take(r, "<<"))
            v = (int64_t)((uint64_t)v << (read_shift(r) & 63));
        else if (take(r, ">>"))
            v = (int64_t)((uint64_t)v >> (read_shift(r) & 63));
        else if (take(r, "&"))
            v &= read_shift(r);
        else
            return v;
    }
    return 0;
}

bool lad_eval(const char *text, const struct lad_scope *scope, int64_t *value, char *why, size_t why_bytes)
{
    struct reader r = {.text = text, .at = text, .scope = scope, .why = why, .why_bytes = why_bytes};
    *value = read_sum(&r);
    while (isspace((unsigned char)*r.at))
        r.at++;
    if (!r.bad && *r.at)
        complain(&r, "unexpected text");
    return !r.bad;
}
