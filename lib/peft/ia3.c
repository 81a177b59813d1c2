/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IA3 (Liu et al. 2022): a linear's output, or the input of a feed-forward
 * one, is multiplied by a vector l: y = l o (W x + b), or y = W (l o x) + b.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/ia3.h"
#include "peft/target.h"

enum { L };

struct ia3 {
	bool		 random;
	const cJSON	*feedforward;
};

static const char *const usual[] = { "k_proj", "v_proj", "down_proj", NULL };
static const char *const usual_ff[] = { "down_proj", NULL };

#define AT(field)	offsetof(struct ia3, field)
static const struct peft_setting keys[] = {
	PEFT_SET("feedforward_modules", "null", peft_set_json,
	    AT(feedforward)),
	PEFT_SET("init_ia3_weights", "true", peft_set_not, AT(random)),
	PEFT_SET_LATER("exclude_modules", "null"),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_LATER("modules_to_save", "null"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct ia3 *s = settings;
	const cJSON *e;

	(void)config;
	cJSON_ArrayForEach(e, s->feedforward)
		if (!cJSON_IsString(e))
			return peft_seterr(err, "feedforward_modules holds "
			    "something that is no name");
	return 0;
}

static bool
ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);

	return n >= k && strcmp(path + n - k, end) == 0;
}

/* By name's end, as PEFT has it; or by a pattern for the whole path. */
static int
is_feedforward(const struct ia3 *s, const char *path, struct peft_err *err)
{
	const char *const *u;
	const cJSON *e;

	if (cJSON_IsString(s->feedforward))
		return peft_regex_matches(s->feedforward->valuestring, path,
		    err);
	cJSON_ArrayForEach(e, s->feedforward)
		if (ends_in(path, e->valuestring))
			return 1;
	if (s->feedforward == NULL || cJSON_IsNull(s->feedforward))
		for (u = usual_ff; *u != NULL; u++)
			if (ends_in(path, *u))
				return 1;
	return 0;
}

enum { FF };				/* own[] */

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	int ff = is_feedforward(settings, m->site->path, err);

	if (ff == -1)
		return -1;
	m->own[FF] = ff == 1;
	m->scale = 1;
	out[L] = ff ? peft_shape2("ia3_l", 1, m->site->in) :
	    peft_shape2("ia3_l", m->site->out, 1);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct ia3 *s = settings;

	(void)m;
	(void)part;
	if (s->random)
		peft_init_normal(rng, value, n, 1);
	else
		peft_init_const(value, n, 1);
}

struct task {
	const struct peft_module	*m;
	const struct peft_hook_call	*c;
	const float	*x;
	float		*y;
	size_t		 ldx, ldy;
	bool		 add;
};

/* y (or y +=) x o (1 + a (s l - 1)), a being the adapter's weight. */
static void
scale_row(void *ctx, size_t t, int thread)
{
	const struct task *k = ctx;
	const float *l = k->m->param[L]->value, *x = k->x + t * k->ldx;
	float *y = k->y + t * k->ldy, a = k->m->weight, s = k->m->scale;
	size_t i, n = k->m->param[L]->n;

	(void)thread;
	for (i = 0; i < n; i++) {
		float v = x[i] * (1 + a * (s * l[i] - 1));

		y[i] = k->add ? y[i] + v : v;
	}
}

static void
gradient(const struct peft_module *m, const float *dy, size_t lddy,
    const float *x, size_t ldx, size_t T)
{
	size_t n = m->param[L]->n, t, i;

	for (t = 0; m->train && t < T; t++, dy += lddy, x += ldx)
		for (i = 0; i < n; i++)
			m->param[L]->grad[i] += m->weight * m->scale *
			    dy[i] * x[i];
}

static void
input(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct task k = { self, c, c->x, y, c->ldx, ldy, false };

	peft_cpu_run(c->cpu, c->T, scale_row, &k);
}

static void
input_back(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct task k = { self, c, dy, dx, lddy, lddx, true };

	gradient(self, dy, lddy, c->x, c->ldx, c->T);
	if (dx != NULL)
		peft_cpu_run(c->cpu, c->T, scale_row, &k);
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return m->train ? T * m->site->out : 0;	/* y */
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	struct task k = { m, c, y, y, ldy, ldy, false };
	size_t out = m->site->out, t;

	for (t = 0; m->train && t < c->T; t++)
		memcpy(c->saved + t * out, y + t * ldy, out * sizeof(*y));
	peft_cpu_run(c->cpu, c->T, scale_row, &k);
}

static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	const struct peft_module *m = self;
	struct task k = { m, c, dy, dy, lddy, lddy, false };

	gradient(m, dy, lddy, c->saved, m->site->out, c->T);
	peft_cpu_run(c->cpu, c->T, scale_row, &k);
}

const struct peft_hook_ops peft_ia3_output_hook = {
	.saved = saved, .forward = forward,
	.output_back = output_back,
};

static const struct peft_hook_ops input_hook = { .input = input,
	.input_back = input_back,
};

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	return m->own[FF] ? &input_hook : &peft_ia3_output_hook;
}

static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	return leaf == PEFT_LEAF_WEIGHT || (!m->own[FF] &&
	    m->site->bias != SIZE_MAX);
}

int
peft_ia3_merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const float *l = m->param[L]->value;
	size_t in = leaf == PEFT_LEAF_WEIGHT ? m->site->in : m->site->out;
	size_t i, k;

	(void)base;
	(void)err;
	for (i = 0; i < n; i++)
		for (k = 0; k < in; k++)
			rows[i * in + k] *= 1 + weight * (m->scale *
			    l[m->own[FF] || leaf == PEFT_LEAF_BIAS ? k :
			    first + i] - 1);
	return 0;
}

const struct peft_method peft_ia3 = {
	.type = "IA3", .name = "ia3",
	.keys = keys, .size = sizeof(struct ia3), .check = check,
	.usual = usual, .kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD,
	.shapes = shapes, .init = init, .hook_for = hook_for,
	.changes = changes, .merge = peft_ia3_merge,
};
