/* SPDX-License-Identifier: Apache-2.0 */
/* States of the scheduler VM's kernels: instructions that evaluate expressions go on here with the value. */
case K_CONDITION: { /* JUMP_IF, WAIT_COND */
    uint t = truth(tv, tx), at = (idx + p) * n_conds + (word >> 8u), operand = OPERAND(1u);
    COND_VAL(at) = t == 1u ? 1u : 0u;
    COND_XZ(at) = t == 2u ? 1u : 0u;
    k = K_FETCH;
    if ((word & 255u) == U32(OP_JUMP_IF)) {
        ip = t == 1u ? operand : ip + 2u;
    } else {
        ip += 2u;
        if (t != 1u) {
            WAIT_ID(p) = operand;
            bk = BY_COND;
            act = ACT_END;
        }
    }
    break;
}
case K_CASE: { /* i to j: labels to look at, straight or through the index block at `index`; mode: item found */
    uint head = word >> 8u, strategy = CASE_HEAD(head, 1u), first = CASE_HEAD(head, 4u), labels = CASE_HEAD(head, 3u);
    mode = NONE;
    i = 0u;
    j = labels;
    index = 0u;
    k = K_CASE_LABEL;
    if (tw != CASE_HEAD(head, 2u)) {
        err = E_CASE;
    } else if (strategy != 0u && tx == U64(0)) {
        uint at = LABEL(first + labels, 0u), bits = LABEL(first + labels, 2u);
        if (strategy == 1u) {
            uint bucket = at + U32(tv & low_bits(bits));
            i = bucket + 1u < N_CASE_WORDS ? CASE_HALF(2u * bucket) : 0u;
            j = bucket + 1u < N_CASE_WORDS ? CASE_HALF(2u * bucket + 2u) : 0u;
            index = at + (1u << (bits & 31u)) + 1u;
        } else {
            at += U32(tv & U64(0xFFFu));
            mode = at < N_CASE_WORDS ? CASE_HALF(2u * at) : NONE;
            k = K_CASE_GO;
        }
    }
    break;
}
case K_CASE_LABEL:
    if (i >= j) {
        k = K_CASE_GO;
    } else {
        uint head = word >> 8u, kind = CASE_HEAD(head, 0u), at = i, from, item;
        u64 want, aux, ignored = U64(0), m = low_bits(tw);
        if (index != 0u)
            at = index + i < N_CASE_WORDS ? CASE_HALF(2u * (index + i)) : 0u;
        at += CASE_HEAD(head, 4u);
        item = LABEL(at, 2u);
        from = LABEL(at, 0u);
        want = CASE_WORD(from) & m;
        from = LABEL(at, 1u);
        aux = CASE_WORD(from) & m;
        if (kind == 1u)
            ignored = tx | aux;
        else if (kind == 2u)
            ignored = (tx & ~tv) | (aux & ~want);
        if ((((tv ^ want) | (tx ^ aux)) & ~ignored) == U64(0)) {
            mode = item;
            k = K_CASE_GO;
        }
        i++;
    }
    break;
case K_CASE_GO: {
    uint items = OPERAND(1u);
    if (mode != NONE && mode >= items) {
        err = E_CASE;
    } else {
        uint to = OPERAND(2u + (mode == NONE ? items : mode));
        if (to >= LENGTH(idx + p)) {
            err = E_IP_RANGE;
        } else {
            ip = to;
            k = K_FETCH;
        }
    }
    break;
}
case K_REPEAT: {
    uint r = word >> 8u, body = OPERAND(1u), after = OPERAND(2u), left = REPEAT_LEFT(r);
    if (REPEAT_ACTIVE(r) == 0u) {
        left = U32(tv);
        if (tx != U64(0) || ((REPEAT(r, 1u) & 1u) != 0u && ((tv >> (tw - 1u)) & U64(1)) != U64(0)))
            left = 0u;
    }
    if (left == 0u || body == after) {
        REPEAT_LEFT(r) = 0u;
        REPEAT_ACTIVE(r) = 0u;
        ip = after;
    } else {
        REPEAT_LEFT(r) = left - 1u;
        REPEAT_ACTIVE(r) = 1u;
        ip = body;
    }
    k = K_FETCH;
    break;
}
case K_ASSIGN_VALUE: { /* ASSIGN, ASSIGN_NB, and ASSIGN_DELAY when it goes on after its wait */
    bool later = (word & 255u) == U32(OP_ASSIGN_DELAY);
    uint shape;
    entry = word >> 8u;
    shape = later ? (DELAY_ASSIGN(entry, 0u) >> 3u) & 60u : ASSIGN(entry, 0u) & 60u;
    value = tv;
    value_x = tx;
    if (!shape_holds(shape) || (SIGNAL(later ? DELAY_ASSIGN(entry, 1u) : ASSIGN(entry, 1u), 3u) > 1u) != ((shape & 4u) != 0u)) {
        err = E_ENTRY;
    } else if ((shape & 44u) != 0u) {
        EVALUATE(later ? DELAY_ASSIGN(entry, 4u) : ASSIGN(entry, 3u), K_ASSIGN_INDEX)
    } else {
        resolve = (word & 255u) == U32(OP_ASSIGN_NB) ? PUT_LOG : PUT_STORE;
    }
    break;
}
case K_ASSIGN_INDEX:
    entry = word >> 8u;
    index = U32(tv);
    index_x = tx != U64(0) || (tv >> 32u) != U64(0) ? 1u : 0u;
    resolve = (word & 255u) == U32(OP_ASSIGN_NB) ? PUT_LOG : PUT_STORE;
    break;
case K_DELAYED: { /* stage: 0 right side, 1 index, 2 delay, 3 reject limit, 4 error limit, which is kept in pb */
    uint d = word >> 8u, f = DELAY_ASSIGN(d, 0u), e = NONE;
    u64 ticks = tx != U64(0) ? U64(0) : tv;
    if (stage == 0u) {
        value = tv;
        value_x = tx;
        index = 0u;
        index_x = 0u;
        e = DELAY_ASSIGN(d, 4u);
        stage = (f & 1u) != 0u && (f & 352u) != 0u ? 1u : 2u;
    } else if (stage == 1u) {
        index = U32(tv);
        index_x = tx != U64(0) || (tv >> 32u) != U64(0) ? 1u : 0u;
        stage = 2u;
    } else if (stage == 2u) {
        delay = ticks;
        reject = U64(0);
        pb = U64(0);
        e = DELAY_ASSIGN(d, 9u);
        stage = (f & 9u) != 9u ? 5u : e == NONE ? 4u : 3u; /* of a nonblocking one */
    } else if (stage == 3u) {
        reject = ticks;
        stage = 4u;
    } else {
        pb = ticks;
        stage = 5u;
    }
    if (stage == 2u)
        e = DELAY_ASSIGN(d, 3u);
    if (stage == 4u) {
        e = DELAY_ASSIGN(d, 10u);
        if ((f & 16u) == 0u || e == NONE) {
            pb = reject;
            stage = 5u;
        }
    }
    if (stage == 5u)
        k = K_DELAYED_GO;
    else
        EVALUATE(e, K_DELAYED)
    break;
}
case K_DELAYED_GO: {
    uint d = word >> 8u, f = DELAY_ASSIGN(d, 0u);
    bool at_once = delay == U64(0);
    stage = 0u; /* from here on what the cancelled pulses say: 1 suppress, 2 blur */
    if (deferred && (at_once || DNBA_COUNT == 0u)) { /* no record can come of it */
        deferred = false;
        if (runaway != U64(0) && spent >= runaway) {
            err = E_RUNAWAY;
        } else {
            n++;
            ran++;
            spent += U64(1);
        }
    }
    if (err != 0u) {
        k = K_END;
    } else if (now + delay < now) {
        err = E_TIME;
    } else if ((f & 1u) == 0u) {
        PUT64(arena, LONG(28u, n_delay_assigns, d), value)
        PUT64(arena, LONG(29u, n_delay_assigns, d), value_x)
        PUT64(arena, WAIT_TIME(p), now + delay)
        WAIT_ID(p) = PENDING_DELAY | d;
        bk = at_once ? BY_DELTA : BY_TIME;
        act = ACT_END;
    } else if (at_once) {
        entry = d;
        resolve = PUT_LOG;
    } else {
        i = 0u;
        j = 0u;
        mode = deferred ? 1u : 2u;
        k = (f & 2u) != 0u ? U32(K_QUEUE) : U32(K_DELAYED_QUEUE);
    }
    break;
}
case K_DELAYED_QUEUE: {
    uint d = word >> 8u, at = DNBA_COUNT;
    if ((stage & 1u) != 0u) {
        ip++;
        k = K_FETCH;
    } else if (at >= n_queue) {
        err = E_DNBA_FULL;
    } else {
        if ((stage & 2u) != 0u) {
            value = low_bits(DELAY_ASSIGN(d, 5u));
            value_x = value;
            if (!four_state) {
                value = U64(0);
                value_x = U64(0);
            }
        }
        DNBA_ID(at) = d;
        DNBA_INDEX(at) = index;
        DNBA_INDEX_XZ(at) = index_x;
        PUT64(arena, DNBA_TIME(at), now + delay)
        PUT64(arena, DNBA_VAL(at), value)
        PUT64(arena, DNBA_XZ(at), value_x)
        DNBA_COUNT = at + 1u;
        ip++;
        k = K_FETCH;
    }
    break;
}
case K_FORCE: {
    uint f = word >> 8u, procedural = FORCE(f, 0u) & 1u;
    q_signal = FORCE(f, 1u);
    if (FORCE(f, 4u + procedural) == NONE || (procedural != 0u && (FORCE(f, 0u) & 4u) == 0u)) {
        err = E_ENTRY;
    } else {
        entry = f;
        q_v = tv;
        q_x = tx;
        put = PUT_FORCE;
        ip++;
        k = K_FETCH;
    }
    break;
}
case K_RELEASE: {
    uint r = word >> 8u, f = RELEASE(r, 0u), procedural = f & 1u, slot = RELEASE(r, 2u + procedural), other = RELEASE(r, 3u);
    k = K_FETCH;
    ip++;
    q_signal = RELEASE(r, 1u);
    if (slot == NONE) {
        ip--;
        err = E_ENTRY;
    } else if (procedural != 0u) {
        PASSIGN_ID(slot) = NONE;
    } else if (FORCE_ID(slot) != NONE) {
        FORCE_ID(slot) = NONE;
        if (other != NONE && PASSIGN_ID(other) != NONE) {
            ip--;
            EVALUATE(FORCE(PASSIGN_ID(other), 2u), K_RELEASE_VALUE)
        } else if ((f & 4u) == 0u) {
            put = PUT_RELEASE;
        }
    }
    break;
}
case K_RELEASE_VALUE:
    q_signal = RELEASE(word >> 8u, 1u);
    q_v = tv;
    q_x = tx;
    put = PUT_VALUE;
    ip++;
    k = K_FETCH;
    break;
case K_WAIT_TIME: {
    u64 ticks = tx != U64(0) ? U64(0) : tv;
    if (now + ticks < now) {
        err = E_TIME;
    } else {
        PUT64(arena, WAIT_TIME(p), now + ticks)
        bk = ticks == U64(0) ? BY_DELTA : BY_TIME;
        act = ACT_END;
        ip++;
    }
    break;
}
case K_STORE_RETURN: {
    uint r = word >> 8u, width = SERVICE_RET(r, 2u);
    q_signal = SERVICE_RET(r, 1u);
    q_bits = SIGNAL(q_signal, 2u);
    q_v = GET64(arena, WAIT_TIME(p)) & low_bits(width == 0u ? q_bits : width);
    put = PUT_STORE;
    ip++;
    k = K_FETCH;
    break;
}
