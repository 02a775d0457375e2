/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded runs of several failing cases (reports/golden): one cause is one finding, two stay two; what a case leaves
 * open is closed by the others, failing or passing, and stays open where they do not decide it. */
#include "../reports/report.h"
#include "test.h"
#include <string.h>

static struct lad_arena *arena;

static struct lad_run read_run(const char *name)
{
    struct lad_run run = {0};
    CU_ASSERT_FATAL(lad_journal_read(arena, lad_printf(arena, "reports/golden/%s", name), &run));
    return run;
}

static struct lad_record *find(const struct lad_run *run, const char *id)
{
    for (size_t i = 0; i < run->n_records; i++)
        if (!strcmp(run->record[i].id, id))
            return &run->record[i];
    CU_FAIL_FATAL("no such record");
    return NULL;
}

/* "U1", "U1?" where it is open; of the record alone, or of the run. */
static const char *say(const struct lad_record *r, bool alone)
{
    struct lad_why why;
    if (!(alone ? lad_diagnose(arena, r, &why) : lad_answer(arena, r, &why)))
        return "";
    return lad_printf(arena, "%s%s", why.cause ? why.cause->id : "none", why.sure == LAD_SURE_OPEN ? "?" : "");
}

static size_t count(const struct lad_run *run, const char *answer)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_records; i++)
        n += !strcmp(say(&run->record[i], false), answer);
    return n;
}

static void test_one(void)
{
    struct lad_run run = read_run("one-cause");
    size_t open = 0;
    for (size_t i = 0; i < run.n_records; i++)
        open += strchr(say(&run.record[i], true), '?') != NULL;
    CU_ASSERT(open >= 3); /* by themselves */
    CU_ASSERT_EQUAL(count(&run, "U1"), 10);
    struct lad_why why;
    CU_ASSERT(lad_answer(arena, find(&run, "constants-1"), &why) && why.n_pro > 0);
    CU_ASSERT(strstr(why.pro[why.n_pro - 1], "in the same run memory-upload-device") != NULL);
}

static void test_two(void)
{
    struct lad_run run = read_run("two-causes");
    CU_ASSERT_STRING_EQUAL(say(find(&run, "constants-1"), false), "C2");
    CU_ASSERT_STRING_EQUAL(say(find(&run, "base-offset"), false), "D5");
}

static void test_passes(void)
{
    struct lad_run run = read_run("only-indirect");
    struct lad_why why;
    CU_ASSERT(strchr(say(find(&run, "indirect"), true), '?') != NULL);
    CU_ASSERT_STRING_EQUAL(say(find(&run, "indirect"), false), "I1");
    CU_ASSERT(lad_answer(arena, find(&run, "indirect-offset"), &why) && why.scope && strstr(why.scope, "10 other"));
    for (size_t i = 0; i < run.n_records; i++) /* one of them passes: then it is no longer known */
        if (!strcmp(run.record[i].id, "indirect-offset"))
            run.record[i].status = LAD_STATUS_PASS;
    lad_findings(arena, run.record, run.n_records);
    CU_ASSERT(strchr(say(find(&run, "indirect"), false), '?') != NULL);
}

/* Without the cases that decide it, what is open stays open. */
static void test_no_haste(void)
{
    struct lad_run run = read_run("one-cause");
    for (size_t i = 0; i < run.n_records; i++)
        if (!strchr(say(&run.record[i], true), '?'))
            run.record[i].status = LAD_STATUS_SKIP;
    lad_findings(arena, run.record, run.n_records);
    CU_ASSERT_EQUAL(count(&run, "U1"), 0);
    CU_ASSERT(strchr(say(find(&run, "constants-1"), false), '?') != NULL);
}

/* Another device's failures decide nothing here. */
static void test_apart(void)
{
    struct lad_run run = read_run("one-cause");
    find(&run, "constants-1")->device = "another";
    lad_findings(arena, run.record, run.n_records);
    CU_ASSERT(strchr(say(find(&run, "constants-1"), false), '?') != NULL);
    CU_ASSERT_EQUAL(count(&run, "U1"), 9);
}

static void test_lost(void)
{
    struct lad_run run = read_run("lost-often");
    CU_ASSERT_EQUAL(count(&run, "T1"), 6);
}

/* A device that does not come back: one finding, and what went with it is counted, not diagnosed. */
static void test_casualties(void)
{
    struct lad_run run = read_run("lost-often");
    struct lad_record *first = find(&run, "nonce-echo");
    size_t n = 0;
    for (struct lad_record *r = first + 1; r < run.record + run.n_records; r++, n++) {
        r->status = n ? LAD_STATUS_BLOCKED : LAD_STATUS_LOST;
        r->type = n ? "ladder.blocked.device" : "ladder.lost.device";
        r->blocker = first->id;
    }
    lad_findings(arena, run.record, run.n_records);
    struct lad_tally *tally;
    CU_ASSERT_EQUAL_FATAL(lad_tally(arena, &run, &tally), 1);
    CU_ASSERT_EQUAL_FATAL(tally->n_findings, 1);
    CU_ASSERT(n > 3 && tally->finding->n == 1 && tally->finding->n_casualties == n);
    CU_ASSERT(strstr(lad_show_finding(arena, tally->finding), "went with the device") != NULL);
    for (struct lad_record *r = first + 1; r < run.record + run.n_records; r++)
        CU_ASSERT(!r->why && !*say(r, false));
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"one cause", test_one},         {"two causes", test_two},
        {"what passes", test_passes},    {"no hasty decision", test_no_haste},
        {"devices apart", test_apart},   {"a device lost again and again", test_lost},
        {"casualties", test_casualties}, {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("findings", tests);
    lad_arena_destroy(&arena);
    return status;
}
