/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's tokenizer metadata from tokenizer.json. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/ggufmap.h"
#include "tensor/ggufpieces.h"
#include "tensor/ggufpre.h"
#include "tensor/ggufwords.h"

enum { NORMAL = 1, CONTROL = 3, USER = 4, UNUSED = 5 };

static int
put_token(struct peft_vocab_table *t, const char *text, double d,
    int type, struct peft_err *err)
{
	if (!(d >= 0) || d >= (double)t->n || d != (double)(size_t)d)
		return peft_seterr(err, "tokenizer.json: the id of token %s is "
		    "not below %zu", text, t->n);
	t->text[(size_t)d] = text;
	t->type[(size_t)d] = (unsigned char)type;
	return 0;
}

static double
number(const cJSON *id)
{
	return cJSON_IsNumber(id) ? id->valuedouble : -1;
}

static int
read_tokens(struct peft_vocab_table *t, const cJSON *j, struct peft_err *err)
{
	const cJSON *vocab = peft_json_get(peft_json_get(j, "model"),
	    "vocab"), *e, *name;
	const char *content;
	double id = 0;

	cJSON_ArrayForEach(e, vocab) {
		name = cJSON_IsArray(vocab) ? e->child : NULL;
		if (name != NULL && cJSON_IsString(name)) {
			if (put_token(t, name->valuestring, id++, NORMAL,
			    err) == -1)
				return -1;
		} else if (e->string == NULL)
			return peft_seterr(err, "tokenizer.json: model.vocab "
			    "is neither an object nor a list of pairs");
		else if (put_token(t, e->string, number(e), NORMAL, err) == -1)
			return -1;
	}
	cJSON_ArrayForEach(e, peft_json_get(j, "added_tokens")) {
		if (peft_json_str(e, "content", &content, err) != 1)
			return peft_seterr(err, "tokenizer.json: an added "
			    "token without content");
		if (put_token(t, content, number(peft_json_get(e, "id")),
		    cJSON_IsTrue(peft_json_get(e, "special")) ? CONTROL : USER,
		    err) == -1)
			return -1;
	}
	return 0;
}

void
peft_gguf_put_tokens(const struct peft_vocab_table *t,
    struct peft_gguf_out *o)
{
	char pad[32];
	size_t i;

	peft_gguf_put_array(o, "tokenizer.ggml.tokens", PEFT_GGUF_STRING,
	    t->n);
	for (i = 0; i < t->n; i++) {
		const char *s = t->text[i];

		if (s == NULL) {
			snprintf(pad, sizeof(pad), "[PAD%zu]", i);
			s = pad;
		}
		peft_gguf_put_element(o, s, strlen(s));
	}
	peft_gguf_put_array(o, "tokenizer.ggml.token_type", PEFT_GGUF_I32,
	    t->n);
	for (i = 0; i < t->n; i++)
		peft_gguf_put_i32(o, t->text[i] == NULL ? UNUSED : t->type[i]);
}

/* Merges are "a b", or ["a","b"] in newer files. */
static int
put_merges(const cJSON *model, struct peft_gguf_out *o, struct peft_err *err)
{
	const cJSON *merges = peft_json_get(model, "merges"), *e;
	struct peft_buf b = { 0 };

	peft_gguf_put_array(o, "tokenizer.ggml.merges", PEFT_GGUF_STRING,
	    (uint64_t)cJSON_GetArraySize(merges));
	cJSON_ArrayForEach(e, merges) {
		if (cJSON_IsString(e)) {
			peft_gguf_put_element(o, e->valuestring,
			    strlen(e->valuestring));
			continue;
		}
		if (cJSON_GetArraySize(e) != 2 || !cJSON_IsString(e->child) ||
		    !cJSON_IsString(e->child->next)) {
			peft_buf_free(&b);
			return peft_seterr(err, "tokenizer.json: a merge that "
			    "is no pair");
		}
		peft_buf_clear(&b);
		peft_buf_printf(&b, "%s %s", e->child->valuestring,
		    e->child->next->valuestring);
		peft_gguf_put_element(o, b.data, b.len);
	}
	peft_buf_free(&b);
	return 0;
}

/* tokenizer_config.json names a token by its text or {"content": text}. */
static void
put_named(const struct peft_vocab_table *t, const cJSON *config,
    const char *name, const char *key, struct peft_gguf_out *o)
{
	const cJSON *v = peft_json_get(config, name);
	size_t i;

	if (cJSON_IsObject(v))
		v = peft_json_get(v, "content");
	for (i = 0; cJSON_IsString(v) && i < t->n; i++)
		if (t->text[i] != NULL &&
		    strcmp(t->text[i], v->valuestring) == 0) {
			peft_gguf_put_u32(o, key, (uint32_t)i);
			return;
		}
}

static bool
is_type(const cJSON *j, const char *type)
{
	const cJSON *t = peft_json_get(j, "type");

	return cJSON_IsString(t) && strcmp(t->valuestring, type) == 0;
}

/* Does the post-processor put a token before (or behind) the text? */
static bool
puts_token(const cJSON *post, bool behind)
{
	const cJSON *single = peft_json_get(post, "single"), *e;

	if (is_type(post, "BertProcessing") ||
	    is_type(post, "RobertaProcessing"))
		return true;
	if (single != NULL && single->child != NULL) {
		e = behind ? single->child->prev : single->child;
		return peft_json_get(e, "SpecialToken") != NULL;
	}
	cJSON_ArrayForEach(e, peft_json_get(post, "processors"))
		if (puts_token(e, behind))
			return true;
	return false;
}

/* Byte-level BPE: 1, or 0 when the tokenizer is something else. */
static int
put_bytes(const struct peft_vocab_table *t, const cJSON *j,
    struct peft_gguf_out *o, struct peft_err *err)
{
	const cJSON *model = peft_json_get(j, "model");
	const cJSON *norm = peft_json_get(j, "normalizer");
	const cJSON *p = peft_json_get(j, "pre_tokenizer");
	const struct peft_pre *pre = NULL;
	struct peft_buf b = { 0 }, n = { 0 };

	if (p == NULL)
		return 0;
	peft_json_print(&b, p, 0, false);
	if (norm != NULL && !(is_type(norm, "Sequence") && cJSON_GetArraySize(
	    peft_json_get(norm, "normalizers")) == 0))
		peft_json_print(&n, norm, 0, false);
	else
		peft_buf_puts(&n, "null");
	if (!b.failed && !n.failed && (is_type(model, "BPE") ||
	    peft_json_get(model, "type") == NULL))
		pre = peft_pre_of_json(b.data, n.data, cJSON_IsTrue(
		    peft_json_get(model, "ignore_merges")));
	peft_buf_free(&b);
	peft_buf_free(&n);
	if (pre == NULL)
		return 0;
	peft_gguf_put_string(o, "tokenizer.ggml.model", "gpt2", 4);
	peft_gguf_put_string(o, "tokenizer.ggml.pre", pre->name,
	    strlen(pre->name));
	peft_gguf_put_tokens(t, o);
	return put_merges(model, o, err) == -1 ? -1 : 1;
}

static int
put_all(struct peft_vocab_table *t, const cJSON *j, const cJSON *config,
    const struct peft_side *tmpl, struct peft_gguf_out *o,
    struct peft_err *err)
{
	const cJSON *post = peft_json_get(j, "post_processor"), *text;
	int r = put_bytes(t, j, o, err), words = 0;

	if (r == 0)
		r = words = peft_gguf_put_words(j, config, t, o, err);
	if (r == -1 || (r == 0 && peft_gguf_put_pieces(j, t, o, err) == -1))
		return -1;
	if (words == 0)
		put_named(t, config, "bos_token",
		    "tokenizer.ggml.bos_token_id", o);
	put_named(t, config, "eos_token", "tokenizer.ggml.eos_token_id", o);
	put_named(t, config, "pad_token", "tokenizer.ggml.padding_token_id",
	    o);
	put_named(t, config, "unk_token", "tokenizer.ggml.unknown_token_id",
	    o);
	peft_gguf_put_bool(o, "tokenizer.ggml.add_bos_token",
	    puts_token(post, false));
	if (words == 0 && puts_token(post, true))
		peft_gguf_put_bool(o, "tokenizer.ggml.add_eos_token", true);
	text = peft_json_get(config, "chat_template");
	if (tmpl != NULL)
		peft_gguf_put_string(o, "tokenizer.chat_template", tmpl->data,
		    tmpl->len);
	else if (cJSON_IsString(text))
		peft_gguf_put_string(o, "tokenizer.chat_template",
		    text->valuestring, strlen(text->valuestring));
	return 0;
}

int
peft_vocab_metadata(const struct peft_side *tokenizer,
    const struct peft_side *config, const struct peft_side *tmpl,
    size_t vocab, struct peft_gguf_out *o, struct peft_err *err)
{
	cJSON *j = peft_json(tokenizer->data, tokenizer->len, err), *c = NULL;
	struct peft_vocab_table t = { .n = vocab };
	int r = -1;

	if (j == NULL)
		return peft_errprefix(err, "tokenizer.json");
	if (config != NULL &&
	    (c = peft_json(config->data, config->len, err)) == NULL) {
		cJSON_Delete(j);
		return peft_errprefix(err, "tokenizer_config.json");
	}
	t.text = peft_calloc(vocab, sizeof(*t.text), err);
	t.type = peft_calloc(vocab, 1, err);
	if (t.text != NULL && t.type != NULL &&
	    read_tokens(&t, j, err) == 0)
		r = put_all(&t, j, c, tmpl, o, err);
	free(t.text);
	free(t.type);
	free(t.typed);
	cJSON_Delete(j);
	cJSON_Delete(c);
	return r;
}
