/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance vectors, read from text and run in one way; what came out is held against the lines of the vector. */
#include "vector.h"
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SECONDS = 2 }; /* of one run; on a device a launch takes long */

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool read_numbers(const char *text, uint32_t *a, uint32_t *b, uint32_t *c)
{
    return sscanf(text, "%u,%u,%u", a, b, c) == 3;
}

static bool read_key(struct lad_arena *arena, struct lad_vm_vector *v, const char *key, const char *value)
{
    static const struct {
        const char *key;
        size_t at;
    } numbers[] = {{"capacity", offsetof(struct lad_vm_vector, capacity)},
                   {"most", offsetof(struct lad_vm_vector, most_launches)},
                   {"resume", offsetof(struct lad_vm_vector, resume)},
                   {"ring", offsetof(struct lad_vm_vector, ring)},
                   {"n", offsetof(struct lad_vm_vector, n)}};
    for (size_t i = 0; i < LAD_N(numbers); i++) {
        if (!strcmp(numbers[i].key, key)) {
            *(uint32_t *)((char *)v + numbers[i].at) = (uint32_t)strtoul(value, NULL, 0);
            return *value != 0;
        }
    }
    if (!strcmp(key, "slice")) {
        v->one_slice = true;
        return read_numbers(value, &v->steps, &v->proc_steps, &v->capacity);
    }
    if (!strcmp(key, "halt"))
        return sscanf(value, "%u:%u", &v->halt_launch, &v->halt_mode) == 2;
    if (!strcmp(key, "reject") || !strcmp(key, "plus")) {
        *(*key == 'r' ? &v->reject : &v->plusarg) = lad_strdup(arena, value);
        return true;
    }
    if (!strcmp(key, "unchecked") || !strcmp(key, "vary")) {
        *(*key == 'u' ? &v->unchecked : &v->vary) = true;
        return true;
    }
    return false;
}

static bool read_head(struct lad_arena *arena, struct lad_vm_vector *v, char *line)
{
    char *word = strtok(line, " ");
    v->name = lad_strdup(arena, word);
    v->n = 1;
    v->text = "";
    while ((word = strtok(NULL, " "))) {
        char *value = strchr(word, '=');
        if (value)
            *value++ = 0;
        for (char *p = value; p && *p; p++) /* a reason has no blanks here */
            *p = *p == '_' ? ' ' : *p;
        if (!read_key(arena, v, word, value ? value : "")) {
            lad_error("%s:%d: vector %s: no such key as %s", v->file, v->line, v->name, word);
            return false;
        }
    }
    return v->name != NULL;
}

bool lad_vm_vectors_read(struct lad_arena *arena, const char *path, struct lad_vm_vectors *all)
{
    enum { TEXT, LOG, STATE } part = TEXT;
    struct lad_vm_vector *v = NULL;
    size_t bytes;
    char *text = lad_read_file(arena, path, 16 << 20, &bytes), *next;
    if (!text)
        return false;
    for (int n = 1; *text; text = next, n++) {
        size_t length = strcspn(text, "\n");
        next = text + length + (text[length] == '\n');
        char *line = lad_printf(arena, "%.*s", (int)length, text);
        if (!strncmp(line, "== ", 3)) {
            v = LAD_PUSH(arena, all->item, all->n);
            *v = (struct lad_vm_vector){.file = path, .line = n};
            part = TEXT;
            if (!read_head(arena, v, line + 3))
                return false;
        } else if (!v) {
            if (*line && *line != ';') {
                lad_error("%s:%d: expected '== NAME' first", path, n);
                return false;
            }
        } else if (!strcmp(line, "-- log")) {
            part = LOG;
            v->log = "";
        } else if (!strcmp(line, "-- state")) {
            part = STATE;
        } else if (part == STATE) {
            if (*line)
                *LAD_PUSH(arena, v->check, v->n_checks) = line;
        } else {
            const char **to = part == LOG ? &v->log : &v->text;
            if (*line || part == TEXT)
                *to = lad_printf(arena, "%s%s\n", *to, part == LOG && !strcmp(line, "~") ? "" : line);
        }
    }
    return true;
}

bool lad_vm_vectors_all(struct lad_arena *arena, const char *folder, struct lad_vm_vectors *all)
{
    glob_t found;
    bool ok = true;
    if (glob(lad_printf(arena, "%s/*.vec", folder), 0, NULL, &found)) {
        lad_error("%s: no .vec files", folder);
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc && ok; i++)
        ok = lad_vm_vectors_read(arena, lad_strdup(arena, found.gl_pathv[i]), all);
    globfree(&found);
    return ok;
}

/* ---- ways ------------------------------------------------------------------------------------------------------ */

size_t lad_vm_ways(const struct lad_vm_vector *v, struct lad_vm_way way[36])
{
    static const uint32_t counts[] = {1, 33}, slices[][3] = {{1024, 64, 32}, {1, 1, 1}, {7, 3, 2}};
    size_t n = 0;
    for (int binding = 0; binding < 3; binding++) {
        for (int shared = 0; shared < 2; shared++) {
            for (size_t c = 0; c < LAD_N(counts); c++) {
                for (size_t s = 0; s < (v->one_slice ? 1 : LAD_N(slices)); s++) {
                    struct lad_vm_way w = {
                        (enum lad_vm_binding)binding, shared, counts[c], slices[s][0], slices[s][1], slices[s][2]};
                    if (v->one_slice)
                        w = (struct lad_vm_way){w.binding, w.shared, w.count, v->steps, v->proc_steps, v->capacity};
                    if (w.capacity < v->capacity)
                        w.capacity = v->capacity;
                    way[n++] = w;
                }
            }
        }
    }
    return n;
}

void lad_vm_way_text(const struct lad_vm_way *w, char *text, size_t bytes)
{
    static const char *const bindings[] = {"direct", "table", "packed"};
    snprintf(text, bytes, "%s, %s, count %u, slice %u,%u,%u", bindings[w->binding], w->shared ? "shared" : "copies",
             w->count, w->steps, w->proc_steps, w->capacity);
}

/* ---- what must hold -------------------------------------------------------------------------------------------- */

struct outcome {
    const struct lad_vm_image *image;
    uint32_t gid;
    uint64_t launches;
    struct lad_vm_why *why;
    const char *line;
};

static bool differs(const struct outcome *o, const char *got)
{
    return lad_vm_because(o->why, "instance %u: expected %s, got %s", o->gid, o->line, got);
}

static bool check_number(const struct outcome *o, uint64_t want, uint64_t got)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)got);
    return want == got || differs(o, text);
}

static bool same_number(const char *word, uint32_t n)
{
    return n == VM_NONE ? !strcmp(word, "none")
                        : (uint32_t)strtoul(word, NULL, 0) == n && isdigit((unsigned char)*word);
}

static bool check_error(const struct outcome *o)
{
    char name[32] = "", pid[16] = "", ip[16] = "", got[80];
    uint32_t error = *LAD_VM_U32(o->image, error, o->gid), p = *LAD_VM_U32(o->image, error_pid, o->gid);
    uint32_t at = *LAD_VM_U32(o->image, error_ip, o->gid), status = *LAD_VM_U32(o->image, status, o->gid);
    sscanf(o->line, "error %31s %15s %15s", name, pid, ip);
    snprintf(got, sizeof got, "status %s, error %s %d %d", lad_vm_status_name(status), lad_vm_error_name(error), (int)p,
             (int)at);
    return (status == VM_ERROR_STATUS && !strcmp(name, lad_vm_error_name(error)) && same_number(pid, p) &&
            same_number(ip, at)) ||
           differs(o, got);
}

static int find_signal(const struct lad_vm_program *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_sigs; i++)
        if (!strcmp(lad_vm_name(p, p->sigs[i].name), name))
            return (int)i;
    return -1;
}

static bool check_signal(const struct outcome *o, const char *name, const char *value)
{
    struct lad_vm_literal l;
    const char *end;
    char base[80], got[300];
    snprintf(base, sizeof base, "%.*s", (int)strcspn(name, "["), name);
    const char *bracket = strchr(name, '[');
    int i = find_signal(o->image->program, base);
    uint32_t element = bracket ? (uint32_t)strtoul(bracket + 1, NULL, 0) : 0;
    uint64_t val, xz;
    if (i < 0 || lad_vm_literal(value, &end, &l) || *end || element >= o->image->program->sigs[i].array_size)
        return lad_vm_because(o->why, "the vector itself is wrong: %s", o->line);
    lad_vm_signal_get(o->image, o->gid, (uint32_t)i, element, &val, &xz);
    struct lad_vm_text t = {0};
    uint32_t width = o->image->program->sigs[i].width;
    lad_vm_digits(&t, val, xz, width, xz ? 1 : 4, false);
    snprintf(got, sizeof got, "%u'%c%s", width, xz ? 'b' : 'h', t.text);
    free(t.text);
    return (val == l.val[0] && xz == l.xz[0] && l.width == width) || differs(o, got);
}

static bool check_process(const struct outcome *o, uint32_t pid, const char *want)
{
    static const char *const states[] = {"ready", "blocked", "done"};
    uint32_t state = LAD_VM_U32(o->image, state, o->gid)[pid], kind = LAD_VM_U32(o->image, wait_kind, o->gid)[pid];
    char got[40];
    snprintf(got, sizeof got, state == VM_BLOCKED ? "%s %s" : "%s", states[state % 3], lad_vm_wait_name(kind));
    return !strcmp(got, want) || differs(o, got);
}

static bool check_cond(const struct outcome *o, uint32_t pid, uint32_t cond, const char *want)
{
    const struct lad_vm_program *p = o->image->program;
    size_t at = ((size_t)o->gid * p->n_proc + pid) * p->n_cond + cond;
    const uint32_t *val = o->image->tables.table[3], *xz = o->image->tables.table[4];
    const char *got = cond >= p->n_cond ? "none" : xz[at] ? (val[at] ? "both" : "x") : val[at] ? "1" : "0";
    return !strcmp(want, got) || differs(o, got);
}

static bool check_counter(const struct outcome *o, const char *name, uint64_t want, bool *known)
{
    *known = true;
    if (!strcmp(name, "nba"))
        return check_number(o, want, *LAD_VM_U32(o->image, nba_count, o->gid));
    if (!strcmp(name, "dnba"))
        return check_number(o, want, *LAD_VM_U32(o->image, dnba_count, o->gid));
    if (!strcmp(name, "launches"))
        return check_number(o, want, o->launches);
    if (!strcmp(name, "tail"))
        return check_number(o, want, *lad_vm_ring_tail(o->image, o->gid));
    *known = false;
    return true;
}

static bool check_line(const struct outcome *o)
{
    const struct lad_vm_program *p = o->image->program;
    char name[80], value[200];
    unsigned a, b;
    unsigned long long n;
    bool known;
    if (sscanf(o->line, "status %79s", name) == 1)
        return !strcmp(name, lad_vm_status_name(*LAD_VM_U32(o->image, status, o->gid))) ||
               differs(o, lad_vm_status_name(*LAD_VM_U32(o->image, status, o->gid)));
    if (sscanf(o->line, "time %llu", &n) == 1)
        return check_number(o, n, *LAD_VM_U64(o->image, time, o->gid));
    if (!strncmp(o->line, "error ", 6))
        return check_error(o);
    if (sscanf(o->line, "cond %u %u = %79s", &a, &b, name) == 3)
        return check_cond(o, a, b, name);
    if (sscanf(o->line, "sp %u = %llu", &a, &n) == 2)
        return check_number(o, n, ((const uint32_t *)o->image->tables.table[8])[(size_t)o->gid * p->n_proc + a]);
    if (sscanf(o->line, "frame %u %u = %llu", &a, &b, &n) == 3)
        return check_number(
            o, n,
            ((const uint32_t *)o->image->tables
                 .table[9])[(((size_t)o->gid * p->n_proc + a) * p->parm[VM_PARM_DEPTH] + b) * VM_FRAME_WORDS]);
    if (sscanf(o->line, "%79s = %199[^\n]", name, value) != 2)
        return lad_vm_because(o->why, "the vector itself is wrong: %s", o->line);
    if (sscanf(name, "p%u", &a) == 1 && a < p->n_proc && find_signal(p, name) < 0)
        return check_process(o, a, value);
    bool held = check_counter(o, name, strtoull(value, NULL, 0), &known);
    return known ? held : check_signal(o, name, value);
}

static bool check_outcome(const struct lad_vm_vector *v, const struct lad_vm_host *host, uint64_t launches,
                          struct lad_vm_why *why)
{
    struct outcome o = {.image = host->image, .launches = launches, .why = why};
    uint32_t n = v->vary ? 1 : host->image->shape.count;
    for (o.gid = 0; o.gid < n; o.gid++) {
        bool said = v->most_launches != 0;
        for (size_t i = 0; i < v->n_checks; i++) {
            o.line = v->check[i];
            said |= !strncmp(o.line, "status", 6) || !strncmp(o.line, "error", 5);
            if (!check_line(&o))
                return false;
        }
        o.line = "status finished";
        if (!said && !check_line(&o))
            return false;
        const char *log = host->log[o.gid].text ? host->log[o.gid].text : "";
        if (v->log && strcmp(v->log, log))
            return lad_vm_because(why, "instance %u: the log is '%.90s', expected '%.90s'", o.gid, log, v->log);
    }
    return lad_vm_guards_hold(host->image, why);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

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
static void meddle(const struct lad_vm_vector *v, struct lad_vm_image *image, uint64_t launch)
{
    for (uint32_t g = 0; g < image->shape.count; g++) {
        if (v->halt_launch == launch)
            *LAD_VM_U32(image, halt_mode, g) = v->halt_mode;
        if (v->ring && launch == 2)
            *lad_vm_ring_tail(image, g) = *lad_vm_ring_head(image, g) = v->ring;
    }
}

/* Lets stopped instances go on where the vector says so. */
static bool is_over(const struct lad_vm_image *image, uint32_t *resumes)
{
    if (!lad_vm_over(image))
        return false;
    for (uint32_t g = 0; g < image->shape.count; g++) {
        if (*resumes && *LAD_VM_U32(image, status, g) == VM_STOPPED) {
            --*resumes;
            for (uint32_t k = 0; k < image->shape.count; k++)
                if (*LAD_VM_U32(image, status, k) == VM_STOPPED)
                    *LAD_VM_U32(image, status, k) = VM_RUNNING;
            return false;
        }
    }
    return true;
}

static bool run_launches(const struct lad_vm_vector *v, struct lad_vm_host *host, const struct lad_vm_runner *runner,
                         uint64_t *launches, struct lad_vm_why *why)
{
    struct lad_vm_image *image = host->image;
    uint32_t resumes = v->resume;
    uint64_t deadline = lad_now_ns() + MOST_SECONDS * 1000000000ull;
    for (*launches = 0; !is_over(image, &resumes);) {
        if (v->most_launches && *launches == v->most_launches)
            return true;
        if (lad_now_ns() > deadline)
            return lad_vm_because(why, "not over after %u s and %llu launches", MOST_SECONDS,
                                  (unsigned long long)*launches);
        ++*launches;
        meddle(v, image, *launches);
        uint32_t *steps = &image->params[VM_P_MAX_STEPS], usual = *steps;
        if (v->ring && *launches == 1)
            *steps = 0; /* only initialises, so that the counters can be set */
        bool ok = true;
        if (runner->launch)
            ok = runner->launch(runner->arg, image, why);
        else
            lad_vm_launch_reference(image);
        *steps = usual;
        if (!ok)
            return false;
        lad_vm_drain(host);
    }
    return true;
}

static bool run_loaded(const struct lad_vm_vector *v, const struct lad_vm_program *p, const struct lad_vm_way *way,
                       const struct lad_vm_runner *runner, struct lad_vm_why *why)
{
    struct lad_vm_shape shape = {.count = way->count,
                                 .max_steps = way->steps,
                                 .max_proc_steps = way->proc_steps,
                                 .capacity = way->capacity,
                                 .shared = way->shared,
                                 .binding = way->binding,
                                 .debug = true};
    struct lad_vm_image *image = lad_vm_image_create(p, &shape, why);
    const char *plusargs[] = {v->plusarg, NULL};
    char folder[256];
    uint64_t launches = 0;
    if (!image)
        return false;
    struct lad_vm_host *host = lad_vm_host_create(image);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(v->file, '/') ? strrchr(v->file, '/') - v->file : 1),
             strrchr(v->file, '/') ? v->file : ".");
    host->plusargs = plusargs;
    host->folder = folder;
    host->quiet = true;
    if (v->vary)
        vary(image);
    bool ok = !runner->open || runner->open(runner->arg, image, why);
    if (ok) {
        ok = run_launches(v, host, runner, &launches, why) && check_outcome(v, host, launches, why);
        if (runner->close)
            runner->close(runner->arg, image);
    }
    lad_vm_host_destroy(&host);
    lad_vm_image_destroy(&image);
    return ok;
}

bool lad_vm_vector_run(const struct lad_vm_vector *v, const struct lad_vm_way *way, const struct lad_vm_runner *runner,
                       struct lad_vm_why *why)
{
    static const struct lad_vm_runner reference;
    struct lad_arena *arena = lad_arena_create();
    struct lad_vm_program p;
    *why = (struct lad_vm_why){""};
    bool ok = lad_vm_assemble(arena, v->text, v->name, &p, why);
    enum lad_vm_verdict verdict = ok ? lad_vm_check(&p, v->unchecked, why) : LAD_VM_REJECTED;
    if (v->reject) {
        struct lad_vm_why said = *why;
        ok = verdict == LAD_VM_REJECTED && strstr(said.text, v->reject);
        if (!ok)
            lad_vm_because(why, "expected to be refused because of '%.80s', the loader says '%.120s'", v->reject,
                           verdict == LAD_VM_REJECTED ? said.text : "it is good");
    } else {
        ok = verdict == LAD_VM_GOOD && run_loaded(v, &p, way, runner ? runner : &reference, why);
    }
    lad_arena_destroy(&arena);
    return ok;
}
