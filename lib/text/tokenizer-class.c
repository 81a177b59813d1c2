/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class that tokenizer_config.json names: transformers' LlamaTokenizer and
 * CodeLlamaTokenizer do not take normaliser, pre-tokenizer and decoder from
 * tokenizer.json but make their own, unless the file is byte-level.
 */

#include <string.h>

#include "text/tokenizer-impl.h"

static bool
is_class(const char *class, const char *name)
{
	size_t n = strlen(name);

	return strncmp(class, name, n) == 0 && (class[n] == '\0' ||
	    strcmp(class + n, "Fast") == 0);
}

/* Kinds of models of which transformers (5.23) knows that the class is not to
 * be believed: tokenizer.json stands as it is. */
static bool
is_doubted(const char *model_type)
{
	static const char *const types[] = { "arctic", "ernie4_5",
	    "ernie4_5_moe", "flex_olmo", "fuyu", "glm", "glm4", "glm4_moe",
	    "glm4_moe_lite", "gpt_bigcode", "granite", "granitemoe",
	    "granitemoehybrid", "granitemoeshared", "h2ovl_chat", "hyperclovax",
	    "internlm2", "internlm3", "jamba", "kimi_linear", "llava",
	    "llava_next", "mimo_v2_flash", "minicpm3", "minicpmv",
	    "minimax_m2", "ministral", "ministral3", "mistral", "mistral3",
	    "mixtral", "molmo", "molmo2", "nemotron", "olmo2", "olmo3",
	    "persimmon", "phi3", "phi3_v", "phimoe", "pixtral", "stablelm",
	    "vipllava", "voxtral", NULL };
	size_t i;

	for (i = 0; model_type != NULL && types[i] != NULL; i++)
		if (strcmp(types[i], model_type) == 0)
			return true;
	return false;
}

/* Is there a ByteLevel anywhere in this stage? */
static bool
has_byte_level(const cJSON *stage)
{
	const cJSON *e, *type;

	type = peft_json_get(stage, "type");
	if (cJSON_IsString(type) && strcmp(type->valuestring,
	    "ByteLevel") == 0)
		return true;
	cJSON_ArrayForEach(e, peft_json_get(stage, "pretokenizers"))
		if (has_byte_level(e))
			return true;
	return false;
}

/* The stages that the class makes: spaces become U+2581, and one is put
 * before texts by that scheme. */
static int
make_stages(struct peft_tokenizer *t, const char *scheme, bool strip,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r = 0;

	peft_buf_printf(&b, "{\"normalizer\":null,\"pre_tokenizer\":{"
	    "\"type\":\"Metaspace\",\"replacement\":\"\u2581\","
	    "\"prepend_scheme\":\"%s\",\"split\":false},"
	    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":["
	    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},"
	    "\"content\":\" \"},{\"type\":\"ByteFallback\"},"
	    "{\"type\":\"Fuse\"}%s]}}", scheme, !strip ? "" :
	    ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
	if (b.failed)
		r = peft_seterr(err, "no memory");
	else if ((t->class = peft_json(b.data, b.len, err)) == NULL)
		r = -1;
	peft_buf_free(&b);
	return r;
}

int
peft_tokenizer_class(struct peft_tokenizer *t, const cJSON *config,
    const char *model_type, struct peft_err *err)
{
	bool legacy = false, prefix = true, llama, code;
	const char *class = "";

	if (peft_json_str(config, "tokenizer_class", &class, err) == -1)
		return -1;
	llama = is_class(class, "LlamaTokenizer");
	code = is_class(class, "CodeLlamaTokenizer");
	if (!(llama || code) || is_doubted(model_type) ||
	    has_byte_level(peft_json_get(t->json, "pre_tokenizer")))
		return 0;
	if (peft_json_bool(config, "legacy", &legacy, err) == -1 ||
	    peft_json_bool(config, "add_prefix_space", &prefix, err) == -1)
		return -1;
	return make_stages(t, !prefix ? "never" : legacy && llama ? "always" :
	    "first", prefix || code, err);
}
