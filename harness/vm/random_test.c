/* SPDX-License-Identifier: Apache-2.0 */
/* Random expressions and designs: the reference against Icarus Verilog. LAD_VM_SEED, LAD_VM_ROUNDS (of 500 expressions)
 * and LAD_VM_DESIGNS change what is drawn. */
#include "../test.h"
#include "icarus.h"
#include "random.h"

static uint64_t number(const char *name, uint64_t usual)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : usual;
}

/* What the reference prints, or NULL after saying why. */
static char *run_reference(struct lad_arena *arena, const char *text, uint64_t seed)
{
    struct lad_vm_program p;
    struct lad_vm_why why = {""};
    struct lad_vm_shape shape = LAD_VM_SHAPE;
    struct lad_vm_image *image = NULL;
    if (lad_vm_assemble(arena, text, "twin", &p, &why) && lad_vm_check(&p, false, &why) == LAD_VM_GOOD)
        image = lad_vm_image_create(&p, &shape, &why);
    if (!image) {
        printf("    seed %llu: %s\n", (unsigned long long)seed, why.text);
        return NULL;
    }
    struct lad_vm_host *host = lad_vm_host_create(image);
    lad_vm_run(host, 1000000, 0, NULL);
    if (*LAD_VM_U32(image, status, 0) != VM_FINISHED)
        printf("    seed %llu: ended as %s\n", (unsigned long long)seed,
               lad_vm_status_name(*LAD_VM_U32(image, status, 0)));
    char *log = lad_strdup(arena, host->log[0].text ? host->log[0].text : "");
    lad_vm_host_destroy(&host);
    lad_vm_image_destroy(&image);
    return log;
}

/* Number of lines that differ, the first of them printed. */
static unsigned compare_lines(const struct lad_vm_twin *twin, const char *ours, const char *theirs, uint64_t seed,
                              unsigned *lines)
{
    unsigned wrong = 0;
    for (*lines = 0; *ours || *theirs; ++*lines) {
        size_t n = strcspn(ours, "\n"), m = strcspn(theirs, "\n");
        if ((n != m || strncmp(ours, theirs, n)) && !wrong++)
            printf("    seed %llu, line %u: %s\n      reference %.*s\n      simulator %.*s\n", (unsigned long long)seed,
                   *lines, *lines < twin->n_sources ? twin->source[*lines] : "", (int)n, ours, (int)m, theirs);
        ours += n + (ours[n] == '\n');
        theirs += m + (theirs[m] == '\n');
    }
    return wrong;
}

static void run_rounds(void (*make)(struct lad_arena *, uint64_t, struct lad_vm_twin *), uint64_t first,
                       uint64_t rounds)
{
    char dir[] = "/tmp/lad-vm-XXXXXX";
    unsigned lines = 0, all = 0, wrong = 0;
    CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        struct lad_arena *arena = lad_arena_create();
        struct lad_vm_twin twin;
        make(arena, seed, &twin);
        char *ours = run_reference(arena, twin.assembly, seed), *theirs = icarus_run(arena, dir, twin.verilog);
        CU_ASSERT(ours && theirs);
        if (ours && theirs) {
            wrong += compare_lines(&twin, ours, theirs, seed, &lines);
            all += lines;
        }
        lad_arena_destroy(&arena);
    }
    printf("\n    %u lines of %llu programs, %u differ\n", all, (unsigned long long)rounds, wrong);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(all > 0);
    char *command = NULL;
    if (asprintf(&command, "rm -rf '%s'", dir) > 0 && system(command))
        printf("    %s stays behind\n", dir);
    free(command);
}

static void make_exprs(struct lad_arena *arena, uint64_t seed, struct lad_vm_twin *twin)
{
    lad_vm_random_exprs(arena, seed, 500, twin);
}

static void expressions(void)
{
    run_rounds(make_exprs, number("LAD_VM_SEED", 1), number("LAD_VM_ROUNDS", 10));
}

static void designs(void)
{
    run_rounds(lad_vm_random_design, number("LAD_VM_SEED", 1), number("LAD_VM_DESIGNS", 80));
}

int main(void)
{
    static const struct lad_test tests[] = {{"random expressions against Icarus Verilog", expressions},
                                            {"random designs against Icarus Verilog", designs},
                                            {NULL, NULL}};
    if (!icarus_there()) {
        printf("vm random: skipped, Icarus Verilog (package iverilog) is not installed\n0 passed, 0 failed\n");
        return 77;
    }
    return lad_test_main("vm random", tests);
}
