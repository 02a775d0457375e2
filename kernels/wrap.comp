/* SPDX-License-Identifier: Apache-2.0 */
/* GLSL shell of a kernel: run through cpp with -DKFILE="x.k" -DKNONCE=n, then '%' becomes '#'. docs/kernels.md lists
 * what a body may use. */
%version 450
%extension GL_EXT_shader_explicit_arithmetic_types : enable
%extension GL_EXT_shader_16bit_storage : enable
%extension GL_EXT_shader_8bit_storage : enable
%extension GL_EXT_shader_atomic_int64 : enable
%extension GL_EXT_buffer_reference : enable
%extension GL_EXT_buffer_reference2 : enable
%extension GL_EXT_control_flow_attributes : enable
%extension GL_KHR_shader_subgroup_basic : enable
%extension GL_KHR_shader_subgroup_arithmetic : enable
%extension GL_KHR_shader_subgroup_ballot : enable
#define LAD_GLSL 1
#include "witness.h"
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint LAD_WITNESS = 1u;
layout(constant_id = 5) const uint CONST0 = 0u;
layout(constant_id = 6) const uint CONST1 = 0u;
#define u64 uint64_t
#define i64 int64_t
#define f64 double
#define u16 uint16_t
#define u8 uint8_t
#define f16 float16_t
#define FN
#define U32(x) uint(x)
#define I32(x) int(x)
#define F32(x) float(x)
#define F64(x) double(x)
#define U64(x) uint64_t(x)
#define I64(x) int64_t(x)
#define U16(x) uint16_t(x)
#define U8(x) uint8_t(x)
#define F16(x) float16_t(x)
#define f32x4 vec4
#define F32X4(a, b, c, d) vec4(a, b, c, d)
#define V(v, k) v[k]
#define PRECISE precise
#define NO_CONTRACT
#define EXTENSION(name)
#define SQRT(x) sqrt(x)
#define RSQRT(x) inversesqrt(x)
#define EXP(x) exp(x)
#define LOG(x) log(x)
#define SIN(x) sin(x)
#define COS(x) cos(x)
#define POW(x, y) pow(x, y)
#define FLOOR(x) floor(x)
#define TRUNC(x) trunc(x)
#define FABS(x) abs(x)
#define FMA(a, b, c) fma(a, b, c)
#define ISNAN(x) isnan(x)
#define ISINF(x) isinf(x)
#define POINTER(type)                                                                                                  \
    layout(buffer_reference, std430, buffer_reference_align = 4) buffer lad_ref_##type { type v[]; };
#define AT(type, address, i) lad_ref_##type(address).v[i]
#define SG_SIZE gl_SubgroupSize
#define SG_LANE gl_SubgroupInvocationID
#define SG_ADD(x) subgroupAdd(x)
#define FLOAT_BITS(x) floatBitsToUint(x)
#define BITS_FLOAT(x) uintBitsToFloat(x)
#define STRUCT(n) struct n {
#define ENDSTRUCT(n) }
#define TABLE(type, name, n) const type name[n] =
#define GID(d) gl_GlobalInvocationID[d]
#define LID(d) gl_LocalInvocationID[d]
#define GRP(d) gl_WorkGroupID[d]
#define LSZ(d) gl_WorkGroupSize[d]
#define NGRP(d) gl_NumWorkGroups[d]
#define BARRIER barrier()
#define FENCE memoryBarrier()
#define BARRIER_GLOBAL memoryBarrierBuffer(); barrier()
#define ATOMIC_ADD(m, v) atomicAdd(m, v)
#define ATOMIC_SUB(m, v) atomicAdd(m, -(v))
#define ATOMIC_MIN(m, v) atomicMin(m, v)
#define ATOMIC_MAX(m, v) atomicMax(m, v)
#define ATOMIC_AND(m, v) atomicAnd(m, v)
#define ATOMIC_OR(m, v) atomicOr(m, v)
#define ATOMIC_XOR(m, v) atomicXor(m, v)
#define ATOMIC_XCHG(m, v) atomicExchange(m, v)
#define ATOMIC_CAS(m, old, v) atomicCompSwap(m, old, v)
#define ATOMIC64_ADD(m, v) atomicAdd(m, v)
#define ATOMIC64_MIN(m, v) atomicMin(m, v)
#define ATOMIC64_MAX(m, v) atomicMax(m, v)
#define ATOMIC64_XOR(m, v) atomicXor(m, v)
#define LAD_GLB(i, type, name) layout(set = 0, binding = i, std430) buffer lad_b##i { type name[]; };
#define LAD_GLS(type, name) type name;
#define LAD_GLL(type, name, n) shared type name[n];
#define LAD_GLD(type, name) layout(constant_id = 4) const uint lad_dynamic = 1u; shared type name[lad_dynamic];
#define LAD_HAS_DYNAMIC(type, name) lad_dynamic
#define LAD_ECHO(type, name) LAD_ECHO_##type(name)
#define LAD_ECHO_uint(x) W(lad_at) = x; lad_at++;
#define LAD_ECHO_int(x) W(lad_at) = uint(x); lad_at++;
#define LAD_ECHO_float(x) W(lad_at) = floatBitsToUint(x); lad_at++;
#define LAD_ECHO_u64(x) W(lad_at) = uint(x); W(lad_at + 1u) = uint(x >> 32u); lad_at += 2u;
#define LAD_ECHO_i64(x) LAD_ECHO_u64(x)
#define LAD_ECHO_f64(v) \
    { uvec2 lad_d = unpackDouble2x32(v); W(lad_at) = lad_d.x; W(lad_at + 1u) = lad_d.y; lad_at += 2u; }
#define W(i) lad_w[lad_slot + (i)]
#define KERNEL                                                                                                         \
    BUFFERS(LAD_GLB)                                                                                                   \
    layout(push_constant, std430) uniform lad_args { SCALARS(LAD_GLS) uint lad_slot; uint lad_nonce; };                \
    LOCALS(LAD_GLL)                                                                                                    \
    DYNAMIC(LAD_GLD)                                                                                                   \
    void lad_body()
layout(set = 1, binding = 0, std430) buffer lad_witness { uint lad_w[]; };
#include "defaults.h"
#include KFILE
#define DYNAMIC_ITEMS (0u DYNAMIC(+ LAD_HAS_DYNAMIC))
void main()
{
#include "witness.inc"
    lad_body();
}
