/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the process that loads one driver, lists its devices, keeps one of them open and runs cases on it. Requests
 * come on stdin, answers go to fd 3, both as lines of JSON; stdout and stderr are the driver's to print on.
 */
#include "../backends/layers/decorator.h"
#include "../backends/layers/inject.h"
#include "flight.h"
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
    bool silent = !fail->call[0] && !fail->text[0];
    char *text = lad_printf(arena, "%s%s%s%s%s", fail->call, fail->code[0] && fail->call[0] ? ": " : "", fail->code,
                            fail->text[0] && fail->call[0] ? ": " : "", fail->text);
    for (char *p = text; *p; p++)
        if ((*p & 0x80) || *p == '\x1b')
            *p = '?';
    return silent ? "failed and did not say why" : text;
}

static const struct lad_backend *load_plugin(const char *file, struct lad_fail *fail)
{
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const struct lad_backend *b = object ? dlsym(object, "lad_backend") : NULL;
    snprintf(fail->call, sizeof fail->call, "dlopen");
    if (!b)
        snprintf(fail->text, sizeof fail->text, "%s", dlerror());
    else if (b->abi != LAD_BACKEND_ABI)
        snprintf(fail->text, sizeof fail->text, "made for version %u of backend.h, expected %u", b->abi,
                 LAD_BACKEND_ABI);
    else if (!b->name || !b->prefix || !b->enumerate || !b->open || !b->close || !b->buf_create || !b->buf_destroy ||
             !b->buf_write || !b->buf_read || !b->kernel_create || !b->kernel_destroy || !b->dispatch || !b->wait)
        snprintf(fail->text, sizeof fail->text, "its lad_backend lacks a required member");
    else
        return b;
    return NULL;
}

static void list_devices(struct worker *w, struct lad_fail *fail)
{
    json_t *line = json_object(), *devices = json_array();
    size_t n = 0;
    bool ok = w->backend && w->backend->enumerate(infos, MOST_DEVICES, &n, fail);
    if (ok && n > MOST_DEVICES) {
        snprintf(fail->text, sizeof fail->text, "says that it has %zu devices", n);
        n = 0;
        ok = false;
    }
    w->n_devices = ok ? n : 0;
    for (size_t i = 0; i < w->n_devices; i++)
        json_array_append_new(devices, lad_dev_info_json(&infos[i]));
    json_object_set_new(line, "devices", devices);
    if (w->backend)
        json_object_set_new(line, "prefix", json_string(w->backend->prefix));
    if (!ok)
        json_object_set_new(line, "fail", json_string(describe(w->arena, fail)));
    answer(line);
}

static const struct lad_case *find_case(struct worker *w, const char *file, const char *id)
{
    struct loaded *f = w->files;
    while (f && strcmp(f->file, file))
        f = f->next;
    if (!f) {
        f = lad_alloc(w->arena, sizeof *f);
        *f = (struct loaded){.next = w->files, .file = lad_strdup(w->arena, file)};
        w->files = f;
        const struct lad_embedded *e = lad_case_files;
        while (e->name && strcmp(e->name, file))
            e++;
        if (!strcmp(file, lad_exam_cases.name))
            e = &lad_exam_cases;
        size_t bytes = e->name ? (size_t)(e->end - e->start) : 0;
        const char *text = e->name ? (const char *)e->start : lad_read_file(w->arena, file, 16u << 20, &bytes);
        if (text) /* the parent checked it against the schema */
            lad_case_parse(w->arena, text, bytes, f->file, false, &f->cases);
    }
    for (size_t i = 0; i < f->cases.n; i++)
        if (!strcmp(f->cases.item[i].id, id))
            return &f->cases.item[i];
    return NULL;
}

/* Opens the device of the case unless it is open already. */
static bool get_ready(struct worker *w, size_t index, struct lad_arena *arena, struct lad_record *r)
{
    if (w->open && w->index == index)
        return true;
    if (w->open)
        lad_gpu_close(&w->gpu);
    w->open = false;
    if (index >= w->n_devices) {
        lad_record_set(arena, r, LAD_STATUS_LOST, "ladder.lost.device",
                       "the driver lists %zu devices now, this was number %zu", w->n_devices, index);
        return false;
    }
    uint64_t deadline = w->gpu.deadline_ns;
    enum lad_drop drop = w->gpu.drop;
    w->gpu = (struct lad_gpu){.deadline_ns = deadline, .drop = drop};
    const struct lad_backend *backend = w->faults.n ? lad_decorator(w->backend, &w->faults) : w->backend;
    w->open = lad_gpu_open(&w->gpu, backend, index, &infos[index]);
    w->gpu.deadline_ns = deadline;
    w->gpu.drop = drop;
    w->index = index;
    r->open_ns = w->gpu.open_ns;
    if (!w->open)
        lad_record_set(arena, r, w->gpu.fail.lost ? LAD_STATUS_LOST : LAD_STATUS_ERROR, "ladder.api.open",
                       "the device does not open: %s", describe(arena, &w->gpu.fail));
    return w->open;
}

static const char *text_of(json_t *want, const char *name)
{
    const char *text = json_string_value(json_object_get(want, name));
    return text ? text : "";
}

static void run_probe(struct lad_gpu *gpu, const struct lad_probe *probe, const struct lad_case *c,
                      struct lad_arena *arena, struct lad_record *r)
{
    uint64_t dropped = gpu->n_dropped;
    probe->run(gpu, c, arena, r);
    r->n_dropped = gpu->n_dropped - dropped;
}

struct search {
    const char *part, *path;
};

static int look_at_library(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct search *s = arg;
    (void)bytes;
    if (strstr(info->dlpi_name, s->part))
        s->path = info->dlpi_name;
    return s->path != NULL;
}

/* The path of a library in this process that has `part` in it, or NULL. */
static const char *find_library(const char *part)
{
    struct search s = {part, NULL};
    dl_iterate_phdr(look_at_library, &s);
    return s.path;
}

/* A loader that takes no layers leaves out the faults that are in one: nothing was tested then. */
static bool has_layers(const struct worker *w, struct lad_arena *arena, struct lad_record *r)
{
    bool cl = !strcmp(w->backend->prefix, "cl");
    enum lad_depth depth = cl ? LAD_DEPTH_OPENCL : LAD_DEPTH_VULKAN;
    size_t i = 0;
    while (i < w->faults.n && lad_faults[w->faults.item[i].id].depth != depth)
        i++;
    if (i == w->faults.n || find_library("gpuladder_fault"))
        return true;
    const char *loader = find_library(cl ? "libOpenCL" : "libvulkan");
    lad_record_set(arena, r, LAD_STATUS_SKIP, LAD_TYPE_NO_LAYER,
                   "the fault was not made: %s was loaded as the loader, and it takes no layers (%s); %s",
                   loader ? loader : "an unknown library", cl ? "OPENCL_LAYERS" : "VK_INSTANCE_LAYERS",
                   cl ? "put the folder of one that does, such as ocl-icd's libOpenCL.so.1, first in LD_LIBRARY_PATH"
                      : "use the Khronos loader");
    return false;
}

/* How often the faults of a layer struck that a loader put into this process. */
static uint64_t count_layer_hits(void)
{
    const char *name = find_library("gpuladder_fault");
    uint64_t n = 0;
    void *layer = name ? dlopen(name, RTLD_NOW | RTLD_NOLOAD) : NULL;
    uint64_t (*struck)(void) = NULL;
    if (layer)
        *(void **)&struck = dlsym(layer, LAD_LAYER_STRUCK);
    if (struck)
        n = struck();
    if (layer)
        dlclose(layer);
    return n;
}

static void run_case(struct worker *w, json_t *want)
{
    struct lad_arena *arena = lad_arena_create();
    uint64_t start = lad_now_ns();
    uint64_t limit = (uint64_t)json_integer_value(json_object_get(want, "timeout_s")) * 1000000000u;
    struct lad_record r = {
        .id = lad_strdup(arena, text_of(want, "case")),
        .device = lad_strdup(arena, text_of(want, "device")),
        .seed = strtoull(text_of(want, "seed"), NULL, 0),
        .status = LAD_STATUS_MISSING,
        .exit_code = -1,
        .tries = 1,
    };
    lad_flight_case();
    const struct lad_case *c = find_case(w, text_of(want, "file"), r.id);
    const struct lad_probe *probe = c ? lad_probe_find(c->probe) : NULL;
    w->gpu.fail = (struct lad_fail){0};
    w->gpu.drop = (enum lad_drop)json_integer_value(json_object_get(want, "drop"));
    char why[300];
    const char *inject = text_of(want, "inject");
    if (w->open && (w->faults.n || *inject)) { /* with faults every case counts from a fresh device */
        lad_gpu_close(&w->gpu);
        w->open = false;
    }
    w->faults.n = 0;
    r.inject = *inject ? lad_strdup(arena, inject) : NULL;
    if (!lad_inject_add_all(&w->faults, inject, why, sizeof why))
        lad_record_set(arena, &r, LAD_STATUS_ERROR, "ladder.worker.inject", "%s", why);
    /* Ahead of the parent's deadline, so that a wait without end still makes a record of its own. */
    w->gpu.deadline_ns = start + limit - (limit / 10 < 1000000000u ? limit / 10 : 1000000000u);
    if (!probe)
        lad_record_set(arena, &r, LAD_STATUS_ERROR, "ladder.worker.case", "%s",
                       c ? "no such probe" : "the worker does not find the case in its file");
    else if (get_ready(w, (size_t)json_integer_value(json_object_get(want, "index")), arena, &r) &&
             has_layers(w, arena, &r)) {
        w->gpu.trial = lad_experiment_find(text_of(want, "trial"));
        w->gpu.experiments_ns = (uint64_t)json_integer_value(json_object_get(want, "look_s")) * 1000000000u;
        run_probe(&w->gpu, probe, c, arena, &r);
    }
    r.n_hits = w->faults.n ? lad_decorator_hits() + count_layer_hits() : 0;
    if (r.status == LAD_STATUS_MISSING)
        lad_record_set(arena, &r, LAD_STATUS_ERROR, "ladder.worker.verdict", "the probe came to no verdict");
    r.time_ns = lad_now_ns() - start;
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
    lad_flight_record(LAD_FLIGHT_FD);
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
