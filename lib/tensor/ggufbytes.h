/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFBYTES_H
#define PEFT_TENSOR_GGUFBYTES_H

#include "tensor/ggufmap.h"
#include "tensor/ggufpre.h"

/* tokenizer.json and tokenizer_config.json of the kinds "gpt2", byte-level
 * BPE, of which `pre' is what tokenizer.ggml.pre names, and "gemma4". */
int	peft_gguf_bytes(const struct peft_gguf *, const struct peft_pre *pre,
	    struct peft_sides *, struct peft_err *) PEFT_MUSTCHECK;

#endif
