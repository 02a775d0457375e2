/* SPDX-License-Identifier: Apache-2.0 */
/* Program files: what a reader must refuse, what it must let pass, and that text, file and text again agree. */
#include "../test.h"
#include "random.h"
#include "vector.h"
#include <stdlib.h>
#include <string.h>

static struct lad_arena *arena;

static const char *const text = ".svm 1.0\n.signal a 8 = 8'd3\n.proc p\n set a = { %a 8'd1 add:8 }\n";

struct file {
    unsigned char *data;
    size_t bytes;
};

static struct file make(const char *source)
{
    struct lad_vm_program p;
    struct lad_vm_why why = {""};
    struct file f = {NULL, 0};
    if (lad_vm_assemble(arena, source, "test", &p, &why))
        f.data = lad_vm_write(arena, &p, &f.bytes);
    else
        printf("    %s\n", why.text);
    return f;
}

static void refuse(struct file f, const char *because)
{
    struct lad_vm_program p;
    struct lad_vm_why why = {""};
    bool read = lad_vm_read(arena, f.data, f.bytes, &p, &why);
    CU_ASSERT_FALSE(read);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, because));
    if (read || !strstr(why.text, because))
        printf("    expected '%s', got '%s'\n", because, why.text);
}

static void put32(struct file f, size_t at, uint32_t word)
{
    memcpy(f.data + at, &word, 4);
}

static void headers(void)
{
    struct file f = make(text);
    f.data[0] = 'X';
    refuse(f, "not a program file");
    f = make(text);
    f.bytes = 31;
    refuse(f, "not a program file");
    f = make(text);
    f.data[4] = 2;
    refuse(f, "version 2.0");
    f = make(text);
    put32(f, 8, 36);
    refuse(f, "header of 36 bytes");
    f = make(text);
    put32(f, 16, (uint32_t)f.bytes + 1);
    refuse(f, "the header says");
    f = make(text);
    put32(f, 12, 1000000);
    refuse(f, "do not fit");
    f = make(text);
    f.data[f.bytes - 1] ^= 1;
    refuse(f, "CRC of the file");
    f = make(text);
    f.bytes -= 8;
    refuse(f, "the header says");
}

static void sections(void)
{
    struct file f = make(text);
    put32(f, 32 + 4, (uint32_t)f.bytes); /* PARM beyond the end */
    lad_vm_mend(f.data, f.bytes);
    refuse(f, "outside the file");
    f = make(text);
    put32(f, 32 + 8, 0xFFFFFFF0);
    lad_vm_mend(f.data, f.bytes);
    refuse(f, "outside the file");
    f = make(text);
    put32(f, 32 + 20, 0); /* its CRC, with that of the file set anew by hand */
    uint32_t file_crc;
    memset(f.data + 28, 0, 4);
    file_crc = lad_crc(f.data, f.bytes);
    put32(f, 28, file_crc);
    refuse(f, "section PARM: CRC");
    f = make(text);
    memcpy(f.data + 32 + 24, "XXXX", 4);
    lad_vm_mend(f.data, f.bytes);
    refuse(f, "PROC is missing");
    f = make(text);
    memcpy(f.data + 32 + 24, f.data + 32, 24);
    lad_vm_mend(f.data, f.bytes);
    refuse(f, "PARM: there twice");
    f = make(text);
    put32(f, 32 + 16, 8);
    lad_vm_mend(f.data, f.bytes);
    refuse(f, "expected elements of 4");
    f = make(text);
    put32(f, 32 + 12, 31);
    lad_vm_mend(f.data, f.bytes);
    refuse(f, "expected elements of 4");
}

/* A section more, as a later minor version may have: it is skipped. */
static void unknown_section(void)
{
    struct file f = make(text), g = {lad_alloc(arena, f.bytes + 24), f.bytes + 24};
    struct lad_vm_program p;
    struct lad_vm_why why = {""};
    size_t table = 24 * VM_SECTIONS;
    memcpy(g.data, f.data, 32 + table);
    memcpy(g.data + 32 + table + 24, f.data + 32 + table, f.bytes - 32 - table);
    for (size_t i = 0; i < VM_SECTIONS; i++) {
        uint32_t at;
        memcpy(&at, g.data + 32 + 24 * i + 4, 4);
        put32(g, 32 + 24 * i + 4, at + 24);
    }
    memcpy(g.data + 32 + table, "MORE", 4);
    put32(g, 12, VM_SECTIONS + 1);
    put32(g, 16, (uint32_t)g.bytes);
    g.data[6] = 1;
    lad_vm_mend(g.data, g.bytes);
    bool read = lad_vm_read(arena, g.data, g.bytes, &p, &why);
    CU_ASSERT(read);
    if (!read)
        printf("    %s\n", why.text);
    CU_ASSERT(read && p.n_asgn == 1 && lad_vm_check(&p, false, &why) == LAD_VM_GOOD);
}

/* Text, file, text, file: both files are the same to the byte. */
static bool comes_back(const char *name, const char *source)
{
    struct lad_vm_program p, q;
    struct lad_vm_why why = {""};
    char *again = NULL;
    size_t bytes, first, second;
    if (!lad_vm_assemble(arena, source, name, &p, &why) || lad_vm_check(&p, false, &why) != LAD_VM_GOOD)
        return true; /* not one that is good */
    FILE *out = open_memstream(&again, &bytes);
    lad_vm_disassemble(out, &p, true);
    fclose(out);
    const void *a = lad_vm_write(arena, &p, &first), *b = NULL;
    bool ok = lad_vm_assemble(arena, again, name, &q, &why);
    if (ok)
        b = lad_vm_write(arena, &q, &second);
    ok = ok && first == second && !memcmp(a, b, first);
    if (!ok)
        printf("    %s does not come back: %s\n%s", name, why.text, again);
    free(again);
    return ok;
}

static void texts(void)
{
    struct lad_vm_vectors all = {0};
    struct lad_vm_twin twin;
    unsigned n = 0, wrong = 0;
    lad_vm_vectors_operators(arena, &all);
    CU_ASSERT_FATAL(lad_vm_vectors_written(arena, &all));
    for (size_t i = 0; i < all.n; i++)
        if (!strstr(all.item[i].text, ".patch") && !strstr(all.item[i].text, " word ") &&
            !strstr(all.item[i].text, ".event") && ++n)
            wrong += !comes_back(all.item[i].name, all.item[i].text);
    for (uint64_t seed = 1; seed < 40; seed++, n++) {
        lad_vm_random_design(arena, seed, &twin);
        wrong += !comes_back("a random design", twin.assembly);
    }
    wrong += !comes_back("pico45", lad_vm_pico(arena, 45));
    printf("\n    %u texts, %u differ\n", n, wrong);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(n > 100);
}

/* What is wrong in a text is told with its line. */
static void mistakes(void)
{
    static const struct {
        const char *text, *because;
    } rows[] = {{".proc p\n", "t:1: expected .svm 1.0 first"},
                {".svm 2.0\n.proc p\n", "t:1: .svm: version 2"},
                {".svm 1.0\n", "there is no .proc"},
                {".svm 1.0\n.proc p\n jmp nowhere\n", "t:3: no label 'nowhere'"},
                {".svm 1.0\n.proc p\n set a = { 1'b0 }\n", "t:3: no signal 'a'"},
                {".svm 1.0\n.signal a 4\n.signal a 5\n.proc p\n", "t:3: .signal a: there already"},
                {".svm 1.0\n.signal a 4\n.proc p\n set a = { 4'd16 }\n", "t:4: '4'd16': the number does not fit"},
                {".svm 1.0\n.signal a 4\n.proc p\n set a = { %a %a add }\n", "t:4: 'add' needs a width"},
                {".svm 1.0\n.signal a 4\n.proc p\n set a = { %a add:4 }\n", "t:4: expression: the stack is empty"},
                {".svm 1.0\n.proc p\n frobnicate\n", "t:3: no such statement 'frobnicate'"},
                {".svm 1.0\n.proc p\nx: noop\nx: noop\n", "t:4: the label 'x' is there twice"},
                {".svm 1.0\n.proc p\n fork.all q\n", "t:3: no process 'q'"},
                {".svm 1.0\n.proc p\n svc sing \"x\"\n", "t:3: no such service 'sing'"},
                {".svm 1.0\n.proc p\n svc display \"x\n", "t:3: expected '\"'"},
                {".svm 1.0\n.proc p\n wait.time 5 6\n", "t:3: '6' follows the end"},
                {".svm 1.0\n.proc q parent=p\n.proc p\n", "t:3: .proc p: processes without a parent come first"},
                {".svm 1.0\n.limits speed=9\n.proc p\n", "t:2: .limits: no such limit"},
                {".svm 1.0\n.proc p\n case { 2'd1 }: 2'd1 -> a\na:\n", "t:3: expected ','"}};
    for (size_t i = 0; i < LAD_N(rows); i++) {
        struct lad_vm_program p;
        struct lad_vm_why why = {""};
        bool made = lad_vm_assemble(arena, rows[i].text, "t", &p, &why);
        CU_ASSERT(!made && strstr(why.text, rows[i].because));
        if (made || !strstr(why.text, rows[i].because))
            printf("    expected '%s', got '%s'\n", rows[i].because, why.text);
    }
}

int main(void)
{
    static const struct lad_test tests[] = {{"headers that are refused", headers},
                                            {"sections that are refused", sections},
                                            {"a section of a later version", unknown_section},
                                            {"text comes back from a file", texts},
                                            {"mistakes in a text", mistakes},
                                            {NULL, NULL}};
    arena = lad_arena_create();
    int status = lad_test_main("vm container", tests);
    lad_arena_destroy(&arena);
    return status;
}
