/* SPDX-License-Identifier: Apache-2.0 */
/* How the scheduler VM's kernels reach their buffers: 22 bindings (VM_DIRECT), a table of 22 addresses (VM_TABLED), or
 * one arena and 22 offsets (VM_PACKED); the seven companions behind them are bound alike. VM_ALSO(B, n) adds buffers.
 * T(i, k) is word k of table i. Where a loop asks for many of them, KEEP(name, i) remembers the table's place, which
 * compilers cannot because something is written meanwhile, and FROM(name, i, k) starts from there. */
/* How the scheduler VM's kernels reach their buffers: 22 bindings (VM_DIRECT), a table of 22 addresses (VM_TABLED), or
 * one arena and 22 offsets (VM_PACKED); the seven companions behind them are bound alike. VM_ALSO(B, n) adds buffers.
 * T(i, k) is word k of table i; FROM(base, i, k) is the same where BASE(i), of type BASE_TYPE, is kept in a variable. */
#ifndef VM_ALSO
#define VM_ALSO(B, n)
#endif
#define VM_COMPANIONS(B, a, b, c, d, e, f, g)                                                                           \
    B(a, uint, params) B(b, uint, statics) B(c, uint, arena) B(d, uint, signals) B(e, uint, shadow) B(f, uint, ring)    \
    B(g, uint, record)

#ifdef VM_DIRECT
#define BUFFERS(B)                                                                                                      \
    B(0, uint, t0) B(1, uint, t1) B(2, uint, t2) B(3, uint, t3) B(4, uint, t4) B(5, uint, t5) B(6, uint, t6)            \
    B(7, uint, t7) B(8, uint, t8) B(9, uint, t9) B(10, uint, t10) B(11, uint, t11) B(12, u64, t12) B(13, uint, t13)     \
    B(14, uint, t14) B(15, uint, t15) B(16, uint, t16) B(17, uint, t17) B(18, uint, t18) B(19, uint, t19)               \
    B(20, uint, t20) B(21, uint, t21) VM_COMPANIONS(B, 22, 23, 24, 25, 26, 27, 28) VM_ALSO(B, 29)
#define T(i, k) t##i[k]
#define KEEP(base, i)
#define FROM(base, i, k) t##i[k]
#define CASE_WORD(k) t12[k]
#define CASE_HALF(k) U32(t12[(k) >> 1u] >> ((k) % 2u * 32u))
#undef NEEDS
#define NEEDS "int64"
#endif

#ifdef VM_TABLED
#define BUFFERS(B) B(0, u64, tables) VM_COMPANIONS(B, 1, 2, 3, 4, 5, 6, 7) VM_ALSO(B, 8)
POINTER(uint)
#ifdef LAD_GLSL
layout(buffer_reference, std430, buffer_reference_align = 8) buffer lad_ref_long { u64 v[]; };
#define CASE_WORD(k) lad_ref_long(tables[12]).v[k]
#else
#define CASE_WORD(k) AT(u64, tables[12], k)
#endif
#define T(i, k) AT(uint, tables[i], k)
#define KEEP(base, i) u64 base = tables[i];
#define FROM(base, i, k) AT(uint, base, k)
#define CASE_HALF(k) T(12, k)
#undef NEEDS
#define NEEDS "int64 buffer-address"
#endif

#ifdef VM_PACKED
#define BUFFERS(B) B(0, uint, tables) B(1, uint, offsets) VM_COMPANIONS(B, 2, 3, 4, 5, 6, 7, 8) VM_ALSO(B, 9)
#define T(i, k) tables[(offsets[i] >> 2u) + (k)]
#define KEEP(base, i) uint base = offsets[i] >> 2u;
#define FROM(base, i, k) tables[(base) + (k)]
#define CASE_WORD(k) (U64(T(12, 2u * (k))) | (U64(T(12, 2u * (k) + 1u)) << 32u))
#define CASE_HALF(k) T(12, k)
#undef NEEDS
#define NEEDS "int64"
#endif
