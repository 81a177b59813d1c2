/* SPDX-License-Identifier: Apache-2.0 */
/* What heads for classes tell of records. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/classify.h"
#include "math/vec.h"

enum { BATCH_TOKENS = 2048, BATCH_SEQS = 64 };

void
peft_told_free(struct peft_told *t, size_t n)
{
	size_t i;

	for (i = 0; t != NULL && i < n; i++) {
		free(t[i].at);
		free(t[i].out);
	}
	free(t);
}

/* Is token i one of them? */
static bool
is_place(const struct peft_record *r, size_t i)
{
	size_t k;

	if (r->nwords == 0 && r->cls.kind == PEFT_CLASS_EACH)
		return r->cls.name[i] != NULL;
	for (k = 0; k < r->nwords; k++)
		if (r->words[k] == i)
			return true;
	return r->nwords == 0;
}

static int
find_places(const struct peft_config *c, const struct peft_record *r,
    struct peft_told *t, struct peft_err *err)
{
	bool each = c->task == PEFT_TASK_TOKEN_CLS;
	size_t i;

	if ((t->at = peft_calloc(each ? r->n : 1, sizeof(*t->at),
	    err)) == NULL)
		return -1;
	if (!each)
		t->at[t->n++] = peft_labels_place(r->ids, r->n, c->pad);
	for (i = 0; each && i < r->n; i++)
		if (is_place(r, i))
			t->at[t->n++] = i;
	t->out = peft_calloc(t->n * c->outputs + 1, sizeof(*t->out), err);
	return t->out == NULL ? -1 : 0;
}

/* As many of them as fit; *taken. */
static int
tell_some(struct peft_run *run, size_t outputs, int adapter,
    const struct peft_record *r, struct peft_told *t, size_t n,
    size_t *taken, struct peft_err *err)
{
	struct peft_seq seqs[BATCH_SEQS];
	size_t i, k, first = 0, nrows = 0, *rows;
	float *out;
	int status = -1;

	for (k = 0; k < n && k < BATCH_SEQS; k++)
		seqs[k] = (struct peft_seq){ .ids = r[k].ids, .n = r[k].n,
		    .weight = 1, .adapter = adapter };
	*taken = k = peft_run_fit(run, seqs, k);
	for (i = 0; i < k; i++)
		nrows += t[i].n;
	rows = peft_calloc(nrows + 1, sizeof(*rows), err);
	out = peft_calloc(nrows * outputs + 1, sizeof(*out), err);
	for (nrows = 0, i = 0; rows != NULL && out != NULL && i < k;
	    first += r[i++].n) {
		size_t j;

		for (j = 0; j < t[i].n; j++)
			rows[nrows++] = first + t[i].at[j];
	}
	if (rows != NULL && out != NULL)
		status = peft_run_logits(run, seqs, k, rows, nrows, out, err);
	for (nrows = 0, i = 0; status == 0 && i < k; nrows += t[i++].n)
		memcpy(t[i].out, out + nrows * outputs, t[i].n * outputs *
		    sizeof(*out));
	free(rows);
	free(out);
	return status;
}

int
peft_tell(struct peft_session *ses, int adapter, const struct peft_record *r,
    size_t n, struct peft_told *t, struct peft_err *err)
{
	size_t extra = peft_sites_virtual(peft_net_sites(ses->net), adapter);
	const struct peft_config *c = peft_net_config(ses->net);
	struct peft_caps caps = { .seqs = BATCH_SEQS };
	struct peft_run *run;
	size_t i, k;
	int status = 0;

	for (i = 0; i < n; i++) {
		if (find_places(c, &r[i], &t[i], err) == -1)
			return -1;
		caps.seq = r[i].n > caps.seq ? r[i].n : caps.seq;
	}
	caps.seq += extra;
	caps.tokens = caps.seq > BATCH_TOKENS ? caps.seq : BATCH_TOKENS;
	caps.tokens += extra * caps.seqs;
	if ((run = peft_run_open(ses->net, &caps, err)) == NULL)
		return -1;
	for (i = 0; status == 0 && i < n; i += k)
		if ((status = tell_some(run, c->outputs, adapter, r + i, t + i,
		    n - i, &k, err)) == -1)
			peft_errprefix(err, "records %zu to %zu", i + 1,
			    i + k);
	peft_run_close(run);
	return status;
}

size_t
peft_told_class(const struct peft_labels *l, float *out, double *p)
{
	size_t i, best;

	if (l->problem == PEFT_PROBLEM_VALUE) {
		*p = 1;
		return 0;
	}
	best = peft_vec_best()->argmax(out, l->n);
	if (l->problem == PEFT_PROBLEM_MULTI)
		for (i = 0; i < l->n; i++)
			out[i] = 1 / (1 + expf(-out[i]));
	else
		(void)peft_vec_best()->softmax(out, l->n);
	*p = (double)out[best];
	return best;
}
