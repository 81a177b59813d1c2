/* SPDX-License-Identifier: Apache-2.0 */
/* Norms, each stretch of rows with the vectors of its adapter. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

struct peft_normal
peft_norm_of(const struct peft_normal *norm, int adapter,
    struct peft_vectors *v)
{
	struct peft_normal own = *norm;

	*v = (struct peft_vectors){ .w = norm->w, .b = norm->b };
	if (norm->site != NULL)
		*v = peft_hooks_vectors(norm, adapter);
	own.w = (float *)(uintptr_t)v->w;
	own.b = (float *)(uintptr_t)v->b;
	return own;
}

size_t
peft_norm_widest(const struct peft_config *c)
{
	size_t heads = c->heads * c->head_dim, n = c->hidden;

	n = n > heads ? n : heads;
	return n > c->kv_rank ? n : c->kv_rank;
}

void
peft_norm_rows(struct peft_run *run, const struct peft_normal *norm,
    const struct peft_range *ranges, size_t nranges, float *y,
    const float *x, size_t ldx, const size_t *at)
{
	size_t i, t;

	for (i = 0; i < nranges; i++) {
		size_t first = ranges[i].first, end = first + ranges[i].n;
		struct peft_vectors v;
		struct peft_normal own = peft_norm_of(norm,
		    ranges[i].adapter, &v);

		for (t = first; t < end; t++)
			peft_norm_row(run, &own, 0, y + t * norm->n,
			    x + (at == NULL ? t : at[t]) * ldx);
	}
}

void
peft_norm_vectors_back(const struct peft_run *run,
    const struct peft_normal *norm, size_t group,
    const struct peft_vectors *v, const float *dy, const float *x)
{
	struct peft_normal plain = *norm;
	float *dw = v->dw + group * norm->n;
	size_t j;

	plain.w = run->ones;
	plain.b = NULL;
	plain.groups = 1;
	peft_norm_row(run, &plain, 0, run->unit, x);
	for (j = 0; j < norm->n; j++)
		dw[j] += dy[j] * run->unit[j];
	if (v->db != NULL)
		run->vec->add(v->db, dy, norm->n);
}

void
peft_norm_rows_back(struct peft_run *run, const struct peft_normal *norm,
    const struct peft_range *ranges, size_t nranges, float *dx,
    const float *dy, const float *x, size_t ldx, const size_t *at)
{
	size_t i, t;

	for (i = 0; i < nranges; i++) {
		size_t first = ranges[i].first, end = first + ranges[i].n;
		struct peft_vectors v;
		struct peft_normal own = peft_norm_of(norm,
		    ranges[i].adapter, &v);

		for (t = first; t < end; t++) {
			const float *d = dy + t * norm->n;
			size_t k = (at == NULL ? t : at[t]) * ldx;

			if (v.dw != NULL)
				peft_norm_vectors_back(run, &own, 0, &v,
				    d, x + k);
			peft_norm_back_row(run, &own, 0, dx + k, d, x + k);
		}
	}
}
