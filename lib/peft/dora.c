/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DoRA: LoRA whose output is scaled, row by row of the weight, to a trained
 * magnitude.
 *
 * |W + s B A|^2 of a row o is |W_o|^2 + 2 s B_o (A W_o) + s^2 B_o (A A^T) B_o:
 * the first does not change, the second costs one product of r rows with the
 * weight, so that the norms cost little beside the tokens of a micro-batch.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/dora.h"
#include "peft/rows.h"

size_t
peft_dora_memory(const void *self)
{
	const struct peft_module *m = self;
	size_t r = m->rank, out = m->site->out;

	return sizeof(struct peft_dora) + (4 * out + r * out + r * r +
	    peft_residual_room(m)) * sizeof(float);
}

int
peft_dora_open(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct peft_dora *d = peft_calloc(1, peft_dora_memory(m), err);
	size_t out = m->site->out;

	if ((m->state = d) == NULL)
		return -1;
	d->low = (struct peft_lowrank){ m->param[PEFT_LORA_A]->value,
	    m->param[PEFT_LORA_B]->value, m->param[PEFT_LORA_A]->grad,
	    m->param[PEFT_LORA_B]->grad, NULL };
	d->norm2 = (float *)(d + 1);
	d->scale = d->norm2 + out;
	d->back = d->scale + out;
	d->inverse = d->back + out;
	d->wa = d->inverse + out;
	d->aa = d->wa + m->rank * out;
	return peft_is_residual(m) ? peft_residual_find(m, base, d->aa +
	    m->rank * m->rank, &d->began, err) : 0;
}

const struct peft_residual *
peft_dora_began(const struct peft_module *m)
{
	const struct peft_dora *d = m->state;

	return &d->began;
}

int
peft_dora_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	size_t out = m->site->out, i;
	struct peft_dora *d;
	float *row;

	if (peft_dora_open(m, base, err) == -1)
		return -1;
	d = m->state;
	if (base == NULL)
		return 0;
	if ((row = peft_calloc(m->site->in, sizeof(*row), err)) == NULL)
		return -1;
	for (i = 0; i < out; i++) {
		if (base->get(base->ctx, i, 1, row, err) == -1) {
			free(row);
			return -1;
		}
		if (d->began.a != NULL)
			peft_residual_row(m, &d->began, i, 1, row);
		d->norm2[i] = (float)peft_vec_best()->sumsq(row, m->site->in);
	}
	free(row);
	return 0;
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;
	size_t low = peft_lowrank_scratch(m, T);

	return low > T * m->rank ? low : T * m->rank;
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * (m->rank + m->site->out);	/* h, and y before scaling */
}

/* B_o (A W_o) and B_o (A A^T) B_o make the norm. */
void
peft_dora_scales(const struct peft_module *m)
{
	struct peft_dora *d = m->state;
	size_t r = m->rank, out = m->site->out, o, j, k;
	float s = m->scale;

	for (o = 0; o < out; o++) {
		const float *b = d->low.b + o * r;
		double cross = 0, square = 0, n;

		for (j = 0; j < r; j++) {
			double ab = 0;

			cross += (double)b[j] * d->wa[j * out + o];
			for (k = 0; k < r; k++)
				ab += (double)d->aa[j * r + k] * b[k];
			square += b[j] * ab;
		}
		n = d->norm2[o] + 2 * s * cross + (double)s * s * square;
		n = sqrt(n > 0 ? n : 0);
		d->inverse[o] = n > 0 ? (float)(1 / n) : 0;
		d->scale[o] = m->param[PEFT_LORA_MAGNITUDE]->value[o] *
		    d->inverse[o];
		d->back[o] = m->weight == 1 ? d->scale[o] :
		    1 + m->weight * (d->scale[o] - 1);
	}
}

/* A (W - s B0 A0)^T = A W^T - s (A A0^T) B0^T, given the first; aa is
 * room. */
static void
less_residual(const struct peft_module *m, struct peft_cpu *cpu,
    struct peft_dora *d)
{
	size_t r = m->rank, in = m->site->in, out = m->site->out;

	peft_gemm(cpu, PEFT_N, PEFT_T, r, r, in, 1, d->low.a, in, d->began.a,
	    in, 0, d->aa, r);
	peft_gemm(cpu, PEFT_N, PEFT_T, r, out, r, -m->scale, d->aa, r,
	    d->began.b, r, 1, d->wa, out);
}

/* Those of A, times the weight. */
size_t
peft_dora_rows(const void *self)
{
	return ((const struct peft_module *)self)->rank;
}

/* Without a processor a merge is being prepared, for which it is done. */
void
peft_dora_begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	struct peft_dora *d = m->state;
	size_t r = m->rank, in = m->site->in, out = m->site->out;

	if (cpu == NULL || !peft_module_stale(m))
		return;
	peft_site_product(cpu, m->site, d->low.a, in, r, d->wa, out, product);
	if (d->began.a != NULL)
		less_residual(m, cpu, d);
	peft_gemm(cpu, PEFT_N, PEFT_T, r, r, in, 1, d->low.a, in, d->low.a,
	    in, 0, d->aa, r);
	peft_dora_scales(m);
}

/* z = (1 - a) x + a (g (y - b) + b): x is the base's output, y that with the
 * low-rank part, a the adapter's weight.  y - b is kept for the magnitude's
 * gradient, which only weight 1 has. */
static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct peft_module whole = *(struct peft_module *)self;
	const struct peft_dora *d = whole.state;
	const struct peft_vec *v = peft_cpu_vec(c->cpu);
	size_t out = whole.site->out, t;
	float *keep = c->saved + c->T * whole.rank, a = whole.weight;
	struct peft_rows_times r = { .T = c->T, .n = out, .w = d->scale,
	    .b = whole.site->b, .x = y, .ldx = ldy, .y = y, .ldy = ldy,
	    .keep = a == 1 ? keep : NULL };

	whole.weight = 1;
	for (t = 0; a != 1 && t < c->T; t++)
		memcpy(keep + t * out, y + t * ldy, out * sizeof(*keep));
	if (d->began.a != NULL)
		peft_residual_less(&whole, c->cpu, &d->began, 1, c->T, c->x,
		    c->ldx, c->scratch, y, ldy);
	peft_lowrank_forward(&whole, c, y, ldy);
	peft_rows_times(c->cpu, &r);
	for (t = 0; a != 1 && t < c->T; t++) {
		v->scale(y + t * ldy, a, out);
		v->axpy(y + t * ldy, 1 - a, keep + t * out, out);
	}
}

/* The magnitude's gradient, and the output's on its way in.  (In part it is
 * frozen, beneath another.) */
static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	const struct peft_module *m = self;
	const struct peft_dora *d = m->state;
	const struct peft_vec *v = peft_cpu_vec(c->cpu);
	size_t out = m->site->out, t;
	float *sum = c->scratch, *keep = c->saved + c->T * m->rank;
	bool learns = m->train && m->weight == 1;
	struct peft_rows_back r = { .T = c->T, .n = out, .w = d->back,
	    .v = keep, .ldv = out, .g = learns ? sum : NULL, .dy = dy,
	    .lddy = lddy, .dx = dy, .lddx = lddy };

	for (t = 0; m->weight != 1 && t < c->T; t++, keep += out) {
		v->mul(keep, dy + t * lddy, d->scale, out);
		v->scale(keep, m->weight, out);
	}
	memset(sum, 0, out * sizeof(*sum));
	peft_rows_back(c->cpu, &r);
	if (learns)
		v->muladd(m->param[PEFT_LORA_MAGNITUDE]->grad, sum,
		    d->inverse, out);
}

/* Weighted, the low rank's own gradient is what output_back() kept. */
static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct peft_module whole = *(struct peft_module *)self;
	const struct peft_dora *d = whole.state;

	if (whole.weight != 1) {
		dy = c->saved + c->T * whole.rank;
		lddy = whole.site->out;
	}
	whole.weight = 1;
	peft_lowrank_backward(&whole, c, dy, lddy, dx, lddx);
	if (dx != NULL && d->began.a != NULL)
		peft_residual_back(&whole, c->cpu, &d->began, 1, c->T, dy,
		    lddy, c->scratch, dx, lddx);
}

/* Weighted, it wants the base's output by itself. */
static bool
thin(const void *self, const struct peft_hook_call *c, struct peft_thin *w)
{
	const struct peft_module *m = self;
	bool is = peft_lowrank_thin(self, c, w) && (c == NULL ||
	    m->weight == 1);

	w->alone = false;		/* what comes of it is scaled */
	return is;
}

const struct peft_hook_ops peft_dora_hook = {
	.memory = peft_dora_memory, .reads = peft_hook_always,
	.begin = peft_dora_begin, .rows = peft_dora_rows, .saved = saved,
	.scratch = scratch, .forward = forward, .backward = backward,
	.output_back = output_back, .thin = thin,
};

/* |W_i + s B_i A|, or |W_i - s B0_i A0 + s B_i A| */
static double
norm_of(const struct peft_module *m, size_t i, const float *row)
{
	const struct peft_dora *d = m->state;
	size_t in = m->site->in, r = m->rank, j, k;
	const float *b = d->low.b + i * r;
	double norm = 0, sum;

	for (j = 0; j < in; j++) {
		for (sum = 0, k = 0; k < r; k++)
			sum += (double)b[k] * d->low.a[k * in + j];
		for (k = 0; d->began.a != NULL && k < r; k++)
			sum -= (double)d->began.b[i * r + k] *
			    d->began.a[k * in + j];
		sum = row[j] + m->scale * sum;
		norm += sum * sum;
	}
	return sqrt(norm);
}

int
peft_dora_merge(const struct peft_module *m, size_t first, size_t n,
    float weight, float *rows)
{
	const struct peft_dora *d = m->state;
	size_t in = m->site->in, r = m->rank, i;
	float *row = rows;

	for (i = first; i < first + n; i++, row += in) {
		double norm = norm_of(m, i, row);
		float g = norm > 0 ?
		    (float)(m->param[PEFT_LORA_MAGNITUDE]->value[i] / norm) :
		    0;

		/* (1 - a) W + a g (W + s B A): scaled, then the update */
		peft_vec_best()->scale(row, 1 - weight + weight * g, in);
		if (d->began.a != NULL)
			peft_residual_row(m, &d->began, i, weight * g, row);
		peft_lowrank_row(d->low.b + i * r, d->low.a, r, in,
		    weight * g * m->scale, row);
	}
	return 0;
}

void
peft_dora_norms(const struct peft_module *m, float *w, float *norm)
{
	const float *a = m->param[PEFT_LORA_A]->value;
	size_t in = m->site->in, r = m->rank, o;

	for (o = 0; o < m->site->out; o++, w += in) {
		peft_lowrank_row(m->param[PEFT_LORA_B]->value + o * r, a, r,
		    in, m->scale, w);
		norm[o] = (float)sqrt(peft_vec_best()->sumsq(w, in));
	}
}
