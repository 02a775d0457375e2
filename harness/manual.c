/* SPDX-License-Identifier: Apache-2.0 */
/* Help and manual page, made from the option table, the commands and the variables' table. */
#include "harness.h"
#include <string.h>

static const struct {
    const char *status, *meaning;
} exits[] = {
    {"0", "everything that ran passed; skips with their reason and expected failures are allowed"},
    {"1", "at least one unexpected failure, error or unexpected pass, or a device of --require was not tested"},
    {"2", "bad usage, or input that cannot be read"},
    {"77", "nothing could be tested: no loader, no driver, no matching device, or every case skipped"},
    {"99", "the harness itself failed: a report could not be written, a self-check failed"},
    {"128+n", "ended by signal n; SIGINT writes all reports first and gives 130"},
};

static const struct {
    const char *pattern, *meaning;
} variables[] = {
#define VARIABLE(pattern, record, meaning) {pattern, meaning},
#include "environment.def"
#undef VARIABLE
};

static const struct {
    const char *command, *meaning;
} examples[] = {
    {"gpuladder devices", "what is there, and what was refused and why"},
    {"gpuladder run", "climb the ladder on every device; reports go to test-results/"},
    {"gpuladder run --device vk:0 --only dispatch --keep-going", "one rung on one device"},
    {"gpuladder run --only vector-add --seed 0x5eed0001 -v", "repeat one case with the same inputs"},
    {"gpuladder run --baseline known.txt --junit junit.xml", "in CI: known failures are expected, one JUnit file"},
    {"gpuladder report test-results --junit -", "make a report again from a finished or a cut-off run"},
    {"gpuladder explain B4", "what a root cause looks like, and how it is told apart"},
    {"gpuladder doctor", "why no device is found, and what to do next"},
};

/* Words of text from column `from` on, broken before column 80; every line after the first is indented to `indent`. */
void lad_wrap(FILE *out, const char *text, int from, int indent)
{
    int column = from;
    bool start = true;
    while (*text) {
        int n = (int)strcspn(text, " \n");
        bool end = text[n] == '\n';
        if (!start && column + 1 + n > 79) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            start = true;
        }
        column += fprintf(out, "%s%.*s", start ? "" : " ", n, text);
        start = false;
        text += n;
        if (end) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            start = true;
            text++;
        }
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void help_option(FILE *out, const struct lad_option *p)
{
    char left[80];
    int n = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", p->letter ? '-' : ' ', p->letter ? p->letter : ' ',
                     p->letter ? "," : " ", p->name, p->arg ? " " : "", p->arg ? p->arg : "");
    fputs(left, out);
    if (n > 26)
        fprintf(out, "\n%28s", "");
    else
        fprintf(out, "%*s", 28 - n, "");
    lad_wrap(out, p->help, 28, 28);
}

static void help_command(FILE *out, const struct lad_command *c)
{
    fprintf(out, "Usage: gpuladder %s [option...]%s%s\n\n", c->name, *c->usage ? " " : "", c->usage);
    lad_wrap(out, c->summary, 0, 0);
    if (c->more) {
        fputc('\n', out);
        lad_wrap(out, c->more, 0, 0);
    }
    fputs("\nOptions:\n", out);
    for (const struct lad_option *p = lad_option_rows; p->name; p++)
        if (lad_option_of(p, c->name, NULL))
            help_option(out, p);
}

void lad_help(FILE *out, const char *verb)
{
    const struct lad_command *command = verb ? lad_command_find(verb) : NULL;
    if (command && command->summary) {
        help_command(out, command);
        return;
    }
    fputs("Usage: gpuladder COMMAND [option...] [argument...]\n\n"
          "Finds out what works on a GPU, through Vulkan and OpenCL, and what does not.\n\nCommands:\n",
          out);
    for (const struct lad_command *const *c = lad_commands; *c; c++) {
        if ((*c)->summary) {
            fprintf(out, "  %-10s", (*c)->name);
            lad_wrap(out, (*c)->summary, 12, 12);
        }
    }
    fputs("\nStart with 'gpuladder devices', then 'gpuladder run'. 'gpuladder help COMMAND' lists the options.\n", out);
}

/* mdoc: a backslash and a leading dot or quote would be read as markup. */
static void troff(FILE *out, const char *text)
{
    for (bool start = true; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        start = *text == '\n';
    }
}

static void troff_line(FILE *out, const char *text)
{
    troff(out, text);
    fputc('\n', out);
}

/* An argument of a macro: always quoted, so that no word of it is read as a macro. */
static void troff_item(FILE *out, const char *macro, const char *text)
{
    fprintf(out, "%s \"", macro);
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : *text == '\\' ? "\\e" : *text == '-' ? "\\-" : (char[]){*text, 0}, out);
    fputs("\"\n", out);
}

static void manual_options(FILE *out)
{
    fputs(".Sh OPTIONS\nAn option is taken by the commands named behind it.\n"
          "A long option may be shortened as far as it stays unique.\n.Bl -tag -width Ds\n",
          out);
    for (const struct lad_option *p = lad_option_rows; p->name; p++) {
        fputs(".It ", out);
        if (p->letter)
            fprintf(out, "Fl %c , ", p->letter);
        fputs("Fl \\-", out);
        troff(out, p->name);
        if (p->arg)
            fprintf(out, " Ar \"%s\"", p->arg);
        fputc('\n', out);
        troff(out, p->help);
        fprintf(out, ".\n.Pq %s\n", *p->verbs ? p->verbs : "all");
    }
    fputs(".El\n", out);
}

static void manual_tables(FILE *out)
{
    fputs(".Sh EXIT STATUS\n.Bl -tag -width 128+n\n", out);
    for (size_t i = 0; i < LAD_N(exits); i++) {
        troff_item(out, ".It", exits[i].status);
        troff_line(out, exits[i].meaning);
    }
    fputs(".El\n.Sh ENVIRONMENT\nNo variable is set or changed for the devices under test, except that each worker "
          "process\n"
          "narrows the loaders to the one driver it was started for.\n"
          "Those that can change results are kept in every report.\n.Bl -tag -width Ds\n",
          out);
    for (size_t i = 0; i < LAD_N(variables); i++) {
        troff_item(out, ".It", variables[i].pattern);
        if (variables[i].meaning)
            troff_line(out, variables[i].meaning);
    }
    fputs(".El\n.Sh FILES\n.Bl -tag -width Ds\n"
          ".It Pa test\\-results/journal.jsonl\nOne line of JSON a case, written while the run goes on.\n"
          ".It Pa test\\-results/run.json\nThe whole run.\n"
          ".It Pa test\\-results/TEST\\-gpuladder\\-DEVICE.xml\nJUnit XML, a file a device.\n"
          ".It Pa /usr/share/vulkan/icd.d , Pa /etc/vulkan/icd.d\nManifests of Vulkan drivers.\n"
          ".It Pa /etc/OpenCL/vendors\nNames of OpenCL drivers.\n.El\n.Sh EXAMPLES\n",
          out);
    for (size_t i = 0; i < LAD_N(examples); i++) {
        fputs(i ? ".Pp\n" : "", out);
        troff(out, examples[i].meaning);
        fputs(":\n.Dl \"", out);
        troff(out, examples[i].command);
        fputs("\"\n", out);
    }
}

void lad_manual(FILE *out)
{
    fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Made by 'gpuladder help --man'.\n"
          ".Dd November 21, 2026\n.Dt GPULADDER 1\n.Os\n"
          ".Sh NAME\n.Nm gpuladder\n.Nd find out what works on a GPU, through Vulkan and OpenCL\n"
          ".Sh SYNOPSIS\n",
          out);
    for (const struct lad_command *const *c = lad_commands; *c; c++) {
        if (!(*c)->summary)
            continue;
        fprintf(out, ".Nm gpuladder\n.Cm %s\n.Op Ar option ...\n", (*c)->name);
        if (*(*c)->usage)
            troff_item(out, ".Ar", (*c)->usage);
    }
    fputs(".Sh DESCRIPTION\n.Nm\n"
          "climbs a ladder of small probes on every compute device it finds, from opening the driver to following\n"
          "pointers stored in buffers.\n"
          "Each rung stands on lower ones: the first that breaks says where to look.\n"
          "Results are compared with values computed on the host apart from the kernels, and every buffer is planted "
          "with\n"
          "marks first, so that\n.Dq nothing was written ,\n.Dq the host never saw it\nand\n"
          ".Dq it computed something else\nare told apart.\n.Pp\n"
          "A device is named by its specification\n.Pq Li vk:0 , Li cl:0:1 , Li host ,\n"
          "by its slug\n.Pq Li vk\\-llvmpipe ,\nwhich is stable over driver updates, or by a part of its name.\n"
          "Drivers are loaded in worker processes only; one that crashes or hangs is named, and the run goes on.\n"
          ".Sh COMMANDS\n.Bl -tag -width Ds\n",
          out);
    for (const struct lad_command *const *c = lad_commands; *c; c++) {
        if (!(*c)->summary)
            continue;
        fprintf(out, ".It Cm %s", (*c)->name);
        if (*(*c)->usage)
            fprintf(out, " Ar \"%s\"", (*c)->usage);
        fputc('\n', out);
        troff(out, (*c)->summary);
        fputs(".\n", out);
        if ((*c)->more)
            troff_line(out, (*c)->more);
    }
    fputs(".El\n", out);
    manual_options(out);
    manual_tables(out);
    fputs(".Sh SEE ALSO\n.Xr clinfo 1 ,\n.Xr vulkaninfo 1 ,\n.Xr libOpenCL 7\n", out);
}
