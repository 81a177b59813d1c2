/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PANEL_H
#define PEFT_MATH_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Products with packed panels: the inner loops of all large products.
 *
 * A panel is 32 columns of the right-hand matrix B [k, n], as deep as is
 * summed over at a time, in the order in which the loop reads it; columns
 * that are not there are zeros.
 *
 *	f32:	[k][32]
 *	bf16:	[k/2][32][2], pairs along k; k is rounded up to a multiple of
 *		32 with zeros (a tile's row of AMX, and what one step takes)
 *
 * Each element of C is the sum over k in an order that depends on k alone;
 * rows never mix, so how rows are cut into calls changes no bit.
 */
enum { PEFT_PANEL = 32, PEFT_KSTEP = 32 };

static inline size_t
peft_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* C[m,n] = A[m,k] B, or C += A B. */
struct peft_block {
	size_t		 m, n, k;
	const void	*a;	/* f32 or bf16 rows */
	size_t		 lda;	/* elements; bf16: k and lda are multiples of
				 * 32, and 32 rows more or less a multiple of
				 * 32 can be read (what is in them matters
				 * not) */
	const void	*b;	/* ceil(n/32) panels */
	size_t		 ldb;	/* elements from a panel to the next */
	float		*c;
	size_t		 ldc;
	bool		 add;
	bool		 slack;	/* rows of C can be written up to the next
				 * multiple of 16 */
	const float	*scale;	/* of a's rows, in each part of k; int8.h */
	size_t		 lds;	/* alone has them: from part to part */
};

/* C[m,n] += scale A^T B, A [k, m] and B [k, n]: gradients of what is thin.
 * Neither is packed.  How n is cut by vectors changes no bit, nor whether what
 * bf16 holds comes as that or as f32. */
struct peft_outer {
	size_t		 m, n, k;
	const float	*a, *b;
	const uint16_t	*halves;	/* b in bf16, or NULL */
	size_t		 lda, ldb;
	float		 scale;
	float		*c;
	size_t		 ldc;
};

/* dst[0 .. n rounded up to 32) = src rounded to bf16, then zeros. */
typedef void peft_round_fn(uint16_t *dst, const float *src, size_t n);
/* That of the path, which rounds as its products do. */
struct peft_cpu;
peft_round_fn	*peft_cpu_round(const struct peft_cpu *);

struct peft_panel_f32 {
	void	(*block)(const struct peft_block *);
	void	(*outer)(const struct peft_outer *);
	/* One panel from n <= 32 columns that lie as rows src[n][ld] (W of
	 * x W^T), or from k rows src[k][ld] (W of g W). */
	void	(*rows)(const float *src, size_t ld, size_t n, size_t k,
		    float *panel);
	void	(*cols)(const float *src, size_t ld, size_t k, size_t n,
		    float *panel);
	/* The same from bf16, which f32 holds. */
	void	(*rows16)(const uint16_t *src, size_t ld, size_t n, size_t k,
		    float *panel);
	void	(*cols16)(const uint16_t *src, size_t ld, size_t k, size_t n,
		    float *panel);
	/* dst = src rounded to bf16 (to nearest, ties to even), as f32; they
	 * may be the same. */
	void	(*trim)(float *dst, const float *src, size_t n);
	peft_round_fn	*round;
};

struct peft_panel_bf16 {
	const char *name;
	void	(*block)(const struct peft_block *);
	/* The same from f32, rounded. */
	void	(*rows)(const float *src, size_t ld, size_t n, size_t k,
		    uint16_t *panel);
	void	(*cols)(const float *src, size_t ld, size_t k, size_t n,
		    uint16_t *panel);
	/* From bf16. */
	void	(*rows16)(const uint16_t *src, size_t ld, size_t n, size_t k,
		    uint16_t *panel);
	void	(*cols16)(const uint16_t *src, size_t ld, size_t k, size_t n,
		    uint16_t *panel);
	peft_round_fn	*round;
};

extern const struct peft_panel_f32 peft_panel_f32_ref, peft_panel_f32_avx2,
    peft_panel_f32_avx512;
extern const struct peft_panel_bf16 peft_panel_bf16_ref,
    peft_panel_bf16_avx512, peft_panel_bf16_amx;

/* Ask the system for the tile registers; false: there are none. */
bool	peft_amx_permitted(void);

#endif
