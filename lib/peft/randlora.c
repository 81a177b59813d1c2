/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RandLoRA (Albert et al. 2025): a sum of n random low-rank products that
 * together have full rank, dW = s B' (lambda o gamma o A'), on the smaller
 * side of the weight; A [r, 1, least], B [most, n, r] are fixed and shared;
 * lambda [r, n], gamma [n, min(in, out)] are trained.  s = alpha / r.
 */

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "peft/lowrank.h"
#include "peft/torch.h"

enum { LAMBDA, GAMMA, COPY };
enum { A, B };				/* common */
enum { R, N };				/* own[]: r, n */

struct randlora {
	int64_t	r, key;
	double	alpha, dropout;
	bool	random, sparse, very, save;
};

#define AT(field)	offsetof(struct randlora, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "32", AT(r), 1, 1 << 20),
	PEFT_SET_INT("projection_prng_key", "0", AT(key), 0, UINT32_MAX),
	PEFT_SET("randlora_alpha", "640", peft_set_real, AT(alpha)),
	PEFT_SET("randlora_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET("save_projection", "true", peft_set_bool, AT(save)),
	PEFT_SET("sparse", "false", peft_set_bool, AT(sparse)),
	PEFT_SET("very_sparse", "false", peft_set_bool, AT(very)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_LAYERS, PEFT_SET_END
};

static size_t
least(const struct peft_site *s)
{
	return s->in < s->out ? s->in : s->out;
}

static size_t
most(const struct peft_site *s)
{
	return s->in < s->out ? s->out : s->in;
}

static void
shared_shapes(const struct peft_adapter *a, const struct randlora *l,
    struct peft_shape *out)
{
	size_t in = a->most_in, rows = a->most_out, r = (size_t)l->r;
	size_t small = in < rows ? in : rows;

	out[A] = peft_shape3("randlora_A", r, 1, small);
	out[B] = peft_shape3("randlora_B", in < rows ? rows : in,
	    (small + r - 1) / r, r);
	out[A].fixed = out[B].fixed = true;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct randlora *l = settings;
	size_t r = (size_t)l->r, n = (least(m->site) + r - 1) / r;

	(void)err;
	m->own[R] = r;
	m->own[N] = n;
	m->rank = r * n;
	m->scale = (float)(l->alpha / (double)r);
	m->dropout = l->dropout;
	out[LAMBDA] = peft_shape2("randlora_lambda", r, n);
	out[GAMMA] = peft_shape2("randlora_gamma", n, least(m->site));
	/* PEFT writes the shared ones in each module besides */
	if (!m->adapter->fresh && l->save) {
		shared_shapes(m->adapter, l, out + COPY);
		out[COPY + A].droppable = out[COPY + B].droppable = true;
	}
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct randlora *l = settings;
	int k;

	(void)err;
	shared_shapes(m->adapter, l, out);
	for (k = A; k <= B; k++) {
		out[k].place = PEFT_AT_MODEL;
		out[k].optional = out[k].unsaved = !l->save;
	}
	return 0;
}

static double
deviation(const float *value, size_t n)
{
	double sum = 0, squares = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (double)value[i];
	for (i = 0; i < n; i++)
		squares += ((double)value[i] - sum / (double)n) *
		    ((double)value[i] - sum / (double)n);
	return sqrt(squares / (double)(n - 1));
}

/* -1, 0, 1 with chances 1/6, 2/3, 1/6, or rarer: s is 3, or more. */
static void
put_sparse(struct peft_torch *t, double s, float *value, size_t n)
{
	float low = (float)(1 / (2 * s)), high = (float)(1 - 1 / (2 * s));
	double std;
	size_t i;

	for (i = 0; i < n; i++) {
		float u = peft_torch_uniform(t, 0, 1);

		value[i] = u < low ? -1 : u > high ? 1 : 0;
	}
	std = deviation(value, n);
	for (i = 0; i < n; i++)
		value[i] /= (float)std;
}

static float
rounded(float v)
{
	return peft_from_bf16(peft_to_bf16(v));
}

/* torch.empty(..., dtype = bfloat16).uniform_(-bound, bound): the bound above
 * is left out. */
static float
uniform(struct peft_torch *t, double bound)
{
	float v = rounded(peft_torch_uniform(t, -bound, bound));
	float most = rounded((float)bound);

	return v < most ? v : -most;
}

/* In bf16, as PEFT has them wherever there is bf16; B [most, n, r] is made
 * of n matrices, one after the other. */
static void
put_dense(struct peft_torch *t, const struct peft_param *p, float *value)
{
	size_t n = p->shape[1], last = p->shape[2], i, j, k;
	double bound = 1 / sqrt((double)last);
	float std;

	for (j = 0; j < n; j++)
		for (i = 0; i < p->shape[0]; i++)
			for (k = 0; k < last; k++)
				value[(i * n + j) * last + k] =
				    uniform(t, bound);
	std = rounded((float)deviation(value, p->n));
	for (i = 0; i < p->n; i++)
		value[i] = rounded(value[i] / std);
}

/* The fixed projections, of deviation 1, are those of torch's generator,
 * whose numbers for A come before those for B. */
static void
projection(const struct randlora *l, const struct peft_module *m, int part,
    float *value)
{
	const struct peft_param *a = m->param[A], *p = m->param[part];
	struct peft_torch t;
	size_t i;

	peft_torch_seed(&t, (uint32_t)l->key);
	for (i = 0; part == B && i < a->n; i++)
		(void)peft_torch_u32(&t);
	if (l->sparse || l->very)
		put_sparse(&t, l->very ? sqrt((double)a->shape[2]) : 3, value,
		    p->n);
	else
		put_dense(&t, p, value);
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct randlora *l = settings;

	if (m->site == NULL)
		projection(l, m, part, value);
	else if (part == LAMBDA && l->random)
		peft_init_normal(rng, value, n, 1);
	else if (part == LAMBDA)
		peft_init_const(value, n, 0);
	else if (l->random)
		peft_init_const(value, n, 1 / (float)most(m->site));
	else
		peft_init_const(value, n, 1 / (float)(m->own[N] >
		    least(m->site) ? m->own[N] : least(m->site)));
}

static const struct peft_param *
shared(const struct peft_module *m, int part)
{
	return m->adapter->common->param[part];
}

/* The smaller side's factor has lambda[i, j] gamma[j, .] A[i, .] at i n + j,
 * the other's B[., j, i] at j r + i: PEFT pairs them as they lie. */
static float
small_at(const struct peft_module *m, size_t k, size_t c)
{
	size_t n = m->own[N], i = k / n, j = k % n;

	return m->param[LAMBDA]->value[k] *
	    m->param[GAMMA]->value[j * least(m->site) + c] *
	    shared(m, A)->value[i * shared(m, A)->shape[2] + c];
}

static float
large_at(const struct peft_module *m, size_t k, size_t c)
{
	const struct peft_param *b = shared(m, B);

	return b->value[c * b->shape[1] * b->shape[2] + k];
}

static bool
small_is_input(const struct peft_module *m)
{
	return m->site->in <= m->site->out;
}

static void
make(const struct peft_module *m, float *a, float *b)
{
	size_t in = m->site->in, out = m->site->out, r = m->rank, k, c;
	bool small = small_is_input(m);

	for (k = 0; k < r; k++) {
		for (c = 0; c < in; c++)
			a[k * in + c] = small ? small_at(m, k, c) :
			    large_at(m, k, c);
		for (c = 0; c < out; c++)
			b[c * r + k] = small ? large_at(m, k, c) :
			    small_at(m, k, c);
	}
}

static void
back(const struct peft_module *m, const float *ga, const float *gb)
{
	size_t r = m->rank, n = m->own[N], w = least(m->site), k, c;
	bool small = small_is_input(m);

	for (k = 0; k < r; k++) {
		const float *a = shared(m, A)->value + k / n *
		    shared(m, A)->shape[2];
		const float *gamma = m->param[GAMMA]->value + k % n * w;
		float *ggamma = m->param[GAMMA]->grad + k % n * w;
		float lambda = m->param[LAMBDA]->value[k], sum = 0;

		for (c = 0; c < w; c++) {
			float g = (small ? ga[k * w + c] : gb[c * r + k]) *
			    a[c];

			sum += g * gamma[c];
			ggamma[c] += g * lambda;
		}
		m->param[LAMBDA]->grad[k] += sum;
	}
}

/* The copies of the shared ones must be just that. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	int k;

	for (k = A; k <= B; k++) {
		const struct peft_param *p = m->param[COPY + k];

		if (p != NULL && p->n > 0 && memcmp(p->value,
		    shared(m, k)->value, p->n * sizeof(float)) != 0)
			return peft_seterr(err, "tensor %s is not what %s is",
			    p->name, shared(m, k)->name);
	}
	return peft_lowrank_prepare(m, base, err);
}

static const struct peft_lowrank_ops ops = { make, back };

const struct peft_method peft_randlora = {
	.type = "RANDLORA", .name = "randlora",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_ALPHA] = "randlora_alpha",
	    [PEFT_KNOB_DROPOUT] = "randlora_dropout" },
	.keys = keys, .size = sizeof(struct randlora),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.common = common, .init = init, .prepare = prepare,
	.hook = &peft_lowrank_hook, .ops = &ops,
	.changes = peft_lowrank_changes, .merge = peft_lowrank_merge,
};
