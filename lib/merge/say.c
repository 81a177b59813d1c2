/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told of a merge. */

#include <math.h>

#include "base/err.h"
#include "merge/merge.h"

void
peft_mergesum_say(const struct peft_mergesum *s, const struct peft_verdict *v)
{
	const struct peft_change *c = &s->change;

	peft_warn("%zu of %zu weights changed; the delta's norm is %.4g, the "
	    "base's %.4g", s->changed, s->merged, sqrt(c->delta2),
	    sqrt(c->base2));
	peft_warn("%.1f %% of the delta survived rounding (correlation %.3f; "
	    "least %.1f %%, in %s)", 100 * peft_change_survived(c),
	    peft_change_correlation(c), 100 * s->least_survived, s->least);
	if (v == NULL)
		return;
	peft_warn("verify: over %zu positions logits differ by %.3g (root mean "
	    "square; limit %.3g, they vary by %.3g), at most by %.3g",
	    v->positions, v->rms, v->limit * v->scale, v->scale, v->max);
	peft_warn("verify: KL to base + adapters is %.3g (largest %.3g); that "
	    "of the base alone is %.3g", v->kl, v->max_kl, v->base_kl);
}
