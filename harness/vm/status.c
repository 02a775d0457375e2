/* SPDX-License-Identifier: Apache-2.0 */
/* Lines about a run: statistics of the bytecode, the scheduler's status, the debug record, the whole state as text. */
#include "vm.h"
#include <stdlib.h>

static const char *const statuses[] = {"running", "idle", "finished", "error", "stopped"};
static const char *const states[] = {"ready", "blocked", "done"};
static const char *const waits[] = {"none", "time", "event", "cond", "join", "delta", "edge", "service"};
static const char *const errors[] = {
    "none",
#define VM_ERROR(number, symbol, name) name,
#include "../../kernels/vm_ops.def"
};

const char *lad_vm_status_name(uint32_t status)
{
    return status < LAD_N(statuses) ? statuses[status] : "?";
}

const char *lad_vm_error_name(uint32_t error)
{
    return error < LAD_N(errors) ? errors[error] : "?";
}

const char *lad_vm_wait_name(uint32_t kind)
{
    return kind < LAD_N(waits) ? waits[kind] : "?";
}

void lad_vm_print_stats(FILE *out, const struct lad_vm_program *p)
{
    uint32_t bin[10] = {0}, first[256] = {0}, none = 0;
    for (uint32_t i = 0; i < p->n_proc; i++) {
        uint32_t n = p->proc[i].length;
        bin[n < 9 ? n : 9]++;
        none += !n;
        if (n)
            first[p->code[(size_t)i * p->parm[VM_PARM_W]] & 0xFF]++;
    }
    fprintf(out, "sched-vm: proc length bins");
    for (int i = 0; i < 9; i++)
        fprintf(out, " len%d=%u", i, bin[i]);
    fprintf(out, " len9+=%u zero_len=%u\n", bin[9], none);
    fprintf(out,
            "sched-vm: proc first-op counts done=%u callgroup=%u wait_time=%u wait_delta=%u wait_edge=%u wait_cond=%u "
            "wait_event=%u repeat=%u assign=%u assign_nb=%u assign_delay=%u service=%u\n",
            first[VM_OP_DONE], first[VM_OP_CALL_GROUP], first[VM_OP_WAIT_TIME], first[VM_OP_WAIT_DELTA],
            first[VM_OP_WAIT_EDGE], first[VM_OP_WAIT_COND], first[VM_OP_WAIT_EVENT], first[VM_OP_REPEAT],
            first[VM_OP_ASSIGN], first[VM_OP_ASSIGN_NB], first[VM_OP_ASSIGN_DELAY], first[VM_OP_SERVICE_CALL]);
}

void lad_vm_print_status(FILE *out, const struct lad_vm_image *image, uint32_t launches)
{
    uint32_t state[VM_STATE_COUNT] = {0}, wait[VM_WAIT_COUNT] = {0}, len[3] = {0}, ip[3] = {0},
             n = image->program->n_proc;
    const uint32_t *s = LAD_VM_U32(image, state, 0), *w = LAD_VM_U32(image, wait_kind, 0),
                   *length = image->tables.table[2];
    const uint32_t *at = image->tables.table[7], status = *LAD_VM_U32(image, status, 0);
    for (uint32_t p = 0; p < n; p++) {
        if (s[p] < VM_STATE_COUNT)
            state[s[p]]++;
        if (w[p] < VM_WAIT_COUNT)
            wait[w[p]]++;
        if (p < 3) {
            len[p] = length[p];
            ip[p] = at[p];
        }
    }
    fprintf(out, "sched status: iter=%u status=%u(%s) error=%u halt=%u phase=%u flags=%u time=%llu ", launches, status,
            lad_vm_status_name(status), *LAD_VM_U32(image, error, 0), *LAD_VM_U32(image, halt_mode, 0),
            *LAD_VM_U32(image, phase, 0), *LAD_VM_U32(image, flags, 0),
            (unsigned long long)*LAD_VM_U64(image, time, 0));
    fprintf(out, "state=[ready:%u blocked:%u done:%u] vm=[len:%u,%u,%u ip:%u,%u,%u] ", state[0], state[1], state[2],
            len[0], len[1], len[2], ip[0], ip[1], ip[2]);
    fprintf(out, "waits=[none:%u time:%u event:%u cond:%u join:%u delta:%u edge:%u service:%u]\n", wait[0], wait[1],
            wait[2], wait[3], wait[4], wait[5], wait[6], wait[7]);
}

void lad_vm_print_debug(FILE *out, const struct lad_vm_image *image, uint32_t gid)
{
    const uint32_t *d = image->companions.debug + (size_t)gid * VM_DEBUG_WORDS;
    fprintf(out,
            "sched-vm-debug[g=%u]: magic=0x%x bc_base=%u len=%u ip=%u instr=0x%x op=%u arg=%u instr0=0x%x instr1=0x%x "
            "vm_idx=%u flags=%u gid=%u tg=%u tid=%u\n",
            gid, d[0], d[1], d[2], d[3], d[4], d[4] & 0xFF, d[4] >> 8, d[5], d[6], d[10], d[11], d[12], d[13], d[14]);
}

bool lad_vm_fetch_matches(const struct lad_vm_image *image, uint32_t gid, struct lad_vm_why *why)
{
    const uint32_t *d = image->companions.debug + (size_t)gid * VM_DEBUG_WORDS, *code = image->tables.table[0];
    uint64_t at = (uint64_t)d[1] + d[3];
    if (d[0] != VM_DEBUG_MAGIC || d[3] >= d[2])
        return true;
    uint32_t host = at < image->table_bytes[0] / 4 ? code[at] : 0;
    if (host == d[4])
        return true;
    return lad_vm_because(why, "svm-bytecode-mismatch: gid=%u pid=%u ip=%u gpu=0x%08x host=0x%08x", gid,
                          d[10] - gid * image->program->n_proc, d[3], d[4], host);
}

static void print_signal(FILE *out, const struct lad_vm_image *image, uint32_t gid, uint32_t i, uint32_t element)
{
    const struct lad_vm_sigs *s = &image->program->sigs[i];
    struct lad_vm_text t = {0};
    uint64_t val, xz;
    uint32_t n;
    const char *name = lad_vm_string(image->program, s->name, &n);
    lad_vm_signal_get(image, gid, i, element, &val, &xz);
    lad_vm_digits(&t, val, xz, s->width, xz ? 1 : 4, false);
    fprintf(out, "signal %.*s", (int)n, name);
    if (s->array_size > 1)
        fprintf(out, "[%u]", element);
    fprintf(out, " = %u'%c%s\n", s->width, xz ? 'b' : 'h', t.text);
    free(t.text);
}

static void print_pid(FILE *out, const char *what, uint32_t n)
{
    if (n == VM_NONE)
        fprintf(out, " %s none", what);
    else
        fprintf(out, " %s %u", what, n);
}

void lad_vm_print_state(FILE *out, const struct lad_vm_image *image)
{
    const struct lad_vm_program *p = image->program;
    for (uint32_t g = 0; g < image->shape.count; g++) {
        uint32_t status = *LAD_VM_U32(image, status, g), error = *LAD_VM_U32(image, error, g);
        fprintf(out, "instance %u\nstatus %u %s\ntime %llu\nerror %u %s", g, status, lad_vm_status_name(status),
                (unsigned long long)*LAD_VM_U64(image, time, g), error, lad_vm_error_name(error));
        print_pid(out, "pid", *LAD_VM_U32(image, error_pid, g));
        print_pid(out, "ip", *LAD_VM_U32(image, error_ip, g));
        fputc('\n', out);
        for (uint32_t i = 0; i < p->n_sigs; i++)
            for (uint32_t e = 0; e < p->sigs[i].array_size; e++)
                print_signal(out, image, g, i, e);
        for (uint32_t i = 0; i < p->n_proc; i++) {
            uint32_t state = LAD_VM_U32(image, state, g)[i], n;
            const char *name = lad_vm_string(p, p->proc[i].name, &n);
            fprintf(out, "process %u %.*s %s %s\n", i, (int)n, name, state < LAD_N(states) ? states[state] : "?",
                    lad_vm_wait_name(LAD_VM_U32(image, wait_kind, g)[i]));
        }
    }
}
