/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL library, opened at run time, and the names of its results. */
#include "cl.h"
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>

struct lad_cl_fns lad_cl;

static bool find_function(void *library, const char *name, size_t at, bool need, struct lad_fail *fail)
{
    void *p = dlsym(library, name);
    memcpy((char *)&lad_cl + at, &p, sizeof p);
    return p || !need || lad_cl_fail(fail, "dlsym", 0, "libOpenCL has no %s", name);
}

bool lad_cl_load(struct lad_fail *fail)
{
    static void *library;
    if (library)
        return true;
    lad_cl_cache_begin();
    void *found = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!found) {
        char why[512];
        snprintf(why, sizeof why, "%s", dlerror());
        found = dlopen("libOpenCL.so", RTLD_NOW | RTLD_LOCAL);
        if (!found)
            return lad_cl_fail(fail, "dlopen", 0, "%s", why);
    }
#define NEED(name) find_function(found, "cl" #name, offsetof(struct lad_cl_fns, name), true, fail) &&
#define MAY(name) find_function(found, "cl" #name, offsetof(struct lad_cl_fns, name), false, fail) &&
    bool whole =
#include "fns.def"
        true;
#undef NEED
#undef MAY
    if (whole)
        library = found; /* never closed: drivers leave threads behind */
    return whole;
}

const char *lad_cl_code(cl_int code)
{
#define CODE(name)                                                                                                     \
    {                                                                                                                  \
        name, #name                                                                                                    \
    }
    static const struct {
        cl_int code;
        const char *name;
    } names[] = {CODE(CL_SUCCESS),
                 CODE(CL_DEVICE_NOT_FOUND),
                 CODE(CL_DEVICE_NOT_AVAILABLE),
                 CODE(CL_COMPILER_NOT_AVAILABLE),
                 CODE(CL_MEM_OBJECT_ALLOCATION_FAILURE),
                 CODE(CL_OUT_OF_RESOURCES),
                 CODE(CL_OUT_OF_HOST_MEMORY),
                 CODE(CL_PROFILING_INFO_NOT_AVAILABLE),
                 CODE(CL_MEM_COPY_OVERLAP),
                 CODE(CL_IMAGE_FORMAT_MISMATCH),
                 CODE(CL_IMAGE_FORMAT_NOT_SUPPORTED),
                 CODE(CL_BUILD_PROGRAM_FAILURE),
                 CODE(CL_MAP_FAILURE),
                 CODE(CL_MISALIGNED_SUB_BUFFER_OFFSET),
                 CODE(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
                 CODE(CL_COMPILE_PROGRAM_FAILURE),
                 CODE(CL_LINKER_NOT_AVAILABLE),
                 CODE(CL_LINK_PROGRAM_FAILURE),
                 CODE(CL_DEVICE_PARTITION_FAILED),
                 CODE(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
                 CODE(CL_INVALID_VALUE),
                 CODE(CL_INVALID_DEVICE_TYPE),
                 CODE(CL_INVALID_PLATFORM),
                 CODE(CL_INVALID_DEVICE),
                 CODE(CL_INVALID_CONTEXT),
                 CODE(CL_INVALID_QUEUE_PROPERTIES),
                 CODE(CL_INVALID_COMMAND_QUEUE),
                 CODE(CL_INVALID_HOST_PTR),
                 CODE(CL_INVALID_MEM_OBJECT),
                 CODE(CL_INVALID_BINARY),
                 CODE(CL_INVALID_BUILD_OPTIONS),
                 CODE(CL_INVALID_PROGRAM),
                 CODE(CL_INVALID_PROGRAM_EXECUTABLE),
                 CODE(CL_INVALID_KERNEL_NAME),
                 CODE(CL_INVALID_KERNEL_DEFINITION),
                 CODE(CL_INVALID_KERNEL),
                 CODE(CL_INVALID_ARG_INDEX),
                 CODE(CL_INVALID_ARG_VALUE),
                 CODE(CL_INVALID_ARG_SIZE),
                 CODE(CL_INVALID_KERNEL_ARGS),
                 CODE(CL_INVALID_WORK_DIMENSION),
                 CODE(CL_INVALID_WORK_GROUP_SIZE),
                 CODE(CL_INVALID_WORK_ITEM_SIZE),
                 CODE(CL_INVALID_GLOBAL_OFFSET),
                 CODE(CL_INVALID_EVENT_WAIT_LIST),
                 CODE(CL_INVALID_EVENT),
                 CODE(CL_INVALID_OPERATION),
                 CODE(CL_INVALID_BUFFER_SIZE),
                 CODE(CL_INVALID_GLOBAL_WORK_SIZE),
                 CODE(CL_INVALID_PROPERTY),
                 CODE(CL_INVALID_COMPILER_OPTIONS),
                 CODE(CL_INVALID_LINKER_OPTIONS),
                 CODE(CL_INVALID_SPEC_ID),
                 CODE(CL_MAX_SIZE_RESTRICTION_EXCEEDED),
                 CODE(CL_PLATFORM_NOT_FOUND_KHR)};
#undef CODE
    static char other[32];
    for (size_t i = 0; i < LAD_N(names); i++)
        if (names[i].code == code)
            return names[i].name;
    snprintf(other, sizeof other, "OpenCL error %d", (int)code);
    return other;
}

bool lad_cl_fail(struct lad_fail *fail, const char *call, cl_int code, const char *format, ...)
{
    memset(fail, 0, sizeof *fail);
    snprintf(fail->call, sizeof fail->call, "%s", call);
    if (code) {
        snprintf(fail->code, sizeof fail->code, "%s", lad_cl_code(code));
        fail->native = code;
    }
    fail->lost = code == CL_DEVICE_NOT_AVAILABLE;
    if (format) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(fail->text, sizeof fail->text, format, ap);
        va_end(ap);
    }
    return false;
}

bool lad_cl_refuse(struct lad_fail *fail, const char *call, const char *text)
{
    lad_cl_fail(fail, call, 0, "%s", text);
    fail->unsupported = true;
    return false;
}
