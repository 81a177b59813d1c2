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

/* tokenizer.json's text, which may be refused when it is opened. */
static void
use(const struct peft_buf *b, const struct fuzz_parts *in)
{
	struct peft_err err = { 0 };
	struct peft_tokenizer *t;
	cJSON *j = peft_json(b->data, b->len, &err);

	FUZZ_CLAIM(j != NULL);
	cJSON_Delete(j);
	t = peft_tokenizer_open(b->data, b->len, NULL, 0, &err);
	if (t != NULL)
		encode(t, in->second == NULL ? "" : in->second, in->nsecond);
	peft_tokenizer_close(t);
}

static void
tell(const struct peft_pieces *p, const struct fuzz_parts *in)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	cJSON *j;

	if (peft_pieces_tokenizer(p, &b, &err) == 0) {
		use(&b, in);
		peft_buf_clear(&b);
		peft_pieces_config(p, &b);
		j = peft_json(b.data, b.len, &err);
		FUZZ_CLAIM(j != NULL);
		cJSON_Delete(j);
	}
	peft_buf_free(&b);
}

static void
read_ranks(const struct fuzz_parts *in)
{
	struct peft_ranks r = { .pieces.what = "tokenizer.model" };
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };

	if (peft_ranks_read(&r, in->first, in->nfirst, &err) == 0 &&
	    peft_ranks_tokenizer(&r, peft_tiktoken_of_model("llama"), NULL,
	    &b, &err) == 0)
		use(&b, in);
	peft_buf_free(&b);
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
