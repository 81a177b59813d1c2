/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: targets, patterns, configs and files, worked out by hand. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peft/method.h"
#include "peft/target.h"
#include "two-layers.h"

/* The chosen sites as a string of their indices; or the error's message. */
static void
choice(const char *text, bool strict, char out[512])
{
	const struct peft_site *chosen[NSITE];
	struct peft_err err = { 0 };
	cJSON *j = json(text);
	size_t k, i;

	if (peft_target(j, &sites, 7, NULL, strict, chosen, &k, &err) == -1)
		snprintf(out, 512, "%d %.480s", (int)err.status,
		    err.msg);
	else {
		for (i = 0; i < k; i++)
			out[i] = (char)('0' + (chosen[i] - sites_at));
		out[k] = '\0';
	}
	cJSON_Delete(j);
}

static void
check_targets(void)
{
	static const struct {
		bool		strict;
		const char	*config, *want;
	} rows[] = {
	{ 1, "{\"target_modules\":[\"q_proj\"]}", "15" },
	{ 1, "{\"target_modules\":[\"proj\"]}",
	    "2 target_modules: 'proj' matches no module of this model" },
	{ 1, "{\"target_modules\":[\"q_proj\",\"k_proj\"]}",
	    "2 target_modules: 'k_proj' matches no module of this model" },
	{ 0, "{\"target_modules\":[\"q_proj\",\"k_proj\"]}", "15" },
	{ 0, "{\"target_modules\":[\"k_proj\"]}",
	    "3 the config targets no module of this model: "
	    "target_modules is [\"k_proj\"]" },
	{ 1, "{\"target_modules\":[\"self_attn.v_proj\",\"lm_head\"]}", "268" },
	{ 1, "{\"target_modules\":\"all-linear\"}", "123567" },
	{ 1, "{\"target_modules\":\"ALL-linear\","
	    "\"exclude_modules\":[\"up_proj\"]}", "1256" },
	{ 1, "{\"target_modules\":\".*\\\\.1\\\\.(mlp|self_attn)\\\\."
	    "(up|q)_proj\"}", "57" },
	/* a pattern is for the whole path */
	{ 1, "{\"target_modules\":\"q_proj\"}",
	    "2 target_modules: 'q_proj' matches no module of this model" },
	/* Python's (?P<..>) and look-ahead */
	{ 1, "{\"target_modules\":\".*(?P<x>[qv])_proj(?!x)\"}", "1256" },
	{ 1, "{\"target_modules\":\"(\"}",
	    "2 pattern '(', at character 2: missing closing parenthesis" },
	{ 1, "{\"target_modules\":[\"q_proj\"],"
	    "\"exclude_modules\":\".*layers\\\\.0.*\"}", "5" },
	{ 1, "{\"target_modules\":[\"q_proj\"],\"exclude_modules\":[\"nix\"]}",
	    "2 exclude_modules: 'nix' matches no module of this model" },
	{ 1, "{\"target_modules\":[\"v_proj\"],\"layers_to_transform\":1}",
	    "6" },
	{ 1, "{\"target_modules\":[\"v_proj\"],\"layers_to_transform\":[0,1],"
	    "\"layers_pattern\":\"layers\"}", "26" },
	{ 1, "{\"target_modules\":[\"v_proj\"],\"layers_to_transform\":[0],"
	    "\"layers_pattern\":[\"h\"]}",
	    "2 layers_pattern matches no layers of this model" },
	{ 1, "{\"target_modules\":[\"v_proj\"],\"layers_to_transform\":[0,7]}",
	    "2 layers_to_transform: there is nothing to target in layer 7" },
	{ 1, "{\"target_modules\":[\"lm_head\",\"q_proj\"],"
	    "\"layers_to_transform\":[0]}", "1" },
	{ 1, "{\"target_modules\":\".*\",\"layers_to_transform\":[0]}",
	    "2 layers_to_transform needs a list of target_modules, not a "
	    "pattern" },
	{ 1, "{\"target_modules\":[\"v_proj\"],\"layers_pattern\":\"layers\"}",
	    "2 layers_pattern without layers_to_transform" },
	{ 1, "{\"target_modules\":3}",
	    "2 target_modules is neither a list of names nor a pattern" },
	{ 1, "{\"target_modules\":[\"v_proj\",3]}",
	    "2 target_modules is neither a list of names nor a pattern" },
	{ 1, "{}", "1256" },		/* PEFT's choice: q_proj, v_proj */
	};
	char got[512];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		choice(rows[i].config, rows[i].strict, got);
		ok(strcmp(got, rows[i].want) == 0, "%s: %s", rows[i].config,
		    got);
	}
}

static void
check_patterns(void)
{
	static const struct {
		const char	*patterns, *path;
		double		 want, below;	/* FourierFT's, C3A's */
	} rows[] = {
	{ "{\"q_proj\":2}", "model.layers.0.self_attn.q_proj", 2, 2 },
	{ "{\"q_proj\":2}", "model.layers.0.self_attn.xq_proj", 8, 8 },
	{ "{\"layers.1.mlp.up_proj\":6}", "model.layers.1.mlp.up_proj", 6,
	    6 },
	/* the dot is a regex dot, as in PEFT */
	{ "{\"layers.1.mlp\":6}", "layers.1xmlp", 6, 8 },
	{ "{\"a\":1,\".*\":2}", "b.a", 1, 1 },
	{ "{\".*\":2,\"a\":1}", "b.a", 2, 2 },
	{ "{\"a|b\":3}", "x.b", 3, 8 },
	{ "{\"a|b\":3}", "x.ab", 8, 3 },
	{ "{\"^model.*\":4}", "model.x", 4, 8 },
	{ "{\"model.x\":4}", "model.x", 4, 4 },
	{ "{\"^layers.*\":4}", "model.layers", 8, 8 },
	{ "{}", "b.a", 8, 8 },
	};
	struct peft_err err = { 0 };
	double v;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cJSON *j = json(rows[i].patterns);

		need(peft_pattern_value(j, rows[i].path, 8, &v, &err) == 0,
		    &err);
		ok(v == rows[i].want, "%s of %s is %g", rows[i].patterns,
		    rows[i].path, v);
		need(peft_pattern_below(j, rows[i].path, 8, &v, &err) == 0,
		    &err);
		ok(v == rows[i].below, "%s of %s is %g there",
		    rows[i].patterns, rows[i].path, v);
		cJSON_Delete(j);
	}
}

static void
check_configs(void)
{
	static const struct {
		const char *config, *want;
	} rows[] = {
	{ "{}", "2 peft_type is missing: not an adapter of PEFT's" },
	{ "{\"peft_type\":\"NIX\"}",
	    "2 peft_type \"NIX\" is not known (known: LORA" },
	{ "{\"peft_type\":\"LORA\",\"r\":0}", "2 " },
	{ "{\"peft_type\":\"LORA\",\"r\":1.5}", "2 " },
	{ "{\"peft_type\":\"LORA\",\"lora_dropout\":1}",
	    "2 lora_dropout 1 is not in [0, 1)" },
	{ "{\"peft_type\":\"LORA\",\"r\":2,\"use_dora\":true}",
	    "2 model.layers.0.self_attn.q_proj: LORA needs the model's" },
	{ "{\"peft_type\":\"LORA\",\"use_dora\":true,\"lora_bias\":true}",
	    "2 use_dora and lora_bias exclude each other" },
	{ "{\"peft_type\":\"LORA\",\"r\":2,\"use_dora\":true,"
	    "\"init_lora_weights\":\"olora\"}",
	    "2 model.layers.0.self_attn.q_proj: LORA needs the model's" },
	{ "{\"peft_type\":\"LORA\",\"bias\":\"lora\"}",
	    "2 bias is neither \"none\", \"all\" nor \"METHOD_only\"" },
	{ "{\"peft_type\":\"LORA\",\"r\":2,\"modules_to_save\":[\"lm_head\"]}",
	    "2 lm_head: modules_to_save needs the model's weights" },
	{ "{\"peft_type\":\"LORA\",\"modules_to_save\":[\"nix\"]}",
	    "2 modules_to_save: 'nix' matches no module of this model" },
	{ "{\"peft_type\":\"LORA\",\"new_idea\":3}",
	    "2 adapter_config.json: key \"new_idea\" is not" },
	{ "{\"peft_type\":\"LORA\",\"r\":2,\"init_lora_weights\":\"pissa\"}",
	    "2 model.layers.0.self_attn.q_proj: LORA needs the model's" },
	{ "{\"peft_type\":\"LORA\",\"target_modules\":\"(\"}",
	    "2 pattern '(', at character 2: missing closing parenthesis" },
	{ "{\"peft_type\":\"IA3\",\"target_modules\":[\"q_proj\"],"
	    "\"feedforward_modules\":\"(\"}",
	    "2 model.layers.0.self_attn.q_proj: pattern '(', at character 2" },
	{ "{\"peft_type\":\"IA3\",\"target_modules\":[\"norm\"]}",
	    "2 model.layers.0.norm is a norm: IA3 cannot be put on it" },
	{ "{\"peft_type\":\"LN_TUNING\",\"target_modules\":[\"q_proj\"]}",
	    "2 model.layers.0.self_attn.q_proj is a linear layer: LN_TUNING" },
	{ "{\"peft_type\":\"LOHA\",\"r\":0}", "2 " },
	{ "{\"peft_type\":\"LOKR\",\"decompose_factor\":0}",
	    "2 decompose_factor 0 divides nothing" },
	{ "{\"peft_type\":\"HRA\",\"r\":5}",
	    "2 model.layers.0.self_attn.q_proj: a rank of 5 is above its" },
	{ "{\"peft_type\":\"MISS\",\"r\":5}",
	    "2 model.layers.0.self_attn.q_proj: a rank of 5 is above its" },
	{ "{\"peft_type\":\"SHIRA\",\"r\":5}",
	    "2 model.layers.0.self_attn.q_proj: r 5 asks for more values" },
	{ "{\"peft_type\":\"SHIRA\",\"mask_type\":\"nix\"}",
	    "2 mask_type \"nix\" is not honoured" },
	{ "{\"peft_type\":\"OFT\",\"r\":2,\"oft_block_size\":2}",
	    "2 one of r and oft_block_size must be 0" },
	{ "{\"peft_type\":\"OFT\",\"coft\":true,\"eps\":0}",
	    "2 eps is not above 0" },
	{ "{\"peft_type\":\"HIRA\",\"rank_pattern\":{\"q_proj\":2}}",
	    "2 model.layers.0.self_attn.q_proj: rank_pattern: PEFT takes no" },
	{ "{\"peft_type\":\"BOFT\",\"boft_block_size\":3}",
	    "2 model.layers.0.self_attn.q_proj: boft_block_size 3 does not" },
	{ "{\"peft_type\":\"C3A\",\"block_size\":3}",
	    "2 model.layers.0.self_attn.q_proj: a block size of 3 does not" },
	{ "{\"peft_type\":\"FOURIERFT\",\"n_frequency\":17}",
	    "2 model.layers.0.self_attn.q_proj: n_frequency 17 is not in 1 .." },
	{ "{\"peft_type\":\"VBLORA\",\"vector_length\":3}",
	    "2 model.layers.0.self_attn.q_proj: vector_length 3 does not" },
	{ "{\"peft_type\":\"VBLORA\",\"vector_length\":4,"
	    "\"save_only_topk_weights\":true}", "2 model.layers.0.self_attn."
	    "q_proj: save_only_topk_weights: what is trained here" },
	{ "{\"peft_type\":\"ROAD\",\"variant\":\"road_3\"}",
	    "2 variant \"road_3\" is none of road_1, road_2, road_4" },
	{ "{\"peft_type\":\"ROAD\",\"group_size\":3}",
	    "2 group_size 3 is odd" },
	{ "{\"peft_type\":\"ADALORA\"}",
	    "2 model.layers.0.self_attn.q_proj: AdaLoRA needs total_step" },
	{ "{\"peft_type\":\"TRAINABLE_TOKENS\"}",
	    "2 token_indices is no list of token ids" },
	{ "{\"peft_type\":\"TRAINABLE_TOKENS\",\"token_indices\":[1,1]}",
	    "2 token_indices: entry 2 is no token id, or there twice" },
	{ "{\"peft_type\":\"TRAINABLE_TOKENS\",\"token_indices\":[10]}",
	    "2 model.embed_tokens: token 10 is not in the vocabulary of 10" },
	{ "{\"peft_type\":\"PROMPT_TUNING\",\"num_virtual_tokens\":2}",
	    "2 PROMPT_TUNING needs a whole model" },
	{ "{\"peft_type\":\"PROMPT_TUNING\",\"prompt_tuning_init\":\"X\"}",
	    "2 prompt_tuning_init \"X\" is none of RANDOM" },
	{ "{\"peft_type\":\"P_TUNING\",\"encoder_reparameterization_type\":"
	    "\"X\"}", "2 encoder_reparameterization_type \"X\" is neither" },
	{ "{\"peft_type\":\"MULTITASK_PROMPT_TUNING\","
	    "\"prompt_tuning_init\":\"X\"}",
	    "2 prompt_tuning_init \"X\" is none of RANDOM" },
	{ "{\"peft_type\":\"ADAPTION_PROMPT\"}",
	    "2 adapter_len and adapter_layers must be given" },
	{ "{\"peft_type\":\"LORA\",\"r\":2,\"init_lora_weights\":\"eva\"}",
	    "2 model.layers.0.self_attn.q_proj: init_lora_weights: adapters" },
	{ "{\"peft_type\":\"LORA\",\"init_lora_weights\":\"orthogonal\","
	    "\"r\":3}",
	    "2 model.layers.0.self_attn.q_proj: orthogonal needs an even" },
	{ "{\"peft_type\":\"LORA\",\"init_lora_weights\":\"nix\"}",
	    "2 init_lora_weights \"nix\" is not honoured" },
	{ "{\"peft_type\":\"LORA\",\"rank_pattern\":{\"nix\":2}}",
	    "2 rank_pattern: 'nix' matches none of the targeted modules" },
	{ "{\"peft_type\":\"LORA\",\"rank_pattern\":{\"q_proj\":\"2\"}}",
	    "2 rank_pattern: the value for 'q_proj' is no number" },
	{ "{\"peft_type\":\"LORA\",\"rank_pattern\":{\"q_proj\":0.5}}",
	    "2 model.layers.0.self_attn.q_proj: a rank of 0.5" },
	{ "{\"peft_type\":\"LORA\",\"target_modules\":[\"norm\"]}",
	    "2 model.layers.0.norm is a norm: LORA cannot be put on it" },
	};
	struct peft_err err;
	char got[600];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peft_adapter *a = make(rows[i].config, &err);

		snprintf(got, sizeof(got), "%d %s", (int)err.status, err.msg);
		ok(a == NULL && strncmp(got, rows[i].want,
		    strlen(rows[i].want)) == 0, "%s: %s", rows[i].config, got);
		peft_adapter_close(a);
	}
}

/* Weight decay is for all but biases and norms (transformers' Trainer). */
static void
check_decay(void)
{
	static const struct {
		const char *config, *name;
		bool	 decays;
	} rows[] = {
		{ "{\"peft_type\":\"LORA\",\"r\":2,\"lora_bias\":true,"
		    "\"target_modules\":[\"up_proj\"]}", "lora_B.bias", false },
		{ "{\"peft_type\":\"VERA\",\"r\":2,"
		    "\"target_modules\":[\"up_proj\"]}", "vera_lambda_d",
		    true },
	};
	struct peft_param *p = NULL;
	struct peft_err err;
	size_t i, k, n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peft_adapter *a = make(rows[i].config, &err);

		need(a != NULL, &err);
		p = peft_adapter_params(a, &n);
		for (k = 0; k < n && strstr(p[k].name, rows[i].name) == NULL;
		    k++)
			;
		ok(k < n && p[k].decay == rows[i].decays, "%s %s",
		    rows[i].name, rows[i].decays ? "decays" : "does not");
		peft_adapter_close(a);
	}
}

/* The shapes, scales and first values that the config calls for. */
static void
check_fresh(void)
{
	static const char text[] = "{\"peft_type\":\"LORA\",\"r\":4,"
	    "\"lora_alpha\":6,\"lora_bias\":true,\"use_rslora\":true,"
	    "\"target_modules\":[\"up_proj\",\"q_proj\"],"
	    "\"rank_pattern\":{\"q_proj\":1},"
	    "\"alpha_pattern\":{\"layers.1.*\":9}}";
	struct peft_err err;
	struct peft_adapter *a = make(text, &err), *b = make(text, &err);
	struct peft_param *p;
	size_t k, i;
	float top = 0;

	need(a != NULL && b != NULL, &err);
	p = peft_adapter_params(a, &k);
	ok(k == 12 && peft_adapter_nsites(a) == 4, "three tensors a module");
	ok(strcmp(p[0].name, "base_model.model.model.layers.0.self_attn."
	    "q_proj.lora_A.weight") == 0 && p[0].shape[0] == 1 &&
	    p[0].shape[1] == 4, "name and shape of A");
	ok(strcmp(p[5].name, "base_model.model.model.layers.0.mlp.up_proj."
	    "lora_B.bias") == 0 && p[5].ndim == 1 && p[5].shape[0] == 6 &&
	    !p[5].decay, "name and shape of the bias");
	ok(a->modules[1].scale == 3 && a->modules[2].scale == 9,
	    "scales: 6 / sqrt(4), 9 / sqrt(1)");
	for (i = 0; i < p[3].n; i++)
		if (fabsf(p[3].value[i]) > top)
			top = fabsf(p[3].value[i]);
	ok(top <= 0.5f && top > 0.3f, "A is within 1/sqrt(in)");
	for (top = 0, i = 0; i < p[4].n; i++)
		top += fabsf(p[4].value[i]);
	ok(top == 0, "B is zero");
	ok(memcmp(a->values, b->values, a->nvalues * sizeof(float)) == 0,
	    "the same seed makes the same values");
	ok(memcmp(p[3].value, p[9].value, p[3].n * sizeof(float)) != 0,
	    "and other values for each tensor");
	peft_adapter_close(a);
	peft_adapter_close(b);
}

/* What is saved is what PEFT would save, and makes the same adapter. */
static void
check_saved_config(void)
{
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"LORA\",\"r\":2,"
	    "\"target_modules\":\"all-linear\",\"rank_pattern\":"
	    "{\"z|q_proj\":3,\"q_proj\":1}}", &err), *b;
	cJSON *c, *t;

	need(a != NULL, &err);
	ok(a->modules[0].rank == 1, "of patterns the first in the order of "
	    "the saved file counts");
	need((c = peft_config_to_save(a, &err)) != NULL, &err);
	t = cJSON_GetObjectItem(c, "target_modules");
	ok(cJSON_GetArraySize(t) == 3 &&
	    strcmp(t->child->valuestring, "q_proj") == 0,
	    "all-linear is saved as a list");
	ok(cJSON_IsTrue(cJSON_GetObjectItem(c, "inference_mode")) &&
	    cJSON_IsString(cJSON_GetObjectItem(c, "peft_version")) &&
	    cJSON_GetObjectItem(c, "lora_alpha")->valuedouble == 8,
	    "defaults are filled in");
	b = peft_adapter_new(c, &sites, 7, &err);
	need(b != NULL, &err);
	ok(a->nvalues == b->nvalues && memcmp(a->values, b->values,
	    a->nvalues * sizeof(float)) == 0, "and makes the same again");
	cJSON_Delete(c);
	peft_adapter_close(a);
	peft_adapter_close(b);
}

int
main(void)
{
	check_targets();
	check_patterns();
	check_configs();
	check_decay();
	check_fresh();
	check_saved_config();
	return tap_end();
}
