/* SPDX-License-Identifier: Apache-2.0 */
/* The linear layers of small encoders. */

#include <math.h>

#include "math/vec.h"
#include "peft/virtual.h"

void
peft_layer(struct peft_cpu *cpu, const struct peft_param *w,
    const struct peft_param *b, const float *x, size_t n, float *y)
{
	size_t out = w->shape[0], in = w->shape[1], i;

	peft_gemm(cpu, PEFT_N, PEFT_T, n, out, in, 1, x, in, w->value, in, 0,
	    y, out);
	for (i = 0; i < n; i++)
		peft_cpu_vec(cpu)->add(y + i * out, b->value, out);
}

void
peft_layer_back(struct peft_cpu *cpu, const struct peft_param *w,
    const struct peft_param *b, const float *x, size_t n, const float *dy,
    float *dx)
{
	size_t out = w->shape[0], in = w->shape[1], i;

	peft_gemm(cpu, PEFT_T, PEFT_N, out, in, n, 1, dy, out, x, in, 1,
	    w->grad, in);
	for (i = 0; i < n; i++)
		peft_cpu_vec(cpu)->add(b->grad, dy + i * out, out);
	if (dx != NULL)
		peft_gemm(cpu, PEFT_N, PEFT_N, n, in, out, 1, dy, out,
		    w->value, in, 0, dx, in);
}

void
peft_layer_init(struct peft_rng rng, size_t in, float *value, size_t n)
{
	peft_init_uniform(rng, value, n, 1 / sqrt((double)in));
}
