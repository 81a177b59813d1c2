/* SPDX-License-Identifier: Apache-2.0 */
/*
 * product-hunt seconds seed [trial]: random products (quant/product.h) against
 * OpenBLAS over the decoded values: any types, shapes, strides, numbers of
 * tokens and of products, adapters beside, panels made ahead, paths, compute
 * types, orders of sums.  The same bytes of several threads, and of some of
 * the tokens alone; int8 with nothing beside has those of every path.  All
 * memory has pages around it that nobody may touch, and the scratch is what
 * was promised.
 */

#include <math.h>

#include "math/cpu.h"
#include "math/int8.h"
#include "quant/product.h"
#include "stored.h"
#include "tap.h"

#define EPS	0x1p-24

enum { MOSTNP = 10, NCPU = 4 };	/* 8 are multiplied together */

enum kind { FORWARD, BACKWARD, FINE, FINE_BACK, DENSE, DENSE_BACK, NKIND };

static const char *const kinds[] = { "forward", "backward", "fine",
	"fine backward", "dense", "dense backward" };

struct hunt {
	struct peft_cpu	*cpu[NCPU];		/* of 1 .. NCPU threads */
	bool		 has[NPATH];
	struct peft_cpu	*plain;			/* for what is wanted */
};

/* A case.  in: the left-hand side [T, in_ld]; for backward in[i] are of one
 * product each. */
struct set {
	struct hunt		*h;
	struct pen		 pen;
	struct dice		*d;
	enum kind		 kind;
	size_t			 path, np, T, cols, gap[MOSTNP + 1], ldw;
	enum peft_compute	 compute, used, beside; /* asked for; of
							 * weights; of adapters
							 * beside them */
	enum peft_order_of_sums	 sums;
	bool			 add, made, few;
	struct peft_weight	 w[MOSTNP];
	float			*values[MOSTNP];	/* as they are used */
	struct peft_low		 low[MOSTNP];
	size_t			 r[MOSTNP];
	float			*x, *y[MOSTNP];		/* [T, ..], filled */
	float			*apart;			/* dense, [.., ldw] */
};

static bool
is_back(const struct set *s)
{
	return s->kind % 2 == 1;
}

static size_t
ldx(const struct set *s)
{
	return s->cols + s->gap[MOSTNP];
}

static size_t
ldy(const struct set *s, size_t i)
{
	return s->w[i].rows + s->gap[i];
}

/* ---- what is tried ------------------------------------------------------ */

static void
choose_way(struct set *s)
{
	struct dice *d = s->d;

	do
		s->path = roll(d, 0, NPATH - 1);
	while (!s->h->has[s->path]);
	s->compute = (enum peft_compute)roll(d, 0, 2);
	s->kind = one_in(d, 3) ? (enum kind)roll(d, 0, NKIND - 1) :
	    (enum kind)roll(d, FORWARD, BACKWARD);
	s->sums = one_in(d, 2) ? PEFT_BY_NUMBER : (enum peft_order_of_sums)
	    roll(d, PEFT_AS_FEW, PEFT_AS_MANY);
	s->add = is_back(s) || s->kind == DENSE ? one_in(d, 2) : false;
	s->made = one_in(d, 3);
}

static size_t
up(size_t n, size_t of)
{
	return (n + of - 1) / of * of;
}

static void
choose_weights(struct set *s)
{
	static const size_t sides[] = { 16, 32, 64, 256, 384, 512, 640, 768,
		1024, 1536, 1792, 2048, 2304, 3072, 0 };
	static const size_t tokens[] = { 1, 4, 8, 16, 32, 33, 64, 256, 512,
		1024, 2100, 0 };
	const size_t ntypes = sizeof(stored_types) / sizeof(stored_types[0]);
	enum peft_dtype t = stored_types[roll(s->d, 0, ntypes - 1)], u;
	size_t i, rows, most = one_in(s->d, 16) ? 1u << 30 : 1u << 27, work;

	s->np = s->kind > BACKWARD || one_in(s->d, 2) ? 1 :
	    roll(s->d, 1, MOSTNP);
	if (s->kind >= DENSE)
		t = PEFT_F32;
	s->cols = roll_size(s->d, sides);
	if (t != PEFT_F32 && one_in(s->d, 2))
		s->cols = up(s->cols, 32);
	s->cols = up(s->cols, stored_cols(t));
	for (i = 0, work = 0; i < s->np; i++, work += rows * s->cols) {
		rows = roll_size(s->d, sides);
		u = one_in(s->d, 4) && s->kind < DENSE ?
		    stored_types[roll(s->d, 0, ntypes - 1)] : t;
		if (s->cols % stored_cols(u) != 0)
			u = t;
		rows = up(s->np > 3 ? rows / 4 + 1 : rows, stored_rows(u));
		store_random(&s->pen, s->d, &s->w[i], u, rows, s->cols);
	}
	s->T = roll_size(s->d, tokens);
	most = s->path == 0 ? most / 16 : most;
	if (s->T * work > most)
		s->T = roll(s->d, 1, most / work > 0 ? most / work + 33 : 33);
}

static void
choose_low(struct set *s)
{
	size_t i;

	for (i = 0; i < s->np; i++) {
		s->gap[i] = one_in(s->d, 2) ? 0 : roll(s->d, 1, 70);
		s->r[i] = s->kind > BACKWARD || one_in(s->d, 3) ? 0 :
		    one_in(s->d, 2) ? (size_t)1 << roll(s->d, 0, 8) :
		    roll(s->d, 1, PEFT_LOWEST);
	}
	s->gap[MOSTNP] = one_in(s->d, 2) ? 0 : roll(s->d, 1, 70);
	if (one_in(s->d, 2))
		memset(s->r, 0, sizeof(s->r));
}

/* Values as they are multiplied, by a compute type. */
static void
as_used(const struct set *s, enum peft_compute by, float *x, size_t n)
{
	size_t i;

	for (i = 0; by == PEFT_COMPUTE_BF16 && !s->few && i < n; i++)
		x[i] = peft_bf16_to_f32(peft_f32_to_bf16(x[i]));
}

/* Rows of many magnitudes, with some values that stand out: what is quantised
 * or made a whole number goes by the largest. */
static void
roughen(struct dice *d, float *x, size_t ld, size_t T, size_t n)
{
	size_t t, i;

	for (t = 0; t < T; t++) {
		float by = ldexpf(1, (int)roll(d, 0, 24) - 12);

		for (i = 0; i < n; i++)
			x[t * ld + i] *= by;
		for (i = roll(d, 0, 3); i > 0; i--)
			x[t * ld + roll(d, 0, n - 1)] *= 100;
	}
}

static void
fill(struct set *s)
{
	struct pen *p = &s->pen;
	struct dice *d = s->d;
	size_t i;

	s->x = pen_noise(p, d, (s->T - 1) * ldx(s) + s->cols);
	if (one_in(d, 2))
		roughen(d, s->x, ldx(s), s->T, s->cols);
	for (i = 0; i < s->np; i++) {
		struct peft_weight *w = &s->w[i];
		size_t r = s->r[i];

		s->values[i] = pen_floats(p, d, w->nelem);
		stored_values(w, s->values[i]);
		as_used(s, s->used, s->values[i], w->nelem);
		s->y[i] = pen_noise(p, d, (s->T - 1) * ldy(s, i) + w->rows);
		if (one_in(d, 3))
			roughen(d, s->y[i], ldy(s, i), s->T, w->rows);
		s->low[i] = (struct peft_low){ r, pen_noise(p, d, r * s->cols),
		    pen_noise(p, d, r * w->rows), roll_float(d, 0.25f, 4),
		    NULL, NULL };
	}
}

/* A dense matrix whose rows do not touch. */
static void
part(struct set *s)
{
	const float *w = s->w[0].data;
	size_t r, rows = s->w[0].rows;

	s->ldw = s->cols + (one_in(s->d, 2) ? 0 : roll(s->d, 1, 70));
	s->apart = pen_floats(&s->pen, s->d, (rows - 1) * s->ldw + s->cols);
	for (r = 0; r < rows; r++)
		memcpy(s->apart + r * s->ldw, w + r * s->cols, s->cols *
		    sizeof(*w));
}

/* ---- what is made of it ------------------------------------------------- */

struct outcome {
	float	*x, *y[MOSTNP], *h[MOSTNP], *scaled[MOSTNP];
};

/* What is written, and not added to, begins as NaN. */
static void
spoil(float *x, size_t ld, size_t T, size_t n)
{
	size_t t;

	for (t = 0; t < T; t++)
		memset(x + t * ld, 0xff, n * sizeof(*x));
}

/* Of T tokens from `first' on. */
static struct outcome
begin(struct set *s, size_t first, size_t T)
{
	struct outcome o;
	size_t i;

	o.x = pen_copy(&s->pen, s->d, s->x + first * ldx(s), (T - 1) *
	    ldx(s) + s->cols);
	for (i = 0; i < s->np; i++) {
		o.y[i] = pen_copy(&s->pen, s->d, s->y[i] + first * ldy(s, i),
		    (T - 1) * ldy(s, i) + s->w[i].rows);
		o.h[i] = pen_floats(&s->pen, s->d, T * s->r[i]);
		o.scaled[i] = pen_floats(&s->pen, s->d, T * s->r[i]);
		spoil(o.h[i], s->r[i], T, s->r[i]);
		spoil(o.scaled[i], s->r[i], T, s->r[i]);
		if (!is_back(s) && !s->add)
			spoil(o.y[i], ldy(s, i), T, s->w[i].rows);
	}
	if (is_back(s) && !s->add)
		spoil(o.x, ldx(s), T, s->cols);
	return o;
}

static float *
scratch_for(struct set *s, struct peft_cpu *cpu, size_t T)
{
	size_t i, rows = 0, low = 0;
	float *scratch;

	for (i = 0; i < s->np; i++) {
		rows += s->w[i].rows;
		low += s->r[i];
	}
	low = peft_product_scratch(cpu, rows, s->cols, low, T);
	scratch = pen_get(&s->pen, s->d, low * sizeof(float), 16);
	spoil(scratch, low, 1, low);
	return scratch;
}

static void
make_panels(struct set *s, struct peft_cpu *cpu, float *scratch)
{
	bool back = is_back(s);
	size_t i, n;

	for (i = 0; i < s->np; i++) {
		s->w[i].panels[0] = s->w[i].panels[1] = NULL;
		n = peft_product_panels_size(cpu, &s->w[i], back);
		if (!s->made || n == 0)
			continue;
		s->w[i].panels[back] = memset(pen_get(&s->pen, s->d, n, 64),
		    0xff, n);
		peft_product_panels(cpu, &s->w[i], back,
		    (void *)(uintptr_t)s->w[i].panels[back], scratch);
	}
}

static void
multiply(const struct set *s, struct peft_cpu *cpu, struct outcome *o,
    size_t T, float *scratch)
{
	struct peft_dense dense = { s->apart, s->w[0].rows, s->cols, s->ldw };
	struct peft_product p[MOSTNP];
	struct peft_low low[MOSTNP];
	size_t i, ld = ldx(s);

	for (i = 0; i < s->np; i++) {
		p[i] = (struct peft_product){ &s->w[i], o->y[i], ldy(s, i) };
		low[i] = s->low[i];
		low[i].h = o->h[i];
		low[i].scaled = o->scaled[i];
	}
	switch (s->kind) {
	case FORWARD:
		peft_product_forward_low(cpu, o->x, ld, T, p, low, NULL,
		    s->np, scratch);
		break;
	case BACKWARD:
		peft_product_backward_low(cpu, o->x, ld, T, p, low, NULL,
		    s->np, s->add, scratch);
		break;
	case FINE:
		peft_product_forward_fine(cpu, o->x, ld, T, p, scratch);
		break;
	case FINE_BACK:
		peft_product_backward_fine(cpu, o->x, ld, T, p, s->add,
		    scratch);
		break;
	case DENSE:
		peft_dense_forward(cpu, o->x, ld, T, &dense, s->add, o->y[0],
		    ldy(s, 0), scratch);
		break;
	default:
		peft_dense_backward(cpu, o->x, ld, T, &dense, s->add, o->y[0],
		    ldy(s, 0), scratch);
		break;
	}
}

static struct outcome
run(struct set *s, int threads, const char *path, size_t first, size_t T)
{
	struct peft_cpu *cpu = s->h->cpu[threads - 1];
	struct outcome o = begin(s, first, T);
	struct peft_err err = { 0 };
	float *scratch;

	need(peft_cpu_limit(cpu, path, &err) == 0, &err);
	peft_cpu_compute(cpu, s->compute);
	peft_cpu_sum(cpu, s->sums == PEFT_BY_NUMBER && s->few ? PEFT_AS_FEW :
	    s->sums == PEFT_BY_NUMBER ? PEFT_AS_MANY : s->sums);
	if (T == s->T)
		peft_cpu_sum(cpu, s->sums);
	scratch = scratch_for(s, cpu, T);
	make_panels(s, cpu, scratch);
	multiply(s, cpu, &o, T, scratch);
	return o;
}

/* ---- what it is held against -------------------------------------------- */

/* Lengths of rows, added in squares. */
static void
lengths(const float *x, size_t ld, size_t n, size_t k, double *to)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (to[i] = 0, j = 0; j < k; j++)
			to[i] += (double)x[i * ld + j] * (double)x[i * ld + j];
	for (i = 0; i < n; i++)
		to[i] = sqrt(to[i]);
}

static void
turn(const float *x, size_t n, size_t k, float *to)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < k; j++)
			to[j * n + i] = x[i * k + j];
}

/* What is wanted, and by how much it may be missed: what is added to is a
 * part of every sum. */
struct wanted {
	float	*is;		/* [T, n] */
	double	*by;		/* the same */
	size_t	 n;
};

static struct wanted
want(struct set *s, const float *old, size_t ld, size_t n, size_t terms)
{
	struct wanted w = { pen_floats(&s->pen, s->d, s->T * n),
	    pen_get(&s->pen, s->d, s->T * n * sizeof(double), 8), n };
	size_t t, i;

	for (t = 0; t < s->T; t++)
		for (i = 0; i < n; i++) {
			w.is[t * n + i] = old == NULL ? 0 : old[t * ld + i];
			w.by[t * n + i] = old == NULL ? 0 : 16 * EPS * sqrt(
			    (double)terms) * fabs((double)old[t * ld + i]);
		}
	return w;
}

/*
 * Both sides of a part of 128 are off by steps: a step is at most the length
 * of 64 values, which are turned, / 127, so an error has the deviation step /
 * sqrt(12), that of a part's sum 1 / 440 of the product of the lengths for
 * each side.  Eight times what parts make together.
 */
static void
add_steps(struct set *s, struct wanted *w, const float *a, const float *b,
    size_t k)
{
	size_t parts = (k + PEFT_INT8_DEEP - 1) / PEFT_INT8_DEEP, t, i, p;
	double *la = pen_get(&s->pen, s->d, s->T * parts * sizeof(*la), 8);
	double *lb = pen_get(&s->pen, s->d, w->n * parts * sizeof(*lb), 8);

	for (p = 0; p < parts; p++) {
		size_t at = p * PEFT_INT8_DEEP, n = k - at < PEFT_INT8_DEEP ?
		    k - at : PEFT_INT8_DEEP;

		lengths(a + at, k, s->T, n, la + p * s->T);
		lengths(b + at, k, w->n, n, lb + p * w->n);
	}
	for (t = 0; t < s->T; t++)
		for (i = 0; i < w->n; i++) {
			double sum = 0, v;

			for (p = 0; p < parts; p++) {
				v = la[p * s->T + t] * lb[p * w->n + i];
				sum += v * v;
			}
			w->by[t * w->n + i] += 8 * sqrt(2 * sum) / 440;
		}
}

/*
 * w += scale a b^T, a [T, k], b [n, k], both as they are used.  k products
 * and sums are off by some sqrt(k) EPS of the magnitudes, if each of the
 * errors is as likely above as below (Higham and Mary 2019: eight times that
 * nearly never), here and in OpenBLAS; magnitudes are at most the product of
 * the lengths.  What becomes int8 is rounded to bf16 first, if it is a.
 */
static void
want_product(struct set *s, struct wanted *w, const float *a, size_t lda,
    const float *b, size_t k, float scale, enum peft_compute by)
{
	struct pen *p = &s->pen;
	float *trimmed = pen_floats(p, s->d, s->T * k);
	double *la = pen_get(p, s->d, s->T * sizeof(*la), 8);
	double *lb = pen_get(p, s->d, w->n * sizeof(*lb), 8);
	double each = 16 * EPS * sqrt((double)k + 16) * fabs((double)scale);
	size_t t, i;

	for (t = 0; t < s->T; t++)
		memcpy(trimmed + t * k, a + t * lda, k * sizeof(*a));
	as_used(s, by == PEFT_COMPUTE_INT8 ? PEFT_COMPUTE_BF16 : by, trimmed,
	    s->T * k);
	peft_gemm(s->h->plain, PEFT_N, PEFT_T, s->T, w->n, k, scale, trimmed,
	    k, b, k, 1, w->is, w->n);
	lengths(trimmed, k, s->T, k, la);
	lengths(b, k, w->n, k, lb);
	for (t = 0; t < s->T; t++)
		for (i = 0; i < w->n; i++)
			w->by[t * w->n + i] += each * la[t] * lb[i];
	if (by == PEFT_COMPUTE_INT8 && !s->few)
		add_steps(s, w, trimmed, b, k);
}

static bool
holds(const struct set *s, const char *what, size_t of,
    const struct wanted *w, const float *got, size_t ld, const float *old)
{
	size_t t, i, gap;

	for (t = 0; t < s->T; t++) {
		for (i = 0; i < w->n; i++) {
			double off = (double)got[t * ld + i] -
			    (double)w->is[t * w->n + i];

			if (fabs(off) <= w->by[t * w->n + i])
				continue;
			printf("# %s %zu: token %zu, element %zu: %g, not %g "
			    "within %g\n", what, of, t, i, (double)got[t * ld +
			    i], (double)w->is[t * w->n + i], w->by[t * w->n +
			    i]);
			return false;
		}
		gap = t + 1 < s->T ? ld - w->n : 0;
		if (gap > 0 && memcmp(got + t * ld + w->n, old + t * ld + w->n,
		    gap * sizeof(*got)) != 0) {
			printf("# %s %zu: token %zu: written beyond its row\n",
			    what, of, t);
			return false;
		}
	}
	return true;
}

static float *
used_copy(struct set *s, const float *x, size_t n)
{
	float *to = pen_copy(&s->pen, s->d, x, n);

	as_used(s, s->beside, to, n);
	return to;
}

static bool
is_int8(const struct set *s)
{
	return s->used == PEFT_COMPUTE_INT8 && !s->few;
}

/*
 * Few tokens, where less than f32 is asked for, may be whole numbers of two
 * bytes, with int8 of one, if a weight is blocks: each of 32 columns is off by
 * half a step, 2^-15 of the largest at most, or a 254th; eight times what that
 * makes together, if errors are even.
 */
static void
add_bytes(const struct set *s, struct wanted *w, size_t of)
{
	size_t t, i, j, at, k = s->cols;
	const float *a = s->x, *b = s->values[of];
	double half = s->used == PEFT_COMPUTE_INT8 ? 1. / 254 : 0x1p-15;

	if (s->used == PEFT_COMPUTE_F32 || !s->few ||
	    peft_dtypes[s->w[of].dtype].block < 32)
		return;
	for (t = 0; t < s->T; t++, a += ldx(s))
		for (i = 0; i < w->n; i++) {
			double sum = 0;

			for (at = 0; at < k; at += 32) {
				double most = 0, ww = 0;

				for (j = at; j < at + 32 && j < k; j++) {
					double v = (double)b[i * k + j];

					most = fmax(most, fabs((double)a[j]));
					ww += v * v;
				}
				sum += most * most * ww;
			}
			w->by[t * w->n + i] += 8 * sqrt(sum / 3) * half;
		}
}

static bool
forward_right(struct set *s, const struct outcome *o)
{
	bool good = true;
	size_t i, k;

	for (i = 0; good && i < s->np; i++) {
		const struct peft_low *low = &s->low[i];
		struct wanted y = want(s, s->add ? s->y[i] : NULL, ldy(s, i),
		    s->w[i].rows, s->cols + 16), h = want(s, NULL, 0, low->r,
		    0);

		want_product(s, &y, s->x, ldx(s), s->values[i], s->cols, 1,
		    s->used);
		add_bytes(s, &y, i);
		if (low->r > 0) {
			want_product(s, &h, s->x, ldx(s), used_copy(s, low->a,
			    low->r * s->cols), s->cols, 1, s->beside);
			want_product(s, &y, o->scaled[i], low->r, used_copy(s,
			    low->b, low->r * s->w[i].rows), low->r, 1,
			    s->beside);
			good = holds(s, "hidden", i, &h, o->h[i], low->r,
			    NULL);
		}
		for (k = 0; k < s->T * low->r; k++)
			good = good && o->scaled[i][k] == low->scale *
			    o->h[i][k];
		good = good && holds(s, "output", i, &y, o->y[i], ldy(s, i),
		    s->y[i]);
	}
	return good;
}

static bool
backward_right(struct set *s, const struct outcome *o)
{
	size_t i, terms = 16;
	struct wanted x;
	bool good = true;
	float *turned;

	for (i = 0; i < s->np; i++)
		terms += s->w[i].rows + s->r[i];
	x = want(s, s->add ? s->x : NULL, ldx(s), s->cols, terms);
	for (i = 0; good && i < s->np; i++) {
		const struct peft_low *low = &s->low[i];
		struct wanted h = want(s, NULL, 0, low->r, 0);
		size_t rows = s->w[i].rows, r = low->r;

		turned = pen_floats(&s->pen, s->d, rows * s->cols);
		turn(s->values[i], rows, s->cols, turned);
		want_product(s, &x, s->y[i], ldy(s, i), turned, rows, 1,
		    s->used);
		if (r == 0)
			continue;
		turn(used_copy(s, low->b, rows * r), rows, r, turned =
		    pen_floats(&s->pen, s->d, rows * r));
		want_product(s, &h, s->y[i], ldy(s, i), turned, rows,
		    low->scale, s->beside);
		turn(used_copy(s, low->a, r * s->cols), r, s->cols, turned =
		    pen_floats(&s->pen, s->d, r * s->cols));
		want_product(s, &x, o->h[i], r, turned, r, 1, s->beside);
		good = holds(s, "hidden", i, &h, o->h[i], r, NULL);
	}
	return good && holds(s, "gradient", 0, &x, o->x, ldx(s), s->x);
}

/* ---- the same bytes ----------------------------------------------------- */

/* T tokens: of b from its first on, of a from `first' on. */
static bool
same(const struct set *s, const char *what, const struct outcome *a,
    const struct outcome *b, size_t first, size_t T)
{
	bool good = memcmp(a->x + first * ldx(s), b->x, ((T - 1) * ldx(s) +
	    s->cols) * sizeof(float)) == 0;
	size_t i;

	for (i = 0; i < s->np; i++) {
		good = good && memcmp(a->y[i] + first * ldy(s, i), b->y[i],
		    ((T - 1) * ldy(s, i) + s->w[i].rows) * sizeof(float)) == 0;
		good = good && memcmp(a->h[i] + first * s->r[i], b->h[i], T *
		    s->r[i] * sizeof(float)) == 0;
	}
	if (!good)
		printf("# other bytes: %s\n", what);
	return good;
}

static bool
input_is_kept(const struct set *s, const struct outcome *o)
{
	bool good = is_back(s) || memcmp(s->x, o->x, ((s->T - 1) * ldx(s) +
	    s->cols) * sizeof(float)) == 0;
	size_t i;

	for (i = 0; is_back(s) && i < s->np; i++)
		good = good && memcmp(s->y[i], o->y[i], ((s->T - 1) *
		    ldy(s, i) + s->w[i].rows) * sizeof(float)) == 0;
	if (!good)
		puts("# the input was written to");
	return good;
}

/* The plain path's bytes are those of all, but it takes long. */
static size_t
other_path(const struct set *s)
{
	size_t p = one_in(s->d, 3) ? 0 : roll(s->d, 1, NPATH - 1);

	return s->h->has[p] ? p : 0;
}

static bool
right(struct set *s)
{
	int threads = (int)roll(s->d, 1, NCPU);
	size_t first = roll(s->d, 0, s->T - 1);
	size_t T = roll(s->d, 1, s->T - first);
	const char *path = paths[s->path];
	struct outcome o = run(s, threads, path, 0, s->T), other;
	bool good = (is_back(s) ? backward_right : forward_right)(s, &o) &&
	    input_is_kept(s, &o), beside = false;
	size_t i;

	other = run(s, (int)roll(s->d, 1, NCPU), path, 0, s->T);
	good = good && same(s, "threads", &o, &other, 0, s->T);
	other = run(s, threads, path, first, T);
	good = good && same(s, "some tokens alone", &o, &other, first, T);
	for (i = 0; i < s->np; i++)
		beside = beside || s->r[i] > 0;
	if (!good || !is_int8(s) || beside)
		return good;
	s->made = false;
	other = run(s, threads, paths[other_path(s)],
	    0, s->T);
	return same(s, "path", &o, &other, 0, s->T);
}

static void
tell(const struct set *s)
{
	size_t i;

	printf("# %s, %s, %s, sums %d, T %zu, ldx %zu, add %d, made %d\n",
	    kinds[s->kind], paths[s->path], peft_compute_names[s->compute],
	    (int)s->sums, s->T, ldx(s), s->add, s->made);
	for (i = 0; i < s->np; i++)
		printf("#   %s %zu x %zu, ldy %zu, rank %zu, blocks of %zu\n",
		    peft_dtypes[s->w[i].dtype].name, s->w[i].rows, s->cols,
		    ldy(s, i), s->r[i], s->w[i].scales.blocksize);
}

static bool
try(void *ctx, struct dice *d)
{
	struct set s = { .h = ctx, .d = d };
	struct peft_cpu *cpu = s.h->cpu[0];
	struct peft_err err = { 0 };
	bool good;

	choose_way(&s);
	need(peft_cpu_limit(cpu, paths[s.path], &err) == 0, &err);
	peft_cpu_compute(cpu, s.compute);
	peft_cpu_sum(cpu, s.sums);
	s.beside = peft_cpu_computes_dense(cpu);
	s.used = s.kind < FINE ? s.compute : s.beside;
	choose_weights(&s);
	choose_low(&s);
	s.few = !is_back(&s) && peft_product_is_few(cpu, s.T);
	if (getenv("HUNT_TELL") != NULL)
		tell(&s);
	fflush(stdout);
	fill(&s);
	if (s.kind >= DENSE)
		part(&s);
	good = right(&s);
	if (!good)
		tell(&s);
	pen_clear(&s.pen);
	return good;
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct hunt h;

	hunt_open(h.cpu, NCPU, 1, h.has);
	need((h.plain = peft_cpu_open(1, &err)) != NULL, &err);
	ok(hunt(argc, argv, try, &h), "random products");
	hunt_close(h.cpu, NCPU);
	peft_cpu_close(h.plain);
	return tap_end();
}
