/* SPDX-License-Identifier: Apache-2.0 */
/* WordPiece in GGUF's metadata, from tokenizer.json. */

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "tensor/ggufwords.h"

static const char dash[] = "\u2581";	/* begins a word */
enum { NORMAL = 1, UNKNOWN = 2 };

static bool
is_string(const cJSON *j, const char *key, const char *s)
{
	const cJSON *v = peft_json_get(j, key);

	return cJSON_IsString(v) && strcmp(v->valuestring, s) == 0;
}

/* llama.cpp always makes a text ready as uncased BERT does. */
static int
check_stages(const cJSON *j, struct peft_err *err)
{
	const cJSON *norm = peft_json_get(j, "normalizer");
	const cJSON *pre = peft_json_get(j, "pre_tokenizer");
	const cJSON *model = peft_json_get(j, "model");
	const cJSON *most = peft_json_get(model, "max_input_chars_per_word");

	if (!is_string(norm, "type", "BertNormalizer") ||
	    !cJSON_IsTrue(peft_json_get(norm, "lowercase")) ||
	    cJSON_IsFalse(peft_json_get(norm, "clean_text")) ||
	    cJSON_IsFalse(peft_json_get(norm, "handle_chinese_chars")) ||
	    cJSON_IsFalse(peft_json_get(norm, "strip_accents")) ||
	    !is_string(pre, "type", "BertPreTokenizer"))
		return peft_seterr(err, "tokenizer.json: its normalizer and "
		    "pre_tokenizer have no name in GGUF here: WordPiece goes "
		    "with those of uncased BERT");
	if (!is_string(model, "continuing_subword_prefix", "##") ||
	    (cJSON_IsNumber(most) && most->valuedouble < 100))
		return peft_seterr(err, "tokenizer.json: WordPiece with "
		    "another prefix than ##, or words of less than 100 "
		    "characters, cannot be told in GGUF");
	return 0;
}

/* Marking may have made two tokens one. */
static int
check_marks(const struct peft_vocab_table *t, struct peft_err *err)
{
	struct peft_map seen = { 0 };
	size_t i, n = t->n;
	int r = 1;

	while (n > 0 && t->text[n - 1] == NULL)
		n--;
	for (i = 0; r == 1 && i < n; i++) {
		if (t->text[i] == NULL) {
			r = peft_seterr(err, "tokenizer.json: no token has "
			    "the id %zu", i);
			break;
		}
		r = peft_map_add(&seen, t->text[i], strlen(t->text[i]), i,
		    err);
		if (r == 0)
			r = peft_seterr(err, "tokenizer.json: token %zu cannot "
			    "be told from another in GGUF", i);
	}
	peft_map_free(&seen);
	return r == -1 ? -1 : 0;
}

/* The table's texts as GGUF has them. */
static int
mark(struct peft_vocab_table *t, const char *unk, struct peft_err *err)
{
	size_t i, n = 1;
	char *to;

	for (i = 0; i < t->n; i++)
		if (t->text[i] != NULL)
			n += strlen(t->text[i]) + sizeof(dash);
	if ((t->typed = to = peft_calloc(n, 1, err)) == NULL)
		return -1;
	for (i = 0; i < t->n; i++) {
		const char *s = t->text[i];

		if (s != NULL && strcmp(s, unk) == 0)
			t->type[i] = UNKNOWN;
		if (s == NULL || t->type[i] != NORMAL)
			continue;
		t->text[i] = to;
		if (strncmp(s, "##", 2) != 0)
			to = stpcpy(to, dash);
		to = stpcpy(to, strncmp(s, "##", 2) != 0 ? s : s + 2) + 1;
	}
	return 0;
}

static void
put_named(const struct peft_vocab_table *t, const char *s, const char *key,
    struct peft_gguf_out *o)
{
	size_t i;

	for (i = 0; s != NULL && i < t->n; i++)
		if (t->text[i] != NULL && strcmp(t->text[i], s) == 0) {
			peft_gguf_put_u32(o, key, (uint32_t)i);
			return;
		}
}

static const char *
text_of(const cJSON *config, const char *name)
{
	const cJSON *v = peft_json_get(config, name);

	if (cJSON_IsObject(v))
		v = peft_json_get(v, "content");
	return cJSON_IsString(v) ? v->valuestring : NULL;
}

int
peft_gguf_put_words(const cJSON *j, const cJSON *config,
    struct peft_vocab_table *t, struct peft_gguf_out *o, struct peft_err *err)
{
	const cJSON *model = peft_json_get(j, "model"), *unk;

	if (!is_string(model, "type", "WordPiece"))
		return 0;
	unk = peft_json_get(model, "unk_token");
	if (!cJSON_IsString(unk))
		return peft_seterr(err, "tokenizer.json: WordPiece without "
		    "an unk_token");
	if (check_stages(j, err) == -1 || mark(t, unk->valuestring,
	    err) == -1 || check_marks(t, err) == -1)
		return -1;
	peft_gguf_put_string(o, "tokenizer.ggml.model", "bert", 4);
	peft_gguf_put_string(o, "tokenizer.ggml.pre", "default", 7);
	peft_gguf_put_tokens(t, o);
	/* llama.cpp takes bos for it, others cls */
	put_named(t, text_of(config, "cls_token"),
	    "tokenizer.ggml.bos_token_id", o);
	put_named(t, text_of(config, "cls_token"),
	    "tokenizer.ggml.cls_token_id", o);
	put_named(t, text_of(config, "sep_token"),
	    "tokenizer.ggml.seperator_token_id", o);
	put_named(t, text_of(config, "mask_token"),
	    "tokenizer.ggml.mask_token_id", o);
	peft_gguf_put_bool(o, "tokenizer.ggml.add_sep_token", true);
	return 1;
}
