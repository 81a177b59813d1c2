/* SPDX-License-Identifier: Apache-2.0 */
/* Shared beginnings: the forest itself, and that a model over it computes
 * what it computes without.  tree-unit MODEL */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/tokens.h"
#include "model/net.h"
#include "model/tree.h"
#include "peft/adapter.h"
#include "tap.h"

enum { MOST = 24, LONG = 160, RUNS = 300 };

struct batch {
	struct peft_seq	 seqs[MOST];
	int32_t		 ids[MOST][LONG], labels[MOST][LONG];
	size_t		 n, tokens;
};

static size_t
below(struct peft_rng r, uint64_t *at, size_t n)
{
	return (size_t)(peft_rng_u64(r, 0, (*at)++) % n);
}

/* Sequences that begin as one before them did, for so many tokens. */
static void
draw(struct batch *b, struct peft_rng r, size_t vocab)
{
	uint64_t at = 0;
	size_t i, j, from, same;

	b->n = 1 + below(r, &at, MOST);
	b->tokens = 0;
	for (i = 0; i < b->n; i++) {
		struct peft_seq *s = &b->seqs[i];

		*s = (struct peft_seq){ .ids = b->ids[i],
		    .labels = b->labels[i], .n = 1 + below(r, &at, LONG),
		    .weight = (float)(1 + below(r, &at, 3)),
		    .adapter = below(r, &at, 4) == 0 ? -1 : 0,
		    .ident = (uint32_t)i };
		from = i == 0 ? 0 : below(r, &at, i);
		same = i == 0 ? 0 : below(r, &at, b->seqs[from].n + 1);
		for (j = 0; j < s->n; j++) {
			b->ids[i][j] = j < same ? b->ids[from][j] :
			    (int32_t)below(r, &at, vocab);
			b->labels[i][j] = below(r, &at, 3) == 0 ?
			    PEFT_IGNORE : b->ids[i][j];
		}
		if (below(r, &at, 8) == 0)	/* labels of its own */
			b->labels[i][s->n - 1] = 0;
		b->tokens += s->n;
	}
}

/* Is token k of a sequence in the node, and the same one? */
static int
holds(const struct peft_tree *t, const struct batch *b, size_t node, size_t k)
{
	const struct peft_node *n = &t->nodes[node];
	const struct peft_seq *s = &b->seqs[t->order[n->lo]];
	size_t i, j = n->depth + k;

	for (i = n->lo; i < n->hi; i++)
		if (b->seqs[t->order[i]].n <= j ||
		    b->seqs[t->order[i]].ids[j] != s->ids[j] ||
		    b->seqs[t->order[i]].adapter != s->adapter)
			return 0;
	return 1;
}

/* Each sequence goes through nodes that cover its tokens, once each. */
static int
is_right(const struct peft_tree *t, const struct batch *b)
{
	size_t covered[MOST] = { 0 }, node, i, k, tokens = 0;

	for (node = 0; node < t->n; node++) {
		const struct peft_node *n = &t->nodes[node];

		if (n->first != tokens || n->n == 0 || n->lo >= n->hi)
			return 0;
		tokens += n->n;
		for (k = 0; k < n->n; k++)
			if (!holds(t, b, node, k))
				return 0;
		for (i = n->lo; i < n->hi; i++) {
			if (covered[t->order[i]] != n->depth)
				return 0;
			covered[t->order[i]] += n->n;
		}
		if (n->hi - n->lo > 1 && n->n < PEFT_SHARED_MIN)
			return 0;
		if (n->parent != SIZE_MAX && (n->parent >= node ||
		    t->nodes[n->parent].depth + t->nodes[n->parent].n !=
		    n->depth))
			return 0;
	}
	for (i = 0; i < b->n; i++)
		if (covered[i] != b->seqs[i].n)
			return 0;
	return tokens == t->tokens && t->n <= 2 * b->n;
}

static void
forests(void)
{
	size_t order[MOST], common[MOST], run, bad = 0, saved = 0, all = 0;
	struct peft_node nodes[2 * MOST];
	struct peft_tree t = { order, common, nodes, 0, 0 };
	struct batch *b = malloc(sizeof(*b));

	for (run = 0; run < RUNS; run++) {
		char name[32];

		snprintf(name, sizeof(name), "forest %zu", run);
		draw(b, peft_rng_key(7, name), 50);
		peft_tree_build(&t, b->seqs, b->n, true);
		bad += !is_right(&t, b);
		saved += b->tokens - t.tokens;
		all += b->tokens;
		peft_tree_build(&t, b->seqs, b->n, false);
		bad += !is_right(&t, b) || t.tokens != b->tokens ||
		    t.n != b->n || order[b->n - 1] != b->n - 1;
	}
	ok(bad == 0, "%d forests: %zu are wrong", RUNS, bad);
	ok(saved > all / 8, "%zu of %zu tokens are shared", saved, all);
	free(b);
}

static double
far(const float *a, const float *b, size_t n)
{
	double most = 0, top = 1e-30;
	size_t i;

	for (i = 0; i < n; i++) {
		most = tap_worst(most, fabs((double)a[i] - (double)b[i]));
		top = fmax(top, fabs((double)b[i]));
	}
	return most / top;
}

/* Loss of each sequence and all gradients, with or without sharing. */
static void
compute(struct peft_net *net, struct peft_adapter *a, const struct batch *b,
    bool share, struct peft_loss *loss, float *grads)
{
	struct peft_caps caps = { .tokens = b->tokens, .seqs = b->n,
	    .seq = LONG, .train = true, .share = share };
	struct peft_err err = { 0 };
	struct peft_run *run = peft_run_open(net, &caps, &err);
	struct peft_param *p;
	size_t i, n;

	need(run != NULL, &err);
	peft_adapter_zerograd(a);
	need(peft_run_train(run, b->seqs, b->n, 1e-2, 0, loss, &err) == 0,
	    &err);
	p = peft_adapter_params(a, &n);
	for (i = 0; i < n; grads += p[i++].n)
		memcpy(grads, p[i].grad, p[i].n * sizeof(*grads));
	peft_run_close(run);
}

static void
models(const char *path)
{
	struct peft_err err = { 0 };
	struct peft_cpu *cpu = peft_cpu_open(2, &err);
	struct peft_source *src = peft_source_open(path, &err);
	cJSON *config = cJSON_Parse("{\"peft_type\":\"LORA\",\"r\":4,"
	    "\"target_modules\":\"all-linear\",\"init_lora_weights\":false}");
	struct peft_loss with[MOST], without[MOST];
	struct batch *b = malloc(sizeof(*b));
	float *g = NULL, *h = NULL;
	struct peft_adapter *a;
	struct peft_param *p;
	struct peft_net *net;
	size_t n, i, run, size = 0;

	need(cpu != NULL && src != NULL, &err);
	need((net = peft_net_open(src, cpu, &err)) != NULL, &err);
	need((a = peft_adapter_new(config, peft_net_sites(net), 1, &err)) !=
	    NULL, &err);
	need(peft_adapter_attach(a, peft_net_sites(net), 0, 1, true,
	    &err) == 0, &err);
	p = peft_adapter_params(a, &n);
	for (i = 0; i < n; i++)
		size += p[i].n;
	g = malloc(size * sizeof(*g));
	h = malloc(size * sizeof(*h));
	for (run = 0; run < 6; run++) {
		double most = 0;
		int same = 1;
		char name[32];

		snprintf(name, sizeof(name), "model %zu", run);
		draw(b, peft_rng_key(7, name),
		    peft_net_config(net)->vocab);
		compute(net, a, b, true, with, g);
		compute(net, a, b, false, without, h);
		for (i = 0; i < b->n; i++) {
			same &= with[i].tokens == without[i].tokens;
			most = tap_worst(most, fabs(with[i].nll -
			    without[i].nll) / fmax(without[i].nll, 1));
		}
		ok(same && most <= 2e-6, "%zu sequences: losses differ by "
		    "%.1e", b->n, most);
		ok(far(g, h, size) <= 1e-5, "gradients differ by %.1e of the "
		    "largest", far(g, h, size));
	}
	free(g);
	free(h);
	free(b);
	peft_adapter_close(a);
	peft_net_close(net);
	peft_source_close(src);
	peft_cpu_close(cpu);
	cJSON_Delete(config);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 1;
	forests();
	models(argv[1]);
	return tap_end();
}
