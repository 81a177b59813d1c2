/* SPDX-License-Identifier: Apache-2.0 */
/* Fourier transforms. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/fft.h"

static const double pi = 3.14159265358979323846;

/* The parts of the room: roots of unity for m, the chirp and its transform,
 * and what is convolved with it. */
struct parts {
	double	*root;		/* [m / 2] complex */
	double	*chirp;		/* [n] complex: exp(i pi k^2 / n) */
	double	*kernel;	/* [m] complex */
	double	*work;		/* [m] complex */
};

static struct parts
parts_of(const struct peft_fft *f)
{
	return (struct parts){ f->room, f->room + f->m,
	    f->room + f->m + 2 * f->n, f->room + 3 * f->m + 2 * f->n };
}

/* Bit-reversed order, then butterflies. */
static void
power_of_two(const double *root, size_t m, double *x, int sign)
{
	size_t i, j, k, half, step;

	for (i = 1, j = 0; i < m; i++) {
		size_t bit = m >> 1;

		for (; j & bit; bit >>= 1)
			j ^= bit;
		j ^= bit;
		if (i < j)
			for (k = 0; k < 2; k++) {
				double t = x[2 * i + k];

				x[2 * i + k] = x[2 * j + k];
				x[2 * j + k] = t;
			}
	}
	for (half = 1; half < m; half *= 2)
		for (step = m / (2 * half), i = 0; i < m; i += 2 * half)
			for (k = 0; k < half; k++) {
				double *a = x + 2 * (i + k);
				double *b = a + 2 * half;
				double c = root[2 * k * step];
				double s = sign * root[2 * k * step + 1];
				double re = b[0] * c - b[1] * s;
				double im = b[0] * s + b[1] * c;

				b[0] = a[0] - re;
				b[1] = a[1] - im;
				a[0] += re;
				a[1] += im;
			}
}

static void
multiply(double *x, const double *y, double sign)
{
	double re = x[0] * y[0] - x[1] * sign * y[1];

	x[1] = x[0] * sign * y[1] + x[1] * y[0];
	x[0] = re;
}

int
peft_fft_open(struct peft_fft *f, size_t n)
{
	struct parts p;
	size_t i;

	f->n = f->m = n;
	if ((n & (n - 1)) != 0)
		for (f->m = 1; f->m < 2 * n;)
			f->m *= 2;
	f->room = calloc(5 * f->m + 2 * n + 2, sizeof(*f->room));
	if (f->room == NULL)
		return -1;
	p = parts_of(f);
	for (i = 0; i < f->m / 2; i++) {
		p.root[2 * i] = cos(2 * pi * (double)i / (double)f->m);
		p.root[2 * i + 1] = sin(2 * pi * (double)i / (double)f->m);
	}
	if (f->m == n)
		return 0;
	for (i = 0; i < n; i++) {
		double a = pi * (double)(i * i % (2 * n)) / (double)n;

		p.chirp[2 * i] = cos(a);
		p.chirp[2 * i + 1] = sin(a);
	}
	return 0;
}

void
peft_fft_close(struct peft_fft *f)
{
	free(f->room);
}

/* jk = (j^2 + k^2 - (k - j)^2) / 2: a convolution with the chirp. */
static void
by_chirp(struct peft_fft *f, double *x, int sign)
{
	struct parts p = parts_of(f);
	size_t n = f->n, m = f->m, i;

	memset(p.kernel, 0, 4 * m * sizeof(*p.kernel));
	for (i = 0; i < n; i++) {
		double *to = p.kernel + 2 * i;
		double *back = p.kernel + 2 * ((m - i) % m);

		to[0] = back[0] = p.chirp[2 * i];
		to[1] = back[1] = -sign * p.chirp[2 * i + 1];
		p.work[2 * i] = x[2 * i];
		p.work[2 * i + 1] = x[2 * i + 1];
		multiply(p.work + 2 * i, p.chirp + 2 * i, sign);
	}
	power_of_two(p.root, m, p.kernel, 1);
	power_of_two(p.root, m, p.work, 1);
	for (i = 0; i < m; i++)
		multiply(p.work + 2 * i, p.kernel + 2 * i, 1);
	power_of_two(p.root, m, p.work, -1);
	for (i = 0; i < n; i++) {
		x[2 * i] = p.work[2 * i] / (double)m;
		x[2 * i + 1] = p.work[2 * i + 1] / (double)m;
		multiply(x + 2 * i, p.chirp + 2 * i, sign);
	}
}

void
peft_fft_run(struct peft_fft *f, double *x, int sign)
{
	if (f->m == f->n)
		power_of_two(f->room, f->m, x, sign);
	else
		by_chirp(f, x, sign);
}
