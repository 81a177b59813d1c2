/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources that are pipes.
 *
 * A bundle whose small tensors (side files, quantisation states) come first
 * is streamed: after the head, weights are read as they are asked for.
 * Anything else (GGUF, bundles in another order) is read into memory first.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/source-impl.h"

enum { CHUNK = 1 << 16 };

static int
short_read(const struct peft_source *s, FILE *fp, struct peft_err *err)
{
	if (ferror(fp))
		return peft_seterrno(err, "%s", s->label);
	return peft_seterr(err, "%s: ends early: what wrote it failed or was "
	    "stopped", s->label);
}

/* n bytes behind those that are there; memory grows as they arrive. */
static int
read_more(const struct peft_source *s, FILE *fp, struct peft_buf *b, size_t n,
    struct peft_err *err)
{
	const size_t most = n < CHUNK ? n : CHUNK;
	char *chunk = peft_calloc(most, 1, err);
	size_t got, want;
	int r = 0;

	if (chunk == NULL)
		return -1;
	for (; r == 0 && n > 0; n -= got) {
		want = n < most ? n : most;
		got = fread(chunk, 1, want, fp);
		peft_buf_put(b, chunk, got);
		if (b->failed)
			r = peft_seterr(err, "%s: no memory", s->label);
		else if (got < want)
			r = short_read(s, fp, err);
	}
	free(chunk);
	return r;
}

/* To the end of the pipe. */
static int
read_all(const struct peft_source *s, FILE *fp, struct peft_buf *b,
    struct peft_err *err)
{
	static const size_t most = CHUNK;
	char *chunk = peft_calloc(most, 1, err);
	size_t got;
	int r = 0;

	if (chunk == NULL)
		return -1;
	while (r == 0 && (got = fread(chunk, 1, most, fp)) > 0) {
		peft_buf_put(b, chunk, got);
		if (b->failed)
			r = peft_seterr(err, "%s: no memory", s->label);
	}
	if (r == 0 && ferror(fp))
		r = peft_seterrno(err, "%s", s->label);
	free(chunk);
	return r;
}

static void
give_file(struct peft_file *f, struct peft_buf *b)
{
	f->map = (const uint8_t *)b->data;
	f->len = b->len;
	f->heap = true;
	*b = (struct peft_buf){ 0 };
}

/* Bytes of the small tensors, if all of them come first; SIZE_MAX if not, or
 * if a tensor makes several weights. */
static size_t
head_bytes(const struct peft_st *st)
{
	size_t i, n = 0;
	bool past = false;

	for (i = 0; i < st->n; i++) {
		bool head = peft_source_is_head(st->entries[i].name);

		if ((head && past) ||
		    peft_source_is_experts(st->entries[i].name))
			return SIZE_MAX;
		past |= !head;
		if (head)
			n += st->entries[i].nbytes;
	}
	return n;
}

/* Keep the head's bytes as a file of its own; weights stay in the pipe. */
static int
open_stream(struct peft_source *s, FILE *fp, const struct peft_st *st,
    struct peft_buf *b, size_t head, struct peft_err *err)
{
	struct peft_st part = *st;
	size_t data = b->len, i;

	if (read_more(s, fp, b, head, err) == -1)
		return -1;
	give_file(&s->files[0], b);
	for (part.n = 0; part.n < st->n &&
	    peft_source_is_head(st->entries[part.n].name); part.n++)
		;
	if (peft_source_add_st(s, &part, 0, data, err) == -1)
		return -1;
	/* and the others, in a file that has no bytes at hand */
	if (peft_source_add_file(s, s->label, err) == -1)
		return -1;
	i = part.n;
	part = (struct peft_st){ .entries = st->entries + i, .n = st->n - i };
	s->pipe = fp;
	s->next = s->nraws;
	return peft_source_add_st(s, &part, 1, 0, err);
}

static int
open_bundle(struct peft_source *s, FILE *fp, struct peft_buf *b,
    struct peft_err *err)
{
	struct peft_st st;
	size_t len, head;
	int r;

	if (peft_st_length((const unsigned char *)b->data, &len, err) == -1)
		return peft_errprefix(err, "%s", s->label);
	if (read_more(s, fp, b, len, err) == -1)
		return -1;
	if (peft_st_parse(&st, b->data + PEFT_ST_PREFIX, len, err) == -1)
		return peft_errprefix(err, "%s", s->label);
	if ((head = head_bytes(&st)) != SIZE_MAX)
		r = open_stream(s, fp, &st, b, head, err);
	else if ((r = read_all(s, fp, b, err)) == 0) {
		give_file(&s->files[0], b);
		r = peft_source_open_bytes(s, 0, err);
	}
	peft_st_free(&st);
	return r;
}

int
peft_source_open_pipe(struct peft_source *s, FILE *fp, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r;

	if (peft_source_add_file(s, s->label, err) == -1)
		return -1;
	r = read_more(s, fp, &b, PEFT_ST_PREFIX, err);
	if (r == 0 && memcmp(b.data, "GGUF", 4) != 0 &&
	    memcmp(b.data, "PK\3\4", 4) != 0)
		r = open_bundle(s, fp, &b, err);
	else if (r == 0 && (r = read_all(s, fp, &b, err)) == 0) {
		give_file(&s->files[0], &b);
		r = peft_source_open_bytes(s, 0, err);
	}
	peft_buf_free(&b);
	return r;
}

/* The next raw tensor of a streamed pipe, into memory of its own. */
int
peft_source_read_pipe(struct peft_source *s, struct peft_raw *raw,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };

	if (read_more(s, s->pipe, &b, raw->nbytes, err) == -1) {
		peft_buf_free(&b);
		return peft_errprefix(err, "tensor %s", raw->name);
	}
	if (b.data == NULL && (b.data = peft_calloc(1, 1, err)) == NULL)
		return -1;
	raw->copy = (uint8_t *)b.data;
	return 0;
}

int
peft_source_end_pipe(struct peft_source *s, struct peft_err *err)
{
	if (getc(s->pipe) != EOF)
		return peft_seterr(err, "%s: has trailing bytes", s->label);
	return 0;
}

/* Everything that is left, for random access. */
int
peft_source_drain(struct peft_source *s, struct peft_err *err)
{
	if (s->pipe == NULL)
		return 0;
	if (s->started)
		return peft_seterr(err, "%s: a pipe cannot be read again",
		    s->label);
	for (; s->next < s->nraws; s->next++)
		if (peft_source_read_pipe(s, &s->raws[s->next], err) == -1)
			return -1;
	if (peft_source_end_pipe(s, err) == -1)
		return -1;
	s->pipe = NULL;
	s->next = 0;
	return 0;
}
