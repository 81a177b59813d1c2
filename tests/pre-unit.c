/* SPDX-License-Identifier: Apache-2.0 */
/* Names of pre-tokenizers that mean the same, and what all of them are. */

#include <string.h>

#include "base/json.h"
#include "tap.h"
#include "tensor/ggufpre.h"

static const struct peft_pre *
named(const char *name)
{
	return peft_pre_of_gguf(name, strlen(name));
}

/* The first of a list is told by its expressions elsewhere. */
static const char *const same[][17] = {
	{ "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral",
	    "midm-2.0", "lfm2" },
	{ "dbrx", "smaug-bpe", "glm4", "chatglm-bpe" },
	{ "deepseek-r1-qwen", "stablelm2", "kormo", "megrez", "hunyuan",
	    "grok-2" },
	{ "gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de",
	    "gigachat", "a.x-4.0", "mellum", "exaone4", "mpt", "olmo", "jais",
	    "trillion", "granite-docling" },
	{ "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone",
	    "minerva-7b" },
	{ "gpt-4o", "llama4", "minimax-m2" },
	{ "deepseek-v3", "hunyuan-dense" },
	{ "bailingmoe", "bailingmoe2", "llada-moe" },
	{ "bloom", "gpt3-finnish", "poro-chat" },
	{ "qwen2" }, { "tekken" }, { "deepseek-coder" }, { "seed-coder" },
	{ "viking" }, { "falcon" }, { "default" },
};

static bool
as_first(const struct peft_pre *p, const struct peft_pre *first)
{
	return p != NULL && strcmp(p->json, first->json) == 0 &&
	    strcmp(p->normalizer, first->normalizer) == 0 &&
	    p->ignore_merges == first->ignore_merges &&
	    p->add_bos == first->add_bos;
}

int
main(void)
{
	struct peft_err err = { 0 };
	const struct peft_pre *first;
	size_t i, k;
	cJSON *j;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		first = named(same[i][0]);
		ok(first != NULL, "%s is known", same[i][0]);
		for (k = 1; same[i][k] != NULL; k++)
			ok(as_first(named(same[i][k]), first), "%s is %s",
			    same[i][k], same[i][0]);
		j = peft_json(first->json, strlen(first->json), &err);
		ok(j != NULL, "%s is JSON", same[i][0]);
		cJSON_Delete(j);
		ok(as_first(peft_pre_of_json(first->json, first->normalizer,
		    first->ignore_merges), &(struct peft_pre){ NULL,
		    first->json, first->normalizer, first->ignore_merges,
		    first->add_bos }), "%s is found by what it is",
		    same[i][0]);
	}
	ok(named("") == NULL && named("gpt") == NULL, "others are not known");
	return tap_end();
}
