/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder version: of the program, and of what it was built with. */
#include "harness.h"
#include <libxml/xmlversion.h>
#include <zlib.h>

static int run(struct lad_arena *arena, const struct lad_options *options)
{
    size_t n_kernels = 0;
    struct lad_cases cases = {0};
    printf("gpuladder %s\n", LAD_VERSION);
    if (lad_verbosity < 1)
        return LAD_EXIT_OK;
    while (lad_kernels[n_kernels])
        n_kernels++;
    if (!lad_case_builtin(arena, &cases))
        return LAD_EXIT_HARNESS;
    printf("cases    %zu, kernels %zu, rungs %d\nbackends", cases.n, n_kernels, lad_n_rungs);
    for (const struct lad_backend *const *b = lad_backends; *b; b++)
        printf(" %s", (*b)->name);
    printf("\nplugin   ABI %u\nbuilt    libxml2 %s, jansson %s, zlib %s\n", LAD_BACKEND_ABI, LIBXML_DOTTED_VERSION,
           JANSSON_VERSION, ZLIB_VERSION);
    (void)options;
    return LAD_EXIT_OK;
}

const struct lad_command lad_command_version = {"version", "print the version; with -v also what is built in", "", run,
                                                NULL};
