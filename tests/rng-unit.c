/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, and random numbers as functions of a key and a counter. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "tap.h"

static void
test_hash(void)
{
	struct peft_sha256 h;
	char hex[PEFT_SHA256_HEX];
	int i;

	peft_sha256_of("abc", 3, hex);
	ok(strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410"
	    "ff61f20015ad") == 0, "SHA-256 of abc");
	peft_sha256_init(&h);
	for (i = 0; i < 1000; i++) {
		char part[1000];

		memset(part, 'a', sizeof(part));
		peft_sha256_add(&h, part, sizeof(part));
	}
	peft_sha256_hex(&h, hex);
	ok(strcmp(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d"
	    "39ccc7112cd0") == 0, "SHA-256 of a million a, in parts");
}

/* Known answers of Philox4x32-10 as its authors give them; the normal one
 * and the keys by the formulas of rng.h, worked out elsewhere. */
static void
test_philox(void)
{
	struct peft_rng zero = { { 0, 0 } }, ones = { { ~0u, ~0u } };
	struct peft_rng pi = { { 0xa4093822, 0x299f31d0 } }, key;

	ok(peft_rng_u64(zero, 0, 0) == 0xe169c58d6627e8d5 &&
	    peft_rng_u64(ones, ~0ull, ~0ull) == 0x41c83b0e408f276d &&
	    peft_rng_u64(pi, 0x0370734413198a2e, 0x85a308d3243f6a88) ==
	    0x94fdccebd16cfe09,
	    "Philox4x32-10: known answers");
	ok(fabs(peft_rng_uniform(zero, 0, 0) - 0.8805201978886142) < 0x1p-53,
	    "uniform: the upper 53 bits");
	ok(fabs(peft_rng_normal(zero, 0, 0) + 0.39766753844418223) < 1e-15,
	    "normal: Box and Muller over all four words");
	key = peft_rng_key(0, "order");
	ok(key.key[0] == 0x53a15feb && key.key[1] == 0x4f82d1b1,
	    "a key of seed 0 and a name");
	key = peft_rng_key(0x0123456789abcdef, "model.layers.0.q_proj");
	ok(key.key[0] == 0x227b2cb1 && key.key[1] == 0xcc75b816,
	    "a key of all 64 bits of a seed");
}

static void
test_numbers(void)
{
	struct peft_rng key = peft_rng_key(1, "rng-unit");
	const uint64_t n = 3ull << 62;
	double sum = 0, squares = 0, x;
	int thirds[3] = { 0 }, i, far = 0;
	bool below = true;

	for (i = 0; i < 30000; i++) {
		uint64_t v = peft_rng_below(key, 0, (uint64_t)i, n);

		below = below && v < n && peft_rng_below(key, 1, (uint64_t)i,
		    7) < 7;
		thirds[v % 3]++;
		x = peft_rng_normal(key, 2, (uint64_t)i);
		sum += x;
		squares += x * x;
		far += fabs(x) > 3;
	}
	ok(below && peft_rng_below(key, 0, 0, 1) == 0, "below n");
	/* six standard deviations of 30000 draws: 490; taking the biased
	 * ones as well would give 15000, 7500, 7500 */
	ok(abs(thirds[0] - 10000) < 490 && abs(thirds[1] - 10000) < 490,
	    "without bias where a quarter is drawn again");
	/* 81 of 30000 are farther out than 3; mean and square within six
	 * standard deviations */
	ok(fabs(sum / 30000) < 6 / sqrt(30000) && fabs(squares / 30000 - 1) <
	    6 * sqrt(2. / 30000) && abs(far - 81) < 54, "normal numbers");
}

static void
test_shuffle(void)
{
	struct peft_rng key = peft_rng_key(2, "order");
	int seen[256] = { 0 }, kinds = 0, even = 1, i;
	size_t order[1000];
	bool once[1000] = { false };

	for (i = 0; i < 24000; i++) {
		peft_rng_shuffle(key, (uint64_t)i, order, 4);
		seen[order[0] << 6 | order[1] << 4 | order[2] << 2 |
		    order[3]]++;
	}
	for (i = 0; i < 256; i++) {
		kinds += seen[i] != 0;
		/* 1000 each, standard deviation 31 */
		even = even && (seen[i] == 0 || abs(seen[i] - 1000) < 186);
	}
	ok(kinds == 24 && even, "all orders of four are equally likely");
	peft_rng_shuffle(key, 1, order, 1000);
	for (i = 0; i < 1000; i++)
		if (order[i] < 1000)
			once[order[i]] = true;
	for (i = 0; i < 1000 && once[i]; i++)
		;
	ok(i == 1000, "each of a thousand has its place");
}

int
main(void)
{
	test_hash();
	test_philox();
	test_numbers();
	test_shuffle();
	return tap_end();
}
