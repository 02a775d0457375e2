/* SPDX-License-Identifier: Apache-2.0 */
/* What a case says about a program of the scheduler VM: which one, in which shape, and what is spoilt on purpose. */
#include "vm.h"
#include <ctype.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

const char *lad_vm_param(const struct lad_vm_setup *s, const char *name)
{
    for (size_t i = 0; i < s->c->n_params; i++)
        if (!strcmp(s->c->params[i].name, name))
            return s->c->params[i].value.text;
    return NULL;
}

bool lad_vm_param_number(const struct lad_vm_setup *s, const char *name, uint64_t most, uint64_t *out)
{
    const char *text = lad_vm_param(s, name);
    char *end;
    if (!text)
        return true;
    *out = strtoull(text, &end, 0);
    if (isdigit((unsigned char)*text) && !*end && *out <= most)
        return true;
    lad_record_set(s->arena, s->r, LAD_STATUS_ERROR, "ladder.case",
                   "%s: param %s is \"%s\", expected a number up to %llu", s->c->file, name, text,
                   (unsigned long long)most);
    return false;
}

/* The place of a param's word in a list, 0 where it is not given. */
static bool choose(const struct lad_vm_setup *s, const char *name, const char *const *words, int *out)
{
    const char *text = lad_vm_param(s, name);
    for (*out = 0; text && words[*out] && strcmp(text, words[*out]); ++*out)
        ;
    if (!text || words[*out])
        return true;
    lad_record_set(s->arena, s->r, LAD_STATUS_ERROR, "ladder.case", "%s: param %s is \"%s\"", s->c->file, name, text);
    return false;
}

static bool read_params(struct lad_vm_setup *s)
{
    static const char *const modes[] = {"direct", "table", "packed", NULL}, *const placements[] = {"own", "shared",
                                                                                                   NULL};
    static const char *const harms[] = {"none", "zeros", "swapped", "shifted", "unreached", NULL};
    const char *slice = lad_vm_param(s, "slice");
    uint64_t count = 1, fuel = 0, table = 0;
    int mode, placement, harm;
    s->shape = (struct lad_vm_shape)LAD_VM_SHAPE;
    if (!choose(s, "mode", modes, &mode) || !choose(s, "placement", placements, &placement) ||
        !choose(s, "harm", harms, &harm) || !lad_vm_param_number(s, "count", 1 << 20, &count) ||
        !lad_vm_param_number(s, "fuel", UINT32_MAX, &fuel) || !lad_vm_param_number(s, "table", VM_TABLES - 1, &table) ||
        !lad_vm_param_number(s, "from", UINT32_MAX, &s->want.from))
        return false;
    s->shape.binding = (enum lad_vm_binding)mode;
    s->shape.shared = placement;
    s->shape.count = (uint32_t)count;
    s->want.harm = (enum lad_vm_harm)harm;
    s->want.table = (uint32_t)table;
    s->want.fuel = (uint32_t)fuel;
    if (slice &&
        sscanf(slice, "%u%*1[.,]%u%*1[.,]%u", &s->shape.max_steps, &s->shape.max_proc_steps, &s->shape.capacity) != 3) {
        lad_record_set(s->arena, s->r, LAD_STATUS_ERROR, "ladder.case",
                       "%s: param slice is \"%s\", expected three numbers", s->c->file, slice);
        return false;
    }
    return true;
}

static bool load(struct lad_vm_setup *s)
{
    const char *name = lad_vm_param(s, "program"), *unchecked = lad_vm_param(s, "unchecked");
    struct lad_vm_why why = {""};
    enum lad_vm_verdict verdict =
        lad_vm_load(s->arena, name ? name : "", unchecked && !strcmp(unchecked, "yes"), &s->program, &why);
    if (verdict == LAD_VM_SKIPPED)
        lad_record_set(s->arena, s->r, LAD_STATUS_SKIP, NULL, "%s", why.text);
    else if (verdict == LAD_VM_REJECTED)
        lad_record_set(s->arena, s->r, LAD_STATUS_ERROR, "ladder.case", "%s: program %s: %s", s->c->file,
                       name ? name : "(none)", *why.text ? why.text : "cannot be read");
    return verdict == LAD_VM_GOOD;
}

void lad_vm_equip(const struct lad_vm_setup *s, struct lad_vm_host *host)
{
    const char **plusargs = lad_alloc(s->arena, (s->c->n_params + 1) * sizeof *plusargs);
    for (size_t i = 0, n = 0; i < s->c->n_params; i++)
        if (!strcmp(s->c->params[i].name, "plusarg"))
            plusargs[n++] = s->c->params[i].value.text;
    host->quiet = true;
    host->plusargs = plusargs;
    host->folder = dirname(lad_strdup(s->arena, lad_vm_param(s, "program")));
}

bool lad_vm_setup(struct lad_vm_setup *s, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    *s = (struct lad_vm_setup){.c = c, .arena = arena, .r = r};
    return read_params(s) && load(s);
}

bool lad_vm_api_failed(const struct lad_vm_setup *s, const struct lad_gpu *gpu, const char *doing)
{
    const struct lad_fail *f = &gpu->fail;
    bool late = !strcmp(f->code, "LATE");
    lad_record_set(s->arena, s->r,
                   f->lost              ? LAD_STATUS_LOST
                   : f->timeout || late ? LAD_STATUS_TIMEOUT
                                        : LAD_STATUS_ERROR,
                   f->lost              ? "ladder.lost"
                   : f->timeout || late ? "ladder.timeout.device"
                                        : "ladder.api",
                   "%s: %s says %s", doing, f->call, f->code);
    if (*f->text)
        *LAD_PUSH(s->arena, s->r->messages, s->r->n_messages) = lad_strdup(s->arena, f->text);
    return false;
}

bool lad_vm_first_ops_agree(const struct lad_vm_setup *s, const struct lad_vm_program *p, uint32_t count,
                            const struct lad_vm_device *device)
{
    const uint32_t *got = lad_vm_device_first_ops(device);
    uint32_t want[256] = {0}, bad = 0;
    for (uint32_t i = 0; i < p->n_proc; i++)
        want[p->code[(size_t)i * p->parm[VM_PARM_W]] & 0xFF] += p->proc[i].length ? count : 0;
    for (uint32_t op = 0; op < 256; op++) {
        if (got[op] == want[op] || bad++ >= 4)
            continue;
        lad_record_fact(s->arena, s->r, '!',
                        "first-op counts disagree: of all processes %u begin with opcode %u on the device, %u on the "
                        "host",
                        got[op], op, want[op]);
    }
    return !bad;
}
