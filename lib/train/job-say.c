/* SPDX-License-Identifier: Apache-2.0 */
/* What a training job says before it begins. */

#include "base/err.h"
#include "train/forecast.h"
#include "train/job-impl.h"

void
peft_job_say_targets(const struct peft_cpu *cpu, struct peft_adapter *adapter,
    const struct peft_trainer *trainer, size_t nrecords)
{
	size_t n, i, total = 0;
	const struct peft_param *p = peft_adapter_params(adapter, &n);

	for (i = 0; i < n; i++)
		total += p[i].n;
	peft_warn("%s", peft_cpu_describe(cpu));
	peft_warn("%s on %zu modules, %zu parameters; %zu records",
	    peft_adapter_type(adapter), peft_adapter_nsites(adapter), total,
	    nrecords);
	peft_trainer_say(trainer);
}

void
peft_job_say_classes(const struct peft_trainjob *job,
    const struct peft_labels *l)
{
	if (l->n == 0 || job->common.quiet)
		return;
	if (l->problem == PEFT_PROBLEM_VALUE)
		peft_warn("labels are values: a regression (SEQ_CLS)");
	else
		peft_warn("a classifier of %zu classes (%s, %s)", l->n,
		    peft_task_types[l->task],
		    peft_problem_words[l->problem]);
}
