/* SPDX-License-Identifier: Apache-2.0 */
/* Paired comparison of two result files. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
#include "base/map.h"
#include "base/rng.h"
#include "eval/compare.h"

enum { RESAMPLES = 10000 };

/* Sums of any number of values up to this are finite. */
static const double max_value = 1e200;

/* A metric of a record is a ratio of sums: value over weight. */
enum metric { LOSS, EXACT, ACCURACY, ACCURACY_NORM, NMETRIC };

static const struct {
	const char	*name, *key, *weight;	/* weight NULL: one a record */
	int		 better;
} metrics[NMETRIC] = {
	[LOSS] = { "loss", "nll", "tokens", -1 },
	[EXACT] = { "exact_match", "match", NULL, 1 },
	[ACCURACY] = { "accuracy", "correct", NULL, 1 },
	[ACCURACY_NORM] = { "accuracy_norm", "correct_norm", NULL, 1 },
};

struct entry {
	char	*key;			/* id, or "#number" */
	double	 value[NMETRIC], weight[NMETRIC];	/* weight 0: none */
};

struct results {
	struct entry	*at;
	size_t		 n, cap;
	struct peft_map	 index;
	char		*system;	/* the one that is read; NULL: any */
};

static void
results_free(struct results *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		free(r->at[i].key);
	free(r->at);
	free(r->system);
	peft_map_free(&r->index);
}

/* Does this line belong to the system that is read?  1, 0, or -1 if the file
 * holds several and none was named. */
static int
of_system(struct results *r, const cJSON *j, bool named, struct peft_err *err)
{
	const char *system = "";

	if (peft_json_str(j, "system", &system, err) == -1)
		return -1;
	if (r->system == NULL)
		return (r->system = peft_strdup(system, err)) == NULL ? -1 : 1;
	if (strcmp(r->system, system) == 0)
		return 1;
	return named ? 0 : peft_seterr(err, "holds the systems %s and %s: name "
	    "one as FILE=SYSTEM", r->system, system);
}

static int
read_metrics(const cJSON *j, struct entry *e, struct peft_err *err)
{
	const cJSON *v, *w;
	int m;

	for (m = 0; m < NMETRIC; m++) {
		v = peft_json_get(j, metrics[m].key);
		w = metrics[m].weight == NULL ? NULL :
		    peft_json_get(j, metrics[m].weight);
		if (cJSON_IsBool(v)) {
			e->value[m] = cJSON_IsTrue(v);
			e->weight[m] = 1;
		} else if (cJSON_IsNumber(v) && cJSON_IsNumber(w)) {
			e->value[m] = v->valuedouble;
			e->weight[m] = w->valuedouble;
		}
		if (!(fabs(e->value[m]) <= max_value) || e->weight[m] < 0 ||
		    e->weight[m] > 0x1p53 ||
		    e->weight[m] != floor(e->weight[m]))
			return peft_seterr(err, "record %s: no number of a "
			    "\"%s\"", e->key, metrics[m].key);
	}
	return 0;
}

static int
add_line(struct results *r, const cJSON *j, struct peft_err *err)
{
	struct entry *grown, *e;
	const char *id = NULL;
	int64_t number = 0;
	char key[32];

	if (peft_json_str(j, "id", &id, err) == -1 ||
	    peft_json_int(j, "record", 1, INT64_C(1) << 52, &number, err) == -1)
		return -1;
	snprintf(key, sizeof(key), "#%lld", (long long)number);
	grown = peft_grow(r->at, r->n, &r->cap, sizeof(*r->at), err);
	if (grown == NULL)
		return -1;
	r->at = grown;
	e = &r->at[r->n];
	memset(e, 0, sizeof(*e));
	if ((e->key = peft_strdup(id != NULL ? id : key, err)) == NULL)
		return -1;
	if (read_metrics(j, e, err) == -1) {
		free(e->key);
		return -1;
	}
	switch (peft_map_add(&r->index, e->key, strlen(e->key), r->n, err)) {
	case -1:
		free(e->key);
		return -1;
	case 0:
		peft_seterr(err, "two records are called %s", e->key);
		free(e->key);
		return -1;
	}
	r->n++;
	return 0;
}

static int
read_line(struct results *r, const char *line, size_t len, bool named,
    struct peft_err *err)
{
	cJSON *j;
	int s;

	if ((j = peft_json(line, len, err)) == NULL)
		return -1;
	s = peft_json_get(j, "record") == NULL ? 0 :
	    of_system(r, j, named, err);
	if (s == 1)
		s = add_line(r, j, err);
	cJSON_Delete(j);
	return s;
}

/* spec: FILE or FILE=SYSTEM. */
static int
read_results(struct results *r, const char *spec, struct peft_err *err)
{
	const char *eq = strrchr(spec, '=');
	char *path, *line;
	struct peft_in *in;
	size_t len;
	int s;

	if ((path = peft_strdup(spec, err)) == NULL)
		return -1;
	if (eq != NULL) {
		path[eq - spec] = '\0';
		if ((r->system = peft_strdup(eq + 1, err)) == NULL) {
			free(path);
			return -1;
		}
	}
	in = peft_in_open(path, err);
	free(path);
	if (in == NULL)
		return -1;
	while ((s = peft_in_line(in, &line, &len, err)) == 1)
		if (read_line(r, line, len, eq != NULL, err) == -1) {
			peft_errprefix(err, "%s:%zu", peft_in_label(in),
			    peft_in_lineno(in));
			s = -1;
			break;
		}
	peft_in_close(in);
	if (s == 0 && r->n == 0)
		return peft_seterr(err, "%s: no results%s%s", spec,
		    r->system ? " of the system " : "",
		    r->system ? r->system : "");
	return s;
}

/* A pair of records that both have the metric. */
struct pair {
	double	a, wa, b, wb;
};

static int
pair_up(const struct results *a, const struct results *b, enum metric m,
    struct pair *pairs, size_t *n, struct peft_err *err)
{
	size_t i, *k;

	*n = 0;
	for (i = 0; i < a->n; i++) {
		const struct entry *x = &a->at[i], *y;

		k = peft_map_find(&b->index, x->key, strlen(x->key));
		if (k == NULL)
			return peft_seterr(err, "record %s is in the first "
			    "file and not in the second", x->key);
		y = &b->at[*k];
		if (x->weight[m] > 0 && y->weight[m] > 0)
			pairs[(*n)++] = (struct pair){ x->value[m],
			    x->weight[m], y->value[m], y->weight[m] };
	}
	return 0;
}

static double
ratio_difference(const struct pair *s)
{
	return s->b / s->wb - s->a / s->wa;
}

static int
by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

/* The 2.5 % and 97.5 % points of the resampled differences. */
static void
bootstrap(const struct pair *p, size_t n, uint64_t seed, const char *name,
    double *diffs, double *low, double *high)
{
	struct peft_rng rng = peft_rng_key(seed, name);
	size_t r, i;

	for (r = 0; r < RESAMPLES; r++) {
		struct pair s = { 0 };

		for (i = 0; i < n; i++) {
			const struct pair *q = &p[peft_rng_below(rng, r, i,
			    n)];

			s.a += q->a;
			s.wa += q->wa;
			s.b += q->b;
			s.wb += q->wb;
		}
		diffs[r] = ratio_difference(&s);
	}
	qsort(diffs, RESAMPLES, sizeof(*diffs), by_value);
	*low = diffs[RESAMPLES / 40];
	*high = diffs[RESAMPLES - 1 - RESAMPLES / 40];
}

static void
put_metric(enum metric m, const struct pair *p, size_t n, uint64_t seed,
    double *diffs, struct peft_buf *out)
{
	size_t wins = 0, losses = 0, i;
	struct pair s = { 0 };
	double low, high, d;

	for (i = 0; i < n; i++) {
		s.a += p[i].a;
		s.wa += p[i].wa;
		s.b += p[i].b;
		s.wb += p[i].wb;
		d = ratio_difference(&p[i]) * metrics[m].better;
		wins += d > 0;
		losses += d < 0;
	}
	bootstrap(p, n, seed, metrics[m].name, diffs, &low, &high);
	peft_buf_printf(out, "{\"compare\":{\"metric\":\"%s\",\"a\":",
	    metrics[m].name);
	peft_json_putreal(out, s.a / s.wa);
	peft_buf_puts(out, ",\"b\":");
	peft_json_putreal(out, s.b / s.wb);
	peft_buf_puts(out, ",\"difference\":");
	peft_json_putreal(out, ratio_difference(&s));
	peft_buf_puts(out, ",\"low\":");
	peft_json_putreal(out, low);
	peft_buf_puts(out, ",\"high\":");
	peft_json_putreal(out, high);
	peft_buf_printf(out, ",\"records\":%zu,\"wins\":%zu,\"losses\":%zu,"
	    "\"ties\":%zu}}\n", n, wins, losses, n - wins - losses);
}

static int
compare(const struct results *a, const struct results *b, uint64_t seed,
    struct peft_buf *out, struct peft_err *err)
{
	struct pair *pairs;
	double *diffs;
	size_t n, found = 0;
	int m, r = -1;

	if (a->n != b->n)
		return peft_seterr(err, "%zu records in the first file, %zu in "
		    "the second", a->n, b->n);
	pairs = peft_calloc(a->n, sizeof(*pairs), err);
	diffs = peft_calloc(RESAMPLES, sizeof(*diffs), err);
	if (pairs == NULL || diffs == NULL)
		goto out;
	for (m = 0; m < NMETRIC; m++) {
		if (pair_up(a, b, m, pairs, &n, err) == -1)
			goto out;
		if (n > 0)
			put_metric(m, pairs, n, seed, diffs, out);
		found += n > 0;
	}
	r = found > 0 ? 0 : peft_seterr(err, "the two files have no metric in "
	    "common");
out:
	free(pairs);
	free(diffs);
	return r;
}

int
peft_compare(const char *a, const char *b, uint64_t seed,
    struct peft_buf *out, struct peft_err *err)
{
	struct results ra = { 0 }, rb = { 0 };
	int r = -1;

	if (read_results(&ra, a, err) == 0 && read_results(&rb, b, err) == 0)
		r = compare(&ra, &rb, seed, out, err);
	results_free(&ra);
	results_free(&rb);
	return r;
}
