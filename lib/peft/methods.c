/* SPDX-License-Identifier: Apache-2.0 */
/* The table of adapter methods. */

#include <stdio.h>
#include <string.h>

#include "peft/method.h"

extern const struct peft_method peft_adalora, peft_adaption_prompt,
	peft_boft, peft_c3a, peft_cpt, peft_multitask, peft_p_tuning,
	peft_prefix_tuning, peft_prompt_tuning,
	peft_delora, peft_fourierft, peft_hira, peft_hra, peft_ia3, 
	peft_ln_tuning, peft_loha, peft_lokr, peft_lora, peft_miss, peft_oft,
	 peft_randlora, peft_road, peft_shira,
	peft_trainable_tokens, peft_vblora, peft_vera;

static const struct peft_method *const methods[] = {
	&peft_lora, &peft_adalora, &peft_adaption_prompt, &peft_boft,
	&peft_c3a, &peft_cpt, &peft_delora, &peft_multitask, &peft_p_tuning,
	&peft_prefix_tuning, &peft_prompt_tuning,
	&peft_fourierft, &peft_hira, &peft_hra, &peft_ia3, &peft_ln_tuning,
	&peft_loha, &peft_lokr, &peft_miss, &peft_oft,
	&peft_randlora, &peft_road, &peft_shira, &peft_trainable_tokens,
	&peft_vblora, &peft_vera,
};

enum { NMETHOD = sizeof(methods) / sizeof(methods[0]) };

const struct peft_method *
peft_method_find(const char *type, struct peft_err *err)
{
	char known[512] = "";
	size_t i;

	for (i = 0; i < NMETHOD; i++) {
		if (strcmp(methods[i]->type, type) == 0)
			return methods[i];
		snprintf(known + strlen(known), sizeof(known) - strlen(known),
		    "%s%s", i > 0 ? ", " : "", methods[i]->type);
	}
	peft_seterr(err, "peft_type \"%s\" is not known (known: %s)", type,
	    known);
	return NULL;
}

const struct peft_method *
peft_method_at(size_t i)
{
	return i < NMETHOD ? methods[i] : NULL;
}
