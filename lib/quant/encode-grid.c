/* SPDX-License-Identifier: Apache-2.0 */
/* ggml's IQ2 and IQ3 types: blocks of 256.  Layouts: see decode-iq.inc. */

#include <string.h>

#include "quant/encode.h"
#include "quant/encode-points.h"

static const struct peft_points iq2_xxs = { &peft_grid_iq2_xxs,
	32, 3, 6, 0.1f, true, true, PEFT_ALWAYS, 1e-15f };
static const struct peft_points iq2_xs = { &peft_grid_iq2_xs,
	16, 3, 9, 0.1f, true, false, PEFT_OFF_GRID, 1e-15f };
static const struct peft_points iq2_s = { &peft_grid_iq2_s,
	16, 3, 9, 0.1f, false, false, PEFT_OFF_GRID, 1e-8f };
static const struct peft_points iq3_xxs = { &peft_grid_iq3_xxs,
	32, 8, 15, 0.2f, true, false, PEFT_OFF_GRID, 1e-8f };
static const struct peft_points iq3_s = { &peft_grid_iq3_s,
	32, 8, 9, 0.2f, false, false, PEFT_IF_ANY, 0x1p-149f };

/* A block of 256, fitted. */
struct block {
	float	 scale[16], most;
	uint8_t	 signs[32];
	uint16_t points[64];
	uint8_t	 codes[16];		/* of scales, in units of most / 31 */
};

/* w: importances, or NULL: then distances weigh as `plain' says. */
static void
fit_block(const struct peft_points *k, struct peft_lattice *lattice,
    const float *x, const float *w, float twice, float plain,
    struct block *b)
{
	float own[256], square = 0, inverse;
	size_t i, j, n = 256 / k->n, np = k->n / (size_t)k->grid->dims;

	for (i = 0; i < 256; i++)
		square += x[i] * x[i];
	square = twice * square / 256;
	if (w != NULL)
		peft_weights(x, w, 256, square, own);
	for (i = 0; w == NULL && i < 256; i++)
		own[i] = plain * square + x[i] * x[i];
	b->most = 0;
	for (j = 0; j < n; j++) {
		b->scale[j] = peft_fit_points(k, lattice, x + j * k->n,
		    own + j * k->n, b->signs + j * k->n / 8, b->points +
		    j * np);
		b->most = b->scale[j] > b->most ? b->scale[j] : b->most;
	}
	inverse = 1 / (b->most / 31);
	for (j = 0; j < n; j++)
		b->codes[j] = (uint8_t)peft_clamp(peft_nearest(0.5f *
		    (inverse * b->scale[j] - 1)), 0, 15);
}

static void
put32(uint8_t *p, uint32_t v)
{
	peft_store16(p, (uint16_t)v);
	peft_store16(p + 2, (uint16_t)(v >> 16));
}

static uint32_t
signs28(const struct block *f, size_t j)
{
	const uint8_t *s = f->signs + 4 * j;

	return (uint32_t)s[0] | (uint32_t)s[1] << 7 | (uint32_t)s[2] << 14 |
	    (uint32_t)s[3] << 21 | (uint32_t)f->codes[j] << 28;
}

void
peft_weigh_iq2_xxs(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	struct block f;
	size_t i, j;

	for (; n > 0; n -= 256, x += 256, w += 256, b += 66) {
		fit_block(&iq2_xxs, l, x, w, 1, 0, &f);
		memset(b, 0, 66);
		if (f.most == 0)
			continue;
		peft_put_half(b, f.most / 31);
		for (j = 0; j < 8; j++) {
			for (i = 0; i < 4; i++)
				b[2 + 8 * j + i] = (uint8_t)f.points[4 * j + i];
			put32(b + 2 + 8 * j + 4, signs28(&f, j));
		}
	}
}

void
peft_weigh_iq2_xs(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	struct block f;
	size_t i;

	for (; n > 0; n -= 256, x += 256, w += 256, b += 74) {
		fit_block(&iq2_xs, l, x, w, 1, 0, &f);
		memset(b, 0, 74);
		if (f.most == 0)
			continue;
		peft_put_half(b, f.most / 31);
		for (i = 0; i < 32; i++)
			peft_store16(b + 2 + 2 * i, (uint16_t)(f.points[i] |
			    f.signs[i] << 9));
		for (i = 0; i < 8; i++)
			b[66 + i] = (uint8_t)(f.codes[2 * i] |
			    f.codes[2 * i + 1] << 4);
	}
}

void
peft_weigh_iq2_s(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	struct block f;
	size_t i;

	for (; n > 0; n -= 256, x += 256, b += 82) {
		fit_block(&iq2_s, l, x, w, 2, 0.25f, &f);
		w = w == NULL ? NULL : w + 256;
		memset(b, 0, 82);
		for (i = 0; i < 32; i++) {
			b[2 + i] = (uint8_t)f.points[i];
			b[34 + i] = f.signs[i];
			b[66 + i / 4] |= (uint8_t)(f.points[i] >> 8 <<
			    2 * (i % 4));
		}
		if (f.most == 0)
			continue;
		peft_put_half(b, f.most / 31 * 0.9875f);
		for (i = 0; i < 8; i++)
			b[74 + i] = (uint8_t)(f.codes[2 * i] |
			    f.codes[2 * i + 1] << 4);
	}
}

void
peft_weigh_iq3_xxs(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	struct block f;
	size_t i;

	for (; n > 0; n -= 256, x += 256, b += 98) {
		fit_block(&iq3_xxs, l, x, w, 2, 0, &f);
		w = w == NULL ? NULL : w + 256;
		memset(b, 0, 98);
		if (f.most == 0)
			continue;
		peft_put_half(b, f.most / 31 * 1.0125f);
		for (i = 0; i < 64; i++)
			b[2 + i] = (uint8_t)f.points[i];
		for (i = 0; i < 8; i++)
			put32(b + 66 + 4 * i, signs28(&f, i));
	}
}

/* (Where a group of a block holds nothing but zeros, and another one does not,
 * ggml has the points and signs of those behind it in its place, which reads
 * as other weights.  Here they are where readers look for them.) */
void
peft_weigh_iq3_s(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	struct block f;
	size_t i;

	for (; n > 0; n -= 256, x += 256, b += 110) {
		fit_block(&iq3_s, l, x, w, 2, 0, &f);
		w = w == NULL ? NULL : w + 256;
		memset(b, 0, 110);
		for (i = 0; i < 64; i++) {
			b[2 + i] = (uint8_t)f.points[i];
			b[66 + i / 8] |= (uint8_t)(f.points[i] >> 8 << i % 8);
		}
		memcpy(b + 74, f.signs, 32);
		if (f.most == 0)
			continue;
		peft_put_half(b, f.most / 31 * 1.033f);
		for (i = 0; i < 4; i++)
			b[106 + i] = (uint8_t)(f.codes[2 * i] |
			    f.codes[2 * i + 1] << 4);
	}
}
