/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFWORDS_H
#define PEFT_TENSOR_GGUFWORDS_H

#include "tensor/ggufpieces.h"

/*
 * The kind "bert": WordPiece.  GGUF marks tokens that begin a word with
 * U+2581, tokenizer.json those that do not with ##.  Case and accents are
 * always taken away.
 */
int	peft_gguf_words(const struct peft_gguf *, struct peft_sides *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* And back: 1, or 0 when the tokenizer is no WordPiece. */
int	peft_gguf_put_words(const cJSON *tokenizer, const cJSON *config,
	    struct peft_vocab_table *, struct peft_gguf_out *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
