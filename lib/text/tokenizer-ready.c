/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that encoding needs, once all that they are made of is there. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-impl.h"

/* Symbols that are there before any merge: bytes or characters. */
static void
set_atoms(struct peft_tokenizer *t)
{
	int b;

	for (b = 0; b < 256; b++)
		if (t->byte_id[b] >= 0)
			t->flags[t->byte_id[b]] |= PEFT_T_WHOLE;
}

/* Where a piece is a whole text, it is cut between words that nothing
 * joins. */
static int
joins(struct peft_tokenizer *t, struct peft_err *err)
{
	return t->model == PEFT_M_BPE && !t->byte_level && t->affix[0] ==
	    NULL && t->affix[1] == NULL ? peft_joins_make(t, err) : 0;
}

/* Whole tokens are looked up where pieces are words. */
static int
wholes(struct peft_tokenizer *t, struct peft_err *err)
{
	unsigned char *whole;
	size_t i;
	int r;

	if (!t->byte_level || t->ignore_merges)
		return 0;
	if ((whole = peft_calloc(t->ntokens, 1, err)) == NULL)
		return -1;
	set_atoms(t);
	for (i = 0; i < t->ntokens; i++)
		whole[i] = t->flags[i] & PEFT_T_WHOLE;
	r = peft_bpe_whole(&t->bpe, whole, t->ntokens, err);
	for (i = 0; r == 0 && i < t->ntokens; i++)
		t->flags[i] |= whole[i] ? PEFT_T_WHOLE : 0;
	free(whole);
	return r;
}

/* Has each byte a token, by the character that stands for it? */
static bool
has_all_bytes(const struct peft_tokenizer *t)
{
	char utf8[16];		/* 4, were gcc not sure that 9 are read */
	size_t n;
	int b;

	for (b = 0; b < 256; b++) {
		n = peft_utf8_put(utf8, peft_byte_char((unsigned char)b));
		if (peft_lookup_find(&t->vocab, utf8, n) < 0)
			return false;
	}
	return true;
}

/* Byte-pair merges with nothing put to the symbols take bytes as they are;
 * others, and those that do something about bytes without a token, are given
 * the characters that stand for them. */
static int
settle_bytes(struct peft_tokenizer *t, struct peft_err *err)
{
	t->byte_level = t->to_bytes && t->model == PEFT_M_BPE &&
	    t->affix[0] == NULL && t->affix[1] == NULL &&
	    ((t->unk < 0 && !t->byte_fallback) || has_all_bytes(t));
	if (t->to_bytes && !t->byte_level && peft_pre_visible(t,
	    err) == -1)
		return -1;
	t->to_bytes = false;
	return 0;
}

static int
unigram(struct peft_tokenizer *t, struct peft_err *err)
{
	double *score = t->score;

	if (t->model != PEFT_M_UNIGRAM)
		return 0;
	t->score = NULL;
	/* ids of added tokens may lie behind the model's */
	return peft_unigram_open(&t->unigram, t->text, score, t->nvocab,
	    t->unk, err);
}

/* Of the model's own tokens, not of added ones. */
static int
wordpiece(struct peft_tokenizer *t, struct peft_err *err)
{
	struct peft_str *own = peft_calloc(t->ntokens, sizeof(*own), err);
	const char *p = t->affix[0];
	size_t i;
	int r;

	if (own == NULL)
		return -1;
	for (i = 0; i < t->ntokens; i++)
		if (t->flags[i] & PEFT_T_VOCAB)
			own[i] = t->text[i];
	r = peft_trie_open(&t->words, own, t->ntokens, err);
	free(own);
	if (r == -1)
		return -1;
	for (t->inside = 0; p != NULL && *p != '\0' &&
	    t->inside != PEFT_NOWHERE; p++)
		t->inside = peft_trie_step(&t->words, t->inside,
		    (unsigned char)*p);
	return 0;
}

static int
index_merges(struct peft_tokenizer *t, struct peft_err *err)
{
	return t->model == PEFT_M_BPE ? peft_bpe_index(&t->bpe, err) : 0;
}

/* Returns what is behind the digits. */
static char *
put_number(char *p, size_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

/* The vocabulary's meaning, whatever file it comes from: GGUF's metadata and
 * the tokenizer.json they were made from hash alike. */
static int
hash_vocabulary(struct peft_tokenizer *t, struct peft_err *err)
{
	enum { NUMBER = 24 };
	char some[4096], *const end = some + sizeof(some) - NUMBER, *p = some;
	struct peft_sha256 sha;
	size_t i;

	(void)err;
	peft_sha256_init(&sha);
	for (i = 0; i < t->ntokens; i++) {
		const struct peft_str *text = &t->text[i];

		if (text->s == NULL)
			continue;
		p = put_number(p, i);
		*p++ = ' ';
		if (p < end && text->n < (size_t)(end - p)) {
			memcpy(p, text->s, text->n + 1);
			p += text->n + 1;
			continue;
		}
		peft_sha256_add(&sha, some, (size_t)(p - some));
		peft_sha256_add(&sha, text->s, text->n + 1);
		p = some;
	}
	peft_sha256_add(&sha, some, (size_t)(p - some));
	peft_sha256_hex(&sha, t->hash);
	return 0;
}

/* Tables of which none needs another: they are made at once. */
static int (*const tables[])(struct peft_tokenizer *, struct peft_err *) = {
	unigram, joins, index_merges, hash_vocabulary, peft_vocab_bytes
};
enum { NTABLE = sizeof(tables) / sizeof(tables[0]) };

struct making {
	struct peft_tokenizer	*t;
	int			 status[NTABLE];
	struct peft_err		 err[NTABLE];
};

static void
make(void *ctx, size_t task, int thread)
{
	struct making *m = ctx;

	(void)thread;
	m->status[task] = tables[task](m->t, &m->err[task]);
}

static int
make_tables(struct peft_tokenizer *t, struct peft_pool *pool,
    struct peft_err *err)
{
	struct making m = { .t = t };
	size_t i;

	peft_pool_run(pool, NTABLE, make, &m);
	for (i = 0; i < NTABLE; i++)
		if (m.status[i] == -1) {
			*err = m.err[i];
			return -1;
		}
	return 0;
}

int
peft_tokenizer_ready(struct peft_tokenizer *t, struct peft_pool *pool,
    struct peft_err *err)
{
	if (settle_bytes(t, err) == -1 || make_tables(t, pool, err) == -1)
		return -1;
	switch (t->model) {
	case PEFT_M_WORDPIECE:
		return wordpiece(t, err);
	case PEFT_M_UNIGRAM:
	case PEFT_M_WORDLEVEL:
		return 0;
	default:
		return wholes(t, err);
	}
}
