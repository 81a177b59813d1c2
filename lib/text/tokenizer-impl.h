/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_IMPL_H
#define PEFT_TEXT_TOKENIZER_IMPL_H

#include "base/hash.h"
#include "base/json.h"
#include "math/pool.h"
#include "text/added.h"
#include "text/bpe.h"
#include "base/lookup.h"
#include "text/mapped.h"
#include "text/pattern.h"
#include "text/scan.h"
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/unigram.h"

/*
 * A tokenizer is a pipeline: added tokens are cut out, the rest is
 * normalised, more added tokens are cut out of that, the rest is split into
 * pieces, merged within each, and tokens are put around it.  Each stage is
 * data here, filled in when tokenizer.json is read.
 */
enum { PEFT_MAXSTAGE = 32, PEFT_MAXVOCAB = 1 << 22, PEFT_MAXADDED = 1024,
    PEFT_MAXAFFIX = 64 };

/* A pre-tokenizer splits by a scanner, or by what it finds, or rewrites each
 * piece: one of the three is set. */
struct peft_pre_stage {
	peft_scan		*scan;
	struct peft_finder	 finder;
	struct peft_rewrite	 rewrite;
};

/* Decoders, in the order in which they work on the list of tokens. */
enum peft_decoder_kind {
	PEFT_D_BYTELEVEL, PEFT_D_REPLACE, PEFT_D_BYTEFALLBACK, PEFT_D_FUSE,
	PEFT_D_STRIP, PEFT_D_METASPACE, PEFT_D_WORDPIECE, PEFT_D_BPE,
	PEFT_D_CTC
};

struct peft_decoder {
	enum peft_decoder_kind	kind;
	struct peft_pattern	*pattern;	/* replace: what, by to */
	const char		*from, *to;	/* what others look for, and
						 * CTC's space */
	size_t			 start, stop;	/* strip */
	bool			 keep_first;	/* metaspace: no prefix was
						 * put before the text */
	bool			 clean;		/* spaces before marks go */
};

enum peft_model {
	PEFT_M_BPE, PEFT_M_UNIGRAM, PEFT_M_WORDPIECE, PEFT_M_WORDLEVEL
};

enum {				/* flags of tokens */
	PEFT_T_WHOLE = 1,	/* merging its text gives it back */
	PEFT_T_VOCAB = 2,	/* in model.vocab */
	PEFT_T_ADDED = 4, PEFT_T_SPECIAL = 8,
	PEFT_T_NORMAL = 16	/* normalisers make another text of it */
};

struct peft_tokenizer {
	char			 hash[PEFT_SHA256_HEX];
	cJSON			*json;		/* all but the two big lists */
	cJSON			*class;		/* stages from the class, see
						 * tokenizer-class.c; or NULL */

	/* The vocabulary.  text: as in the file; bytes: what it stands for,
	 * not the same in byte-level vocabularies. */
	char			*arena, *byte_arena;
	struct peft_str		*text, *bytes;	/* by id */
	unsigned char		*flags;
	size_t			 ntokens, cap;
	struct peft_lookup	 vocab;		/* model.vocab, by text */
	struct peft_lookup	 pieces;	/* ... by bytes */
	size_t			 longest;	/* bytes of the longest text */
	size_t			 nvocab;	/* in model.vocab */
	bool			 has_vocab, has_merges;
	double			*score;		/* until the model has them */
	size_t			 score_cap;

	enum peft_model		 model;
	struct peft_bpe		 bpe;
	struct peft_unigram	 unigram;
	struct peft_trie	 words;		/* WordPiece; the node behind */
	uint32_t		 inside;	/* the prefix of what goes on */
	size_t			 longest_word;	/* characters; more: unknown */
	const char		*affix[2];	/* of characters within and at
						 * the end of words, or NULL */
	/* Pieces are cut as bytes for a byte-level vocabulary: to_bytes until
	 * the model says whether it takes them as they are (byte_level). */
	bool			 to_bytes, byte_level;
	bool			 byte_fallback, fuse_unk, ignore_merges;
	int32_t			 unk;		/* -1: none */
	int32_t			 byte_id[256];	/* of single bytes, or -1 */
	uint64_t		*joins;		/* see tokenizer-joins.c */

	struct peft_added_set	 raw, normal;	/* cut out before and after
						 * the normalisers */
	struct peft_rewrite	 norm[PEFT_MAXSTAGE];
	size_t			 nnorm;
	struct peft_pre_stage	 pre[PEFT_MAXSTAGE];
	size_t			 npre;
	bool			 trim_offsets, trim_keeps_first;
	int32_t			*before, *after;	/* post-processor */
	size_t			 nbefore, nafter;
	struct peft_decoder	 decode[PEFT_MAXSTAGE];
	size_t			 ndecode;
	/* What batches would be cut to and filled up to. */
	size_t			 most, least, multiple;
	int32_t			 bos, eos, pad, unk_named;
};

/* tokenizer-json.c: read the vocabulary, the merges, and into t->json the
 * rest, where null stands for them. */
int	peft_tokenizer_read(struct peft_tokenizer *, const char *json,
	    size_t len, struct peft_pool *, struct peft_err *) PEFT_MUSTCHECK;
/* tokenizer-told.c: the same of one that is told. */
int	peft_tokenizer_take(struct peft_tokenizer *, struct peft_tokjson *,
	    struct peft_pool *, struct peft_err *) PEFT_MUSTCHECK;
/* tokenizer-vocab.c: room for ids below n; a token read; all are read. */
int	peft_vocab_reserve(struct peft_tokenizer *, size_t n,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_vocab_add(struct peft_tokenizer *, const char *s, size_t n,
	    size_t id, struct peft_err *) PEFT_MUSTCHECK;
int	peft_vocab_index(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Bytes of tokens, ids of bytes, once all tokens are there and it is known
 * whether they are byte-level. */
int	peft_vocab_bytes(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* tokenizer-class.c: what tokenizer_config.json's tokenizer_class says about
 * the stages. */
int	peft_tokenizer_class(struct peft_tokenizer *, const cJSON *config,
	    const char *model_type, struct peft_err *) PEFT_MUSTCHECK;
/* tokenizer-front.c: append what to_bytes asks for, visible characters. */
int	peft_pre_visible(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* tokenizer-norm.c, tokenizer-front.c, tokenizer-back.c */
int	peft_tokenizer_norm(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;		/* normalizer */
int	peft_tokenizer_front(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;		/* pre_tokenizer */
int	peft_tokenizer_back(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;		/* post_processor */
/* tokenizer-decoders.c */
int	peft_tokenizer_decoder(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* tokenizer-model.c: the model's options */
int	peft_tokenizer_model(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* tokenizer-ready.c: make the tables that encoding needs.  The vocabulary
 * (peft_vocab_add, peft_vocab_index), bpe.merge or score, the model, its
 * options, the stages before it and the flags of special tokens are there,
 * wherever they came from. */
int	peft_tokenizer_ready(struct peft_tokenizer *, struct peft_pool *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* tokenizer-added.c */
int	peft_tokenizer_added(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* tokenizer-joins.c */
int	peft_joins_make(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* May some merge join two texts, of which one ends with character a and one
 * begins with b? */
bool	peft_joins(const struct peft_tokenizer *, unsigned a, unsigned b);

/* tokenizer-batch.c */
int	peft_tokenizer_batch(struct peft_tokenizer *, struct peft_err *)
	    PEFT_MUSTCHECK;		/* truncation, padding */

/* GPT-2's printable alphabet for bytes. */
unsigned peft_byte_char(unsigned char byte);
/* The byte of a token <0xNN>, or -1. */
int	peft_fallback_byte(const char *s, size_t n);

#endif
