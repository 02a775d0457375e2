/* SPDX-License-Identifier: Apache-2.0 */
/* Small, wrong changes to a SPIR-V module. */
#ifndef LAD_SPIRV_H
#define LAD_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each changes the module in place and says whether there was anything to change. */
bool lad_spirv_lose_store(uint32_t *words, size_t n, uint32_t set); /* the last store to a buffer of that set */
bool lad_spirv_lose_barriers(uint32_t *words, size_t n);
bool lad_spirv_stride(uint32_t *words, size_t n, uint32_t from, uint32_t to);  /* of arrays */
bool lad_spirv_replace(uint32_t *words, size_t n, uint32_t from, uint32_t to); /* one instruction by one as long */
extern const uint32_t lad_spirv_nothing[];                                     /* a compute shader that does nothing */
extern const size_t lad_spirv_nothing_bytes;

#endif
