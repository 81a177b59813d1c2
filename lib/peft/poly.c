/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Poly (Ponti et al. 2022; several heads: Caccia et al. 2023) as PEFT has it:
 * LoRA whose A and B are mixtures of n_skills, each task by its own weights,
 * in n_splits parts of the input and of the output.  The weights of a task and
 * a part are sigmoid(logits), divided by their sum.  In training they are
 * drawn for each record: a logistic number is added to a logit (the relaxed
 * Bernoulli distribution, Maddison et al. 2017, of temperature 1).
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"
#include "peft/thin.h"

/* A [splits, skills, in / splits, r], B [splits, skills, r, out / splits],
 * logits [tasks, splits * skills]. */
enum { A, B, LOGITS };

struct poly {
	int64_t	r, tasks, skills, splits;
	int	type;			/* poly_type: there is one */
	bool	zero;			/* B begins as zeros */
};

static const char *const types[] = { "poly", NULL };

#define AT(field)	offsetof(struct poly, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 16),
	PEFT_SET_INT("n_tasks", "1", AT(tasks), 1, 1 << 20),
	PEFT_SET_INT("n_skills", "4", AT(skills), 1, 1 << 16),
	PEFT_SET_INT("n_splits", "1", AT(splits), 1, 1 << 16),
	PEFT_SET("init_weights", "true", peft_set_bool, AT(zero)),
	PEFT_SET_WORD("poly_type", "\"poly\"", peft_set_word, AT(type),
	    types),
	PEFT_SET_LATER("exclude_modules", "null"),
	PEFT_SET_LATER("modules_to_save", "null"), PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct poly *p = settings;
	size_t q = (size_t)p->splits, s = (size_t)p->skills, in = m->site->in;
	size_t o = m->site->out, r = (size_t)p->r;

	if (in % q != 0 || o % q != 0)
		return peft_seterr(err, "n_splits %zu does not divide %zu", q,
		    in % q != 0 ? in : o);
	m->rank = r;
	m->tasks = (size_t)p->tasks;
	out[A] = (struct peft_shape){ .suffix = "poly_lora_A", .ndim = 4,
	    .shape = { q, s, in / q, r }, .decay = true };
	out[B] = (struct peft_shape){ .suffix = "poly_lora_B", .ndim = 4,
	    .shape = { q, s, r, o / q }, .decay = true };
	out[LOGITS] = peft_shape2("poly_router.module_logits",
	    (size_t)p->tasks, q * s);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct poly *p = settings;
	const size_t *shape = m->param[part]->shape;

	if (part == LOGITS)
		peft_init_uniform(rng, value, n, 1e-3);
	else if (part == B && p->zero)
		peft_init_const(value, n, 0);
	else
		peft_init_uniform(rng, value, n, 1 / sqrt((double)shape[2]));
}

/* Scratch: that of the products; A^T and B^T of the task, [r, in] and
 * [out, r]; their gradients; a part's weights [skills]. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return peft_thin_scratch(m, T) +
	    2 * m->rank * (m->site->in + m->site->out) +
	    m->param[A]->shape[1];
}

/* Without a seed nothing is drawn: the mean is used. */
static bool
draws(const struct peft_module *m, const struct peft_hook_call *c)
{
	return c->train && (m->rng.key[0] | m->rng.key[1]) != 0;
}

/* A skill in a part, for the record of these rows: its sigmoid. */
static float
share(const struct peft_module *m, const struct peft_hook_call *c, size_t q,
    size_t s)
{
	size_t at = q * m->param[A]->shape[1] + s;
	double l = (double)m->param[LOGITS]->value[(size_t)c->task *
	    m->param[LOGITS]->shape[1] + at], u;

	if (draws(m, c)) {
		u = peft_rng_uniform(m->rng, c->ident[0] >> 32,
		    c->step << 24 | at) + 0x1p-54;
		l += log(u) - log1p(-u);
	}
	return (float)(1 / (1 + exp(-l)));
}

/* The weights w [skills] in a part; sum: of their sigmoids. */
static const float *
weights(const struct peft_module *m, const struct peft_hook_call *c, size_t q,
    float *sum)
{
	size_t skills = m->param[A]->shape[1], s;
	float *w = c->scratch + scratch(m, c->T) - skills;

	for (*sum = 1e-12f, s = 0; s < skills; s++)
		*sum += w[s] = share(m, c, q, s);
	for (s = 0; s < skills; s++)
		w[s] /= *sum;
	return w;
}

/* The rows from t on that have one mixture: a record's, or all. */
static struct peft_hook_call
rows_alike(const struct peft_module *m, const struct peft_hook_call *c,
    size_t t)
{
	struct peft_hook_call part = *c;
	size_t end = draws(m, c) ? t + 1 : c->T;

	while (end < c->T && c->ident[end] >> 32 == c->ident[t] >> 32)
		end++;
	part.T = end - t;
	part.x += t * c->ldx;
	part.ident = c->ident == NULL ? NULL : c->ident + t;
	part.saved += t * m->rank;
	return part;
}

static struct peft_thin
mix(const struct peft_module *m, const struct peft_hook_call *c)
{
	size_t splits = m->param[A]->shape[0], skills = m->param[A]->shape[1];
	size_t r = m->rank, in = m->site->in, out = m->site->out, q, s, d, k;
	float *a = c->scratch + peft_thin_scratch(m, c->T), *b = a + r * in;
	float sum;
	const float *pa = m->param[A]->value, *pb = m->param[B]->value;

	memset(a, 0, r * (in + out) * sizeof(*a));
	for (q = 0; q < splits; q++) {
		const float *w = weights(m, c, q, &sum);

		for (s = 0; s < skills; s++) {
			for (d = 0; d < in / splits; d++)
				for (k = 0; k < r; k++)
					a[k * in + q * (in / splits) + d] +=
					    w[s] * *pa++;
			for (k = 0; k < r; k++)
				for (d = 0; d < out / splits; d++)
					b[(q * (out / splits) + d) * r + k] +=
					    w[s] * *pb++;
		}
	}
	return (struct peft_thin){ .r = r, .in = in, .out = out, .a = a,
	    .b = b, .scale = m->weight / (float)r };
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	struct peft_hook_call part;
	struct peft_thin w;
	size_t t;

	for (t = 0; t < c->T; t += part.T) {
		part = rows_alike(m, c, t);
		w = mix(m, &part);
		peft_thin_forward(&part, &w, part.x, part.ldx, y + t * ldy,
		    ldy);
	}
}

/* A skill's part of the gradients of A^T and B^T, and that of its weight. */
static float
skill_back(const struct peft_module *m, size_t q, size_t s, float w,
    const float *ga, const float *gb)
{
	const struct peft_param *pa = m->param[A], *pb = m->param[B];
	size_t r = m->rank, in = m->site->in, dn = pa->shape[2];
	size_t on = pb->shape[3], d, k, at;
	float sum = 0, g;

	at = (q * pa->shape[1] + s) * dn * r;
	for (d = 0; d < dn; d++)
		for (k = 0; k < r; k++, at++) {
			g = ga[k * in + q * dn + d];
			sum += g * pa->value[at];
			pa->grad[at] += w * g;
		}
	at = (q * pb->shape[1] + s) * r * on;
	for (k = 0; k < r; k++)
		for (d = 0; d < on; d++, at++) {
			g = gb[(q * on + d) * r + k];
			sum += g * pb->value[at];
			pb->grad[at] += w * g;
		}
	return sum;
}

/* w_s = p_s / sum p: dp_s = (dw_s - sum_j dw_j w_j) / sum p. */
static void
mix_back(const struct peft_module *m, const struct peft_hook_call *c,
    const float *ga, const float *gb)
{
	size_t splits = m->param[A]->shape[0], skills = m->param[A]->shape[1];
	float *gl = m->param[LOGITS]->grad + (size_t)c->task * splits * skills;
	float sum, mean, p;
	size_t q, s;

	for (q = 0; q < splits; q++, gl += skills) {
		const float *w = weights(m, c, q, &sum);

		for (mean = 0, s = 0; s < skills; s++)
			mean += w[s] * skill_back(m, q, s, w[s], ga, gb);
		for (s = 0; s < skills; s++) {
			p = w[s] * sum;
			gl[s] += (skill_back(m, q, s, 0, ga, gb) - mean) /
			    sum * p * (1 - p);
		}
	}
}

static void
part_back(const struct peft_module *m, const struct peft_hook_call *c,
    const float *dy, size_t lddy, float *dx, size_t lddx)
{
	const struct peft_thin w = mix(m, c);
	size_t n = m->rank * (m->site->in + m->site->out);
	float *ga = c->scratch + peft_thin_scratch(m, c->T) + n;
	float *gb = ga + m->rank * m->site->in;

	peft_thin_hidden(c, &w, dy, lddy);
	if (m->train) {
		memset(ga, 0, n * sizeof(*ga));
		peft_thin_gradients(c, &w, c->x, c->ldx, dy, lddy, ga, gb);
		mix_back(m, c, ga, gb);
	}
	if (dx != NULL)
		peft_thin_input(c, &w, true, dx, lddx);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	struct peft_hook_call part;
	size_t t;

	for (t = 0; t < c->T; t += part.T) {
		part = rows_alike(m, c, t);
		part_back(m, &part, dy + t * lddy, lddy, dx == NULL ? NULL :
		    dx + t * lddx, lddx);
	}
}

static const struct peft_hook_ops hook = {
	.saved = peft_lowrank_saved, .scratch = scratch, .forward = forward,
	.backward = backward,
};

const struct peft_method peft_poly = {
	.type = "POLY", .name = "poly", .knobs = { [PEFT_KNOB_RANK] = "r" },
	.keys = keys, .size = sizeof(struct poly),
	.kinds = 1 << PEFT_LINEAR, .draws = true, .bounded = true,
	.shapes = shapes, .init = init, .hook = &hook,
};
