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

#include "product-wanted.h"
#include "tap.h"

/* ---- what is made of it ------------------------------------------------- */

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
