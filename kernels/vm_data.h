/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler VM's data as C sees it: numbers, table entries, what a device is given, and the reference's entry
 * points. docs/vm.md says what the VM is. */
#ifndef LAD_VM_DATA_H
#define LAD_VM_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_NONE 0xFFFFFFFFu
#define VM_MANY 0xFFu /* as many operand words as the first of them, or the argument, says */
#define VM_RET 1u     /* the caller waits for the value */
#define VM_SYNC 2u    /* the host changes the simulation: WAIT_SERVICE must follow */

enum {
    VM_TABLES = 22,
    VM_STATICS = 11,
    VM_ARRAYS = 49,
    VM_SECTIONS = 27,
    VM_PARMS = 32,
    VM_STACK = 32,
    VM_FRAME_WORDS = 4,
    VM_LOG_WORDS = 8,
    VM_DEBUG_WORDS = 16,
    VM_DEBUG_MAGIC = 0x564D4447,
    VM_GROUP = 32, /* work items of a workgroup */
    VM_GUARD = 0x5AFE0000,
    VM_GUARD_BYTES = 16,
};

/* Words of the params buffer, behind which the layout directory goes on. */
enum {
    VM_P_COUNT,
    VM_P_MAX_STEPS,
    VM_P_MAX_PROC_STEPS,
    VM_P_CAPACITY,
    VM_P_PARM,
    VM_P_TABLE_COUNT = VM_P_PARM + VM_PARMS,
    VM_P_STATIC_OFFSET = VM_P_TABLE_COUNT + VM_TABLES,
    VM_P_STATIC_COUNT = VM_P_STATIC_OFFSET + VM_STATICS,
    VM_P_ARRAY_OFFSET = VM_P_STATIC_COUNT + VM_STATICS,
    VM_P_WORDS = VM_P_ARRAY_OFFSET + VM_ARRAYS
};

/* Words of section PARM. */
enum {
    VM_PARM_P,
    VM_PARM_ROOTS,
    VM_PARM_W,
    VM_PARM_EVENTS,
    VM_PARM_DEPTH,
    VM_PARM_DNBA,
    VM_PARM_NBA,
    VM_PARM_MONITORS,
    VM_PARM_STROBES,
    VM_PARM_ARGS,
    VM_PARM_WIDE_WORDS,
    VM_PARM_FORCES,
    VM_PARM_PASSIGNS,
    VM_PARM_RUNAWAY,
    VM_PARM_RUNAWAY_HIGH,
    VM_PARM_WIDE_BITS,
    VM_PARM_TIMESCALE,
    VM_PARM_STATES,
    VM_PARM_NEEDS,
    VM_PARM_USED
};

#define VM_OP(number, symbol, operands) VM_OP_##symbol = number,
enum {
#include "vm_ops.def"
    VM_OP_COUNT = 28
};
#define VM_EXPR(number, symbol, token) VM_EXPR_##symbol = number,
enum {
#include "vm_ops.def"
    VM_EXPR_COUNT = 12
};
#define VM_UNARY(number, symbol, token, width) VM_UNARY_##symbol = number,
enum {
#include "vm_ops.def"
    VM_UNARY_COUNT = 10
};
#define VM_BINARY(number, symbol, token, width) VM_BINARY_##symbol = number,
enum {
#include "vm_ops.def"
    VM_BINARY_COUNT = 23
};
#define VM_CALL(number, symbol, token, args, width, real, needs) VM_CALL_##symbol = number,
enum {
#include "vm_ops.def"
    VM_CALL_COUNT = 28
};
#define VM_SERVICE(number, symbol, name, flags) VM_SERVICE_##symbol = number,
enum {
#include "vm_ops.def"
    VM_SERVICE_COUNT = 43
};
#define VM_ERROR(number, symbol, name) VM_ERROR_##symbol = number,
enum {
    VM_ERROR_NONE,
#include "vm_ops.def"
    VM_ERROR_COUNT
};

enum { VM_SIGNED = 1 << 8, VM_RHS_SIGNED = 1 << 9 }; /* in the argument of an expression word */

enum { VM_READY, VM_BLOCKED, VM_DONE, VM_STATE_COUNT };
enum {
    VM_WAIT_NONE,
    VM_WAIT_TIME,
    VM_WAIT_EVENT,
    VM_WAIT_COND,
    VM_WAIT_JOIN,
    VM_WAIT_DELTA,
    VM_WAIT_EDGE,
    VM_WAIT_SERVICE,
    VM_WAIT_COUNT
};
enum { VM_EDGE_ANY, VM_EDGE_POS, VM_EDGE_NEG, VM_EDGE_LIST };
enum { VM_ACTIVE, VM_NBA };
enum { VM_RUNNING, VM_IDLE, VM_FINISHED, VM_ERROR_STATUS, VM_STOPPED, VM_STATUS_COUNT };
enum { VM_HALT_FINISH, VM_HALT_STOP, VM_HALT_ERROR };
enum { VM_JOIN_ALL, VM_JOIN_ANY, VM_JOIN_NONE };
enum { VM_DISABLE_BLOCK, VM_DISABLE_CHILD, VM_DISABLE_CROSS };
enum { VM_COND_DYNAMIC, VM_COND_CONST, VM_COND_EXPR };
enum { VM_CASE_PLAIN, VM_CASE_X, VM_CASE_Z };
enum { VM_CASE_LINEAR, VM_CASE_BUCKET, VM_CASE_LUT };
enum { VM_FLAG_INITIALIZED = 1, VM_FLAG_ACTIVE_INIT = 2, VM_FLAG_DEBUG = 4, VM_FLAG_EXEC_READY = 8 };

enum { VM_SIGNAL_REAL = 1, VM_SIGNAL_SIGNED = 2, VM_SIGNAL_NET = 4 };
enum {
    VM_ASGN_NONBLOCKING = 1,
    VM_ASGN_FALLBACK = 2,
    VM_ASGN_ARRAY = 4,
    VM_ASGN_BIT = 8,
    VM_ASGN_RANGE = 16,
    VM_ASGN_INDEXED = 32,
    VM_ASGN_WIDE_CONST = 64
};
enum {
    VM_DASN_NONBLOCKING = 1,
    VM_DASN_INERTIAL = 2,
    VM_DASN_SHOWCANCELLED = 4,
    VM_DASN_PULSE = 8,
    VM_DASN_PULSE_ERROR = 16,
    VM_DASN_ARRAY = 32,
    VM_DASN_BIT = 64,
    VM_DASN_RANGE = 128,
    VM_DASN_INDEXED = 256,
    VM_DASN_REAL = 512,
    VM_DASN_FALLBACK = 1024
};
enum { VM_FORCE_PROCEDURAL = 1, VM_FORCE_FALLBACK = 2, VM_FORCE_REG = 4 };
enum {
    VM_SVCE_FALLBACK = 1,
    VM_SVCE_GLOBAL_ONLY = 2,
    VM_SVCE_GUARD_FD = 4,
    VM_SVCE_MONITOR = 8,
    VM_SVCE_MONITOR_ON = 16,
    VM_SVCE_MONITOR_OFF = 32,
    VM_SVCE_STROBE = 64,
    VM_SVCE_FINISH = 128,
    VM_SVCE_STOP = 256
};
enum { VM_SVCA_EXPR = 1, VM_SVCA_TIME = 2, VM_SVCA_STIME = 4, VM_SVCA_NOMON = 8, VM_SVCA_SIGNED = 16 };
enum { VM_ARG_VALUE, VM_ARG_IDENT, VM_ARG_STRING, VM_ARG_REAL, VM_ARG_WIDE, VM_ARG_SIGNED = 0x100 };
enum { VM_SVCR_FALLBACK = 1 };
enum { VM_RPT_SIGNED = 1 };
enum { VM_FOUR_STATE = 1, VM_NEEDS_WIDE = 2, VM_NEEDS_REAL = 4 }; /* features; NEEDS also in PARM */

/* All fields are u32, one behind the other. */
#define F(name) uint32_t name;
#define VM_STRUCT(name, fields)                                                                                        \
    struct lad_vm_##name {                                                                                             \
        fields                                                                                                         \
    };
#include "vm_layout.def"
#undef F

/* ---- what a device is given ----------------------------------------------------------------------------------- */

struct lad_vm_companions { /* bound alike in every mode */
    const uint32_t *params;
    const void *statics;
    void *arena, *state, *shadow, *ring;
    uint32_t *debug;
    const struct lad_vm_watch *watch; /* only the reference calls it; NULL: nobody watches */
};
struct lad_vm_tables {
    void *table[VM_TABLES];
};
struct lad_vm_watch { /* members may be NULL */
    void (*activation)(void *arg, uint32_t gid, uint32_t pid, uint32_t ip, uint64_t time);
    void (*step_end)(void *arg, uint32_t gid, uint64_t time); /* the last delta of a time step is over */
    void *arg;
};

/* One launch of all instances by the reference, in each of the binding modes. Allocates nothing. */
void lad_vm_ref_table(const struct lad_vm_tables *, const struct lad_vm_companions *);
void lad_vm_ref_packed(void *arena, const uint32_t offset[VM_TABLES], const struct lad_vm_companions *);
void lad_vm_ref_direct(void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *, void *,
                       void *, void *, void *, void *, void *, void *, void *, void *, void *, void *,
                       const struct lad_vm_companions *);

#endif
