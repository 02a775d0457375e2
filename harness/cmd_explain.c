/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder explain: the longer text on a rung, a case, a root cause, a status or a type of failure. */
#include "../backends/layers/inject.h"
#include "harness.h"
#include <string.h>
#include <strings.h>

static const struct {
    enum lad_status status;
    const char *meaning;
} statuses[] = {
    {LAD_STATUS_PASS, "The case ran and every comparison held."},
    {LAD_STATUS_SKIP,
     "The device does not offer what the case needs, or a list leaves it out; the message says which."},
    {LAD_STATUS_BLOCKED, "A rung that this one stands on failed on this device; --keep-going runs it all the same."},
    {LAD_STATUS_FAIL, "The device ran and gave wrong data, or was slower than the stated floor."},
    {LAD_STATUS_TIMEOUT, "The case did not end before its deadline; the worker was ended and a new one started."},
    {LAD_STATUS_CRASH, "The worker process died in this case: the driver took it down."},
    {LAD_STATUS_LOST, "The device was lost."},
    {LAD_STATUS_ERROR, "No verdict: a call of the API failed, or the case or the harness did."},
    {LAD_STATUS_MISSING, "The case was planned, and the run ended before it."},
};
_Static_assert(LAD_N(statuses) == LAD_STATUS_COUNT, "every status is explained");

struct type {
    const char *token, *seen, *causes, *todo;
};
static const struct type types[] = {
#define TYPE(token, seen, causes, todo) {token, seen, causes, todo},
#include "types.def"
#undef TYPE
};

static void print_part(const char *lead, const char *text)
{
    printf("  %-9s", lead);
    lad_wrap(stdout, text, 11, 11);
}

static const struct {
    const char *a, *b, *trial, *how;
} pairs[] = {
#define CAUSE(...)
#define CALL(...)
#define PAIR(a, b, trial, how) {a, b, trial, how},
#define DOMAIN(...)
#include "diagnose.def"
#undef CAUSE
#undef CALL
#undef PAIR
#undef DOMAIN
};

/* Its look-alikes, and what parts them. */
static void print_pairs(struct lad_arena *arena, const struct lad_class *c)
{
    const char *lead = "not";
    for (size_t i = 0; i < LAD_N(pairs); i++) {
        bool first = !strcmp(pairs[i].a, c->id);
        if (!first && strcmp(pairs[i].b, c->id))
            continue;
        print_part(lead,
                   lad_printf(arena, "%s: %s%s%s%s", first ? pairs[i].b : pairs[i].a, pairs[i].how,
                              *pairs[i].trial ? " (experiment " : "", pairs[i].trial, *pairs[i].trial ? ")" : ""));
        lead = "";
    }
}

static void print_class(struct lad_arena *arena, const struct lad_class *c)
{
    const struct lad_remedy *r = &lad_remedies[c - lad_classes];
    const char *lead = "reports";
    char name[64];
    printf("%s: %s\n\n", c->id, c->name);
    print_part("what", r->what);
    print_part("looks", c->looks);
    print_part("apart", c->apart);
    print_pairs(arena, c);
    print_part("Vulkan", r->vulkan);
    print_part("OpenCL", r->opencl);
    for (const char *p = r->reports; *p; p += strcspn(p, "\n"), p += *p == '\n', lead = "")
        print_part(lead, lad_printf(arena, "%.*s", (int)strcspn(p, "\n"), p));
    for (int i = 0; i < LAD_FAULT_COUNT; i++)
        if (!strcmp(lad_faults[i].id, c->id)) {
            lad_fault_name((enum lad_fault_id)i, name, sizeof name);
            print_part("see it", lad_printf(arena, "gpuladder run --inject %s makes one on purpose", name));
            break;
        }
}

static void print_rung(const struct lad_rung *r, const struct lad_cases *cases)
{
    const char *comma = "";
    printf("rung %d, %s: %s\n\n", r->number, r->name, r->proves);
    printf("  stands on  ");
    for (int i = 0; i < lad_n_rungs; i++) {
        if (r->on >> lad_rungs[i].number & 1) {
            printf("%s%s", comma, lad_rungs[i].name);
            comma = ", ";
        }
    }
    printf("%s\n  carries    ", *comma ? "" : "nothing");
    comma = "";
    for (int i = 0; i < lad_n_rungs; i++) {
        if (lad_rungs[i].on >> r->number & 1) {
            printf("%s%s", comma, lad_rungs[i].name);
            comma = ", ";
        }
    }
    printf("%s\n\n", *comma ? "" : "nothing");
    for (size_t i = 0; i < cases->n; i++)
        if (cases->item[i].rung == r->number)
            printf("  %-34s %s\n", cases->item[i].id, cases->item[i].proves);
}

static void print_steps(const struct lad_case *c)
{
    static const char *const roles[] = {"input", "output", "in and out"};
    for (size_t i = 0; i < c->n_bufs; i++)
        printf("  buffer  %s: %s %s[%s], %s memory, %s\n", c->bufs[i].name, roles[c->bufs[i].role],
               lad_type_name(c->bufs[i].type), c->bufs[i].count.text ? c->bufs[i].count.text : "",
               lad_mem_name(c->bufs[i].mem), c->bufs[i].fill ? c->bufs[i].fill : "canary");
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct lad_step *s = &c->steps[i];
        printf("  step    line %d: ", s->line);
        if (s->kernel)
            printf("dispatch %s\n", s->kernel->name);
        else
            printf("%s%s%s\n", lad_step_name(s->kind), s->buf ? " " : "", s->buf ? s->buf : "");
    }
    for (size_t i = 0; i < c->n_expects; i++) {
        const struct lad_expect *e = &c->expects[i];
        printf("  expect  %s as %s%s%s", e->buf, e->oracle, e->with ? " " : "", e->with ? e->with : "");
        printf(e->ulp > 0 ? ", at most %g ULP away\n" : ", to the bit\n", e->ulp);
    }
}

static void print_case(const struct lad_case *c)
{
    printf("case %s, rung %d %s\n\n  proves  ", c->id, c->rung, lad_case_group(c));
    lad_wrap(stdout, c->proves, 10, 10);
    printf("  file    %s:%d\n", c->file, c->line);
    for (size_t i = 0; i < c->n_needs; i++)
        printf("  needs   %s%s%s (%s)\n", lad_cap_name(c->needs[i].cap), c->needs[i].min.text ? " >= " : "",
               c->needs[i].min.text ? c->needs[i].min.text : "", lad_cap_text(c->needs[i].cap));
    if (c->sweep)
        printf("  sweep   %s over %zu values; the smallest that fails is found by bisection\n", c->sweep, c->n_sweep);
    const struct lad_probe *probe = strcmp(c->probe, "steps") ? lad_probe_find(c->probe) : NULL;
    if (probe)
        printf("  probe   %s: %s\n", probe->name, probe->summary);
    print_steps(c);
    printf("  alone   gpuladder run --only %s\n", c->id);
}

static void print_type(const char *token, const struct type *t)
{
    printf("%s: ", token);
    lad_wrap(stdout, t->seen, (int)strlen(token) + 2, 2);
    if (*t->causes)
        printf("\n  causes  %s ('gpuladder explain %.*s')\n", t->causes, (int)strcspn(t->causes, " "), t->causes);
    printf("%s  to do   ", *t->causes ? "" : "\n");
    lad_wrap(stdout, t->todo, 10, 10);
}

static const struct type *find_type(const char *word)
{
    const struct type *best = NULL;
    for (size_t i = 0; i < LAD_N(types); i++) {
        size_t n = strlen(types[i].token);
        if (!strncmp(word, types[i].token, n) && (!word[n] || word[n] == '.') && (!best || n > strlen(best->token)))
            best = &types[i];
    }
    return best;
}

static const char *find_near(const char *word, const struct lad_cases *cases)
{
    const char *near = NULL;
    for (int i = 0; i < lad_n_rungs; i++)
        near = lad_nearest(word, near, lad_rungs[i].name);
    for (size_t i = 0; i < LAD_N(statuses); i++)
        near = lad_nearest(word, near, lad_status_name(statuses[i].status));
    for (size_t i = 0; i < cases->n; i++)
        near = lad_nearest(word, near, cases->item[i].id);
    return near;
}

/* False: the word is none of the things there are. */
static bool explain(struct lad_arena *arena, const char *word, const struct lad_cases *cases)
{
    const struct lad_rung *rung = lad_rung_find(word);
    const struct type *type = find_type(word);
    enum lad_status status;
    bool found = false;
    for (int i = 0; i < lad_n_classes; i++) {
        if (!strcasecmp(lad_classes[i].id, word)) {
            print_class(arena, &lad_classes[i]);
            found = true;
        }
    }
    if (rung)
        print_rung(rung, cases);
    for (size_t i = 0; i < cases->n; i++) {
        if (!strcmp(cases->item[i].id, word)) {
            print_case(&cases->item[i]);
            found = true;
        }
    }
    if (lad_status_parse(word, &status)) {
        for (size_t i = 0; i < LAD_N(statuses); i++) {
            if (statuses[i].status == status) {
                printf("%s: ", word);
                lad_wrap(stdout, statuses[i].meaning, (int)strlen(word) + 2, 2);
            }
        }
        found = true;
    }
    if (type)
        print_type(word, type);
    return found || rung || type;
}

/* The table of confusions: two causes, the experiment that parts them ("-": what the first run shows does), and how. */
static void print_confusions(void)
{
    printf("causes   experiment        what parts them\n");
    for (size_t i = 0; i < LAD_N(pairs); i++) {
        printf("%s - %s  %-16s  ", pairs[i].a, pairs[i].b, *pairs[i].trial ? pairs[i].trial : "-");
        lad_wrap(stdout, pairs[i].how, 27, 27);
    }
}

static void print_contents(void)
{
    printf("Rungs:    ");
    for (int i = 0; i < lad_n_rungs; i++)
        printf(" %s", lad_rungs[i].name);
    printf("\nStatuses: ");
    for (size_t i = 0; i < LAD_N(statuses); i++)
        printf(" %s", lad_status_name(statuses[i].status));
    printf("\nRoot causes:\n");
    for (int i = 0; i < lad_n_classes; i++)
        printf("  %s  %s\n", lad_classes[i].id, lad_classes[i].name);
    printf("Types of failure:\n");
    for (size_t i = 0; i < LAD_N(types); i++)
        printf("  %s\n", types[i].token);
    printf("What parts causes that look alike: 'gpuladder explain pairs'\nCases: 'gpuladder list'\n");
}

static int run(struct lad_arena *arena, const struct lad_options *options)
{
    struct lad_cases cases;
    if (!*options->args) {
        print_contents();
        return LAD_EXIT_OK;
    }
    if (!lad_cases_load(arena, options, &cases))
        return LAD_EXIT_USAGE;
    for (const char **word = options->args; *word; word++) {
        if (word != options->args)
            printf("\n");
        if (!strcmp(*word, "pairs")) {
            print_confusions();
            continue;
        }
        if (explain(arena, *word, &cases))
            continue;
        const char *near = find_near(*word, &cases);
        lad_error("explain: no rung, case, root cause, status or type '%s'%s%s%s; 'gpuladder explain' lists them",
                  *word, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        return LAD_EXIT_USAGE;
    }
    return LAD_EXIT_OK;
}

const struct lad_command lad_command_explain = {
    "explain", "explain a rung, a case, a root cause (B4), a status or a type of failure",
    "[RUNG|CASE|CAUSE|STATUS|TYPE|pairs...]", run,
    "Without an argument it lists what can be explained; pairs is the table of causes that look alike. "
    "Public reports are named as GitHub's owner/project#number."};
