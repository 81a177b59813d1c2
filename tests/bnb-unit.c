/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With FILE.safetensors ...: what bitsandbytes made of the tensors in them,
 * byte for byte (tests/parity/quant_golden.py says what is in such a file).
 */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "golden-file.h"
#include "quant/quant.h"

/* One tensor in one type and block size. */
struct one {
	const struct golden	*g;
	char			 name[128];	/* "33x70.heavy.b64.nf4" */
	const float		*w;
	size_t			 n, cols, blocksize, nblocks;
	enum peft_dtype		 type;
	uint8_t			*packed;	/* ours */
	float			*absmax, *values;
};

static bool
same(const struct one *o, const char *tail, const void *ours, size_t nbytes)
{
	size_t n, i;
	const uint8_t *want = golden_get(o->g, o->name, tail, &n);
	const uint8_t *got = ours;

	if (n == nbytes && memcmp(want, got, n) == 0)
		return true;
	for (i = 0; i < n && i < nbytes && want[i] == got[i]; i++)
		;
	printf("# %s%s: %zu bytes of %zu, byte %zu differs\n", o->name, tail,
	    nbytes, n, i);
	return false;
}

static struct peft_weight
weight_of(const struct one *o)
{
	return (struct peft_weight){ .dtype = o->type, .data = o->packed,
	    .rows = 1, .cols = o->n, .nelem = o->n,
	    .nbytes = (o->n + 1) / 2, .scales = { .blocksize = o->blocksize,
	    .nabsmax = o->nblocks } };
}

/* A value is what its code stands for times its block's scale, bit by bit. */
static bool
by_definition(const struct one *o, const float *scales)
{
	const float *map = o->type == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	size_t i;

	for (i = 0; i < o->n; i++) {
		int code = o->packed[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
		float want = map[code] * scales[i / o->blocksize];

		if (memcmp(&want, &o->values[i], sizeof(want)) != 0) {
			printf("# %s: value %zu\n", o->name, i);
			return false;
		}
	}
	return true;
}

/*
 * And what bitsandbytes says it is, if the file holds that: but for the sign
 * of zeros, on which its kernels do not agree, and where a row holds no whole
 * number of blocks: its AVX-512 kernel then takes other blocks' scales.
 */
static bool
as_theirs(const struct one *o, const char *tail)
{
	const float *want = golden_find(o->g, o->name, tail, NULL);
	size_t i;

	if (want == NULL || (o->cols % 64 == 0 && o->cols % o->blocksize != 0))
		return true;
	for (i = 0; i < o->n; i++)
		if (want[i] != o->values[i]) {
			printf("# %s%s: value %zu: %.9g, not %.9g\n", o->name,
			    tail, i, (double)o->values[i], (double)want[i]);
			return false;
		}
	return true;
}

static void
check_plain(struct one *o)
{
	struct peft_weight w = weight_of(o);
	struct peft_err err = { 0 };
	bool good;

	need(peft_encode_4bit(o->type, o->w, o->n, o->blocksize, true,
	    o->packed, o->absmax, &err) == 0, &err);
	good = same(o, ".packed", o->packed, w.nbytes) &&
	    same(o, ".absmax", o->absmax, o->nblocks * sizeof(float));
	w.scales.absmax = o->absmax;
	peft_decode(&w, 0, o->n, o->values);
	ok(good && by_definition(o, o->absmax) && as_theirs(o, ".dequant"),
	    "%s: codes, scales, values", o->name);
}

/* Scales that were quantised too: codes, scales of scales, offset; their
 * numbers read back. */
static void
check_nested(struct one *o)
{
	size_t nouter = (o->nblocks + 255) / 256;
	struct peft_weight w = weight_of(o);
	struct peft_err err = { 0 };
	uint8_t *q = peft_calloc(o->nblocks, 1, &err);
	float *outer = peft_calloc(nouter, sizeof(*outer), &err), offset;
	float *scales = peft_calloc(o->nblocks, sizeof(*scales), &err);
	size_t i;
	bool good;

	need(q != NULL && outer != NULL && scales != NULL, &err);
	peft_encode_nested(o->absmax, o->nblocks, q, outer, &offset);
	good = same(o, ".dq.packed", o->packed, w.nbytes) &&
	    same(o, ".dq.absmax", q, o->nblocks) &&
	    same(o, ".dq.nested_absmax", outer, nouter * sizeof(*outer)) &&
	    same(o, ".dq.offset", &offset, sizeof(offset)) &&
	    same(o, ".dq.nested_map", peft_dynamic_map(), 256 * sizeof(float));
	w.scales.qabsmax = q;
	w.scales.nested_absmax = outer;
	w.scales.nested_map = peft_dynamic_map();
	w.scales.nested_blocksize = 256;
	w.scales.nnested = nouter;
	w.scales.nested_offset = offset;
	for (i = 0; i < o->nblocks; i++)
		scales[i] = w.scales.nested_map[q[i]] * outer[i / 256] +
		    offset;
	peft_decode(&w, 0, o->n, o->values);
	ok(good && by_definition(o, scales) && as_theirs(o, ".dq.dequant"),
	    "%s: doubly", o->name);
	peft_decode_absmax(&w, o->values);
	ok(memcmp(o->values, scales, o->nblocks * sizeof(*scales)) == 0,
	    "%s: the scales alone", o->name);
	free(q);
	free(outer);
	free(scales);
}

static void
check(const struct golden *g, const struct peft_st_entry *e, const float *w,
    enum peft_dtype type)
{
	struct one o = { .g = g, .w = w, .type = type,
	    .n = e->nbytes / sizeof(float), .cols = e->shape[e->ndim - 1],
	    .blocksize = (size_t)atoi(strrchr(e->name, '.') + 2) };
	struct peft_err err = { 0 };

	o.nblocks = (o.n + o.blocksize - 1) / o.blocksize;
	snprintf(o.name, sizeof(o.name), "%s.%s", e->name + 2,
	    peft_dtypes[type].name);
	o.packed = peft_calloc((o.n + 1) / 2, 1, &err);
	o.absmax = peft_calloc(o.nblocks, sizeof(float), &err);
	o.values = peft_calloc(o.n, sizeof(float), &err);
	need(o.packed != NULL && o.absmax != NULL && o.values != NULL, &err);
	check_plain(&o);
	check_nested(&o);
	free(o.packed);
	free(o.absmax);
	free(o.values);
}

/* The mean of the scales, for lengths at which its sum takes another way. */
static void
check_mean(const struct peft_st_entry *e, const float *want)
{
	size_t n = (size_t)atoi(e->name + 5), i;
	struct peft_err err = { 0 };
	float *x = peft_calloc(n, 2 * sizeof(*x), &err), mean;
	uint8_t *q = peft_calloc(n, 1, &err);

	need(x != NULL && q != NULL, &err);
	for (i = 0; i < n; i++)
		x[i] = (float)((uint32_t)(i * 2654435761u) >> 8) * 0x1p-24f;
	peft_encode_nested(x, n, q, x + n, &mean);
	if (!ok(mean == *want, "the mean of %zu", n))
		printf("# %.9g, not %.9g\n", (double)mean, (double)*want);
	free(x);
	free(q);
}

/* ID.int8.q and .scale against w.ID.b64: a code is within half a step, but
 * for the roundings of quotient and product. */
static void
check_int8(const struct golden *g, const struct peft_st_entry *e,
    const void *q)
{
	char id[128];
	const float *scale, *x;
	struct peft_err err = { 0 };
	struct peft_weight w = { .dtype = PEFT_INT8, .data = q,
	    .rows = e->shape[0], .cols = e->shape[1], .nelem = e->nbytes };
	float *got = peft_calloc(w.nelem, sizeof(*got), &err);
	bool good = true;
	size_t i;

	need(got != NULL, &err);
	snprintf(id, sizeof(id), "%.*s", (int)(strlen(e->name) -
	    strlen(".int8.q")), e->name);
	scale = w.scales.absmax = golden_get(g, id, ".int8.scale", NULL);
	w.scales.nabsmax = w.rows;
	snprintf(id, sizeof(id), "w.%.*s", (int)(strlen(e->name) -
	    strlen(".int8.q")), e->name);
	x = golden_get(g, id, ".b64", NULL);
	peft_decode(&w, 0, w.nelem, got);
	for (i = 0; i < w.nelem; i++)
		good = good && fabs((double)got[i] - (double)x[i]) <=
		    (double)scale[i / w.cols] / 254 * (1 + 0x1p-14);
	ok(good, "%s: values within half a step", e->name);
	free(got);
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

static void
check_file(const char *path)
{
	struct golden g = { 0 };
	size_t i;

	golden_open(&g, path);
	for (i = 0; i < g.st.n; i++) {
		const struct peft_st_entry *e = &g.st.entries[i];

		if (strncmp(e->name, "mean.", 5) == 0)
			check_mean(e, g.data[i]);
		if (ends_with(e->name, ".int8.q"))
			check_int8(&g, e, g.data[i]);
		if (strncmp(e->name, "w.", 2) != 0)
			continue;
		check(&g, e, g.data[i], PEFT_NF4);
		check(&g, e, g.data[i], PEFT_FP4);
	}
	golden_close(&g);
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		check_file(argv[i]);
	return tap_end();
}
