/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma and what followed it. */

#include <string.h>

#include "model/family-impl.h"

static const struct peft_key gemma_keys[] = {
	INERT("hidden_activation"),	/* see finish_gemma */
	INERT("cache_implementation"), ATTN_BIAS, END
};

#define GEMMA_KEYS \
	{ "hidden_activation", PEFT_KEY_ACT, 0, 0 }, \
	/* "gelu" in old files, which means the other one */ \
	INERT("hidden_act"), \
	{ "query_pre_attn_scalar", PEFT_KEY_RSQRT, AT(t.attn_scale), 0 }, \
	{ "final_logit_softcapping", PEFT_KEY_CAP, AT(t.final_cap), 0 }, \
	INERT("sliding_window_size"), INERT("cache_implementation"), \
	{ "sliding_window", PEFT_KEY_COUNT, AT(window), 0 }, \
	INERT("layer_types"), ATTN_BIAS

static const struct peft_key gemma2_keys[] = {
	{ "attn_logit_softcapping", PEFT_KEY_CAP, AT(t.attn_cap), 0 },
	GEMMA_KEYS, END
};

static const struct peft_key gemma3_keys[] = {
	{ "sliding_window_pattern", PEFT_KEY_SIZE, AT(window_period), 0 },
	{ "_sliding_window_pattern", PEFT_KEY_SIZE, AT(window_period), 0 },
	INERT("rope_local_base_freq"), GEMMA_KEYS, END
};

/* Its "gelu" means the other one, and the second key the same, if it is
 * there. */
static int
finish_gemma(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const char *act = "gelu";

	if (peft_json_str(j, "hidden_act", &act, err) == -1 ||
	    peft_config_must_be(j, "hidden_activation", "gelu_pytorch_tanh",
	    err) == -1)
		return -1;
	if (strcmp(act, "gelu") == 0)
		c->t.act = PEFT_GELU_TANH;
	return 0;
}

const struct peft_family peft_families_gemma[] = {
	{ .model_type = "gemma", .positions = 8192,
	  NAMES, .slot = peft_slots_llama,
	  .keys = gemma_keys,
	  .finish = finish_gemma,
	  .traits = { .has = LLAMA, .norm = PEFT_RMS1,
	  .act = PEFT_GELU_TANH, .embed_sqrt = true, .tied = true,
	  .head_dim = 256 } },
	{ .model_type = "gemma2", .positions = 8192,
	  NAMES, .slot = peft_slots_gemma,
	  .keys = gemma2_keys,
	  .traits = { .has = LLAMA | POST, .norm = PEFT_RMS1,
	  .act = PEFT_GELU_TANH, .embed_sqrt = true, .tied = true,
	  .head_dim = 256,
	  .attn_cap = 50, .final_cap = 30, .attn_scale = 1. / 16,
	  .window_period = 2, .window = 4096 } },
	{ .model_type = "gemma3_text", .positions = 131072,
	  NAMES, .slot = peft_slots_gemma,
	  .keys = gemma3_keys,
	  .traits = { .has = LLAMA | POST | QK, .norm = PEFT_RMS1,
	  .act = PEFT_GELU_TANH, .embed_sqrt = true, .tied = true,
	  .head_dim = 256,
	  .attn_scale = 1. / 16, .theta = 1e6, .theta_local = 1e4,
	  .window_period = 6, .window = 4096 } },
	{ .model_type = NULL }
};
