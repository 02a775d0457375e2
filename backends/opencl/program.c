/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels: options, build from a saved binary or from source, build log. */
#include "cl.h"
#include <stdlib.h>
#include <string.h>

static bool needs_word(const struct lad_kernel_source *source, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = source->needs; p && (p = strstr(p, word)); p += n)
        if ((p == source->needs || p[-1] == ' ') && (!p[n] || p[n] == ' '))
            return true;
    return false;
}

static void make_options(const struct lad_cl_device *d, const struct lad_kernel_desc *k, char *options, size_t room)
{
    /* Every driver is best tested in OpenCL C 1.2; what is newer goes to the kernels that cannot do without. */
    const char *version = "CL1.2";
    if (needs_word(k->source, "subgroup") || needs_word(k->source, "device-scope"))
        version = d->c_version >= 30 ? "CL3.0" : d->c_version >= 20 ? "CL2.0" : version;
    const char *optimise = getenv("GPULADDER_OPTIMISE");
    snprintf(options, room,
             "-cl-std=%s%s -DLAD_LX=%u -DLAD_LY=%u -DLAD_LZ=%u -DLAD_WITNESS=%u -DLAD_CONST0=%u -DLAD_CONST1=%u "
             "-DLAD_DYNAMIC_ITEMS=%u",
             version, optimise && !strcmp(optimise, "0") ? " -cl-opt-disable" : "", k->local[0], k->local[1],
             k->local[2], k->witness, k->constant[0], k->constant[1], k->dynamic_items);
}

static char *copy_log(struct lad_dev *dev, cl_program program)
{
    size_t bytes = 0;
    if (lad_cl.GetProgramBuildInfo(program, dev->device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) != CL_SUCCESS ||
        bytes > 16u << 20)
        bytes = 0;
    char *log = calloc(1, bytes + 1);
    if (!log)
        abort();
    if (bytes &&
        lad_cl.GetProgramBuildInfo(program, dev->device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) != CL_SUCCESS)
        *log = 0;
    for (size_t n = strlen(log); n && (log[n - 1] == '\n' || log[n - 1] == ' '); n--)
        log[n - 1] = 0;
    return log;
}

static bool build_saved(struct lad_dev *dev, struct lad_kernel *k, const char *options)
{
    unsigned char *binary;
    size_t bytes;
    char *log;
    cl_int status = CL_SUCCESS, rc;
    if (!k->key || !lad_cl_cache_load(k->key, &binary, &bytes, &log))
        return false;
    k->program = lad_cl.CreateProgramWithBinary(dev->context, 1, &dev->device->id, &bytes,
                                                (const unsigned char **)&binary, &status, &rc);
    free(binary);
    if (k->program && status == CL_SUCCESS &&
        lad_cl.BuildProgram(k->program, 1, &dev->device->id, options, NULL, NULL) == CL_SUCCESS) {
        k->log = log;
        return true;
    }
    free(log);
    if (k->program)
        lad_cl.ReleaseProgram(k->program);
    k->program = NULL;
    return false;
}

static bool build_source(struct lad_dev *dev, struct lad_kernel *k, const char *options, struct lad_fail *fail)
{
    const char *text = k->source->opencl;
    cl_int rc;
    k->program = lad_cl.CreateProgramWithSource(dev->context, 1, &text, NULL, &rc);
    if (!k->program)
        return lad_cl_fail(fail, "clCreateProgramWithSource", rc, NULL);
    rc = lad_cl.BuildProgram(k->program, 1, &dev->device->id, options, NULL, NULL);
    k->log = copy_log(dev, k->program);
    k->unsaved = rc == CL_SUCCESS && k->key;
    return rc == CL_SUCCESS ||
           lad_cl_fail(fail, "clBuildProgram", rc, "%s", *k->log ? k->log : "the build log is empty");
}

bool lad_cl_kernel_renew(struct lad_kernel *k, struct lad_fail *fail)
{
    const struct lad_kernel_source *s = k->source;
    cl_int rc;
    if (k->kernel)
        lad_cl.ReleaseKernel(k->kernel);
    k->kernel = lad_cl.CreateKernel(k->program, "lad_main", &rc);
    if (!k->kernel)
        return lad_cl_fail(fail, "clCreateKernel", rc, "%s", k->log);
    memset(k->arg, 0, (s->n_bufs + 1) * sizeof *k->arg);
    k->scalars_set = k->reaches = false;
    if (!s->n_dynamic)
        return true;
    rc = lad_cl.SetKernelArg(k->kernel, s->n_bufs + s->n_scalars + 1, (size_t)k->desc.dynamic_items * s->dynamic_bytes,
                             NULL);
    return rc == CL_SUCCESS ||
           lad_cl_fail(fail, "clSetKernelArg", rc, "the local array of %u items", k->desc.dynamic_items);
}

struct lad_kernel *lad_cl_kernel_create(struct lad_dev *dev, const struct lad_kernel_desc *desc, struct lad_fail *fail)
{
    const struct lad_kernel_source *s = desc->source;
    char options[256];
    struct lad_kernel *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->desc = *desc;
    k->source = s;
    k->arg = calloc(s->n_bufs + 1, sizeof *k->arg);
    k->scalars = calloc(1, s->scalar_bytes + 1);
    if (!k->arg || !k->scalars)
        abort();
    k->next = dev->kernels;
    dev->kernels = k;
    make_options(dev->device, desc, options, sizeof options);
    /* A simulator shows source lines in its findings, which a binary has lost. */
    if (dev->device->info.type != LAD_DEV_SIMULATOR)
        k->key = lad_cl_cache_key(dev->device, s->opencl, options);
    if ((build_saved(dev, k, options) || build_source(dev, k, options, fail)) && lad_cl_kernel_renew(k, fail))
        return k;
    lad_cl_kernel_destroy(dev, k);
    return NULL;
}

void lad_cl_kernel_destroy(struct lad_dev *dev, struct lad_kernel *kernel)
{
    if (!kernel || dev->abandoned)
        return;
    for (struct lad_kernel **k = &dev->kernels; *k; k = &(*k)->next)
        if (*k == kernel) {
            *k = kernel->next;
            break;
        }
    dev->n_unsaved -= kernel->unsaved && kernel->dispatched;
    if (kernel->kernel)
        lad_cl.ReleaseKernel(kernel->kernel);
    if (kernel->program)
        lad_cl.ReleaseProgram(kernel->program);
    free(kernel->key);
    free(kernel->log);
    free(kernel->arg);
    free(kernel->scalars);
    free(kernel);
}

const char *lad_cl_build_log(struct lad_kernel *kernel)
{
    return kernel->log;
}

uint64_t lad_cl_kernel_bytes(struct lad_dev *dev, struct lad_kernel *kernel)
{
    size_t bytes = 0;
    cl_uint n;
    (void)dev;
    if (lad_cl.GetProgramInfo(kernel->program, CL_PROGRAM_NUM_DEVICES, sizeof n, &n, NULL) != CL_SUCCESS || n != 1 ||
        lad_cl.GetProgramInfo(kernel->program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS)
        return 0;
    return bytes;
}

static void save_program(struct lad_kernel *k)
{
    cl_uint n = 0;
    size_t bytes = 0;
    if (lad_cl.GetProgramInfo(k->program, CL_PROGRAM_NUM_DEVICES, sizeof n, &n, NULL) != CL_SUCCESS || n != 1 ||
        lad_cl.GetProgramInfo(k->program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS || !bytes)
        return; /* a driver need not have a binary to give */
    unsigned char *binary = calloc(1, bytes);
    if (binary && lad_cl.GetProgramInfo(k->program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        lad_cl_cache_save(k->key, binary, bytes, k->log);
    free(binary);
}

void lad_cl_save_programs(struct lad_dev *dev)
{
    for (struct lad_kernel *k = dev->kernels; k && dev->n_unsaved; k = k->next)
        if (k->unsaved && k->dispatched) {
            save_program(k);
            k->unsaved = false;
            dev->n_unsaved--;
        }
}
