/* SPDX-License-Identifier: Apache-2.0 */
/* The decorator's device and kernels, and its table of members. */
#include "decorator.h"
#include "../../harness/harness.h"
#include "deco.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct deco deco;

void deco_say(const struct lad_inject *f, const char *text)
{
    if (lad_inject_get(f, "log"))
        snprintf(deco.said, sizeof deco.said, "wrapper: %s", text);
}

static struct lad_dev *open_device(size_t index, struct lad_fail *fail)
{
    struct deco fresh = {.inner = deco.inner, .set = deco.set};
    lad_inject_reset(&fresh.set);
    for (size_t i = 0; i < fresh.set.n; i++) {
        enum lad_fault_id id = fresh.set.item[i].id;
        const struct lad_fault *row = &lad_faults[id];
        if (row->depth != LAD_DEPTH_DECORATOR)
            continue;
        fresh.defers |=
            lad_has_word(row->call, "wait") || lad_has_word(row->call, "finish") || id == LAD_FAULT_M2_small_first;
        fresh.maps |= lad_has_word(row->call, "map");
        fresh.views |= !strcmp(row->id, "S2") || id == LAD_FAULT_S3_stale_reads || !strcmp(row->id, "N1") ||
                       !strcmp(row->id, "N2") || !strcmp(row->id, "M1");
    }
    free(deco.cmd);
    deco = fresh;
    deco.dev = deco.inner->open(index, fail);
    return deco.dev;
}

static void close_device(struct lad_dev *dev)
{
    if (!dev)
        return;
    deco_forget();
    while (deco.n_scratch)
        deco.inner->buf_destroy(dev, deco.scratch[--deco.n_scratch]);
    free(deco.staged.data);
    deco.staged.data = NULL;
    deco.inner->close(dev);
}

static bool needs_any(const struct lad_kernel_source *s, const char *const *words)
{
    while (*words && !lad_has_word(s->needs, *words))
        words++;
    return *words;
}

static bool is_like(const struct lad_kernel_source *a, const struct lad_kernel_source *b)
{
    if (a == b || !b->host || a->n_bufs != b->n_bufs || a->n_scalars != b->n_scalars || a->n_dynamic != b->n_dynamic ||
        strcmp(a->needs, b->needs))
        return false;
    for (uint32_t i = 0; i < a->n_bufs; i++)
        if (strcmp(a->bufs[i].type, b->bufs[i].type))
            return false;
    for (uint32_t i = 0; i < a->n_scalars; i++)
        if (strcmp(a->scalars[i].type, b->scalars[i].type))
            return false;
    return true;
}

static void change_desc(struct lad_kernel_desc *desc, struct lad_at at)
{
    struct lad_inject *f;
    const struct lad_kernel_source *const *other = lad_kernels;
    while (*other && !is_like(desc->source, *other))
        other++;
    if (*other && DECO_HIT(C1_other_kernel, at))
        desc->source = *other;
    if (desc->local[0] > 1 && (f = DECO_HIT(C2_local_size, at))) {
        uint64_t by = lad_inject_get(f, "divide");
        desc->local[0] = by && desc->local[0] / by ? (uint32_t)(desc->local[0] / by) : 1;
    }
    if ((desc->constant[0] || desc->constant[1]) && DECO_HIT(C2_constant, at))
        desc->constant[0] = desc->constant[1] = 0;
    if (desc->dynamic_items && DECO_HIT(C2_dynamic, at))
        desc->dynamic_items = 1;
}

static struct lad_kernel *find_cached(const struct lad_kernel_source *s)
{
    for (size_t i = 0; i < deco.n_cached; i++)
        if (deco.cached[i].source == s)
            return deco.cached[i].kernel;
    return NULL;
}

static struct lad_kernel *create_kernel(struct lad_dev *dev, const struct lad_kernel_desc *asked, struct lad_fail *fail)
{
    static const char *const wide[] = {"int64", "fp64", NULL}, *const small[] = {"int16", "int8", "fp16", NULL};
    struct deco_kernel *k = calloc(1, sizeof *k);
    struct lad_kernel_desc desc = *asked;
    struct lad_at at = {.size = asked->local[0], .after = deco.n_dispatches};
    struct lad_inject *f;
    if (!k)
        abort();
    k->desc = *asked;
    if ((f = DECO_HIT(E2_build_failed, at))) {
        k->empty = true;
        if (lad_inject_get(f, "log"))
            snprintf(k->log, sizeof k->log, "error: kernel '%s' was not built", asked->source->name);
        deco_say(f, "a kernel was not built, going on");
    }
    k->empty |= (needs_any(asked->source, wide) && DECO_HIT(C3_no_wide_types, at)) ||
                (needs_any(asked->source, small) && DECO_HIT(C3_no_small_types, at));
    change_desc(&desc, at);
    struct lad_kernel *cached = DECO_ON(C1_key_without_constants) ? find_cached(asked->source) : NULL;
    if (cached && DECO_HIT(C1_key_without_constants, at)) {
        k->inner = cached;
        k->borrowed = true;
    } else {
        k->inner = deco.inner->kernel_create(dev, &desc, fail);
    }
    if (!k->inner) {
        free(k);
        return NULL;
    }
    if (!cached && deco.n_cached < LAD_N(deco.cached)) {
        deco.cached[deco.n_cached].source = asked->source;
        deco.cached[deco.n_cached++].kernel = k->inner;
    }
    return (struct lad_kernel *)k;
}

static void destroy_kernel(struct lad_dev *dev, struct lad_kernel *kernel)
{
    struct deco_kernel *k = (struct deco_kernel *)kernel;
    if (k && !k->borrowed) {
        for (size_t i = 0; i < deco.n_cached; i++)
            if (deco.cached[i].kernel == k->inner)
                deco.cached[i] = deco.cached[--deco.n_cached];
        deco.inner->kernel_destroy(dev, k->inner);
    }
    free(k);
}

static const char *build_log(struct lad_kernel *kernel)
{
    struct deco_kernel *k = (struct deco_kernel *)kernel;
    return *k->log ? k->log : deco.inner->build_log ? deco.inner->build_log(k->inner) : "";
}

static uint64_t kernel_bytes(struct lad_dev *dev, struct lad_kernel *kernel)
{
    struct deco_kernel *k = (struct deco_kernel *)kernel;
    return deco.inner->kernel_bytes ? deco.inner->kernel_bytes(dev, k->inner) : 0;
}

static const char *next_message(struct lad_dev *dev)
{
    static char text[sizeof deco.said];
    if (!*deco.said)
        return deco.inner->message ? deco.inner->message(dev) : NULL;
    memcpy(text, deco.said, sizeof text);
    *deco.said = 0;
    return text;
}

const struct lad_backend *lad_decorator(const struct lad_backend *inner, const struct lad_injection *set)
{
    static struct lad_backend b;
    deco.inner = inner;
    deco.set = *set;
    b = *inner;
    b.open = open_device;
    b.close = close_device;
    b.buf_create = deco_buf_create;
    b.buf_destroy = deco_buf_destroy;
    b.buf_write = deco_buf_write;
    b.buf_read = deco_buf_read;
    b.kernel_create = create_kernel;
    b.kernel_destroy = destroy_kernel;
    b.dispatch = deco_dispatch;
    b.wait = deco_wait;
    b.fill = inner->fill ? deco_fill : NULL;
    b.copy = inner->copy ? deco_copy : NULL;
    b.barrier = inner->barrier ? deco_barrier : NULL;
    b.map = inner->map ? deco_map : NULL;
    b.unmap = inner->unmap ? deco_unmap : NULL;
    b.buf_address = inner->buf_address ? deco_buf_address : NULL;
    b.submit = inner->submit ? deco_submit : NULL;
    b.finish = inner->finish ? deco_finish : NULL;
    b.done = inner->done ? deco_done : NULL;
    b.message = next_message;
    b.build_log = build_log;
    b.kernel_bytes = kernel_bytes;
    return &b;
}

uint64_t lad_decorator_hits(void)
{
    return lad_inject_hits(&deco.set);
}
