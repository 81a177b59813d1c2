/* SPDX-License-Identifier: Apache-2.0 */
/* What is added to scores of keys, or done to them: ALiBi (Press et al. 2021)
 * and caps. */

#include <math.h>

#include "base/half.h"
#include "model/net-impl.h"
#include "model/ops-impl.h"

/* The slopes for n heads, n a power of two, are 2^(-max i / n); for others
 * those of the next power of two, every second one first (as MPT and BLOOM
 * have it). */
void
peft_slopes(const struct peft_config *c, float *slope)
{
	size_t n = 1, h, i;

	while (n < c->heads)
		n *= 2;
	for (h = 0; h < c->heads; h++) {
		i = n == c->heads ? h + 1 : h < n / 2 ? 2 * (h + 1) :
		    2 * (h - n / 2) + 1;
		slope[h] = (float)exp2(-c->t.alibi * (double)i / (double)n);
	}
}

static float
to_bf16(float x)
{
	return peft_from_bf16(peft_to_bf16(x));
}

/* What Falcon adds to the score of a key before it is scaled: its place times
 * the slope, all three rounded to bfloat16.  (Not how far it is from the
 * query: so rounded, that is something else.) */
static float
coarse(float slope, size_t at)
{
	return to_bf16(to_bf16(slope) * to_bf16((float)at));
}

static void
add_coarse(const struct peft_net *net, size_t head, float *s, size_t n,
    size_t first, size_t ahead)
{
	float slope = net->slopes[head];
	float scale = (float)net->config.t.attn_scale;
	float own = coarse(slope, first + ahead);
	size_t j;

	for (j = 0; j < n; j++)
		s[j] += scale * (coarse(slope, first + j) - own);
}

void
peft_scores(const struct peft_run *run, size_t head, float *s, size_t n,
    size_t first, size_t ahead)
{
	const struct peft_net *net = run->net;
	float cap = (float)net->config.t.attn_cap;
	size_t j;

	if (cap > 0)
		peft_cap_row(run->vec, s, n, cap);
	if (net->slopes != NULL && net->config.t.alibi_coarse)
		add_coarse(net, head, s, n, first, ahead);
	else for (j = 0; net->slopes != NULL && j < n; j++)
		s[j] -= net->slopes[head] * (float)(ahead - j);
}
