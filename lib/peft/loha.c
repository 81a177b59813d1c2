/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoHa (Hyeon-Woo et al. 2022, in PEFT's form): the change of a weight is
 * the elementwise product of two low-rank matrices, s (w1a w1b) o (w2a w2b),
 * s = alpha / r; wa [out, r], wb [r, in].
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/dense.h"
#include "peft/target.h"

enum { W1A, W1B, W2A, W2B };

struct loha {
	int64_t		 r;
	double		 alpha, rank_dropout, module_dropout;
	bool		 random;		/* init_weights false */
	const cJSON	*rank_pattern, *alpha_pattern;
};

#define AT(field)	offsetof(struct loha, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 20),
	PEFT_SET("alpha", "8", peft_set_real, AT(alpha)),
	PEFT_SET("rank_dropout", "0.0", peft_set_share, AT(rank_dropout)),
	PEFT_SET("module_dropout", "0.0", peft_set_share, AT(module_dropout)),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET("rank_pattern", "{}", peft_set_pattern, AT(rank_pattern)),
	PEFT_SET("alpha_pattern", "{}", peft_set_pattern, AT(alpha_pattern)),
	PEFT_SET_LATER("use_effective_conv2d", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct loha *l = settings;
	double alpha;

	if (peft_config_rank(l->rank_pattern, m, l->r, err) == -1 ||
	    peft_pattern_value(l->alpha_pattern, m->site->path, l->alpha,
	    &alpha, err) == -1)
		return -1;
	m->scale = (float)(alpha / (double)m->rank);
	m->drop_all = l->module_dropout;
	m->drop_rows = l->rank_dropout;
	m->drop_scaled = true;
	out[W1A] = peft_shape2("hada_w1_a", m->site->out, m->rank);
	out[W1B] = peft_shape2("hada_w1_b", m->rank, m->site->in);
	out[W2A] = peft_shape2("hada_w2_a", m->site->out, m->rank);
	out[W2B] = peft_shape2("hada_w2_b", m->rank, m->site->in);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct loha *l = settings;
	size_t fan = part == W1A || part == W2A ? m->rank : m->site->in;

	if (part == W2B && !l->random)
		peft_init_const(value, n, 0);
	else
		peft_init_uniform(rng, value, n, 1 / sqrt((double)fan));
}

/* row[n] = a [r] times columns c .. c+n of b [r, in] */
static void
product(const struct peft_module *m, const float *a, const float *b,
    size_t c, size_t n, float *row)
{
	size_t k;

	memset(row, 0, n * sizeof(*row));
	for (k = 0; k < m->rank; k++)
		peft_vec_best()->axpy(row, a[k], b + k * m->site->in + c, n);
}

enum { STRETCH = 512 };		/* columns at a time, on the stack */

static void
rows(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t in = m->site->in, i, c, k, len;
	float h1[STRETCH], h2[STRETCH];

	(void)w;
	for (i = 0; i < n; i++)
		for (c = 0; c < in; c += len) {
			len = in - c < STRETCH ? in - c : STRETCH;
			product(m, m->param[W1A]->value + (first + i) *
			    m->rank, m->param[W1B]->value, c, len, h1);
			product(m, m->param[W2A]->value + (first + i) *
			    m->rank, m->param[W2B]->value, c, len, h2);
			for (k = 0; k < len; k++)
				delta[i * in + c + k] += m->scale * h1[k] *
				    h2[k];
		}
}

/* Gradients of a [r] and b [r, in], given that of a stretch of their
 * product. */
static void
product_back(const struct peft_module *m, int a, int b, size_t o, size_t c,
    size_t n, const float *g)
{
	const struct peft_vec *v = peft_vec_best();
	size_t in = m->site->in, r = m->rank, k;

	for (k = 0; k < r; k++) {
		m->param[a]->grad[o * r + k] += v->dot(g,
		    m->param[b]->value + k * in + c, n);
		v->axpy(m->param[b]->grad + k * in + c,
		    m->param[a]->value[o * r + k], g, n);
	}
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	size_t in = m->site->in, o, c, k, len;
	float h1[STRETCH], h2[STRETCH];

	(void)w;
	for (o = first; o < first + n; o++, g += in)
		for (c = 0; c < in; c += len) {
			len = in - c < STRETCH ? in - c : STRETCH;
			product(m, m->param[W1A]->value + o * m->rank,
			    m->param[W1B]->value, c, len, h1);
			product(m, m->param[W2A]->value + o * m->rank,
			    m->param[W2B]->value, c, len, h2);
			for (k = 0; k < len; k++) {
				float h = h1[k];

				h1[k] = m->scale * g[c + k] * h2[k];
				h2[k] = m->scale * g[c + k] * h;
			}
			product_back(m, W1A, W1B, o, c, len, h1);
			product_back(m, W2A, W2B, o, c, len, h2);
		}
}

static const struct peft_dense_ops ops = { NULL, rows, back };

const struct peft_method peft_loha = {
	.type = "LOHA", .name = "loha",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_ALPHA] = "alpha" },
	.keys = keys, .size = sizeof(struct loha),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .bounded = true,
	.shapes = shapes, .init = init, .hook = &peft_dense_hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = peft_dense_merge,
};
