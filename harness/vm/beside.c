/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpuladder vm run --device: the program on devices, each binding mode a case of the probe "vm" in a worker process of
 * the device's driver, so that deadlines, lost devices and reports are those of every other case.
 */
#include "../../reports/report.h"
#include "vm.h"
#include <errno.h>
#include <libxml/xmlwriter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct list { /* what is told while it runs */
    const struct lad_options *options;
    const struct lad_vm_plea *plea;
    json_t *figures;
};

static int64_t figure(const struct lad_record *r, enum lad_obs_name name)
{
    for (size_t i = 0; i < r->n_obs; i++)
        if (!strcmp(r->obs[i].name, lad_obs_name(name)))
            return r->obs[i].value;
    return 0;
}

static const char *mode_of(const struct lad_record *r)
{
    return strrchr(r->id, '-') + 1;
}

static double per_second(int64_t n, int64_t ns)
{
    return ns > 0 ? (double)n * 1e9 / (double)ns : 0;
}

static void add_json(struct list *l, const struct lad_record *r)
{
    static const struct {
        const char *name;
        enum lad_obs_name obs;
    } members[] = {{"launches", LAD_OBS_VM_LAUNCHES},         {"dispatches", LAD_OBS_VM_DISPATCHES},
                   {"instructions", LAD_OBS_VM_INSTRUCTIONS}, {"activations", LAD_OBS_VM_ACTIVATIONS},
                   {"launch_ns", LAD_OBS_VM_LAUNCH_NS},       {"dispatch_ns", LAD_OBS_VM_DISPATCH_NS}};
    json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s?}", "device", r->device, "spec", r->spec, "mode", mode_of(r),
                          "count", (int)l->options->count, "status", lad_status_name(r->status), "message", r->message);
    if (!o)
        abort();
    for (size_t i = 0; r->status == LAD_STATUS_PASS && i < LAD_N(members); i++)
        json_object_set_new(o, members[i].name, json_integer(figure(r, members[i].obs)));
    if (r->status == LAD_STATUS_PASS)
        json_object_set_new(
            o, "instructions_per_second",
            json_real(per_second(figure(r, LAD_OBS_VM_INSTRUCTIONS), figure(r, LAD_OBS_VM_DISPATCH_NS))));
    json_array_append_new(l->figures, o);
}

/* The reference executes the same instructions as every device that agrees with it. */
static void add_reference(struct list *l, const struct lad_run *run)
{
    for (const struct lad_record *r = run->record; r < run->record + run->n_records; r++) {
        if (r->status != LAD_STATUS_PASS)
            continue;
        int64_t n = figure(r, LAD_OBS_VM_INSTRUCTIONS), ns = (int64_t)l->plea->reference_ns;
        json_array_append_new(l->figures,
                              json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:f}", "device", "reference", "mode",
                                        mode_of(r), "count", (int)l->options->count, "status", "pass", "launches",
                                        (json_int_t)figure(r, LAD_OBS_VM_LAUNCHES), "instructions", (json_int_t)n,
                                        "activations", (json_int_t)figure(r, LAD_OBS_VM_ACTIVATIONS), "launch_ns",
                                        (json_int_t)ns, "instructions_per_second", per_second(n, ns)));
        fprintf(stderr, "reference: %lld instructions, %.4f s, %.4g M instructions/s\n", (long long)n, (double)ns / 1e9,
                per_second(n, ns) / 1e6);
        return;
    }
}

static void show_passed(const struct lad_record *r)
{
    int64_t instructions = figure(r, LAD_OBS_VM_INSTRUCTIONS), ns = figure(r, LAD_OBS_VM_DISPATCH_NS);
    fprintf(stderr,
            "%s %s: equal after each of %lld launches; %lld dispatches, %lld instructions, %lld activations, "
            "%.4f s (%.4f s with exchange), %.4g M instructions/s\n",
            r->device, mode_of(r), (long long)figure(r, LAD_OBS_VM_LAUNCHES),
            (long long)figure(r, LAD_OBS_VM_DISPATCHES), (long long)instructions,
            (long long)figure(r, LAD_OBS_VM_ACTIVATIONS), (double)ns / 1e9,
            (double)figure(r, LAD_OBS_VM_LAUNCH_NS) / 1e9, per_second(instructions, ns) / 1e6);
}

/* What a report says of it, but for how to repeat it: that is what was typed. */
static void show_failed(const struct lad_run *run, struct lad_record r)
{
    struct lad_arena *arena = lad_arena_create();
    fprintf(stderr, "%s %s: %s: %s\n", r.device, mode_of(&r), lad_status_name(r.status),
            r.message ? lad_show_line(arena, r.message, 1000) : "");
    lad_put_answer(stderr, arena, NULL, &r);
    r.file = r.proves = NULL;
    lad_put_context(stderr, arena, run, &r);
    lad_put_evidence(stderr, arena, &r, 16, true);
    lad_put_messages(stderr, arena, &r, 100);
    if (r.output)
        fprintf(stderr, "  output   %s\n", r.output);
    lad_arena_destroy(&arena);
}

static void show_ended(void *arg, const struct lad_run *run, const struct lad_record *r)
{
    struct list *l = arg;
    add_json(l, r);
    if (r->status == LAD_STATUS_PASS) {
        show_passed(r);
    } else if (r->status == LAD_STATUS_SKIP) {
        fprintf(stderr, "%s %s: skipped: %s\n", r->device, mode_of(r), r->message ? r->message : "");
    } else {
        show_failed(run, *r);
    }
    fflush(stderr);
}

/* ---- the case ---- */

static void put_param(xmlTextWriter *w, const char *name, const char *value)
{
    xmlTextWriterStartElement(w, BAD_CAST "param");
    xmlTextWriterWriteAttribute(w, BAD_CAST "name", BAD_CAST name);
    xmlTextWriterWriteAttribute(w, BAD_CAST "value", BAD_CAST value);
    xmlTextWriterEndElement(w);
}

static bool write_case(FILE *out, const void *arg)
{
    const struct lad_vm_plea *p = arg;
    const struct lad_options *o = p->options;
    char count[16];
    xmlBuffer *text = xmlBufferCreate();
    xmlTextWriter *w = text ? xmlNewTextWriterMemory(text, 0) : NULL;
    if (!w)
        abort();
    xmlTextWriterSetIndent(w, 1);
    xmlTextWriterStartDocument(w, NULL, "UTF-8", NULL);
    xmlTextWriterStartElement(w, BAD_CAST "cases");
    xmlTextWriterWriteAttribute(w, BAD_CAST "rung", BAD_CAST "11");
    xmlTextWriterStartElement(w, BAD_CAST "case");
    xmlTextWriterWriteAttribute(w, BAD_CAST "id", BAD_CAST "vm-run-{mode}");
    xmlTextWriterWriteAttribute(w, BAD_CAST "probe", BAD_CAST "vm");
    xmlTextWriterWriteAttribute(w, BAD_CAST "proves",
                                BAD_CAST "the program does the same as in the reference, {mode} binding");
    xmlTextWriterWriteAttribute(w, BAD_CAST "gates", BAD_CAST "no");
    xmlTextWriterStartElement(w, BAD_CAST "axis");
    xmlTextWriterWriteAttribute(w, BAD_CAST "name", BAD_CAST "mode");
    xmlTextWriterWriteAttribute(w, BAD_CAST "values",
                                BAD_CAST(strcmp(o->binding, "all") ? o->binding : "direct table packed"));
    xmlTextWriterEndElement(w);
    snprintf(count, sizeof count, "%u", o->count);
    put_param(w, "program", p->program);
    put_param(w, "mode", "{mode}");
    put_param(w, "count", count);
    if (o->slice)
        put_param(w, "slice", o->slice);
    if (o->unchecked)
        put_param(w, "unchecked", "yes");
    for (size_t i = 0; p->plusargs[i]; i++)
        put_param(w, "plusarg", p->plusargs[i]);
    xmlTextWriterEndDocument(w);
    xmlFreeTextWriter(w);
    bool ok = fputs((const char *)xmlBufferContent(text), out) >= 0;
    xmlBufferFree(text);
    return ok;
}

/* ---- the run ---- */

static bool write_figures(FILE *out, const void *figures)
{
    return !json_dumpf(figures, out, JSON_INDENT(1)) && fputc('\n', out) != EOF;
}

static bool publish(struct lad_arena *arena, const struct lad_options *o, const struct lad_run *run)
{
    struct lad_options reports = *o;
    reports.json = reports.github_summary = NULL; /* the former is for the figures, the latter was not asked for */
    return lad_publish(arena, &reports, run);
}

static int run_planned(struct lad_arena *arena, const struct lad_options *o, const struct lad_cases *cases,
                       const struct lad_inventory *inv, const struct lad_vm_plea *plea, bool keep)
{
    struct lad_run run = {0};
    struct list list = {o, plea, json_array()};
    const struct lad_watch watch = {.ended = show_ended, .arg = &list};
    lad_run_describe(arena, o, inv, &run);
    int status = LAD_EXIT_USAGE;
    if (!run.n_devices)
        status = LAD_EXIT_NOTHING;
    else if (lad_plan(arena, o, cases, &run)) {
        lad_catch_signals();
        bool ok = lad_run_all(arena, o, cases, &run, &watch);
        lad_inventory_hang_up();
        ok = (!keep || publish(arena, o, &run)) && ok;
        add_reference(&list, &run);
        ok = (!o->json || lad_write_file(o->json, write_figures, list.figures)) && ok;
        status = ok ? lad_exit_status(o, &run, lad_caught_signal()) : LAD_EXIT_HARNESS;
    }
    json_decref(list.figures);
    return status;
}

static int run_devices(struct lad_arena *arena, struct lad_options *o, const struct lad_vm_plea *plea, bool keep)
{
    static const char *only[] = {"vm-run-*", NULL};
    const char *file = lad_printf(arena, "%s/vm-run.xml", o->output);
    struct lad_cases cases = {0};
    struct lad_inventory inv;
    int status = LAD_EXIT_HARNESS;
    o->only = only;
    if (lad_write_file(file, write_case, plea) && lad_inventory_start(arena, o->device, lad_start_ms(o)) &&
        lad_case_builtin(arena, &cases) && lad_case_load(arena, file, &cases) &&
        lad_inventory_take(arena, o->device, lad_start_ms(o), &inv))
        status = run_planned(arena, o, &cases, &inv, plea, keep);
    lad_inventory_release();
    return status;
}

/* Without --output the journal is nobody's. */
int lad_vm_beside(struct lad_arena *arena, const struct lad_vm_plea *plea)
{
    struct lad_options o = *plea->options;
    const char *tmp = getenv("TMPDIR");
    if (strcmp(o.output, LAD_DEFAULT_OUTPUT))
        return lad_make_dir(o.output) ? run_devices(arena, &o, plea, true) : LAD_EXIT_HARNESS;
    char *dir = lad_printf(arena, "%s/gpuladder-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        lad_error("%s: cannot make a folder: %s", dir, strerror(errno));
        return LAD_EXIT_HARNESS;
    }
    o.output = dir;
    int status = run_devices(arena, &o, plea, false);
    unlink(lad_printf(arena, "%s/vm-run.xml", dir));
    unlink(lad_printf(arena, "%s/journal.jsonl", dir));
    rmdir(dir);
    return status;
}
