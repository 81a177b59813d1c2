/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HiRA (Huang et al. 2025): the change of a weight is its elementwise product
 * with a low-rank matrix, W o (B A); A [r, in], B [out, r].  On an embedding
 * A is zero at first, and B N(0, 1).
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/dense.h"
#include "peft/hira.h"

enum { A, B };
enum { RANDOM, ZERO, GAUSSIAN };	/* init_weights */

struct hira {
	int64_t		 r;
	double		 dropout;
	int		 start;
};

static const char *const starts[] = { "gaussian", NULL };

#define AT(field)	offsetof(struct hira, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "32", AT(r), 1, 1 << 20),
	PEFT_SET("hira_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET_WORD("init_weights", "true", peft_set_choice, AT(start),
	    starts),
	PEFT_SET_LATER("rank_pattern", "{}"),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static bool
is_embedding(const struct peft_module *m)
{
	return m->site->kind == PEFT_EMBEDDING;
}

static int
embedding_shapes(const struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	if (m->adapter->model != NULL && m->adapter->model->t.embed_sqrt)
		return peft_seterr(err, "it scales its rows, which PEFT's HiRA "
		    "forgets until it is merged: it has two results for this");
	out[A] = peft_shape2("hira_embedding_A", m->rank, m->site->in);
	out[B] = peft_shape2("hira_embedding_B", m->site->out, m->rank);
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct hira *h = settings;

	if (m->adapter->fresh && !peft_json_off(peft_json_get(
	    m->adapter->config, "rank_pattern")))
		return peft_seterr(err, "rank_pattern: PEFT takes no notice "
		    "of it in a HiRA adapter");
	m->rank = (size_t)h->r;
	m->scale = 1;
	if (is_embedding(m))
		return embedding_shapes(m, out, err);
	m->dropout = h->dropout;
	out[A] = peft_shape2("hira_A", m->rank, m->site->in);
	out[B] = peft_shape2("hira_B", m->site->out, m->rank);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct hira *h = settings;

	if (h->start == RANDOM || (is_embedding(m) && part == B))
		peft_init_normal(rng, value, n, 1);
	else if (part == B || is_embedding(m))
		peft_init_const(value, n, 0);
	else if (h->start == GAUSSIAN)
		peft_init_normal(rng, value, n, 1 / (double)m->rank);
	else
		peft_init_uniform(rng, value, n,
		    1 / sqrt((double)m->site->in));
}

static void
rows(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t in = m->site->in, i, k;

	for (i = 0; i < n; i++, delta += in, w += in) {
		for (k = 0; k < m->rank; k++)
			peft_vec_best()->axpy(delta, m->param[B]->value[
			    (first + i) * m->rank + k],
			    m->param[A]->value + k * in, in);
		for (k = 0; k < in; k++)
			delta[k] *= w[k];
	}
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	const struct peft_vec *v = peft_vec_best();
	size_t in = m->site->in, r = m->rank, o, k;

	for (o = first; o < first + n; o++, w += in, g += in) {
		for (k = 0; k < in; k++)
			g[k] *= w[k];
		for (k = 0; k < r; k++) {
			m->param[B]->grad[o * r + k] += v->dot(g,
			    m->param[A]->value + k * in, in);
			v->axpy(m->param[A]->grad + k * in,
			    m->param[B]->value[o * r + k], g, in);
		}
	}
}

static const struct peft_dense_ops ops = { peft_hook_always, rows, back };

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	return is_embedding(m) ? &peft_hira_embedding_hook : &peft_dense_hook;
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	return is_embedding(m) ? peft_hira_embedding_merge(m, first, n, weight,
	    rows, err) : peft_dense_merge(m, leaf, first, n, weight, rows,
	    base, err);
}

const struct peft_method peft_hira = {
	.type = "HIRA", .name = "hira",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_DROPOUT] = "hira_dropout"
	    },
	.keys = keys, .size = sizeof(struct hira),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD | 1 << PEFT_EMBEDDING,
	.bounded = true, .shapes = shapes, .init = init, .hook_for = hook_for,
	.ops = &ops, .changes = peft_weight_changes, .merge = merge,
};
