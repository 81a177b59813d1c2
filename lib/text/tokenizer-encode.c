/* SPDX-License-Identifier: Apache-2.0 */
/* From text to tokens: the pipeline. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-work.h"
#include "text/unicode.h"

void
peft_tokens_free(struct peft_tokens *t)
{
	free(t->at);
	*t = (struct peft_tokens){ 0 };
}

static int split(struct peft_work *, size_t stage, const struct peft_view *);

static int
by_finder(struct peft_work *w, size_t stage, const struct peft_view *v)
{
	struct peft_parts *p = &w->pre[stage].parts;
	struct peft_view piece;
	size_t i;

	if (peft_split(&w->t->pre[stage].finder, v->s, v->n, p, w->err) == -1)
		return -1;
	for (i = 0; i < p->n; i++) {
		if (p->at[i].drop)
			continue;
		piece = peft_view_part(v, p->at[i].begin, p->at[i].end);
		if (split(w, stage + 1, &piece) == -1)
			return -1;
	}
	return 0;
}

static int
by_rewrite(struct peft_work *w, size_t stage, const struct peft_view *v)
{
	const struct peft_rewrite *rewrite = &w->t->pre[stage].rewrite;
	struct peft_view piece;
	int r;

	r = rewrite->run(rewrite, v, &w->pre[stage].text, w->err);
	if (r == -1)
		return -1;
	piece = r == 1 ? peft_mapped_view(&w->pre[stage].text) : *v;
	return split(w, stage + 1, &piece);
}

/* One pre-tokenizer after the other, each within the pieces of the one
 * before. */
static int
split(struct peft_work *w, size_t stage, const struct peft_view *v)
{
	peft_scan *scan;
	struct peft_view piece;
	size_t i, end;
	int r;

	if (stage == w->t->npre)
		return peft_encode_piece(w, v);
	if ((scan = w->t->pre[stage].scan) == NULL)
		return w->t->pre[stage].finder.find != NULL ?
		    by_finder(w, stage, v) : by_rewrite(w, stage, v);
	for (i = 0; i < v->n; i = end) {
		end = scan(v->s, v->n, i);
		piece = peft_view_part(v, i, end);
		r = stage + 1 == w->t->npre ? peft_encode_piece(w, &piece) :
		    split(w, stage + 1, &piece);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* Is the added token at s[at..] taken for text? */
static bool
is_text(const struct peft_work *w, const struct peft_view *v,
    const struct peft_added *a, size_t at)
{
	uint32_t i, begin = v->base + (uint32_t)at;
	uint32_t end = begin + (uint32_t)a->len;

	if (a->special && (w->flags & PEFT_TOK_PLAIN))
		return true;
	if (!a->special || w->mark == NULL)
		return false;
	if (v->from != NULL) {
		begin = v->from[at].begin;
		end = v->from[at + a->len - 1].end;
	}
	for (i = begin; i < end; i++)
		if (w->mark[i])
			return true;
	return false;
}

/* Is there a character of a word before or behind s[begin..end)? */
static bool
in_word(const struct peft_view *v, size_t begin, size_t end)
{
	size_t i = begin, n = v->n;

	if (i > 0) {
		for (i--; i > 0 && (v->s[i] & 0xc0) == 0x80;)
			i--;
		if (peft_is_word(peft_utf8_get(v->s + i, begin - i)))
			return true;
	}
	return end < n && peft_is_word(peft_utf8_get(v->s + end,
	    peft_utf8_len(v->s + end, n - end)));
}

/*
 * Cut added tokens out of a text and do the rest with what is between them.
 * A token that is found but not taken is passed over whole: what begins
 * inside it is not looked for.
 */
static int
cut(struct peft_work *w, const struct peft_added_set *set,
    const struct peft_view *v,
    int (*rest)(struct peft_work *, const struct peft_view *))
{
	size_t at = 0, done = 0, begin, end;
	const struct peft_added *a;
	struct peft_view part;

	while ((a = set->n == 0 ? NULL : peft_added_next(set, v->s, v->n,
	    &at)) != NULL) {
		begin = at;
		end = at += a->len;
		if (is_text(w, v, a, begin) || (a->single_word && in_word(v,
		    begin, end)))
			continue;
		/* it may begin with what the last one has swallowed */
		if (a->lstrip)
			begin = begin > done ? peft_space_before(v->s, done,
			    begin) : done;
		if (a->rstrip)
			end = peft_space_after(v->s, v->n, end);
		if (done < begin) {
			part = peft_view_part(v, done, begin);
			if (rest(w, &part) == -1)
				return -1;
		}
		if (peft_work_put_as_is(w, v, a->id, begin, end) == -1)
			return -1;
		done = end;
	}
	if (done >= v->n)
		return 0;
	part = peft_view_part(v, done, v->n);
	return rest(w, &part);
}

static int
split_all(struct peft_work *w, const struct peft_view *v)
{
	return split(w, 0, v);
}

static int
normalise(struct peft_work *w, const struct peft_view *original)
{
	const struct peft_tokenizer *t = w->t;
	struct peft_view v = *original;
	size_t i, k = 0;
	int r;

	for (i = 0; i < t->nnorm && v.n > 0; i++) {
		r = t->norm[i].run(&t->norm[i], &v, &w->norm[k], w->err);
		if (r == -1)
			return -1;
		if (r == 1) {
			v = peft_mapped_view(&w->norm[k]);
			k ^= 1;
		}
	}
	return v.n == 0 ? 0 : cut(w, &t->normal, &v, split_all);
}

static int
put_all(struct peft_work *w, const int32_t *ids, size_t n, size_t at)
{
	const struct peft_view nowhere = { .n = 0 };
	size_t i;

	for (i = 0; i < n; i++)
		if (peft_work_append(w, &nowhere, ids[i], at, at) == -1)
			return -1;
	return 0;
}

static int
encode(struct peft_work *w, const char *text, size_t len)
{
	const struct peft_tokenizer *t = w->t;
	const struct peft_view v = { text, len, NULL, 0 };
	bool special = (w->flags & PEFT_TOK_SPECIAL) != 0;

	if (special && put_all(w, t->before, t->nbefore, 0) == -1)
		return -1;
	w->from = w->out->n;
	w->trim = t->trim_offsets;
	if (len > 0 && cut(w, &t->raw, &v, t->nnorm + t->normal.n == 0 ?
	    split_all : normalise) == -1)
		return -1;
	return special ? put_all(w, t->after, t->nafter, len) : 0;
}

/* Memory for the stages; no known tokenizer makes more than the limit of a
 * text, but a hostile one may. */
static int
open_work(struct peft_work *w, size_t len)
{
	size_t limit = len > UINT32_MAX / 32 ? UINT32_MAX / 2 :
	    len * 16 + 4096, i;

	w->sym = w->few;
	w->nsym = PEFT_BPE_SHORT;
	w->norm[0].limit = w->norm[1].limit = limit;
	for (i = 0; i < w->t->npre && w->t->pre[i].scan != NULL; i++)
		;
	if (i == w->t->npre)	/* scanners need none */
		return 0;
	w->pre = peft_calloc(w->t->npre, sizeof(*w->pre), w->err);
	for (i = 0; w->pre != NULL && i < w->t->npre; i++)
		w->pre[i].text.limit = limit;
	return w->pre == NULL ? -1 : 0;
}

static void
close_work(struct peft_work *w)
{
	size_t i;

	if (w->sym != w->few)
		free(w->sym);
	free(w->scratch);
	free(w->path);
	for (i = 0; i < 2; i++)
		peft_mapped_free(&w->norm[i]);
	for (i = 0; w->pre != NULL && i < w->t->npre; i++) {
		peft_mapped_free(&w->pre[i].text);
		free(w->pre[i].parts.at);
	}
	free(w->pre);
}

int
peft_tokenizer_encode_marked(const struct peft_tokenizer *t,
    const char *text, size_t len, const char *mark, int flags,
    struct peft_tokens *out, struct peft_err *err)
{
	struct peft_work w = { .t = t, .out = out, .mark = mark,
	    .flags = flags, .text = text, .len = len, .err = err };
	size_t good;
	int r;

	if (len > UINT32_MAX / 4)
		return peft_seterr(err, "a text of %zu bytes", len);
	if ((good = peft_utf8_span(text, len)) < len)
		return peft_seterr(err, "the text is not UTF-8 at byte %zu",
		    good + 1);
	r = open_work(&w, len);
	if (r == 0)
		r = encode(&w, text, len);
	close_work(&w);
	return r;
}

int
peft_tokenizer_encode(const struct peft_tokenizer *t, const char *text,
    size_t len, int flags, struct peft_tokens *out, struct peft_err *err)
{
	return peft_tokenizer_encode_marked(t, text, len, NULL, flags, out,
	    err);
}
