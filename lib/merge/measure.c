/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a change is left once it was rounded into a storage type. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "merge/merge-impl.h"
#include "quant/quant.h"

double
peft_change_survived(const struct peft_change *c)
{
	return c->delta2 > 0 ? c->dot / c->delta2 : 0;
}

double
peft_change_correlation(const struct peft_change *c)
{
	return c->delta2 > 0 && c->moved2 > 0 ?
	    c->dot / sqrt(c->delta2 * c->moved2) : 0;
}

void
peft_change_add(struct peft_change *sum, const struct peft_change *c)
{
	sum->n += c->n;
	sum->changed += c->changed;
	sum->base2 += c->base2;
	sum->delta2 += c->delta2;
	sum->moved2 += c->moved2;
	sum->dot += c->dot;
	sum->merged2 += c->merged2;
	sum->lost2 += c->lost2;
}

static int
make_room(struct peft_measure *m, size_t n, struct peft_err *err)
{
	if (n <= m->room)
		return 0;
	peft_measure_free(m);
	m->old = peft_calloc(n, sizeof(float), err);
	m->stored = peft_calloc(n, sizeof(float), err);
	m->bytes = peft_calloc(n, sizeof(float), err);
	m->absmax = peft_calloc(n, sizeof(float), err);
	if (m->old == NULL || m->stored == NULL || m->bytes == NULL ||
	    m->absmax == NULL)
		return -1;
	m->room = n;
	return 0;
}

void
peft_measure_free(struct peft_measure *m)
{
	free(m->old);
	free(m->stored);
	free(m->bytes);
	free(m->absmax);
	m->old = m->stored = m->absmax = NULL;
	m->bytes = NULL;
	m->room = 0;
}

/* dst = n rows of src as a reader of the spec's type will see them.  (Of
 * doubly quantised scales, with the scales before their own rounding.) */
static int
as_stored(struct peft_measure *m, const float *src, size_t n, bool last,
    float *dst, struct peft_err *err)
{
	const struct peft_spec *s = m->spec;
	struct peft_weight w = { .name = s->name, .dtype = s->dtype, .ndim = 2,
	    .shape = { n, m->cols }, .rows = n, .cols = m->cols,
	    .scales = { .blocksize = s->blocksize } };

	if (peft_encode_weight(&w, src, last, m->bytes, m->absmax, err) == -1)
		return -1;
	peft_decode(&w, 0, w.nelem, dst);
	return 0;
}

/* base, merged: before rounding; old, now: as stored. */
static void
compare(struct peft_change *c, const float *base, const float *merged,
    const float *old, const float *now, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		double delta = (double)merged[i] - (double)base[i];
		double moved = (double)now[i] - (double)old[i];
		double lost = (double)now[i] - (double)merged[i];

		c->changed += now[i] != old[i];
		c->base2 += (double)base[i] * (double)base[i];
		c->merged2 += (double)merged[i] * (double)merged[i];
		c->delta2 += delta * delta;
		c->moved2 += moved * moved;
		c->dot += moved * delta;
		c->lost2 += lost * lost;
	}
	c->n += n;
}

/* The rows that pass, and beside them the base's own. */
static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	struct peft_measure *m = ctx;
	size_t count = n * m->cols;
	bool last = first + n == m->rows;
	float *base, *old;

	if (m->merged.get(m->merged.ctx, first, n, dst, err) == -1 ||
	    make_room(m, 2 * count, err) == -1)
		return -1;
	base = m->old;
	old = m->old + count;
	if (m->base.get(m->base.ctx, first, n, base, err) == -1 ||
	    as_stored(m, base, n, last, old, err) == -1 ||
	    as_stored(m, dst, n, last, m->stored, err) == -1)
		return -1;
	compare(&m->change, base, dst, old, m->stored, count);
	return 0;
}

struct peft_rows
peft_measure_rows(struct peft_measure *m)
{
	return (struct peft_rows){ .get = get, .ctx = m };
}

/* Pieces of whole blocks, about 2^18 values each. */
int
peft_measure_run(struct peft_measure *m, struct peft_err *err)
{
	size_t piece = (1 << 18) / (m->cols > 0 ? m->cols : 1) / 64 * 64, r, n;
	float *rows;
	int status = 0;

	if (piece == 0)
		piece = 64;
	if (piece > m->rows)
		piece = m->rows;
	if ((rows = peft_calloc(piece * m->cols, sizeof(float), err)) == NULL)
		return -1;
	for (r = 0; status == 0 && r < m->rows; r += n) {
		n = m->rows - r < piece ? m->rows - r : piece;
		status = get(m, r, n, rows, err);
	}
	free(rows);
	return status;
}
