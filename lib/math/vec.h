/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_VEC_H
#define PEFT_MATH_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEFT_PAGE = 16 };	/* tokens */
enum { PEFT_QUERIES = 4 };	/* worth meeting a page together */

/* Keys [n][PEFT_PAGE] or values [PEFT_PAGE][n] of cached tokens, of f32 or
 * bf16; what is wanted next, of which the processor is asked for as much, or
 * the same again. */
struct peft_page {
	const void	*at, *next;
	bool		 bf16;
};

/*
 * Vector kernels, one table a processor path.  One source (vec.inc, plain
 * loops that compilers vectorise) is compiled once for each path with that
 * path's flags; vec-ref.c is the twin that says what each means, with sums
 * in double.
 *
 * x, y, dx, dy: [n] f32 unless said otherwise; no overlap unless said.
 */
struct peft_vec {
	const char	*name;

	float	(*dot)(const float *x, const float *y, size_t n);
	/* y += a x */
	void	(*axpy)(float *y, float a, const float *x, size_t n);
	/* y = a y */
	void	(*scale)(float *y, float a, size_t n);
	/* y += x */
	void	(*add)(float *y, const float *x, size_t n);
	/* y = x + a w; y may be x or w */
	void	(*sum)(float *y, const float *x, float a, const float *w,
		    size_t n);
	/* y = x w, element by element; y may be x */
	void	(*mul)(float *y, const float *x, const float *w, size_t n);
	/* y += x w */
	void	(*muladd)(float *y, const float *x, const float *w, size_t n);
	double	(*sumsq)(const float *x, size_t n);
	/* 0 if all are finite */
	int	(*nonfinite)(const float *x, size_t n);

	/* RMSNorm (Zhang & Sennrich 2019), one row: y = w x r, where
	 * r = 1/sqrt(mean(x^2) + eps); returns r.  y may be x. */
	float	(*rmsnorm)(float *y, const float *x, const float *w, size_t n,
		    float eps);
	/* dx += the gradient to x, given dy, x, w and r. */
	void	(*rmsnorm_back)(float *dx, const float *dy, const float *x,
		    const float *w, float r, size_t n);

	/* SwiGLU (Shazeer 2020): y = silu(g) u.  y may be g or u. */
	void	(*swiglu)(float *y, const float *g, const float *u, size_t n);
	/* dg, du from dy (dg, du may be g, u). */
	void	(*swiglu_back)(float *dg, float *du, const float *dy,
		    const float *g, const float *u, size_t n);

	/* x = exp(x - max) / sum, in place; returns max + log(sum). */
	float	(*softmax)(float *x, size_t n);
	/* x = exp(x - lse), in place. */
	void	(*expsub)(float *x, float lse, size_t n);
	/* Softmax of rows, ldx apart, that come in parts, n a multiple of
	 * 32, what is not of them -Inf: x = exp(a x - m), where m is the
	 * larger of max and the largest a x, a >= 0; 0 where both are -Inf.
	 * max[rows] becomes m, sum[rows] that of all parts; they begin as
	 * -Inf and 0.  f[rows]: what parts before are to be multiplied by. */
	void	(*softmax_part)(float *x, size_t ldx, size_t rows, size_t n,
		    float a, float *max, float *sum, float *f);
	/* A row the same way back, n as above: p = exp(a p - lse), and
	 * softmax's gradient in place over that of p: dp = b p (dp - d). */
	void	(*softmax_back)(float *p, float *dp, size_t n, float a,
		    float lse, float b, float d);
	/* The index of the largest (the first of equals). */
	size_t	(*argmax)(const float *x, size_t n);

	/* Attention over a page of PEFT_PAGE cached tokens, m queries whose
	 * rows are ld* apart; each has the bits that it has alone.
	 * s[PEFT_PAGE] = scale * sum over d of q[d] k[d][PEFT_PAGE];
	 * y[n] += sum over t < tokens of p[t] v[t][n]. */
	void	(*page_scores)(float *s, size_t lds, const float *q,
		    size_t ldq, size_t m, const struct peft_page *k, size_t n,
		    float scale);
	void	(*page_values)(float *y, size_t ldy, const float *p,
		    size_t ldp, size_t m, const struct peft_page *v, size_t n,
		    size_t tokens);

	/* Rotary positions (Su et al. 2021), one head, half-split:
	 * (x1, x2) -> (x1 c - x2 s, x2 c + x1 s); c, s: [half].  sign -1
	 * turns back (the gradient). */
	void	(*rope)(float *x, const float *c, const float *s, size_t half,
		    float sign);

	/* AdamW (Loshchilov & Hutter 2019) as torch computes it, one tensor.
	 * c1 = 1 - beta1^t, c2 = 1 - beta2^t; g is multiplied by gscale.
	 * The settings are doubles: 1 - 0.999f is 1e-5 off 0.001. */
	void	(*adamw)(float *p, const float *g, float *m, float *v, size_t n,
		    float gscale, double lr, double beta1, double beta2,
		    double eps, double decay, double c1, double c2);
};

/* The best of them that this processor has. */
const struct peft_vec	*peft_vec_best(void);

extern const struct peft_vec peft_vec_ref, peft_vec_avx2, peft_vec_avx512;

#endif
