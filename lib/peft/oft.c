/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OFT (Qiu et al. 2023) as PEFT has it: the input of a linear is turned by
 * orthogonal blocks; of each block's skew matrix the upper triangle is
 * trained, [blocks, b (b - 1) / 2].  Constrained (coft), what is further from
 * no turn than eps is drawn back before it is used.
 */

#include <math.h>

#include "peft/turn.h"

enum { WEIGHT };

struct oft {
	int64_t	r, size, terms;
	double	dropout, eps;
	bool	share, series, random, constrained;
};

#define AT(field)	offsetof(struct oft, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "0", AT(r), 0, 1 << 20),
	PEFT_SET_INT("oft_block_size", "32", AT(size), 0, 1 << 20),
	PEFT_SET_INT("num_cayley_neumann_terms", "5", AT(terms), 1, 64),
	PEFT_SET("block_share", "false", peft_set_bool, AT(share)),
	PEFT_SET("use_cayley_neumann", "true", peft_set_bool, AT(series)),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET("module_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("coft", "false", peft_set_bool, AT(constrained)),
	PEFT_SET("eps", "6e-05", peft_set_real, AT(eps)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct oft *o = settings;

	(void)config;
	if (!(o->eps > 0))
		return peft_seterr(err, "eps is not above 0");
	return (o->r == 0) != (o->size == 0) ? 0 : peft_seterr(err, "one of r "
	    "and oft_block_size must be 0, and the other not");
}

/* The divisor of n that is next to want: of two the smaller one. */
static size_t
divisor(size_t n, size_t want)
{
	size_t up = want, down = want;

	if (want >= n)
		return n;
	while (n % up != 0)
		up++;
	while (n % down != 0)
		down--;
	return want - down <= up - want ? down : up;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct oft *o = settings;
	size_t in = m->site->in, b = o->size != 0 ?
	    divisor(in, (size_t)o->size) : in / divisor(in, (size_t)o->r);

	(void)err;
	m->own[PEFT_TURN_SIZE] = b;
	m->own[PEFT_TURN_BLOCKS] = o->share ? 1 : in / b;
	m->own[PEFT_TURN_TERMS] = o->series ? (size_t)o->terms : 0;
	if (b < 2)
		return peft_seterr(err, "blocks of one turn nothing");
	m->drop_blocks = o->dropout;
	out[WEIGHT] = peft_shape2("oft_R.weight", m->own[PEFT_TURN_BLOCKS],
	    b * (b - 1) / 2);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct oft *o = settings;

	(void)m;
	(void)part;
	if (o->random)
		peft_init_normal(rng, value, n, 0.1);
	else
		peft_init_const(value, n, 0);
}

/* Each is in the matrix twice. */
static double
norm_of(const float *u, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += 2 * (double)u[i] * (double)u[i];
	return sqrt(sum);
}

/* Within eps of the origin, all blocks together; in place, as PEFT does it:
 * the step of the optimiser ends there.  What rounding left outside is drawn a
 * little more, so that a second time changes nothing. */
static void
draw_back(const struct oft *o, size_t blocks, float *u, size_t n)
{
	double most = o->eps / sqrt((double)blocks), norm = norm_of(u, n);
	double by = most / norm;
	size_t i;

	for (; norm > most; norm = norm_of(u, n), by = 1 - 0x1p-22)
		for (i = 0; i < n; i++)
			u[i] = (float)(u[i] * by);
}

static void
skew(const struct peft_module *m, size_t block, double *q)
{
	const struct oft *o = m->settings;
	size_t b = m->own[PEFT_TURN_SIZE], n = b * (b - 1) / 2, i, j;
	float *u = m->param[WEIGHT]->value + block * n;

	if (o->constrained)
		draw_back(o, m->own[PEFT_TURN_BLOCKS], u, n);
	for (i = 0; i < b; i++)
		for (q[i * b + i] = 0, j = i + 1; j < b; j++) {
			q[i * b + j] = *u;
			q[j * b + i] = -*u++;
		}
}

static void
back(const struct peft_module *m, size_t block, const double *gq)
{
	size_t b = m->own[PEFT_TURN_SIZE], i, j;
	float *g = m->param[WEIGHT]->grad + block * (b * (b - 1) / 2);

	for (i = 0; i < b; i++)
		for (j = i + 1; j < b; j++)
			*g++ += (float)(gq[i * b + j] - gq[j * b + i]);
}

static const struct peft_turn_ops ops = { skew, back };

static const struct peft_hook_ops hook = {
	.memory = peft_turn_memory, .begin = peft_turn_begin,
	.end = peft_turn_end, .input = peft_turn_input,
	.input_back = peft_turn_input_back,
};

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)leaf;
	(void)first;
	(void)base;
	return peft_turn_rows(m, n, weight, rows, err);
}

const struct peft_method peft_oft = {
	.type = "OFT", .name = "oft", .knobs = { [PEFT_KNOB_RANK] = "r" },
	.keys = keys, .size = sizeof(struct oft), .check = check,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init,
	.prepare = peft_turn_prepare, .hook = &hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = merge,
};
