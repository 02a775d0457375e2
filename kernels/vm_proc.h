/* SPDX-License-Identifier: Apache-2.0 */
/* States of the scheduler VM's kernels: what one process does to others. */
case K_WAIT_JOIN: /* i: live children found */
    if (si < n_proc) {
        if (PARENT(si) == p && JOIN_TAG(si) == word >> 8u)
            i++;
        SCAN(IS_LIVE, si + 1u, K_WAIT_JOIN)
    } else {
        ip++;
        k = K_FETCH;
        if (i != 0u) {
            JOIN_COUNT(p) = i;
            WAIT_ID(p) = word >> 8u;
            bk = BY_JOIN;
            act = ACT_END;
        }
    }
    break;
case K_TRIGGER:
    if (si < n_proc) {
        if (WAIT_EVENT(si) == word >> 8u)
            WAIT_ID(si) = 1u;
        SCAN(scan_set, si + 1u, K_TRIGGER)
    } else {
        ip++;
        k = K_FETCH;
    }
    break;
case K_FORK_CHECK:
    if (i < ((word >> 8u) & 0xFFFFu)) {
        uint child = OPERAND(1u + i);
        if (child >= n_proc)
            err = E_PID;
        else if (LIVE(child))
            err = E_FORK;
        i++;
    } else {
        i = 0u;
        k = K_FORK;
    }
    break;
case K_FORK: {
    uint children = (word >> 8u) & 0xFFFFu, join = (word >> 24u) & 3u;
    if (i < children) {
        uint child = OPERAND(1u + i);
        IP(idx + child) = 0u;
        CALL_SP(idx + child) = 0u;
        JOIN_COUNT(child) = 0u;
        WAIT_ID(child) = 0u;
        WAIT_EVENT(child) = 0u;
        PUT64(arena, WAIT_TIME(child), U64(0))
        ready = child;
        i++;
        d_pid = child;
        d_to = NONE;
        j = 0u;
        ks = K_FORK;
        k = K_CLEAR;
    } else {
        if (join < 2u) {
            JOIN_COUNT(p) = join == 0u ? children : 1u;
            WAIT_ID(p) = JOIN_TAG(OPERAND(1u));
            bk = BY_JOIN;
            act = ACT_END;
        }
        ip += 1u + children;
        k = K_FETCH;
    }
    break;
}
case K_CLEAR: /* repeats of d_pid that do not go on at d_to; j: the next one */
    if (j < n_repeats) {
        if (REPEAT(j, 2u) == d_pid && !(REPEAT(j, 3u) <= d_to && d_to < REPEAT(j, 4u))) {
            REPEAT_LEFT(j) = 0u;
            REPEAT_ACTIVE(j) = 0u;
        }
        j++;
    } else {
        k = ks;
        if (ks == U32(K_CHILDREN))
            SCAN(IS_LIVE, 0u, K_CHILDREN)
    }
    break;
case K_BLOCK: /* i: the next block to compare with (d_pid, d_to) */
    if (i < N_BLOCKS && d_begin == NONE) {
        if (BLOCK(i, 0u) == d_pid && BLOCK(i, 2u) == d_to)
            d_begin = BLOCK(i, 1u);
        i++;
    } else {
        uint at = d_pid == p ? ip : IP(idx + d_pid), pending = d_pid == p ? 0u : WAIT_ID(d_pid) & PENDING_DELAY;
        bool behind = d_pid != p && pending == 0u && STATE(d_pid) == BLOCKED; /* a wait leaves ip behind itself */
        bool from = d_pid != p && pending == 0u ? d_begin < at : d_begin <= at;
        i = CALL_SP(idx + d_pid);
        d_level = i;
        k = K_LEAVE;
        if (d_begin == NONE)
            d_level = d_pid == p ? i : 0u;
        else if (!from || (behind ? at > d_to : at >= d_to))
            k = K_LEVEL;
    }
    break;
case K_LEVEL: /* i: one above the frame to look at */
    if (i != 0u) {
        uint back = FRAME(((idx + d_pid) * depth + i - 1u) * 4u);
        i--;
        if (d_begin < back && back <= d_to) {
            d_level = i;
            k = K_LEAVE;
        }
    } else if (d_pid == p) {
        k = K_LEAVE;
    } else {
        ip += 3u;
        k = K_FETCH;
    }
    break;
case K_LEAVE:
    CALL_SP(idx + d_pid) = d_level;
    j = 0u;
    ks = K_FETCH;
    k = K_CLEAR;
    if (d_pid == p) {
        ip = d_to;
    } else {
        if (STATE(d_pid) == BLOCKED && KIND(d_pid) == BY_JOIN) {
            ks = K_CHILDREN;
            d_tag = WAIT_ID(d_pid);
        }
        IP(idx + d_pid) = d_to;
        JOIN_COUNT(d_pid) = 0u;
        WAIT_ID(d_pid) = 0u;
        ready = d_pid;
        ip += 3u;
    }
    break;
case K_CHILDREN: /* of d_pid with d_tag are killed one by one; d_level: where to look on */
    if (si >= n_proc) {
        k = K_FETCH;
        if (STATE(p) != READY) {
            ip = 0u;
            act = ACT_END;
        }
    } else if (PARENT(si) == d_pid && JOIN_TAG(si) == d_tag) {
        d_begin = si;
        d_level = si + 1u;
        SCAN(IS_LIVE, 0u, K_KILL)
    } else {
        SCAN(IS_LIVE, si + 1u, K_CHILDREN)
    }
    break;
case K_KILL: /* d_begin and its live descendants; r_at: an ancestor of si */
    r_at = si;
    k = K_ANCESTOR;
    if (si >= n_proc) {
        notify = d_begin;
        k = K_KILLED;
    }
    break;
case K_ANCESTOR:
    if (r_at == d_begin) {
        STATE(si) = DONE;
        KIND(si) = 0u;
        WAIT_ID(si) = 0u;
        IP(idx + si) = 0u;
        CALL_SP(idx + si) = 0u;
        JOIN_COUNT(si) = 0u;
        SCAN(IS_LIVE, si + 1u, K_KILL)
    } else if (r_at >= n_proc) {
        SCAN(IS_LIVE, si + 1u, K_KILL)
    } else {
        r_at = PARENT(r_at);
    }
    break;
case K_KILLED:
    if (ks == U32(K_CHILDREN)) {
        SCAN(IS_LIVE, d_level, K_CHILDREN)
    } else {
        k = K_FETCH;
        if (STATE(p) != READY) {
            ip = 0u;
            act = ACT_END;
        }
    }
    break;
case K_MONITORS: /* i: the next monitor to be told */
    if (i < n_monitors) {
        if ((SERVICE(word >> 8u, 4u) & 56u) == 8u)
            MONITOR_ACTIVE(i) = 0u;
        else if (MONITOR_ACTIVE(i) == 1u)
            MONITOR_FIRST(i) = 1u;
        i++;
    } else {
        uint s = word >> 8u, m = SERVICE(s, 5u);
        if ((SERVICE(s, 4u) & 56u) == 8u) {
            MONITOR_ACTIVE(m) = 1u;
            MONITOR_FIRST(m) = 1u;
            MONITOR_PID(m) = p;
        }
        ip++;
        k = K_FETCH;
    }
    break;
