/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BOFT (Liu et al. 2024) as PEFT has it where its CUDA code is not built, with
 * one butterfly factor: the input of a linear is turned by orthogonal blocks
 * of R - R^T, R [1, blocks, b, b], and its output scaled, s [out, 1]:
 * y = s o (W (x M)) + bias.
 */

#include <string.h>

#include "peft/row.h"
#include "peft/turn.h"

enum { R, S };

struct boft {
	int64_t	size, blocks, factor;
	double	dropout;
	bool	random;
};

#define AT(field)	offsetof(struct boft, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("boft_block_size", "4", AT(size), 0, 1 << 20),
	PEFT_SET_INT("boft_block_num", "0", AT(blocks), 0, 1 << 20),
	PEFT_SET_INT("boft_n_butterfly_factor", "1", AT(factor), 1, 64),
	PEFT_SET("boft_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct boft *o = settings;

	(void)config;
	return (o->blocks == 0) != (o->size == 0) ? 0 : peft_seterr(err, "one "
	    "of boft_block_size and boft_block_num must be 0, and the other "
	    "not");
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct boft *o = settings;
	size_t in = m->site->in, part = (size_t)(o->size != 0 ? o->size :
	    o->blocks), b;

	if (in % part != 0)
		return peft_seterr(err, "%s %zu does not divide %zu",
		    o->size != 0 ? "boft_block_size" : "boft_block_num",
		    part, in);
	b = o->size != 0 ? part : in / part;
	m->own[PEFT_TURN_SIZE] = b;
	m->own[PEFT_TURN_BLOCKS] = in / b;
	m->drop_blocks = o->dropout;
	out[R] = (struct peft_shape){ .suffix = "boft_R", .ndim = 4,
	    .shape = { 1, in / b, b, b }, .decay = true };
	out[S] = peft_shape2("boft_s", m->site->out, 1);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct boft *o = settings;
	size_t i;

	(void)m;
	peft_init_normal(rng, value, n, o->random ? 0.1 : 0);
	for (i = 0; part == S && i < n; i++)
		value[i] += 1;
}

static void
skew(const struct peft_module *m, size_t block, double *q)
{
	size_t b = m->own[PEFT_TURN_SIZE], i, j;
	const float *r = m->param[R]->value + block * b * b;

	for (i = 0; i < b; i++)
		for (j = 0; j < b; j++)
			q[i * b + j] = 0.5 * ((double)r[i * b + j] -
			    r[j * b + i]);
}

static void
back(const struct peft_module *m, size_t block, const double *gq)
{
	size_t b = m->own[PEFT_TURN_SIZE], i, j;
	float *g = m->param[R]->grad + block * b * b;

	for (i = 0; i < b; i++)
		for (j = 0; j < b; j++)
			g[i * b + j] += (float)(0.5 * (gq[i * b + j] -
			    gq[j * b + i]));
}

static const struct peft_turn_ops ops = { skew, back };

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return m->train ? T * m->site->out : 0;	/* y - bias */
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const float *s = m->param[S]->value, *b = m->site->b;
	size_t out = m->site->out, t, i;
	float *keep = c->saved;

	for (t = 0; t < c->T; t++, y += ldy, keep += m->train ? out : 0)
		for (i = 0; i < out; i++) {
			float v = y[i] - (b == NULL ? 0 : b[i]);

			if (m->train)
				keep[i] = v;
			y[i] += m->weight * (s[i] - 1) * v;
		}
}

/* Some columns of all rows, so that their sums are one thread's. */
enum { STRIPE = 256 };

struct back {
	const struct peft_module	*m;
	const struct peft_hook_call	*call;
	float				*dy;
	size_t				 lddy;
};

static void
back_task(void *ctx, size_t task, int thread)
{
	const struct back *b = ctx;
	const struct peft_module *m = b->m;
	size_t out = m->site->out, from = task * STRIPE, t, i;
	size_t end = out - from < STRIPE ? out : from + STRIPE;
	const float *s = m->param[S]->value, *keep = b->call->saved;
	float *dy = b->dy;

	(void)thread;
	for (t = 0; t < b->call->T; t++, dy += b->lddy,
	    keep += m->train ? out : 0)
		for (i = from; i < end; i++) {
			if (m->train)
				m->param[S]->grad[i] += m->weight * dy[i] *
				    keep[i];
			dy[i] *= 1 + m->weight * (s[i] - 1);
		}
}

static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	const struct peft_module *m = self;
	struct back b = { m, c, dy, lddy };

	peft_cpu_run(c->cpu, (m->site->out + STRIPE - 1) / STRIPE, back_task,
	    &b);
}

static const struct peft_hook_ops hook = {
	.memory = peft_turn_memory, .begin = peft_turn_begin,
	.end = peft_turn_end, .saved = saved,
	.input = peft_turn_input, .input_back = peft_turn_input_back,
	.forward = forward, .output_back = output_back,
};

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	size_t in = m->site->in, i, k;

	(void)leaf;
	(void)base;
	if (peft_turn_rows(m, n, weight, rows, err) == -1)
		return -1;
	for (i = 0; i < n; i++)
		for (k = 0; k < in; k++)
			rows[i * in + k] *= 1 + weight *
			    (m->param[S]->value[first + i] - 1);
	return 0;
}

const struct peft_method peft_boft = {
	.type = "BOFT", .name = "boft",
	.keys = keys, .size = sizeof(struct boft), .check = check,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init,
	.prepare = peft_turn_prepare, .hook = &hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = merge,
};
