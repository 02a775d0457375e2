/* SPDX-License-Identifier: Apache-2.0 */
/* The source of a program, changed as a front end or a hurried author would: word by word, in whatever program comes.
 * What a program does through the last pointer that it declares is left alone: in ours that is the witness. */
#include "cl_fault.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 128, NAME = 40 };

struct name {
    char text[NAME], type[NAME];
};
struct names {
    struct name item[NAMES];
    size_t n;
};
struct edit { /* of one program, by one fault */
    FILE *out;
    const struct lad_inject *fault;
    uint64_t nth, n; /* the only place to change, or 0; places so far */
    struct names global, local, floats;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static const char *end_word(const char *p)
{
    while (is_word(*p))
        p++;
    return p;
}

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static bool is_any(const char *p, const char *words)
{
    size_t n = (size_t)(end_word(p) - p);
    for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ')
        if (strcspn(w, " ") == n && !memcmp(w, p, n))
            return true;
    return false;
}

/* Behind the bracket that closes the one at p, or the end. */
static const char *skip_brackets(const char *p)
{
    int depth = 0;
    for (; *p; p++) {
        depth += *p == '(' || *p == '[' || *p == '{';
        depth -= *p == ')' || *p == ']' || *p == '}';
        if (!depth)
            return p + 1;
    }
    return p;
}

/* The end of the expression at p: a comma, a semicolon or a bracket that closes more than it opened. */
static const char *end_value(const char *p)
{
    while (*p && !strchr(",;)]}", *p))
        p = strchr("([{", *p) ? skip_brackets(p) : p + 1;
    return p;
}

/* The next word at or behind p, or the end; lines of the preprocessor are passed over. */
static const char *next_word(const char *text, const char *p)
{
    while (*p && !is_word(*p))
        p += *p == '#' && (p == text || p[-1] == '\n') ? strcspn(p, "\n") : 1;
    return p;
}

static const struct name *find_name(const struct names *names, const char *p)
{
    size_t n = (size_t)(end_word(p) - p);
    for (size_t i = 0; i < names->n; i++)
        if (strlen(names->item[i].text) == n && !memcmp(names->item[i].text, p, n))
            return &names->item[i];
    return NULL;
}

static void add_name(struct names *names, const char *name, const char *type)
{
    size_t n = (size_t)(end_word(name) - name), m = (size_t)(end_word(type) - type);
    if (!n || n >= NAME || m >= NAME || names->n == NAMES || find_name(names, name))
        return;
    struct name *own = &names->item[names->n++];
    memcpy(own->text, name, n);
    memcpy(own->type, type, m);
}

/* A declaration at p, behind its address space: "const float *restrict a," or "uint part[". */
static void add_declared(struct names *names, const char *p)
{
    const char *type = "", *last = "";
    bool star = false;
    for (p = skip_blanks(p); is_word(*p) || *p == '*'; p = skip_blanks(p)) {
        star |= *p == '*';
        if (*p == '*')
            last = "";
        else if (!is_any(p, "const volatile restrict __restrict unsigned struct")) {
            type = *type ? type : p;
            last = p;
        }
        p = *p == '*' ? p + 1 : end_word(p);
    }
    if ((star || *p == '[') && last != type)
        add_name(names, last, type);
}

/* Variables of one declaration: "float x = 1, y;" */
static void add_variables(struct names *names, const char *type)
{
    const char *p = skip_blanks(end_word(type));
    while (is_word(*p)) {
        add_name(names, p, type);
        p = skip_blanks(end_value(p));
        p = *p == ',' ? skip_blanks(p + 1) : "";
    }
}

static void gather(struct edit *e, const char *text)
{
    for (const char *p = next_word(text, text); *p; p = next_word(text, end_word(p)))
        if (is_any(p, "global __global"))
            add_declared(&e->global, end_word(p));
        else if (is_any(p, "local __local"))
            add_declared(&e->local, end_word(p));
        else if (is_any(p, "float"))
            add_variables(&e->floats, p);
}

static bool is_spared(const struct edit *e, const char *p)
{
    return e->global.n > 1 && find_name(&e->global, p) == &e->global.item[e->global.n - 1];
}

static bool mentions_spared(const struct edit *e, const char *p, const char *end)
{
    for (; p < end; p = end_word(p) + !is_word(*p))
        if (is_word(*p) && is_spared(e, p))
            return true;
    return false;
}

/* Is this the place, or one of them? */
static bool here(struct edit *e)
{
    e->n++;
    return !e->nth || e->n == e->nth;
}

static unsigned param(const struct edit *e, const char *name)
{
    return e->fault ? (unsigned)PARAM(e->fault, name) : 1;
}

static void put(struct edit *e, const char *from, const char *end)
{
    fwrite(from, 1, (size_t)(end - from), e->out);
}

struct access { /* name[index].more op value */
    const struct name *name;
    const char *begin, *index, *closed, *op, *value, *end; /* op: NULL where it is read */
};

static bool find_access(const struct names *names, const char *text, const char *p, struct access *a)
{
    const char *before = p, *q = skip_blanks(end_word(p));
    *a = (struct access){.name = find_name(names, p), .begin = p};
    while (before > text && strchr(" \t\r\n", before[-1]))
        before--;
    bool declared = before > text && is_word(before[-1]) && before != p &&
                    !(before - text >= 6 && !memcmp(before - 6, "return", 6));
    if (!a->name || *q != '[' || declared)
        return false;
    a->index = q + 1;
    q = skip_brackets(q);
    if (q[-1] != ']')
        return false;
    a->closed = q - 1;
    a->end = q;
    for (q = skip_blanks(q); *q == '[' || *q == '.'; a->end = q, q = skip_blanks(q))
        q = *q == '[' ? skip_brackets(q) : end_word(q + 1);
    size_t n = strspn(q, "+-*/%&|^<>");
    if (n < 3 && q[n] == '=' && q[n + 1] != '=' && !(n == 1 && strchr("<>", *q))) {
        a->op = q;
        a->value = q + n + 1;
        a->end = end_value(a->value);
    }
    return true;
}

/* Each change looks at the word at p, and either writes something else and says where to go on, or returns p. */
typedef const char *change(struct edit *, const char *text, const char *p);

static bool is_barrier(const char *p)
{
    return is_any(p, "barrier work_group_barrier") && *skip_blanks(end_word(p)) == '(';
}

static const char *drop_barrier(struct edit *e, const char *text, const char *p)
{
    (void)text;
    if (!is_barrier(p) || !here(e))
        return p;
    fputs("((void)0)", e->out);
    return skip_brackets(skip_blanks(end_word(p)));
}

static const char *return_early(struct edit *e, const char *text, const char *p)
{
    (void)text;
    if (!is_barrier(p) || !here(e))
        return p;
    const char *end = skip_brackets(skip_blanks(end_word(p)));
    unsigned lanes = param(e, "lanes");
    fputs("{ ", e->out);
    if (param(e, "ahead"))
        fprintf(e->out, "if (get_local_id(0) >= %uu) return; ", lanes);
    put(e, p, end);
    if (!param(e, "ahead"))
        fprintf(e->out, "; if (get_local_id(0) >= %uu) return", lanes);
    fputs("; }", e->out);
    return end;
}

static const char *lose_store(struct edit *e, const char *text, const char *p)
{
    struct access a;
    if (!find_access(&e->global, text, p, &a) || !a.op || is_spared(e, p) || !here(e))
        return p;
    fputs("(void)(", e->out);
    put(e, a.value, a.end);
    putc(')', e->out);
    return a.end;
}

/* Calls `function` for what goes through pointers to floats: out of them (loads), and into them. */
static const char *wrap_floats(struct edit *e, const char *text, const char *p, const char *function, bool loads)
{
    struct access a;
    if (!find_access(&e->global, text, p, &a) || strcmp(a.name->type, "float") || is_spared(e, p) ||
        !(a.op ? *a.op == '=' : loads) || !here(e))
        return p;
    put(e, p, a.op ? a.value : p);
    fprintf(e->out, "%s(", function);
    put(e, a.op ? a.value : p, a.end);
    putc(')', e->out);
    return a.end;
}

static const char *narrow_stores(struct edit *e, const char *text, const char *p)
{
    return wrap_floats(e, text, p, "lad_narrow", false);
}

static const char *round_stores(struct edit *e, const char *text, const char *p)
{
    return wrap_floats(e, text, p, "lad_round", false);
}

static const char *flush_floats(struct edit *e, const char *text, const char *p)
{
    return wrap_floats(e, text, p, "lad_flush", true);
}

static const char *narrow_sum(struct edit *e, const char *text, const char *p)
{
    struct access a;
    const char *op = skip_blanks(end_word(p));
    if (find_access(&e->local, text, p, &a) && !strcmp(a.name->type, "float") && a.op)
        op = a.op;
    else if (!find_name(&e->floats, p))
        return p;
    if (op[0] != '+' || op[1] != '=' || !here(e))
        return p;
    put(e, p, op);
    fputs("= lad_narrow(", e->out);
    put(e, p, op);
    fputs("+ (", e->out);
    put(e, op + 2, end_value(op + 2));
    fputs("))", e->out);
    return end_value(op + 2);
}

/* The other fma: same arguments, another rounding, or another meaning. */
static const char *replace_fma(struct edit *e, const char *text, const char *p)
{
    (void)text;
    if (!is_any(p, "fma mad") || *skip_blanks(end_word(p)) != '(' || !here(e))
        return p;
    fputs("lad_fma", e->out);
    return end_word(p);
}

/* The front says to BuildProgram that this is to be built with fast math. */
static const char *forget_nan(struct edit *e, const char *text, const char *p)
{
    e->n += p == next_word(text, text);
    if (!is_any(p, "isnan isinf isfinite isnormal") || *skip_blanks(end_word(p)) != '(')
        return p;
    fputs(is_any(p, "isnan isinf") ? "0 & " : "1 | ", e->out);
    return p;
}

static const char *assume_width(struct edit *e, const char *text, const char *p)
{
    bool size = is_any(p, "get_sub_group_size get_max_sub_group_size"), lane = is_any(p, "get_sub_group_local_id");
    (void)text;
    if (!(size || lane) || *skip_blanks(end_word(p)) != '(' || !here(e))
        return p;
    fprintf(e->out, size ? "(%uu)" : "((uint)get_local_id(0) %% %uu)", param(e, "width"));
    return skip_brackets(skip_blanks(end_word(p)));
}

static const char *index_local(struct edit *e, const char *text, const char *p, const char *open, const char *close)
{
    struct access a;
    if (!find_access(&e->local, text, p, &a) || !here(e))
        return p;
    put(e, p, a.index);
    fputs(open, e->out);
    put(e, a.index, a.closed);
    fprintf(e->out, close, param(e, "items"));
    return a.closed;
}

static const char *wrap_local(struct edit *e, const char *text, const char *p)
{
    return index_local(e, text, p, "(uint)(", ") %% %uu");
}

static const char *clamp_local(struct edit *e, const char *text, const char *p)
{
    return index_local(e, text, p, "min((uint)(", "), %uu - 1u)");
}

static const char *lose_update(struct edit *e, const char *text, const char *p)
{
    const char *open = skip_blanks(end_word(p));
    bool atomic = !strncmp(p, "atomic_", 7) || !strncmp(p, "atom_", 5);
    (void)text;
    if (!atomic || *open != '(' || is_any(p, "atomic_init atomic_work_item_fence") ||
        mentions_spared(e, open, skip_brackets(open)) || !here(e))
        return p;
    fprintf(e->out, "(get_local_id(0) %% %uu == 0u ? 0 : ", param(e, "of"));
    put(e, p, skip_brackets(open));
    putc(')', e->out);
    return skip_brackets(open);
}

/* Writes the structure's first word with the attribute behind it. */
static const char *give_attribute(struct edit *e, const char *p, const char *attribute)
{
    const char *next = skip_blanks(end_word(p));
    if (!is_any(p, "struct") || *(is_word(*next) ? skip_blanks(end_word(next)) : next) != '{' || !here(e))
        return p;
    fprintf(e->out, "struct __attribute__((%s))", attribute);
    return end_word(p);
}

static const char *pack_structure(struct edit *e, const char *text, const char *p)
{
    (void)text;
    return give_attribute(e, p, "packed");
}

static const char *align_structure(struct edit *e, const char *text, const char *p)
{
    char attribute[32];
    (void)text;
    snprintf(attribute, sizeof attribute, "aligned(%u)", (unsigned)param(e, "align"));
    return give_attribute(e, p, attribute);
}

/* Nothing is left of kernels of programs that use one of these types. */
static const char *empty_kernel(struct edit *e, const char *text, const char *p, const char *types)
{
    const char *w = text, *body = p;
    if (!is_any(p, "kernel __kernel"))
        return p;
    while (*w && !is_any(w, types))
        w = next_word(text, end_word(w));
    while (*body && *body != '{' && *body != ';')
        body = *body == '(' ? skip_brackets(body) : body + 1;
    if (!*w || *body != '{' || !here(e))
        return p;
    put(e, p, body + 1);
    fputs(" return;", e->out);
    return body + 1;
}

static const char *empty_wide(struct edit *e, const char *text, const char *p)
{
    return empty_kernel(e, text, p, "double long ulong double2 double4 long2 long4 ulong2 ulong4");
}

static const char *empty_small(struct edit *e, const char *text, const char *p)
{
    return empty_kernel(e, text, p, "half short ushort char uchar half2 half4 short2 short4 ushort2 ushort4 uchar4");
}

#define ROUND                                                                                                          \
    "static float lad_round(float x)\n{\n    uint u = as_uint(x), s = 23u - %uu;\n"                                    \
    "    if ((u & 0x7F800000u) == 0x7F800000u)\n        return x;\n"                                                   \
    "    return as_float((u + (1u << (s - 1u)) - 1u + ((u >> s) & 1u)) & ~((1u << s) - 1u));\n}\n"
#define NARROW                                                                                                         \
    ROUND "static float lad_narrow(float x)\n{\n    x = lad_round(x);\n"                                               \
          "    return fabs(x) > 65504.0f ? as_float((as_uint(x) & 0x80000000u) | 0x7F800000u) : x;\n}\n"
#define FLUSH                                                                                                          \
    "static float lad_flush(float x)\n{\n"                                                                             \
    "    return as_uint(x) & 0x7F800000u ? x : as_float(as_uint(x) & 0x80000000u);\n}\n"

/* In front of the program: what the changes call; `arg` is its number, where it takes one. */
static const struct pass {
    enum lad_fault_id id;
    change *change;
    const char *front, *arg;
} passes[] = {
    {LAD_FAULT_W1_cl_no_barrier, drop_barrier, "", ""},
    {LAD_FAULT_W2_cl_early_return, return_early, "", ""},
    {LAD_FAULT_W3_cl_width, assume_width, "", ""},
    {LAD_FAULT_W4_cl_short, wrap_local, "", ""},
    {LAD_FAULT_W4_cl_clamped, clamp_local, "", ""},
    {LAD_FAULT_W5_cl_lost, lose_update, "", ""},
    {LAD_FAULT_B5_cl_packed, pack_structure, "", ""},
    {LAD_FAULT_B5_cl_aligned, align_structure, "", ""},
    {LAD_FAULT_C3_cl_no_wide_types, empty_wide, "", ""},
    {LAD_FAULT_C3_cl_no_small_types, empty_small, "", ""},
    {LAD_FAULT_C4_cl_lost_store, lose_store, "", ""},
    {LAD_FAULT_N1_cl_half_results, narrow_stores, NARROW, "bits"},
    {LAD_FAULT_N1_cl_half_sums, narrow_sum, NARROW, "bits"},
    {LAD_FAULT_N2_cl_last_bits, round_stores, ROUND, "bits"},
    {LAD_FAULT_N2_cl_fast_math, forget_nan, FAST_MATH, ""},
    {LAD_FAULT_N2_cl_denormals, flush_floats, FLUSH, ""},
    {LAD_FAULT_M1_cl_fma, replace_fma, "#define lad_fma(a, b, c) ((a) * (b) - (c))\n", ""},
};

/* The text after one fault; n_places: how many places it had. */
static char *run_pass(const struct pass *pass, const struct lad_inject *fault, const char *text, uint64_t *n_places)
{
    char *result = NULL;
    size_t bytes;
    struct edit e = {.out = open_memstream(&result, &bytes), .fault = fault, .nth = fault ? PARAM(fault, "which") : 0};
    if (!e.out)
        abort();
    gather(&e, text);
    fprintf(e.out, pass->front, param(&e, pass->arg));
    for (const char *p = text; *p;) {
        const char *word = next_word(text, p), *end;
        put(&e, p, word);
        if (!*(p = word))
            break;
        end = pass->change(&e, text, p);
        if (end == p)
            put(&e, p, end = end_word(p));
        p = end;
    }
    fclose(e.out);
    *n_places = e.n;
    return result;
}

char *edit_source(const char *text)
{
    char *now = strdup(text);
    for (size_t i = 0; now && i < sizeof passes / sizeof *passes; i++) {
        uint64_t n = 0;
        if (!lad_inject_on(&layer.set, passes[i].id))
            continue;
        free(run_pass(&passes[i], NULL, now, &n)); /* only a program that has such a place is struck */
        struct lad_inject *f = n ? step(passes[i].id, (struct lad_at){.size = strlen(text)}) : NULL;
        char *changed = f ? run_pass(&passes[i], f, now, &n) : NULL;
        if (changed) {
            free(now);
            now = changed;
        }
    }
    if (!now)
        abort();
    return now;
}
