/* SPDX-License-Identifier: Apache-2.0 */
/* The most products and sums of int8 that a processor can do. */

#include <immintrin.h>

#include "math/peak-impl.h"

enum { TIMES = PEFT_SPIN_TIMES, WIDE_CHAINS = 16, CHAINS = 12 };

PEFT_SPIN(spin_avx512vnni, "avx512f,avx512vnni", __m512i, WIDE_CHAINS,
    _mm512_set1_epi32(j), _mm512_set1_epi32(0x01020304),
    a[j] = _mm512_dpbusd_epi32(a[j], b, b), _mm512_add_epi32,
    _mm512_storeu_si512)

PEFT_SPIN(spin_avxvnni, "avx2,avxvnni", __m256i, CHAINS,
    _mm256_set1_epi32(j), _mm256_set1_epi32(0x01020304),
    a[j] = _mm256_dpbusd_avx_epi32(a[j], b, b), _mm256_add_epi32,
    _mm256_storeu_si256)

/* Products that do not change would be made once: b is as good as new. */
#define ANEW(constraint) __asm__ volatile("" : constraint(b))

PEFT_SPIN(spin_avx512, "avx512f,avx512bw", __m512i, WIDE_CHAINS,
    _mm512_set1_epi32(j), _mm512_set1_epi16(3), { ANEW("+v");
    a[j] = _mm512_add_epi32(a[j], _mm512_madd_epi16(b, b)); },
    _mm512_add_epi32, _mm512_storeu_si512)

PEFT_SPIN(spin_avx2, "avx2", __m256i, CHAINS, _mm256_set1_epi32(j),
    _mm256_set1_epi16(3), { ANEW("+x");
    a[j] = _mm256_add_epi32(a[j], _mm256_madd_epi16(b, b)); },
    _mm256_add_epi32, _mm256_storeu_si256)

PEFT_SPIN_TILES(spin_amx, "amx-int8", _tile_dpbssd)

struct peft_spin
peft_spin_int8(const struct peft_panel_int8 *k)
{
	static const struct {
		const struct peft_panel_int8	*k;
		void				(*fn)(float *);
		double				 products;	/* each time */
	} spins[] = {
		{ &peft_int8_amx, spin_amx, 16 * 16 * 64 },
		{ &peft_int8_avx512vnni, spin_avx512vnni, 64 * WIDE_CHAINS },
		{ &peft_int8_avx512, spin_avx512, 32 * WIDE_CHAINS },
		{ &peft_int8_avxvnni, spin_avxvnni, 32 * CHAINS },
		{ &peft_int8_avx2, spin_avx2, 16 * CHAINS },
	};
	size_t i;

	for (i = 0; i < sizeof(spins) / sizeof(spins[0]); i++)
		if (spins[i].k == k)
			return (struct peft_spin){ spins[i].fn, 2.0 * TIMES *
			    spins[i].products };
	return (struct peft_spin){ NULL, 0 };
}
