/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved program binaries: a file per program, named by the hash of its key and holding the whole key. A driver may
 * take the process down over a binary that is not its own, so nothing is handed over unless key and checksum are right.
 */
#include "cl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cache_head {
    char magic[8];
    uint32_t key_bytes, log_bytes, crc /* of key, log and binary */, zero;
    uint64_t binary_bytes;
};
static const char magic[8] = {'L', 'A', 'D', 'C', 'L', 'B', '0', '1'};
enum { MOST_BYTES = 64 << 20 };

extern char **environ;

static uint64_t environment;

/* Variables that change what a driver compiles, or that put something between us and it. Summed, for their order means
 * nothing. */
void lad_cl_cache_begin(void)
{
    static const char *const prefixes[] = {"POCL_",   "RUSTICL_",  "GALLIVM_", "LP_",        "NIR_", "MESA_",
                                           "OPENCL_", "OCLGRIND_", "CUDA_",    "LD_PRELOAD", "CL_"};
    static const char *const harmless[] = {"POCL_CACHE_DIR=", "POCL_DEBUG=",   "MESA_SHADER_CACHE", "CUDA_CACHE",
                                           "CUDA_VISIBLE",    "POCL_DEVICES=", "RUSTICL_ENABLE="};
    uint64_t sum = 0;
    for (char **e = environ; *e; e++) {
        bool counts = false;
        for (size_t i = 0; i < LAD_N(prefixes); i++)
            counts = counts || !strncmp(*e, prefixes[i], strlen(prefixes[i]));
        for (size_t i = 0; i < LAD_N(harmless); i++)
            counts = counts && strncmp(*e, harmless[i], strlen(harmless[i]));
        if (counts)
            sum += lad_hash(*e, strlen(*e), 0);
    }
    environment = sum;
}

/* The folder, or false when the user wants no cache or has no place for it. */
static bool find_folder(char *path, size_t room)
{
    const char *own = getenv("GPULADDER_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (own)
        n = snprintf(path, room, "%s", own);
    else if (xdg && *xdg == '/')
        n = snprintf(path, room, "%s/gpuladder", xdg);
    else if (home && *home == '/')
        n = snprintf(path, room, "%s/.cache/gpuladder", home);
    else
        return false;
    return n > 0 && (size_t)n < room;
}

static bool make_folder(char *path)
{
    for (char *p = path + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char end = *p;
        *p = 0;
        bool ok = !mkdir(path, 0700) || errno == EEXIST;
        *p = end;
        if (!ok || !end)
            return ok;
    }
}

static bool find_file(const char *key, char *path, size_t room, bool make)
{
    char folder[3800];
    if (!find_folder(folder, sizeof folder) || (make && !make_folder(folder)))
        return false;
    return snprintf(path, room, "%s/%016llx.clb", folder, (unsigned long long)lad_hash(key, strlen(key), 0)) <
           (int)room;
}

char *lad_cl_cache_key(const struct lad_cl_device *d, const char *source, const char *options)
{
    char folder[3800], *key;
    size_t n = strlen(source);
    if (!find_folder(folder, sizeof folder))
        return NULL;
    if (asprintf(&key, "%s%s\n%zu bytes, %016llx, %08x\nenvironment %016llx\n", d->identity, options, n,
                 (unsigned long long)lad_hash(source, n, 0), (unsigned)lad_crc(source, n),
                 (unsigned long long)environment) < 0)
        abort();
    return key;
}

static uint32_t sum_crc(const char *key, const char *log, size_t log_bytes, const unsigned char *binary, size_t bytes)
{
    uint32_t crc[3] = {lad_crc(key, strlen(key)), lad_crc(log, log_bytes), lad_crc(binary, bytes)};
    return lad_crc(crc, sizeof crc);
}

/* Everything behind the head in one block with a NUL behind it, or NULL. */
static char *read_whole(const char *path, struct cache_head *head, size_t *rest)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    if (!f)
        return NULL;
    if (!fstat(fileno(f), &st) && S_ISREG(st.st_mode) && st.st_size > (off_t)sizeof *head && st.st_size < MOST_BYTES &&
        fread(head, sizeof *head, 1, f) == 1) {
        *rest = (size_t)st.st_size - sizeof *head;
        text = calloc(1, *rest + 1);
        if (text && fread(text, 1, *rest, f) != *rest) {
            free(text);
            text = NULL;
        }
    }
    fclose(f);
    return text;
}

bool lad_cl_cache_load(const char *key, unsigned char **binary, size_t *bytes, char **log)
{
    char path[4096];
    struct cache_head head;
    size_t rest, key_bytes = strlen(key);
    if (!find_file(key, path, sizeof path, false))
        return false;
    char *text = read_whole(path, &head, &rest);
    if (!text)
        return false;
    bool ok = !memcmp(head.magic, magic, sizeof magic) && head.key_bytes == key_bytes && head.binary_bytes &&
              head.binary_bytes < MOST_BYTES && (uint64_t)head.key_bytes + head.log_bytes + head.binary_bytes == rest &&
              !memcmp(text, key, key_bytes);
    const unsigned char *data = (const unsigned char *)text + key_bytes + head.log_bytes;
    ok = ok && head.crc == sum_crc(key, text + key_bytes, head.log_bytes, data, head.binary_bytes);
    if (ok) {
        *bytes = head.binary_bytes;
        *binary = malloc(*bytes);
        *log = strndup(text + key_bytes, head.log_bytes);
        if (!*binary || !*log)
            abort();
        memcpy(*binary, data, *bytes);
    }
    free(text);
    return ok;
}

void lad_cl_cache_save(const char *key, const unsigned char *binary, size_t bytes, const char *log)
{
    char path[4096], name[4120];
    size_t key_bytes = strlen(key), log_bytes = strlen(log);
    struct cache_head head = {
        .key_bytes = (uint32_t)key_bytes, .log_bytes = (uint32_t)log_bytes, .binary_bytes = bytes};
    if (bytes + key_bytes + log_bytes + sizeof head >= MOST_BYTES || !find_file(key, path, sizeof path, true))
        return;
    memcpy(head.magic, magic, sizeof magic);
    head.crc = sum_crc(key, log, log_bytes, binary, bytes);
    snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
    FILE *f = fopen(name, "wb");
    if (!f)
        return;
    bool ok = fwrite(&head, sizeof head, 1, f) == 1 && fwrite(key, 1, key_bytes, f) == key_bytes &&
              fwrite(log, 1, log_bytes, f) == log_bytes && fwrite(binary, 1, bytes, f) == bytes;
    ok = !fclose(f) && ok;
    if (!ok || rename(name, path))
        unlink(name);
}
