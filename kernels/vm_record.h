/* SPDX-License-Identifier: Apache-2.0 */
/* States of the scheduler VM's kernels: service records, monitors and strobes. A record is written in the ring's next
 * slot argument by argument, and counts only when it is complete. */
case K_RECORD_VALUE: {
    uint kind = 0u, mark = 0u, width = 1u, at = r_at + 4u + r_arg;
    bool compared = false;
    u64 m;
    if (r_mode == RECORD_CANCEL) { /* entry i - 1 of the delayed queue */
        width = r_arg == 3u ? 64u : 32u;
        tv = r_arg == 0u ? U64(word >> 8u) : r_arg == 1u ? U64(index) : r_arg == 2u ? U64(index_x)
             : r_arg == 3u ? GET64(arena, DNBA_TIME(i - 1u)) : U64(0);
        tx = U64(0);
        if (r_arg > 3u)
            width = 0u;
    } else if (r_arg < SERVICE(r_service, 3u)) {
        uint a = SERVICE(r_service, 2u) + r_arg, f = SERVICE_ARG(a, 3u);
        kind = SERVICE_ARG(a, 0u);
        width = SERVICE_ARG(a, 1u);
        if (!IS_TEXT(kind, f))
            width = (f & 2u) != 0u ? 64u : (f & 4u) != 0u ? 32u : kind == 2u ? 32u : width;
        if (width == 0u)
            width = 1u;
        compared = r_mode == RECORD_MONITOR && (f & 14u) == 0u && kind != 1u && kind != 2u;
        mark = (f & 16u) != 0u ? 256u : 0u;
        if (kind > 2u && (kind != 4u || width <= 64u))
            err = E_SERVICE;
        else if (width > 64u)
            err = E_CAPABILITY;
    } else {
        width = 0u;
    }
    m = low_bits(width);
    tv &= m;
    tx &= m;
    if (err == 0u) {
        ring[at] = kind | mark;
        ring[at + n_args] = width;
        at = r_at + 4u + 2u * n_args + 2u * r_arg;
        PUT64(ring, at, tv)
        at += 2u * n_args;
        PUT64(ring, at, tx)
    }
    if (compared && (GET64(arena, MONITOR_VAL(i, r_arg)) != tv ||
                     GET64(arena, MONITOR_XZ(i, r_arg)) != tx))
        r_differs = 1u;
    r_arg++;
    k = K_RECORD;
    break;
}
case K_RECORD_END: {
    uint f = r_mode == RECORD_CANCEL ? 0u : SERVICE(r_service, 4u);
    bool emit = true;
    if (r_mode == RECORD_CALL && (f & 4u) != 0u && SERVICE(r_service, 3u) != 0u) {
        uint at = r_at + 4u + 2u * n_args;
        emit = GET64(ring, at) != U64(0);
        at += 2u * n_args;
        emit = emit && GET64(ring, at) == U64(0);
    } else if (r_mode == RECORD_MONITOR) {
        emit = r_differs != 0u || MONITOR_FIRST(i) == 1u;
    }
    if (emit) {
        ring[r_at] = r_mode == RECORD_CANCEL ? 42u : SERVICE(r_service, 0u);
        ring[r_at + 1u] = r_pid;
        ring[r_at + 2u] = r_mode == RECORD_CANCEL ? NONE : SERVICE(r_service, 1u);
        ring[r_at + 3u] = r_mode == RECORD_CANCEL ? 4u : SERVICE(r_service, 3u);
        RING_TAIL = RING_TAIL + 1u;
    }
    r_arg = 0u;
    if (r_mode == RECORD_CALL) {
        ip++;
        k = K_FETCH;
        if (emit && (f & 384u) != 0u) {
            act = ACT_LAUNCH;
            fin = ((f & 128u) != 0u ? FINISHED : STOPPED) + 1u;
            if ((f & 128u) != 0u) {
                STATE(p) = DONE;
                ip = 0u;
            }
        }
    } else if (r_mode == RECORD_MONITOR) {
        k = K_SNAPSHOT;
    } else if (r_mode == RECORD_STROBE) {
        j--;
        k = K_RECORD;
        if (j == 0u) {
            STROBE_PENDING(i - n_monitors) = 0u;
            i++;
            k = K_POST;
        }
    } else {
        k = K_QUEUE;
    }
    break;
}
case K_SNAPSHOT:
    if (r_arg < SERVICE(r_service, 3u)) {
        uint a = SERVICE(r_service, 2u) + r_arg, f = SERVICE_ARG(a, 3u), kind = SERVICE_ARG(a, 0u);
        uint at = r_at + 4u + 2u * n_args + 2u * r_arg;
        if ((f & 14u) == 0u && kind != 1u && kind != 2u) {
            PUT64(arena, MONITOR_VAL(i, r_arg), GET64(ring, at))
            at += 2u * n_args;
            PUT64(arena, MONITOR_XZ(i, r_arg), GET64(ring, at))
        }
        r_arg++;
    } else {
        MONITOR_FIRST(i) = 0u;
        i++;
        k = K_POST;
    }
    break;
case K_POST_COUNT: /* i: monitors, then strobes; j: records needed */
    if (i < n_monitors + n_strobes) {
        if (i >= n_monitors)
            j += STROBE_PENDING(i - n_monitors);
        else if (MONITOR_ENABLE == 1u && MONITOR_ACTIVE(i) == 1u)
            j++;
        i++;
    } else {
        uint used = RING_TAIL - RING_HEAD;
        i = 0u;
        k = K_POST;
        if (j > (used < capacity ? capacity - used : 0u)) {
            if (j > capacity)
                err = E_SERVICE;
            else
                fin = IDLE + 1u;
        }
    }
    break;
case K_POST:
    if (i < n_monitors) {
        if (MONITOR_ENABLE == 1u && MONITOR_ACTIVE(i) == 1u) {
            r_service = MONITOR_SERVICE(i);
            r_pid = MONITOR_PID(i);
            r_mode = RECORD_MONITOR;
            r_arg = 0u;
            k = K_RECORD;
        } else {
            i++;
        }
    } else if (i < n_monitors + n_strobes) {
        j = STROBE_PENDING(i - n_monitors);
        if (j != 0u) {
            r_service = STROBE_SERVICE(i - n_monitors);
            r_pid = STROBE_PID(i - n_monitors);
            r_mode = RECORD_STROBE;
            r_arg = 0u;
            k = K_RECORD;
        } else {
            i++;
        }
    } else {
        i = 0u;
        j = 0u;
        k = K_TIME_QUEUE;
    }
    break;
