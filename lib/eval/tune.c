/* SPDX-License-Identifier: Apache-2.0 */
/* Beyond conversion: types for a size, residuals, comparisons. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/fisher.h"
#include "eval/tune.h"

struct peft_tune {
	const struct peft_tuneopt *opt;
	struct peft_residual	*residual;
	struct peft_fitted	 fitted;
	struct peft_likeness	 likeness, calibrated;
	size_t			 tokens;	/* that calibrate */
	bool			 tell_fit, tell_residual, tell_likeness;
	bool			 tell_calibrated;
};

/* What the size of an output depends on. */
struct frame {
	const struct peft_sinkopt *sink;
	const struct peft_source  *src;
};

static int
size_of(void *ctx, const struct peft_spec *specs, size_t n, size_t *bytes,
    struct peft_err *err)
{
	const struct frame *f = ctx;
	const struct peft_side *sides;
	size_t nsides;

	if (peft_source_sides(f->src, &sides, &nsides, err) == -1)
		return -1;
	return peft_sink_size(f->sink, specs, n, sides, nsides, bytes, err);
}

static int
fit(struct peft_tune *t, struct peft_source *src,
    const struct peft_convertopt *convert, const struct peft_sinkopt *sink,
    struct peft_spec *specs, size_t n, struct peft_err *err)
{
	const struct peft_tuneopt *opt = t->opt;
	struct frame frame = { sink, src };
	struct peft_fitopt o = { .budget = opt->fit, .ntypes = opt->ntypes,
	    .threads = opt->threads, .size = size_of, .ctx = &frame };
	struct peft_fisher fisher = { 0 };
	int r;

	memcpy(o.types, opt->types, sizeof(o.types));
	if (opt->calibrate != NULL) {
		if (peft_fisher(opt->model, opt->calibrate, opt->threads,
		    &fisher, err) == -1)
			return -1;
		t->tokens = fisher.tokens;
		o.sens = fisher.at;
	}
	r = peft_fit(src, convert, &o, specs, n, &t->fitted, err);
	peft_fisher_free(&fisher);
	t->tell_fit = r == 0;
	return r;
}

/* An adapter whose base is not kept is not kept either. */
static void
remove_adapter(const char *path)
{
	static const char *const files[] = { "adapter_config.json",
	    "adapter_model.safetensors" };
	struct peft_buf b = { 0 };
	size_t i;

	if (unlink(path) == 0)
		return;
	for (i = 0; i < 2; i++) {
		peft_buf_clear(&b);
		peft_buf_printf(&b, "%s/%s", path, files[i]);
		if (!b.failed)
			(void)unlink(b.data);
	}
	peft_buf_free(&b);
	(void)rmdir(path);
}

static int
compare(struct peft_tune *t, const char *path, const char *tokens,
    struct peft_likeness *l, struct peft_err *err)
{
	struct peft_likenessopt o = { .before = t->opt->model, .after = path,
	    .adapter = t->residual == NULL ? NULL : t->opt->residual.path,
	    .tokens = tokens, .threads = t->opt->threads };

	return peft_likeness(&o, l, err);
}

/* A forecast by curvature is one for small errors: what came of it is
 * measured. */
static int
compare_all(struct peft_tune *t, const char *path, struct peft_err *err)
{
	const struct peft_tuneopt *o = t->opt;

	if (o->calibrate != NULL) {
		if (compare(t, path, o->calibrate, &t->calibrated, err) == -1)
			return -1;
		t->tell_calibrated = true;
	}
	if (o->verify == NULL)
		return 0;
	if (compare(t, path, o->verify, &t->likeness, err) == -1)
		return -1;
	t->tell_likeness = true;
	return peft_limits_check(&o->limits, peft_likeness_metric,
	    &t->likeness, "the records supervise nothing", err);
}

/* All is written and has no name yet. */
static int
look(void *ctx, const char *path, struct peft_err *err)
{
	struct peft_tune *t = ctx;

	if (t->residual != NULL) {
		if (peft_residual_save(t->residual, path, t->opt->threads,
		    err) == -1)
			return -1;
		t->tell_residual = true;
	}
	if (compare_all(t, path, err) == 0)
		return 0;
	if (t->residual != NULL)
		remove_adapter(t->opt->residual.path);
	return -1;
}

struct peft_tune *
peft_tune_open(const struct peft_tuneopt *opt, struct peft_source *src,
    const struct peft_convertopt *convert, struct peft_sinkopt *sink,
    struct peft_spec *specs, size_t n, struct peft_err *err)
{
	struct peft_tune *t = peft_calloc(1, sizeof(*t), err);

	if (t == NULL)
		return NULL;
	t->opt = opt;
	if ((opt->fit > 0 && fit(t, src, convert, sink, specs, n,
	    err) == -1) || (opt->residual.rank > 0 && (t->residual =
	    peft_residual_open(&opt->residual, src, specs, n,
	    err)) == NULL)) {
		peft_tune_close(t);
		return NULL;
	}
	if (t->residual != NULL || opt->verify != NULL ||
	    opt->calibrate != NULL)
		sink->check = (struct peft_check){ look, t };
	return t;
}

void
peft_tune_close(struct peft_tune *t)
{
	if (t != NULL)
		peft_residual_close(t->residual);
	free(t);
}

int
peft_tune_rows(struct peft_tune *t, size_t i, const struct peft_weight *w,
    struct peft_rows *rows, struct peft_residual_sums *sums,
    struct peft_err *err)
{
	*sums = (struct peft_residual_sums){ 0 };
	return t->residual == NULL ? 0 : peft_residual_take(t->residual, i, w,
	    rows, sums, err);
}

static void
tell_fit(const struct peft_tune *t, bool json, struct peft_buf *b)
{
	const struct peft_fitted *f = &t->fitted;

	if (json) {
		peft_buf_printf(b, "{\"fit\":{\"bytes\":%zu,\"budget\":%zu,"
		    "\"least\":%zu,\"weights\":%zu,\"cost\":%.6g", f->bytes,
		    t->opt->fit, f->least, f->free, f->cost);
		if (t->tokens > 0)
			peft_buf_printf(b, ",\"tokens\":%zu", t->tokens);
		peft_buf_puts(b, "}}\n");
		return;
	}
	peft_buf_printf(b, "fit: %zu bytes of %zu (%zu at least), types of "
	    "%zu weights chosen", f->bytes, t->opt->fit, f->least, f->free);
	if (t->tokens > 0)
		peft_buf_printf(b, "; by the curvature over %zu tokens KL "
		    "would be %.2g if that is small", t->tokens, f->cost);
	else
		peft_buf_printf(b, "; root mean square of their relative "
		    "errors %.3g", sqrt(f->cost / (double)f->free));
	peft_buf_putc(b, '\n');
}

static void
tell_residual(const struct peft_tune *t, bool json, struct peft_buf *b)
{
	struct peft_residual_sums s = peft_residual_total(t->residual);
	double value2 = s.value2 > 0 ? s.value2 : 1;

	peft_buf_printf(b, json ? "{\"residual\":{\"weights\":%zu,\"rank\":"
	    "%zu,\"rms_before\":%.6g,\"rms\":%.6g}}\n" : "residual: of %zu "
	    "weights, in rank %zu; relative error %.4g without the adapter, "
	    "%.4g with it\n", s.weights, t->opt->residual.rank,
	    sqrt(s.before2 / value2), sqrt(s.after2 / value2));
}

static void
tell_calibrated(const struct peft_tune *t, bool json, struct peft_buf *b)
{
	const struct peft_likeness *l = &t->calibrated;

	peft_buf_printf(b, json ? "{\"calibrated\":{\"positions\":%zu,"
	    "\"kl\":%.6g,\"forecast\":%.6g,\"top1\":%.6g}}\n" :
	    "calibrated: over %zu positions KL is %.4g (the forecast was "
	    "%.2g), the likeliest token the same in %.4g\n", l->positions,
	    l->kl, t->fitted.cost, l->top1);
}

static void
tell_likeness(const struct peft_likeness *l, bool json, struct peft_buf *b)
{
	peft_buf_printf(b, json ? "{\"verify\":{\"positions\":%zu,\"kl\":%.6g,"
	    "\"max_kl\":%.6g,\"top1\":%.6g" : "verify: over %zu positions KL "
	    "is %.4g (largest %.4g), the likeliest token the same in %.4g",
	    l->positions, l->kl, l->max_kl, l->top1);
	if (l->tokens > 0)
		peft_buf_printf(b, json ? ",\"tokens\":%zu,\"loss_before\":"
		    "%.6g,\"loss\":%.6g" : "; over %zu supervised tokens the "
		    "loss was %.4f and is %.4f", l->tokens, l->loss_before,
		    l->loss_after);
	peft_buf_puts(b, json ? "}}\n" : "\n");
}

void
peft_tune_tell(struct peft_tune *t, bool json, struct peft_buf *b)
{
	if (t->tell_fit)
		tell_fit(t, json, b);
	if (t->tell_residual)
		tell_residual(t, json, b);
	if (t->tell_calibrated)
		tell_calibrated(t, json, b);
	if (t->tell_likeness)
		tell_likeness(&t->likeness, json, b);
	t->tell_fit = t->tell_residual = t->tell_likeness = false;
	t->tell_calibrated = false;
}
