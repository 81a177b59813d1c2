/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_JOB_IMPL_H
#define PEFT_TRAIN_JOB_IMPL_H

#include "train/job.h"

/* Read the job's records, and the sets to evaluate on if it has any; records of
 * another tokenizer or template than the model's are refused (PEFT_CHECK). */
int	peft_job_records(const struct peft_trainjob *,
	    const struct peft_source *model, size_t vocab,
	    struct peft_records *data, struct peft_evalset *evals,
	    struct peft_err *) PEFT_MUSTCHECK;

/* job-names.c: what --train and --frozen name become paths. */
int	peft_job_names(struct peft_trainjob *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_job_names_free(struct peft_trainjob *);

/* frozen.c: an adapter (`who') of another base is refused. */
int	peft_job_check_base(const struct peft_trainjob *, const char *who,
	    const struct peft_adapter *, const char *base, struct peft_err *)
	    PEFT_MUSTCHECK;
/* One in another tool's layout is said to be, and what is done then. */
void	peft_job_tell(const struct peft_trainjob *, const char *who,
	    const struct peft_adapter *, const char *then);
/* Put job->frozen on the sites, and tell of them in atop and basis. */
int	peft_job_frozen(struct peft_trainjob *, struct peft_sites *,
	    const char *base, struct peft_err *) PEFT_MUSTCHECK;
/* With the trained one on them: can its gradients be right? */
int	peft_job_frozen_check(const struct peft_trainjob *,
	    const struct peft_sites *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_job_frozen_close(struct peft_trainjob *);

/* job-classes.c: what records are for, and their classes.  config is given;
 * the caller frees the labels.  Records get labels of numbers. */
struct peft_classes {
	struct peft_config	 config;	/* of the model */
	struct peft_labels	 labels;
	struct peft_headopt	 head;
};
int	peft_job_classes(const struct peft_trainjob *,
	    const struct peft_source *model, const struct peft_source *init,
	    struct peft_records *data, struct peft_evalset *evals,
	    struct peft_classes *, struct peft_err *) PEFT_MUSTCHECK;
/* Is the config of an adapter for that task, if it says one? */
int	peft_job_ask_head(const cJSON *config, const struct peft_classes *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* job-set.c: --method, --target ("NAME,NAME", "all-linear" or a regex) and
 * --rslora, the last two into job->config; PEFT_USAGE if --set said it, too. */
int	peft_job_set_options(struct peft_trainjob *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Of two words for one value neither is taken. */
int	peft_job_twice(const char *option, const char *key,
	    struct peft_err *) PEFT_MUSTCHECK;

/* job-config.c: job->config with the keys of -c, the method's and defaults. */
int	peft_job_config(struct peft_trainjob *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* job-keys.c: of its first `own' keys, which options gave, each must be the
 * method's; none may be there that only another one gives a meaning
 * (PEFT_USAGE). */
int	peft_job_keys(const struct peft_trainjob *, const char *type,
	    size_t own, struct peft_err *) PEFT_MUSTCHECK;

/* job-begin.c: the adapter of that config, from the records if it wants, or
 * from what job->loftq has that the base lacks. */
struct peft_adapter *peft_job_begin(struct peft_trainjob *,
	    const struct peft_source *base, struct peft_net *,
	    const struct peft_records *, struct peft_err *) PEFT_MUSTCHECK;

/* job-say.c: on standard error, what is trained; and of records with labels,
 * which are not for everybody what they are here, what they are taken for. */
void	peft_job_say_targets(const struct peft_cpu *, struct peft_adapter *,
	    const struct peft_trainer *, size_t nrecords);
void	peft_job_say_classes(const struct peft_trainjob *,
	    const struct peft_labels *);

#endif
