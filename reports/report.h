/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: each is a pure function of a finished run. A report never runs anything; it writes bytes to a stream and
 * the caller takes care of files, renaming and errors of the stream. */
#ifndef LAD_REPORT_H
#define LAD_REPORT_H

#include "../harness/harness.h"

struct lad_report {
    const char *name;      /* "junit" */
    const char *file;      /* default file under --output, "DEVICE" in it: one file a device, its slug in that place;
                            * NULL: only when asked for */
    bool (*write)(FILE *, const struct lad_run *, const struct lad_options *);
};
extern const struct lad_report *const lad_reports[]; /* made by the Makefile, ends in NULL */

/* text.c, also used live by cmd_run.c: the block of one failing record , one line for others */
void lad_text_record(FILE *, const struct lad_run *, const struct lad_record *, bool colour, bool all);
void lad_text_summary(FILE *, const struct lad_run *, bool colour);
/* clean.c: any bytes -> text that is legal in XML 1.0, free of control sequences; at most `most` bytes, 0: no limit */
char *lad_clean(struct lad_arena *, const char *bytes, size_t n, size_t most);
/* Plain-text body of a failure, in the order JUnit readers need; at most `most` bytes. Shared by junit and json. */
char *lad_body(struct lad_arena *, const struct lad_run *, const struct lad_record *, size_t most);
/* Command that repeats one record alone. */
char *lad_repeat(struct lad_arena *, const struct lad_run *, const struct lad_record *);
/* Parts of it: where and what; buffers, facts and figures; messages of others. */
/* The diagnosis: kind of failure, cause, how sure, place, evidence, runner-up, next command; nothing without a failure.
 * Run NULL: it is not repeated by `gpuladder run`. */
void lad_put_answer(FILE *, struct lad_arena *, const struct lad_run *, const struct lad_record *);
void lad_put_context(FILE *, struct lad_arena *, const struct lad_run *, const struct lad_record *);
void lad_put_evidence(FILE *, struct lad_arena *, const struct lad_record *, size_t rows, bool arrow);
void lad_put_messages(FILE *, struct lad_arena *, const struct lad_record *, size_t most);
/* "r03-thread-id-1d": what reports call a record; only [a-z0-9.-] */
char *lad_test_name(struct lad_arena *, const struct lad_record *);
/* One line of ASCII of at most 200 bytes without " < >, never empty: the record's message, or what stands for it. The
 * outcome as reports see it: expected failures are skips, passes that were not expected are failures. */
char *lad_headline(struct lad_arena *, const struct lad_record *);
char *lad_type_token(struct lad_arena *, const struct lad_record *); /* "ladder.mismatch.all-zero" */

/* show.c: numbers and buffers in words, the same in every locale */
char *lad_show_line(struct lad_arena *, const char *text, size_t most); /* cleaned, one line of ASCII; NULL gives "" */
char *lad_show_time(struct lad_arena *, uint64_t ns);                   /* seconds, "0.013" */
char *lad_show_number(struct lad_arena *, double);                      /* four digits, "4.213", "1230000", "inf" */
char *lad_show_value(struct lad_arena *, const char *type, uint64_t bits); /* "0x3dcccccd  0.1" */
char *lad_show_measure(struct lad_arena *, const struct lad_measure *); /* figure, clock, floor; or the doubt */
char *lad_show_device(struct lad_arena *, const struct lad_device *);   /* "vk:0  llvmpipe  Mesa 22.3.6 ..." */
/* Text broken into lines of at most 80, the first after `lead`, the others indented as far. */
void lad_put_wrapped(FILE *, const char *lead, const char *text);
/* What a buffer looked like: line, mismatches, map of at most `rows` rows. `arrow`: mark the first mismatch. */
void lad_put_seen(FILE *, struct lad_arena *, const struct lad_seen *, size_t rows, bool arrow);

/* tally.c: what a run came to, device by device */
enum lad_rung_state { LAD_RUNG_UNTRIED, LAD_RUNG_WORKS, LAD_RUNG_BROKEN, LAD_RUNG_BLOCKED, LAD_RUNG_MISSING };
struct lad_reason {      /* records that share a reason */
    const char *text;
    size_t n;
    const struct lad_record *first;
};
struct lad_tally_rung {
    int number;
    const char *name, *proves;
    size_t n[LAD_STATUS_COUNT], n_records, n_bad, n_known;
    enum lad_rung_state state;
};
struct lad_finding {     /* failures of a device that have one cause */
    const struct lad_class *cause, *other; /* other: where it is open between two; cause NULL: none was named */
    const struct lad_record *first;
    const char *verdict, *sentence, *scope; /* of the first */
    size_t n, n_casualties;                /* casualties: cases that the loss of the device cost, not diagnosed */
};
struct lad_tally {
    const char *slug;
    const struct lad_device *device;      /* NULL: the run does not describe it */
    const struct lad_record **record;     /* in ladder order */
    size_t n_records, n[LAD_STATUS_COUNT], n_bad, n_known, n_flaky;
    const struct lad_record *first_bad, *blocker; /* blocker: blocks at least one other; NULL when nothing is blocked */
    struct lad_tally_rung *rung;          /* those with records, from the lowest */
    size_t n_rungs;
    struct lad_reason *skips, *blocks;
    size_t n_skips, n_blocks;
    struct lad_finding *finding;          /* what unexpected failures come to, in the order in which they were met */
    size_t n_findings;
};
size_t lad_tally(struct lad_arena *, const struct lad_run *, struct lad_tally **);
/* "D1 the dispatch was dropped ... (decided): 2 cases, the first is r03-x; 7 more were lost with the device". */
char *lad_show_finding(struct lad_arena *, const struct lad_finding *);
/* The best figure of the measure that m is the first of, doubted only where there is no other; NULL: not the first. */
const struct lad_measure *lad_best_measure(const struct lad_record *, size_t m);
/* The cases that everything else stands on: names as globs, NULL at the end. */
extern const char *const lad_mission[];
#endif
