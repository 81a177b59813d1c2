/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VeRA (Kopiczko et al. 2024): dW = (b o B) (d o A), where A [r, most in]
 * and B [most out, r] are random, fixed and shared by all modules, which take
 * of them what they need; b [out] and d [r] are trained.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"
#include "peft/torch.h"

enum { LAMBDA_B, LAMBDA_D };
enum { A, B };				/* common */

struct vera {
	int64_t	r, key;
	double	dropout, initial;
	bool	save;
};

#define AT(field)	offsetof(struct vera, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "256", AT(r), 1, 1 << 20),
	PEFT_SET_INT("projection_prng_key", "0", AT(key), 0, UINT32_MAX),
	PEFT_SET("d_initial", "0.1", peft_set_real, AT(initial)),
	PEFT_SET("save_projection", "true", peft_set_bool, AT(save)),
	PEFT_SET("vera_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LATER("init_weights", "true"),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_LAYERS, PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct vera *v = settings;

	(void)err;
	m->rank = (size_t)v->r;
	m->scale = 1;
	m->dropout = v->dropout;
	out[LAMBDA_B] = peft_shape1("vera_lambda_b", m->site->out);
	out[LAMBDA_D] = peft_shape1("vera_lambda_d", m->rank);
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct vera *v = settings;
	const struct peft_adapter *a = m->adapter;
	int k;

	(void)err;
	out[A] = peft_shape2("vera_A", (size_t)v->r, a->most_in);
	out[B] = peft_shape2("vera_B", a->most_out, (size_t)v->r);
	for (k = A; k <= B; k++) {
		out[k].place = PEFT_AT_MODEL;
		out[k].fixed = true;
		out[k].optional = out[k].unsaved = !v->save;
	}
	return 0;
}

/* The projections are those of torch's generator, whose numbers for A come
 * before those for B. */
static void
projection(const struct vera *v, const struct peft_module *m, int part,
    float *value, size_t n)
{
	struct peft_torch t;
	double bound = sqrt(6 / (double)m->param[part]->shape[1]);
	size_t i;

	peft_torch_seed(&t, (uint32_t)v->key);
	for (i = 0; part == B && i < m->param[A]->n; i++)
		(void)peft_torch_u32(&t);
	for (i = 0; i < n; i++)
		value[i] = peft_torch_uniform(&t, -bound, bound);
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct vera *v = settings;

	(void)rng;
	if (m->site == NULL)
		projection(v, m, part, value, n);
	else
		peft_init_const(value, n, part == LAMBDA_D ?
		    (float)v->initial : 0);
}

static const struct peft_param *
shared(const struct peft_module *m, int part)
{
	return m->adapter->common->param[part];
}

static void
make(const struct peft_module *m, float *a, float *b)
{
	size_t in = m->site->in, r = m->rank, i, k;
	size_t ld = shared(m, A)->shape[1];

	memset(a, 0, r * in * sizeof(*a));
	for (k = 0; k < r; k++)
		peft_vec_best()->axpy(a + k * in,
		    m->param[LAMBDA_D]->value[k],
		    shared(m, A)->value + k * ld, in);
	for (i = 0; i < m->site->out; i++)
		for (k = 0; k < r; k++)
			b[i * r + k] = m->param[LAMBDA_B]->value[i] *
			    shared(m, B)->value[i * r + k];
}

static void
back(const struct peft_module *m, const float *ga, const float *gb)
{
	const struct peft_vec *v = peft_vec_best();
	size_t in = m->site->in, r = m->rank, i, k;
	size_t ld = shared(m, A)->shape[1];

	for (k = 0; k < r; k++)
		m->param[LAMBDA_D]->grad[k] += v->dot(ga + k * in,
		    shared(m, A)->value + k * ld, in);
	for (i = 0; i < m->site->out; i++)
		m->param[LAMBDA_B]->grad[i] += v->dot(gb + i * r,
		    shared(m, B)->value + i * r, r);
}

static const struct peft_lowrank_ops ops = { make, back };

const struct peft_method peft_vera = {
	.type = "VERA", .name = "vera",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_DROPOUT] = "vera_dropout"
	    },
	.keys = keys, .size = sizeof(struct vera),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.common = common, .init = init, .prepare = peft_lowrank_prepare,
	.hook = &peft_lowrank_hook, .ops = &ops,
	.changes = peft_lowrank_changes, .merge = peft_lowrank_merge,
};
