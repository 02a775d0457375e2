/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, text, clock and messages; knows nothing of devices or cases. */
#include "harness.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

int lad_verbosity;

struct lad_chunk {
    struct lad_chunk *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};
struct lad_arena {
    struct lad_chunk *top;
};

static void *get_memory(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p) {
        fprintf(stderr, "gpuladder: out of memory\n");
        abort();
    }
    return p;
}

struct lad_arena *lad_arena_create(void)
{
    return get_memory(sizeof(struct lad_arena));
}

void lad_arena_destroy(struct lad_arena **arena)
{
    if (!*arena)
        return;
    for (struct lad_chunk *c = (*arena)->top, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(*arena);
    *arena = NULL;
}

void *lad_alloc(struct lad_arena *arena, size_t bytes)
{
    struct lad_chunk *c = arena->top;
    bytes = (bytes + 15) & ~(size_t)15;
    if (!c || c->room - c->used < bytes) {
        size_t room = bytes > 16000 ? bytes : 16000;
        c = get_memory(sizeof *c + room);
        c->room = room;
        c->next = arena->top;
        arena->top = c;
    }
    c->used += bytes;
    return c->bytes + c->used - bytes;
}

char *lad_strdup(struct lad_arena *arena, const char *text)
{
    return text ? strcpy(lad_alloc(arena, strlen(text) + 1), text) : NULL;
}

char *lad_printf(struct lad_arena *arena, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    char *text = lad_alloc(arena, (size_t)n + 1);
    va_start(ap, format);
    vsnprintf(text, (size_t)n + 1, format, ap);
    va_end(ap);
    return text;
}

void *lad_push(struct lad_arena *arena, void *array, size_t *n, size_t element_bytes)
{
    char **base = array;
    if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4 ...: full */
        char *grown = lad_alloc(arena, (*n ? *n * 2 : 1) * element_bytes);
        if (*n)
            memcpy(grown, *base, *n * element_bytes);
        *base = grown;
    }
    return *base + (*n)++ * element_bytes;
}

uint64_t lad_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t lad_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

const char **lad_split(struct lad_arena *arena, const char *text, size_t *n)
{
    const char **list = NULL;
    char *save = NULL;
    *n = 0;
    for (char *word = strtok_r(lad_strdup(arena, text), " ", &save); word; word = strtok_r(NULL, " ", &save))
        *LAD_PUSH(arena, list, *n) = word;
    return list;
}

uint64_t lad_hash(const void *data, size_t bytes, uint64_t start)
{
    const unsigned char *p = data;
    uint64_t h = start ^ 0xCBF29CE484222325u;
    while (bytes--)
        h = (h ^ *p++) * 0x100000001B3u;
    return h;
}

uint32_t lad_crc(const void *data, size_t bytes)
{
    return (uint32_t)crc32_z(0, data, bytes);
}

bool lad_glob(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, 0) == 0;
}

static void say(const char *format, va_list ap)
{
    fflush(stdout);
    fputs("gpuladder: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
}

void lad_error(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
}

void lad_note(const char *format, ...)
{
    va_list ap;
    if (lad_verbosity < 0)
        return;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
}

char *lad_read_file(struct lad_arena *arena, const char *path, size_t most, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) || S_ISDIR(st.st_mode)) {
        lad_error("%s: cannot read: %s", path, f && !errno ? "is a directory" : strerror(errno ? errno : EISDIR));
        if (f)
            fclose(f);
        return NULL;
    }
    size_t room = S_ISREG(st.st_mode) ? (size_t)st.st_size : most, n = 0;
    char *text = room > most ? NULL : lad_alloc(arena, room + 1);
    if (text)
        n = fread(text, 1, room, f);
    fclose(f);
    if (!text) {
        lad_error("%s: %zu bytes, expected at most %zu", path, room, most);
        return NULL;
    }
    text[n] = 0;
    if (bytes)
        *bytes = n;
    return text;
}

bool lad_write_file(const char *path, bool (*write)(FILE *, const void *), const void *arg)
{
    if (!strcmp(path, "-"))
        return write(stdout, arg) && !fflush(stdout);
    char name[4096];
    struct stat st;
    bool device = !stat(path, &st) && !S_ISREG(st.st_mode); /* nothing may be renamed over /dev/null */
    if (snprintf(name, sizeof name, device ? "%s" : "%s.%d", path, (int)getpid()) >= (int)sizeof name) {
        lad_error("%.60s...: name too long", path);
        return false;
    }
    FILE *f = fopen(name, "wb");
    if (!f) {
        lad_error("%s: cannot write: %s", path, strerror(errno));
        return false;
    }
    errno = 0;
    bool ok = write(f, arg) && !fflush(f) && (device || !fsync(fileno(f)));
    int why = errno;
    ok = !fclose(f) && ok;
    if (ok && !device && rename(name, path)) {
        why = errno;
        ok = false;
    }
    if (!ok) {
        lad_error("%s: cannot write: %s", path, why ? strerror(why) : "the report could not be made");
        if (!device)
            unlink(name);
    }
    return ok;
}

bool lad_make_dir(const char *path)
{
    char part[4096];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char end = *p;
        *p = 0;
        if (mkdir(part, 0777) && errno != EEXIST) {
            lad_error("%s: cannot make folder: %s", part, strerror(errno));
            return false;
        }
        if (!end)
            return true;
        *p = end;
    }
}
