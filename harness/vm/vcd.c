/* SPDX-License-Identifier: Apache-2.0 */
/* Value-change dumps of the reference: the values at the end of each time step, as IEEE 1364 clause 18 writes them. */
#include "vm.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 1 << 16 };

struct lad_vm_vcd {
    FILE *out;
    char *path;
    struct lad_vm_image *image;
    uint32_t gid, n; /* variables: array elements count one by one */
    struct lad_vm_watch watch;
    uint64_t *val, *xz;
    bool begun;
};

static void put_id(FILE *out, uint32_t n)
{
    do {
        fputc('!' + (int)(n % 94), out);
        n /= 94;
    } while (n--);
}

static void put_value(FILE *out, uint64_t val, uint64_t xz, uint32_t width, uint32_t id)
{
    if (width > 1)
        fputc('b', out);
    for (uint32_t i = width; i--;) {
        unsigned v = val >> i & 1, x = xz >> i & 1;
        fputc(x ? "zx"[v] : "01"[v], out);
    }
    if (width > 1)
        fputc(' ', out);
    put_id(out, id);
    fputc('\n', out);
}

/* Variables in order; large memories are left out. */
static bool is_dumped(const struct lad_vm_sigs *s)
{
    return s->array_size <= MOST_ELEMENTS;
}

static void put_head(struct lad_vm_vcd *v)
{
    const struct lad_vm_program *p = v->image->program;
    static const char *const units[] = {"s", "ms", "us", "ns", "ps", "fs"};
    int32_t scale = (int32_t)p->parm[VM_PARM_TIMESCALE];
    uint32_t id = 0;
    scale = scale > 0 ? 0 : scale < -15 ? -15 : scale;
    int unit = (-scale + 2) / 3, ten = unit * 3 + scale;
    fprintf(v->out, "$version gpuladder %s $end\n$timescale %s%s $end\n$scope module top $end\n", LAD_VERSION,
            ten == 2 ? "100"
            : ten    ? "10"
                     : "1",
            units[unit]);
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        const struct lad_vm_sigs *s = &p->sigs[i];
        for (uint32_t e = 0; is_dumped(s) && e < s->array_size; e++) {
            fprintf(v->out, "$var %s %u ", s->flags & VM_SIGNAL_NET ? "wire" : "reg", s->width);
            put_id(v->out, id++);
            fprintf(v->out, " %s", lad_vm_name(p, s->name));
            if (s->array_size > 1)
                fprintf(v->out, "[%u]", e);
            if (s->width > 1)
                fprintf(v->out, " [%u:0]", s->width - 1);
            fputs(" $end\n", v->out);
        }
    }
    fputs("$upscope $end\n$enddefinitions $end\n", v->out);
}

static void dump(struct lad_vm_vcd *v, uint64_t time)
{
    const struct lad_vm_program *p = v->image->program;
    bool first = !v->begun, said = first;
    uint32_t id = 0;
    if (first)
        fprintf(v->out, "#%llu\n$dumpvars\n", (unsigned long long)time);
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        for (uint32_t e = 0; is_dumped(&p->sigs[i]) && e < p->sigs[i].array_size; e++, id++) {
            uint64_t val, xz;
            lad_vm_signal_get(v->image, v->gid, i, e, &val, &xz);
            if (!first && val == v->val[id] && xz == v->xz[id])
                continue;
            if (!said)
                fprintf(v->out, "#%llu\n", (unsigned long long)time);
            said = true;
            v->val[id] = val;
            v->xz[id] = xz;
            put_value(v->out, val, xz, p->sigs[i].width, id);
        }
    }
    if (first)
        fputs("$end\n", v->out);
    v->begun = true;
}

static void end_step(void *arg, uint32_t gid, uint64_t time)
{
    struct lad_vm_vcd *v = arg;
    if (gid == v->gid)
        dump(v, time);
}

struct lad_vm_vcd *lad_vm_vcd_open(const char *path, struct lad_vm_image *image, uint32_t gid)
{
    const struct lad_vm_program *p = image->program;
    struct lad_vm_vcd *v = calloc(1, sizeof *v);
    for (uint32_t i = 0; v && i < p->n_sigs; i++)
        v->n += is_dumped(&p->sigs[i]) ? p->sigs[i].array_size : 0;
    if (!v || !(v->val = calloc(v->n + 1, 8)) || !(v->xz = calloc(v->n + 1, 8)) || !(v->path = strdup(path)))
        abort();
    v->out = fopen(path, "w");
    if (!v->out) {
        lad_error("%s: cannot write: %s", path, strerror(errno));
        lad_vm_vcd_close(&v);
        return NULL;
    }
    v->image = image;
    v->gid = gid;
    put_head(v);
    v->watch = (struct lad_vm_watch){.step_end = end_step, .arg = v};
    image->companions.watch = &v->watch;
    return v;
}

bool lad_vm_vcd_close(struct lad_vm_vcd **vcd)
{
    struct lad_vm_vcd *v = *vcd;
    bool ok = v->out != NULL;
    if (ok) {
        dump(v, *LAD_VM_U64(v->image, time, v->gid));
        v->image->companions.watch = NULL;
        ok = !ferror(v->out);
        ok = !fclose(v->out) && ok;
        if (!ok)
            lad_error("%s: cannot write: %s", v->path, strerror(errno));
    }
    free(v->val);
    free(v->xz);
    free(v->path);
    free(v);
    *vcd = NULL;
    return ok;
}
