/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_QUANTCFG_IMPL_H
#define PEFT_TENSOR_QUANTCFG_IMPL_H

#include "base/json.h"
#include "tensor/quantcfg.h"

/* What the readers of quantization_config share. */

/* A string that must be one of those words, in any case: 1, 0 absent, -1. */
int	peft_quantcfg_word(const cJSON *, const char *key,
	    const char *const *words, size_t *which, struct peft_err *)
	    PEFT_MUSTCHECK;
/* A list of two sizes: 1, 0 absent, -1. */
int	peft_quantcfg_pair(const cJSON *, const char *key, size_t pair[2],
	    struct peft_err *) PEFT_MUSTCHECK;

/* quantcfg-ct.c */
int	peft_quantcfg_read_ct(struct peft_quantcfg *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
