/* SPDX-License-Identifier: Apache-2.0 */
/* Types whose scales are apart from the codes, and all types alike. */

#include <math.h>

#include "quant/fast.h"
#include "quant/quant.h"

bool
peft_is_coded(enum peft_dtype t)
{
	return t == PEFT_NF4 || t == PEFT_FP4 || t == PEFT_INT8 ||
	    t == PEFT_F8G_E4M3;
}

/* The largest number of E4M3. */
static const float f8_max = 448;

int
peft_encode_fp8(const float *src, size_t rows, size_t cols, size_t edge,
    uint8_t *dst, float *scales, struct peft_err *err)
{
	const struct peft_fast *fast = peft_fast();
	size_t r0, c, r, nr, nc;

	for (r0 = 0; r0 < rows; r0 += edge)
		for (c = 0; c < cols; c += edge) {
			float most = 0, m;

			nr = rows - r0 < edge ? rows - r0 : edge;
			nc = cols - c < edge ? cols - c : edge;
			for (r = r0; r < r0 + nr; r++) {
				m = fast->most(src + r * cols + c, nc);
				most = m > most ? m : most;
			}
			if (isinf(most))
				return peft_setfail(err, PEFT_NUMERIC,
				    "a value is not finite");
			/* a scale that is denormal has no inverse */
			most = most > 0x1p-110f ? most / f8_max : 1;
			*scales++ = most;
			for (r = r0; r < r0 + nr; r++)
				fast->f8(src + r * cols + c, nc, 1 / most,
				    dst + r * cols + c);
		}
	return 0;
}

static size_t
gcd(size_t a, size_t b)
{
	return b == 0 ? a : gcd(b, a % b);
}

size_t
peft_encode_step(enum peft_dtype t, size_t blocksize, size_t cols)
{
	if (t == PEFT_F8G_E4M3)
		return blocksize;
	return t == PEFT_NF4 || t == PEFT_FP4 ? blocksize / gcd(blocksize,
	    cols) : 1;
}

int
peft_encode_weight(struct peft_weight *w, const float *x, bool last,
    uint8_t *bytes, float *scales, struct peft_err *err)
{
	struct peft_scales *sc = &w->scales;
	size_t b = sc->blocksize;

	w->data = bytes;
	w->nelem = w->rows * w->cols;
	if (!peft_is_coded(w->dtype)) {
		sc->blocksize = 0;
		return peft_encode(w->dtype, x, w->nelem, bytes, err);
	}
	sc->absmax = scales;
	if (w->dtype == PEFT_INT8) {
		sc->blocksize = 0;
		sc->nabsmax = w->rows;
		return peft_encode_int8(x, w->rows, w->cols, (int8_t *)bytes,
		    scales, err);
	}
	if (w->dtype == PEFT_F8G_E4M3) {
		*sc = (struct peft_scales){ .absmax = scales, .group = b,
		    .group_rows = b, .ngroups = (w->cols + b - 1) / b,
		    .stride = w->cols, .bits = 8 };
		sc->nabsmax = (w->rows + b - 1) / b * sc->ngroups;
		return peft_encode_fp8(x, w->rows, w->cols, b, bytes, scales,
		    err);
	}
	sc->nabsmax = (w->nelem + b - 1) / b;
	return peft_encode_4bit(w->dtype, x, w->nelem, b, last, bytes, scales,
	    err);
}
