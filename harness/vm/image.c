/* SPDX-License-Identifier: Apache-2.0 */
/* A program as a device gets it: the 22 tables with their guards, the companions, and the layout directory that tells
 * the kernel where everything is. */
#include "vm.h"
#include <stdlib.h>
#include <string.h>

#define VM_TABLE(number, name, type) {#name, sizeof(type)},
const struct lad_vm_table lad_vm_tables[VM_TABLES] = {
#include "../../kernels/vm_layout.def"
};
#define VM_ARRAY(number, name, type, elements) {#name, sizeof(type)},
const struct lad_vm_table lad_vm_arrays[VM_ARRAYS] = {
#include "../../kernels/vm_layout.def"
};
#define VM_STATIC(number, name, type) {#name, sizeof(type)},
static const struct lad_vm_table statics[VM_STATICS] = {
#include "../../kernels/vm_layout.def"
};

enum { T_CODE, T_OFFSET, T_LENGTH, T_COND_VAL, T_COND_XZ, T_COND, T_SIGNAL, T_IP, T_SP, T_FRAME };

/* Tables that are sections of the file, copied as they are; the others are made here or by the kernel. */
static const char table_sections[VM_TABLES][5] = {
    [5] = "COND",  [10] = "CASH", [11] = "CASE", [12] = "CASW", [13] = "EXPR", [14] = "EIMM", [15] = "DASN",
    [16] = "ASGN", [17] = "FORC", [18] = "RELS", [19] = "SVCE", [20] = "SVCA", [21] = "SVCR"};
static const char static_sections[VM_STATICS][5] = {
    [1] = "DLYS", [2] = "RPTS", [3] = "EWAT", [4] = "EITM", [5] = "ESTR", [6] = "WCND", [7] = "BLKS"};

static int find_section(const char *tag)
{
    int s = 0;
    while (strcmp(lad_vm_sections[s].tag, tag))
        s++;
    return s;
}

bool lad_vm_table_written(int table)
{
    return table == T_COND_VAL || table == T_COND_XZ || table == T_IP || table == T_SP || table == T_FRAME;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

static uint32_t max1(uint32_t n)
{
    return n ? n : 1;
}

static uint64_t count_table(const struct lad_vm_program *p, const struct lad_vm_shape *shape, int table)
{
    uint64_t procs = (uint64_t)shape->count * p->n_proc;
    switch (table) {
    case T_CODE:
        return shape->shared ? p->n_code : (uint64_t)shape->count * p->n_code;
    case T_OFFSET:
    case T_LENGTH:
    case T_IP:
    case T_SP:
        return procs;
    case T_COND_VAL:
    case T_COND_XZ:
        return procs > UINT32_MAX ? procs : procs * max1(p->n_cond);
    case T_FRAME:
        return procs > UINT32_MAX ? procs : procs * p->parm[VM_PARM_DEPTH] * VM_FRAME_WORDS;
    case T_SIGNAL:
        return p->n_sigs;
    default:
        return lad_vm_section_count(p, find_section(table_sections[table]));
    }
}

static uint32_t count_static(const struct lad_vm_program *p, int table)
{
    return table == 0    ? p->n_proc
           : table == 8  ? p->n_sigs
           : table == 9  ? p->parm[VM_PARM_MONITORS]
           : table == 10 ? p->parm[VM_PARM_STROBES]
                         : lad_vm_section_count(p, find_section(static_sections[table]));
}

static void count_arrays(const struct lad_vm_program *p, uint64_t n[VM_ARRAYS])
{
    const uint32_t *parm = p->parm;
    uint64_t P = p->n_proc, E = parm[VM_PARM_EVENTS], R = p->n_rpt, F = parm[VM_PARM_FORCES],
             PC = parm[VM_PARM_PASSIGNS];
    uint64_t D = p->n_dasn, DN = parm[VM_PARM_DNBA], NB = parm[VM_PARM_NBA], M = parm[VM_PARM_MONITORS];
    uint64_t ST = parm[VM_PARM_STROBES], A = max1(parm[VM_PARM_ARGS]), EP = p->n_eitm, SP = p->n_estr;
#define VM_ARRAY(number, name, type, elements) n[number] = elements;
#include "../../kernels/vm_layout.def"
}

/* Bases of the signal slots; returns the bytes of the whole state. */
static uint64_t lay_signals(const struct lad_vm_program *p, uint32_t count, struct lad_vm_signal *out)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        const struct lad_vm_sigs *s = &p->sigs[i];
        uint64_t each = s->width <= 32 ? 4 : 8, bytes = each * s->array_size; /* below 2^36 */
        struct lad_vm_signal e = {(uint32_t)at, (uint32_t)at, s->width, s->array_size, s->flags};
        if (bytes > UINT32_MAX || at > UINT32_MAX)
            return UINT64_MAX;
        at = round_up(at + bytes * count, 8);
        if (s->xz_slot != s->val_slot) {
            e.xz_offset = (uint32_t)at;
            if (at > UINT32_MAX)
                return UINT64_MAX;
            at = round_up(at + bytes * count, 8);
        }
        if (out)
            out[i] = e;
    }
    return at;
}

static bool lay_tables(struct lad_vm_image *image, uint64_t *sum)
{
    for (int i = 0; i < VM_TABLES; i++) {
        uint64_t n = count_table(image->program, &image->shape, i);
        if (n > UINT32_MAX || n * lad_vm_tables[i].bytes > UINT32_MAX)
            return false;
        image->params[VM_P_TABLE_COUNT + i] = (uint32_t)n;
        image->table_bytes[i] = n * lad_vm_tables[i].bytes;
        image->table_room[i] = round_up(image->table_bytes[i], 16) + VM_GUARD_BYTES;
        *sum += round_up(image->table_room[i], 256);
        image->packed_offset[i] = (uint32_t)image->packed_bytes;
        image->packed_bytes += round_up(image->table_room[i], 256);
    }
    return image->shape.binding != LAD_VM_PACKED || image->packed_bytes <= UINT32_MAX;
}

static bool lay_statics(struct lad_vm_image *image)
{
    uint64_t at = 0;
    for (int i = 0; i < VM_STATICS; i++) {
        uint32_t n = count_static(image->program, i);
        image->params[VM_P_STATIC_OFFSET + i] = (uint32_t)at;
        image->params[VM_P_STATIC_COUNT + i] = n;
        at = round_up(at + (uint64_t)n * statics[i].bytes, 8);
        if (at > UINT32_MAX)
            return false;
    }
    image->static_bytes = at;
    return true;
}

static bool lay_arena(struct lad_vm_image *image)
{
    uint64_t at = 0, n[VM_ARRAYS];
    count_arrays(image->program, n);
    for (int i = 0; i < VM_ARRAYS; i++) {
        if (n[i] > UINT32_MAX)
            return false;
        image->array_n[i] = (uint32_t)n[i];
        image->params[VM_P_ARRAY_OFFSET + i] = (uint32_t)at;
        if (n[i] * image->shape.count > UINT32_MAX)
            return false;
        at = round_up(at + n[i] * image->shape.count * lad_vm_arrays[i].bytes, 8);
        if (at > UINT32_MAX)
            return false;
    }
    image->arena_bytes = at;
    return true;
}

static bool lay_rest(struct lad_vm_image *image)
{
    const struct lad_vm_program *p = image->program;
    uint64_t count = image->shape.count, args = max1(p->parm[VM_PARM_ARGS]);
    image->record_bytes = (uint32_t)(16 + 24 * args + 16 * args * p->parm[VM_PARM_WIDE_WORDS]);
    image->state_bytes = lay_signals(p, image->shape.count, NULL);
    image->shadow_bytes = 16;
    for (uint32_t i = 0; i < p->n_force; i++)
        if (!(p->force[i].flags & VM_FORCE_REG))
            image->shadow_bytes = image->state_bytes;
    for (uint32_t i = 0; i < p->n_release; i++)
        if (!(p->release[i].flags & VM_FORCE_REG))
            image->shadow_bytes = image->state_bytes;
    image->ring_bytes = 8 * count + count * image->shape.capacity * image->record_bytes;
    image->debug_bytes = count * VM_DEBUG_WORDS * 4;
    return image->state_bytes <= UINT32_MAX && count * image->shape.capacity <= UINT32_MAX &&
           image->ring_bytes <= UINT32_MAX && image->debug_bytes <= UINT32_MAX;
}

static void *get_zeros(uint64_t bytes)
{
    void *p = calloc(bytes ? (bytes + 7) / 8 : 1, 8);
    if (!p) {
        lad_error("out of memory: %llu bytes", (unsigned long long)bytes);
        abort();
    }
    return p;
}

static void allocate(struct lad_vm_image *image)
{
    if (image->shape.binding == LAD_VM_PACKED)
        image->packed = get_zeros(image->packed_bytes);
    for (int i = 0; i < VM_TABLES; i++)
        image->tables.table[i] =
            image->packed ? (char *)image->packed + image->packed_offset[i] : get_zeros(image->table_room[i]);
    struct lad_vm_companions *c = &image->companions;
    c->params = image->params;
    c->statics = get_zeros(image->static_bytes);
    c->arena = get_zeros(image->arena_bytes);
    c->state = get_zeros(image->state_bytes);
    c->shadow = get_zeros(image->shadow_bytes);
    c->ring = get_zeros(image->ring_bytes);
    c->debug = get_zeros(image->debug_bytes);
}

static void copy_code(struct lad_vm_image *image)
{
    const struct lad_vm_program *p = image->program;
    uint32_t *code = image->tables.table[T_CODE], *offset = image->tables.table[T_OFFSET];
    uint32_t *length = image->tables.table[T_LENGTH], words = p->parm[VM_PARM_W];
    for (uint32_t g = 0; g < image->shape.count; g++) {
        uint32_t base = image->shape.shared ? 0 : g * p->n_code;
        if (!g || !image->shape.shared)
            memcpy(code + base, p->code, (size_t)p->n_code * 4);
        for (uint32_t i = 0; i < p->n_proc; i++) {
            *offset++ = base + i * words;
            *length++ = p->proc[i].length;
        }
    }
}

static void claim(const struct lad_vm_program *p, struct lad_vm_ovrd *ovrd, uint32_t signal, uint32_t force,
                  uint32_t passign, uint32_t flags)
{
    if (signal < p->n_sigs)
        ovrd[signal] = (struct lad_vm_ovrd){force, passign, (flags & VM_FORCE_REG) != 0, 0};
}

static void fill_statics(struct lad_vm_image *image)
{
    const struct lad_vm_program *p = image->program;
    char *base = (char *)image->companions.statics;
    void *at[VM_STATICS];
    for (int i = 0; i < VM_STATICS; i++) {
        at[i] = base + image->params[VM_P_STATIC_OFFSET + i];
        if (*static_sections[i] && image->params[VM_P_STATIC_COUNT + i])
            memcpy(at[i], lad_vm_section_data(p, find_section(static_sections[i])),
                   (size_t)image->params[VM_P_STATIC_COUNT + i] * statics[i].bytes);
    }
    struct lad_vm_procx *procx = at[0];
    struct lad_vm_ovrd *ovrd = at[8];
    uint32_t *msvc = at[9], *ssvc = at[10], monitors = p->parm[VM_PARM_MONITORS], strobes = p->parm[VM_PARM_STROBES];
    for (uint32_t i = 0; i < p->n_proc; i++)
        procx[i] = (struct lad_vm_procx){p->proc[i].parent, p->proc[i].tag};
    for (uint32_t i = 0; i < p->n_sigs; i++)
        ovrd[i] = (struct lad_vm_ovrd){VM_NONE, VM_NONE, !(p->sigs[i].flags & VM_SIGNAL_NET), 0};
    for (uint32_t i = p->n_release; i--;) /* backwards: the first entry has the last word */
        claim(p, ovrd, p->release[i].signal, p->release[i].force_slot, p->release[i].passign_slot, p->release[i].flags);
    for (uint32_t i = p->n_force; i--;)
        claim(p, ovrd, p->force[i].signal, p->force[i].force_slot, p->force[i].passign_slot, p->force[i].flags);
    memset(msvc, 0xFF, (size_t)monitors * 4);
    memset(ssvc, 0xFF, (size_t)strobes * 4);
    for (uint32_t i = p->n_svce; i--;) {
        const struct lad_vm_svce *e = &p->svce[i];
        if (e->flags & VM_SVCE_MONITOR && e->aux < monitors)
            msvc[e->aux] = i;
        if (e->flags & VM_SVCE_STROBE && e->aux < strobes)
            ssvc[e->aux] = i;
    }
}

static void fill_guards(struct lad_vm_image *image)
{
    for (uint32_t i = 0; i < VM_TABLES; i++) {
        uint32_t *guard = (uint32_t *)((char *)image->tables.table[i] + image->table_room[i] - VM_GUARD_BYTES);
        for (int k = 0; k < 4; k++)
            guard[k] = VM_GUARD + i;
    }
}

struct lad_vm_image *lad_vm_image_create(const struct lad_vm_program *p, const struct lad_vm_shape *shape,
                                         struct lad_vm_why *why)
{
    struct lad_vm_image *image = get_zeros(sizeof *image);
    uint64_t sum = 0;
    image->program = p;
    image->shape = *shape;
    bool fits = lay_tables(image, &sum) && lay_statics(image) && lay_arena(image) && lay_rest(image);
    sum += image->static_bytes + image->arena_bytes + image->state_bytes + image->shadow_bytes + image->ring_bytes +
           image->debug_bytes;
    if (!fits || (shape->most_bytes && sum > shape->most_bytes)) {
        if (fits)
            lad_vm_because(why, "%llu bytes of buffers for %u instances, at most %llu are allowed",
                           (unsigned long long)sum, shape->count, (unsigned long long)shape->most_bytes);
        else
            lad_vm_because(why, "a buffer for %u instances passes 4 GiB", shape->count);
        free(image);
        return NULL;
    }
    uint32_t *params = image->params;
    params[VM_P_COUNT] = shape->count;
    params[VM_P_MAX_STEPS] = shape->max_steps;
    params[VM_P_MAX_PROC_STEPS] = shape->max_proc_steps;
    params[VM_P_CAPACITY] = shape->capacity;
    memcpy(params + VM_P_PARM, p->parm, VM_PARMS * 4);
    allocate(image);
    copy_code(image);
    for (int i = 0; i < VM_TABLES; i++)
        if (*table_sections[i] && image->table_bytes[i])
            memcpy(image->tables.table[i], lad_vm_section_data(p, find_section(table_sections[i])),
                   image->table_bytes[i]);
    lay_signals(p, shape->count, image->tables.table[T_SIGNAL]);
    fill_statics(image);
    fill_guards(image);
    lad_vm_image_reset(image);
    return image;
}

void lad_vm_image_destroy(struct lad_vm_image **image)
{
    if (!*image)
        return;
    for (int i = 0; i < VM_TABLES && !(*image)->packed; i++)
        free((*image)->tables.table[i]);
    free((*image)->packed);
    struct lad_vm_companions *c = &(*image)->companions;
    free((void *)c->statics);
    free(c->arena);
    free(c->state);
    free(c->shadow);
    free(c->ring);
    free(c->debug);
    free(*image);
    *image = NULL;
}
