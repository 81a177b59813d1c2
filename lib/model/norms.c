/* SPDX-License-Identifier: Apache-2.0 */
/* Norms, each stretch of rows with the vectors of its adapter. */

#include <math.h>

#include "model/net-impl.h"

void
peft_norm_rows(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, float *y,
    const float *x, const size_t *at)
{
	size_t D = site->in, i, t;

	for (i = 0; i < nranges; i++) {
		struct peft_vectors v = peft_hooks_vectors(site,
		    ranges[i].adapter);

		for (t = ranges[i].first; t < ranges[i].first + ranges[i].n;
		    t++)
			(void)run->vec->rmsnorm(y + t * D,
			    x + (at == NULL ? t : at[t]) * D, v.w, D,
			    (float)run->net->config.norm_eps);
	}
}

/* dw += dy x / rms(x), by rows. */
static void
weight_back(const struct peft_run *run, const float *dy, const float *x,
    float r, size_t D, float *dw)
{
	size_t j;

	(void)run;
	for (j = 0; j < D; j++)
		dw[j] += dy[j] * x[j] * r;
}

void
peft_norm_rows_back(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, float *dx,
    const float *dy, const float *x, const size_t *at)
{
	size_t D = site->in, i, t;

	for (i = 0; i < nranges; i++) {
		struct peft_vectors v = peft_hooks_vectors(site,
		    ranges[i].adapter);

		for (t = ranges[i].first; t < ranges[i].first + ranges[i].n;
		    t++) {
			size_t k = at == NULL ? t : at[t];
			double ms = run->vec->sumsq(x + k * D, D) / (double)D;
			float r = (float)(1 / sqrt(ms +
			    run->net->config.norm_eps));

			if (v.dw != NULL)
				weight_back(run, dy + t * D, x + k * D, r, D,
				    v.dw);
			run->vec->rmsnorm_back(dx + k * D, dy + t * D,
			    x + k * D, v.w, r, D);
		}
	}
}

/* All rows: on all threads, unless some adapter has vectors of its own. */
void
peft_norm(struct peft_run *run, const struct peft_site *site, float *y,
    const float *x)
{
	if (peft_hooks_have(site, PEFT_HAS_VECTOR))
		peft_norm_rows(run, site, run->ranges, run->nranges, y, x,
		    NULL);
	else
		peft_op_norm(run, y, x, site->norm, run->T);
}

void
peft_norm_back(struct peft_run *run, const struct peft_site *site, float *dx,
    const float *dy, const float *x)
{
	if (peft_hooks_have(site, PEFT_HAS_VECTOR))
		peft_norm_rows_back(run, site, run->ranges, run->nranges, dx,
		    dy, x, NULL);
	else
		peft_op_norm_back(run, dx, dy, x, site->norm, run->T);
}
