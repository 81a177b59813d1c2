/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoKr (Yeh et al. 2024, in PEFT's form): the change of a weight is a
 * Kronecker product s (w1 x w2), w1 [ol, im], w2 [ok, jn] with ol ok = out,
 * im jn = in; each whole, or a product a b of rank r.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/dense.h"
#include "peft/lokr.h"
#include "peft/target.h"

enum { W1 = PEFT_LOKR_W1, W1A, W1B, W2, W2A, W2B };
enum { OL = PEFT_LOKR_OL, OK, IM, JN };	/* own[] */

struct lokr {
	int64_t		 r, factor;
	double		 alpha, rank_dropout, module_dropout;
	bool		 both, scaled;	/* rank_dropout_scale */
	int		 start;		/* init_weights */
	const cJSON	*rank_pattern, *alpha_pattern;
};

enum { RANDOM, ZERO_FIRST, LYCORIS };

static const char *const starts[] = { "lycoris", NULL };

#define AT(field)	offsetof(struct lokr, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 20),
	PEFT_SET_INT("decompose_factor", "-1", AT(factor), -1, 1 << 20),
	PEFT_SET("alpha", "8", peft_set_real, AT(alpha)),
	PEFT_SET("decompose_both", "false", peft_set_bool, AT(both)),
	PEFT_SET("rank_dropout", "0.0", peft_set_share, AT(rank_dropout)),
	PEFT_SET("rank_dropout_scale", "false", peft_set_bool, AT(scaled)),
	PEFT_SET("module_dropout", "0.0", peft_set_share, AT(module_dropout)),
	PEFT_SET_WORD("init_weights", "true", peft_set_choice, AT(start),
	    starts),
	PEFT_SET("rank_pattern", "{}", peft_set_pattern, AT(rank_pattern)),
	PEFT_SET("alpha_pattern", "{}", peft_set_pattern, AT(alpha_pattern)),
	PEFT_SET_LATER("use_effective_conv2d", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct lokr *l = settings;

	(void)config;
	return l->factor != 0 ? 0 : peft_seterr(err, "decompose_factor 0 "
	    "divides nothing");
}

/* The two factors of a dimension, the smaller one first, as alike as the
 * limit allows; or just the limit, if it divides. */
void
peft_lokr_factors(size_t dim, int64_t limit, size_t *small, size_t *large)
{
	size_t most = limit < 0 ? dim : (size_t)limit, m = 1, n = dim, k;

	if (limit > 0 && dim % most == 0) {
		*small = most;
		*large = dim / most;
		return;
	}
	while (m < n) {
		for (k = m + 1; dim % k != 0; k++)
			;
		if (k + dim / k > m + n || k > most)
			break;
		m = k;
		n = dim / k;
	}
	*small = m < n ? m : n;
	*large = m < n ? n : m;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct lokr *l = settings;
	size_t *own = m->own, r;
	double alpha;

	if (peft_config_rank(l->rank_pattern, m, l->r, err) == -1 ||
	    peft_pattern_value(l->alpha_pattern, m->site->path, l->alpha,
	    &alpha, err) == -1)
		return -1;
	r = m->rank;
	m->scale = (float)(alpha / (double)r);
	m->drop_all = l->module_dropout;
	m->drop_rows = l->rank_dropout;
	m->drop_scaled = l->scaled;
	peft_lokr_factors(m->site->out, l->factor, &own[OL], &own[OK]);
	peft_lokr_factors(m->site->in, l->factor, &own[IM], &own[JN]);
	if (l->both && 2 * r < (own[OL] > own[IM] ? own[OL] : own[IM])) {
		out[W1A] = peft_shape2("lokr_w1_a", own[OL], r);
		out[W1B] = peft_shape2("lokr_w1_b", r, own[IM]);
	} else
		out[W1] = peft_shape2("lokr_w1", own[OL], own[IM]);
	if (2 * r < (own[OK] > own[JN] ? own[OK] : own[JN])) {
		out[W2A] = peft_shape2("lokr_w2_a", own[OK], r);
		out[W2B] = peft_shape2("lokr_w2_b", r, own[JN]);
	} else
		out[W2] = peft_shape2("lokr_w2", own[OK], own[JN]);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct lokr *l = settings;
	bool zero = l->start == ZERO_FIRST ? part == W1 || part == W1A :
	    l->start == LYCORIS && (part == W2 || part == W2B);

	if (zero)
		peft_init_const(value, n, 0);
	else
		peft_init_uniform(rng, value, n,
		    1 / sqrt((double)m->param[part]->shape[1]));
}

/* Row i of w1 or w2 (part: the whole one's, the halves follow). */
static void
factor_row(const struct peft_module *m, int part, size_t i, size_t n,
    float *row)
{
	const struct peft_param *a = m->param[part + 1];
	const struct peft_param *b = m->param[part + 2];
	size_t k;

	if (m->param[part] != NULL) {
		memcpy(row, m->param[part]->value + i * n, n * sizeof(*row));
		return;
	}
	memset(row, 0, n * sizeof(*row));
	for (k = 0; k < m->rank; k++)
		peft_vec_best()->axpy(row, a->value[i * m->rank + k],
		    b->value + k * n, n);
}

/* The element [i, j] of w1. */
static float
first_factor(const struct peft_module *m, size_t i, size_t j)
{
	size_t n = m->own[IM], k;
	float sum = 0;

	if (m->param[W1] != NULL)
		return m->param[W1]->value[i * n + j];
	for (k = 0; k < m->rank; k++)
		sum += m->param[W1A]->value[i * m->rank + k] *
		    m->param[W1B]->value[k * n + j];
	return sum;
}

/* The row of w2 is made in the last stretch, which is scaled last. */
static void
rows(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t in = m->site->in, im = m->own[IM], jn = m->own[JN], i, j;

	(void)w;
	for (i = first; i < first + n; i++, delta += in) {
		float *row = delta + in - jn;

		factor_row(m, W2, i % m->own[OK], jn, row);
		for (j = 0; j + 1 < im; j++)
			peft_vec_best()->axpy(delta + j * jn, m->scale *
			    first_factor(m, i / m->own[OK], j), row, jn);
		peft_vec_best()->scale(row, m->scale * first_factor(m,
		    i / m->own[OK], im - 1), jn);
	}
}

/* The gradient g [n] of row i of a factor. */
static void
factor_back(const struct peft_module *m, int part, size_t i, size_t n,
    const float *g)
{
	const struct peft_vec *v = peft_vec_best();
	const struct peft_param *a = m->param[part + 1];
	const struct peft_param *b = m->param[part + 2];
	size_t k;

	if (m->param[part] != NULL) {
		v->add(m->param[part]->grad + i * n, g, n);
		return;
	}
	for (k = 0; k < m->rank; k++) {
		a->grad[i * m->rank + k] += v->dot(g, b->value + k * n, n);
		v->axpy(b->grad + k * n, a->value[i * m->rank + k], g, n);
	}
}

/* w is room: a row of w2, and that of its gradient come first, then those of
 * w1. */
static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	const struct peft_vec *v = peft_vec_best();
	size_t in = m->site->in, im = m->own[IM], jn = m->own[JN], i, j;
	size_t ok = m->own[OK];

	for (i = first; i < first + n; i++, g += in) {
		float *w2 = w, *g2 = w + jn;

		/* g of w1's row replaces the first of each stretch */
		factor_row(m, W2, i % ok, jn, w2);
		memset(g2, 0, jn * sizeof(*g2));
		for (j = 0; j < im; j++)
			v->axpy(g2, m->scale * first_factor(m, i / ok, j),
			    g + j * jn, jn);
		factor_back(m, W2, i % ok, jn, g2);
		for (j = 0; j < im; j++)
			g[j] = m->scale * v->dot(g + j * jn, w2, jn);
		factor_back(m, W1, i / ok, im, g);
	}
}

static const struct peft_dense_ops ops = { NULL, rows, back };

const struct peft_method peft_lokr = {
	.type = "LOKR", .name = "lokr",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_ALPHA] = "alpha" },
	.keys = keys, .size = sizeof(struct lokr), .check = check,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init, .hook = &peft_dense_hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = peft_dense_merge,
};
