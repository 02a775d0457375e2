/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick for OpenCL: what a program costs that opens the first device there is, builds N different kernels from
 * source, runs and checks each, and closes. usage: cl_min constants.cl [N]
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 16, WORDS = 8 * ITEMS, LOCAL = 16, PLUS = 7 };

static void need(cl_int result, const char *what)
{
    if (result == CL_SUCCESS)
        return;
    fprintf(stderr, "cl_min: %s: %d\n", what, result);
    exit(1);
}

static bool check(const cl_uint *dst, cl_uint k)
{
    for (cl_uint i = 0; i < ITEMS; i++) {
        const cl_uint *d = dst + 8 * i, want[7] = {k, PLUS, LOCAL, 1, 1, k * (i + 1) + PLUS, i};
        if (memcmp(d, want, sizeof want))
            return false;
    }
    return true;
}

static cl_device_id find_device(void)
{
    cl_platform_id platform[16];
    cl_device_id device;
    cl_uint n = 0;
    need(clGetPlatformIDs(16, platform, &n), "clGetPlatformIDs");
    for (cl_uint i = 0; i < n && i < 16; i++)
        if (clGetDeviceIDs(platform[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS)
            return device;
    need(CL_DEVICE_NOT_FOUND, "clGetDeviceIDs");
    return NULL;
}

int main(int argc, char **argv)
{
    static char text[1 << 16];
    static cl_uint dst[WORDS];
    const char *source = text;
    cl_uint n = argc > 2 ? (cl_uint)atoi(argv[2]) : 1, items = ITEMS, zero = 0;
    size_t global = ITEMS, local = LOCAL;
    cl_int e;
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!f || !n || !fread(text, 1, sizeof text - 1, f))
        return fputs("usage: cl_min constants.cl [N]\n", stderr), 2;
    fclose(f);

    cl_device_id device = find_device();
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &e);
    need(e, "clCreateContext");
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &e);
    need(e, "clCreateCommandQueue");
    cl_mem buf[2]; /* the second for the argument of the kernel's witness, which stays unused */
    for (int i = 0; i < 2; i++) {
        buf[i] = clCreateBuffer(context, CL_MEM_READ_WRITE, sizeof dst, NULL, &e);
        need(e, "clCreateBuffer");
    }
    for (cl_uint k = 1; k <= n; k++) {
        char options[200];
        snprintf(options, sizeof options,
                 "-DLAD_LX=%d -DLAD_LY=1 -DLAD_LZ=1 -DLAD_WITNESS=0 -DLAD_CONST0=%u -DLAD_CONST1=%d "
                 "-DLAD_DYNAMIC_ITEMS=0",
                 LOCAL, k, PLUS);
        cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &e);
        need(e, "clCreateProgramWithSource");
        need(clBuildProgram(program, 1, &device, options, NULL, NULL), "clBuildProgram");
        cl_kernel kernel = clCreateKernel(program, "lad_main", &e);
        need(e, "clCreateKernel");
        need(clSetKernelArg(kernel, 0, sizeof buf[0], &buf[0]), "clSetKernelArg");
        need(clSetKernelArg(kernel, 1, 4, &items), "clSetKernelArg");
        need(clSetKernelArg(kernel, 2, 4, &zero), "clSetKernelArg");
        need(clSetKernelArg(kernel, 3, 4, &zero), "clSetKernelArg");
        need(clSetKernelArg(kernel, 4, sizeof buf[1], &buf[1]), "clSetKernelArg");
        memset(dst, 0, sizeof dst);
        need(clEnqueueWriteBuffer(queue, buf[0], CL_FALSE, 0, sizeof dst, dst, 0, NULL, NULL), "clEnqueueWriteBuffer");
        need(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL), "clEnqueueNDRangeKernel");
        need(clEnqueueReadBuffer(queue, buf[0], CL_TRUE, 0, sizeof dst, dst, 0, NULL, NULL), "clEnqueueReadBuffer");
        if (!check(dst, k))
            return fprintf(stderr, "cl_min: kernel %u: wrong result\n", k), 1;
        need(clReleaseKernel(kernel), "clReleaseKernel");
        need(clReleaseProgram(program), "clReleaseProgram");
    }
    clReleaseMemObject(buf[0]);
    clReleaseMemObject(buf[1]);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    printf("%u right\n", n);
    return 0;
}
