/* SPDX-License-Identifier: Apache-2.0 */
/* The merging itself: a weight at a time from the base into the sink. */

#include <stdlib.h>
#include <string.h>

#include "merge/merge-impl.h"
#include "quant/quant.h"

/* Rows of the base with each adapter's change upon them, the last outermost:
 * chain[nfolds + 1], of which those used are linked through the rows. */
static int
stack(struct peft_merge *m, const char *name, struct peft_rows *chain,
    size_t *top, struct peft_err *err)
{
	size_t i;
	int r;

	for (*top = i = 0; i < m->nfolds; i++) {
		r = peft_adapter_merge(m->folds[i].adapter, name,
		    &chain[*top], m->folds[i].weight, &chain[*top + 1], err);
		if (r == -1)
			return -1;
		*top += (size_t)r;
	}
	return 0;
}

static void
unstack(struct peft_rows *chain, size_t top)
{
	for (; top > 0; top--)
		peft_rows_free(&chain[top]);
}

/* What has to be encoded is measured; bytes that stay are copied. */
static int
pass(struct peft_merge *m, const struct peft_made *p,
    const struct peft_weight *w, struct peft_sink *sink,
    struct peft_rows *chain, struct peft_change *change, struct peft_err *err)
{
	struct peft_measure measure = { .spec = &p->spec, .rows = w->rows,
	    .cols = w->cols };
	struct peft_rows rows;
	size_t top;
	int r;

	chain[0] = peft_rows_of(w);
	if (!p->merged && (sink == NULL || p->spec.dtype == w->dtype))
		return sink == NULL ? 0 : peft_sink_put(sink, &chain[0], err);
	if (stack(m, p->spec.name, chain, &top, err) == -1)
		return -1;
	measure.base = chain[0];
	measure.merged = chain[top];
	rows = peft_measure_rows(&measure);
	r = sink == NULL ? peft_measure_run(&measure, err) :
	    peft_sink_put(sink, &rows, err);
	*change = measure.change;
	peft_measure_free(&measure);
	unstack(chain, top);
	return r;
}

static void
account(struct peft_merge *m, const struct peft_made *p,
    const struct peft_change *c, struct peft_mergesum *sum)
{
	double survived = peft_change_survived(c);

	peft_change_add(&m->all, c);
	if (!p->merged)
		return;
	peft_change_add(&sum->change, c);
	sum->merged++;
	sum->changed += c->changed > 0;
	if (c->delta2 > 0 && (sum->least[0] == '\0' ||
	    survived < sum->least_survived)) {
		snprintf(sum->least, sizeof(sum->least), "%s", p->spec.name);
		sum->least_survived = survived;
	}
}

/* The next one, but for a head that is not used. */
static int
next_used(struct peft_merge *m, struct peft_weight *w, struct peft_err *err)
{
	int r;

	do
		r = peft_source_next(m->base, w, err);
	while (r == 1 && peft_config_unused(&m->config, w->name));
	return r;
}

/* The next weight of the base.  Files are streamed, so that each is forgotten
 * once it was written; a pipe is not, when it has been read to its end for
 * the hash or gives its parts in an order of its own. */
static int
fetch(struct peft_merge *m, size_t i, bool stream, struct peft_weight *w,
    struct peft_err *err)
{
	int r;

	if (!stream || peft_source_grafted(m->base, i))
		return peft_source_load(m->base, i, w, err);
	r = next_used(m, w, err);
	if (r == 0 || (r == 1 && strcmp(w->name, peft_source_at(m->base,
	    i)->name) != 0))
		return peft_seterr(err, "%s: weights come in another order "
		    "than was announced", peft_source_label(m->base));
	return r == -1 ? -1 : 0;
}

static bool
may_stream(const struct peft_merge *m)
{
	size_t i;

	for (i = 0; m->pipe && i < peft_source_count(m->base); i++)
		if (peft_source_at(m->base, i)->scales.nabsmax > 0)
			return false;
	return !m->pipe || (m->hash[0] == '\0' && m->verdict == NULL);
}

static int
judge(const struct peft_merge *m, const struct peft_mergesum *sum,
    struct peft_err *err)
{
	double survived = peft_change_survived(&sum->change);

	if (sum->merged == 0 || sum->change.delta2 == 0)
		return peft_setfail(err, PEFT_CHECK, "the merged model would "
		    "equal the base: the adapters add nothing to the %zu "
		    "weights they are for", sum->merged);
	if (m->opt.floor > 0 && !(survived >= m->opt.floor))
		return peft_setfail(err, PEFT_CHECK, "only %.1f %% of what the "
		    "adapters add would survive the rounding into the output's "
		    "type (least in %s: %.1f %%); --force-lossy writes it all "
		    "the same", 100 * survived, sum->least,
		    100 * sum->least_survived);
	return 0;
}

/* The last weight is measured first and written when all was judged: what is
 * refused is never a whole stream, whoever may be reading it. */
static int
pass_last(struct peft_merge *m, const struct peft_made *p,
    const struct peft_weight *w, struct peft_sink *sink,
    struct peft_rows *chain, struct peft_change *change,
    struct peft_mergesum *sum, struct peft_err *err)
{
	struct peft_change again = { 0 };

	if (pass(m, p, w, NULL, chain, change, err) == -1)
		return -1;
	account(m, p, change, sum);
	if (judge(m, sum, err) == -1)
		return -1;
	return sink == NULL ? 0 : pass(m, p, w, sink, chain, &again, err);
}

static int
pass_all(struct peft_merge *m, struct peft_sink *sink,
    struct peft_rows *chain, bool stream, const struct peft_mergewatch *watch,
    struct peft_mergesum *sum, struct peft_err *err)
{
	struct peft_weight w;
	size_t i;
	int r;

	for (i = 0; i < m->nmade; i++) {
		const struct peft_made *p = &m->made[i];
		struct peft_mergeline line = { .name = p->spec.name,
		    .to = p->spec.dtype, .merged = p->merged, .i = i,
		    .n = m->nmade };

		/* an untied head is made from the embedding just read */
		if ((i == 0 || p->from != m->made[i - 1].from) &&
		    fetch(m, p->from, stream, &w, err) == -1)
			return -1;
		if (i == m->nmade - 1)
			r = pass_last(m, p, &w, sink, chain, &line.change, sum,
			    err);
		else if ((r = pass(m, p, &w, sink, chain, &line.change,
		    err)) == 0)
			account(m, p, &line.change, sum);
		if (r == -1)
			return -1;
		line.from = w.dtype;
		watch->line(watch->ctx, &line);
	}
	/* the pipe's end, and what should not be behind it */
	if (stream && (r = next_used(m, &w, err)) != 0)
		return r == -1 ? -1 : peft_seterr(err, "%s: more weights than "
		    "were announced", peft_source_label(m->base));
	return 0;
}

static struct peft_sink *
open_sink(struct peft_merge *m, struct peft_err *err)
{
	struct peft_sinkopt o = { .path = m->opt.output,
	    .force = m->opt.force, .shard = m->opt.shard, .kind = "model",
	    .from = peft_source_label(m->base), .file_type = m->opt.mix };
	struct peft_spec *specs;
	struct peft_sink *sink;
	size_t i;

	if (m->verdict != NULL)
		o.check = (struct peft_check){ peft_merge_look, m };
	specs = peft_calloc(m->nmade, sizeof(*specs), err);
	if (specs == NULL)
		return NULL;
	for (i = 0; i < m->nmade; i++)
		specs[i] = m->made[i].spec;
	sink = peft_sink_open(&o, specs, m->nmade, m->sides, m->nsides, err);
	free(specs);
	return sink;
}

int
peft_merge_run(struct peft_merge *m, bool dry,
    const struct peft_mergewatch *watch, struct peft_mergesum *sum,
    struct peft_err *err)
{
	struct peft_sink *sink = NULL;
	struct peft_rows *chain;
	int r;

	memset(sum, 0, sizeof(*sum));
	if (peft_merge_plan(m, err) == -1)
		return -1;
	if ((chain = peft_calloc(m->nfolds + 1, sizeof(*chain), err)) == NULL)
		return -1;
	if (!dry && (sink = open_sink(m, err)) == NULL) {
		free(chain);
		return -1;
	}
	r = pass_all(m, sink, chain, may_stream(m), watch, sum, err);
	free(chain);
	if (r == -1) {
		peft_sink_abort(sink);
		return -1;
	}
	return dry ? 0 : peft_sink_commit(sink, err);
}
