/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's anchors: CRCs, logs, launch counts, the table of a healthy run and of one whose bytecode reads as
 * zero, the size sweep. */
#include "../test.h"
#include "vm.h"
#include <stdlib.h>
#include <string.h>

static struct lad_arena *arena;

static bool make(const char *text, struct lad_vm_program *p)
{
    struct lad_vm_why why = {""};
    bool ok = text && lad_vm_assemble(arena, text, "test", p, &why);
    if (ok && lad_vm_check(p, false, &why) != LAD_VM_GOOD)
        ok = false;
    if (!ok)
        printf("    %s\n", why.text);
    return ok;
}

static char *read_case(const char *name)
{
    size_t bytes;
    return lad_read_file(arena, lad_printf(arena, "cases/vm/%s", name), 1 << 20, &bytes);
}

static uint32_t section_crc(const struct lad_vm_program *p, const char *tag)
{
    int s = 0;
    while (strcmp(lad_vm_sections[s].tag, tag))
        s++;
    return lad_crc(lad_vm_section_data(p, s), (size_t)lad_vm_section_count(p, s) * lad_vm_sections[s].bytes);
}

static uint32_t file_crc(const struct lad_vm_program *p, size_t *bytes)
{
    uint32_t crc;
    const char *file = lad_vm_write(arena, p, bytes);
    memcpy(&crc, file + 28, 4);
    return crc;
}

static void files(void)
{
    struct lad_vm_program p, q;
    struct lad_vm_why why;
    size_t bytes;
    CU_ASSERT_FATAL(make(read_case("example.sva"), &p));
    CU_ASSERT_EQUAL(file_crc(&p, &bytes), 0x84FD2374);
    CU_ASSERT_EQUAL(bytes, 1724);
    CU_ASSERT_EQUAL(section_crc(&p, "CODE"), 0x3DBD26D8);
    CU_ASSERT_EQUAL(section_crc(&p, "EXPR"), 0x177A50C1);
    CU_ASSERT(lad_vm_read(arena, lad_vm_write(arena, &p, &bytes), bytes, &q, &why));
    CU_ASSERT_EQUAL(file_crc(&q, &bytes), 0x84FD2374);
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    CU_ASSERT_EQUAL(file_crc(&p, &bytes), 0x7ADF8188);
    CU_ASSERT_EQUAL(bytes, 415167);
    CU_ASSERT_EQUAL(p.n_sigs, 69);
    CU_ASSERT_EQUAL(p.n_asgn, 3229);
    CU_ASSERT_EQUAL(p.n_expr, 35304);
    CU_ASSERT_EQUAL(p.n_ewat, 41);
    CU_ASSERT_EQUAL(p.n_eitm, 24);
    CU_ASSERT_EQUAL(p.n_estr, 17);
}

struct seen {
    uint64_t n;
    uint32_t pid[64];
    uint64_t time[64];
};

static void note(void *arg, uint32_t gid, uint32_t pid, uint32_t ip, uint64_t time)
{
    struct seen *seen = arg;
    if (seen->n < LAD_N(seen->pid)) {
        seen->pid[seen->n] = pid;
        seen->time[seen->n] = time;
    }
    seen->n += !gid || ip;
}

struct run {
    struct lad_vm_image *image;
    struct lad_vm_host *host;
    struct seen seen;
    struct lad_vm_watch watch;
    uint64_t launches;
    enum lad_vm_end end;
};

static bool start(struct run *r, const struct lad_vm_program *p, struct lad_vm_shape shape)
{
    struct lad_vm_why why;
    *r = (struct run){.image = lad_vm_image_create(p, &shape, &why)};
    if (!r->image) {
        printf("    %s\n", why.text);
        return false;
    }
    r->host = lad_vm_host_create(r->image);
    r->watch = (struct lad_vm_watch){.activation = note, .arg = &r->seen};
    r->image->companions.watch = &r->watch;
    return true;
}

static void finish(struct run *r)
{
    struct lad_vm_why why;
    bool ok = lad_vm_guards_hold(r->image, &why);
    CU_ASSERT(ok);
    if (!ok)
        printf("    %s\n", why.text);
    lad_vm_host_destroy(&r->host);
    lad_vm_image_destroy(&r->image);
}

static struct lad_vm_shape shape_of(uint32_t steps, uint32_t proc_steps, uint32_t capacity)
{
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    shape.max_steps = steps;
    shape.max_proc_steps = proc_steps;
    shape.capacity = capacity;
    return shape;
}

static void run(struct run *r)
{
    r->end = lad_vm_run(r->host, 100000, 0, &r->launches);
}

static const char *log_of(const struct run *r, uint32_t gid)
{
    return r->host->log[gid].text ? r->host->log[gid].text : "";
}

static void example(void)
{
    static const struct {
        uint32_t steps, proc_steps, capacity;
        uint64_t launches;
    } rows[] = {{1024, 64, 32, 1}, {1, 1, 1, 42}, {7, 3, 2, 3}};
    static const uint32_t pids[] = {0, 1, 2, 3, 0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2, 3};
    static const uint64_t times[] = {0, 0, 0, 0, 5, 5, 5, 10, 15, 15, 15, 20, 25, 25, 25, 27};
    struct lad_vm_program p;
    struct run r;
    CU_ASSERT_FATAL(make(read_case("example.sva"), &p));
    for (size_t i = 0; i < LAD_N(rows); i++) {
        CU_ASSERT_FATAL(start(&r, &p, shape_of(rows[i].steps, rows[i].proc_steps, rows[i].capacity)));
        run(&r);
        CU_ASSERT_EQUAL(r.launches, rows[i].launches);
        CU_ASSERT_EQUAL(*LAD_VM_U32(r.image, status, 0), VM_FINISHED);
        CU_ASSERT_EQUAL(*LAD_VM_U64(r.image, time, 0), 27);
        CU_ASSERT_STRING_EQUAL(log_of(&r, 0), "cnt=3 a=22 b=11 t=27\n$finish (pid=3)\n");
        if (!i) {
            CU_ASSERT_EQUAL(r.seen.n, 16);
            CU_ASSERT(!memcmp(r.seen.pid, pids, sizeof pids) && !memcmp(r.seen.time, times, sizeof times));
        }
        finish(&r);
    }
}

static uint64_t get(const struct run *r, uint32_t gid, const char *name)
{
    const struct lad_vm_program *p = r->image->program;
    for (uint32_t i = 0; i < p->n_sigs; i++) {
        uint64_t val, xz;
        if (strcmp(lad_vm_name(p, p->sigs[i].name), name))
            continue;
        lad_vm_signal_get(r->image, gid, i, 0, &val, &xz);
        return xz ? UINT64_MAX : val;
    }
    return UINT64_MAX;
}

static void check_pico45(const struct run *r, uint32_t gid)
{
    uint64_t acc = 0, c = 0;
    CU_ASSERT_EQUAL(*LAD_VM_U32(r->image, status, gid), VM_FINISHED);
    CU_ASSERT_EQUAL(*LAD_VM_U64(r->image, time, gid), 1003);
    CU_ASSERT_STRING_EQUAL(log_of(r, gid),
                           "pico45 m=ce880937 acc4=d33ed018 acc27=5b293218 c44=8d6fec8e\n$finish (pid=3)\n");
    for (unsigned i = 4; i < 45; i++) {
        char name[16];
        snprintf(name, sizeof name, i < 28 ? "acc%u" : "c%u", i);
        CU_ASSERT_EQUAL(get(r, gid, name), lad_vm_pico_want(i));
        *(i < 28 ? &acc : &c) ^= get(r, gid, name);
    }
    CU_ASSERT_EQUAL(get(r, gid, "k0"), 0x00010001);
    CU_ASSERT_EQUAL(get(r, gid, "k1"), 0x00020002);
    CU_ASSERT_EQUAL(get(r, gid, "acc5"), 0xc37fc65c);
    CU_ASSERT_EQUAL(get(r, gid, "acc6"), 0x81dac564);
    CU_ASSERT_EQUAL(get(r, gid, "c28"), 0x6f05d4a1);
    CU_ASSERT_EQUAL(acc, 0x77db091c);
    CU_ASSERT_EQUAL(c, 0xedbbe0d3);
}

static void pico45(void)
{
    static const struct {
        uint32_t steps, proc_steps;
        uint64_t launches, activations;
    } rows[] = {{1, 624, 4346, 4346}, {1024, 0, 5, 4346}, {1024, 64, 8, 7549}, {3, 7, 15945, 0}};
    struct lad_vm_program p;
    struct run r;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    for (size_t i = 0; i < LAD_N(rows); i++) {
        CU_ASSERT_FATAL(start(&r, &p, shape_of(rows[i].steps, rows[i].proc_steps, 32)));
        run(&r);
        CU_ASSERT_EQUAL(r.launches, rows[i].launches);
        CU_ASSERT(!rows[i].activations || r.seen.n == rows[i].activations);
        check_pico45(&r, 0);
        finish(&r);
    }
}

static char *line_of(void (*print)(FILE *, const struct lad_vm_image *, uint32_t), const struct lad_vm_image *image,
                     uint32_t n)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    print(out, image, n);
    fclose(out);
    char *copy = lad_strdup(arena, text);
    free(text);
    return copy;
}

static void pico45_table(void)
{
    struct lad_vm_program p;
    struct run r;
    uint32_t launch = 0;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p) && start(&r, &p, shape_of(1, 624, 32)));
    for (const struct lad_vm_anchor *row = lad_vm_anchors; row->launch; row++) {
        char want[160];
        struct lad_vm_why why;
        for (; launch < row->launch; launch++) {
            lad_vm_launch_reference(r.image);
            lad_vm_drain(r.host);
        }
        bool holds = lad_vm_anchor_holds(r.image, launch, &why);
        CU_ASSERT(holds);
        if (!holds)
            printf("    %s\n", why.text);
        const char *status = line_of(lad_vm_print_status, r.image, launch);
        snprintf(want, sizeof want, "status=1(idle) error=0 halt=4294967295 phase=%u flags=", row->phase);
        CU_ASSERT_PTR_NOT_NULL(strstr(status, want));
        snprintf(want, sizeof want, "state=[ready:%u blocked:%u done:%u]", row->ready, row->blocked, row->done);
        CU_ASSERT_PTR_NOT_NULL(strstr(status, want));
        snprintf(want, sizeof want, "waits=[none:%u time:%u event:0 cond:0 join:0 delta:0 edge:%u service:0]",
                 row->none, row->time, row->edge);
        CU_ASSERT_PTR_NOT_NULL(strstr(status, want));
        CU_ASSERT_EQUAL(*LAD_VM_U32(r.image, cursor, 0), row->cursor);
        CU_ASSERT_EQUAL(*LAD_VM_U64(r.image, time, 0), launch > 45 ? 5 : 0);
        const uint32_t *d = row->debug;
        snprintf(want, sizeof want,
                 "magic=0x564d4447 bc_base=%u len=%u ip=%u instr=0x%x op=%u arg=%u instr0=0x%x instr1=0x%x ", d[0],
                 d[1], d[2], d[3], d[3] & 0xFF, d[3] >> 8, d[4], d[5]);
        CU_ASSERT_PTR_NOT_NULL(strstr(line_of(lad_vm_print_debug, r.image, 0), want));
    }
    finish(&r);
}

static void stats(void)
{
    struct lad_vm_program p;
    char *text = NULL;
    size_t bytes;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    FILE *out = open_memstream(&text, &bytes);
    lad_vm_print_stats(out, &p);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(
        text, "sched-vm: proc length bins len0=0 len1=0 len2=2 len3=0 len4=1 len5=0 len6=1 len7=0 len8=1 len9+=40 "
              "zero_len=0\n"
              "sched-vm: proc first-op counts done=0 callgroup=0 wait_time=2 wait_delta=0 wait_edge=24 wait_cond=0 "
              "wait_event=0 repeat=0 assign=19 assign_nb=0 assign_delay=0 service=0\n");
    free(text);
}

/* Buffer 0 made to read as zero: the state counts of the failure, and the detector that reads the debug record. */
static void zero_bytecode(void)
{
    struct lad_vm_program p;
    struct run r;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p) && start(&r, &p, shape_of(1, 624, 32)));
    void *real = r.image->tables.table[0];
    r.image->tables.table[0] = lad_alloc(arena, r.image->table_room[0]);
    for (uint32_t launch = 1; launch <= 46; launch++) {
        lad_vm_launch_reference(r.image);
        const char *status = line_of(lad_vm_print_status, r.image, launch);
        char want[80];
        snprintf(want, sizeof want, "state=[ready:%u blocked:0 done:%u]", launch < 45 ? 45 - launch : 0,
                 launch < 45 ? launch : 45);
        CU_ASSERT_PTR_NOT_NULL(strstr(status, want));
        if (launch == 45)
            CU_ASSERT_PTR_NOT_NULL(strstr(status, "phase=1 flags=5 time=0"));
    }
    CU_ASSERT_EQUAL(*LAD_VM_U32(r.image, status, 0), VM_FINISHED);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(line_of(lad_vm_print_debug, r.image, 0),
               "magic=0x564d4447 bc_base=27456 len=128 ip=0 instr=0x0 op=0 arg=0 instr0=0x0 instr1=0x0"));
    struct lad_vm_why why;
    r.image->tables.table[0] = real;
    CU_ASSERT_FALSE(lad_vm_fetch_matches(r.image, 0, &why));
    CU_ASSERT_STRING_EQUAL(why.text, "svm-bytecode-mismatch: gid=0 pid=44 ip=0 gpu=0x00000000 host=0x000c2007");
    finish(&r);
}

static void check_pico(const struct run *r, unsigned n, uint32_t gid)
{
    CU_ASSERT_EQUAL(*LAD_VM_U32(r->image, status, gid), VM_FINISHED);
    CU_ASSERT_EQUAL(*LAD_VM_U64(r->image, time, gid), 1003);
    CU_ASSERT_STRING_EQUAL(log_of(r, gid), "pico m=ce880937\n$finish (pid=3)\n");
    for (unsigned i = 4; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, (i - 4) % 41 < 24 ? "acc%u" : "c%u", i);
        CU_ASSERT_EQUAL(get(r, gid, name), lad_vm_pico_want(i));
    }
}

static void check_first_sweep(const struct lad_vm_program *p, unsigned n)
{
    struct run r;
    CU_ASSERT_FATAL(start(&r, p, shape_of(1, 624, 32)));
    for (unsigned launch = 0; launch < n; launch++)
        lad_vm_launch_reference(r.image);
    char want[200];
    const char *status = line_of(lad_vm_print_status, r.image, n);
    snprintf(want, sizeof want, "state=[ready:0 blocked:%u done:2]", n - 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(status, want));
    snprintf(want, sizeof want, "waits=[none:2 time:2 event:0 cond:0 join:0 delta:0 edge:%u service:0]", n - 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(status, want));
    CU_ASSERT_PTR_NOT_NULL(strstr(status, "phase=1 flags=5 time=0"));
    finish(&r);
}

static void sweep(void)
{
    static const unsigned sizes[] = {4, 5, 6, 7, 26, 27, 28, 29, 44, 86};
    struct lad_vm_program p;
    struct run r;
    for (size_t i = 0; i < LAD_N(sizes); i++) {
        unsigned n = sizes[i];
        CU_ASSERT_FATAL(make(lad_vm_pico(arena, n), &p));
        CU_ASSERT_EQUAL(p.n_code, 624 * n);
        check_first_sweep(&p, n);
        for (int mode = 0; mode < 6; mode++) {
            struct lad_vm_shape shape = shape_of(1024, 624, 32);
            shape.binding = (enum lad_vm_binding)(mode % 3);
            shape.shared = mode / 3;
            CU_ASSERT_FATAL(start(&r, &p, shape));
            run(&r);
            CU_ASSERT_EQUAL(r.seen.n, n + 200 + 100 * (n - 4) + 1);
            check_pico(&r, n, 0);
            finish(&r);
        }
    }
}

static void many(void)
{
    struct lad_vm_program p;
    struct run r;
    CU_ASSERT_FATAL(make(lad_vm_pico(arena, 45), &p));
    for (int mode = 0; mode < 6; mode++) {
        struct lad_vm_shape shape = shape_of(1024, 64, 32);
        shape.count = 33;
        shape.binding = (enum lad_vm_binding)(mode % 3);
        shape.shared = mode / 3;
        CU_ASSERT_FATAL(start(&r, &p, shape));
        run(&r);
        CU_ASSERT_EQUAL(r.launches, 8);
        for (uint32_t g = 0; g < 33; g++)
            check_pico45(&r, g);
        finish(&r);
    }
}

static void single_done(void)
{
    struct lad_vm_program p;
    struct run r;
    CU_ASSERT_FATAL(make(".svm 1.0\n.proc p\n", &p) && start(&r, &p, shape_of(1024, 64, 32)));
    run(&r);
    CU_ASSERT_EQUAL(r.launches, 1);
    CU_ASSERT_EQUAL(r.seen.n, 1);
    CU_ASSERT_EQUAL(*LAD_VM_U32(r.image, status, 0), VM_FINISHED);
    CU_ASSERT_EQUAL(*LAD_VM_U64(r.image, time, 0), 0);
    finish(&r);
}

int main(void)
{
    static const struct lad_test tests[] = {{"files have the specification's CRCs", files},
                                            {"the example runs as printed, under three slicings", example},
                                            {"pico45 ends as printed, after as many launches", pico45},
                                            {"pico45 launch by launch", pico45_table},
                                            {"load-time statistics", stats},
                                            {"bytecode that reads as zero", zero_bytecode},
                                            {"a single DONE", single_done},
                                            {"size sweep", sweep},
                                            {"33 instances", many},
                                            {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("vm anchors", tests);
    lad_arena_destroy(&arena);
    return status;
}
