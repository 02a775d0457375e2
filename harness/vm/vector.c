/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance vectors, read from the texts of cases/vm. */
#include "vector.h"
#include "../registry.h"
#include <stdlib.h>
#include <string.h>

static bool read_numbers(const char *text, uint32_t *a, uint32_t *b, uint32_t *c)
{
    return sscanf(text, "%u,%u,%u", a, b, c) == 3;
}

static bool read_key(struct lad_arena *arena, struct lad_vm_vector *v, const char *key, const char *value)
{
    static const struct {
        const char *key;
        size_t at;
    } numbers[] = {
        {"capacity", offsetof(struct lad_vm_vector, capacity)},  {"count", offsetof(struct lad_vm_vector, count)},
        {"most", offsetof(struct lad_vm_vector, most_launches)}, {"resume", offsetof(struct lad_vm_vector, resume)},
        {"after", offsetof(struct lad_vm_vector, after)},        {"slices", offsetof(struct lad_vm_vector, slices)},
        {"ring", offsetof(struct lad_vm_vector, ring)},          {"n", offsetof(struct lad_vm_vector, n)}};
    for (size_t i = 0; i < LAD_N(numbers); i++) {
        if (!strcmp(numbers[i].key, key)) {
            *(uint32_t *)((char *)v + numbers[i].at) = (uint32_t)strtoul(value, NULL, 0);
            return *value != 0;
        }
    }
    if (!strcmp(key, "slice")) {
        v->one_slice = true;
        return read_numbers(value, &v->steps, &v->proc_steps, &v->capacity);
    }
    if (!strcmp(key, "halt"))
        return sscanf(value, "%u:%u", &v->halt_launch, &v->halt_mode) == 2;
    const struct {
        const char *key;
        const char **text;
        bool *flag;
    } others[] = {{"reject", &v->reject, NULL},       {"plus", &v->plusarg, NULL}, {"answer", &v->answer, NULL},
                  {"unchecked", NULL, &v->unchecked}, {"vary", NULL, &v->vary},    {"hold", NULL, &v->hold}};
    for (size_t i = 0; i < LAD_N(others); i++) {
        if (strcmp(others[i].key, key))
            continue;
        if (others[i].text)
            *others[i].text = lad_strdup(arena, value);
        else
            *others[i].flag = true;
        return true;
    }
    return false;
}

static bool read_head(struct lad_arena *arena, struct lad_vm_vector *v, char *line)
{
    char *word = strtok(line, " ");
    v->name = lad_strdup(arena, word);
    v->n = 1;
    v->text = "";
    while ((word = strtok(NULL, " "))) {
        char *value = strchr(word, '=');
        if (value)
            *value++ = 0;
        for (char *p = value; p && *p; p++) /* a reason has no blanks here */
            *p = *p == '_' ? ' ' : *p;
        if (!read_key(arena, v, word, value ? value : "")) {
            lad_error("%s:%d: vector %s: no such key as %s", v->file, v->line, v->name, word);
            return false;
        }
    }
    return v->name != NULL;
}

static bool read_text(struct lad_arena *arena, const char *path, const char *text, struct lad_vm_vectors *all)
{
    enum { TEXT, LOG, OTHERS, STATE } part = TEXT;
    struct lad_vm_vector *v = NULL;
    const char *next;
    for (int n = 1; *text; text = next, n++) {
        size_t length = strcspn(text, "\n");
        next = text + length + (text[length] == '\n');
        char *line = lad_printf(arena, "%.*s", (int)length, text);
        if (!strncmp(line, "== ", 3)) {
            v = LAD_PUSH(arena, all->item, all->n);
            *v = (struct lad_vm_vector){.file = path, .line = n};
            part = TEXT;
            if (!read_head(arena, v, line + 3))
                return false;
        } else if (!v) {
            if (*line && *line != ';') {
                lad_error("%s:%d: expected '== NAME' first", path, n);
                return false;
            }
        } else if (!strcmp(line, "-- log")) {
            part = LOG;
            v->log = "";
        } else if (!strcmp(line, "-- others")) {
            part = OTHERS;
            v->others = "";
        } else if (!strcmp(line, "-- state")) {
            part = STATE;
        } else if (part == STATE) {
            if (*line)
                *LAD_PUSH(arena, v->check, v->n_checks) = line;
        } else {
            const char **to = part == LOG ? &v->log : part == OTHERS ? &v->others : &v->text;
            if (*line || part == TEXT)
                *to = lad_printf(arena, "%s%s\n", *to, part != TEXT && !strcmp(line, "~") ? "" : line);
        }
    }
    return true;
}

bool lad_vm_vectors_written(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    for (const struct lad_embedded *e = lad_vm_vector_files; e->name; e++)
        if (!read_text(arena, e->name, (const char *)e->start, all))
            return false;
    return true;
}

bool lad_vm_vectors_all(struct lad_arena *arena, struct lad_vm_vectors *all)
{
    lad_vm_vectors_operators(arena, all);
    lad_vm_vectors_fuzz(arena, all);
    return lad_vm_vectors_written(arena, all);
}
