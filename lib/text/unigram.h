/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_UNIGRAM_H
#define PEFT_TEXT_UNIGRAM_H

#include <stdbool.h>

#include "text/trie.h"

/*
 * A unigram language model (Kudo 2018): of all ways to cut a text into
 * tokens, the one whose scores (logarithms of probabilities) have the largest
 * sum.  Of equal sums the one counts that was found first: by where the last
 * token begins, and then by its length, as SentencePiece and Hugging Face
 * tokenizers have it.
 */
struct peft_unigram {
	struct peft_trie	 trie;
	double			*score;		/* by id */
	size_t			 n;
	double			 unk_score;	/* of a character that is no
						 * token */
	int32_t			 unk;		/* its id, -1: none */
};

/* Of the tokens strs[0..n) and their scores.  Takes over `score', also when
 * it fails. */
int	peft_unigram_open(struct peft_unigram *, const struct peft_str *strs,
	    double *score, size_t n, int32_t unk, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_unigram_close(struct peft_unigram *);

/* How a text is cut: the piece that begins at byte i, if one does, ends at
 * path[i].to and is path[path[i].to].id. */
struct peft_path {
	double		score;
	int32_t		id;
	uint32_t	from, to;
};

/* Cut s[0..n), which must be UTF-8: path has n + 1 elements.  Tokens with a
 * bit of `skip' in flags[id] are not used. */
void	peft_unigram_cut(const struct peft_unigram *, const char *s,
	    size_t n, const unsigned char *flags, unsigned char skip,
	    struct peft_path *path);

#endif
