/* SPDX-License-Identifier: Apache-2.0 */
/* The only serialiser: records, devices and runs to JSON and back. Tables of fields drive both directions, so that what
 * is written can be read; a member that is all zero is left out. */
#include "harness.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, CHARS, SIGN, STATUS, DEVTYPE, BOOL, INT, U32, U64, I64, HEX, REAL, LIST, TEXTS };
struct field {
    const char *name;
    enum kind kind;
    size_t at, bytes;       /* of the member; `bytes` of an element in lists */
    size_t at_n;            /* of the count in lists */
    const struct field *of; /* fields of an element in lists */
};
#define FIELD(type, member, kind)                                                                                      \
    {                                                                                                                  \
#member, kind, offsetof(struct type, member), sizeof(((struct type *)0)->member), 0, NULL                      \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, TEXT, 0, 0, 0, NULL                                                                                      \
    }
#define FIELD_LIST(type, member, count, kind, of)                                                                      \
    {                                                                                                                  \
#member, kind, offsetof(struct type, member), sizeof *((struct type *)0)->member,                              \
            offsetof(struct type, count), of                                                                           \
    }

static const struct field fact_fields[] = {FIELD(lad_fact, sign, SIGN), FIELD(lad_fact, text, TEXT), END};
static const struct field measure_fields[] = {FIELD(lad_measure, name, TEXT),  FIELD(lad_measure, unit, TEXT),
                                              FIELD(lad_measure, clock, TEXT), FIELD(lad_measure, doubt, TEXT),
                                              FIELD(lad_measure, value, REAL), FIELD(lad_measure, floor, REAL),
                                              FIELD(lad_measure, size, U64),   END};
static const struct field diff_fields[] = {FIELD(lad_diff, index, U64), FIELD(lad_diff, expected, HEX),
                                           FIELD(lad_diff, actual, HEX), FIELD(lad_diff, ulps, REAL), END};
static const struct field seen_fields[] = {FIELD(lad_seen, name, TEXT),
                                           FIELD(lad_seen, type, TEXT),
                                           FIELD(lad_seen, mem, TEXT),
                                           FIELD(lad_seen, signature, TEXT),
                                           FIELD(lad_seen, map, TEXT),
                                           FIELD(lad_seen, bin, U64),
                                           FIELD(lad_seen, bytes, U64),
                                           FIELD(lad_seen, n, U64),
                                           FIELD(lad_seen, n_checked, U64),
                                           FIELD(lad_seen, n_wrong, U64),
                                           FIELD(lad_seen, first, U64),
                                           FIELD(lad_seen, last, U64),
                                           FIELD_LIST(lad_seen, diff, n_diffs, LIST, diff_fields),
                                           END};
static const struct field obs_fields[] = {FIELD(lad_obs, name, TEXT), FIELD(lad_obs, on, TEXT),
                                          FIELD(lad_obs, value, I64), END};
static const struct field size_fields[] = {FIELD(lad_size, n, I64), FIELD(lad_size, result, TEXT),
                                           FIELD(lad_size, groups, I64), END};
static const struct field trial_fields[] = {FIELD(lad_trial, name, TEXT),
                                            FIELD(lad_trial, result, TEXT),
                                            FIELD(lad_trial, text, TEXT),
                                            FIELD(lad_trial, time_ns, U64),
                                            FIELD_LIST(lad_trial, sizes, n_sizes, LIST, size_fields),
                                            END};
static const struct field retry_fields[] = {FIELD(lad_try, status, STATUS), FIELD(lad_try, type, TEXT),
                                            FIELD(lad_try, message, TEXT), FIELD(lad_try, time_ns, U64), END};
static const struct field record_fields[] = {
    FIELD(lad_record, id, TEXT), FIELD(lad_record, file, TEXT), FIELD(lad_record, group, TEXT),
    FIELD(lad_record, proves, TEXT), FIELD(lad_record, device, TEXT), FIELD(lad_record, spec, TEXT),
    FIELD(lad_record, rung, INT), FIELD(lad_record, line, INT), FIELD(lad_record, seed, HEX),
    FIELD(lad_record, uses, TEXT), FIELD(lad_record, known, TEXT),
    /* up to here: what is planned */
    FIELD(lad_record, status, STATUS), FIELD(lad_record, type, TEXT), FIELD(lad_record, message, TEXT),
    FIELD(lad_record, sweep, TEXT), FIELD(lad_record, sweep_failed, I64), FIELD(lad_record, sweep_passed, I64),
    FIELD(lad_record, sweep_reached, I64), FIELD_LIST(lad_record, facts, n_facts, LIST, fact_fields),
    FIELD_LIST(lad_record, measures, n_measures, LIST, measure_fields),
    FIELD_LIST(lad_record, seen, n_seen, LIST, seen_fields), FIELD_LIST(lad_record, obs, n_obs, LIST, obs_fields),
    FIELD_LIST(lad_record, trial, n_trials, LIST, trial_fields),
    FIELD_LIST(lad_record, messages, n_messages, TEXTS, NULL), FIELD(lad_record, time_ns, U64),
    FIELD(lad_record, open_ns, U64), FIELD(lad_record, build_ns, U64), FIELD(lad_record, first_ns, U64),
    FIELD(lad_record, n_dropped, U64), FIELD(lad_record, inject, TEXT), FIELD(lad_record, n_hits, U64),
    FIELD(lad_record, exit_code, INT), FIELD(lad_record, signal, INT), FIELD(lad_record, output, TEXT),
    FIELD(lad_record, output_bytes, U64), FIELD(lad_record, tries, U32), FIELD(lad_record, flaky, BOOL),
    FIELD_LIST(lad_record, retry, n_retries, LIST, retry_fields), FIELD(lad_record, blocker, TEXT),
    FIELD(lad_record, unexpected, BOOL), END};
static const struct field icd_fields[] = {FIELD(lad_icd, api, TEXT), FIELD(lad_icd, file, TEXT),
                                          FIELD(lad_icd, library, TEXT), FIELD(lad_icd, refused, TEXT), END};
static const struct field info_fields[] = {FIELD(lad_dev_info, name, CHARS),   FIELD(lad_dev_info, vendor, CHARS),
                                           FIELD(lad_dev_info, driver, CHARS), FIELD(lad_dev_info, api, CHARS),
                                           FIELD(lad_dev_info, model, CHARS),  FIELD(lad_dev_info, uuid, CHARS),
                                           FIELD(lad_dev_info, bus, CHARS),    FIELD(lad_dev_info, type, DEVTYPE),
                                           FIELD(lad_dev_info, platform, U32), END};
static const struct field device_fields[] = {FIELD(lad_device, spec, CHARS), FIELD(lad_device, slug, CHARS), END};
static const struct field run_fields[] = {FIELD(lad_run, version, TEXT),
                                          FIELD(lad_run, command, TEXT),
                                          FIELD(lad_run, host, TEXT),
                                          FIELD(lad_run, started, TEXT),
                                          FIELD(lad_run, os, TEXT),
                                          FIELD(lad_run, seed, HEX),
                                          FIELD_LIST(lad_run, env, n_env, TEXTS, NULL),
                                          FIELD_LIST(lad_run, icd, n_icds, LIST, icd_fields),
                                          END};

static const char *const status_names[] = {
#define STATUS_NAME(sym, name) name,
    LAD_STATUSES(STATUS_NAME)};
static const char *const dev_types[] = {"other", "cpu", "integrated", "discrete", "simulator"};
static const struct {
    enum lad_cap cap;
    const char *name;
} cap_names[] = {
#define CAP_NAME(sym, name, unit, text) {LAD_CAP_##sym, name},
    LAD_CAPS(CAP_NAME)};

const char *lad_status_name(enum lad_status status)
{
    return (unsigned)status < LAD_STATUS_COUNT ? status_names[status] : "error";
}

bool lad_status_parse(const char *name, enum lad_status *status)
{
    for (int i = 0; i < LAD_STATUS_COUNT; i++)
        if (!strcmp(name, status_names[i])) {
            *status = (enum lad_status)i;
            return true;
        }
    return false;
}

/* JSON is UTF-8, drivers are not: bytes that are no UTF-8 become {"bytes": one code point a byte}. */
static json_t *write_text(const char *text)
{
    json_t *json = json_string(text);
    if (json)
        return json;
    size_t n = strlen(text);
    char *wide = malloc(2 * n + 1), *p = wide;
    if (!wide)
        abort();
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80)
            *p++ = (char)(0xC0 | c >> 6);
        *p++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
    }
    json = json_pack("{s:s#}", "bytes", wide, (int)(p - wide));
    free(wide);
    return json;
}

static bool read_text(struct lad_arena *arena, json_t *json, const char **text)
{
    if (json_is_string(json)) {
        *text = lad_strdup(arena, json_string_value(json));
        return true;
    }
    const char *wide = json_string_value(json_object_get(json, "bytes"));
    if (!wide)
        return false;
    char *p = lad_alloc(arena, strlen(wide) + 1);
    *text = p;
    for (; *wide; wide++) {
        unsigned char c = (unsigned char)*wide;
        if (c > 0xC3)
            return false; /* not one byte */
        *p++ = (char)(c < 0x80 ? c : (c & 3) << 6 | (*++wide & 0x3F));
    }
    return true;
}

static json_t *write_u64(uint64_t value, bool hex)
{
    if (!hex && value <= INT64_MAX)
        return json_integer((json_int_t)value);
    char text[24];
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)value);
    return json_string(text);
}

static bool read_u64(json_t *json, uint64_t *value)
{
    if (json_is_integer(json)) {
        *value = (uint64_t)json_integer_value(json);
        return json_integer_value(json) >= 0;
    }
    const char *text = json_string_value(json);
    char *end;
    if (!text || strncmp(text, "0x", 2) || !text[2] || strspn(text + 2, "0123456789abcdef") != strlen(text + 2))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 16);
    return !*end && !errno;
}

/* JSON has no NaN: what is not finite is text with its bits. */
static json_t *write_real(double value)
{
    if (isfinite(value))
        return json_real(value);
    uint64_t bits;
    char text[32];
    memcpy(&bits, &value, sizeof bits);
    snprintf(text, sizeof text, "%s(0x%llx)",
             isnan(value) ? "nan"
             : value < 0  ? "-inf"
                          : "inf",
             (unsigned long long)bits);
    return json_string(text);
}

static bool read_real(json_t *json, double *value)
{
    if (json_is_number(json)) {
        *value = json_number_value(json);
        return true;
    }
    const char *text = json_string_value(json), *bits = text ? strstr(text, "(0x") : NULL;
    uint64_t raw = bits ? strtoull(bits + 3, NULL, 16) : 0;
    memcpy(value, &raw, sizeof raw);
    return bits && !isfinite(*value);
}

static json_t *write_fields(const struct field *fields, const void *from);

static json_t *write_field(const struct field *f, const char *base)
{
    const void *at = base + f->at;
    switch (f->kind) {
    case TEXT:
        return write_text(*(const char *const *)at);
    case CHARS:
        return write_text(at);
    case SIGN:
        return json_stringn(at, 1);
    case STATUS:
        return json_string(lad_status_name(*(const enum lad_status *)at));
    case DEVTYPE: {
        unsigned type = *(const enum lad_dev_type *)at;
        return json_string(dev_types[type < LAD_N(dev_types) ? type : 0]);
    }
    case BOOL:
        return json_boolean(*(const bool *)at);
    case INT:
        return json_integer(*(const int *)at);
    case U32:
        return json_integer(*(const uint32_t *)at);
    case I64:
        return json_integer(*(const int64_t *)at);
    case U64:
    case HEX:
        return write_u64(*(const uint64_t *)at, f->kind == HEX);
    case REAL:
        return write_real(*(const double *)at);
    case LIST:
    case TEXTS:
        break;
    }
    size_t n = *(const size_t *)(base + f->at_n);
    const char *item = *(const char *const *)at;
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, f->of ? write_fields(f->of, item + i * f->bytes)
                                          : write_text(((const char *const *)item)[i]));
    return list;
}

static bool is_zero(const struct field *f, const char *base)
{
    static const char zero[16];
    if (f->kind == CHARS)
        return !base[f->at];
    if (f->kind == LIST || f->kind == TEXTS)
        return !*(const size_t *)(base + f->at_n);
    return f->kind != STATUS && !memcmp(base + f->at, zero, f->bytes);
}

static json_t *write_fields(const struct field *fields, const void *from)
{
    json_t *json = json_object();
    for (const struct field *f = fields; f->name; f++)
        if (!is_zero(f, from))
            json_object_set_new(json, f->name, write_field(f, from));
    return json;
}

static bool read_fields(struct lad_arena *arena, const struct field *fields, json_t *json, void *to);

/* As lad_push leaves an array of n, so that it can be pushed to. */
static void *get_room(struct lad_arena *arena, size_t n, size_t bytes)
{
    size_t room = 1;
    while (room < n)
        room *= 2;
    return lad_alloc(arena, room * bytes);
}

static bool read_list(struct lad_arena *arena, const struct field *f, json_t *json, char *base)
{
    size_t n = json_array_size(json);
    char *items = get_room(arena, n, f->bytes);
    for (size_t i = 0; i < n; i++) {
        json_t *item = json_array_get(json, i);
        if (f->of ? !read_fields(arena, f->of, item, items + i * f->bytes)
                  : !read_text(arena, item, (const char **)items + i))
            return false;
    }
    *(char **)(base + f->at) = items;
    *(size_t *)(base + f->at_n) = n;
    return json_is_array(json);
}

static bool read_field(struct lad_arena *arena, const struct field *f, json_t *json, char *base)
{
    void *at = base + f->at;
    const char *text = json_string_value(json);
    json_int_t number = json_integer_value(json);
    switch (f->kind) {
    case TEXT:
        return read_text(arena, json, at);
    case CHARS:
        if (!read_text(arena, json, &text))
            return false;
        snprintf(at, f->bytes, "%s", text);
        return true;
    case SIGN:
        *(char *)at = text ? text[0] : 0;
        return text && text[0] && !text[1];
    case STATUS:
        return text && lad_status_parse(text, at);
    case DEVTYPE:
        for (size_t i = 0; text && i < LAD_N(dev_types); i++)
            if (!strcmp(text, dev_types[i]))
                *(enum lad_dev_type *)at = (enum lad_dev_type)i;
        return text != NULL;
    case BOOL:
        *(bool *)at = json_is_true(json);
        return json_is_boolean(json);
    case INT:
        *(int *)at = (int)number;
        return json_is_integer(json) && number >= INT_MIN && number <= INT_MAX;
    case U32:
        *(uint32_t *)at = (uint32_t)number;
        return json_is_integer(json) && number >= 0 && number <= UINT32_MAX;
    case I64:
        *(int64_t *)at = number;
        return json_is_integer(json);
    case U64:
    case HEX:
        return read_u64(json, at);
    case REAL:
        return read_real(json, at);
    case LIST:
    case TEXTS:
        return read_list(arena, f, json, base);
    }
    return false;
}

static bool read_fields(struct lad_arena *arena, const struct field *fields, json_t *json, void *to)
{
    if (!json_is_object(json))
        return false;
    for (const struct field *f = fields; f->name; f++) {
        json_t *value = json_object_get(json, f->name);
        if (value && !read_field(arena, f, value, to))
            return false;
    }
    return true;
}

json_t *lad_record_json(const struct lad_record *r)
{
    return write_fields(record_fields, r);
}

bool lad_record_parse(struct lad_arena *arena, json_t *json, struct lad_record *r)
{
    memset(r, 0, sizeof *r);
    return json_object_get(json, "status") && read_fields(arena, record_fields, json, r) && r->id && r->device;
}

void lad_record_fact(struct lad_arena *arena, struct lad_record *r, char sign, const char *format, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    struct lad_fact *fact = LAD_PUSH(arena, r->facts, r->n_facts);
    fact->sign = sign;
    fact->text = lad_strdup(arena, text);
}

void lad_record_set(struct lad_arena *arena, struct lad_record *r, enum lad_status status, const char *type,
                    const char *format, ...)
{
    if (r->status != LAD_STATUS_MISSING && status <= r->status)
        return;
    char text[2048];
    va_list ap;
    va_start(ap, format);
    if (format) /* newer C libraries crash without */
        vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    r->status = status;
    r->type = lad_strdup(arena, type);
    r->message = format ? lad_strdup(arena, text) : NULL;
}

bool lad_record_bad(const struct lad_record *r)
{
    switch (r->status) {
    case LAD_STATUS_PASS:
        return r->unexpected;
    case LAD_STATUS_SKIP:
    case LAD_STATUS_BLOCKED: /* what blocks it is counted */
        return false;
    case LAD_STATUS_MISSING: /* nothing was seen, so nothing was as expected */
        return true;
    default:
        return !r->known;
    }
}

json_t *lad_dev_info_json(const struct lad_dev_info *info)
{
    json_t *json = write_fields(info_fields, info), *caps = json_object(), *why = json_object();
    for (size_t i = 0; i < LAD_N(cap_names); i++) {
        if (info->cap[cap_names[i].cap])
            json_object_set_new(caps, cap_names[i].name, write_u64(info->cap[cap_names[i].cap], false));
        if (info->why[cap_names[i].cap])
            json_object_set_new(why, cap_names[i].name, write_text(info->why[cap_names[i].cap]));
    }
    json_object_set_new(json, "caps", caps);
    json_object_set_new(json, "why", why);
    return json;
}

bool lad_dev_info_parse(struct lad_arena *arena, json_t *json, struct lad_dev_info *info)
{
    memset(info, 0, sizeof *info);
    if (!read_fields(arena, info_fields, json, info))
        return false;
    for (size_t i = 0; i < LAD_N(cap_names); i++) {
        json_t *value = json_object_get(json_object_get(json, "caps"), cap_names[i].name);
        json_t *why = json_object_get(json_object_get(json, "why"), cap_names[i].name);
        if ((value && !read_u64(value, &info->cap[cap_names[i].cap])) ||
            (why && !read_text(arena, why, &info->why[cap_names[i].cap])))
            return false;
    }
    return true;
}

json_t *lad_run_json(const struct lad_run *run)
{
    json_t *json = write_fields(run_fields, run), *devices = json_array(), *planned = json_array();
    for (const struct lad_device *d = run->device; d < run->device + run->n_devices; d++) {
        json_t *device = write_fields(device_fields, d);
        if (d->icd)
            json_object_set_new(device, "icd", json_integer(d->icd - run->icd));
        json_object_set_new(device, "index", json_integer((json_int_t)d->index));
        json_object_set_new(device, "info", lad_dev_info_json(&d->info));
        json_array_append_new(devices, device);
    }
    for (size_t i = 0; i < run->n_records; i++) {
        json_t *want = json_object();
        for (const struct field *f = record_fields; f->kind != STATUS; f++)
            if (!is_zero(f, (const char *)&run->record[i]))
                json_object_set_new(want, f->name, write_field(f, (const char *)&run->record[i]));
        json_array_append_new(planned, want);
    }
    json_object_set_new(json, "devices", devices);
    json_object_set_new(json, "planned", planned);
    return json;
}

bool lad_run_parse(struct lad_arena *arena, json_t *json, struct lad_run *run)
{
    memset(run, 0, sizeof *run);
    if (!json_object_get(json, "version") || !read_fields(arena, run_fields, json, run))
        return false;
    json_t *devices = json_object_get(json, "devices"), *planned = json_object_get(json, "planned");
    run->n_devices = json_array_size(devices);
    run->device = lad_alloc(arena, run->n_devices * sizeof *run->device);
    for (size_t i = 0; i < run->n_devices; i++) {
        json_t *device = json_array_get(devices, i), *icd = json_object_get(device, "icd");
        struct lad_device *d = &run->device[i];
        if (!read_fields(arena, device_fields, device, d) ||
            !lad_dev_info_parse(arena, json_object_get(device, "info"), &d->info))
            return false;
        d->index = (size_t)json_integer_value(json_object_get(device, "index"));
        if (json_is_integer(icd) && (size_t)json_integer_value(icd) < run->n_icds)
            d->icd = &run->icd[json_integer_value(icd)];
    }
    run->n_records = json_array_size(planned);
    run->record = get_room(arena, run->n_records, sizeof *run->record);
    for (size_t i = 0; i < run->n_records; i++) {
        struct lad_record *r = &run->record[i];
        if (!read_fields(arena, record_fields, json_array_get(planned, i), r) || !r->id || !r->device)
            return false;
        r->status = LAD_STATUS_MISSING;
        r->type = "ladder.missing";
        r->message = "did not run";
    }
    return true;
}
