/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json from GGUF's metadata: byte-level BPE here, SentencePiece in
 * ggufpieces.c. */

#include <string.h>

#include "base/json.h"
#include "tensor/ggufmap.h"
#include "tensor/ggufpieces.h"
#include "tensor/ggufpre.h"

enum { CONTROL = 3, USER = 4, UNUSED = 5 };		/* of tokenizer.ggml.token_type */

/* What the metadata says, checked against each other. */
struct vocab {
	const struct peft_gguf_kv	*tokens, *types, *merges;
	const struct peft_pre		*pre;
	bool				 bos_first;
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
	if (kv != NULL && kv->type == PEFT_GGUF_BOOL)
		v->bos_first = kv->value[0] != 0;
	if (token_id(g, "tokenizer.ggml.bos_token_id", n, &v->bos,
	    err) == -1 || token_id(g, "tokenizer.ggml.eos_token_id", n,
	    &v->eos, err) == -1 || token_id(g,
	    "tokenizer.ggml.padding_token_id", n, &v->pad, err) == -1 ||
	    token_id(g, "tokenizer.ggml.unknown_token_id", n, &v->unk,
	    err) == -1)
		return -1;
	if (v->bos == NONE)
		v->bos_first = false;
	return 0;
}

/* Call f for each token with its kind. */
static void
each_token(const struct vocab *v, struct peft_buf *b,
    void (*f)(struct peft_buf *, uint64_t id, const char *s, size_t len,
    int64_t type))
{
	const uint8_t *p = v->tokens->value;
	const char *s;
	uint64_t id;
	size_t len;

	for (id = 0; id < v->tokens->count; id++) {
		peft_gguf_next_string(&p, &s, &len);
		f(b, id, s, len, v->types == NULL ? 1 :
		    peft_gguf_int_at(v->types, id));
	}
}

static void
put_added(struct peft_buf *b, uint64_t id, const char *s, size_t len,
    int64_t type)
{
	if (type != CONTROL && type != USER)
		return;
	if (b->data[b->len - 1] != '[')
		peft_buf_putc(b, ',');
	peft_buf_printf(b, "{\"id\":%llu,\"content\":",
	    (unsigned long long)id);
	peft_json_putstr(b, s, len);
	peft_buf_printf(b, ",\"single_word\":false,\"lstrip\":false,"
	    "\"rstrip\":false,\"normalized\":false,\"special\":%s}",
	    type == CONTROL ? "true" : "false");
}

static void
put_entry(struct peft_buf *b, uint64_t id, const char *s, size_t len,
    int64_t type)
{
	if (type == UNUSED)
		return;
	if (b->data[b->len - 1] != '{')
		peft_buf_putc(b, ',');
	peft_json_putstr(b, s, len);
	peft_buf_printf(b, ":%llu", (unsigned long long)id);
}

static void
put_merges(const struct vocab *v, struct peft_buf *b)
{
	const uint8_t *p = v->merges->value;
	const char *s;
	uint64_t i;
	size_t len;

	for (i = 0; i < v->merges->count; i++) {
		peft_gguf_next_string(&p, &s, &len);
		if (i > 0)
			peft_buf_putc(b, ',');
		peft_json_putstr(b, s, len);
	}
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
put_post(const struct vocab *v, struct peft_buf *b)
{
	const char *s;
	size_t len;

	if (!v->bos_first) {
		peft_buf_puts(b, "{\"type\":\"ByteLevel\","
		    "\"add_prefix_space\":false,\"trim_offsets\":false,"
		    "\"use_regex\":false}");
		return;
	}
	token_at(v, v->bos, &s, &len);
	peft_buf_puts(b, "{\"type\":\"TemplateProcessing\",\"single\":["
	    "{\"SpecialToken\":{\"id\":");
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, ",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
	    "\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\","
	    "\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"
	    "\"special_tokens\":{");
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, ":{\"id\":");
	peft_json_putstr(b, s, len);
	peft_buf_printf(b, ",\"ids\":[%llu],\"tokens\":[",
	    (unsigned long long)v->bos);
	peft_json_putstr(b, s, len);
	peft_buf_puts(b, "]}}}");
}

static void
put_tokenizer(const struct vocab *v, struct peft_buf *b)
{
	peft_buf_puts(b, "{\"version\":\"1.0\",\"truncation\":null,"
	    "\"padding\":null,\"added_tokens\":[");
	each_token(v, b, put_added);
	peft_buf_printf(b, "],\"normalizer\":%s,\"pre_tokenizer\":%s,"
	    "\"post_processor\":", v->pre->normalizer, v->pre->json);
	put_post(v, b);
	peft_buf_printf(b, ",\"decoder\":{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":true,\"trim_offsets\":true,"
	    "\"use_regex\":true},\"model\":{\"type\":\"BPE\","
	    "\"dropout\":null,\"unk_token\":null,"
	    "\"continuing_subword_prefix\":null,"
	    "\"end_of_word_suffix\":null,\"fuse_unk\":false,"
	    "\"byte_fallback\":false,\"ignore_merges\":%s,\"vocab\":{",
	    v->pre->ignore_merges ? "true" : "false");
	each_token(v, b, put_entry);
	peft_buf_puts(b, "},\"merges\":[");
	put_merges(v, b);
	peft_buf_puts(b, "]}}\n");
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

/* JSON has no way to write a string that is not UTF-8, or has a NUL. */
static bool
all_text(const struct peft_gguf *g, const char *key)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);
	const uint8_t *p;
	const char *s;
	size_t len, k, i;
	uint64_t n;

	if (!is_array(kv, PEFT_GGUF_STRING))
		return true;		/* which read_vocab refuses */
	for (p = kv->value, n = kv->count; n > 0; n--) {
		peft_gguf_next_string(&p, &s, &len);
		for (i = 0; i < len; i += k)
			if ((k = peft_utf8_len(s + i, len - i)) == 0 ||
			    s[i] == '\0')
				return false;
	}
	return true;
}

static const char *const models[] = { "gpt2", "llama", "t5" };
enum { BYTES, PIECES, UNIGRAM, NMODEL };

/* Is the vocabulary one that tokenizer.json can tell here?  *why if not. */
static bool
known_kind(const struct peft_gguf *g, struct vocab *v, int *model,
    const char **why)
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
		*why = "the tokenizer is of none of the kinds gpt2, llama and "
		    "t5";
		return false;
	}
	*model = i;
	if (i != BYTES) {
		if (all_text(g, "tokenizer.ggml.tokens"))
			return true;
		*why = "the tokenizer has tokens that are not UTF-8";
		return false;
	}
	len = 0;
	(void)peft_gguf_string(g, "tokenizer.ggml.pre", &s, &len);
	if ((v->pre = peft_pre_of_gguf(s, len)) == NULL) {
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
    const char **why, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	struct vocab v = { 0 };
	const char *s;
	size_t len;
	int model;

	*why = NULL;
	if (peft_gguf_string(g, "tokenizer.chat_template", &s, &len)) {
		peft_buf_put(&b, s, len);
		if (peft_sides_add(sides, "chat_template.jinja", &b,
		    err) == -1)
			return -1;
	}
	if (!known_kind(g, &v, &model, why))
		return 0;
	if (model != BYTES)
		return peft_gguf_pieces(g, model == UNIGRAM, sides, err);
	if (read_vocab(g, &v, err) == -1)
		return -1;
	put_tokenizer(&v, &b);
	if (peft_sides_add(sides, "tokenizer.json", &b, err) == -1)
		return -1;
	put_config(&v, &b);
	return peft_sides_add(sides, "tokenizer_config.json", &b, err);
}
