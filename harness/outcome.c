/* SPDX-License-Identifier: Apache-2.0 */
/* What a case came to, seen from the parent: the end of its worker in words, what was planned, what was known before.
 */
#include "harness.h"
#include <signal.h>

void lad_record_plan(struct lad_record *rec, const struct lad_record *plan)
{
    rec->id = plan->id;
    rec->file = plan->file;
    rec->line = plan->line;
    rec->group = plan->group;
    rec->proves = plan->proves;
    rec->uses = plan->uses;
    rec->rung = plan->rung;
    rec->device = plan->device;
    rec->spec = plan->spec;
    rec->seed = plan->seed;
    rec->known = plan->known;
    rec->known_status = plan->known_status;
    rec->flake = plan->flake;
    rec->layer = plan->layer;
    rec->inject = plan->inject ? plan->inject : rec->inject;
}

void lad_record_known(struct lad_arena *arena, struct lad_record *rec)
{
    bool bad = rec->status >= LAD_STATUS_FAIL;
    if (rec->known && rec->status == LAD_STATUS_PASS) {
        rec->unexpected = true;
    } else if (rec->known && bad && rec->status != rec->known_status) {
        lad_record_fact(arena, rec, '!', "known to end in %s (%s), not in %s", lad_status_name(rec->known_status),
                        rec->known, lad_status_name(rec->status));
        rec->known = NULL;
    } else if (bad && !rec->known && rec->flake) {
        rec->known = lad_printf(arena, "fails now and then: %s", rec->flake);
    }
}

struct lad_record lad_record_end(struct lad_arena *arena, const struct lad_child_end *end, uint64_t limit_ns,
                                 const char *garbage)
{
    struct lad_record got = {.exit_code = end->exit_code, .signal = end->signal, .status = LAD_STATUS_MISSING};
    double limit_s = (double)limit_ns / 1e9;
    if (end->abandoned)
        lad_record_set(arena, &got, LAD_STATUS_LOST, "ladder.lost.unkillable",
                       "no end within %g s, and the worker does not even die of SIGKILL", limit_s);
    else if (end->overflowed || garbage)
        lad_record_set(arena, &got, LAD_STATUS_ERROR, "ladder.worker.garbage",
                       "something wrote into the worker's record pipe: %.60s",
                       garbage ? garbage : "a line without end");
    else if (end->late)
        lad_record_set(arena, &got, LAD_STATUS_TIMEOUT, "ladder.timeout",
                       "no end within %g s, the worker had to be killed", limit_s);
    else if (end->closed)
        lad_record_set(arena, &got, LAD_STATUS_ERROR, "ladder.worker.pipe",
                       "something closed the worker's record pipe");
    else if (end->signal == SIGKILL)
        lad_record_set(arena, &got, LAD_STATUS_CRASH, "ladder.crash.signal",
                       "the worker was killed (SIGKILL), perhaps because memory ran out");
    else if (end->signal)
        lad_record_set(arena, &got, LAD_STATUS_CRASH, "ladder.crash.signal", "the worker died: %s",
                       lad_signal_name(end->signal));
    else
        lad_record_set(arena, &got, LAD_STATUS_CRASH, "ladder.crash.exit",
                       "the worker ended in the midst of the case, exit status %d", end->exit_code);
    return got;
}
