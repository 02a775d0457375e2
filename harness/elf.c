/* SPDX-License-Identifier: Apache-2.0 */
/* Shared objects looked at without loading them: where the dynamic linker would find a name, why a file cannot be
 * loaded, what it needs. A loader such as libOpenCL.so.1 may be a driver in disguise, so not even that is opened here.
 */
#include "harness.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* /etc/ld.so.cache since glibc 2.2; offsets count from the header. */
struct cache_entry {
    int32_t flags;
    uint32_t key, value, os;
    uint64_t hwcap;
};
struct cache_header {
    char magic[20];
    uint32_t n, string_bytes, extra[5];
};
static const char cache_magic[] = "glibc-ld.so.cache1.1";

struct mapping {
    const unsigned char *bytes;
    size_t n;
};

static bool map_file(const char *path, struct mapping *m)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    m->bytes = MAP_FAILED;
    if (fd < 0)
        return false;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
        m->n = (size_t)st.st_size;
        m->bytes = mmap(NULL, m->n, PROT_READ, MAP_PRIVATE, fd, 0);
    } else {
        errno = ENOEXEC;
    }
    int why = errno;
    close(fd);
    errno = why;
    return m->bytes != MAP_FAILED;
}

static void unmap_file(struct mapping *m)
{
    munmap((void *)m->bytes, m->n);
}

const char *lad_library_flaw(struct lad_arena *arena, const char *path)
{
    struct mapping self = {0}, m;
    const char *flaw = NULL;
    if (!map_file(path, &m))
        return errno == ENOENT    ? lad_printf(arena, "%s does not exist", path)
               : errno == ENOEXEC ? lad_printf(arena, "%s is no shared object", path)
                                  : lad_printf(arena, "%s cannot be read: %s", path, strerror(errno));
    const ElfW(Ehdr) *head = (const void *)m.bytes, *own;
    if (m.n < sizeof *head || memcmp(m.bytes, ELFMAG, SELFMAG))
        flaw = lad_printf(arena, "%s is no shared object", path);
    else if (map_file("/proc/self/exe", &self)) {
        own = (const void *)self.bytes;
        if (head->e_ident[EI_CLASS] != own->e_ident[EI_CLASS] || head->e_machine != own->e_machine)
            flaw = lad_printf(arena, "%s is made for another machine or word size than this program", path);
        unmap_file(&self);
    }
    unmap_file(&m);
    return flaw;
}

static const char *look_in(struct lad_arena *arena, const char *folders, const char *origin, const char *name)
{
    while (folders && *folders) {
        int n = (int)strcspn(folders, ":;");
        const char *rest = folders + n + (folders[n] != 0);
        const char *path = n ? lad_printf(arena, "%.*s/%s", n, folders, name) : name;
        if (origin && !strncmp(folders, "$ORIGIN", 7))
            path = lad_printf(arena, "%s%.*s/%s", origin, n - 7, folders + 7, name);
        else if (origin && !strncmp(folders, "${ORIGIN}", 9))
            path = lad_printf(arena, "%s%.*s/%s", origin, n - 9, folders + 9, name);
        if (!lad_library_flaw(arena, path))
            return path;
        folders = rest;
    }
    return NULL;
}

/* *known: the cache was read, so that a name it does not hold is not there. */
static const char *look_in_cache(struct lad_arena *arena, const char *name, bool *known)
{
    struct mapping m;
    const char *found = NULL;
    *known = false;
    if (!map_file("/etc/ld.so.cache", &m))
        return NULL;
    const unsigned char *at = memmem(m.bytes, m.n, cache_magic, sizeof cache_magic - 1);
    size_t room = at ? m.n - (size_t)(at - m.bytes) : 0;
    struct cache_header head;
    if (room >= sizeof head) {
        memcpy(&head, at, sizeof head);
        *known = head.n <= (room - sizeof head) / sizeof(struct cache_entry);
        for (uint32_t i = 0; *known && !found && i < head.n; i++) {
            struct cache_entry e;
            memcpy(&e, at + sizeof head + i * sizeof e, sizeof e);
            if (e.key >= room || e.value >= room || strncmp((const char *)at + e.key, name, room - e.key))
                continue;
            const char *path = lad_printf(arena, "%.*s", (int)(room - e.value), at + e.value);
            if (!lad_library_flaw(arena, path))
                found = path;
        }
    }
    unmap_file(&m);
    return found;
}

const char *lad_library_find(struct lad_arena *arena, const char *name, bool *sure)
{
    bool known = true;
    const char *path = look_in(arena, secure_getenv("LD_LIBRARY_PATH"), NULL, name);
    if (!path)
        path = look_in_cache(arena, name, &known);
    if (!path)
        path = look_in(arena, "/lib64:/usr/lib64:/lib:/usr/lib", NULL, name);
    if (sure)
        *sure = path || known;
    return path;
}

/* File bytes behind a virtual address and how many follow, or NULL. */
static const unsigned char *find_address(const struct mapping *m, ElfW(Addr) address, size_t *n)
{
    const ElfW(Ehdr) *head = (const void *)m->bytes;
    for (size_t i = 0; i < head->e_phnum; i++) {
        const ElfW(Phdr) *p = (const void *)(m->bytes + head->e_phoff + i * sizeof *p);
        if (p->p_type == PT_LOAD && address >= p->p_vaddr && address - p->p_vaddr < p->p_filesz && p->p_offset < m->n &&
            address - p->p_vaddr < m->n - p->p_offset) {
            *n = m->n - p->p_offset - (address - p->p_vaddr);
            return m->bytes + p->p_offset + (address - p->p_vaddr);
        }
    }
    return NULL;
}

const char **lad_library_needs(struct lad_arena *arena, const char *path, const char **folders)
{
    const char **names = lad_alloc(arena, sizeof *names);
    size_t n_names = 0, n_strings = 0, n_dynamic = 0;
    struct mapping m;
    *folders = NULL;
    if (lad_library_flaw(arena, path) || !map_file(path, &m))
        return names;
    const ElfW(Ehdr) *head = (const void *)m.bytes;
    const unsigned char *dynamic = NULL, *strings = NULL;
    size_t n_headers = head->e_phoff < m.n ? (m.n - head->e_phoff) / sizeof(ElfW(Phdr)) : 0;
    for (size_t i = 0; head->e_phnum <= n_headers && i < head->e_phnum; i++) {
        const ElfW(Phdr) *p = (const void *)(m.bytes + head->e_phoff + i * sizeof *p);
        if (p->p_type == PT_DYNAMIC && p->p_offset < m.n && p->p_filesz <= m.n - p->p_offset) {
            dynamic = m.bytes + p->p_offset;
            n_dynamic = p->p_filesz / sizeof(ElfW(Dyn));
        }
    }
    for (size_t i = 0; i < n_dynamic; i++) {
        ElfW(Dyn) d;
        memcpy(&d, dynamic + i * sizeof d, sizeof d);
        if (d.d_tag == DT_STRTAB)
            strings = find_address(&m, d.d_un.d_ptr, &n_strings);
    }
    for (size_t i = 0; strings && i < n_dynamic; i++) {
        ElfW(Dyn) d;
        memcpy(&d, dynamic + i * sizeof d, sizeof d);
        if ((d.d_tag != DT_NEEDED && d.d_tag != DT_RUNPATH && d.d_tag != DT_RPATH) || d.d_un.d_val >= n_strings)
            continue;
        const char *text = lad_printf(arena, "%.*s", (int)(n_strings - d.d_un.d_val), strings + d.d_un.d_val);
        if (d.d_tag == DT_NEEDED)
            *LAD_PUSH(arena, names, n_names) = text;
        else
            *folders = text;
    }
    unmap_file(&m);
    *LAD_PUSH(arena, names, n_names) = NULL;
    return names;
}

/* Whether the library is among those listed. */
static bool is_listed(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i], name))
            return true;
    return false;
}

const char **lad_library_missing(struct lad_arena *arena, const char *path)
{
    enum { MOST = 500 };
    const char **todo = NULL, **missing = NULL, *origin;
    size_t n_todo = 0, n_missing = 0;
    *LAD_PUSH(arena, todo, n_todo) = path;
    for (size_t i = 0; i < n_todo && n_todo < MOST; i++) {
        const char *folders, **needs = lad_library_needs(arena, todo[i], &folders);
        char *real = realpath(todo[i], NULL);
        origin = lad_strdup(arena, real ? real : todo[i]);
        free(real);
        if (strrchr(origin, '/'))
            *strrchr((char *)origin, '/') = 0;
        for (; *needs; needs++) {
            bool sure;
            const char *found = look_in(arena, folders, origin, *needs);
            if (!found)
                found = lad_library_find(arena, *needs, &sure);
            if (found && !is_listed(todo, n_todo, found))
                *LAD_PUSH(arena, todo, n_todo) = found;
            if (!found && sure && !is_listed(missing, n_missing, *needs))
                *LAD_PUSH(arena, missing, n_missing) = *needs;
        }
    }
    *LAD_PUSH(arena, missing, n_missing) = NULL;
    return missing;
}
