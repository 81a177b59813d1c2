/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IA3 (Liu et al. 2022): a linear's output, or the input of a feed-forward
 * one, is multiplied by a vector l: y = l o (W x + b), or y = W (l o x) + b.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/ia3.h"
#include "peft/rows.h"
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

/* 1 + a (s l - 1), a being the adapter's weight; and behind it sums. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	(void)T;
	return 2 * m->param[L]->n;
}

static const float *
factors(const struct peft_module *m, const struct peft_hook_call *c)
{
	const float *l = m->param[L]->value;
	float a = m->weight, s = m->scale;
	size_t i, n = m->param[L]->n;

	for (i = 0; i < n; i++)
		c->scratch[i] = 1 + a * (s * l[i] - 1);
	return c->scratch;
}

/* Back through y = v times the factors: to dx, which may be dy. */
static void
back(const struct peft_module *m, const struct peft_hook_call *c,
    struct peft_rows_back *r)
{
	size_t n = m->param[L]->n;

	r->T = c->T;
	r->n = n;
	r->w = factors(m, c);
	r->g = m->train ? memset(c->scratch + n, 0, n * sizeof(float)) : NULL;
	peft_rows_back(c->cpu, r);
	if (m->train)
		peft_cpu_vec(c->cpu)->axpy(m->param[L]->grad, m->weight *
		    m->scale, r->g, n);
}

static void
input(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	struct peft_rows_times r = { .T = c->T, .n = m->param[L]->n,
	    .w = factors(m, c), .x = c->x, .ldx = c->ldx, .y = y,
	    .ldy = ldy };

	peft_rows_times(c->cpu, &r);
}

static void
input_back(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	struct peft_rows_back r = { .v = c->x, .ldv = c->ldx, .dy = dy,
	    .lddy = lddy, .dx = dx, .lddx = lddx, .add = true };

	back(self, c, &r);
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
	struct peft_rows_times r = { .T = c->T, .n = m->param[L]->n,
	    .w = factors(m, c), .x = y, .ldx = ldy, .y = y, .ldy = ldy,
	    .keep = m->train ? c->saved : NULL };

	peft_rows_times(c->cpu, &r);
}

static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	const struct peft_module *m = self;
	struct peft_rows_back r = { .v = c->saved, .ldv = m->site->out,
	    .dy = dy, .lddy = lddy, .dx = dy, .lddx = lddy };

	back(m, c, &r);
}

const struct peft_hook_ops peft_ia3_output_hook = {
	.saved = saved, .scratch = scratch, .forward = forward,
	.output_back = output_back,
};

static const struct peft_hook_ops input_hook = {
	.scratch = scratch, .input = input, .input_back = input_back,
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
