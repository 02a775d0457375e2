/* SPDX-License-Identifier: Apache-2.0 */
/* Records, devices and runs through JSON and back; journals cut at every byte. */
#include "harness.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lad_arena *arena;

static double make_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static struct lad_record make_record(void)
{
    static struct lad_fact facts[] = {{'+', "mapping works"}, {'!', "lone \xff byte, \xed\xa0\x80 surrogate"}};
    static struct lad_measure measures[] = {{"copy", "GB/s", "device", "faster than memory", 1e300, 0.1, UINT64_MAX}};
    static struct lad_diff diffs[] = {{0, 1, 0, 0}, {UINT64_MAX, 0x8000000000000000u, UINT64_MAX, 0}};
    static struct lad_seen seen[] = {
        {"out", "uint", "device", "all zero", "960. 64P", 4, 4096, 1024, 1000, 999, 3, 1023, diffs, 2}};
    static struct lad_obs obs[] = {{"output.all-zero", "out", -4}, {"markers.landed", NULL, 0}};
    static struct lad_size sizes[] = {{65, "wrong", -1}};
    static struct lad_trial trial[] = {{"wait-each", "cured", "right", 12, sizes, 1}};
    static const char *messages[] = {"VUID-1", "line\nline\x1b[31m"};
    static struct lad_try retry[] = {{LAD_STATUS_TIMEOUT, "ladder.timeout", "10 s", 7}};
    diffs[1].ulps = make_double(0x7ff8000000000123);
    return (struct lad_record){.id = "thread-id-1d",
                               .file = "cases/ladder/thread-id.xml",
                               .group = "dispatch",
                               .proves = "it runs",
                               .device = "vk-llvmpipe",
                               .uses = "dispatches kernel:x", .spec = "vk:0",
                               .rung = 3,
                               .line = 12,
                               .seed = 0xfeed0000dead0001,
                               .status = LAD_STATUS_FAIL,
                               .type = "ladder.mismatch",
                               .message = "all zero",
                               .sweep = "n",
                               .sweep_failed = -5,
                               .sweep_passed = INT64_MIN,
                               .sweep_reached = INT64_MAX,
                               .facts = facts,
                               .n_facts = 2,
                               .measures = measures,
                               .n_measures = 1,
                               .seen = seen,
                               .n_seen = 1,
                               .obs = obs,
                               .n_obs = 2,
                               .trial = trial,
                               .n_trials = 1,
                               .messages = messages,
                               .n_messages = 2,
                               .time_ns = 1,
                               .open_ns = 2,
                               .build_ns = 3,
                               .first_ns = 4,
                               .n_dropped = 5,
                               .inject = "D1.dropped:at=2",
                               .n_hits = 3,
                               .exit_code = -1,
                               .signal = 11,
                               .output = "boom",
                               .output_bytes = 12345678,
                               .tries = 2,
                               .flaky = true,
                               .retry = retry,
                               .n_retries = 1,
                               .blocker = "map-write",
                               .known = "issue 7",
                               .unexpected = true};
}

static struct lad_record pass_on(const struct lad_record *r)
{
    json_t *json = lad_record_json(r);
    char *text = json_dumps(json, JSON_COMPACT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NULL(strchr(text, '\n'));
    json_t *again = json_loads(text, 0, NULL);
    struct lad_record got;
    CU_ASSERT_TRUE_FATAL(lad_record_parse(arena, again, &got));
    json_t *third = lad_record_json(&got);
    CU_ASSERT_TRUE(json_equal(json, third));
    json_decref(json);
    json_decref(again);
    json_decref(third);
    free(text);
    return got;
}

static void test_record(void)
{
    struct lad_record want = make_record(), got = pass_on(&want);
    /* A new member of these needs its row in record.c, and a line here. */
    if (sizeof(void *) == 8) {
        CU_ASSERT_EQUAL(sizeof want, 376);
        CU_ASSERT_EQUAL(sizeof(struct lad_seen), 112);
    }
#define SAME_TEXT(member) CU_ASSERT(got.member && !strcmp(got.member, want.member))
#define SAME(member) CU_ASSERT_EQUAL(got.member, want.member)
    SAME_TEXT(id);
    SAME_TEXT(file);
    SAME_TEXT(group);
    SAME_TEXT(proves);
    SAME_TEXT(device);
    SAME_TEXT(spec);
    SAME_TEXT(uses);
    SAME(rung);
    SAME(line);
    SAME(seed);
    SAME(status);
    SAME(sweep_failed);
    SAME(sweep_passed);
    SAME(sweep_reached);
    SAME_TEXT(type);
    SAME_TEXT(message);
    SAME_TEXT(sweep);
    SAME_TEXT(known);
    SAME_TEXT(blocker);
    SAME_TEXT(output);
    SAME(time_ns);
    SAME(open_ns);
    SAME(build_ns);
    SAME(first_ns);
    SAME(n_dropped);
    SAME_TEXT(inject);
    SAME(n_hits);
    SAME(exit_code);
    SAME(signal);
    SAME(output_bytes);
    SAME(tries);
    SAME(flaky);
    SAME(unexpected);
    SAME(n_facts);
    SAME(n_measures);
    SAME(n_seen);
    SAME(n_obs);
    SAME(n_trials);
    SAME_TEXT(obs[0].name);
    SAME_TEXT(obs[0].on);
    SAME(obs[0].value);
    CU_ASSERT(!got.obs[1].on);
    SAME_TEXT(trial[0].name);
    SAME_TEXT(trial[0].result);
    SAME_TEXT(trial[0].text);
    SAME(trial[0].time_ns);
    SAME(trial[0].n_sizes);
    SAME(trial[0].sizes[0].n);
    SAME(trial[0].sizes[0].groups);
    SAME_TEXT(trial[0].sizes[0].result);
    SAME(n_messages);
    SAME(n_retries);
    SAME(facts[0].sign);
    SAME_TEXT(facts[0].text);
    SAME(facts[1].sign);
    SAME_TEXT(facts[1].text);
    SAME_TEXT(measures[0].name);
    SAME_TEXT(measures[0].unit);
    SAME_TEXT(measures[0].clock);
    SAME_TEXT(measures[0].doubt);
    SAME(measures[0].value);
    SAME(measures[0].floor);
    SAME(measures[0].size);
    SAME_TEXT(seen[0].name);
    SAME_TEXT(seen[0].type);
    SAME_TEXT(seen[0].mem);
    SAME_TEXT(seen[0].signature);
    SAME_TEXT(seen[0].map);
    SAME(seen[0].bin);
    SAME(seen[0].bytes);
    SAME(seen[0].n);
    SAME(seen[0].n_checked);
    SAME(seen[0].n_wrong);
    SAME(seen[0].first);
    SAME(seen[0].last);
    SAME(seen[0].n_diffs);
    SAME(seen[0].diff[0].index);
    SAME(seen[0].diff[0].expected);
    SAME(seen[0].diff[0].actual);
    SAME(seen[0].diff[0].ulps);
    SAME(seen[0].diff[1].index);
    SAME(seen[0].diff[1].expected);
    SAME(seen[0].diff[1].actual);
    CU_ASSERT_EQUAL(memcmp(&got.seen[0].diff[1].ulps, &want.seen[0].diff[1].ulps, 8), 0);
    SAME_TEXT(messages[0]);
    SAME_TEXT(messages[1]);
    SAME(retry[0].status);
    SAME_TEXT(retry[0].type);
    SAME_TEXT(retry[0].message);
    SAME(retry[0].time_ns);
}

static void test_numbers(void)
{
    static const uint64_t bits[] = {0x8000000000000000, 0x7ff0000000000000, 0xfff0000000000000,
                                    0x7ff0000000000001, 0xfff8000000000000, 1,
                                    0x3fb999999999999a, 0x7fefffffffffffff};
    for (size_t i = 0; i < LAD_N(bits); i++) {
        struct lad_measure measure = {.name = "m", .value = make_double(bits[i])};
        struct lad_record r = {.id = "a", .device = "b", .measures = &measure, .n_measures = 1}, got = pass_on(&r);
        uint64_t seen;
        memcpy(&seen, &got.measures[0].value, sizeof seen);
        CU_ASSERT_EQUAL(seen, bits[i]);
    }
}

static void test_statuses(void)
{
    enum lad_status back;
    for (int i = 0; i < LAD_STATUS_COUNT; i++) {
        CU_ASSERT_TRUE(lad_status_parse(lad_status_name((enum lad_status)i), &back));
        CU_ASSERT_EQUAL(back, (enum lad_status)i);
    }
    CU_ASSERT_FALSE(lad_status_parse("PASS", &back));
    CU_ASSERT_STRING_EQUAL(lad_status_name((enum lad_status)99), "error");
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "7",
        "{\"id\":\"a\",\"device\":\"b\"}",
        "{\"id\":\"a\",\"status\":\"pass\"}",
        "{\"id\":7,\"device\":\"b\",\"status\":\"pass\"}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"good\"}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":7}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"rung\":99999999999}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"seed\":\"0x\"}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"seed\":\"0x11112222333344445\"}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"seed\":-1}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"facts\":[7]}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"facts\":{\"sign\":\"+\"}}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"messages\":[{\"bytes\":\"\\u1234\"}]}",
        "{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"flaky\":1}"};
    struct lad_record r;
    for (size_t i = 0; i < LAD_N(bad); i++) {
        json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);
        CU_ASSERT_PTR_NOT_NULL(json);
        CU_ASSERT_FALSE(lad_record_parse(arena, json, &r));
        json_decref(json);
    }
    CU_ASSERT_FALSE(lad_record_parse(arena, NULL, &r));
    json_t *later = json_loads("{\"id\":\"a\",\"device\":\"b\",\"status\":\"pass\",\"from-the-future\":[1]}", 0, NULL);
    CU_ASSERT_TRUE(lad_record_parse(arena, later, &r));
    json_decref(later);
}

static void test_set(void)
{
    struct lad_record r = {.status = LAD_STATUS_MISSING};
    lad_record_set(arena, &r, LAD_STATUS_PASS, NULL, NULL);
    CU_ASSERT_EQUAL(r.status, LAD_STATUS_PASS);
    CU_ASSERT_PTR_NULL(r.message);
    lad_record_set(arena, &r, LAD_STATUS_SKIP, NULL, "no %s", "fp16");
    CU_ASSERT_STRING_EQUAL(r.message, "no fp16");
    lad_record_set(arena, &r, LAD_STATUS_FAIL, "ladder.first", "first");
    lad_record_set(arena, &r, LAD_STATUS_FAIL, "ladder.second", "second");
    lad_record_set(arena, &r, LAD_STATUS_SKIP, NULL, "third");
    CU_ASSERT_EQUAL(r.status, LAD_STATUS_FAIL);
    CU_ASSERT_STRING_EQUAL(r.message, "first");
    lad_record_set(arena, &r, LAD_STATUS_CRASH, "ladder.crash", "fourth");
    CU_ASSERT_STRING_EQUAL(r.type, "ladder.crash");
    for (int i = 0; i < 9; i++)
        lad_record_fact(arena, &r, '+', "fact %d", i);
    struct lad_record got;
    r.id = r.device = "x";
    got = pass_on(&r);
    for (int i = 9; i < 20; i++)
        lad_record_fact(arena, &got, '-', "fact %d", i); /* what was read can be added to */
    CU_ASSERT_EQUAL(got.n_facts, 20);
    for (size_t i = 0; i < got.n_facts; i++)
        CU_ASSERT_STRING_EQUAL(got.facts[i].text, lad_printf(arena, "fact %d", (int)i));
}

static void test_bad(void)
{
    static const struct {
        enum lad_status status;
        const char *known;
        bool unexpected, bad;
    } rows[] = {{LAD_STATUS_PASS, NULL, false, false},   {LAD_STATUS_PASS, "x", true, true},
                {LAD_STATUS_SKIP, NULL, false, false},   {LAD_STATUS_BLOCKED, NULL, false, false},
                {LAD_STATUS_FAIL, NULL, false, true},    {LAD_STATUS_FAIL, "x", false, false},
                {LAD_STATUS_TIMEOUT, NULL, false, true}, {LAD_STATUS_CRASH, "x", false, false},
                {LAD_STATUS_LOST, NULL, false, true},    {LAD_STATUS_ERROR, NULL, false, true},
                {LAD_STATUS_MISSING, "x", false, true}};
    for (size_t i = 0; i < LAD_N(rows); i++) {
        struct lad_record r = {.status = rows[i].status, .known = rows[i].known, .unexpected = rows[i].unexpected};
        CU_ASSERT_EQUAL(lad_record_bad(&r), rows[i].bad);
    }
}

static struct lad_run make_run(size_t n)
{
    static const char *env[] = {"VK_DRIVER_FILES=/x.json"};
    static struct lad_icd icd[] = {{"vk", "/x.json", "libx.so", NULL}, {"cl", "/y.icd", "liby.so", "no such library"}};
    static struct lad_device device[2];
    device[0] = (struct lad_device){.spec = "vk:0",
                                    .slug = "vk-x",
                                    .icd = &icd[1],
                                    .index = 3,
                                    .info = {.name = "X \xff GPU",
                                             .vendor = "V",
                                             .driver = "D 1",
                                             .api = "Vulkan 1.3",
                                             .model = "x",
                                             .uuid = "00ff",
                                             .bus = "0000:01:00.0",
                                             .type = LAD_DEV_DISCRETE,
                                             .platform = 2}};
    device[0].info.cap[LAD_CAP_MEMORY_BYTES] = UINT64_MAX;
    device[0].info.cap[LAD_CAP_INT64] = 1;
    device[0].info.why[LAD_CAP_FP16] = "shaderFloat16 is false";
    device[1] = (struct lad_device){.spec = "host", .slug = "host"};
    struct lad_run run = {.version = "9",
                          .command = "gpuladder run",
                          .host = "h",
                          .started = "2026-11-21T01:14:07",
                          .os = "Linux",
                          .seed = UINT64_MAX,
                          .time_ns = 123,
                          .env = env,
                          .n_env = 1,
                          .icd = icd,
                          .n_icds = 2,
                          .device = device,
                          .n_devices = 2,
                          .record = lad_alloc(arena, n * sizeof *run.record),
                          .n_records = n,
                          .complete = true};
    for (size_t i = 0; i < n; i++)
        run.record[i] = (struct lad_record){.id = lad_printf(arena, "case-%zu", i / 2),
                                            .device = i % 2 ? "host" : "vk-x",
                                            .rung = 2,
                                            .seed = i,
                                            .known = i == 1 ? "known" : NULL,
                                            .message = "x",
                                            .exit_code = -1};
    return run;
}

static void test_run(void)
{
    struct lad_run want = make_run(5), got;
    json_t *json = lad_run_json(&want);
    CU_ASSERT_TRUE_FATAL(lad_run_parse(arena, json, &got));
    json_decref(json);
    SAME_TEXT(version);
    SAME_TEXT(command);
    SAME_TEXT(host);
    SAME_TEXT(started);
    SAME_TEXT(os);
    SAME_TEXT(env[0]);
    SAME(seed);
    SAME(n_env);
    SAME(n_icds);
    SAME(n_devices);
    SAME(n_records);
    SAME_TEXT(icd[1].api);
    SAME_TEXT(icd[1].file);
    SAME_TEXT(icd[1].library);
    SAME_TEXT(icd[1].refused);
    CU_ASSERT_PTR_NULL(got.icd[0].refused);
    SAME_TEXT(device[0].spec);
    SAME_TEXT(device[0].slug);
    SAME(device[0].index);
    CU_ASSERT_PTR_EQUAL(got.device[0].icd, &got.icd[1]);
    CU_ASSERT_PTR_NULL(got.device[1].icd);
    SAME_TEXT(device[0].info.name);
    SAME_TEXT(device[0].info.vendor);
    SAME_TEXT(device[0].info.driver);
    SAME_TEXT(device[0].info.api);
    SAME_TEXT(device[0].info.model);
    SAME_TEXT(device[0].info.uuid);
    SAME_TEXT(device[0].info.bus);
    SAME(device[0].info.type);
    SAME(device[0].info.platform);
    CU_ASSERT_EQUAL(memcmp(got.device[0].info.cap, want.device[0].info.cap, sizeof got.device[0].info.cap), 0);
    SAME_TEXT(device[0].info.why[LAD_CAP_FP16]);
    SAME_TEXT(record[4].id);
    SAME_TEXT(record[4].device);
    SAME(record[4].seed);
    SAME(record[4].rung);
    SAME_TEXT(record[1].known);
    CU_ASSERT_EQUAL(got.record[4].status, LAD_STATUS_MISSING);
}

static void test_other_version(void)
{
    struct lad_dev_info info;
    json_t *json = json_loads("{\"name\":\"n\",\"type\":\"quantum\",\"caps\":{\"fp64\":1,\"qubits\":9,\"memory-bytes\":"
                              "\"0xffffffffffffffff\"}}",
                              0, NULL);
    CU_ASSERT_TRUE_FATAL(lad_dev_info_parse(arena, json, &info));
    CU_ASSERT_EQUAL(info.cap[LAD_CAP_FP64], 1);
    CU_ASSERT_EQUAL(info.cap[LAD_CAP_MEMORY_BYTES], UINT64_MAX);
    CU_ASSERT_EQUAL(info.type, LAD_DEV_OTHER);
    json_decref(json);
}

static size_t write_journal(const char *path, struct lad_run *run, size_t *line_ends)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    size_t n = 0;
    CU_ASSERT_TRUE(lad_journal_start(fd, run));
    line_ends[n++] = (size_t)lseek(fd, 0, SEEK_CUR);
    for (size_t i = 0; i < run->n_records; i++) {
        CU_ASSERT_TRUE(lad_journal_record(fd, &run->record[i]));
        line_ends[n++] = (size_t)lseek(fd, 0, SEEK_CUR);
    }
    CU_ASSERT_TRUE(lad_journal_end(fd, run));
    line_ends[n++] = (size_t)lseek(fd, 0, SEEK_CUR);
    close(fd);
    return n;
}

static void test_journal(void)
{
    char dir[] = "/tmp/lad-record-XXXXXX", *path;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    path = lad_printf(arena, "%s/journal.jsonl", dir);
    struct lad_run run = make_run(5), got;
    size_t ends[8], n = write_journal(path, &run, ends);
    fflush(stderr);
    int err = dup(2), null = open("/dev/null", O_WRONLY);
    dup2(null, 2); /* hundreds of torn journals say so */
    for (size_t cut = ends[n - 1]; cut-- > 0;) {
        CU_ASSERT_EQUAL(truncate(path, (off_t)cut), 0);
        bool ok = lad_journal_read(arena, dir, &got);
        CU_ASSERT_EQUAL(ok, cut >= ends[0] - 1);
        if (!ok)
            continue;
        size_t whole = 0, missing = 0;
        while (whole < 5 && cut >= ends[whole + 1] - 1) /* the line feed may be missing */
            whole++;
        CU_ASSERT_EQUAL(got.n_records, 5);
        for (size_t i = 0; i < got.n_records; i++) {
            CU_ASSERT_STRING_EQUAL(got.record[i].id, run.record[i].id);
            if (got.record[i].status == LAD_STATUS_MISSING) {
                missing++;
                CU_ASSERT_STRING_EQUAL(got.record[i].type, "ladder.missing");
                CU_ASSERT_EQUAL(strncmp(got.record[i].message, "did not run: ", 13), 0);
            }
        }
        CU_ASSERT_EQUAL(missing, 5 - whole);
        CU_ASSERT_EQUAL(got.complete, cut == ends[n - 1] - 1);
        CU_ASSERT_EQUAL(got.cut == NULL, got.complete);
    }
    dup2(err, 2);
    close(err);
    close(null);
    unlink(path);
    CU_ASSERT_FALSE(lad_journal_read(arena, dir, &got));
    rmdir(dir);
}

static void test_journal_ends(void)
{
    char dir[] = "/tmp/lad-record-XXXXXX", *path;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    path = lad_printf(arena, "%s/journal.jsonl", dir);
    struct lad_run run = make_run(3), got;
    run.complete = false;
    run.cut = "interrupted";
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    struct lad_record extra = {.id = "not-planned", .device = "host"};
    CU_ASSERT_TRUE(lad_journal_start(fd, &run) && lad_journal_record(fd, &run.record[2]) &&
                   lad_journal_record(fd, &extra));
    CU_ASSERT_EQUAL(write(fd, "garbage\n", 8), 8);
    CU_ASSERT_TRUE(lad_journal_record(fd, &run.record[0]) && lad_journal_end(fd, &run));
    close(fd);
    CU_ASSERT_TRUE_FATAL(lad_journal_read(arena, dir, &got));
    CU_ASSERT_EQUAL(got.n_records, 4);
    CU_ASSERT_EQUAL(got.record[0].status, LAD_STATUS_PASS);
    CU_ASSERT_EQUAL(got.record[1].status, LAD_STATUS_MISSING);
    CU_ASSERT_STRING_EQUAL(got.record[1].message, "did not run: interrupted");
    CU_ASSERT_EQUAL(got.record[2].status, LAD_STATUS_PASS);
    CU_ASSERT_STRING_EQUAL(got.record[3].id, "not-planned");
    CU_ASSERT_EQUAL(got.time_ns, 123);
    CU_ASSERT_STRING_EQUAL(got.output, dir);
    fd = open("/dev/full", O_WRONLY);
    errno = 0;
    CU_ASSERT_FALSE(lad_journal_record(fd, &extra));
    CU_ASSERT_EQUAL(errno, ENOSPC);
    close(fd);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    static const struct lad_test tests[] = {{"record", test_record},
                                            {"numbers", test_numbers},
                                            {"statuses", test_statuses},
                                            {"refused", test_refused},
                                            {"set", test_set},
                                            {"bad", test_bad},
                                            {"run", test_run},
                                            {"other version", test_other_version},
                                            {"journal", test_journal},
                                            {"journal ends", test_journal_ends},
                                            {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("record", tests);
    lad_arena_destroy(&arena);
    return status;
}
