/* SPDX-License-Identifier: Apache-2.0 */
/* CPT (Blau et al. 2025), loaded: its tokens with what was learnt on top of
 * them are one prompt. */

#include "peft/virtual.h"

static const struct peft_setting keys[] = {
	PEFT_SET_VIRTUAL, PEFT_SET_OFF("modules_to_save", "null"),
	PEFT_SET_LATER("cpt_token_ids", "null"),
	PEFT_SET_LATER("cpt_mask", "null"),
	PEFT_SET_LATER("cpt_tokens_type_mask", "null"),
	PEFT_SET_LATER("opt_weighted_loss_type", "\"none\""),
	PEFT_SET_LATER("opt_loss_decay_factor", "1.0"),
	PEFT_SET_LATER("opt_projection_epsilon", "0.1"),
	PEFT_SET_LATER("opt_projection_format_epsilon", "0.1"),
	PEFT_SET_LATER("tokenizer_name_or_path", "null"), PEFT_SET_END
};

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
	.type = "CPT", .name = "cpt",
	.keys = keys,
	.common = common, .prepare = peft_virtual_plain_prepare,
	.attach = peft_virtual_plain_attach,
};
