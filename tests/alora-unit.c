/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activated LoRA beside a cache: alora-unit MODEL ADAPTER GOLDEN, whose first
 * record has the invocation in its middle.  What comes before is the base's,
 * so that the base's cache serves it; what follows, token by token, is as in
 * one piece; and a cache that is cut before the invocation forgets it.
 */

#include <math.h>
#include <string.h>

#include "golden-file.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "tap.h"

enum { N = 9, FROM = 4 };

struct world {
	struct peft_source	*model, *src;
	struct peft_cpu		*cpu;
	struct peft_net		*net;
	struct peft_adapter	*adapter;
	struct peft_run		*run;
	int32_t			 ids[N];
	size_t			 V;
};

static void
load(struct world *w, char **argv)
{
	struct peft_caps caps = { .tokens = N, .seqs = 1, .seq = N };
	struct peft_err err = { 0 };
	struct golden g = { 0 };
	const int64_t *ids;
	size_t i;

	need((w->model = peft_source_open(argv[1], &err)) != NULL, &err);
	need((w->src = peft_source_open(argv[2], &err)) != NULL, &err);
	need((w->cpu = peft_cpu_open(1, &err)) != NULL, &err);
	need((w->net = peft_net_open(w->model, w->cpu, &err)) != NULL, &err);
	w->adapter = peft_adapter_open(w->src, peft_net_sites(w->net), &err);
	need(w->adapter != NULL, &err);
	need(peft_adapter_attach(w->adapter, peft_net_sites(w->net), 0, 1,
	    false, &err) == 0, &err);
	need((w->run = peft_run_open(w->net, &caps, &err)) != NULL, &err);
	golden_open(&g, argv[3]);
	ids = golden_find(&g, "input_ids", "", NULL);
	for (i = 0; i < N; i++)
		w->ids[i] = (int32_t)ids[i];
	golden_close(&g);
	w->V = peft_net_config(w->net)->vocab;
}

/* Logits of tokens first .. first+n, by an adapter, behind a cache. */
static void
logits(struct world *w, int adapter, struct peft_kv *kv, size_t first,
    size_t n, float *y)
{
	struct peft_seq s = { .ids = w->ids + first, .n = n, .weight = 1,
	    .adapter = adapter, .kv = kv };
	struct peft_err err = { 0 };
	size_t rows[N], i;

	for (i = 0; i < n; i++)
		rows[i] = i;
	need(peft_run_logits(w->run, &s, 1, rows, n, y, &err) == 0, &err);
}

static double
off(const float *a, const float *b, size_t n)
{
	double most = 0, top = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		most = tap_worst(most, fabs((double)a[i] - (double)b[i]));
		top = fmax(top, fabs((double)b[i]));
	}
	return most / top;
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct world w = { 0 };
	struct peft_kv *kv;
	float *base, *with, *y;
	size_t V, i;
	double d;

	if (argc != 4)
		return 1;
	load(&w, argv);
	V = w.V;
	base = peft_calloc(3 * N * V, sizeof(*base), &err);
	need(base != NULL, &err);
	with = base + N * V;
	y = with + N * V;
	need((kv = peft_kv_open(w.net, N, &err)) != NULL, &err);
	logits(&w, -1, NULL, 0, N, base);
	logits(&w, 0, NULL, 0, N, with);
	ok(memcmp(base, with, FROM * V * sizeof(*y)) == 0, "before the "
	    "invocation all is the base's");
	ok(off(with + FROM * V, base + FROM * V, V) > 0.01, "from there on "
	    "the adapter acts");
	logits(&w, -1, kv, 0, FROM, y);
	logits(&w, 0, kv, FROM, 2, y + FROM * V);
	for (i = FROM + 2; i < N; i++)
		logits(&w, 0, kv, i, 1, y + i * V);
	d = off(y, with, N * V);
	ok(d < 1e-5, "behind the base's cache, token by token: off by %.1e",
	    d);
	peft_kv_cut(kv, FROM);
	logits(&w, 0, kv, FROM + 1, 1, y);
	ok(off(y, with + (FROM + 1) * V, V) > 0.01, "a cache that is cut "
	    "forgets the invocation");
	peft_kv_close(kv);
	free(base);
	peft_run_close(w.run);
	peft_adapter_close(w.adapter);
	peft_net_close(w.net);
	peft_source_close(w.src);
	peft_source_close(w.model);
	peft_cpu_close(w.cpu);
	return tap_end();
}
