/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_IMPL_H
#define PEFT_TEXT_TOKENIZER_IMPL_H

#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "text/bpe.h"
#include "text/scan.h"
#include "text/tokenizer.h"

/*
 * A tokenizer is a pipeline: added tokens are cut out, the rest is
 * normalised, split into pieces, merged within each, and tokens are put
 * around it.  Each stage is data here, filled in by tokenizer-load.c.
 */
enum { PEFT_MAXSTAGE = 8 };

struct peft_added {
	const char	*text;
	size_t		 len;
	int32_t		 id;
	bool		 lstrip, rstrip, special;
};

/* Normalisers: text put before each piece, one string for another. */
struct peft_normaliser {
	const char	*prepend;		/* NULL: this is a replacement */
	const char	*from, *to;
};

/* Decoders, in the order in which they work on the list of tokens. */
enum peft_decoder_kind {
	PEFT_D_BYTELEVEL, PEFT_D_REPLACE, PEFT_D_BYTEFALLBACK, PEFT_D_FUSE,
	PEFT_D_STRIP
};

struct peft_decoder {
	enum peft_decoder_kind	kind;
	const char		*from, *to;	/* replace; strip: from */
	size_t			 start, stop;	/* strip */
};

struct peft_token_text {
	const char	*text;		/* as in the vocabulary */
	char		*bytes;		/* what it stands for (byte-level) */
	uint32_t	 nbytes;
	bool		 special, added;
};

struct peft_tokenizer {
	cJSON			*json;		/* owns all texts */
	char			 hash[PEFT_SHA256_HEX];
	struct peft_token_text	*tokens;	/* by id */
	size_t			 ntokens;
	struct peft_map		 vocab;		/* by text: id */
	struct peft_map		 pieces;	/* by bytes: id (byte-level) */
	struct peft_bpe		 bpe;
	bool			 byte_level, byte_fallback, fuse_unk;
	bool			 ignore_merges, trim_offsets;
	int32_t			 unk;		/* -1: none */
	int32_t			 byte_id[256];	/* of single bytes, or -1 */

	struct peft_added	*added;		/* longest first */
	size_t			 nadded;
	uint32_t		*bucket[256];	/* indices by first byte, */
	uint32_t		 nbucket[256];	/* longest first */
	struct peft_normaliser	 norm[PEFT_MAXSTAGE];
	size_t			 nnorm;
	peft_scan		*scan[PEFT_MAXSTAGE];
	size_t			 nscan;
	int32_t			*before, *after;	/* post-processor */
	size_t			 nbefore, nafter;
	struct peft_decoder	 decode[PEFT_MAXSTAGE];
	size_t			 ndecode;
	int32_t			 bos, eos, pad, unk_named;
};

/* tokenizer-load.c, tokenizer-stages.c */
int	peft_tokenizer_stages(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_tokenizer_model(struct peft_tokenizer *, const cJSON *model,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_tokenizer_added(struct peft_tokenizer *, const cJSON *added,
	    struct peft_err *) PEFT_MUSTCHECK;

/* GPT-2's printable alphabet for bytes: the character of a byte, and the
 * byte of a character (-1: none). */
unsigned	peft_byte_char(unsigned char);
int		peft_char_byte(unsigned cp);

#endif
