/* SPDX-License-Identifier: Apache-2.0 */
/* The table of adapter methods. */

#include <stdio.h>
#include <string.h>

#include "peft/method.h"

extern const struct peft_method peft_adalora, peft_adaption_prompt,
	peft_boft, peft_bottleneck, peft_c3a, peft_cpt, peft_delora,
	peft_fourierft, peft_hira,
	peft_hra, peft_ia3, peft_ln_tuning, peft_loha, peft_lokr, peft_lora,
	peft_miss, peft_multitask, peft_oft, peft_p_tuning,
	peft_prefix_tuning, peft_prompt_tuning, peft_randlora, peft_road,
	peft_shira, peft_trainable_tokens, peft_vblora, peft_vera;

static const struct peft_method *const methods[] = {
	&peft_lora, &peft_adalora, &peft_adaption_prompt, &peft_boft,
	&peft_bottleneck, &peft_c3a, &peft_cpt, &peft_delora,
	&peft_fourierft, &peft_hira,
	&peft_hra, &peft_ia3, &peft_ln_tuning, &peft_loha, &peft_lokr,
	&peft_miss, &peft_multitask, &peft_oft, &peft_p_tuning,
	&peft_prefix_tuning, &peft_prompt_tuning, &peft_randlora, &peft_road,
	&peft_shira, &peft_trainable_tokens, &peft_vblora, &peft_vera,
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

/* Names of the adapters library's that stand for a method with settings. */
static const char *const seq_bn[][2] = {
	{ "original_ln_before", "true" }, { NULL, NULL }
}, *const double_seq_bn[][2] = {
	{ "mh_adapter", "true" }, { "non_linearity", "\"swish\"" },
	{ NULL, NULL }
}, *const par_bn[][2] = {
	{ "reduction_factor", "2" }, { "init_weights", "\"mam_adapter\"" },
	{ "is_parallel", "true" }, { "scaling", "4.0" }, { NULL, NULL }
}, *const scaled_par_bn[][2] = {
	{ "reduction_factor", "2" }, { "init_weights", "\"mam_adapter\"" },
	{ "is_parallel", "true" }, { "scaling", "\"learned\"" },
	{ NULL, NULL }
}, *const compacter[][2] = {
	{ "phm_layer", "true" }, { "reduction_factor", "32" },
	{ "non_linearity", "\"gelu\"" }, { "mh_adapter", "true" },
	{ NULL, NULL }
}, *const compacter_plus[][2] = {
	{ "phm_layer", "true" }, { "reduction_factor", "32" },
	{ "non_linearity", "\"gelu\"" }, { "original_ln_before", "true" },
	{ NULL, NULL }
};

static const struct preset {
	const char	*name, *type;
	const char *const (*keys)[2];
} presets[] = {
	{ "seq-bn", "BOTTLENECK", seq_bn },
	{ "double-seq-bn", "BOTTLENECK", double_seq_bn },
	{ "par-bn", "BOTTLENECK", par_bn },
	{ "scaled-par-bn", "BOTTLENECK", scaled_par_bn },
	{ "compacter", "BOTTLENECK", compacter },
	{ "compacter++", "BOTTLENECK", compacter_plus },
};

enum { NPRESET = sizeof(presets) / sizeof(presets[0]) };

static const struct preset *
preset_of(const char *name)
{
	size_t i;

	for (i = 0; i < NPRESET; i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

void
peft_method_preset(const char *name, cJSON *config)
{
	const struct preset *p = preset_of(name);
	const char *const (*key)[2];

	for (key = p == NULL ? NULL : p->keys; key != NULL &&
	    (*key)[0] != NULL; key++)
		if (peft_json_get(config, (*key)[0]) == NULL)
			cJSON_AddItemToObject(config, (*key)[0],
			    cJSON_Parse((*key)[1]));
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
	return preset_of(name) == NULL ? NULL : preset_of(name)->type;
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
	    !m->hub;
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
	for (i = 0; i < NPRESET && n < size; i++)
		n += (size_t)snprintf(names + n, size - n, ", %s",
		    presets[i].name);
}
