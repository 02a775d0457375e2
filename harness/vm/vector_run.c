/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors run in one way each, several side by side: in the reference, and on a device, compared after every launch. */
#include "../registry.h"
#include "vector.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_SECONDS = 30 }; /* of one batch, where the device has no deadline */

size_t lad_vm_ways(const struct lad_vm_vector *v, struct lad_vm_way way[LAD_VM_WAYS])
{
    static const uint32_t slices[][3] = {{1024, 64, 32}, {1, 1, 1},   {7, 3, 2},    {1, 64, 32},
                                         {2, 1, 1},      {3, 7, 4},   {5, 0, 3},    {13, 2, 32},
                                         {64, 1, 2},     {100, 5, 1}, {1024, 0, 8}, {199, 64, 1}};
    uint32_t n_slices = v->one_slice ? 1 : v->slices ? v->slices : 3;
    size_t n = 0;
    for (uint32_t i = 0; i < 12 * n_slices; i++) {
        const uint32_t *slice = slices[i % n_slices % LAD_N(slices)], k = i / n_slices;
        struct lad_vm_way *w = &way[n++];
        *w = (struct lad_vm_way){(enum lad_vm_binding)(k / 4), k / 2 % 2, k % 2 ? 33 : 1, slice[0], slice[1], slice[2]};
        if (v->one_slice) {
            w->steps = v->steps;
            w->proc_steps = v->proc_steps;
            w->capacity = v->capacity;
        }
        if (v->count)
            w->count = v->count;
        if (w->capacity < v->capacity)
            w->capacity = v->capacity;
    }
    return n;
}

void lad_vm_way_text(const struct lad_vm_way *w, char *text, size_t bytes)
{
    static const char *const bindings[] = {"direct", "table", "packed"};
    snprintf(text, bytes, "%s, %s, count %u, slice %u,%u,%u", bindings[w->binding], w->shared ? "shared" : "copies",
             w->count, w->steps, w->proc_steps, w->capacity);
}

struct side {
    struct lad_vm_image *image;
    struct lad_vm_host *host;
    struct held {
        bool waits, late;
        uint64_t value;
    } * held; /* one per process of each instance */
};
struct run {
    const struct lad_vm_vector *v;
    const struct lad_vm_way *way;
    const char *plusargs[2];
    struct side side[2]; /* reference, device */
    int n;               /* 1: no device */
    struct lad_vm_device *device;
    uint64_t launches, deadline_ns;
    uint32_t resumes, after; /* left; of the launches when it is over, done */
    bool over;
    enum lad_vm_fate fate;
    struct lad_vm_why *why;
};

/* Adds gid to what each element begins with. */
static void vary(struct lad_vm_image *image)
{
    for (uint32_t g = 0; g < image->shape.count; g++) {
        for (uint32_t i = 0; i < image->program->n_sigs; i++) {
            for (uint32_t e = 0; e < image->program->sigs[i].array_size; e++) {
                uint64_t val, xz;
                lad_vm_signal_get(image, g, i, e, &val, &xz);
                if (!xz)
                    lad_vm_signal_set(image, g, i, e, val + g, 0);
            }
        }
    }
}

/* What a host may do between launches. */
static void meddle(const struct run *r, struct lad_vm_image *image)
{
    for (uint32_t g = 0; g < image->shape.count; g++) {
        if (r->v->halt_launch == r->launches)
            *LAD_VM_U32(image, halt_mode, g) = r->v->halt_mode;
        if (r->v->ring && r->launches == 2)
            *lad_vm_ring_tail(image, g) = *lad_vm_ring_head(image, g) = r->v->ring;
    }
}

/* What waits for the host when a launch ends. */
static bool waits(const struct lad_vm_image *image, uint32_t gid, uint32_t pid)
{
    return LAD_VM_U32(image, state, gid)[pid] == VM_BLOCKED &&
           LAD_VM_U32(image, wait_kind, gid)[pid] == VM_WAIT_SERVICE;
}

/* Drains, and answers as the vector says: with its number, or every other instance a launch late. `held` says whom the
 * last drain left waiting, and what it gets then. */
static void answer(const struct run *r, struct side *s)
{
    struct lad_vm_image *image = s->image;
    uint32_t n = image->program->n_proc;
    size_t all = (size_t)image->shape.count * n;
    for (size_t i = 0; i < all; i++)
        s->held[i].waits = waits(image, (uint32_t)(i / n), (uint32_t)(i % n));
    lad_vm_drain(s->host);
    for (size_t i = 0; i < all; i++) {
        uint32_t g = (uint32_t)(i / n), pid = (uint32_t)(i % n);
        uint64_t *time = &LAD_VM_U64(image, wait_time, g)[pid];
        struct held *h = &s->held[i];
        if (!h->waits)
            continue;
        if (r->v->answer)
            *time = strtoull(r->v->answer, NULL, 0);
        if (r->v->hold && g % 2 && !h->late) {
            h->value = *time;
            *time = 0;
            LAD_VM_U32(image, state, g)[pid] = VM_BLOCKED;
            LAD_VM_U32(image, wait_kind, g)[pid] = VM_WAIT_SERVICE;
        } else if (h->late) {
            *time = h->value;
        }
        h->late = r->v->hold && g % 2 && !h->late;
    }
}

/* Lets stopped instances go on where the vector says so. */
static bool is_over(struct run *r)
{
    if (!lad_vm_over(r->side[0].image))
        return false;
    bool any = false;
    for (int i = 0; i < r->n && r->resumes; i++) {
        uint32_t *status = LAD_VM_U32(r->side[i].image, status, 0);
        for (uint32_t g = 0; g < r->side[i].image->shape.count; g++) {
            any |= status[g] == VM_STOPPED;
            status[g] = status[g] == VM_STOPPED ? VM_RUNNING : status[g];
        }
    }
    r->resumes -= any;
    return !any;
}

static bool api_failed(const struct run *r, const struct lad_gpu *gpu)
{
    const struct lad_fail *f = &gpu->fail;
    return lad_vm_because(r->why, "%s says %s%s%.120s", f->call, f->code, *f->text ? ": " : "", f->text);
}

/* Is there a launch to come? */
static bool goes_on(struct run *r)
{
    if (r->fate != LAD_VM_DONE)
        return false;
    if (r->over || is_over(r)) {
        r->over = true;
        return r->after++ < r->v->after;
    }
    if (r->v->most_launches && r->launches == r->v->most_launches)
        return false;
    if (lad_now_ns() > r->deadline_ns) {
        r->fate = LAD_VM_FAILED;
        return lad_vm_because(r->why, "not over at the deadline, after %llu launches", (unsigned long long)r->launches);
    }
    r->launches++;
    return true;
}

static void before_launch(struct run *r)
{
    bool empty = r->v->ring && r->launches == 1; /* only initialises, so that the counters can be set */
    for (int i = 0; i < r->n; i++) {
        if (!r->over)
            meddle(r, r->side[i].image);
        r->side[i].image->params[VM_P_MAX_STEPS] = empty ? 0 : r->way->steps;
    }
    lad_vm_launch_reference(r->side[0].image);
}

/* Are both sides equal, and the guards whole? Then the host does its part. */
static bool after_launch(struct run *r)
{
    struct lad_vm_diff diff;
    if (r->n == 2 && !lad_vm_compare(r->side[0].image, r->side[1].image, &diff)) {
        lad_vm_diff_text(&diff, r->why);
        return false;
    }
    if (!lad_vm_guards_hold(r->side[r->n - 1].image, r->why))
        return false;
    for (int i = 0; i < r->n; i++)
        answer(r, &r->side[i]);
    return true;
}

static bool same_logs(const struct run *r)
{
    for (uint32_t g = 0; g < r->side[0].image->shape.count; g++) {
        const struct lad_vm_text *a = &r->side[0].host->log[g], *b = &r->side[1].host->log[g];
        if (a->n != b->n || (a->n && memcmp(a->text, b->text, a->n)))
            return lad_vm_because(r->why, "the logs of instance %u differ", g);
    }
    return true;
}

static void *get_memory(size_t n, size_t bytes)
{
    void *p = calloc(n, bytes);
    if (!p)
        abort();
    return p;
}

static bool open_side(struct run *r, struct side *s, const struct lad_vm_program *p)
{
    const struct lad_vm_way *way = r->way;
    struct lad_vm_shape shape = {.count = way->count,
                                 .max_steps = way->steps,
                                 .max_proc_steps = way->proc_steps,
                                 .capacity = way->capacity,
                                 .shared = way->shared,
                                 .binding = way->binding,
                                 .debug = true};
    if (!(s->image = lad_vm_image_create(p, &shape, r->why)))
        return false;
    s->host = lad_vm_host_create(s->image);
    s->held = get_memory((size_t)way->count * p->n_proc, sizeof *s->held);
    s->host->plusargs = r->plusargs;
    s->host->files = lad_vm_data_files;
    s->host->quiet = true;
    if (r->v->vary)
        vary(s->image);
    return true;
}

static void open_run(struct run *r, const struct lad_vm_job *job, struct lad_gpu *gpu)
{
    r->plusargs[0] = r->v->plusarg;
    r->deadline_ns = gpu && gpu->deadline_ns ? gpu->deadline_ns : lad_now_ns() + MOST_SECONDS * 1000000000ull;
    r->resumes = r->v->resume;
    r->fate = LAD_VM_DONE;
    for (int i = 0; i < r->n; i++)
        if (!open_side(r, &r->side[i], job->program))
            r->fate = LAD_VM_FAILED;
    if (gpu && r->fate == LAD_VM_DONE)
        r->device = lad_vm_device_open(gpu, r->side[1].image, NULL, &r->fate, r->why);
}

static void close_run(struct run *r)
{
    if (r->fate == LAD_VM_DONE && !((!r->device || (lad_vm_device_kept(r->device, r->why) && same_logs(r))) &&
                                    lad_vm_vector_check(r->v, r->side[r->n - 1].host, r->launches, r->why)))
        r->fate = LAD_VM_FAILED;
    lad_vm_device_close(&r->device);
    for (int i = 0; i < r->n; i++) {
        free(r->side[i].held);
        lad_vm_host_destroy(&r->side[i].host);
        lad_vm_image_destroy(&r->side[i].image);
    }
}

/* One launch of all that go on; how many those were. */
static size_t launch_all(struct run *runs, size_t n, struct lad_gpu *gpu, struct run **going,
                         struct lad_vm_device **devices, struct lad_vm_inbox *in)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        if (!goes_on(&runs[i]))
            continue;
        before_launch(&runs[i]);
        devices[left] = runs[i].device;
        going[left++] = &runs[i];
    }
    if (gpu && !lad_vm_device_launch_all(devices, left, in)) {
        for (size_t i = 0; i < n; i++) /* those that are over, too: the device answers nobody any more */
            if (runs[i].fate == LAD_VM_DONE && !api_failed(&runs[i], gpu))
                runs[i].fate = LAD_VM_FAILED;
        return 0;
    }
    for (size_t i = 0; i < left; i++)
        if (!after_launch(going[i]))
            going[i]->fate = LAD_VM_FAILED;
    return left;
}

void lad_vm_vectors_run(struct lad_vm_job *job, size_t n, struct lad_gpu *gpu, struct lad_vm_inbox *in)
{
    struct run *runs = get_memory(n, sizeof *runs), **going = get_memory(n, sizeof(void *));
    struct lad_vm_device **devices = get_memory(n, sizeof *devices);
    for (size_t i = 0; i < n; i++) {
        runs[i] = (struct run){.v = job[i].vector, .way = &job[i].way, .n = gpu ? 2 : 1, .why = &job[i].why};
        open_run(&runs[i], &job[i], gpu);
    }
    while (launch_all(runs, n, gpu, going, devices, in))
        ;
    for (size_t i = 0; i < n; i++) {
        close_run(&runs[i]);
        job[i].fate = runs[i].fate;
        job[i].launches = runs[i].launches;
    }
    free(devices);
    free(going);
    free(runs);
}

bool lad_vm_vector_load(struct lad_arena *arena, const struct lad_vm_vector *v, struct lad_vm_program *p,
                        struct lad_vm_why *why)
{
    *why = (struct lad_vm_why){""};
    enum lad_vm_verdict verdict =
        lad_vm_assemble(arena, v->text, v->name, p, why) ? lad_vm_check(p, v->unchecked, why) : LAD_VM_REJECTED;
    if (!v->reject)
        return verdict == LAD_VM_GOOD;
    struct lad_vm_why said = *why;
    return (verdict == LAD_VM_REJECTED && strstr(said.text, v->reject)) ||
           lad_vm_because(why, "expected to be refused because of '%.80s', the loader says '%.120s'", v->reject,
                          verdict == LAD_VM_REJECTED ? said.text : "it is good");
}
