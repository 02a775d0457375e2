/* SPDX-License-Identifier: Apache-2.0 */
/* What a .k file need not say; it replaces one of these after #undef. BUFFERS and SCALARS have no default. */
#define LOCALS(L)   /* L(type, name, n): a workgroup-local array of fixed length */
#define DYNAMIC(D)  /* D(type, name): one workgroup-local array whose length is given at dispatch */
#define NEEDS ""    /* blank-separated capabilities */
