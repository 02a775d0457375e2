/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's table of pico45 after certain launches. */
#include "vm.h"

const struct lad_vm_anchor lad_vm_anchors[] = {
    {1, 44, 0, 1, 45, 0, 0, 0, 1, {0, 2, 1, 0x0, 0x7, 0x0}},
    {2, 43, 0, 2, 45, 0, 0, 0, 2, {624, 2, 1, 0x0, 0x107, 0x0}},
    {3, 42, 1, 2, 44, 1, 0, 0, 3, {1248, 4, 0, 0xc, 0xc, 0x207}},
    {4, 41, 2, 2, 43, 2, 0, 0, 4, {1872, 102, 0, 0x10c, 0x10c, 0x307}},
    {5, 40, 3, 2, 42, 2, 1, 0, 5, {2496, 15, 0, 0xf, 0xf, 0x6507}},
    {28, 17, 26, 2, 19, 2, 24, 0, 28, {16848, 624, 0, 0x170f, 0x170f, 0x7fd07}},
    {29, 16, 27, 2, 18, 2, 25, 0, 29, {17472, 6, 3, 0x180f, 0xa6a07, 0xa6b07}},
    {45, 0, 43, 2, 2, 2, 41, 1, VM_NONE, {27456, 128, 125, 0x280f, 0xc2007, 0xc2107}},
    {46, 0, 43, 2, 2, 2, 41, 0, 3, {1248, 4, 0, 0xc, 0xc, 0x207}},
    {47, 23, 20, 2, 25, 2, 18, 0, 5, {2496, 15, 0, 0xf, 0xf, 0x6507}},
    {0}};

static bool same(uint32_t launch, const char *what, uint64_t want, uint64_t got, struct lad_vm_why *why)
{
    return want == got || lad_vm_because(why, "launch %u of pico45: %s is %llu, the specification prints %llu", launch,
                                         what, (unsigned long long)got, (unsigned long long)want);
}

bool lad_vm_anchor_holds(const struct lad_vm_image *image, uint32_t launch, struct lad_vm_why *why)
{
    static const char *const names[] = {"bc_base", "len", "ip", "instr", "instr0", "instr1"};
    const struct lad_vm_anchor *row = lad_vm_anchors;
    while (row->launch && row->launch != launch)
        row++;
    if (!row->launch)
        return true;
    const uint32_t *debug = image->companions.debug;
    uint32_t states[VM_STATE_COUNT] = {0}, waits[VM_WAIT_COUNT] = {0};
    for (uint32_t p = 0; p < image->program->n_proc; p++) {
        states[LAD_VM_U32(image, state, 0)[p] % VM_STATE_COUNT]++;
        waits[LAD_VM_U32(image, wait_kind, 0)[p] % VM_WAIT_COUNT]++;
    }
    bool held = same(launch, "ready", row->ready, states[VM_READY], why) &&
                same(launch, "blocked", row->blocked, states[VM_BLOCKED], why) &&
                same(launch, "done", row->done, states[VM_DONE], why) &&
                same(launch, "waits none", row->none, waits[VM_WAIT_NONE], why) &&
                same(launch, "waits time", row->time, waits[VM_WAIT_TIME], why) &&
                same(launch, "waits edge", row->edge, waits[VM_WAIT_EDGE], why) &&
                same(launch, "status", VM_IDLE, *LAD_VM_U32(image, status, 0), why) &&
                same(launch, "phase", row->phase, *LAD_VM_U32(image, phase, 0), why) &&
                same(launch, "cursor", row->cursor, *LAD_VM_U32(image, cursor, 0), why) &&
                same(launch, "time", launch > 45 ? 5 : 0, *LAD_VM_U64(image, time, 0), why) &&
                same(launch, "magic", VM_DEBUG_MAGIC, debug[0], why);
    for (uint32_t i = 0; held && i < LAD_N(names); i++)
        if (i || !image->shape.shared) /* with one copy of the bytecode all begin elsewhere */
            held = same(launch, names[i], row->debug[i], debug[1 + i], why);
    return held;
}
