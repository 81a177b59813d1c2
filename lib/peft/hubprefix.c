/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefix tuning as the adapters library has it: keys and values before those
 * of each sequence, which keep their positions; trained as they are (flat), or
 * made by two layers, which are what is saved.  With use_gating each layer has
 * a gate (gate.h), of what its projections see, for keys and values or, without
 * shared_gating, for either.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/gate.h"
#include "peft/hub.h"
#include "peft/projection.h"

enum { GATE, GATE_BIAS };		/* of a site */
enum { SPLIT };				/* own[]: where values begin */

struct hubprefix {
	bool		flat, gating, shared;
	int64_t		n, hidden;
	double		dropout;
	peft_nonlinear	*act;
};

#define AT(field)	offsetof(struct hubprefix, field)
static const struct peft_setting keys[] = {
	PEFT_SET_LATER("architecture", "\"prefix_tuning\""),
	PEFT_SET_LATER("encoder_prefix", "true"),
	PEFT_SET_LATER("cross_prefix", "true"),
	PEFT_SET_OFF("leave_out", "[]"),
	PEFT_SET("flat", "false", peft_set_bool, AT(flat)),
	PEFT_SET_INT("prefix_length", "30", AT(n), 1, 65536),
	PEFT_SET_INT("bottleneck_size", "512", AT(hidden), 1, 1 << 20),
	PEFT_SET("non_linearity", "\"tanh\"", peft_set_nonlinear, AT(act)),
	PEFT_SET("dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("use_gating", "false", peft_set_bool, AT(gating)),
	PEFT_SET("shared_gating", "true", peft_set_bool, AT(shared)),
	PEFT_SET_LATER("init_weights_seed", "null"), PEFT_SET_END
};

static bool
wanted(const void *settings, const struct peft_adapter *a,
    const struct peft_site *site)
{
	const struct hubprefix *s = settings;

	(void)a;
	return s->gating && site->kind == PEFT_ATTENTION;
}

static struct peft_shape
grouped(struct peft_shape s, const char *group, enum peft_place place)
{
	s.group = group;
	s.place = place;
	return s;
}

/* A gate. */
static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct hubprefix *s = settings;
	const struct peft_config *c = m->adapter->model;
	static const char group[] = "prefix_tuning.prefix_gates";
	size_t n = s->shared ? 1 : 2;

	if (c == NULL)
		return peft_seterr(err, "prefixes need a whole model");
	if (!s->shared && c->t.has & PEFT_BIT(PEFT_QKV))
		return peft_seterr(err, "shared_gating false is not for "
		    "models whose projections are stored as one");
	m->own[SPLIT] = (c->heads + c->kv_heads) * c->head_dim;
	m->whole = true;
	out[GATE] = grouped(peft_shape2("weight", n, c->hidden), group,
	    PEFT_AT_SITE);
	out[GATE_BIAS] = grouped(peft_shape1("bias", n), group,
	    PEFT_AT_SITE);
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct hubprefix *s = settings;
	const struct peft_config *c = m->adapter->model;
	static const char group[] = "prefix_tuning.prefix_tunings";
	size_t n = (size_t)s->n, b = (size_t)s->hidden, width;
	int i;

	if (c == NULL)
		return peft_seterr(err, "prefixes need a whole model");
	if (c->v_dim != c->head_dim || c->hidden / c->heads != c->head_dim)
		return peft_seterr(err, "prefixes of the adapters library are "
		    "for heads of hidden_size / num_attention_heads");
	if (c->window > 0)
		return peft_seterr(err, "prefixes of the adapters library are "
		    "not for models with a window");
	if (s->dropout > 0)
		m->untrainable = "dropout of prefixes is not honoured in "
		    "training here: set it to 0";
	width = c->layers * 2 * c->kv_heads * c->head_dim;
	m->own[PEFT_VIRTUAL_N] = n;
	m->own[PEFT_VIRTUAL_WIDTH] = width;
	out[PEFT_PROMPT] = peft_shape1("self_prefix.control_trans", n *
	    width);
	if (!s->flat) {
		out[PEFT_PROMPT].fixed = out[PEFT_PROMPT].unsaved = true;
		out[PEFT_PROJECT_EMBED] = peft_shape2(
		    "self_prefix.wte.weight", n, c->hidden);
		out[PEFT_PROJECT_W1] = peft_shape2(
		    "self_prefix.control_trans.0.weight", b, c->hidden);
		out[PEFT_PROJECT_B1] = peft_shape1(
		    "self_prefix.control_trans.0.bias", b);
		out[PEFT_PROJECT_W2] = peft_shape2(
		    "self_prefix.control_trans.2.weight", width, b);
		out[PEFT_PROJECT_B2] = peft_shape1(
		    "self_prefix.control_trans.2.bias", width);
	}
	for (i = 0; i <= (s->flat ? PEFT_PROMPT : PEFT_PROJECT_B2); i++)
		out[i] = grouped(out[i], group, PEFT_AT_MODEL);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct hubprefix *s = settings;

	if (m->site != NULL && part == GATE)
		peft_init_normal(rng, value, n, 0.02);
	else if (m->site != NULL)
		peft_layer_init(rng, m->param[GATE]->shape[1], value, n);
	else if (part == PEFT_PROJECT_EMBED || (part == PEFT_PROMPT &&
	    s->flat))
		peft_init_normal(rng, value, n, 1);
	else if (part != PEFT_PROMPT)
		peft_layer_init(rng, m->param[part <= PEFT_PROJECT_B1 ?
		    PEFT_PROJECT_W1 : PEFT_PROJECT_W2]->shape[1], value, n);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	return m->site != NULL ? 0 : peft_projection_prepare(m, err);
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;

	(void)product;
	peft_projection_begin(m, cpu, ((const struct hubprefix *)
	    m->settings)->act);
}

static void
end(void *self, struct peft_cpu *cpu)
{
	struct peft_module *m = self;

	peft_projection_end(m, cpu, ((const struct hubprefix *)
	    m->settings)->act);
}

int
peft_hub_prefix_make(struct peft_module *m, struct peft_err *err)
{
	struct peft_cpu *cpu = peft_cpu_open(1, err);
	int r = cpu == NULL ? -1 : prepare(m, NULL, err);

	if (r == 0)
		begin(m, cpu, NULL);
	peft_cpu_close(cpu);
	return r;
}

static const struct peft_hook_ops tokens = {
	.memory = peft_virtual_memory, .begin = begin, .end = end,
};

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	if (peft_virtual_attach(m, sites, index, true, &tokens, err) == -1)
		return -1;
	sites->virtuals->still = true;
	return 0;
}

/* Scratch: the gates of keys and of values, and their gradients. */
static size_t
scratch(const void *self, size_t T)
{
	(void)self;
	return 4 * T;
}

static struct peft_gate
gate_of(const struct peft_module *m, size_t which)
{
	size_t n = m->param[GATE]->shape[0];

	return (struct peft_gate){ m->param[GATE], m->param[GATE_BIAS],
	    which < n ? which : n - 1 };
}

static void
gates(const struct peft_module *m, const struct peft_hook_call *c)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		struct peft_gate g = gate_of(m, i);

		peft_gate(&g, c, c->x, c->ldx, c->scratch + i * c->T);
	}
}

static void
keys_forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	size_t at = m->own[SPLIT], t;

	gates(m, c);
	for (t = 0; t < c->T; t++) {
		if (c->ids[t] >= 0)
			continue;
		peft_vec_best()->scale(y + t * ldy, c->scratch[t], at);
		peft_vec_best()->scale(y + t * ldy + at,
		    c->scratch[c->T + t], ldy - at);
	}
}

/* y holds them behind the gates, which are never 0. */
static void
keys_back(void *self, const struct peft_hook_call *c, const float *y,
    float *dy, size_t ldy, float *dx, size_t lddx)
{
	const struct peft_vec *v = peft_vec_best();
	const struct peft_module *m = self;
	float *gk = c->scratch, *gv = gk + c->T, *dk = gv + c->T;
	float *dv = dk + c->T;
	size_t at = m->own[SPLIT], t, i;

	gates(m, c);
	memset(dk, 0, 2 * c->T * sizeof(*dk));
	for (t = 0; t < c->T; t++) {
		float *d = dy + t * ldy;

		if (c->ids[t] >= 0)
			continue;
		dk[t] = v->dot(d, y + t * ldy, at) / gk[t];
		dv[t] = v->dot(d + at, y + t * ldy + at, ldy - at) / gv[t];
		v->scale(d, gk[t], at);
		v->scale(d + at, gv[t], ldy - at);
	}
	for (i = 0; i < 2; i++) {
		struct peft_gate g = gate_of(m, i);

		peft_gate_back(&g, c, c->x, c->ldx, i == 0 ? dk : dv, dx,
		    lddx);
	}
}

static const struct peft_hook_ops hook = {
	.scratch = scratch, .keys = keys_forward, .keys_back = keys_back,
};

const struct peft_method peft_hub_prefix_tuning = {
	.type = "AH_PREFIX_TUNING", .name = "ah-prefix-tuning", .hub = true,
	.knobs = { [PEFT_KNOB_DROPOUT] = "dropout" },
	.keys = keys, .size = sizeof(struct hubprefix),
	.kinds = 1 << PEFT_ATTENTION, .wanted = wanted, .shapes = shapes,
	.common = common, .init = init, .prepare = prepare, .hook = &hook,
	.attach = attach,
};
