/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_ENCODE_H
#define PEFT_QUANT_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/half.h"

/*
 * Encoders of n finite values, whole blocks, that make the bytes which ggml's
 * quantisers make without an importance matrix.  That rests on the order of
 * every float operation: what looks as if it could be simplified cannot.
 */
typedef void	peft_encoder(const float *x, size_t n, uint8_t *dst);

peft_encoder	peft_encode_q2_k, peft_encode_q3_k, peft_encode_q4_k,
		peft_encode_q5_k, peft_encode_q6_k, peft_encode_iq4_nl,
		peft_encode_iq4_xs, peft_encode_mxfp4, peft_encode_tq1_0,
		peft_encode_tq2_0;

/* Groups whose magnitudes are all below it count as zero. */
#define PEFT_FIT_ZERO	1e-15f

/* The nearest integer, ties to even, read off the bits of a sum in which
 * units are the last place.  Beyond 2^22 (and for what is no number) it is
 * what ggml gets. */
static inline int
peft_nearest(float v)
{
	return (int)(peft_f32_bits(v + 0x1.8p23f) & 0x7fffffu) - 0x400000;
}

static inline int
peft_clamp(int v, int least, int most)
{
	return v < least ? least : v > most ? most : v;
}

/* How scale and offset of a group are searched for: as if the highest code
 * were most + first + i/10, for i from 0 to steps. */
struct peft_fit {
	size_t	 n;			/* values to a group, at most 32 */
	int	 most;			/* the highest code */
	float	 first;
	int	 steps;
	bool	 absolute;		/* weigh distances, not squares */
};

/*
 * Fits eight groups that follow each other; one row a processor path, and the
 * same bits from each (one lane a group, so that sums keep their order).
 */
struct peft_fits {
	/* x is about scale * q - offset, with offset >= 0. */
	void	(*offset)(const struct peft_fit *, const float *x, uint8_t *q,
		    float scale[8], float offset[8]);
	/* Groups of 16: x is about scale * (q - most), q < 2 * most, weighed
	 * by x^2. */
	void	(*centred)(const float x[128], int most, uint8_t q[128],
		    float scale[8]);
};

extern const struct peft_fits peft_fits_ref, peft_fits_avx2;

/* One group of 16 as .centred, for most = 4, code by code (Q3_K). */
float	peft_fit_codes(const float x[16], uint8_t q[16]);

#endif
