/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) of sixteen pieces at once, each in a lane of its own:
 * a round of one cannot be shared out, but those of sixteen are one round of
 * vectors.  The names of functions and variables are the standard's.
 */

#include <immintrin.h>
#include <string.h>

#include "base/hash-impl.h"

enum { LANES = PEFT_SHA256_LANES, BLOCK = 64, ROUNDS = 64 };

static const uint32_t K[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};
static const uint32_t H0[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
	0x1f83d9ab, 0x5be0cd19
};

#define add(x, y)	_mm512_add_epi32(x, y)
#define rotr(x, n)	_mm512_ror_epi32(x, n)
#define shr(x, n)	_mm512_srli_epi32(x, n)
#define xor3(x, y, z)	_mm512_ternarylogic_epi32(x, y, z, 0x96)
#define Ch(x, y, z)	_mm512_ternarylogic_epi32(x, y, z, 0xca)
#define Maj(x, y, z)	_mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define Sum0(x)		xor3(rotr(x, 2), rotr(x, 13), rotr(x, 22))
#define Sum1(x)		xor3(rotr(x, 6), rotr(x, 11), rotr(x, 25))
#define sigma0(x)	xor3(rotr(x, 7), rotr(x, 18), shr(x, 3))
#define sigma1(x)	xor3(rotr(x, 17), rotr(x, 19), shr(x, 10))

/* Of sixteen rows of sixteen words, the columns. */
static inline void
transpose(__m512i w[LANES])
{
	__m512i t[LANES], q[4];
	int i;

	for (i = 0; i < LANES; i += 2) {
		t[i] = _mm512_unpacklo_epi32(w[i], w[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(w[i], w[i + 1]);
	}
	for (i = 0; i < LANES; i += 4) {
		w[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		w[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		w[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		w[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (i = 0; i < 4; i++) {
		q[0] = _mm512_shuffle_i32x4(w[i], w[i + 4], 0x88);
		q[1] = _mm512_shuffle_i32x4(w[i], w[i + 4], 0xdd);
		q[2] = _mm512_shuffle_i32x4(w[i + 8], w[i + 12], 0x88);
		q[3] = _mm512_shuffle_i32x4(w[i + 8], w[i + 12], 0xdd);
		t[i] = _mm512_shuffle_i32x4(q[0], q[2], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(q[1], q[3], 0x88);
		t[i + 8] = _mm512_shuffle_i32x4(q[0], q[2], 0xdd);
		t[i + 12] = _mm512_shuffle_i32x4(q[1], q[3], 0xdd);
	}
	memcpy(w, t, sizeof(t));
}

/* Word i of the schedule, over the one that is sixteen older. */
static inline void
schedule(__m512i w[LANES], int i)
{
	__m512i *x = &w[i & 15];

	*x = add(add(*x, sigma0(w[(i + 1) & 15])), add(w[(i + 9) & 15],
	    sigma1(w[(i + 14) & 15])));
}

static inline void
one_round(__m512i s[8], __m512i w, uint32_t k)
{
	__m512i kw = add(w, _mm512_set1_epi32((int)k));
	__m512i t1 = add(add(s[7], kw), add(Sum1(s[4]), Ch(s[4], s[5],
	    s[6])));
	__m512i t2 = add(Sum0(s[0]), Maj(s[0], s[1], s[2]));

	s[7] = s[6];
	s[6] = s[5];
	s[5] = s[4];
	s[4] = add(s[3], t1);
	s[3] = s[2];
	s[2] = s[1];
	s[1] = s[0];
	s[0] = add(t1, t2);
}

static inline void
one_block(__m512i h[8], __m512i w[LANES])
{
	__m512i s[8];
	int i, k;

	memcpy(s, h, sizeof(s));
	for (i = 0; i < ROUNDS; i += 8)
		for (k = i; k < i + 8; k++) {
			if (i >= 16)
				schedule(w, k);
			one_round(s, w[k & 15], K[k]);
		}
	for (i = 0; i < 8; i++)
		h[i] = add(h[i], s[i]);
}

/* Behind each piece: a bit, zeros, the length in bits. */
static void
last_block(__m512i h[8])
{
	__m512i w[LANES];
	int i;

	for (i = 0; i < LANES; i++)
		w[i] = _mm512_setzero_si512();
	w[0] = _mm512_set1_epi32((int)0x80000000u);
	w[15] = _mm512_set1_epi32(8 * PEFT_SHA256_PIECE);
	one_block(h, w);
}

static __m512i
swap_bytes(__m512i x)
{
	const __m128i order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5,
	    6, 7, 0, 1, 2, 3);

	return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order));
}

void
peft_sha256_lanes_avx512(const void *pieces,
    uint8_t digests[LANES][SHA256_DIGEST_SIZE])
{
	const uint8_t *p = pieces;
	__m512i h[8], w[LANES];
	size_t at, i;

	for (i = 0; i < 8; i++)
		h[i] = _mm512_set1_epi32((int)H0[i]);
	for (at = 0; at < PEFT_SHA256_PIECE; at += BLOCK) {
		for (i = 0; i < LANES; i++)
			w[i] = swap_bytes(_mm512_loadu_si512(p + at +
			    i * PEFT_SHA256_PIECE));
		transpose(w);
		one_block(h, w);
	}
	last_block(h);
	for (i = 0; i < LANES; i++)
		w[i] = i < 8 ? swap_bytes(h[i]) : _mm512_setzero_si512();
	transpose(w);
	for (i = 0; i < LANES; i++)
		memcpy(digests[i], &w[i], SHA256_DIGEST_SIZE);
}
