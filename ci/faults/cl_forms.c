/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vector addition like any program's, in each form that OpenCL has for its steps, to be run over the layer of faults:
 *   cl_forms FOLDER [STEP=FORM...]
 * Ends in 0 and "right", or in 1 and "wrong"; 2: no such form; 77: this device has no such form. The first form of each
 * step is what it does otherwise:
 *   queue=1|2   buffer=plain|properties|host|sub   upload=write|rect|map|create   build=source|compile|binary
 *   kernel=one|all|clone   args=memory|svm   run=range|driver|task   move=copy|rect   read=read|rect|map
 *   wait=blocking|finish|events|status|callback
 */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "forms.h"

enum { N = 1024, ROW = 64, BYTES = 4 * N };

enum { CLEAR = 0x0A5CA5CA }; /* what dst holds before it is added to */

/* One work-item does it all. */
static const char *text =
    "__kernel void other(__global uint *p) { p[0] = 1; }\n"
    "__kernel void add(__global const uint *a, __global const uint *b, __global uint *dst, uint n, "
    "uint plus)\n"
    "{\n"
    "    uint step = get_global_size(0) == 1 ? 1 : n;\n"
    "    for (uint i = get_global_id(0); i < n; i += step)\n"
    "        dst[i] += a[i] + 3 * b[i] + plus + TERM;\n"
    "}\n";

static struct {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel kernel;
    cl_mem buf[4]; /* a, b, dst, and what dst is copied to */
    cl_uint *svm[4];
    bool shared; /* the buffers are shared virtual memory */
} cl;

static cl_uint values[2][N], own[4][N] __attribute__((aligned(4096)));
static volatile int called;

static void need(cl_int result, const char *what)
{
    if (result == CL_SUCCESS)
        return;
    fprintf(stderr, "cl_forms: %s: %d\n", what, result);
    exit(1);
}
#define NEED(call) need(call, #call)

static void lacks(const char *what)
{
    printf("no %s\n", what);
    exit(77);
}

static void open_device(void)
{
    cl_platform_id platform[16];
    cl_uint n = 0;
    cl_int e;
    NEED(clGetPlatformIDs(16, platform, &n));
    for (cl_uint i = 0; i < n && i < 16 && !cl.device; i++)
        if (clGetDeviceIDs(platform[i], CL_DEVICE_TYPE_ALL, 1, &cl.device, NULL) != CL_SUCCESS)
            cl.device = NULL;
    if (!cl.device)
        lacks("device");
    cl.context = clCreateContext(NULL, 1, &cl.device, NULL, NULL, &e);
    NEED(e);
    cl.queue = form("queue", "1|2") ? clCreateCommandQueueWithProperties(cl.context, cl.device, NULL, &e)
                                    : clCreateCommandQueue(cl.context, cl.device, 0, &e);
    NEED(e);
    cl.shared = form("args", "memory|svm");
    cl_device_svm_capabilities svm = 0;
    clGetDeviceInfo(cl.device, CL_DEVICE_SVM_CAPABILITIES, sizeof svm, &svm, NULL);
    if (cl.shared && !svm)
        lacks("shared virtual memory");
}

static void make_buffer(int k, int upload)
{
    int how = form("buffer", "plain|properties|host|sub");
    bool create = upload == 3 && k < 2;
    cl_mem_flags flags = CL_MEM_READ_WRITE | (create ? CL_MEM_COPY_HOST_PTR : 0);
    cl_buffer_region half = {BYTES, BYTES};
    cl_mem whole;
    cl_int e;
    if (cl.shared) {
        if (!(cl.svm[k] = clSVMAlloc(cl.context, CL_MEM_READ_WRITE, BYTES, 0)))
            lacks("shared virtual memory");
        return;
    }
    if (how == 1) {
        cl.buf[k] = clCreateBufferWithProperties(cl.context, NULL, flags, BYTES, create ? values[k] : NULL, &e);
    } else if (how == 2 && !create) {
        cl.buf[k] = clCreateBuffer(cl.context, flags | CL_MEM_USE_HOST_PTR, BYTES, own[k], &e);
    } else if (how == 3 && !create) {
        whole = clCreateBuffer(cl.context, flags, 2 * BYTES, NULL, &e);
        NEED(e);
        cl.buf[k] = clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &half, &e);
        clReleaseMemObject(whole);
    } else {
        cl.buf[k] = clCreateBuffer(cl.context, flags, BYTES, create ? values[k] : NULL, &e);
    }
    NEED(e);
}

static void upload(int k, int how)
{
    const size_t origin[3] = {0, 0, 0}, size[3] = {4 * ROW / 2, N / ROW, 1}, second[3] = {4 * ROW / 2, 0, 0};
    cl_int e;
    void *p;
    if (cl.shared) { /* the same for shared memory, by a copy or a mapping */
        if (how == 2) {
            NEED(clEnqueueSVMMap(cl.queue, CL_TRUE, CL_MAP_WRITE, cl.svm[k], BYTES, 0, NULL, NULL));
            memcpy(cl.svm[k], values[k], BYTES);
            NEED(clEnqueueSVMUnmap(cl.queue, cl.svm[k], 0, NULL, NULL));
        } else {
            NEED(clEnqueueSVMMemcpy(cl.queue, CL_FALSE, cl.svm[k], values[k], BYTES, 0, NULL, NULL));
        }
    } else if (how == 0) {
        NEED(clEnqueueWriteBuffer(cl.queue, cl.buf[k], CL_FALSE, 0, BYTES, values[k], 0, NULL, NULL));
    } else if (how == 1) { /* two halves of each row */
        NEED(clEnqueueWriteBufferRect(cl.queue, cl.buf[k], CL_FALSE, origin, origin, size, 4 * ROW, 0, 4 * ROW, 0,
                                      values[k], 0, NULL, NULL));
        NEED(clEnqueueWriteBufferRect(cl.queue, cl.buf[k], CL_FALSE, second, second, size, 4 * ROW, 0, 4 * ROW, 0,
                                      values[k], 0, NULL, NULL));
    } else if (how == 2) {
        p = clEnqueueMapBuffer(cl.queue, cl.buf[k], CL_TRUE, CL_MAP_WRITE, 0, BYTES, 0, NULL, NULL, &e);
        NEED(e);
        memcpy(p, values[k], BYTES);
        NEED(clEnqueueUnmapMemObject(cl.queue, cl.buf[k], p, 0, NULL, NULL));
    }
}

static void clear(int k)
{
    const cl_uint canary = CLEAR;
    if (cl.shared)
        NEED(clEnqueueSVMMemFill(cl.queue, cl.svm[k], &canary, 4, BYTES, 0, NULL, NULL));
    else
        NEED(clEnqueueFillBuffer(cl.queue, cl.buf[k], &canary, 4, 0, BYTES, 0, NULL, NULL));
}

static void build(void)
{
    int how = form("build", "source|compile|binary");
    const char *options = "-DTERM=5";
    cl_int e;
    size_t bytes = 0;
    cl.program = clCreateProgramWithSource(cl.context, 1, &text, NULL, &e);
    NEED(e);
    if (how == 1) {
        NEED(clCompileProgram(cl.program, 1, &cl.device, options, 0, NULL, NULL, NULL, NULL));
        cl_program linked = clLinkProgram(cl.context, 1, &cl.device, NULL, 1, &cl.program, NULL, NULL, &e);
        NEED(e);
        clReleaseProgram(cl.program);
        cl.program = linked;
        return;
    }
    NEED(clBuildProgram(cl.program, 1, &cl.device, options, NULL, NULL));
    if (how != 2)
        return;
    NEED(clGetProgramInfo(cl.program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL));
    if (!bytes)
        lacks("binary");
    unsigned char *binary = malloc(bytes);
    NEED(clGetProgramInfo(cl.program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL));
    clReleaseProgram(cl.program);
    cl.program =
        clCreateProgramWithBinary(cl.context, 1, &cl.device, &bytes, (const unsigned char **)&binary, NULL, &e);
    NEED(e);
    free(binary);
    NEED(clBuildProgram(cl.program, 1, &cl.device, "", NULL, NULL));
}

static void make_kernel(void)
{
    int how = form("kernel", "one|all|clone");
    cl_kernel list[2];
    cl_uint n = 0;
    cl_int e = CL_SUCCESS;
    char name[16] = "";
    if (how == 1) {
        NEED(clCreateKernelsInProgram(cl.program, 2, list, &n));
        for (cl_uint i = 0; i < n; i++) {
            NEED(clGetKernelInfo(list[i], CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL));
            if (!strcmp(name, "add"))
                cl.kernel = list[i];
            else
                clReleaseKernel(list[i]);
        }
    } else {
        cl.kernel = clCreateKernel(cl.program, "add", &e);
        NEED(e);
    }
    cl_uint n_items = N, plus = 7;
    for (cl_uint i = 0; i < 3; i++)
        if (cl.shared)
            NEED(clSetKernelArgSVMPointer(cl.kernel, i, cl.svm[i]));
        else
            NEED(clSetKernelArg(cl.kernel, i, sizeof cl.buf[i], &cl.buf[i]));
    NEED(clSetKernelArg(cl.kernel, 3, 4, &n_items));
    NEED(clSetKernelArg(cl.kernel, 4, 4, &plus));
    if (how == 2) {
        cl_kernel twin = clCloneKernel(cl.kernel, &e);
        if (e != CL_SUCCESS)
            lacks("clCloneKernel");
        clReleaseKernel(cl.kernel);
        cl.kernel = twin;
    }
}

static void run(cl_event *event)
{
    int how = form("run", "range|driver|task");
    size_t global = N, local = 64;
    if (how == 0)
        NEED(clEnqueueNDRangeKernel(cl.queue, cl.kernel, 1, NULL, &global, &local, 0, NULL, event));
    else if (how == 1)
        NEED(clEnqueueNDRangeKernel(cl.queue, cl.kernel, 1, NULL, &global, NULL, 0, NULL, event));
    else
        NEED(clEnqueueTask(cl.queue, cl.kernel, 0, NULL, event));
}

static void move(cl_event *event)
{
    const size_t origin[3] = {0, 0, 0}, size[3] = {4 * ROW, N / ROW, 1};
    if (cl.shared)
        NEED(clEnqueueSVMMemcpy(cl.queue, CL_FALSE, cl.svm[3], cl.svm[2], BYTES, 0, NULL, event));
    else if (form("move", "copy|rect"))
        NEED(clEnqueueCopyBufferRect(cl.queue, cl.buf[2], cl.buf[3], origin, origin, size, 4 * ROW, 0, 4 * ROW, 0, 0,
                                     NULL, event));
    else
        NEED(clEnqueueCopyBuffer(cl.queue, cl.buf[2], cl.buf[3], 0, 0, BYTES, 0, NULL, event));
}

static void CL_CALLBACK call_back(cl_event event, cl_int status, void *arg)
{
    (void)event;
    (void)arg;
    called = status == CL_COMPLETE ? 1 : -1;
}

static void wait_for(cl_event event)
{
    int how = form("wait", "blocking|finish|events|status|callback");
    struct timespec nap = {0, 1000000};
    cl_int status = CL_QUEUED;
    if (how == 1)
        NEED(clFinish(cl.queue));
    if (how == 2)
        NEED(clWaitForEvents(1, &event));
    if (how == 4)
        NEED(clSetEventCallback(event, CL_COMPLETE, call_back, NULL));
    if (how == 3 || how == 4)
        NEED(clFlush(cl.queue));
    for (int naps = 0; (how == 3 && status > CL_COMPLETE) || (how == 4 && !called); naps++) {
        if (how == 3)
            NEED(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
        if (naps == 10000)
            fputs("cl_forms: does not end\n", stderr), exit(1);
        nanosleep(&nap, NULL);
    }
}

static void read_back(cl_uint *down)
{
    const size_t origin[3] = {0, 0, 0}, size[3] = {4 * ROW, N / ROW, 1};
    int how = form("read", "read|rect|map");
    cl_int e;
    void *p;
    if (cl.shared && how == 2) {
        NEED(clEnqueueSVMMap(cl.queue, CL_TRUE, CL_MAP_READ, cl.svm[3], BYTES, 0, NULL, NULL));
        memcpy(down, cl.svm[3], BYTES);
        NEED(clEnqueueSVMUnmap(cl.queue, cl.svm[3], 0, NULL, NULL));
    } else if (cl.shared) {
        NEED(clEnqueueSVMMemcpy(cl.queue, CL_TRUE, down, cl.svm[3], BYTES, 0, NULL, NULL));
    } else if (how == 0) {
        NEED(clEnqueueReadBuffer(cl.queue, cl.buf[3], CL_TRUE, 0, BYTES, down, 0, NULL, NULL));
    } else if (how == 1) {
        NEED(clEnqueueReadBufferRect(cl.queue, cl.buf[3], CL_TRUE, origin, origin, size, 4 * ROW, 0, 4 * ROW, 0, down,
                                     0, NULL, NULL));
    } else {
        p = clEnqueueMapBuffer(cl.queue, cl.buf[3], CL_TRUE, CL_MAP_READ, 0, BYTES, 0, NULL, NULL, &e);
        NEED(e);
        memcpy(down, p, BYTES);
        NEED(clEnqueueUnmapMemObject(cl.queue, cl.buf[3], p, 0, NULL, NULL));
    }
}

int main(int argc, char **argv)
{
    static cl_uint down[N];
    n_args = argc;
    args = argv;
    if (argc < 2)
        return fputs("usage: cl_forms FOLDER [STEP=FORM...]\n", stderr), 2;
    int how = form("upload", "write|rect|map|create");
    for (cl_uint i = 0; i < N; i++) {
        values[0][i] = 1000 + i;
        values[1][i] = 5 * i + 1;
        down[i] = 0x5EED0000 + i;
    }
    open_device();
    if (cl.shared && how == 3)
        lacks("contents of new shared virtual memory");
    for (int k = 0; k < 4; k++)
        make_buffer(k, how);
    build();
    make_kernel();
    clear(2);
    for (int k = 0; k < 2; k++)
        upload(k, how);
    cl_event event;
    run(NULL);
    move(&event);
    wait_for(event);
    read_back(down);
    cl_uint wrong = 0;
    for (cl_uint i = 0; i < N; i++)
        wrong += down[i] != CLEAR + 1000 + i + 3 * (5 * i + 1) + 7 + 5;
    if (wrong)
        printf("wrong: %u of %d\n", wrong, N);
    else
        puts("right");
    NEED(clFinish(cl.queue));
    clReleaseEvent(event);
    for (int k = 0; k < 4; k++)
        if (cl.shared)
            clSVMFree(cl.context, cl.svm[k]);
        else
            clReleaseMemObject(cl.buf[k]);
    clReleaseKernel(cl.kernel);
    clReleaseProgram(cl.program);
    clReleaseCommandQueue(cl.queue);
    clReleaseContext(cl.context);
    return wrong != 0;
}
