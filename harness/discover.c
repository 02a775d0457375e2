/* SPDX-License-Identifier: Apache-2.0 */
/* Driver files that the Vulkan and OpenCL loaders would consider, by the loaders' own rules, with nothing loaded: a
 * driver that crashes while it loads must do so in a worker. */
#include "harness.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define VENDORS "/etc/OpenCL/vendors"

struct found {
    struct lad_arena *arena;
    struct lad_icd *icd;
    size_t n;
    const char *loader; /* why this API's loader cannot be had, or NULL */
};

static struct lad_icd *add(struct found *f, const char *api, const char *file)
{
    for (size_t i = 0; i < f->n; i++)
        if (*file && !strcmp(f->icd[i].file, file) && !strcmp(f->icd[i].api, api))
            return NULL; /* the loaders, too, take a file once */
    struct lad_icd *icd = LAD_PUSH(f->arena, f->icd, f->n);
    *icd = (struct lad_icd){.api = api, .file = file, .library = "", .refused = f->loader};
    return icd;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Files of a folder by name: the loaders take them as the file system gives them, which is no order to number devices
 * by. */
static const char **list_folder(struct lad_arena *arena, const char *folder, const char *ending, size_t *n)
{
    const char **names = NULL;
    DIR *dir = opendir(folder);
    *n = 0;
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (ends_with(e->d_name, ending))
            *LAD_PUSH(arena, names, *n) = lad_printf(arena, "%s/%s", folder, e->d_name);
    if (dir)
        closedir(dir);
    if (*n)
        qsort(names, *n, sizeof *names, compare_names);
    return names;
}

/* The loader is looked for, not opened: what bears its name may be a driver. */
static const char *check_loader(struct lad_arena *arena, const char *name)
{
    bool sure;
    if (lad_library_find(arena, name, &sure) || !sure)
        return NULL;
    return lad_printf(arena, "the loader %s is not installed, or not where the dynamic linker looks", name);
}

static const char *check_file(struct lad_arena *arena, const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return errno == ENOENT ? "there is no such file" : lad_printf(arena, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return "is no file";
    return access(path, R_OK) ? lad_printf(arena, "cannot be read: %s", strerror(errno)) : NULL;
}

/* A name without a slash is left to the dynamic linker of the worker, which alone knows all its rules. */
static const char *check_library(struct lad_arena *arena, const char *library)
{
    return strchr(library, '/') ? lad_library_flaw(arena, library) : NULL;
}

/* ---- Vulkan -------------------------------------------------------------------------------------------------- */

/* The loader's globs: a star at either end, parted by commas, case ignored. */
static bool match_globs(const char *globs, const char *name)
{
    while (globs && *globs) {
        size_t n = strcspn(globs, ","), length = strlen(name);
        const char *word = globs;
        globs += n + (globs[n] != 0);
        bool open_start = n && *word == '*', open_end = n > open_start && word[n - 1] == '*';
        word += open_start;
        n -= (size_t)open_start + open_end;
        for (size_t at = 0; at + n <= length; at++)
            if ((open_start || !at) && (open_end || at + n == length) && !strncasecmp(name + at, word, n))
                return true;
    }
    return false;
}

static const char *check_filters(struct lad_arena *arena, const char *file)
{
    const char *select = secure_getenv("VK_LOADER_DRIVERS_SELECT"),
               *disable = secure_getenv("VK_LOADER_DRIVERS_DISABLE");
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    if (select && *select)
        return match_globs(select, name) ? NULL
                                         : lad_printf(arena, "VK_LOADER_DRIVERS_SELECT=%s leaves it out", select);
    return match_globs(disable, name) ? lad_printf(arena, "VK_LOADER_DRIVERS_DISABLE=%s leaves it out", disable) : NULL;
}

static const char *read_manifest(struct lad_arena *arena, const char *file, const char **library)
{
    json_error_t error;
    const char *why = check_file(arena, file), *name;
    if (why)
        return why;
    json_t *json = json_load_file(file, JSON_DISABLE_EOF_CHECK, &error); /* the loader, too, reads no further */
    if (!json)
        return lad_printf(arena, "is no JSON: line %d: %s", error.line, error.text);
    json_t *icd = json_object_get(json, "ICD");
    name = json_string_value(json_object_get(icd, "library_path"));
    if (!json_is_string(json_object_get(json, "file_format_version")))
        why = "has no \"file_format_version\", and the loader passes over such a manifest";
    else if (!json_is_object(icd))
        why = "has no object \"ICD\"";
    else if (!name || !*name)
        why = "has no \"library_path\"";
    else if (!json_is_string(json_object_get(icd, "api_version")))
        why = "has no \"api_version\", and the loader passes over such a manifest";
    else if (strchr(name, '/') && *name != '/' && strrchr(file, '/'))
        *library = lad_printf(arena, "%.*s/%s", (int)(strrchr(file, '/') - file), file, name);
    else
        *library = lad_strdup(arena, name);
    json_decref(json);
    return why ? why : check_library(arena, *library);
}

static void add_manifest(struct found *f, const char *file)
{
    struct lad_icd *icd = add(f, "vk", file);
    const char *why;
    if (!icd)
        return;
    why = check_filters(f->arena, file);
    if (!why)
        why = read_manifest(f->arena, file, &icd->library);
    if (why)
        icd->refused = why;
}

static void add_folder(struct found *f, const char *folder)
{
    size_t n;
    const char **files = list_folder(f->arena, folder, ".json", &n);
    for (size_t i = 0; i < n; i++)
        add_manifest(f, files[i]);
}

/* A list of manifests and folders out of a variable. */
static void add_list(struct found *f, const char *list, const char *variable)
{
    while (list && *list) {
        int n = (int)strcspn(list, ":");
        const char *path = lad_printf(f->arena, "%.*s", n, list);
        list += n + (list[n] != 0);
        struct stat st;
        struct lad_icd *icd;
        if (ends_with(path, ".json"))
            add_manifest(f, path);
        else if (n && !stat(path, &st) && S_ISDIR(st.st_mode))
            add_folder(f, path);
        else if (n && (icd = add(f, "vk", path)))
            icd->refused =
                lad_printf(f->arena, "%s names it, but it is neither a folder nor a file that ends in .json", variable);
    }
}

static const char *home_folder(struct lad_arena *arena, const char *variable, const char *under)
{
    const char *folder = secure_getenv(variable), *home = secure_getenv("HOME");
    return folder && *folder ? folder : home && *home ? lad_printf(arena, "%s/%s", home, under) : "";
}

static const char *or_default(const char *value, const char *other)
{
    return value && *value ? value : other;
}

const char *lad_manifest_folders(struct lad_arena *arena)
{
    return lad_printf(arena, "%s:%s:/etc:%s:%s", home_folder(arena, "XDG_CONFIG_HOME", ".config"),
                      or_default(secure_getenv("XDG_CONFIG_DIRS"), "/etc/xdg"),
                      home_folder(arena, "XDG_DATA_HOME", ".local/share"),
                      or_default(secure_getenv("XDG_DATA_DIRS"), "/usr/local/share:/usr/share"));
}

static void discover_vulkan(struct found *f)
{
    const char *variable = "VK_DRIVER_FILES", *only = secure_getenv(variable);
    size_t before = f->n;
    if (!only)
        only = secure_getenv(variable = "VK_ICD_FILENAMES");
    f->loader = check_loader(f->arena, "libvulkan.so.1");
    if (f->loader)
        add(f, "vk", "");
    if (only) {
        add_list(f, only, variable);
    } else {
        add_list(f, secure_getenv("VK_ADD_DRIVER_FILES"), "VK_ADD_DRIVER_FILES");
        for (const char *p = lad_manifest_folders(f->arena); *p;) {
            int n = (int)strcspn(p, ":");
            if (n)
                add_folder(f, lad_printf(f->arena, "%.*s/vulkan/icd.d", n, p));
            p += n + (p[n] != 0);
        }
    }
    if (f->n > before)
        return;
    add(f, "vk", "")->refused = !only ? "no driver is installed: no manifest in any folder vulkan/icd.d"
                                : !*only
                                    ? lad_printf(f->arena, "%s is set but empty, which hides every driver", variable)
                                    : lad_printf(f->arena, "%s=%s names no manifest", variable, only);
}

/* ---- OpenCL -------------------------------------------------------------------------------------------------- */

/* ocl-icd or the Khronos loader? They read OCL_ICD_VENDORS differently; only the second knows this variable. */
bool lad_is_khronos_loader(struct lad_arena *arena)
{
    enum { MOST = 4 << 20 };
    static const char word[] = "OCL_ICD_FILENAMES";
    const char *path = lad_library_find(arena, "libOpenCL.so.1", NULL);
    struct stat st;
    size_t n;
    if (!path || stat(path, &st) || !S_ISREG(st.st_mode) || st.st_size > MOST)
        return false;
    const char *text = lad_read_file(arena, path, MOST, &n);
    return text && memmem(text, n, word, sizeof word - 1);
}

static void add_icd(struct found *f, const char *file)
{
    struct lad_icd *icd = add(f, "cl", file);
    if (!icd)
        return;
    const char *why = check_file(f->arena, file);
    if (!why) {
        char line[4096] = "";
        FILE *in = fopen(file, "re");
        if (!in || !fgets(line, sizeof line, in))
            line[0] = 0;
        if (in)
            fclose(in);
        size_t n = strcspn(line, "\r\n");
        while (n && isspace((unsigned char)line[n - 1]))
            n--;
        icd->library = lad_printf(f->arena, "%.*s", (int)n, line);
        why = n ? check_library(f->arena, icd->library) : "its first line names no library";
    }
    if (why)
        icd->refused = why;
}

static void add_driver_library(struct found *f, const char *library)
{
    struct lad_icd *icd = add(f, "cl", library);
    if (!icd)
        return;
    icd->library = library;
    const char *why = check_library(f->arena, library);
    if (why)
        icd->refused = why;
}

static void discover_opencl(struct found *f)
{
    struct lad_arena *arena = f->arena;
    const char *vendors = getenv("OCL_ICD_VENDORS"), *folder = or_default(getenv("OPENCL_VENDOR_PATH"), VENDORS);
    const char *more = getenv("OCL_ICD_FILENAMES");
    struct stat st;
    size_t before = f->n, n;
    f->loader = check_loader(arena, "libOpenCL.so.1");
    if (f->loader)
        add(f, "cl", "");
    if (more && *more && lad_is_khronos_loader(arena)) {
        for (size_t length; *more; more += length + (more[length] != 0)) {
            length = strcspn(more, ":");
            if (length)
                add_driver_library(f, lad_printf(arena, "%.*s", (int)length, more));
        }
    }
    if (vendors && *vendors && (stat(vendors, &st) || !S_ISDIR(st.st_mode))) {
        const char *there = lad_printf(arena, "%s/%s", folder, vendors);
        if (!ends_with(vendors, ".icd"))
            add_driver_library(f, vendors);
        else
            add_icd(f, !strchr(vendors, '/') && !access(there, F_OK) ? there : vendors);
        return;
    }
    folder = or_default(vendors, folder);
    const char **files = list_folder(arena, folder, ".icd", &n);
    for (size_t i = 0; i < n; i++)
        add_icd(f, files[i]);
    if (f->n == before)
        add(f, "cl", "")->refused = lad_printf(arena, "no driver is installed: no .icd file in %s", folder);
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

static const char *plugin_file;

void lad_discover_plugin(const char *file)
{
    plugin_file = file;
}

static void add_plugin(struct found *f)
{
    char *real = realpath(plugin_file, NULL); /* the worker's dlopen would look for a bare name elsewhere */
    f->loader = NULL;
    struct lad_icd *icd = add(f, "plugin", lad_strdup(f->arena, real ? real : plugin_file));
    icd->library = icd->file;
    icd->refused = lad_library_flaw(f->arena, icd->file);
    free(real);
}

size_t lad_discover(struct lad_arena *arena, struct lad_icd **icds)
{
    struct found f = {.arena = arena};
    add(&f, "host", "");
    discover_vulkan(&f);
    discover_opencl(&f);
    if (plugin_file)
        add_plugin(&f);
    *icds = f.icd;
    return f.n;
}

/* Khronos' loader takes no single file where ocl-icd does, but a list of libraries beside its folder of files: an empty
 * folder and a list of one leave it no choice either. Each loader ignores what is meant for the other. */
const char *const *lad_icd_narrow(struct lad_arena *arena, const struct lad_icd *icd)
{
    const char **set = lad_alloc(arena, 3 * sizeof *set);
    if (!*icd->file)
        return set;
    if (!strcmp(icd->api, "vk")) { /* VK_ICD_FILENAMES is known to every loader, but the other wins where it is set */
        set[0] = lad_printf(arena, "%s=%s", secure_getenv("VK_DRIVER_FILES") ? "VK_DRIVER_FILES" : "VK_ICD_FILENAMES",
                            icd->file);
    } else if (!strcmp(icd->api, "cl")) {
        set[0] = lad_printf(arena, "OCL_ICD_VENDORS=%s", icd->file);
        set[1] = lad_printf(arena, "OCL_ICD_FILENAMES=%s", icd->library);
    }
    return set;
}

const char **lad_environment(struct lad_arena *arena)
{
    enum { READ, RECORD };
    static const struct {
        const char *pattern;
        int record;
    } rows[] = {
#define VARIABLE(pattern, record, meaning) {pattern, record},
#include "environment.def"
#undef VARIABLE
    };
    extern char **environ;
    const char **list = NULL;
    size_t n = 0;
    for (char **e = environ; *e; e++) {
        const char *name = lad_printf(arena, "%.*s", (int)strcspn(*e, "="), *e);
        bool record = false;
        for (size_t i = 0; i < LAD_N(rows) && !record; i++)
            record = rows[i].record == RECORD && lad_glob(rows[i].pattern, name);
        if (record)
            *LAD_PUSH(arena, list, n) = lad_strdup(arena, *e);
    }
    if (n)
        qsort(list, n, sizeof *list, compare_names);
    *LAD_PUSH(arena, list, n) = NULL;
    return list;
}
