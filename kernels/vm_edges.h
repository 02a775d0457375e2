/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process waits for, as two entries of (kind, signal) a wait: kind 0 is any change, 1 a rising, 2 a falling edge
 * of bit 0. `seen` holds the last values, two an invocation; dst says whether the wait is over. CONST0 is in the result
 * so that no compiler's cache has ever seen the kernel. The same logic has two forms: a branch of a switch for each
 * wait, or loops over a table.
 */
#include "repeat.h"
#define BUFFERS(B) B(0, uint, select) B(1, uint, now) B(2, uint, seen) B(3, uint, dst) B(4, uint, waits)
#define SCALARS(S) S(uint, n)
#define HIT(kind, was, is) ((kind) == 0u ? (was) != (is) : (((is) ^ (was)) & 1u) != 0u && ((is) & 1u) == 2u - (kind))
#define EDGE_KIND(k, j) (((k) + (j)) % 3u)
#define EDGE_SIGNAL(k, j) (((k) * (7u - 2u * (j)) + 3u) % 64u)

/* The form of the switch, with a branch for each of WAITS(M)'s numbers. */
#define ENTRY(k, j)                                                                                                    \
    {                                                                                                                  \
        uint is = now[EDGE_SIGNAL(k, j)];                                                                              \
        if (HIT(EDGE_KIND(k, j), seen[2u * i + j], is))                                                                \
            over = 1u;                                                                                                 \
        seen[2u * i + j] = is;                                                                                         \
    }
#define WAIT(k) case k##u: ENTRY(k##u, 0u) ENTRY(k##u, 1u) break;
#define SWITCH(WAITS)                                                                                                  \
    {                                                                                                                  \
        uint i = GID(0), over = 0u;                                                                                    \
        if (i < n) {                                                                                                   \
            switch (select[i]) { WAITS(WAIT) default: break; }                                                         \
            dst[i] = over + CONST0;                                                                                    \
        }                                                                                                              \
    }
#define TENS(M, p)                                                                                                     \
    R10(M, p##0) R10(M, p##1) R10(M, p##2) R10(M, p##3) R10(M, p##4) R10(M, p##5) R10(M, p##6) R10(M, p##7)            \
    R10(M, p##8) R10(M, p##9)
#define R256(M)                                                                                                        \
    R128(M) M(128) M(129) R10(M, 13) R10(M, 14) R10(M, 15) R10(M, 16) R10(M, 17) R10(M, 18) R10(M, 19) R10(M, 20)      \
    R10(M, 21) R10(M, 22) R10(M, 23) R10(M, 24) M(250) M(251) M(252) M(253) M(254) M(255)
#define R1024(M)                                                                                                       \
    R100(M) TENS(M, 1) TENS(M, 2) TENS(M, 3) TENS(M, 4) TENS(M, 5) TENS(M, 6) TENS(M, 7) TENS(M, 8) TENS(M, 9)         \
    R10(M, 100) R10(M, 101) M(1020) M(1021) M(1022) M(1023)
