/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: their source and their options. */
#include "cl_fault.h"
#include <stdio.h>
#include <stdlib.h>
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
    char *whole = NULL, *own;
    size_t bytes;
    FILE *out = layer.building ? open_memstream(&whole, &bytes) : NULL;
    if (!out)
        return to->clCreateProgramWithSource(c, n, text, length, rc);
    for (cl_uint i = 0; text && i < n; i++)
        if (text[i])
            fwrite(text[i], 1, length && length[i] ? length[i] : strlen(text[i]), out);
    fclose(out);
    own = edit_source(whole);
    cl_program p =
        to->clCreateProgramWithSource(c, n && text ? 1 : n, n && text ? (const char **)&own : text, NULL, rc);
    free(whole);
    free(own);
    return p;
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

/* Nor may one of these be kept for later runs: there is none. */
static cl_int CL_API_CALL GetProgramInfo(cl_program p, cl_program_info what, size_t room, void *value, size_t *bytes)
{
    if (layer.building && what == CL_PROGRAM_BINARIES)
        return to->clGetProgramInfo(p, what, 0, NULL, bytes);
    cl_int rc = to->clGetProgramInfo(p, what, room, value, bytes);
    if (layer.building && what == CL_PROGRAM_BINARY_SIZES && rc == CL_SUCCESS && value)
        memset(value, 0, room);
    return rc;
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

static bool wants_fast_math(cl_program p)
{
    char front[sizeof FAST_MATH] = "", *text = NULL;
    size_t bytes = 0;
    if (lad_inject_on(&layer.set, LAD_FAULT_N2_cl_fast_math) &&
        to->clGetProgramInfo(p, CL_PROGRAM_SOURCE, 0, NULL, &bytes) == CL_SUCCESS && bytes &&
        (text = calloc(1, bytes)) && to->clGetProgramInfo(p, CL_PROGRAM_SOURCE, bytes, text, NULL) == CL_SUCCESS)
        snprintf(front, sizeof front, "%s", text);
    free(text);
    return !strcmp(front, FAST_MATH);
}

struct options {
    char text[4096];
};

static struct options change_options(cl_program p, const char *options)
{
    struct options own, asked;
    struct lad_inject *f;
    snprintf(own.text, sizeof own.text, "%s", options ? options : "");
    asked = own;
    if ((f = HIT(C1_cl_key_without_options)) && has_first)
        snprintf(own.text, sizeof own.text, "%s", first_options);
    if (!has_first || (f && PARAM(f, "last")))
        snprintf(first_options, sizeof first_options, "%s", asked.text);
    has_first = true;
    if ((f = HIT(C2_cl_constant_zero)))
        clear_option(own.text, PARAM(f, "option"));
    if (wants_fast_math(p))
        strncat(own.text, " -cl-fast-relaxed-math -cl-denorms-are-zero", sizeof own.text - strlen(own.text) - 1);
    return own;
}

static cl_int CL_API_CALL BuildProgram(cl_program p, cl_uint n, const cl_device_id *d, const char *options,
                                       void(CL_CALLBACK *notify)(cl_program, void *), void *arg)
{
    struct options own = change_options(p, options);
    return to->clBuildProgram(p, n, d, options || *own.text ? own.text : NULL, notify, arg);
}

static cl_int CL_API_CALL CompileProgram(cl_program p, cl_uint n, const cl_device_id *d, const char *options,
                                         cl_uint n_headers, const cl_program *headers, const char **names,
                                         void(CL_CALLBACK *notify)(cl_program, void *), void *arg)
{
    struct options own = change_options(p, options);
    return to->clCompileProgram(p, n, d, options || *own.text ? own.text : NULL, n_headers, headers, names, notify,
                                arg);
}

void hook_programs(struct _cl_icd_dispatch *table)
{
    table->clCreateProgramWithSource = CreateProgramWithSource;
    table->clCreateProgramWithBinary = CreateProgramWithBinary;
    table->clGetProgramInfo = GetProgramInfo;
    table->clBuildProgram = BuildProgram;
    table->clCompileProgram = CompileProgram;
}
