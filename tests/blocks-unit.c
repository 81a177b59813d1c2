/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of ggml's whose scales are no numbers are those that decode to what
 * is no number: random bytes of every type. */

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "quant/blocks.h"
#include "quant/decode.h"
#include "tap.h"

enum { BLOCKS = 2000 };

static bool
decodes(enum peft_dtype t, const uint8_t *block)
{
	float x[PEFT_MAXBLOCK];
	size_t n = peft_dtypes[t].block, i;

	peft_decoders_ref.plain[t](block, n, x);
	for (i = 0; i < n && isfinite(x[i]); i++)
		;
	return i == n;
}

/* An f32 scale that is a number may still be too large: bad <= all. */
static void
test_type(enum peft_dtype t)
{
	const struct peft_dtype_info *d = &peft_dtypes[t];
	struct peft_rng key = peft_rng_key(t, "blocks-unit");
	uint8_t b[512];
	size_t i, k, all = 0, bad = 0, one, wrong = 0;

	for (i = 0; i < BLOCKS; i++) {
		for (k = 0; k < d->bytes; k++)
			b[k] = (uint8_t)peft_rng_u64(key, i, k);
		one = peft_blocks_bad(t, b, d->bytes);
		wrong += one > 1 || (one == 1 && decodes(t, b));
		bad += one;
		all += !decodes(t, b);
	}
	ok(wrong == 0 && bad > 0 && (bad == all || (t == PEFT_Q8_K &&
	    bad < all)), "%s: %zu of %d blocks, %zu decode to no numbers",
	    d->name, bad, BLOCKS, all);
}

int
main(void)
{
	uint8_t b[34 * 3] = { 0 };
	int t, n = 0;

	for (t = 0; t < PEFT_NDTYPE; t++)
		if (peft_dtypes[t].ggml >= 0 && peft_dtypes[t].block > 1 &&
		    t != PEFT_MXFP4) {
			test_type((enum peft_dtype)t);
			n++;
		}
	ok(n == 22, "all %d types with scales of floats", n);
	b[34 + 1] = b[68 + 1] = 0x7c;
	ok(peft_blocks_bad(PEFT_Q8_0, b, sizeof(b)) == 2, "two of three");
	memset(b, 0xff, sizeof(b));
	ok(peft_blocks_bad(PEFT_MXFP4, b, sizeof(b)) == 0 &&
	    peft_blocks_bad(PEFT_F32, b, sizeof(b)) == 0, "none has others");
	return tap_end();
}
