/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that the trained one is put atop of. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/opt.h"
#include "train/job-impl.h"

void
peft_job_add_frozen(struct peft_trainjob *job, char *arg)
{
	float w = (float)peft_optweight("--frozen", arg);

	job->frozen[job->nfrozen++] = (struct peft_frozen){ .path = arg,
	    .weight = w };
}

int
peft_job_check_base(const struct peft_trainjob *job, const char *who,
    const struct peft_adapter *a, const char *base, struct peft_err *err)
{
	const char *want = peft_adapter_meta(a, "peft.base");

	if (want == NULL || job->any_base || strcmp(want, base) == 0)
		return 0;
	return peft_setfail(err, PEFT_CHECK, "%s was trained on the base "
	    "%.23s..., %s is %.23s... (--any-base goes on all the same)", who,
	    want, job->model, base);
}

void
peft_job_tell(const struct peft_trainjob *job, const char *who,
    const struct peft_adapter *a, const char *then)
{
	const char *layout = a == NULL ? NULL : peft_adapter_layout(a);

	if (layout != NULL && !job->common.quiet)
		peft_warn("%s: it is read in the layout of %s%s", who, layout,
		    then);
}

/*
 * They act under the number of the trained one, before it.  Methods differ in
 * whether their backward pass can do without gradients of their own, so these
 * get them, and nobody looks at them.
 */
static int
open_one(struct peft_frozen *f, const struct peft_trainjob *job,
    struct peft_sites *sites, const char *base, struct peft_err *err)
{
	if ((f->source = peft_source_open(f->path, err)) == NULL ||
	    (f->adapter = peft_adapter_open(f->source, sites, err)) == NULL)
		return -1;
	peft_job_tell(job, "--frozen", f->adapter, "");
	if (peft_job_check_base(job, "it", f->adapter, base, err) == -1)
		return -1;
	if (peft_adapter_still(f->adapter, err) == -1)
		return -1;
	return peft_adapter_attach(f->adapter, sites, 0, f->weight, true,
	    err);
}

int
peft_job_frozen(struct peft_trainjob *job, struct peft_sites *sites,
    const char *base, struct peft_err *err)
{
	struct peft_buf *atop = &job->atop;
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
	peft_buf_printf(&job->basis, "%s%s%s", base, atop->len > 0 ? " " : "",
	    atop->len > 0 ? atop->data : "");
	if (atop->failed || job->basis.failed)
		return peft_seterr(err, "no memory");
	job->opt.base = job->basis.data;
	return 0;
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
	peft_buf_free(&job->atop);
	peft_buf_free(&job->basis);
}
