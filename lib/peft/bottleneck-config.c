/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of bottleneck adapters. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "peft/bottleneck.h"

/* A number, "learned" or "channel". */
static int
read_scaling(const struct peft_setting *key, const cJSON *config,
    void *settings, struct peft_err *err)
{
	static const char *const words[] = { "learned", "channel", NULL };
	const struct peft_setting in_words = { .key = key->key,
	    .words = words };
	struct peft_bn *s = settings;
	int word = 0;

	if (!cJSON_IsString(peft_json_get(config, key->key)))
		return peft_json_real(config, key->key, &s->scale, err);
	if (peft_set_choice(&in_words, config, &word, err) == -1)
		return -1;
	s->scaling = word == 2 ? PEFT_BN_LEARNED : PEFT_BN_CHANNEL;
	return 0;
}

/* A number, or one of each layer. */
static int
read_factor(const struct peft_setting *key, const cJSON *config,
    void *settings, struct peft_err *err)
{
	const cJSON *f = peft_json_get(config, key->key), *e;
	struct peft_bn *s = settings;

	if (cJSON_IsNumber(f)) {
		s->factor = f->valuedouble;
		return s->factor > 0 ? 0 : peft_seterr(err, "reduction_factor "
		    "%g is not above 0", s->factor);
	}
	if (!cJSON_IsObject(f))
		return peft_seterr(err, "reduction_factor is neither a number "
		    "nor an object of layers");
	cJSON_ArrayForEach(e, f)
		if (!cJSON_IsNumber(e) || !(e->valuedouble > 0))
			return peft_seterr(err, "reduction_factor: of \"%s\" "
			    "it is no number above 0", e->string);
	s->factors = f;
	return 0;
}

static int
read_residual(const struct peft_setting *key, const cJSON *config,
    void *at, struct peft_err *err)
{
	const cJSON *r = peft_json_get(config, key->key);

	if (!cJSON_IsString(r))
		return peft_set_bool(key, config, at, err);
	return peft_seterr(err, "residual_before_ln \"%s\": there is no norm "
	    "behind a branch here that it could be before", r->valuestring);
}

static const char *const starts[] = { "bert", "mam_adapter", "houlsby", NULL };
static const char *const rules[] = { "normal", "uniform", NULL };

/* Where the library has no default, seq_bn's. */
#define AT(field)	offsetof(struct peft_bn, field)
#define BOOL(key, usual, field) \
	PEFT_SET(key, usual, peft_set_bool, AT(field))
const struct peft_setting peft_bn_keys[] = {
	BOOL("mh_adapter", "false", mh), BOOL("output_adapter", "true", output),
	PEFT_SET("reduction_factor", "16", read_factor, 0),
	PEFT_SET("non_linearity", "\"relu\"", peft_set_nonlinear, AT(act)),
	BOOL("original_ln_before", "false", with_stream),
	BOOL("original_ln_after", "true", keep_stream),
	BOOL("ln_before", "false", before), BOOL("ln_after", "false", after),
	PEFT_SET_WORD("init_weights", "\"bert\"", peft_set_choice, AT(start),
	    starts),
	PEFT_SET_LATER("init_weights_seed", "null"),
	BOOL("is_parallel", "false", parallel),
	PEFT_SET("scaling", "1.0", read_scaling, 0),
	BOOL("use_gating", "false", gating),
	PEFT_SET("residual_before_ln", "true", read_residual,
	    AT(residual_is_branch)),
	BOOL("adapter_residual_before_ln", "false", residual_in_norm),
	PEFT_SET_OFF("inv_adapter", "null"),
	PEFT_SET_LATER("inv_adapter_reduction_factor", "null"),
	PEFT_SET_OFF("cross_adapter", "false"),
	PEFT_SET("leave_out", "[]", peft_set_left_out, AT(leave_out)),
	PEFT_SET("dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("stochastic_depth", "0.0", peft_set_share, AT(depth)),
	BOOL("phm_layer", "false", phm),
	PEFT_SET_INT("phm_dim", "4", AT(phm_dim), 1, 1 << 16),
	PEFT_SET_INT("phm_rank", "1", AT(phm_rank), 1, 1 << 16),
	BOOL("factorized_phm_W", "true", factorized_w),
	BOOL("shared_W_phm", "false", shared_w),
	BOOL("shared_phm_rule", "true", shared_rule),
	BOOL("factorized_phm_rule", "false", factorized_rule),
	PEFT_SET_WORD("phm_c_init", "\"normal\"", peft_set_choice, AT(rule),
	    rules),
	PEFT_SET("phm_init_range", "0.0001", peft_set_real, AT(phm_range)),
	BOOL("learn_phm", "true", learn_rule),
	PEFT_SET_LATER("hypercomplex_nonlinearity", "\"glorot-uniform\""),
	BOOL("phm_bias", "true", phm_bias), PEFT_SET_END
};

int
peft_bn_check(const cJSON *config, void *settings, struct peft_err *err)
{
	struct peft_bn *s = settings;

	(void)config;
	s->uniform_rule = s->rule == 3;
	if (!s->mh && !s->output)
		return peft_seterr(err, "neither mh_adapter nor "
		    "output_adapter: the adapter is nowhere");
	if (s->phm && s->start != PEFT_BN_BERT)
		return peft_seterr(err, "init_weights must be \"bert\" "
		    "with phm_layer");
	if (s->phm && s->shared_w && (!s->factorized_w || s->factors != NULL))
		return peft_seterr(err, "shared_W_phm needs factorized_phm_W "
		    "and one reduction_factor");
	return 0;
}

/* The floor of D / factor, at least 1. */
int
peft_bn_width(const struct peft_bn *s, int layer, size_t hidden,
    size_t *width, struct peft_err *err)
{
	const cJSON *f;
	double factor = s->factor, k;
	char key[16];

	if (s->factors != NULL) {
		snprintf(key, sizeof(key), "%d", layer);
		f = peft_json_get(s->factors, key);
		if (f == NULL)
			f = peft_json_get(s->factors, "default");
		if (f == NULL)
			return peft_seterr(err, "reduction_factor names "
			    "neither layer %d nor a default", layer);
		factor = f->valuedouble;
	}
	k = floor((double)hidden / factor);
	if (k > 1 << 24)
		return peft_seterr(err, "reduction_factor %g makes a "
		    "bottleneck of %g", factor, k);
	*width = k < 1 ? 1 : (size_t)k;
	return 0;
}
