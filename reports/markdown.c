/* SPDX-License-Identifier: Apache-2.0 */
/* The bring-up checklist in Markdown: for $GITHUB_STEP_SUMMARY, which drops what is over a megabyte, and for issues. */
#include "report.h"
#include <stdlib.h>
#include <string.h>

enum { most_bytes = 900000, most_failures = 40, most_reasons = 40 };

/* Text of drivers and cases: as it is where it holds nothing that Markdown or the site reads, else a code span, in
 * which nothing is read. */
static const char *show(struct lad_arena *arena, const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.:;()/'%=+-";
    char *line = lad_show_line(arena, text, 400);
    if (strspn(line, safe) == strlen(line) && !strstr(line, "://") && !strstr(line, "www."))
        return line;
    for (char *p = line; *p; p++)
        *p = *p == '`' ? '\'' : *p == '|' ? '/' : *p; /* the bar would end a table's cell even here */
    return lad_printf(arena, "`%s`", line);
}

static const char *code(struct lad_arena *arena, const char *text)
{
    char *line = lad_show_line(arena, text, 2000);
    for (char *p = line; *p; p++)
        *p = *p == '`' ? '\'' : *p == '|' ? '/' : *p;
    return lad_printf(arena, "`%s`", line);
}

static const char *upper(struct lad_arena *arena, const char *word)
{
    char *text = lad_strdup(arena, word);
    for (char *p = text; *p; p++)
        *p -= *p >= 'a' && *p <= 'z' ? 'a' - 'A' : 0;
    return text;
}

static const char *count_rung(struct lad_arena *arena, const size_t *n, size_t n_known)
{
    const char *list = "";
    for (int i = 0; i < LAD_STATUS_COUNT; i++)
        if (n[i])
            list = lad_printf(arena, "%s%s%zu %s", list, *list ? ", " : "", n[i], lad_status_name((enum lad_status)i));
    return n_known ? lad_printf(arena, "%s (%zu of them expected)", list, n_known) : list;
}

static void put_failure(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r)
{
    fprintf(f, "  - %s **%s**: %s\n", code(arena, lad_test_name(arena, r)),
            r->status == LAD_STATUS_PASS ? "XPASS" : upper(arena, lad_status_name(r->status)),
            show(arena, lad_headline(arena, r)));
    struct lad_why why;
    if (lad_answer(arena, r, &why)) {
        fprintf(f, "    - answer: %s%s%s%s%s\n", show(arena, why.sentence), why.cause ? "; **" : "",
                why.cause ? show(arena, lad_printf(arena, "%s %s", why.cause->id, why.cause->name)) : "",
                why.cause ? "**, " : "; ", show(arena, why.verdict));
        if (why.place)
            fprintf(f, "    - place: %s\n", show(arena, why.place));
        for (size_t i = 0; i < why.n_pro && i < 4; i++)
            fprintf(f, "    - for: %s\n", show(arena, why.pro[i]));
        for (size_t i = 0; i < why.n_contra && i < 2; i++)
            fprintf(f, "    - against: %s\n", show(arena, why.contra[i]));
        if (why.other)
            fprintf(f, "    - or: %s\n", show(arena, lad_printf(arena, "%s %s", why.other->id, why.other->name)));
    }
    for (size_t i = 0; i < r->n_seen && i < 8; i++)
        if (r->seen[i].n_wrong)
            fprintf(f, "    - seen: %s, %llu of %llu wrong, %s\n", show(arena, r->seen[i].name),
                    (unsigned long long)r->seen[i].n_wrong, (unsigned long long)r->seen[i].n_checked,
                    show(arena, r->seen[i].signature));
    for (size_t i = 0; i < r->n_facts && i < 8; i++)
        fprintf(f, "    - %s: %s\n",
                r->facts[i].sign == '+'   ? "works"
                : r->facts[i].sign == '!' ? "broken"
                                          : "not known",
                show(arena, r->facts[i].text));
    fprintf(f, "    - repeat: %s\n", code(arena, lad_repeat(arena, run, r)));
}

static void put_rung(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_tally *t,
                     const struct lad_tally_rung *rung, size_t *room)
{
    bool start = t->first_bad && t->first_bad->rung == rung->number;
    const char *title = lad_printf(arena, "r%02d %s%s%s", rung->number, show(arena, rung->name),
                                   *rung->proves ? ": " : "", rung->proves);
    const char *counts = count_rung(arena, rung->n, rung->n_known);
    switch (rung->state) {
    case LAD_RUNG_WORKS:
        fprintf(f, "- [x] %s (%s)\n", title, counts);
        return;
    case LAD_RUNG_UNTRIED:
        fprintf(f, "- [ ] %s (not applicable, %s)\n", title, counts);
        return;
    case LAD_RUNG_BLOCKED:
        fprintf(f, "- [ ] %s (BLOCKED%s%s, %s)\n", title, t->blocker ? " by " : "",
                t->blocker ? code(arena, lad_test_name(arena, t->blocker)) : "", counts);
        return;
    case LAD_RUNG_MISSING:
        fprintf(f, "- [ ] %s (**MISSING**, did not run to its end; %s)%s\n", title, counts, start ? " start here" : "");
        return;
    case LAD_RUNG_BROKEN:
        break;
    }
    fprintf(f, "- [ ] **%s: %s**%s\n", title, counts, start ? " - start here" : "");
    size_t left_out = 0;
    for (size_t i = 0; i < t->n_records; i++) {
        const struct lad_record *r = t->record[i];
        if (r->rung != rung->number || !lad_record_bad(r) || r->status == LAD_STATUS_MISSING)
            continue;
        if (*room) {
            (*room)--;
            put_failure(f, arena, run, r);
        } else {
            left_out++;
        }
    }
    if (left_out)
        fprintf(f, "  - %zu more failures, not listed\n", left_out);
    if (start)
        fputs("  - fill in: driver commit `______`, what changed since it last worked `______`\n", f);
}

static void put_mission(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    fputs("\n| mission | result |\n| --- | --- |\n", f);
    for (const char *const *glob = lad_mission; *glob; glob++) {
        bool found = false;
        for (size_t i = 0; i < t->n_records; i++) {
            const struct lad_record *r = t->record[i];
            if (!lad_glob(*glob, r->id))
                continue;
            found = true;
            fprintf(f, "| %s | %s |\n", code(arena, r->id), upper(arena, lad_status_name(r->status)));
        }
        if (!found)
            fprintf(f, "| %s | not run |\n", code(arena, *glob));
    }
}

static void put_speed(FILE *f, struct lad_arena *arena, const struct lad_tally *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_records; i++)
        for (size_t m = 0; m < t->record[i]->n_measures; m++) {
            const struct lad_measure *best = lad_best_measure(t->record[i], m);
            if (best && n++ < most_reasons)
                fprintf(f, "%s- %s: %s\n", n == 1 ? "\nSpeed:\n\n" : "",
                        code(arena, lad_test_name(arena, t->record[i])), show(arena, lad_show_measure(arena, best)));
        }
}

static void put_device(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_tally *t)
{
    size_t room = most_failures;
    fprintf(f, "\n## Bring-up: %s\n\n", show(arena, t->slug));
    if (t->device)
        fprintf(f, "%s\n\n", show(arena, lad_show_device(arena, t->device)));
    for (size_t i = 0; i < t->n_findings; i++)
        fprintf(f, "%s- %s\n", i ? "" : "Findings:\n\n", show(arena, lad_show_finding(arena, &t->finding[i])));
    if (t->n_findings)
        fputc('\n', f);
    for (size_t i = 0; i < t->n_rungs; i++)
        put_rung(f, arena, run, t, &t->rung[i], &room);
    if (!t->n_rungs)
        fputs("Nothing was run on this device.\n", f);
    else
        put_mission(f, arena, t);
    put_speed(f, arena, t);
    if (t->n_skips)
        fputs("\nNot applicable here:\n\n", f);
    for (size_t i = 0; i < t->n_skips && i < most_reasons; i++)
        fprintf(f, "- %zu case%s, such as %s: %s\n", t->skips[i].n, t->skips[i].n == 1 ? "" : "s",
                code(arena, lad_test_name(arena, t->skips[i].first)), show(arena, t->skips[i].text));
    if (t->n_skips > most_reasons)
        fprintf(f, "- and %zu more reasons\n", t->n_skips - most_reasons);
}

static void put_head(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_tally *t, size_t n)
{
    fprintf(f, "# gpuladder: %s, version %s, seed 0x%llx\n\n",
            show(arena, lad_printf(arena, "%.10s", run->started ? run->started : "no date")), show(arena, run->version),
            (unsigned long long)run->seed);
    if (!run->complete)
        fprintf(f, "**The run was cut short:** %s\n\n", show(arena, run->cut ? run->cut : "no reason given"));
    if (!n)
        fputs("**No device to test, nothing was tested.** Next: `gpuladder doctor`\n", f);
    else
        fputs("| device | verdict | counts |\n| --- | --- | --- |\n", f);
    for (size_t i = 0; i < n; i++) {
        const char *counts = count_rung(arena, t[i].n, t[i].n_known);
        const char *verdict = !t[i].n[LAD_STATUS_PASS] && !t[i].n_bad ? "nothing was tested" : "PASS";
        if (t[i].first_bad)
            verdict = lad_printf(arena, "**%s**, starts at %s",
                                 t[i].n_bad == t[i].n[LAD_STATUS_MISSING] ? "INCOMPLETE" : "FAIL",
                                 code(arena, lad_test_name(arena, t[i].first_bad)));
        fprintf(f, "| %s | %s | %s |\n", show(arena, t[i].slug), verdict, *counts ? counts : "none");
    }
    bool any = false;
    for (size_t i = 0; i < run->n_icds && i < 100; i++) {
        if (!run->icd[i].refused)
            continue;
        fputs(any ? "" : "\nDrivers that could not be used:\n\n", f);
        any = true;
        fprintf(f, "- %s %s: %s\n", show(arena, run->icd[i].api), code(arena, run->icd[i].file),
                show(arena, run->icd[i].refused));
    }
}

static bool write_markdown(FILE *f, const struct lad_run *run, const struct lad_options *options)
{
    (void)options;
    struct lad_arena *arena = lad_arena_create();
    struct lad_tally *tally;
    size_t n = lad_tally(arena, run, &tally), total = 0, left_out = 0;
    for (size_t i = 0; i <= n; i++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *part = open_memstream(&text, &bytes);
        if (!part)
            abort();
        if (!i)
            put_head(part, arena, run, tally, n);
        else
            put_device(part, arena, run, &tally[i - 1]);
        fclose(part);
        if (total + bytes < most_bytes) {
            fwrite(text, 1, bytes, f);
            total += bytes;
        } else {
            left_out++;
        }
        free(text);
    }
    if (left_out)
        fprintf(f, "\n%zu parts are left out, they would have made this page longer than %d bytes.\n", left_out,
                most_bytes);
    lad_arena_destroy(&arena);
    return !ferror(f);
}

const struct lad_report lad_report_markdown = {"markdown", "report.md", write_markdown};
