/* SPDX-License-Identifier: Apache-2.0 */
/* Where weights go: opening, putting, committing. */

#include <stdlib.h>
#include <string.h>

#include "quant/quant.h"
#include "quant/sink-impl.h"

static int
copy_specs(struct peft_sink *k, const struct peft_spec *s, size_t n,
    struct peft_err *err)
{
	k->specs = peft_calloc(n, sizeof(*s), err);
	k->weights = peft_calloc(n, sizeof(*k->weights), err);
	k->turn = peft_calloc(n + 1, sizeof(*k->turn), err);
	if (k->specs == NULL || k->weights == NULL || k->turn == NULL)
		return -1;
	for (; k->n < n; k->n++) {
		struct peft_spec *to = &k->specs[k->n];

		*to = s[k->n];
		if ((to->name = peft_strdup(s[k->n].name, err)) == NULL)
			return -1;
		if ((to->dtype == PEFT_NF4 || to->dtype == PEFT_FP4) &&
		    to->blocksize == 0)
			to->blocksize = 64;
	}
	return 0;
}

static int
copy_sides(struct peft_sink *k, const struct peft_side *s, size_t n,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct peft_buf b = { 0 };

		peft_buf_put(&b, s[i].data, s[i].len);
		if (peft_sides_add(&k->sides, s[i].name, &b, err) == -1)
			return -1;
	}
	return 0;
}

static int
check_types(const struct peft_sink *k, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < k->n && k->kind != PEFT_OUT_GGUF; i++) {
		enum peft_dtype t = k->specs[i].dtype;

		if (peft_dtypes[t].st == NULL && !peft_is_coded(t))
			return peft_seterr(err, "weight %s: type %s exists in "
			    "GGUF only (-o NAME.gguf)", k->specs[i].name,
			    peft_dtypes[t].name);
	}
	return 0;
}

static void
release(struct peft_sink *k)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		free((char *)(uintptr_t)k->specs[i].name);
	peft_out_abort(k->out);
	peft_outdir_abort(k->dir);
	peft_sides_free(&k->sides);
	free(k->specs);
	free(k->turn);
	free(k->joint);
	free(k->slab.at);
	free(k->shard);
	free(k->places);
	free(k->begun);
	free(k->weights);
	(void)XXH3_freeState(k->sum);
	free(k->path);
	peft_pool_close(k->pool);
	free(k->rows);
	free(k->bytes);
	free(k->absmax);
	free(k);
}

int
peft_sink_blame(const struct peft_sink *k, struct peft_err *err)
{
	return k->opt.from == NULL ? -1 :
	    peft_errprefix(err, "%s", k->opt.from);
}

static int
open_file(struct peft_sink *k, struct peft_err *err)
{
	if ((k->out = peft_out_open(k->path, k->opt.force, err)) == NULL)
		return -1;
	k->fp = peft_out_fp(k->out);
	k->label = peft_out_label(k->out);
	return k->kind == PEFT_OUT_GGUF ? peft_sink_open_gguf(k, err) :
	    peft_sink_st_head(k, 0, k->n, true, err);
}

struct peft_sink *
peft_sink_prepare(const struct peft_sinkopt *opt,
    const struct peft_spec *specs, size_t nspecs,
    const struct peft_side *sides, size_t nsides, struct peft_err *err)
{
	struct peft_sink *k = peft_calloc(1, sizeof(*k), err);

	if (k == NULL)
		return NULL;
	k->opt = *opt;
	k->kind = peft_sink_kind(opt);
	k->label = "output";
	if (opt->shard > 0 && k->kind != PEFT_OUT_FOLDER) {
		peft_setfail(err, PEFT_USAGE, "--shard is for folders");
		goto fail;
	}
	if ((k->sum = XXH3_createState()) == NULL) {
		peft_seterr(err, "no memory");
		goto fail;
	}
	(void)XXH3_64bits_reset(k->sum);
	if (opt->path != NULL && (k->path = peft_strdup(opt->path,
	    err)) == NULL)
		goto fail;
	if (k->path != NULL)
		k->label = k->path;
	if (copy_specs(k, specs, nspecs, err) == -1 ||
	    copy_sides(k, sides, nsides, err) == -1 ||
	    check_types(k, err) == -1 || peft_sink_turn_all(k, err) == -1 ||
	    peft_sink_join(k, err) == -1)
		goto fail;
	if (peft_sink_fix_config(k, err) == -1) {
		peft_sink_blame(k, err);
		goto fail;
	}
	return k;
fail:
	release(k);
	return NULL;
}

struct peft_sink *
peft_sink_open(const struct peft_sinkopt *opt, const struct peft_spec *specs,
    size_t nspecs, const struct peft_side *sides, size_t nsides,
    struct peft_err *err)
{
	struct peft_sink *k = peft_sink_prepare(opt, specs, nspecs, sides,
	    nsides, err);

	if (k == NULL)
		return NULL;
	if ((opt->threads > 1 && (k->pool = peft_pool_open(opt->threads,
	    err)) == NULL) || (k->kind == PEFT_OUT_FOLDER ?
	    peft_sink_open_folder(k, err) : open_file(k, err)) == -1) {
		release(k);
		return NULL;
	}
	return k;
}

int
peft_sink_put(struct peft_sink *k, const struct peft_rows *rows,
    struct peft_err *err)
{
	const struct peft_spec *s = &k->specs[k->next];
	struct peft_written *w = &k->weights[k->next];
	size_t before;
	struct peft_rows made;
	int r;

	if (k->next == k->n)
		return peft_seterr(err, "more weights than were announced");
	if (k->kind == PEFT_OUT_FOLDER && k->next > 0 &&
	    peft_sink_next_shard(k, err) == -1)
		return -1;
	if (k->kind == PEFT_OUT_GGUF && peft_sink_seek(k, err) == -1)
		return -1;
	before = k->written;		/* behind the shard's head */
	w->shard = k->shard != NULL ? k->shard[k->next] : 0;
	w->begin = (uint64_t)ftello(k->fp);	/* of a pipe: not looked at */
	(void)XXH3_64bits_reset(k->sum);
	if (k->joint[k->next].each > 0)
		r = peft_sink_put_joined(k, rows, err);
	else if ((r = peft_sink_remake(k, k->next, rows, &made, err)) == 0) {
		r = peft_sink_encode(k, s, &made, err);
		peft_sink_remade_free(&made);
	}
	if (r == -1)
		return peft_errprefix(err, "weight %s", s->name);
	w->end = w->begin + (k->written - before);
	w->sum = XXH3_64bits_digest(k->sum);
	if (k->kind == PEFT_OUT_GGUF && peft_gguf_pad(k->fp, k->label,
	    k->places[k->next].whole, err) == -1)
		return -1;
	k->next++;
	return 0;
}

/* What a reader makes of it is what counts. */
static int
read_back(void *ctx, const char *path, struct peft_err *err)
{
	const struct peft_sink *k = ctx;
	struct peft_source *s = peft_source_open(path, err);
	size_t n = k->n + k->more + k->opt.beside;
	int r = 0;

	if (s == NULL || peft_source_count(s) != n)
		r = s == NULL ? -1 : peft_seterr(err, "%zu weights were "
		    "written, %zu can be read", n, peft_source_count(s));
	peft_source_close(s);
	if (r == 0)
		r = peft_sink_check(k, path, err);
	if (r == -1)
		return peft_errprefix(err, "%s, as it was written", k->label);
	return k->opt.check.fn == NULL ? 0 :
	    k->opt.check.fn(k->opt.check.ctx, path, err);
}

int
peft_sink_commit(struct peft_sink *k, struct peft_err *err)
{
	struct peft_check check = { read_back, k };
	int r = 0;

	if (k->next != k->n)
		r = peft_seterr(err, "weight %s was announced and not written",
		    k->specs[k->next].name);
	else if (k->kind == PEFT_OUT_FOLDER) {
		r = peft_outdir_commit_checked(k->dir, &check, err);
		k->dir = NULL;
	} else {
		r = peft_out_commit_checked(k->out, &check, err);
		k->out = NULL;
	}
	release(k);
	return r;
}

void
peft_sink_abort(struct peft_sink *k)
{
	if (k != NULL)
		release(k);
}

static int
rows_of_weight(void *ctx, size_t first, size_t n, float *dst,
    struct peft_err *err)
{
	const struct peft_weight *w = ctx;

	(void)err;
	peft_decode(w, first * w->cols, n * w->cols, dst);
	return 0;
}

struct peft_rows
peft_rows_of(const struct peft_weight *w)
{
	return (struct peft_rows){ .get = rows_of_weight,
	    .ctx = (void *)(uintptr_t)w, .raw = w, .shared = true };
}

static int
rows_of_passing(void *ctx, size_t first, size_t n, float *dst,
    struct peft_err *err)
{
	const struct peft_passing *p = ctx;

	return rows_of_weight((void *)(uintptr_t)&p->w, first, n, dst, err);
}

static void
passed(void *ctx, size_t first, size_t n)
{
	const struct peft_passing *p = ctx;
	size_t row = p->w.nbytes / (p->w.rows > 0 ? p->w.rows : 1);

	peft_source_passed(p->source, p->i, first * row, (first + n) * row);
}

struct peft_rows
peft_rows_passing(const struct peft_passing *p)
{
	return (struct peft_rows){ .get = rows_of_passing,
	    .ctx = (void *)(uintptr_t)p, .raw = &p->w, .shared = true,
	    .passed = passed };
}

struct peft_spec
peft_spec_of(const struct peft_weight *w)
{
	struct peft_spec s = { .name = w->name, .dtype = w->dtype,
	    .ndim = w->ndim, .turned = w->turned, .cols = w->cols,
	    .blocksize = w->scales.blocksize,
	    .nested = w->scales.qabsmax != NULL ||
	    w->scales.nested_blocksize > 0,
	    .orig = w->scales.blocksize > 0 ? w->scales.orig : w->dtype };

	memcpy(s.shape, w->shape, sizeof(s.shape));
	return s;
}
