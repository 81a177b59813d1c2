/* SPDX-License-Identifier: Apache-2.0 */
/* A model's tokenizer and chat template, found among its side files. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/encode.h"

static int
open_template(struct peft_codec *c, const char *text, size_t len,
    struct peft_err *err)
{
	char hex[PEFT_SHA256_HEX];

	if ((c->tmpl = peft_template_open(text, len, err)) == NULL)
		return -1;
	peft_sha256_of(text, len, hex);
	snprintf(c->info.tmpl, sizeof(c->info.tmpl), "sha256:%s", hex);
	return 0;
}

/* tokenizer_config.json's chat_template: a string, or a list of named ones
 * of which "default" is taken. */
static int
template_of_config(struct peft_codec *c, const cJSON *j, struct peft_err *err)
{
	const cJSON *t = peft_json_get(j, "chat_template"), *e;
	const char *name = "";

	if (cJSON_IsArray(t))
		cJSON_ArrayForEach(e, t) {
			if (peft_json_str(e, "name", &name, err) == -1)
				return -1;
			if (strcmp(name, "default") == 0) {
				t = peft_json_get(e, "template");
				break;
			}
		}
	if (!cJSON_IsString(t))
		return 0;
	return open_template(c, t->valuestring, strlen(t->valuestring), err);
}

static char *
token_text(const struct peft_tokenizer *t, const char *which)
{
	const char *s = peft_tokenizer_token(t, peft_tokenizer_named(t,
	    which));

	return s == NULL ? NULL : strdup(s);
}

const char *
peft_codec_missing(const struct peft_source *src)
{
	const char *why = peft_source_meta(src, "peft.no_tokenizer");

	if (why != NULL)
		return why;
	return peft_source_kind(src) == PEFT_FOLDER ? "looked for "
	    "tokenizer.json, tokenizer.model, spiece.model, "
	    "sentencepiece.bpe.model and *.tiktoken" :
	    "looked for tokenizer.json in it";
}

/* What config.json says of the model; if it cannot be read, whoever needs the
 * model says so. */
static struct peft_tokenizer *
open_tokenizer(const struct peft_source *src, const struct peft_side *tok,
    const struct peft_side *config, int threads, struct peft_err *err)
{
	const struct peft_side *model = peft_source_side(src, "config.json");
	static const struct peft_side none = { 0 };
	const char *type = NULL;
	struct peft_tokenizer *t;
	struct peft_err why;
	cJSON *j = NULL;

	if (model != NULL && (j = peft_json(model->data, model->len,
	    &why)) != NULL && peft_json_str(j, "model_type", &type, &why) != 1)
		type = NULL;
	if (config == NULL)
		config = &none;
	t = tok->told != NULL ? peft_tokenizer_open_told(type, tok->told,
	    config->data, config->len, threads, err) :
	    peft_tokenizer_open_for(type, tok->data, tok->len, config->data,
	    config->len, threads, err);
	cJSON_Delete(j);
	return t;
}

int
peft_codec_open(struct peft_codec *c, const struct peft_source *src,
    int threads, struct peft_err *err)
{
	const struct peft_side *tok = peft_source_side(src, "tokenizer.json");
	const struct peft_side *config = peft_source_side(src,
	    "tokenizer_config.json");
	const struct peft_side *tmpl = peft_source_side(src,
	    "chat_template.jinja");
	cJSON *j = NULL;
	int r = 0;

	memset(c, 0, sizeof(*c));
	if (tok == NULL)
		return peft_seterr(err, "%s: no tokenizer: %s",
		    peft_source_label(src), peft_codec_missing(src));
	c->tok = open_tokenizer(src, tok, config, threads, err);
	if (c->tok == NULL)
		return peft_errprefix(err, "%s", peft_source_label(src));
	snprintf(c->info.tokenizer, sizeof(c->info.tokenizer), "sha256:%s",
	    peft_tokenizer_hash(c->tok));
	c->info.seen = true;
	if (tmpl != NULL)
		r = open_template(c, tmpl->data, tmpl->len, err);
	else if (config != NULL && (j = peft_json(config->data, config->len,
	    err)) != NULL)
		r = template_of_config(c, j, err);
	cJSON_Delete(j);
	if (r == -1) {
		peft_codec_close(c);
		return peft_errprefix(err, "%s", peft_source_label(src));
	}
	c->bos = token_text(c->tok, "bos");
	c->eos = token_text(c->tok, "eos");
	return 0;
}

int
peft_codec_encode(const struct peft_codec *c, const char *said, int flags,
    struct peft_tokens *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t n = strlen(said);
	int r;

	if (memchr(said, 0xc0, n) == NULL)
		return peft_tokenizer_encode(c->tok, said, n, flags, out, err);
	peft_buf_put(&b, said, n);
	r = b.failed ? peft_seterr(err, "no memory for a text") :
	    peft_tokenizer_encode(c->tok, b.data, peft_json_nuls(b.data,
	    b.len), flags, out, err);
	peft_buf_free(&b);
	return r;
}

static int
ids_fit(const struct peft_codec *c, const int32_t *ids, size_t n, size_t vocab,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((size_t)ids[i] >= vocab) {
			const char *text = peft_tokenizer_token(c->tok,
			    ids[i]);

			return peft_seterr(err, "token %d ('%s') is not in the "
			    "model's vocabulary of %zu", ids[i],
			    text == NULL ? "" : text, vocab);
		}
	return 0;
}

int
peft_codec_fits(const struct peft_codec *c, const struct peft_record *r,
    size_t vocab, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < r->nchoices; i++)
		if (ids_fit(c, r->choices[i], r->nchoice[i], vocab, err) == -1)
			return -1;
	return ids_fit(c, r->ids, r->n, vocab, err);
}

void
peft_codec_close(struct peft_codec *c)
{
	peft_tokenizer_close(c->tok);
	peft_template_close(c->tmpl);
	free(c->bos);
	free(c->eos);
	memset(c, 0, sizeof(*c));
}

int
peft_codec_knows(const struct peft_codec *c, const cJSON *set,
    struct peft_err *err)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, set)
		if (c->tmpl == NULL ||
		    !peft_template_mentions(c->tmpl, e->string))
			return peft_setfail(err, PEFT_USAGE, "--set %s: the "
			    "chat template has no such variable", e->string);
	return 0;
}
