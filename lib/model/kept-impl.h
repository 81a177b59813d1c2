/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_KEPT_IMPL_H
#define PEFT_MODEL_KEPT_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For the files of this layer: the rows of a micro-batch, and those of them
 * that the last layer has use for. */
struct peft_run;
struct peft_saved;

/* A stretch of tokens that use the same adapter for the same task. */
struct peft_range {
	int	adapter, task;
	size_t	first, n;
};

static inline bool
peft_range_is(const struct peft_range *r, int adapter, int task)
{
	return r->adapter == adapter && r->task == task;
}

/* The rows that operations run over: those of the micro-batch, or those of
 * them that are kept (kept.c). */
struct peft_view {
	size_t			 T;
	struct peft_range	*ranges;
	size_t			 nranges;
	uint64_t		*ident;
};

/* What is computed of the last layer behind its keys and values. */
struct peft_kept {
	size_t	*token;		/* [n] of the micro-batch, ascending */
	size_t	 n;
	size_t	 padded;	/* rows of it, zeros behind the n; 0: all
				 * tokens are kept */
	size_t	*slot;		/* [T] where run->rows lie among them */
	struct peft_view view;	/* theirs */
	struct peft_view all;	/* the micro-batch's meanwhile */
	float	*x;		/* [rows, D] what goes into the layer */
};

/* The queries of a node: rows first .. first+n of what attention gives. */
struct peft_asked {
	size_t		 first, n;
	const size_t	*token;		/* which they are; NULL: all */
};

/* How many rows of the last layer there is room for. */
size_t	peft_kept_rows(const struct peft_run *);
/* Which rows of the micro-batch it has use for, given run->rows[0..n). */
void	peft_keep(struct peft_run *, size_t n);
/* Are only some computed of this layer? */
bool	peft_is_kept(const struct peft_run *, size_t layer);
/* From here on the rows are those that are kept; or all of them again, which
 * makes run->dx [T, D] of what it is. */
void	peft_kept_begin(struct peft_run *, size_t layer, struct peft_saved *);
void	peft_kept_end(struct peft_run *, size_t layer, struct peft_saved *);
/* The same for a product amid others. */
void	peft_kept_view(struct peft_run *, bool);
/* y[padded, n] = their rows of x; rows of y (+)= x[n rows, n]. */
void	peft_kept_gather(struct peft_run *, float *y, const float *x,
	    size_t ldx, size_t n);
void	peft_kept_scatter(struct peft_run *, float *y, size_t ldy,
	    const float *x, size_t n, bool add);
struct peft_asked peft_asked(const struct peft_run *, size_t layer,
	    size_t node);
/* attention-tile.c: where the i'th of them is in its node, which begins at
 * token `node'. */
size_t	peft_asked_at(const struct peft_asked *, size_t node, size_t i);

#endif
