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
struct peft_view	peft_view_part(const struct peft_view *, size_t begin,
			    size_t end);
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
 * One step of rewriting: normalisers are such steps, and pre-tokenizers may
 * be.  Origins are laid to characters as Hugging Face tokenizers do it.
 */
struct peft_rewrite {
	/* 1 rewritten to *out (which is emptied first), 0 nothing to do */
	int		(*run)(const struct peft_rewrite *,
			    const struct peft_view *, struct peft_mapped *out,
			    struct peft_err *);
	const char	*from, *to;
	bool		 unless_there;	/* prepend: not before itself, */
	bool		 at_start_only;	/* and only where the text begins */
};

int	peft_rewrite_prepend(const struct peft_rewrite *,
	    const struct peft_view *, struct peft_mapped *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_rewrite_replace(const struct peft_rewrite *,
	    const struct peft_view *, struct peft_mapped *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Each byte becomes the character that stands for it (GPT-2's alphabet). */
int	peft_rewrite_visible(const struct peft_rewrite *,
	    const struct peft_view *, struct peft_mapped *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_rewrite_nfc(const struct peft_rewrite *,
	    const struct peft_view *, struct peft_mapped *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
