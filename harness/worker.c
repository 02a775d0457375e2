/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the process that loads one driver, lists its devices, keeps one of them open and runs cases on it. Requests
 * come on stdin, answers go to fd 3, both as lines of JSON; stdout and stderr are the driver's to print on.
 */
#include "../backends/layers/decorator.h"
#include "../backends/layers/inject.h"
#include "harness.h"
#include "registry.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ANSWERS = 3, MOST_DEVICES = 256 };

struct loaded { /* a case file, read once */
    struct loaded *next;
    const char *file;
    struct lad_cases cases;
};
struct worker {
    const struct lad_backend *backend;
    struct lad_arena *arena;
    struct lad_gpu gpu;
    bool open;
    struct lad_injection faults; /* of the case that is running */
    size_t index, n_devices;
    struct loaded *files;
};
static struct lad_dev_info infos[MOST_DEVICES];

static void answer(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    if (!text)
        abort();
    size_t n = strlen(text), at = 0;
    json_decref(line);
    text[n++] = '\n';
    while (at < n) {
        ssize_t done = write(ANSWERS, text + at, n - at);
        if (done <= 0)
            _exit(LAD_EXIT_HARNESS); /* nobody listens */
        at += (size_t)done;
    }
    free(text);
}

/* In ASCII: a driver's words may be in any encoding. */
static const char *describe(struct lad_arena *arena, const struct lad_fail *fail)
{
    bool over = r.status == LAD_STATUS_LOST || r.status == LAD_STATUS_TIMEOUT || w->gpu.fail.lost ||
                w->gpu.fail.timeout || lad_observed(&r, LAD_OBS_LATER_LOST); /* the next case shall not pay for it */
    fflush(stdout);
    answer(json_pack("{s:o, s:b}", "record", lad_record_json(&r), "over", over));
    if (over)
        _exit(0); /* freeing what a device may still use can hang or crash: leave it all behind */
    lad_gpu_trim(&w->gpu);
    lad_arena_destroy(&arena);
}

/* `gpuladder __worker API FILE PARENT` */
int lad_worker_main(int argc, char **argv)
{
    struct worker w = {.arena = lad_arena_create()};
    struct lad_fail fail = {0};
    if (argc < 5 || fcntl(ANSWERS, F_SETFD, FD_CLOEXEC)) {
        lad_error("__worker is for gpuladder's own use");
        return LAD_EXIT_USAGE;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != atoi(argv[4]))
        return LAD_EXIT_HARNESS; /* it died before the line above */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    setvbuf(stdout, NULL, _IOLBF, 0);
    w.backend = strcmp(argv[2], "plugin") ? lad_backend_find(argv[2]) : load_plugin(argv[3], &fail);
    if (!w.backend && !fail.call[0])
        snprintf(fail.text, sizeof fail.text, "this build has no backend for %s", argv[2]);
    list_devices(&w, &fail);

    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_t *json = json_loads(line, 0, NULL), *want = json_object_get(json, "run");
        if (want)
            run_case(&w, want);
        json_decref(json);
    }
    free(line);
    if (w.open)
        lad_gpu_close(&w.gpu);
    lad_arena_destroy(&w.arena);
    fflush(stdout);
    _exit(0); /* not exit(): drivers' own exit handlers run after their threads are gone */
}
