/* SPDX-License-Identifier: Apache-2.0 */
/* How two models or adapters differ. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "eval/inspect.h"
#include "quant/quant.h"
#include "tensor/source.h"

/* How far two weights of one shape are from each other. */
struct distance {
	double	rms;		/* relative to the first */
	double	max, cosine;
};

/* All values of a matrix as they are where it lies the other way round. */
static float *
turn(const struct peft_weight *w, struct peft_err *err)
{
	float *x = peft_calloc(w->nelem + w->cols, sizeof(*x), err);
	size_t r, c;

	for (r = 0; x != NULL && r < w->rows; r++) {
		float *row = x + w->nelem;

		peft_decode(w, r * w->cols, w->cols, row);
		for (c = 0; c < w->cols; c++)
			x[c * w->rows + r] = row[c];
	}
	return x;
}

static int
compare(const struct peft_weight *a, const struct peft_weight *b,
    struct distance *e, struct peft_err *err)
{
	enum { PIECE = 4096 * 16 };
	float *x = peft_calloc(2 * PIECE, sizeof(*x), err), *y = x + PIECE;
	float *over = NULL;
	double sum = 0, xx = 0, yy = 0, xy = 0, d, u, v;
	size_t at, n, i;

	if (x == NULL || (a->turned != b->turned && (over = turn(b,
	    err)) == NULL)) {
		free(x);
		return -1;
	}
	e->max = 0;
	for (at = 0; at < a->nelem; at += n) {
		n = a->nelem - at < PIECE ? a->nelem - at : PIECE;
		peft_decode(a, at, n, x);
		if (over != NULL)
			memcpy(y, over + at, n * sizeof(*y));
		else
			peft_decode(b, at, n, y);
		for (i = 0; i < n; i++) {
			u = (double)x[i];
			v = (double)y[i];
			d = v - u;
			sum += d * d;
			xx += u * u;
			yy += v * v;
			xy += u * v;
			/* also what is NaN in one of them */
			if (!(fabs(d) <= e->max) && !(isnan(u) && isnan(v)))
				e->max = fabs(d);
		}
	}
	e->rms = sqrt(sum / (xx > 0 ? xx : 1));
	e->cosine = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : xx == yy;
	free(over);
	free(x);
	return 0;
}

/* The columns or keys that both weights have. */
static void
put_names(struct peft_buf *b, bool json, const struct peft_weight *x,
    const struct peft_weight *y)
{
	const char *s = peft_dtypes[x->dtype].name;
	const char *t = peft_dtypes[y->dtype].name;

	if (!json) {
		peft_buf_printf(b, "%-52s %-6s %-6s ", x->name, s, t);
		return;
	}
	peft_buf_puts(b, "{\"name\":");
	peft_json_putstr(b, x->name, strlen(x->name));
	peft_buf_printf(b, ",\"a\":\"%s\",\"b\":\"%s\"", s, t);
}

static void
put_real(struct peft_buf *b, const char *key, double v)
{
	if (isfinite(v))
		peft_buf_printf(b, ",\"%s\":%.6g", key, v);
	else
		peft_buf_printf(b, ",\"%s\":null", key);
}

static void
put_shape(struct peft_buf *b, const struct peft_weight *w)
{
	int d;

	for (d = 0; d < w->ndim; d++)
		peft_buf_printf(b, "%c%zu", d == 0 ? '[' : ',', w->shape[d]);
	peft_buf_puts(b, w->ndim == 0 ? "[]" : "]");
}

static bool
same_shape(const struct peft_weight *x, const struct peft_weight *y)
{
	int d;

	if (x->ndim != y->ndim)
		return false;
	for (d = 0; d < x->ndim; d++)
		if (x->shape[d] != y->shape[x->turned != y->turned ?
		    x->ndim - 1 - d : d])
			return false;
	return true;
}

static void
put_shapes(struct peft_buf *b, bool json, const struct peft_weight *x,
    const struct peft_weight *y)
{
	put_names(b, json, x, y);
	peft_buf_puts(b, json ? ",\"a_shape\":" : "");
	put_shape(b, x);
	peft_buf_puts(b, json ? ",\"b_shape\":" : " is not ");
	put_shape(b, y);
	peft_buf_puts(b, json ? "}\n" : "\n");
}

/* What has no decoder (whole numbers) is compared byte by byte. */
static bool
same_bytes(const struct peft_weight *x, const struct peft_weight *y)
{
	return x->dtype == y->dtype && x->nbytes == y->nbytes &&
	    memcmp(x->data, y->data, x->nbytes) == 0;
}

static int
put_pair(struct peft_buf *b, bool json, struct peft_source *s,
    struct peft_source *t, size_t i, size_t k, size_t *differ,
    struct peft_err *err)
{
	struct peft_weight x, y;
	struct distance e = { NAN, NAN, NAN };

	if (peft_source_load(s, i, &x, err) == -1 ||
	    peft_source_load(t, k, &y, err) == -1)
		return -1;
	if (!same_shape(&x, &y)) {
		put_shapes(b, json, &x, &y);
		++*differ;
		return 0;
	}
	if (!peft_can_decode(x.dtype) || !peft_can_decode(y.dtype)) {
		if (same_bytes(&x, &y))
			return 0;
	} else if (compare(&x, &y, &e, err) == -1)
		return -1;
	else if (e.max == 0 && x.dtype == y.dtype)
		return 0;
	++*differ;
	put_names(b, json, &x, &y);
	if (json) {
		put_real(b, "rms", e.rms);
		put_real(b, "max", e.max);
		put_real(b, "cosine", e.cosine);
		peft_buf_puts(b, "}\n");
	} else
		peft_buf_printf(b, "rms %.3e max %.3e cosine %.6f\n", e.rms,
		    e.max, e.cosine);
	return 0;
}

static void
put_only(struct peft_buf *b, bool json, const char *name, bool first)
{
	if (json) {
		peft_buf_puts(b, "{\"name\":");
		peft_json_putstr(b, name, strlen(name));
		peft_buf_printf(b, ",\"only\":\"%s\"}\n", first ? "a" : "b");
	} else
		peft_buf_printf(b, "%s is in the %s alone\n", name, first ?
		    "first" : "second");
}

static int
diff(struct peft_source *s, struct peft_source *t,
    const struct peft_inspectopt *o, struct peft_buf *b, struct peft_err *err)
{
	size_t i, k, n = peft_source_count(s), only = 0, differ = 0;

	for (i = 0; i < n; i++) {
		const char *name = peft_source_at(s, i)->name;

		k = peft_source_find(t, name);
		if (k == SIZE_MAX) {
			put_only(b, o->json, name, true);
			only++;
		} else if (put_pair(b, o->json, s, t, i, k, &differ,
		    err) == -1)
			return -1;
	}
	for (i = 0; i < peft_source_count(t); i++) {
		const char *name = peft_source_at(t, i)->name;

		if (peft_source_find(s, name) == SIZE_MAX) {
			put_only(b, o->json, name, false);
			only++;
		}
	}
	if (differ + only == 0)
		return 0;
	return peft_setfail(err, PEFT_CHECK, "they differ: %zu of %zu weights "
	    "do, %zu are in one of them alone", differ, n, only);
}

int
peft_inspect_diff(const char *a, const char *b,
    const struct peft_inspectopt *o, struct peft_buf *out,
    struct peft_err *err)
{
	struct peft_source *s = peft_source_open(a, err), *t = NULL;
	int r = -1;

	if (s != NULL && (t = peft_source_open(b, err)) != NULL)
		r = diff(s, t, o, out, err);
	peft_source_close(s);
	peft_source_close(t);
	return r;
}
