/* SPDX-License-Identifier: Apache-2.0 */
/* The program: parse, find the command, run it. Workers are the same executable with another first word. */
#include "harness.h"
#include <errno.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "__worker"))
        return lad_worker_main(argc, argv);

    struct lad_arena *arena = lad_arena_create();
    struct lad_options options;
    int status;
    if (lad_options_parse(arena, argc, argv, &options, &status))
        status = lad_command_find(options.verb)->run(arena, &options);
    errno = 0;
    if (fflush(stdout) || ferror(stdout)) {
        lad_error("standard output: cannot write: %s", errno ? strerror(errno) : "an earlier write failed");
        status = LAD_EXIT_HARNESS;
    }
    lad_arena_destroy(&arena);
    return status;
}
