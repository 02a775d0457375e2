/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and buffers in words. Drivers are free to set a locale, so no figure here depends on one. */
#include "report.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { width = 80, cells_a_row = 32, most_cells = 65536 };

char *lad_show_line(struct lad_arena *arena, const char *text, size_t most)
{
    if (!text)
        text = "";
    const char *clean = lad_clean(arena, text, strlen(text), most ? 4 * most + 64 : 0);
    char *line = lad_alloc(arena, 6 * strlen(clean) + 12), *out = line;
    for (const unsigned char *p = (const unsigned char *)clean; *p && (!most || (size_t)(out - line) < most);) {
        if (*p == '\n' || *p == '\t') {
            *out++ = ' ';
            p++;
        } else if (*p < 0x80) {
            *out++ = (char)*p++;
        } else { /* clean text is well-formed UTF-8 */
            size_t n = *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
            uint32_t code = *p & (0x7Fu >> n);
            for (size_t i = 1; i < n; i++)
                code = code << 6 | (p[i] & 0x3F);
            out += snprintf(out, 12, n == 4 ? "\\U%08x" : "\\u%04x", code);
            p += n;
        }
    }
    if (most && (size_t)(out - line) > most)
        out = line + most;
    while (out > line && out[-1] == ' ')
        out--;
    *out = 0;
    return line;
}

char *lad_show_time(struct lad_arena *arena, uint64_t ns)
{
    uint64_t ms = ns / 1000000 + (ns % 1000000 >= 500000);
    return lad_printf(arena, "%llu.%03u", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

/* printf and strtod of the C locale, whatever the program's is. */
static void print_real(char *text, size_t room, int digits, double value)
{
    static locale_t c_locale;
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(c_locale);
    snprintf(text, room, "%.*g", digits, value);
    uselocale(before);
}

static double read_real(const char *text, bool narrow)
{
    static locale_t c_locale;
    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(c_locale);
    double value = narrow ? (double)strtof(text, NULL) : strtod(text, NULL);
    uselocale(before);
    return value;
}

char *lad_show_number(struct lad_arena *arena, double value)
{
    if (!isfinite(value))
        return lad_printf(arena, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    char text[32];
    if (fabs(value) >= 1000 && fabs(value) < 9e15)
        return lad_printf(arena, "%lld", (long long)(value < 0 ? value - 0.5 : value + 0.5));
    print_real(text, sizeof text, 4, value);
    return lad_strdup(arena, text);
}

/* Shortest decimal that reads back as the same number; NaN with its payload. */
static char *show_float(struct lad_arena *arena, uint64_t bits, bool narrow)
{
    float single;
    double value;
    uint32_t low = (uint32_t)bits;
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &bits, sizeof value);
    if (narrow)
        value = (double)single;
    bool negative = narrow ? low >> 31 : bits >> 63;
    if (isnan(value))
        return lad_printf(arena, "%snan(0x%llx)", negative ? "-" : "",
                          (unsigned long long)(bits & (narrow ? 0x7FFFFF : 0xFFFFFFFFFFFFFu)));
    if (isinf(value))
        return lad_printf(arena, "%sinf", negative ? "-" : "");
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        print_real(text, sizeof text, digits, value);
        if (read_real(text, narrow) == value)
            break;
    }
    return lad_strdup(arena, text);
}

static const struct type {
    const char *name, *other;
    uint32_t bytes;
    char kind; /* 'u', 'i', 'f'; 'h': no decimal is printed */
} types[] = {{"uint", "u32", 4, 'u'}, {"int", "i32", 4, 'i'},    {"float", "f32", 4, 'f'},  {"ulong", "u64", 8, 'u'},
             {"long", "i64", 8, 'i'}, {"double", "f64", 8, 'f'}, {"ushort", "u16", 2, 'u'}, {"short", "i16", 2, 'i'},
             {"uchar", "u8", 1, 'u'}, {"char", "i8", 1, 'i'},    {"half", "f16", 2, 'h'}};

static const struct type *find_type(const char *name)
{
    static const struct type unknown = {"", "", 8, 'h'};
    for (size_t i = 0; name && i < LAD_N(types); i++)
        if (!strcmp(name, types[i].name) || !strcmp(name, types[i].other))
            return &types[i];
    return &unknown;
}

char *lad_show_value(struct lad_arena *arena, const char *name, uint64_t bits)
{
    const struct type *type = find_type(name);
    if (type->bytes < 8)
        bits &= (UINT64_C(1) << 8 * type->bytes) - 1;
    const char *hex = lad_printf(arena, "0x%0*llx", (int)(2 * type->bytes), (unsigned long long)bits);
    int64_t number = (int64_t)bits;
    if (type->kind == 'i' && type->bytes < 8 && bits >> (8 * type->bytes - 1))
        number -= INT64_C(1) << 8 * type->bytes;
    if (type->kind == 'u')
        return lad_printf(arena, "%s  %llu", hex, (unsigned long long)bits);
    if (type->kind == 'i')
        return lad_printf(arena, "%s  %lld", hex, (long long)number);
    return type->kind == 'f' ? lad_printf(arena, "%s  %s", hex, show_float(arena, bits, type->bytes == 4))
                             : (char *)hex;
}

/* "3 ULP, abs 1.2e-07"; empty for what is no number. */
static char *show_distance(struct lad_arena *arena, const struct type *type, const struct lad_diff *d)
{
    if (type->kind != 'f' || !(d->ulps > 0) || isinf(d->ulps))
        return "";
    double a, b;
    if (type->bytes == 4) {
        float fa, fb;
        uint32_t wa = (uint32_t)d->expected, wb = (uint32_t)d->actual;
        memcpy(&fa, &wa, sizeof fa);
        memcpy(&fb, &wb, sizeof fb);
        a = (double)fa;
        b = (double)fb;
    } else {
        memcpy(&a, &d->expected, sizeof a);
        memcpy(&b, &d->actual, sizeof b);
    }
    char abs[32] = "";
    if (isfinite(a - b))
        print_real(abs, sizeof abs, 2, fabs(a - b));
    return lad_printf(arena, "%s ULP%s%s", lad_show_number(arena, d->ulps), *abs ? ", abs " : "", abs);
}

char *lad_show_measure(struct lad_arena *arena, const struct lad_measure *m)
{
    const char *name = lad_show_line(arena, m->name, 64), *unit = lad_show_line(arena, m->unit, 16);
    if (m->doubt)
        return lad_printf(arena, "%s implausible: %s", name, lad_show_line(arena, m->doubt, 300));
    if (!isfinite(m->value))
        return lad_printf(arena, "%s implausible: the figure is %s", name, lad_show_number(arena, m->value));
    const char *floor = m->floor > 0 ? lad_printf(arena, ", floor %s", lad_show_number(arena, m->floor)) : "";
    const char *size = m->size ? lad_printf(arena, " at %llu", (unsigned long long)m->size) : "";
    return lad_printf(arena, "%s %s %s%s (%s clock%s)", name, lad_show_number(arena, m->value), unit, size,
                      m->clock ? lad_show_line(arena, m->clock, 32) : "unnamed", floor);
}

char *lad_show_device(struct lad_arena *arena, const struct lad_device *d)
{
    const char *part[] = {d->spec, d->info.name, d->info.driver, d->info.api};
    char *text = "";
    for (size_t i = 0; i < LAD_N(part); i++)
        if (*part[i])
            text = lad_printf(arena, "%s%s%s", text, *text ? "  " : "", lad_show_line(arena, part[i], 120));
    return text;
}

void lad_put_wrapped(FILE *f, const char *lead, const char *text)
{
    int indent = (int)strlen(lead);
    size_t room = indent < width - 20 ? (size_t)(width - indent) : 20;
    fputs(lead, f);
    while (strlen(text) > room) {
        size_t n = room;
        while (n && text[n] != ' ')
            n--;
        if (!n)
            n = strcspn(text, " "); /* a word wider than the line: whole, so that it can be copied */
        size_t end = n;
        while (end && text[end - 1] == ' ')
            end--;
        fprintf(f, "%.*s\n", (int)end, text);
        text += n;
        text += strspn(text, " ");
        if (!*text)
            return;
        fprintf(f, "%*s", indent, "");
    }
    fprintf(f, "%s\n", text);
}

static const struct {
    char letter;
    const char *name;
} kinds[] = {{'.', "ok"},
             {'0', "zero"},
             {'P', "canary kept"},
             {'H', "host canary"},
             {'e', "value of another place"},
             {'N', "NaN or infinity"},
             {'x', "other"}};

static const char *name_kind(char letter)
{
    for (size_t i = 0; i < LAD_N(kinds); i++)
        if (kinds[i].letter == letter)
            return kinds[i].name;
    return NULL;
}

/* "960. 64P" as one letter a cell; the letter is the last of each word, for it may be a digit. What is no known letter
 * becomes '?'. */
static char *spread_map(struct lad_arena *arena, const char *map, size_t *n)
{
    char *cells = lad_alloc(arena, most_cells + 1);
    *n = 0;
    while (map && *(map += strspn(map, " "))) {
        size_t length = strcspn(map, " ");
        char letter = name_kind(map[length - 1]) ? map[length - 1] : '?';
        unsigned long long count = length > 1 ? strtoull(map, NULL, 10) : 1;
        if (length > 1 && letter >= '0' && letter <= '9')
            count /= 10; /* the letter was read as the last digit */
        for (; count && *n < most_cells; count--)
            cells[(*n)++] = letter;
        map += length;
    }
    return cells;
}

static void put_map(FILE *f, struct lad_arena *arena, const struct lad_seen *s, const char *cells, size_t n,
                    size_t rows)
{
    uint64_t bin = s->bin ? s->bin : 1, step = bin * (s->n && s->bytes / s->n ? s->bytes / s->n : 4);
    const char *legend = "";
    for (size_t i = 0; i < LAD_N(kinds); i++)
        if (memchr(cells, kinds[i].letter, n))
            legend = lad_printf(arena, "%s%s%c %s", legend, *legend ? "   " : "", kinds[i].letter, kinds[i].name);
    fputc('\n', f);
    lad_put_wrapped(f, "  map      ", legend);
    const char *note =
        bin > 1 ? lad_printf(arena, "   (%d a row, %llu elements a cell)", cells_a_row, (unsigned long long)bin)
                : lad_printf(arena, "   (%d elements a row)", cells_a_row);
    size_t shown = 0;
    for (size_t at = 0; at < n && shown < rows; at += cells_a_row) {
        size_t row = n - at < cells_a_row ? n - at : cells_a_row, same = 0;
        fprintf(f, "  0x%04llx  ", (unsigned long long)(at * step));
        for (size_t i = 0; i < row; i++)
            fprintf(f, i % 8 ? "%c" : " %c", cells[at + i]);
        fprintf(f, "%s\n", note);
        note = "";
        shown++;
        while (at + cells_a_row + row <= n && row == cells_a_row &&
               !memcmp(cells + at, cells + at + cells_a_row, row)) {
            at += cells_a_row;
            same++;
        }
        if (same)
            fprintf(f, "           %zu more row%s, %s\n", same, same == 1 ? "" : "s",
                    same == 1 ? "the same" : "all the same");
        if (shown == rows && at + cells_a_row < n)
            fprintf(f, "           %zu more cells, not shown\n", n - at - cells_a_row);
    }
}

/* What lies between two mismatches that are listed. */
static void put_gap(FILE *f, const struct lad_seen *s, const char *cells, size_t n, uint64_t after, uint64_t before)
{
    uint64_t gap = before - after - 1, bin = s->bin ? s->bin : 1;
    const char *word = gap == 1 ? "element" : "elements";
    size_t from = (size_t)((after + 1) / bin), to = (size_t)((before - 1) / bin);
    bool one_kind = to < n;
    for (size_t i = from; one_kind && i < to; i++)
        one_kind = cells[i] == cells[to];
    if (one_kind && cells[to] != '.' && name_kind(cells[to]) && bin == 1)
        fprintf(f, "      ...   %llu more, %s%s\n", (unsigned long long)gap, gap > 1 ? "all " : "",
                name_kind(cells[to]));
    else if ((one_kind && cells[to] == '.') || s->n_wrong <= s->n_diffs)
        fprintf(f, "      ...   %llu %s right\n", (unsigned long long)gap, word);
    else
        fprintf(f, "      ...   %llu %s of several kinds, or not checked\n", (unsigned long long)gap, word);
}

static void put_diffs(FILE *f, struct lad_arena *arena, const struct lad_seen *s, const char *cells, size_t n,
                      bool arrow)
{
    const struct type *type = find_type(s->type);
    uint32_t bytes = *type->name ? type->bytes : s->n && s->bytes / s->n ? (uint32_t)(s->bytes / s->n) : 4;
    int wide = 8;
    for (size_t i = 0; i < s->n_diffs; i++) {
        int length = (int)strlen(lad_show_value(arena, s->type, s->diff[i].expected)),
            other = (int)strlen(lad_show_value(arena, s->type, s->diff[i].actual));
        wide = length > wide ? length : wide;
        wide = other > wide ? other : wide;
    }
    bool stacked = wide > 26; /* 64-bit values: actual below expected */
    fprintf(f, "\n    index   offset   %-*s%s\n", stacked ? 8 : wide + 3, "expected",
            stacked ? ", actual below" : "actual");
    for (size_t i = 0; i < s->n_diffs; i++) {
        const struct lad_diff *d = &s->diff[i];
        if (i && d->index > s->diff[i - 1].index + 1)
            put_gap(f, s, cells, n, s->diff[i - 1].index, d->index);
        const char *far = show_distance(arena, type, d);
        const char *mark =
            i ? "" : lad_printf(arena, "  %sfirst of %llu", arrow ? "<- " : "", (unsigned long long)s->n_wrong);
        char *line = lad_printf(arena, "%9llu   0x%04llx   %-*s", (unsigned long long)d->index,
                                (unsigned long long)(d->index * bytes), stacked ? 0 : wide + 3,
                                lad_show_value(arena, s->type, d->expected));
        line = lad_printf(arena, "%s%s%s", line, stacked ? "\n                     " : "",
                          lad_show_value(arena, s->type, d->actual));
        const char *last = strrchr(line, '\n');
        size_t used = strlen(last ? last + 1 : line);
        char *tail = lad_printf(arena, *far ? "  (%s)%s" : "%s%s", far, mark);
        if (used + strlen(tail) > width)
            fprintf(f, "%s\n                     %s\n", line, tail + 2);
        else
            fprintf(f, "%s%s\n", line, tail);
    }
}

void lad_put_seen(FILE *f, struct lad_arena *arena, const struct lad_seen *s, size_t rows, bool arrow)
{
    const char *checked = s->n_checked == s->n ? lad_printf(arena, "%llu", (unsigned long long)s->n)
                                               : lad_printf(arena, "%llu checked, %llu in all",
                                                            (unsigned long long)s->n_checked, (unsigned long long)s->n);
    lad_put_wrapped(f, "  buffer   ",
                    lad_printf(arena, "\"%s\" %s, %s memory, %llu bytes: %llu of %s wrong",
                               lad_show_line(arena, s->name, 64), lad_show_line(arena, s->type, 16),
                               lad_show_line(arena, s->mem, 32), (unsigned long long)s->bytes,
                               (unsigned long long)s->n_wrong, checked));
    if (s->signature && *s->signature)
        lad_put_wrapped(f, "  looks    ", lad_show_line(arena, s->signature, 400));
    if (!s->n_wrong)
        return;
    size_t n;
    char *cells = spread_map(arena, s->map, &n);
    if (s->n_diffs)
        put_diffs(f, arena, s, cells, n, arrow);
    if (n && rows)
        put_map(f, arena, s, cells, n, rows);
}
