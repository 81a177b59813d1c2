/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_LATTICE_H
#define PEFT_QUANT_LATTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The grids of ggml's IQ types as encoders want them: is a code of eight (or
 * four) coordinates a point of the grid, and if not, which points are near
 * it?  ggml makes lists for all codes before it begins; here a list is made
 * when it is wanted for the first time, and kept until the lattice is closed.
 */
struct peft_grid {
	const uint16_t	*points;	/* n of them, a multiple of 16 */
	size_t		 n;
	int		 dims, bits;	/* coordinates; bits of each */
	int		 levels;	/* how many distances are near */
};

/* iq1_s: of IQ1_M too. */
extern const struct peft_grid peft_grid_iq1_s, peft_grid_iq2_xxs,
		peft_grid_iq2_xs, peft_grid_iq2_s, peft_grid_iq3_xxs,
		peft_grid_iq3_s;

struct peft_lattice;

/* One thread's; NULL with *err set. */
struct peft_lattice *peft_lattice_open(const struct peft_grid *,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_lattice_close(struct peft_lattice *);
/* There was no memory for a list: what was encoded is worth nothing. */
bool		 peft_lattice_failed(const struct peft_lattice *);

/* The points at the `levels' smallest distances from a code: by distance,
 * then by their place in the grid.  Coordinate i of the j-th is coords[i *
 * room + j]; up to room, a multiple of 8, the last one is repeated. */
struct peft_near {
	size_t		 n, room;
	const uint16_t	*at;		/* [room], places in the grid */
	const uint8_t	*coords;	/* [dims][room] */
};

/* The place of a point; or -1, and *near until the next call. */
int		 peft_lattice_find(struct peft_lattice *, uint32_t code,
		    struct peft_near *near);

static inline unsigned
peft_grid_at(const struct peft_grid *g, size_t point, int dim)
{
	return (unsigned)g->points[point] >> g->bits * dim &
	    ((1u << g->bits) - 1);
}

#endif
