/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that the trained one is put atop of. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "train/job-impl.h"

/*
 * They act under the number of the trained one, before it.  Methods differ in
 * whether their backward pass can do without gradients of their own, so these
 * get them, and nobody looks at them.
 */
static int
open_one(struct peft_frozen *f, const struct peft_trainjob *job,
    struct peft_sites *sites, const char *base, struct peft_err *err)
{
	const char *want;

	if ((f->source = peft_source_open(f->path, err)) == NULL ||
	    (f->adapter = peft_adapter_open(f->source, sites, err)) == NULL)
		return -1;
	want = peft_adapter_meta(f->adapter, "peft.base");
	if (want != NULL && !job->any_base && strcmp(want, base) != 0)
		return peft_setfail(err, PEFT_CHECK, "was trained on the base "
		    "%.23s..., %s is %.23s... (--any-base takes it all the "
		    "same)", want, job->model, base);
	if (peft_adapter_still(f->adapter, err) == -1)
		return -1;
	return peft_adapter_attach(f->adapter, sites, 0, f->weight, true,
	    err);
}

int
peft_job_frozen(struct peft_trainjob *job, struct peft_sites *sites,
    const char *base, struct peft_buf *atop, struct peft_err *err)
{
	char hash[7 + PEFT_SHA256_HEX];
	size_t i;

	for (i = 0; i < job->nfrozen; i++) {
		struct peft_frozen *f = &job->frozen[i];

		if (open_one(f, job, sites, base, err) == -1 ||
		    peft_source_hash(f->source, job->common.threads, hash,
		    err) == -1)
			return peft_errprefix(err, "--frozen %s", f->path);
		peft_buf_printf(atop, "%s%s", i > 0 ? " " : "", hash);
		if (f->weight != 1)
			peft_buf_printf(atop, "=%.9g", (double)f->weight);
		job->opt.beside += peft_adapter_bytes(f->adapter);
	}
	return atop->failed ? peft_seterr(err, "no memory") : 0;
}

/*
 * What is added to an output is right atop of anything; a hook that makes
 * another output or input of what it finds would give its gradient to those
 * that act after it as well.
 */
int
peft_job_frozen_check(const struct peft_trainjob *job,
    const struct peft_sites *sites, struct peft_err *err)
{
	const struct peft_hook *h;
	size_t i;

	for (i = 0; job->nfrozen > 0 && i < sites->n; i++) {
		bool changes = false;

		h = sites->at[i].hooks;
		if (h == NULL || h->next == NULL)
			continue;
		for (; h != NULL; h = h->next)
			changes |= h->ops->output_back != NULL ||
			    h->ops->input != NULL || h->ops->vector != NULL;
		if (changes)
			return peft_seterr(err, "--frozen: %s has an adapter "
			    "that scales or turns what it finds, and nothing "
			    "can be trained beside it: merge it into the base, "
			    "or --target other modules", sites->at[i].path);
	}
	return 0;
}

void
peft_job_frozen_close(struct peft_trainjob *job)
{
	size_t i;

	for (i = 0; i < job->nfrozen; i++) {
		peft_adapter_close(job->frozen[i].adapter);
		peft_source_close(job->frozen[i].source);
	}
}
