/* SPDX-License-Identifier: Apache-2.0 */
/* The completion for bash, made from the option table and the commands. Names of cases and devices are asked for when
 * they are needed, through the hidden command __complete. */
#include "harness.h"
#include <string.h>

#define ASK "words=$(\"${COMP_WORDS[0]}\" __complete "

/* What follows an option: the answer is chosen by the name of its argument. */
static void write_argument(FILE *out, const struct lad_option *p)
{
    fputs("        ", out);
    if (p->letter)
        fprintf(out, "-%c|", p->letter);
    fprintf(out, "--%s) ", p->name);
    if (!strcmp(p->arg, "SPEC")) {
        fputs(ASK "devices 2>/dev/null) ;;\n", out);
    } else if (!strcmp(p->arg, "RUNG|CASE") || !strcmp(p->arg, "GLOB")) {
        fputs(ASK "rungs cases 2>/dev/null) ;;\n", out);
    } else if (!strcmp(p->arg, "FILE") || !strcmp(p->arg, "PATH")) {
        fputs("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n", out);
    } else if (!strcmp(p->arg, "DIR")) {
        fputs("mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n", out);
    } else if (strpbrk(p->arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
        fputs("return ;;\n", out);
    } else {
        fputs("words='", out);
        for (const char *a = p->arg; *a; a++)
            fputc(*a == '|' ? ' ' : *a, out);
        fputs("' ;;\n", out);
    }
}

/* What stands where neither the command nor an option's argument is expected. */
static void write_words(FILE *out, const struct lad_command *c)
{
    static const struct {
        const char *command, *kinds;
    } arguments[] = {{"list", "rungs"}, {"explain", "rungs cases classes"}, {"help", "commands"}};
    fprintf(out, "            %s) words='", c->name);
    for (const struct lad_option *p = lad_option_rows; p->name; p++)
        if (lad_option_of(p, c->name, NULL))
            fprintf(out, "--%s ", p->name);
    fputs("'", out);
    for (size_t i = 0; i < LAD_N(arguments); i++)
        if (!strcmp(arguments[i].command, c->name))
            fprintf(out, "\n                [[ $cur == -* ]] || " ASK "%s 2>/dev/null)", arguments[i].kinds);
    if (!strcmp(c->name, "report"))
        fputs("\n                [[ $cur == -* ]] || { mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return; }",
              out);
    fputs(" ;;\n", out);
}

void lad_completion(FILE *out)
{
    fputs("# SPDX-License-Identifier: Apache-2.0\n"
          "# Completion for bash, made by 'gpuladder help --completion'.\n"
          "_gpuladder()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb='' words='' i\n"
          "    # bash parts words at '=' and ':'; put back together what was one\n"
          "    if declare -F _get_comp_words_by_ref >/dev/null; then _get_comp_words_by_ref -n := cur prev; fi\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n            ",
          out);
    const char *bar = "";
    for (const struct lad_command *const *c = lad_commands; *c; c++) {
        if ((*c)->summary) {
            fprintf(out, "%s%s", bar, (*c)->name);
            bar = "|";
        }
    }
    fputs(") verb=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n    case $prev in\n", out);
    for (const struct lad_option *p = lad_option_rows; p->name; p++)
        if (p->arg)
            write_argument(out, p);
    fputs("        *) case $verb in\n", out);
    for (const struct lad_command *const *c = lad_commands; *c; c++)
        if ((*c)->summary)
            write_words(out, *c);
    fputs("            *) " ASK "commands) ;;\n"
          "        esac ;;\n    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "    if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions \"$cur\"; fi\n"
          "    return 0\n}\ncomplete -F _gpuladder gpuladder\n",
          out);
}
