/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece in GGUF's metadata, from tokenizer.json. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "tensor/ggufpieces.h"
#include "tensor/pieces.h"

/* The id of what the merge makes, or PEFT_NOPIECE. */
static size_t
made(const cJSON *e, const struct peft_map *ids, struct peft_buf *b)
{
	const char *s, *space;
	const size_t *id;

	peft_buf_clear(b);
	if (cJSON_IsString(e)) {
		s = e->valuestring;
		space = strchr(s, ' ');
		peft_buf_put(b, s, space == NULL ? 0 : (size_t)(space - s));
		peft_buf_puts(b, space == NULL ? s : space + 1);
	} else if (cJSON_IsArray(e) && e->child != NULL &&
	    cJSON_IsString(e->child) && cJSON_IsString(e->child->next)) {
		peft_buf_puts(b, e->child->valuestring);
		peft_buf_puts(b, e->child->next->valuestring);
	}
	id = b->data == NULL ? NULL : peft_map_find(ids, b->data, b->len);
	return id == NULL ? PEFT_NOPIECE : *id;
}

/* Scores that give the merges their order: one score a token, so all merges
 * that make it must stand together. */
static int
score_merges(const cJSON *merges, const struct peft_map *ids,
    struct peft_pieces *p, size_t *n, struct peft_err *err)
{
	size_t last = PEFT_NOPIECE, id, rank = 0;
	struct peft_buf b = { 0 };
	const cJSON *e;
	int r = 0;

	cJSON_ArrayForEach(e, merges) {
		rank++;
		id = made(e, ids, &b);
		if (id != PEFT_NOPIECE && p->at[id].type != PEFT_P_NORMAL)
			continue;	/* which is found before merging */
		if (id == PEFT_NOPIECE || (id != last && p->at[id].score !=
		    0)) {
			r = peft_seterr(err, id == PEFT_NOPIECE ?
			    "tokenizer.json: merge %zu makes no token" :
			    "tokenizer.json: merge %zu makes a token that "
			    "others make with another rank, which scores of "
			    "tokens cannot tell", rank);
			break;
		}
		if (id != last)
			p->at[id].score = -(float)rank;
		(*n)++;
		last = id;
	}
	peft_buf_free(&b);
	return r;
}

/* Who merges by scores merges all pairs that make a token: are they all
 * there? */
static int
read_merges(const cJSON *model, struct peft_pieces *p, struct peft_err *err)
{
	struct peft_map ids = { 0 };
	struct peft_tokjson all = { 0 };
	size_t i, n = 0, nall;
	int r = 0;

	for (i = 0; r != -1 && i < p->n; i++)
		if (p->at[i].type != PEFT_P_UNUSED)
			r = peft_map_add(&ids, p->at[i].s, p->at[i].len, i,
			    err);
	if (r != -1)
		r = score_merges(peft_json_get(model, "merges"), &ids, p, &n,
		    err);
	peft_map_free(&ids);
	if (r == 0 && (r = peft_pieces_lists(p, &all, err)) == 0)
		r = peft_tokjson_merges(&all, NULL, err);
	nall = all.nmerges;
	peft_tokjson_free(&all);
	if (r == 0 && n != nall)
		return peft_seterr(err, "tokenizer.json: %zu merges are there "
		    "of %zu that scores of tokens mean", n, nall);
	return r;
}

/* A symbol of users is looked for in the text as it was typed, where spaces
 * are spaces. */
static void
type_symbol(const char *s, char *to)
{
	static const char dash[] = "\u2581";

	while (*s != '\0')
		if (strncmp(s, dash, strlen(dash)) == 0) {
			*to++ = ' ';
			s += strlen(dash);
		} else
			*to++ = *s++;
	*to = '\0';
}

/* The table's symbols as they are typed, and what then the pieces are. */
static int
type_symbols(struct peft_vocab_table *t, struct peft_pieces *p,
    struct peft_err *err)
{
	struct peft_tokjson checked = { 0 };
	size_t i, n = 1;
	char *to;
	int r;

	for (i = 0; i < t->n; i++)
		if (t->text[i] != NULL && t->type[i] == PEFT_P_USER)
			n += strlen(t->text[i]) + 1;
	if ((t->typed = to = peft_calloc(n, 1, err)) == NULL)
		return -1;
	for (i = 0; i < t->n; i++)
		if (t->text[i] != NULL && t->type[i] == PEFT_P_USER) {
			type_symbol(t->text[i], to);
			t->text[i] = p->at[i].s = to;
			p->at[i].len = strlen(to);
			to += p->at[i].len + 1;
		}
	r = peft_pieces_lists(p, &checked, err);
	peft_tokjson_free(&checked);
	return r;
}

static bool
is_byte(const char *s)
{
	return strlen(s) == 6 && strncmp(s, "<0x", 3) == 0 &&
	    strspn(s + 3, "0123456789ABCDEF") == 2 && s[5] == '>';
}

static int
read_pieces(const cJSON *model, struct peft_vocab_table *t,
    struct peft_pieces *p, struct peft_err *err)
{
	const cJSON *unk = peft_json_get(model, "unk_token");
	const cJSON *id = peft_json_get(model, "unk_id");
	const cJSON *e = p->unigram ? peft_json_get(model, "vocab")->child :
	    NULL;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct peft_piece *to = &p->at[i];

		if (t->text[i] == NULL)
			t->type[i] = PEFT_P_UNUSED;
		else if ((cJSON_IsString(unk) && strcmp(unk->valuestring,
		    t->text[i]) == 0) || (cJSON_IsNumber(id) &&
		    id->valuedouble == (double)i))
			t->type[i] = PEFT_P_UNKNOWN;
		else if (t->type[i] == PEFT_P_NORMAL && is_byte(t->text[i]))
			t->type[i] = PEFT_P_BYTE;
		to->s = t->text[i] == NULL ? "" : t->text[i];
		to->len = strlen(to->s);
		to->type = t->type[i];
		if (e != NULL) {
			to->score = (float)cJSON_GetNumberValue(e->child->next);
			if (!isfinite(to->score))
				return peft_seterr(err, "tokenizer.json: the "
				    "score of token %zu is no number", i);
			e = e->next;
		}
	}
	return 0;
}

static void
put_options(const struct peft_pieces *p, const struct peft_buf *charsmap,
    struct peft_gguf_out *o)
{
	size_t i;

	peft_gguf_put_array(o, "tokenizer.ggml.scores", PEFT_GGUF_F32, p->n);
	for (i = 0; i < p->n; i++)
		peft_buf_put(&o->kv, &p->at[i].score, sizeof(float));
	peft_gguf_put_bool(o, "tokenizer.ggml.add_space_prefix", p->prefix);
	if (!p->unigram)
		return;
	peft_gguf_put_bool(o, "tokenizer.ggml.remove_extra_whitespaces",
	    p->trim);
	if (charsmap->len == 0)
		return;
	peft_gguf_put_array(o, "tokenizer.ggml.precompiled_charsmap",
	    PEFT_GGUF_U8, charsmap->len);
	peft_buf_put(&o->kv, charsmap->data, charsmap->len);
}

int
peft_gguf_put_pieces(const cJSON *j, struct peft_vocab_table *t,
    struct peft_gguf_out *o, struct peft_err *err)
{
	const cJSON *model = peft_json_get(j, "model");
	struct peft_pieces p = { .what = "tokenizer.json", .n = t->n };
	struct peft_buf charsmap = { 0 };
	int r = -1;

	p.unigram = cJSON_IsArray(peft_json_get(model, "vocab"));
	if ((p.at = peft_calloc(p.n, sizeof(*p.at), err)) == NULL)
		return -1;
	if (peft_gguf_stages(j, t, &p, &charsmap, err) == 0 &&
	    read_pieces(model, t, &p, err) == 0)
		r = p.unigram ? 0 : read_merges(model, &p, err);
	if (r == 0 && !p.unigram && p.trim)
		r = peft_seterr(err, "tokenizer.json: its normalizer takes "
		    "spaces away, which GGUF cannot tell of this kind");
	if (r == 0 && (r = type_symbols(t, &p, err)) == 0) {
		peft_gguf_put_string(o, "tokenizer.ggml.model", p.unigram ?
		    "t5" : "llama", p.unigram ? 2 : 5);
		peft_gguf_put_string(o, "tokenizer.ggml.pre", "default", 7);
		peft_gguf_put_tokens(t, o);
		put_options(&p, &charsmap, o);
	}
	peft_buf_free(&charsmap);
	free(p.at);
	return r;
}
