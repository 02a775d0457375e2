/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler VM as a kernel: one instance per invocation, one launch per dispatch or several dispatches per launch.
 *
 * Everything is one flat machine, because drivers differ in what they make of loops: one of them ends all loops of an
 * invocation, silently, after 65,535 rounds in all, and works through every branch in every round. So a round of the
 * main loop does at most one instruction or one element of a longer piece of work, the inner loops do one element a
 * round, and each of them may end after any round: whatever is unfinished then is saved, and the next dispatch goes on
 * as if nothing had happened. The host dispatches until no instance is unfinished. Nothing here calls what calls again,
 * and each expensive thing (evaluating, storing, reading an entry) stands in the text once, since every use of it would
 * be compiled anew.
 *
 * A round: evaluate what is to be evaluated; look for the next process; fill; then the branch of state k takes the
 * result and says what comes next; then the stages that several branches share.
 */
#include "vm_bind.h"
#include "vm_names.h"
/* resume: the launch goes on, and who is through with it waits for the others */
#define SCALARS(S) S(uint, fuel) S(uint, work) S(uint, resume)
#include "vm_bits.h"

#define VM_SAVED 52u /* words of vm_save.h; harness/vm/device.c makes room for them and for the stack */
#define VM_COUNTERS 48u /* the last four of them: instructions and activations */
#define VM_STACK_WORDS 155u /* 31 cells of 5 words: the topmost is in registers */
#define VM_QUICK_OPS 40u /* expression words that the short way works through at most */

#define EV_OFF 0u
#define EV_RUN 1u
#define EV_CONCAT 2u
#define EV_POWER 3u
#define EV_DIVIDE 4u
#define ACT_END 1u    /* the activation is over */
#define ACT_YIELD 2u  /* its budget is used up */
#define ACT_STALL 3u  /* no room in the ring: the launch is over, too, and no step was used */
#define ACT_LAUNCH 4u /* the launch is over */
#define BY_ITSELF 0u  /* whose an error is: nobody's */
#define BY_PROC 1u    /* the running process's */
#define BY_WAIT 2u    /* that of the blocked process whose wait is evaluated */
#define PUT_STORE 1u
#define PUT_LOG 2u
#define PUT_VALUE 3u
#define PUT_FORCE 4u
#define PUT_RELEASE 5u
#define RECORD_CALL 0u
#define RECORD_MONITOR 1u
#define RECORD_STROBE 2u
#define RECORD_CANCEL 3u

/* A disable, or a fork, keeps its own in registers that records and expressions do not need meanwhile. */
#define d_pid r_service
#define d_to r_pid
#define d_begin r_arg
#define d_level index
#define d_tag epc
#define EVALUATE(e, then) { epc = e; sp = 0u; ev = EV_RUN; k = then; }
#define SCAN(which, from, then) { scan_set = which; si = from; sc = true; k = then; }
#define REFRESH(then) { i = 0u; j = slots; mode = 0u; kr = then; k = slots != 0u ? U32(K_REFRESH) : U32(then); }
#define OPERAND(n) CODE(OFFSET(idx + p) + ip + (n))
#define LIVE(q) (((IS_LIVE >> (STATE(q) * 8u + KIND(q))) & 1u) != 0u)
#define IS_TEXT(kind, flags) (kind == 1u || (kind == 2u && (flags & 1u) == 0u))

KERNEL
{
    uint gid = GID(0), count = params[0];
    if (gid < count) {
        uint max_steps = params[1], limit = params[2] != 0u ? params[2] : max_steps, capacity = params[3];
        uint n_proc = PARM(0u), n_args = PARM(9u) != 0u ? PARM(9u) : 1u, n_conds = N_CONDS != 0u ? N_CONDS : 1u;
        uint n_events = PARM(3u), depth = PARM(4u), n_queue = PARM(5u), n_log = PARM(6u), n_monitors = PARM(7u);
        uint n_strobes = PARM(8u), n_forces = PARM(11u), slots = n_forces + PARM(12u), idx = gid * n_proc;
        uint n_signals = N_TABLE(6u), n_delay_assigns = N_TABLE(15u), n_service_args = N_TABLE(20u), n_repeats = N_STATIC(2u);
        uint record_words = 4u + 6u * n_args + 4u * n_args * PARM(10u), fuel_left = fuel, ran = 0u, activations = 0u;
        u64 runaway = U64(PARM(13u)) | (U64(PARM(14u)) << 32u);
        bool four_state = PARM(17u) == 4u;

        /* places in the arenas: of this instance (at), and from one array to the next of as many words */
        uint s_repeat = params[60] >> 2u, s_edge = params[61] >> 2u, s_override = params[66] >> 2u;
        uint procs = ARRAY(1u) - ARRAY(0u), at_state = ARRAY(0u) + gid * n_proc;
        uint at_wait_time = ARRAY(5u) + 2u * gid * n_proc, at_join = ARRAY(6u) + gid * n_proc;
        uint ones = count + (count & 1u), at_one = ARRAY(10u) + gid;
        uint repeats = ARRAY(25u) - ARRAY(24u), at_repeat = ARRAY(24u) + gid * n_repeats;
        uint at_force = ARRAY(26u) + gid * n_forces, at_passign = ARRAY(27u) + gid * (slots - n_forces);
        uint queues = (count * n_queue + 1u) & ~1u, at_queue = ARRAY(33u), at_log = ARRAY(40u);
        uint monitors = ARRAY(43u) - ARRAY(42u), at_monitor = ARRAY(42u) + gid * n_monitors;
        uint strobes = ARRAY(48u) - ARRAY(47u), at_strobe = ARRAY(47u) + gid * n_strobes;
        uint saved = work + gid, stack = work + VM_SAVED * count + gid;

        /* kept in the arena between dispatches */
        uint flags = FLAGS, cursor = CURSOR, phase = PHASE;
        u64 now = GET64(arena, NOW), spent = GET64(arena, SPENT);
#include "vm_save.h"

        while (k != U32(K_END) && fuel_left != 0u) {
            uint err = 0u, act = 0u, fin = 0u /* status + 1 */, bk = 0u, put = 0u, resolve = 0u, entry = 0u, cond = NONE;
            uint q_signal = 0u, q_element = 0u, q_start = 0u, q_bits = 0u, notify = NONE, ready = NONE;
            u64 q_v = U64(0), q_x = U64(0);
            fuel_left--;
            while (fill_n != 0u && fuel_left != 0u) {
                fuel_left--;
                fill_n--;
                if (fill_what == 0u) {
                    arena[fill_at + fill_n] = fill_with;
                } else if (fill_what == 1u) {
                    COND_VAL(fill_at + fill_n) = 0u;
                    COND_XZ(fill_at + fill_n) = 0u;
                } else if (fill_what == 2u) {
                    IP(fill_at + fill_n) = 0u;
                    CALL_SP(fill_at + fill_n) = 0u;
                } else if (fill_what == 3u) {
                    FRAME(fill_at + fill_n) = 0u;
                } else {
                    ring[fill_at + fill_n] = 0u;
                }
            }
            while (ev != EV_OFF && fill_n == 0u && fuel_left != 0u) {
#include "vm_expr.h"
            }
            while (sc && fuel_left != 0u) {
                fuel_left--;
                if (si >= n_proc)
                    sc = false;
                else if (((scan_set >> ((STATE(si) * 8u + KIND(si)) & 31u)) & 1u) != 0u)
                    sc = false;
                else
                    si++;
            }
            if (ev == EV_OFF && !sc && fill_n == 0u) {
                if (err != 0u) {
                    /* the evaluation failed */
                } else if (k < U32(K_CONDITION)) {
                    switch (k) {
#include "vm_sched.h"
#include "vm_record.h"
                    default:
                        break;
                    }
                } else {
                    switch (k) {
#include "vm_step.h"
#include "vm_proc.h"
                    default:
                        break;
                    }
                }
#include "vm_store.h"
#include "vm_quick.h"
#include "vm_fetch.h"
#include "vm_stage.h"
            }
        }
#define SAVING
#include "vm_save.h"
    }
}
