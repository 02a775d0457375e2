/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder: what a worker was at when it died or hung. The worker writes down each call into a backend
 * before it makes it; a handler adds where a fatal signal struck, with nothing but what such a handler may do. The
 * parent reads it from the memory that both share, and makes observations of it.
 */
#include "flight.h"
#include "diagnose.h"
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define NEAR_NULL 65536u /* nothing is ever mapped below */

static struct lad_flight nobody_looks, *flight = &nobody_looks;

/* ---- in the worker ------------------------------------------------------------------------------------------- */

static void put(char *to, size_t room, const char *text)
{
    size_t n = text ? strnlen(text, room - 1) : 0;
    memcpy(to, text, n);
    to[n] = 0;
}

void lad_flight_case(void)
{
    flight->call = flight->busy = flight->n_dispatches = flight->pending = 0;
    flight->kernel[0] = flight->buffer[0] = 0;
}

void lad_flight_enter(enum lad_flight_call call, const char *kernel)
{
    if (kernel)
        put(flight->kernel, sizeof flight->kernel, kernel);
    flight->n_dispatches += call == LAD_CALL_DISPATCH;
    flight->pending |= call == LAD_CALL_DISPATCH || call == LAD_CALL_FILL || call == LAD_CALL_COPY;
    flight->call = call;
    flight->busy = 1;
}

bool lad_flight_leave(bool ok)
{
    flight->busy = 0;
    if (ok && (flight->call == LAD_CALL_WAIT || flight->call == LAD_CALL_FINISH))
        flight->pending = 0;
    return ok;
}

void lad_flight_buffer(const char *name)
{
    put(flight->buffer, sizeof flight->buffer, name);
}

static int note_object(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum && flight->n_objects < LAD_FLIGHT_OBJECTS; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        flight->object[flight->n_objects].start = start;
        flight->object[flight->n_objects++].end = start + p->p_memsz;
    }
    return 0;
}

void lad_flight_opened(void)
{
    flight->n_objects = 0;
    dl_iterate_phdr(note_object, NULL);
}

/* Where it happened, and by which access; of the machine. */
static void read_context(struct lad_flight *f, const ucontext_t *u)
{
    f->fault = (f->signal == SIGSEGV || f->signal == SIGBUS) && f->code > 0 && f->code < 128;
#if defined(__x86_64__)
    uint64_t error = (uint64_t)u->uc_mcontext.gregs[REG_ERR];
    f->pc = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
    f->fault = f->fault && u->uc_mcontext.gregs[REG_TRAPNO] == 14; /* else it has no address */
    f->access = !f->fault ? 0 : error & 16 ? 'x' : error & 2 ? 'w' : 'r';
#elif defined(__aarch64__)
    f->pc = u->uc_mcontext.pc;
#else
    (void)u;
#endif
}

/* A line of /proc/self/maps: "START-END rwxp OFFSET DEVICE INODE   NAME". */
static void look_at_mapping(struct lad_flight *f, const char *line)
{
    uint64_t bound[2] = {0, 0};
    const char *p = line;
    for (int i = 0; i < 2; i++, p++)
        for (; *p && *p != '-' && *p != ' '; p++)
            bound[i] = bound[i] << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    for (int field = 0; *p && field < 4; p++)
        field += *p == ' ';
    while (*p == ' ')
        p++;
    if (f->pc >= bound[0] && f->pc < bound[1]) {
        put(f->where, sizeof f->where, p);
        f->pc_mapped = 1;
    }
    f->mapped |= f->address >= bound[0] && f->address < bound[1];
}

static void look_at_mappings(struct lad_flight *f)
{
    static char text[16384];
    size_t n = 0;
    ssize_t got;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0) {
        char *line = text, *end;
        n += (size_t)got;
        text[n] = 0;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            look_at_mapping(f, line);
        }
        n -= (size_t)(line - text);
        memmove(text, line, n);
        n = n < sizeof text - 1 ? n : 0;
    }
    if (fd >= 0)
        close(fd);
}

/* Only the first thread that gets here writes; others give it a second. */
static void on_death(int number, siginfo_t *info, void *context)
{
    struct lad_flight *f = flight;
    struct timespec moment = {.tv_nsec = 10000000};
    if (!__atomic_exchange_n(&f->dying, 1, __ATOMIC_ACQ_REL)) {
        f->signal = number;
        f->code = info->si_code;
        f->address = (uint64_t)(uintptr_t)info->si_addr;
        f->own_thread = syscall(SYS_gettid) == f->thread;
        read_context(f, context);
        look_at_mappings(f);
        __atomic_store_n(&f->traced, 1, __ATOMIC_RELEASE);
    }
    for (int i = 0; i < 100 && !__atomic_load_n(&f->traced, __ATOMIC_ACQUIRE); i++)
        nanosleep(&moment, NULL);
    signal(number, SIG_DFL);
    raise(number); /* blocked until we return */
}

/* Whoever has a handler already, a sanitizer for one, keeps it. */
void lad_flight_record(int fd)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    static char stack[65536];
    struct sigaction on = {.sa_sigaction = on_death, .sa_flags = SA_SIGINFO | SA_ONSTACK}, was;
    void *shared = fcntl(fd, F_SETFD, FD_CLOEXEC)
                       ? MAP_FAILED
                       : mmap(NULL, sizeof *flight, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        return;
    close(fd);
    flight = shared;
    flight->thread = (int32_t)syscall(SYS_gettid);
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < LAD_N(fatal); i++)
        if (!sigaction(fatal[i], NULL, &was) && was.sa_handler == SIG_DFL)
            sigaction(fatal[i], &on, NULL);
}

/* ---- in its parent ------------------------------------------------------------------------------------------- */

struct lad_flight *lad_flight_create(int *fd)
{
    int low = memfd_create("flight", MFD_CLOEXEC);
    struct lad_flight *f = MAP_FAILED;
    *fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 8);
    if (*fd >= 0 && !ftruncate(*fd, sizeof *f))
        f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (low >= 0)
        close(low);
    return f == MAP_FAILED ? NULL : f;
}

void lad_flight_destroy(struct lad_flight *f)
{
    if (f)
        munmap(f, sizeof *f);
}

static const char *const call_names[] = {
#define LAD_CALL(sym, name) name,
    LAD_FLIGHT_CALLS(LAD_CALL)
#undef LAD_CALL
};

/* The worker wrote it while it died: nothing in it is sure to be whole. */
static struct lad_flight take(const struct lad_flight *from)
{
    struct lad_flight f = *from;
    f.kernel[sizeof f.kernel - 1] = f.buffer[sizeof f.buffer - 1] = f.where[sizeof f.where - 1] = 0;
    f.call = f.call < LAD_N(call_names) ? f.call : 0;
    f.n_objects = f.n_objects < LAD_FLIGHT_OBJECTS ? f.n_objects : LAD_FLIGHT_OBJECTS;
    return f;
}

/* "dispatch 2 (kernel scale)" */
static const char *name_dispatch(struct lad_arena *arena, const struct lad_flight *f)
{
    return lad_printf(arena, "dispatch %u (kernel %s)", f->n_dispatches, f->kernel);
}

/* "vkWaitForFences behind dispatch 2 (kernel scale)" */
static const char *name_call(struct lad_arena *arena, const struct lad_flight *f, const char *device)
{
    const char *call = lad_call_names(call_names[f->call], device), *of = "";
    switch (f->call) {
    case LAD_CALL_NONE:
        return "no call";
    case LAD_CALL_BUILD:
        of = lad_printf(arena, " of kernel %s", f->kernel);
        break;
    case LAD_CALL_DISPATCH:
        of = lad_printf(arena, " of %s", name_dispatch(arena, f));
        break;
    case LAD_CALL_SUBMIT:
    case LAD_CALL_WAIT:
    case LAD_CALL_FINISH:
        of = f->pending && f->n_dispatches ? lad_printf(arena, " behind %s", name_dispatch(arena, f)) : "";
        break;
    default:
        of = f->buffer[0] ? lad_printf(arena, " of buffer %s", f->buffer) : "";
    }
    size_t first = call ? strcspn(call, " ") : 0;
    const char *names = !call         ? call_names[f->call]
                        : call[first] ? lad_printf(arena, "%.*s or %s", (int)first, call, call + first + 1)
                                      : call;
    return lad_printf(arena, "%s%s", names, of);
}

/* Code that came after the device was opened, and is no library: a driver made it. */
static bool is_kernel_code(const struct lad_flight *f)
{
    const char *base = strrchr(f->where, '/');
    for (uint32_t i = 0; i < f->n_objects; i++)
        if (f->pc >= f->object[i].start && f->pc < f->object[i].end)
            return false;
    return f->n_objects && f->pc_mapped && strcmp(f->where, "[vdso]") &&
           (!base || !strncmp(f->where, "/memfd:", 7) || (strncmp(base, "/lib", 4) && !strstr(f->where, "/lib/")));
}

static bool is_compiler(const struct lad_flight *f)
{
    return strcasestr(f->where, "LLVM") || strcasestr(f->where, "compiler") || strcasestr(f->where, "clang") ||
           strcasestr(f->where, "igc");
}

static bool is_near_null(const struct lad_flight *f)
{
    return f->fault && f->access != 'x' && (f->address < NEAR_NULL || f->address > UINT64_MAX - NEAR_NULL);
}

static const char *name_address(struct lad_arena *arena, const struct lad_flight *f)
{
    const char *how = f->access == 'w' ? "writing to" : f->access == 'x' ? "jumping to" : f->access ? "reading" : "at";
    return f->fault ? lad_printf(arena, ", %s address 0x%llx%s", how, (unsigned long long)f->address,
                                 f->mapped ? ", which does not allow that" : "")
                    : "";
}

static void tell_death(struct lad_arena *arena, const struct lad_flight *f, const char *in, struct lad_record *r)
{
    const char *base = strrchr(f->where, '/'), *last = f->n_dispatches ? name_dispatch(arena, f) : "none yet";
    bool kernel = is_kernel_code(f), idle = !f->busy && !f->pending;
    const char *when = idle ? "after all waits had returned, the last call was " : f->busy ? "in " : "after ";
    const char *code = kernel            ? " in the code of a kernel"
                       : base && base[1] ? lad_printf(arena, " in %s", base + 1)
                                         : "";
    const char *text = lad_printf(arena, "%s%s%s%s%s, on %s", when, in, name_address(arena, f), code,
                                  kernel && !strstr(in, last) ? lad_printf(arena, ", the last is %s", last) : "",
                                  f->own_thread ? "the thread that makes the calls" : "a thread of the driver");
    lad_observe(arena, r, LAD_OBS_CRASH_AT, text, f->signal);
    if (kernel)
        lad_observe(arena, r, LAD_OBS_CRASH_KERNEL, f->n_dispatches ? last : NULL, f->n_dispatches);
    lad_observe(arena, r, f->own_thread ? LAD_OBS_CRASH_OWN : LAD_OBS_CRASH_DRIVER, NULL, 0);
    if (idle && !f->own_thread)
        lad_observe(arena, r, LAD_OBS_CRASH_IDLE, NULL, 0);
    if (f->signal == SIGSEGV && f->access != 'x')
        lad_observe(arena, r, is_near_null(f) ? LAD_OBS_CRASH_NULL : LAD_OBS_CRASH_FAR, NULL,
                    is_near_null(f) ? (int64_t)f->address : 0);
    if ((f->own_thread && f->busy && f->call == LAD_CALL_BUILD) || is_compiler(f))
        lad_observe(arena, r, LAD_OBS_CRASH_BUILD, lad_printf(arena, "kernel %s", f->kernel), 0);
    if (f->own_thread && f->busy && f->call == LAD_CALL_FREE)
        lad_observe(arena, r, LAD_OBS_CRASH_FREE, NULL, 0);
    r->message = lad_printf(arena, "%s, %s", r->message, text);
}

/* By what glibc's allocator says before it gives up. */
static bool is_heap_broken(const char *output)
{
    static const char *const words[] = {"malloc(): ",     "free(): ",    "corrupted",         "double free",
                                        "munmap_chunk()", "realloc(): ", "malloc_consolidate"};
    for (size_t i = 0; output && i < LAD_N(words); i++)
        if (strstr(output, words[i]))
            return true;
    return false;
}

void lad_flight_tell(struct lad_arena *arena, const struct lad_flight *from, const char *device, struct lad_record *r)
{
    if (!from)
        return;
    struct lad_flight f = take(from);
    const char *in = name_call(arena, &f, device);
    if (r->status == LAD_STATUS_CRASH && __atomic_load_n(&from->traced, __ATOMIC_ACQUIRE)) {
        tell_death(arena, &f, in, r);
        if (f.signal == SIGABRT && is_heap_broken(r->output))
            lad_observe(arena, r, LAD_OBS_CRASH_HEAP, NULL, 0);
    } else if (f.busy && r->status >= LAD_STATUS_TIMEOUT && r->status <= LAD_STATUS_LOST) {
        bool crash = r->status == LAD_STATUS_CRASH;
        lad_observe(arena, r,
                    r->signal == SIGSEGV || r->signal == SIGBUS ? LAD_OBS_CRASH_STACK
                    : crash                                     ? LAD_OBS_ENDED_IN
                                                                : LAD_OBS_HUNG_IN,
                    in, 0);
        if (!crash && f.call == LAD_CALL_BUILD)
            lad_observe(arena, r, LAD_OBS_HUNG_BUILD, lad_printf(arena, "kernel %s", f.kernel), 0);
        r->message = lad_printf(arena, "%s, in %s", r->message, in);
    }
}
