/* SPDX-License-Identifier: Apache-2.0 */
/* Only for the tests of the runner itself: does to the worker what bad drivers do. <param name="mode"> says what. */
#include "../harness.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ANSWERS = 3 };

static void do_nothing(void)
{
}

static void do_segv(void)
{
    int *volatile nowhere = (int *)16; /* volatile: so that no compiler sees through it */
    fprintf(stderr, "about to write to address 16\n");
    *nowhere = 1;
}

static void do_exit(void)
{
    exit(3);
}

static void do_spin(void)
{
    for (volatile int i = 0;; i++)
        ;
}

static void do_stubborn(void)
{
    signal(SIGTERM, SIG_IGN);
    do_spin();
}

/* Until the allocator says no. Only the worker's own limit is used up, not the machine's memory. */
static void do_oom(void)
{
    struct rlimit limit = {.rlim_cur = 3ul << 30, .rlim_max = RLIM_INFINITY};
    struct lad_arena *arena = lad_arena_create();
    setrlimit(RLIMIT_AS, &limit);
    for (;;)
        lad_alloc(arena, 64u << 20);
}

static void do_chatty(void)
{
    char line[1024];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    memcpy(line, "first line", 10);
    for (int i = 0; i < 8192; i++) {
        if (fwrite(line, 1, sizeof line, i % 2 ? stdout : stderr) != sizeof line)
            _exit(4);
        memcpy(line, "other line", 10);
    }
    fprintf(stderr, "last line\n");
}

static void do_chatty_exit(void)
{
    do_chatty();
    _exit(5);
}

static void do_close_pipe(void)
{
    close(ANSWERS);
    for (;;)
        pause();
}

static void do_garbage(void)
{
    static const char junk[] = "\x1b[31mvendor banner\xff\n{\"record\":{}}\n";
    if (write(ANSWERS, junk, sizeof junk - 1) < 0)
        _exit(4);
}

static void do_flood(void)
{
    char junk[4096];
    memset(junk, '[', sizeof junk);
    while (write(ANSWERS, junk, sizeof junk) > 0)
        ;
}

static void do_sleep(void)
{
    usleep(50000);
}

static void die_later(int number)
{
    (void)number;
    abort();
}

/* The record is out by then. */
static void do_die_after(void)
{
    signal(SIGALRM, die_later);
    ualarm(20000, 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"pass", do_nothing},
    {"segv", do_segv},
    {"abort", abort},
    {"exit", do_exit},
    {"spin", do_spin},
    {"stubborn", do_stubborn},
    {"oom", do_oom},
    {"chatty", do_chatty},
    {"close-pipe", do_close_pipe},
    {"garbage", do_garbage},
    {"flood", do_flood},
    {"sleep", do_sleep},
    {"chatty-exit", do_chatty_exit},
    {"die-after", do_die_after},
};

static const char *get_param(const struct lad_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_params; i++)
        if (!strcmp(c->params[i].name, name))
            return c->params[i].value.text;
    return "";
}

static bool make_new(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    static int n_fails;
    const char *mode = get_param(c, "mode");
    (void)gpu;
    for (size_t i = 0; i < LAD_N(modes); i++) {
        if (!strcmp(modes[i].name, mode)) {
            modes[i].run();
            r->status = LAD_STATUS_PASS;
            return;
        }
    }
    if (!strcmp(mode, "fail") || (!strcmp(mode, "fail-twice") && n_fails++ < 2))
        lad_record_set(arena, r, LAD_STATUS_FAIL, "ladder.selftest", "failed as it was told to");
    else if (!strcmp(mode, "fail-twice") || (!strcmp(mode, "once") && make_new(get_param(c, "file"))))
        r->status = LAD_STATUS_PASS;
    else if (!strcmp(mode, "once"))
        lad_record_set(arena, r, LAD_STATUS_FAIL, "ladder.selftest", "passes once only");
    else if (!strcmp(mode, "skip"))
        lad_record_set(arena, r, LAD_STATUS_SKIP, "ladder.skip.selftest", "skipped as it was told to");
    else if (!strcmp(mode, "lost"))
        lad_record_set(arena, r, LAD_STATUS_LOST, "ladder.lost.selftest", "lost as it was told to");
    else
        lad_record_set(arena, r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: no mode \"%s\"", c->file, c->line, mode);
}

const struct lad_probe lad_probe_misbehave = {
    .name = "misbehave",
    .summary = "does to the worker what bad drivers do; for tests of the runner",
    .run = run,
};
