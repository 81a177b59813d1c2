/* SPDX-License-Identifier: Apache-2.0 */
/* Does the merged model say what base and adapters said?  The same tokens
 * through both, the logits compared. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/tokens.h"
#include "merge/logits.h"
#include "merge/merge-impl.h"

enum { MAXSEQS = 8, MAXTOKENS = 64, OWNSEQS = 4, OWNTOKENS = 32 };

struct probe {
	int32_t		 ids[MAXSEQS][MAXTOKENS];
	struct peft_seq	 seqs[MAXSEQS];
	size_t		 n, vocab, outputs;
	float		*want[MAXSEQS];		/* [seqs[i].n, outputs] */
	float		*got;			/* of one sequence */
};

void
peft_merge_verify(struct peft_merge *m, const char *tokens,
    struct peft_verdict *verdict)
{
	m->tokens = tokens;
	m->verdict = verdict;
	memset(verdict, 0, sizeof(*verdict));
}

static void
add_seq(struct probe *p, const int32_t *ids, size_t n)
{
	n = n < MAXTOKENS ? n : MAXTOKENS;
	memcpy(p->ids[p->n], ids, n * sizeof(*ids));
	p->seqs[p->n] = (struct peft_seq){ .ids = p->ids[p->n], .n = n,
	    .weight = 1, .adapter = -1 };
	p->n++;
}

static int
probe_file(struct probe *p, const char *path, struct peft_err *err)
{
	struct peft_tokens_reader *t = peft_tokens_open(path, p->vocab, true,
	    err);
	struct peft_record rec;
	int r = t == NULL ? -1 : 1;

	while (r == 1 && p->n < MAXSEQS &&
	    (r = peft_tokens_next(t, &rec, err)) == 1) {
		if (rec.n > 0)
			add_seq(p, rec.ids, rec.n);
		peft_record_free(&rec);
	}
	peft_tokens_close(t);
	if (r != -1 && p->n == 0)
		return peft_seterr(err, "%s: no tokens to compare with", path);
	return r == -1 ? -1 : 0;
}

static void
probe_own(struct probe *p)
{
	struct peft_rng rng = peft_rng_key(0, "verify");
	int32_t ids[OWNTOKENS];
	size_t i, k;

	for (i = 0; i < OWNSEQS; i++) {
		for (k = 0; k < OWNTOKENS; k++)
			ids[k] = (int32_t)peft_rng_below(rng, i, k, p->vocab);
		add_seq(p, ids, OWNTOKENS);
	}
}

static struct peft_run *
open_run(struct peft_net *net, struct peft_err *err)
{
	struct peft_caps caps = { .tokens = MAXTOKENS, .seqs = 1,
	    .seq = MAXTOKENS };

	return peft_run_open(net, &caps, err);
}

static int
logits(struct peft_run *run, struct peft_seq seq, int adapter, float *out,
    struct peft_err *err)
{
	size_t rows[MAXTOKENS], i;

	for (i = 0; i < seq.n; i++)
		rows[i] = i;
	seq.adapter = adapter;
	return peft_run_logits(run, &seq, 1, rows, seq.n, out, err);
}

static int
run_adapted(struct probe *p, struct peft_run *run, struct peft_verdict *v,
    struct peft_err *err)
{
	size_t i, t, V = p->outputs;

	for (i = 0; i < p->n; i++) {
		p->want[i] = peft_calloc(p->seqs[i].n * V, sizeof(float), err);
		if (p->want[i] == NULL ||
		    logits(run, p->seqs[i], 0, p->want[i], err) == -1 ||
		    logits(run, p->seqs[i], -1, p->got, err) == -1)
			return -1;
		for (t = 0; t < p->seqs[i].n; t++)
			v->base_kl += peft_divergence(p->want[i] + t * V,
			    p->got + t * V, V);
		v->positions += p->seqs[i].n;
	}
	return 0;
}

/* One position: sums over the vocabulary. */
static void
compare(const float *want, const float *got, size_t V,
    struct peft_verdict *v)
{
	/* of a single output there is nothing to centre on */
	double mean = 0, kl = peft_divergence(want, got, V), d;
	size_t i;

	for (i = 0; V > 1 && i < V; i++)
		mean += (double)want[i] / (double)V;
	for (i = 0; i < V; i++) {
		d = fabs((double)want[i] - (double)got[i]);
		v->max = d > v->max ? d : v->max;
		v->rms += d * d;
		d = (double)want[i] - mean;
		v->scale += d * d;
	}
	v->kl += kl;
	v->max_kl = kl > v->max_kl ? kl : v->max_kl;
}

static int
run_merged(struct probe *p, struct peft_run *run, struct peft_verdict *v,
    struct peft_err *err)
{
	size_t i, t, V = p->outputs;

	for (i = 0; i < p->n; i++) {
		if (logits(run, p->seqs[i], -1, p->got, err) == -1)
			return -1;
		for (t = 0; t < p->seqs[i].n; t++)
			compare(p->want[i] + t * V, p->got + t * V, V, v);
	}
	return 0;
}

/* Open a model (`path', or the base if it came by a pipe), attach, run. */
static int
with_model(struct peft_merge *m, struct probe *p, struct peft_cpu *cpu,
    const char *path, bool adapted, struct peft_err *err)
{
	bool own = !adapted || !m->pipe;
	struct peft_source *s = own ? peft_source_open(path, err) : m->base;
	struct peft_net *net = s == NULL ? NULL : peft_net_open_head(s,
	    cpu, adapted ? &m->head : NULL, err);
	struct peft_run *run = NULL;
	size_t i;
	int r = net == NULL ? -1 : 0;

	for (i = 0; r == 0 && adapted && i < m->nfolds; i++)
		r = peft_adapter_attach(m->folds[i].adapter,
		    peft_net_sites(net), 0, m->folds[i].weight, false, err);
	if (r == 0 && (run = open_run(net, err)) == NULL)
		r = -1;
	if (r == 0)
		r = adapted ? run_adapted(p, run, m->verdict, err) :
		    run_merged(p, run, m->verdict, err);
	peft_run_close(run);
	peft_net_close(net);
	if (own)
		peft_source_close(s);
	return r;
}

/*
 * How far logits may differ.  Rounding the weights with a relative error of e
 * (measured while they were written) perturbs the output of each matrix by
 * about e; some six of them stand one behind the other in a layer, and errors
 * of different matrices are independent, so that they add up as the root of
 * their number; 8 is for what the network does with them.  1e-6 stands for
 * the f32 arithmetic of both sides.  Logits that differ as much as they vary
 * are wrong whatever the type.
 */
static double
limit(const struct peft_merge *m)
{
	double e = m->all.merged2 > 0 ? sqrt(m->all.lost2 / m->all.merged2) :
	    0;
	double l = 8 * sqrt(6 * (double)m->config.layers) * (e + 1e-6);

	return l < 1 ? l : 1;
}

static int
judge(const struct peft_merge *m, struct peft_verdict *v, size_t vocab,
    struct peft_err *err)
{
	double n = (double)v->positions, all = n * (double)vocab;

	v->rms = sqrt(v->rms / all);
	v->scale = sqrt(v->scale / all);
	v->kl /= n;
	v->base_kl /= n;
	v->limit = limit(m);
	if (!(v->rms <= v->limit * v->scale))
		return peft_setfail(err, PEFT_CHECK, "verify: the logits of "
		    "the merged model differ from those of base and adapters by "
		    "%.2g (root mean square) where they vary by %.2g; the "
		    "limit for this type is %.2g of that", v->rms, v->scale,
		    v->limit);
	return 0;
}

int
peft_merge_look(void *ctx, const char *path, struct peft_err *err)
{
	struct peft_merge *m = ctx;
	struct peft_cpu *cpu = peft_cpu_open(m->opt.threads, err);
	struct probe *p = cpu == NULL ? NULL : peft_calloc(1, sizeof(*p), err);
	size_t i;
	int r = p == NULL ? -1 : 0;

	if (r == 0) {
		p->vocab = m->config.vocab;
		p->outputs = m->config.outputs;
		p->got = peft_calloc(MAXTOKENS * p->outputs, sizeof(float),
		    err);
		r = p->got == NULL ? -1 : 0;
	}
	if (r == 0 && m->tokens != NULL)
		r = probe_file(p, m->tokens, err);
	else if (r == 0)
		probe_own(p);
	if (r == 0 && (with_model(m, p, cpu, m->opt.model, true, err) == -1 ||
	    with_model(m, p, cpu, path, false, err) == -1))
		r = -1;
	if (r == 0)
		r = judge(m, m->verdict, p->outputs, err);
	for (i = 0; p != NULL && i < p->n; i++)
		free(p->want[i]);
	if (p != NULL)
		free(p->got);
	free(p);
	peft_cpu_close(cpu);
	return r;
}
