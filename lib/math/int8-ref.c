/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products as plain loops; and the list of all kernels. */

#include <math.h>
#include <stdint.h>

#include "math/int8.h"

#define LANES	4
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

/* The element of row i and column j: part of k by part. */
static float
element_at(const struct peft_block *b, size_t i, size_t j, float c)
{
	const int8_t *a = (const int8_t *)b->a + i * b->lda;
	const int8_t *p = (const int8_t *)b->b + j / PEFT_PANEL * b->ldb;
	const float *sa = b->scale + i, *tail;
	size_t left, deep;

	for (left = b->k; left > 0; left -= deep, a += deep, sa += b->lds) {
		deep = left < PEFT_INT8_DEEP ? left : PEFT_INT8_DEEP;
		tail = (const float *)(const void *)(p + deep * PEFT_PANEL);
		c = fmaf((float)sum_at(a, p, deep, j % PEFT_PANEL),
		    *sa * tail[j % PEFT_PANEL], c);
		p += (deep + PEFT_INT8_TAIL) * PEFT_PANEL;
	}
	return c;
}

static void
block(const struct peft_block *b)
{
	size_t i, j;

	for (i = 0; i < b->m; i++)
		for (j = 0; j < b->n; j++) {
			float *c = &b->c[i * b->ldc + j];

			*c = element_at(b, i, j, b->add ? *c : 0);
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
