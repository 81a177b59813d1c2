/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ATTENTION_WANTED_H
#define TESTS_ATTENTION_WANTED_H

/*
 * For attention-hunt: what attention and its gradients have to be, by plain
 * sums in double.
 */

#include "attention-case.h"

/* What is wanted, and the magnitudes of what it is summed from. */
struct sums {
	double	*is, *of;
};

static inline struct sums
sums_of(struct set *s, size_t n)
{
	struct sums w = { pen_get(&s->pen, s->d, n * sizeof(double), 8),
	    pen_get(&s->pen, s->d, n * sizeof(double), 8) };

	return w;
}

struct head {
	size_t	q, k, v, row, at;	/* in a row; of out */
};

static inline struct head
head_at(struct set *s, size_t head)
{
	const struct peft_config *c = config_of(s);
	size_t rep = c->heads / c->kv_heads, g = head / rep;
	const struct peft_heads_at *at = &s->net.at;

	return (struct head){ g * at->group + head % rep * at->q,
	    at->k + g * at->kstep, at->v + g * at->vstep, c->heads * c->v_dim,
	    head * c->v_dim };
}

/* size: what the terms are together, or NULL. */
static inline double
dot(const float *x, const float *y, size_t n, double *size)
{
	double sum = 0, all = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += (double)x[i] * (double)y[i];
		all += fabs((double)x[i] * (double)y[i]);
	}
	if (size != NULL)
		*size = all;
	return sum;
}

/* A query's keys, from its own back: their tokens, weights and how the score
 * changes with the product; returns how many. */
struct seen {
	size_t	token[MOSTT];
	double	p[MOSTT], slope[MOSTT], lse;
};

static inline size_t
look(struct set *s, size_t t, size_t head, struct seen *to)
{
	const struct peft_config *c = config_of(s);
	struct head h = head_at(s, head);
	size_t window = peft_config_window(c, 0), n = 0, k, i;
	double cap = c->t.attn_cap, top = -INFINITY, sum = 0;

	for (k = t; k != SIZE_MAX && n < window; k = s->up[k], n++) {
		double x = c->t.attn_scale * dot(s->qkv + t * s->net.at.ld +
		    h.q, s->qkv + k * s->net.at.ld + h.k, c->head_dim, NULL);

		to->token[n] = k;
		to->slope[n] = c->t.attn_scale;
		if (cap > 0) {
			x = cap * tanh(x / cap);
			to->slope[n] *= 1 - x / cap * (x / cap);
		}
		if (s->net.slopes != NULL)
			x -= (double)s->net.slopes[head] * (double)n;
		to->p[n] = x;
		top = x > top ? x : top;
	}
	if (s->layer.sinks != NULL) {
		top = fmax(top, (double)s->layer.sinks[head]);
		sum = exp((double)s->layer.sinks[head] - top);
	}
	for (i = 0; i < n; i++)
		sum += exp(to->p[i] - top);
	to->lse = top + log(sum);
	for (i = 0; i < n; i++)
		to->p[i] = exp(to->p[i] - to->lse);
	return n;
}

static inline size_t
token_of(const struct set *s, size_t row)
{
	return s->run.kept.padded == 0 ? row : row < s->run.kept.n ?
	    s->run.kept.token[row] : SIZE_MAX;
}

static inline void
want_out(struct set *s, size_t row, size_t head, const struct seen *x,
    size_t n, struct sums *out)
{
	const struct peft_config *c = config_of(s);
	struct head h = head_at(s, head);
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < c->v_dim; j++) {
			double v = x->p[i] * (double)s->qkv[x->token[i] *
			    s->net.at.ld + h.v + j];

			out->is[row * h.row + h.at + j] += v;
			out->of[row * h.row + h.at + j] += fabs(v);
		}
}

static inline void
add(struct sums *to, size_t at, double v, double size)
{
	to->is[at] += v;
	to->of[at] += size;
}

/* Gradients of a query, and of the keys and values that it sees. */
static inline void
want_back(struct set *s, size_t row, size_t head, const struct seen *x,
    size_t n, struct sums *dqkv)
{
	const struct peft_config *c = config_of(s);
	struct head h = head_at(s, head);
	size_t ld = s->net.at.ld, i, j;
	const float *dout = s->dout + row * h.row + h.at;
	double mean = 0, size = 0, dp[MOSTT], sizes[MOSTT];
	float *q = s->qkv + token_of(s, row) * ld + h.q;

	for (i = 0; i < n; i++) {
		dp[i] = dot(dout, s->qkv + x->token[i] * ld + h.v, c->v_dim,
		    &sizes[i]);
		mean += x->p[i] * dp[i];
		size += x->p[i] * sizes[i];
	}
	for (i = 0; i < n; i++) {
		double ds = x->p[i] * (dp[i] - mean) * x->slope[i];
		double of = x->p[i] * (sizes[i] + size) *
		    fabs(c->t.attn_scale);
		size_t to = x->token[i] * ld;

		for (j = 0; j < c->head_dim; j++) {
			double k = (double)s->qkv[to + h.k + j];

			add(dqkv, token_of(s, row) * ld + h.q + j, ds * k,
			    of * fabs(k));
			add(dqkv, to + h.k + j, ds * (double)q[j], of *
			    fabs((double)q[j]));
		}
		for (j = 0; j < c->v_dim; j++)
			add(dqkv, to + h.v + j, x->p[i] * (double)dout[j],
			    x->p[i] * fabs((double)dout[j]));
	}
}

#endif
