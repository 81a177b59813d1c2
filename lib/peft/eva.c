/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EVA (Paischer et al. 2024) as PEFT has it: A's rows are the principal
 * components of a module's inputs, found batch by batch (Ross et al. 2008)
 * until they turn no more; and modules get the more rows, of as many as they
 * have together, the more of their inputs' variance these explain.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/eva.h"

enum { MOST_BATCHES = 2000 };

/* Is the row one that counts? */
static bool
counts(const struct peft_eva *e, uint64_t ident)
{
	const struct peft_seq *s = &e->probes.data->seqs[ident >> 32];
	size_t at = (size_t)(ident & UINT32_MAX);

	return !e->set.mask || s->labels == NULL ||
	    s->labels[at] != (int32_t)e->set.ignore;
}

static void
look(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct peft_eva_input *in = self;
	struct peft_err *err = in->eva->err;
	size_t d = in->probe->site->in, n = 0, t, i;
	double *x = peft_calloc((in->c.most + c->T + 1) * d, sizeof(*x), err);
	double *rows = x + in->c.most * d;

	(void)y;
	(void)ldy;
	for (t = 0; x != NULL && t < c->T; t++)
		if (counts(in->eva, c->ident[t])) {
			for (i = 0; i < d; i++)
				rows[n * d + i] = (double)c->x[t * c->ldx + i];
			n++;
		}
	if (x == NULL || (n >= in->c.most && peft_components_add(&in->c,
	    in->eva->cpu, rows, n, err) == -1))
		in->failed = true;
	free(x);
}

static const struct peft_hook_ops looking = { .forward = look };

/* Python's round(): halves to the even. */
static size_t
round_even(double x)
{
	return (size_t)nearbyint(x);
}

/* Modules in PEFT's order: those that are looked at, then the others of each
 * group of equal inputs, group by group. */
static void
number(struct peft_eva *e)
{
	size_t n = e->probes.n, i, k, at = 0;

	for (i = 0; i < n; i++)
		if ((e->owner[i] = e->probes.at[i].same) == i)
			e->order[at++] = i;
	for (i = 0; i < n; i++)
		for (k = i + 1; k < n; k++)
			if (e->owner[k] == i)
				e->order[at++] = k;
}

/* Components of all inputs, and what the widest's are made in. */
static size_t
components_bytes(const struct peft_eva *e)
{
	const struct peft_calibration *data = e->probes.data;
	size_t i, d, k, rows = 0, sums = 0, most = 0;

	for (i = 0; i < data->n; i++)
		rows = data->seqs[i].n > rows ? data->seqs[i].n : rows;
	rows *= data->batch;
	for (i = 0; i < e->probes.n; i++) {
		if (e->owner[i] != i)
			continue;
		d = e->probes.at[i].site->in;
		k = e->input[i].c.most;
		sums += k * d * sizeof(double);
		d *= (rows + d + 3 * k) * sizeof(double);
		most = d > most ? d : most;
	}
	return sums + most;
}

static int
open_inputs(struct peft_eva *e, struct peft_err *err)
{
	size_t n = e->probes.n, i, d;

	for (i = 0; i < n; i++) {
		struct peft_eva_input *in = &e->input[e->owner[i]];
		size_t most = round_even((double)e->probes.at[i].module->rank *
		    e->set.rho);

		in->c.most = most > in->c.most ? most : in->c.most;
		e->budget += e->probes.at[i].module->rank;
	}
	if (peft_probes_need(&e->probes, e->probes.data->batch, false,
	    components_bytes(e), err) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		struct peft_eva_input *in = &e->input[i];

		e->rank[i] = e->input[e->owner[i]].c.most;
		d = e->probes.at[i].site->in;
		if (e->owner[i] != i)
			continue;
		if (in->c.most > d)
			return peft_seterr(err, "%s: eva wants %zu components "
			    "(rank times rho) of inputs of %zu",
			    e->probes.at[i].site->path, in->c.most, d);
		in->eva = e;
		in->probe = &e->probes.at[i];
		if (peft_components_open(&in->c, d, in->c.most, e->set.tau,
		    err) == -1)
			return -1;
	}
	return 0;
}

struct share {
	double	ratio;
	size_t	module, at;
};

/* Falling; equal ones in the order they came. */
static int
by_ratio(const void *pa, const void *pb)
{
	const struct share *a = pa, *b = pb;

	return a->ratio != b->ratio ? (a->ratio < b->ratio) -
	    (a->ratio > b->ratio) : (a->at > b->at) - (a->at < b->at);
}

/* The budget goes to the components that explain the most; of modules with
 * equal inputs the one that is looked at gets the highest rank. */
static int
give_out(struct peft_eva *e, struct peft_err *err)
{
	size_t n = e->probes.n, total = 0, i, j, k, m = 0;
	struct share *s;

	for (i = 0; i < n; i++)
		total += e->input[e->owner[i]].c.most;
	if ((s = peft_calloc(total, sizeof(*s), err)) == NULL)
		return -1;
	for (k = 0; k < n; k++) {
		const struct peft_components *c =
		    &e->input[e->owner[e->order[k]]].c;

		for (j = 0; j < c->most; j++, m++)
			s[m] = (struct share){ c->value[j] * c->value[j] /
			    c->spread, e->order[k], m };
	}
	qsort(s, total, sizeof(*s), by_ratio);
	memset(e->rank, 0, n * sizeof(*e->rank));
	for (m = 0; m < total && m < e->budget; m++)
		e->rank[s[m].module]++;
	for (k = 0; k < n; k++) {
		size_t own = e->owner[i = e->order[k]], r = e->rank[i];

		if (own != i && e->rank[own] < r) {
			e->rank[i] = e->rank[own];
			e->rank[own] = r;
		}
	}
	free(s);
	return 0;
}

/* Those whose components that are needed have settled stop listening, the
 * others listen; how many do? */
static size_t
listeners(struct peft_eva *e)
{
	size_t i, j, n = 0;

	for (i = 0; i < e->probes.n; i++) {
		struct peft_eva_input *in = &e->input[i];
		bool done = e->owner[i] != i;

		for (j = 0; !done && j < e->rank[i] && in->c.converged[j];
		    j++)
			;
		done |= j == e->rank[i];
		if (in->listening && done)
			peft_probe_stop(in->probe);
		else if (!in->listening && !done)
			peft_probe_listen(in->probe, &looking, in);
		in->listening = !done;
		n += !done;
	}
	return n;
}

static int
iterate(struct peft_eva *e, struct peft_err *err)
{
	size_t step, i;
	bool all;

	for (step = 0; listeners(e) > 0; step++) {
		if (step == MOST_BATCHES)
			return peft_setfail(err, PEFT_NUMERIC, "eva: after "
			    "%zu batches the components still turn: lower "
			    "tau, or larger batches", step);
		if (peft_probes_pass(&e->probes, e->probes.data->batch, false,
		    err) == -1)
			return -1;
		for (all = true, i = 0; i < e->probes.n; i++) {
			if (e->input[i].failed)
				return -1;
			all &= e->owner[i] != i || e->input[i].c.seen > 0;
		}
		if (all && give_out(e, err) == -1)
			return -1;
	}
	return 0;
}

static void
close_eva(struct peft_eva *e)
{
	size_t i;

	for (i = 0; e->input != NULL && i < e->probes.n; i++)
		peft_components_close(&e->input[i].c);
	peft_probes_close(&e->probes);
	free(e->input);
	free(e->order);
}

int
peft_eva(struct peft_adapter *a, struct peft_net *net,
    const struct peft_calibration *data, cJSON **config, float **values,
    struct peft_err *err)
{
	struct peft_eva e = { .cpu = peft_net_cpu(net), .err = err };
	size_t n = a->nsites + 1;
	int r = -1;

	*config = NULL;
	*values = NULL;
	if (peft_eva_settings(a->config, &e.set, err) == -1 ||
	    peft_probes_open(&e.probes, net, a, data, data->batch, false,
	    err) == -1)
		return -1;
	e.input = peft_calloc(n, sizeof(*e.input), err);
	e.order = peft_calloc(3 * n, sizeof(*e.order), err);
	if (e.input != NULL && e.order != NULL) {
		e.owner = e.order + n;
		e.rank = e.owner + n;
		number(&e);
		if (open_inputs(&e, err) == 0 && iterate(&e, err) == 0 &&
		    (*config = peft_eva_config(&e, a->config, err)) != NULL &&
		    (*values = peft_eva_values(&e, err)) != NULL)
			r = 0;
	}
	if (r == -1) {
		cJSON_Delete(*config);
		*config = NULL;
	}
	close_eva(&e);
	return r;
}
