/* SPDX-License-Identifier: Apache-2.0 */
/* Icarus Verilog as a second opinion, for tests only. It holds code because each test is a program of its own. */
#ifndef LAD_VM_ICARUS_H
#define LAD_VM_ICARUS_H

#include "vm.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool icarus_there(void)
{
    return system("command -v iverilog >/dev/null 2>&1 && command -v vvp >/dev/null 2>&1") == 0;
}

/* What the simulator prints for this Verilog, or NULL. The dump, if it writes one, is in dir. */
static inline char *icarus_run(struct lad_arena *arena, const char *dir, const char *verilog)
{
    char *source = lad_printf(arena, "%s/twin.v", dir), *text = NULL;
    FILE *f = fopen(source, "w"), *out;
    size_t bytes = 0, n;
    char part[4096];
    if (!f || fputs(verilog, f) < 0 || fclose(f))
        return NULL;
    char *command = lad_printf(
        arena, "cd '%s' && { iverilog -g2005 -o twin.vvp twin.v && timeout 60 vvp -n twin.vvp; } 2>twin.err", dir);
    FILE *in = popen(command, "r");
    if (!in || !(out = open_memstream(&text, &bytes)))
        return NULL;
    while ((n = fread(part, 1, sizeof part, in)) > 0)
        fwrite(part, 1, n, out);
    fclose(out);
    char *copy = pclose(in) == 0 ? lad_strdup(arena, text) : NULL;
    free(text);
    return copy;
}

#endif
