/* SPDX-License-Identifier: Apache-2.0 */
/* Of records with classes: the names, their numbers, the head for them. */

#include <string.h>

#include "peft/head.h"
#include "train/job-impl.h"

/* What is there before the records: the names of an adapter to go on from, or
 * of a model that has a head. */
static int
known_labels(struct peft_classes *k, const struct peft_source *model,
    const struct peft_source *init, struct peft_err *err)
{
	struct peft_headopt head = { .task = PEFT_TASK_AUTO };

	if (init != NULL && peft_head_of_adapter(init, &head, &k->labels,
	    err) == -1)
		return -1;
	if (init != NULL && peft_task_classes(head.task) &&
	    k->labels.n == 0 && k->config.task == PEFT_TASK_CAUSAL_LM)
		return peft_labels_number(&k->labels, head.outputs, err);
	if (init != NULL && head.task == PEFT_TASK_CAUSAL_LM &&
	    k->config.task == PEFT_TASK_CAUSAL_LM)
		k->labels.task = PEFT_TASK_CAUSAL_LM;
	if (k->labels.n > 0 || !peft_task_classes(k->config.task))
		return 0;
	return peft_head_of_model(model, &k->config, &k->labels, err);
}

static int
check_asked(const struct peft_trainjob *job, struct peft_labels *l,
    struct peft_err *err)
{
	if (job->task != PEFT_TASK_AUTO && l->task != PEFT_TASK_AUTO &&
	    l->task != job->task)
		return peft_setfail(err, PEFT_CHECK, "--task %s: the model or "
		    "the adapter is for %s", peft_task_words[job->task],
		    peft_task_words[l->task]);
	if (job->task != PEFT_TASK_AUTO)
		l->task = job->task;
	if (job->problem != PEFT_PROBLEM_AUTO)
		l->problem = job->problem;
	return 0;
}

/* One class tells nothing apart. */
static int
check_number(const struct peft_labels *l, size_t records,
    struct peft_err *err)
{
	if (l->n == 0)
		return peft_seterr(err, "no record has a class");
	if (l->n == 1 && l->problem == PEFT_PROBLEM_SINGLE)
		return peft_seterr(err, "all %zu records have the class '%.80s' "
		    "alone: there is nothing to tell apart", records,
		    l->name[0]);
	return 0;
}

static int
apply(struct peft_classes *k, struct peft_records *r, struct peft_err *err)
{
	struct peft_labels want = { .task = k->labels.task,
	    .problem = k->labels.problem };

	if (peft_labels_task(&want, r->at, r->n, err) == -1)
		return -1;
	return peft_labels_apply(&k->labels, r->at, r->n, k->config.pad, err);
}

int
peft_job_classes(const struct peft_trainjob *job,
    const struct peft_source *model, const struct peft_source *init,
    struct peft_records *data, struct peft_evalset *evals,
    struct peft_classes *k, struct peft_err *err)
{
	bool known;
	size_t i;

	if (known_labels(k, model, init, err) == -1 ||
	    check_asked(job, &k->labels, err) == -1)
		return -1;
	known = k->labels.n > 0;
	if (peft_labels_task(&k->labels, data->at, data->n, err) == -1)
		return -1;
	if (job->problem != PEFT_PROBLEM_AUTO &&
	    k->labels.task != PEFT_TASK_SEQ_CLS)
		return peft_setfail(err, PEFT_USAGE, "--problem is of seq-cls, "
		    "the records are for %s", peft_task_words[k->labels.task]);
	if (!peft_task_classes(k->labels.task))
		return 0;
	if (!known && peft_labels_collect(&k->labels, data->at, data->n,
	    err) == -1)
		return -1;
	if (k->labels.problem != PEFT_PROBLEM_SINGLE &&
	    (job->opt.smoothing > 0 || job->opt.zloss > 0))
		return peft_setfail(err, PEFT_USAGE, "--label-smoothing and "
		    "--z-loss are of one class that holds, not of %s",
		    peft_problem_words[k->labels.problem]);
	if (check_number(&k->labels, data->n, err) == -1 ||
	    apply(k, data, err) == -1)
		return -1;
	for (i = 0; i < job->nevals; i++)
		if (apply(k, &evals[i].records, err) == -1)
			return peft_errprefix(err, "%s", evals[i].name);
	k->head = (struct peft_headopt){ k->labels.task, k->labels.problem,
	    k->labels.n };
	return 0;
}

/* A config that says another task than the records are for. */
int
peft_job_ask_head(const cJSON *config, const struct peft_classes *k,
    struct peft_err *err)
{
	const char *type = NULL;

	if (peft_json_str(config, "task_type", &type, err) == -1)
		return -1;
	if (type == NULL || strcmp(type, peft_task_types[k->labels.task]) == 0)
		return 0;
	return peft_seterr(err, "the adapter's config says task_type %.40s, "
	    "the records are for %s", type, peft_task_types[k->labels.task]);
}
