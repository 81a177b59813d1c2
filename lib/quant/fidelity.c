/* SPDX-License-Identifier: Apache-2.0 */
/* Encode, decode, compare. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "quant/fidelity.h"
#include "quant/quant.h"

/* Values at a time, about: of all of a weight, of a part. */
enum { PIECE = 1 << 18, SMALL = 1 << 12 };

/* A weight on its way there and back.  Scales that are quantised themselves
 * (nested) need all of it: codes of one piece after the other are kept. */
struct trip {
	const struct peft_spec	*spec;
	size_t			 rows, cols;	/* of a piece, at most */
	float			*x, *back;
	uint8_t			*codes, *q;
	float			*scales, *nested;
	struct peft_weight	 w;		/* what is decoded */
};

static bool
is_nested(const struct peft_spec *s)
{
	return s->nested && (s->dtype == PEFT_NF4 || s->dtype == PEFT_FP4);
}

static void
close_trip(struct trip *t)
{
	free(t->x);
	free(t->codes);
	free(t->q);
	free(t->scales);
	free(t->nested);
}

/* n: values that are in codes at a time. */
static int
open_trip(struct trip *t, size_t n, struct peft_err *err)
{
	const struct peft_dtype_info *d = &peft_dtypes[t->spec->dtype];
	bool coded = peft_is_coded(t->spec->dtype);
	size_t piece = t->rows * t->cols, blocks;

	t->x = peft_calloc(2 * piece + 1, sizeof(float), err);
	t->codes = coded ? peft_calloc(n + 1, 1, err) :
	    peft_calloc(n / d->block + 1, d->bytes, err);
	/* at most one a value */
	t->scales = peft_calloc(coded ? n + 1 : 1, sizeof(float), err);
	if (t->x == NULL || t->codes == NULL || t->scales == NULL)
		return -1;
	t->back = t->x + piece;
	if (!is_nested(t->spec))
		return 0;
	blocks = n / t->spec->blocksize + 1;
	t->q = peft_calloc(blocks, 1, err);
	t->nested = peft_calloc(blocks / 256 + 1, sizeof(float), err);
	return t->q == NULL || t->nested == NULL ? -1 : 0;
}

/* Rows at x, of which the first is that of the weight; with nested scales,
 * behind `at' values that are there. */
static int
encode(struct trip *t, const float *x, size_t first, size_t at, size_t rows,
    bool last, struct peft_err *err)
{
	const struct peft_spec *s = t->spec;

	t->w = (struct peft_weight){ .name = s->name, .dtype = s->dtype,
	    .ndim = 2, .shape = { rows, t->cols }, .rows = rows,
	    .cols = t->cols, .scales = { .blocksize = s->blocksize } };
	/* not of a matrix that will be turned over */
	if (s->importance != NULL && (s->ndim == 3 ||
	    s->nimportance == t->cols)) {
		t->w.data = t->codes;
		t->w.nelem = rows * t->cols;
		return peft_spec_encode(s, x, first, rows, t->codes, err);
	}
	if (!is_nested(s))
		return peft_encode_weight(&t->w, x, last, t->codes, t->scales,
		    err);
	return peft_encode_4bit(s->dtype, x, rows * t->cols, s->blocksize,
	    last, t->codes + at / 2, t->scales + at / s->blocksize, err);
}

/* The scales are quantised when all of them, of n values, are there. */
static void
nest(struct trip *t, size_t n)
{
	struct peft_scales *s = &t->w.scales;

	t->w.data = t->codes;
	t->w.nelem = n;
	t->w.rows = t->w.shape[0] = n / t->cols;
	s->nabsmax = (n + s->blocksize - 1) / s->blocksize;
	peft_encode_nested(t->scales, s->nabsmax, t->q, t->nested,
	    &s->nested_offset);
	s->qabsmax = t->q;
	s->nested_absmax = t->nested;
	s->nested_map = peft_dynamic_map();
	s->nested_blocksize = 256;
	s->nnested = (s->nabsmax + 255) / 256;
}

/* Which rows are looked at: of pieces of `rows' rows, some. */
struct sample {
	size_t	rows, pieces, count;
	double	each;		/* of what all rows matter: a place a piece */
};

/* A part of a weight is many small pieces, all of it few large ones. */
static struct sample
sample_of(const struct peft_spec *spec, size_t rows, size_t cols, size_t most)
{
	bool part = most > 0 && most < rows * cols;
	size_t many = peft_encode_step(spec->dtype, spec->blocksize, cols);
	size_t want;
	size_t n = (part ? SMALL : PIECE) / cols / many * many;
	struct sample s;

	s.rows = n == 0 ? many : n;
	s.rows = s.rows > rows ? rows : s.rows;
	s.pieces = (rows + s.rows - 1) / s.rows;
	want = part ? most / (s.rows * cols) : s.pieces;
	s.count = want == 0 ? 1 : want < s.pieces ? want : s.pieces;
	s.each = 0;
	return s;
}

/* How much rows matter, all columns alike. */
static double
mass_of(const struct peft_sensitivity *s, size_t first, size_t n)
{
	double sum = 0;
	size_t i;

	if (s == NULL || s->rows == NULL)
		return (double)n;
	for (i = 0; i < n; i++)
		sum += s->rows[first + i];
	return sum;
}

/* What a piece counts for others too, 0: it is not looked at.  A head's rows
 * matter by how often their tokens are met, a few more than all others: so
 * places are even not in rows but in what these matter. */
static double
share_of(const struct sample *s, double mass, double *at)
{
	double from, to;

	if (!(s->each > 0))
		return 1;
	from = ceil(*at / s->each - 0.5);
	*at += mass;
	to = ceil(*at / s->each - 0.5);
	return mass > 0 ? (to - from) * s->each / mass : 0;
}

/* The sum of (d . z)^2. */
static double
through(const float *d, const float *sketch, size_t n)
{
	float sums[PEFT_SKETCH] = { 0 };
	double all = 0;
	size_t j, k;

	for (j = 0; j < n; j++, sketch += PEFT_SKETCH)
		for (k = 0; k < PEFT_SKETCH; k++)
			sums[k] += d[j] * sketch[k];
	for (k = 0; k < PEFT_SKETCH; k++)
		all += (double)sums[k] * (double)sums[k];
	return all;
}

/* Rows of x and of back, sensitivities applied; back becomes the errors. */
static void
add_rows(struct peft_fidelity *f, const struct trip *t,
    const struct peft_sensitivity *s, size_t first, size_t n, double share)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		const float *x = t->x + i * t->cols;
		float *y = t->back + i * t->cols;
		double error2 = 0, d;

		for (j = 0; j < t->cols; j++) {
			d = (double)y[j] - (double)x[j];
			error2 += d * d;
			f->value2 += (double)x[j] * (double)x[j];
			f->stored2 += (double)y[j] * (double)y[j];
			f->dot += (double)x[j] * (double)y[j];
			f->max = fabs(d) > f->max ? fabs(d) : f->max;
			y[j] = (float)d;
		}
		f->error2 += error2;
		if (s != NULL)
			f->weighted += share * s->scale *
			    (s->rows != NULL ? s->rows[first + i] : 1) *
			    (s->sketch != NULL ? through(y, s->sketch,
			    t->cols) : error2);
	}
	f->n += n * t->cols;
}

static int
compare(struct trip *t, const struct peft_weight *w, struct sample s,
    const struct peft_sensitivity *sens, struct peft_fidelity *f,
    struct peft_err *err)
{
	bool nested = is_nested(t->spec);
	size_t r, rows, at, pass;
	double place, share;

	/* nested: all is encoded, then all decoded; else piece by piece */
	for (pass = 0; pass < (nested ? 2 : 1); pass++) {
		for (r = 0, at = 0, place = 0; r < w->rows; r += rows) {
			rows = w->rows - r < s.rows ? w->rows - r : s.rows;
			share = share_of(&s, mass_of(sens, r, rows), &place);
			if (share <= 0)
				continue;
			peft_decode(w, r * w->cols, rows * w->cols, t->x);
			if (pass == 0 && encode(t, t->x, r, at, rows,
			    r + rows == w->rows, err) == -1)
				return -1;
			if (!nested || pass == 1) {
				peft_decode(&t->w, nested ? at : 0,
				    rows * w->cols, t->back);
				add_rows(f, t, sens, r, rows, share);
			}
			at += rows * w->cols;
		}
		if (nested && pass == 0)
			nest(t, at);
	}
	return 0;
}

int
peft_fidelity(const struct peft_weight *w, const struct peft_spec *spec,
    const struct peft_sensitivity *sens, size_t most, struct peft_fidelity *f,
    struct peft_err *err)
{
	struct trip t = { .spec = spec, .cols = w->cols };
	struct sample s;
	size_t seen;
	int r = 0;

	*f = (struct peft_fidelity){ 0 };
	if (w->nelem == 0)
		return 0;
	s = sample_of(spec, w->rows, w->cols, most);
	t.rows = s.rows;
	if (s.count < s.pieces)
		s.each = mass_of(sens, 0, w->rows) / (double)s.count;
	seen = (s.each > 0 ? s.count : s.pieces) * s.rows * w->cols;
	if ((r = open_trip(&t, is_nested(spec) ? seen : s.rows * w->cols,
	    err)) == 0)
		r = compare(&t, w, s, sens, f, err);
	close_trip(&t);
	return r;
}

int
peft_as_stored(const struct peft_spec *spec, const float *src, size_t rows,
    size_t cols, float *dst, struct peft_err *err)
{
	struct trip t = { .spec = spec, .cols = cols };
	struct sample s = sample_of(spec, rows, cols, 0);
	bool nested = is_nested(spec);
	size_t r, n, all = rows * cols;
	int status = open_trip(&t, nested ? all : s.rows * cols, err);

	for (r = 0; status == 0 && r < rows; r += n) {
		n = rows - r < s.rows ? rows - r : s.rows;
		status = encode(&t, src + r * cols, r, r * cols, n,
		    r + n == rows, err);
		if (status == 0 && !nested)
			peft_decode(&t.w, 0, n * cols, dst + r * cols);
	}
	if (status == 0 && nested) {
		nest(&t, all);
		peft_decode(&t.w, 0, all, dst);
	}
	close_trip(&t);
	return status;
}

double
peft_fidelity_rms(const struct peft_fidelity *f)
{
	return f->value2 > 0 ? sqrt(f->error2 / f->value2) :
	    f->error2 > 0 ? INFINITY : 0;
}

double
peft_fidelity_cosine(const struct peft_fidelity *f)
{
	double n = sqrt(f->value2 * f->stored2);

	return n > 0 ? f->dot / n : f->value2 == f->stored2;
}

void
peft_fidelity_add(struct peft_fidelity *sum, const struct peft_fidelity *f)
{
	sum->n += f->n;
	sum->error2 += f->error2;
	sum->value2 += f->value2;
	sum->stored2 += f->stored2;
	sum->dot += f->dot;
	sum->weighted += f->weighted;
	sum->max = f->max > sum->max ? f->max : sum->max;
}
