/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of the assembly text: control flow, waits, fork and disable; those with targets are in asm_table.c. */
#include "asm.h"
#include <string.h>

uint32_t lad_vm_asm_word(struct assembler *a, uint32_t word)
{
    struct proc_text *t = &a->text[a->n_text - 1];
    *LAD_PUSH(a->arena, t->code, t->n) = word;
    return (uint32_t)t->n - 1;
}

static void emit(struct assembler *a, uint32_t op, uint32_t arg)
{
    lad_vm_asm_word(a, op | arg << 8);
    a->text[a->n_text - 1].open = op != VM_OP_DONE;
}

static void fix(struct assembler *a, int kind, uint32_t at, uint32_t of, const char *proc, const char *label)
{
    struct fixup *f = LAD_PUSH(a->arena, a->fixup, a->n_fixup);
    f->kind = kind;
    f->pid = (uint32_t)a->n_text - 1;
    f->of = of;
    f->at = at;
    f->label = label;
    f->proc = proc;
    f->line = a->line;
}

bool lad_vm_asm_label(struct assembler *a, int kind, uint32_t at)
{
    const char *label;
    if (!lad_vm_asm_name(a, &label))
        return false;
    fix(a, kind, at, (uint32_t)a->n_text - 1, NULL, label);
    return true;
}

/* A code word that a label fills. */
static bool label_word(struct assembler *a)
{
    return lad_vm_asm_label(a, FIX_WORD, lad_vm_asm_word(a, 0));
}

static bool label_arg(struct assembler *a, uint32_t op)
{
    emit(a, op, 0);
    return lad_vm_asm_label(a, FIX_ARG, (uint32_t)a->text[a->n_text - 1].n - 1);
}

static bool proc_word(struct assembler *a, const char **name)
{
    if (!lad_vm_asm_name(a, name))
        return false;
    fix(a, FIX_PROC, lad_vm_asm_word(a, 0), 0, *name, NULL);
    return true;
}

static bool read_arg(struct assembler *a, uint64_t *n)
{
    return lad_vm_asm_number(a, n) && (*n <= 0xFFFFFF || lad_vm_asm_fail(a, "expected a number below 2^24"));
}

static bool jump_if(struct assembler *a)
{
    struct lad_vm_cond c = {VM_COND_EXPR, 0, 0, VM_NONE};
    if (lad_vm_asm_take(a, '{')) {
        a->p--;
        if (!lad_vm_asm_expr(a, &c.expr, NULL))
            return false;
    } else {
        const char *word;
        if (!lad_vm_asm_name(a, &word))
            return false;
        c.kind = VM_COND_CONST;
        bool x = lad_vm_asm_take(a, 'x');
        uint64_t n = x;
        if (strcmp(word, "const") || (!x && !lad_vm_asm_number(a, &n)) || n > 1)
            return lad_vm_asm_fail(a, "jif: expected {e} or const 0, const 1 or const x");
        c.val = (uint32_t)n;
        c.xz = x;
    }
    *ADD(a, cond) = c;
    emit(a, VM_OP_JUMP_IF, (uint32_t)a->n_cond - 1);
    return lad_vm_asm_expect(a, ',') && label_word(a);
}

static bool repeat(struct assembler *a, bool is_signed)
{
    struct lad_vm_rpt r = {0, is_signed ? VM_RPT_SIGNED : 0, (uint32_t)a->n_text - 1, 0, 0};
    if (!lad_vm_asm_expr(a, &r.expr, NULL))
        return false;
    r.begin = (uint32_t)a->text[a->n_text - 1].n;
    *ADD(a, rpt) = r;
    emit(a, VM_OP_REPEAT, (uint32_t)a->n_rpt - 1);
    if (!lad_vm_asm_expect(a, ',') || !label_word(a) || !lad_vm_asm_expect(a, ','))
        return false;
    const char *after = a->p;
    if (!label_word(a))
        return false;
    a->p = after;
    return lad_vm_asm_label(a, FIX_AFTER, (uint32_t)a->n_rpt - 1);
}

static bool wait_time(struct assembler *a)
{
    struct lad_vm_dly d = {0, VM_NONE, 0, 0};
    uint64_t n;
    if (lad_vm_asm_take(a, '{')) {
        a->p--;
        d.kind = 1;
        if (!lad_vm_asm_expr(a, &d.expr, NULL))
            return false;
    } else if (lad_vm_asm_number(a, &n)) {
        d.low = (uint32_t)n;
        d.high = (uint32_t)(n >> 32);
    } else {
        return false;
    }
    *ADD(a, dly) = d;
    emit(a, VM_OP_WAIT_TIME, (uint32_t)a->n_dly - 1);
    return true;
}

static bool wait_cond(struct assembler *a)
{
    struct lad_vm_cond c = {VM_COND_EXPR, 0, 0, 0};
    if (!lad_vm_asm_expr(a, &c.expr, NULL))
        return false;
    *ADD(a, cond) = c;
    *ADD(a, wcnd) = (struct lad_vm_wcnd){(uint32_t)a->n_cond - 1, 1};
    emit(a, VM_OP_WAIT_COND, (uint32_t)a->n_cond - 1);
    lad_vm_asm_word(a, (uint32_t)a->n_wcnd - 1);
    return true;
}

static bool with_event(struct assembler *a, uint32_t op)
{
    uint32_t id;
    if (!lad_vm_asm_known(a, 'e', "event", &id))
        return false;
    emit(a, op, id);
    return true;
}

static bool wait(struct assembler *a, const char *what)
{
    uint64_t n;
    if (!strcmp(what, "time"))
        return wait_time(a);
    if (!strcmp(what, "event"))
        return with_event(a, VM_OP_WAIT_EVENT);
    if (!strcmp(what, "edge")) {
        if (!lad_vm_asm_edge(a))
            return false;
        emit(a, VM_OP_WAIT_EDGE, (uint32_t)a->n_ewat - 1);
        return true;
    }
    if (!strcmp(what, "cond"))
        return wait_cond(a);
    if (!strcmp(what, "join")) {
        if (!read_arg(a, &n))
            return false;
        emit(a, VM_OP_WAIT_JOIN, (uint32_t)n);
        return true;
    }
    if (strcmp(what, "delta") && strcmp(what, "service"))
        return lad_vm_asm_fail(a, "no such statement 'wait.%s'", what);
    emit(a, *what == 'd' ? VM_OP_WAIT_DELTA : VM_OP_WAIT_SERVICE, 0);
    return true;
}

static bool fork_procs(struct assembler *a, const char *join)
{
    static const char *const kinds[] = {"all", "any", "none"};
    uint32_t kind = 0, n = 0, at = (uint32_t)a->text[a->n_text - 1].n;
    const char *name;
    while (kind < LAD_N(kinds) && strcmp(kinds[kind], join))
        kind++;
    if (kind == LAD_N(kinds))
        return lad_vm_asm_fail(a, "no such statement 'fork.%s'", join);
    emit(a, VM_OP_FORK, 0);
    do {
        if (!proc_word(a, &name))
            return false;
        n++;
    } while (lad_vm_asm_take(a, ','));
    if (n > 0xFFFF)
        return lad_vm_asm_fail(a, "more than 65535 children");
    a->text[a->n_text - 1].code[at] |= (n | kind << 16) << 8;
    return true;
}

static bool disable(struct assembler *a, const char *what)
{
    const char *name, *label;
    if (!strcmp(what, "block")) {
        emit(a, VM_OP_DISABLE, VM_DISABLE_BLOCK);
        return label_word(a);
    }
    if (strcmp(what, "child") && strcmp(what, "proc"))
        return lad_vm_asm_fail(a, "no such statement 'disable.%s'", what);
    emit(a, VM_OP_DISABLE, *what == 'c' ? VM_DISABLE_CHILD : VM_DISABLE_CROSS);
    if (!proc_word(a, &name) || *what == 'c')
        return !a->failed;
    if (!lad_vm_asm_expect(a, ',') || !lad_vm_asm_name(a, &label))
        return false;
    fix(a, FIX_WORD, lad_vm_asm_word(a, 0), VM_NONE, name, label);
    return true;
}

static bool halt(struct assembler *a)
{
    static const char *const kinds[] = {"finish", "stop", "error"};
    const char *word;
    if (!lad_vm_asm_name(a, &word))
        return false;
    for (uint32_t i = 0; i < LAD_N(kinds); i++) {
        if (!strcmp(kinds[i], word)) {
            emit(a, VM_OP_HALT_SIM, i);
            return true;
        }
    }
    return lad_vm_asm_fail(a, "halt: expected finish, stop or error");
}

static bool raw_words(struct assembler *a)
{
    uint64_t n;
    do {
        if (!lad_vm_asm_number(a, &n) || n > UINT32_MAX)
            return a->failed ? false : lad_vm_asm_fail(a, "word: expected a number below 2^32");
        lad_vm_asm_word(a, (uint32_t)n);
    } while (lad_vm_asm_take(a, ','));
    a->text[a->n_text - 1].open = false; /* who writes words wants these and no others */
    return true;
}

static bool plain(struct assembler *a, const char *word, bool *known)
{
    static const struct {
        const char *word;
        uint32_t op;
        bool label;
    } rows[] = {{"done", VM_OP_DONE, false},
                {"noop", VM_OP_NOOP, false},
                {"ret", VM_OP_RET, false},
                {"jmp", VM_OP_JUMP, true},
                {"call", VM_OP_TASK_CALL, true}};
    *known = true;
    for (size_t i = 0; i < LAD_N(rows); i++) {
        if (strcmp(rows[i].word, word))
            continue;
        if (rows[i].label)
            return label_arg(a, rows[i].op);
        emit(a, rows[i].op, 0);
        return true;
    }
    *known = false;
    return true;
}

static bool table(struct assembler *a, const char *word)
{
    if (!strcmp(word, "set") || !strcmp(word, "nba")) {
        if (!lad_vm_asm_assign(a, word))
            return false;
        emit(a, *word == 's' ? VM_OP_ASSIGN : VM_OP_ASSIGN_NB, (uint32_t)a->n_asgn - 1);
    } else if (!strcmp(word, "dset") || !strcmp(word, "dnba") || !strncmp(word, "dnba.", 5)) {
        if (!lad_vm_asm_delay(a, word))
            return false;
        emit(a, VM_OP_ASSIGN_DELAY, (uint32_t)a->n_dasn - 1);
    } else if (!strcmp(word, "force") || !strcmp(word, "assign")) {
        if (!lad_vm_asm_force(a, word))
            return false;
        emit(a, VM_OP_FORCE, (uint32_t)a->n_force - 1);
    } else if (!strcmp(word, "release") || !strcmp(word, "deassign")) {
        if (!lad_vm_asm_force(a, word))
            return false;
        emit(a, VM_OP_RELEASE, (uint32_t)a->n_release - 1);
    } else {
        return lad_vm_asm_fail(a, "no such statement '%s'", word);
    }
    return true;
}

static bool service(struct assembler *a, const char *word)
{
    uint32_t id;
    if (!strcmp(word, "svc.ret")) {
        if (!lad_vm_asm_known(a, 's', "signal", &id))
            return false;
        *ADD(a, svcr) = (struct lad_vm_svcr){0, id, a->sigs[id].width, VM_NONE, VM_NONE, 0};
        emit(a, VM_OP_SERVICE_RET_ASSIGN, (uint32_t)a->n_svcr - 1);
        return true;
    }
    if (!strcmp(word, "svc.br") || !strcmp(word, "svc.brn")) {
        emit(a, VM_OP_SERVICE_RET_BRANCH, word[6] == 'n');
        return label_word(a) && lad_vm_asm_expect(a, ',') && label_word(a);
    }
    if (!lad_vm_asm_service(a, word))
        return false;
    emit(a, VM_OP_SERVICE_CALL, (uint32_t)a->n_svce - 1);
    return true;
}

bool lad_vm_asm_statement(struct assembler *a, const char *word)
{
    bool known;
    if (!a->n_text)
        return lad_vm_asm_fail(a, "'%s' stands before the first .proc", word);
    if (!plain(a, word, &known) || known)
        return !a->failed;
    if (!strcmp(word, "jif"))
        return jump_if(a);
    if (!strncmp(word, "case", 4))
        return lad_vm_asm_case(a, word);
    if (!strcmp(word, "repeat") || !strcmp(word, "repeat.s"))
        return repeat(a, word[6]);
    if (!strncmp(word, "wait.", 5))
        return wait(a, word + 5);
    if (!strcmp(word, "trigger"))
        return with_event(a, VM_OP_EVENT_TRIGGER);
    if (!strncmp(word, "fork.", 5))
        return fork_procs(a, word + 5);
    if (!strncmp(word, "disable.", 8))
        return disable(a, word + 8);
    if (!strncmp(word, "svc", 3))
        return service(a, word);
    if (!strcmp(word, "halt"))
        return halt(a);
    if (!strcmp(word, "word"))
        return raw_words(a);
    return table(a, word);
}
