/* SPDX-License-Identifier: Apache-2.0 */
/* The assembler: lines, words, names, and the pieces put together at the end. */
#include "asm.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct lad_vm_map {
    struct {
        const char *key; /* kind letter, then the name; NULL: free */
        size_t bytes;
        uint32_t value;
    } * slot;
    size_t n, room; /* room is a power of two */
};

static size_t find_slot(const struct lad_vm_map *map, const char *key, size_t bytes)
{
    size_t i = lad_hash(key, bytes, 0) & (map->room - 1);
    while (map->slot[i].key && (map->slot[i].bytes != bytes || memcmp(map->slot[i].key, key, bytes)))
        i = (i + 1) & (map->room - 1);
    return i;
}

static void grow(struct assembler *a)
{
    struct lad_vm_map old = *a->names;
    a->names->room = old.room ? old.room * 2 : 256;
    a->names->slot = lad_alloc(a->arena, a->names->room * sizeof *old.slot);
    for (size_t i = 0; i < old.room; i++)
        if (old.slot[i].key)
            a->names->slot[find_slot(a->names, old.slot[i].key, old.slot[i].bytes)] = old.slot[i];
}

static bool put(struct assembler *a, const char *key, size_t bytes, uint32_t value)
{
    if (a->names->n * 2 >= a->names->room)
        grow(a);
    size_t i = find_slot(a->names, key, bytes);
    if (a->names->slot[i].key)
        return false;
    a->names->slot[i].key = key;
    a->names->slot[i].bytes = bytes;
    a->names->slot[i].value = value;
    a->names->n++;
    return true;
}

static bool get(struct assembler *a, const char *key, size_t bytes, uint32_t *value)
{
    if (!a->names->room)
        return false;
    size_t i = find_slot(a->names, key, bytes);
    if (a->names->slot[i].key)
        *value = a->names->slot[i].value;
    return a->names->slot[i].key != NULL;
}

bool lad_vm_asm_put(struct assembler *a, char kind, const char *name, uint32_t value)
{
    char *key = lad_printf(a->arena, "%c%s", kind, name);
    return put(a, key, strlen(key), value);
}

bool lad_vm_asm_get(struct assembler *a, char kind, const char *name, uint32_t *value)
{
    char key[320];
    int n = snprintf(key, sizeof key, "%c%s", kind, name);
    return n < (int)sizeof key && get(a, key, (size_t)n, value);
}

uint32_t lad_vm_asm_intern(struct assembler *a, const char *text, size_t bytes)
{
    uint32_t id = (uint32_t)a->n_stro - 1;
    char *key = lad_alloc(a->arena, bytes + 2);
    key[0] = '"';
    memcpy(key + 1, text, bytes);
    if (get(a, key, bytes + 1, &id))
        return id;
    put(a, key, bytes + 1, id);
    for (size_t i = 0; i < bytes; i++)
        *ADD(a, strb) = text[i];
    *ADD(a, stro) = (uint32_t)a->n_strb;
    return id;
}

bool lad_vm_asm_fail(struct assembler *a, const char *format, ...)
{
    char what[200];
    va_list ap;
    if (a->failed)
        return false;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    a->failed = true;
    return lad_vm_because(a->why, "%.80s:%d: %s", a->name, a->line, what);
}

static void skip_blanks(struct assembler *a)
{
    a->p += strspn(a->p, " \t\r");
}

bool lad_vm_asm_take(struct assembler *a, char c)
{
    skip_blanks(a);
    if (*a->p != c)
        return false;
    a->p++;
    return true;
}

bool lad_vm_asm_expect(struct assembler *a, char c)
{
    return lad_vm_asm_take(a, c) || lad_vm_asm_fail(a, "expected '%c' before '%.20s'", c, a->p);
}

bool lad_vm_asm_end(struct assembler *a)
{
    skip_blanks(a);
    return !*a->p;
}

static size_t measure_name(const char *p)
{
    size_t n = 0;
    if (!isalpha((unsigned char)*p) && *p != '_')
        return 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    return n;
}

bool lad_vm_asm_name(struct assembler *a, const char **name)
{
    skip_blanks(a);
    size_t n = measure_name(a->p);
    if (!n || n > 255)
        return lad_vm_asm_fail(a, "expected a name before '%.20s'", a->p);
    *name = lad_printf(a->arena, "%.*s", (int)n, a->p);
    a->p += n;
    return true;
}

bool lad_vm_asm_word_is(struct assembler *a, const char *word)
{
    skip_blanks(a);
    size_t n = measure_name(a->p);
    if (n != strlen(word) || strncmp(a->p, word, n))
        return false;
    a->p += n;
    return true;
}

bool lad_vm_asm_number(struct assembler *a, uint64_t *value)
{
    skip_blanks(a);
    bool hex = a->p[0] == '0' && (a->p[1] | 32) == 'x';
    const char *p = a->p + (hex ? 2 : 0), *start = p;
    for (*value = 0; (hex ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p)) || (*p == '_' && p > start);
         p++) {
        uint32_t digit = isdigit((unsigned char)*p) ? (uint32_t)(*p - '0') : (uint32_t)((*p | 32) - 'a') + 10;
        if (*p == '_')
            continue;
        if (*value > (UINT64_MAX - digit) / (hex ? 16 : 10))
            return lad_vm_asm_fail(a, "a number of more than 64 bits");
        *value = *value * (hex ? 16 : 10) + digit;
    }
    if (p == start || measure_name(p))
        return lad_vm_asm_fail(a, "expected a number before '%.20s'", a->p);
    a->p = p;
    return true;
}

static bool read_escape(struct assembler *a, char *c)
{
    int value = 0, n = 0;
    if (*a->p == 'n' || *a->p == 't' || *a->p == '\\' || *a->p == '"') {
        *c = *a->p == 'n' ? '\n' : *a->p == 't' ? '\t' : *a->p;
        a->p++;
        return true;
    }
    for (; n < 3 && *a->p >= '0' && *a->p <= '7'; n++)
        value = value * 8 + *a->p++ - '0';
    *c = (char)value;
    return n && value < 256 ? true : lad_vm_asm_fail(a, "a string knows \\n, \\t, \\\\, \\\" and \\ooo");
}

bool lad_vm_asm_string(struct assembler *a, uint32_t *id)
{
    char *text = lad_alloc(a->arena, strlen(a->p) + 1);
    size_t n = 0;
    if (!lad_vm_asm_expect(a, '"'))
        return false;
    while (*a->p && *a->p != '"') {
        if (*a->p != '\\') {
            text[n++] = *a->p++;
            continue;
        }
        a->p++;
        if (!read_escape(a, &text[n++]))
            return false;
    }
    if (!lad_vm_asm_expect(a, '"'))
        return false;
    *id = lad_vm_asm_intern(a, text, n);
    return true;
}

bool lad_vm_asm_known(struct assembler *a, char kind, const char *what, uint32_t *value)
{
    const char *name;
    if (!lad_vm_asm_name(a, &name))
        return false;
    return lad_vm_asm_get(a, kind, name, value) || lad_vm_asm_fail(a, "no %s '%s'", what, name);
}

bool lad_vm_asm_literal(struct assembler *a, struct lad_vm_literal *l)
{
    const char *end;
    skip_blanks(a);
    const char *flaw = lad_vm_literal(a->p, &end, l);
    if (flaw)
        return lad_vm_asm_fail(a, "'%.20s': %s", a->p, flaw);
    a->p = end;
    return true;
}

/* Cuts a comment off, but not a semicolon in a string. */
static void cut_comment(char *line)
{
    bool text = false;
    for (; *line; line++) {
        if (*line == '\\' && text && line[1])
            line++;
        else if (*line == '"')
            text = !text;
        else if (*line == ';' && !text)
            *line = 0;
        if (!*line)
            return;
    }
}

static bool take_label(struct assembler *a)
{
    skip_blanks(a);
    size_t n = measure_name(a->p);
    if (!n || n > 255 || a->p[n] != ':')
        return true;
    if (!a->n_text)
        return lad_vm_asm_fail(a, "a label before the first .proc");
    char *name = lad_printf(a->arena, "%zu.%.*s", a->n_text - 1, (int)n, a->p);
    if (!lad_vm_asm_put(a, 'l', name, (uint32_t)a->text[a->n_text - 1].n))
        return lad_vm_asm_fail(a, "the label '%.*s' is there twice in this process", (int)n, a->p);
    a->p += n + 1;
    a->text[a->n_text - 1].open |= lad_vm_asm_end(a); /* alone behind `done`, it needs something to name */
    return true;
}

static bool run_line(struct assembler *a, bool *started)
{
    char word[40];
    if (lad_vm_asm_end(a))
        return true;
    if (*a->p != '.' && !take_label(a))
        return false;
    if (lad_vm_asm_end(a))
        return true;
    size_t n = strcspn(a->p, " \t\r{");
    if (n >= sizeof word)
        return lad_vm_asm_fail(a, "no such statement '%.30s...'", a->p);
    memcpy(word, a->p, n);
    word[n] = 0;
    a->p += n;
    if (!*started && strcmp(word, ".svm"))
        return lad_vm_asm_fail(a, "expected .svm 1.0 first");
    *started = true;
    if (!(*word == '.' ? lad_vm_asm_directive(a, word) : lad_vm_asm_statement(a, word)))
        return false;
    return lad_vm_asm_end(a) || lad_vm_asm_fail(a, "'%.20s' follows the end of the statement", a->p);
}

bool lad_vm_assemble(struct lad_arena *arena, const char *text, const char *name, struct lad_vm_program *p,
                     struct lad_vm_why *why)
{
    struct assembler a = {.arena = arena, .name = name, .why = why, .names = lad_alloc(arena, sizeof *a.names)};
    bool started = false;
    a.features = VM_FOUR_STATE;
    a.parms[VM_PARM_DEPTH] = 1;
    a.parms[VM_PARM_NBA] = 64;
    a.parms[VM_PARM_TIMESCALE] = (uint32_t)-9;
    a.parms[VM_PARM_STATES] = 4;
    a.max_args = 1;
    *ADD(&a, stro) = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        char *line = lad_printf(arena, "%.*s", (int)n, text);
        a.line++;
        a.p = line;
        cut_comment(line);
        if (!run_line(&a, &started))
            return false;
        text += n + (text[n] == '\n');
    }
    if (!a.n_text)
        return lad_vm_asm_fail(&a, "there is no .proc");
    return lad_vm_asm_finish(&a, p);
}
