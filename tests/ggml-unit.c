/* SPDX-License-Identifier: Apache-2.0 */
/* FILE.safetensors: the values and bytes of gguf-py, and ggml's bytes, without
 * and with an importance matrix (tests/parity/quant_golden.py and
 * imatrix_golden.py). */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden-file.h"
#include "quant/quant.h"

static void
check_decoded(const struct golden *g, const char *name, enum peft_dtype t)
{
	size_t nbytes, n, i;
	const uint8_t *bytes = golden_get(g, name, ".bytes", &nbytes);
	const float *want = golden_get(g, name, ".values", &n);
	struct peft_err err = { 0 };
	float *got = peft_calloc(n, 1, &err);
	struct peft_weight w = { .dtype = t, .data = bytes, .rows = 1 };

	need(got != NULL, &err);
	w.nelem = w.cols = n / sizeof(*want);
	peft_decode(&w, 0, w.nelem, got);
	for (i = 0; i < w.nelem && got[i] == want[i]; i++)
		;
	if (!ok(nbytes == w.nelem / peft_dtypes[t].block *
	    peft_dtypes[t].bytes && i == w.nelem, "%s: gguf-py's values",
	    name))
		printf("# value %zu is %.9g, not %.9g\n", i, (double)got[i],
		    (double)want[i]);
	free(got);
}

/* The input of that name, as far as the bytes go that are expected. */
static void
check_encoded(const struct golden *g, const char *input, enum peft_dtype t,
    const char *which, const char *whose)
{
	const struct peft_dtype_info *info = &peft_dtypes[t];
	size_t nbytes, have, n, i;
	const uint8_t *want = golden_get(g, info->name, which, &nbytes);
	const float *x = golden_get(g, input, ".input", &have);
	struct peft_err err = { 0 };
	uint8_t *got = peft_calloc(nbytes, 1, &err);

	n = nbytes / info->bytes * info->block;
	need(got != NULL && peft_encode(t, x, n, got, &err) == 0, &err);
	for (i = 0; i < nbytes && got[i] == want[i]; i++)
		;
	if (!ok(i == nbytes && n > 0 && n * sizeof(*x) <= have,
	    "%s: %s bytes", info->name, whose))
		printf("# byte %zu is %u, not %u\n", i, got[i], want[i]);
	free(got);
}

/* ggml's IQ3_S has the points behind a group of nothing but zeros in the
 * place of that group.  Ours are where they belong. */
static bool
misplaced(enum peft_dtype t, const float x[256])
{
	size_t g, i;
	bool some = false, zero = false;

	for (g = 0; g < 256; g += 32) {
		for (i = 0; i < 32 && x[g + i] == 0; i++)
			;
		zero = zero || i == 32;
		some = some || i < 32;
	}
	return t == PEFT_IQ3_S && zero && some;
}

static double
distance(enum peft_dtype t, const uint8_t *block, const float *x)
{
	struct peft_weight w = { .dtype = t, .data = block, .rows = 1,
	    .cols = peft_dtypes[t].block, .nelem = peft_dtypes[t].block };
	float back[256];
	double sum = 0, off;
	size_t i;

	peft_decode(&w, 0, w.cols, back);
	for (i = 0; i < w.cols; i++) {
		off = (double)back[i] - (double)x[i];
		sum += off * off;
	}
	return sum;
}

/* Block by block; where the first one is that differs, or SIZE_MAX. */
static size_t
differs(enum peft_dtype t, const uint8_t *got, const uint8_t *want,
    const float *x, size_t nbytes)
{
	const struct peft_dtype_info *info = &peft_dtypes[t];
	size_t i;

	for (i = 0; i < nbytes; i += info->bytes, x += info->block)
		if (memcmp(got + i, want + i, info->bytes) != 0 &&
		    !(misplaced(t, x) && distance(t, got + i, x) <
		    0.5 * distance(t, want + i, x)))
			return i;
	return SIZE_MAX;
}

/* What ggml makes of the same without a matrix, where that is not in the
 * other file. */
static void
check_plain(const struct golden *g, enum peft_dtype t, const char *kind,
    const float *x, size_t n, const uint8_t *got)
{
	const struct peft_dtype_info *info = &peft_dtypes[t];
	size_t nbytes;
	const uint8_t *want;
	char name[32];

	snprintf(name, sizeof(name), ".%s_plain", kind);
	if (golden_find(g, info->name, name, NULL) == NULL)
		return;
	want = golden_get(g, info->name, name, &nbytes);
	ok(nbytes == n / info->block * info->bytes && differs(t, got, want, x,
	    nbytes) == SIZE_MAX, "%s: ggml's bytes without", info->name);
}

/* Rows with an importance matrix, all at once and one by one; kind "long" or
 * "short". */
static void
check_weighted(const struct golden *g, enum peft_dtype t, const char *kind)
{
	const struct peft_dtype_info *info = &peft_dtypes[t];
	struct peft_err err = { 0 };
	size_t nbytes, have, cols, nrows, row, i;
	const uint8_t *want;
	const float *x, *w;
	char name[32];
	uint8_t *got;

	snprintf(name, sizeof(name), ".%s", kind);
	want = golden_get(g, info->name, name, &nbytes);
	x = golden_get(g, kind, ".input", &have);
	w = golden_get(g, kind, ".importance", &cols);
	cols /= sizeof(*w);
	nrows = have / sizeof(*x) / cols;
	row = cols / info->block * info->bytes;
	got = peft_calloc(2 * nbytes, 1, &err);
	need(got != NULL && peft_encode_rows(t, x, nrows, cols, w, got,
	    &err) == 0, &err);
	i = differs(t, got, want, x, nbytes);
	if (!ok(i == SIZE_MAX && nrows * row == nbytes && nrows > 1, "%s: "
	    "ggml's bytes with an importance matrix (%s rows)", info->name,
	    kind))
		printf("# the block from byte %zu on\n", i);
	for (i = 0; i < nrows; i++)
		need(peft_encode_rows(t, x + i * cols, 1, cols, w, got +
		    nbytes + i * row, &err) == 0, &err);
	ok(memcmp(got, got + nbytes, nbytes) == 0, "%s: row by row as in one "
	    "go", info->name);
	if (peft_needs_importance(t))
		ok(peft_encode(t, x, cols, got, &err) == -1 && strstr(err.msg,
		    "needs an importance matrix") != NULL, "%s",
		    err.msg);
	else {
		need(peft_encode_rows(t, x, nrows, cols, NULL, got,
		    &err) == 0, &err);
		ok(memcmp(got, want, nbytes) != 0, "%s: other bytes than "
		    "without", info->name);
		check_plain(g, t, kind, x, nrows * cols, got);
	}
	free(got);
}

int
main(int argc, char **argv)
{
	struct golden g = { 0 };
	int t;

	if (argc != 2)
		return 2;
	golden_open(&g, argv[1]);
	for (t = 0; t < PEFT_NDTYPE; t++) {
		const char *name = peft_dtypes[t].name;

		if (golden_find(&g, name, ".bytes", NULL) != NULL)
			check_decoded(&g, name, (enum peft_dtype)t);
		if (golden_find(&g, name, ".encoded", NULL) != NULL)
			check_encoded(&g, name, (enum peft_dtype)t, ".encoded",
			    "gguf-py's");
		if (golden_find(&g, name, ".quantised", NULL) != NULL)
			check_encoded(&g, "all", (enum peft_dtype)t,
			    ".quantised", "ggml's");
		if (golden_find(&g, name, ".long", NULL) != NULL)
			check_weighted(&g, (enum peft_dtype)t, "long");
		if (golden_find(&g, name, ".short", NULL) != NULL)
			check_weighted(&g, (enum peft_dtype)t, "short");
	}
	golden_close(&g);
	return tap_end();
}
