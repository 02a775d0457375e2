/* SPDX-License-Identifier: Apache-2.0 */
/* --validate: how a worker comes under the Khronos validation layer or, for OpenCL, into oclgrind, and what they said.
 */
#include "lab.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OCLGRIND_ICD "liboclgrind-rt-icd.so"
#define PREFIX "validation: "
enum { MOST_SAID = 12 };

static bool is_in(struct lad_arena *arena, const char *folders, const char *format)
{
    char *save = NULL, *list = lad_strdup(arena, folders ? folders : "");
    for (char *dir = strtok_r(list, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
        if (!access(lad_printf(arena, "%s/%s", dir, format), R_OK))
            return true;
    return false;
}

static bool has_layer(struct lad_arena *arena)
{
    static const char file[] = "VkLayer_khronos_validation.json";
    return is_in(arena, getenv("VK_LAYER_PATH"), file) || is_in(arena, getenv("VK_ADD_LAYER_PATH"), file) ||
           is_in(arena, lad_manifest_folders(arena), lad_printf(arena, "vulkan/explicit_layer.d/%s", file));
}

static const char *find_oclgrind(struct lad_arena *arena)
{
    static const char *const places[] = {"/usr/lib/oclgrind/" OCLGRIND_ICD, "/usr/local/lib/oclgrind/" OCLGRIND_ICD,
                                         "/usr/lib64/oclgrind/" OCLGRIND_ICD};
    for (size_t i = 0; i < LAD_N(places); i++)
        if (!access(places[i], R_OK))
            return places[i];
    return lad_library_find(arena, OCLGRIND_ICD, NULL);
}

static void put(struct lad_arena *arena, const char ***env, size_t *n, const char *text)
{
    *LAD_PUSH(arena, *env, *n) = text;
}

const struct lad_icd *lad_validate_prepare(struct lad_arena *arena, const struct lad_device *d, const char ***env,
                                           size_t *n, const char **log)
{
    const char *had = getenv("VK_INSTANCE_LAYERS"), *tmp = getenv("TMPDIR"), *library;
    *log = NULL;
    if (!strcmp(d->icd->api, "vk") && has_layer(arena)) {
        put(arena, env, n,
            lad_printf(arena, "VK_INSTANCE_LAYERS=%s%sVK_LAYER_KHRONOS_validation", had ? had : "",
                       had && *had ? ":" : ""));
        put(arena, env, n,
            "VK_LAYER_ENABLES=VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT:"
            "VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT");
        put(arena, env, n, "VK_LAYER_DUPLICATE_MESSAGE_LIMIT=3");
        return d->icd;
    }
    if (strcmp(d->icd->api, "cl") || !(library = find_oclgrind(arena)))
        return NULL;
    char *path = lad_printf(arena, "%s/gpuladder-oclgrind-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int file = mkstemp(path);
    if (file < 0)
        return NULL;
    close(file);
    put(arena, env, n, lad_printf(arena, "OCLGRIND_LOG=%s", path));
    put(arena, env, n, "OCLGRIND_DATA_RACES=1");
    put(arena, env, n, "OCLGRIND_CHECK_API=1");
    put(arena, env, n, "OCLGRIND_MAX_ERRORS=40");
    struct lad_icd *icd = lad_alloc(arena, sizeof *icd);
    *icd = (struct lad_icd){.api = "cl", .file = library, .library = library};
    *log = path;
    return icd;
}

/* The words that name the kind of message: what is said a hundred times with other addresses is one. */
static const char *key_of(struct lad_arena *arena, const char *text)
{
    char *key = lad_printf(arena, "%.60s", text);
    for (char *p = key; *p; p++)
        if (isdigit((unsigned char)*p))
            *p = '#';
    key[strcspn(key, "\n")] = 0;
    return key;
}

/* What the words of messages stand for. */
static const struct {
    const char *word;
    enum lad_obs_name name;
} kinds[] = {{"SYNC-HAZARD", LAD_OBS_VALIDATION_ORDER},
             {"out of bounds", LAD_OBS_VALIDATION_BOUNDS},
             {"Invalid write of size", LAD_OBS_VALIDATION_BOUNDS},
             {"Invalid read of size", LAD_OBS_VALIDATION_BOUNDS},
             {"data race", LAD_OBS_VALIDATION_RACE},
             {"divergence", LAD_OBS_VALIDATION_DIVERGED}};

static void add(struct lad_arena *arena, struct lad_record *record, const char *text, size_t *n_said)
{
    const char *key = key_of(arena, text);
    for (size_t i = 0; i < record->n_messages; i++)
        if (!strncmp(record->messages[i], PREFIX, strlen(PREFIX)) &&
            !strcmp(key_of(arena, record->messages[i] + strlen(PREFIX)), key))
            return;
    if ((*n_said)++ >= MOST_SAID)
        return;
    *LAD_PUSH(arena, record->messages, record->n_messages) = lad_printf(arena, PREFIX "%s", text);
    bool known = false;
    for (size_t i = 0; i < LAD_N(kinds); i++)
        if (strstr(text, kinds[i].word)) {
            lad_observe(arena, record, kinds[i].name, NULL, 0);
            known = true;
        }
    if (!known && *n_said <= 3)
        lad_observe(arena, record, LAD_OBS_VALIDATION, lad_printf(arena, "%.*s", (int)strcspn(text, "\n"), text), 0);
}

/* Blocks parted by blank lines: a title, then lines that begin with a TAB. */
static void read_log(struct lad_arena *arena, struct lad_record *record, const char *log, size_t *n_said)
{
    char *text = lad_read_file(arena, log, 16u << 20, NULL), *said = NULL;
    for (char *line = text; line && *line;) {
        char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
        *end = 0;
        if (*line == '\t' && said)
            said = lad_printf(arena, "%s; %s", said, line + 1);
        else if (said)
            add(arena, record, said, n_said);
        if (*line != '\t')
            said = *line ? lad_printf(arena, "%s", line) : NULL;
        line = next;
    }
    if (said)
        add(arena, record, said, n_said);
}

void lad_validate_end(struct lad_arena *arena, struct lad_record *record, const struct lad_record *r, const char *api,
                      const char *log, uint64_t time_ns)
{
    const char *who = log ? "oclgrind" : !strcmp(api, "vk") ? "the Khronos validation layer" : "validation";
    struct lad_trial *t = LAD_PUSH(arena, record->trial, record->n_trials);
    size_t n = 0;
    *t = (struct lad_trial){.name = "validation", .result = "no", .time_ns = time_ns};
    for (size_t i = 0; i < r->n_messages && !log; i++)
        add(arena, record, r->messages[i], &n);
    if (log) {
        read_log(arena, record, log, &n);
        unlink(log);
    }
    if (!n && r->status == LAD_STATUS_SKIP) {
        t->text = lad_printf(arena, "under %s: cannot be run, %s", who, r->message ? r->message : "");
        return;
    }
    t->result = n ? "said" : "silent";
    if (n)
        t->text = lad_printf(arena, "under %s: %zu message%s", who, n, n == 1 ? "" : "s");
    else
        t->text = lad_printf(arena, "under %s: nothing is said (the case: %s)", who, lad_status_name(r->status));
    if (!n)
        lad_observe(arena, record, LAD_OBS_VALIDATION_SILENT, who, 0);
}
