/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_JOB_H
#define PEFT_TRAIN_JOB_H

#include "base/buf.h"
#include "base/json.h"
#include "base/opt.h"
#include "train/train.h"

/* An adapter that is not trained and acts before the one that is. */
struct peft_frozen {
	const char		*path;
	float			 weight;
	struct peft_source	*source;
	struct peft_adapter	*adapter;
};

/* What -a gives a name. */
struct peft_jobname {
	const char		*spec, *path;
	char			*name;
	bool			 used;
};

/* What peft-train is asked to do, from model and records to the adapter on
 * disk. */
struct peft_trainjob {
	struct peft_common	 common;
	struct peft_trainopt	 opt;
	const char		*model, *init, *log, *config_path;
	const char		*train;		/* a name or a path: as init */
	struct peft_jobname	*named;
	size_t			 nnamed;
	struct peft_frozen	*frozen;
	size_t			 nfrozen;
	struct peft_buf		 atop, basis;	/* their hashes; the base's
						 * and these */
	char			**evals;	/* files, the first decides */
	size_t			 nevals;
	cJSON			*config;	/* --set's keys */
	const char		*method;	/* --method, or NULL */
	const char		*target;	/* --target, or NULL */
	bool			 rslora;
	double			 knobs[PEFT_NKNOB];	/* NAN: not given */
	size_t			 begin;	/* most records that it begins from;
					 * 0: 256 */
	const char		*loftq;	/* the model that the base was
					 * quantised from, or NULL */
	char *const		*paths;
	size_t			 npaths;
	bool			 partial, any_base, profile;
	enum peft_task		 task;		/* AUTO: as the records are */
	enum peft_problem	 problem;
};

/* job-set.c: put "KEY=JSON" into job->config, or die. */
void	peft_job_set_key(struct peft_trainjob *, const char *arg);
/* Add "ADAPTER[=WEIGHT]" to job->frozen, which has room, or die
 * (base/opt.h). */
void	peft_job_add_frozen(struct peft_trainjob *, char *arg);
/* job-check.c: options that contradict each other or would do nothing, or
 * die. */
void	peft_trainjob_check(const struct peft_trainjob *);
/* 0 done; 128 + n stopped by signal n; -1. */
int	peft_trainjob_run(struct peft_trainjob *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
