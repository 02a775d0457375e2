/* SPDX-License-Identifier: Apache-2.0 */
/* $readmemh and $readmemb: a text of digits into the elements of an array. */
#include "../registry.h"
#include "vm.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *p;
    bool hex;
};

/* Skips blanks and comments. */
static void skip(struct reader *r)
{
    for (;;) {
        r->p += strspn(r->p, " \t\r\n\f\v");
        if (r->p[0] == '/' && r->p[1] == '/') {
            r->p += strcspn(r->p, "\n");
        } else if (r->p[0] == '/' && r->p[1] == '*') {
            const char *end = strstr(r->p + 2, "*/");
            r->p = end ? end + 2 : r->p + strlen(r->p);
        } else {
            return;
        }
    }
}

static bool read_value(struct reader *r, uint64_t *val, uint64_t *xz)
{
    uint32_t bits = r->hex ? 4 : 1;
    const char *start = r->p;
    *val = *xz = 0;
    for (;; r->p++) {
        char c = (char)tolower((unsigned char)*r->p);
        uint64_t unknown = c == 'x' || c == 'z' || c == '?' ? (1u << bits) - 1 : 0, digit;
        if (c == '_')
            continue;
        if (!unknown && !(r->hex ? isxdigit((unsigned char)c) : c == '0' || c == '1'))
            return r->p > start;
        digit = c == 'x'                    ? unknown
                : unknown                   ? 0
                : isdigit((unsigned char)c) ? (uint64_t)(c - '0')
                                            : (uint64_t)(c - 'a') + 10;
        *val = *val << bits | digit;
        *xz = *xz << bits | unknown;
    }
}

static void fill(struct lad_vm_host *host, uint32_t gid, uint32_t signal, const char *text, bool hex, uint64_t start,
                 uint64_t finish)
{
    struct reader r = {text, hex};
    uint64_t at = start, val, xz, n = host->image->program->sigs[signal].array_size;
    bool down = start > finish, past = false;
    for (skip(&r); *r.p; skip(&r)) {
        if (*r.p == '@') {
            char *end;
            at = strtoull(r.p + 1, &end, 16);
            past = false;
            if (end == r.p + 1)
                return;
            r.p = end;
            continue;
        }
        if (!read_value(&r, &val, &xz))
            return; /* no digit of this base */
        if (!past && at < n && (down ? at <= start && at >= finish : at >= start && at <= finish))
            lad_vm_signal_set(host->image, gid, signal, (uint32_t)at, val, xz);
        past |= at == finish;
        at = down ? at - 1 : at + 1;
    }
}

static char *read_file(const struct lad_vm_host *host, const char *name)
{
    for (const struct lad_embedded *e = host->files; e && e->name; e++)
        if (!strcmp(e->name, name))
            return strdup((const char *)e->start);
    FILE *f = fopen(name, "rb");
    char *path = NULL, *text = NULL;
    size_t bytes = 0;
    if (!f && host->folder && *name != '/' && asprintf(&path, "%s/%s", host->folder, name) > 0)
        f = fopen(path, "rb");
    free(path);
    if (!f) {
        if (!host->quiet)
            lad_note("%s: cannot read: %s", name, strerror(errno));
        return NULL;
    }
    FILE *out = open_memstream(&text, &bytes);
    char part[4096];
    size_t n;
    while (out && (n = fread(part, 1, sizeof part, f)) > 0 && bytes < 1u << 30)
        fwrite(part, 1, n, out);
    if (out)
        fclose(out);
    fclose(f);
    return text;
}

void lad_vm_readmem(struct lad_vm_host *host, uint32_t gid, const struct lad_vm_call *c)
{
    const struct lad_vm_program *p = host->image->program;
    uint32_t n, signal = 0;
    const char *name = lad_vm_string(p, c->format, &n);
    if (!c->n || (c->arg[0].kind & 0xFF) != VM_ARG_IDENT)
        return;
    while (signal < p->n_sigs && p->sigs[signal].name != (uint32_t)c->arg[0].val)
        signal++;
    if (signal == p->n_sigs)
        return;
    char *path = strndup(name, n), *text = path ? read_file(host, path) : NULL;
    uint64_t start = c->n > 1 ? c->arg[1].val : 0, finish = c->n > 2 ? c->arg[2].val : p->sigs[signal].array_size - 1;
    if (text)
        fill(host, gid, signal, text, c->kind == VM_SERVICE_READMEMH, start, finish);
    free(text);
    free(path);
}
