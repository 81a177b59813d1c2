/* SPDX-License-Identifier: Apache-2.0 */
/* Weights out of their parts, and back. */

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tensor/maps.h"
#include "tensor/source-impl.h"

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

/* Scales must be numbers, and not below `least'.  (What they stand for would
 * not be: this is bad input, not numbers that went wrong.) */
static int
check_list(const struct peft_weight *w, const float *x, size_t n, float least,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; x != NULL && i < n; i++) {
		if (!isfinite(x[i]))
			return peft_seterr(err, "the scales of %s are not "
			    "finite: scale %zu is %s", w->name, i,
			    isnan(x[i]) ? "NaN" : "infinite");
		if (x[i] < least)
			return peft_seterr(err, "scale %zu of %s is %g, which "
			    "no scale of %s is", i, w->name, (double)x[i],
			    peft_dtypes[w->dtype].name);
	}
	return 0;
}

/* bitsandbytes': the largest magnitude of a block, which may be 0. */
static int
check_absmax(const struct peft_weight *w, const float *map,
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
	return check_list(w, sc->absmax, sc->nabsmax, 0, err) == -1 ||
	    check_list(w, sc->nested_absmax, sc->nnested, 0, err) == -1 ?
	    -1 : check_list(w, sc->nested_map, 256, -1, err);
}

/* An 8-bit float was divided by its scale.  Those of whole numbers may have
 * any sign (AutoRound's do), and 0 is what is left of very small ones. */
static int
check_grouped(const struct peft_weight *w, struct peft_err *err)
{
	bool f8 = w->dtype == PEFT_F8G_E4M3 || w->dtype == PEFT_F8G_E5M2;

	return check_list(w, w->scales.absmax, w->scales.nabsmax, f8 ?
	    FLT_TRUE_MIN : -FLT_MAX, err);
}

int
peft_source_assemble(struct peft_source *s, struct peft_whole *w,
    struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	const void *p[PEFT_NPART];
	int i;

	for (i = 0; i < PEFT_NPART; i++)
		if (part_bytes(s, w, i, &p[i], err) == -1)
			return -1;
	if (w->slice.step > 0)
		return peft_source_slice(s, w, p, err);
	if (w->part[PEFT_SECOND] != PEFT_NONE)
		return peft_latent_join(s, w, p, err);
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
		if (check_absmax(&w->w, p[PEFT_QUANT_MAP], err) == -1)
			return -1;
	}
	if (w->packing != PEFT_PACK_NONE)
		return peft_source_repack(s, w, p, err) == -1 ? -1 :
		    check_grouped(&w->w, err);
	return s->raws[w->part[PEFT_DATA]].order.heads > 0 ||
	    s->raws[w->part[PEFT_DATA]].order.plus_one ?
	    permute(s, w, err) : 0;
}

void
peft_source_drop_pages(struct peft_source *s, const struct peft_whole *w)
{
	const struct peft_raw *raw = &s->raws[w->part[PEFT_DATA]];
	const struct peft_file *f = &s->files[raw->file];
	/* a fault brings in the pages around it, too */
	size_t page = 4096, from = raw->at / 65536 * 65536;
	size_t end = (raw->at + raw->nbytes) / page * page;

	if (f->map != NULL && !f->heap && end > from)
		(void)madvise((void *)(uintptr_t)(f->map + from), end - from,
		    MADV_DONTNEED);
}

void
peft_source_give_up(struct peft_source *s, struct peft_whole *w,
    bool handed_out)
{
	int p;

	for (p = 0; p < PEFT_NPART; p++) {
		struct peft_raw *raw;

		if (w->part[p] == PEFT_NONE)
			continue;
		raw = &s->raws[w->part[p]];
		if (handed_out || s->files[raw->file].map != NULL) {
			free(raw->copy);
			raw->copy = NULL;
		}
	}
	free(w->permuted);
	free(w->tables);
	w->permuted = w->tables = NULL;
	w->w.data = NULL;
}
