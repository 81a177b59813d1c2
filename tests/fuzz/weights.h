/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_FUZZ_WEIGHTS_H
#define PEFT_FUZZ_WEIGHTS_H

#include <stdbool.h>

#include "base/hash.h"
#include "base/json.h"
#include "eval/inspect.h"
#include "input.h"
#include "quant/quant.h"
#include "tensor/source.h"

/*
 * Sources, whatever they hold: a file and a pipe of the same bytes are both
 * taken or both refused, streamed and loaded weights are the same, every
 * value can be decoded, and what is told of them is JSON.
 */

/* A digest of a weight's name, shape, bytes, and values as f32. */
static inline uint64_t
fuzz_weight(const struct peft_weight *w)
{
	enum { PIECE = 4 * PEFT_MAXBLOCK };
	char hex[PEFT_SHA256_HEX];
	struct peft_sha256 h;
	float x[PIECE];
	size_t at, n;
	int i;

	peft_sha256_init(&h);
	peft_sha256_add(&h, w->name, strlen(w->name));
	for (n = 1, i = 0; i < w->ndim; i++)
		n *= w->shape[i];
	FUZZ_CLAIM(n == w->nelem);
	FUZZ_CLAIM(w->nelem == 0 || w->nelem == w->rows * w->cols);
	peft_sha256_add(&h, w->shape, (size_t)w->ndim * sizeof(*w->shape));
	peft_sha256_add(&h, w->data, w->nbytes);
	for (at = 0; peft_can_decode(w->dtype) && at < w->nelem; at += n) {
		n = w->nelem - at < PIECE ? w->nelem - at : PIECE;
		peft_decode(w, at, n, x);
		peft_sha256_add(&h, x, n * sizeof(*x));
	}
	peft_sha256_hex(&h, hex);
	return strtoull(hex + 48, NULL, 16);
}

/* All weights by _next; false if the input is refused.  The sum does not
 * depend on the order, which is the source's. */
static inline bool
fuzz_stream(const char *path, uint64_t *sum, size_t *count)
{
	struct peft_err err = { 0 };
	struct peft_source *s = peft_source_open(path, &err);
	struct peft_weight w;
	int r;

	*sum = *count = 0;
	if (s == NULL) {
		FUZZ_CLAIM(err.msg[0] != '\0' && err.status != PEFT_OK);
		return false;
	}
	while ((r = peft_source_next(s, &w, &err)) == 1) {
		*sum += fuzz_weight(&w);
		++*count;
	}
	FUZZ_CLAIM(r == -1 || *count == peft_source_count(s));
	peft_source_close(s);
	return r == 0;
}

/* The same by _load, twice each, last first. */
static inline void
fuzz_load(const char *path, uint64_t sum, size_t count)
{
	char hash[7 + PEFT_SHA256_HEX];
	struct peft_err err = { 0 };
	struct peft_source *s = peft_source_open(path, &err);
	struct peft_weight w;
	size_t i;

	FUZZ_CLAIM(s != NULL && peft_source_count(s) == count);
	for (i = count; i-- > 0; ) {
		FUZZ_CLAIM(peft_source_load(s, i, &w, &err) == 0);
		FUZZ_CLAIM(peft_source_load(s, i, &w, &err) == 0);
		FUZZ_CLAIM(peft_source_find(s, w.name) == i);
		sum -= fuzz_weight(&w);
	}
	FUZZ_CLAIM(sum == 0);
	FUZZ_CLAIM(peft_source_hash(s, 1, hash, &err) == 0);
	peft_source_close(s);
}

static inline void
fuzz_inspect(const char *path, bool taken)
{
	struct peft_inspectopt o = { .json = true, .scan = true,
	    .threads = 1 };
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	cJSON *j;
	int r = peft_inspect(path, &o, &b, &err);

	if (r == 0 || err.status == PEFT_CHECK) {
		FUZZ_CLAIM(b.len > 0);
		j = peft_json(b.data, b.len, &err);
		FUZZ_CLAIM(j != NULL);
		cJSON_Delete(j);
	} else
		FUZZ_CLAIM(!taken || err.status == PEFT_INPUT);
	peft_buf_free(&b);
}

static inline void
fuzz_source(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size), pipe;
	uint64_t sum, sum_pipe;
	size_t count, count_pipe;
	bool taken = fuzz_stream(file.path, &sum, &count);

	if (taken)
		fuzz_load(file.path, sum, count);
	fuzz_inspect(file.path, taken);
	fuzz_close(&file);
	if (size > FUZZ_PIPE)
		return;
	pipe = fuzz_pipe(data, size);
	FUZZ_CLAIM(fuzz_stream(pipe.path, &sum_pipe, &count_pipe) == taken);
	FUZZ_CLAIM(!taken || (sum_pipe == sum && count_pipe == count));
	fuzz_close(&pipe);
}

#endif
