/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Importance matrices: what is written is read again, in both forms; every
 * way of cutting a file short, and what files may say that cannot be; and
 * which importances a row of several matrices gets.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/in.h"
#include "quant/imatrix.h"
#include "quant/quant.h"
#include "tap.h"

enum { COLS = 5, TOKENS = 1030 };

static struct peft_buf
written(const char *path)
{
	static const char *const data[] = { "one.jsonl", "two" };
	double x[COLS] = { 0, 1, 2.5, 1e-12, 3e9 }, y[2] = { 4, 0 };
	uint64_t many = TOKENS, few = 3;
	struct peft_imatrix_sum sums[2];
	struct peft_imatrix_data d = { sums, 2, data, 2 };
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_out *out;

	sums[0] = (struct peft_imatrix_sum){ .n = COLS, .mats = 1, .square = x,
	    .count = &many };
	sums[1] = (struct peft_imatrix_sum){ .n = 2, .mats = 1, .square = y,
	    .count = &few };
	sums[0].name = peft_strdup("blk.1.ffn_up.weight", &err);
	sums[1].name = peft_strdup("blk.0.attn_q.weight", &err);
	out = peft_out_open(path, true, &err);
	need(out != NULL && peft_imatrix_write(out, path, &d, &err) == 0 &&
	    peft_out_commit(out, &err) == 0, &err);
	ok(strcmp(sums[0].name, "blk.0.attn_q.weight") == 0,
	    "%s: sorted by name", path);
	free(sums[0].name);
	free(sums[1].name);
	need(peft_in_slurp(path, 1 << 20, &b, &err) == 0, &err);
	unlink(path);
	return b;
}

static void
test_again(const char *path, const struct peft_buf *b)
{
	static const double want[COLS] = { 0, 1, 2.5, 1e-12, 3e9 };
	struct peft_imatrix m;
	struct peft_err err = { 0 };
	bool good;
	size_t i;

	need(peft_imatrix_parse(&m, (const uint8_t *)b->data, b->len,
	    &err) == 0, &err);
	good = m.n == 2 && m.at[0].n == 2 && m.at[1].n == COLS &&
	    strcmp(m.at[1].name, "blk.1.ffn_up.weight") == 0;
	for (i = 0; good && i < COLS; i++)
		good = fabs((double)m.at[1].mean[i] - want[i] / TOKENS) <=
		    4 * 0x1p-24 * want[i] / TOKENS;
	ok(good && fabsf(m.at[0].mean[0] - 4.f / 3) < 1e-6f &&
	    m.at[0].mean[1] == 0, "%s: what was written is read", path);
	peft_imatrix_free(&m);
}

/* Which prefixes are taken for a whole; of the older form, that are those
 * without what may be missing at the end. */
static size_t
prefixes(const struct peft_buf *b)
{
	struct peft_imatrix m;
	size_t n, taken = 0;

	for (n = 0; n < b->len; n++) {
		struct peft_err err = { 0 };
		uint8_t *p = peft_calloc(n + 1, 1, &err);	/* for asan */

		need(p != NULL, &err);
		memcpy(p, b->data, n);
		if (peft_imatrix_parse(&m, p, n, &err) == 0) {
			taken++;
			peft_imatrix_free(&m);
		} else if (err.msg[0] == '\0')
			ok(false, "a prefix of %zu is refused silently", n);
		free(p);
	}
	return taken;
}

/* The file with `n' bytes at `at' (from the first `after') as `with'. */
static void
refused(const struct peft_buf *b, const char *after, size_t at,
    const void *with, size_t n, const char *why)
{
	struct peft_err err = { 0 };
	struct peft_imatrix m;
	uint8_t *p = peft_calloc(b->len, 1, &err), *place;
	int r;

	need(p != NULL, &err);
	memcpy(p, b->data, b->len);
	place = memmem(p, b->len, after, strlen(after));
	need(place != NULL && (size_t)(place - p) + at + n <= b->len, &err);
	memcpy(place + at, with, n);
	r = peft_imatrix_parse(&m, p, b->len, &err);
	if (!ok(r == -1 && strcmp(err.msg, why) == 0, "%s", why))
		printf("# %s\n", r == -1 ? err.msg : "taken");
	free(p);
}

static void
test_old(const struct peft_buf *b)
{
	const char *up = "blk.1.ffn_up.weight";
	const int32_t many = 100000, none = 0, minus = -7, calls = 1 << 30;
	const float nan = NAN, less = -1, huge = 3e38f;
	const size_t n = strlen(up);

	refused(b, "blk.0", (size_t)-8, &many, 4, "100000 entries, more than "
	    "the file holds (it is no importance matrix?)");
	refused(b, "blk.0", (size_t)-8, &none, 4, "the number of entries: 0");
	refused(b, "blk.0", (size_t)-4, &minus, 4, "the length of a name: -7");
	refused(b, "blk.0", (size_t)-4, &many, 4, "a name of 100000 bytes");
	refused(b, "blk.0", 3, "\n", 1, "a name that is not UTF-8, or has "
	    "control characters");
	refused(b, up, 0, "blk.0.attn_q.weight", n, "the entry "
	    "blk.0.attn_q.weight is there twice");
	refused(b, up, n + 4, &none, 4, "entry blk.1.ffn_up.weight: a number "
	    "of values: 0");
	refused(b, up, n + 4, &many, 4, "entry blk.1.ffn_up.weight: 100000 "
	    "values, more than the file holds");
	refused(b, up, n + 12, &nan, 4, "entry blk.1.ffn_up.weight: the mean "
	    "square of column 1 is nan");
	refused(b, up, n + 8, &less, 4, "entry blk.1.ffn_up.weight: the mean "
	    "square of column 0 is -0.333333");
	refused(b, up, n + 8, &huge, 4, "entry blk.1.ffn_up.weight: the mean "
	    "square of column 0 is 1e+38");
	refused(b, "one.jsonl", (size_t)-4, &calls, 4, "the data's name has "
	    "1073741824 bytes, 9 are left");
}

static void
test_gguf(const struct peft_buf *b)
{
	const char *q = "blk.0.attn_q.weight";
	const uint32_t f16 = 1;
	const size_t n = strlen(q);

	refused(b, "general.type", 24, "weights", 7, "holds no importance "
	    "matrix but a GGUF weights");
	refused(b, "imatrix.datasets", 8, "sets data", 8, "holds no importance "
	    "matrix: imatrix.datasets is missing");
	refused(b, "imatrix.chunk_size", 8, "k_length", 8, "holds no "
	    "importance matrix: imatrix.chunk_size is missing");
	refused(b, "weight.in_sum2", 7, "in_sums", 7, "tensor "
	    "blk.0.attn_q.weight.counts has no sums (.in_sum2)");
	refused(b, "weight.counts", 7, "in_sum", 6, "tensor "
	    "blk.0.attn_q.weight.in_sum2 has no counts (.counts)");
	/* a tensor: name, dimensions (4), each (8), type */
	refused(b, q, n + strlen(".in_sum2") + 12, &f16, 4, "tensor "
	    "blk.0.attn_q.weight.in_sum2: sums and counts are f32, not f16 "
	    "and f32");
}

/* A count of zero: the matrix counts the same all over.  Several matrices of
 * one entry have a count each. */
static void
test_counts(struct peft_buf *b)
{
	const float zero = 0, less = -1;
	struct peft_imatrix m;
	struct peft_err err = { 0 };
	float count = TOKENS;
	uint8_t *at = memmem(b->data, b->len, &count, sizeof(count));

	need(at != NULL, &err);
	memcpy(at, &zero, sizeof(zero));
	need(peft_imatrix_parse(&m, (const uint8_t *)b->data, b->len,
	    &err) == 0, &err);
	ok(m.at[1].mean[0] == 1 && m.at[1].mean[COLS - 1] == 1,
	    "a matrix that no token came to counts the same all over");
	peft_imatrix_free(&m);
	memcpy(at, &less, sizeof(less));
	ok(peft_imatrix_parse(&m, (const uint8_t *)b->data, b->len,
	    &err) == -1 && strcmp(err.msg, "entry blk.1.ffn_up.weight: a "
	    "count of -1") == 0, "a count is not negative");
}

/* Rows of the second of two matrices have the second one's importances. */
static void
test_matrices(void)
{
	float x[4 * 32], w[2 * 32];
	struct peft_spec s = { .name = "x", .dtype = PEFT_Q4_0, .ndim = 3,
	    .shape = { 2, 2, 32 }, .importance = w };
	uint8_t got[4 * 18], want[4 * 18];
	struct peft_err err = { 0 };
	size_t i;

	for (i = 0; i < sizeof(x) / sizeof(*x); i++)
		x[i] = sinf((float)i * 1.7f);
	for (i = 0; i < sizeof(w) / sizeof(*w); i++)
		w[i] = i % 32 == (i < 32 ? 3 : 17) ? 100 : 0.01f;
	need(peft_encode_rows(PEFT_Q4_0, x, 2, 32, w, want, &err) == 0 &&
	    peft_encode_rows(PEFT_Q4_0, x + 64, 2, 32, w + 32, want + 36,
	    &err) == 0, &err);
	need(peft_spec_encode(&s, x, 0, 4, got, &err) == 0, &err);
	ok(memcmp(got, want, sizeof(got)) == 0, "each matrix by its own");
	need(peft_spec_encode(&s, x + 32, 1, 2, got, &err) == 0, &err);
	ok(memcmp(got, want + 18, 36) == 0, "whichever row is the first");
	need(peft_encode_rows(PEFT_Q4_0, x, 4, 32, w, got, &err) == 0, &err);
	ok(memcmp(got, want, sizeof(got)) != 0, "which is not all the same");
}

int
main(void)
{
	struct peft_buf gguf = written("x.gguf"), old = written("x.dat");

	test_again("x.gguf", &gguf);
	test_again("x.dat", &old);
	ok(prefixes(&gguf) == 28, "of GGUF, those that lack only padding");
	ok(prefixes(&old) == 2, "of the older form two: without the data's "
	    "name, and without the number of chunks");
	test_old(&old);
	test_gguf(&gguf);
	test_counts(&gguf);
	test_matrices();
	peft_buf_free(&gguf);
	peft_buf_free(&old);
	return tap_end();
}
