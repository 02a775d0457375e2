/* SPDX-License-Identifier: Apache-2.0 */
/* What shall run: cases times devices, less what the filters leave out, joined with the lists of known results. An
 * entry of a list that fits no case is an error, so that lists cannot rot. */
#include "harness.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct entry { /* a line of a list: NAME or DEVICE/NAME, then perhaps ",status" and "# why" */
    const char *file, *device /* glob or NULL */, *name /* glob */, *why;
    int line;
    enum lad_status status; /* COUNT: fails now and then, or none given */
};
struct list {
    struct entry *item;
    size_t n;
};

static bool is_rung(const struct lad_rung *rung, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end ? number == rung->number : !strcmp(text, rung->name);
}

static bool is_only(const char *text, const struct lad_case *c)
{
    for (int i = 0; i < lad_n_rungs; i++)
        if (is_rung(&lad_rungs[i], text))
            return c->rung == lad_rungs[i].number;
    return lad_glob(text, c->id);
}

static bool is_glob(const char *text, const struct lad_case *c)
{
    return lad_glob(text, c->id);
}

static bool fits_any(const char **texts, bool (*fits)(const char *, const struct lad_case *), const struct lad_case *c)
{
    while (*texts && !fits(*texts, c))
        texts++;
    return *texts;
}

static const char *find_near(const char *name, const struct lad_cases *cases)
{
    const char *near = NULL;
    for (size_t i = 0; i < cases->n; i++)
        near = lad_nearest(name, near, cases->item[i].id);
    return near;
}

static bool fits_some(bool (*fits)(const char *, const struct lad_case *), const char *text,
                      const struct lad_cases *cases)
{
    for (size_t i = 0; i < cases->n; i++)
        if (fits(text, &cases->item[i]))
            return true;
    return false;
}

static bool check_texts(const char *option, const char **texts, bool (*fits)(const char *, const struct lad_case *),
                        const struct lad_cases *cases)
{
    for (; *texts; texts++) {
        if (fits_some(fits, *texts, cases))
            continue;
        const char *near = find_near(*texts, cases);
        lad_error("--%s %s: matches no %scase%s%s%s; 'gpuladder list' names them", option, *texts,
                  fits == is_only ? "rung and no " : "", near ? ", did you mean '" : "", near ? near : "",
                  near ? "'?" : "");
        return false;
    }
    return true;
}

static char *trim(char *text)
{
    size_t n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1]))
        text[--n] = 0;
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* Our names and those of deqp-runner, whose lists look the same. */
static bool parse_status(const char *text, enum lad_status *status)
{
    char lower[32] = "";
    for (size_t i = 0; text[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    if (!strcmp(lower, "expectedfail"))
        *status = LAD_STATUS_FAIL;
    else if (!strcmp(lower, "flake"))
        *status = LAD_STATUS_COUNT;
    else if (!strcmp(lower, "warn"))
        *status = LAD_STATUS_PASS;
    else
        return lad_status_parse(lower, status);
    return true;
}

static bool read_entry(struct lad_arena *arena, char *text, bool statuses, struct entry *e)
{
    char *why = strchr(text, '#'), *comma, *slash;
    if (why)
        *why++ = 0;
    text = trim(text);
    comma = strchr(text, ',');
    if (comma)
        *comma++ = 0;
    e->name = trim(text);
    e->why = why && *trim(why) ? trim(why) : lad_printf(arena, "%s:%d", e->file, e->line);
    e->status = LAD_STATUS_COUNT;
    slash = strchr(e->name, '/');
    if (slash) {
        *slash = 0;
        e->device = e->name;
        e->name = slash + 1;
    }
    if (comma ? !parse_status(trim(comma), &e->status) : statuses) {
        lad_error("%s:%d: expected name,status with status one of Pass, Fail, Skip, Crash, Timeout, Lost, Error, "
                  "Missing, Flake",
                  e->file, e->line);
        return false;
    }
    return true;
}

static bool read_list(struct lad_arena *arena, const char *file, bool statuses, const struct lad_cases *cases,
                      struct list *list)
{
    char *text = lad_read_file(arena, file, 64u << 20, NULL), *end;
    if (!text)
        return false;
    for (int line = 1; text; text = end, line++) {
        end = strchr(text, '\n');
        if (end)
            *end++ = 0;
        char *from = trim(text);
        if (!*from || *from == '#')
            continue;
        struct entry *e = LAD_PUSH(arena, list->item, list->n);
        e->file = file;
        e->line = line;
        if (!read_entry(arena, from, statuses, e))
            return false;
        if (!fits_some(is_glob, e->name, cases)) {
            const char *near = find_near(e->name, cases);
            lad_error("%s:%d: '%s' matches no case%s%s%s", file, line, e->name, near ? ", did you mean '" : "",
                      near ? near : "", near ? "'?" : "");
            return false;
        }
    }
    return true;
}

static bool read_lists(struct lad_arena *arena, const char **files, bool statuses, const struct lad_cases *cases,
                       struct list *list)
{
    for (; *files; files++)
        if (!read_list(arena, *files, statuses, cases, list))
            return false;
    return true;
}

/* The last entry that fits counts; device NULL: on any device. */
static const struct entry *find_entry(const struct list *list, const struct lad_case *c,
                                      const struct lad_device *device)
{
    for (size_t i = list->n; i-- > 0;) {
        const struct entry *e = &list->item[i];
        if (lad_glob(e->name, c->id) && (!e->device || !device || lad_glob(e->device, device->slug)))
            return e;
    }
    return NULL;
}

static void note_absent(const struct list *list, const struct lad_run *run)
{
    for (const struct entry *e = list->item; e < list->item + list->n && lad_verbosity > 0; e++) {
        size_t i = 0;
        while (e->device && i < run->n_devices && !lad_glob(e->device, run->device[i].slug))
            i++;
        if (e->device && i == run->n_devices)
            lad_note("%s:%d: no device %s in this run, entry not used", e->file, e->line, e->device);
    }
}

static bool select_cases(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                         bool *wanted, struct list *caselist)
{
    const char *files[] = {o->caselist, NULL};
    if (!check_texts("only", o->only, is_only, cases) || !check_texts("include", o->include, is_glob, cases) ||
        !check_texts("exclude", o->exclude, is_glob, cases) || !read_lists(arena, files, false, cases, caselist))
        return false;
    for (size_t i = 0; i < cases->n; i++) {
        const struct lad_case *c = &cases->item[i];
        wanted[i] = (!*o->only || fits_any(o->only, is_only, c)) &&
                    (!*o->include || fits_any(o->include, is_glob, c)) && !fits_any(o->exclude, is_glob, c) &&
                    (!o->caselist || find_entry(caselist, c, NULL));
    }
    return true;
}

bool lad_plan_cases(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases, bool *wanted)
{
    struct list caselist = {0};
    return select_cases(arena, o, cases, wanted, &caselist);
}

/* Indices of the cases in ladder order. */
static size_t *sort_cases(struct lad_arena *arena, const struct lad_cases *cases)
{
    size_t *order = lad_alloc(arena, (cases->n + 1) * sizeof *order), n = 0;
    for (int i = 0; i < lad_n_rungs; i++)
        for (size_t c = 0; c < cases->n; c++)
            if (cases->item[c].rung == lad_rungs[i].number)
                order[n++] = c;
    order[n] = SIZE_MAX;
    return order;
}

static void join_known(struct lad_arena *arena, struct lad_record *r, const struct entry *skip,
                       const struct entry *known, const struct entry *flake)
{
    if (skip)
        lad_record_set(arena, r, LAD_STATUS_SKIP, "ladder.skip.listed", "left out: %s", skip->why);
    if (known && known->status >= LAD_STATUS_FAIL && known->status < LAD_STATUS_COUNT) {
        r->known = known->why;
        r->known_status = known->status;
    }
    if (flake || (known && known->status == LAD_STATUS_COUNT))
        r->flake = flake ? flake->why : known->why;
}

struct lad_record *lad_plan_add(struct lad_arena *arena, struct lad_run *run, const struct lad_case *c,
                                const struct lad_device *d)
{
    struct lad_record *r = LAD_PUSH(arena, run->record, run->n_records);
    *r = (struct lad_record){
        .id = c->id,
        .file = c->file,
        .line = c->line,
        .group = lad_case_group(c),
        .proves = c->proves,
        .uses = lad_case_uses(arena, c),
        .rung = c->rung,
        .device = d->slug,
        .spec = d->spec,
        .seed = run->seed,
        .status = LAD_STATUS_MISSING,
        .type = "ladder.missing",
        .message = "did not run",
        .exit_code = -1,
    };
    return r;
}

bool lad_plan(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases, struct lad_run *run)
{
    bool *wanted = lad_alloc(arena, cases->n + 1);
    struct list caselist = {0}, skips = {0}, known = {0}, flakes = {0};
    if (!select_cases(arena, o, cases, wanted, &caselist) || !read_lists(arena, o->skips, false, cases, &skips) ||
        !read_lists(arena, o->baseline, true, cases, &known) || !read_lists(arena, o->flakes, false, cases, &flakes))
        return false;
    note_absent(&caselist, run);
    note_absent(&skips, run);
    note_absent(&known, run);
    note_absent(&flakes, run);

    const size_t *order = sort_cases(arena, cases);
    size_t n = 0;
    for (const struct lad_device *d = run->device; d < run->device + run->n_devices; d++) {
        for (const size_t *i = order; *i != SIZE_MAX; i++) {
            const struct lad_case *c = &cases->item[*i];
            if (!wanted[*i] || (o->caselist && !find_entry(&caselist, c, d)))
                continue;
            if (o->shards && (int)(n++ % (size_t)o->shards) != o->shard - 1)
                continue;
            struct lad_record *r = lad_plan_add(arena, run, c, d);
            join_known(arena, r, find_entry(&skips, c, d), find_entry(&known, c, d), find_entry(&flakes, c, d));
        }
    }
    return true;
}
