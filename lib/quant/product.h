/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_PRODUCT_H
#define PEFT_QUANT_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/cpu.h"
#include "tensor/weight.h"

/*
 * Products with a frozen weight in whatever type it is stored: the one hot
 * place of training and generation.  The weight is expanded panel by panel
 * into per-thread scratch and used for all T tokens at once.  With the
 * compute type bf16 (math/cpu.h) weights and the other side are rounded to
 * bf16, to nearest even; sums are f32.  With int8 the other side is rounded
 * to bf16 first, and then each 128 of what is summed over have a scale of
 * their own on both sides (math/int8.h): of a token or its gradient, and of
 * the weight's row, or its column where the gradient of the input is
 * computed.  Up to 32 tokens are computed from f32 by forward, or as exactly,
 * whatever the compute type, but where whole numbers do it (few-fixed.h): then
 * with bf16 from 16 bits beside the largest of each 32, which is less than
 * bf16 is off by, and with int8 from 8, and the weights as they are stored.
 *
 * Results have the same bytes for every number of threads, and a token's
 * depend on no other token; more than 32 tokens are summed in another order
 * than fewer, unless peft_cpu_sum() settles it, or whole numbers do for any
 * number of them (few-fixed.h: in f32, with AMX, where nothing is beside).
 */
struct peft_product {
	const struct peft_weight *w;	/* [rows, cols] */
	float	*y;			/* [T, rows], row stride ldy */
	size_t	 ldy;
};

/*
 * What an adapter of low rank adds to a product, from the same walk over the
 * left-hand side and into the same sums: forward h = x A^T and y += s h B^T,
 * backward h = s y B and dx += h A.  In the compute type; with int8 as what is
 * dense (peft_cpu_computes_dense()).
 */
struct peft_low {
	size_t		 r;		/* .. PEFT_LOWEST; 0: there is none */
	const float	*a, *b;		/* [r, cols], [rows, r] */
	float		 scale;		/* s */
	float		*h;		/* [T, r] */
	float		*scaled;	/* [T, r] for s h, forward alone */
};

enum { PEFT_LOWEST = 256 };

/*
 * What may go along with large products.  In bf16, and in int8 that comes
 * through bf16, where peft_product_halves() is not 0: left-hand sides
 * (forward the one; backward one of each product) may come rounded to bf16
 * already: rows as far apart as that says, behind their last element zeros up
 * to a multiple of 32, and as many rows as the next multiple of 32 can be
 * read.  And what a tile was made of products is for may be done
 * while it is in the cache: then y (backward dx) is not written, or has no
 * meaning; products side by side have as many rows.
 */
enum { PEFT_ALONG = 3 };	/* most products, if anything goes along */

struct peft_made {
	size_t		 t, m, col, n;	/* rows t .. t+m, columns col .. */
	const float	*c[PEFT_ALONG];	/* [m, n] of each product, or of dx */
	size_t		 ldc;
};

struct peft_along {
	const uint16_t	*halves[PEFT_ALONG]; /* or NULL: from f32 */
	bool		 over;	/* backward: the other sides may be rounded
				 * where they are */
	/* Called once a tile, by the thread that made it; or NULL. */
	void		(*made)(const void *, const struct peft_made *);
	const void	*ctx;
};

/* Elements from row to row of k that come rounded; 0: they may not. */
size_t	peft_product_halves(const struct peft_cpu *, size_t k);

/*
 * With int8, what becomes of a frozen weight may be made once: w->panels then,
 * for x W^T ([0]) and for the gradient g W ([1]), each if it is there.  What is
 * computed with them has the same bits.  (Products whose compute type differs,
 * or few tokens, still take w->data.)
 */
/* Bytes of a weight's panels for one of both; 0: of no use to the cpu's
 * compute type. */
size_t	peft_product_panels_size(const struct peft_cpu *,
	    const struct peft_weight *, bool back);
/* Make them, at a multiple of 64 bytes; scratch as for a product. */
void	peft_product_panels(struct peft_cpu *, const struct peft_weight *,
	    bool back, void *to, float *scratch);

/* Bytes that an element of the other side takes in scratch; over: if it may be
 * rounded where it is. */
size_t	peft_product_copy(const struct peft_cpu *, bool over);

/* Is each of T tokens computed as it is alone, without panels? */
bool	peft_product_is_few(const struct peft_cpu *, size_t T);

/* Floats of scratch that products of up to T tokens with weights up to rows x
 * cols need, for all threads of the cpu together; rows: of all the weights of
 * a backward product together (0: of which peft_product_copy() is 0), low: the
 * ranks of what is beside them. */
size_t	peft_product_scratch(const struct peft_cpu *, size_t rows, size_t cols,
	    size_t low, size_t T);

/* y_i = x W_i^T for i < np, all from the same x [T, cols], in one go. */
void	peft_product_forward(struct peft_cpu *, const float *x, size_t ldx,
	    size_t T, const struct peft_product *, size_t np, float *scratch);
/* dx [T, cols] = sum over i of y_i W_i (y_i holds the gradient of the
 * output); added to what is there if `add'. */
void	peft_product_backward(struct peft_cpu *, float *dx, size_t ldx,
	    size_t T, const struct peft_product *, size_t np, bool add,
	    float *scratch);
/* The same with what is beside each of the products, low[np], and what goes
 * along with them all; each may be NULL.  (Few tokens have nothing along.) */
void	peft_product_forward_low(struct peft_cpu *, const float *x,
	    size_t ldx, size_t T, const struct peft_product *,
	    const struct peft_low *low, const struct peft_along *, size_t np,
	    float *scratch);
void	peft_product_backward_low(struct peft_cpu *, float *dx, size_t ldx,
	    size_t T, const struct peft_product *,
	    const struct peft_low *low, const struct peft_along *, size_t np,
	    bool add, float *scratch);
/* The same of one weight, never in int8, but in what an adapter's products
 * are: where what is small decides (scores of classes, routers). */
void	peft_product_forward_fine(struct peft_cpu *, const float *x,
	    size_t ldx, size_t T, const struct peft_product *, float *scratch);
void	peft_product_backward_fine(struct peft_cpu *, float *dx, size_t ldx,
	    size_t T, const struct peft_product *, bool add, float *scratch);

/*
 * The same with an f32 matrix w [rows, cols] of an adapter, in the compute
 * type: y (+)= x w^T, dx (+)= y w.  Scratch that is enough for a frozen
 * weight of rows x cols and T tokens is enough.
 */
struct peft_dense {
	const float	*w;
	size_t		 rows, cols, ld;
};

void	peft_dense_forward(struct peft_cpu *, const float *x, size_t ldx,
	    size_t T, const struct peft_dense *, bool add, float *y,
	    size_t ldy, float *scratch);
void	peft_dense_backward(struct peft_cpu *, float *dx, size_t ldx, size_t T,
	    const struct peft_dense *, bool add, const float *y, size_t ldy,
	    float *scratch);

#endif
