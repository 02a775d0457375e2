/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder vm: assemble, disassemble, check and run programs of the scheduler VM. */
#include "vm/vm.h"
#include <string.h>

static bool write_bytes(FILE *out, const void *arg)
{
    const struct {
        const void *data;
        size_t bytes;
    } *blob = arg;
    return fwrite(blob->data, 1, blob->bytes, out) == blob->bytes;
}

/* What -o says, else the name with another ending; --output's default is another command's. */
static const char *output_name(struct lad_arena *arena, const struct lad_options *o, const char *name,
                               const char *ending)
{
    if (strcmp(o->output, "test-results"))
        return o->output;
    size_t n = strlen(name);
    if (n > 4 && !strcmp(name + n - 4, ".sva"))
        n -= 4;
    return ending ? lad_printf(arena, "%.*s%s", (int)n, name, ending) : "-";
}

static int run_asm(struct lad_arena *arena, const struct lad_options *o, const char *name)
{
    struct lad_vm_program p;
    struct lad_vm_why why;
    size_t bytes;
    char *text = lad_read_file(arena, name, 1 << 30, &bytes);
    if (!text)
        return LAD_EXIT_USAGE;
    if (!lad_vm_assemble(arena, text, name, &p, &why)) {
        lad_error("%s", why.text);
        return LAD_EXIT_USAGE;
    }
    if (lad_vm_check(&p, o->unchecked, &why) == LAD_VM_REJECTED) {
        lad_error("%s: %s", name, why.text);
        return LAD_EXIT_USAGE;
    }
    struct {
        const void *data;
        size_t bytes;
    } blob = {0};
    blob.data = lad_vm_write(arena, &p, &blob.bytes);
    return lad_write_file(output_name(arena, o, name, ".svm"), write_bytes, &blob) ? LAD_EXIT_OK : LAD_EXIT_HARNESS;
}

static bool write_text(FILE *out, const void *arg)
{
    lad_vm_disassemble(out, arg, lad_verbosity < 1);
    return true;
}

static int run_dis(struct lad_arena *arena, const struct lad_options *o, const char *name)
{
    struct lad_vm_program p;
    struct lad_vm_why why;
    if (lad_vm_load(arena, name, true, &p, &why) == LAD_VM_REJECTED) {
        if (*why.text)
            lad_error("%s", why.text);
        return LAD_EXIT_USAGE;
    }
    return lad_write_file(output_name(arena, o, name, NULL), write_text, &p) ? LAD_EXIT_OK : LAD_EXIT_HARNESS;
}

static int run_check(struct lad_arena *arena, const struct lad_options *o, const char *name)
{
    struct lad_vm_program p;
    struct lad_vm_why why;
    enum lad_vm_verdict verdict = lad_vm_load(arena, name, o->unchecked, &p, &why);
    if (verdict == LAD_VM_REJECTED) {
        if (*why.text)
            lad_error("%s", why.text);
        return LAD_EXIT_FAILED;
    }
    bool skipped = verdict == LAD_VM_SKIPPED;
    printf("%s%s%u processes, %u words each, %u signals, %u expression words, %u-state\n",
           skipped ? why.text : lad_printf(arena, "%s: good", name), skipped ? ", so it is skipped here; " : "; ",
           p.n_proc, p.parm[VM_PARM_W], p.n_sigs, p.n_expr, p.parm[VM_PARM_STATES]);
    lad_vm_print_stats(stdout, &p);
    return verdict == LAD_VM_SKIPPED ? LAD_EXIT_NOTHING : LAD_EXIT_OK;
}

static int run(struct lad_arena *arena, const struct lad_options *o)
{
    static const struct {
        const char *verb;
        int (*run)(struct lad_arena *, const struct lad_options *, const char *);
    } verbs[] = {{"asm", run_asm}, {"dis", run_dis}, {"check", run_check}};
    const char *verb = o->args[0], *name = verb ? o->args[1] : NULL;
    if (!verb || !name) {
        lad_error("vm: expected asm, dis, check or run, and a program; 'gpuladder help vm' tells more");
        return LAD_EXIT_USAGE;
    }
    if (!strcmp(verb, "run"))
        return lad_vm_command_run(arena, o, name, o->args + 2);
    if (o->args[2]) {
        lad_error("vm %s: one program at a time, '%s' is one too many", verb, o->args[2]);
        return LAD_EXIT_USAGE;
    }
    for (size_t i = 0; i < LAD_N(verbs); i++)
        if (!strcmp(verbs[i].verb, verb))
            return verbs[i].run(arena, o, name);
    lad_error("vm: no '%s'; expected asm, dis, check or run", verb);
    return LAD_EXIT_USAGE;
}

const struct lad_command lad_command_vm = {
    "vm", "assemble, disassemble, check or run a program of the scheduler VM",
    "asm|dis|check|run PROGRAM [+PLUSARG...]", run,
    "PROGRAM is assembly text (.sva), a program file (.svm), example, or pico:N, the "
    "built-in workload of N processes (45 is the one "
    "of the field report).\n"
    "asm writes PROGRAM with the ending .svm, or the file named by -o; dis "
    "prints text, with places when -v is given; check "
    "says whether the loader takes the program; run simulates it and prints "
    "what it prints, and with --device compares each device with that after every "
    "launch. Words behind the program that "
    "begin with + are its plusargs."};
