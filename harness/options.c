/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: parsed strictly from the rows of options.def into struct lad_options. Bad usage is one message:
 * what, where, what was expected. */
#include "harness.h"
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum kind { FLAG, TEXT, LIST, NUMBER, CHOICE, SUMMARY, SHARD, SEED, DROP, LOUDER, QUIET, HELP, VERSION };

/* The letter 0 becomes a number above every letter, for getopt_long. */
enum { WORD_ONLY = 1000 };

struct row {
    struct lad_option shown;
    enum kind kind;
    size_t at;
    uint32_t low, high;
};
#define OPTION(letter, name, arg, kind, field, low, high, verbs, help)                                                 \
    {{letter, name, arg, verbs, help}, kind, offsetof(struct lad_options, field), low, high},
static const struct row rows[] = {
#include "options.def"
};
#undef OPTION
#define OPTION(letter, name, arg, kind, field, low, high, verbs, help) {letter, name, arg, verbs, help},
const struct lad_option lad_option_rows[] = {
#include "options.def"
    {0}};
#undef OPTION

bool lad_has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || strchr(" |", p[-1])) && (!p[n] || strchr(" |", p[n])))
            return n > 0;
    return false;
}

bool lad_option_of(const struct lad_option *option, const char *verb, const char *part)
{
    size_t n = strlen(verb);
    bool found = !*option->verbs;
    for (const char *word = option->verbs; *word && !found; word += strcspn(word, " "), word += *word == ' ') {
        const char *at = word + n;
        if (strncmp(word, verb, n) || !strchr(" :", *at))
            continue;
        found = *at != ':' || !part;
        for (; !found && part && *at && *at != ' '; at += 1 + strcspn(at + 1, ", "))
            found = strcspn(at + 1, ", ") == strlen(part) && !strncmp(at + 1, part, strlen(part));
    }
    return found;
}

const struct lad_command *lad_command_find(const char *name)
{
    for (const struct lad_command *const *c = lad_commands; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

static size_t count_edits(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n >= LAD_N(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0]++;
        for (size_t j = 1; j <= n; j++) {
            size_t change = corner + (a[i] != b[j - 1]);
            corner = row[j];
            row[j] = change < row[j] + 1 ? change : row[j] + 1;
            row[j] = row[j] < row[j - 1] + 1 ? row[j] : row[j - 1] + 1;
        }
    }
    return row[n];
}

const char *lad_nearest(const char *word, const char *best, const char *candidate)
{
    size_t far = strlen(word) / 3 + 1, d = count_edits(word, candidate);
    return d <= far && (!best || d < count_edits(word, best)) ? candidate : best;
}

static bool parse_u64(const char *text, uint64_t *value)
{
    bool hex = text[0] == '0' && (text[1] | 32) == 'x';
    const char *digits = text + (hex ? 2 : 0);
    if (!(hex ? isxdigit((unsigned char)*digits) : isdigit((unsigned char)*digits)))
        return false; /* strtoull would take blanks and a sign */
    char *end;
    errno = 0;
    *value = strtoull(digits, &end, hex ? 16 : 10);
    return !*end && !errno;
}

static bool parse_shard(const char *text, struct lad_options *o)
{
    static const struct {
        const char *index, *count;
        unsigned first;
    } systems[] = {{"CI_NODE_INDEX", "CI_NODE_TOTAL", 1},
                   {"CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0},
                   {"BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0},
                   {"BITBUCKET_PARALLEL_STEP", "BITBUCKET_PARALLEL_STEP_COUNT", 0}};
    char part[32] = "";
    uint64_t i = 0, n = 0, first = 1;
    if (!strcmp(text, "auto")) {
        size_t s = 0;
        while (s < LAD_N(systems) && !(getenv(systems[s].index) && getenv(systems[s].count)))
            s++;
        if (s == LAD_N(systems)) {
            lad_error("--shard auto: none of CI_NODE_INDEX, CIRCLE_NODE_INDEX, BUILDKITE_PARALLEL_JOB and "
                      "BITBUCKET_PARALLEL_STEP is set together with its total; give --shard I/N");
            return false;
        }
        if (parse_u64(getenv(systems[s].index), &i) && parse_u64(getenv(systems[s].count), &n))
            first = systems[s].first;
        else
            i = n = 0;
    } else {
        const char *slash = strchr(text, '/');
        if (slash && (size_t)(slash - text) < sizeof part) {
            memcpy(part, text, (size_t)(slash - text));
            if (!parse_u64(part, &i) || !parse_u64(slash + 1, &n))
                i = n = 0;
        }
    }
    if (i < first || i - first >= n || n > 100000) {
        lad_error("--shard %s: expected I/N with I from 1 to N, for example 2/5, or auto", text);
        return false;
    }
    o->shard = (int)(i - first + 1);
    o->shards = (int)n;
    return true;
}

static bool parse_drop(const char *text, struct lad_options *o)
{
    static const char *const words[] = {[LAD_DROP_DISPATCH] = "dispatch",
                                        [LAD_DROP_UPLOAD] = "upload",
                                        [LAD_DROP_TRANSFER] = "transfer",
                                        [LAD_DROP_INFO] = "info"};
    for (size_t i = LAD_DROP_DISPATCH; i < LAD_N(words); i++) {
        if (!strcmp(words[i], text)) {
            o->drop = (enum lad_drop)i;
            return true;
        }
    }
    return false;
}

static bool use_summary(struct lad_options *o)
{
    o->github_summary = getenv("GITHUB_STEP_SUMMARY");
    if (o->github_summary && *o->github_summary)
        return true;
    lad_error("--github-summary: GITHUB_STEP_SUMMARY is not set; expected the name of the file to append to, or use "
              "--markdown FILE");
    return false;
}

static void append(struct lad_arena *arena, const char ***list, const char *text)
{
    size_t n = 0;
    while ((*list)[n])
        n++;
    const char **grown = lad_alloc(arena, (n + 2) * sizeof *grown);
    memcpy(grown, *list, n * sizeof *grown);
    grown[n] = text;
    *list = grown;
}

static bool take_option(struct lad_arena *arena, const struct row *row, const char *text, struct lad_options *o)
{
    void *field = (char *)o + row->at;
    uint64_t number;
    if (row->shown.arg && row->kind != SHARD && !*text) {
        lad_error("--%s: the argument is empty; expected %s", row->shown.name, row->shown.arg);
        return false;
    }
    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case TEXT:
        *(const char **)field = text;
        return true;
    case LIST:
        append(arena, field, text);
        return true;
    case NUMBER:
        if (!parse_u64(text, &number) || number < row->low || number > row->high) {
            lad_error("--%s %s: expected a whole number from %u to %u", row->shown.name, text, row->low, row->high);
            return false;
        }
        *(uint32_t *)field = (uint32_t)number;
        return true;
    case SEED:
        if (!parse_u64(text, &o->seed)) {
            lad_error("--seed %s: expected a whole number below 2^64, decimal or with 0x in front", text);
            return false;
        }
        o->seed_given = true;
        return true;
    case CHOICE:
    case DROP:
        if (!lad_has_word(row->shown.arg, text) || (row->kind == DROP && !parse_drop(text, o))) {
            lad_error("--%s %s: expected one of %s", row->shown.name, text, row->shown.arg);
            return false;
        }
        if (row->kind == CHOICE)
            *(const char **)field = text;
        return true;
    case SUMMARY:
        return use_summary(o);
    case SHARD:
        return parse_shard(text, o);
    case LOUDER:
        lad_verbosity = lad_verbosity < 0 ? 1 : lad_verbosity + 1;
        return true;
    case QUIET:
        lad_verbosity = -1;
        return true;
    case HELP:
    case VERSION:
        return true;
    }
    return false;
}

static bool find_verb(const char *word, struct lad_options *o)
{
    const struct lad_command *command = lad_command_find(word);
    const char *near = NULL;
    if (command) {
        o->verb = command->name;
        return true;
    }
    for (const struct lad_command *const *c = lad_commands; *c; c++)
        near = lad_nearest(word, near, (*c)->name);
    lad_error("no command '%s'%s%s%s; 'gpuladder help' lists them", word, near ? ", did you mean '" : "",
              near ? near : "", near ? "'?" : "");
    return false;
}

static void say_unknown(const char *word)
{
    const char *near = NULL;
    size_t n = strcspn(word, "=");
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(n < 63 ? n : 63), word);
    for (const struct lad_option *p = lad_option_rows; p->name; p++)
        near = lad_nearest(name + (strncmp(name, "--", 2) ? 0 : 2), near, p->name);
    lad_error("no option %s%s%s%s; 'gpuladder help COMMAND' lists them", name, near ? ", did you mean --" : "",
              near ? near : "", near ? "?" : "");
}

static char *quote(struct lad_arena *arena, char *const *argv)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
    char *line = lad_strdup(arena, "gpuladder");
    for (argv++; *argv; argv++) {
        if (**argv && strspn(*argv, plain) == strlen(*argv)) {
            line = lad_printf(arena, "%s %s", line, *argv);
            continue;
        }
        char *quoted = lad_alloc(arena, strlen(*argv) * 4 + 3), *out = quoted;
        *out++ = '\'';
        for (const char *p = *argv; *p; p++)
            out = *p == '\'' ? stpcpy(out, "'\\''") : (*out = *p, out + 1);
        *out = '\'';
        line = lad_printf(arena, "%s %s", line, quoted);
    }
    return line;
}

/* What getopt_long is told, from the same rows. */
static void list_options(struct option *longs, char *shorts)
{
    *shorts++ = ':'; /* tell a missing argument from an unknown option */
    for (size_t i = 0; i < LAD_N(rows); i++) {
        const struct lad_option *p = &rows[i].shown;
        longs[i] = (struct option){p->name, p->arg ? required_argument : no_argument, NULL, WORD_ONLY + (int)i};
        if (p->letter) {
            *shorts++ = p->letter;
            if (p->arg)
                *shorts++ = ':';
        }
    }
}

static const struct row *find_row(int got)
{
    if (got >= WORD_ONLY)
        return &rows[got - WORD_ONLY];
    for (size_t i = 0; i < LAD_N(rows); i++)
        if (rows[i].shown.letter == got)
            return &rows[i];
    return NULL;
}

static bool check_together(const struct lad_options *o)
{
    if (o->keep_going && o->fail_fast)
        lad_error("--keep-going and --fail-fast contradict each other; give one of them");
    else if (o->no_builtin && !*o->cases)
        lad_error("--no-builtin leaves no case to run; add --cases PATH");
    else
        return true;
    return false;
}

bool lad_options_parse(struct lad_arena *arena, int argc, char **argv, struct lad_options *o, int *status)
{
    static const char *const none[] = {NULL};
    struct option longs[LAD_N(rows) + 1] = {0};
    char shorts[2 * LAD_N(rows) + 2] = "";
    bool used[LAD_N(rows)] = {0}, help = false, version = false;
    int got;
    *o = (struct lad_options){.output = LAD_DEFAULT_OUTPUT,
                              .flavor = "default",
                              .color = "auto",
                              .timeout_s = 60,
                              .experiments_s = 20,
                              .jobs = 1,
                              .count = 1};
    o->binding = "direct";
    o->args = o->device = o->only = o->include = o->exclude = o->cases = o->baseline = o->skips = o->flakes =
        o->require = o->inject = o->classes = (const char **)none; /* never written: append() copies */
    o->command_line = quote(arena, argv);                          /* before getopt_long moves the words about */
    *status = LAD_EXIT_USAGE;
    list_options(longs, shorts);
    opterr = 0;
    optind = 0; /* start anew, also for the second call of a test */
    while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const struct row *row = got == '?' || got == ':' ? NULL : find_row(got);
        if (got == ':') {
            row = find_row(optopt);
            lad_error("--%s: its argument is missing; expected --%s %s", row->shown.name, row->shown.name,
                      row->shown.arg);
            return false;
        }
        if (!row && optopt >= WORD_ONLY) {
            lad_error("--%s takes no argument", find_row(optopt)->shown.name);
            return false;
        }
        if (!row) {
            char letter[] = {'-', (char)optopt, 0};
            say_unknown(optopt ? letter : argv[optind - 1]);
            return false;
        }
        if (!take_option(arena, row, optarg, o))
            return false;
        used[row - rows] = true;
        help |= row->kind == HELP;
        version |= row->kind == VERSION;
    }
    if (optind < argc && !find_verb(argv[optind++], o))
        return false;
    for (; optind < argc; optind++)
        append(arena, &o->args, argv[optind]);
    if (version)
        o->verb = "version";
    else if (help)
        lad_help(stdout, o->verb);
    else if (!o->verb)
        lad_help(stderr, NULL);
    if (help && !version) {
        *status = LAD_EXIT_OK;
        return false;
    }
    if (!o->verb)
        return false;
    for (size_t i = 0; i < LAD_N(rows) && !version; i++) {
        if (used[i] && !lad_option_of(&rows[i].shown, o->verb, *o->args)) {
            bool part = lad_option_of(&rows[i].shown, o->verb, NULL);
            lad_error("--%s is no option of '%s%s%s', only of: %s", rows[i].shown.name, o->verb, part ? " " : "",
                      part ? *o->args : "", rows[i].shown.verbs);
            return false;
        }
    }
    if (*o->args && !*lad_command_find(o->verb)->usage && !version) {
        lad_error("%s: '%s' is not expected, it takes options only; 'gpuladder help %s' lists them", o->verb, *o->args,
                  o->verb);
        return false;
    }
    if (!check_together(o))
        return false;
    lad_discover_plugin(o->plugin);
    if (!o->seed_given && getrandom(&o->seed, 4, 0) != 4) /* half of it, so that it is quickly typed again */
        o->seed = lad_now_ns() & UINT32_MAX;
    if (!o->github_summary && getenv("GITHUB_ACTIONS") && getenv("GITHUB_STEP_SUMMARY"))
        o->github_summary = *getenv("GITHUB_STEP_SUMMARY") ? getenv("GITHUB_STEP_SUMMARY") : NULL;
    return true;
}

uint32_t lad_start_ms(const struct lad_options *o)
{
    enum { MOST = 10000 }; /* a hanging driver keeps every command waiting that lists devices */
    return o->timeout_s * 1000 < MOST ? o->timeout_s * 1000 : MOST;
}
