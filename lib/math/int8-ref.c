/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products as plain loops; and the list of all kernels. */

#include <math.h>
#include <stdint.h>

#include "math/int8.h"

#define LANES	8
#define PER	4
#define OFFSET	0

#include "math/int8-pack.inc"

static int32_t
sum_at(const int8_t *a, const int8_t *panel, size_t k, size_t j)
{
	int32_t sum = 0;
	size_t i;

	for (i = 0; i < k; i++)
		sum += a[i] * panel[(i / PER * PEFT_PANEL + j) * PER +
		    i % PER];
	return sum;
}

static void
block(const struct peft_block *b)
{
	size_t i, j;

	for (i = 0; i < b->m; i++)
		for (j = 0; j < b->n; j++) {
			const int8_t *p = (const int8_t *)b->b +
			    j / PEFT_PANEL * b->ldb;
			const float *tail = (const float *)(const void *)(p +
			    b->k * PEFT_PANEL);
			float s = b->scale[i] * tail[j % PEFT_PANEL];
			float *c = &b->c[i * b->ldc + j];
			float sum = (float)sum_at((const int8_t *)b->a + i *
			    b->lda, p, b->k, j % PEFT_PANEL);

			*c = b->add ? fmaf(sum, s, *c) : sum * s;
		}
}

static bool
here(void)
{
	return true;
}

const struct peft_panel_int8 peft_int8_ref = { "plain", here, sizeof(element),
	block, rows, cols, quantise };

const struct peft_panel_int8 *const peft_int8_kernels[] = { &peft_int8_amx,
	&peft_int8_avx512vnni, &peft_int8_avx512, &peft_int8_avxvnni,
	&peft_int8_avx2, &peft_int8_ref, NULL };
