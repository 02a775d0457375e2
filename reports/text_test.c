/* SPDX-License-Identifier: Apache-2.0 */
/* Figures and buffers in words, the terminal's limits, the Markdown's escapes, and JSON that programs can read. */
#include "../harness/test.h"
#include "report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct lad_report lad_report_markdown, lad_report_json;
static struct lad_arena *arena;

static void test_values(void)
{
    static const struct {
        const char *type;
        uint64_t bits;
        const char *text;
    } rows[] = {{"uint", 0xffffffff, "0xffffffff  4294967295"},
                {"u32", 5, "0x00000005  5"},
                {"int", 0xffffffff, "0xffffffff  -1"},
                {"i32", 0x80000000, "0x80000000  -2147483648"},
                {"u64", UINT64_MAX, "0xffffffffffffffff  18446744073709551615"},
                {"long", UINT64_MAX, "0xffffffffffffffff  -1"},
                {"u8", 0x1ff, "0xff  255"},
                {"u16", 7, "0x0007  7"},
                {"float", 0x3dcccccd, "0x3dcccccd  0.1"},
                {"f32", 0x00000001, "0x00000001  1e-45"},
                {"float", 0x80000000, "0x80000000  -0"},
                {"float", 0x7f7fffff, "0x7f7fffff  3.4028235e+38"},
                {"float", 0x4b800000, "0x4b800000  16777216"},
                {"float", 0x7f800000, "0x7f800000  inf"},
                {"float", 0xff800000, "0xff800000  -inf"},
                {"float", 0x7fc00000, "0x7fc00000  nan(0x400000)"},
                {"float", 0xff800001, "0xff800001  -nan(0x1)"},
                {"double", 0x3fb999999999999a, "0x3fb999999999999a  0.1"},
                {"f64", 0x3fd3333333333334, "0x3fd3333333333334  0.30000000000000004"},
                {"f64", 0x7ff8000000000001, "0x7ff8000000000001  nan(0x8000000000001)"},
                {"half", 0x3c00, "0x3c00"},
                {"what", 1, "0x0000000000000001"},
                {NULL, 1, "0x0000000000000001"}};
    for (size_t i = 0; i < LAD_N(rows); i++)
        CU_ASSERT_STRING_EQUAL(lad_show_value(arena, rows[i].type, rows[i].bits), rows[i].text);
    uint64_t state = 7;
    for (int i = 0; i < 2000; i++) { /* shortest decimals read back as the same bits */
        uint32_t bits = (uint32_t)lad_random(&state), back;
        const char *text = strstr(lad_show_value(arena, "float", bits), "  ") + 2;
        float value = strtof(text, NULL);
        memcpy(&back, &value, sizeof back);
        CU_ASSERT(isnan(value) || back == bits);
    }
}

static void test_figures(void)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},           {12.3456, "12.35"},        {999.94, "999.9"}, {1234567.4, "1234567"},
                {-1500, "-1500"},   {0.00012345, "0.0001234"}, {1e20, "1e+20"},   {HUGE_VAL, "inf"},
                {-HUGE_VAL, "-inf"}};
    for (size_t i = 0; i < LAD_N(rows); i++)
        CU_ASSERT_STRING_EQUAL(lad_show_number(arena, rows[i].value), rows[i].text);
    CU_ASSERT_STRING_EQUAL(lad_show_number(arena, NAN), "nan");
    CU_ASSERT_STRING_EQUAL(lad_show_time(arena, 0), "0.000");
    CU_ASSERT_STRING_EQUAL(lad_show_time(arena, 499999), "0.000");
    CU_ASSERT_STRING_EQUAL(lad_show_time(arena, 500000), "0.001");
    CU_ASSERT_STRING_EQUAL(lad_show_time(arena, 999999999), "1.000");
    CU_ASSERT_STRING_EQUAL(lad_show_time(arena, UINT64_MAX), "18446744073.710");
    struct lad_measure m = {"copy", "GB/s", "device", NULL, 12.3456, 5, 1024};
    CU_ASSERT_STRING_EQUAL(lad_show_measure(arena, &m), "copy 12.35 GB/s at 1024 (device clock, floor 5)");
    m.doubt = "the clock stood still";
    CU_ASSERT_STRING_EQUAL(lad_show_measure(arena, &m), "copy implausible: the clock stood still"); /* no figure */
    m.doubt = NULL;
    m.value = HUGE_VAL;
    CU_ASSERT_STRING_EQUAL(lad_show_measure(arena, &m), "copy implausible: the figure is inf");
}

static char *catch (void (*write)(FILE *, const void *), const void *arg)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    CU_ASSERT_FATAL(f != NULL);
    write(f, arg);
    fclose(f);
    char *kept = lad_strdup(arena, text);
    free(text);
    return kept;
}

static void put_seen(FILE *f, const void *arg)
{
    lad_put_seen(f, arena, arg, 16, true);
}

static void test_map(void)
{
    struct lad_diff diff[] = {{0, 1, 0, 0}, {63, 64, 0, 0}};
    struct lad_seen s = {.name = "b",
                         .type = "uint",
                         .mem = "device",
                         .signature = "all zero",
                         .map = "640",
                         .bin = 1,
                         .bytes = 256,
                         .n = 64,
                         .n_checked = 64,
                         .n_wrong = 64,
                         .diff = diff,
                         .n_diffs = 2};
    const char *text = catch (put_seen, &s);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "      ...   62 more, all zero\n")); /* the letter is a digit */
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text,
        "  0x0000   00000000 00000000 00000000 00000000   (32 elements a row)\n           1 more row, the same\n"));
    s.map = "60. 10 3N";
    s.n_wrong = 4;
    text = catch (put_seen, &s);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  map      . ok   0 zero   N NaN or infinity\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  0x0080   ........ ........ ........ ....0NNN\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "62 elements of several kinds"));
    s.map = "2. 2P"; /* bins of 16 */
    s.bin = 16;
    text = catch (put_seen, &s);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  0x0000   ..PP   (32 a row, 16 elements a cell)\n"));
    static const char *const odd[] = {NULL,  "",  " ",   "9",      ".",    "99999999999999999999.",
                                      "-4.", "4", "x4.", "3.3.3.", "\x1b", "4\xff 3."};
    for (size_t i = 0; i < LAD_N(odd); i++) {
        s.map = odd[i];
        CU_ASSERT(strlen(catch (put_seen, &s)) > 80);
    }
}

struct shown {
    const struct lad_run *run;
    const struct lad_record *record;
    bool colour, all;
};

static void put_record(FILE *f, const void *arg)
{
    const struct shown *s = arg;
    lad_text_record(f, s->run, s->record, s->colour, s->all);
}

static void put_summary(FILE *f, const void *arg)
{
    const struct shown *s = arg;
    lad_text_summary(f, s->run, s->colour);
}

static char *drop_colour(const char *text)
{
    return lad_clean(arena, text, strlen(text), 0);
}

/* Commands are for copying and messages are others' text; every other line fits. */
static void check_lines(const char *text, size_t most)
{
    size_t lines = 0;
    for (const char *p = text; *p; lines++) {
        size_t n = strcspn(p, "\n");
        bool ours = strncmp(p, "    | ", 6) && strncmp(p, "  repeat:", 9) && strncmp(p, "next:", 5) &&
                    strncmp(p, "  next:", 7) && strncmp(p, "SUMMARY:", 8) && strncmp(p, "report:", 7) &&
                    strncmp(p, "  more:", 7) && memcmp(p, "1844674407", 10);
        if (ours && n > 80)
            fprintf(stderr, "%zu columns: %.*s\n", n, (int)n, p);
        CU_ASSERT(!ours || n <= 80);
        for (size_t i = 0; i < n; i++)
            CU_ASSERT(p[i] >= ' ' && p[i] <= '~');
        p += n + (p[n] == '\n');
    }
    CU_ASSERT(lines <= most);
}

static void test_terminal(void)
{
    static const char *const names[] = {"all-pass", "all-zeros", "crash",   "cut",     "expected",
                                        "flaky",    "hostile",   "nothing", "timeout", "values"};
    for (size_t i = 0; i < LAD_N(names); i++) {
        struct lad_run run;
        CU_ASSERT_FATAL(lad_journal_read(arena, lad_printf(arena, "reports/golden/%s", names[i]), &run));
        struct shown s = {&run, NULL, false, false};
        for (s.record = run.record; s.record < run.record + run.n_records; s.record++) {
            const char *plain = catch (put_record, &s);
            check_lines(plain, 40);
            s.colour = true;
            const char *coloured = catch (put_record, &s);
            CU_ASSERT_STRING_NOT_EQUAL(coloured, plain);
            CU_ASSERT_STRING_EQUAL(drop_colour(coloured), plain);
            s.colour = false;
            if (lad_record_bad(s.record) && s.record->status != LAD_STATUS_MISSING)
                CU_ASSERT_PTR_NOT_NULL(strstr(plain, lad_repeat(arena, &run, s.record)));
        }
        const char *plain = catch (put_summary, &s);
        check_lines(plain, 1000);
        CU_ASSERT_PTR_NOT_NULL(strstr(plain, "SUMMARY: "));
        s.colour = true;
        CU_ASSERT_STRING_EQUAL(drop_colour(catch (put_summary, &s)), plain);
    }
}

static void test_cut_block(void)
{
    const char *messages[60];
    for (size_t i = 0; i < LAD_N(messages); i++)
        messages[i] = "one\ntwo\nthree";
    struct lad_fact facts[50];
    for (size_t i = 0; i < LAD_N(facts); i++)
        facts[i] = (struct lad_fact){'+', "known"};
    struct lad_record r = {.id = "x",
                           .device = "d",
                           .status = LAD_STATUS_FAIL,
                           .message = "m",
                           .messages = messages,
                           .n_messages = 60,
                           .facts = facts,
                           .n_facts = 50};
    struct lad_run run = {.complete = true};
    struct shown s = {&run, &r, false, false};
    const char *text = catch (put_record, &s);
    check_lines(text, 40);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "lines left out, -v shows them\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  repeat: gpuladder run --device d --only x --seed 0x0\n"));
    s.all = true;
    CU_ASSERT(strlen(catch (put_record, &s)) > 2 * strlen(text));
}

/* A record that holds only what it must, in every status. */
static void test_bare(void)
{
    for (int status = 0; status < LAD_STATUS_COUNT; status++) {
        struct lad_record r = {.id = "x", .device = "d", .status = (enum lad_status)status};
        struct lad_run run = {.record = &r, .n_records = 1};
        struct shown s = {&run, &r, false, true};
        CU_ASSERT(strlen(catch (put_record, &s)) > 10);
        CU_ASSERT(strlen(catch (put_summary, &s)) > 10);
        CU_ASSERT_EQUAL(
            strncmp(lad_body(arena, &run, &r, 16384), lad_headline(arena, &r), strlen(lad_headline(arena, &r))), 0);
        for (const struct lad_report *const *report = lad_reports; *report; report++) {
            char *text = NULL;
            size_t n = 0;
            FILE *f = open_memstream(&text, &n);
            CU_ASSERT((*report)->write(f, &run, &(struct lad_options){0}));
            fclose(f);
            CU_ASSERT(n > 100);
            free(text);
        }
    }
}

static void test_body(void)
{
    char *giant = lad_alloc(arena, 200001);
    memset(giant, '&', 200000);
    const char *messages[] = {giant};
    struct lad_record r = {.id = "x y",
                           .device = "d",
                           .status = LAD_STATUS_FAIL,
                           .message = "\"a\" <b> & \xc3\xa9",
                           .messages = messages,
                           .n_messages = 1,
                           .seed = 0xabc,
                           .file = "/home/me/my cases/x.xml",
                           .spec = "cl:0:0"};
    const char *env[] = {"VK_DRIVER_FILES=/v", "OCL_ICD_VENDORS=/o p", "HOME=/home/me"};
    struct lad_run run = {.env = env, .n_env = 3};
    CU_ASSERT_STRING_EQUAL(lad_headline(arena, &r), "'a' (b) + \\u00e9");
    CU_ASSERT_STRING_EQUAL(
        lad_repeat(arena, &run, &r),
        "OCL_ICD_VENDORS='/o p' gpuladder run --cases '/home/me/my cases/x.xml' --device d --only 'x y' --seed 0xabc");
    const char *body = lad_body(arena, &run, &r, 3000);
    CU_ASSERT(strlen(body) <= 3000 && strlen(body) > 2900);
    CU_ASSERT_PTR_NOT_NULL(strstr(body, "the rest is left out"));
    CU_ASSERT_PTR_NULL(strpbrk(body, "<&"));
    CU_ASSERT_PTR_NULL(strstr(body, "/home/me"));
    CU_ASSERT_EQUAL(strncmp(body, "'a' (b) + \\u00e9\ncause: ", 23), 0);
}

static void test_tokens(void)
{
    static const char *const rows[][2] = {{"ladder.mismatch.all-zero", "ladder.mismatch.all-zero"},
                                          {"file", "ladder.file"},
                                          {"Integer", "ladder.integer"},
                                          {NULL, "ladder.fail"},
                                          {"", "ladder.fail"},
                                          {"ladder.", "ladder.ladder-"},
                                          {"ladder..x. y.", "ladder.ladder-.x.-y-"},
                                          {"ladder.a b\x1b", "ladder.a-b-x1b"}};
    for (size_t i = 0; i < LAD_N(rows); i++) {
        struct lad_record r = {.status = LAD_STATUS_FAIL, .type = rows[i][0]};
        CU_ASSERT_STRING_EQUAL(lad_type_token(arena, &r), rows[i][1]);
    }
}

/* Outside of code spans nothing of a driver's may be read as Markdown, HTML, a mention or an issue. */
static void test_markdown(void)
{
    struct lad_run run;
    char *text = NULL;
    size_t n = 0;
    CU_ASSERT_FATAL(lad_journal_read(arena, "reports/golden/hostile", &run));
    FILE *f = open_memstream(&text, &n);
    CU_ASSERT(lad_report_markdown.write(f, &run, NULL));
    fclose(f);
    bool span = false;
    for (const char *p = text; *p; p++) {
        span = (span ^ (*p == '`')) && *p != '\n';
        CU_ASSERT(span || !strchr("<>@#&~\\", *p) || (*p == '#' && (p == text || strchr("\n#", p[-1]))));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "start here"));
    free(text);
    struct lad_device *devices = lad_alloc(arena, 3000 * sizeof *devices); /* over the cap: parts are left out, whole */
    struct lad_record *records = lad_alloc(arena, 3000 * sizeof *records);
    for (size_t i = 0; i < 3000; i++) {
        snprintf(devices[i].slug, sizeof devices[i].slug, "device-%zu", i);
        records[i] =
            (struct lad_record){.id = "x", .device = devices[i].slug, .status = LAD_STATUS_FAIL, .message = "m"};
    }
    run =
        (struct lad_run){.device = devices, .n_devices = 3000, .record = records, .n_records = 3000, .complete = true};
    f = open_memstream(&text, &n);
    CU_ASSERT(lad_report_markdown.write(f, &run, NULL));
    fclose(f);
    CU_ASSERT(n < 901000 && n > 800000);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "parts are left out"));
    free(text);
}

static void test_json(void)
{
    struct lad_run run;
    char *text = NULL;
    size_t n = 0;
    CU_ASSERT_FATAL(lad_journal_read(arena, "reports/golden/hostile", &run));
    FILE *f = open_memstream(&text, &n);
    CU_ASSERT(lad_report_json.write(f, &run, NULL));
    fclose(f);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "records")), run.n_records);
    CU_ASSERT_PTR_NULL(strstr(text, "\"bytes\": \"")); /* every text is a string */
    json_t *info = json_object_get(json_array_get(json_object_get(json_object_get(json, "run"), "devices"), 0), "info");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(info, "name")),
                           "Evil \\x1b \\xff\\xed\\xa0\\x80 ]]> &#27; %n%s <b>");
    json_decref(json);
    free(text);
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"values", test_values},       {"figures", test_figures}, {"map", test_map},   {"terminal", test_terminal},
        {"cut block", test_cut_block}, {"bare", test_bare},       {"body", test_body}, {"tokens", test_tokens},
        {"markdown", test_markdown},   {"json", test_json},       {NULL, NULL}};
    lad_verbosity = -1;
    arena = lad_arena_create();
    int status = lad_test_main("text", tests);
    lad_arena_destroy(&arena);
    return status;
}
