/* SPDX-License-Identifier: Apache-2.0 */
/* C shell of a kernel: the body as a host function, and the descriptor that carries all three forms of it. Compiled
 * once per kernel with -DKFILE, -DKNAME (identifier), -DKTEXT (name), -DKNONCE, -DKSPV and -DKCL (files to embed). */
#include "../backends/backend.h"
#include "../harness/embed.h"
#include "host.h"
#include "witness.h"
#include <math.h>
#include <string.h>

#define LAD_C 1
typedef unsigned int uint;
typedef uint64_t u64;
typedef int64_t i64;
typedef double f64;
typedef uint16_t u16;
typedef uint8_t u8;
#define LAD_WITNESS lad_item.witness
#define CONST0 lad_item.constant[0]
#define CONST1 lad_item.constant[1]
#define FN __attribute__((unused)) static inline
#define U32(x) ((uint)(x))
#define I32(x) ((int)(x))
#define F32(x) ((float)(x))
#define F64(x) ((double)(x))
#define U64(x) ((uint64_t)(x))
#define I64(x) ((int64_t)(x))
#define U16(x) ((uint16_t)(x))
#define U8(x) ((uint8_t)(x))
typedef float f16; /* only to compile: the host device has no fp16 */
#define F16(x) ((f16)(x))
typedef float f32x4 __attribute__((vector_size(16)));
#define F32X4(a, b, c, d) ((f32x4){a, b, c, d})
#define V(v, k) v[k]
#define PRECISE
#define NO_CONTRACT
#define EXTENSION(name)
#define LAD_EITHER(x, function) _Generic((x), double: function, default: function##f)
#define SQRT(x) LAD_EITHER(x, sqrt)(x)
#define RSQRT(x) (1.0f / SQRT(x))
#define EXP(x) LAD_EITHER(x, exp)(x)
#define LOG(x) LAD_EITHER(x, log)(x)
#define SIN(x) LAD_EITHER(x, sin)(x)
#define COS(x) LAD_EITHER(x, cos)(x)
#define POW(x, y) LAD_EITHER(x, pow)(x, y)
#define FLOOR(x) LAD_EITHER(x, floor)(x)
#define TRUNC(x) LAD_EITHER(x, trunc)(x)
#define FABS(x) LAD_EITHER(x, fabs)(x)
#define FMA(a, b, c) LAD_EITHER(a, fma)(a, b, c)
#define ISNAN(x) (isnan(x) != 0)
#define ISINF(x) (isinf(x) != 0)
#define POINTER(type)
#define AT(type, address, i) ((type *)(uintptr_t)(address))[i]
#define SG_SIZE 1u /* a subgroup of one */
#define SG_LANE 0u
#define SG_ADD(x) (x)
__attribute__((unused)) static inline uint lad_float_bits(float x)
{
    uint r;
    memcpy(&r, &x, 4);
    return r;
}
__attribute__((unused)) static inline float lad_bits_float(uint x)
{
    float r;
    memcpy(&r, &x, 4);
    return r;
}
#define FLOAT_BITS(x) lad_float_bits(x)
#define BITS_FLOAT(x) lad_bits_float(x)
#define STRUCT(n) typedef struct {
#define ENDSTRUCT(n) } n
#define TABLE(type, name, n) static const type name[n] =
#define GID(d) lad_item.gid[d]
#define LID(d) lad_item.lid[d]
#define GRP(d) lad_item.grp[d]
#define LSZ(d) lad_item.lsz[d]
#define NGRP(d) lad_item.ngrp[d]
#define BARRIER lad_host_barrier()
#define FENCE
#define BARRIER_GLOBAL lad_host_barrier()
#define ATOMIC_FETCH(m, value)                                                                                         \
    (__extension__({                                                                                                   \
        __typeof__(m) *lad_m = &(m), lad_old = *lad_m;                                                                 \
        *lad_m = (value);                                                                                              \
        lad_old;                                                                                                       \
    }))
#define ATOMIC_ADD(m, v) ATOMIC_FETCH(m, lad_old + (v))
#define ATOMIC_SUB(m, v) ATOMIC_FETCH(m, lad_old - (v))
#define ATOMIC_MIN(m, v) ATOMIC_FETCH(m, lad_old < (v) ? lad_old : (v))
#define ATOMIC_MAX(m, v) ATOMIC_FETCH(m, lad_old > (v) ? lad_old : (v))
#define ATOMIC_AND(m, v) ATOMIC_FETCH(m, lad_old & (v))
#define ATOMIC_OR(m, v) ATOMIC_FETCH(m, lad_old | (v))
#define ATOMIC_XOR(m, v) ATOMIC_FETCH(m, lad_old ^ (v))
#define ATOMIC_XCHG(m, v) ATOMIC_FETCH(m, v)
#define ATOMIC_CAS(m, expect, v) ATOMIC_FETCH(m, lad_old == (expect) ? (v) : lad_old)
#define ATOMIC64_ADD(m, v) ATOMIC_ADD(m, v)
#define ATOMIC64_MIN(m, v) ATOMIC_MIN(m, v)
#define ATOMIC64_MAX(m, v) ATOMIC_MAX(m, v)
#define ATOMIC64_XOR(m, v) ATOMIC_XOR(m, v)
#define LAD_CB(i, type, name) type *name,
#define LAD_CB_PASS(i, type, name) bufs[i],
#define LAD_CB_DECL(i, type, name) {#name, #type},
#define LAD_CS(type, name) type name,
#define LAD_CS_PASS(type, name) args->name,
#define LAD_CS_MEMBER(type, name) type name;
#define LAD_CS_DECL(type, name) {#name, #type, offsetof(struct lad_args, name), sizeof(type)},
#define LAD_CL_ARG(type, name, n) type *name,
#define LAD_CL_DEF(type, name, n) static type name[n];
#define LAD_CL_PASS(type, name, n) name,
#define LAD_CD_ARG(type, name) type *name,
#define LAD_CD_DEF(type, name) static type name[LAD_HOST_DYNAMIC_BYTES / sizeof(type)];
#define LAD_CD_PASS(type, name) name,
#define LAD_CD_BYTES(type, name) +sizeof(type)
#define LAD_CD_COUNT(type, name) +1
#define LAD_ECHO(type, name)                                                                                           \
    memcpy(&W(lad_at), &args->name, sizeof(type));                                                                     \
    lad_at += (uint)sizeof(type) / 4u;
#define W(i) ((uint *)bufs[n_bufs])[lad_slot + (i)]
#define KERNEL                                                                                                         \
    static void lad_body(BUFFERS(LAD_CB) SCALARS(LAD_CS) LOCALS(LAD_CL_ARG) DYNAMIC(LAD_CD_ARG) uint lad_unused)
#include "defaults.h"
#include KFILE

struct lad_args {
    SCALARS(LAD_CS_MEMBER) uint lad_slot, lad_nonce;
};
static const struct lad_buffer_decl buffers[] = {BUFFERS(LAD_CB_DECL){0}};
static const struct lad_scalar_decl scalars[] = {
    SCALARS(LAD_CS_DECL){"lad_slot", "uint", offsetof(struct lad_args, lad_slot), 4},
    {"lad_nonce", "uint", offsetof(struct lad_args, lad_nonce), 4}};
enum { n_bufs = sizeof buffers / sizeof *buffers - 1 };

#ifndef NO_HOST
#define DYNAMIC_ITEMS lad_item.dynamic_items
static void run(void *const *bufs, const void *scalar_block)
{
    LOCALS(LAD_CL_DEF)
    DYNAMIC(LAD_CD_DEF)
    const struct lad_args *args = scalar_block;
    uint lad_nonce = args->lad_nonce, lad_slot = args->lad_slot;
#include "witness.inc"
    lad_body(BUFFERS(LAD_CB_PASS) SCALARS(LAD_CS_PASS) LOCALS(LAD_CL_PASS) DYNAMIC(LAD_CD_PASS) 0u);
}
#endif

LAD_EMBED(text_spirv, KSPV)
LAD_EMBED(text_opencl, KCL)

const struct lad_kernel_source KSYM = {
    .name = KNAME,
    .needs = NEEDS,
    .nonce = KNONCE,
    .spirv = text_spirv,
    .spirv_bytes = KSPV_BYTES,
    .opencl = (const char *)text_opencl,
#ifndef NO_HOST
    .host = run,
#ifdef HOST_BARRIERS
    .host_barriers = true,
#endif
#endif
    .bufs = buffers,
    .n_bufs = n_bufs,
    .scalars = scalars,
    .n_scalars = sizeof scalars / sizeof *scalars,
    .scalar_bytes = sizeof(struct lad_args),
    .n_dynamic = 0 DYNAMIC(LAD_CD_COUNT),
    .dynamic_bytes = 0 DYNAMIC(LAD_CD_BYTES),
};
