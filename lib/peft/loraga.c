/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA-GA (Wang et al. 2024) as PEFT has it: A and B begin as singular vectors
 * of the weight's gradient, so that their first step goes where that of the
 * weight would.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/lapack.h"
#include "math/lowrank.h"
#include "math/vec.h"
#include "peft/begin.h"
#include "peft/lora.h"

enum direction { ARBR, A2RBR, ARB2R, RANDOM };
enum scale { STABLE, WEIGHT_SVD, GD_SCALE, UNIT };
static const char *const directions[] = { "ArBr", "A2rBr", "ArB2r", "random",
	NULL };
static const char *const scales[] = { "stable", "weight_svd", "gd_scale",
	"unit", NULL };

struct settings {
	int	direction, scale;
	double	gamma;
};

struct gradient {
	struct peft_probe	*probe;
	float			*w;	/* [out, in] summed */
};

#define AT(field)	offsetof(struct settings, field)
static const struct peft_setting keys[] = {
	PEFT_SET_WORD("direction", "\"ArB2r\"", peft_set_word, AT(direction),
	    directions),
	PEFT_SET_WORD("scale", "\"stable\"", peft_set_word, AT(scale),
	    scales),
	PEFT_SET("stable_gamma", "16", peft_set_real, AT(gamma)), PEFT_SET_END
};

static int
parse(const cJSON *config, struct settings *s, struct peft_err *err)
{
	if (peft_settings_inner(keys, config, "lora_ga_config", s, err) == -1)
		return -1;
	return s->gamma > 0 ? 0 : peft_seterr(err, "lora_ga_config: "
	    "stable_gamma %g is not above 0", s->gamma);
}

/* Nothing is added; but only what has a forward is gone back to. */
static void
pass_by(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	(void)self;
	(void)c;
	(void)y;
	(void)ldy;
}

static void
look_back(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct gradient *g = self;
	size_t in = g->probe->site->in, out = g->probe->site->out;

	(void)dx;
	(void)lddx;
	peft_gemm(c->cpu, PEFT_T, PEFT_N, out, in, c->T, 1, dy, lddy, c->x,
	    c->ldx, 1, g->w, in);
}

static const struct peft_hook_ops looking = { .forward = pass_by,
	.backward = look_back };

/* Which singular vectors A and B take. */
static void
choose(const struct settings *s, const struct peft_module *m, size_t *a,
    size_t *b, size_t *order)
{
	struct peft_rng rng = peft_rng_key(m->adapter->seed,
	    m->param[PEFT_LORA_A]->name);
	size_t r = m->rank, j;

	if (s->direction == RANDOM)
		peft_rng_shuffle(rng, 0, order, 2 * r);
	for (j = 0; j < r; j++)
		switch ((enum direction)s->direction) {
		case ARBR:
			a[j] = 2 * j + 1;
			b[j] = 2 * j;
			break;
		case A2RBR:
			a[j] = r + j;
			b[j] = j;
			break;
		case ARB2R:
			a[j] = j;
			b[j] = r + j;
			break;
		case RANDOM:
			a[j] = b[j] = order[j];
			break;
		}
}

/* What A's and B's values are multiplied by; first: B's first singular
 * value. */
static int
scale_of(const struct settings *s, const struct peft_module *m,
    const struct peft_cpu *cpu, double first, double *fa, double *fb,
    struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out;
	float *w, *b;
	int r = 0;

	*fa = *fb = 1;
	if (s->scale == STABLE)
		*fb = pow((double)out, 0.25) / sqrt(s->gamma);
	if (s->scale == GD_SCALE)
		*fa = *fb = 1 / (double)m->scale;
	if (s->scale != WEIGHT_SVD || !(first > 0))
		return 0;
	if ((w = peft_module_weight(m, err)) == NULL)
		return -1;
	b = peft_calloc(out + in, sizeof(*b), err);
	r = b == NULL ? -1 : peft_low_rank(cpu, w, out, in, 1, b, b + out,
	    err);
	if (r == 0)
		*fb = (double)peft_vec_best()->sumsq(b + out, in) / first;
	free(b);
	free(w);
	return r;
}

/* A = V^T of some, B = U S of others, from u [out, 2 r] and vt [2 r, in] that
 * both have the root of S in them. */
static int
set_factors(const struct settings *s, struct peft_module *m,
    const struct peft_cpu *cpu, const float *u, const float *vt,
    struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out, r = m->rank, j, i;
	size_t *at = peft_calloc(4 * r, sizeof(*at), err), *bt = at + r;
	float *a = m->param[PEFT_LORA_A]->value;
	float *b = m->param[PEFT_LORA_B]->value;
	double fa, fb, root;

	if (at == NULL)
		return -1;
	choose(s, m, at, bt, bt + r);
	if (scale_of(s, m, cpu, peft_vec_best()->sumsq(vt + bt[0] * in, in),
	    &fa, &fb, err) == -1) {
		free(at);
		return -1;
	}
	for (j = 0; j < r; j++) {
		root = sqrt(peft_vec_best()->sumsq(vt + at[j] * in, in));
		for (i = 0; i < in; i++)
			a[j * in + i] = root > 0 ? (float)(fa / root *
			    (double)vt[at[j] * in + i]) : 0;
		root = sqrt(peft_vec_best()->sumsq(vt + bt[j] * in, in));
		for (i = 0; i < out; i++)
			b[i * r + j] = (float)(fb * root *
			    (double)u[i * 2 * r + bt[j]]);
	}
	free(at);
	return 0;
}

static int
factors(const struct settings *s, struct peft_module *m,
    const struct peft_cpu *cpu, const float *g, struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out, r = 2 * m->rank;
	float *u;
	int ret;

	if (r > in || r > out)
		return peft_seterr(err, "%s: lora_ga needs twice the rank, "
		    "%zu, of a gradient of %zu x %zu", m->site->path, r, out,
		    in);
	if ((u = peft_calloc((in + out) * r, sizeof(*u), err)) == NULL)
		return -1;
	ret = peft_low_rank(cpu, g, out, in, r, u, u + out * r, err);
	if (ret == 0)
		ret = set_factors(s, m, cpu, u, u + out * r, err);
	free(u);
	return ret;
}

/* All gradients, and what the largest is taken apart in. */
static size_t
gradient_bytes(const struct peft_probes *p)
{
	size_t i, sums = 0, most = 0;

	for (i = 0; i < p->n; i++) {
		size_t in = p->at[i].site->in, out = p->at[i].site->out;
		size_t k = in < out ? in : out;
		size_t n = (in * out + k * k) * sizeof(double);

		sums += in * out * sizeof(float);
		most = n > most ? n : most;
	}
	return sums + most;
}

static int
sum_gradients(struct peft_probes *p, struct gradient *g,
    struct peft_err *err)
{
	const struct peft_calibration *data = p->data;
	size_t n = data->most < data->n ? data->most : data->n, i, k = 0;
	size_t batches = (n + data->batch - 1) / data->batch, size;

	if (peft_probes_need(p, data->batch, true, gradient_bytes(p), err) ==
	    -1)
		return -1;
	for (i = 0; i < p->n; i++) {
		g[i].probe = &p->at[i];
		g[i].w = peft_calloc(p->at[i].site->in * p->at[i].site->out,
		    sizeof(float), err);
		if (g[i].w == NULL)
			return -1;
		peft_probe_listen(&p->at[i], &looking, &g[i]);
	}
	for (k = 0; k < batches; k++)
		if (peft_probes_pass(p, data->batch, true, err) == -1)
			return -1;
	for (i = 0; i < p->n; i++) {
		size = p->at[i].site->in * p->at[i].site->out;
		peft_vec_best()->scale(g[i].w, 1 / (float)batches, size);
		peft_probe_stop(&p->at[i]);
	}
	return 0;
}

int
peft_lora_ga(struct peft_adapter *a, struct peft_net *net,
    const struct peft_calibration *data, struct peft_err *err)
{
	struct gradient *g = peft_calloc(a->nsites + 1, sizeof(*g), err);
	struct peft_probes p = { 0 };
	struct settings s;
	size_t i;
	int r = -1;

	if (g != NULL && parse(a->config, &s, err) == 0 &&
	    peft_probes_open(&p, net, a, data, data->batch, true, err) == 0)
		r = sum_gradients(&p, g, err);
	for (i = 0; r == 0 && i < p.n; i++)
		r = factors(&s, p.at[i].module, peft_net_cpu(net), g[i].w,
		    err);
	for (i = 0; g != NULL && i < p.n; i++)
		free(g[i].w);
	peft_probes_close(&p);
	free(g);
	return r;
}
