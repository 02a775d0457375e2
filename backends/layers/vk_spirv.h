/* SPDX-License-Identifier: Apache-2.0 */
/* SPIR-V modules: reading one, and small, wrong changes to it (vk_edit.c). */
#ifndef LAD_VK_SPIRV_H
#define LAD_VK_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lad_spirv { /* a module; the words are malloc's */
    uint32_t *word;
    size_t n;
};
struct lad_op { /* an instruction; start with {0} */
    size_t at;
    uint32_t code, length;
};
enum {
    SPIRV_SHARED = 0x100, /* in the place of a descriptor set: memory of the workgroup */
    SPIRV_WIDE = 1,       /* 64-bit types */
    SPIRV_SMALL = 2,      /* 16- and 8-bit types */
};
enum lad_opcode { /* those that more than one file names */
                  OP_CAPABILITY = 17,
                  OP_TYPE_BOOL = 20,
                  OP_TYPE_INT = 21,
                  OP_TYPE_FLOAT = 22,
                  OP_TYPE_VECTOR = 23,
                  OP_TYPE_POINTER = 32,
                  OP_FUNCTION = 54,
                  OP_VARIABLE = 59,
                  OP_LOAD = 61,
                  OP_STORE = 62,
                  OP_ACCESS_CHAIN = 65,
                  OP_IN_BOUNDS = 66,
                  OP_DECORATE = 71,
                  OP_EXTRACT = 81,
};
#define OP(code, length) ((uint32_t)(length) << 16 | (uint32_t)(code))

/* vk_spirv.c */
bool lad_spirv_next(const struct lad_spirv *, struct lad_op *); /* false at the end, or where the module is broken */
/* Puts other instructions in the place of one; op is then the last of what was put. */
void lad_spirv_splice(struct lad_spirv *, struct lad_op *op, const uint32_t *with, size_t n);
uint32_t lad_spirv_id(struct lad_spirv *);                                   /* a new one */
uint32_t lad_spirv_type(struct lad_spirv *, enum lad_opcode, uint32_t bits); /* a scalar's; made where there is none */
uint32_t lad_spirv_constant(struct lad_spirv *, uint32_t type, uint32_t value);
uint32_t lad_spirv_builtin(const struct lad_spirv *, uint32_t which); /* the variable; 0: there is none */
/* The type of an id that an instruction of a function made, or 0. */
uint32_t lad_spirv_type_of(const struct lad_spirv *, uint32_t id);
uint32_t lad_spirv_pointee(const struct lad_spirv *, uint32_t variable); /* the type that it holds, or 0 */
/* Marks the ids that point into buffers of a descriptor set, or into memory of the workgroup; to be freed. */
unsigned char *lad_spirv_reach(const struct lad_spirv *, uint32_t set);
uint64_t lad_spirv_interface(const struct lad_spirv *); /* the same for modules of the same bindings and layouts */
unsigned lad_spirv_widths(const struct lad_spirv *);    /* SPIRV_WIDE, SPIRV_SMALL: which types it declares */

/* vk_edit.c: each says whether there was anything to change. */
bool lad_edit_lose_store(struct lad_spirv *, uint32_t set);                 /* the last store to a buffer of that set */
bool lad_edit_lose_barriers(struct lad_spirv *, uint32_t which);            /* from 1; 0: all */
bool lad_edit_stride(struct lad_spirv *, uint32_t from, uint32_t to);       /* of arrays */
bool lad_edit_replace(struct lad_spirv *, uint32_t from, uint32_t to);      /* one instruction by one as long */
bool lad_edit_return(struct lad_spirv *, uint32_t lanes, uint32_t barrier); /* of lanes from `lanes` on, before it */
bool lad_edit_half(struct lad_spirv *, uint32_t opcode);                    /* results of float operations */
bool lad_edit_loose(struct lad_spirv *, uint32_t opcode, uint32_t units);   /* they are that many units off */
bool lad_edit_no_nan(struct lad_spirv *);                                   /* nothing is not a number */
bool lad_edit_torn(struct lad_spirv *, uint32_t set);                       /* atomic additions in three steps */
bool lad_edit_no_atomics(struct lad_spirv *, uint32_t set);                 /* atomic additions only read */
bool lad_edit_lanes(struct lad_spirv *, uint32_t width);                    /* lanes of subgroups of that width */
bool lad_edit_one_lane(struct lad_spirv *);                                 /* sums over subgroups of one lane */
bool lad_edit_wrap_shared(struct lad_spirv *, uint32_t items);              /* arrays of the workgroup are that long */
bool lad_edit_overlap_shared(struct lad_spirv *);                           /* two arrays of the workgroup are one */

extern const uint32_t lad_spirv_nothing[]; /* a compute shader that does nothing */
extern const size_t lad_spirv_nothing_bytes;

#endif
