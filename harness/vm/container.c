/* SPDX-License-Identifier: Apache-2.0 */
/* Program files: a header, a table of sections, their payloads, and a CRC over each and over all. */
#include "vm.h"
#include <stdarg.h>
#include <string.h>
#include <zlib.h>

enum { HEADER = 32, ROW = 24, CRC_AT = 28 };

const struct lad_vm_section lad_vm_sections[VM_SECTIONS] = {
#define VM_SECTION(tag, field, type)                                                                                   \
    {#tag, sizeof(type), offsetof(struct lad_vm_program, field), offsetof(struct lad_vm_program, n_##field)},
#include "../../kernels/vm_layout.def"
};

void *lad_vm_section_data(const struct lad_vm_program *p, int section)
{
    void *data;
    memcpy(&data, (const char *)p + lad_vm_sections[section].data_at, sizeof data);
    return data;
}

uint32_t lad_vm_section_count(const struct lad_vm_program *p, int section)
{
    uint32_t n;
    memcpy(&n, (const char *)p + lad_vm_sections[section].n_at, sizeof n);
    return n;
}

void lad_vm_section_set(struct lad_vm_program *p, int section, void *data, uint32_t n)
{
    memcpy((char *)p + lad_vm_sections[section].data_at, &data, sizeof data);
    memcpy((char *)p + lad_vm_sections[section].n_at, &n, sizeof n);
}

bool lad_vm_because(struct lad_vm_why *why, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return false;
}

static uint32_t get32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(unsigned char *p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(x >> 8 * i);
}

static uint32_t crc_file(const unsigned char *file, size_t bytes)
{
    static const unsigned char zero[4];
    uLong crc = crc32_z(0, file, CRC_AT);
    crc = crc32_z(crc, zero, 4);
    return (uint32_t)crc32_z(crc, file + HEADER, bytes - HEADER);
}

static bool read_header(const unsigned char *file, size_t bytes, uint32_t *rows, struct lad_vm_why *why)
{
    if (bytes < HEADER || memcmp(file, "SVMP", 4))
        return lad_vm_because(why, "not a program file: it does not begin with a header of 32 bytes and SVMP");
    uint32_t major = file[4] | (uint32_t)file[5] << 8, header = get32(file + 8);
    *rows = get32(file + 12);
    if (major != 1)
        return lad_vm_because(why, "version %u.%u, expected 1.x", major, file[6] | (uint32_t)file[7] << 8);
    if (header != HEADER)
        return lad_vm_because(why, "header of %u bytes, expected %u", header, HEADER);
    if (get32(file + 16) != bytes)
        return lad_vm_because(why, "the header says %u bytes, the file has %zu", get32(file + 16), bytes);
    if (*rows > (bytes - HEADER) / ROW)
        return lad_vm_because(why, "%u sections do not fit into the file", *rows);
    if (get32(file + CRC_AT) != crc_file(file, bytes))
        return lad_vm_because(why, "CRC of the file: 0x%08x, expected 0x%08x", crc_file(file, bytes),
                              get32(file + CRC_AT));
    return true;
}

static bool read_row(struct lad_arena *arena, const unsigned char *file, size_t bytes, const unsigned char *row,
                     struct lad_vm_program *p, uint32_t *seen, struct lad_vm_why *why)
{
    uint32_t at = get32(row + 4), size = get32(row + 8), n = get32(row + 12), each = get32(row + 16);
    char tag[5] = "";
    memcpy(tag, row, 4);
    for (int i = 0; i < 4; i++)
        if (tag[i] < ' ' || tag[i] > '~')
            tag[i] = '?';
    if (at > bytes || size > bytes - at)
        return lad_vm_because(why, "section %s: %u bytes from %u lie outside the file", tag, size, at);
    if (lad_crc(file + at, size) != get32(row + 20))
        return lad_vm_because(why, "section %s: CRC 0x%08x, expected 0x%08x", tag, lad_crc(file + at, size),
                              get32(row + 20));
    int s = 0;
    while (s < VM_SECTIONS && memcmp(lad_vm_sections[s].tag, row, 4))
        s++;
    if (s == VM_SECTIONS)
        return true; /* of a later minor version */
    if (*seen >> s & 1)
        return lad_vm_because(why, "section %s: there twice", tag);
    *seen |= 1u << s;
    if (each != lad_vm_sections[s].bytes || (uint64_t)n * each != size)
        return lad_vm_because(why, "section %s: %u elements of %u bytes in %u, expected elements of %u", tag, n, each,
                              size, lad_vm_sections[s].bytes);
    void *copy = lad_alloc(arena, (size_t)size + 1);
    memcpy(copy, file + at, size);
    lad_vm_section_set(p, s, copy, n);
    return true;
}

bool lad_vm_read(struct lad_arena *arena, const void *data, size_t bytes, struct lad_vm_program *p,
                 struct lad_vm_why *why)
{
    const unsigned char *file = data;
    uint32_t rows = 0, seen = 0;
    *p = (struct lad_vm_program){0};
    if (!read_header(file, bytes, &rows, why))
        return false;
    p->features = get32(file + 20);
    for (uint32_t i = 0; i < rows; i++)
        if (!read_row(arena, file, bytes, file + HEADER + (size_t)i * ROW, p, &seen, why))
            return false;
    for (int s = 0; s < VM_SECTIONS; s++)
        if (!(seen >> s & 1))
            return lad_vm_because(why, "section %s is missing", lad_vm_sections[s].tag);
    if (p->n_parm != VM_PARMS)
        return lad_vm_because(why, "section PARM: %u words, expected %u", p->n_parm, VM_PARMS);
    return true;
}

void *lad_vm_write(struct lad_arena *arena, const struct lad_vm_program *p, size_t *bytes)
{
    size_t at = HEADER + ROW * VM_SECTIONS;
    for (int s = 0; s < VM_SECTIONS; s++)
        at = (at + 7) / 8 * 8 + (size_t)lad_vm_section_count(p, s) * lad_vm_sections[s].bytes;
    unsigned char *file = lad_alloc(arena, at), *row = file + HEADER;
    *bytes = at;
    memcpy(file, "SVMP\1", 5);
    put32(file + 8, HEADER);
    put32(file + 12, VM_SECTIONS);
    put32(file + 16, (uint32_t)at);
    put32(file + 20, p->features);
    at = HEADER + ROW * VM_SECTIONS;
    for (int s = 0; s < VM_SECTIONS; s++, row += ROW) {
        uint32_t n = lad_vm_section_count(p, s), each = lad_vm_sections[s].bytes;
        at = (at + 7) / 8 * 8;
        if (n)
            memcpy(file + at, lad_vm_section_data(p, s), (size_t)n * each);
        memcpy(row, lad_vm_sections[s].tag, 4);
        put32(row + 4, (uint32_t)at);
        put32(row + 8, n * each);
        put32(row + 12, n);
        put32(row + 16, each);
        at += (size_t)n * each;
    }
    lad_vm_mend(file, *bytes);
    return file;
}

void lad_vm_mend(void *data, size_t bytes)
{
    unsigned char *file = data;
    if (bytes < HEADER)
        return;
    for (size_t i = 0; i < get32(file + 12) && HEADER + (i + 1) * ROW <= bytes; i++) {
        unsigned char *row = file + HEADER + i * ROW;
        uint32_t at = get32(row + 4), size = get32(row + 8);
        if (at <= bytes && size <= bytes - at)
            put32(row + 20, lad_crc(file + at, size));
    }
    put32(file + CRC_AT, crc_file(file, bytes));
}
