/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SPM_H
#define PEFT_TENSOR_SPM_H

#include "tensor/pieces.h"

/* Read SentencePiece's tokenizer.model (a protocol buffer, ModelProto of
 * sentencepiece_model.proto).  What is read points into data; p->at is the
 * caller's to free, also on failure. */
int	peft_spm_read(struct peft_pieces *, const void *data, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
