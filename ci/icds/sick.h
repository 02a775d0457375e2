/* SPDX-License-Identifier: Apache-2.0 */
/* Which defects a driver of ci/faults/drivers.sh has, and which driver is behind it. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The library that the environment variable names, else the usual one; NULL when it is not there. */
static void *real_driver(const char *variable, const char *usual)
{
    const char *name = getenv(variable);
    return dlopen(name && *name ? name : usual, RTLD_NOW | RTLD_LOCAL);
}

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
