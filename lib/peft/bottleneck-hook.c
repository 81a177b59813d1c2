/* SPDX-License-Identifier: Apache-2.0 */
/* Bottleneck adapters where a branch joins the stream: forward, backward. */

#include <string.h>

#include "math/vec.h"
#include "peft/bottleneck-pass.h"
#include "peft/gate.h"
#include "peft/layernorm.h"
#include "peft/lowrank.h"

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;
	const struct peft_bn *s = m->settings;

	return T * (m->own[PEFT_BN_WIDTH] + (s->parallel ? 0 : m->site->in));
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * (2 * m->own[PEFT_BN_WIDTH] + 6 * m->site->in + 2);
}

/* Is the residual added before the norm behind, or behind it? */
static bool
has_inner_residual(const struct peft_bn *s)
{
	return s->residual_in_norm && s->after && !s->parallel;
}

/* What of f and of x is in the sum beside A(z), less what is there anyhow. */
static void
shares(const struct peft_bn *s, float *f, float *x)
{
	bool added = !s->parallel && !has_inner_residual(s);
	bool both = s->with_stream && !s->residual_is_branch;

	*f = (s->parallel || added) ? 0 : -1;
	*x = (float)(s->keep_stream + (added && both) - 1);
}

static struct peft_gate
gate_of(const struct peft_bn_pass *p)
{
	return (struct peft_gate){ p->m->param[PEFT_BN_GATE],
	    p->m->param[PEFT_BN_GATE_BIAS], 0 };
}

/* Dropped out and gated, in v; and the residual that the norm sees. */
static void
shut(struct peft_bn_pass *p, const float *f, size_t ldf)
{
	struct peft_hook_call c = *p->c;
	struct peft_gate gate = gate_of(p);
	size_t t, i, ld;
	const float *from;

	c.x = p->o;
	c.ldx = p->D;
	from = peft_drop(p->m, &c, p->v, &ld);
	if (from != p->v)
		memcpy(p->v, from, p->T * p->D * sizeof(*p->v));
	if (p->s->gating)
		peft_gate(&gate, p->c, p->z, p->ldz, p->g);
	for (t = 0; p->s->gating && t < p->T; t++)
		peft_vec_best()->scale(p->v + t * p->D, p->g[t], p->D);
	for (t = 0; has_inner_residual(p->s) && t < p->T; t++)
		for (i = 0; i < p->D; i++)
			p->v[t * p->D + i] += p->s->residual_is_branch ?
			    f[t * ldf + i] : p->z[t * p->ldz + i];
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct peft_bn_pass p = peft_bn_pass_of(self, c);
	float *z = c->saved + c->T * p.k, w = p.m->weight, kf, kx;
	size_t t, i;

	for (t = 0; !p.s->parallel && t < c->T; t++) {
		memcpy(z + t * p.D, y + t * ldy, p.D * sizeof(*z));
		if (p.s->with_stream)
			peft_vec_best()->add(z + t * p.D, c->x + t * c->ldx,
			    p.D);
	}
	peft_bn_inner(&p, true);
	peft_bn_outer(&p, true);
	shut(&p, y, ldy);
	if (p.s->after)
		peft_layernorm(p.m->param[PEFT_BN_AFTER],
		    p.m->param[PEFT_BN_AFTER_BIAS], p.v, p.D, p.v, p.D, p.T);
	shares(p.s, &kf, &kx);
	for (t = 0; t < c->T; t++) {
		const float *x = c->x + t * c->ldx, *v = p.v + t * p.D;
		float *f = y + t * ldy;

		for (i = 0; i < p.D; i++)
			f[i] += w * (v[i] + kf * f[i] + kx * x[i]);
	}
}

/* dv, that of v, through the norm behind. */
static void
norm_back(struct peft_bn_pass *p)
{
	size_t t;

	peft_bn_outer(p, true);
	for (t = 0; t < p->T; t++)
		memcpy(p->dz + t * p->D, p->z + t * p->ldz, p->D *
		    sizeof(*p->dz));
	/* the branch is what went in, less the stream if it was added */
	for (t = 0; p->s->with_stream && p->s->residual_is_branch &&
	    t < p->T; t++)
		peft_vec_best()->axpy(p->dz + t * p->D, -1,
		    p->c->x + t * p->c->ldx, p->D);
	shut(p, p->dz, p->D);
	peft_layernorm_back(p->m->param[PEFT_BN_AFTER],
	    p->m->param[PEFT_BN_AFTER_BIAS], p->v, p->D, p->dv, p->dv, p->T);
}

/* dv becomes that of o, unscaled; the gate's gradient; dz what it says. */
static void
shut_back(struct peft_bn_pass *p)
{
	struct peft_hook_call c = *p->c;
	struct peft_gate gate = gate_of(p);
	const struct peft_vec *v = peft_vec_best();
	const float *from;
	size_t t, ld;

	memset(p->dz, 0, p->T * p->D * sizeof(*p->dz));
	c.x = p->o;
	c.ldx = p->D;
	if (p->s->gating) {
		peft_bn_outer(p, true);
		from = peft_drop(p->m, &c, p->v, &ld);
		peft_gate(&gate, p->c, p->z, p->ldz, p->g);
		for (t = 0; t < p->T; t++) {
			p->dg[t] = v->dot(p->dv + t * p->D, from + t * p->D,
			    p->D);
			v->scale(p->dv + t * p->D, p->g[t], p->D);
		}
		peft_gate_back(&gate, p->c, p->z, p->ldz, p->dg, p->dz, p->D);
	}
	if (peft_drop_on(p->m, &c)) {
		memset(p->v, 0, p->T * p->D * sizeof(*p->v));
		peft_drop_back(p->m, &c, p->dv, p->v, p->D);
		memcpy(p->dv, p->v, p->T * p->D * sizeof(*p->v));
	}
}

/* dbranch holds dy and becomes the branch's gradient. */
static void
share_out(const struct peft_bn_pass *p, const float *inner_res, float *dx,
    size_t lddx)
{
	float w = p->m->weight, kf, kx;
	bool x_too = p->s->parallel || p->s->with_stream;
	bool res_x = p->s->with_stream && !p->s->residual_is_branch;
	size_t t, i;

	shares(p->s, &kf, &kx);
	for (t = 0; t < p->T; t++) {
		float *df = p->c->dbranch + t * lddx, *d = dx + t * lddx;
		const float *dz = p->dz + t * p->D;

		for (i = 0; i < p->D; i++) {
			float dy = df[i], r = inner_res == NULL ? 0 :
			    inner_res[t * p->D + i];

			d[i] += w * kx * dy + (x_too ? dz[i] : 0) +
			    (res_x ? r : 0);
			df[i] += w * kf * dy + (p->s->parallel ? 0 : dz[i]) +
			    r;
		}
	}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct peft_bn_pass p = peft_bn_pass_of(self, c);
	const float *res = NULL;
	size_t t, i;

	for (t = 0; t < c->T; t++)
		for (i = 0; i < p.D; i++)
			p.dv[t * p.D + i] = p.m->weight * dy[t * lddy + i];
	peft_bn_inner(&p, false);
	if (p.s->after)
		norm_back(&p);
	if (has_inner_residual(p.s))
		res = memcpy(p.dr, p.dv, c->T * p.D * sizeof(*p.dv));
	shut_back(&p);
	peft_bn_inner_back(&p);
	share_out(&p, res, dx, lddx);
}

const struct peft_hook_ops peft_bn_hook = {
	.memory = peft_bn_memory, .begin = peft_bn_begin,
	.end = peft_bn_end, .saved = saved, .scratch = scratch,
	.forward = forward, .backward = backward,
};
