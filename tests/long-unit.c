/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention over more keys than a tile has (256) and more queries than a
 * block (64): what a query sees at once and what it sees through a cache, key
 * by key, are the same; and gradients are those of the loss, by differences
 * along them.  usage: long-unit FAMILY, with a model and an adapter.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "tap.h"
#include "tensor/source.h"

enum { T = 600 };

static struct peft_source *
open_source(const char *dir, const char *what)
{
	struct peft_err err = { 0 };
	struct peft_source *s;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", dir, what);
	need((s = peft_source_open(path, &err)) != NULL, &err);
	return s;
}

static struct peft_run *
open_run(struct peft_net *net, bool train)
{
	struct peft_caps caps = { .tokens = T, .seqs = 1, .seq = T,
	    .train = train };
	struct peft_err err = { 0 };
	struct peft_run *run = peft_run_open(net, &caps, &err);

	need(run != NULL, &err);
	return run;
}

/* Each token's logits, at once and by way of a cache. */
static void
check_cache(struct peft_net *net, const struct peft_seq *all)
{
	size_t V = peft_net_config(net)->vocab, i, row = 0;
	float *whole = malloc(T * V * sizeof(float));
	float *y = malloc(V * sizeof(float));
	struct peft_run *run = open_run(net, false);
	struct peft_err err = { 0 };
	struct peft_kv *kv = peft_kv_open(net, T, &err);
	size_t rows[T];
	double most = 0;

	need(kv != NULL, &err);
	for (i = 0; i < T; i++)
		rows[i] = i;
	need(peft_run_logits(run, all, 1, rows, T, whole, &err) == 0, &err);
	for (i = 0; i < T; i++) {
		struct peft_seq s = { .ids = all->ids + i, .n = 1, .kv = kv,
		    .adapter = all->adapter };

		need(peft_run_logits(run, &s, 1, &row, 1, y, &err) == 0,
		    &err);
		most = tap_worst(most, tap_distance(y, whole + i * V, V));
	}
	ok(most <= 1e-4, "%d tokens through a cache: off by %.1e of the "
	    "largest", T, most);
	free(whole);
	free(y);
	peft_kv_close(kv);
	peft_run_close(run);
}

static double
loss_at(struct peft_run *run, const struct peft_seq *s, struct peft_param *p,
    const float *was, const float *way, size_t n, double h)
{
	struct peft_err err = { 0 };
	struct peft_loss loss;
	size_t i;

	for (i = 0; i < n; i++)
		p->value[i] = (float)((double)was[i] + h * (double)way[i]);
	need(peft_run_loss(run, s, 1, &loss, &err) == 0, &err);
	return loss.nll;
}

/* Along the gradient g the loss has the slope |g|^2: by differences of h and
 * 2 h (their error is of the fourth order). */
static void
check_slope(struct peft_net *net, struct peft_adapter *a,
    const struct peft_seq *s)
{
	struct peft_run *run = open_run(net, true);
	struct peft_err err = { 0 };
	struct peft_loss loss;
	struct peft_param *p;
	size_t i, np, n = 0;
	double square = 0, h, slope;
	float *was, *way;

	p = peft_adapter_params(a, &np);
	for (i = 0; i < np; i++)
		n += p[i].n;
	need(peft_run_train(run, s, 1, 1, 1, &loss, &err) == 0, &err);
	was = malloc(n * sizeof(*was));
	way = malloc(n * sizeof(*way));
	memcpy(was, p->value, n * sizeof(*was));
	memcpy(way, p->grad, n * sizeof(*way));
	for (i = 0; i < n; i++)
		square += (double)way[i] * (double)way[i];
	h = 0.005 / sqrt(square);
	slope = (8 * (loss_at(run, s, p, was, way, n, h) -
	    loss_at(run, s, p, was, way, n, -h)) -
	    loss_at(run, s, p, was, way, n, 2 * h) +
	    loss_at(run, s, p, was, way, n, -2 * h)) / (12 * h);
	ok(fabs(slope - square) <= 2e-3 * square, "%d tokens: the loss falls "
	    "as its gradient says: %.7g, %.7g", T, slope, square);
	memcpy(p->value, was, n * sizeof(*was));
	free(was);
	free(way);
	peft_run_close(run);
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_rng key = peft_rng_key(1, "long");
	struct peft_source *model, *adapter;
	struct peft_adapter *a;
	struct peft_net *net;
	struct peft_cpu *cpu;
	int32_t ids[T];
	struct peft_seq s = { .ids = ids, .labels = ids, .n = T, .weight = 1 };
	size_t i;

	if (argc != 2)
		return 1;
	need((cpu = peft_cpu_open(2, &err)) != NULL, &err);
	model = open_source(argv[1], "model");
	adapter = open_source(argv[1], "adapter");
	need((net = peft_net_open(model, cpu, &err)) != NULL, &err);
	for (i = 0; i < T; i++)
		ids[i] = (int32_t)(peft_rng_uniform(key, i, 0) *
		    (double)peft_net_config(net)->vocab);
	a = peft_adapter_open(adapter, peft_net_sites(net), &err);
	need(a != NULL, &err);
	need(peft_adapter_attach(a, peft_net_sites(net), 0, 1, true,
	    &err) == 0, &err);
	check_cache(net, &s);
	check_slope(net, a, &s);
	peft_adapter_close(a);
	peft_net_close(net);
	peft_source_close(model);
	peft_source_close(adapter);
	peft_cpu_close(cpu);
	return tap_end();
}
