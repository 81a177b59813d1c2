/* SPDX-License-Identifier: Apache-2.0 */
/* From a piece of text to tokens, by models other than BPE. */

#include <stdlib.h>

#include "text/tokenizer-work.h"

/* All of a piece that is no token: the unknown one, or nothing. */
static int
put_unknown(struct peft_work *w, const struct peft_view *v, size_t begin,
    size_t end)
{
	if (w->t->unk >= 0)
		return w->t->model == PEFT_M_UNIGRAM ? peft_work_put_as_is(w,
		    v, w->t->unk, begin, end) : peft_work_put(w, v, w->t->unk,
		    begin, end);
	w->out->lost += end - begin;
	return 0;
}

/* A run of unknown characters is a token if it happens to be one, or its
 * bytes, if each has a token, or else unknown. */
static int
put_strangers(struct peft_work *w, const struct peft_view *v, size_t begin,
    size_t end)
{
	const struct peft_tokenizer *t = w->t;
	const unsigned char *s = (const unsigned char *)v->s;
	int32_t id = peft_lookup_find(&t->vocab, v->s + begin, end - begin);
	size_t i;

	if (id >= 0 && !(t->flags[id] & peft_work_barred(w)))
		return peft_work_put(w, v, id, begin, end);
	for (i = begin; i < end && t->byte_id[s[i]] >= 0; i++)
		;
	if (i < end)
		return put_unknown(w, v, begin, end);
	for (i = begin; i < end; i++)
		if (peft_work_put(w, v, t->byte_id[s[i]], begin, end) == -1)
			return -1;
	return 0;
}

static int
room(struct peft_work *w, size_t n)
{
	struct peft_path *p;

	if (n <= w->npath)
		return 0;
	n = n * 3 / 2 + 64;
	free(w->path);
	w->npath = 0;
	if ((w->path = p = malloc(n * sizeof(*p))) == NULL)
		return peft_seterr(w->err, "no memory for a piece of %zu "
		    "bytes", n);
	w->npath = n;
	return 0;
}

int
peft_encode_unigram(struct peft_work *w, const struct peft_view *v)
{
	const struct peft_unigram *u = &w->t->unigram;
	size_t i, end, strange = 0;	/* bytes before i that are unknown */

	if (room(w, v->n + 1) == -1)
		return -1;
	peft_unigram_cut(u, v->s, v->n, w->t->flags, peft_work_barred(w),
	    w->path);
	for (i = 0; i < v->n; i = end) {
		end = w->path[i].to;
		if (w->path[end].id == u->unk) {
			strange += end - i;
			continue;
		}
		if (strange > 0 && put_strangers(w, v, i - strange, i) == -1)
			return -1;
		strange = 0;
		if (peft_work_put(w, v, w->path[end].id, i, end) == -1)
			return -1;
	}
	return strange > 0 ? put_strangers(w, v, v->n - strange, v->n) : 0;
}

static size_t
characters(const char *s, size_t n)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		count += (s[i] & 0xc0) != 0x80;
	return count;
}

/* The longest token that begins at byte i: its id, or -1, and its end. */
static int32_t
longest(const struct peft_work *w, const struct peft_view *v, size_t i,
    size_t *end)
{
	const struct peft_trie *words = &w->t->words;
	uint32_t node = i == 0 ? 0 : w->t->inside;
	unsigned char barred = peft_work_barred(w);
	int32_t best = -1, id;

	for (; i < v->n && node != PEFT_NOWHERE; i++) {
		node = peft_trie_step(words, node, (unsigned char)v->s[i]);
		if (node != PEFT_NOWHERE && (id = words->at[node].id) >= 0 &&
		    !(w->t->flags[id] & barred)) {
			best = id;
			*end = i + 1;
		}
	}
	return best;
}

/* Word by word the longest token; a word that cannot be covered is unknown
 * as a whole. */
int
peft_encode_wordpiece(struct peft_work *w, const struct peft_view *v)
{
	size_t n = w->out->n, i, end = 0;
	int32_t id;

	if (characters(v->s, v->n) > w->t->longest_word)
		return put_unknown(w, v, 0, v->n);
	for (i = 0; i < v->n; i = end) {
		if ((id = longest(w, v, i, &end)) < 0) {
			w->out->n = n;
			return put_unknown(w, v, 0, v->n);
		}
		if (peft_work_put(w, v, id, i, end) == -1)
			return -1;
	}
	return 0;
}

int
peft_encode_wordlevel(struct peft_work *w, const struct peft_view *v)
{
	int32_t id = peft_lookup_find(&w->t->vocab, v->s, v->n);

	if (id < 0 || (w->t->flags[id] & peft_work_barred(w)))
		return put_unknown(w, v, 0, v->n);
	return peft_work_put(w, v, id, 0, v->n);
}
