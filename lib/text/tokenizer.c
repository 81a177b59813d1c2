/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer: opening it, asking it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/cores.h"
#include "text/charsmap.h"
#include "text/tokenizer-impl.h"

/* -1 if there is none. */
static int32_t
id_of(const struct peft_tokenizer *t, const char *token, size_t len)
{
	int32_t id = peft_lookup_find(&t->vocab, token, len);
	const struct peft_str *text;
	size_t i;

	if (id < 0)
		id = peft_added_find(&t->raw, token, len);
	/* the others are sorted by what normalisers make of them */
	for (i = 0; id < 0 && i < t->normal.n; i++) {
		text = &t->text[t->normal.at[i].id];
		if (text->n == len && memcmp(text->s, token, len) == 0)
			id = t->normal.at[i].id;
	}
	return id;
}

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
	*id = id_of(t, v->valuestring, strlen(v->valuestring));
	if (*id < 0)
		return peft_seterr(err, "%s '%s' is not in the vocabulary",
		    key, v->valuestring);
	return 0;
}

static int
read_names(struct peft_tokenizer *t, const cJSON *config,
    struct peft_err *err)
{
	if (named(t, config, "bos_token", &t->bos, err) == -1 ||
	    named(t, config, "eos_token", &t->eos, err) == -1 ||
	    named(t, config, "pad_token", &t->pad, err) == -1 ||
	    named(t, config, "unk_token", &t->unk_named, err) == -1)
		return peft_errprefix(err, "tokenizer_config.json");
	return 0;
}

/* Stages in their order: added tokens are seen as normalisers leave them,
 * and what tokens stand for depends on the pre-tokenizer. */
static int
read_stages(struct peft_tokenizer *t, struct peft_pool *pool,
    struct peft_err *err)
{
	return peft_tokenizer_norm(t, err) == -1 ||
	    peft_tokenizer_front(t, err) == -1 ||
	    peft_tokenizer_added(t, err) == -1 ||
	    peft_tokenizer_model(t, err) == -1 ||
	    peft_tokenizer_ready(t, pool, err) == -1 ||
	    peft_tokenizer_back(t, err) == -1 ||
	    peft_tokenizer_decoder(t, err) == -1 ||
	    peft_tokenizer_batch(t, err) == -1 ? -1 : 0;
}

/* What a tokenizer is opened from. */
struct origin {
	const char		*json;		/* tokenizer.json, */
	size_t			 len;
	struct peft_tokjson	*told;		/* or what is told instead */
	const char		*config;	/* tokenizer_config.json */
	size_t			 config_len;
	const char		*model_type;
};

static int
read_all(struct peft_tokenizer *t, const struct origin *o,
    const cJSON *config, struct peft_pool *pool, struct peft_err *err)
{
	if ((o->told != NULL ? peft_tokenizer_take(t, o->told, pool, err) :
	    peft_tokenizer_read(t, o->json, o->len, pool, err)) == -1)
		return peft_errprefix(err, "tokenizer.json");
	if (config != NULL && peft_tokenizer_class(t, config,
	    o->model_type, err) == -1)
		return peft_errprefix(err, "tokenizer_config.json");
	if (read_stages(t, pool, err) == -1)
		return peft_errprefix(err, "tokenizer.json");
	return config == NULL ? 0 : read_names(t, config, err);
}

/* A small file is read before another thread has begun; a large one has not
 * enough to do for many. */
static struct peft_pool *
open_pool(size_t len, int threads, struct peft_err *err)
{
	enum { LARGE = 1 << 19, MOST = 4 };

	if (threads == 0)
		threads = peft_cores();
	return peft_pool_open(len < LARGE ? 1 : threads < MOST ? threads :
	    MOST, err);
}

static struct peft_tokenizer *
open_origin(const struct origin *o, int threads, struct peft_err *err)
{
	struct peft_tokenizer *t = peft_calloc(1, sizeof(*t), err);
	size_t len = o->told != NULL ? o->told->used : o->len;
	struct peft_pool *pool = NULL;
	cJSON *j = NULL;

	if (t == NULL)
		return NULL;
	t->unk = t->bos = t->eos = t->pad = t->unk_named = -1;
	if (o->config != NULL && (j = peft_json(o->config, o->config_len,
	    err)) == NULL) {
		peft_errprefix(err, "tokenizer_config.json");
		goto fail;
	}
	if ((pool = open_pool(len, threads, err)) == NULL ||
	    read_all(t, o, j, pool, err) == -1)
		goto fail;
	peft_pool_close(pool);
	cJSON_Delete(j);
	return t;
fail:
	peft_pool_close(pool);
	cJSON_Delete(j);
	peft_tokenizer_close(t);
	return NULL;
}

struct peft_tokenizer *
peft_tokenizer_open(const char *json, size_t len, const char *config,
    size_t config_len, struct peft_err *err)
{
	return peft_tokenizer_open_for(NULL, json, len, config, config_len, 1,
	    err);
}

struct peft_tokenizer *
peft_tokenizer_open_for(const char *model_type, const char *json, size_t len,
    const char *config, size_t config_len, int threads, struct peft_err *err)
{
	const struct origin o = { .json = json, .len = len, .config = config,
	    .config_len = config_len, .model_type = model_type };

	return open_origin(&o, threads, err);
}

struct peft_tokenizer *
peft_tokenizer_open_told(const char *model_type, struct peft_tokjson *told,
    const char *config, size_t config_len, int threads, struct peft_err *err)
{
	const struct origin o = { .told = told, .config = config,
	    .config_len = config_len, .model_type = model_type };

	return open_origin(&o, threads, err);
}

static void
close_stages(struct peft_tokenizer *t)
{
	size_t i;

	for (i = 0; i < t->nnorm; i++) {
		peft_pattern_close(t->norm[i].pattern);
		peft_charsmap_close(t->norm[i].charsmap);
	}
	for (i = 0; i < t->npre; i++) {
		peft_pattern_close(t->pre[i].rewrite.pattern);
		peft_pattern_close(t->pre[i].finder.pattern);
	}
	for (i = 0; i < t->ndecode; i++)
		peft_pattern_close(t->decode[i].pattern);
}

void
peft_tokenizer_close(struct peft_tokenizer *t)
{
	if (t == NULL)
		return;
	close_stages(t);
	if (t->pieces.slots != t->vocab.slots)
		peft_lookup_close(&t->pieces);
	peft_lookup_close(&t->vocab);
	if (t->bytes != t->text)
		free(t->bytes);
	free(t->text);
	free(t->flags);
	free(t->arena);
	free(t->byte_arena);
	free(t->score);
	peft_bpe_close(&t->bpe);
	peft_unigram_close(&t->unigram);
	peft_trie_close(&t->words);
	free(t->joins);
	peft_added_free(&t->raw);
	peft_added_free(&t->normal);
	free(t->before);
	free(t->after);
	cJSON_Delete(t->json);
	cJSON_Delete(t->class);
	free(t);
}

size_t
peft_tokenizer_size(const struct peft_tokenizer *t)
{
	return t->ntokens;
}

const char *
peft_tokenizer_token(const struct peft_tokenizer *t, int32_t id)
{
	return id < 0 || (size_t)id >= t->ntokens ? NULL : t->text[id].s;
}

bool
peft_tokenizer_is_special(const struct peft_tokenizer *t, int32_t id)
{
	return id >= 0 && (size_t)id < t->ntokens &&
	    (t->flags[id] & PEFT_T_SPECIAL) != 0;
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
