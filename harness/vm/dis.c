/* SPDX-License-Identifier: Apache-2.0 */
/* The disassembler: directives, processes and their instructions, with a label L<ip> wherever something jumps to. */
#include "dis.h"
#include <ctype.h>
#include <string.h>

static bool is_name(const char *text, uint32_t n)
{
    if (!n || n > 200 || isdigit((unsigned char)*text))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

/* Names of n things with these string ids; what is no name, or not the first with it, becomes letter and number. */
static const char **make_names(const struct dis *d, uint32_t n, const void *entries, size_t each, size_t at,
                               char letter)
{
    const char **name = lad_alloc(d->arena, (size_t)n * sizeof *name + 1);
    unsigned char *taken = lad_alloc(d->arena, (size_t)d->p->n_stro + 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bytes, string;
        memcpy(&string, (const char *)entries + i * each + at, sizeof string);
        const char *text = lad_vm_string(d->p, string, &bytes);
        bool good = is_name(text, bytes) && !taken[string];
        if (good)
            taken[string] = 1;
        name[i] = good ? lad_printf(d->arena, "%.*s", (int)bytes, text) : lad_printf(d->arena, "_%c%u", letter, i);
    }
    return name;
}

static void put_head(const struct dis *d)
{
    const struct lad_vm_program *p = d->p;
    const uint32_t *parm = p->parm;
    uint32_t longest = 2;
    for (uint32_t i = 0; i < p->n_proc; i++)
        longest = p->proc[i].length > longest ? p->proc[i].length : longest;
    fprintf(d->out, ".svm 1.0\n.state %u\n.limits nba=%u dnba=%u depth=%u args=%u", parm[VM_PARM_STATES],
            parm[VM_PARM_NBA], parm[VM_PARM_DNBA], parm[VM_PARM_DEPTH], parm[VM_PARM_ARGS]);
    if (parm[VM_PARM_WIDE_BITS])
        fprintf(d->out, " wide=%u", parm[VM_PARM_WIDE_BITS]);
    if (parm[VM_PARM_RUNAWAY] || parm[VM_PARM_RUNAWAY_HIGH])
        fprintf(d->out, " runaway=%llu", (unsigned long long)parm[VM_PARM_RUNAWAY_HIGH] << 32 | parm[VM_PARM_RUNAWAY]);
    fprintf(d->out, " timescale=%d", (int32_t)parm[VM_PARM_TIMESCALE]);
    if (parm[VM_PARM_W] > longest)
        fprintf(d->out, " words=%u", parm[VM_PARM_W]);
    fputc('\n', d->out);
}

static void put_signal(const struct dis *d, uint32_t i)
{
    const struct lad_vm_sigs *s = &d->p->sigs[i];
    uint32_t k = (s->width + 63) / 64;
    fprintf(d->out, ".signal %s %u%s%s%s", d->signal[i], s->width, s->flags & VM_SIGNAL_SIGNED ? " signed" : "",
            s->flags & VM_SIGNAL_REAL ? " real" : "", s->flags & VM_SIGNAL_NET ? " net" : "");
    if (s->array_size > 1)
        fprintf(d->out, " array(%u)", s->array_size);
    for (uint32_t at = 0; k && at + 2 * k <= s->init_words && s->init + at + 2 * k <= d->p->n_init; at += 2 * k) {
        fputs(at ? ", " : " = ", d->out);
        lad_vm_dis_literal(d->out, d->p->init + s->init + at, d->p->init + s->init + at + k, s->width);
    }
    fputc('\n', d->out);
}

static const char *const mnemonics[VM_OP_COUNT] = {[VM_OP_DONE] = "done",
                                                   [VM_OP_NOOP] = "noop",
                                                   [VM_OP_JUMP] = "jmp",
                                                   [VM_OP_TASK_CALL] = "call",
                                                   [VM_OP_RET] = "ret",
                                                   [VM_OP_WAIT_DELTA] = "wait.delta",
                                                   [VM_OP_WAIT_SERVICE] = "wait.service",
                                                   [VM_OP_WAIT_EVENT] = "wait.event",
                                                   [VM_OP_EVENT_TRIGGER] = "trigger",
                                                   [VM_OP_WAIT_JOIN] = "wait.join"};

/* A process and what its instructions and those of others, which may disable a block of it, name in it. */
struct flow {
    const struct dis *d;
    struct flow *all; /* by pid */
    uint32_t pid, length, *code;
    unsigned char *start, *target; /* of an instruction; of a jump */
};

static bool is_start(const struct flow *f, uint32_t ip)
{
    return ip < f->length && f->start[ip];
}

/* Labels of this process in an instruction's words, the first at `from`; 0: it has none. */
static uint32_t count_labels(const uint32_t *word, uint32_t *from)
{
    *from = 1;
    switch (*word & 0xFF) {
    case VM_OP_JUMP_IF:
        return 1;
    case VM_OP_REPEAT:
    case VM_OP_SERVICE_RET_BRANCH:
        return 2;
    case VM_OP_CASE:
        *from = 2;
        return word[1] + 1;
    case VM_OP_DISABLE:
        return *word >> 8 == VM_DISABLE_BLOCK;
    default:
        return 0;
    }
}

static bool is_cross(const uint32_t *word)
{
    return (*word & 0xFF) == VM_OP_DISABLE && *word >> 8 == VM_DISABLE_CROSS;
}

static bool labels_good(const struct flow *f, const uint32_t *word)
{
    uint32_t from, n = count_labels(word, &from), op = *word & 0xFF;
    if (op == VM_OP_JUMP || op == VM_OP_TASK_CALL)
        return is_start(f, *word >> 8);
    if (is_cross(word))
        return word[1] < f->d->p->n_proc && is_start(&f->all[word[1]], word[2]);
    for (uint32_t i = 0; i < n; i++)
        if (!is_start(f, word[from + i]))
            return false;
    return true;
}

static void find_starts(struct flow *f)
{
    for (uint32_t ip = 0; ip < f->length;) {
        uint32_t n = lad_vm_operands(f->code + ip, f->length - ip);
        f->start[ip] = 1;
        ip += n == VM_NONE ? 1 : 1 + n;
    }
}

static void find_targets(struct flow *f)
{
    for (uint32_t i = 0; i < f->d->p->n_blk; i++) {
        const struct lad_vm_blk *b = &f->d->p->blk[i];
        if (b->pid == f->pid && is_start(f, b->begin) && is_start(f, b->end))
            f->target[b->begin] = f->target[b->end] = 1;
    }
    for (uint32_t ip = 0; ip < f->length; ip++) {
        const uint32_t *word = f->code + ip;
        uint32_t from, op = *word & 0xFF;
        if (!f->start[ip] || lad_vm_operands(word, f->length - ip) == VM_NONE || !labels_good(f, word))
            continue;
        uint32_t n = count_labels(word, &from);
        if (op == VM_OP_JUMP || op == VM_OP_TASK_CALL)
            f->target[*word >> 8] = 1;
        if (is_cross(word))
            f->all[word[1]].target[word[2]] = 1;
        for (uint32_t i = 0; i < n; i++)
            f->target[word[from + i]] = 1;
    }
}

static bool put_cond(const struct dis *d, uint32_t id)
{
    const struct lad_vm_cond *c = &d->p->cond[id];
    if (c->kind == VM_COND_CONST)
        fprintf(d->out, "const %s", c->xz ? "x" : c->val ? "1" : "0");
    else
        lad_vm_dis_expr(d, c->expr);
    return true;
}

static bool put_disable(const struct flow *f, const uint32_t *word)
{
    const struct dis *d = f->d;
    if (*word >> 8 == VM_DISABLE_BLOCK)
        return fprintf(d->out, "disable.block L%u", word[1]) > 0;
    if (word[1] >= d->p->n_proc || *word >> 8 > VM_DISABLE_CROSS)
        return false;
    if (*word >> 8 == VM_DISABLE_CHILD)
        return fprintf(d->out, "disable.child %s", d->proc[word[1]]) > 0;
    return fprintf(d->out, "disable.proc %s, L%u", d->proc[word[1]], word[2]) > 0;
}

static bool put_fork(const struct flow *f, const uint32_t *word)
{
    static const char *const kinds[] = {"all", "any", "none"};
    uint32_t n = *word >> 8 & 0xFFFF, kind = *word >> 24;
    if (kind >= LAD_N(kinds) || !n)
        return false;
    for (uint32_t i = 1; i <= n; i++)
        if (word[i] >= f->d->p->n_proc)
            return false;
    fprintf(f->d->out, "fork.%s ", kinds[kind]);
    for (uint32_t i = 1; i <= n; i++)
        fprintf(f->d->out, "%s%s", i > 1 ? ", " : "", f->d->proc[word[i]]);
    return true;
}

static bool put_wait_time(const struct dis *d, uint32_t id)
{
    if (id >= d->p->n_dly)
        return false;
    const struct lad_vm_dly *y = &d->p->dly[id];
    fputs("wait.time ", d->out);
    if (y->kind)
        lad_vm_dis_expr(d, y->expr);
    else
        fprintf(d->out, "%llu", (unsigned long long)y->high << 32 | y->low);
    return true;
}

static bool put_repeat(const struct flow *f, const uint32_t *word, uint32_t ip)
{
    const struct dis *d = f->d;
    if (*word >> 8 >= d->p->n_rpt)
        return false;
    const struct lad_vm_rpt *r = &d->p->rpt[*word >> 8];
    if (r->owner != f->pid || r->begin != ip || r->after != word[2])
        return false;
    fputs(r->flags & VM_RPT_SIGNED ? "repeat.s " : "repeat ", d->out);
    lad_vm_dis_expr(d, r->expr);
    fprintf(d->out, ", L%u, L%u", word[1], word[2]);
    return true;
}

static bool put_simple(const struct dis *d, uint32_t op, uint32_t arg)
{
    static const char *const halts[] = {"finish", "stop", "error"};
    if (op == VM_OP_HALT_SIM)
        return arg < LAD_N(halts) && fprintf(d->out, "halt %s", halts[arg]) > 0;
    if (op == VM_OP_SERVICE_RET_ASSIGN) {
        const struct lad_vm_svcr *r = arg < d->p->n_svcr ? &d->p->svcr[arg] : NULL;
        return r && r->signal < d->p->n_sigs && r->width == d->p->sigs[r->signal].width &&
               fprintf(d->out, "svc.ret %s", d->signal[r->signal]) > 0;
    }
    if (!mnemonics[op])
        return false;
    if (op == VM_OP_JUMP || op == VM_OP_TASK_CALL)
        return fprintf(d->out, "%s L%u", mnemonics[op], arg) > 0;
    if (op == VM_OP_WAIT_EVENT || op == VM_OP_EVENT_TRIGGER)
        return arg < d->p->parm[VM_PARM_EVENTS] && fprintf(d->out, "%s e%u", mnemonics[op], arg) > 0;
    if (op == VM_OP_WAIT_JOIN)
        return fprintf(d->out, "%s %u", mnemonics[op], arg) > 0;
    return !arg && fprintf(d->out, "%s", mnemonics[op]) > 0;
}

static bool put_instruction(const struct flow *f, const uint32_t *word, uint32_t ip)
{
    const struct dis *d = f->d;
    uint32_t op = *word & 0xFF, arg = *word >> 8;
    if (!labels_good(f, word))
        return false;
    switch (op) {
    case VM_OP_JUMP_IF:
        return arg < d->p->n_cond && fprintf(d->out, "jif ") && put_cond(d, arg) && fprintf(d->out, ", L%u", word[1]);
    case VM_OP_WAIT_COND:
        return arg < d->p->n_cond && d->p->cond[arg].kind == VM_COND_EXPR && fprintf(d->out, "wait.cond ") &&
               put_cond(d, arg);
    case VM_OP_CASE:
        return lad_vm_dis_case(d, word);
    case VM_OP_REPEAT:
        return put_repeat(f, word, ip);
    case VM_OP_ASSIGN:
    case VM_OP_ASSIGN_NB:
        return lad_vm_dis_assign(d, arg, op == VM_OP_ASSIGN_NB);
    case VM_OP_ASSIGN_DELAY:
        return lad_vm_dis_delay(d, arg);
    case VM_OP_FORCE:
        return lad_vm_dis_force(d, arg);
    case VM_OP_RELEASE:
        return lad_vm_dis_release(d, arg);
    case VM_OP_WAIT_TIME:
        return put_wait_time(d, arg);
    case VM_OP_WAIT_EDGE:
        return lad_vm_dis_edge(d, arg);
    case VM_OP_FORK:
        return put_fork(f, word);
    case VM_OP_DISABLE:
        return put_disable(f, word);
    case VM_OP_SERVICE_CALL:
        return lad_vm_dis_service(d, arg);
    case VM_OP_SERVICE_RET_BRANCH:
        return arg < 2 && fprintf(d->out, "svc.br%s L%u, L%u", arg ? "n" : "", word[1], word[2]) > 0;
    default:
        return put_simple(d, op, arg);
    }
}

static struct flow *find_flows(const struct dis *d)
{
    struct flow *all = lad_alloc(d->arena, (size_t)d->p->n_proc * sizeof *all + 1);
    for (uint32_t i = 0; i < d->p->n_proc; i++) {
        size_t length = d->p->proc[i].length;
        all[i] = (struct flow){d,
                               all,
                               i,
                               (uint32_t)length,
                               d->p->code + (size_t)i * d->p->parm[VM_PARM_W],
                               lad_alloc(d->arena, length + 1),
                               lad_alloc(d->arena, length + 1)};
        find_starts(&all[i]);
    }
    for (uint32_t i = 0; i < d->p->n_proc; i++)
        find_targets(&all[i]);
    return all;
}

static void put_process(const struct flow *f)
{
    const struct dis *d = f->d;
    const struct lad_vm_proc *q = &d->p->proc[f->pid];
    uint32_t pid = f->pid;
    fprintf(d->out, ".proc %s", d->proc[pid]);
    if (q->parent != VM_NONE)
        fprintf(d->out, " parent=%s tag=%u", d->proc[q->parent], q->tag);
    fputs(d->bare ? "\n" : lad_printf(d->arena, "%*s; pid %u, %u words\n", 4, "", pid, q->length), d->out);
    for (uint32_t i = 0; i < d->p->n_blk; i++) {
        const struct lad_vm_blk *b = &d->p->blk[i];
        if (b->pid == pid && is_start(f, b->begin) && is_start(f, b->end))
            fprintf(d->out, ".block L%u L%u\n", b->begin, b->end);
    }
    for (uint32_t ip = 0, n; ip < f->length; ip += 1 + n) {
        const uint32_t *word = f->code + ip;
        n = lad_vm_operands(word, f->length - ip);
        if (f->target[ip])
            fprintf(d->out, "L%u:", ip);
        fputc('\t', d->out);
        if (n == VM_NONE || !put_instruction(f, word, ip)) {
            n = n == VM_NONE ? 0 : n;
            fprintf(d->out, "word 0x%x", word[0]);
            for (uint32_t i = 1; i <= n; i++)
                fprintf(d->out, ", 0x%x", word[i]);
        }
        fputs(d->bare ? "\n" : lad_printf(d->arena, "%*s; %u\n", 4, "", ip), d->out);
    }
}

void lad_vm_disassemble(FILE *out, const struct lad_vm_program *p, bool bare)
{
    struct dis d = {.out = out, .p = p, .arena = lad_arena_create(), .bare = bare};
    bool loose = false;
    d.signal = make_names(&d, p->n_sigs, p->sigs, sizeof *p->sigs, offsetof(struct lad_vm_sigs, name), 's');
    d.proc = make_names(&d, p->n_proc, p->proc, sizeof *p->proc, offsetof(struct lad_vm_proc, name), 'p');
    put_head(&d);
    for (uint32_t at = 0; at < p->n_expr && !loose;) {
        struct lad_vm_walk walk;
        lad_vm_walk(p, at, &walk);
        loose = walk.error == VM_ERROR_EXPR;
        at += walk.words;
    }
    if (loose)
        fputs(".loose\n", out);
    for (uint32_t i = 0; i < p->n_sigs; i++)
        put_signal(&d, i);
    for (uint32_t i = 0; i < p->parm[VM_PARM_EVENTS] && i < 100000; i++)
        fprintf(out, ".event e%u\n", i);
    const struct flow *flow = find_flows(&d);
    for (uint32_t i = 0; i < p->n_proc; i++)
        put_process(&flow[i]);
    lad_arena_destroy(&d.arena);
}
