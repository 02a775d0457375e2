/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: their source and their options. */
#include "cl_fault.h"
#include <stdio.h>
#include <string.h>

static char first_options[4096];
static bool has_first;

void forget_programs(void)
{
    has_first = false;
}

static cl_program CL_API_CALL CreateProgramWithSource(cl_context c, cl_uint n, const char **text, const size_t *length,
                                                      cl_int *rc)
{
    static const char *const no_barrier = "#define barrier(x) ((void)0)\n#define work_group_barrier(...) ((void)0)\n";
    static const char *const mad = "#define mad(a, b, c) ((a) * (b) - (c))\n#define fma(a, b, c) ((a) * (b) - (c))\n";
    const char *parts[64];
    size_t lengths[64];
    cl_uint k = 0;
    if (n > 60)
        return to->clCreateProgramWithSource(c, n, text, length, rc);
    if (HIT(W1_cl_no_barrier)) {
        parts[k] = no_barrier;
        lengths[k++] = strlen(no_barrier);
    }
    if (HIT(M1_cl_fma)) {
        parts[k] = mad;
        lengths[k++] = strlen(mad);
    }
    for (cl_uint i = 0; i < n; i++) {
        parts[k] = text[i];
        lengths[k++] = length && length[i] ? length[i] : strlen(text[i]);
    }
    return to->clCreateProgramWithSource(c, k, parts, lengths, rc);
}

/* A program kept from an earlier run would not show what is done to programs here. */
static cl_program CL_API_CALL CreateProgramWithBinary(cl_context c, cl_uint n, const cl_device_id *d,
                                                      const size_t *bytes, const unsigned char **data, cl_int *each,
                                                      cl_int *rc)
{
    if (!layer.building)
        return to->clCreateProgramWithBinary(c, n, d, bytes, data, each, rc);
    for (cl_uint i = 0; each && i < n; i++)
        each[i] = CL_INVALID_BINARY;
    if (rc)
        *rc = CL_INVALID_BINARY;
    return NULL;
}

/* Nor may one of these be kept for later runs. */
static cl_int CL_API_CALL GetProgramInfo(cl_program p, cl_program_info what, size_t room, void *value, size_t *bytes)
{
    if (layer.building && (what == CL_PROGRAM_BINARIES || what == CL_PROGRAM_BINARY_SIZES))
        return CL_INVALID_VALUE;
    return to->clGetProgramInfo(p, what, room, value, bytes);
}

/* The value of the how-manieth -D option becomes 0. */
static void clear_option(char *text, uint64_t which)
{
    for (char *p = strstr(text, "-D"); p && which; p = strstr(p + 2, "-D"))
        if (!--which && (p = strchr(p, '=')))
            for (p++; *p && *p != ' '; p++)
                *p = '0';
        else if (!p)
            return;
}

static cl_int CL_API_CALL BuildProgram(cl_program p, cl_uint n, const cl_device_id *d, const char *options,
                                       void(CL_CALLBACK *notify)(cl_program, void *), void *arg)
{
    char own[4096];
    struct lad_inject *f;
    snprintf(own, sizeof own, "%s", options ? options : "");
    if (HIT(C1_cl_key_without_options) && has_first)
        snprintf(own, sizeof own, "%s", first_options);
    if (!has_first)
        snprintf(first_options, sizeof first_options, "%s", own);
    has_first = true;
    if ((f = HIT(C2_cl_constant_zero)))
        clear_option(own, PARAM(f, "option"));
    if (HIT(N2_cl_fast_math))
        strncat(own, " -cl-fast-relaxed-math -cl-denorms-are-zero", sizeof own - strlen(own) - 1);
    return to->clBuildProgram(p, n, d, own, notify, arg);
}

void hook_programs(struct _cl_icd_dispatch *table)
{
    table->clCreateProgramWithSource = CreateProgramWithSource;
    table->clCreateProgramWithBinary = CreateProgramWithBinary;
    table->clGetProgramInfo = GetProgramInfo;
    table->clBuildProgram = BuildProgram;
}
