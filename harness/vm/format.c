/* SPDX-License-Identifier: Apache-2.0 */
/* Text of service records: $display's conversions on four-state values. */
#include "vm.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void lad_vm_text_add(struct lad_vm_text *t, const char *bytes, size_t n)
{
    if (t->n + n + 1 > t->room) {
        t->room = (t->n + n + 1) * 2;
        t->text = realloc(t->text, t->room);
        if (!t->text)
            abort();
    }
    memcpy(t->text + t->n, bytes, n);
    t->n += n;
    t->text[t->n] = 0;
}

void lad_vm_text_print(struct lad_vm_text *t, const char *format, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    lad_vm_text_add(t, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

void lad_vm_unpack(const struct lad_vm_image *image, uint32_t gid, uint32_t n, struct lad_vm_call *c)
{
    const unsigned char *record = lad_vm_record(image, gid, n);
    uint32_t head[4], args = image->program->parm[VM_PARM_ARGS] ? image->program->parm[VM_PARM_ARGS] : 1;
    memcpy(head, record, sizeof head);
    *c = (struct lad_vm_call){head[0], head[1], head[2], head[3] < args ? head[3] : args, {{0}}};
    for (uint32_t i = 0; i < c->n; i++) {
        memcpy(&c->arg[i].kind, record + 16 + 4 * i, 4);
        memcpy(&c->arg[i].width, record + 16 + 4 * args + 4 * i, 4);
        if (c->arg[i].width > 64) /* an unchecked program's, or a device's gone astray */
            c->arg[i].width = 64;
        memcpy(&c->arg[i].val, record + 16 + 8 * args + 8 * i, 8);
        memcpy(&c->arg[i].xz, record + 16 + 16 * args + 8 * i, 8);
    }
}

static uint64_t mask_of(uint32_t width)
{
    return width >= 64 ? UINT64_MAX : (1ull << width) - 1;
}

/* One letter for bits that are not all known. */
static char name_unknown(uint64_t val, uint64_t xz, uint64_t mask)
{
    if ((xz & mask) == mask && ((val & mask) == mask || !(val & mask)))
        return val & mask ? 'x' : 'z';
    return val & xz & mask ? 'X' : 'Z';
}

void lad_vm_digits(struct lad_vm_text *t, uint64_t val, uint64_t xz, uint32_t width, uint32_t bits, bool short_form)
{
    char digit[65];
    uint32_t n = (width + bits - 1) / bits, skip = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (n - 1 - i) * bits, w = width - at < bits ? width - at : bits;
        uint64_t v = val >> at & mask_of(w), x = xz >> at & mask_of(w);
        digit[i] = x ? name_unknown(v, x, mask_of(w)) : "0123456789abcdef"[v];
    }
    while (short_form && skip + 1 < n && digit[skip] == '0')
        skip++;
    lad_vm_text_add(t, digit + skip, n - skip);
}

static uint32_t count_digits(uint64_t n)
{
    uint32_t digits = 1;
    while (n /= 10)
        digits++;
    return digits;
}

static void put_decimal(struct lad_vm_text *t, const struct lad_vm_arg *a, bool is_signed)
{
    uint64_t mask = mask_of(a->width), v = a->val & mask;
    if (a->xz & mask) {
        char c = name_unknown(a->val, a->xz, mask);
        lad_vm_text_add(t, &c, 1);
    } else if (is_signed && a->width && v >> (a->width - 1) & 1) {
        lad_vm_text_print(t, "-%llu",
                          (unsigned long long)(-v & mask)); /* the most negative number is its own opposite */
    } else {
        lad_vm_text_print(t, "%llu", (unsigned long long)v);
    }
}

static uint32_t decimal_columns(const struct lad_vm_arg *a, bool is_signed)
{
    return is_signed && a->width ? count_digits(1ull << (a->width - 1)) + 1 : count_digits(mask_of(a->width));
}

static void put_bytes(struct lad_vm_text *t, uint64_t val, uint32_t width)
{
    bool leading = true;
    for (uint32_t i = (width + 7) / 8; i--;) {
        char c = (char)(val >> 8 * i);
        leading &= !c;
        if (!leading)
            lad_vm_text_add(t, &c, 1);
    }
}

static void put_string(const struct lad_vm_image *image, uint32_t gid, const struct lad_vm_arg *a,
                       struct lad_vm_text *t)
{
    const struct lad_vm_program *p = image->program;
    uint32_t n, id = (uint32_t)a->val;
    const char *text = lad_vm_string(p, id, &n);
    if ((a->kind & 0xFF) == VM_ARG_IDENT) {
        for (uint32_t i = 0; i < p->n_sigs; i++) {
            if (p->sigs[i].name == id && p->sigs[i].array_size == 1) {
                uint64_t val, xz;
                lad_vm_signal_get(image, gid, i, 0, &val, &xz);
                put_bytes(t, val & ~xz, p->sigs[i].width);
                return;
            }
        }
    } else if ((a->kind & 0xFF) != VM_ARG_STRING) {
        put_bytes(t, a->val & ~a->xz, a->width);
        return;
    }
    lad_vm_text_add(t, text, n);
}

static void put_real(struct lad_vm_text *t, const struct lad_vm_arg *a, char conversion, int precision)
{
    double d;
    uint64_t v = a->val & ~a->xz & mask_of(a->width);
    if ((a->kind & 0xFF) == VM_ARG_REAL)
        memcpy(&d, &a->val, 8);
    else if (a->kind & VM_ARG_SIGNED && a->width && v >> (a->width - 1) & 1)
        d = -(double)(-v & mask_of(a->width));
    else
        d = (double)v;
    char format[] = {'%', '.', '*', conversion, 0};
    lad_vm_text_print(t, format, precision, d);
}

struct spec { /* %[0][width]c */
    bool zero, has_width;
    uint32_t width;
    int precision;
    char letter; /* in lower case, 0: cut off */
};

static const char *read_spec(const char *p, const char *end, struct spec *s)
{
    *s = (struct spec){.precision = 6};
    if (p < end && *p == '0') {
        s->zero = true;
        p++;
    }
    for (; p < end && isdigit((unsigned char)*p); p++) {
        s->has_width = true;
        s->width = s->width < 1000 ? s->width * 10 + (uint32_t)(*p - '0') : s->width;
    }
    if (p < end && *p == '.') {
        for (s->precision = 0, p++; p < end && isdigit((unsigned char)*p); p++)
            s->precision = s->precision < 30 ? s->precision * 10 + *p - '0' : s->precision;
    }
    s->letter = p < end ? (char)tolower((unsigned char)*p++) : 0;
    return p;
}

static void convert(const struct lad_vm_image *image, uint32_t gid, const struct spec *s, const struct lad_vm_arg *a,
                    struct lad_vm_text *t)
{
    struct lad_vm_text body = {0};
    uint32_t columns = s->has_width ? s->width : 0, bits = s->letter == 'b' ? 1 : s->letter == 'o' ? 3 : 4;
    bool is_signed = s->letter == 'd' && a->kind & VM_ARG_SIGNED;
    char low = (char)(a->val & ~a->xz);
    if (strchr("bohx", s->letter)) {
        lad_vm_digits(&body, a->val, a->xz, a->width, bits, s->zero && !s->has_width);
    } else if (strchr("dt", s->letter)) {
        put_decimal(&body, a, is_signed);
        if (!s->has_width && !s->zero)
            columns = s->letter == 't' ? 20 : decimal_columns(a, is_signed);
    } else if (s->letter == 'c') {
        lad_vm_text_add(&body, &low, 1);
    } else if (s->letter == 's') {
        put_string(image, gid, a, &body);
    } else {
        put_real(&body, a, s->letter, s->precision);
    }
    char fill = s->zero && strchr("dtbohx", s->letter) ? '0' : ' ';
    for (size_t i = body.n; i < columns; i++)
        lad_vm_text_add(t, &fill, 1);
    lad_vm_text_add(t, body.text ? body.text : "", body.n);
    free(body.text);
}

/* One format and the arguments that it takes. */
static void run_format(const struct lad_vm_image *image, uint32_t gid, uint32_t id, const struct lad_vm_call *c,
                       uint32_t *next, struct lad_vm_text *t)
{
    uint32_t n;
    const char *p = lad_vm_string(image->program, id, &n), *end = p + n;
    while (p < end) {
        struct spec s;
        const char *start = p;
        if (*p != '%') {
            while (p < end && *p != '%')
                p++;
            lad_vm_text_add(t, start, (size_t)(p - start));
            continue;
        }
        p = read_spec(p + 1, end, &s);
        if (s.letter == '%')
            lad_vm_text_add(t, "%", 1);
        else if (s.letter == 'm')
            lad_vm_text_add(t, "top", 3);
        else if (!s.letter || !strchr("bohxdtcsfeg", s.letter))
            lad_vm_text_add(t, start, (size_t)(p - start));
        else if (*next >= c->n)
            lad_vm_text_add(t, "<missing>", 9);
        else
            convert(image, gid, &s, &c->arg[(*next)++], t);
    }
}

void lad_vm_format(const struct lad_vm_image *image, uint32_t gid, const struct lad_vm_call *c, struct lad_vm_text *t)
{
    static const struct spec plain = {.letter = 'd'}, real = {.letter = 'g', .precision = 6};
    uint32_t next = 0;
    if (c->format != VM_NONE) {
        next = c->n && (c->arg[0].kind & 0xFF) == VM_ARG_STRING && c->arg[0].val == c->format;
        run_format(image, gid, c->format, c, &next, t);
    }
    while (next < c->n) {
        const struct lad_vm_arg *a = &c->arg[next++];
        if ((a->kind & 0xFF) == VM_ARG_STRING)
            run_format(image, gid, (uint32_t)a->val, c, &next, t);
        else
            convert(image, gid, (a->kind & 0xFF) == VM_ARG_REAL ? &real : &plain, a, t);
    }
}
