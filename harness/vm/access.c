/* SPDX-License-Identifier: Apache-2.0 */
/* What the host reads and writes in an image between launches. */
#include "vm.h"
#include <string.h>

void *lad_vm_array(const struct lad_vm_image *image, int array, uint32_t gid)
{
    return (char *)image->companions.arena + image->params[VM_P_ARRAY_OFFSET + array] +
           (size_t)gid * image->array_n[array] * lad_vm_arrays[array].bytes;
}

static char *find_element(const struct lad_vm_image *image, const struct lad_vm_signal *s, uint32_t gid,
                          uint32_t element, uint32_t offset)
{
    return (char *)image->companions.state + offset +
           ((size_t)gid * s->array_size + element) * (s->width <= 32 ? 4 : 8);
}

void lad_vm_signal_get(const struct lad_vm_image *image, uint32_t gid, uint32_t signal, uint32_t element, uint64_t *val,
                       uint64_t *xz)
{
    const struct lad_vm_signal *s = (const struct lad_vm_signal *)image->tables.table[6] + signal;
    size_t each = s->width <= 32 ? 4 : 8;
    *val = *xz = 0;
    memcpy(val, find_element(image, s, gid, element, s->val_offset), each);
    if (s->xz_offset != s->val_offset)
        memcpy(xz, find_element(image, s, gid, element, s->xz_offset), each);
}

void lad_vm_signal_set(struct lad_vm_image *image, uint32_t gid, uint32_t signal, uint32_t element, uint64_t val,
                       uint64_t xz)
{
    const struct lad_vm_signal *s = (const struct lad_vm_signal *)image->tables.table[6] + signal;
    size_t each = s->width <= 32 ? 4 : 8;
    uint64_t mask = UINT64_MAX >> (64 - s->width);
    bool four = s->xz_offset != s->val_offset;
    val &= four ? mask : mask & ~xz;
    xz &= mask;
    memcpy(find_element(image, s, gid, element, s->val_offset), &val, each);
    if (four)
        memcpy(find_element(image, s, gid, element, s->xz_offset), &xz, each);
}

static void set_initial(struct lad_vm_image *image, uint32_t gid, uint32_t signal)
{
    const struct lad_vm_program *p = image->program;
    const struct lad_vm_sigs *s = &p->sigs[signal];
    const uint64_t *init = p->init + s->init;
    for (uint32_t e = 0; e < s->array_size; e++) {
        uint64_t val = s->flags & VM_SIGNAL_NET ? 0 : UINT64_MAX, xz = UINT64_MAX;
        if (s->init_words) {
            val = init[0];
            xz = init[1];
            if (s->init_words > 2)
                init += 2;
        }
        lad_vm_signal_set(image, gid, signal, e, val, xz);
    }
}

void lad_vm_image_reset(struct lad_vm_image *image)
{
    struct lad_vm_companions *c = &image->companions;
    for (int i = 0; i < VM_TABLES; i++)
        if (lad_vm_table_written(i))
            memset(image->tables.table[i], 0, image->table_bytes[i]);
    memset(c->arena, 0, image->arena_bytes);
    memset(c->state, 0, image->state_bytes);
    memset(c->shadow, 0, image->shadow_bytes);
    memset(c->ring, 0, image->ring_bytes);
    memset(c->debug, 0, image->debug_bytes);
    for (uint32_t g = 0; g < image->shape.count; g++) {
        *LAD_VM_U32(image, halt_mode, g) = VM_NONE;
        *LAD_VM_U32(image, flags, g) = image->shape.debug ? VM_FLAG_DEBUG : 0;
        for (uint32_t i = 0; i < image->program->n_sigs; i++)
            set_initial(image, g, i);
    }
}

uint32_t *lad_vm_ring_tail(const struct lad_vm_image *image, uint32_t gid)
{
    return (uint32_t *)image->companions.ring + gid;
}

uint32_t *lad_vm_ring_head(const struct lad_vm_image *image, uint32_t gid)
{
    return (uint32_t *)image->companions.ring + image->shape.count + gid;
}

const void *lad_vm_record(const struct lad_vm_image *image, uint32_t gid, uint32_t n)
{
    size_t slot = (size_t)gid * image->shape.capacity + n % image->shape.capacity;
    return (char *)image->companions.ring + 8 * (size_t)image->shape.count + slot * image->record_bytes;
}

static const uint32_t *find_guard(const struct lad_vm_image *image, int table)
{
    return (const uint32_t *)((const char *)image->tables.table[table] + image->table_room[table] - VM_GUARD_BYTES);
}

void lad_vm_probe_expect(const struct lad_vm_image *image, uint32_t words[3 * VM_TABLES])
{
    for (int i = 0; i < VM_TABLES; i++) {
        const uint32_t *word = image->tables.table[i];
        uint32_t sum = 0;
        for (uint64_t k = 0; k < image->table_bytes[i] / 4; k++)
            sum += word[k];
        words[i] = word[0];
        words[VM_TABLES + i] = find_guard(image, i)[3];
        words[2 * VM_TABLES + i] = sum;
    }
}

bool lad_vm_guards_hold(const struct lad_vm_image *image, struct lad_vm_why *why)
{
    for (uint32_t i = 0; i < VM_TABLES; i++)
        for (int k = 0; k < 4; k++)
            if (find_guard(image, (int)i)[k] != VM_GUARD + i)
                return lad_vm_because(why, "guard word %d of buffer %u (%s): 0x%08x, expected 0x%08x", k, i,
                                      lad_vm_tables[i].name, find_guard(image, (int)i)[k], VM_GUARD + i);
    return true;
}
