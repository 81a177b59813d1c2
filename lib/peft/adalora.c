/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdaLoRA (Zhang et al. 2023) as PEFT has it: dW = s B (A o E), s = alpha /
 * (init_r + 1e-5); A [r, in], E [r, 1], B [out, r].  How ranks are given out
 * during training is in adalora-budget.c.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/adalora.h"

static const char *const keys[][2] = {
	{ "r", "8" }, { "exclude_modules", "null" }, { "lora_alpha", "8" },
	{ "lora_dropout", "0.0" }, { "fan_in_fan_out", "false" },
	{ "bias", "\"none\"" }, { "use_rslora", "false" },
	{ "modules_to_save", "null" }, { "init_lora_weights", "true" },
	{ "layers_to_transform", "null" }, { "layers_pattern", "null" },
	{ "rank_pattern", "null" }, { "alpha_pattern", "{}" },
	{ "megatron_config", "null" }, { "megatron_core", "\"megatron.core\"" },
	{ "trainable_token_indices", "null" }, { "loftq_config", "{}" },
	{ "eva_config", "null" }, { "corda_config", "null" },
	{ "lora_ga_config", "null" }, { "use_dora", "false" },
	{ "velora_config", "null" }, { "alora_invocation_tokens", "null" },
	{ "use_qalora", "false" }, { "qalora_group_size", "16" },
	{ "monteclora_config", "null" }, { "layer_replication", "null" },
	{ "lora_bias", "false" }, { "target_parameters", "null" },
	{ "use_bdlora", "null" }, { "arrow_config", "null" },
	{ "kasa_config", "null" }, { "ensure_weight_tying", "false" },
	{ "target_r", "8" }, { "init_r", "12" }, { "tinit", "0" },
	{ "tfinal", "0" }, { "deltaT", "1" }, { "beta1", "0.85" },
	{ "beta2", "0.85" }, { "orth_reg_weight", "0.5" },
	{ "total_step", "null" }, { NULL, NULL }
};

static const char *const off[] = {
	"use_dora", "use_qalora", "lora_bias", "layer_replication",
	"alora_invocation_tokens", "target_parameters", "velora_config",
	"monteclora_config", "kasa_config", "arrow_config", "use_bdlora",
	"megatron_config", "ensure_weight_tying", "alpha_pattern",
	"loftq_config", NULL
};

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	struct peft_adalora *l = peft_calloc(1, sizeof(*l), err);
	bool start = true;
	size_t i;

	if ((*settings = l) == NULL)
		return -1;
	*l = (struct peft_adalora){ .init_r = 12, .target_r = 8, .alpha = 8,
	    .every = 1, .beta1 = 0.85, .beta2 = 0.85, .orthogonal = 0.5 };
	if (peft_json_int(config, "init_r", 1, 1 << 20, &l->init_r,
	    err) == -1 || peft_json_int(config, "target_r", 1, 1 << 20,
	    &l->target_r, err) == -1 ||
	    peft_json_int(config, "tinit", 0, 1 << 30, &l->tinit,
	    err) == -1 || peft_json_int(config, "tfinal", 0, 1 << 30,
	    &l->tfinal, err) == -1 || peft_json_int(config, "deltaT", 1,
	    1 << 30, &l->every, err) == -1 || peft_json_int(config,
	    "total_step", 1, 1 << 30, &l->total, err) == -1 ||
	    peft_json_real(config, "beta1", &l->beta1, err) == -1 ||
	    peft_json_real(config, "beta2", &l->beta2, err) == -1 ||
	    peft_json_real(config, "orth_reg_weight", &l->orthogonal,
	    err) == -1 ||
	    peft_json_real(config, "lora_alpha", &l->alpha, err) == -1 ||
	    peft_config_dropout(config, "lora_dropout", &l->dropout,
	    err) == -1 ||
	    peft_json_bool(config, "init_lora_weights", &start, err) == -1)
		return -1;
	for (i = 0; off[i] != NULL; i++)
		if (peft_config_off(config, off[i], err) == -1)
			return -1;
	l->random = !start;
	l->ranks = peft_json_get(config, "rank_pattern");
	if (cJSON_IsNull(l->ranks))
		l->ranks = NULL;
	return 0;
}

/* rank_pattern: "PATH.lora_E" to a list of which of init_r are left. */
static int
module_rank(const struct peft_adalora *l, const struct peft_site *s,
    size_t *rank, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const cJSON *list, *e;

	*rank = (size_t)l->init_r;
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
	m->scale = (float)((l->alpha > 0 ? l->alpha : (double)l->init_r) /
	    ((double)l->init_r + 1e-5));
	m->dropout = l->dropout;
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
	    [PEFT_KNOB_ALPHA] = "lora_alpha",
	    [PEFT_KNOB_DROPOUT] = "lora_dropout" },
	.keys = keys,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .bounded = true,
	.parse = parse,
	.shapes = shapes, .init = init, .prepare = peft_lowrank_prepare,
	.hook = &peft_lowrank_hook, .ops = &ops,
	.changes = peft_lowrank_changes, .merge = peft_lowrank_merge,
	.penalty = peft_adalora_penalty, .stepped = peft_adalora_stepped,
	.finish = peft_adalora_finish, .kept = peft_adalora_kept,
};
