/* SPDX-License-Identifier: Apache-2.0 */
/* What the panel kernels mean, as plain loops with sums in double. */

#include <string.h>

#include "base/half.h"
#include "math/panel.h"

/* Element k of panel column j. */
static size_t
at32(size_t k, size_t j)
{
	return k * PEFT_PANEL + j;
}

static size_t
at16(size_t k, size_t j)
{
	return k / 2 * 2 * PEFT_PANEL + 2 * j + k % 2;
}

static void
put(const struct peft_block *b, size_t i, size_t j, double sum)
{
	float *c = &b->c[i * b->ldc + j];

	*c = (float)(b->add ? *c + sum : sum);
}

static void
f32_block(const struct peft_block *b)
{
	size_t i, j, k;

	for (i = 0; i < b->m; i++)
		for (j = 0; j < b->n; j++) {
			const float *a = (const float *)b->a + i * b->lda;
			const float *p = (const float *)b->b +
			    j / PEFT_PANEL * b->ldb;
			double sum = 0;

			for (k = 0; k < b->k; k++)
				sum += (double)a[k] *
				    (double)p[at32(k, j % PEFT_PANEL)];
			put(b, i, j, sum);
		}
}

static double
outer_b(const struct peft_outer *o, size_t k, size_t j)
{
	size_t at = k * o->ldb + j;

	return (double)(o->halves != NULL ? peft_from_bf16(o->halves[at]) :
	    o->b[at]);
}

static void
f32_outer(const struct peft_outer *o)
{
	size_t i, j, k;

	for (i = 0; i < o->m; i++)
		for (j = 0; j < o->n; j++) {
			double sum = 0;

			for (k = 0; k < o->k; k++)
				sum += (double)o->a[k * o->lda + i] *
				    outer_b(o, k, j);
			o->c[i * o->ldc + j] += (float)((double)o->scale *
			    sum);
		}
}

static void
bf16_block(const struct peft_block *b)
{
	size_t i, j, k;

	for (i = 0; i < b->m; i++)
		for (j = 0; j < b->n; j++) {
			const uint16_t *a = (const uint16_t *)b->a +
			    i * b->lda;
			const uint16_t *p = (const uint16_t *)b->b +
			    j / PEFT_PANEL * b->ldb;
			double sum = 0;

			for (k = 0; k < b->k; k++)
				sum += (double)peft_from_bf16(a[k]) *
				    (double)peft_from_bf16(p[at16(k,
				    j % PEFT_PANEL)]);
			put(b, i, j, sum);
		}
}

static void
f32_rows(const float *src, size_t ld, size_t n, size_t k, float *panel)
{
	size_t i, j;

	for (j = 0; j < PEFT_PANEL; j++)
		for (i = 0; i < k; i++)
			panel[at32(i, j)] = j < n ? src[j * ld + i] : 0;
}

static void
f32_cols(const float *src, size_t ld, size_t k, size_t n, float *panel)
{
	size_t i, j;

	for (i = 0; i < k; i++)
		for (j = 0; j < PEFT_PANEL; j++)
			panel[at32(i, j)] = j < n ? src[i * ld + j] : 0;
}

static void
f32_rows16(const uint16_t *src, size_t ld, size_t n, size_t k, float *panel)
{
	size_t i, j;

	for (j = 0; j < PEFT_PANEL; j++)
		for (i = 0; i < k; i++)
			panel[at32(i, j)] = j < n ?
			    peft_from_bf16(src[j * ld + i]) : 0;
}

static void
f32_cols16(const uint16_t *src, size_t ld, size_t k, size_t n, float *panel)
{
	size_t i, j;

	for (i = 0; i < k; i++)
		for (j = 0; j < PEFT_PANEL; j++)
			panel[at32(i, j)] = j < n ?
			    peft_from_bf16(src[i * ld + j]) : 0;
}

static void
f32_trim(float *dst, const float *src, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = peft_from_bf16(peft_to_bf16(src[i]));
}

/* k rounded up to what panels of bf16 have. */
static size_t
deep(size_t k)
{
	return (k + PEFT_KSTEP - 1) / PEFT_KSTEP * PEFT_KSTEP;
}

static void
bf16_rows(const float *src, size_t ld, size_t n, size_t k, uint16_t *panel)
{
	size_t i, j;

	for (i = 0; i < deep(k); i++)
		for (j = 0; j < PEFT_PANEL; j++)
			panel[at16(i, j)] = i < k && j < n ?
			    peft_to_bf16(src[j * ld + i]) : 0;
}

static void
bf16_cols(const float *src, size_t ld, size_t k, size_t n, uint16_t *panel)
{
	size_t i, j;

	for (i = 0; i < deep(k); i++)
		for (j = 0; j < PEFT_PANEL; j++)
			panel[at16(i, j)] = i < k && j < n ?
			    peft_to_bf16(src[i * ld + j]) : 0;
}

static void
bf16_rows16(const uint16_t *src, size_t ld, size_t n, size_t k,
    uint16_t *panel)
{
	size_t i, j;

	for (i = 0; i < deep(k); i++)
		for (j = 0; j < PEFT_PANEL; j++)
			panel[at16(i, j)] = i < k && j < n ?
			    src[j * ld + i] : 0;
}

static void
bf16_cols16(const uint16_t *src, size_t ld, size_t k, size_t n,
    uint16_t *panel)
{
	size_t i, j;

	for (i = 0; i < deep(k); i++)
		for (j = 0; j < PEFT_PANEL; j++)
			panel[at16(i, j)] = i < k && j < n ?
			    src[i * ld + j] : 0;
}

static void
bf16_round(uint16_t *dst, const float *src, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = peft_to_bf16(src[i]);
	for (; i < deep(n); i++)
		dst[i] = 0;
}

const struct peft_panel_f32 peft_panel_f32_ref = { f32_block, f32_outer,
	f32_rows, f32_cols, f32_rows16, f32_cols16, f32_trim, bf16_round };
const struct peft_panel_bf16 peft_panel_bf16_ref = { "plain", bf16_block,
	bf16_rows, bf16_cols, bf16_rows16, bf16_cols16, bf16_round };
