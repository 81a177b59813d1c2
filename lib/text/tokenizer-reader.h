/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_READER_H
#define PEFT_TEXT_TOKENIZER_READER_H

#include "text/jsonwalk.h"
#include "text/tokenizer-impl.h"

/* tokenizer.json on its way. */
struct peft_reader {
	struct peft_walk	 w;
	struct peft_tokenizer	*t;
	const char		*copied;	/* so far to rest */
	struct peft_buf		 rest;
	char			*key;		/* of some merges */
	char			*whole;		/* what one makes */
	const char		*merges;	/* where they are, once seen */
	size_t			 prefix;	/* bytes that the second of two
						 * loses when merged */
};

/* tokenizer-lists.c, tokenizer-merges.c: the list at w, of tokens and their
 * ids, of tokens and their scores, of merges. */
int	peft_read_vocab(struct peft_reader *) PEFT_MUSTCHECK;
int	peft_read_scored(struct peft_reader *) PEFT_MUSTCHECK;
int	peft_read_merges(struct peft_reader *) PEFT_MUSTCHECK;

#endif
