/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SPM_H
#define PEFT_TENSOR_SPM_H

#include "tensor/pieces.h"

/* Read SentencePiece's tokenizer.model (a protocol buffer, ModelProto of
 * sentencepiece_model.proto).  What is read points into data; p->at is the
 * caller's to free, also on failure. */
int	peft_spm_read(struct peft_pieces *, const void *data, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Symbols as they are typed, with spaces for U+2581, to be looked for in the
 * text as it comes.  The texts are kept in *arena, the caller's to free. */
int	peft_spm_type(struct peft_pieces *, char **arena, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
