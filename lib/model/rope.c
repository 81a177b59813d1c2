/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary angles, computed as transformers does (f32 throughout; formulas of
 * its modeling_rope_utils.py). */

#include <math.h>

#include "model/rope.h"

/* Llama 3's stretching of the low frequencies. */
static float
llama3(const struct peft_rope *r, float inv)
{
	double wavelen = 2 * M_PI / (double)inv, smooth;

	if (wavelen > r->original_max_position / r->low_freq_factor)
		return (float)((double)inv / r->factor);
	if (wavelen < r->original_max_position / r->high_freq_factor)
		return inv;
	smooth = (r->original_max_position / wavelen - r->low_freq_factor) /
	    (r->high_freq_factor - r->low_freq_factor);
	return (float)((1 - smooth) * (double)inv / r->factor +
	    smooth * (double)inv);
}

/* The dimension that turns so many times over the original length. */
static double
yarn_dim(const struct peft_rope *r, double dim, double turns)
{
	return dim * log(r->original_max_position / (turns * 2 * M_PI)) /
	    (2 * log(r->theta));
}

/* YaRN (Peng et al. 2023): high frequencies stay, low ones are divided. */
static float
yarn(const struct peft_rope *r, size_t i, size_t dim, float inv)
{
	double low = yarn_dim(r, (double)dim, r->beta_fast);
	double high = yarn_dim(r, (double)dim, r->beta_slow), ramp;

	if (r->truncate) {
		low = floor(low);
		high = ceil(high);
	}
	low = low > 0 ? low : 0;
	high = high < (double)dim - 1 ? high : (double)dim - 1;
	if (low == high)
		high += 0.001;
	ramp = ((double)i - low) / (high - low);
	ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
	return (float)((double)inv / r->factor * ramp +
	    (double)inv * (1 - ramp));
}

/* NTK-aware: the base grows with the length. */
static double
dynamic_theta(const struct peft_config *c, const struct peft_rope *r,
    size_t length)
{
	double dim = (double)c->rope_dim, max = (double)c->max_position;
	double len = (double)length > max ? (double)length : max;

	return r->theta * pow(r->factor * len / max - (r->factor - 1),
	    dim / (dim - 2));
}

static float
frequency(const struct peft_config *c, const struct peft_rope *r, size_t i,
    size_t length)
{
	double theta = r->kind == PEFT_ROPE_DYNAMIC && c->rope_dim > 2 ?
	    dynamic_theta(c, r, length) : r->theta;
	double power = pow(theta, 2 * (double)i / (double)c->rope_dim);
	float inv = (float)(1 / power);
	bool is_long = (double)length > r->original_max_position;

	switch (r->kind) {
	case PEFT_ROPE_DEFAULT:
	case PEFT_ROPE_DYNAMIC:
		break;
	case PEFT_ROPE_LINEAR:
		return inv / (float)r->factor;
	case PEFT_ROPE_LLAMA3:
		return llama3(r, inv);
	case PEFT_ROPE_YARN:
		return yarn(r, i, c->rope_dim, inv);
	case PEFT_ROPE_LONGROPE:
		return 1 / ((is_long ? r->long_factor[i] :
		    r->short_factor[i]) * (float)power);
	}
	return inv;
}

static double
mscale(double factor, double m)
{
	return factor <= 1 ? 1 : 0.1 * m * log(factor) + 1;
}

/* What cos and sin are multiplied by. */
static double
attention_factor(const struct peft_config *c, const struct peft_rope *r)
{
	double f = r->factor > 0 ? r->factor : (double)c->max_position /
	    r->original_max_position;

	if (r->attention_factor > 0)
		return r->attention_factor;
	if (r->kind == PEFT_ROPE_YARN)
		return r->mscale > 0 && r->mscale_all_dim > 0 ?
		    mscale(f, r->mscale) / mscale(f, r->mscale_all_dim) :
		    mscale(f, 1);
	if (r->kind == PEFT_ROPE_LONGROPE && f > 1)
		return sqrt(1 + log(f) / log(r->original_max_position));
	return 1;
}

void
peft_rope_table(const struct peft_config *c, int which, size_t length,
    size_t first, size_t n, float *cosv, float *sinv)
{
	const struct peft_rope *r = &c->rope[which];
	size_t half = c->rope_dim / 2, pos, i;
	float scale = r->kind == PEFT_ROPE_YARN ||
	    r->kind == PEFT_ROPE_LONGROPE ? (float)attention_factor(c, r) : 1;

	for (i = 0; i < half; i++) {
		float inv = frequency(c, r, i, length);

		for (pos = 0; pos < n; pos++) {
			float angle = (float)(first + pos) * inv;

			cosv[pos * half + i] = cosf(angle) * scale;
			sinv[pos * half + i] = sinf(angle) * scale;
		}
	}
}

bool
peft_rope_varies(const struct peft_config *c, size_t length)
{
	int i;

	for (i = 0; i < 2; i++) {
		const struct peft_rope *r = &c->rope[i];

		if ((r->kind == PEFT_ROPE_DYNAMIC &&
		    length > c->max_position) ||
		    (r->kind == PEFT_ROPE_LONGROPE &&
		    (double)length > r->original_max_position))
			return true;
	}
	return false;
}
