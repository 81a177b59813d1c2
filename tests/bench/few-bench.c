/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with stored weights for a few tokens, on one thread, in f32, bf16
 * and int8: GB/s of weights read and GF/s.  A hundred megabytes of weights in
 * turn, as a model's layers are.  usage: few-bench [TYPE ...]
 * or nothing but what memory gives to N threads: few-bench memory N
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "math/peak.h"
#include "quant/product.h"
#include "quant/quant.h"

enum { ROWS = 1536, COLS = 1536, REPEAT = 5 };

/* CPU time: others may use the machine. */
static double
cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *
must(void *p)
{
	if (p == NULL)
		exit(2);
	return p;
}

static double
run(struct peft_cpu *cpu, struct peft_weight *w, const uint8_t *data,
    size_t copies, size_t T, const float *x, float *y, float *scratch)
{
	struct peft_product p = { w, y, ROWS };
	double best = 1e9, t;
	size_t i;
	int r;

	for (r = 0; r < REPEAT; r++) {
		t = cpu_now();
		for (i = 0; i < copies; i++) {
			w->data = data + i * w->nbytes;
			peft_product_forward(cpu, x, COLS, T, &p, 1, scratch);
		}
		t = cpu_now() - t;
		best = t < best ? t : best;
	}
	return best;
}

static void
bench(struct peft_cpu *cpu, enum peft_dtype t, enum peft_compute compute)
{
	static const size_t tokens[] = { 1, 2, 4, 8, 16, 32 };
	const struct peft_dtype_info *info = &peft_dtypes[t];
	struct peft_weight w = { .dtype = t, .ndim = 2, .rows = ROWS,
	    .cols = COLS, .nelem = (size_t)ROWS * COLS };
	float *x = must(aligned_alloc(64, (size_t)ROWS * COLS * sizeof(*x)));
	float *y = must(calloc(32 * ROWS, sizeof(*y)));
	struct peft_err err;
	float *scratch;
	uint8_t *data;
	size_t copies, i;
	double s;

	peft_cpu_compute(cpu, compute);
	scratch = must(aligned_alloc(64, sizeof(*scratch) *
	    peft_product_scratch(cpu, ROWS, COLS, 0, 32)));
	w.nbytes = w.nelem / info->block * info->bytes;
	copies = (96 << 20) / w.nbytes;
	data = must(malloc(copies * w.nbytes));
	for (i = 0; i < w.nelem; i++)
		x[i] = (float)((i * 7919) % 1013) / 1013 - 0.5f;
	if (peft_encode(t, x, w.nelem, data, &err) == -1)
		exit(2);
	for (i = 1; i < copies; i++)
		memcpy(data + i * w.nbytes, data, w.nbytes);
	printf("%-6s %-4s", info->name, peft_compute_names[compute]);
	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		s = run(cpu, &w, data, copies, tokens[i], x, y, scratch);
		printf("  %5.1f %5.0f", (double)(copies * w.nbytes) / s * 1e-9,
		    2 * (double)(copies * w.nelem * tokens[i]) / s * 1e-9);
	}
	putchar('\n');
	free(x);
	free(y);
	free(scratch);
	free(data);
}

/* In GB/s. */
static int
memory(int threads)
{
	struct peft_err err;
	struct peft_cpu *cpu = peft_cpu_open(threads, &err);
	double bytes = cpu == NULL ? -1 : peft_peak_memory(cpu, &err);

	peft_cpu_close(cpu);
	if (bytes < 0)
		return 2;
	printf("%.1f\n", bytes / 1e9);
	return 0;
}

int
main(int argc, char **argv)
{
	static const char *const usual[] = { "q4_1", "q8_0", "q4_0", "q4_k",
	    "q6_k", "bf16", "f32" };
	struct peft_err err;
	struct peft_cpu *cpu;
	int i, n = argc > 1 ? argc - 1 : (int)(sizeof(usual) /
	    sizeof(usual[0]));

	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return memory(atoi(argv[2]));
	if ((cpu = peft_cpu_open(1, &err)) == NULL)
		return 2;
	printf("one thread, %.0f GF/s at most; GB/s of weights and GF/s\n"
	    "%-11s  %11s  %11s  %11s  %11s  %11s  %11s\n",
	    peft_peak_products(cpu) / 1e9, "type", "1 token", "2", "4", "8",
	    "16", "32");
	for (i = 0; i < n; i++) {
		enum peft_dtype t = peft_dtype_of_name(argc > 1 ?
		    argv[i + 1] : usual[i]);

		if (t != PEFT_NDTYPE && peft_can_encode(t)) {
			bench(cpu, t, PEFT_COMPUTE_F32);
			bench(cpu, t, PEFT_COMPUTE_BF16);
			bench(cpu, t, PEFT_COMPUTE_INT8);
		}
	}
	peft_cpu_close(cpu);
	return 0;
}
