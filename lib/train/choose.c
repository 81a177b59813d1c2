/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the plans that keep to a limit of memory the one that takes the least
 * time.  For a size of micro-batches there is one path of plans: first all is
 * kept, then logits take half the memory, then the part of a layer that frees
 * the most memory for its work is made again, in one layer, in two, in all;
 * then the next such part.  The first on the path that fits is compared with
 * those of smaller sizes.
 */

#include <math.h>
#include <string.h>

#include "base/opt.h"
#include "train/trainer.h"

struct choice {
	struct peft_trainer	*t;
	struct peft_estimate	e;
	enum peft_layerpart	order[PEFT_NPART];
	size_t	parts;		/* so many there are */
	size_t	layers;		/* that parts may be made again of */
	size_t	tokens, at;	/* the best: its place on the path, */
	double	price;		/* and its work */
	size_t	smallest;	/* bytes of any plan so far; of the last size
				 * without anything made again */
	size_t	unmade;
};

static bool
fits(const struct peft_trainer *t)
{
	return t->plan.total <= t->opt.mem_limit;
}

/* The plan at a place of the path. */
static int
plan_at(struct choice *c, size_t tokens, size_t at, struct peft_err *err)
{
	size_t i, n;

	c->t->caps.tight = at > 0;
	at -= at > 0;
	for (i = 0; i < c->parts; i++, at -= n) {
		n = at < c->layers ? at : c->layers;
		c->t->caps.again[c->order[i]] = n;
	}
	return peft_train_plan_for(c->t, tokens, err);
}

/* Bytes that one more part in all layers frees, beside those that are made
 * again already, for the work of it. */
static int
worth(struct choice *c, const struct peft_stepmean *m, enum peft_layerpart p,
    double *worth, struct peft_err *err)
{
	struct peft_trainer *t = c->t;
	double before = (double)t->plan.run.total;
	size_t alone[PEFT_NPART] = { 0 };
	struct peft_stepwork w;
	struct peft_plan plan;

	alone[p] = t->caps.again[p] = c->layers;
	w = peft_train_again(&c->e, m, alone);
	if (peft_run_plan(t->net, &t->caps, &plan, err) == -1)
		return -1;
	t->caps.again[p] = 0;
	*worth = (before - (double)plan.total) / peft_train_price(&w);
	return 0;
}

/* The part that is worth most of those that are left, which is made again from
 * here on. */
static int
next_part(struct choice *c, const struct peft_stepmean *m,
    enum peft_layerpart *best, struct peft_err *err)
{
	double most = -INFINITY, w;
	int p;

	for (p = 0; p < PEFT_NPART; p++) {
		if (!c->t->plan.run.parts[p] || c->t->caps.again[p] > 0)
			continue;
		if (worth(c, m, (enum peft_layerpart)p, &w, err) == -1)
			return -1;
		if (w > most) {
			most = w;
			*best = (enum peft_layerpart)p;
		}
	}
	c->t->caps.again[*best] = c->layers;
	return 0;
}

static int
set_order(struct choice *c, size_t tokens, struct peft_err *err)
{
	struct peft_stepmean m;
	size_t i;

	if (peft_train_plan_for(c->t, tokens, err) == -1 ||
	    peft_train_mean(c->t, &m, err) == -1)
		return -1;
	c->layers = c->t->plan.run.between;
	for (i = 0; i < PEFT_NPART; i++)
		c->parts += c->t->plan.run.parts[i];
	for (i = 0; i < c->parts; i++)
		if (next_part(c, &m, &c->order[i], err) == -1 ||
		    peft_train_plan_for(c->t, tokens, err) == -1)
			return -1;
	return 0;
}

/* The first of the path that fits, if there is one, is it better?  *enough:
 * it begins with one that does, so that smaller ones are no better. */
static int
try_tokens(struct choice *c, size_t tokens, bool *enough,
    struct peft_err *err)
{
	struct peft_trainer *t = c->t;
	struct peft_stepmean m;
	struct peft_stepwork w;
	size_t at, total;

	for (at = 0; at <= 1 + c->parts * c->layers; at++) {
		if (plan_at(c, tokens, at, err) == -1)
			return -1;
		total = t->plan.total;
		c->smallest = total < c->smallest ? total : c->smallest;
		if (at == 0)
			c->unmade = total;
		if (fits(t))
			break;
	}
	*enough = at <= 1;
	if (!fits(t))
		return 0;
	if (peft_train_mean(t, &m, err) == -1)
		return -1;
	w = peft_train_work(t, &c->e, &m, t->caps.again);
	if (peft_train_price(&w) < c->price) {
		c->price = peft_train_price(&w);
		c->tokens = tokens;
		c->at = at;
	}
	return 0;
}

/* Where there is one layer, computing it again saves nothing. */
static int
refuse(const struct choice *c, struct peft_err *err)
{
	return peft_setfail(err, PEFT_CHECK, "the smallest plan, with "
	    "micro-batches of one record%s, needs %.1f MiB, the limit is "
	    "%.1f MiB", c->smallest < c->unmade ? " and activations computed "
	    "again" : "", peft_mib(c->smallest),
	    floor((double)c->t->opt.mem_limit / 0x1p20 * 10) / 10);
}

int
peft_train_choose(struct peft_trainer *t, size_t most, size_t least,
    struct peft_err *err)
{
	enum { FINE = 8 };	/* of a size, to the next smaller one */
	struct choice c = { .t = t, .e = peft_net_estimate(t->net),
	    .price = INFINITY, .smallest = SIZE_MAX };
	size_t tokens = most, next;
	bool enough = false;

	if (set_order(&c, most, err) == -1)
		return -1;
	for (; !enough; tokens = next) {
		if (try_tokens(&c, tokens, &enough, err) == -1)
			return -1;
		if (tokens <= least)
			break;
		next = tokens - (tokens + FINE - 1) / FINE;
		next = next > least ? next : least;
	}
	if (isinf(c.price))
		return refuse(&c, err);
	return plan_at(&c, c.tokens, c.at, err);
}
