/* SPDX-License-Identifier: Apache-2.0 */
/* Every report of every recorded run, against what was reviewed. `golden_test --write` writes the reports anew. */
#include "../harness/test.h"
#include "report.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static const char root[] = "reports/golden";
static const char *const files[][2] = {
    {"json", "run.json"}, {"junit", "junit.xml"}, {"markdown", "markdown.md"}, {"text", "text.txt"}};
static struct lad_arena *arena;

struct job {
    const struct lad_report *report;
    const struct lad_run *run;
};

static bool write_report(FILE *f, const void *arg)
{
    const struct job *job = arg;
    struct lad_options options = {.verb = "report"};
    return job->report->write(f, job->run, &options);
}

static const struct lad_report *find_report(const char *name)
{
    for (const struct lad_report *const *r = lad_reports; *r; r++)
        if (!strcmp((*r)->name, name))
            return *r;
    return NULL;
}

static const char *name_file(const char *dir, const char *file)
{
    return lad_printf(arena, "%s/%s/%s", root, dir, file);
}

static bool read_run(const char *dir, struct lad_run *run)
{
    bool ok = lad_journal_read(arena, lad_printf(arena, "%s/%s", root, dir), run);
    run->output = "test-results"; /* as if it had just run */
    return ok;
}

static int choose_dir(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static size_t list_dirs(const char ***names)
{
    struct dirent **found = NULL;
    int n = scandir(root, &found, choose_dir, alphasort);
    size_t count = 0;
    *names = NULL;
    for (int i = 0; i < n; i++) {
        *LAD_PUSH(arena, *names, count) = lad_strdup(arena, found[i]->d_name);
        free(found[i]);
    }
    free(found);
    return count;
}

static int compare(const char *dir, const char *file, const struct job *job)
{
    char *got = NULL;
    size_t n = 0, n_want = 0;
    FILE *f = open_memstream(&got, &n);
    bool ok = f && write_report(f, job);
    if (f)
        fclose(f);
    const char *want = lad_read_file(arena, name_file(dir, file), 4 << 20, &n_want);
    bool same = ok && want && n == n_want && !memcmp(got, want, n);
    if (!same) {
        size_t line = 1, i = 0;
        for (; want && i < n && i < n_want && got[i] == want[i]; i++)
            line += got[i] == '\n';
        fprintf(stderr, "%s/%s/%s:%zu: differs; see `make golden` and git diff\n", root, dir, file, line);
    }
    free(got);
    return same;
}

static void test_golden(void)
{
    const char **dirs;
    size_t n = list_dirs(&dirs);
    CU_ASSERT_FATAL(n >= 10);
    for (size_t i = 0; i < n; i++) {
        struct lad_run run;
        size_t bytes = 0;
        CU_ASSERT_FATAL(read_run(dirs[i], &run));
        CU_ASSERT(lad_read_file(arena, name_file(dirs[i], "README"), 10000, &bytes) && bytes > 20);
        for (size_t j = 0; j < LAD_N(files); j++) {
            struct job job = {find_report(files[j][0]), &run};
            CU_ASSERT_FATAL(job.report != NULL);
            CU_ASSERT(compare(dirs[i], files[j][1], &job));
        }
    }
}

/* A format that nobody replays is a format that nobody looked at. */
static void test_all_formats(void)
{
    size_t n = 0;
    while (lad_reports[n])
        n++;
    CU_ASSERT_EQUAL(n, LAD_N(files));
}

static int write_all(void)
{
    const char **dirs;
    size_t n = list_dirs(&dirs);
    for (size_t i = 0; i < n; i++) {
        struct lad_run run;
        if (!read_run(dirs[i], &run))
            return 1;
        for (size_t j = 0; j < LAD_N(files); j++) {
            struct job job = {find_report(files[j][0]), &run};
            if (!job.report || !lad_write_file(name_file(dirs[i], files[j][1]), write_report, &job))
                return 1;
        }
    }
    printf("%zu recorded runs, %zu reports each\n", n, LAD_N(files));
    return n == 0;
}

int main(int argc, char **argv)
{
    static const struct lad_test tests[] = {{"golden", test_golden}, {"all formats", test_all_formats}, {NULL, NULL}};
    arena = lad_arena_create();
    int status = argc > 1 && !strcmp(argv[1], "--write") ? write_all() : lad_test_main("golden", tests);
    lad_arena_destroy(&arena);
    return status;
}
