/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the decorator: its objects around those of the backend inside, and its list of commands. What the harness
 * holds are our objects; what commands hold are those of the backend inside. */
#ifndef LAD_DECO_H
#define LAD_DECO_H

#include "../backend.h"
#include "inject.h"

struct deco_mem { /* an allocation; faults let buffers share one */
    struct lad_buf *inner;
    uint64_t bytes;
    uint32_t refs;
};
struct deco_buf {
    struct deco_buf *older, *newer;
    struct deco_mem *mem;
    uint64_t base; /* within the allocation */
    struct lad_buf_desc desc;
    uint64_t number, from; /* from: offset at which it was last bound */
    unsigned char *view;   /* what the host wrote last, or saw at the last wait, where a fault needs to know */
    unsigned char *shadow; /* handed out by map */
    struct lad_buf *zero;  /* stands in for it where addresses are asked for */
    bool writing, vanished, apart, floats, shared, swapped, bound;
};
struct deco_kernel {
    struct lad_kernel *inner;
    struct lad_kernel_desc desc;
    bool empty, borrowed;
    char log[128];
    unsigned char last[256]; /* scalars of its last dispatch */
    bool has_last;
};
enum deco_kind { DECO_DISPATCH, DECO_FILL, DECO_COPY, DECO_BARRIER };
struct deco_cmd {
    enum deco_kind kind;
    struct lad_dispatch d;
    struct lad_bind bind[64];
    unsigned char scalars[256];
    struct lad_buf **reach; /* owned */
    const struct lad_kernel_source *source;
    struct lad_buf *from, *to;
    uint64_t from_offset, to_offset, bytes;
    uint32_t word;
};
struct deco {
    const struct lad_backend *inner;
    struct lad_injection set;
    struct lad_dev *dev;
    struct deco_buf *newest;
    uint64_t n_bufs, n_dispatches;
    struct deco_cmd *cmd;
    size_t n_cmds, room;
    struct lad_buf *scratch[512];
    size_t n_scratch;
    struct { /* an upload that waits in the staging buffer */
        struct deco_buf *buf;
        uint64_t offset;
        unsigned char *data;
        size_t bytes;
    } staged;
    struct {
        const struct lad_kernel_source *source;
        struct lad_kernel *kernel;
    } cached[64];
    size_t n_cached;
    bool defers, maps, views, late, dead;
    bool told;      /* of the dead device */
    char said[160]; /* for message() */
};
extern struct deco deco; /* the one device that is open */

#define DECO_HIT(name, at) lad_inject_step(&deco.set, LAD_FAULT_##name, at)
#define DECO_ON(name) lad_inject_on(&deco.set, LAD_FAULT_##name)

/* deco_commands.c */
bool deco_dispatch(struct lad_dev *, const struct lad_dispatch *, struct lad_fail *);
bool deco_fill(struct lad_dev *, struct lad_buf *, uint64_t offset, uint64_t bytes, uint32_t word, struct lad_fail *);
bool deco_copy(struct lad_dev *, struct lad_buf *, uint64_t, struct lad_buf *, uint64_t, uint64_t, struct lad_fail *);
bool deco_barrier(struct lad_dev *, struct lad_fail *);
/* deco_wait.c */
bool deco_emit(const struct deco_cmd *, struct lad_fail *); /* to the backend, or to the list */
bool deco_wait(struct lad_dev *, uint64_t timeout_ns, struct lad_fail *);
bool deco_submit(struct lad_dev *, struct lad_fail *);
bool deco_finish(struct lad_dev *, struct lad_fail *);
bool deco_done(struct lad_dev *, bool *complete, struct lad_fail *);
bool deco_settle(struct lad_fail *); /* what a wait left behind is done now */
void deco_forget(void);
/* deco_memory.c */
struct lad_buf *deco_buf_create(struct lad_dev *, const struct lad_buf_desc *, struct lad_fail *);
void deco_buf_destroy(struct lad_dev *, struct lad_buf *);
bool deco_buf_write(struct lad_dev *, struct lad_buf *, uint64_t, const void *, size_t, struct lad_fail *);
bool deco_buf_read(struct lad_dev *, struct lad_buf *, uint64_t, void *, size_t, struct lad_fail *);
void *deco_map(struct lad_dev *, struct lad_buf *, bool write, struct lad_fail *);
bool deco_unmap(struct lad_dev *, struct lad_buf *, struct lad_fail *);
uint64_t deco_buf_address(struct lad_dev *, struct lad_buf *);
bool deco_unstage(struct lad_fail *); /* the upload that waits is carried out */
/* decorator.c */
void deco_say(const struct lad_inject *, const char *text); /* unless its log=0 */

#endif
