/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_TRAIN_H
#define PEFT_TRAIN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"
#include "data/tokens.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "train/optimiser.h"
#include "train/schedule.h"

/*
 * Training an adapter over a frozen net.
 *
 * A step takes the next `batch' records of the order (a function of seed and
 * epoch alone), splits them in order into micro-batches that fit the plan,
 * and moves the adapter by the gradient of the mean loss over all supervised
 * tokens of the step, whatever the split.
 */
struct peft_trainopt {
	double		 lr, weight_decay, clip;	/* clip 0: none */
	const struct peft_optimiser *optimiser;
	double		 beta1, beta2, eps;	/* NaN: the optimiser's */
	double		 loraplus;	/* lr of B and of vectors, in lr */
	struct peft_schedule_opt schedule; /* warmup, total: filled in */
	double		 warmup;	/* steps; below 1: a share of them */
	double		 smoothing, zloss, neftune;	/* model/net.h */
	double		 ema;		/* decay of averaged values; 0: none */
	double		 spike;		/* skip steps whose loss is this many
					 * times the running mean; 0: none */
	double		 epochs;	/* 0: one */
	size_t		 steps;		/* 0: as many as epochs make */
	size_t		 batch;
	size_t		 micro_tokens;	/* most tokens at a time */
	size_t		 mem_limit;	/* bytes; 0: none */
	bool		 shuffle;
	uint64_t	 seed;
	size_t		 eval_every;	/* steps; 0: at the end only */
	size_t		 patience;	/* evaluations without a better one
					 * that end the run; 0: any */
	size_t		 save_every;	/* steps; 0: when asked only */
	size_t		 keep;		/* checkpoints, the newest counted */
	const char	*checkpoint;	/* path, or NULL: cannot be saved */
	enum peft_compute compute;
	bool		 resume, force;
	const char	*base;		/* the base's hash, for checkpoints,
					 * and those of frozen adapters */
	size_t		 beside;	/* bytes of these, for the plan */
	size_t		 begun;		/* records that the adapter began
					 * from; 0: from none */
	size_t		 begun_bytes;	/* the most memory that took */
};
/* transformers' and PEFT's defaults, where they are not bad ones. */
struct peft_trainopt peft_trainopt_default(void);
/* Set the one that the option --NAME stands for, or die (base/opt.h); false if
 * it is no number of these. */
bool	peft_trainopt_number(struct peft_trainopt *, const char *name,
	    const char *arg);
/* The option, without its --, of a number that was given and that the schedule
 * or the optimiser there is does not look at; or NULL. */
const char *peft_trainopt_idle(const struct peft_trainopt *,
		    const struct peft_common *given);

/* A set to evaluate on. */
struct peft_evalset {
	const char		*name;
	struct peft_records	 records;
	double			 loss;		/* the last time */
	size_t			 tokens;
};

/* What a step was like. */
struct peft_stepinfo {
	size_t	step, total;	/* counted from 1 */
	double	lr, loss, grad_norm, seconds;
	double	work;		/* operations of products */
	double	share;		/* of the machine's peak, and */
	double	eta;		/* seconds that are left: filled in by who
				 * knows them */
	size_t	planned;	/* bytes */
	size_t	tokens;		/* supervised ones */
	size_t	all_tokens;
	bool	skipped;	/* a spike: the adapter was not moved */
	double	eval_loss;	/* of the first set; NaN: not measured after
				 * this step */
	const struct peft_evalset *evals;
	size_t	nevals;
	bool	best;		/* the best evaluation so far */
};

enum peft_order { PEFT_GO_ON, PEFT_SAVE, PEFT_STOP };

/* How the caller is told, and asked, after each step. */
struct peft_watch {
	int	(*step)(void *ctx, const struct peft_stepinfo *,
		    struct peft_err *);
	enum peft_order (*order)(void *ctx);
	void	*ctx;
};

/* Bytes; what --dry-run prints. */
struct peft_trainplan {
	size_t		 weights, adapter, optimiser, program;
	size_t		 begun;		/* more than all of that, where the
					 * beginning took it: else 0 */
	struct peft_plan run;
	size_t		 total, micro_tokens;
	size_t		 again[PEFT_NPART];	/* model/net.h */
};

struct peft_trainer;

/* The adapter is attached here (number 0).  Records are borrowed; of the sets
 * to evaluate on, the first decides which values are the best.  Checks
 * that there is something to train on; makes the plan (PEFT_CHECK if it does
 * not fit mem_limit), without allocating yet. */
struct peft_trainer *peft_trainer_open(struct peft_net *,
		    struct peft_adapter *, const struct peft_records *data,
		    struct peft_evalset *evals, size_t nevals,
		    const struct peft_trainopt *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Bytes that are in use before there is an adapter. */
size_t		 peft_train_before(struct peft_net *,
		    const struct peft_records *);
void		 peft_trainer_close(struct peft_trainer *);
size_t		 peft_trainer_total(const struct peft_trainer *);
/* The settings that determine the result, as one line of JSON. */
const char	*peft_trainer_settings(const struct peft_trainer *);

/* Train (from the checkpoint if opt->resume).  0 done; 1 stopped by order,
 * the checkpoint written if there is a path for it.  Afterwards the adapter
 * holds the best evaluated values if there was an evaluation, else the
 * last. */
int		 peft_trainer_run(struct peft_trainer *,
		    const struct peft_watch *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* The step that the adapter's values are of. */
size_t		 peft_trainer_step(const struct peft_trainer *);
/* Read the checkpoint; *step: what the run begins behind.  1: by another plan,
 * with micro-batches of other sizes, which changes the rest of it by rounding;
 * one of other settings is refused by the name of one (PEFT_CHECK). */
int		 peft_trainer_restore(struct peft_trainer *, size_t *step,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
