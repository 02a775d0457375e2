/* SPDX-License-Identifier: Apache-2.0 */
/* Case text -> struct lad_case. Every mistake in a case file is found here and said with file and line; what runs a
 * case later (probes/steps.c) may rely on names that exist and expressions that parse. */
#include "harness.h"
#include "registry.h"
#include <dirent.h>
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    uint32_t bytes;
} types[] = {[LAD_U32] = {"uint", 4}, [LAD_I32] = {"int", 4}, [LAD_F32] = {"float", 4}, [LAD_U64] = {"u64", 8},
             [LAD_I64] = {"i64", 8},  [LAD_F64] = {"f64", 8}, [LAD_U16] = {"u16", 2},   [LAD_U8] = {"u8", 1}};
static const char *const mems[] = {"device",       "coherent",   "noncoherent", "mapped",
                                   "host-pointer", "svm-coarse", "svm-fine"};
static const char *const roles[] = {"input", "output", "inout"};
static const char *const step_names[] = {"dispatch", "fill",   "copy",   "write", "barrier",
                                         "wait",     "submit", "finish", "read"};
static const char *const fills[] = {"random", "small", "index", "ramp", "special", "tags"};

uint32_t lad_type_bytes(enum lad_type type)
{
    return types[type].bytes;
}

const char *lad_type_name(enum lad_type type)
{
    return types[type].name;
}

const char *lad_step_name(enum lad_step_kind kind)
{
    return step_names[kind];
}

const char *lad_mem_name(enum lad_mem mem)
{
    return mems[mem];
}

const char *lad_case_group(const struct lad_case *c)
{
    for (int i = 0; i < lad_n_rungs; i++)
        if (lad_rungs[i].number == c->rung)
            return lad_rungs[i].name;
    return "user";
}

/* The values that {name} stands for while one case element is read. */
struct axis {
    const char *name;
    const char *values[64];
    size_t n, at;
};
struct reader {
    struct lad_arena *arena;
    const char *file;
    struct axis axis[4];
    size_t n_axes;
    struct lad_scope known; /* variables seen so far, for checking expressions; all 1 */
    bool bad;
};

static void complain(struct reader *r, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void complain(struct reader *r, int line, const char *format, ...)
{
    va_list ap;
    char text[600];
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    lad_error("%s:%d: %s", r->file, line, text);
    r->bad = true;
}

static int line_of(const xmlNode *node)
{
    return (int)xmlGetLineNo((xmlNode *)(uintptr_t)node);
}

/* {name} replaced by the axis' present value; a name that is no axis is a mistake. */
static char *substitute(struct reader *r, const xmlNode *node, const char *text)
{
    char *out = lad_strdup(r->arena, "");
    for (const char *open; (open = strchr(text, '{')); text = strchr(open, '}') + 1) {
        size_t i, n = strcspn(open + 1, "}");
        for (i = 0; i < r->n_axes; i++)
            if (strlen(r->axis[i].name) == n && !memcmp(r->axis[i].name, open + 1, n))
                break;
        if (!open[n + 1] || i == r->n_axes) {
            complain(r, line_of(node), "\"%s\": expected {name} of an <axis> of this case", open);
            return out;
        }
        out = lad_printf(r->arena, "%s%.*s%s", out, (int)(open - text), text, r->axis[i].values[r->axis[i].at]);
    }
    return lad_printf(r->arena, "%s%s", out, text);
}

static const char *get(struct reader *r, xmlNode *node, const char *name)
{
    xmlChar *raw = xmlGetProp(node, (const xmlChar *)name);
    if (!raw)
        return NULL;
    char *text = substitute(r, node, (const char *)raw);
    xmlFree(raw);
    return text;
}

static const char *need(struct reader *r, xmlNode *node, const char *name)
{
    const char *text = get(r, node, name);
    if (!text)
        complain(r, line_of(node), "<%s> lacks %s=", node->name, name);
    return text ? text : "";
}

static int pick(struct reader *r, xmlNode *node, const char *name, const char *text, const char *const *from, size_t n)
{
    char all[400] = "";
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(text, from[i]))
            return (int)i;
        snprintf(all + strlen(all), sizeof all - strlen(all), " %s", from[i]);
    }
    complain(r, line_of(node), "%s=\"%s\": expected one of:%s", name, text, all);
    return 0;
}

static void check_expr(struct reader *r, int line, const char *text, bool element)
{
    char why[300];
    int64_t value;
    struct lad_scope scope = r->known;
    if (element && scope.n < LAD_N(scope.name)) {
        scope.name[scope.n] = "i";
        scope.value[scope.n++] = 1;
    }
    if (!lad_eval(text, &scope, &value, why, sizeof why) && !strstr(why, "division by zero"))
        complain(r, line, "%s", why);
}

static struct lad_expr expr(struct reader *r, xmlNode *node, const char *name)
{
    struct lad_expr e = {get(r, node, name), line_of(node)};
    if (e.text)
        check_expr(r, e.line, e.text, false);
    return e;
}

/* "x, y, z": commas outside parentheses part the extents. */
static void expr3(struct reader *r, xmlNode *node, const char *name, struct lad_expr out[3])
{
    const char *text = get(r, node, name);
    for (int i = 0; text && i < 3; i++) {
        const char *end = text;
        for (int depth = 0; *end && (depth || *end != ','); end++)
            depth += *end == '(' ? 1 : *end == ')' ? -1 : 0;
        out[i] = (struct lad_expr){lad_printf(r->arena, "%.*s", (int)(end - text), text), line_of(node)};
        check_expr(r, out[i].line, out[i].text, false);
        text = *end ? end + 1 : NULL;
    }
    if (text)
        complain(r, line_of(node), "%s=: expected at most three extents, \"%s\" is left", name, text);
}

static void learn(struct reader *r, xmlNode *node, const char *name)
{
    if (r->known.n == LAD_N(r->known.name)) {
        complain(r, line_of(node), "more than %zu variables in a case", LAD_N(r->known.name));
        return;
    }
    r->known.name[r->known.n] = name;
    r->known.value[r->known.n++] = 1;
}

static const char *check_fill(struct reader *r, xmlNode *node, const char *fill)
{
    if (fill && *fill == '=')
        check_expr(r, line_of(node), fill + 1, true);
    else if (fill)
        pick(r, node, "fill", fill, fills, LAD_N(fills));
    return fill;
}

static const struct lad_case_buf *find_buf(const struct lad_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_bufs; i++)
        if (!strcmp(c->bufs[i].name, name))
            return &c->bufs[i];
    return NULL;
}

static const char *buf_name(struct reader *r, xmlNode *node, const char *attribute, const struct lad_case *c)
{
    const char *name = need(r, node, attribute);
    if (*name && !find_buf(c, name))
        complain(r, line_of(node), "%s=\"%s\": this case has no such <buffer>", attribute, name);
    return name;
}

static void read_sweep(struct reader *r, xmlNode *node, struct lad_case *c)
{
    char why[300], *save, *text = lad_strdup(r->arena, need(r, node, "values"));
    c->sweep = need(r, node, "name");
    for (char *word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
        int64_t *value = LAD_PUSH(r->arena, c->sweep_values, c->n_sweep);
        if (!lad_eval(word, &r->known, value, why, sizeof why))
            complain(r, line_of(node), "%s", why);
        if (c->n_sweep > 1 && *value <= value[-1])
            complain(r, line_of(node), "values=: expected ascending numbers, \"%s\" is not above the one before", word);
    }
    if (!c->n_sweep)
        complain(r, line_of(node), "values=: expected at least one number");
    learn(r, node, c->sweep);
}

static void read_buffer(struct reader *r, xmlNode *node, struct lad_case *c)
{
    const char *type = need(r, node, "type"), *mem = get(r, node, "memory"), *role = get(r, node, "role");
    const char *address = get(r, node, "address");
    size_t kind;
    struct lad_case_buf *b = LAD_PUSH(r->arena, c->bufs, c->n_bufs);
    b->line = line_of(node);
    b->count = expr(r, node, "count");
    for (kind = 0; kind < LAD_N(types) && strcmp(types[kind].name, type); kind++)
        ;
    if (kind == LAD_N(types))
        complain(r, b->line, "type=\"%s\": expected uint, int, float, u64, i64, f64, u16 or u8", type);
    b->type = (enum lad_type)kind;
    b->mem = mem ? (enum lad_mem)pick(r, node, "memory", mem, mems, LAD_N(mems)) : LAD_MEM_DEVICE;
    b->fill = check_fill(r, node, get(r, node, "fill"));
    b->table = get(r, node, "table");
    b->role = role                  ? (enum lad_role)pick(r, node, "role", role, roles, 3)
              : b->fill || b->table ? LAD_INPUT
                                    : LAD_OUTPUT;
    b->address = address && !strcmp(address, "yes");
    if (b->role != LAD_OUTPUT && !b->fill && !b->table)
        complain(r, b->line, "<buffer role=\"%s\"> lacks fill=", roles[b->role]);
    b->name = need(r, node, "name"); /* last: find_buf must not see it before */
    for (size_t i = 0; i + 1 < c->n_bufs; i++)
        if (!strcmp(c->bufs[i].name, b->name))
            complain(r, b->line, "a second <buffer name=\"%s\">", b->name);
}

static void read_buffers(struct reader *r, xmlNode *node, struct lad_case *c)
{
    const char *repeat = get(r, node, "repeat");
    int n = repeat ? atoi(repeat) : 1;
    struct axis *i = &r->axis[r->n_axes];
    if (!repeat) {
        read_buffer(r, node, c);
        return;
    }
    if (n < 1 || n > 64 || r->n_axes == LAD_N(r->axis)) {
        complain(r, line_of(node), "repeat=\"%s\": expected 1 to 64", repeat);
        return;
    }
    *i = (struct axis){.name = "i", .n = (size_t)n};
    for (int k = 0; k < n; k++)
        i->values[k] = lad_printf(r->arena, "%d", k);
    r->n_axes++;
    for (i->at = 0; i->at < i->n; i->at++)
        read_buffer(r, node, c);
    r->n_axes--;
}

static bool is_scalar(const struct lad_kernel_source *k, const char *name, const struct lad_scalar_decl **decl)
{
    for (uint32_t i = 0; i < k->n_scalars; i++)
        if (!strcmp(k->scalars[i].name, name))
            return (*decl = &k->scalars[i]) != NULL;
    return false;
}

static bool is_buffer(const struct lad_kernel_source *k, const char *name)
{
    for (uint32_t i = 0; i < k->n_bufs; i++)
        if (!strcmp(k->bufs[i].name, name))
            return true;
    return false;
}

static struct lad_arg *find_arg(const struct lad_step *s, const char *name)
{
    for (size_t i = 0; i < s->n_args; i++)
        if (!strcmp(s->args[i].name, name))
            return &s->args[i];
    return NULL;
}

static void read_arg(struct reader *r, xmlNode *node, const struct lad_case *c, struct lad_step *s)
{
    bool bind = !strcmp((const char *)node->name, "bind");
    const struct lad_scalar_decl *scalar = NULL;
    const char *name = need(r, node, "name");
    if (bind ? !is_buffer(s->kernel, name) : !is_scalar(s->kernel, name, &scalar)) {
        complain(r, line_of(node), "kernel %s has no %s \"%s\"", s->kernel->name, bind ? "buffer" : "scalar", name);
        return;
    }
    struct lad_arg *a = LAD_PUSH(r->arena, s->args, s->n_args);
    a->name = name;
    if (bind) {
        a->buf = buf_name(r, node, "buffer", c);
        a->offset = expr(r, node, "offset");
        a->bytes = expr(r, node, "bytes");
    } else if (!strcmp(scalar->type, "float") || !strcmp(scalar->type, "f64")) {
        char *end;
        a->text = need(r, node, "value");
        strtod(a->text, &end);
        if (end == a->text || *end)
            complain(r, line_of(node), "value=\"%s\": expected a number, as scalar %s is a %s", a->text, name,
                     scalar->type);
    } else {
        a->value = expr(r, node, "value");
    }
}

/* What the file leaves unsaid: same names belong together. */
static void bind_rest(struct reader *r, const struct lad_case *c, struct lad_step *s)
{
    const struct lad_kernel_source *k = s->kernel;
    for (uint32_t i = 0; i < k->n_bufs; i++) {
        if (find_arg(s, k->bufs[i].name))
            continue;
        if (!find_buf(c, k->bufs[i].name))
            complain(r, s->line, "kernel %s needs a buffer \"%s\": expected a <buffer> of that name or a <bind>",
                     k->name, k->bufs[i].name);
        struct lad_arg *a = LAD_PUSH(r->arena, s->args, s->n_args);
        a->name = a->buf = k->bufs[i].name;
    }
    for (uint32_t i = 0; i + 2 < k->n_scalars; i++) { /* the last two are the harness's own */
        const char *name = k->scalars[i].name;
        size_t v;
        if (find_arg(s, name))
            continue;
        for (v = 0; v < r->known.n && strcmp(r->known.name[v], name); v++)
            ;
        if (v == r->known.n)
            complain(r, s->line, "kernel %s needs a scalar \"%s\": expected a variable of that name or a <set>",
                     k->name, name);
        struct lad_arg *a = LAD_PUSH(r->arena, s->args, s->n_args);
        a->name = name;
        a->value = (struct lad_expr){name, s->line};
    }
}

static void read_dispatch(struct reader *r, xmlNode *node, const struct lad_case *c, struct lad_step *s)
{
    const char *kernel = need(r, node, "kernel");
    s->kernel = lad_kernel_find(kernel);
    if (!s->kernel) {
        complain(r, s->line, "kernel=\"%s\": there is no such kernel in this program", kernel);
        return;
    }
    expr3(r, node, "items", s->items);
    expr3(r, node, "groups", s->groups);
    expr3(r, node, "local", s->local);
    expr3(r, node, "base", s->base);
    s->dynamic = expr(r, node, "dynamic");
    s->constant[0] = expr(r, node, "const0");
    s->constant[1] = expr(r, node, "const1");
    s->queue = expr(r, node, "queue");
    s->repeat = expr(r, node, "repeat");
    s->indirect_offset = expr(r, node, "indirect-offset");
    if (get(r, node, "indirect"))
        s->indirect = buf_name(r, node, "indirect", c);
    if (!s->items[0].text && !s->groups[0].text && !s->indirect)
        complain(r, s->line, "<dispatch> lacks items=, groups= or indirect=");
    if (!s->local[0].text)
        complain(r, s->line, "<dispatch> lacks local=");
    if (s->kernel->n_dynamic && !s->dynamic.text)
        complain(r, s->line, "kernel %s has a dynamic local array: <dispatch> lacks dynamic=", kernel);
    for (xmlNode *child = node->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            read_arg(r, child, c, s);
    bind_rest(r, c, s);
}

static void read_step(struct reader *r, xmlNode *node, struct lad_case *c)
{
    struct lad_step *s = LAD_PUSH(r->arena, c->steps, c->n_steps);
    s->line = line_of(node);
    s->kind = (enum lad_step_kind)pick(r, node, "step", (const char *)node->name, step_names, LAD_N(step_names));
    if (s->kind == LAD_STEP_DISPATCH) {
        read_dispatch(r, node, c, s);
    } else if (s->kind == LAD_STEP_COPY) {
        s->from = buf_name(r, node, "from", c);
        s->buf = buf_name(r, node, "to", c);
    } else if (s->kind == LAD_STEP_FILL || s->kind == LAD_STEP_WRITE || s->kind == LAD_STEP_READ) {
        s->buf = buf_name(r, node, "buffer", c);
    }
    if (s->kind == LAD_STEP_WRITE)
        s->fill = check_fill(r, node, need(r, node, "fill"));
    s->offset = expr(r, node, "offset");
    s->from_offset = expr(r, node, "from-offset");
    s->bytes = expr(r, node, "bytes");
    s->word = expr(r, node, "word");
}

static void read_need(struct reader *r, xmlNode *node, struct lad_case *c)
{
    struct lad_need *n = LAD_PUSH(r->arena, c->needs, c->n_needs);
    n->min = expr(r, node, "min");
    n->cap = lad_cap_find(need(r, node, "cap"));
    if (n->cap == LAD_CAP_COUNT)
        complain(r, line_of(node), "cap=\"%s\": no such capability; `gpuladder devices -v` lists them",
                 need(r, node, "cap"));
}

static void read_expect(struct reader *r, xmlNode *node, struct lad_case *c)
{
    const char *ulp = get(r, node, "ulp");
    struct lad_expect *e = LAD_PUSH(r->arena, c->expects, c->n_expects);
    e->line = line_of(node);
    e->buf = buf_name(r, node, "buffer", c);
    e->oracle = need(r, node, "oracle");
    e->with = get(r, node, "with");
    e->ulp = ulp ? strtod(ulp, NULL) : 0;
    if (!lad_oracle_find(e->oracle))
        complain(r, e->line, "oracle=\"%s\": there is no such oracle in this program", e->oracle);
}

static void read_measure(struct reader *r, xmlNode *node, struct lad_case *c)
{
    struct lad_measure_want *m = LAD_PUSH(r->arena, c->measures, c->n_measures);
    m->line = line_of(node);
    m->name = need(r, node, "name");
    m->unit = need(r, node, "unit");
    m->work = expr(r, node, "work");
    m->floor_any = expr(r, node, "floor");
    m->floor_discrete = expr(r, node, "floor-discrete");
    if (!m->work.text && strcmp(m->unit, "us"))
        complain(r, m->line, "<measure unit=\"%s\"> lacks work=", m->unit);
}

static void read_child(struct reader *r, xmlNode *node, struct lad_case *c)
{
    const char *name = (const char *)node->name;
    if (!strcmp(name, "axis"))
        return;
    if (!strcmp(name, "sweep")) {
        read_sweep(r, node, c);
    } else if (!strcmp(name, "let") || !strcmp(name, "param")) {
        bool let = *name == 'l';
        struct lad_var *v = let ? LAD_PUSH(r->arena, c->vars, c->n_vars) : LAD_PUSH(r->arena, c->params, c->n_params);
        v->name = need(r, node, "name");
        v->value = let ? expr(r, node, "value") : (struct lad_expr){need(r, node, "value"), line_of(node)};
        if (let)
            learn(r, node, v->name);
    } else if (!strcmp(name, "needs")) {
        read_need(r, node, c);
    } else if (!strcmp(name, "buffer")) {
        read_buffers(r, node, c);
    } else if (!strcmp(name, "expect")) {
        read_expect(r, node, c);
    } else if (!strcmp(name, "measure")) {
        read_measure(r, node, c);
    } else {
        read_step(r, node, c);
    }
}

/* Last, as an oracle may name any buffer and variable of the case. */
static void check_oracle(struct reader *r, const struct lad_case *c, const struct lad_expect *e)
{
    char why[300];
    if (!e->with && (!strcmp(e->oracle, "expr") || !strcmp(e->oracle, "fold")))
        complain(r, e->line, "oracle \"%s\" lacks with=", e->oracle);
    else if (!strcmp(e->oracle, "expr") && !lad_oracle_expr_check(e->with, c, why, sizeof why))
        complain(r, e->line, "with=%s", why);
}

static void check_id(struct reader *r, const struct lad_case *c, const struct lad_cases *all)
{
    for (const struct lad_case *o = all->item; o < all->item + all->n - 1; o++)
        if (!strcmp(o->id, c->id))
            complain(r, c->line, "case id \"%s\" is taken: %s:%d", c->id, o->file, o->line);
}

static void read_case(struct reader *r, xmlNode *node, int rung, struct lad_cases *out)
{
    const char *gates = get(r, node, "gates"), *order = get(r, node, "order"), *timeout = get(r, node, "timeout");
    struct lad_case *c = LAD_PUSH(r->arena, out->item, out->n);
    *c = (struct lad_case){.file = r->file, .rung = rung, .line = line_of(node), .ordered = true, .gates = true};
    r->known.n = 0;
    c->id = need(r, node, "id");
    c->proves = need(r, node, "proves");
    c->probe = get(r, node, "probe");
    c->gates = !gates || strcmp(gates, "no");
    c->ordered = !order || strcmp(order, "explicit");
    c->timeout_s = timeout ? (uint32_t)atoi(timeout) : 0;
    if (!c->probe)
        c->probe = "steps";
    if (!lad_probe_find(c->probe))
        complain(r, c->line, "probe=\"%s\": there is no such probe in this program", c->probe);
    check_id(r, c, out);
    for (xmlNode *child = node->children; child && !r->bad; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            read_child(r, child, c);
    for (const struct lad_expect *e = c->expects; !r->bad && e < c->expects + c->n_expects; e++)
        check_oracle(r, c, e);
    if (!r->bad && !strcmp(c->probe, "steps") && !c->n_expects)
        complain(r, c->line, "case \"%s\" lacks <expect>: it could not fail", c->id);
}

static void read_axis(struct reader *r, xmlNode *node)
{
    struct axis *a = &r->axis[r->n_axes];
    char *save, *text = lad_strdup(r->arena, need(r, node, "values"));
    if (r->n_axes + 1 >= LAD_N(r->axis)) { /* one is kept for repeat= */
        complain(r, line_of(node), "expected at most %zu <axis> in a case", LAD_N(r->axis) - 1);
        return;
    }
    *a = (struct axis){.name = need(r, node, "name")};
    for (char *word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
        if (a->n == LAD_N(a->values)) {
            complain(r, line_of(node), "values=: expected at most %zu", LAD_N(a->values));
            return;
        }
        a->values[a->n++] = word;
    }
    if (!a->n)
        complain(r, line_of(node), "values=: expected at least one");
    r->n_axes++;
}

/* One case element becomes a case for each combination of its axes' values, the last axis fastest. */
static void read_cases(struct reader *r, xmlNode *node, int rung, struct lad_cases *out)
{
    r->n_axes = 0;
    for (xmlNode *child = node->children; child && !r->bad; child = child->next)
        if (child->type == XML_ELEMENT_NODE && !strcmp((const char *)child->name, "axis"))
            read_axis(r, child);
    while (!r->bad) {
        size_t i = r->n_axes;
        read_case(r, node, rung, out);
        while (i > 0 && ++r->axis[i - 1].at == r->axis[i - 1].n)
            r->axis[--i].at = 0;
        if (!i)
            break;
    }
}

static void note_xml_error(void *arg, xmlError *e)
{
    struct reader *r = arg;
    if (!r->bad) /* the first is the cause of the others */
        complain(r, e->line, "%.*s (the format: docs/cases.md)", (int)strcspn(e->message, "\n"), e->message);
    r->bad = true;
}

static bool check_schema(struct reader *r, xmlDoc *doc)
{
    xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewMemParserCtxt((const char *)lad_case_schema.start,
                                                              (int)(lad_case_schema.end - lad_case_schema.start));
    xmlRelaxNG *schema = xmlRelaxNGParse(parser);
    xmlRelaxNGValidCtxt *valid = xmlRelaxNGNewValidCtxt(schema);
    xmlRelaxNGSetValidStructuredErrors(valid, (xmlStructuredErrorFunc)(void (*)(void))note_xml_error, r);
    bool ok = xmlRelaxNGValidateDoc(valid, doc) == 0;
    xmlRelaxNGFreeValidCtxt(valid);
    xmlRelaxNGFree(schema);
    xmlRelaxNGFreeParserCtxt(parser);
    return ok && !r->bad;
}

bool lad_case_parse(struct lad_arena *arena, const char *text, size_t bytes, const char *name, bool schema,
                    struct lad_cases *out)
{
    struct reader r = {.arena = arena, .file = lad_strdup(arena, name)};
    xmlSetStructuredErrorFunc(&r, (xmlStructuredErrorFunc)(void (*)(void))note_xml_error);
    xmlDoc *doc = xmlReadMemory(text, (int)bytes, name, NULL, XML_PARSE_NONET | XML_PARSE_NOBLANKS);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!root && !r.bad)
        complain(&r, 1, "expected an XML document");
    if (root && (!schema || check_schema(&r, doc))) {
        int rung = atoi(need(&r, root, "rung"));
        for (xmlNode *node = root->children; node && !r.bad; node = node->next)
            if (node->type == XML_ELEMENT_NODE)
                read_cases(&r, node, rung, out);
    }
    xmlSetStructuredErrorFunc(NULL, NULL);
    xmlFreeDoc(doc);
    return !r.bad;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool load_folder(struct lad_arena *arena, const char *path, DIR *dir, struct lad_cases *out)
{
    char **names = NULL;
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        if (length > 4 && !strcmp(e->d_name + length - 4, ".xml"))
            *LAD_PUSH(arena, names, n) = lad_printf(arena, "%s/%s", path, e->d_name);
    }
    if (!n) {
        lad_error("%s: no case file (*.xml) in this folder", path);
        return false;
    }
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        if (!lad_case_load(arena, names[i], out))
            return false;
    return true;
}

bool lad_case_load(struct lad_arena *arena, const char *path, struct lad_cases *out)
{
    for (const struct lad_embedded *f = lad_case_files; f->name; f++)
        if (!strcmp(f->name, path))
            return lad_case_parse(arena, (const char *)f->start, (size_t)(f->end - f->start), f->name, false, out);
    DIR *dir = opendir(path);
    if (dir) {
        bool ok = load_folder(arena, path, dir, out);
        closedir(dir);
        return ok;
    }
    size_t bytes;
    char *text = lad_read_file(arena, path, 16u << 20, &bytes);
    return text && lad_case_parse(arena, text, bytes, path, true, out);
}

bool lad_case_builtin(struct lad_arena *arena, struct lad_cases *out)
{
    for (const struct lad_embedded *f = lad_case_files; f->name; f++)
        if (!lad_case_load(arena, f->name, out))
            return false;
    return true;
}
