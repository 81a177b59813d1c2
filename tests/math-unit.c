/* SPDX-License-Identifier: Apache-2.0 */
/* The pool, and products of f32 matrices against sums in double. */

#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "math/cores.h"
#include "math/cpu.h"
#include "tap.h"

#define EPS	0x1p-24

static const int threads[] = { 1, 2, 3, 5 };
enum { NCPU = sizeof(threads) / sizeof(threads[0]) };

enum { MOSTTASKS = 1000 };

struct tally {
	atomic_int	 done[MOSTTASKS];
	atomic_bool	 stray;
	int		 threads;
};

static void
count(void *ctx, size_t task, int thread)
{
	struct tally *t = ctx;

	atomic_fetch_add(&t->done[task], 1);
	if (thread < 0 || thread >= t->threads)
		atomic_store(&t->stray, true);
}

/* Each task once, in short runs and in ones that let threads fall asleep. */
static int
test_pool(struct peft_cpu *cpu)
{
	static struct tally t;
	size_t run, i, ntasks;

	memset(&t, 0, sizeof(t));
	t.threads = peft_cpu_threads(cpu);
	for (run = 0; run < 3000; run++) {
		ntasks = run % 97 == 0 ? MOSTTASKS : run % 7;
		for (i = 0; i < ntasks; i++)
			atomic_store(&t.done[i], 0);
		peft_cpu_run(cpu, ntasks, count, &t);
		for (i = 0; i < ntasks; i++)
			if (atomic_load(&t.done[i]) != 1)
				return 0;
		if (run % 500 == 0)
			usleep(10000);
	}
	return !atomic_load(&t.stray);
}

/* A thread is sent to a core, and may run on all of them after; one of more
 * than there are stays. */
static int
test_cores(void)
{
	cpu_set_t all, now;
	int n = peft_cores(), from = sched_getcpu(), i, good;

	if (sched_getaffinity(0, sizeof(all), &all) == -1)
		return 0;
	good = n == CPU_COUNT(&all);
	for (i = 0; i < n; i++)
		peft_core_settle(from, i, n);
	peft_core_settle(-1, 1, n);
	peft_core_settle(from, n, n + 1);
	return good && sched_getaffinity(0, sizeof(now), &now) == 0 &&
	    CPU_EQUAL(&all, &now);
}

/* The first task waits for the second, which is of the same thread's share:
 * so another must take it. */
static void
wait_next(void *ctx, size_t task, int thread)
{
	struct tally *t = ctx;

	(void)thread;
	while (task == 0 && atomic_load(&t->done[1]) == 0)
		usleep(10);
	atomic_fetch_add(&t->done[task], 1);
}

static int
test_shares(struct peft_cpu *cpu)
{
	static struct tally t;
	size_t n = 2 * (size_t)peft_cpu_threads(cpu), run, i;

	for (run = 0; n > 2 && run < 20; run++) {
		memset(&t, 0, sizeof(t));
		peft_cpu_run(cpu, n, wait_next, &t);
		for (i = 0; i < n; i++)
			if (atomic_load(&t.done[i]) != 1)
				return 0;
	}
	return 1;
}

/* A product of op(A) m x k, op(B) k x n; rows are `gap' apart from touching. */
struct product {
	size_t		 m, n, k, lda, ldb, ldc;
	enum peft_trans	 ta, tb;
	float		 alpha, beta;
	float		*a, *b, *c0, *c;	/* c0: C before */
};

static float *
noise(size_t size, size_t seed)
{
	struct peft_rng key = peft_rng_key(seed, "math-unit");
	float *x = malloc(size * sizeof(*x));
	size_t i;

	if (x == NULL)
		exit(1);
	for (i = 0; i < size; i++)
		x[i] = (float)(2 * peft_rng_uniform(key, 0, i) - 1);
	return x;
}

static void
prepare(struct product *p, size_t m, size_t cols, size_t k, int kind)
{
	enum { GAP = 3 };

	*p = (struct product){ .m = m, .n = cols, .k = k, .ldc = cols + GAP,
	    .ta = kind & 1 ? PEFT_T : PEFT_N, .tb = kind & 2 ? PEFT_T : PEFT_N,
	    .alpha = kind & 4 ? 0.5f : 1, .beta = (float)(kind % 3) / 2 };
	p->lda = (p->ta == PEFT_T ? m : k) + GAP;
	p->ldb = (p->tb == PEFT_T ? k : cols) + GAP;
	p->a = noise((p->ta == PEFT_T ? k : m) * p->lda, 1);
	p->b = noise((p->tb == PEFT_T ? cols : k) * p->ldb, 2);
	p->c0 = noise(m * p->ldc, 3);
	p->c = noise(m * p->ldc, 4);
}

static void
clear(struct product *p)
{
	free(p->a);
	free(p->b);
	free(p->c0);
	free(p->c);
}

static void
multiply(struct peft_cpu *cpu, struct product *p, bool all)
{
	memcpy(p->c, p->c0, p->m * p->ldc * sizeof(*p->c));
	if (p->beta == 0)
		p->c[0] = NAN;		/* must not be read */
	(all ? peft_gemm(cpu, p->ta, p->tb, p->m, p->n, p->k, p->alpha, p->a,
	    p->lda, p->b, p->ldb, p->beta, p->c, p->ldc) :
	    peft_gemm1(cpu, p->ta, p->tb, p->m, p->n, p->k, p->alpha, p->a,
	    p->lda, p->b, p->ldb, p->beta, p->c, p->ldc));
}

/* In whatever order: k products and k + 2 sums, each off by EPS of at most
 * the sum of the magnitudes. */
static bool
is_right(const struct product *p)
{
	size_t i, j, l;

	for (i = 0; i < p->m; i++)
		for (j = 0; j < p->ldc; j++) {
			double c0 = (double)p->c0[i * p->ldc + j], s = 0, mag;
			double got = (double)p->c[i * p->ldc + j];

			if (j >= p->n && got != c0)
				return false;	/* beyond the row */
			if (j >= p->n)
				continue;
			mag = fabs((double)p->beta * c0);
			for (l = 0; l < p->k; l++) {
				double a = (double)p->a[p->ta == PEFT_T ?
				    l * p->lda + i : i * p->lda + l];
				double b = (double)p->b[p->tb == PEFT_T ?
				    j * p->ldb + l : l * p->ldb + j];

				s += (double)p->alpha * a * b;
				mag += fabs((double)p->alpha * a * b);
			}
			s += (double)p->beta * c0;
			if (!(fabs(got - s) <= EPS * mag *
			    (2 * (double)p->k + 2)))
				return false;
		}
	return true;
}

static bool
test_shape(struct peft_cpu *cpus[NCPU], size_t m, size_t cols, size_t k,
    int kind)
{
	size_t size, i;
	struct product p;
	bool good = true;
	float *first;

	prepare(&p, m, cols, k, kind);
	size = m * p.ldc * sizeof(float);
	multiply(cpus[0], &p, false);
	good = is_right(&p);
	multiply(cpus[0], &p, true);
	good = good && is_right(&p);
	if ((first = malloc(size)) == NULL)
		exit(1);
	memcpy(first, p.c, size);
	for (i = 1; i < NCPU; i++) {
		multiply(cpus[i], &p, true);
		good = good && memcmp(first, p.c, size) == 0;
	}
	free(first);
	clear(&p);
	return good;
}

static void
test_gemm(struct peft_cpu *cpus[NCPU])
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 1, 65, 33 },
		{ 3, 1, 576 }, { 7, 130, 16 }, { 600, 16, 64 }, { 16, 600, 64 },
		{ 100, 100, 8 }, { 130, 513, 65 }, { 5, 300, 0 },
		{ 4, 576, 200 } };
	size_t i;
	int kind;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		bool good = true;

		for (kind = 0; kind < 8; kind++)
			good = test_shape(cpus, shapes[i][0], shapes[i][1],
			    shapes[i][2], kind) && good;
		ok(good, "gemm %zu x %zu x %zu: right, and the same on 1, 2, "
		    "3, 5 threads", shapes[i][0], shapes[i][1], shapes[i][2]);
	}
}

static int
threads_here(void)
{
	DIR *dir = opendir("/proc/self/task");
	int count = 0;

	if (dir == NULL)
		return -1;
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2;		/* . and .. */
}

/* What opening leaves behind: no threads of OpenBLAS's own, the environment
 * as it was, and as many threads as the process has cores. */
static void
test_open(void)
{
	const char *core = getenv("OPENBLAS_CORETYPE");
	struct peft_err err = { 0 };
	struct peft_cpu *cpu;
	cpu_set_t all, one;
	int i;

	setenv("OPENBLAS_NUM_THREADS", "7", 1);
	if ((cpu = peft_cpu_open(1, &err)) == NULL) {
		printf("Bail out! %s\n", err.msg);
		exit(1);
	}
	ok(threads_here() == 1, "OpenBLAS starts no threads");
	ok(strcmp(getenv("OPENBLAS_NUM_THREADS"), "7") == 0 &&
	    getenv("OPENBLAS_CORETYPE") == core, "the environment is kept");
	peft_cpu_close(cpu);
	CPU_ZERO(&all);
	CPU_ZERO(&one);
	(void)sched_getaffinity(0, sizeof(all), &all);
	for (i = 0; !CPU_ISSET(i, &all); i++)
		;
	CPU_SET(i, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
	cpu = peft_cpu_open(0, &err);
	ok(cpu != NULL && peft_cpu_threads(cpu) == 1, "a thread a core this "
	    "process may use");
	peft_cpu_close(cpu);
	(void)sched_setaffinity(0, sizeof(all), &all);
}

int
main(void)
{
	struct peft_cpu *cpus[NCPU];
	struct peft_err err = { 0 };
	int i;

	test_open();
	ok(test_cores(), "%d cores", peft_cores());
	for (i = 0; i < NCPU; i++) {
		if ((cpus[i] = peft_cpu_open(threads[i], &err)) == NULL) {
			printf("Bail out! %s\n", err.msg);
			return 1;
		}
		ok(test_pool(cpus[i]), "a pool of %d", threads[i]);
		ok(test_shares(cpus[i]), "threads take what others of %d have "
		    "left", threads[i]);
	}
	printf("# %s\n", peft_cpu_describe(cpus[0]));
	test_gemm(cpus);
	for (i = 0; i < NCPU; i++)
		peft_cpu_close(cpus[i]);
	return tap_end();
}
