/* SPDX-License-Identifier: Apache-2.0 */
/* A folder without tokenizer.json: other files that are tokenizers. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/source-impl.h"
#include "tensor/spm.h"

/* What transformers' classes put around a text, unless tokenizer_config.json
 * says add_bos_token and add_eos_token. */
static const struct class {
	const char	*name;
	bool		 bos, eos;
	bool		 added;		/* symbols are added tokens to it */
} classes[] = {
	{ "LlamaTokenizer", true, false, true },
	{ "LlamaTokenizerFast", true, false, true },
	{ "CodeLlamaTokenizer", true, false, true },
	{ "CodeLlamaTokenizerFast", true, false, true },
	{ "GemmaTokenizer", true, false, false },
	{ "GemmaTokenizerFast", true, false, false },
	{ "T5Tokenizer", false, true, false },
	{ "T5TokenizerFast", false, true, false },
};

/* Without a class, the families that are known here begin with bos. */
static bool
known_family(const struct peft_sides *sides)
{
	const struct peft_side *side = peft_sides_find(sides, "config.json");
	const char *type = "";
	struct peft_err ignored;
	bool known;
	cJSON *j;

	if (side == NULL ||
	    (j = peft_json(side->data, side->len, &ignored)) == NULL)
		return false;
	known = peft_json_str(j, "model_type", &type, &ignored) == 1 &&
	    peft_arch_of_hf(type) != NULL;
	cJSON_Delete(j);
	return known;
}

static int
read_config(const struct peft_sides *sides, struct peft_pieces *p,
    struct peft_err *err)
{
	const struct peft_side *side = peft_sides_find(sides,
	    "tokenizer_config.json");
	const char *class = NULL;
	cJSON *j = NULL;
	size_t i;
	int r = 0;

	p->inline_symbols = true;
	if (side != NULL && (j = peft_json(side->data, side->len,
	    err)) == NULL)
		return peft_errprefix(err, "tokenizer_config.json");
	if (peft_json_str(j, "tokenizer_class", &class, err) == -1)
		r = -1;
	else if (class == NULL)
		p->bos_first = known_family(sides);
	for (i = 0; class != NULL && i < sizeof(classes) / sizeof(classes[0]);
	    i++)
		if (strcmp(class, classes[i].name) == 0) {
			p->bos_first = classes[i].bos;
			p->eos_last = classes[i].eos;
			p->inline_symbols = !classes[i].added;
		}
	if (r == 0 && (peft_json_bool(j, "add_bos_token", &p->bos_first,
	    err) == -1 || peft_json_bool(j, "add_eos_token", &p->eos_last,
	    err) == -1))
		r = -1;
	p->bos_first &= p->bos != PEFT_NOPIECE;
	p->eos_last &= p->eos != PEFT_NOPIECE;
	cJSON_Delete(j);
	return r == 0 ? 0 : peft_errprefix(err, "tokenizer_config.json");
}

int
peft_tokenizer_of_spm(struct peft_sides *sides, const char *name,
    const struct peft_buf *file, struct peft_err *err)
{
	struct peft_pieces p = { .what = name };
	struct peft_buf b = { 0 };
	int r = -1;

	if (peft_spm_read(&p, file->data, file->len, err) == 0 &&
	    read_config(sides, &p, err) == 0 &&
	    peft_pieces_tokenizer(&p, &b, err) == 0)
		r = peft_sides_add(sides, "tokenizer.json", &b, err);
	if (r == 0 && peft_sides_find(sides, "tokenizer_config.json") ==
	    NULL) {
		peft_pieces_config(&p, &b);
		r = peft_sides_add(sides, "tokenizer_config.json", &b, err);
	}
	peft_buf_free(&b);
	free(p.at);
	return r;
}
