/* SPDX-License-Identifier: Apache-2.0 */
/* Two sets of buffers, compared as the specification says; the first difference is told with its place. */
#include "vm.h"
#include <string.h>

struct pair {
    const struct lad_vm_image *a, *b;
    uint32_t gid, gid_b; /* the instance in a, and in b */
    struct lad_vm_diff *diff;
};

static bool differ(struct pair *p, uint32_t pid, uint64_t a, uint64_t b)
{
    struct lad_vm_diff *d = p->diff;
    const uint32_t *debug = p->a->companions.debug + (size_t)p->gid * VM_DEBUG_WORDS;
    uint32_t n = p->a->program->n_proc;
    d->gid = p->gid;
    d->time = *LAD_VM_U64(p->a, time, p->gid);
    d->a = a;
    d->b = b;
    d->pid = pid;
    d->ip = VM_NONE;
    if (pid != VM_NONE) {
        d->ip = ((const uint32_t *)p->a->tables.table[7])[(size_t)p->gid * n + pid];
    } else if (debug[0] == VM_DEBUG_MAGIC) {
        d->pid = debug[10] - p->gid * n;
        d->ip = debug[3];
    }
    return false;
}

static bool compare_signals(struct pair *p)
{
    const struct lad_vm_program *q = p->a->program;
    for (uint32_t i = 0; i < q->n_sigs; i++) {
        for (uint32_t e = 0; e < q->sigs[i].array_size; e++) {
            uint64_t a, b;
            lad_vm_signal_get(p->a, p->gid, i, e, &a, &p->diff->xz_a);
            lad_vm_signal_get(p->b, p->gid_b, i, e, &b, &p->diff->xz_b);
            if (a == b && p->diff->xz_a == p->diff->xz_b)
                continue;
            snprintf(p->diff->what, sizeof p->diff->what, q->sigs[i].array_size > 1 ? "signal %s[%u]" : "signal %s",
                     lad_vm_name(q, q->sigs[i].name), e);
            return differ(p, VM_NONE, a, b);
        }
    }
    p->diff->xz_a = p->diff->xz_b = 0;
    return true;
}

static uint64_t element(const void *array, size_t i, uint32_t bytes)
{
    uint64_t v = 0;
    memcpy(&v, (const char *)array + i * bytes, bytes);
    return v;
}

/* Is slot i of the saved delay values in use? */
static bool is_pending(const struct pair *p, uint32_t i)
{
    const uint32_t *id = LAD_VM_U32(p->a, wait_id, p->gid);
    for (uint32_t q = 0; q < p->a->program->n_proc; q++)
        if (id[q] == (0x80000000u | i))
            return true;
    return false;
}

static uint32_t used_elements(const struct pair *p, int array)
{
    uint32_t n = p->a->array_n[array], used = n;
    if (array >= LAD_VM_ARRAY_dnba_time && array <= LAD_VM_ARRAY_dnba_index_xz)
        used = *LAD_VM_U32(p->a, dnba_count, p->gid);
    if (array == LAD_VM_ARRAY_nba_log)
        used = *LAD_VM_U32(p->a, nba_count, p->gid) * VM_LOG_WORDS;
    return used < n ? used : n;
}

static bool compare_arrays(struct pair *p)
{
    for (int k = 0; k < VM_ARRAYS; k++) {
        const void *a = lad_vm_array(p->a, k, p->gid), *b = lad_vm_array(p->b, k, p->gid_b);
        uint32_t bytes = lad_vm_arrays[k].bytes, n = used_elements(p, k);
        if (!memcmp(a, b, (size_t)n * bytes))
            continue;
        for (uint32_t i = 0; i < n; i++) {
            if (element(a, i, bytes) == element(b, i, bytes))
                continue;
            if ((k == LAD_VM_ARRAY_delay_val || k == LAD_VM_ARRAY_delay_xz) && !is_pending(p, i))
                continue;
            bool process = k <= LAD_VM_ARRAY_join_tag;
            snprintf(p->diff->what, sizeof p->diff->what, n > 1 ? "sched_%s[%u]" : "sched_%s", lad_vm_arrays[k].name,
                     i);
            return differ(p, process ? i : VM_NONE, element(a, i, bytes), element(b, i, bytes));
        }
    }
    return true;
}

/* Words of a table that belong to process pid. */
static bool compare_words(struct pair *p, int table, uint32_t pid, uint32_t each, uint32_t used)
{
    size_t n = p->a->program->n_proc;
    const uint32_t *a = (const uint32_t *)p->a->tables.table[table] + (p->gid * n + pid) * each,
                   *b = (const uint32_t *)p->b->tables.table[table] + (p->gid_b * n + pid) * each;
    for (uint32_t i = 0; i < used; i++) {
        if (a[i] == b[i])
            continue;
        snprintf(p->diff->what, sizeof p->diff->what, "sched_vm_%s[%u][%u]", lad_vm_tables[table].name, pid, i);
        return differ(p, pid, a[i], b[i]);
    }
    return true;
}

static bool compare_tables(struct pair *p)
{
    const struct lad_vm_program *q = p->a->program;
    uint32_t conds = q->n_cond ? q->n_cond : 1, depth = q->parm[VM_PARM_DEPTH];
    const uint32_t *sp = (const uint32_t *)p->a->tables.table[8] + (size_t)p->gid * q->n_proc;
    for (uint32_t i = 0; i < q->n_proc; i++) {
        uint32_t frames = sp[i] < depth ? sp[i] : depth;
        if (!compare_words(p, 3, i, conds, conds) || !compare_words(p, 4, i, conds, conds) ||
            !compare_words(p, 7, i, 1, 1) || !compare_words(p, 8, i, 1, 1) ||
            !compare_words(p, 9, i, depth * VM_FRAME_WORDS, frames * VM_FRAME_WORDS))
            return false;
    }
    return true;
}

static bool compare_ring(struct pair *p)
{
    uint32_t tail = *lad_vm_ring_tail(p->a, p->gid), head = *lad_vm_ring_head(p->a, p->gid);
    snprintf(p->diff->what, sizeof p->diff->what, "records produced");
    if (tail != *lad_vm_ring_tail(p->b, p->gid_b))
        return differ(p, VM_NONE, tail, *lad_vm_ring_tail(p->b, p->gid_b));
    snprintf(p->diff->what, sizeof p->diff->what, "records consumed");
    if (head != *lad_vm_ring_head(p->b, p->gid_b))
        return differ(p, VM_NONE, head, *lad_vm_ring_head(p->b, p->gid_b));
    for (uint32_t n = head; n != tail && n - head < p->a->shape.capacity; n++) {
        const char *a = lad_vm_record(p->a, p->gid, n), *b = lad_vm_record(p->b, p->gid_b, n);
        for (uint32_t i = 0; i < p->a->record_bytes; i += 4) {
            if (element(a + i, 0, 4) == element(b + i, 0, 4))
                continue;
            snprintf(p->diff->what, sizeof p->diff->what, "service record %u, byte %u", n, i);
            return differ(p, (uint32_t)element(a + 4, 0, 4), element(a + i, 0, 4), element(b + i, 0, 4));
        }
    }
    return true;
}

static bool compare_debug(struct pair *p)
{
    const uint32_t *a = p->a->companions.debug + (size_t)p->gid * VM_DEBUG_WORDS;
    const uint32_t *b = p->b->companions.debug + (size_t)p->gid_b * VM_DEBUG_WORDS;
    for (uint32_t i = 0; i < VM_DEBUG_WORDS; i++) {
        bool compared = i != 13 && i != 14 && (i != 1 || p->a->shape.shared == p->b->shape.shared);
        if (!compared || a[i] == b[i])
            continue;
        snprintf(p->diff->what, sizeof p->diff->what, "debug word %u", i);
        return differ(p, VM_NONE, a[i], b[i]);
    }
    return true;
}

bool lad_vm_compare(const struct lad_vm_image *a, const struct lad_vm_image *b, struct lad_vm_diff *diff)
{
    struct pair p = {.a = a, .b = b, .diff = diff};
    *diff = (struct lad_vm_diff){.pid = VM_NONE, .ip = VM_NONE};
    bool same_signals = !memcmp(a->companions.state, b->companions.state, a->state_bytes);
    bool same_arena = !memcmp(a->companions.arena, b->companions.arena, a->arena_bytes);
    for (; p.gid < a->shape.count; p.gid_b = ++p.gid)
        if ((!same_signals && !compare_signals(&p)) || (!same_arena && !compare_arrays(&p)) || !compare_tables(&p) ||
            !compare_ring(&p) || !compare_debug(&p))
            return false;
    return true;
}

bool lad_vm_compare_instance(const struct lad_vm_image *a, uint32_t gid_a, const struct lad_vm_image *b, uint32_t gid_b,
                             struct lad_vm_diff *diff)
{
    struct pair p = {a, b, gid_a, gid_b, diff};
    *diff = (struct lad_vm_diff){.pid = VM_NONE, .ip = VM_NONE};
    return compare_signals(&p) && compare_arrays(&p) && compare_tables(&p) && compare_ring(&p);
}

static void put_number(char *text, size_t bytes, const char *what, uint32_t n)
{
    if (n == VM_NONE)
        snprintf(text, bytes, "no %s", what);
    else
        snprintf(text, bytes, "%s %u", what, n);
}

void lad_vm_diff_text(const struct lad_vm_diff *d, struct lad_vm_why *why)
{
    char pid[24], ip[24];
    put_number(pid, sizeof pid, "pid", d->pid);
    put_number(ip, sizeof ip, "ip", d->ip);
    if (d->xz_a | d->xz_b)
        lad_vm_because(why, "instance %u, time %llu, %s, %s: %s: 0x%llx (unknown 0x%llx) and 0x%llx (unknown 0x%llx)",
                       d->gid, (unsigned long long)d->time, pid, ip, d->what, (unsigned long long)d->a,
                       (unsigned long long)d->xz_a, (unsigned long long)d->b, (unsigned long long)d->xz_b);
    else
        lad_vm_because(why, "instance %u, time %llu, %s, %s: %s: 0x%llx and 0x%llx", d->gid,
                       (unsigned long long)d->time, pid, ip, d->what, (unsigned long long)d->a,
                       (unsigned long long)d->b);
}
