/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFPRE_H
#define PEFT_TENSOR_GGUFPRE_H

#include <stdbool.h>
#include <stddef.h>

/* The kinds of pre-tokenizer that GGUF names in tokenizer.ggml.pre, and what
 * tokenizer.json says for them: one table row each. */
struct peft_pre {
	const char	*name;		/* GGUF's */
	const char	*json;		/* pre_tokenizer */
	const char	*normalizer;
	bool		 ignore_merges;
	bool		 add_bos;	/* unless the file says otherwise */
};

const struct peft_pre *peft_pre_of_gguf(const char *name, size_t len);
/* Of the kind "gemma4", whose symbols are characters, U+2581 for a space, and
 * the bytes of what has no token; it is not written. */
const struct peft_pre *peft_pre_of_chars(void);
/* By what distinguishes them: the compact JSON of pre_tokenizer and of
 * normalizer ("null": none), and model.ignore_merges. */
const struct peft_pre *peft_pre_of_json(const char *json,
	    const char *normalizer, bool ignore_merges);

#endif
