/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the programs of ci/tests/forms.sh: STEP=FORM ..., the first argument apart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_args;
static char **args;

/* The form of a step: the place of what was asked for in "first|second|...". */
static int form(const char *step, const char *forms)
{
    size_t n = strlen(step);
    const char *value = NULL;
    for (int i = 2; i < n_args; i++)
        if (!strncmp(args[i], step, n) && args[i][n] == '=')
            value = args[i] + n + 1;
    for (int k = 0; value; k++) {
        size_t bytes = strcspn(forms, "|");
        if (strlen(value) == bytes && !strncmp(value, forms, bytes))
            return k;
        if (!forms[bytes]) {
            fprintf(stderr, "%s: %s: no form '%s'\n", args[0], step, value);
            exit(2);
        }
        forms += bytes + 1;
    }
    return 0;
}
