/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter that a job begins with. */

#include <stdlib.h>

#include "peft/begin.h"
#include "train/job-impl.h"

struct peft_adapter *
peft_job_begin(const struct peft_trainjob *job, struct peft_net *net,
    const struct peft_records *data, struct peft_err *err)
{
	struct peft_calibration c = { .n = data->n, .batch = job->opt.batch,
	    .most = job->begin };
	struct peft_adapter *a;
	struct peft_seq *seqs;
	size_t i;

	if (!peft_begin_wants_data(job->config))
		return peft_adapter_new(job->config, peft_net_sites(net),
		    job->common.seed, err);
	if ((seqs = peft_calloc(data->n + 1, sizeof(*seqs), err)) == NULL)
		return NULL;
	for (i = 0; i < data->n; i++)
		seqs[i] = (struct peft_seq){ .ids = data->at[i].ids,
		    .labels = data->at[i].labels, .n = data->at[i].n,
		    .weight = (float)data->at[i].weight,
		    .ident = (uint32_t)i };
	c.seqs = seqs;
	a = peft_adapter_begin(job->config, net, &c, job->common.seed, err);
	free(seqs);
	return a;
}
