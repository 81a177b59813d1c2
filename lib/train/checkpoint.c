/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: one safetensors file with the values of every tensor and what
 * the optimiser and the averages keep beside them, and in its metadata the
 * step, the settings and a checksum.  It appears whole or not at all
 * (base/out.h).
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "quant/sink.h"
#include "train/trainer.h"

/* One array of one tensor, and its name in the file: "m/base_model. ..." */
struct piece {
	char		*name;
	float		*at;
	size_t		 n;
	enum peft_dtype	 dtype;		/* f32; u8: codes, four to a float */
};

static enum peft_dtype
dtype_of(const struct peft_trainer *t, int part, const struct peft_param *p)
{
	const struct peft_optimiser *o = t->opt.optimiser;

	return part >= 0 && o->coded != NULL && o->coded(p, part) ? PEFT_U8 :
	    PEFT_F32;
}

static size_t
elements(const struct piece *p)
{
	return p->n * sizeof(float) / peft_dtypes[p->dtype].bytes;
}

/* All of them; *n: how many.  To be freed with free_pieces. */
static struct piece *
make_pieces(const struct peft_trainer *t, size_t *n, struct peft_err *err)
{
	struct peft_trainarray a[PEFT_TRAINARRAYS];
	size_t narrays = peft_train_arrays(t, a), k, i, at;
	struct piece *p = peft_calloc(narrays * t->nparams, sizeof(*p), err);

	for (*n = 0, k = 0; p != NULL && k < narrays; k++)
		for (i = 0, at = 0; i < t->nparams; i++) {
			struct peft_buf b = { 0 };
			size_t floats = peft_train_floats(t, a[k].part,
			    &t->params[i]);

			if (floats == 0)
				continue;
			peft_buf_printf(&b, "%s/%s", a[k].name,
			    t->params[i].name);
			p[(*n)++] = (struct piece){ b.data, a[k].at + at,
			    floats, dtype_of(t, a[k].part, &t->params[i]) };
			at += floats;
		}
	return p;
}

static void
free_pieces(struct piece *p, size_t n)
{
	size_t i;

	for (i = 0; p != NULL && i < n; i++)
		free(p[i].name);
	free(p);
}

/* The numbers of a run that are in the metadata: counts, or reals. */
static const struct number {
	const char	*key;
	bool		 real;
	size_t		 at;		/* in struct peft_trainer */
} numbers[] = {
#define AT(field)	offsetof(struct peft_trainer, field)
	{ "peft.step", false, AT(step) },
	{ "peft.best_step", false, AT(best_step) },
	{ "peft.best_loss", true, AT(best_loss) },
	{ "peft.mean_loss", true, AT(mean_loss) },
	{ "peft.updates", false, AT(updates) },
	{ "peft.rate_most", true, AT(rate_most) },
	{ "peft.rate_sum", true, AT(rate_sum) },
	{ "peft.plateau_best", true, AT(plateau.best) },
	{ "peft.plateau_factor", true, AT(plateau.factor) },
	{ "peft.plateau_bad", false, AT(plateau.bad) },
#undef AT
};
enum { NNUMBER = sizeof(numbers) / sizeof(numbers[0]) };

struct said {
	char		 number[NNUMBER][40];
	const char	*settings;
};

/* Of all that a run goes on from: the arrays, and what is said of them. */
static void
checksum(const struct piece *p, size_t n, const struct said *s,
    char hex[PEFT_SHA256_HEX])
{
	struct peft_sha256 h;
	size_t k;

	peft_sha256_init(&h);
	for (k = 0; k < n; k++)
		peft_sha256_add(&h, p[k].at, p[k].n * sizeof(float));
	for (k = 0; k < NNUMBER; k++)
		peft_sha256_add(&h, s->number[k], strlen(s->number[k]) + 1);
	peft_sha256_add(&h, s->settings, strlen(s->settings) + 1);
	peft_sha256_hex(&h, hex);
}

static int
put_pieces(struct peft_sink *sink, struct piece *p, size_t n,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct peft_weight w = { .dtype = p[i].dtype, .ndim = 1,
		    .shape = { elements(&p[i]) }, .rows = 1,
		    .cols = elements(&p[i]), .nelem = elements(&p[i]),
		    .nbytes = p[i].n * sizeof(float), .data = p[i].at };
		struct peft_rows rows = { .raw = &w };

		if (peft_sink_put(sink, &rows, err) == -1)
			return -1;
	}
	return 0;
}

static struct peft_sink *
open_sink(const struct peft_trainer *t, const struct piece *p, size_t n,
    const char *const *meta, struct peft_err *err)
{
	struct peft_sinkopt o = { .path = t->opt.checkpoint, .force = true,
	    .kind = "checkpoint", .planned = true, .meta = meta };
	struct peft_spec *s = peft_calloc(n, sizeof(*s), err);
	struct peft_sink *sink;
	size_t i;

	if (s == NULL)
		return NULL;
	for (i = 0; i < n; i++)
		s[i] = (struct peft_spec){ .name = p[i].name,
		    .dtype = p[i].dtype, .ndim = 1,
		    .shape = { elements(&p[i]) } };
	sink = peft_sink_open(&o, s, n, NULL, 0, err);
	free(s);
	return sink;
}

/* FILE becomes FILE.1, FILE.1 becomes FILE.2, ... as many as are kept. */
static void
rotate(const struct peft_trainer *t)
{
	size_t i;

	for (i = t->opt.keep - 1; i > 0; i--) {
		struct peft_buf from = { 0 }, to = { 0 };

		peft_buf_puts(&from, t->opt.checkpoint);
		if (i > 1)
			peft_buf_printf(&from, ".%zu", i - 1);
		peft_buf_printf(&to, "%s.%zu", t->opt.checkpoint, i);
		if (from.failed || to.failed)
			;
		else if (i > 1)
			(void)rename(from.data, to.data);
		else {			/* there is a FILE at all times */
			(void)unlink(to.data);
			(void)link(from.data, to.data);
		}
		peft_buf_free(&from);
		peft_buf_free(&to);
	}
}

static void
say(const struct peft_trainer *t, struct said *s)
{
	size_t i;

	for (i = 0; i < NNUMBER; i++) {
		const void *at = (const char *)t + numbers[i].at;

		if (numbers[i].real)
			snprintf(s->number[i], sizeof(s->number[i]), "%a",
			    *(const double *)at);
		else
			snprintf(s->number[i], sizeof(s->number[i]), "%zu",
			    *(const size_t *)at);
	}
}

int
peft_train_save(struct peft_trainer *t, struct peft_err *err)
{
	char hex[PEFT_SHA256_HEX];
	struct said s = { .settings = t->settings };
	const char *meta[2 * NNUMBER + 5] = { "peft.settings", t->settings,
	    "peft.checksum", hex };
	struct peft_sink *sink = NULL;
	struct piece *p;
	size_t n, i;
	int r = -1;

	say(t, &s);
	for (i = 0; i < NNUMBER; i++) {
		meta[4 + 2 * i] = numbers[i].key;
		meta[5 + 2 * i] = s.number[i];
	}
	if ((p = make_pieces(t, &n, err)) != NULL) {
		checksum(p, n, &s, hex);
		sink = open_sink(t, p, n, meta, err);
	}
	if (sink != NULL && put_pieces(sink, p, n, err) == -1)
		peft_sink_abort(sink);
	else if (sink != NULL) {
		rotate(t);
		r = peft_sink_commit(sink, err);
	}
	free_pieces(p, n);
	return r;
}

static int
read_piece(struct peft_source *s, const struct piece *p, struct peft_err *err)
{
	size_t index = peft_source_find(s, p->name);
	struct peft_weight w;

	if (index == SIZE_MAX)
		return peft_seterr(err, "%s is missing", p->name);
	if (peft_source_load(s, index, &w, err) == -1)
		return -1;
	if (w.dtype != p->dtype || w.nelem != elements(p))
		return peft_seterr(err, "%s has another shape", p->name);
	memcpy(p->at, w.data, w.nbytes);
	return 0;
}

static int
read_said(const struct peft_source *s, struct said *said, const char **sum,
    struct peft_err *err)
{
	size_t i;

	said->settings = peft_source_meta(s, "peft.settings");
	*sum = peft_source_meta(s, "peft.checksum");
	for (i = 0; i < NNUMBER; i++) {
		const char *v = peft_source_meta(s, numbers[i].key);

		if (v == NULL || strlen(v) >= sizeof(said->number[i]) ||
		    said->settings == NULL || *sum == NULL)
			return peft_seterr(err, "not a checkpoint");
		memcpy(said->number[i], v, strlen(v) + 1);
	}
	return 0;
}

static int
read_pieces(struct peft_trainer *t, struct peft_source *s,
    const struct said *said, const char *sum, struct peft_err *err)
{
	char hex[PEFT_SHA256_HEX];
	size_t n, i;
	struct piece *p = make_pieces(t, &n, err);
	int r = p == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < n; i++)
		r = read_piece(s, &p[i], err);
	if (r == 0) {
		checksum(p, n, said, hex);
		if (strcmp(hex, sum) != 0)
			r = peft_seterr(err, "its checksum does not fit: the "
			    "file is damaged");
	}
	free_pieces(p, n);
	return r;
}

static int
restore(struct peft_trainer *t, struct peft_source *s, struct peft_err *err)
{
	struct said said;
	const char *sum;
	bool same_plan;
	size_t i;

	if (read_said(s, &said, &sum, err) == -1 ||
	    peft_train_compare(said.settings,
	    t->settings, &same_plan, err) == -1 ||
	    read_pieces(t, s, &said, sum, err) == -1)
		return -1;
	for (i = 0; i < NNUMBER; i++) {
		void *at = (char *)t + numbers[i].at;

		if (numbers[i].real)
			*(double *)at = strtod(said.number[i], NULL);
		else
			*(size_t *)at = strtoull(said.number[i], NULL, 10);
	}
	return !same_plan;
}

int
peft_trainer_restore(struct peft_trainer *t, size_t *step,
    struct peft_err *err)
{
	struct peft_source *s;
	int r;

	if (t->opt.checkpoint == NULL)
		return peft_seterr(err, "there is no checkpoint to go on from");
	if ((s = peft_source_open(t->opt.checkpoint, err)) == NULL)
		return -1;
	r = restore(t, s, err);
	peft_source_close(s);
	if (r == -1)
		return peft_errprefix(err, "%s", t->opt.checkpoint);
	*step = t->step;
	return r;
}
