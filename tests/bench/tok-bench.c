/* SPDX-License-Identifier: Apache-2.0 */
/* How fast texts become tokens, on one thread: tok-bench TOKENIZER.json
 * TEXT... prints a line for loading and one for each text, whole and line by
 * line (as chats come), by processor time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/in.h"
#include "text/tokenizer.h"

/* Processor seconds: others may use the machine too. */
static double
spent(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
best_of(int times, double (*f)(const struct peft_tokenizer *,
    const struct peft_buf *, size_t *), const struct peft_tokenizer *t,
    const struct peft_buf *b, size_t *n)
{
	double best = 1e9, s;

	while (times-- > 0)
		best = (s = f(t, b, n)) < best ? s : best;
	return best;
}

static void
encode(const struct peft_tokenizer *t, const char *s, size_t n,
    struct peft_tokens *out)
{
	struct peft_err err = { 0 };

	if (peft_tokenizer_encode(t, s, n, 0, out, &err) == -1) {
		fprintf(stderr, "tok-bench: %s\n", err.msg);
		exit(2);
	}
}

static double
whole(const struct peft_tokenizer *t, const struct peft_buf *b, size_t *n)
{
	struct peft_tokens out = { 0 };
	double t0 = spent();

	encode(t, b->data, b->len, &out);
	t0 = spent() - t0;
	*n = out.n;
	peft_tokens_free(&out);
	return t0;
}

static double
lines(const struct peft_tokenizer *t, const struct peft_buf *b, size_t *n)
{
	const char *s = b->data, *end = s + b->len, *nl;
	double t0 = spent();

	for (*n = 0; s < end; s = nl) {
		struct peft_tokens out = { 0 };

		nl = memchr(s, '\n', (size_t)(end - s));
		nl = nl == NULL ? end : nl + 1;
		encode(t, s, (size_t)(nl - s), &out);
		*n += out.n;
		peft_tokens_free(&out);
	}
	return spent() - t0;
}

int
main(int argc, char **argv)
{
	struct peft_buf json = { 0 }, text = { 0 };
	struct peft_err err = { 0 };
	struct peft_tokenizer *t;
	double t0, a, b;
	size_t n = 0;
	int i;

	if (argc < 2 || peft_in_slurp(argv[1], 1 << 28, &json, &err) == -1) {
		fprintf(stderr, "tok-bench: %s\n", err.msg);
		return 2;
	}
	t0 = spent();
	t = peft_tokenizer_open(json.data, json.len, NULL, 0, &err);
	if (t == NULL) {
		fprintf(stderr, "tok-bench: %s\n", err.msg);
		return 2;
	}
	printf("%s: %zu tokens, loaded in %.3f s\n", argv[1],
	    peft_tokenizer_size(t), spent() - t0);
	for (i = 2; i < argc; i++) {
		peft_buf_clear(&text);
		if (peft_in_slurp(argv[i], 1 << 28, &text, &err) == -1) {
			fprintf(stderr, "tok-bench: %s\n", err.msg);
			return 2;
		}
		b = best_of(7, lines, t, &text, &n);
		a = best_of(7, whole, t, &text, &n);
		printf("%s: %.1f MB, %zu tokens, %.1f MB/s whole, %.1f MB/s "
		    "by lines\n", argv[i], (double)text.len / 1e6, n,
		    (double)text.len / 1e6 / a, (double)text.len / 1e6 / b);
	}
	peft_tokenizer_close(t);
	peft_buf_free(&json);
	peft_buf_free(&text);
	return 0;
}
