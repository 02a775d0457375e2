/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that die or hang in many ways, and what their flight recorder says of them to whoever is left. */
#include "flight.h"
#include "test.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lad_arena *arena;

static void write_to(uintptr_t address)
{
    int *volatile p = (int *)address; /* volatile: so that no compiler sees through it */
    *(volatile int *)p = 1;
}

static void *reach_null(void *unused)
{
    write_to(20);
    return unused;
}

static void on_another_thread(void)
{
    pthread_t thread;
    if (!pthread_create(&thread, NULL, reach_null, NULL))
        pthread_join(thread, NULL);
}

/* What a driver's compiler does: code in memory of no file. */
static void in_made_code(void)
{
#if defined(__x86_64__)
    static const unsigned char code[] = {0x8b, 0x04, 0x25, 0x10, 0, 0, 0}; /* mov eax, [16] */
#elif defined(__aarch64__)
    static const unsigned char code[] = {0, 2, 0x80, 0xd2, 0, 0, 0x40, 0xf9}; /* mov x0, 16; ldr x0, [x0] */
#endif
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code);
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    __builtin___clear_cache(page, (char *)page + sizeof code);
    ((void (*)(void))(uintptr_t)page)();
}

static void build_null(void)
{
    lad_flight_enter(LAD_CALL_BUILD, "scale");
    write_to(16);
}

static void kernel_null(void)
{
    lad_flight_enter(LAD_CALL_DISPATCH, "increment");
    lad_flight_leave(true);
    lad_flight_enter(LAD_CALL_DISPATCH, "scale");
    lad_flight_leave(true);
    lad_flight_enter(LAD_CALL_WAIT, NULL);
    in_made_code();
}

static void far_away(void)
{
    lad_flight_buffer("src");
    lad_flight_enter(LAD_CALL_READ, NULL);
    write_to((uintptr_t)1 << 40);
}

static void no_address(void)
{
    lad_flight_enter(LAD_CALL_READ, NULL);
    write_to((uintptr_t)1 << 62); /* on x86-64 a fault without one, which is not null */
}

static void idle(void)
{
    lad_flight_enter(LAD_CALL_FILL, NULL);
    lad_flight_leave(true);
    lad_flight_enter(LAD_CALL_WAIT, NULL);
    lad_flight_leave(true);
    on_another_thread();
}

static void waiting(void)
{
    lad_flight_enter(LAD_CALL_FILL, NULL);
    lad_flight_leave(true);
    lad_flight_enter(LAD_CALL_WAIT, NULL);
    on_another_thread();
}

static void in_destroy(void)
{
    lad_flight_buffer("dst");
    lad_flight_enter(LAD_CALL_FREE, NULL);
    abort();
}

static void exits(void)
{
    lad_flight_enter(LAD_CALL_CREATE, NULL);
    _exit(3);
}

static void hangs(void)
{
    lad_flight_enter(LAD_CALL_DISPATCH, "spin");
    lad_flight_leave(true);
    lad_flight_enter(LAD_CALL_WAIT, NULL);
    pause();
}

static void hangs_in_build(void)
{
    lad_flight_enter(LAD_CALL_BUILD, "spin");
    pause();
}

/* In a process of its own, which ends by itself or is killed. */
static struct lad_record fly(void (*run)(void), enum lad_status status)
{
    struct lad_record r = {.status = status, .message = "it ended"};
    int fd, ended = 0;
    struct lad_flight *f = lad_flight_create(&fd);
    CU_ASSERT_FATAL(f != NULL);
    pid_t child = fork();
    if (!child) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's own, else */
        signal(SIGABRT, SIG_DFL);
        lad_flight_record(fd);
        lad_flight_case();
        lad_flight_opened();
        run();
        _exit(0);
    }
    close(fd);
    if (status == LAD_STATUS_TIMEOUT) {
        usleep(200000);
        kill(child, SIGKILL);
    }
    waitpid(child, &ended, 0);
    r.signal = WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
    lad_flight_tell(arena, f, "vk-x", &r);
    lad_flight_destroy(f);
    return r;
}

static const struct {
    const char *name;
    void (*run)(void);
    enum lad_status status;
    int signal;
    const char *seen, *unseen, *said;
} ways[] = {
    {"a null pointer while a kernel is compiled", build_null, LAD_STATUS_CRASH, SIGSEGV,
     "crash.at crash.on-own-thread crash.near-null crash.in-build", "crash.in-kernel crash.idle crash.far",
     "in vkCreateComputePipelines of kernel scale, "},
    {"a null pointer in a kernel", kernel_null, LAD_STATUS_CRASH, SIGSEGV, "crash.at crash.in-kernel crash.near-null",
     "crash.far crash.idle", "vkQueueSubmit behind dispatch 2 (kernel scale), "},
    {"far away", far_away, LAD_STATUS_CRASH, SIGSEGV, "crash.at crash.far", "crash.near-null crash.in-kernel",
     "of buffer src, writing to address 0x10000000000"},
    {"a fault without an address", no_address, LAD_STATUS_CRASH, SIGSEGV, "crash.far", "crash.near-null",
     "it ended, in "},
    {"a thread of the driver after all waits", idle, LAD_STATUS_CRASH, SIGSEGV,
     "crash.idle crash.on-driver-thread crash.near-null", "crash.on-own-thread", "after all waits had returned"},
    {"a thread of the driver during a wait", waiting, LAD_STATUS_CRASH, SIGSEGV, "crash.on-driver-thread", "crash.idle",
     "on a thread of the driver"},
    {"abort in a destructor", in_destroy, LAD_STATUS_CRASH, SIGABRT, "crash.in-destroy crash.on-own-thread",
     "crash.near-null crash.far", "in vkDestroyBuffer or vkFreeMemory of buffer dst"},
    {"exit in a call", exits, LAD_STATUS_CRASH, 0, "ended.in-call", "crash.at", "vkBindBufferMemory"},
    {"a wait without end", hangs, LAD_STATUS_TIMEOUT, SIGKILL, "hang.in-call", "hang.in-build crash.at ended.in-call",
     "behind dispatch 1 (kernel spin)"},
    {"a compiler without end", hangs_in_build, LAD_STATUS_TIMEOUT, SIGKILL, "hang.in-call hang.in-build", "crash.at",
     "of kernel spin"},
};

static bool all(const struct lad_record *r, const char *names, bool wanted)
{
    char *copy = lad_strdup(arena, names), *save;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        if (lad_observed(r, lad_obs_find(word)) != wanted) {
            printf("\n%s is%s there\n", word, wanted ? " not" : "");
            return false;
        }
    return true;
}

static void test_ways(void)
{
    for (size_t i = 0; i < LAD_N(ways); i++) {
        struct lad_record r = fly(ways[i].run, ways[i].status);
        bool ok = r.signal == ways[i].signal && all(&r, ways[i].seen, true) && all(&r, ways[i].unseen, false) &&
                  strstr(r.message, ways[i].said);
        if (!ok)
            printf("\n%s: signal %d: %s\n", ways[i].name, r.signal, r.message);
        CU_ASSERT(ok);
    }
}

/* A record that came to its end, or none at all, is left as it is. */
static void test_nothing_to_tell(void)
{
    struct lad_record r = fly(exits, LAD_STATUS_FAIL), none = {.status = LAD_STATUS_CRASH, .message = "m"};
    CU_ASSERT(!r.n_obs && !strcmp(r.message, "it ended"));
    lad_flight_tell(arena, NULL, "vk-x", &none);
    CU_ASSERT(!none.n_obs && !strcmp(none.message, "m"));
}

/* What a dying process left need not make sense. */
static void test_garbage(void)
{
    struct lad_flight f;
    memset(&f, 0xff, sizeof f);
    struct lad_record r = {.status = LAD_STATUS_CRASH, .message = "m", .signal = SIGSEGV};
    lad_flight_tell(arena, &f, "cl-x", &r);
    CU_ASSERT(lad_observed(&r, LAD_OBS_CRASH_AT));
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"ways to end", test_ways}, {"nothing to tell", test_nothing_to_tell}, {"garbage", test_garbage}, {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("flight", tests);
    lad_arena_destroy(&arena);
    return status;
}
