/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_ENCODE_POINTS_H
#define PEFT_QUANT_ENCODE_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/lattice.h"

/*
 * How ggml's IQ2 and IQ3 types fit a group of 16 or 32 values, eight or four
 * of which at a time are a point of a grid, with signs and one scale: scales
 * are tried; values go to codes 0, 1, 2 .. for 1, 3, 5 .. times the scale,
 * and codes that are no point to the best point nearby.
 */
/* Once the best scale is found, codes are chosen by it again: those that were
 * off the grid, all if any was, or all. */
enum peft_again { PEFT_OFF_GRID, PEFT_IF_ANY, PEFT_ALWAYS };

struct peft_points {
	const struct peft_grid	*grid;
	size_t		 n;		/* values to a group, at most 32 */
	int		 codes;
	int		 steps;		/* from -steps to steps */
	float		 step;
	bool		 even;		/* seven signs tell the eighth */
	bool		 fitted;	/* begin with a fit off the grid */
	enum peft_again	 again;
	float		 zero;		/* magnitudes below count as it */
};

/* w is what distances weigh.  Returns the scale; signs[n / 8], a bit a value;
 * points[n / dims], places in the grid.  0 where it is as good as zero, with
 * no signs and no points. */
float	peft_fit_points(const struct peft_points *, struct peft_lattice *,
	    const float *x, const float *w, uint8_t *signs, uint16_t *points);

#endif
