/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MERGE_RESIDUAL_H
#define PEFT_MERGE_RESIDUAL_H

#include <stddef.h>

#include "base/err.h"
#include "quant/sink.h"
#include "tensor/source.h"

/*
 * An adapter that takes up what quantising loses (LoftQ, Li et al. 2023): for
 * a weight W, Q = quantised(W - B A) and B A = the best approximation of rank
 * r of W - Q, in turn, `iters' times, beginning with B A = 0.  Q is written as
 * the base and B, A as a LoRA adapter of scale 1 over it, so that base and
 * adapter together are nearer to W than Q is.
 */
struct peft_residualopt {
	size_t		 rank;
	int		 iters;		/* at least 1 */
	const char	*path;		/* of the adapter */
	bool		 force;
	const char	*base;	/* base_model_name_or_path; may be NULL */
};

struct peft_residual;

/* The weights that get a part of it: of linear layers, and given a type that
 * loses something by specs[n] (in the source's order).  None, or a rank above
 * one's dimensions, is refused. */
struct peft_residual *peft_residual_open(const struct peft_residualopt *,
		    const struct peft_source *, const struct peft_spec *,
		    size_t n, struct peft_err *) PEFT_MUSTCHECK;
void		 peft_residual_close(struct peft_residual *);

/* What it did: squared norms of a weight, of what storing it alone loses, and
 * of what is lost with the adapter. */
struct peft_residual_sums {
	size_t	weights;
	double	value2, before2, after2;
};

/* Weight i, loaded: *rows becomes what is to be stored in its place, until
 * the next call (W - B A of the last turn but one); unchanged if the weight
 * has no part (then sums->weights is 0). */
int		 peft_residual_take(struct peft_residual *, size_t i,
		    const struct peft_weight *, struct peft_rows *rows,
		    struct peft_residual_sums *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* All of them so far. */
struct peft_residual_sums peft_residual_total(const struct peft_residual *);
/* Write the adapter: peft.base is the hash of the model at `base', which holds
 * what was stored. */
int		 peft_residual_save(const struct peft_residual *,
		    const char *base, int threads, struct peft_err *)
		    PEFT_MUSTCHECK;

#endif
