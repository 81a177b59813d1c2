/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdaLoRA (Zhang et al. 2023) as PEFT has it: dW = s B (A o E), s = alpha /
 * (init_r + 1e-5); A [r, in], E [r, 1], B [out, r].  How ranks are given out
 * during training is in adalora-budget.c.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/adalora.h"

/* Beside LoRA's keys, and instead of some of them. */
#define AT(field)	offsetof(struct peft_adalora, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("init_r", "12", AT(init_r), 1, 1 << 20),
	PEFT_SET_INT("target_r", "8", AT(target_r), 1, 1 << 20),
	PEFT_SET_INT("tinit", "0", AT(tinit), 0, 1 << 30),
	PEFT_SET_INT("tfinal", "0", AT(tfinal), 0, 1 << 30),
	PEFT_SET_INT("deltaT", "1", AT(every), 1, 1 << 30),
	PEFT_SET_INT("total_step", "null", AT(total), 1, 1 << 30),
	PEFT_SET("beta1", "0.85", peft_set_real, AT(beta1)),
	PEFT_SET("beta2", "0.85", peft_set_real, AT(beta2)),
	PEFT_SET("orth_reg_weight", "0.5", peft_set_real, AT(orthogonal)),
	PEFT_SET("init_lora_weights", "true", peft_set_not, AT(random)),
	PEFT_SET("rank_pattern", "null", peft_set_json, AT(ranks)),
	PEFT_SET_OFF("alpha_pattern", "{}"), PEFT_SET_OFF("use_dora", "false"),
	PEFT_SET_OFF("lora_bias", "false"),
	PEFT_SET_OFF("alora_invocation_tokens", "null"),
	PEFT_SET_OFF("target_parameters", "null"),
	PEFT_SET_OFF("loftq_config", "{}"), PEFT_SET_END
};

/* rank_pattern: "PATH.lora_E" to a list of which of init_r are left. */
static int
module_rank(const struct peft_adalora *l, const struct peft_site *s,
    size_t *rank, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const cJSON *list, *e;

	*rank = (size_t)l->init_r;
	if (l->ranks != NULL && !cJSON_IsObject(l->ranks) &&
	    !cJSON_IsNull(l->ranks))
		return peft_seterr(err, "rank_pattern is no object of modules "
		    "and lists");
	peft_buf_printf(&b, "%s.lora_E", s->path);
	list = l->ranks == NULL || b.failed ? NULL :
	    peft_json_get(l->ranks, b.data);
	peft_buf_free(&b);
	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list) ||
	    cJSON_GetArraySize(list) != (int)l->init_r)
		return peft_seterr(err, "rank_pattern is no list of init_r = "
		    "%d entries", (int)l->init_r);
	*rank = 0;
	cJSON_ArrayForEach(e, list) {
		if (!cJSON_IsBool(e))
			return peft_seterr(err, "rank_pattern holds something "
			    "that is neither true nor false");
		*rank += cJSON_IsTrue(e) != 0;
	}
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_adalora *l = settings;

	if (module_rank(l, m->site, &m->rank, err) == -1)
		return -1;
	if (m->adapter->fresh && (l->total == 0 ||
	    l->tinit >= l->total - l->tfinal))
		return peft_seterr(err, "AdaLoRA needs total_step, and tinit "
		    "below total_step - tfinal");
	m->scale = (float)((l->lora.alpha > 0 ? l->lora.alpha :
	    (double)l->init_r) / ((double)l->init_r + 1e-5));
	m->dropout = l->lora.dropout;
	out[PEFT_ADA_A] = peft_shape2("lora_A", m->rank, m->site->in);
	out[PEFT_ADA_B] = peft_shape2("lora_B", m->site->out, m->rank);
	out[PEFT_ADA_E] = peft_shape2("lora_E", m->rank, 1);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_adalora *l = settings;

	(void)m;
	if (part == PEFT_ADA_E && !l->random)
		peft_init_const(value, n, 0);
	else
		peft_init_normal(rng, value, n, 0.02);
}

static void
make(const struct peft_module *m, float *a, float *b)
{
	size_t in = m->site->in, k;

	memset(a, 0, m->rank * in * sizeof(*a));
	for (k = 0; k < m->rank; k++)
		peft_vec_best()->axpy(a + k * in,
		    m->param[PEFT_ADA_E]->value[k],
		    m->param[PEFT_ADA_A]->value + k * in, in);
	memcpy(b, m->param[PEFT_ADA_B]->value, m->param[PEFT_ADA_B]->n *
	    sizeof(*b));
}

static void
back(const struct peft_module *m, const float *ga, const float *gb)
{
	const struct peft_vec *v = peft_vec_best();
	const struct peft_param *a = m->param[PEFT_ADA_A];
	const struct peft_param *e = m->param[PEFT_ADA_E];
	size_t in = m->site->in, k;

	for (k = 0; k < m->rank; k++) {
		e->grad[k] += v->dot(ga + k * in, a->value + k * in, in);
		v->axpy(a->grad + k * in, e->value[k], ga + k * in, in);
	}
	v->add(m->param[PEFT_ADA_B]->grad, gb, m->param[PEFT_ADA_B]->n);
}

static const struct peft_lowrank_ops ops = { make, back };

const struct peft_method peft_adalora = {
	.type = "ADALORA", .name = "adalora",
	.knobs = { [PEFT_KNOB_RANK] = "init_r",
	    [PEFT_KNOB_ALPHA] = "lora_alpha", [PEFT_KNOB_DROPOUT] = "lora_dropout" },
	.keys = keys, .shared = peft_lora_keys,
	.size = sizeof(struct peft_adalora),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .bounded = true,
	.shapes = shapes, .init = init, .prepare = peft_lowrank_prepare,
	.hook = &peft_lowrank_hook, .ops = &ops,
	.changes = peft_lowrank_changes, .merge = peft_lowrank_merge,
	.penalty = peft_adalora_penalty, .stepped = peft_adalora_stepped,
	.finish = peft_adalora_finish, .kept = peft_adalora_kept,
};
