/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler VM's reference: one launch of every instance, from the same buffers that a device gets. */
#include "vm_ref.h"
#include <string.h>

enum go lad_vm_fail(struct vm *m, uint32_t p, uint32_t ip, int error)
{
    *m->error = (uint32_t)error;
    *m->error_pid = p;
    *m->error_ip = p == VM_NONE ? VM_NONE : ip;
    *m->status = VM_ERROR_STATUS;
    if (p != VM_NONE) {
        m->state[p] = VM_DONE;
        m->wait_kind[p] = VM_WAIT_NONE;
        m->ip[p] = 0;
    }
    return GO_LAUNCH;
}

static bool hold(struct vm *m, int error)
{
    if (error)
        lad_vm_fail(m, VM_NONE, VM_NONE, error);
    return !error;
}

/* 6.4 step 2. The arena was zero: only what does not begin at zero is written after clearing it again. */
static void initialise(struct vm *m)
{
    uint32_t P = m->n_proc, E = m->parm[VM_PARM_EVENTS], R = m->n_rpt, F = m->parm[VM_PARM_FORCES];
    uint32_t PC = m->parm[VM_PARM_PASSIGNS], D = m->n_dasn, DN = m->parm[VM_PARM_DNBA], NB = m->parm[VM_PARM_NBA];
    uint32_t M = m->parm[VM_PARM_MONITORS], ST = m->parm[VM_PARM_STROBES], A = m->n_args, EP = m->n_eitm,
             SP = m->n_estr;
    uint32_t halt = *m->halt_mode, flags = *m->flags & (VM_FLAG_DEBUG | VM_FLAG_EXEC_READY);
#define VM_ARRAY(number, name, type, elements) memset(m->name, 0, (size_t)(elements) * sizeof(type));
#include "vm_layout.def"
    for (uint32_t p = 0; p < P; p++) {
        m->state[p] = p < m->parm[VM_PARM_ROOTS] ? VM_READY : VM_BLOCKED;
        m->parent[p] = m->procx[p].parent;
        m->join_tag[p] = m->procx[p].tag;
    }
    memset(m->force_id, 0xFF, (size_t)F * 4);
    memset(m->passign_id, 0xFF, (size_t)PC * 4);
    *m->halt_mode = halt;
    *m->flags = flags | VM_FLAG_INITIALIZED | VM_FLAG_ACTIVE_INIT;
    *m->error_pid = *m->error_ip = *m->cursor = VM_NONE;
    *m->monitor_enable = 1;
    memset(m->cond_val, 0, (size_t)P * m->n_cond_room * 4);
    memset(m->cond_xz, 0, (size_t)P * m->n_cond_room * 4);
    memset(m->ip, 0, (size_t)P * 4);
    memset(m->call_sp, 0, (size_t)P * 4);
    memset(m->frame, 0, (size_t)P * m->depth * VM_FRAME_WORDS * 4);
    *m->tail = *m->head = 0;
}

static bool any_process(const struct vm *m, uint32_t state, uint32_t kind)
{
    for (uint32_t p = 0; p < m->n_proc; p++)
        if (m->state[p] == state && (state == VM_READY || m->wait_kind[p] == kind))
            return true;
    return false;
}

static bool commit(struct vm *m)
{
    uint32_t n = *m->nba_count;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *log = m->nba_log + (size_t)i * VM_LOG_WORDS;
        struct target t = {log[0], log[1], log[2], log[3], false};
        lad_vm_store(m, &t, log[4] | (uint64_t)log[5] << 32, log[6] | (uint64_t)log[7] << 32);
    }
    *m->nba_count = 0;
    return hold(m, lad_vm_refresh(m));
}

/* The end of a sweep that left no process ready; false: the launch is over. */
static bool settle(struct vm *m)
{
    bool woke;
    if (!hold(m, lad_vm_refresh(m)) || !lad_vm_wake_pass(m, &woke))
        return false;
    if (woke)
        return true;
    for (uint32_t p = 0; p < m->n_proc; p++) {
        if (m->state[p] == VM_BLOCKED && m->wait_kind[p] == VM_WAIT_DELTA) {
            lad_vm_wake(m, p);
            woke = true;
        }
    }
    if (!woke)
        *m->phase = VM_NBA;
    return true;
}

/* 6.5: a sweep or what is left of one. False: the launch is over. */
static bool pass_active(struct vm *m, uint32_t *steps)
{
    if (*m->flags & VM_FLAG_ACTIVE_INIT) {
        *m->flags &= ~(uint32_t)VM_FLAG_ACTIVE_INIT;
        *m->cursor = VM_NONE;
        if (!hold(m, lad_vm_move_due(m)))
            return false;
    }
    if (*m->cursor == VM_NONE) {
        if (!hold(m, lad_vm_refresh(m)))
            return false;
        *m->cursor = 0;
    }
    while (*m->cursor < m->n_proc && *steps) {
        uint32_t p = *m->cursor;
        if (m->state[p] != VM_READY) {
            ++*m->cursor;
            continue;
        }
        enum go go = lad_vm_activate(m, p);
        if (go == GO_STALL)
            return false;
        --*steps;
        if (go == GO_LAUNCH)
            return false;
        if (go != GO_YIELD)
            ++*m->cursor;
    }
    if (*m->cursor < m->n_proc)
        return true;
    *m->cursor = VM_NONE;
    return any_process(m, VM_READY, 0) || settle(m);
}

/* 6.6 c to e: time moves on, or the simulation is over. */
static bool advance(struct vm *m)
{
    uint64_t next = UINT64_MAX;
    bool any = false;
    if (m->watch && m->watch->step_end)
        m->watch->step_end(m->watch->arg, m->gid, *m->time);
    for (uint32_t p = 0; p < m->n_proc; p++) {
        if (m->state[p] == VM_BLOCKED && m->wait_kind[p] == VM_WAIT_TIME) {
            any = true;
            next = m->wait_time[p] < next ? m->wait_time[p] : next;
        }
    }
    for (uint32_t i = 0; i < *m->dnba_count; i++) {
        any = true;
        next = m->dnba_time[i] < next ? m->dnba_time[i] : next;
    }
    if (!any) {
        *m->status = VM_FINISHED;
        return false;
    }
    *m->time = next;
    *m->instr_count = 0;
    for (uint32_t p = 0; p < m->n_proc; p++)
        if (m->state[p] == VM_BLOCKED && m->wait_kind[p] == VM_WAIT_TIME && m->wait_time[p] == next)
            lad_vm_wake(m, p);
    *m->flags |= VM_FLAG_ACTIVE_INIT;
    *m->phase = VM_ACTIVE;
    return true;
}

/* 6.6. False: the launch is over. */
static bool pass_nba(struct vm *m)
{
    if (*m->nba_count) {
        bool woke;
        if (!commit(m) || !lad_vm_wake_pass(m, &woke))
            return false;
        if (woke) {
            *m->phase = VM_ACTIVE;
            *m->cursor = VM_NONE;
            return true;
        }
    }
    return lad_vm_postponed(m) && advance(m);
}

/* 6.4. */
static void launch(struct vm *m)
{
    if (!(*m->flags & VM_FLAG_INITIALIZED))
        initialise(m);
    m->debug = *m->flags & VM_FLAG_DEBUG;
    if (m->debug) {
        m->debug_words[12] = m->gid;
        m->debug_words[13] = m->gid / VM_GROUP;
        m->debug_words[14] = m->gid % VM_GROUP;
        m->debug_words[15] = 0;
    }
    if (*m->status >= VM_FINISHED)
        return;
    uint32_t halt = *m->halt_mode;
    if (halt != VM_NONE) {
        *m->halt_mode = VM_NONE;
        if (halt == VM_HALT_FINISH)
            *m->status = VM_FINISHED;
        else if (halt == VM_HALT_STOP)
            *m->status = VM_STOPPED;
        else
            lad_vm_fail(m, VM_NONE, VM_NONE, VM_ERROR_HALT);
        return;
    }
    *m->status = VM_IDLE;
    if (any_process(m, VM_BLOCKED, VM_WAIT_SERVICE))
        return;
    *m->status = VM_RUNNING;
    uint32_t steps = m->max_steps;
    while (steps && (*m->phase == VM_ACTIVE ? pass_active(m, &steps) : pass_nba(m)))
        ;
    if (*m->status == VM_RUNNING)
        *m->status = VM_IDLE;
}

static void find_program(struct vm *m, const struct lad_vm_tables *t, const struct lad_vm_companions *c)
{
    const uint32_t *params = c->params, *n = params + VM_P_TABLE_COUNT;
    void *const *at = t->table;
    m->parm = params + VM_P_PARM;
    m->n_proc = m->parm[VM_PARM_P];
    m->depth = m->parm[VM_PARM_DEPTH];
    m->max_steps = params[VM_P_MAX_STEPS];
    m->limit = params[VM_P_MAX_PROC_STEPS] ? params[VM_P_MAX_PROC_STEPS] : m->max_steps;
    m->capacity = params[VM_P_CAPACITY];
    m->n_args = m->parm[VM_PARM_ARGS] ? m->parm[VM_PARM_ARGS] : 1;
    m->record_bytes = 16 + 24 * m->n_args + 16 * m->n_args * m->parm[VM_PARM_WIDE_WORDS];
    m->runaway = m->parm[VM_PARM_RUNAWAY] | (uint64_t)m->parm[VM_PARM_RUNAWAY_HIGH] << 32;
    m->two_state = m->parm[VM_PARM_STATES] == 2;
    m->known = m->two_state ? UINT64_MAX : 0;
    m->code = at[0];
    m->cond = at[5];
    m->n_cond = n[5];
    m->n_cond_room = n[5] ? n[5] : 1;
    m->signal = at[6];
    m->n_signal = n[6];
    m->cash = at[10];
    m->n_cash = n[10];
    m->label = at[11];
    m->casw = at[12];
    m->expr = at[13];
    m->n_expr = n[13];
    m->imm = at[14];
    m->n_imm = n[14];
    m->dasn = at[15];
    m->n_dasn = n[15];
    m->asgn = at[16];
    m->n_asgn = n[16];
    m->force = at[17];
    m->n_force = n[17];
    m->release = at[18];
    m->n_release = n[18];
    m->svce = at[19];
    m->n_svce = n[19];
    m->svca = at[20];
    m->n_svca = n[20];
    m->svcr = at[21];
    m->n_svcr = n[21];
    const char *statics = c->statics;
#define VM_STATIC(number, field, type)                                                                                 \
    m->field = (const type *)(statics + params[VM_P_STATIC_OFFSET + number]);                                          \
    m->n_##field = params[VM_P_STATIC_COUNT + number];
#include "vm_layout.def"
    m->signals = c->state;
    m->shadow = c->shadow;
    m->watch = c->watch;
}

static void find_instance(struct vm *m, uint32_t gid, const struct lad_vm_tables *t, const struct lad_vm_companions *c)
{
    uint32_t count = c->params[VM_P_COUNT];
    size_t P = m->n_proc, first = (size_t)gid * P, E = m->parm[VM_PARM_EVENTS], R = m->n_rpt,
           F = m->parm[VM_PARM_FORCES];
    size_t PC = m->parm[VM_PARM_PASSIGNS], D = m->n_dasn, DN = m->parm[VM_PARM_DNBA], NB = m->parm[VM_PARM_NBA];
    size_t M = m->parm[VM_PARM_MONITORS], ST = m->parm[VM_PARM_STROBES], A = m->n_args, EP = m->n_eitm, SP = m->n_estr;
    void *const *at = t->table;
    m->gid = gid;
    m->offset = (const uint32_t *)at[1] + first;
    m->length = (const uint32_t *)at[2] + first;
    m->cond_val = (uint32_t *)at[3] + first * m->n_cond_room;
    m->cond_xz = (uint32_t *)at[4] + first * m->n_cond_room;
    m->ip = (uint32_t *)at[7] + first;
    m->call_sp = (uint32_t *)at[8] + first;
    m->frame = (uint32_t *)at[9] + first * m->depth * VM_FRAME_WORDS;
#define VM_ARRAY(number, name, type, elements)                                                                         \
    m->name = (type *)((char *)c->arena + c->params[VM_P_ARRAY_OFFSET + number]) + gid * (size_t)(elements);
#include "vm_layout.def"
    m->tail = (uint32_t *)c->ring + gid;
    m->head = (uint32_t *)c->ring + count + gid;
    m->records = (unsigned char *)c->ring + 8 * (size_t)count + (size_t)gid * m->capacity * m->record_bytes;
    m->debug_words = c->debug + (size_t)gid * VM_DEBUG_WORDS;
}

void lad_vm_ref_table(const struct lad_vm_tables *t, const struct lad_vm_companions *c)
{
    struct vm m;
    find_program(&m, t, c);
    for (uint32_t gid = 0; gid < c->params[VM_P_COUNT]; gid++) {
        find_instance(&m, gid, t, c);
        launch(&m);
    }
}

void lad_vm_ref_packed(void *arena, const uint32_t offset[VM_TABLES], const struct lad_vm_companions *c)
{
    struct lad_vm_tables t;
    for (int i = 0; i < VM_TABLES; i++)
        t.table[i] = (char *)arena + offset[i];
    lad_vm_ref_table(&t, c);
}

void lad_vm_ref_direct(void *b0, void *b1, void *b2, void *b3, void *b4, void *b5, void *b6, void *b7, void *b8,
                       void *b9, void *b10, void *b11, void *b12, void *b13, void *b14, void *b15, void *b16, void *b17,
                       void *b18, void *b19, void *b20, void *b21, const struct lad_vm_companions *c)
{
    struct lad_vm_tables t = {
        {b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21}};
    lad_vm_ref_table(&t, c);
}
