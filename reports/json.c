/* SPDX-License-Identifier: Apache-2.0 */
/* run.json: the whole run for programs. Numbers and text of the records as they are, and beside them what reports say.
 */
#include "report.h"
#include <stdlib.h>
#include <string.h>

/* Text that is no UTF-8 is {"bytes": ...} in a journal; here every text is a string, cleaned as in the other reports.
 */
static json_t *make_plain(struct lad_arena *arena, json_t *json)
{
    const char *bytes = json_object_size(json) == 1 ? json_string_value(json_object_get(json, "bytes")) : NULL;
    if (bytes) {
        size_t n = 0;
        char *raw = lad_alloc(arena, strlen(bytes) + 1);
        for (const unsigned char *p = (const unsigned char *)bytes; *p; p++) {
            bool wide = *p >= 0x80;
            raw[n++] = (char)(wide ? (p[0] & 3) << 6 | (p[1] & 0x3F) : *p);
            p += wide;
        }
        return json_string(lad_clean(arena, raw, n, 0));
    }
    const char *key;
    json_t *value, *copy;
    size_t i;
    if (json_is_object(json)) {
        copy = json_object();
        json_object_foreach(json, key, value) json_object_set_new(copy, key, make_plain(arena, value));
        return copy;
    }
    if (!json_is_array(json))
        return json_incref(json);
    copy = json_array();
    json_array_foreach(json, i, value) json_array_append_new(copy, make_plain(arena, value));
    return copy;
}

static json_t *make_counts(const size_t *n)
{
    json_t *json = json_object();
    for (int i = 0; i < LAD_STATUS_COUNT; i++)
        json_object_set_new(json, lad_status_name((enum lad_status)i), json_integer((json_int_t)n[i]));
    return json;
}

static void set_text(struct lad_arena *arena, json_t *json, const char *name, const char *text)
{
    if (text)
        json_object_set_new(json, name, json_string(lad_show_line(arena, text, 0)));
}

static json_t *make_summary(struct lad_arena *arena, const struct lad_run *run)
{
    static const char *const states[] = {"untried", "works", "broken", "blocked", "missing"};
    struct lad_tally *tally;
    size_t n = lad_tally(arena, run, &tally);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct lad_tally *t = &tally[i];
        json_t *rungs = json_array(), *findings = json_array(), *device;
        for (size_t j = 0; j < t->n_rungs; j++)
            json_array_append_new(rungs,
                                  json_pack("{s:i, s:s, s:s, s:o}", "rung", t->rung[j].number, "name", t->rung[j].name,
                                            "state", states[t->rung[j].state], "counts", make_counts(t->rung[j].n)));
        device = json_pack("{s:s, s:o, s:I, s:I, s:I, s:o}", "device", lad_show_line(arena, t->slug, 0), "counts",
                           make_counts(t->n), "unexpected", (json_int_t)t->n_bad, "expected_failures",
                           (json_int_t)t->n_known, "flaky", (json_int_t)t->n_flaky, "rungs", rungs);
        for (size_t k = 0; k < t->n_findings; k++) {
            const struct lad_finding *d = &t->finding[k];
            json_t *one = json_pack("{s:s, s:s, s:I, s:I, s:s}", "first", lad_test_name(arena, d->first), "sentence",
                                    lad_show_line(arena, d->sentence, 0), "cases", (json_int_t)d->n, "casualties",
                                    (json_int_t)d->n_casualties, "words", lad_show_finding(arena, d));
            set_text(arena, one, "cause", d->cause ? d->cause->id : NULL);
            set_text(arena, one, "or", d->other ? d->other->id : NULL);
            set_text(arena, one, "scope", d->scope);
            json_array_append_new(findings, one);
        }
        json_object_set_new(device, "findings", findings);
        if (t->first_bad)
            json_object_set_new(device, "starts_here", json_string(lad_test_name(arena, t->first_bad)));
        json_array_append_new(list, device);
    }
    return list;
}

static json_t *make_list(struct lad_arena *arena, const char *const *list, size_t n)
{
    json_t *json = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(json, json_string(lad_show_line(arena, list[i], 0)));
    return json;
}

static json_t *make_diagnosis(struct lad_arena *arena, const struct lad_why *why)
{
    static const char *const sure[] = {"open", "likely", "decided"};
    json_t *json = json_object();
    set_text(arena, json, "sentence", why->sentence);
    set_text(arena, json, "cause", why->cause ? why->cause->id : NULL);
    set_text(arena, json, "name", why->cause ? why->cause->name : NULL);
    set_text(arena, json, "sure", sure[why->sure]);
    set_text(arena, json, "verdict", why->verdict);
    set_text(arena, json, "place", why->place);
    set_text(arena, json, "at", why->at);
    set_text(arena, json, "calls", why->calls);
    json_object_set_new(json, "for", make_list(arena, why->pro, why->n_pro));
    json_object_set_new(json, "against", make_list(arena, why->contra, why->n_contra));
    set_text(arena, json, "runner_up", why->other ? why->other->id : NULL);
    set_text(arena, json, "told_apart_by", why->decides);
    set_text(arena, json, "scope", why->scope);
    set_text(arena, json, "next", why->next);
    return json;
}

static json_t *make_record(struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r)
{
    json_t *raw = lad_record_json(r), *json = make_plain(arena, raw);
    json_decref(raw);
    json_object_set_new(json, "name", json_string(lad_test_name(arena, r)));
    json_object_set_new(json, "bad", json_boolean(lad_record_bad(r)));
    struct lad_why why;
    if (lad_answer(arena, r, &why))
        json_object_set_new(json, "diagnosis", make_diagnosis(arena, &why));
    if (lad_record_bad(r)) {
        json_object_set_new(json, "headline", json_string(lad_headline(arena, r)));
        json_object_set_new(json, "repeat", json_string(lad_repeat(arena, run, r)));
        json_object_set_new(json, "body", json_string(lad_body(arena, run, r, 65536)));
    }
    return json;
}

static bool write_json(FILE *f, const struct lad_run *run, const struct lad_options *options)
{
    (void)options;
    struct lad_arena *arena = lad_arena_create();
    json_t *raw = lad_run_json(run), *header = make_plain(arena, raw), *records = json_array();
    json_decref(raw);
    json_object_del(header, "planned"); /* all of them are in "records" */
    for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++)
        json_array_append_new(records, make_record(arena, run, r));
    json_t *all =
        json_pack("{s:s, s:o, s:o, s:o, s:{s:I, s:b, s:s?}}", "format", "gpuladder-run-1", "run", header, "summary",
                  make_summary(arena, run), "records", records, "end", "time_ns", (json_int_t)run->time_ns, "complete",
                  run->complete, "cut", run->cut ? lad_show_line(arena, run->cut, 0) : NULL);
    bool ok = all && !json_dumpf(all, f, JSON_INDENT(1)) && fputc('\n', f) != EOF;
    json_decref(all);
    lad_arena_destroy(&arena);
    return ok;
}

const struct lad_report lad_report_json = {"json", "run.json", write_json};
