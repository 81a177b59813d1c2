/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_MAPPED_H
#define PEFT_TEXT_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Text on its way to tokens: bytes, valid UTF-8, and for each of them the
 * bytes of the original that it stands for.
 */
struct peft_origin {
	uint32_t	begin, end;
};

struct peft_view {
	const char			*s;
	size_t				 n;
	const struct peft_origin	*from;	/* [n]; NULL: the original */
	uint32_t			 base;	/* itself, from byte base on */
};

/* The part [begin, end) of a view. */
static inline struct peft_view
peft_view_part(const struct peft_view *v, size_t begin, size_t end)
{
	return (struct peft_view){ v->s + begin, end - begin,
	    v->from == NULL ? NULL : v->from + begin,
	    v->base + (uint32_t)begin };
}

/* What the character around byte i stands for. */
struct peft_origin	peft_view_origin(const struct peft_view *, size_t i);

/* Text that was rewritten.  Start from { .limit = ... }. */
struct peft_mapped {
	char			*s;
	struct peft_origin	*from;
	size_t			 n, cap;
	size_t			 limit;	/* bytes; more is an error */
};

void	peft_mapped_free(struct peft_mapped *);
struct peft_view	peft_mapped_view(const struct peft_mapped *);
/* Append bytes that all stand for the same. */
int	peft_mapped_put(struct peft_mapped *, const char *, size_t,
	    struct peft_origin, struct peft_err *) PEFT_MUSTCHECK;
/* Append a part of a view, unchanged. */
int	peft_mapped_copy(struct peft_mapped *, const struct peft_view *,
	    size_t begin, size_t end, struct peft_err *) PEFT_MUSTCHECK;

/*
 * Text character by character: a character takes the place of the next one of
 * the text (0), is put in behind what is before it (1), or takes a place and
 * those of N behind it (-N).
 */
struct peft_changes {			/* start from { 0 } */
	struct peft_change {
		unsigned	cp;
		int		change;
	}		*at;
	size_t		 n, cap;
};

int	peft_changes_put(struct peft_changes *, unsigned cp, int change,
	    struct peft_err *) PEFT_MUSTCHECK;
/* What changes make of a view. */
int	peft_mapped_change(struct peft_mapped *, const struct peft_view *,
	    const struct peft_changes *, struct peft_err *) PEFT_MUSTCHECK;

/*
 * One step of rewriting: normalisers are such steps, and pre-tokenizers may
 * be.  Origins are laid to characters as Hugging Face tokenizers do it.
 */
struct peft_rewrite {
	/* 1 rewritten to *out (which is emptied first), 0 nothing to do */
	int		(*run)(const struct peft_rewrite *,
			    const struct peft_view *, struct peft_mapped *out,
			    struct peft_err *);
	const char	*to;
	struct peft_pattern	*pattern;	/* replace: what */
	struct peft_charsmap	*charsmap;
	/* each: what becomes of a character, up to three others */
	size_t		(*each)(unsigned cp, unsigned to[3]);
	bool		 unless_there;	/* prepend: not before itself, */
	bool		 at_start_only;	/* and only where the text begins */
	bool		 compat, compose;	/* normalisation form */
	bool		 left, right;		/* strip */
};

typedef int peft_rewriter(const struct peft_rewrite *,
	    const struct peft_view *, struct peft_mapped *, struct peft_err *);

peft_rewriter	peft_rewrite_prepend, peft_rewrite_replace;
/* Unicode's normalisation forms C and D, KC and KD. */
peft_rewriter	peft_rewrite_form;
/* Each byte becomes the character that stands for it (GPT-2's alphabet). */
peft_rewriter	peft_rewrite_visible;
/* White space is taken off the ends. */
peft_rewriter	peft_rewrite_strip;
/* SentencePiece's table of replacements. */
peft_rewriter	peft_rewrite_charsmap, peft_rewrite_longest;
/* Character by character. */
peft_rewriter	peft_rewrite_each;

size_t		peft_each_lower(unsigned cp, unsigned to[3]);
/* Without marks: all of them, or those that take no space. */
size_t		peft_each_bare(unsigned cp, unsigned to[3]);
size_t		peft_each_bert_bare(unsigned cp, unsigned to[3]);
/* NMT's and BERT's cleaning; BERT's spaces around Han characters. */
size_t		peft_each_nmt(unsigned cp, unsigned to[3]);
size_t		peft_each_bert_clean(unsigned cp, unsigned to[3]);
size_t		peft_each_bert_han(unsigned cp, unsigned to[3]);

#endif
