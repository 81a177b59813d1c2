/* SPDX-License-Identifier: Apache-2.0 */
/* Names that stand for a method with settings. */

#include <string.h>

#include "peft/method.h"

/* What the adapters library's names say beyond its classes' defaults. */
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
}, *const ah_ia3[][2] = {
	{ "r", "1" }, { "alpha", "1" }, { "intermediate_lora", "true" },
	{ "attn_matrices", "[\"k\",\"v\"]" },
	{ "composition_mode", "\"scale\"" }, { "init_weights", "\"ia3\"" },
	{ NULL, NULL }
}, *const mam[][2] = {
	{ "configs", "[{\"architecture\":\"prefix_tuning\","
	    "\"bottleneck_size\":800},{\"is_parallel\":true,"
	    "\"reduction_factor\":2,\"init_weights\":\"mam_adapter\","
	    "\"scaling\":4.0}]" },
	{ NULL, NULL }
}, *const unipelt[][2] = {
	{ "configs", "[{\"architecture\":\"prefix_tuning\","
	    "\"prefix_length\":10,\"use_gating\":true},"
	    "{\"original_ln_before\":true,\"use_gating\":true},"
	    "{\"architecture\":\"lora\",\"alpha\":2,"
	    "\"use_gating\":true}]" },
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
	{ "ah-ia3", "AH_LORA", ah_ia3 },
	{ "mam", "AH_UNION", mam },
	{ "unipelt", "AH_UNION", unipelt },
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
	struct peft_err err;

	for (key = p == NULL ? NULL : p->keys; key != NULL &&
	    (*key)[0] != NULL; key++)
		if (peft_json_get(config, (*key)[0]) == NULL)
			cJSON_AddItemToObject(config, (*key)[0],
			    peft_json((*key)[1], strlen((*key)[1]), &err));
}

const char *
peft_preset_type(const char *name)
{
	const struct preset *p = preset_of(name);

	return p == NULL ? NULL : p->type;
}

const char *
peft_preset_name(size_t i)
{
	return i < NPRESET ? presets[i].name : NULL;
}
