/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual tokens: their rows of the embedding, their keys and values. */

#include <string.h>

#include "data/tokens.h"
#include "model/net-impl.h"

/* Those that a sequence gets: none behind what is in a cache. */
const struct peft_virtual *
peft_virtual_of(const struct peft_run *run, const struct peft_seq *s)
{
	const struct peft_virtual *v = run->net->sites.virtuals;

	if (s->kv != NULL && s->kv->len > 0)
		return NULL;
	while (v != NULL && v->adapter != s->adapter)
		v = v->next;
	return v;
}

size_t
peft_virtual_still(const struct peft_run *run, const struct peft_seq *s)
{
	const struct peft_virtual *v = run->net->sites.virtuals;

	while (v != NULL && v->adapter != s->adapter)
		v = v->next;
	if (v == NULL || !v->still)
		return 0;
	return s->kv != NULL && s->kv->len > 0 ? s->kv->virtuals : v->n;
}

/* Where the embeddings of a sequence's task begin. */
static size_t
task_at(const struct peft_run *run, const struct peft_virtual *v, size_t i)
{
	return v->tasks < 2 ? 0 : (size_t)run->given[i].task * v->n *
	    run->net->config.hidden;
}

void
peft_virtual_embed(struct peft_run *run, float *x)
{
	size_t D = run->net->config.hidden, i;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);
		float *row = x + peft_first(run, i) * D;

		if (v != NULL && v->embed != NULL)
			memcpy(row, v->embed + task_at(run, v, i), v->n * D *
			    sizeof(*row));
		else if (v != NULL)
			memset(row, 0, v->n * D * sizeof(*row));
	}
}

void
peft_virtual_embed_back(struct peft_run *run, const float *dx)
{
	size_t D = run->net->config.hidden, i;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);

		if (v != NULL && v->dembed != NULL)
			run->vec->add(v->dembed + task_at(run, v, i),
			    dx + peft_first(run, i) * D, v->n * D);
	}
}

/* A virtual token's keys and values of a layer, [n, layers, 2, K] of the
 * adapter, and where a head's lie in a row of queries, keys and values. */
static void
each_head(const struct peft_run *run, size_t layer, size_t j, float *own,
    float *row, bool back)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t hd = c->head_dim, h;

	own += (j * c->layers + layer) * 2 * c->kv_heads * hd;
	for (h = 0; h < 2 * c->kv_heads; h++, own += hd) {
		float *in = row + (h < c->kv_heads ? at->k + h * at->kstep :
		    at->v + (h - c->kv_heads) * at->vstep);

		if (back)
			run->vec->add(own, in, hd);
		else
			memcpy(in, own, hd * sizeof(*in));
	}
}

void
peft_virtual_keys(struct peft_run *run, size_t layer, float *qkv)
{
	size_t i, j;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);

		for (j = 0; v != NULL && v->kv != NULL && j < v->n; j++)
			each_head(run, layer, j, (float *)(uintptr_t)v->kv,
			    qkv + (peft_first(run, i) + j) * run->net->at.ld,
			    false);
	}
}

/* What came of them goes to the adapter, and nothing further down. */
void
peft_virtual_keys_back(struct peft_run *run, size_t layer, float *dqkv)
{
	size_t i, j, ld = run->net->at.ld;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);

		for (j = 0; v != NULL && v->kv != NULL && j < v->n; j++) {
			float *row = dqkv + (peft_first(run, i) + j) * ld;

			if (v->dkv != NULL)
				each_head(run, layer, j, v->dkv, row, true);
			memset(row, 0, ld * sizeof(*row));
		}
	}
}

/* The sequence with its virtual tokens: ids and labels from T on.  The first
 * token is predicted where there is an embedding before it. */
void
peft_virtual_whole(struct peft_run *run, size_t i, size_t T)
{
	const struct peft_seq *s = &run->given[i];
	const struct peft_virtual *v = peft_virtual_of(run, s);
	size_t extra = v == NULL ? 0 : v->n, j;

	run->whole[i] = *s;
	run->whole[i].n += extra;
	run->whole[i].ids = run->ids + T;
	for (j = 0; j < extra; j++) {
		run->ids[T + j] = -1;
		run->labels[T + j] = run->train && v->labels != NULL ?
		    v->labels[j] : PEFT_IGNORE;
	}
	memcpy(run->ids + T + extra, s->ids, s->n * sizeof(*s->ids));
	if (s->labels == NULL)
		return;
	run->whole[i].labels = run->labels + T;
	memcpy(run->labels + T + extra, s->labels, s->n * sizeof(*s->labels));
	if (v != NULL && v->embed == NULL && run->net->config.ahead > 0)
		run->labels[T + extra] = PEFT_IGNORE;
}
