/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X-LoRA's modules: y += sum over experts e of w s_e B_e (A_e drop_e(c_e x)),
 * c_e [T] from the classifier, w global_scaling_weight.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "math/vec.h"
#include "model/family.h"
#include "peft/lowrank.h"
#include "peft/thin.h"
#include "peft/xlora.h"

/* torch's Sequential counts what lies between its layers. */
static void
name_tensors(struct peft_xlora *x)
{
	int step = x->dropout > 0 ? 3 : 2, i;

	for (i = 0; i < 2 * (int)x->depth; i++)
		snprintf(x->names[i], sizeof(x->names[i]),
		    "internal_xlora_classifier.layers.%d.%s", i / 2 * step,
		    i % 2 == 0 ? "weight" : "bias");
}

#define AT(field)	offsetof(struct peft_xlora, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("hidden_size", "null", AT(hidden), 1, 1 << 24),
	PEFT_SET_LATER("adapters", "{}"),
	PEFT_SET_INT("xlora_depth", "1", AT(depth), 1, PEFT_XLORA_DEPTH),
	PEFT_SET_INT("xlora_size", "2048", AT(size), 1, 1 << 20),
	PEFT_SET_INT("top_k_lora", "null", AT(top), 1, 1 << 16),
	PEFT_SET("xlora_dropout_p", "0.2", peft_set_share, AT(dropout)),
	PEFT_SET("softmax_temperature", "1.0", peft_set_real,
	    AT(temperature)),
	PEFT_SET("scaling_pass_value", "0.0", peft_set_real, AT(pass)),
	PEFT_SET("global_scaling_weight", "1.0", peft_set_real, AT(weight)),
	PEFT_SET("enable_softmax", "true", peft_set_bool, AT(softmax)),
	PEFT_SET("enable_softmax_topk", "false", peft_set_bool,
	    AT(softmax_top)),
	PEFT_SET("layerwise_scalings", "false", peft_set_bool,
	    AT(layerwise)),
	PEFT_SET("use_trainable_adapters", "false", peft_set_bool,
	    AT(trainable)),
	PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	struct peft_xlora *x = settings;

	name_tensors(x);
	x->n = (size_t)cJSON_GetArraySize(peft_json_get(config, "adapters"));
	if (x->n == 0)
		return peft_seterr(err, "adapters names none: {\"0\": PATH, "
		    "\"1\": PATH, ...}");
	if (x->n > PEFT_XLORA_MOST)
		return peft_seterr(err, "%zu adapters; at most %d are mixed "
		    "here", x->n, PEFT_XLORA_MOST);
	if (x->top > (int64_t)x->n)
		return peft_seterr(err, "top_k_lora is %lld, there are %zu "
		    "adapters", (long long)x->top, x->n);
	if (!(x->temperature > 0))
		return peft_seterr(err, "softmax_temperature %g is not above "
		    "0", x->temperature);
	if (x->pass != 0 && x->top > 0 && x->top < (int64_t)x->n)
		return peft_seterr(err, "which of equals are the top_k_lora "
		    "is not defined: make scaling_pass_value 0");
	return 0;
}

static bool
wanted(const void *settings, const struct peft_adapter *a,
    const struct peft_site *site)
{
	size_t i;

	(void)settings;
	for (i = 0; i < a->nexperts; i++)
		if (peft_xlora_module(a, i, site->path) != NULL)
			return true;
	return false;
}

/* Nothing of its own. */
static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_xlora *x = settings;
	const struct peft_adapter *a = m->adapter;
	size_t i;

	(void)out;
	(void)err;
	for (i = 0; i < a->nexperts; i++) {
		const struct peft_module *e = peft_xlora_module(a, i,
		    m->site->path);

		if (e != NULL && e->rank > m->rank)
			m->rank = e->rank;
	}
	if (x->trainable)
		m->untrainable = "use_trainable_adapters: the experts are "
		    "trained each for itself, before";
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_xlora *x = settings;
	size_t last = x->n * (x->layerwise ? m->adapter->nsites : 1);
	size_t in = m->adapter->model->hidden, n;
	int64_t i;

	(void)err;
	for (i = 0; i < x->depth; i++, in = n, out += 2) {
		n = i + 1 < x->depth ? (size_t)x->size : last;
		out[0] = peft_shape2(x->names[2 * i], n, in);
		out[1] = peft_shape1(x->names[2 * i + 1], n);
		out[0].place = out[1].place = PEFT_AT_MODEL;
	}
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	peft_init_uniform(rng, value, n, 1 / sqrt((double)
	    m->param[part & ~1]->shape[1]));
}

/* A module's place in the order in which transformers lists them. */
static size_t
rank_of(const struct peft_module *m)
{
	const uint8_t *listed = m->adapter->model->family->listed;
	int slot = m->site->slot;

	if (listed != NULL && listed[slot] != 0)
		slot = listed[slot];
	return (size_t)m->site->layer * PEFT_NSLOT + (size_t)slot;
}

/* State of a module: those of the experts there, NULL for who is not.  own[0]:
 * its number, by which the classifier knows it. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_adapter *a = m->adapter;
	struct peft_module **e;
	size_t i;

	if (m->site == NULL)
		return peft_xlora_prepare(m, base, err);
	for (m->own[0] = i = 0; i < a->nsites; i++)
		m->own[0] += rank_of(&a->modules[i]) < rank_of(m);
	e = peft_calloc(a->nexperts, sizeof(*e), err);
	for (i = 0; e != NULL && i < a->nexperts; i++)
		e[i] = peft_xlora_module(a, i, m->site->path);
	m->state = e;
	return e == NULL ? -1 : 0;
}

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return m->adapter->nexperts * sizeof(struct peft_module *);
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->rank * m->adapter->nexperts;
}

/* Scratch: that of the products; the input times c; the same with dropout, or
 * its gradient; that before dropout. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return peft_thin_scratch(m, T) + 3 * T * m->site->in;
}

/* What one expert does at a call. */
struct act {
	const struct peft_module *expert;
	struct peft_thin	 w;
	struct peft_hook_call	 call;		/* x: its input times c */
	float			*room;		/* [2][T, in] */
};

/* c_e of a row, and where its gradient goes. */
static float
scale_of(const struct peft_module *m, const struct peft_hook_call *c,
    size_t e, size_t t, float **grad)
{
	const struct peft_xlora *x = m->settings;
	const float *s;

	*grad = NULL;
	if (c->scouting)
		return (float)(x->softmax_top && x->pass != 0 ?
		    1 / (double)x->n : x->pass);
	s = peft_xlora_scales(m->adapter->common, m->own[0], c->first + t,
	    grad);
	*grad = *grad == NULL ? NULL : *grad + e;
	return s[e];
}

static struct act
act_of(const struct peft_module *m, const struct peft_hook_call *c, size_t e)
{
	const struct peft_module *x = ((struct peft_module **)m->state)[e];
	const struct peft_xlora *s = m->settings;
	size_t in = m->site->in, t, i;
	float *input = c->scratch + peft_thin_scratch(m, c->T), *grad;
	struct act a = { x, { .r = x->rank, .in = in, .out = m->site->out,
	    .a = x->param[0]->value, .b = x->param[1]->value,
	    .scale = x->scale * (float)s->weight * m->weight }, *c,
	    input + c->T * in };

	for (t = 0; t < c->T; t++) {
		float k = scale_of(m, c, e, t, &grad);

		for (i = 0; i < in; i++)
			input[t * in + i] = k * c->x[t * c->ldx + i];
	}
	a.call.x = input;
	a.call.ldx = in;
	a.call.saved += e * c->T * m->rank;
	return a;
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct peft_xlora *s = m->settings;
	struct peft_module *const *experts = m->state;
	const float *x;
	size_t e, ldx;

	if (c->scouting && s->pass == 0)
		return;
	for (e = 0; e < m->adapter->nexperts; e++) {
		struct act a;

		if (experts[e] == NULL)
			continue;
		a = act_of(m, c, e);
		x = peft_drop(a.expert, &a.call, a.room, &ldx);
		peft_thin_forward(&a.call, &a.w, x, ldx, y, ldy);
	}
}

/* The gradient of an expert's input times c is in the room: that of c, and of
 * the input. */
static void
input_back(const struct peft_module *m, const struct peft_hook_call *c,
    size_t e, const float *g, float *dx, size_t lddx)
{
	const struct peft_vec *v = peft_cpu_vec(c->cpu);
	size_t in = m->site->in, t;
	float *grad;

	for (t = 0; t < c->T; t++, g += in) {
		float k = scale_of(m, c, e, t, &grad);

		if (grad != NULL)
			*grad += v->dot(g, c->x + t * c->ldx, in);
		if (dx != NULL)
			v->axpy(dx + t * lddx, k, g, in);
	}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	struct peft_module *const *experts = m->state;
	size_t n = c->T * m->site->in, e;

	for (e = 0; e < m->adapter->nexperts; e++) {
		struct act a;
		float *g;

		if (experts[e] == NULL)
			continue;
		a = act_of(m, c, e);
		g = a.room;
		peft_thin_hidden(&a.call, &a.w, dy, lddy);
		peft_thin_input(&a.call, &a.w, false, g, m->site->in);
		if (peft_drop_on(a.expert, c)) {
			memset(g + n, 0, n * sizeof(*g));
			peft_drop_back(a.expert, &a.call, g, g + n,
			    m->site->in);
			g += n;
		}
		input_back(m, c, e, g, dx, lddx);
	}
}

static const struct peft_hook_ops hook = {
	.memory = memory, .saved = saved, .scratch = scratch,
	.forward = forward, .backward = backward,
};

const struct peft_method peft_xlora = {
	.type = "XLORA", .name = "xlora",
	.keys = keys, .size = sizeof(struct peft_xlora), .check = check,
	.kinds = 1 << PEFT_LINEAR, .wanted = wanted,
	.gather = peft_xlora_gather, .shapes = shapes, .common = common,
	.init = init, .prepare = prepare, .hook = &hook,
	.attach = peft_xlora_attach,
};
