/* SPDX-License-Identifier: Apache-2.0 */
/* BPE with a list of merges, of bytes or characters, from GGUF's metadata. */

#include <string.h>

#include "base/json.h"
#include "tensor/ggufbytes.h"
#include "tensor/side.h"

enum { CONTROL = 3, USER = 4, UNUSED = 5 };	/* tokenizer.ggml.token_type */

/* What the metadata says, checked against each other. */
struct vocab {
	const struct peft_gguf_kv	*tokens, *types, *merges;
	const struct peft_pre		*pre;
	bool				 chars, bos_first, eos_last;
	uint64_t			 bos, eos, pad, unk;	/* or NONE */
};

static const uint64_t NONE = UINT64_MAX;

static bool
is_array(const struct peft_gguf_kv *kv, uint32_t elem)
{
	return kv != NULL && kv->type == PEFT_GGUF_ARRAY && kv->elem == elem;
}

static int
token_id(const struct peft_gguf *g, const char *key, uint64_t count,
    uint64_t *id, struct peft_err *err)
{
	*id = NONE;
	if (peft_gguf_find(g, key) == NULL)
		return 0;
	if (!peft_gguf_uint(g, key, id) || *id >= count)
		return peft_seterr(err, "the key %s is no token", key);
	return 0;
}

static int
read_vocab(const struct peft_gguf *g, struct vocab *v, struct peft_err *err)
{
	const struct peft_gguf_kv *kv;
	uint64_t n;

	v->tokens = peft_gguf_find(g, "tokenizer.ggml.tokens");
	v->types = peft_gguf_find(g, "tokenizer.ggml.token_type");
	v->merges = peft_gguf_find(g, "tokenizer.ggml.merges");
	if (!is_array(v->tokens, PEFT_GGUF_STRING))
		return peft_seterr(err, "tokenizer.ggml.tokens is missing or "
		    "no list of strings");
	if (!is_array(v->merges, PEFT_GGUF_STRING))
		return peft_seterr(err, "tokenizer.ggml.merges is missing or "
		    "no list of strings");
	n = v->tokens->count;
	if (v->types != NULL && (!is_array(v->types, PEFT_GGUF_I32) ||
	    v->types->count != n))
		return peft_seterr(err, "tokenizer.ggml.token_type does not "
		    "fit %llu tokens", (unsigned long long)n);
	v->bos_first = v->pre->add_bos;
	kv = peft_gguf_find(g, "tokenizer.ggml.add_bos_token");
	if (kv != NULL && kv->type == PEFT_GGUF_BOOL && !v->chars)
		v->bos_first = kv->value[0] != 0;
	kv = peft_gguf_find(g, "tokenizer.ggml.add_eos_token");
	v->eos_last = kv != NULL && kv->type == PEFT_GGUF_BOOL &&
	    kv->value[0] != 0;
	if (token_id(g, "tokenizer.ggml.bos_token_id", n, &v->bos,
	    err) == -1 || token_id(g, "tokenizer.ggml.eos_token_id", n,
	    &v->eos, err) == -1 || token_id(g,
	    "tokenizer.ggml.padding_token_id", n, &v->pad, err) == -1 ||
	    token_id(g, "tokenizer.ggml.unknown_token_id", n, &v->unk,
	    err) == -1)
		return -1;
	v->bos_first &= v->bos != NONE;
	v->eos_last &= v->eos != NONE;
	return 0;
}

static void
put_added(const struct vocab *v, struct peft_buf *b)
{
	const uint8_t *p = v->tokens->value;
	const char *s;
	uint64_t id;
	int64_t type;
	size_t len;

	for (id = 0; id < v->tokens->count; id++) {
		peft_gguf_next_string(&p, &s, &len);
		type = v->types == NULL ? 1 : peft_gguf_int_at(v->types, id);
		if (type != CONTROL && type != USER)
			continue;
		if (b->data[b->len - 1] != '[')
			peft_buf_putc(b, ',');
		peft_buf_printf(b, "{\"id\":%llu,\"content\":",
		    (unsigned long long)id);
		peft_json_putstr(b, s, len);
		peft_buf_printf(b, ",\"single_word\":false,"
		    "\"lstrip\":false,\"rstrip\":false,"
		    "\"normalized\":false,\"special\":%s}",
		    type == CONTROL ? "true" : "false");
	}
}

static int
put_tokens(const struct vocab *v, struct peft_tokjson *t, struct peft_err *err)
{
	const uint8_t *p = v->tokens->value;
	uint64_t id, n = v->tokens->count;
	const char *s;
	size_t len;

	if (peft_tokjson_open(t, (size_t)n, v->tokens->nbytes, err) == -1)
		return -1;
	for (id = 0; id < n; id++) {
		peft_gguf_next_string(&p, &s, &len);
		if (v->types == NULL || peft_gguf_int_at(v->types, id) !=
		    UNUSED)
			peft_tokjson_put(t, (size_t)id, s, len);
	}
	return 0;
}

static int
put_merges(const struct vocab *v, struct peft_tokjson *t, struct peft_err *err)
{
	const uint8_t *p = v->merges->value;
	size_t i, n = (size_t)v->merges->count, len;

	if ((t->spelt = peft_calloc(n, sizeof(*t->spelt), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		peft_gguf_next_string(&p, &t->spelt[i].s, &len);
		t->spelt[i].n = (uint32_t)len;
	}
	t->nmerges = n;
	return 0;
}

/* The text of token id. */
static void
token_at(const struct vocab *v, uint64_t id, const char **s, size_t *len)
{
	const uint8_t *p = v->tokens->value;
	uint64_t i;

	for (i = 0; i <= id; i++)
		peft_gguf_next_string(&p, s, len);
}

static void
put_around(const struct vocab *v, struct peft_buf *b, uint64_t id)
{
	const char *s;
	size_t len;

	token_at(v, id, &s, &len);
	peft_buf_puts(b, "{\"SpecialToken\":{\"id\":");
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, ",\"type_id\":0}}");
}

static void
put_special(const struct vocab *v, struct peft_buf *b, uint64_t id)
{
	const char *s;
	size_t len;

	token_at(v, id, &s, &len);
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, ":{\"id\":");
	peft_json_putstr(b, s, len);
	peft_buf_printf(b, ",\"ids\":[%llu],\"tokens\":[",
	    (unsigned long long)id);
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, "]}");
}

static void
put_post(const struct vocab *v, struct peft_buf *b)
{
	bool both = v->bos_first && v->eos_last;

	if (!v->bos_first && !v->eos_last) {
		peft_buf_puts(b, v->chars ? "null" : "{\"type\":\"ByteLevel\","
		    "\"add_prefix_space\":false,\"trim_offsets\":false,"
		    "\"use_regex\":false}");
		return;
	}
	peft_buf_puts(b, "{\"type\":\"TemplateProcessing\",\"single\":[");
	if (v->bos_first) {
		put_around(v, b, v->bos);
		peft_buf_putc(b, ',');
	}
	peft_buf_puts(b, "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}");
	if (v->eos_last) {
		peft_buf_putc(b, ',');
		put_around(v, b, v->eos);
	}
	peft_buf_puts(b, "],\"pair\":[{\"Sequence\":{\"id\":\"A\","
	    "\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"
	    "\"special_tokens\":{");
	if (v->bos_first)
		put_special(v, b, v->bos);
	if (both && v->bos != v->eos)
		peft_buf_putc(b, ',');
	if (v->eos_last && !(both && v->bos == v->eos))
		put_special(v, b, v->eos);
	peft_buf_puts(b, "}}");
}

static void
put_tokenizer(const struct vocab *v, struct peft_tokjson *t)
{
	static const char bytes[] = "{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":true,\"trim_offsets\":true,"
	    "\"use_regex\":true}", chars[] = "{\"type\":\"Sequence\","
	    "\"decoders\":[{\"type\":\"Replace\",\"pattern\":{"
	    "\"String\":\"\u2581\"},\"content\":\" \"},"
	    "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}";
	struct peft_buf *b = &t->text;

	peft_buf_puts(b, "{\"version\":\"1.0\",\"truncation\":null,"
	    "\"padding\":null,\"added_tokens\":[");
	put_added(v, b);
	peft_buf_printf(b, "],\"normalizer\":%s,\"pre_tokenizer\":%s,"
	    "\"post_processor\":", v->pre->normalizer, v->pre->json);
	put_post(v, b);
	peft_buf_printf(b, ",\"decoder\":%s,\"model\":{\"type\":\"BPE\","
	    "\"dropout\":null,\"unk_token\":null,"
	    "\"continuing_subword_prefix\":null,"
	    "\"end_of_word_suffix\":null,\"fuse_unk\":false,"
	    "\"byte_fallback\":%s,\"ignore_merges\":%s,\"vocab\":",
	    v->chars ? chars : bytes, v->chars ? "true" : "false",
	    v->pre->ignore_merges ? "true" : "false");
	peft_tokjson_list(t, &t->vocab_at);
	peft_buf_puts(b, ",\"merges\":");
	peft_tokjson_list(t, &t->merges_at);
	peft_buf_puts(b, "}}\n");
}

static void
put_named(const struct vocab *v, struct peft_buf *b, const char *name,
    uint64_t id)
{
	const char *s;
	size_t len;

	if (id == NONE)
		return;
	token_at(v, id, &s, &len);
	peft_buf_printf(b, "  \"%s\": ", name);
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, ",\n");
}

static void
put_config(const struct vocab *v, struct peft_buf *b)
{
	peft_buf_puts(b, "{\n");
	put_named(v, b, "bos_token", v->bos);
	put_named(v, b, "eos_token", v->eos);
	put_named(v, b, "pad_token", v->pad);
	put_named(v, b, "unk_token", v->unk);
	peft_buf_puts(b, "  \"clean_up_tokenization_spaces\": false,\n"
	    "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
}

int
peft_gguf_bytes(const struct peft_gguf *g, const struct peft_pre *pre,
    struct peft_sides *sides, struct peft_err *err)
{
	struct vocab v = { .pre = pre,
	    .chars = pre == peft_pre_of_chars() };
	struct peft_tokjson t = { 0 };
	struct peft_buf b = { 0 };

	if (read_vocab(g, &v, err) == -1)
		return -1;
	if (put_tokens(&v, &t, err) == -1 || put_merges(&v, &t, err) == -1) {
		peft_tokjson_free(&t);
		return -1;
	}
	put_tokenizer(&v, &t);
	if (peft_sides_tell(sides, &t, err) == -1)
		return -1;
	put_config(&v, &b);
	return peft_sides_add(sides, "tokenizer_config.json", &b, err);
}
