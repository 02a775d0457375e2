/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's checks of bytecode, word after word; a process is followed to its first word that is no instruction. */
#include "vm.h"

struct state {
    const struct lad_vm_program *p;
    struct lad_vm_why *why;
    uint32_t *edge_owner, *repeat_owner; /* process that uses it, or NONE */
};

uint32_t lad_vm_operands(const uint32_t *word, uint32_t left)
{
    static const unsigned char operands[] = {
#define VM_OP(number, symbol, operands) [number] = operands,
#include "../../kernels/vm_ops.def"
    };
    uint32_t op = *word & 0xFF, n;
    if (op >= LAD_N(operands))
        return VM_NONE;
    n = operands[op];
    if (op == VM_OP_FORK)
        n = *word >> 8 & 0xFFFF;
    else if (op == VM_OP_DISABLE)
        n = *word >> 8 == VM_DISABLE_CROSS ? 2 : 1;
    else if (op == VM_OP_CASE)
        n = left > 1 && word[1] < left ? word[1] + 2 : VM_NONE;
    return n < left ? n : VM_NONE;
}

static bool own(struct state *s, uint32_t *owner, uint32_t id, uint32_t n, uint32_t pid, const char *what)
{
    if (id >= n || owner[id] == pid)
        return true;
    if (owner[id] != VM_NONE)
        return lad_vm_because(s->why, "%s %u is used by processes %u and %u", what, id, owner[id], pid);
    owner[id] = pid;
    return true;
}

static bool check_fork(struct state *s, uint32_t pid, uint32_t ip, const uint32_t *word, uint32_t n)
{
    uint32_t kind = *word >> 24 & 3;
    if (!n || kind == 3 || *word >> 26)
        return lad_vm_because(s->why, "process %u, ip %u: a fork of %u children, join kind %u", pid, ip, n, kind);
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t child = word[i];
        if (child >= s->p->n_proc || s->p->proc[child].parent != pid ||
            s->p->proc[child].tag != s->p->proc[word[1]].tag)
            return lad_vm_because(
                s->why, "process %u, ip %u: %u is no child of this process with the tag of the others", pid, ip, child);
    }
    return true;
}

static bool is_sync(const struct lad_vm_program *p, uint32_t id)
{
    static const unsigned char flags[] = {
#define VM_SERVICE(number, symbol, name, flags) [number] = flags,
#include "../../kernels/vm_ops.def"
    };
    return id < p->n_svce && p->svce[id].kind < LAD_N(flags) && flags[p->svce[id].kind] & VM_SYNC;
}

static bool check_word(struct state *s, uint32_t pid, uint32_t ip, const uint32_t *word, uint32_t left, uint32_t n)
{
    uint32_t arg = *word >> 8;
    switch (*word & 0xFF) {
    case VM_OP_WAIT_EDGE:
        return own(s, s->edge_owner, arg, s->p->n_ewat, pid, "edge wait");
    case VM_OP_REPEAT:
        return own(s, s->repeat_owner, arg, s->p->n_rpt, pid, "repeat");
    case VM_OP_WAIT_COND:
        if (word[1] < s->p->n_wcnd && s->p->wcnd[word[1]].cond != arg)
            return lad_vm_because(s->why, "process %u, ip %u: waits for condition %u, its wait entry %u for %u", pid,
                                  ip, arg, word[1], s->p->wcnd[word[1]].cond);
        return true;
    case VM_OP_FORK:
        return check_fork(s, pid, ip, word, n);
    case VM_OP_SERVICE_CALL:
        if (is_sync(s->p, arg) && (left < 2 || (word[1] & 0xFF) != VM_OP_WAIT_SERVICE))
            return lad_vm_because(
                s->why, "process %u, ip %u: a service that changes the simulation needs wait.service behind it", pid,
                ip);
        return true;
    default:
        return true;
    }
}

static bool check_process(struct state *s, uint32_t pid)
{
    const uint32_t *code = s->p->code + (size_t)pid * s->p->parm[VM_PARM_W];
    uint32_t length = s->p->proc[pid].length, n;
    for (uint32_t ip = 0; ip < length; ip += 1 + n) {
        n = lad_vm_operands(code + ip, length - ip);
        if (n == VM_NONE)
            return true; /* IP_RANGE, OPCODE: found if it ever runs */
        if (!check_word(s, pid, ip, code + ip, length - ip, n))
            return false;
    }
    return true;
}

static uint32_t *make_owners(struct lad_arena *arena, uint32_t n)
{
    uint32_t *owner = lad_alloc(arena, (size_t)n * sizeof *owner + 1);
    for (uint32_t i = 0; i < n; i++)
        owner[i] = VM_NONE;
    return owner;
}

bool lad_vm_check_code(const struct lad_vm_program *p, struct lad_vm_why *why)
{
    struct lad_arena *arena = lad_arena_create();
    struct state s = {p, why, make_owners(arena, p->n_ewat), make_owners(arena, p->n_rpt)};
    bool ok = true;
    for (uint32_t i = 0; i < p->n_rpt; i++)
        s.repeat_owner[i] = p->rpt[i].owner;
    for (uint32_t pid = 0; pid < p->n_proc && ok; pid++)
        ok = check_process(&s, pid);
    lad_arena_destroy(&arena);
    return ok;
}
