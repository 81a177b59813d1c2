/* SPDX-License-Identifier: Apache-2.0 */
/* What a sink's weights are called in safetensors. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quant/quant.h"
#include "quant/sink-impl.h"

enum {
	STATE = 256,		/* bytes of a quant_state, padded with spaces */
	ALIGN = 64		/* weights begin at such places */
};

struct list {
	struct peft_st_entry	*at;
	size_t			 n, cap;
};

static int
add(struct list *l, const char *name, const char *tail,
    enum peft_dtype dtype, int ndim, const size_t *shape,
    struct peft_err *err)
{
	struct peft_st_entry *grown, *e;
	struct peft_buf b = { 0 };

	grown = peft_grow(l->at, l->n, &l->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	l->at = grown;
	e = &l->at[l->n];
	*e = (struct peft_st_entry){ .dtype = dtype, .ndim = ndim };
	memcpy(e->shape, shape, (size_t)ndim * sizeof(*shape));
	peft_buf_printf(&b, "%s%s", name, tail);
	if (b.failed)
		return peft_seterr(err, "no memory for names");
	e->name = b.data;
	l->n++;
	return peft_st_size(dtype, ndim, shape, &e->nbytes, err);
}

static int
add_list(struct list *l, const char *name, const char *tail,
    enum peft_dtype dtype, size_t n, struct peft_err *err)
{
	return add(l, name, tail, dtype, 1, &n, err);
}

/* FP8's, along a dimension. */
static size_t
blocks(const struct peft_spec *s, int dim)
{
	return (s->shape[dim] + s->blocksize - 1) / s->blocksize;
}

struct peft_quantised
peft_sink_sizes(const struct peft_spec *s)
{
	struct peft_quantised q = { .nelem = 1 };
	int i;

	for (i = 0; i < s->ndim; i++)
		q.nelem *= s->shape[i];
	q.nbytes = q.nelem / 2 + q.nelem % 2;
	if (s->dtype == PEFT_INT8)
		q.nabsmax = s->shape[0];
	else if (s->dtype == PEFT_F8G_E4M3)
		q.nabsmax = blocks(s, 0) * blocks(s, 1);
	else
		q.nabsmax = (q.nelem + s->blocksize - 1) / s->blocksize;
	q.nnested = (q.nabsmax + 255) / 256;
	return q;
}

static int
add_state(struct list *l, const struct peft_spec *s, struct peft_err *err)
{
	return add_list(l, s->name, s->dtype == PEFT_NF4 ?
	    ".quant_state.bitsandbytes__nf4" :
	    ".quant_state.bitsandbytes__fp4", PEFT_U8, STATE, err);
}

static bool
is_4bit(const struct peft_spec *s)
{
	return s->dtype == PEFT_NF4 || s->dtype == PEFT_FP4;
}

/* The parts of a 4-bit weight, in the order in which they are written. */
static int
add_4bit(struct list *l, const struct peft_spec *s, struct peft_err *err)
{
	struct peft_quantised q = peft_sink_sizes(s);
	size_t packed[2] = { q.nbytes, 1 };

	if (add(l, s->name, "", PEFT_U8, 2, packed, err) == -1 ||
	    add_list(l, s->name, ".absmax", s->nested ? PEFT_U8 : PEFT_F32,
	    q.nabsmax, err) == -1 ||
	    add_list(l, s->name, ".quant_map", PEFT_F32, 16, err) == -1)
		return -1;
	if (!s->nested)
		return 0;
	if (add_list(l, s->name, ".nested_absmax", PEFT_F32, q.nnested,
	    err) == -1 || add_list(l, s->name, ".nested_quant_map", PEFT_F32,
	    256, err) == -1)
		return -1;
	return add_state(l, s, err);
}

/* LLM.int8 by bitsandbytes' names (NAME.weight, NAME.SCB), FP8 by those of
 * DeepSeek and transformers' FineGrainedFP8Config. */
static int
add_coded(struct list *l, const struct peft_spec *s, struct peft_err *err)
{
	size_t grid[2], stem = strlen(s->name);
	bool f8 = s->dtype == PEFT_F8G_E4M3;
	char base[512];

	if (stem > 7 && strcmp(s->name + stem - 7, ".weight") == 0)
		stem -= 7;
	else
		return peft_seterr(err, "weight %s: its name does not end in "
		    ".weight, as %s has it", s->name,
		    peft_dtypes[s->dtype].name);
	if (stem >= sizeof(base) || s->ndim != 2)
		return peft_seterr(err, "weight %s: %s is for matrices",
		    s->name, peft_dtypes[s->dtype].name);
	memcpy(base, s->name, stem);
	base[stem] = '\0';
	if (add(l, s->name, "", f8 ? PEFT_F8_E4M3 : PEFT_I8, 2, s->shape,
	    err) == -1)
		return -1;
	if (!f8)
		return add_list(l, base, ".SCB", PEFT_F32, s->shape[0],
		    err) == -1 ? -1 : add(l, base, ".weight_format", PEFT_U8,
		    0, grid, err);
	grid[0] = blocks(s, 0);
	grid[1] = blocks(s, 1);
	return add(l, base, ".weight_scale_inv", PEFT_F32, 2, grid, err);
}

/* Side files and what is known of quantised weights beforehand: first, so
 * that a reader on a pipe knows the model before the weights come. */
static int
add_head(struct list *l, const struct peft_sink *k, size_t from, size_t to,
    bool sides, struct peft_err *err)
{
	size_t i, at = 0;

	for (i = 0; sides && i < k->sides.n; i++)
		if (add_list(l, "peft.file/", k->sides.at[i].name, PEFT_U8,
		    k->sides.at[i].len, err) == -1)
			return -1;
	for (i = from; i < to; i++)
		if (is_4bit(&k->specs[i]) && !k->specs[i].nested &&
		    add_state(l, &k->specs[i], err) == -1)
			return -1;
	for (i = 0; i < l->n; i++)
		at += l->at[i].nbytes;
	/* weights that lie at aligned places are used where they lie */
	if (at % ALIGN != 0)
		return add_list(l, "peft.file/", ".pad", PEFT_U8,
		    ALIGN - at % ALIGN, err);
	return 0;
}

/* Of those that are parts of a tensor the first stands for all. */
static int
add_joined(struct list *l, const struct peft_sink *k, size_t i,
    struct peft_err *err)
{
	const struct peft_spec *s = &k->specs[i];
	size_t shape[3];
	char name[512];

	if (k->joint[i].at > 0)
		return 0;
	peft_sink_joined(k, i, name, shape);
	return add(l, name, "", s->dtype, s->ndim + 1, shape, err);
}

int
peft_sink_entries(struct peft_sink *k, size_t from, size_t to, bool sides,
    struct peft_st_entry **out, size_t *n, struct peft_err *err)
{
	struct list l = { 0 };
	size_t i;
	int r = add_head(&l, k, from, to, sides, err);

	for (i = from; r == 0 && i < to; i++) {
		const struct peft_spec *s = &k->specs[i];

		r = is_4bit(s) ? add_4bit(&l, s, err) :
		    peft_is_coded(s->dtype) ? add_coded(&l, s, err) :
		    k->joint[i].each > 0 ? add_joined(&l, k, i, err) :
		    add(&l, s->name, "", s->dtype, s->ndim, s->shape, err);
	}
	if (r == -1) {
		peft_sink_free_entries(l.at, l.n);
		return -1;
	}
	*out = l.at;
	*n = l.n;
	return 0;
}

void
peft_sink_free_entries(struct peft_st_entry *e, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(e[i].name);
	free(e);
}

/* As Python's json.dumps writes bitsandbytes' state, padded with spaces. */
void
peft_sink_state(const struct peft_spec *s, float offset, struct peft_buf *b)
{
	static const char *const names[PEFT_NDTYPE] = {
		[PEFT_F32] = "float32", [PEFT_F16] = "float16",
		[PEFT_BF16] = "bfloat16" };
	size_t from = b->len;
	int i;

	peft_buf_printf(b, "{\"quant_type\": \"%s\", \"blocksize\": %zu, "
	    "\"dtype\": \"%s\", \"shape\": [", peft_dtypes[s->dtype].name,
	    s->blocksize, names[s->orig]);
	for (i = 0; i < s->ndim; i++)
		peft_buf_printf(b, "%s%zu", i > 0 ? ", " : "", s->shape[i]);
	peft_buf_puts(b, "]");
	if (s->nested) {
		peft_buf_puts(b, ", \"nested_blocksize\": 256, "
		    "\"nested_dtype\": \"float32\", \"nested_offset\": ");
		peft_json_putreal(b, (double)offset);
	}
	peft_buf_puts(b, "}");
	while (!b->failed && b->len - from < STATE)
		peft_buf_putc(b, ' ');
}

static int
put_states(struct peft_sink *k, size_t from, size_t to, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;
	int r = 0;

	for (i = from; r == 0 && i < to; i++) {
		if (!is_4bit(&k->specs[i]) || k->specs[i].nested)
			continue;
		peft_buf_clear(&b);
		peft_sink_state(&k->specs[i], 0, &b);
		r = b.failed ? peft_seterr(err, "no memory") :
		    peft_sink_write(k, b.data, b.len, err);
	}
	peft_buf_free(&b);
	return r;
}

/* Header, side files, states and padding: all that precedes weights. */
int
peft_sink_st_head(struct peft_sink *k, size_t from, size_t to, bool sides,
    struct peft_err *err)
{
	const char *meta[64] = { "format", "pt", "peft.kind", k->opt.kind,
	    "peft.version", PEFT_VERSION };
	static const char pad[ALIGN];
	struct peft_st_entry *e;
	size_t n, i, m;
	FILE **begun;
	int r;

	begun = peft_grow(k->begun, k->nbegun, &k->capbegun, sizeof(*begun),
	    err);
	if (begun == NULL)
		return -1;
	k->begun = begun;
	k->begun[k->nbegun++] = k->fp;

	for (m = 6, i = 0; k->opt.meta != NULL && k->opt.meta[i] != NULL &&
	    m < 63; i++)
		meta[m++] = k->opt.meta[i];
	if (peft_sink_entries(k, from, to, sides, &e, &n, err) == -1)
		return -1;
	r = peft_st_write(k->fp, k->label, e, n, meta, err);
	for (i = 0; r == 0 && sides && i < k->sides.n; i++)
		r = peft_sink_write(k, k->sides.at[i].data,
		    k->sides.at[i].len, err);
	if (r == 0)
		r = put_states(k, from, to, err);
	for (i = 0; r == 0 && i < n; i++)
		if (strcmp(e[i].name, "peft.file/.pad") == 0)
			r = peft_sink_write(k, pad, e[i].nbytes, err);
	peft_sink_free_entries(e, n);
	return r;
}
