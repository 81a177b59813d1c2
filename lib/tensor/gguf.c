/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF, read. */

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "tensor/gguf.h"

/* What is left to read; every take is checked. */
struct cursor {
	const uint8_t	*begin, *p, *end;
};

static int
take(struct cursor *c, size_t n, const uint8_t **out, struct peft_err *err)
{
	if ((size_t)(c->end - c->p) < n)
		return peft_seterr(err, "ends early, at byte %zu",
		    (size_t)(c->end - c->begin));
	*out = c->p;
	c->p += n;
	return 0;
}

static uint64_t
little(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n > 0)
		v = v << 8 | p[--n];
	return v;
}

static int
take_uint(struct cursor *c, size_t n, uint64_t *v, struct peft_err *err)
{
	const uint8_t *p = NULL;

	if (take(c, n, &p, err) == -1)
		return -1;
	*v = little(p, n);
	return 0;
}

static int
take_string(struct cursor *c, const char **s, size_t *len,
    struct peft_err *err)
{
	const uint8_t *p = NULL;
	uint64_t n = 0;

	if (take_uint(c, 8, &n, err) == -1)
		return -1;
	if (n > (uint64_t)(c->end - c->p))
		return peft_seterr(err, "a string of %llu bytes, longer than "
		    "the file", (unsigned long long)n);
	if (take(c, (size_t)n, &p, err) == -1)
		return -1;
	*s = (const char *)p;
	*len = (size_t)n;
	return 0;
}

/* A name: a string of its own, UTF-8 without control characters. */
static int
take_name(struct cursor *c, size_t max, char **out, struct peft_err *err)
{
	const char *s = NULL;
	size_t len = 0, i, n;

	if (take_string(c, &s, &len, err) == -1)
		return -1;
	if (len == 0 || len > max)
		return peft_seterr(err, "a name of %zu bytes", len);
	for (i = 0; i < len; i += n)
		if ((n = peft_utf8_len(s + i, len - i)) == 0 ||
		    (unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return peft_seterr(err, "a name that is not UTF-8, or "
			    "has control characters");
	if ((*out = peft_calloc(len + 1, 1, err)) == NULL)
		return -1;
	memcpy(*out, s, len);
	return 0;
}

static const size_t type_bytes[PEFT_GGUF_NTYPE] = {
	1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8
};

static int
take_strings(struct cursor *c, uint64_t count, struct peft_err *err)
{
	const char *s;
	size_t len;

	for (; count > 0; count--)
		if (take_string(c, &s, &len, err) == -1)
			return -1;
	return 0;
}

static int
take_value(struct cursor *c, struct peft_gguf_kv *kv, struct peft_err *err)
{
	uint64_t elem = 0;
	size_t bytes;

	kv->count = 1;
	kv->elem = kv->type;
	if (kv->type == PEFT_GGUF_ARRAY) {
		if (take_uint(c, 4, &elem, err) == -1 ||
		    take_uint(c, 8, &kv->count, err) == -1)
			return -1;
		kv->elem = (uint32_t)elem;
	}
	if (kv->elem >= PEFT_GGUF_NTYPE || kv->elem == PEFT_GGUF_ARRAY)
		return peft_seterr(err, "type %u is not known", kv->elem);
	kv->value = c->p;
	if (kv->elem == PEFT_GGUF_STRING) {
		if (take_strings(c, kv->count, err) == -1)
			return -1;
	} else {
		const uint8_t *p = NULL;

		if (kv->count > (uint64_t)(c->end - c->p) ||
		    __builtin_mul_overflow((size_t)kv->count,
		    type_bytes[kv->elem], &bytes))
			return peft_seterr(err, "%llu elements, more than the "
			    "file holds", (unsigned long long)kv->count);
		if (take(c, bytes, &p, err) == -1)
			return -1;
	}
	kv->nbytes = (size_t)(c->p - kv->value);
	return 0;
}

static int
take_pairs(struct cursor *c, struct peft_gguf *g, uint64_t n,
    struct peft_err *err)
{
	struct peft_map seen = { 0 };
	uint64_t type = 0;
	int r = 0;

	for (; r == 0 && g->nkv < n; ) {
		struct peft_gguf_kv *kv = &g->kv[g->nkv];

		if ((r = take_name(c, 65535, &kv->key, err)) == -1)
			break;
		g->nkv++;
		r = peft_map_add(&seen, kv->key, strlen(kv->key), 0, err);
		if (r == 0)
			peft_seterr(err, "the key %s is there twice", kv->key);
		r = r == 1 ? 0 : -1;
		if (r == 0 && ((r = take_uint(c, 4, &type, err)) == 0)) {
			kv->type = (uint32_t)type;
			r = take_value(c, kv, err);
			if (r == -1)
				peft_errprefix(err, "key %s", kv->key);
		}
	}
	peft_map_free(&seen);
	return r;
}

/* Elements to bytes, by rows of whole blocks; ne[0] is the row's length. */
static int
tensor_size(struct peft_gguf_tensor *t, struct peft_err *err)
{
	const struct peft_dtype_info *d = &peft_dtypes[t->dtype];
	size_t cols = t->shape[t->ndim - 1], n;
	int i;

	if (cols % d->block != 0)
		return peft_seterr(err, "rows of %zu do not divide into blocks "
		    "of %u (%s)", cols, d->block, d->name);
	if (__builtin_mul_overflow(cols / d->block, (size_t)d->bytes, &n))
		return peft_seterr(err, "its shape is too large");
	for (i = 0; i < t->ndim - 1; i++)
		if (__builtin_mul_overflow(n, t->shape[i], &n))
			return peft_seterr(err, "its shape is too large");
	t->nbytes = n;
	return 0;
}

static int
take_tensor(struct cursor *c, struct peft_gguf_tensor *t, uint64_t *offset,
    struct peft_err *err)
{
	uint64_t dims = 0, ne = 0, type = 0;
	int i;

	if (take_uint(c, 4, &dims, err) == -1)
		return -1;
	if (dims < 1 || dims > 4)
		return peft_seterr(err, "%llu dimensions",
		    (unsigned long long)dims);
	t->ndim = (int)dims;
	for (i = t->ndim - 1; i >= 0; i--) {
		if (take_uint(c, 8, &ne, err) == -1)
			return -1;
		if (ne == 0 || ne > INT64_MAX)
			return peft_seterr(err, "a dimension of %lld",
			    (long long)ne);
		t->shape[i] = (size_t)ne;
	}
	if (take_uint(c, 4, &type, err) == -1 ||
	    take_uint(c, 8, offset, err) == -1)
		return -1;
	t->dtype = peft_dtype_of_ggml((uint32_t)type);
	if (t->dtype == PEFT_NDTYPE)
		return peft_seterr(err, "ggml's type %llu is not known",
		    (unsigned long long)type);
	return tensor_size(t, err);
}

/* Offsets are relative until the data's begin is known; each must be the
 * padded end of the one before. */
static int
take_tensors(struct cursor *c, struct peft_gguf *g, uint64_t n, size_t align,
    struct peft_err *err)
{
	struct peft_map seen = { 0 };
	uint64_t offset = 0, at = 0;
	int r = 0;

	while (r == 0 && g->n < n) {
		struct peft_gguf_tensor *t = &g->tensors[g->n];

		if ((r = take_name(c, 63, &t->name, err)) == -1)
			break;
		g->n++;
		r = peft_map_add(&seen, t->name, strlen(t->name), 0, err);
		if (r == 0)
			peft_seterr(err, "there twice");
		r = r == 1 ? take_tensor(c, t, &offset, err) : -1;
		if (r == 0 && offset != at)
			r = peft_seterr(err, "its data is at %llu, not at "
			    "%llu", (unsigned long long)offset,
			    (unsigned long long)at);
		if (r == 0) {
			t->begin = (size_t)offset;
			if (__builtin_add_overflow(at, t->nbytes, &at) ||
			    at > INT64_MAX)
				r = peft_seterr(err, "too large");
			at = (at + align - 1) / align * align;
		}
		if (r == -1)
			peft_errprefix(err, "tensor %s", t->name);
	}
	peft_map_free(&seen);
	return r;
}

/* Offsets become places in the file, which ends with the last tensor (or
 * with its padding): fewer tensors than there are would shift them all. */
static int
place(struct peft_gguf *g, size_t data, size_t len, size_t align,
    struct peft_err *err)
{
	size_t i, end = data;

	for (i = 0; i < g->n; i++) {
		struct peft_gguf_tensor *t = &g->tensors[i];

		t->begin += data;
		if (__builtin_add_overflow(t->begin, t->nbytes, &end) ||
		    end > len)
			return peft_seterr(err, "ends early: tensor %s needs "
			    "byte %zu of %zu", t->name, end, len);
	}
	if (len > end && len - end >= align)
		return peft_seterr(err, "has trailing bytes: %zu in all, the "
		    "tensors end at %zu", len, end);
	return 0;
}

static int
parse(struct peft_gguf *g, struct cursor *c, struct peft_err *err)
{
	size_t left, align = PEFT_GGUF_ALIGN, data;
	uint64_t magic = 0, version = 0, n = 0, nkv = 0, v = 0;

	if (take_uint(c, 4, &magic, err) == -1 ||
	    take_uint(c, 4, &version, err) == -1)
		return -1;
	if (magic != 0x46554747u)
		return peft_seterr(err, "not GGUF");
	if (version != 2 && version != 3)
		return peft_seterr(err, "GGUF version %llu%s is not known",
		    (unsigned long long)version, (version & 0xffff) == 0 ?
		    " (big-endian)" : "");
	if (take_uint(c, 8, &n, err) == -1 || take_uint(c, 8, &nkv, err) == -1)
		return -1;
	left = (size_t)(c->end - c->p);
	/* a pair takes 13 bytes at least, a tensor 33 */
	if (nkv > left / 13 || n > left / 33)
		return peft_seterr(err, "%llu pairs and %llu tensors are more "
		    "than the file can hold", (unsigned long long)nkv,
		    (unsigned long long)n);
	g->kv = peft_calloc((size_t)nkv, sizeof(*g->kv), err);
	g->tensors = peft_calloc((size_t)n, sizeof(*g->tensors), err);
	if (g->kv == NULL || g->tensors == NULL ||
	    take_pairs(c, g, nkv, err) == -1)
		return -1;
	if (peft_gguf_find(g, "general.alignment") != NULL) {
		if (!peft_gguf_uint(g, "general.alignment", &v) || v == 0 ||
		    v > 1 << 20 || (v & (v - 1)) != 0)
			return peft_seterr(err, "general.alignment is not a "
			    "power of two");
		align = (size_t)v;
	}
	if (take_tensors(c, g, n, align, err) == -1)
		return -1;
	data = (size_t)(c->p - c->begin);
	data = (data + align - 1) / align * align;
	return place(g, data, (size_t)(c->end - c->begin), align, err);
}

int
peft_gguf_parse(struct peft_gguf *g, const uint8_t *p, size_t len,
    struct peft_err *err)
{
	struct cursor c = { p, p, p + len };

	memset(g, 0, sizeof(*g));
	if (parse(g, &c, err) == -1) {
		peft_gguf_free(g);
		return -1;
	}
	return 0;
}

void
peft_gguf_free(struct peft_gguf *g)
{
	size_t i;

	for (i = 0; i < g->nkv; i++)
		free(g->kv[i].key);
	for (i = 0; i < g->n; i++)
		free(g->tensors[i].name);
	free(g->kv);
	free(g->tensors);
	memset(g, 0, sizeof(*g));
}
