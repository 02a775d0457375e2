/* SPDX-License-Identifier: Apache-2.0 */
/* What a device says about itself: capabilities, names and the identity that its program binaries depend on. */
#include "cl.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Of cl_nv_device_attribute_query, whose values are not in every header. */
enum { NV_WARP_SIZE = 0x4003, NV_PCI_BUS = 0x4008, NV_PCI_SLOT = 0x4009, NV_PCI_DOMAIN = 0x400A };

/* Any number: the runtime writes 4 or 8 bytes. 0 where it does not answer. */
static uint64_t get_number(cl_device_id id, cl_device_info what)
{
    uint64_t value = 0;
    size_t bytes = 0;
    return lad_cl.GetDeviceInfo(id, what, sizeof value, &value, &bytes) == CL_SUCCESS && bytes <= sizeof value ? value
                                                                                                               : 0;
}

/* A text of the device, or with id NULL of the platform; "" where there is none. The caller frees it. */
static char *get_text(cl_platform_id platform, cl_device_id id, cl_uint what)
{
    size_t bytes = 0;
    cl_int rc =
        id ? lad_cl.GetDeviceInfo(id, what, 0, NULL, &bytes) : lad_cl.GetPlatformInfo(platform, what, 0, NULL, &bytes);
    if (rc != CL_SUCCESS || bytes > 1u << 20)
        bytes = 0;
    char *text = calloc(1, bytes + 1);
    if (!text)
        abort();
    if (bytes)
        rc = id ? lad_cl.GetDeviceInfo(id, what, bytes, text, NULL)
                : lad_cl.GetPlatformInfo(platform, what, bytes, text, NULL);
    if (rc != CL_SUCCESS)
        *text = 0;
    for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
            return true;
    return false;
}

/* "OpenCL 3.0 ..." or "OpenCL C 1.2 ..." to 30, 12. */
static uint32_t parse_version(const char *text)
{
    unsigned major = 0, minor = 0;
    if (sscanf(text, "OpenCL %u.%u", &major, &minor) != 2 && sscanf(text, "OpenCL C %u.%u", &major, &minor) != 2)
        return 0;
    return major * 10 + minor;
}

static uint32_t find_c_version(const struct lad_cl_device *d)
{
    char *text = get_text(NULL, d->id, CL_DEVICE_OPENCL_C_VERSION);
    uint32_t newest = parse_version(text);
    free(text);
    cl_name_version all[32];
    size_t bytes = 0;
    /* An OpenCL 3.0 device names here only the newest version that is fully backward compatible. */
    if (d->version >= 30 &&
        lad_cl.GetDeviceInfo(d->id, CL_DEVICE_OPENCL_C_ALL_VERSIONS, sizeof all, all, &bytes) == CL_SUCCESS)
        for (size_t i = 0; i < bytes / sizeof *all; i++) {
            uint32_t v = CL_VERSION_MAJOR(all[i].version) * 10 + CL_VERSION_MINOR(all[i].version);
            newest = v > newest ? v : newest;
        }
    return newest;
}

/* Appends the words of `name` in lower case, joined by '-', up to the first thing that is no name: ( : @ or a comma. */
static void append_words(char *out, size_t room, const char *name)
{
    size_t n = strlen(out);
    bool gap = n > 0;
    for (; *name && n + 2 < room; name++) {
        if (*name == '(') { /* "(R)", "(TM)", "(LLVM 15.0.6, 256 bits)" */
            const char *end = strchr(name, ')');
            if (!end)
                break;
            name = end;
        } else if (*name == ':' || *name == '@' || *name == ',') {
            break;
        } else if (!isalnum((unsigned char)*name)) {
            gap = n > 0;
        } else {
            if (gap)
                out[n++] = '-';
            gap = false;
            out[n++] = (char)tolower((unsigned char)*name);
        }
    }
    out[n] = 0;
}

/* Is this the host's processor, as its maker spells it? That would tie the device's short name to the machine. */
static bool names_host(const char *device)
{
    char line[512], *brand;
    bool found = strstr(device, "(R)") || strstr(device, "(TM)");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !found && fgets(line, sizeof line, f))
        if (!strncmp(line, "model name", 10) && (brand = strchr(line, ':'))) {
            brand += 1 + strspn(brand + 1, " ");
            brand[strcspn(brand, "\n")] = 0;
            found = *brand && strstr(device, brand);
            break;
        }
    if (f)
        fclose(f);
    return found;
}

/* A long platform name is a description: its registered suffix is the shorter name. */
static void make_model(struct lad_dev_info *info, const char *platform, const char *suffix)
{
    char who[40] = "", what[64] = "";
    size_t n_words = 0;
    for (const char *p = platform; *p; p++)
        n_words += *p != ' ' && (p == platform || p[-1] == ' ');
    if (n_words > 2 && *suffix) {
        append_words(who, sizeof who, suffix);
    } else {
        append_words(who, sizeof who, platform);
        who[strcspn(who, "-")] = 0;
    }
    if (info->type != LAD_DEV_SIMULATOR && !(info->type == LAD_DEV_CPU && names_host(info->name)))
        append_words(what, sizeof what, info->name);
    size_t n = strlen(who);
    bool said = !strncmp(what, who, n) && (what[n] == '-' || !what[n]);
    snprintf(info->model, sizeof info->model, "%s%s%.*s", said ? "" : who, *what && !said && n ? "-" : "", 60 - (int)n,
             what);
    if (!*info->model)
        snprintf(info->model, sizeof info->model, "%s", *who ? who : "opencl");
}

static void find_place(struct lad_dev_info *info, cl_device_id id, const char *extensions)
{
    unsigned char uuid[CL_UUID_SIZE_KHR];
    cl_device_pci_bus_info_khr pci;
    if (has_word(extensions, "cl_khr_device_uuid") &&
        lad_cl.GetDeviceInfo(id, CL_DEVICE_UUID_KHR, sizeof uuid, uuid, NULL) == CL_SUCCESS)
        for (size_t i = 0; i < sizeof uuid; i++)
            snprintf(info->uuid + 2 * i, 3, "%02x", uuid[i]);
    if (has_word(extensions, "cl_khr_pci_bus_info") &&
        lad_cl.GetDeviceInfo(id, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL) == CL_SUCCESS)
        snprintf(info->bus, sizeof info->bus, "%04x:%02x:%02x.%x", pci.pci_domain, pci.pci_bus, pci.pci_device,
                 pci.pci_function);
    else if (has_word(extensions, "cl_nv_device_attribute_query"))
        snprintf(info->bus, sizeof info->bus, "%04x:%02x:%02x.%x", (unsigned)get_number(id, NV_PCI_DOMAIN),
                 (unsigned)get_number(id, NV_PCI_BUS), (unsigned)get_number(id, NV_PCI_SLOT) >> 3,
                 (unsigned)get_number(id, NV_PCI_SLOT) & 7);
}

static uint64_t find_subgroup(const struct lad_cl_device *d, const char *extensions)
{
    uint64_t most = d->version >= 21 ? get_number(d->id, CL_DEVICE_MAX_NUM_SUB_GROUPS) : 0;
    if (!most && !has_word(extensions, "cl_khr_subgroups"))
        return 0;
    if (has_word(extensions, "cl_nv_device_attribute_query"))
        return get_number(d->id, NV_WARP_SIZE);
    uint64_t items = get_number(d->id, CL_DEVICE_MAX_WORK_GROUP_SIZE); /* no query names the size for the device */
    return most && items >= most ? items / most : 0;
}

static void find_memory_kinds(struct lad_cl_device *d)
{
    uint64_t *cap = d->info.cap;
    const char **why = d->info.why;
    bool entries = lad_cl.SVMAlloc && lad_cl.SVMFree && lad_cl.SetKernelArgSVMPointer && lad_cl.SetKernelExecInfo &&
                   lad_cl.EnqueueSVMMemcpy && lad_cl.EnqueueSVMMemFill && lad_cl.EnqueueSVMMap &&
                   lad_cl.EnqueueSVMUnmap;
    d->svm = d->version >= 20 && entries ? get_number(d->id, CL_DEVICE_SVM_CAPABILITIES) : 0;
    cap[LAD_CAP_MEM_MAPPED] = cap[LAD_CAP_MEM_HOST_POINTER] = 1;
    cap[LAD_CAP_MEM_SVM_COARSE] = d->svm & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER ? 1 : 0;
    cap[LAD_CAP_MEM_SVM_FINE] = d->svm & CL_DEVICE_SVM_FINE_GRAIN_BUFFER ? 1 : 0;
    cap[LAD_CAP_ADDRESS] = cap[LAD_CAP_MEM_SVM_COARSE];
    why[LAD_CAP_MEM_COHERENT] =
        "OpenCL leaves a kernel's use of a mapped buffer undefined; mem-svm-fine is its coherent memory";
    why[LAD_CAP_MEM_NONCOHERENT] =
        "OpenCL leaves a kernel's use of a mapped buffer undefined and has no flush of a range";
    const char *no_svm = d->version < 20 ? "shared virtual memory came with OpenCL 2.0"
                         : !entries      ? "the OpenCL library has no entry points for shared virtual memory"
                                         : "the device offers no such shared virtual memory";
    why[LAD_CAP_MEM_SVM_COARSE] = why[LAD_CAP_MEM_SVM_FINE] = no_svm;
    why[LAD_CAP_ADDRESS] = "OpenCL has addresses only in shared virtual memory, which the device does not offer";
}

static void find_limits(struct lad_cl_device *d)
{
    uint64_t *cap = d->info.cap;
    size_t extent[16] = {0};
    /* One limit counts buffers and scalars together; each capability leaves room for an ordinary use of the other. */
    uint64_t params = get_number(d->id, CL_DEVICE_MAX_PARAMETER_SIZE), spare = params > 512 ? 256 : params / 2;
    cap[LAD_CAP_STORAGE_BUFFERS] = (params - spare) / 8;
    cap[LAD_CAP_SCALAR_BYTES] = params - spare;
    cap[LAD_CAP_BUFFER_BYTES] = get_number(d->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    cap[LAD_CAP_MEMORY_BYTES] = get_number(d->id, CL_DEVICE_GLOBAL_MEM_SIZE);
    cap[LAD_CAP_LOCAL_BYTES] = get_number(d->id, CL_DEVICE_LOCAL_MEM_SIZE);
    cap[LAD_CAP_WORKGROUP_SIZE] = get_number(d->id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    lad_cl.GetDeviceInfo(d->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof extent, extent, NULL);
    for (int i = 0; i < 3; i++) {
        cap[LAD_CAP_WORKGROUP_X + i] = extent[i];
        cap[LAD_CAP_GROUPS_X + i] = UINT32_MAX; /* limited by the size of size_t alone */
    }
    uint64_t align = get_number(d->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    cap[LAD_CAP_OFFSET_ALIGN] = align ? align : 1;
    cap[LAD_CAP_ATOM_BYTES] = 1;
}

static void find_features(struct lad_cl_device *d, const char *extensions)
{
    uint64_t *cap = d->info.cap;
    const char **why = d->info.why;
    cap[LAD_CAP_INT64] = cap[LAD_CAP_INT16] = cap[LAD_CAP_INT8] = 1;
    cap[LAD_CAP_FP64] = get_number(d->id, CL_DEVICE_DOUBLE_FP_CONFIG) ? 1 : 0;
    cap[LAD_CAP_FP16] = has_word(extensions, "cl_khr_fp16");
    cap[LAD_CAP_ATOMIC64] = has_word(extensions, "cl_khr_int64_base_atomics");
    cap[LAD_CAP_SUBGROUP] = find_subgroup(d, extensions);
    cap[LAD_CAP_BASE_OFFSET] = cap[LAD_CAP_FILL] = cap[LAD_CAP_COPY] = cap[LAD_CAP_EVENTS] = cap[LAD_CAP_FLUSH] = 1;
    cap[LAD_CAP_QUEUES] = LAD_CL_QUEUES;
    cap[LAD_CAP_TIMESTAMPS] = get_number(d->id, CL_DEVICE_QUEUE_PROPERTIES) & CL_QUEUE_PROFILING_ENABLE ? 1 : 0;
    cap[LAD_CAP_DENORMALS] = get_number(d->id, CL_DEVICE_SINGLE_FP_CONFIG) & CL_FP_DENORM ? 1 : 0;
    if (d->version >= 30)
        cap[LAD_CAP_DEVICE_SCOPE] =
            get_number(d->id, CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES) & CL_DEVICE_ATOMIC_SCOPE_DEVICE ? 1 : 0;
    else
        cap[LAD_CAP_DEVICE_SCOPE] = d->version >= 20; /* no query before 3.0: 2.x demands it */
    why[LAD_CAP_INDIRECT] = "OpenCL has no indirect dispatch";
    why[LAD_CAP_FP64] = "no CL_DEVICE_DOUBLE_FP_CONFIG";
    why[LAD_CAP_FP16] = "no cl_khr_fp16";
    why[LAD_CAP_ATOMIC64] = "no cl_khr_int64_base_atomics";
    why[LAD_CAP_SUBGROUP] = "no cl_khr_subgroups and no CL_DEVICE_MAX_NUM_SUB_GROUPS";
    why[LAD_CAP_DENORMALS] = "no CL_FP_DENORM in CL_DEVICE_SINGLE_FP_CONFIG";
    why[LAD_CAP_DEVICE_SCOPE] = d->version < 20
                                    ? "atomics with a scope came with OpenCL 2.0"
                                    : "no CL_DEVICE_ATOMIC_SCOPE_DEVICE in CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES";
}

static enum lad_dev_type find_type(cl_device_id id, const char *name, const char *platform)
{
    uint64_t type = get_number(id, CL_DEVICE_TYPE);
    if (strstr(name, "Simulator") || strstr(platform, "Simulator"))
        return LAD_DEV_SIMULATOR;
    if (type & CL_DEVICE_TYPE_GPU)
        return get_number(id, CL_DEVICE_HOST_UNIFIED_MEMORY) ? LAD_DEV_INTEGRATED : LAD_DEV_DISCRETE;
    return type & CL_DEVICE_TYPE_CPU ? LAD_DEV_CPU : LAD_DEV_OTHER;
}

bool lad_cl_describe(struct lad_cl_device *d, uint32_t platform_index, struct lad_fail *fail)
{
    struct lad_dev_info *info = &d->info;
    char *name = get_text(NULL, d->id, CL_DEVICE_NAME), *vendor = get_text(NULL, d->id, CL_DEVICE_VENDOR);
    char *version = get_text(NULL, d->id, CL_DEVICE_VERSION), *driver = get_text(NULL, d->id, CL_DRIVER_VERSION);
    char *extensions = get_text(NULL, d->id, CL_DEVICE_EXTENSIONS);
    char *platform = get_text(d->platform, NULL, CL_PLATFORM_NAME);
    char *platform_version = get_text(d->platform, NULL, CL_PLATFORM_VERSION);
    char *suffix = get_text(d->platform, NULL, CL_PLATFORM_ICD_SUFFIX_KHR);
    d->version = parse_version(version);
    bool ok = *name && d->version;
    if (!ok) {
        lad_cl_fail(fail, "clGetDeviceInfo", 0,
                    "the device of platform \"%.100s\" names itself \"%.100s\", version \"%.100s\"", platform, name,
                    version);
    } else {
        snprintf(info->name, sizeof info->name, "%s", name);
        snprintf(info->vendor, sizeof info->vendor, "%s", vendor);
        const char *more = platform_version; /* "OpenCL 3.0 PoCL 3.1 ...": the maker's part, where there is one */
        for (int i = 0; i < 2; i++) {
            more += strcspn(more, " ");
            more += strspn(more, " ");
        }
        snprintf(info->driver, sizeof info->driver, "%.150s, driver %.80s", *more ? more : platform, driver);
        snprintf(info->api, sizeof info->api, "OpenCL %u.%u", d->version / 10, d->version % 10);
        info->type = find_type(d->id, name, platform);
        info->platform = platform_index;
        make_model(info, platform, suffix);
        d->c_version = find_c_version(d);
        find_place(info, d->id, extensions);
        find_limits(d);
        find_features(d, extensions);
        find_memory_kinds(d);
        if (asprintf(&d->identity, "%s\n%s\n%s\n%s\n%s\n", platform, platform_version, name, version, driver) < 0)
            abort();
    }
    char *texts[] = {name, vendor, version, driver, extensions, platform, platform_version, suffix};
    for (size_t i = 0; i < LAD_N(texts); i++)
        free(texts[i]);
    return ok;
}
