/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the assembler: the program that grows, names, and places to be filled in when all labels are known. */
#ifndef LAD_VM_ASM_H
#define LAD_VM_ASM_H

#include "vm.h"

struct lad_vm_map; /* names to numbers */

struct proc_text {
    uint32_t *code;
    size_t n;
    bool open; /* its last instruction is not `done` */
};

/* A label that is not known yet, and where its address belongs. */
struct fixup {
    enum { FIX_WORD, FIX_ARG, FIX_PROC, FIX_AFTER, FIX_BEGIN, FIX_END } kind;
    uint32_t pid, of; /* process with the word; process whose label it is, NONE: named by `proc` */
    uint32_t at;      /* word of the process, or entry of the table */
    const char *label, *proc;
    int line;
};

struct patch {
    int section;
    uint32_t at, word;
    int line;
};

struct slots { /* of a signal that is forced */
    uint32_t force, passign;
};

struct assembler {
    struct lad_arena *arena;
    const char *name;
    struct lad_vm_why *why;
    int line;
    const char *p; /* what is left of the line */
    bool loose;    /* expressions are not checked */
    bool failed;
    struct lad_vm_map *names;
    uint32_t features, parms[VM_PARMS], max_args;
    struct proc_text *text;
    size_t n_text;
    struct fixup *fixup;
    size_t n_fixup;
    struct patch *patch;
    size_t n_patch;
    struct slots *slots; /* one per signal */
    size_t n_slots;
#define VM_SECTION(tag, field, type)                                                                                   \
    type *field;                                                                                                       \
    size_t n_##field;
#include "../../kernels/vm_layout.def"
};

/* A new element at the end of section `field`; its number is n_field - 1. */
#define ADD(a, field) LAD_PUSH((a)->arena, (a)->field, (a)->n_##field)

/* asm.c */
bool lad_vm_asm_fail(struct assembler *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* false */
bool lad_vm_asm_take(struct assembler *, char c); /* skips blanks and c where it comes next */
bool lad_vm_asm_expect(struct assembler *, char c);
bool lad_vm_asm_end(struct assembler *); /* nothing but blanks is left */
bool lad_vm_asm_name(struct assembler *, const char **name);
bool lad_vm_asm_word_is(struct assembler *, const char *word); /* skips the next word where it is this one */
bool lad_vm_asm_number(struct assembler *, uint64_t *value);
bool lad_vm_asm_string(struct assembler *, uint32_t *id);
uint32_t lad_vm_asm_intern(struct assembler *, const char *text, size_t bytes);       /* string id */
bool lad_vm_asm_put(struct assembler *, char kind, const char *name, uint32_t value); /* false: there already */
bool lad_vm_asm_get(struct assembler *, char kind, const char *name, uint32_t *value);
bool lad_vm_asm_known(struct assembler *, char kind, const char *what,
                      uint32_t *value); /* reads a name that must be there */
bool lad_vm_asm_literal(struct assembler *, struct lad_vm_literal *);

/* asm_finish.c */
bool lad_vm_asm_directive(struct assembler *, const char *word);
bool lad_vm_asm_finish(struct assembler *, struct lad_vm_program *);

/* asm_expr.c: { ... } at a->p */
bool lad_vm_asm_expr(struct assembler *, uint32_t *at, uint32_t *width);
bool lad_vm_asm_skip_expr(struct assembler *); /* over the closing brace */

/* asm_table.c: statements with table entries; asm_statement.c: the others */
bool lad_vm_asm_statement(struct assembler *, const char *word);
bool lad_vm_asm_assign(struct assembler *, const char *word);
bool lad_vm_asm_delay(struct assembler *, const char *word);
bool lad_vm_asm_force(struct assembler *, const char *word);
bool lad_vm_asm_case(struct assembler *, const char *word);
bool lad_vm_asm_service(struct assembler *, const char *word);
bool lad_vm_asm_edge(struct assembler *);
uint32_t lad_vm_asm_word(struct assembler *, uint32_t word);      /* emits; its address */
bool lad_vm_asm_label(struct assembler *, int kind, uint32_t at); /* reads a label of this process */

#endif
