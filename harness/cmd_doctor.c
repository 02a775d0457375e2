/* SPDX-License-Identifier: Apache-2.0 */
/* gpuladder doctor: why no device is found, or not the one that was meant. Looks at files, permissions and the
 * environment first, which works with no loader and no driver at all, then asks the drivers. */
#include "harness.h"
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

struct advice {
    const char *text, *command; /* command: on a line of its own, or NULL */
};
/* What the checks leave for the end. */
struct findings {
    struct lad_arena *arena;
    struct advice *advice;
    size_t n_advice;
    const char *packages; /* Debian and Ubuntu packages to install, blank-separated */
    struct lad_inventory inv;
    size_t n_devices; /* of drivers: without the host */
    bool nvidia;      /* such a card, or its device files, are there */
    bool unreachable; /* a device file may not be opened */
};

static void advise(struct findings *f, const char *text, const char *command)
{
    for (size_t i = 0; i < f->n_advice; i++)
        if (!strcmp(f->advice[i].text, text))
            return;
    *LAD_PUSH(f->arena, f->advice, f->n_advice) = (struct advice){text, command};
}

static void want_package(struct findings *f, const char *package)
{
    if (!lad_has_word(f->packages, package))
        f->packages = lad_printf(f->arena, "%s%s%s", f->packages, *f->packages ? " " : "", package);
}

static void print_item(char sign, const char *text)
{
    printf("  %c ", sign);
    lad_wrap(stdout, text, 4, 4);
}

/* The value of NAME="value" in a file of such lines, or NULL. */
static const char *read_setting(struct lad_arena *arena, const char *path, const char *name)
{
    char line[512];
    const char *value = NULL;
    FILE *in = fopen(path, "re");
    while (in && !value && fgets(line, sizeof line, in)) {
        size_t n = strlen(name);
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, name, n))
            value =
                lad_printf(arena, "%.*s", (int)strcspn(line + n + (line[n] == '"'), "\""), line + n + (line[n] == '"'));
    }
    if (in)
        fclose(in);
    return value;
}

static bool is_container(void)
{
    return !access("/.dockerenv", F_OK) || !access("/run/.containerenv", F_OK) || getenv("container");
}

static void check_system(struct findings *f)
{
    struct utsname u;
    const char *os = read_setting(f->arena, "/etc/os-release", "PRETTY_NAME=");
    uname(&u);
    printf("System\n");
    print_item('+', lad_printf(f->arena, "%s, %s %s on %s%s", os ? os : "unknown system", u.sysname, u.release,
                               u.machine, is_container() ? ", in a container" : ""));
    if (access("/sys/devices", F_OK)) {
        print_item('!', "/sys is not mounted: drivers learn of processors, memory and cards from it");
        advise(f, "mount /sys, without which some drivers find nothing or give up", "mount -t sysfs sysfs /sys");
    }
    print_item('+', lad_printf(f->arena, "gpuladder %s, user id %u", LAD_VERSION, (unsigned)geteuid()));
}

static void check_loader(struct findings *f, const char *name, const char *package)
{
    bool sure;
    const char *path = lad_library_find(f->arena, name, &sure);
    char *real = path ? realpath(path, NULL) : NULL;
    if (path) {
        const char *kind = strcmp(name, "libOpenCL.so.1")    ? ""
                           : lad_is_khronos_loader(f->arena) ? " (the Khronos loader)"
                                                             : " (ocl-icd, or a loader like it)";
        print_item('+', lad_printf(f->arena, "%s is %s%s", name, real ? real : path, kind));
    } else if (sure) {
        print_item('!', lad_printf(f->arena, "%s is not installed, or not where the dynamic linker looks", name));
        want_package(f, package);
    } else {
        print_item(
            '-', lad_printf(f->arena, "%s: not found in the usual folders; the dynamic linker may know others", name));
    }
    free(real);
}

static void check_environment(struct findings *f)
{
    static const char *const hiding[] = {"VK_DRIVER_FILES",           "VK_ICD_FILENAMES", "VK_LOADER_DRIVERS_SELECT",
                                         "VK_LOADER_DRIVERS_DISABLE", "OCL_ICD_VENDORS",  "OPENCL_VENDOR_PATH"};
    const char **list = lad_environment(f->arena);
    printf("\nEnvironment\n");
    if (!*list)
        print_item('+', "no variable is set that chooses or changes drivers");
    for (; *list; list++) {
        const char *name = lad_printf(f->arena, "%.*s", (int)strcspn(*list, "="), *list);
        bool hides = false;
        for (size_t i = 0; i < LAD_N(hiding); i++)
            hides |= !strcmp(name, hiding[i]);
        print_item(hides ? '!' : '-',
                   lad_printf(f->arena, "%s%s", *list, hides ? "  (drivers not named here are not seen)" : ""));
        if (hides)
            advise(f, lad_printf(f->arena, "drivers are chosen by %s; try again without it", name),
                   lad_printf(f->arena, "env -u %s gpuladder devices", name));
    }
}

/* What a driver's library lacks, said before the dynamic linker says it less clearly. */
static void check_needs(struct findings *f, const struct lad_icd *icd)
{
    const char *path = strchr(icd->library, '/') ? icd->library : lad_library_find(f->arena, icd->library, NULL);
    if (!path)
        return;
    for (const char **missing = lad_library_missing(f->arena, path); *missing; missing++) {
        print_item('!', lad_printf(f->arena, "  it needs %s, which is not there", *missing));
        advise(
            f,
            lad_printf(f->arena, "install the package that holds %s; without it %s cannot be loaded", *missing, path),
            NULL);
    }
}

static void check_files(struct findings *f)
{
    printf("\nDrivers, each asked in a process of its own\n");
    for (const struct lad_icd *icd = f->inv.icd; icd < f->inv.icd + f->inv.n_icds; icd++) {
        size_t n = 0;
        if (!strcmp(icd->api, "host"))
            continue;
        for (size_t i = 0; i < f->inv.n_devices; i++)
            n += f->inv.device[i].icd == icd;
        f->n_devices += n;
        const char *api = !strcmp(icd->api, "vk") ? "Vulkan" : !strcmp(icd->api, "cl") ? "OpenCL" : icd->api;
        const char *result = icd->refused ? icd->refused : lad_printf(f->arena, "%zu device%s", n, n == 1 ? "" : "s");
        print_item(icd->refused ? '!' : '+', lad_printf(f->arena, "%s %s%s%s: %s", api, *icd->file ? icd->file : "",
                                                        *icd->library ? " -> " : "", icd->library, result));
        if (icd->refused)
            check_needs(f, icd);
        if (icd->refused && strstr(icd->library, "Rusticl") && !getenv("RUSTICL_ENABLE"))
            advise(f, "Mesa's rusticl offers devices only when told which: llvmpipe, radeonsi or iris",
                   "RUSTICL_ENABLE=llvmpipe gpuladder devices");
        if (!*icd->file && icd->refused && strstr(icd->refused, "no driver is installed"))
            want_package(f, !strcmp(icd->api, "vk") ? "mesa-vulkan-drivers" : "pocl-opencl-icd");
    }
}

static bool has_group(gid_t group)
{
    gid_t groups[256];
    int n = getgroups((int)LAD_N(groups), groups);
    bool found = getegid() == group;
    for (int i = 0; i < n && !found; i++)
        found = groups[i] == group;
    return found;
}

static void check_node(struct findings *f, const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        print_item('!', lad_printf(f->arena, "%s: %s", path, strerror(errno)));
        return;
    }
    if (!S_ISCHR(st.st_mode))
        return;
    const struct group *g = getgrgid(st.st_gid);
    const char *group = g ? lad_strdup(f->arena, g->gr_name) : lad_printf(f->arena, "%u", (unsigned)st.st_gid);
    bool open = !access(path, R_OK | W_OK);
    print_item(open ? '+' : '!',
               lad_printf(f->arena, "%s, mode %03o, group %s%s: %s", path, (unsigned)st.st_mode & 0777, group,
                          has_group(st.st_gid) ? " (yours)" : "", open ? "may be opened" : "may not be opened by you"));
    if (open || strstr(path, "/card")) /* display needs card nodes, computing does not */
        return;
    f->unreachable = true;
    if (st.st_mode & 0060 && !has_group(st.st_gid))
        advise(f, lad_printf(f->arena, "join the group %s, then log in again", group),
               lad_printf(f->arena, "sudo usermod -aG %s \"$USER\"", group));
}

static void check_nodes(struct findings *f)
{
    static const char *const patterns[] = {"/dev/dri/card*", "/dev/dri/renderD*", "/dev/nvidia[0-9]*",
                                           "/dev/nvidiactl", "/dev/nvidia-uvm",   "/dev/kfd",
                                           "/dev/dxg",       "/dev/mali[0-9]*"};
    size_t n = 0;
    printf("\nDevice files\n");
    for (size_t i = 0; i < LAD_N(patterns); i++) {
        glob_t found;
        if (!glob(patterns[i], 0, NULL, &found)) {
            for (size_t k = 0; k < found.gl_pathc; k++, n++)
                check_node(f, found.gl_pathv[k]);
            f->nvidia |= strstr(patterns[i], "nvidia") != NULL;
            globfree(&found);
        }
    }
    if (!n)
        print_item('-',
                   "none of a GPU (/dev/dri, /dev/nvidia*, /dev/kfd): only drivers that compute on the CPU can work");
}

static unsigned read_hex(struct lad_arena *arena, const char *folder, const char *name)
{
    unsigned value = 0;
    FILE *in = fopen(lad_printf(arena, "%s/%s", folder, name), "re");
    if (in && fscanf(in, "%x", &value) != 1)
        value = 0;
    if (in)
        fclose(in);
    return value;
}

/* Display controllers (class 03) and processing accelerators (class 12) on the PCI bus. */
static void check_cards(struct findings *f)
{
    glob_t found;
    if (glob("/sys/bus/pci/devices/*", 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *card = found.gl_pathv[i];
        unsigned class = read_hex(f->arena, card, "class") >> 16, vendor = read_hex(f->arena, card, "vendor");
        if (class != 0x03 && class != 0x12)
            continue;
        char *driver = realpath(lad_printf(f->arena, "%s/driver", card), NULL);
        const char *name = vendor == 0x10de   ? "NVIDIA"
                           : vendor == 0x1002 ? "AMD"
                           : vendor == 0x8086 ? "Intel"
                                              : lad_printf(f->arena, "vendor %04x", vendor);
        bool real = vendor == 0x10de || vendor == 0x1002 || vendor == 0x8086;
        print_item(driver || !real ? '+' : '!',
                   lad_printf(f->arena, "PCI %s: %s %04x, kernel driver %s", strrchr(card, '/') + 1, name,
                              read_hex(f->arena, card, "device"), driver ? strrchr(driver, '/') + 1 : "none"));
        if (!driver && real && !is_container())
            advise(f,
                   lad_printf(f->arena,
                              "no kernel driver holds the %s card at %s: install it or load its module, then look "
                              "into dmesg",
                              name, strrchr(card, '/') + 1),
                   NULL);
        f->nvidia |= vendor == 0x10de;
        free(driver);
    }
    globfree(&found);
}

static void check_nvidia(struct findings *f)
{
    const char *given = getenv("NVIDIA_DRIVER_CAPABILITIES");
    bool vulkan = false, opencl = false;
    for (size_t i = 0; i < f->inv.n_devices; i++) {
        bool here =
            strcasestr(f->inv.device[i].info.name, "nvidia") || strcasestr(f->inv.device[i].info.vendor, "nvidia");
        vulkan |= here && !strcmp(f->inv.device[i].icd->api, "vk");
        opencl |= here && !strcmp(f->inv.device[i].icd->api, "cl");
    }
    if (!f->nvidia || (vulkan && opencl))
        return;
    const char *lacks = vulkan ? "OpenCL" : opencl ? "Vulkan" : "Vulkan and OpenCL";
    const char *version =
        access("/proc/driver/nvidia/version", F_OK) ? "" : ", which /proc/driver/nvidia/version names";
    if (is_container() || given)
        advise(f,
               lad_printf(f->arena,
                          "there is an NVIDIA card, but not for %s: start the container with --gpus all and with "
                          "NVIDIA_DRIVER_CAPABILITIES=all (now: %s)",
                          lacks, given ? given : "not set"),
               NULL);
    else
        advise(f,
               lad_printf(f->arena,
                          "there is an NVIDIA card, but not for %s: install the libraries (nvidia-vulkan-icd, "
                          "nvidia-opencl-icd, or the vendor's installer) in the kernel module's version%s",
                          lacks, version),
               NULL);
}

static void advise_packages(struct findings *f)
{
    const char *install = lad_printf(f->arena, "%sapt-get install --no-install-recommends ", geteuid() ? "sudo " : "");
    bool apt = !access("/usr/bin/apt-get", X_OK);
    if (*f->packages && apt)
        advise(f, "install what is missing", lad_printf(f->arena, "%s%s", install, f->packages));
    else if (*f->packages)
        advise(f, lad_printf(f->arena, "install the loaders and drivers that Debian calls %s", f->packages), NULL);
    else if (!f->n_devices && !f->n_advice && apt)
        advise(f, "install drivers that need no GPU",
               lad_printf(f->arena, "%smesa-vulkan-drivers pocl-opencl-icd", install));
}

static void print_advice(struct findings *f)
{
    printf("\nWhat to do\n");
    if (f->n_devices)
        advise(f, lad_printf(f->arena, "%zu device%s can be tested", f->n_devices, f->n_devices == 1 ? "" : "s"),
               "gpuladder run");
    else
        advise(f, "look again after that", "gpuladder devices");
    for (size_t i = 0; i < f->n_advice; i++) {
        print_item('*', f->advice[i].text);
        if (f->advice[i].command)
            printf("        %s\n", f->advice[i].command);
    }
}

static int run(struct lad_arena *arena, const struct lad_options *options)
{
    struct findings f = {.arena = arena, .packages = ""};
    check_system(&f);
    printf("\nLoaders\n");
    check_loader(&f, "libvulkan.so.1", "libvulkan1");
    check_loader(&f, "libOpenCL.so.1", "ocl-icd-libopencl1");
    check_environment(&f);
    check_nodes(&f);
    check_cards(&f);
    if (!lad_inventory_take(arena, NULL, lad_start_ms(options), &f.inv))
        return LAD_EXIT_HARNESS;
    lad_inventory_release();
    check_files(&f);
    check_nvidia(&f);
    advise_packages(&f);
    print_advice(&f);
    return f.n_devices ? LAD_EXIT_OK : LAD_EXIT_NOTHING;
}

const struct lad_command lad_command_doctor = {
    "doctor", "say why no device is found, or not the one that was meant, and what to do next", "", run,
    "Looks at loaders, driver files and the libraries they need, environment, device files, groups and cards, then "
    "asks each "
    "driver in a process of its own. Signs: + in order, - worth knowing, ! in the way. Exit status 77 when no driver "
    "offers a "
    "device."};
