/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters: targets, patterns, configs and files, worked out by hand; and with
 * arguments MODEL ADAPTER GOLDEN against what PEFT computed (logits,
 * gradients, merged weights), and through a file and back.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/net.h"
#include "peft/adapter.h"
#include "peft/method.h"
#include "peft/target.h"
#include "quant/quant.h"
#include "tap.h"

/* ---- a model of two layers that is nothing but its modules ---- */

enum { NSITE = 9 };

static struct peft_site sites_at[NSITE] = {
	{ .path = "model.embed_tokens", .kind = PEFT_EMBEDDING, .layer = -1,
	    .in = 10, .out = 4 },
	{ .path = "model.layers.0.self_attn.q_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 4 },
	{ .path = "model.layers.0.self_attn.v_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 2 },
	{ .path = "model.layers.0.mlp.up_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 6 },
	{ .path = "model.layers.0.norm", .kind = PEFT_NORM, .layer = 0,
	    .in = 4, .out = 4 },
	{ .path = "model.layers.1.self_attn.q_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 4 },
	{ .path = "model.layers.1.self_attn.v_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 2 },
	{ .path = "model.layers.1.mlp.up_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 6 },
	{ .path = "lm_head", .kind = PEFT_HEAD, .layer = -1, .in = 4,
	    .out = 10, .bias = SIZE_MAX },
};

static struct peft_sites sites = { .at = sites_at, .n = NSITE };

static cJSON *
json(const char *text)
{
	struct peft_err err = { 0 };
	cJSON *j = peft_json(text, strlen(text), &err);

	need(j != NULL, &err);
	return j;
}

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

static struct peft_adapter *
make(const char *text, struct peft_err *err)
{
	cJSON *j = json(text);
	struct peft_adapter *a;

	*err = (struct peft_err){ 0 };
	a = peft_adapter_new(j, &sites, 7, err);
	cJSON_Delete(j);
	return a;
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

/* y += s w (B A x + b), by hand: r = 1. */
static void
check_hook(void)
{
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"LORA\",\"r\":1,"
	    "\"lora_alpha\":2,\"lora_bias\":true,\"target_modules\":"
	    "[\"0.self_attn.v_proj\"]}", &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[8] = { 1, 2, 3, 4, 0, 1, 0, 0 }, y[4] = { 0, 0, 10, 10 };
	float dy[4] = { 1, 0, 0, 1 }, dx[8] = { 0 }, saved[8], scratch[32];
	float rows[8] = { 0 }, bias[2] = { 5, 5 };
	struct peft_hook_call call = { .cpu = cpu, .T = 2, .x = x, .ldx = 4,
	    .saved = saved, .scratch = scratch };
	struct peft_module *m;
	struct peft_param *p;
	size_t k;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 0.5f, true, &err) == 0, &err);
	p = peft_adapter_params(a, &k);
	m = &a->modules[0];
	memcpy(p[0].value, (float[]){ 1, 0, -1, 0 }, 16);	/* A [1,4] */
	memcpy(p[1].value, (float[]){ 3, 4 }, 8);		/* B [2,1] */
	memcpy(p[2].value, (float[]){ 1, -1 }, 8);		/* b [2] */
	m->hook.ops->forward(m, &call, y, 2);		/* h = -2, 0; s w = 1 */
	ok(y[0] == -5 && y[1] == -9 && y[2] == 11 && y[3] == 9, "forward");
	m->hook.ops->backward(m, &call, dy, 2, dx, 4);	/* dh = 3, 4 */
	ok(dx[0] == 3 && dx[2] == -3 && dx[4] == 4 && dx[6] == -4 &&
	    dx[1] == 0, "gradient of the input");
	ok(p[0].grad[0] == 3 && p[0].grad[1] == 10 && p[0].grad[2] == 9 &&
	    p[0].grad[3] == 12, "gradient of A");
	ok(p[1].grad[0] == -2 && p[1].grad[1] == 0, "gradient of B");
	ok(p[2].grad[0] == 1 && p[2].grad[1] == 1, "gradient of the bias");
	need(a->method->merge(m, PEFT_LEAF_WEIGHT, 1, 1, 0.5f, rows, NULL,
	    &err) == 0, &err);
	ok(rows[0] == 4 && rows[1] == 0 && rows[2] == -4, "merged row");
	need(a->method->merge(m, PEFT_LEAF_BIAS, 0, 1, 0.5f, bias, NULL,
	    &err) == 0, &err);
	ok(bias[0] == 6 && bias[1] == 4, "merged bias");
	sites_at[2].hooks = NULL;
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* Dropout: about p of the elements, the same for the same row wherever it
 * stands, the kept ones enlarged, and backward through the same mask. */
static void
check_dropout(void)
{
	enum { T = 64 };
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"LORA\",\"r\":4,"
	    "\"lora_alpha\":4,\"lora_dropout\":0.25,\"target_modules\":"
	    "[\"0.self_attn.q_proj\"]}", &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[T * 4], y[T * 4] = { 0 }, y2[T * 4] = { 0 }, dx[T * 4] = { 0 };
	float saved[T * 4], *scratch;
	uint64_t ident[T];
	struct peft_hook_call call = { .cpu = cpu, .T = T, .x = x, .ldx = 4,
	    .saved = saved, .train = true, .ident = ident, .step = 3 };
	struct peft_module *m;
	struct peft_param *p;
	size_t k, i, kept = 0, wrong = 0;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	p = peft_adapter_params(a, &k);
	scratch = calloc(m->hook.ops->scratch(m, T), sizeof(float));
	call.scratch = scratch;
	for (i = 0; i < T * 4; i++)
		x[i] = 1;
	for (i = 0; i < T; i++)
		ident[i] = 100 + i;
	for (i = 0; i < 16; i++)		/* A = B = the unit matrix */
		p[0].value[i] = p[1].value[i] = i % 5 == 0;
	m->hook.ops->forward(m, &call, y, 4);
	for (i = 0; i < T * 4; i++) {
		kept += y[i] != 0;
		wrong += y[i] != 0 && fabsf(y[i] - 4.0f / 3) > 1e-6f;
	}
	ok(kept > 170 && kept < 214 && wrong == 0, "%zu of 256 kept, times "
	    "4/3", kept);
	m->hook.ops->backward(m, &call, x, 4, dx, 4);
	ok(memcmp(dx, y, sizeof(y)) == 0, "backward has the same mask");
	for (i = 0; i < T; i++)
		ident[i] = 100 + T - 1 - i;
	m->hook.ops->forward(m, &call, y2, 4);
	for (wrong = 0, i = 0; i < T; i++)
		wrong += memcmp(y + i * 4, y2 + (T - 1 - i) * 4, 16) != 0;
	ok(wrong == 0, "a row's mask does not depend on where it stands");
	sites_at[1].hooks = NULL;
	free(scratch);
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* The gradient of the sum of the outputs, through what is left of them. */
static double
gradient_off(struct peft_adapter *a, struct peft_module *m,
    const struct peft_hook_call *c)
{
	const float one[4] = { 1, 1, 1, 1 };
	float dx[4] = { 0 }, y[4];
	double off = 0, d, h = 1.0 / 64;
	size_t i, k;
	int side;

	peft_adapter_zerograd(a);
	m->hook.ops->backward(m, c, one, 4, dx, 4);
	for (i = 0; i < a->ngrads; i++) {
		float was = a->values[i];

		for (d = 0, side = -1; side <= 1; side += 2) {
			memset(y, 0, sizeof(y));
			a->values[i] = was + (float)(side * h);
			m->hook.ops->forward(m, c, y, 4);
			for (k = 0; k < 4; k++)
				d += side * y[k] / (2 * h);
		}
		a->values[i] = was;
		off = fmax(off, fabs(d - a->grads[i]) / (1 + fabs(d)));
	}
	return off;
}

/* What a whole step does without: over many steps the right share; the same
 * step twice, the same parts; none if it is not training.  rows: how often
 * each of the module's outputs is not what the base made of it; scaled: what
 * is there is enlarged. */
static void
check_parts(const char *config, double share, bool whole, bool scaled)
{
	enum { N = 2000 };
	struct peft_err err;
	struct peft_adapter *a = make(config, &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[4] = { 1, 1, 1, 1 }, y[4], full[4] = { 0 }, again[4];
	float saved[16], *scratch;
	uint64_t ident = 5, none = 0, other = 0, odd = 0, differ = 0;
	struct peft_hook_call call = { .cpu = cpu, .T = 1, .x = x, .ldx = 4,
	    .saved = saved, .ident = &ident };
	struct peft_module *m;
	double off = 0;
	size_t n, i, k, kept;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	(void)peft_adapter_params(a, &n);
	for (i = 0; i < a->ngrads; i++)
		a->values[i] = 0.5f + (float)i / 32;
	scratch = calloc(m->hook.ops->scratch(m, 1), sizeof(float));
	call.scratch = scratch;
	m->hook.ops->forward(m, &call, full, 4);
	call.train = true;
	for (call.step = 1; call.step <= N; call.step++) {
		memset(y, 0, sizeof(y));
		memset(again, 0, sizeof(again));
		m->hook.ops->forward(m, &call, y, 4);
		m->hook.ops->forward(m, &call, again, 4);
		differ += memcmp(y, again, sizeof(y)) != 0;
		for (kept = k = 0; k < 4; k++)
			kept += y[k] != 0;
		none += 4 - kept;
		other += whole && kept != 0 && kept != 4;
		for (k = 0; k < 4; k++)
			odd += y[k] != 0 && fabsf(y[k] / full[k] - (scaled ?
			    4 / (float)kept : 1)) > 1e-5f;
	}
	ok(fabs((double)none / (4.0 * N) - share) < (whole ? 0.04 : 0.02),
	    "%s: %.3f of the outputs are left out, of %.2f", config,
	    (double)none / (4.0 * N), share);
	ok(differ == 0 && other == 0 && odd == 0, "the same ones twice, and "
	    "the others %s", scaled ? "make up for it" : "as they are");
	for (call.step = 1; call.step <= 20; call.step++)
		off = fmax(off, gradient_off(a, m, &call));
	ok(off < 1e-4, "and so do the gradients (%.1e)", off);
	for (i = 0; i < NSITE; i++)
		sites_at[i].hooks = NULL;
	free(scratch);
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* Of two blocks one turns nothing, in half of the steps the first. */
static void
check_blocks(const char *config)
{
	enum { N = 1000 };
	struct peft_err err;
	struct peft_adapter *a = make(config, &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	const float x[4] = { 1, 2, 3, 4 }, dy[4] = { 1, 1, 1, 1 };
	float y[4], full[4], dx[4], saved[4];
	uint64_t ident = 5, first = 0, wrong = 0;
	struct peft_hook_call call = { .cpu = cpu, .T = 1, .x = x, .ldx = 4,
	    .saved = saved, .ident = &ident };
	struct peft_module *m;
	size_t i, still, gone;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	for (i = 0; i < a->modules[0].param[0]->n; i++)
		a->modules[0].param[0]->value[i] = 0.25f * (float)(1 + i);
	m->hook.ops->begin(m, cpu, NULL);
	m->hook.ops->input(m, &call, full, 4);
	call.train = true;
	for (call.step = 1; call.step <= N; call.step++) {
		memset(dx, 0, sizeof(dx));
		m->hook.ops->input(m, &call, y, 4);
		m->hook.ops->input_back(m, &call, dy, 4, dx, 4);
		still = memcmp(y, x, 8) == 0 ? 0 : 2;
		gone = 2 - still;
		first += still == 0;
		wrong += memcmp(y + still, x + still, 8) != 0 ||
		    memcmp(y + gone, full + gone, 8) != 0 ||
		    memcmp(dx + still, dy, 8) != 0 ||
		    memcmp(dx + gone, dy, 8) == 0;
	}
	ok(wrong == 0 && first > 440 && first < 560, "%s: one block of two, "
	    "in %u of 1000 steps the first", config, (unsigned)first);
	for (i = 0; i < NSITE; i++)
		sites_at[i].hooks = NULL;
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* Two skills of a task, logits 0: each sigmoid is drawn evenly from 0 to 1, so
 * that the first one's weight has the mean 1/2 and the variance 1/4 + (3/2 - 2
 * ln 2) / 2 - 1/4; of each record and each step it is another. */
static void
check_poly(void)
{
	enum { N = 4000 };
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"POLY\",\"r\":1,"
	    "\"n_skills\":2,\"target_modules\":[\"0.self_attn.q_proj\"]}",
	    &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, y[8], saved[8], *scratch;
	uint64_t ident[2] = { UINT64_C(7) << 32, UINT64_C(8) << 32 };
	struct peft_hook_call call = { .cpu = cpu, .T = 2, .x = x, .ldx = 4,
	    .saved = saved, .ident = ident, .train = true };
	double sum = 0, square = 0, off = 0;
	struct peft_module *m;
	size_t i, alike = 0;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	scratch = calloc(m->hook.ops->scratch(m, 2), sizeof(float));
	call.scratch = scratch;
	for (i = 0; i < 8; i++) {	/* A is 1/4; B of the first skill 1 */
		m->param[0]->value[i] = 0.25f;
		m->param[1]->value[i] = i < 4;
	}
	memset(m->param[2]->value, 0, 2 * sizeof(float));
	for (call.step = 1; call.step <= N; call.step++) {
		memset(y, 0, sizeof(y));
		m->hook.ops->forward(m, &call, y, 4);
		sum += y[0];
		square += (double)y[0] * y[0];
		alike += y[0] == y[4];
	}
	sum /= N;
	square = square / N - sum * sum;
	ok(fabs(sum - 0.5) < 0.02 && fabs(square - 0.056853) < 0.003 &&
	    alike == 0, "Poly draws weights of mean %.3f, variance %.4f", sum,
	    square);
	call.T = 1;
	for (i = 0; i < 8; i++)
		m->param[1]->value[i] = 0.125f * (float)(1 + i);
	for (call.step = 1; call.step <= 20; call.step++)
		off = fmax(off, gradient_off(a, m, &call));
	ok(off < 1e-3, "and their gradients are right (%.1e)", off);
	sites_at[1].hooks = NULL;
	free(scratch);
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* ---- against PEFT ---- */

struct world {
	struct peft_cpu		*cpu;
	struct peft_source	*model, *file, *golden;
	struct peft_net		*net;
	struct peft_adapter	*adapter;
};

static bool
load_golden(struct world *w, const char *name, struct peft_weight *t)
{
	struct peft_err err = { 0 };
	size_t i = peft_source_find(w->golden, name);

	if (i == SIZE_MAX)
		return false;
	need(peft_source_load(w->golden, i, t, &err) == 0, &err);
	return true;
}

static void
check_logits(struct world *w, struct peft_run *run, struct peft_seq *seqs,
    size_t nseqs)
{
	size_t T = seqs[0].n * nseqs, V = peft_net_config(w->net)->vocab, i;
	struct peft_err err = { 0 };
	struct peft_weight t;
	size_t *rows = calloc(T, sizeof(*rows));
	float *y = calloc(T * V, sizeof(*y));
	size_t extra;
	double d;

	if (!load_golden(w, "adapter_logits", &t) &&
	    !load_golden(w, "logits", &t))
		need(0, &err);
	for (i = 0; i < T; i++)
		rows[i] = i;
	need(peft_run_logits(run, seqs, nseqs, rows, T, y, &err) == 0, &err);
	/* PEFT's have the virtual tokens' rows in front */
	extra = t.ndim == 3 ? t.shape[1] - seqs[0].n : 0;
	for (d = 0, i = 0; i < nseqs; i++) {
		double one = tap_distance(y + i * seqs[0].n * V,
		    (const float *)t.data + (i * (seqs[0].n + extra) +
		    extra) * V, seqs[0].n * V);

		d = tap_worst(d, one);
	}
	if (strcmp(peft_adapter_type(w->adapter), "RANDLORA") == 0 ||
	    cJSON_IsString(peft_json_get(w->adapter->config,
	    "init_lora_weights")))
		d /= 10;
	ok(d <= 1e-5, "logits: off by %.1e of the largest", d);
	free(rows);
	free(y);
}

/* PEFT calls some tensors otherwise in memory than on disk; those that all
 * modules share are the first module's. */
static bool
load_gradient(struct world *w, const char *name, struct peft_weight *t)
{
	static const char *const ends[][2] = {
		{ "", "" }, { "", ".weight" },
		{ ".weight", ".modules_to_save.weight" },
		{ ".bias", ".modules_to_save.bias" },
	};
	const char *last = strrchr(name, '.');
	char buf[600];
	size_t i, n = strlen(name), k;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		k = strlen(ends[i][0]);
		if (n < k || strcmp(name + n - k, ends[i][0]) != 0)
			continue;
		snprintf(buf, sizeof(buf), "grad.%.*s%s", (int)(n - k), name,
		    ends[i][1]);
		if (load_golden(w, buf, t))
			return true;
	}
	if (strcmp(name, "prompt_embeddings") == 0)
		return load_golden(w, "grad.prompt_encoder.embedding.weight",
		    t);
	snprintf(buf, sizeof(buf), "grad.prompt_encoder.%s", name);
	if (load_golden(w, buf, t))
		return true;
	for (i = 0; i < peft_source_count(w->golden) && last != NULL; i++) {
		const char *g = peft_source_at(w->golden, i)->name;

		if (strncmp(g, "grad.", 5) == 0 && strstr(name, ".layers.") ==
		    NULL && strlen(g) > strlen(last) &&
		    strcmp(g + strlen(g) - strlen(last), last) == 0)
			return load_golden(w, g, t);
	}
	return false;
}

static void
check_gradients(struct world *w, struct peft_run *run, struct peft_seq *seqs,
    size_t nseqs)
{
	struct peft_loss loss[8];
	struct peft_err err = { 0 };
	struct peft_param *p;
	struct peft_weight t;
	size_t k, i, tokens = 0, found = 0;
	double d, most = 0;

	for (i = 0; i < nseqs; i++)
		tokens += peft_run_targets(run, &seqs[i], true);
	need(peft_run_train(run, seqs, nseqs, 1 / (double)tokens, 0, loss,
	    &err) == 0, &err);
	if (peft_adapter_drops(w->adapter))
		return;		/* PEFT's numbers are without */
	for (d = 0, i = 0; i < nseqs; i++)
		d += loss[i].nll / (double)tokens;
	d += peft_adapter_penalty(w->adapter);
	if (load_golden(w, "adapter_loss", &t) || load_golden(w, "loss", &t))
		ok(fabs(d / *(const float *)t.data - 1) < 1e-5, "loss %.6f, "
		    "PEFT's %.6f", d, (double)*(const float *)t.data);
	p = peft_adapter_params(w->adapter, &k);
	for (i = 0; i < k; i++) {
		if (!load_gradient(w, p[i].name, &t))
			continue;
		found++;
		d = tap_distance(p[i].grad, t.data, p[i].n);
		most = tap_worst(most, d);
	}
	/* PEFT's own backward of C3A's input is not that of its forward
	 * (torch's gradcheck says so); and of encoders the file has only what
	 * they make.  The difference quotients are the judge there. */
	if (strcmp(peft_adapter_type(w->adapter), "C3A") == 0 ||
	    strcmp(peft_adapter_type(w->adapter), "P_TUNING") == 0 ||
	    cJSON_IsTrue(peft_json_get(w->adapter->config,
	    "prefix_projection")))
		return;
	ok(found == k, "PEFT trains the same %zu tensors", k);
	/* RandLoRA's sums are long and multiplied by alpha / r = 160; a gate's
	 * gradient, and that of DeLoRA's lambda, is one number, a long sum
	 * that nearly cancels: PEFT's own f32 is half of 1e-4 from its f64 */
	if (strcmp(peft_adapter_type(w->adapter), "RANDLORA") == 0 ||
	    strcmp(peft_adapter_type(w->adapter), "DELORA") == 0 ||
	    strcmp(peft_adapter_type(w->adapter), "ADAPTION_PROMPT") == 0)
		most /= 10;
	ok(most <= 1e-4, "gradients: off by %.1e at most", most);
}

/* -log p of all tokens, per token, and what the method adds. */
static double
whole_loss(struct world *w, struct peft_run *run, struct peft_seq *seqs,
    size_t nseqs)
{
	struct peft_loss loss[8];
	struct peft_err err = { 0 };
	double nll = 0;
	size_t i, tokens = 0;

	/* what drops out does so in training alone, and CPT's prompt is
	 * predicted there */
	need((peft_adapter_drops(w->adapter) ||
	    strcmp(peft_adapter_type(w->adapter), "CPT") == 0 ?
	    peft_run_train(run, seqs, nseqs, 1, 0, loss, &err) :
	    peft_run_loss(run, seqs, nseqs, loss, &err)) == 0, &err);
	for (i = 0; i < nseqs; i++) {
		nll += loss[i].nll;
		tokens += loss[i].tokens;
	}
	return nll / (double)tokens + peft_adapter_penalty(w->adapter);
}

/* Is the i-th value one of DoRA's A or B? */
static bool
stays(const struct peft_adapter *a, size_t i)
{
	size_t k = 0;

	if (!cJSON_IsTrue(peft_json_get(a->config, "use_dora")))
		return false;
	while (i >= a->params[k].n)
		i -= a->params[k++].n;
	return strstr(a->params[k].name, ".lora_A") != NULL ||
	    strstr(a->params[k].name, ".lora_B") != NULL ||
	    strstr(a->params[k].name, ".lora_embedding_") != NULL;
}

/*
 * The gradient's product with a direction is what the loss gains along it:
 * its own direction, and as much of a random one.  The steps make a gain of
 * about 1/500, of which the loss's rounding (1e-7 of it) and the third order
 * are less than a two-hundredth.  (DoRA's gradient of A and B is not that of
 * its loss, as it takes the norms for constants: these stay.)
 */
static void
check_difference(struct world *w, struct peft_run *run,
    struct peft_seq *seqs, size_t nseqs)
{
	struct peft_adapter *a = w->adapter;
	size_t n = a->ngrads, i;
	float *was, *d;
	struct peft_rng rng = peft_rng_key(3, "direction");
	double norm = 0, want = 0, got, step;

	was = calloc(n, sizeof(*was));
	d = calloc(n, sizeof(*d));
	for (i = 0; i < n; i++)
		norm += (double)a->grads[i] * a->grads[i];
	for (i = 0; i < n; i++) {
		if (stays(a, i))
			continue;
		d[i] = a->grads[i] + (float)(sqrt(norm / (double)n) *
		    peft_rng_normal(rng, 0, i));
		want += (double)d[i] * a->grads[i];
	}
	memcpy(was, a->values, n * sizeof(*was));
	step = 0.001 / want;
	for (i = 0; i < n; i++)
		a->values[i] = was[i] + (float)(step * d[i]);
	got = whole_loss(w, run, seqs, nseqs);
	for (i = 0; i < n; i++)
		a->values[i] = was[i] - (float)(step * d[i]);
	got = (got - whole_loss(w, run, seqs, nseqs)) / (2 * step);
	memcpy(a->values, was, n * sizeof(*was));
	ok(fabs(got / want - 1) < 0.005, "along a direction the loss gains "
	    "%.6g, the gradients say %.6g", got, want);
	free(was);
	free(d);
}

static void
check_merged(struct world *w)
{
	size_t i, found = 0, touched = 0;
	struct peft_err err = { 0 };
	double d, most = 0, limit = 1e-6;

	for (i = 0; i < peft_source_count(w->model); i++) {
		struct peft_weight base, want;
		struct peft_rows rows, first;
		char name[600];
		float *got;

		need(peft_source_load(w->model, i, &base, &err) == 0, &err);
		snprintf(name, sizeof(name), "merged.%s", base.name);
		if (!load_golden(w, name, &want))
			continue;
		found++;
		first = peft_rows_of(&base);
		if (peft_adapter_merge(w->adapter, base.name, &first, 1, &rows,
		    &err) != 1)
			continue;
		touched++;
		got = calloc(base.nelem, sizeof(*got));
		/* in two parts, as a sink may ask for them */
		need(rows.get(rows.ctx, 0, base.rows / 2, got, &err) == 0 &&
		    rows.get(rows.ctx, base.rows / 2, base.rows -
		    base.rows / 2, got + base.rows / 2 * base.cols,
		    &err) == 0, &err);
		d = tap_distance(got, want.data, base.nelem);
		most = tap_worst(most, d);
		peft_rows_free(&rows);
		free(got);
	}
	/* a weight's singular values in f32 are good to some 1e-6 of it */
	if (cJSON_IsString(peft_json_get(w->adapter->config,
	    "init_lora_weights")))
		limit = 2e-5;
	if (found > 0)
		ok(touched > 0 && most <= limit, "%zu merged weights: off by "
		    "%.1e at most", touched, most);
}

/* Out and in again: the same bytes. */
static void
check_round_trip(struct world *w)
{
	static const char *const meta[] = { "peft.base", "sha256:00", NULL };
	char dir[] = "/tmp/peft-unit-XXXXXX", path[64];
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_adapter *a;
	size_t i, other = 0;

	if (mkdtemp(dir) == NULL)
		return;
	snprintf(path, sizeof(path), "%s/a.safetensors", dir);
	need(peft_adapter_save(w->adapter, path, false, meta, &err) == 0,
	    &err);
	need((s = peft_source_open(path, &err)) != NULL, &err);
	need((a = peft_adapter_open(s, peft_net_sites(w->net), &err)) != NULL,
	    &err);
	for (i = 0; i < a->nparams; i++)
		if (!a->params[i].unsaved && memcmp(a->params[i].value,
		    w->adapter->params[i].value, a->params[i].n *
		    sizeof(float)) != 0)
			other++;
	ok(a->nvalues == w->adapter->nvalues && other == 0,
	    "saved and read again: the same values");
	ok(strcmp(peft_adapter_meta(a, "peft.base"), "sha256:00") == 0,
	    "and what is said of the base");
	peft_adapter_close(a);
	peft_source_close(s);
	unlink(path);
	rmdir(dir);
}

/* With layers computed again before their backward: the same gradients. */
static void
check_again(struct world *w, struct peft_caps caps, struct peft_seq *seqs,
    size_t nseqs)
{
	struct peft_adapter *a = w->adapter;
	float *want = calloc(a->ngrads, sizeof(*want));
	struct peft_loss loss[8];
	struct peft_err err = { 0 };
	struct peft_run *run;
	int i;

	for (i = 0; i < 2; i++) {
		caps.recompute = i == 1;
		need((run = peft_run_open(w->net, &caps, &err)) != NULL,
		    &err);
		peft_adapter_zerograd(a);
		need(peft_run_train(run, seqs, nseqs, 1, 0, loss, &err) == 0,
		    &err);
		if (i == 0)
			memcpy(want, a->grads, a->ngrads * sizeof(*want));
		peft_run_close(run);
	}
	ok(memcmp(want, a->grads, a->ngrads * sizeof(*want)) == 0,
	    "computed again, the same gradients");
	free(want);
}

/* In two parts through a cache: the same logits of the last token.  (Gates
 * look at the whole that is computed at once.) */
static void
check_cache(struct world *w, struct peft_run *run, const struct peft_seq *whole)
{
	size_t V = peft_net_config(w->net)->vocab, n = whole->n, row = n - 1;
	float *want = calloc(2 * V, sizeof(*want)), *got = want + V;
	struct peft_seq s = *whole;
	struct peft_err err = { 0 };
	struct peft_kv *kv;
	double d;

	if (peft_net_sites(w->net)->whole) {
		free(want);
		return;
	}
	need((kv = peft_kv_open(w->net, n, &err)) != NULL, &err);
	need(peft_run_logits(run, &s, 1, &row, 1, want, &err) == 0, &err);
	s.kv = kv;
	s.n = n / 2;
	row = 0;
	need(peft_run_logits(run, &s, 1, &row, 1, got, &err) == 0, &err);
	s.ids += s.n;
	s.n = n - s.n;
	row = s.n - 1;
	need(peft_run_logits(run, &s, 1, &row, 1, got, &err) == 0, &err);
	d = tap_distance(got, want, V);	/* RandLoRA: as above */
	if (strcmp(peft_adapter_type(w->adapter), "RANDLORA") == 0)
		d /= 10;
	ok(d < 1e-5, "through a cache the same (%.1e)", d);
	peft_kv_close(kv);
	free(want);
}

static void
against(const char *model, const char *adapter, const char *golden)
{
	struct peft_err err = { 0 };
	struct world w;
	struct peft_weight ids, labels, tasks;
	struct peft_seq seqs[8];
	struct peft_caps caps = { 0 };
	struct peft_run *run;
	int32_t *i32;
	size_t i, k;

	need((w.cpu = peft_cpu_open(1, &err)) != NULL, &err);
	need((w.model = peft_source_open(model, &err)) != NULL, &err);
	need((w.file = peft_source_open(adapter, &err)) != NULL, &err);
	need((w.golden = peft_source_open(golden, &err)) != NULL, &err);
	need((w.net = peft_net_open(w.model, w.cpu, &err)) != NULL, &err);
	need((w.adapter = peft_adapter_open(w.file, peft_net_sites(w.net),
	    &err)) != NULL, &err);
	need(load_golden(&w, "input_ids", &ids) &&
	    load_golden(&w, "labels", &labels) && ids.rows <= 8, &err);
	i32 = calloc(2 * ids.nelem, sizeof(*i32));
	for (i = 0; i < ids.nelem; i++) {
		i32[i] = (int32_t)((const int64_t *)ids.data)[i];
		i32[ids.nelem + i] =
		    (int32_t)((const int64_t *)labels.data)[i];
	}
	for (k = 0; k < ids.rows; k++)
		seqs[k] = (struct peft_seq){ .ids = i32 + k * ids.cols,
		    .labels = i32 + ids.nelem + k * ids.cols, .n = ids.cols,
		    .weight = 1, .adapter = 0 };
	for (k = 0; load_golden(&w, "task_ids", &tasks) && k < ids.rows; k++)
		seqs[k].task = (int)((const int64_t *)tasks.data)[k];
	/* what can only be used is not trained */
	caps.train = true;
	for (i = 0; i < w.adapter->nmodules; i++)
		caps.train &= w.adapter->modules[i].untrainable == NULL;
	need(peft_adapter_attach(w.adapter, peft_net_sites(w.net), 0, 1,
	    caps.train, &err) == 0, &err);
	caps.seqs = ids.rows;
	caps.seq = ids.cols + peft_sites_virtual(peft_net_sites(w.net), 0);
	caps.tokens = caps.seq * ids.rows;
	need((run = peft_run_open(w.net, &caps, &err)) != NULL, &err);
	check_logits(&w, run, seqs, ids.rows);
	if (caps.train)
		check_gradients(&w, run, seqs, ids.rows);
	check_merged(&w);
	check_round_trip(&w);
	/* what coft draws back is not where a difference puts it, and what is
	 * among the first changes at once */
	if (caps.train && peft_json_off(peft_json_get(w.adapter->config,
	    "coft")) && peft_json_off(peft_json_get(w.adapter->config,
	    "top_k_lora")))
		check_difference(&w, run, seqs, ids.rows);
	if (caps.train)
		check_again(&w, caps, seqs, ids.rows);
	check_cache(&w, run, &seqs[0]);
	peft_run_close(run);
	free(i32);
	peft_adapter_close(w.adapter);
	peft_net_close(w.net);
	peft_source_close(w.golden);
	peft_source_close(w.file);
	peft_source_close(w.model);
	peft_cpu_close(w.cpu);
}

int
main(int argc, char **argv)
{
	if (argc == 4)
		against(argv[1], argv[2], argv[3]);
	else {
		check_targets();
		check_patterns();
		check_configs();
		check_decay();
		check_fresh();
		check_saved_config();
		check_hook();
		check_dropout();
		check_poly();
#define ON "\"target_modules\":[\"0.self_attn.q_proj\"]}"
		check_parts("{\"peft_type\":\"LOHA\",\"r\":2,"
		    "\"rank_dropout\":0.3," ON, 0.3, false, true);
		check_parts("{\"peft_type\":\"LOKR\",\"r\":2,"
		    "\"rank_dropout\":0.3," ON, 0.3, false, false);
		check_parts("{\"peft_type\":\"LOKR\",\"r\":2,"
		    "\"rank_dropout\":0.3,\"rank_dropout_scale\":true,"
		    ON, 0.3, false, true);
		check_parts("{\"peft_type\":\"LOHA\",\"r\":2,"
		    "\"module_dropout\":0.3," ON, 0.3, true, false);
		check_parts("{\"peft_type\":\"LOKR\",\"r\":2,"
		    "\"module_dropout\":0.3," ON, 0.3, true, false);
		check_blocks("{\"peft_type\":\"OFT\",\"r\":0,"
		    "\"oft_block_size\":2,\"module_dropout\":0.5," ON);
		check_blocks("{\"peft_type\":\"BOFT\",\"boft_block_size\":2,"
		    "\"boft_dropout\":0.5," ON);
	}
	return tap_end();
}
