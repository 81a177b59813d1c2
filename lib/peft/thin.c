/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of low rank.  The few tokens that answers are made of are done here,
 * each alone; with bf16 the others go the way of the frozen weight's, in f32
 * BLAS does them.
 */

#include <string.h>

#include "math/panel.h"
#include "math/vec.h"
#include "peft/thin.h"
#include "quant/product.h"

/* What is less thin is no gain, and products have no scratch for it. */
enum { SLACK = 32 };

static bool
is_thin(const struct peft_thin *w)
{
	return w->r > 0 && w->r <= PEFT_LOWEST && w->r + SLACK <= w->in &&
	    w->r + SLACK <= w->out;
}

static bool
in_bf16(const struct peft_hook_call *c, const struct peft_thin *w)
{
	return peft_cpu_computes_dense(c->cpu) == PEFT_COMPUTE_BF16 &&
	    c->product != NULL && is_thin(w);
}

/* Without a call: for some.  The few tokens of answers are not for it. */
bool
peft_thin_beside(const struct peft_hook_call *c, const struct peft_thin *w)
{
	return is_thin(w) && (c == NULL || c->train ||
	    !peft_product_is_few(c->cpu, c->T));
}

/* dh, or h times s; db^T. */
size_t
peft_thin_scratch(const struct peft_module *m, size_t T)
{
	return T * m->rank + m->rank * m->site->out;
}

static struct peft_dense
a_of(const struct peft_thin *w)
{
	return (struct peft_dense){ w->a, w->r, w->in, w->in };
}

static struct peft_dense
b_of(const struct peft_thin *w)
{
	return (struct peft_dense){ w->b, w->out, w->r, w->r };
}

/* dst = s src, [rows, cols] to [cols, rows], of which there are few. */
static void
transpose(float *dst, const float *src, size_t rows, size_t cols, float s)
{
	size_t i, j;

	for (j = 0; j < cols; j++)
		for (i = 0; i < rows; i++)
			dst[j * rows + i] = s * src[i * cols + j];
}

/* b by columns, each of them for all tokens. */
static void
forward_few(const struct peft_hook_call *c, const struct peft_thin *w,
    const float *x, size_t ldx, float *y, size_t ldy)
{
	const struct peft_vec *v = peft_cpu_vec(c->cpu);
	float *b = c->scratch, *h = c->saved;
	size_t t, k;

	transpose(b, w->b, w->out, w->r, w->scale);
	for (t = 0; t < c->T; t++)
		for (k = 0; k < w->r; k++)
			h[t * w->r + k] = v->dot(x + t * ldx, w->a +
			    k * w->in, w->in);
	for (t = 0; t < c->T; t++)
		for (k = 0; k < w->r; k++)
			v->axpy(y + t * ldy, h[t * w->r + k], b + k * w->out,
			    w->out);
}

void
peft_thin_forward(const struct peft_hook_call *c,
    const struct peft_thin *w, const float *x, size_t ldx, float *y,
    size_t ldy)
{
	struct peft_dense a = a_of(w), b = b_of(w);
	size_t r = w->r, i;

	if (c->hidden != NULL)
		return;
	if (!c->train && peft_product_is_few(c->cpu, c->T)) {
		forward_few(c, w, x, ldx, y, ldy);
		return;
	}
	if (!in_bf16(c, w)) {
		peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, r, w->in, 1, x, ldx,
		    w->a, w->in, 0, c->saved, r);
		peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, w->out, r, w->scale,
		    c->saved, r, w->b, r, 1, y, ldy);
		return;
	}
	peft_dense_forward(c->cpu, x, ldx, c->T, &a, false, c->saved, r,
	    c->product);
	for (i = 0; i < c->T * r; i++)
		c->scratch[i] = w->scale * c->saved[i];
	peft_dense_forward(c->cpu, c->scratch, r, c->T, &b, true, y, ldy,
	    c->product);
}

void
peft_thin_hidden(const struct peft_hook_call *c,
    const struct peft_thin *w, const float *dy, size_t lddy)
{
	struct peft_dense b = b_of(w);
	float *dh = c->scratch;
	size_t r = w->r, i;

	if (c->hidden != NULL)
		return;
	if (!in_bf16(c, w)) {
		peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, r, w->out, w->scale,
		    dy, lddy, w->b, r, 0, dh, r);
		return;
	}
	peft_dense_backward(c->cpu, dh, r, c->T, &b, false, dy, lddy,
	    c->product);
	for (i = 0; i < c->T * r; i++)
		dh[i] *= w->scale;
}

/* db as its transpose, so that dy, too, is read by rows; always in f32, since
 * rounding what is read once would take longer. */
void
peft_thin_gradients(const struct peft_hook_call *c,
    const struct peft_thin *w, const float *x, size_t ldx, const float *dy,
    size_t lddy, float *da, float *db)
{
	const float *dh = c->hidden != NULL ? c->hidden : c->scratch;
	float *g = c->scratch + c->T * w->r;
	size_t r = w->r, i, k;

	struct peft_outer a = { .m = r, .n = w->in, .k = c->T, .a = dh,
	    .lda = r, .b = x, .ldb = ldx, .halves = c->halves.x, .scale = 1,
	    .c = da, .ldc = w->in };
	struct peft_outer b = { .m = r, .n = w->out, .k = c->T, .a = c->saved,
	    .lda = r, .b = dy, .ldb = lddy, .halves = c->halves.dy,
	    .scale = w->scale, .c = g, .ldc = w->out };

	memset(g, 0, r * w->out * sizeof(*g));
	peft_outer(c->cpu, &a);
	peft_outer(c->cpu, &b);
	for (i = 0; i < w->out; i++)
		for (k = 0; k < r; k++)
			db[i * r + k] += g[k * w->out + i];
}

void
peft_thin_input(const struct peft_hook_call *c,
    const struct peft_thin *w, bool add, float *dx, size_t lddx)
{
	struct peft_dense a = a_of(w);

	if (in_bf16(c, w))
		peft_dense_backward(c->cpu, dx, lddx, c->T, &a, add,
		    c->scratch, w->r, c->product);
	else
		peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, w->in, w->r, 1,
		    c->scratch, w->r, w->a, w->in, add ? 1 : 0, dx, lddx);
}
