/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device that needs no driver: kernels compiled as C (kernels/host.h) run on the calling thread, over plain memory.
 * It is also the example for plugin authors: every member of the contract in its simplest form that is still honest.
 *
 * Commands are kept and executed by wait(). A workgroup whose kernel has barriers runs as a ring of fibers, one per
 * invocation, that switch in lad_host_barrier(); without barriers its invocations run one after the other.
 */
#include "../kernels/host.h"
#include "backend.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define MAX_LOCAL 1024u
#define STACK_BYTES 65536u
#define FINISH_NS 60000000000u /* finish() has no deadline of its own */

struct lad_buf {
    struct lad_buf_desc desc;
    unsigned char *mem;
};

struct lad_kernel {
    struct lad_kernel_desc desc;
};

enum command_kind { RUN, FILL, COPY };
struct command {
    enum command_kind kind;
    struct lad_kernel *kernel;
    uint32_t groups[3], base[3], word;
    void **bufs;   /* of the kernel, then the witness; owned */
    void *scalars; /* owned */
    const uint32_t *indirect;
    unsigned char *from, *to;
    uint64_t bytes;
};

struct lad_dev {
    struct command *command;
    size_t n, room, n_done, n_submitted;
    struct lad_times times;
};

struct fiber {
    ucontext_t context;
    uint32_t lid[3], barriers;
    bool ended;
};

struct lad_item lad_item;

/* The workgroup that is running; one device and one thread, so one of each. */
static struct {
    struct fiber *fiber;
    unsigned char *stacks;
    ucontext_t home;
    uint32_t n, now, n_ended;
    const struct command *command;
} ring;

static uint64_t read_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool refuse(struct lad_fail *fail, const char *call, const char *code, const char *text)
{
    memset(fail, 0, sizeof *fail);
    snprintf(fail->call, sizeof fail->call, "%s", call);
    snprintf(fail->code, sizeof fail->code, "%s", code);
    snprintf(fail->text, sizeof fail->text, "%s", text);
    return false;
}

/* ---- device ---- */

static bool enumerate(struct lad_dev_info *info, size_t room, size_t *n, struct lad_fail *fail)
{
    (void)fail;
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    *n = 1;
    if (room == 0)
        return true;
    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "host processor");
    snprintf(info->vendor, sizeof info->vendor, "gpuladder");
    snprintf(info->driver, sizeof info->driver, "kernels compiled as C");
    snprintf(info->api, sizeof info->api, "C11");
    snprintf(info->model, sizeof info->model, "host");
    info->type = LAD_DEV_CPU;
    const struct {
        enum lad_cap cap;
        uint64_t value;
    } caps[] = {
        {LAD_CAP_STORAGE_BUFFERS, 64},
        {LAD_CAP_BUFFER_BYTES, memory / 4},
        {LAD_CAP_MEMORY_BYTES, memory},
        {LAD_CAP_LOCAL_BYTES, LAD_HOST_DYNAMIC_BYTES},
        {LAD_CAP_WORKGROUP_SIZE, MAX_LOCAL},
        {LAD_CAP_WORKGROUP_X, MAX_LOCAL},
        {LAD_CAP_WORKGROUP_Y, MAX_LOCAL},
        {LAD_CAP_WORKGROUP_Z, MAX_LOCAL},
        {LAD_CAP_GROUPS_X, UINT32_MAX},
        {LAD_CAP_GROUPS_Y, UINT32_MAX},
        {LAD_CAP_GROUPS_Z, UINT32_MAX},
        {LAD_CAP_SCALAR_BYTES, 256},
        {LAD_CAP_OFFSET_ALIGN, 16},
        {LAD_CAP_ATOM_BYTES, 1},
        {LAD_CAP_INT64, 1},
        {LAD_CAP_FP64, 1},
        {LAD_CAP_INT16, 1},
        {LAD_CAP_INT8, 1},
        {LAD_CAP_ATOMIC64, 1},
        {LAD_CAP_INDIRECT, 1},
        {LAD_CAP_BASE_OFFSET, 1},
        {LAD_CAP_FILL, 1},
        {LAD_CAP_COPY, 1},
        {LAD_CAP_MEM_COHERENT, 1},
        {LAD_CAP_MEM_MAPPED, 1},
        {LAD_CAP_MEM_HOST_POINTER, 1},
        {LAD_CAP_ADDRESS, 1},
        {LAD_CAP_QUEUES, 1},
        {LAD_CAP_FLUSH, 1},
        {LAD_CAP_DENORMALS, 1},
        {LAD_CAP_DEVICE_SCOPE, 1},
        {LAD_CAP_SUBGROUP, 1},
    };
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        info->cap[caps[i].cap] = caps[i].value;
    info->why[LAD_CAP_FP16] = "C has no portable half precision";
    info->why[LAD_CAP_MEM_NONCOHERENT] = "the memory is the host's own and always coherent";
    info->why[LAD_CAP_MEM_SVM_COARSE] = info->why[LAD_CAP_MEM_SVM_FINE] = "host-pointer memory is the same thing here";
    info->why[LAD_CAP_TIMESTAMPS] = "its clock is the host's";
    info->why[LAD_CAP_EVENTS] = "there is one queue";
    return true;
}

static struct lad_dev *open_device(size_t index, struct lad_fail *fail)
{
    if (index != 0) {
        refuse(fail, "open", "ENODEV", "there is one host device");
        return NULL;
    }
    return calloc(1, sizeof(struct lad_dev));
}

static void drop_commands(struct lad_dev *dev)
{
    for (size_t i = 0; i < dev->n; i++) {
        free(dev->command[i].bufs);
        free(dev->command[i].scalars);
    }
    dev->n = dev->n_done = dev->n_submitted = 0;
}

static void close_device(struct lad_dev *dev)
{
    if (!dev)
        return;
    drop_commands(dev);
    free(dev->command);
    free(dev);
    free(ring.fiber);
    free(ring.stacks);
    ring.fiber = NULL;
    ring.stacks = NULL;
}

/* ---- memory ---- */

static struct lad_buf *create_buf(struct lad_dev *dev, const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    (void)dev;
    if (desc->mem == LAD_MEM_NONCOHERENT || desc->mem == LAD_MEM_SVM_COARSE || desc->mem == LAD_MEM_SVM_FINE) {
        refuse(fail, "buf_create", "ENOTSUP", "this kind of memory");
        fail->unsupported = true;
        return NULL;
    }
    struct lad_buf *buf = calloc(1, sizeof *buf);
    void *mem = desc->mem == LAD_MEM_HOST_POINTER ? desc->host : NULL;
    if (!buf || (!mem && posix_memalign(&mem, 4096, desc->bytes))) {
        free(buf);
        refuse(fail, "posix_memalign", "ENOMEM", "out of host memory");
        return NULL;
    }
    if (mem != desc->host)
        memset(mem, 0xA5, desc->bytes); /* never zero: who relies on that is found here */
    buf->desc = *desc;
    buf->mem = mem;
    return buf;
}

static void destroy_buf(struct lad_dev *dev, struct lad_buf *buf)
{
    (void)dev;
    if (buf && buf->desc.mem != LAD_MEM_HOST_POINTER)
        free(buf->mem);
    free(buf);
}

static bool write_buf(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, const void *data, size_t bytes,
                      struct lad_fail *fail)
{
    (void)dev, (void)fail;
    memcpy(buf->mem + offset, data, bytes);
    return true;
}

static bool read_buf(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, void *data, size_t bytes,
                     struct lad_fail *fail)
{
    (void)dev, (void)fail;
    memcpy(data, buf->mem + offset, bytes);
    return true;
}

static void *map_buf(struct lad_dev *dev, struct lad_buf *buf, bool write, struct lad_fail *fail)
{
    (void)dev, (void)write, (void)fail;
    return buf->mem;
}

static bool unmap_buf(struct lad_dev *dev, struct lad_buf *buf, struct lad_fail *fail)
{
    (void)dev, (void)buf, (void)fail;
    return true;
}

static uint64_t address_of(struct lad_dev *dev, struct lad_buf *buf)
{
    (void)dev;
    return (uint64_t)(uintptr_t)buf->mem;
}

/* ---- kernels and commands ---- */

static struct lad_kernel *create_kernel(struct lad_dev *dev, const struct lad_kernel_desc *desc, struct lad_fail *fail)
{
    (void)dev;
    if (!desc->source->host) {
        refuse(fail, "kernel_create", "ENOTSUP", "the kernel has no form in C");
        fail->unsupported = true;
        return NULL;
    }
    if ((uint64_t)desc->local[0] * desc->local[1] * desc->local[2] > MAX_LOCAL) {
        refuse(fail, "kernel_create", "E2BIG", "the workgroup is larger than workgroup-size");
        return NULL;
    }
    if ((uint64_t)desc->dynamic_items * desc->source->dynamic_bytes > LAD_HOST_DYNAMIC_BYTES) {
        refuse(fail, "kernel_create", "E2BIG", "the dynamic local array is larger than local-bytes");
        return NULL;
    }
    struct lad_kernel *kernel = calloc(1, sizeof *kernel);
    if (kernel)
        kernel->desc = *desc;
    else
        refuse(fail, "calloc", "ENOMEM", "out of host memory");
    return kernel;
}

static void destroy_kernel(struct lad_dev *dev, struct lad_kernel *kernel)
{
    (void)dev;
    free(kernel);
}

static struct command *add_command(struct lad_dev *dev, enum command_kind kind, struct lad_fail *fail)
{
    if (dev->n == dev->room) {
        size_t room = dev->room ? 2 * dev->room : 16;
        struct command *grown = realloc(dev->command, room * sizeof *grown);
        if (!grown) {
            refuse(fail, "realloc", "ENOMEM", "out of host memory");
            return NULL;
        }
        dev->command = grown;
        dev->room = room;
    }
    struct command *c = &dev->command[dev->n++];
    *c = (struct command){.kind = kind};
    return c;
}

static bool record_dispatch(struct lad_dev *dev, const struct lad_dispatch *d, struct lad_fail *fail)
{
    const struct lad_kernel_source *source = d->kernel->desc.source;
    struct command *c = add_command(dev, RUN, fail);
    if (!c)
        return false;
    c->kernel = d->kernel;
    c->bufs = calloc(source->n_bufs + 1, sizeof *c->bufs);
    c->scalars = malloc(source->scalar_bytes);
    if (!c->bufs || !c->scalars)
        return refuse(fail, "malloc", "ENOMEM", "out of host memory");
    for (uint32_t i = 0; i < source->n_bufs; i++)
        c->bufs[i] = d->binds[i].buf->mem + d->binds[i].offset;
    c->bufs[source->n_bufs] = d->witness ? d->witness->mem : NULL;
    memcpy(c->scalars, d->scalars, source->scalar_bytes);
    memcpy(c->groups, d->groups, sizeof c->groups);
    memcpy(c->base, d->base, sizeof c->base);
    if (d->indirect)
        c->indirect = (const uint32_t *)(d->indirect->mem + d->indirect_offset);
    return true;
}

static bool record_fill(struct lad_dev *dev, struct lad_buf *buf, uint64_t offset, uint64_t bytes, uint32_t word,
                        struct lad_fail *fail)
{
    struct command *c = add_command(dev, FILL, fail);
    if (!c)
        return false;
    c->to = buf->mem + offset;
    c->bytes = bytes;
    c->word = word;
    return true;
}

static bool record_copy(struct lad_dev *dev, struct lad_buf *from, uint64_t from_offset, struct lad_buf *to,
                        uint64_t to_offset, uint64_t bytes, struct lad_fail *fail)
{
    struct command *c = add_command(dev, COPY, fail);
    if (!c)
        return false;
    c->from = from->mem + from_offset;
    c->to = to->mem + to_offset;
    c->bytes = bytes;
    return true;
}

static bool record_barrier(struct lad_dev *dev, struct lad_fail *fail)
{
    (void)dev, (void)fail; /* commands run one after the other anyway */
    return true;
}

/* ---- execution ---- */

static void enter(const uint32_t lid[3])
{
    for (int d = 0; d < 3; d++) {
        lad_item.lid[d] = lid[d];
        lad_item.gid[d] = lad_item.grp[d] * lad_item.lsz[d] + lid[d];
    }
}

/* From one fiber to the next that has not ended, or home after the last. */
static void switch_fiber(struct fiber *from)
{
    if (ring.n_ended == ring.n) {
        setcontext(&ring.home);
        abort();
    }
    do
        ring.now = ring.now + 1 == ring.n ? 0 : ring.now + 1;
    while (ring.fiber[ring.now].ended);
    struct fiber *to = &ring.fiber[ring.now];
    enter(to->lid);
    if (from == to)
        return;
    if (from->ended) {
        setcontext(&to->context);
        abort();
    }
    swapcontext(&from->context, &to->context);
}

void lad_host_barrier(void)
{
    struct fiber *me = &ring.fiber[ring.now];
    me->barriers++;
    switch_fiber(me);
}

static void run_fiber(void)
{
    ring.command->kernel->desc.source->host(ring.command->bufs, ring.command->scalars);
    struct fiber *me = &ring.fiber[ring.now];
    me->ended = true;
    ring.n_ended++;
    switch_fiber(me);
}

static void next_lid(uint32_t lid[3])
{
    for (int d = 0; d < 3; d++) {
        if (++lid[d] < lad_item.lsz[d])
            return;
        lid[d] = 0;
    }
}

static bool run_group_with_barriers(const struct command *c, uint32_t n, struct lad_fail *fail)
{
    uint32_t lid[3] = {0, 0, 0};
    ring.n = n;
    ring.now = ring.n_ended = 0;
    ring.command = c;
    for (uint32_t i = 0; i < n; i++, next_lid(lid)) {
        struct fiber *f = &ring.fiber[i];
        memcpy(f->lid, lid, sizeof lid);
        f->barriers = 0;
        f->ended = false;
        f->context.uc_stack.ss_sp = ring.stacks + (size_t)i * STACK_BYTES;
        f->context.uc_stack.ss_size = STACK_BYTES;
        f->context.uc_link = NULL;
        makecontext(&f->context, run_fiber, 0);
    }
    enter(ring.fiber[0].lid);
    swapcontext(&ring.home, &ring.fiber[0].context);
    for (uint32_t i = 1; i < n; i++)
        if (ring.fiber[i].barriers != ring.fiber[0].barriers)
            return refuse(fail, "dispatch", "EDEADLK",
                          "invocations of one workgroup passed different numbers of barriers");
    return true;
}

static bool prepare_fibers(struct lad_fail *fail)
{
    if (ring.fiber)
        return true;
    ring.fiber = calloc(MAX_LOCAL, sizeof *ring.fiber);
    ring.stacks = malloc((size_t)MAX_LOCAL * STACK_BYTES);
    if (!ring.fiber || !ring.stacks)
        return refuse(fail, "malloc", "ENOMEM", "out of host memory");
    for (uint32_t i = 0; i < MAX_LOCAL; i++)
        getcontext(&ring.fiber[i].context);
    return true;
}

static bool run_group(const struct command *c, uint32_t n, struct lad_fail *fail)
{
    uint32_t lid[3] = {0, 0, 0};
    if (c->kernel->desc.source->host_barriers)
        return run_group_with_barriers(c, n, fail);
    for (uint32_t i = 0; i < n; i++, next_lid(lid)) {
        enter(lid);
        c->kernel->desc.source->host(c->bufs, c->scalars);
    }
    return true;
}

static bool run_dispatch(const struct command *c, uint64_t deadline, struct lad_fail *fail)
{
    const struct lad_kernel_desc *desc = &c->kernel->desc;
    const uint32_t *groups = c->indirect ? c->indirect : c->groups;
    uint32_t n = desc->local[0] * desc->local[1] * desc->local[2], since_check = 0, g[3];
    if (desc->source->host_barriers && !prepare_fibers(fail))
        return false;
    lad_item = (struct lad_item){.witness = desc->witness,
                                 .dynamic_items = desc->dynamic_items,
                                 .constant = {desc->constant[0], desc->constant[1]}};
    memcpy(lad_item.lsz, desc->local, sizeof lad_item.lsz);
    memcpy(lad_item.ngrp, groups, sizeof lad_item.ngrp);
    for (g[2] = 0; g[2] < lad_item.ngrp[2]; g[2]++)
        for (g[1] = 0; g[1] < lad_item.ngrp[1]; g[1]++)
            for (g[0] = 0; g[0] < lad_item.ngrp[0]; g[0]++) {
                for (int d = 0; d < 3; d++)
                    lad_item.grp[d] = c->base[d] + g[d];
                if (!run_group(c, n, fail))
                    return false;
                since_check += n;
                if (since_check < 4096)
                    continue;
                since_check = 0;
                if (read_clock() > deadline) {
                    refuse(fail, "wait", "ETIMEDOUT", "the deadline passed between two workgroups");
                    fail->timeout = true;
                    return false;
                }
            }
    return true;
}

static bool run_command(const struct command *c, uint64_t deadline, struct lad_fail *fail)
{
    if (c->kind == RUN)
        return run_dispatch(c, deadline, fail);
    if (c->kind == COPY)
        memmove(c->to, c->from, c->bytes);
    else
        for (uint64_t i = 0; i + 4 <= c->bytes; i += 4)
            memcpy(c->to + i, &c->word, 4);
    return true;
}

static bool wait_all(struct lad_dev *dev, uint64_t timeout_ns, struct lad_fail *fail)
{
    uint64_t start = read_clock(), deadline = start + timeout_ns < start ? UINT64_MAX : start + timeout_ns;
    bool ok = true;
    for (; ok && dev->n_done < dev->n; dev->n_done++)
        ok = run_command(&dev->command[dev->n_done], deadline, fail);
    dev->times = (struct lad_times){.host_ns = read_clock() - start};
    drop_commands(dev);
    return ok;
}

static bool submit(struct lad_dev *dev, struct lad_fail *fail)
{
    (void)fail;
    dev->n_submitted = dev->n;
    return true;
}

static bool finish(struct lad_dev *dev, struct lad_fail *fail)
{
    return wait_all(dev, FINISH_NS, fail);
}

/* There is no thread in the background: being asked is what moves the work on, one command at a time. */
static bool ask_done(struct lad_dev *dev, bool *complete, struct lad_fail *fail)
{
    if (dev->n_done < dev->n_submitted)
        if (!run_command(&dev->command[dev->n_done++], read_clock() + FINISH_NS, fail))
            return false;
    *complete = dev->n_done >= dev->n_submitted;
    return true;
}

static bool get_times(struct lad_dev *dev, struct lad_times *times)
{
    *times = dev->times;
    return true;
}

const struct lad_backend lad_backend_host = {
    .abi = LAD_BACKEND_ABI,
    .name = "host",
    .prefix = "host",
    .enumerate = enumerate,
    .open = open_device,
    .close = close_device,
    .buf_create = create_buf,
    .buf_destroy = destroy_buf,
    .buf_write = write_buf,
    .buf_read = read_buf,
    .kernel_create = create_kernel,
    .kernel_destroy = destroy_kernel,
    .dispatch = record_dispatch,
    .wait = wait_all,
    .fill = record_fill,
    .copy = record_copy,
    .barrier = record_barrier,
    .map = map_buf,
    .unmap = unmap_buf,
    .buf_address = address_of,
    .times = get_times,
    .submit = submit,
    .finish = finish,
    .done = ask_done,
};
