/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary angles, computed as transformers does (f32 throughout). */

#include <math.h>

#include "model/net-impl.h"
#include "model/rope.h"

/* Llama 3's stretching of the low frequencies (formats of transformers'
 * modeling_rope_utils, "llama3"). */
static float
llama3(const struct peft_rope *r, float inv)
{
	double wavelen = 2 * M_PI / (double)inv, smooth;

	if (r->factor == 0)
		return inv;
	if (wavelen > r->original_max_position / r->low_freq_factor)
		return (float)((double)inv / r->factor);
	if (wavelen < r->original_max_position / r->high_freq_factor)
		return inv;
	smooth = (r->original_max_position / wavelen - r->low_freq_factor) /
	    (r->high_freq_factor - r->low_freq_factor);
	return (float)((1 - smooth) * (double)inv / r->factor +
	    smooth * (double)inv);
}

void
peft_rope_table(const struct peft_config *c, size_t n, float *cosv, float *sinv)
{
	size_t half = c->head_dim / 2, pos, i;

	for (i = 0; i < half; i++) {
		float inv = (float)(1 / pow(c->rope.theta,
		    2 * (double)i / (double)c->head_dim));

		inv = llama3(&c->rope, inv);
		for (pos = 0; pos < n; pos++) {
			float angle = (float)pos * inv;

			cosv[pos * half + i] = cosf(angle);
			sinv[pos * half + i] = sinf(angle);
		}
	}
}
