/* SPDX-License-Identifier: Apache-2.0 */
/* Observations of a failure: their names, what kind of case it is, and the order in which buffers and witnesses are
 * looked at (observe_*.c). No judgement here: diagnose.c does that. */
#include "observe.h"
#include <string.h>

static const char *const names[] = {
#define OBS(sym, name, words) name,
#include "observe.def"
#undef OBS
};
static const char *const texts[] = {
#define OBS(sym, name, words) words,
#include "observe.def"
#undef OBS
};

const char *lad_obs_name(enum lad_obs_name name)
{
    return names[name];
}

enum lad_obs_name lad_obs_find(const char *name)
{
    for (int i = 0; i < LAD_OBS_COUNT; i++)
        if (!strcmp(names[i], name))
            return (enum lad_obs_name)i;
    return LAD_OBS_COUNT;
}

char *lad_obs_text(struct lad_arena *arena, const struct lad_obs *o)
{
    enum lad_obs_name name = lad_obs_find(o->name);
    char *out = "";
    if (name == LAD_OBS_COUNT)
        return lad_strdup(arena, o->name);
    for (const char *p = texts[name]; *p;) {
        size_t n = strcspn(p, "{");
        out = lad_printf(arena, "%s%.*s", out, (int)n, p);
        p += n;
        if (!strncmp(p, "{on}", 4))
            out = lad_printf(arena, "%s%s", out, o->on ? o->on : "it");
        else if (*p)
            out = lad_printf(arena, "%s%lld", out, (long long)o->value);
        p += *p ? strcspn(p, "}") + 1 : 0;
    }
    return out;
}

void lad_observe(struct lad_arena *arena, struct lad_record *r, enum lad_obs_name name, const char *on, int64_t value)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (!strcmp(r->obs[i].name, names[name]) && !strcmp(r->obs[i].on ? r->obs[i].on : "", on ? on : ""))
            return;
    *LAD_PUSH(arena, r->obs, r->n_obs) = (struct lad_obs){names[name], lad_strdup(arena, on), value};
}

bool lad_observed(const struct lad_record *r, enum lad_obs_name name)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (!strcmp(r->obs[i].name, names[name]))
            return true;
    return false;
}

void lad_see(struct lad_point *p, enum lad_obs_name name, const char *on, int64_t value)
{
    lad_observe(p->arena, p->r, name, on, value);
}

void lad_observe_api(struct lad_point *p, const char *doing)
{
    const struct lad_fail *f = &p->gpu->fail;
    const char *call = lad_printf(p->arena, "%s (%s)", f->call, f->code);
    if (f->early) {
        lad_see(p,
                !strcmp(f->call, "vkDeviceWaitIdle") ? LAD_OBS_EARLY
                : !strncmp(f->call, "vk", 2)         ? LAD_OBS_WAIT_EARLY
                                                     : LAD_OBS_LATE,
                NULL, 0);
        return;
    }
    lad_see(p,
            f->lost                                                                ? LAD_OBS_API_LOST
            : f->timeout                                                           ? LAD_OBS_API_TIMEOUT
            : !strncmp(doing, "making buffer", 13)                                 ? LAD_OBS_API_ALLOC
            : strstr(f->code, "OUT_OF_RESOURCES") && !strncmp(doing, "waiting", 7) ? LAD_OBS_API_RESOURCES
            : strstr(f->code, "KERNEL_ARGS")                                       ? LAD_OBS_API_ARGS
            : strstr(f->code, "OVERLAP")                                           ? LAD_OBS_API_OVERLAP
            : strstr(f->code, "WORK_GROUP_SIZE")                                   ? LAD_OBS_API_GROUP
            : !strncmp(doing, "building", 8)                                       ? LAD_OBS_API_BUILD
                                                                                   : LAD_OBS_API_ERROR,
            call, f->native);
}

/* ---- the case ----------------------------------------------------------------------------------------------- */

static void observe_kernel(struct lad_arena *arena, struct lad_record *r, const struct lad_step *s, size_t n_before)
{
    const struct lad_kernel_source *k = s->kernel;
    static const char *const rare[] = {"int64", "fp64", "fp16", "int16", "int8", "atomic64"};
    for (size_t i = 0; i < LAD_N(rare); i++)
        if (lad_has_word(k->needs, rare[i]))
            lad_observe(arena, r, LAD_OBS_HAS_RARE, rare[i], 0);
    if (strstr(k->name, "special"))
        lad_observe(arena, r, LAD_OBS_HAS_SPECIAL, k->name, 0);
    if (lad_has_word(k->needs, "subgroup"))
        lad_observe(arena, r, LAD_OBS_HAS_SUBGROUPS, NULL, 0);
    if (k->host_barriers || k->n_dynamic || strstr(k->name, "local"))
        lad_observe(arena, r, LAD_OBS_HAS_LOCAL, NULL, 0);
    if (k->n_dynamic)
        lad_observe(arena, r, LAD_OBS_HAS_DYNAMIC, NULL, 0);
    if (strstr(k->name, "atomic") || strstr(k->name, "histogram") || strstr(k->name, "count"))
        lad_observe(arena, r, LAD_OBS_HAS_ATOMICS, NULL, 0);
    if (strstr(k->name, "struct"))
        lad_observe(arena, r, LAD_OBS_HAS_STRUCT, NULL, 0);
    if (s->indirect)
        lad_observe(arena, r, LAD_OBS_HAS_INDIRECT, s->indirect, 0);
    if (s->constant[0].text || s->constant[1].text)
        lad_observe(arena, r, LAD_OBS_HAS_CONSTANT, NULL, 0);
    if (k->n_scalars > 2)
        lad_observe(arena, r, LAD_OBS_HAS_SCALARS, NULL, 0);
    if (s->base[0].text || s->base[1].text || s->base[2].text)
        lad_observe(arena, r, LAD_OBS_HAS_BASE, NULL, 0);
    if (s->items[1].text || s->groups[1].text)
        lad_observe(arena, r, LAD_OBS_HAS_AXES, NULL, 0);
    if (s->queue.text && strcmp(s->queue.text, "0"))
        lad_observe(arena, r, LAD_OBS_HAS_QUEUES, NULL, 0);
    for (size_t i = 0; i < s->n_args; i++)
        if (s->args[i].offset.text && strcmp(s->args[i].offset.text, "0"))
            lad_observe(arena, r, LAD_OBS_HAS_OFFSET, s->args[i].buf, 0);
    if (n_before)
        lad_observe(arena, r, LAD_OBS_HAS_STAGES, NULL, 0);
}

void lad_observe_kind(struct lad_arena *arena, const struct lad_case *c, struct lad_record *r)
{
    size_t dispatches = 0, before = 0;
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct lad_step *s = &c->steps[i];
        if (s->kind == LAD_STEP_DISPATCH) {
            dispatches++;
            observe_kernel(arena, r, s, before);
        }
        if (s->kind == LAD_STEP_FILL || s->kind == LAD_STEP_COPY || s->kind == LAD_STEP_WRITE)
            lad_observe(arena, r, LAD_OBS_HAS_TRANSFER, NULL, 0);
        if (s->kind == LAD_STEP_FILL || s->kind == LAD_STEP_COPY || s->kind == LAD_STEP_WRITE)
            lad_observe(arena, r,
                    s->kind == LAD_STEP_FILL   ? LAD_OBS_HAS_FILL
                    : s->kind == LAD_STEP_COPY ? LAD_OBS_HAS_COPY
                                               : LAD_OBS_HAS_WRITE,
                    s->buf, 0);
        before += s->kind <= LAD_STEP_COPY;
    }
    lad_observe(arena, r, dispatches ? LAD_OBS_HAS_DISPATCHES : LAD_OBS_HAS_NO_DISPATCH, NULL, (int64_t)dispatches);
    if (dispatches > 1)
        lad_observe(arena, r, LAD_OBS_HAS_SEVERAL, NULL, (int64_t)dispatches);
    for (size_t i = 0; i < c->n_bufs; i++) {
        const struct lad_case_buf *b = &c->bufs[i];
        if (b->mem == LAD_MEM_NONCOHERENT)
            lad_observe(arena, r, LAD_OBS_HAS_NONCOHERENT, b->name, 0);
        if (b->mem == LAD_MEM_HOST_POINTER || b->mem == LAD_MEM_SVM_COARSE || b->mem == LAD_MEM_SVM_FINE)
            lad_observe(arena, r, LAD_OBS_HAS_HOST_POINTER, b->name, 0);
        if (b->mem != LAD_MEM_DEVICE)
            lad_observe(arena, r, LAD_OBS_HAS_MAPPED, b->name, 0);
        if (b->table)
            lad_observe(arena, r, LAD_OBS_HAS_TABLE, b->name, 0);
        if (b->type == LAD_F32 || b->type == LAD_F64)
            lad_observe(arena, r, LAD_OBS_HAS_FLOATS, b->name, 0);
    }
}

static void observe_binding(struct lad_point *p, const struct lad_step *s, const struct lad_arg *a, int64_t dispatch)
{
    for (uint32_t k = 0; a->buf && k < s->kernel->n_bufs; k++) {
        if (strcmp(s->kernel->bufs[k].name, a->name))
            continue;
        for (size_t i = 0; i < p->r->n_obs; i++) /* the first one counts */
            if (!strcmp(p->r->obs[i].name, lad_obs_name(LAD_OBS_AT_BINDING)) && !strcmp(p->r->obs[i].on, a->buf))
                return;
        lad_see(p, LAD_OBS_AT_BINDING, a->buf, k);
        lad_see(p, LAD_OBS_AT_DISPATCH, a->buf, dispatch);
    }
}

void lad_observe_case(struct lad_point *p)
{
    int64_t n = 0;
    lad_observe_kind(p->arena, p->c, p->r);
    for (const struct lad_step *s = p->c->steps; s < p->c->steps + p->c->n_steps; s++) {
        n += s->kind == LAD_STEP_DISPATCH;
        for (size_t i = 0; i < s->n_args; i++)
            observe_binding(p, s, &s->args[i], n);
    }
}

const char *lad_case_uses(struct lad_arena *arena, const struct lad_case *c)
{
    struct lad_record r = {0};
    char *words = "";
    lad_observe_kind(arena, c, &r);
    for (size_t i = 0; i < r.n_obs; i++)
        if (!lad_has_word(words, r.obs[i].name + strlen("case.")))
            words = lad_printf(arena, "%s%s%s", words, *words ? " " : "", r.obs[i].name + strlen("case."));
    for (size_t i = 0; i < c->n_steps; i++) {
        const struct lad_kernel_source *k = c->steps[i].kernel;
        const char *word = k ? lad_printf(arena, "kernel:%s", k->name) : NULL;
        if (word && !lad_has_word(words, word))
            words = lad_printf(arena, "%s %s", words, word);
    }
    for (size_t i = 0; i < c->n_params; i++)
        if (!strcmp(c->params[i].name, "mode"))
            words = lad_printf(arena, "%s mode:%s", words, c->params[i].value.text);
    return words;
}

void lad_observe_results(struct lad_point *p)
{
    bool inputs = true, any = false, right = false, wrong = false;
    const char *last = NULL;
    lad_observe_case(p);
    for (size_t i = 0; i < p->r->n_seen && i < p->c->n_expects; i++) {
        right = right || !p->r->seen[i].n_wrong;
        if (p->r->seen[i].n_wrong) {
            wrong = !last || !strcmp(last, p->r->seen[i].name);
            last = p->r->seen[i].name;
        }
        lad_observe_output(p, &p->c->expects[i], &p->r->seen[i]);
    }
    lad_observe_exchange(p);
    if (p->r->n_seen && !last)
        lad_see(p, LAD_OBS_OUT_RIGHT, NULL, 0);
    if (right && wrong)
        lad_see(p, LAD_OBS_OUT_ONE_OF, last, 0);
    for (size_t i = 0; i < p->n; i++) {
        any = any || p->obj[i].buf->role == LAD_INPUT;
        inputs = lad_observe_input(p, i) && inputs;
    }
    if (p->extent.has_bytes) {
        lad_observe_remainder(p, p->extent.good, p->extent.bytes);
        lad_observe_remainder(p, p->extent.good + lad_point_front(p), p->extent.whole);
    }
    if (!any && p->n_ran)
        lad_see(p, LAD_OBS_IN_NONE, NULL, 0);
    if (any && inputs)
        lad_see(p, LAD_OBS_IN_RIGHT, NULL, 0);
}
