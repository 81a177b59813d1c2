/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ATTENTION_CASE_H
#define TESTS_ATTENTION_CASE_H

/*
 * For attention-hunt: a case of random attention: heads, a tree of sequences,
 * whose queries are asked for, and values.
 */

#include <math.h>

#include "base/half.h"
#include "hunt.h"
#include "model/attention-impl.h"

enum { MOSTSEQ = 6, MOSTT = 1200 };

enum { NCPU = 3 };

struct hunt {
	struct peft_cpu	*cpu[NCPU];
	bool		 has[NPATH];
};

struct set {
	struct hunt		*h;
	struct pen		 pen;
	struct dice		*d;
	struct peft_net		 net;
	struct peft_run		 run;
	struct peft_layer	 layer;
	struct peft_seq		 seqs[MOSTSEQ];
	struct peft_pages	 pool[MOSTSEQ];
	struct peft_kv		 kv[MOSTSEQ];
	size_t			 path, rows;	/* of queries */
	bool			 cached, bf16;
	float			*qkv, *dout;
	size_t			*up;		/* [T] the token before, or
						 * SIZE_MAX; */
	size_t			*place;		/* [T] in its sequence */
};

static inline struct peft_config *
config_of(struct set *s)
{
	return &s->net.config;
}

static inline void
choose_heads(struct set *s)
{
	static const size_t dims[] = { 8, 16, 32, 64, 80, 96, 128, 192, 256,
		0 };
	static const size_t windows[] = { 1, 16, 32, 64, 256, 300, 0 };
	struct peft_config *c = config_of(s);
	struct dice *d = s->d;
	size_t rep = roll(d, 1, 5), q, k, i;
	float *sinks;

	c->kv_heads = roll(d, 1, 3);
	c->heads = c->kv_heads * rep;
	c->head_dim = roll_size(d, dims);
	c->v_dim = one_in(d, 2) ? c->head_dim : roll_size(d, dims);
	c->layers = 1;
	c->layer[0] = one_in(d, 2) ? PEFT_LAYER_WINDOW : 0;
	c->window = roll_size(d, windows);
	c->t.attn_scale = 1 / sqrt((double)c->head_dim) *
	    (one_in(d, 8) ? -1 : 1) * (one_in(d, 4) ? 8 : 1);
	c->t.attn_cap = one_in(d, 4) ? (double)roll_float(d, 0.5f, 20) : 0;
	q = c->heads * c->head_dim;
	k = c->kv_heads * c->head_dim;
	s->net.at = (struct peft_heads_at){ q + k + c->kv_heads * c->v_dim,
	    c->head_dim, rep * c->head_dim, q, c->head_dim, q + k, c->v_dim };
	if (one_in(d, 3)) {		/* as BLOOM and Falcon have them */
		size_t step = (rep + 1) * c->head_dim + c->v_dim;

		s->net.at = (struct peft_heads_at){ c->kv_heads * step,
		    c->head_dim, step, rep * c->head_dim, step,
		    (rep + 1) * c->head_dim, step };
	}
	if (one_in(d, 3) && c->t.attn_cap == 0) {
		c->t.alibi = 8;
		s->net.slopes = pen_floats(&s->pen, d, c->heads);
		peft_slopes(c, s->net.slopes);
	}
	if (one_in(d, 3)) {
		s->layer.sinks = sinks = pen_floats(&s->pen, d, c->heads);
		for (i = 0; i < c->heads; i++)
			sinks[i] = roll_float(d, -4, 6);
	}
}

/* Sequences that begin with parts of one text. */
static inline void
choose_tree(struct set *s)
{
	static const size_t lengths[] = { 1, 16, 32, 64, 128, 256, 320, 0 };
	struct peft_run *r = &s->run;
	size_t text = roll(s->d, 1, 300), i, t, common, T = 0;

	r->nseqs = roll(s->d, 1, MOSTSEQ);
	for (i = 0; i < r->nseqs; i++) {
		size_t n = roll_size(s->d, lengths);
		int32_t *ids = pen_get(&s->pen, s->d, n * sizeof(*ids), 4);

		common = one_in(s->d, 3) ? 0 : roll(s->d, 0, text);
		for (t = 0; t < n; t++)
			ids[t] = (int32_t)(t < common ? t : 1000 * (i + 1) +
			    t);
		s->seqs[i] = (struct peft_seq){ .ids = ids, .n = n,
		    .adapter = -1, .task = -1 };
		r->caps.seq = n > r->caps.seq ? n : r->caps.seq;
		T += n;
	}
	r->seqs = s->seqs;
	r->tree.order = pen_get(&s->pen, s->d, r->nseqs * sizeof(size_t), 8);
	r->tree.common = pen_get(&s->pen, s->d, r->nseqs * sizeof(size_t), 8);
	r->tree.nodes = pen_get(&s->pen, s->d, 2 * r->nseqs *
	    sizeof(*r->tree.nodes), 8);
	peft_tree_build(&r->tree, s->seqs, r->nseqs, !s->cached &&
	    !one_in(s->d, 4));
	r->T = r->tree.tokens;
}

/* Who was before each token. */
static inline void
find_places(struct set *s)
{
	const struct peft_tree *tree = &s->run.tree;
	size_t i, t;

	s->up = pen_get(&s->pen, s->d, s->run.T * sizeof(*s->up), 8);
	s->place = pen_get(&s->pen, s->d, s->run.T * sizeof(*s->place), 8);
	for (i = 0; i < tree->n; i++)
		for (t = 0; t < tree->nodes[i].n; t++) {
			const struct peft_node *n = &tree->nodes[i], *p =
			    n->parent == SIZE_MAX ? NULL :
			    &tree->nodes[n->parent];

			s->up[n->first + t] = t > 0 ? n->first + t - 1 :
			    p == NULL ? SIZE_MAX : p->first + p->n - 1;
			s->place[n->first + t] = n->depth + t;
		}
}

/* All queries, or those of some tokens. */
static inline void
choose_asked(struct set *s)
{
	struct peft_kept *k = &s->run.kept;
	size_t t, every = one_in(s->d, 2) ? 2 : roll(s->d, 3, 60);

	s->rows = s->run.T;
	if (one_in(s->d, 2))
		return;
	k->token = pen_get(&s->pen, s->d, s->run.T * sizeof(*k->token), 8);
	for (t = 0; t < s->run.T; t++)
		if (one_in(s->d, every))
			k->token[k->n++] = t;
	k->padded = k->n > 33 ? k->n : 33;
	s->rows = k->padded;
}

static inline float *
nan_floats(struct set *s, size_t n)
{
	float *x = pen_floats(&s->pen, s->d, n);

	memset(x, 0xff, n * sizeof(*x));
	return x;
}

static inline float
rounded(float x)
{
	uint32_t u = peft_f32_bits(x);

	return peft_bits_f32((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u);
}

static inline void
fill(struct set *s)
{
	const struct peft_config *c = config_of(s);
	size_t n = s->run.T * s->net.at.ld, o = c->heads * c->v_dim, i;

	s->qkv = pen_noise(&s->pen, s->d, n);
	s->dout = pen_noise(&s->pen, s->d, s->rows * o);
	for (i = 0; s->bf16 && i < n; i++)
		s->qkv[i] = rounded(s->qkv[i]);
	for (i = 0; s->bf16 && i < s->rows * o; i++)
		s->dout[i] = rounded(s->dout[i]);
	for (i = s->run.kept.n * o; s->run.kept.padded > 0 &&
	    i < s->rows * o; i++)
		s->dout[i] = 0;
}

#endif
