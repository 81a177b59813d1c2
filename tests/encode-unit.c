/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders: how far blocks may be from what they were, and what is refused. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"
#include "quant/encode.h"
#include "quant/quant.h"
#include "tap.h"

enum { N = 4096 };

static void
noise(float *x, size_t n, uint64_t seed, double scale)
{
	struct peft_rng key = peft_rng_key(seed, "encode-unit");
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = (float)(scale * peft_rng_normal(key, 0, i) *
		    exp(peft_rng_normal(key, 1, i / 32)));
}

static struct peft_weight
line(enum peft_dtype t, const void *data)
{
	return (struct peft_weight){ .dtype = t, .data = data, .rows = 1,
	    .cols = N, .nelem = N };
}

/*
 * The most that an element of a block of 32 may be off.  u is half a step
 * of an f16 around 1: scales and minima are rounded to it, and below 2^-14
 * to 2^-25.
 */
static double
bound(enum peft_dtype t, const float *x)
{
	double amax = 0, min = (double)x[0], max = min, d, levels;
	const double u = 0x1p-11;
	size_t i;

	for (i = 0; i < 32; i++) {
		amax = fmax(amax, fabs((double)x[i]));
		min = fmin(min, (double)x[i]);
		max = fmax(max, (double)x[i]);
	}
	switch (t) {
	case PEFT_Q8_0:
		d = amax / 127;
		return d / 2 + 127 * (d * u + 0x1p-25);
	case PEFT_Q4_0:
	case PEFT_Q5_0:
		/* the level opposite to the largest magnitude is missing */
		levels = t == PEFT_Q4_0 ? 8 : 16;
		d = amax / levels;
		return d + levels * (d * u + 0x1p-25);
	default:
		levels = t == PEFT_Q4_1 ? 15 : 31;
		d = (max - min) / levels;
		return d / 2 + levels * (d * u + 0x1p-25) + fabs(min) * u +
		    0x1p-25;
	}
}

static void
test_blocks(enum peft_dtype t)
{
	static float x[N], back[N];
	uint8_t bytes[N * 2], again[N * 2];
	struct peft_weight w = line(t, bytes);
	struct peft_err err = { 0 };
	size_t i, used = N / 32 * peft_dtypes[t].bytes;
	bool good = true, tight = false;

	noise(x, N, t, 0.04);
	memset(x, 0, 32 * sizeof(*x));
	for (i = 32; i < 64; i++)
		x[i] = -0.25f;
	memset(bytes, 0xa5, sizeof(bytes));
	need(peft_encode(t, x, N, bytes, &err) == 0, &err);
	peft_decode(&w, 0, N, back);
	for (i = 0; i < N; i++) {
		double off = fabs((double)back[i] - (double)x[i]);
		double most = bound(t, x + i / 32 * 32);

		/* besides, the products' own rounding */
		good = good && off <= most * (1 + 0x1p-20);
		tight = tight || off > most * 0.7;
	}
	for (i = 0; i < 32; i++)
		good = good && back[i] == 0;
	ok(good && tight, "%s: within its bound, which is not idle",
	    peft_dtypes[t].name);
	ok(bytes[used] == 0xa5, "%s: no byte more", peft_dtypes[t].name);
	need(peft_encode(t, back, N, again, &err) == 0, &err);
	ok(memcmp(bytes, again, used) == 0, "%s: once more changes nothing",
	    peft_dtypes[t].name);
}

/* No code stands for a value nearer to the one it was chosen for: within a
 * rounding of the quotient and of the midpoint. */
static void
test_nearest(enum peft_dtype t, size_t blocksize, size_t n)
{
	const float *map = t == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	static float x[N], back[N], absmax[N / 32], again[N / 32];
	uint8_t bytes[N / 2 + 1], twice[N / 2 + 1];
	struct peft_weight w = line(t, bytes);
	struct peft_err err = { 0 };
	bool good = true;
	size_t i, k, nblocks = (n + blocksize - 1) / blocksize;

	noise(x, n, t, 0.04);
	need(peft_encode_4bit(t, x, n, blocksize, true, bytes, absmax, &err)
	    == 0, &err);
	w.scales.blocksize = blocksize;
	w.scales.absmax = absmax;
	peft_decode(&w, 0, n, back);
	for (i = 0; i < n; i++) {
		double a = (double)absmax[i / blocksize], least = INFINITY;

		for (k = 0; k < 16; k++)
			least = fmin(least, fabs((double)map[k] * a -
			    (double)x[i]));
		good = good && fabs((double)back[i] - (double)x[i]) <= least +
		    a * 0x1p-22;
	}
	ok(good, "%s: %zu values, blocks of %zu: the nearest code",
	    peft_dtypes[t].name, n, blocksize);
	need(peft_encode_4bit(t, back, n, blocksize, true, twice, again, &err)
	    == 0, &err);
	/* FP4 has two zeros */
	w.data = twice;
	peft_decode(&w, 0, n, x);
	for (good = true, i = 0; i < n; i++)
		good = good && x[i] == back[i];
	ok(good && memcmp(absmax, again, nblocks * sizeof(*absmax)) == 0,
	    "%s: once more changes nothing", peft_dtypes[t].name);
}

/* Blocks do not know of each other: in pieces as in one go. */
static void
test_pieces(void)
{
	static float x[N], whole[N / 64], part[N / 64];
	uint8_t a[N / 2], b[N / 2];
	struct peft_err err = { 0 };
	size_t at;

	noise(x, N - 5, 77, 1);
	need(peft_encode_4bit(PEFT_NF4, x, N - 5, 64, true, a, whole, &err) ==
	    0, &err);
	for (at = 0; at < N - 5; at += 512)
		need(peft_encode_4bit(PEFT_NF4, x + at, at + 512 < N - 5 ?
		    512 : N - 5 - at, 64, at + 512 >= N - 5, b + at / 2, part +
		    at / 64, &err) == 0, &err);
	ok(memcmp(a, b, (N - 5 + 1) / 2) == 0 && memcmp(whole, part,
	    sizeof(whole)) == 0, "nf4: in pieces as in one go");
	ok((a[(N - 5) / 2] & 15) == 7, "an odd one is filled up with zero");
}

static void
test_plain(enum peft_dtype t, double rel, double least)
{
	static float x[N], back[N];
	uint8_t bytes[4 * N];
	struct peft_weight w = line(t, bytes);
	struct peft_err err = { 0 };
	bool good = true;
	size_t i;

	noise(x, N, t, 0.04);
	need(peft_encode(t, x, N, bytes, &err) == 0, &err);
	peft_decode(&w, 0, N, back);
	for (i = 0; i < N; i++)
		good = good && fabs((double)back[i] - (double)x[i]) <=
		    fmax(rel * fabs((double)x[i]), least);
	ok(good, "%s: within half a unit", peft_dtypes[t].name);
}

/* Groups as the encoders meet them, and such as have nothing to be fitted:
 * every lane of a fit gives the bits of the plain one. */
static void
fit_input(float *x, size_t n, uint64_t seed)
{
	size_t i;

	noise(x, n, seed, 0.04);
	for (i = 0; i < n; i++)
		switch ((i / 16 + seed) % 9) {
		case 1: x[i] = 0; break;
		case 2: x[i] = -0.5f; break;
		case 3: x[i] = fabsf(x[i]) + 1; break;
		case 4: x[i] *= 1e-14f; break;
		case 5: x[i] = i % 7 == 0 ? 3 : -0.0f; break;
		case 6: x[i] = roundf(x[i] * 32) / 8; break;
		}
}

/* Importances: of all sizes, none at all, mostly none. */
static void
fit_weights(float *w, size_t n, uint64_t seed)
{
	size_t i;

	noise(w, n, seed, 1);
	for (i = 0; i < n; i++) {
		w[i] = fabsf(w[i]);
		if ((i / 16 + seed / 9) % 5 == 1 || ((i / 16 + seed) % 7 == 2 &&
		    i % 5 > 0))
			w[i] = 0;
	}
}

static void
test_fits(bool weighted)
{
	static const struct peft_fit fits[] = {
		{ 16, 3, -0.5f, 0.1f, 15, true },
		{ 32, 15, -1, 0.1f, 20, false },
		{ 32, 31, -0.9f, 0.05f, 36, false } };
	static const int most[] = { 32, 8 };
	bool same[3] = { true, true, true }, centred[2] = { true, true };
	bool coded = true;
	float x[256], a[16], b[8], c[16], d[8], weights[256], *w;
	uint8_t p[256], q[256];
	uint64_t seed;
	size_t i, n;

	if (!__builtin_cpu_supports("avx2")) {
		printf("# this processor has no avx2\n");
		return;
	}
	w = weighted ? weights : NULL;
	for (seed = 0; seed < 500; seed++) {
		fit_input(x, 256, seed);
		fit_weights(weights, 256, seed);
		for (i = 0; i < 3; i++) {
			memset(p, 77, sizeof(p));
			memset(q, 77, sizeof(q));
			peft_fits_ref.offset(&fits[i], x, w, p, a, b);
			peft_fits_avx2.offset(&fits[i], x, w, q, c, d);
			same[i] = same[i] && memcmp(p, q, 256) == 0 &&
			    memcmp(a, c, sizeof(b)) == 0 && memcmp(b, d,
			    sizeof(b)) == 0 && q[255] == (i == 0 ? 77 :
			    p[255]);
		}
		peft_fits_ref.coded(x, p, a);
		peft_fits_avx2.coded(x, q, c);
		coded = coded && memcmp(p, q, 256) == 0 && memcmp(a, c,
		    sizeof(a)) == 0;
		for (i = 0, n = 16; i < 2; i++, n = 32) {
			memset(p, 77, sizeof(p));
			memset(q, 77, sizeof(q));
			peft_fits_ref.centred(x, w, n, most[i], p, a);
			peft_fits_avx2.centred(x, w, n, most[i], q, c);
			centred[i] = centred[i] && memcmp(p, q, 256) == 0 &&
			    memcmp(a, c, sizeof(b)) == 0 && q[255] == (n ==
			    16 ? 77 : p[255]);
		}
	}
	for (i = 0; i < 3; i++)
		ok(same[i], "avx2: fit with an offset, %d codes%s, as ref",
		    fits[i].most + 1, weighted ? ", weighted" : "");
	if (!weighted)
		ok(coded, "avx2: fit code by code as ref");
	for (i = 0; i < 2; i++)
		ok(centred[i], "avx2: fit around zero, %d codes%s, as ref",
		    2 * most[i], weighted ? ", weighted" : "");
}

/* The same bytes, the same counts, whatever the number of values. */
static void
test_paths(void)
{
	static const size_t counts[] = { 32, 96, 1024, 4096 };
	static float x[N];
	uint8_t a[4 * N], b[4 * N];
	size_t i, n, bad1, bad2, big1, big2;
	bool counted = true;
	uint64_t seed;
	int t;

	if (!__builtin_cpu_supports("avx2"))
		return;
	for (t = 0; t < PEFT_NDTYPE; t++) {
		bool same = true;

		if (peft_plain_ref.encode[t] == NULL)
			continue;
		for (seed = 0; seed < 40; seed++) {
			n = counts[seed % 4];
			fit_input(x, n, seed);
			for (i = 0; i < n && seed > 30; i++)
				x[i] *= 1e-38f;
			memset(a, 1, sizeof(a));
			memset(b, 1, sizeof(b));
			peft_plain_ref.encode[t](x, n, a);
			peft_plain_avx2.encode[t](x, n, b);
			same = same && memcmp(a, b, sizeof(a)) == 0;
		}
		ok(same, "%s: the bytes of avx2 are those of ref",
		    peft_dtypes[t].name);
	}
	for (n = 0; n < 300; n++) {
		fit_input(x, n, n);
		for (i = 3; i < n; i += 7)
			x[i] = i % 5 == 0 ? NAN : i % 5 == 1 ? -INFINITY :
			    i % 5 == 2 ? 2 : -2.0001f;
		peft_plain_ref.check(x, n, 2, &bad1, &big1);
		peft_plain_avx2.check(x, n, 2, &bad2, &big2);
		counted = counted && bad1 == bad2 && big1 == big2 &&
		    (n < 16 || (bad1 > 0 && big1 > bad1));
	}
	ok(counted, "and so are the counts of what cannot be written");
}

/* Lists of all lengths, with ties among them: the first of the nearest. */
static void
test_nearest_points(const struct peft_grid *grid, const char *name)
{
	static const float values[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };
	struct peft_err err = { 0 };
	struct peft_lattice *l = peft_lattice_open(grid, &err);
	size_t n = (size_t)1 << grid->bits * grid->dims, code, i, off = 0;
	bool same = true, whole = true;
	struct peft_near near;
	float x[8], w[8];
	int at;

	need(l != NULL, &err);
	for (code = 0; code < n; code += 7) {
		fit_input(x, 8, code);
		fit_weights(w, 8, code);
		if ((at = peft_lattice_find(l, (uint32_t)code, &near)) >= 0) {
			whole = whole && grid->points[at] == code;
			continue;
		}
		off++;
		for (i = 0; i + 1 < near.n; i++)
			whole = whole && near.at[i] != near.at[i + 1];
		if (__builtin_cpu_supports("avx2"))
			same = same && peft_fits_ref.nearest(&near,
			    (size_t)grid->dims, x, w, values, 0.02f) ==
			    peft_fits_avx2.nearest(&near, (size_t)grid->dims,
			    x, w, values, 0.02f);
	}
	ok(same && whole && off > n / 16 && !peft_lattice_failed(l), "%s: the "
	    "nearest of points near %zu codes, by avx2 as by ref", name, off);
	peft_lattice_close(l);
}

static void
refused(enum peft_dtype t, float value, const char *why)
{
	float x[64] = { 0 }, absmax[1];
	struct peft_err err = { 0 };
	uint8_t bytes[256];
	int r;

	x[33] = value;
	r = t == PEFT_NF4 ? peft_encode_4bit(t, x, 64, 64, true, bytes,
	    absmax, &err) : peft_encode(t, x, 64, bytes, &err);
	ok(why == NULL ? r == 0 : r == -1 && err.status == PEFT_NUMERIC &&
	    strcmp(err.msg, why) == 0, "%s of %g: %s", peft_dtypes[t].name,
	    (double)value, why == NULL ? "is written" : err.msg);
}

static void
test_refusals(void)
{
	static const char bad[] = "1 values are not finite";

	refused(PEFT_F32, NAN, bad);
	refused(PEFT_BF16, INFINITY, bad);
	refused(PEFT_Q8_0, -INFINITY, bad);
	refused(PEFT_NF4, NAN, "a value is not finite");
	refused(PEFT_NF4, -INFINITY, "a value is not finite");
	refused(PEFT_F16, 65520, "1 values are too large for f16");
	refused(PEFT_F16, -1e9f, "1 values are too large for f16");
	refused(PEFT_F16, 65519.996f, NULL);
	refused(PEFT_Q4_1, 1e9f, "1 values are too large for q4_1");
	refused(PEFT_F32, 1e38f, NULL);
	refused(PEFT_BF16, 0x1.fefffep127f, NULL);
	refused(PEFT_BF16, -0x1.ffp127f, "1 values are too large for bf16");
	refused(PEFT_NF4, 1e38f, NULL);
}

int
main(void)
{
	static const enum peft_dtype blocks[] = { PEFT_Q4_0, PEFT_Q4_1,
		PEFT_Q5_0, PEFT_Q5_1, PEFT_Q8_0 };
	size_t i;

	test_plain(PEFT_F16, 0x1p-11, 0x1p-25);
	test_plain(PEFT_BF16, 0x1p-8, 0);
	test_plain(PEFT_F32, 0, 0);
	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		test_blocks(blocks[i]);
	test_nearest(PEFT_NF4, 64, N);
	test_nearest(PEFT_NF4, 32, N - 33);
	test_nearest(PEFT_FP4, 128, N);
	test_pieces();
	test_fits(false);
	test_fits(true);
	test_paths();
	test_nearest_points(&peft_grid_iq1_s, "iq1");
	test_nearest_points(&peft_grid_iq2_s, "iq2_s");
	test_nearest_points(&peft_grid_iq3_s, "iq3_s");
	test_refusals();
	return tap_end();
}
