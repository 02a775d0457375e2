/* SPDX-License-Identifier: Apache-2.0 */
/* JUnit files against the schema of what we write, with runs that mean ill, in every flavour and in a locale with a
 * decimal comma. */
#include "../harness/embed.h"
#include "../harness/test.h"
#include "report.h"
#include <dirent.h>
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <libxml/xpath.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

LAD_EMBED(schema_text, "reports/junit.xsd")
extern const struct lad_report lad_report_junit;

static struct lad_arena *arena;
static xmlSchemaPtr schema;

static void say_nothing(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

static char *write_report(const struct lad_report *report, const struct lad_run *run, const char *flavor,
                          const char *const *require)
{
    static const char *const none[] = {NULL};
    struct lad_options options = {.flavor = flavor, .require = (const char **)(require ? require : none)};
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    CU_ASSERT_FATAL(f != NULL);
    CU_ASSERT(report->write(f, run, &options));
    fclose(f);
    char *kept = lad_strdup(arena, text);
    free(text);
    return kept;
}

static char *write_junit(const struct lad_run *run)
{
    return write_report(&lad_report_junit, run, NULL, NULL);
}

static xmlDocPtr parse(const char *text)
{
    return xmlReadMemory(text, (int)strlen(text), "report.xml", NULL,
                         XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NONET);
}

static bool is_valid(const char *text, bool loud)
{
    xmlDocPtr doc = parse(text);
    xmlSchemaValidCtxtPtr context = xmlSchemaNewValidCtxt(schema);
    if (!loud)
        xmlSchemaSetValidErrors(context, say_nothing, say_nothing, NULL);
    bool ok = doc && xmlSchemaValidateDoc(context, doc) == 0;
    xmlSchemaFreeValidCtxt(context);
    xmlFreeDoc(doc);
    return ok;
}

static double count(xmlDocPtr doc, const char *path)
{
    xmlXPathContextPtr context = xmlXPathNewContext(doc);
    xmlXPathObjectPtr result = xmlXPathEvalExpression(BAD_CAST path, context);
    double value = result ? xmlXPathCastToNumber(result) : -1;
    xmlXPathFreeObject(result);
    xmlXPathFreeContext(context);
    return value;
}

#define TRUE_OF(doc, path) CU_ASSERT_EQUAL(count(doc, "number(" path ")"), 1)

/* What no schema says: counts are exact, times add up, the body begins with the message and has no entity. */
static void check_all(const char *text, const struct lad_run *run)
{
    CU_ASSERT(is_valid(text, true));
    xmlDocPtr doc = parse(text);
    CU_ASSERT_FATAL(doc != NULL);
    TRUE_OF(doc, "count(//testsuite[@tests != count(testcase) or @failures != count(testcase/failure) or "
                 "@errors != count(testcase/error) or @skipped != count(testcase/skipped)]) = 0");
    TRUE_OF(
        doc,
        "/testsuites/@tests = count(//testcase) and /testsuites/@failures = count(//failure) and /testsuites/@errors = "
        "count(//error)");
    TRUE_OF(doc, "number(/testsuites/@time) = number(/testsuites/@time) and count(//testcase) > 0");
    TRUE_OF(doc, "count(//testcase[count(failure | error | skipped) > 1 or count(system-out) > 1]) = 0");
    TRUE_OF(doc, "count(//failure[not(starts-with(., concat(@message, '\n')))] | //error[not(starts-with(., "
                 "concat(@message, '\n')))]) = 0");
    TRUE_OF(doc, "count(//comment() | //processing-instruction()) = 0");
    if (run->n_records)
        CU_ASSERT_EQUAL(count(doc, "count(//testcase[not(contains(@name, 'nothing-ran'))])"), (double)run->n_records);
    xmlFreeDoc(doc);
    CU_ASSERT_PTR_NULL(strstr(text, "<![CDATA["));
    CU_ASSERT_PTR_NULL(strstr(text, "&#"));
    size_t attribute = 0, entities = 0; /* entities in text, not in attributes */
    for (const char *p = strstr(text, "<testsuites"); p && *p; p++) {
        attribute ^= *p == '"' && (attribute || p[-1] == '=');
        entities += *p == '&' && !attribute;
        CU_ASSERT(*p == '\n' || (*p >= ' ' && *p <= '~'));
    }
    CU_ASSERT_EQUAL(entities, 0);
    CU_ASSERT(strlen(text) <= 1000000);
}

static size_t each_golden(void (*check)(const char *name, const struct lad_run *))
{
    DIR *dir = opendir("reports/golden");
    size_t n = 0;
    CU_ASSERT_FATAL(dir != NULL);
    for (struct dirent *d; (d = readdir(dir));) {
        struct lad_run run;
        if (d->d_name[0] == '.')
            continue;
        CU_ASSERT_FATAL(lad_journal_read(arena, lad_printf(arena, "reports/golden/%s", d->d_name), &run));
        check(d->d_name, &run);
        n++;
    }
    closedir(dir);
    return n;
}

static void check_golden(const char *name, const struct lad_run *run)
{
    (void)name;
    check_all(write_junit(run), run);
}

static void test_schema(void)
{
    CU_ASSERT(each_golden(check_golden) >= 10);
}

static char *replace(const char *text, const char *what, const char *by)
{
    const char *at = strstr(text, what);
    CU_ASSERT_FATAL(at != NULL);
    return lad_printf(arena, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
}

/* Each of these made a reader fail; a schema that lets one through guards nothing. */
static void test_schema_refuses(void)
{
    static const char *const changes[][2] = {
        {"time=\"0.004\"", "time=\"0,004\""},
        {"time=\"0.004\"", "time=\"0.0041\""},
        {"time=\"0.004\"", "time=\"4e-3\""},
        {"time=\"0.004\"", "time=\"NaN\""},
        {"time=\"0.004\"", "time=\"-0.004\""},
        {" time=\"0.004\"", ""},
        {"name=\"r00-", "file=\"x.c\" name=\"r00-"},
        {"name=\"r00-", "name=\"R00-"},
        {"name=\"r03-thread-id-2d\"", "name=\"r03-thread-id-1d\""},
        {"<failure message=", "<failure text="},
        {"type=\"ladder.mismatch.all-zero\"", "type=\"file\""},
        {" type=\"ladder.mismatch.all-zero\"", ""},
        {"</failure>", "</failure><failure message=\"x\" type=\"ladder.x\">x</failure>"},
        {"</failure>", "</failure><skipped message=\"x\"/>"},
        {"</failure>", "</failure><system-out>a</system-out><system-out>b</system-out>"},
        {"<failure message=\"", "<properties/><failure message=\""},
        {"<failure message=\"", "<failure message=\"&quot;"},
        {"<testsuite ", "<testsuite disabled=\"0\" "},
        {"id=\"1\"", "id=\"0\""},
        {"<properties>", "stray<properties>"},
        {" name=\"vk-llvmpipe\"", ""},
        {"name=\"cl-pocl\"", "name=\"vk-llvmpipe\""},
        {"timestamp=\"2026-11-21T01:14:07\"", "timestamp=\"2026-11-21T01:14:07Z\""},
        {"<skipped message=", "<skipped type=\"ladder.x\" message="},
        {"tests=\"28\"", "tests=\"0\""}};
    struct lad_run run;
    CU_ASSERT_FATAL(lad_journal_read(arena, "reports/golden/all-zeros", &run));
    const char *text = write_junit(&run);
    CU_ASSERT(is_valid(text, true));
    for (size_t i = 0; i < LAD_N(changes); i++) {
        bool refused = !is_valid(replace(text, changes[i][0], changes[i][1]), false);
        CU_ASSERT(refused);
        if (!refused)
            fprintf(stderr, "accepted: %s\n", changes[i][1]);
    }
}

static struct lad_run make_run(struct lad_device *device, struct lad_record *records, size_t n)
{
    return (struct lad_run){.version = "0",
                            .host = "h",
                            .started = "2026-11-21T01:14:07",
                            .device = device,
                            .n_devices = device ? 1 : 0,
                            .record = records,
                            .n_records = n,
                            .complete = true};
}

/* Every text that others choose, at its worst, and long. */
static void test_hostile(void)
{
    static const char worst[] =
        "\x1b[31m \x1b \xff \xed\xa0\x80 \xef\xbf\xbe ]]> &#27; %n%s\r\n<a b=\"c\"> at f(x)\x01 ";
    size_t bytes = 12 << 20;
    char *giant = lad_alloc(arena, bytes + 1);
    for (size_t i = 0; i < bytes; i++)
        giant[i] = worst[i % (sizeof worst - 1)];
    static struct lad_device device = {.spec = "vk:0"};
    snprintf(device.slug, sizeof device.slug, "%s", worst);
    snprintf(device.info.name, sizeof device.info.name, "%s", worst);
    snprintf(device.info.driver, sizeof device.info.driver, "%s", worst);
    struct lad_icd icd = {worst, giant, worst, worst};
    device.icd = &icd;
    struct lad_diff diff = {UINT64_MAX, UINT64_MAX, UINT64_MAX, -1};
    struct lad_seen seen = {.name = worst,
                            .type = worst,
                            .mem = giant,
                            .signature = giant,
                            .map = giant,
                            .n_wrong = 1,
                            .diff = &diff,
                            .n_diffs = 1};
    struct lad_fact fact = {'\x1b', giant};
    struct lad_measure measure = {worst, giant, worst, giant, -1.0 / 0.0, 0, 7};
    struct lad_try retry = {LAD_STATUS_CRASH, worst, giant, UINT64_MAX};
    const char *message = giant, *env = lad_printf(arena, "%s=%s", worst, worst);
    struct lad_record records[3 * LAD_STATUS_COUNT];
    for (size_t i = 0; i < LAD_N(records); i++)
        records[i] = (struct lad_record){.id = i % 3 ? worst : "x",
                                         .file = worst,
                                         .group = worst,
                                         .proves = giant,
                                         .device = device.slug,
                                         .rung = i % 2 ? -7 : 2147483647,
                                         .line = -1,
                                         .status = (enum lad_status)(i / 3),
                                         .type = i % 2 ? worst : NULL,
                                         .message = i % 3 == 2 ? NULL : giant,
                                         .known = i % 3 == 1 ? giant : NULL,
                                         .unexpected = i == 1,
                                         .sweep = worst,
                                         .facts = &fact,
                                         .n_facts = 1,
                                         .measures = &measure,
                                         .n_measures = 1,
                                         .seen = &seen,
                                         .n_seen = 1,
                                         .messages = &message,
                                         .n_messages = 1,
                                         .output = giant,
                                         .output_bytes = UINT64_MAX,
                                         .retry = &retry,
                                         .n_retries = i % 3 != 0,
                                         .flaky = i == 2,
                                         .time_ns = i,
                                         .signal = i % 2 ? 11 : 0};
    struct lad_run run = make_run(&device, records, 3);
    run.version = run.command = run.host = run.os = run.started = worst;
    run.env = &env;
    run.n_env = run.n_icds = 1;
    run.icd = &icd;
    run.cut = worst;
    for (size_t i = 0; i < LAD_N(records); i += 3) { /* in parts: a giant record takes a second */
        run.record = records + i;
        check_all(write_junit(&run), &run);
    }
}

static void test_long_run(void)
{
    struct lad_device device = {.spec = "vk:0", .slug = "vk-x"};
    size_t n = 400;
    struct lad_record *records = lad_alloc(arena, n * sizeof *records);
    char *output = lad_alloc(arena, 100001);
    memset(output, '<', 100000);
    for (size_t i = 0; i < n; i++)
        records[i] = (struct lad_record){.id = lad_printf(arena, "case-%zu", i / 2),
                                         .group = "g",
                                         .device = "vk-x",
                                         .rung = 3,
                                         .status = i % 2 ? LAD_STATUS_CRASH : LAD_STATUS_FAIL,
                                         .message = "m",
                                         .output = output,
                                         .output_bytes = 100000};
    struct lad_run run = make_run(&device, records, 2);
    const char *text = write_junit(&run);
    check_all(text, &run);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "</system-out>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n[... 34464 bytes left out ...]\n"));
    run.n_records = n;
    text = write_junit(&run);
    check_all(text, &run); /* two a name: they stay apart */
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "name=\"r03-case-7-2\""));
    CU_ASSERT_PTR_NULL(strstr(text, "</system-out>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "report.left-out"));
}

static void test_nothing(void)
{
    static const char *const require[] = {"vk:0", NULL};
    struct lad_device device = {.spec = "vk:0", .slug = "vk-x"};
    struct lad_run run = make_run(NULL, NULL, 0);
    const char *text = write_junit(&run);
    check_all(text, &run);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "<skipped message=\"nothing ran: no device to test\"/>"));
    text = write_report(&lad_report_junit, &run, NULL, require);
    check_all(text, &run);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "<error message=\"nothing ran"));
    run = make_run(&device, NULL, 0);
    check_all(write_junit(&run), &run);
    run.complete = false;
    text = write_junit(&run);
    check_all(text, &run);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "errors=\"1\""));
}

static void test_unknown_device(void)
{
    struct lad_device device = {.spec = "vk:0", .slug = "vk-x"};
    struct lad_record records[] = {{.id = "a", .group = "g", .device = "gone"},
                                   {.id = "b", .group = "g", .device = "vk-x"}};
    struct lad_run run = make_run(&device, records, 2);
    const char *text = write_junit(&run);
    check_all(text, &run); /* no record is lost */
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "classname=\"ladder.gone.g\""));
}

static void check_flavors(const char *name, const struct lad_run *run)
{
    const char *rich = write_report(&lad_report_junit, run, "rich", NULL),
               *ant = write_report(&lad_report_junit, run, "ant", NULL),
               *surefire = write_report(&lad_report_junit, run, "surefire", NULL);
    xmlDocPtr doc = parse(rich);
    CU_ASSERT_FATAL(doc != NULL);
    TRUE_OF(doc, "count(//testcase[properties and not(*[1][self::properties])]) = 0");
    if (strcmp(name, "nothing")) {
        TRUE_OF(doc, "count(//testcase/@file) > 0 and count(//testcase/@line) = count(//testcase/@assertions)");
        CU_ASSERT_FALSE(is_valid(rich, false)); /* why it is not the default */
    }
    xmlFreeDoc(doc);
    doc = parse(ant);
    CU_ASSERT_FATAL(doc != NULL);
    TRUE_OF(doc, "count(/testsuites/@*) = 0 and count(//testsuite) = count(//testsuite[@package and @id and @hostname "
                 "and @timestamp])");
    TRUE_OF(doc, "count(//testcase/*[not(self::failure or self::error or self::skipped)]) = 0 and "
                 "count(//testcase[count(*) > 1]) = 0");
    TRUE_OF(doc, "count(//testsuite[not(*[1][self::properties]) or not(*[last()][self::system-err]) or "
                 "count(system-out) != 1]) = 0");
    xmlFreeDoc(doc);
    doc = parse(surefire);
    CU_ASSERT_FATAL(doc != NULL);
    TRUE_OF(doc,
            "count(/testsuite) = 1 and count(//testsuite) = 1 and count(/testsuite/@timestamp | /testsuite/@id) = 0");
    TRUE_OF(doc, "/testsuite/@tests = count(//testcase) and /testsuite/@errors = count(//error) and "
                 "/testsuite/@skipped = count(//skipped)");
    TRUE_OF(
        doc,
        "count(//flakyFailure[not(stackTrace)] | //rerunFailure[not(stackTrace)] | //rerunError[not(stackTrace)]) = 0");
    xmlFreeDoc(doc);
}

static void test_flavors(void)
{
    CU_ASSERT(each_golden(check_flavors) >= 10);
}

static bool set_comma(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8", "pt_BR.UTF-8"};
    for (size_t i = 0; i < LAD_N(names); i++)
        if (setlocale(LC_ALL, names[i]))
            return true;
    char dir[] = "/tmp/lad-locale-XXXXXX"; /* few machines have one, most can make one */
    if (!mkdtemp(dir))
        return false;
    const char *make = lad_printf(arena, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/log 2>&1", dir, dir);
    if (system(make))
        CU_ASSERT(true);
    setenv("LOCPATH", dir, 1);
    bool ok = setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
    unsetenv("LOCPATH");
    if (system(lad_printf(arena, "rm -r %s", dir)))
        CU_ASSERT(true);
    return ok;
}

static const char *before[128];
static size_t n_before;
static bool again;

static void check_locale(const char *name, const struct lad_run *run)
{
    (void)name;
    for (const struct lad_report *const *r = lad_reports; *r; r++, n_before++) {
        const char *text = write_report(*r, run, NULL, NULL);
        CU_ASSERT_FATAL(n_before < LAD_N(before));
        if (again)
            CU_ASSERT_STRING_EQUAL(text, before[n_before]);
        before[n_before] = text;
    }
}

/* A driver may call setlocale() in our process. */
static void test_locale(void)
{
    char text[16];
    each_golden(check_locale);
    CU_ASSERT(n_before > 0);
    if (!set_comma()) {
        printf("(skipped: no locale with a decimal comma, and localedef cannot make one) ");
        return;
    }
    snprintf(text, sizeof text, "%.1f", 1.5);
    CU_ASSERT_STRING_EQUAL(text, "1,5");
    again = true;
    n_before = 0;
    each_golden(check_locale);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    static const struct lad_test tests[] = {{"schema", test_schema},
                                            {"schema refuses", test_schema_refuses},
                                            {"hostile", test_hostile},
                                            {"long run", test_long_run},
                                            {"nothing", test_nothing},
                                            {"unknown device", test_unknown_device},
                                            {"flavors", test_flavors},
                                            {"locale", test_locale},
                                            {NULL, NULL}};
    lad_verbosity = -1;
    arena = lad_arena_create();
    xmlSchemaParserCtxtPtr parser =
        xmlSchemaNewMemParserCtxt((const char *)schema_text, (int)(schema_text_end - schema_text));
    schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    int status = schema ? lad_test_main("junit", tests) : 1;
    xmlSchemaFree(schema);
    xmlCleanupParser();
    lad_arena_destroy(&arena);
    return status;
}
