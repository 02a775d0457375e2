/* SPDX-License-Identifier: Apache-2.0 */
/* Which experiment is made next: the cheapest that would change the answer, none twice, none where nothing is open. */
#include "harness.h"
#include "test.h"
#include <string.h>

static struct lad_arena *arena;

static struct lad_record make(const char *names)
{
    struct lad_record r = {.id = "case", .device = "vk-x", .status = LAD_STATUS_FAIL, .type = "ladder.mismatch"};
    char *copy = lad_strdup(arena, names), *save;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        lad_observe(arena, &r, lad_obs_find(word), "thing", 3);
    return r;
}

/* All that could be made, in the order in which it would be, each with an outcome that changes nothing. */
static const char *list(struct lad_record *r, bool (*possible)(void *, const struct lad_experiment *))
{
    const struct lad_experiment *e;
    char *names = "";
    while ((e = lad_experiment_next(r, possible, NULL)) && strlen(names) < 500) {
        *LAD_PUSH(arena, r->trial, r->n_trials) = (struct lad_trial){.name = e->name, .result = "no", .text = ""};
        names = lad_printf(arena, "%s %s ", names, e->name);
    }
    return names;
}

static bool any(void *arg, const struct lad_experiment *e)
{
    (void)arg;
    (void)e;
    return true;
}

static bool here(void *arg, const struct lad_experiment *e)
{
    (void)arg;
    return e->where == LAD_WHERE_HERE;
}

static void test_choice(void)
{
    struct lad_record r = make("witness.never-ran markers.landed output.all-canary case.dispatches case.indirect");
    const char *names = list(&r, any);
    CU_ASSERT(strstr(names, " direct ") != NULL);   /* I1 or D1 */
    CU_ASSERT(!strstr(names, "one-queue")); /* there is one */
    r = make("witness.count-low witness.one-group-short output.tail markers.landed case.dispatches");
    CU_ASSERT(strstr(list(&r, here), " larger ") != NULL); /* D3, decided, may still be Z2 */
    r = make("ran-on.zero input.right output.all-other witness.ran-all case.dispatches");
    CU_ASSERT(!strstr(list(&r, any), "bound-too")); /* no table */
    r = make("output.nan witness.ran-all input.right case.floats case.dispatches");
    CU_ASSERT(strstr(list(&r, here), " scaled ") != NULL);
    CU_ASSERT(!strstr(list(&r, here), " scaled ")); /* none twice */
}

/* A defect of the test itself stops everything else. */
static void test_stops(void)
{
    struct lad_record r = make("host.same witness.ran-all output.all-other input.right case.dispatches repeat.same");
    r.trial = lad_alloc(arena, sizeof *r.trial);
    r.trial[r.n_trials++] = (struct lad_trial){.name = "host", .result = "same", .text = ""};
    CU_ASSERT_STRING_EQUAL(list(&r, any), "");
    r = make("");
    CU_ASSERT_STRING_EQUAL(list(&r, any), "");
}

static void test_end(void)
{
    static const char *const results[] = {"cured", "same", "changed", "no", "no", "cured"};
    struct lad_record r = make("output.all-canary"),
                      ends[] = {{.status = LAD_STATUS_PASS},
                                {.status = LAD_STATUS_FAIL, .type = "ladder.mismatch"},
                                {.status = LAD_STATUS_FAIL, .type = "ladder.redzone"},
                                {.status = LAD_STATUS_SKIP, .message = "no such memory"},
                                {.status = LAD_STATUS_PASS, .sweep = "n", .sweep_reached = 16},
                                {.status = LAD_STATUS_PASS, .sweep = "n", .sweep_reached = 17}};
    r.sweep_failed = 17; /* what did not get there says nothing */
    for (size_t i = 0; i < LAD_N(ends); i++) {
        lad_experiment_end(arena, &r, lad_experiment_find("repeat"), &ends[i], 5);
        CU_ASSERT_STRING_EQUAL(r.trial[i].result, results[i]);
    }
    CU_ASSERT(lad_observed(&r, LAD_OBS_REPEAT_CURED) && lad_observed(&r, LAD_OBS_REPEAT_CHANGED));
    CU_ASSERT(strstr(r.trial[3].text, "no such memory") != NULL);
}

/* At several sizes: what they say together of where the work ends, of workgroups of 64. */
static void test_sizes(void)
{
    static const struct {
        const char *name;
        struct lad_size at[3];
        enum lad_obs_name seen; /* LAD_OBS_COUNT: nothing but right and wrong */
        const char *result;
    } rows[] = {
        {"whole-groups",
         {{4223, "wrong", 65}, {4224, "right", 66}, {4225, "wrong", 66}},
         LAD_OBS_WHOLE_REST,
         "changed"},
        {"whole-groups", {{4223, "wrong", 65}, {4224, "wrong", 65}, {4225, "wrong", 66}}, LAD_OBS_WHOLE_LAST, "same"},
        {"whole-groups", {{4223, "wrong", 2}, {4224, "wrong", 2}, {4225, "wrong", 2}}, LAD_OBS_WHOLE_RATIO, "same"},
        {"whole-groups", {{4223, "wrong", 16}, {4224, "wrong", 16}, {4225, "wrong", 16}}, LAD_OBS_WHOLE_FIXED, "same"},
        {"whole-groups", {{4223, "wrong", 2}, {4224, "wrong", 2}, {4225, "wrong", 3}}, LAD_OBS_COUNT, "same"},
        {"whole-groups", {{4223, "wrong", -1}, {4224, "right", 66}, {4225, "wrong", -1}}, LAD_OBS_COUNT, "changed"},
        {"whole-groups", {{4223, "right", 66}, {4224, "right", 66}, {4225, "right", 67}}, LAD_OBS_COUNT, "cured"},
        {"limit", {{1023, "right", 16}, {1024, "right", 16}, {1025, "wrong", 16}}, LAD_OBS_LIMIT_EDGE, "changed"},
        {"limit", {{1023, "wrong", 1}, {1024, "wrong", 1}, {1025, "wrong", 1}}, LAD_OBS_LIMIT_MOVES, "same"},
        {"limit", {{1023, "right", 16}, {1024, "right", 16}, {1025, "no", -1}}, LAD_OBS_COUNT, "cured"},
        {"limit", {{1023, "no", -1}, {1024, "no", -1}, {1025, "no", -1}}, LAD_OBS_COUNT, "no"},
    };
    for (size_t i = 0; i < LAD_N(rows); i++) {
        struct lad_record r = make("witness.count-low");
        lad_experiment_sizes(arena, &r, lad_experiment_find(rows[i].name), rows[i].at, 3, 64, 16, 5);
        CU_ASSERT(r.n_trials == 1 && r.trial->n_sizes == 3 && strstr(r.trial->text, "3 "));
        CU_ASSERT_STRING_EQUAL(r.trial->result, rows[i].result);
        CU_ASSERT_EQUAL(r.n_obs, 1 + (strcmp(rows[i].result, "no") != 0) + (rows[i].seen != LAD_OBS_COUNT));
        CU_ASSERT(rows[i].seen == LAD_OBS_COUNT || lad_observed(&r, rows[i].seen));
    }
    struct lad_record r = make("witness.count-low"); /* an edge at one size is none where more ran at another */
    lad_experiment_sizes(arena, &r, lad_experiment_find("whole-groups"), rows[1].at, 3, 64, 1, 5);
    lad_experiment_sizes(arena, &r, lad_experiment_find("limit"), rows[7].at, 3, 64, 1, 5);
    CU_ASSERT(lad_observed(&r, LAD_OBS_LIMIT_MOVES) && !lad_observed(&r, LAD_OBS_LIMIT_EDGE));
}

/* At a larger size: what the edge of the right elements did. */
static void test_edges(void)
{
    static const struct {
        uint64_t n, wrong, n_larger, wrong_larger;
        enum lad_obs_name name;
    } rows[] = {{1000, 488, 3000, 2488, LAD_OBS_EDGE_STAYS},
                {65, 1, 323, 3, LAD_OBS_EDGE_REST},
                {6400, 6300, 19200, 18900, LAD_OBS_EDGE_GROWS},
                {1, 1, 131, 3, LAD_OBS_EDGE_FIRST}};
    for (size_t i = 0; i < LAD_N(rows); i++) {
        struct lad_record r = make("witness.count-low"), larger = make("witness.count-low");
        struct lad_seen a = {.name = "dst", .n = rows[i].n, .n_wrong = rows[i].wrong, .signature = ""},
                        b = {.name = "dst", .n = rows[i].n_larger, .n_wrong = rows[i].wrong_larger, .signature = ""};
        r.seen = &a;
        larger.seen = &b;
        r.n_seen = larger.n_seen = 1;
        lad_experiment_end(arena, &r, lad_experiment_find("larger"), &larger, 5);
        CU_ASSERT(lad_observed(&r, rows[i].name));
    }
}

int main(void)
{
    static const struct lad_test tests[] = {{"choice", test_choice},
                                            {"what stops it", test_stops},
                                            {"outcomes", test_end},
                                            {"several sizes", test_sizes},
                                            {"edges at a larger size", test_edges},
                                            {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("experiment", tests);
    lad_arena_destroy(&arena);
    return status;
}
