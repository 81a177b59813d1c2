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

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	(void)m;
	(void)part;
	(void)rng;
	peft_init_const(value, n, 0);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	return peft_virtual_prepare(m, 0, err);
}

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	return peft_virtual_attach(m, sites, index, false,
	    &peft_virtual_plain, err);
}

const struct peft_method peft_cpt = {
	.type = "CPT", .name = "cpt", .keys = keys, .parse = parse,
	.common = common, .init = init, .prepare = prepare, .attach = attach,
};
