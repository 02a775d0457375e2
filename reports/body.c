/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about one failure in plain text, the decisive part first: readers cut at 2 lines, at 2,000 characters or
 * at 64 KB. No '<', no '&': some readers stop at a thousand entities. */
#include "report.h"
#include <stdlib.h>
#include <string.h>

char *lad_test_name(struct lad_arena *arena, const struct lad_record *r)
{
    unsigned rung = r->rung < 0 ? 0 : (unsigned)r->rung;
    char *name = lad_printf(arena, "r%02u-%s", rung, lad_show_line(arena, r->id, 200));
    for (char *p = name; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
        else if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", *p))
            *p = '-';
    }
    return name;
}

char *lad_type_token(struct lad_arena *arena, const struct lad_record *r)
{
    if (r->unexpected && r->status == LAD_STATUS_PASS)
        return lad_strdup(arena, "ladder.expectation.unexpected-pass");
    const char *type = lad_show_line(arena, r->type, 100);
    /* Some readers take a bare word for a cast of the text ("file", "integer"), so only dotted ones of ours pass. */
    bool ours = !strncmp(type, "ladder.", 7) && type[7] && type[7] != '.';
    char *token = lad_printf(arena, "%s%s", ours ? "" : "ladder.", ours || *type ? type : lad_status_name(r->status));
    for (char *p = token; *p; p++) {
        bool dot = *p == '.' && p > token && p[-1] != '.' && p[1] && p[1] != '.';
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
        else if (!dot && !strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *p))
            *p = '-';
    }
    return token;
}

static char *choose_message(struct lad_arena *arena, const struct lad_record *r)
{
    const char *message = r->message && *r->message ? r->message : NULL;
    if (r->unexpected && r->status == LAD_STATUS_PASS)
        return lad_printf(arena, "passed, but a failure was expected: %s", r->known ? r->known : "no reason given");
    if (r->known && r->status >= LAD_STATUS_FAIL && !lad_record_bad(r))
        return lad_printf(arena, "expected failure: %s (%s)", r->known, message ? message : lad_status_name(r->status));
    if (r->status == LAD_STATUS_BLOCKED && (!message || strncmp(message, "blocked", 7)))
        return lad_printf(arena, "blocked: %s", message ? message : r->blocker ? r->blocker : "by a lower rung");
    return message ? lad_strdup(arena, message) : lad_printf(arena, "%s, no reason given", lad_status_name(r->status));
}

char *lad_headline(struct lad_arena *arena, const struct lad_record *r)
{
    char *line = lad_show_line(arena, choose_message(arena, r), 200);
    for (char *p = line; *p; p++)
        if (strchr("\"<>&", *p))
            *p = *p == '"' ? '\'' : *p == '<' ? '(' : *p == '>' ? ')' : '+';
    return *line ? line : "no reason given";
}

/* One word for a shell. */
static char *quote(struct lad_arena *arena, const char *text)
{
    const char *clean = lad_show_line(arena, text, 400);
    if (*clean &&
        strspn(clean, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+-@%") == strlen(clean))
        return (char *)clean;
    char *word = lad_alloc(arena, 4 * strlen(clean) + 3), *p = word;
    *p++ = '\'';
    for (; *clean; clean++) {
        if (*clean == '\'') {
            memcpy(p, "'\\''", 4);
            p += 4;
        } else {
            *p++ = *clean;
        }
    }
    *p++ = '\'';
    return word;
}

static const struct lad_device *find_device(const struct lad_run *run, const struct lad_record *r)
{
    for (const struct lad_device *d = run->device; d < run->device + run->n_devices; d++)
        if (!strcmp(d->slug, r->device))
            return d;
    return NULL;
}

char *lad_repeat(struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r)
{
    /* Without these another driver, or none, would be found. */
    static const char *const needed[] = {"VK_DRIVER_FILES=", "VK_ADD_DRIVER_FILES=", "VK_ICD_FILENAMES=",
                                         "OCL_ICD_VENDORS=", "OCL_ICD_FILENAMES=",   "RUSTICL_ENABLE="};
    const struct lad_device *d = find_device(run, r);
    char *text = "";
    for (size_t i = 0; i < run->n_env; i++)
        for (size_t j = 0; j < LAD_N(needed); j++) {
            size_t n = strlen(needed[j]);
            if (r->spec && !strncmp(r->spec, needed[j][0] == 'V' ? "cl:" : "vk:", 3))
                continue; /* the other API's */
            if (!strncmp(run->env[i], needed[j], n))
                text = lad_printf(arena, "%s%s%s ", text, needed[j], quote(arena, run->env[i] + n));
        }
    text = lad_printf(arena, "%sgpuladder run", text);
    if (d && d->icd && d->icd->api && !strcmp(d->icd->api, "plugin"))
        text = lad_printf(arena, "%s --plugin %s", text, quote(arena, d->icd->file ? d->icd->file : ""));
    if (r->file && strncmp(r->file, "builtin/", 8))
        text = lad_printf(arena, "%s --cases %s", text, quote(arena, r->file));
    const char *drop = run->command ? strstr(run->command, " --drop") : NULL;
    if (drop && (drop[7] == ' ' || drop[7] == '='))
        text = lad_printf(arena, "%s --drop=%s", text,
                          quote(arena, lad_printf(arena, "%.*s", (int)strcspn(drop + 8, " "), drop + 8)));
    char *inject = r->inject ? lad_strdup(arena, r->inject) : NULL, *save = NULL;
    for (char *one = inject ? strtok_r(inject, ";", &save) : NULL; one; one = strtok_r(NULL, ";", &save))
        text = lad_printf(arena, "%s --inject %s", text, quote(arena, one));
    return lad_printf(arena, "%s --device %s --only %s --seed 0x%llx", text, quote(arena, r->device),
                      quote(arena, r->id), (unsigned long long)(r->seed ? r->seed : run->seed));
}

static void put_list(FILE *f, struct lad_arena *arena, const char *lead, const char *const *list, size_t n, size_t most)
{
    static const char blank[] = "         ";
    for (size_t i = 0; i < n && i < most; i++)
        lad_put_wrapped(f, lad_printf(arena, "  %-9s", i ? blank + 2 : lead), lad_show_line(arena, list[i], 300));
    if (n > most)
        fprintf(f, "  %-9s%zu more\n", "", n - most);
}

/* One command: what would say more. */
static const char *choose_next(struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r,
                               const struct lad_why *why)
{
    bool validated = false, api = r->spec && (!strncmp(r->spec, "vk", 2) || !strncmp(r->spec, "cl", 2));
    for (size_t i = 0; i < r->n_trials; i++)
        validated = validated || !strcmp(r->trial[i].name, "validation");
    if (run && why->sure != LAD_SURE_DECIDED && api && !validated)
        return lad_printf(arena, "%s --validate", lad_repeat(arena, run, r));
    return why->cause ? lad_printf(arena, "gpuladder explain %s", why->cause->id)
           : run      ? lad_printf(arena, "%s -v", lad_repeat(arena, run, r))
                      : "gpuladder explain";
}

void lad_put_answer(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r)
{
    struct lad_why why;
    if (!lad_answer(arena, r, &why))
        return;
    lad_put_wrapped(f, "  answer   ", why.sentence);
    if (why.cause)
        lad_put_wrapped(f, "  cause    ",
                        lad_printf(arena, "%s %s%s", why.cause->id, why.cause->name,
                                   why.sure == LAD_SURE_DECIDED  ? " (decided)"
                                   : why.sure == LAD_SURE_LIKELY ? " (likely)"
                                                                 : ""));
    if (why.sure == LAD_SURE_OPEN)
        lad_put_wrapped(f, why.cause ? "           " : "  cause    ", lad_show_line(arena, why.verdict, 400));
    if (why.place)
        lad_put_wrapped(f, "  place    ", lad_show_line(arena, why.place, 200));
    if (why.scope)
        lad_put_wrapped(f, "  scope    ", lad_show_line(arena, why.scope, 300));
    put_list(f, arena, "for", why.pro, why.n_pro, 6);
    put_list(f, arena, "against", why.contra, why.n_contra, 4);
    if (why.other) {
        bool said = why.decides && strstr(why.verdict, why.decides);
        lad_put_wrapped(f, "  or       ",
                        lad_printf(arena, "%s %s%s%s", why.other->id, why.other->name,
                                   why.decides && !said ? "; to part them: " : "",
                                   why.decides && !said ? why.decides : ""));
    }
    for (size_t i = 0; i < r->n_trials; i++)
        lad_put_wrapped(f, i ? "           " : "  tried    ",
                        lad_printf(arena, "%s (%s s)", lad_show_line(arena, r->trial[i].text, 320),
                                   lad_show_time(arena, r->trial[i].time_ns)));
    if (why.next)
        lad_put_wrapped(f, "  look     ", why.next);
    fprintf(f, "  next:    %s\n", choose_next(arena, run, r, &why));
}

/* One line: class, how sure, and what kind of failure. */
static char *say_cause(struct lad_arena *arena, const struct lad_record *r)
{
    struct lad_why why;
    if (!lad_answer(arena, r, &why) || !why.cause)
        return NULL;
    return lad_printf(arena, "%s %s (%s): %s", why.cause->id, why.cause->name, why.verdict, why.sentence);
}

static void put_message(FILE *f, struct lad_arena *arena, const char *message, size_t most)
{
    char *clean = lad_clean(arena, message, strlen(message), most), *save = NULL;
    for (char *line = strtok_r(clean, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        fprintf(f, "    | %s\n", lad_show_line(arena, line, most)); /* the bar: "at f(" would be read as a Java frame */
}

static void put_facts(FILE *f, struct lad_arena *arena, const struct lad_record *r)
{
    if (r->n_facts)
        fputs("\n  what is known\n", f);
    for (size_t i = 0; i < r->n_facts; i++) {
        char sign = r->facts[i].sign;
        char lead[] = {' ', ' ', ' ', ' ', sign == '+' || sign == '!' ? sign : '-', ' ', 0};
        lad_put_wrapped(f, lead, lad_show_line(arena, r->facts[i].text, 1000));
    }
}

static void put_ended(FILE *f, struct lad_arena *arena, const struct lad_record *r)
{
    if (r->signal) {
        const char *name = sigabbrev_np(r->signal);
        fprintf(f, "  ended    the worker died of signal %d%s%s\n", r->signal, name ? ", SIG" : "", name ? name : "");
    } else if (r->exit_code > 0 || (r->exit_code == 0 && r->status == LAD_STATUS_CRASH)) {
        fprintf(f, "  ended    the worker left with exit status %d\n", r->exit_code);
    }
    for (size_t i = 0; i < r->n_retries; i++)
        lad_put_wrapped(f, "  try      ",
                        lad_printf(arena, "%s after %s s: %s", lad_status_name(r->retry[i].status),
                                   lad_show_time(arena, r->retry[i].time_ns),
                                   lad_show_line(arena, r->retry[i].message, 300)));
}

void lad_put_context(FILE *f, struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r)
{
    const struct lad_device *d = find_device(run, r);
    lad_put_wrapped(f, "  device   ", d ? lad_show_device(arena, d) : lad_show_line(arena, r->device, 100));
    if (r->file)
        lad_put_wrapped(f, "  case     ",
                        lad_printf(arena, "%s:%d  rung %d %s", lad_show_line(arena, r->file, 200), r->line, r->rung,
                                   lad_show_line(arena, r->group, 40)));
    if (r->proves)
        lad_put_wrapped(f, "  proves   ", lad_show_line(arena, r->proves, 300));
    put_ended(f, arena, r);
    if (r->sweep && r->sweep_failed == r->sweep_reached && !r->sweep_passed)
        lad_put_wrapped(f, "  sweep    ",
                        lad_printf(arena, "%s = %lld is the smallest tried that fails",
                                   lad_show_line(arena, r->sweep, 40), (long long)r->sweep_failed));
    else if (r->sweep)
        lad_put_wrapped(
            f, "  sweep    ",
            lad_printf(arena,
                       "%s = %lld is the smallest that fails, %lld the largest below it that passes, tried up to %lld",
                       lad_show_line(arena, r->sweep, 40), (long long)r->sweep_failed, (long long)r->sweep_passed,
                       (long long)r->sweep_reached));
}

void lad_put_evidence(FILE *f, struct lad_arena *arena, const struct lad_record *r, size_t rows, bool arrow)
{
    for (size_t i = 0; i < r->n_seen; i++) {
        lad_put_seen(f, arena, &r->seen[i], rows, arrow);
        if (r->seen[i].n_wrong && i + 1 < r->n_seen)
            fputc('\n', f);
    }
    put_facts(f, arena, r);
    for (size_t i = 0; i < r->n_measures; i++)
        lad_put_wrapped(f, "  measured ", lad_show_measure(arena, &r->measures[i]));
}

void lad_put_messages(FILE *f, struct lad_arena *arena, const struct lad_record *r, size_t most)
{
    if (r->n_messages)
        fputs("\n  messages of driver, compiler and validation\n", f);
    for (size_t i = 0; i < r->n_messages && i < most; i++)
        put_message(f, arena, r->messages[i], 4000);
    if (r->n_messages > most)
        fprintf(f, "    | %zu more\n", r->n_messages - most);
}

/* Takes the places out that tell who ran it, and the characters that become entities. */
static char *scrub(struct lad_arena *arena, const char *text, size_t most)
{
    char *out = lad_alloc(arena, 4 * strlen(text) + 8), *p = out;
    while (*text) {
        bool home = !strncmp(text, "/home/", 6) || !strncmp(text, "/Users/", 7);
        const char *rest = home ? strpbrk(text + 6 + (text[1] == 'U'), "/ \n\"':,") : NULL;
        if (home && rest && *rest == '/') {
            *p++ = '~';
            text = rest;
        } else if (*text == '<' || *text == '&') {
            p += snprintf(p, 5, "\\x%02x", *text++);
        } else if (*text == '>' && p - out >= 2 && p[-1] == ']' && p[-2] == ']') {
            p += snprintf(p, 5, "\\x%02x", *text++);
        } else {
            *p++ = *text++;
        }
    }
    static const char left_out[] = "\n[... the rest is left out]\n";
    if (most && (size_t)(p - out) > most) {
        p = out + most - sizeof left_out + 1;
        memcpy(p, left_out, sizeof left_out);
        p += sizeof left_out - 1;
    }
    *p = 0;
    return out;
}

char *lad_body(struct lad_arena *arena, const struct lad_run *run, const struct lad_record *r, size_t most)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        abort();
    fprintf(f, "%s\n", lad_headline(arena, r));
    const struct lad_seen *wrong = NULL;
    for (size_t i = 0; i < r->n_seen && !wrong; i++)
        if (r->seen[i].n_wrong && r->seen[i].signature)
            wrong = &r->seen[i];
    const char *cause = say_cause(arena, r);
    if (cause)
        fprintf(f, "cause: %s\n", lad_show_line(arena, cause, 600));
    else if (wrong)
        fprintf(f, "cause: not decided; what is seen: \"%s\" is %s\n", lad_show_line(arena, wrong->name, 64),
                lad_show_line(arena, wrong->signature, 200));
    else
        fprintf(f, "cause: not decided (%s)\n", lad_type_token(arena, r));
    struct lad_why why;
    fprintf(f, "next: %s\n",
            lad_answer(arena, r, &why) ? choose_next(arena, run, r, &why)
                                         : lad_printf(arena, "gpuladder explain %s", quote(arena, r->id)));
    fprintf(f, "repeat: %s\n", lad_repeat(arena, run, r));
    lad_put_answer(f, arena, run, r);
    lad_put_context(f, arena, run, r);
    lad_put_evidence(f, arena, r, 16, false);
    if (run->output)
        fprintf(f, "  files    %s/journal.jsonl\n", lad_show_line(arena, run->output, 200));
    lad_put_messages(f, arena, r, 100);
    fclose(f);
    char *body = scrub(arena, text, most);
    free(text);
    return body;
}
