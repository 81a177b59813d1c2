/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA and (IA)^3 as the adapters library has them: one class with a
 * composition_mode, "add" or "scale", on the projections of attention
 * (attn_matrices) and of the MLP.  With use_gating LoRA's sum is multiplied
 * by its sequence's number (gate.h) instead of alpha / r.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/gate.h"
#include "peft/hub.h"
#include "peft/ia3.h"
#include "peft/lowrank.h"

enum { A, B, GATE = 3, GATE_BIAS };	/* 2: lowrank's bias, not here */
enum { L };				/* of (IA)^3 */

struct hublora {
	bool	scale, gating;		/* (IA)^3; LoRA with gates */
	bool	attention, inner, outer;
	bool	q, k, v;
	int64_t	r;
	double	alpha, dropout;
	int	start, mode;		/* words below */
	const cJSON *leave_out;
};

enum { START_LORA = 2, START_BERT, START_IA3 };
static const char *const starts[] = { "lora", "bert", "ia3", NULL };

static const char *const modes[] = { "add", "scale", NULL };

static int
read_matrices(const struct peft_setting *key, const cJSON *config,
    void *settings, struct peft_err *err)
{
	struct hublora *s = settings;
	const cJSON *e;

	cJSON_ArrayForEach(e, peft_json_get(config, key->key)) {
		const char *w = cJSON_IsString(e) ? e->valuestring : "";

		s->q |= strcmp(w, "q") == 0;
		s->k |= strcmp(w, "k") == 0;
		s->v |= strcmp(w, "v") == 0;
		if (w[0] == '\0' || w[1] != '\0' ||
		    strchr("qkv", w[0]) == NULL)
			return peft_seterr(err, "attn_matrices holds \"%s\", "
			    "not q, k or v", w);
	}
	return 0;
}

#define AT(field)	offsetof(struct hublora, field)
static const struct peft_setting keys[] = {
	PEFT_SET_LATER("architecture", "\"lora\""),
	PEFT_SET("selfattn_lora", "true", peft_set_bool, AT(attention)),
	PEFT_SET("intermediate_lora", "false", peft_set_bool, AT(inner)),
	PEFT_SET("output_lora", "false", peft_set_bool, AT(outer)),
	PEFT_SET("use_gating", "false", peft_set_bool, AT(gating)),
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 20),
	PEFT_SET("alpha", "8", peft_set_real, AT(alpha)),
	PEFT_SET("dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET_WORD("composition_mode", "\"add\"", peft_set_choice,
	    AT(mode), modes),
	PEFT_SET_WORD("init_weights", "\"lora\"", peft_set_choice, AT(start),
	    starts),
	PEFT_SET("attn_matrices", "[\"q\",\"v\"]", read_matrices, 0),
	PEFT_SET("leave_out", "[]", peft_set_left_out, AT(leave_out)),
	PEFT_SET_OFF("use_dora", "false"), PEFT_SET_OFF("vera_d", "null"),
	PEFT_SET_OFF("vera_b", "null"), PEFT_SET_OFF("dtype", "null"),
	PEFT_SET_LATER("init_weights_seed", "null"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	struct hublora *s = settings;

	(void)config;
	s->scale = s->mode == 3;
	if (s->scale && (s->r != 1 || s->dropout > 0 || s->gating))
		return peft_seterr(err, "composition_mode \"scale\" is for "
		    "r 1 without dropout and use_gating");
	return 0;
}

bool
peft_hub_gated(const struct peft_config *model)
{
	return model == NULL || model->t.has & (PEFT_BIT(PEFT_GATE) |
	    PEFT_BIT(PEFT_GATE_UP));
}

enum peft_hub_at
peft_hub_at(const struct peft_config *model, const struct peft_site *site)
{
	bool gated = peft_hub_gated(model);

	switch (site->kind == PEFT_LINEAR ? site->slot : -1) {
	case PEFT_Q:
		return PEFT_HUB_Q;
	case PEFT_K:
		return PEFT_HUB_K;
	case PEFT_V:
		return PEFT_HUB_V;
	case PEFT_QKV:
		return PEFT_HUB_QKV;
	case PEFT_UP:
	case PEFT_GATE_UP:
		return gated ? PEFT_HUB_OUTER : PEFT_HUB_INNER;
	case PEFT_DOWN:
		return gated ? PEFT_HUB_INNER : PEFT_HUB_OUTER;
	}
	return PEFT_HUB_NOWHERE;
}

static bool
wanted(const void *settings, const struct peft_adapter *a,
    const struct peft_site *site)
{
	const struct hublora *s = settings;

	if (peft_hub_left_out(s->leave_out, site->layer))
		return false;
	switch (peft_hub_at(a->model, site)) {
	case PEFT_HUB_Q:
		return s->attention && s->q;
	case PEFT_HUB_K:
		return s->attention && s->k;
	case PEFT_HUB_V:
		return s->attention && s->v;
	case PEFT_HUB_QKV:
		return s->attention;
	case PEFT_HUB_INNER:
		return s->inner;
	case PEFT_HUB_OUTER:
		return s->outer;
	default:
		return false;
	}
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct hublora *s = settings;
	size_t in = m->site->in, o = m->site->out, i;

	if (m->site->slot == PEFT_QKV || m->site->slot == PEFT_GATE_UP)
		return peft_seterr(err, "the adapters library's LoRA on "
		    "projections that are stored as one is not known here");
	m->rank = (size_t)s->r;
	m->scale = (float)(s->scale ? s->alpha : s->gating ? 1 : s->alpha /
	    (double)s->r);
	m->dropout = s->dropout;
	m->whole = s->gating;
	if (s->scale)
		out[L] = peft_shape2("lora_B", o, 1);
	else {
		out[A] = peft_shape2("lora_A", m->rank, in);
		out[B] = peft_shape2("lora_B", o, m->rank);
	}
	if (s->gating) {
		out[GATE] = peft_shape2("gate.weight", 1, in);
		out[GATE_BIAS] = peft_shape1("gate.bias", 1);
	}
	for (i = 0; i <= GATE_BIAS; i++)
		out[i].group = "loras";
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct hublora *s = settings;
	double in = (double)m->site->in;

	if (part == GATE)
		peft_init_normal(rng, value, n, 0.02);
	else if (part == GATE_BIAS)
		peft_init_uniform(rng, value, n, 1 / sqrt(in));
	else if (s->start == START_BERT)
		peft_init_normal(rng, value, n, 0.02);
	else if (s->start == START_IA3)
		peft_init_const(value, n, 1);
	else if (part == A && !s->scale)
		peft_init_uniform(rng, value, n, 1 / sqrt(in));
	else
		peft_init_const(value, n, 0);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct hublora *s = m->settings;

	return s->scale ? 0 : peft_lowrank_prepare(m, base, err);
}

/* With gates: h = A drop(x) is saved; scratch is g h or its gradient, g, dg,
 * and what is dropped out, there and back. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * (m->rank + 2 + 2 * m->site->in);
}

static struct peft_gate
gate_of(const struct peft_module *m)
{
	return (struct peft_gate){ m->param[GATE], m->param[GATE_BIAS], 0 };
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct peft_gate gate = gate_of(m);
	size_t r = m->rank, in = m->site->in, t, i, ld;
	float *h = c->scratch, *g = h + c->T * r;
	const float *x = peft_drop(m, c, g + 2 * c->T, &ld);

	peft_gate(&gate, c, c->x, c->ldx, g);
	peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, r, in, 1, x, ld,
	    m->param[A]->value, in, 0, c->saved, r);
	for (t = 0; t < c->T; t++)
		for (i = 0; i < r; i++)
			h[t * r + i] = g[t] * c->saved[t * r + i];
	peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, m->site->out, r, m->weight,
	    h, r, m->param[B]->value, r, 1, y, ldy);
}

/* dh in scratch, of h behind the gate; dg; the gradients of A and B. */
static void
products_back(const struct peft_module *m, const struct peft_hook_call *c,
    const float *dy, size_t lddy)
{
	size_t r = m->rank, in = m->site->in, out = m->site->out, t, i, ld;
	float *h = c->scratch, *g = h + c->T * r, *dg = g + c->T;
	const float *x = peft_drop(m, c, dg + c->T, &ld);

	for (t = 0; t < c->T; t++)
		for (i = 0; i < r; i++)
			h[t * r + i] = g[t] * c->saved[t * r + i];
	if (m->train)
		peft_gemm(c->cpu, PEFT_T, PEFT_N, out, r, c->T, m->weight, dy,
		    lddy, h, r, 1, m->param[B]->grad, r);
	peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, r, out, m->weight, dy, lddy,
	    m->param[B]->value, r, 0, h, r);
	for (t = 0; t < c->T; t++) {
		dg[t] = peft_vec_best()->dot(h + t * r, c->saved + t * r, r);
		peft_vec_best()->scale(h + t * r, g[t], r);
	}
	if (m->train)
		peft_gemm(c->cpu, PEFT_T, PEFT_N, r, in, c->T, 1, h, r, x, ld,
		    1, m->param[A]->grad, in);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct peft_gate gate = gate_of(m);
	size_t r = m->rank, in = m->site->in;
	float *h = c->scratch, *g = h + c->T * r, *dg = g + c->T;
	float *d = dg + c->T + c->T * in;
	bool drop = peft_drop_on(m, c);

	peft_gate(&gate, c, c->x, c->ldx, g);
	products_back(m, c, dy, lddy);
	peft_gate_back(&gate, c, c->x, c->ldx, dg, dx, lddx);
	if (dx == NULL)
		return;
	peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, in, r, 1, h, r,
	    m->param[A]->value, in, drop ? 0 : 1, drop ? d : dx, drop ? in :
	    lddx);
	if (drop)
		peft_drop_back(m, c, d, dx, lddx);
}

static const struct peft_hook_ops gated_hook = {
	.memory = peft_lowrank_memory, .saved = peft_lowrank_saved,
	.scratch = scratch, .forward = forward, .backward = backward,
};

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	const struct hublora *s = m->settings;

	return s->scale ? &peft_ia3_output_hook : s->gating ? &gated_hook :
	    &peft_lowrank_hook;
}

/* What a gate multiplies is no change of a weight. */
static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	const struct hublora *s = m->settings;

	if (s->gating)
		return false;
	return leaf == PEFT_LEAF_WEIGHT || (s->scale &&
	    m->site->bias != SIZE_MAX);
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct hublora *s = m->settings;

	return s->scale ? peft_ia3_merge(m, leaf, first, n, weight, rows,
	    base, err) : peft_lowrank_merge(m, leaf, first, n, weight, rows,
	    base, err);
}

const struct peft_method peft_hub_lora = {
	.type = "AH_LORA", .name = "ah-lora", .hub = true,
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_ALPHA] = "alpha",
	    [PEFT_KNOB_DROPOUT] = "dropout" },
	.keys = keys, .size = sizeof(struct hublora), .check = check,
	.kinds = 1 << PEFT_LINEAR, .bounded = true, .wanted = wanted,
	.shapes = shapes, .init = init, .prepare = prepare,
	.hook_for = hook_for, .changes = changes, .merge = merge,
};
