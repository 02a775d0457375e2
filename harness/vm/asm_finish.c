/* SPDX-License-Identifier: Apache-2.0 */
/* Directives of the assembly text, and the end: labels get their addresses, processes their slots. */
#include "asm.h"
#include <ctype.h>
#include <string.h>

static bool read_version(struct assembler *a)
{
    uint64_t major, minor;
    if (!lad_vm_asm_number(a, &major) || !lad_vm_asm_expect(a, '.') || !lad_vm_asm_number(a, &minor))
        return false;
    return major == 1 || lad_vm_asm_fail(a, ".svm: version %llu, expected 1", (unsigned long long)major);
}

static bool read_state(struct assembler *a)
{
    uint64_t n;
    if (!lad_vm_asm_number(a, &n))
        return false;
    if ((n != 2 && n != 4) || a->n_sigs)
        return lad_vm_asm_fail(a, ".state: expected 2 or 4, before the first signal");
    a->parms[VM_PARM_STATES] = (uint32_t)n;
    a->features = n == 4 ? a->features | VM_FOUR_STATE : a->features & ~(uint32_t)VM_FOUR_STATE;
    return true;
}

static bool read_limits(struct assembler *a)
{
    static const struct {
        const char *key;
        int parm;
    } keys[] = {{"nba", VM_PARM_NBA},   {"dnba", VM_PARM_DNBA},      {"depth", VM_PARM_DEPTH},
                {"args", VM_PARM_ARGS}, {"wide", VM_PARM_WIDE_BITS}, {"timescale", VM_PARM_TIMESCALE},
                {"words", VM_PARM_W},   {"runaway", VM_PARM_RUNAWAY}};
    while (!lad_vm_asm_end(a)) {
        const char *key;
        uint64_t n;
        size_t k = 0;
        if (!lad_vm_asm_name(a, &key) || !lad_vm_asm_expect(a, '='))
            return false;
        while (k < LAD_N(keys) && strcmp(keys[k].key, key))
            k++;
        bool minus = k < LAD_N(keys) && keys[k].parm == VM_PARM_TIMESCALE && lad_vm_asm_take(a, '-');
        if (!lad_vm_asm_number(a, &n))
            return false;
        if (k == LAD_N(keys) || (n > UINT32_MAX && keys[k].parm != VM_PARM_RUNAWAY))
            return lad_vm_asm_fail(a, ".limits: no such limit as %s=%llu", key, (unsigned long long)n);
        a->parms[keys[k].parm] = (uint32_t)(minus ? -n : n);
        if (keys[k].parm == VM_PARM_RUNAWAY)
            a->parms[VM_PARM_RUNAWAY_HIGH] = (uint32_t)(n >> 32);
        if (keys[k].parm == VM_PARM_WIDE_BITS && n) {
            a->parms[VM_PARM_WIDE_WORDS] = (uint32_t)(n / 64);
            a->parms[VM_PARM_NEEDS] |= VM_NEEDS_WIDE;
            a->features |= VM_NEEDS_WIDE;
        }
    }
    return true;
}

static bool read_initial(struct assembler *a, struct lad_vm_sigs *s)
{
    struct lad_vm_literal l;
    uint32_t k = (s->width + 63) / 64, n = 0;
    s->init = (uint32_t)a->n_init;
    do {
        if (!lad_vm_asm_literal(a, &l))
            return false;
        if (k > LAD_N(l.val))
            return lad_vm_asm_fail(a, ".signal: more than 1024 bits");
        if (s->width % 64) {
            l.val[k - 1] &= UINT64_MAX >> (64 - s->width % 64);
            l.xz[k - 1] &= UINT64_MAX >> (64 - s->width % 64);
        }
        for (uint32_t i = 0; i < k; i++)
            *ADD(a, init) = l.val[i];
        for (uint32_t i = 0; i < k; i++)
            *ADD(a, init) = l.xz[i];
        n++;
    } while (lad_vm_asm_take(a, ','));
    s->init_words = n * 2 * k;
    return n == 1 || n == s->array_size ||
           lad_vm_asm_fail(a, ".signal: %u initial values, expected 1 or one for each of %u elements", n,
                           s->array_size);
}

static bool read_signal(struct assembler *a)
{
    struct lad_vm_sigs s = {.array_size = 1};
    uint32_t id = (uint32_t)a->n_sigs, planes = a->parms[VM_PARM_STATES] / 2;
    const char *name;
    uint64_t n;
    if (!lad_vm_asm_name(a, &name) || !lad_vm_asm_number(a, &n))
        return false;
    if (!n || n > 1024 || !lad_vm_asm_put(a, 's', name, id))
        return lad_vm_asm_fail(a, ".signal %s: %s", name,
                               n && n <= 1024 ? "there already" : "expected a width of 1 to 1024");
    s.width = (uint32_t)n;
    s.name = lad_vm_asm_intern(a, name, strlen(name));
    s.val_slot = planes * id;
    s.xz_slot = s.val_slot + planes - 1;
    while (!lad_vm_asm_end(a) && *a->p != '=') {
        const char *word;
        if (!lad_vm_asm_name(a, &word))
            return false;
        if (!strcmp(word, "array")) {
            if (!lad_vm_asm_expect(a, '(') || !lad_vm_asm_number(a, &n) || !lad_vm_asm_expect(a, ')'))
                return false;
            if (n < 2 || n > UINT32_MAX)
                return lad_vm_asm_fail(a, ".signal: an array has 2 or more elements");
            s.array_size = (uint32_t)n;
        } else if (!strcmp(word, "signed") || !strcmp(word, "net") || !strcmp(word, "real")) {
            s.flags |= *word == 's' ? VM_SIGNAL_SIGNED : *word == 'n' ? VM_SIGNAL_NET : VM_SIGNAL_REAL;
        } else {
            return lad_vm_asm_fail(a, ".signal: '%s', expected signed, real, net or array(n)", word);
        }
    }
    if (s.flags & VM_SIGNAL_REAL) {
        a->features |= VM_NEEDS_REAL;
        a->parms[VM_PARM_NEEDS] |= VM_NEEDS_REAL;
    }
    if (lad_vm_asm_take(a, '=') && !read_initial(a, &s))
        return false;
    *ADD(a, sigs) = s;
    *LAD_PUSH(a->arena, a->slots, a->n_slots) = (struct slots){VM_NONE, VM_NONE};
    return true;
}

static bool read_event(struct assembler *a)
{
    const char *name;
    return lad_vm_asm_name(a, &name) && (lad_vm_asm_put(a, 'e', name, a->parms[VM_PARM_EVENTS]++) ||
                                         lad_vm_asm_fail(a, ".event %s: there already", name));
}

/* A process whose last instruction is not `done` ends in one. */
static void close_proc(struct assembler *a)
{
    struct proc_text *t = a->n_text ? &a->text[a->n_text - 1] : NULL;
    if (t && (t->open || !t->n))
        *LAD_PUSH(a->arena, t->code, t->n) = VM_OP_DONE;
}

static bool read_proc(struct assembler *a)
{
    struct lad_vm_proc q = {0, VM_NONE, VM_NONE, 0};
    uint32_t id = (uint32_t)a->n_proc;
    const char *name, *word;
    uint64_t n;
    close_proc(a);
    if (!lad_vm_asm_name(a, &name))
        return false;
    if (!lad_vm_asm_put(a, 'p', name, id))
        return lad_vm_asm_fail(a, ".proc %s: there already", name);
    q.name = lad_vm_asm_intern(a, name, strlen(name));
    LAD_PUSH(a->arena, a->text, a->n_text)->open = true;
    while (!lad_vm_asm_end(a)) {
        if (!lad_vm_asm_name(a, &word) || !lad_vm_asm_expect(a, '='))
            return false;
        if (!strcmp(word, "tag")) {
            if (!lad_vm_asm_number(a, &n))
                return false;
            q.tag = (uint32_t)n;
        } else if (!strcmp(word, "parent")) {
            const char *parent;
            if (!lad_vm_asm_name(a, &parent))
                return false;
            *LAD_PUSH(a->arena, a->fixup, a->n_fixup) =
                (struct fixup){.kind = FIX_PROC, .pid = VM_NONE, .at = id, .proc = parent, .line = a->line};
            q.parent = 0;
        } else {
            return lad_vm_asm_fail(a, ".proc: '%s', expected parent= and tag=", word);
        }
    }
    if (q.parent != VM_NONE && q.tag == VM_NONE)
        q.tag = 0;
    if (q.parent == VM_NONE && id > a->parms[VM_PARM_ROOTS])
        return lad_vm_asm_fail(a, ".proc %s: processes without a parent come first", name);
    a->parms[VM_PARM_ROOTS] += q.parent == VM_NONE;
    *ADD(a, proc) = q;
    return true;
}

static bool read_block(struct assembler *a)
{
    if (!a->n_text)
        return lad_vm_asm_fail(a, ".block stands before the first .proc");
    *ADD(a, blk) = (struct lad_vm_blk){(uint32_t)a->n_text - 1, 0, 0, 0};
    return lad_vm_asm_label(a, FIX_BEGIN, (uint32_t)a->n_blk - 1) &&
           lad_vm_asm_label(a, FIX_END, (uint32_t)a->n_blk - 1);
}

/* .patch TAG word value: a word of a section as it is, to make files that no statement makes. */
static bool read_patch(struct assembler *a)
{
    struct patch patch = {.line = a->line};
    const char *tag;
    uint64_t at, word;
    if (!lad_vm_asm_name(a, &tag) || !lad_vm_asm_number(a, &at) || !lad_vm_asm_number(a, &word))
        return false;
    while (patch.section < VM_SECTIONS && strcmp(lad_vm_sections[patch.section].tag, tag))
        patch.section++;
    if (patch.section == VM_SECTIONS || at > UINT32_MAX || word > UINT32_MAX)
        return lad_vm_asm_fail(a, ".patch: expected a section, the number of one of its words, and a word");
    patch.at = (uint32_t)at;
    patch.word = (uint32_t)word;
    *LAD_PUSH(a->arena, a->patch, a->n_patch) = patch;
    return true;
}

bool lad_vm_asm_directive(struct assembler *a, const char *word)
{
    static const struct {
        const char *word;
        bool (*read)(struct assembler *);
    } rows[] = {{".svm", read_version}, {".state", read_state}, {".limits", read_limits}, {".signal", read_signal},
                {".event", read_event}, {".proc", read_proc},   {".block", read_block},   {".patch", read_patch}};
    for (size_t i = 0; i < LAD_N(rows); i++)
        if (!strcmp(rows[i].word, word))
            return rows[i].read(a);
    if (strcmp(word, ".loose"))
        return lad_vm_asm_fail(a, "no such directive '%s'", word);
    a->loose = true;
    return true;
}

static bool apply(struct assembler *a, const struct fixup *f)
{
    uint32_t value = 0, of = f->of;
    a->line = f->line;
    if (f->proc && !lad_vm_asm_get(a, 'p', f->proc, &value))
        return lad_vm_asm_fail(a, "no process '%s'", f->proc);
    if (f->proc && f->kind != FIX_PROC)
        of = value;
    if (f->label && !lad_vm_asm_get(a, 'l', lad_printf(a->arena, "%u.%s", of, f->label), &value))
        return lad_vm_asm_fail(a, "no label '%s' in %s%s", f->label, f->proc ? "process " : "this process",
                               f->proc ? f->proc : "");
    if (f->kind == FIX_AFTER)
        a->rpt[f->at].after = value;
    else if (f->kind == FIX_BEGIN)
        a->blk[f->at].begin = value;
    else if (f->kind == FIX_END)
        a->blk[f->at].end = value;
    else if (f->pid == VM_NONE)
        a->proc[f->at].parent = value;
    else if (f->kind == FIX_ARG)
        a->text[f->pid].code[f->at] |= value << 8;
    else
        a->text[f->pid].code[f->at] = value;
    return true;
}

static bool place_code(struct assembler *a)
{
    size_t words = a->parms[VM_PARM_W] > 2 ? a->parms[VM_PARM_W] : 2;
    for (size_t i = 0; i < a->n_text; i++)
        words = a->text[i].n > words ? a->text[i].n : words;
    if (words * a->n_text > UINT32_MAX / 4)
        return lad_vm_asm_fail(a, "%zu processes of %zu words are too large for a file", a->n_text, words);
    a->parms[VM_PARM_P] = (uint32_t)a->n_text;
    a->parms[VM_PARM_W] = (uint32_t)words;
    a->n_code = words * a->n_text;
    a->code = lad_alloc(a->arena, a->n_code * 4);
    for (size_t i = 0; i < a->n_text; i++) {
        memcpy(a->code + i * words, a->text[i].code, a->text[i].n * 4);
        a->proc[i].length = (uint32_t)a->text[i].n;
    }
    return true;
}

static void place_slots(struct assembler *a)
{
    for (size_t i = 0; i < a->n_force; i++) {
        a->force[i].force_slot = a->slots[a->force[i].signal].force;
        a->force[i].passign_slot = a->slots[a->force[i].signal].passign;
    }
    for (size_t i = 0; i < a->n_release; i++) {
        a->release[i].force_slot = a->slots[a->release[i].signal].force;
        a->release[i].passign_slot = a->slots[a->release[i].signal].passign;
    }
    for (size_t i = 0; i < a->n_svcr; i++) {
        a->svcr[i].force_slot = a->slots[a->svcr[i].signal].force;
        a->svcr[i].passign_slot = a->slots[a->svcr[i].signal].passign;
    }
}

static bool apply_patch(struct assembler *a, struct lad_vm_program *p, const struct patch *patch)
{
    uint32_t n = lad_vm_section_count(p, patch->section), bytes = lad_vm_sections[patch->section].bytes;
    a->line = patch->line;
    if ((uint64_t)patch->at * 4 + 4 > (uint64_t)n * bytes)
        return lad_vm_asm_fail(a, ".patch: section %s has %u bytes", lad_vm_sections[patch->section].tag, n * bytes);
    memcpy((char *)lad_vm_section_data(p, patch->section) + (size_t)patch->at * 4, &patch->word, 4);
    return true;
}

bool lad_vm_asm_finish(struct assembler *a, struct lad_vm_program *p)
{
    close_proc(a);
    for (size_t i = 0; i < a->n_fixup; i++)
        if (!apply(a, &a->fixup[i]))
            return false;
    if (!place_code(a))
        return false;
    place_slots(a);
    if (a->parms[VM_PARM_ARGS] < a->max_args)
        a->parms[VM_PARM_ARGS] = a->max_args;
    for (int i = 0; i < VM_PARMS; i++)
        *ADD(a, parm) = a->parms[i];
    *p = (struct lad_vm_program){.features = a->features};
#define VM_SECTION(tag, field, type)                                                                                   \
    p->field = a->field;                                                                                               \
    p->n_##field = (uint32_t)a->n_##field;
#include "../../kernels/vm_layout.def"
    for (size_t i = 0; i < a->n_patch; i++)
        if (!apply_patch(a, p, &a->patch[i]))
            return false;
    return true;
}
