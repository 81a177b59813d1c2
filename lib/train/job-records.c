/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a training job. */

#include <string.h>

#include "data/encode.h"
#include "train/job-impl.h"

static int
check_same(const char *made, const char *own, const char *what,
    struct peft_err *err)
{
	if (made[0] == '\0' || own[0] == '\0' || strcmp(made, own) == 0)
		return 0;
	return peft_setfail(err, PEFT_CHECK, "the records were made %s than "
	    "this model's", what);
}

/* Records made by another tokenizer or template teach another language. */
static int
check_info(const struct peft_trainjob *job, const struct peft_source *model,
    const struct peft_tokens_info *info, struct peft_err *err)
{
	struct peft_codec codec;
	int r;

	if (!info->seen || peft_source_side(model, "tokenizer.json") == NULL)
		return 0;
	if (peft_codec_open(&codec, model, job->common.threads, err) == -1)
		return -1;
	r = check_same(info->tokenizer, codec.info.tokenizer,
	    "by another tokenizer", err);
	if (r == 0)
		r = check_same(info->tmpl, codec.info.tmpl,
		    "with another chat template", err);
	peft_codec_close(&codec);
	return r;
}

/* Why records cannot be read: of another tokenizer they are of another
 * vocabulary, too, and that is what is to be known. */
static int
blame_maker(const struct peft_trainjob *job, const struct peft_source *model,
    const struct peft_tokens_info *info, struct peft_err *err)
{
	struct peft_err own = { 0 };

	if (check_info(job, model, info, &own) == -1 &&
	    own.status == PEFT_CHECK)
		*err = own;
	return -1;
}

int
peft_job_records(const struct peft_trainjob *job,
    const struct peft_source *model, size_t vocab, struct peft_records *data,
    struct peft_evalset *evals, struct peft_err *err)
{
	size_t i;

	if (peft_records_read(data, job->paths, job->npaths, vocab,
	    job->partial, err) == -1)
		return blame_maker(job, model, &data->info, err);
	if (check_info(job, model, &data->info, err) == -1)
		return -1;
	if (data->n == 0)
		return peft_seterr(err, "%s: there are no training records",
		    job->npaths == 0 || strcmp(job->paths[0], "-") == 0 ?
		    "standard input" : job->paths[0]);
	for (i = 0; i < job->nevals; i++) {
		evals[i].name = job->evals[i];
		if (peft_records_read(&evals[i].records, &job->evals[i], 1,
		    vocab, job->partial, err) == -1 ||
		    check_info(job, model, &evals[i].records.info, err) == -1)
			return -1;
	}
	return 0;
}
