/* SPDX-License-Identifier: Apache-2.0 */
/* The flight recorder of a worker: memory that it shares with its parent, and that outlives it. */
#ifndef LAD_FLIGHT_H
#define LAD_FLIGHT_H

#include "harness.h"

enum { LAD_FLIGHT_FD = 4, LAD_FLIGHT_OBJECTS = 256 };

struct lad_flight {
    uint32_t call, busy;   /* the last call into the backend, of enum lad_flight_call; it has not returned yet */
    uint32_t n_dispatches; /* of the case so far */
    uint32_t pending;      /* commands since a wait that returned */
    int32_t thread;        /* the worker's own */
    char kernel[48];       /* of the last dispatch or build */
    char buffer[48];       /* what is written, read or made, where it has a name */
    struct {
        uint64_t start, end;
    } object[LAD_FLIGHT_OBJECTS]; /* code that was loaded when the device was opened */
    uint32_t n_objects;
    /* How it ended: written by the handler of the signal. */
    uint32_t dying, traced;
    int32_t signal, code;
    uint64_t address, pc;
    uint32_t own_thread, fault; /* fault: `address` is that of a page fault, not something else */
    uint32_t access;            /* 'r', 'w', 'x', or 0: not known */
    uint32_t mapped, pc_mapped; /* is there memory at `address`, at `pc`? */
    char where[160];            /* the name of the mapping that `pc` lies in, or "" */
};

#endif
