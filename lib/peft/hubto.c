/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters of the adapters library as PEFT's methods: LoRA is LoRA, what it
 * calls composition_mode "scale" is IA3 of outputs, prefixes are prefixes.
 * PEFT has no bottleneck adapters, gates or unions.
 */

#include <stdlib.h>
#include <string.h>

#include "peft/hub.h"
#include "peft/layout.h"
#include "peft/virtual.h"

extern const struct peft_method peft_hub_lora, peft_hub_prefix_tuning;

static int
check(const struct peft_adapter *a, struct peft_err *err)
{
	size_t i;

	if (a->method != &peft_hub_lora && a->method != &peft_hub_prefix_tuning)
		return peft_setfail(err, PEFT_CHECK, "PEFT has nothing like a "
		    "%s adapter of the adapters library: it stays in that "
		    "layout (--layout adapters)", a->method->name);
	if (!peft_json_off(peft_json_get(a->config, "use_gating")))
		return peft_setfail(err, PEFT_CHECK, "PEFT has no gates "
		    "(use_gating)");
	for (i = 0; i < a->nmodules; i++)
		if (a->modules[i].method != a->method)
			return peft_setfail(err, PEFT_CHECK, "%s: a head "
			    "beside the adapter is not carried over",
			    a->modules[i].site == NULL ? "the model" :
			    a->modules[i].site->path);
	return 0;
}

static void
copy(cJSON *to, const char *key, const cJSON *from, const char *name)
{
	const cJSON *v = peft_json_get(from, name);

	if (v != NULL)
		peft_json_set(to, key, cJSON_CreateNumber(v->valuedouble));
}

static cJSON *
linear_config(const struct peft_adapter *a, const struct peft_sites *sites,
    bool ia3, struct peft_err *err)
{
	bool *taken = peft_calloc(sites->n + 1, sizeof(*taken), err);
	cJSON *c;
	size_t i;

	if (taken == NULL)
		return NULL;
	for (i = 0; i < a->nmodules; i++)
		taken[a->modules[i].site - sites->at] = true;
	c = peft_lora_config(sites, taken, 8, NULL);
	free(taken);
	peft_json_set(c, "lora_alpha", cJSON_CreateNumber(8));
	if (!ia3) {
		copy(c, "r", a->config, "r");
		copy(c, "lora_alpha", a->config, "alpha");
		copy(c, "lora_dropout", a->config, "dropout");
		return c;
	}
	cJSON_DeleteItemFromObjectCaseSensitive(c, "r");
	cJSON_DeleteItemFromObjectCaseSensitive(c, "lora_alpha");
	peft_json_set(c, "peft_type", cJSON_CreateString("IA3"));
	peft_json_set(c, "feedforward_modules", cJSON_CreateArray());
	return c;
}

static struct peft_adapter *
linear(const struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_err *err)
{
	const cJSON *mode = peft_json_get(a->config, "composition_mode");
	bool ia3 = cJSON_IsString(mode) &&
	    strcmp(mode->valuestring, "scale") == 0;
	float times = ia3 && a->nmodules > 0 ? a->modules[0].scale : 1;
	cJSON *c = linear_config(a, sites, ia3, err);
	struct peft_adapter *to = c == NULL ? NULL :
	    peft_adapter_new(c, sites, 0, err);

	cJSON_Delete(c);
	if (to != NULL && peft_hub_move(a, to, sites, NULL, ia3 ? 1 : 2, times,
	    err) == 0)
		return to;
	peft_adapter_close(to);
	return NULL;
}

static struct peft_adapter *
prefix(const struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_err *err)
{
	struct peft_module *m = a->common;
	size_t n = m->own[PEFT_VIRTUAL_N];
	struct peft_adapter *to;
	cJSON *c;

	if (m->param[PEFT_PROMPT]->fixed &&
	    peft_hub_prefix_make(m, err) == -1)
		return NULL;
	c = cJSON_CreateObject();
	cJSON_AddStringToObject(c, "peft_type", "PREFIX_TUNING");
	cJSON_AddNumberToObject(c, "num_virtual_tokens", (double)n);
	to = peft_adapter_new(c, sites, 0, err);
	cJSON_Delete(c);
	if (to != NULL) {
		float *v = to->common->param[PEFT_PROMPT]->value;

		memcpy(v, m->param[PEFT_PROMPT]->value,
		    m->param[PEFT_PROMPT]->n * sizeof(*v));
		if (peft_hub_turn(sites->config, v, n, (int)n, err) == 0)
			return to;
	}
	peft_adapter_close(to);
	return NULL;
}

struct peft_adapter *
peft_hub_to_peft(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_err *err)
{
	if (check(a, err) == -1)
		return NULL;
	return a->method == &peft_hub_lora ? linear(a, sites, err) :
	    prefix(a, sites, err);
}
