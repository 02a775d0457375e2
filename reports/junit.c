/* SPDX-License-Identifier: Apache-2.0 */
/* JUnit XML that every reader we know takes whole; reports/junit.xsd is what the default flavour is. Written by hand:
 * no CDATA, no entities in text, times without printf's %f, and nothing that lad_clean has not seen. */
#include "report.h"
#include <stdlib.h>
#include <string.h>

enum flavor { DEFAULT, RICH, ANT, SUREFIRE };
enum element { NONE, FAILURE, ERROR, SKIPPED };
static const char *const element_names[] = {"", "failure", "error", "skipped"};

/* One pass over the run; a file over a megabyte is written anew with less, see `levels`. */
struct writer {
    FILE *f;
    struct lad_arena *arena;
    const struct lad_run *run;
    const struct lad_options *options;
    enum flavor flavor;
    bool stdio;
    size_t most_body;
    const char **names; /* taken in this suite */
    size_t n_names;
};
struct sums {
    size_t tests, failures, errors, skipped;
    uint64_t ms;
};
static const struct {
    bool stdio;
    size_t most_body;
    const char *left_out;
} levels[] = {{true, 16384, NULL},
              {false, 16384, "output of the driver"},
              {false, 2000, "output of the driver; bodies over 2000 bytes"},
              {false, 400, "output of the driver; bodies over 400 bytes"}};
enum { most_file = 1000000, most_stdio = 32768 };

static void put_escaped(FILE *f, const char *text, bool attribute)
{
    for (const char *p = text; *p; p++) {
        if (*p == '&')
            fputs("&amp;", f);
        else if (*p == '<')
            fputs("&lt;", f);
        else if (*p == '"' && attribute)
            fputs("&quot;", f);
        else if (*p == '>' && p - text >= 2 && p[-1] == ']' && p[-2] == ']')
            fputs("&gt;", f);
        else
            fputc(*p, f);
    }
}

static void put_attribute(struct writer *w, const char *name, const char *text)
{
    fprintf(w->f, " %s=\"", name);
    put_escaped(w->f, lad_show_line(w->arena, text, 1000), true);
    fputc('"', w->f);
}

static void put_count(struct writer *w, const char *name, size_t value)
{
    fprintf(w->f, " %s=\"%zu\"", name, value);
}

static uint64_t count_ms(const struct lad_record *r)
{
    return r->time_ns / 1000000 + (r->time_ns % 1000000 >= 500000);
}

static void put_time(struct writer *w, uint64_t ms)
{
    fprintf(w->f, " time=\"%llu.%03u\"", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

static void put_property(struct writer *w, const char *indent, const char *prefix, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    fprintf(w->f, "%s<property", indent);
    put_attribute(w, "name", lad_printf(w->arena, "%s%s", prefix, name));
    put_attribute(w, "value", value);
    fputs("/>\n", w->f);
}

static enum element judge_record(const struct lad_record *r)
{
    if (r->status == LAD_STATUS_PASS)
        return r->unexpected ? FAILURE : NONE;
    if (!lad_record_bad(r))
        return SKIPPED; /* skipped, blocked, expected */
    return r->status == LAD_STATUS_FAIL ? FAILURE : ERROR;
}

/* Lower case, digits, dot and dash only; never empty. */
static char *make_token(struct lad_arena *arena, const char *text, const char *otherwise)
{
    char *token = lad_show_line(arena, text && *text ? text : otherwise, 200);
    for (char *p = token; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
        else if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", *p))
            *p = '-';
    }
    return token;
}

/* Readers keep one of two tests that share classname and name. */
static const char *take_name(struct writer *w, const char *classname, const char *name)
{
    const char *taken = name;
    for (unsigned number = 2;; number++) {
        const char *whole = lad_printf(w->arena, "%s %s", classname, taken);
        size_t i = 0;
        while (i < w->n_names && strcmp(w->names[i], whole))
            i++;
        if (i == w->n_names) {
            *LAD_PUSH(w->arena, w->names, w->n_names) = whole;
            return taken;
        }
        taken = lad_printf(w->arena, "%s-%u", name, number);
    }
}

/* Head and tail of what the worker printed, without what becomes an entity. */
static void put_output(struct writer *w, const char *text, uint64_t bytes)
{
    size_t n = strlen(text), head = n, tail = 0;
    if (n > 2 * (size_t)most_stdio) {
        head = most_stdio;
        tail = most_stdio;
    }
    if (bytes > n)
        fprintf(w->f, "[... %llu bytes left out ...]\n", (unsigned long long)(bytes - n));
    for (int part = 0; part < (tail ? 2 : 1); part++) {
        const char *clean = lad_clean(w->arena, part ? text + n - tail : text, part ? tail : head, 0);
        for (const char *p = clean; *p; p++) {
            if (*p == '&' || *p == '<' || (*p == '>' && p - clean >= 2 && p[-1] == ']' && p[-2] == ']'))
                fprintf(w->f, "\\x%02x", (unsigned)*p);
            else
                fputc(*p, w->f);
        }
        if (!part && tail)
            fprintf(w->f, "\n[... %zu bytes left out ...]\n", n - head - tail);
    }
    if (!n || text[n - 1] != '\n')
        fputc('\n', w->f);
}

/* Tries that the result does not show: of a flaky pass all that failed, of a failure the later ones. */
static void put_tries(struct writer *w, const struct lad_record *r, enum element element)
{
    const char *name = element == NONE ? "flakyFailure" : element == ERROR ? "rerunError" : "rerunFailure";
    if (w->flavor == ANT || element == SKIPPED)
        return;
    for (size_t i = 0; i < r->n_retries; i++) {
        struct lad_record as = {.status = r->retry[i].status, .type = r->retry[i].type, .message = r->retry[i].message};
        fprintf(w->f, "      <%s", name);
        put_attribute(w, "message", lad_headline(w->arena, &as));
        put_attribute(w, "type", lad_type_token(w->arena, &as));
        fprintf(w->f, ">\n        <stackTrace>%s: %s, after %s s</stackTrace>\n      </%s>\n",
                lad_status_name(as.status), lad_headline(w->arena, &as), lad_show_time(w->arena, r->retry[i].time_ns),
                name);
    }
    if (element == NONE && r->flaky && !r->n_retries)
        fprintf(w->f,
                "      <flakyFailure message=\"failed before, passed on try %u\" type=\"ladder.flaky\">\n"
                "        <stackTrace>what failed was not recorded</stackTrace>\n      </flakyFailure>\n",
                r->tries);
}

static void put_rich(struct writer *w, const struct lad_record *r)
{
    if (!r->n_facts && !r->n_measures && !r->proves)
        return;
    fputs("      <properties>\n", w->f);
    put_property(w, "        ", "", "proves", r->proves);
    for (size_t i = 0; i < r->n_facts; i++)
        put_property(w, "        ", "evidence.", lad_printf(w->arena, "%zu", i + 1),
                     lad_printf(w->arena, "%c %s", r->facts[i].sign, r->facts[i].text));
    for (size_t i = 0; i < r->n_measures; i++)
        put_property(w, "        ", "measure.", lad_printf(w->arena, "%zu", i + 1),
                     lad_show_measure(w->arena, &r->measures[i]));
    fputs("      </properties>\n", w->f);
}

static void put_case(struct writer *w, const char *suite, const struct lad_record *r)
{
    enum element element = judge_record(r);
    const char *classname = lad_printf(w->arena, "ladder.%s.%s", suite, make_token(w->arena, r->group, "unnamed"));
    bool rich = w->flavor == RICH;
    fputs("    <testcase", w->f);
    put_attribute(w, "classname", classname);
    put_attribute(w, "name", take_name(w, classname, lad_test_name(w->arena, r)));
    if (rich && r->file) {
        uint64_t checked = 0;
        for (size_t i = 0; i < r->n_seen; i++)
            checked += r->seen[i].n_checked;
        put_attribute(w, "file", r->file);
        put_count(w, "line", (size_t)(r->line > 0 ? r->line : 1));
        put_count(w, "assertions", (size_t)checked);
    }
    put_time(w, count_ms(r));
    if (element == NONE && !r->n_retries && !r->flaky && !rich) {
        fputs("/>\n", w->f);
        return;
    }
    fputs(">\n", w->f);
    if (rich)
        put_rich(w, r);
    if (element != NONE) {
        fprintf(w->f, "      <%s", element_names[element]);
        put_attribute(w, "message", lad_headline(w->arena, r));
        if (element != SKIPPED) {
            put_attribute(w, "type", lad_type_token(w->arena, r));
            fputc('>', w->f);
            put_escaped(w->f, lad_body(w->arena, w->run, r, w->most_body), false);
            fprintf(w->f, "</%s>\n", element_names[element]);
        } else {
            fputs("/>\n", w->f);
        }
    }
    put_tries(w, r, element);
    if ((element == FAILURE || element == ERROR) && r->output && *r->output && w->stdio && w->flavor != ANT) {
        fputs("      <system-out>", w->f);
        put_output(w, r->output, r->output_bytes);
        fputs("</system-out>\n", w->f);
    }
    fputs("    </testcase>\n", w->f);
}

static void add_record(struct sums *s, const struct lad_record *r)
{
    enum element element = judge_record(r);
    s->tests++;
    s->failures += element == FAILURE;
    s->errors += element == ERROR;
    s->skipped += element == SKIPPED;
    s->ms += count_ms(r);
}

static void put_device(struct writer *w, const char *prefix, const struct lad_device *d)
{
    static const char *const types[] = {"other", "cpu", "integrated", "discrete", "simulator"};
    const char *const rows[][2] = {{"spec", d->spec},
                                   {"name", d->info.name},
                                   {"vendor", d->info.vendor},
                                   {"driver", d->info.driver},
                                   {"api", d->info.api},
                                   {"type", types[(unsigned)d->info.type < LAD_N(types) ? d->info.type : 0]},
                                   {"uuid", d->info.uuid},
                                   {"bus", d->info.bus},
                                   {"icd", d->icd ? d->icd->file : NULL},
                                   {"library", d->icd ? d->icd->library : NULL}};
    for (size_t i = 0; i < LAD_N(rows); i++)
        put_property(w, "      ", lad_printf(w->arena, "%sdevice.", prefix), rows[i][0], rows[i][1]);
}

static void put_properties(struct writer *w, const struct lad_tally *t, size_t n, const char *left_out)
{
    const struct lad_run *run = w->run;
    const char *indent = "      ";
    fputs("    <properties>\n", w->f);
    put_property(w, indent, "", "tool.version", run->version ? run->version : "unknown");
    put_property(w, indent, "", "run.command", run->command);
    put_property(w, indent, "", "run.os", run->os);
    put_property(w, indent, "", "run.seed", lad_printf(w->arena, "0x%llx", (unsigned long long)run->seed));
    put_property(w, indent, "", "run.cut", run->cut);
    put_property(w, indent, "", "report.left-out", left_out);
    for (size_t i = 0; i < n; i++)
        if (t[i].device)
            put_device(w, n > 1 ? lad_printf(w->arena, "%s.", t[i].slug) : "", t[i].device);
    for (size_t i = 0; i < run->n_icds; i++)
        if (run->icd[i].refused)
            put_property(w, indent, "refused.", lad_printf(w->arena, "%zu", i),
                         lad_printf(w->arena, "%s %s: %s", run->icd[i].api ? run->icd[i].api : "",
                                    run->icd[i].file ? run->icd[i].file : "", run->icd[i].refused));
    for (size_t i = 0; i < run->n_env; i++) {
        const char *equals = strchr(run->env[i], '=');
        if (equals)
            put_property(w, indent, "env.", lad_printf(w->arena, "%.*s", (int)(equals - run->env[i]), run->env[i]),
                         equals + 1);
    }
    fputs("    </properties>\n", w->f);
}

/* A suite without a test is read as a broken file, and silence as success. */
static void make_nothing(struct writer *w, struct lad_record *r)
{
    bool error = !w->run->complete || (w->options && w->options->require && w->options->require[0]);
    const char *why = w->run->cut ? w->run->cut : w->run->n_devices ? "no case was selected" : "no device to test";
    *r = (struct lad_record){.id = "nothing-ran",
                             .group = "environment",
                             .device = "none",
                             .seed = w->run->seed,
                             .status = error ? LAD_STATUS_MISSING : LAD_STATUS_SKIP,
                             .type = "ladder.missing",
                             .message = lad_printf(w->arena, "nothing ran: %s", why)};
    for (size_t i = 0; i < w->run->n_icds; i++)
        if (w->run->icd[i].refused)
            lad_record_fact(w->arena, r, '!', "%s: %s", w->run->icd[i].file ? w->run->icd[i].file : "",
                            w->run->icd[i].refused);
}

static bool is_timestamp(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00";
    for (size_t i = 0; i < sizeof shape; i++)
        if (!text || (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]))
            return false;
    return true;
}

static void put_suite(struct writer *w, size_t id, const char *name, const struct lad_tally *t, size_t n,
                      const char *left_out)
{
    struct sums sums = {0};
    struct lad_record nothing;
    bool plain = w->flavor == SUREFIRE, empty = true;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].n_records; j++, empty = false)
            add_record(&sums, t[i].record[j]);
    if (empty) {
        make_nothing(w, &nothing);
        add_record(&sums, &nothing);
    }
    fputs("  <testsuite", w->f);
    if (!plain)
        put_count(w, "id", id);
    put_attribute(w, "name", name);
    if (w->flavor == ANT)
        put_attribute(w, "package", "ladder");
    put_count(w, "tests", sums.tests);
    put_count(w, "failures", sums.failures);
    put_count(w, "errors", sums.errors);
    put_count(w, "skipped", sums.skipped);
    put_time(w, sums.ms);
    if (!plain) {
        put_attribute(w, "timestamp", is_timestamp(w->run->started) ? w->run->started : "1970-01-01T00:00:00");
        put_attribute(w, "hostname", w->run->host && *w->run->host ? w->run->host : "localhost");
    }
    fputs(">\n", w->f);
    put_properties(w, t, n, left_out);
    w->n_names = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].n_records; j++)
            put_case(w, n > 1 ? make_token(w->arena, t[i].slug, "unnamed") : name, t[i].record[j]);
    if (empty)
        put_case(w, name, &nothing);
    if (w->flavor == ANT) {
        fputs("    <system-out>", w->f);
        for (size_t i = 0; w->stdio && i < n; i++)
            for (size_t j = 0; j < t[i].n_records; j++)
                if (judge_record(t[i].record[j]) && t[i].record[j]->output)
                    put_output(w, t[i].record[j]->output, t[i].record[j]->output_bytes);
        fputs("</system-out>\n    <system-err></system-err>\n", w->f);
    }
    fputs("  </testsuite>\n", w->f);
}

static void put_all(struct writer *w, const struct lad_tally *t, size_t n, const char *left_out)
{
    static const struct lad_tally none = {.slug = "none"};
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", w->f);
    if (!n) {
        t = &none;
        n = 1;
    }
    if (w->flavor == SUREFIRE) { /* its root is one suite */
        put_suite(w, 0, n > 1 ? "gpuladder" : make_token(w->arena, t->slug, "unnamed"), t, n, left_out);
        return;
    }
    struct sums sums = {0};
    for (const struct lad_record *r = w->run->record; r < w->run->record + w->run->n_records; r++)
        add_record(&sums, r);
    struct lad_record nothing;
    make_nothing(w, &nothing);
    for (size_t i = 0; i < n; i++)
        if (!t[i].n_records)
            add_record(&sums, &nothing);
    fputs("<testsuites", w->f);
    if (w->flavor != ANT) {
        put_attribute(w, "name", "gpuladder");
        put_count(w, "tests", sums.tests);
        put_count(w, "failures", sums.failures);
        put_count(w, "errors", sums.errors);
        put_time(w, sums.ms);
    }
    fputs(">\n", w->f);
    const char **suites = NULL;
    size_t n_suites = 0;
    for (size_t i = 0; i < n; i++) {
        w->names = suites;
        w->n_names = n_suites;
        const char *name = take_name(w, "", make_token(w->arena, t[i].slug, "unnamed"));
        suites = w->names;
        n_suites = w->n_names;
        w->names = NULL;
        put_suite(w, i, name, t + i, 1, left_out);
    }
    fputs("</testsuites>\n", w->f);
}

static enum flavor choose_flavor(const struct lad_options *options)
{
    static const char *const names[] = {"default", "rich", "ant", "surefire"};
    for (size_t i = 0; options && options->flavor && i < LAD_N(names); i++)
        if (!strcmp(options->flavor, names[i]))
            return (enum flavor)i;
    return DEFAULT;
}

static bool write_junit(FILE *f, const struct lad_run *run, const struct lad_options *options)
{
    char *text = NULL;
    size_t bytes = 0;
    for (size_t level = 0; level < LAD_N(levels); level++) {
        struct lad_arena *arena = lad_arena_create();
        struct lad_tally *tally;
        free(text);
        text = NULL;
        struct writer w = {.f = open_memstream(&text, &bytes),
                           .arena = arena,
                           .run = run,
                           .options = options,
                           .flavor = choose_flavor(options),
                           .stdio = levels[level].stdio,
                           .most_body = levels[level].most_body};
        if (!w.f)
            abort();
        size_t n = lad_tally(arena, run, &tally);
        put_all(&w, tally, n, levels[level].left_out);
        fclose(w.f);
        lad_arena_destroy(&arena);
        if (bytes <= most_file)
            break;
    }
    bool ok = fwrite(text, 1, bytes, f) == bytes;
    free(text);
    return ok;
}

const struct lad_report lad_report_junit = {"junit", "TEST-gpuladder-DEVICE.xml", write_junit};
