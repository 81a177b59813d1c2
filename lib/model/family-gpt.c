/* SPDX-License-Identifier: Apache-2.0 */
/* Families that came before llama, with names of their own. */

#include "model/family-impl.h"

#define PLAIN	(BIT(PEFT_UP) | BIT(PEFT_DOWN))
#define NORMS	(PRE | BIT(PEFT_AT_NORM) | BIT(PEFT_AT_EMBED_NORM))
#define FUSED	(BIT(PEFT_QKV) | BIT(PEFT_O))

static const char *const gpt2[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "ln_1", [PEFT_QKV] = "attn.c_attn",
	[PEFT_O] = "attn.c_proj", [PEFT_MLP_NORM] = "ln_2",
	[PEFT_UP] = "mlp.c_fc", [PEFT_DOWN] = "mlp.c_proj",
};

static const char *const neox[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm",
	[PEFT_QKV] = "attention.query_key_value",
	[PEFT_O] = "attention.dense",
	[PEFT_MLP_NORM] = "post_attention_layernorm",
	[PEFT_UP] = "mlp.dense_h_to_4h", [PEFT_DOWN] = "mlp.dense_4h_to_h",
};

static const char *const gptj[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "ln_1", [PEFT_Q] = "attn.q_proj",
	[PEFT_K] = "attn.k_proj", [PEFT_V] = "attn.v_proj",
	[PEFT_O] = "attn.out_proj", [PEFT_UP] = "mlp.fc_in",
	[PEFT_DOWN] = "mlp.fc_out",
};

static const char *const opt[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "self_attn_layer_norm",
	[PEFT_Q] = "self_attn.q_proj", [PEFT_K] = "self_attn.k_proj",
	[PEFT_V] = "self_attn.v_proj", [PEFT_O] = "self_attn.out_proj",
	[PEFT_MLP_NORM] = "final_layer_norm", [PEFT_UP] = "fc1",
	[PEFT_DOWN] = "fc2",
};

static const char *const bloom[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm",
	[PEFT_QKV] = "self_attention.query_key_value",
	[PEFT_O] = "self_attention.dense",
	[PEFT_MLP_NORM] = "post_attention_layernorm",
	[PEFT_UP] = "mlp.dense_h_to_4h", [PEFT_DOWN] = "mlp.dense_4h_to_h",
};

/* Falcon with a norm for each of the two branches. */
static const char *const falcon2[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "ln_attn",
	[PEFT_QKV] = "self_attention.query_key_value",
	[PEFT_O] = "self_attention.dense", [PEFT_MLP_NORM] = "ln_mlp",
	[PEFT_UP] = "mlp.dense_h_to_4h", [PEFT_DOWN] = "mlp.dense_4h_to_h",
};

static const char *const mpt[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "norm_1", [PEFT_QKV] = "attn.Wqkv",
	[PEFT_O] = "attn.out_proj", [PEFT_MLP_NORM] = "norm_2",
	[PEFT_UP] = "ffn.up_proj", [PEFT_DOWN] = "ffn.down_proj",
};

static const char *const internlm2[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "attention_norm", [PEFT_QKV] = "attention.wqkv",
	[PEFT_O] = "attention.wo", [PEFT_MLP_NORM] = "ffn_norm",
	[PEFT_GATE] = "feed_forward.w1", [PEFT_UP] = "feed_forward.w3",
	[PEFT_DOWN] = "feed_forward.w2",
};

static const char *const c_attn[] = { "c_attn", NULL };
static const char *const query_key_value[] = { "query_key_value", NULL };
static const char *const wqkv[] = { "Wqkv", NULL };
static const char *const wqkv2[] = { "wqkv", NULL };

#define GPT_SIZES \
	{ "n_embd", PEFT_KEY_SIZE, AT(hidden), 0 }, \
	{ "n_layer", PEFT_KEY_SIZE, AT(layers), 0 }, \
	{ "n_head", PEFT_KEY_SIZE, AT(heads), 0 }, \
	{ "n_inner", PEFT_KEY_SIZE, AT(inter), 0 }, \
	{ "n_positions", PEFT_KEY_SIZE, AT(max_position), 0 }, \
	{ "activation_function", PEFT_KEY_ACT, 0, 0 }, \
	{ "layer_norm_epsilon", PEFT_KEY_REAL, AT(t.eps), 0 }, \
	INERT("n_ctx"), INERT("attn_pdrop"), INERT("embd_pdrop"), \
	INERT("resid_pdrop"), INERT("summary_type"), \
	INERT("summary_use_proj"), INERT("summary_activation"), \
	INERT("summary_proj_to_labels"), INERT("summary_first_dropout"), \
	INERT("gradient_checkpointing")

static const struct peft_key gpt2_keys[] = {
	GPT_SIZES, { "scale_attn_weights", PEFT_KEY_TRUE, 0, 0 },
	INERT("reorder_and_upcast_attn"), END
};

static const struct peft_key neox_keys[] = {
	{ "layer_norm_eps", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "rotary_pct", PEFT_KEY_REAL, AT(t.partial), 0 },
	{ "rotary_emb_base", PEFT_KEY_REAL, AT(t.theta), 0 },
	{ "use_parallel_residual", PEFT_KEY_BOOL, AT(t.parallel), 0 },
	{ "attention_bias", PEFT_KEY_BIAS, 0, FUSED },
	INERT("classifier_dropout"), END
};

static const struct peft_key gptj_keys[] = {
	GPT_SIZES, { "rotary_dim", PEFT_KEY_SIZE, AT(rope_dim), 0 },
	{ "scale_attn_weights", PEFT_KEY_TRUE, 0, 0 }, INERT("rotary"),
	INERT("tokenizer_class"), END
};

static const struct peft_key opt_keys[] = {
	{ "ffn_dim", PEFT_KEY_SIZE, AT(inter), 0 },
	{ "activation_function", PEFT_KEY_ACT, 0, 0 },
	{ "do_layer_norm_before", PEFT_KEY_TRUE, 0, 0 },
	{ "layer_norm_elementwise_affine", PEFT_KEY_TRUE, 0, 0 },
	{ "enable_bias", PEFT_KEY_BIAS, 0, ATTN | PLAIN },
	INERT("word_embed_proj_dim"), INERT("dropout"), INERT("layerdrop"),
	INERT("init_std"), INERT("activation_dropout"), INERT("prefix"), END
};

static const struct peft_key bloom_keys[] = {
	GPT_SIZES, { "n_embed", PEFT_KEY_SIZE, AT(hidden), 0 },
	INERT("slow_but_exact"), INERT("attention_softmax_in_fp32"),
	INERT("bias_dropout_fusion"), INERT("masked_softmax_fusion"),
	INERT("offset_alibi"), INERT("unk_token_id"), INERT("seq_length"),
	INERT("skip_bias_add"), INERT("skip_bias_add_qkv"), END
};

/* The two lists of norms that Falcon's layers may have are in finish. */
static const struct peft_key falcon_keys[] = {
	GPT_SIZES, { "n_embed", PEFT_KEY_SIZE, AT(hidden), 0 },
	{ "num_kv_heads", PEFT_KEY_SIZE, AT(kv_heads), 0 },
	{ "ffn_hidden_size", PEFT_KEY_SIZE, AT(inter), 0 },
	{ "activation", PEFT_KEY_ACT, 0, 0 },
	{ "parallel_attn", PEFT_KEY_BOOL, AT(t.parallel), 0 },
	{ "bias", PEFT_KEY_BIAS, 0, FUSED | PLAIN },
	{ "alibi", PEFT_KEY_BOOL, AT(t.alibi_coarse), 0 },
	INERT("new_decoder_architecture"), INERT("multi_query"),
	INERT("num_ln_in_parallel_attn"), END
};

static const struct peft_key mpt_keys[] = {
	{ "d_model", PEFT_KEY_SIZE, AT(hidden), 0 },
	{ "n_layers", PEFT_KEY_SIZE, AT(layers), 0 },
	{ "n_heads", PEFT_KEY_SIZE, AT(heads), 0 },
	{ "max_seq_len", PEFT_KEY_SIZE, AT(max_position), 0 },
	{ "layer_norm_epsilon", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "no_bias", PEFT_KEY_TRUE, 0, 0 }, INERT("expansion_ratio"),
	INERT("attn_config"), INERT("emb_pdrop"), INERT("resid_pdrop"),
	INERT("learned_pos_emb"), INERT("init_device"), INERT("init_config"),
	INERT("embedding_fraction"), INERT("norm_type"),
	INERT("tokenizer_name"), END
};

static const struct peft_key mpt_attn_keys[] = {
	{ "alibi", PEFT_KEY_TRUE, 0, 0 },
	{ "alibi_bias_max", PEFT_KEY_REAL, AT(t.alibi), 0 },
	{ "clip_qkv", PEFT_KEY_REAL, AT(t.qkv_clip), 0 },
	{ "softmax_scale", PEFT_KEY_REAL, AT(t.attn_scale), 0 },
	INERT("attn_type"), INERT("attn_impl"), INERT("attn_pdrop"), END
};

static const struct peft_key internlm2_keys[] = {
	{ "bias", PEFT_KEY_BIAS, 0, FUSED }, INERT("attn_implementation"),
	END
};

static int
finish_gpt2(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	(void)j;
	(void)err;
	if (c->inter == 0)
		c->inter = 4 * c->hidden;
	if (c->t.has & BIT(PEFT_AT_POSITION))
		c->positions = c->max_position + c->t.position_offset;
	return 0;
}

static int
finish_gptj(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	if (c->rope_dim == 0)
		return peft_seterr(err, "key \"rotary_dim\" is missing");
	return finish_gpt2(c, j, err);
}

static int
finish_opt(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	int64_t dim = (int64_t)c->hidden;

	if (peft_json_int(j, "word_embed_proj_dim", 1, 1 << 20, &dim, err) ==
	    -1)
		return -1;
	if ((size_t)dim != c->hidden)
		return peft_seterr(err, "word_embed_proj_dim %lld, other than "
		    "hidden_size, is not honoured", (long long)dim);
	return finish_gpt2(c, j, err);
}

static const struct peft_family falcon_two = {
	.model_type = "falcon", .embed = "transformer.word_embeddings",
	.layers = "transformer.h", .norm = "transformer.ln_f",
	.head = "lm_head", .each = "classifier",
	  .usual = query_key_value, .slot = falcon2,
};

/* Three layouts of the fused product, and three of the norms. */
static int
finish_falcon(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	bool fresh = false, multi = true;
	int64_t norms = 0;

	if (peft_json_bool(j, "new_decoder_architecture", &fresh, err) == -1 ||
	    peft_json_bool(j, "multi_query", &multi, err) == -1 ||
	    peft_json_int(j, "num_ln_in_parallel_attn", 1, 2, &norms, err) ==
	    -1)
		return -1;
	if (norms == 0)
		norms = fresh ? 2 : 1;
	if (fresh && !c->t.parallel)
		return peft_seterr(err, "new_decoder_architecture without "
		    "parallel_attn is not honoured");
	if (!fresh && norms == 2)
		return peft_seterr(err, "num_ln_in_parallel_attn 2 without "
		    "new_decoder_architecture is not honoured");
	if (!fresh)
		c->kv_heads = multi ? 1 : c->heads;
	c->t.grouped = fresh || !multi;
	c->t.each_cached = fresh && c->kv_heads != 0 &&
	    c->kv_heads < c->heads;
	c->t.norope = c->t.alibi_coarse;	/* Falcon-RW's */
	c->t.alibi = c->t.alibi_coarse ? 8 : 0;
	if (c->t.parallel && norms == 1)
		c->t.has &= ~BIT(PEFT_MLP_NORM);
	else if (c->t.parallel)
		c->family = &falcon_two;
	return finish_gpt2(c, j, err);
}

static int
finish_mpt(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const cJSON *a = peft_json_get(j, "attn_config");
	const char *type = "multihead_attention";
	int64_t ratio = 4;

	if (peft_json_int(j, "expansion_ratio", 1, 64, &ratio, err) == -1)
		return -1;
	if (ratio != 4)
		return peft_seterr(err, "expansion_ratio %lld is not honoured "
		    "(transformers has 4)", (long long)ratio);
	if (a != NULL && !cJSON_IsNull(a) && (!cJSON_IsObject(a) ||
	    peft_config_table(c, a, mpt_attn_keys, err) == -1 ||
	    peft_json_str(a, "attn_type", &type, err) == -1))
		return cJSON_IsObject(a) ? peft_errprefix(err, "attn_config") :
		    peft_seterr(err, "attn_config is no object");
	if (c->t.alibi != 8)
		return peft_seterr(err, "alibi_bias_max %g is not honoured "
		    "(transformers has 8)", c->t.alibi);
	if (type[0] != 'm' || type[5] != 'h')	/* not "multiquery_..." */
		return peft_seterr(err, "attn_type \"%s\" is not honoured",
		    type);
	return finish_gpt2(c, j, err);
}

static const uint8_t queries_last[PEFT_NSLOT] = {
	[PEFT_Q] = PEFT_V, [PEFT_K] = PEFT_Q, [PEFT_V] = PEFT_K,
};

const struct peft_family peft_families_gpt[] = {
	{ .model_type = "gpt2", .positions = 1024,
	  .embed = "transformer.wte",
	  .position = "transformer.wpe", .layers = "transformer.h",
	  .norm = "transformer.ln_f", .head = "lm_head",
	  .each = "classifier", .slot = gpt2,
	  .usual = c_attn,
	  .keys = gpt2_keys, .finish = finish_gpt2,
	  .traits = { .has = OUTER | PRE | FUSED | PLAIN |
	  BIT(PEFT_AT_POSITION), .bias = NORMS | FUSED | PLAIN,
	  .transposed = FUSED | PLAIN, .norm = PEFT_LAYER,
	  .act = PEFT_GELU_TANH, .norope = true, .tied = true } },
	{ .model_type = "gpt_neox", .embed = "gpt_neox.embed_in",
	  .layers = "gpt_neox.layers", .norm = "gpt_neox.final_layer_norm",
	  .head = "embed_out", .module = "lm_head",
	  .each = "classifier", .slot = neox,
	  .usual = query_key_value, .keys = neox_keys,
	  .traits = { .has = OUTER | PRE | FUSED | PLAIN,
	  .bias = NORMS | FUSED | PLAIN, .norm = PEFT_LAYER,
	  .act = PEFT_GELU, .grouped = true, .parallel = true,
	  .partial = 0.25 } },
	{ .model_type = "gptj", .embed = "transformer.wte",
	  .layers = "transformer.h", .norm = "transformer.ln_f",
	  .head = "lm_head", .slot = gptj, .keys = gptj_keys,
	  .finish = finish_gptj, .listed = queries_last,
	  .traits = { .has = OUTER | BIT(PEFT_ATTN_NORM) | ATTN | PLAIN,
	  .bias = NORMS | PLAIN | BIT(PEFT_AT_HEAD), .norm = PEFT_LAYER,
	  .act = PEFT_GELU_TANH, .parallel = true, .interleaved = true } },
	{ .model_type = "opt", .embed = "model.decoder.embed_tokens",
	  .position = "model.decoder.embed_positions",
	  .layers = "model.decoder.layers",
	  .norm = "model.decoder.final_layer_norm", .head = "lm_head",
	  .slot = opt, .keys = opt_keys, .finish = finish_opt,
	  .listed = queries_last,
	  .traits = { .has = OUTER | PRE | ATTN | PLAIN |
	  BIT(PEFT_AT_POSITION), .bias = NORMS | ATTN | PLAIN,
	  .norm = PEFT_LAYER, .act = PEFT_RELU, .norope = true,
	  .tied = true, .position_offset = 2 } },
	{ .model_type = "bloom", .embed = "transformer.word_embeddings",
	  .embed_norm = "transformer.word_embeddings_layernorm",
	  .layers = "transformer.h", .norm = "transformer.ln_f",
	  .head = "lm_head", .each = "classifier", .slot = bloom,
	  .usual = query_key_value, .keys = bloom_keys,
	  .finish = finish_gpt2,
	  .traits = { .has = OUTER | PRE | FUSED | PLAIN |
	  BIT(PEFT_AT_EMBED_NORM), .bias = NORMS | FUSED | PLAIN,
	  .norm = PEFT_LAYER, .act = PEFT_GELU_TANH, .grouped = true,
	  .norope = true, .alibi = 8, .tied = true } },
	{ .model_type = "falcon", .embed = "transformer.word_embeddings",
	  .layers = "transformer.h", .norm = "transformer.ln_f",
	  .head = "lm_head", .each = "classifier", .slot = bloom,
	  .usual = query_key_value, .keys = falcon_keys,
	  .finish = finish_falcon,
	  .traits = { .has = OUTER | PRE | FUSED | PLAIN, .bias = NORMS,
	  .norm = PEFT_LAYER, .act = PEFT_GELU, .parallel = true,
	  .tied = true } },
	{ .model_type = "mpt", .embed = "transformer.wte",
	  .layers = "transformer.blocks", .norm = "transformer.norm_f",
	  .head = "lm_head", .each = "classifier", .slot = mpt,
	  .usual = wqkv, .keys = mpt_keys,
	  .finish = finish_mpt,
	  .traits = { .has = OUTER | PRE | FUSED | PLAIN,
	  .norm = PEFT_LAYER, .act = PEFT_GELU, .norope = true, .alibi = 8,
	  .tied = true } },
	{ .model_type = "internlm2", .embed = "model.tok_embeddings",
	  .layers = "model.layers", .norm = "model.norm", .head = "output",
	  .slot = internlm2,
	  .usual = wqkv2, .keys = internlm2_keys,
	  .traits = { .has = OUTER | PRE | FUSED | PLAIN | BIT(PEFT_GATE),
	  .grouped = true } },
	{ .model_type = NULL }
};
