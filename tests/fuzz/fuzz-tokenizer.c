/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.json as hostile input: a file, a line "=== text ===", and a text.
 * Tokens must be of the vocabulary and cover the text in order.  A vocabulary
 * that can be told in GGUF can be read from it.
 */

#include <stdlib.h>
#include <string.h>

#include "tensor/ggufmap.h"
#include "text/tokenizer.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct peft_tokenizer *t, const struct peft_tokens *out,
    size_t len)
{
	size_t i;

	for (i = 0; i < out->n; i++)
		if (out->at[i].id < 0 || (size_t)out->at[i].id >=
		    peft_tokenizer_size(t) || out->at[i].begin >
		    out->at[i].end || out->at[i].end > len)
			abort();
}

static void
round_trip(const struct peft_tokenizer *t, const char *text, size_t len,
    int flags)
{
	struct peft_tokens out = { 0 };
	struct peft_buf b = { 0 };
	struct peft_err err;
	int32_t *ids;
	size_t i;

	if (peft_tokenizer_encode(t, text, len, flags, &out, &err) == 0) {
		check(t, &out, len);
		if ((ids = calloc(out.n + 1, sizeof(*ids))) == NULL)
			abort();
		for (i = 0; i < out.n; i++)
			ids[i] = out.at[i].id;
		if (peft_tokenizer_decode(t, ids, out.n, flags != 0, &b,
		    &err) == -1)
			abort();
		peft_tokens_to_chars(&out, text, len);
		check(t, &out, len);
		free(ids);
	}
	peft_buf_free(&b);
	peft_tokens_free(&out);
}

static void
read_gguf(const char *data, size_t n)
{
	struct peft_sides sides = { 0 };
	struct peft_gguf g;
	struct peft_err err = { 0 };
	const char *why, *note;

	if (peft_gguf_parse(&g, (const uint8_t *)data, n, &err) == -1 ||
	    peft_vocab_sides(&g, &sides, &why, &note, &err) == -1 ||
	    why != NULL ||
	    peft_sides_find(&sides, "tokenizer.json") == NULL)
		abort();
	peft_sides_free(&sides);
	peft_gguf_free(&g);
}

static void
to_gguf(const char *json, size_t len, size_t vocab)
{
	struct peft_side side = { "tokenizer.json", json, len, false,
	    NULL };
	struct peft_gguf_out out = { 0 };
	struct peft_err err = { 0 };
	char *data = NULL;
	size_t n = 0;
	FILE *fp;

	if (peft_vocab_metadata(&side, NULL, NULL, vocab, &out, &err) == 0) {
		fp = open_memstream(&data, &n);
		if (fp == NULL || peft_gguf_write(fp, "memory", &out, NULL, 0,
		    &err) == -1)
			abort();
		fclose(fp);
		read_gguf(data, n);
		free(data);
	}
	peft_buf_free(&out.kv);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char line[] = "\n=== text ===\n";
	struct peft_tokenizer *t;
	const char *json = (const char *)data, *text, *end = json + size;
	struct peft_err err;
	size_t len;

	text = size == 0 ? NULL : memmem(json, size, line, sizeof(line) - 1);
	len = text == NULL ? size : (size_t)(text - json);
	t = peft_tokenizer_open(json, len, NULL, 0, &err);
	if (t == NULL)
		return 0;
	text = text == NULL ? end : text + sizeof(line) - 1;
	round_trip(t, text, (size_t)(end - text), 0);
	round_trip(t, text, (size_t)(end - text), PEFT_TOK_SPECIAL);
	round_trip(t, text, (size_t)(end - text), PEFT_TOK_PLAIN);
	to_gguf(json, len, peft_tokenizer_size(t) + 1);
	peft_tokenizer_close(t);
	return 0;
}
