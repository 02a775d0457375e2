/* SPDX-License-Identifier: Apache-2.0 */
/* Service calls in the assembly text: svc[.global][.guard] kind "format", arguments ... */
#include "asm.h"
#include <ctype.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t kind, flags;
} kinds[] = {
#define VM_SERVICE(number, symbol, name, flags) {name, number, 0},
#include "../../kernels/vm_ops.def"
    {"monitoron", VM_SERVICE_MONITOR, VM_SVCE_MONITOR_ON},
    {"monitoroff", VM_SERVICE_MONITOR, VM_SVCE_MONITOR_OFF},
};

/* The letters behind an argument's dot: s SIGNED, n NOMON. */
static bool read_suffix(struct assembler *a, struct lad_vm_svca *arg)
{
    if (*a->p != '.')
        return true;
    for (a->p++; isalpha((unsigned char)*a->p); a->p++) {
        if (*a->p != 's' && *a->p != 'n')
            return lad_vm_asm_fail(a, "a service argument's suffix is .s, .n or .sn");
        arg->flags |= *a->p == 's' ? VM_SVCA_SIGNED : VM_SVCA_NOMON;
    }
    return true;
}

static bool read_expr_arg(struct assembler *a, struct lad_vm_svca *arg)
{
    uint32_t width;
    a->p--;
    if (!lad_vm_asm_expr(a, &arg->payload, &width))
        return false;
    arg->kind = width > 64 ? VM_ARG_WIDE : VM_ARG_VALUE;
    arg->width = width;
    arg->flags = VM_SVCA_EXPR;
    return read_suffix(a, arg);
}

static bool read_arg(struct assembler *a)
{
    struct lad_vm_svca arg = {.width = 32};
    const char *name;
    uint64_t n;
    if (lad_vm_asm_take(a, '{')) {
        if (!read_expr_arg(a, &arg))
            return false;
    } else if (lad_vm_asm_take(a, '"')) {
        a->p--;
        arg.kind = VM_ARG_STRING;
        if (!lad_vm_asm_string(a, &arg.payload))
            return false;
    } else if (lad_vm_asm_take(a, '&')) {
        uint32_t id;
        if (!lad_vm_asm_known(a, 's', "signal", &id))
            return false;
        arg.kind = VM_ARG_IDENT;
        arg.payload = a->sigs[id].name;
    } else if (isdigit((unsigned char)*a->p)) {
        if (!lad_vm_asm_number(a, &n) || n > UINT32_MAX)
            return a->failed ? false : lad_vm_asm_fail(a, "expected a number below 2^32");
        arg.payload = (uint32_t)n;
        if (!read_suffix(a, &arg))
            return false;
    } else {
        if (!lad_vm_asm_name(a, &name))
            return false;
        bool stime = !strcmp(name, "stime");
        if (strcmp(name, "time") && !stime)
            return lad_vm_asm_fail(a, "'%s': expected \"text\", {e}, time, stime, &name or a number", name);
        arg.flags = stime ? VM_SVCA_STIME : VM_SVCA_TIME;
        arg.width = stime ? 32 : 64;
        if (!read_suffix(a, &arg))
            return false;
    }
    *ADD(a, svca) = arg;
    return true;
}

static uint32_t flags_of(uint32_t kind)
{
    return kind == VM_SERVICE_FINISH    ? VM_SVCE_FINISH
           : kind == VM_SERVICE_STOP    ? VM_SVCE_STOP
           : kind == VM_SERVICE_STROBE  ? VM_SVCE_STROBE
           : kind == VM_SERVICE_MONITOR ? VM_SVCE_MONITOR
                                        : 0;
}

static bool read_mode(struct assembler *a, const char *word, struct lad_vm_svce *e)
{
    for (const char *p = word + 3; *p; p += 1 + strcspn(p + 1, ".")) {
        size_t n = strcspn(p + 1, ".");
        if (*p == '.' && n == 6 && !strncmp(p + 1, "global", n))
            e->flags |= VM_SVCE_GLOBAL_ONLY;
        else if (*p == '.' && n == 5 && !strncmp(p + 1, "guard", n))
            e->flags |= VM_SVCE_GUARD_FD;
        else
            return lad_vm_asm_fail(a, "no such statement '%s'", word);
    }
    return true;
}

bool lad_vm_asm_service(struct assembler *a, const char *word)
{
    struct lad_vm_svce e = {.format = VM_NONE, .arg_offset = (uint32_t)a->n_svca};
    const char *name;
    size_t k = 0;
    if (!read_mode(a, word, &e) || !lad_vm_asm_name(a, &name))
        return false;
    while (k < LAD_N(kinds) && strcmp(kinds[k].name, name))
        k++;
    if (k == LAD_N(kinds))
        return lad_vm_asm_fail(a, "no such service '%s'", name);
    e.kind = kinds[k].kind;
    e.flags |= kinds[k].flags ? kinds[k].flags : flags_of(e.kind);
    if (lad_vm_asm_take(a, '"')) {
        a->p--;
        if (!lad_vm_asm_string(a, &e.format))
            return false;
        if (!lad_vm_asm_end(a) && !lad_vm_asm_expect(a, ','))
            return false;
    }
    while (!lad_vm_asm_end(a)) {
        if (!read_arg(a))
            return false;
        e.arg_count++;
        if (!lad_vm_asm_end(a) && !lad_vm_asm_expect(a, ','))
            return false;
    }
    if (e.arg_count > a->max_args)
        a->max_args = e.arg_count;
    if (e.flags & VM_SVCE_MONITOR)
        e.aux = a->parms[VM_PARM_MONITORS]++;
    if (e.flags & VM_SVCE_STROBE)
        e.aux = a->parms[VM_PARM_STROBES]++;
    *ADD(a, svce) = e;
    return true;
}
