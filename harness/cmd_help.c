/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder help: texts of manual.c on standard output. */
#include "harness.h"

static int run(struct lad_arena *arena, const struct lad_options *options)
{
    (void)arena;
    if (options->man) {
        lad_manual(stdout);
    } else if (options->completion) {
        lad_completion(stdout);
    } else if (!*options->args) {
        lad_help(stdout, NULL);
    } else {
        for (const char **name = options->args; *name; name++) {
            const struct lad_command *command = lad_command_find(*name);
            if (!command || !command->summary) {
                lad_error("help: no command '%s'; 'gpuladder help' lists them", *name);
                return LAD_EXIT_USAGE;
            }
            lad_help(stdout, *name);
        }
    }
    return LAD_EXIT_OK;
}

const struct lad_command lad_command_help = {"help", "explain a command and its options", "[COMMAND...]", run,
                                             "With --man the manual page, with --completion the completion for bash; "
                                             "both are made from the same tables as the parser."};
