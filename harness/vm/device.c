/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image on a device: its buffers in one of the three binding modes, the probe launch, and launches of the kernel.
 *
 * The kernel may end a dispatch at any round of its loops (kernels/vm.h says why) and keeps what it was about behind
 * the instance arena: a word per instance that says whether it is unfinished, then its registers and its stack. A
 * launch is as many dispatches as it takes until no instance is unfinished, so that its result does not depend on the
 * device.
 */
#include "device.h"
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = {"direct", "table", "packed"};
static const char *const kernels[] = {"vm-direct", "vm-table", "vm-packed"};
static const char *const probes[] = {"vm-probe-direct", "vm-probe-table", "vm-probe-packed"};

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static void *get_memory(uint64_t bytes)
{
    void *p = calloc(bytes ? bytes : 1, 1);
    if (!p) {
        lad_error("out of memory: %llu bytes", (unsigned long long)bytes);
        abort();
    }
    return p;
}

static bool need(const struct lad_gpu *gpu, enum lad_cap cap, uint64_t min, struct lad_vm_why *why)
{
    uint64_t has = gpu->info.cap[cap];
    if (has >= min)
        return true;
    if (!has)
        return lad_vm_because(why, "needs %s: %s", lad_cap_name(cap), lad_cap_why(&gpu->info, cap));
    return lad_vm_because(why, "needs %s of %llu, the device has %llu", lad_cap_name(cap), (unsigned long long)min,
                          (unsigned long long)has);
}

/* Bytes of the device's buffer number i, in the kernel's order. */
static uint64_t companion_bytes(const struct lad_vm_device *d, int i)
{
    const struct lad_vm_image *image = d->image;
    const uint64_t bytes[COMPANIONS] = {sizeof image->params,
                                        image->static_bytes,
                                        d->work_at + (uint64_t)image->shape.count * (SAVED_WORDS + STACK_WORDS) * 4,
                                        image->state_bytes,
                                        image->shadow_bytes,
                                        image->ring_bytes,
                                        image->debug_bytes};
    return bytes[i] ? round_up(bytes[i], 16) : 16;
}

static bool check_fit(const struct lad_vm_device *d, struct lad_vm_why *why)
{
    const struct lad_vm_image *image = d->image;
    const struct lad_gpu *gpu = d->gpu;
    enum lad_vm_binding mode = image->shape.binding;
    uint64_t largest = mode == LAD_VM_PACKED ? image->packed_bytes : 0, sum = 0;
    const struct lad_kernel_source *probe = lad_kernel_find(probes[mode]);
    for (int i = 0; i < VM_TABLES; i++) {
        if (mode != LAD_VM_PACKED && image->table_room[i] > largest)
            largest = image->table_room[i];
        sum += image->table_room[i];
    }
    for (int i = 0; i < COMPANIONS; i++) {
        uint64_t bytes = companion_bytes(d, i);
        largest = bytes > largest ? bytes : largest;
        sum += bytes;
    }
    return need(gpu, LAD_CAP_INT64, 1, why) && (mode != LAD_VM_TABLE || need(gpu, LAD_CAP_ADDRESS, 1, why)) &&
           need(gpu, LAD_CAP_STORAGE_BUFFERS, probe->n_bufs + 1, why) &&
           need(gpu, LAD_CAP_BUFFER_BYTES, largest + REDZONE, why) && need(gpu, LAD_CAP_MEMORY_BYTES, sum, why) &&
           need(gpu, LAD_CAP_WORKGROUP_X, VM_GROUP, why) &&
           need(gpu, LAD_CAP_GROUPS_X, (image->shape.count + VM_GROUP - 1) / VM_GROUP, why);
}

static struct lad_buf *make_buf(struct lad_vm_device *d, uint64_t bytes, bool address)
{
    return lad_gpu_buf(d->gpu, &(struct lad_buf_desc){.bytes = round_up(bytes, 16) + REDZONE, .address = address});
}

static bool put(struct lad_vm_device *d, struct lad_buf *buf, uint64_t at, const void *data, uint64_t bytes)
{
    return lad_gpu_upload(d->gpu, buf, at, data, bytes);
}

/* What no upload reached can be told from what is zero. */
static bool mark(struct lad_vm_device *d, struct lad_buf *buf, uint64_t bytes)
{
    return lad_gpu_fill(d->gpu, buf, 0, round_up(bytes, 16), LAD_VM_MARK);
}

/* A table's bytes, as they are or with the harm that is asked for. */
static bool put_table(struct lad_vm_device *d, int i, struct lad_buf *buf, uint64_t at)
{
    const struct lad_vm_image *image = d->image;
    const char *data = image->tables.table[i];
    uint64_t bytes = image->table_room[i], from = d->want.from < bytes ? d->want.from : bytes;
    if (d->want.harm != LAD_VM_ZEROS || d->want.table != (uint32_t)i)
        return put(d, buf, at, data, bytes);
    void *zeros = get_memory(bytes - from);
    bool ok = put(d, buf, at, data, from) && put(d, buf, at + from, zeros, bytes - from);
    free(zeros);
    return ok;
}

static void add_part(struct lad_vm_device *d, struct lad_buf *buf, uint64_t at, void *host, uint64_t bytes)
{
    d->part[d->n_parts++] = (struct lad_vm_part){buf, at, bytes, host, get_memory(bytes)};
}

static bool make_packed(struct lad_vm_device *d)
{
    struct lad_vm_image *image = d->image;
    if (!(d->first[0] = make_buf(d, image->packed_bytes, false)) ||
        !(d->first[1] = make_buf(d, sizeof image->packed_offset, false)) ||
        !mark(d, d->first[0], image->packed_bytes) || !lad_gpu_wait(d->gpu) ||
        !put(d, d->first[1], 0, image->packed_offset, sizeof image->packed_offset))
        return false;
    for (int i = 0; i < VM_TABLES; i++)
        if (!put_table(d, i, d->first[0], image->packed_offset[i]))
            return false;
    return true;
}

static bool make_addresses(struct lad_vm_device *d)
{
    uint64_t address[VM_TABLES];
    uint32_t t = d->want.table, other = (t + 1) % VM_TABLES;
    for (int i = 0; i < VM_TABLES; i++)
        address[i] = d->gpu->backend->buf_address(d->gpu->dev, d->table[i]);
    if (d->want.harm == LAD_VM_SWAPPED) {
        uint64_t a = address[t];
        address[t] = address[other];
        address[other] = a;
    }
    if (d->want.harm == LAD_VM_SHIFTED)
        address[t] += 256;
    return (d->first[0] = make_buf(d, sizeof address, false)) && put(d, d->first[0], 0, address, sizeof address);
}

static bool make_tables(struct lad_vm_device *d)
{
    struct lad_vm_image *image = d->image;
    bool address = image->shape.binding == LAD_VM_TABLE;
    for (int i = 0; i < VM_TABLES; i++) {
        uint64_t bytes = image->table_room[i],
                 more = d->want.harm == LAD_VM_SHIFTED && d->want.table == (uint32_t)i ? 512 : 0;
        if (!(d->table[i] = make_buf(d, bytes + more, address)) || !mark(d, d->table[i], bytes + more))
            return false;
    }
    if (!lad_gpu_wait(d->gpu))
        return false;
    for (int i = 0; i < VM_TABLES; i++) {
        uint64_t bytes = image->table_room[i],
                 more = d->want.harm == LAD_VM_SHIFTED && d->want.table == (uint32_t)i ? 512 : 0;
        if (!put_table(d, i, d->table[i], 0))
            return false;
        if (more) {
            char rest[512];
            memset(rest, 0xEE, sizeof rest);
            if (!put(d, d->table[i], bytes, rest, sizeof rest))
                return false;
        }
    }
    return !address || make_addresses(d);
}

static bool make_companions(struct lad_vm_device *d)
{
    struct lad_vm_image *image = d->image;
    struct lad_vm_companions *c = &image->companions;
    void *host[COMPANIONS] = {image->params, (void *)(uintptr_t)c->statics, c->arena, c->state, c->shadow, c->ring,
                              c->debug};
    uint64_t bytes[COMPANIONS] = {sizeof image->params, image->static_bytes, image->arena_bytes, image->state_bytes,
                                  image->shadow_bytes,  image->ring_bytes,   image->debug_bytes};
    for (int i = 0; i < COMPANIONS; i++) {
        if (!(d->companion[i] = make_buf(d, companion_bytes(d, i), false)))
            return false;
        if (i == C_STATICS && !put(d, d->companion[i], 0, host[i], bytes[i]))
            return false;
        if (i >= C_ARENA)
            add_part(d, d->companion[i], 0, host[i], bytes[i]);
    }
    for (int i = 0; i < VM_TABLES; i++)
        if (lad_vm_table_written(i))
            add_part(d, image->packed ? d->first[0] : d->table[i], image->packed ? image->packed_offset[i] : 0,
                     image->tables.table[i], image->table_room[i]);
    return lad_gpu_fill(d->gpu, d->companion[C_ARENA], d->work_at, companion_bytes(d, C_ARENA) - d->work_at, 0) &&
           lad_gpu_wait(d->gpu);
}

/* The kernel's buffers in their order; `also` goes last. */
static void bind(const struct lad_vm_device *d, struct lad_bind *binds, struct lad_buf *also)
{
    int n = 0;
    if (d->image->shape.binding == LAD_VM_DIRECT)
        for (int i = 0; i < VM_TABLES; i++)
            binds[n++].buf = d->table[i];
    else
        for (int i = 0; i < 2 && d->first[i]; i++)
            binds[n++].buf = d->first[i];
    for (int i = 0; i < COMPANIONS; i++)
        binds[n++].buf = d->companion[i];
    binds[n].buf = also;
}

static struct lad_kernel *get_kernel(struct lad_gpu *gpu, const char *name)
{
    struct lad_kernel_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.source = lad_kernel_find(name);
    desc.local[0] = VM_GROUP;
    desc.local[1] = desc.local[2] = 1;
    return lad_gpu_kernel(gpu, &desc);
}

static bool record(struct lad_vm_device *d, struct lad_kernel *kernel, uint32_t items, struct lad_buf *also,
                   const uint32_t *scalars, uint32_t queue)
{
    struct lad_bind binds[VM_TABLES + COMPANIONS + 1];
    memset(binds, 0, sizeof binds);
    bind(d, binds, also);
    struct lad_buf *reach[VM_TABLES];
    uint32_t n_reach = 0;
    for (uint32_t i = 0; i < VM_TABLES; i++)
        if (d->want.harm != LAD_VM_UNREACHED || i != d->want.table)
            reach[n_reach++] = d->table[i];
    bool table = d->image->shape.binding == LAD_VM_TABLE;
    struct lad_dispatch what = {.kernel = kernel,
                                .groups = {(items + VM_GROUP - 1) / VM_GROUP, 1, 1},
                                .binds = binds,
                                .scalars = scalars,
                                .queue = queue,
                                .reach = reach,
                                .n_reach = table ? n_reach : 0};
    d->figures.dispatches++;
    return lad_gpu_dispatch(d->gpu, &what);
}

bool lad_vm_device_record(struct lad_vm_device *d, bool resume, size_t turn)
{
    uint64_t queues = d->gpu->info.cap[LAD_CAP_QUEUES];
    uint32_t scalars[5] = {d->want.fuel ? d->want.fuel : FUEL, (uint32_t)(d->work_at / 4), resume, 0, 1};
    return record(d, d->kernel, d->image->shape.count, NULL, scalars, queues ? (uint32_t)(turn % queues) : 0);
}

static enum lad_vm_fate describe(const struct lad_gpu *gpu, const char *doing, struct lad_vm_why *why)
{
    const struct lad_fail *f = &gpu->fail;
    lad_vm_because(why, "%s: %s says %s%s%.120s", doing, f->call, f->code, *f->text ? ": " : "", f->text);
    return f->unsupported ? LAD_VM_UNFIT : LAD_VM_FAILED;
}

struct lad_vm_device *lad_vm_device_open(struct lad_gpu *gpu, struct lad_vm_image *image,
                                         const struct lad_vm_device_want *want, enum lad_vm_fate *fate,
                                         struct lad_vm_why *why)
{
    struct lad_vm_device *d = get_memory(sizeof *d);
    enum lad_vm_fate local;
    fate = fate ? fate : &local;
    d->gpu = gpu;
    d->image = image;
    if (want)
        d->want = *want;
    d->work_at = round_up(image->arena_bytes, 16);
    d->unfinished = get_memory((uint64_t)image->shape.count * 4);
    *fate = LAD_VM_UNFIT;
    if (!check_fit(d, why))
        goto fail;
    if (!d->want.look_only && !(d->kernel = get_kernel(gpu, kernels[image->shape.binding]))) {
        *fate = describe(gpu, "building the kernel", why);
        goto fail;
    }
    if (!(image->packed ? make_packed(d) : make_tables(d)) || !make_companions(d)) {
        *fate = describe(gpu, "making the buffers", why);
        goto fail;
    }
    *fate = LAD_VM_DONE;
    return d;
fail:
    lad_vm_device_close(&d);
    return NULL;
}

void lad_vm_device_close(struct lad_vm_device **at)
{
    struct lad_vm_device *d = *at;
    if (!d)
        return;
    bool flying = d->gpu->fail.timeout || d->gpu->fail.lost; /* nothing may be freed then */
    for (int i = 0; i < VM_TABLES && !flying; i++)
        lad_gpu_free(d->gpu, d->table[i]);
    for (int i = 0; i < 2 && !flying; i++)
        lad_gpu_free(d->gpu, d->first[i]);
    for (int i = 0; i < COMPANIONS && !flying; i++)
        lad_gpu_free(d->gpu, d->companion[i]);
    if (!flying)
        lad_gpu_free(d->gpu, d->seen);
    for (int i = 0; i < d->n_parts; i++)
        free(d->part[i].mirror);
    free(d->unfinished);
    free(d);
    *at = NULL;
}

/* ---- the probe ---- */

/* Marks where the kernel stores, zeros where it adds. */
static void plant_probe(uint32_t *words)
{
    memset(words, 0, PROBE_WORDS * sizeof *words);
    for (int i = 0; i < 2 * VM_TABLES; i++)
        words[i] = PROBE_MARK + (uint32_t)i;
}

static void judge_probe(struct lad_vm_device *d, const uint32_t *got, struct lad_vm_sight *sight)
{
    lad_vm_probe_expect(d->image, sight->want);
    memcpy(sight->got, got, sizeof sight->got);
    sight->ran = false;
    sight->n_wrong = 0;
    for (int i = 0; i < 2 * VM_TABLES; i++)
        sight->ran |= got[i] != PROBE_MARK + (uint32_t)i;
    for (int i = 0; i < VM_TABLES; i++) {
        const uint32_t *g = got + i, *e = sight->want + i;
        sight->right[i] = g[0] == e[0] && g[22] == e[22] && g[44] == e[44];
        sight->n_wrong += !sight->right[i];
    }
    memcpy(d->first_ops, got + 3 * VM_TABLES, sizeof d->first_ops);
}

bool lad_vm_device_look(struct lad_vm_device *d, enum lad_vm_binding how, struct lad_vm_sight *sight)
{
    uint32_t scalars[3] = {PROBE_ITEMS, 0, 1}, got[PROBE_WORDS];
    enum lad_vm_binding was = d->image->shape.binding;
    struct lad_kernel *kernel = get_kernel(d->gpu, probes[how]);
    uint64_t dispatches = d->figures.dispatches;
    plant_probe(got);
    if (!kernel || (!d->seen && !(d->seen = make_buf(d, sizeof got, false))) || !lad_vm_device_push(d) ||
        !lad_gpu_plant(d->gpu, d->seen, 0, got, sizeof got))
        return false;
    d->image->shape.binding = how;
    bool ok = record(d, kernel, PROBE_ITEMS, d->seen, scalars, 0) && lad_gpu_barrier(d->gpu) && lad_gpu_wait(d->gpu);
    d->image->shape.binding = was;
    d->figures.dispatches = dispatches;
    if (!ok || !lad_gpu_read(d->gpu, d->seen, 0, got, sizeof got))
        return false;
    judge_probe(d, got, sight);
    return true;
}

void lad_vm_sight_print(const struct lad_vm_sight *sight, enum lad_vm_binding how, struct lad_vm_text *text)
{
    for (int i = 0; i < VM_TABLES; i++) {
        const uint32_t *g = sight->got + i, *e = sight->want + i;
        if (!sight->right[i])
            lad_vm_text_print(text,
                              "svm-probe: mode=%s buffer=%d name=sched_vm_%s first=0x%08x/0x%08x last=0x%08x/0x%08x "
                              "sum=0x%08x/0x%08x\n",
                              modes[how], i, lad_vm_tables[i].name, g[0], e[0], g[22], e[22], g[44], e[44]);
    }
}

bool lad_vm_device_probe(struct lad_vm_device *d, struct lad_vm_text *text, enum lad_vm_fate *fate)
{
    struct lad_vm_sight sight;
    *fate = lad_vm_device_look(d, d->image->shape.binding, &sight) ? LAD_VM_DONE : LAD_VM_FAILED;
    if (*fate == LAD_VM_DONE)
        lad_vm_sight_print(&sight, d->image->shape.binding, text);
    return *fate == LAD_VM_DONE && !sight.n_wrong;
}

const uint32_t *lad_vm_device_first_ops(const struct lad_vm_device *d)
{
    return d->first_ops;
}

/* ---- launches ---- */

bool lad_vm_device_push(struct lad_vm_device *d)
{
    const uint32_t *params = d->image->params;
    if (memcmp(d->params, params, sizeof d->params)) {
        if (!put(d, d->companion[C_PARAMS], 0, params, sizeof d->params))
            return false;
        memcpy(d->params, params, sizeof d->params);
    }
    for (int i = 0; i < d->n_parts; i++) {
        struct lad_vm_part *p = &d->part[i];
        const char *now = p->host, *was = p->mirror;
        uint64_t from = 0, to = p->bytes;
        if (d->uploaded) {
            while (from < to && now[from] == was[from])
                from++;
            while (to > from && now[to - 1] == was[to - 1])
                to--;
            from = from / 4 * 4;
            to = round_up(to, 4) < p->bytes ? round_up(to, 4) : p->bytes;
        }
        if (from < to && !put(d, p->buf, p->at + from, now + from, to - from))
            return false;
        memcpy((char *)p->mirror + from, now + from, to - from);
    }
    d->uploaded = true;
    return true;
}

/* A range of a part comes back into the image. */
static bool pull_range(struct lad_vm_device *d, struct lad_vm_part *p, uint64_t from, uint64_t bytes)
{
    char *host = (char *)p->host + from;
    if (!lad_gpu_read(d->gpu, p->buf, p->at + from, host, bytes))
        return false;
    memcpy((char *)p->mirror + from, host, bytes);
    return true;
}

static bool pull(struct lad_vm_device *d)
{
    for (int i = 0; i < d->n_parts; i++)
        if (!pull_range(d, &d->part[i], 0, d->part[i].bytes))
            return false;
    d->quiet = false;
    return true;
}

/* What says whether the host has anything to do: the status words, how many records were produced, and they. */
static bool pull_signs(struct lad_vm_device *d)
{
    const struct lad_vm_image *image = d->image;
    struct lad_vm_part *arena = &d->part[0], *ring = &d->part[C_RING - C_ARENA];
    uint64_t words = (uint64_t)image->shape.count * 4;
    if (!pull_range(d, arena, image->params[VM_P_ARRAY_OFFSET + LAD_VM_ARRAY_status], words) ||
        !pull_range(d, ring, 0, words))
        return false;
    d->quiet = !memcmp(lad_vm_ring_tail(image, 0), lad_vm_ring_head(image, 0), words);
    return d->quiet || pull_range(d, ring, 0, ring->bytes);
}

bool lad_vm_device_late(struct lad_gpu *gpu)
{
    if (!gpu->deadline_ns || lad_now_ns() <= gpu->deadline_ns)
        return false;
    gpu->fail =
        (struct lad_fail){.call = "launch", .code = "LATE", .text = "instances were still unfinished at the deadline"};
    return true;
}

/* Reads whether an instance is still unfinished. */
static bool look_unfinished(struct lad_vm_device *d)
{
    uint32_t count = d->image->shape.count, left = 0;
    if (!lad_gpu_read(d->gpu, d->companion[C_ARENA], d->work_at, d->unfinished, (size_t)count * 4))
        return false;
    for (uint32_t g = 0; g < count; g++)
        left |= d->unfinished[g];
    d->through = !left;
    return true;
}

/* One dispatch of each that is not through with its launch. */
static bool dispatch(struct lad_vm_device *const *all, size_t n, bool resume)
{
    struct lad_gpu *gpu = all[0]->gpu;
    uint64_t start = lad_now_ns();
    for (size_t i = 0; i < n; i++)
        if (!all[i]->through && !lad_vm_device_record(all[i], resume, i))
            return false;
    if (!lad_gpu_barrier(gpu) || !lad_gpu_wait(gpu))
        return false;
    uint64_t took = lad_now_ns() - start;
    for (size_t i = 0; i < n; i++) {
        if (all[i]->through)
            continue;
        all[i]->figures.dispatch_ns += took;
        if (!look_unfinished(all[i]))
            return false;
    }
    return true;
}

static bool launch(struct lad_vm_device *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!all[i]->quiet && !lad_vm_device_push(all[i]))
            return false;
        all[i]->figures.launches++;
        all[i]->through = false;
    }
    for (bool resume = false, left = n > 0; left; resume = true) {
        if (lad_vm_device_late(all[0]->gpu) || !dispatch(all, n, resume))
            return false;
        left = false;
        for (size_t i = 0; i < n; i++)
            left |= !all[i]->through;
    }
    return true;
}

bool lad_vm_device_launch(struct lad_vm_device *d)
{
    return launch(&d, 1) && pull(d);
}

bool lad_vm_device_step(struct lad_vm_device *const *all, size_t n)
{
    bool ok = launch(all, n);
    for (size_t i = 0; i < n; i++)
        ok = ok && pull_signs(all[i]);
    return ok;
}

bool lad_vm_device_pull(struct lad_vm_device *d)
{
    return (d->quiet || lad_vm_device_push(d)) && pull(d); /* records that were drained are not to come back */
}

bool lad_vm_device_table(struct lad_vm_device *d, int i, void *out)
{
    const struct lad_vm_image *image = d->image;
    return lad_gpu_read(d->gpu, image->packed ? d->first[0] : d->table[i], image->packed ? image->packed_offset[i] : 0,
                        out, image->table_room[i]);
}

bool lad_vm_device_kept(struct lad_vm_device *d, struct lad_vm_why *why)
{
    struct lad_vm_image *image = d->image;
    for (int i = 0; i < VM_TABLES; i++) {
        uint64_t bytes = image->table_room[i];
        if (lad_vm_table_written(i) || (d->want.harm && d->want.table == (uint32_t)i))
            continue;
        char *got = get_memory(bytes);
        bool ok = lad_vm_device_table(d, i, got);
        bool same = ok && !memcmp(got, image->tables.table[i], bytes);
        free(got);
        if (!ok)
            describe(d->gpu, "reading a table back", why);
        else if (!same)
            lad_vm_because(why, "buffer %d (%s), which is only read, has changed", i, lad_vm_tables[i].name);
        if (!same)
            return false;
    }
    return lad_vm_guards_hold(image, why);
}

bool lad_vm_device_figures(struct lad_vm_device *d, struct lad_vm_device_figures *out)
{
    uint32_t count = d->image->shape.count, *word = get_memory((uint64_t)count * 16);
    *out = d->figures;
    bool ok = lad_gpu_read(d->gpu, d->companion[C_ARENA], d->work_at + (uint64_t)COUNTERS_AT * count * 4, word,
                           (size_t)count * 16);
    for (uint32_t g = 0; g < count; g++) {
        out->instructions += word[g] | (uint64_t)word[count + g] << 32;
        out->activations += word[2 * count + g] | (uint64_t)word[3 * count + g] << 32;
    }
    free(word);
    return ok;
}
