/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_FFT_H
#define PEFT_MATH_FFT_H

#include <stddef.h>

/*
 * Discrete Fourier transforms of any length: y_k = sum over j of x_j
 * exp(sign 2 pi i j k / n), not scaled.  Powers of two by Cooley & Tukey
 * (1965), others through one of them (Bluestein 1970).
 */
struct peft_fft {
	size_t	 n, m;		/* length; the power of two behind it */
	double	*room;		/* of ten m + four n */
};

/* 0, or -1: no memory. */
int	peft_fft_open(struct peft_fft *, size_t n);
void	peft_fft_close(struct peft_fft *);
/* In place: x [2 n], real and imaginary parts in turn.  sign is 1 or -1. */
void	peft_fft_run(struct peft_fft *, double *x, int sign);

#endif
