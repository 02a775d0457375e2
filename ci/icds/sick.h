/* SPDX-License-Identifier: Apache-2.0 */
/* Which defects a driver of ci/faults/drivers.sh has. */
#include <stdlib.h>
#include <string.h>

/* Is the defect among those that GPULADDER_SICK names, blank-separated? */
static int sick(const char *name)
{
    const char *list = getenv("GPULADDER_SICK");
    size_t length = strlen(name);
    while (list && *list) {
        size_t n = strcspn(list, " ");
        if (n == length && !strncmp(list, name, n))
            return 1;
        list += n + strspn(list + n, " ");
    }
    return 0;
}
