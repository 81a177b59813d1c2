/* SPDX-License-Identifier: Apache-2.0 */
/* Bottleneck adapters: where they are, their tensors, first values, what
 * their hook multiplies with. */

#include <math.h>
#include <string.h>

#include "peft/bottleneck.h"

/* Joins have names of the library's (site.c). */
static bool
is_behind_attention(const struct peft_site *s)
{
	const char *dot = strrchr(s->path, '.');

	return dot != NULL && strcmp(dot + 1, "attention_adapters") == 0;
}

static bool
wanted(const void *settings, const struct peft_adapter *a,
    const struct peft_site *site)
{
	const struct peft_bn *s = settings;

	(void)a;
	return (is_behind_attention(site) ? s->mh : s->output) &&
	    !peft_hub_left_out(s->leave_out, site->layer);
}

static struct peft_shape
shape(struct peft_shape s)
{
	s.group = "adapters";
	return s;
}

/* A norm before is the first of adapter_down. */
static void
norm_shapes(const struct peft_bn *s, size_t D, struct peft_shape *out)
{
	if (s->before) {
		out[PEFT_BN_BEFORE] = peft_shape1("adapter_down.0.weight", D);
		out[PEFT_BN_BEFORE].decay = false;
		out[PEFT_BN_BEFORE_BIAS] = peft_shape1("adapter_down.0.bias",
		    D);
	}
	if (s->after) {
		out[PEFT_BN_AFTER] = peft_shape1("adapter_norm_after.weight",
		    D);
		out[PEFT_BN_AFTER].decay = false;
		out[PEFT_BN_AFTER_BIAS] = peft_shape1(
		    "adapter_norm_after.bias", D);
	}
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_bn *s = settings;
	size_t D = m->site->in, k;
	int i;

	if (m->adapter->model != NULL && m->adapter->model->t.parallel)
		return peft_seterr(err, "bottleneck adapters are not for "
		    "models whose attention and MLP are side by side");
	if (peft_bn_width(s, m->site->layer, D, &k, err) == -1)
		return -1;
	m->own[PEFT_BN_WIDTH] = k;
	m->dropout = s->dropout;
	m->whole = s->gating;
	if (s->depth > 0)
		m->untrainable = "stochastic_depth is not honoured in "
		    "training here: set it to 0";
	if (s->phm) {
		if (peft_phm_shapes(s, m, out, err) == -1)
			return -1;
	} else {
		out[PEFT_BN_DOWN] = peft_shape2(s->before ?
		    "adapter_down.1.weight" : "adapter_down.0.weight", k, D);
		out[PEFT_BN_DOWN_BIAS] = peft_shape1(s->before ?
		    "adapter_down.1.bias" : "adapter_down.0.bias", k);
		out[PEFT_BN_UP] = peft_shape2("adapter_up.weight", D, k);
		out[PEFT_BN_UP_BIAS] = peft_shape1("adapter_up.bias", D);
	}
	norm_shapes(s, D, out);
	if (s->scaling != PEFT_BN_NUMBER)
		out[PEFT_BN_SCALING] = peft_shape1("scaling",
		    s->scaling == PEFT_BN_LEARNED ? 1 : D);
	if (s->gating) {
		out[PEFT_BN_GATE] = peft_shape2("gate.weight", 1, D);
		out[PEFT_BN_GATE_BIAS] = peft_shape1("gate.bias", 1);
	}
	for (i = 0; i < PEFT_MAXPART; i++)
		if (out[i].suffix != NULL)
			out[i] = shape(out[i]);
	return 0;
}

/* N(0, std^2) within two of them, by drawing again. */
static void
truncated(struct peft_rng rng, float *value, size_t n, double std)
{
	size_t i, try;
	double v = 0;

	for (i = 0; i < n; i++) {
		for (try = 0; try == 0 || fabs(v) > 2; try++)
			v = peft_rng_normal(rng, try, i);
		value[i] = (float)(v * std);
	}
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_bn *s = settings;
	bool weight = part == PEFT_BN_DOWN || part == PEFT_BN_UP;

	if (m->site == NULL || (s->phm && (weight ||
	    part >= PEFT_BN_DOWN_RIGHT)))
		peft_phm_init(s, m, part, rng, value, n);
	else if (part == PEFT_BN_SCALING || part == PEFT_BN_BEFORE ||
	    part == PEFT_BN_AFTER)
		peft_init_const(value, n, 1);
	else if (part == PEFT_BN_GATE && s->start == PEFT_BN_HOULSBY)
		peft_init_uniform(rng, value, n, 1 / sqrt((double)n));
	else if (part == PEFT_BN_GATE)
		peft_init_normal(rng, value, n, 0.02);
	else if (!weight || (s->start == PEFT_BN_MAM && part == PEFT_BN_UP))
		peft_init_const(value, n, 0);
	else if (s->start == PEFT_BN_HOULSBY)
		truncated(rng, value, n, 0.01);
	else if (s->start == PEFT_BN_BERT)
		peft_init_normal(rng, value, n, 0.02);
	else
		peft_init_uniform(rng, value, n,
		    1 / sqrt((double)m->site->in));
}

static size_t
dense_floats(const struct peft_module *m)
{
	const struct peft_bn *s = m->settings;

	return s->phm ? 4 * m->own[PEFT_BN_WIDTH] * m->site->in : 0;
}

size_t
peft_bn_memory(const void *self)
{
	return sizeof(struct peft_bn_dense) + dense_floats(self) *
	    sizeof(float);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_bn *s = m->settings;
	size_t n = m->own[PEFT_BN_WIDTH] * (m->site == NULL ? 0 :
	    m->site->in);
	struct peft_bn_dense *st;

	(void)base;
	if (m->site == NULL)
		return 0;
	if ((m->state = st = peft_calloc(1, peft_bn_memory(m), err)) == NULL)
		return -1;
	if (s->phm)
		*st = (struct peft_bn_dense){ st->data, st->data + n,
		    st->data + 2 * n, st->data + 3 * n };
	else
		*st = (struct peft_bn_dense){ m->param[PEFT_BN_DOWN]->value,
		    m->param[PEFT_BN_UP]->value, m->param[PEFT_BN_DOWN]->grad,
		    m->param[PEFT_BN_UP]->grad };
	return 0;
}

void
peft_bn_begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	const struct peft_bn *s = m->settings;
	struct peft_bn_dense *st = m->state;
	size_t n = m->own[PEFT_BN_WIDTH] * m->site->in;

	(void)cpu;
	(void)product;
	if (!s->phm || !peft_module_stale(m))
		return;
	peft_phm_make(m, false, st->data);
	peft_phm_make(m, true, st->data + n);
	memset(st->gdown, 0, 2 * n * sizeof(float));
}

void
peft_bn_end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct peft_bn *s = m->settings;
	const struct peft_bn_dense *st = m->state;

	(void)cpu;
	if (!s->phm || !m->train)
		return;
	peft_phm_back(m, false, st->gdown);
	peft_phm_back(m, true, st->gup);
}

const struct peft_method peft_bottleneck = {
	.type = "BOTTLENECK", .name = "bottleneck", .hub = true,
	.knobs = { [PEFT_KNOB_DROPOUT] = "dropout" },
	.keys = peft_bn_keys, .size = sizeof(struct peft_bn),
	.check = peft_bn_check,
	.kinds = 1 << PEFT_JOIN, .wanted = wanted, .shapes = shapes,
	.common = peft_phm_common, .init = init, .prepare = prepare,
	.hook = &peft_bn_hook,
};
