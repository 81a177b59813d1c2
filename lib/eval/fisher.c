/* SPDX-License-Identifier: Apache-2.0 */
/* Squared gradients of weights, by hooks that look and change nothing. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "data/load.h"
#include "eval/fisher-impl.h"
#include "eval/session.h"

/* A linear layer that is watched. */
struct watch {
	struct peft_hook	 hook;
	size_t			 in, out, weight;
	bool			 turned;	/* is stored as [in, out] */
	double			*rows;		/* [out] */
	float			*sketch;	/* [in, PEFT_SKETCH] */
	double			 total;
	struct peft_rng		 rng;		/* of signs */
	uint64_t		 seen;		/* tokens */
};

/* sum += by * x^2 */
static void
add_squares(double *sum, const float *x, size_t n, double by)
{
	size_t i;

	for (i = 0; i < n; i++)
		sum[i] += by * (double)x[i] * (double)x[i];
}

/* Add the input of a token, `by' times, with its own sign in each column. */
static void
add_signed(struct watch *w, const float *x, float by)
{
	uint64_t bits = peft_rng_u64(w->rng, w->seen++, 0);
	float signs[PEFT_SKETCH], *z = w->sketch;
	size_t j, k;

	for (k = 0; k < PEFT_SKETCH; k++)
		signs[k] = bits >> k & 1 ? by : -by;
	for (j = 0; j < w->in; j++, z += PEFT_SKETCH)
		for (k = 0; k < PEFT_SKETCH; k++)
			z[k] += x[j] * signs[k];
}

/* The token's part of sums over rows of dy^2 x^2, and of the sketch. */
static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct watch *w = self;
	size_t t;

	(void)dx;
	(void)lddx;
	for (t = 0; t < c->T; t++) {
		const float *xt = c->x + t * c->ldx, *dyt = dy + t * lddy;
		double xx = peft_vec_ref.sumsq(xt, w->in);
		double dd = peft_vec_ref.sumsq(dyt, w->out);

		add_signed(w, xt, (float)sqrt(dd / PEFT_SKETCH));
		add_squares(w->rows, dyt, w->out, xx);
		w->total += xx * dd;
	}
}

static const struct peft_hook_ops ops = { .backward = backward };

/* The weight of a site; a tied head's is the embedding. */
static size_t
weight_of(const struct peft_sites *sites, const struct peft_site *s)
{
	size_t i;

	for (i = 0; s->weight == SIZE_MAX && i < sites->n; i++)
		if (sites->at[i].kind == PEFT_EMBEDDING)
			return sites->at[i].weight;
	return s->weight;
}

static bool
is_linear(const struct peft_site *s)
{
	return s->kind == PEFT_LINEAR || s->kind == PEFT_HEAD;
}

static int
make_room(struct peft_fisher *f, const struct peft_sites *sites,
    struct peft_err *err)
{
	size_t i, in = 0, out = 0;

	for (i = 0; i < sites->n; i++) {
		in += is_linear(&sites->at[i]) ? sites->at[i].in : 0;
		out += is_linear(&sites->at[i]) ? sites->at[i].out : 0;
	}
	f->at = peft_calloc(f->n, sizeof(*f->at), err);
	f->rows = peft_calloc(out, sizeof(*f->rows), err);
	f->sketches = peft_calloc(in * PEFT_SKETCH, sizeof(float), err);
	return f->at == NULL || f->rows == NULL || f->sketches == NULL ? -1 :
	    0;
}

/* Hooks on all linear layers. */
static size_t
attach(struct peft_sites *sites, struct watch *w, double *rows,
    float *sketches)
{
	size_t i, n = 0;

	for (i = 0; i < sites->n; i++) {
		struct peft_site *s = &sites->at[i];

		if (!is_linear(s))
			continue;
		w[n] = (struct watch){ .in = s->in, .out = s->out,
		    .weight = weight_of(sites, s), .rows = rows,
		    .turned = s->transposed, .sketch = sketches,
		    .rng = peft_rng_key(0, s->path) };
		w[n].hook = (struct peft_hook){ &ops, &w[n], 0, s->hooks };
		s->hooks = &w[n].hook;
		rows += s->out;
		sketches += s->in * PEFT_SKETCH;
		n++;
	}
	return n;
}

/* One record, forward and backward. */
static int
run_record(struct peft_run *run, struct peft_draws *d,
    const struct peft_record *rec, struct peft_fisher *f,
    struct peft_err *err)
{
	struct peft_seq seq = { .ids = rec->ids, .labels = d->labels,
	    .n = rec->n, .weight = 1, .adapter = 0 };
	struct peft_loss loss = { 0 };

	if (rec->n < 2)
		return 0;
	if (peft_draws_record(d, run, rec, err) == -1 ||
	    peft_run_train(run, &seq, 1, 1, 0, &loss, err) == -1)
		return peft_errprefix(err, "line %zu", rec->line);
	f->tokens += loss.tokens;
	f->loss += loss.nll;
	return 0;
}

static int
run_records(struct peft_session *ses, const struct peft_records *r,
    struct peft_fisher *f, struct peft_err *err)
{
	struct peft_caps caps = { .seqs = 1, .train = true };
	struct peft_draws d = { 0 };
	struct peft_run *run;
	size_t i;
	int status;

	for (i = 0; i < PEFT_NPART; i++)
		caps.again[i] = SIZE_MAX;
	for (i = 0; i < r->n; i++)
		if (r->at[i].n > caps.seq)
			caps.seq = r->at[i].n;
	caps.tokens = caps.seq;
	if (caps.seq < 2)
		return peft_seterr(err, "no record has two tokens");
	run = peft_run_open(ses->net, &caps, err);
	status = run == NULL ? -1 : peft_draws_open(&d, peft_net_config(
	    ses->net)->vocab, caps.seq, err);
	for (i = 0; status == 0 && i < r->n; i++)
		status = run_record(run, &d, &r->at[i], f, err);
	peft_run_close(run);
	peft_draws_free(&d);
	f->loss /= (double)f->tokens;
	return status;
}

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Sums into sensitivities; a weight that is stored the other way round has
 * none of its own. */
static int
settle(struct peft_fisher *f, const struct peft_source *src,
    const struct watch *w, size_t n, struct peft_err *err)
{
	double *means = peft_calloc(n + 1, sizeof(*means), err);
	size_t i;

	if (means == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		const struct peft_weight *x = peft_source_at(src, w[i].weight);
		struct peft_sensitivity *s = &f->at[w[i].weight];

		if (!(w[i].total > 0) || w[i].turned ||
		    x->rows != w[i].out || x->cols != w[i].in)
			continue;
		s->scale = 0.5 / (w[i].total * (double)f->tokens);
		means[i] = 0.5 * w[i].total / ((double)f->tokens *
		    (double)x->nelem);
		s->rows = w[i].rows;
		s->sketch = w[i].sketch;
	}
	qsort(means, n, sizeof(*means), ascending);
	for (i = 0; i < f->n; i++)
		if (f->at[i].rows == NULL)
			f->at[i].scale = n > 0 ? means[n / 2] : 1;
	free(means);
	return 0;
}

static int
watch_all(struct peft_session *ses, const struct peft_records *r,
    struct peft_fisher *f, struct peft_err *err)
{
	struct peft_sites *sites = peft_net_sites(ses->net);
	struct watch *w = peft_calloc(sites->n, sizeof(*w), err);
	size_t n;
	int status = -1;

	f->n = peft_source_count(ses->source);
	if (w != NULL && make_room(f, sites, err) == 0) {
		n = attach(sites, w, f->rows, f->sketches);
		status = run_records(ses, r, f, err);
		if (status == 0)
			status = settle(f, ses->source, w, n, err);
	}
	free(w);
	return status;
}

int
peft_fisher(const char *model, const char *tokens, int threads,
    struct peft_fisher *f, struct peft_err *err)
{
	char *paths[] = { (char *)(uintptr_t)tokens };
	struct peft_sessionopt o = { .model = model, .threads = threads };
	struct peft_loadopt load = { .encode.task = PEFT_TASK_CAUSAL_LM };
	struct peft_records r = { 0 };
	struct peft_session ses;
	int status = -1;

	*f = (struct peft_fisher){ 0 };
	if (peft_session_open(&ses, &o, err) == -1)
		return -1;
	load.vocab = peft_net_config(ses.net)->vocab;
	if (peft_records_load(&r, &ses.codec, paths, 1, &load, err) == 0 &&
	    peft_records_plain(&r, PEFT_TASK_CAUSAL_LM, err) == 0 &&
	    (status = watch_all(&ses, &r, f, err)) == -1)
		peft_errprefix(err, "%s", tokens);
	peft_records_free(&r);
	peft_session_close(&ses);
	if (status == -1)
		peft_fisher_free(f);
	return status;
}

void
peft_fisher_free(struct peft_fisher *f)
{
	free(f->at);
	free(f->rows);
	free(f->sketches);
	*f = (struct peft_fisher){ 0 };
}
