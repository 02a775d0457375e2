/* SPDX-License-Identifier: Apache-2.0 */
/* The probe that runs a case's own steps: plant, check the plant, upload, run between markers, read back into planted
 * memory, then compare with the oracle and hear the witnesses. A sweep runs it at each value and bisects a failure. */
#include "../../kernels/witness.h"
#include "../harness.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REDZONE 256u               /* bytes behind every buffer, canary like the rest */
#define MAX_BUFS 72u
#define SWEEP_NS 1500000000ull     /* a sweep does not start a value that is expected to take longer */
#define BISECT_NS 5000000000ull
#define LONG_DISPATCH_NS 5000000.0 /* a timed sweep is large enough when one dispatch takes this long */

struct obj {
    const struct lad_case_buf *buf;
    struct lad_buf *gpu;
    uint64_t bytes, total;
    void *host;
};
struct point {
    struct lad_gpu *gpu;
    const struct lad_case *c;
    struct lad_arena *arena;
    struct lad_record *r;
    struct lad_scope scope;
    struct obj obj[MAX_BUFS];
    struct lad_data data[MAX_BUFS];
    size_t n;
    struct lad_buf *witness, *marker;
    uint32_t *words;
    struct lad_ran *ran;
    size_t n_ran, n_dispatches;
    bool timed;        /* witness off, nothing checked */
    double longest_ns; /* of the measured dispatches */
};

/* ---- saying what went wrong ---- */

static bool skip(struct point *p, const char *why)
{
    lad_record_set(p->arena, p->r, LAD_STATUS_SKIP, NULL, "%s", why);
    return false;
}

static bool api_failed(struct point *p, const char *doing)
{
    const struct lad_fail *f = &p->gpu->fail;
    if (f->unsupported)
        return skip(p, lad_printf(p->arena, "%s: %s %s %s", doing, f->call, f->code, f->text));
    enum lad_status status = f->timeout ? LAD_STATUS_TIMEOUT : f->lost ? LAD_STATUS_LOST : LAD_STATUS_ERROR;
    lad_record_set(p->arena, p->r, status, f->timeout ? "ladder.timeout.device" : f->lost ? "ladder.lost" : "ladder.api",
                   "%s: %s says %s", doing, f->call, f->code);
    lad_record_fact(p->arena, p->r, '!', "%s returned %s (%lld)", f->call, f->code, (long long)f->native);
    if (*f->text)
        *LAD_PUSH(p->arena, p->r->messages, p->r->n_messages) = lad_strdup(p->arena, f->text);
    return false;
}

static bool value_of(struct point *p, struct lad_expr e, int64_t absent, int64_t *value)
{
    char why[300];
    *value = absent;
    if (!e.text || lad_eval(e.text, &p->scope, value, why, sizeof why))
        return true;
    lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: %s", p->c->file, e.line, why);
    return false;
}

static bool value_u32(struct point *p, struct lad_expr e, int64_t absent, uint32_t *value)
{
    int64_t v;
    if (!value_of(p, e, absent, &v))
        return false;
    *value = (uint32_t)v;
    if (v >= 0 && v <= UINT32_MAX)
        return true;
    lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: \"%s\" is %lld, expected 0 to 4294967295",
                   p->c->file, e.line, e.text, (long long)v);
    return false;
}

static bool need_cap(struct point *p, enum lad_cap cap, uint64_t min)
{
    uint64_t has = p->gpu->info.cap[cap];
    if (has >= min)
        return true;
    if (!has)
        return skip(p, lad_printf(p->arena, "needs %s: %s", lad_cap_name(cap), lad_cap_why(&p->gpu->info, cap)));
    return skip(p, lad_printf(p->arena, "needs %s of %llu, the device has %llu", lad_cap_name(cap), (unsigned long long)min,
                              (unsigned long long)has));
}

/* ---- what the case needs ---- */

static bool set_scope(struct point *p, int64_t sweep)
{
    p->scope.n = 0;
    if (p->c->sweep) {
        p->scope.name[0] = p->c->sweep;
        p->scope.value[p->scope.n++] = sweep;
    }
    for (size_t i = 0; i < p->c->n_vars; i++) {
        int64_t v;
        if (!value_of(p, p->c->vars[i].value, 0, &v))
            return false;
        p->scope.name[p->scope.n] = p->c->vars[i].name;
        p->scope.value[p->scope.n++] = v;
    }
    return true;
}

static bool need_kernel(struct point *p, const struct lad_kernel_source *k)
{
    char text[256], *save;
    snprintf(text, sizeof text, "%s", k->needs);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        enum lad_cap cap = lad_cap_find(word);
        if (cap < LAD_CAP_COUNT && !need_cap(p, cap, 1))
            return false;
    }
    if (p->gpu->backend == lad_backend_find("host") && !k->host)
        return skip(p, lad_printf(p->arena, "kernel %s has no host form", k->name));
    return need_cap(p, LAD_CAP_STORAGE_BUFFERS, k->n_bufs + 1) && need_cap(p, LAD_CAP_SCALAR_BYTES, k->scalar_bytes);
}

static bool need_mem(struct point *p, enum lad_mem mem)
{
    static const enum lad_cap cap[] = {[LAD_MEM_COHERENT] = LAD_CAP_MEM_COHERENT,
                                       [LAD_MEM_NONCOHERENT] = LAD_CAP_MEM_NONCOHERENT,
                                       [LAD_MEM_MAPPED] = LAD_CAP_MEM_MAPPED,
                                       [LAD_MEM_HOST_POINTER] = LAD_CAP_MEM_HOST_POINTER,
                                       [LAD_MEM_SVM_COARSE] = LAD_CAP_MEM_SVM_COARSE,
                                       [LAD_MEM_SVM_FINE] = LAD_CAP_MEM_SVM_FINE};
    return mem == LAD_MEM_DEVICE || need_cap(p, cap[mem], 1);
}

static bool check_needs(struct point *p)
{
    const struct lad_case *c = p->c;
    for (size_t i = 0; i < c->n_needs; i++) {
        int64_t min;
        if (!value_of(p, c->needs[i].min, 1, &min) || !need_cap(p, c->needs[i].cap, (uint64_t)min))
            return false;
    }
    for (size_t i = 0; i < c->n_bufs; i++)
        if (!need_mem(p, c->bufs[i].mem) || (c->bufs[i].address && !need_cap(p, LAD_CAP_ADDRESS, 1)))
            return false;
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct lad_step *s = &c->steps[i];
        uint32_t queue;
        if (s->kind == LAD_STEP_DISPATCH && !need_kernel(p, s->kernel))
            return false;
        if ((s->kind == LAD_STEP_SUBMIT || s->kind == LAD_STEP_FINISH) && !need_cap(p, LAD_CAP_FLUSH, 1))
            return false;
        if (!value_u32(p, s->queue, 0, &queue) || (queue && !need_cap(p, LAD_CAP_QUEUES, queue + 1)))
            return false;
        if (s->indirect && !need_cap(p, LAD_CAP_INDIRECT, 1))
            return false;
    }
    return true;
}

/* ---- buffers ---- */

static struct obj *find_obj(struct point *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->obj[i].buf->name, name))
            return &p->obj[i];
    return NULL;
}

static void *get_memory(size_t bytes)
{
    void *m = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
    if (!m)
        abort();
    return m;
}

static bool make_buffer(struct point *p, const struct lad_case_buf *b)
{
    struct obj *o = &p->obj[p->n];
    struct lad_data *d = &p->data[p->n];
    int64_t count;
    if (!value_of(p, b->count, 0, &count))
        return false;
    if (count < 0 || p->n == MAX_BUFS) {
        lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: buffer %s of %lld elements", p->c->file,
                       b->line, b->name, (long long)count);
        return false;
    }
    *o = (struct obj){.buf = b, .bytes = (uint64_t)count * lad_type_bytes(b->type)};
    *d = (struct lad_data){.buf = b, .n = (uint64_t)count};
    o->total = ((o->bytes + 3) & ~3ull) + REDZONE;
    if (!need_cap(p, LAD_CAP_BUFFER_BYTES, o->total))
        return false;
    p->n++;
    if (b->mem == LAD_MEM_HOST_POINTER)
        o->host = get_memory(o->total);
    struct lad_buf_desc desc = {o->total, b->mem, b->address, o->host};
    o->gpu = lad_gpu_buf(p->gpu, &desc);
    if (!o->gpu)
        return api_failed(p, lad_printf(p->arena, "making buffer %s of %llu bytes", b->name, (unsigned long long)o->total));
    d->before = get_memory(o->total);
    d->after = get_memory(o->total);
    return true;
}

static void free_buffers(struct point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        lad_gpu_free(p->gpu, p->obj[i].gpu);
        free(p->obj[i].host);
        free(p->data[i].before);
        free(p->data[i].after);
        free(p->data[i].written);
    }
    lad_gpu_free(p->gpu, p->witness);
    lad_gpu_free(p->gpu, p->marker);
    p->witness = p->marker = NULL;
    p->n = 0;
}

static uint64_t *table_entries(struct point *p, const char *prefix, uint64_t *table, struct lad_buf **reach, uint32_t *n)
{
    *n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->obj[i].buf->address && !strncmp(p->obj[i].buf->name, prefix, strlen(prefix))) {
            if (table)
                table[*n] = p->gpu->backend->buf_address(p->gpu->dev, p->obj[i].gpu);
            if (reach)
                reach[*n] = p->obj[i].gpu;
            ++*n;
        }
    return table;
}

/* The case's data go the way that the memory kind is there for: through a mapping, or by explicit copy. */
static bool upload(struct point *p, struct obj *o, const void *data)
{
    if (o->buf->mem == LAD_MEM_DEVICE || !o->bytes)
        return lad_gpu_upload(p->gpu, o->gpu, 0, data, o->bytes) || api_failed(p, "uploading");
    void *to = lad_gpu_map(p->gpu, o->gpu, true);
    if (!to)
        return api_failed(p, "mapping for upload");
    if (p->gpu->drop == LAD_DROP_UPLOAD)
        p->gpu->n_dropped++;
    else
        memcpy(to, data, o->bytes);
    return lad_gpu_unmap(p->gpu, o->gpu) || api_failed(p, "unmapping after upload");
}

static bool fill_buffer(struct point *p, size_t i)
{
    struct obj *o = &p->obj[i];
    struct lad_data *d = &p->data[i];
    bool input = o->buf->role != LAD_OUTPUT;
    uint32_t n;
    lad_canary_fill(input ? LAD_CANARY_INPUT : LAD_CANARY_DEVICE, d->before, o->total, 0);
    if (!lad_gpu_plant(p->gpu, o->gpu, 0, d->before, o->total))
        return api_failed(p, "planting a canary");
    if (!input) {
        memset(d->after, 0, o->total);
        if (!lad_gpu_read(p->gpu, o->gpu, 0, d->after, o->total))
            return api_failed(p, "reading a canary back");
        if (memcmp(d->before, d->after, o->total)) {
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.instrument.plant",
                           "buffer %s does not keep what was written to it: the canary reads back wrong", o->buf->name);
            return false;
        }
        return true;
    }
    if (o->buf->table)
        table_entries(p, o->buf->table, d->before, NULL, &n);
    else if (!lad_fill_data(d->before, d->n, o->buf, o->buf->fill, i, p->r->seed, &p->scope))
        return false;
    return upload(p, o, d->before);
}

static bool make_buffers(struct point *p)
{
    for (size_t i = 0; i < p->c->n_bufs; i++)
        if (!make_buffer(p, &p->c->bufs[i]))
            return false;
    for (size_t i = 0; i < p->n; i++)
        if (!fill_buffer(p, i))
            return false;
    for (size_t i = 0; i < p->c->n_steps; i++)
        p->n_dispatches += p->c->steps[i].kind == LAD_STEP_DISPATCH;
    if (!p->n_dispatches)
        return true;
    uint32_t markers[4];
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    struct lad_buf_desc witness = {.bytes = bytes}, marker = {.bytes = sizeof markers};
    p->words = lad_alloc(p->arena, bytes);
    p->ran = lad_alloc(p->arena, p->n_dispatches * sizeof *p->ran);
    lad_witness_plant(p->words, p->n_dispatches);
    lad_canary_fill(LAD_CANARY_DEVICE, markers, sizeof markers, 0);
    if (!(p->witness = lad_gpu_buf(p->gpu, &witness)) || !(p->marker = lad_gpu_buf(p->gpu, &marker)) ||
        !lad_gpu_plant(p->gpu, p->witness, 0, p->words, bytes) ||
        !lad_gpu_plant(p->gpu, p->marker, 0, markers, sizeof markers))
        return api_failed(p, "planting the witness");
    return true;
}

/* ---- steps ---- */

static void put_scalar(char *block, const struct lad_scalar_decl *s, int64_t value, const char *text)
{
    double d = text ? strtod(text, NULL) : 0;
    float f = (float)d;
    const void *from = strcmp(s->type, "float") ? strcmp(s->type, "f64") ? (const void *)&value : &d : &f;
    memcpy(block + s->offset, from, s->bytes);
}

static const struct lad_arg *find_arg(const struct lad_step *s, const char *name)
{
    for (size_t i = 0; i < s->n_args; i++)
        if (!strcmp(s->args[i].name, name))
            return &s->args[i];
    return NULL;
}

static bool pack_scalars(struct point *p, const struct lad_step *s, char *block, uint32_t slot, uint32_t nonce)
{
    const struct lad_kernel_source *k = s->kernel;
    for (uint32_t i = 0; i + 2 < k->n_scalars; i++) {
        const struct lad_arg *a = find_arg(s, k->scalars[i].name);
        int64_t value;
        if (!value_of(p, a->value, 0, &value))
            return false;
        put_scalar(block, &k->scalars[i], value, a->text);
    }
    put_scalar(block, &k->scalars[k->n_scalars - 2], slot, NULL);
    put_scalar(block, &k->scalars[k->n_scalars - 1], nonce, NULL);
    return true;
}

static bool bind_buffers(struct point *p, const struct lad_step *s, struct lad_bind *binds, struct lad_buf **reach, uint32_t *n_reach)
{
    *n_reach = 0;
    for (uint32_t i = 0; i < s->kernel->n_bufs; i++) {
        const struct lad_arg *a = find_arg(s, s->kernel->bufs[i].name);
        struct obj *o = find_obj(p, a->buf);
        int64_t offset, bytes;
        if (!value_of(p, a->offset, 0, &offset) || !value_of(p, a->bytes, 0, &bytes))
            return false;
        uint64_t align = p->gpu->info.cap[LAD_CAP_OFFSET_ALIGN];
        if (offset < 0 || bytes < 0 || (uint64_t)(offset + bytes) > o->total)
            return skip(p, lad_printf(p->arena, "range of buffer %s lies outside it", o->buf->name));
        if (align && (uint64_t)offset % align)
            return skip(p, lad_printf(p->arena, "offset %lld of buffer %s: the device wants multiples of %llu",
                                      (long long)offset, o->buf->name, (unsigned long long)align));
        binds[i] = (struct lad_bind){o->gpu, (uint64_t)offset, (uint64_t)bytes};
        if (o->buf->table)
            table_entries(p, o->buf->table, NULL, reach, n_reach);
    }
    return true;
}

static bool set_grid(struct point *p, const struct lad_step *s, struct lad_kernel_desc *desc, struct lad_dispatch *d)
{
    for (int i = 0; i < 3; i++) {
        uint32_t items;
        if (!value_u32(p, s->local[i], 1, &desc->local[i]) || !value_u32(p, s->groups[i], 1, &d->groups[i]) ||
            !value_u32(p, s->base[i], 0, &d->base[i]) || !value_u32(p, s->items[i], 1, &items))
            return false;
        if (desc->local[i] == 0)
            return skip(p, "workgroup of no invocation");
        if (s->items[0].text)
            d->groups[i] = (uint32_t)(((uint64_t)items + desc->local[i] - 1) / desc->local[i]);
        if (d->base[i] && !need_cap(p, LAD_CAP_BASE_OFFSET, 1))
            return false;
        if (!need_cap(p, (enum lad_cap)(LAD_CAP_WORKGROUP_X + i), desc->local[i]) ||
            (!s->indirect && !need_cap(p, (enum lad_cap)(LAD_CAP_GROUPS_X + i), (uint64_t)d->base[i] + d->groups[i])))
            return false;
    }
    return need_cap(p, LAD_CAP_WORKGROUP_SIZE, (uint64_t)desc->local[0] * desc->local[1] * desc->local[2]);
}

static bool do_dispatch(struct point *p, const struct lad_step *s, uint32_t repeat)
{
    struct lad_kernel_desc *desc = lad_alloc(p->arena, sizeof *desc);
    struct lad_dispatch d = {0};
    struct lad_bind binds[64];
    struct lad_buf *reach[MAX_BUFS];
    char *scalars = lad_alloc(p->arena, s->kernel->scalar_bytes);
    uint32_t slot = p->timed ? 0 : (uint32_t)p->n_ran * LAD_W_WORDS, times;
    uint32_t nonce = (uint32_t)lad_hash(&slot, sizeof slot, p->r->seed) | 1u;
    int64_t offset;
    desc->source = s->kernel;
    desc->witness = !p->timed;
    if (!set_grid(p, s, desc, &d) || !value_u32(p, s->dynamic, 0, &desc->dynamic_items) ||
        !value_u32(p, s->constant[0], 0, &desc->constant[0]) || !value_u32(p, s->constant[1], 0, &desc->constant[1]) ||
        !value_u32(p, s->queue, 0, &d.queue) || !value_u32(p, s->repeat, 1, &times) ||
        !value_of(p, s->indirect_offset, 0, &offset) || !pack_scalars(p, s, scalars, slot, nonce) ||
        !bind_buffers(p, s, binds, reach, &d.n_reach))
        return false;
    if (!need_cap(p, LAD_CAP_LOCAL_BYTES, (uint64_t)desc->dynamic_items * s->kernel->dynamic_bytes))
        return false;
    uint64_t start = lad_now_ns();
    d.kernel = lad_gpu_kernel(p->gpu, desc);
    p->r->build_ns += lad_now_ns() - start;
    if (!d.kernel)
        return api_failed(p, lad_printf(p->arena, "building kernel %s", s->kernel->name));
    d.binds = binds;
    d.witness = p->timed ? NULL : p->witness;
    d.scalars = scalars;
    d.reach = reach;
    if (s->indirect) {
        d.indirect = find_obj(p, s->indirect)->gpu;
        d.indirect_offset = (uint64_t)offset;
    }
    for (uint32_t i = 0; i < times * repeat; i++)
        if ((i && !lad_gpu_barrier(p->gpu)) || !lad_gpu_dispatch(p->gpu, &d))
            return api_failed(p, lad_printf(p->arena, "dispatching kernel %s", s->kernel->name));
    if (!p->timed)
        p->ran[p->n_ran++] = (struct lad_ran){desc, {d.groups[0], d.groups[1], d.groups[2]},
                                              {d.base[0], d.base[1], d.base[2]}, nonce, times, scalars};
    return true;
}

static bool do_transfer(struct point *p, const struct lad_step *s)
{
    struct obj *to = find_obj(p, s->buf), *from = s->from ? find_obj(p, s->from) : to;
    int64_t offset, from_offset, bytes;
    uint32_t word;
    if (!value_of(p, s->offset, 0, &offset) || !value_of(p, s->from_offset, 0, &from_offset) ||
        !value_of(p, s->bytes, (int64_t)to->bytes - offset, &bytes) || !value_u32(p, s->word, 0, &word))
        return false;
    if (offset < 0 || from_offset < 0 || bytes < 0 || (uint64_t)(offset + bytes) > to->bytes ||
        (uint64_t)(from_offset + bytes) > from->bytes) {
        lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: the range lies outside the buffer",
                       p->c->file, s->line);
        return false;
    }
    bool ok = s->kind == LAD_STEP_FILL
                  ? lad_gpu_case_fill(p->gpu, to->gpu, (uint64_t)offset, (uint64_t)bytes, word)
                  : lad_gpu_case_copy(p->gpu, from->gpu, (uint64_t)from_offset, to->gpu, (uint64_t)offset, (uint64_t)bytes);
    return ok || api_failed(p, s->kind == LAD_STEP_FILL ? "filling" : "copying");
}

static bool do_write(struct point *p, const struct lad_step *s)
{
    struct obj *o = find_obj(p, s->buf);
    struct lad_data *d = &p->data[o - p->obj];
    if (!d->written)
        d->written = get_memory(o->total);
    lad_canary_fill(LAD_CANARY_INPUT, d->written, o->total, 0);
    return lad_fill_data(d->written, d->n, o->buf, s->fill, MAX_BUFS + (size_t)(o - p->obj), p->r->seed + 1, &p->scope) &&
           upload(p, o, d->written);
}

/* The API's wait-for-everything must not return while work is still in flight. */
static bool do_finish(struct point *p)
{
    bool complete = true;
    if (!lad_gpu_finish(p->gpu))
        return api_failed(p, "waiting for everything");
    if (p->gpu->backend->done && !p->gpu->backend->done(p->gpu->dev, &complete, &p->gpu->fail))
        return api_failed(p, "asking whether the work is complete");
    if (complete)
        return true;
    lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.finish.returned-early",
                   "the API's wait for everything returned while the work was still in flight");
    lad_record_fact(p->arena, p->r, '!', "after submit and finish the last command still says that it is not complete");
    return lad_gpu_wait(p->gpu); /* what is read next must be settled */
}

static bool wait_here(struct point *p)
{
    uint64_t start = lad_now_ns();
    if (!lad_gpu_wait(p->gpu))
        return api_failed(p, "waiting for the device");
    if (!p->r->first_ns)
        p->r->first_ns = lad_now_ns() - start;
    return true;
}

static bool do_read(struct point *p, const struct lad_step *s)
{
    struct obj *o = find_obj(p, s->buf);
    return lad_gpu_read(p->gpu, o->gpu, 0, p->data[o - p->obj].after, o->bytes) || api_failed(p, "reading");
}

static bool do_step(struct point *p, const struct lad_step *s, uint32_t repeat)
{
    switch (s->kind) {
    case LAD_STEP_DISPATCH: return do_dispatch(p, s, repeat);
    case LAD_STEP_FILL:
    case LAD_STEP_COPY: return do_transfer(p, s);
    case LAD_STEP_WRITE: return do_write(p, s);
    case LAD_STEP_BARRIER: return lad_gpu_barrier(p->gpu) || api_failed(p, "recording a barrier");
    case LAD_STEP_WAIT: return wait_here(p);
    case LAD_STEP_SUBMIT: return lad_gpu_submit(p->gpu) || api_failed(p, "submitting");
    case LAD_STEP_FINISH: return do_finish(p);
    case LAD_STEP_READ: return do_read(p, s);
    }
    return false;
}

static bool mark(struct point *p, uint32_t i)
{
    return !p->marker || (lad_gpu_barrier(p->gpu) && lad_gpu_fill(p->gpu, p->marker, i * 4, 4, 0x3A4B0000u + i) &&
                          lad_gpu_barrier(p->gpu)) || api_failed(p, "recording a marker");
}

static bool do_steps(struct point *p)
{
    if (!mark(p, 0))
        return false;
    for (size_t i = 0; i < p->c->n_steps; i++)
        if (!do_step(p, &p->c->steps[i], 1) || (p->c->ordered && !lad_gpu_barrier(p->gpu)))
            return false;
    return mark(p, 1) && wait_here(p);
}

/* ---- reading back and judging ---- */

static bool read_back(struct point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct obj *o = &p->obj[i];
        void *after = p->data[i].after;
        lad_canary_fill(LAD_CANARY_HOST, after, o->total, 0);
        if (o->buf->mem == LAD_MEM_DEVICE) {
            if (!lad_gpu_read(p->gpu, o->gpu, 0, after, o->total))
                return api_failed(p, lad_printf(p->arena, "reading buffer %s back", o->buf->name));
            continue;
        }
        const void *from = lad_gpu_map(p->gpu, o->gpu, false);
        if (!from)
            return api_failed(p, lad_printf(p->arena, "mapping buffer %s to read it", o->buf->name));
        memcpy(after, from, o->total);
        if (!lad_gpu_unmap(p->gpu, o->gpu))
            return api_failed(p, "unmapping");
    }
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    return !p->witness || lad_gpu_read(p->gpu, p->witness, 0, p->words, bytes) || api_failed(p, "reading the witness");
}

static void check_markers(struct point *p)
{
    uint32_t words[4] = {0};
    if (!p->marker)
        return;
    if (!lad_gpu_read(p->gpu, p->marker, 0, words, sizeof words)) {
        api_failed(p, "reading the markers");
        return;
    }
    for (uint32_t i = 0; i < 2; i++)
        if (words[i] != 0x3A4B0000u + i) {
            lad_record_fact(p->arena, p->r, '!', "the fill command %s the steps, in the same batch, did not land",
                            i ? "after" : "before");
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.marker", "a fill command %s the steps did not land",
                           i ? "after" : "before");
        }
    if (p->r->status != LAD_STATUS_MISSING && words[0] == 0x3A4B0000u && words[1] == 0x3A4B0001u)
        lad_record_fact(p->arena, p->r, '+', "fill commands before and after the steps, in the same batch, landed");
}

static void check_surroundings(struct point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct obj *o = &p->obj[i];
        const char *before = p->data[i].before, *after = p->data[i].after;
        uint64_t end = (o->bytes + 3) & ~3ull;
        if (memcmp(before + end, after + end, o->total - end)) {
            lad_record_fact(p->arena, p->r, '!', "the %u bytes behind buffer %s were overwritten", REDZONE, o->buf->name);
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.redzone", "memory behind buffer %s was overwritten",
                           o->buf->name);
        }
        if (o->buf->role == LAD_INPUT && memcmp(p->data[i].written ? p->data[i].written : before, after, o->bytes)) {
            lad_record_fact(p->arena, p->r, '!', "input buffer %s is not what was uploaded any more", o->buf->name);
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.input-changed",
                           "input buffer %s is not what was uploaded: lost on the way, or overwritten", o->buf->name);
        }
    }
}

static const char *show(struct lad_arena *arena, enum lad_type type, uint64_t bits)
{
    float f;
    double d;
    memcpy(&f, &bits, sizeof f);
    memcpy(&d, &bits, sizeof d);
    switch (type) {
    case LAD_F32: return lad_printf(arena, "%.9g", (double)f);
    case LAD_F64: return lad_printf(arena, "%.17g", d);
    case LAD_I32: return lad_printf(arena, "%d", (int32_t)bits);
    case LAD_I64: return lad_printf(arena, "%lld", (long long)bits);
    default: return lad_printf(arena, "%llu", (unsigned long long)bits);
    }
}

static const char *token_of(const struct lad_seen *s)
{
    if (!strncmp(s->signature, "all ", 4)) {
        const char *word = strstr(s->signature, "zero") ? "all-zero" : strstr(s->signature, "as before") ? "all-canary"
                           : strstr(s->signature, "host canary") ? "all-host-canary" : "all-wrong";
        return word;
    }
    return !strncmp(s->signature, "right up to", 11) ? "prefix" : strstr(s->signature, "of every") ? "periodic" : "partial";
}

static void check_expects(struct point *p)
{
    for (size_t i = 0; i < p->c->n_expects; i++) {
        const struct lad_expect *e = &p->c->expects[i];
        struct obj *o = find_obj(p, e->buf);
        const struct lad_data *out = &p->data[o - p->obj];
        struct lad_oracle_in in = {p->data, p->n, &p->scope, e->with, p->gpu};
        struct lad_seen *s = LAD_PUSH(p->arena, p->r->seen, p->r->n_seen);
        if (!lad_compare(p->arena, lad_oracle_find(e->oracle), &in, out, e->ulp, s))
            continue;
        const struct lad_diff *d = s->diff;
        lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, lad_printf(p->arena, "ladder.mismatch.%s", token_of(s)),
                       "%s: %s; element %llu is %s, expected %s", e->buf, s->signature, (unsigned long long)d->index,
                       show(p->arena, o->buf->type, d->actual), show(p->arena, o->buf->type, d->expected));
        if (s->n_checked < s->n)
            lad_record_fact(p->arena, p->r, '-', "%llu of %llu elements of %s were compared, the others only for having been written",
                            (unsigned long long)s->n_checked, (unsigned long long)s->n, e->buf);
    }
}

/* A buffer that is wrong through its mapping is read once more by explicit copy: it parts the work from the view of it. */
static void look_again(struct point *p)
{
    for (size_t i = 0; i < p->r->n_seen; i++) {
        struct obj *o = find_obj(p, p->r->seen[i].name);
        if (!p->r->seen[i].n_wrong)
            continue;
        void *again = get_memory(o->total);
        bool ok = lad_gpu_read(p->gpu, o->gpu, 0, again, o->bytes);
        if (ok && memcmp(again, p->data[o - p->obj].after, o->bytes))
            lad_record_fact(p->arena, p->r, '!', "buffer %s reads differently by a second, explicit copy: the host's first view"
                            " of it was wrong", o->buf->name);
        else if (ok)
            lad_record_fact(p->arena, p->r, '+', "buffer %s reads the same by a second, explicit copy", o->buf->name);
        free(again);
    }
}

static void judge(struct point *p)
{
    check_expects(p);
    for (size_t i = 0; i < p->n_ran; i++) {
        struct lad_ran ran = p->ran[i];
        size_t k = 0;
        for (size_t s = 0, at = 0; s < p->c->n_steps; s++)
            if (p->c->steps[s].kind == LAD_STEP_DISPATCH && at++ == i)
                k = s;
        const struct lad_step *step = &p->c->steps[k];
        int64_t offset = 0;
        if (step->indirect && value_of(p, step->indirect_offset, 0, &offset))
            memcpy(ran.groups, (const char *)p->data[find_obj(p, step->indirect) - p->obj].after + offset, sizeof ran.groups);
        lad_witness_check(p->arena, p->words, i, &ran, p->r);
    }
    check_surroundings(p);
    check_markers(p);
    if (p->r->status == LAD_STATUS_FAIL)
        look_again(p);
    if (p->r->status == LAD_STATUS_MISSING)
        p->r->status = LAD_STATUS_PASS;
}

/* ---- figures ---- */

static bool run_timed(void *arg, uint32_t repeat)
{
    struct point *p = arg;
    for (size_t i = 0; i < p->c->n_steps; i++)
        if (p->c->steps[i].kind == LAD_STEP_DISPATCH && !do_dispatch(p, &p->c->steps[i], repeat))
            return false;
    return lad_gpu_wait(p->gpu) || api_failed(p, "waiting for the device");
}

static bool take_measures(struct point *p, int64_t sweep)
{
    p->timed = true;
    p->r->n_measures = 0;
    for (size_t i = 0; i < p->c->n_measures; i++) {
        const struct lad_measure_want *want = &p->c->measures[i];
        int64_t work, any, discrete;
        if (!value_of(p, want->work, 0, &work) || !value_of(p, want->floor_any, 0, &any) ||
            !value_of(p, want->floor_discrete, 0, &discrete))
            return false;
        double floor = (double)(p->gpu->info.type == LAD_DEV_DISCRETE && discrete ? discrete : any);
        struct lad_measure *m = LAD_PUSH(p->arena, p->r->measures, p->r->n_measures);
        if (!lad_measure(p->gpu, p->arena, want, (double)work, floor, run_timed, p, m))
            return false;
        m->size = (uint64_t)sweep;
        p->longest_ns = strcmp(want->unit, "us") ? (double)work / m->value : m->value * 1000;
    }
    p->timed = false;
    return true;
}

static void check_floors(struct point *p)
{
    for (size_t i = 0; i < p->r->n_measures; i++) {
        const struct lad_measure *m = &p->r->measures[i];
        bool below = strcmp(m->unit, "us") ? m->value < m->floor : m->value > m->floor;
        if (m->floor > 0 && below && !m->doubt) {
            p->r->status = LAD_STATUS_MISSING; /* right, but too slow: replaces the pass */
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.floor", "%s is %.2f %s, the case's floor is %.2f", m->name,
                           m->value, m->unit, m->floor);
        }
    }
}

/* ---- one value, and the sweep over all ---- */

/* Runs at one value into p->r; true unless nothing more can be done on this device. */
static bool run_point(struct point *p, int64_t sweep)
{
    p->r->status = LAD_STATUS_MISSING;
    p->n_ran = p->n_dispatches = 0;
    if (set_scope(p, sweep) && check_needs(p) && make_buffers(p) && do_steps(p) && read_back(p)) {
        judge(p);
        if (p->r->status == LAD_STATUS_PASS && p->c->n_measures && !p->gpu->drop)
            take_measures(p, sweep);
    }
    if (p->r->status == LAD_STATUS_TIMEOUT || p->r->status == LAD_STATUS_LOST)
        return false; /* work may be in flight: nothing may be freed */
    if (p->gpu->n_recorded && !lad_gpu_wait(p->gpu))
        return false;
    free_buffers(p);
    const char *message;
    while (p->gpu->backend->message && (message = p->gpu->backend->message(p->gpu->dev)))
        *LAD_PUSH(p->arena, p->r->messages, p->r->n_messages) = lad_strdup(p->arena, message);
    return true;
}

static bool failed(const struct lad_record *r)
{
    return r->status != LAD_STATUS_PASS && r->status != LAD_STATUS_SKIP;
}

/* Between the last value that passed and the first that did not. */
static bool bisect(struct point *p, const struct lad_record *want, struct lad_record *best, int64_t low, int64_t high)
{
    uint64_t until = lad_now_ns() + BISECT_NS;
    bool alive = true;
    while (alive && high - low > 1 && lad_now_ns() < until) {
        struct lad_record r = *want;
        int64_t middle = low + (high - low) / 2;
        p->r = &r;
        alive = run_point(p, middle);
        if (failed(&r)) {
            *best = r;
            high = middle;
        } else {
            low = middle;
        }
    }
    best->sweep_failed = high;
    best->sweep_passed = low;
    if (high - low > 1)
        lad_record_fact(p->arena, best, '-', "the search for the smallest failing %s ended early: between %lld and %lld",
                        p->c->sweep, (long long)low, (long long)high);
    return alive;
}

static void run_sweep(struct point *p, struct lad_record *record)
{
    const struct lad_case *c = p->c;
    struct lad_record want = *record, best = *record;
    uint64_t last_ns = 0, build_ns = 0, first_ns = 0;
    size_t i, n = c->sweep ? c->n_sweep : 1;
    for (i = 0; i < n; i++) {
        int64_t value = c->sweep ? c->sweep_values[i] : 0;
        struct lad_record r = want;
        double growth = i && c->sweep_values[i - 1] > 0 ? (double)value / (double)c->sweep_values[i - 1] : 1;
        if (i && (double)last_ns * growth > (double)SWEEP_NS) {
            lad_record_fact(p->arena, &best, '-', "%s stopped at %lld: %lld would take too long on this device", c->sweep,
                            (long long)c->sweep_values[i - 1], (long long)value);
            break;
        }
        uint64_t start = lad_now_ns();
        p->r = &r;
        bool alive = run_point(p, value);
        last_ns = lad_now_ns() - start;
        last_ns -= r.build_ns + r.first_ns < last_ns ? r.build_ns + r.first_ns / 2 : 0;
        build_ns += r.build_ns;
        first_ns = first_ns ? first_ns : r.first_ns;
        if (r.status == LAD_STATUS_SKIP && i) {
            lad_record_fact(p->arena, &best, '-', "%s stopped at %lld: %s", c->sweep, (long long)c->sweep_values[i - 1],
                            r.message);
            break;
        }
        best = r;
        best.sweep_reached = value;
        if (!alive || r.status == LAD_STATUS_SKIP)
            break;
        if (failed(&r)) {
            if (i)
                bisect(p, &want, &best, c->sweep_values[i - 1], value);
            else
                best.sweep_failed = value;
            best.sweep_reached = value;
            break;
        }
        best.sweep_passed = value;
        if (p->longest_ns > LONG_DISPATCH_NS && i + 1 < n) {
            lad_record_fact(p->arena, &best, '-', "%s stopped at %lld: one dispatch takes long enough to be measured", c->sweep,
                            (long long)value);
            break;
        }
    }
    best.sweep = c->sweep;
    best.build_ns = build_ns;
    best.first_ns = first_ns;
    *record = best;
    p->r = record;
    if (record->status == LAD_STATUS_PASS)
        check_floors(p);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *record)
{
    struct point *p = lad_alloc(arena, sizeof *p);
    p->gpu = gpu;
    p->c = c;
    p->arena = arena;
    run_sweep(p, record);
}

const struct lad_probe lad_probe_steps = {
    .name = "steps",
    .summary = "runs the steps of a case and compares with its oracles",
    .run = run,
};
