/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_ENCODE_H
#define PEFT_QUANT_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/half.h"
#include "quant/lattice.h"
#include "tensor/dtype.h"

/*
 * Encoders of n finite values, whole blocks, that make the bytes which ggml's
 * quantisers make without an importance matrix.  That rests on the order of
 * every float operation: what looks as if it could be simplified cannot.
 */
typedef void	peft_encoder(const float *x, size_t n, uint8_t *dst);

peft_encoder	peft_encode_q2_k, peft_encode_q3_k, peft_encode_q4_k,
		peft_encode_q5_k, peft_encode_q6_k, peft_encode_iq4_nl,
		peft_encode_iq4_xs, peft_encode_tq1_0, peft_encode_tq2_0;

/* Those that need no search; one row a processor path, and the same bytes
 * from each.  check counts what is not finite, and what is limit or more in
 * magnitude (that as well). */
struct peft_plain {
	void	(*check)(const float *x, size_t n, float limit, size_t *bad,
		    size_t *big);
	peft_encoder *encode[PEFT_NDTYPE];	/* NULL: not of these */
};

extern const struct peft_plain peft_plain_ref, peft_plain_avx2;

/* The same of one row of n values with an importance matrix: w[n] is the mean
 * square of what each column is multiplied with. */
typedef void	peft_weigher(const float *x, const float *w, size_t n,
		    uint8_t *dst);

peft_weigher	peft_weigh_q4_0, peft_weigh_q4_1, peft_weigh_q5_0,
		peft_weigh_q5_1, peft_weigh_q2_k, peft_weigh_q3_k,
		peft_weigh_q4_k, peft_weigh_q5_k, peft_weigh_q6_k,
		peft_weigh_iq4_nl, peft_weigh_iq4_xs;

/* The types whose codes are points of a grid; the lattice is of it. */
typedef void	peft_gridder(struct peft_lattice *, const float *x,
		    const float *w, size_t n, uint8_t *dst);

peft_gridder	peft_weigh_iq1_s, peft_weigh_iq2_xxs, peft_weigh_iq2_xs;
/* These can do without: w may be NULL. */
peft_gridder	peft_weigh_iq1_m, peft_weigh_iq2_s, peft_weigh_iq3_xxs,
		peft_weigh_iq3_s;

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

/* What the distances of n values weigh: dst[i] = w[i] sqrt(square + x[i]^2),
 * square being the mean of their block or row. */
void	peft_weights(const float *x, const float *w, size_t n, float square,
	    float *dst);

/* How scale and offset of a group are searched for: as if the highest code
 * were most + first + i * step, for i from 0 to steps. */
struct peft_fit {
	size_t	 n;			/* values to a group, at most 32 */
	int	 most;			/* the highest code */
	float	 first, step;
	int	 steps;
	bool	 absolute;		/* weigh distances, not squares */
};

/*
 * Fits eight groups that follow each other; one row a processor path, and the
 * same bits from each (one lane a group, so that sums keep their order).
 * w is what the distance of each value weighs, NULL: by its own size.
 */
struct peft_fits {
	/* x is about scale * q - offset, with offset >= 0. */
	void	(*offset)(const struct peft_fit *, const float *x,
		    const float *w, uint8_t *q, float scale[8],
		    float offset[8]);
	/* Groups of n: x is about scale * (q - most), q < 2 * most. */
	void	(*centred)(const float *x, const float *w, size_t n, int most,
		    uint8_t *q, float scale[8]);
	/* Sixteen groups of 16 as .centred, for most = 4, code by code
	 * (Q3_K). */
	void	(*coded)(const float x[256], uint8_t q[256], float scale[16]);
	/* The codes of n values (a multiple of 8) anew, for a scale as it is
	 * stored: of (x + offset) / scale, from least to most, plus add.  A
	 * scale of zero leaves them as they are. */
	void	(*again)(const float *x, size_t n, float scale, float offset,
		    int least, int most, int add, uint8_t *q);
	/* Of the points near a code, the place in the list of the first one
	 * whose values, times scale, have the least distance from x[dims]. */
	size_t	(*nearest)(const struct peft_near *, size_t dims,
		    const float *x, const float *w, const float values[8],
		    float scale);
};

extern const struct peft_fits peft_fits_ref, peft_fits_avx2;

/* The row for this processor. */
static inline const struct peft_fits *
peft_fits(void)
{
	return __builtin_cpu_supports("avx2") ? &peft_fits_avx2 :
	    &peft_fits_ref;
}

/* One group as .centred, n <= 32. */
float	peft_fit_centred(const float *x, const float *w, size_t n, int most,
	    uint8_t *q);
/* x >= 0 is about scale * q, q <= most, n <= 32. */
float	peft_fit_above(const float *x, const float *w, size_t n, int most,
	    uint8_t *q);

/* Stores v as f16; returns it as it is read back. */
float	peft_put_half(uint8_t *p, float v);

/*
 * From codes to the bytes of blocks, and back; layouts: see decode.inc.
 */
/* Thirty-two: nibbles of the first and second half side by side; and the
 * fifth bits as one word. */
void	peft_pack_nibbles(const uint8_t q[32], uint8_t low[16]);
void	peft_pack_fifth(const uint8_t q[32], uint8_t high[4]);
/* 256: two bits of each, four to a byte, 32 apart. */
void	peft_pack2(const uint8_t q[restrict 256],
	    uint8_t b[restrict 64]);
/* 256: the upper bits (of q >> shift), eight to a byte, 32 apart. */
void	peft_pack1(const uint8_t q[restrict 256], int shift,
	    uint8_t b[restrict 32]);
/* 256: nibbles, those of two groups of 32 side by side. */
void	peft_pack4(const uint8_t q[restrict 256],
	    uint8_t b[restrict 128]);
/* 256 of Q6_K: nibbles, and the two bits above them. */
void	peft_pack6(const uint8_t q[restrict 256],
	    uint8_t low[restrict 128], uint8_t high[restrict 64]);
/* The scales of Q3_K; scales and offsets of Q4_K and Q5_K. */
void	peft_pack_scales3(const uint8_t s[16], uint8_t b[12]);
void	peft_pack_scales4(const uint8_t s[8], const uint8_t m[8],
	    uint8_t b[12]);

#endif
