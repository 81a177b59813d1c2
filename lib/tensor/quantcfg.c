/* SPDX-License-Identifier: Apache-2.0 */
/* quantization_config, but for compressed-tensors' (quantcfg-ct.c). */

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "tensor/quantcfg-impl.h"

const char *const peft_quantmethods[PEFT_NQM] = {
	[PEFT_QM_BNB] = "bitsandbytes", [PEFT_QM_GPTQ] = "gptq",
	[PEFT_QM_AWQ] = "awq", [PEFT_QM_FP8] = "fp8",
	[PEFT_QM_FBGEMM] = "fbgemm_fp8",
	[PEFT_QM_CT] = "compressed-tensors", [PEFT_QM_MXFP4] = "mxfp4",
};

enum {
	BNB = 1 << PEFT_QM_BNB, GPTQ = 1 << PEFT_QM_GPTQ,
	AWQ = 1 << PEFT_QM_AWQ, FP8 = 1 << PEFT_QM_FP8,
	FBGEMM = 1 << PEFT_QM_FBGEMM, CT = 1 << PEFT_QM_CT,
	MX = 1 << PEFT_QM_MXFP4, ALL = ~0
};

/* Keys that are read below, and keys that do not say what weights stand for:
 * how they were found, and what kernels to use. */
static const struct { const char *key; int methods; } known[] = {
	{ "quant_method", ALL }, { "method", GPTQ | AWQ },
	{ "modules_to_not_convert", ALL }, { "modules_to_convert", FP8 },
	{ "ignored_layers", FP8 }, { "dequantize", FP8 | CT | MX },
	{ "run_compressed", CT }, { "use_optimized_inference", CT },
	{ "_load_in_4bit", BNB }, { "_load_in_8bit", BNB },
	{ "load_in_4bit", BNB }, { "load_in_8bit", BNB },
	{ "bnb_4bit_compute_dtype", BNB }, { "bnb_4bit_quant_storage", BNB },
	{ "bnb_4bit_quant_type", BNB }, { "bnb_4bit_use_double_quant", BNB },
	{ "llm_int8_enable_fp32_cpu_offload", BNB },
	{ "llm_int8_has_fp16_weight", BNB }, { "llm_int8_skip_modules", BNB },
	{ "llm_int8_threshold", BNB },
	{ "bits", GPTQ | AWQ }, { "w_bit", AWQ },
	{ "group_size", GPTQ | AWQ }, { "q_group_size", AWQ },
	{ "checkpoint_format", GPTQ | AWQ }, { "format", GPTQ | AWQ | CT },
	{ "version", AWQ | CT }, { "pack_dtype", GPTQ | AWQ },
	{ "dynamic", GPTQ }, { "zero_point", AWQ },
	{ "desc_act", GPTQ | AWQ }, { "sym", GPTQ | AWQ },
	{ "lm_head", GPTQ | AWQ }, { "damp_percent", GPTQ | AWQ },
	{ "damp_auto_increment", GPTQ | AWQ }, { "mse", GPTQ | AWQ },
	{ "static_groups", GPTQ | AWQ }, { "true_sequential", GPTQ | AWQ },
	{ "act_group_aware", GPTQ | AWQ }, { "hyb_act", GPTQ },
	{ "model_name_or_path", GPTQ | AWQ },
	{ "model_file_base_name", GPTQ | AWQ }, { "dataset", GPTQ | AWQ },
	{ "tokenizer", GPTQ | AWQ }, { "backend", GPTQ | AWQ },
	{ "use_cuda_fp16", GPTQ | AWQ }, { "model_seqlen", GPTQ | AWQ },
	{ "block_name_to_quantize", GPTQ | AWQ },
	{ "module_name_preceding_first_block", GPTQ | AWQ },
	{ "batch_size", GPTQ | AWQ }, { "pad_token_id", GPTQ | AWQ },
	{ "use_exllama", GPTQ | AWQ }, { "disable_exllama", GPTQ | AWQ },
	{ "exllama_config", GPTQ | AWQ }, { "max_input_length", GPTQ | AWQ },
	{ "cache_block_outputs", GPTQ | AWQ },
	{ "modules_in_block_to_quantize", GPTQ | AWQ }, { "meta", GPTQ | AWQ },
	/* AutoRound's, which writes both formats */
	{ "data_type", GPTQ | AWQ }, { "scale_dtype", GPTQ | AWQ },
	{ "autoround_version", GPTQ | AWQ }, { "provider", GPTQ | AWQ },
	{ "amp", GPTQ | AWQ }, { "enable_minmax_tuning", GPTQ | AWQ },
	{ "enable_norm_bias_tuning", GPTQ | AWQ },
	{ "enable_quanted_input", GPTQ | AWQ }, { "iters", GPTQ | AWQ },
	{ "gradient_accumulate_steps", GPTQ | AWQ }, { "lr", GPTQ | AWQ },
	{ "minmax_lr", GPTQ | AWQ }, { "nsamples", GPTQ | AWQ },
	{ "seqlen", GPTQ | AWQ }, { "train_bs", GPTQ | AWQ },
	{ "low_gpu_mem_usage", GPTQ | AWQ },
	{ "to_quant_block_names", GPTQ | AWQ },
	{ "quant_block_list", GPTQ | AWQ },
	{ "fuse_max_seq_len", AWQ }, { "modules_to_fuse", AWQ },
	{ "do_fuse", AWQ },
	{ "activation_scheme", FP8 }, { "weight_block_size", FP8 },
	{ "fmt", FP8 }, { "scale_fmt", FP8 }, { "expert_dtype", FP8 },
	{ "activation_scale_ub", FBGEMM },
	{ "config_groups", CT }, { "quantization_status", CT },
	{ "global_compression_ratio", CT }, { "ignore", CT },
	{ "sparsity_config", CT },
};

static bool
is_known(const char *key, enum peft_quantmethod m)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if ((known[i].methods & 1 << m) != 0 &&
		    strcmp(known[i].key, key) == 0)
			return true;
	return false;
}

int
peft_quantcfg_word(const cJSON *j, const char *key, const char *const *words,
    size_t *which, struct peft_err *err)
{
	const char *s = NULL;
	size_t i;
	int r = peft_json_str(j, key, &s, err);

	for (i = 0; r == 1 && words[i] != NULL; i++)
		if (strcasecmp(words[i], s) == 0) {
			*which = i;
			return 1;
		}
	return r == 1 ? peft_seterr(err, "%s \"%s\" is not honoured", key, s) :
	    r;
}

/* bits and group_size under either of two names. */
static int
read_sizes(struct peft_quantcfg *c, const cJSON *j, const char *bits_key,
    const char *group_key, struct peft_err *err)
{
	int64_t bits = 0, group = 0;
	int b, g;

	if ((b = peft_json_int(j, bits_key, 2, 8, &bits, err)) == -1 ||
	    (g = peft_json_int(j, group_key, -1, 1 << 24, &group, err)) == -1)
		return -1;
	if (b == 1 && bits != 2 && bits != 3 && bits != 4 && bits != 8)
		return peft_seterr(err, "%s %lld is not honoured (2, 3, 4, 8)",
		    bits_key, (long long)bits);
	if (g == 1 && group == 0)
		return peft_seterr(err, "%s is 0", group_key);
	if (b == 1)
		c->scheme[0].bits = (unsigned)bits;
	if (g == 1)
		c->scheme[0].group = group < 0 ? 0 : (size_t)group;
	return b == 1 && g == 1;
}

/* What the words of codes are; some say it. */
static int
check_words(const cJSON *j, struct peft_err *err)
{
	static const char *const packs[] = { "int32", NULL };
	static const char *const types[] = { "int", NULL };
	size_t i;

	return peft_quantcfg_word(j, "pack_dtype", packs, &i, err) == -1 ||
	    peft_quantcfg_word(j, "data_type", types, &i, err) == -1 ? -1 : 0;
}

static int
read_gptq(struct peft_quantcfg *c, const cJSON *j, struct peft_err *err)
{
	static const char *const formats[] = { "gptq", "gptq_v2", NULL };
	size_t a = 0, b;
	int r = read_sizes(c, j, "bits", "group_size", err);

	if (r == 0)
		return peft_seterr(err, "bits or group_size is missing");
	if (r == -1 || peft_quantcfg_word(j, "checkpoint_format", formats, &a,
	    err) == -1)
		return -1;
	b = a;
	if (peft_quantcfg_word(j, "format", formats, &b, err) == -1 ||
	    check_words(j, err) == -1 ||
	    peft_json_bool(j, "desc_act", &c->act_order, err) == -1 ||
	    peft_json_bool(j, "sym", &c->scheme[0].symmetric, err) == -1)
		return -1;
	if (a != b && peft_json_get(j, "checkpoint_format") != NULL)
		return peft_seterr(err, "checkpoint_format and format differ");
	c->v2 = b == 1;
	c->dynamic = !peft_json_off(peft_json_get(j, "dynamic"));
	c->nschemes = 1;
	return 0;
}

static int
read_awq(struct peft_quantcfg *c, const cJSON *j, struct peft_err *err)
{
	static const char *const formats[] = { "gemm", NULL };
	static const char *const keys[] = { "version", "format",
	    "checkpoint_format", NULL };
	bool old = peft_json_get(j, "w_bit") != NULL;
	size_t i, which;
	int r = read_sizes(c, j, old ? "w_bit" : "bits", old ? "q_group_size" :
	    "group_size", err);

	if (r == 0)
		return peft_seterr(err, "bits or group_size is missing");
	if (r == -1 || check_words(j, err) == -1)
		return -1;
	for (i = 0; keys[i] != NULL; i++)
		if (peft_quantcfg_word(j, keys[i], formats, &which,
		    err) == -1)
			return -1;
	if (c->scheme[0].bits != 4)
		return peft_seterr(err, "%u bits are not honoured (4)",
		    c->scheme[0].bits);
	c->nschemes = 1;
	return 0;
}

int
peft_quantcfg_pair(const cJSON *j, const char *key, size_t pair[2],
    struct peft_err *err)
{
	const cJSON *a = peft_json_get(j, key), *d;
	size_t n = 0;

	if (a == NULL || cJSON_IsNull(a))
		return 0;
	cJSON_ArrayForEach(d, a) {
		if (n == 2 || !cJSON_IsNumber(d) || !(d->valuedouble >= 1) ||
		    !(d->valuedouble <= 1 << 24) ||
		    d->valuedouble != (double)(size_t)d->valuedouble)
			break;
		pair[n++] = (size_t)d->valuedouble;
	}
	if (!cJSON_IsArray(a) || d != NULL || n != 2)
		return peft_seterr(err, "%s is not two sizes", key);
	return 1;
}

static int
read_fp8(struct peft_quantcfg *c, const cJSON *j, struct peft_err *err)
{
	static const char *const schemes[] = { "dynamic", "static", NULL };
	static const char *const formats[] = { "e4m3", "float8_e4m3fn",
	    "e5m2", "float8_e5m2", NULL };
	static const char *const scales[] = { "float", "ue8m0", NULL };
	static const char *const experts[] = { "fp8", NULL };
	size_t i, fmt;
	int has;

	c->activations = true;
	c->nschemes = 1;
	c->scheme[0] = (struct peft_quantscheme){ .bits = 8, .is_float = true,
	    .symmetric = true };
	if (peft_quantcfg_word(j, "activation_scheme", schemes, &i,
	    err) == -1 ||
	    (has = peft_quantcfg_word(j, "fmt", formats, &fmt, err)) == -1 ||
	    peft_quantcfg_word(j, "scale_fmt", scales, &i, err) == -1 ||
	    peft_quantcfg_word(j, "expert_dtype", experts, &i, err) == -1 ||
	    peft_quantcfg_pair(j, "weight_block_size", c->scheme[0].block,
	    err) == -1)
		return -1;
	if (has == 1)
		c->scheme[0].f8 = fmt < 2 ? PEFT_F8_E4M3 : PEFT_F8_E5M2;
	return 0;
}

/* The tensors tell everything. */
static int
read_nothing(struct peft_quantcfg *c, const cJSON *j, struct peft_err *err)
{
	(void)c;
	(void)j;
	(void)err;
	return 0;
}

static int (*const readers[PEFT_NQM])(struct peft_quantcfg *, const cJSON *,
    struct peft_err *) = {
	[PEFT_QM_BNB] = read_nothing, [PEFT_QM_GPTQ] = read_gptq,
	[PEFT_QM_AWQ] = read_awq, [PEFT_QM_FP8] = read_fp8,
	[PEFT_QM_FBGEMM] = read_fp8, [PEFT_QM_CT] = peft_quantcfg_read_ct,
	[PEFT_QM_MXFP4] = read_nothing,
};

/* Old files name no method: those of bitsandbytes, and files of one's own. */
static int
find_method(struct peft_quantcfg *c, const cJSON *j,
    enum peft_quantmethod otherwise, struct peft_err *err)
{
	const char *name = NULL;
	int m, r = peft_json_str(j, "quant_method", &name, err);

	if (r == 0)
		r = peft_json_str(j, "method", &name, err);
	if (r == -1)
		return -1;
	if (r == 0) {
		c->method = otherwise;
		if (peft_json_get(j, "load_in_4bit") != NULL ||
		    peft_json_get(j, "load_in_8bit") != NULL)
			c->method = PEFT_QM_BNB;
		return c->method != PEFT_QM_NONE ? 0 :
		    peft_seterr(err, "quant_method is missing");
	}
	for (m = PEFT_QM_NONE + 1; m < PEFT_NQM; m++)
		if (strcasecmp(peft_quantmethods[m], name) == 0) {
			c->method = (enum peft_quantmethod)m;
			return 0;
		}
	return peft_seterr(err, "quant_method \"%s\" is not known (known: "
	    "bitsandbytes, gptq, awq, fp8, fbgemm_fp8, compressed-tensors, "
	    "mxfp4)", name);
}

static int
read_object(struct peft_quantcfg *c, const cJSON *j,
    enum peft_quantmethod otherwise, struct peft_err *err)
{
	const cJSON *e;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (find_method(c, j, otherwise, err) == -1)
		return -1;
	cJSON_ArrayForEach(e, j)
		if (!is_known(e->string, c->method) && !peft_json_off(e))
			return peft_seterr(err, "key \"%s\" is not honoured",
			    e->string);
	return readers[c->method](c, j, err);
}

int
peft_quantcfg_read(struct peft_quantcfg *c, const char *text, size_t len,
    struct peft_err *err)
{
	cJSON *j = peft_json(text, len, err);
	const cJSON *q;
	int r = 0;

	memset(c, 0, sizeof(*c));
	if (j == NULL)
		return -1;
	q = peft_json_get(j, "quantization_config");
	if (q == NULL)			/* compressed-tensors, at first */
		q = peft_json_get(j, "compression_config");
	if (!peft_json_off(q) && (r = read_object(c, q, PEFT_QM_NONE,
	    err)) == -1)
		peft_errprefix(err, "%s", q->string);
	cJSON_Delete(j);
	return r;
}

int
peft_quantcfg_read_alone(struct peft_quantcfg *c, const char *text,
    size_t len, enum peft_quantmethod otherwise, struct peft_err *err)
{
	cJSON *j = peft_json(text, len, err);
	int r;

	memset(c, 0, sizeof(*c));
	if (j == NULL)
		return -1;
	r = read_object(c, j, otherwise, err);
	cJSON_Delete(j);
	return r;
}
