/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of much, by pieces. */

#include "base/hash-impl.h"

static bool
has_lanes(void)
{
	return __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw");
}

static void
one_piece(const uint8_t *p, size_t n, uint8_t digest[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx c;

	sha256_init(&c);
	sha256_update(&c, n, p);
	sha256_digest(&c, SHA256_DIGEST_SIZE, digest);
}

void
peft_sha256_add_pieces(struct peft_sha256 *h, const void *data, size_t n)
{
	enum { LANES = PEFT_SHA256_LANES, PIECE = PEFT_SHA256_PIECE };
	uint8_t digests[LANES][SHA256_DIGEST_SIZE];
	const uint8_t *p = data;
	bool lanes = has_lanes();
	size_t m;

	for (; lanes && n >= LANES * PIECE; n -= LANES * PIECE) {
		peft_sha256_lanes_avx512(p, digests);
		peft_sha256_add(h, digests, sizeof(digests));
		p += LANES * PIECE;
	}
	for (; n > 0; n -= m) {
		m = n < PIECE ? n : PIECE;
		one_piece(p, m, digests[0]);
		peft_sha256_add(h, digests[0], SHA256_DIGEST_SIZE);
		p += m;
	}
}
