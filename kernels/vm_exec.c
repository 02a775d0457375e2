/* SPDX-License-Identifier: Apache-2.0 */
/* The reference's activation loop and its instructions. Checks come in the specification's order, before any effect. */
#include "vm_ref.h"
#include <string.h>

#define FAIL(code) return lad_vm_fail(m, p, ip, VM_ERROR_##code)
#define NEED(k)                                                                                                        \
    do {                                                                                                               \
        if ((k) > length - 1 - ip)                                                                                     \
            FAIL(IP_RANGE);                                                                                            \
    } while (0)
#define TGT(x)                                                                                                         \
    do {                                                                                                               \
        if ((x) >= length)                                                                                             \
            FAIL(IP_RANGE);                                                                                            \
    } while (0)
#define TAB(a, n)                                                                                                      \
    do {                                                                                                               \
        if ((a) >= (n))                                                                                                \
            FAIL(TABLE_INDEX);                                                                                         \
    } while (0)
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        int error_ = (expression);                                                                                     \
        if (error_)                                                                                                    \
            return lad_vm_fail(m, p, ip, error_);                                                                      \
    } while (0)

static inline enum go assign(struct vm *m, uint32_t p, uint32_t ip, uint32_t id, bool nonblocking)
{
    struct cell value;
    struct target t;
    TAB(id, m->n_asgn);
    const struct lad_vm_asgn *a = &m->asgn[id];
    if ((a->flags & (VM_ASGN_NONBLOCKING | VM_ASGN_FALLBACK)) != (nonblocking ? VM_ASGN_NONBLOCKING : 0))
        FAIL(ENTRY);
    TAB(a->signal, m->n_signal);
    if (a->flags & VM_ASGN_WIDE_CONST)
        FAIL(CAPABILITY);
    TRY(lad_vm_eval(m, a->rhs, &value));
    if (!(a->flags & ~(uint32_t)VM_ASGN_NONBLOCKING) && m->signal[a->signal].array_size == 1)
        t = (struct target){a->signal, 0, 0, m->signal[a->signal].width,
                            false}; /* the commonest shape, without a call */
    else
        TRY(lad_vm_resolve(m, a, NULL, &t));
    uint64_t mask = lad_vm_mask(a->width);
    if (nonblocking)
        TRY(lad_vm_log(m, &t, value.v & mask, value.x & mask));
    else if (!t.ignored)
        lad_vm_store(m, &t, value.v & mask, value.x & mask);
    m->ip[p] = ip + 1;
    return GO_ON;
}

/* Position of the label that matches, among `n` labels listed in `list`, or in order where that is NULL; NONE: none. */
static uint32_t match(const struct vm *m, const struct lad_vm_cash *c, const struct cell *value, const uint64_t *list,
                      uint64_t n)
{
    const struct lad_vm_label *label = m->label + c->entry_offset;
    uint64_t mask = lad_vm_mask(c->width);
    for (uint64_t i = 0; i < n; i++) {
        const struct lad_vm_label *l = &label[list ? list[i] : i];
        uint64_t want = m->casw[l->want] & mask, aux = m->casw[l->care] & mask, ignored = 0;
        if (c->kind == VM_CASE_X)
            ignored = value->x | aux;
        else if (c->kind == VM_CASE_Z)
            ignored = (value->x & ~value->v) | (aux & ~want);
        if (!(((value->v ^ want) | (value->x ^ aux)) & ~ignored))
            return l->target;
    }
    return VM_NONE;
}

static int match_case(const struct vm *m, uint32_t id, uint32_t *item)
{
    const struct lad_vm_cash *c = &m->cash[id];
    struct cell value;
    *item = VM_NONE;
    if (!c->entry_count)
        return 0;
    int error = lad_vm_eval(m, c->expr, &value);
    if (error)
        return error;
    if (value.w != c->width)
        return VM_ERROR_CASE;
    if (c->strategy == VM_CASE_LINEAR || value.x) {
        *item = match(m, c, &value, NULL, c->entry_count);
        return 0;
    }
    const struct lad_vm_label *index = &m->label[c->entry_offset + c->entry_count];
    const uint64_t *block = m->casw + index->want;
    if (c->strategy == VM_CASE_LUT) {
        *item = (uint32_t)block[value.v];
        return 0;
    }
    uint64_t bucket = value.v & lad_vm_mask(index->target);
    const uint64_t *list = block + (1ull << index->target) + 1;
    *item = match(m, c, &value, list + block[bucket], block[bucket + 1] - block[bucket]);
    return 0;
}

static enum go run_case(struct vm *m, uint32_t p, uint32_t ip, const uint32_t *word, uint32_t length)
{
    uint32_t item, target;
    NEED(1u);
    uint32_t n = word[1];
    NEED((uint64_t)n + 2);
    TAB(*word >> 8, m->n_cash);
    TRY(match_case(m, *word >> 8, &item));
    if (item != VM_NONE && item >= n)
        FAIL(CASE);
    target = word[2 + (item == VM_NONE ? n : item)];
    TGT(target);
    m->ip[p] = target;
    return GO_ON;
}

static enum go repeat(struct vm *m, uint32_t p, uint32_t ip, const uint32_t *word, uint32_t length)
{
    uint32_t id = *word >> 8;
    struct cell count;
    NEED(2u);
    TAB(id, m->n_rpt);
    TGT(word[1]);
    TGT(word[2]);
    if (!m->repeat_active[id]) {
        TRY(lad_vm_eval(m, m->rpt[id].expr, &count));
        bool negative = m->rpt[id].flags & VM_RPT_SIGNED && count.v >> (count.w - 1) & 1;
        m->repeat_left[id] = count.x || negative ? 0 : (uint32_t)count.v;
        m->repeat_active[id] = 1;
    }
    if (!m->repeat_left[id] || word[1] == word[2]) {
        m->repeat_left[id] = m->repeat_active[id] = 0;
        m->ip[p] = word[2];
    } else {
        m->repeat_left[id]--;
        m->ip[p] = word[1];
    }
    return GO_ON;
}

/* Evaluates a condition and leaves what came out where the host can see it. */
static int test_cond(struct vm *m, uint32_t p, uint32_t id, int *truth)
{
    int error = lad_vm_cond(m, id, truth);
    if (!error) {
        m->cond_val[(size_t)p * m->n_cond_room + id] = *truth == TRUTH_1;
        m->cond_xz[(size_t)p * m->n_cond_room + id] = *truth == TRUTH_X;
    }
    return error;
}

static enum go wait_time(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    struct cell c;
    TAB(id, m->n_dly);
    const struct lad_vm_dly *d = &m->dly[id];
    uint64_t delay = d->low | (uint64_t)d->high << 32;
    if (d->kind) {
        TRY(lad_vm_eval(m, d->expr, &c));
        delay = c.x ? 0 : c.v;
    }
    if (*m->time + delay < *m->time)
        FAIL(TIME);
    m->wait_time[p] = *m->time + delay;
    m->ip[p] = ip + 1;
    lad_vm_block(m, p, delay ? VM_WAIT_TIME : VM_WAIT_DELTA);
    return GO_END;
}

static enum go wait_cond(struct vm *m, uint32_t p, uint32_t ip, const uint32_t *word, uint32_t length)
{
    int truth;
    NEED(1u);
    TAB(*word >> 8, m->n_cond);
    TAB(word[1], m->n_wcnd);
    TRY(test_cond(m, p, *word >> 8, &truth));
    m->ip[p] = ip + 2;
    if (truth == TRUTH_1)
        return GO_ON;
    m->wait_id[p] = word[1];
    lad_vm_block(m, p, VM_WAIT_COND);
    return GO_END;
}

static enum go trigger(struct vm *m, uint32_t p, uint32_t ip, uint32_t event)
{
    TAB(event, m->parm[VM_PARM_EVENTS]);
    m->event_pending[event] = 1;
    for (uint32_t q = 0; q < m->n_proc; q++)
        if (m->state[q] == VM_BLOCKED && m->wait_kind[q] == VM_WAIT_EVENT && m->wait_event[q] == event)
            m->wait_id[q] = 1;
    m->ip[p] = ip + 1;
    return GO_ON;
}

static enum go assign_return(struct vm *m, uint32_t p, uint32_t ip, uint32_t id)
{
    TAB(id, m->n_svcr);
    const struct lad_vm_svcr *r = &m->svcr[id];
    if (r->flags & VM_SVCR_FALLBACK)
        FAIL(ENTRY);
    TAB(r->signal, m->n_signal);
    if (m->signal[r->signal].array_size != 1)
        FAIL(ENTRY);
    struct target t = {r->signal, 0, 0, m->signal[r->signal].width, false};
    lad_vm_store(m, &t, m->wait_time[p] & lad_vm_mask(r->width ? r->width : t.width), 0);
    m->ip[p] = ip + 1;
    return GO_ON;
}

static enum go call_task(struct vm *m, uint32_t p, uint32_t ip, uint32_t target, uint32_t length)
{
    if (m->call_sp[p] >= m->depth)
        FAIL(CALL_DEPTH);
    TGT(target);
    uint32_t frame[VM_FRAME_WORDS] = {ip + 1};
    memcpy(m->frame + ((size_t)p * m->depth + m->call_sp[p]++) * VM_FRAME_WORDS, frame, sizeof frame);
    m->ip[p] = target;
    return GO_ON;
}

static enum go return_from_task(struct vm *m, uint32_t p, uint32_t ip, uint32_t length)
{
    if (!m->call_sp[p])
        FAIL(RET_EMPTY);
    uint32_t back = m->frame[((size_t)p * m->depth + m->call_sp[p] - 1) * VM_FRAME_WORDS];
    TGT(back);
    m->call_sp[p]--;
    m->ip[p] = back;
    return GO_ON;
}

static enum go halt(struct vm *m, uint32_t p, uint32_t ip, uint32_t kind)
{
    if (kind > VM_HALT_STOP)
        FAIL(HALT);
    m->state[p] = VM_DONE;
    m->ip[p] = 0;
    *m->status = kind == VM_HALT_FINISH ? VM_FINISHED : VM_STOPPED;
    return GO_LAUNCH;
}

static inline enum go execute(struct vm *m, uint32_t p, uint32_t ip, const uint32_t *word, uint32_t length)
{
    uint32_t arg = *word >> 8;
    int truth;
    switch (*word & 0xFF) {
    case VM_OP_DONE:
        m->state[p] = VM_DONE;
        m->wait_kind[p] = VM_WAIT_NONE;
        m->ip[p] = 0;
        lad_vm_notify(m, p);
        return GO_END;
    case VM_OP_NOOP:
        m->ip[p] = ip + 1;
        return GO_ON;
    case VM_OP_JUMP:
        TGT(arg);
        m->ip[p] = arg;
        return GO_ON;
    case VM_OP_JUMP_IF:
        NEED(1u);
        TAB(arg, m->n_cond);
        TGT(word[1]);
        TRY(test_cond(m, p, arg, &truth));
        m->ip[p] = truth == TRUTH_1 ? word[1] : ip + 2;
        return GO_ON;
    case VM_OP_CASE:
        return run_case(m, p, ip, word, length);
    case VM_OP_REPEAT:
        return repeat(m, p, ip, word, length);
    case VM_OP_ASSIGN:
        return assign(m, p, ip, arg, false);
    case VM_OP_ASSIGN_NB:
        return assign(m, p, ip, arg, true);
    case VM_OP_ASSIGN_DELAY:
        return lad_vm_assign_delay(m, p, ip, arg);
    case VM_OP_FORCE:
        return lad_vm_force(m, p, ip, arg);
    case VM_OP_RELEASE:
        return lad_vm_release(m, p, ip, arg);
    case VM_OP_WAIT_TIME:
        return wait_time(m, p, ip, arg);
    case VM_OP_WAIT_DELTA:
        m->wait_time[p] = *m->time;
        m->ip[p] = ip + 1;
        lad_vm_block(m, p, VM_WAIT_DELTA);
        return GO_END;
    case VM_OP_WAIT_EVENT:
        TAB(arg, m->parm[VM_PARM_EVENTS]);
        m->wait_event[p] = arg;
        m->wait_id[p] = 0;
        m->ip[p] = ip + 1;
        lad_vm_block(m, p, VM_WAIT_EVENT);
        return GO_END;
    case VM_OP_WAIT_EDGE:
        TAB(arg, m->n_ewat);
        TRY(lad_vm_sample(m, arg));
        m->wait_id[p] = arg;
        m->wait_edge_kind[p] = m->ewat[arg].kind;
        m->ip[p] = ip + 1;
        lad_vm_block(m, p, VM_WAIT_EDGE);
        return GO_END;
    case VM_OP_WAIT_COND:
        return wait_cond(m, p, ip, word, length);
    case VM_OP_WAIT_JOIN:
        return lad_vm_join(m, p, ip, arg);
    case VM_OP_WAIT_SERVICE:
        m->wait_time[p] = 0;
        m->ip[p] = ip + 1;
        lad_vm_block(m, p, VM_WAIT_SERVICE);
        return GO_LAUNCH;
    case VM_OP_EVENT_TRIGGER:
        return trigger(m, p, ip, arg);
    case VM_OP_FORK:
        return lad_vm_fork(m, p, ip, word, length);
    case VM_OP_DISABLE:
        return lad_vm_disable(m, p, ip, word, length);
    case VM_OP_SERVICE_CALL:
        return lad_vm_call_service(m, p, ip, arg);
    case VM_OP_SERVICE_RET_ASSIGN:
        return assign_return(m, p, ip, arg);
    case VM_OP_SERVICE_RET_BRANCH:
        NEED(2u);
        TGT(word[1]);
        TGT(word[2]);
        m->ip[p] = (m->wait_time[p] & 1) != (arg != 0) ? word[1] : word[2];
        return GO_ON;
    case VM_OP_TASK_CALL:
        return call_task(m, p, ip, arg, length);
    case VM_OP_RET:
        return return_from_task(m, p, ip, length);
    case VM_OP_HALT_SIM:
        return halt(m, p, ip, arg);
    default: /* CALL_GROUP, too */
        FAIL(OPCODE);
    }
}

static void note_fetch(struct vm *m, uint32_t p, const uint32_t *code, uint32_t length, uint32_t ip)
{
    uint32_t *d = m->debug_words;
    d[0] = VM_DEBUG_MAGIC;
    d[1] = m->offset[p];
    d[2] = length;
    d[3] = length ? ip : 0;
    d[4] = ip < length ? code[ip] : 0;
    d[5] = length ? code[0] : 0;
    d[6] = length > 1 ? code[1] : 0;
    d[7] = m->code[0];
    d[8] = m->code[1];
    d[9] = m->n_proc;
    d[10] = m->gid * m->n_proc + p;
    d[11] = *m->flags;
}

static bool stalls(const struct vm *m, uint32_t p, uint32_t word)
{
    uint32_t op = word & 0xFF;
    return op == VM_OP_SERVICE_CALL ? lad_vm_service_stalls(m, word >> 8)
                                    : op == VM_OP_ASSIGN_DELAY && lad_vm_delay_stalls(m, p, word >> 8);
}

enum go lad_vm_activate(struct vm *m, uint32_t p)
{
    const uint32_t *code = m->code + m->offset[p], length = m->length[p];
    if (m->watch && m->watch->activation)
        m->watch->activation(m->watch->arg, m->gid, p, m->ip[p], *m->time);
    for (uint32_t n = 0; n < m->limit; n++) {
        uint32_t ip = m->ip[p];
        if (m->debug)
            note_fetch(m, p, code, length, ip);
        if (!length)
            FAIL(EMPTY_PROC);
        if (ip >= length)
            FAIL(IP_RANGE);
        if (stalls(m, p, code[ip]))
            return GO_STALL;
        if (m->runaway && *m->instr_count >= m->runaway)
            FAIL(RUNAWAY);
        ++*m->instr_count;
        enum go go = execute(m, p, ip, code + ip, length);
        if (go != GO_ON)
            return go;
    }
    return GO_YIELD;
}
