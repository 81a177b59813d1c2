/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder against what transformers and PEFT computed (golden/models):
 * model-unit DIR, where DIR has model/, adapter/ and golden.safetensors.
 * model-unit DIR MODEL NAME: the logits of another MODEL (the same in another
 * container, or merged) against DIR's golden tensor NAME.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/net.h"
#include "model/rope.h"
#include "peft/adapter.h"
#include "tap.h"

enum { NSEQ = 2 };

struct world {
	struct peft_cpu		*cpu;
	struct peft_source	*model, *adapter, *golden;
	struct peft_net		*net;
	struct peft_run		*run;
	struct peft_seq		 seqs[NSEQ];
	int32_t			*ids, *labels;
	size_t			 T, V;
	double			 scale;		/* of the loss */
};

static struct peft_weight
golden(struct world *w, const char *name)
{
	struct peft_weight t;
	struct peft_err err = { 0 };
	size_t i = peft_source_find(w->golden, name);

	if (i == SIZE_MAX)
		peft_seterr(&err, "no %s in the golden file", name);
	need(i != SIZE_MAX, &err);
	need(peft_source_load(w->golden, i, &t, &err) == 0, &err);
	return t;
}

static void
load(struct world *w, const char *dir, const char *other)
{
	struct peft_err err = { 0 };
	struct peft_weight t;
	char path[1024];
	size_t i;

	need((w->cpu = peft_cpu_open(2, &err)) != NULL, &err);
	snprintf(path, sizeof(path), "%s/model", dir);
	need((w->model = peft_source_open(other != NULL ? other : path,
	    &err)) != NULL, &err);
	snprintf(path, sizeof(path), "%s/adapter", dir);
	need((w->adapter = peft_source_open(path, &err)) != NULL, &err);
	snprintf(path, sizeof(path), "%s/golden.safetensors", dir);
	need((w->golden = peft_source_open(path, &err)) != NULL, &err);
	need((w->net = peft_net_open(w->model, w->cpu, &err)) != NULL, &err);
	t = golden(w, "input_ids");
	w->T = t.cols;
	w->V = peft_net_config(w->net)->vocab;
	w->ids = malloc(NSEQ * w->T * sizeof(int32_t));
	w->labels = malloc(NSEQ * w->T * sizeof(int32_t));
	for (i = 0; i < NSEQ * w->T; i++)
		w->ids[i] = (int32_t)((const int64_t *)t.data)[i];
	t = golden(w, "labels");
	for (i = 0; i < NSEQ * w->T; i++)
		w->labels[i] = (int32_t)((const int64_t *)t.data)[i];
	for (i = 0; i < NSEQ; i++)
		w->seqs[i] = (struct peft_seq){ .ids = w->ids + i * w->T,
		    .labels = w->labels + i * w->T, .n = w->T, .weight = 1,
		    .adapter = -1 };
}

/* again: bits of the parts that are made again, in all layers that can be. */
static struct peft_run *
open_run(struct world *w, int train, unsigned again)
{
	struct peft_caps caps = { .tokens = NSEQ * w->T, .seqs = NSEQ,
	    .seq = w->T, .train = train };
	struct peft_err err = { 0 };
	struct peft_run *run;
	int p;

	for (p = 0; p < PEFT_NPART; p++)
		caps.again[p] = again >> p & 1 ? SIZE_MAX : 0;
	run = peft_run_open(w->net, &caps, &err);
	need(run != NULL, &err);
	return run;
}

static void
check_logits(struct world *w, const char *name)
{
	struct peft_weight t = golden(w, name);
	size_t rows = NSEQ * w->T, i, *all = malloc(rows * sizeof(*all));
	float *y = malloc(rows * w->V * sizeof(*y));
	struct peft_err err = { 0 };
	double d;

	for (i = 0; i < rows; i++)
		all[i] = i;
	need(peft_run_logits(w->run, w->seqs, NSEQ, all, rows, y, &err) == 0,
	    &err);
	d = tap_distance(y, t.data, rows * w->V);
	ok(d <= 1e-4, "%s: off by %.1e of the largest", name, d);
	free(all);
	free(y);
}

static void
check_loss(struct world *w, const char *name)
{
	struct peft_weight t = golden(w, name);
	double want = (double)*(const float *)t.data, got;
	struct peft_loss loss[NSEQ], one;
	struct peft_err err = { 0 };

	need(peft_run_loss(w->run, w->seqs, NSEQ, loss, &err) == 0, &err);
	got = (loss[0].nll + loss[1].nll) /
	    (double)(loss[0].tokens + loss[1].tokens);
	ok(fabs(got - want) <= 1e-5 * want, "%s: %.7f, want %.7f", name, got,
	    want);
	need(peft_run_loss(w->run, &w->seqs[1], 1, &one, &err) == 0, &err);
	/* Products of few rows and of many sum in other orders, which moves a
	 * loss by some roundings (6e-8 each); a neighbour seen would move it
	 * by far more. */
	ok(fabs(one.nll - loss[1].nll) <= 2e-6 * loss[1].nll, "%s: a sequence "
	    "does not see its neighbours: %.9g alone, %.9g", name, one.nll,
	    loss[1].nll);
}

/* Token by token through a cache, as generation does. */
static void
check_cache(struct world *w)
{
	struct peft_weight t = golden(w, w->seqs[0].adapter == 0 ?
	    "adapter_logits" : "logits");
	struct peft_err err = { 0 };
	struct peft_kv *kv = peft_kv_open(w->net, w->T, &err);
	float *y = malloc(w->V * sizeof(*y));
	double d, most = 0;
	size_t i, row = 0;

	if (peft_rope_varies(peft_net_config(w->net), w->T)) {
		/* keys in a cache keep the turn that they were given when
		 * the sequence was shorter, as in transformers */
		free(y);
		peft_kv_close(kv);
		return;
	}
	need(kv != NULL, &err);
	for (i = 0; i < w->T; i++) {
		struct peft_seq s = { .ids = w->ids + i, .n = 1, .kv = kv,
		    .adapter = w->seqs[0].adapter };

		need(peft_run_logits(w->run, &s, 1, &row, 1, y, &err) == 0,
		    &err);
		d = tap_distance(y, (const float *)t.data + i * w->V, w->V);
		most = tap_worst(most, d);
	}
	ok(most <= 1e-3, "through a cache: off by %.1e of the largest", most);
	free(y);
	peft_kv_close(kv);
}

/* Whatever parts of layers are made again, in whatever type products are: the
 * same gradients, to the bit. */
static void
check_again(struct world *w, struct peft_adapter *a,
    enum peft_compute compute)
{
	static const char *const types[] = { "f32", "bf16", "int8" };
	struct peft_loss loss[NSEQ];
	struct peft_err err = { 0 };
	struct peft_param *p;
	size_t i, np, n = 0;
	unsigned again, bad = 0, which = 0;
	float *was;

	peft_cpu_compute(w->cpu, compute);
	p = peft_adapter_params(a, &np);
	for (i = 0; i < np; i++)
		n += p[i].n;
	was = malloc(n * sizeof(*was));
	for (again = 0; again < 1u << PEFT_NPART; again++) {
		memset(p[0].grad, 0, n * sizeof(*was));
		w->run = open_run(w, 1, again);
		need(peft_run_train(w->run, w->seqs, NSEQ, w->scale, 1, loss,
		    &err) == 0, &err);
		if (again == 0)
			memcpy(was, p[0].grad, n * sizeof(*was));
		if (memcmp(was, p[0].grad, n * sizeof(*was)) != 0) {
			bad++;
			which = again;
		}
		peft_run_close(w->run);
	}
	w->run = NULL;
	ok(bad == 0, "%s: parts of layers made again: the same gradients (not "
	    "with %u of them: %#x)", types[compute], bad, which);
	free(was);
}

static void
check_grads(struct world *w, struct peft_adapter *a)
{
	struct peft_loss loss[NSEQ];
	struct peft_err err = { 0 };
	struct peft_param *p;
	double scale = 0, d, most = 0;
	size_t i, np;
	char name[512], worst[512] = "";

	for (i = 0; i < NSEQ * w->T; i++)
		scale += i % w->T > 0 && w->labels[i] != -100;
	w->scale = 1 / scale;
	need(peft_run_train(w->run, w->seqs, NSEQ, w->scale, 1, loss,
	    &err) == 0, &err);
	p = peft_adapter_params(a, &np);
	ok(np > 0, "%zu trainable tensors", np);
	for (i = 0; i < np; i++) {
		struct peft_weight t;

		snprintf(name, sizeof(name), "grad.%s", p[i].name);
		t = golden(w, name);
		d = tap_distance(p[i].grad, t.data, p[i].n);
		if (!(d <= most)) {
			most = d;
			snprintf(worst, sizeof(worst), "%s", name);
		}
	}
	ok(most <= 1e-3, "gradients: off by %.1e at most (%s)", most, worst);
}

static void
unload(struct world *w)
{
	peft_run_close(w->run);
	peft_net_close(w->net);
	peft_source_close(w->model);
	peft_source_close(w->adapter);
	peft_source_close(w->golden);
	peft_cpu_close(w->cpu);
	free(w->ids);
	free(w->labels);
}

int
main(int argc, char **argv)
{
	struct world w = { 0 };
	struct peft_err err = { 0 };
	struct peft_adapter *a;

	if (argc != 2 && argc != 4)
		return 1;
	load(&w, argv[1], argc == 4 ? argv[2] : NULL);
	w.run = open_run(&w, 0, 0);
	if (argc == 4) {
		check_logits(&w, argv[3]);
		unload(&w);
		return tap_end();
	}
	check_logits(&w, "logits");
	check_loss(&w, "loss");
	check_cache(&w);
	peft_run_close(w.run);

	a = peft_adapter_open(w.adapter, peft_net_sites(w.net), &err);
	need(a != NULL, &err);
	need(peft_adapter_attach(a, peft_net_sites(w.net), 0, 1, true,
	    &err) == 0, &err);
	w.seqs[0].adapter = w.seqs[1].adapter = 0;
	w.run = open_run(&w, 1, 0);
	check_logits(&w, "adapter_logits");
	check_loss(&w, "adapter_loss");
	check_cache(&w);
	check_grads(&w, a);
	w.seqs[0].adapter = w.seqs[1].adapter = -1;
	check_logits(&w, "logits");
	peft_run_close(w.run);
	w.seqs[0].adapter = w.seqs[1].adapter = 0;
	check_again(&w, a, PEFT_COMPUTE_F32);
	check_again(&w, a, PEFT_COMPUTE_BF16);
	check_again(&w, a, PEFT_COMPUTE_INT8);
	peft_adapter_close(a);
	unload(&w);
	return tap_end();
}
