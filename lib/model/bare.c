/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices that are written rounded. */

#include "model/bare-impl.h"
#include "model/beside-impl.h"
#include "model/hooks-impl.h"

static bool
is_bare(struct peft_run *run, const struct peft_linear *l)
{
	return l->site != NULL && l->bias == NULL && !l->site->transposed &&
	    peft_is_alone(run, l->site);
}

bool
peft_are_bare(struct peft_run *run, const struct peft_linear *lin, size_t n)
{
	size_t i;

	if (run->checking || peft_product_is_few(run->net->cpu, run->T))
		return false;
	for (i = 0; i < n; i++)
		if (!is_bare(run, &lin[i]))
			return false;
	return true;
}

size_t
peft_halves_fit(const struct peft_run *run, size_t n)
{
	size_t ld = peft_product_halves(run->net->cpu, n);
	size_t rows = (run->T + PEFT_KSTEP - 1) / PEFT_KSTEP * PEFT_KSTEP;

	return rows * ld * sizeof(uint16_t) <= run->caps.tokens * n *
	    sizeof(float) ? ld : 0;
}

bool
peft_takes_halves(const struct peft_run *run, const struct peft_normal *norm)
{
	return norm->n > 0 && peft_halves_fit(run, norm->n) > 0 &&
	    (norm->site == NULL || !peft_hooks_have(norm->site,
	    PEFT_HAS_VECTOR));
}

const uint16_t *
peft_normed_halves(struct peft_run *run, const struct peft_normal *norm,
    const float *x)
{
	uint16_t *y = (uint16_t *)(void *)run->normed;

	if (!peft_takes_halves(run, norm))
		return NULL;
	peft_op_norm_halves(run, norm, y, peft_halves_fit(run, norm->n), x);
	return y;
}

const uint16_t *
peft_queries_halves(struct peft_run *run, size_t layer, const float *x)
{
	const struct peft_layer *l = &run->net->layers[layer];
	bool one = l->lin[PEFT_QKV].site != NULL;

	if (l->lin[PEFT_KV_A].site != NULL || peft_is_kept(run, layer) ||
	    run->net->attention[layer].hooks != NULL ||
	    !peft_are_bare(run, &l->lin[one ? PEFT_QKV : PEFT_Q], one ? 1 : 3))
		return NULL;
	return peft_normed_halves(run, &l->norm[PEFT_ATTN_NORM], x);
}
