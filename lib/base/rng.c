/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based random numbers: Philox4x32-10. */

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"

struct block {
	uint32_t	w[4];
};

static struct block
philox(struct peft_rng rng, uint64_t hi, uint64_t lo)
{
	struct block c = { { (uint32_t)lo, (uint32_t)(lo >> 32),
	    (uint32_t)hi, (uint32_t)(hi >> 32) } };
	uint32_t k0 = rng.key[0], k1 = rng.key[1];
	uint64_t a, b;
	int i;

	for (i = 0; i < 10; i++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
		a = (uint64_t)0xd2511f53u * c.w[0];
		b = (uint64_t)0xcd9e8d57u * c.w[2];
		c = (struct block){ { (uint32_t)(b >> 32) ^ c.w[1] ^ k0,
		    (uint32_t)b, (uint32_t)(a >> 32) ^ c.w[3] ^ k1,
		    (uint32_t)a } };
	}
	return c;
}

struct peft_rng
peft_rng_key(uint64_t seed, const char *name)
{
	uint8_t digest[SHA256_DIGEST_SIZE], s[8];
	struct peft_sha256 h;
	struct peft_rng rng;
	int i;

	for (i = 0; i < 8; i++)
		s[i] = (uint8_t)(seed >> 8 * i);
	peft_sha256_init(&h);
	peft_sha256_add(&h, s, sizeof(s));
	peft_sha256_add(&h, name, strlen(name));
	sha256_digest(&h.ctx, sizeof(digest), digest);
	for (i = 0; i < 2; i++)
		rng.key[i] = (uint32_t)digest[4 * i] |
		    (uint32_t)digest[4 * i + 1] << 8 |
		    (uint32_t)digest[4 * i + 2] << 16 |
		    (uint32_t)digest[4 * i + 3] << 24;
	return rng;
}

uint64_t
peft_rng_u64(struct peft_rng rng, uint64_t hi, uint64_t lo)
{
	struct block b = philox(rng, hi, lo);

	return (uint64_t)b.w[1] << 32 | b.w[0];
}

double
peft_rng_uniform(struct peft_rng rng, uint64_t hi, uint64_t lo)
{
	return (double)(peft_rng_u64(rng, hi, lo) >> 11) * 0x1p-53;
}

double
peft_rng_normal(struct peft_rng rng, uint64_t hi, uint64_t lo)
{
	struct block b = philox(rng, hi, lo);
	uint64_t x = (uint64_t)b.w[1] << 32 | b.w[0];
	uint64_t y = (uint64_t)b.w[3] << 32 | b.w[2];
	/* in (0, 1], so that the logarithm is finite */
	double u = (double)((x >> 11) + 1) * 0x1p-53;
	double v = (double)(y >> 11) * 0x1p-53;

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* Lemire's multiplication; a biased low part is drawn again, from the rest
 * of the counter's space. */
uint64_t
peft_rng_below(struct peft_rng rng, uint64_t hi, uint64_t lo, uint64_t n)
{
	struct peft_rng k = rng;
	unsigned __int128 m;
	uint64_t least = n == 0 ? 0 : -n % n;

	for (;; k.key[1] ^= 0x5bd1e995u, k.key[0] += 0x9e3779b9u) {
		m = (unsigned __int128)peft_rng_u64(k, hi, lo) * n;
		if ((uint64_t)m >= least)
			return (uint64_t)(m >> 64);
	}
}

void
peft_rng_shuffle(struct peft_rng rng, uint64_t epoch, size_t *order, size_t n)
{
	size_t i, j, t;

	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n; i > 1; i--) {
		j = (size_t)peft_rng_below(rng, epoch, i, i);
		t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
}
