/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_DENSE_H
#define PEFT_PEFT_DENSE_H

#include "peft/method.h"

/*
 * Adapters that are a change D of a linear's weight [out, in], known row by
 * row: y += D drop(x).  D is never whole in memory: a strip of its rows is
 * made, used for all tokens and forgotten, in forward and in backward.
 *
 * Such a method's ops:
 */
struct peft_dense_ops {
	/* Is D of a module a function of the base's rows, too?  (NULL: never;
	 * peft_hook_always) */
	bool	(*base)(const void *module);
	/* delta [n, in] (zero) += rows first .. first+n of D; w: the base's
	 * rows, or NULL.  Called on several threads. */
	void	(*rows)(const struct peft_module *, size_t first, size_t n,
		    const float *w, float *delta);
	/* The parameters' gradients += .., given g [n, in], that of the rows.
	 * Called on one thread; g and w may be overwritten (w is mere room
	 * unless base). */
	void	(*back)(const struct peft_module *, size_t first, size_t n,
		    float *w, float *g);
};

extern const struct peft_hook_ops peft_dense_hook;

/* What ops.base says; a hook's reads(). */
bool	peft_dense_reads(const void *module);

int	peft_dense_merge(const struct peft_module *, enum peft_leaf,
	    size_t first, size_t n, float weight, float *rows,
	    const struct peft_rows *base, struct peft_err *);

#endif
