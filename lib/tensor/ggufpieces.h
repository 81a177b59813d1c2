/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFPIECES_H
#define PEFT_TENSOR_GGUFPIECES_H

#include "base/json.h"
#include "tensor/ggufmap.h"

/* tokenizer.json and tokenizer_config.json of the kinds "llama" and "t5",
 * whose tokens are SentencePiece's pieces, UTF-8 without NUL. */
int	peft_gguf_pieces(const struct peft_gguf *, bool t5,
	    struct peft_sides *, struct peft_err *) PEFT_MUSTCHECK;

/* And back.  What of a tokenizer.json is SentencePiece's in another form:
 * tokenizer.ggml.model, .pre, .tokens, .token_type, .scores and how a text is
 * made ready are put.  Tokens by id; text NULL: unused. */
struct peft_vocab_table {
	const char	**text;
	unsigned char	 *type;		/* NORMAL, CONTROL or USER; changed */
	size_t		  n;
	char		 *typed;	/* texts that were changed, or NULL */
};
int	peft_gguf_put_pieces(const cJSON *tokenizer,
	    struct peft_vocab_table *, struct peft_gguf_out *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* ggufstages.c: the normalizer and the pre_tokenizer of tokenizer.json, whose
 * symbols are marked in the table. */
struct peft_pieces;
int	peft_gguf_stages(const cJSON *tokenizer, struct peft_vocab_table *,
	    struct peft_pieces *, struct peft_buf *charsmap,
	    struct peft_err *) PEFT_MUSTCHECK;
/* ggufvocab-write.c: tokens and their types. */
void	peft_gguf_put_tokens(const struct peft_vocab_table *,
	    struct peft_gguf_out *);

#endif
