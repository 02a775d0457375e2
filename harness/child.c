/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker processes: the only fork, exec, kill and wait of the program. The parent's single thread sleeps in one poll()
 * over the pipes of all of them; SIGCHLD and the user's signals wake it through a pipe of their own.
 */
#include "flight.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEEP_BYTES = 32 << 10, /* of the beginning of what a worker prints, and of its end */
    LINE_BYTES = 4 << 20,  /* longest answer */
    GULP_BYTES = 64 << 10,
    MOST_GULPS = 16, /* at a time, so that a worker that writes without end does not keep us from the others */
};
#define KILL_AFTER_NS 1000000000u
#define LEAVE_AFTER_NS 2000000000u
#define CLOSE_AFTER_NS 1000000000u

enum stage { RUNNING, TERMINATED, KILLED };

struct lad_child {
    struct lad_child *next;
    pid_t pid;
    int in, answers, prints; /* our ends; -1 when closed */
    uint64_t deadline_ns;    /* of the present stage */
    enum stage stage;
    bool closing; /* it closed its record pipe; the deadline is for its end */
    bool ended, told;
    struct lad_child_end end;
    struct lad_flight *flight;
    char *text; /* answers read and not yet handed out: text[taken .. n_text) */
    size_t n_text, room, taken, searched;
    uint64_t n_printed;
    char head[KEEP_BYTES], tail[KEEP_BYTES];
};

static struct lad_child *children;
static int wake_pipe[2] = {-1, -1};
static volatile sig_atomic_t caught;

static void wake(int number)
{
    int saved = errno;
    if (number != SIGCHLD)
        caught = number;
    ssize_t done = write(wake_pipe[1], "", 1); /* full is as good as written */
    (void)done;
    errno = saved;
}

/* A pipe whose ends lie above those that a worker is given, and do not survive an exec. */
static bool make_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC))
        return false;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 8);
        close(low[i]);
    }
    return ends[0] >= 0 && ends[1] >= 0;
}

static bool prepare(void)
{
    if (wake_pipe[0] >= 0)
        return true;
    if (!make_pipe(wake_pipe))
        return false;
    fcntl(wake_pipe[0], F_SETFL, O_NONBLOCK);
    fcntl(wake_pipe[1], F_SETFL, O_NONBLOCK);
    struct sigaction on = {.sa_handler = wake, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigaction(SIGCHLD, &on, NULL);
    signal(SIGPIPE, SIG_IGN); /* a dead worker's stdin is an error of write() */
    return true;
}

void lad_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    if (!prepare())
        return;
    struct sigaction on = {.sa_handler = wake, .sa_flags = (int)SA_RESETHAND}, was;
    for (size_t i = 0; i < LAD_N(numbers); i++)
        if (!sigaction(numbers[i], NULL, &was) && was.sa_handler != SIG_IGN) /* nohup stays nohup */
            sigaction(numbers[i], &on, NULL);
}

int lad_caught_signal(void)
{
    return caught;
}

const char *lad_signal_name(int number)
{
    static char name[32];
    const char *abbreviated = sigabbrev_np(number);
    if (abbreviated)
        snprintf(name, sizeof name, "SIG%s", abbreviated);
    else
        snprintf(name, sizeof name, "signal %d", number);
    return name;
}

static bool is_replaced(const char *variable, const char *const *by)
{
    for (; *by; by++)
        if (!strncmp(variable, *by, strcspn(*by, "=") + 1))
            return true;
    return false;
}

static const char **make_environment(const char *const *extra)
{
    size_t n = 0;
    for (char **e = environ; *e; e++)
        n++;
    for (const char *const *e = extra; *e; e++)
        n++;
    const char **list = calloc(n + 1, sizeof *list);
    if (!list)
        abort();
    n = 0;
    for (const char *const *e = extra; *e; e++)
        list[n++] = *e;
    for (char **e = environ; *e; e++)
        if (!is_replaced(*e, extra))
            list[n++] = *e;
    return list;
}

static int spawn(pid_t *pid, const char *const *args, const char *const *extra, int in, int answers, int prints,
                 int flight)
{
    const char *argv[16] = {"gpuladder"};
    for (size_t i = 0; args[i] && i < LAD_N(argv) - 2; i++)
        argv[i + 1] = args[i];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t set;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, prints, 1);
    posix_spawn_file_actions_adddup2(&files, prints, 2);
    posix_spawn_file_actions_adddup2(&files, answers, 3);
    if (flight >= 0)
        posix_spawn_file_actions_adddup2(&files, flight, LAD_FLIGHT_FD);
    posix_spawnattr_init(&attr);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attr, &set);
    sigaddset(&set, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &set);
    posix_spawnattr_setpgroup(&attr, 0); /* a terminal's Ctrl-C is the parent's to handle */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const char **env = make_environment(extra);
    int error = posix_spawn(pid, "/proc/self/exe", &files, &attr, (char *const *)argv, (char *const *)env);
    free(env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

struct lad_child *lad_child_start(const char *const *args, const char *const *env)
{
    int ends[6] = {-1, -1, -1, -1, -1, -1};
    int *in = ends, *answers = ends + 2, *prints = ends + 4;
    pid_t pid = -1;
    int error = 0, fd;
    struct lad_flight *flight = lad_flight_create(&fd);
    if (!prepare() || !make_pipe(in) || !make_pipe(answers) || !make_pipe(prints))
        error = errno;
    else
        error = spawn(&pid, args, env, in[0], answers[1], prints[1], flight ? fd : -1);
    if (fd >= 0)
        close(fd);
    close(in[0]);
    close(answers[1]);
    close(prints[1]);
    if (error) {
        lad_flight_destroy(flight);
        close(in[1]);
        close(answers[0]);
        close(prints[0]);
        lad_error("cannot start a worker: %s", strerror(error));
        return NULL;
    }
    struct lad_child *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->pid = pid;
    c->in = in[1];
    c->answers = answers[0];
    c->prints = prints[0];
    c->end.exit_code = -1;
    c->flight = flight;
    fcntl(c->in, F_SETFL, O_NONBLOCK);
    fcntl(c->answers, F_SETFL, O_NONBLOCK);
    fcntl(c->prints, F_SETFL, O_NONBLOCK);
    c->next = children;
    children = c;
    return c;
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void finish(struct lad_child *c)
{
    shut(&c->in);
    shut(&c->answers);
    shut(&c->prints);
    c->ended = true;
}

bool lad_child_send(struct lad_child *c, json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (!text)
        return false;
    size_t n = strlen(text);
    text[n++] = '\n';
    /* A request is far below a pipe's room, and only one is under way: short means that nobody reads. */
    ssize_t done = c->in < 0 ? -1 : write(c->in, text, n);
    free(text);
    return done == (ssize_t)n;
}

void lad_child_hang_up(struct lad_child *c)
{
    shut(&c->in);
}

void lad_child_deadline(struct lad_child *c, uint64_t at_ns)
{
    if (c->stage == RUNNING && !c->closing)
        c->deadline_ns = at_ns;
}

static void send_kill(struct lad_child *c, int number)
{
    if (kill(-c->pid, number)) /* the group: helpers that a driver started go as well */
        kill(c->pid, number);
}

/* What happens when the deadline of its present stage has passed. */
static void advance(struct lad_child *c, uint64_t now)
{
    if (!c->deadline_ns || now < c->deadline_ns)
        return;
    switch (c->stage) {
    case RUNNING:
        c->end.late = !c->closing;
        c->end.closed = c->closing;
        send_kill(c, SIGTERM);
        c->stage = TERMINATED;
        c->deadline_ns = now + KILL_AFTER_NS;
        break;
    case TERMINATED:
        send_kill(c, SIGKILL);
        c->stage = KILLED;
        c->deadline_ns = now + LEAVE_AFTER_NS;
        break;
    case KILLED: /* stuck in the kernel, in a driver: waiting would never end */
        c->end.abandoned = true;
        finish(c);
        break;
    }
}

static void drain_answers(struct lad_child *c)
{
    for (int i = 0; i < MOST_GULPS && c->answers >= 0; i++) {
        if (c->room - c->n_text < GULP_BYTES) {
            c->room = c->room * 2 + 2 * GULP_BYTES;
            c->text = realloc(c->text, c->room);
            if (!c->text)
                abort();
        }
        ssize_t n = read(c->answers, c->text + c->n_text, c->room - c->n_text);
        if (n > 0) {
            c->n_text += (size_t)n;
        } else if (n == 0) {
            shut(&c->answers);
            if (c->stage == RUNNING) { /* it may just be ending; that takes no second */
                uint64_t soon = lad_now_ns() + CLOSE_AFTER_NS;
                c->closing = true;
                c->deadline_ns = soon;
            }
        } else {
            return;
        }
    }
}

static void drain_prints(struct lad_child *c)
{
    char gulp[GULP_BYTES];
    for (int i = 0; i < MOST_GULPS && c->prints >= 0; i++) {
        ssize_t n = read(c->prints, gulp, sizeof gulp);
        if (n == 0)
            shut(&c->prints);
        if (n <= 0)
            return;
        for (ssize_t at = 0; at < n;) {
            bool first = c->n_printed < KEEP_BYTES;
            size_t to = c->n_printed % KEEP_BYTES, part = KEEP_BYTES - to;
            part = part < (size_t)(n - at) ? part : (size_t)(n - at);
            memcpy((first ? c->head : c->tail) + to, gulp + at, part);
            c->n_printed += part;
            at += (ssize_t)part;
        }
    }
}

static void reap(struct lad_child *c)
{
    int status;
    if (waitpid(c->pid, &status, WNOHANG) != c->pid)
        return;
    c->end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    c->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    drain_answers(c); /* what it wrote before it died */
    drain_prints(c);
    finish(c);
}

void lad_child_wait(uint64_t until_ns)
{
    size_t n_most = 1;
    for (struct lad_child *c = children; c; c = c->next)
        n_most += 2;
    struct pollfd fds[n_most];
    nfds_t n = 0;
    fds[n++] = (struct pollfd){.fd = wake_pipe[0], .events = POLLIN};
    for (struct lad_child *c = children; c; c = c->next) {
        if (c->ended)
            continue;
        if (c->answers >= 0)
            fds[n++] = (struct pollfd){.fd = c->answers, .events = POLLIN};
        if (c->prints >= 0)
            fds[n++] = (struct pollfd){.fd = c->prints, .events = POLLIN};
        if (c->deadline_ns && (!until_ns || c->deadline_ns < until_ns))
            until_ns = c->deadline_ns;
    }
    uint64_t now = lad_now_ns(), left = until_ns > now ? until_ns - now : 0;
    struct timespec limit = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    if (ppoll(fds, n, until_ns ? &limit : NULL, NULL) > 0 && fds[0].revents) {
        char bytes[64];
        while (read(wake_pipe[0], bytes, sizeof bytes) > 0)
            ;
    }
    now = lad_now_ns();
    for (struct lad_child *c = children; c; c = c->next) {
        if (c->ended)
            continue;
        drain_answers(c);
        drain_prints(c);
        reap(c);
        if (!c->ended)
            advance(c, now);
    }
}

enum lad_child_event lad_child_next(struct lad_child *c, const char **line)
{
    size_t from = c->taken > c->searched ? c->taken : c->searched;
    char *end = c->n_text > from ? memchr(c->text + from, '\n', c->n_text - from) : NULL;
    if (end) {
        *end = 0;
        *line = c->text + c->taken;
        c->taken = c->searched = (size_t)(end + 1 - c->text);
        return LAD_CHILD_LINE;
    }
    if (c->taken) { /* the rest of a line moves to the front */
        c->n_text -= c->taken;
        memmove(c->text, c->text + c->taken, c->n_text);
        c->taken = 0;
    }
    c->searched = c->n_text;
    if (c->n_text > LINE_BYTES && !c->end.overflowed) {
        c->end.overflowed = true;
        c->n_text = c->searched = 0;
        shut(&c->answers);
        c->closing = true;
        c->deadline_ns = 1;
    }
    if (!c->ended || c->told)
        return LAD_CHILD_QUIET;
    c->told = true;
    return LAD_CHILD_ENDED;
}

const struct lad_child_end *lad_child_end(const struct lad_child *c)
{
    return &c->end;
}

const struct lad_flight *lad_child_flight(const struct lad_child *c)
{
    return c->flight;
}

const char *lad_child_output(struct lad_arena *arena, struct lad_child *c, uint64_t *bytes)
{
    drain_prints(c);
    uint64_t n = *bytes = c->n_printed;
    c->n_printed = 0;
    if (!n || !arena)
        return NULL;
    size_t head = n < KEEP_BYTES ? (size_t)n : KEEP_BYTES, after = (size_t)(n - head);
    size_t tail = after < KEEP_BYTES ? after : KEEP_BYTES, at = after < KEEP_BYTES ? 0 : (size_t)(n % KEEP_BYTES);
    char gap[64] = "";
    if (after > tail)
        snprintf(gap, sizeof gap, "\n[%llu bytes left out]\n", (unsigned long long)(after - tail));
    char *text = lad_alloc(arena, head + strlen(gap) + tail + 1), *p = text;
    memcpy(p, c->head, head);
    p = stpcpy(p + head, gap);
    memcpy(p, c->tail + at, tail - at);
    memcpy(p + tail - at, c->tail, at);
    for (p = text; p < text + head + strlen(gap) + tail; p++)
        if (!*p)
            *p = ' '; /* it is handled as text from here on */
    return text;
}

void lad_child_destroy(struct lad_child **child)
{
    struct lad_child *c = *child, **at = &children;
    if (!c)
        return;
    if (!c->ended) {
        send_kill(c, SIGKILL);
        c->stage = KILLED;
        c->deadline_ns = lad_now_ns() + LEAVE_AFTER_NS;
    }
    while (!c->ended)
        lad_child_wait(0);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    lad_flight_destroy(c->flight);
    free(c->text);
    free(c);
    *child = NULL;
}
