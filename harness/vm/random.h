/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs with a Verilog twin of the same meaning, so that a simulator that knows nothing of the VM can say
 * what must come out. */
#ifndef LAD_VM_RANDOM_H
#define LAD_VM_RANDOM_H

#include "vm.h"

struct lad_vm_twin {
    char *assembly, *verilog; /* in the arena */
    const char **source;      /* of each line that both print: the Verilog expression or statement that made it */
    size_t n_sources;
};
/* n assignments of random expressions over random four-state signals, each printed. The same seed gives the same twins.
 */
void lad_vm_random_exprs(struct lad_arena *, uint64_t seed, unsigned n, struct lad_vm_twin *);
/* A small design: clocked and combinational processes, memories, forks, forces, monitors, printed at each step. */
void lad_vm_random_design(struct lad_arena *, uint64_t seed, struct lad_vm_twin *);

/* Assembly text alone, of every instruction, sensible or not (random_code.c). */
char *lad_vm_random_code(struct lad_arena *, uint64_t seed);

/* ---- inside: random_tree.c, Verilog expressions as trees ---- */

struct lad_vm_var {
    const char *name;
    uint32_t width, array; /* array 0: a scalar */
    bool is_signed;
};
struct lad_vm_tree;
struct lad_vm_pool { /* what expressions may read */
    struct lad_arena *arena;
    uint64_t *seed;
    const struct lad_vm_var *var;
    size_t n;
};
uint32_t lad_vm_draw(struct lad_vm_pool *, uint32_t below);
struct lad_vm_tree *lad_vm_tree_grow(struct lad_vm_pool *, unsigned depth);
struct lad_vm_tree *lad_vm_tree_grow_computed(struct lad_vm_pool *,
                                              unsigned depth); /* never the mere name of a signal */
void lad_vm_tree_verilog(FILE *, const struct lad_vm_tree *);
/* Postfix tokens that compute it as Verilog does when it is assigned to something `width` wide. */
void lad_vm_tree_assembly(FILE *, const struct lad_vm_tree *, uint32_t width);
uint32_t lad_vm_tree_width(const struct lad_vm_tree *);
/* The same for an expression that stands alone: a condition, an event, an argument. */
void lad_vm_tree_alone(FILE *, const struct lad_vm_tree *);
void lad_vm_tree_unsigned(FILE *,
                          const struct lad_vm_tree *); /* beside something unsigned, such as the labels of a case */
const char *lad_vm_random_literal(struct lad_vm_pool *, uint32_t width, bool is_signed, const char **verilog);

#endif
