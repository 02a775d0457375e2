/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on bit planes for the scheduler VM's kernels. No shift here is by 64 or more. */
FN u64 low_bits(uint n)
{
    return n == 0u ? U64(0) : ~U64(0) >> (n > 63u ? 0u : 64u - n);
}

/* Bits above `from` are zero; a sign bit fills them up to `to`. */
FN u64 extend(u64 v, uint from, uint to, bool sx)
{
    u64 m = low_bits(to);
    if (sx && from < to && ((v >> (from - 1u)) & U64(1)) != U64(0))
        v |= ~low_bits(from);
    return v & m;
}

/* Bit i of the result is bit (at + i) mod 2^32, as far as there are bits. */
FN u64 shift_down(u64 v, uint at)
{
    return at < 64u ? v >> at : at > 0xFFFFFFC0u ? v << (0u - at) : U64(0);
}

FN u64 shift_up(u64 v, uint at)
{
    return at < 64u ? v << at : at > 0xFFFFFFC0u ? v >> (0u - at) : U64(0);
}

/* 0, 1, or 2 for unknown */
FN uint truth(u64 v, u64 x)
{
    return (v & ~x) != U64(0) ? 1u : x != U64(0) ? 2u : 0u;
}

FN uint parity(u64 v)
{
    uint x = U32(v ^ (v >> 32u));
    x ^= x >> 16u;
    x ^= x >> 8u;
    return (0x6996u >> ((x ^ (x >> 4u)) & 15u)) & 1u;
}

/* Shape of an assignment's target: array 4, bit select 8, range 16, indexed range 32. */
FN bool shape_holds(uint shape)
{
    return shape == 0u || shape == 4u || shape == 20u || shape == 8u || shape == 16u || shape == 48u;
}
