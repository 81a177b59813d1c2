/* SPDX-License-Identifier: Apache-2.0 */
/* What llama.cpp's graphs have built in, so that no key of GGUF can say
 * otherwise: config.json must not either. */

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tensor/ggufconfig-impl.h"

/* A list in which element i is b where (i + 1) % period == 0, else a. */
static bool
has_period(const cJSON *list, const char *a, const char *b, unsigned period)
{
	const cJSON *e;
	size_t i = 0;

	cJSON_ArrayForEach(e, list) {
		const char *want = period > 1 && ++i % period == 0 ? b : a;
		char digit[8];

		snprintf(digit, sizeof(digit), "%.0f", cJSON_IsNumber(e) ?
		    e->valuedouble : -1.0);
		if (strcmp(cJSON_IsString(e) ? e->valuestring : digit,
		    want) != 0)
			return false;
	}
	return true;
}

/* Patterns of layers are built into llama.cpp: others cannot be told. */
static int
check_patterns(const struct peft_arch *a, const cJSON *j,
    struct peft_err *err)
{
	const cJSON *types = peft_json_get(j, "layer_types");
	const cJSON *norope = peft_json_get(j, "no_rope_layers");
	const cJSON *window = peft_json_get(j, "sliding_window");
	bool windows = cJSON_IsNumber(window) && window->valuedouble > 0;
	bool use = true;

	if (peft_json_bool(j, "use_sliding_window", &use, err) == -1)
		return -1;
	windows = windows && use;
	if (windows && a->period == 0)
		return peft_seterr(err, "the key \"sliding_window\" cannot be "
		    "told in GGUF for %s", a->hf);
	if (cJSON_IsArray(types) && !has_period(types, windows ?
	    "sliding_attention" : "full_attention", "full_attention",
	    a->period))
		return peft_seterr(err, "layer_types is not the pattern that "
		    "GGUF's %s has", a->gguf);
	if (cJSON_IsArray(norope) && !has_period(norope, "1", "0", 4))
		return peft_seterr(err, "no_rope_layers is not the pattern "
		    "that GGUF's %s has", a->gguf);
	return 0;
}

/* An activation is built into llama.cpp's graph of each family, too. */
static int
check_act(const struct peft_arch *a, const cJSON *j, struct peft_err *err)
{
	static const char *const keys[] = { "hidden_activation", "hidden_act",
	    "activation_function", "activation" };
	static const char *const same[][2] = { { "swish", "silu" },
	    { "gelu_new", "gelu_pytorch_tanh" },
	    { "gelu_fast", "gelu_pytorch_tanh" }, { "gelu_python", "gelu" } };
	const char *want = a->act != NULL ? a->act : "silu", *act = NULL;
	size_t i, n;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && act == NULL; i++)
		if (peft_json_str(j, keys[n = i], &act, err) == -1)
			return -1;
	/* as Gemma's first files call it */
	if (act == NULL || (strcmp(a->hf, "gemma") == 0 && strcmp(act,
	    "gelu") == 0))
		return 0;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (strcmp(same[i][0], act) == 0)
			act = same[i][1];
	return strcmp(act, want) == 0 ? 0 : peft_seterr(err, "%s \"%s\" cannot "
	    "be told in GGUF for %s, which has %s there", keys[n], act, a->hf,
	    want);
}

/* Biases that no tensor of the family's has. */
static int
check_biases(const struct peft_arch *a, const cJSON *j, struct peft_err *err)
{
	static const char *const keys[] = { "attention_bias", "mlp_bias" };
	const struct peft_gguf_key *k;
	bool on;
	size_t i;

	for (i = 0; i < 2; i++) {
		for (k = a->keys; k->hf != NULL && strcmp(k->hf, keys[i]) != 0;
		    k++)
			continue;
		on = false;
		if (peft_json_bool(j, keys[i], &on, err) == -1)
			return -1;
		if (on && k->hf == NULL)
			return peft_seterr(err, "the key \"%s\" cannot be "
			    "told in GGUF for %s", keys[i], a->hf);
	}
	return 0;
}

int
peft_gguf_check_built_in(const struct peft_arch *a, const cJSON *j,
    struct peft_err *err)
{
	const cJSON *scale = peft_json_get(peft_json_get(j, "attn_config"),
	    "softmax_scale");

	if (check_patterns(a, j, err) == -1 || check_act(a, j, err) == -1)
		return -1;
	if (scale != NULL && !peft_json_off(scale))
		return peft_seterr(err, "the key \"softmax_scale\" cannot be "
		    "told in GGUF for %s", a->hf);
	return check_biases(a, j, err);
}
