/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DeLoRA (Bini et al. 2025): LoRA of bounded length: dW = B diag(c) A
 * diag(n), c_k = lambda / (r |a_k| |b_k|), where n [in] are the norms of the
 * base's columns, kept in the file.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"
#include "peft/target.h"

enum { A, B, LAMBDA, NORM };

struct delora {
	int64_t		 r;
	double		 lambda, dropout;
	bool		 random;
	const cJSON	*rank_pattern, *lambda_pattern;
};

#define AT(field)	offsetof(struct delora, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 20),
	PEFT_SET("delora_lambda", "15", peft_set_real, AT(lambda)),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET("module_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("rank_pattern", "{}", peft_set_pattern, AT(rank_pattern)),
	PEFT_SET("lambda_pattern", "{}", peft_set_pattern,
	    AT(lambda_pattern)),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct delora *d = settings;

	if (peft_config_rank(d->rank_pattern, m, d->r, err) == -1)
		return -1;
	m->scale = 1;
	m->dropout = d->dropout;
	out[A] = peft_shape2("delora_A", m->rank, m->site->in);
	out[B] = peft_shape2("delora_B", m->site->out, m->rank);
	out[LAMBDA] = peft_shape1("delora_lambda", 1);
	out[NORM] = peft_shape1("delora_w_norm", m->site->in);
	out[NORM].fixed = true;
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct delora *d = settings;

	if (part == A || (part == B && d->random))
		peft_init_uniform(rng, value, n, 1 / sqrt((double)(part == A ?
		    m->site->in : m->rank)));
	else
		peft_init_const(value, n, 0);
}

/* lambda, and the norms of the base's columns. */
static int
start(struct peft_module *m, struct peft_err *err)
{
	const struct delora *d = m->settings;
	size_t in = m->site->in, i, k;
	float *norm = m->param[NORM]->value;
	struct peft_rows rows;
	double lambda;
	float *row;
	int r = 0;

	if (peft_pattern_value(d->lambda_pattern, m->site->path, d->lambda,
	    &lambda, err) == -1 || peft_module_base(m, &rows, err) == -1 ||
	    (row = peft_calloc(in, sizeof(*row), err)) == NULL)
		return -1;
	m->param[LAMBDA]->value[0] = (float)lambda;
	for (i = 0; r == 0 && i < m->site->out; i++) {
		r = rows.get(rows.ctx, i, 1, row, err);
		for (k = 0; k < in; k++)
			norm[k] += row[k] * row[k];
	}
	for (k = 0; k < in; k++)
		norm[k] = sqrtf(norm[k]);
	free(row);
	peft_rows_turned_free(&rows);
	return r;
}

static float
norm_of(const float *x, size_t n, size_t stride)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (double)x[i * stride] * x[i * stride];
	return (float)sqrt(sum);
}

enum { LEAST = 10000 };			/* norms are at least 1 / this */

static float
clamp(float norm)
{
	return norm < 1.0F / LEAST ? 1.0F / LEAST : norm;
}

/* a_k gets the factor c_k and the columns' norms; b is B. */
static void
make(const struct peft_module *m, float *a, float *b)
{
	size_t in = m->site->in, r = m->rank, i, k;
	const float *pa = m->param[A]->value, *pb = m->param[B]->value;

	for (k = 0; k < r; k++) {
		float c = m->param[LAMBDA]->value[0] / (float)r /
		    (clamp(norm_of(pa + k * in, in, 1)) *
		    clamp(norm_of(pb + k, m->site->out, r)));

		for (i = 0; i < in; i++)
			a[k * in + i] = c * pa[k * in + i] *
			    m->param[NORM]->value[i];
	}
	memcpy(b, pb, m->param[B]->n * sizeof(*b));
}

static void
back(const struct peft_module *m, const float *ga, const float *gb)
{
	size_t in = m->site->in, out = m->site->out, r = m->rank, i, k;
	const struct peft_param *a = m->param[A], *b = m->param[B];
	const float *norm = m->param[NORM]->value;
	float lambda = m->param[LAMBDA]->value[0];

	peft_vec_best()->add(b->grad, gb, b->n);
	for (k = 0; k < r; k++) {
		float na = norm_of(a->value + k * in, in, 1), gc = 0;
		float nb = norm_of(b->value + k, out, r);
		float unit = 1 / ((float)r * clamp(na) * clamp(nb));
		float c = lambda * unit;

		for (i = 0; i < in; i++)
			gc += ga[k * in + i] * a->value[k * in + i] * norm[i];
		m->param[LAMBDA]->grad[0] += gc * unit;
		for (i = 0; i < in; i++)
			a->grad[k * in + i] += c * ga[k * in + i] * norm[i] -
			    (na > 1.0F / LEAST ? gc * c / (na * na) *
			    a->value[k * in + i] : 0);
		for (i = 0; nb > 1.0F / LEAST && i < out; i++)
			b->grad[i * r + k] -= gc * c / (nb * nb) *
			    b->value[i * r + k];
	}
}

static const struct peft_lowrank_ops ops = { make, back };

const struct peft_method peft_delora = {
	.type = "DELORA", .name = "delora",
	.knobs = { [PEFT_KNOB_RANK] = "r",
	    [PEFT_KNOB_DROPOUT] = "module_dropout" },
	.keys = keys, .size = sizeof(struct delora),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .bounded = true,
	.shapes = shapes, .init = init, .start = start,
	.prepare = peft_lowrank_prepare, .hook = &peft_lowrank_hook,
	.ops = &ops, .changes = peft_lowrank_changes,
	.merge = peft_lowrank_merge,
};
