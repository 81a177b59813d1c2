/* SPDX-License-Identifier: Apache-2.0 */
/* From the products' queries, keys and values to what attention sees:
 * clipped, normed, turned by their positions; and the gradient back. */

#include <string.h>

#include "model/hooks-impl.h"
#include "model/net-impl.h"

enum { ROWS = 16 };

struct job {
	struct peft_run		*run;
	const struct peft_layer	*layer;
	const struct peft_angles *angles;	/* NULL: not turned */
	const float		*raw;
	float			*y;
	float			 sign;
	size_t			 first, end;	/* rows, of one adapter */
	struct peft_normal	 norm[2];	/* of queries and keys */
	struct peft_vectors	 vectors[2];	/* what the adapter made */
};

/* Turn one head (Su et al. 2021): halves, or neighbours. */
static void
turn(const struct job *j, float *x, const float *c, const float *s)
{
	const struct peft_config *cfg = &j->run->net->config;
	size_t half = cfg->rope_dim / 2, i;

	x += cfg->rope_at;
	if (!cfg->t.interleaved) {
		j->run->vec->rope(x, c, s, half, j->sign);
		return;
	}
	for (i = 0; i < half; i++) {
		float a = x[2 * i], b = x[2 * i + 1], t = j->sign * s[i];

		x[2 * i] = a * c[i] - b * t;
		x[2 * i + 1] = b * c[i] + a * t;
	}
}

/* Head h of queries, or of keys behind them. */
static float *
head_of(const struct peft_net *net, float *row, size_t h)
{
	const struct peft_config *c = &net->config;
	size_t rep = c->heads / c->kv_heads;

	if (h < c->heads)
		return row + h / rep * net->at.group + h % rep * net->at.q;
	return row + net->at.k + (h - c->heads) * net->at.kstep;
}

static void
turn_row(const struct job *j, float *row, size_t t)
{
	const struct peft_net *net = j->run->net;
	const struct peft_config *c = &net->config;
	size_t at, h;

	if (j->angles == NULL)
		return;
	at = j->run->angle[t] * (c->rope_dim / 2);
	for (h = 0; h < c->heads + c->kv_heads; h++)
		turn(j, head_of(net, row, h), j->angles->cos + at,
		    j->angles->sin + at);
}

static const struct peft_normal *
norm_at(const struct job *j, enum peft_slot slot)
{
	return &j->norm[slot == PEFT_K_NORM];
}

/* How many stretches of a row a norm takes by themselves, and the head that
 * the first begins with: queries come before keys. */
static size_t
normed_heads(const struct job *j, enum peft_slot slot, size_t *first)
{
	const struct peft_config *c = &j->run->net->config;

	*first = slot == PEFT_Q_NORM ? 0 : c->heads;
	if (norm_at(j, slot)->n == 0)
		return 0;
	if (c->t.qk_norm == PEFT_QK_WHOLE)
		return 1;
	return slot == PEFT_Q_NORM ? c->heads : c->kv_heads;
}

/* y = norm(x) for the queries or keys of a row; x NULL: in place. */
static void
norm_heads(const struct job *j, enum peft_slot slot, float *y, const float *x)
{
	const struct peft_net *net = j->run->net;
	const struct peft_normal *norm = norm_at(j, slot);
	size_t first, n = normed_heads(j, slot, &first), h;

	for (h = 0; h < n; h++) {
		float *at = head_of(net, y, first + h);

		peft_norm_row(j->run, norm, h, at, x + (at - y));
	}
}

static void
clip(float *y, size_t n, float c)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] = y[i] > c ? c : y[i] < -c ? -c : y[i];
}

static void
forward_row(const struct job *j, size_t t)
{
	const struct peft_net *net = j->run->net;
	float *y = j->y + t * net->at.ld;

	if (j->raw != NULL) {
		const float *x = j->raw + t * net->at.ld;

		memcpy(y, x, net->at.ld * sizeof(*y));
		norm_heads(j, PEFT_Q_NORM, y, x);
		norm_heads(j, PEFT_K_NORM, y, x);
		if (net->config.t.qkv_clip > 0)
			clip(y, net->at.ld, (float)net->config.t.qkv_clip);
	}
	turn_row(j, y, t);
}

/* The gradient dy of normed heads becomes that of the heads. */
static void
norm_heads_back(const struct job *j, enum peft_slot slot, float *dy,
    const float *x, float *d)
{
	const struct peft_net *net = j->run->net;
	const struct peft_normal *norm = norm_at(j, slot);
	const struct peft_vectors *v = &j->vectors[slot == PEFT_K_NORM];
	size_t first, n = normed_heads(j, slot, &first), h;

	for (h = 0; h < n; h++) {
		float *at = head_of(net, dy, first + h);

		if (v->dw != NULL)
			peft_norm_vectors_back(j->run, norm, h % norm->groups,
			    v, at, x + (at - dy));
		memset(d, 0, norm->n * sizeof(*d));
		peft_norm_back_row(j->run, norm, h, d, at, x + (at - dy));
		memcpy(at, d, norm->n * sizeof(*d));
	}
}

/* Where the clip was at work there is no gradient.  What it saw is the
 * normed value: computed again. */
static void
clip_back(const struct job *j, float *dy, const float *x, float *d)
{
	const struct peft_net *net = j->run->net;
	float c = (float)net->config.t.qkv_clip;
	size_t i;

	memcpy(d, x, net->at.ld * sizeof(*d));
	norm_heads(j, PEFT_Q_NORM, d, x);
	norm_heads(j, PEFT_K_NORM, d, x);
	for (i = 0; i < net->at.ld; i++)
		if (d[i] > c || d[i] < -c)
			dy[i] = 0;
}

static void
back_row(const struct job *j, size_t t)
{
	const struct peft_net *net = j->run->net;
	float *dy = j->y + t * net->at.ld;
	float *d = j->run->draw + t * net->at.ld;

	turn_row(j, dy, t);
	if (j->raw == NULL)
		return;
	if (net->config.t.qkv_clip > 0)
		clip_back(j, dy, j->raw + t * net->at.ld, d);
	norm_heads_back(j, PEFT_Q_NORM, dy, j->raw + t * net->at.ld, d);
	norm_heads_back(j, PEFT_K_NORM, dy, j->raw + t * net->at.ld, d);
}

static void
task(void *ctx, size_t i, int thread)
{
	const struct job *j = ctx;
	size_t t = j->first + i * ROWS, end = t + ROWS;

	(void)thread;
	end = end < j->end ? end : j->end;
	for (; t < end; t++)
		if (j->sign > 0)
			forward_row(j, t);
		else
			back_row(j, t);
}

/* Rows of one adapter.  Gradients of its norms are summed in order. */
static void
stretch(struct job *j, const struct peft_range *r)
{
	static const enum peft_slot slots[] = { PEFT_Q_NORM, PEFT_K_NORM };
	size_t tasks = (r->n + ROWS - 1) / ROWS, i;

	for (i = 0; i < 2; i++) {
		const struct peft_normal *norm = &j->layer->norm[slots[i]];

		j->norm[i] = norm->n == 0 ? *norm : peft_norm_of(norm,
		    r->adapter, &j->vectors[i]);
	}
	j->first = r->first;
	j->end = r->first + r->n;
	if (j->sign > 0 || (j->vectors[0].dw == NULL &&
	    j->vectors[1].dw == NULL)) {
		peft_cpu_run(j->run->net->cpu, tasks, task, j);
		return;
	}
	for (i = 0; i < tasks; i++)
		task(j, i, 0);
}

/* Does an adapter have norms of its own there? */
static bool
is_hooked(const struct peft_layer *l, enum peft_slot slot)
{
	return l->norm[slot].n > 0 && l->norm[slot].site != NULL &&
	    l->norm[slot].site->hooks != NULL;
}

static void
start(struct peft_run *run, size_t layer, const float *raw, float *y,
    float sign)
{
	const struct peft_config *c = &run->net->config;
	struct job j = { .run = run, .layer = &run->net->layers[layer],
	    .raw = raw, .y = y, .sign = sign };
	struct peft_range all = { .n = run->T, .adapter = -1 };
	bool hooked = is_hooked(j.layer, PEFT_Q_NORM) ||
	    is_hooked(j.layer, PEFT_K_NORM);
	struct peft_lap lap;
	size_t i;

	if (!c->t.norope && !(c->layer[layer] & PEFT_LAYER_NOROPE))
		j.angles = &run->angles[c->layer[layer] & PEFT_LAYER_WINDOW ?
		    1 : 0];
	if (j.angles == NULL && raw == NULL)
		return;
	lap = peft_lap_begin(run->net->cpu);
	if (!hooked)
		stretch(&j, &all);
	for (i = 0; hooked && i < run->nranges; i++)
		stretch(&j, &run->ranges[i]);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ROPE, 0,
	    (double)(run->T * run->net->at.ld * 2 * sizeof(float)));
}

void
peft_queries(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	start(run, layer, s->raw, s->qkv, 1);
}

void
peft_queries_back(struct peft_run *run, size_t layer,
    const struct peft_saved *s, float *dqkv)
{
	start(run, layer, s->raw, dqkv, -1);
}
