/* SPDX-License-Identifier: Apache-2.0 */
/* The witness: what every kernel writes about its own run, apart from its results. Words from lad_slot on; included
 * by the three shells and by the harness, so it holds nothing but #defines. */
#define LAD_W_MAGIC_VALUE 0x4C414457u
#define LAD_W_MAGIC 0u
#define LAD_W_BUILD 1u     /* nonce of the kernel's text */
#define LAD_W_DISPATCH 2u  /* nonce of the dispatch, an argument */
#define LAD_W_COUNT 3u     /* invocations that ran (atomic) */
#define LAD_W_GROUPS 4u    /* workgroups whose first invocation ran (atomic) */
#define LAD_W_LOCAL 5u     /* 3 words: workgroup size as the kernel sees it */
#define LAD_W_GRID 8u      /* 3 words: number of workgroups as the kernel sees it */
#define LAD_W_CONST 11u    /* 2 words: the specialisation constants */
#define LAD_W_DYNAMIC 13u  /* length of the dynamic local array */
#define LAD_W_SCALARS 16u  /* raw words of the scalars in their order, low word first */
#define LAD_W_BITMAP 64u   /* a bit for each workgroup by its flat index, modulo the bits there are */
#define LAD_W_BITMAP_WORDS 128u
#define LAD_W_WORDS 192u   /* words of a slot; dispatch k of a case uses slot k * LAD_W_WORDS */
