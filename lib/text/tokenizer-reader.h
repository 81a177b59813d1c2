/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_READER_H
#define PEFT_TEXT_TOKENIZER_READER_H

#include "math/pool.h"
#include "text/jsonwalk.h"
#include "text/tokenizer-impl.h"

/*
 * model.merges as they are spelt: texts in the file, or copies of those that
 * have escapes.  No token of theirs has been looked up yet, so that they can
 * be read while the vocabulary is.  Start from { 0 }.
 */
struct peft_spelt {
	struct peft_pair_of {
		const char	*a, *b;
		uint32_t	 na, nb;
	}		*at;
	size_t		 n, cap;
	const char	*from, *to;	/* the list in the file; to is NULL if
					 * it could not be read to its end */
	char		*copies;
};

/* The list at w, which is passed; from is NULL before. */
int	peft_spell_merges(struct peft_walk *, struct peft_spelt *)
	    PEFT_MUSTCHECK;

/* "a b", cut at its single space; -1: it has none, or several. */
int	peft_spell_cut(const char *s, size_t n, struct peft_pair_of *)
	    PEFT_MUSTCHECK;
/* The error that says so. */
int	peft_spell_refuse(const char *s, size_t n, struct peft_err *);

/* tokenizer.json on its way. */
struct peft_reader {
	struct peft_walk	 w;
	struct peft_tokenizer	*t;
	struct peft_pool	*pool;
	const char		*copied;	/* so far to rest */
	struct peft_buf		 rest;
	struct peft_spelt	 merges;
	size_t			 prefix;	/* bytes that the second of two
						 * loses when merged */
	struct peft_err		 wrong;		/* in the file, or the rest */
};

/* tokenizer-lists.c: the list at w, of tokens and their ids, of tokens and
 * their scores. */
int	peft_read_vocab(struct peft_reader *) PEFT_MUSTCHECK;
int	peft_read_scored(struct peft_reader *) PEFT_MUSTCHECK;
/* tokenizer-merges.c: what is spelt to t->bpe, while another thread does what
 * is to be done besides (if not NULL).  The vocabulary is there. */
int	peft_find_merges(struct peft_reader *,
	    void (*besides)(struct peft_reader *), struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
