/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few tokens by whole numbers (few-fixed.h) with AVX-512 VNNI: a lane to each
 * of 16 rows, whose codes are turned so that four columns of a row are a
 * word; a token's four bytes are the same for all.
 */

#include "quant/few-fixed.h"
#include "quant/lanes.h"
#include "quant/quant.h"

enum {
	ROWS = 16,
	TOKENS = 4,		/* whose sums are in registers */
	AHEAD = 8192, LINE = 64	/* as in few.inc */
};

/* 16 rows of a weight: where they begin, how far apart. */
struct strip {
	const uint8_t	*at;
	size_t		 ld;
	words		 rows;		/* where each begins */
};

/* Group g of 16 rows: codes of columns 4i .. 4i+4, scales and offsets. */
struct group {
	words	codes[8];
	lanes	d, m;
};

typedef void make_fn(const struct strip *, size_t g, struct group *);

/* The same four bytes of 16 rows, for four such: 16 bytes from `at' on. */
INLINE void
turn(const uint8_t *at, size_t ld, words out[4])
{
	words z[4], t[4];
	int i;

#define ROW(r)	_mm_loadu_si128((const __m128i *)(const void *)(at + (r) * ld))
#pragma GCC unroll 4
	for (i = 0; i < 4; i++, at += ld) {
		z[i] = _mm512_inserti32x4(_mm512_castsi128_si512(ROW(0)),
		    ROW(4), 1);
		z[i] = _mm512_inserti32x4(_mm512_inserti32x4(z[i], ROW(8), 2),
		    ROW(12), 3);
	}
#undef ROW
	t[0] = _mm512_unpacklo_epi32(z[0], z[1]);
	t[1] = _mm512_unpacklo_epi32(z[2], z[3]);
	t[2] = _mm512_unpackhi_epi32(z[0], z[1]);
	t[3] = _mm512_unpackhi_epi32(z[2], z[3]);
	out[0] = _mm512_unpacklo_epi64(t[0], t[1]);
	out[1] = _mm512_unpackhi_epi64(t[0], t[1]);
	out[2] = _mm512_unpacklo_epi64(t[2], t[3]);
	out[3] = _mm512_unpackhi_epi64(t[2], t[3]);
}

/* 16 bytes of nibbles, all low ones first. */
INLINE void
nibbles(const struct strip *s, const uint8_t *at, words codes[8])
{
	const words low = l_word(0x0f0f0f0f);
	words q[4];
	int i;

	turn(at, s->ld, q);
#pragma GCC unroll 4
	for (i = 0; i < 4; i++) {
		codes[i] = _mm512_and_si512(q[i], low);
		codes[4 + i] = _mm512_and_si512(_mm512_srli_epi16(q[i], 4),
		    low);
	}
}

/* 32 signed bytes, plus 128. */
INLINE void
bytes(const struct strip *s, const uint8_t *at, words codes[8])
{
	int i;

	turn(at, s->ld, codes);
	turn(at + 16, s->ld, codes + 4);
#pragma GCC unroll 8
	for (i = 0; i < 8; i++)
		codes[i] = _mm512_xor_si512(codes[i], l_word((int)0x80808080));
}

/* The f16 at `at' of each row, and the one behind it. */
INLINE void
halves(const struct strip *s, const uint8_t *at, lanes *d, lanes *m)
{
	words h = _mm512_i32gather_epi32(s->rows, at, 1);

	*d = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(h));
	*m = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(h, 16)));
}

INLINE void
m_q4_0(const struct strip *s, size_t g, struct group *to)
{
	nibbles(s, s->at + 18 * g + 2, to->codes);
	halves(s, s->at + 18 * g, &to->d, &to->m);
}

INLINE void
m_q4_1(const struct strip *s, size_t g, struct group *to)
{
	nibbles(s, s->at + 20 * g + 4, to->codes);
	halves(s, s->at + 20 * g, &to->d, &to->m);
}

INLINE void
m_q8_0(const struct strip *s, size_t g, struct group *to)
{
	bytes(s, s->at + 34 * g + 2, to->codes);
	halves(s, s->at + 34 * g, &to->d, &to->m);
}

/* What differs from type to type: codes are less `zero', and m is of use. */
struct kind {
	make_fn	*make;
	int	 zero;
	bool	 offset;
};

/* N tokens from t on of T. */
INLINE void
add(const int N, const struct kind k, const struct group *g,
    const struct peft_fixed_piece *x, size_t T, size_t t, lanes *acc)
{
	words sum[3][TOKENS];
	int b, i, n;

#pragma GCC unroll 3
	for (b = 0; b < 3; b++)
#pragma GCC unroll 4
		for (n = 0; n < N; n++)
			sum[b][n] = k.zero == 0 ? l_word(0) : l_word(
			    -k.zero * x->whole[b][t + (size_t)n]);
#pragma GCC unroll 8
	for (i = 0; i < 8; i++)
#pragma GCC unroll 3
		for (b = 0; b < 3; b++)
#pragma GCC unroll 4
			for (n = 0; n < N; n++) {
				int32_t four;

				memcpy(&four, x->bytes + ((size_t)b * T + t +
				    (size_t)n) * 32 + 4 * i, sizeof(four));
				sum[b][n] = _mm512_dpbusd_epi32(sum[b][n],
				    g->codes[i], l_word(four));
			}
#pragma GCC unroll 4
	for (n = 0; n < N; n++) {
		lanes *y = &acc[t + (size_t)n];
		lanes v = l_fma(l_float(_mm512_add_epi32(_mm512_slli_epi32(
		    sum[0][n], 8), sum[1][n])), l_set(256),
		    l_float(sum[2][n]));

		*y = l_fma(g->d, l_mul(v, l_set(x->scale[t + (size_t)n])), *y);
		if (k.offset)
			*y = l_fma(g->m, l_set(x->sums[t + (size_t)n]), *y);
	}
}

INLINE void
add_all(const struct kind k, const struct group *g,
    const struct peft_fixed_piece *x, size_t T, lanes *acc)
{
	size_t t;

	for (t = 0; t + TOKENS <= T; t += TOKENS)
		add(TOKENS, k, g, x, T, t, acc);
	switch (T - t) {
	case 1: add(1, k, g, x, T, t, acc); break;
	case 2: add(2, k, g, x, T, t, acc); break;
	case 3: add(3, k, g, x, T, t, acc); break;
	}
}

/* size: bytes of a group, of which as much is asked for further on. */
INLINE void
strip(const struct kind k, const struct strip *s, size_t groups, size_t size,
    const struct peft_fixed_piece *x, size_t T, lanes *acc)
{
	struct group now;
	size_t g, i;

	for (g = 0; g < T; g++)
		acc[g] = l_zero();
	for (g = 0; g < groups; g++) {
		k.make(s, g, &now);
		add_all(k, &now, x + g, T, acc);
		for (i = 0; i < ROWS * size; i += LINE)
			__builtin_prefetch(s->at + AHEAD + ROWS * size * g + i,
			    0, 2);
	}
}

/* Rows of f times its tokens from `first' on, T of them. */
INLINE void
some(const struct kind k, const struct peft_few *f, size_t first, size_t T)
{
	const struct peft_dtype_info *type = &peft_dtypes[f->w->dtype];
	size_t groups = f->w->cols / 32, size = 32 / type->block * type->bytes;
	const struct peft_fixed_piece *x = f->pieces + first /
	    PEFT_FIXED_TOKENS * groups;
	const words ramp = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6,
	    5, 4, 3, 2, 1, 0);
	struct strip s = { .ld = groups * size };
	lanes acc[PEFT_FIXED_TOKENS];
	size_t r, t, row, from;

	s.rows = _mm512_mullo_epi32(ramp, l_word((int)s.ld));
	for (r = 0; r < f->n; r += ROWS) {
		/* the last begin earlier, so that there are 16 */
		row = f->row + r;
		from = row + ROWS < f->w->rows ? row : f->w->rows - ROWS;
		s.at = (const uint8_t *)f->w->data + from * s.ld;
		strip(k, &s, groups, size, x, T, acc);
		for (t = 0; t < T; t++)
			_mm512_mask_storeu_ps(f->y + (first + t) * f->ldy + r -
			    (row - from), (__mmask16)(0xffff << (row - from)),
			    acc[t]);
	}
}

INLINE void
all(const struct kind k, const struct peft_few *f)
{
	size_t t, T;

	for (t = 0; t < f->T; t += T) {
		T = f->T - t < PEFT_FIXED_TOKENS ? f->T - t :
		    PEFT_FIXED_TOKENS;
		some(k, f, t, T);
	}
}

#define KERNEL(type, zero, offset) \
static void \
rows_##type(const struct peft_few *f) \
{ \
	all((struct kind){ m_##type, zero, offset }, f); \
}

KERNEL(q4_0, 8, false)
KERNEL(q4_1, 0, true)
KERNEL(q8_0, 128, false)

static void (*const kernels[PEFT_NDTYPE])(const struct peft_few *) = {
	[PEFT_Q4_0] = rows_q4_0, [PEFT_Q4_1] = rows_q4_1,
	[PEFT_Q8_0] = rows_q8_0,
};

static bool
takes(const struct peft_weight *w)
{
	enum { LARGEST = 34 };		/* bytes of a group */

	return kernels[w->dtype] != NULL && w->rows >= ROWS &&
	    w->cols % 32 == 0 && w->cols <= INT32_MAX / LARGEST / ROWS * 32;
}

static void
rows(const struct peft_few *f)
{
	kernels[f->w->dtype](f);
}

static void
split(const float *x, size_t T, size_t t, struct peft_fixed_piece *p)
{
	lanes v[2] = { l_load(x), l_load(x + LANES) };
	float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(v[0]),
	    _mm512_abs_ps(v[1]))), by = peft_fixed_power(most);
	bool finite = (_mm512_fpclass_ps_mask(v[0], 0x99) |
	    _mm512_fpclass_ps_mask(v[1], 0x99)) == 0;
	__m256i ones = _mm256_set1_epi8(1), bytes;
	words q[2];
	int b, i;

	/* each byte of X + 0x808080 is 128 more than that of X */
	for (i = 0; i < 2; i++)
		q[i] = !finite ? l_word(0x808080) : _mm512_add_epi32(
		    _mm512_cvtps_epi32(l_mul(v[i], l_set(by))),
		    l_word(0x808080));
	for (b = 0; b < 3; b++) {
		bytes = _mm256_xor_si256(_mm256_set1_epi8((char)0x80),
		    _mm256_set_m128i(_mm512_cvtepi32_epi8(_mm512_srli_epi32(
		    q[1], 16 - 8 * (unsigned)b)), _mm512_cvtepi32_epi8(
		    _mm512_srli_epi32(q[0], 16 - 8 * (unsigned)b))));
		_mm256_storeu_si256((__m256i *)(void *)(p->bytes +
		    ((size_t)b * T + t) * 32), bytes);
		p->whole[b][t] = _mm512_reduce_add_epi32(
		    _mm512_zextsi256_si512(_mm256_dpbusd_epi32(
		    _mm256_setzero_si256(), ones, bytes)));
	}
	p->scale[t] = finite ? 1 / by : peft_bits_f32(0x7fc00000);
	p->sums[t] = p->scale[t] * (float)(p->whole[0][t] * 65536 +
	    p->whole[1][t] * 256 + p->whole[2][t]);
}

const struct peft_few_fixed peft_few_fixed_avx512vnni = { takes, split, rows };
