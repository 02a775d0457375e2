/* SPDX-License-Identifier: Apache-2.0 */
/* What the system's kernel said of a graphics driver while a case ran: a reset, a fault, a hang. Evidence where it can
 * be read, and no trouble where it cannot. */
#include "lab.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MOST_LINES = 8 };

/* Words by which drivers name themselves, or their trouble. */
static const char *const drivers[] = {"NVRM",     "nvidia",  "nouveau", "amdgpu", "amdkfd", "radeon",   "i915", "xe ",
                                      "panfrost", "panthor", "adreno",  "msm_",   "v3d",    "lavapipe", "drm",  "GPU"};

static bool names_driver(const char *line)
{
    for (size_t i = 0; i < LAD_N(drivers); i++)
        if (strstr(line, drivers[i]))
            return true;
    return false;
}

/* A device lost over an address does not hang: words for such faults, of the drivers of NVIDIA, AMD and Intel. */
static bool names_fault(const char *line)
{
    static const char *const faults[] = {"MMU Fault", "page fault", "PROTECTION_FAULT", "VM fault"};
    for (size_t i = 0; i < LAD_N(faults); i++)
        if (strcasestr(line, faults[i]))
            return true;
    return false;
}

/* "6,1234,56789012,-;text" of /dev/kmsg or "[   56.789012] text" of dmesg: the text and its microseconds since boot. */
static const char *parse(const char *line, uint64_t *us)
{
    unsigned long long stamp;
    double seconds;
    const char *text;
    if (sscanf(line, "%*u,%*u,%llu,", &stamp) == 1 && (text = strchr(line, ';'))) {
        *us = stamp;
        return text + 1;
    }
    if (sscanf(line, "[ %lf]", &seconds) == 1 && (text = strchr(line, ']'))) {
        *us = (uint64_t)(seconds * 1e6);
        return text + 1 + (text[1] == ' ');
    }
    return NULL;
}

static void take(struct lad_arena *arena, struct lad_record *r, char *line, uint64_t since_us, size_t *n)
{
    uint64_t us = 0;
    line[strcspn(line, "\n")] = 0;
    const char *text = parse(line, &us);
    if (!text || us < since_us || !names_driver(text) || (*n)++ >= MOST_LINES)
        return;
    *LAD_PUSH(arena, r->messages, r->n_messages) = lad_printf(arena, "kernel log: %.300s", text);
    lad_observe(arena, r, LAD_OBS_KERNEL_LOG, lad_printf(arena, "%.120s", text), 0);
    if (names_fault(text))
        lad_observe(arena, r, LAD_OBS_KERNEL_FAULT, lad_printf(arena, "%.120s", text), 0);
}

void lad_kernel_log(struct lad_arena *arena, struct lad_record *r, uint64_t since_ns)
{
    const char *own = getenv("GPULADDER_KERNEL_LOG");
    int fd = open(own && *own ? own : "/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    uint64_t since_us = since_ns / 1000 > 1000000 ? since_ns / 1000 - 1000000 : 0; /* its clock is not quite ours */
    char record[8192];
    size_t n = 0;
    ssize_t got = 0;
    while (fd >= 0 && ((got = read(fd, record, sizeof record - 1)) > 0 || (got < 0 && errno == EPIPE))) {
        if (got < 0)
            continue; /* overwritten while we read */
        record[got] = 0;
        char *save = NULL; /* a record each from the device, many lines from a file */
        for (char *line = strtok_r(record, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            take(arena, r, line, since_us, &n);
    }
    if (fd >= 0)
        close(fd);
}
