/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFKEY_H
#define PEFT_TENSOR_GGUFKEY_H

#include <stdbool.h>
#include <stddef.h>

/* What ggufconfig.c and ggufmeta.c share.  Keys with the same meaning in
 * GGUF and in config.json; %s is the architecture. */
struct peft_ggufkey {
	const char	*gguf, *hf;
	char		 type;		/* 'u' whole, 'f' real */
	bool		 required;
};

enum { PEFT_NGGUFKEY = 8 };

extern const struct peft_ggufkey peft_ggufkeys[PEFT_NGGUFKEY];

void	peft_gguf_key(char buf[128], const char *fmt, const char *arch);
/* By how much Llama 3's scaling divides frequency i of n (factor: the lowest
 * ones; low, high, orig: as config.json has them). */
float	peft_rope_divisor(double theta, size_t i, size_t n, double factor,
	    double low, double high, double orig);

#endif
