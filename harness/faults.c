/* SPDX-License-Identifier: Apache-2.0 */
/* Faults as the command line asks for them: checked, told to the workers, and, where they live in a layer, put between
 * loader and driver by the loaders' own environment variables. */
#include "../backends/layers/inject.h"
#include "lab.h"
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
const char *lad_layers_find(struct lad_arena *arena)
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
        if (!access(lad_printf(arena, "%s/" LAD_CL_LAYER, dir), R_OK))
            return dir;
    }
    return NULL;
}

static const char *put_first(struct lad_arena *arena, const char *name, const char *value)
{
    const char *had = getenv(name);
    return lad_printf(arena, had && *had ? "%s=%s:%s" : "%s=%s", name, value, had);
}

const char **lad_layer_env(struct lad_arena *arena, const char *api, const char *faults)
{
    const char **set = lad_alloc(arena, 4 * sizeof *set), *dir = lad_layers_find(arena);
    if (!dir) {
        lad_error("%s: the layers of faults are neither beside this program nor in ../lib/gpuladder", faults);
        return NULL;
    }
    set[0] = lad_printf(arena, "GPULADDER_FAULT=%s", faults);
    if (!strcmp(api, "vk")) {
        set[1] = put_first(arena, "VK_ADD_LAYER_PATH", dir);
        set[2] = put_first(arena, "VK_INSTANCE_LAYERS", LAD_VK_LAYER);
    } else {
        set[1] = put_first(arena, "OPENCL_LAYERS", lad_printf(arena, "%s/" LAD_CL_LAYER, dir));
    }
    return set;
}

bool lad_faults_prepare(struct lad_arena *arena, const struct lad_options *o)
{
    static const char *const apis[] = {NULL, "vk", "cl"};
    struct lad_injection set = {0};
    char why[400];
    const char *layered = NULL;
    bool used[LAD_N(apis)] = {false};
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
    for (size_t i = 1; i < LAD_N(apis); i++) {
        const char **env = used[i] ? lad_layer_env(arena, apis[i], layered) : NULL;
        if (used[i] && !env)
            return false;
        for (; env && *env; env++) {
            char *name = lad_strdup(arena, *env), *value = strchr(name, '=');
            *value++ = 0;
            setenv(name, value, 1);
        }
    }
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
