/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of bottleneck adapters. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "peft/bottleneck.h"

/* Where the library has no default, seq_bn's. */
const char *const peft_bn_keys[][2] = {
	{ "mh_adapter", "false" }, { "output_adapter", "true" },
	{ "reduction_factor", "16" }, { "non_linearity", "\"relu\"" },
	{ "original_ln_before", "false" }, { "original_ln_after", "true" },
	{ "ln_before", "false" }, { "ln_after", "false" },
	{ "init_weights", "\"bert\"" }, { "init_weights_seed", "null" },
	{ "is_parallel", "false" }, { "scaling", "1.0" },
	{ "use_gating", "false" }, { "residual_before_ln", "true" },
	{ "adapter_residual_before_ln", "false" }, { "inv_adapter", "null" },
	{ "inv_adapter_reduction_factor", "null" },
	{ "cross_adapter", "false" }, { "leave_out", "[]" },
	{ "dropout", "0.0" }, { "phm_layer", "false" }, { "phm_dim", "4" },
	{ "factorized_phm_W", "true" }, { "shared_W_phm", "false" },
	{ "shared_phm_rule", "true" }, { "factorized_phm_rule", "false" },
	{ "phm_c_init", "\"normal\"" }, { "phm_init_range", "0.0001" },
	{ "learn_phm", "true" },
	{ "hypercomplex_nonlinearity", "\"glorot-uniform\"" },
	{ "phm_rank", "1" }, { "phm_bias", "true" },
	{ "stochastic_depth", "0.0" }, { NULL, NULL }
};

static int
parse_bools(const cJSON *config, struct peft_bn *s, struct peft_err *err)
{
	const struct { const char *key; bool *at; } rows[] = {
		{ "mh_adapter", &s->mh }, { "output_adapter", &s->output },
		{ "is_parallel", &s->parallel }, { "use_gating", &s->gating },
		{ "ln_before", &s->before }, { "ln_after", &s->after },
		{ "original_ln_before", &s->with_stream },
		{ "original_ln_after", &s->keep_stream },
		{ "adapter_residual_before_ln", &s->residual_in_norm },
		{ "phm_layer", &s->phm },
		{ "shared_phm_rule", &s->shared_rule },
		{ "factorized_phm_rule", &s->factorized_rule },
		{ "learn_phm", &s->learn_rule },
		{ "shared_W_phm", &s->shared_w },
		{ "factorized_phm_W", &s->factorized_w },
		{ "phm_bias", &s->phm_bias },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (peft_json_bool(config, rows[i].key, rows[i].at, err) == -1)
			return -1;
	return 0;
}

/* A number, "learned" or "channel". */
static int
parse_scaling(const cJSON *config, struct peft_bn *s, struct peft_err *err)
{
	static const char *const words[] = { "learned", "channel", NULL };
	int word = 0;

	if (!cJSON_IsString(peft_json_get(config, "scaling")))
		return peft_json_real(config, "scaling", &s->scale, err) ==
		    -1 ? -1 : 0;
	if (peft_config_choice(config, "scaling", words, &word, err) == -1)
		return -1;
	s->scaling = word == 2 ? PEFT_BN_LEARNED : PEFT_BN_CHANNEL;
	return 0;
}

static int
check_factor(const cJSON *f, struct peft_err *err)
{
	const cJSON *e;

	if (f == NULL || cJSON_IsNumber(f)) {
		if (f == NULL || f->valuedouble > 0)
			return 0;
		return peft_seterr(err, "reduction_factor %g is not above 0",
		    f->valuedouble);
	}
	if (!cJSON_IsObject(f))
		return peft_seterr(err, "reduction_factor is neither a number "
		    "nor an object of layers");
	cJSON_ArrayForEach(e, f)
		if (!cJSON_IsNumber(e) || !(e->valuedouble > 0))
			return peft_seterr(err, "reduction_factor: of \"%s\" "
			    "it is no number above 0", e->string);
	return 0;
}

/* What the library itself cannot compute, or what we do not. */
static int
check_off(const cJSON *config, const struct peft_bn *s, struct peft_err *err)
{
	const cJSON *r = peft_json_get(config, "residual_before_ln");

	if (peft_config_off(config, "inv_adapter", err) == -1 ||
	    peft_config_off(config, "cross_adapter", err) == -1)
		return -1;
	if (cJSON_IsString(r))
		return peft_seterr(err, "residual_before_ln \"%s\": there is "
		    "no norm behind a branch here that it could be before",
		    r->valuestring);
	if (!s->mh && !s->output)
		return peft_seterr(err, "neither mh_adapter nor "
		    "output_adapter: the adapter is nowhere");
	if (s->phm && s->start != PEFT_BN_BERT)
		return peft_seterr(err, "init_weights must be \"bert\" "
		    "with phm_layer");
	if (s->phm && s->shared_w && (!s->factorized_w ||
	    cJSON_IsObject(s->factor)))
		return peft_seterr(err, "shared_W_phm needs factorized_phm_W "
		    "and one reduction_factor");
	return 0;
}

static int
parse_words(const cJSON *config, struct peft_bn *s, struct peft_err *err)
{
	static const char *const starts[] = { "bert", "mam_adapter",
	    "houlsby", NULL }, *const rules[] = { "normal", "uniform", NULL };
	const char *act = "relu";
	int start = 2, rule = 2;

	if (peft_config_choice(config, "init_weights", starts, &start,
	    err) == -1 || peft_config_choice(config, "phm_c_init", rules,
	    &rule, err) == -1 || peft_json_str(config, "non_linearity", &act,
	    err) == -1 || (s->act = peft_nonlinear_find(act, err)) == NULL)
		return -1;
	s->start = start == 3 ? PEFT_BN_MAM : start == 4 ? PEFT_BN_HOULSBY :
	    PEFT_BN_BERT;
	s->uniform_rule = rule == 3;
	return 0;
}

int
peft_bn_parse(const cJSON *config, void **settings, struct peft_err *err)
{
	struct peft_bn *s = peft_calloc(1, sizeof(*s), err);

	if ((*settings = s) == NULL)
		return -1;
	*s = (struct peft_bn){ .output = true, .keep_stream = true,
	    .scale = 1, .shared_rule = true, .learn_rule = true,
	    .factorized_w = true, .phm_bias = true, .residual_is_branch =
	    true, .phm_dim = 4, .phm_rank = 1, .phm_range = 0.0001 };
	s->factor = peft_json_get(config, "reduction_factor");
	s->leave_out = peft_json_get(config, "leave_out");
	if (!cJSON_IsString(peft_json_get(config, "residual_before_ln")) &&
	    peft_json_bool(config, "residual_before_ln",
	    &s->residual_is_branch, err) == -1)
		return -1;
	if (parse_bools(config, s, err) == -1 ||
	    parse_scaling(config, s, err) == -1 ||
	    parse_words(config, s, err) == -1 ||
	    peft_config_dropout(config, "dropout", &s->dropout, err) == -1 ||
	    peft_config_dropout(config, "stochastic_depth", &s->depth,
	    err) == -1 ||
	    peft_json_int(config, "phm_dim", 1, 1 << 16, &s->phm_dim,
	    err) == -1 || peft_json_int(config, "phm_rank", 1, 1 << 16,
	    &s->phm_rank, err) == -1 || peft_json_real(config,
	    "phm_init_range", &s->phm_range, err) == -1 ||
	    peft_hub_check_left_out(s->leave_out, err) == -1 ||
	    check_factor(s->factor, err) == -1)
		return -1;
	return check_off(config, s, err);
}

/* The floor of D / factor, at least 1. */
int
peft_bn_width(const struct peft_bn *s, int layer, size_t hidden,
    size_t *width, struct peft_err *err)
{
	const cJSON *f = s->factor;
	char key[16];
	double k;

	if (cJSON_IsObject(f)) {
		snprintf(key, sizeof(key), "%d", layer);
		f = peft_json_get(s->factor, key);
		if (f == NULL)
			f = peft_json_get(s->factor, "default");
		if (f == NULL)
			return peft_seterr(err, "reduction_factor names "
			    "neither layer %d nor a default", layer);
	}
	k = floor((double)hidden / (f == NULL ? 16 : f->valuedouble));
	if (k > 1 << 24)
		return peft_seterr(err, "reduction_factor %g makes a "
		    "bottleneck of %g", f->valuedouble, k);
	*width = k < 1 ? 1 : (size_t)k;
	return 0;
}
