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

/* A weight on its way there and back. */
struct trip {
	const struct peft_spec	*spec;
	size_t			 rows, cols;	/* of a piece, at most */
	float			*x, *back;
	uint8_t			*codes, *q;
	float			*absmax, *nested;
	struct peft_weight	 w;		/* what is decoded */
};

static bool
is_4bit(enum peft_dtype t)
{
	return t == PEFT_NF4 || t == PEFT_FP4;
}

static void
close_trip(struct trip *t)
{
	free(t->x);
	free(t->codes);
	free(t->q);
	free(t->absmax);
	free(t->nested);
}

/* n: values that are in codes at a time. */
static int
open_trip(struct trip *t, size_t n, struct peft_err *err)
{
	const struct peft_dtype_info *d = &peft_dtypes[t->spec->dtype];
	size_t piece = t->rows * t->cols, nabsmax;

	t->x = peft_calloc(2 * piece + 1, sizeof(float), err);
	if (t->x == NULL)
		return -1;
	t->back = t->x + piece;
	t->w = (struct peft_weight){ .name = t->spec->name,
	    .dtype = t->spec->dtype, .ndim = 2, .cols = t->cols };
	if (!is_4bit(t->spec->dtype)) {
		t->codes = peft_calloc(n / d->block + 1, d->bytes, err);
		t->w.data = t->codes;
		return t->codes == NULL ? -1 : 0;
	}
	nabsmax = n / t->spec->blocksize + 1;
	t->codes = peft_calloc(n / 2 + 1, 1, err);
	t->q = peft_calloc(nabsmax, 1, err);
	t->absmax = peft_calloc(nabsmax, sizeof(float), err);
	t->nested = peft_calloc(nabsmax / 256 + 1, sizeof(float), err);
	t->w.data = t->codes;
	t->w.scales.blocksize = t->spec->blocksize;
	t->w.scales.absmax = t->absmax;
	return t->codes == NULL || t->q == NULL || t->absmax == NULL ||
	    t->nested == NULL ? -1 : 0;
}

static int
encode(struct trip *t, const float *x, size_t at, size_t n, bool last,
    struct peft_err *err)
{
	if (!is_4bit(t->spec->dtype))
		return peft_encode(t->spec->dtype, x, n, t->codes, err);
	return peft_encode_4bit(t->spec->dtype, x, n, t->spec->blocksize, last,
	    t->codes + at / 2, t->absmax + at / t->spec->blocksize, err);
}

/* The scales are quantised when all of them are there. */
static void
nest(struct trip *t, size_t n)
{
	struct peft_scales *s = &t->w.scales;

	s->nabsmax = (n + t->spec->blocksize - 1) / t->spec->blocksize;
	if (!t->spec->nested)
		return;
	peft_encode_nested(t->absmax, s->nabsmax, t->q, t->nested,
	    &s->nested_offset);
	s->absmax = NULL;
	s->qabsmax = t->q;
	s->nested_absmax = t->nested;
	s->nested_map = peft_dynamic_map();
	s->nested_blocksize = 256;
	s->nnested = (s->nabsmax + 255) / 256;
}

static void
decode(struct trip *t, size_t at, size_t n, float *dst)
{
	t->w.nelem = at + n;
	t->w.rows = t->w.nelem / t->cols;
	t->w.shape[0] = t->w.rows;
	t->w.shape[1] = t->cols;
	peft_decode(&t->w, at, n, dst);
}

/* Which rows are looked at: every step-th piece of `rows' rows. */
struct sample {
	size_t	rows, step, pieces;
};

/* The fewest rows that end where a block of 4-bit values does. */
static size_t
whole_rows(const struct peft_spec *s, size_t cols)
{
	size_t n = 1;

	while (is_4bit(s->dtype) && n < s->blocksize &&
	    n * cols % s->blocksize != 0)
		n *= 2;
	return n;
}

/* A part of a weight is many small pieces, all of it few large ones. */
static struct sample
sample_of(const struct peft_spec *spec, size_t rows, size_t cols, size_t most)
{
	bool part = most > 0 && most < rows * cols;
	size_t many = whole_rows(spec, cols), want;
	size_t n = (part ? SMALL : PIECE) / cols / many * many;
	struct sample s;

	s.rows = n == 0 ? many : n;
	s.rows = s.rows > rows ? rows : s.rows;
	s.pieces = (rows + s.rows - 1) / s.rows;
	want = part ? most / (s.rows * cols) : s.pieces;
	s.step = want == 0 ? s.pieces : (s.pieces + want - 1) / want;
	return s;
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
    const struct peft_sensitivity *s, size_t first, size_t n)
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
			f->weighted += s->scale *
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
	bool four = is_4bit(t->spec->dtype);
	size_t p, n, at, pass;

	/* 4 bits: all is encoded, then all decoded; else piece by piece */
	for (pass = 0; pass < (four ? 2 : 1); pass++) {
		for (p = 0, at = 0; p < s.pieces; p += s.step, at += n) {
			size_t r = p * s.rows;
			size_t rows = w->rows - r < s.rows ? w->rows - r :
			    s.rows;

			n = rows * w->cols;
			peft_decode(w, r * w->cols, n, t->x);
			if (pass == 0 && encode(t, t->x, at, n,
			    p + s.step >= s.pieces, err) == -1)
				return -1;
			if (four && pass == 0)
				continue;
			decode(t, four ? at : 0, n, t->back);
			add_rows(f, t, sens, r, rows);
		}
		if (four && pass == 0)
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
	seen = (s.pieces + s.step - 1) / s.step * s.rows * w->cols;
	if ((r = open_trip(&t, is_4bit(spec->dtype) ? seen : s.rows * w->cols,
	    err)) == 0)
		r = compare(&t, w, s, sens, f, err);
	close_trip(&t);
	if (f->n > 0)
		f->weighted *= (double)w->nelem / (double)f->n;
	return r;
}

int
peft_as_stored(const struct peft_spec *spec, const float *src, size_t rows,
    size_t cols, float *dst, struct peft_err *err)
{
	struct trip t = { .spec = spec, .cols = cols };
	struct sample s = sample_of(spec, rows, cols, 0);
	bool four = is_4bit(spec->dtype);
	size_t r, n, all = rows * cols;
	int status = open_trip(&t, four ? all : s.rows * cols, err);

	for (r = 0; status == 0 && r < rows; r += n) {
		n = rows - r < s.rows ? rows - r : s.rows;
		status = encode(&t, src + r * cols, four ? r * cols : 0,
		    n * cols, r + n == rows, err);
		if (status == 0 && !four)
			decode(&t, 0, n * cols, dst + r * cols);
	}
	if (status == 0 && four) {
		nest(&t, all);
		decode(&t, 0, all, dst);
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
