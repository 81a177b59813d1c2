/* SPDX-License-Identifier: Apache-2.0 */
/* Multitask prompts that begin as another adapter of the kind. */

#include <stdlib.h>
#include <string.h>

#include "peft/multitask.h"
#include "quant/quant.h"

/* A tensor of the source, [tasks, n] as it is used here; the caller's. */
static float *
load(struct peft_source *src, const char *name, size_t n, size_t *tasks,
    struct peft_err *err)
{
	size_t i = peft_source_find(src, name);
	struct peft_weight w;
	float *v;

	if (i == SIZE_MAX) {
		peft_setfail(err, PEFT_CHECK, "tensor %s is missing: not a "
		    "multitask prompt", name);
		return NULL;
	}
	if (peft_source_load(src, i, &w, err) == -1)
		return NULL;
	if (w.nelem == 0 || w.nelem % n != 0 || !peft_is_float(w.dtype)) {
		peft_setfail(err, PEFT_CHECK, "tensor %s has %zu values, %zu "
		    "a task are called for", name, w.nelem, n);
		return NULL;
	}
	*tasks = w.nelem / n;
	if ((v = peft_calloc(w.nelem, sizeof(*v), err)) != NULL)
		peft_decode(&w, 0, w.nelem, v);
	return v;
}

/* Of a task's own tensor the mean over all, or one of them. */
static int
take(struct peft_module *m, struct peft_source *src, int part,
    const char *name, struct peft_err *err)
{
	const struct peft_multitask *t = m->settings;
	struct peft_param *p = m->param[part];
	size_t tasks, i, k;
	float *v = load(src, name, p->n, &tasks, err);
	int r = -1;

	if (v == NULL)
		return -1;
	memset(p->value, 0, p->n * sizeof(*v));
	if (t->start == PEFT_TASK_EXACT && (size_t)t->task >= tasks)
		peft_seterr(err, "prompt_tuning_init_task is %d, its tasks "
		    "are %zu", (int)t->task, tasks);
	else {
		for (i = 0; i < tasks; i++)
			for (k = 0; k < p->n; k++)
				if (t->start == PEFT_TASK_AVERAGE)
					p->value[k] += v[i * p->n + k] /
					    (float)tasks;
				else if (i == (size_t)t->task)
					p->value[k] = v[i * p->n + k];
		r = 0;
	}
	free(v);
	return r;
}

static int
from_source(struct peft_module *m, struct peft_source *src,
    struct peft_err *err)
{
	const struct peft_multitask *t = m->settings;
	struct peft_param *p = m->param[PEFT_PROMPT];
	size_t one;
	float *v = load(src, "prompt_embeddings", p->n, &one, err);

	if (v == NULL)
		return -1;
	if (one == 1)
		memcpy(p->value, v, p->n * sizeof(*v));
	free(v);
	if (one != 1)
		return peft_setfail(err, PEFT_CHECK, "prompt_embeddings is "
		    "larger than num_virtual_tokens call for");
	if (t->start == PEFT_TASK_SHARED)
		return 0;
	return take(m, src, PEFT_TASK_COLS, "prefix_task_cols", err) == -1 ||
	    take(m, src, PEFT_TASK_ROWS, "prefix_task_rows", err) == -1 ?
	    -1 : 0;
}

int
peft_multitask_start(struct peft_module *m, struct peft_err *err)
{
	const struct peft_multitask *t = m->settings;
	struct peft_source *src;
	int r;

	if (t->start < PEFT_TASK_AVERAGE)
		return peft_prompt_start(m, (enum peft_prompt_start)t->start,
		    err);
	if (t->path == NULL)
		return peft_seterr(err, "prompt_tuning_init begins from "
		    "another adapter: prompt_tuning_init_state_dict_path is "
		    "missing");
	if (t->start != PEFT_TASK_SHARED && t->tasks != 1)
		return peft_seterr(err, "num_tasks is %d: only one task can "
		    "begin as the source's tasks", (int)t->tasks);
	if ((src = peft_source_open(t->path, err)) == NULL)
		return -1;
	r = from_source(m, src, err);
	if (r == -1)
		peft_errprefix(err, "%s", t->path);
	peft_source_close(src);
	return r;
}
