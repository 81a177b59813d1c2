/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few tokens by whole numbers for the path "amx" (flags: Makefile): as with
 * VNNI up to seven tokens; from eight on a tile is 16 rows of the weight,
 * another up to 16 tokens, and the sums are a row of the weight to a register.
 * It takes as long for eight tokens as for 16.
 *
 * A tile has 64 bytes of a row, twice what a group has.  So codes of 4 bits q
 * are there as 16 q and as q, and numbers X as four digits,
 *
 *	X = 4096 (16 A + B) + 16 C + D,
 *
 * A and C signed bytes, B and D 0 .. 15: two products are X's upper and lower
 * half times q.  Codes of 8 bits are multiplied by three bytes, as they are in
 * memory.
 */

#include "math/tiles.h"
#include "quant/few-fixed.inc"
#include "quant/few-fixed-split.inc"
#include "quant/few-fixed-tiles.inc"

enum { TILED = 8 };		/* tokens for which tiles pay */

static void
split(const float *x, size_t ldx, size_t T, unsigned forms,
    struct peft_fixed_piece *p)
{
	if (T < TILED)
		split_tokens(x, ldx, T, p);
	else
		split_tiles(x, ldx, T, forms, p);
}

typedef void fill_fn(const struct strip *, size_t g, struct tile *);
typedef void multiply_fn(const struct strip[2], size_t g,
    const struct tile[2], const struct peft_fixed_piece *);
typedef void store_fn(struct sums[2]);
typedef lanes join_fn(const struct sums *, int row);

/* What differs from type to type. */
struct tiled {
	fill_fn		*fill;
	multiply_fn	*multiply;
	store_fn	*store;
	join_fn		*join;
	bool		 offset;
};

INLINE void
put_halves(const struct strip *s, const uint8_t *at, struct tile *to)
{
	lanes d, m;

	halves(s, at, &d, &m);
	l_store(to->d, d);
	l_store(to->m, m);
}

/* 16 bytes of nibbles of each row: 16 q, then q, less `zero'. */
INLINE void
put_nibbles(const struct strip *s, const uint8_t *at, const int zero,
    struct tile *to)
{
	const words turns = _mm512_set_epi64(60, 60, 0, 0, 0, 0, 4, 4);
	const words mask = _mm512_inserti64x4(l_word(0x0f0f0f0f),
	    _mm256_set1_epi8((char)0xf0), 0);
	const words less = _mm512_inserti64x4(l_word(0x01010101 * zero),
	    _mm256_set1_epi8((char)(16 * zero)), 0);
	int r;

#pragma GCC unroll 16
	for (r = 0; r < ROWS; r++, at += s->ld) {
		words q = _mm512_and_si512(_mm512_rolv_epi64(
		    _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)
		    (const void *)at)), turns), mask);

		if (zero != 0)
			q = _mm512_sub_epi8(q, less);
		_mm512_store_si512(to->codes[r], q);
	}
}

INLINE void
f_q4_0(const struct strip *s, size_t g, struct tile *to)
{
	put_nibbles(s, s->at + 18 * g + 2, 8, to);
	put_halves(s, s->at + 18 * g, to);
}

INLINE void
f_q4_1(const struct strip *s, size_t g, struct tile *to)
{
	put_nibbles(s, s->at + 20 * g + 4, 0, to);
	put_halves(s, s->at + 20 * g, to);
}

/* Codes are taken from where they are. */
INLINE void
f_q8_0(const struct strip *s, size_t g, struct tile *to)
{
	put_halves(s, s->at + 34 * g, to);
}

#define SUM(i)	_mm512_load_si512(s->of[i][row])
INLINE lanes
join_digits(const struct sums *s, int row)
{
	return l_fma(l_float(SUM(0)), l_set(4096), l_float(SUM(1)));
}

INLINE lanes
join_bytes(const struct sums *s, int row)
{
	return join(SUM(0), SUM(1), SUM(2));
}
#undef SUM

INLINE void
collect(const struct tiled k, const struct sums *s, const struct tile *w,
    const struct peft_fixed_piece *x, lanes acc[ROWS])
{
	lanes scale = l_load(x->scale), sums = l_load(x->sums);
	int r;

#pragma GCC unroll 16
	for (r = 0; r < ROWS; r++) {
		acc[r] = l_fma(l_set(w->d[r]), l_mul(k.join(s, r), scale),
		    acc[r]);
		if (k.offset)
			acc[r] = l_fma(l_set(w->m[r]), sums, acc[r]);
	}
}

/* Two strips.  While tiles multiply a group, the one before is collected and
 * the next is made; sums are stored when they have long been ready. */
INLINE void
tiled_strips(const struct tiled k, const struct strip s[2], size_t groups,
    size_t size, const struct peft_fixed_piece *x, lanes acc[2][ROWS])
{
	enum { RING = 4 };
	struct tile w[RING][2];
	struct sums sums[2];
	size_t g;
	int r;

#pragma GCC unroll 16
	for (r = 0; r < ROWS; r++)
		acc[0][r] = acc[1][r] = l_zero();
	k.fill(&s[0], 0, &w[0][0]);
	k.fill(&s[1], 0, &w[0][1]);
	for (g = 0; g <= groups; g++) {
		if (g > 0)
			k.store(sums);
		if (g < groups)
			k.multiply(s, g, w[g % RING], x + g);
		if (g + 1 < groups) {
			k.fill(&s[0], g + 1, &w[(g + 1) % RING][0]);
			k.fill(&s[1], g + 1, &w[(g + 1) % RING][1]);
		}
		if (g > 0) {
			collect(k, &sums[0], &w[(g - 1) % RING][0], x + g - 1,
			    acc[0]);
			collect(k, &sums[1], &w[(g - 1) % RING][1], x + g - 1,
			    acc[1]);
		}
		ahead(&s[0], g, size, 2 * ROWS);
	}
}

static void
configure(bool bytes)
{
	struct peft_tiles c = { .palette = 1 };
	int i;

	for (i = 0; i < 8; i++) {
		c.width[i] = bytes && i == 6 ? 32 : LINE;
		c.height[i] = bytes && i == 7 ? 8 : ROWS;
	}
	__asm__ volatile("" : : "r"(&c) : "memory");	/* tiles.h says why */
	_tile_loadconfig(&c);
}

/* A lane a token, to a lane a row. */
static void
turn_sums(lanes acc[ROWS], float to[PEFT_FIXED_TOKENS][ROWS])
{
	words out[4];
	int i, k;

	for (i = 0; i < 4; i++) {
		turn((const uint8_t *)acc + 16 * i, sizeof(*acc), out);
		for (k = 0; k < 4; k++)
			l_store(to[4 * i + k], _mm512_castsi512_ps(out[k]));
	}
}

INLINE void
put_strip(const struct peft_few *f, size_t r, size_t before, size_t first,
    size_t T, lanes acc[ROWS])
{
	float y[PEFT_FIXED_TOKENS][ROWS];
	size_t t;

	turn_sums(acc, y);
	for (t = 0; t < T; t++)
		_mm512_mask_storeu_ps(f->y + (first + t) * f->ldy + r - before,
		    (__mmask16)(0xffff << before), l_load(y[t]));
}

INLINE void
tiles(const struct tiled k, const struct peft_few *f, size_t first, size_t T)
{
	size_t size = group_bytes(f->w), groups = f->w->cols / 32;
	const struct peft_fixed_piece *x = f->pieces + first /
	    PEFT_FIXED_TOKENS * groups;
	struct strip s[2] = { { .ld = groups * size }, { .ld = groups *
	    size } };
	size_t r, before[2];
	lanes acc[2][ROWS];

	configure(k.store == store_bytes);
	for (r = 0; r < f->n; r += 2 * ROWS) {
		size_t next = r + ROWS < f->n ? r + ROWS : r;

		before[0] = begin(&s[0], f, r);
		before[1] = begin(&s[1], f, next);
		tiled_strips(k, s, groups, size, x, acc);
		put_strip(f, r, before[0], first, T, acc[0]);
		put_strip(f, next, before[1], first, T, acc[1]);
	}
	_tile_release();
}

#define KERNEL(type, multiply, as, offset) \
static void \
tiles_##type(const struct peft_few *f, size_t first, size_t T) \
{ \
	tiles((struct tiled){ f_##type, multiply, store_##as, join_##as, \
	    offset }, f, first, T); \
}

KERNEL(q4_0, multiply_signed, digits, false)
KERNEL(q4_1, multiply_unsigned, digits, true)
KERNEL(q8_0, multiply_bytes, bytes, false)
#undef KERNEL

static const struct tiled_kernel {
	some_fn		*tiles;
	unsigned	 form;
} tiled_kernels[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = { tiles_q4_0, DIGITS },
	[PEFT_Q4_1] = { tiles_q4_1, DIGITS },
	[PEFT_Q8_0] = { tiles_q8_0, BYTES },
};

static unsigned
form(const struct peft_weight *w)
{
	return takes(w) ? tiled_kernels[w->dtype].form : 0;
}

static some_fn *
kernel_for(enum peft_dtype type, size_t T)
{
	return T < TILED ? some_kernels[type] : tiled_kernels[type].tiles;
}

const struct peft_few_fixed peft_few_fixed_amx = { form, split, rows };
