/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler VM's numbers and places for its kernels: what vm_ops.def lists, the layout directory, the fields of the
 * tables' entries. Constants that label a case must be such in all three languages. */
#ifdef LAD_GLSL
#define VM_CONST(name, number) const uint name = number;
#else
#define VM_CONST(name, number) enum { name = number };
#endif
#define VM_OP(number, symbol, operands) VM_CONST(OP_##symbol, number)
#include "vm_ops.def"
#define VM_EXPR(number, symbol, token) VM_CONST(X_##symbol, number)
#include "vm_ops.def"
#define VM_ERROR(number, symbol, name) VM_CONST(E_##symbol, number)
#include "vm_ops.def"
#define NONE 0xFFFFFFFFu

/* sub-operations that share a branch are told apart by number: the first of each group */
#define UN_MINUS 1u
#define UN_BIT_NOT 2u
#define UN_LOG_NOT 3u
#define UN_RED 4u
#define UN_LAST 9u
#define BIN_MUL 2u
#define BIN_DIV 3u
#define BIN_POW 5u
#define BIN_SHL 6u
#define BIN_ASHR 8u
#define BIN_AND 9u
#define BIN_XOR 11u
#define BIN_LOG_AND 13u
#define BIN_EQ 15u
#define BIN_CASE_EQ 17u
#define BIN_LT 19u
#define BIN_LAST 22u
#define CALL_REALTIME 2u
#define CALL_LAST 27u

/* argument table */
#define CODE(i) T(0, i)
#define OFFSET(i) T(1, i)
#define LENGTH(i) T(2, i)
#define COND_VAL(i) T(3, i)
#define COND_XZ(i) T(4, i)
#define COND(c, field) T(5, (c) * 4u + field)
#define SIGNAL(s, field) T(6, (s) * 5u + field)
#define IP(i) T(7, i)
#define CALL_SP(i) T(8, i)
#define FRAME(i) T(9, i)
#define CASE_HEAD(c, field) T(10, (c) * 7u + field)
#define LABEL(e, field) T(11, (e) * 3u + field)
#define EXPR(i) T(13, i)
#define IMM(i) T(14, i)
#define DELAY_ASSIGN(d, field) T(15, (d) * 11u + field)
#define ASSIGN(a, field) T(16, (a) * 8u + field)
#define FORCE(f, field) T(17, (f) * 6u + field)
#define RELEASE(r, field) T(18, (r) * 4u + field)
#define SERVICE(s, field) T(19, (s) * 6u + field)
#define SERVICE_ARG(a, field) T(20, (a) * 4u + field)
#define SERVICE_RET(r, field) T(21, (r) * 6u + field)

/* params and the layout directory */
#define PARM(i) params[4u + i]
#define N_TABLE(i) params[36u + i]
#define N_STATIC(i) params[69u + i]
#define STATIC(i, k) statics[(params[58u + i] >> 2u) + (k)]
#define ARRAY(i) (params[80u + (i)] >> 2u)
#define N_CONDS N_TABLE(5u)
#define N_CASES N_TABLE(10u)
#define N_CASE_WORDS N_TABLE(12u)
#define N_EXPR N_TABLE(13u)
#define N_IMM N_TABLE(14u)
#define N_ASSIGNS N_TABLE(16u)
#define N_FORCES N_TABLE(17u)
#define N_RELEASES N_TABLE(18u)
#define N_SERVICES N_TABLE(19u)
#define N_SERVICE_RETS N_TABLE(21u)
#define N_DELAYS N_STATIC(1u)
#define N_EDGES N_STATIC(3u)
#define N_ITEMS N_STATIC(4u)
#define N_STARS N_STATIC(5u)
#define N_WAIT_CONDS N_STATIC(6u)
#define N_BLOCKS N_STATIC(7u)

/* static arena; where three tables begin is asked for often enough to be kept */
#define PROCX(p, field) STATIC(0u, (p) * 2u + field)
#define DELAY(d, field) STATIC(1u, (d) * 4u + field)
#define REPEAT(r, field) statics[s_repeat + (r) * 5u + field]
#define EDGE(w, field) statics[s_edge + (w) * 5u + field]
#define ITEM(j, field) STATIC(4u, (j) * 4u + field)
#define STAR(s, field) STATIC(5u, (s) * 4u + field)
#define WAIT_COND(w) STATIC(6u, (w) * 2u)
#define BLOCK(b, field) STATIC(7u, (b) * 4u + field)
#define OVERRIDE(s, field) statics[s_override + (s) * 4u + field]
#define MONITOR_SERVICE(m) STATIC(9u, m)
#define STROBE_SERVICE(s) STATIC(10u, s)

/* instance arena: of this instance, by process or by entry. Neighbours in the arena's fixed order are found from one
 * another: every word that is asked of the directory costs compilers more than the arithmetic. */
#define STATE(q) arena[at_state + (q)]
#define KIND(q) arena[at_state + procs + (q)]
#define EDGE_KIND(q) arena[at_state + 2u * procs + (q)]
#define WAIT_ID(q) arena[at_state + 3u * procs + (q)]
#define WAIT_EVENT(q) arena[at_state + 4u * procs + (q)]
#define WAIT_TIME(q) (at_wait_time + 2u * (q)) /* a place, for GET64 and PUT64 */
#define JOIN_COUNT(q) arena[at_join + (q)]
#define PARENT(q) arena[at_join + procs + (q)]
#define JOIN_TAG(q) arena[at_join + 2u * procs + (q)]
#define ONE(i) arena[at_one + (i - 10u) * ones]
#define PHASE ONE(10u)
#define FLAGS ONE(11u)
#define HALT_MODE ONE(12u)
#define ERROR ONE(13u)
#define STATUS ONE(14u)
#define ERROR_PID ONE(15u)
#define ERROR_IP ONE(16u)
#define CURSOR ONE(17u)
#define NOW (at_one - gid - 2u * count + 2u * gid) /* places */
#define SPENT (at_one - gid + 8u * ones + 2u * gid)
#define LONG(i, n, e) (ARRAY(i) + 2u * (gid * (n) + (e)))
#define REPEAT_LEFT(r) arena[at_repeat + (r)]
#define REPEAT_ACTIVE(r) arena[at_repeat + repeats + (r)]
#define FORCE_ID(s) arena[at_force + (s)]
#define PASSIGN_ID(s) arena[at_passign + (s)]
#define DNBA_COUNT arena[at_queue - ones + gid]
#define DNBA_TIME(i) (at_queue + 2u * (gid * n_queue + (i)))
#define DNBA_ID(i) arena[at_queue + (2u * count + gid) * n_queue + (i)]
#define DNBA_VAL(i) (at_queue + queues + 2u * ((count + gid) * n_queue + (i)))
#define DNBA_XZ(i) (at_queue + queues + 2u * ((2u * count + gid) * n_queue + (i)))
#define DNBA_INDEX(i) arena[at_queue + queues + (6u * count + gid) * n_queue + (i)]
#define DNBA_INDEX_XZ(i) arena[at_queue + 2u * queues + (6u * count + gid) * n_queue + (i)]
#define NBA_COUNT arena[at_log - ones + gid]
#define NBA_LOG(i) (at_log + (gid * n_log + (i)) * 8u)
#define MONITOR_ENABLE arena[at_monitor - gid * n_monitors - ones + gid]
#define MONITOR_ACTIVE(m) arena[at_monitor + (m)]
#define MONITOR_FIRST(m) arena[at_monitor + monitors + (m)]
#define MONITOR_PID(m) arena[at_monitor + 2u * monitors + (m)]
#define MONITOR_VAL(m, a) LONG(45u, n_monitors * n_args, (m) * n_args + (a))
#define MONITOR_XZ(m, a) LONG(46u, n_monitors * n_args, (m) * n_args + (a))
#define STROBE_PENDING(s) arena[at_strobe + (s)]
#define STROBE_PID(s) arena[at_strobe + strobes + (s)]
#define RING_TAIL ring[gid]
#define RING_HEAD ring[count + gid]
#define GET64(m, i) (U64(m[i]) | (U64(m[(i) + 1u]) << 32u))
#define PUT64(m, i, x) { uint vm_at = i; m[vm_at] = U32(x); m[vm_at + 1u] = U32((x) >> 32u); }

/* codes */
#define READY 0u
#define BLOCKED 1u
#define DONE 2u
#define BY_TIME 1u
#define BY_EVENT 2u
#define BY_COND 3u
#define BY_JOIN 4u
#define BY_DELTA 5u
#define BY_EDGE 6u
#define BY_SERVICE 7u
#define IS_READY 0x000000FFu /* sets of (state, wait kind), bit 8 * state + kind */
#define IS_LIVE 0x0000FEFFu
#define IS_BLOCKED(kind) (0x100u << kind)
#define RUNNING 0u
#define IDLE 1u
#define FINISHED 2u
#define IN_ERROR 3u
#define STOPPED 4u
#define INITIALIZED 1u
#define ACTIVE_INIT 2u
#define VM_DEBUG 4u
#define PENDING_DELAY 0x80000000u /* in a wait id: the process is inside a blocking delayed assign */

/* states of the machine, each a branch of the switch in vm.h */
VM_CONST(K_END, 0)
VM_CONST(K_FETCH, 1)
VM_CONST(K_BEGIN, 2)
VM_CONST(K_INIT, 3)
VM_CONST(K_INIT_PROC, 4)
VM_CONST(K_LOOK, 5)
VM_CONST(K_START, 6)
VM_CONST(K_PASS, 7)
VM_CONST(K_SWEEP_FIRST, 8)
VM_CONST(K_SWEEP_BEGUN, 9)
VM_CONST(K_SWEEP, 10)
VM_CONST(K_RUN, 11)
VM_CONST(K_SWEPT, 12)
VM_CONST(K_WAKE_FIRST, 13)
VM_CONST(K_WAKE, 14)
VM_CONST(K_WAKE_COND, 15)
VM_CONST(K_EDGE, 16)
VM_CONST(K_EDGE_VALUE, 17)
VM_CONST(K_WOKEN, 18)
VM_CONST(K_DELTA, 19)
VM_CONST(K_COMMIT, 20)
VM_CONST(K_POST_COUNT, 21)
VM_CONST(K_POST, 22)
VM_CONST(K_TIME_QUEUE, 23)
VM_CONST(K_TIME_PROC, 24)
VM_CONST(K_ADVANCE, 25)
VM_CONST(K_REFRESH, 26)
VM_CONST(K_REFRESH_VALUE, 27)
VM_CONST(K_QUEUE, 28)
VM_CONST(K_RECORD, 29)
VM_CONST(K_RECORD_VALUE, 30)
VM_CONST(K_RECORD_END, 31)
VM_CONST(K_SNAPSHOT, 32)
VM_CONST(K_CONDITION, 33)
VM_CONST(K_CASE, 34)
VM_CONST(K_CASE_LABEL, 35)
VM_CONST(K_CASE_GO, 36)
VM_CONST(K_REPEAT, 37)
VM_CONST(K_ASSIGN_VALUE, 38)
VM_CONST(K_ASSIGN_INDEX, 39)
VM_CONST(K_DELAYED, 40)
VM_CONST(K_DELAYED_GO, 41)
VM_CONST(K_DELAYED_QUEUE, 42)
VM_CONST(K_FORCE, 43)
VM_CONST(K_RELEASE, 44)
VM_CONST(K_RELEASE_VALUE, 45)
VM_CONST(K_WAIT_TIME, 46)
VM_CONST(K_WAIT_JOIN, 47)
VM_CONST(K_TRIGGER, 48)
VM_CONST(K_FORK_CHECK, 49)
VM_CONST(K_FORK, 50)
VM_CONST(K_CLEAR, 51)
VM_CONST(K_BLOCK, 52)
VM_CONST(K_LEVEL, 53)
VM_CONST(K_LEAVE, 54)
VM_CONST(K_CHILDREN, 55)
VM_CONST(K_KILL, 56)
VM_CONST(K_ANCESTOR, 57)
VM_CONST(K_KILLED, 58)
VM_CONST(K_MONITORS, 59)
VM_CONST(K_STORE_RETURN, 60)
