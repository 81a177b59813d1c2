/* SPDX-License-Identifier: Apache-2.0 */
/* Scales of ggml's blocks that are no numbers. */

#include <stdbool.h>
#include <string.h>

#include "base/half.h"
#include "quant/blocks.h"

/* Where a block has its f16 scale, and another or a minimum behind it. */
static const struct place {
	uint8_t	at, many;
} places[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = { 0, 1 }, [PEFT_Q4_1] = { 0, 2 }, [PEFT_Q5_0] = { 0, 1 },
	[PEFT_Q5_1] = { 0, 2 }, [PEFT_Q8_0] = { 0, 1 },
	[PEFT_Q2_K] = { 80, 2 }, [PEFT_Q3_K] = { 108, 1 },
	[PEFT_Q4_K] = { 0, 2 }, [PEFT_Q5_K] = { 0, 2 },
	[PEFT_Q6_K] = { 208, 1 }, [PEFT_IQ4_NL] = { 0, 1 },
	[PEFT_IQ4_XS] = { 0, 1 }, [PEFT_TQ1_0] = { 52, 1 },
	[PEFT_TQ2_0] = { 64, 1 }, [PEFT_IQ1_S] = { 0, 1 },
	[PEFT_IQ2_XXS] = { 0, 1 }, [PEFT_IQ2_XS] = { 0, 1 },
	[PEFT_IQ2_S] = { 0, 1 }, [PEFT_IQ3_XXS] = { 0, 1 },
	[PEFT_IQ3_S] = { 0, 1 },
};

static bool
bad_half(unsigned h)
{
	return (h & 0x7c00) == 0x7c00;
}

/* Those that have it otherwise: f32, and four bits in each of four words. */
static bool
bad_other(enum peft_dtype t, const uint8_t *p)
{
	unsigned h = 0, i;
	uint32_t u;

	if (t == PEFT_Q8_K) {
		memcpy(&u, p, sizeof(u));
		return (u & 0x7f800000u) == 0x7f800000u;
	}
	for (i = 0; t == PEFT_IQ1_M && i < 4; i++)
		h |= (unsigned)peft_load16(p + 48 + 2 * i) >> 12 << 4 * i;
	return bad_half(h);
}

size_t
peft_blocks_bad(enum peft_dtype t, const uint8_t *p, size_t nbytes)
{
	const struct place pl = places[t];
	size_t step = peft_dtypes[t].bytes, i, bad = 0;

	if (pl.many == 0 && t != PEFT_Q8_K && t != PEFT_IQ1_M)
		return 0;
	for (i = 0; i + step <= nbytes; i += step)
		bad += pl.many == 0 ? bad_other(t, p + i) :
		    bad_half(peft_load16(p + i + pl.at)) || (pl.many > 1 &&
		    bad_half(peft_load16(p + i + pl.at + 2)));
	return bad;
}
