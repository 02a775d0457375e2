/* SPDX-License-Identifier: Apache-2.0 */
/* Stages of the scheduler VM's kernels: what an instruction or a wake pass may ask for, and the ends of an activation and
 * of a launch. */
                if (cond != NONE && err == 0u) { /* its value is taken by state k */
                    if (COND(cond, 0u) == 1u) {
                        tv = COND(cond, 1u) != 0u ? U64(1) : U64(0);
                        tx = COND(cond, 2u) != 0u && four_state ? U64(1) : U64(0);
                        if (!four_state && COND(cond, 2u) != 0u)
                            tv = U64(0);
                    } else if (COND(cond, 0u) == 2u) {
                        EVALUATE(COND(cond, 3u), k)
                    } else {
                        err = E_ENTRY;
                    }
                }
                if (k == U32(K_EDGE) && err == 0u) { /* the next entry of edge wait r_service */
                    uint stars = EDGE(r_service, 3u);
                    if (r_arg < stars) {
                        EVALUATE(STAR(EDGE(r_service, 2u) + r_arg, 0u), K_EDGE_VALUE)
                    } else if (r_arg - stars < EDGE(r_service, 1u)) {
                        EVALUATE(ITEM(EDGE(r_service, 0u) + r_arg - stars, 1u), K_EDGE_VALUE)
                    } else if (r_mode == 0u) {
                        WAIT_ID(p) = r_service;
                        EDGE_KIND(p) = EDGE(r_service, 4u);
                        ip++;
                        bk = BY_EDGE;
                        act = ACT_END;
                    } else {
                        if (r_differs != 0u) {
                            ready = si;
                            woke = true;
                        }
                        SCAN(scan_set, si + 1u, K_WAKE)
                    }
                }
                if (k == U32(K_RECORD) && err == 0u) { /* the next argument of a record */
                    uint first = r_mode == RECORD_CANCEL ? 0u : SERVICE(r_service, 2u);
                    uint args = r_mode == RECORD_CANCEL ? 4u : SERVICE(r_service, 3u);
                    if (r_arg == 0u) {
                        r_at = 2u * count + (gid * capacity + RING_TAIL % (capacity != 0u ? capacity : 1u)) * record_words;
                        r_differs = 0u;
                        fill_what = 4u;
                        fill_n = record_words - 4u - 6u * n_args;
                        fill_at = r_at + 4u + 6u * n_args;
                    }
                    k = K_RECORD_VALUE;
                    if (args > n_args || (r_mode != RECORD_CANCEL && (first > n_service_args || args > n_service_args - first))) {
                        err = E_SERVICE;
                    } else if (r_arg == n_args) {
                        k = K_RECORD_END;
                    } else if (r_arg < args && r_mode != RECORD_CANCEL) {
                        uint f = SERVICE_ARG(first + r_arg, 3u), kind = SERVICE_ARG(first + r_arg, 0u);
                        tx = U64(0);
                        if (IS_TEXT(kind, f) || (f & 7u) == 0u)
                            tv = U64(SERVICE_ARG(first + r_arg, 2u));
                        else if ((f & 6u) != 0u)
                            tv = (f & 2u) != 0u ? now : now & U64(0xFFFFFFFFu);
                        else
                            EVALUATE(SERVICE_ARG(first + r_arg, 2u), K_RECORD_VALUE)
                    } else {
                        tv = U64(0);
                        tx = U64(0);
                    }
                }
                if (notify != NONE) { /* the parent may wait for it */
                    uint a = PARENT(notify);
                    if (a < n_proc && STATE(a) == BLOCKED && KIND(a) == BY_JOIN && WAIT_ID(a) == JOIN_TAG(notify)) {
                        uint left = JOIN_COUNT(a);
                        if (left != 0u)
                            left--;
                        JOIN_COUNT(a) = left;
                        if (left == 0u) {
                            ready = a;
                        }
                    }
                }
                if (ready != NONE) {
                    STATE(ready) = READY;
                    KIND(ready) = 0u;
                }
                if (err != 0u) {
                    uint failed = whose == BY_PROC ? p : si;
                    if (deferred && runaway != U64(0) && spent >= runaway) {
                        err = E_RUNAWAY;
                    } else if (deferred) {
                        ran++;
                        spent += U64(1);
                    }
                    ERROR = err;
                    if (whose != BY_ITSELF) {
                        ERROR_PID = failed;
                        ERROR_IP = whose == BY_PROC ? ip : IP(idx + failed);
                    }
                    if (whose == BY_PROC) {
                        STATE(p) = DONE;
                        KIND(p) = 0u;
                        IP(idx + p) = 0u;
                    }
                    act = 0u;
                    ev = EV_OFF;
                    sc = false;
                    fill_n = 0u;
                    fin = IN_ERROR + 1u;
                } else if (act != 0u) {
                    IP(idx + p) = ip;
                    if (bk != 0u) {
                        STATE(p) = BLOCKED;
                        KIND(p) = bk;
                    }
                    whose = BY_ITSELF;
                    if (act == ACT_STALL || act == ACT_LAUNCH) {
                        if (fin == 0u)
                            fin = IDLE + 1u;
                    } else {
                        steps--;
                        cursor += act == ACT_END ? 1u : 0u;
                        k = K_SWEEP;
                    }
                }
                if (fin != 0u) {
                    STATUS = fin - 1u;
                    k = K_END;
                    if (fetched && (flags & VM_DEBUG) != 0u) { /* of the last instruction fetched in this launch */
                        uint at = OFFSET(idx + p), length = LENGTH(idx + p), to = gid * 16u;
                        record[to] = 0x564D4447u;
                        record[to + 1u] = at;
                        record[to + 2u] = length;
                        record[to + 3u] = length != 0u ? shown_ip : 0u;
                        record[to + 4u] = shown_ip < length ? word : 0u;
                        record[to + 5u] = length > 0u ? CODE(at) : 0u;
                        record[to + 6u] = length > 1u ? CODE(at + 1u) : 0u;
                        record[to + 7u] = CODE(0u);
                        record[to + 8u] = CODE(1u);
                        record[to + 9u] = n_proc;
                        record[to + 10u] = idx + p;
                        record[to + 11u] = flags & ~ACTIVE_INIT;
                    }
                    fetched = false;
                }
