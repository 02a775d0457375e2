/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder list: rungs and cases, with what each proves. */
#include "harness.h"
#include <string.h>

static const char *name_rungs(struct lad_arena *arena, uint32_t on)
{
    const char *names = NULL;
    for (int i = 0; i < lad_n_rungs; i++)
        if (on >> lad_rungs[i].number & 1)
            names = names ? lad_printf(arena, "%s, %s", names, lad_rungs[i].name) : lad_rungs[i].name;
    return names;
}

static void print_details(const struct lad_case *c)
{
    printf("%14s%s:%d, probe %s%s%s\n", "", c->file, c->line, c->probe, c->gates ? "" : ", does not block higher rungs",
           c->ordered ? "" : ", only the order it states");
    for (size_t i = 0; i < c->n_needs; i++)
        printf("%14sneeds %s%s%s\n", "", lad_cap_name(c->needs[i].cap), c->needs[i].min.text ? " of at least " : "",
               c->needs[i].min.text ? c->needs[i].min.text : "");
    if (c->sweep) {
        printf("%14ssweeps %s over", "", c->sweep);
        for (size_t i = 0; i < c->n_sweep; i++)
            printf(" %lld", (long long)c->sweep_values[i]);
        printf("\n");
    }
    for (size_t i = 0; i < c->n_measures; i++)
        printf("%14smeasures %s in %s\n", "", c->measures[i].name, c->measures[i].unit);
}

static void print_cases(struct lad_arena *arena, const struct lad_cases *cases, const bool *wanted)
{
    size_t n = 0;
    for (int i = 0; i < lad_n_rungs; i++) {
        const struct lad_rung *rung = &lad_rungs[i];
        const char *on = name_rungs(arena, rung->on);
        bool first = true;
        for (size_t k = 0; k < cases->n; k++) {
            const struct lad_case *c = &cases->item[k];
            if (!wanted[k] || c->rung != rung->number)
                continue;
            n++;
            if (lad_verbosity < 0) {
                puts(c->id);
                continue;
            }
            if (first)
                printf("%srung %d  %s: %s%s%s\n", n > 1 ? "\n" : "", rung->number, rung->name, rung->proves,
                       on ? "; stands on " : "", on ? on : "");
            first = false;
            printf("  %-34s %s\n", c->id, c->proves);
            if (lad_verbosity > 0)
                print_details(c);
        }
    }
    if (lad_verbosity >= 0)
        printf("\n%zu cases\n", n);
}

struct listing {
    const struct lad_cases *cases;
    const bool *wanted;
};

static json_t *show_case(const struct lad_case *c)
{
    json_t *needs = json_array(), *sweep = json_array();
    for (size_t i = 0; i < c->n_needs; i++)
        json_array_append_new(needs, json_pack("{s:s, s:s}", "cap", lad_cap_name(c->needs[i].cap), "min",
                                               c->needs[i].min.text ? c->needs[i].min.text : "1"));
    for (size_t i = 0; i < c->n_sweep; i++)
        json_array_append_new(sweep, json_integer(c->sweep_values[i]));
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:s, s:b, s:o, s:s?, s:o}", "id", c->id, "rung", c->rung, "group",
                     lad_case_group(c), "proves", c->proves, "file", c->file, "line", c->line, "probe", c->probe,
                     "gates", c->gates, "needs", needs, "sweep", c->sweep, "values", sweep);
}

static bool write_json(FILE *out, const void *arg)
{
    const struct listing *l = arg;
    json_t *rungs = json_array(), *cases = json_array();
    for (int i = 0; i < lad_n_rungs; i++) {
        json_t *on = json_array();
        for (int k = 0; k < lad_n_rungs; k++)
            if (lad_rungs[i].on >> lad_rungs[k].number & 1)
                json_array_append_new(on, json_string(lad_rungs[k].name));
        json_array_append_new(rungs, json_pack("{s:i, s:s, s:s, s:o}", "number", lad_rungs[i].number, "name",
                                               lad_rungs[i].name, "proves", lad_rungs[i].proves, "stands_on", on));
    }
    for (size_t i = 0; i < l->cases->n; i++)
        if (l->wanted[i])
            json_array_append_new(cases, show_case(&l->cases->item[i]));
    json_t *json = json_pack("{s:s, s:o, s:o}", "version", LAD_VERSION, "rungs", rungs, "cases", cases);
    int failed = json_dumpf(json, out, JSON_INDENT(2));
    json_decref(json);
    return !failed && fputc('\n', out) != EOF;
}

static int run(struct lad_arena *arena, const struct lad_options *given)
{
    struct lad_options options = *given;
    struct lad_cases cases;
    if (*options.args && !strcmp(*options.args, "faults") && !options.args[1]) {
        lad_faults_list();
        return LAD_EXIT_OK;
    }
    if (!lad_cases_load(arena, &options, &cases))
        return LAD_EXIT_USAGE;
    if (*options.args && *options.only) {
        lad_error("list: name rungs and cases either as arguments or with --only");
        return LAD_EXIT_USAGE;
    }
    if (*options.args)
        options.only = options.args;
    bool *wanted = lad_alloc(arena, cases.n + 1);
    if (!lad_plan_cases(arena, &options, &cases, wanted))
        return LAD_EXIT_USAGE;
    if (options.json && !lad_write_file(options.json, write_json, &(struct listing){&cases, wanted}))
        return LAD_EXIT_HARNESS;
    if (!options.json || strcmp(options.json, "-"))
        print_cases(arena, &cases, wanted);
    return LAD_EXIT_OK;
}

const struct lad_command lad_command_list = {"list", "list rungs and cases, with what each proves",
                                             "[RUNG|CASE...|faults]", run,
                                             "With -v also where a case stands, what it needs and what it sweeps; with "
                                             "-q the names alone. 'list faults' documents "
                                             "the faults that 'run --inject' makes on purpose."};
