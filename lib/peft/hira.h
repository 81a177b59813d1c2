/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_HIRA_H
#define PEFT_PEFT_HIRA_H

#include "peft/method.h"

/* hira-embedding.c: the parts are hira_embedding_A [r, vocab] and
 * hira_embedding_B [dim, r]; rows are the embedding's, [n, dim]. */
extern const struct peft_hook_ops peft_hira_embedding_hook;
int	peft_hira_embedding_merge(const struct peft_module *, size_t first,
	    size_t n, float weight, float *rows, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
