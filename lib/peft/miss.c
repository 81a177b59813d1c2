/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MiSS (Kang & Yin 2024): the input's stretches of r are added up and
 * multiplied by one block [r, out]: the change has block[i mod r, o] at row
 * o, column i.  "mini" repeats a narrower block [r, mini_r] along the rows;
 * "bat" has a block M [r, r] for each r rows, and its change is W' M + M for
 * each square W' of the weight.
 */

#include <math.h>

#include "math/vec.h"
#include "peft/dense.h"

enum { BLOCK };
enum { MINI };				/* own[]: the block's columns */
enum { RANDOM, PLAIN, BAT, NARROW };	/* init_weights */

struct miss {
	int64_t	r, mini;
	double	dropout;
	int	start;
};

static const char *const starts[] = { "bat", "mini", NULL };

#define AT(field)	offsetof(struct miss, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "64", AT(r), 1, 1 << 20),
	PEFT_SET_INT("mini_r", "1", AT(mini), 1, 1 << 20),
	PEFT_SET("miss_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET_WORD("init_weights", "true", peft_set_choice, AT(start),
	    starts),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct miss *s = settings;
	size_t in = m->site->in, rows = m->site->out, r = (size_t)s->r;

	m->rank = r;
	m->dropout = s->dropout;
	m->own[MINI] = s->start == NARROW ? (size_t)s->mini : rows;
	if (r > in)
		return peft_seterr(err, "a rank of %zu is above its input's "
		    "dimension, %zu", r, in);
	if (s->start == BAT ? in % r != 0 || rows % r != 0 :
	    rows % m->own[MINI] != 0)
		return peft_seterr(err, s->start == BAT ? "r %zu does not "
		    "divide %zu and %zu" : "mini_r %zu does not divide %zu",
		    s->start == BAT ? r : m->own[MINI], rows, in);
	out[BLOCK] = s->start == BAT ? peft_shape3("miss_block", rows / r, r,
	    r) : peft_shape2("miss_block", r, m->own[MINI]);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct miss *s = settings;

	(void)part;
	if (s->start == RANDOM)
		peft_init_uniform(rng, value, n,
		    1 / sqrt((double)m->own[MINI]));
	else
		peft_init_const(value, n, 0);
}

/* Row o = a r + p of "bat": of each stretch c, sum over s of W[o, c r + s]
 * M[a, s, q] + M[a, p, q]. */
static void
bat_row(const struct peft_module *m, size_t o, const float *w, float *delta)
{
	const struct peft_vec *v = peft_vec_best();
	size_t r = m->rank, c, s;
	const float *block = m->param[BLOCK]->value + o / r * r * r;

	for (c = 0; c < m->site->in; c += r) {
		for (s = 0; s < r; s++)
			v->axpy(delta + c, w[c + s], block + s * r, r);
		v->add(delta + c, block + o % r * r, r);
	}
}

static void
bat_back(const struct peft_module *m, size_t o, const float *w,
    const float *g)
{
	const struct peft_vec *v = peft_vec_best();
	size_t r = m->rank, c, s;
	float *block = m->param[BLOCK]->grad + o / r * r * r;

	for (c = 0; c < m->site->in; c += r) {
		for (s = 0; s < r; s++)
			v->axpy(block + s * r, w[c + s], g + c, r);
		v->add(block + o % r * r, g + c, r);
	}
}

static bool
is_bat(const void *module)
{
	const struct peft_module *m = module;

	return ((const struct miss *)m->settings)->start == BAT;
}

static void
rows_of(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t in = m->site->in, mini = m->own[MINI], o, i;

	for (o = first; o < first + n; o++, delta += in) {
		if (is_bat(m)) {
			bat_row(m, o, w + (o - first) * in, delta);
			continue;
		}
		for (i = 0; i < in; i++)
			delta[i] += m->param[BLOCK]->value[i % m->rank * mini +
			    o % mini];
	}
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	size_t in = m->site->in, mini = m->own[MINI], o, i;

	for (o = first; o < first + n; o++, g += in, w += in) {
		if (is_bat(m)) {
			bat_back(m, o, w, g);
			continue;
		}
		for (i = 0; i < in; i++)
			m->param[BLOCK]->grad[i % m->rank * mini + o % mini] +=
			    g[i];
	}
}

static const struct peft_dense_ops ops = { is_bat, rows_of, back };

const struct peft_method peft_miss = {
	.type = "MISS", .name = "miss",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_DROPOUT] = "miss_dropout"
	    },
	.keys = keys, .size = sizeof(struct miss),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init, .hook = &peft_dense_hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = peft_dense_merge,
};
