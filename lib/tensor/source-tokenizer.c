/* SPDX-License-Identifier: Apache-2.0 */
/* A folder without tokenizer.json: other files that are tokenizers. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/source-impl.h"
#include "tensor/spm.h"
#include "tensor/tiktoken.h"

/* Bytes of an expression, of 64 KB that PCRE2 makes of it. */
enum { MAXSYMBOLS = 8192 };

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

/* config.json's model_type, "" if it does not say. */
static void
model_type(const struct peft_sides *sides, char *to, size_t size)
{
	const struct peft_side *side = peft_sides_find(sides, "config.json");
	const char *type = "";
	struct peft_err ignored;
	cJSON *j = NULL;

	if (side != NULL &&
	    (j = peft_json(side->data, side->len, &ignored)) != NULL &&
	    peft_json_str(j, "model_type", &type, &ignored) == -1)
		type = "";
	snprintf(to, size, "%s", type);
	cJSON_Delete(j);
}

/* Without a class, the families that are known here begin with bos. */
static bool
known_family(const struct peft_sides *sides)
{
	static const char *const types[] = { "llama", "mistral", "mixtral",
	    "gemma", "gemma2", "gemma3_text", NULL };
	char type[64];
	size_t i;

	model_type(sides, type, sizeof(type));
	for (i = 0; types[i] != NULL; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
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

/* Symbols that are too many for an expression are looked for in the text as
 * it comes, which is the same where no prefix is put before it and nothing but
 * spaces changes. */
static bool
few_symbols(const struct peft_pieces *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->n; i++)
		n += p->at[i].type == PEFT_P_USER ? p->at[i].len + 1 : 0;
	return n <= MAXSYMBOLS;
}

static int
of_spm(struct peft_sides *sides, const char *name,
    const struct peft_buf *file, struct peft_err *err)
{
	struct peft_pieces p = { .what = name };
	struct peft_tokjson t = { 0 };
	struct peft_buf b = { 0 };
	char *typed = NULL;
	int r;

	r = peft_spm_read(&p, file->data, file->len, err) == -1 ||
	    read_config(sides, &p, err) == -1 ? -1 : 0;
	p.inline_symbols &= few_symbols(&p);
	if (r == 0 && !p.inline_symbols && !p.spaces)
		r = peft_spm_type(&p, &typed, err);
	if (r == 0 && (r = peft_pieces_tokenizer(&p, &t, err)) == 0)
		r = peft_sides_tell(sides, &t, err);
	if (r == 0 && peft_sides_find(sides, "tokenizer_config.json") ==
	    NULL) {
		peft_pieces_config(&p, &b);
		r = peft_sides_add(sides, "tokenizer_config.json", &b, err);
	}
	peft_tokjson_free(&t);
	peft_buf_free(&b);
	free(typed);
	free(p.at);
	return r;
}

/* How a file of ranks splits texts: by its name, or by the model. */
static const struct peft_tiktoken *
kind_of(const struct peft_sides *sides, const char *name,
    struct peft_err *err)
{
	const char *dot = strrchr(name, '.');
	const struct peft_tiktoken *k;
	char type[64];

	k = peft_tiktoken_of_name(name, dot == NULL ? strlen(name) :
	    (size_t)(dot - name));
	model_type(sides, type, sizeof(type));
	if (k == NULL)
		k = peft_tiktoken_of_model(type);
	if (k == NULL)
		peft_seterr(err, "%s has tiktoken's ranks, and how it splits "
		    "texts is not known: looked for a name of cl100k_base, "
		    "o200k_base, p50k_base, r50k_base, llama3 or qwen, and in "
		    "config.json for the model_type llama or qwen", name);
	return k;
}

static int
of_ranks(struct peft_sides *sides, const char *name,
    const struct peft_buf *file, struct peft_err *err)
{
	const struct peft_side *side = peft_sides_find(sides,
	    "tokenizer_config.json");
	const struct peft_tiktoken *k = kind_of(sides, name, err);
	struct peft_ranks ranks = { .pieces.what = name };
	struct peft_tokjson t = { 0 };
	struct peft_buf b = { 0 };
	cJSON *j = NULL;
	int r = -1;

	if (k == NULL)
		return -1;
	if (side != NULL && (j = peft_json(side->data, side->len,
	    err)) == NULL)
		return peft_errprefix(err, "tokenizer_config.json");
	if (peft_ranks_read(&ranks, file->data, file->len, err) == 0)
		r = peft_ranks_tokenizer(&ranks, k, j, &t, err) == -1 ?
		    peft_errprefix(err, "%s", name) :
		    peft_sides_tell(sides, &t, err);
	if (r == 0 && side == NULL) {
		peft_ranks_config(k, &b);
		r = peft_sides_add(sides, "tokenizer_config.json", &b, err);
	}
	cJSON_Delete(j);
	peft_tokjson_free(&t);
	peft_buf_free(&b);
	peft_ranks_free(&ranks);
	return r;
}

/* A SentencePiece model begins with its first piece, a field of number 1;
 * what else is printable is ranks. */
int
peft_tokenizer_of(struct peft_sides *sides, const char *name,
    const struct peft_buf *file, struct peft_err *err)
{
	bool ranks = file->len > 0 && file->data[0] > ' ' &&
	    file->data[0] < 127;

	return ranks ? of_ranks(sides, name, file, err) :
	    of_spm(sides, name, file, err);
}
