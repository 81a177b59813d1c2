/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json, read: vocabulary, merges, added tokens. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-impl.h"

enum { MAXVOCAB = 1 << 22 };

unsigned
peft_byte_char(unsigned char b)
{
	if ((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174)
		return b;
	/* the other 68, in order, from U+0100 on */
	return 256 + (b < 33 ? b : b < 161 ? b - 127u + 33 : 67);
}

int
peft_char_byte(unsigned cp)
{
	if (cp < 256)
		return peft_byte_char((unsigned char)cp) == cp ? (int)cp : -1;
	if (cp < 256 + 33)
		return (int)(cp - 256);
	if (cp < 256 + 67)
		return (int)(cp - 256 - 33 + 127);
	return cp == 256 + 67 ? 173 : -1;
}

/* Make room for ids below n. */
static int
reserve(struct peft_tokenizer *t, size_t n, struct peft_err *err)
{
	struct peft_token_text *grown;

	if (n <= t->ntokens)
		return 0;
	if (n > MAXVOCAB || (grown = realloc(t->tokens, n *
	    sizeof(*grown))) == NULL)
		return peft_seterr(err, "an id of %zu", n - 1);
	memset(grown + t->ntokens, 0, (n - t->ntokens) * sizeof(*grown));
	t->tokens = grown;
	t->ntokens = n;
	return 0;
}

static int
token_id(const cJSON *j, size_t *id, struct peft_err *err)
{
	double d = cJSON_IsNumber(j) ? j->valuedouble : -1;

	if (!(d >= 0) || d >= MAXVOCAB || d != (double)(size_t)d)
		return peft_seterr(err, "no id");
	*id = (size_t)d;
	return 0;
}

static int
add_vocab(struct peft_tokenizer *t, const cJSON *vocab, struct peft_err *err)
{
	const cJSON *e;
	size_t id = 0, most = 0, n = 0;

	if (!cJSON_IsObject(vocab))
		return peft_seterr(err, "model.vocab is not an object");
	cJSON_ArrayForEach(e, vocab) {
		if (token_id(e, &id, err) == -1)
			return peft_errprefix(err, "token '%s'", e->string);
		most = id > most ? id : most;
		n++;
	}
	if (n == 0 || most >= 2 * n + 65536)
		return peft_seterr(err, "model.vocab has %zu tokens, with ids "
		    "up to %zu", n, most);
	if (reserve(t, most + 1, err) == -1)
		return -1;
	cJSON_ArrayForEach(e, vocab) {
		if (token_id(e, &id, err) == -1)
			return -1;
		if (t->tokens[id].text != NULL)
			return peft_seterr(err, "tokens '%s' and '%s' have the "
			    "same id", t->tokens[id].text, e->string);
		t->tokens[id].text = e->string;
		if (peft_map_add(&t->vocab, e->string, strlen(e->string), id,
		    err) == -1)
			return -1;
	}
	return 0;
}

/* The bytes behind a token's printable characters; a token with others
 * stands for its text. */
static int
set_bytes(struct peft_token_text *tok, struct peft_err *err)
{
	size_t n = strlen(tok->text), i, len;
	int b;

	if ((tok->bytes = peft_calloc(n + 1, 1, err)) == NULL)
		return -1;
	for (i = 0; i < n; i += len) {
		len = peft_utf8_len(tok->text + i, n - i);
		b = len == 0 ? -1 : peft_char_byte(peft_utf8_get(tok->text + i,
		    len));
		if (b < 0) {
			memcpy(tok->bytes, tok->text, n);
			tok->nbytes = (uint32_t)n;
			return 0;
		}
		tok->bytes[tok->nbytes++] = (char)b;
	}
	return 0;
}

static int
make_pieces(struct peft_tokenizer *t, struct peft_err *err)
{
	size_t i;
	int b;

	for (i = 0; i < t->ntokens; i++) {
		struct peft_token_text *tok = &t->tokens[i];

		if (tok->text == NULL)
			continue;
		if (set_bytes(tok, err) == -1 || peft_map_add(&t->pieces,
		    tok->bytes, tok->nbytes, i, err) == -1)
			return -1;
	}
	for (b = 0; b < 256; b++) {
		char c = (char)b;
		const size_t *id = peft_map_find(&t->pieces, &c, 1);

		t->byte_id[b] = id == NULL ? -1 : (int32_t)*id;
	}
	return 0;
}

static int
make_fallback(struct peft_tokenizer *t)
{
	char name[8];
	int b;

	for (b = 0; b < 256; b++) {
		const size_t *id;

		snprintf(name, sizeof(name), "<0x%02X>", (unsigned)b & 0xff);
		id = peft_map_find(&t->vocab, name, 6);
		t->byte_id[b] = id == NULL ? -1 : (int32_t)*id;
	}
	return 0;
}

/* "a b", cut at its single space, or ["a", "b"]. */
static int
split_merge(const cJSON *e, const char **a, size_t *na, const char **b,
    size_t *nb, struct peft_err *err)
{
	const char *space;

	if (cJSON_IsString(e)) {
		*a = e->valuestring;
		space = strchr(*a, ' ');
		if (space == NULL || strchr(space + 1, ' ') != NULL)
			return peft_seterr(err, "the merge '%s' is not two "
			    "tokens and a space", *a);
		*na = (size_t)(space - *a);
		*b = space + 1;
		*nb = strlen(*b);
		return 0;
	}
	if (cJSON_GetArraySize(e) != 2 || !cJSON_IsString(e->child) ||
	    !cJSON_IsString(e->child->next))
		return peft_seterr(err, "a merge is not a pair of tokens");
	*a = e->child->valuestring;
	*na = strlen(*a);
	*b = e->child->next->valuestring;
	*nb = strlen(*b);
	return 0;
}

static int
add_merge(struct peft_tokenizer *t, const cJSON *e, uint32_t rank,
    struct peft_buf *joined, struct peft_err *err)
{
	const char *a = NULL, *b = NULL;
	size_t na = 0, nb = 0;
	const size_t *ia, *ib, *ic;

	if (split_merge(e, &a, &na, &b, &nb, err) == -1)
		return -1;
	peft_buf_clear(joined);
	peft_buf_put(joined, a, na);
	peft_buf_put(joined, b, nb);
	if (joined->failed)
		return peft_seterr(err, "no memory");
	ia = peft_map_find(&t->vocab, a, na);
	ib = peft_map_find(&t->vocab, b, nb);
	ic = peft_map_find(&t->vocab, joined->data, joined->len);
	if (ia == NULL || ib == NULL || ic == NULL)
		return peft_seterr(err, "merge %u: '%.*s' is not in the "
		    "vocabulary", rank, ia == NULL ? (int)na : ib == NULL ?
		    (int)nb : (int)joined->len, ia == NULL ? a : ib == NULL ?
		    b : joined->data);
	peft_bpe_add(&t->bpe, (int32_t)*ia, (int32_t)*ib, rank,
	    (int32_t)*ic);
	return 0;
}

static int
add_merges(struct peft_tokenizer *t, const cJSON *merges,
    struct peft_err *err)
{
	struct peft_buf joined = { 0 };
	const cJSON *e;
	uint32_t rank = 0;
	int r;

	if (!cJSON_IsArray(merges))
		return peft_seterr(err, "model.merges is not a list");
	r = peft_bpe_open(&t->bpe, (size_t)cJSON_GetArraySize(merges), err);
	if (r == 0)
		cJSON_ArrayForEach(e, merges)
			if ((r = add_merge(t, e, rank++, &joined, err)) == -1)
				break;
	peft_buf_free(&joined);
	return r;
}

/* Options that are not honoured must be off. */
static int
check_model(const cJSON *model, struct peft_err *err)
{
	static const char *const off[] = { "dropout",
	    "continuing_subword_prefix", "end_of_word_suffix", NULL };
	const char *type = "BPE";
	size_t i;

	if (peft_json_str(model, "type", &type, err) == -1)
		return -1;
	if (strcmp(type, "BPE") != 0)
		return peft_seterr(err, "model of type %s is not known here "
		    "(known: BPE)", type);
	for (i = 0; off[i] != NULL; i++) {
		const cJSON *v = peft_json_get(model, off[i]);

		if (v != NULL && !cJSON_IsNull(v) && !(cJSON_IsString(v) &&
		    v->valuestring[0] == '\0') && !(cJSON_IsNumber(v) &&
		    v->valuedouble == 0))
			return peft_seterr(err, "model.%s is not honoured here",
			    off[i]);
	}
	return 0;
}

int
peft_tokenizer_model(struct peft_tokenizer *t, const cJSON *model,
    struct peft_err *err)
{
	const char *unk = NULL;
	const size_t *id;

	if (!cJSON_IsObject(model))
		return peft_seterr(err, "model is missing");
	if (check_model(model, err) == -1 ||
	    peft_json_bool(model, "byte_fallback", &t->byte_fallback,
	    err) == -1 || peft_json_bool(model, "fuse_unk", &t->fuse_unk,
	    err) == -1 || peft_json_bool(model, "ignore_merges",
	    &t->ignore_merges, err) == -1 ||
	    peft_json_str(model, "unk_token", &unk, err) == -1 ||
	    add_vocab(t, peft_json_get(model, "vocab"), err) == -1 ||
	    add_merges(t, peft_json_get(model, "merges"), err) == -1)
		return -1;
	if (unk != NULL) {
		if ((id = peft_map_find(&t->vocab, unk, strlen(unk))) == NULL)
			return peft_seterr(err, "model.unk_token '%s' is not in "
			    "the vocabulary", unk);
		t->unk = (int32_t)*id;
	}
	return t->byte_level ? make_pieces(t, err) : make_fallback(t);
}

static int
by_length(const void *a, const void *b)
{
	const struct peft_added *x = a, *y = b;

	return x->len > y->len ? -1 : x->len < y->len;
}

static int
read_added(struct peft_tokenizer *t, const cJSON *e, struct peft_added *a,
    struct peft_err *err)
{
	bool single = false, normalized = false;
	size_t id = 0;

	if (peft_json_str(e, "content", &a->text, err) != 1 ||
	    (a->len = strlen(a->text)) == 0)
		return peft_seterr(err, "an added token without content");
	if (token_id(peft_json_get(e, "id"), &id, err) == -1 ||
	    peft_json_bool(e, "lstrip", &a->lstrip, err) == -1 ||
	    peft_json_bool(e, "rstrip", &a->rstrip, err) == -1 ||
	    peft_json_bool(e, "special", &a->special, err) == -1 ||
	    peft_json_bool(e, "single_word", &single, err) == -1 ||
	    peft_json_bool(e, "normalized", &normalized, err) == -1)
		return peft_errprefix(err, "added token '%s'", a->text);
	if (single || (normalized && t->nnorm > 0))
		return peft_seterr(err, "added token '%s': %s is not honoured "
		    "here", a->text, single ? "single_word" : "normalized");
	if (id >= t->ntokens + 65536)
		return peft_seterr(err, "added token '%s' has the id %zu, the "
		    "vocabulary ends at %zu", a->text, id, t->ntokens);
	if (reserve(t, id + 1, err) == -1)
		return -1;
	if (t->tokens[id].text != NULL &&
	    strcmp(t->tokens[id].text, a->text) != 0)
		return peft_seterr(err, "added token '%s' has the id of '%s'",
		    a->text, t->tokens[id].text);
	t->tokens[id].text = a->text;
	t->tokens[id].added = true;
	t->tokens[id].special = a->special;
	a->id = (int32_t)id;
	return peft_map_add(&t->vocab, a->text, a->len, id, err) == -1 ? -1 : 0;
}

/* Lists of added tokens by their first byte, longest first. */
static int
fill_buckets(struct peft_tokenizer *t, struct peft_err *err)
{
	size_t i;
	int b;

	qsort(t->added, t->nadded, sizeof(*t->added), by_length);
	for (i = 0; i < t->nadded; i++)
		t->nbucket[(unsigned char)t->added[i].text[0]]++;
	for (b = 0; b < 256; b++) {
		if (t->nbucket[b] == 0)
			continue;
		t->bucket[b] = peft_calloc(t->nbucket[b], sizeof(uint32_t),
		    err);
		if (t->bucket[b] == NULL)
			return -1;
		t->nbucket[b] = 0;
	}
	for (i = 0; i < t->nadded; i++) {
		b = (unsigned char)t->added[i].text[0];
		t->bucket[b][t->nbucket[b]++] = (uint32_t)i;
	}
	return 0;
}

int
peft_tokenizer_added(struct peft_tokenizer *t, const cJSON *added,
    struct peft_err *err)
{
	const cJSON *e;

	t->added = peft_calloc((size_t)cJSON_GetArraySize(added) + 1,
	    sizeof(*t->added), err);
	if (t->added == NULL)
		return -1;
	cJSON_ArrayForEach(e, added)
		if (read_added(t, e, &t->added[t->nadded++], err) == -1)
			return -1;
	return fill_buckets(t, err);
}
