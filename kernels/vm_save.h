/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's registers: declared and read back, or (SAVING) written for the next dispatch. Word n of an instance lies
 * n * count words behind its first, so that neighbours write side by side; the first says whether it is unfinished. */
#ifndef SAVING
        uint k = resume != 0u ? U32(K_END) : U32(K_BEGIN), kr = K_END /* after a refresh */, ks = K_END /* after clearing or killing */;
        uint ev = EV_OFF, epc = 0u, sp = 0u, tw = 0u, cat = 0u, cat_width = 0u, divide = 0u; /* the evaluator */
        u64 tv = U64(0), tx = U64(0), pb = U64(0), pe = U64(0), pr = U64(0);
        bool sc = false, woke = false, fetched = false, deferred = false;
        uint si = 0u, scan_set = 0u, fill_what = 0u, fill_at = 0u, fill_n = 0u, fill_with = 0u;
        uint p = 0u, ip = 0u, n = 0u, steps = 0u, word = 0u; /* the activation, and its instruction */
        uint shown_ip = 0u, whose = BY_ITSELF;
        uint i = 0u, j = 0u, mode = 0u; /* the outer loop of whatever takes more than one round */
        u64 value = U64(0), value_x = U64(0), delay = U64(0), reject = U64(0); /* an assignment between evaluations */
        uint index = 0u, index_x = 0u, stage = 0u;
        uint r_service = 0u, r_pid = 0u, r_mode = 0u, r_arg = 0u, r_differs = 0u, r_at = 0u; /* a service record */
        if (arena[saved] != 0u) {
            uint at = saved, a = arena[saved], b;
            k = a & 63u;
            kr = (a >> 6u) & 63u;
            ks = (a >> 12u) & 63u;
            ev = (a >> 18u) & 7u;
            sc = ((a >> 21u) & 1u) != 0u;
            woke = ((a >> 22u) & 1u) != 0u;
            fetched = ((a >> 23u) & 1u) != 0u;
            deferred = ((a >> 24u) & 1u) != 0u;
            whose = (a >> 25u) & 3u;
            at += count;
            b = arena[at];
            fill_what = b & 7u;
            r_mode = (b >> 3u) & 3u;
            stage = (b >> 5u) & 7u;
            index_x = (b >> 8u) & 1u;
            divide = (b >> 9u) & 3u;
            r_differs = (b >> 11u) & 3u;
            tw = (b >> 13u) & 127u;
            sp = (b >> 20u) & 63u;
#define VM_KEEP(x) at += count; x = arena[at];
#define VM_KEEP_LONG(x) at += count; x = U64(arena[at]); at += count; x |= U64(arena[at]) << 32u;
#else
        {
            uint at = saved;
            arena[at] = k == U32(K_END) ? 0u : k | (kr << 6u) | (ks << 12u) | (ev << 18u) | ((sc ? 1u : 0u) << 21u) |
                        ((woke ? 1u : 0u) << 22u) | ((fetched ? 1u : 0u) << 23u) | ((deferred ? 1u : 0u) << 24u) | (whose << 25u);
            at += count;
            arena[at] = fill_what | (r_mode << 3u) | (stage << 5u) | (index_x << 8u) | (divide << 9u) | (r_differs << 11u) |
                        (tw << 13u) | (sp << 20u);
#undef VM_KEEP
#undef VM_KEEP_LONG
#define VM_KEEP(x) at += count; arena[at] = x;
#define VM_KEEP_LONG(x) at += count; arena[at] = U32(x); at += count; arena[at] = U32(x >> 32u);
#endif
            VM_KEEP(epc) VM_KEEP(cat) VM_KEEP(cat_width) VM_KEEP(si) VM_KEEP(scan_set) VM_KEEP(fill_at) VM_KEEP(fill_n)
            VM_KEEP(fill_with) VM_KEEP(p) VM_KEEP(ip) VM_KEEP(n) VM_KEEP(steps) VM_KEEP(word)
            VM_KEEP(shown_ip) VM_KEEP(i) VM_KEEP(j) VM_KEEP(mode) VM_KEEP(index) VM_KEEP(r_service) VM_KEEP(r_pid)
            VM_KEEP(r_arg) VM_KEEP(r_at)
            VM_KEEP_LONG(tv) VM_KEEP_LONG(tx) VM_KEEP_LONG(pb) VM_KEEP_LONG(pe) VM_KEEP_LONG(pr) VM_KEEP_LONG(value)
            VM_KEEP_LONG(value_x) VM_KEEP_LONG(delay) VM_KEEP_LONG(reject)
        }
#ifdef SAVING
        FLAGS = flags;
        CURSOR = cursor;
        PHASE = phase;
        PUT64(arena, NOW, now)
        PUT64(arena, SPENT, spent)
        {
            uint at = saved + VM_COUNTERS * count; /* what was done since the arena was made */
            u64 sum = U64(arena[at]) | (U64(arena[at + count]) << 32u);
            sum += U64(ran);
            arena[at] = U32(sum);
            arena[at + count] = U32(sum >> 32u);
            at += 2u * count;
            sum = (U64(arena[at]) | (U64(arena[at + count]) << 32u)) + U64(activations);
            arena[at] = U32(sum);
            arena[at + count] = U32(sum >> 32u);
        }
#endif
