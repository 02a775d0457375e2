/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic operations on cells of type T in memory CELL: CONST0 chooses add sub min max and or xor xchg cas. Item i works
 * on cell i % cells. Exchange and compare-and-swap hand out the numbers 0, 1, 2 ... of each cell; `seen` counts how
 * often each came, with `stride` places a cell. */
#define SCALARS(S) S(uint, n) S(uint, cells) S(uint, stride)
#define APPLY(CELL)                                                                                                    \
    T v = src[i], old = TO(0), next;                                                                                   \
    uint tries, turn = i / cells, c = i - turn * cells;                                                                \
    if (CONST0 == 0u) ATOMIC_ADD(CELL[c], v);                                                                          \
    if (CONST0 == 1u) ATOMIC_SUB(CELL[c], v);                                                                          \
    if (CONST0 == 2u) ATOMIC_MIN(CELL[c], v);                                                                          \
    if (CONST0 == 3u) ATOMIC_MAX(CELL[c], v);                                                                          \
    if (CONST0 == 4u) ATOMIC_AND(CELL[c], v);                                                                          \
    if (CONST0 == 5u) ATOMIC_OR(CELL[c], v);                                                                           \
    if (CONST0 == 6u) ATOMIC_XOR(CELL[c], v);                                                                          \
    if (CONST0 == 7u) old = ATOMIC_XCHG(CELL[c], TO(turn + 1u));                                                       \
    if (CONST0 == 8u) {                                                                                                \
        next = TO(0);                                                                                                  \
        for (tries = 0u; tries < 20000u; tries++) {                                                                    \
            old = next;                                                                                                \
            next = ATOMIC_CAS(CELL[c], old, old + TO(1));                                                              \
            if (next == old)                                                                                           \
                break;                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    if (CONST0 >= 7u && U32(old) < stride) ATOMIC_ADD(seen[c * stride + U32(old)], 1u);
