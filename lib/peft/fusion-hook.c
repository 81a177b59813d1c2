/* SPDX-License-Identifier: Apache-2.0 */
/* AdapterFusion where a branch joins the stream: forward, backward. */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/fusion.h"

enum { Q = PEFT_FUSION_Q, K = PEFT_FUSION_K, V = PEFT_FUSION_V };

/* One call, and where its rows are: [T, D] each but for the scores [T].  f:
 * the branch, saved; z what goes into the members, xq what the query is made
 * from, q it, sum and mix: sum_i p_i U_i(z), and times Wv; and gradients.  Of
 * each member u what it says, k its key, du; p its share, ds. */
struct pass {
	const struct peft_module *m;
	const struct peft_fusion *s;
	const struct peft_fused	*st;
	const struct peft_bn	*last;
	const struct peft_hook_call *c;
	struct peft_hook_call	 own;		/* for a member */
	size_t			 D, T, n;	/* n = T D */
	float	*f, *z, *xq, *q, *mix, *sum, *dz, *df, *tmp;
	float	*u, *k, *du, *p, *ds;
};

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	const struct peft_module *m = self;
	const struct peft_fused *s = m->state;
	size_t i;

	for (i = 0; i < s->n; i++)
		peft_bn_begin(s->member[i], cpu, product);
}

/* The most that a member needs of either. */
static size_t
most(const struct peft_module *m, size_t (*need)(const void *, size_t),
    size_t T)
{
	const struct peft_fused *s = m->state;
	size_t i, n, max = 0;

	for (i = 0; i < s->n; i++) {
		n = need(s->member[i], T);
		max = n > max ? n : max;
	}
	return max;
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->site->in + most(m, peft_bn_hook.saved, T);
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;
	const struct peft_fused *s = m->state;
	size_t D = m->site->in;

	return T * (8 * D + s->n * (3 * D + 2)) +
	    most(m, peft_bn_hook.scratch, T);
}

static struct pass
pass_of(const struct peft_module *m, const struct peft_hook_call *c)
{
	const struct peft_fused *st = m->state;
	size_t D = m->site->in, n = c->T * D;
	float *at = c->scratch;
	struct pass p = { .m = m, .s = m->settings, .st = st, .last =
	    st->member[st->n - 1]->settings, .c = c, .own = *c, .D = D,
	    .T = c->T, .n = n, .f = c->saved, .z = at, .xq = at + n,
	    .q = at + 2 * n, .mix = at + 3 * n, .sum = at + 4 * n,
	    .dz = at + 5 * n, .df = at + 6 * n, .tmp = at + 7 * n };

	p.u = at + 8 * n;
	p.k = p.u + st->n * n;
	p.du = p.k + st->n * n;
	p.p = p.du + st->n * n;
	p.ds = p.p + st->n * c->T;
	p.own.scratch = p.ds + st->n * c->T;
	p.own.saved = c->saved + n;
	return p;
}

/* y [T, D] = W x + b, or x. */
static void
project(const struct pass *p, bool there, int weight, const float *x, float *y)
{
	size_t D = p->D, t;

	if (!there) {
		memcpy(y, x, p->n * sizeof(*y));
		return;
	}
	peft_gemm(p->c->cpu, PEFT_N, PEFT_T, p->T, D, D, 1, x, D,
	    p->m->param[weight]->value, D, 0, y, D);
	for (t = 0; weight != V && t < p->T; t++)
		peft_vec_best()->add(y + t * D, p->m->param[weight + 1]->value,
		    D);
}

/* dx += that of x, given dy; and those of W and b. */
static void
project_back(const struct pass *p, bool there, int weight, const float *x,
    const float *dy, float *dx)
{
	const struct peft_param *w = p->m->param[weight];
	size_t D = p->D, t;

	if (!there) {
		peft_vec_best()->add(dx, dy, p->n);
		return;
	}
	if (w->grad != NULL)
		peft_gemm(p->c->cpu, PEFT_T, PEFT_N, D, D, p->T, 1, dy, D, x,
		    D, 1, w->grad, D);
	for (t = 0; w->grad != NULL && weight != V && t < p->T; t++)
		peft_vec_best()->add(p->m->param[weight + 1]->grad,
		    dy + t * D, D);
	peft_gemm(p->c->cpu, PEFT_N, PEFT_N, p->T, D, D, 1, dy, D, w->value,
	    D, 1, dx, D);
}

/* The scores [n, T] become shares. */
static void
softmax(float *score, size_t n, size_t T)
{
	size_t t, i;

	for (t = 0; t < T; t++) {
		float max = score[t], sum = 0;

		for (i = 1; i < n; i++)
			max = fmaxf(max, score[i * T + t]);
		for (i = 0; i < n; i++)
			sum += score[i * T + t] = expf(score[i * T + t] - max);
		for (i = 0; i < n; i++)
			score[i * T + t] /= sum;
	}
}

/* From the branch in f: all up to the sum. */
static void
fuse(struct pass *p)
{
	const struct peft_vec *v = peft_vec_best();
	size_t D = p->D, n = p->n, t, i;

	memcpy(p->z, p->f, n * sizeof(*p->z));
	for (t = 0; p->last->with_stream && t < p->T; t++)
		v->add(p->z + t * D, p->c->x + t * p->c->ldx, D);
	memcpy(p->xq, p->s->query_is_branch ? p->f : p->z, n * sizeof(*p->z));
	project(p, p->s->query, Q, p->xq, p->q);
	for (i = 0; i < p->st->n; i++) {
		float *u = p->u + i * n, *k = p->k + i * n;

		peft_bn_up(p->st->member[i], &p->own, p->z, u);
		if (p->s->residual_first)
			v->add(u, p->last->residual_is_branch ? p->f : p->z,
			    n);
		project(p, p->s->key, K, u, k);
		for (t = 0; t < p->T; t++)
			p->p[i * p->T + t] = v->dot(p->q + t * D, k + t * D,
			    D);
	}
	softmax(p->p, p->st->n, p->T);
	memset(p->mix, 0, n * sizeof(*p->mix));
	for (i = 0; i < p->st->n; i++)
		for (t = 0; t < p->T; t++)
			v->axpy(p->mix + t * D, p->p[i * p->T + t],
			    p->u + i * n + t * D, D);
	project(p, p->s->value, V, p->mix, p->sum);
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct pass p = pass_of(self, c);
	size_t D = p.D, t, k;

	for (t = 0; t < p.T; t++)
		memcpy(p.f + t * D, y + t * ldy, D * sizeof(*y));
	fuse(&p);
	for (t = 0; t < p.T; t++) {
		const float *x = c->x + t * c->ldx, *r =
		    p.last->residual_is_branch ? p.f : p.z;
		float *f = y + t * ldy, is;

		for (k = 0; k < D; k++) {
			is = p.sum[t * D + k] + (p.s->residual_first ? 0 :
			    r[t * D + k]) - (p.last->keep_stream ? 0 : x[k]);
			f[k] += p.m->weight * (is - f[k]);
		}
	}
}

/* From dsum, in sum: du of what members say and their shares, and dxq, in
 * tmp. */
static void
attention_back(struct pass *p)
{
	const struct peft_vec *v = peft_vec_best();
	size_t D = p->D, T = p->T, n = p->n, N = p->st->n, t, i;

	memset(p->tmp, 0, n * sizeof(*p->tmp));
	project_back(p, p->s->value, V, p->mix, p->sum, p->tmp);
	memcpy(p->mix, p->tmp, n * sizeof(*p->tmp));	/* dmix */
	for (t = 0; t < T; t++) {
		float mean = 0;

		for (i = 0; i < N; i++) {
			p->ds[i * T + t] = v->dot(p->mix + t * D,
			    p->u + i * n + t * D, D);
			mean += p->p[i * T + t] * p->ds[i * T + t];
		}
		for (i = 0; i < N; i++)
			p->ds[i * T + t] = p->p[i * T + t] *
			    (p->ds[i * T + t] - mean);
	}
	memset(p->sum, 0, n * sizeof(*p->sum));		/* dq */
	for (i = 0; i < N; i++) {
		float *du = p->du + i * n, *k = p->k + i * n;

		memset(du, 0, n * sizeof(*du));
		for (t = 0; t < T; t++) {
			float ds = p->ds[i * T + t];

			v->axpy(du + t * D, p->p[i * T + t], p->mix + t * D,
			    D);
			v->axpy(p->sum + t * D, ds, k + t * D, D);
			memcpy(k + t * D, p->q + t * D, D * sizeof(*k));
			v->scale(k + t * D, ds, D);		/* dk */
		}
		project_back(p, p->s->key, K, p->u + i * n, k, du);
	}
	memset(p->tmp, 0, n * sizeof(*p->tmp));
	project_back(p, p->s->query, Q, p->xq, p->sum, p->tmp);
}

/* dbranch holds dy and becomes the branch's gradient. */
static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct pass p = pass_of(self, c);
	const struct peft_vec *v = peft_vec_best();
	size_t D = p.D, t, i, k;
	float *res;

	fuse(&p);
	memset(p.dz, 0, 2 * p.n * sizeof(*p.dz));	/* and df */
	res = p.last->residual_is_branch ? p.df : p.dz;
	for (t = 0; t < p.T; t++)
		for (k = 0; k < D; k++)
			p.sum[t * D + k] = p.m->weight * dy[t * lddy + k];
	for (t = 0; !p.last->keep_stream && t < p.T; t++)
		v->axpy(dx + t * lddx, -1, p.sum + t * D, D);
	if (!p.s->residual_first)
		v->add(res, p.sum, p.n);
	attention_back(&p);
	v->add(p.s->query_is_branch ? p.df : p.dz, p.tmp, p.n);
	for (i = 0; i < p.st->n; i++) {
		if (p.s->residual_first)
			v->add(res, p.du + i * p.n, p.n);
		peft_bn_up_back(p.st->member[i], &p.own, p.z,
		    p.du + i * p.n, p.dz);
	}
	v->add(p.df, p.dz, p.n);
	for (t = 0; t < p.T; t++) {
		float *df = c->dbranch + t * lddx;

		if (p.last->with_stream)
			v->add(dx + t * lddx, p.dz + t * D, D);
		v->scale(df, 1 - p.m->weight, D);
		v->add(df, p.df + t * D, D);
	}
}

const struct peft_hook_ops peft_fusion_hook = {
	.begin = begin, .saved = saved, .scratch = scratch,
	.forward = forward, .backward = backward,
};
