/* SPDX-License-Identifier: Apache-2.0 */
/* A backend around another one, with the faults of a careless wrapper. */
#ifndef LAD_DECORATOR_H
#define LAD_DECORATOR_H

#include "../backend.h"
#include "inject.h"

/* The members that `inner` leaves out stay out. Valid until the next call; one device at a time. */
const struct lad_backend *lad_decorator(const struct lad_backend *inner, const struct lad_injection *);
uint64_t lad_decorator_hits(void); /* calls struck since the device was opened */

#endif
