/* SPDX-License-Identifier: Apache-2.0 */
/* LAD_EMBED(symbol, "file"): the file's bytes in the executable, followed by a NUL, as symbol[] up to symbol_end[]. */
#ifndef LAD_EMBED_H
#define LAD_EMBED_H

#define LAD_EMBED(symbol, file) \
    __asm__(".pushsection .rodata\n.balign 16\n" #symbol ":\n.incbin \"" file "\"\n" #symbol \
            "_end:\n.byte 0\n.popsection\n"); \
    extern const unsigned char symbol[] __attribute__((visibility("hidden"))); \
    extern const unsigned char symbol##_end[] __attribute__((visibility("hidden")));

#endif
