/* SPDX-License-Identifier: Apache-2.0 */
/* config.json as the written weights call for it. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quant/quant.h"
#include "quant/sink-impl.h"

static const char *const torch_names[PEFT_NDTYPE] = {
	[PEFT_F32] = "float32", [PEFT_F16] = "float16",
	[PEFT_BF16] = "bfloat16",
};

static bool
is_4bit(const struct peft_spec *s)
{
	return s->dtype == PEFT_NF4 || s->dtype == PEFT_FP4;
}

/* The type that most weights have, or are to be expanded to. */
static const char *
dtype_name(const struct peft_sink *k)
{
	size_t sum[PEFT_NDTYPE] = { 0 }, i, n;
	int t, d, best = PEFT_F32;

	for (i = 0; i < k->n; i++) {
		const struct peft_spec *s = &k->specs[i];

		for (n = 1, d = 0; d < s->ndim; d++)
			n *= s->shape[d];
		sum[is_4bit(s) ? s->orig : peft_is_coded(s->dtype) ? PEFT_BF16 :
		    s->dtype] += n;
	}
	for (t = 0; t < PEFT_NDTYPE; t++)
		if (torch_names[t] != NULL && sum[t] > sum[best])
			best = t;
	return torch_names[best];
}

/* Linear layers left as they were, beside the head, which always is.  Those in
 * one tensor are no layers to others. */
static cJSON *
skipped(const struct peft_sink *k)
{
	cJSON *list = cJSON_CreateArray();
	size_t i, n;
	bool other = false;

	for (i = 0; i < k->n; i++) {
		const struct peft_spec *s = &k->specs[i];
		char module[512];

		n = strlen(s->name);
		if (s->ndim != 2 || peft_is_coded(s->dtype) ||
		    k->joint[i].each > 0 || n < 8 || n >= sizeof(module) ||
		    strstr(s->name, "embed") != NULL ||
		    strcmp(s->name + n - 7, ".weight") != 0)
			continue;
		memcpy(module, s->name, n - 7);
		module[n - 7] = '\0';
		other |= strcmp(module, "lm_head") != 0;
		cJSON_AddItemToArray(list, cJSON_CreateString(module));
	}
	if (other) {
		cJSON_AddItemToArray(list, cJSON_CreateString("lm_head"));
		return list;
	}
	cJSON_Delete(list);
	return cJSON_CreateNull();
}

/* transformers' BitsAndBytesConfig. */
static cJSON *
bnb_config(const struct peft_sink *k, const struct peft_spec *s)
{
	cJSON *q = cJSON_CreateObject();
	bool four = is_4bit(s);

	cJSON_AddBoolToObject(q, "_load_in_4bit", four);
	cJSON_AddBoolToObject(q, "_load_in_8bit", !four);
	if (four) {
		cJSON_AddStringToObject(q, "bnb_4bit_compute_dtype",
		    torch_names[s->orig]);
		cJSON_AddStringToObject(q, "bnb_4bit_quant_storage", "uint8");
		cJSON_AddStringToObject(q, "bnb_4bit_quant_type",
		    peft_dtypes[s->dtype].name);
		cJSON_AddBoolToObject(q, "bnb_4bit_use_double_quant",
		    s->nested);
	}
	cJSON_AddBoolToObject(q, "llm_int8_enable_fp32_cpu_offload", false);
	cJSON_AddBoolToObject(q, "llm_int8_has_fp16_weight", false);
	cJSON_AddItemToObject(q, "llm_int8_skip_modules", skipped(k));
	/* transformers refuses a 6 here: it must be a float */
	cJSON_AddRawToObject(q, "llm_int8_threshold", "6.0");
	cJSON_AddBoolToObject(q, "load_in_4bit", four);
	cJSON_AddBoolToObject(q, "load_in_8bit", !four);
	cJSON_AddStringToObject(q, "quant_method", "bitsandbytes");
	return q;
}

/* transformers' FineGrainedFP8Config, which is DeepSeek's. */
static cJSON *
fp8_config(const struct peft_sink *k, const struct peft_spec *s)
{
	int edge[2] = { (int)s->blocksize, (int)s->blocksize };
	cJSON *q = cJSON_CreateObject();

	cJSON_AddStringToObject(q, "activation_scheme", "dynamic");
	cJSON_AddStringToObject(q, "fmt", "e4m3");
	cJSON_AddItemToObject(q, "modules_to_not_convert", skipped(k));
	cJSON_AddStringToObject(q, "quant_method", "fp8");
	cJSON_AddItemToObject(q, "weight_block_size", cJSON_CreateIntArray(edge,
	    2));
	return q;
}

/* One method for all: a config.json has room for no other. */
static int
quant_config(const struct peft_sink *k, cJSON *j, struct peft_err *err)
{
	const struct peft_spec *s = NULL;
	size_t i;

	for (i = 0; i < k->n; i++) {
		if (!peft_is_coded(k->specs[i].dtype))
			continue;
		if (s != NULL && (s->dtype != k->specs[i].dtype ||
		    (s->dtype == PEFT_F8G_E4M3 &&
		    s->blocksize != k->specs[i].blocksize)))
			return peft_seterr(err, "weights %s and %s are of two "
			    "quantised types: transformers reads one a model",
			    s->name, k->specs[i].name);
		s = &k->specs[i];
	}
	if (s != NULL)
		peft_json_set(j, "quantization_config",
		    s->dtype == PEFT_F8G_E4M3 ? fp8_config(k, s) :
		    bnb_config(k, s));
	return 0;
}

int
peft_sink_fix_config(struct peft_sink *k, struct peft_err *err)
{
	struct peft_side *side = NULL;
	struct peft_buf b = { 0 };
	cJSON *j;
	size_t i;

	for (i = 0; i < k->sides.n; i++)
		if (strcmp(k->sides.at[i].name, "config.json") == 0)
			side = &k->sides.at[i];
	if (side == NULL)
		return 0;
	if ((j = peft_json(side->data, side->len, err)) == NULL)
		return peft_errprefix(err, "config.json");
	if (!cJSON_IsObject(j)) {
		cJSON_Delete(j);
		return peft_seterr(err, "config.json: not an object");
	}
	cJSON_DeleteItemFromObjectCaseSensitive(j, "quantization_config");
	cJSON_DeleteItemFromObjectCaseSensitive(j, "compression_config");
	if (quant_config(k, j, err) == -1) {
		cJSON_Delete(j);
		return -1;
	}
	peft_json_set(j, peft_json_get(j, "dtype") != NULL ? "dtype" :
	    "torch_dtype", cJSON_CreateString(dtype_name(k)));
	peft_json_print(&b, j, 2, true);
	peft_buf_putc(&b, '\n');
	cJSON_Delete(j);
	if (b.failed)
		return peft_seterr(err, "no memory for config.json");
	free((void *)(uintptr_t)side->data);
	side->data = b.data;
	side->len = b.len;
	return 0;
}
