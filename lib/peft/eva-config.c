/* SPDX-License-Identifier: Apache-2.0 */
/* What EVA is told, and what it leaves. */

#include <math.h>
#include <string.h>

#include "peft/eva.h"
#include "peft/target.h"

#define AT(field)	offsetof(struct peft_eva_settings, field)
static const struct peft_setting keys[] = {
	PEFT_SET("rho", "2.0", peft_set_real, AT(rho)),
	PEFT_SET("tau", "0.99", peft_set_real, AT(tau)),
	PEFT_SET("use_label_mask", "true", peft_set_bool, AT(mask)),
	PEFT_SET("whiten", "false", peft_set_bool, AT(whiten)),
	PEFT_SET("adjust_scaling_factors", "true", peft_set_bool, AT(adjust)),
	PEFT_SET_INT("label_mask_value", "-100", AT(ignore), INT32_MIN,
	    INT32_MAX),
	PEFT_SET_END
};

int
peft_eva_settings(const cJSON *config, struct peft_eva_settings *s,
    struct peft_err *err)
{
	if (peft_settings_inner(keys, config, "eva_config", s, err) == -1)
		return -1;
	if (!(s->rho >= 1) || !(s->rho <= 1000))
		return peft_seterr(err, "eva_config: rho %g is not in [1, "
		    "1000]", s->rho);
	if (!(s->tau >= 0) || !(s->tau <= 1))
		return peft_seterr(err, "eva_config: tau %g is not in [0, 1]",
		    s->tau);
	return 0;
}

/* What PEFT's initialize_lora_eva_weights() leaves in the config. */
cJSON *
peft_eva_config(const struct peft_eva *e, const cJSON *config,
    struct peft_err *err)
{
	const cJSON *alphas = peft_json_get(config, "alpha_pattern");
	cJSON *c = cJSON_Duplicate(config, true), *ranks, *scales, *targets;
	double r = 8, a = 8, alpha;
	size_t i;

	if (c == NULL || peft_json_real(c, "r", &r, err) == -1 ||
	    peft_json_real(c, "lora_alpha", &a, err) == -1)
		goto fail;
	ranks = cJSON_CreateObject();
	scales = cJSON_CreateObject();
	targets = cJSON_CreateArray();
	for (i = 0; i < e->probes.n; i++) {
		const struct peft_probe *p = &e->probes.at[i];
		const char *path = p->site->path;
		double was = (double)p->module->rank, now = (double)e->rank[i];

		if (peft_pattern_value(alphas, path, a, &alpha, err) == -1)
			now = 0;
		if (now == 0)
			continue;
		cJSON_AddItemToArray(targets, cJSON_CreateString(path));
		alpha *= e->set.adjust ? now / was : 1;
		if (now != r)
			cJSON_AddNumberToObject(ranks, path, now);
		if (alpha != a)
			cJSON_AddNumberToObject(scales, path, alpha);
	}
	peft_json_set(c, "rank_pattern", ranks);
	peft_json_set(c, "alpha_pattern", scales);
	peft_json_set(c, "target_modules", targets);
	return c;
fail:
	cJSON_Delete(c);
	return NULL;
}

float *
peft_eva_values(const struct peft_eva *e, struct peft_err *err)
{
	size_t i, j, k, n = 0;
	float *values;

	for (i = 0; i < e->probes.n; i++)
		n += e->rank[i] * e->probes.at[i].site->in;
	if ((values = peft_calloc(n + 1, sizeof(*values), err)) == NULL)
		return NULL;
	for (n = 0, i = 0; i < e->probes.n; i++) {
		const struct peft_components *c = &e->input[e->owner[i]].c;

		for (j = 0; j < e->rank[i]; j++) {
			double f = e->set.whiten ? 1 / sqrt(c->value[j]) : 1;

			for (k = 0; k < c->in; k++)
				values[n++] = (float)(f *
				    c->component[j * c->in + k]);
		}
	}
	return values;
}
