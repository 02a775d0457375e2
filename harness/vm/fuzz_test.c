/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile input: bent program files, random bytecode and expressions, bent text. Nothing may crash, hang or write
 * outside a buffer, neither the reference nor the kernel on a device (beside.h), both do the same, and every instance
 * ends in a status of the specification. Each program has a seed of its own: LAD_VM_SEED is the first, LAD_VM_FUZZ
 * their number; what the two do not agree on is written to the folder LAD_VM_KEEP. LAD_VM_PLANT makes the kernel write
 * outside a buffer instead: what watches it must speak. */
#include "../test.h"
#include "beside.h"
#include "random.h"
#include <signal.h>
#include <unistd.h>

enum { LAUNCHES = 12, MOST_BYTES = 8 << 20, MOST_SECONDS = 100, USUAL = 10000, SIGNAL_TABLE = 6, SIGNAL_WORDS = 5 };

static struct lad_gpu gpu;
static const char *kind; /* of the programs at hand, and the seed, for a message at death */
static uint64_t at;

static void say_where(void)
{
    char text[96];
    int n = snprintf(text, sizeof text, "\n    died of %s, LAD_VM_SEED=%llu LAD_VM_FUZZ=1\n", kind,
                     (unsigned long long)at);
    if (write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(2);
}

static void die(int sig)
{
    say_where();
    signal(sig, SIG_DFL);
    raise(sig);
}

void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static void watch(void)
{
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_where);
    else
        signal(SIGSEGV, die), signal(SIGBUS, die), signal(SIGABRT, die), signal(SIGFPE, die);
    signal(SIGALRM, die);
}

struct blob {
    unsigned char *data;
    size_t bytes;
};

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    return (uint32_t)(lad_random(seed) >> 20) % below;
}

/* Numbers at which things break. */
static uint32_t nasty(uint64_t *seed)
{
    static const uint32_t words[] = {
        0,   1,   2,   3,   4,    7,     8,     31,         32,         33,         63,         64,       65,
        127, 128, 255, 256, 1024, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFF, 0x1000000};
    uint32_t kind = draw(seed, 4);
    return kind == 0 ? (uint32_t)lad_random(seed) : kind == 1 ? draw(seed, 64) : words[draw(seed, LAD_N(words))];
}

static uint32_t get32(const unsigned char *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

/* Changes a few bytes, words or sizes; mostly mends the CRCs, so that the later checks see it, too. */
static void bend(struct blob *b, uint64_t *seed)
{
    for (uint32_t n = 1 + draw(seed, 6); n; n--) {
        uint32_t kind = draw(seed, 10), word = nasty(seed);
        size_t at = draw(seed, (uint32_t)b->bytes);
        if (kind == 0) {
            b->data[at] ^= (unsigned char)(1u << draw(seed, 8));
        } else if (kind == 1) { /* anywhere in the section table */
            at = 32 + (at % (24 * VM_SECTIONS)) / 4 * 4;
            memcpy(b->data + at, &word, 4);
        } else if (kind < 6) { /* a word of a section */
            const unsigned char *row = b->data + 32 + 24 * draw(seed, VM_SECTIONS);
            uint32_t from = get32(row + 4), size = get32(row + 8);
            if (size >= 4 && from < b->bytes && size <= b->bytes - from)
                memcpy(b->data + from + draw(seed, size / 4) * 4, &word, 4);
        } else {
            at = at / 4 * 4;
            memcpy(b->data + at, &word, b->bytes - at < 4 ? b->bytes - at : 4);
        }
    }
    if (draw(seed, 20) == 0)
        b->bytes = draw(seed, (uint32_t)b->bytes) + 1;
    if (draw(seed, 12))
        lad_vm_mend(b->data, b->bytes);
}

static struct { /* what became of the programs */
    uint64_t read, good, run, wrong, error[VM_ERROR_COUNT], status[VM_STATUS_COUNT];
} seen;

static void keep(const struct lad_vm_program *p)
{
    struct lad_arena *scratch = lad_arena_create();
    const char *folder = getenv("LAD_VM_KEEP");
    folder = folder ? folder : "test-results/hostile";
    size_t bytes;
    void *file = lad_vm_write(scratch, p, &bytes);
    char *path = lad_printf(scratch, "%s/%.4s-%llu.svm", folder, kind, (unsigned long long)at);
    FILE *f = lad_make_dir(folder) ? fopen(path, "wb") : NULL;
    bool ok = f && fwrite(file, 1, bytes, f) == bytes;
    if (f)
        ok = !fclose(f) && ok;
    printf("    %s %s\n", ok ? "kept as" : "cannot write", path);
    lad_arena_destroy(&scratch);
}

static void run_program(const struct lad_vm_program *p, uint64_t *seed)
{
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct beside ran;
    shape.count = 1 + draw(seed, 2);
    shape.max_steps = 1 + draw(seed, 40);
    shape.max_proc_steps = draw(seed, 40);
    shape.capacity = 1 + draw(seed, 3);
    shape.binding = (enum lad_vm_binding)draw(seed, 3);
    shape.shared = draw(seed, 2);
    shape.most_bytes = MOST_BYTES;
    uint32_t fuel = draw(seed, 2) ? 0 : 50 + draw(seed, 1000);
    if (!beside_run(&gpu, p, &shape, fuel, LAUNCHES, &ran)) {
        printf("    %s, LAD_VM_SEED=%llu LAD_VM_FUZZ=1\n", kind, (unsigned long long)at);
        keep(p);
        seen.wrong++;
    }
    free(ran.log.text);
    if (ran.skipped)
        return;
    seen.run++;
    seen.status[ran.status % VM_STATUS_COUNT]++;
    seen.error[ran.error % VM_ERROR_COUNT]++;
}

static const uint64_t differed[] = {10577}; /* seeds of programs that once did something else on the two sides */

/* One program for each seed. */
static void run_rounds(const char *what, void (*round)(struct lad_arena *, uint64_t *seed), uint64_t usual)
{
    uint64_t first = test_number("LAD_VM_SEED", 1), rounds = test_number("LAD_VM_FUZZ", usual);
    kind = what;
    memset(&seen, 0, sizeof seen);
    uint64_t n = rounds + (getenv("LAD_VM_SEED") ? 0 : LAD_N(differed));
    for (uint64_t i = 0; i < n; i++) {
        struct lad_arena *scratch = lad_arena_create();
        uint64_t seed = at = i < rounds ? first + i : differed[i - rounds];
        alarm(MOST_SECONDS);
        round(scratch, &seed);
        alarm(0);
        lad_arena_destroy(&scratch);
    }
    printf("\n    %llu %s, %llu read, %llu good, %llu run, %llu differ;", (unsigned long long)n, what,
           (unsigned long long)seen.read, (unsigned long long)seen.good, (unsigned long long)seen.run,
           (unsigned long long)seen.wrong);
    for (int i = 0; i < VM_ERROR_COUNT; i++)
        if (seen.error[i])
            printf(" %s %llu", i ? lad_vm_error_name((uint32_t)i) : "none", (unsigned long long)seen.error[i]);
    printf("\n");
    CU_ASSERT_EQUAL(seen.wrong, 0);
}

static void disassemble(const struct lad_vm_program *p)
{
    FILE *out = fopen("/dev/null", "w");
    if (!out)
        return;
    lad_vm_disassemble(out, p, false);
    fclose(out);
}

static struct lad_arena *arena;
static struct lad_vm_program *programs;
static size_t n_programs;

/* One program that has a bit of everything. */
static const char everything[] =
    ".svm 1.0\n.limits nba=8 dnba=2 depth=3 args=4 runaway=5000\n.signal a 8 = 8'd3\n.signal b 33\n.signal n 4 net\n"
    ".signal m 12 array(4) = 12'h1, 12'hx, 12'h3, 12'h4\n.event e\n"
    ".proc p0\n repeat { 4'd3 }, body, after\nbody: set a = { %a 8'd1 add:8 }\n jmp again\nagain: jmp top\ntop: noop\n"
    "after: call task\n case.bkt { %a }: 8'd1|8'b1x -> one, 8'd7 -> two, default two\none: nba m[{ %a }] = { %b:12 }\n"
    "two: wait.time 3\n dnba a = { 8'd1 }, { %b }\n wait.time { %b 33'd7 add:64 not:64 4'd1 shl:64 }\n fork.all c0, "
    "c1\n fork.any c0, c1\n wait.join 1\n trigger e\n svc display \"%d %s\", { %a }.s, \"x\"\n"
    " svc testplusargs \"x\"\n wait.service\n svc.ret a\n svc.br one, done\ndone: done\ntask: ret\n"
    ".proc p1\n.block begin end\nbegin: force a = { 8'd9 }\n assign b = { %a }\n dnba.i.show b = { %a }, { 4'd2 }, { "
    "2'd1 }, { 2'd3 }\n"
    " dset m[{ %a }] = { %a }, { 3'd1 }\n release a\n deassign b\n force n = { 4'bx }\n wait.delta\n release n\n"
    " svc monitor \"m %b\", { %b }\n svc strobe \"s %h\", { %b }, time\nend: wait.event e\n wait.cond { %a 8'd0 eq }\n"
    " disable.proc p0, two\n jif const x, begin\n wait.edge pos { %a }, any { %b }\n halt stop\n"
    ".proc p2\ntop: wait.edge star a b\n jif { %a 8'd2 lt }, top\n disable.child c0\n casex.lut { %a:4 }: 4'bx1 -> "
    "top, default top\n"
    ".proc c0 parent=p0 tag=1\n wait.time 2\n set b[{ %a } +: 4] = { 4'hf }\n"
    ".proc c1 parent=p0 tag=1\n disable.block l\nl: svc finish\n";

static void add(const char *text)
{
    struct lad_vm_program p;
    struct lad_vm_why why;
    if (lad_vm_assemble(arena, text, "seed", &p, &why) && lad_vm_check(&p, false, &why) == LAD_VM_GOOD)
        *LAD_PUSH(arena, programs, n_programs) = p;
    else
        printf("    %s\n", why.text);
}

static void gather(void)
{
    struct lad_vm_twin twin;
    add(everything);
    add(everything);
    add(lad_vm_pico(arena, 7));
    lad_vm_random_exprs(arena, 7, 12, &twin);
    add(twin.assembly);
    for (uint64_t seed = 1; seed < 4; seed++) {
        lad_vm_random_design(arena, seed, &twin);
        add(twin.assembly);
    }
}

static void bend_file(struct lad_arena *scratch, uint64_t *seed)
{
    struct lad_vm_program p;
    struct lad_vm_why why;
    struct blob b;
    b.data = lad_vm_write(scratch, &programs[draw(seed, (uint32_t)n_programs)], &b.bytes);
    bend(&b, seed);
    if (!lad_vm_read(scratch, b.data, b.bytes, &p, &why))
        return;
    seen.read++;
    if (lad_vm_check(&p, draw(seed, 2), &why) != LAD_VM_GOOD)
        return;
    seen.good++;
    if (draw(seed, 8) == 0)
        disassemble(&p);
    run_program(&p, seed);
}

static void files(void)
{
    run_rounds("bent program files", bend_file, USUAL);
    CU_ASSERT(seen.good > test_number("LAD_VM_FUZZ", USUAL) / 20 || test_number("LAD_VM_FUZZ", USUAL) < 1000);
}

/* A copy of a section with some of its words changed. */
static void bend_section(struct lad_arena *scratch, struct lad_vm_program *p, int section, uint64_t *seed)
{
    uint32_t n = lad_vm_section_count(p, section);
    size_t bytes = (size_t)n * lad_vm_sections[section].bytes;
    if (bytes < 4)
        return;
    uint32_t *copy = lad_alloc(scratch, bytes + 8);
    memcpy(copy, lad_vm_section_data(p, section), bytes);
    for (uint32_t k = 1 + draw(seed, 2); k; k--)
        copy[draw(seed, (uint32_t)(bytes / 4))] = draw(seed, 3) ? draw(seed, 12) : nasty(seed);
    lad_vm_section_set(p, section, copy, n);
}

/* The same tables, other words in CODE and EXPR, a few in the others. */
static void change_words(struct lad_arena *scratch, uint64_t *seed)
{
    struct lad_vm_program p = programs[draw(seed, 3)];
    struct lad_vm_why why;
    uint32_t *code = lad_alloc(scratch, p.n_code * 4), *expr = lad_alloc(scratch, p.n_expr * 4 + 4);
    memcpy(code, p.code, p.n_code * 4);
    memcpy(expr, p.expr, p.n_expr * 4);
    uint32_t rate = 1 + draw(seed, 30); /* many words changed find much at once, few lead far in */
    for (uint32_t k = 0; k < p.n_code; k++)
        if (draw(seed, rate) == 0)
            code[k] = draw(seed, 3) ? draw(seed, 29) | draw(seed, 24) << 8 : nasty(seed);
    for (uint32_t k = 0; k < p.n_expr; k++)
        if (draw(seed, 16 * rate) == 0)
            expr[k] = draw(seed, 2) ? draw(seed, 13) | draw(seed, 30) << 8 : nasty(seed);
    p.code = code;
    p.expr = expr;
    for (uint32_t k = draw(seed, 4); k; k--)
        bend_section(scratch, &p, (int)draw(seed, VM_SECTIONS), seed);
    if (lad_vm_check(&p, true, &why) != LAD_VM_GOOD)
        return;
    seen.good++;
    run_program(&p, seed);
}

static void words(void)
{
    run_rounds("programs of random words", change_words, USUAL);
    for (int i = 1; i < VM_ERROR_COUNT; i++)
        CU_ASSERT(seen.error[i] || test_number("LAD_VM_FUZZ", USUAL) < 10000); /* every way to fail is reached */
}

static void bend_text(struct lad_arena *scratch, uint64_t *seed)
{
    static const char bytes[] = " \n\t;:,.{}[]'\"%#x01289+|->_abcdefghijklmnopqrstuvwxyz\\";
    struct lad_vm_program p;
    struct lad_vm_why why = {""};
    char *bent = lad_strdup(scratch, everything);
    for (uint32_t n = 1 + draw(seed, 4); n; n--)
        bent[draw(seed, (uint32_t)strlen(bent))] = bytes[draw(seed, sizeof bytes - 1)];
    bool made = lad_vm_assemble(scratch, bent, "bent", &p, &why);
    CU_ASSERT(made || strncmp(why.text, "bent:", 5) == 0);
    if (!made)
        return;
    seen.read++;
    if (lad_vm_check(&p, false, &why) != LAD_VM_GOOD)
        return;
    seen.good++;
    run_program(&p, seed);
}

static void text(void)
{
    run_rounds("bent texts", bend_text, USUAL);
}

/* The loader's word for where a signal lies is what the kernel trusts: bent in the device's copy, it leads outside. */
static void planted(void)
{
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct lad_vm_why why = {""};
    shape.max_steps = 8; /* oclgrind is slow */
    struct lad_vm_image *image = lad_vm_image_create(&programs[0], &shape, &why);
    CU_ASSERT_FATAL(image != NULL);
    uint32_t *entry = image->tables.table[SIGNAL_TABLE];
    for (uint32_t s = 0; s < programs[0].n_sigs; s++)
        entry[s * SIGNAL_WORDS] += (uint32_t)(image->state_bytes + 4096);
    struct lad_vm_device *d = lad_vm_device_open(&gpu, image, NULL, NULL, &why);
    CU_ASSERT_FATAL(d != NULL);
    kind = "the planted write";
    lad_vm_device_launch(d);
    if (!beside_silent(&gpu, &why))
        printf("    found: %s\n", why.text);
    lad_vm_device_close(&d);
    lad_vm_image_destroy(&image);
}

int main(void)
{
    static const struct lad_test tests[] = {{"bent program files", files},
                                            {"random bytecode and expressions", words},
                                            {"bent assembly text", text},
                                            {NULL, NULL}},
                                 plant[] = {{"a write outside", planted}, {NULL, NULL}};
    int status = beside_open(&gpu);
    if (status)
        return status;
    watch();
    arena = lad_arena_create();
    gather();
    status = lad_test_main("vm fuzz", getenv("LAD_VM_PLANT") ? plant : tests);
    lad_gpu_close(&gpu);
    lad_arena_destroy(&arena);
    return status;
}
