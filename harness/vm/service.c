/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of services: records are taken in order, and a process that waits gets its answer. */
#include "vm.h"
#include <stdlib.h>
#include <string.h>

struct lad_vm_host *lad_vm_host_create(struct lad_vm_image *image)
{
    struct lad_vm_host *host = calloc(1, sizeof *host);
    if (host)
        host->log = calloc(image->shape.count, sizeof *host->log);
    if (host)
        host->answer = calloc((size_t)image->shape.count * image->program->n_proc, sizeof *host->answer);
    if (!host || !host->log || !host->answer)
        abort();
    host->image = image;
    return host;
}

void lad_vm_host_destroy(struct lad_vm_host **host)
{
    if (!*host)
        return;
    for (uint32_t g = 0; g < (*host)->image->shape.count; g++)
        free((*host)->log[g].text);
    free((*host)->log);
    free((*host)->answer);
    free(*host);
    *host = NULL;
}

/* The plusarg that begins with `name`, or NULL. */
static const char *find_plusarg(const struct lad_vm_host *host, const char *name, uint32_t n)
{
    for (const char *const *arg = host->plusargs; arg && *arg; arg++)
        if (!strncmp(*arg, name, n))
            return *arg;
    return NULL;
}

static bool read_digits(const char *text, char base, uint64_t *val, uint64_t *xz)
{
    const char *end;
    struct lad_vm_literal l;
    char *number = NULL;
    if (asprintf(&number, "64'%c%s", base, text) < 0)
        abort();
    bool ok = !lad_vm_literal(number, &end, &l) && !*end;
    *val = l.val[0];
    *xz = l.xz[0];
    free(number);
    return ok;
}

static uint64_t take_value(struct lad_vm_host *host, uint32_t gid, const struct lad_vm_call *c)
{
    const struct lad_vm_program *p = host->image->program;
    uint32_t n, name = 0;
    const char *format = lad_vm_string(p, c->format, &n);
    while (name < n && format[name] != '%')
        name++;
    const char *arg = find_plusarg(host, format, name);
    if (!arg || name + 1 >= n || !c->n || (c->arg[0].kind & 0xFF) != VM_ARG_IDENT)
        return 0;
    const char *conversion = format + name + 1;
    while (conversion < format + n - 1 && *conversion == '0')
        conversion++;
    char base = (char)(*conversion | 32);
    uint64_t val, xz;
    if (!strchr("dhxbo", base) || !read_digits(arg + name, base == 'x' ? 'h' : base, &val, &xz))
        return 0;
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        if (p->sigs[i].name == (uint32_t)c->arg[0].val && p->sigs[i].array_size == 1) {
            lad_vm_signal_set(host->image, gid, i, 0, val, xz);
            return 1;
        }
    }
    return 0;
}

static void say_unsupported(struct lad_vm_host *host, const struct lad_vm_call *c)
{
    uint64_t bit = 1ull << (c->kind < 63 ? c->kind : 63);
    if (!(host->unsupported & bit) && !host->quiet)
        fprintf(stderr, "svc-unsupported: kind=%u pid=%u\n", c->kind, c->pid);
    host->unsupported |= bit;
}

/* Acts on one record; the value that a waiting caller gets. */
static uint64_t act(struct lad_vm_host *host, uint32_t gid, const struct lad_vm_call *c)
{
    struct lad_vm_text *log = &host->log[gid];
    uint32_t n;
    const char *text;
    switch (c->kind) {
    case VM_SERVICE_DISPLAY:
    case VM_SERVICE_MONITOR:
    case VM_SERVICE_STROBE:
        lad_vm_format(host->image, gid, c, log);
        lad_vm_text_add(log, "\n", 1);
        return 0;
    case VM_SERVICE_WRITE:
        lad_vm_format(host->image, gid, c, log);
        return 0;
    case VM_SERVICE_FINISH:
    case VM_SERVICE_STOP:
        lad_vm_text_print(log, "$%s (pid=%u)\n", c->kind == VM_SERVICE_FINISH ? "finish" : "stop", c->pid);
        return 0;
    case VM_SERVICE_SHOWCANCELLED:
        lad_vm_text_print(log, "$showcancelled (pid=%u) assign=%llu time=%llu\n", c->pid,
                          (unsigned long long)c->arg[0].val, (unsigned long long)c->arg[3].val);
        return 0;
    case VM_SERVICE_READMEMH:
    case VM_SERVICE_READMEMB:
        lad_vm_readmem(host, gid, c);
        return 0;
    case VM_SERVICE_TESTPLUSARGS:
        text = lad_vm_string(host->image->program, c->format, &n);
        return find_plusarg(host, text, n) != NULL;
    case VM_SERVICE_VALUEPLUSARGS:
        return take_value(host, gid, c);
    default:
        say_unsupported(host, c);
        return 0;
    }
}

static bool answers(uint32_t kind)
{
    static const unsigned char flags[] = {
#define VM_SERVICE(number, symbol, name, flags) [number] = flags,
#include "../../kernels/vm_ops.def"
    };
    return kind < LAD_N(flags) && flags[kind];
}

/* The answer is kept until the process waits for it, which a budget may put off to a later launch: what it gets must
 * not depend on that. A later record of the same process takes its place. */
static void keep_answer(struct lad_vm_host *host, uint32_t gid, const struct lad_vm_call *c, uint64_t value)
{
    uint32_t n = host->image->program->n_proc;
    if (c->pid < n)
        host->answer[(size_t)gid * n + c->pid] = (struct lad_vm_answer){value, answers(c->kind)};
}

static bool drain_one(struct lad_vm_host *host, uint32_t gid)
{
    struct lad_vm_image *image = host->image;
    uint32_t *tail = lad_vm_ring_tail(image, gid), *head = lad_vm_ring_head(image, gid), used = *tail - *head;
    uint32_t *state = LAD_VM_U32(image, state, gid), *kind = LAD_VM_U32(image, wait_kind, gid);
    uint32_t n = image->program->n_proc;
    struct lad_vm_call call;
    bool any = used != 0;
    if (used > image->shape.capacity)
        used = image->shape.capacity; /* only a broken device says so */
    for (uint32_t i = 0; i < used; i++) {
        lad_vm_unpack(image, gid, *head + i, &call);
        keep_answer(host, gid, &call, act(host, gid, &call));
    }
    *head = *tail;
    if (*LAD_VM_U32(image, status, gid) != VM_IDLE)
        return any;
    for (uint32_t p = 0; p < n; p++) {
        struct lad_vm_answer *answer = &host->answer[(size_t)gid * n + p];
        if (state[p] != VM_BLOCKED || kind[p] != VM_WAIT_SERVICE)
            continue;
        LAD_VM_U64(image, wait_time, gid)[p] = answer->there ? answer->value : 0;
        answer->there = false;
        kind[p] = VM_WAIT_NONE;
        state[p] = VM_READY;
        any = true;
    }
    return any;
}

bool lad_vm_drain(struct lad_vm_host *host)
{
    bool any = false;
    for (uint32_t g = 0; g < host->image->shape.count; g++)
        any |= drain_one(host, g);
    return any;
}

void lad_vm_log_write(FILE *out, const struct lad_vm_host *host)
{
    uint32_t count = host->image->shape.count;
    for (uint32_t g = 0; g < count; g++) {
        const char *p = host->log[g].text, *end = p + host->log[g].n;
        while (p && p < end) {
            const char *next = memchr(p, '\n', (size_t)(end - p));
            next = next ? next + 1 : end;
            if (count > 1)
                fprintf(out, "[%u] ", g);
            fwrite(p, 1, (size_t)(next - p), out);
            p = next;
        }
    }
}
