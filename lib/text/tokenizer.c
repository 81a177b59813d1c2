/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer: opening it, asking it. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-impl.h"

/* tokenizer_config.json names a token by its text, or {"content": text}. */
static int
named(const struct peft_tokenizer *t, const cJSON *config, const char *key,
    int32_t *id, struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, key);

	if (cJSON_IsObject(v))
		v = peft_json_get(v, "content");
	if (v == NULL || cJSON_IsNull(v))
		return 0;
	if (!cJSON_IsString(v))
		return peft_seterr(err, "%s is no token", key);
	*id = peft_tokenizer_id(t, v->valuestring, strlen(v->valuestring));
	if (*id < 0)
		return peft_seterr(err, "%s '%s' is not in the vocabulary",
		    key, v->valuestring);
	return 0;
}

static int
read_config(struct peft_tokenizer *t, const char *text, size_t len,
    struct peft_err *err)
{
	cJSON *j = peft_json(text, len, err);
	int r = -1;

	if (j != NULL && named(t, j, "bos_token", &t->bos, err) == 0 &&
	    named(t, j, "eos_token", &t->eos, err) == 0 &&
	    named(t, j, "pad_token", &t->pad, err) == 0)
		r = named(t, j, "unk_token", &t->unk_named, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "tokenizer_config.json") : 0;
}

struct peft_tokenizer *
peft_tokenizer_open(const char *json, size_t len, const char *config,
    size_t config_len, struct peft_err *err)
{
	struct peft_tokenizer *t = peft_calloc(1, sizeof(*t), err);

	if (t == NULL)
		return NULL;
	t->unk = t->bos = t->eos = t->pad = t->unk_named = -1;
	peft_sha256_of(json, len, t->hash);
	if ((t->json = peft_json(json, len, err)) == NULL ||
	    peft_tokenizer_stages(t, err) == -1) {
		peft_errprefix(err, "tokenizer.json");
		goto fail;
	}
	if (config != NULL && read_config(t, config, config_len, err) == -1)
		goto fail;
	return t;
fail:
	peft_tokenizer_close(t);
	return NULL;
}

void
peft_tokenizer_close(struct peft_tokenizer *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->ntokens; i++)
		free(t->tokens[i].bytes);
	for (i = 0; i < 256; i++)
		free(t->bucket[i]);
	peft_map_free(&t->vocab);
	peft_map_free(&t->pieces);
	peft_bpe_close(&t->bpe);
	cJSON_Delete(t->json);
	free(t->tokens);
	free(t->added);
	free(t->before);
	free(t->after);
	free(t);
}

size_t
peft_tokenizer_size(const struct peft_tokenizer *t)
{
	return t->ntokens;
}

int32_t
peft_tokenizer_id(const struct peft_tokenizer *t, const char *token,
    size_t len)
{
	const size_t *id = peft_map_find(&t->vocab, token, len);

	return id == NULL ? -1 : (int32_t)*id;
}

const char *
peft_tokenizer_token(const struct peft_tokenizer *t, int32_t id)
{
	return id < 0 || (size_t)id >= t->ntokens ? NULL : t->tokens[id].text;
}

bool
peft_tokenizer_is_special(const struct peft_tokenizer *t, int32_t id)
{
	return id >= 0 && (size_t)id < t->ntokens && t->tokens[id].special;
}

int32_t
peft_tokenizer_named(const struct peft_tokenizer *t, const char *which)
{
	return strcmp(which, "bos") == 0 ? t->bos : strcmp(which, "eos") == 0 ?
	    t->eos : strcmp(which, "pad") == 0 ? t->pad : t->unk_named;
}

const char *
peft_tokenizer_hash(const struct peft_tokenizer *t)
{
	return t->hash;
}
