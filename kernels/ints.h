/* SPDX-License-Identifier: Apache-2.0 */
/* Integer operations on a type T whose conversion is TO: 16 blocks of n results, in the order below. The remainder is
 * of another dividend than the quotient: compilers merge the two otherwise, into code that not every simulator
 * knows. */
#define SCALARS(S) S(uint, n)
#ifdef LAD_GLSL /* its % leaves negative operands undefined */
#define REST(x, y) ((x) - (x) / (y) * (y))
#else
#define REST(x, y) ((x) % (y))
#endif
#ifdef LAD_C
#define SMALLER(x, y) ((x) < (y) ? (x) : (y))
#define LARGER(x, y) ((x) > (y) ? (x) : (y))
#else /* as the language has them: other code than a comparison and a choice */
#define SMALLER(x, y) min(x, y)
#define LARGER(x, y) max(x, y)
#endif
KERNEL
{
    uint i = GID(0), bits = LAD_BITS;
    if (i < n) {
        T x = a[i], y = b[i] | TO(1); /* never zero, whatever arrives */
        uint shift = U32(y) & (bits - 1u);
        dst[i] = TO(x + y);
        dst[n + i] = TO(x - y);
        dst[2u * n + i] = TO(x * y);
        dst[3u * n + i] = TO(x / y);
        dst[4u * n + i] = TO(REST(TO(x ^ y), y));
        dst[5u * n + i] = TO(x & y);
        dst[6u * n + i] = TO(x | y);
        dst[7u * n + i] = TO(x ^ y);
        dst[8u * n + i] = TO(~x);
        dst[9u * n + i] = TO(UNSIGNED(x) << shift);
        dst[10u * n + i] = TO(x >> shift);
        dst[11u * n + i] = x < y ? TO(1) : TO(0);
        dst[12u * n + i] = x == TO(n) ? TO(1) : TO(0);
        dst[13u * n + i] = x > y ? x : y;
        dst[14u * n + i] = SMALLER(x, y);
        dst[15u * n + i] = LARGER(x, y);
    }
}
