/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL drivers that no one should have to use, for ci/tests/icds.sh. Compiled once per -DMODE: CRASH and HANG when
 * they are loaded, COUNT and LIE when they are asked for platforms. */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>
#include <string.h>
#include <unistd.h>

enum mode { CRASH, HANG, COUNT, LIE };

__attribute__((constructor)) static void load(void)
{
    int *volatile nowhere = (int *)16;
    if (MODE == CRASH)
        *nowhere = 1;
    while (MODE == HANG)
        pause();
}

/* COUNT claims four billion platforms; LIE claims three and hands out none. */
CL_API_ENTRY cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *out, cl_uint *n)
{
    (void)room;
    (void)out;
    if (n)
        *n = MODE == COUNT ? 0xfffffff0u : 3;
    return CL_SUCCESS;
}

static cl_int get_platform_info(cl_platform_id p, cl_platform_info what, size_t room, void *value, size_t *n)
{
    (void)p;
    (void)what;
    (void)room;
    (void)value;
    *n = (size_t)-1;
    return CL_SUCCESS;
}

CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    if (!strcmp(name, "clIcdGetPlatformIDsKHR"))
        return (void *)clIcdGetPlatformIDsKHR;
    return !strcmp(name, "clGetPlatformInfo") ? (void *)get_platform_info : NULL;
}
