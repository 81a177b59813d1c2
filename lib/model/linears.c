/* SPDX-License-Identifier: Apache-2.0 */
/* Linears that share their input, with biases and adapters. */

#include "model/net-impl.h"

void
peft_check_finite(struct peft_run *run, const char *where, const float *y,
    size_t ld, size_t n)
{
	size_t t;

	if (!run->checking || run->bad != NULL)
		return;
	for (t = 0; t < run->T; t++)
		if (run->vec->nonfinite(y + t * ld, n)) {
			run->bad = where;
			return;
		}
}

/* A weight stored [in, out] is multiplied as the gradient of one stored
 * [out, in] is, and its gradient as that one is. */
void
peft_linears(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx,
    const struct peft_product *p, size_t n)
{
	struct peft_cpu *cpu = run->net->cpu;
	struct peft_product back = { p->w, (float *)(uintptr_t)x, ldx };
	size_t i;

	if (lin->site->transposed)
		peft_product_backward(cpu, p->y, p->ldy, run->T, &back, 1,
		    false, run->product);
	else
		peft_product_forward(cpu, x, ldx, run->T, p, n, run->product);
	for (i = 0; i < n; i++) {
		size_t out = lin[i].site->out;

		if (lin[i].bias != NULL)
			peft_op_bias(run, p[i].y, p[i].ldy, lin[i].bias, out,
			    run->T);
		peft_hooks_forward(run, lin[i].site, run->ranges, run->nranges,
		    run->ident, x, ldx, p[i].y, p[i].ldy, saved[i]);
		peft_check_finite(run, lin[i].site->path, p[i].y, p[i].ldy,
		    out);
	}
}

void
peft_linears_back(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx, float *dx,
    const struct peft_product *dy, size_t n)
{
	struct peft_cpu *cpu = run->net->cpu;
	struct peft_product forth = { dy->w, dx, ldx };
	size_t i;

	if (dx != NULL && lin->site->transposed)
		peft_product_forward(cpu, dy->y, dy->ldy, run->T, &forth, 1,
		    run->product);
	else if (dx != NULL)
		peft_product_backward(cpu, dx, ldx, run->T, dy, n, false,
		    run->product);
	for (i = 0; i < n; i++)
		peft_hooks_backward(run, lin[i].site, run->ranges,
		    run->nranges, run->ident, x, ldx, dy[i].y, dy[i].ldy, dx,
		    ldx, saved[i]);
}
