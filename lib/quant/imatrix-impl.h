/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_IMATRIX_IMPL_H
#define PEFT_QUANT_IMATRIX_IMPL_H

#include <string.h>

#include "quant/imatrix.h"

/* What the readers of the two forms share (imatrix.c, imatrix-old.c). */

/* A new last entry of n values, its name copied; NULL with *err set. */
struct peft_importance *peft_imatrix_add(struct peft_imatrix *, size_t *cap,
	    const char *name, size_t len, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Its means are what means may be. */
int	peft_imatrix_check(const struct peft_importance *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* What it is of. */
int	peft_imatrix_name(struct peft_imatrix *, const char *, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;

int	peft_imatrix_take_old(struct peft_imatrix *, const uint8_t *,
	    size_t, struct peft_err *) PEFT_MUSTCHECK;

static inline float
f32_at(const uint8_t *p, size_t i)
{
	float v;

	memcpy(&v, p + 4 * i, sizeof(v));
	return v;
}

#endif
