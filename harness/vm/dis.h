/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the disassembler. */
#ifndef LAD_VM_DIS_H
#define LAD_VM_DIS_H

#include "vm.h"

struct dis {
    FILE *out;
    const struct lad_vm_program *p;
    struct lad_arena *arena;
    bool bare;
    const char **signal, **proc; /* names, made good where they are no names or there twice */
};

/* dis_expr.c */
void lad_vm_dis_expr(const struct dis *, uint32_t at); /* { ... } */
void lad_vm_dis_literal(FILE *, const uint64_t *val, const uint64_t *xz, uint32_t width);
void lad_vm_dis_string(const struct dis *, uint32_t id);

/* dis_table.c: what an instruction's table entries say; false: text cannot say it, and nothing was printed */
bool lad_vm_dis_assign(const struct dis *, uint32_t id, bool nonblocking);
bool lad_vm_dis_delay(const struct dis *, uint32_t id);
bool lad_vm_dis_force(const struct dis *, uint32_t id);
bool lad_vm_dis_release(const struct dis *, uint32_t id);
bool lad_vm_dis_case(const struct dis *, const uint32_t *word); /* labels as L<ip> */
bool lad_vm_dis_edge(const struct dis *, uint32_t id);
bool lad_vm_dis_service(const struct dis *, uint32_t id);

#endif
