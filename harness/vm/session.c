/* SPDX-License-Identifier: Apache-2.0 */
/* A run: launch, drain, and again, until every instance has come to an end or nothing moves any more. */
#include "vm.h"

void lad_vm_launch_reference(struct lad_vm_image *image)
{
    void *const *t = image->tables.table;
    if (image->shape.binding == LAD_VM_PACKED)
        lad_vm_ref_packed(image->packed, image->packed_offset, &image->companions);
    else if (image->shape.binding == LAD_VM_TABLE)
        lad_vm_ref_table(&image->tables, &image->companions);
    else
        lad_vm_ref_direct(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12], t[13], t[14],
                          t[15], t[16], t[17], t[18], t[19], t[20], t[21], &image->companions);
}

bool lad_vm_over(const struct lad_vm_image *image)
{
    const uint32_t *status = LAD_VM_U32(image, status, 0);
    for (uint32_t g = 0; g < image->shape.count; g++)
        if (status[g] < VM_FINISHED)
            return false;
    return true;
}

bool lad_vm_asks(const struct lad_vm_program *p)
{
    for (uint32_t i = 0; i < p->n_proc; i++) {
        const uint32_t *code = p->code + (size_t)i * p->parm[VM_PARM_W], length = p->proc[i].length;
        for (uint32_t ip = 0, n; ip < length; ip += n + 1) {
            if ((code[ip] & 0xFF) == VM_OP_WAIT_SERVICE)
                return true;
            if ((n = lad_vm_operands(code + ip, length - ip)) == VM_NONE)
                return true; /* who knows */
        }
    }
    return false;
}

uint64_t lad_vm_mark(const struct lad_vm_image *image)
{
    uint64_t mark = 0;
    for (uint32_t g = 0; g < image->shape.count; g++) {
        uint64_t state[] = {*LAD_VM_U64(image, time, g),      *LAD_VM_U64(image, instr_count, g),
                            *LAD_VM_U32(image, cursor, g),    *LAD_VM_U32(image, phase, g),
                            *lad_vm_ring_tail(image, g),      *LAD_VM_U32(image, status, g),
                            *LAD_VM_U32(image, nba_count, g), *LAD_VM_U32(image, flags, g)};
        mark = lad_hash(state, sizeof state, mark);
    }
    return mark;
}

enum lad_vm_end lad_vm_run(struct lad_vm_host *host, uint64_t most_launches, uint64_t deadline_ns, uint64_t *launches)
{
    uint64_t mark = 0, n = 0;
    enum lad_vm_end end = LAD_VM_OVER;
    do {
        if ((most_launches && n == most_launches) || (deadline_ns && lad_now_ns() > deadline_ns)) {
            end = most_launches && n == most_launches ? LAD_VM_LIMIT : LAD_VM_LATE;
            break;
        }
        lad_vm_launch_reference(host->image);
        n++;
        bool moved = lad_vm_drain(host);
        uint64_t now = lad_vm_mark(host->image);
        if (!moved && now == mark && !lad_vm_over(host->image)) {
            end = LAD_VM_STUCK;
            break;
        }
        mark = now;
    } while (!lad_vm_over(host->image));
    if (launches)
        *launches = n;
    return end;
}
