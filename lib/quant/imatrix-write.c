/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices, written. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "quant/imatrix.h"
#include "tensor/gguf.h"

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n > k && strcmp(s + n - k, tail) == 0;
}

int
peft_imatrix_check_name(const char *path, struct peft_err *err)
{
	if (ends_with(path, ".gguf") || ends_with(path, ".dat"))
		return 0;
	return peft_setfail(err, PEFT_USAGE, "an importance matrix ends in "
	    ".gguf or .dat: '%s' does not", path);
}

static int
by_name(const void *a, const void *b)
{
	const struct peft_imatrix_sum *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Chunks that so many tokens fill, the last one perhaps in part. */
static uint32_t
chunks(uint64_t count)
{
	return (uint32_t)((count + PEFT_IMATRIX_CHUNK - 1) /
	    PEFT_IMATRIX_CHUNK);
}

/* The tokens of the matrix that has most. */
static uint64_t
largest(const struct peft_imatrix_sum *s)
{
	uint64_t most = 0;
	size_t i;

	for (i = 0; i < s->mats; i++)
		most = s->count[i] > most ? s->count[i] : most;
	return most;
}

static uint64_t
most_tokens(const struct peft_imatrix_data *d)
{
	uint64_t most = 0, one;
	size_t i;

	for (i = 0; i < d->n; i++)
		if ((one = largest(&d->at[i])) > most)
			most = one;
	return most;
}

/* ---- GGUF ---- */

static struct peft_gguf_tensor
tensor_of(const struct peft_imatrix_sum *s, size_t cols)
{
	struct peft_gguf_tensor t = { .dtype = PEFT_F32, .ndim = 1,
	    .shape = { cols }, .nbytes = s->mats * cols * sizeof(float) };

	if (s->mats > 1) {
		t.ndim = 2;
		t.shape[0] = s->mats;
		t.shape[1] = cols;
	}
	return t;
}

/* Two tensors an entry; ggml tells no dimension of 1 at the end. */
static int
describe(const struct peft_imatrix_data *d, struct peft_gguf_tensor *t,
    struct peft_err *err)
{
	static const char *const tails[] = { ".in_sum2", ".counts" };
	struct peft_buf b = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < 2 * d->n; i++) {
		peft_buf_clear(&b);
		peft_buf_puts(&b, d->at[i / 2].name);
		peft_buf_puts(&b, tails[i % 2]);
		t[i] = tensor_of(&d->at[i / 2], i % 2 == 0 ?
		    d->at[i / 2].n : 1);
		if (b.failed || (t[i].name = peft_strdup(b.data, err)) == NULL)
			r = peft_seterr(err, "no memory for names");
	}
	peft_buf_free(&b);
	return r;
}

static int
put_floats(struct peft_out *out, const float *v, size_t n,
    struct peft_err *err)
{
	if (peft_out_write(out, v, n * sizeof(*v), err) == -1)
		return -1;
	return peft_gguf_pad(peft_out_fp(out), peft_out_label(out),
	    n * sizeof(*v), err);
}

static int
put_entries(struct peft_out *out, const struct peft_imatrix_data *d,
    float *room, struct peft_err *err)
{
	size_t i, k, n;

	for (i = 0; i < d->n; i++) {
		const struct peft_imatrix_sum *s = &d->at[i];

		for (n = s->mats * s->n, k = 0; k < n; k++)
			room[k] = (float)s->square[k];
		if (put_floats(out, room, n, err) == -1)
			return -1;
		for (k = 0; k < s->mats; k++)
			room[k] = (float)s->count[k];
		if (put_floats(out, room, s->mats, err) == -1)
			return -1;
	}
	return 0;
}

static int
write_gguf(struct peft_out *out, const struct peft_imatrix_data *d,
    float *room, struct peft_err *err)
{
	struct peft_gguf_tensor *t = peft_calloc(2 * d->n + 1, sizeof(*t),
	    err);
	struct peft_gguf_out o = { 0 };
	size_t i;
	int r = -1;

	peft_gguf_put_string(&o, "general.type", "imatrix", 7);
	peft_gguf_put_array(&o, "imatrix.datasets", PEFT_GGUF_STRING,
	    d->ndatasets);
	for (i = 0; i < d->ndatasets; i++)
		peft_gguf_put_element(&o, d->datasets[i],
		    strlen(d->datasets[i]));
	peft_gguf_put_u32(&o, "imatrix.chunk_count", chunks(most_tokens(d)));
	peft_gguf_put_u32(&o, "imatrix.chunk_size", PEFT_IMATRIX_CHUNK);
	if (t != NULL && describe(d, t, err) == 0 &&
	    peft_gguf_write(peft_out_fp(out), peft_out_label(out), &o, t,
	    2 * d->n, err) == 0)
		r = put_entries(out, d, room, err);
	for (i = 0; t != NULL && i < 2 * d->n; i++)
		free(t[i].name);
	free(t);
	peft_buf_free(&o.kv);
	return r;
}

/* ---- the older form ---- */

static void
put_i32(struct peft_buf *b, uint32_t v)
{
	unsigned char c[4] = { v & 0xff, v >> 8 & 0xff, v >> 16 & 0xff,
	    v >> 24 };

	peft_buf_put(b, c, sizeof(c));
}

static void
put_text(struct peft_buf *b, const char *s)
{
	put_i32(b, (uint32_t)strlen(s));
	peft_buf_puts(b, s);
}

/* Of a matrix that no token came to: 1, as llama.cpp has it. */
static float
mean(const struct peft_imatrix_sum *s, size_t k)
{
	uint64_t count = s->count[k / s->n];

	return count == 0 ? 1 : (float)s->square[k] / (float)count;
}

static int
write_old(struct peft_out *out, const struct peft_imatrix_data *d,
    float *room, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i, k;
	int r;

	put_i32(&b, (uint32_t)d->n);
	for (i = 0; i < d->n; i++) {
		const struct peft_imatrix_sum *s = &d->at[i];
		uint32_t calls = chunks(largest(s));
		size_t n = s->mats * s->n;

		put_text(&b, s->name);
		put_i32(&b, calls);
		put_i32(&b, (uint32_t)n);
		for (k = 0; k < n; k++)
			room[k] = mean(s, k) * (float)calls;
		peft_buf_put(&b, room, n * sizeof(*room));
	}
	put_i32(&b, chunks(most_tokens(d)));
	/* there is room for one name */
	put_text(&b, d->ndatasets > 0 ? d->datasets[0] : "");
	r = b.failed ? peft_seterr(err, "no memory for %zu entries", d->n) :
	    peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	return r;
}

int
peft_imatrix_write(struct peft_out *out, const char *path,
    struct peft_imatrix_data *d, struct peft_err *err)
{
	size_t i, k, n, most = 0;
	float *room;
	int r;

	for (i = 0; i < d->n; i++) {
		n = d->at[i].mats * d->at[i].n;
		most = n > most ? n : most;
		for (k = 0; k < n; k++)
			if (!isfinite((float)d->at[i].square[k]))
				return peft_setfail(err, PEFT_NUMERIC, "%s: "
				    "the sum of column %zu is not finite",
				    d->at[i].name, k);
		if (largest(&d->at[i]) == 0)
			return peft_seterr(err, "%s: no token came to it",
			    d->at[i].name);
	}
	qsort(d->at, d->n, sizeof(*d->at), by_name);
	if ((room = peft_calloc(most, sizeof(*room), err)) == NULL)
		return -1;
	r = ends_with(path, ".dat") ? write_old(out, d, room, err) :
	    write_gguf(out, d, room, err);
	free(room);
	return r;
}
