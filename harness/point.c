/* SPDX-License-Identifier: Apache-2.0 */
/* Prepares one run of a case: values, what the device must offer, buffers with canaries, checked plants and uploads. */
#include "point.h"
#include "../kernels/witness.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool lad_point_skip(struct lad_point *p, const char *why)
{
    lad_record_set(p->arena, p->r, LAD_STATUS_SKIP, NULL, "%s", why);
    return false;
}

bool lad_point_api_failed(struct lad_point *p, const char *doing)
{
    const struct lad_fail *f = &p->gpu->fail;
    if (f->unsupported)
        return lad_point_skip(p, lad_printf(p->arena, "%s: %s %s %s", doing, f->call, f->code, f->text));
    lad_observe_api(p, doing);
    if (f->early) {
        lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.finish.returned-early",
                       "%s: %s returned while the work was in flight", doing, f->call);
        lad_record_fact(p->arena, p->r, '!', "%s", f->text);
        return false;
    }
    enum lad_status status = f->timeout ? LAD_STATUS_TIMEOUT : f->lost ? LAD_STATUS_LOST : LAD_STATUS_ERROR;
    lad_record_set(p->arena, p->r, status,
                   f->timeout ? "ladder.timeout.device"
                   : f->lost  ? "ladder.lost"
                              : "ladder.api",
                   "%s: %s says %s", doing, f->call, f->code);
    lad_record_fact(p->arena, p->r, '!', "%s returned %s (%lld)", f->call, f->code, (long long)f->native);
    if (*f->text)
        *LAD_PUSH(p->arena, p->r->messages, p->r->n_messages) = lad_strdup(p->arena, f->text);
    return false;
}

bool lad_point_value(struct lad_point *p, struct lad_expr e, int64_t absent, int64_t *value)
{
    char why[300];
    *value = absent;
    if (!e.text || lad_eval(e.text, &p->scope, value, why, sizeof why))
        return true;
    lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: %s", p->c->file, e.line, why);
    return false;
}

bool lad_point_u32(struct lad_point *p, struct lad_expr e, int64_t absent, uint32_t *value)
{
    int64_t v;
    if (!lad_point_value(p, e, absent, &v))
        return false;
    *value = (uint32_t)v;
    if (v >= 0 && v <= UINT32_MAX)
        return true;
    lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: \"%s\" is %lld, expected 0 to 4294967295",
                   p->c->file, e.line, e.text, (long long)v);
    return false;
}

bool lad_point_need(struct lad_point *p, enum lad_cap cap, uint64_t min)
{
    uint64_t has = p->gpu->info.cap[cap];
    if (has >= min)
        return true;
    if (!has)
        return lad_point_skip(p,
                              lad_printf(p->arena, "needs %s: %s", lad_cap_name(cap), lad_cap_why(&p->gpu->info, cap)));
    return lad_point_skip(p, lad_printf(p->arena, "needs %s of %llu, the device has %llu", lad_cap_name(cap),
                                        (unsigned long long)min, (unsigned long long)has));
}

bool lad_point_scope(struct lad_point *p, int64_t sweep)
{
    p->scope.n = 0;
    if (p->c->sweep) {
        p->scope.name[0] = p->c->sweep;
        p->scope.value[p->scope.n++] = sweep;
    }
    for (size_t i = 0; i < p->c->n_vars; i++) {
        int64_t v;
        if (!lad_point_value(p, p->c->vars[i].value, 0, &v))
            return false;
        if (p->resized && !strcmp(p->resized, p->c->vars[i].name))
            v = p->size;
        p->scope.name[p->scope.n] = p->c->vars[i].name;
        p->scope.value[p->scope.n++] = v;
    }
    return true;
}

static bool need_kernel(struct lad_point *p, const struct lad_kernel_source *k)
{
    char text[256], *save;
    snprintf(text, sizeof text, "%s", k->needs);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        enum lad_cap cap = lad_cap_find(word);
        if (cap < LAD_CAP_COUNT && !lad_point_need(p, cap, 1))
            return false;
    }
    if (p->gpu->backend == lad_backend_find("host") && !k->host)
        return lad_point_skip(p, lad_printf(p->arena, "kernel %s has no host form", k->name));
    return lad_point_need(p, LAD_CAP_STORAGE_BUFFERS, k->n_bufs + 1) &&
           lad_point_need(p, LAD_CAP_SCALAR_BYTES, k->scalar_bytes);
}

static bool need_mem(struct lad_point *p, enum lad_mem mem)
{
    static const enum lad_cap cap[] = {
        [LAD_MEM_COHERENT] = LAD_CAP_MEM_COHERENT,     [LAD_MEM_NONCOHERENT] = LAD_CAP_MEM_NONCOHERENT,
        [LAD_MEM_MAPPED] = LAD_CAP_MEM_MAPPED,         [LAD_MEM_HOST_POINTER] = LAD_CAP_MEM_HOST_POINTER,
        [LAD_MEM_SVM_COARSE] = LAD_CAP_MEM_SVM_COARSE, [LAD_MEM_SVM_FINE] = LAD_CAP_MEM_SVM_FINE};
    return mem == LAD_MEM_DEVICE || lad_point_need(p, cap[mem], 1);
}

static bool check_needs(struct lad_point *p)
{
    const struct lad_case *c = p->c;
    for (size_t i = 0; i < c->n_needs; i++) {
        int64_t min;
        if (!lad_point_value(p, c->needs[i].min, 1, &min) || !lad_point_need(p, c->needs[i].cap, (uint64_t)min))
            return false;
    }
    for (size_t i = 0; i < c->n_bufs; i++)
        if (!need_mem(p, c->bufs[i].mem) || (c->bufs[i].address && !lad_point_need(p, LAD_CAP_ADDRESS, 1)))
            return false;
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct lad_step *s = &c->steps[i];
        uint32_t queue;
        if (s->kind == LAD_STEP_DISPATCH && !need_kernel(p, s->kernel))
            return false;
        if ((s->kind == LAD_STEP_SUBMIT || s->kind == LAD_STEP_FINISH) && !lad_point_need(p, LAD_CAP_FLUSH, 1))
            return false;
        if (!lad_point_u32(p, s->queue, 0, &queue) || (queue && !lad_point_need(p, LAD_CAP_QUEUES, queue + 1)))
            return false;
        if (s->indirect && !lad_point_need(p, LAD_CAP_INDIRECT, 1))
            return false;
    }
    return true;
}

struct lad_obj *lad_point_obj(struct lad_point *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->obj[i].buf->name, name))
            return &p->obj[i];
    return NULL;
}

void *lad_point_memory(size_t bytes)
{
    void *m = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
    if (!m)
        abort();
    return m;
}

uint64_t lad_point_front(const struct lad_point *p)
{
    uint64_t align = p->gpu->info.cap[LAD_CAP_OFFSET_ALIGN];
    return p->c->rung > LAD_OFFSET_RUNG && align && align <= 4096 ? (LAD_REDZONE + align - 1) / align * align : 0;
}

static bool make_buffer(struct lad_point *p, const struct lad_case_buf *b)
{
    struct lad_obj *o = &p->obj[p->n];
    struct lad_data *d = &p->data[p->n];
    int64_t count;
    if ((p->change.device_memory && b->mem != LAD_MEM_DEVICE) ||
        (p->change.coherent && b->mem == LAD_MEM_NONCOHERENT)) {
        struct lad_case_buf *other = lad_alloc(p->arena, sizeof *other);
        *other = *b;
        other->mem = p->change.coherent ? LAD_MEM_COHERENT : LAD_MEM_DEVICE;
        b = other;
    }
    if (!lad_point_value(p, b->count, 0, &count))
        return false;
    if (count < 0 || p->n == LAD_MAX_BUFS) {
        lad_record_set(p->arena, p->r, LAD_STATUS_ERROR, "ladder.case", "%s:%d: buffer %s of %lld elements", p->c->file,
                       b->line, b->name, (long long)count);
        return false;
    }
    *o = (struct lad_obj){.buf = b, .bytes = (uint64_t)count * lad_type_bytes(b->type)};
    *d = (struct lad_data){.buf = b, .n = (uint64_t)count};
    o->total = ((o->bytes + 3) & ~3ull) + LAD_REDZONE;
    o->front = lad_point_front(p);
    uint64_t whole = o->front + o->total;
    if (!lad_point_need(p, LAD_CAP_BUFFER_BYTES, whole))
        return false;
    p->n++;
    if (b->mem == LAD_MEM_HOST_POINTER) {
        o->host = lad_point_memory(whole);
        memset(o->host, 0xA5, whole); /* not what a run before left there: that may be right */
    }
    struct lad_buf_desc desc = {whole, b->mem, b->address, o->host};
    lad_flight_buffer(b->name);
    o->gpu = lad_gpu_buf(p->gpu, &desc);
    if (!o->gpu)
        return lad_point_api_failed(
            p, lad_printf(p->arena, "making buffer %s of %llu bytes", b->name, (unsigned long long)whole));
    d->before = (char *)lad_point_memory(whole) + o->front;
    d->after = (char *)lad_point_memory(whole) + o->front;
    return true;
}

void lad_point_free(struct lad_point *p)
{
    for (size_t i = 0; i < p->n; i++) {
        lad_flight_buffer(p->obj[i].buf->name);
        lad_gpu_free(p->gpu, p->obj[i].gpu);
        free(p->obj[i].host);
        if (p->data[i].before)
            free((char *)p->data[i].before - p->obj[i].front);
        if (p->data[i].after)
            free((char *)p->data[i].after - p->obj[i].front);
        free(p->data[i].written);
    }
    lad_flight_buffer(NULL);
    lad_gpu_free(p->gpu, p->witness);
    lad_gpu_free(p->gpu, p->marker);
    p->witness = p->marker = NULL;
    p->n = 0;
}

uint32_t lad_point_table(struct lad_point *p, const char *prefix, uint64_t *table, struct lad_buf **reach)
{
    uint32_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->obj[i].buf->address || strncmp(p->obj[i].buf->name, prefix, strlen(prefix)))
            continue;
        if (table)
            table[n] = p->gpu->backend->buf_address(p->gpu->dev, p->obj[i].gpu) + p->obj[i].front;
        if (reach)
            reach[n] = p->obj[i].gpu;
        n++;
    }
    return n;
}

/* The case's data go the way that the memory kind is there for: through a mapping, or by explicit copy. */
bool lad_point_upload(struct lad_point *p, struct lad_obj *o, const void *data)
{
    if (o->buf->mem == LAD_MEM_DEVICE || !o->bytes)
        return lad_gpu_upload(p->gpu, o->gpu, o->front, data, o->bytes) || lad_point_api_failed(p, "uploading");
    char *to = lad_gpu_map(p->gpu, o->gpu, true);
    if (!to)
        return lad_point_api_failed(p, "mapping for upload");
    if (p->gpu->drop == LAD_DROP_UPLOAD)
        p->gpu->n_dropped++;
    else
        memcpy(to + o->front, data, o->bytes);
    return lad_gpu_unmap(p->gpu, o->gpu) || lad_point_api_failed(p, "unmapping after upload");
}

/* Where an experiment wants float inputs smaller: by a power of two, which is exact. */
void lad_point_scale(struct lad_point *p, enum lad_type type, void *data, uint64_t n)
{
    float *f = data;
    double *d = data;
    for (uint64_t i = 0; p->change.scaled && i < n; i++)
        if (type == LAD_F32)
            f[i] /= 256;
        else if (type == LAD_F64)
            d[i] /= 256;
}

/* A grid read from a canary would never end: such a buffer is planted with zeros, which run nothing. */
static bool holds_grid(const struct lad_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_steps; i++)
        if (c->steps[i].indirect && !strcmp(c->steps[i].indirect, name))
            return true;
    return false;
}

/* A buffer that does not keep what is uploaded: does another path reach it? */
static void try_fill(struct lad_point *p, struct lad_obj *o)
{
    const uint32_t word = 0x5EEDF111u;
    uint32_t got = 0;
    if (o->bytes < 4 || !lad_gpu_fill(p->gpu, o->gpu, o->front, 4, word) || !lad_gpu_wait(p->gpu) ||
        !lad_gpu_read(p->gpu, o->gpu, o->front, &got, sizeof got))
        return;
    lad_observe(p->arena, p->r, got == word ? LAD_OBS_PLANT_FILLED : LAD_OBS_PLANT_UNFILLED, o->buf->name, 0);
}

/* A null address would end the process, which says nothing. */
static bool check_addresses(struct lad_point *p, const char *prefix, const uint64_t *table)
{
    uint32_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->obj[i].buf->address || strncmp(p->obj[i].buf->name, prefix, strlen(prefix)))
            continue;
        if (table[n++] != p->obj[i].front)
            continue;
        lad_observe_case(p);
        lad_observe(p->arena, p->r, LAD_OBS_ADDRESS_NULL, lad_printf(p->arena, "buffer %s", p->obj[i].buf->name), 0);
        lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.instrument.address",
                       "the device address of buffer %s is null", p->obj[i].buf->name);
        return false;
    }
    return true;
}

/* Did the read of a canary only return too early? */
static bool arrives_late(struct lad_point *p, const void *wanted, const void *got, size_t bytes)
{
    struct timespec idle = {.tv_nsec = 30000000};
    lad_gpu_finish(p->gpu);
    nanosleep(&idle, NULL);
    return !memcmp(wanted, got, bytes);
}

/* A canary that reads back wrong: all of it, or from some byte on? */
static void observe_plant(struct lad_point *p, const struct lad_obj *o, const char *wanted, const char *got)
{
    uint64_t whole = o->front + o->total, good = 0, unread = 0, kept = 0;
    while (good + 4 <= whole && !memcmp(got + good, wanted + good, 4))
        good += 4;
    for (uint64_t at = good; at + 4 <= whole; at += 4) {
        uint32_t word;
        memcpy(&word, got + at, sizeof word);
        unread += word == lad_canary_word(LAD_CANARY_HOST, at / 4 - o->front / 4);
        kept += !memcmp(got + at, wanted + at, 4);
    }
    bool all = 4 * unread == whole - good;
    lad_observe(p->arena, p->r,
                all && good                                     ? LAD_OBS_PLANT_READ_SHORT
                : all && arrives_late(p, wanted, got, whole)    ? LAD_OBS_LATE
                : all                                           ? LAD_OBS_PLANT_UNREAD
                : good && !kept                                 ? LAD_OBS_PLANT_SHORT
                                                                : LAD_OBS_PLANT_LOST,
                o->buf->name, (int64_t)good);
    if (!good || kept)
        return;
    p->extent = (struct lad_extent){.bytes = o->bytes,
                                    .whole = whole,
                                    .good = good > o->front ? good - o->front : 0,
                                    .has_bytes = true};
    lad_observe_remainder(p, good, whole);
}

static bool fill_buffer(struct lad_point *p, size_t i)
{
    struct lad_obj *o = &p->obj[i];
    struct lad_data *d = &p->data[i];
    bool input = o->buf->role != LAD_OUTPUT;
    uint64_t whole = o->front + o->total;
    char *start = (char *)d->before - o->front;
    uint32_t tag = LAD_TAG + (uint32_t)i;
    lad_flight_buffer(o->buf->name);
    lad_canary_fill(input ? LAD_CANARY_INPUT : LAD_CANARY_DEVICE, start, whole, 0 - o->front / 4);
    if (o->front)
        memcpy(start, &tag, sizeof tag);
    if (holds_grid(p->c, o->buf->name) || (p->change.zeros && !input))
        memset(d->before, 0, o->bytes);
    if (!lad_gpu_plant(p->gpu, o->gpu, 0, start, whole))
        return lad_point_api_failed(p, "planting a canary");
    if (!input) {
        char *back = (char *)d->after - o->front;
        lad_canary_fill(LAD_CANARY_HOST, back, whole, 0 - o->front / 4);
        if (!lad_gpu_read(p->gpu, o->gpu, 0, back, whole))
            return lad_point_api_failed(p, "reading a canary back");
        if (memcmp(start, back, whole)) {
            observe_plant(p, o, start, back);
            try_fill(p, o);
            lad_record_set(p->arena, p->r, LAD_STATUS_FAIL, "ladder.instrument.plant",
                           "buffer %s does not keep what was written to it: the canary reads back wrong", o->buf->name);
            return false;
        }
        return true;
    }
    if (o->buf->table) { /* the harness's own data, and canaries for addresses would end the process */
        lad_point_table(p, o->buf->table, d->before, NULL);
        if (!check_addresses(p, o->buf->table, d->before))
            return false;
        return lad_gpu_plant(p->gpu, o->gpu, o->front, d->before, o->bytes) ||
               lad_point_api_failed(p, "writing a table");
    }
    if (!lad_fill_data(d->before, d->n, o->buf, o->buf->fill, i, p->r->seed, &p->scope))
        return false;
    lad_point_scale(p, o->buf->type, d->before, d->n);
    return lad_point_upload(p, o, d->before);
}

/* Those of the device: fills, copies, dispatches. */
static bool has_commands(const struct lad_case *c)
{
    for (size_t i = 0; i < c->n_steps; i++)
        if (c->steps[i].kind <= LAD_STEP_COPY)
            return true;
    return false;
}

static bool make_buffers(struct lad_point *p)
{
    for (size_t i = 0; i < p->c->n_bufs; i++)
        if (!make_buffer(p, &p->c->bufs[i]))
            return false;
    for (size_t i = 0; i < p->n; i++)
        if (!fill_buffer(p, i))
            return false;
    lad_flight_buffer(NULL);
    for (size_t i = 0; i < p->c->n_steps; i++)
        p->n_dispatches += p->c->steps[i].kind == LAD_STEP_DISPATCH;
    uint32_t markers[4];
    size_t bytes = p->n_dispatches * LAD_W_WORDS * 4;
    struct lad_buf_desc witness = {.bytes = bytes + LAD_W_SLACK}, marker = {.bytes = sizeof markers};
    lad_canary_fill(LAD_CANARY_DEVICE, markers, sizeof markers, 0);
    markers[3] = LAD_MARKER + 1; /* to be copied, where no fill is to write it */
    if (has_commands(p->c) &&
        (!(p->marker = lad_gpu_buf(p->gpu, &marker)) || !lad_gpu_plant(p->gpu, p->marker, 0, markers, sizeof markers)))
        return lad_point_api_failed(p, "planting the markers");
    if (!p->n_dispatches)
        return true;
    p->words = lad_alloc(p->arena, bytes);
    p->ran = lad_alloc(p->arena, p->n_dispatches * sizeof *p->ran);
    lad_witness_plant(p->words, p->n_dispatches);
    uint32_t slack[LAD_W_SLACK / 4];
    lad_canary_fill(LAD_CANARY_DEVICE, slack, sizeof slack, bytes / 4);
    if (!(p->witness = lad_gpu_buf(p->gpu, &witness)) || !lad_gpu_plant(p->gpu, p->witness, 0, p->words, bytes) ||
        !lad_gpu_plant(p->gpu, p->witness, bytes, slack, sizeof slack))
        return lad_point_api_failed(p, "planting the witness");
    return true;
}

bool lad_point_prepare(struct lad_point *p, int64_t sweep)
{
    p->r->status = LAD_STATUS_MISSING;
    for (size_t i = 0; i < p->n_ran; i++)
        p->earlier[p->n_earlier++ % LAD_N(p->earlier)] = p->ran[i];
    p->extent = (struct lad_extent){0};
    p->n_ran = p->n_dispatches = 0;
    return lad_point_scope(p, sweep) && check_needs(p) && make_buffers(p);
}
