/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoders of every storage type: the same bits on every processor path, and
 * of any part as of the whole.
 */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"
#include "quant/decode.h"
#include "quant/expand.h"
#include "quant/quant.h"
#include "tap.h"

enum { MOST = 1024, ROWS = 3, COLS = 512 };

struct path {
	const char			*name;
	const struct peft_decoders	*d;
	bool				 here;
};

/* Random bytes, but scales that are NaN would hide what is below them. */
static void
fill(uint8_t *dst, size_t n, uint64_t seed)
{
	struct peft_rng key = peft_rng_key(seed, "quant-unit");
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = (uint8_t)peft_rng_u64(key, 0, i);
}

/* Where f16 numbers are in a block of each type: their exponents are made
 * less than 31. */
static void
tame(enum peft_dtype t, uint8_t *b, size_t nblocks)
{
	static const struct { enum peft_dtype t; int at[2]; } rows[] = {
		{ PEFT_Q4_0, { 0, -1 } }, { PEFT_Q4_1, { 0, 2 } },
		{ PEFT_Q5_0, { 0, -1 } }, { PEFT_Q5_1, { 0, 2 } },
		{ PEFT_Q8_0, { 0, -1 } }, { PEFT_Q2_K, { 80, 82 } },
		{ PEFT_Q3_K, { 108, -1 } }, { PEFT_Q4_K, { 0, 2 } },
		{ PEFT_Q5_K, { 0, 2 } }, { PEFT_Q6_K, { 208, -1 } },
		{ PEFT_IQ4_NL, { 0, -1 } }, { PEFT_IQ4_XS, { 0, -1 } },
		{ PEFT_TQ1_0, { 52, -1 } }, { PEFT_TQ2_0, { 64, -1 } },
		{ PEFT_IQ1_S, { 0, -1 } }, { PEFT_IQ2_XXS, { 0, -1 } },
		{ PEFT_IQ2_XS, { 0, -1 } }, { PEFT_IQ2_S, { 0, -1 } },
		{ PEFT_IQ3_XXS, { 0, -1 } }, { PEFT_IQ3_S, { 0, -1 } },
		{ PEFT_F16, { 0, -1 } } };
	size_t bytes = peft_dtypes[t].bytes, i, r;
	int k;

	for (r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
		for (i = 0; rows[r].t == t && i < nblocks; i++)
			for (k = 0; k < 2 && rows[r].at[k] >= 0; k++)
				b[i * bytes + (size_t)rows[r].at[k] + 1] &=
				    0xf7;
	for (i = 0; (t == PEFT_Q8_K || t == PEFT_F32 || t == PEFT_F64) &&
	    i < nblocks; i++)
		b[i * bytes + (t == PEFT_F64 ? 7 : 3)] &= 0xbf;
	for (i = 0; t == PEFT_BF16 && i < nblocks; i++)
		b[i * bytes + 1] &= 0xbf;
}

/* The same bits, or both no number. */
static bool
alike(const float *a, const float *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (memcmp(&a[i], &b[i], sizeof(*a)) != 0 &&
		    !(isnan(a[i]) && isnan(b[i])))
			return false;
	return true;
}

static bool
test_plain(const struct path *p, enum peft_dtype t)
{
	const struct peft_dtype_info *info = &peft_dtypes[t];
	size_t nblocks, seed;
	uint8_t bytes[MOST * 8];
	float want[MOST], got[MOST + 1];
	bool good = true;

	for (seed = 0; seed < 8; seed++) {
		nblocks = seed % 4 == 3 ? MOST / info->block : seed % 4 + 1;
		fill(bytes, sizeof(bytes), seed);
		tame(t, bytes, nblocks);
		memset(want, 0, sizeof(want));
		memset(got, 0, sizeof(got));
		got[nblocks * info->block] = 7;
		peft_decoders_ref.plain[t](bytes, nblocks * info->block, want);
		p->d->plain[t](bytes, nblocks * info->block, got);
		good = good && alike(want, got, nblocks * info->block) &&
		    got[nblocks * info->block] == 7;
	}
	return good;
}

/* Codes from an odd place, of any number, by what each stands for. */
static bool
test_codes(const struct path *p)
{
	uint8_t bytes[MOST];
	float got[200 + 1], scale = 0.37f;
	size_t first, n, i;
	bool good = true;

	fill(bytes, sizeof(bytes), 9);
	for (first = 0; first < 2; first++)
		for (n = 0; n <= 200; n++) {
			got[n] = 7;
			p->d->codes4(bytes, first, n, peft_nf4_map, scale,
			    got);
			for (i = 0; i < n; i++) {
				uint8_t b = bytes[(first + i) / 2];

				good = good && got[i] == scale * peft_nf4_map[
				    (first + i) % 2 == 0 ? b >> 4 : b & 15];
			}
			p->d->codes8((const int8_t *)bytes, n, scale, 0.3f,
			    got);
			for (i = 0; i < n; i++)
				good = good && got[i] == scale *
				    (float)(int8_t)bytes[i] * 0.3f;
			good = good && got[n] == 7;
		}
	return good;
}

static void
test_paths(void)
{
	const struct path paths[] = {
		{ "ref", &peft_decoders_ref, true },
		{ "avx2", &peft_decoders_avx2,
		    __builtin_cpu_supports("avx2") &&
		    __builtin_cpu_supports("fma") },
		{ "avx512", &peft_decoders_avx512,
		    __builtin_cpu_supports("avx512f") &&
		    __builtin_cpu_supports("avx512bw") &&
		    __builtin_cpu_supports("avx512dq") &&
		    __builtin_cpu_supports("avx512vl") } };
	size_t i;
	int t;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!paths[i].here) {
			printf("# this processor has no %s\n", paths[i].name);
			continue;
		}
		ok(test_codes(&paths[i]), "%s: codes of 4 and 8 bits",
		    paths[i].name);
		for (t = 0; i > 0 && t < PEFT_NDTYPE; t++)
			if (peft_decoders_ref.plain[t] != NULL)
				ok(test_plain(&paths[i], (enum peft_dtype)t),
				    "%s: %s as ref", paths[i].name,
				    peft_dtypes[t].name);
	}
}

/* A value by the definition of its format: sign, exponent, fraction. */
static float
small_float(unsigned bits, int nexp, int nfrac, int bias)
{
	unsigned e = bits >> nfrac & ((1u << nexp) - 1);
	unsigned f = bits & ((1u << nfrac) - 1);
	double v = e == 0 ? ldexp(f, 1 - bias - nfrac) :
	    ldexp(f + (1u << nfrac), (int)e - bias - nfrac);

	return (float)(bits >> (nexp + nfrac) & 1 ? -v : v);
}

static void
test_f8(void)
{
	float e4m3[256], e5m2[256], want;
	bool good4 = true, good5 = true;
	uint8_t all[256];
	unsigned i;

	for (i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	peft_decoders_ref.plain[PEFT_F8_E4M3](all, 256, e4m3);
	peft_decoders_ref.plain[PEFT_F8_E5M2](all, 256, e5m2);
	for (i = 0; i < 256; i++) {
		want = small_float(i, 4, 3, 7);
		good4 = good4 && ((i & 0x7f) == 0x7f ? isnan(e4m3[i]) :
		    memcmp(&want, &e4m3[i], sizeof(want)) == 0);
		want = small_float(i, 5, 2, 15);
		want = (i & 0x7f) == 0x7c ? copysignf(INFINITY, want) : want;
		good5 = good5 && ((i & 0x7f) > 0x7c ? isnan(e5m2[i]) :
		    memcmp(&want, &e5m2[i], sizeof(want)) == 0);
	}
	ok(good4, "f8_e4m3: all 256 by definition");
	ok(good5, "f8_e5m2: all 256 by definition");
}

static const unsigned group_bits[PEFT_NDTYPE] = {
	[PEFT_U2G] = 2, [PEFT_U3G] = 3, [PEFT_U4G] = 4, [PEFT_U8G] = 8,
	[PEFT_I8G] = 8, [PEFT_F8G_E4M3] = 8, [PEFT_F8G_E5M2] = 8,
	[PEFT_MXFP4G] = 4 };

/* ROWS x COLS in type t, with scales if it wants any. */
static struct peft_weight
weight_of(enum peft_dtype t, const uint8_t *bytes, const float *absmax)
{
	struct peft_weight w = { .dtype = t, .data = bytes, .rows = ROWS,
	    .cols = COLS, .nelem = ROWS * COLS };

	if (t == PEFT_NF4 || t == PEFT_FP4)
		w.scales.blocksize = 128;
	if (t == PEFT_NF4 || t == PEFT_FP4 || t == PEFT_INT8) {
		w.scales.absmax = absmax;
		w.scales.nabsmax = t == PEFT_INT8 ? ROWS : ROWS * COLS / 128;
	}
	if (t >= PEFT_U2G && t <= PEFT_MXFP4G)
		w.scales = (struct peft_scales){ .group = 128,
		    .group_rows = 1, .ngroups = COLS / 128, .bits =
		    group_bits[t], .stride = COLS * group_bits[t] / 8,
		    .absmax = absmax, .nabsmax = ROWS * COLS / 128,
		    .zero0 = 1 };
	if (t == PEFT_MXFP4G) {		/* one block down each column */
		w.shape[1] = ROWS;
		w.scales.ngroups = 1;
		w.scales.group = 32;
		w.scales.exponents = bytes;
	}
	if (t == PEFT_KVB)		/* of one head, two keys, a value */
		w.scales.kvb = (struct peft_kvb){ .heads = 1,
		    .keys = 2, .first = 2 * COLS * 2,
		    .type = { PEFT_BF16, PEFT_F16 } };
	return w;
}

/* Parts, also such as cut through blocks, are those of the whole. */
static bool
test_parts(enum peft_dtype t)
{
	static const size_t cuts[][2] = { { 0, 512 }, { 0, 64 }, { 64, 64 },
		{ 448, 64 }, { 192, 320 }, { 64, 384 }, { 320, 128 } };
	uint8_t bytes[ROWS * COLS * 8];
	float whole[ROWS * COLS], part[COLS], absmax[ROWS * COLS / 128];
	struct peft_weight w = weight_of(t, bytes, absmax);
	bool good = true;
	size_t r, i;

	fill(bytes, sizeof(bytes), 3);
	tame(t, bytes, ROWS * COLS / peft_dtypes[t].block);
	for (i = 0; i < ROWS * COLS / 128; i++)
		absmax[i] = (float)(i + 1) / 8;
	peft_decode(&w, 0, w.nelem, whole);
	for (r = 0; r < ROWS; r++)
		for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
			peft_decode_part(&w, r, cuts[i][0], cuts[i][1], part);
			good = good && alike(part, whole + r * COLS +
			    cuts[i][0], cuts[i][1]);
		}
	return good;
}

/* Straight to bf16: what decoding and rounding make, of all and of a part
 * that begins within a block of NF4. */
static void
test_halves(void)
{
	static uint8_t bytes[ROWS * COLS * 8];
	static float absmax[ROWS * COLS / 32], whole[ROWS * COLS];
	static uint16_t want[ROWS * COLS], got[ROWS * COLS + 1];
	size_t i, first;
	int t, n = 0;

	for (i = 0; i < ROWS * COLS / 32; i++)
		absmax[i] = (float)(i + 1) / 8;
	for (t = 0; t < PEFT_NDTYPE; t++) {
		peft_halves_fn *halves = peft_halves_avx512bf16[t];
		struct peft_weight w = weight_of((enum peft_dtype)t, bytes,
		    absmax);
		bool good = true;

		if (halves == NULL)
			continue;
		fill(bytes, sizeof(bytes), 3);
		tame((enum peft_dtype)t, bytes, ROWS * COLS /
		    peft_dtypes[t].block);
		if (w.scales.blocksize > 0)
			w.scales.blocksize = 64;
		peft_decode(&w, 0, w.nelem, whole);
		peft_panel_bf16_avx512.round(want, whole, w.nelem);
		first = peft_dtypes[t].block < 32 ? 32 :
		    peft_dtypes[t].block;
		for (i = 0; i <= first; i += first) {
			got[w.nelem] = 7;
			halves(&w, i, w.nelem - i, got + i);
			good = good && got[w.nelem] == 7 && memcmp(want, got,
			    w.nelem * sizeof(*got)) == 0;
		}
		ok(good, "%s: straight to bf16", peft_dtypes[t].name);
		n++;
	}
	ok(n >= 25, "types that go straight to bf16");
}

static void
test_types(void)
{
	int t, u;

	for (t = 0; t < PEFT_NDTYPE; t++) {
		const struct peft_dtype_info *i = &peft_dtypes[t];
		bool good = peft_dtype_of_name(i->name) == (enum peft_dtype)t;

		good = good && (i->st == NULL ||
		    peft_dtype_of_st(i->st) == (enum peft_dtype)t);
		good = good && (i->ggml < 0 || peft_dtype_of_ggml((uint32_t)
		    i->ggml) == (enum peft_dtype)t);
		for (u = 0; u < t; u++)
			good = good && (i->ggml < 0 || i->ggml !=
			    peft_dtypes[u].ggml);
		ok(good, "%s is found by its names, alone", i->name);
		if (peft_can_decode((enum peft_dtype)t))
			ok(test_parts((enum peft_dtype)t), "%s: parts",
			    i->name);
	}
	ok(peft_dtype_of_name("Q4_K") == PEFT_Q4_K,
	    "capitals are llama.cpp's way to write them");
	ok(peft_dtype_of_name("f33") == PEFT_NDTYPE && peft_dtype_of_st("f32")
	    == PEFT_NDTYPE && peft_dtype_of_ggml(4) == PEFT_NDTYPE &&
	    peft_dtype_of_ggml(UINT32_MAX) == PEFT_NDTYPE,
	    "other names and numbers are none's");
	ok(!peft_can_decode(PEFT_BOOL) && !peft_can_decode(PEFT_I32) &&
	    peft_can_encode(PEFT_INT8) && !peft_can_encode(PEFT_Q8_K),
	    "what cannot be done is known");
}

/* INT8: codes of a row times its scale over 127. */
static void
test_int8(void)
{
	int8_t q[ROWS * COLS];
	float absmax[ROWS] = { 1, 0.3f, 127 }, got[ROWS * COLS];
	struct peft_weight w = weight_of(PEFT_INT8, (uint8_t *)q, absmax);
	bool good = true;
	size_t i;

	for (i = 0; i < ROWS * COLS; i++)
		q[i] = (int8_t)(i % 255 - 127);
	peft_decode(&w, 0, w.nelem, got);
	for (i = 0; i < ROWS * COLS; i++) {
		double want = (double)q[i] * (double)absmax[i / COLS] / 127;

		/* the scale's product and quotient, and the code's */
		good = good && fabs((double)got[i] - want) <= 0x1.8p-23 *
		    fabs(want);
	}
	ok(good, "int8: each row by its own scale");
}

/* Q8_K: an f32 scale, 256 codes, sums that are not for us. */
static void
test_q8_k(void)
{
	uint8_t bytes[292] = { 0, 0, 0xa0, 0xc0 };	/* -5 */
	float got[256];
	bool good = true;
	size_t i;

	for (i = 0; i < 288; i++)
		bytes[4 + i] = (uint8_t)(i - 128);
	peft_decoders_ref.plain[PEFT_Q8_K](bytes, 256, got);
	for (i = 0; i < 256; i++)
		good = good && got[i] == -5 * ((float)i - 128);
	ok(good, "q8_k: by definition");
}

int
main(void)
{
	test_paths();
	test_f8();
	test_types();
	test_int8();
	test_q8_k();
	if (__builtin_cpu_supports("avx512bf16"))
		test_halves();
	else
		printf("# this processor has no bf16\n");
	return tap_end();
}
