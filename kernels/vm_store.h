/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages of the scheduler VM's kernels: an assignment's target is resolved (entry, value, value_x, index, index_x), then
 * a value is put where it belongs. An assignment that a process makes is one word long and is over with this.
 */
                if (resolve != 0u && err == 0u) {
                    bool later = whose == BY_ITSELF || (word & 255u) == U32(OP_ASSIGN_DELAY);
                    uint shape = later ? (DELAY_ASSIGN(entry, 0u) >> 3u) & 60u : ASSIGN(entry, 0u) & 60u;
                    uint lsb = later ? DELAY_ASSIGN(entry, 7u) : ASSIGN(entry, 6u), width = later ? DELAY_ASSIGN(entry, 5u) :
                               ASSIGN(entry, 4u), size;
                    q_signal = later ? DELAY_ASSIGN(entry, 1u) : ASSIGN(entry, 1u);
                    size = SIGNAL(q_signal, 3u);
                    if (!shape_holds(shape) || (size > 1u) != ((shape & 4u) != 0u)) {
                        err = E_ENTRY;
                    } else {
                        bool ignored = (shape & 44u) != 0u && (index_x != 0u || ((shape & 4u) != 0u && index >= size));
                        q_element = (shape & 4u) != 0u ? index : 0u;
                        q_start = shape == 8u || shape == 48u ? index : (shape & 16u) != 0u ? lsb : 0u;
                        q_bits = shape == 8u ? 1u : (shape & 16u) != 0u ? width : SIGNAL(q_signal, 2u);
                        q_v = value & low_bits(width);
                        q_x = value_x & low_bits(width);
                        put = ignored ? 0u : resolve;
                        if (whose == BY_PROC)
                            k = K_FETCH;
                        if (later && resolve == PUT_STORE)
                            WAIT_ID(p) = 0u; /* it went on after its wait */
                    }
                }
                if (put == PUT_LOG) {
                    uint at = NBA_COUNT;
                    if (at >= n_log) {
                        err = E_NBA_FULL;
                    } else {
                        NBA_COUNT = at + 1u;
                        at = NBA_LOG(at);
                        arena[at] = q_signal;
                        arena[at + 1u] = q_element;
                        arena[at + 2u] = q_start;
                        arena[at + 3u] = q_bits;
                        PUT64(arena, at + 4u, q_v)
                        PUT64(arena, at + 6u, q_x)
                    }
                } else if (put != 0u && err == 0u) {
                    uint width = SIGNAL(q_signal, 2u), each = width > 32u ? 2u : 1u;
                    uint offset = (gid * SIGNAL(q_signal, 3u) + q_element) * each;
                    uint at = (SIGNAL(q_signal, 0u) >> 2u) + offset, at_x = (SIGNAL(q_signal, 1u) >> 2u) + offset;
                    uint f_slot = slots != 0u ? OVERRIDE(q_signal, 0u) : NONE, p_slot = slots != 0u ? OVERRIDE(q_signal, 1u) : NONE;
                    bool planes = at != at_x, net = slots != 0u && OVERRIDE(q_signal, 2u) == 0u, in_shadow = false, drop = false;
                    bool forced = f_slot != NONE && FORCE_ID(f_slot) != NONE;
                    bool overridden = forced || (p_slot != NONE && PASSIGN_ID(p_slot) != NONE);
                    u64 full = low_bits(width), m = full, old, old_x = U64(0), v = q_v, x = q_x;
                    if (put == PUT_STORE) {
                        m = shift_up(low_bits(q_bits), q_start) & full;
                        v = shift_up(v, q_start);
                        x = shift_up(x, q_start);
                        in_shadow = overridden && net;
                        drop = overridden && !net;
                    }
                    if (in_shadow || put == PUT_RELEASE) {
                        old = U64(shadow[at]) | (each == 2u ? U64(shadow[at + 1u]) << 32u : U64(0));
                        if (planes)
                            old_x = U64(shadow[at_x]) | (each == 2u ? U64(shadow[at_x + 1u]) << 32u : U64(0));
                        if (put == PUT_RELEASE) {
                            v = old;
                            x = old_x;
                        }
                    } else {
                        old = U64(signals[at]) | (each == 2u ? U64(signals[at + 1u]) << 32u : U64(0));
                        if (planes)
                            old_x = U64(signals[at_x]) | (each == 2u ? U64(signals[at_x + 1u]) << 32u : U64(0));
                    }
                    v = (old & ~m) | (v & m);
                    x = (old_x & ~m) | (x & m);
                    if (put == PUT_VALUE && (v != old || x != old_x))
                        mode = 1u; /* of a refresh */
                    if (put == PUT_FORCE) {
                        if ((FORCE(entry, 0u) & 1u) != 0u) {
                            PASSIGN_ID(FORCE(entry, 5u)) = FORCE(entry, 3u);
                            drop = forced;
                        } else {
                            FORCE_ID(FORCE(entry, 4u)) = FORCE(entry, 3u);
                        }
                        if ((FORCE(entry, 0u) & 4u) == 0u && !overridden) { /* a net keeps what drives it aside */
                            shadow[at] = U32(old);
                            if (each == 2u)
                                shadow[at + 1u] = U32(old >> 32u);
                            if (planes) {
                                shadow[at_x] = U32(old_x);
                                if (each == 2u)
                                    shadow[at_x + 1u] = U32(old_x >> 32u);
                            }
                        }
                    }
                    if (in_shadow) {
                        shadow[at] = U32(v);
                        if (each == 2u)
                            shadow[at + 1u] = U32(v >> 32u);
                        if (planes) {
                            shadow[at_x] = U32(x);
                            if (each == 2u)
                                shadow[at_x + 1u] = U32(x >> 32u);
                        }
                    } else if (!drop) {
                        signals[at] = U32(v);
                        if (each == 2u)
                            signals[at + 1u] = U32(v >> 32u);
                        if (planes) {
                            signals[at_x] = U32(x);
                            if (each == 2u)
                                signals[at_x + 1u] = U32(x >> 32u);
                        }
                    }
                }
                if (resolve != 0u && err == 0u && whose == BY_PROC)
                    ip++;
