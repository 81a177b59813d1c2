/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention-hunt seconds seed [trial]: attention, forward and backward and
 * through caches, of random trees of sequences, sizes of heads, groups, places
 * of heads in a row, windows, caps, slopes, sinks, and of some of the last
 * layer's tokens, against plain sums in double.  Outputs and scratch, which is
 * of the size that was promised, begin as NaN; pages around all of it may not
 * be touched.
 */

#include <math.h>

#include "base/half.h"
#include "hunt.h"
#include "model/attention-impl.h"
#include "tap.h"

enum { MOSTSEQ = 6, MOSTT = 1200 };

enum { NCPU = 3 };

struct hunt {
	struct peft_cpu	*cpu[NCPU];
	bool		 has[NPATH];
};

/* What is wanted, and the magnitudes of what it is summed from. */
struct sums {
	double	*is, *of;
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

static struct peft_config *
config_of(struct set *s)
{
	return &s->net.config;
}

/* ---- what is tried ------------------------------------------------------ */

static void
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
static void
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
static void
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
static void
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

static float *
nan_floats(struct set *s, size_t n)
{
	float *x = pen_floats(&s->pen, s->d, n);

	memset(x, 0xff, n * sizeof(*x));
	return x;
}

static float
rounded(float x)
{
	uint32_t u = peft_f32_bits(x);

	return peft_bits_f32((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u);
}

static void
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

/* ---- what is wanted ----------------------------------------------------- */

static struct sums
sums_of(struct set *s, size_t n)
{
	struct sums w = { pen_get(&s->pen, s->d, n * sizeof(double), 8),
	    pen_get(&s->pen, s->d, n * sizeof(double), 8) };

	return w;
}

struct head {
	size_t	q, k, v, row, at;	/* in a row; of out */
};

static struct head
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
static double
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

static size_t
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

static size_t
token_of(const struct set *s, size_t row)
{
	return s->run.kept.padded == 0 ? row : row < s->run.kept.n ?
	    s->run.kept.token[row] : SIZE_MAX;
}

static void
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

static void
add(struct sums *to, size_t at, double v, double size)
{
	to->is[at] += v;
	to->of[at] += size;
}

/* Gradients of a query, and of the keys and values that it sees. */
static void
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

/* ---- what is got -------------------------------------------------------- */

/* How far scores may be off, in f32: products, exp(), caps within 3e-7 of
 * themselves; with bf16 what is multiplied by values, and what goes back, is
 * rounded to 8 bits, and forward's output is used by backward. */
static double
share(struct set *s)
{
	const struct peft_config *c = config_of(s);
	double score = fabs(c->t.attn_scale) * (double)c->head_dim;
	double f32 = 0x1p-24 * (40 + 4 * sqrt((double)s->run.caps.seq) +
	    score * (8 + sqrt((double)c->head_dim)));

	if (c->t.attn_cap > 0)
		f32 += 2e-6 * (1 + c->t.attn_cap);
	if (s->net.slopes != NULL)
		f32 += 0x1p-22 * (double)s->run.caps.seq;
	return f32 + (s->bf16 ? 0x1p-8 : 0);
}

static bool
near(struct set *s, const char *what, const float *got,
    const struct sums *want, size_t n, size_t ld)
{
	double by = share(s);
	size_t i;

	for (i = 0; i < n; i++) {
		double off = fabs((double)got[i] - want->is[i]);

		if (off <= by * want->of[i] + 1e-12)
			continue;
		printf("# %s, row %zu, %zu: %g, not %g, of %g within %g\n",
		    what, i / ld, i % ld, (double)got[i], want->is[i],
		    want->of[i], by);
		return false;
	}
	return true;
}

static void
room_for(struct set *s, int threads)
{
	struct peft_run *r = &s->run;

	s->net.cpu = s->h->cpu[threads - 1];
	r->attention_stride = peft_attention_scratch(r);
	r->attention = pen_get(&s->pen, s->d, (size_t)threads *
	    r->attention_stride * sizeof(float), 64);
	memset(r->attention, 0xff, (size_t)threads * r->attention_stride *
	    sizeof(float));
}

/* Caches that are filled by some tokens at a time. */
static void
open_caches(struct set *s)
{
	const struct peft_config *c = config_of(s);
	size_t i, k, pages;

	for (i = 0; i < s->run.nseqs; i++) {
		struct peft_pages *p = &s->pool[i];

		pages = (s->seqs[i].n + PEFT_PAGE - 1) / PEFT_PAGE;
		*p = (struct peft_pages){ .layers = 1, .n = pages,
		    .kdim = c->kv_heads * c->head_dim,
		    .vdim = c->kv_heads * c->v_dim };
		p->floats = PEFT_PAGE * (p->kdim + p->vdim);
		p->data = nan_floats(s, pages * p->floats);
		s->kv[i] = (struct peft_kv){ .pool = p, .npages = pages,
		    .page = pen_get(&s->pen, s->d, pages * sizeof(uint32_t),
		    4) };
		for (k = 0; k < pages; k++)
			s->kv[i].page[k] = (uint32_t)(pages - 1 - k);
	}
}

/* Each sequence alone, in steps: a run of its part of the rows. */
static void
run_cached(struct set *s, float *out, float *lse)
{
	const struct peft_config *c = config_of(s);
	struct peft_node all[MOSTSEQ];
	struct peft_run *r = &s->run;
	size_t i, at, m, T = r->T, nodes = r->tree.n;

	memcpy(all, r->tree.nodes, nodes * sizeof(all[0]));
	open_caches(s);
	for (i = 0; i < nodes; i++)
		for (at = 0; at < all[i].n; at += m) {
			struct peft_seq *q = &s->seqs[r->tree.order[i]];
			size_t first = all[i].first + at, one = i;

			m = one_in(s->d, 2) ? 1 : roll(s->d, 1, 40);
			m = m < all[i].n - at ? m : all[i].n - at;
			q->kv = &s->kv[i];
			q->kv->len = at;
			r->tree.n = 1;
			r->tree.nodes[0] = (struct peft_node){ 0, m, 0,
			    SIZE_MAX, one, one + 1 };
			r->T = m;
			peft_attention(r, 0, s->qkv + first * s->net.at.ld,
			    out + first * c->heads * c->v_dim, lse + first *
			    c->heads);
		}
	memcpy(r->tree.nodes, all, nodes * sizeof(all[0]));
	r->tree.n = nodes;
	r->T = T;
}

static bool
padding_is_zero(const struct set *s, const float *out, size_t o)
{
	size_t i;

	for (i = s->run.kept.n * o; s->run.kept.padded > 0 &&
	    i < s->run.kept.padded * o; i++)
		if (out[i] != 0)
			return false;
	return true;
}

static bool
right(struct set *s)
{
	const struct peft_config *c = config_of(s);
	size_t o = c->heads * c->v_dim, ld = s->net.at.ld, row, head, n;
	size_t rows = s->run.kept.padded > 0 ? s->run.kept.n : s->run.T;
	float *out = nan_floats(s, s->rows * o), *dqkv;
	float *lse = nan_floats(s, s->rows * c->heads);
	struct sums y = sums_of(s, s->rows * o), dx = sums_of(s, s->run.T *
	    ld), l = sums_of(s, s->rows * c->heads);
	struct seen *x = calloc(1, sizeof(*x));
	struct peft_saved saved = { .qkv = s->qkv, .lse = lse, .attn = out };
	bool good;

	for (row = 0; row < rows; row++)
		for (head = 0; head < c->heads; head++) {
			n = look(s, token_of(s, row), head, x);
			want_out(s, row, head, x, n, &y);
			l.is[row * c->heads + head] = x->lse;
			l.of[row * c->heads + head] = 1 + fabs(x->lse);
			if (!s->cached)
				want_back(s, row, head, x, n, &dx);
		}
	free(x);
	room_for(s, (int)roll(s->d, 1, NCPU));
	if (s->cached)
		run_cached(s, out, lse);
	else
		peft_attention(&s->run, 0, s->qkv, out, lse);
	good = near(s, "output", out, &y, rows * o, o) && near(s, "log-sum",
	    lse, &l, rows * c->heads, c->heads) && padding_is_zero(s, out, o);
	if (!good || s->cached)
		return good;
	dqkv = nan_floats(s, s->run.T * ld);
	s->run.dkv = nan_floats(s, s->run.T * c->heads * (c->head_dim +
	    c->v_dim));
	room_for(s, (int)roll(s->d, 1, NCPU));
	peft_attention_back(&s->run, 0, &saved, s->dout, dqkv);
	return near(s, "gradient", dqkv, &dx, s->run.T * ld, ld);
}

static void
tell(const struct set *s)
{
	const struct peft_config *c = &s->net.config;
	size_t i;

	printf("# %s%s%s, %zu heads of %zu by %zu, %zu keys', window %zu, cap "
	    "%g, scale %g%s%s%s, rows %zu of %zu, nodes %zu:", paths[s->path],
	    s->bf16 ? ", bf16" : "", s->cached ? ", cached" : "", c->heads,
	    c->head_dim, c->v_dim, c->kv_heads, c->layer[0] != 0 ? c->window :
	    0, c->t.attn_cap, c->t.attn_scale, s->net.slopes != NULL ?
	    ", slopes" : "", s->layer.sinks != NULL ? ", sinks" : "",
	    s->net.at.k < s->net.at.group ? ", grouped" : "", s->run.kept.n,
	    s->run.T, s->run.tree.n);
	for (i = 0; i < s->run.nseqs; i++)
		printf(" %zu", s->seqs[i].n);
	putchar('\n');
}

static bool
try(void *ctx, struct dice *d)
{
	struct set *s = calloc(1, sizeof(*s));
	struct peft_err err = { 0 };
	bool good;
	int i;

	s->h = ctx;
	s->d = d;
	do
		s->path = roll(d, 0, NPATH - 1);
	while (!s->h->has[s->path]);
	s->cached = one_in(d, 4);
	for (i = 0; i < NCPU; i++) {
		need(peft_cpu_limit(s->h->cpu[i], paths[s->path], &err) == 0,
		    &err);
		peft_cpu_compute(s->h->cpu[i], one_in(d, 2) || i > 0 ?
		    peft_cpu_computes(s->h->cpu[0]) :
		    (enum peft_compute)roll(d, 0, 2));
	}
	s->net.cpu = s->h->cpu[0];
	s->net.layers = &s->layer;
	s->run.net = &s->net;
	s->run.vec = peft_cpu_vec(s->net.cpu);
	s->run.caps.train = !s->cached || one_in(d, 2);
	s->bf16 = !s->cached && peft_packer_of(s->net.cpu).bf16 != NULL;
	choose_heads(s);
	choose_tree(s);
	find_places(s);
	if (s->cached)
		s->rows = s->run.T;
	else
		choose_asked(s);
	if (getenv("HUNT_TELL") != NULL)
		tell(s);
	fflush(stdout);
	fill(s);
	good = right(s);
	if (!good)
		tell(s);
	pen_clear(&s->pen);
	free(s);
	return good;
}

int
main(int argc, char **argv)
{
	struct hunt h;

	hunt_open(h.cpu, NCPU, 1, h.has);
	ok(hunt(argc, argv, try, &h), "random attention");
	hunt_close(h.cpu, NCPU);
	return tap_end();
}
