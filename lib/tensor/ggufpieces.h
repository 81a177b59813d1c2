/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFPIECES_H
#define PEFT_TENSOR_GGUFPIECES_H

#include "tensor/ggufmap.h"

/* tokenizer.json and tokenizer_config.json of the kinds "llama" and "t5",
 * whose tokens are SentencePiece's pieces. */
int	peft_gguf_pieces(const struct peft_gguf *, bool t5,
	    struct peft_sides *, struct peft_err *) PEFT_MUSTCHECK;

#endif
