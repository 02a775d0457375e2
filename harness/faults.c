/* SPDX-License-Identifier: Apache-2.0 */
/* Faults as the command line asks for them: checked, told to the workers, and, where they live in a layer, put between
 * loader and driver by the loaders' own environment variables. */
#include "../backends/layers/inject.h"
#include "harness.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *lad_faults_text(struct lad_arena *arena, const struct lad_options *o)
{
    const char *text = NULL;
    for (const char **spec = o->inject; *spec; spec++)
        text = text ? lad_printf(arena, "%s;%s", text, *spec) : *spec;
    return text;
}

/* Beside the program where it was built, or where it was installed. */
static const char *find_layers(struct lad_arena *arena)
{
    static const char *const places[] = {"layers", "../lib/gpuladder"};
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; i < LAD_N(places); i++) {
        const char *dir = lad_printf(arena, "%s/%s", exe, places[i]);
        if (!access(lad_printf(arena, "%s/libgpuladder_fault_cl.so", dir), R_OK))
            return dir;
    }
    return NULL;
}

static void put_first(struct lad_arena *arena, const char *name, const char *value)
{
    const char *had = getenv(name);
    setenv(name, had && *had ? lad_printf(arena, "%s:%s", value, had) : value, 1);
}

bool lad_faults_prepare(struct lad_arena *arena, const struct lad_options *o)
{
    struct lad_injection set = {0};
    char why[400];
    const char *layered = NULL, *dir = NULL;
    bool used[3] = {false};
    for (const char **spec = o->inject; *spec; spec++) {
        if (strchr(*spec, ';') || !lad_inject_add(&set, *spec, why, sizeof why)) {
            lad_error("--inject %s: %s", *spec, strchr(*spec, ';') ? "one fault at a time" : why);
            return false;
        }
        enum lad_depth depth = lad_faults[set.item[set.n - 1].id].depth;
        used[depth] = true;
        if (depth != LAD_DEPTH_DECORATOR)
            layered = layered ? lad_printf(arena, "%s;%s", layered, *spec) : *spec;
    }
    if (!layered)
        return true;
    if (!(dir = find_layers(arena))) {
        lad_error("--inject %s: its layer is neither beside this program nor in ../lib/gpuladder", layered);
        return false;
    }
    setenv("GPULADDER_FAULT", layered, 1);
    if (used[LAD_DEPTH_VULKAN]) {
        put_first(arena, "VK_ADD_LAYER_PATH", dir);
        put_first(arena, "VK_INSTANCE_LAYERS", "VK_LAYER_GPULADDER_fault");
    }
    if (used[LAD_DEPTH_OPENCL])
        put_first(arena, "OPENCL_LAYERS", lad_printf(arena, "%s/libgpuladder_fault_cl.so", dir));
    return true;
}

void lad_faults_list(void)
{
    for (int i = 0, depth = -1; i < LAD_FAULT_COUNT; i++) {
        const struct lad_fault *f = &lad_faults[i];
        char name[64];
        lad_fault_name((enum lad_fault_id)i, name, sizeof name);
        if (lad_verbosity < 0) {
            puts(name);
            continue;
        }
        if ((int)f->depth != depth)
            printf("%s%s\n", i ? "\n" : "", lad_depth_name(f->depth));
        depth = (int)f->depth;
        printf("  %-28s ", name);
        lad_wrap(stdout, f->what, 31, 31);
        printf("%31s%s, at %s%s%s\n", "", f->effect, f->call, *f->params ? "; " : "", f->params);
    }
    if (lad_verbosity >= 0)
        printf("\n%d faults; each also takes %s\n", LAD_FAULT_COUNT, lad_fault_params);
}
