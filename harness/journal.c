/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a run: a line of JSON for its header, one for each record that ended, one for its end. Whatever killed
 * the run, what was written can be read. */
#include "harness.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool lad_journal_append(int fd, json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (!text) {
        errno = EINVAL;
        return false;
    }
    size_t n = strlen(text);
    text[n++] = '\n'; /* in place of the NUL: one write, so that lines are whole or torn at the end */
    ssize_t done;
    do
        done = write(fd, text, n);
    while (done < 0 && errno == EINTR);
    free(text);
    if (done >= 0 && (size_t)done < n)
        errno = ENOSPC;
    return done == (ssize_t)n;
}

bool lad_journal_start(int fd, const struct lad_run *run)
{
    return lad_journal_append(fd, json_pack("{s:o}", "run", lad_run_json(run)));
}

bool lad_journal_record(int fd, const struct lad_record *r)
{
    return lad_journal_append(fd, json_pack("{s:o}", "record", lad_record_json(r)));
}

bool lad_journal_end(int fd, const struct lad_run *run)
{
    return lad_journal_append(fd, json_pack("{s:{s:I, s:b, s:s?}}", "end", "time_ns", (json_int_t)run->time_ns,
                                            "complete", run->complete, "cut", run->cut));
}

/* Where the record belongs: what follows the last one is tried first, so that a journal in plan order is read in
 * linear time. */
static struct lad_record *find_planned(struct lad_run *run, const struct lad_record *r, size_t *next)
{
    for (size_t i = 0; i < run->n_records; i++) {
        size_t at = (*next + i) % run->n_records;
        if (!strcmp(run->record[at].id, r->id) && !strcmp(run->record[at].device, r->device)) {
            *next = at + 1;
            return &run->record[at];
        }
    }
    return NULL;
}

static void read_line(struct lad_arena *arena, json_t *line, struct lad_run *run, size_t *next)
{
    json_t *end = json_object_get(line, "end"), *json = json_object_get(line, "record");
    struct lad_record r;
    if (end) {
        run->time_ns = (uint64_t)json_integer_value(json_object_get(end, "time_ns"));
        run->complete = json_is_true(json_object_get(end, "complete"));
        run->cut = lad_strdup(arena, json_string_value(json_object_get(end, "cut")));
    }
    if (!json || !lad_record_parse(arena, json, &r))
        return;
    struct lad_record *planned = find_planned(run, &r, next);
    if (!planned)
        planned = LAD_PUSH(arena, run->record, run->n_records);
    *planned = r;
}

static void name_missing(struct lad_arena *arena, struct lad_run *run)
{
    const char *why = run->cut        ? run->cut
                      : run->complete ? "the journal holds no result"
                                      : "the run ended without a word";
    for (struct lad_record *r = run->record; r < run->record + run->n_records; r++)
        if (r->status == LAD_STATUS_MISSING && r->type && !strcmp(r->type, "ladder.missing"))
            r->message = lad_printf(arena, "did not run: %s", why);
}

bool lad_journal_read(struct lad_arena *arena, const char *dir, struct lad_run *run)
{
    const char *path = lad_printf(arena, "%s/journal.jsonl", dir);
    FILE *f = fopen(path, "rb");
    if (!f) {
        lad_error("%s: cannot read: %s", path, strerror(errno));
        return false;
    }
    char *text = NULL;
    size_t room = 0, next = 0, n_bad = 0;
    ssize_t n;
    bool started = false;
    while ((n = getline(&text, &room, f)) > 0) {
        json_t *line = json_loadb(text, (size_t)n, 0, NULL), *header = json_object_get(line, "run");
        if (header) {
            started = lad_run_parse(arena, header, run);
            run->cut = "its journal has no end, the run was killed or the machine stopped";
        }
        if (!started) {
            json_decref(line);
            break;
        }
        n_bad += !line;
        read_line(arena, line, run, &next);
        json_decref(line);
    }
    bool failed = ferror(f);
    free(text);
    fclose(f);
    if (failed || !started) {
        lad_error("%s: %s", path, failed ? "cannot read to its end" : "line 1 is no header of a run");
        return false;
    }
    if (n_bad)
        lad_note("%s: %zu torn line%s left out", path, n_bad, n_bad == 1 ? "" : "s");
    name_missing(arena, run);
    lad_findings(arena, run->record, run->n_records);
    run->output = lad_strdup(arena, dir);
    return true;
}
