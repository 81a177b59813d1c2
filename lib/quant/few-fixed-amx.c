/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few tokens by whole numbers for the path "amx" (flags: Makefile): as with
 * VNNI for a few tokens; with eight or more a tile is 16 rows of the weight, another
 * up to 16 tokens, and the sums are a row of the weight to a register.
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

enum { TILED = 8 };		/* tokens for which tiles pay */

/* What becomes of X. */
enum { BYTES = 1, DIGITS = 2 };

/* ------------------------------------------------------------- tokens */

/* 16 tokens, 4 columns: a column to a register, of T tokens. */
INLINE void
turn_floats(const float *x, size_t ldx, size_t T, words out[4])
{
	static const float none[4];
	const float *at[PEFT_FIXED_TOKENS];
	words z[4], t[4];
	size_t i;

#pragma GCC unroll 16
	for (i = 0; i < PEFT_FIXED_TOKENS; i++)
		at[i] = i < T ? x + i * ldx : none;
#define ROW(r)	_mm_loadu_si128((const __m128i *)(const void *)at[r])
#pragma GCC unroll 4
	for (i = 0; i < 4; i++) {
		z[i] = _mm512_inserti32x4(_mm512_castsi128_si512(ROW(i)),
		    ROW(4 + i), 1);
		z[i] = _mm512_inserti32x4(_mm512_inserti32x4(z[i], ROW(8 + i),
		    2), ROW(12 + i), 3);
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

/* peft_fixed_power() of 16 tokens. */
INLINE lanes
powers(lanes most)
{
	words u = _mm512_castps_si512(most), k;

	k = _mm512_sub_epi32(l_word(127 + 22 + 127), _mm512_srli_epi32(u, 23));
	k = _mm512_mask_sub_epi32(k, _mm512_cmpgt_epi32_mask(_mm512_and_si512(
	    u, l_word(0x7fffff)), l_word(0x7efefe)), k, l_word(1));
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_min_epu32(k,
	    l_word(227)), 23));
}

/* Bits from `shift' on of four words, eight each: a byte of each. */
INLINE words
bytes_of(const words u[4], const int shift)
{
	words b[4];
	int i;

#pragma GCC unroll 4
	for (i = 0; i < 4; i++)
		b[i] = shift > 8 * i ? _mm512_srli_epi32(u[i],
		    (unsigned)(shift - 8 * i)) : _mm512_slli_epi32(u[i],
		    (unsigned)(8 * i - shift));
	/* 0xca: bits of the second where the first's are set, else of the
	 * third */
	b[0] = _mm512_ternarylogic_epi32(l_word(0xff), b[0], b[1], 0xca);
	b[2] = _mm512_ternarylogic_epi32(l_word(0xff0000), b[2], b[3], 0xca);
	return _mm512_ternarylogic_epi32(l_word(0xffff), b[0], b[2], 0xca);
}

INLINE void
put(int8_t *to, words w)
{
	_mm512_store_si512((void *)to, w);
}

/* X of four columns of 16 tokens to word i of each form. */
INLINE void
put_forms(const words X[4], unsigned forms, size_t i,
    struct peft_fixed_piece *p)
{
	const words sign = l_word((int)0x80808080), nibble =
	    l_word(0x0f0f0f0f);
	words u[4];
	int b, k;

	if (forms & BYTES) {
#pragma GCC unroll 4
		for (k = 0; k < 4; k++)
			u[k] = _mm512_add_epi32(X[k], l_word(0x808080));
#pragma GCC unroll 3
		for (b = 0; b < 3; b++)
			put(p->bytes + LINE * (8 * (size_t)b + i),
			    _mm512_xor_si512(bytes_of(u, 16 - 8 * b), sign));
	}
	if (forms & DIGITS) {
#pragma GCC unroll 4
		for (k = 0; k < 4; k++)
			u[k] = _mm512_add_epi32(X[k], l_word(0x800800));
#pragma GCC unroll 2
		for (b = 0; b < 2; b++) {
			put(p->digits + LINE * (16 * (size_t)b + i),
			    _mm512_xor_si512(bytes_of(u, 16 - 12 * b), sign));
			put(p->digits + LINE * (16 * (size_t)b + 8 + i),
			    _mm512_and_si512(bytes_of(u, 12 - 12 * b),
			    nibble));
		}
	}
}

/* A lane to a token. */
static void
split_tiles(const float *x, size_t ldx, size_t T, unsigned forms,
    struct peft_fixed_piece *p)
{
	words v[32], X[4], sum = l_word(0);
	lanes most = l_zero(), by, scale;
	__mmask16 endless = 0;
	size_t i, k;

#pragma GCC unroll 8
	for (i = 0; i < 8; i++)
		turn_floats(x + 4 * i, ldx, T, v + 4 * i);
#pragma GCC unroll 32
	for (i = 0; i < 32; i++) {
		lanes f = _mm512_castsi512_ps(v[i]);

		most = _mm512_max_ps(most, _mm512_abs_ps(f));
		endless |= _mm512_fpclass_ps_mask(f, 0x99);
	}
	by = powers(most);
#pragma GCC unroll 8
	for (i = 0; i < 8; i++) {
#pragma GCC unroll 4
		for (k = 0; k < 4; k++) {
			X[k] = _mm512_maskz_cvtps_epi32((__mmask16)~endless,
			    l_mul(_mm512_castsi512_ps(v[4 * i + k]), by));
			sum = _mm512_add_epi32(sum, X[k]);
		}
		put_forms(X, forms, i, p);
	}
	scale = _mm512_mask_mov_ps(_mm512_div_ps(l_set(1), by), endless,
	    l_set(peft_bits_f32(0x7fc00000)));
	l_store(p->scale, scale);
	l_store(p->sums, l_mul(scale, l_float(sum)));
}

static void
split(const float *x, size_t ldx, size_t T, unsigned forms,
    struct peft_fixed_piece *p)
{
	if (T < TILED)
		split_tokens(x, ldx, T, p);
	else
		split_tiles(x, ldx, T, forms, p);
}

/* --------------------------------------------------------------- rows */

/* A group of 16 rows: their codes, for a tile; scales and offsets. */
struct tile {
	uint8_t	codes[ROWS][LINE];
	float	d[ROWS], m[ROWS];
} __attribute__((aligned(64)));

/* The products of a tile and a piece. */
struct sums {
	int32_t	of[3][ROWS][PEFT_FIXED_TOKENS];
} __attribute__((aligned(64)));

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

/*
 * Two strips, 32 rows, so that a tile of the tokens is used twice.  Of digits,
 * tiles 0, 1 are the first strip's sums of upper and lower half, 2, 3 the
 * second's; 4, 5 their codes; 6, 7 tokens.
 */
INLINE void
load_digits(const struct tile w[2], const struct peft_fixed_piece *x)
{
	_tile_loadd(4, w[0].codes, LINE);
	_tile_loadd(6, x->digits, LINE);
	_tile_loadd(5, w[1].codes, LINE);
	_tile_loadd(7, x->digits + 16 * LINE, LINE);
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
}

INLINE void
multiply_signed(const struct strip s[2], size_t g, const struct tile w[2],
    const struct peft_fixed_piece *x)
{
	(void)s;
	(void)g;
	load_digits(w, x);
	_tile_dpbssd(0, 4, 6);
	_tile_dpbssd(2, 5, 6);
	_tile_dpbssd(1, 4, 7);
	_tile_dpbssd(3, 5, 7);
}

/* Of codes that reach above 127. */
INLINE void
multiply_unsigned(const struct strip s[2], size_t g, const struct tile w[2],
    const struct peft_fixed_piece *x)
{
	(void)s;
	(void)g;
	load_digits(w, x);
	_tile_dpbusd(0, 4, 6);
	_tile_dpbusd(2, 5, 6);
	_tile_dpbusd(1, 4, 7);
	_tile_dpbusd(3, 5, 7);
}

INLINE void
store_digits(struct sums to[2])
{
	_tile_stored(0, to[0].of[0], LINE);
	_tile_stored(1, to[0].of[1], LINE);
	_tile_stored(2, to[1].of[0], LINE);
	_tile_stored(3, to[1].of[1], LINE);
}

/* Tiles 0 .. 2: sums of the first strip, by byte; 3 .. 5: of the second; 6:
 * codes of 32 columns, 7: a byte of the tokens. */
INLINE void
multiply_bytes(const struct strip s[2], size_t g, const struct tile w[2],
    const struct peft_fixed_piece *x)
{
	const uint8_t *a = s[0].at + 34 * g + 2, *b = s[1].at + 34 * g + 2;

	(void)w;
	_tile_loadd(7, x->bytes, LINE);
	_tile_loadd(6, a, s[0].ld);
	_tile_zero(0);
	_tile_dpbssd(0, 6, 7);
	_tile_loadd(6, b, s[0].ld);
	_tile_zero(3);
	_tile_dpbssd(3, 6, 7);
	_tile_loadd(7, x->bytes + 8 * LINE, LINE);
	_tile_zero(4);
	_tile_dpbssd(4, 6, 7);
	_tile_loadd(6, a, s[0].ld);
	_tile_zero(1);
	_tile_dpbssd(1, 6, 7);
	_tile_loadd(7, x->bytes + 16 * LINE, LINE);
	_tile_zero(2);
	_tile_dpbssd(2, 6, 7);
	_tile_loadd(6, b, s[0].ld);
	_tile_zero(5);
	_tile_dpbssd(5, 6, 7);
}

INLINE void
store_bytes(struct sums to[2])
{
	_tile_stored(0, to[0].of[0], LINE);
	_tile_stored(1, to[0].of[1], LINE);
	_tile_stored(2, to[0].of[2], LINE);
	_tile_stored(3, to[1].of[0], LINE);
	_tile_stored(4, to[1].of[1], LINE);
	_tile_stored(5, to[1].of[2], LINE);
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

static void
rows(const struct peft_few *f)
{
	size_t t, T;

	for (t = 0; t < f->T; t += T) {
		T = f->T - t < PEFT_FIXED_TOKENS ? f->T - t :
		    PEFT_FIXED_TOKENS;
		if (T < TILED)
			some_kernels[f->w->dtype](f, t, T);
		else
			tiled_kernels[f->w->dtype].tiles(f, t, T);
	}
}

const struct peft_few_fixed peft_few_fixed_amx = { form, split, rows };
