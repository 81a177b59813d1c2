/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_JOINS_IMPL_H
#define PEFT_MODEL_JOINS_IMPL_H

#include <stdbool.h>
#include <stddef.h>

struct peft_run;
struct peft_saved;

/* The two places of a layer where a branch is added to the stream. */
enum { PEFT_JOIN_ATTN, PEFT_JOIN_MLP, PEFT_NJOIN };

/* joins.c: what hooks make of a branch b[T, D] that is to be added to the
 * stream x; and back: the gradient of b, in run->djoin or dy itself, given
 * that of x + b times scale; dx += that of x.  (dy may be dx.) */
bool	peft_join_hooked(const struct peft_run *, size_t layer, int join);
void	peft_join(struct peft_run *, size_t layer, int join,
	    struct peft_saved *, const float *x, float *b);
void	peft_join_back(struct peft_run *, size_t layer, int join,
	    struct peft_saved *, const float *x, float *db, float *dx);

/* Are there any at all?  Room for what those of layers l .. end keep. */
bool	peft_joins_hooked(const struct peft_run *);
void	peft_run_join_saved(struct peft_run *, struct peft_saved *, int join,
	    size_t l, size_t end);

#endif
