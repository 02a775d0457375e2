/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way of the scheduler VM's kernels: jumps, and assignments of a short expression of known bits to a whole
 * variable that nothing overrides. Most instructions of most programs are such. Everything is in registers and nothing
 * has an effect before it is clear that the instruction is of this kind; any other is left to the machine, from its
 * beginning. The results are the machine's own, which every test compares with the reference.
 */
#define ENTRY(s, field) FROM(entries, 6, (s) * 5u + field)
                if (k == U32(K_FETCH) && err == 0u && act == 0u && slots == 0u) {
                    uint code = OFFSET(idx + p), length = LENGTH(idx + p), n_assigns = N_ASSIGNS, n_expr = N_EXPR;
                    uint n_imm = N_IMM;
                    bool quick = true;
                    KEEP(codes, 0) KEEP(entries, 6) KEEP(exprs, 13) KEEP(imms, 14) KEEP(assigns, 16)
                    while (quick && fuel_left > VM_QUICK_OPS && n < limit && ip < length &&
                           (runaway == U64(0) || spent < runaway)) {
                        uint instruction = FROM(codes, 0, code + ip), op = instruction & 255u, arg = instruction >> 8u;
                        uint signal = 0u, e = 0u, width = 0u, ops = 0u, depth_now = 0u, to = arg;
                        uint aw = 0u, bw = 0u, cw = 0u; /* the three cells of the stack: a is the top */
                        u64 a = U64(0), b = U64(0), c = U64(0);
                        bool more = false;
                        quick = op == U32(OP_JUMP) ? arg < length :
                                (op == U32(OP_ASSIGN) || op == U32(OP_ASSIGN_NB)) && arg < n_assigns;
                        if (quick && op != U32(OP_JUMP)) {
                            to = ip + 1u;
                            signal = FROM(assigns, 16, arg * 8u + 1u);
                            e = FROM(assigns, 16, arg * 8u + 2u);
                            quick = FROM(assigns, 16, arg * 8u) == (op == U32(OP_ASSIGN_NB) ? 1u : 0u);
                            quick = quick && signal < n_signals && ENTRY(signal, 3u) == 1u;
                            more = quick;
                            quick = false; /* until the end of the expression: loops may end before */
                        }
                        while (more) {
                            uint x_word = e < n_expr ? FROM(exprs, 13, e) : 255u, x_op = x_word & 255u;
                            uint x_arg = x_word >> 8u, sub = x_arg & 255u;
                            uint w = e + 1u < n_expr ? FROM(exprs, 13, e + 1u) : 0u;
                            u64 m = low_bits(w), v = U64(0);
                            bool sx = (x_arg & 256u) != 0u;
                            fuel_left--;
                            ops++;
                            e += 2u;
                            more = false; /* unless this word is fine, and not the last */
                            if (x_op == X_DONE) {
                                quick = depth_now == 1u;
                            } else if (ops >= VM_QUICK_OPS || w == 0u || w > 64u) {
                                /* too long, or wrong */
                            } else if (x_op == X_PUSH_SIGNAL || x_op == X_PUSH_CONST || x_op == X_PUSH_IMM) {
                                more = depth_now < 3u;
                                if (x_op == X_PUSH_IMM) {
                                    v = U64(x_arg);
                                } else if (x_op == X_PUSH_CONST) {
                                    if (n_imm < 2u || x_arg > n_imm - 2u)
                                        more = false;
                                    else
                                        v = U64(FROM(imms, 14, x_arg)) | (U64(FROM(imms, 14, x_arg + 1u)) << 32u);
                                } else if (x_arg >= n_signals || ENTRY(x_arg, 3u) != 1u || ENTRY(x_arg, 2u) > 64u ||
                                           (ENTRY(x_arg, 4u) & 1u) != 0u) {
                                    more = false;
                                } else {
                                    uint from = ENTRY(x_arg, 0u) >> 2u, from_x = ENTRY(x_arg, 1u) >> 2u, unknown = 0u;
                                    if (ENTRY(x_arg, 2u) > 32u) {
                                        v = U64(signals[from + 2u * gid]) | (U64(signals[from + 2u * gid + 1u]) << 32u);
                                        if (from_x != from)
                                            unknown = signals[from_x + 2u * gid] | signals[from_x + 2u * gid + 1u];
                                    } else {
                                        v = U64(signals[from + gid]);
                                        if (from_x != from)
                                            unknown = signals[from_x + gid];
                                    }
                                    more = more && unknown == 0u;
                                }
                                c = b;
                                cw = bw;
                                b = a;
                                bw = aw;
                                a = v & m;
                                aw = w;
                                depth_now++;
                            } else if (x_op == X_BINARY && depth_now > 1u && sub <= BIN_LAST &&
                                       (sub < BIN_DIV || sub > BIN_POW)) { /* these three take a loop */
                                bool own = sub == BIN_LOG_AND || sub == BIN_LOG_AND + 1u;
                                uint ew = sub < BIN_EQ ? w : bw > aw ? bw : aw;
                                u64 l = sub < BIN_EQ && !own ? b & m : b, r = a; /* all of r: m is applied to v */
                                if (sx && !own) {
                                    l = extend(b, bw, ew, true);
                                    if (sub < BIN_SHL || sub > BIN_ASHR)
                                        r = extend(a, aw, ew, true);
                                }
                                if (sub == 0u)
                                    v = l + r;
                                else if (sub == 1u)
                                    v = l - r;
                                else if (sub == BIN_MUL)
                                    v = l * r;
                                else if (sub == BIN_AND)
                                    v = l & r;
                                else if (sub == BIN_AND + 1u)
                                    v = l | r;
                                else if (sub < BIN_AND) {
                                    uint by = r > U64(63) ? 64u : U32(r);
                                    v = sub == BIN_SHL ? shift_up(l, by) : shift_down(l, by);
                                    if (sub == BIN_ASHR && sx && ((l >> (w - 1u)) & U64(1)) != U64(0))
                                        v |= ~low_bits(by < w ? w - by : 0u);
                                } else if (sub < BIN_LOG_AND)
                                    v = sub == BIN_XOR ? l ^ r : ~(l ^ r);
                                else {
                                    u64 flip = sx && sub >= BIN_LT ? U64(1) << (ew - 1u) : U64(0);
                                    bool holds;
                                    if (own)
                                        holds = sub == BIN_LOG_AND ? l != U64(0) && r != U64(0) : (l | r) != U64(0);
                                    else if (sub < BIN_LT)
                                        holds = (l == r) == ((sub - BIN_EQ) % 2u == 0u);
                                    else if (sub == BIN_LT || sub == BIN_LT + 3u)
                                        holds = ((l ^ flip) < (r ^ flip)) == (sub == BIN_LT);
                                    else
                                        holds = ((r ^ flip) < (l ^ flip)) == (sub == BIN_LT + 2u);
                                    v = holds ? U64(1) : U64(0);
                                }
                                a = v & m;
                                aw = w;
                                b = c;
                                bw = cw;
                                depth_now--;
                                more = true;
                            } else if (x_op == X_UNARY && depth_now != 0u && sub <= UN_LOG_NOT) {
                                v = sub == UN_LOG_NOT ? (a == U64(0) ? U64(1) : U64(0)) : extend(a, aw, w, sx);
                                if (sub == UN_MINUS)
                                    v = U64(0) - v;
                                else if (sub == UN_BIT_NOT)
                                    v = ~v;
                                a = v & m;
                                aw = w;
                                more = true;
                            }
                        }
                        if (quick && op != U32(OP_JUMP)) {
                            uint bits = ENTRY(signal, 2u), at = NBA_COUNT;
                            width = FROM(assigns, 16, arg * 8u + 4u);
                            a &= low_bits(width);
                            if (op == U32(OP_ASSIGN_NB)) {
                                quick = at < n_log;
                                if (quick) {
                                    NBA_COUNT = at + 1u;
                                    at = NBA_LOG(at);
                                    arena[at] = signal;
                                    arena[at + 1u] = 0u;
                                    arena[at + 2u] = 0u;
                                    arena[at + 3u] = bits;
                                    PUT64(arena, at + 4u, a)
                                    PUT64(arena, at + 6u, U64(0))
                                }
                            } else {
                                uint at_v = ENTRY(signal, 0u) >> 2u, at_x = ENTRY(signal, 1u) >> 2u;
                                a &= low_bits(bits);
                                if (bits > 32u) {
                                    PUT64(signals, at_v + 2u * gid, a)
                                    if (at_x != at_v)
                                        PUT64(signals, at_x + 2u * gid, U64(0))
                                } else {
                                    signals[at_v + gid] = U32(a);
                                    if (at_x != at_v)
                                        signals[at_x + gid] = 0u;
                                }
                            }
                        }
                        if (quick) {
                            fetched = true;
                            shown_ip = ip;
                            word = instruction;
                            ip = to;
                            n++;
                            ran++;
                            spent += U64(1);
                            fuel_left--;
                        }
                    }
                }
#undef ENTRY
