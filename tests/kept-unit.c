/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last layer leaves out changes nothing: losses, gradients and
 * logits are those of a run in which all tokens go all the way.
 * kept-unit MODEL [CONFIG]: of an adapter of this config.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/tokens.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "tap.h"

enum { SEQS = 5, LONG = 60, TOKENS = SEQS * LONG };

struct world {
	struct peft_cpu		*cpu;
	struct peft_source	*source;
	struct peft_net		*net;
	struct peft_adapter	*adapter;
	struct peft_seq		 seqs[SEQS];
	int32_t			 ids[SEQS][LONG], labels[SEQS][LONG];
	size_t			 extra, supervised;
	float			*grads[2];
	size_t			 ngrads;
};

static size_t
below(struct peft_rng r, uint64_t *at, size_t n)
{
	return (size_t)(peft_rng_u64(r, 0, (*at)++) % n);
}

/* One token in `every' is supervised; sequences begin alike in part. */
static void
draw(struct world *w, size_t every)
{
	struct peft_rng r = peft_rng_key(11, "kept");
	uint64_t at = every << 20;
	size_t i, j, vocab = peft_net_config(w->net)->vocab;

	w->supervised = 0;
	for (i = 0; i < SEQS; i++) {
		struct peft_seq *s = &w->seqs[i];

		*s = (struct peft_seq){ .ids = w->ids[i],
		    .labels = w->labels[i], .n = LONG / 2 +
		    below(r, &at, LONG / 2), .weight = 1 + (float)i,
		    .adapter = i == 2 ? -1 : 0, .ident = (uint32_t)i };
		for (j = 0; j < s->n; j++) {
			w->ids[i][j] = i > 0 && j < 20 ? w->ids[0][j] :
			    (int32_t)below(r, &at, vocab);
			w->labels[i][j] = below(r, &at, every) == 0 ?
			    w->ids[i][j] : PEFT_IGNORE;
			w->supervised += j > 0 &&
			    w->labels[i][j] != PEFT_IGNORE;
		}
	}
}

static struct peft_run *
open_run(struct world *w, bool share, bool whole, size_t rows)
{
	struct peft_caps caps = { .tokens = TOKENS + SEQS * w->extra,
	    .seqs = SEQS, .seq = LONG + w->extra, .train = true,
	    .share = share, .whole = whole, .rows = rows };
	struct peft_err err = { 0 };
	struct peft_run *run = peft_run_open(w->net, &caps, &err);

	need(run != NULL, &err);
	return run;
}

static void
train(struct world *w, bool share, bool whole, struct peft_loss *loss,
    float *grads)
{
	struct peft_run *run = open_run(w, share, whole, whole ? 0 :
	    w->supervised);
	struct peft_err err = { 0 };
	struct peft_param *p;
	size_t i, n;

	peft_adapter_zerograd(w->adapter);
	need(peft_run_train(run, w->seqs, SEQS, 1e-2, 0, loss, &err) == 0,
	    &err);
	p = peft_adapter_params(w->adapter, &n);
	for (i = 0; i < n; grads += p[i++].n)
		memcpy(grads, p[i].grad, p[i].n * sizeof(*grads));
	peft_run_close(run);
}

/* Largest difference, as a share of the largest value. */
static double
far(const float *a, const float *b, size_t n)
{
	double most = 0, top = 1e-30, d;
	size_t i;

	for (i = 0; i < n; i++) {
		d = fabs((double)a[i] - (double)b[i]);
		if (!(d <= most))
			most = d;
		top = fmax(top, fabs((double)b[i]));
	}
	return most / top;
}

static void
check_train(struct world *w, bool share)
{
	struct peft_loss some[SEQS], all[SEQS];
	double most = 0;
	int same = 1;
	size_t i;

	train(w, share, false, some, w->grads[0]);
	train(w, share, true, all, w->grads[1]);
	for (i = 0; i < SEQS; i++) {
		same &= some[i].tokens == all[i].tokens &&
		    some[i].top1 == all[i].top1;
		most = tap_worst(most, fabs(some[i].nll - all[i].nll) /
		    fmax(all[i].nll, 1));
	}
	ok(same && most <= 1e-6, "%zu supervised%s: losses differ by %.1e",
	    w->supervised, share ? ", shared" : "", most);
	most = far(w->grads[0], w->grads[1], w->ngrads);
	/* experts with few visitors sum in another order than with more */
	ok(most <= (peft_net_config(w->net)->experts > 0 ? 4e-6 : 1e-6), "gradients differ by %.1e of the largest", most);
}

/* The logits of a few tokens are those that are among all. */
static void
check_logits(struct world *w)
{
	size_t V = peft_net_config(w->net)->vocab, n = 0, i, few[3];
	struct peft_run *run = open_run(w, false, false, 0);
	float *all, *some = malloc(3 * V * sizeof(*some));
	struct peft_err err = { 0 };
	size_t rows[TOKENS];
	double most = 0;

	for (i = 0; i < SEQS; i++)
		n += w->seqs[i].n;
	for (i = 0; i < n; i++)
		rows[i] = i;
	few[0] = 7;
	few[1] = w->seqs[0].n - 1;
	few[2] = n - 1;
	all = malloc(n * V * sizeof(*all));
	need(peft_run_logits(run, w->seqs, SEQS, rows, n, all, &err) == 0,
	    &err);
	need(peft_run_logits(run, w->seqs, SEQS, few, 3, some, &err) == 0,
	    &err);
	for (i = 0; i < 3; i++)
		most = tap_worst(most, far(some + i * V, all + few[i] * V, V));
	ok(most <= 4e-6, "logits of 3 of %zu tokens differ by %.1e", n, most);
	free(all);
	free(some);
	peft_run_close(run);
}

/* The plan has less of the last layer, where it lies apart. */
static void
check_plan(struct world *w)
{
	struct peft_caps caps = { .tokens = 4096, .seqs = SEQS, .seq = 1024,
	    .train = true };
	struct peft_plan all, some;
	struct peft_err err = { 0 };

	need(peft_run_plan(w->net, &caps, &all, &err) == 0, &err);
	caps.rows = 400;
	need(peft_run_plan(w->net, &caps, &some, &err) == 0, &err);
	ok(some.activations < all.activations && some.total < all.total,
	    "less is planned: %zu bytes, %zu with all", some.total,
	    all.total);
}

static void
open_world(struct world *w, const char *path, const char *text)
{
	cJSON *config = cJSON_Parse(text);
	struct peft_err err = { 0 };
	struct peft_param *p;
	size_t n, i;

	need((w->cpu = peft_cpu_open(2, &err)) != NULL, &err);
	need((w->source = peft_source_open(path, &err)) != NULL, &err);
	need((w->net = peft_net_open(w->source, w->cpu, &err)) != NULL, &err);
	need((w->adapter = peft_adapter_new(config, peft_net_sites(w->net), 1,
	    &err)) != NULL, &err);
	need(peft_adapter_attach(w->adapter, peft_net_sites(w->net), 0, 1,
	    true, &err) == 0, &err);
	w->extra = peft_sites_virtual(peft_net_sites(w->net), 0);
	p = peft_adapter_params(w->adapter, &n);
	for (i = 0; i < n; i++)
		w->ngrads += p[i].n;
	for (i = 0; i < 2; i++)
		w->grads[i] = malloc(w->ngrads * sizeof(float));
	cJSON_Delete(config);
}

static void
close_world(struct world *w)
{
	free(w->grads[0]);
	free(w->grads[1]);
	peft_adapter_close(w->adapter);
	peft_net_close(w->net);
	peft_source_close(w->source);
	peft_cpu_close(w->cpu);
}

int
main(int argc, char **argv)
{
	const char *config = argc > 2 ? argv[2] : "{\"peft_type\":\"LORA\","
	    "\"r\":4,\"target_modules\":\"all-linear\","
	    "\"init_lora_weights\":false}";
	struct world w = { 0 };

	if (argc < 2)
		return 1;
	open_world(&w, argv[1], config);
	draw(&w, 3);
	check_train(&w, false);
	check_train(&w, true);
	draw(&w, 40);
	check_train(&w, false);
	check_train(&w, true);
	check_logits(&w);
	if (argc == 2)			/* others may keep all */
		check_plan(&w);
	close_world(&w);
	return tap_end();
}
