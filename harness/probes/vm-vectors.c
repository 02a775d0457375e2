/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conformance vectors of the scheduler VM on the device beside the reference, compared after every launch.
 *
 * Params: vectors (what their names begin with, as L1 or L3.edge), mode (direct, table, packed), and optionally slice
 * (1, 2 or 3: one of the three slicings; all where it is not given) and spread: every third vector in one of its ways,
 * so that the cases of three modes together run each vector once, and use all ways.
 */
#include "../vm/vector.h"
#include <stdlib.h>
#include <string.h>

struct tally {
    uint64_t vectors, runs, launches, wrong;
};
struct job {
    struct lad_gpu *gpu;
    struct lad_arena *arena;
    struct lad_record *r;
    const char *prefix;
    enum lad_vm_binding mode;
    int slice; /* 0: all */
    bool spread;
    struct tally tally;
    struct lad_vm_job batch[LAD_VM_WAYS]; /* what runs side by side */
    size_t n;
    struct lad_arena *programs; /* of the batch */
    struct lad_vm_inbox in;
};

static const char *param(const struct lad_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_params; i++)
        if (!strcmp(c->params[i].name, name))
            return c->params[i].value.text;
    return NULL;
}

static bool read_params(struct job *job, const struct lad_case *c)
{
    static const char *const modes[] = {"direct", "table", "packed"};
    const char *mode = param(c, "mode"), *slice = param(c, "slice");
    size_t i = 0;
    while (mode && i < LAD_N(modes) && strcmp(mode, modes[i]))
        i++;
    job->prefix = param(c, "vectors");
    job->mode = (enum lad_vm_binding)i;
    job->slice = slice ? atoi(slice) : 0;
    job->spread = param(c, "spread") != NULL;
    if (job->prefix && mode && i < LAD_N(modes) && (!slice || (job->slice > 0 && job->slice < 4)))
        return true;
    lad_record_set(job->arena, job->r, LAD_STATUS_ERROR, "ladder.case",
                   "%s: expected params vectors, mode (direct, table, packed) and perhaps slice (1, 2, 3)", c->file);
    return false;
}

/* The vector's ways that the case asks for, moved to the front. */
static size_t choose_ways(const struct job *job, const struct lad_vm_vector *v, size_t turn, struct lad_vm_way *way)
{
    size_t all = lad_vm_ways(v, way), each = all / 3, slices = each / 4, n = 0;
    struct lad_vm_way *mine = way + job->mode * each;
    if (job->spread) {
        way[0] = mine[turn / 3 % each];
        return turn % 3 == job->mode;
    }
    for (size_t i = 0; i < each; i++) /* slicings of its own run with the first three in turn */
        if (!job->slice || (size_t)job->slice - 1 == i % slices % 3)
            way[n++] = mine[i];
    return n;
}

static void tell_wrong(struct job *job, const struct lad_vm_vector *v, const char *how, const char *why)
{
    if (job->tally.wrong++ < 10)
        lad_record_fact(job->arena, job->r, '!', "%s (%s): %s", v->name, how, why);
}

static bool is_late(const struct lad_gpu *gpu)
{
    return gpu->deadline_ns && lad_now_ns() > gpu->deadline_ns;
}

/* Runs what has been gathered. False: nothing more can be run. */
static bool run_jobs(struct job *job)
{
    struct lad_gpu *gpu = job->gpu;
    lad_vm_vectors_run(job->batch, job->n, gpu, &job->in);
    bool fit = true;
    for (struct lad_vm_job *b = job->batch; b < job->batch + job->n; b++) {
        char text[80];
        lad_vm_way_text(&b->way, text, sizeof text);
        job->tally.runs += b->fate == LAD_VM_DONE;
        job->tally.launches += b->launches;
        if (b->fate == LAD_VM_UNFIT)
            lad_record_set(job->arena, job->r, LAD_STATUS_SKIP, NULL, "%s", b->why.text);
        if (b->fate == LAD_VM_FAILED)
            tell_wrong(job, b->vector, text, b->why.text);
        fit &= b->fate != LAD_VM_UNFIT;
    }
    job->n = 0;
    lad_arena_destroy(&job->programs);
    job->programs = lad_arena_create();
    return fit && !gpu->fail.lost && !gpu->fail.timeout && !is_late(gpu);
}

/* Gathers the vector's runs, and runs a batch whenever it is full. */
static bool add_vector(struct job *job, const struct lad_vm_vector *v, size_t turn)
{
    struct lad_vm_way way[LAD_VM_WAYS];
    struct lad_vm_why why;
    size_t n = v->reject ? 0 : choose_ways(job, v, turn, way);
    if (!n)
        return true;
    job->tally.vectors += v->n;
    if (job->n + n > LAD_N(job->batch) && !run_jobs(job))
        return false;
    struct lad_vm_program *p = lad_alloc(job->programs, sizeof *p);
    if (!lad_vm_vector_load(job->programs, v, p, &why)) {
        tell_wrong(job, v, "loading", why.text);
        return true;
    }
    for (size_t k = 0; k < n; k++)
        job->batch[job->n++] = (struct lad_vm_job){.vector = v, .program = p, .way = way[k]};
    return true;
}

static void judge(struct job *job, bool all)
{
    const struct tally *t = &job->tally;
    struct lad_fail *f = &job->gpu->fail;
    if (f->lost || f->timeout)
        lad_record_set(job->arena, job->r, f->lost ? LAD_STATUS_LOST : LAD_STATUS_TIMEOUT,
                       f->lost ? "ladder.lost" : "ladder.timeout.device", "after %llu runs: %s says %s",
                       (unsigned long long)t->runs, f->call, f->code);
    else if (!all && is_late(job->gpu))
        lad_record_set(job->arena, job->r, LAD_STATUS_TIMEOUT, "ladder.timeout.case", "not through after %llu runs",
                       (unsigned long long)t->runs);
    else if (t->wrong)
        lad_record_set(job->arena, job->r, LAD_STATUS_FAIL, "ladder.vm.vectors", "%llu runs of vectors went wrong",
                       (unsigned long long)t->wrong);
    else if (!t->runs && job->r->status != LAD_STATUS_SKIP)
        lad_record_set(job->arena, job->r, LAD_STATUS_ERROR, "ladder.case", "no vectors begin with %s", job->prefix);
    else
        lad_record_set(job->arena, job->r, LAD_STATUS_PASS, NULL, NULL);
    if (t->runs)
        lad_record_fact(job->arena, job->r, '+',
                        "%llu vectors in %llu runs and %llu launches, equal after each of them",
                        (unsigned long long)t->vectors, (unsigned long long)t->runs, (unsigned long long)t->launches);
}

static void run(struct lad_gpu *gpu, const struct lad_case *c, struct lad_arena *arena, struct lad_record *r)
{
    struct job job = {.gpu = gpu, .arena = arena, .r = r};
    struct lad_vm_vectors all = {0};
    if (!read_params(&job, c))
        return;
    if (!lad_vm_vectors_all(arena, &all)) {
        lad_record_set(arena, r, LAD_STATUS_ERROR, "ladder.case", "the vectors cannot be read");
        return;
    }
    job.programs = lad_arena_create();
    size_t turn = 0;
    bool good = true;
    for (size_t i = 0; i < all.n && good; i++)
        if (!strncmp(all.item[i].name, job.prefix, strlen(job.prefix)))
            good = add_vector(&job, &all.item[i], turn++);
    good = good && run_jobs(&job);
    judge(&job, good);
    lad_vm_inbox_close(gpu, &job.in);
    lad_arena_destroy(&job.programs);
}

const struct lad_probe lad_probe_vm_vectors = {
    .name = "vm-vectors",
    .summary =
        "conformance vectors of the scheduler VM come out as the specification says, on the device as in the reference",
    .run = run,
};
