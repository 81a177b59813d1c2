/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_PIECES_H
#define PEFT_TENSOR_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "tensor/tokjson.h"

/*
 * A vocabulary as SentencePiece has it: pieces with scores and kinds, and how
 * a text is made ready for it.  It comes from a tokenizer.model or from a
 * GGUF's metadata, and is told in tokenizer.json.
 */
enum peft_piece_type {		/* the numbers of both containers */
	PEFT_P_NORMAL = 1, PEFT_P_UNKNOWN, PEFT_P_CONTROL, PEFT_P_USER,
	PEFT_P_UNUSED, PEFT_P_BYTE
};

struct peft_piece {
	const char	*s;		/* not NUL-terminated */
	size_t		 len;
	float		 score;
	int		 type;
};

struct peft_pieces {
	struct peft_piece	*at;
	size_t			 n, cap;
	bool			 are_text;	/* it is known that they are
						 * UTF-8 without NUL */
	const char		*what;		/* "tokenizer.model", for errors */
	bool			 unigram;	/* else pairs are merged */
	bool			 byte_fallback;
	bool			 prefix;	/* a space before the text */
	bool			 trim;		/* one space between words,
						 * none around them */
	bool			 spaces;	/* stay, no U+2581 for them */
	/* User-defined symbols are found in the normalised text, and what is
	 * behind them goes on without a prefix, as SentencePiece has it; else
	 * they are added tokens, as others have it. */
	bool			 inline_symbols;
	const uint8_t		*charsmap;	/* precompiled, or NULL */
	size_t			 ncharsmap;
	size_t			 unk, bos, eos, pad;	/* or PEFT_NOPIECE */
	bool			 bos_first, eos_last;
};
#define PEFT_NOPIECE	SIZE_MAX

/* pieces-check.c: the lists that they are, but for unused ones at the end.
 * Are they UTF-8 without NUL, of finite scores and none there twice? */
int	peft_pieces_lists(const struct peft_pieces *, struct peft_tokjson *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* tokenizer.json; tokenizer_config.json's text, appended.  The pieces are
 * checked; *told is to be freed also on failure. */
int	peft_pieces_tokenizer(const struct peft_pieces *, struct peft_tokjson *,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_pieces_config(const struct peft_pieces *, struct peft_buf *);

#endif
