/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adaption prompt (LLaMA-Adapter, Zhang et al. 2023): in the topmost layers
 * the queries attend, besides, to a trained prompt [1, n, hidden] whose keys
 * and values are the layer's own projections, without rotation; what they
 * find is multiplied by a trained gate, which begins at 0, and added before
 * o_proj.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/row.h"

enum { PROMPT, GATE };
enum { LEN, HEADS, KV_HEADS };		/* own[] */

struct adaption {
	int64_t	len, layers;
};

static const char *const usual[] = { "self_attn", NULL };

#define AT(field)	offsetof(struct adaption, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("adapter_len", "null", AT(len), 1, 65536),
	PEFT_SET_INT("adapter_layers", "null", AT(layers), 1, 1 << 20),
	PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct adaption *a = settings;

	(void)config;
	return a->len > 0 && a->layers > 0 ? 0 : peft_seterr(err,
	    "adapter_len and adapter_layers must be given");
}

/* The topmost layers only. */
static bool
wanted(const void *settings, const struct peft_adapter *a,
    const struct peft_site *s)
{
	const struct adaption *p = settings;

	return a->model == NULL || s->layer >= (int)a->model->layers -
	    (int)p->layers;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct adaption *a = settings;
	const struct peft_config *c = m->adapter->model;

	if (c == NULL)
		return peft_seterr(err, "ADAPTION_PROMPT needs a whole model");
	if ((size_t)a->layers > c->layers)
		return peft_seterr(err, "adapter_layers is %d, the model has "
		    "%zu layers", (int)a->layers, c->layers);
	m->own[LEN] = (size_t)a->len;
	m->own[HEADS] = c->heads;
	m->own[KV_HEADS] = c->kv_heads;
	out[PROMPT] = peft_shape3("adaption_prompt", 1, m->own[LEN],
	    c->hidden);
	out[GATE] = peft_shape1("adaption_gate", 1);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	(void)m;
	peft_init_normal(rng, value, n, part == GATE ? 0 : 1);
}

/* State: where keys and values come from; k, v [len, kv], their gradients;
 * the prompt's. */
struct state {
	const struct peft_site	*ks, *vs;
	float	*k, *v, *gk, *gv, *gp;
	float	 data[];
};

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;
	size_t kv = m->site->in / m->own[HEADS] * m->own[KV_HEADS];

	return sizeof(struct state) + (4 * m->own[LEN] * kv +
	    m->param[PROMPT]->n) * sizeof(float);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	size_t n = m->own[LEN] * (m->site->in / m->own[HEADS] *
	    m->own[KV_HEADS]);
	struct state *s = peft_calloc(1, memory(m), err);

	(void)base;
	if ((m->state = s) == NULL)
		return -1;
	s->k = s->data;
	s->v = s->k + n;
	s->gk = s->v + n;
	s->gv = s->gk + n;
	s->gp = s->gv + n;
	return 0;
}

/* The prompt's, times the weights of keys and values. */
static size_t
rows(const void *self)
{
	return ((const struct peft_module *)self)->own[LEN];
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	struct state *s = m->state;
	size_t kv = s->ks->out, n = m->own[LEN], i;

	if (!peft_module_stale(m))
		return;
	peft_site_product(cpu, s->ks, m->param[PROMPT]->value, s->ks->in, n,
	    s->k, kv, product);
	peft_site_product(cpu, s->vs, m->param[PROMPT]->value, s->vs->in, n,
	    s->v, kv, product);
	for (i = 0; i < n; i++) {
		if (s->ks->b != NULL)
			peft_cpu_vec(cpu)->add(s->k + i * kv, s->ks->b, kv);
		if (s->vs->b != NULL)
			peft_cpu_vec(cpu)->add(s->v + i * kv, s->vs->b, kv);
	}
	memset(s->gk, 0, 2 * n * kv * sizeof(*s->gk));
}

/* p [len] = the weights of the prompt's tokens for one query. */
static void
weights(const struct peft_module *m, const float *q, size_t head, float *p)
{
	const struct state *s = m->state;
	size_t hd = m->site->in / m->own[HEADS], i;
	const float *k = s->k + head / (m->own[HEADS] / m->own[KV_HEADS]) *
	    hd;
	float scale = 1 / sqrtf((float)hd);

	for (i = 0; i < m->own[LEN]; i++)
		p[i] = scale * peft_vec_best()->dot(q, k + i * s->ks->out,
		    hd);
	(void)peft_vec_best()->softmax(p, m->own[LEN]);
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return 2 * T * m->own[LEN];
}

struct task {
	const struct peft_module	*m;
	const struct peft_hook_call	*c;
	float				*y;
	size_t				 ldy;
	float				 gate;
};

static void
attend_row(void *ctx, size_t t, int thread)
{
	const struct task *k = ctx;
	const struct peft_module *m = k->m;
	const struct state *s = m->state;
	size_t heads = m->own[HEADS], hd = m->site->in / heads, h, i;
	float *p = k->c->scratch + t * m->own[LEN];

	(void)thread;
	for (h = 0; h < heads; h++) {
		const float *v = s->v + h / (heads / m->own[KV_HEADS]) * hd;

		weights(m, k->c->x + t * k->c->ldx + h * hd, h, p);
		for (i = 0; i < m->own[LEN]; i++)
			peft_vec_best()->axpy(k->y + t * k->ldy + h * hd,
			    k->gate * p[i], v + i * s->ks->out, hd);
	}
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	struct task k = { m, c, y, ldy, m->weight * m->param[GATE]->value[0] };

	peft_cpu_run(c->cpu, c->T, attend_row, &k);
}

static void
undo(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	struct task k = { m, c, y, ldy, -m->weight *
	    m->param[GATE]->value[0] };

	peft_cpu_run(c->cpu, c->T, attend_row, &k);
}

/* One query of one head: the gate's, keys', values' and query's gradients. */
static void
attend_back(const struct peft_module *m, const float *q, const float *dy,
    size_t head, float *p, float *dp, float *dq)
{
	const struct peft_vec *v = peft_vec_best();
	struct state *s = m->state;
	size_t hd = m->site->in / m->own[HEADS], kv = s->ks->out, i;
	size_t at = head / (m->own[HEADS] / m->own[KV_HEADS]) * hd;
	float gate = m->weight * m->param[GATE]->value[0], sum = 0;
	float scale = 1 / sqrtf((float)hd);

	weights(m, q, head, p);
	for (i = 0; i < m->own[LEN]; i++) {
		dp[i] = v->dot(dy, s->v + i * kv + at, hd);
		sum += p[i] * dp[i];
		if (m->train)
			v->axpy(s->gv + i * kv + at, gate * p[i], dy, hd);
	}
	if (m->train)
		m->param[GATE]->grad[0] += m->weight * sum;
	for (i = 0; i < m->own[LEN]; i++) {
		float ds = gate * scale * p[i] * (dp[i] - sum);

		v->axpy(dq, ds, s->k + i * kv + at, hd);
		if (m->train)
			v->axpy(s->gk + i * kv + at, ds, q, hd);
	}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	size_t hd = m->site->in / m->own[HEADS], t, h;
	float *p = c->scratch, *dp = p + m->own[LEN];

	for (t = 0; t < c->T; t++)
		for (h = 0; h < m->own[HEADS]; h++)
			attend_back(m, c->x + t * c->ldx + h * hd,
			    dy + t * lddy + h * hd, h, p, dp,
			    dx + t * lddx + h * hd);
}

/* The prompt's gradient through the projections' weights. */
static void
rows_back(const struct peft_module *m, const struct peft_site *site,
    const float *g)
{
	struct peft_rows rows = peft_rows_of(site->w);
	struct state *s = m->state;
	struct peft_err err;
	size_t o, i;

	for (o = 0; o < site->out; o++) {
		if (rows.get(rows.ctx, o, 1, s->gp, &err) == -1)
			peft_init_const(s->gp, site->in, NAN);
		for (i = 0; i < m->own[LEN]; i++)
			peft_vec_best()->axpy(m->param[PROMPT]->grad +
			    i * site->in, g[i * site->out + o], s->gp,
			    site->in);
	}
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct state *s = m->state;

	(void)cpu;
	if (!m->train)
		return;
	rows_back(m, s->ks, s->gk);
	rows_back(m, s->vs, s->gv);
}

static const struct peft_hook_ops hook = {
	.memory = memory, .begin = begin, .rows = rows, .end = end,
	.scratch = scratch, .forward = forward, .undo = undo,
	.backward = backward,
};

static const struct peft_site *
sibling(const struct peft_sites *sites, const struct peft_site *s,
    const char *name)
{
	struct peft_buf b = { 0 };
	const struct peft_site *found;

	peft_buf_printf(&b, "%s.%s", s->path, name);
	found = b.failed ? NULL : peft_sites_find(sites, b.data);
	peft_buf_free(&b);
	return found;
}

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	struct state *s = m->state;
	struct peft_site *site = peft_sites_find(sites, m->site->path);
	const struct peft_site *o = sibling(sites, site, "o_proj");
	struct peft_hook **end_of;

	s->ks = sibling(sites, site, "k_proj");
	s->vs = sibling(sites, site, "v_proj");
	if (s->ks == NULL || s->vs == NULL || s->ks->w == NULL || o == NULL ||
	    s->ks->transposed)
		return peft_seterr(err, "ADAPTION_PROMPT is for models with "
		    "k_proj, v_proj and o_proj, as llama has them (GPT-2's, "
		    "which PEFT adds behind c_proj, is not known here)");
	if (o->b != NULL)
		return peft_seterr(err, "ADAPTION_PROMPT is not for models "
		    "whose o_proj has a bias");
	m->hook = (struct peft_hook){ &hook, m, index, NULL };
	for (end_of = &site->hooks; *end_of != NULL;
	    end_of = &(*end_of)->next)
		;
	*end_of = &m->hook;
	return 0;
}

const struct peft_method peft_adaption_prompt = {
	.type = "ADAPTION_PROMPT", .name = "adaption-prompt",
	.keys = keys, .size = sizeof(struct adaption), .check = check,
	.usual = usual, .kinds = 1 << PEFT_ATTENTION, .wanted = wanted,
	.shapes = shapes, .init = init, .prepare = prepare, .attach = attach,
};
