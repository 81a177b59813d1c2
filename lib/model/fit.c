/* SPDX-License-Identifier: Apache-2.0 */
/* How many sequences a micro-batch has room for. */

#include "data/tokens.h"
#include "model/net-impl.h"
#include "model/target-impl.h"
#include "model/rope.h"

/* Virtual tokens are each sequence's own, and angles that vary with its
 * length are, too; and texts that are alike may have other classes. */
bool
peft_net_shares(const struct peft_net *net, const struct peft_caps *caps)
{
	return caps->share && net->sites.virtuals == NULL &&
	    net->sites.invocations == NULL &&
	    !net->sites.whole && net->config.ahead > 0 &&
	    (net->config.t.norope || !peft_rope_varies(&net->config,
	    caps->seq));
}

static size_t
virtual_tokens(const void *ctx, const struct peft_seq *seq)
{
	const struct peft_virtual *v = peft_virtual_of(ctx, seq);

	return v == NULL ? 0 : v->n;
}

size_t
peft_run_targets(const struct peft_run *run, const struct peft_seq *s,
    bool train)
{
	const struct peft_virtual *v = peft_virtual_of(run, s);
	bool ahead = run->net->config.ahead > 0;
	size_t n = 0, i;

	/* the first is predicted where there is an embedding before it */
	for (i = ahead && (v == NULL || v->embed == NULL); i < s->n; i++)
		n += peft_seq_label(s, i) != PEFT_IGNORE;
	for (i = 1; train && v != NULL && v->labels != NULL && i < v->n; i++)
		n += v->labels[i] != PEFT_IGNORE;
	return n;
}

/* Of these sequences, how many from the first on are supervised at no more
 * places than there are rows for?  (What they share is counted for each.) */
static size_t
rows_fit(const struct peft_run *run, const struct peft_seq *seqs, size_t n)
{
	size_t rows = 0, i;

	if (run->caps.rows == 0 || run->caps.rows >= run->caps.tokens)
		return n;
	for (i = 0; i < n; i++) {
		rows += peft_run_targets(run, &seqs[i], run->caps.train);
		if (rows > run->caps.rows)
			return i;
	}
	return n;
}

size_t
peft_run_fit(struct peft_run *run, const struct peft_seq *seqs, size_t nseqs)
{
	size_t most = nseqs < run->caps.seqs ? nseqs : run->caps.seqs;

	return peft_tree_fit(&run->tree, seqs, rows_fit(run, seqs, most),
	    peft_net_shares(run->net, &run->caps), virtual_tokens, run,
	    run->caps.tokens);
}
