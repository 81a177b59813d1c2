/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json from tiktoken's ranks. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "tensor/ggufpre.h"
#include "tensor/tiktoken.h"

enum { MAXSPECIAL = 8192 };

/* Special tokens, by id; those of the kind, or of tokenizer_config.json. */
struct special {
	char	*text;
	size_t	 id;
	bool	 special;
};

struct specials {
	struct special	*at;
	size_t		 n, cap;
};

static int
add(struct specials *l, const char *text, size_t id, bool special,
    struct peft_err *err)
{
	struct special *grown = peft_grow(l->at, l->n, &l->cap,
	    sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	l->at = grown;
	l->at[l->n] = (struct special){ peft_strdup(text, err), id, special };
	return l->at[l->n++].text == NULL ? -1 : 0;
}

static int
of_kind(struct specials *l, const struct peft_tiktoken *k, size_t n,
    struct peft_err *err)
{
	char text[64];
	size_t i;

	if (k->id != NULL && k->id[0] > n + 1)
		return peft_seterr(err, "%zu tokens are too few for %s, whose "
		    "special tokens begin with %zu", n, k->name, k->id[0]);
	for (i = 0; k->special[i] != NULL; i++)
		if (add(l, k->special[i], k->id != NULL ? k->id[i] : n++,
		    true, err) == -1)
			return -1;
	for (i = 0; i < k->count; i++) {
		snprintf(text, sizeof(text), "<|%s_%zu|>", k->reserved,
		    k->first + i);
		if (add(l, text, n++, true, err) == -1)
			return -1;
	}
	return 0;
}

/* "added_tokens_decoder": {"128000": {"content": "...", "special": true}} */
static int
of_config(struct specials *l, const cJSON *decoder, size_t n,
    struct peft_err *err)
{
	const char *content = NULL;
	const cJSON *e;
	char *end;

	cJSON_ArrayForEach(e, decoder) {
		unsigned long id = strtoul(e->string, &end, 10);

		if (*end != '\0' || end == e->string || id >= n + MAXSPECIAL)
			return peft_seterr(err, "added_tokens_decoder: '%.40s' "
			    "is no id near %zu tokens", e->string, n);
		if (peft_json_str(e, "content", &content, err) != 1 ||
		    *content == '\0')
			return peft_seterr(err, "added_tokens_decoder: %s has "
			    "no content", e->string);
		if (add(l, content, id, cJSON_IsTrue(peft_json_get(e,
		    "special")), err) == -1)
			return -1;
	}
	return 0;
}

/* Each token once, and one for each byte. */
static int
check_tokens(struct peft_tokjson *t, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t same[2];
	int r, byte;

	if ((r = peft_tokjson_index(t, same, err)) == 1)
		r = peft_seterr(err, "the tokens of ranks %zu and %zu are the "
		    "same", same[0], same[1]);
	for (byte = 0; r == 0 && byte < 256; byte++) {
		peft_buf_clear(&b);
		peft_ranks_visible(&b, (unsigned char)byte);
		if (!b.failed && peft_lookup_find(&t->known, b.data,
		    b.len) < 0)
			r = peft_seterr(err, "no token is the byte 0x%02x",
			    (unsigned)byte);
	}
	peft_buf_free(&b);
	return r;
}

/* Special tokens take ids that no rank has, and texts that no token is. */
static int
check(const struct specials *l, const struct peft_tokjson *t,
    struct peft_err *err)
{
	struct peft_map seen = { 0 };
	size_t i, n;
	int r = 1;

	for (i = 0; r == 1 && i < l->n; i++) {
		n = strlen(l->at[i].text);
		if (l->at[i].id < t->n && t->token[l->at[i].id].s != NULL)
			r = peft_seterr(err, "the special token '%.100s' has "
			    "the id of another, %zu", l->at[i].text,
			    l->at[i].id);
		else if (peft_lookup_find(&t->known, l->at[i].text, n) >= 0 ||
		    (r = peft_map_add(&seen, l->at[i].text, n, 0, err)) == 0)
			r = peft_seterr(err, "the special token '%.100s' is "
			    "there twice", l->at[i].text);
	}
	peft_map_free(&seen);
	return r == -1 ? -1 : 0;
}

static int
put_ranks(const struct peft_pieces *p, struct peft_tokjson *t,
    struct peft_err *err)
{
	size_t i;

	if ((t->rank = peft_calloc(p->n, sizeof(*t->rank), err)) == NULL)
		return -1;
	for (i = 0; i < p->n; i++) {
		t->rank[i] = p->at[i].type == 0 ? INFINITY : p->at[i].score;
		if (p->at[i].len > PEFT_TOKJSON_LONGEST)
			return peft_seterr(err, "the token of rank %zu has "
			    "%zu bytes, more than %d", i, p->at[i].len,
			    PEFT_TOKJSON_LONGEST);
		if (p->at[i].type != 0)
			peft_tokjson_put(t, i, p->at[i].s, p->at[i].len);
	}
	return 0;
}

/* The vocabulary: ranks, and the special tokens between them, so that no id
 * is left out. */
static int
put_tokens(const struct specials *l, const struct peft_pieces *p,
    struct peft_tokjson *t, struct peft_err *err)
{
	size_t i, n, bytes = 0;
	const char *s;

	for (i = 0; i < p->n; i++)
		bytes += p->at[i].len;
	for (i = 0; i < l->n; i++)
		bytes += strlen(l->at[i].text);
	if (peft_tokjson_open(t, p->n, bytes, err) == -1 ||
	    put_ranks(p, t, err) == -1 || check_tokens(t, err) == -1 ||
	    check(l, t, err) == -1)
		return -1;
	for (i = 0; i < l->n; i++) {
		if (l->at[i].id >= p->n)
			continue;
		s = l->at[i].text;
		n = strlen(s);
		t->rank[l->at[i].id] = INFINITY;
		peft_tokjson_put(t, l->at[i].id, s, n);
		peft_lookup_add(&t->known, (int32_t)l->at[i].id,
		    peft_lookup_key(s, n));
	}
	return 0;
}

static void
put_added(const struct specials *l, struct peft_buf *b)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		peft_buf_printf(b, "%s{\"id\":%zu,\"content\":", i > 0 ? "," :
		    "", l->at[i].id);
		peft_json_putstr(b, l->at[i].text, strlen(l->at[i].text));
		peft_buf_printf(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,\"special\":%s}",
		    l->at[i].special ? "true" : "false");
	}
}

static const struct special *
find(const struct specials *l, const char *text)
{
	size_t i;

	for (i = 0; text != NULL && i < l->n; i++)
		if (strcmp(l->at[i].text, text) == 0)
			return &l->at[i];
	return NULL;
}

static void
put_post(const struct special *bos, struct peft_buf *b)
{
	if (bos == NULL) {
		peft_buf_puts(b, "{\"type\":\"ByteLevel\","
		    "\"add_prefix_space\":false,\"trim_offsets\":false,"
		    "\"use_regex\":false}");
		return;
	}
	peft_buf_puts(b, "{\"type\":\"TemplateProcessing\",\"single\":["
	    "{\"SpecialToken\":{\"id\":");
	peft_json_putstr(b, bos->text, strlen(bos->text));
	peft_buf_puts(b, ",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
	    "\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\","
	    "\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"
	    "\"special_tokens\":{");
	peft_json_putstr(b, bos->text, strlen(bos->text));
	peft_buf_puts(b, ":{\"id\":");
	peft_json_putstr(b, bos->text, strlen(bos->text));
	peft_buf_printf(b, ",\"ids\":[%zu],\"tokens\":[", bos->id);
	peft_json_putstr(b, bos->text, strlen(bos->text));
	peft_buf_puts(b, "]}}}");
}

static void
put_all(const struct specials *l, const struct peft_tiktoken *k, bool bos,
    struct peft_tokjson *t)
{
	const struct peft_pre *pre = peft_pre_of_gguf(k->pre, strlen(k->pre));
	struct peft_buf *b = &t->text;

	peft_buf_puts(b, "{\"version\":\"1.0\",\"truncation\":null,"
	    "\"padding\":null,\"added_tokens\":[");
	put_added(l, b);
	peft_buf_printf(b, "],\"normalizer\":%s,\"pre_tokenizer\":%s,"
	    "\"post_processor\":", pre->normalizer, pre->json);
	put_post(bos ? find(l, k->bos) : NULL, b);
	/* tiktoken looks up whole pieces before it merges */
	peft_buf_puts(b, ",\"decoder\":{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":true,\"trim_offsets\":true,"
	    "\"use_regex\":true},\"model\":{\"type\":\"BPE\","
	    "\"dropout\":null,\"unk_token\":null,"
	    "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
	    "\"fuse_unk\":false,\"byte_fallback\":false,"
	    "\"ignore_merges\":true,\"vocab\":");
	peft_tokjson_list(t, &t->vocab_at);
	peft_buf_puts(b, ",\"merges\":");
	peft_tokjson_list(t, &t->merges_at);
	peft_buf_puts(b, "}}\n");
}

int
peft_ranks_tokenizer(const struct peft_ranks *r,
    const struct peft_tiktoken *k, const cJSON *config, struct peft_tokjson *t,
    struct peft_err *err)
{
	const cJSON *decoder = peft_json_get(config, "added_tokens_decoder");
	struct specials l = { 0 };
	bool bos = true;
	size_t i;
	int status;

	status = cJSON_IsObject(decoder) ? of_config(&l, decoder,
	    r->pieces.n, err) : of_kind(&l, k, r->pieces.n, err);
	if (status == 0 && peft_json_bool(config, "add_bos_token", &bos,
	    err) == -1)
		status = -1;
	if (status == 0)
		status = put_tokens(&l, &r->pieces, t, err);
	if (status == 0)
		put_all(&l, k, bos, t);
	if (status == 0 && t->text.failed)
		status = peft_seterr(err, "no memory");
	for (i = 0; i < l.n; i++)
		free(l.at[i].text);
	free(l.at);
	return status;
}

void
peft_ranks_config(const struct peft_tiktoken *k, struct peft_buf *b)
{
	peft_buf_puts(b, "{\n");
	if (k->bos != NULL)
		peft_buf_printf(b, "  \"bos_token\": \"%s\",\n", k->bos);
	peft_buf_printf(b, "  \"eos_token\": \"%s\",\n"
	    "  \"clean_up_tokenization_spaces\": false,\n"
	    "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n", k->eos);
}
