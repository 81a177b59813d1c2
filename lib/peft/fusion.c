/* SPDX-License-Identifier: Apache-2.0 */
/* AdapterFusion: its settings, its tensors, its members. */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/fusion.h"

/* The library's class calls it a string, its values are true and false. */
static int
read_near_one(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, s->key);

	if (!cJSON_IsString(v))
		return peft_set_bool(s, config, at, err);
	*(bool *)at = v->valuestring[0] != '\0';
	return 0;
}

#define AT(field)	offsetof(struct peft_fusion, field)
static const struct peft_setting keys[] = {
	PEFT_SET("key", "true", peft_set_bool, AT(key)),
	PEFT_SET("query", "true", peft_set_bool, AT(query)),
	PEFT_SET("value", "true", peft_set_bool, AT(value)),
	PEFT_SET("query_before_ln", "false", peft_set_bool,
	    AT(query_is_branch)),
	PEFT_SET("residual_before", "false", peft_set_bool,
	    AT(residual_first)),
	PEFT_SET_OFF("temperature", "false"),
	PEFT_SET("regularization", "true", peft_set_bool, AT(regular)),
	PEFT_SET("value_initialized", "true", read_near_one, AT(near_one)),
	PEFT_SET("dropout_prob", "null", peft_set_share, AT(dropout)),
	/* the same, but for rounding */
	PEFT_SET_LATER("value_before_softmax", "true"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	struct peft_fusion *f = settings;

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
	const struct peft_fusion *f = settings;
	size_t D = m->site->in;
	int i;

	(void)err;
	if (f->dropout > 0)
		m->untrainable = "dropout_prob is not honoured in training: "
		    "set it to 0";
	if (f->query) {
		out[PEFT_FUSION_Q] = peft_shape2("query.weight", D, D);
		out[PEFT_FUSION_Q_BIAS] = peft_shape1("query.bias", D);
	}
	if (f->key) {
		out[PEFT_FUSION_K] = peft_shape2("key.weight", D, D);
		out[PEFT_FUSION_K_BIAS] = peft_shape1("key.bias", D);
	}
	if (f->value)
		out[PEFT_FUSION_V] = peft_shape2("value.weight", D, D);
	for (i = PEFT_FUSION_Q; i <= PEFT_FUSION_V; i++) {
		out[i].group = "adapter_fusion_layer";
		out[i].droppable = true;
	}
	return 0;
}

/* As the library begins them. */
static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_fusion *f = settings;
	size_t D = m->site->in, i;

	if (part == PEFT_FUSION_Q_BIAS || part == PEFT_FUSION_K_BIAS)
		peft_init_const(value, n, 0);
	else if (part != PEFT_FUSION_V || !f->near_one)
		peft_init_normal(rng, value, n, 0.02);
	else
		for (i = 0; i < n; i++)
			value[i] = i / D == i % D ? 1 : 1e-6f;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	m->state = peft_calloc(1, sizeof(struct peft_fused), err);
	return m->state == NULL ? -1 : 0;
}

/* Bottlenecks of the same number give their place up. */
static int
take_members(struct peft_module *m, struct peft_site *site, int index,
    struct peft_err *err)
{
	struct peft_fused *s = m->state;
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
		if (s->n == PEFT_FUSION_MOST)
			return peft_seterr(err, "more than %d to fuse",
			    PEFT_FUSION_MOST);
		s->member[s->n++] = one;
		*h = (*h)->next;
	}
	return 0;
}

/* A new one has a part where its members do; that is known only now. */
static void
leave_out(struct peft_module *m)
{
	int i;

	for (i = PEFT_FUSION_Q; i <= PEFT_FUSION_V; i++)
		if (m->param[i] != NULL) {
			m->param[i]->n = 0;
			m->param[i]->unsaved = true;
		}
}

/* Is it the last, and none has found a member? */
static bool
is_idle(const struct peft_module *m)
{
	const struct peft_adapter *a = m->adapter;
	const struct peft_fused *s;
	size_t i;

	if (m != &a->modules[a->nsites - 1])
		return false;
	for (i = 0; i < a->nsites; i++)
		if ((s = a->modules[i].state) != NULL && s->n > 0)
			return false;
	return true;
}

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	struct peft_site *site = peft_sites_find(sites, m->site->path);
	const struct peft_fusion *f = m->settings;
	const struct peft_fused *s = m->state;
	size_t there = 0, want = 0;
	struct peft_hook **end;
	int i;

	for (i = PEFT_FUSION_Q; i <= PEFT_FUSION_V; i++) {
		want += m->param[i] != NULL;
		there += m->param[i] != NULL && m->param[i]->n > 0;
	}
	if (there != 0 && there != want)
		return peft_setfail(err, PEFT_CHECK, "some of the tensors of "
		    "its fusion are missing");
	if (take_members(m, site, index, err) == -1)
		return -1;
	if (s->n == 0 && m->adapter->fresh) {
		leave_out(m);
		if (is_idle(m))
			return peft_seterr(err, "there is nothing to fuse: "
			    "name two or more bottlenecks (--frozen)");
	}
	if (s->n == 0 && (there == 0 || m->adapter->fresh))
		return 0;
	if (there == 0)
		return peft_setfail(err, PEFT_CHECK, "an adapter has a part "
		    "there, and the fusion has none");
	if (s->n < 2 || (f->n > 0 && s->n != f->n))
		return peft_setfail(err, PEFT_CHECK, "a fusion of %zu adapters "
		    "finds %zu: they stand before it, --combine "
		    "NAME=A,B,./FUSION", f->n > 0 ? f->n : 2, s->n);
	m->hook = (struct peft_hook){ &peft_fusion_hook, m, index, NULL };
	for (end = &site->hooks; *end != NULL; end = &(*end)->next)
		;
	*end = &m->hook;
	return 0;
}

/* 0.01 |I - Wv|^2 of all, which the library adds in training. */
static double
penalty(struct peft_adapter *a)
{
	const struct peft_fusion *f = a->settings;
	double sum = 0;
	size_t i, k;

	for (i = 0; f->regular && i < a->nmodules; i++) {
		struct peft_param *p = a->modules[i].method == a->method ?
		    a->modules[i].param[PEFT_FUSION_V] : NULL;
		size_t D = p == NULL ? 0 : a->modules[i].site->in;

		for (k = 0; p != NULL && k < p->n; k++) {
			float off = p->value[k] - (k / D == k % D);

			sum += 0.01 * (double)off * (double)off;
			p->grad[k] += 0.02f * off;
		}
	}
	return sum;
}

const struct peft_method peft_hub_fusion = {
	.type = "AH_FUSION", .name = "ah-fusion", .hub = true,
	.files = { "model_adapter_fusion.safetensors",
	    "adapter_fusion_config.json" },
	.keys = keys, .size = sizeof(struct peft_fusion), .check = check,
	.kinds = 1 << PEFT_JOIN, .wanted = wanted, .shapes = shapes,
	.init = init, .prepare = prepare, .attach = attach,
	.penalty = penalty,
};
