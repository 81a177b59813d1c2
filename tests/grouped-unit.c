/* SPDX-License-Identifier: Apache-2.0 */
/* Weights with scales for groups of elements: values by definition on every
 * processor path. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "quant/decode.h"
#include "quant/quant.h"
#include "st-file.h"

enum { ROWS = 5, COLS = 77, GROUP = 9, GROUPS = 9, MOST = ROWS * COLS };

static float scales[ROWS * GROUPS];
static int16_t zeros[ROWS * GROUPS];
static uint32_t order[COLS];
static uint8_t bytes[8192];

static void
fill(void)
{
	uint32_t x = 12345;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	for (i = 0; i < ROWS * GROUPS; i++) {
		scales[i] = ldexpf(1 + (float)bytes[i] / 256, -5);
		zeros[i] = (int16_t)(bytes[i + 100] % 16);
	}
	for (i = 0; i < COLS; i++)
		order[i] = bytes[i + 300] % GROUPS;
}

/* The code of (r, c), bit by bit. */
static double
code(const struct peft_weight *w, size_t r, size_t c)
{
	const uint8_t *row = (const uint8_t *)w->data + r * w->scales.stride;
	unsigned bits = w->scales.bits, v = 0, i;
	float f;

	for (i = 0; i < bits; i++) {
		size_t at = c * bits + i;

		v |= (unsigned)(row[at / 8] >> at % 8 & 1) << i;
	}
	if (w->dtype == PEFT_F8G_E4M3 || w->dtype == PEFT_F8G_E5M2) {
		peft_decoders_ref.plain[w->dtype == PEFT_F8G_E4M3 ?
		    PEFT_F8_E4M3 : PEFT_F8_E5M2](row + c, 1, &f);
		return (double)f;
	}
	return w->dtype == PEFT_I8G && v >= 128 ? (double)v - 256 : (double)v;
}

static float
value(const struct peft_weight *w, size_t r, size_t c)
{
	const struct peft_scales *sc = &w->scales;
	size_t k = r / sc->group_rows * sc->ngroups + (sc->order != NULL ?
	    sc->order[c] : c / sc->group);
	double zero = sc->zero != NULL ? sc->zero[k] : sc->zero0;

	return (float)((code(w, r, c) - zero) * (double)sc->absmax[k]);
}

static bool
same(float a, float b)
{
	return isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof(a)) == 0;
}

/* The whole, and ranges from anywhere to anywhere. */
static bool
as_defined(const struct peft_decoders *d, const struct peft_weight *w)
{
	float want[MOST], got[MOST + 1];
	size_t i, first, n;

	for (i = 0; i < MOST; i++)
		want[i] = value(w, i / COLS, i % COLS);
	for (first = 0; first < MOST; first += 37)
		for (n = 1; first + n <= MOST; n += n + 1) {
			got[n] = 7;
			peft_decode_grouped(d, w, first, n, got);
			for (i = 0; i < n; i++)
				if (!same(got[i], want[first + i]))
					return false;
			if (!same(got[n], 7))
				return false;
		}
	return true;
}

static const struct { enum peft_dtype t; unsigned bits; } types[] = {
	{ PEFT_U2G, 2 }, { PEFT_U3G, 3 }, { PEFT_U4G, 4 }, { PEFT_U8G, 8 },
	{ PEFT_I8G, 8 }, { PEFT_F8G_E4M3, 8 }, { PEFT_F8G_E5M2, 8 },
};

static void
test_path(const char *name, const struct peft_decoders *d)
{
	size_t i, how;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (how = 0; how < 5; how++) {
			struct peft_weight w = { .dtype = types[i].t,
			    .data = bytes, .ndim = 2, .shape = { ROWS, COLS },
			    .rows = ROWS, .cols = COLS, .nelem = MOST };

			w.scales = (struct peft_scales){ .group = GROUP,
			    .group_rows = how == 3 ? 2 : how == 4 ? ROWS : 1,
			    .ngroups = GROUPS, .bits = types[i].bits,
			    .stride = COLS, .absmax = scales, .zero0 = 3,
			    .zero = how > 0 ? zeros : NULL,
			    .order = how == 2 ? order : NULL };
			ok(as_defined(d, &w), "%s: %s, way %zu", name,
			    peft_dtypes[w.dtype].name, how);
		}
}

/* Two experts of 3 outputs and 64 inputs; OCP's E2M1 by its definition. */
static void
test_mx(const char *name, const struct peft_decoders *d)
{
	enum { E = 2, OUT = 3, IN = 64, N = E * OUT * IN };
	uint8_t exponents[E * OUT * 2];
	struct peft_weight w = { .dtype = PEFT_MXFP4G, .data = bytes,
	    .ndim = 3, .shape = { E, IN, OUT }, .rows = E * IN, .cols = OUT,
	    .nelem = N, .scales = { .group = 32, .group_rows = 1,
	    .ngroups = 2, .bits = 4, .exponents = exponents } };
	float want[N], got[N];
	bool good = true;
	size_t i, e, k, o, first, n;

	for (i = 0; i < sizeof(exponents); i++)
		exponents[i] = (uint8_t)(i < 2 ? i : 120 + i);
	for (i = 0; i < N; i++) {
		size_t block;
		unsigned v, exp;

		e = i / (IN * OUT);
		k = i / OUT % IN;
		o = i % OUT;
		block = (e * OUT + o) * 2 + k / 32;
		v = bytes[block * 16 + k % 32 / 2] >> (k % 2 * 4) & 15;
		exp = v >> 1 & 3;
		want[i] = (float)ldexp(exp == 0 ? (v & 1) * 0.5 :
		    ldexp(1 + (v & 1) * 0.5, (int)exp - 1),
		    (int)exponents[block] - 127);
		want[i] = v & 8 ? -want[i] : want[i];
	}
	for (first = 0; first < N; first += 29)
		for (n = 1; first + n <= N; n += n + 2) {
			peft_decode_grouped(d, &w, first, n, got);
			for (i = 0; i < n; i++)
				good = good && same(got[i], want[first + i]);
		}
	ok(good, "%s: mxfp4 of experts", name);
}

/* kv_b_proj: of two heads, 32 keys stored as columns and 64 values. */
static void
test_kvb(void)
{
	enum { H = 2, KEYS = 32, VALUES = 64, RANK = 96, EACH = KEYS + VALUES,
	    N = H * EACH * RANK, FIRST = H * RANK * KEYS / 32 * 34,
	    BYTES = FIRST + H * VALUES * RANK / 32 * 18 };
	static uint8_t data[BYTES];
	static float want[N], got[N];
	struct peft_weight w = { .dtype = PEFT_KVB, .data = data, .ndim = 2,
	    .rows = H * EACH, .cols = RANK, .nelem = N, .scales.kvb = { H,
	    KEYS, FIRST, { PEFT_Q8_0, PEFT_Q4_0 } } };
	struct peft_weight k = { .dtype = PEFT_Q8_0, .data = data,
	    .rows = H * RANK, .cols = KEYS };
	struct peft_weight v = { .dtype = PEFT_Q4_0, .data = data + FIRST,
	    .rows = H * VALUES, .cols = RANK };
	bool good = true;
	size_t i, r, c, n;

	for (i = 0; i < BYTES; i++)	/* scales below 2: no Inf in them */
		data[i] = bytes[i % sizeof(bytes)] & 0x3f;
	for (r = 0; r < H * EACH; r++)
		for (c = 0; c < RANK; c++)
			if (r % EACH < KEYS)
				peft_decode_part(&k, r / EACH * RANK + c,
				    r % EACH, 1, &want[r * RANK + c]);
			else
				peft_decode_part(&v, r / EACH * VALUES +
				    r % EACH - KEYS, c, 1,
				    &want[r * RANK + c]);
	peft_decode(&w, 0, N, got);
	for (i = 0; i < N; i++)
		good = good && same(got[i], want[i]);
	for (i = 0; i < N; i += 997)
		for (n = 1; i + n <= N && n < 700; n += n + 2) {
			peft_decode(&w, i, n, got);
			for (c = 0; c < n; c++)
				good = good && same(got[c], want[i + c]);
		}
	ok(good, "kv_b_proj out of its halves");
}

int
main(void)
{
	fill();
	test_path("ref", &peft_decoders_ref);
	test_mx("ref", &peft_decoders_ref);
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		test_path("avx2", &peft_decoders_avx2);
		test_mx("avx2", &peft_decoders_avx2);
	}
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl")) {
		test_path("avx512", &peft_decoders_avx512);
		test_mx("avx512", &peft_decoders_avx512);
	}
	test_kvb();
	return tap_end();
}
