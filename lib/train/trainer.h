/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_TRAINER_H
#define PEFT_TRAIN_TRAINER_H

#include "base/hash.h"
#include "model/estimate.h"
#include "train/train.h"

/* What the files of this layer share. */
struct peft_trainer {
	struct peft_net			*net;
	struct peft_adapter		*adapter;
	const struct peft_records	*data;
	struct peft_evalset		*evals;
	size_t				 nevals;
	struct peft_trainopt		 opt;
	const struct peft_vec		*vec;
	struct peft_param		*params;
	size_t				 nparams, nvalues;
	size_t				 extra;	/* virtual tokens a record */
	size_t				 prompted; /* and what they add to what
						 * is supervised */
	size_t				 tokens; /* of the largest step, or as
						 * many as fill a plan */
	size_t				 rows;	/* most that are supervised in
						 * a step, or a record */
	struct peft_caps		 caps;
	struct peft_trainplan		 plan;
	struct peft_run			*run;
	float				*state[PEFT_OPTPARTS]; /* all params */
	float				*ema;	/* NULL: none */
	float				*shown;	/* the values that are used, if
						 * not those trained: ema, or
						 * of the state */
	double				 mean_loss; /* running; 0: none yet */
	size_t				 updates; /* steps that were not
						 * skipped */
	double				 rate_most, rate_sum; /* of their rates,
						 * as shares of the highest:
						 * the largest, the sum of
						 * squares (schedule-free) */
	float				*best;	/* NULL: no evaluation */
	double				 best_loss;
	size_t				 best_step;
	struct peft_plateau		 plateau;
	size_t				 step;		/* done */
	size_t				 total, per_epoch;
	size_t				*order;		/* of the epoch */
	size_t				 order_epoch;
	struct peft_seq			*seqs;		/* of a micro-batch */
	struct peft_loss		*loss;
	char				*settings;
};

/*
 * The arrays that a run goes on from: values, the optimiser's parts, averages,
 * the best values; each has so many floats for a tensor.
 */
struct peft_trainarray {
	const char	*name;
	float		*at;
	int		 part;		/* of the optimiser, or -1 */
};
enum { PEFT_KEPT = 2 };		/* of the adapter's method, at most */
enum { PEFT_TRAINARRAYS = 3 + PEFT_OPTPARTS + PEFT_KEPT };
size_t	peft_train_arrays(const struct peft_trainer *,
	    struct peft_trainarray arrays[PEFT_TRAINARRAYS]);
size_t	peft_train_floats(const struct peft_trainer *, int part,
	    const struct peft_param *);

/* state.c: allocate the arrays; give them their first values; exchange the
 * values that are trained and those that are used. */
int	peft_train_state(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_train_swap(struct peft_trainer *);
void	peft_train_state_free(struct peft_trainer *);
/* update.c: is it a B to LoRA+; the factor of the learning rate now; one step
 * of the optimiser, over gradients of this norm. */
bool	peft_train_is_b(const struct peft_param *);
double	peft_train_factor(const struct peft_trainer *);
void	peft_train_update(struct peft_trainer *, double lr, double norm);

/* plan.c; and for micro-batches of so many tokens, with t->caps.again. */
int	peft_train_plan(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_train_plan_for(struct peft_trainer *, size_t tokens,
	    struct peft_err *) PEFT_MUSTCHECK;
/* choose.c: the plan within the limit that takes the least time, of at most
 * and at least so many tokens. */
int	peft_train_choose(struct peft_trainer *, size_t most, size_t least,
	    struct peft_err *) PEFT_MUSTCHECK;
/* settings.c: checks the records, fills in total, warmup, settings. */
int	peft_train_settings(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* largest.c: fills in tokens and rows; caps say what is shared. */
int	peft_train_largest(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* of a step, in the mean over some of the first epoch, by the plan */
struct peft_stepmean {
	double	tokens;		/* of its records */
	double	computed;	/* what they share counted once */
	double	supervised;
	double	seen;		/* tokens before, of all that are computed */
	double	batches;	/* micro-batches */
};
int	peft_train_mean(struct peft_trainer *, struct peft_stepmean *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* work.c: operations of products and of attention, floats that other work
 * passes over, weights that are made ready for products: of a step with parts
 * of so many layers made again, and of these alone; the worth of it all. */
struct peft_stepwork {
	double	products, attention, passing, expanded;
};
struct peft_stepwork peft_train_work(const struct peft_trainer *,
	    const struct peft_estimate *, const struct peft_stepmean *,
	    const size_t again[PEFT_NPART]);
struct peft_stepwork peft_train_again(const struct peft_estimate *,
	    const struct peft_stepmean *, const size_t again[PEFT_NPART]);
double	peft_train_price(const struct peft_stepwork *);
/* step.c: the order of an epoch, [data->n]; a record as it is computed. */
void	peft_train_order(const struct peft_trainer *, size_t epoch,
	    size_t *order);
struct peft_seq peft_train_seq(const struct peft_record *, size_t number,
	    int adapter);
int	peft_train_step(struct peft_trainer *, struct peft_stepinfo *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_train_eval(struct peft_trainer *, struct peft_stepinfo *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Name the first setting in which two runs differ, by their settings.  How
 * steps are split (*same_plan) is none: that changes a result by rounding
 * only. */
int	peft_train_compare(const char *was, const char *is, bool *same_plan,
	    struct peft_err *) PEFT_MUSTCHECK;
/* checkpoint.c */
int	peft_train_save(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
