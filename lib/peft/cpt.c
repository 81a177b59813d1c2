/* SPDX-License-Identifier: Apache-2.0 */
/* CPT (Blau et al. 2025), loaded: its tokens with what was learnt on top of
 * them are one prompt. */

#include "peft/virtual.h"

static const char *const keys[][2] = {
	{ "num_virtual_tokens", "null" }, { "token_dim", "null" },
	{ "num_transformer_submodules", "null" },
	{ "num_attention_heads", "null" }, { "num_layers", "null" },
	{ "cpt_token_ids", "null" }, { "cpt_mask", "null" },
	{ "cpt_tokens_type_mask", "null" },
	{ "opt_weighted_loss_type", "\"none\"" },
	{ "opt_loss_decay_factor", "1.0" }, { "opt_projection_epsilon", "0.1" },
	{ "opt_projection_format_epsilon", "0.1" },
	{ "tokenizer_name_or_path", "null" }, { NULL, NULL }
};

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	*settings = NULL;
	return peft_config_off(config, "modules_to_save", err);
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	(void)settings;
	if (m->adapter->fresh)
		return peft_seterr(err, "CPT adapters are made with PEFT, and "
		    "used here; prompt-tuning is trained here");
	m->untrainable = "CPT is not trained here; prompt-tuning is";
	return peft_virtual_common(m, false, out, err);
}

const struct peft_method peft_cpt = {
	.type = "CPT", .name = "cpt", .keys = keys, .parse = parse,
	.common = common, .prepare = peft_virtual_plain_prepare,
	.attach = peft_virtual_plain_attach,
};
