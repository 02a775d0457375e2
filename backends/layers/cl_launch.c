/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels, their arguments, and their launches. */
#include "cl_fault.h"
#include <stdlib.h>
#include <string.h>

struct arg {
    size_t bytes;
    bool set, memory, local, opaque, svm; /* svm: shared virtual memory, by its pointer */
    unsigned char value[128], last[128], first[128];
};
struct kernel {
    cl_kernel handle;
    struct arg arg[ARGS];
    bool launched, batched, ours; /* ours: one of gpuladder's, of which the last buffer is the witness */
    cl_mem loan;
    void **hidden; /* shared virtual memory that the program named and the driver was not told of */
    size_t n_hidden;
};

static struct kernel **kernels;
static size_t n_kernels, kernel_room;

void end_batch(void)
{
    for (size_t i = 0; i < n_kernels; i++)
        kernels[i]->batched = false;
}

static struct kernel *find_kernel(cl_kernel handle)
{
    struct kernel *found = NULL;
    pthread_mutex_lock(&layer.lock);
    for (size_t i = 0; i < n_kernels && !found; i++)
        found = kernels[i]->handle == handle ? kernels[i] : NULL;
    pthread_mutex_unlock(&layer.lock);
    return found;
}

static void forget(cl_kernel handle)
{
    for (size_t i = n_kernels; i-- > 0;)
        if (kernels[i]->handle == handle) {
            free(kernels[i]->hidden);
            free(kernels[i]);
            kernels[i] = kernels[--n_kernels];
        }
}

/* A handle that comes again is of another kernel: what runs may keep one alive beyond its release. */
static struct kernel *note(cl_kernel handle)
{
    static const char name_of_ours[] = "lad_main";
    char name[sizeof name_of_ours] = "";
    struct kernel *own = handle ? calloc(1, sizeof *own) : NULL;
    if (!own)
        return NULL;
    own->handle = handle;
    own->ours = to->clGetKernelInfo(handle, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL) == CL_SUCCESS &&
                !strcmp(name, name_of_ours);
    pthread_mutex_lock(&layer.lock);
    forget(handle);
    kernels = grow(kernels, n_kernels, &kernel_room, sizeof *kernels);
    kernels[n_kernels++] = own;
    pthread_mutex_unlock(&layer.lock);
    return own;
}

static cl_kernel CL_API_CALL CreateKernel(cl_program p, const char *name, cl_int *rc)
{
    cl_kernel k = to->clCreateKernel(p, name, rc);
    note(k);
    return k;
}

static cl_int CL_API_CALL CreateKernelsInProgram(cl_program p, cl_uint room, cl_kernel *list, cl_uint *n)
{
    cl_uint have = 0;
    cl_int rc = to->clCreateKernelsInProgram(p, room, list, &have);
    for (cl_uint i = 0; rc == CL_SUCCESS && list && i < have; i++)
        note(list[i]);
    if (n)
        *n = have;
    return rc;
}

/* Has the arguments of the first, and is nobody's last launch. */
static cl_kernel CL_API_CALL CloneKernel(cl_kernel of, cl_int *rc)
{
    cl_kernel k = to->clCloneKernel(of, rc);
    struct kernel *from = find_kernel(of), *own = note(k);
    if (own && from)
        memcpy(own->arg, from->arg, sizeof own->arg);
    return k;
}

static cl_int CL_API_CALL ReleaseKernel(cl_kernel handle)
{
    cl_uint refs = 0;
    to->clGetKernelInfo(handle, CL_KERNEL_REFERENCE_COUNT, sizeof refs, &refs, NULL);
    pthread_mutex_lock(&layer.lock);
    if (refs == 1)
        forget(handle);
    pthread_mutex_unlock(&layer.lock);
    return to->clReleaseKernel(handle);
}

static cl_int CL_API_CALL SetKernelArg(cl_kernel handle, cl_uint i, size_t bytes, const void *value)
{
    struct kernel *k = find_kernel(handle);
    cl_int rc = to->clSetKernelArg(handle, i, bytes, value);
    if (rc != CL_SUCCESS || !k || i >= ARGS)
        return rc;
    struct arg *a = &k->arg[i];
    a->set = value && bytes <= sizeof a->value;
    a->bytes = bytes;
    a->local = !value;
    a->memory = a->opaque = a->svm = false;
    if (a->set)
        memcpy(a->value, value, bytes);
    cl_mem b;
    if (a->set && bytes == sizeof b) {
        memcpy(&b, value, sizeof b);
        const struct mem *m = find_mem(b);
        a->memory = m && !m->opaque;
        a->opaque = m && m->opaque;
    }
    return rc;
}

static cl_int CL_API_CALL SetKernelArgSVMPointer(cl_kernel handle, cl_uint i, const void *value)
{
    struct kernel *k = find_kernel(handle);
    cl_int rc = to->clSetKernelArgSVMPointer(handle, i, value);
    if (rc != CL_SUCCESS || !k || i >= ARGS)
        return rc;
    struct arg *a = &k->arg[i];
    a->set = a->memory = a->svm = svm_bytes(value);
    a->local = a->opaque = false;
    a->bytes = sizeof value;
    memcpy(a->value, &value, sizeof value);
    return rc;
}

static cl_int CL_API_CALL SetKernelExecInfo(cl_kernel handle, cl_kernel_exec_info what, size_t bytes, const void *value)
{
    struct kernel *k = find_kernel(handle);
    size_t n = bytes / sizeof(void *), left = 0;
    if (!k || what != CL_KERNEL_EXEC_INFO_SVM_PTRS || !value || !n)
        return to->clSetKernelExecInfo(handle, what, bytes, value);
    struct lad_inject *f = HIT(I2_cl_not_declared, .size = n, .after = layer.n_launches);
    void **list = calloc(2 * n, sizeof *list);
    if (!list)
        return CL_OUT_OF_HOST_MEMORY;
    memcpy(list + n, value, bytes);
    free(k->hidden);
    k->hidden = list;
    k->n_hidden = 0;
    for (size_t i = 0; i < n; i++)
        if (f && (!PARAM(f, "which") || PARAM(f, "which") == i + 1))
            list[k->n_hidden++] = list[n + i];
        else
            list[n + left++] = list[n + i];
    return left ? to->clSetKernelExecInfo(handle, what, left * sizeof *list, list + n) : CL_SUCCESS;
}

static bool is_scalar(const struct arg *a)
{
    return a->set && !a->memory && !a->local && !a->opaque;
}

/* Is it the how-manieth scalar of its kernel that a fault means? 0: all. */
static bool is_meant(const struct kernel *k, cl_uint i, const struct lad_inject *f)
{
    uint64_t arg = PARAM(f, "arg"), n = 0;
    for (cl_uint j = 0; j <= i; j++)
        n += is_scalar(&k->arg[j]);
    return is_scalar(&k->arg[i]) && (!arg || arg == n);
}

static void change_scalars(struct kernel *k, struct lad_at at)
{
    struct lad_inject *zero = step(LAD_FAULT_B4_cl_zero, at), *turn = step(LAD_FAULT_B4_cl_byte_order, at);
    struct lad_inject *half = step(LAD_FAULT_B4_cl_low_half, at);
    struct lad_inject *last = k->launched ? step(LAD_FAULT_B4_cl_last_launch, at) : NULL;
    struct lad_inject *first = k->batched ? step(LAD_FAULT_B6_cl_first_arguments, at) : NULL;
    for (cl_uint i = 0; i < ARGS; i++) {
        struct arg *a = &k->arg[i];
        unsigned char own[sizeof a->value];
        if (!is_scalar(a))
            continue;
        memcpy(own, a->value, sizeof own);
        if (zero && is_meant(k, i, zero))
            memset(own, 0, a->bytes);
        for (size_t j = 0; turn && is_meant(k, i, turn) && j < a->bytes; j++)
            own[j] = a->value[a->bytes - 1 - j];
        if (half && is_meant(k, i, half))
            memset(own + a->bytes / 2, 0, a->bytes / 2);
        if (last && is_meant(k, i, last))
            memcpy(own, a->last, a->bytes);
        if (first && is_meant(k, i, first))
            memcpy(own, a->first, a->bytes);
        if (!k->batched)
            memcpy(a->first, a->value, a->bytes);
        memcpy(a->last, a->value, a->bytes);
        if (memcmp(own, a->value, a->bytes))
            to->clSetKernelArg(k->handle, i, a->bytes, own);
    }
}

/* The memory `value` in the place of argument i, as one of the kind of `like`. */
static void put(struct kernel *k, cl_uint i, const struct arg *like, const void *value)
{
    void *p;
    memcpy(&p, value, sizeof p);
    if (like->svm)
        to->clSetKernelArgSVMPointer(k->handle, i, p);
    else
        to->clSetKernelArg(k->handle, i, sizeof(cl_mem), p ? value : NULL);
}

static size_t bytes_behind(const struct arg *a)
{
    void *p;
    memcpy(&p, a->value, sizeof p);
    struct mem *m = a->svm ? NULL : find_mem(p);
    return a->svm ? svm_bytes(p) : m ? m->bytes : 0;
}

/* Memory of nobody in the place of an argument: as large, and full of zeros. The launch keeps it. */
static void lend(cl_command_queue q, struct kernel *k, cl_uint i)
{
    size_t n = bytes_behind(&k->arg[i]);
    void *bytes = n ? calloc(1, n) : NULL;
    cl_mem loan =
        bytes ? to->clCreateBuffer(context_of(q), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, n, bytes, NULL) : NULL;
    free(bytes);
    if (!loan)
        return;
    to->clSetKernelArg(k->handle, i, sizeof loan, &loan);
    k->loan = loan;
}

/* A buffer that is taken for free holds what somebody else put there: another argument's data, or (NULL) poison. */
static void overwrite(cl_command_queue q, struct kernel *k, cl_uint i, const struct arg *other, const struct waits *w)
{
    const cl_uint poison = 0xDDDDDDDD;
    const struct arg *own = &k->arg[i];
    size_t bytes = bytes_behind(own) & ~(size_t)3, most = other ? bytes_behind(other) : 0;
    void *p, *from = NULL;
    memcpy(&p, own->value, sizeof p);
    if (other)
        memcpy(&from, other->value, sizeof from);
    if (!bytes || (other && (from == p || !most || other->svm != own->svm)))
        return;
    if (!other && own->svm)
        to->clEnqueueSVMMemFill(q, p, &poison, sizeof poison, bytes, WAITS(*w), NULL);
    else if (!other)
        to->clEnqueueFillBuffer(q, p, &poison, sizeof poison, 0, bytes, WAITS(*w), NULL);
    else if (own->svm)
        to->clEnqueueSVMMemcpy(q, CL_FALSE, p, from, bytes < most ? bytes : most, WAITS(*w), NULL);
    else
        to->clEnqueueCopyBuffer(q, from, p, 0, 0, bytes < most ? bytes : most, WAITS(*w), NULL);
}

static bool pick(const struct lad_inject *f, const cl_uint *mine, cl_uint n, cl_uint *i)
{
    if (!f || !PARAM(f, "bind") || PARAM(f, "bind") > n)
        return false;
    *i = mine[PARAM(f, "bind") - 1];
    return true;
}

static void change_buffers(cl_command_queue q, struct kernel *k, struct lad_at at, const struct waits *w)
{
    struct lad_inject *f;
    cl_uint mine[ARGS], n = 0, i;
    for (i = 0; i < ARGS; i++)
        if (k->arg[i].set && k->arg[i].memory)
            mine[n++] = i;
    n -= n > 0 && k->ours;
    bool shared = k->batched && step(LAD_FAULT_B6_cl_first_buffers, at);
    for (i = 0; i < n; i++)
        if (shared)
            put(k, mine[i], &k->arg[mine[i]], k->arg[mine[i]].first);
        else if (!k->batched)
            memcpy(k->arg[mine[i]].first, k->arg[mine[i]].value, sizeof(cl_mem));
    if (n > 1 && step(LAD_FAULT_B1_cl_swap, at)) {
        put(k, mine[0], &k->arg[mine[1]], k->arg[mine[1]].value);
        put(k, mine[1], &k->arg[mine[0]], k->arg[mine[0]].value);
    }
    if (n > 1 && step(LAD_FAULT_B1_cl_shift, at))
        for (i = 0; i < n; i++)
            put(k, mine[i], &k->arg[mine[(i + 1) % n]], k->arg[mine[(i + 1) % n]].value);
    if (pick(step(LAD_FAULT_B2_cl_null, at), mine, n, &i))
        to->clSetKernelArg(k->handle, i, sizeof(cl_mem), NULL);
    if (pick(step(LAD_FAULT_B2_cl_zero_page, at), mine, n, &i))
        lend(q, k, i);
    if (!layer.keep && pick(step(LAD_FAULT_L1_cl_freed_early, at), mine, n, &i))
        overwrite(q, k, i, NULL, w);
    if (!layer.keep && pick(f = step(LAD_FAULT_L1_cl_reused, at), mine, n, &i) && PARAM(f, "bind") < n)
        overwrite(q, k, i, &k->arg[mine[PARAM(f, "bind")]], w);
}

static void restore(struct kernel *k)
{
    for (cl_uint i = 0; i < ARGS; i++)
        if (k->arg[i].set && k->arg[i].memory)
            put(k, i, &k->arg[i], k->arg[i].value);
        else if (k->arg[i].set)
            to->clSetKernelArg(k->handle, i, k->arg[i].bytes, k->arg[i].value);
    if (k->loan)
        to->clReleaseMemObject(k->loan);
    k->loan = NULL;
}

static void change_grid(cl_uint dims, size_t *offset, size_t *global, size_t *local, struct lad_at at)
{
    struct lad_inject *f;
    if (step(LAD_FAULT_D2_cl_divided, at))
        global[0] = (global[0] / local[0] + local[0] - 1) / local[0] * local[0];
    if (step(LAD_FAULT_D2_cl_one_group, at))
        memcpy(global, local, 3 * sizeof *global);
    if (global[0] > local[0] && step(LAD_FAULT_D3_cl_last_group, at))
        global[0] -= local[0];
    if ((f = step(LAD_FAULT_D4_cl_extra_group, at)))
        global[0] += (size_t)PARAM(f, "more") * local[0];
    if (dims > 1 && global[0] / local[0] != global[1] / local[1] && step(LAD_FAULT_D5_cl_swap_xy, at)) {
        size_t x = global[0] / local[0];
        global[0] = global[1] / local[1] * local[0];
        global[1] = x * local[1];
    }
    if ((offset[0] || offset[1] || offset[2]) && step(LAD_FAULT_D5_cl_no_offset, at))
        memset(offset, 0, 3 * sizeof *offset);
    if ((f = step(LAD_FAULT_Z2_cl_clamp_groups, at)) && global[0] / local[0] > PARAM(f, "limit"))
        global[0] = (size_t)PARAM(f, "limit") * local[0];
    if ((f = step(LAD_FAULT_Z2_cl_wrap_groups, at)) && PARAM(f, "limit"))
        global[0] = global[0] / local[0] % (size_t)PARAM(f, "limit") * local[0];
    if (local[0] > 1 && (f = step(LAD_FAULT_C2_cl_local_size, at)) && PARAM(f, "divide") &&
        local[0] % PARAM(f, "divide") == 0)
        local[0] /= (size_t)PARAM(f, "divide");
}

/* Memory that the driver was not told of reads as zeros, and what is written to it is gone: aside with it, and back. */
static void set_aside(cl_command_queue q, struct kernel *k, void **aside)
{
    const cl_uint zero = 0;
    go();
    for (size_t i = 0; i < k->n_hidden; i++) {
        size_t bytes = svm_bytes(k->hidden[i]) & ~(size_t)3;
        aside[i] = bytes ? to->clSVMAlloc(context_of(q), CL_MEM_READ_WRITE, bytes, 0) : NULL;
        if (aside[i] && to->clEnqueueSVMMemcpy(q, CL_TRUE, aside[i], k->hidden[i], bytes, 0, NULL, NULL) == CL_SUCCESS)
            to->clEnqueueSVMMemFill(q, k->hidden[i], &zero, sizeof zero, bytes, 0, NULL, NULL);
    }
    finish(q);
}

static void put_back(cl_command_queue q, struct kernel *k, void **aside)
{
    finish(q);
    for (size_t i = 0; i < k->n_hidden; i++)
        if (aside[i]) {
            to->clEnqueueSVMMemcpy(q, CL_TRUE, k->hidden[i], aside[i], svm_bytes(k->hidden[i]) & ~(size_t)3, 0, NULL,
                                   NULL);
            to->clSVMFree(context_of(q), aside[i]);
        }
}

/* An event that says that its command failed. */
static cl_int failed_event(cl_command_queue q, cl_event *event)
{
    cl_int rc = CL_SUCCESS;
    if (event && (*event = to->clCreateUserEvent(context_of(q), &rc)))
        rc = to->clSetUserEventStatus(*event, CL_OUT_OF_RESOURCES);
    return rc;
}

static cl_int launch_late(struct queue *q, cl_kernel k, cl_uint dims, const size_t *offset, const size_t *global,
                          const size_t *local, cl_event *event)
{
    cl_event gate = late_gate(q);
    return to->clEnqueueNDRangeKernel(q->hidden, k, dims, offset, global, local, 1, &gate, event);
}

/* The workgroup of a launch that leaves it to the driver: of a size that the driver could have taken. */
static void choose_local(cl_kernel handle, size_t global, size_t *local)
{
    cl_device_id device = NULL; /* the only one */
    size_t most = 1;
    to->clGetKernelWorkGroupInfo(handle, device, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL);
    *local = most < 64 ? most : 64;
    while (*local > 1 && global % *local)
        --*local;
}

static cl_int CL_API_CALL EnqueueNDRangeKernel(cl_command_queue q, cl_kernel handle, cl_uint dims, const size_t *offset,
                                               const size_t *global, const size_t *local, cl_uint n,
                                               const cl_event *list, cl_event *event)
{
    struct kernel *k = find_kernel(handle);
    struct queue *found = find_queue(q);
    size_t o[3] = {0, 0, 0}, g[3] = {1, 1, 1}, l[3] = {1, 1, 1};
    for (cl_uint i = 0; i < dims && i < 3; i++) {
        o[i] = offset ? offset[i] : 0;
        g[i] = global ? global[i] : 1;
        l[i] = local ? local[i] : 1;
    }
    if (!local && g[0])
        choose_local(handle, g[0], l);
    struct lad_at at = {.size = l[0] ? g[0] / l[0] : 0, .after = layer.n_launches++};
    const size_t grid[3] = {g[0], g[1], g[2]}, group = l[0];
    if (step(LAD_FAULT_S4_cl_no_wait_list, at))
        n = 0;
    struct waits w = gated(q, n, list);
    layer.dead |= step(LAD_FAULT_T1_cl_silent, at) || step(LAD_FAULT_T1_cl_lost, at);
    if (layer.dead && lad_inject_on(&layer.set, LAD_FAULT_T1_cl_lost))
        return failed_event(q, event);
    if (step(LAD_FAULT_E2_cl_failed_event, at))
        return failed_event(q, event);
    if (step(LAD_FAULT_E2_cl_launch_refused, at)) {
        to->clEnqueueNDRangeKernel(q, handle, 4, NULL, g, NULL, 0, NULL, NULL); /* and nobody looks at what it says */
        return mark(q, WAITS(w), event);
    }
    if (layer.dead || step(LAD_FAULT_D1_cl_dropped, at))
        return mark(q, WAITS(w), event);
    if (l[0] && l[1] && l[2])
        change_grid(dims, o, g, l, at);
    if (!g[0] && step(LAD_FAULT_Z2_cl_wrap_groups, at))
        return mark(q, WAITS(w), event);
    if (!g[0] && global && global[0])
        return mark(q, WAITS(w), event);
    if (k) {
        change_scalars(k, at);
        change_buffers(q, k, at, &w);
        k->launched = k->batched = true;
    }
    const size_t *base = offset ? o : NULL, *size = local || memcmp(grid, g, sizeof grid) || group != l[0] ? l : NULL;
    cl_int rc = CL_SUCCESS;
    void **aside = k && k->n_hidden ? calloc(k->n_hidden, sizeof *aside) : NULL;
    if (aside) {
        set_aside(q, k, aside);
        w = (struct waits){0}; /* all of it is over */
    }
    if (step(LAD_FAULT_D4_cl_twice, at))
        rc = to->clEnqueueNDRangeKernel(q, handle, dims, base, g, size, WAITS(w), NULL);
    if (rc == CL_SUCCESS && found && found->hidden && !n && step(LAD_FAULT_S3_cl_late, at))
        rc = launch_late(found, handle, dims, base, g, size, event);
    else if (rc == CL_SUCCESS)
        rc = to->clEnqueueNDRangeKernel(q, handle, dims, base, g, size, WAITS(w), event);
    if (k)
        restore(k);
    if (aside)
        put_back(q, k, aside);
    free(aside);
    return rc;
}

static cl_int CL_API_CALL EnqueueTask(cl_command_queue q, cl_kernel handle, cl_uint n, const cl_event *list,
                                      cl_event *event)
{
    const size_t one = 1;
    return EnqueueNDRangeKernel(q, handle, 1, NULL, &one, &one, n, list, event);
}

void hook_launches(struct _cl_icd_dispatch *table)
{
    table->clEnqueueTask = EnqueueTask;
    table->clCreateKernelsInProgram = CreateKernelsInProgram;
    table->clCloneKernel = CloneKernel;
    table->clCreateKernel = CreateKernel;
    table->clReleaseKernel = ReleaseKernel;
    table->clSetKernelArg = SetKernelArg;
    table->clSetKernelArgSVMPointer = SetKernelArgSVMPointer;
    table->clSetKernelExecInfo = SetKernelExecInfo;
    table->clEnqueueNDRangeKernel = EnqueueNDRangeKernel;
}
