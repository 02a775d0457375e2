/* SPDX-License-Identifier: Apache-2.0 */
/* Fork, join and disable of the reference. */
#include "vm_ref.h"

static bool is_live(const struct vm *m, uint32_t q)
{
    return m->state[q] == VM_READY || (m->state[q] == VM_BLOCKED && m->wait_kind[q] != VM_WAIT_NONE);
}

static void clear_loops(struct vm *m, uint32_t q, uint32_t target)
{
    for (uint32_t i = 0; i < m->n_rpt; i++)
        if (m->rpt[i].owner == q && !(m->rpt[i].begin <= target && target < m->rpt[i].after))
            m->repeat_left[i] = m->repeat_active[i] = 0;
}

void lad_vm_notify(struct vm *m, uint32_t q)
{
    uint32_t a = m->parent[q];
    if (a == VM_NONE || m->state[a] != VM_BLOCKED || m->wait_kind[a] != VM_WAIT_JOIN || m->wait_id[a] != m->join_tag[q])
        return;
    if (m->join_count[a])
        m->join_count[a]--;
    if (!m->join_count[a])
        lad_vm_wake(m, a);
}

static bool descends(const struct vm *m, uint32_t q, uint32_t from)
{
    while (q != VM_NONE && q != from)
        q = m->parent[q];
    return q == from;
}

static void kill(struct vm *m, uint32_t r)
{
    for (uint32_t q = 0; q < m->n_proc; q++) {
        if (!is_live(m, q) || !descends(m, q, r))
            continue;
        m->state[q] = VM_DONE;
        m->wait_kind[q] = VM_WAIT_NONE;
        m->wait_id[q] = m->ip[q] = m->call_sp[q] = m->join_count[q] = 0;
    }
    lad_vm_notify(m, r);
}

enum go lad_vm_fork(struct vm *m, uint32_t p, uint32_t ip, const uint32_t *word, uint32_t length)
{
    uint32_t n = *word >> 8 & 0xFFFF, kind = *word >> 24 & 3;
    if (n > length - 1 - ip)
        return lad_vm_fail(m, p, ip, VM_ERROR_IP_RANGE);
    if (!n || kind == 3)
        return lad_vm_fail(m, p, ip, VM_ERROR_FORK);
    for (uint32_t i = 1; i <= n; i++) {
        if (word[i] >= m->n_proc)
            return lad_vm_fail(m, p, ip, VM_ERROR_PID);
        if (is_live(m, word[i]))
            return lad_vm_fail(m, p, ip, VM_ERROR_FORK);
    }
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t c = word[i];
        m->ip[c] = m->call_sp[c] = m->join_count[c] = m->wait_id[c] = m->wait_event[c] = 0;
        m->wait_time[c] = 0;
        lad_vm_wake(m, c);
        for (uint32_t k = 0; k < m->n_rpt; k++)
            if (m->rpt[k].owner == c)
                m->repeat_left[k] = m->repeat_active[k] = 0;
    }
    m->ip[p] = ip + 1 + n;
    if (kind == VM_JOIN_NONE)
        return GO_ON;
    m->join_count[p] = kind == VM_JOIN_ALL ? n : 1;
    m->wait_id[p] = m->join_tag[word[1]];
    lad_vm_block(m, p, VM_WAIT_JOIN);
    return GO_END;
}

enum go lad_vm_join(struct vm *m, uint32_t p, uint32_t ip, uint32_t tag)
{
    uint32_t count = 0;
    for (uint32_t q = 0; q < m->n_proc; q++)
        count += m->parent[q] == p && m->join_tag[q] == tag && is_live(m, q);
    m->ip[p] = ip + 1;
    if (!count)
        return GO_ON;
    m->join_count[p] = count;
    m->wait_id[p] = tag;
    lad_vm_block(m, p, VM_WAIT_JOIN);
    return GO_END;
}

static const struct lad_vm_blk *find_block(const struct vm *m, uint32_t pid, uint32_t end)
{
    for (uint32_t i = 0; i < m->n_blk; i++)
        if (m->blk[i].pid == pid && m->blk[i].end == end)
            return &m->blk[i];
    return NULL;
}

/* The highest level of process t whose caller is inside the block; NONE: no caller is. */
static uint32_t find_caller(const struct vm *m, uint32_t t, const struct lad_vm_blk *b)
{
    for (uint32_t k = m->call_sp[t]; k--;) {
        uint32_t back = m->frame[((size_t)t * m->depth + k) * VM_FRAME_WORDS];
        if (b->begin < back && back <= b->end)
            return k;
    }
    return VM_NONE;
}

/* Process t, not the one running: the level at which it is inside the block, NONE when it is not. */
static uint32_t find_level(const struct vm *m, uint32_t t, const struct lad_vm_blk *b)
{
    uint32_t at = m->ip[t];
    bool inside;
    if (m->wait_id[t] >> 31)
        inside = b->begin <= at && at < b->end;
    else if (m->state[t] == VM_BLOCKED)
        inside = b->begin < at && at <= b->end;
    else
        inside = b->begin < at && at < b->end;
    return inside ? m->call_sp[t] : find_caller(m, t, b);
}

static enum go leave_block(struct vm *m, uint32_t p, uint32_t ip, uint32_t target)
{
    const struct lad_vm_blk *b = find_block(m, p, target);
    if (b && !(b->begin <= ip && ip < b->end)) {
        uint32_t level = find_caller(m, p, b);
        if (level != VM_NONE)
            m->call_sp[p] = level;
    }
    clear_loops(m, p, target);
    m->ip[p] = target;
    return GO_ON;
}

static void disable_other(struct vm *m, uint32_t t, uint32_t target)
{
    const struct lad_vm_blk *b = find_block(m, t, target);
    uint32_t level = b ? find_level(m, t, b) : 0;
    if (!is_live(m, t) || level == VM_NONE)
        return;
    bool joining = m->state[t] == VM_BLOCKED && m->wait_kind[t] == VM_WAIT_JOIN;
    uint32_t tag = m->wait_id[t];
    m->ip[t] = target;
    m->call_sp[t] = level;
    m->join_count[t] = m->wait_id[t] = 0;
    lad_vm_wake(m, t);
    clear_loops(m, t, target);
    for (uint32_t c = 0; c < m->n_proc && joining; c++)
        if (m->parent[c] == t && m->join_tag[c] == tag && is_live(m, c))
            kill(m, c);
}

enum go lad_vm_disable(struct vm *m, uint32_t p, uint32_t ip, const uint32_t *word, uint32_t length)
{
    uint32_t kind = *word >> 8, n = kind == VM_DISABLE_CROSS ? 2 : 1;
    if (kind > VM_DISABLE_CROSS)
        return lad_vm_fail(m, p, ip, VM_ERROR_ENTRY);
    if (n > length - 1 - ip)
        return lad_vm_fail(m, p, ip, VM_ERROR_IP_RANGE);
    if (kind == VM_DISABLE_BLOCK)
        return word[1] < length ? leave_block(m, p, ip, word[1]) : lad_vm_fail(m, p, ip, VM_ERROR_IP_RANGE);
    uint32_t t = word[1];
    if (t >= m->n_proc)
        return lad_vm_fail(m, p, ip, VM_ERROR_PID);
    if (kind == VM_DISABLE_CHILD) {
        m->ip[p] = ip + 2;
        if (is_live(m, t))
            kill(m, t);
    } else {
        if (word[2] >= m->length[t])
            return lad_vm_fail(m, p, ip, VM_ERROR_IP_RANGE);
        if (t == p)
            return leave_block(m, p, ip, word[2]);
        m->ip[p] = ip + 3;
        disable_other(m, t, word[2]);
    }
    return m->state[p] == VM_READY ? GO_ON : GO_END;
}
