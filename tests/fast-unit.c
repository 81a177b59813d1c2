/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simple encoders: each path against the plain one, bit by bit; with
 * FILE.safetensors against bitsandbytes and torch (parity/coded_golden.py).
 */

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/half.h"
#include "base/rng.h"
#include "golden-file.h"
#include "quant/fast.h"
#include "quant/quant.h"

enum { N = 5000 };

static float x[N];

/* Magnitudes of all sizes, signs, halves between codes, zeros. */
static void
fill(void)
{
	struct peft_rng key = peft_rng_key(1, "fast-unit");
	size_t i;

	for (i = 0; i < N; i++)
		x[i] = i % 7 == 0 ? (float)(i % 19) / 8 - 1 :
		    (float)peft_rng_normal(key, 0, i) *
		    ldexpf(1, (int)(i % 40) - 30);
	x[11] = 0;
	x[12] = -0.0f;
	x[13] = 0x1p-140f;
}

static const struct peft_map4 map = { .mid = { -0.9f, -0.7f, -0.5f, -0.375f,
    -0.25f, -0.125f, -0.05f, 0, 0.05f, 0.125f, 0.25f, 0.375f, 0.5f, 0.625f,
    0.75f, INFINITY }, .code = { 7, 6, 5, 4, 3, 2, 1, 0, 8, 9, 10, 11, 12, 13,
    14, 15 } };

static bool
same_floats(const struct peft_fast *p, size_t from, size_t n)
{
	const struct peft_fast *ref = &peft_fast_ref;
	uint8_t a[2 * N] = { 0 }, b[2 * N] = { 0 };
	float most = ref->most(x + from, n);
	bool good = p->most(x + from, n) == most;

	good = good && p->f16(x + from, n, most, a) == 1 &&
	    p->f16(x + from, n, nextafterf(most, INFINITY), a) == 0 &&
	    ref->f16(x + from, n, INFINITY, b) == 0 &&
	    memcmp(a, b, 2 * n) == 0;
	good = good && p->bf16(x + from, n, most, a) == 1 &&
	    p->bf16(x + from, n, nextafterf(most, INFINITY), a) == 0 &&
	    ref->bf16(x + from, n, INFINITY, b) == 0 &&
	    memcmp(a, b, 2 * n) == 0;
	most = most > 0 ? most : 1;
	p->f8(x + from, n, 448 / most, a);
	ref->f8(x + from, n, 448 / most, b);
	return good && memcmp(a, b, n) == 0;
}

static bool
same_codes(const struct peft_fast *p, size_t from, size_t n)
{
	const struct peft_fast *ref = &peft_fast_ref;
	float most = ref->most(x + from, n), scale = most > 0 ? most / 2 : 1;
	uint8_t a[N] = { 0 }, b[N] = { 0 };
	bool good;
	int whole;

	p->codes8(x + from, n, most, (int8_t *)a);
	ref->codes8(x + from, n, most, (int8_t *)b);
	good = memcmp(a, b, n) == 0;
	for (whole = 0; whole < 2; whole++) {
		p->codes4(&map, x + from, n - n % 2, scale, whole, a);
		ref->codes4(&map, x + from, n - n % 2, scale, whole, b);
		good = good && memcmp(a, b, n / 2) == 0;
	}
	return good;
}

static void
test_path(const struct peft_fast *p, const char *name)
{
	static const size_t sizes[] = { 1, 2, 7, 16, 17, 63, 64, 65, 1000 };
	bool floats = true, codes = true;
	size_t i, from;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (from = 0; from + sizes[i] <= N; from += 331) {
			floats = floats && same_floats(p, from, sizes[i]);
			codes = codes && same_codes(p, from, sizes[i]);
		}
	ok(floats, "%s: f16, bf16, f8 and the largest", name);
	ok(codes, "%s: codes of four bits and of eight", name);
}

/* What is largest, and what is no number. */
static void
test_most(void)
{
	float v[70] = { 1, -3, 2 };
	size_t i;
	bool good = peft_fast()->most(v, 70) == 3;

	for (i = 0; i < 70; i++) {
		float was = v[i];

		v[i] = NAN;
		good = good && isinf(peft_fast()->most(v, 70));
		v[i] = -INFINITY;
		good = good && isinf(peft_fast()->most(v, 70));
		v[i] = was;
	}
	ok(good, "a NaN or an infinity is never passed over");
}

/* The nearest f8 of values by looking at all; of two, the even code. */
static uint8_t
nearest_f8(float v, const float *values)
{
	int best = 0, c;

	for (c = 1; c < 0x7f; c++) {
		float d = fabsf(fabsf(v) - values[c]);
		float b = fabsf(fabsf(v) - values[best]);

		if (d < b || (d == b && c % 2 == 0))
			best = c;
	}
	return (uint8_t)(best | (signbit(v) ? 0x80 : 0));
}

static void
test_f8(void)
{
	uint8_t all[0x7f], code;
	struct peft_weight w = { .dtype = PEFT_F8_E4M3, .data = all,
	    .rows = 1, .cols = 0x7f, .nelem = 0x7f };
	float values[0x7f], v;
	bool good = true;
	uint32_t u;
	int c;

	for (c = 0; c < 0x7f; c++)
		all[c] = (uint8_t)c;
	peft_decode(&w, 0, 0x7f, values);
	for (u = 0; u < 0x10000; u++) {
		v = peft_from_bf16((uint16_t)u);
		if (!(fabsf(v) <= 448))
			continue;
		peft_fast_ref.f8(&v, 1, 1, &code);
		good = good && code == nearest_f8(v, values);
	}
	ok(good, "f8: the nearest of every bf16");
}

static void
test_refusals(void)
{
	struct peft_err err = { 0 };
	float v[64] = { 7e4f }, s[64];
	int8_t q[64];

	ok(peft_encode_int8(v, 1, 64, q, s, &err) == -1 && err.status ==
	    PEFT_NUMERIC && strstr(err.msg, "too large for f16") != NULL,
	    "int8 is made from f16: what does not fit is refused");
	v[0] = NAN;
	ok(peft_encode_int8(v, 1, 64, q, s, &err) == -1 && err.status ==
	    PEFT_NUMERIC && peft_encode_fp8(v, 1, 64, 32, (uint8_t *)q, s,
	    &err) == -1 && err.status == PEFT_NUMERIC, "NaN, too");
}

static void
test_golden(const char *path)
{
	const float *w, *scale, *values;
	struct peft_err err = { 0 };
	uint8_t codes[32 * 96], got[1 << 16];
	float scales[32];
	struct golden g;
	size_t n, i, k = 0;
	float v;

	golden_open(&g, path);
	w = golden_get(&g, "w", "", NULL);
	need(peft_encode_int8(w, 32, 96, (int8_t *)codes, scales, &err) == 0,
	    &err);
	ok(memcmp(codes, golden_get(&g, "CB", "", NULL), 32 * 96) == 0 &&
	    memcmp(scales, golden_get(&g, "SCB", "", NULL), 32 * 4) == 0,
	    "int8: bitsandbytes' codes and scales");
	need(peft_encode_fp8(w, 32, 96, 32, codes, scales, &err) == 0, &err);
	scale = golden_get(&g, "f8.scale", "", NULL);
	ok(memcmp(codes, golden_get(&g, "f8", "", NULL), 32 * 96) == 0 &&
	    memcmp(scales, scale, 3 * 4) == 0, "fp8: torch's codes");
	values = golden_get(&g, "codes", "", &n);
	for (i = 0; i < 0x10000; i++) {
		v = peft_from_bf16((uint16_t)i);
		if (fabsf(v) <= 448)
			peft_fast_ref.f8(&v, 1, 1, &got[k++]);
	}
	ok(k == n && memcmp(got, values, n) == 0, "f8: torch's of every bf16");
	golden_close(&g);
}

int
main(int argc, char **argv)
{
	fill();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c"))
		test_path(&peft_fast_avx2, "avx2");
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"))
		test_path(&peft_fast_avx512, "avx512");
	test_most();
	test_f8();
	test_refusals();
	if (argc > 1)
		test_golden(argv[1]);
	return tap_end();
}
