/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens drawn from a model's own predictions. */

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "eval/fisher-impl.h"
#include "merge/logits.h"

static const size_t room = (size_t)64 << 20;	/* of logits, bytes */

/* A token drawn by its probability: the first at which the sum of them, in
 * order, passes u. */
static int32_t
draw(const float *logits, size_t n, double u)
{
	double lse = peft_logsum(logits, n), sum = 0;
	size_t i;

	for (i = 0; i + 1 < n; i++) {
		sum += exp((double)logits[i] - lse);
		if (sum > u)
			break;
	}
	return (int32_t)i;
}

/* A tile of logits at a time. */
int
peft_draws_record(struct peft_draws *d, struct peft_run *run,
    const struct peft_record *rec, struct peft_err *err)
{
	struct peft_seq seq = { .ids = rec->ids, .n = rec->n, .weight = 1,
	    .adapter = -1 };
	size_t at, i, n;

	d->labels[0] = PEFT_IGNORE;
	for (at = 0; at + 1 < rec->n; at += n) {
		n = rec->n - 1 - at < d->tile ? rec->n - 1 - at : d->tile;
		for (i = 0; i < n; i++)
			d->rows[i] = at + i;
		if (peft_run_logits(run, &seq, 1, d->rows, n, d->logits,
		    err) == -1)
			return -1;
		for (i = 0; i < n; i++)
			d->labels[at + i + 1] = draw(d->logits + i * d->vocab,
			    d->vocab, peft_rng_uniform(d->rng, d->record,
			    at + i));
	}
	d->record++;
	return 0;
}

int
peft_draws_open(struct peft_draws *d, size_t vocab, size_t longest,
    struct peft_err *err)
{
	d->vocab = vocab;
	d->rng = peft_rng_key(0, "fisher");
	d->tile = room / (vocab * sizeof(float));
	d->tile = d->tile < 1 ? 1 : d->tile > longest ? longest : d->tile;
	d->labels = peft_calloc(longest, sizeof(*d->labels), err);
	d->rows = peft_calloc(d->tile, sizeof(*d->rows), err);
	d->logits = peft_calloc(d->tile * vocab, sizeof(float), err);
	return d->labels == NULL || d->rows == NULL || d->logits == NULL ?
	    -1 : 0;
}

void
peft_draws_free(struct peft_draws *d)
{
	free(d->labels);
	free(d->rows);
	free(d->logits);
}
