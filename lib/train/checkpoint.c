/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: one safetensors file with the values, both moments and the
 * best values of every tensor, and in its metadata the step, the settings
 * and a checksum.  It appears whole or not at all (base/out.h).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "quant/sink.h"
#include "train/trainer.h"

/* The four arrays of a tensor, and the prefixes of their names. */
static const char *const kinds[] = { "value/", "m/", "v/", "best/" };

static size_t
nkinds(const struct peft_trainer *t)
{
	return t->best != NULL ? 4 : 3;
}

static float *
array_of(const struct peft_trainer *t, size_t kind)
{
	/* values lie end to end, as the moments do */
	return kind == 0 ? t->params[0].value : kind == 1 ? t->m :
	    kind == 2 ? t->v : t->best;
}

/* Of all that a run goes on from: the arrays, and what is said of them. */
static void
checksum(const struct peft_trainer *t, const char *step, const char *best_step,
    const char *best_loss, char hex[PEFT_SHA256_HEX])
{
	const char *said[] = { step, t->settings, best_step, best_loss };
	struct peft_sha256 h;
	size_t k;

	peft_sha256_init(&h);
	for (k = 0; k < nkinds(t); k++)
		peft_sha256_add(&h, array_of(t, k), t->nvalues *
		    sizeof(float));
	for (k = 0; k < sizeof(said) / sizeof(said[0]); k++)
		peft_sha256_add(&h, said[k], strlen(said[k]) + 1);
	peft_sha256_hex(&h, hex);
}

/* A row source over an array that is at hand. */
struct piece {
	const float	*at;
	size_t		 cols;
};

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct piece *p = ctx;

	(void)err;
	memcpy(dst, p->at + first * p->cols, n * p->cols * sizeof(*dst));
	return 0;
}

static int
put_arrays(const struct peft_trainer *t, struct peft_sink *sink,
    struct peft_err *err)
{
	size_t k, i, at;

	for (k = 0; k < nkinds(t); k++)
		for (i = 0, at = 0; i < t->nparams; at += t->params[i++].n) {
			struct piece p = { array_of(t, k) + at,
			    t->params[i].n };
			struct peft_rows rows = { .get = get, .ctx = &p };

			if (peft_sink_put(sink, &rows, err) == -1)
				return -1;
		}
	return 0;
}

static struct peft_spec *
make_specs(const struct peft_trainer *t, size_t *n, struct peft_err *err)
{
	struct peft_spec *s;
	size_t k, i;

	*n = nkinds(t) * t->nparams;
	if ((s = peft_calloc(*n, sizeof(*s), err)) == NULL)
		return NULL;
	for (k = 0; k < nkinds(t); k++)
		for (i = 0; i < t->nparams; i++) {
			struct peft_buf b = { 0 };

			peft_buf_printf(&b, "%s%s", kinds[k],
			    t->params[i].name);
			s[k * t->nparams + i] = (struct peft_spec){
			    .name = b.data, .dtype = PEFT_F32, .ndim = 1,
			    .shape = { t->params[i].n } };
		}
	return s;
}

static void
free_specs(struct peft_spec *s, size_t n)
{
	size_t i;

	for (i = 0; s != NULL && i < n; i++)
		free((char *)(uintptr_t)s[i].name);
	free(s);
}

int
peft_train_save(struct peft_trainer *t, struct peft_err *err)
{
	char step[32], best_step[32], best_loss[40], hex[PEFT_SHA256_HEX];
	const char *meta[] = { "peft.step", step, "peft.settings",
	    t->settings, "peft.best_step", best_step, "peft.best_loss",
	    best_loss, "peft.checksum", hex, NULL };
	struct peft_sinkopt o = { .path = t->opt.checkpoint, .force = true,
	    .kind = "checkpoint", .meta = meta };
	struct peft_sink *sink = NULL;
	struct peft_spec *specs;
	size_t n;

	snprintf(step, sizeof(step), "%zu", t->step);
	snprintf(best_step, sizeof(best_step), "%zu", t->best_step);
	snprintf(best_loss, sizeof(best_loss), "%a", t->best_loss);
	checksum(t, step, best_step, best_loss, hex);
	if ((specs = make_specs(t, &n, err)) != NULL)
		sink = peft_sink_open(&o, specs, n, NULL, 0, err);
	free_specs(specs, n);
	if (sink == NULL)
		return -1;
	if (put_arrays(t, sink, err) == -1) {
		peft_sink_abort(sink);
		return -1;
	}
	return peft_sink_commit(sink, err);
}

/* Name the first setting in which two runs differ. */
static int
differ(const char *was, const char *is, struct peft_err *err)
{
	cJSON *a = peft_json(was, strlen(was), err);
	cJSON *b = peft_json(is, strlen(is), err);
	const cJSON *e;
	const char *key = "its settings";

	for (e = b == NULL ? NULL : b->child; e != NULL; e = e->next)
		if (!cJSON_Compare(e, peft_json_get(a, e->string), true)) {
			key = e->string;
			break;
		}
	peft_setfail(err, PEFT_CHECK, "the checkpoint is of a run that differs "
	    "in %s", key);
	cJSON_Delete(a);
	cJSON_Delete(b);
	return -1;
}

static int
read_arrays(struct peft_trainer *t, struct peft_source *s,
    struct peft_err *err)
{
	struct peft_buf name = { 0 };
	struct peft_weight w;
	size_t k, i, at, index;
	int r = 0;

	for (k = 0; r == 0 && k < nkinds(t); k++)
		for (i = 0, at = 0; r == 0 && i < t->nparams;
		    at += t->params[i++].n) {
			peft_buf_clear(&name);
			peft_buf_printf(&name, "%s%s", kinds[k],
			    t->params[i].name);
			index = peft_source_find(s, name.data);
			if (index == SIZE_MAX)
				r = peft_seterr(err, "%s is missing",
				    name.data);
			else if ((r = peft_source_load(s, index, &w,
			    err)) == 0 && (w.dtype != PEFT_F32 ||
			    w.nelem != t->params[i].n))
				r = peft_seterr(err, "%s has another shape",
				    name.data);
			if (r == 0)
				memcpy(array_of(t, k) + at, w.data, w.nbytes);
		}
	peft_buf_free(&name);
	return r;
}

static int
restore(struct peft_trainer *t, struct peft_source *s, struct peft_err *err)
{
	const char *step = peft_source_meta(s, "peft.step");
	const char *settings = peft_source_meta(s, "peft.settings");
	const char *best_step = peft_source_meta(s, "peft.best_step");
	const char *best_loss = peft_source_meta(s, "peft.best_loss");
	const char *sum = peft_source_meta(s, "peft.checksum");
	char hex[PEFT_SHA256_HEX];

	if (step == NULL || settings == NULL || best_step == NULL ||
	    best_loss == NULL || sum == NULL)
		return peft_seterr(err, "not a checkpoint");
	if (strcmp(settings, t->settings) != 0)
		return differ(settings, t->settings, err);
	if (read_arrays(t, s, err) == -1)
		return -1;
	checksum(t, step, best_step, best_loss, hex);
	if (strcmp(hex, sum) != 0)
		return peft_seterr(err, "its checksum does not fit: the file "
		    "is damaged");
	t->step = strtoull(step, NULL, 10);
	t->best_step = strtoull(best_step, NULL, 10);
	t->best_loss = strtod(best_loss, NULL);
	return 0;
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
	return 0;
}
