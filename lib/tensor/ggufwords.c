/* SPDX-License-Identifier: Apache-2.0 */
/* WordPiece from GGUF's metadata. */

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "tensor/ggufwords.h"

static const char dash[] = "\u2581";	/* begins a word */
enum { NORMAL = 1, UNUSED = 5 };

struct words {
	char		**text;		/* as tokenizer.json has it */
	int		 *type;
	size_t		  n;
	size_t		  cls, sep, pad, unk, mask;	/* or NONE */
};
static const size_t NONE = SIZE_MAX;

static char *
told(const char *s, size_t len, int type, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t cut = sizeof(dash) - 1;

	if (type == NORMAL && len >= cut && memcmp(s, dash, cut) == 0) {
		s += cut;
		len -= cut;
	} else if (type == NORMAL)
		peft_buf_puts(&b, "##");
	peft_buf_put(&b, s, len);
	if (b.failed) {
		peft_seterr(err, "no memory");
		return NULL;
	}
	return b.data;
}

/* Each token once: tokenizer.json names them by their texts. */
static int
read_tokens(const struct peft_gguf *g, struct words *w, struct peft_err *err)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g,
	    "tokenizer.ggml.tokens"), *types = peft_gguf_find(g,
	    "tokenizer.ggml.token_type");
	struct peft_map seen = { 0 };
	const uint8_t *at;
	const char *s;
	size_t i, len, used;
	int r = 1;

	if (kv == NULL || kv->type != PEFT_GGUF_ARRAY ||
	    kv->elem != PEFT_GGUF_STRING || kv->count == 0)
		return peft_seterr(err, "tokenizer.ggml.tokens is missing or "
		    "no list of strings");
	if (types == NULL || types->type != PEFT_GGUF_ARRAY ||
	    types->elem != PEFT_GGUF_I32 || types->count != kv->count)
		return peft_seterr(err, "tokenizer.ggml.token_type is missing, "
		    "or does not fit %llu tokens",
		    (unsigned long long)kv->count);
	w->n = (size_t)kv->count;
	w->text = peft_calloc(w->n, sizeof(*w->text), err);
	w->type = peft_calloc(w->n, sizeof(*w->type), err);
	if (w->text == NULL || w->type == NULL)
		return -1;
	/* what is unused at the end only fills up */
	for (used = w->n; used > 0; used--)
		if (peft_gguf_int_at(types, used - 1) != UNUSED)
			break;
	for (i = 0, at = kv->value; r == 1 && i < w->n; i++) {
		peft_gguf_next_string(&at, &s, &len);
		w->type[i] = (int)peft_gguf_int_at(types, i);
		w->text[i] = told(s, len, w->type[i], err);
		if (w->text[i] == NULL)
			r = -1;
		else if (i < used)
			r = peft_map_add(&seen, w->text[i],
			    strlen(w->text[i]), i, err);
		if (r == 0)
			r = peft_seterr(err, "tokenizer.ggml.tokens: %zu and "
			    "%zu are the same", *peft_map_find(&seen,
			    w->text[i], strlen(w->text[i])), i);
	}
	peft_map_free(&seen);
	return r == -1 ? -1 : 0;
}

static int
read_ids(const struct peft_gguf *g, struct words *w, struct peft_err *err)
{
	/* llama.cpp's defaults are BERT's own ids; of two keys for one token
	 * the later says it */
	const struct {
		const char	*key;
		size_t		 usual, *id;
	} keys[] = {
		{ "tokenizer.ggml.bos_token_id", 101, &w->cls },
		{ "tokenizer.ggml.cls_token_id", NONE, &w->cls },
		{ "tokenizer.ggml.seperator_token_id", 102, &w->sep },
		{ "tokenizer.ggml.padding_token_id", 0, &w->pad },
		{ "tokenizer.ggml.unknown_token_id", 100, &w->unk },
		{ "tokenizer.ggml.mask_token_id", 103, &w->mask },
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (peft_gguf_token(g, keys[i].key, keys[i].usual == NONE ?
		    *keys[i].id : keys[i].usual, w->n, keys[i].id, err) == -1)
			return -1;
	return w->unk != NONE ? 0 : peft_seterr(err, "the key "
	    "tokenizer.ggml.unknown_token_id is missing");
}

static void
put_text(const struct words *w, struct peft_buf *b, size_t id)
{
	peft_json_putstr(b, w->text[id], strlen(w->text[id]));
}

static bool
put_flag(const struct peft_gguf *g, const char *key)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);

	return kv == NULL || kv->type != PEFT_GGUF_BOOL || kv->value[0] != 0;
}

static void
put_post(const struct words *w, const struct peft_gguf *g, struct peft_buf *b)
{
	bool cls = w->cls != NONE && put_flag(g,
	    "tokenizer.ggml.add_bos_token");
	bool sep = w->sep != NONE && put_flag(g,
	    "tokenizer.ggml.add_sep_token");
	const size_t id[] = { w->cls, w->sep };
	size_t i;

	if (!cls || !sep) {
		peft_buf_puts(b, "null");
		return;
	}
	peft_buf_puts(b, "{\"type\":\"TemplateProcessing\",\"single\":["
	    "{\"SpecialToken\":{\"id\":");
	put_text(w, b, w->cls);
	peft_buf_puts(b, ",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
	    "\"type_id\":0}},{\"SpecialToken\":{\"id\":");
	put_text(w, b, w->sep);
	peft_buf_puts(b, ",\"type_id\":0}}],\"pair\":[{\"Sequence\":{"
	    "\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\","
	    "\"type_id\":1}}],\"special_tokens\":{");
	for (i = 0; i < 2; i++) {
		peft_buf_puts(b, i > 0 ? "," : "");
		put_text(w, b, id[i]);
		peft_buf_puts(b, ":{\"id\":");
		put_text(w, b, id[i]);
		peft_buf_printf(b, ",\"ids\":[%zu],\"tokens\":[", id[i]);
		put_text(w, b, id[i]);
		peft_buf_puts(b, "]}");
	}
	peft_buf_puts(b, "}}");
}

static void
put_added(const struct words *w, struct peft_buf *b)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		if (w->type[i] == NORMAL || w->type[i] == UNUSED)
			continue;
		if (b->data[b->len - 1] != '[')
			peft_buf_putc(b, ',');
		peft_buf_printf(b, "{\"id\":%zu,\"content\":", i);
		put_text(w, b, i);
		peft_buf_puts(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,"
		    "\"special\":true}");
	}
}

static int
put_tokens(const struct words *w, struct peft_tokjson *t, struct peft_err *err)
{
	size_t i, n = w->n, bytes = 0;

	while (n > 0 && w->type[n - 1] == UNUSED)
		n--;
	for (i = 0; i < n; i++)
		bytes += strlen(w->text[i]);
	if (peft_tokjson_open(t, n, bytes, err) == -1)
		return -1;
	for (i = 0; i < n; i++)
		peft_tokjson_put(t, i, w->text[i], strlen(w->text[i]));
	return 0;
}

static void
put_tokenizer(const struct words *w, const struct peft_gguf *g,
    struct peft_tokjson *t)
{
	struct peft_buf *b = &t->text;

	peft_buf_puts(b, "{\"version\":\"1.0\",\"truncation\":null,"
	    "\"padding\":null,\"added_tokens\":[");
	put_added(w, b);
	peft_buf_puts(b, "],\"normalizer\":{\"type\":\"BertNormalizer\","
	    "\"clean_text\":true,\"handle_chinese_chars\":true,"
	    "\"strip_accents\":null,\"lowercase\":true},"
	    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
	    "\"post_processor\":");
	put_post(w, g, b);
	peft_buf_puts(b, ",\"decoder\":{\"type\":\"WordPiece\","
	    "\"prefix\":\"##\",\"cleanup\":true},\"model\":{"
	    "\"type\":\"WordPiece\",\"unk_token\":");
	put_text(w, b, w->unk);
	peft_buf_puts(b, ",\"continuing_subword_prefix\":\"##\","
	    "\"max_input_chars_per_word\":100,\"vocab\":");
	peft_tokjson_list(t, &t->vocab_at);
	peft_buf_puts(b, "}}\n");
}

static void
put_config(const struct words *w, struct peft_buf *b)
{
	const struct {
		const char	*name;
		size_t		 id;
	} named[] = { { "cls_token", w->cls }, { "sep_token", w->sep },
	    { "pad_token", w->pad }, { "unk_token", w->unk },
	    { "mask_token", w->mask } };
	size_t i;

	peft_buf_puts(b, "{\n");
	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (named[i].id != NONE) {
			peft_buf_printf(b, "  \"%s\": ", named[i].name);
			put_text(w, b, named[i].id);
			peft_buf_puts(b, ",\n");
		}
	peft_buf_puts(b, "  \"tokenizer_class\": "
	    "\"PreTrainedTokenizerFast\"\n}\n");
}

int
peft_gguf_words(const struct peft_gguf *g, struct peft_sides *sides,
    struct peft_err *err)
{
	struct words w = { 0 };
	struct peft_tokjson t = { 0 };
	struct peft_buf b = { 0 };
	size_t i;
	int r = -1;

	if (read_tokens(g, &w, err) == 0 && read_ids(g, &w, err) == 0 &&
	    put_tokens(&w, &t, err) == 0) {
		put_tokenizer(&w, g, &t);
		if (peft_sides_tell(sides, &t, err) == 0) {
			put_config(&w, &b);
			r = peft_sides_add(sides, "tokenizer_config.json", &b,
			    err);
		}
	}
	peft_tokjson_free(&t);
	peft_buf_free(&b);
	for (i = 0; w.text != NULL && i < w.n; i++)
		free(w.text[i]);
	free(w.text);
	free(w.type);
	return r;
}
