/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder report: the reports of a run made again from its journal, however the run ended. Runs nothing. */
#include "../reports/report.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int report(struct lad_arena *arena, const struct lad_options *o)
{
    struct lad_run run = {0};
    const char *dir = o->args[0] ? o->args[0] : o->output;
    if (o->args[0] && o->args[1]) {
        lad_error("report %s: expected one folder", o->args[1]);
        return LAD_EXIT_USAGE;
    }
    if (!lad_journal_read(arena, dir, &run))
        return LAD_EXIT_USAGE;
    run.output = strcmp(o->output, LAD_DEFAULT_OUTPUT) ? o->output : dir; /* beside the journal unless told */
    FILE *text = lad_text_stream(o);
    bool colour = lad_colour(o, text), all = lad_verbosity > 0 || !isatty(fileno(text)) || getenv("CI");
    for (const struct lad_record *r = run.record; r < run.record + run.n_records; r++)
        if ((lad_record_bad(r) && r->status != LAD_STATUS_MISSING) || lad_verbosity > 0)
            lad_text_record(text, &run, r, colour, all);
    bool ok = lad_publish(arena, o, &run);
    lad_text_summary(text, &run, colour);
    return ok ? lad_exit_status(o, &run, 0) : LAD_EXIT_HARNESS;
}

const struct lad_command lad_command_report = {
    .name = "report",
    .summary = "make the reports of a run again from its journal, nothing is run",
    .usage = "[DIR]",
    .run = report,
};
