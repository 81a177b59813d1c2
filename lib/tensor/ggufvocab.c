/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json and the template from GGUF's metadata. */

#include <string.h>

#include "tensor/ggufbytes.h"
#include "tensor/ggufpieces.h"
#include "tensor/ggufwords.h"

/* JSON has no way to write a string that is not UTF-8, or has a NUL. */
static bool
all_text(const struct peft_gguf *g, const char *key)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);
	const uint8_t *p;
	const char *s;
	size_t len;
	uint64_t n;

	if (kv == NULL || kv->type != PEFT_GGUF_ARRAY ||
	    kv->elem != PEFT_GGUF_STRING)
		return true;		/* which is refused later */
	for (p = kv->value, n = kv->count; n > 0; n--) {
		peft_gguf_next_string(&p, &s, &len);
		if (!peft_utf8_all(s, len) || memchr(s, '\0', len) != NULL)
			return false;
	}
	return true;
}

static const char *const models[] = { "gpt2", "gemma4", "llama", "t5",
    "bert" };
enum { BYTES, CHARS, PIECES, UNIGRAM, WORDS, NMODEL };

/* How a text is cut before merging.  Older files do not say; llama.cpp then
 * takes a default, and so is done here. */
static const struct peft_pre *
pre_of(const struct peft_gguf *g, int model, const char **note)
{
	static const char fallback[] = "default";
	const char *s = fallback;
	size_t len = sizeof(fallback) - 1;

	if (model == CHARS)
		return peft_pre_of_chars();
	if (peft_gguf_find(g, "tokenizer.ggml.pre") == NULL)
		*note = "the file does not say how texts are cut before "
		    "merging (tokenizer.ggml.pre): taken is 'default', as "
		    "llama.cpp does, which may not be the model's own";
	else if (!peft_gguf_string(g, "tokenizer.ggml.pre", &s, &len))
		return NULL;
	return peft_pre_of_gguf(s, len);
}

/* Is the vocabulary one that tokenizer.json can tell here?  *why if not. */
static bool
known_kind(const struct peft_gguf *g, const struct peft_pre **pre,
    int *model, const char **why, const char **note)
{
	const char *s = "";
	size_t len = 0;
	int i;

	if (!peft_gguf_string(g, "tokenizer.ggml.model", &s, &len)) {
		*why = "the file has no tokenizer: looked for the key "
		    "tokenizer.ggml.model";
		return false;
	}
	for (i = 0; i < NMODEL; i++)
		if (strlen(models[i]) == len && memcmp(models[i], s, len) == 0)
			break;
	if (i == NMODEL) {
		*why = "the tokenizer is of none of the kinds gpt2, gemma4, "
		    "llama, t5 and bert";
		return false;
	}
	*model = i;
	if (i > CHARS) {
		if (all_text(g, "tokenizer.ggml.tokens"))
			return true;
		*why = "the tokenizer has tokens that are not UTF-8";
		return false;
	}
	if ((*pre = pre_of(g, i, note)) == NULL) {
		*why = "tokenizer.ggml.pre is of a kind that is not known";
		return false;
	}
	if (!all_text(g, "tokenizer.ggml.tokens") ||
	    !all_text(g, "tokenizer.ggml.merges")) {
		*why = "the tokenizer has tokens or merges that are not UTF-8";
		return false;
	}
	return true;
}

int
peft_vocab_sides(const struct peft_gguf *g, struct peft_sides *sides,
    const char **why, const char **note, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const struct peft_pre *pre = NULL;
	const char *s;
	size_t len;
	int model;

	*why = *note = NULL;
	if (peft_gguf_string(g, "tokenizer.chat_template", &s, &len)) {
		peft_buf_put(&b, s, len);
		if (peft_sides_add(sides, "chat_template.jinja", &b,
		    err) == -1)
			return -1;
	}
	if (!known_kind(g, &pre, &model, why, note))
		return 0;
	if (model == WORDS)
		return peft_gguf_words(g, sides, err);
	if (model > CHARS)
		return peft_gguf_pieces(g, model == UNIGRAM, sides, err);
	return peft_gguf_bytes(g, pre, sides, err);
}
