/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attention-hunt seconds seed [trial]: attention, forward and backward and
 * through caches, of random trees of sequences, sizes of heads, groups, places
 * of heads in a row, windows, caps, slopes, sinks, and of some of the last
 * layer's tokens, against plain sums in double.  Outputs and scratch, which is
 * of the size that was promised, begin as NaN; pages around all of it may not
 * be touched.
 */

#include "attention-wanted.h"
#include "tap.h"

/* ---- what is got -------------------------------------------------------- */

/* How far scores may be off, in f32: products, exp(), caps within 3e-7 of
 * themselves; with bf16 what is multiplied by values, and what goes back, is
 * rounded to 8 bits, and forward's output is used by backward.  Caches hold
 * bf16 exactly, and nothing else is rounded there. */
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
	return f32 + (s->bf16 && !s->cached ? 0x1p-8 : 0);
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
		    .vdim = c->kv_heads * c->v_dim,
		    .each = s->bf16 ? sizeof(uint16_t) : sizeof(float) };
		p->bytes = PEFT_PAGE * (p->kdim + p->vdim) * p->each;
		p->data = (char *)nan_floats(s, pages * p->bytes /
		    sizeof(float));
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
	s->bf16 = s->cached ? one_in(d, 2) :
	    peft_packer_of(s->net.cpu).bf16 != NULL;
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
