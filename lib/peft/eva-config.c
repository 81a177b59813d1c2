/* SPDX-License-Identifier: Apache-2.0 */
/* What EVA is told, and what it leaves. */

#include <math.h>
#include <string.h>

#include "peft/eva.h"
#include "peft/target.h"

int
peft_eva_settings(const cJSON *config, struct peft_eva_settings *s,
    struct peft_err *err)
{
	const cJSON *e = peft_json_get(config, "eva_config"), *k;
	static const char *const known[] = { "rho", "tau", "use_label_mask",
	    "label_mask_value", "whiten", "adjust_scaling_factors", NULL };
	size_t i;

	*s = (struct peft_eva_settings){ 2, 0.99, true, false, true, -100 };
	if (e == NULL || cJSON_IsNull(e))
		return 0;
	if (!cJSON_IsObject(e))
		return peft_seterr(err, "eva_config is no object");
	cJSON_ArrayForEach(k, e) {
		for (i = 0; known[i] != NULL &&
		    strcmp(known[i], k->string) != 0; i++)
			;
		if (known[i] == NULL)
			return peft_seterr(err, "eva_config: key \"%s\" is "
			    "not honoured here", k->string);
	}
	if (peft_json_real(e, "rho", &s->rho, err) == -1 ||
	    peft_json_real(e, "tau", &s->tau, err) == -1 ||
	    peft_json_bool(e, "use_label_mask", &s->mask, err) == -1 ||
	    peft_json_bool(e, "whiten", &s->whiten, err) == -1 ||
	    peft_json_bool(e, "adjust_scaling_factors", &s->adjust,
	    err) == -1 || peft_json_int(e, "label_mask_value", INT32_MIN,
	    INT32_MAX, &s->ignore, err) == -1)
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
