/* SPDX-License-Identifier: Apache-2.0 */
/* From a piece of text to tokens: look it up, or merge its symbols. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-work.h"

/* Room for n symbols, those that are there kept. */
static int
room(struct peft_work *w, size_t n)
{
	struct peft_symbol *p;

	if (n <= w->nsym)
		return 0;
	n = n * 3 / 2;
	p = realloc(w->sym == w->few ? NULL : w->sym, n * sizeof(*p));
	if (p == NULL)
		return peft_seterr(w->err, "no memory for %zu symbols", n);
	if (w->sym == w->few)
		memcpy(p, w->few, sizeof(w->few));
	w->sym = p;
	w->nsym = n;
	return 0;
}

static int
scratch(struct peft_work *w, size_t n)
{
	uint64_t *p;

	if (n <= PEFT_BPE_SHORT || PEFT_BPE_SCRATCH(n) <= w->nscratch)
		return 0;
	n = PEFT_BPE_SCRATCH(n) * 3 / 2;
	free(w->scratch);
	w->nscratch = 0;
	if ((w->scratch = p = malloc(n * sizeof(*p))) == NULL)
		return peft_seterr(w->err, "no memory to merge %zu symbols",
		    n / PEFT_BPE_SCRATCH(1));
	w->nscratch = n;
	return 0;
}

/* Merge the first n symbols and put them out. */
static int
flush(struct peft_work *w, const struct peft_view *v, size_t n)
{
	size_t i;

	if (scratch(w, n) == -1)
		return -1;
	n = peft_bpe_merge(&w->t->bpe, w->sym, n, w->scratch);
	for (i = 0; i < n; i++)
		if (peft_work_put(w, v, w->sym[i].id, w->sym[i].begin,
		    w->sym[i].end) == -1)
			return -1;
	return 0;
}

/* Symbols of a byte-level piece are its bytes.  What has no token counts as
 * lost; places behind it are nearer to the start then (as they are in
 * Hugging Face tokenizers). */
static int
by_bytes(struct peft_work *w, const struct peft_view *v)
{
	const struct peft_tokenizer *t = w->t;
	uint32_t n = 0;
	int32_t id;
	size_t i;

	if (room(w, v->n) == -1)
		return -1;
	for (i = 0; i < v->n; i++) {
		id = t->byte_id[(unsigned char)v->s[i]];
		if (id < 0 && (id = t->unk) < 0) {
			w->out->lost++;
			continue;
		}
		w->sym[n] = (struct peft_symbol){ id, n, n + 1 };
		n++;
	}
	return flush(w, v, n);
}

/*
 * Symbols of other pieces are characters.  One that is not in the vocabulary
 * is its bytes, if each has a token, or else unknown.  Unknown ones wait for
 * the next known character, so that a run may be fused; bytes do not wake
 * them, and come before them (again as elsewhere).
 */
struct line {
	size_t		n;		/* symbols */
	uint32_t	at;		/* where the next one begins */
	uint32_t	unknown;	/* bytes that wait */
	unsigned	last;		/* known character before, 0: none */
};

/* A character with what was put to it. */
struct affixed {
	const char	*s;
	size_t		 n;
	char		 buf[2 * PEFT_MAXAFFIX + 8];
};

static int
add(struct peft_work *w, struct line *l, int32_t id, uint32_t len)
{
	if (room(w, l->n + 1) == -1)
		return -1;
	w->sym[l->n++] = (struct peft_symbol){ id, l->at, l->at + len };
	l->at += len;
	return 0;
}

static int
wake(struct peft_work *w, struct line *l)
{
	uint32_t len = l->unknown;

	l->unknown = 0;
	return len == 0 ? 0 : add(w, l, w->t->unk, len);
}

static int
stranger(struct peft_work *w, struct line *l, const struct affixed *a,
    uint32_t len)
{
	const struct peft_tokenizer *t = w->t;
	const unsigned char *s = (const unsigned char *)a->s;
	size_t i;

	l->last = 0;
	for (i = 0; i < a->n && t->byte_id[s[i]] >= 0; i++)
		;
	if (i == a->n) {
		for (i = 0; i < a->n; i++)
			if (add(w, l, t->byte_id[s[i]], 1) == -1)
				return -1;
		return 0;
	}
	if (t->unk < 0) {
		w->out->lost += len;
		return 0;
	}
	if (!t->fuse_unk && wake(w, l) == -1)
		return -1;
	l->unknown += len;
	return 0;
}

/* The symbol for the character a, to which is put what goes to those within
 * a word and to the last: -1 if there is none. */
static int32_t
symbol(const struct peft_tokenizer *t, size_t len, bool within, bool at_end,
    struct affixed *a)
{
	const char *before = within ? t->affix[0] : NULL;
	const char *behind = at_end ? t->affix[1] : NULL;
	size_t nbefore = before == NULL ? 0 : strlen(before);
	size_t nbehind = behind == NULL ? 0 : strlen(behind);

	if (nbefore + nbehind > 0) {
		memcpy(a->buf, before == NULL ? "" : before, nbefore);
		memcpy(a->buf + nbefore, a->s, len);
		memcpy(a->buf + nbefore + len, behind == NULL ? "" : behind,
		    nbehind);
		a->s = a->buf;
		a->n = nbefore + len + nbehind;
	}
	return peft_lookup_find(&t->vocab, a->s, a->n);
}

static int
by_characters(struct peft_work *w, const struct peft_view *v)
{
	struct line l = { 0 };
	bool plain = w->t->affix[0] == NULL && w->t->affix[1] == NULL;
	struct affixed a;
	unsigned cp;
	size_t i, len;
	int32_t id;

	for (i = 0; i < v->n; i += len) {
		len = peft_utf8_len(v->s + i, v->n - i);
		a.s = v->s + i;
		a.n = len;
		id = plain ? peft_lookup_find(&w->t->vocab, a.s, len) :
		    symbol(w->t, len, i > 0, i + len == v->n, &a);
		if (id < 0) {
			if (stranger(w, &l, &a, (uint32_t)len) == -1)
				return -1;
			continue;
		}
		cp = peft_utf8_get(v->s + i, len);
		if (wake(w, &l) == -1)
			return -1;
		if (l.last != 0 && !peft_joins(w->t, l.last, cp)) {
			if (flush(w, v, l.n) == -1)
				return -1;
			l.n = 0;
		}
		if (add(w, &l, id, (uint32_t)len) == -1)
			return -1;
		l.last = cp;
	}
	return wake(w, &l) == -1 ? -1 : flush(w, v, l.n);
}

int
peft_encode_piece(struct peft_work *w, const struct peft_view *v)
{
	const struct peft_tokenizer *t = w->t;
	int32_t id;

	/* neither is set but by BPE */
	if (v->n <= t->longest && (t->byte_level || t->ignore_merges)) {
		id = peft_lookup_find(&t->pieces, v->s, v->n);
		if (id >= 0 && (t->ignore_merges ||
		    (t->flags[id] & PEFT_T_WHOLE)) && !(t->flags[id] &
		    peft_work_barred(w)))
			return peft_work_put(w, v, id, 0, v->n);
	}
	if (t->byte_level)
		return by_bytes(w, v);
	switch (t->model) {
	case PEFT_M_UNIGRAM:
		return peft_encode_unigram(w, v);
	case PEFT_M_WORDPIECE:
		return peft_encode_wordpiece(w, v);
	case PEFT_M_WORDLEVEL:
		return peft_encode_wordlevel(w, v);
	default:
		return by_characters(w, v);
	}
}
