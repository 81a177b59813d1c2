/* SPDX-License-Identifier: Apache-2.0 */
/* Points of grids, and which are near. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "quant/decode.h"
#include "quant/lattice.h"

const struct peft_grid peft_grid_iq1_s = { peft_grids.iq1_s, 2048, 8, 2, 3 };
const struct peft_grid peft_grid_iq2_xxs = { peft_grids.iq2_xxs, 256, 8, 2, 2 };
const struct peft_grid peft_grid_iq2_xs = { peft_grids.iq2_xs, 512, 8, 2, 2 };
const struct peft_grid peft_grid_iq2_s = { peft_grids.iq2_s, 1024, 8, 2, 1 };
const struct peft_grid peft_grid_iq3_xxs = { peft_grids.iq3_xxs, 256, 4, 3, 2 };
const struct peft_grid peft_grid_iq3_s = { peft_grids.iq3_s, 512, 4, 3, 3 };

enum { MOST = 2048, LANES = 16 };

struct peft_lattice {
	const struct peft_grid	*grid;
	/* of each code: its place + 1; minus where its list is, - 1; 0 */
	int32_t			*codes;
	struct peft_buf		 lists;
};

/* Squares of differences of eight numbers from 0 to 2, in two bits each.
 * Their bits differ in the lower one if they are 1 apart, and in the upper
 * one alone if they are 2 apart: counted in pairs, nibbles, bytes. */
static void
distances2(const uint16_t *p, uint16_t code, int16_t d[LANES])
{
	size_t j;

	for (j = 0; j < LANES; j++) {
		uint16_t x = p[j] ^ code;
		uint16_t one = x & 0x5555;
		uint16_t two = (uint16_t)(x >> 1 & 0x5555 & ~one);

		one = (uint16_t)((one & 0x3333) + (one >> 2 & 0x3333));
		two = (uint16_t)((two & 0x3333) + (two >> 2 & 0x3333));
		x = (uint16_t)(one + (two << 2));
		x = (uint16_t)((x & 0x0f0f) + (x >> 4 & 0x0f0f));
		d[j] = (int16_t)((x + (x >> 8)) & 0xff);
	}
}

/* The same of four numbers from 0 to 7, in three bits each. */
static void
distances3(const uint16_t *p, uint16_t code, int16_t d[LANES])
{
	size_t j;

	for (j = 0; j < LANES; j++) {
		int16_t a = (int16_t)((p[j] & 7) - (code & 7));
		int16_t b = (int16_t)((p[j] >> 3 & 7) - (code >> 3 & 7));
		int16_t c = (int16_t)((p[j] >> 6 & 7) - (code >> 6 & 7));
		int16_t e = (int16_t)((p[j] >> 9 & 7) - (code >> 9 & 7));

		d[j] = (int16_t)(a * a + b * b + c * c + e * e);
	}
}

/* The smallest that is above `least'. */
static int16_t
next_level(const int16_t *d, size_t n, int16_t least)
{
	int16_t best[LANES], v;
	size_t i, j;

	for (j = 0; j < LANES; j++)
		best[j] = INT16_MAX;
	for (i = 0; i < n; i += LANES)
		for (j = 0; j < LANES; j++) {
			v = d[i + j] > least ? d[i + j] : INT16_MAX;
			best[j] = v < best[j] ? v : best[j];
		}
	for (j = 1; j < LANES; j++)
		best[0] = best[j] < best[0] ? best[j] : best[0];
	return best[0];
}

/* Places by level, then as they stand in the grid; how many. */
static size_t
choose(const struct peft_grid *g, uint32_t code, uint16_t *at)
{
	int16_t d[MOST] = { 0 }, level[4] = { 0 };
	size_t i, j, n = 0, near = 0;
	uint16_t all[MOST] = { 0 };
	int k, any;

	for (i = 0; i < g->n; i += LANES)
		(g->bits == 2 ? distances2 : distances3)(g->points + i,
		    (uint16_t)code, d + i);
	for (k = 1; k <= g->levels; k++)
		level[k] = next_level(d, g->n, level[k - 1]);
	for (i = 0; i < g->n; i += LANES) {
		for (any = 0, j = 0; j < LANES; j++)
			any |= d[i + j] <= level[g->levels];
		for (j = 0; any && j < LANES; j++) {
			all[n] = (uint16_t)(i + j);
			n += d[i + j] <= level[g->levels];
		}
	}
	for (k = 1; k <= g->levels; k++)
		for (i = 0; i < n; i++)
			if (d[all[i]] == level[k])
				at[near++] = all[i];
	return near;
}

/* A list: n, then places, then coordinates. */
static void
add_list(struct peft_lattice *l, uint32_t code)
{
	const struct peft_grid *g = l->grid;
	uint16_t at[MOST + 8];
	uint8_t coords[MOST + 8];
	size_t n = choose(g, code, at), room = (n + 7) / 8 * 8, i;
	uint32_t where = (uint32_t)l->lists.len, many = (uint32_t)n;
	int dim;

	for (i = n; i < room; i++)
		at[i] = at[n - 1];
	peft_buf_put(&l->lists, &many, sizeof(many));
	peft_buf_put(&l->lists, at, room * sizeof(*at));
	for (dim = 0; dim < g->dims; dim++) {
		for (i = 0; i < room; i++)
			coords[i] = (uint8_t)peft_grid_at(g, at[i], dim);
		peft_buf_put(&l->lists, coords, room);
	}
	/* all are multiples of 8 bytes, but for 4 in front */
	if (!l->lists.failed)
		l->codes[code] = -(int32_t)(where + 1);
}

int
peft_lattice_find(struct peft_lattice *l, uint32_t code,
    struct peft_near *near)
{
	static const uint16_t none[8] = { 0 };
	static const uint8_t origin[64] = { 0 };
	const char *p;
	uint32_t n;

	if (l->codes[code] > 0)
		return l->codes[code] - 1;
	if (l->codes[code] == 0)
		add_list(l, code);
	if (l->codes[code] == 0) {
		*near = (struct peft_near){ 1, 8, none, origin };
		return -1;
	}
	p = l->lists.data - (l->codes[code] + 1);
	memcpy(&n, p, sizeof(n));
	near->n = n;
	near->room = (n + 7) / 8 * 8;
	near->at = (const void *)(p + sizeof(n));
	near->coords = (const uint8_t *)(near->at + near->room);
	return -1;
}

struct peft_lattice *
peft_lattice_open(const struct peft_grid *g, struct peft_err *err)
{
	struct peft_lattice *l = peft_calloc(1, sizeof(*l), err);
	size_t i;

	if (l == NULL)
		return NULL;
	l->grid = g;
	l->codes = peft_calloc((size_t)1 << g->bits * g->dims,
	    sizeof(*l->codes), err);
	if (l->codes == NULL) {
		free(l);
		return NULL;
	}
	for (i = 0; i < g->n; i++)
		l->codes[g->points[i]] = (int32_t)i + 1;
	return l;
}

void
peft_lattice_close(struct peft_lattice *l)
{
	if (l == NULL)
		return;
	peft_buf_free(&l->lists);
	free(l->codes);
	free(l);
}

bool
peft_lattice_failed(const struct peft_lattice *l)
{
	return l->lists.failed;
}
