/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_TOKJSON_H
#define PEFT_TENSOR_TOKJSON_H

#include <math.h>

#include "base/buf.h"
#include "base/lookup.h"
#include "math/pool.h"

/*
 * A tokenizer.json that is made from what another format says.  Its two long
 * lists are kept as they are needed, not as text: who opens the tokenizer
 * takes them from here, and who copies the file has it spelt.
 */
enum { PEFT_TOKJSON_LONGEST = 512 };

struct peft_bpe_merge {		/* ids */
	int32_t	left, right, result;
};

struct peft_tokjson {			/* start from { 0 } */
	struct peft_buf	 text;		/* with null for the lists */
	size_t		 vocab_at, merges_at;	/* where in it; 0: no list */
	struct peft_str	*token;		/* [n] by id, with a NUL behind each;
					 * s NULL: none has that id */
	size_t		 n;
	char		*texts;		/* that they point into, so far used */
	size_t		 used;
	struct peft_lookup known;	/* of all, see _index() */
	double		*score;		/* [n], of Unigram; or NULL */
	/* Merges, best first: those that scores mean; or "left right" as they
	 * are spelt, in bytes that outlive this. */
	float		*rank;		/* [n]: scores, INFINITY: of a token
					 * that takes no part; no other has
					 * more than PEFT_TOKJSON_LONGEST
					 * bytes.  Or NULL */
	struct peft_bpe_merge *merge;	/* those, once they were found */
	struct peft_str	*spelt;
	size_t		 nmerges;	/* of one or the other */
};

/* Room for n tokens of `bytes' bytes in all. */
int	peft_tokjson_open(struct peft_tokjson *, size_t n, size_t bytes,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_tokjson_free(struct peft_tokjson *);
/* The token of an id, each id once: bytes are copied. */
void	peft_tokjson_put(struct peft_tokjson *, size_t id, const char *s,
	    size_t n);
/* The list that comes next in the text is here: null for it. */
void	peft_tokjson_list(struct peft_tokjson *, size_t *at);

/* All tokens are put: none is there twice?  1 if two are the same. */
int	peft_tokjson_index(struct peft_tokjson *, size_t same[2],
	    struct peft_err *) PEFT_MUSTCHECK;

/* tokjson-merges.c: find the merges that scores mean, unless that was done: all
 * ways to make a token of two others, by its score, then by its id and by
 * those of the two.  The tokens are indexed.  pool: or NULL. */
int	peft_tokjson_merges(struct peft_tokjson *, struct peft_pool *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* tokjson-order.c: the n tokens that take part in merges, the best score
 * first, then the least id; NULL with *err set. */
int32_t	*peft_tokjson_order(const struct peft_tokjson *, size_t *n,
	    struct peft_err *) PEFT_MUSTCHECK;
static inline bool
peft_tokjson_part(const struct peft_tokjson *t, size_t id)
{
	return !isinf(t->rank[id]);
}
/* The whole text. */
int	peft_tokjson_spell(struct peft_tokjson *, struct peft_buf *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
