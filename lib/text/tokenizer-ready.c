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

/* Whole tokens are looked up where pieces are words; where a piece is a
 * whole text, the text is cut between words that nothing joins. */
static int
shortcuts(struct peft_tokenizer *t, struct peft_err *err)
{
	unsigned char *whole;
	size_t i;
	int r;

	if (t->affix[0] != NULL || t->affix[1] != NULL)
		return 0;
	if (!t->byte_level)
		return peft_joins_make(t, err);
	if (t->ignore_merges)
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
	int b;

	for (b = 0; b < 256; b++)
		if (peft_lookup_find(&t->vocab, utf8, peft_utf8_put(utf8,
		    peft_byte_char((unsigned char)b))) < 0)
			return false;
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

int
peft_tokenizer_ready(struct peft_tokenizer *t, struct peft_err *err)
{
	if (settle_bytes(t, err) == -1 || (t->model == PEFT_M_BPE &&
	    peft_bpe_index(&t->bpe, err) == -1) ||
	    peft_vocab_bytes(t, err) == -1)
		return -1;
	switch (t->model) {
	case PEFT_M_UNIGRAM:
		return unigram(t, err);
	case PEFT_M_WORDPIECE:
		return wordpiece(t, err);
	case PEFT_M_WORDLEVEL:
		return 0;
	default:
		return shortcuts(t, err);
	}
}
