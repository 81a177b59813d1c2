/* SPDX-License-Identifier: Apache-2.0 */
/* The table of adapter methods. */

#include <stdio.h>
#include <string.h>

#include "peft/method.h"

extern const struct peft_method peft_adalora, peft_adaption_prompt, peft_boft,
	peft_bottleneck, peft_c3a, peft_cpt, peft_delora, peft_fourierft,
	peft_hira, peft_hra, peft_hub_lora, peft_hub_prefix_tuning,
	peft_hub_union, peft_ia3, peft_ln_tuning, peft_loha, peft_lokr,
	peft_lora, peft_miss, peft_multitask, peft_oft, peft_p_tuning,
	peft_poly, peft_prefix_tuning, peft_prompt_tuning, peft_randlora,
	peft_road, peft_shira, peft_trainable_tokens, peft_vblora, peft_vera,
	peft_xlora;

static const struct peft_method *const methods[] = {
	&peft_lora, &peft_adalora, &peft_adaption_prompt, &peft_boft,
	&peft_bottleneck, &peft_c3a, &peft_cpt, &peft_delora, &peft_fourierft,
	&peft_hira, &peft_hra, &peft_hub_lora, &peft_hub_prefix_tuning,
	&peft_hub_union, &peft_ia3, &peft_ln_tuning, &peft_loha, &peft_lokr,
	&peft_miss, &peft_multitask, &peft_oft, &peft_p_tuning, &peft_poly,
	&peft_prefix_tuning, &peft_prompt_tuning, &peft_randlora, &peft_road,
	&peft_shira, &peft_trainable_tokens, &peft_vblora, &peft_vera,
	&peft_xlora,
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

static const struct peft_method *
by_type(const char *type)
{
	size_t i;

	for (i = 0; i < NMETHOD; i++)
		if (strcmp(methods[i]->type, type) == 0)
			return methods[i];
	return NULL;
}

const char *
peft_method_type(const char *name)
{
	size_t i;

	for (i = 0; i < NMETHOD; i++)
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i]->type;
	return peft_preset_type(name);
}

const char *
peft_method_knob(const char *type, int knob)
{
	const struct peft_method *m = by_type(type);

	return m == NULL ? NULL : m->knobs[knob];
}

bool
peft_method_is_for_all(const char *type)
{
	const struct peft_method *m = by_type(type);

	return m != NULL && m->kinds >> PEFT_LINEAR & 1 && m->usual == NULL &&
	    !m->hub && m->gather == NULL;
}

bool
peft_method_is_virtual(const char *type)
{
	const struct peft_method *m = by_type(type);

	return m != NULL && m->kinds == 0;
}

void
peft_method_names(char *names, size_t size)
{
	size_t i, n = 0;

	for (names[0] = '\0', i = 0; i < NMETHOD && n < size; i++)
		n += (size_t)snprintf(names + n, size - n, "%s%s",
		    i > 0 ? ", " : "", methods[i]->name);
	for (i = 0; peft_preset_name(i) != NULL && n < size; i++)
		n += (size_t)snprintf(names + n, size - n, ", %s",
		    peft_preset_name(i));
}
