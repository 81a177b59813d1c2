/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few tokens by whole numbers for the path "amx" (flags: Makefile): as with
 * VNNI up to seven tokens; from eight on a tile is 16 rows of the weight,
 * another up to 16 tokens, and the sums are a row of the weight to a register.
 * It takes as long for eight tokens as for 16.  What tokens are multiplied by
 * is larger than the first cache: some groups of it at a time meet all rows of
 * a task, whose sums wait in memory meanwhile.  For many tokens this is sooner
 * done than in f32, too.
 *
 * A tile has 64 bytes of a row, twice what a group has.  So codes of 4 bits q
 * are there as 16 q and as q, and numbers X as four digits,
 *
 *	X = 4096 (16 A + B) + 16 C + D,
 *
 * A and C signed bytes, B and D 0 .. 15: two products are X's upper and lower
 * half times q, also where X has two bytes; of one byte the upper half is 0.
 * Codes of 8 bits are multiplied by the bytes of X, as they are in memory.
 * What other types there are goes the way of few tokens for any number.
 */

#include "math/tiles.h"
#include "quant/few-fixed.inc"
#include "quant/few-fixed-split.inc"
#include "quant/few-fixed-tiles.inc"
#include "quant/few-fixed-fill.inc"

enum {
	TILED = 8,		/* tokens for which tiles pay */
	DEEP = 8,		/* groups at a time: blocks are whole */
	SUMS = 16		/* strips times pieces, whose sums wait */
};

typedef void fill_fn(struct strip *, size_t g, struct tile *);
typedef void multiply_fn(int B, const struct tile *,
    const struct peft_fixed_piece *);
typedef void store_fn(int B, struct sums *);
typedef lanes join_fn(int B, const struct sums *, int row);

/* What differs from type to type. */
struct tiled {
	fill_fn		*fill;
	multiply_fn	*multiply;
	store_fn	*store;
	join_fn		*join;
	bool		 offset;
	int		 bytes;		/* of X */
};

#define SUM(i)	_mm512_load_si512(s->of[i][row])
INLINE lanes
join_digits(const int B, const struct sums *s, int row)
{
	if (B == 1)
		return l_float(SUM(1));
	if (B == 2)
		return l_float(l_plus(l_up(SUM(0), 12), SUM(1)));
	return l_fma(l_float(SUM(0)), l_set(4096), l_float(SUM(1)));
}

INLINE lanes
join_bytes(const int B, const struct sums *s, int row)
{
	words upper = SUM(0);

	if (B > 1)
		upper = l_plus(l_up(upper, 8), SUM(1));
	return B < 3 ? l_float(upper) : l_fma(l_float(upper), l_set(256),
	    l_float(SUM(2)));
}
#undef SUM

INLINE void
collect(const struct tiled k, const struct sums *s, const struct tile *w,
    const struct peft_fixed_piece *x, lanes acc[LANES])
{
	lanes scale = l_load(x->scale), sums = l_load(x->sums);
	int r;

#pragma GCC unroll 16
	for (r = 0; r < LANES; r++) {
		acc[r] = l_fma(l_set(w->d[r]), l_mul(k.join(k.bytes, s, r),
		    scale), acc[r]);
		if (k.offset)
			acc[r] = l_fma(l_set(w->m[r]), sums, acc[r]);
	}
}

/* A row's part of some groups is asked for with one of them. */
struct next {
	const uint8_t	*at;		/* NULL: nothing is */
	size_t		 ld, n;		/* bytes of the part */
};

INLINE void
ask(const struct next *next, size_t row)
{
	const uint8_t *at = next->at + row * next->ld;
	size_t i;

	for (i = 0; next->at != NULL && i < next->n + LINE; i += LINE)
		__builtin_prefetch(at + i, 0, 2);
}

/* n groups of a strip, times 16 tokens.  While tiles multiply a group, the one
 * before is collected. */
INLINE void
tiled_strip(const struct tiled k, const struct tile *w, size_t n,
    const struct peft_fixed_piece *x, const struct next *next,
    lanes sums_of[LANES])
{
	struct sums sums;
	lanes acc[LANES];
	size_t g, row = 0;
	int r;

#pragma GCC unroll 16
	for (r = 0; r < LANES; r++)
		acc[r] = sums_of[r];
	for (g = 0; g <= n; g++) {
		if (g > 0)
			k.store(k.bytes, &sums);
		if (g < n)
			k.multiply(k.bytes, &w[g], &x[g]);
		if (g > 0)
			collect(k, &sums, &w[g - 1], &x[g - 1], acc);
		for (; row < LANES && row * n < (g + 1) * LANES; row++)
			ask(next, row);
	}
#pragma GCC unroll 16
	for (r = 0; r < LANES; r++)
		sums_of[r] = acc[r];
}

static void
configure(bool bytes)
{
	struct peft_tiles c = { .palette = 1 };
	int i;

	for (i = 0; i < 8; i++) {
		c.width[i] = bytes && i == 6 ? 32 : LINE;
		c.height[i] = bytes && i >= 3 && i <= 5 ? 8 : LANES;
	}
	__asm__ volatile("" : : "r"(&c) : "memory");	/* tiles.h says why */
	_tile_loadconfig(&c);
}

/* A lane a token, to a lane a row. */
static void
turn_sums(const lanes acc[LANES], float to[PEFT_FIXED_TOKENS][LANES])
{
	words out[4];
	int i, k;

	for (i = 0; i < 4; i++) {
		l_turn((const uint8_t *)acc + 16 * i, sizeof(*acc), out);
		for (k = 0; k < 4; k++)
			l_store(to[4 * i + k], _mm512_castsi512_ps(out[k]));
	}
}

/* Some strips of f times its first T tokens. */
struct block {
	const struct peft_few	*f;
	size_t			 row, strips;	/* of f; the first's row */
	size_t			 T, pieces;
	size_t			 size, groups;
	lanes			 sums[SUMS][LANES]; /* by strip */
};

static size_t
begin_strip(const struct block *b, size_t i, struct strip *s)
{
	s->ld = b->groups * b->size;
	return begin(s, b->f, b->row + i * LANES);
}

/* n groups of a strip from g on, made once for all tokens. */
INLINE void
add_strip(const struct tiled k, struct block *b, size_t i, size_t g, size_t n)
{
	struct strip s;
	struct tile w[DEEP];
	struct next next = { .n = n * b->size };
	size_t j, t;

	begin_strip(b, i, &s);
	for (j = 0; j < n; j++)
		k.fill(&s, g + j, &w[j]);
	next.ld = s.ld;
	next.at = s.at + LANES * s.ld + g * b->size;
	for (t = 0; t < b->pieces; t++, next.at = NULL)
		tiled_strip(k, w, n, b->f->pieces + t * b->groups + g, &next,
		    b->sums[i * b->pieces + t]);
}

/* A strip times a piece, less the rows that are not the task's. */
static void
put_sums(const struct block *b, size_t i, size_t t)
{
	struct strip s;
	size_t before = begin_strip(b, i, &s);
	float y[PEFT_FIXED_TOKENS][LANES];
	float *to = b->f->y + t * PEFT_FIXED_TOKENS * b->f->ldy + b->row +
	    i * LANES - before;
	size_t n = b->T - t * PEFT_FIXED_TOKENS, k;

	turn_sums(b->sums[i * b->pieces + t], y);
	for (k = 0; k < PEFT_FIXED_TOKENS && k < n; k++)
		_mm512_mask_storeu_ps(to + k * b->f->ldy,
		    (__mmask16)(0xffff << before), l_load(y[k]));
}

INLINE void
tiled_block(const struct tiled k, struct block *b)
{
	size_t parts = (b->groups + DEEP - 1) / DEEP, g, n, i, t;

	memset(b->sums, 0, b->strips * b->pieces * sizeof(*b->sums));
	for (g = 0; g < b->groups; g += n, parts--) {
		n = (b->groups - g + parts - 1) / parts;	/* alike */
		for (i = 0; i < b->strips; i++)
			add_strip(k, b, i, g, n);
	}
	for (i = 0; i < b->strips; i++)
		for (t = 0; t < b->pieces; t++)
			put_sums(b, i, t);
}

INLINE void
tiles(const struct tiled k, const struct peft_few *f, size_t T)
{
	struct block b = { .f = f, .T = T, .size = group_bytes(f->w),
	    .groups = f->w->cols / 32, .pieces = (T + PEFT_FIXED_TOKENS - 1) /
	    PEFT_FIXED_TOKENS };
	size_t strips = (f->n + LANES - 1) / LANES, most = SUMS / b.pieces, i;

	configure(k.store == store_bytes);
	for (i = 0; i < strips; i += b.strips) {
		b.row = i * LANES;
		b.strips = strips - i < most ? strips - i : most;
		tiled_block(k, &b);
	}
	_tile_release();
}

#define KERNEL(type, multiply, as, offset) \
static void \
tiles_##type(const struct peft_few *f, size_t T) \
{ \
	if (f->bytes == 3) \
		tiles((struct tiled){ f_##type, multiply, store_##as, \
		    join_##as, offset, 3 }, f, T); \
	else if (f->bytes == 2) \
		tiles((struct tiled){ f_##type, multiply, store_##as, \
		    join_##as, offset, 2 }, f, T); \
	else \
		tiles((struct tiled){ f_##type, multiply, store_##as, \
		    join_##as, offset, 1 }, f, T); \
}

KERNEL(q4_0, multiply_signed, digits, false)
KERNEL(q4_1, multiply_unsigned, digits, true)
KERNEL(q8_0, multiply_bytes, bytes, false)
KERNEL(q4_k, multiply_unsigned, digits, true)
#undef KERNEL

static const struct tiled_kernel {
	void		(*tiles)(const struct peft_few *, size_t T);
	unsigned	 form;
} tiled_kernels[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = { tiles_q4_0, DIGITS },
	[PEFT_Q4_1] = { tiles_q4_1, DIGITS },
	[PEFT_Q8_0] = { tiles_q8_0, BYTES },
	[PEFT_Q4_K] = { tiles_q4_k, DIGITS },
};

static unsigned
form(const struct peft_weight *w)
{
	return !takes(w) ? 0 : tiled_kernels[w->dtype].tiles == NULL ? BYTES :
	    tiled_kernels[w->dtype].form;
}

static size_t
most(const struct peft_weight *w)
{
	return tiled_kernels[w->dtype].tiles == NULL ? PEFT_FEW_TOKENS :
	    PEFT_FIXED_MANY;
}

/* What tiles do not pay for is the last few. */
static void
rows(const struct peft_few *f)
{
	size_t rest = f->T % PEFT_FIXED_TOKENS;
	size_t T = rest < TILED ? f->T - rest : f->T;

	if (tiled_kernels[f->w->dtype].tiles == NULL) {
		all(f);
		return;
	}
	if (T > 0)
		tiled_kernels[f->w->dtype].tiles(f, T);
	if (T < f->T)
		some_kernels[f->w->dtype](f, T, rest);
}

const struct peft_few_fixed peft_few_fixed_amx = { form, most, split, rows };
