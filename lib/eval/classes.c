/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring a head for classes. */

#include <stdlib.h>

#include "base/buf.h"
#include "eval/classes.h"

/* The numbers of the records' classes, by the head's names for them. */
static int
apply(const struct peft_config *c, struct peft_labels *l,
    struct peft_records *r, struct peft_err *err)
{
	struct peft_labels want = { .task = l->task, .problem = l->problem };

	if (peft_labels_task(&want, r->at, r->n, err) == -1)
		return -1;
	/* what neither config nor adapter says, the records do */
	if (l->problem == PEFT_PROBLEM_AUTO)
		l->problem = want.problem;
	if (l->problem == PEFT_PROBLEM_VALUE && l->n != 1)
		return peft_seterr(err, "the records' classes are values, the "
		    "head has %zu classes", l->n);
	return peft_labels_apply(l, r->at, r->n, c->pad, err);
}

static void
write_all(const struct peft_records *r, const struct peft_told *told,
    const struct peft_classopt *o, const char *system, struct peft_tally *t,
    struct peft_buf *b)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		peft_tally_add(t, system, i + 1, &r->at[i], &told[i],
		    o->brief || o->table ? NULL : b);
	if (o->table)
		peft_tally_table(b, system, t);
	else
		peft_tally_put(b, system, t);
}

int
peft_measure_classes(struct peft_session *ses, int adapter,
    struct peft_records *r, const struct peft_classopt *o,
    struct peft_out *out, struct peft_summary *sum, struct peft_err *err)
{
	const char *system = adapter < 0 ? "base" :
	    ses->adapters[adapter].name;
	struct peft_labels l = *peft_session_labels(ses, adapter);
	struct peft_told *told = peft_calloc(r->n + 1, sizeof(*told), err);
	struct peft_tally t = { 0 };
	struct peft_buf b = { 0 };
	int status = -1;

	if (told != NULL && apply(peft_net_config(ses->net), &l, r,
	    err) == 0 && peft_tally_open(&t, &l, err) == 0 &&
	    peft_tell(ses, adapter, r->at, r->n, told, err) == 0) {
		write_all(r, told, o, system, &t, &b);
		*sum = peft_tally_summary(&t);
		status = b.failed ? peft_seterr(err, "no memory for the "
		    "results") : peft_out_write(out, b.data, b.len, err);
	}
	peft_told_free(told, r->n);
	peft_tally_free(&t);
	peft_buf_free(&b);
	return status;
}
