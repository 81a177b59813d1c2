/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PEAK_IMPL_H
#define PEFT_MATH_PEAK_IMPL_H

/* For peak.c and peak-int8.c only. */

#include "math/cpu.h"
#include "math/int8.h"
#include "math/tiles.h"

enum { PEFT_SPIN_TIMES = 1 << 16 };

/*
 * A spin: n chains, each of which waits for itself alone, of `step', which
 * makes a[j] of itself and b; begun as first(j), added up by sum, put by last.
 */
#define PEFT_SPIN(name, isa, vector, n, first, with, step, sum, last)	\
	__attribute__((target(isa))) static void			\
	name(float *sink)						\
	{								\
		__typeof__(with) b = with;				\
		vector a[n];						\
		int i, j;						\
									\
		for (j = 0; j < (n); j++)				\
			a[j] = first;					\
		for (i = 0; i < PEFT_SPIN_TIMES; i++)			\
			_Pragma("GCC unroll 16")			\
			for (j = 0; j < (n); j++)			\
				step;					\
		for (j = 1; j < (n); j++)				\
			a[0] = sum(a[0], a[j]);				\
		last((void *)sink, a[0]);				\
	}

/* The same of tiles: four of sums, as the kernels have. */
#define PEFT_SPIN_TILES(name, isa, product)				\
	__attribute__((target("amx-tile," isa))) static void		\
	name(float *sink)						\
	{								\
		static const uint8_t zeros[16 * 64] = { 0 };		\
		int i;							\
									\
		(void)sink;						\
		peft_tiles_configure();					\
		_tile_zero(0);						\
		_tile_zero(1);						\
		_tile_zero(2);						\
		_tile_zero(3);						\
		_tile_loadd(4, zeros, 64);				\
		_tile_loadd(5, zeros, 64);				\
		_tile_loadd(6, zeros, 64);				\
		_tile_loadd(7, zeros, 64);				\
		for (i = 0; i < PEFT_SPIN_TIMES / 4; i++) {		\
			product(0, 4, 6);				\
			product(1, 4, 7);				\
			product(2, 5, 6);				\
			product(3, 5, 7);				\
		}							\
		_tile_release();					\
	}

/* From registers to registers; what is left goes to sink[16], so that it
 * must be computed. */
struct peft_spin {
	void	(*fn)(float *sink);
	double	 work;			/* operations of one call */
};

/* fn NULL: none for these kernels. */
struct peft_spin	peft_spin_int8(const struct peft_panel_int8 *);

#endif
