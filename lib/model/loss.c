/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head and the loss: supervised positions only, a tile of logits at a
 * time; the gradient is made in the tile's place (no logits matrix).
 */

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "data/tokens.h"
#include "model/hooks-impl.h"
#include "model/net-impl.h"
#include "model/target-impl.h"
#include "model/values.h"

/* Scores of classes are few, and decide; logits of a vocabulary are many. */
static bool
is_fine(const struct peft_net *net)
{
	return net->config.outputs != net->config.vocab;
}

bool
peft_run_logits_over(const struct peft_run *run)
{
	return run->net->head.site->hooks == NULL && !is_fine(run->net);
}

/* hx = norm(out) at rows[0..n), and y = its logits, adapters included. */
static void
head(struct peft_run *run, const size_t *rows, size_t n,
    const struct peft_range *ranges, size_t nranges, float *hx, float *y)
{
	struct peft_net *net = run->net;
	size_t D = net->config.hidden, V = net->config.outputs, i;
	struct peft_product p = { &net->head.w, y, V };
	struct peft_lap lap;
	const float *x;
	size_t ldx = D;

	for (i = 0; i < n; i++)
		run->tileident[i] = run->ident[rows[i]];
	peft_norm_rows(run, &net->norm, ranges, nranges, hx, run->out, D,
	    rows);
	x = peft_hooks_input(run, net->head.site, ranges, nranges,
	    run->tileident, hx, &ldx);
	lap = peft_lap_begin(net->cpu);
	if (is_fine(net))
		peft_product_forward_fine(net->cpu, x, ldx, n, &p,
		    run->product);
	else
		peft_product_forward(net->cpu, x, ldx, n, &p, 1, run->product);
	peft_lap_end(net->cpu, &lap, PEFT_WORK_HEAD, p.w->dtype, 0);
	if (net->head.bias != NULL)
		peft_op_bias(run, y, V, net->head.bias, V, n);
	peft_hooks_forward(run, net->head.site, ranges, nranges,
	    run->tileident, hx, D, y, V, run->headhook);
}

/* What families do to a row of logits: y = cap tanh(scale y / cap). */
static void
finish_row(const struct peft_run *run, float *y)
{
	const struct peft_config *c = &run->net->config;

	if (c->t.logit_scale != 1)
		run->vec->scale(y, (float)c->t.logit_scale, c->outputs);
	if (c->t.final_cap > 0)
		peft_cap_row(run->vec, y, c->outputs, (float)c->t.final_cap);
}

/* The ranges of adapters among rows[0..n), which ascend. */
static size_t
tile_ranges(const struct peft_run *run, const size_t *rows, size_t n,
    struct peft_range *tile)
{
	size_t i, r = 0, k = 0;

	for (i = 0; i < n; i++) {
		while (rows[i] >= run->ranges[r].first + run->ranges[r].n)
			r++;
		if (k == 0 || !peft_range_is(&tile[k - 1],
		    run->ranges[r].adapter, run->ranges[r].task))
			tile[k++] = (struct peft_range){
			    run->ranges[r].adapter, run->ranges[r].task, i,
			    0 };
		tile[k - 1].n++;
	}
	return k;
}

/* Of the loss over a row of logits: the largest, the sum, the division, the
 * gradient; reads and writes. */
enum { PASSES = 7 };

struct job {
	struct peft_run	*run;
	size_t		 base;		/* of the tile within run->rows; what
					 * is computed of these lies at
					 * run->kept.slot */
};

/* Probabilities become the gradient of scale * ((1 - a) nll + a * the mean of
 * all tokens' nll + z lse^2), through the cap and the scale of the logits. */
static void
row_back(const struct peft_run *run, float *y, const float *capped,
    size_t target, float lse, float scale)
{
	size_t V = run->net->config.outputs, j;
	float a = run->caps.smoothing, all = 1 + 2 * run->caps.zloss * lse;
	float cap = (float)run->net->config.t.final_cap;

	y[target] -= (1 - a) / all;
	for (j = 0; a > 0 && j < V; j++)
		y[j] -= a / all / (float)V;
	for (j = 0; capped != NULL && j < V; j++)
		y[j] *= 1 - capped[j] / cap * (capped[j] / cap);
	run->vec->scale(y, scale * all *
	    (float)run->net->config.t.logit_scale, V);
}

/* One row of logits: its loss, and (training) its gradient in place. */
static void
row_task(void *ctx, size_t i, int thread)
{
	const struct job *job = ctx;
	struct peft_run *run = job->run;
	size_t V = run->net->config.outputs, target;
	float *y = run->logits + i * V, logit, lse;
	float *capped = run->capped == NULL ? NULL : run->capped + i * V;

	(void)thread;
	target = (size_t)run->targets[job->base + i];
	if (run->seqs[0].values != NULL) {
		run->rowtop[i] = peft_row_values(run->net->config.problem, y,
		    run->seqs[target].values, V, run->train,
		    run->rowscale[job->base + i], &run->rownll[i]);
		return;
	}
	finish_row(run, y);
	if (run->train && capped != NULL)
		memcpy(capped, y, V * sizeof(*y));
	run->rowtop[i] = run->vec->argmax(y, V) == target;
	logit = y[target];
	lse = run->vec->softmax(y, V);
	run->rownll[i] = (double)lse - logit;
	if (run->train)
		row_back(run, y, capped, target, lse,
		    run->rowscale[job->base + i]);
}

/* Gradient of the tile's hidden states, spread to the rows of run->dx. */
static void
tile_back(struct peft_run *run, const size_t *rows, size_t n,
    const struct peft_range *ranges, size_t nranges)
{
	struct peft_net *net = run->net;
	size_t D = net->config.hidden, V = net->config.outputs;
	struct peft_product p = { &net->head.w, run->logits, V };
	struct peft_along along = { .over = peft_run_logits_over(run) };
	bool turned = peft_hooks_have(net->head.site, PEFT_HAS_INPUT);
	float *dx = turned ? run->input : run->dhx;
	struct peft_lap lap;

	peft_hooks_output_back(run, net->head.site, ranges, nranges,
	    run->tileident, run->hx, D, run->logits, V, run->headhook);
	lap = peft_lap_begin(net->cpu);
	if (is_fine(net))
		peft_product_backward_fine(net->cpu, dx, D, n, &p, false,
		    run->product);
	else
		peft_product_backward_low(net->cpu, dx, D, n, &p, NULL, &along,
		    1, false, run->product);
	peft_lap_end(net->cpu, &lap, PEFT_WORK_HEAD_BACK, p.w->dtype, 0);
	if (turned) {
		memset(run->dhx, 0, n * D * sizeof(*run->dhx));
		peft_hooks_input_back(run, net->head.site, ranges, nranges,
		    run->tileident, run->hx, D, dx, run->dhx, D);
	}
	peft_hooks_backward(run, net->head.site, ranges, nranges,
	    run->tileident, run->hx, D, run->logits, V, run->dhx, D,
	    run->headhook);
	peft_norm_rows_back(run, &net->norm, ranges, nranges, run->dx,
	    run->dhx, run->out, D, rows);
}

/* Add the tile's rows, base .. base+n of all, in order, to the sequences that
 * they are of. */
static void
gather(const struct peft_run *run, size_t base, size_t n,
    struct peft_loss *loss)
{
	size_t i, j, seq, next;

	for (i = 0; i < n; i++) {
		const struct peft_node *node =
		    &run->tree.nodes[run->rownode[base + i]];

		next = node->depth + run->rows[base + i] - node->first;
		for (j = node->lo; j < node->hi; j++) {
			seq = run->tree.order[j];
			if (peft_target_of(run, seq, next) !=
			    run->targets[base + i])
				continue;
			loss[seq].nll += run->rownll[i] *
			    (double)peft_target_weight(run, seq, next);
			loss[seq].top1 += run->rowtop[i];
			loss[seq].tokens++;
		}
	}
}

void
peft_head_loss(struct peft_run *run, size_t n, struct peft_loss *loss)
{
	struct job job = { run, 0 };
	struct peft_range *tile = run->tile_ranges;
	struct peft_lap lap;
	size_t tiles = (n + run->tile - 1) / run->tile, m, k;

	if (run->train)
		memset(run->dx, 0, run->T * run->net->config.hidden *
		    sizeof(*run->dx));
	for (; job.base < n; job.base += m, tiles--) {
		const size_t *rows = run->kept.slot + job.base;

		/* of the same size (layout-size.c) */
		m = (n - job.base + tiles - 1) / tiles;
		k = tile_ranges(run, rows, m, tile);
		head(run, rows, m, tile, k, run->hx, run->logits);
		lap = peft_lap_begin(run->net->cpu);
		peft_cpu_run(run->net->cpu, m, row_task, &job);
		peft_lap_end(run->net->cpu, &lap, PEFT_WORK_LOSS, 0,
		    (double)(m * run->net->config.vocab) * PASSES *
		    sizeof(float));
		gather(run, job.base, m, loss);
		if (run->train)
			tile_back(run, rows, m, tile, k);
	}
}

struct finish {
	const struct peft_run	*run;
	float			*logits;
	atomic_bool		 bad;
};

static void
finish_task(void *ctx, size_t i, int thread)
{
	struct finish *f = ctx;
	size_t V = f->run->net->config.outputs;
	float *y = f->logits + i * V;

	(void)thread;
	finish_row(f->run, y);
	if (f->run->vec->nonfinite(y, V))
		atomic_store(&f->bad, true);
}

bool
peft_head_logits(struct peft_run *run, const size_t *rows, size_t n,
    float *logits)
{
	struct finish f = { .run = run, .logits = logits };
	struct peft_range *tile = run->tile_ranges;
	size_t m, k;

	for (; n > 0; n -= m, rows += m,
	    f.logits += m * run->net->config.outputs) {
		m = n < run->tile ? n : run->tile;
		k = tile_ranges(run, rows, m, tile);
		head(run, rows, m, tile, k, run->hx, f.logits);
		peft_cpu_run(run->net->cpu, m, finish_task, &f);
	}
	return !atomic_load(&f.bad);
}
