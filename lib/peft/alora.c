/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activated LoRA (Greenewald et al. 2025) as PEFT has it: the adapter acts
 * from the last place on where its invocation's tokens stand
 * (alora_invocation_tokens), and what came before is the base's.
 */

#include "peft/alora.h"

static int
read_ids(struct peft_adapter *a, const cJSON *list, struct peft_err *err)
{
	size_t vocab = a->model == NULL ? INT32_MAX : a->model->vocab, n = 0;
	int32_t *ids = peft_calloc((size_t)cJSON_GetArraySize(list),
	    sizeof(*ids), err);
	const cJSON *e;

	if ((a->invoked = ids) == NULL)
		return -1;
	cJSON_ArrayForEach(e, list) {
		if (!cJSON_IsNumber(e) || e->valuedouble < 0 ||
		    e->valuedouble >= (double)vocab ||
		    e->valuedouble != (double)e->valueint)
			return peft_seterr(err, "alora_invocation_tokens: "
			    "entry %zu is no token of this model", n + 1);
		ids[n++] = e->valueint;
	}
	a->invocation = (struct peft_invocation){ .ids = ids, .n = n };
	return 0;
}

int
peft_alora_open(struct peft_adapter *a, struct peft_err *err)
{
	static const char *const others[] = { "use_dora", "target_parameters",
	    "modules_to_save", "trainable_token_indices", NULL };
	const cJSON *list = peft_json_get(a->config,
	    "alora_invocation_tokens");
	size_t i;

	if (list == NULL || cJSON_IsNull(list) ||
	    (cJSON_IsArray(list) && list->child == NULL))
		return 0;
	if (!cJSON_IsArray(list))
		return peft_seterr(err, "alora_invocation_tokens is no list "
		    "of token ids");
	for (i = 0; others[i] != NULL; i++)
		if (peft_config_off(a->config, others[i], err) == -1)
			return peft_seterr(err, "alora_invocation_tokens "
			    "excludes %s", others[i]);
	return read_ids(a, list, err);
}

void
peft_alora_attach(struct peft_adapter *a, struct peft_sites *sites, int index)
{
	if (a->invocation.n == 0)
		return;
	a->invocation.adapter = index;
	a->invocation.next = sites->invocations;
	sites->invocations = &a->invocation;
}
