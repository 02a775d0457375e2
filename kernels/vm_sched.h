/* SPDX-License-Identifier: Apache-2.0 */
/* States of the scheduler VM's kernels: a launch, its passes, the wake pass, and time. */
case K_BEGIN:
    i = 0u;
    k = (flags & INITIALIZED) != 0u ? U32(K_LOOK) : U32(K_INIT);
    break;
case K_INIT: { /* array after array of the arena, then the tables that the kernel writes */
    fill_what = i < 49u ? 0u : i - 48u;
    fill_with = i == 15u || i == 16u || i == 17u || i == 26u || i == 27u ? NONE : i == 41u ? 1u : 0u;
    if (i < 48u) {
        fill_n = (ARRAY(i + 1u) - ARRAY(i)) / count; /* all arrays but these five may be padded with what they hold */
        if (i == 26u)
            fill_n = n_forces;
        else if (i == 27u)
            fill_n = (slots - n_forces);
        else if (fill_with != 0u)
            fill_n = 1u;
        else if (i == 12u)
            fill_n = 0u; /* the halt request is the host's */
        fill_at = ARRAY(i) + gid * fill_n;
    } else {
        fill_n = i == 48u ? n_strobes : i == 49u ? n_proc * n_conds : i == 50u ? n_proc : n_proc * 4u * depth;
        fill_at = (i == 48u ? ARRAY(48u) : 0u) + gid * fill_n;
    }
    i++;
    if (i == 52u) {
        i = 0u;
        k = K_INIT_PROC;
    }
    break;
}
case K_INIT_PROC:
    if (i < n_proc) {
        STATE(i) = i < PARM(1u) ? READY : BLOCKED;
        PARENT(i) = PROCX(i, 0u);
        JOIN_TAG(i) = PROCX(i, 1u);
        i++;
    } else {
        flags = (flags & 12u) | INITIALIZED | ACTIVE_INIT;
        cursor = NONE;
        phase = 0u;
        now = U64(0);
        spent = U64(0);
        RING_TAIL = 0u;
        RING_HEAD = 0u;
        k = K_LOOK;
    }
    break;
case K_LOOK: {
    uint status = STATUS, halt = HALT_MODE;
    if ((flags & VM_DEBUG) != 0u) {
        record[gid * 16u + 12u] = gid;
        record[gid * 16u + 13u] = GRP(0);
        record[gid * 16u + 14u] = LID(0);
        record[gid * 16u + 15u] = 0u;
    }
    if (status == FINISHED || status == IN_ERROR || status == STOPPED) {
        k = K_END;
    } else if (halt != NONE) {
        HALT_MODE = NONE;
        if (halt > 1u)
            err = E_HALT;
        else
            fin = (halt == 0u ? FINISHED : STOPPED) + 1u;
    } else {
        SCAN(IS_BLOCKED(BY_SERVICE), 0u, K_START)
    }
    break;
}
case K_START:
    if (si < n_proc) {
        fin = IDLE + 1u;
    } else {
        STATUS = RUNNING;
        steps = max_steps;
        k = K_PASS;
    }
    break;
case K_PASS:
    if (steps == 0u) {
        fin = IDLE + 1u;
    } else if (phase != 0u) {
        i = 0u;
        j = 0u;
        k = NBA_COUNT != 0u ? U32(K_COMMIT) : U32(K_POST_COUNT);
    } else if ((flags & ACTIVE_INIT) != 0u) {
        flags &= ~ACTIVE_INIT;
        cursor = NONE;
        i = 0u;
        j = 0u;
        mode = 0u;
        k = DNBA_COUNT != 0u ? U32(K_QUEUE) : U32(K_SWEEP_FIRST);
    } else {
        k = K_SWEEP_FIRST;
    }
    break;
case K_SWEEP_FIRST:
    k = K_SWEEP;
    if (cursor == NONE)
        REFRESH(K_SWEEP_BEGUN)
    break;
case K_SWEEP_BEGUN:
    cursor = 0u;
    k = K_SWEEP;
    break;
case K_SWEEP:
    if (cursor < n_proc && steps != 0u) {
        SCAN(IS_READY, cursor, K_RUN)
    } else if (cursor < n_proc) {
        k = K_PASS;
    } else {
        cursor = NONE;
        SCAN(IS_READY, 0u, K_SWEPT)
    }
    break;
case K_RUN:
    cursor = si;
    k = K_SWEEP;
    if (si < n_proc) {
        p = si;
        ip = IP(idx + p);
        n = 0u;
        whose = BY_PROC;
        activations++;
        k = K_FETCH;
    }
    break;
case K_SWEPT:
    k = K_PASS;
    if (si >= n_proc)
        REFRESH(K_WAKE_FIRST)
    break;
case K_WAKE_FIRST:
    woke = false;
    whose = BY_WAIT;
    SCAN(IS_BLOCKED(BY_EVENT) | IS_BLOCKED(BY_COND) | IS_BLOCKED(BY_EDGE), 0u, K_WAKE)
    break;
case K_WAKE: {
    uint kind = si < n_proc ? KIND(si) : 0u, id = si < n_proc ? WAIT_ID(si) : 0u;
    if (si >= n_proc) {
        fill_what = 0u;
        fill_with = 0u;
        fill_n = n_events;
        fill_at = ARRAY(19u) + gid * fill_n;
        whose = BY_ITSELF;
        k = K_WOKEN;
    } else if (kind == BY_EDGE) {
        r_service = id;
        r_arg = 0u;
        r_differs = 0u;
        r_mode = 1u;
        k = K_EDGE;
    } else if (kind == BY_COND) {
        cond = WAIT_COND(id);
        k = K_WAKE_COND;
    } else {
        if (id == 1u) {
            ready = si;
            woke = true;
        }
        SCAN(scan_set, si + 1u, K_WAKE)
    }
    break;
}
case K_WAKE_COND:
    if (truth(tv, tx) == 1u) {
        ready = si;
        woke = true;
    }
    SCAN(scan_set, si + 1u, K_WAKE)
    break;
case K_EDGE_VALUE: { /* r_service is the edge wait, r_arg the entry of it, stars first; r_mode 1 compares */
    uint stars = EDGE(r_service, 3u), kind = EDGE(r_service, 4u), at = 0u, at_x = 0u, e;
    u64 old, old_x;
    bool hit;
    if (r_arg < stars) {
        e = STAR(EDGE(r_service, 2u) + r_arg, 1u);
        at = LONG(22u, N_STARS, e);
        at_x = LONG(23u, N_STARS, e);
        kind = 0u;
    } else {
        e = EDGE(r_service, 0u) + r_arg - stars;
        if (kind == 3u)
            kind = ITEM(e, 0u);
        e = ITEM(e, 2u);
        at = LONG(20u, N_ITEMS, e);
        at_x = LONG(21u, N_ITEMS, e);
    }
    old = GET64(arena, at);
    old_x = GET64(arena, at_x);
    if (kind == 0u) {
        hit = old != tv || old_x != tx;
    } else {
        uint was = (old_x & U64(1)) != U64(0) ? 2u : U32(old & U64(1)), is = (tx & U64(1)) != U64(0) ? 2u : U32(tv & U64(1));
        uint rest = kind == 1u ? 0u : 1u;
        hit = was != is && (was == rest || is == 1u - rest);
    }
    if (hit)
        r_differs = 1u;
    PUT64(arena, at, tv)
    PUT64(arena, at_x, tx)
    r_arg++;
    k = K_EDGE;
    break;
}
case K_WOKEN:
    if (phase == 0u) {
        k = K_PASS;
        if (!woke)
            SCAN(IS_BLOCKED(BY_DELTA), 0u, K_DELTA)
    } else if (woke) {
        phase = 0u;
        cursor = NONE;
        k = K_PASS;
    } else {
        i = 0u;
        j = 0u;
        k = K_POST_COUNT;
    }
    break;
case K_DELTA:
    if (si < n_proc) {
        ready = si;
        woke = true;
        SCAN(scan_set, si + 1u, K_DELTA)
    } else {
        phase = woke ? 0u : 1u;
        k = K_PASS;
    }
    break;
case K_COMMIT:
    if (i < NBA_COUNT) {
        uint at = NBA_LOG(i);
        q_signal = arena[at];
        q_element = arena[at + 1u];
        q_start = arena[at + 2u];
        q_bits = arena[at + 3u];
        q_v = GET64(arena, at + 4u);
        q_x = GET64(arena, at + 6u);
        put = PUT_STORE;
        i++;
    } else {
        NBA_COUNT = 0u;
        REFRESH(K_WAKE_FIRST)
    }
    break;
case K_TIME_QUEUE: /* delay is the smallest time so far, j tells whether there is one */
    if (i < DNBA_COUNT) {
        u64 t = GET64(arena, DNBA_TIME(i));
        if (j == 0u || t < delay)
            delay = t;
        j = 1u;
        i++;
    } else {
        SCAN(IS_BLOCKED(BY_TIME), 0u, K_TIME_PROC)
    }
    break;
case K_TIME_PROC:
    if (si < n_proc) {
        u64 t = GET64(arena, WAIT_TIME(si));
        if (j == 0u || t < delay)
            delay = t;
        j = 1u;
        SCAN(scan_set, si + 1u, K_TIME_PROC)
    } else if (j == 0u) {
        fin = FINISHED + 1u;
    } else {
        now = delay;
        spent = U64(0);
        SCAN(IS_BLOCKED(BY_TIME), 0u, K_ADVANCE)
    }
    break;
case K_ADVANCE:
    if (si < n_proc) {
        if (GET64(arena, WAIT_TIME(si)) == now) {
            ready = si;
        }
        SCAN(scan_set, si + 1u, K_ADVANCE)
    } else {
        flags |= ACTIVE_INIT;
        phase = 0u;
        k = K_PASS;
    }
    break;
case K_REFRESH: /* i: slot, procedural ones first; j: passes left; mode: did this one change anything? */
    if (i == slots) {
        j--;
        i = 0u;
        if (mode == 0u || j == 0u)
            k = kr;
        mode = 0u;
    } else {
        uint id = i < (slots - n_forces) ? PASSIGN_ID(i) : FORCE_ID(i - (slots - n_forces));
        if (id != NONE) {
            uint slot = i < (slots - n_forces) ? OVERRIDE(FORCE(id, 1u), 0u) : NONE;
            if (slot == NONE || FORCE_ID(slot) == NONE) {
                r_service = id;
                EVALUATE(FORCE(id, 2u), K_REFRESH_VALUE)
            }
        }
        i++;
    }
    break;
case K_REFRESH_VALUE:
    q_signal = FORCE(r_service, 1u);
    q_v = tv;
    q_x = tx;
    put = PUT_VALUE;
    k = K_REFRESH;
    break;
case K_QUEUE: { /* over the delayed queue: 0 moves what is due, 1 counts and 2 cancels what an inertial assign replaces */
    if (i == DNBA_COUNT) {
        if (mode != 1u)
            DNBA_COUNT = j;
        k = mode == 0u ? U32(K_SWEEP_FIRST) : U32(K_DELAYED_QUEUE);
        if (mode == 1u) {
            uint used = RING_TAIL - RING_HEAD;
            deferred = false;
            if (j > (used < capacity ? capacity - used : 0u)) {
                act = ACT_STALL;
            } else if (runaway != U64(0) && spent >= runaway) {
                err = E_RUNAWAY;
            } else {
                n++;
                ran++;
                spent += U64(1);
                i = 0u;
                j = 0u;
                mode = 2u;
                k = K_QUEUE;
            }
        }
    } else {
        uint id = DNBA_ID(i), x_flag = DNBA_INDEX_XZ(i), at_index = DNBA_INDEX(i);
        u64 due = GET64(arena, DNBA_TIME(i)), v = GET64(arena, DNBA_VAL(i));
        u64 x = GET64(arena, DNBA_XZ(i));
        bool mine = mode == 0u ? due <= now : id == word >> 8u && at_index == index && x_flag == index_x;
        if (mode == 1u) {
            j += mine ? 1u : 0u;
        } else if (mine && mode == 0u) {
            resolve = PUT_LOG;
            entry = id;
            value = v;
            value_x = x;
            index = at_index;
            index_x = x_flag;
        } else if (mine) {
            u64 wake = now + delay, width = wake > due ? wake - due : due - wake;
            if ((DELAY_ASSIGN(id, 0u) & 8u) != 0u) {
                if (width < reject)
                    stage |= 1u;
                else if (width < pb)
                    stage |= 2u;
            }
            if ((DELAY_ASSIGN(id, 0u) & 4u) != 0u) {
                r_mode = RECORD_CANCEL;
                r_pid = p;
                r_arg = 0u;
                k = K_RECORD;
            }
        } else {
            if (i != j) {
                DNBA_ID(j) = id;
                DNBA_INDEX(j) = at_index;
                DNBA_INDEX_XZ(j) = x_flag;
                PUT64(arena, DNBA_TIME(j), due)
                PUT64(arena, DNBA_VAL(j), v)
                PUT64(arena, DNBA_XZ(j), x)
            }
            j++;
        }
        i++;
    }
    break;
}
