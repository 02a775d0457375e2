/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder __complete KIND...: names for the shell's completion, one a line; hidden. */
#include "harness.h"
#include <string.h>

enum { DRIVERS_MS = 3000 }; /* a user waits at the prompt */

static void print_devices(struct lad_arena *arena)
{
    struct lad_inventory inventory = {0};
    if (!lad_inventory_take(arena, NULL, DRIVERS_MS, &inventory))
        return;
    for (size_t i = 0; i < inventory.n_devices; i++)
        printf("%s\n%s\n", inventory.device[i].spec, inventory.device[i].slug);
    lad_inventory_release();
}

static void print_cases(struct lad_arena *arena)
{
    struct lad_cases cases = {0};
    if (!lad_case_builtin(arena, &cases))
        return;
    for (size_t i = 0; i < cases.n; i++)
        puts(cases.item[i].id);
}

static int run(struct lad_arena *arena, const struct lad_options *options)
{
    for (const char **kind = options->args; *kind; kind++) {
        if (!strcmp(*kind, "commands")) {
            for (const struct lad_command *const *c = lad_commands; *c; c++)
                if ((*c)->summary)
                    puts((*c)->name);
        } else if (!strcmp(*kind, "rungs")) {
            for (int i = 0; i < lad_n_rungs; i++)
                puts(lad_rungs[i].name);
        } else if (!strcmp(*kind, "classes")) {
            for (int i = 0; i < lad_n_classes; i++)
                puts(lad_classes[i].id);
        } else if (!strcmp(*kind, "cases")) {
            print_cases(arena);
        } else if (!strcmp(*kind, "devices")) {
            print_devices(arena);
        } else {
            return LAD_EXIT_USAGE;
        }
    }
    return LAD_EXIT_OK;
}

const struct lad_command lad_command_complete = {"__complete", NULL, "KIND...", run, NULL};
