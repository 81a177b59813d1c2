/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel-hunt seconds seed [trial]: vector kernels (math/vec.h), general and
 * thin products (math/cpu.h) of random sizes on every path: near the plain
 * twin or plain sums, the same bytes wherever the operands begin, nothing
 * read or written beside them.  How near they are is vec-unit's business.
 */

#include <math.h>

#include "base/half.h"
#include "hunt.h"
#include "math/cpu.h"
#include "math/panel.h"
#include "math/vec.h"
#include "tap.h"

#define EPS	0x1p-24

enum { NARRAY = 5 };

/* A call: arrays of some sizes, some of which it changes. */
struct call {
	const struct peft_vec	*v;
	size_t			 n, m, tokens, gap;
	float			 f;
	bool			 bf16;		/* of a page */
	float			*a[NARRAY];
};

/* What it returns, or 0. */
typedef double call_fn(struct call *);

static double
c_dot(struct call *c)
{
	return (double)c->v->dot(c->a[0], c->a[1], c->n);
}

static double
c_axpy(struct call *c)
{
	c->v->axpy(c->a[0], c->f, c->a[1], c->n);
	return 0;
}

static double
c_scale(struct call *c)
{
	c->v->scale(c->a[0], c->f, c->n);
	c->v->add(c->a[0], c->a[1], c->n);
	return 0;
}

static double
c_mul(struct call *c)
{
	c->v->mul(c->a[0], c->a[1], c->a[2], c->n);
	c->v->muladd(c->a[0], c->a[1], c->a[2], c->n);
	return c->v->sumsq(c->a[0], c->n);
}

static double
c_nonfinite(struct call *c)
{
	if (c->m % 2 == 1)
		c->a[0][c->tokens % c->n] = c->m % 4 == 1 ? NAN : -INFINITY;
	return c->v->nonfinite(c->a[0], c->n) != 0;
}

static double
c_rmsnorm(struct call *c)
{
	float r = c->v->rmsnorm(c->a[0], c->a[1], c->a[2], c->n, 1e-3f);

	c->v->rmsnorm_back(c->a[3], c->a[4], c->a[1], c->a[2], r, c->n);
	return (double)r;
}

static double
c_swiglu(struct call *c)
{
	c->v->swiglu(c->a[0], c->a[1], c->a[2], c->n);
	c->v->swiglu_back(c->a[1], c->a[2], c->a[3], c->a[1], c->a[2], c->n);
	return 0;
}

static double
c_softmax(struct call *c)
{
	c->v->scale(c->a[0], 20 * c->f, c->n);
	return (double)c->v->softmax(c->a[0], c->n);
}

static double
c_expsub(struct call *c)
{
	c->v->expsub(c->a[0], c->f, c->n);
	return (double)c->v->argmax(c->a[1], c->n);
}

static double
c_part(struct call *c)
{
	float max = -INFINITY, sum = 0, f;

	c->v->softmax_part(c->a[0], c->n, 1, c->n, 3, &max, &sum, &f);
	c->v->softmax_part(c->a[1], c->n, 1, c->n, 5, &max, &sum, &f);
	c->v->softmax_back(c->a[2], c->a[3], c->n, 2, 1.5f, 0.5f, 0.25f);
	return (double)(max + f) + log((double)sum);
}

static double
c_rope(struct call *c)
{
	c->v->rope(c->a[0], c->a[1], c->a[2], c->n, c->f < 0 ? -1 : 1);
	return 0;
}

static double
c_adamw(struct call *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		c->a[3][i] = fabsf(c->a[3][i]) + 0.01f;
	c->v->adamw(c->a[0], c->a[1], c->a[2], c->a[3], c->n, c->f, 1e-2, 0.9,
	    0.99, 1e-6, 0.1, 0.5, 0.4);
	return 0;
}

static double
c_scores(struct call *c)
{
	const struct peft_page page = { c->a[2], c->a[2], c->bf16 };

	c->v->page_scores(c->a[0], PEFT_PAGE + c->gap, c->a[1], c->n + c->gap,
	    c->m, &page, c->n, c->f);
	return 0;
}

static double
c_values(struct call *c)
{
	const struct peft_page page = { c->a[2], c->a[2], c->bf16 };

	c->v->page_values(c->a[0], c->n + c->gap, c->a[1], PEFT_PAGE + c->gap,
	    c->m, &page, c->n, c->tokens);
	return 0;
}

/* Sizes of arrays: n, or by rows. */
enum shape { NONE, PLAIN, WHOLE, TWICE, SCORES, QUERIES, KEYS, VALUES };

static const struct kernel {
	const char	*name;
	call_fn		*call;
	enum shape	 shape[NARRAY];
} kernels[] = {
	{ "dot", c_dot, { PLAIN, PLAIN } },
	{ "axpy", c_axpy, { PLAIN, PLAIN } },
	{ "scale, add", c_scale, { PLAIN, PLAIN } },
	{ "mul, muladd, sumsq", c_mul, { PLAIN, PLAIN, PLAIN } },
	{ "nonfinite", c_nonfinite, { PLAIN } },
	{ "rmsnorm", c_rmsnorm, { PLAIN, PLAIN, PLAIN, PLAIN, PLAIN } },
	{ "swiglu", c_swiglu, { PLAIN, PLAIN, PLAIN, PLAIN } },
	{ "softmax", c_softmax, { PLAIN } },
	{ "expsub, argmax", c_expsub, { PLAIN, PLAIN } },
	{ "softmax in parts", c_part, { WHOLE, WHOLE, WHOLE, WHOLE } },
	{ "rope", c_rope, { TWICE, PLAIN, PLAIN } },
	{ "adamw", c_adamw, { PLAIN, PLAIN, PLAIN, PLAIN } },
	{ "page_scores", c_scores, { SCORES, QUERIES, KEYS } },
	{ "page_values", c_values, { QUERIES, SCORES, VALUES } },
};
enum { NKERNEL = sizeof(kernels) / sizeof(kernels[0]) };

static size_t
elements(const struct call *c, enum shape s)
{
	switch (s) {
	case NONE:
		return 0;
	case TWICE:
		return 2 * c->n;
	case SCORES:	/* a last row has no gap */
		return c->m * (PEFT_PAGE + c->gap) - c->gap;
	case QUERIES:
		return c->m * (c->n + c->gap) - c->gap;
	case KEYS:
		return PEFT_PAGE * c->n / (c->bf16 ? 2 : 1);
	case VALUES:
		return (c->tokens * c->n + c->bf16) / (c->bf16 ? 2 : 1);
	default:
		return c->n;
	}
}

struct hunt {
	struct peft_cpu	*cpu[2];		/* of 1 and 3 threads */
	bool		 has[NPATH];
};

static struct call
copy(struct pen *pen, struct dice *d, const struct kernel *k,
    const struct call *c)
{
	struct call to = *c;
	int i;

	for (i = 0; i < NARRAY; i++)
		to.a[i] = pen_copy(pen, d, c->a[i], elements(c, k->shape[i]));
	return to;
}

static bool
is_near(double got, double want, double size, size_t n)
{
	return got == want || (isnan(got) && isnan(want)) ||
	    fabs(got - want) <= 16 * EPS * (double)(n + 16) * size;
}

static bool
all_near(const struct kernel *k, const struct call *got,
    const struct call *want)
{
	size_t i, j, n;

	for (i = 0; i < NARRAY; i++) {
		double most = 1;

		n = elements(got, k->shape[i]);
		for (j = 0; j < n; j++)
			most = fmax(most, fabs((double)want->a[i][j]));
		for (j = 0; j < n; j++)
			if (!is_near((double)got->a[i][j],
			    (double)want->a[i][j], most, 256)) {
				printf("# array %zu, %zu: %g, not %g\n", i, j,
				    (double)got->a[i][j],
				    (double)want->a[i][j]);
				return false;
			}
	}
	return true;
}

static bool
all_same(const struct kernel *k, const struct call *a, const struct call *b)
{
	size_t i;

	for (i = 0; i < NARRAY; i++)
		if (memcmp(a->a[i], b->a[i], elements(a, k->shape[i]) *
		    sizeof(float)) != 0)
			return false;
	return true;
}

/* Its upper half as both halves: as bf16, two such numbers. */
static float
twice(float f)
{
	uint32_t upper = peft_f32_bits(f) >> 16;

	return peft_bits_f32(upper << 16 | upper);
}

static bool
try_vector(const struct peft_vec *v, struct pen *pen, struct dice *d)
{
	static const size_t sizes[] = { 1, 8, 16, 32, 48, 64, 80, 96, 128,
		192, 256, 576, 1024, 3000, 0 };
	const struct kernel *k = &kernels[roll(d, 0, NKERNEL - 1)];
	struct call c = { .n = roll_size(d, sizes), .m = roll(d, 1, 9),
	    .tokens = roll(d, 1, PEFT_PAGE), .gap = roll(d, 0, 20),
	    .f = roll_float(d, -2, 2), .v = v }, want, got, again;
	double w, g, h;
	size_t j;
	int i;

	c.bf16 = (k->shape[2] == KEYS || k->shape[2] == VALUES) &&
	    roll(d, 0, 1) == 1;
	if (k->shape[0] == WHOLE)
		c.n = (c.n + 31) / 32 * 32;
	for (i = 0; i < NARRAY; i++)
		c.a[i] = pen_noise(pen, d, elements(&c, k->shape[i]));
	for (j = 0; c.bf16 && j < elements(&c, k->shape[2]); j++)
		c.a[2][j] = twice(c.a[2][j]);
	want = copy(pen, d, k, &c);
	got = copy(pen, d, k, &c);
	again = copy(pen, d, k, &c);
	want.v = &peft_vec_ref;
	w = k->call(&want);
	g = k->call(&got);
	h = k->call(&again);
	if (is_near(g, w, 1 + fabs(w), c.n) && memcmp(&g, &h, sizeof(g)) == 0 &&
	    all_near(k, &got, &want) && all_same(k, &got, &again))
		return true;
	printf("# %s, %s: n %zu, m %zu, tokens %zu, gap %zu: %g, %g, not %g\n",
	    v->name, k->name, c.n, c.m, c.tokens, c.gap, g, h, w);
	return false;
}

/* c = f op(a) op(b) + beta c, and c += f a' b. */
struct product {
	size_t	m, n, k, lda, ldb, ldc;
	bool	ta, tb, thin;
	float	f, beta, *a, *b, *c;
};

static float *
multiply(const struct product *p, struct peft_cpu *cpu, struct pen *pen,
    struct dice *d, size_t size)
{
	float *c = pen_copy(pen, d, p->c, size);

	const struct peft_outer thin = { .m = p->m, .n = p->n, .k = p->k,
	    .a = p->a, .b = p->b, .lda = p->lda, .ldb = p->ldb,
	    .scale = p->f, .c = c, .ldc = p->ldc };

	if (p->thin)
		peft_outer(cpu, &thin);
	else
		peft_gemm(cpu, p->ta ? PEFT_T : PEFT_N, p->tb ? PEFT_T :
		    PEFT_N, p->m, p->n, p->k, p->f, p->a, p->lda, p->b,
		    p->ldb, p->beta, c, p->ldc);
	return c;
}

static bool
product_right(const struct product *p, const float *got)
{
	size_t i, j, l;

	for (i = 0; i < p->m; i++)
		for (j = 0; j < p->n; j++) {
			double old = (double)p->c[i * p->ldc + j] *
			    (p->thin ? 1 : (double)p->beta), sum = 0, of = 0;

			for (l = 0; l < p->k; l++) {
				double v = (double)p->a[p->ta ? l * p->lda +
				    i : i * p->lda + l] * (double)p->b[p->tb ?
				    j * p->ldb + l : l * p->ldb + j];

				sum += v;
				of += fabs(v);
			}
			if (fabs((double)got[i * p->ldc + j] - old -
			    (double)p->f * sum) > EPS * (2 * (double)p->k +
			    4) * (of * fabs((double)p->f) + fabs(old))) {
				printf("# row %zu, column %zu: %g, not %g\n",
				    i, j, (double)got[i * p->ldc + j], old +
				    (double)p->f * sum);
				return false;
			}
		}
	return true;
}

static bool
try_product(struct hunt *h, struct pen *pen, struct dice *d)
{
	static const size_t sides[] = { 1, 8, 16, 32, 64, 96, 128, 256, 384,
		512, 700, 0 };
	struct product p = { .m = roll_size(d, sides), .n = roll_size(d,
	    sides), .k = roll_size(d, sides), .ta = one_in(d, 2),
	    .tb = one_in(d, 2), .thin = one_in(d, 2), .f = roll_float(d, -2,
	    2), .beta = one_in(d, 3) ? 0 : one_in(d, 2) ? 1 : 0.5f };
	size_t gap = one_in(d, 2) ? 0 : roll(d, 1, 40), size;
	float *got, *other;
	bool good;

	if (p.thin) {
		p.ta = true;
		p.tb = false;
		p.m = roll(d, 1, 260);
	}
	p.lda = (p.ta ? p.m : p.k) + gap;
	p.ldb = (p.tb ? p.k : p.n) + gap;
	p.ldc = p.n + gap;
	size = p.m * p.ldc - gap;
	p.a = pen_noise(pen, d, (p.ta ? p.k : p.m) * p.lda - gap);
	p.b = pen_noise(pen, d, (p.tb ? p.n : p.k) * p.ldb - gap);
	p.c = pen_noise(pen, d, size);
	got = multiply(&p, h->cpu[0], pen, d, size);
	other = multiply(&p, h->cpu[1], pen, d, size);
	good = product_right(&p, got) && memcmp(got, other, size *
	    sizeof(*got)) == 0;
	if (!good)
		printf("# %s%s: %zu x %zu x %zu, gap %zu\n", p.thin ?
		    "outer" : "gemm ", p.thin ? "" : p.ta ? p.tb ? "tt" :
		    "tn" : p.tb ? "nt" : "nn", p.m, p.n, p.k, gap);
	return good;
}

static bool
try(void *ctx, struct dice *d)
{
	struct pen pen = { .n = 0 };
	struct peft_err err = { 0 };
	struct hunt *h = ctx;
	size_t path, i;
	bool good;

	do
		path = roll(d, 0, NPATH - 1);
	while (!h->has[path]);
	for (i = 0; i < 2; i++)
		need(peft_cpu_limit(h->cpu[i], paths[path], &err) == 0, &err);
	good = one_in(d, 4) ? try_product(h, &pen, d) :
	    try_vector(peft_cpu_vec(h->cpu[0]), &pen, d);
	if (!good)
		printf("# path %s\n", paths[path]);
	pen_clear(&pen);
	return good;
}

int
main(int argc, char **argv)
{
	struct hunt h;

	hunt_open(h.cpu, 2, 2, h.has);
	ok(hunt(argc, argv, try, &h), "random kernels");
	hunt_close(h.cpu, 2);
	return tap_end();
}
