/* SPDX-License-Identifier: Apache-2.0 */
/* A program by its name: a program file, assembly text, one of the built-in workload, or a built-in example. */
#include "../registry.h"
#include "vm.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30 };

static bool read_pico(struct lad_arena *arena, const char *number, struct lad_vm_program *p, struct lad_vm_why *why)
{
    char *end;
    unsigned long n = strtoul(number, &end, 10);
    if (!isdigit((unsigned char)*number) || *end || n < 4 || n > 20000)
        return lad_vm_because(why, "pico:%.20s: expected a number of processes from 4 to 20000", number);
    return lad_vm_assemble(arena, lad_vm_pico(arena, (unsigned)n), "pico", p, why);
}

static bool read_any(struct lad_arena *arena, const char *name, struct lad_vm_program *p, struct lad_vm_why *why)
{
    size_t bytes;
    if (!strncmp(name, "pico:", 5))
        return read_pico(arena, name + 5, p, why);
    for (const struct lad_embedded *e = lad_vm_programs; e->name; e++)
        if (!strcmp(e->name, name))
            return lad_vm_assemble(arena, (const char *)e->start, name, p, why);
    char *text = lad_read_file(arena, name, MOST_BYTES, &bytes);
    if (!text)
        return false;
    if (bytes >= 4 && !memcmp(text, "SVMP", 4)) {
        struct lad_vm_why flaw;
        return lad_vm_read(arena, text, bytes, p, &flaw) || lad_vm_because(why, "%.80s: %s", name, flaw.text);
    }
    if (memchr(text, 0, bytes))
        return lad_vm_because(why, "%.80s: neither a program file nor assembly text", name);
    return lad_vm_assemble(arena, text, name, p, why);
}

enum lad_vm_verdict lad_vm_load(struct lad_arena *arena, const char *name, bool unchecked, struct lad_vm_program *p,
                                struct lad_vm_why *why)
{
    *why = (struct lad_vm_why){""};
    if (!read_any(arena, name, p, why))
        return LAD_VM_REJECTED;
    struct lad_vm_why flaw;
    enum lad_vm_verdict verdict = lad_vm_check(p, unchecked, &flaw);
    if (verdict != LAD_VM_GOOD)
        lad_vm_because(why, "%.80s: %s", name, flaw.text);
    return verdict;
}
