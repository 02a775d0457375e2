/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's checks. Those of `shapes` always hold, because the VM's memory accesses stand on them; the others catch
 * early what the VM would find while it runs, and an unchecked load leaves them out.
 */
#include "vm.h"
#include <stdlib.h>
#include <string.h>

#define NO(...) lad_vm_because(why, __VA_ARGS__)

const char *lad_vm_string(const struct lad_vm_program *p, uint32_t id, uint32_t *length)
{
    *length = 0;
    if (p->n_stro < 2 || id >= p->n_stro - 1)
        return "";
    *length = p->stro[id + 1] - p->stro[id];
    return p->strb + p->stro[id];
}

const char *lad_vm_name(const struct lad_vm_program *p, uint32_t id)
{
    static char text[4][64];
    static unsigned turn;
    uint32_t n;
    const char *name = lad_vm_string(p, id, &n);
    char *out = text[turn++ % 4];
    snprintf(out, sizeof text[0], "%.*s", (int)(n < 60 ? n : 60), name);
    return out;
}

static bool check_parms(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    const uint32_t *parm = p->parm;
    uint32_t n_proc = parm[VM_PARM_P], words = parm[VM_PARM_W];
    if (!n_proc || n_proc != p->n_proc)
        return NO("PARM: %u processes, section PROC has %u", n_proc, p->n_proc);
    if (parm[VM_PARM_ROOTS] > n_proc)
        return NO("PARM: %u root processes of %u", parm[VM_PARM_ROOTS], n_proc);
    if (words < 2 || (uint64_t)words * n_proc != p->n_code)
        return NO("PARM: %u words for each of %u processes, section CODE has %u words, expected at least 2 each", words,
                  n_proc, p->n_code);
    if (parm[VM_PARM_STATES] != 2 && parm[VM_PARM_STATES] != 4)
        return NO("PARM: %u value states, expected 2 or 4", parm[VM_PARM_STATES]);
    if (!parm[VM_PARM_DEPTH] || parm[VM_PARM_DEPTH] > 8)
        return NO("PARM: call depth %u, expected 1 to 8", parm[VM_PARM_DEPTH]);
    if (parm[VM_PARM_FORCES] > p->n_force || parm[VM_PARM_PASSIGNS] > p->n_force)
        return NO("PARM: %u force and %u procedural slots for %u force entries", parm[VM_PARM_FORCES],
                  parm[VM_PARM_PASSIGNS], p->n_force);
    if (parm[VM_PARM_MONITORS] > p->n_svce || parm[VM_PARM_STROBES] > p->n_svce)
        return NO("PARM: %u monitors and %u strobes for %u service calls", parm[VM_PARM_MONITORS],
                  parm[VM_PARM_STROBES], p->n_svce);
    if (parm[VM_PARM_ARGS] > 256 || parm[VM_PARM_WIDE_WORDS] > 16)
        return NO("PARM: %u service arguments of %u wide words, expected at most 256 of 16", parm[VM_PARM_ARGS],
                  parm[VM_PARM_WIDE_WORDS]);
    return true;
}

/* Every chain of parents ends in a root; a ring of them would have no end. */
static bool check_parents(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    enum { NEW, OPEN, GOOD };
    unsigned char *seen = calloc(p->n_proc, 1);
    bool ok = seen != NULL;
    for (uint32_t i = 0; i < p->n_proc && ok; i++) {
        uint32_t q = i;
        while (q != VM_NONE && seen[q] == NEW) {
            seen[q] = OPEN;
            q = p->proc[q].parent;
        }
        ok = q == VM_NONE || seen[q] == GOOD || NO("process %u is its own ancestor", q);
        for (q = i; q != VM_NONE && seen[q] == OPEN && ok; q = p->proc[q].parent)
            seen[q] = GOOD;
    }
    free(seen);
    return ok;
}

static bool check_procs(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    for (uint32_t i = 0; i < p->n_proc; i++) {
        if (p->proc[i].length > p->parm[VM_PARM_W])
            return NO("process %u: length %u, a slot has %u words", i, p->proc[i].length, p->parm[VM_PARM_W]);
        if (p->proc[i].parent != VM_NONE && p->proc[i].parent >= p->n_proc)
            return NO("process %u: parent %u of %u processes", i, p->proc[i].parent, p->n_proc);
    }
    return check_parents(p, why);
}

static bool check_signals(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    uint32_t planes = p->parm[VM_PARM_STATES] / 2;
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        const struct lad_vm_sigs *s = &p->sigs[i];
        uint64_t each = 2 * ((s->width + 63ull) / 64);
        if (!s->width || !s->array_size)
            return NO("signal %u: width %u, %u elements", i, s->width, s->array_size);
        if (s->val_slot != planes * i || s->xz_slot != planes * i + planes - 1)
            return NO("signal %u: slots %u and %u, expected %u and %u", i, s->val_slot, s->xz_slot, planes * i,
                      planes * i + planes - 1);
        if (s->init_words && s->init_words != each && s->init_words != each * s->array_size)
            return NO("signal %u: %u words of initial values, expected %llu for all or for each of %u elements", i,
                      s->init_words, (unsigned long long)each, s->array_size);
        if (s->init > p->n_init || s->init_words > p->n_init - s->init)
            return NO("signal %u: initial values at %u lie outside section INIT", i, s->init);
    }
    return true;
}

/* *work bounds what a hostile file can make this cost. */
static bool check_case(const struct lad_vm_program *p, uint32_t i, uint64_t *work, struct lad_vm_why *why)
{
    const struct lad_vm_cash *c = &p->cash[i];
    uint32_t extra = c->strategy != VM_CASE_LINEAR;
    if (c->kind > VM_CASE_Z || c->strategy > VM_CASE_LUT || !c->width)
        return NO("case %u: kind %u, strategy %u, width %u", i, c->kind, c->strategy, c->width);
    if (c->entry_offset > p->n_label || (uint64_t)c->entry_count + extra > p->n_label - c->entry_offset)
        return NO("case %u: %u entries at %u lie outside section CASE", i, c->entry_count, c->entry_offset);
    const struct lad_vm_label *label = p->label + c->entry_offset;
    for (uint32_t k = 0; k < c->entry_count; k++)
        if (label[k].want >= p->n_casw || label[k].care >= p->n_casw)
            return NO("case %u: the words of label %u lie outside section CASW", i, k);
    if (!extra)
        return true;
    const struct lad_vm_label *index = label + c->entry_count;
    uint32_t bits = index->target;
    if (c->strategy == VM_CASE_LUT ? bits || c->width > 12 : !bits || bits > 8 || bits > c->width)
        return NO("case %u: an index of %u bucket bits for width %u", i, bits, c->width);
    *work += (uint64_t)c->entry_count << (bits ? bits : c->width);
    if (*work > UINT32_MAX)
        return NO("case %u: the indexes of all cases are too large to be checked", i);
    struct lad_arena *arena = lad_arena_create();
    struct lad_vm_words want;
    lad_vm_case_index(arena, label, c->entry_count, p->casw, c->kind, c->width, bits, &want);
    bool same = index->want <= p->n_casw && index->care <= p->n_casw - index->want && index->care == want.n &&
                !memcmp(p->casw + index->want, want.word, want.n * sizeof *want.word);
    lad_arena_destroy(&arena);
    return same || NO("case %u: its index is not the one that its labels have", i);
}

static bool check_cases(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    uint64_t work = 0;
    for (uint32_t i = 0; i < p->n_cash; i++)
        if (!check_case(p, i, &work, why))
            return false;
    return true;
}

static bool check_slots(const struct lad_vm_program *p, uint32_t force, uint32_t passign, const char *what, uint32_t i,
                        struct lad_vm_why *why)
{
    if ((force != VM_NONE && force >= p->parm[VM_PARM_FORCES]) ||
        (passign != VM_NONE && passign >= p->parm[VM_PARM_PASSIGNS]))
        return NO("%s %u: slots %u and %u of %u and %u", what, i, force, passign, p->parm[VM_PARM_FORCES],
                  p->parm[VM_PARM_PASSIGNS]);
    return true;
}

static bool check_overrides(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    for (uint32_t i = 0; i < p->n_force; i++) {
        if (!check_slots(p, p->force[i].force_slot, p->force[i].passign_slot, "force", i, why))
            return false;
        if (p->force[i].force_id != i)
            return NO("force %u: force id %u, expected its own index", i, p->force[i].force_id);
    }
    for (uint32_t i = 0; i < p->n_release; i++)
        if (!check_slots(p, p->release[i].force_slot, p->release[i].passign_slot, "release", i, why))
            return false;
    for (uint32_t i = 0; i < p->n_svcr; i++)
        if (!check_slots(p, p->svcr[i].force_slot, p->svcr[i].passign_slot, "return assign", i, why))
            return false;
    return true;
}

static bool check_waits(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    for (uint32_t i = 0; i < p->n_eitm; i++)
        if (p->eitm[i].kind > VM_EDGE_NEG || p->eitm[i].prev != i || p->eitm[i].words != 1)
            return NO("edge item %u: kind %u, sample of %u words at %u, expected 1 at %u", i, p->eitm[i].kind,
                      p->eitm[i].words, p->eitm[i].prev, i);
    for (uint32_t i = 0; i < p->n_estr; i++)
        if (p->estr[i].prev != i || p->estr[i].words != 1)
            return NO("star entry %u: sample of %u words at %u, expected 1 at %u", i, p->estr[i].words, p->estr[i].prev,
                      i);
    for (uint32_t i = 0; i < p->n_ewat; i++) {
        const struct lad_vm_ewat *w = &p->ewat[i];
        if (w->kind > VM_EDGE_LIST || w->item_offset > p->n_eitm || w->item_count > p->n_eitm - w->item_offset ||
            w->star_offset > p->n_estr || w->star_count > p->n_estr - w->star_offset)
            return NO("edge wait %u: kind %u, %u items at %u of %u, %u star entries at %u of %u", i, w->kind,
                      w->item_count, w->item_offset, p->n_eitm, w->star_count, w->star_offset, p->n_estr);
    }
    for (uint32_t i = 0; i < p->n_wcnd; i++)
        if (p->wcnd[i].cond >= p->n_cond || p->wcnd[i].valid != 1)
            return NO("wait condition %u: condition %u of %u, valid %u", i, p->wcnd[i].cond, p->n_cond,
                      p->wcnd[i].valid);
    for (uint32_t i = 0; i < p->n_dasn; i++)
        if (p->dasn[i].flags & VM_DASN_SHOWCANCELLED && p->parm[VM_PARM_ARGS] < 4)
            return NO("delay assign %u: records of what it cancels have 4 arguments, args is %u", i,
                      p->parm[VM_PARM_ARGS]);
    for (uint32_t i = 0; i < p->n_dly; i++)
        if (p->dly[i].kind > 1)
            return NO("delay %u: kind %u, expected 0 or 1", i, p->dly[i].kind);
    for (uint32_t i = 0; i < p->n_rpt; i++)
        if (p->rpt[i].owner >= p->n_proc)
            return NO("repeat %u: owner %u of %u processes", i, p->rpt[i].owner, p->n_proc);
    return true;
}

static bool check_strings(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    if (!p->n_stro || p->stro[0] || p->stro[p->n_stro - 1] != p->n_strb)
        return NO("STRO: the offsets do not run from 0 to the %u bytes of STRB", p->n_strb);
    for (uint32_t i = 1; i < p->n_stro; i++)
        if (p->stro[i] < p->stro[i - 1])
            return NO("STRO: string %u ends before it begins", i - 1);
    return true;
}

static bool find_missing(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    uint32_t needs = (p->parm[VM_PARM_NEEDS] | p->features) & (VM_NEEDS_WIDE | VM_NEEDS_REAL);
    if (needs)
        return !NO("it needs %s values", needs & VM_NEEDS_WIDE ? "wide" : "real");
    if (p->parm[VM_PARM_WIDE_BITS])
        return !NO("it needs wide values, of up to %u bits", p->parm[VM_PARM_WIDE_BITS]);
    for (uint32_t i = 0; i < p->n_sigs; i++)
        if (p->sigs[i].width > 64 || p->sigs[i].flags & VM_SIGNAL_REAL)
            return !NO("signal %s is %s", lad_vm_name(p, p->sigs[i].name),
                       p->sigs[i].width > 64 ? "wider than 64 bits" : "real");
    for (uint32_t i = 0; i < p->n_cash; i++)
        if (p->cash[i].width > 64)
            return !NO("case %u is wider than 64 bits", i);
    return false;
}

enum lad_vm_verdict lad_vm_check(const struct lad_vm_program *p, bool unchecked, struct lad_vm_why *why)
{
    static bool (*const shapes[])(const struct lad_vm_program *, struct lad_vm_why *) = {
        check_procs, check_signals, check_cases, check_overrides, check_waits};
    *why = (struct lad_vm_why){""};
    if (!check_parms(p, why) || !check_strings(p, why)) /* whose names messages use */
        return LAD_VM_REJECTED;
    if (find_missing(p, why))
        return LAD_VM_SKIPPED;
    for (size_t i = 0; i < LAD_N(shapes); i++)
        if (!shapes[i](p, why))
            return LAD_VM_REJECTED;
    return unchecked || (lad_vm_check_entries(p, why) && lad_vm_check_code(p, why)) ? LAD_VM_GOOD : LAD_VM_REJECTED;
}
