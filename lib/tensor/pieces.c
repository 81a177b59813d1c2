/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json from SentencePiece's pieces. */

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "tensor/pieces.h"

static const char dash[] = "\u2581";	/* stands for a space */

static const char *
space(const struct peft_pieces *p)
{
	return p->spaces ? " " : dash;
}

static void
put_added(const struct peft_pieces *p, struct peft_buf *b)
{
	bool first = true;
	size_t i;

	for (i = 0; i < p->n; i++) {
		bool user = p->at[i].type == PEFT_P_USER;

		if (p->at[i].type != PEFT_P_CONTROL && p->at[i].type !=
		    PEFT_P_UNKNOWN && !(user && !p->inline_symbols))
			continue;
		peft_buf_printf(b, "%s{\"id\":%zu,\"content\":", first ? "" :
		    ",", i);
		peft_json_putstr(b, p->at[i].s, p->at[i].len);
		peft_buf_printf(b, ",\"single_word\":false,\"lstrip\":false,"
		    "\"rstrip\":false,\"normalized\":false,\"special\":%s}",
		    user ? "false" : "true");
		first = false;
	}
}

static void
put_replace(struct peft_buf *b, const char *kind, const char *what,
    const char *by)
{
	if (b->data[b->len - 1] != '[')
		peft_buf_putc(b, ',');
	peft_buf_printf(b, "{\"type\":\"Replace\",\"pattern\":{\"%s\":", kind);
	peft_json_putstr(b, what, strlen(what));
	peft_buf_puts(b, "},\"content\":");
	peft_json_putstr(b, by, strlen(by));
	peft_buf_putc(b, '}');
}

/* Spaces behind the text go last, when a U+2581 that was written there is
 * one as well; the prefix is put before what then is left, if anything. */
static void
put_normaliser(const struct peft_pieces *p, struct peft_buf *b)
{
	peft_buf_puts(b, "{\"type\":\"Sequence\",\"normalizers\":[");
	if (p->charsmap != NULL) {
		peft_buf_puts(b, "{\"type\":\"Precompiled\","
		    "\"precompiled_charsmap\":\"");
		peft_base64_put(b, p->charsmap, p->ncharsmap);
		peft_buf_puts(b, "\",\"longest_match\":true}");
	}
	if (p->trim) {
		put_replace(b, "Regex", "\\A +", "");
		put_replace(b, "Regex", " {2,}", " ");
	}
	if (!p->spaces && p->trim)
		put_replace(b, "String", " ", dash);
	if (p->trim)
		put_replace(b, "Regex", p->spaces ? " +\\z" : "\u2581+\\z", "");
	if (p->prefix)
		peft_buf_printf(b, "%s{\"type\":\"Prepend\",\"prepend\":\"%s\"}",
		    b->data[b->len - 1] == '[' ? "" : ",", space(p));
	if (!p->spaces && !p->trim)
		put_replace(b, "String", " ", dash);
	peft_buf_puts(b, "]}");
}

/* Long symbols are tried before those that they begin with. */
static int
by_length(const void *a, const void *b)
{
	const struct peft_piece *x = *(const struct peft_piece *const *)a;
	const struct peft_piece *y = *(const struct peft_piece *const *)b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return x < y ? -1 : 1;
}

static void
put_quoted(struct peft_buf *b, const struct peft_piece *e)
{
	size_t i;

	for (i = 0; i < e->len; i++) {
		if (strchr("\\^$.|?*+()[]{}-/#&~", e->s[i]) != NULL)
			peft_buf_putc(b, '\\');
		peft_buf_putc(b, e->s[i]);
	}
}

/* A pattern that cuts the symbols out. */
static int
put_symbols(const struct peft_pieces *p, struct peft_buf *b,
    struct peft_err *err)
{
	const struct peft_piece **symbols;
	struct peft_buf pattern = { 0 };
	size_t i, n = 0;

	symbols = peft_calloc(p->n, sizeof(*symbols), err);
	if (symbols == NULL)
		return -1;
	for (i = 0; i < p->n; i++)
		if (p->at[i].type == PEFT_P_USER)
			symbols[n++] = &p->at[i];
	if (n > 1)
		qsort(symbols, n, sizeof(*symbols), by_length);
	for (i = 0; i < n; i++) {
		if (i > 0)
			peft_buf_putc(&pattern, '|');
		put_quoted(&pattern, symbols[i]);
	}
	free(symbols);
	peft_buf_puts(b, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
	peft_json_putstr(b, pattern.data, pattern.len);
	peft_buf_puts(b, "},\"behavior\":\"Isolated\",\"invert\":false}");
	b->failed |= pattern.failed;
	peft_buf_free(&pattern);
	return 0;
}

static bool
has_inline(const struct peft_pieces *p)
{
	size_t i;

	for (i = 0; p->inline_symbols && i < p->n; i++)
		if (p->at[i].type == PEFT_P_USER)
			return true;
	return false;
}

static void
put_around(const struct peft_pieces *p, struct peft_buf *b, size_t id,
    int type_id)
{
	peft_buf_puts(b, "{\"SpecialToken\":{\"id\":");
	peft_json_putstr(b, p->at[id].s, p->at[id].len);
	peft_buf_printf(b, ",\"type_id\":%d}}", type_id);
}

static void
put_sequence(const struct peft_pieces *p, struct peft_buf *b, bool pair)
{
	int i;

	for (i = 0; i <= pair; i++) {
		if (i > 0)
			peft_buf_putc(b, ',');
		if (p->bos_first) {
			put_around(p, b, p->bos, i);
			peft_buf_putc(b, ',');
		}
		peft_buf_printf(b, "{\"Sequence\":{\"id\":\"%c\","
		    "\"type_id\":%d}}", 'A' + i, i);
		if (p->eos_last) {
			peft_buf_putc(b, ',');
			put_around(p, b, p->eos, i);
		}
	}
}

static void
put_special(const struct peft_pieces *p, struct peft_buf *b, size_t id)
{
	if (b->data[b->len - 1] != '{')
		peft_buf_putc(b, ',');
	peft_json_putstr(b, p->at[id].s, p->at[id].len);
	peft_buf_puts(b, ":{\"id\":");
	peft_json_putstr(b, p->at[id].s, p->at[id].len);
	peft_buf_printf(b, ",\"ids\":[%zu],\"tokens\":[", id);
	peft_json_putstr(b, p->at[id].s, p->at[id].len);
	peft_buf_puts(b, "]}");
}

static void
put_post(const struct peft_pieces *p, struct peft_buf *b)
{
	if (!p->bos_first && !p->eos_last) {
		peft_buf_puts(b, "null");
		return;
	}
	peft_buf_puts(b, "{\"type\":\"TemplateProcessing\",\"single\":[");
	put_sequence(p, b, false);
	peft_buf_puts(b, "],\"pair\":[");
	put_sequence(p, b, true);
	peft_buf_puts(b, "],\"special_tokens\":{");
	if (p->bos_first)
		put_special(p, b, p->bos);
	if (p->eos_last && !(p->bos_first && p->bos == p->eos))
		put_special(p, b, p->eos);
	peft_buf_puts(b, "}}");
}

static void
put_decoder(const struct peft_pieces *p, struct peft_buf *b)
{
	peft_buf_puts(b, "{\"type\":\"Sequence\",\"decoders\":[");
	if (!p->spaces)
		put_replace(b, "String", dash, " ");
	peft_buf_printf(b, "%s{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}",
	    p->spaces ? "" : ",");
	/* who takes extra spaces away takes all that come first */
	if (p->prefix || p->trim)
		peft_buf_printf(b, ",{\"type\":\"Strip\",\"content\":\" \","
		    "\"start\":%d,\"stop\":0}", p->trim ? 255 : 1);
	peft_buf_puts(b, "]}");
}

static void
put_bpe(const struct peft_pieces *p, struct peft_tokjson *t)
{
	struct peft_buf *b = &t->text;

	peft_buf_puts(b, "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":");
	if (p->unk == PEFT_NOPIECE)
		peft_buf_puts(b, "null");
	else
		peft_json_putstr(b, p->at[p->unk].s, p->at[p->unk].len);
	peft_buf_printf(b, ",\"continuing_subword_prefix\":null,"
	    "\"end_of_word_suffix\":null,\"fuse_unk\":true,"
	    "\"byte_fallback\":%s,\"ignore_merges\":%s,\"vocab\":",
	    p->byte_fallback ? "true" : "false", has_inline(p) ? "true" :
	    "false");
	peft_tokjson_list(t, &t->vocab_at);
	peft_buf_puts(b, ",\"merges\":");
	peft_tokjson_list(t, &t->merges_at);
	peft_buf_putc(b, '}');
}

static void
put_unigram(const struct peft_pieces *p, struct peft_tokjson *t)
{
	struct peft_buf *b = &t->text;

	peft_buf_puts(b, "{\"type\":\"Unigram\",\"unk_id\":");
	if (p->unk == PEFT_NOPIECE)
		peft_buf_puts(b, "null");
	else
		peft_buf_printf(b, "%zu", p->unk);
	peft_buf_puts(b, ",\"vocab\":");
	peft_tokjson_list(t, &t->vocab_at);
	peft_buf_printf(b, ",\"byte_fallback\":%s}", p->byte_fallback ?
	    "true" : "false");
}

int
peft_pieces_tokenizer(const struct peft_pieces *p, struct peft_tokjson *t,
    struct peft_err *err)
{
	struct peft_buf *b = &t->text;

	if (peft_pieces_lists(p, t, err) == -1)
		return -1;
	peft_buf_puts(b, "{\"version\":\"1.0\",\"truncation\":null,"
	    "\"padding\":null,\"added_tokens\":[");
	put_added(p, b);
	peft_buf_puts(b, "],\"normalizer\":");
	put_normaliser(p, b);
	peft_buf_puts(b, ",\"pre_tokenizer\":");
	if (!has_inline(p))
		peft_buf_puts(b, "null");
	else if (put_symbols(p, b, err) == -1)
		return -1;
	peft_buf_puts(b, ",\"post_processor\":");
	put_post(p, b);
	peft_buf_puts(b, ",\"decoder\":");
	put_decoder(p, b);
	peft_buf_puts(b, ",\"model\":");
	if (p->unigram)
		put_unigram(p, t);
	else
		put_bpe(p, t);
	peft_buf_puts(b, "}\n");
	return b->failed ? peft_seterr(err, "no memory") : 0;
}

static void
put_named(const struct peft_pieces *p, struct peft_buf *b, const char *name,
    size_t id)
{
	if (id == PEFT_NOPIECE)
		return;
	peft_buf_printf(b, "  \"%s\": ", name);
	peft_json_putstr(b, p->at[id].s, p->at[id].len);
	peft_buf_puts(b, ",\n");
}

void
peft_pieces_config(const struct peft_pieces *p, struct peft_buf *b)
{
	peft_buf_puts(b, "{\n");
	put_named(p, b, "bos_token", p->bos);
	put_named(p, b, "eos_token", p->eos);
	put_named(p, b, "pad_token", p->pad);
	put_named(p, b, "unk_token", p->unk);
	peft_buf_puts(b, "  \"clean_up_tokenization_spaces\": false,\n"
	    "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
}
