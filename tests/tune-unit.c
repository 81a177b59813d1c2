/* SPDX-License-Identifier: Apache-2.0 */
/* Choices for a budget against all there are; squared gradients against the
 * softmax they are made of. */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "eval/fisher.h"
#include "eval/session.h"
#include "quant/fit-impl.h"
#include "quant/quant.h"
#include "tap.h"

/* usage: tune-unit MODEL */

enum { ITEMS = 5, CHOICES = 4 };

/* The least cost of any choice within the budget. */
static double
best_of_all(const struct peft_item *it, size_t n, size_t budget)
{
	double best = INFINITY, cost;
	size_t k, i;

	if (n == 0)
		return 0;
	for (k = 0; k < it[0].n; k++) {
		if (it[0].at[k].bytes > budget)
			continue;
		cost = it[0].at[k].cost;
		i = budget - it[0].at[k].bytes;
		cost += best_of_all(it + 1, n - 1, i);
		best = cost < best ? cost : best;
	}
	return best;
}

struct sums {
	size_t	bytes, least, most;
	double	cost, largest;	/* largest: of a step's gain */
};

static struct sums
sum_up(const struct peft_item *it, size_t n)
{
	struct sums s = { 0 };
	size_t i, k;

	for (i = 0; i < n; i++) {
		s.bytes += it[i].at[it[i].chosen].bytes;
		s.cost += it[i].at[it[i].chosen].cost;
		s.least += it[i].at[0].bytes;
		s.most += it[i].at[it[i].n - 1].bytes;
		for (k = 1; k < it[i].n; k++)
			s.largest = fmax(s.largest, it[i].at[0].cost -
			    it[i].at[k].cost);
	}
	return s;
}

static void
make_items(struct peft_item *it, struct peft_choice at[][CHOICES],
    uint64_t seed)
{
	struct peft_rng rng = peft_rng_key(seed, "tune-unit");
	size_t i, k;

	for (i = 0; i < ITEMS; i++) {
		for (k = 0; k < CHOICES; k++)
			at[i][k] = (struct peft_choice){ .bytes = 1 +
			    (size_t)peft_rng_below(rng, i, k, 40), .cost =
			    peft_rng_uniform(rng, i + 100, k) };
		it[i] = (struct peft_item){ .at = at[i], .n = CHOICES };
		peft_choices_sort(&it[i]);
	}
}

static void
test_choose(void)
{
	struct peft_choice at[ITEMS][CHOICES];
	struct peft_item it[ITEMS];
	struct peft_err err = { 0 };
	int over = 0, worse = 0, better = 0, seen = 0, unsorted = 0;
	struct sums s;
	uint64_t seed;
	size_t budget, i, k;
	double best;

	for (seed = 0; seed < 60; seed++) {
		make_items(it, at, seed);
		for (i = 0; i < ITEMS; i++)
			for (k = 1; k < it[i].n; k++)
				unsorted += it[i].at[k].bytes <=
				    it[i].at[k - 1].bytes || it[i].at[k].cost
				    >= it[i].at[k - 1].cost;
		s = sum_up(it, ITEMS);
		for (budget = s.least; budget <= s.most; budget += 7) {
			need(peft_choose(it, ITEMS, budget, &err) == 0, &err);
			s = sum_up(it, ITEMS);
			over += s.bytes > budget;
			best = best_of_all(it, ITEMS, budget);
			better += s.cost < best - 1e-12;
			/* the Lagrangian bound: less than a step away */
			worse += s.cost > best + s.largest;
			seen++;
		}
		need(peft_choose(it, ITEMS, s.most, &err) == 0, &err);
		over += sum_up(it, ITEMS).bytes > s.most;
	}
	ok(unsorted == 0, "more bytes cost less, or are no choice");
	ok(seen > 500 && over == 0, "%d choices, none over its budget", seen);
	ok(better == 0, "none better than the best there is");
	ok(worse == 0, "none worse than it by a step of one item");
}

/* Row i of the head by the sketch: gg times the square of logit i.  How far
 * it is from that, relative to the largest. */
static double
off_sketch(struct peft_session *ses, size_t head, const float *sketch,
    const float *y, double gg)
{
	struct peft_err err = { 0 };
	struct peft_weight w;
	double most = 0, off = 0, sum, d;
	size_t i, j, k;
	float *x;

	need(peft_source_load(ses->source, head, &w, &err) == 0, &err);
	x = peft_calloc(w.cols, sizeof(*x), &err);
	need(x != NULL, &err);
	for (i = 0; i < w.rows; i++) {
		peft_decode(&w, i * w.cols, w.cols, x);
		for (sum = 0, k = 0; k < PEFT_SKETCH; k++) {
			for (d = 0, j = 0; j < w.cols; j++)
				d += (double)x[j] *
				    (double)sketch[j * PEFT_SKETCH + k];
			sum += d * d;
		}
		d = gg * (double)y[i] * (double)y[i];
		most = tap_worst(most, d);
		off = tap_worst(off, fabs(sum - d));
	}
	free(x);
	return off / most;
}

/* The gradient of a position's logits is p - 1 at the token that was drawn,
 * and p elsewhere; so that of the head's weight is known. */
static void
test_fisher(const char *model)
{
	static const int32_t ids[] = { 5, 7 };
	static const size_t last = 0;
	struct peft_sessionopt o = { .model = model, .threads = 1 };
	struct peft_caps caps = { .tokens = 2, .seqs = 1, .seq = 2 };
	struct peft_seq seq = { .ids = ids, .n = 2, .weight = 1,
	    .adapter = -1 };
	char path[] = "tune-unit.XXXXXX";
	struct peft_err err = { 0 };
	struct peft_session ses;
	struct peft_fisher f;
	struct peft_run *run;
	size_t V, i, head, label = 0;
	double max = 0, sum = 0, most = 0, gg = 0, rr = 0, nll;
	float *y;
	FILE *fp;
	int fd = mkstemp(path);

	fp = fdopen(fd, "w");
	fprintf(fp, "{\"input_ids\":[5,7],\"labels\":[-100,7]}\n");
	fclose(fp);
	need(peft_fisher(model, path, 1, &f, &err) == 0, &err);
	unlink(path);
	need(peft_session_open(&ses, &o, &err) == 0, &err);
	V = peft_net_config(ses.net)->vocab;
	y = peft_calloc(V, sizeof(*y), &err);
	run = peft_run_open(ses.net, &caps, &err);
	need(y != NULL && run != NULL && peft_run_logits(run, &seq, 1, &last,
	    1, y, &err) == 0, &err);
	for (i = 0; i < V; i++)
		max = fmax(max, (double)y[i]);
	for (i = 0; i < V; i++)
		sum += exp((double)y[i] - max);
	head = peft_source_find(ses.source, "model.embed_tokens.weight");
	for (i = 0; i < V; i++)
		if (f.at[head].rows[i] > f.at[head].rows[label])
			label = i;
	nll = log(sum) + max - (double)y[label];
	for (i = 0; i < V; i++) {
		double g = exp((double)y[i] - max) / sum - (i == label);

		gg += g * g;
		rr += f.at[head].rows[i];
	}
	for (i = 0; i < V; i++) {
		double g = exp((double)y[i] - max) / sum - (i == label);

		most = tap_worst(most, fabs(f.at[head].rows[i] / rr -
		    g * g / gg));
	}
	ok(f.tokens == 1 && fabs(f.loss - nll) < 1e-5, "the loss of what was drawn "
	    "(%.6f, %.6f)", f.loss, nll);
	ok(most < 1e-6, "squared gradients of the head's outputs (off by %.1e)",
	    most);
	ok(fabs(f.at[head].scale * rr - 0.5) < 1e-12, "half of the whole is "
	    "what the loss rises by");
	ok(off_sketch(&ses, head, f.at[head].sketch, y, gg) < 1e-4, "the "
	    "sketch of one input is that input, which makes the logits");
	for (i = 0, most = INFINITY; i < f.n; i++)
		most = fmin(most, f.at[i].scale);
	ok(most > 0, "every weight has a sensitivity");
	peft_fisher_free(&f);
	peft_run_close(run);
	peft_session_close(&ses);
	free(y);
}

/* Most of what rows matter is in a few of them, as in a head: what is foretold
 * from some rows is what all say. */
static void
test_sample(void)
{
	enum { ROWS = 4096, COLS = 64, HEAVY = 7 };
	struct peft_spec s = { .name = "head", .dtype = PEFT_Q4_0 };
	struct peft_weight w = { .name = "head", .dtype = PEFT_F32, .ndim = 2,
	    .shape = { ROWS, COLS }, .rows = ROWS, .cols = COLS,
	    .nelem = ROWS * COLS, .nbytes = ROWS * COLS * sizeof(float) };
	float *x = calloc(ROWS * COLS, sizeof(*x));
	double *rows = calloc(ROWS, sizeof(*rows));
	struct peft_sensitivity sens = { .rows = rows, .scale = 1 };
	struct peft_rng rng = peft_rng_key(1, "sample");
	struct peft_fidelity some, all;
	struct peft_err err = { 0 };
	size_t i;
	int r = -1;

	for (i = 0; x != NULL && i < ROWS * COLS; i++)
		x[i] = (float)peft_rng_normal(rng, 0, i);
	for (i = 0; rows != NULL && i < ROWS; i++)
		rows[i] = i < HEAVY ? 1000 : i % 3 == 0;
	w.data = (void *)x;
	if (x != NULL && rows != NULL)
		r = peft_fidelity(&w, &s, &sens, 0, &all, &err) == -1 ? -1 :
		    peft_fidelity(&w, &s, &sens, 1 << 14, &some, &err);
	ok(r == 0 && all.n == ROWS * COLS && some.n < all.n / 8,
	    "an eighth of a weight is looked at");
	ok(r == 0 && fabs(some.weighted / all.weighted - 1) < 0.1,
	    "and foretells what all of it is: %.3f", r == 0 ? some.weighted /
	    all.weighted : 0.0);
	free(x);
	free(rows);
}

int
main(int argc, char **argv)
{
	test_choose();
	test_sample();
	if (argc == 2)
		test_fisher(argv[1]);
	return tap_end();
}
