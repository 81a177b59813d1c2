/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a job that need others, rule them out, or would do nothing. */

#include <math.h>
#include <string.h>

#include "base/opt.h"
#include "train/job.h"

/* What belongs to the adapter's config, or begins its values. */
static void
check_adapter(const struct peft_trainjob *job)
{
	bool own = job->method != NULL || job->loftq != NULL ||
	    job->begin > 0 || job->config->child != NULL ||
	    job->target != NULL || job->rslora ||
	    job->config_path != NULL;
	int k;

	for (k = 0; k < PEFT_NKNOB; k++)
		own |= !isnan(job->knobs[k]);
	if (job->init != NULL && job->train != NULL)
		peft_die(PEFT_USAGE, "--init and --train are the same: one of "
		    "them");
	if (own && (job->init != NULL || job->train != NULL))
		peft_die(PEFT_USAGE, "%s takes the adapter's own config: "
		    "no options of the adapter beside it", job->init !=
		    NULL ? "--init" : "--train");
}

void
peft_trainjob_check(const struct peft_trainjob *job)
{
	const struct peft_trainopt *o = &job->opt;
	bool looks = job->nevals > 0 && o->eval_every > 0;
	const struct peft_common *c = &job->common;
	const char *idle = peft_trainopt_idle(o, c);
	const struct peft_optrule rules[] = {
		{ o->patience > 0 && !looks, "--patience counts evaluations: "
		    "it needs --eval and --eval-every" },
		{ o->schedule.kind == PEFT_LR_PLATEAU && !looks,
		    "reduce-on-plateau looks at evaluations: it needs --eval "
		    "and --eval-every" },
		{ job->log != NULL && strcmp(job->log, "-") == 0 &&
		    !peft_has_file(c), "--log -: standard output is the "
		    "adapter's without -o" },
		{ o->eval_every > 0 && !looks,
		    "--eval-every: there is no --eval" },
		{ o->steps > 0 && o->epochs > 0,
		    "--steps and --epochs exclude each other" },
		{ job->problem != PEFT_PROBLEM_AUTO &&
		    job->task != PEFT_TASK_AUTO &&
		    job->task != PEFT_TASK_SEQ_CLS,
		    "--problem is of --task seq-cls" },
		{ o->ema > 0 && o->optimiser->shown >= 0, "schedule-free "
		    "averages already: no --ema beside it" },
		{ o->schedule.kind == PEFT_LR_WSD && o->schedule.decay == 0,
		    "warmup-stable-decay needs --decay-steps" },
		{ job->any_base && job->init == NULL && job->train == NULL &&
		    job->nfrozen == 0 && job->loftq == NULL, "--any-base is "
		    "for --init, --train, --frozen and --loftq" },
		{ job->model == NULL, "-m MODEL is missing" },
	};

	if (idle != NULL)
		peft_die(PEFT_USAGE, "--%s: schedule %s and optimizer %s have "
		    "no use for it", idle,
		    peft_schedule_names[o->schedule.kind], o->optimiser->name);
	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
	check_adapter(job);
}
