/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdapterFusion (Pfeiffer et al. 2021) as the adapters library has it: where a
 * branch joins the stream, what several bottlenecks U_i of one input say is
 * weighted by an attention over them and added,
 *
 *	p = softmax_i(q . k_i), q = Wq z + bq, k_i = Wk U_i(z) + bk
 *	Wv sum_i p_i U_i(z) + residual
 *
 * It takes the place of those that act before it under the same number: a
 * combination A, B, FUSION.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/bottleneck.h"

enum { MOST = 16 };
enum { QUERY, QUERY_BIAS, KEY, KEY_BIAS, VALUE };

struct fusion {
	bool	query, key, value;
	bool	query_is_branch;	/* query_before_ln */
	bool	residual_first;		/* residual_before */
	size_t	n;			/* adapter_names; 0: not said */
};

struct state {
	size_t			 n;
	struct peft_module	*member[MOST];
};

#define AT(field)	offsetof(struct fusion, field)
static const struct peft_setting keys[] = {
	PEFT_SET("key", "true", peft_set_bool, AT(key)),
	PEFT_SET("query", "true", peft_set_bool, AT(query)),
	PEFT_SET("value", "true", peft_set_bool, AT(value)),
	PEFT_SET("query_before_ln", "false", peft_set_bool,
	    AT(query_is_branch)),
	PEFT_SET("residual_before", "false", peft_set_bool,
	    AT(residual_first)),
	PEFT_SET_OFF("temperature", "false"),
	PEFT_SET_LATER("regularization", "true"),
	PEFT_SET_LATER("value_before_softmax", "true"),
	PEFT_SET_LATER("value_initialized", "true"),
	PEFT_SET_LATER("dropout_prob", "null"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	struct fusion *f = settings;

	f->n = (size_t)cJSON_GetArraySize(peft_json_get(config,
	    "adapter_names"));
	return f->query || f->key || f->value ? 0 : peft_seterr(err,
	    "one of key, query and value is needed");
}

static bool
wanted(const void *settings, const struct peft_adapter *a,
    const struct peft_site *s)
{
	(void)settings;
	(void)a;
	(void)s;
	return true;
}

/* Only where all its adapters have a part has it one: what lacks all of its
 * tensors is not there. */
static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct fusion *f = settings;
	size_t D = m->site->in;
	int i;

	(void)err;
	m->untrainable = "fusions are trained by the adapters library; here "
	    "they are used";
	if (f->query) {
		out[QUERY] = peft_shape2("query.weight", D, D);
		out[QUERY_BIAS] = peft_shape1("query.bias", D);
	}
	if (f->key) {
		out[KEY] = peft_shape2("key.weight", D, D);
		out[KEY_BIAS] = peft_shape1("key.bias", D);
	}
	if (f->value)
		out[VALUE] = peft_shape2("value.weight", D, D);
	for (i = QUERY; i <= VALUE; i++) {
		out[i].group = "adapter_fusion_layer";
		out[i].droppable = true;
	}
	return 0;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	m->state = peft_calloc(1, sizeof(struct state), err);
	return m->state == NULL ? -1 : 0;
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	const struct peft_module *m = self;
	const struct state *s = m->state;
	size_t i;

	for (i = 0; i < s->n; i++)
		peft_bn_begin(s->member[i], cpu, product);
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;
	const struct state *s = m->state;
	size_t i, n, most = 0;

	for (i = 0; i < s->n; i++) {
		n = peft_bn_hook.saved(s->member[i], T);
		most = n > most ? n : most;
	}
	return most;
}

/* z, the query, what is projected, the sum: [T, D] each; of each member what
 * it says, and its scores [T]; then a member's own. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;
	const struct state *s = m->state;
	size_t D = m->site->in, i, n, most = 0;

	for (i = 0; i < s->n; i++) {
		n = peft_bn_hook.scratch(s->member[i], T);
		most = n > most ? n : most;
	}
	return T * (4 * D + s->n * (D + 1)) + most;
}

/* y [T, D] = W x + b, or x. */
static void
project(const struct peft_module *m, const struct peft_hook_call *c,
    bool there, int weight, const float *x, float *y)
{
	size_t D = m->site->in, t;

	if (!there) {
		memcpy(y, x, c->T * D * sizeof(*y));
		return;
	}
	peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, D, D, 1, x, D,
	    m->param[weight]->value, D, 0, y, D);
	for (t = 0; weight != VALUE && t < c->T; t++)
		peft_vec_best()->add(y + t * D, m->param[weight + 1]->value,
		    D);
}

/* The scores [n, T] become shares. */
static void
softmax(float *score, size_t n, size_t T)
{
	size_t t, i;

	for (t = 0; t < T; t++) {
		float most = score[t], sum = 0;

		for (i = 1; i < n; i++)
			most = fmaxf(most, score[i * T + t]);
		for (i = 0; i < n; i++)
			sum += score[i * T + t] = expf(score[i * T + t] -
			    most);
		for (i = 0; i < n; i++)
			score[i * T + t] /= sum;
	}
}

/* What goes into the members, and the query. */
static void
inputs(const struct peft_module *m, const struct peft_bn *last,
    const struct peft_hook_call *c, const float *f, size_t ldf, float *z,
    float *q)
{
	const struct fusion *s = m->settings;
	size_t D = m->site->in, t;

	for (t = 0; t < c->T; t++) {
		memcpy(z + t * D, f + t * ldf, D * sizeof(*z));
		if (last->with_stream)
			peft_vec_best()->add(z + t * D, c->x + t * c->ldx, D);
		memcpy(q + t * D, s->query_is_branch ? f + t * ldf :
		    z + t * D, D * sizeof(*q));
	}
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct fusion *s = m->settings;
	const struct state *st = m->state;
	const struct peft_bn *last = st->member[st->n - 1]->settings;
	const struct peft_vec *v = peft_vec_best();
	size_t D = m->site->in, n = c->T * D, t, i, k;
	float *z = c->scratch, *q = z + n, *tmp = q + n, *sum = tmp + n;
	float *up = sum + n, *score = up + st->n * n;
	struct peft_hook_call own = *c;

	own.scratch = score + st->n * c->T;
	inputs(m, last, c, y, ldy, z, tmp);
	project(m, c, s->query, QUERY, tmp, q);
	for (i = 0; i < st->n; i++) {
		peft_bn_up(st->member[i], &own, z, up + i * n);
		for (t = 0; s->residual_first && t < c->T; t++)
			v->add(up + i * n + t * D, last->residual_is_branch ?
			    y + t * ldy : z + t * D, D);
		project(m, c, s->key, KEY, up + i * n, tmp);
		for (t = 0; t < c->T; t++)
			score[i * c->T + t] = v->dot(q + t * D, tmp + t * D,
			    D);
	}
	softmax(score, st->n, c->T);
	memset(tmp, 0, n * sizeof(*tmp));
	for (i = 0; i < st->n; i++)
		for (t = 0; t < c->T; t++)
			v->axpy(tmp + t * D, score[i * c->T + t],
			    up + i * n + t * D, D);
	project(m, c, s->value, VALUE, tmp, sum);
	for (t = 0; t < c->T; t++) {
		const float *x = c->x + t * c->ldx;
		float *f = y + t * ldy, r, is;

		for (k = 0; k < D; k++) {
			r = s->residual_first ? 0 : last->residual_is_branch ?
			    f[k] : z[t * D + k];
			is = sum[t * D + k] + r - (last->keep_stream ? 0 :
			    x[k]);
			f[k] += m->weight * (is - f[k]);
		}
	}
}

static const struct peft_hook_ops hook = {
	.begin = begin, .saved = saved, .scratch = scratch,
	.forward = forward,
};

/* Bottlenecks of the same number give their place up. */
static int
take_members(struct peft_module *m, struct peft_site *site, int index,
    struct peft_err *err)
{
	struct state *s = m->state;
	struct peft_hook **h = &site->hooks;

	while (*h != NULL) {
		struct peft_module *one = (*h)->self;
		const struct peft_bn *bn;

		if ((*h)->adapter != index || (*h)->ops != &peft_bn_hook) {
			h = &(*h)->next;
			continue;
		}
		bn = one->settings;
		if (bn->parallel || one->weight != 1)
			return peft_seterr(err, "a fusion is of sequential "
			    "bottlenecks, each with weight 1");
		if (s->n == MOST)
			return peft_seterr(err, "more than %d to fuse", MOST);
		s->member[s->n++] = one;
		*h = (*h)->next;
	}
	return 0;
}

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	struct peft_site *site = peft_sites_find(sites, m->site->path);
	const struct fusion *f = m->settings;
	const struct state *s = m->state;
	size_t there = 0, want = 0;
	struct peft_hook **end;
	int i;

	for (i = QUERY; i <= VALUE; i++) {
		want += m->param[i] != NULL;
		there += m->param[i] != NULL && m->param[i]->n > 0;
	}
	if (there != 0 && there != want)
		return peft_setfail(err, PEFT_CHECK, "some of the tensors of "
		    "its fusion are missing");
	if (take_members(m, site, index, err) == -1)
		return -1;
	if (there == 0 && s->n == 0)
		return 0;
	if (there == 0)
		return peft_setfail(err, PEFT_CHECK, "an adapter has a part "
		    "there, and the fusion has none");
	if (s->n < 2 || (f->n > 0 && s->n != f->n))
		return peft_setfail(err, PEFT_CHECK, "a fusion of %zu adapters "
		    "finds %zu: they stand before it, --combine "
		    "NAME=A,B,./FUSION", f->n > 0 ? f->n : 2, s->n);
	m->hook = (struct peft_hook){ &hook, m, index, NULL };
	for (end = &site->hooks; *end != NULL; end = &(*end)->next)
		;
	*end = &m->hook;
	return 0;
}

const struct peft_method peft_hub_fusion = {
	.type = "AH_FUSION", .name = "ah-fusion", .hub = true,
	.keys = keys, .size = sizeof(struct fusion), .check = check,
	.kinds = 1 << PEFT_JOIN, .wanted = wanted, .shapes = shapes,
	.prepare = prepare, .attach = attach,
};
