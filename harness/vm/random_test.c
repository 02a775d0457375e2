/* SPDX-License-Identifier: Apache-2.0 */
/* Random expressions and designs, and the twins that are kept in cases/twins: Icarus Verilog, the reference, and the
 * kernel on a device (beside.h) must say the same. LAD_VM_SEED, LAD_VM_ROUNDS (of 500 expressions) and LAD_VM_DESIGNS
 * change what is drawn; LAD_VM_BINDINGS=1 runs each on one binding mode in turn instead of on all three. Twins that do
 * not agree are written to the folder that LAD_VM_KEEP names: in cases/twins they are tested from then on. */
#include "../test.h"
#include "beside.h"
#include "icarus.h"
#include "random.h"
#include <dirent.h>

static struct lad_gpu gpu;
static char work[] = "/tmp/lad-vm-XXXXXX";
static bool simulated; /* Icarus Verilog is there */

struct tally {
    unsigned lines, programs, runs, wrong;
};

static void keep(const struct lad_vm_twin *twin, const char *name)
{
    const char *folder = getenv("LAD_VM_KEEP"), *text[] = {twin->assembly, twin->verilog};
    folder = folder ? folder : "test-results/twins";
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.%s", folder, name, i ? "v" : "sva");
        FILE *f = lad_make_dir(folder) ? fopen(path, "w") : NULL;
        bool ok = f && fputs(text[i], f) >= 0;
        if (f)
            ok = !fclose(f) && ok;
        printf("    %s %s\n", ok ? "kept as" : "cannot write", path);
    }
}

/* Number of lines that differ, the first of them printed. The simulator does not print that it finishes. */
static unsigned compare_lines(const struct lad_vm_twin *twin, const char *ours, const char *theirs, const char *name,
                              unsigned *lines)
{
    unsigned wrong = 0;
    for (*lines = 0; (*ours && *ours != '$') || *theirs; ++*lines) {
        size_t n = strcspn(ours, "\n"), m = strcspn(theirs, "\n");
        if ((n != m || strncmp(ours, theirs, n)) && !wrong++)
            printf("    %s, line %u: %s\n      reference %.*s\n      simulator %.*s\n", name, *lines,
                   *lines < twin->n_sources ? twin->source[*lines] : "", (int)n, ours, (int)m, theirs);
        ours += n + (ours[n] == '\n');
        theirs += m + (theirs[m] == '\n');
    }
    return wrong;
}

/* In all binding modes that the device can, or in the first of them; the log is the reference's, NULL where something
 * differs. */
static char *run_bindings(struct lad_arena *arena, const struct lad_vm_program *p, unsigned turn, struct tally *t)
{
    uint64_t n = test_number("LAD_VM_BINDINGS", 3);
    char *log = NULL;
    for (unsigned i = 0; n && i < 3; i++) {
        struct lad_vm_shape shape = LAD_VM_SHAPE;
        struct beside ran;
        shape.binding = (enum lad_vm_binding)((turn + i) % 3);
        shape.capacity = 1024;
        shape.max_proc_steps = 0;
        shape.max_steps = 100000;
        bool good = beside_run(&gpu, p, &shape, 0, 10000, &ran);
        if (ran.skipped)
            continue;
        n--;
        if (good && ran.status != VM_FINISHED)
            printf("    ended as %s\n", lad_vm_status_name(ran.status));
        good = good && ran.status == VM_FINISHED;
        log = good ? lad_strdup(arena, ran.log.text ? ran.log.text : "") : NULL;
        free(ran.log.text);
        if (!good)
            return NULL;
        t->runs++;
    }
    return log;
}

static void check_twin(struct lad_arena *arena, const struct lad_vm_twin *twin, const char *name, unsigned turn,
                       struct tally *t)
{
    struct lad_vm_program p;
    struct lad_vm_why why = {""};
    char *ours = NULL, *theirs = simulated ? icarus_run(arena, work, twin->verilog) : NULL;
    unsigned lines = 0;
    if (lad_vm_assemble(arena, twin->assembly, "twin", &p, &why) && lad_vm_check(&p, false, &why) == LAD_VM_GOOD)
        ours = run_bindings(arena, &p, turn, t);
    bool good = ours && (!simulated || (theirs && !compare_lines(twin, ours, theirs, name, &lines)));
    t->programs++;
    t->lines += lines;
    if (good)
        return;
    printf("    %s does not agree%s%s\n", name, *why.text ? ": " : "", why.text);
    keep(twin, name);
    t->wrong++;
}

static void judge(const struct tally *t)
{
    printf("\n    %u programs, %u lines of the simulator's, %u runs on the device, %u programs differ\n", t->programs,
           t->lines, t->runs, t->wrong);
    CU_ASSERT_EQUAL(t->wrong, 0);
    CU_ASSERT(t->runs > 0);
    CU_ASSERT(t->lines > 0 || !simulated);
}

static void run_rounds(void (*make)(struct lad_arena *, uint64_t, struct lad_vm_twin *), const char *kind,
                       uint64_t rounds)
{
    uint64_t first = test_number("LAD_VM_SEED", 1);
    struct tally t = {0};
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        struct lad_arena *arena = lad_arena_create();
        struct lad_vm_twin twin;
        make(arena, seed, &twin);
        check_twin(arena, &twin, lad_printf(arena, "%s-%llu", kind, (unsigned long long)seed), (unsigned)seed, &t);
        lad_arena_destroy(&arena);
    }
    judge(&t);
}

static void make_exprs(struct lad_arena *arena, uint64_t seed, struct lad_vm_twin *twin)
{
    lad_vm_random_exprs(arena, seed, 500, twin);
}

static void expressions(void)
{
    run_rounds(make_exprs, "expressions", test_number("LAD_VM_ROUNDS", 10));
}

static void designs(void)
{
    run_rounds(lad_vm_random_design, "design", test_number("LAD_VM_DESIGNS", 80));
}

static void kept(void)
{
    struct tally t = {0};
    DIR *dir = opendir("cases/twins");
    CU_ASSERT_FATAL(dir != NULL);
    for (struct dirent *e; (e = readdir(dir));) {
        struct lad_arena *arena = lad_arena_create();
        const char *dot = strrchr(e->d_name, '.');
        size_t bytes;
        struct lad_vm_twin twin = {0};
        if (dot && !strcmp(dot, ".sva")) {
            char *name = lad_printf(arena, "%.*s", (int)(dot - e->d_name), e->d_name);
            twin.assembly = lad_read_file(arena, lad_printf(arena, "cases/twins/%s.sva", name), 1 << 20, &bytes);
            twin.verilog = lad_read_file(arena, lad_printf(arena, "cases/twins/%s.v", name), 1 << 20, &bytes);
            CU_ASSERT(twin.assembly && twin.verilog);
            if (twin.assembly && twin.verilog)
                check_twin(arena, &twin, name, t.programs, &t);
        }
        lad_arena_destroy(&arena);
    }
    closedir(dir);
    judge(&t);
}

int main(void)
{
    static const struct lad_test tests[] = {{"random expressions", expressions},
                                            {"random designs", designs},
                                            {"kept twins", kept},
                                            {NULL, NULL}};
    int status = beside_open(&gpu);
    if (status)
        return status;
    simulated = icarus_there();
    if (!simulated)
        printf("the simulator: skipped: Icarus Verilog (package iverilog) is not installed\n");
    if (!mkdtemp(work))
        return 1;
    status = lad_test_main("vm random", tests);
    lad_gpu_close(&gpu);
    char *command = NULL;
    if (asprintf(&command, "rm -rf '%s'", work) > 0 && system(command))
        printf("%s stays behind\n", work);
    free(command);
    return status;
}
