/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter that a job begins with. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "peft/begin.h"
#include "train/job-impl.h"

/* What the base was quantised from: it says so itself if it was here. */
static int
open_whole(const struct peft_trainjob *job, const struct peft_source *base,
    struct peft_source **whole, struct peft_err *err)
{
	const char *origin = peft_source_meta(base, "peft.origin");
	char hash[7 + PEFT_SHA256_HEX];

	if (job->loftq == NULL)
		return 0;
	if ((*whole = peft_source_open(job->loftq, err)) == NULL)
		return -1;
	if (origin == NULL || job->any_base)
		return 0;
	if (peft_source_hash(*whole, job->common.threads, hash, err) == -1)
		return -1;
	return strcmp(hash, origin) == 0 ? 0 : peft_setfail(err, PEFT_CHECK,
	    "%s was quantised from %.18s..., %s is %.18s...: the adapter would "
	    "begin as nonsense (--any-base)", job->model, origin, job->loftq,
	    hash);
}

static void
say_lost(const struct peft_trainjob *job, const struct peft_lost *lost)
{
	if (lost->weights > 0 && job->common.verbose > 0)
		peft_warn("loftq: of %zu weights the base lacks %.3g%%, base "
		    "and adapter %.3g%%", lost->weights, 100 *
		    sqrt(lost->before2 / lost->value2), 100 *
		    sqrt(lost->after2 / lost->value2));
}

struct peft_adapter *
peft_job_begin(struct peft_trainjob *job, const struct peft_source *base,
    struct peft_net *net, const struct peft_records *data, struct peft_err *err)
{
	struct peft_lost lost = { 0 };
	struct peft_calibration c = { .n = data->n, .batch = job->opt.batch,
	    .most = job->begin, .lost = &lost, .limit = job->opt.mem_limit,
	    .before = peft_train_before(net, data),
	    .need = &job->opt.begun_bytes };
	struct peft_adapter *a = NULL;
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
	if (open_whole(job, base, &c.whole, err) == 0)
		a = peft_adapter_begin(job->config, net, &c,
		    job->common.seed, err);
	peft_source_close(c.whole);
	free(seqs);
	say_lost(job, &lost);
	return a;
}
