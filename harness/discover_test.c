/* SPDX-License-Identifier: Apache-2.0 */
/* Driver files made for the test, found by the loaders' rules; nothing of the machine's own is looked at, apart from
 * the two loaders and libc. */
#include "harness.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lad_arena *arena;
static char root[] = "/tmp/gpuladder-discover-XXXXXX";
static struct lad_icd *icd;
static size_t n_icds;

static const char *in_root(const char *name)
{
    return lad_printf(arena, "%s/%s", root, name);
}

static void put(const char *name, const char *text)
{
    char *path = lad_strdup(arena, in_root(name)), *slash = strrchr(path, '/');
    *slash = 0;
    CU_ASSERT_FATAL(lad_make_dir(path));
    *slash = '/';
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

/* A manifest that is right in all but what the test is about. */
static void put_manifest(const char *name, const char *library)
{
    put(name, lad_printf(arena,
                         "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"%s\", "
                         "\"api_version\": \"1.3.0\"}}",
                         library));
}

static void clear_environment(void)
{
    static const char *const names[] = {"VK_DRIVER_FILES",          "VK_ICD_FILENAMES",          "VK_ADD_DRIVER_FILES",
                                        "VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE", "OCL_ICD_VENDORS",
                                        "OPENCL_VENDOR_PATH",       "OCL_ICD_FILENAMES",         "LD_LIBRARY_PATH"};
    for (size_t i = 0; i < LAD_N(names); i++)
        unsetenv(names[i]);
    setenv("XDG_CONFIG_HOME", in_root("home/config"), 1);
    setenv("XDG_CONFIG_DIRS", in_root("etc/xdg"), 1);
    setenv("XDG_DATA_HOME", in_root("home/data"), 1);
    setenv("XDG_DATA_DIRS", lad_printf(arena, "%s:%s", in_root("local"), in_root("usr")), 1);
    setenv("XDG_CACHE_HOME", in_root("cache"), 1);
    setenv("OPENCL_VENDOR_PATH", in_root("vendors"), 1);
}

static void discover(void)
{
    n_icds = lad_discover(arena, &icd);
}

static const struct lad_icd *find(const char *name)
{
    for (size_t i = 0; i < n_icds; i++)
        if (!strcmp(icd[i].file, name[0] == '/' ? name : in_root(name)))
            return &icd[i];
    return NULL;
}

static bool is_refused(const char *name, const char *reason)
{
    const struct lad_icd *i = find(name);
    bool as_expected = i && i->refused && strstr(i->refused, reason);
    if (!as_expected)
        printf("\n    %s: %s, expected '%s'\n", name,
               !i           ? "not found"
               : i->refused ? i->refused
                            : "not refused",
               reason);
    return as_expected;
}

static void test_order(void)
{
    clear_environment();
    put_manifest("usr/vulkan/icd.d/b.json", "libb.so");
    put_manifest("usr/vulkan/icd.d/a.json", "liba.so");
    put_manifest("local/vulkan/icd.d/z.json", "libz.so");
    put_manifest("home/config/vulkan/icd.d/y.json", "liby.so");
    put_manifest("home/data/vulkan/icd.d/x.json", "libx.so");
    put("usr/vulkan/icd.d/not-one.JSON", "{}");
    put("vendors/2.icd", "libtwo.so\n");
    put("vendors/1.icd", "libone.so \r\nrest\n");
    put("vendors/3.txt", "libthree.so\n");
    discover();
    static const char *const order[] = {"home/config/vulkan/icd.d/y.json",
                                        "home/data/vulkan/icd.d/x.json",
                                        "local/vulkan/icd.d/z.json",
                                        "usr/vulkan/icd.d/a.json",
                                        "usr/vulkan/icd.d/b.json",
                                        "vendors/1.icd",
                                        "vendors/2.icd"};
    const struct lad_icd *last = icd;
    CU_ASSERT_STRING_EQUAL(icd[0].api, "host");
    for (size_t i = 0; i < LAD_N(order); i++) {
        const struct lad_icd *now = find(order[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(now);
        CU_ASSERT_PTR_NULL(now->refused);
        CU_ASSERT(now > last);
        last = now;
    }
    CU_ASSERT_STRING_EQUAL(find("vendors/1.icd")->library, "libone.so");
    CU_ASSERT_STRING_EQUAL(find("usr/vulkan/icd.d/a.json")->library, "liba.so");
    CU_ASSERT_PTR_NULL(find("vendors/3.txt"));
    CU_ASSERT_PTR_NULL(find("usr/vulkan/icd.d/not-one.JSON"));
}

static void test_manifests(void)
{
    clear_environment();
    put("m/truncated.json", "{\"ICD\": {");
    put("m/empty.json", "");
    put("m/no-version.json", "{\"ICD\": {\"library_path\": \"l.so\", \"api_version\": \"1.0\"}}");
    put("m/no-icd.json", "{\"file_format_version\": \"1.0.0\"}");
    put("m/no-library.json", "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"api_version\": \"1.0\"}}");
    put("m/no-api.json", "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"l.so\"}}");
    put("m/array.json", "[1, 2]");
    put("m/number.json",
        "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": 7, \"api_version\": \"1.0\"}}");
    put_manifest("m/gone.json", "/nowhere/libgone.so");
    put_manifest("m/relative.json", "./lib/gone.so");
    put_manifest("m/text.json", in_root("m/text.so"));
    put("m/text.so", "no library");
    CU_ASSERT_EQUAL_FATAL(mkfifo(in_root("m/pipe.json"), 0600), 0); /* reading it would never end */
    setenv("VK_DRIVER_FILES", in_root("m"), 1);
    discover();
    CU_ASSERT(is_refused("m/truncated.json", "no JSON: line 1"));
    CU_ASSERT(is_refused("m/empty.json", "no JSON"));
    CU_ASSERT(is_refused("m/no-version.json", "file_format_version"));
    CU_ASSERT(is_refused("m/no-icd.json", "\"ICD\""));
    CU_ASSERT(is_refused("m/no-library.json", "library_path"));
    CU_ASSERT(is_refused("m/no-api.json", "api_version"));
    CU_ASSERT(is_refused("m/array.json", "file_format_version"));
    CU_ASSERT(is_refused("m/number.json", "library_path"));
    CU_ASSERT(is_refused("m/gone.json", "/nowhere/libgone.so does not exist"));
    CU_ASSERT(is_refused("m/relative.json", in_root("m/./lib/gone.so")));
    CU_ASSERT(is_refused("m/text.json", "is no shared object"));
    CU_ASSERT(is_refused("m/pipe.json", "is no file"));
    unlink(in_root("m/pipe.json"));
}

static void test_variables(void)
{
    clear_environment();
    setenv("VK_ICD_FILENAMES", in_root("usr/vulkan/icd.d/b.json"), 1);
    setenv("VK_ADD_DRIVER_FILES", in_root("local/vulkan/icd.d/z.json"), 1);
    discover();
    CU_ASSERT_PTR_NOT_NULL(find("usr/vulkan/icd.d/b.json"));
    CU_ASSERT_PTR_NULL(find("usr/vulkan/icd.d/a.json"));
    CU_ASSERT_PTR_NULL(find("local/vulkan/icd.d/z.json")); /* VK_ICD_FILENAMES wins over it */

    setenv("VK_DRIVER_FILES",
           lad_printf(arena, "%s:%s:%s:/nowhere.json:/nowhere", in_root("usr/vulkan/icd.d/a.json"),
                      in_root("local/vulkan/icd.d"), in_root("usr/vulkan/icd.d/a.json")),
           1);
    discover();
    CU_ASSERT_PTR_NULL(find("usr/vulkan/icd.d/b.json")); /* VK_DRIVER_FILES wins over VK_ICD_FILENAMES */
    CU_ASSERT_PTR_NOT_NULL(find("local/vulkan/icd.d/z.json"));
    CU_ASSERT(is_refused("/nowhere.json", "no such file"));
    CU_ASSERT(is_refused("/nowhere", "VK_DRIVER_FILES"));
    size_t twice = 0;
    for (size_t i = 0; i < n_icds; i++)
        twice += !strcmp(icd[i].file, in_root("usr/vulkan/icd.d/a.json"));
    CU_ASSERT_EQUAL(twice, 1);

    setenv("VK_DRIVER_FILES", "", 1);
    discover();
    CU_ASSERT(n_icds > 1 && !*icd[1].file && strstr(icd[1].refused, "set but empty"));

    unsetenv("VK_DRIVER_FILES");
    unsetenv("VK_ICD_FILENAMES");
    discover();
    CU_ASSERT(find("local/vulkan/icd.d/z.json") == &icd[1]); /* added ones come first */
    CU_ASSERT_PTR_NOT_NULL(find("usr/vulkan/icd.d/a.json"));
}

static void test_filters(void)
{
    static const struct {
        const char *select, *disable;
        bool a, b;
    } rows[] = {{"a.json", NULL, true, false},  {"A*", NULL, true, false},      {"*.JSON", NULL, true, true},
                {"*.j*", NULL, true, true},     {"a*json", NULL, false, false}, {"", NULL, true, true},
                {NULL, "*", false, false},      {NULL, "x,b*", true, false},    {"a*", "*", true, false},
                {"q,*b.js*", "b*", false, true}};
    for (size_t i = 0; i < LAD_N(rows); i++) {
        clear_environment();
        if (rows[i].select)
            setenv("VK_LOADER_DRIVERS_SELECT", rows[i].select, 1);
        if (rows[i].disable)
            setenv("VK_LOADER_DRIVERS_DISABLE", rows[i].disable, 1);
        discover();
        CU_ASSERT_EQUAL(!find("usr/vulkan/icd.d/a.json")->refused, rows[i].a);
        CU_ASSERT_EQUAL(!find("usr/vulkan/icd.d/b.json")->refused, rows[i].b);
    }
}

static void test_vendors(void)
{
    clear_environment();
    put("v/empty.icd", "");
    put("v/gone.icd", "/nowhere/libgone.so");
    put("v/bare.icd", "libbare.so");
    setenv("OCL_ICD_VENDORS", in_root("v"), 1);
    discover();
    CU_ASSERT(is_refused("v/empty.icd", "names no library"));
    CU_ASSERT(is_refused("v/gone.icd", "/nowhere/libgone.so does not exist"));
    CU_ASSERT_PTR_NULL(find("v/bare.icd")->refused);
    CU_ASSERT_PTR_NULL(find("vendors/1.icd"));

    setenv("OCL_ICD_VENDORS", in_root("v/bare.icd"), 1);
    discover();
    CU_ASSERT_STRING_EQUAL(find("v/bare.icd")->library, "libbare.so");
    CU_ASSERT_PTR_NULL(find("v/gone.icd"));

    setenv("OCL_ICD_VENDORS", "2.icd", 1); /* without a slash: looked for in the vendors' folder first */
    discover();
    CU_ASSERT_PTR_NOT_NULL(find("vendors/2.icd"));

    setenv("OCL_ICD_VENDORS", "/nowhere/libdriver.so", 1);
    discover();
    CU_ASSERT(is_refused("/nowhere/libdriver.so", "does not exist"));

    unsetenv("OCL_ICD_VENDORS");
    setenv("OPENCL_VENDOR_PATH", in_root("nothing"), 1);
    discover();
    CU_ASSERT(!*icd[n_icds - 1].file && strstr(icd[n_icds - 1].refused, in_root("nothing")));
}

static void test_narrow(void)
{
    clear_environment();
    struct lad_icd vk = {"vk", "/x.json", "libx.so", NULL}, cl = {"cl", in_root("vendors/1.icd"), "libone.so", NULL},
                   host = {"host", "", "", NULL};
    CU_ASSERT_STRING_EQUAL(lad_icd_narrow(arena, &vk)[0], "VK_ICD_FILENAMES=/x.json");
    CU_ASSERT_PTR_NULL(lad_icd_narrow(arena, &vk)[1]);
    setenv("VK_DRIVER_FILES", "/y.json", 1); /* would win over the other */
    CU_ASSERT_STRING_EQUAL(lad_icd_narrow(arena, &vk)[0], "VK_DRIVER_FILES=/x.json");
    CU_ASSERT_STRING_EQUAL(lad_icd_narrow(arena, &cl)[0], lad_printf(arena, "OCL_ICD_VENDORS=%s", cl.file));
    CU_ASSERT_STRING_EQUAL(lad_icd_narrow(arena, &cl)[1], "OCL_ICD_FILENAMES=libone.so");
    CU_ASSERT_PTR_NULL(lad_icd_narrow(arena, &host)[0]);
}

static void test_plugin(void)
{
    clear_environment();
    put("p/text.so", "no library");
    lad_discover_plugin(in_root("p/text.so"));
    discover();
    CU_ASSERT(is_refused("p/text.so", "is no shared object"));
    CU_ASSERT_STRING_EQUAL(icd[n_icds - 1].api, "plugin");
    lad_discover_plugin("/proc/self/exe");
    discover();
    CU_ASSERT_PTR_NULL(icd[n_icds - 1].refused);
    CU_ASSERT_PTR_NULL(lad_icd_narrow(arena, &icd[n_icds - 1])[0]);
    lad_discover_plugin(NULL);
}

static void test_environment(void)
{
    clear_environment();
    setenv("MESA_GLSL", "x=y", 1);
    setenv("ACO_DEBUG", "", 1);
    setenv("RUSTICL_ENABLE", "llvmpipe", 1);
    setenv("MESSAGE", "no", 1);
    const char **list = lad_environment(arena);
    bool mesa = false, aco = false, rusticl = false, other = false;
    for (; *list; list++) {
        mesa |= !strcmp(*list, "MESA_GLSL=x=y");
        aco |= !strcmp(*list, "ACO_DEBUG=");
        rusticl |= !strcmp(*list, "RUSTICL_ENABLE=llvmpipe");
        other |= !strncmp(*list, "MESSAGE", 7) || !strncmp(*list, "PATH=", 5);
        CU_ASSERT(!list[1] || strcmp(list[0], list[1]) < 0);
    }
    CU_ASSERT(mesa && aco && rusticl && !other);
}

static void test_libraries(void)
{
    clear_environment();
    bool sure;
    const char *libc = lad_library_find(arena, "libc.so.6", &sure), *folders;
    CU_ASSERT_PTR_NOT_NULL_FATAL(libc);
    CU_ASSERT(sure);
    CU_ASSERT_PTR_NULL(lad_library_flaw(arena, libc));
    CU_ASSERT_PTR_NULL(*lad_library_missing(arena, libc));
    CU_ASSERT_PTR_NULL(lad_library_find(arena, "libno-such-thing.so.9", NULL));
    bool jansson = false;
    for (const char **n = lad_library_needs(arena, "/proc/self/exe", &folders); *n; n++)
        jansson |= !strncmp(*n, "libjansson", 10);
    CU_ASSERT(jansson);
    put("l/libshort.so", "\177ELF");
    CU_ASSERT_PTR_NOT_NULL(lad_library_flaw(arena, in_root("l/libshort.so")));
    CU_ASSERT_PTR_NOT_NULL(lad_library_flaw(arena, root));
    setenv("LD_LIBRARY_PATH", in_root("l"), 1);
    CU_ASSERT_PTR_NULL(lad_library_find(arena, "libshort.so", NULL));
    /* a library that needs one that is not there, without a compiler: change the name inside a copy of this program */
    CU_ASSERT_EQUAL_FATAL(system(lad_printf(arena, "sed 's/libjansson\\.so/libmissing.so/g' /proc/%d/exe >%s",
                                            (int)getpid(), in_root("l/needs.so"))),
                          0);
    const char **missing = lad_library_missing(arena, in_root("l/needs.so"));
    CU_ASSERT(*missing && !strncmp(*missing, "libmissing.so", 13) && !missing[1]);
}

int main(void)
{
    static const struct lad_test tests[] = {
        {"the loaders' order", test_order},
        {"manifests that cannot be used", test_manifests},
        {"variables that replace and add", test_variables},
        {"globs that select and disable", test_filters},
        {"OpenCL vendors", test_vendors},
        {"narrowing to one driver", test_narrow},
        {"a plugin", test_plugin},
        {"environment that is recorded", test_environment},
        {"libraries without loading them", test_libraries},
        {NULL},
    };
    arena = lad_arena_create();
    if (!mkdtemp(root))
        return 1;
    int status = lad_test_main("discover", tests);
    if (system(lad_printf(arena, "rm -rf %s", root)))
        status = 1;
    lad_arena_destroy(&arena);
    return status;
}
