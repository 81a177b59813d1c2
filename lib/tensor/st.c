/* SPDX-License-Identifier: Apache-2.0 */
/* The header of safetensors, read. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "tensor/st.h"

int
peft_st_length(const unsigned char prefix[PEFT_ST_PREFIX], size_t *len,
    struct peft_err *err)
{
	uint64_t n = 0;
	int i;

	for (i = 7; i >= 0; i--)
		n = n << 8 | prefix[i];
	if (n < 2 || n > PEFT_ST_MAXHEADER)
		return peft_seterr(err, "not safetensors: a header of %llu "
		    "bytes%s", (unsigned long long)n, prefix[0] == '{' ?
		    " (it seems to be JSON)" : "");
	*len = (size_t)n;
	return 0;
}

int
peft_st_size(enum peft_dtype dtype, int ndim, const size_t *shape,
    size_t *nbytes, struct peft_err *err)
{
	size_t n = peft_dtypes[dtype].bytes;
	int i;

	for (i = 0; i < ndim; i++)
		if (__builtin_mul_overflow(n, shape[i], &n))
			return peft_seterr(err, "its shape is too large");
	*nbytes = n;
	return 0;
}

/* A whole number of JSON, exact: at most 2^53. */
static int
whole(const cJSON *j, const char *what, size_t *out, struct peft_err *err)
{
	double d = cJSON_IsNumber(j) ? j->valuedouble : -1;

	if (!(d >= 0) || d > 0x1p53 || d != (double)(uint64_t)d)
		return peft_seterr(err, "%s: not a whole number", what);
	*out = (size_t)d;
	return 0;
}

static int
read_shape(const cJSON *j, struct peft_st_entry *e, struct peft_err *err)
{
	const cJSON *shape = peft_json_get(j, "shape"), *d;

	if (!cJSON_IsArray(shape))
		return peft_seterr(err, "shape: not a list");
	cJSON_ArrayForEach(d, shape) {
		if (e->ndim == PEFT_MAXDIM)
			return peft_seterr(err, "more than %d dimensions",
			    PEFT_MAXDIM);
		if (whole(d, "shape", &e->shape[e->ndim++], err) == -1)
			return -1;
	}
	return 0;
}

static int
read_entry(const cJSON *j, struct peft_st_entry *e, struct peft_err *err)
{
	const cJSON *off = peft_json_get(j, "data_offsets");
	const char *type = NULL;
	size_t end = 0, want = 0;

	if (peft_json_str(j, "dtype", &type, err) == -1)
		return -1;
	if (type == NULL)
		return peft_seterr(err, "dtype is missing");
	if ((e->dtype = peft_dtype_of_st(type)) == PEFT_NDTYPE)
		return peft_seterr(err, "dtype %s is not known", type);
	if (read_shape(j, e, err) == -1)
		return -1;
	if (cJSON_GetArraySize(off) != 2 ||
	    whole(off->child, "data_offsets", &e->begin, err) == -1 ||
	    whole(off->child->next, "data_offsets", &end, err) == -1)
		return peft_seterr(err, "data_offsets: not two whole numbers");
	if (peft_st_size(e->dtype, e->ndim, e->shape, &want, err) == -1)
		return -1;
	if (end < e->begin || end - e->begin != want)
		return peft_seterr(err, "its data has %lld bytes, its shape "
		    "calls for %zu", (long long)end - (long long)e->begin,
		    want);
	e->nbytes = want;
	return 0;
}

static int
read_meta(const cJSON *j, struct peft_st *st, struct peft_err *err)
{
	const cJSON *e;

	if (cJSON_IsNull(j))		/* mlx writes that where it has none */
		return 0;
	if (!cJSON_IsObject(j))
		return peft_seterr(err, "__metadata__: not an object");
	st->meta = peft_calloc((size_t)cJSON_GetArraySize(j),
	    sizeof(*st->meta), err);
	if (st->meta == NULL)
		return -1;
	cJSON_ArrayForEach(e, j) {
		struct peft_st_pair *p = &st->meta[st->nmeta++];

		if (!cJSON_IsString(e))
			return peft_seterr(err, "__metadata__: \"%s\" is not a "
			    "string", e->string);
		if ((p->key = peft_strdup(e->string, err)) == NULL ||
		    (p->value = peft_strdup(e->valuestring, err)) == NULL)
			return -1;
	}
	return 0;
}

static int
by_begin(const void *a, const void *b)
{
	const struct peft_st_entry *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	/* empty tensors come before what shares their place */
	return x->nbytes < y->nbytes ? -1 : x->nbytes > y->nbytes;
}

/* Sorted by place, the entries must lie end to end. */
static int
check_places(struct peft_st *st, struct peft_err *err)
{
	size_t i, at = 0;

	qsort(st->entries, st->n, sizeof(*st->entries), by_begin);
	for (i = 0; i < st->n; i++) {
		const struct peft_st_entry *e = &st->entries[i];

		if (e->begin != at)
			return peft_seterr(err, "tensor %s: its data %s",
			    e->name, e->begin < at ? "overlaps another's" :
			    "leaves a gap before it");
		if (__builtin_add_overflow(at, e->nbytes, &at))
			return peft_seterr(err, "tensor %s: too large",
			    e->name);
	}
	st->nbytes = at;
	return 0;
}

static int
read_header(struct peft_st *st, const cJSON *j, struct peft_err *err)
{
	const cJSON *e;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	st->entries = peft_calloc((size_t)cJSON_GetArraySize(j),
	    sizeof(*st->entries), err);
	if (st->entries == NULL)
		return -1;
	cJSON_ArrayForEach(e, j) {
		struct peft_st_entry *t = &st->entries[st->n];

		if (strcmp(e->string, "__metadata__") == 0) {
			if (read_meta(e, st, err) == -1)
				return -1;
			continue;
		}
		if ((t->name = peft_strdup(e->string, err)) == NULL)
			return -1;
		st->n++;
		if (!cJSON_IsObject(e))
			peft_seterr(err, "not an object");
		if (!cJSON_IsObject(e) || read_entry(e, t, err) == -1)
			return peft_errprefix(err, "tensor %s", t->name);
	}
	return check_places(st, err);
}

int
peft_st_parse(struct peft_st *st, const char *text, size_t len,
    struct peft_err *err)
{
	cJSON *j;
	int r;

	memset(st, 0, sizeof(*st));
	if (len == 0 || text[0] != '{')
		return peft_seterr(err, "header: not a JSON object");
	if ((j = peft_json(text, len, err)) == NULL)
		return peft_errprefix(err, "header");
	r = read_header(st, j, err);
	cJSON_Delete(j);
	if (r == -1)
		peft_st_free(st);
	return r;
}

void
peft_st_free(struct peft_st *st)
{
	size_t i;

	for (i = 0; i < st->n; i++)
		free(st->entries[i].name);
	for (i = 0; i < st->nmeta; i++) {
		free(st->meta[i].key);
		free(st->meta[i].value);
	}
	free(st->entries);
	free(st->meta);
	memset(st, 0, sizeof(*st));
}
