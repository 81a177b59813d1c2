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

bool
peft_is_residual(const struct peft_module *m)
{
	const struct peft_lora *l = m->settings;

	return m->site->kind != PEFT_EMBEDDING &&
	    (l->start == PEFT_LORA_PISSA || l->start == PEFT_LORA_OLORA ||
	    m->param[PEFT_LORA_A0] != NULL);
}

size_t
peft_residual_room(const struct peft_module *m)
{
	return peft_is_residual(m) && m->param[PEFT_LORA_A0] == NULL ?
	    m->rank * (m->site->in + m->site->out) : 0;
}

int
peft_residual_find(const struct peft_module *m, const struct peft_rows *base,
    float *room, struct peft_residual *began, struct peft_err *err)
{
	float *w, *b = room + m->rank * m->site->in;
	int r;

	if (m->param[PEFT_LORA_A0] != NULL) {
		*began = (struct peft_residual){ m->param[PEFT_LORA_A0]->value,
		    m->param[PEFT_LORA_B0]->value };
		return 0;
	}
	if (base == NULL)
		return peft_seterr(err, "it cannot be used without the "
		    "weights that it began from");
	w = peft_calloc(m->site->in * m->site->out, sizeof(*w), err);
	r = w == NULL ? -1 : base->get(base->ctx, 0, m->site->out, w, err);
	if (r == 0)
		r = peft_residual_factors(m, w, room, b, err);
	free(w);
	*began = (struct peft_residual){ room, b };
	return r;
}

void
peft_residual_less(const struct peft_module *m, struct peft_cpu *cpu,
    const struct peft_residual *began, float f, size_t T, const float *x,
    size_t ldx, float *h, float *y, size_t ldy)
{
	size_t r = m->rank, in = m->site->in;

	peft_gemm(cpu, PEFT_N, PEFT_T, T, r, in, 1, x, ldx, began->a, in, 0,
	    h, r);
	peft_gemm(cpu, PEFT_N, PEFT_T, T, m->site->out, r, -m->scale * f, h,
	    r, began->b, r, 1, y, ldy);
}

void
peft_residual_back(const struct peft_module *m, struct peft_cpu *cpu,
    const struct peft_residual *began, float f, size_t T, const float *dy,
    size_t lddy, float *h, float *dx, size_t lddx)
{
	size_t r = m->rank, in = m->site->in;

	peft_gemm(cpu, PEFT_N, PEFT_N, T, r, m->site->out, -m->scale * f, dy,
	    lddy, began->b, r, 0, h, r);
	peft_gemm(cpu, PEFT_N, PEFT_N, T, in, r, 1, h, r, began->a, in, 1,
	    dx, lddx);
}

void
peft_residual_row(const struct peft_module *m,
    const struct peft_residual *began, size_t i, float f, float *row)
{
	peft_lowrank_row(began->b + i * m->rank, began->a, m->rank,
	    m->site->in, -m->scale * f, row);
}

/* The state of a LoRA that is one. */
struct residual {
	struct peft_lowrank	 low;
	struct peft_residual	 began;
};

const struct peft_residual *
peft_residual_began(const struct peft_module *m)
{
	const struct residual *s = m->state;

	return &s->began;
}

static size_t
memory(const void *self)
{
	return sizeof(struct residual) + peft_residual_room(self) *
	    sizeof(float);
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

	if ((m->state = s) == NULL)
		return -1;
	s->low = (struct peft_lowrank){ m->param[PEFT_LORA_A]->value,
	    m->param[PEFT_LORA_B]->value, m->param[PEFT_LORA_A]->grad,
	    m->param[PEFT_LORA_B]->grad, NULL };
	return peft_residual_find(m, base, (float *)(s + 1), &s->began, err);
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct residual *s = m->state;

	peft_residual_less(m, c->cpu, &s->began, m->weight, c->T, c->x,
	    c->ldx, c->scratch, y, ldy);
	peft_lowrank_forward(self, c, y, ldy);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct residual *s = m->state;

	peft_lowrank_backward(self, c, dy, lddy, dx, lddx);
	if (dx != NULL)
		peft_residual_back(m, c->cpu, &s->began, m->weight, c->T, dy,
		    lddy, c->scratch, dx, lddx);
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
	size_t i;

	for (i = 0; i < n; i++)
		peft_residual_row(m, &s->began, first + i, weight, rows +
		    i * m->site->in);
}
