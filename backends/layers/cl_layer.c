/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenCL layer with the faults of faults.def that reach a driver, for any program: OPENCL_LAYERS names this file,
 * GPULADDER_FAULT=CAUSE.name[:key=number,...][;...] switches faults on, GPULADDER_MODE=shadow,reorder makes it a driver
 * that is hostile within the specification: mappings are copies, the program's own memory is only looked at when it is
 * mapped and unmapped, and nothing runs before it must, the last queue first. Events always come to an end. Counts
 * start anew with each context.
 */
#include "cl_fault.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct layer layer = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
const struct _cl_icd_dispatch *to;

struct lad_inject *step(enum lad_fault_id id, struct lad_at at)
{
    pthread_mutex_lock(&layer.lock);
    struct lad_inject *f = lad_inject_step(&layer.set, id, at);
    pthread_mutex_unlock(&layer.lock);
    return f;
}

static void read_environment(void)
{
    const char *faults = getenv("GPULADDER_FAULT"), *mode = getenv("GPULADDER_MODE");
    char why[400];
    if (faults && !lad_inject_add_all(&layer.set, faults, why, sizeof why))
        fprintf(stderr, "gpuladder fault layer: %s\n", why);
    for (size_t i = 0; i < layer.set.n; i++) {
        const struct lad_fault *f = &lad_faults[layer.set.item[i].id];
        if (f->depth != LAD_DEPTH_OPENCL)
            continue;
        layer.shadow |=
            !strcmp(f->id, "A2") || !strcmp(f->id, "A3") || !strcmp(f->id, "S2") || !strcmp(f->name, "cl_stale_layer");
        layer.reorder |= !strcmp(f->id, "S4") || !strcmp(f->id, "S1") || !strcmp(f->id, "M2");
        layer.early |= !strcmp(f->id, "S1");
        layer.building |= strstr(f->call, "clBuildProgram") != NULL;
    }
    layer.shadow |= mode && strstr(mode, "shadow");
    layer.reorder |= mode && strstr(mode, "reorder");
    layer.layers_off = getenv("VK_LOADER_LAYERS_DISABLE");
    layer.keep = mode && strstr(mode, "keep");
}

static cl_int CL_API_CALL GetDeviceIDs(cl_platform_id p, cl_device_type type, cl_uint room, cl_device_id *list,
                                       cl_uint *n)
{
    cl_uint have = 0;
    cl_int rc = to->clGetDeviceIDs(p, type, room, list, &have);
    if (rc == CL_SUCCESS && have && !layer.layers_off && lad_inject_on(&layer.set, LAD_FAULT_E1_cl_hidden_device))
        have--;
    if (n)
        *n = have;
    return rc == CL_SUCCESS && !have ? CL_DEVICE_NOT_FOUND : rc;
}

static void begin_context(void)
{
    pthread_mutex_lock(&layer.lock);
    lad_inject_reset(&layer.set);
    layer.n_buffers = layer.n_launches = 0;
    layer.dead = false;
    forget_programs();
    pthread_mutex_unlock(&layer.lock);
}

static cl_context CL_API_CALL CreateContext(const cl_context_properties *p, cl_uint n, const cl_device_id *list,
                                            void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                                            void *arg, cl_int *rc)
{
    begin_context();
    return to->clCreateContext(p, n, list, notify, arg, rc);
}

static cl_context CL_API_CALL CreateContextFromType(const cl_context_properties *p, cl_device_type type,
                                                    void(CL_CALLBACK *notify)(const char *, const void *, size_t,
                                                                              void *),
                                                    void *arg, cl_int *rc)
{
    begin_context();
    return to->clCreateContextFromType(p, type, notify, arg, rc);
}

static struct _cl_icd_dispatch table; /* what it leaves NULL goes straight down */

EXPORT uint64_t gpuladder_faults_struck(void);
EXPORT uint64_t gpuladder_faults_struck(void)
{
    return lad_inject_struck();
}

EXPORT CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t room, void *value, size_t *bytes)
{
    static const char name[] = "gpuladder faults";
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    const void *from = what == CL_LAYER_NAME ? (const void *)name : &version;
    size_t n = what == CL_LAYER_NAME ? sizeof name : sizeof version;
    if (what != CL_LAYER_NAME && what != CL_LAYER_API_VERSION)
        return CL_INVALID_VALUE;
    if (value && room < n)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, from, n);
    if (bytes)
        *bytes = n;
    return CL_SUCCESS;
}

EXPORT CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint n, const struct _cl_icd_dispatch *target, cl_uint *n_own,
                                                   const struct _cl_icd_dispatch **own)
{
    if (!target || !n_own || !own || n < sizeof table / sizeof(void *))
        return CL_INVALID_VALUE;
    to = target;
    read_environment();
    table.clGetDeviceIDs = GetDeviceIDs;
    table.clCreateContext = CreateContext;
    table.clCreateContextFromType = CreateContextFromType;
    hook_queues(&table);
    hook_memory(&table);
    hook_transfers(&table);
    hook_programs(&table);
    hook_launches(&table);
    *n_own = sizeof table / sizeof(void *);
    *own = &table;
    return CL_SUCCESS;
}
