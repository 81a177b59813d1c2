/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json, a line "=== generation ===", generation_config.json.  What
 * is taken has sizes that fit each other; whatever it says, telling it to a
 * GGUF is done or refused.
 */

#include "base/json.h"
#include "input.h"
#include "model/config.h"
#include "tensor/ggufmap.h"

static void
check(const struct peft_config *c)
{
	size_t i;

	FUZZ_CLAIM(c->family != NULL);
	FUZZ_CLAIM(c->vocab > 0 && c->hidden > 0 && c->layers > 0);
	FUZZ_CLAIM(c->heads > 0 && c->kv_heads > 0 && c->head_dim > 0);
	FUZZ_CLAIM(c->heads % c->kv_heads == 0);
	FUZZ_CLAIM(c->neos <= PEFT_MAXEOS);
	for (i = 0; i < c->neos; i++)
		FUZZ_CLAIM(peft_config_is_eos(c, c->eos[i]));
}

/* As peft-quantize -o FILE.gguf does. */
static void
to_gguf(const struct peft_side *config)
{
	struct peft_gguf_out out = { 0 };
	struct peft_err err = { 0 };
	struct peft_heads heads = { 0 };
	const char *type = NULL;
	struct peft_rope_tensors rope = { 0 };
	cJSON *j = peft_json(config->data, config->len, &err);

	if (j != NULL && peft_json_str(j, "model_type", &type, &err) == 1 &&
	    peft_arch_of_hf(type) != NULL && peft_arch_metadata(
	    peft_arch_of_hf(type), config, &out, &heads, &rope,
	    &err) == -1)
		FUZZ_CLAIM(err.msg[0] != '\0');
	peft_rope_tensors_free(&rope);
	peft_buf_free(&out.kv);
	cJSON_Delete(j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size,
	    "\n=== generation ===\n");
	struct peft_side config = { "config.json", p.first, p.nfirst,
	    false, NULL };
	struct peft_side gen = { "generation_config.json", p.second,
	    p.nsecond, false, NULL };
	struct peft_config c = { 0 };
	struct peft_err err = { 0 };

	if (peft_config_parse(&c, &config, p.second == NULL ? NULL : &gen,
	    &err) == 0)
		check(&c);
	else
		FUZZ_CLAIM(err.msg[0] != '\0');
	to_gguf(&config);
	return 0;
}
