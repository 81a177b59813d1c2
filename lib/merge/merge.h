/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MERGE_MERGE_H
#define PEFT_MERGE_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "quant/mix.h"
#include "tensor/dtype.h"

/*
 * Folding adapters into the weights they were trained over.
 *
 * The base is streamed, a weight at a time: its rows as f32, plus the sum of
 * the adapters' changes, rounded once into the type that is written.  What
 * that rounding leaves of the change is measured on the way.
 */
struct peft_merge;

/* Which base is accepted for an adapter that says which it was trained on. */
enum peft_merge_base {
	PEFT_MERGE_SAME,	/* that one */
	PEFT_MERGE_ONTO,	/* the original of it, in a float type */
	PEFT_MERGE_ANY
};

struct peft_mergeopt {
	const char	*model;
	const char	*output;	/* NULL: standard output */
	bool		 force;
	size_t		 shard;		/* folder: bytes a shard, 0: one */
	enum peft_dtype	 type;		/* to store matrices as; PEFT_NDTYPE:
					 * each as it is in the base, or what
					 * the base's blocks are expanded to */
	const struct peft_mix *mix;	/* then type is the mix's; or NULL */
	bool		 nested;	/* NF4, FP4: quantise the scales too */
	const char	*keep;		/* regex of weights -t leaves alone */
	enum peft_merge_base base;
	double		 floor;		/* least share of the change that must
					 * survive; 0: any */
	int		 threads;
};

/* Opens the base and reads what can be checked of it. */
struct peft_merge *peft_merge_open(const struct peft_mergeopt *,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_merge_close(struct peft_merge *);
/* One more adapter in the sum.  Refused: one that does not fit the model, and
 * by options.base one of another base (PEFT_CHECK). */
int		 peft_merge_add(struct peft_merge *, const char *path,
		    double weight, struct peft_err *) PEFT_MUSTCHECK;
/* Weights of the base, for a progress bar. */
size_t		 peft_merge_count(const struct peft_merge *);
/* What the caller may want to tell a person: NULL when there is no more. */
const char	*peft_merge_note(struct peft_merge *);

/*
 * What merging did to a weight, or to all: sums over the values that were
 * merged.  `delta' is what the adapters add; `moved' is by how much the
 * stored values differ from what the base alone would be stored as.
 */
struct peft_change {
	size_t	n, changed;		/* values; stored otherwise than
					 * without the adapters */
	double	base2, delta2;		/* sums of squares */
	double	moved2, dot;		/* .. of moved; of moved * delta */
	double	merged2, lost2;		/* .. before rounding, and of what
					 * rounding did */
};
/* The share of the delta that is in what is stored: 1 all, 0 nothing.  What
 * rounding adds at random does not count. */
double	peft_change_survived(const struct peft_change *);
/* Of moved with delta. */
double	peft_change_correlation(const struct peft_change *);

struct peft_mergeline {
	const char	*name;
	enum peft_dtype	 from, to;
	bool		 merged;	/* an adapter changes it */
	size_t		 i, n;		/* this is the i-th of n */
	struct peft_change change;
};

struct peft_mergewatch {
	void	(*line)(void *ctx, const struct peft_mergeline *);
	void	*ctx;
};

struct peft_mergesum {
	struct peft_change change;
	size_t	merged, changed;	/* weights */
	char	least[256];		/* where the least survived, */
	double	least_survived;		/* .. and how much */
};

/* Do it.  Refused with PEFT_CHECK: when nothing changed, when less survived
 * than options.floor; nothing is left behind then.  dry: everything but the
 * writing. */
int	peft_merge_run(struct peft_merge *, bool dry,
	    const struct peft_mergewatch *, struct peft_mergesum *,
	    struct peft_err *) PEFT_MUSTCHECK;

/*
 * The comparison of base + adapters with what was written, before it gets
 * its name: ask for it before peft_merge_run().  tokens: a file of token
 * records, or NULL for ids from a fixed generator.
 */
struct peft_verdict {
	size_t	positions;
	double	scale;		/* root mean square of the centred logits */
	double	max;		/* largest difference of two logits */
	double	rms;		/* of all differences */
	double	kl, max_kl;	/* KL(adapted || merged): mean, largest */
	double	base_kl;	/* KL(adapted || base), to compare with */
	double	limit;		/* of rms / scale */
};
void	peft_merge_verify(struct peft_merge *, const char *tokens,
	    struct peft_verdict *);
/* Say on standard error what was done and, if it was compared, what that
 * found (else NULL). */
void	peft_mergesum_say(const struct peft_mergesum *,
	    const struct peft_verdict *);

#endif
