/* SPDX-License-Identifier: Apache-2.0 */
/* What a source hands out. */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tensor/maps.h"
#include "tensor/source-impl.h"

void
peft_source_close(struct peft_source *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nwholes; i++)
		free(s->wholes[i].permuted);
	for (i = 0; i < s->nraws; i++) {
		free(s->raws[i].name);
		free(s->raws[i].copy);
	}
	for (i = 0; i < s->nfiles; i++) {
		struct peft_file *f = &s->files[i];

		if (f->heap)
			free((void *)(uintptr_t)f->map);
		else if (f->map != NULL)
			munmap((void *)(uintptr_t)f->map, f->len);
		free(f->label);
	}
	for (i = 0; i < s->nmeta; i++) {
		free(s->meta[i].key);
		free(s->meta[i].value);
	}
	if (s->opened != NULL)
		fclose(s->opened);
	peft_map_free(&s->raw_index);
	peft_map_free(&s->weight_index);
	peft_sides_free(&s->sides);
	free(s->wholes);
	free(s->raws);
	free(s->files);
	free(s->meta);
	free(s->label);
	free(s);
}

const char *
peft_source_label(const struct peft_source *s)
{
	return s->label;
}

enum peft_kind
peft_source_kind(const struct peft_source *s)
{
	return s->kind;
}

bool
peft_source_is_adapter(const struct peft_source *s)
{
	return peft_sides_find(&s->sides, "adapter_config.json") != NULL;
}

size_t
peft_source_nsides(const struct peft_source *s)
{
	return s->sides.n;
}

const struct peft_side *
peft_source_side_at(const struct peft_source *s, size_t i)
{
	return &s->sides.at[i];
}

const struct peft_side *
peft_source_side(const struct peft_source *s, const char *name)
{
	return peft_sides_find(&s->sides, name);
}

const char *
peft_source_meta(const struct peft_source *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->nmeta; i++)
		if (strcmp(s->meta[i].key, key) == 0)
			return s->meta[i].value;
	return NULL;
}

size_t
peft_source_nmeta(const struct peft_source *s)
{
	return s->nmeta;
}

void
peft_source_meta_at(const struct peft_source *s, size_t i, const char **key,
    const char **value)
{
	*key = s->meta[i].key;
	*value = s->meta[i].value;
}

size_t
peft_source_count(const struct peft_source *s)
{
	return s->nwholes;
}

const struct peft_weight *
peft_source_at(const struct peft_source *s, size_t i)
{
	return &s->wholes[i].w;
}

size_t
peft_source_find(const struct peft_source *s, const char *name)
{
	const size_t *i = peft_map_find(&s->weight_index, name, strlen(name));

	return i == NULL ? SIZE_MAX : *i;
}

/* Bytes of a part, at an address its type can be read at: what lies askew in
 * the file is copied. */
static int
part_bytes(struct peft_source *s, const struct peft_whole *w,
    enum peft_part part, const void **out, struct peft_err *err)
{
	struct peft_raw *raw;
	const uint8_t *p;
	size_t align;

	*out = NULL;
	if (w->part[part] == PEFT_NONE)
		return 0;
	raw = &s->raws[w->part[part]];
	p = peft_source_bytes(s, raw);
	align = peft_dtypes[raw->dtype].block > 1 ? 1 :
	    peft_dtypes[raw->dtype].bytes;
	if ((uintptr_t)p % align != 0) {
		if ((raw->copy = malloc(raw->nbytes)) == NULL)
			return peft_seterr(err, "tensor %s: no memory for %zu "
			    "bytes", raw->name, raw->nbytes);
		p = memcpy(raw->copy, p, raw->nbytes);
	}
	*out = p;
	return 0;
}

/* Norms that are stored as 1 + weight: the weight. */
static void
less_one(float *to, const uint8_t *from, size_t n)
{
	size_t i;

	memcpy(to, from, n * sizeof(*to));
	for (i = 0; i < n; i++)
		to[i] -= 1;
}

/* Rows back into Hugging Face's order, values to what they are there. */
static int
permute(struct peft_source *s, struct peft_whole *w, struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[w->part[PEFT_DATA]];
	size_t rows = raw->shape[0], bytes = raw->nbytes / rows, r;
	const uint8_t *from = w->w.data;

	if (w->permuted == NULL &&
	    (w->permuted = malloc(raw->nbytes)) == NULL)
		return peft_seterr(err, "tensor %s: no memory for %zu bytes",
		    raw->name, raw->nbytes);
	if (raw->order.plus_one)
		less_one((float *)(void *)w->permuted, from, w->w.nelem);
	for (r = 0; r < rows && raw->order.heads > 0; r++)
		memcpy(w->permuted + r * bytes, from + peft_permute_to_gguf(r,
		    rows, &raw->order) * bytes, bytes);
	w->w.data = w->permuted;
	return 0;
}

static bool
all_finite(const float *x, size_t n)
{
	size_t i;

	for (i = 0; x != NULL && i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static int
check_scales(const struct peft_weight *w, const float *map,
    struct peft_err *err)
{
	const float *known = w->dtype == PEFT_NF4 ? peft_nf4_map :
	    peft_fp4_map;
	const struct peft_scales *sc = &w->scales;
	size_t i;

	for (i = 0; map != NULL && i < 16; i++)
		if (!(map[i] == known[i]))
			return peft_seterr(err, "%s.quant_map is not the table "
			    "of %s", w->name, peft_dtypes[w->dtype].name);
	if (!all_finite(sc->absmax, sc->nabsmax) ||
	    !all_finite(sc->nested_absmax, sc->nnested) ||
	    !all_finite(sc->nested_map, 256) ||
	    (sc->nested_map != NULL && !isfinite(sc->nested_offset)))
		return peft_setfail(err, PEFT_NUMERIC, "the scales of %s are "
		    "not finite", w->name);
	return 0;
}

/* All parts are at hand: set the pointers of w->w. */
static int
assemble(struct peft_source *s, struct peft_whole *w, struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	const void *p[PEFT_NPART];
	int i;

	for (i = 0; i < PEFT_NPART; i++)
		if (part_bytes(s, w, i, &p[i], err) == -1)
			return -1;
	w->w.data = p[PEFT_DATA];
	if (p[PEFT_FORMAT] != NULL && *(const uint8_t *)p[PEFT_FORMAT] != 0)
		return peft_seterr(err, "%s: weight_format %u is not known "
		    "(0: row)", w->w.name, *(const uint8_t *)p[PEFT_FORMAT]);
	if (w->w.dtype == PEFT_NF4 || w->w.dtype == PEFT_FP4 ||
	    w->w.dtype == PEFT_INT8) {
		if (sc->nested_blocksize > 0)
			sc->qabsmax = p[PEFT_ABSMAX];
		else
			sc->absmax = p[PEFT_ABSMAX];
		sc->nested_absmax = p[PEFT_NESTED_ABSMAX];
		sc->nested_map = p[PEFT_NESTED_MAP];
		if (check_scales(&w->w, p[PEFT_QUANT_MAP], err) == -1)
			return -1;
	}
	return s->raws[w->part[PEFT_DATA]].order.heads > 0 ||
	    s->raws[w->part[PEFT_DATA]].order.plus_one ?
	    permute(s, w, err) : 0;
}

int
peft_source_load(struct peft_source *s, size_t i, struct peft_weight *out,
    struct peft_err *err)
{
	struct peft_whole *w = &s->wholes[i];

	if (peft_source_drain(s, err) == -1)
		return -1;
	if (w->w.data == NULL && assemble(s, w, err) == -1)
		return peft_errprefix(err, "%s", s->label);
	*out = w->w;
	return 0;
}

/* Give back what _next handed out: memory, and the pages of a mapping. */
static void
drop_current(struct peft_source *s)
{
	struct peft_whole *w = s->current;
	int p;

	if (w == NULL)
		return;
	for (p = 0; p < PEFT_NPART; p++) {
		struct peft_raw *raw;

		if (w->part[p] == PEFT_NONE)
			continue;
		raw = &s->raws[w->part[p]];
		free(raw->copy);
		raw->copy = NULL;
	}
	free(w->permuted);
	w->permuted = NULL;
	w->w.data = NULL;
	s->current = NULL;
}

/* Mapped pages count as resident memory until they are given up. */
static void
drop_pages(struct peft_source *s, const struct peft_whole *w)
{
	const struct peft_raw *raw = &s->raws[w->part[PEFT_DATA]];
	const struct peft_file *f = &s->files[raw->file];
	size_t page = 4096, from = raw->at / page * page;
	size_t end = (raw->at + raw->nbytes) / page * page;

	if (f->map != NULL && !f->heap && end > from)
		(void)madvise((void *)(uintptr_t)(f->map + from), end - from,
		    MADV_DONTNEED);
}

/* Raw tensors from the pipe until a weight is complete. */
static int
next_from_pipe(struct peft_source *s, struct peft_err *err)
{
	while (s->next < s->nraws) {
		struct peft_raw *raw = &s->raws[s->next++];
		struct peft_whole *w = &s->wholes[raw->weight];

		if (peft_source_read_pipe(s, raw, err) == -1)
			return -1;
		/* the state came with the head */
		if (--w->missing == (w->part[PEFT_QUANT_STATE] != PEFT_NONE)) {
			s->current = w;
			return 1;
		}
	}
	return peft_source_end_pipe(s, err);
}

int
peft_source_next(struct peft_source *s, struct peft_weight *out,
    struct peft_err *err)
{
	int r = 1;

	if (s->current != NULL && s->pipe == NULL)
		drop_pages(s, s->current);
	drop_current(s);
	s->started = true;
	if (s->pipe != NULL)
		r = next_from_pipe(s, err);
	else if (s->next == s->nwholes)
		r = 0;
	else
		s->current = &s->wholes[s->next++];
	if (r != 1)
		return r;
	if (assemble(s, s->current, err) == -1)
		return peft_errprefix(err, "%s", s->label);
	*out = s->current->w;
	return 1;
}

int
peft_source_finish(struct peft_source *s, struct peft_err *err)
{
	struct peft_weight w;
	int r = s->pipe != NULL ? 1 : 0;

	while (r == 1)
		r = peft_source_next(s, &w, err);
	return r;
}
