/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C3A (Chen et al. 2025): the change of a weight is made of circulant blocks
 * b x b; block [m, n] has k[m, n, (t - j) mod b] / in at its row j, column
 * t.  kernel [out / b, in / b, b].
 */

#include <math.h>

#include "peft/dense.h"
#include "peft/target.h"

enum { KERNEL };
enum { BLOCK };				/* own[] */
enum { UNIFORM, ZERO, GAUSSIAN, KAIMING, XAVIER };	/* init_weights */

struct c3a {
	int64_t		 block;
	int		 start;
	const cJSON	*pattern;
};

static const char *const starts[] = { "gaussian", "kaiming_uniform",
	"xavier_uniform", NULL };

#define AT(field)	offsetof(struct c3a, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("block_size", "256", AT(block), 1, 1 << 20),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LAYERS,
	PEFT_SET("block_size_pattern", "{}", peft_set_pattern, AT(pattern)),
	PEFT_SET_WORD("init_weights", "\"xavier_uniform\"", peft_set_choice,
	    AT(start), starts),
	PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct c3a *c = settings;
	double b;

	if (peft_pattern_below(c->pattern, m->site->path, (double)c->block,
	    &b, err) == -1)
		return -1;
	if (!(b >= 1) || b != floor(b) || b > 1 << 20 ||
	    m->site->in % (size_t)b != 0 || m->site->out % (size_t)b != 0)
		return peft_seterr(err, "a block size of %g does not divide "
		    "%zu and %zu", b, m->site->in, m->site->out);
	m->own[BLOCK] = (size_t)b;
	m->scale = 1 / (float)m->site->in;
	out[KERNEL] = peft_shape3("c3a_kernel", m->site->out / (size_t)b,
	    m->site->in / (size_t)b, (size_t)b);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct c3a *c = settings;
	double in = (double)m->site->in, out = (double)m->site->out;

	(void)part;
	if (c->start == ZERO)
		peft_init_const(value, n, 0);
	else if (c->start == GAUSSIAN)
		peft_init_normal(rng, value, n, 1);
	else
		peft_init_uniform(rng, value, n, c->start == KAIMING ?
		    sqrt(1 / in) : sqrt(6 / (in + out)));
}

/* The block of row o and column block n, and where its row begins. */
static size_t
block(const struct peft_module *m, size_t o, size_t n)
{
	size_t b = m->own[BLOCK];

	return (o / b * (m->site->in / b) + n) * b;
}

static void
rows(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t in = m->site->in, b = m->own[BLOCK], o, i, t;

	(void)w;
	for (o = first; o < first + n; o++, delta += in)
		for (i = 0; i < in / b; i++) {
			const float *k = m->param[KERNEL]->value +
			    block(m, o, i);

			for (t = 0; t < b; t++)
				delta[i * b + t] += m->scale *
				    k[(t + b - o % b) % b];
		}
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	size_t in = m->site->in, b = m->own[BLOCK], o, i, t;

	(void)w;
	for (o = first; o < first + n; o++, g += in)
		for (i = 0; i < in / b; i++) {
			float *k = m->param[KERNEL]->grad + block(m, o, i);

			for (t = 0; t < b; t++)
				k[(t + b - o % b) % b] += m->scale *
				    g[i * b + t];
		}
}

static const struct peft_dense_ops ops = { NULL, rows, back };

const struct peft_method peft_c3a = {
	.type = "C3A", .name = "c3a",
	.keys = keys, .size = sizeof(struct c3a),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init, .hook = &peft_dense_hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = peft_dense_merge,
};
