/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_TRAINER_H
#define PEFT_TRAIN_TRAINER_H

#include "base/hash.h"
#include "train/train.h"

/* What the files of this layer share. */
struct peft_trainer {
	struct peft_net			*net;
	struct peft_adapter		*adapter;
	const struct peft_records	*data, *eval;
	struct peft_trainopt		 opt;
	const struct peft_vec		*vec;
	struct peft_param		*params;
	size_t				 nparams, nvalues;
	size_t				 extra;	/* virtual tokens a record */
	struct peft_caps		 caps;
	struct peft_trainplan		 plan;
	struct peft_run			*run;
	float				*m, *v;	/* moments, all params */
	float				*best;	/* NULL: no evaluation */
	double				 best_loss;
	size_t				 best_step;
	size_t				 step;		/* done */
	size_t				 total, warmup, per_epoch;
	size_t				*order;		/* of the epoch */
	size_t				 order_epoch;
	struct peft_seq			*seqs;		/* of a micro-batch */
	struct peft_loss		*loss;
	char				*settings;
};

/* plan.c */
int	peft_train_plan(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* settings.c: checks the records, fills in total, warmup, settings. */
int	peft_train_settings(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* step.c */
int	peft_train_step(struct peft_trainer *, struct peft_stepinfo *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_train_eval(struct peft_trainer *, struct peft_stepinfo *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* checkpoint.c */
int	peft_train_save(struct peft_trainer *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
