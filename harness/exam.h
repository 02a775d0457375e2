/* SPDX-License-Identifier: Apache-2.0 */
/* The exam: faults made on purpose, and what the diagnosis said of them. exam.c reads what is to be named and marks the
 * answers, exam_show.c writes them down, cmd_exam.c runs it. */
#ifndef LAD_EXAM_H
#define LAD_EXAM_H

#include "harness.h"

struct exam_row {                                        /* a line of cases/faults/expected.txt */
    const char *fault, *cause, *call, *case_id, *device; /* device: slug; case_id NULL: no case shows it */
    const char *place; /* words of lad_why.at that the answer has to have, or "" */
    const char *open; /* causes with which it may be left open; of a row without a case: why */
};
#define EXAM_VERDICTS(X)                                                                                               \
    X(RIGHT, "right", "the cause is named")                                                                            \
    X(OPEN, "open", "left open between the cause and another that looks the same here")                                \
    X(UNNAMED, "unnamed", "left open, without the cause or with one that does not look the same")                      \
    X(WRONG, "wrong", "another cause is named for certain")                                                            \
    X(MISSED, "missed", "the fault struck and nothing failed")                                                         \
    X(IDLE, "idle", "the fault did not strike, or the device cannot run the case")                                     \
    X(UNMADE, "not made", "the fault could not be made here: nothing was tested")                                      \
    X(CLEAN, "clean", "no fault, and no alarm")                                                                        \
    X(ALARM, "false alarm", "no fault, but an alarm")                                                                  \
    X(ABSENT, "absent", "did not run")
#define EXAM_VERDICT(sym, name, words) EXAM_##sym,
enum exam_verdict { EXAM_VERDICTS(EXAM_VERDICT) EXAM_VERDICT_COUNT };
#undef EXAM_VERDICT
const char *exam_verdict_name(enum exam_verdict);
const char *exam_verdict_text(enum exam_verdict);

struct exam_mark {              /* what became of one row on one device, or of one look-alike */
    const struct exam_row *row; /* NULL: nothing is wrong on purpose */
    const struct exam_row *with; /* made at the same time, or NULL */
    const struct lad_record *record;
    enum exam_verdict verdict;
    bool place; /* the call at fault is among those named, and so are buffer, argument, dispatch and byte */
    struct lad_why why;
};
#define EXAM_PAIR_VERDICTS(X)                                                                                          \
    X(BOTH, "both", "both causes are among the findings")                                                              \
    X(ONE, "one", "one cause is, and no other for certain: the second is hidden by the first, or was not seen")        \
    X(UNNAMED, "neither", "left open, without either cause")                                                           \
    X(WRONG, "wrong", "a cause is named for certain that is neither")                                                  \
    X(MISSED, "missed", "a fault struck and nothing failed")                                                           \
    X(IDLE, "idle", "no fault struck, or the device cannot run the cases")
#define EXAM_PAIR(sym, name, words) EXAM_PAIR_##sym,
enum exam_pair_verdict { EXAM_PAIR_VERDICTS(EXAM_PAIR) EXAM_PAIR_COUNT };
#undef EXAM_PAIR
struct exam_pair {                     /* two faults at once, in the case of each */
    struct exam_mark *mark; /* row and with are the two */
    size_t n;               /* 1: both have the same case */
    enum exam_pair_verdict verdict;
};
struct exam {
    struct exam_row *row;
    size_t n_rows;
    struct exam_mark *mark; /* those of pairs follow the others */
    size_t n_marks, n_pair_marks;
    struct exam_pair *pair;
    size_t n_pairs;
    size_t n_clean, n_alarms; /* cases of the clean ladder, and those that failed */
    uint32_t repeats;
    const struct lad_run *run;
    uint64_t time_ns;
};
struct exam_score {
    size_t of[EXAM_VERDICT_COUNT], judged, named, places, wrong_places, trials;
};

bool exam_read(struct lad_arena *, struct exam *); /* the rows; false after lad_error */
void exam_mark(struct lad_arena *, struct exam_mark *);
/* Of the marks on one device (slug), or of all (NULL). */
struct exam_score exam_score(const struct exam *, const char *device);
bool exam_passed(const struct exam *);

/* exam_pairs.c: the how-manieth pair of these rows, spread over them; false: there are no more of different classes. */
bool exam_pair_pick(const struct exam_row *const *rows, size_t n, size_t which, const struct exam_row **,
                    const struct exam_row **);
void exam_pairs_judge(struct lad_arena *, struct exam *); /* by the findings of the cases of each */
bool exam_pairs_passed(const struct exam *);              /* at most one in a hundred is wrong */
void exam_pairs_show(FILE *, struct lad_arena *, const struct exam *);
json_t *exam_pairs_json(struct lad_arena *, const struct exam *);
void exam_pairs_write_markdown(FILE *, struct lad_arena *, const struct exam *, const char *device);
void exam_pairs_as_records(struct lad_arena *, const struct exam *, const struct lad_device *, struct lad_run *);

/* exam_show.c */
void exam_show_mark(FILE *, struct lad_arena *, const struct exam_mark *, bool colour); /* one line */
void exam_show(FILE *, struct lad_arena *, const struct exam *);                        /* matrix and totals */
bool exam_write_json(FILE *, const void *exam);
bool exam_write_markdown(FILE *, const void *exam);
/* The marks as records of a run, for the reports of runs. */
struct lad_run *exam_as_run(struct lad_arena *, const struct exam *);

#endif
