/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.model, SentencePiece's or tiktoken's, as hostile input, in front
 * of a line "=== text ===" and a text.  What is read can be told in
 * tokenizer.json, which is JSON; tokens are of the vocabulary and within the
 * text.
 */

#include "base/json.h"
#include "input.h"
#include "tensor/spm.h"
#include "tensor/tiktoken.h"
#include "text/tokenizer.h"

static void
encode(const struct peft_tokenizer *t, const char *text, size_t len)
{
	struct peft_tokens out = { 0 };
	struct peft_err err = { 0 };
	size_t i;

	if (peft_tokenizer_encode(t, text, len, PEFT_TOK_SPECIAL, &out,
	    &err) == 0)
		for (i = 0; i < out.n; i++)
			FUZZ_CLAIM(out.at[i].id >= 0 && (size_t)out.at[i].id <
			    peft_tokenizer_size(t) && out.at[i].begin <=
			    out.at[i].end && out.at[i].end <= len);
	peft_tokens_free(&out);
}

/* The same tokenizer as it is told and by its text, or neither: what is told
 * may be refused when it is opened. */
static void
use(struct peft_tokjson *told, const struct fuzz_parts *in)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_tokenizer *t, *u;
	cJSON *j;

	t = peft_tokenizer_open_told(NULL, told, NULL, 0, 1, &err);
	FUZZ_CLAIM(peft_tokjson_spell(told, &b, &err) == 0);
	FUZZ_CLAIM((j = peft_json(b.data, b.len, &err)) != NULL);
	cJSON_Delete(j);
	u = peft_tokenizer_open(b.data, b.len, NULL, 0, &err);
	FUZZ_CLAIM((t == NULL) == (u == NULL));
	FUZZ_CLAIM(t == NULL || strcmp(peft_tokenizer_hash(t),
	    peft_tokenizer_hash(u)) == 0);
	if (t != NULL)
		encode(t, in->second == NULL ? "" : in->second, in->nsecond);
	peft_tokenizer_close(t);
	peft_tokenizer_close(u);
	peft_buf_free(&b);
}

static void
tell(const struct peft_pieces *p, const struct fuzz_parts *in)
{
	struct peft_tokjson told = { 0 };
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	cJSON *j;

	if (peft_pieces_tokenizer(p, &told, &err) == 0) {
		use(&told, in);
		peft_pieces_config(p, &b);
		j = peft_json(b.data, b.len, &err);
		FUZZ_CLAIM(j != NULL);
		cJSON_Delete(j);
	}
	peft_tokjson_free(&told);
	peft_buf_free(&b);
}

static void
read_ranks(const struct fuzz_parts *in)
{
	struct peft_ranks r = { .pieces.what = "tokenizer.model" };
	struct peft_tokjson told = { 0 };
	struct peft_err err = { 0 };

	if (peft_ranks_read(&r, in->first, in->nfirst, &err) == 0 &&
	    peft_ranks_tokenizer(&r, peft_tiktoken_of_model("llama"), NULL,
	    &told, &err) == 0)
		use(&told, in);
	peft_tokjson_free(&told);
	peft_ranks_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts in = fuzz_split(data, size, "\n=== text ===\n");
	struct peft_pieces p = { .what = "tokenizer.model" };
	struct peft_err err = { 0 };
	char *typed = NULL;

	if (size > 0 && data[0] > ' ') {
		read_ranks(&in);
		return 0;
	}
	if (peft_spm_read(&p, in.first, in.nfirst, &err) == 0) {
		p.bos_first = p.bos != PEFT_NOPIECE;
		tell(&p, &in);
		p.inline_symbols = true;
		tell(&p, &in);
		p.inline_symbols = false;
		FUZZ_CLAIM(peft_spm_type(&p, &typed, &err) == 0);
		tell(&p, &in);
	}
	free(typed);
	free(p.at);
	return 0;
}
