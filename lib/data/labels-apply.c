/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of records: which task they are of, and the numbers of names. */

#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"

static enum peft_task
task_of(const struct peft_record *r)
{
	return r->cls.kind == PEFT_CLASS_NONE ? PEFT_TASK_CAUSAL_LM :
	    r->cls.kind == PEFT_CLASS_EACH ? PEFT_TASK_TOKEN_CLS :
	    PEFT_TASK_SEQ_CLS;
}

static const char *
what(enum peft_task task)
{
	static const char *const names[PEFT_NTASK] = {
		[PEFT_TASK_CAUSAL_LM] = "no class",
		[PEFT_TASK_SEQ_CLS] = "a class",
		[PEFT_TASK_TOKEN_CLS] = "classes of its words",
	};

	return names[task];
}

/* All of one task, and that is the one asked for. */
static int
check_task(const struct peft_labels *l, const struct peft_record *r, size_t n,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (task_of(&r[i]) != l->task)
			return peft_seterr(err, "%s has %s, %s (task %s) calls "
			    "for %s", peft_record_place(&r[i], i + 1).text,
			    what(task_of(&r[i])), i > 0 && task_of(&r[0]) ==
			    l->task ? "the first" : "what is asked for",
			    peft_task_words[l->task], what(l->task));
	return 0;
}

static enum peft_problem
problem_of(const struct peft_record *r, size_t n)
{
	enum peft_problem p = PEFT_PROBLEM_SINGLE;
	size_t i;

	for (i = 0; i < n; i++) {
		if (r[i].cls.kind == PEFT_CLASS_MANY)
			return PEFT_PROBLEM_MULTI;
		if (r[i].cls.fraction)
			p = PEFT_PROBLEM_VALUE;
	}
	return p;
}

/* Can each record be of that problem? */
static int
check_problem(const struct peft_labels *l, const struct peft_record *r,
    size_t n, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (l->problem == PEFT_PROBLEM_VALUE && !r[i].cls.number)
			return peft_seterr(err, "%s: its class is no number, "
			    "and others' are values (regression)",
			    peft_record_place(&r[i], i + 1).text);
		if (l->problem == PEFT_PROBLEM_SINGLE &&
		    r[i].cls.kind == PEFT_CLASS_MANY)
			return peft_seterr(err, "%s has a list of classes, "
			    "where one holds", peft_record_place(&r[i],
			    i + 1).text);
	}
	return 0;
}

int
peft_labels_task(struct peft_labels *l, const struct peft_record *r, size_t n,
    struct peft_err *err)
{
	if (l->task == PEFT_TASK_AUTO)
		l->task = n > 0 ? task_of(&r[0]) : PEFT_TASK_CAUSAL_LM;
	if (check_task(l, r, n, err) == -1)
		return -1;
	if (l->task == PEFT_TASK_TOKEN_CLS)
		l->problem = PEFT_PROBLEM_SINGLE;
	if (l->task != PEFT_TASK_SEQ_CLS)
		return 0;
	if (l->problem == PEFT_PROBLEM_AUTO)
		l->problem = problem_of(r, n);
	return check_problem(l, r, n, err);
}

size_t
peft_labels_place(const int32_t *ids, size_t n, int32_t pad)
{
	size_t i = n;

	while (i > 0 && pad >= 0 && ids[i - 1] == pad)
		i--;
	return i > 0 ? i - 1 : 0;
}

static int32_t
number_of(const struct peft_labels *l, const char *name, struct peft_err *err)
{
	int32_t k = peft_labels_find(l, name);

	if (k == -1)
		peft_seterr(err, "class '%.80s' is none of the %zu that are "
		    "known", name, l->n);
	return k;
}

static int
apply_values(const struct peft_labels *l, struct peft_record *r,
    struct peft_err *err)
{
	int32_t k;
	size_t i;

	free(r->values);
	if ((r->values = peft_calloc(l->n, sizeof(*r->values), err)) == NULL)
		return -1;
	if (l->problem == PEFT_PROBLEM_VALUE) {
		r->values[0] = strtof(r->cls.name[0], NULL);
		return 0;
	}
	for (i = 0; i < r->cls.n; i++) {
		if ((k = number_of(l, r->cls.name[i], err)) == -1)
			return -1;
		r->values[k] = 1;
	}
	return 0;
}

static int
apply_one(const struct peft_labels *l, struct peft_record *r, int32_t pad,
    struct peft_err *err)
{
	size_t at = peft_labels_place(r->ids, r->n, pad), i;

	for (i = 0; i < r->n; i++)
		r->labels[i] = PEFT_IGNORE;
	for (i = 0; r->cls.kind == PEFT_CLASS_EACH && i < r->n; i++)
		if (r->cls.name[i] != NULL && (r->labels[i] = number_of(l,
		    r->cls.name[i], err)) == -1)
			return -1;
	if (r->cls.kind == PEFT_CLASS_EACH)
		return 0;
	if (l->problem != PEFT_PROBLEM_SINGLE) {
		r->labels[at] = 0;
		return apply_values(l, r, err);
	}
	r->labels[at] = number_of(l, r->cls.name[0], err);
	return r->labels[at] == -1 ? -1 : 0;
}

int
peft_labels_apply(const struct peft_labels *l, struct peft_record *r, size_t n,
    int32_t pad, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (apply_one(l, &r[i], pad, err) == -1)
			return peft_errprefix(err, "%s", peft_record_place(
			    &r[i], i + 1).text);
	return 0;
}
