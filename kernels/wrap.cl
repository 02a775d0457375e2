/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL C shell of a kernel: run through cpp with -DKFILE="x.k" -DKNONCE=n at build time; the LAD_* names left
 * undefined here come as -D options when the device builds it. */
#define LAD_CL 1
#include "witness.h"
#define CONST0 ((uint)LAD_CONST0)
#define CONST1 ((uint)LAD_CONST1)
#define u64 ulong
#define i64 long
#define f64 double
#define u16 ushort
#define u8 uchar
#define f16 half
#define FN static
#define U32(x) ((uint)(x))
#define I32(x) ((int)(x))
#define F32(x) ((float)(x))
#define F64(x) ((double)(x))
#define U64(x) ((ulong)(x))
#define I64(x) ((long)(x))
#define U16(x) ((ushort)(x))
#define U8(x) ((uchar)(x))
#define F16(x) ((half)(x))
#define f32x4 float4
#define F32X4(a, b, c, d) ((float4)(a, b, c, d))
#define V(v, k) v.s##k
#define PRECISE
#define LAD_PRAGMA(text) _Pragma(#text)
#define NO_CONTRACT LAD_PRAGMA(OPENCL FP_CONTRACT OFF)
#define EXTENSION(name) LAD_PRAGMA(OPENCL EXTENSION name : enable)
#define SQRT(x) sqrt(x)
#define RSQRT(x) rsqrt(x)
#define EXP(x) exp(x)
#define LOG(x) log(x)
#define SIN(x) sin(x)
#define COS(x) cos(x)
#define POW(x, y) pow(x, y)
#define FLOOR(x) floor(x)
#define TRUNC(x) trunc(x)
#define FABS(x) fabs(x)
#define FMA(a, b, c) fma(a, b, c)
#define ISNAN(x) (isnan(x) != 0)
#define ISINF(x) (isinf(x) != 0)
#define POINTER(type)
#define AT(type, address, i) ((global type *)(address))[i]
#define SG_SIZE ((uint)get_sub_group_size())
#define SG_LANE ((uint)get_sub_group_local_id())
#define SG_ADD(x) sub_group_reduce_add(x)
#define FLOAT_BITS(x) as_uint(x)
#define BITS_FLOAT(x) as_float(x)
#define STRUCT(n) typedef struct {
#define ENDSTRUCT(n) } n
#define TABLE(type, name, n) constant type name[n] =
#define GID(d) ((uint)get_global_id(d))
#define LID(d) ((uint)get_local_id(d))
#define GRP(d) ((uint)(get_group_id(d) + get_global_offset(d) / get_local_size(d)))
#define LSZ(d) ((uint)get_local_size(d))
#define NGRP(d) ((uint)get_num_groups(d))
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define FENCE mem_fence(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#define BARRIER_GLOBAL barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#define ATOMIC_ADD(m, v) atomic_add(&(m), v)
#define ATOMIC_SUB(m, v) atomic_sub(&(m), v)
#define ATOMIC_MIN(m, v) atomic_min(&(m), v)
#define ATOMIC_MAX(m, v) atomic_max(&(m), v)
#define ATOMIC_AND(m, v) atomic_and(&(m), v)
#define ATOMIC_OR(m, v) atomic_or(&(m), v)
#define ATOMIC_XOR(m, v) atomic_xor(&(m), v)
#define ATOMIC_XCHG(m, v) atomic_xchg(&(m), v)
#define ATOMIC_CAS(m, old, v) atomic_cmpxchg(&(m), old, v)
#define ATOMIC64_ADD(m, v) atom_add(&(m), v)
#define ATOMIC64_MIN(m, v) atom_min(&(m), v)
#define ATOMIC64_MAX(m, v) atom_max(&(m), v)
#define ATOMIC64_XOR(m, v) atom_xor(&(m), v)
#define LAD_CLB(i, type, name) global type *name,
#define LAD_CLB_PASS(i, type, name) name,
#define LAD_CLS(type, name) type name,
#define LAD_CLS_PASS(type, name) name,
#define LAD_CLL_ARG(type, name, n) local type *name,
#define LAD_CLL(type, name, n) local type name[n];
#define LAD_CLL_PASS(type, name, n) name,
#define LAD_CLD_ARG(type, name) local type *name,
#define LAD_CLD_LAST(type, name) , local type *name
#define LAD_CLD_PASS(type, name) name,
#define LAD_HAS_DYNAMIC(type, name) LAD_DYNAMIC_ITEMS
#define LAD_ECHO(type, name) LAD_ECHO_##type(name)
#define LAD_ECHO_uint(x) W(lad_at) = x; lad_at++;
#define LAD_ECHO_int(x) W(lad_at) = (uint)x; lad_at++;
#define LAD_ECHO_float(x) W(lad_at) = as_uint(x); lad_at++;
#define LAD_ECHO_u64(x) W(lad_at) = (uint)x; W(lad_at + 1u) = (uint)(x >> 32); lad_at += 2u;
#define LAD_ECHO_i64(x) LAD_ECHO_u64(x)
#define LAD_ECHO_f64(v) { uint2 lad_d = as_uint2(v); W(lad_at) = lad_d.x; W(lad_at + 1u) = lad_d.y; lad_at += 2u; }
#define W(i) lad_w[lad_slot + (i)]
#define KERNEL                                                                                                         \
    static void lad_body(BUFFERS(LAD_CLB) SCALARS(LAD_CLS) LOCALS(LAD_CLL_ARG) DYNAMIC(LAD_CLD_ARG) uint lad_unused)
#include "defaults.h"
#include KFILE
#define DYNAMIC_ITEMS ((uint)(0 DYNAMIC(+ LAD_HAS_DYNAMIC)))
kernel __attribute__((reqd_work_group_size(LAD_LX, LAD_LY, LAD_LZ))) void
lad_main(BUFFERS(LAD_CLB) SCALARS(LAD_CLS) uint lad_slot, uint lad_nonce, global uint *lad_w DYNAMIC(LAD_CLD_LAST))
{
    LOCALS(LAD_CLL)
#include "witness.inc"
    lad_body(BUFFERS(LAD_CLB_PASS) SCALARS(LAD_CLS_PASS) LOCALS(LAD_CLL_PASS) DYNAMIC(LAD_CLD_PASS) 0u);
}
