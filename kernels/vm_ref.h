/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the reference: one instance during one launch, seen through pointers that are set up once. Written from the
 * specification, apart from the kernels' shared body; nothing in it allocates. */
#ifndef LAD_VM_REF_H
#define LAD_VM_REF_H

#include "vm_data.h"

struct vm {
    const uint32_t *parm;
    uint32_t gid, n_proc, depth, max_steps, limit /* instructions of an activation */, capacity, n_args, record_bytes;
    uint32_t n_cond_room; /* entries of cond_val per process, at least 1 */
    uint64_t runaway;
    uint64_t known; /* all ones in a two-state program: unknown bits become 0 */
    bool two_state, debug;

    /* the argument table */
    const uint32_t *code, *offset, *length, *expr, *imm;
    const uint64_t *casw;
    const struct lad_vm_cond *cond;
    const struct lad_vm_signal *signal;
    const struct lad_vm_cash *cash;
    const struct lad_vm_label *label;
    const struct lad_vm_dasn *dasn;
    const struct lad_vm_asgn *asgn;
    const struct lad_vm_force *force;
    const struct lad_vm_release *release;
    const struct lad_vm_svce *svce;
    const struct lad_vm_svca *svca;
    const struct lad_vm_svcr *svcr;
    uint32_t n_cond, n_signal, n_cash, n_expr, n_imm, n_dasn, n_asgn, n_force, n_release, n_svce, n_svca, n_svcr;
    uint32_t *cond_val, *cond_xz, *ip, *call_sp, *frame; /* of this instance */

    /* the static arena */
#define VM_STATIC(number, name, type) const type *name;
#include "vm_layout.def"
#define VM_STATIC(number, name, type) uint32_t n_##name;
#include "vm_layout.def"

    /* the instance arena */
#define VM_ARRAY(number, name, type, elements) type *name;
#include "vm_layout.def"

    unsigned char *signals, *shadow, *records;
    uint32_t *tail, *head, *debug_words, *all_code;
    const struct lad_vm_watch *watch;
};

struct cell {
    uint64_t v, x;
    uint32_t w;
};

/* What becomes of the activation after an instruction. */
enum go {
    GO_ON,
    GO_END,    /* the activation is over */
    GO_YIELD,  /* its budget is used up */
    GO_STALL,  /* no room in the ring */
    GO_LAUNCH, /* the launch is over, the cursor stays */
};

/* vm_ref.c */
enum go lad_vm_fail(struct vm *, uint32_t pid, uint32_t ip, int error); /* 3.4; pid NONE: no process */
static inline void lad_vm_block(struct vm *m, uint32_t pid, uint32_t kind)
{
    m->state[pid] = VM_BLOCKED;
    m->wait_kind[pid] = kind;
}
static inline void lad_vm_wake(struct vm *m, uint32_t pid)
{
    m->state[pid] = VM_READY;
    m->wait_kind[pid] = VM_WAIT_NONE;
}

/* vm_eval.c */
int lad_vm_eval(const struct vm *, uint32_t at, struct cell *out); /* an error code, or 0 */
int lad_vm_cond(const struct vm *, uint32_t id, int *truth);       /* 3.7 */

/* vm_math.c: sections 4.4 and 4.5 */
enum { TRUTH_0, TRUTH_1, TRUTH_X };
static inline uint64_t lad_vm_mask(uint32_t width)
{
    return width >= 64 ? UINT64_MAX : (1ull << width) - 1;
}
static inline int lad_vm_truth(const struct cell *c)
{
    return c->v & ~c->x ? TRUTH_1 : c->x ? TRUTH_X : TRUTH_0;
}
void lad_vm_unary(struct cell *, uint32_t sub, bool is_signed, uint32_t width);
void lad_vm_binary(struct cell *l, const struct cell *r, uint32_t arg, uint32_t width); /* result in *l */
void lad_vm_extend(struct cell *, uint32_t width, bool is_signed);

/* vm_store.c: sections 3.9, 6.7 and 6.11 */
struct target {
    uint32_t signal, element, start, width;
    bool ignored;
};
/* flags and fields as in an assign entry; idx NULL: evaluated here, where the shape has one. An error code, or 0. */
int lad_vm_resolve(const struct vm *, const struct lad_vm_asgn *, const struct cell *idx, struct target *);
static inline bool lad_vm_needs_index(uint32_t flags)
{
    return flags & (VM_ASGN_ARRAY | VM_ASGN_BIT | VM_ASGN_INDEXED);
}
void lad_vm_put(struct vm *, unsigned char *plane_base, const struct target *, uint64_t v, uint64_t x, bool *changed);
void lad_vm_store(struct vm *, const struct target *, uint64_t v, uint64_t x);
static inline void lad_vm_load(const struct vm *m, const unsigned char *base, uint32_t signal, uint32_t element,
                               uint64_t *v, uint64_t *x)
{
    const struct lad_vm_signal *s = &m->signal[signal];
    size_t at = (size_t)m->gid * s->array_size + element;
    if (s->width <= 32) {
        *v = ((const uint32_t *)(base + s->val_offset))[at];
        *x = m->two_state ? 0 : ((const uint32_t *)(base + s->xz_offset))[at];
    } else {
        *v = ((const uint64_t *)(base + s->val_offset))[at];
        *x = m->two_state ? 0 : ((const uint64_t *)(base + s->xz_offset))[at];
    }
}
static inline bool lad_vm_is_active(const uint32_t *slots, uint32_t slot)
{
    return slot != VM_NONE && slots[slot] != VM_NONE;
}

static inline bool lad_vm_is_overridden(const struct vm *m, uint32_t signal)
{
    return lad_vm_is_active(m->force_id, m->ovrd[signal].force_slot) ||
           lad_vm_is_active(m->passign_id, m->ovrd[signal].passign_slot);
}
int lad_vm_log(struct vm *, const struct target *, uint64_t v, uint64_t x);
int lad_vm_refresh(struct vm *);
enum go lad_vm_force(struct vm *, uint32_t pid, uint32_t ip, uint32_t id);
enum go lad_vm_release(struct vm *, uint32_t pid, uint32_t ip, uint32_t id);
static inline struct lad_vm_asgn lad_vm_as_assign(const struct lad_vm_dasn *d)
{
    struct lad_vm_asgn a = {0, d->signal, d->rhs, d->idx, d->width, d->base_width, d->range_lsb, d->array_size};
    a.flags = (d->flags & VM_DASN_ARRAY ? VM_ASGN_ARRAY : 0) | (d->flags & VM_DASN_BIT ? VM_ASGN_BIT : 0) |
              (d->flags & VM_DASN_RANGE ? VM_ASGN_RANGE : 0) | (d->flags & VM_DASN_INDEXED ? VM_ASGN_INDEXED : 0);
    return a;
}

/* vm_delay.c: delayed assigns, 3.5 opcode 9 and 6.8 */
enum go lad_vm_assign_delay(struct vm *, uint32_t pid, uint32_t ip, uint32_t id);
bool lad_vm_delay_stalls(const struct vm *, uint32_t pid, uint32_t id);
int lad_vm_move_due(struct vm *);

/* vm_fork.c: 3.6 and 6.9 */
void lad_vm_notify(struct vm *, uint32_t child);
enum go lad_vm_fork(struct vm *, uint32_t pid, uint32_t ip, const uint32_t *word, uint32_t length);
enum go lad_vm_disable(struct vm *, uint32_t pid, uint32_t ip, const uint32_t *word, uint32_t length);
enum go lad_vm_join(struct vm *, uint32_t pid, uint32_t ip, uint32_t tag);

/* vm_wait.c: section 7 and 6.7a */
int lad_vm_sample(struct vm *, uint32_t wait);
bool lad_vm_wake_pass(struct vm *, bool *woke); /* false: the instance failed */

/* vm_service.c: section 8 and 6.10a */
enum go lad_vm_call_service(struct vm *, uint32_t pid, uint32_t ip, uint32_t id);
bool lad_vm_service_stalls(const struct vm *, uint32_t id);
uint32_t lad_vm_ring_free(const struct vm *);
void lad_vm_show_cancelled(struct vm *, uint32_t pid, uint32_t id, uint32_t queued);
bool lad_vm_postponed(struct vm *); /* false: the launch is over */

/* vm_exec.c */
enum go lad_vm_activate(struct vm *, uint32_t pid);

#endif
