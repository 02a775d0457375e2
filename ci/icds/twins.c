/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin with two equal devices that cannot do a thing, the one on the higher bus first; for ci/tests/icds.sh. */
#include "../../backends/backend.h"
#include <stdio.h>
#include <string.h>

#ifndef ABI
#define ABI LAD_BACKEND_ABI
#endif

static bool enumerate(struct lad_dev_info *info, size_t room, size_t *n, struct lad_fail *fail)
{
    (void)fail;
    *n = 2;
    for (size_t i = 0; i < 2 && i < room; i++) {
        memset(&info[i], 0, sizeof info[i]);
        snprintf(info[i].name, sizeof info[i].name, "Twin GPU (revision %zu)", i);
        snprintf(info[i].model, sizeof info[i].model, "Twin GPU");
        info[i].cap[LAD_CAP_BUFFER_BYTES] = 1 << 20;
        snprintf(info[i].bus, sizeof info[i].bus, "0000:0%d:00.0", i ? 1 : 2);
    }
    return true;
}

static struct lad_dev *open_device(size_t index, struct lad_fail *fail)
{
    (void)index;
    snprintf(fail->call, sizeof fail->call, "twinOpen");
    snprintf(fail->code, sizeof fail->code, "TWIN_BUSY");
    return NULL;
}

static void close_device(struct lad_dev *dev)
{
    (void)dev;
}

static struct lad_buf *create(struct lad_dev *dev, const struct lad_buf_desc *desc, struct lad_fail *fail)
{
    (void)dev, (void)desc, (void)fail;
    return NULL;
}

static void destroy(struct lad_dev *dev, struct lad_buf *buf)
{
    (void)dev, (void)buf;
}

static bool write_buf(struct lad_dev *dev, struct lad_buf *b, uint64_t at, const void *data, size_t n,
                      struct lad_fail *fail)
{
    (void)dev, (void)b, (void)at, (void)data, (void)n, (void)fail;
    return false;
}

static bool read_buf(struct lad_dev *dev, struct lad_buf *b, uint64_t at, void *data, size_t n, struct lad_fail *fail)
{
    (void)dev, (void)b, (void)at, (void)data, (void)n, (void)fail;
    return false;
}

static struct lad_kernel *create_kernel(struct lad_dev *dev, const struct lad_kernel_desc *desc, struct lad_fail *fail)
{
    (void)dev, (void)desc, (void)fail;
    return NULL;
}

static void destroy_kernel(struct lad_dev *dev, struct lad_kernel *k)
{
    (void)dev, (void)k;
}

static bool dispatch(struct lad_dev *dev, const struct lad_dispatch *d, struct lad_fail *fail)
{
    (void)dev, (void)d, (void)fail;
    return false;
}

static bool wait_all(struct lad_dev *dev, uint64_t timeout_ns, struct lad_fail *fail)
{
    (void)dev, (void)timeout_ns, (void)fail;
    return false;
}

const struct lad_backend lad_backend = {
    .abi = ABI,
    .name = "twins",
    .prefix = "twin",
    .enumerate = enumerate,
    .open = open_device,
    .close = close_device,
    .buf_create = create,
    .buf_destroy = destroy,
    .buf_write = write_buf,
    .buf_read = read_buf,
    .kernel_create = create_kernel,
    .kernel_destroy = destroy_kernel,
    .dispatch = dispatch,
    .wait = wait_all,
};
