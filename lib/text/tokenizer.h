/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_H
#define PEFT_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

/*
 * A tokenizer as tokenizer.json describes it (Hugging Face tokenizers).
 * Immutable once open: any number of threads may use one.
 */
struct peft_tokenizer;

/* tokenizer.json's bytes, and tokenizer_config.json's or NULL (bos_token,
 * eos_token, pad_token, unk_token as strings or {"content":...}). */
struct peft_tokenizer *peft_tokenizer_open(const char *json, size_t len,
		    const char *config, size_t config_len, struct peft_err *)
		    PEFT_MUSTCHECK;
/* The same for a model of config.json's model_type, or NULL: for some of them
 * transformers does not believe tokenizer_config.json's tokenizer_class.  A
 * large one is read by that many threads (0: one a core), with the same
 * result or error. */
struct peft_tokenizer *peft_tokenizer_open_for(const char *model_type,
		    const char *json, size_t len, const char *config,
		    size_t config_len, int threads, struct peft_err *)
		    PEFT_MUSTCHECK;
/* The same of a tokenizer.json in parts, of which some are taken over: what
 * then is left can still be spelt. */
struct peft_tokjson;
struct peft_tokenizer *peft_tokenizer_open_told(const char *model_type,
		    struct peft_tokjson *, const char *config,
		    size_t config_len, int threads, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_tokenizer_close(struct peft_tokenizer *);

struct peft_token {
	int32_t		id;
	uint32_t	begin, end;	/* bytes of the text; begin == end for
					 * what the post-processor adds */
};

struct peft_tokens {		/* start from { 0 } */
	struct peft_token	*at;
	size_t			 n, cap;
	size_t			 lost;	/* bytes of the text for which the
					 * vocabulary has no token, not even
					 * one for the unknown */
};
void		 peft_tokens_free(struct peft_tokens *);

/* Appends to *out.  PEFT_TOK_SPECIAL: run the post-processor (BOS, ...).
 * PEFT_TOK_PLAIN: special tokens spelt out in the text are text. */
enum { PEFT_TOK_SPECIAL = 1, PEFT_TOK_PLAIN = 2 };
int		 peft_tokenizer_encode(const struct peft_tokenizer *,
		    const char *text, size_t len, int flags,
		    struct peft_tokens *out, struct peft_err *) PEFT_MUSTCHECK;
/* The same where some bytes are a user's words: special tokens spelt out with
 * a byte of which mark[i] is 1 are text.  mark: [len]. */
int		 peft_tokenizer_encode_marked(const struct peft_tokenizer *,
		    const char *text, size_t len, const char *mark, int flags,
		    struct peft_tokens *out, struct peft_err *) PEFT_MUSTCHECK;
/* Offsets in characters (code points), as Hugging Face reports them, from
 * the byte offsets of an encode of text (begin/end rewritten in place). */
void		 peft_tokens_to_chars(struct peft_tokens *, const char *text,
		    size_t len);
int		 peft_tokenizer_decode(const struct peft_tokenizer *,
		    const int32_t *ids, size_t n, bool skip_special,
		    struct peft_buf *out, struct peft_err *) PEFT_MUSTCHECK;

size_t		 peft_tokenizer_size(const struct peft_tokenizer *);
/* The token's text as in the vocabulary, or NULL. */
const char	*peft_tokenizer_token(const struct peft_tokenizer *, int32_t);
bool		 peft_tokenizer_is_special(const struct peft_tokenizer *,
		    int32_t);
/* "bos", "eos", "pad", "unk": its id or -1. */
int32_t		 peft_tokenizer_named(const struct peft_tokenizer *,
		    const char *which);
/* How many tokens of n, special ones among them, would be left or there if
 * the file's blocks "truncation" and "padding" were obeyed.  They are not:
 * the caller says it if that differs from n. */
size_t		 peft_tokenizer_batched(const struct peft_tokenizer *,
		    size_t n);
/* sha256 hex of the vocabulary: of "ID TEXT\0" for each id that has a text,
 * in order. */
const char	*peft_tokenizer_hash(const struct peft_tokenizer *);

#endif
