/* SPDX-License-Identifier: Apache-2.0 */
/* Records that have classes, and words that have some. */

#include <stdlib.h>
#include <string.h>

#include "data/encode-impl.h"

/* A label that is true or false says whether an answer is wanted (KTO), where
 * there is an answer. */
enum peft_task
peft_encode_task(const cJSON *j, const struct peft_encopt *o)
{
	const cJSON *label = peft_json_get(j, "label");
	bool words = cJSON_IsArray(peft_json_get(j, "tokens"));
	bool text = cJSON_IsString(peft_json_get(j, "text")) &&
	    !cJSON_IsArray(peft_json_get(j, "messages"));

	if (o->task != PEFT_TASK_AUTO)
		return o->task;
	if (words)
		return PEFT_TASK_TOKEN_CLS;
	if (label == NULL || cJSON_IsNull(label) || o->prompt_only ||
	    peft_json_get(j, "segments") != NULL ||
	    peft_json_get(j, "choices") != NULL ||
	    (cJSON_IsBool(label) && !text))
		return PEFT_TASK_CAUSAL_LM;
	return PEFT_TASK_SEQ_CLS;
}

int
peft_encode_class(const cJSON *j, const struct peft_encopt *o,
    struct peft_record *r, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		r->labels[i] = PEFT_IGNORE;
	if (!o->unlabelled && peft_class_read(j, "label", &r->cls, err) == -1)
		return -1;
	if (!o->unlabelled && r->cls.kind == PEFT_CLASS_NONE)
		return peft_seterr(err, "\"label\" is missing, which says the "
		    "class");
	r->supervised = peft_class_count(&r->cls);
	return 0;
}

/* What the tokenizer puts before and behind a text: how many tokens. */
static int
around(const struct peft_codec *c, const char *word, size_t *before,
    struct peft_tokens *all, size_t *behind, struct peft_err *err)
{
	struct peft_tokens bare = { 0 };
	size_t i;
	int r = -1;

	if (peft_codec_encode(c, word, PEFT_TOK_SPECIAL | PEFT_TOK_PLAIN, all,
	    err) == 0 &&
	    peft_codec_encode(c, word, PEFT_TOK_PLAIN, &bare, err) == 0) {
		for (i = 0; i < all->n && all->at[i].begin ==
		    all->at[i].end; i++)
			;
		*before = i < all->n ? i : 0;
		*behind = all->n - *before - bare.n;
		r = all->n < *before + bare.n ? peft_seterr(err, "the "
		    "tokenizer joins what it adds with a word") : 0;
	}
	peft_tokens_free(&bare);
	return r;
}

static int
append(struct peft_record *r, size_t *cap, int32_t id, struct peft_err *err)
{
	int32_t *grown = peft_grow(r->ids, r->n, cap, sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	r->ids = grown;
	r->ids[r->n++] = id;
	return 0;
}

static int
append_all(struct peft_record *r, size_t *cap, const struct peft_token *t,
    size_t n, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (append(r, cap, t[i].id, err) == -1)
			return -1;
	return 0;
}

/* Each word for itself, as tokenizers take words (is_split_into_words); its
 * first token is at first[]. */
static int
put_words(const struct peft_codec *c, const cJSON *words,
    struct peft_record *r, size_t *first, struct peft_err *err)
{
	struct peft_tokens all = { 0 }, t = { 0 };
	size_t cap = 0, before = 0, behind = 0, k = 0;
	const cJSON *e = words->child;
	int s = 0;

	if (!cJSON_IsString(e))
		return peft_seterr(err, "\"tokens\" is not a list of words");
	s = around(c, e->valuestring, &before, &all, &behind, err);
	if (s == 0)
		s = append_all(r, &cap, all.at, before, err);
	for (; s == 0 && e != NULL; e = e->next, k++) {
		if (!cJSON_IsString(e)) {
			s = peft_seterr(err, "\"tokens\"[%zu] is no word", k);
			break;
		}
		t.n = 0;
		first[k] = r->n;
		s = peft_codec_encode(c, e->valuestring, PEFT_TOK_PLAIN, &t,
		    err);
		if (s == 0 && t.n == 0)
			s = peft_seterr(err, "\"tokens\"[%zu] has no tokens",
			    k);
		if (s == 0)
			s = append_all(r, &cap, t.at, t.n, err);
	}
	if (s == 0)
		s = append_all(r, &cap, all.at + all.n - behind, behind, err);
	peft_tokens_free(&all);
	peft_tokens_free(&t);
	return s;
}

/* The words' classes, under the names that data sets have for them. */
static const cJSON *
tags_of(const cJSON *j)
{
	static const char *const keys[] = { "ner_tags", "labels", "tags",
	    "label", NULL };
	const cJSON *v = NULL;
	size_t i;

	for (i = 0; keys[i] != NULL && !cJSON_IsArray(v); i++)
		v = peft_json_get(j, keys[i]);
	return cJSON_IsArray(v) ? v : NULL;
}

static int
put_tags(const cJSON *tags, struct peft_record *r, const size_t *first,
    struct peft_err *err)
{
	const cJSON *e;
	size_t k = 0;

	cJSON_ArrayForEach(e, tags) {
		char **name = &r->cls.name[first[k++]];

		/* -100: as transformers says that there is none */
		if (cJSON_IsNull(e) || (cJSON_IsNumber(e) &&
		    e->valuedouble == PEFT_IGNORE))
			continue;
		if ((*name = peft_class_name(e, err)) == NULL)
			return peft_errprefix(err, "word %zu", k - 1);
	}
	return 0;
}

int
peft_encode_words(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_record *r, struct peft_err *err)
{
	const cJSON *words = peft_json_get(j, "tokens"), *tags = tags_of(j);
	size_t n = (size_t)cJSON_GetArraySize(words), i;
	int s;

	if (!cJSON_IsArray(words) || n == 0)
		return peft_seterr(err, "\"tokens\" is not a list of words");
	if (!o->unlabelled && tags == NULL)
		return peft_seterr(err, "\"ner_tags\" (or \"labels\", "
		    "\"tags\") is missing, which says the words' classes");
	if (!o->unlabelled && (size_t)cJSON_GetArraySize(tags) != n)
		return peft_seterr(err, "%d classes for %zu words",
		    cJSON_GetArraySize(tags), n);
	if ((r->words = peft_calloc(n, sizeof(*r->words), err)) == NULL)
		return -1;
	r->nwords = n;
	s = put_words(c, words, r, r->words, err);
	r->labels = peft_calloc(r->n + 1, sizeof(*r->labels), err);
	if (s == -1 || r->labels == NULL)
		return -1;
	for (i = 0; i < r->n; i++)
		r->labels[i] = PEFT_IGNORE;
	if (o->unlabelled)
		return 0;
	r->cls.kind = PEFT_CLASS_EACH;
	r->cls.name = peft_calloc(r->n + 1, sizeof(*r->cls.name), err);
	if (r->cls.name == NULL)
		return -1;
	r->cls.n = r->n;
	s = put_tags(tags, r, r->words, err);
	r->supervised = peft_class_count(&r->cls);
	return s;
}
