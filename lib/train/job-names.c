/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters by name: the one that is trained, and those beneath it. */

#include <stdlib.h>
#include <string.h>

#include "train/job-impl.h"

static struct peft_jobname *
find(const struct peft_trainjob *job, const char *name)
{
	size_t i;

	for (i = 0; i < job->nnamed; i++)
		if (job->named[i].name != NULL &&
		    strcmp(job->named[i].name, name) == 0)
			return &job->named[i];
	return NULL;
}

static int
read_names(struct peft_trainjob *job, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < job->nnamed; i++) {
		struct peft_jobname *n = &job->named[i];
		char *name;

		if (peft_split_name(n->spec, &name, &n->path, err) == -1)
			return -1;
		if (find(job, name) != NULL) {
			peft_seterr(err, "two adapters are called %s", name);
			free(name);
			return -1;
		}
		n->name = name;
	}
	return 0;
}

/* A name that -a gives, or a path. */
static const char *
path_of(const struct peft_trainjob *job, const char *name)
{
	struct peft_jobname *n = find(job, name);

	if (n == NULL)
		return name;
	n->used = true;
	return n->path;
}

int
peft_job_names(struct peft_trainjob *job, struct peft_err *err)
{
	size_t i;

	if (read_names(job, err) == -1)
		return -1;
	if (job->train != NULL)
		job->init = path_of(job, job->train);
	for (i = 0; i < job->nfrozen; i++) {
		job->frozen[i].path = path_of(job, job->frozen[i].path);
		if (job->init != NULL && strcmp(job->init,
		    job->frozen[i].path) == 0)
			return peft_setfail(err, PEFT_USAGE, "%s is trained "
			    "and frozen", job->init);
	}
	for (i = 0; i < job->nnamed; i++)
		if (!job->named[i].used)
			return peft_setfail(err, PEFT_USAGE, "-a %s: neither "
			    "--train nor --frozen names it",
			    job->named[i].spec);
	return 0;
}

void
peft_job_names_free(struct peft_trainjob *job)
{
	size_t i;

	for (i = 0; i < job->nnamed; i++)
		free(job->named[i].name);
}
