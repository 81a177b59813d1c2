/* SPDX-License-Identifier: Apache-2.0 */
/* Through the two layers of a bottleneck, and back. */

#include <string.h>

#include "math/vec.h"
#include "peft/bottleneck-pass.h"
#include "peft/layernorm.h"

struct peft_bn_pass
peft_bn_pass_of(const struct peft_module *m, const struct peft_hook_call *c)
{
	size_t D = m->site->in, k = m->own[PEFT_BN_WIDTH], n = c->T * D;
	const struct peft_bn *s = m->settings;
	float *at = c->scratch;
	struct peft_bn_pass p = { .m = m, .s = s, .st = m->state, .c = c,
	    .D = D, .k = k, .T = c->T, .u = c->saved, .ldz = s->parallel ?
	    c->ldx : D, .z = s->parallel ? c->x : c->saved + c->T * k };

	p.a = s->before ? at : p.z;
	p.o = at + n;
	p.v = p.o + n;
	p.dv = p.v + n;
	p.dz = p.dv + n;
	p.dr = p.dz + n;
	p.h = p.dr + n;
	p.d = p.h + c->T * k;
	p.g = p.d + c->T * k;
	p.dg = p.g + c->T;
	return p;
}

static const float *
value(const struct peft_bn_pass *p, int part)
{
	return p->m->param[part] == NULL ? NULL : p->m->param[part]->value;
}

static float *
grad(const struct peft_bn_pass *p, int part)
{
	return p->m->param[part] == NULL ? NULL : p->m->param[part]->grad;
}

void
peft_bn_inner(struct peft_bn_pass *p, bool forward)
{
	const float *b = value(p, PEFT_BN_DOWN_BIAS);
	size_t lda = p->s->before ? p->D : p->ldz, t, i;

	if (p->s->before)
		peft_layernorm(p->m->param[PEFT_BN_BEFORE],
		    p->m->param[PEFT_BN_BEFORE_BIAS], p->z, p->ldz,
		    p->c->scratch, p->D, p->T);
	if (forward)
		peft_gemm(p->c->cpu, PEFT_N, PEFT_T, p->T, p->k, p->D, 1,
		    p->a, lda, p->st->down, p->D, 0, p->u, p->k);
	for (t = 0; forward && b != NULL && t < p->T; t++)
		peft_vec_best()->add(p->u + t * p->k, b, p->k);
	for (i = 0; i < p->T * p->k; i++)
		p->h[i] = p->s->act(p->u[i], &p->d[i]);
}

void
peft_bn_outer(struct peft_bn_pass *p, bool scaled)
{
	const float *b = value(p, PEFT_BN_UP_BIAS);
	const float *s = value(p, PEFT_BN_SCALING);
	size_t t, i;

	peft_gemm(p->c->cpu, PEFT_N, PEFT_T, p->T, p->D, p->k, 1, p->h, p->k,
	    p->st->up, p->k, 0, p->o, p->D);
	for (t = 0; t < p->T; t++) {
		float *o = p->o + t * p->D;

		if (b != NULL)
			peft_vec_best()->add(o, b, p->D);
		for (i = 0; scaled && i < p->D; i++)
			o[i] *= s == NULL ? (float)p->s->scale :
			    s[p->s->scaling == PEFT_BN_CHANNEL ? i : 0];
	}
}

void
peft_bn_up(const struct peft_module *m, const struct peft_hook_call *c,
    const float *z, float *y)
{
	struct peft_bn_pass p = peft_bn_pass_of(m, c);

	memcpy(c->saved + c->T * p.k, z, c->T * p.D * sizeof(*z));
	peft_bn_inner(&p, true);
	peft_bn_outer(&p, true);
	memcpy(y, p.o, c->T * p.D * sizeof(*y));
}

void
peft_bn_inner_back(struct peft_bn_pass *p)
{
	const struct peft_vec *v = peft_vec_best();
	float *gs = grad(p, PEFT_BN_SCALING), *gu = grad(p, PEFT_BN_UP_BIAS);
	const float *s = value(p, PEFT_BN_SCALING);
	bool channel = p->s->scaling == PEFT_BN_CHANNEL;
	float *gd = grad(p, PEFT_BN_DOWN_BIAS);
	size_t lda = p->s->before ? p->D : p->ldz, t, i;

	if (gs != NULL)
		peft_bn_outer(p, false);
	for (t = 0; t < p->T; t++) {
		float *dv = p->dv + t * p->D;

		for (i = 0; i < p->D; i++) {
			if (gs != NULL)
				gs[channel ? i : 0] += dv[i] *
				    p->o[t * p->D + i];
			dv[i] *= s == NULL ? (float)p->s->scale :
			    s[channel ? i : 0];
		}
		if (gu != NULL)
			v->add(gu, dv, p->D);
	}
	if (p->m->train)
		peft_gemm(p->c->cpu, PEFT_T, PEFT_N, p->D, p->k, p->T, 1,
		    p->dv, p->D, p->h, p->k, 1, p->st->gup, p->k);
	peft_gemm(p->c->cpu, PEFT_N, PEFT_N, p->T, p->k, p->D, 1, p->dv, p->D,
	    p->st->up, p->k, 0, p->h, p->k);
	for (i = 0; i < p->T * p->k; i++)
		p->h[i] *= p->d[i];
	for (t = 0; gd != NULL && t < p->T; t++)
		v->add(gd, p->h + t * p->k, p->k);
	if (p->m->train)
		peft_gemm(p->c->cpu, PEFT_T, PEFT_N, p->k, p->D, p->T, 1,
		    p->h, p->k, p->a, lda, 1, p->st->gdown, p->D);
	peft_gemm(p->c->cpu, PEFT_N, PEFT_N, p->T, p->D, p->k, 1, p->h, p->k,
	    p->st->down, p->D, p->s->before ? 0 : 1, p->s->before ? p->o :
	    p->dz, p->D);
	if (!p->s->before)
		return;
	peft_layernorm_back(p->m->param[PEFT_BN_BEFORE],
	    p->m->param[PEFT_BN_BEFORE_BIAS], p->z, p->ldz, p->o, p->o, p->T);
	v->add(p->dz, p->o, p->T * p->D);
}

void
peft_bn_up_back(const struct peft_module *m, const struct peft_hook_call *c,
    const float *z, const float *dy, float *dz)
{
	struct peft_bn_pass p = peft_bn_pass_of(m, c);
	size_t n = c->T * p.D;

	peft_bn_up(m, c, z, p.v);
	memcpy(p.dv, dy, n * sizeof(*dy));
	memset(p.dz, 0, n * sizeof(*p.dz));
	peft_bn_inner_back(&p);
	peft_vec_best()->add(dz, p.dz, n);
}
