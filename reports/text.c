/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal's report: ASCII, 80 columns, every verdict a word; colour adds nothing that the words do not say. */
#include "report.h"
#include <stdlib.h>
#include <string.h>

enum { most_lines = 40, kept_lines = 3 /* at the end of a block that is cut: repeat, more, files */ };

static const char *choose_word(const struct lad_record *r)
{
    static const char *const words[] = {"PASS",  "SKIP", "BLOCKED", "FAIL",   "TIMEOUT",
                                        "CRASH", "LOST", "ERROR",   "MISSING"};
    _Static_assert(LAD_N(words) == LAD_STATUS_COUNT, "a word for each status");
    if (r->status == LAD_STATUS_PASS)
        return r->unexpected ? "XPASS" : r->flaky ? "FLAKY" : "PASS";
    return r->known && r->status >= LAD_STATUS_FAIL && !lad_record_bad(r) ? "XFAIL" : words[r->status];
}

static const char *choose_colour(const struct lad_record *r, bool colour)
{
    if (!colour)
        return "";
    return lad_record_bad(r) ? "\x1b[31m" : r->status == LAD_STATUS_PASS && !r->flaky ? "\x1b[32m" : "\x1b[33m";
}

static void put_line(FILE *f, struct lad_arena *arena, const struct lad_record *r, bool colour, bool all)
{
    const char *name = lad_test_name(arena, r), *device = lad_show_line(arena, r->device, 80), *word = choose_word(r);
    fprintf(f, "%s%-7s%s %s  %s", choose_colour(r, colour), word, colour ? "\x1b[0m" : "", name, device);
    size_t used = 8 + strlen(name) + 2 + strlen(device);
    bool reason = r->status != LAD_STATUS_PASS && (!lad_record_bad(r) || r->status == LAD_STATUS_MISSING);
    const char *text = reason ? lad_headline(arena, r) : lad_printf(arena, "%s s", lad_show_time(arena, r->time_ns));
    size_t length = strlen(text);
    if (!reason)
        fprintf(f, "%*s%s\n", used + length < 78 ? (int)(80 - used - length) : 2, "", text);
    else if (all || used + 2 + length <= 80)
        fprintf(f, "  %s\n", text);
    else
        fprintf(f, "  %.*s...\n", used < 60 ? (int)(75 - used) : 15, text);
}

static void put_output(FILE *f, struct lad_arena *arena, const struct lad_record *r, size_t most)
{
    if (!r->output || !*r->output)
        return;
    char *clean = lad_clean(arena, r->output, strlen(r->output), 0), *start = clean + strlen(clean);
    size_t lines = 0;
    while (start > clean && (start[-1] != '\n' || !start[0] || ++lines < most))
        start--;
    fprintf(f, "\n  printed by driver and worker (%llu bytes, the end)\n", (unsigned long long)r->output_bytes);
    char *save = NULL;
    for (char *line = strtok_r(start, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        fprintf(f, "    | %s\n", lad_show_line(arena, line, 400));
}

/* Leaves the middle out of what is longer than a screen; the commands at its end stay. */
static void put_cut(FILE *f, const char *text, bool all)
{
    size_t lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    if (all || lines <= most_lines) {
        fputs(text, f);
        return;
    }
    size_t head = most_lines - kept_lines - 1, line = 0;
    for (const char *p = text; *p; p++) {
        if (line < head || line >= lines - kept_lines)
            fputc(*p, f);
        if (*p == '\n' && ++line == head)
            fprintf(f, "  ... %zu lines left out, -v shows them\n", lines - kept_lines - head);
    }
}

static void put_block(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r,
                      bool colour, bool all)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        abort();
    fputc('\n', out);
    put_line(out, arena, r, colour, all);
    fputc('\n', out);
    lad_put_wrapped(out, "", lad_printf(arena, "error[%s]: %s", lad_type_token(arena, r), lad_headline(arena, r)));
    lad_put_answer(out, arena, run, r);
    lad_put_context(out, arena, run, r);
    lad_put_evidence(out, arena, r, all ? 16 : 4, true);
    lad_put_messages(out, arena, r, all ? 100 : 3);
    put_output(out, arena, r, all ? 100 : 8);
    fprintf(out, "  repeat: %s\n", lad_repeat(arena, run, r));
    struct lad_why why;
    bool named = lad_answer(arena, r, &why) && why.cause;
    fprintf(out, "  more:   gpuladder explain %s\n", named ? why.cause->id : lad_show_line(arena, r->id, 200));
    fclose(out);
    put_cut(f, text, all);
    free(text);
}

void lad_text_record(FILE *f, const struct lad_run *run, const struct lad_record *r, bool colour, bool all)
{
    struct lad_arena *arena = lad_arena_create();
    if (lad_record_bad(r) && r->status != LAD_STATUS_MISSING)
        put_block(f, arena, run, r, colour, all);
    else
        put_line(f, arena, r, colour, all);
    lad_arena_destroy(&arena);
}

/* A few words for a list: "all zero" of ladder.mismatch.all-zero. */
static const char *name_failure(struct lad_arena *arena, const struct lad_record *r)
{
    char *words = lad_strdup(arena, lad_type_token(arena, r) + strlen("ladder."));
    if (!strncmp(words, "mismatch.", 9) && words[9])
        words += 9;
    for (char *p = words; *p; p++)
        *p = *p == '.' || *p == '-' ? ' ' : *p;
    return words;
}

static const char *name_rung(struct lad_arena *arena, const struct lad_tally_rung *rung)
{
    return lad_printf(arena, "r%02d %s", rung->number, rung->name);
}

static const char *join(struct lad_arena *arena, const char *list, const char *separator, const char *item)
{
    return *list ? lad_printf(arena, "%s%s%s", list, separator, item) : item;
}

static void put_states(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    const char *works = "", *untried = "";
    const struct lad_tally_rung *reached = NULL, *right = NULL;
    bool clean = true;
    for (const struct lad_tally_rung *r = t->rung; r < t->rung + t->n_rungs; r++) {
        if (r->n_records > r->n[LAD_STATUS_SKIP] + r->n[LAD_STATUS_BLOCKED] + r->n[LAD_STATUS_MISSING])
            reached = r;
        clean = clean && (r->state == LAD_RUNG_WORKS || r->state == LAD_RUNG_UNTRIED);
        if (r->state == LAD_RUNG_WORKS) {
            works = join(arena, works, ", ", name_rung(arena, r));
            right = clean ? r : right;
        } else if (r->state == LAD_RUNG_UNTRIED) {
            untried = join(arena, untried, ", ", name_rung(arena, r));
        }
    }
    if (!reached)
        lad_put_wrapped(f, "  reached   ", "nothing: no case ran");
    else if (right == reached)
        lad_put_wrapped(f, "  reached   ", lad_printf(arena, "%s, nothing failed up to it", name_rung(arena, reached)));
    else
        lad_put_wrapped(
            f, "  reached   ",
            right ? lad_printf(arena, "%s; nothing failed up to %s", name_rung(arena, reached), name_rung(arena, right))
                  : lad_printf(arena, "%s; the lowest rung that ran failed", name_rung(arena, reached)));
    if (*works)
        lad_put_wrapped(f, "  works     ", works);
    if (*untried)
        lad_put_wrapped(f, "  untested  ", lad_printf(arena, "%s: every case was skipped", untried));
}

static void put_broken(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    for (const struct lad_tally_rung *rung = t->rung; rung < t->rung + t->n_rungs; rung++) {
        size_t n = 0, bad = rung->n_bad - rung->n[LAD_STATUS_MISSING];
        const char *list = "";
        for (size_t i = 0; i < t->n_records; i++) {
            const struct lad_record *r = t->record[i];
            if (r->rung == rung->number && lad_record_bad(r) && r->status != LAD_STATUS_MISSING && n++ < 8)
                list = join(arena, list, ", ",
                            lad_printf(arena, "%s (%s)", lad_show_line(arena, r->id, 80), name_failure(arena, r)));
        }
        if (bad > 8)
            list = lad_printf(arena, "%s and %zu more", list, bad - 8);
        if (bad)
            lad_put_wrapped(
                f, "  broken    ",
                lad_printf(arena, "%s, %zu of %zu cases: %s", name_rung(arena, rung), bad, rung->n_records, list));
    }
}

static void put_findings(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    for (const struct lad_finding *d = t->finding; d < t->finding + t->n_findings; d++)
        lad_put_wrapped(f, "  finding   ", lad_show_finding(arena, d));
}

/* What fails but was expected to: it does not count, and it must not look as if it worked. */
static void put_known(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    size_t n = 0;
    const char *list = "";
    for (size_t i = 0; i < t->n_records; i++) {
        const struct lad_record *r = t->record[i];
        if (r->known && !lad_record_bad(r) && r->status != LAD_STATUS_PASS && r->status != LAD_STATUS_SKIP && n++ < 12)
            list = join(arena, list, ", ", lad_show_line(arena, r->id, 80));
    }
    if (n)
        lad_put_wrapped(f, "  known     ",
                        lad_printf(arena, "%zu case%s fail%s as the known results say: %s%s", n, n == 1 ? "" : "s",
                                   n == 1 ? "s" : "", list, n > 12 ? " ..." : ""));
}

static void put_blocked(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    for (const struct lad_reason *b = t->blocks; b < t->blocks + t->n_blocks; b++) {
        const char *rungs = "";
        for (const struct lad_tally_rung *rung = t->rung; rung < t->rung + t->n_rungs; rung++)
            if (rung->n[LAD_STATUS_BLOCKED] && rung->number >= b->first->rung)
                rungs = join(arena, rungs, ", ", name_rung(arena, rung));
        lad_put_wrapped(f, "  blocked   ",
                        lad_printf(arena, "%zu case%s by %s: %s", b->n, b->n == 1 ? "" : "s", b->text, rungs));
    }
}

static void put_reasons(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    if (t->n[LAD_STATUS_MISSING])
        lad_put_wrapped(f, "  missing   ", lad_printf(arena, "%zu cases did not run", t->n[LAD_STATUS_MISSING]));
    for (size_t i = 0; i < t->n_skips && i < 12; i++)
        lad_put_wrapped(
            f, "  skipped   ",
            lad_printf(arena, "%zu case%s: %s", t->skips[i].n, t->skips[i].n == 1 ? "" : "s", t->skips[i].text));
    if (t->n_skips > 12)
        lad_put_wrapped(f, "  skipped   ", lad_printf(arena, "for %zu more reasons", t->n_skips - 12));
}

static void put_mission(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    const char *list = "";
    for (const char *const *glob = lad_mission; *glob; glob++) {
        const char *words[16], *part = "";
        size_t n[16] = {0}, n_words = 0, total = 0;
        for (size_t i = 0; i < t->n_records; i++) {
            if (!lad_glob(*glob, t->record[i]->id))
                continue;
            const char *word = choose_word(t->record[i]);
            size_t w = 0;
            while (w < n_words && strcmp(words[w], word))
                w++;
            if (w == n_words)
                words[n_words++] = word;
            n[w]++;
            total++;
        }
        for (size_t w = 0; w < n_words; w++)
            part = join(arena, part, "+", total == 1 ? words[w] : lad_printf(arena, "%zu %s", n[w], words[w]));
        list = join(arena, list, ", ", lad_printf(arena, "%s %s", *glob, total ? part : "not run"));
    }
    lad_put_wrapped(f, "  mission   ", list);
}

static void put_speed(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_records; i++)
        for (size_t m = 0; m < t->record[i]->n_measures; m++) {
            const struct lad_measure *best = lad_best_measure(t->record[i], m);
            if (best && n++ < 16)
                lad_put_wrapped(f, "  speed     ",
                                lad_printf(arena, "%s: %s", lad_show_line(arena, t->record[i]->id, 80),
                                           lad_show_measure(arena, best)));
        }
    if (n > 16)
        lad_put_wrapped(f, "  speed     ", lad_printf(arena, "%zu more figures in run.json", n - 16));
}

static void put_device(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    fprintf(f, "\n%s\n", lad_show_line(arena, t->slug, 80));
    if (t->device)
        lad_put_wrapped(f, "  device    ", lad_show_device(arena, t->device));
    put_states(f, arena, t);
    put_broken(f, arena, t);
    put_findings(f, arena, t);
    put_known(f, arena, t);
    put_blocked(f, arena, t);
    put_reasons(f, arena, t);
    put_mission(f, arena, t);
    put_speed(f, arena, t);
}

static const char *count_words(struct lad_arena *arena, const struct lad_tally *t)
{
    static const enum lad_status order[] = {LAD_STATUS_PASS,    LAD_STATUS_FAIL,    LAD_STATUS_TIMEOUT,
                                            LAD_STATUS_CRASH,   LAD_STATUS_LOST,    LAD_STATUS_ERROR,
                                            LAD_STATUS_MISSING, LAD_STATUS_BLOCKED, LAD_STATUS_SKIP};
    const char *list = lad_printf(arena, "%zu pass", t->n[LAD_STATUS_PASS]);
    for (size_t i = 1; i < LAD_N(order); i++)
        if (t->n[order[i]])
            list = lad_printf(arena, "%s, %zu %s", list, t->n[order[i]], lad_status_name(order[i]));
    if (t->n_known)
        list = lad_printf(arena, "%s (%zu of them expected)", list, t->n_known);
    return t->n_flaky ? lad_printf(arena, "%s, %zu flaky", list, t->n_flaky) : list;
}

static const char *name_outcome(struct lad_arena *arena, const struct lad_tally *t, bool *good)
{
    const struct lad_record *r = t->blocker ? t->blocker : t->first_bad;
    *good = !t->n_bad && t->n[LAD_STATUS_PASS];
    if (t->blocker)
        return lad_printf(arena, "stopped at %s (%s)", lad_test_name(arena, r), name_failure(arena, r));
    if (t->n[LAD_STATUS_BLOCKED])
        return lad_printf(arena, "stopped: %s", t->blocks[0].text);
    if (t->n_bad && t->n_bad == t->n[LAD_STATUS_MISSING])
        return lad_printf(arena, "cut short before %s", lad_test_name(arena, r));
    if (t->n_bad)
        return lad_printf(arena, "%zu unexpected, first %s (%s)", t->n_bad, lad_test_name(arena, r),
                          name_failure(arena, r));
    return t->n[LAD_STATUS_PASS] ? "top of ladder" : "nothing was tested";
}

/* Driver files by the reason for which they are of no use. */
static void put_refused(FILE *f, struct lad_arena *arena, const struct lad_run *run)
{
    for (size_t i = 0; i < run->n_icds; i++) {
        const char *why = run->icd[i].refused, *list = "";
        bool first = true;
        for (size_t k = 0; why && k < run->n_icds; k++) {
            if (!run->icd[k].refused || strcmp(run->icd[k].refused, why))
                continue;
            first = first && k >= i;
            list = join(
                arena, list, ", ",
                lad_show_line(arena, run->icd[k].file && *run->icd[k].file ? run->icd[k].file : run->icd[k].api, 200));
        }
        if (why && first)
            lad_put_wrapped(f, "refused: ", lad_printf(arena, "%s: %s", lad_show_line(arena, why, 300), list));
    }
}

void lad_text_summary(FILE *f, const struct lad_run *run, bool colour)
{
    struct lad_arena *arena = lad_arena_create();
    struct lad_tally *tally;
    const struct lad_record *first = NULL;
    size_t n = lad_tally(arena, run, &tally), wide = 0;
    for (size_t i = 0; i < n; i++) {
        put_device(f, arena, &tally[i]);
        wide = strlen(tally[i].slug) > wide ? strlen(tally[i].slug) : wide;
        first = first ? first : tally[i].first_bad;
    }
    fputc('\n', f);
    put_refused(f, arena, run);
    for (size_t i = 0; i < n; i++) {
        bool good;
        const char *outcome = name_outcome(arena, &tally[i], &good);
        fprintf(f, "%sSUMMARY:%s %-*s %s; %s\n",
                !colour ? ""
                : good  ? "\x1b[32m"
                        : "\x1b[31m",
                colour ? "\x1b[0m" : "", (int)wide, lad_show_line(arena, tally[i].slug, 80), outcome,
                count_words(arena, &tally[i]));
    }
    if (!n)
        fprintf(f, "SUMMARY: no device to test, nothing was tested\n");
    if (!run->complete)
        lad_put_wrapped(f, "SUMMARY: ",
                        lad_printf(arena, "the run was cut short: %s",
                                   run->cut ? lad_show_line(arena, run->cut, 300) : "no reason given"));
    if (first)
        fprintf(f, "next:    %s -v\n", lad_repeat(arena, run, first));
    else if (!n)
        fprintf(f, "next:    gpuladder doctor\n");
    if (run->output)
        fprintf(f, "report:  %s/run.json and TEST-gpuladder-*.xml beside it\n", lad_show_line(arena, run->output, 400));
    lad_arena_destroy(&arena);
}

static bool write_text(FILE *f, const struct lad_run *run, const struct lad_options *options)
{
    (void)options;
    struct lad_arena *arena = lad_arena_create();
    fprintf(f, "gpuladder %s, %s UTC, seed 0x%llx\n", lad_show_line(arena, run->version, 40),
            lad_show_line(arena, run->started, 40), (unsigned long long)run->seed);
    if (run->command)
        fprintf(f, "%s\n", lad_show_line(arena, run->command, 1000));
    lad_arena_destroy(&arena);
    for (size_t i = 0; i < run->n_records; i++)
        lad_text_record(f, run, &run->record[i], false, true);
    lad_text_summary(f, run, false);
    return !ferror(f);
}

const struct lad_report lad_report_text = {"text", "report.txt", write_text};
