/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual tokens: their rows of the embedding, their keys and values. */

#include <string.h>

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

void
peft_virtual_embed(struct peft_run *run, float *x)
{
	size_t D = run->net->config.hidden, i;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);
		float *row = x + run->first[i] * D;

		if (v != NULL && v->embed != NULL)
			memcpy(row, v->embed, v->n * D * sizeof(*row));
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
			run->vec->add(v->dembed, dx + run->first[i] * D,
			    v->n * D);
	}
}

/* The keys, then the values of the virtual token j at a layer. */
static size_t
place(const struct peft_run *run, size_t layer, size_t j)
{
	const struct peft_config *c = &run->net->config;

	return (j * c->layers + layer) * 2 * c->kv_heads * c->head_dim;
}

void
peft_virtual_keys(struct peft_run *run, size_t layer, float *qkv)
{
	const struct peft_config *c = &run->net->config;
	size_t q = c->heads * c->head_dim, kv = 2 * c->kv_heads * c->head_dim;
	size_t i, j;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);

		for (j = 0; v != NULL && v->kv != NULL && j < v->n; j++)
			memcpy(qkv + (run->first[i] + j) * (q + kv) + q,
			    v->kv + place(run, layer, j),
			    kv * sizeof(*qkv));
	}
}

/* What came of them goes to the adapter, and nothing further down. */
void
peft_virtual_keys_back(struct peft_run *run, size_t layer, float *dqkv)
{
	const struct peft_config *c = &run->net->config;
	size_t q = c->heads * c->head_dim, kv = 2 * c->kv_heads * c->head_dim;
	size_t i, j;

	if (run->net->sites.virtuals == NULL)
		return;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);

		for (j = 0; v != NULL && v->kv != NULL && j < v->n; j++) {
			float *row = dqkv + (run->first[i] + j) * (q + kv);

			if (v->dkv != NULL)
				run->vec->add(v->dkv + place(run, layer, j),
				    row + q, kv);
			memset(row, 0, (q + kv) * sizeof(*row));
		}
	}
}
