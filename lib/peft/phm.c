/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compacter's layers (Mahabadi et al. 2021): V^T and U^T, [in, out], are
 *
 *	H = sum over i < n of  R_i (x) W_i		(x): Kronecker's
 *
 * with rules R_i [n, n], shared by all sites or their own, and W_i [in / n,
 * out / n]; either may be a product of thin factors.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/bottleneck.h"

/* What is common to all sites: param[] of the module without a site. */
enum { RULE, RULE_RIGHT, DOWN, DOWN_RIGHT, UP, UP_RIGHT };

static struct peft_shape
grouped(struct peft_shape s, bool common)
{
	s.group = common ? "shared_parameters" : "adapters";
	s.place = common ? PEFT_AT_MODEL : PEFT_AT_SITE;
	return s;
}

static void
rule_shapes(const struct peft_bn *s, const char *left, const char *right,
    bool common, struct peft_shape *out)
{
	size_t n = (size_t)s->phm_dim;

	out[0] = grouped(peft_shape3(left, n, n, s->factorized_rule ? 1 : n),
	    common);
	if (s->factorized_rule)
		out[1] = grouped(peft_shape3(right, n, 1, n), common);
	out[0].fixed = out[1].fixed = !s->learn_rule;
}

static void
weight_shapes(const struct peft_bn *s, size_t in, size_t out,
    const char *left, const char *right, bool common,
    struct peft_shape *l, struct peft_shape *r)
{
	size_t n = (size_t)s->phm_dim, rank = (size_t)s->phm_rank;

	*l = grouped(peft_shape3(left, n, in / n, s->factorized_w ? rank :
	    out / n), common);
	if (s->factorized_w)
		*r = grouped(peft_shape3(right, n, rank, out / n), common);
}

static const char *
name_of(const struct peft_bn *s, bool up, int which)
{
	static const char *const names[3][6] = {
		{ "adapter_down.0.W_left", "adapter_down.0.W_right",
		  "adapter_down.0.phm_rule_left",
		  "adapter_down.0.phm_rule_right", "adapter_down.0.b",
		  "adapter_down.0.W" },
		{ "adapter_down.1.W_left", "adapter_down.1.W_right",
		  "adapter_down.1.phm_rule_left",
		  "adapter_down.1.phm_rule_right", "adapter_down.1.b",
		  "adapter_down.1.W" },
		{ "adapter_up.W_left", "adapter_up.W_right",
		  "adapter_up.phm_rule_left", "adapter_up.phm_rule_right",
		  "adapter_up.b", "adapter_up.W" },
	}, *const rules[3] = { "adapter_down.0.phm_rule",
	    "adapter_down.1.phm_rule", "adapter_up.phm_rule" };
	int row = up ? 2 : s->before ? 1 : 0;

	if (which == 2 && !s->factorized_rule)
		return rules[row];
	return names[row][which == 0 && !s->factorized_w ? 5 : which];
}

/* Its name is "b", which does not say that it is one. */
static struct peft_shape
bias_shape(const char *name, size_t n)
{
	struct peft_shape s = peft_shape1(name, n);

	s.decay = false;
	return s;
}

int
peft_phm_shapes(const struct peft_bn *s, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	size_t n = (size_t)s->phm_dim, k = m->own[PEFT_BN_WIDTH];
	size_t D = m->site->in;
	int up;

	if (D % n != 0 || k % n != 0)
		return peft_seterr(err, "phm_dim %zu does not divide %zu",
		    n, D % n != 0 ? D : k);
	for (up = 0; up < 2; up++) {
		size_t in = up ? k : D, o = up ? D : k;

		if (!s->shared_w)
			weight_shapes(s, in, o, name_of(s, up, 0),
			    name_of(s, up, 1), false, &out[up ? PEFT_BN_UP :
			    PEFT_BN_DOWN], &out[up ? PEFT_BN_UP_RIGHT :
			    PEFT_BN_DOWN_RIGHT]);
		if (!s->shared_rule)
			rule_shapes(s, name_of(s, up, 2), name_of(s, up, 3),
			    false, &out[up ? PEFT_BN_UP_RULE :
			    PEFT_BN_DOWN_RULE]);
		if (s->phm_bias)
			out[up ? PEFT_BN_UP_BIAS : PEFT_BN_DOWN_BIAS] =
			    bias_shape(name_of(s, up, 4), o);
	}
	return 0;
}

int
peft_phm_common(const void *settings, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	const struct peft_bn *s = settings;
	size_t D, k;

	if (!s->phm)
		return 0;
	if (s->shared_rule)
		rule_shapes(s, s->factorized_rule ? "phm_rule_left" :
		    "phm_rule", "phm_rule_right", true, &out[RULE]);
	if (!s->shared_w)
		return 0;
	if (m->adapter->model == NULL)
		return peft_seterr(err, "shared_W_phm needs a whole model");
	D = m->adapter->model->hidden;
	if (peft_bn_width(s, 0, D, &k, err) == -1)
		return -1;
	weight_shapes(s, D, k, "W_down_left", "W_down_right", true,
	    &out[DOWN], &out[DOWN_RIGHT]);
	weight_shapes(s, k, D, "W_up_left", "W_up_right", true, &out[UP],
	    &out[UP_RIGHT]);
	return 0;
}

/* Weights: Glorot's normal, whatever hypercomplex_nonlinearity says, as the
 * library has it. */
void
peft_phm_init(const struct peft_bn *s, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_param *p = m->param[part];
	bool common = m->site == NULL;
	bool rule = common ? part <= RULE_RIGHT : part >= PEFT_BN_DOWN_RULE;

	if (!rule)
		peft_init_normal(rng, value, n, sqrt(2 / (double)(p->shape[1] +
		    p->shape[2])));
	else if (s->uniform_rule)
		peft_init_uniform(rng, value, n, common ? 1 : 0.01);
	else
		peft_init_normal(rng, value, n, common ? s->phm_range : 0.01);
}

/* The factors of one layer: right ones NULL where there is but one. */
struct layer {
	const struct peft_param *w, *w_right, *rule, *rule_right;
	size_t	n, p, q;		/* W_i [p, q] */
};

static struct layer
layer_of(const struct peft_module *m, bool up)
{
	const struct peft_bn *s = m->settings;
	struct peft_param *const *c = peft_hub_common(m)->param;
	size_t n = (size_t)s->phm_dim, D = m->site->in / n;
	size_t k = m->own[PEFT_BN_WIDTH] / n;
	int rule = up ? PEFT_BN_UP_RULE : PEFT_BN_DOWN_RULE;

	return (struct layer){
	    .w = s->shared_w ? c[up ? UP : DOWN] :
		m->param[up ? PEFT_BN_UP : PEFT_BN_DOWN],
	    .w_right = s->shared_w ? c[up ? UP_RIGHT : DOWN_RIGHT] :
		m->param[up ? PEFT_BN_UP_RIGHT : PEFT_BN_DOWN_RIGHT],
	    .rule = s->shared_rule ? c[RULE] : m->param[rule],
	    .rule_right = s->shared_rule ? c[RULE_RIGHT] : m->param[rule + 1],
	    .n = n, .p = up ? k : D, .q = up ? D : k };
}

/* Entry (r, c) of the i-th of matrices [rows, cols]. */
static float
entry(const struct peft_param *left, const struct peft_param *right,
    size_t i, size_t r, size_t c)
{
	size_t rows = left->shape[1], k = left->shape[2], j;
	float sum = 0;

	if (right == NULL)
		return left->value[(i * rows + r) * k + c];
	for (j = 0; j < k; j++)
		sum += left->value[(i * rows + r) * k + j] *
		    right->value[(i * k + j) * right->shape[2] + c];
	return sum;
}

/* g more of that entry's gradient. */
static void
entry_back(const struct peft_param *left, const struct peft_param *right,
    size_t i, size_t r, size_t c, float g)
{
	size_t rows = left->shape[1], k = left->shape[2], j;

	if (left->grad == NULL)		/* learn_phm is false */
		return;
	if (right == NULL) {
		left->grad[(i * rows + r) * k + c] += g;
		return;
	}
	for (j = 0; j < k; j++) {
		size_t a = (i * rows + r) * k + j;
		size_t b = (i * k + j) * right->shape[2] + c;

		left->grad[a] += g * right->value[b];
		right->grad[b] += g * left->value[a];
	}
}

/* dense [n q, n p] = H^T: row c q + d, column a p + b. */
void
peft_phm_make(const struct peft_module *m, bool up, float *dense)
{
	const struct layer l = layer_of(m, up);
	size_t i, a, b, c, d, ld = l.n * l.p;

	memset(dense, 0, ld * l.n * l.q * sizeof(*dense));
	for (i = 0; i < l.n; i++)
		for (b = 0; b < l.p; b++)
			for (d = 0; d < l.q; d++) {
				float w = entry(l.w, l.w_right, i, b, d);

				for (c = 0; c < l.n; c++)
					for (a = 0; a < l.n; a++)
						dense[(c * l.q + d) * ld +
						    a * l.p + b] += w *
						    entry(l.rule,
						    l.rule_right, i, a, c);
			}
}

void
peft_phm_back(const struct peft_module *m, bool up, const float *grad)
{
	const struct layer l = layer_of(m, up);
	size_t i, a, b, c, d, ld = l.n * l.p;

	for (i = 0; i < l.n; i++)
		for (b = 0; b < l.p; b++)
			for (d = 0; d < l.q; d++) {
				float w = entry(l.w, l.w_right, i, b, d);
				float g = 0;

				for (c = 0; c < l.n; c++)
					for (a = 0; a < l.n; a++) {
						float h = grad[(c * l.q + d) *
						    ld + a * l.p + b];

						g += h * entry(l.rule,
						    l.rule_right, i, a, c);
						entry_back(l.rule,
						    l.rule_right, i, a, c,
						    h * w);
					}
				entry_back(l.w, l.w_right, i, b, d, g);
			}
}
