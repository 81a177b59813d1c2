/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFCONFIG_IMPL_H
#define PEFT_TENSOR_GGUFCONFIG_IMPL_H

#include <stdbool.h>

#include "tensor/ggufmap.h"

/* What config.json and GGUF's metadata say alike; the list ends with a row of
 * NULL.  "%s" is the architecture. */
struct peft_gguf_key {
	const char	*gguf, *hf;
	char		 type;		/* 'u' whole, 'f' real */
	bool		 required;
};
extern const struct peft_gguf_key peft_gguf_keys[];

/* "%s.context_length" for "llama"; buf has room for 128. */
void	peft_gguf_full_key(char *buf, const char *fmt, const char *arch);

/* What Llama 3 divides frequency i of n by (factor: the lowest's). */
float	peft_llama3_divisor(double theta, size_t i, size_t n, double factor,
	    double low, double high, double orig);

#endif
