/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA (Hu et al. 2021) as PEFT has it: y += s (B (A drop(x)) + b), with s =
 * alpha / r, or alpha / sqrt(r) with rsLoRA (Kalajdzievski 2023).  A [r, in],
 * B [out, r]; b [out] only with lora_bias.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"
#include "peft/method.h"
#include "peft/target.h"

enum { A, B, BIAS };

enum start { IDENTITY, GAUSSIAN, RANDOM };	/* init_lora_weights */

struct lora {
	int64_t		 r;
	double		 alpha, dropout;
	bool		 rslora, bias;
	enum start	 start;
	const cJSON	*rank_pattern, *alpha_pattern;	/* of the config */
};

static const char *const keys[][2] = {
	{ "r", "8" }, { "lora_alpha", "8" }, { "lora_dropout", "0" },
	{ "use_rslora", "false" }, { "init_lora_weights", "true" },
	{ "rank_pattern", "{}" }, { "alpha_pattern", "{}" },
	{ "bias", "\"none\"" }, { "fan_in_fan_out", "false" },
	{ "use_dora", "false" }, { "lora_bias", "false" },
	/* without meaning while what they belong to is off */
	{ "qalora_group_size", "16" }, { "loftq_config", "{}" },
	{ NULL, NULL }
};

static const char *const patterns[] = { "rank_pattern", "alpha_pattern",
	NULL };

/* Ways to start that change the base: what was trained from them does not
 * fit the base that the config names. */
static int
parse_init(const cJSON *config, struct lora *l, struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, "init_lora_weights");

	if (cJSON_IsFalse(v))
		l->start = RANDOM;
	if (v == NULL || cJSON_IsNull(v) || cJSON_IsBool(v))
		return 0;
	if (cJSON_IsString(v) && strcmp(v->valuestring, "gaussian") == 0) {
		l->start = GAUSSIAN;
		return 0;
	}
	return peft_seterr(err, "init_lora_weights \"%s\" is not honoured here "
	    "(true, false, \"gaussian\" are); an adapter begun so belongs to a "
	    "changed base: convert it with PEFT first", cJSON_IsString(v) ?
	    v->valuestring : "?");
}

static int
must_be_off(const cJSON *config, const char *key, struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, key);

	if (v == NULL || cJSON_IsNull(v) || cJSON_IsFalse(v) ||
	    (cJSON_IsString(v) && strcmp(v->valuestring, "none") == 0) ||
	    (cJSON_IsObject(v) && v->child == NULL))
		return 0;
	return peft_seterr(err, "key \"%s\" is not honoured for LORA here",
	    key);
}

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	struct lora *l = peft_calloc(1, sizeof(*l), err);

	if (l == NULL)
		return -1;
	*settings = l;
	*l = (struct lora){ .r = 8, .alpha = 8 };
	if (peft_json_int(config, "r", 1, 1 << 20, &l->r, err) == -1 ||
	    peft_json_real(config, "lora_alpha", &l->alpha, err) == -1 ||
	    peft_json_real(config, "lora_dropout", &l->dropout, err) == -1 ||
	    peft_json_bool(config, "use_rslora", &l->rslora, err) == -1 ||
	    peft_json_bool(config, "lora_bias", &l->bias, err) == -1 ||
	    parse_init(config, l, err) == -1 ||
	    must_be_off(config, "bias", err) == -1 ||
	    must_be_off(config, "fan_in_fan_out", err) == -1 ||
	    must_be_off(config, "use_dora", err) == -1 ||
	    must_be_off(config, "loftq_config", err) == -1)
		return -1;
	if (!(l->dropout >= 0) || !(l->dropout < 1))
		return peft_seterr(err, "lora_dropout %g is not in [0, 1)",
		    l->dropout);
	l->rank_pattern = peft_json_get(config, "rank_pattern");
	l->alpha_pattern = peft_json_get(config, "alpha_pattern");
	return 0;
}

static int
fits(const void *settings, const struct peft_site *site, struct peft_err *err)
{
	(void)settings;
	if (site->kind != PEFT_LINEAR && site->kind != PEFT_HEAD)
		return peft_seterr(err, "%s is no linear layer: LORA cannot be "
		    "put on it here", site->path);
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct lora *l = settings;
	const struct peft_site *s = m->site;
	double r, alpha;

	if (peft_pattern_value(l->rank_pattern, s->path, (double)l->r, &r,
	    err) == -1 || peft_pattern_value(l->alpha_pattern, s->path,
	    l->alpha, &alpha, err) == -1)
		return -1;
	if (!(r >= 1) || r != floor(r) || r > 1 << 20)
		return peft_seterr(err, "%s: a rank of %g", s->path, r);
	m->rank = (size_t)r;
	m->scale = (float)(l->rslora ? alpha / sqrt(r) : alpha / r);
	out[A] = (struct peft_shape){ "lora_A.weight", 2,
	    { m->rank, s->in }, true };
	out[B] = (struct peft_shape){ "lora_B.weight", 2,
	    { s->out, m->rank }, true };
	if (l->bias)
		out[BIAS] = (struct peft_shape){ "lora_B.bias", 1, { s->out },
		    false };
	return 0;
}

/* A: kaiming_uniform(a = sqrt 5), which is U(-1/sqrt(in), 1/sqrt(in)), or
 * N(0, 1/r^2); B and b: zero, so that the adapter begins as nothing, or as
 * torch's Linear has them (init_lora_weights false). */
static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct lora *l = settings;
	double bound = 1 / sqrt((double)(part == A ? m->site->in : m->rank));
	size_t i;

	for (i = 0; i < n; i++)
		if (part != A && l->start != RANDOM)
			value[i] = 0;
		else if (l->start == GAUSSIAN)
			value[i] = (float)(peft_rng_normal(rng, 0, i) /
			    (double)m->rank);
		else
			value[i] = (float)((2 * peft_rng_uniform(rng, 0, i) -
			    1) * bound);
}

static double
dropout_of(const struct peft_module *m)
{
	return ((const struct lora *)m->adapter->settings)->dropout;
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->rank;			/* h = A drop(x) */
}

static struct peft_lowrank
low(const struct peft_module *m)
{
	return (struct peft_lowrank){ m->rank, m->site->in, m->site->out,
	    m->param[A]->value, m->param[B]->value, m->scale * m->weight };
}

static size_t
low_scratch(const struct peft_module *m, size_t T)
{
	return peft_lowrank_scratch(m->rank, m->site->in, m->site->out, T);
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	/* behind that of the products: what is dropped out, forward and back */
	return low_scratch(m, T) + (m->train && dropout_of(m) > 0 ?
	    2 * T * m->site->in : 0);
}

struct drop {
	const struct peft_module	*m;
	const struct peft_hook_call	*call;
	float		*out;		/* [T, in] */
	const float	*g;		/* backward: the gradient behind drop */
	float		*dx;
	size_t		 lddx;
};

/* Row t of x, or of a gradient, dropped out: 16 bits decide an element. */
static void
drop_row(void *ctx, size_t t, int thread)
{
	const struct drop *d = ctx;
	const struct peft_hook_call *c = d->call;
	double p = dropout_of(d->m);
	unsigned limit = (unsigned)(p * 65536);
	float keep = (float)(1 / (1 - p));
	size_t n = d->m->site->in, i;
	uint64_t bits = 0;

	(void)thread;
	for (i = 0; i < n; i++, bits >>= 16) {
		if (i % 4 == 0)
			bits = peft_rng_u64(d->m->rng, c->ident[t],
			    c->step << 24 | i / 4);
		if (d->g == NULL)
			d->out[t * n + i] = (bits & 0xffff) < limit ? 0 :
			    c->x[t * c->ldx + i] * keep;
		else if ((bits & 0xffff) >= limit)
			d->dx[t * d->lddx + i] += d->g[t * n + i] * keep;
	}
}

/* The input that A sees, and its stride. */
static const float *
input(const struct peft_module *m, const struct peft_hook_call *c, size_t *ld)
{
	struct drop d = { .m = m, .call = c };

	*ld = c->ldx;
	if (!c->train || dropout_of(m) == 0)
		return c->x;
	d.out = c->scratch + low_scratch(m, c->T);
	*ld = m->site->in;
	peft_cpu_run(c->cpu, c->T, drop_row, &d);
	return d.out;
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct peft_lowrank w = low(m);
	size_t ld, t;
	const float *x = input(m, c, &ld);

	peft_lowrank_forward(c, &w, x, ld, y, ldy);
	for (t = 0; m->param[BIAS] != NULL && t < c->T; t++)
		peft_cpu_vec(c->cpu)->axpy(y + t * ldy, w.scale,
		    m->param[BIAS]->value, m->site->out);
}

/* The gradients of A, B and b. */
static void
gradients(struct peft_module *m, const struct peft_hook_call *c,
    const float *dy, size_t lddy)
{
	const struct peft_lowrank w = low(m);
	size_t ld, t;
	const float *x = input(m, c, &ld);

	peft_lowrank_gradients(c, &w, x, ld, dy, lddy, m->param[A]->grad,
	    m->param[B]->grad);
	for (t = 0; m->param[BIAS] != NULL && t < c->T; t++)
		peft_cpu_vec(c->cpu)->axpy(m->param[BIAS]->grad, w.scale,
		    dy + t * lddy, w.out);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct peft_module *m = self;
	const struct peft_lowrank w = low(m);
	float *g;

	peft_lowrank_hidden(c, &w, dy, lddy);
	if (m->train)
		gradients(m, c, dy, lddy);
	if (dx == NULL)
		return;
	if (!c->train || dropout_of(m) == 0) {
		peft_lowrank_input(c, &w, true, dx, lddx);
		return;
	}
	g = c->scratch + low_scratch(m, c->T) + c->T * w.in;
	peft_lowrank_input(c, &w, false, g, w.in);
	peft_cpu_run(c->cpu, c->T, drop_row, &(struct drop){ .m = m,
	    .call = c, .g = g, .dx = dx, .lddx = lddx });
}

static const struct peft_hook_ops hook = { saved, scratch, forward,
    backward };

static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	return leaf == PEFT_LEAF_WEIGHT || m->param[BIAS] != NULL;
}

/* row += s * (b A), by stretches of columns that stay in the cache while
 * they are summed; the sum is added to the base's value in one rounding. */
static void
merge_row(const struct peft_vec *v, const float *b, const float *a, size_t r,
    size_t in, float s, float *row)
{
	enum { STRETCH = 1024 };
	float sum[STRETCH];
	size_t c, n, k;

	for (c = 0; c < in; c += n) {
		n = in - c < STRETCH ? in - c : STRETCH;
		memset(sum, 0, n * sizeof(*sum));
		for (k = 0; k < r; k++)
			v->axpy(sum, b[k], a + k * in + c, n);
		v->axpy(row + c, s, sum, n);
	}
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, struct peft_err *err)
{
	const struct peft_vec *v = peft_vec_best();
	size_t in = m->site->in, r = m->rank, i;
	float s = m->scale * weight;

	(void)err;
	if (leaf == PEFT_LEAF_BIAS)
		v->axpy(rows, s, m->param[BIAS]->value, m->site->out);
	for (i = 0; leaf == PEFT_LEAF_WEIGHT && i < n; i++)
		merge_row(v, m->param[B]->value + (first + i) * r,
		    m->param[A]->value, r, in, s, rows + i * in);
	return 0;
}

const struct peft_method peft_lora = {
	.type = "LORA", .keys = keys, .patterns = patterns, .parse = parse,
	.fits = fits, .shapes = shapes, .init = init, .hook = &hook,
	.changes = changes, .merge = merge,
};
