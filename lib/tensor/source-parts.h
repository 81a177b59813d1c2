/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SOURCE_PARTS_H
#define PEFT_TENSOR_SOURCE_PARTS_H

#include "tensor/gguf.h"
#include "tensor/source-impl.h"

/*
 * GGUF in several files, as llama-gguf-split writes them: NAME-00001-of-
 * 00003.gguf and so on.  Each says which of how many it is (split.no, from
 * 0; split.count) and how many tensors there are in all
 * (split.tensors.count); the first has all other metadata.
 */
struct peft_gguf_part {
	struct peft_gguf	g;
	size_t			file;
};

/* The parts, in order, of the model that a file (of the source's list, any
 * of the parts) belongs to; one for a model in one file.  malloc'd, each
 * to be freed with peft_gguf_free(). */
struct peft_gguf_part *peft_parts_open(struct peft_source *, size_t file,
	    size_t *n, struct peft_err *) PEFT_MUSTCHECK;

#endif
