/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: each is a pure function of a finished run. A report never runs anything; it writes bytes to a stream and
 * the caller takes care of files, renaming and errors of the stream. */
#ifndef LAD_REPORT_H
#define LAD_REPORT_H

#include "../harness/harness.h"

struct lad_report {
    const char *name;      /* "junit" */
    const char *file;      /* default file under --output, or NULL: only when asked for */
    bool (*write)(FILE *, const struct lad_run *, const struct lad_options *);
};
extern const struct lad_report *const lad_reports[]; /* made by the Makefile, ends in NULL */

/* text.c, also used live by cmd_run.c: the block of one failing record (spec of the terminal layout), one line for others */
void lad_text_record(FILE *, const struct lad_run *, const struct lad_record *, bool colour, bool all);
void lad_text_summary(FILE *, const struct lad_run *, bool colour);
/* clean.c: any bytes -> text that is legal in XML 1.0, free of control sequences; at most `most` bytes, 0: no limit */
char *lad_clean(struct lad_arena *, const char *bytes, size_t n, size_t most);
/* Plain-text body of a failure, in the order JUnit readers need; at most `most` bytes. Shared by junit and json. */
char *lad_body(struct lad_arena *, const struct lad_run *, const struct lad_record *, size_t most);
/* Command that repeats one record alone. */
char *lad_repeat(struct lad_arena *, const struct lad_run *, const struct lad_record *);
#endif
