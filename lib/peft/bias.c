/* SPDX-License-Identifier: Apache-2.0 */
/* bias "all" or "lora_only" and the like: biases of the base, trained in its place. */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/bias.h"
#include "peft/vector.h"

enum { BIAS = 1 };	/* the part, as a norm's vector has it */

static int
shapes_as(struct peft_module *m, const char *suffix, struct peft_shape *out)
{
	if (m->site->kind == PEFT_NORM)
		peft_vector_shapes(m, NULL, suffix, out);
	else
		out[BIAS] = peft_shape1(suffix, m->site->out);
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	(void)settings;
	(void)err;
	return shapes_as(m, "bias", out);
}

/* A targeted module is inside of what PEFT puts around it. */
static int
inner_shapes(const void *settings, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	(void)settings;
	(void)err;
	return shapes_as(m, "base_layer.bias", out);
}

static int
start(struct peft_module *m, struct peft_err *err)
{
	const struct peft_param *p = m->param[BIAS];

	if (m->site->b == NULL)
		return peft_seterr(err, "bias needs the model's weights to "
		    "begin from");
	memcpy(p->value, m->site->b, p->n * sizeof(float));
	return 0;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	return m->site->kind == PEFT_NORM ? peft_vector_prepare(m, base,
	    err) : 0;
}

/* y += b' - b */
static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const float *to = m->param[BIAS]->value, *from = m->site->b;
	size_t t, i;

	for (t = 0; t < c->T; t++)
		for (i = 0; i < m->site->out; i++)
			y[t * ldy + i] += m->weight * (to[i] - from[i]);
}

/* Before a method that scales the output makes of dy what it had found. */
static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	const struct peft_module *m = self;
	size_t t;

	for (t = 0; m->train && t < c->T; t++)
		peft_vec_best()->axpy(m->param[BIAS]->grad, m->weight,
		    dy + t * lddy, m->site->out);
}

static const struct peft_hook_ops linear = {
	.forward = forward, .output_back = output_back,
};

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	return m->site->kind == PEFT_NORM ? &peft_vector_hook : &linear;
}

static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	(void)m;
	return leaf == PEFT_LEAF_BIAS;
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[BIAS];
	size_t i;

	(void)leaf;
	(void)first;
	(void)n;
	(void)base;
	(void)err;
	for (i = 0; i < p->n; i++)
		rows[i] += weight * (p->value[i] - rows[i]);
	return 0;
}

static const struct peft_method outer = {
	.type = "bias", .kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD |
	    1 << PEFT_NORM, .shapes = shapes,
	.start = start, .prepare = prepare, .hook_for = hook_for,
	.changes = changes, .merge = merge,
};

static const struct peft_method inner = {
	.type = "bias", .kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD,
	.shapes = inner_shapes,
	.start = start, .prepare = prepare, .hook_for = hook_for,
	.changes = changes, .merge = merge,
};

/* 1: all; 0: those of targeted modules, "lora_only" and the like of whichever
 * method; -1: none. */
static int
which(const cJSON *bias, int *out, struct peft_err *err)
{
	const char *s = cJSON_IsString(bias) ? bias->valuestring : "";
	size_t n = strlen(s);

	if (bias == NULL || cJSON_IsNull(bias) || strcmp(s, "none") == 0)
		*out = -1;
	else if (strcmp(s, "all") == 0)
		*out = 1;
	else if (n > 5 && strcmp(s + n - 5, "_only") == 0)
		*out = 0;
	else
		return peft_seterr(err, "bias is neither \"none\", \"all\" nor "
		    "\"METHOD_only\"");
	return 0;
}

void
peft_bias_again(const struct peft_module *m, struct peft_shape *kept,
    struct peft_shape *copy)
{
	const cJSON *bias = peft_json_get(m->adapter->config, "bias");

	if (!cJSON_IsString(bias) || strcmp(bias->valuestring, "all") != 0)
		return;
	*kept = peft_shape1("original_module.bias", m->site->out);
	*copy = peft_shape1("modules_to_save.bias", m->site->out);
	kept->fixed = copy->fixed = true;
	kept->droppable = copy->droppable = true;
}

int
peft_bias_add(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	size_t had = *n, i, k;
	int all = -1;

	if (a->method->hub)
		return 0;
	if (which(peft_json_get(a->config, "bias"), &all, err) == -1)
		return -1;
	for (i = 0; all >= 0 && i < sites->n; i++) {
		const struct peft_site *s = &sites->at[i];

		if (s->bias == SIZE_MAX || !(outer.kinds >> s->kind & 1))
			continue;
		for (k = 0; k < had && chosen[k].site != s; k++)
			;
		/* what is saved whole has its own */
		if (k < had && k >= a->nsites)
			continue;
		if (k < had || all == 1)
			chosen[(*n)++] = (struct peft_choice){ s, k < had ?
			    &inner : &outer, NULL,
			    false };
	}
	return 0;
}
