/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads for classes against what transformers and PEFT computed (parity/
 * heads.py): heads-unit BASE ADAPTER [CASE], where CASE has the golden numbers
 * of the adapter's (ADAPTER otherwise).  ADAPTER "-": the model's own head;
 * logits alone.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "peft/head.h"
#include "tap.h"

enum { NSEQ = 4, MOST = 16 };

struct world {
	struct peft_cpu		*cpu;
	struct peft_source	*base, *source, *golden;
	struct peft_headopt	 head;
	struct peft_labels	 labels;
	struct peft_net		*net;
	struct peft_adapter	*adapter;
	const struct peft_config *c;
	struct peft_run		*run;
	struct peft_seq		 seqs[NSEQ];
	int32_t			 at[NSEQ][MOST];
	size_t			 tokens;	/* that the loss looks at */
};

static struct peft_err err;

static struct peft_weight
golden(struct world *w, const char *name, int k)
{
	struct peft_weight t;
	char full[512];
	size_t i;

	snprintf(full, sizeof(full), k < 0 ? "%s" : "%s.%d", name, k);
	if ((i = peft_source_find(w->golden, full)) == SIZE_MAX)
		peft_seterr(&err, "no %s in the golden file", full);
	need(i != SIZE_MAX, &err);
	need(peft_source_load(w->golden, i, &t, &err) == 0, &err);
	return t;
}

static struct peft_source *
open_source(const char *dir, const char *name)
{
	struct peft_source *s;
	char path[1024];

	snprintf(path, sizeof(path), "%s%s%s", dir, name == NULL ? "" : "/",
	    name == NULL ? "" : name);
	need((s = peft_source_open(path, &err)) != NULL, &err);
	return s;
}

static void
load(struct world *w, const char *base, const char *adapter, const char *dir)
{
	bool own = strcmp(adapter, "-") == 0;
	struct peft_sites *sites;

	need((w->cpu = peft_cpu_open(2, &err)) != NULL, &err);
	w->base = open_source(base, NULL);
	w->golden = open_source(dir, "golden.safetensors");
	if (!own) {
		w->source = open_source(adapter, NULL);
		need(peft_head_of_adapter(w->source, &w->head, &w->labels,
		    &err) == 0, &err);
		/* PEFT does not say it: the labels do */
		if (w->head.problem == PEFT_PROBLEM_AUTO)
			w->head.problem = golden(w, "labels", 0).nelem > 1 ?
			    PEFT_PROBLEM_MULTI : PEFT_PROBLEM_SINGLE;
	}
	need((w->net = peft_net_open_head(w->base, w->cpu, &w->head,
	    &err)) != NULL, &err);
	w->c = peft_net_config(w->net);
	sites = peft_net_sites(w->net);
	if (own)
		return;
	need((w->adapter = peft_adapter_open(w->source, sites,
	    &err)) != NULL && peft_adapter_attach(w->adapter, sites, 0, 1,
	    true, &err) == 0, &err);
}

static bool
has_tasks(const struct world *w)
{
	return peft_source_find(w->golden, "task.0") != SIZE_MAX;
}

/* Labels where the head is looked at. */
static void
make_seq(struct world *w, int k, int adapter)
{
	struct peft_weight ids = golden(w, "ids", k);
	struct peft_weight t = golden(w, "labels", k);
	const float *v = t.data;
	size_t i, at = peft_labels_place(ids.data, ids.cols, w->c->pad);

	for (i = 0; i < ids.cols; i++)
		w->at[k][i] = w->c->task == PEFT_TASK_TOKEN_CLS ?
		    (int32_t)v[i] : PEFT_IGNORE;
	w->seqs[k] = (struct peft_seq){ .ids = ids.data, .n = ids.cols,
	    .labels = w->at[k], .weight = 1, .adapter = adapter };
	if (has_tasks(w))
		w->seqs[k].task = *(const int32_t *)golden(w, "task", k).data;
	if (w->c->task == PEFT_TASK_SEQ_CLS)
		w->at[k][at] = (int32_t)v[0];
	if (w->c->task == PEFT_TASK_SEQ_CLS &&
	    w->c->problem != PEFT_PROBLEM_SINGLE) {
		w->seqs[k].values = v;
		w->at[k][at] = 0;
	}
	for (i = 0; i < ids.cols; i++)
		w->tokens += w->at[k][i] != PEFT_IGNORE;
}

static void
open_run(struct world *w)
{
	struct peft_caps caps = { .tokens = NSEQ * MOST, .seqs = NSEQ,
	    .seq = MOST, .share = true, .train = w->adapter != NULL };
	int k;

	for (k = 0; k < NSEQ; k++)
		make_seq(w, k, w->adapter == NULL ? -1 : 0);
	need((w->run = peft_run_open(w->net, &caps, &err)) != NULL, &err);
}

static void
check_logits(struct world *w)
{
	size_t rows[NSEQ * MOST], n = 0, first = 0, i, k;
	float y[NSEQ * MOST * 8];
	double most = 0;
	const float *at = y;

	for (k = 0; k < NSEQ; first += w->seqs[k++].n)
		for (i = 0; i < w->seqs[k].n; i++)
			if (w->c->task == PEFT_TASK_TOKEN_CLS ||
			    w->at[k][i] != PEFT_IGNORE)
				rows[n++] = first + i;
	need(peft_run_logits(w->run, w->seqs, NSEQ, rows, n, y, &err) == 0,
	    &err);
	for (k = 0; k < NSEQ; k++) {
		struct peft_weight t = golden(w, "logits", (int)k);

		most = tap_worst(most, tap_distance(at, t.data, t.nelem));
		at += t.nelem;
	}
	ok((size_t)(at - y) == n * w->c->outputs, "%zu logits", n *
	    w->c->outputs);
	ok(most <= 1e-4, "logits: off by %.1e of the largest", most);
}

/* Together, and twice the first one: which is then the same text twice. */
static void
check_loss(struct world *w)
{
	double want = (double)*(const float *)golden(w, "loss", -1).data;
	struct peft_loss loss[NSEQ], twice[2];
	struct peft_seq two[2] = { w->seqs[0], w->seqs[0] };
	double sum = 0;
	int k;

	need(peft_run_loss(w->run, w->seqs, NSEQ, loss, &err) == 0, &err);
	for (k = 0; k < NSEQ; k++)
		sum += loss[k].nll;
	ok(fabs(sum / (double)w->tokens - want) <= 1e-5 * want,
	    "loss %.7f, want %.7f", sum / (double)w->tokens, want);
	need(peft_run_loss(w->run, two, 2, twice, &err) == 0, &err);
	ok(twice[0].nll == loss[0].nll && twice[1].nll == loss[0].nll,
	    "two that are alike are two");
}

static void
check_gradients(struct world *w)
{
	struct peft_loss loss[NSEQ];
	struct peft_param *p;
	double most = 0;
	char name[512];
	size_t n, i;

	need(peft_run_train(w->run, w->seqs, NSEQ, 1 / (double)w->tokens, 0,
	    loss, &err) == 0, &err);
	p = peft_adapter_params(w->adapter, &n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "grad.%s", p[i].name);
		most = tap_worst(most, tap_distance(p[i].grad, golden(w, name,
		    -1).data, p[i].n));
	}
	ok(most <= 1e-3, "gradients of %zu: off by %.1e of the largest", n,
	    most);
}

int
main(int argc, char **argv)
{
	struct world w = { .head.task = PEFT_TASK_AUTO };

	if (argc < 3 || argc > 4)
		return 1;
	load(&w, argv[1], argv[2], argv[argc - 1]);
	open_run(&w);
	check_logits(&w);
	check_loss(&w);
	if (w.adapter != NULL)
		check_gradients(&w);
	peft_run_close(w.run);
	peft_adapter_close(w.adapter);
	peft_net_close(w.net);
	peft_source_close(w.source);
	peft_source_close(w.base);
	peft_source_close(w.golden);
	peft_labels_free(&w.labels);
	peft_cpu_close(w.cpu);
	return tap_end();
}
