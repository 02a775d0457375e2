/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel sees of the scheduler VM's 22 tables, over the same bindings: first words, last guard words, sums of all
 * words, and how many processes of all instances begin with each of the 256 opcodes. */
#include "repeat.h"
#define VM_ALSO(B, n) B(n, uint, seen)
#include "vm_bind.h"
#define SCALARS(S) S(uint, items)
TABLE(uint, element_words, 22) {1u, 1u, 1u, 1u, 1u, 4u, 5u, 1u, 1u, 1u, 7u, 3u, 2u, 1u, 1u, 11u, 8u, 6u, 4u, 6u, 4u, 6u};
#define ENDS(k)                                                                                                         \
    words = params[36u + k##u] * element_words[k];                                                                      \
    last = (words + 3u) / 4u * 4u + 3u;                                                                                 \
    seen[k##u] = k == 12 ? CASE_HALF(0u) : U32(T(k, 0u));                                                               \
    seen[22u + k##u] = k == 12 ? CASE_HALF(last) : U32(T(k, last));
#define SUM(k)                                                                                                          \
    words = params[36u + k##u] * element_words[k];                                                                      \
    sum = 0u;                                                                                                           \
    for (j = i; j < words; j += items)                                                                                  \
        sum += k == 12 ? CASE_HALF(j) : U32(T(k, j));                                                                   \
    if (sum != 0u)                                                                                                      \
        ATOMIC_ADD(seen[44u + k##u], sum);
KERNEL
{
    uint i = GID(0), j, words, last, sum;
    if (i == 0u) {
        R22(ENDS)
    }
    if (i < items) {
        R22(SUM)
        for (j = i; j < params[37]; j += items)
            if (T(2, j) != 0u)
                ATOMIC_ADD(seen[66u + (T(0, T(1, j)) & 255u)], 1u);
    }
}
