/* SPDX-License-Identifier: Apache-2.0 */
/* Stage of the scheduler VM's kernels: the next instruction is fetched, checked and begun. */
                if (k == U32(K_FETCH) && err == 0u && act == 0u) {
                    uint at = OFFSET(idx + p), length = LENGTH(idx + p), next = ip + 1u, have = ip < length ? length - next : 0u;
                    uint op, arg, o1 = have > 0u ? CODE(at + next) : 0u, o2 = have > 1u ? CODE(at + next + 1u) : 0u;
                    bool stall = false;
                    if (n == limit) {
                        act = ACT_YIELD;
                    } else {
                        word = ip < length ? CODE(at + ip) : 0u;
                        fetched = true;
                        shown_ip = ip;
                    }
                    op = word & 255u;
                    arg = word >> 8u;
                    if (act != 0u) {
                        /* nothing is fetched */
                    } else if (length == 0u) {
                        err = E_EMPTY_PROC;
                    } else if (ip >= length) {
                        err = E_IP_RANGE;
                    } else {
                        if (op == U32(OP_SERVICE_CALL) && arg < N_SERVICES) {
                            uint f = SERVICE(arg, 4u), first = SERVICE(arg, 2u), args = SERVICE(arg, 3u);
                            stall = (f & 121u) == 0u && ((f & 2u) == 0u || gid == 0u) && first <= n_service_args &&
                                    args <= n_service_args - first && args <= n_args && RING_TAIL - RING_HEAD >= capacity;
                        }
                        /* whether it stalls is known after evaluation; until then it does not count */
                        deferred = op == U32(OP_ASSIGN_DELAY) && arg < n_delay_assigns && (DELAY_ASSIGN(arg, 0u) & 1031u) == 7u &&
                                   DELAY_ASSIGN(arg, 1u) < n_signals && (WAIT_ID(p) & PENDING_DELAY) == 0u;
                        if (stall) {
                            act = ACT_STALL;
                        } else if (!deferred && runaway != U64(0) && spent >= runaway) {
                            err = E_RUNAWAY;
                        } else if (!deferred) {
                            n++;
                            ran++;
                            spent += U64(1);
                        }
                    }
                    if (act == 0u && err == 0u) {
                        switch (op) {
                        case OP_DONE:
                            STATE(p) = DONE;
                            KIND(p) = 0u;
                            ip = 0u;
                            notify = p;
                            act = ACT_END;
                            break;
                        case OP_NOOP:
                            ip = next;
                            break;
                        case OP_JUMP:
                            if (arg >= length)
                                err = E_IP_RANGE;
                            else
                                ip = arg;
                            break;
                        case OP_JUMP_IF:
                        case OP_WAIT_COND:
                            if (have < 1u) {
                                err = E_IP_RANGE;
                            } else if (arg >= N_CONDS || (op == U32(OP_WAIT_COND) && o1 >= N_WAIT_CONDS)) {
                                err = E_TABLE_INDEX;
                            } else if (op == U32(OP_JUMP_IF) && o1 >= length) {
                                err = E_IP_RANGE;
                            } else {
                                cond = arg;
                                k = K_CONDITION;
                            }
                            break;
                        case OP_CASE:
                            if (have < 2u || o1 > have - 2u) {
                                err = E_IP_RANGE;
                            } else if (arg >= N_CASES) {
                                err = E_TABLE_INDEX;
                            } else if (CASE_HEAD(arg, 3u) == 0u) {
                                mode = NONE;
                                k = K_CASE_GO;
                            } else {
                                EVALUATE(CASE_HEAD(arg, 5u), K_CASE)
                            }
                            break;
                        case OP_REPEAT:
                            if (have < 2u) {
                                err = E_IP_RANGE;
                            } else if (arg >= n_repeats) {
                                err = E_TABLE_INDEX;
                            } else if (o1 >= length || o2 >= length) {
                                err = E_IP_RANGE;
                            } else if (REPEAT_ACTIVE(arg) != 0u) {
                                k = K_REPEAT;
                            } else {
                                EVALUATE(REPEAT(arg, 0u), K_REPEAT)
                            }
                            break;
                        case OP_ASSIGN:
                        case OP_ASSIGN_NB:
                            if (arg >= N_ASSIGNS)
                                err = E_TABLE_INDEX;
                            else if ((ASSIGN(arg, 0u) & 3u) != (op == U32(OP_ASSIGN_NB) ? 1u : 0u))
                                err = E_ENTRY;
                            else if (ASSIGN(arg, 1u) >= n_signals)
                                err = E_TABLE_INDEX;
                            else if ((ASSIGN(arg, 0u) & 64u) != 0u)
                                err = E_CAPABILITY;
                            else
                                EVALUATE(ASSIGN(arg, 2u), K_ASSIGN_VALUE)
                            break;
                        case OP_ASSIGN_DELAY:
                            if (arg >= n_delay_assigns) {
                                err = E_TABLE_INDEX;
                            } else if ((DELAY_ASSIGN(arg, 0u) & 1024u) != 0u) {
                                err = E_ENTRY;
                            } else if (DELAY_ASSIGN(arg, 1u) >= n_signals) {
                                err = E_TABLE_INDEX;
                            } else if ((WAIT_ID(p) & PENDING_DELAY) != 0u) {
                                tv = GET64(arena, LONG(28u, n_delay_assigns, arg));
                                tx = GET64(arena, LONG(29u, n_delay_assigns, arg));
                                k = K_ASSIGN_VALUE;
                            } else {
                                stage = 0u;
                                EVALUATE(DELAY_ASSIGN(arg, 2u), K_DELAYED)
                            }
                            break;
                        case OP_FORCE:
                            if (arg >= N_FORCES)
                                err = E_TABLE_INDEX;
                            else if ((FORCE(arg, 0u) & 2u) != 0u)
                                err = E_ENTRY;
                            else if (FORCE(arg, 1u) >= n_signals)
                                err = E_TABLE_INDEX;
                            else if (SIGNAL(FORCE(arg, 1u), 3u) > 1u)
                                err = E_ENTRY;
                            else
                                EVALUATE(FORCE(arg, 2u), K_FORCE)
                            break;
                        case OP_RELEASE:
                            k = K_RELEASE;
                            if (arg >= N_RELEASES)
                                err = E_TABLE_INDEX;
                            else if ((RELEASE(arg, 0u) & 2u) != 0u)
                                err = E_ENTRY;
                            else if (RELEASE(arg, 1u) >= n_signals)
                                err = E_TABLE_INDEX;
                            else if (SIGNAL(RELEASE(arg, 1u), 3u) > 1u)
                                err = E_ENTRY;
                            break;
                        case OP_WAIT_TIME:
                            k = K_WAIT_TIME;
                            if (arg >= N_DELAYS) {
                                err = E_TABLE_INDEX;
                            } else if (DELAY(arg, 0u) == 0u) {
                                tv = U64(DELAY(arg, 2u)) | (U64(DELAY(arg, 3u)) << 32u);
                                tx = U64(0);
                            } else {
                                EVALUATE(DELAY(arg, 1u), K_WAIT_TIME)
                            }
                            break;
                        case OP_WAIT_DELTA:
                        case OP_WAIT_SERVICE:
                            PUT64(arena, WAIT_TIME(p), op == U32(OP_WAIT_DELTA) ? now : U64(0))
                            ip = next;
                            bk = op == U32(OP_WAIT_DELTA) ? BY_DELTA : BY_SERVICE;
                            act = op == U32(OP_WAIT_DELTA) ? ACT_END : ACT_LAUNCH;
                            break;
                        case OP_WAIT_EVENT:
                        case OP_EVENT_TRIGGER:
                            if (arg >= n_events) {
                                err = E_TABLE_INDEX;
                            } else if (op == U32(OP_EVENT_TRIGGER)) {
                                arena[ARRAY(19u) + gid * n_events + arg] = 1u;
                                SCAN(IS_BLOCKED(BY_EVENT), 0u, K_TRIGGER)
                            } else {
                                WAIT_EVENT(p) = arg;
                                WAIT_ID(p) = 0u;
                                ip = next;
                                bk = BY_EVENT;
                                act = ACT_END;
                            }
                            break;
                        case OP_WAIT_EDGE:
                            r_service = arg;
                            r_arg = 0u;
                            r_mode = 0u;
                            k = K_EDGE;
                            if (arg >= N_EDGES)
                                err = E_TABLE_INDEX;
                            break;
                        case OP_WAIT_JOIN:
                            i = 0u;
                            SCAN(IS_LIVE, 0u, K_WAIT_JOIN)
                            break;
                        case OP_FORK:
                            i = 0u;
                            k = K_FORK_CHECK;
                            if ((arg & 0xFFFFu) > have)
                                err = E_IP_RANGE;
                            else if ((arg & 0xFFFFu) == 0u || (arg >> 16u) > 2u)
                                err = E_FORK;
                            break;
                        case OP_DISABLE:
                            d_pid = arg == 0u ? p : o1;
                            d_to = arg == 0u ? o1 : o2;
                            if (arg > 2u) {
                                err = E_ENTRY;
                            } else if (have < (arg == 2u ? 2u : 1u)) {
                                err = E_IP_RANGE;
                            } else if (d_pid >= n_proc) {
                                err = E_PID;
                            } else if (arg == 1u) {
                                ip = next + 1u;
                                if (LIVE(d_pid)) {
                                    ks = K_FETCH;
                                    d_begin = d_pid;
                                    SCAN(IS_LIVE, 0u, K_KILL)
                                }
                            } else if (d_to >= LENGTH(idx + d_pid)) {
                                err = E_IP_RANGE;
                            } else if (d_pid != p && !LIVE(d_pid)) {
                                ip = next + 2u;
                            } else {
                                i = 0u;
                                d_begin = NONE;
                                k = K_BLOCK;
                            }
                            break;
                        case OP_SERVICE_CALL: {
                            uint f = arg < N_SERVICES ? SERVICE(arg, 4u) : 1u;
                            if (arg >= N_SERVICES) {
                                err = E_TABLE_INDEX;
                            } else if ((f & 1u) != 0u) {
                                err = E_ENTRY;
                            } else if ((f & 48u) != 0u) {
                                MONITOR_ENABLE = (f & 16u) != 0u ? 1u : 0u;
                                i = (f & 16u) != 0u ? 0u : n_monitors;
                                k = K_MONITORS;
                            } else if ((f & 64u) != 0u) {
                                uint s = SERVICE(arg, 5u);
                                if (s >= n_strobes) {
                                    err = E_TABLE_INDEX;
                                } else {
                                    STROBE_PENDING(s) = STROBE_PENDING(s) + 1u;
                                    STROBE_PID(s) = p;
                                    ip = next;
                                }
                            } else if ((f & 8u) != 0u) {
                                i = 0u;
                                k = K_MONITORS;
                                if (SERVICE(arg, 5u) >= n_monitors)
                                    err = E_TABLE_INDEX;
                            } else if ((f & 2u) != 0u && gid != 0u) {
                                ip = next;
                            } else {
                                r_service = arg;
                                r_pid = p;
                                r_mode = RECORD_CALL;
                                r_arg = 0u;
                                k = K_RECORD;
                            }
                            break;
                        }
                        case OP_SERVICE_RET_ASSIGN:
                            k = K_STORE_RETURN;
                            if (arg >= N_SERVICE_RETS)
                                err = E_TABLE_INDEX;
                            else if ((SERVICE_RET(arg, 0u) & 1u) != 0u)
                                err = E_ENTRY;
                            else if (SERVICE_RET(arg, 1u) >= n_signals)
                                err = E_TABLE_INDEX;
                            else if (SIGNAL(SERVICE_RET(arg, 1u), 3u) > 1u)
                                err = E_ENTRY;
                            break;
                        case OP_SERVICE_RET_BRANCH:
                            if (have < 2u || o1 >= length || o2 >= length)
                                err = E_IP_RANGE;
                            else
                                ip = ((arena[WAIT_TIME(p)] & 1u) != 0u) != (arg != 0u) ? o1 : o2;
                            break;
                        case OP_TASK_CALL: {
                            uint level = CALL_SP(idx + p), frame = ((idx + p) * depth + level) * 4u;
                            if (level >= depth) {
                                err = E_CALL_DEPTH;
                            } else if (arg >= length) {
                                err = E_IP_RANGE;
                            } else {
                                FRAME(frame) = next;
                                FRAME(frame + 1u) = 0u;
                                FRAME(frame + 2u) = 0u;
                                FRAME(frame + 3u) = 0u;
                                CALL_SP(idx + p) = level + 1u;
                                ip = arg;
                            }
                            break;
                        }
                        case OP_RET: {
                            uint level = CALL_SP(idx + p), back = level != 0u ? FRAME(((idx + p) * depth + level - 1u) * 4u) : 0u;
                            if (level == 0u) {
                                err = E_RET_EMPTY;
                            } else if (back >= length) {
                                err = E_IP_RANGE;
                            } else {
                                CALL_SP(idx + p) = level - 1u;
                                ip = back;
                            }
                            break;
                        }
                        case OP_HALT_SIM:
                            if (arg > 1u) {
                                err = E_HALT;
                            } else {
                                STATE(p) = DONE;
                                ip = 0u;
                                act = ACT_LAUNCH;
                                fin = (arg == 0u ? FINISHED : STOPPED) + 1u;
                            }
                            break;
                        default:
                            err = E_OPCODE;
                            break;
                        }
                    }
                }
