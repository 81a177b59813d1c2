/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices, read. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/map.h"
#include "quant/imatrix-impl.h"
#include "tensor/gguf.h"

/* A file of a large mixture of experts has some hundred MB. */
#define MAX_FILE	((size_t)4 << 30)
#define MAX_MEAN	1e20f

static const char sums_tail[] = ".in_sum2", counts_tail[] = ".counts";

struct peft_importance *
peft_imatrix_add(struct peft_imatrix *m, size_t *cap, const char *name,
    size_t len, size_t n, struct peft_err *err)
{
	struct peft_importance *at = peft_grow(m->at, m->n, cap, sizeof(*at),
	    err), *e;

	if (at == NULL)
		return NULL;
	m->at = at;
	e = &at[m->n];
	*e = (struct peft_importance){ .n = n };
	e->name = peft_calloc(len + 1, 1, err);
	e->mean = peft_calloc(n, sizeof(*e->mean), err);
	if (e->name == NULL || e->mean == NULL) {
		free(e->name);
		free(e->mean);
		return NULL;
	}
	memcpy(e->name, name, len);
	m->n++;
	return e;
}

int
peft_imatrix_name(struct peft_imatrix *m, const char *s, size_t len,
    struct peft_err *err)
{
	if (len == 0)
		return 0;
	if ((m->dataset = peft_calloc(len + 1, 1, err)) == NULL)
		return -1;
	memcpy(m->dataset, s, len);
	return 0;
}

int
peft_imatrix_check(const struct peft_importance *e, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		if (!(e->mean[i] >= 0 && e->mean[i] <= MAX_MEAN))
			return peft_seterr(err, "entry %s: the mean square of "
			    "column %zu is %g", e->name, i,
			    (double)e->mean[i]);
	return 0;
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n > k && strcmp(s + n - k, tail) == 0;
}

static size_t
elements(const struct peft_gguf_tensor *t)
{
	return t->nbytes / sizeof(float);
}

/* Sums over counts; a matrix that no token came to counts the same all over,
 * as in llama.cpp. */
static int
take_sums(struct peft_imatrix *m, size_t *cap, const uint8_t *p,
    const struct peft_gguf_tensor *s, const struct peft_gguf_tensor *c,
    size_t len, struct peft_err *err)
{
	size_t mats = elements(c), n = elements(s), i;
	struct peft_importance *e;

	if (s->dtype != PEFT_F32 || c->dtype != PEFT_F32)
		return peft_seterr(err, "tensor %s: sums and counts are f32, "
		    "not %s and %s", s->name, peft_dtypes[s->dtype].name,
		    peft_dtypes[c->dtype].name);
	if (n % mats != 0 || s->shape[s->ndim - 1] != n / mats)
		return peft_seterr(err, "tensor %s: %zu sums in rows of %zu do "
		    "not go with %zu counts", s->name, n,
		    s->shape[s->ndim - 1], mats);
	if ((e = peft_imatrix_add(m, cap, s->name, len, n, err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		float count = f32_at(p + c->begin, i / (n / mats));

		if (!(count >= 0 && isfinite(count)))
			return peft_seterr(err, "entry %s: a count of %g",
			    e->name, (double)count);
		e->mean[i] = count > 0 ? f32_at(p + s->begin, i) / count : 1;
	}
	return peft_imatrix_check(e, err);
}

static int
check_keys(const struct peft_gguf *g, struct peft_err *err)
{
	static const char *const keys[] = { "imatrix.datasets",
		"imatrix.chunk_count", "imatrix.chunk_size" };
	const char *s;
	size_t len, i;

	if (peft_gguf_string(g, "general.type", &s, &len) &&
	    (len != 7 || memcmp(s, "imatrix", 7) != 0))
		return peft_seterr(err, "holds no importance matrix but a GGUF "
		    "%.*s", len < 40 ? (int)len : 40, s);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (peft_gguf_find(g, keys[i]) == NULL)
			return peft_seterr(err, "holds no importance matrix: "
			    "%s is missing", keys[i]);
	return 0;
}

/* The tensors of counts by what they count; the value becomes TAKEN when
 * their sums are found. */
enum { TAKEN = -1 };

static int
map_counts(const struct peft_gguf *g, struct peft_map *counts,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		const char *name = g->tensors[i].name;

		if (ends_with(name, counts_tail) && peft_map_add(counts, name,
		    strlen(name) - strlen(counts_tail), i, err) == -1)
			return -1;
	}
	return 0;
}

static int
take_tensors(struct peft_imatrix *m, const struct peft_gguf *g,
    const uint8_t *p, struct peft_map *counts, struct peft_err *err)
{
	size_t cap = 0, i, len, *at;

	for (i = 0; i < g->n; i++) {
		const struct peft_gguf_tensor *t = &g->tensors[i];

		/* others, such as .in_sum, are for other programs */
		if (!ends_with(t->name, sums_tail))
			continue;
		len = strlen(t->name) - strlen(sums_tail);
		if ((at = peft_map_find(counts, t->name, len)) == NULL)
			return peft_seterr(err, "tensor %s has no counts (%s)",
			    t->name, counts_tail);
		if (take_sums(m, &cap, p, t, &g->tensors[*at], len,
		    err) == -1)
			return -1;
		*at = (size_t)TAKEN;
	}
	for (i = 0; i < g->n; i++) {
		const char *name = g->tensors[i].name;

		if (ends_with(name, counts_tail) && *peft_map_find(counts,
		    name, strlen(name) - strlen(counts_tail)) != (size_t)TAKEN)
			return peft_seterr(err, "tensor %s has no sums (%s)",
			    name, sums_tail);
	}
	return 0;
}

/* What the file says of itself. */
static int
take_origin(struct peft_imatrix *m, const struct peft_gguf *g,
    struct peft_err *err)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, "imatrix.datasets");
	const uint8_t *p = kv->value;
	uint64_t chunks = 0;
	const char *s;
	size_t len;

	(void)peft_gguf_uint(g, "imatrix.chunk_count", &chunks);
	m->chunks = chunks > UINT32_MAX ? 0 : (uint32_t)chunks;
	if (kv->type != PEFT_GGUF_ARRAY || kv->elem != PEFT_GGUF_STRING ||
	    kv->count == 0)
		return 0;
	peft_gguf_next_string(&p, &s, &len);
	return peft_imatrix_name(m, s, len, err);
}

static int
take_gguf(struct peft_imatrix *m, const struct peft_gguf *g, const uint8_t *p,
    struct peft_err *err)
{
	struct peft_map counts = { 0 };
	int r;

	if ((r = check_keys(g, err)) == 0 &&
	    (r = map_counts(g, &counts, err)) == 0)
		r = take_tensors(m, g, p, &counts, err);
	if (r == 0)
		r = take_origin(m, g, err);
	peft_map_free(&counts);
	return r;
}

int
peft_imatrix_parse(struct peft_imatrix *m, const uint8_t *p, size_t size,
    struct peft_err *err)
{
	struct peft_gguf g;
	int r;

	memset(m, 0, sizeof(*m));
	if (size >= 4 && memcmp(p, "GGUF", 4) == 0) {
		if (peft_gguf_parse(&g, p, size, err) == -1)
			return -1;
		r = take_gguf(m, &g, p, err);
		peft_gguf_free(&g);
	} else
		r = peft_imatrix_take_old(m, p, size, err);
	if (r == 0 && m->n == 0)
		r = peft_seterr(err, "there are no entries");
	if (r == -1)
		peft_imatrix_free(m);
	return r;
}

int
peft_imatrix_load(struct peft_imatrix *m, const char *path,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r = peft_in_slurp(path, MAX_FILE, &b, err);

	if (r == 0 && (r = peft_imatrix_parse(m, (const uint8_t *)b.data,
	    b.len, err)) == -1)
		peft_errprefix(err, "%s", path);
	peft_buf_free(&b);
	return r;
}

void
peft_imatrix_free(struct peft_imatrix *m)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		free(m->at[i].name);
		free(m->at[i].mean);
	}
	free(m->at);
	free(m->dataset);
	memset(m, 0, sizeof(*m));
}
