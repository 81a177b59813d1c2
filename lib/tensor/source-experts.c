/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpt-oss's experts, of which a layer's lie in one tensor: taken apart into
 * the linears that they are, as other families' files have them.
 *
 * Plain tensors are [experts, in, out] (a bias: [experts, out]), codes of
 * MXFP4 [experts, out, blocks, 16] with [experts, out, blocks] exponents (OCP
 * MX 1.0).  Of gate_up_proj the even outputs are the gate's, the odd ones
 * up's.  A linear is [out, in]; codes become ggml's blocks, which are the
 * same bytes in another order.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/grouped-impl.h"

enum { MAXEXPERTS = 1 << 12, CODES = 16, BLOCK = 17 };

/* By the end of the name. */
static const struct kind {
	const char	*tail;
	int		 ndim;
	bool		 bias, codes;
	const char	*parts[2];	/* the second NULL: it is one */
} kinds[] = {
	{ ".experts.gate_up_proj", 3, false, false, { "gate", "up" } },
	{ ".experts.gate_up_proj_bias", 2, true, false, { "gate", "up" } },
	{ ".experts.gate_up_proj_blocks", 4, false, true, { "gate", "up" } },
	{ ".experts.down_proj", 3, false, false, { "down", NULL } },
	{ ".experts.down_proj_bias", 2, true, false, { "down", NULL } },
	{ ".experts.down_proj_blocks", 4, false, true, { "down", NULL } },
};

static const struct kind *
kind_of(const char *name)
{
	size_t n = strlen(name), i, k;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		k = strlen(kinds[i].tail);
		if (n > k && strcmp(name + n - k, kinds[i].tail) == 0)
			return &kinds[i];
	}
	return NULL;
}

bool
peft_source_joined(const struct peft_source *s)
{
	return s->arch != NULL && peft_arch_joined(s->arch);
}

bool
peft_source_is_experts(const char *name)
{
	return kind_of(name) != NULL;
}

int
peft_source_experts(const struct peft_source *s, size_t i, size_t *n,
    struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[i];
	const struct kind *k = kind_of(raw->name);
	size_t each = k != NULL && k->parts[1] != NULL ? 2 : 1, out;

	*n = 0;
	if (k == NULL || !peft_source_joined(s))
		return 0;
	out = raw->shape[k->codes ? 1 : k->ndim - 1];
	if (raw->ndim != k->ndim || raw->nbytes == 0 || out % each != 0 ||
	    raw->shape[0] > MAXEXPERTS)
		return peft_seterr(err, "%s is not experts x %s", raw->name,
		    k->codes ? "rows x blocks of 16 u8" : k->bias ?
		    "outputs" : "inputs x outputs");
	*n = raw->shape[0] * each;
	return 0;
}

/* The exponents of codes. */
static int
claim_scales(const struct peft_source *s, struct peft_whole *w,
    const char *name, struct peft_err *err)
{
	const size_t cut = strlen(name) - strlen("_blocks");
	char base[1024];

	if (cut >= sizeof(base))
		return peft_seterr(err, "%s: a name too long", name);
	memcpy(base, name, cut);
	base[cut] = '\0';
	return peft_grouped_mx(s, base, w, err);
}

/* What part k of it is called: PATH.experts.NUMBER.gate_proj.weight */
static char *
name_of(const char *raw, const struct kind *kind, size_t k,
    struct peft_err *err)
{
	const int path = (int)(strlen(raw) - strlen(kind->tail));
	const size_t each = kind->parts[1] != NULL ? 2 : 1;
	struct peft_buf b = { 0 };

	peft_buf_printf(&b, "%.*s.experts.%zu.%s_proj.%s", path, raw,
	    k / each, kind->parts[k % each], kind->bias ? "bias" : "weight");
	if (b.failed)
		peft_seterr(err, "no memory for names");
	return b.data;
}

int
peft_source_make_expert(struct peft_source *s, size_t i, size_t k,
    struct peft_whole *w, struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[i];
	const struct kind *kind = kind_of(raw->name);
	const size_t each = kind->parts[1] != NULL ? 2 : 1;
	const struct peft_dtype_info *t = &peft_dtypes[raw->dtype];
	size_t shape[2];

	if ((w->name = name_of(raw->name, kind, k, err)) == NULL)
		return -1;
	w->w.name = w->name;
	w->part[PEFT_DATA] = i;
	w->slice = (struct peft_slice){ .expert = k / each,
	    .first = k % each, .step = each };
	if (kind->codes) {
		if (claim_scales(s, w, raw->name, err) == -1)
			return -1;
		w->w.dtype = PEFT_MXFP4;
		shape[0] = raw->shape[1] / each;
		shape[1] = raw->shape[2] * 2 * CODES;
		w->w.nbytes = shape[0] * raw->shape[2] * BLOCK;
		s->nquantised++;
		return peft_weight_set_shape(&w->w, 2, shape, err);
	}
	if (t->block != 1)
		return peft_seterr(err, "%s is of type %s", raw->name,
		    t->name);
	w->w.dtype = raw->dtype;
	shape[0] = raw->shape[kind->ndim - 1] / each;
	shape[1] = kind->bias ? 1 : raw->shape[1];
	w->w.nbytes = shape[0] * shape[1] * t->bytes;
	return peft_weight_set_shape(&w->w, kind->bias ? 1 : 2, shape, err);
}

/* [in, outs] to [out, in]: squares that stay in the cache. */
static void
turn(uint8_t *to, const uint8_t *from, size_t rows, size_t cols,
    size_t outs, const struct peft_slice *p, size_t size)
{
	enum { EDGE = 32 };
	size_t r0, c0, r, c;

	for (r0 = 0; r0 < rows; r0 += EDGE)
		for (c0 = 0; c0 < cols; c0 += EDGE)
			for (r = r0; r < rows && r < r0 + EDGE; r++)
				for (c = c0; c < cols && c < c0 + EDGE; c++)
					memcpy(to + (r * cols + c) * size,
					    from + (c * outs + r * p->step +
					    p->first) * size, size);
}

/* A block's 32 elements: here two neighbours a byte, there those that are 16
 * apart. */
static void
put_block(uint8_t to[BLOCK], const uint8_t from[CODES], uint8_t exponent)
{
	size_t i;

	to[0] = exponent;
	for (i = 0; i < CODES; i++) {
		uint8_t a = from[i / 2], b = from[CODES / 2 + i / 2];

		to[1 + i] = (uint8_t)(i % 2 == 0 ? (a & 15) | b << 4 :
		    a >> 4 | (b & 0xf0));
	}
}

static int
repack(const struct peft_whole *w, const uint8_t *codes,
    const uint8_t *exponents, size_t nblocks, size_t outs, uint8_t *to,
    struct peft_err *err)
{
	const struct peft_slice *p = &w->slice;
	size_t r, b, at;

	for (r = 0; r < w->w.rows; r++)
		for (b = 0; b < nblocks; b++, to += BLOCK) {
			at = (p->expert * outs + r * p->step + p->first) *
			    nblocks + b;
			if (exponents[at] == 0xff)
				return peft_seterr(err, "the scales of %s are "
				    "not finite: scale %zu is NaN", w->w.name,
				    r * nblocks + b);
			put_block(to, codes + at * CODES, exponents[at]);
		}
	return 0;
}

int
peft_source_slice(const struct peft_source *s, struct peft_whole *w,
    const void *const p[PEFT_NPART], struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[w->part[PEFT_DATA]];
	const size_t size = peft_dtypes[raw->dtype].bytes;
	const uint8_t *data = p[PEFT_DATA];

	if (w->permuted == NULL &&
	    (w->permuted = malloc(w->w.nbytes)) == NULL)
		return peft_seterr(err, "weight %s: no memory for %zu bytes",
		    w->w.name, w->w.nbytes);
	w->w.data = w->permuted;
	if (w->part[PEFT_ABSMAX] != PEFT_NONE)
		return repack(w, data, p[PEFT_ABSMAX], raw->shape[2],
		    raw->shape[1], w->permuted, err);
	data += raw->nbytes / raw->shape[0] * w->slice.expert;
	turn(w->permuted, data, w->w.shape[0], w->w.ndim == 1 ? 1 :
	    w->w.cols, raw->shape[raw->ndim - 1], &w->slice, size);
	return 0;
}
