/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expression evaluator of the scheduler VM's kernels: one step, a loop's body in vm.h. The top of the stack is
 * (tv, tx, tw), the cells below it lie in the work area. Powers, quotients and concatenations take a step per bit or
 * part, so that no step has a loop of its own.
 */
    uint op = 0u, arg = 0u, sub = 0u, w = cat_width, pops = 0u, bad = 0u, one = 3u /* a one-bit result */, lw = 0u, at;
    u64 m, rv = U64(0), rx = U64(0), lv = U64(0), lx = U64(0), cv = U64(0), cx = U64(0);
    bool sx = false /* sign extension */, over = false;
    fuel_left--;
    if (ev == EV_RUN) {
        uint word = epc < N_EXPR ? EXPR(epc) : 255u;
        op = word & 255u;
        arg = word >> 8u;
        sub = arg & 255u;
        sx = (arg & 256u) != 0u;
        w = op != X_DONE && epc + 1u < N_EXPR ? EXPR(epc + 1u) : 0u;
        epc += 2u;
        pops = op == X_CONCAT ? arg : (0x1B900u >> (2u * (op & 15u))) & 3u;
        over = op == X_DONE;
        if (over)
            bad = sp == 1u ? 0u : U32(E_EXPR);
        else if (op > X_PUSH_CONST_XZ || w == 0u)
            bad = E_EXPR;
        else if (w > 64u)
            bad = E_CAPABILITY;
        else if (op == X_CALL && sub >= CALL_REALTIME)
            bad = sub <= CALL_LAST ? U32(E_CAPABILITY) : U32(E_EXPR);
        else if (sp < pops || (pops == 0u && (sp == 32u || op == X_CONCAT)))
            bad = E_EXPR;
    }
    m = low_bits(w);
    at = stack + (sp - 2u) * 5u * count;
    if (bad == 0u && (ev == EV_CONCAT ? cat > 1u : pops > 1u && op != X_CONCAT)) {
        lv = U64(arena[at]) | (U64(arena[at + count]) << 32u);
        lx = U64(arena[at + 2u * count]) | (U64(arena[at + 3u * count]) << 32u);
        lw = arena[at + 4u * count];
    }
    if (bad == 0u && op == X_TERNARY) {
        at -= 5u * count;
        cv = U64(arena[at]) | (U64(arena[at + count]) << 32u);
        cx = U64(arena[at + 2u * count]) | (U64(arena[at + 3u * count]) << 32u);
    }

    if (ev == EV_CONCAT) {
        if (cat == 1u) {
            ev = EV_RUN;
            bad = tw == w ? 0u : U32(E_EXPR);
        } else if (lw + tw > 64u) {
            bad = E_EXPR;
        } else {
            tv |= lv << tw;
            tx |= lx << tw;
            tw += lw;
            sp--;
            cat--;
        }
    } else if (ev == EV_POWER) {
        if (pe == U64(0)) {
            tv = pr & low_bits(tw);
            ev = EV_RUN;
        } else {
            pr *= (pe & U64(1)) != U64(0) ? pb : U64(1);
            pb *= pb;
            pe >>= 1u;
        }
    } else if (ev == EV_DIVIDE) {
        if (cat == 0u) {
            tv = (divide & 1u) != 0u ? pr : pe;
            tv = ((divide & 2u) != 0u ? U64(0) - tv : tv) & low_bits(tw);
            ev = EV_RUN;
        } else {
            bool carry = (pr >> 63u) != U64(0);
            pr = (pr << 1u) | (pe >> 63u);
            pe <<= 1u;
            if (carry || pr >= pb) {
                pr -= pb;
                pe |= U64(1);
            }
            cat--;
        }
    } else if (bad == 0u && op == X_CONCAT) {
        ev = EV_CONCAT;
        cat = arg;
        cat_width = w;
    } else if (bad == 0u && !over) {
        uint next = EV_RUN;
        if (op == X_PUSH_CONST || op == X_PUSH_CONST_XZ) {
            uint need = op == X_PUSH_CONST ? 2u : 4u;
            if (N_IMM < need || arg > N_IMM - need) {
                bad = E_EXPR;
            } else {
                rv = (U64(IMM(arg)) | (U64(IMM(arg + 1u)) << 32u)) & m;
                if (op == X_PUSH_CONST_XZ)
                    rx = (U64(IMM(arg + 2u)) | (U64(IMM(arg + 3u)) << 32u)) & m;
            }
        } else if (op == X_PUSH_IMM) {
            rv = U64(arg) & m;
        } else if (op == X_CALL) {
            rv = (sub == 0u ? now : now & U64(0xFFFFFFFFu)) & m;
        } else if (op == X_PUSH_SIGNAL || op == X_INDEX) {
            if (arg >= n_signals || (SIGNAL(arg, 3u) > 1u) != (op == X_INDEX)) {
                bad = E_EXPR;
            } else if ((SIGNAL(arg, 4u) & 1u) != 0u || SIGNAL(arg, 2u) > 64u) {
                bad = E_CAPABILITY;
            } else {
                uint size = SIGNAL(arg, 3u), each = SIGNAL(arg, 2u) > 32u ? 2u : 1u, from = SIGNAL(arg, 0u) >> 2u,
                     from_xz = SIGNAL(arg, 1u) >> 2u, element = op == X_INDEX ? U32(tv) : 0u;
                if (op == X_INDEX && (tx != U64(0) || tv >= U64(size))) {
                    rv = rx = m;
                } else {
                    at = (gid * size + element) * each;
                    rv = U64(signals[from + at]);
                    if (each == 2u)
                        rv |= U64(signals[from + at + 1u]) << 32u;
                    if (from_xz != from) {
                        rx = U64(signals[from_xz + at]);
                        if (each == 2u)
                            rx |= U64(signals[from_xz + at + 1u]) << 32u;
                    }
                    rv &= m;
                    rx &= m;
                }
            }
        } else if (op == X_UNARY) {
            if (sub > UN_LAST) {
                bad = E_EXPR;
            } else if (sub < UN_LOG_NOT) {
                rv = extend(tv, tw, w, sx);
                rx = extend(tx, tw, w, sx);
                if (sub == UN_MINUS) {
                    rv = rx != U64(0) ? m : (U64(0) - rv) & m;
                    rx = rx != U64(0) ? m : U64(0);
                } else if (sub == UN_BIT_NOT) {
                    rv = (~rv & m) | rx;
                }
            } else {
                if (sub < UN_RED)
                    one = truth(tv, tx);
                else if (sub < UN_RED + 2u)
                    one = (~tv & ~tx & low_bits(tw)) != U64(0) ? 0u : tx != U64(0) ? 2u : 1u;
                else if (sub < UN_RED + 4u)
                    one = truth(tv, tx);
                else
                    one = tx != U64(0) ? 2u : parity(tv);
                if (one != 2u && (sub == UN_LOG_NOT || (sub >= UN_RED && (sub & 1u) != 0u)))
                    one = 1u - one;
            }
        } else if (op == X_BINARY) {
            uint to = sub >= BIN_EQ ? (lw > tw ? lw : tw) : w;
            u64 v = tv, x = tx, unknown;
            if (sub != BIN_LOG_AND && sub != BIN_LOG_AND + 1u) {
                lv = extend(lv, lw, to, sx);
                lx = extend(lx, lw, to, sx);
                if (sub < BIN_POW || sub > BIN_ASHR) {
                    v = extend(v, tw, to, sx);
                    x = extend(x, tw, to, sx);
                }
            }
            unknown = lx | x;
            if (sub > BIN_LAST) {
                bad = E_EXPR;
            } else if (sub < BIN_SHL) {
                if (unknown != U64(0) || (v == U64(0) && (sub == BIN_DIV || sub == BIN_DIV + 1u))) {
                    rv = rx = m;
                } else if (sub < BIN_MUL) {
                    rv = (sub == 0u ? lv + v : lv - v) & m;
                } else if (sub == BIN_MUL) {
                    rv = (lv * v) & m;
                } else if (sub == BIN_POW) {
                    bool minus = (arg & 512u) != 0u && ((v >> (tw - 1u)) & U64(1)) != U64(0);
                    if (!minus) {
                        pb = lv;
                        pe = v;
                        pr = U64(1);
                        next = EV_POWER;
                    } else if (sx && lv == m) {
                        rv = (v & U64(1)) != U64(0) ? m : U64(1);
                    } else if (lv == U64(0)) {
                        rv = rx = m;
                    } else {
                        rv = lv == U64(1) ? U64(1) : U64(0);
                    }
                } else {
                    bool l_minus = sx && ((lv >> (w - 1u)) & U64(1)) != U64(0);
                    bool r_minus = sx && ((v >> (w - 1u)) & U64(1)) != U64(0);
                    pe = (l_minus ? (U64(0) - lv) & m : lv) << (64u - w);
                    pb = r_minus ? (U64(0) - v) & m : v;
                    pr = U64(0);
                    cat = w;
                    divide = sub - BIN_DIV;
                    if (divide == 0u ? l_minus != r_minus : l_minus)
                        divide |= 2u;
                    next = EV_DIVIDE;
                }
            } else if (sub < BIN_AND) {
                uint by = v > U64(63) ? 64u : U32(v);
                u64 fill = U64(0);
                if (x != U64(0)) {
                    rv = rx = m;
                } else if (sub == BIN_SHL) {
                    rv = shift_up(lv, by) & m;
                    rx = shift_up(lx, by) & m;
                } else {
                    rv = shift_down(lv, by);
                    rx = shift_down(lx, by);
                    if (sx && sub == BIN_ASHR)
                        fill = m & ~low_bits(by < w ? w - by : 0u);
                    rv |= ((lv >> (w - 1u)) & U64(1)) != U64(0) ? fill : U64(0);
                    rx |= ((lx >> (w - 1u)) & U64(1)) != U64(0) ? fill : U64(0);
                }
            } else if (sub < BIN_LOG_AND) {
                u64 l1 = lv & ~lx, r1 = v & ~x, l0 = ~(lv | lx), r0 = ~(v | x), ones, zeros;
                if (sub < BIN_XOR) {
                    ones = sub == BIN_AND ? l1 & r1 : l1 | r1;
                    zeros = sub == BIN_AND ? l0 | r0 : l0 & r0;
                } else {
                    ones = (l1 & r0) | (l0 & r1);
                    zeros = (l1 & r1) | (l0 & r0);
                    if (sub != BIN_XOR) {
                        unknown = ones;
                        ones = zeros;
                        zeros = unknown;
                    }
                }
                rx = ~(ones | zeros) & m;
                rv = (ones & m) | rx;
            } else if (sub < BIN_EQ) {
                uint a = truth(lv, lx), b = truth(v, x), decides = sub == BIN_LOG_AND ? 0u : 1u;
                one = a == decides || b == decides ? decides : a == 2u || b == 2u ? 2u : 1u - decides;
            } else if (sub < BIN_CASE_EQ) {
                one = ((lv ^ v) & ~unknown) != U64(0) ? 0u : unknown != U64(0) ? 2u : 1u;
            } else if (sub < BIN_LT) {
                one = lv == v && lx == x ? 1u : 0u;
            } else {
                u64 flip = sx ? U64(1) << (to - 1u) : U64(0);
                bool less = (lv ^ flip) < (v ^ flip), same = lv == v;
                if (unknown != U64(0))
                    one = 2u;
                else if (sub < BIN_LT + 2u)
                    one = less || (same && sub != BIN_LT) ? 1u : 0u;
                else
                    one = !less && (!same || sub != BIN_LT + 2u) ? 1u : 0u;
            }
            if (one != 2u && (sub == BIN_EQ + 1u || sub == BIN_CASE_EQ + 1u))
                one = 1u - one;
        } else if (op == X_TERNARY) {
            uint t = truth(cv, cx);
            u64 v = extend(tv, tw, w, sx), x = extend(tx, tw, w, sx), same;
            lv = extend(lv, lw, w, sx);
            lx = extend(lx, lw, w, sx);
            same = ~(lv ^ v) & ~(lx | x) & m;
            rv = t == 1u ? lv : t == 0u ? v : (v & same) | (m & ~same);
            rx = t == 1u ? lx : t == 0u ? x : m & ~same;
        } else { /* SELECT */
            u64 there = low_bits(lw);
            if (tx != U64(0) || (tv >> 32u) != U64(0)) {
                rv = rx = m;
            } else {
                there = shift_down(there, U32(tv)) & m;
                rv = (shift_down(lv, U32(tv)) & there) | (m & ~there);
                rx = (shift_down(lx, U32(tv)) & there) | (m & ~there);
            }
        }
        if (one != 3u) {
            rv = one != 0u ? U64(1) : U64(0);
            rx = one == 2u ? U64(1) : U64(0);
        }
        if (pops == 0u && sp != 0u) {
            at = stack + (sp - 1u) * 5u * count;
            arena[at] = U32(tv);
            arena[at + count] = U32(tv >> 32u);
            arena[at + 2u * count] = U32(tx);
            arena[at + 3u * count] = U32(tx >> 32u);
            arena[at + 4u * count] = tw;
        }
        sp += 1u - pops;
        tv = four_state ? rv : rv & ~rx;
        tx = four_state ? rx : U64(0);
        tw = w;
        ev = next;
    }
    if (bad != 0u || over) {
        err = bad;
        ev = EV_OFF;
    }
