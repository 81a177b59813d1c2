/* SPDX-License-Identifier: Apache-2.0 */
/* PiSSA and OLoRA: LoRA less what it began as. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/lapack.h"
#include "peft/lora.h"

/* PiSSA: the r largest singular values, shared between the two halves. */
static int
by_svd(const struct peft_module *m, float *w, float *a, float *b,
    struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out, r = m->rank, i, k;
	size_t n = in < out ? in : out;
	float *s = peft_calloc(n + (in + out) * n, sizeof(*s), err);
	float *u, *vt;

	if (s == NULL)
		return -1;
	u = s + n;
	vt = u + out * n;
	if (peft_svd(w, out, in, s, u, vt, err) == -1) {
		free(s);
		return -1;
	}
	for (k = 0; k < r; k++) {
		float root = sqrtf(s[k] / m->scale);

		for (i = 0; i < in; i++)
			a[k * in + i] = root * vt[k * in + i];
		for (i = 0; i < out; i++)
			b[i * r + k] = root * u[i * n + k];
	}
	free(s);
	return 0;
}

/* OLoRA: the first columns of Q and rows of R. */
static int
by_qr(const struct peft_module *m, const float *w, float *a, float *b,
    struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out, r = m->rank, i, k;
	size_t n = in < out ? in : out;
	float *q = peft_calloc((in + out) * n, sizeof(*q), err);

	if (q == NULL)
		return -1;
	if (peft_qr(w, out, in, q, q + out * n, err) == -1) {
		free(q);
		return -1;
	}
	memcpy(a, q + out * n, r * in * sizeof(*a));
	for (i = 0; i < out; i++)
		for (k = 0; k < r; k++)
			b[i * r + k] = q[i * n + k];
	free(q);
	return 0;
}

int
peft_residual_factors(const struct peft_module *m, float *w, float *a,
    float *b, struct peft_err *err)
{
	const struct peft_lora *l = m->settings;
	size_t least = m->site->in < m->site->out ? m->site->in :
	    m->site->out;

	if (m->rank > least)
		return peft_seterr(err, "a rank of %zu is more than the "
		    "weight has, %zu", m->rank, least);
	return l->start == PEFT_LORA_PISSA ? by_svd(m, w, a, b, err) :
	    by_qr(m, w, a, b, err);
}

struct residual {
	struct peft_lowrank	 low;
	float			*a0, *b0;
	bool			 known;		/* a0, b0 are */
};

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return sizeof(struct residual) + m->rank * (m->site->in +
	    m->site->out) * sizeof(float);
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;
	size_t low = peft_lowrank_scratch(m, T);

	return low > T * m->rank ? low : T * m->rank;
}

int
peft_residual_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct residual *s = peft_calloc(1, memory(m), err);
	float *w;
	int r;

	if ((m->state = s) == NULL)
		return -1;
	if (base == NULL && m->param[PEFT_LORA_A0] == NULL)
		return peft_seterr(err, "it cannot be used without the "
		    "weights that it began from");
	s->low = (struct peft_lowrank){ m->param[PEFT_LORA_A]->value,
	    m->param[PEFT_LORA_B]->value, m->param[PEFT_LORA_A]->grad,
	    m->param[PEFT_LORA_B]->grad, NULL };
	if (m->param[PEFT_LORA_A0] != NULL) {
		s->a0 = m->param[PEFT_LORA_A0]->value;
		s->b0 = m->param[PEFT_LORA_B0]->value;
		return 0;
	}
	s->a0 = (float *)(s + 1);
	s->b0 = s->a0 + m->rank * m->site->in;
	w = peft_calloc(m->site->in * m->site->out, sizeof(*w), err);
	r = w == NULL ? -1 : base->get(base->ctx, 0, m->site->out, w, err);
	if (r == 0)
		r = peft_residual_factors(m, w, s->a0, s->b0, err);
	free(w);
	return r;
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct residual *s = m->state;
	size_t r = m->rank, in = m->site->in;

	peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, r, in, 1, c->x, c->ldx, s->a0,
	    in, 0, c->scratch, r);
	peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, m->site->out, r,
	    -m->scale * m->weight, c->scratch, r, s->b0, r, 1, y, ldy);
	peft_lowrank_forward(self, c, y, ldy);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct residual *s = m->state;
	size_t r = m->rank, in = m->site->in;

	peft_lowrank_backward(self, c, dy, lddy, dx, lddx);
	if (dx == NULL)
		return;
	peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, r, m->site->out,
	    -m->scale * m->weight, dy, lddy, s->b0, r, 0, c->scratch, r);
	peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, in, r, 1, c->scratch, r,
	    s->a0, in, 1, dx, lddx);
}

const struct peft_hook_ops peft_residual_hook = {
	.memory = memory, .saved = peft_lowrank_saved, .scratch = scratch,
	.forward = forward, .backward = backward,
};

void
peft_residual_merge(const struct peft_module *m, size_t first, size_t n,
    float weight, float *rows)
{
	const struct residual *s = m->state;
	size_t in = m->site->in, r = m->rank, i;

	for (i = 0; i < n; i++)
		peft_lowrank_row(s->b0 + (first + i) * r, s->a0, r, in,
		    -m->scale * weight, rows + i * in);
}
