/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of observations as the instruments leave them, class by class, and what must be said of each; and that less
 * evidence, or evidence for two classes, is not taken for a decision. */
#include "harness.h"
#include "test.h"
#include <string.h>

static struct lad_arena *arena;

static struct lad_record make(const char *names)
{
    struct lad_record r = {.id = "case", .device = "vk-x", .status = LAD_STATUS_FAIL};
    char *copy = lad_strdup(arena, names), *save;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        enum lad_obs_name name = lad_obs_find(word);
        CU_ASSERT(name < LAD_OBS_COUNT);
        if (name < LAD_OBS_COUNT)
            lad_observe(arena, &r, name, "thing", 3);
    }
    return r;
}

/* As recorded; cause "" is none. `sure`: 'd' decided, 'l' likely, 'o' open between cause and other. */
static const struct {
    const char *seen, *cause;
    char sure;
    const char *other;
} sets[] = {
    {"witness.never-ran markers.landed output.all-canary again.same copied.same sum.as-read later.landed "
     "later.kernel-ran "
     "case.dispatches",
     "D1", 'o', "E2"},
    {"witness.never-ran witness.ran-all witness.same-kernel-ran markers.landed output.some-canary case.dispatches",
     "D1", 'd', ""},
    {"witness.never-ran markers.landed output.all-canary api.error", "E2", 'd', ""},
    {"witness.never-ran markers.landed output.all-canary case.indirect direct.cured repeat.same", "I1", 'd', ""},
    {"witness.never-ran markers.landed output.all-canary whole-groups.remainder repeat.same", "D3", 'd', ""},
    {"witness.never-ran markers.landed output.all-canary whole-groups.same repeat.same", "D1", 'o', "E2"},
    {"witness.count-low output.prefix markers.landed whole-groups.last", "D3", 'd', ""},
    {"witness.count-low output.prefix markers.landed whole-groups.ratio limit.moves", "D2", 'd', ""},
    {"witness.count-low output.prefix markers.landed whole-groups.fixed limit.edge", "Z2", 'd', ""},
    {"witness.count-low witness.one-group-short output.tail markers.landed", "D3", 'd', ""},
    {"witness.count-low witness.count-over-local output.prefix markers.landed", "D2", 'd', ""},
    {"witness.count-low witness.count-over-local witness.one-group-short output.prefix", "D2", 'o', "D3"},
    {"witness.count-low witness.one-group-short witness.group-hole output.stale-blocks markers.landed",
     "E2", 'o', "M2"},
    {"witness.count-low witness.lanes-missing output.every repeat.same markers.landed", "W2", 'd', ""},
    {"witness.count-low witness.lanes-missing output.right repeat.same markers.landed", "W2", 'o', "W5"},
    {"witness.count-low witness.lanes-missing output.some-canary case.atomics repeat.same", "W2", 'o', "W5"},
    {"witness.count-low witness.times-short output.all-other markers.landed", "D1", 'o', "E2"},
    {"witness.groups-turned output.some-canary markers.landed repeat.same case.axes case.dispatches", "D5", 'o', "M1"},
    {"witness.word-kept output.right markers.landed", "C4", 'd', ""},
    {"witness.ran-all markers.lost markers.short none.landed output.right clock.ran", "M2", 'd', ""},
    {"witness.ran-all witness.scalars-wrong witness.scalar-of-other-dispatch output.shift "
     "markers.landed wait-each.same",
     "B4", 'o', "B6"},
    {"witness.ran-all output.all-other case.stages input.none repeat.same wait-each.same host.cured",
     "M1", 'o', "B1"},
    {"witness.ran-all output.all-other case.stages case.fill input.none repeat.same case.transfer "
     "other-fill.same host.cured",
     "M1", 'o', "A4"},
    {"witness.ran-all output.all-canary elsewhere.result case.copy case.transfer input.right "
     "repeat.same markers.landed",
     "U1", 'o', "S3"},
    {"witness.never-ran markers.landed output.all-canary larger.part-ran whole-groups.changed",
     "D3", 'o', "Z2"},
    {"output.shift input.changed case.transfers-only case.copy again.keeps markers.landed",
     "U2", 'o', "U4"},
    {"witness.ran-all redzone.behind redzone.whole case.base output.stray output.every",
     "Z3", 'o', "L1"},
    {"witness.ran-all witness.same-kernel-ran markers.after-lost output.right later.landed wait-each.cured",
     "S1", 'o', "E2"},
    {"api.arguments", "B2", 'd', ""},
    {"api.lost kernel-log.driver", "T1", 'd', ""},
    {"run.crash host.cured never-free.same", "B2", 'o', "Z3"},
    {"run.crash crash.in-kernel crash.on-driver-thread crash.near-null", "B2", 'o', "B4"},
    {"run.crash crash.in-kernel crash.on-driver-thread crash.near-null arguments.buffers-die", "B2", 'd', ""},
    {"run.crash crash.in-kernel crash.on-driver-thread crash.near-null arguments.buffers-arrive arguments.scalars-die",
     "B4", 'd', ""},
    {"run.crash crash.in-kernel crash.on-driver-thread crash.far", "Z3", 'o', "B4"},
    {"run.crash crash.in-kernel crash.on-driver-thread crash.far arguments.scalars-wrong", "B4", 'd', ""},
    {"run.crash crash.on-driver-thread crash.idle crash.near-null", "S1", 'o', "B2"},
    {"run.crash crash.on-driver-thread crash.idle crash.near-null idle-waits.cured new-process.same", "S1", 'd', ""},
    {"run.crash crash.on-driver-thread crash.idle crash.in-kernel crash.far", "S1", 'd', ""},
    {"run.crash crash.on-own-thread crash.far idle-waits.cured new-process.cured", "S1", 'o', "Z3"},
    {"run.crash crash.on-own-thread crash.in-build crash.far", "M1", 'o', "Z3"},
    {"run.crash crash.stack case.local-memory", "W2", 'o', "Z3"},
    {"run.timeout hang.in-call hang.in-build", "M1", 'o', ""},
    {"output.all-canary markers.lost none.landed later.lost again.same plant.stale first-fill.landed "
     "case.transfers-only",
     "T1", 'd', ""},
    {"output.all-canary markers.lost none.landed later.lost again.same plant.stale first-fill.lost "
     "case.transfers-only",
     "D1", 'o', "E2"},
    {"output.all-canary markers.lost none.landed later.lost again.same plant.stale pauses.cured new-process.same "
     "case.transfers-only",
     "S1", 'd', ""},
    {"case.struct output.is-other-buffer witness.ran-all input.right never-free.same", "B5", 'd', ""},
    {"api.lost run.lost kernel-log.driver kernel-log.fault case.dispatches", "B2", 'o', "T1"},
    {"witness.ran-all markers.after-lost output.right markers.never later.landed repeat.same copied-end.same",
     "E2", 'd', ""},
    {"witness.ran-all markers.after-lost output.right markers.never later.landed repeat.same", "E2", 'o', ""},
    {"witness.ran-all markers.after-lost output.right markers.late later.landed repeat.same", "S1", 'd', ""},
    {"witness.never-ran markers.lost markers.late witness.late output.all-canary again.right", "S1", 'd', ""},
    {"output.all-zero plant.zero plant.fresh-lost markers.lost markers.never later.lost sum.right", "U3", 'd', ""},
    {"input.changed input.of-other again.keeps witness.ran-all case.dispatches", "U2", 'd', ""},
    {"output.all-canary witness.never-ran markers.lost later.lost clock.ran again.same grid.arrived", "S2", 'd', ""},
    {"output.all-canary witness.never-ran markers.lost later.lost clock.ran again.same grid.lost", "U1", 'd', ""},
    {"output.all-canary witness.never-ran markers.lost later.lost clock.ran again.same", "S2", 'o', "U1"},
    {"output.all-canary witness.never-ran markers.lost later.lost clock.ran again.same grid.arrived no-layers.changed "
     "new-process.same",
     "E1", 'd', ""},
    {"output.all-canary witness.never-ran markers.landed later.landed copied.differs mapped.nothing again.same "
     "no-layers.cured",
     "E1", 'd', ""},
    {"output.all-canary witness.never-ran markers.landed later.landed copied.differs mapped.nothing again.same", "S2",
     'o', "D1"},
    {"witness.count-twice output.doubled markers.landed", "D4", 'd', ""},
    {"witness.taken-by-later witness.never-ran witness.same-kernel-ran witness.count-twice output.some-canary "
     "markers.landed",
     "B6", 'd', ""},
    {"witness.taken-by-earlier witness.never-ran witness.same-kernel-ran witness.count-twice output.some-canary "
     "markers.landed",
     "B4", 'd', ""},
    {"witness.grid-turned output.permuted case.axes", "D5", 'd', ""},
    {"output.host-canary witness.unread markers.unread again.same copied.same", "U3", 'd', ""},
    {"output.host-canary again.same copied.same sum.right witness.ran-all markers.landed", "U3", 'd', ""},
    {"output.host-canary late.arrived again.right", "S1", 'd', ""},
    {"output.all-canary again.right copied.right sum.right witness.ran-all", "S1", 'd', ""},
    {"output.all-canary markers.lost markers.late again.right copied.differs mapped.differs witness.ran-all "
     "pauses.same case.dispatches",
     "S2", 'o', "B2"},
    {"witness.missed markers.late witness.late output.right input.right pauses.same no-layers.cured new-process.same",
     "E1", 'd', ""},
    {"run.crash crash.in-kernel crash.on-driver-thread crash.far arguments.scalars-wrong arguments.buffers-wrong", "A1",
     'o', "B4"},
    {"output.stale-blocks again.same copied.right sum.right witness.ran-all case.mapped", "S2", 'd', ""},
    {"output.all-canary again.same copied.right sum.right witness.ran-all case.mapped case.host-pointer", "A3", 'd',
     ""},
    {"input.canary ran-on.canary output.all-other witness.ran-all markers.landed sum.as-read again.same", "U1", 'd',
     ""},
    {"ran-on.canary output.all-other witness.ran-all case.noncoherent case.mapped input.canary-blocks", "A2", 'd', ""},
    {"input.canary-tail output.prefix-zero witness.ran-all", "U4", 'd', ""},
    {"output.host-canary-tail witness.ran-all", "U4", 'd', ""},
    {"ran-on.other-buffer input.right output.all-other witness.ran-all", "B1", 'd', ""},
    {"ran-on.zero input.right output.all-other witness.ran-all", "B2", 'd', ""},
    {"ran-on.zero input.right output.all-other witness.ran-all case.table", "I2", 'd', ""},
    {"ran-on.shifted input.right output.all-other witness.ran-all case.offset", "B3", 'd', ""},
    {"witness.scalar-zero output.factor output.all-other input.right", "B4", 'd', ""},
    {"witness.scalar-low-half output.all-other input.right", "B4", 'd', ""},
    {"witness.stale-kernel output.all-other", "C1", 'd', ""},
    {"witness.local-size witness.count-low output.one-per-group", "C2", 'd', ""},
    {"witness.constant output.all-other", "C2", 'd', ""},
    {"output.group-prefix witness.ran-all case.local-memory input.right", "W2", 'd', ""},
    {"redzone.behind witness.ran-all output.all-other", "Z3", 'l', ""},
    {"output.all-other witness.ran-all input.right case.subgroups case.local-memory narrow-subgroups.cured",
     "W3", 'd', ""},
    {"output.all-other witness.ran-all input.right case.subgroups case.local-memory narrow-subgroups.same",
     "W3", 'o', "W1"},
    {"output.near witness.ran-all input.right case.floats", "N2", 'd', ""},
    {"plant.lost plant.fill-lost plant.fresh-keeps", "A1", 'd', ""},
    {"plant.lost plant.fill-kept", "U1", 'o', "A2"},
    {"api.allocation", "A1", 'd', ""},
    {"api.lost", "T1", 'd', ""},
    {"witness.ran-all case.queues case.stages output.some-canary one-queue.cured wait-each.cured repeat.same", "S4",
     'd', ""},
    {"witness.ran-all case.stages output.all-other wait-each.cured repeat.same", "S3", 'd', ""},
    {"witness.foreign case.stages case.dispatches case.several-dispatches output.right wait-each.cured repeat.same",
     "B6", 'o', "S3"},
    {"witness.ran-all case.base output.all-canary markers.landed repeat.same", "D5", 'o', "B2"},
    {"run.crash crash.heap crash.on-own-thread idle-waits.same", "Z3", 'o', "B2"},
    {"output.all-canary case.transfers-only case.fill other-fill.cured repeat.same", "A4", 'd', ""},
    {"host.same witness.ran-all output.all-other input.right", "O1", 'd', ""},
    {"sweep.limit witness.count-low", "Z2", 'd', ""},
    {"plant.read-short", "U4", 'd', ""},
    {"plant.read-short edge.may-wrap", "U4", 'o', "Z1"}, /* a constant end, or a remainder? */
    {"plant.read-short edge.may-wrap edge.constant", "U4", 'd', ""},
    {"plant.unread sweep.edge sweep.turn", "Z1", 'd', ""},
    {"witness.never-ran markers.landed output.all-canary sweep.turn", "D1", 'o', "E2"},
    {"output.all-other ran-on.shifted sum.lies witness.ran-all input.none", "B3", 'd', ""},
    {"output.every sum.lies witness.ran-all input.right repeat.same", "B3", 'o', "M1"}, /* what else lies is no code */
    {"output.every output.near witness.ran-all input.right", "N2", 'o', "M1"},
    {"output.all-zero plant.zero mapped.shows plant.fresh-lost witness.zero", "U3", 'd', ""},
    {"output.all-zero plant.zero plant.fill-kept plant.fill-lost plant.fresh-lost mapped.right", "A1", 'd', ""},
    {"witness.base-lost ran-on.canary input.none output.all-other", "U1", 'o', "U2"},
    {"markers.landed later.landed", "", 'o', ""},
};

static void test_sets(void)
{
    for (size_t i = 0; i < LAD_N(sets); i++) {
        struct lad_record r = make(sets[i].seen);
        struct lad_why why;
        CU_ASSERT(lad_diagnose(arena, &r, &why));
        const char *cause = why.cause ? why.cause->id : "", *other = why.other ? why.other->id : "";
        char sure = "old"[why.sure];
        bool ok =
            !strcmp(cause, sets[i].cause) && sure == sets[i].sure && (!*sets[i].other || !strcmp(other, sets[i].other));
        if (!ok)
            printf("\n  %s\n    -> %s %c (%s), expected %s %c (%s)", sets[i].seen, cause, sure, other, sets[i].cause,
                   sets[i].sure, sets[i].other);
        CU_ASSERT(ok);
        CU_ASSERT(why.sentence && why.verdict && why.next);
        CU_ASSERT(!*cause || (why.place && !strchr(why.place, '{') && why.n_pro > 0));
    }
}

/* The kinds of failure that a first line must tell apart. */
static void test_sentences(void)
{
    static const char *const wanted[][2] = {{"output.host-canary sum.right again.same", "never saw it"},
                                            {"witness.never-ran markers.landed output.all-canary", "never ran"},
                                            {"input.canary ran-on.canary", "other data"},
                                            {"witness.stale-kernel", "something else"},
                                            {"host.same", "test itself"}};
    for (size_t i = 0; i < LAD_N(wanted); i++) {
        struct lad_record r = make(wanted[i][0]);
        struct lad_why why;
        CU_ASSERT(lad_diagnose(arena, &r, &why) && strstr(why.sentence, wanted[i][1]));
    }
}

static void test_silence(void)
{
    static const enum lad_status quiet[] = {LAD_STATUS_PASS, LAD_STATUS_SKIP, LAD_STATUS_BLOCKED, LAD_STATUS_MISSING};
    for (size_t i = 0; i < LAD_N(quiet); i++) {
        struct lad_record r = make("witness.never-ran markers.landed");
        struct lad_why why;
        r.status = quiet[i];
        CU_ASSERT(!lad_diagnose(arena, &r, &why));
    }
}

/* No single observation but a proof decides, and a proof for two classes leaves it open. */
static void test_no_haste(void)
{
    static const char *const weak[] = {"witness.ran-all",   "output.all-zero", "output.all-other", "output.scattered",
                                       "output.all-canary", "again.same",      "output.nan",       "repeat.changed",
                                       "messages",          "input.right",     "input.changed",    "sum.neither"};
    struct lad_why why;
    for (size_t i = 0; i < LAD_N(weak); i++) {
        struct lad_record r = make(weak[i]);
        CU_ASSERT(lad_diagnose(arena, &r, &why) && why.sure == LAD_SURE_OPEN);
    }
    struct lad_record both = make("witness.stale-kernel witness.constant");
    CU_ASSERT(lad_diagnose(arena, &both, &why) && why.sure == LAD_SURE_OPEN && why.cause && why.other);
    CU_ASSERT(strstr(why.verdict, "not decided between") && strstr(why.verdict, "because"));
}

static void test_pure(void)
{
    struct lad_record r = make("witness.never-ran markers.landed output.all-canary"), copy = r;
    struct lad_why one, two;
    CU_ASSERT(lad_diagnose(arena, &r, &one) && lad_diagnose(arena, &r, &two));
    CU_ASSERT_EQUAL(one.cause, two.cause);
    CU_ASSERT_EQUAL(one.n_pro, two.n_pro);
    CU_ASSERT_EQUAL(memcmp(&r, &copy, sizeof r), 0);
}

static void test_table(void)
{
    const char *flaw = lad_diagnose_flaw(arena);
    if (flaw)
        printf("\n  %s", flaw);
    CU_ASSERT(!flaw);
}

int main(void)
{
    static const struct lad_test tests[] = {{"every row means something", test_table},
                                            {"recorded sets", test_sets},
                                            {"kinds of failure", test_sentences},
                                            {"nothing to explain", test_silence},
                                            {"no hasty decision", test_no_haste},
                                            {"pure", test_pure},
                                            {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("diagnose", tests);
    lad_arena_destroy(&arena);
    return status;
}
