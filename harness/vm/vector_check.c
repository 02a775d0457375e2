/* SPDX-License-Identifier: Apache-2.0 */
/* What came out of a vector's run, held against its lines. */
#include "vector.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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
    if (!strcmp(name, "instructions"))
        return check_number(o, want, *LAD_VM_U64(o->image, instr_count, o->gid));
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

/* NUL bytes stand as \0 in what is expected. */
static bool check_log(const struct outcome *o, const char *want, const struct lad_vm_text *log)
{
    struct lad_vm_text got = {0};
    for (size_t i = 0; i < log->n; i++)
        lad_vm_text_add(&got, log->text[i] ? &log->text[i] : "\\0", log->text[i] ? 1 : 2);
    lad_vm_text_add(&got, "", 0);
    bool same = !want || !strcmp(want, got.text);
    if (!same)
        lad_vm_because(o->why, "instance %u: the log is '%.90s', expected '%.90s'", o->gid, got.text, want);
    free(got.text);
    return same;
}

bool lad_vm_vector_check(const struct lad_vm_vector *v, const struct lad_vm_host *host, uint64_t launches,
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
        if (!check_log(&o, o.gid && v->others ? v->others : v->log, &host->log[o.gid]))
            return false;
    }
    return lad_vm_guards_hold(host->image, why);
}
