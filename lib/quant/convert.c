/* SPDX-License-Identifier: Apache-2.0 */
/* Which type each weight gets, and what that costs. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/regex.h"
#include "quant/convert.h"
#include "quant/quant.h"

static bool
is_4bit(enum peft_dtype t)
{
	return t == PEFT_NF4 || t == PEFT_FP4;
}

static bool
is_float(enum peft_dtype t)
{
	return t == PEFT_F32 || t == PEFT_F16 || t == PEFT_BF16;
}

/* The linear layers inside the blocks: what bitsandbytes converts. */
static bool
is_inner_linear(const struct peft_weight *w)
{
	static const char tail[] = "_proj.weight";
	size_t n = strlen(w->name);

	return w->ndim == 2 && n > sizeof(tail) && strcmp(w->name + n -
	    (sizeof(tail) - 1), tail) == 0 && strstr(w->name, ".layers.");
}

/* What a weight is turned into that is not to be quantised: itself if a
 * plain type can hold it, else bf16, which a quantised value fits into with
 * less loss than it has suffered already. */
static enum peft_dtype
plain_type(const struct peft_weight *w, const struct peft_convertopt *o)
{
	if (is_float(w->dtype))
		return w->dtype;
	if (w->scales.group > 0)	/* what it was made from */
		return o->gguf ? PEFT_F16 : w->scales.orig;
	return o->gguf ? PEFT_F16 : PEFT_BF16;
}

/* For rows that do not divide into a type's blocks: the type that llama.cpp
 * takes, of about as many bits in blocks of 32. */
static enum peft_dtype
fit_blocks(size_t cols, enum peft_dtype t)
{
	static const struct { enum peft_dtype big, small; } rows[] = {
		{ PEFT_TQ1_0, PEFT_Q4_0 }, { PEFT_TQ2_0, PEFT_Q4_0 },
		{ PEFT_Q2_K, PEFT_Q4_0 }, { PEFT_Q3_K, PEFT_Q4_0 },
		{ PEFT_IQ4_XS, PEFT_IQ4_NL }, { PEFT_Q4_K, PEFT_Q5_0 },
		{ PEFT_Q5_K, PEFT_Q5_1 }, { PEFT_Q6_K, PEFT_Q8_0 } };
	size_t i;

	if (cols % peft_dtypes[t].block == 0)
		return t;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].big == t && cols % 32 == 0)
			return rows[i].small;
	return PEFT_F16;
}

bool
peft_convert_note(const struct peft_convertopt *o,
    const struct peft_spec *specs, size_t n, enum peft_dtype t,
    char note[PEFT_CONVERT_NOTE])
{
	const struct peft_dtype_info *asked;
	size_t i, many = 0;

	if (o->dtype == PEFT_NDTYPE || is_4bit(o->dtype) || t == o->dtype)
		return false;
	asked = &peft_dtypes[o->dtype];
	for (i = 0; i < n; i++)
		many += specs[i].ndim > 1 && specs[i].dtype == t &&
		    fit_blocks(specs[i].shape[specs[i].ndim - 1],
		    o->dtype) == t;
	snprintf(note, PEFT_CONVERT_NOTE, "%zu weights have rows that do not "
	    "divide into blocks of %u (%s): they get %s", many, asked->block,
	    asked->name, peft_dtypes[t].name);
	return many > 0;
}

static enum peft_dtype
type_of(const struct peft_weight *w, const struct peft_convertopt *o,
    bool kept)
{
	enum peft_dtype t = o->dtype;

	if (t == PEFT_NDTYPE || kept) {
		if (o->gguf ? peft_dtypes[w->dtype].ggml >= 0 :
		    peft_dtypes[w->dtype].st != NULL)
			return w->dtype;
		return is_4bit(w->dtype) ? w->dtype : plain_type(w, o);
	}
	if (is_4bit(t))
		return is_inner_linear(w) ? t : plain_type(w, o);
	if (w->ndim < 2 && (o->gguf || !is_float(t)))
		return o->gguf ? PEFT_F32 : plain_type(w, o);
	return fit_blocks(w->cols, t);
}

static struct peft_spec
spec_of(const struct peft_weight *w, const struct peft_convertopt *o,
    bool kept)
{
	struct peft_spec s = peft_spec_of(w);
	enum peft_dtype t = type_of(w, o, kept);

	if (is_4bit(t) && (t != w->dtype || !kept)) {
		s.blocksize = o->blocksize;
		s.nested = o->nested;
		s.orig = is_float(w->dtype) ? w->dtype : is_4bit(w->dtype) ?
		    w->scales.orig : PEFT_BF16;
	}
	s.dtype = t;
	return s;
}

struct peft_spec *
peft_convert_plan(const struct peft_source *src,
    const struct peft_convertopt *o, size_t *n, struct peft_err *err)
{
	struct peft_regex *re = NULL;
	struct peft_spec *specs;
	size_t i, hits = 0;
	int hit = 0;

	*n = peft_source_count(src);
	if (o->keep != NULL && (re = peft_regex_open(o->keep, err)) == NULL)
		return NULL;
	specs = peft_calloc(*n, sizeof(*specs), err);
	for (i = 0; specs != NULL && i < *n; i++) {
		const struct peft_weight *w = peft_source_at(src, i);

		if (re != NULL && (hit = peft_regex_search(re, w->name,
		    err)) == -1)
			break;
		hits += (size_t)hit;
		if (!peft_can_decode(w->dtype)) {
			peft_seterr(err, "%s: weight %s: type %s cannot be read "
			    "as numbers", peft_source_label(src), w->name, peft_dtypes[w->dtype].name);
			hit = -1;
			break;
		}
		specs[i] = spec_of(w, o, hit == 1);
	}
	if (specs != NULL && hit != -1 && re != NULL && hits == 0)
		hit = peft_seterr(err, "--keep '%s' matches no weight",
		    o->keep);
	peft_regex_close(re);
	if (hit == -1) {
		free(specs);
		return NULL;
	}
	return specs;
}

/* Encode and decode a piece; sums of squares of the error and the value. */
static int
measure(const float *x, size_t n, size_t first, const struct peft_spec *s,
    uint8_t *bytes, float *absmax, float *back, struct peft_err *err)
{
	struct peft_weight w = { .dtype = s->dtype, .data = bytes,
	    .nelem = n, .rows = 1, .cols = n,
	    .scales = { .blocksize = is_4bit(s->dtype) ? s->blocksize : 0,
	    .absmax = absmax } };
	uint8_t q[8192];
	float nested[64], offset;
	size_t nblocks;

	(void)first;
	if (!is_4bit(s->dtype)) {
		if (peft_encode(s->dtype, x, n, bytes, err) == -1)
			return -1;
		peft_decode(&w, 0, n, back);
		return 0;
	}
	nblocks = (n + s->blocksize - 1) / s->blocksize;
	if (peft_encode_4bit(s->dtype, x, n, s->blocksize, true, bytes, absmax,
	    err) == -1)
		return -1;
	if (s->nested && nblocks <= sizeof(q)) {
		peft_encode_nested(absmax, nblocks, q, nested, &offset);
		w.scales.absmax = NULL;
		w.scales.qabsmax = q;
		w.scales.nested_absmax = nested;
		w.scales.nested_map = peft_dynamic_map();
		w.scales.nested_blocksize = 256;
		w.scales.nested_offset = offset;
	}
	peft_decode(&w, 0, n, back);
	return 0;
}

enum { PIECE = 8192 * 32 };

int
peft_convert_error(const struct peft_weight *w, const struct peft_spec *s,
    struct peft_error *e, struct peft_err *err)
{
	float *x = peft_calloc(3 * PIECE, sizeof(*x), err), *back, *absmax;
	uint8_t *bytes = peft_calloc(PIECE, 8, err);
	double sum = 0, square = 0, d;
	size_t at, n, i;
	int r = x == NULL || bytes == NULL ? -1 : 0;

	*e = (struct peft_error){ 0 };
	if (s->dtype == w->dtype)
		at = w->nelem;		/* copied: no error */
	else
		at = 0;
	back = x + PIECE;
	absmax = x + 2 * PIECE;
	for (; r == 0 && at < w->nelem; at += n) {
		n = w->nelem - at < PIECE ? w->nelem - at : PIECE;
		peft_decode(w, at, n, x);
		r = measure(x, n, at, s, bytes, absmax, back, err);
		for (i = 0; r == 0 && i < n; i++) {
			d = (double)back[i] - (double)x[i];
			sum += d * d;
			square += (double)x[i] * (double)x[i];
			e->max = fabs(d) > e->max ? fabs(d) : e->max;
		}
	}
	e->rms = square > 0 ? sqrt(sum / square) : 0;
	free(x);
	free(bytes);
	return r;
}
