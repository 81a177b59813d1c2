/* SPDX-License-Identifier: Apache-2.0 */
/* The table of decoder families. */

#include <string.h>

#include "model/family.h"

static const struct peft_family families[] = {
	{
		.model_type = "llama",
		.embed = "model.embed_tokens",
		.layers = "model.layers",
		.norm = "model.norm",
		.head = "lm_head",
		.slot = {
			[PEFT_ATTN_NORM] = "input_layernorm",
			[PEFT_Q] = "self_attn.q_proj",
			[PEFT_K] = "self_attn.k_proj",
			[PEFT_V] = "self_attn.v_proj",
			[PEFT_O] = "self_attn.o_proj",
			[PEFT_MLP_NORM] = "post_attention_layernorm",
			[PEFT_GATE] = "mlp.gate_proj",
			[PEFT_UP] = "mlp.up_proj",
			[PEFT_DOWN] = "mlp.down_proj",
		},
	},
};

const struct peft_family *
peft_family_find(const char *model_type)
{
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (strcmp(families[i].model_type, model_type) == 0)
			return &families[i];
	return NULL;
}

const char *
peft_family_names(void)
{
	return "llama";
}
